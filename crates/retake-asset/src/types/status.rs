use std::fmt;

/// Where a writer is in its life. It is used once: the last three stay.
#[doc(alias = "AVAssetWriterStatus")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum WriterStatus {
    /// Being set up.
    Unknown = 0,
    /// Started; still so while it finishes.
    Writing = 1,
    /// The film is at its place.
    Completed = 2,
    /// Something went wrong; the writer's error says what. Nothing is at the output's place.
    Failed = 3,
    /// Cancelled. Nothing is at the output's place.
    Cancelled = 4,
}

impl WriterStatus {
    /// Whether nothing changes any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
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
