//! This module defines the errors of a writer: mistakes of its caller, which change nothing, and failures,
//! which end it.

use super::status::WriterStatus;
use crate::output::OutputError;
use retake_libav::MediaError;
use retake_media::Time;
use retake_media::codes;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The program made a wrong call; in the original, it is an exception. The error never changes the status of
/// a writer, and the called object is unchanged (AW-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {mistake}")]
pub struct UsageError {
    /// The call.
    pub call: &'static str,
    /// The mistake, and the right form.
    pub mistake: Mistake,
}

impl UsageError {
    /// Returns the stable number of the whole class: operation not allowed.
    #[doc(alias = "AVErrorOperationNotAllowed")]
    pub const fn code(&self) -> i32 {
        codes::OPERATION_NOT_ALLOWED
    }
}

/// A call can be wrong in one of these ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mistake {
    /// The writer is in another status.
    #[error("the writer is {is}, and this needs it {wants}")]
    Status {
        /// The status of the writer.
        is: WriterStatus,
        /// The status that the call needs.
        wants: &'static str,
    },
    /// The writer is finishing.
    #[error("the writer is finishing already: nothing can be added any more")]
    Finishing,
    /// No session was started.
    #[error("there is no session: call start_session first")]
    NoSession,
    /// A session was started before.
    #[error("a session was started already: a writer has one")]
    SecondSession,
    /// The session has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// A time is not a number, or lies where it must not.
    #[error("the time {0} is not a number, or lies where it cannot")]
    BadTime(Time),
    /// A property cannot have this value.
    #[error("{0}")]
    BadValue(&'static str),
    /// The input belongs to no writer.
    #[error("the input is not attached to a writer: add it first")]
    NotAttached,
    /// The input belongs to a writer already.
    #[error("the input is attached to a writer already")]
    Attached,
    /// The writer cannot take such an input.
    #[error("the writer cannot take this input: {0}")]
    CannotAdd(&'static str),
    /// The input was marked as finished.
    #[error("the input is marked as finished")]
    InputFinished,
    /// Samples were asked for already, or somebody responds to passes already.
    #[error(
        "it was called already: media data is requested once an input, or a pass of it, and passes have one respondent"
    )]
    SecondRequest,
    /// The input has an adaptor or a receiver already.
    #[error("the input has an adaptor or a receiver already: each has one")]
    Adapted,
    /// The input takes another kind of media: samples, pictures, or the kind that its adaptor takes.
    #[error("the input takes {0}")]
    WrongMedia(&'static str),
    /// The input is between passes, or has ended them.
    #[error("the input is between passes, or done with all")]
    NoPass,
    /// The sample lies outside the ranges of this pass.
    #[error("the time {0} lies outside of the ranges of this pass")]
    OutsidePass(Time),
    /// In the first pass there was no picture at this time, or one of another size or pixel format.
    #[error("the frame at {0} is not one of the first pass: later passes bring the same frames again")]
    NotTheSame(Time),
    /// A picture of the ranges of this pass was left out. It can still be appended. Without it, the input can
    /// only be marked as finished, which keeps the earlier samples.
    #[error("the frame at {0} is missing: all frames of the ranges have to come")]
    FrameMissing(Time),
    /// Segments end by themselves, or there are none.
    #[error("segments are ended by the client only with a delegate and an indefinite interval")]
    NotByClient,
    /// Sound has a gap.
    #[error("sound goes on at {0}, and nowhere else: append silence where there is none")]
    SoundGap(Time),
    /// Times must ascend.
    #[error("the time {0} is not after the one before")]
    TimeGoesBack(Time),
    /// What was appended before still holds at this time, and the track has one such thing at a time.
    #[error("the time {0} is before the end of what came before")]
    Overlaps(Time),
}

impl Mistake {
    pub(crate) const PICTURES: Self = Self::WrongMedia("pictures, by its adaptor or receiver");
    pub(crate) const SAMPLES: Self = Self::WrongMedia("samples: it encodes nothing");
    pub(crate) const SOUND: Self = Self::WrongMedia("uncompressed sound, by append_sound or its receiver");
    pub(crate) const CAPTIONS: Self = Self::WrongMedia("captions, by their adaptor or receiver");
    pub(crate) const METADATA: Self = Self::WrongMedia("groups of metadata, by their adaptor or receiver");
    pub(crate) const RECEIVER: Self = Self::WrongMedia("what its receiver appends, and nothing else");
}

/// The reason why a film cannot be written. The writer's status is failed, and this is its error.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WriterError {
    /// A file exists already at the place of the output.
    #[error("{} is there already: choose another name, or remove it", .file.display())]
    FileExists {
        /// The file.
        file: PathBuf,
    },
    /// The system cannot create or write a file.
    #[error("cannot write {}: {source}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The error of the system.
        source: Arc<io::Error>,
    },
    /// The container's writer failed.
    #[error(transparent)]
    Media(Arc<MediaError>),
    /// Properties contradict each other.
    #[error("the writer is not configured in a way that can work: {0}")]
    Misconfigured(&'static str),
    /// The writer was told to finish, and no session was started.
    #[error("there is nothing to write: no session was started before the end")]
    NoSession,
    /// A sample cannot be stored.
    #[error("sample {sample} of input {input} cannot be stored: {detail}")]
    BadSample {
        /// The number of the input, in the order of addition.
        input: usize,
        /// The number of the sample, from 0.
        sample: u64,
        /// The reason.
        detail: &'static str,
    },
    /// A segment would start with a sample that decoding cannot start at.
    #[error(
        "the segment after {time} starts with a sample that is no sync sample: append a sync sample after flush_segment"
    )]
    NoSyncAtSegmentStart {
        /// The time of the sample.
        time: Time,
    },
    /// No encoder fits the settings.
    #[error("no encoder: {0}")]
    NoEncoder(String),
    /// An encoder failed.
    #[error("encoding failed: {detail}")]
    EncodeFailed {
        /// The session's own code.
        code: i32,
        /// The text of its error.
        detail: String,
    },
    /// The encoder refuses the settings.
    #[error("these settings cannot be encoded with: {0}")]
    BadSettings(String),
    /// Code of the client panicked: a delegate, or an encoder.
    #[error("{0} panicked")]
    Panicked(&'static str),
    /// The writer was cancelled.
    #[error("writing was cancelled")]
    Cancelled,
}

impl WriterError {
    /// Returns the stable number, as in the original.
    #[doc(alias = "AVError")]
    pub fn code(&self) -> i32 {
        match self {
            Self::FileExists { .. } => codes::FILE_ALREADY_EXISTS,
            Self::Io { source, .. } => io_code(source),
            Self::Media(error) => match &**error {
                MediaError::Write { source, .. } => io_code(source),
                MediaError::CannotHold { .. } => codes::FORMAT_UNSUPPORTED,
                _ => codes::WRITER_UNKNOWN,
            },
            Self::Misconfigured(_) => codes::INCORRECTLY_CONFIGURED,
            Self::NoSession | Self::BadSample { .. } | Self::Panicked(_) => codes::WRITER_UNKNOWN,
            Self::NoSyncAtSegmentStart { .. } => codes::SEGMENT_STARTED_WITH_NON_SYNC_SAMPLE,
            Self::NoEncoder(_) => codes::ENCODER_NOT_FOUND,
            Self::EncodeFailed { .. } => codes::ENCODE_FAILED,
            Self::BadSettings(_) => codes::UNSUPPORTED_OUTPUT_SETTINGS,
            Self::Cancelled => codes::OPERATION_CANCELLED,
        }
    }

    pub(crate) fn io(file: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        |source| Self::Io { file, source: Arc::new(source) }
    }
}

impl From<OutputError> for WriterError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Exists { path } | OutputError::NotReplaceable { path } => {
                Self::FileExists { file: path }
            }
            OutputError::Io { path, source, .. } => Self::Io { file: path, source },
        }
    }
}

impl From<MediaError> for WriterError {
    fn from(error: MediaError) -> Self {
        Self::Media(Arc::new(error))
    }
}

fn io_code(error: &io::Error) -> i32 {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => codes::DISK_FULL,
        io::ErrorKind::OutOfMemory => codes::WRITER_OUT_OF_MEMORY,
        _ => codes::WRITER_UNKNOWN,
    }
}

/// An error of a call that can be wrong, or fail.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The call was wrong. It changed nothing.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The call was right, and failed: the status is failed with the same error.
    #[error(transparent)]
    Failed(#[from] WriterError),
}

/// The reason why media was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError<T> {
    /// The input is not ready, and the media is returned. The client must wait until it is ready or, when
    /// live, drop the media.
    #[error("the input is not ready for more media data")]
    NotReady(Box<T>),
    /// The call was wrong. It changed nothing.
    #[error(transparent)]
    Usage(UsageError),
    /// The writer has failed.
    #[error(transparent)]
    Failed(WriterError),
}

impl<T> AppendError<T> {
    pub(crate) fn usage(call: &'static str, mistake: Mistake) -> Self {
        Self::Usage(UsageError { call, mistake })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 16.6: these are the numbers that clients compare.
    #[test]
    fn numbers_are_stable() {
        let io = |kind: io::ErrorKind| WriterError::io("a.mp4")(kind.into());
        let cannot_hold = MediaError::CannotHold { container: "webm", codec: "H264".into(), remedy: "" };
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let full = MediaError::Write { file: "a.mp4".into(), byte: 7, source: full };
        for (error, code) in [
            (io(io::ErrorKind::PermissionDenied), -11800),
            (io(io::ErrorKind::OutOfMemory), -11801),
            (io(io::ErrorKind::StorageFull), -11807),
            (full.into(), -11807),
            (cannot_hold.into(), -11864),
            (WriterError::FileExists { file: "a.mp4".into() }, -11823),
            (WriterError::NoEncoder("none".into()), -11834),
            (WriterError::BadSettings("none".into()), -11861),
            (WriterError::Misconfigured("so"), -11875),
            (WriterError::NoSyncAtSegmentStart { time: Time::ZERO }, -11876),
            (WriterError::Cancelled, -11878),
            (WriterError::EncodeFailed { code: -12912, detail: "so".into() }, -11883),
            (WriterError::NoSession, -11800),
        ] {
            assert_eq!(error.code(), code, "{error}");
        }
        assert_eq!(UsageError { call: "add", mistake: Mistake::Attached }.code(), -11862);
    }
}
