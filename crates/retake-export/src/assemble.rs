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
use crate::verify::verify;
use retake_compression::take::{TakeDescription, TakeRecord};
use retake_libav::{Container, FilmWriter, WriterSettings};
use retake_media::Rational;
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
            let film = place.file()?;
            let notes = write(job, container, store, chosen, map.index.time_base, film.path(), stop)?;
            film.as_file().sync_all().map_err(ExportError::file(film.path(), "syncing the film"))?;
            verify(job, store, map, chosen, film.path(), stop, progress)?;
            let metadata = film.as_file().metadata();
            let bytes = metadata.map_err(ExportError::file(film.path(), "reading"))?.len();
            verified(film.path(), bytes, notes)?;
            place.fill(film)
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

fn write(
    job: &Job,
    container: Container,
    store: &TakeStore,
    chosen: &[Chosen],
    time_base: Rational,
    path: &Path,
    stop: &StopFlag,
) -> Result<Vec<String>, ExportError> {
    let mut samples = Joined::open(store, chosen)?;
    let (mut writer, notes) = FilmWriter::create(&WriterSettings {
        path,
        container,
        format: &samples.format,
        time_base,
        frame_rate: job.film.video.frame_rate,
        display_matrix: job.film.video.display_matrix,
        start: job.film.start,
        encoder: &job.description.encoder,
        copy_from: Some(&job.film),
        fast_start: true,
        max_reorder: chosen.iter().map(|take| take.record.reorder_ticks).max().unwrap_or(0),
    })?;
    while let Some(sample) = samples.next()? {
        stop.check()?;
        writer.write(&sample)?;
    }
    writer.finish()?;
    Ok(notes.into_iter().map(|note| note.to_string()).collect())
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
    let unfinished = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("unfinished-");
        builder
    };
    let fail = || ExportError::file(folder, "making a temporary file");
    let bytes = match job.output {
        OutputKind::Film(container) => {
            let film = unfinished().tempfile_in(folder).map_err(fail())?;
            write(job, container, store, chosen, map.index.time_base, film.path(), stop)?;
            film.as_file().metadata().map_err(ExportError::file(film.path(), "reading"))?.len()
        }
        OutputKind::Stream => {
            let temporary = unfinished().tempdir_in(folder).map_err(fail())?;
            let names = (temporary.path(), Path::new("stream.m3u8"));
            hls::write(job, store, map, chosen, names, stop)?.bytes()?
        }
    };
    let video: u64 = chosen.iter().map(|take| take.record.bytes).sum();
    Ok(bytes.saturating_sub(video))
}
