//! Scores of takes by the metrics of `retake-quality`: for the takes of an export, and for sessions of
//! several passes.

use crate::clock::thread_cpu;
use retake_compression::encoder::EncoderSettings;
use retake_compression::scorer::{AnyScorer, Metric, Scorer as RunScorer, Scorers};
use retake_compression::take::Score;
use retake_media::PixelBuffer;
use retake_quality::{MetricKind, Pooling, QualityError, Scorer, ScorerSettings, available, default_metric};
use std::sync::{Arc, Mutex, PoisonError};

/// Every how many frames one is scored. Not 2 or 4, which would always meet the same kind of B frame, nor 5,
/// which meets the duplicated frames of converted film.
pub(crate) const STRIDE: u32 = 3;

/// Scores the pictures of one take, and counts the CPU time that this takes.
pub(crate) struct TakeScorer {
    scorer: Scorer,
    pool: Pooling,
    cpu: CpuMeter,
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

impl TakeScorer {
    /// A scorer for a take that is encoded with these settings, every how many frames one is scored.
    pub(crate) fn open(
        settings: &EncoderSettings,
        metric: MetricKind,
        pool: Pooling,
        stride: u32,
    ) -> Result<Self, QualityError> {
        let scorer = Scorer::new(&ScorerSettings {
            metric,
            width: settings.width,
            height: settings.height,
            format: settings.format,
            frame_rate: settings.frame_rate.to_f64(),
            stride,
            phase: 0,
            colour: settings.colour,
        })?;
        Ok(Self { scorer, pool, cpu: CpuMeter::default() })
    }

    /// The scores of the frames so far that no later frame changes any more; `None` for those that are not
    /// scored.
    pub(crate) fn settled(&self) -> &[Option<f64>] {
        self.scorer.settled()
    }

    /// What it costs.
    pub(crate) fn cpu(&self) -> CpuMeter {
        self.cpu.clone()
    }
}

impl RunScorer for TakeScorer {
    type Error = QualityError;

    fn push(&mut self, source: &PixelBuffer, picture: &PixelBuffer) -> Result<(), QualityError> {
        let Self { scorer, cpu, .. } = self;
        cpu.measure(|| scorer.push(source, picture))
    }

    fn finish(self: Box<Self>) -> Result<Score, QualityError> {
        let Self { scorer, pool, cpu } = *self;
        cpu.measure(|| {
            let scores = scorer.finish()?;
            let estimate = scores.estimate(pool);
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
            metric.parse().and_then(|metric| TakeScorer::open(settings, metric, Pooling::Mean, STRIDE));
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
