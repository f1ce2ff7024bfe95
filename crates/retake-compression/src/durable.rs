//! How a finished file gets its name: at a path there is what was there before, or the whole file, and never
//! anything between, also after a power failure.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use tempfile::TempPath;

/// Puts a complete file in place: its content on the disk first, then its name, then the name on the disk.
/// The file is gone from where it was, also when this fails.
///
/// # Errors
/// Returns the error of the system; where nothing must be replaced and something is there,
/// [`io::ErrorKind::AlreadyExists`].
pub fn put_in_place(file: TempPath, path: &Path, replace: bool) -> io::Result<()> {
    // whoever wrote the file may have closed it, and some systems sync only what is open for writing
    File::options().write(true).open(&file)?.sync_all()?;
    let mut file = Some(file);
    uninterrupted(|| {
        let unplaced = file.take().expect("a file that was not placed comes back with the error");
        let placed = if replace { unplaced.persist(path) } else { unplaced.persist_noclobber(path) };
        placed.map_err(|error| {
            file = Some(error.path);
            error.error
        })
    })?;
    sync_folder(folder_of(path))
}

/// Makes a call into the system again for as long as a signal interrupts it.
///
/// # Errors
/// Returns any other error of the call.
pub fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Lists a folder. A signal that interrupts the listing begins it anew, because an iterator that has told an
/// error need not go on.
///
/// # Errors
/// Returns any other error of the system.
pub fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    uninterrupted(|| fs::read_dir(folder)?.collect())
}

/// Returns the folder that a path is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder survive a power failure. Where the system cannot sync a folder, or lets it be
/// written and not read, they are as safe as they get.
///
/// # Errors
/// Returns the error of the system where the disk fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    let Ok(folder) = File::open(folder) else { return Ok(()) };
    match folder.sync_all() {
        Err(error) if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Err(error)
        }
        _ => Ok(()),
    }
}
