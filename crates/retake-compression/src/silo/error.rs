use retake_media::codes;
use retake_media::{Time, TimeRange};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What can go wrong with a [`FrameSilo`](super::FrameSilo). A call that fails has changed nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SiloError {
    /// A decode time that this pass cannot take: not a number, not above the one added last, or outside the
    /// pass's ranges. The client's to mend.
    #[doc(alias = "kVTFrameSiloInvalidTimeStampErr")]
    #[error("a sample with decode time {key} cannot be added: {reason}")]
    TimeStamp {
        /// The decode time.
        key: Time,
        /// What is wrong with it.
        reason: String,
    },
    /// Time ranges that cannot be worked with. The client's to mend.
    #[doc(alias = "kVTFrameSiloInvalidTimeRangeErr")]
    #[error("time range {range} cannot be used: {reason}")]
    TimeRange {
        /// The first range that is wrong.
        range: TimeRange,
        /// What is wrong with it, and what would be right.
        reason: &'static str,
    },
    /// A call that makes no sense now. The client's to mend.
    #[doc(alias = "kVTParameterErr")]
    #[error("{0}")]
    Parameter(&'static str),
    /// There is a file at the silo's path already.
    #[error("{path}: {reason}")]
    Occupied {
        /// The path.
        path: PathBuf,
        /// What is there, and what can be done.
        reason: &'static str,
    },
    /// The silo's file cannot be read or written: a full disk, for one. The system's word is the source.
    #[error("frame silo{}: {doing}: {source}", at(path))]
    File {
        /// The file; none for a temporary one.
        path: Option<PathBuf>,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn at(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(String::new, |path| format!(" {}", path.display()))
}

impl SiloError {
    /// The stable number of the error (section 15 of the contract).
    pub const fn code(&self) -> i32 {
        match self {
            Self::TimeStamp { .. } => codes::FRAME_SILO_INVALID_TIME_STAMP,
            Self::TimeRange { .. } => codes::FRAME_SILO_INVALID_TIME_RANGE,
            Self::Parameter(_) | Self::Occupied { .. } => codes::PARAMETER,
            Self::File { .. } => codes::ALLOCATION_FAILED,
        }
    }
}
