//! This module puts an output in place. Until the film is whole and verified, the place stays empty, or keeps
//! its earlier content.

use super::Written;
use super::hls::names::{is_media, media_of};
use crate::error::{ExportError, RequestError};
use retake_asset::{Existing, OutputError, OutputTarget, UnfinishedFile};
use retake_libav::{Container, MediaError};
use retake_media::Codec;
use std::io;
use std::path::Path;
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

    /// Returns a name for an output of this kind that is deleted before it is seen.
    pub(crate) fn trial_name(self) -> &'static str {
        match self {
            Self::Film(_) => "film",
            Self::Stream => "stream.m3u8",
        }
    }
}

/// A target is the place and the kind of a job's output.
#[derive(Debug, Clone)]
pub(crate) struct JobOutput {
    target: OutputTarget,
    kind: OutputKind,
    /// The owner distinguishes jobs that write the same output.
    owner: String,
}

impl JobOutput {
    /// Returns the target that a request names, if a film of this codec can be put there.
    pub(crate) fn of(
        input: &Path,
        output: &Path,
        codec: Codec,
        overwrite: bool,
    ) -> Result<Self, ExportError> {
        let kind = OutputKind::of(output)?;
        if !kind.container().can_hold(codec) {
            let output = output.to_owned();
            return Err(RequestError::ContainerCannotHold { output, codec }.into());
        }
        check_paths(input, output, overwrite)?;
        if kind == OutputKind::Stream {
            check_media(output)?;
        }
        let existing = if overwrite { Existing::Replace } else { Existing::Keep };
        Ok(Self { target: OutputTarget::new(output, existing), kind, owner: String::new() })
    }

    /// Returns the same target for the job that has this folder. A job always uses one name, so that the next
    /// run, which holds the lock of the job, replaces the rest of a killed one; another job with the same
    /// output has another name.
    pub(crate) fn for_job(self, job_folder: &Path) -> Self {
        let job_folder = job_folder.canonicalize().unwrap_or_else(|_| job_folder.to_owned());
        let hash = xxh3_64(job_folder.as_os_str().as_encoded_bytes()) as u32;
        Self { owner: format!("{hash:08x}"), ..self }
    }

    pub(crate) fn kind(&self) -> OutputKind {
        self.kind
    }

    pub(crate) fn path(&self) -> &Path {
        self.target.path()
    }

    /// Makes a new folder beside the output. It is deleted with its content when it is dropped.
    pub(crate) fn unfinished_folder(&self) -> Result<TempDir, ExportError> {
        self.target.unfinished_folder(&self.owner).map_err(not_placed)
    }

    /// Puts a film in place that was written into `unfinished`. The media of a stream come first, because a
    /// playlist must never name a file that does not exist.
    pub(crate) fn place(&self, unfinished: &TempDir, written: &Written) -> Result<(), ExportError> {
        if let Some(new) = &written.media {
            // the old folder was found to hold only a stream's media, so it is deleted with the folder of
            // unfinished files
            let media = OutputTarget::new(media_of(self.path()), Existing::Replace);
            media.put_folder(new, &unfinished.path().join("replaced")).map_err(not_placed)?;
        }
        // another process may have put a file there meanwhile
        let film = UnfinishedFile::at(&written.film).map_err(not_placed)?;
        self.target.put_file(film).map_err(not_placed)
    }
}

fn not_placed(error: OutputError) -> ExportError {
    match error {
        OutputError::Exists { path } => RequestError::OutputExists { output: path }.into(),
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

fn check_paths(input: &Path, output: &Path, overwrite: bool) -> Result<(), RequestError> {
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
    if output.exists() && !overwrite {
        return Err(RequestError::OutputExists { output: named() });
    }
    Ok(())
}

/// Checks the folder of media of a stream. It may be replaced only if it is a stream's, and only a killed run
/// leaves it there without its playlist.
fn check_media(output: &Path) -> Result<(), RequestError> {
    let media = media_of(output);
    if media.symlink_metadata().is_err() || is_media(&media) {
        return Ok(());
    }
    Err(RequestError::MediaInTheWay { media, output: output.to_owned() })
}
