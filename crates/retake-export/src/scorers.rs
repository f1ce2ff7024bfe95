//! Scores of takes by the metrics of `retake-quality`: for the takes of an export, and for sessions of several passes.

use crate::prepare::STRIDE;
use retake_compression::encoder::EncoderSettings;
use retake_compression::scorer::{AnyScorer, Metric, Scorer as TakeScorer, Scorers};
use retake_compression::take::Score;
use retake_media::PixelBuffer;
use retake_quality::{MetricKind, Pool, QualityError, Scorer, ScorerSettings, available, default_metric};

/// A scorer for a take that is encoded with these settings, every how many frames one is scored.
pub(crate) fn open(
    settings: &EncoderSettings,
    metric: MetricKind,
    stride: u32,
) -> Result<Scorer, QualityError> {
    Scorer::new(&ScorerSettings {
        metric,
        width: settings.width,
        height: settings.height,
        format: settings.format,
        frame_rate: settings.frame_rate.to_f64(),
        stride,
        phase: 0,
        colour: settings.colour,
    })
}

/// The score of a whole take.
pub(crate) fn finish(scorer: Scorer, pool: Pool) -> Result<Score, QualityError> {
    let scores = scorer.finish()?;
    let estimate = scores.estimate(pool);
    Ok(Score {
        value: estimate.value,
        error: estimate.standard_error,
        psnr: scores.psnr_y.iter().sum::<f64>() / scores.psnr_y.len().max(1) as f64,
        ceiling: scores.ceiling(),
    })
}

/// The metrics of this build, for [`Registry::set_scorers`](retake_compression::encoder::Registry::set_scorers). They score every third frame, as
/// exports do.
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
        let scorer = metric.parse().and_then(|metric| open(settings, metric, STRIDE));
        Ok(Box::new(OfTake(scorer.map_err(|error| error.to_string())?)))
    }
}

struct OfTake(Scorer);

impl TakeScorer for OfTake {
    type Error = String;

    fn push(&mut self, source: &PixelBuffer, picture: &PixelBuffer) -> Result<(), String> {
        self.0.push(source, picture).map_err(|error| error.to_string())
    }

    fn finish(self: Box<Self>) -> Result<Score, String> {
        finish(self.0, Pool::Mean).map_err(|error| error.to_string())
    }
}
