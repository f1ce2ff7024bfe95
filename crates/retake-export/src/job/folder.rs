//! The job folder: who may work in it, what job it belongs to, and what that job depends on.

use super::identity::{RequestIdentity, file_identity};
use super::request::Request;
use super::stamp::{self, Stamped};
use crate::error::{ExportError, RequestError};
use crate::event::Summary;
use crate::index::journal::Subject;
use crate::objects::object_address;
use crate::own_folder::{Folder, Kind, UNFINISHED, Unfinished};
use crate::records::place::RecordsTarget;
use crate::stop::StopFlag;
use crate::take::store;
use crate::worker::array;
use retake_compression::durable::{entries, uninterrupted};
use retake_compression::encoder::EncoderSettings;
use retake_compression::planner::Objective;
use retake_compression::units::UnitRule;
use retake_libav::FilmFacts;
use retake_media::PixelFormat;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// The version of the folder's layout.
const VERSION: u32 = 4;
pub(crate) const DESCRIPTION: &str = "job.json";
const LOCK: &str = "lock";
const FINISHED: &str = "finished.json";
/// The journal of the source's frames, scenes and units.
pub(crate) const INDEX: &str = "index";
/// What came through standard input.
const INPUT: &str = "input";
/// What workers in other processes must know of the source.
pub(crate) const SOURCE_FACTS: &str = "source.json";
/// The rungs that were chosen for the ladder of a stream.
const LADDER: &str = "ladder.json";
/// There as long as workers on other machines are to give up what they do.
pub(crate) const STOPPING: &str = "stopping";
/// What is known of the job for those who look at it: when it begins, and when its film is finished.
pub(crate) const RECORDS: &str = "records.json";
/// The folder of takes.
pub(crate) const TAKES: &str = "takes";
/// The folder of arrays of takes, through which an export and the workers of a batch system speak.
pub(crate) const ARRAYS: &str = "arrays";

/// Everything that a job's result depends on. A folder is carried on only by the job that began it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDescription {
    /// The identity of the source.
    pub source: String,
    /// The encoder's name and library version.
    pub encoder: String,
    /// The settings that all takes begin with.
    pub settings: EncoderSettings,
    /// What is wanted, as far as it is known before the film is decoded.
    pub objective: Objective,
    /// What takes are scored with; `None` where they are not.
    pub metric: Option<String>,
    /// Name and version of the library that computes the scores, where it is another one than the version
    /// that is built where a system has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_library: Option<String>,
    /// How the frames of a take become one score; `None` where they do not.
    pub pool: Option<String>,
    /// Bits per second that no two seconds exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bit_rate: Option<u64>,
    /// The identity of the records of an earlier job that this one began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
    /// The identity of the source of the variant whose units this one shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuts: Option<String>,
    /// The rule by which units are cut.
    pub rule: UnitRule,
}

impl JobDescription {
    fn checksum(&self) -> Result<String, ExportError> {
        let text = serde_json::to_vec(self).map_err(|error| ExportError::Internal(error.to_string()))?;
        Ok(format!("{:032x}", xxh3_128(&text)))
    }

    /// What the job's index is the index of.
    pub(crate) fn subject(&self) -> Subject {
        Subject { source: self.source.clone(), cuts: self.cuts.clone(), rule: self.rule }
    }
}

/// The version of this program: a job is worked on by one version alone.
pub(crate) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What workers in other processes must know of the source besides the film itself: how it is to be read, and
/// what was found when all of it was looked at. Written by each run that has such workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceFacts {
    /// The version of this program, because another one may read the film otherwise.
    pub program: String,
    pub film: FilmFacts,
    pub format: PixelFormat,
    /// Threads of each decoder.
    pub threads: u32,
    /// Whether the film is a playlist that may name other files.
    pub references: bool,
}

/// What becomes of that which an earlier run left in a job folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// It is carried on, also where it was given up.
    Keep,
    /// It is carried on by a step that follows another one: that it was given up since stays known.
    Follow,
    /// It is removed, and the job begins anew.
    Forget,
}

/// A job folder that this process owns as long as the value lives. One that was made for a request that was
/// then refused goes away with the value: it becomes a job's with [`JobFolder::claim`].
pub(crate) struct JobFolder {
    folder: Folder,
    /// Whether there was no such folder before, and no job has claimed it.
    provisional: bool,
    _lock: File,
}

impl JobFolder {
    /// Takes the folder, or makes it. With [`Earlier::Forget`], what an earlier job left in it is removed.
    pub(crate) fn open(path: &Path, earlier: Earlier) -> Result<Self, ExportError> {
        let new = path.symlink_metadata().is_err();
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| new && !parent.is_dir()) {
            let (folder, parent) = (path.to_owned(), parent.to_owned());
            return Err(RequestError::JobFolderMissing { folder, parent }.into());
        }
        let folder = Folder::open(path).map_err(|error| untrusted(path, "making the job folder", error))?;
        check(&folder)?;
        let lock_path = path.join(LOCK);
        let lock = folder.edit(LOCK).map_err(|error| untrusted(&lock_path, "opening the lock", error))?;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    return Err(RequestError::JobFolderBusy { folder: path.to_owned() }.into());
                }
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => {
                    return Err(ExportError::file(lock_path, "locking")(error));
                }
            }
        }
        let folder = Self { folder, provisional: new, _lock: lock };
        match earlier {
            Earlier::Forget => folder.remove_if(|name| name != LOCK)?,
            Earlier::Keep => folder.remove_if(|name| name.starts_with(UNFINISHED) || name == STOPPING)?,
            Earlier::Follow => folder.remove_if(|name| name.starts_with(UNFINISHED))?,
        }
        Ok(folder)
    }

    /// Begins the job, or carries it on where the folder holds the same one. Gives the description back.
    pub(crate) fn claim(&mut self, wanted: JobDescription) -> Result<JobDescription, ExportError> {
        if let Some(found) = self.description()? {
            if wanted != found {
                let differences = differences(&found, &wanted);
                let folder = self.path().to_owned();
                return Err(RequestError::JobOfOtherSettings { folder, differences }.into());
            }
            self.provisional = false;
            return Ok(found);
        }
        let stored = Stored { version: VERSION, checksum: wanted.checksum()?, job: wanted };
        let text = serde_json::to_vec_pretty(&stored).map_err(|e| ExportError::Internal(e.to_string()))?;
        self.write(DESCRIPTION, &text)?;
        self.provisional = false;
        Ok(stored.job)
    }

    /// The description of an earlier run's job; nothing where there is none, or a damaged one, because index
    /// and takes say themselves what they belong to. That of another version is refused by name, because its
    /// takes would not be found.
    fn description(&self) -> Result<Option<JobDescription>, ExportError> {
        read_description(&self.folder)
    }

    /// Writes down the rungs that were chosen for the ladder of the stream.
    pub(crate) fn note_ladder(&self, text: &[u8]) -> Result<(), ExportError> {
        self.write(LADDER, text)
    }

    /// Writes down what workers in other processes must know of the source.
    pub(crate) fn note_source(&self, facts: &SourceFacts) -> Result<(), ExportError> {
        let text = serde_json::to_vec(facts).map_err(|error| ExportError::Internal(error.to_string()))?;
        self.write(SOURCE_FACTS, &text)
    }

    /// Gives the job the finished takes that lie in another folder, and the index that lies beside them, as
    /// far as it has none of its own. Each is checked when it is read.
    pub(crate) fn adopt_takes(&self, from: &Path) -> Result<(), ExportError> {
        let fail = |doing| ExportError::file(from, doing);
        let takes = self.takes()?;
        for entry in entries(from).map_err(fail("looking for takes"))? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let into = match name.as_str() {
                INDEX if self.folder.check(INDEX, Kind::File).is_err() => &self.folder,
                name if store::is_name(name) && !name.starts_with(UNFINISHED) => &takes,
                _ => continue,
            };
            if into.check(&name, Kind::File).is_err() {
                copy_into(into, &name, &entry.path()).map_err(fail("taking over takes"))?;
            }
        }
        takes.sync();
        Ok(())
    }

    /// Keeps the takes of the job, and its index, in another folder, which is made where it is not there.
    pub(crate) fn keep_takes(&self, to: &Path) -> Result<(), ExportError> {
        let fail = |doing| ExportError::file(to, doing);
        let into = kept_takes(to)?;
        let takes = self.takes()?;
        for name in takes.names().map_err(fail("reading the takes"))? {
            let from = takes.path().join(&name);
            if name.starts_with(UNFINISHED) || into.check(&name, Kind::File).is_ok() {
                continue;
            }
            // a rename keeps the place that they take, where both folders are on one file system
            if uninterrupted(|| std::fs::rename(&from, to.join(&name))).is_err() {
                copy_into(&into, &name, &from).map_err(fail("keeping the takes"))?;
            }
        }
        copy_into(&into, INDEX, &self.path().join(INDEX)).map_err(fail("keeping the index"))?;
        into.sync();
        Ok(())
    }

    /// Writes down what those who look at the job may know of it.
    pub(crate) fn note_records(&self, records: &[u8]) -> Result<(), ExportError> {
        self.write(RECORDS, records)
    }

    fn write(&self, name: &str, text: &[u8]) -> Result<(), ExportError> {
        self.folder.write_whole(name, text).map_err(ExportError::file(self.path().join(name), "writing"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The files that describe the job to workers, by their names.
    pub(crate) fn described(&self) -> Result<Vec<(String, Vec<u8>)>, ExportError> {
        let read = |name: &str| {
            let text = self.folder.read(name).and_then(read_all);
            Ok((name.to_owned(), text.map_err(ExportError::file(self.path().join(name), "reading"))?))
        };
        [DESCRIPTION, SOURCE_FACTS].into_iter().map(read).collect()
    }

    /// Whether an earlier run described its job here.
    pub(crate) fn has_description(&self) -> bool {
        self.folder.check(DESCRIPTION, Kind::File).is_ok()
    }

    /// Opens the index of the source, and tells where it is.
    pub(crate) fn index(&self) -> Result<(File, PathBuf), ExportError> {
        open_index(&self.folder, Folder::edit)
    }

    /// Where the copy of what came through a pipe is kept.
    pub(crate) fn input(&self) -> PathBuf {
        self.path().join(INPUT)
    }

    /// Begins that copy.
    pub(crate) fn begin_input(&self) -> io::Result<Unfinished> {
        self.folder.begin()
    }

    /// Ends it.
    pub(crate) fn keep_input(&self, copy: Unfinished) -> io::Result<()> {
        copy.persist(INPUT)
    }

    /// A folder that goes away with the value.
    pub(crate) fn unfinished_folder(&self) -> io::Result<tempfile::TempDir> {
        uninterrupted(|| tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(self.path()))
    }

    /// The folder of takes.
    pub(crate) fn takes(&self) -> Result<Folder, ExportError> {
        open_within(&self.folder, TAKES)
    }

    /// The folder of arrays.
    pub(crate) fn arrays(&self) -> Result<Folder, ExportError> {
        open_within(&self.folder, ARRAYS)
    }

    /// Writes down, just before the film is put in place, that it is done: a run that is killed before it
    /// could remove the folder leaves this behind, and the next one needs only tidy up.
    pub(crate) fn note_finished(
        &self,
        film: &Path,
        request: &RequestIdentity,
        summary: &Summary,
    ) -> Result<(), ExportError> {
        let finished = Finished {
            version: Finished::VERSION,
            film: file_identity(film)?,
            request: request.clone(),
            summary: summary.clone(),
        };
        let text = serde_json::to_vec(&finished).map_err(|error| ExportError::Internal(error.to_string()))?;
        self.write(FINISHED, &text)
    }

    /// Removes what a job leaves under names that are chosen, as far as it can, and returns the first error.
    fn remove_if(&self, chosen: impl Fn(&str) -> bool) -> Result<(), ExportError> {
        let names = self.folder.names().map_err(ExportError::file(self.path(), "reading the job folder"))?;
        let mut result = Ok(());
        for name in names.iter().filter(|name| is_ours_name(name) && chosen(name)) {
            let removed = match name.as_str() {
                name if let Some(is_its) = names_within(name) => self.remove_within(name, is_its),
                // what was unfinished may be a folder
                name => self.folder.remove(name).or_else(|error| {
                    let path = self.path().join(name);
                    if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                        uninterrupted(|| std::fs::remove_dir_all(&path))
                    } else {
                        Err(error)
                    }
                }),
            };
            let removed =
                removed.map_err(ExportError::file(self.path().join(name), "removing an earlier job"));
            result = result.and(removed);
        }
        result
    }

    fn remove_within(&self, name: &str, is_its: fn(&str) -> bool) -> io::Result<()> {
        let within = self.folder.within(name)?;
        for name in within.names()?.iter().filter(|name| is_its(name)) {
            within.remove(name)?;
        }
        self.folder.remove_folder(name)
    }

    /// Removes the folder of a finished job. What cannot be removed only takes space.
    pub(crate) fn remove(mut self) {
        self.provisional = true;
    }
}

impl Drop for JobFolder {
    /// What tells that the film is finished goes last, and in one step, so that a run that dies meanwhile is
    /// always known to have finished.
    fn drop(&mut self) {
        if !self.provisional {
            return;
        }
        let removed = self.remove_if(|name| name != LOCK && name != FINISHED);
        if removed.is_err() {
            return;
        }
        let farewell = farewell(self.path());
        let finished = self.path().join(FINISHED);
        if finished.exists() {
            remove_farewell(&farewell);
            if farewell.symlink_metadata().is_err() {
                let _ = uninterrupted(|| std::fs::rename(&finished, &farewell));
            }
            let _ = self.folder.remove(FINISHED);
        }
        let _ = self.folder.remove(LOCK);
        let _ = uninterrupted(|| std::fs::remove_dir(self.path()));
        // a folder that is still there would be taken for a job to carry on
        if self.path().symlink_metadata().is_err() {
            remove_farewell(&farewell);
        }
    }
}

/// A job folder that another process owns, as a worker sees it.
pub(crate) struct VisitedFolder(Folder);

impl VisitedFolder {
    /// Opens the folder. It has to be there.
    pub(crate) fn open(path: &Path) -> Result<Self, ExportError> {
        let fail = |error| untrusted(path, "opening the job folder", error);
        path.symlink_metadata().map_err(fail)?;
        Ok(Self(Folder::open(path).map_err(fail)?))
    }

    /// The job whose folder it is.
    pub(crate) fn description(&self) -> Result<JobDescription, ExportError> {
        read_description(&self.0)?.ok_or_else(|| self.says_nothing(DESCRIPTION))
    }

    /// What the owner found in the source.
    pub(crate) fn source_facts(&self) -> Result<SourceFacts, ExportError> {
        let path = || self.0.path().join(SOURCE_FACTS);
        let text = self.0.read(SOURCE_FACTS).and_then(read_all);
        let text = text.map_err(|error| untrusted(&path(), "reading what is known of the source", error))?;
        serde_json::from_slice(&text).map_err(|_| self.says_nothing(SOURCE_FACTS))
    }

    /// What was noted of the ladder of the stream.
    pub(crate) fn ladder(&self) -> io::Result<Vec<u8>> {
        self.0.read(LADDER).and_then(read_all)
    }

    /// What is known of the job, as its owner wrote it.
    pub(crate) fn records(&self) -> io::Result<Vec<u8>> {
        self.0.read(RECORDS).and_then(read_all)
    }

    /// Opens the index of the source to read it, and tells where it is.
    pub(crate) fn index(&self) -> Result<(File, PathBuf), ExportError> {
        open_index(&self.0, Folder::read)
    }

    /// The folder of takes.
    pub(crate) fn takes(&self) -> Result<Folder, ExportError> {
        open_within(&self.0, TAKES)
    }

    /// The folder of arrays.
    pub(crate) fn arrays(&self) -> Result<Folder, ExportError> {
        open_within(&self.0, ARRAYS)
    }

    /// Whether all workers are to give up what they do.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.read(STOPPING).is_ok()
    }

    /// Has all workers give up what they do, until a process takes the folder.
    pub(crate) fn stop(&self) -> Result<(), ExportError> {
        let written = self.0.write_whole(STOPPING, b"");
        written.map_err(ExportError::file(self.0.path().join(STOPPING), "writing"))
    }

    fn says_nothing(&self, name: &str) -> ExportError {
        let source = io::Error::new(io::ErrorKind::InvalidData, "it is not what another process wrote");
        ExportError::file(self.0.path().join(name), "reading the job")(source)
    }
}

/// Opens a folder of takes that are kept, and refuses one that holds anything else.
pub(crate) fn kept_takes(path: &Path) -> Result<Folder, ExportError> {
    let folder = Folder::open(path).map_err(|error| untrusted(path, "opening the folder of takes", error))?;
    let names = folder.names().map_err(ExportError::file(path, "reading the folder of takes"))?;
    if names.iter().all(|name| store::is_name(name) || name == INDEX) {
        Ok(folder)
    } else {
        Err(RequestError::ForeignFolder { folder: path.to_owned() }.into())
    }
}

/// Copies a file into a folder, where it appears whole or not at all.
fn copy_into(folder: &Folder, name: &str, from: &Path) -> io::Result<()> {
    let mut copy = folder.begin()?;
    io::copy(&mut File::open(from)?, &mut copy.file)?;
    copy.file.sync_all()?;
    copy.persist(name)
}

fn open_index(
    folder: &Folder,
    open: impl Fn(&Folder, &str) -> io::Result<File>,
) -> Result<(File, PathBuf), ExportError> {
    let path = folder.path().join(INDEX);
    let file = open(folder, INDEX).map_err(|error| untrusted(&path, "opening the frame index", error))?;
    Ok((file, path))
}

fn open_within(folder: &Folder, name: &str) -> Result<Folder, ExportError> {
    let within = folder.within(name);
    within.map_err(|error| untrusted(&folder.path().join(name), "opening a folder of the job", error))
}

/// What may be in a folder of this name.
fn names_within(name: &str) -> Option<fn(&str) -> bool> {
    match name {
        TAKES => Some(store::is_name),
        ARRAYS => Some(array::is_name),
        _ => None,
    }
}

/// The description in a folder; nothing where there is none, or a damaged one.
fn read_description(folder: &Folder) -> Result<Option<JobDescription>, ExportError> {
    let text = match folder.read(DESCRIPTION).and_then(read_all) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(untrusted(&folder.path().join(DESCRIPTION), "reading the job", error)),
    };
    parse_description(folder.path(), &text)
}

fn parse_description(folder: &Path, text: &[u8]) -> Result<Option<JobDescription>, ExportError> {
    let Ok(any) = serde_json::from_slice::<Value>(text) else { return Ok(None) };
    match any["version"].as_u64() {
        // the layouts before this one had no checksum
        Some(version) if version != u64::from(VERSION) && any["checksum"].is_null() => {
            let found = format!("{DESCRIPTION} has version {version}, this one writes {VERSION}");
            Err(RequestError::JobOfOtherVersion { folder: folder.to_owned(), found }.into())
        }
        _ => {
            let stored = serde_json::from_value::<Stored>(any).ok();
            let sound = |stored: &Stored| {
                stored.version == VERSION && stored.job.checksum().is_ok_and(|sum| sum == stored.checksum)
            };
            Ok(stored.filter(sound).map(|stored| stored.job))
        }
    }
}

/// Where it is told that a job has finished while the last of its folder is removed.
fn farewell(folder: &Path) -> PathBuf {
    let mut path = folder.as_os_str().to_owned();
    path.push("-finished");
    path.into()
}

/// Reads a file by its path, and nothing that might have no end, or be somewhere else.
fn read_plain(path: &Path) -> io::Result<Vec<u8>> {
    if path.symlink_metadata()?.is_file() { std::fs::read(path) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Removes it, if it is what it says.
fn remove_farewell(path: &Path) {
    if read_plain(path).is_ok_and(|text| serde_json::from_slice::<Finished>(&text).is_ok()) {
        let _ = uninterrupted(|| std::fs::remove_file(path));
    }
}

/// A folder or file that cannot be opened: the request's fault where it is not ours alone.
fn untrusted(path: &Path, doing: &'static str, error: io::Error) -> ExportError {
    if error.raw_os_error().is_none() && error.kind() == io::ErrorKind::PermissionDenied {
        let (path, reason) = (path.to_owned(), error.to_string());
        return RequestError::UntrustedFolder { path, reason }.into();
    }
    ExportError::file(path, doing)(error)
}

/// Refuses a folder with anything in it that is not a job's: a job's folder may be carried on, emptied, and
/// removed in the end.
fn check(folder: &Folder) -> Result<(), ExportError> {
    let foreign = || RequestError::ForeignFolder { folder: folder.path().to_owned() };
    let reading = || ExportError::file(folder.path(), "reading the job folder");
    for name in folder.names().map_err(reading())? {
        let kind = match name.as_str() {
            name if names_within(name).is_some() => Kind::Folder,
            // it is removed, whatever it is
            name if name.starts_with(UNFINISHED) => continue,
            name if is_ours_name(name) => Kind::File,
            _ => return Err(foreign().into()),
        };
        let untrusted = |error| untrusted(&folder.path().join(&name), "looking at it", error);
        folder.check(&name, kind).map_err(untrusted)?;
        if let Some(is_its) = names_within(&name) {
            let within = folder.within(&name).map_err(untrusted)?;
            if !within.names().map_err(reading())?.iter().all(|name| is_its(name)) {
                return Err(foreign().into());
            }
        }
    }
    Ok(())
}

fn is_ours_name(name: &str) -> bool {
    [DESCRIPTION, LOCK, FINISHED, INDEX, INPUT, SOURCE_FACTS, LADDER, STOPPING, RECORDS].contains(&name)
        || names_within(name).is_some()
        || name.starts_with(UNFINISHED)
}

fn read_all(mut file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// What stands in `job.json`.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    /// Of the text of the job.
    checksum: String,
    job: JobDescription,
}

/// What stands in `finished.json`.
#[derive(Serialize, Deserialize)]
struct Finished {
    version: u32,
    /// The identity of the film that was put in place.
    film: String,
    /// What was asked for.
    request: RequestIdentity,
    summary: Summary,
}

impl Finished {
    /// The first one was written without a number, and held the request as a line of text that depended on
    /// the compiler.
    const VERSION: u32 = 2;
}

/// What an earlier run of the same request did, and what it left.
pub(crate) struct FinishedBefore {
    pub summary: Summary,
    folder: Option<JobFolder>,
    farewell: PathBuf,
}

impl FinishedBefore {
    /// Puts records in place that the earlier run had written, and removes what was left.
    pub(crate) fn remove(self, records: Option<&RecordsTarget>) -> Result<(), ExportError> {
        if let Some(folder) = self.folder {
            let left = folder.folder().read(RECORDS).and_then(read_all).ok();
            if let (Some(target), Some(text)) = (records, left) {
                target.put_left(&text, &folder)?;
            }
            folder.remove();
        }
        remove_farewell(&self.farewell);
        Ok(())
    }
}

/// What an earlier run of the same request did, if it put the film in place, whether or not it was stopped
/// before it could remove its folder.
///
/// # Errors
/// [`RequestError::FinishedByOtherVersion`] where another version finished this very film: what was asked of
/// it cannot be compared any more.
pub(crate) fn finished_before(
    request: &Request,
    identity: &RequestIdentity,
    stop: &StopFlag,
) -> Result<Option<FinishedBefore>, ExportError> {
    let folder = request.work_dir();
    let is_there = |film: &str| match object_address(&request.output) {
        // the store has not the bytes at hand, and a note beside them
        Some(_) => stamp::read(request, identity, stop).is_some(),
        None => file_identity(&request.output).is_ok_and(|found| found == film),
    };
    if let Some(left) = left_finished(&folder, &request.output, &is_there, identity)? {
        return Ok(Some(left));
    }
    // with a folder there is a job to carry on
    if folder.symlink_metadata().is_ok() {
        return Ok(None);
    }
    Ok(match stamp::read(request, identity, stop) {
        Some(Stamped::Summary(summary)) => {
            Some(FinishedBefore { summary: *summary, folder: None, farewell: farewell(&folder) })
        }
        Some(Stamped::Nothing) | None => None,
    })
}

/// The same, told by what is left of the folder.
fn left_finished(
    folder: &Path,
    film: &Path,
    is_there: &dyn Fn(&str) -> bool,
    request: &RequestIdentity,
) -> Result<Option<FinishedBefore>, ExportError> {
    #[derive(Deserialize)]
    struct Any {
        #[serde(default)]
        version: u32,
        film: String,
    }
    let farewell = farewell(folder);
    let texts = [&folder.join(FINISHED), &farewell].map(|path| read_plain(path));
    // what cannot be read says nothing about the film, and the job is carried on
    let Some((text, any)) = texts.iter().flatten().find_map(|text| {
        let any = serde_json::from_slice::<Any>(text).ok()?;
        Some((text, any))
    }) else {
        return Ok(None);
    };
    if !is_there(&any.film) {
        return Ok(None);
    }
    let finished = match serde_json::from_slice::<Finished>(text) {
        Ok(finished) if any.version == Finished::VERSION => finished,
        _ => {
            let (folder, output) = (folder.to_owned(), film.to_owned());
            return Err(RequestError::FinishedByOtherVersion { output, folder }.into());
        }
    };
    if finished.request != *request {
        return Ok(None);
    }
    let folder = match folder.symlink_metadata() {
        Ok(_) => match JobFolder::open(folder, Earlier::Keep) {
            Ok(folder) => Some(folder),
            // a job that another process holds is not finished
            Err(_) => return Ok(None),
        },
        Err(_) => None,
    };
    Ok(Some(FinishedBefore { summary: finished.summary, folder, farewell }))
}

/// The names and values in which two jobs differ, for people.
pub(crate) fn differences(found: &JobDescription, wanted: &JobDescription) -> String {
    let (Ok(found), Ok(wanted)) = (serde_json::to_value(found), serde_json::to_value(wanted)) else {
        return String::new();
    };
    let mut list = Vec::new();
    compare("", &found, &wanted, &mut list);
    list.join("; ")
}

fn compare(name: &str, found: &Value, wanted: &Value, list: &mut Vec<String>) {
    match (found, wanted) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for (key, value) in a {
                compare(key, value, &b[key], list);
            }
        }
        _ if found != wanted => list.push(format!("{name}: {found} then, {wanted} now")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::factory;
    use crate::testing::summary_of;
    use std::fs;

    fn left(
        folder: &Path,
        film: &Path,
        request: &RequestIdentity,
    ) -> Result<Option<FinishedBefore>, ExportError> {
        left_finished(folder, film, &|known| file_identity(film).is_ok_and(|found| found == known), request)
    }

    fn request(input: &str) -> RequestIdentity {
        RequestIdentity::of(&Request::new(input.into(), "film.mp4".into(), factory()))
    }

    /// A machine may die between the rename of the film and the removal of the job folder.
    #[test]
    fn a_job_that_was_finished_is_tidied_up() {
        let place = tempfile::tempdir().unwrap();
        let (folder, film) = (place.path().join("job"), place.path().join("film.mp4"));
        fs::write(&film, b"the film").unwrap();
        let summary = summary_of(&film);
        let mut job = JobFolder::open(&folder, Earlier::Keep).unwrap();
        job.provisional = false;
        job.note_finished(&film, &request("a"), &summary).unwrap();
        let before = |name| left(&folder, &film, &request(name)).unwrap();
        assert!(before("a").is_none(), "somebody is still at work");
        drop(job);
        assert!(before("another").is_none());
        let finished = before("a").unwrap();
        assert_eq!(finished.summary, summary);
        assert!(folder.exists());
        finished.remove(None).unwrap();
        assert!(!folder.exists() && !farewell(&folder).exists());
    }

    /// What is told last is all that may be left, and a file of that name that tells nothing is left alone.
    #[test]
    fn the_last_word_of_a_job_is_enough() {
        let place = tempfile::tempdir().unwrap();
        let (folder, film) = (place.path().join("job"), place.path().join("film.mp4"));
        fs::write(&film, b"the film").unwrap();
        let mut job = JobFolder::open(&folder, Earlier::Keep).unwrap();
        job.provisional = false;
        job.note_finished(&film, &request("a"), &summary_of(&film)).unwrap();
        fs::rename(folder.join(FINISHED), farewell(&folder)).unwrap();
        job.remove();
        assert!(!folder.exists() && !farewell(&folder).exists());
        fs::write(farewell(&folder), "dear").unwrap();
        assert!(left(&folder, &film, &request("a")).unwrap().is_none());
        JobFolder::open(&folder, Earlier::Keep).unwrap().remove();
        assert_eq!(fs::read_to_string(farewell(&folder)).unwrap(), "dear");
    }

    /// A folder, or a name in it, that somebody may have planted is refused, and nothing of it is touched.
    #[cfg(unix)]
    #[test]
    fn planted_links_and_folders_are_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let place = tempfile::tempdir().unwrap();
        let dear = place.path().join("dear");
        let refused = |folder: &Path| {
            for earlier in [Earlier::Keep, Earlier::Forget] {
                let refused = JobFolder::open(folder, earlier).map(drop);
                assert!(
                    matches!(refused, Err(ExportError::Request(RequestError::UntrustedFolder { .. }))),
                    "{folder:?}: {refused:?}"
                );
            }
        };
        for name in [INDEX, LOCK, DESCRIPTION, FINISHED, INPUT, TAKES, ARRAYS] {
            fs::write(&dear, "dear").unwrap();
            let folder = place.path().join(format!("with-{name}"));
            drop(Folder::open(&folder).unwrap());
            symlink(&dear, folder.join(name)).unwrap();
            refused(&folder);
            assert_eq!(fs::read_to_string(&dear).unwrap(), "dear");
        }
        let real = place.path().join("real");
        drop(Folder::open(&real).unwrap());
        let link = place.path().join("link");
        symlink(&real, &link).unwrap();
        refused(&link);
        fs::set_permissions(&real, fs::Permissions::from_mode(0o777)).unwrap();
        refused(&real);
        assert_eq!(fs::read_dir(&real).unwrap().count(), 0);
        let file = place.path().join("file");
        fs::write(&file, "dear").unwrap();
        refused(&file);
        // a second name of a file would be written through
        fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).unwrap();
        fs::hard_link(&dear, real.join(INDEX)).unwrap();
        let job = JobFolder::open(&real, Earlier::Keep).unwrap();
        assert!(job.index().is_err());
        assert_eq!(fs::read_to_string(&dear).unwrap(), "dear");
        let takes = job.takes().unwrap();
        fs::write(takes.path().join("holiday.take"), "dear").unwrap();
        drop(job);
        let foreign = JobFolder::open(&real, Earlier::Forget).map(drop);
        assert!(matches!(foreign, Err(ExportError::Request(RequestError::ForeignFolder { .. }))));
        assert!(real.join(TAKES).join("holiday.take").exists());
    }

    /// Damage costs what is damaged: a description with any bit flipped is none, and the job goes on.
    #[test]
    fn a_damaged_description_is_none() {
        let place = tempfile::tempdir().unwrap();
        let described = crate::testing::job(place.path(), |_| ());
        let path = described.folder.path().join(DESCRIPTION);
        let sound = fs::read(&path).unwrap();
        let read = |text: &[u8]| parse_description(described.folder.path(), text).unwrap();
        assert_eq!(read(&sound).as_ref(), Some(&described.description));
        for at in 0..sound.len() {
            let mut text = sound.clone();
            text[at] ^= 1;
            assert!(read(&text).is_none_or(|read| read == described.description), "byte {at}");
        }
    }

    /// The version before this one wrote the request as a line of text, and no number.
    #[test]
    fn a_film_that_another_version_finished_is_told_by_name() {
        let place = tempfile::tempdir().unwrap();
        let (folder, film) = (place.path().join("job"), place.path().join("film.mp4"));
        fs::write(&film, b"the film").unwrap();
        drop(Folder::open(&folder).unwrap());
        let old = serde_json::json!({
            "film": file_identity(&film).unwrap(), "request": "(\"film.mkv\", \"x264\", None)", "summary": {},
        });
        fs::write(folder.join(FINISHED), old.to_string()).unwrap();
        let refused = left(&folder, &film, &request("a")).map(|found| found.is_some());
        assert!(
            matches!(&refused, Err(ExportError::Request(RequestError::FinishedByOtherVersion { .. }))),
            "{refused:?}"
        );
        assert!(folder.exists() && film.exists());
        // another film at that place was finished by nobody
        fs::write(&film, b"the filn").unwrap();
        assert!(left(&folder, &film, &request("a")).unwrap().is_none());
    }

    #[test]
    fn a_folder_of_other_things_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("holiday.mkv"), b"dear").unwrap();
        let refused = JobFolder::open(place.path(), Earlier::Forget);
        assert!(matches!(refused, Err(ExportError::Request(RequestError::ForeignFolder { .. }))));
        assert!(place.path().join("holiday.mkv").exists() && !place.path().join("lock").exists());
    }

    /// What another version left is named, not carried on by chance.
    #[test]
    fn a_job_of_another_version_is_refused_by_name() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("job");
        let job = JobFolder::open(&folder, Earlier::Keep).unwrap();
        for (text, named) in [
            (r#"{"version": 7}"#, "version 7"),
            (r#"{"version": 1}"#, "version 1"),
            (r#"{"version": 2, "source": ""}"#, "version 2"),
        ] {
            let refused = parse_description(job.path(), text.as_bytes());
            assert!(
                matches!(&refused, Err(ExportError::Request(RequestError::JobOfOtherVersion { found, .. })) if found.contains(named)),
                "{text}: {refused:?}"
            );
        }
    }
}
