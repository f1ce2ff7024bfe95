use crate::PixelFormat;

/// Why there is no pixel buffer, or no pool. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PixelBufferError {
    /// An argument has no meaning. The caller's fault.
    #[error("a pixel buffer cannot be made so: {0}")]
    InvalidArgument(String),
    /// The system has no memory of this size: use smaller pictures, or fewer at once.
    #[error("there is no memory for a picture of {bytes} bytes")]
    AllocationFailed {
        /// What was asked for.
        bytes: usize,
    },
    /// There is no format in what is asked for, or none that all sides agree on: name one.
    #[error("no pixel format will do: {0}")]
    InvalidPixelFormat(String),
    /// A size is missing, zero, larger than 32768×32768, or not agreed on.
    #[error("no size will do: {0}")]
    InvalidSize(String),
    /// Attributes contradict each other or have no meaning.
    #[error("pixel buffer attributes: {0}")]
    InvalidAttributes(String),
    /// All buffers that the threshold allows are in use: wait until one comes back.
    #[error(
        "{allocated} buffers are allocated, and no more than {threshold} are allowed: wait until one comes back"
    )]
    WouldExceedAllocationThreshold {
        /// Buffers of the pool, in use and idle.
        allocated: usize,
        /// What the request allows.
        threshold: usize,
    },
    /// The attributes of a pool have no meaning.
    #[error("pool attributes: {0}")]
    InvalidPoolAttributes(String),
}

impl PixelBufferError {
    /// The stable number of the error.
    #[doc(alias = "CVReturn")]
    pub const fn code(&self) -> i32 {
        match self {
            Self::InvalidArgument(_) => -6661,
            Self::AllocationFailed { .. } => -6662,
            Self::InvalidPixelFormat(_) => -6680,
            Self::InvalidSize(_) => -6681,
            Self::InvalidAttributes(_) => -6682,
            Self::WouldExceedAllocationThreshold { .. } => -6689,
            Self::InvalidPoolAttributes(_) => -6691,
        }
    }

    pub(crate) fn no_format() -> Self {
        let known: Vec<String> = PixelFormat::ALL.iter().map(|format| format!("{format:?}")).collect();
        Self::InvalidPixelFormat(format!("none is named; known are {}", known.join(", ")))
    }
}
