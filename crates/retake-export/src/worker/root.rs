//! The place that all machines share: a folder, which each of them may see elsewhere, or one in an object
//! store.

use crate::error::{ExportError, RequestError};
use crate::objects::object_address;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// The folder that all machines share, as this one sees it, or the address of a place in an object store.
/// Paths go from one machine to another relative to it, and none that leads out of it is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedRoot(PathBuf);

impl SharedRoot {
    /// The folder as this machine sees it, which has to be there; or an address such as `s3://bucket/jobs`,
    /// of which nobody is asked.
    ///
    /// # Errors
    /// [`ExportError::File`].
    pub fn open(path: &Path) -> Result<Self, ExportError> {
        if let Some(address) = object_address(path) {
            return Ok(Self(address.trim_end_matches('/').into()));
        }
        let found = path.canonicalize().map_err(ExportError::file(path, "opening the shared folder"))?;
        Ok(Self(found))
    }

    /// The folder that holds all of these paths: a given one, or else the deepest one that does. Objects of a
    /// store are in no folder, and found from everywhere.
    ///
    /// # Errors
    /// [`RequestError::OutsideSharedRoot`] for a path that is not in the given one, [`ExportError::File`] for
    /// one that is not there.
    pub fn of(given: Option<&Path>, paths: &[&Path]) -> Result<Self, ExportError> {
        let paths: Vec<&Path> = paths.iter().copied().filter(|path| object_address(path).is_none()).collect();
        let Some(given) = given else { return Self::around(&paths) };
        let root = Self::open(given)?;
        paths.iter().try_for_each(|path| root.relative(path).map(drop))?;
        Ok(root)
    }

    /// The deepest folder that holds all of these paths, of which only the folders have to be there.
    ///
    /// # Errors
    /// [`ExportError::File`].
    pub fn around(paths: &[&Path]) -> Result<Self, ExportError> {
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

    /// Where it is on this machine, or its address.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its address, if it is in an object store.
    pub fn address(&self) -> Option<&str> {
        object_address(&self.0)
    }

    /// A path of this machine, as it is told to others. Objects need not be there.
    ///
    /// # Errors
    /// [`RequestError::OutsideSharedRoot`], and [`ExportError::File`] where nothing is there.
    pub fn relative(&self, path: &Path) -> Result<PathBuf, ExportError> {
        if let Some(root) = self.address() {
            let below = object_address(path).and_then(|address| address.strip_prefix(root));
            let below = below.and_then(|below| below.strip_prefix('/')).filter(|key| is_plain_key(key));
            return below.map(PathBuf::from).ok_or_else(|| self.outside(path));
        }
        if object_address(path).is_some() {
            return Err(self.outside(path));
        }
        let found = path.canonicalize().map_err(ExportError::file(path, "looking for it"))?;
        match found.strip_prefix(&self.0) {
            Ok(relative) => Ok(relative.to_owned()),
            Err(_) => Err(self.outside(path)),
        }
    }

    /// A path that another machine told, on this one. It has to be there, unless it is an object's.
    ///
    /// # Errors
    /// [`RequestError::OutsideSharedRoot`], also for a link that leads out, and [`ExportError::File`] where
    /// nothing is there.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, ExportError> {
        if let Some(root) = self.address() {
            let key = path.to_str().filter(|key| is_plain_key(key)).ok_or_else(|| self.outside(path))?;
            return Ok(format!("{root}/{key}").into());
        }
        if path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(self.outside(path));
        }
        let here = self.0.join(path);
        // a link may lead out of the folder
        let found = here.canonicalize().map_err(ExportError::file(&here, "looking for it"))?;
        if found.starts_with(&self.0) { Ok(found) } else { Err(self.outside(path)) }
    }

    /// A path of this machine at which nothing need be, as it is told to others: its folder has to be there.
    ///
    /// # Errors
    /// As [`SharedRoot::relative`].
    pub fn relative_place(&self, path: &Path) -> Result<PathBuf, ExportError> {
        if self.address().is_some() {
            return self.relative(path);
        }
        let (folder, name) = self.parts(path)?;
        Ok(self.relative(folder)?.join(name))
    }

    /// A place that another machine told, on this one: its folder has to be there.
    ///
    /// # Errors
    /// As [`SharedRoot::resolve`].
    pub fn resolve_place(&self, path: &Path) -> Result<PathBuf, ExportError> {
        if self.address().is_some() {
            return self.resolve(path);
        }
        let (folder, name) = self.parts(path)?;
        Ok(self.resolve(folder)?.join(name))
    }

    /// A source of this machine, as it is told to others: an object of a store is told by its address.
    ///
    /// # Errors
    /// As [`SharedRoot::relative`].
    pub(crate) fn relative_source(&self, path: &Path) -> Result<PathBuf, ExportError> {
        if object_address(path).is_some() { Ok(path.to_owned()) } else { self.relative(path) }
    }

    /// A source that another machine told, on this one.
    ///
    /// # Errors
    /// As [`SharedRoot::resolve`].
    pub(crate) fn resolve_source(&self, path: &Path) -> Result<PathBuf, ExportError> {
        if object_address(path).is_some() { Ok(path.to_owned()) } else { self.resolve(path) }
    }

    fn parts<'a>(&self, path: &'a Path) -> Result<(&'a Path, &'a OsStr), ExportError> {
        let name = path.file_name().ok_or_else(|| self.outside(path))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Ok((folder.unwrap_or(Path::new(".")), name))
    }

    fn outside(&self, path: &Path) -> ExportError {
        RequestError::OutsideSharedRoot { path: path.to_owned(), root: self.0.clone() }.into()
    }
}

/// Whether a key leads to one place alone, whoever reads it: some programs take `a/../b` for `b`.
fn is_plain_key(key: &str) -> bool {
    key.split('/').all(|part| !["", ".", ".."].contains(&part))
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
        outside(theirs.resolve_place(Path::new("../new")));
        assert_eq!(theirs.resolve_place(Path::new("films/new")).unwrap(), found.with_file_name("new"));
        assert_eq!(mine.relative_place(&here.join("films/new")).unwrap(), Path::new("films/new"));
        outside(theirs.resolve(&place.path().join("dear")));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(place.path().join("dear"), there.join("link")).unwrap();
            outside(theirs.resolve(Path::new("link")));
        }
        assert!(matches!(theirs.resolve(Path::new("none")), Err(ExportError::File { .. })));
        // an object is a source, and nothing else
        let object = Path::new("s3://films/a.mkv");
        outside(mine.relative(object));
        assert_eq!(mine.relative_source(object).unwrap(), object);
        assert_eq!(theirs.resolve_source(object).unwrap(), object);
        outside(theirs.resolve_source(Path::new("../dear")));
        SharedRoot::of(Some(&here), &[object]).unwrap();
    }

    /// The same holds below an address: no other bucket, no longer name, no way up, nothing of this machine.
    #[test]
    fn no_address_leads_out_of_the_place_in_a_store() {
        let root = SharedRoot::open(Path::new("s3://films/all/")).unwrap();
        let film = Path::new("s3://films/all/in/a film.mkv");
        for (told, found) in [
            (root.relative(film), root.resolve(Path::new("in/a film.mkv"))),
            (root.relative_place(film), root.resolve_place(Path::new("in/a film.mkv"))),
        ] {
            assert_eq!(
                (told.unwrap().as_path(), found.unwrap().as_path()),
                (Path::new("in/a film.mkv"), film)
            );
        }
        for path in [
            "s3://films/all",
            "s3://films/all/",
            "s3://films/allin/a.mkv",
            "s3://other/all/a.mkv",
            "s3://films/all/../a.mkv",
            "s3://films/all//a.mkv",
            "gs://films/all/a.mkv",
            "a.mkv",
            "/tmp/a.mkv",
        ] {
            let told = [root.relative(Path::new(path)), root.relative_place(Path::new(path))];
            for told in told {
                let refused =
                    matches!(told, Err(ExportError::Request(RequestError::OutsideSharedRoot { .. })));
                assert!(refused, "{path}: {told:?}");
            }
        }
        for path in
            ["", "..", "../a.mkv", "in/../../a.mkv", "/tmp/a.mkv", "in//a.mkv", "./a.mkv", "s3://films/a.mkv"]
        {
            let found = [root.resolve(Path::new(path)), root.resolve_place(Path::new(path))];
            for found in found {
                let refused =
                    matches!(found, Err(ExportError::Request(RequestError::OutsideSharedRoot { .. })));
                assert!(refused, "{path}: {found:?}");
            }
        }
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
