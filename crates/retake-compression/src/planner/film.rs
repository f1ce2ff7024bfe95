//! What the finished units of a film tell about those that are not begun.
//!
//! Films differ more than the units of one film do: first takes of a film that nobody has seen come out too
//! good, or too bad, nearly all of them alike, by up to 4 VMAF points (`docs/planner.md`, *the film's
//! memory*). So what first takes were off by moves the knob that further units begin with.
//!
//! Which units a unit learns from follows from its number alone. So the film is the same however many takes
//! run at once, and a take is found again when a job goes on.

use super::curve::{Family, Point};
use std::ops::Range;

/// A unit learns from no more than so many.
const MOST: usize = 64;

/// That films are as they were when the models were fitted weighs as much as so many units.
const PRIOR: f64 = 0.7;

/// A single unit teaches no more than so many standard deviations of units, because a prediction that failed
/// altogether tells nothing of others.
const CLIPPED: f64 = 1.5;

/// Returns the numbers of the units that a unit learns from, by its own number in the film: half of those
/// before it at first, a quarter of them later. So when some units are finished, two to four times as many
/// can be begun, and a thousand machines have work after six takes. A lag of any fixed number would leave
/// them idle, or teach short films nothing; half of all units before, everywhere, taught long films little
/// more and took ten takes.
pub fn teachers(unit: usize) -> Range<usize> {
    let end = (unit / 2).min((unit / 4).max(4));
    end.saturating_sub(MOST)..end
}

/// What became of the first take of a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FirstTake {
    /// The knob that was predicted for the unit without what the film had taught until then.
    pub predicted: f64,
    /// How the take came out.
    pub point: Point,
}

/// Returns by how many steps of the knob predictions for further units are to be moved, so that they reach
/// `aim`: by what those for finished units were off in the mean. It is 0 where none is finished.
pub fn offset(family: &Family, aim: f64, finished: impl Iterator<Item = FirstTake>) -> f64 {
    let most = CLIPPED * family.spread();
    let errors = finished.map(|take| {
        let error = family.quality_for(aim, &[take.point]) - take.predicted;
        error.clamp(-most, most)
    });
    let (sum, count) = errors.fold((0.0, PRIOR), |(sum, count), error| (sum + error, count + 1.0));
    family.in_steps(sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::QualityScale;

    #[test]
    fn units_learn_from_those_before_them_alone() {
        for unit in 0..500 {
            let teachers = teachers(unit);
            assert!(teachers.end <= unit && teachers.len() <= MOST, "{unit}: {teachers:?}");
            assert!(super::teachers(unit + 1).end >= teachers.end, "{unit} waits longer than the next");
        }
        assert!(teachers(1).is_empty() && teachers(2) == (0..1) && teachers(16) == (0..4));
    }

    /// Units that all need three steps more than was predicted teach nearly three steps, and more of them
    /// more.
    #[test]
    fn what_all_units_are_off_by_is_learned() {
        let scale = QualityScale { min: 0.0, max: 51.0, step: 0.25, usual: 23.0 };
        let family = Family::of("x264", "vmaf", scale);
        let needed = |quality| Point { quality, score: 93.5, error: 0.0, ceiling: Some(99.0) };
        let learned = |units: usize| {
            let take = FirstTake { predicted: 24.0, point: needed(27.0) };
            offset(&family, 93.5, std::iter::repeat_n(take, units))
        };
        assert_eq!(learned(0), 0.0);
        assert!((learned(1) - 1.75).abs() <= 0.25, "{}", learned(1));
        assert!((learned(30) - 3.0).abs() <= 0.25, "{}", learned(30));
    }
}
