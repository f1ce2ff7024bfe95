//! This module defines the status of a writer.

use std::fmt;

/// A writer is in one of these stages. It is used once, so the last three are final.
#[doc(alias = "AVAssetWriterStatus")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum WriterStatus {
    /// The writer is being set up.
    Unknown = 0,
    /// The writer was started; it stays so while it finishes.
    Writing = 1,
    /// The film is at its place.
    Completed = 2,
    /// The writer failed; its error tells why. No file of it is at the output's place.
    Failed = 3,
    /// The writer was cancelled. No file of it is at the output's place.
    Cancelled = 4,
}

impl fmt::Display for WriterStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "not started",
            Self::Writing => "writing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}
