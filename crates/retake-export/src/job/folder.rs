//! The job folder: who may work in it, what job it belongs to, and what that job depends on.

use super::identity::{RequestIdentity, source_identity};
use crate::durable::{UNFINISHED, write_whole};
use crate::error::{ExportError, RequestError};
use crate::event::Summary;
use retake_compression::encoder::EncoderSettings;
use retake_compression::planner::Objective;
use retake_compression::units::UnitRule;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// The version of the folder's layout.
const VERSION: u32 = 2;
const DESCRIPTION: &str = "job.json";
const LOCK: &str = "lock";
const FINISHED: &str = "finished.json";
/// The journal of the source's frames, scenes and units.
const INDEX: &str = "index";
/// What came through standard input.
const INPUT: &str = "input";
/// The folder of takes.
const TAKES: &str = "takes";

/// Everything that a job's result depends on. A folder is carried on only by the job that began it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobDescription {
    pub version: u32,
    pub source: String,
    pub encoder: String,
    pub settings: EncoderSettings,
    pub objective: Objective,
    pub metric: Option<String>,
    pub pool: Option<String>,
    /// Bits per second that no two seconds exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bit_rate: Option<u64>,
    /// Chosen when the job begins, from the memory that was there then; not compared, nor are the frames of a
    /// first pass.
    pub rule: UnitRule,
}

impl JobDescription {
    pub(crate) const VERSION: u32 = VERSION;
}

/// What becomes of that which an earlier run left in a job folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// It is carried on.
    Keep,
    /// It is removed, and the job begins anew.
    Forget,
}

/// A job folder that this process owns as long as the value lives. One that was made for a request that was
/// then refused goes away with the value: it becomes a job's with [`JobFolder::claim`].
pub(crate) struct JobFolder {
    path: PathBuf,
    /// Whether there was no such folder before, and no job has claimed it.
    provisional: bool,
    _lock: File,
}

impl JobFolder {
    /// Takes the folder, or makes it. With [`Earlier::Forget`], what an earlier job left in it is removed.
    pub(crate) fn open(path: &Path, earlier: Earlier) -> Result<Self, ExportError> {
        let new = !path.exists();
        if !new && !is_ours(path) {
            return Err(RequestError::ForeignFolder { folder: path.to_owned() }.into());
        }
        if new {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
                let (folder, parent) = (path.to_owned(), parent.to_owned());
                return Err(RequestError::JobFolderMissing { folder, parent }.into());
            }
            fs::create_dir(path).map_err(ExportError::file(path, "making the job folder"))?;
        }
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(ExportError::file(&lock_path, "opening the lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RequestError::JobFolderBusy { folder: path.to_owned() }.into());
            }
            Err(TryLockError::Error(error)) => return Err(ExportError::file(lock_path, "locking")(error)),
        }
        let folder = Self { path: path.to_owned(), provisional: new, _lock: lock };
        match earlier {
            Earlier::Forget => folder.clear()?,
            Earlier::Keep => folder.remove_if(|name| name.starts_with(UNFINISHED))?,
        }
        Ok(folder)
    }

    /// Begins the job, or carries it on where the folder holds the same one. Gives back the description that
    /// counts.
    pub(crate) fn claim(&mut self, wanted: JobDescription) -> Result<JobDescription, ExportError> {
        let path = self.path.join(DESCRIPTION);
        match fs::read(&path) {
            Ok(text) => {
                let found = self.read_description(&text)?;
                let mut comparable = JobDescription { rule: found.rule, ..wanted };
                // this number follows from the rule and the memory, so it is not the user's to repeat
                comparable.settings.controls.first_pass = found.settings.controls.first_pass;
                if comparable == found {
                    self.provisional = false;
                    return Ok(found);
                }
                let differences = differences(&found, &comparable);
                Err(RequestError::JobOfOtherSettings { folder: self.path.clone(), differences }.into())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text =
                    serde_json::to_vec_pretty(&wanted).map_err(|e| ExportError::Internal(e.to_string()))?;
                write_whole(&path, &text)?;
                self.provisional = false;
                Ok(wanted)
            }
            Err(error) => Err(ExportError::file(path, "reading the job")(error)),
        }
    }

    /// The description of an earlier run's job. That of another version is refused by name, because its takes
    /// would not be found.
    fn read_description(&self, text: &[u8]) -> Result<JobDescription, ExportError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let other = |found: String| RequestError::JobOfOtherVersion { folder: self.path.clone(), found };
        match serde_json::from_slice::<Versioned>(text) {
            Err(error) => Err(other(format!("{DESCRIPTION} cannot be read: {error}")).into()),
            Ok(Versioned { version }) if version != VERSION => {
                Err(other(format!("{DESCRIPTION} has version {version}, this one writes {VERSION}")).into())
            }
            Ok(_) => serde_json::from_slice(text)
                .map_err(|error| other(format!("{DESCRIPTION} cannot be read: {error}")).into()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the index of the source is kept.
    pub(crate) fn index(&self) -> PathBuf {
        self.path.join(INDEX)
    }

    /// Where standard input is kept.
    pub(crate) fn input(&self) -> PathBuf {
        self.path.join(INPUT)
    }

    /// A file that goes away with the value unless it gets a name of its own.
    pub(crate) fn unfinished_file(&self) -> std::io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.path)
    }

    /// A folder that goes away with the value.
    pub(crate) fn unfinished_folder(&self) -> std::io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.path)
    }

    /// Where takes are kept.
    pub(crate) fn takes(&self) -> PathBuf {
        self.path.join(TAKES)
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
            film: source_identity(film)?,
            request: request.clone(),
            summary: summary.clone(),
        };
        let text = serde_json::to_vec(&finished).map_err(|error| ExportError::Internal(error.to_string()))?;
        write_whole(&self.path.join(FINISHED), &text)
    }

    /// Removes all that a job leaves, but the lock.
    fn clear(&self) -> Result<(), ExportError> {
        self.remove_if(|name| name != LOCK && is_ours_name(name))
    }

    fn remove_if(&self, chosen: impl Fn(&str) -> bool) -> Result<(), ExportError> {
        let entries =
            fs::read_dir(&self.path).map_err(ExportError::file(&self.path, "reading the job folder"))?;
        for entry in entries.flatten().filter(|entry| chosen(&entry.file_name().to_string_lossy())) {
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(ExportError::file(path, "removing an earlier job"))?;
        }
        Ok(())
    }

    /// Removes the folder of a finished job. What cannot be removed only takes space.
    pub(crate) fn remove(mut self) {
        self.provisional = true;
    }
}

impl Drop for JobFolder {
    fn drop(&mut self) {
        if self.provisional {
            let _ = self.clear();
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Whether all that a folder holds may be a job's: it may then be carried on, emptied, and removed in the
/// end.
fn is_ours(folder: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(folder) else { return false };
    entries.all(|entry| entry.is_ok_and(|entry| is_ours_name(&entry.file_name().to_string_lossy())))
}

fn is_ours_name(name: &str) -> bool {
    [DESCRIPTION, LOCK, FINISHED, INDEX, INPUT, TAKES].contains(&name) || name.starts_with(UNFINISHED)
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

/// What an earlier run of the same request did, if it put `film` in place and was stopped before it could
/// remove its folder, which is removed now.
///
/// # Errors
/// [`RequestError::FinishedByOtherVersion`] where another version finished this very film: what was asked of
/// it cannot be compared any more.
pub(crate) fn finished_before(
    folder: &Path,
    film: &Path,
    request: &RequestIdentity,
) -> Result<Option<Summary>, ExportError> {
    #[derive(Deserialize)]
    struct Any {
        #[serde(default)]
        version: u32,
        film: String,
    }
    let Ok(text) = fs::read(folder.join(FINISHED)) else { return Ok(None) };
    // what cannot be read says nothing about the film, and the job is carried on
    let Ok(any) = serde_json::from_slice::<Any>(&text) else { return Ok(None) };
    if source_identity(film).ok().as_ref() != Some(&any.film) {
        return Ok(None);
    }
    let finished = match serde_json::from_slice::<Finished>(&text) {
        Ok(finished) if any.version == Finished::VERSION => finished,
        _ => {
            let (folder, output) = (folder.to_owned(), film.to_owned());
            return Err(RequestError::FinishedByOtherVersion { output, folder }.into());
        }
    };
    if finished.request != *request {
        return Ok(None);
    }
    // a job that another process holds is not finished
    let Ok(folder) = JobFolder::open(folder, Earlier::Keep) else { return Ok(None) };
    folder.remove();
    Ok(Some(finished.summary))
}

/// The names and values in which two jobs differ, for people.
fn differences(found: &JobDescription, wanted: &JobDescription) -> String {
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
    use super::super::request::Request;
    use super::*;
    use crate::testing::factory;
    use crate::testing::summary_of;

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
        let before = |name| finished_before(&folder, &film, &request(name)).unwrap();
        assert_eq!(before("a"), None, "somebody is still at work");
        drop(job);
        assert_eq!(before("another"), None);
        assert!(folder.exists());
        assert_eq!(before("a"), Some(summary));
        assert!(!folder.exists());
    }

    /// The version before this one wrote the request as a line of text, and no number.
    #[test]
    fn a_film_that_another_version_finished_is_told_by_name() {
        let place = tempfile::tempdir().unwrap();
        let (folder, film) = (place.path().join("job"), place.path().join("film.mp4"));
        fs::write(&film, b"the film").unwrap();
        fs::create_dir(&folder).unwrap();
        let old = serde_json::json!({
            "film": source_identity(&film).unwrap(), "request": "(\"film.mkv\", \"x264\", None)", "summary": {},
        });
        fs::write(folder.join(FINISHED), old.to_string()).unwrap();
        let refused = finished_before(&folder, &film, &request("a"));
        assert!(
            matches!(&refused, Err(ExportError::Request(RequestError::FinishedByOtherVersion { .. }))),
            "{refused:?}"
        );
        assert!(folder.exists() && film.exists());
        // another film at that place was finished by nobody
        fs::write(&film, b"the filn").unwrap();
        assert_eq!(finished_before(&folder, &film, &request("a")).unwrap(), None);
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
            ("{", "cannot be read"),
            (r#"{"version": 1}"#, "version 1"),
            (r#"{"version": 2}"#, "cannot be read"),
        ] {
            let refused = job.read_description(text.as_bytes());
            assert!(
                matches!(&refused, Err(ExportError::Request(RequestError::JobOfOtherVersion { found, .. })) if found.contains(named)),
                "{text}: {refused:?}"
            );
        }
    }
}
