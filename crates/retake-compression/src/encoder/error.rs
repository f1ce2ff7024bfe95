use retake_media::codes;
use thiserror::Error;

/// What can go wrong between Retake and an encoder library.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// A setting that this encoder does not have, or a value it does not take. The user's to mend.
    #[error("{encoder}: {setting}: {reason}")]
    Settings {
        /// The encoder's name.
        encoder: &'static str,
        /// The setting, as the user spelt it.
        setting: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// The library would not start.
    #[error("{encoder} could not be opened: {reason}")]
    Open {
        /// The encoder's name.
        encoder: &'static str,
        /// What the library said.
        reason: String,
    },
    /// The library failed during an encode.
    #[error("{encoder} failed at frame {frame} of the take: {reason}")]
    Malfunction {
        /// The encoder's name.
        encoder: &'static str,
        /// Frames accepted so far in this encode.
        frame: u64,
        /// What the library said.
        reason: String,
    },
}

impl EncoderError {
    /// The stable number of the error (section 15 of the contract).
    pub const fn code(&self) -> i32 {
        match self {
            Self::Settings { .. } => codes::PARAMETER,
            Self::Open { .. } => codes::COULD_NOT_CREATE_INSTANCE,
            Self::Malfunction { .. } => codes::VIDEO_ENCODER_MALFUNCTION,
        }
    }
}
