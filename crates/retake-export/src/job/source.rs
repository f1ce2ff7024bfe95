//! The source of a job: what comes through a pipe is kept in the job folder, because passes need to see the
//! film more than once, and what is found in the film decides how it is read.

use super::folder::JobFolder;
use super::request::ScoreAt;
use crate::error::{ExportError, RequestError};
use crate::sound::plan::SoundPlan;
use crate::stop::StopFlag;
use retake_libav::{
    Access, FilmInfo, FilmRange, PictureFilters, PipeReader, ReaderOptions, probe_video, survey, survey_range,
};
use retake_media::PixelFormat;
use std::io;
use std::path::Path;

/// What of a source is read, and as what: all of its main video, as it is, by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourcePart {
    /// The number of the track of video.
    pub video: Option<u32>,
    /// The part of the film.
    pub range: Option<FilmRange>,
    /// What is done to its pictures.
    pub filters: PictureFilters,
    /// At which size they are compared with those of a film.
    pub score_at: ScoreAt,
}

/// Looks at what comes through standard input, or a pipe with a name, which is kept in the job folder.
pub(crate) fn probe_pipe(
    input: &Path,
    part: &SourcePart,
    folder: &JobFolder,
    access: &Access,
    stop: &StopFlag,
) -> Result<FilmInfo, ExportError> {
    let copy = folder.input();
    keep(input, folder, access)?;
    look_at(&copy, part, access, stop).map_err(|error| match error {
        // the user knows nothing of the copy
        ExportError::Media(error) => {
            let named =
                if input == Path::new("-") { "standard input".into() } else { input.to_string_lossy() };
            let text = error.to_string().replace(&copy.display().to_string(), &named);
            RequestError::BadStandardInput(text).into()
        }
        other => other,
    })
}

/// Looks at a film, and through all of it, or of a range of it: what changes on the way and what is missing
/// decides about the job. Its pictures are filtered from here on.
pub(crate) fn look_at(
    input: &Path,
    part: &SourcePart,
    access: &Access,
    stop: &StopFlag,
) -> Result<FilmInfo, ExportError> {
    let SourcePart { video, range, filters, score_at } = part;
    let (film, stopped) = (probe_video(input, access, *video)?, || stop.is_raised());
    let film = match *range {
        Some(range) => survey_range(film, range, &stopped)?,
        None => survey(film, &stopped)?,
    };
    stop.check()?;
    // Its pictures are no colours of any standard before the metadata are applied, which no decoder here
    // does.
    if film.video.dolby_vision == Some(5) {
        return Err(RequestError::NeedsDolbyVision { input: input.to_owned() }.into());
    }
    let film = film.with_filters(filters, &stopped)?;
    stop.check()?;
    Ok(match score_at {
        ScoreAt::Output => film,
        ScoreAt::Source => film.with_unscaled()?,
    })
}

/// How the film is read.
pub(crate) fn reader_options(film: &FilmInfo, format: PixelFormat) -> ReaderOptions {
    // one thread does not decode large pictures fast enough to keep takes busy
    let decoded = film.unfiltered();
    let large = decoded.width * decoded.height > 1280 * 720;
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

/// Bytes beside the samples of the video, as far as it can be told before a film is written: those of the
/// tracks that are copied, and what containers note of each sample.
pub(crate) fn other_bytes(film: &FilmInfo, sound: &SoundPlan) -> u64 {
    let seconds = seconds(film).unwrap_or(0.0);
    let held = film.tracks.iter().filter_map(|track| {
        let held = track.samples?;
        let bytes = sound.bytes(track.index, seconds).unwrap_or(held.bytes);
        // packets of other codecs are about as long
        let noted = if bytes > 0 { held.count.saturating_mul(SAMPLE) } else { 0 };
        Some(bytes.saturating_add(noted))
    });
    let tracks = held.fold(0_u64, u64::saturating_add);
    tracks.saturating_add(HEAD).saturating_add(frames(film).saturating_mul(SAMPLE))
}

/// What a container notes of a film and of each of its samples, in bytes: MP4 takes 4 to 14 for a sample, as
/// times and sizes repeat themselves or not, Matroska 6 to 10.
const HEAD: u64 = 1800;
const SAMPLE: u64 = 9;

/// How far [`other_bytes`] may be off, either way, for a film of so many frames.
pub(crate) fn other_bytes_doubt(frames: u64) -> u64 {
    frames.saturating_mul(SAMPLE - 3).saturating_add(HEAD)
}

/// Copies what comes through a pipe into the folder.
fn keep(input: &Path, folder: &JobFolder, access: &Access) -> Result<(), ExportError> {
    let fail = |doing| ExportError::file(input, doing);
    let mut copy = folder.begin_input().map_err(fail("keeping the input"))?;
    let mut pipe = PipeReader::open(input, access.clone());
    let copied = io::copy(&mut pipe, &mut copy.file);
    if access.is_interrupted() {
        return Err(ExportError::Stopped);
    }
    if copied.map_err(fail("keeping the input"))? == 0 {
        return Err(RequestError::EmptyInput.into());
    }
    folder.keep_input(copy).map_err(ExportError::file(folder.input(), "naming"))
}
