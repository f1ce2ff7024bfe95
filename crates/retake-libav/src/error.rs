//! The errors of films, each with the file, its cause, and whose fault it is.

use crate::failure::{Failure, Refusal};
use crate::filters::FilterError;
use crate::window::FilmRange;
use std::io;
use std::path::{Path, PathBuf};

/// States whose fault a [`MediaError`] is. A command turns it into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The file is at fault: it is no film, damaged, empty or too large.
    BadInput,
    /// The request cannot be met: the container is unknown, cannot hold the codec, or a decoder is missing.
    Unsupported,
    /// The operating system could not read or write.
    Io,
    /// FFmpeg failed in a way that neither file nor system explains.
    Internal,
}

/// States why a film could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The file cannot be opened.
    #[error("cannot open {}: {source}", .file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// The error of the operating system.
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
        /// The message of FFmpeg.
        detail: String,
    },
    /// The file is a list that names other files, and it is not allowed to open those.
    #[error("{} is a list that names other files ({format}), and only the film itself may be opened", .file.display())]
    References {
        /// The file.
        file: PathBuf,
        /// FFmpeg's name of the kind of list.
        format: String,
    },
    /// The file is a playlist without an end.
    #[error("{}: this playlist ({format}) has no end: it belongs to a live stream, or was cut off", .file.display())]
    Endless {
        /// The file.
        file: PathBuf,
        /// FFmpeg's name of the kind of list.
        format: String,
    },
    /// Whoever waited for the film wanted no more.
    #[error("{}: reading was stopped", .file.display())]
    Interrupted {
        /// The file.
        file: PathBuf,
    },
    /// The samples are encrypted, and no key is known.
    #[error("{} is encrypted (protected by a key): only a copy without protection can be read", .file.display())]
    Encrypted {
        /// The file.
        file: PathBuf,
    },
    /// The description of the video is damaged, so that its decoder refuses it.
    #[error("{}: the video cannot be decoded, its description is damaged: {detail}", .file.display())]
    Undecodable {
        /// The file.
        file: PathBuf,
        /// The message of FFmpeg.
        detail: String,
    },
    /// The file holds no video.
    #[error("{} has no video track: it holds {tracks}", .file.display())]
    NoVideo {
        /// The file.
        file: PathBuf,
        /// The tracks that it holds instead, for people.
        tracks: String,
    },
    /// The file has no such video.
    #[error("{}: there is no video track {number}: it has {tracks}", .file.display())]
    NoSuchVideo {
        /// The file.
        file: PathBuf,
        /// The number that was asked for.
        number: u32,
        /// The tracks of video that it has, for people.
        tracks: String,
    },
    /// A file that was to be one of subtitles is none.
    #[error("{} is no file of subtitles (SubRip, ASS or WebVTT): it holds {holds}", .file.display())]
    NotSubtitles {
        /// The file.
        file: PathBuf,
        /// What it holds instead, for people.
        holds: String,
    },
    /// A file that was to be one of sound holds none.
    #[error("{} has no sound: it holds {holds}", .file.display())]
    NoSound {
        /// The file.
        file: PathBuf,
        /// What it holds instead, for people.
        holds: String,
    },
    /// The letters of a text are not known.
    #[error("{}: line {line} is not UTF-8: convert the file first, as `iconv -f WINDOWS-1252 -t UTF-8` does", .file.display())]
    Encoding {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file that was to be a cover is none.
    #[error("{} is no picture that can be a cover: JPEG or PNG", .file.display())]
    NotACover {
        /// The file.
        file: PathBuf,
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
        /// The message of FFmpeg.
        detail: String,
    },
    /// No frame lies in the range that the film was to be cut to.
    #[error("{}: no frame lies in the range {range}: the film is {seconds:.3} s long", .file.display())]
    NoFramesInRange {
        /// The file.
        file: PathBuf,
        /// The range that was asked for.
        range: FilmRange,
        /// The length of the film's pictures, in seconds.
        seconds: f64,
    },
    /// The picture is larger than any encoder takes.
    #[error("{}: pictures of {width}×{height} are larger than 16384×16384", .file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The luma samples a row.
        width: i64,
        /// The luma rows.
        height: i64,
    },
    /// Reading failed in the middle.
    #[error("cannot read {} on from byte {byte} (frame {frame}): {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The number of the frame that would have come next.
        frame: u64,
        /// The byte that reading had reached.
        byte: i64,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A picture cannot be converted to the requested format.
    #[error("{}: frame {frame} ({pixels}) cannot be converted: {detail}", .file.display())]
    Convert {
        /// The file.
        file: PathBuf,
        /// The number of the frame.
        frame: u64,
        /// Its pixel format, in FFmpeg's words.
        pixels: String,
        /// The message of FFmpeg.
        detail: String,
    },
    /// The pictures cannot be filtered as it was asked for.
    #[error("{}: {source}", .file.display())]
    Filter {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: FilterError,
    },
    /// The source is a pipe, so it can only be read on from its current place.
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
        /// The number of the frame.
        frame: u64,
    },
    /// A range reaches beyond the index.
    #[error("{}: frames {start} to {end} were asked for, of {frames}", .file.display())]
    OutOfRange {
        /// The file.
        file: PathBuf,
        /// The first frame requested.
        start: u64,
        /// The frame after the last one requested.
        end: u64,
        /// The number of frames in the index.
        frames: u64,
    },
    /// The name of the output ends in no known container.
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
        /// The way out, as advice.
        remedy: &'static str,
    },
    /// Writing failed.
    #[error("cannot write {} on from byte {byte}: {source}", .file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// The number of bytes that were written.
        byte: u64,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The container's writer refused.
    #[error("{}: {what}: {detail}", .file.display())]
    Mux {
        /// The file.
        file: PathBuf,
        /// The step that failed.
        what: String,
        /// The message of FFmpeg.
        detail: String,
    },
    /// Samples came without numeric times, or not in decode order.
    #[error("{}: sample {sample} has no usable times: {detail}", .file.display())]
    BadSample {
        /// The file being written.
        file: PathBuf,
        /// The number of the sample, in decode order.
        sample: u64,
        /// The defect of the sample.
        detail: String,
    },
    /// Sound cannot be encoded: this FFmpeg has no such encoder, or the encoder refuses its input.
    #[error("sound cannot be encoded by {codec}: {detail}")]
    Sound {
        /// FFmpeg's name of the encoder.
        codec: &'static str,
        /// The cause.
        detail: String,
    },
    /// FFmpeg failed where it should not.
    #[error("{}: {what}: {detail}", .file.display())]
    Internal {
        /// The file.
        file: PathBuf,
        /// The step that failed.
        what: &'static str,
        /// The message of FFmpeg.
        detail: String,
    },
}

impl MediaError {
    /// Returns whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Empty { .. }
            | Self::NotAFilm { .. }
            | Self::Encrypted { .. }
            | Self::Undecodable { .. }
            | Self::NoVideo { .. }
            | Self::NoSuchVideo { .. }
            | Self::NotSubtitles { .. }
            | Self::NoSound { .. }
            | Self::Encoding { .. }
            | Self::NotACover { .. }
            | Self::NoFrames { .. }
            | Self::NoFramesInRange { .. }
            | Self::TooLarge { .. }
            | Self::References { .. }
            | Self::Endless { .. }
            | Self::SourceChanged { .. } => ErrorKind::BadInput,
            Self::NoDecoder { .. }
            | Self::Convert { .. }
            | Self::Filter { .. }
            | Self::NotSeekable { .. }
            | Self::UnknownContainer { .. }
            | Self::CannotHold { .. }
            | Self::Sound { .. } => ErrorKind::Unsupported,
            Self::Open { .. } | Self::Read { .. } | Self::Write { .. } | Self::Interrupted { .. } => {
                ErrorKind::Io
            }
            Self::OutOfRange { .. } | Self::Mux { .. } | Self::BadSample { .. } | Self::Internal { .. } => {
                ErrorKind::Internal
            }
        }
    }

    /// Makes the error of a failure to open `file`: by the system, or because of its content.
    pub(crate) fn open(file: &Path, failure: &Failure) -> Self {
        let (file, message) = (file.to_path_buf(), failure.message().to_owned());
        match (failure.refusal(), failure.io()) {
            (Some(Refusal::References), _) => Self::References { file, format: message },
            (Some(Refusal::Endless), _) => Self::Endless { file, format: message },
            (Some(Refusal::Interrupted), _) => Self::Interrupted { file },
            (None, Some(source)) if source.kind() == io::ErrorKind::StaleNetworkFileHandle => {
                Self::SourceChanged { file, frame: 0 }
            }
            (Some(Refusal::Unknown), _) => {
                let detail = format!("by its content it is '{message}', which is not read under this name");
                Self::NotAFilm { file, detail }
            }
            (None, Some(source)) => Self::Open { file, source },
            (None, None) => Self::NotAFilm { file, detail: message },
        }
    }

    /// Makes the error of a failure to read `file` on.
    pub(crate) fn read(file: &Path, frame: u64, byte: i64, failure: &Failure) -> Self {
        let file = file.to_path_buf();
        match failure.io() {
            _ if failure.is_interrupted() => Self::Interrupted { file },
            // an object that was replaced is no error of the store
            Some(source) if source.kind() == io::ErrorKind::StaleNetworkFileHandle => {
                Self::SourceChanged { file, frame }
            }
            Some(source) => Self::Read { file, frame, byte, source },
            None => Self::internal(&file, "reading stopped", failure),
        }
    }

    /// Makes the error of a decoder that refuses the description of a track.
    pub(crate) fn undecodable(file: &Path, failure: &Failure) -> Self {
        Self::Undecodable { file: file.to_path_buf(), detail: failure.message().to_owned() }
    }

    pub(crate) fn internal(file: &Path, what: &'static str, failure: &Failure) -> Self {
        Self::Internal { file: file.to_path_buf(), what, detail: failure.message().to_owned() }
    }

    /// Makes the error of a failure to write `file` after `byte` bytes.
    pub(crate) fn write(file: &Path, byte: u64, what: &str, failure: &Failure) -> Self {
        let file = file.to_path_buf();
        match failure.io() {
            Some(source) => Self::Write { file, byte, source },
            None => Self::Mux { file, what: what.to_owned(), detail: failure.message().to_owned() },
        }
    }
}
