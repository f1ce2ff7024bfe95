//! The errors of pixel buffers and their pools.

use crate::PixelFormat;
use crate::codes;

/// States why there is no pixel buffer, or no pool. Nothing was changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PixelBufferError {
    /// An argument has no meaning, which is the caller's fault.
    #[error("a pixel buffer cannot be made so: {0}")]
    InvalidArgument(String),
    /// The system has no memory of this size; smaller pictures, or fewer at once, may help.
    #[error("there is no memory for a picture of {bytes} bytes")]
    AllocationFailed {
        /// The number of bytes that was required.
        bytes: usize,
    },
    /// The requirements name no format, or none that all sides accept; the caller must name one.
    #[error("no pixel format will do: {0}")]
    InvalidPixelFormat(String),
    /// A size is missing, zero, larger than 32768×32768, or the sides disagree on it.
    #[error("no size will do: {0}")]
    InvalidSize(String),
    /// Attributes contradict each other or have no meaning.
    #[error("pixel buffer attributes: {0}")]
    InvalidAttributes(String),
    /// All buffers that the threshold allows are in use; the caller must wait until one comes back.
    #[error(
        "{allocated} buffers are allocated, and no more than {threshold} are allowed: wait until one comes back"
    )]
    WouldExceedAllocationThreshold {
        /// The number of buffers of the pool, in use and idle.
        allocated: usize,
        /// The threshold of the request.
        threshold: usize,
    },
    /// The attributes of a pool have no meaning.
    #[error("pool attributes: {0}")]
    InvalidPoolAttributes(String),
}

impl PixelBufferError {
    /// Returns the stable number of the error.
    #[doc(alias = "CVReturn")]
    pub const fn code(&self) -> i32 {
        match self {
            Self::InvalidArgument(_) => codes::PICTURE_INVALID_ARGUMENT,
            Self::AllocationFailed { .. } => codes::PICTURE_ALLOCATION_FAILED,
            Self::InvalidPixelFormat(_) => codes::INVALID_PIXEL_FORMAT,
            Self::InvalidSize(_) => codes::INVALID_SIZE,
            Self::InvalidAttributes(_) => codes::INVALID_PIXEL_BUFFER_ATTRIBUTES,
            Self::WouldExceedAllocationThreshold { .. } => codes::WOULD_EXCEED_ALLOCATION_THRESHOLD,
            Self::InvalidPoolAttributes(_) => codes::INVALID_POOL_ATTRIBUTES,
        }
    }

    pub(crate) fn no_format() -> Self {
        let known: Vec<String> = PixelFormat::ALL.iter().map(|format| format!("{format:?}")).collect();
        Self::InvalidPixelFormat(format!("none is named; known are {}", known.join(", ")))
    }
}
