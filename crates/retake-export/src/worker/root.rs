//! The folder that all machines share, which each of them may see at another place.

use crate::error::{ExportError, RequestError};
use std::path::{Component, Path, PathBuf};

/// The folder that all machines share, as this one sees it. Paths go from one machine to another relative to
/// it, and none that leads out of it is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedRoot(PathBuf);

impl SharedRoot {
    /// The folder as this machine sees it. It has to be there.
    pub(crate) fn open(path: &Path) -> Result<Self, ExportError> {
        let found = path.canonicalize().map_err(ExportError::file(path, "opening the shared folder"))?;
        Ok(Self(found))
    }

    /// The folder that holds all of these paths: a given one, or else the deepest one that does.
    pub(crate) fn of(given: Option<&Path>, paths: &[&Path]) -> Result<Self, ExportError> {
        let Some(given) = given else { return Self::around(paths) };
        let root = Self::open(given)?;
        paths.iter().try_for_each(|path| root.relative(path).map(drop))?;
        Ok(root)
    }

    /// The deepest folder that holds all of these paths.
    fn around(paths: &[&Path]) -> Result<Self, ExportError> {
        let mut common: Option<PathBuf> = None;
        for path in paths {
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let folder = folder.canonicalize().map_err(ExportError::file(folder, "opening a folder"))?;
            let shared = match common {
                None => folder,
                Some(common) => common
                    .components()
                    .zip(folder.components())
                    .take_while(|(here, there)| here == there)
                    .map(|(here, _)| here)
                    .collect(),
            };
            common = Some(shared);
        }
        Self::open(&common.unwrap_or_default())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A path of this machine, as it is told to others.
    pub(crate) fn relative(&self, path: &Path) -> Result<PathBuf, ExportError> {
        let found = path.canonicalize().map_err(ExportError::file(path, "looking for it"))?;
        match found.strip_prefix(&self.0) {
            Ok(relative) => Ok(relative.to_owned()),
            Err(_) => Err(self.outside(path)),
        }
    }

    /// A path that another machine told, on this one. It has to be there.
    pub(crate) fn resolve(&self, path: &Path) -> Result<PathBuf, ExportError> {
        if path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(self.outside(path));
        }
        let here = self.0.join(path);
        // a link may lead out of the folder
        let found = here.canonicalize().map_err(ExportError::file(&here, "looking for it"))?;
        if found.starts_with(&self.0) { Ok(found) } else { Err(self.outside(path)) }
    }

    fn outside(&self, path: &Path) -> ExportError {
        RequestError::OutsideSharedRoot { path: path.to_owned(), root: self.0.clone() }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// What lies in the folder is found again on a machine that sees it elsewhere; nothing else is.
    #[test]
    fn no_path_leads_out_of_the_shared_folder() {
        let place = tempfile::tempdir().unwrap();
        let (here, there) = (place.path().join("here"), place.path().join("there"));
        for folder in [&here, &there] {
            fs::create_dir_all(folder.join("films")).unwrap();
            fs::write(folder.join("films/a.mkv"), "a").unwrap();
        }
        fs::write(place.path().join("dear"), "dear").unwrap();
        let (mine, theirs) = (SharedRoot::open(&here).unwrap(), SharedRoot::open(&there).unwrap());
        let told = mine.relative(&here.join("films/../films/a.mkv")).unwrap();
        let found = theirs.resolve(&told).unwrap();
        assert_eq!(found, there.canonicalize().unwrap().join("films/a.mkv"));
        let outside = |result: Result<PathBuf, ExportError>| {
            let refused = matches!(result, Err(ExportError::Request(RequestError::OutsideSharedRoot { .. })));
            assert!(refused, "{result:?}");
        };
        outside(mine.relative(&place.path().join("dear")));
        outside(theirs.resolve(Path::new("../dear")));
        outside(theirs.resolve(&place.path().join("dear")));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(place.path().join("dear"), there.join("link")).unwrap();
            outside(theirs.resolve(Path::new("link")));
        }
        assert!(matches!(theirs.resolve(Path::new("none")), Err(ExportError::File { .. })));
    }

    #[test]
    fn the_deepest_common_folder_is_found() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("a/b")).unwrap();
        let of = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|name| place.path().join(name)).collect();
            let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
            let found = SharedRoot::around(&paths).unwrap().path().to_owned();
            found.strip_prefix(place.path().canonicalize().unwrap()).unwrap().to_owned()
        };
        assert_eq!(of(&["a/b/film.mkv", "a/job"]), Path::new("a"));
        assert_eq!(of(&["a/b/film.mkv", "a/b/job"]), Path::new("a/b"));
    }
}
