use crate::encoder::EncoderError;
use crate::property::PropertyError;
use crate::storage::StorageError;
use retake_media::TransferError;
use retake_media::codes;
use std::sync::Arc;
use thiserror::Error;

/// What can go wrong with a session.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A property was refused; nothing was changed. The caller's to mend.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// A call with a wrong argument, or in the wrong state; nothing was changed. The caller's to mend.
    #[error("{call}: {reason}")]
    Parameter {
        /// What was called.
        call: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The session was invalidated: create another one.
    #[error("the session was invalidated")]
    Invalidated,
    /// No encoder of this build is what the specification asks for.
    #[error("no encoder: {0}")]
    EncoderNotFound(String),
    /// A frame has another format or size than the encoder takes, and this session cannot convert it.
    #[error("a frame cannot be converted: {0}")]
    PixelTransferNotSupported(String),
    /// There is no memory for a picture.
    #[error("no memory: {0}")]
    AllocationFailed(String),
    /// A frame could not be converted for the encoder.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The encoder refused a setting, did not open, or failed during the encode. After a failure the session
    /// is of no further use: create another one.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The multi-pass storage cannot be used, or could not be written: its word is the source.
    #[error("{0}")]
    Storage(#[source] Arc<StorageError>),
    /// The session itself failed: its handler panicked, or an encoder broke its contract. Create another one,
    /// and report it.
    #[error("the session failed: {0}")]
    Malfunction(String),
}

impl SessionError {
    /// The stable number of the error.
    #[doc(alias(
        "kVTInvalidSessionErr",
        "kVTParameterErr",
        "kVTCouldNotFindVideoEncoderErr",
        "kVTAllocationFailedErr",
        "kVTPixelTransferNotSupportedErr",
        "kVTVideoEncoderMalfunctionErr",
        "kVTSessionMalfunctionErr"
    ))]
    pub fn code(&self) -> i32 {
        match self {
            Self::Property(error) => error.code(),
            Self::Parameter { .. } => codes::PARAMETER,
            Self::Invalidated => codes::INVALID_SESSION,
            Self::AllocationFailed(_) => codes::ALLOCATION_FAILED,
            Self::PixelTransferNotSupported(_) => codes::PIXEL_TRANSFER_NOT_SUPPORTED,
            Self::Transfer(error) => error.code(),
            Self::EncoderNotFound(_) => codes::COULD_NOT_FIND_VIDEO_ENCODER,
            Self::Encoder(error) => error.code(),
            Self::Storage(error) => error.code(),
            Self::Malfunction(_) => codes::SESSION_MALFUNCTION,
        }
    }

    pub(crate) fn parameter(call: &'static str, reason: impl Into<String>) -> Self {
        Self::Parameter { call, reason: reason.into() }
    }
}

impl From<StorageError> for SessionError {
    fn from(error: StorageError) -> Self {
        Self::Storage(Arc::new(error))
    }
}
