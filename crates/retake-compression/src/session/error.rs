use crate::encoder::EncoderError;
use crate::property::PropertyError;
use crate::storage::StorageError;
use retake_media::codes;
use retake_media::{ChromaSubsampling, Time, TransferError};
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
        /// What is wrong.
        reason: SessionMistake,
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

/// What is wrong with a call of a session. The session is as it was before the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SessionMistake {
    /// The session's own handler made a call that waits for the handler.
    #[error("a handler cannot make a call that waits for itself")]
    FromHandler,
    /// A session is built without anybody who takes its outcomes.
    #[error("nobody takes the outcomes: give on_output, build_pull, or build_per_frame")]
    NoOutput,
    /// The outcomes of a session are taken twice: a session that is pulled, or whose frames bring a handler
    /// each, is built with one for all frames; or a frame brings one where the session has one.
    #[error("the session's own handler, or whoever pulls it, takes the outcomes already")]
    SecondOutput,
    /// No picture has such a size.
    #[error("{width}×{height} is not between 1×1 and 16384×16384")]
    Dimensions {
        /// The width that was asked for.
        width: u32,
        /// The height that was asked for.
        height: u32,
    },
    /// The encoder has no pictures of the depth and the chroma that were asked for.
    #[error("{encoder} has no samples of {depth} bits with {chroma} chroma")]
    BitDepth {
        /// The name of the encoder.
        encoder: &'static str,
        /// The bits of a sample.
        depth: u32,
        /// The subsampling of chroma.
        chroma: ChromaSubsampling,
    },
    /// The time of a frame is not numeric.
    #[error("the time {0} is not numeric")]
    Time(Time),
    /// The time of a frame is not after that of the frame before.
    #[error("the time {pts} is not after {last}: send frames in presentation order")]
    Order {
        /// The time of the frame.
        pts: Time,
        /// The time of the frame before.
        last: Time,
    },
    /// The duration of a frame is valid, but negative or not numeric.
    #[error("the duration {0} is neither invalid nor numeric and positive")]
    Duration(Time),
    /// A frame brings a quantizer, and the encoder takes none.
    #[error("{encoder} takes no quantizers of frames")]
    QuantizerUnsupported {
        /// The name of the encoder.
        encoder: &'static str,
    },
    /// A frame brings a quantizer that the encoder does not have.
    #[error("the quantizer {qp} is not between {least} and {most}")]
    QuantizerRange {
        /// The quantizer.
        qp: u32,
        /// The smallest that the encoder has.
        least: u32,
        /// The greatest that the encoder has.
        most: u32,
    },
    /// Some frames bring a quantizer, and others do not.
    #[error("either all frames bring a quantizer or none does")]
    QuantizerMissing,
    /// A frame of several passes brings a quantizer.
    #[error("frames of several passes bring no quantizers of their own")]
    QuantizerInPasses,
    /// A frame speaks of long-term references, and there are none.
    #[error("long-term references were not enabled: set EnableLTR before")]
    LongTermDisabled,
    /// The session has no multi-pass storage.
    #[error("the session has no multi-pass storage: set one first")]
    NoStorage,
    /// Two threads begin or end passes of one session at once.
    #[error("another thread begins or ends a pass")]
    PassInUse,
    /// No pass is open.
    #[error("no pass is open: begin one first")]
    NoPass,
    /// A pass is open.
    #[error("a pass is open: end it first")]
    PassOpen,
    /// The last pass was made.
    #[error("the last pass was made: create another session")]
    PassesOver,
    /// The last pass did not ask for another one.
    #[error("the last pass did not ask for another one")]
    NoNextPass,
    /// Sessions of other parts have not ended their pass, or nothing is asked of this part in the pass that
    /// they make.
    #[error("the plan that others have a part in does not ask for a pass: ask next_pass again")]
    Undecided,
    /// A plan is to be shared after passes have begun.
    #[error("passes have begun: share a plan before")]
    PassesBegun,
    /// A plan has fewer parts.
    #[error("there is no part {part} in a plan of {parts} parts, which are counted from 0")]
    NoSuchPart {
        /// The part that was named.
        part: usize,
        /// How many there are.
        parts: usize,
    },
    /// Another session has taken over the part.
    #[error("another session has taken over part {part} of the plan")]
    PartTaken {
        /// The part.
        part: usize,
    },
    /// Sessions that share a plan have other goals than each other: encoder, size, rates, limits, quality, or
    /// options of passes.
    #[error("the goal of part {part} differs from that of others which share its plan")]
    OtherGoal {
        /// The part.
        part: usize,
    },
    /// A later pass gets a frame that the first one did not.
    #[error("there was no frame at {0} in the first pass")]
    UnknownFrame(Time),
    /// A later pass gets a frame with another picture, another duration or other options than the first one
    /// did.
    #[error("the frame at {0} is not the one of the first pass: its picture, duration or options differ")]
    OtherFrame(Time),
    /// A later pass gets a frame that it did not ask for.
    #[error("the frame at {0} is in none of the time ranges of this pass")]
    OutsideRanges(Time),
    /// A pass ends without a frame that it asked for.
    #[error("the frame at {0} is missing: all frames of the ranges have to come")]
    MissingFrame(Time),
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

    pub(crate) fn parameter(call: &'static str, reason: SessionMistake) -> Self {
        Self::Parameter { call, reason }
    }
}

impl From<StorageError> for SessionError {
    fn from(error: StorageError) -> Self {
        Self::Storage(Arc::new(error))
    }
}
