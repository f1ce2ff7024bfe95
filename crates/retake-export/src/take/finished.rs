//! A take that is done: the one noun for it from here to the film.

use retake_compression::planner::Trial;
use retake_compression::take::{TakeDescription, TakeRecord};
use serde::{Deserialize, Serialize};

/// A take that is done, and safe in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FinishedTake {
    /// What was asked for, with the true end of its range.
    pub description: TakeDescription,
    /// How it came out.
    pub record: TakeRecord,
}

impl FinishedTake {
    /// What the planner has to know of it.
    pub(crate) fn trial(&self) -> Trial {
        Trial {
            quality: self.record.quality.unwrap_or(0.0),
            bytes: self.record.bytes,
            score: self.record.score,
        }
    }
}
