//! What an export makes: one file, or a stream of playlists and segments.

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

/// A film that was written into a folder, and is not in place yet.
pub(crate) struct Written {
    /// The film, or the playlist that names all others.
    pub film: PathBuf,
    /// A folder that belongs beside it.
    pub media: Option<PathBuf>,
    /// What has all pictures: the film, or the playlist of its pictures.
    pub pictures: PathBuf,
    /// Bytes of all files.
    pub bytes: u64,
    /// Plain sentences about what could not be kept.
    pub notes: Vec<String>,
}

/// A kind of output.
pub(crate) trait Output {
    /// Writes a film into a folder in which nothing is yet, under the names that it will have beside
    /// `output`.
    fn write(
        &self,
        film: &Film<'_>,
        folder: &Path,
        output: &Path,
        stop: &StopFlag,
    ) -> Result<Written, ExportError>;
}

/// What writes this kind of output.
pub(crate) fn output(kind: OutputKind) -> Box<dyn Output> {
    match kind {
        OutputKind::Film(container) => Box::new(file::FilmFile { container }),
        OutputKind::Stream => Box::new(hls::HlsStream),
    }
}

/// Bytes that a film takes beside its video samples: the other tracks, and what the container needs. Found by
/// writing it.
pub(crate) fn overhead(film: &Film<'_>, stop: &StopFlag) -> Result<u64, ExportError> {
    let folder = &film.job.folder;
    let temporary = folder.unfinished_folder();
    let temporary = temporary.map_err(ExportError::file(folder.path(), "making a temporary folder"))?;
    let kind = film.job.output.kind();
    let written = output(kind).write(film, temporary.path(), Path::new(kind.trial_name()), stop)?;
    Ok(written.bytes.saturating_sub(film.video_bytes()))
}

/// Bytes of a file.
pub(crate) fn size(file: &Path) -> Result<u64, ExportError> {
    Ok(fs::metadata(file).map_err(ExportError::file(file, "reading"))?.len())
}
