//! This module opens the file of a silo or a storage, locks it, and deletes it at the end where it must not
//! stay.

use crate::durable::{folder_of, put_in_place};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A backing file owns a file's place. Dropping it deletes the file, unless the file must stay.
#[derive(Debug)]
pub(crate) struct BackingFile {
    path: Option<PathBuf>,
    /// Temporary files go here; `None` means the system's folder.
    folder: Option<PathBuf>,
    /// True if the file existed before.
    existed: bool,
    keep: bool,
}

impl BackingFile {
    /// Opens the file at `path`, or creates it. Without a path, it creates a temporary file in `folder` (or
    /// the system's folder) that other processes can neither read nor find. A file that existed before stays,
    /// and so does a new one if `keep` is set. The file is locked: another process that wants it gets
    /// `WouldBlock`.
    pub(crate) fn open(path: Option<&Path>, folder: Option<&Path>, keep: bool) -> io::Result<(Self, File)> {
        let Some(path) = path else {
            let backing =
                Self { path: None, folder: folder.map(Path::to_owned), existed: false, keep: false };
            return Ok((backing, nameless(folder)?));
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let (file, existed) = match options.clone().create_new(true).open(path) {
            Ok(file) => (file, false),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (options.open(path)?, true),
            Err(error) => return Err(error),
        };
        lock(&file)?;
        // a later change of the current directory must not matter
        let path = std::path::absolute(path)?;
        Ok((Self { path: Some(path), folder: None, existed, keep: keep || existed }, file))
    }

    /// Tells whether the file existed before.
    pub(crate) fn existed(&self) -> bool {
        self.existed
    }

    /// Returns the file's path, or `None` for a temporary file.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Tells whether the file can be opened again once this process is gone.
    pub(crate) fn is_lasting(&self) -> bool {
        self.path.is_some()
    }

    /// Creates a file beside this one for new content.
    pub(crate) fn rebuild(&self) -> io::Result<Rebuilt> {
        let Some(path) = &self.path else {
            return Ok(Rebuilt { file: nameless(self.folder.as_deref())?, path: None });
        };
        let file = tempfile::Builder::new().prefix(".unfinished-").tempfile_in(folder_of(path))?;
        let (file, path) = file.into_parts();
        lock(&file)?;
        Ok(Rebuilt { file, path: Some(path) })
    }

    /// Replaces the old content by the new one in one step. The new content must be flushed.
    pub(crate) fn replace(&self, rebuilt: Rebuilt) -> io::Result<()> {
        if let (Some(new), Some(path)) = (rebuilt.path, &self.path) {
            put_in_place(new, path, true)?;
        }
        Ok(())
    }
}

/// A rebuilt file is meant to replace another. It is deleted if it is dropped before that.
#[derive(Debug)]
pub(crate) struct Rebuilt {
    pub(crate) file: File,
    path: Option<tempfile::TempPath>,
}

fn nameless(folder: Option<&Path>) -> io::Result<File> {
    folder.map_or_else(tempfile::tempfile, tempfile::tempfile_in)
}

/// Keeps other processes out, where the file system can.
fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

impl Drop for BackingFile {
    fn drop(&mut self) {
        if let Some(path) = self.path.as_ref().filter(|_| !self.keep) {
            // a drop cannot report an error
            let _ = std::fs::remove_file(path);
        }
    }
}
