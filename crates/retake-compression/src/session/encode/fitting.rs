//! A unit that is encoded until it takes the bytes that it is to take: in the last pass under a rate, after
//! which nothing corrects it. Under data rate limits it takes all that its windows have room for, where that
//! is less.
//!
//! The limit decides here, rather than in the cap of the rate alone: the cap makes a unit coarser until it
//! fits, by steps that are far enough, and what it leaves unspent is lost.

use crate::encoder::{EncodedFrame, FrameOptions, QualityScale};
use crate::planner::pace::Target;
use crate::take::Score;
use retake_media::{PixelBuffer, Time};

/// How many encodes of a unit there are at most.
const MOST: usize = 5;
/// The same under limits, where an encode that breaks one does not count.
const MOST_WITHIN_LIMITS: usize = 7;
/// How far from the nearest encode the next one goes, in doublings of bytes, while what is expected of the
/// unit alone tells where to find them: some answer four times as strongly.
const STRIDE: f64 = 1.0;
/// How far off its bytes a unit may be: others make up for it, but not for the last.
const NEAR: f64 = 0.04;
const NEAR_AT_THE_END: f64 = 0.003;
/// The share of its room in the fullest window that a unit is to take whose bytes find none. Not all of it,
/// because an encode that breaks a limit does not count, and the next one is a guess.
const FULL: f64 = 0.98;

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
    /// What the unit is to take, as far as there is room for it.
    target: Target,
    /// The bytes that it is to take, whatever room there is.
    wanted: f64,
    /// What is known of the room under limits.
    room: Option<Room>,
    pub(super) frames: Vec<Fitted>,
    /// The encode that runs.
    pub(super) attempt: Attempt,
    /// The quality of the encode that came nearest and broke no limit, with what it gave.
    best: Option<Best>,
    /// Qualities that were tried, with the logarithm (to base 2) of the bytes over those that are wanted.
    tried: Vec<(f64, f64)>,
}

/// The bytes that a unit has room for, by an encode that filled its fullest window so many times (as a
/// logarithm, to either side) beyond what it may be filled to.
#[derive(Clone, Copy)]
struct Room {
    bytes: f64,
    off: f64,
}

/// An encode that can be kept.
struct Best {
    quality: f64,
    off: f64,
    attempt: Attempt,
}

/// What follows an encode of the unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// Another one, with this quality.
    Again(f64),
    /// The unit is near enough, or nothing nearer is to be had.
    Nearest,
    /// All encodes broke a limit: it is for the cap of the rate to find one that does not, from this quality
    /// on.
    Capped(f64),
}

impl Fitting {
    pub(super) fn new(target: Target) -> Self {
        Self {
            wanted: target.bytes,
            target,
            room: None,
            frames: Vec::new(),
            attempt: Attempt::default(),
            best: None,
            tried: Vec::new(),
        }
    }

    /// An encode of the whole unit with this quality has ended. `crowding` says how many times what others
    /// leave of a window it takes in the worst case, and is 0 without limits. Says what follows.
    pub(super) fn next(&mut self, quality: f64, crowding: f64, scale: &QualityScale) -> Next {
        let attempt = std::mem::take(&mut self.attempt);
        let bytes = attempt.bytes().max(1) as f64;
        self.aim(bytes, crowding);
        let off = (bytes / self.target.bytes.max(1.0)).log2();
        self.tried.push((quality, off));
        if crowding <= 1.0 && self.best.as_ref().is_none_or(|best| off.abs() < best.off.abs()) {
            self.best = Some(Best { quality, off, attempt });
        }
        let near = if self.target.last { NEAR_AT_THE_END } else { NEAR };
        let near = near.ln_1p() / std::f64::consts::LN_2;
        if self.best.as_ref().is_none_or(|best| best.off.abs() > near)
            && self.tried.len() < if crowding > 0.0 { MOST_WITHIN_LIMITS } else { MOST }
            && let Some(next) = self.untried(scale)
        {
            return Next::Again(next);
        }
        let coarsest = self.tried.iter().map(|(quality, _)| *quality).fold(quality, f64::max);
        if self.best.is_some() { Next::Nearest } else { Next::Capped(coarsest) }
    }

    /// Aims at what is wanted, as far as there is room for it. The encode that filled its windows to nearly
    /// what they hold tells best how much that is: others see another window that is the fullest.
    fn aim(&mut self, bytes: f64, crowding: f64) {
        if crowding <= 0.0 {
            return;
        }
        let room = Room { bytes: bytes * FULL / crowding, off: (crowding / FULL).ln().abs() };
        if self.room.is_some_and(|known| known.off <= room.off) {
            return;
        }
        self.room = Some(room);
        let aim = self.wanted.min(room.bytes).max(1.0);
        let moved = (self.target.bytes.max(1.0) / aim).log2();
        self.target.bytes = aim;
        self.tried.iter_mut().for_each(|(_, off)| *off += moved);
        self.best.iter_mut().for_each(|best| best.off += moved);
    }

    /// The quality to try next; none where nothing nearer is to be had.
    fn untried(&self, scale: &QualityScale) -> Option<f64> {
        // Between an encode that took too much and one that took too little lies the one that is wanted.
        // Where all lie on one side, the nearest two tell more of the unit than what was expected of it.
        let mut by_size = self.tried.clone();
        by_size.sort_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
        let nearest = by_size[0];
        let across = by_size.iter().find(|(_, other)| other.signum() != nearest.1.signum());
        let other =
            across.or(by_size.get(1)).filter(|other| (other.0 - nearest.0) * (other.1 - nearest.1) < 0.0);
        let bounded = |quality: f64| {
            let Target { best, coarsest, .. } = self.target;
            scale.snap(coarsest.map_or(quality, |coarsest| quality.min(coarsest)).max(best))
        };
        let next = match (across, other) {
            (Some(across), _) if self.stalls() => (nearest.0 + across.0) / 2.0,
            (_, Some(other)) => nearest.0 - nearest.1 * (other.0 - nearest.0) / (other.1 - nearest.1),
            (_, None) => nearest.0 - nearest.1.clamp(-STRIDE, STRIDE) / self.target.slope,
        };
        let next = bounded(next);
        let known = |one: f64| self.tried.iter().any(|(tried, _)| (tried - one).abs() < scale.step / 2.0);
        if !known(next) {
            return Some(next);
        }
        // On a coarse scale the next step may be nearer all the same.
        let beside = bounded(nearest.0 + scale.step * nearest.1.signum());
        (!known(beside)).then_some(beside)
    }

    /// Whether the last two encodes are on the same side of what is wanted, and the second hardly nearer:
    /// where a unit answers on one side far more strongly than on the other, a straight line hardly moves.
    fn stalls(&self) -> bool {
        let [.., (_, before), (_, last)] = self.tried[..] else { return false };
        before.signum() == last.signum() && last.abs() > before.abs() / 2.0
    }

    /// The encode that came nearest, and its quality; what there is where none has ended.
    pub(super) fn nearest(self) -> (Option<f64>, Attempt) {
        match self.best {
            Some(best) => (Some(best.quality), best.attempt),
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
                match fitting.next(quality, 0.0, &scale) {
                    Next::Again(next) => quality = next,
                    Next::Nearest => break,
                    Next::Capped(_) => unreachable!("there is no limit"),
                }
            }
            let (kept, attempt) = fitting.nearest();
            let error = (attempt.bytes() as f64 / 50_000.0).log2().abs();
            prop_assert!(kept.is_some() && made.iter().all(|other| error <= other + 1e-3), "{error} of {made:?}");
            prop_assert!(made.len() <= MOST && error <= (step * -slope).max(0.02) + 1e-3, "{error} after {made:?}");
        }

        /// MP-33: whatever the unit takes, the encode that is kept breaks no limit, and takes what was wanted
        /// or what there is room for, as near as the knob allows: also where an encode that is far too large
        /// fills another window, and says less of the room. Where every encode broke it, the cap has to find
        /// one.
        #[test]
        fn a_unit_takes_its_bytes_or_its_room(
            off in -1.0..1.0f64, slope in -0.4..-0.08f64, expected in -0.3..-0.08f64, room in 15_000.0..100_000.0f64,
            bent in 0.0..0.01f64, elsewhere in 1.0..1.4f64,
        ) {
            let scale = QualityScale { min: 0.0, max: 63.0, step: 1.0, usual: 32.0 };
            let target = Target { bytes: 50_000.0, slope: expected, best: 0.0, coarsest: None, last: false };
            let bytes = |quality: f64| {
                let moved = quality - 32.0;
                50_000.0 * (off + moved * slope - bent * moved.max(0.0).powi(2)).exp2()
            };
            let (mut fitting, mut quality, mut made) = (Fitting::new(target), 32.0, 0);
            let capped = loop {
                made += 1;
                fitting.attempt = attempt(bytes(quality));
                let crowding = bytes(quality) / room;
                match fitting.next(quality, crowding.max(crowding.powf(elsewhere)), &scale) {
                    Next::Again(next) => quality = next,
                    Next::Nearest => break false,
                    Next::Capped(_) => break true,
                }
            };
            let (kept, attempt) = fitting.nearest();
            prop_assert!(made <= MOST_WITHIN_LIMITS && !capped && kept.is_some(), "{made} encodes, {kept:?}");
            prop_assert!(attempt.bytes() as f64 <= room, "{} of {room}", attempt.bytes());
            let error = (attempt.bytes() as f64 / room.min(50_000.0)).log2().abs();
            // a step of the knob, at its steepest here
            let step = bytes(kept.unwrap() - 1.0).log2() - bytes(kept.unwrap() + 1.0).log2();
            prop_assert!(error <= step.max(0.09), "{error} with steps of {step}");
        }
    }
}
