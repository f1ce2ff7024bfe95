//! The output's place: it holds nothing, or the finished film.

use crate::error::WriterError;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Where a film is to be.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    file: PathBuf,
    folder: PathBuf,
}

impl Place {
    /// A place that is free.
    pub(crate) fn find(file: &Path) -> Result<Self, WriterError> {
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        match file.symlink_metadata() {
            Ok(_) => Err(WriterError::FileExists { file: file.into() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { file: file.into(), folder }),
            Err(error) => Err(WriterError::io(file)(error)),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts a complete file there: on the disk first, then by its name, then the name on the disk. What somebody else put there
    /// meanwhile stays.
    pub(crate) fn fill(&self, file: NamedTempFile) -> Result<(), WriterError> {
        // the muxer wrote through another handle of the same file
        file.as_file().sync_all().map_err(WriterError::io(&self.file))?;
        file.persist_noclobber(&self.file).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => WriterError::FileExists { file: self.file.clone() },
            _ => WriterError::io(&self.file)(error.error),
        })?;
        if cfg!(unix) {
            let folder = File::open(&self.folder).map_err(WriterError::io(&self.folder))?;
            folder.sync_all().map_err(WriterError::io(&self.folder))?;
        }
        Ok(())
    }
}

/// A file that goes away unless it becomes the film: `film.unfinished-….mp4`. A killed program leaves it, and by its name people know
/// what it is; of a film in fragments it plays as far as it got.
pub(crate) fn temporary(folder: &Path, output: &Path) -> Result<NamedTempFile, WriterError> {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let prefix = format!("{}.unfinished-", text(output.file_stem()));
    let suffix = format!(".{}", text(output.extension()));
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(&suffix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // what the umask leaves of it: a finished film is as readable as any new file
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).map_err(WriterError::io(folder))
}
