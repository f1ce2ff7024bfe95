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
/// How it is called before it is locked, and how often one is made: another worker may take it for one that
/// was left, because nobody has locked it yet.
const NEW_PREFIX: &str = "retake-new-";
const MOST_ATTEMPTS: u32 = 16;

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
        let mut made = Self::make_in(&place);
        for _ in 1..MOST_ATTEMPTS {
            match made {
                Err(error) if error.kind() == io::ErrorKind::NotFound => made = Self::make_in(&place),
                made => return made,
            }
        }
        made
    }

    fn make_in(place: &Path) -> io::Result<Self> {
        let made = tempfile::Builder::new().prefix(NEW_PREFIX).tempdir_in(place)?;
        let lock = Folder::open(made.path())?.edit(LOCK)?;
        if lock.try_lock().is_err() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let number = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
        let path = place.join(format!("{PREFIX}{number:016x}"));
        fs::rename(made.path(), &path)?;
        // what is at the old place is not this folder's any more
        let _ = made.keep();
        // the folder was given its name with its lock, unless another worker has just removed that
        path.join(LOCK).symlink_metadata()?;
        Ok(Self { path, lock: Some(lock) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // what is left is removed by the next worker
        let _ = remove(&self.path);
        self.lock = None;
    }
}

/// Removes a folder, and its lock behind all that is in it: where this process is killed in between, the lock
/// still says that the folder is a worker's, or the folder is empty.
fn remove(path: &Path) -> io::Result<()> {
    empty_but_lock(path)?;
    fs::remove_file(path.join(LOCK))?;
    fs::remove_dir(path)
}

fn empty_but_lock(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Removes the folders of workers that were killed: nobody has locked them, or they are empty.
fn remove_left(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let begins = |prefix: &&str| name.to_str().is_some_and(|name| name.starts_with(*prefix));
        if ![PREFIX, NEW_PREFIX].iter().any(begins) {
            continue;
        }
        // a folder of another user, or a link, is left alone
        let Ok(folder) = Folder::open(&entry.path()) else { continue };
        match folder.read(LOCK) {
            Ok(lock) if lock.try_lock().is_ok() => {
                let _ = remove(&entry.path());
                // another worker that looks at the same folder must not remove it, too, before this one has
                drop(lock);
            }
            Ok(_) => {}
            // only an empty folder can be removed in this way
            Err(_) => _ = fs::remove_dir(entry.path()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a killed worker left goes away, also where it was killed while it made or removed its folder;
    /// what another one uses, and what is none's, stays.
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
        let made = [folder("retake-new-1").1, place.path().join("retake-new-2")];
        let (empty, foreign) = (place.path().join("retake-worker-3"), place.path().join("retake-worker-4"));
        for path in [&made[1], &empty, &foreign] {
            drop(Folder::open(path).unwrap());
        }
        fs::write(foreign.join("letter"), "not a worker's").unwrap();
        remove_left(place.path());
        assert!(!left.1.exists() && !empty.exists() && !made[0].exists() && !made[1].exists());
        assert!(used.1.exists() && other.1.exists() && foreign.join("letter").exists());
    }

    /// As long as anything is in a folder that is being removed, its lock is.
    #[test]
    fn a_lock_goes_last() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("retake-worker-1");
        drop(Folder::open(&path).unwrap().edit(LOCK).unwrap());
        for name in ["a", "lock-of-another", "z"] {
            fs::create_dir_all(path.join(name).join("within")).unwrap();
            fs::write(path.join(name).join("within/take"), "a take").unwrap();
            fs::write(path.join(format!("{name}.json")), "").unwrap();
        }
        empty_but_lock(&path).unwrap();
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [LOCK]);
        remove(&path).unwrap();
        assert!(!path.exists());
    }

    /// Workers that begin and end at once do not take each other's folders for such as were left.
    #[test]
    fn workers_that_begin_at_once_have_folders_of_their_own() {
        let place = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        remove_left(place.path());
                        let mut made = Scratch::make_in(place.path());
                        while made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                            made = Scratch::make_in(place.path());
                        }
                        let scratch = made.unwrap();
                        fs::write(scratch.path().join("take"), "a take").unwrap();
                        remove_left(place.path());
                        assert!(scratch.path().join("take").exists() && scratch.path().join(LOCK).exists());
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
