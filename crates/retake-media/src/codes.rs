//! The stable numbers of errors (sections 12.1, 15 and 16.6 of the contract), which are those of the
//! original.

/// The original's name, what it means, and the constant.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal as $apple:literal;)*) => {
        $($(#[doc = $doc])+ #[doc(alias = $apple)] pub const $name: i32 = $code;)*
    };
}

codes! {
    /// The session, in this configuration, does not have the property.
    PROPERTY_NOT_SUPPORTED = -12900 as "kVTPropertyNotSupportedErr";
    /// The property is told and never set.
    PROPERTY_READ_ONLY = -12901 as "kVTPropertyReadOnlyErr";
    /// A wrong argument, or a call in the wrong state.
    PARAMETER = -12902 as "kVTParameterErr";
    /// The session was invalidated.
    INVALID_SESSION = -12903 as "kVTInvalidSessionErr";
    /// Memory, or a file in place of it, could not be had.
    ALLOCATION_FAILED = -12904 as "kVTAllocationFailedErr";
    /// Pictures cannot be converted so.
    PIXEL_TRANSFER_NOT_SUPPORTED = -12905 as "kVTPixelTransferNotSupportedErr";
    /// The encoder did not open.
    COULD_NOT_CREATE_INSTANCE = -12907 as "kVTCouldNotCreateInstanceErr";
    /// No encoder meets the specification.
    COULD_NOT_FIND_VIDEO_ENCODER = -12908 as "kVTCouldNotFindVideoEncoderErr";
    /// A library that judges pictures failed.
    VIDEO_DECODER_MALFUNCTION = -12911 as "kVTVideoDecoderMalfunctionErr";
    /// The encoder failed.
    VIDEO_ENCODER_MALFUNCTION = -12912 as "kVTVideoEncoderMalfunctionErr";
    /// Pictures cannot be rotated so.
    IMAGE_ROTATION_NOT_SUPPORTED = -12914 as "kVTImageRotationNotSupportedErr";
    /// The multi-pass storage is of another encoder or other settings, or in use.
    MULTI_PASS_STORAGE_IDENTIFIER_MISMATCH = -12213 as "kVTMultiPassStorageIdentifierMismatchErr";
    /// The multi-pass storage is closed, or is none.
    MULTI_PASS_STORAGE_INVALID = -12214 as "kVTMultiPassStorageInvalidErr";
    /// A decode time that a frame silo does not take.
    FRAME_SILO_INVALID_TIME_STAMP = -12215 as "kVTFrameSiloInvalidTimeStampErr";
    /// A time range that a frame silo does not take.
    FRAME_SILO_INVALID_TIME_RANGE = -12216 as "kVTFrameSiloInvalidTimeRangeErr";
    /// The session itself failed.
    SESSION_MALFUNCTION = -17691 as "kVTSessionMalfunctionErr";

    /// A picture's argument has no meaning.
    PICTURE_INVALID_ARGUMENT = -6661 as "kCVReturnInvalidArgument";
    /// There is no memory for a picture.
    PICTURE_ALLOCATION_FAILED = -6662 as "kCVReturnAllocationFailed";
    /// A pixel format that is none.
    INVALID_PIXEL_FORMAT = -6680 as "kCVReturnInvalidPixelFormat";
    /// A size that no picture has.
    INVALID_SIZE = -6681 as "kCVReturnInvalidSize";
    /// Attributes of pictures that contradict each other, or do not suffice.
    INVALID_PIXEL_BUFFER_ATTRIBUTES = -6682 as "kCVReturnInvalidPixelBufferAttributes";
    /// A pool has as many buffers as the request allows.
    WOULD_EXCEED_ALLOCATION_THRESHOLD = -6689 as "kCVReturnWouldExceedAllocationThreshold";
    /// Attributes of a pool that have no meaning.
    INVALID_POOL_ATTRIBUTES = -6691 as "kCVReturnInvalidPoolAttributes";

    /// A writer failed for a reason without a number of its own.
    WRITER_UNKNOWN = -11800 as "AVErrorUnknown";
    /// A writer had no memory.
    WRITER_OUT_OF_MEMORY = -11801 as "AVErrorOutOfMemory";
    /// The disk is full.
    DISK_FULL = -11807 as "AVErrorDiskFull";
    /// A source cannot be decoded.
    DECODE_FAILED = -11821 as "AVErrorDecodeFailed";
    /// There is a file at the output's place.
    FILE_ALREADY_EXISTS = -11823 as "AVErrorFileAlreadyExists";
    /// No encoder for what an input was set to.
    ENCODER_NOT_FOUND = -11834 as "AVErrorEncoderNotFound";
    /// It was stopped on the way.
    OPERATION_INTERRUPTED = -11847 as "AVErrorOperationInterrupted";
    /// The encoder refuses the settings of an input.
    UNSUPPORTED_OUTPUT_SETTINGS = -11861 as "AVErrorUnsupportedOutputSettings";
    /// A call that should not have been made.
    OPERATION_NOT_ALLOWED = -11862 as "AVErrorOperationNotAllowed";
    /// The container does not hold what an input brings.
    FORMAT_UNSUPPORTED = -11864 as "AVErrorFormatUnsupported";
    /// Options of a writer contradict each other.
    INCORRECTLY_CONFIGURED = -11875 as "AVErrorIncorrectlyConfigured";
    /// A segment would begin with a sample that is no sync sample.
    SEGMENT_STARTED_WITH_NON_SYNC_SAMPLE = -11876 as "AVErrorSegmentStartedWithNonSyncSample";
    /// The writer was cancelled.
    OPERATION_CANCELLED = -11878 as "AVErrorOperationCancelled";
    /// An input's encoder failed.
    ENCODE_FAILED = -11883 as "AVErrorEncodeFailed";
}
