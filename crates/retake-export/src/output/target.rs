//! This module puts an output in place. Until the film is whole and verified, the place stays empty, or keeps
//! its earlier content.

use super::Written;
use super::hls;
use super::hls::names::{is_media, media_of};
use crate::error::{ExportError, RequestError};
use crate::job::folder::JobFolder;
use crate::job::request::Request;
use crate::objects::{ObjectStore, object_address};
use crate::stop::StopFlag;
use retake_asset::{Existing, OutputError, OutputTarget, UnfinishedFile, automatic_time_scale};
use retake_compression::durable::uninterrupted;
use retake_libav::{Container, FilmInfo, MediaError};
use retake_media::Time;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

/// A job makes one of these kinds of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputKind {
    /// The output is one file.
    Film(Container),
    /// The output has playlists and segments.
    Stream,
}

impl OutputKind {
    fn of(output: &Path) -> Result<Self, MediaError> {
        match output.extension() {
            Some(ending) if ending.eq_ignore_ascii_case("m3u8") => Ok(Self::Stream),
            _ => Ok(Self::Film(Container::from_path(output)?)),
        }
    }

    /// Returns the container of the film, or of each segment.
    fn container(self) -> Container {
        match self {
            Self::Film(container) => container,
            Self::Stream => Container::Mp4,
        }
    }

    /// Tells whether the output holds sound of this coding format, by FFmpeg's name.
    pub(crate) fn holds_sound(self, codec: &str) -> bool {
        match self {
            Self::Film(container) => container.can_hold_sound(codec),
            Self::Stream => hls::holds_sound(codec),
        }
    }

    /// Returns a name for an output of this kind that is deleted before it is seen.
    pub(crate) fn trial_name(self) -> &'static str {
        match self {
            Self::Film(_) => "film",
            Self::Stream => "stream.m3u8",
        }
    }
}

/// No film has frames that are all further from each other, in seconds; offsets of 32 bits end there in the
/// usual clocks of ISO files.
const FURTHEST: i64 = 6 * 3600;

/// A target is the place and the kind of a job's output.
#[derive(Debug, Clone)]
pub(crate) struct JobOutput {
    place: Place,
    kind: OutputKind,
    /// The owner distinguishes jobs that write the same output.
    owner: String,
}

/// Where an output goes.
#[derive(Debug, Clone)]
enum Place {
    File(OutputTarget),
    /// An object of a store.
    Object {
        address: PathBuf,
        existing: Existing,
        objects: Arc<dyn ObjectStore>,
    },
}

impl JobOutput {
    /// Returns the target that a request names, if a film of this codec can be put there.
    pub(crate) fn of(request: &Request, stop: &StopFlag) -> Result<Self, ExportError> {
        let (input, output) = (request.input.as_path(), request.output.as_path());
        let codec = request.encoder.info().codec;
        let kind = OutputKind::of(output)?;
        if !kind.container().can_hold(codec) {
            let output = output.to_owned();
            return Err(RequestError::ContainerCannotHold { output, codec }.into());
        }
        let existing = if request.overwrite { Existing::Replace } else { Existing::Keep };
        if let Some(address) = object_address(output) {
            let objects = check_object(request, address, kind, stop)?;
            let place = Place::Object { address: output.to_owned(), existing, objects };
            return Ok(Self { place, kind, owner: String::new() });
        }
        check_paths(input, output)?;
        let target = OutputTarget::new(output, existing);
        target.check().map_err(|error| not_made(&target, error))?;
        if kind == OutputKind::Stream {
            check_media(target.path())?;
        }
        Ok(Self { place: Place::File(target), kind, owner: String::new() })
    }

    /// Refuses a film some of whose frames would have the same time in the container. libavformat writes
    /// Matroska in milliseconds, and tracks of ISO files count microseconds where the source's own clock is
    /// too fine for them; times that are too close cannot be moved apart, because all that follow might have
    /// to move, too.
    pub(crate) fn check_times(&self, film: &FilmInfo) -> Result<(), RequestError> {
        let coarse = matches!(self.kind, OutputKind::Film(container) if !container.is_iso());
        let least = Time::new(1, if coarse { 1000 } else { 1_000_000 });
        if let Some(step) = film.closest_frames.filter(|&step| step > Time::new(FURTHEST, 1)) {
            return Err(RequestError::FramesTooFar { input: film.path.clone(), step: step.seconds() });
        }
        if !coarse {
            self.check_gaps(film)?;
        }
        match film.closest_frames.filter(|&step| step < least) {
            Some(step) => {
                let (output, step, least) = (self.path().to_owned(), step.seconds(), least.seconds());
                Err(RequestError::ContainerTooCoarse { output, step, least, coarse })
            }
            None => Ok(()),
        }
    }

    /// Refuses a film with a gap that is longer than 32 bits of a track's clock can say. libavformat would
    /// let copied sound go on without it, and say so in its log alone.
    fn check_gaps(&self, film: &FilmInfo) -> Result<(), RequestError> {
        for &(track, gap) in &film.longest_gaps {
            // the clock of sound counts its samples, and that of texts milliseconds
            let copied = film.tracks.iter().find(|info| info.index == track).map(|info| info.sample_rate);
            let own = u32::try_from(film.video.time_base.den).into_iter();
            let scale = match copied {
                None if track == film.video.index => automatic_time_scale(own),
                copied => copied.filter(|&rate| rate > 0).unwrap_or(1000),
            };
            let (gap, most) = (gap.seconds(), f64::from(i32::MAX) / f64::from(scale));
            if gap >= most {
                return Err(RequestError::GapTooLong { output: self.path().to_owned(), track, gap, most });
            }
        }
        Ok(())
    }

    /// Returns the same target for the job that has this folder. A job always uses one name, so that the next
    /// run, which holds the lock of the job, replaces the rest of a killed one; another job with the same
    /// output has another name.
    pub(crate) fn for_job(self, job_folder: &Path) -> Self {
        Self { owner: owner(job_folder), ..self }
    }

    /// Tries whether the output can be made, so that a folder that cannot be written, or a name that is too
    /// long, is told before all the work.
    pub(crate) fn try_out(&self, stop: &StopFlag) -> Result<(), ExportError> {
        let target = match &self.place {
            Place::File(target) => target,
            Place::Object { objects, .. } => {
                let tried = objects.try_out(&self.path().to_string_lossy(), &|| stop.is_raised());
                return tried.map_err(|error| cannot_make(self.path(), &error));
            }
        };
        let folder = target.unfinished_folder(&self.owner);
        let folder = folder.map_err(|error| not_made(target, error))?;
        let path = folder.path().join(self.path().file_name().unwrap_or_default());
        let made = fs::File::create_new(&path).and_then(|_| match self.kind {
            OutputKind::Stream => uninterrupted(|| fs::create_dir(media_of(&path))),
            OutputKind::Film(_) => Ok(()),
        });
        made.map_err(|error| cannot_make(self.path(), &error))
    }

    pub(crate) fn kind(&self) -> OutputKind {
        self.kind
    }

    pub(crate) fn path(&self) -> &Path {
        match &self.place {
            Place::File(target) => target.path(),
            Place::Object { address, .. } => address,
        }
    }

    /// Makes a new folder beside the output, or in the job folder where the output is an object. It is
    /// deleted with its content when it is dropped.
    pub(crate) fn unfinished_folder(&self, job: &JobFolder) -> Result<TempDir, ExportError> {
        match &self.place {
            Place::File(target) => target.unfinished_folder(&self.owner).map_err(not_placed),
            Place::Object { .. } => {
                job.unfinished_folder().map_err(ExportError::file(job.path(), "making a temporary folder"))
            }
        }
    }

    /// Removes what is left of such a folder, where it could not go away with its owner at once.
    pub(crate) fn remove_unfinished(&self) {
        if let Place::File(target) = &self.place {
            target.remove_unfinished_folder(&self.owner);
        }
    }

    /// Puts a film in place that was written into `unfinished`. The media of a stream come first, because a
    /// playlist must never name a file that does not exist. An object gets a note, which `stamp` makes.
    pub(crate) fn place(
        &self,
        unfinished: &TempDir,
        written: &Written,
        stamp: impl FnOnce() -> Option<String>,
        stop: &StopFlag,
    ) -> Result<(), ExportError> {
        let target = match &self.place {
            Place::File(target) => target,
            Place::Object { address, existing, objects } => {
                let (film, note, stopped) = (&written.film, stamp(), || stop.is_raised());
                let address = address.to_string_lossy();
                let put = objects.put_file(&address, film, note.as_deref(), *existing, &stopped);
                return put.map_err(|error| self.not_put(error));
            }
        };
        if let Some(new) = &written.media {
            // the old folder was found to hold only a stream's media, so it is deleted with the folder of
            // unfinished files
            let media = OutputTarget::new(media_of(self.path()), Existing::Replace);
            media.put_folder(new, &unfinished.path().join("replaced")).map_err(not_placed)?;
        }
        // another process may have put a file there meanwhile
        let film = UnfinishedFile::at(&written.film).map_err(not_placed)?;
        target.put_file(film).map_err(not_placed)
    }

    fn not_put(&self, error: io::Error) -> ExportError {
        let path = self.path().to_owned();
        match error.kind() {
            io::ErrorKind::AlreadyExists => RequestError::OutputExists { output: path }.into(),
            _ => ExportError::File { path, doing: "putting in place", source: error },
        }
    }
}

/// Checks an output that is to be an object, and returns the store that makes it.
fn check_object(
    request: &Request,
    address: &str,
    kind: OutputKind,
    stop: &StopFlag,
) -> Result<Arc<dyn ObjectStore>, ExportError> {
    let output = || request.output.clone();
    if kind == OutputKind::Stream {
        return Err(RequestError::StreamOfObjects { output: output() }.into());
    }
    if request.input == request.output {
        return Err(RequestError::OutputIsInput { output: output() }.into());
    }
    let Some(objects) = &request.objects else {
        let reason = "this program was built without object stores (feature `objects`)".to_owned();
        return Err(RequestError::OutputCannotBeMade { output: output(), reason }.into());
    };
    let found = objects.look(address, &|| stop.is_raised());
    match found.map_err(|error| cannot_make(&request.output, &error))? {
        Some(_) if !request.overwrite => Err(RequestError::OutputExists { output: output() }.into()),
        _ => Ok(objects.clone()),
    }
}

/// Tells jobs that write the same output from each other.
pub(crate) fn owner(job_folder: &Path) -> String {
    // the folder itself may be gone already
    let place = job_folder.file_name().zip(folder_of(job_folder).canonicalize().ok());
    let job_folder = place.map_or_else(|| job_folder.to_owned(), |(name, parent)| parent.join(name));
    format!("{:08x}", xxh3_64(job_folder.as_os_str().as_encoded_bytes()) as u32)
}

/// Removes what the job that had this folder left beside its output.
pub(crate) fn remove_unfinished(output: &Path, job_folder: &Path) {
    // of an object it lies in the job folder, and goes with that
    if object_address(output).is_none() {
        OutputTarget::new(output, Existing::Keep).remove_unfinished_folder(&owner(job_folder));
    }
}

fn cannot_make(output: &Path, error: &io::Error) -> ExportError {
    RequestError::OutputCannotBeMade { output: output.to_owned(), reason: error.to_string() }.into()
}

/// An output that cannot be made is the request's fault, as far as that shows before the work.
fn not_made(target: &OutputTarget, error: OutputError) -> ExportError {
    match error {
        OutputError::Io { source, .. } => cannot_make(target.path(), &source),
        other => not_placed(other),
    }
}

/// What an output that cannot be put in place says.
pub(crate) fn not_placed(error: OutputError) -> ExportError {
    match error {
        OutputError::Exists { path } => RequestError::OutputExists { output: path }.into(),
        OutputError::NotReplaceable { path } => RequestError::OutputIsNoFile { output: path }.into(),
        OutputError::Io { action, path, source } => {
            ExportError::File { path, doing: action, source: io::Error::new(source.kind(), source) }
        }
        other => ExportError::Internal(other.to_string()),
    }
}

/// Returns the folder that a file is in.
fn folder_of(output: &Path) -> &Path {
    match output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn check_paths(input: &Path, output: &Path) -> Result<(), RequestError> {
    let folder = folder_of(output);
    let named = || output.to_owned();
    if !folder.is_dir() {
        return Err(RequestError::OutputFolderMissing { output: named(), folder: folder.to_owned() });
    }
    if output.is_dir() {
        return Err(RequestError::OutputIsFolder { output: named() });
    }
    if let (Ok(a), Ok(b)) = (input.canonicalize(), output.canonicalize())
        && a == b
    {
        return Err(RequestError::OutputIsInput { output: named() });
    }
    Ok(())
}

/// Checks the folder of media of a stream. It may be replaced only if it is a stream's, and only a killed run
/// leaves it there without its playlist.
fn check_media(output: &Path) -> Result<(), RequestError> {
    let media = media_of(output);
    match media.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.is_dir() && is_media(&media) => return Ok(()),
        _ => {}
    }
    Err(RequestError::MediaInTheWay { media, output: output.to_owned() })
}
