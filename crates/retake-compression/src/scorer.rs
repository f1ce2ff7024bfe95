//! This module is the contract between sessions and metrics. Scorers implement it, because this crate must
//! not know any metric by name.

use crate::encoder::EncoderSettings;
use crate::take::Score;
use retake_media::PixelBuffer;
use std::sync::Arc;

/// A metric describes itself to the properties of sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The name that selects it.
    pub name: &'static str,
    /// The best possible score.
    pub best: f64,
    /// The smallest difference that matters. It is the tolerance above a floor where the client sets none.
    pub unit: f64,
}

/// Scorers are the metrics of a build. [`Registry::set_scorers`](crate::encoder::Registry::set_scorers)
/// registers them.
pub trait Scorers: Send + Sync {
    /// Returns the metrics, the default one first.
    fn metrics(&self) -> &[Metric];

    /// Opens a scorer by one of the metrics for a take with these settings. The mean of its scores counts.
    ///
    /// # Errors
    /// Returns a reason in words where the metric cannot score such pictures.
    fn open(&self, metric: &str, settings: &EncoderSettings) -> Result<AnyScorer, String>;
}

/// Scores the pictures of one take, or of one unit, against their source pictures.
pub trait Scorer: Send {
    /// The reason why pictures could not be scored.
    type Error: Send;

    /// Takes the next frame in presentation order: its source picture, and the picture that a decoder will
    /// see.
    ///
    /// # Errors
    /// Returns the reason; the scorer must not be used any more then.
    fn push(&mut self, source: &PixelBuffer, picture: &PixelBuffer) -> Result<(), Self::Error>;

    /// Returns the score of all pushed frames.
    ///
    /// # Errors
    /// It fails as [`Scorer::push`] does.
    fn finish(self: Box<Self>) -> Result<Score, Self::Error>;
}

/// This is a scorer by any metric. Its errors are reasons in words, because this crate does not know the
/// metrics.
pub type AnyScorer = Box<dyn Scorer<Error = String>>;

/// The metrics of a build, shared by all sessions.
pub type SharedScorers = Arc<dyn Scorers>;
