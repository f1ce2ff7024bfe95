//! Scores of takes by the metrics of `retake-quality`: for the takes of an export, and for sessions of
//! several passes.

use crate::clock::thread_cpu;
use retake_compression::encoder::EncoderSettings;
use retake_compression::scorer::{AnyScorer, Metric, Scorer as RunScorer, Scorers};
use retake_compression::take::{FrameScores, Score};
use retake_libav::PictureTransfer;
use retake_media::{
    Attachment, Attachments, Colour, PixelBuffer, PixelBufferPool, PixelTransfer, TransferOptions,
};
use retake_quality::{MetricKind, Pooling, QualityError, Scorer, ScorerSettings, available, default_metric};
use std::sync::{Arc, Mutex, PoisonError};

/// Every how many frames one is scored. Not 2 or 4, which would always meet the same kind of B frame, nor 5,
/// which meets the duplicated frames of converted film.
pub(crate) const STRIDE: u32 = 3;

/// Scores the pictures of one take, and counts the CPU time that this takes.
pub(crate) struct TakeScorer {
    scorer: Scorer,
    settings: ScorerSettings,
    pool: Pooling,
    cpu: CpuMeter,
    frame_scores: FrameScoreMeter,
    resizer: Resizer,
    /// Sources and pictures of the frames so far, while none of them is scored. A take that ends like that is
    /// scored by all of them, because no take may be without a score.
    unscored: Option<Vec<(PixelBuffer, PixelBuffer)>>,
}

/// Brings pictures to the size at which they are scored: by bicubic interpolation of FFmpeg's scaler, in
/// exact arithmetic. It is what the authors of VMAF advise for pictures of several sizes, because their
/// models were trained on pictures that were scaled like that; a sharper one would score a film better than
/// most players show it.
pub(crate) struct Resizer {
    size: (u32, u32),
    colour: Colour,
    transfer: PictureTransfer,
    pool: Option<PixelBufferPool>,
}

impl Resizer {
    pub(crate) fn new(size: (u32, u32), colour: Colour) -> Self {
        Self { size, colour, transfer: PictureTransfer::new(), pool: None }
    }

    /// Returns a picture in the size; itself, if it has that.
    pub(crate) fn resized(&mut self, picture: &PixelBuffer) -> Result<PixelBuffer, QualityError> {
        let (width, height) = self.size;
        if (picture.width(), picture.height()) == self.size {
            return Ok(picture.clone());
        }
        let pool = self.pool.get_or_insert_with(|| PixelBufferPool::new(picture.format(), width, height));
        let mut scaled = pool.take();
        // With equal tags on both sides nothing but the size changes.
        let tags = Attachments::NONE.with(Attachment::Colour(self.colour));
        *scaled.attachments_mut() = tags.clone();
        let tagged = picture.clone().with_attachments(tags);
        let transferred = self.transfer.transfer(&tagged, &mut scaled, &TransferOptions::default());
        transferred.map_err(|error| QualityError::Scaling(error.to_string()))?;
        Ok(scaled.freeze())
    }
}

/// CPU seconds that a scorer has taken so far, also after it is gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct CpuMeter(Arc<Mutex<f64>>);

impl CpuMeter {
    pub(crate) fn seconds(&self) -> f64 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measure<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = thread_cpu();
        let done = work();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += thread_cpu() - began;
        done
    }
}

/// The scores of single frames of a take, once its scorer is gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct FrameScoreMeter(Arc<Mutex<Option<FrameScores>>>);

impl FrameScoreMeter {
    pub(crate) fn scores(&self) -> Option<FrameScores> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl TakeScorer {
    /// A scorer for a take that is encoded with these settings, every how many frames one is scored. Its
    /// sources have the given width and height, to which its pictures are scaled; where there are none, that
    /// of the settings.
    pub(crate) fn open(
        settings: &EncoderSettings,
        size: Option<(u32, u32)>,
        metric: MetricKind,
        pool: Pooling,
        stride: u32,
    ) -> Result<Self, QualityError> {
        let (width, height) = size.unwrap_or((settings.width, settings.height));
        let settings = ScorerSettings {
            metric,
            width,
            height,
            format: settings.format,
            frame_rate: settings.frame_rate.to_f64(),
            stride,
            phase: 0,
            colour: settings.colour,
        };
        Self::with(settings, pool)
    }

    fn with(settings: ScorerSettings, pool: Pooling) -> Result<Self, QualityError> {
        let scorer = Scorer::new(&settings)?;
        let (cpu, frame_scores) = (CpuMeter::default(), FrameScoreMeter::default());
        let resizer = Resizer::new((settings.width, settings.height), settings.colour);
        Ok(Self { scorer, settings, pool, cpu, frame_scores, resizer, unscored: Some(Vec::new()) })
    }

    /// The scores of the frames so far that no later frame changes any more; `None` for those that are not
    /// scored.
    pub(crate) fn settled(&self) -> &[Option<f64>] {
        self.scorer.settled()
    }

    /// Where the scores of single frames are when it has finished.
    pub(crate) fn frame_scores(&self) -> FrameScoreMeter {
        self.frame_scores.clone()
    }

    /// What it costs.
    pub(crate) fn cpu(&self) -> CpuMeter {
        self.cpu.clone()
    }
}

impl RunScorer for TakeScorer {
    type Error = QualityError;

    fn push(&mut self, source: &PixelBuffer, picture: &PixelBuffer) -> Result<(), QualityError> {
        let Self { scorer, settings, cpu, resizer, unscored, .. } = self;
        if let Some(frames) = unscored {
            // The first frame that is scored lies in the middle of a stride.
            match frames.len() < settings.stride as usize / 2 {
                true => frames.push((source.clone(), picture.clone())),
                false => *unscored = None,
            }
        }
        cpu.measure(|| scorer.push(source, &resizer.resized(picture)?))
    }

    fn finish(self: Box<Self>) -> Result<Score, QualityError> {
        let Self { mut scorer, settings, pool, cpu, frame_scores, mut resizer, unscored } = *self;
        cpu.measure(|| {
            if let Some(frames) = unscored {
                scorer = Scorer::new(&ScorerSettings { stride: 1, ..settings })?;
                for (source, picture) in &frames {
                    scorer.push(source, &resizer.resized(picture)?)?;
                }
            }
            let scores = scorer.finish()?;
            let estimate = scores.estimate(pool);
            *frame_scores.0.lock().unwrap_or_else(PoisonError::into_inner) = FrameScores::of(&scores.frames);
            Ok(Score {
                value: estimate.value,
                error: estimate.standard_error,
                psnr: scores.psnr_y.iter().sum::<f64>() / scores.psnr_y.len().max(1) as f64,
                ceiling: scores.ceiling(),
            })
        })
    }
}

/// The metrics of this build, for
/// [`Registry::set_scorers`](retake_compression::encoder::Registry::set_scorers). They score every third
/// frame, as exports do.
pub struct QualityScorers(Vec<Metric>);

impl QualityScorers {
    /// All of them, the default one first.
    pub fn new() -> Self {
        let mut kinds = available();
        kinds.sort_by_key(|kind| *kind != default_metric());
        let told = |kind: MetricKind| Metric { name: kind.name(), best: kind.best(), unit: kind.unit() };
        Self(kinds.into_iter().map(told).collect())
    }
}

impl Default for QualityScorers {
    fn default() -> Self {
        Self::new()
    }
}

impl Scorers for QualityScorers {
    fn metrics(&self) -> &[Metric] {
        &self.0
    }

    fn open(&self, metric: &str, settings: &EncoderSettings) -> Result<AnyScorer, String> {
        let scorer =
            metric.parse().and_then(|metric| TakeScorer::open(settings, None, metric, Pooling::Mean, STRIDE));
        Ok(Box::new(InWords(scorer.map_err(|error| error.to_string())?)))
    }
}

/// A scorer whose errors are reasons in words, as sessions want them.
struct InWords(TakeScorer);

impl RunScorer for InWords {
    type Error = String;

    fn push(&mut self, source: &PixelBuffer, picture: &PixelBuffer) -> Result<(), String> {
        self.0.push(source, picture).map_err(|error| error.to_string())
    }

    fn finish(self: Box<Self>) -> Result<Score, String> {
        Box::new(self.0).finish().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::PixelFormat;

    /// A ramp that moves, with `noise` on every fourth sample.
    fn picture(frame: usize, noise: u8) -> PixelBuffer {
        let mut buffer = PixelBufferPool::new(PixelFormat::I420, 64, 48).take();
        for plane in 0..3 {
            for (place, sample) in buffer.plane_mut(plane).iter_mut().enumerate() {
                let value = ((place + 7 * frame) % 200) as u8;
                *sample = value + if place % 4 == 0 { noise } else { 0 };
            }
        }
        buffer.freeze()
    }

    /// A take that ends before the first frame of its sample has the score of all its frames.
    #[test]
    fn no_take_is_without_a_score() {
        for metric in available() {
            for (stride, frames) in (1..=5).flat_map(|stride| (1..=4).map(move |frames| (stride, frames))) {
                let score = |stride| {
                    let whole = ScorerSettings::new(metric, 64, 48, PixelFormat::I420, 25.0);
                    let scorer = TakeScorer::with(ScorerSettings { stride, ..whole }, Pooling::Mean);
                    let mut scorer = Box::new(scorer.unwrap());
                    for frame in 0..frames {
                        scorer.push(&picture(frame as usize, 0), &picture(frame as usize, 9)).unwrap();
                    }
                    scorer.finish().unwrap()
                };
                let (sampled, whole) = (score(stride), score(1));
                let case = format!("{metric:?}: {frames} frames, every {stride} scored");
                assert!(sampled.value.is_finite() && sampled.error.is_finite(), "{case}");
                if frames <= stride / 2 {
                    assert_eq!(sampled, whole, "{case}");
                }
            }
        }
    }
}
