//! What tests of several modules need.

use crate::event::{Outcome, StopReason, Summary};
use retake_compression::encoder::EncoderFactory;
use std::path::Path;
use std::sync::Arc;

/// A summary of nothing in particular.
pub(crate) fn summary_of(film: &Path) -> Summary {
    Summary {
        output: film.to_owned(),
        frames: 1,
        seconds: 1.0,
        file_bytes: 8,
        video_bytes: 4,
        outcome: Outcome::Satisfied,
        missed: Vec::new(),
        stopped_because: StopReason::Satisfied,
        passes: Vec::new(),
        quality: None,
        cpu_seconds: 0.1,
        wall_seconds: 0.2,
        notes: Vec::new(),
    }
}
