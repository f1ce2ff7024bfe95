use super::PropertyKey;
use retake_media::codes;
use thiserror::Error;

/// Why a property was not set or told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// This encoder, or this kind of session, does not have the property. The caller's to avoid: ask what is
    /// supported first.
    #[error("{encoder} does not have {name}: ask for its supported properties first")]
    NotSupported {
        /// The property, as the caller spelt it.
        name: String,
        /// The encoder.
        encoder: &'static str,
    },
    /// The property is told and never set.
    #[error("{0} is read-only")]
    ReadOnly(PropertyKey),
    /// The value is of the wrong type, out of range, in conflict with another, or comes too late. Nothing was
    /// changed.
    #[error("{key}: {reason}")]
    Parameter {
        /// The property.
        key: PropertyKey,
        /// What is wrong with the value, and what would be right.
        reason: String,
    },
}

impl PropertyError {
    /// The stable number of the error.
    #[doc(alias("kVTPropertyNotSupportedErr", "kVTPropertyReadOnlyErr", "kVTParameterErr"))]
    pub const fn code(&self) -> i32 {
        match self {
            Self::NotSupported { .. } => codes::PROPERTY_NOT_SUPPORTED,
            Self::ReadOnly(_) => codes::PROPERTY_READ_ONLY,
            Self::Parameter { .. } => codes::PARAMETER,
        }
    }

    pub(crate) fn parameter(key: PropertyKey, reason: impl Into<String>) -> Self {
        Self::Parameter { key, reason: reason.into() }
    }
}
