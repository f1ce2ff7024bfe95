//! How the takes of an earlier job stand to another highest rate.
//!
//! An encoder that keeps to a rate by itself has a buffer for each take. A take that never comes near the end
//! of it is the same, or nearly so, with another buffer or none. One that does says nothing of a take that is
//! made under another rate: planned with both, films came out far too coarse. So it tells of the unit's
//! curve, and is not shipped. Takes of encoders that know no rate are those of any.

use super::{RecordedTake, Records};
use crate::job::plan::limit_of;
use crate::records::clock::FrameClock;
use retake_compression::encoder::RateLimit;
use retake_compression::planner::curve::Family;
use retake_compression::planner::{Trial, UnitState};
use retake_compression::rate_limit::{self, VbvOf};

/// A take that leaves less than this share of a buffer in it is another one within the buffer: x264's differ
/// by up to 30 % below it, and by 2 % above.
const NEAR: f64 = 0.5;

/// A take whose quantizers are coarser than those of its quality by so many steps was held down.
const COARSER: f64 = 1.0;

/// What the planner knows of the units of an earlier job under another highest rate.
pub(crate) struct UnderRate {
    /// The units and their takes. The quality of a take that the earlier rate held down is the one that would
    /// have come out with its quantizers.
    pub states: Vec<UnitState>,
    /// For each take of each unit, whether it is another one than would be made now.
    pub held: Vec<Vec<bool>>,
}

/// The buffer of takes under a highest rate, in an encoder that keeps to it by itself.
pub(crate) fn buffer_of(rate: u64) -> Option<RateLimit> {
    VbvOf::JudgedTake.rate_limit(&[limit_of(rate)])
}

impl Records {
    /// What is known under a highest rate, or none, of an encoder that keeps to it by itself or not.
    pub(crate) fn under_rate(&self, rate: Option<u64>, keeps: bool, family: &Family) -> UnderRate {
        let mut states = self.states();
        let then = self.job.max_bit_rate;
        let buffer = rate.filter(|_| keeps && then != rate).and_then(buffer_of);
        let clock = FrameClock::of(self);
        let would_be_held = |start: u64, take: &RecordedTake| {
            let samples = take.record.sample_sizes().zip(start..);
            let samples = samples.map(|(bytes, frame)| (clock.seconds(frame), bytes as f64));
            buffer.is_some_and(|buffer| rate_limit::held(buffer, samples).least < NEAR)
        };
        let was_held = |take: &RecordedTake, quality: f64| {
            let of_quantizer = family.quality_of(take.record.qp, 0.0);
            let held = keeps && then.is_some() && then != rate && take.record.qp > 0.0;
            (held && of_quantizer > quality + COARSER).then(|| self.encoder.scale.snap(of_quantizer))
        };
        let mut held = Vec::with_capacity(states.len());
        for (unit, state) in self.units.iter().zip(&mut states) {
            let of_take = |(take, trial): (&RecordedTake, &mut Trial)| {
                let was_held = was_held(take, trial.quality);
                trial.quality = was_held.unwrap_or(trial.quality);
                was_held.is_some() || would_be_held(unit.range.start, take)
            };
            held.push(unit.takes.iter().zip(&mut state.trials).map(of_take).collect());
        }
        UnderRate { states, held }
    }
}
