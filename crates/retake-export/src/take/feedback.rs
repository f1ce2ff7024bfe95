//! Feedback: a take that is scored while it is encoded can still change its quality.
//!
//! The scores of the frames that are out tell what the rest of the take has to reach so that the mean of all
//! is where it was aimed at. An encoder decides about a frame when it codes it, so what is learned from one
//! frame helps the next. This costs nothing: the frames are scored anyway. Quality within the take may drift
//! by a step or two, which costs about 1 % of bits; a retake costs 100 %.

use retake_compression::encoder::QualityScale;
use retake_compression::planner::curve::{Family, Point};

/// Scored frames before the first correction, and between corrections.
const FIRST: usize = 2;
const EVERY: usize = 3;

/// How much the mean of a few frames says about the quality of the rest, as standard error of one frame, in
/// points.
const FRAME_ERROR: f64 = 2.0;

/// How much worse the rest of a take comes out than its beginning, with the same quality, as loss on the
/// family's scale: encoders invest in frames that others will refer to, and towards the end of a take there
/// are ever fewer others.
const DRIFT: f64 = 0.15;

/// The furthest that the rest of a take may be sent from the aim to make up for its beginning, in points.
const FURTHEST: f64 = 1.5;

/// Chooses the quality of the frames of a take that are not coded yet, by the scores of those that are out.
pub(crate) struct QualityController {
    family: Family,
    scale: QualityScale,
    aim: f64,
    /// Frames of the take.
    frames: u64,
    quality: f64,
    /// Quality of every coded frame, in presentation order, for the average.
    next: usize,
    /// Sum and number of the qualities that pictures came out with.
    used: (f64, u64),
}

impl QualityController {
    /// A controller for a take of `frames` frames that begins with `quality` and aims at a mean score of
    /// `aim`.
    pub(crate) fn new(family: Family, scale: QualityScale, aim: f64, frames: u64, quality: f64) -> Self {
        Self { family, scale, aim, frames, quality, next: FIRST, used: (0.0, 0) }
    }

    /// Notes that a frame was coded.
    pub(crate) fn coded(&mut self) {
        self.used = (self.used.0 + self.quality, self.used.1 + 1);
    }

    /// The average quality of the frames coded so far.
    pub(crate) fn average(&self) -> f64 {
        if self.used.1 == 0 { self.quality } else { self.used.0 / self.used.1 as f64 }
    }

    /// What the scores so far ask for: a new quality for the rest of the take, if it should change.
    pub(crate) fn correct(&mut self, settled: &[Option<f64>]) -> Option<f64> {
        let scored: Vec<f64> = settled.iter().copied().flatten().collect();
        if scored.len() < self.next || settled.len() as u64 >= self.frames {
            return None;
        }
        self.next = scored.len() + EVERY;
        let mean = scored.iter().sum::<f64>() / scored.len() as f64;
        let done = settled.len() as f64;
        let rest = self.frames as f64 - done;
        let wanted = (self.aim * self.frames as f64 - mean * done) / rest;
        let wanted = wanted.clamp(self.aim - FURTHEST, self.aim + FURTHEST);
        let error = FRAME_ERROR / (scored.len() as f64).sqrt();
        let expected = self.family.worse(mean, DRIFT);
        let seen = Point { quality: self.average(), score: expected, error, ceiling: None };
        let quality = self.scale.snap(self.family.quality_for(wanted, &[seen], None));
        let changed = (quality - self.quality).abs() >= self.scale.step / 2.0;
        if !changed {
            return None;
        }
        self.quality = quality;
        Some(quality)
    }
}
