use retake_media::codes;
use thiserror::Error;

/// Encoders fail with this.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// The encoder does not have a setting, or does not take its value. The user must correct it.
    #[error("{encoder}: {setting}: {reason}")]
    Settings {
        /// The encoder's name.
        encoder: &'static str,
        /// The setting, as the user spelt it.
        setting: String,
        /// The reason why it is refused, and the right form.
        reason: String,
    },
    /// The library did not start.
    #[error("{encoder} could not be opened: {reason}")]
    Open {
        /// The encoder's name.
        encoder: &'static str,
        /// The error of the library.
        reason: String,
    },
    /// The library failed during an encode.
    #[error("{encoder} failed at frame {frame} of the take: {reason}")]
    Malfunction {
        /// The encoder's name.
        encoder: &'static str,
        /// Frames accepted so far in this encode.
        frame: u64,
        /// The error of the library.
        reason: String,
    },
}

impl EncoderError {
    /// Returns the stable number of the error (section 15 of the contract).
    pub const fn code(&self) -> i32 {
        match self {
            Self::Settings { .. } => codes::PARAMETER,
            Self::Open { .. } => codes::COULD_NOT_CREATE_INSTANCE,
            Self::Malfunction { .. } => codes::VIDEO_ENCODER_MALFUNCTION,
        }
    }
}
