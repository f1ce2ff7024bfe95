//! From takes to the film: the chosen takes are joined, written beside the tracks that are copied, read again and compared, and only then
//! put in place.

use crate::error::ExportError;
use crate::hls;
use crate::index::FilmMap;
use crate::join::Joined;
use crate::place::Place;
use crate::prepare::{Job, OutputKind};
use crate::stop::StopFlag;
use crate::store::TakeStore;
use crate::track::{TrackWriter, misused};
use crate::verify::verify;
use retake_asset::{AssetWriter, AssetWriterInput, Container, InputOptions, TrackFormat, WriterOptions};
use retake_compression::take::{TakeDescription, TakeRecord};
use std::fs;
use std::path::Path;

/// A take that goes into the film.
pub(crate) struct Chosen<'a> {
    pub description: &'a TakeDescription,
    pub record: &'a TakeRecord,
}

/// Told of progress: frames verified.
pub(crate) struct Progress<'a> {
    pub verified: &'a dyn Fn(u64),
}

/// Told of the finished film (or the playlist that stands for it), its size and what could not be kept, before it is put in place.
pub(crate) type Verified<'a> = Box<dyn FnOnce(&Path, u64, Vec<String>) -> Result<(), ExportError> + 'a>;

/// Joins the takes into a film at `output`.
#[allow(clippy::too_many_arguments)] // each is another thing; a struct for one call would only rename them
pub(crate) fn assemble(
    job: &Job,
    store: &TakeStore,
    map: &FilmMap,
    chosen: &[Chosen],
    output: &Path,
    stop: &StopFlag,
    progress: &Progress,
    verified: Verified,
) -> Result<(), ExportError> {
    let place = Place::of(job, output);
    match job.output {
        OutputKind::Film(container) => {
            let folder = place.folder()?;
            let film = folder.path().join(place.name());
            let notes = write(job, container, store, chosen, &film, stop)?;
            verify(job, store, map, chosen, &film, stop, progress)?;
            verified(&film, size(&film)?, notes)?;
            place.fill(&film)
        }
        OutputKind::Stream => {
            let folder = place.folder()?;
            let stream = hls::write(job, store, map, chosen, (folder.path(), output), stop)?;
            verify(job, store, map, chosen, &stream.pictures(), stop, progress)?;
            verified(&stream.playlist, stream.bytes()?, stream.notes.clone())?;
            place.fill_stream(&folder, &stream)
        }
    }
}

/// Writes the film at `path`, where nothing is yet.
fn write(
    job: &Job,
    container: Container,
    store: &TakeStore,
    chosen: &[Chosen],
    path: &Path,
    stop: &StopFlag,
) -> Result<Vec<String>, ExportError> {
    let mut samples = Joined::open(store, chosen)?;
    let (video, encoder) = (&job.film.video, &job.description.encoder);
    let writer = AssetWriter::new(path, container);
    let set_up = |options: &mut WriterOptions| {
        options.fast_start = true;
        options.metadata = vec![("encoding_tool".into(), encoder.clone())];
        options.other_tracks = Some(job.film.clone().into());
    };
    writer.configure(set_up).map_err(misused)?;
    let input = AssetWriterInput::passthrough(TrackFormat::Video(samples.format.clone()));
    let set_up = |options: &mut InputOptions| {
        options.frame_rate = Some(video.frame_rate);
        options.transform = video.display_matrix;
        options.metadata = vec![("encoder".into(), encoder.clone())];
    };
    input.configure(set_up).map_err(misused)?;
    let track = TrackWriter::start(writer, input, job.film.start)?;
    while let Some(sample) = samples.next()? {
        stop.check()?;
        track.append(sample, stop)?;
    }
    track.finish()?;
    Ok(track.writer().notes())
}

/// Bytes of a file.
pub(crate) fn size(file: &Path) -> Result<u64, ExportError> {
    Ok(fs::metadata(file).map_err(ExportError::file(file, "reading"))?.len())
}

/// Bytes that the film takes beside its video samples: the other tracks, and what the container needs. Found by writing it.
pub(crate) fn overhead(
    job: &Job,
    store: &TakeStore,
    map: &FilmMap,
    chosen: &[Chosen],
    stop: &StopFlag,
) -> Result<u64, ExportError> {
    let folder = job.folder.path();
    let temporary = tempfile::Builder::new().prefix("unfinished-").tempdir_in(folder);
    let temporary = temporary.map_err(ExportError::file(folder, "making a temporary folder"))?;
    let bytes = match job.output {
        OutputKind::Film(container) => {
            let film = temporary.path().join("film");
            write(job, container, store, chosen, &film, stop)?;
            size(&film)?
        }
        OutputKind::Stream => {
            let names = (temporary.path(), Path::new("stream.m3u8"));
            hls::write(job, store, map, chosen, names, stop)?.bytes()?
        }
    };
    let video: u64 = chosen.iter().map(|take| take.record.bytes).sum();
    Ok(bytes.saturating_sub(video))
}
