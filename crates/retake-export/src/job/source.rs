//! The source of a job: standard input is kept in the job folder, because passes need to see the film more
//! than once, and what is found in the film decides how it is read.

use super::folder::JobFolder;
use crate::error::{ExportError, RequestError};
use crate::stop::StopFlag;
use crossbeam_channel::{RecvTimeoutError, bounded};
use retake_compression::encoder::EncoderInfo;
use retake_libav::{FilmInfo, ReaderOptions, probe};
use retake_media::PixelFormat;
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Bytes that are read from standard input at once.
const PIECE: usize = 1 << 20;
/// How often a waiting thread looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// Whether a path stands for standard input.
pub(crate) fn is_standard_input(input: &Path) -> bool {
    input == Path::new("-")
}

/// Looks at what came through standard input, which is kept in the job folder.
pub(crate) fn probe_standard_input(folder: &JobFolder, stop: &StopFlag) -> Result<FilmInfo, ExportError> {
    let copy = folder.input();
    keep_standard_input(folder, &copy, stop)?;
    probe(&copy).map_err(|error| {
        // the user knows nothing of the copy
        let text = error.to_string().replace(&copy.display().to_string(), "standard input");
        RequestError::BadStandardInput(text).into()
    })
}

/// The encoder's pixel format for a film, and a note where depth is lost.
pub(crate) fn pixel_format(film: &FilmInfo, info: &EncoderInfo) -> (PixelFormat, Option<String>) {
    if info.formats.contains(&film.video.format) {
        return (film.video.format, None);
    }
    let depth = film.video.format.bit_depth();
    let note = format!("{} takes 8 bits a sample: the source's {depth} are reduced", info.name);
    (PixelFormat::I420, Some(note))
}

/// How the film is read.
pub(crate) fn reader_options(film: &FilmInfo, format: PixelFormat) -> ReaderOptions {
    // one thread does not decode large pictures fast enough to keep takes busy
    let large = film.video.width * film.video.height > 1280 * 720;
    ReaderOptions { format, threads: if large { 2 } else { 1 } }
}

/// Frames of a film, as far as the container tells.
pub(crate) fn frames(film: &FilmInfo) -> u64 {
    let by_time = || (film.duration.unwrap_or(0.0) * film.video.frame_rate.to_f64()).ceil() as u64;
    film.video.frames_hint.unwrap_or_else(by_time)
}

/// Seconds of a film, as far as the container tells.
pub(crate) fn seconds(film: &FilmInfo) -> Result<f64, RequestError> {
    let video = frames(film) as f64 / film.video.frame_rate.to_f64().max(1e-3);
    let known = Some(video).filter(|seconds| *seconds > 0.0);
    known.ok_or_else(|| RequestError::LengthUnknown { input: film.path.clone() })
}

/// Copies standard input to `path`, in the folder.
fn keep_standard_input(folder: &JobFolder, path: &Path, stop: &StopFlag) -> Result<(), ExportError> {
    let fail = |doing| ExportError::file(path, doing);
    let mut file = folder.unfinished_file().map_err(fail("keeping standard input"))?;
    // reading a pipe cannot be interrupted: it is left to a thread that may stay behind when the user stops
    let (sender, pieces) = bounded::<io::Result<Vec<u8>>>(4);
    let read = move || {
        let mut input = io::stdin().lock();
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let result = Read::by_ref(&mut input).take(PIECE as u64).read_to_end(&mut piece);
            let ended = !matches!(result, Ok(bytes) if bytes > 0);
            if sender.send(result.map(|_| piece)).is_err() || ended {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("standard input".into())
        .spawn(read)
        .map_err(fail("reading standard input"))?;
    let mut bytes = 0;
    loop {
        stop.check()?;
        match pieces.recv_timeout(PATIENCE) {
            Ok(piece) => {
                let piece = piece.map_err(fail("reading standard input"))?;
                file.write_all(&piece).map_err(fail("keeping standard input"))?;
                bytes += piece.len();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if bytes == 0 {
        return Err(RequestError::EmptyInput.into());
    }
    file.persist(path).map_err(|error| fail("naming")(error.error))?;
    Ok(())
}
