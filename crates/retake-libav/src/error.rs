use crate::failure::Failure;
use std::io;
use std::path::{Path, PathBuf};

/// Whose fault a [`MediaError`] is: what a command turns into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The file is not what it should be: no film, damaged, empty, too large.
    BadInput,
    /// What was asked for cannot be done: an unknown container, a codec that it cannot hold, a missing decoder.
    Unsupported,
    /// The operating system could not read or write.
    Io,
    /// FFmpeg failed in a way that neither file nor system explains.
    Internal,
}

/// What can go wrong between a file and its frames.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The file cannot be opened.
    #[error("cannot open {}: {source}", .file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no bytes.
    #[error("{} is empty", .file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// FFmpeg does not recognise the file, or its head is damaged.
    #[error("{} is not a film that FFmpeg can read: {detail}", .file.display())]
    NotAFilm {
        /// The file.
        file: PathBuf,
        /// What FFmpeg said.
        detail: String,
    },
    /// The file holds no video.
    #[error("{} has no video track: it holds {tracks}", .file.display())]
    NoVideo {
        /// The file.
        file: PathBuf,
        /// What it holds instead, for people.
        tracks: String,
    },
    /// This FFmpeg has no decoder for the video.
    #[error("{}: this FFmpeg cannot decode {codec}: install one that can, or convert the film first", .file.display())]
    NoDecoder {
        /// The file.
        file: PathBuf,
        /// FFmpeg's name of the coding format.
        codec: String,
    },
    /// Not one frame could be decoded.
    #[error("{}: not one frame could be decoded: {detail}", .file.display())]
    NoFrames {
        /// The file.
        file: PathBuf,
        /// What FFmpeg said.
        detail: String,
    },
    /// The picture is larger than anything that is encoded.
    #[error("{}: pictures of {width}×{height} are larger than 16384×16384", .file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Luma samples a row.
        width: i64,
        /// Luma rows.
        height: i64,
    },
    /// Reading failed in the middle.
    #[error("cannot read {} on from byte {byte} (frame {frame}): {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The next frame that would have come.
        frame: u64,
        /// How far reading got.
        byte: i64,
        /// Why.
        source: io::Error,
    },
    /// A picture cannot be converted to the format that was asked for.
    #[error("{}: frame {frame} ({pixels}) cannot be converted: {detail}", .file.display())]
    Convert {
        /// The file.
        file: PathBuf,
        /// The frame.
        frame: u64,
        /// Its pixel format, in FFmpeg's words.
        pixels: String,
        /// What FFmpeg said.
        detail: String,
    },
    /// The source cannot be read from another place than where it is: a pipe.
    #[error("{} can only be read once, from the start: save it to a file first", .file.display())]
    NotSeekable {
        /// The file.
        file: PathBuf,
    },
    /// A frame is not the one that was there when the index was made.
    #[error("{}: frame {frame} is not the one that was there before: the file changed while it was used", .file.display())]
    SourceChanged {
        /// The file.
        file: PathBuf,
        /// The frame.
        frame: u64,
    },
    /// A range reaches beyond the index.
    #[error("{}: frames {start} to {end} were asked for, of {frames}", .file.display())]
    OutOfRange {
        /// The file.
        file: PathBuf,
        /// The first frame asked for.
        start: u64,
        /// The frame after the last.
        end: u64,
        /// The frames that there are.
        frames: u64,
    },
    /// The name of the output says no container that is known.
    #[error("{}: cannot tell the container by this name: end it in .mp4, .m4v, .mov, .mkv, .webm or .m3u8", .file.display())]
    UnknownContainer {
        /// The file.
        file: PathBuf,
    },
    /// The container cannot hold the video.
    #[error("{container} cannot hold {codec} video: {remedy}")]
    CannotHold {
        /// The container's name.
        container: &'static str,
        /// The codec.
        codec: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// Writing failed.
    #[error("cannot write {} on from byte {byte}: {source}", .file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// How much was written.
        byte: u64,
        /// Why.
        source: io::Error,
    },
    /// The container's writer refused.
    #[error("{}: {what}: {detail}", .file.display())]
    Mux {
        /// The file.
        file: PathBuf,
        /// What was being done.
        what: String,
        /// What FFmpeg said.
        detail: String,
    },
    /// Samples came without numeric times, or not in decode order.
    #[error("{}: sample {sample} has no usable times: {detail}", .file.display())]
    BadSample {
        /// The file being written.
        file: PathBuf,
        /// Number of the sample, in decode order.
        sample: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// Sound cannot be encoded: this FFmpeg has no such encoder, or it refuses what it was given.
    #[error("sound cannot be encoded by {codec}: {detail}")]
    Sound {
        /// FFmpeg's name of the encoder.
        codec: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// FFmpeg failed where it should not.
    #[error("{}: {what}: {detail}", .file.display())]
    Internal {
        /// The file.
        file: PathBuf,
        /// What was being done.
        what: &'static str,
        /// What FFmpeg said.
        detail: String,
    },
}

impl MediaError {
    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Empty { .. }
            | Self::NotAFilm { .. }
            | Self::NoVideo { .. }
            | Self::NoFrames { .. }
            | Self::TooLarge { .. }
            | Self::SourceChanged { .. } => ErrorKind::BadInput,
            Self::NoDecoder { .. }
            | Self::Convert { .. }
            | Self::NotSeekable { .. }
            | Self::UnknownContainer { .. }
            | Self::CannotHold { .. }
            | Self::Sound { .. } => ErrorKind::Unsupported,
            Self::Open { .. } | Self::Read { .. } | Self::Write { .. } => ErrorKind::Io,
            Self::OutOfRange { .. } | Self::Mux { .. } | Self::BadSample { .. } | Self::Internal { .. } => {
                ErrorKind::Internal
            }
        }
    }

    /// A failure to open `file`: by the system, or because of what it holds.
    pub(crate) fn open(file: &Path, failure: &Failure) -> Self {
        let file = file.to_path_buf();
        match failure.io() {
            Some(source) => Self::Open { file, source },
            None => Self::NotAFilm { file, detail: failure.message().to_owned() },
        }
    }

    pub(crate) fn internal(file: &Path, what: &'static str, failure: &Failure) -> Self {
        Self::Internal { file: file.to_path_buf(), what, detail: failure.message().to_owned() }
    }

    /// A failure to write `file` after `byte` bytes.
    pub(crate) fn write(file: &Path, byte: u64, what: &str, failure: &Failure) -> Self {
        let file = file.to_path_buf();
        match failure.io() {
            Some(source) => Self::Write { file, byte, source },
            None => Self::Mux { file, what: what.to_owned(), detail: failure.message().to_owned() },
        }
    }
}
