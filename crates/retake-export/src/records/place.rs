//! Where records lie, how they get there, and how they are found again.

use super::file::looks_like_records;
use super::{Records, RecordsError};
use crate::error::{ExportError, RequestError};
use crate::job::folder::JobFolder;
use crate::job::identity::{file_identity, file_of};
use crate::job::request::{Request, beside};
use crate::objects::object_address;
use crate::output::target::{not_placed, owner};
use crate::worker::RunOn;
use retake_asset::{Existing, OutputError, OutputTarget, UnfinishedFile};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the records of an export are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordsPlace {
    /// Beside the film: `film.mp4` has `film.mp4.retake.json`. Those of an object of a store, which has
    /// nothing beside it, lie in the working folder, under the name of its job folder.
    Beside,
    /// In this file.
    File(PathBuf),
}

/// The records of a film, beside it.
pub(crate) fn records_of(output: &Path) -> PathBuf {
    let mut path = beside(output).into_os_string();
    path.push(".json");
    path.into()
}

/// The folder of the takes that are kept with records.
fn takes_beside(records: &Path) -> PathBuf {
    let mut path = records.with_extension("").into_os_string();
    path.push("-takes");
    path.into()
}

/// The file that the records of a job are to be kept in.
#[derive(Debug, Clone)]
pub(crate) struct RecordsTarget {
    path: PathBuf,
    /// Whether whatever file is there may be replaced.
    overwrite: bool,
    /// Whether the takes are kept, too.
    takes: bool,
}

impl RecordsTarget {
    /// Returns where a request wants its records; nothing where it wants none. Steps of an engine keep them
    /// beside the film alone, because no other place is known to be seen by all machines.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let path = match request.records.as_ref()? {
            RecordsPlace::Beside => records_of(&request.output),
            RecordsPlace::File(path) => path.clone(),
        };
        let is_beside = object_address(&request.output).is_none()
            && matches!(request.records, Some(RecordsPlace::Beside));
        (request.run_on != RunOn::Steps || is_beside).then_some(Self {
            path,
            overwrite: request.overwrite,
            takes: request.keep_takes,
        })
    }

    /// Refuses a place where something else is, before all the work. `source` is the identity of the source:
    /// what is known of an earlier job over the same source may be replaced.
    pub(crate) fn check(&self, request: &Request, source: &str) -> Result<(), RequestError> {
        let films = [&request.input, &request.output];
        if films.into_iter().any(|film| is_same(film, &self.path)) {
            let reason = "it is the film itself".to_owned();
            return Err(RequestError::RecordsInTheWay { path: self.path.clone(), reason });
        }
        self.existing(source).map(drop)
    }

    /// Puts the text of records in place, whole or not at all, and takes beside them where they are kept.
    pub(crate) fn put(&self, text: &[u8], source: &str, job: &JobFolder) -> Result<(), ExportError> {
        let target = OutputTarget::new(&self.path, self.existing(source)?);
        let (owner, failed) = (owner(job.path()), |error| not_kept(&self.path, error));
        let folder = target.unfinished_folder(&owner).map_err(failed)?;
        let unfinished = folder.path().join("records");
        fs::write(&unfinished, text).map_err(ExportError::file(&unfinished, "writing the records"))?;
        UnfinishedFile::at(&unfinished).and_then(|file| target.put_file(file)).map_err(failed)?;
        if self.takes { job.keep_takes(&takes_beside(&self.path)) } else { Ok(()) }
    }

    /// Puts the records in place that an earlier run wrote into its job folder and could not put there.
    pub(crate) fn put_left(&self, text: &[u8], job: &JobFolder) -> Result<(), ExportError> {
        let Ok(records) = Records::parse(job.path(), text) else { return Ok(()) };
        if records.film.is_some() { self.put(text, &records.source.identity, job) } else { Ok(()) }
    }

    /// Whether what is there may be replaced.
    fn existing(&self, source: &str) -> Result<Existing, RequestError> {
        let refused = |reason: String| RequestError::RecordsInTheWay { path: self.path.clone(), reason };
        match self.path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Keep),
            Err(error) => return Err(refused(error.to_string())),
            Ok(found) if found.is_dir() => return Err(refused("it is a folder".into())),
            Ok(_) if self.overwrite => return Ok(Existing::Replace),
            Ok(_) => {}
        }
        match Records::read(&self.path) {
            Ok(records) if file_of(&records.source.identity) == file_of(source) => Ok(Existing::Replace),
            Ok(_) => Err(refused("it holds the records of another source".into())),
            Err(RecordsError::Newer { .. }) => Err(refused("a later version wrote it".into())),
            Err(_) => Err(refused("it holds something else".into())),
        }
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

fn not_kept(path: &Path, error: OutputError) -> ExportError {
    match error {
        OutputError::Exists { .. } | OutputError::NotReplaceable { .. } => {
            let reason = "it was put there meanwhile".to_owned();
            RequestError::RecordsInTheWay { path: path.to_owned(), reason }.into()
        }
        other => not_placed(other),
    }
}

impl Records {
    /// Opens the records of a film or of a job.
    ///
    /// `path` may be their file; the film, whose records are looked for beside it; a job folder, whose job
    /// was stopped or is running; or the name of a job folder that is gone because the film is finished.
    ///
    /// # Errors
    /// [`RecordsError`] says which file is not there, or not what it should be.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordsError> {
        let path = path.as_ref();
        let failed = |source| RecordsError::File { path: path.to_owned(), source };
        match path.metadata() {
            Ok(found) if found.is_dir() => Self::of_job_folder(path),
            Ok(_) if looks_like_records(path).map_err(failed)? => Self::read_beside(path),
            Ok(_) => Self::of_film(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::of_name(path),
            Err(error) => Err(failed(error)),
        }
    }

    /// Reads a file of records, and looks whether takes are kept with it.
    fn read_beside(path: &Path) -> Result<Self, RecordsError> {
        let takes = takes_beside(path);
        Ok(Self { takes: takes.is_dir().then_some(takes), ..Self::read(path)? })
    }

    /// The records that lie beside a film, if they tell of the film as it is now.
    fn of_film(film: &Path) -> Result<Self, RecordsError> {
        let beside = records_of(film);
        if !beside.is_file() {
            return Self::of_name(film);
        }
        let records = Self::read_beside(&beside)?;
        let same = |known: &super::RecordedFilm| {
            file_identity(film).is_ok_and(|identity| identity == known.identity)
        };
        if records.film.as_ref().is_some_and(same) {
            Ok(records)
        } else {
            Err(RecordsError::OtherFilm { records: beside, film: film.to_owned() })
        }
    }

    /// The records of something that is not there, or has none beside it: of a film that was moved, or is
    /// still made, or a job folder that is gone.
    fn of_name(name: &Path) -> Result<Self, RecordsError> {
        let job_folder = beside(name);
        if job_folder.is_dir() && !name.is_file() {
            return Self::of_job_folder(&job_folder);
        }
        let mut of_folder = name.as_os_str().to_owned();
        of_folder.push(".json");
        let is_folder = name.extension().is_some_and(|ending| ending == "retake");
        let looked: Vec<PathBuf> =
            [records_of(name)].into_iter().chain(is_folder.then(|| of_folder.into())).collect();
        match looked.iter().find(|path| path.is_file()) {
            Some(path) => Self::read_beside(path),
            None => Err(RecordsError::Missing { path: name.to_owned(), looked }),
        }
    }
}
