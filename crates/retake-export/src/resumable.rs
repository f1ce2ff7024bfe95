//! Exports that a client knows by names: what runs left of them in a folder of the client's.

use crate::error::{ExportError, RequestError};
use crate::job::folder::{Earlier, JobFolder, VisitedFolder};
use retake_compression::durable::entries;
use std::io;
use std::path::{Path, PathBuf};

/// How the folder of a job ends that has a name.
const ENDING: &str = ".retake";
/// The longest name, in bytes: file systems take 255, and more names begin with it.
const LONGEST: usize = 150;

/// An export that was begun under a name and has not been finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumableExport {
    name: String,
    folder: PathBuf,
}

impl ResumableExport {
    /// The name that the client gave it. The same export, built again under this name, carries on.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder that holds its state.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Throws away what was made of it.
    ///
    /// # Errors
    /// [`RequestError::JobFolderBusy`] while it runs, [`RequestError::UntrustedFolder`] and
    /// [`RequestError::ForeignFolder`] where something else lies there now, and [`ExportError::File`].
    pub fn discard(self) -> Result<(), ExportError> {
        JobFolder::open(&self.folder, Earlier::Forget)?.remove();
        Ok(())
    }
}

/// Lists the exports in a folder that were begun under names and can be carried on, by their names in order.
/// What does not belong to this user alone, or is no job of this version, is not among them.
///
/// # Errors
/// [`ExportError::File`] for a folder that cannot be read. One that is not there holds nothing.
pub fn resumable_exports(folder: &Path) -> Result<Vec<ResumableExport>, ExportError> {
    let found = match entries(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ExportError::file(folder, "looking for exports")(error)),
    };
    let export = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?.to_owned();
        let is_job = check(&name).is_ok() && VisitedFolder::open(&path).ok()?.description().is_ok();
        is_job.then_some(ResumableExport { name, folder: path })
    };
    let mut exports: Vec<_> = found.iter().filter_map(|entry| export(entry.path())).collect();
    exports.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(exports)
}

/// The job folder of an export with a name.
pub(crate) fn job_folder(folder: &Path, name: &str) -> Result<PathBuf, RequestError> {
    check(name)?;
    Ok(folder.join(format!("{name}{ENDING}")))
}

/// A name is part of the name of one folder, on any system.
fn check(name: &str) -> Result<(), RequestError> {
    let plain = |c: char| !c.is_control() && !r#"/\:*?"<>|"#.contains(c);
    let sound =
        !name.is_empty() && name.len() <= LONGEST && !name.starts_with('.') && name.chars().all(plain);
    if sound { Ok(()) } else { Err(RequestError::ExportName { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::job;
    use std::fs;

    #[test]
    fn exports_with_names_are_found_and_thrown_away() {
        let place = tempfile::tempdir().unwrap();
        let state = place.path().join("state");
        assert_eq!(resumable_exports(&state).unwrap(), []);
        fs::create_dir(&state).unwrap();
        for name in ["two", "one"] {
            let folder = job_folder(&state, name).unwrap();
            let source = place.path().join(name);
            fs::create_dir(&source).unwrap();
            drop(job(&source, |request| request.work_dir = Some(folder)));
        }
        // neither a folder of other things nor a file is an export
        fs::create_dir(state.join("other.retake")).unwrap();
        fs::write(state.join("file.retake"), b"film").unwrap();
        let found = resumable_exports(&state).unwrap();
        assert_eq!(found.iter().map(ResumableExport::name).collect::<Vec<_>>(), ["one", "two"]);
        let [one, two] = <[_; 2]>::try_from(found).unwrap();
        let folder = one.folder().to_owned();
        one.discard().unwrap();
        assert!(!folder.exists() && state.join("other.retake").exists());
        assert_eq!(resumable_exports(&state).unwrap(), [two]);
    }

    #[test]
    fn names_are_names_of_one_folder() {
        let state = Path::new("state");
        assert_eq!(job_folder(state, "film 1 é").unwrap(), state.join("film 1 é.retake"));
        let long = "x".repeat(151);
        for name in ["", ".", "..", "../film", "a/b", "a\\b", "a\nb", "c:", &long] {
            assert!(matches!(job_folder(state, name), Err(RequestError::ExportName { .. })), "{name:?}");
        }
    }
}
