//! The scores of a take, frame by frame.

use crate::{MetricKind, QualityError};
use serde::{Deserialize, Serialize};

/// The scores of the frames of a take, in presentation order.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Scores {
    /// The metric of [`frames`](Self::frames).
    pub metric: MetricKind,
    /// One score a frame on the metric's scale; `None` where sampling skipped the frame. (PSNR costs next to
    /// nothing, so it skips none.)
    pub frames: Vec<Option<f64>>,
    /// The luma PSNR of every frame in dB, at most 100.
    pub psnr_y: Vec<f64>,
    /// The motion of the source at every frame, as VMAF defines it (its feature *motion2*); empty for other
    /// metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub motion: Vec<f64>,
}

impl Scores {
    /// Returns how many frames have a score.
    pub fn scored(&self) -> usize {
        self.frames.iter().flatten().count()
    }

    /// Returns all scores; `None` if a frame lacks one.
    pub fn complete(&self) -> Option<Vec<f64>> {
        self.frames.iter().copied().collect()
    }

    /// Returns the score that no encode of these frames can exceed, where the metric has such a ceiling.
    ///
    /// VMAF does not give 100 to pictures without a flaw: the model adds 1.39 points per unit of motion to
    /// about 97.5, and curves of score over quality bend towards that ceiling. (It was fitted on source
    /// pictures scored against themselves; motion above 3 counts as 3.)
    pub fn ceiling(&self) -> Option<f64> {
        if self.motion.is_empty() {
            return None;
        }
        let motion = self.motion.iter().map(|motion| motion.min(3.0)).sum::<f64>() / self.motion.len() as f64;
        Some(97.73 + 1.39 * motion)
    }

    /// Takes over the scores that `other` has and `self` lacks; it must be another phase of the same pictures
    /// with the same metric.
    pub fn merge(&mut self, other: &Self) -> Result<(), QualityError> {
        if self.metric != other.metric {
            return Err(QualityError::Merge("they are of two metrics"));
        }
        if self.frames.len() != other.frames.len() || self.psnr_y.len() != other.psnr_y.len() {
            return Err(QualityError::Merge("they are of different numbers of frames"));
        }
        if self.psnr_y != other.psnr_y || self.motion != other.motion {
            return Err(QualityError::Merge("they are of different pictures"));
        }
        for (mine, theirs) in self.frames.iter_mut().zip(&other.frames) {
            *mine = mine.or(*theirs);
        }
        Ok(())
    }
}
