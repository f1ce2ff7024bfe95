//! The contract of every metric: it takes consecutive pairs of pictures, and returns the scores of the
//! sampled ones in the end.

use crate::error::QualityError;
use retake_media::PixelBuffer;

pub(crate) trait Engine: Send {
    /// Takes the source picture before the first pair. It is called at most once, before all pairs.
    fn lead_in(&mut self, reference: &PixelBuffer) -> Result<(), QualityError>;

    /// Takes the next pair. A pair that is not sampled needs no score, but may influence its neighbours'.
    fn push(
        &mut self,
        reference: &PixelBuffer,
        picture: &PixelBuffer,
        sampled: bool,
    ) -> Result<(), QualityError>;

    /// Returns a score for every sampled pair and `None` for the others. `after` is the source picture after
    /// the last pair. It is called once.
    fn finish(&mut self, after: Option<&PixelBuffer>) -> Result<Vec<Option<f64>>, QualityError>;

    /// Returns the scores that are certain already, of the frames from the first one on.
    fn settled(&self) -> &[Option<f64>] {
        &[]
    }

    /// Returns the motion of every frame, after [`finish`](Self::finish), where the metric measured it
    /// anyway.
    fn motion(&mut self) -> Vec<f64> {
        Vec::new()
    }
}

/// A metric that scores each pair on its own.
pub(crate) trait StillMetric: Send {
    /// The library that does the work, for error messages.
    const LIBRARY: &'static str;

    fn score(&mut self, reference: &PixelBuffer, picture: &PixelBuffer) -> Result<f64, String>;
}

/// Makes an engine of a metric for still pictures.
pub(crate) struct Still<M> {
    metric: M,
    frames: Vec<Option<f64>>,
}

impl<M> Still<M> {
    pub(crate) fn new(metric: M) -> Self {
        Self { metric, frames: Vec::new() }
    }
}

impl<M: StillMetric> Engine for Still<M> {
    fn lead_in(&mut self, _: &PixelBuffer) -> Result<(), QualityError> {
        Ok(())
    }

    fn push(
        &mut self,
        reference: &PixelBuffer,
        picture: &PixelBuffer,
        sampled: bool,
    ) -> Result<(), QualityError> {
        let score = sampled.then(|| self.metric.score(reference, picture)).transpose();
        self.frames.push(score.map_err(|code| QualityError::Library {
            library: M::LIBRARY,
            call: "a comparison",
            frame: self.frames.len() as u64,
            code,
        })?);
        Ok(())
    }

    fn finish(&mut self, _: Option<&PixelBuffer>) -> Result<Vec<Option<f64>>, QualityError> {
        Ok(std::mem::take(&mut self.frames))
    }

    fn settled(&self) -> &[Option<f64>] {
        &self.frames
    }
}
