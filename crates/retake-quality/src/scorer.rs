//! Runs a metric over the frames of a take, with luma PSNR beside it.

use crate::available::engine;
use crate::engine::Engine;
use crate::{QualityError, ScorerSettings, Scores, psnr};
use retake_media::{PixelBuffer, PixelFormat};

/// Scores the pictures of a take against their source pictures, pair by pair, in the thread that pushes them.
///
/// All frames must be pushed, in presentation order, sampled or not, because the cheap signal needs them and
/// temporal metrics look at the neighbours of a sampled frame. A sampled frame gets the same score as when
/// every frame is scored.
pub struct Scorer {
    settings: ScorerSettings,
    engine: Option<Box<dyn Engine>>,
    psnr_y: Vec<f64>,
    led_in: bool,
}

impl Scorer {
    /// Makes a scorer for one take.
    ///
    /// # Errors
    /// Returns [`QualityError::Settings`] for settings without a meaning, [`QualityError::Missing`] and
    /// [`QualityError::TooSmall`] if the metric cannot be used.
    pub fn new(settings: &ScorerSettings) -> Result<Self, QualityError> {
        if settings.stride == 0 {
            return Err(QualityError::Settings("a stride of 0"));
        }
        if settings.phase >= settings.stride {
            return Err(QualityError::Settings("a phase that is not below the stride"));
        }
        if settings.width == 0 || settings.height == 0 {
            return Err(QualityError::Settings("pictures without pixels"));
        }
        if !settings.format.is_planar() || settings.format.bit_depth() > 10 {
            return Err(QualityError::Settings("pictures that are not planar with 8 or 10 bits"));
        }
        if !(settings.frame_rate.is_finite() && settings.frame_rate > 0.0) {
            return Err(QualityError::Settings("a frame rate that is not above 0"));
        }
        Ok(Self { settings: *settings, engine: engine(settings)?, psnr_y: Vec::new(), led_in: false })
    }

    /// Takes the source picture that comes before the take, so that a temporal metric
    /// ([`MetricKind::is_temporal`](crate::MetricKind::is_temporal)) gives the first frame the score it has
    /// within the whole film. Without it, the take counts as a film of its own.
    ///
    /// # Errors
    /// Returns [`QualityError::Settings`] if it is not the first picture, [`QualityError::Mismatch`] if it
    /// differs from the settings.
    pub fn lead_in(&mut self, reference: &PixelBuffer) -> Result<(), QualityError> {
        if self.led_in || !self.psnr_y.is_empty() {
            return Err(QualityError::Settings("a lead-in that is not the first picture"));
        }
        self.check(reference, "neighbouring")?;
        self.led_in = true;
        self.engine.as_mut().map_or(Ok(()), |engine| engine.lead_in(reference))
    }

    /// Takes the next frame: its source picture and the picture to be scored.
    ///
    /// # Errors
    /// Returns [`QualityError::Mismatch`] if a picture differs from the settings, [`QualityError::Library`]
    /// if the metric fails.
    pub fn push(&mut self, reference: &PixelBuffer, picture: &PixelBuffer) -> Result<(), QualityError> {
        self.check(reference, "reference")?;
        self.check(picture, "scored")?;
        if let Some(engine) = &mut self.engine {
            engine.push(reference, picture, self.settings.samples(self.psnr_y.len()))?;
        }
        self.psnr_y.push(psnr::luma(reference, picture));
        Ok(())
    }

    /// Returns the scores that are certain already, of the frames from the first one on; empty for metrics
    /// that score only in the end.
    pub fn settled(&self) -> &[Option<f64>] {
        self.engine.as_deref().map_or(&[], Engine::settled)
    }

    /// Returns the scores of all frames.
    pub fn finish(self) -> Result<Scores, QualityError> {
        self.end(None)
    }

    /// Returns the scores of all frames like [`finish`](Self::finish), with the source picture that comes
    /// after the take: it does for the last frame what [`lead_in`](Self::lead_in) does for the first.
    pub fn finish_before(self, reference: &PixelBuffer) -> Result<Scores, QualityError> {
        self.check(reference, "neighbouring")?;
        self.end(Some(reference))
    }

    fn end(mut self, after: Option<&PixelBuffer>) -> Result<Scores, QualityError> {
        let (frames, motion) = match &mut self.engine {
            Some(engine) => (engine.finish(after)?, engine.motion()),
            None => (self.psnr_y.iter().copied().map(Some).collect(), Vec::new()),
        };
        Ok(Scores { metric: self.settings.metric, frames, psnr_y: self.psnr_y, motion })
    }

    fn check(&self, found: &PixelBuffer, which: &'static str) -> Result<(), QualityError> {
        let ScorerSettings { format, width, height, .. } = self.settings;
        if (found.format(), found.width(), found.height()) == (format, width, height) {
            return Ok(());
        }
        let name = |format: PixelFormat, width, height| format!("{format:?} {width}×{height}");
        Err(QualityError::Mismatch {
            frame: self.psnr_y.len() as u64,
            which,
            found: name(found.format(), found.width(), found.height()),
            expected: name(format, width, height),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MetricKind;
    use retake_media::ChromaSubsampling;

    #[test]
    fn settings_that_cannot_be_are_refused() {
        let good = ScorerSettings::new(MetricKind::Psnr, 64, 64, PixelFormat::I420, 25.0);
        assert!(Scorer::new(&good).is_ok());
        let bad = [
            ScorerSettings { stride: 0, ..good },
            ScorerSettings { stride: 3, phase: 3, ..good },
            ScorerSettings { width: 0, ..good },
            ScorerSettings { format: PixelFormat::Nv12, ..good },
            ScorerSettings { format: PixelFormat::P210, ..good },
            ScorerSettings { frame_rate: f64::NAN, ..good },
        ];
        for chroma in ChromaSubsampling::ALL {
            let format = PixelFormat::planar(chroma, 10).unwrap();
            assert!(Scorer::new(&ScorerSettings { format, ..good }).is_ok(), "{format:?}");
        }
        assert!(bad.iter().all(|settings| Scorer::new(settings).is_err()));
    }
}
