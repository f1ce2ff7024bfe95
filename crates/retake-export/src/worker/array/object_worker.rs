//! A worker whose job lies in an object store: it copies what it needs into a folder of its own, works there
//! as in a folder that all machines share, and puts what it made into the store.

use super::index_worker::run_in;
use super::{ArrayFile, ArrayId, ArrayWork};
use crate::error::{ExportError, RequestError};
use crate::job::folder::{ARRAYS, DESCRIPTION, SOURCE_FACTS, TAKES, VisitedFolder};
use crate::job::objects::{JobObjects, without_store};
use crate::objects::Existing;
use crate::own_folder::Folder;
use crate::stop::StopFlag;
use crate::take::store;
use crate::worker::WorkerTools;
use crate::worker::root::SharedRoot;
use crate::worker::task;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// How the folder of a worker is called below that of temporary files, and the file in it that it locks.
const PREFIX: &str = "retake-worker-";
const LOCK: &str = "lock";

/// Runs the work of an index. See [`run_array_worker`](super::run_array_worker).
pub(super) fn run(
    address: &str,
    file: &Path,
    index: u32,
    tools: &WorkerTools,
    stop: &StopFlag,
) -> Result<(), ExportError> {
    let store = tools.objects.clone().ok_or_else(|| without_store(Path::new(address)))?;
    let (job, array) = place(address, file)?;
    let objects = JobObjects::at(store, address, &job, stop);
    let scratch =
        Scratch::new().map_err(ExportError::file(std::env::temp_dir(), "making a temporary folder"))?;
    let worker = ObjectWorker { objects, array, index };
    let folder = worker.prepare(&scratch)?;
    let root = SharedRoot::open(&scratch.path)?;
    let file = folder.arrays()?.path().join(worker.array.file());
    let done = run_in(&root, &file, index, tools, stop);
    stop.check()?;
    worker.put_all(&folder)?;
    done
}

/// The names of the job and of the array that a file stands for, which is told by its address or by its path
/// below that of the place that all machines share.
fn place(address: &str, file: &Path) -> Result<(String, ArrayId), ExportError> {
    let root = address.trim_end_matches('/');
    let text = file.to_str().unwrap_or_default();
    let text = text.strip_prefix(root).map_or(text, |below| below.trim_start_matches('/'));
    let parts: Vec<&str> = text.split('/').collect();
    match parts[..] {
        [job, ARRAYS, name] if JobObjects::is_name(job) => match ArrayId::of(name) {
            Some((array, None)) if array.file() == name => Some((job.to_owned(), array)),
            _ => None,
        },
        _ => None,
    }
    .ok_or_else(|| {
        RequestError::OutsideSharedRoot { path: file.to_owned(), root: PathBuf::from(root) }.into()
    })
}

struct ObjectWorker {
    objects: JobObjects,
    array: ArrayId,
    index: u32,
}

impl ObjectWorker {
    /// Names the machine in what the store said, because nobody else knows on which one it was said.
    fn told(&self, name: &str, doing: &'static str, error: io::Error) -> ExportError {
        let words = format!("on {}: {error}", task::machine());
        self.objects.failed(name, doing, io::Error::new(error.kind(), words))
    }

    /// Copies what the work needs into the folder.
    fn prepare(&self, scratch: &Scratch) -> Result<VisitedFolder, ExportError> {
        let path = scratch.path.join(self.objects.name());
        let folder = Folder::open(&path).map_err(ExportError::file(&path, "making a temporary folder"))?;
        let visited = VisitedFolder::open(&path)?;
        let (arrays, takes) = (visited.arrays()?, visited.takes()?);
        let array = format!("{ARRAYS}/{}", self.array.file());
        self.copy(&array, &arrays, &self.array.file())?;
        for name in [DESCRIPTION, SOURCE_FACTS] {
            self.copy(name, &folder, name)?;
        }
        let read = arrays.read(&self.array.file()).and_then(|file| ArrayFile::read(file, self.index));
        let (head, work) = read.map_err(|error| self.told(&array, "reading an array of takes", error))?;
        if let Some(index) = &head.index {
            let fetched = self.objects.fetch_blocks(&index.run, index.bytes, &folder);
            fetched.map_err(|error| self.told("index", "fetching the frame index", error))?;
        }
        if let Some(ArrayWork::Take(take)) = &work {
            let name = store::name_of(take);
            // one that is missing or damaged is made
            let fetched = self.objects.fetch_take(&name, &takes);
            fetched.map_err(|error| self.told(&name, "looking for the take", error))?;
        }
        Ok(visited)
    }

    fn copy(&self, name: &str, folder: &Folder, file: &str) -> Result<(), ExportError> {
        let copied = self.objects.fetch(name, folder).and_then(|found| match found {
            Some(found) => found.persist(file),
            None => {
                Err(io::Error::new(io::ErrorKind::NotFound, "there is no such object: the job may be over"))
            }
        });
        copied.map_err(|error| self.told(name, "fetching the job", error))
    }

    /// Puts into the store what was made, and what is said of it last.
    fn put_all(&self, folder: &VisitedFolder) -> Result<(), ExportError> {
        let (arrays, takes) = (folder.arrays()?, folder.takes()?);
        let listed = takes.names().map_err(ExportError::file(takes.path(), "reading the folder of takes"))?;
        let mut put = Vec::new();
        for name in listed.iter().filter(|name| store::is_name(name)) {
            let done = self.objects.put_take(name, &takes);
            done.map_err(|error| self.told(name, "putting a take in place", error))?;
            put.push(format!("{TAKES}/{name}"));
        }
        for name in [self.array.range(self.index), self.array.report(self.index)] {
            if arrays.read(&name).is_err() {
                continue;
            }
            let object = format!("{ARRAYS}/{name}");
            let done = self.objects.put_file(&object, &arrays, &name, Existing::Replace);
            done.map_err(|error| self.told(&object, "telling what became of a take", error))?;
            put.push(object);
        }
        // whoever ends a job removes its description first, so that one of the two removes what was put late
        match self.objects.has(DESCRIPTION) {
            Ok(false) => {
                let removed = self.objects.remove(&put);
                removed.map_err(|error| self.told("", "removing what came too late", error))
            }
            // what may be left only takes space
            Ok(true) | Err(_) => Ok(()),
        }
    }
}

/// A folder of temporary files that goes away with the value, or with the next worker on this machine if this
/// one is killed.
struct Scratch {
    path: PathBuf,
    lock: Option<File>,
}

impl Scratch {
    fn new() -> io::Result<Self> {
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
    use crate::worker::array::ArrayNames;

    /// Nothing that is no array of a job leads anywhere.
    #[test]
    fn a_worker_is_told_of_an_array_of_a_job() {
        let array = ArrayNames::new().next();
        let job = "retake-0123456789abcdef0123456789abcdef";
        for told in
            [format!("{job}/arrays/{array}.json"), format!("s3://films/jobs/{job}/arrays/{array}.json")]
        {
            let found = place("s3://films/jobs/", Path::new(&told)).unwrap();
            assert_eq!(found, (job.to_owned(), array.clone()), "{told}");
        }
        for told in [
            format!("{job}/arrays/{array}-1.json"),
            format!("{job}/arrays/{array}.log"),
            format!("{job}/takes/{array}.json"),
            format!("../{job}/arrays/{array}.json"),
            format!("{job}/arrays/../arrays/{array}.json"),
            format!("/{job}/arrays/{array}.json"),
            format!("s3://other/{job}/arrays/{array}.json"),
            format!("holiday/arrays/{array}.json"),
        ] {
            let refused = place("s3://films/jobs", Path::new(&told));
            let outside =
                matches!(refused, Err(ExportError::Request(RequestError::OutsideSharedRoot { .. })));
            assert!(outside, "{told}");
        }
    }

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
