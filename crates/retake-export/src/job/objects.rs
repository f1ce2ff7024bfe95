//! The files of a job as objects of a store, for exports and workers that share no folder.
//!
//! An object has the name that the file has in a job folder. The export and each worker have a folder of
//! their own, and copy by these names. Nothing that comes from the store is believed before it was looked at:
//! a take counts if all of it is what its end says, and its name is that of its description.

use super::folder::{ARRAYS, DESCRIPTION, INDEX, JobFolder, SOURCE_FACTS, STOPPING, TAKES};
use super::identity::RequestIdentity;
use super::request::Request;
use crate::error::{ExportError, RequestError};
use crate::objects::{Existing, ObjectStore, object_address};
use crate::own_folder::{Folder, Unfinished};
use crate::stop::StopFlag;
use crate::take::store as take_store;
use crate::worker::array;
use crate::worker::root::SharedRoot;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// How the names of jobs begin below the place that all machines share.
const PREFIX: &str = "retake-";
/// The bytes of a block of the index. The last one may be shorter.
pub(crate) const BLOCK: u64 = 1 << 20;
/// The most objects of a job, and the most blocks of its index.
const MOST_NAMES: usize = 1_000_000;
const MOST_BLOCKS: usize = 10_000;
/// The most bytes of what is read into memory, and of what is kept in a file.
pub(crate) const MOST_TEXT: u64 = 1 << 20;
pub(crate) const MOST_FILE: u64 = 64 << 30;
/// The most bytes that are sent in one request.
const PART: u64 = 8 << 20;
/// How often an object is opened again that was replaced while it was read.
const ATTEMPTS: u32 = 5;
/// The most takes that are fetched at once.
const FETCHERS: usize = 8;
/// How long it may take to tidy up.
const CLEANUP: Duration = Duration::from_secs(10);

/// The objects of one job.
#[derive(Debug, Clone)]
pub(crate) struct JobObjects {
    store: Arc<dyn ObjectStore>,
    /// The address of the place that all machines share, and the job's name below it.
    root: String,
    name: String,
    /// What ends a call that waits: a flag, or the time.
    stop: StopFlag,
    until: Option<Instant>,
}

/// The index of the source as a run has put it into an object store, in blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredIndex {
    pub run: String,
    pub bytes: u64,
}

/// What became of a take that was to be fetched.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// It is in the folder.
    Whole,
    /// There is no such object.
    Missing,
    /// The object is not the take of its name.
    Damaged,
}

impl JobObjects {
    /// The objects of the job that a request is for; `None` where takes do not travel through a store.
    ///
    /// The name of the job follows from the request and its output alone, so that the same command finds what
    /// an earlier run left, on another machine too.
    pub(crate) fn of(
        request: &Request,
        identity: &RequestIdentity,
        stop: &StopFlag,
    ) -> Result<Option<Self>, ExportError> {
        let Some(root) = request.shared_root.as_deref() else { return Ok(None) };
        let elsewhere = request.run_on.is_elsewhere();
        let Some(address) = object_address(root).filter(|_| elsewhere) else { return Ok(None) };
        let Some(store) = &request.objects else { return Err(without_store(root)) };
        let output = match object_address(&request.output) {
            Some(_) => request.output.clone(),
            None => std::path::absolute(&request.output).unwrap_or_else(|_| request.output.clone()),
        };
        let text = serde_json::to_vec(&(identity, output.to_string_lossy()));
        let text = text.map_err(|error| ExportError::Internal(error.to_string()))?;
        let name = format!("{PREFIX}{:032x}", xxh3_128(&text));
        Ok(Some(Self::at(store.clone(), address, &name, stop)))
    }

    /// The objects of the job that is called so.
    pub(crate) fn at(store: Arc<dyn ObjectStore>, root: &str, name: &str, stop: &StopFlag) -> Self {
        let (root, name) = (root.trim_end_matches('/').to_owned(), name.to_owned());
        Self { store, root, name, stop: stop.clone(), until: None }
    }

    /// Whether a job may be called so.
    pub(crate) fn is_name(name: &str) -> bool {
        let id = name.strip_prefix(PREFIX);
        id.is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    /// The same objects; calls end when this flag is raised.
    pub(crate) fn until(&self, stop: &StopFlag) -> Self {
        Self { stop: stop.clone(), ..self.clone() }
    }

    /// The same objects, for what has to be tidied up although everything else was stopped.
    pub(crate) fn for_cleanup(&self) -> Self {
        Self { stop: StopFlag::new(), until: Some(Instant::now() + CLEANUP), ..self.clone() }
    }

    /// The address of the place that all machines share.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// That place, below which all paths are.
    pub(crate) fn shared_root(&self) -> Result<SharedRoot, ExportError> {
        SharedRoot::open(Path::new(&self.root))
    }

    /// The job's name below that place.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn address(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.root, self.name)
    }

    fn interrupted(&self) -> bool {
        self.stop.is_raised() || self.until.is_some_and(|until| Instant::now() > until)
    }

    /// What a call fails with that could not do this.
    pub(crate) fn failed(&self, name: &str, doing: &'static str, error: io::Error) -> ExportError {
        if self.stop.is_raised() {
            return ExportError::Stopped;
        }
        ExportError::File { path: PathBuf::from(self.address(name)), doing, source: error }
    }

    /// What a call fails with before any work: the place is the request's to choose.
    pub(crate) fn refused(&self, error: &io::Error) -> ExportError {
        if self.stop.is_raised() {
            return ExportError::Stopped;
        }
        RequestError::SharedRootRefused { root: PathBuf::from(&self.root), reason: error.to_string() }.into()
    }

    /// The error that another run works on this job.
    pub(crate) fn taken_over(&self) -> ExportError {
        RequestError::JobFolderBusy { folder: format!("{}/{}", self.root, self.name).into() }.into()
    }

    /// The names of the objects below a prefix, without it.
    pub(crate) fn names(&self, prefix: &str) -> io::Result<Vec<String>> {
        self.store.list(&self.address(prefix), MOST_NAMES, &|| self.interrupted())
    }

    /// Whether there is such an object.
    pub(crate) fn has(&self, name: &str) -> io::Result<bool> {
        Ok(self.store.look(&self.address(name), &|| self.interrupted())?.is_some())
    }

    /// Removes objects, as far as they are there.
    pub(crate) fn remove(&self, names: &[String]) -> io::Result<()> {
        let address = format!("{}/{}", self.root, self.name);
        self.store.remove(&address, names, &|| self.interrupted())
    }

    /// Puts a small object in place.
    pub(crate) fn put(&self, name: &str, bytes: &[u8], existing: Existing) -> io::Result<()> {
        self.store.put(&self.address(name), bytes.to_vec(), existing, &|| self.interrupted())
    }

    /// Puts a file of a folder in place as an object.
    pub(crate) fn put_file(
        &self,
        name: &str,
        folder: &Folder,
        file: &str,
        existing: Existing,
    ) -> io::Result<()> {
        let mut open = folder.read(file)?;
        if open.metadata()?.len() > PART {
            let path = folder.path().join(file);
            return self.store.put_file(&self.address(name), &path, None, existing, &|| self.interrupted());
        }
        let mut bytes = Vec::new();
        Read::by_ref(&mut open).take(PART + 1).read_to_end(&mut bytes)?;
        self.store.put(&self.address(name), bytes, existing, &|| self.interrupted())
    }

    /// Reads an object into memory; `None` where there is none.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for one of more than `most` bytes.
    pub(crate) fn bytes(&self, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        for _ in 1..ATTEMPTS {
            let mut bytes = Vec::new();
            match self.read(name, most, &mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::StaleNetworkFileHandle => {}
                read => return Ok(read?.then_some(bytes)),
            }
        }
        let mut bytes = Vec::new();
        Ok(self.read(name, most, &mut bytes)?.then_some(bytes))
    }

    /// Begins a file in a folder with all bytes of an object; `None` where there is none.
    pub(crate) fn fetch(&self, name: &str, folder: &Folder) -> io::Result<Option<Unfinished>> {
        let mut file = folder.begin()?;
        Ok(self.read(name, MOST_FILE, &mut file.file)?.then_some(file))
    }

    /// Copies an object to where it belongs in a folder. Returns whether there is one.
    fn copy(&self, name: &str, folder: &Folder, file: &str) -> io::Result<bool> {
        let Some(found) = self.fetch(name, folder)? else { return Ok(false) };
        found.persist(file)?;
        Ok(true)
    }

    fn read(&self, name: &str, most: u64, into: &mut dyn Write) -> io::Result<bool> {
        let (address, interrupted) = (self.address(name), || self.interrupted());
        let mut object = match self.store.open(&address, &interrupted) {
            // a bucket that is not there is another matter
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.store.look(&address, &interrupted)?;
                return Ok(false);
            }
            opened => opened?,
        };
        let length = object.length();
        if length > most {
            let what = format!("it has {length} bytes, and at most {most} are taken");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let (mut piece, mut place) = (vec![0; 64 << 10], 0);
        while place < length {
            let count = object.read_at(place, &mut piece, &interrupted)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            into.write_all(&piece[..count])?;
            place += count as u64;
        }
        Ok(true)
    }

    /// Fetches a take into the folder of takes, unless it is there.
    pub(crate) fn fetch_take(&self, name: &str, takes: &Folder) -> io::Result<Fetched> {
        if takes.read(name).is_ok_and(|file| take_store::check(file, name).is_ok()) {
            return Ok(Fetched::Whole);
        }
        let Some(found) = self.fetch(&format!("{TAKES}/{name}"), takes)? else { return Ok(Fetched::Missing) };
        if found.file.try_clone().and_then(|file| take_store::check(file, name)).is_err() {
            return Ok(Fetched::Damaged);
        }
        found.file.sync_all()?;
        found.persist(name)?;
        takes.sync();
        Ok(Fetched::Whole)
    }

    /// Puts a take of the folder of takes in place. One that is there already is left there if it is sound.
    pub(crate) fn put_take(&self, name: &str, takes: &Folder) -> io::Result<()> {
        let object = format!("{TAKES}/{name}");
        match self.put_file(&object, takes, name, Existing::Keep) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            put => return put,
        }
        let there = self.fetch(&object, takes)?;
        match there.map(|found| found.file.try_clone().and_then(|file| take_store::check(file, name))) {
            Some(Ok(())) => Ok(()),
            _ => self.put_file(&object, takes, name, Existing::Replace),
        }
    }

    /// Brings what an earlier run left into the job folder, as far as the folder lacks it.
    pub(crate) fn fetch_job(&self, folder: &JobFolder) -> io::Result<()> {
        let (own, takes) = (folder.folder(), folder.takes().map_err(io::Error::other)?);
        if !folder.has_description() {
            self.copy(DESCRIPTION, own, DESCRIPTION)?;
        }
        if own.read(INDEX).is_err() {
            self.fetch_index(own)?;
        }
        let names = self.names(TAKES)?.into_iter().filter(|name| take_store::is_name(name)).collect();
        self.fetch_takes(names, &takes)
    }

    /// Fetches takes, several at once, because each is small and waits for the store. Damaged ones are
    /// removed.
    fn fetch_takes(&self, names: Vec<String>, takes: &Folder) -> io::Result<()> {
        let fetchers = FETCHERS.min(names.len());
        let names = Mutex::new(names);
        // a list is sound whatever a panicking holder was doing
        let left = || names.lock().unwrap_or_else(PoisonError::into_inner);
        let fetch = |name: &str| match self.fetch_take(name, takes)? {
            Fetched::Damaged => self.remove(&[format!("{TAKES}/{name}")]),
            Fetched::Whole | Fetched::Missing => Ok(()),
        };
        let fetch_all = || {
            loop {
                let Some(name) = left().pop() else { return Ok(()) };
                if let Err(error) = fetch(&name) {
                    // the others would wait for the same store
                    left().clear();
                    return Err(error);
                }
            }
        };
        thread::scope(|scope| {
            let running: Vec<_> = (0..fetchers).map(|_| scope.spawn(fetch_all)).collect();
            // all are joined, and the first error counts
            let ended: Vec<_> = running.into_iter().map(thread::ScopedJoinHandle::join).collect();
            ended.into_iter().try_for_each(|one| one.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// Fetches the longest index that a run has put there.
    fn fetch_index(&self, folder: &Folder) -> io::Result<()> {
        let mut runs = BTreeMap::<String, usize>::new();
        for name in self.names(INDEX)? {
            if let Some((run, _)) = block_of(&name) {
                *runs.entry(run.to_owned()).or_default() += 1;
            }
        }
        let Some((run, blocks)) = runs.into_iter().max_by_key(|(_, blocks)| *blocks) else { return Ok(()) };
        // what is cut off is carried on, and what is none is begun anew
        self.fetch_blocks(&run, blocks.min(MOST_BLOCKS) as u64 * BLOCK, folder).map(drop)
    }

    /// Fetches an index that a run has put there, of at least so many bytes, as far as its blocks are there.
    pub(crate) fn fetch_blocks(&self, run: &str, bytes: u64, folder: &Folder) -> io::Result<u64> {
        let (mut file, mut length) = (folder.begin()?, 0);
        for number in 0..bytes.div_ceil(BLOCK).min(MOST_BLOCKS as u64) {
            let Some(block) = self.bytes(&block_name(run, number), BLOCK)? else { break };
            file.file.write_all(&block)?;
            length += block.len() as u64;
            if (block.len() as u64) < BLOCK {
                break;
            }
        }
        file.persist(INDEX)?;
        Ok(length)
    }

    /// Puts the bytes of an index in place behind those that are there, block by block, and returns how many
    /// there are now. The last block is replaced as it grows.
    pub(crate) fn put_blocks(&self, run: &str, from: u64, folder: &Folder) -> io::Result<u64> {
        let mut index = match folder.read(INDEX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            open => open?,
        };
        let mut there = from;
        loop {
            let number = there / BLOCK;
            let mut block = Vec::new();
            index.seek(SeekFrom::Start(number * BLOCK))?;
            Read::by_ref(&mut index).take(BLOCK).read_to_end(&mut block)?;
            let end = number * BLOCK + block.len() as u64;
            if end <= there {
                return Ok(there);
            }
            self.put(&block_name(run, number), &block, Existing::Replace)?;
            there = end;
        }
    }

    /// Puts an index in place that grows no more, unless it is there: its run is told by its bytes.
    pub(crate) fn put_index(&self, folder: &Folder) -> io::Result<StoredIndex> {
        let (mut index, mut hash, mut bytes) = (folder.read(INDEX)?, Xxh3::new(), 0);
        let mut piece = vec![0; 64 << 10];
        loop {
            let count = index.read(&mut piece)?;
            if count == 0 {
                break;
            }
            hash.update(&piece[..count]);
            bytes += count as u64;
        }
        let run = format!("{:016x}", hash.digest());
        let is_its = |name: &&String| block_of(name).is_some_and(|(of, _)| of == run);
        let there = self.names(INDEX)?.iter().filter(is_its).count() as u64;
        if there < bytes.div_ceil(BLOCK) {
            self.put_blocks(&run, 0, folder)?;
        }
        Ok(StoredIndex { run, bytes })
    }

    /// Puts in place what describes the job to workers.
    pub(crate) fn describe(&self, described: &[(String, Vec<u8>)]) -> io::Result<()> {
        described.iter().try_for_each(|(name, text)| self.put(name, text, Existing::Replace))
    }

    /// Has all workers give up what they do, until the job is carried on. Where there is no job, nothing
    /// happens.
    pub(crate) fn give_up(&self) -> io::Result<()> {
        if !self.has(DESCRIPTION)? {
            return Ok(());
        }
        self.put(STOPPING, b"", Existing::Replace)?;
        // as whoever ends a job removes its description first
        if self.has(DESCRIPTION)? { Ok(()) } else { self.carry_on() }
    }

    /// The job is not given up any more.
    pub(crate) fn carry_on(&self) -> io::Result<()> {
        self.remove(&[STOPPING.to_owned()])
    }

    /// Whether all workers are to give up what they do.
    pub(crate) fn is_given_up(&self) -> bool {
        self.has(STOPPING).unwrap_or(false)
    }

    /// Removes the blocks of all runs but this one.
    pub(crate) fn remove_other_blocks(&self, run: &str) -> io::Result<()> {
        let names = self.names(INDEX)?;
        let others = names.iter().filter(|name| block_of(name).is_some_and(|(of, _)| of != run));
        self.remove(&others.map(|name| format!("{INDEX}/{name}")).collect::<Vec<_>>())
    }

    /// Removes all objects of the job. What belongs to others stays. The description goes first: a worker
    /// that puts something there looks for it afterwards, and takes back what it put.
    pub(crate) fn remove_all(&self) -> io::Result<()> {
        self.remove(&[DESCRIPTION.to_owned()])?;
        let names = self.names("")?;
        let ours = names.into_iter().filter(|name| is_ours(name)).collect::<Vec<_>>();
        self.remove(&ours)
    }
}

/// The error that this program knows no stores.
pub(crate) fn without_store(root: &Path) -> ExportError {
    let reason = "this program was built without object stores (feature `objects`)".to_owned();
    RequestError::SharedRootRefused { root: root.to_owned(), reason }.into()
}

/// Whether an object of this name is a job's.
fn is_ours(name: &str) -> bool {
    match name.split_once('/') {
        Some((TAKES, name)) => take_store::is_name(name),
        Some((ARRAYS, name)) => array::is_name(name) || run_of(name).is_some(),
        Some((INDEX, name)) => block_of(name).is_some(),
        Some(_) => false,
        None => [DESCRIPTION, SOURCE_FACTS, STOPPING].contains(&name),
    }
}

/// Whether a run may be called so.
pub(crate) fn is_run(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The run whose mark among the arrays is called so.
pub(crate) fn run_of(name: &str) -> Option<&str> {
    name.strip_suffix(".run").filter(|run| is_run(run))
}

fn block_name(run: &str, number: u64) -> String {
    format!("{INDEX}/{run}-{number}")
}

/// The run, and the number, of a block of the index.
fn block_of(name: &str) -> Option<(&str, u64)> {
    let (run, number) = name.split_once('-')?;
    is_run(run).then_some((run, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::identity::first_take;
    use crate::take::store::TakeStore;
    use crate::testing::{MemoryStore, factory, job};
    use retake_compression::units::FrameRange;
    use std::fs;

    const JOB: &str = "retake-0123456789abcdef0123456789abcdef";
    const RUN: &str = "0123456789abcdef";

    fn objects() -> (Arc<MemoryStore>, JobObjects) {
        let store = Arc::<MemoryStore>::default();
        (store.clone(), JobObjects::at(store, "s3://films/jobs/", JOB, &StopFlag::new()))
    }

    fn folder(place: &Path, name: &str) -> Folder {
        Folder::open(&place.join(name)).unwrap()
    }

    /// An index that grows comes over in blocks, however it is cut; what of it is lost ends it there.
    #[test]
    fn an_index_that_grows_comes_over_whole() {
        let place = tempfile::tempdir().unwrap();
        let (store, objects) = objects();
        let (here, there) = (folder(place.path(), "here"), folder(place.path(), "there"));
        assert_eq!(objects.put_blocks(RUN, 0, &here).unwrap(), 0);
        let bytes: Vec<u8> = (0..3 * BLOCK + 5).map(|at| (at % 251) as u8).collect();
        let mut published = 0;
        let steps = [0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 7, 2 * BLOCK, 3 * BLOCK + 5];
        for length in steps {
            fs::write(here.path().join(INDEX), &bytes[..length as usize]).unwrap();
            published = objects.put_blocks(RUN, published, &here).unwrap();
            assert_eq!(published, length);
            assert_eq!(objects.fetch_blocks(RUN, length, &there).unwrap(), length);
            assert!(fs::read(there.path().join(INDEX)).unwrap() == bytes[..length as usize], "{length}");
        }
        // a worker that is told of less reads as many whole blocks as it needs
        assert_eq!(objects.fetch_blocks(RUN, 1, &there).unwrap(), BLOCK);
        objects.put(&block_name("fedcba9876543210", 0), b"of another run", Existing::Keep).unwrap();
        objects.fetch_index(&there).unwrap();
        assert!(fs::read(there.path().join(INDEX)).unwrap() == bytes);
        objects.remove_other_blocks(RUN).unwrap();
        assert_eq!(objects.names(INDEX).unwrap().len(), 4);
        store.objects().remove(&objects.address(&block_name(RUN, 1)));
        assert_eq!(objects.fetch_blocks(RUN, 3 * BLOCK, &there).unwrap(), BLOCK);
    }

    /// An index that grows no more has one place, whoever puts it there, and what is lost of it comes back.
    #[test]
    fn an_index_is_known_by_its_bytes() {
        let place = tempfile::tempdir().unwrap();
        let (store, objects) = objects();
        let (here, there) = (folder(place.path(), "here"), folder(place.path(), "there"));
        let bytes: Vec<u8> = (0..2 * BLOCK + 5).map(|at| (at % 241) as u8).collect();
        fs::write(here.path().join(INDEX), &bytes).unwrap();
        let stored = objects.put_index(&here).unwrap();
        assert_eq!(stored.bytes, bytes.len() as u64);
        let names = objects.names(INDEX).unwrap();
        assert_eq!(names.len(), 3);
        store.objects().remove(&objects.address(&block_name(&stored.run, 1)));
        assert_eq!(objects.put_index(&here).unwrap(), stored);
        assert_eq!(objects.names(INDEX).unwrap(), names);
        assert_eq!(objects.fetch_blocks(&stored.run, stored.bytes, &there).unwrap(), stored.bytes);
        assert!(fs::read(there.path().join(INDEX)).unwrap() == bytes);
        fs::write(here.path().join(INDEX), &bytes[1..]).unwrap();
        assert_ne!(objects.put_index(&here).unwrap().run, stored.run);
    }

    /// A job is given up until it is carried on, and only where there is one.
    #[test]
    fn a_job_is_given_up_and_carried_on() {
        let (_, objects) = objects();
        objects.give_up().unwrap();
        assert!(!objects.is_given_up() && objects.names("").unwrap().is_empty());
        objects.put(DESCRIPTION, b"{}", Existing::Keep).unwrap();
        objects.give_up().unwrap();
        assert!(objects.is_given_up());
        objects.carry_on().unwrap();
        assert!(!objects.is_given_up());
        objects.give_up().unwrap();
        objects.remove_all().unwrap();
        assert!(objects.names("").unwrap().is_empty());
    }

    /// A take that comes from the store is believed if all of it is what it says; one that is there already
    /// stays if it is sound, and is replaced if it is not.
    #[test]
    fn a_take_of_the_store_is_whole_or_none() {
        let place = tempfile::tempdir().unwrap();
        let job = job(place.path(), |_| ());
        let takes = job.folder.takes().unwrap();
        let description = first_take(&job, FrameRange::new(0, 4), 0.0);
        let made = TakeStore::open(takes.clone()).unwrap();
        let mut writer = made.begin().unwrap();
        writer.format(factory().open(&job.description.settings).unwrap().format()).unwrap();
        let record =
            serde_json::json!({"range": description.range, "quality": 1.0, "bytes": 1, "score": null});
        let record = serde_json::from_value(record).unwrap();
        let take = crate::take::finished::FinishedTake { description: description.clone(), record };
        made.adopt(writer.finish(&take).unwrap(), &take).unwrap();
        let (store, objects) = objects();
        let name = take_store::name_of(&description);
        let address = objects.address(&format!("{TAKES}/{name}"));
        let elsewhere = folder(place.path(), "elsewhere");
        assert_eq!(objects.fetch_take(&name, &elsewhere).unwrap(), Fetched::Missing);
        objects.put_take(&name, &takes).unwrap();
        let sound = store.objects()[&address].clone();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            store.objects().insert(address.clone(), bytes);
            assert_eq!(objects.fetch_take(&name, &elsewhere).unwrap(), Fetched::Damaged, "byte {at}");
            assert_eq!(elsewhere.names().unwrap(), Vec::<String>::new());
        }
        for length in [0, 1, sound.len() / 2, sound.len() - 1] {
            store.objects().insert(address.clone(), sound[..length].to_vec());
            assert_eq!(objects.fetch_take(&name, &elsewhere).unwrap(), Fetched::Damaged, "{length} bytes");
        }
        // the damaged one is replaced
        objects.put_take(&name, &takes).unwrap();
        assert!(store.objects()[&address] == sound);
        // under the name of another take it is none
        let other = take_store::name_of(&first_take(&job, FrameRange::new(4, 8), 0.0));
        store.objects().insert(objects.address(&format!("{TAKES}/{other}")), sound.clone());
        assert_eq!(objects.fetch_take(&other, &elsewhere).unwrap(), Fetched::Damaged);
        assert_eq!(objects.fetch_take(&name, &elsewhere).unwrap(), Fetched::Whole);
        assert!(fs::read(elsewhere.path().join(&name)).unwrap() == sound);
        // what is sound on this side is not fetched
        store.is_away.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(objects.fetch_take(&name, &elsewhere).unwrap(), Fetched::Whole);
    }

    /// At the end all of a job goes, and nothing of others.
    #[test]
    fn what_is_removed_is_the_jobs() {
        let (store, objects) = objects();
        let ours = ["job.json", "index/0123456789abcdef-0", "arrays/0123456789abcdef.run"];
        for name in ours {
            objects.put(name, b"", Existing::Keep).unwrap();
        }
        let others = [objects.address("holiday.mkv"), format!("s3://films/jobs/{JOB}0/job.json")];
        for other in &others {
            store.objects().insert(other.clone(), b"dear".to_vec());
        }
        objects.remove_all().unwrap();
        assert_eq!(store.objects().keys().cloned().collect::<Vec<_>>(), others);
    }

    #[test]
    fn what_belongs_to_others_is_told_from_what_is_ours() {
        for ours in [
            "job.json",
            "source.json",
            "stopping",
            "takes/00000012-0123456789abcdef0123456789abcdef.take",
            "arrays/0123456789abcdef.json",
            "arrays/0123456789abcdef-7.json",
            "arrays/0123456789abcdef-7.range",
            "arrays/0123456789abcdef.run",
            "index/0123456789abcdef-0",
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in [
            "film.mkv",
            "takes/film.mkv",
            "takes/x/00000012-0123456789abcdef0123456789abcdef.take",
            "arrays/holiday.json",
            "index/film",
            "index/0123456789abcdef-x",
            "other/job.json",
            "",
        ] {
            assert!(!is_ours(other), "{other}");
        }
        assert!(JobObjects::is_name("retake-0123456789abcdef0123456789abcdef"));
        for other in ["retake-", "..", "retake-0123456789abcdef0123456789abcde/", "jobs"] {
            assert!(!JobObjects::is_name(other), "{other}");
        }
    }
}
