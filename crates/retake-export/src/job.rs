//! The job folder: who may work in it, what job it belongs to, and what that job depends on.

use crate::error::ExportError;
use crate::event::Summary;
use crate::store::sync_folder;
use retake_compression::encoder::EncoderSettings;
use retake_compression::planner::Objective;
use retake_compression::units::UnitRule;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// The version of the folder's layout.
const VERSION: u32 = 2;
const DESCRIPTION: &str = "job.json";
const LOCK: &str = "lock";
const FINISHED: &str = "finished.json";
/// How files begin that were not written to their end.
const UNFINISHED: &str = "unfinished-";

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

/// A job folder that this process owns as long as the value lives.
pub(crate) struct JobFolder {
    path: PathBuf,
    /// Whether there was no such folder before.
    new: bool,
    _lock: File,
}

impl JobFolder {
    /// Takes the folder, or makes it. With `restart`, what an earlier job left in it is removed.
    pub(crate) fn open(path: &Path, restart: bool) -> Result<Self, ExportError> {
        let new = !path.exists();
        if !new && !is_ours(path) {
            return Err(ExportError::Request(format!(
                "--work-dir {}: this folder holds other things than a job: name a new or an empty folder",
                path.display()
            )));
        }
        if new {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
                return Err(ExportError::Request(format!(
                    "--work-dir {}: the folder {} does not exist: make it first",
                    path.display(),
                    parent.display()
                )));
            }
            fs::create_dir(path).map_err(ExportError::file(path, "making the job folder"))?;
        }
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(ExportError::file(&lock_path, "opening the lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ExportError::Request(format!(
                    "another retake is working on this job ({}): wait for it, or stop it",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(ExportError::file(lock_path, "locking")(error)),
        }
        let folder = Self { path: path.to_owned(), new, _lock: lock };
        if restart {
            folder.clear()?;
        } else {
            folder.remove_if(|name| name.starts_with(UNFINISHED))?;
        }
        Ok(folder)
    }

    /// Begins the job, or carries it on where the folder holds the same one. Gives back the description that
    /// counts.
    pub(crate) fn claim(&self, wanted: JobDescription) -> Result<JobDescription, ExportError> {
        let path = self.path.join(DESCRIPTION);
        match fs::read(&path) {
            Ok(text) => {
                let found: Option<JobDescription> = serde_json::from_slice(&text).ok();
                let found = found.ok_or_else(|| {
                    ExportError::Request(format!(
                        "{} belongs to another version of retake: use --restart to begin anew",
                        self.path.display()
                    ))
                })?;
                let mut comparable = JobDescription { rule: found.rule, ..wanted };
                // follows from the rule and the memory
                comparable.settings.controls.first_pass = found.settings.controls.first_pass;
                if comparable == found {
                    return Ok(found);
                }
                Err(ExportError::Request(format!(
                    "the job folder {} was begun with other settings ({}): give those again to carry on, use --restart to begin anew, \
                     or --work-dir for another folder",
                    self.path.display(),
                    differences(&found, &comparable)
                )))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text =
                    serde_json::to_vec_pretty(&wanted).map_err(|e| ExportError::Internal(e.to_string()))?;
                self.write_whole(&path, &text)?;
                Ok(wanted)
            }
            Err(error) => Err(ExportError::file(path, "reading the job")(error)),
        }
    }

    fn write_whole(&self, path: &Path, content: &[u8]) -> Result<(), ExportError> {
        let fail = |doing| ExportError::file(path, doing);
        let mut file = tempfile::Builder::new()
            .prefix("unfinished-")
            .tempfile_in(&self.path)
            .map_err(fail("writing"))?;
        file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(fail("writing"))?;
        file.persist(path).map_err(|error| fail("naming")(error.error))?;
        sync_folder(&self.path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down, just before the film is put in place, that it is done: a run that is killed before it
    /// could remove the folder leaves this behind, and the next one needs only tidy up.
    pub(crate) fn note_finished(
        &self,
        film: &Path,
        request: &str,
        summary: &Summary,
    ) -> Result<(), ExportError> {
        let finished =
            Finished { film: source_identity(film)?, request: request.to_owned(), summary: summary.clone() };
        let text = serde_json::to_vec(&finished).map_err(|error| ExportError::Internal(error.to_string()))?;
        self.write_whole(&self.path.join(FINISHED), &text)
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

    /// Removes a folder that was made for a request that was then refused.
    pub(crate) fn remove_if_new(self) {
        if self.new {
            self.remove();
        }
    }

    /// Removes the folder of a finished job. What cannot be removed only takes space.
    pub(crate) fn remove(self) {
        let _ = self.clear();
        let _ = fs::remove_file(self.path.join(LOCK));
        let _ = fs::remove_dir(&self.path);
    }
}

/// Whether all that a folder holds may be a job's: it may then be carried on, emptied, and removed in the
/// end.
fn is_ours(folder: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(folder) else { return false };
    entries.all(|entry| entry.is_ok_and(|entry| is_ours_name(&entry.file_name().to_string_lossy())))
}

fn is_ours_name(name: &str) -> bool {
    [DESCRIPTION, LOCK, FINISHED, "index", "input", "takes"].contains(&name) || name.starts_with(UNFINISHED)
}

#[derive(Serialize, Deserialize)]
struct Finished {
    /// The identity of the film that was put in place.
    film: String,
    /// What was asked for.
    request: String,
    summary: Summary,
}

/// What an earlier run of the same request did, if it put `film` in place and was stopped before it could
/// remove its folder, which is removed now.
pub(crate) fn finished_before(folder: &Path, film: &Path, request: &str) -> Option<Summary> {
    let text = fs::read(folder.join(FINISHED)).ok()?;
    let finished: Finished = serde_json::from_slice(&text).ok()?;
    if finished.request != request || source_identity(film).ok()? != finished.film {
        return None;
    }
    // a job that another process holds is not finished
    JobFolder::open(folder, false).ok()?.remove();
    Some(finished.summary)
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

/// The identity of a source: its size, and the hash of its beginning, middle and end. Enough to notice
/// another file; the frame index notices another film.
pub(crate) fn source_identity(path: &Path) -> Result<String, ExportError> {
    const PIECE: u64 = 1 << 20;
    let fail = |doing| ExportError::file(path, doing);
    let mut file = File::open(path).map_err(fail("opening"))?;
    let size = file.metadata().map_err(fail("reading"))?.len();
    let mut hash = Xxh3::new();
    hash.update(&size.to_le_bytes());
    for start in [0, size / 2, size.saturating_sub(PIECE)] {
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(start)).map_err(fail("reading"))?;
        Read::by_ref(&mut file).take(PIECE).read_to_end(&mut piece).map_err(fail("reading"))?;
        hash.update(&piece);
    }
    Ok(format!("{:032x}", hash.digest128()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Outcome;

    /// A machine may die between the rename of the film and the removal of the job folder.
    #[test]
    fn a_job_that_was_finished_is_tidied_up() {
        let place = tempfile::tempdir().unwrap();
        let (folder, film) = (place.path().join("job"), place.path().join("film.mp4"));
        fs::write(&film, b"the film").unwrap();
        let summary = Summary {
            output: film.clone(),
            frames: 1,
            seconds: 1.0,
            file_bytes: 8,
            video_bytes: 4,
            outcome: Outcome::Satisfied,
            passes: Vec::new(),
            quality: None,
            cpu_seconds: 0.1,
            wall_seconds: 0.2,
            notes: Vec::new(),
        };
        let job = JobFolder::open(&folder, false).unwrap();
        job.note_finished(&film, "a request", &summary).unwrap();
        assert_eq!(finished_before(&folder, &film, "a request"), None, "somebody is still at work");
        drop(job);
        assert_eq!(finished_before(&folder, &film, "another request"), None);
        assert!(folder.exists());
        assert_eq!(finished_before(&folder, &film, "a request"), Some(summary));
        assert!(!folder.exists());
    }

    #[test]
    fn a_folder_of_other_things_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("holiday.mkv"), b"dear").unwrap();
        let refused = JobFolder::open(place.path(), true);
        assert!(matches!(refused, Err(ExportError::Request(_))));
        assert!(place.path().join("holiday.mkv").exists() && !place.path().join("lock").exists());
    }

    #[test]
    fn another_film_is_not_taken_for_the_finished_one() {
        let place = tempfile::tempdir().unwrap();
        let film = place.path().join("film.mp4");
        fs::write(&film, b"the film").unwrap();
        let before = source_identity(&film).unwrap();
        fs::write(&film, b"the filn").unwrap();
        assert_ne!(source_identity(&film).unwrap(), before);
    }
}
