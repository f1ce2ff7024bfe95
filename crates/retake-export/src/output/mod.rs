//! This module makes the output of an export: one file, or a stream of playlists and segments.

pub(crate) mod file;
pub(crate) mod hls;
pub(crate) mod target;
pub(crate) mod track;

use crate::error::ExportError;
use crate::film::Film;
use crate::stop::StopFlag;
use std::fs;
use std::path::{Path, PathBuf};
use target::OutputKind;

/// A film that was written into a folder, but is not in place yet.
pub(crate) struct Written {
    /// This is the film, or the playlist that names all others.
    pub film: PathBuf,
    /// This folder belongs beside it.
    pub media: Option<PathBuf>,
    /// These files have all pictures, one for each variant: the film, or playlists of its pictures.
    pub pictures: Vec<PathBuf>,
    /// These are the bytes of all files.
    pub bytes: u64,
    /// These are plain sentences about parts of the source that could not be kept.
    pub notes: Vec<String>,
}

/// An output writes one kind of film.
pub(crate) trait Output {
    /// Writes a film into an empty folder, under the names that it will have beside `output`.
    fn write(
        &self,
        film: &Film<'_>,
        folder: &Path,
        output: &Path,
        stop: &StopFlag,
    ) -> Result<Written, ExportError>;
}

/// Returns the writer of this kind of output.
pub(crate) fn output(kind: OutputKind) -> Box<dyn Output> {
    match kind {
        OutputKind::Film(container) => Box::new(file::FilmFile { container }),
        OutputKind::Stream => Box::new(hls::HlsStream),
    }
}

/// Returns the bytes that a film takes beside its video samples: those of the other tracks, and those of the
/// container. It writes such a film to find them.
pub(crate) fn overhead(film: &Film<'_>, stop: &StopFlag) -> Result<u64, ExportError> {
    let folder = &film.job.folder;
    let temporary = folder.unfinished_folder();
    let temporary = temporary.map_err(ExportError::file(folder.path(), "making a temporary folder"))?;
    let kind = film.job.output.kind();
    let written = output(kind).write(film, temporary.path(), Path::new(kind.trial_name()), stop)?;
    Ok(written.bytes.saturating_sub(film.video_bytes()))
}

/// Returns the bytes of a file.
pub(crate) fn size(file: &Path) -> Result<u64, ExportError> {
    Ok(fs::metadata(file).map_err(ExportError::file(file, "reading"))?.len())
}
