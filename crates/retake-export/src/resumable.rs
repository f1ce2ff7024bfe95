//! Exports that a client knows by names: what runs left of them in a folder of the client's.

use crate::error::{ExportError, RequestError};
use crate::job::folder::{Earlier, JobFolder, VisitedFolder};
use crate::job::ladder::LadderRung;
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

    /// Throws away what was made of it, and of all variants of a stream.
    ///
    /// # Errors
    /// [`RequestError::JobFolderBusy`] while it runs, [`RequestError::UntrustedFolder`] and
    /// [`RequestError::ForeignFolder`] where something else lies there now, and [`ExportError::File`].
    pub fn discard(self) -> Result<(), ExportError> {
        let parent = self.folder.parent().unwrap_or(Path::new(""));
        let failed = ExportError::file(parent, "looking for variants");
        let own = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            let variant =
                name.and_then(|name| name.strip_suffix(ENDING)?.strip_prefix(&self.name)?.strip_prefix('.'));
            variant.is_some_and(is_rung) && is_variant(path)
        };
        for variant in entries(parent).map_err(failed)?.iter().map(|entry| entry.path()).filter(own) {
            JobFolder::open(&variant, Earlier::Forget)?.remove();
        }
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
        let description = VisitedFolder::open(&path).ok()?.description().ok()?;
        // a variant goes with the first one of its stream
        let is_job = check(&name).is_ok() && description.cuts.is_none();
        is_job.then_some(ResumableExport { name, folder: path })
    };
    let mut exports: Vec<_> = found.iter().filter_map(|entry| export(entry.path())).collect();
    exports.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(exports)
}

/// Tells whether a text is the name of a variant, such as `720p`.
fn is_rung(text: &str) -> bool {
    // further ones of a size have a number behind it
    let rows = text.split_once('-').filter(|(_, number)| number.parse::<u8>().is_ok());
    let rows = rows.map_or(text, |(rows, _)| rows);
    rows.parse::<LadderRung>().is_ok_and(|rung| rung.name() == rows)
}

/// Tells whether a folder is that of a variant that is not the first of its stream.
fn is_variant(folder: &Path) -> bool {
    let description = VisitedFolder::open(folder).and_then(|folder| folder.description());
    description.is_ok_and(|description| description.cuts.is_some())
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
    use crate::job::identity::RequestIdentity;
    use crate::job::{Began, Job, ladder};
    use crate::stop::StopFlag;
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

    /// A variant of a stream is no export by itself, and is thrown away with the first one.
    #[test]
    fn variants_go_with_their_stream() {
        let place = tempfile::tempdir().unwrap();
        let state = place.path().join("state");
        fs::create_dir(&state).unwrap();
        let first = job_folder(&state, "one").unwrap();
        let (film, other) = (place.path().join("film"), place.path().join("other"));
        [&film, &other].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
        let of_film = job(&film, |request| request.work_dir = Some(first.clone()));
        let mut variant = of_film.request.clone();
        variant.work_dir = Some(ladder::folder(&first, "480p"));
        let identity = RequestIdentity::of(&variant);
        let beside = Job::prepare_beside(
            &variant,
            identity,
            Began::now(),
            Some(&of_film.description),
            &StopFlag::new(),
        );
        drop((beside.unwrap(), of_film));
        drop(job(&other, |request| request.work_dir = Some(ladder::folder(&first, "720p"))));
        let found = resumable_exports(&state).unwrap();
        let names: Vec<&str> = found.iter().map(ResumableExport::name).collect();
        assert_eq!(names, ["one", "one.720p"], "another export may have such a name");
        found.into_iter().next().unwrap().discard().unwrap();
        let left: Vec<_> = entries(&state).unwrap().iter().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["one.720p.retake"]);
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
