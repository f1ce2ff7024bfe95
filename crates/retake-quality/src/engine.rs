//! What every metric does: take consecutive pairs of pictures, and say in the end what each sampled one scored.

use crate::error::QualityError;
use retake_media::PixelBuffer;

pub(crate) trait Engine: Send {
    /// The source picture before the first pair. Comes at most once, before all pairs.
    fn lead_in(&mut self, reference: &PixelBuffer) -> Result<(), QualityError>;

    /// The next pair. A pair that is not sampled needs no score, but may matter for its neighbours'.
    fn push(
        &mut self,
        reference: &PixelBuffer,
        picture: &PixelBuffer,
        sampled: bool,
    ) -> Result<(), QualityError>;

    /// A score for every sampled pair, `None` for the others. `after` is the source picture after the last pair. Comes once.
    fn finish(&mut self, after: Option<&PixelBuffer>) -> Result<Vec<Option<f64>>, QualityError>;

    /// The scores that are certain already, of the frames from the first one on.
    fn settled(&self) -> &[Option<f64>] {
        &[]
    }

    /// The motion of every frame, after [`finish`](Self::finish), where the metric measured it anyway.
    fn motion(&mut self) -> Vec<f64> {
        Vec::new()
    }
}

/// A metric that looks at one pair at a time.
pub(crate) trait StillMetric: Send {
    /// Who does the work, for error messages.
    const LIBRARY: &'static str;

    fn score(&mut self, reference: &PixelBuffer, picture: &PixelBuffer) -> Result<f64, String>;
}

/// Makes an engine of such a metric.
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
