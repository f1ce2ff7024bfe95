//! What judges takes: the contract between sessions and metrics, which this crate does not know by name.

use crate::encoder::EncoderSettings;
use crate::take::Score;
use retake_media::PixelBuffer;
use std::sync::Arc;

/// A metric, as properties of sessions tell it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The name that selects it.
    pub name: &'static str,
    /// The best score there is.
    pub best: f64,
    /// The size of a difference that is worth talking about: the tolerance above a floor where nobody says
    /// otherwise.
    pub unit: f64,
}

/// The metrics of a build. Registered by [`Registry::set_scorers`](crate::encoder::Registry::set_scorers).
pub trait Scorers: Send + Sync {
    /// Its metrics, the default one first.
    fn metrics(&self) -> &[Metric];

    /// A scorer by one of the metrics for a take with these settings; of its scores the mean counts.
    ///
    /// # Errors
    /// A reason in words, where these pictures cannot be scored by it.
    fn open(&self, metric: &str, settings: &EncoderSettings) -> Result<AnyScorer, String>;
}

/// Scores the pictures of one take, or of one unit, against their source pictures.
pub trait Scorer: Send {
    /// Why pictures could not be scored.
    type Error: Send;

    /// Takes the next frame in presentation order: its source picture, and the picture that a decoder will
    /// see.
    ///
    /// # Errors
    /// The reason; the scorer is of no further use then.
    fn push(&mut self, source: &PixelBuffer, picture: &PixelBuffer) -> Result<(), Self::Error>;

    /// The score of everything that was pushed.
    ///
    /// # Errors
    /// As [`Scorer::push`].
    fn finish(self: Box<Self>) -> Result<Score, Self::Error>;
}

/// A scorer by any metric. Its errors are reasons in words, because this crate does not know the metrics.
pub type AnyScorer = Box<dyn Scorer<Error = String>>;

/// The metrics of a build, shared by all sessions.
pub type SharedScorers = Arc<dyn Scorers>;
