//! A unit that is encoded until it takes the bytes that it is to take: in the last pass under a rate, after
//! which nothing corrects it.

use crate::encoder::{EncodedFrame, FrameOptions, QualityScale};
use crate::planner::pace::Target;
use crate::take::Score;
use retake_media::{PixelBuffer, Time};

/// How many encodes of a unit there are at most.
const MOST: usize = 5;
/// How far off its bytes a unit may be: others make up for it, but not for the last.
const NEAR: f64 = 0.04;
const NEAR_AT_THE_END: f64 = 0.003;

/// A frame of the unit, as the encoder takes it.
#[derive(Clone)]
pub(super) struct Fitted {
    pub(super) number: u64,
    pub(super) picture: PixelBuffer,
    pub(super) pts: Time,
    pub(super) duration: Time,
    pub(super) options: FrameOptions,
}

/// What one encode of the unit gave.
#[derive(Default)]
pub(super) struct Attempt {
    pub(super) samples: Vec<EncodedFrame>,
    pub(super) scores: Vec<(Time, Result<Score, String>)>,
}

impl Attempt {
    fn bytes(&self) -> u64 {
        self.samples.iter().map(|frame| frame.sample.data.len() as u64).sum()
    }
}

/// A unit whose samples wait until all of it is there.
pub(super) struct Fitting {
    target: Target,
    pub(super) frames: Vec<Fitted>,
    /// The encode that runs.
    pub(super) attempt: Attempt,
    /// The quality of the encode that came nearest, with what it gave.
    best: Option<(f64, Attempt)>,
    /// Qualities that were tried, with the logarithm (to base 2) of the bytes over those that are wanted.
    tried: Vec<(f64, f64)>,
}

impl Fitting {
    pub(super) fn new(target: Target) -> Self {
        Self { target, frames: Vec::new(), attempt: Attempt::default(), best: None, tried: Vec::new() }
    }

    /// An encode of the whole unit with this quality has ended. Says with which to try again; `None` where it
    /// is near enough, or nothing nearer is to be had.
    pub(super) fn next(&mut self, quality: f64, scale: &QualityScale) -> Option<f64> {
        let attempt = std::mem::take(&mut self.attempt);
        let off = (attempt.bytes().max(1) as f64 / self.target.bytes.max(1.0)).log2();
        let nearest = self.tried.iter().map(|(_, off)| off.abs()).fold(f64::INFINITY, f64::min);
        if off.abs() < nearest {
            self.best = Some((quality, attempt));
        }
        self.tried.push((quality, off));
        let near = if self.target.last { NEAR_AT_THE_END } else { NEAR };
        if off.abs() <= near.ln_1p() / std::f64::consts::LN_2 || self.tried.len() == MOST {
            return None;
        }
        // Between an encode that took too much and one that took too little lies the one that is wanted.
        // Where all lie on one side, the nearest two tell more of the unit than what was expected of it.
        let mut by_size = self.tried.clone();
        by_size.sort_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
        let nearest = by_size[0];
        let across = by_size.iter().find(|(_, other)| other.signum() != nearest.1.signum());
        let other =
            across.or(by_size.get(1)).filter(|other| (other.0 - nearest.0) * (other.1 - nearest.1) < 0.0);
        let slope = other.map_or(self.target.slope, |other| (other.1 - nearest.1) / (other.0 - nearest.0));
        let bounded = |quality: f64| {
            let Target { best, coarsest, .. } = self.target;
            scale.snap(coarsest.map_or(quality, |coarsest| quality.min(coarsest)).max(best))
        };
        let next = bounded(nearest.0 - nearest.1 / slope);
        let known = |one: f64| self.tried.iter().any(|(tried, _)| (tried - one).abs() < scale.step / 2.0);
        if !known(next) {
            return Some(next);
        }
        // On a coarse scale the next step may be nearer all the same.
        let beside = bounded(nearest.0 + scale.step * nearest.1.signum());
        (!known(beside)).then_some(beside)
    }

    /// The encode that came nearest, and its quality; what there is where none has ended.
    pub(super) fn nearest(self) -> (Option<f64>, Attempt) {
        match self.best {
            Some((quality, attempt)) => (Some(quality), attempt),
            None => (None, self.attempt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use retake_media::{Sample, SampleKind};

    fn attempt(bytes: f64) -> Attempt {
        let (pts, dts, duration) = (Time::ZERO, Time::ZERO, Time::INVALID);
        let sample = Sample { data: vec![0; bytes as usize], pts, dts, duration, kind: SampleKind::Sync };
        let frame = EncodedFrame { sample, index: 0, qp: 0.0, error: None, token: None, layer: 0 };
        Attempt { samples: vec![frame], scores: Vec::new() }
    }

    proptest! {
        /// MP-32: whatever the unit takes and however it answers to the knob, the encode that is kept is the
        /// nearest of those that were made, and near where the knob is fine enough.
        #[test]
        fn a_unit_comes_near_its_bytes(
            off in -0.6..0.6f64, slope in -0.3..-0.08f64, expected in -0.3..-0.08f64, step in prop::sample::select(vec![0.1, 1.0]),
        ) {
            let scale = QualityScale { min: 0.0, max: 51.0, step, usual: 23.0 };
            let target = Target { bytes: 50_000.0, slope: expected, best: 0.0, coarsest: None, last: true };
            let bytes = |quality: f64| 50_000.0 * (off + (quality - 25.0) * slope).exp2();
            let (mut fitting, mut quality, mut made) = (Fitting::new(target), 25.0, Vec::new());
            loop {
                made.push((bytes(quality) / 50_000.0).log2().abs());
                fitting.attempt = attempt(bytes(quality));
                match fitting.next(quality, &scale) {
                    Some(next) => quality = next,
                    None => break,
                }
            }
            let (kept, attempt) = fitting.nearest();
            let error = (attempt.bytes() as f64 / 50_000.0).log2().abs();
            prop_assert!(kept.is_some() && made.iter().all(|other| error <= other + 1e-3), "{error} of {made:?}");
            prop_assert!(made.len() <= MOST && error <= (step * -slope).max(0.02) + 1e-3, "{error} after {made:?}");
        }
    }
}
