//! What a worker has of a job that lies in an object store: it copies what it needs into a folder of its own,
//! works there as in a folder that all machines share, and puts what it made into the store.

use super::task;
use crate::error::ExportError;
use crate::job::folder::{DESCRIPTION, SOURCE_FACTS, TAKES, VisitedFolder};
use crate::job::objects::{JobObjects, StoredIndex};
use crate::own_folder::Folder;
use crate::take::store;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// How the folder of a worker is called below that of temporary files, and the file in it that it locks.
const PREFIX: &str = "retake-worker-";
const LOCK: &str = "lock";

/// The copy of a job. It goes away with the value.
pub(super) struct JobCopy {
    objects: JobObjects,
    scratch: Scratch,
    folder: Folder,
    visited: VisitedFolder,
}

impl JobCopy {
    /// Begins a copy with nothing in it.
    pub(super) fn begin(objects: JobObjects) -> Result<Self, ExportError> {
        let scratch = Scratch::new()?;
        let path = scratch.path.join(objects.name());
        let folder = Folder::open(&path).map_err(ExportError::file(&path, "making a temporary folder"))?;
        let visited = VisitedFolder::open(&path)?;
        Ok(Self { objects, scratch, folder, visited })
    }

    /// The folder that holds the copy, as the one that all machines share holds a job.
    pub(super) fn root(&self) -> &Path {
        &self.scratch.path
    }

    /// The copy of the job folder.
    pub(super) fn folder(&self) -> &VisitedFolder {
        &self.visited
    }

    pub(super) fn objects(&self) -> &JobObjects {
        &self.objects
    }

    /// Names the machine in what the store said, because nobody else knows on which one it was said.
    pub(super) fn told(&self, name: &str, doing: &'static str, error: io::Error) -> ExportError {
        let words = format!("on {}: {error}", task::machine());
        self.objects.failed(name, doing, io::Error::new(error.kind(), words))
    }

    /// Copies what describes the job.
    pub(super) fn fetch_description(&self) -> Result<(), ExportError> {
        [DESCRIPTION, SOURCE_FACTS].into_iter().try_for_each(|name| self.fetch(name, &self.folder, name))
    }

    /// Copies an object to where it belongs in a folder. It has to be there.
    pub(super) fn fetch(&self, name: &str, folder: &Folder, file: &str) -> Result<(), ExportError> {
        let copied = self.objects.fetch(name, folder).and_then(|found| match found {
            Some(found) => found.persist(file),
            None => {
                Err(io::Error::new(io::ErrorKind::NotFound, "there is no such object: the job may be over"))
            }
        });
        copied.map_err(|error| self.told(name, "fetching the job", error))
    }

    /// Copies what a worker needs of the index of the source.
    pub(super) fn fetch_index(&self, index: &StoredIndex) -> Result<(), ExportError> {
        let fetched = self.objects.fetch_blocks(&index.run, index.bytes, &self.folder);
        fetched.map(drop).map_err(|error| self.told("index", "fetching the frame index", error))
    }

    /// Copies a take that is there already: one that is missing or damaged is made.
    pub(super) fn fetch_take(&self, name: &str) -> Result<(), ExportError> {
        let fetched = self.objects.fetch_take(name, &self.visited.takes()?);
        fetched.map(drop).map_err(|error| self.told(name, "looking for the take", error))
    }

    /// Puts all takes of the copy into the store, and returns the names of their objects.
    pub(super) fn put_takes(&self) -> Result<Vec<String>, ExportError> {
        let takes = self.visited.takes()?;
        let listed = takes.names().map_err(ExportError::file(takes.path(), "reading the folder of takes"))?;
        let mut put = Vec::new();
        for name in listed.iter().filter(|name| store::is_name(name)) {
            let done = self.objects.put_take(name, &takes);
            done.map_err(|error| self.told(name, "putting a take in place", error))?;
            put.push(format!("{TAKES}/{name}"));
        }
        Ok(put)
    }

    /// Takes back what was put for a job that was over by then. Whoever ends a job removes its description
    /// first, so that one of the two removes what was put late.
    pub(super) fn take_back_late(&self, put: &[String]) -> Result<(), ExportError> {
        match self.objects.has(DESCRIPTION) {
            Ok(false) => {
                let removed = self.objects.remove(put);
                removed.map_err(|error| self.told("", "removing what came too late", error))
            }
            // what may be left only takes space
            Ok(true) | Err(_) => Ok(()),
        }
    }
}

/// A folder of temporary files that goes away with the value, or with the next worker on this machine if this
/// one is killed.
pub(crate) struct Scratch {
    path: PathBuf,
    lock: Option<File>,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self, ExportError> {
        Self::make().map_err(ExportError::file(std::env::temp_dir(), "making a temporary folder"))
    }

    fn make() -> io::Result<Self> {
        let place = std::env::temp_dir().canonicalize()?;
        remove_left(&place);
        let made = tempfile::Builder::new().prefix("retake-new-").tempdir_in(&place)?;
        let lock = Folder::open(made.path())?.edit(LOCK)?;
        // nobody else knows it yet
        lock.lock()?;
        let number = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
        let path = place.join(format!("{PREFIX}{number:016x}"));
        fs::rename(made.path(), &path)?;
        // what is at the old place is not this folder's any more
        let _ = made.keep();
        Ok(Self { path, lock: Some(lock) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // what is left is removed by the next worker
        let _ = fs::remove_dir_all(&self.path);
        self.lock = None;
    }
}

/// Removes the folders of workers that were killed: nobody has locked them.
fn remove_left(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !is_one {
            continue;
        }
        // a folder of another user, or a link, is left alone
        let lock = Folder::open(&entry.path()).and_then(|folder| folder.read(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a killed worker left goes away; what another one uses, and what is none's, stays.
    #[test]
    fn the_folder_of_a_killed_worker_is_removed_by_the_next() {
        let place = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = place.path().join(name);
            (Folder::open(&path).unwrap().edit(LOCK).unwrap(), path)
        };
        let (left, used, other) = (folder("retake-worker-1"), folder("retake-worker-2"), folder("holiday"));
        fs::write(left.1.join("take"), "a take").unwrap();
        used.0.lock().unwrap();
        let bare = place.path().join("retake-worker-3");
        fs::create_dir(&bare).unwrap();
        remove_left(place.path());
        assert!(!left.1.exists());
        assert!(used.1.exists() && other.1.exists() && bare.exists());
    }
}
