//! From takes to the film: the chosen takes are joined, written beside the tracks that are copied, read again and compared, and only then
//! put in place.

use crate::error::ExportError;
use crate::index::FilmMap;
use crate::prepare::Job;
use crate::stop::StopFlag;
use crate::store::{TakeStore, sync_folder};
use retake_compression::take::{TakeDescription, TakeRecord};
use retake_libav::{
    FilmInfo, FilmWriter, FrameReader, ReaderOptions, SampleReader, WriterSettings, probe, time_to_ticks,
};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// A take that goes into the film.
pub(crate) struct Chosen<'a> {
    pub description: &'a TakeDescription,
    pub record: &'a TakeRecord,
}

/// Told of progress: frames verified.
pub(crate) struct Progress<'a> {
    pub verified: &'a dyn Fn(u64),
}

/// Joins the takes into a film at `output`. `verified` is told of the finished film, its size and what could not be kept, before the film is
/// put in place.
#[allow(clippy::too_many_arguments)] // each is another thing; a struct for one call would only rename them
pub(crate) fn assemble(
    job: &Job,
    store: &TakeStore,
    map: &FilmMap,
    chosen: &[Chosen],
    output: &Path,
    stop: &StopFlag,
    progress: &Progress,
    verified: impl FnOnce(&Path, u64, Vec<String>) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let folder = match output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    // one name for a job: what a killed run left is replaced by the next, which holds the lock of the job; another job with the same
    // output has another name
    let name = output.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let home = job.folder.path();
    let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
    let name =
        format!(".{name}.{:08x}.retake-unfinished", xxh3_64(home.as_os_str().as_encoded_bytes()) as u32);
    let _ = fs::remove_file(folder.join(&name));
    let temporary = tempfile::Builder::new()
        .prefix(&name)
        .rand_bytes(0)
        .tempfile_in(&folder)
        .map_err(ExportError::file(&folder, "making a temporary file"))?;
    let notes = write(job, store, map, chosen, temporary.path(), stop)?;
    temporary.as_file().sync_all().map_err(ExportError::file(temporary.path(), "syncing the film"))?;
    if chosen.iter().all(|take| take.record.pictures.is_some()) {
        verify_pictures(job, store, map, chosen, temporary.path(), stop, progress)?;
    } else {
        verify_samples(job, store, map, chosen, temporary.path(), stop, progress)?;
    }
    let bytes = temporary.as_file().metadata().map_err(ExportError::file(temporary.path(), "reading"))?.len();
    open_permissions(temporary.as_file());
    verified(temporary.path(), bytes, notes)?;
    // somebody may have put another file there meanwhile
    let placed = if job.overwrite { temporary.persist(output) } else { temporary.persist_noclobber(output) };
    placed.map_err(|error| ExportError::file(output, "putting the film in place")(error.error))?;
    sync_folder(&folder)
}

fn write(
    job: &Job,
    store: &TakeStore,
    map: &FilmMap,
    chosen: &[Chosen],
    path: &Path,
    stop: &StopFlag,
) -> Result<Vec<String>, ExportError> {
    let first = chosen.first().ok_or_else(|| ExportError::Internal("a film without takes".into()))?;
    let format = store.read(first.description)?.format()?;
    let (mut writer, notes) = FilmWriter::create(&WriterSettings {
        path,
        container: job.container,
        format: &format,
        time_base: map.index.time_base,
        frame_rate: job.film.video.frame_rate,
        display_matrix: job.film.video.display_matrix,
        start: job.film.start,
        encoder: &job.description.encoder,
        copy_from: Some(&job.film),
        fast_start: true,
        max_reorder: chosen.iter().map(|take| take.record.reorder_ticks).max().unwrap_or(0),
    })?;
    for take in chosen {
        let mut samples = store.read(take.description)?;
        let here = samples.format()?;
        if here != format {
            return Err(ExportError::Internal(format!(
                "{}: the encoder wrote other headers than for the first take",
                take.description.range
            )));
        }
        while let Some(sample) = samples.next()? {
            stop.check()?;
            writer.write(&sample)?;
        }
    }
    writer.finish()?;
    Ok(notes.into_iter().map(|note| note.to_string()).collect())
}

/// Decodes the written film and compares it with what was indexed and encoded: the number of frames, their times, and every picture. So the
/// scores that were measured in the takes are scores of this file.
fn verify_pictures(
    job: &Job,
    store: &TakeStore,
    map: &FilmMap,
    chosen: &[Chosen],
    path: &Path,
    stop: &StopFlag,
    progress: &Progress,
) -> Result<(), ExportError> {
    let film = probe(path)?;
    let options = ReaderOptions { format: job.description.settings.format, threads: job.jobs.min(8) };
    let mut reader = FrameReader::open(&film, options)?;
    let mut hashes = chosen.iter().filter_map(|take| take.record.pictures.as_ref()).flatten();
    let mut times = Times::new(map, &film);
    while let Some(frame) = reader.next()? {
        stop.check()?;
        times.next(frame.pts)?;
        if hashes.next() != Some(&frame.hash()) {
            let what = format!("frame {} decodes to another picture than was encoded", frame.index);
            let shown = |take: &&Chosen| take.record.range.end > frame.index;
            return Err(match chosen.iter().find(shown) {
                Some(take) => store.disowned(take.description, what),
                None => ExportError::Verification(what),
            });
        }
        if times.frames.is_multiple_of(64) {
            (progress.verified)(times.frames);
        }
    }
    times.end()
}

/// Where the encoder was not asked what a decoder will see: compares every sample of the written film, byte for byte, with the take that it
/// comes from, and all times, and decodes every sync frame. Decoding all would cost a twentieth of the encode.
fn verify_samples(
    job: &Job,
    store: &TakeStore,
    map: &FilmMap,
    chosen: &[Chosen],
    path: &Path,
    stop: &StopFlag,
    progress: &Progress,
) -> Result<(), ExportError> {
    let film = probe(path)?;
    let mut samples = SampleReader::open(&film)?;
    let (mut shown, mut syncs) = (Vec::new(), 0u64);
    for take in chosen {
        let mut taken = store.read(take.description)?;
        taken.format()?;
        while let Some(expected) = taken.next()? {
            stop.check()?;
            let found = samples.next()?;
            let found =
                found.filter(|found| found.data == expected.data && found.is_sync() == expected.is_sync());
            let found = found.ok_or_else(|| {
                ExportError::Verification(format!("sample {} is not the one that was encoded", shown.len()))
            })?;
            let pts = time_to_ticks(found.pts, film.video.time_base);
            shown.push(
                pts.ok_or_else(|| ExportError::Verification(format!("sample {} has no time", shown.len())))?,
            );
            syncs += u64::from(found.is_sync());
        }
        (progress.verified)(shown.len() as u64);
    }
    if samples.next()?.is_some() {
        return Err(ExportError::Verification("it has more samples than were encoded".into()));
    }
    shown.sort_unstable();
    let mut times = Times::new(map, &film);
    shown.into_iter().try_for_each(|pts| times.next(pts))?;
    times.end()?;
    let options = ReaderOptions { format: job.description.settings.format, threads: job.reader.threads };
    let mut reader = FrameReader::open(&film, options)?;
    reader.sync_frames_only();
    let mut decoded = 0;
    while reader.next()?.is_some() {
        stop.check()?;
        decoded += 1;
    }
    if (decoded, reader.damaged()) == (syncs, 0) {
        return Ok(());
    }
    Err(ExportError::Verification(format!(
        "of {syncs} sync frames {decoded} decode, {} with damage",
        reader.damaged()
    )))
}

/// Compares the times of the film's frames, in presentation order, with the source's.
struct Times<'a> {
    map: &'a FilmMap,
    clock: Clock,
    first: Option<i64>,
    frames: u64,
}

impl<'a> Times<'a> {
    fn new(map: &'a FilmMap, film: &FilmInfo) -> Self {
        Self { map, clock: Clock::new(map, film), first: None, frames: 0 }
    }

    fn next(&mut self, pts: i64) -> Result<(), ExportError> {
        let source = &self.map.index.frames;
        let Some(entry) = source.get(self.frames as usize) else {
            return Err(ExportError::Verification(format!("it has more than {} frames", source.len())));
        };
        let first = *self.first.get_or_insert(pts);
        if !self.clock.agrees(pts - first, entry.pts - source[0].pts) {
            return Err(ExportError::Verification(format!(
                "frame {} is shown at another time than in the source",
                self.frames
            )));
        }
        self.frames += 1;
        Ok(())
    }

    fn end(&self) -> Result<(), ExportError> {
        let wanted = self.map.index.frames.len();
        if self.frames == wanted as u64 {
            return Ok(());
        }
        Err(ExportError::Verification(format!("it has {} frames instead of {wanted}", self.frames)))
    }
}

/// Compares times of the source with times of the film, whose container may round.
struct Clock {
    source: (i128, i128),
    film: (i128, i128),
}

impl Clock {
    fn new(map: &FilmMap, film: &FilmInfo) -> Self {
        let parts = |base: retake_media::Rational| (i128::from(base.num), i128::from(base.den));
        Self { source: parts(map.index.time_base), film: parts(film.video.time_base) }
    }

    /// Whether the difference is less than one tick of the film's clock: less than what rounding both ends can make.
    fn agrees(&self, film_ticks: i64, source_ticks: i64) -> bool {
        let film = i128::from(film_ticks) * self.film.0 * self.source.1;
        let source = i128::from(source_ticks) * self.source.0 * self.film.1;
        // equal to the tick where the clocks are the same; otherwise rounding may take up to one tick
        let tolerance = if self.film == self.source { 0 } else { self.film.0 * self.source.1 };
        (film - source).abs() <= tolerance
    }
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
    let temporary = tempfile::Builder::new()
        .prefix("unfinished-")
        .tempfile_in(folder)
        .map_err(ExportError::file(folder, "making a temporary file"))?;
    write(job, store, map, chosen, temporary.path(), stop)?;
    let bytes = temporary.as_file().metadata().map_err(ExportError::file(temporary.path(), "reading"))?.len();
    let video: u64 = chosen.iter().map(|take| take.record.bytes).sum();
    Ok(bytes.saturating_sub(video))
}

/// Temporary files are private; a finished film is as readable as any new file.
fn open_permissions(file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mask = rustix::process::umask(rustix::fs::Mode::empty());
        rustix::process::umask(mask);
        let _ = file.set_permissions(std::fs::Permissions::from_mode(0o666 & !mask.bits()));
    }
    #[cfg(not(unix))]
    let _ = file;
}
