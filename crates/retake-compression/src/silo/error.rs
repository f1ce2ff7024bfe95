use retake_media::codes;
use retake_media::{Time, TimeRange};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Calls of a [`FrameSilo`](super::FrameSilo) fail with this. A failed call has changed nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SiloError {
    /// A decode time is not a number, not above the one added last, or outside the pass's ranges. The client
    /// must correct it.
    #[doc(alias = "kVTFrameSiloInvalidTimeStampErr")]
    #[error("a sample with decode time {key} cannot be added: {reason}")]
    TimeStamp {
        /// The decode time.
        key: Time,
        /// The reason why it is refused.
        reason: String,
    },
    /// Time ranges cannot be used. The client must correct them.
    #[doc(alias = "kVTFrameSiloInvalidTimeRangeErr")]
    #[error("time range {range} cannot be used: {reason}")]
    TimeRange {
        /// The first range that is wrong.
        range: TimeRange,
        /// The reason why it is refused, and the right form.
        reason: &'static str,
    },
    /// Progress has no measure, because neither this pass nor the silo has a numeric time range.
    #[doc(alias = "kVTFrameSiloInvalidTimeRangeErr")]
    #[error("progress needs a numeric time range, of this pass or of the silo from its creation")]
    NoTimeRange,
    /// A call makes no sense in this state. The client must correct it.
    #[doc(alias = "kVTParameterErr")]
    #[error("{0}")]
    Parameter(&'static str),
    /// A file exists at the silo's path already.
    #[error("{path}: {reason}")]
    Occupied {
        /// The path.
        path: PathBuf,
        /// The kind of the file, and the possible remedy.
        reason: &'static str,
    },
    /// The silo's file cannot be read or written, for example because the disk is full. The source is the
    /// error of the system.
    #[error("frame silo{}: {doing}: {source}", at(path))]
    File {
        /// The file, or `None` if it is a temporary one.
        path: Option<PathBuf>,
        /// The activity that failed.
        doing: &'static str,
        /// The error of the system.
        source: io::Error,
    },
}

fn at(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(String::new, |path| format!(" {}", path.display()))
}

impl SiloError {
    /// Returns the stable number of the error (section 15 of the contract).
    pub const fn code(&self) -> i32 {
        match self {
            Self::TimeStamp { .. } => codes::FRAME_SILO_INVALID_TIME_STAMP,
            Self::TimeRange { .. } | Self::NoTimeRange => codes::FRAME_SILO_INVALID_TIME_RANGE,
            Self::Parameter(_) | Self::Occupied { .. } => codes::PARAMETER,
            Self::File { .. } => codes::ALLOCATION_FAILED,
        }
    }
}
