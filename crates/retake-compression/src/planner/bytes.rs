//! This module predicts the bytes of a unit at a quality from its existing takes.
//!
//! The logarithm of bytes falls with the knob nearly in a straight line, steeper where the film is rich. One
//! take gives the population's slope through its point; several give a monotone cubic through all of them (F.
//! N. Fritsch, J. Butland, *A method for constructing local monotone piecewise cubic interpolants*, 1984).
//! One straight line fitted to all takes lost: a first take far off bent it, and every correction fell short.

use super::Trial;
use super::curve::Family;

/// A curve gives the bytes of one unit as a function of the knob.
#[derive(Debug, Clone)]
pub(super) struct ByteCurve {
    /// Nodes are sorted by rising knob and have falling bytes. Each holds the knob, the logarithm of bytes to
    /// base 2 and the slope of the curve there (negative).
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    knob: f64,
    log: f64,
    slope: f64,
}

impl ByteCurve {
    /// Builds the curve through the newest take and through all others that do not contradict it.
    pub(super) fn of(family: &Family, trials: &[Trial]) -> Self {
        let usual = family.bytes_slope(&[]);
        let point = |trial: &Trial| (trial.quality, (trial.bytes.max(1) as f64).log2());
        let mut points: Vec<(f64, f64)> = Vec::with_capacity(trials.len());
        for (knob, log) in trials.iter().rev().map(point) {
            let at = points.partition_point(|known| known.0 < knob);
            // takes with more bytes for less quality, or hardly fewer, are noise of short units; the newer
            // take is believed
            let falls = |a: (f64, f64), b: (f64, f64)| b.0 > a.0 && (b.1 - a.1) / (b.0 - a.0) < 0.1 * usual;
            let after = at == 0 || falls(points[at - 1], (knob, log));
            let before = points.get(at).is_none_or(|next| falls((knob, log), *next));
            if after && before {
                points.insert(at, (knob, log));
            }
        }
        let secants: Vec<f64> =
            points.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)).collect();
        let count = points.len();
        let slope = |index: usize| match (index, count) {
            (_, 1) => usual,
            (0, _) => family.bytes_slope(&points[..2]),
            (index, _) if index == count - 1 => family.bytes_slope(&points[count - 2..]),
            // the harmonic mean keeps the cubic monotone
            (index, _) => 2.0 / (1.0 / secants[index - 1] + 1.0 / secants[index]),
        };
        let nodes = points.iter().enumerate();
        Self { nodes: nodes.map(|(index, &(knob, log))| Node { knob, log, slope: slope(index) }).collect() }
    }

    /// Returns the doublings of bytes per step of the knob at a knob; the number is negative.
    pub(super) fn slope_at(&self, knob: f64) -> f64 {
        const NEAR: f64 = 1e-3;
        (self.log_at(knob + NEAR) - self.log_at(knob - NEAR)) / (2.0 * NEAR)
    }

    /// Returns the logarithm (to base 2) of the bytes at a knob.
    pub(super) fn log_at(&self, knob: f64) -> f64 {
        let after = self.nodes.partition_point(|node| node.knob < knob);
        match self.around(after) {
            (Some(a), Some(b)) => between(a, b, knob),
            (Some(end), None) | (None, Some(end)) => end.log + end.slope * (knob - end.knob),
            // a unit without takes tells nothing, so any constant does
            (None, None) => 0.0,
        }
    }

    /// Returns the knob at which the unit takes bytes with this logarithm.
    pub(super) fn knob_at(&self, log: f64) -> f64 {
        let after = self.nodes.partition_point(|node| node.log > log);
        match self.around(after) {
            (Some(a), Some(b)) => super::bisect(a.knob, b.knob, |knob| between(a, b, knob) > log),
            (Some(end), None) | (None, Some(end)) => end.knob + (log - end.log) / end.slope,
            (None, None) => 0.0,
        }
    }

    /// Returns the node before the one with this index, and that one.
    fn around(&self, after: usize) -> (Option<&Node>, Option<&Node>) {
        (after.checked_sub(1).and_then(|before| self.nodes.get(before)), self.nodes.get(after))
    }
}

/// Evaluates the cubic between two nodes.
fn between(a: &Node, b: &Node, knob: f64) -> f64 {
    let width = b.knob - a.knob;
    let t = (knob - a.knob) / width;
    let secant = (b.log - a.log) / width;
    // an end's slope comes from the population, too: three secants are the most that stay monotone
    let steep = |slope: f64| slope.clamp(3.0 * secant, 0.0);
    let (from, to) = (steep(a.slope) * width, steep(b.slope) * width);
    let rise = b.log - a.log;
    a.log + t * (from + t * (3.0 * rise - 2.0 * from - to + t * (from + to - 2.0 * rise)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::QualityScale;
    use proptest::prelude::*;

    fn family() -> Family {
        Family::of("vp9", "psnr", QualityScale { min: 0.0, max: 63.0, step: 1.0, usual: 32.0 })
    }

    fn trial(quality: f64, bytes: u64) -> Trial {
        Trial { quality, bytes, score: None }
    }

    proptest! {
        /// Whatever the takes are, more quality must never mean fewer bytes, the curve meets the newest take,
        /// and its inverse leads back.
        #[test]
        fn curves_fall_and_meet_the_newest_take(
            takes in prop::collection::vec((0u32..64, 1u64..100_000_000), 1..7),
        ) {
            let trials: Vec<Trial> = takes.iter().map(|&(knob, bytes)| trial(f64::from(knob), bytes)).collect();
            let curve = ByteCurve::of(&family(), &trials);
            let newest = trials[trials.len() - 1];
            prop_assert!((curve.log_at(newest.quality).exp2() / newest.bytes as f64 - 1.0).abs() < 1e-6);
            for knob in 0..630 {
                let (here, next) = (f64::from(knob) / 10.0, f64::from(knob + 1) / 10.0);
                prop_assert!(curve.log_at(next) <= curve.log_at(here) + 1e-9, "{here}");
            }
            for knob in [0.0, 11.5, 37.25, 63.0] {
                let log = curve.log_at(knob);
                prop_assert!((curve.log_at(curve.knob_at(log)) - log).abs() < 1e-6);
            }
        }
    }

    /// A first take that was nine times too large must not keep the next ones from coming near, because VP9
    /// answers like that on a noisy film.
    #[test]
    fn a_take_far_off_does_not_bend_what_is_near() {
        let real = |knob: f64| (22.5 - 0.05 * knob - 0.0006 * knob * knob).exp2();
        let wanted = real(52.3);
        let mut trials = vec![trial(20.0, real(20.0) as u64)];
        for _ in 0..3 {
            let knob = ByteCurve::of(&family(), &trials).knob_at(wanted.log2()).clamp(0.0, 63.0);
            trials.push(trial(knob, real(knob) as u64));
        }
        let last = trials[3].bytes as f64;
        assert!((last / wanted - 1.0).abs() < 0.01, "{trials:?} instead of {wanted}");
    }
}
