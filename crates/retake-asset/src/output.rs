//! Where an output goes. The path of an output holds what it held before, or the finished output, and never
//! anything between: files and folders are written beside it under another name, put on the disk, and
//! renamed.

use retake_compression::durable::{folder_of, put_in_place, sync_folder, uninterrupted};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::{NamedTempFile, TempDir, TempPath};

/// What happens to something that is at the path of an output already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It stays, and the output is refused with [`OutputError::Exists`].
    #[default]
    Keep,
    /// The finished output takes its place in one step.
    Replace,
}

/// Why an output cannot be put in its place. What was at its path before is still there.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// Something is at the path already, and was not to be replaced.
    #[error("{} is there already", .path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// What is at the path cannot be replaced by a file or folder: it is a device, a pipe, or a link that
    /// leads nowhere.
    #[error("{} is neither a file nor a folder", .path.display())]
    NotReplaceable {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{action} {}: {source}", .path.display())]
    Io {
        /// What was being done, as in "putting in place".
        action: &'static str,
        /// The file or folder that it was done to.
        path: PathBuf,
        /// The reason that the system gave.
        source: Arc<io::Error>,
    },
}

impl OutputError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }
}

/// The path of an output, a file or a folder, which is written under another name and put there when it is
/// whole.
#[derive(Debug, Clone)]
pub struct OutputTarget {
    path: PathBuf,
    existing: Existing,
}

impl OutputTarget {
    /// An output at `path`. Nothing is made yet. Where a link is there whose file is to be replaced, the
    /// output is at the place that the link leads to, and the link stays.
    pub fn new(path: impl Into<PathBuf>, existing: Existing) -> Self {
        let mut path = path.into();
        if existing == Existing::Replace && path.is_symlink() {
            path = path.canonicalize().unwrap_or(path);
        }
        Self { path, existing }
    }

    /// Where the output is to be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that the output is to be in.
    pub fn folder(&self) -> &Path {
        folder_of(&self.path)
    }

    /// Looks whether the output could be put in place as things are now, so that a client hears of a taken
    /// path before all the work.
    ///
    /// # Errors
    /// [`OutputError::Exists`], [`OutputError::NotReplaceable`], and [`OutputError::Io`] where the path
    /// cannot be looked at. A dangling link counts as something that is there.
    pub fn check(&self) -> Result<(), OutputError> {
        match self.path.symlink_metadata() {
            Ok(found) if self.existing == Existing::Replace => match found.is_file() || found.is_dir() {
                true => Ok(()),
                false => Err(OutputError::NotReplaceable { path: self.path.clone() }),
            },
            Ok(_) => Err(OutputError::Exists { path: self.path.clone() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(OutputError::io("looking at", &self.path)(error)),
        }
    }

    /// A new file in `folder`, which goes away when the value is dropped: `film.unfinished-….mp4`. A killed
    /// program leaves it, and its name then says what it is. It must be on the file system of the output to
    /// become it, because a rename does not leave its file system.
    ///
    /// # Errors
    /// [`OutputError::Io`] where it cannot be made.
    pub fn unfinished_file(&self, folder: &Path) -> Result<NamedTempFile, OutputError> {
        let prefix = format!("{}.unfinished-", short_name(self.path.file_stem()));
        let suffix = format!(".{}", short_name(self.path.extension()));
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(&suffix);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // the umask takes its part of it, so that a finished film is as readable as any new file
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        uninterrupted(|| builder.tempfile_in(folder))
            .map_err(OutputError::io("making a temporary file in", folder))
    }

    /// A new folder beside the output, which goes away with its content when the value is dropped. Its name
    /// is made of the output's and of `owner`, which tells those apart who may write the same output: what a
    /// killed program left under that name is removed first, so the caller must be the only one that uses
    /// `owner` now.
    ///
    /// # Errors
    /// [`OutputError::Io`] where it cannot be made.
    pub fn unfinished_folder(&self, owner: &str) -> Result<TempDir, OutputError> {
        self.remove_unfinished_folder(owner);
        let name = self.unfinished_name(owner);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&name).rand_bytes(0);
        let folder = uninterrupted(|| builder.tempdir_in(self.folder()));
        folder.map_err(OutputError::io("making a temporary folder in", self.folder()))
    }

    /// Removes what a killed program left under the name of [`OutputTarget::unfinished_folder`]. A failure
    /// shows when the folder is made, because its name is taken then.
    pub fn remove_unfinished_folder(&self, owner: &str) {
        let left = self.folder().join(self.unfinished_name(owner));
        let _ =
            uninterrupted(|| fs::remove_dir_all(&left)).or_else(|_| uninterrupted(|| fs::remove_file(&left)));
    }

    fn unfinished_name(&self, owner: &str) -> String {
        format!(".{}.{owner}.retake-unfinished", short_name(self.path.file_name()))
    }

    /// Puts a complete file in place: its content on the disk first, then its name, then the name on the
    /// disk. The file is gone from where it was, also when this fails.
    ///
    /// # Errors
    /// [`OutputError::Exists`] where somebody else put something there meanwhile that is to be kept, and
    /// [`OutputError::Io`].
    pub fn put_file(&self, file: impl Into<UnfinishedFile>) -> Result<(), OutputError> {
        let UnfinishedFile(file) = file.into();
        self.check()?;
        if let Ok(replaced) = self.path.symlink_metadata() {
            // who may read the film stays the same; where the system cannot do that, it is as for any new
            // file
            let _ = fs::set_permissions(&file, replaced.permissions());
        }
        let placed = put_in_place(file, &self.path, self.existing == Existing::Replace);
        placed.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists { path: self.path.clone() },
            _ => OutputError::io("putting in place", &self.path)(error),
        })
    }

    /// Puts a complete folder in place, whose files are on the disk. `aside` is a path on the same file
    /// system where nothing is: a folder that is replaced is there or at `folder` afterwards, and the caller
    /// removes it. On Linux the two change places in one step; elsewhere nothing is at the path for a moment.
    ///
    /// # Errors
    /// [`OutputError::Exists`] where a folder is there that is to be kept, and [`OutputError::Io`].
    pub fn put_folder(&self, folder: &Path, aside: &Path) -> Result<(), OutputError> {
        self.check()?;
        let placed = match self.path.symlink_metadata() {
            Ok(_) => exchange(folder, &self.path, aside),
            Err(_) => uninterrupted(|| fs::rename(folder, &self.path)),
        };
        let placed = placed.and_then(|()| sync_folder(self.folder()));
        placed.map_err(OutputError::io("putting in place", &self.path))
    }
}

/// Returns a name, or a part of one, as it can be made longer without becoming too long for a file system.
pub fn short_name(name: Option<&OsStr>) -> String {
    const MOST: usize = 150;
    let mut name = name.unwrap_or_default().to_string_lossy().into_owned();
    while name.len() > MOST {
        name.pop();
    }
    name
}

/// A complete file that is to become an output: a temporary file that was made for it, or any file at a path.
#[derive(Debug)]
pub struct UnfinishedFile(TempPath);

impl From<NamedTempFile> for UnfinishedFile {
    fn from(file: NamedTempFile) -> Self {
        Self(file.into_temp_path())
    }
}

impl UnfinishedFile {
    /// The file at `path`, which belongs to the output from here on: it is removed unless it is put in place.
    ///
    /// # Errors
    /// [`OutputError::Io`] where the working folder is needed to name it, and is gone.
    pub fn at(path: &Path) -> Result<Self, OutputError> {
        TempPath::try_from_path(path).map(Self).map_err(OutputError::io("naming", path))
    }
}

/// Puts a folder where another is, which gets the name of the first, or `aside` where the system cannot do
/// that at once.
fn exchange(new: &Path, old: &Path, aside: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let exchanged = uninterrupted(|| Ok(renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE)?));
        if exchanged.is_ok() {
            return Ok(());
        }
    }
    uninterrupted(|| fs::rename(old, aside))?;
    // what was there before comes back if the new one cannot take its place
    uninterrupted(|| fs::rename(new, old)).inspect_err(|_| drop(fs::rename(aside, old)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test's panic is its answer
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn folder_with(path: &Path, content: &str) {
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), content).unwrap();
    }

    /// A file appears under its name when it is whole; one that is dropped leaves nothing.
    #[test]
    fn a_file_is_there_when_it_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let target = OutputTarget::new(home.path().join("film.mp4"), Existing::Keep);
        drop(target.unfinished_file(target.folder()).unwrap());
        assert_eq!(names(home.path()), Vec::<String>::new());
        let file = target.unfinished_file(target.folder()).unwrap();
        fs::write(file.path(), "film").unwrap();
        let [name] = &names(home.path())[..] else { panic!("one file") };
        assert!(name.starts_with("film.unfinished-") && name.ends_with(".mp4"), "{name}");
        target.put_file(file).unwrap();
        assert_eq!(names(home.path()), ["film.mp4"]);
        assert_eq!(fs::read_to_string(target.path()).unwrap(), "film");
    }

    /// What is there already stays unless it is to be replaced, also when it came after the check.
    #[test]
    fn what_is_there_stays_unless_it_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("film.mp4");
        let keep = OutputTarget::new(&path, Existing::Keep);
        keep.check().unwrap();
        let made = keep.unfinished_file(keep.folder()).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(keep.check(), Err(OutputError::Exists { .. })));
        assert!(matches!(keep.put_file(made), Err(OutputError::Exists { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(names(home.path()), ["film.mp4"]);
        let replace = OutputTarget::new(&path, Existing::Replace);
        replace.check().unwrap();
        let ours = home.path().join("ours");
        fs::write(&ours, "ours").unwrap();
        replace.put_file(UnfinishedFile::at(&ours).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
        assert_eq!(names(home.path()), ["film.mp4"]);
    }

    /// A link stays, and what it leads to is replaced, with the permissions that it has; what is no file is
    /// left alone, and long names are no hindrance.
    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_are_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let home = tempfile::tempdir().unwrap();
        let (path, real) = (home.path().join("link.mp4"), home.path().join("elsewhere/real.mp4"));
        fs::create_dir(home.path().join("elsewhere")).unwrap();
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &path).unwrap();
        let target = OutputTarget::new(&path, Existing::Replace);
        target.check().unwrap();
        let made = target.unfinished_file(target.folder()).unwrap();
        fs::write(made.path(), "new").unwrap();
        target.put_file(made).unwrap();
        assert!(path.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        let nowhere = home.path().join("nowhere.mp4");
        symlink(home.path().join("missing"), &nowhere).unwrap();
        let pipe = home.path().join("pipe.mp4");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for path in [nowhere, pipe] {
            let target = OutputTarget::new(&path, Existing::Replace);
            assert!(matches!(target.check(), Err(OutputError::NotReplaceable { .. })), "{path:?}");
            let made = target.unfinished_file(target.folder()).unwrap();
            assert!(matches!(target.put_file(made), Err(OutputError::NotReplaceable { .. })), "{path:?}");
        }
        let long = OutputTarget::new(home.path().join(format!("{}.mp4", "é".repeat(125))), Existing::Keep);
        drop(long.unfinished_folder("one").unwrap());
        let made = long.unfinished_file(long.folder()).unwrap();
        long.put_file(made).unwrap();
    }

    /// Folders take the place of others whole, and what a killed program left gives way to the next of the
    /// same owner alone.
    #[test]
    fn folders_change_places() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("stream");
        let [keep, replace] =
            [Existing::Keep, Existing::Replace].map(|existing| OutputTarget::new(&path, existing));
        let unfinished = keep.unfinished_folder("one").unwrap();
        let (made, aside) = (unfinished.path().join("made"), unfinished.path().join("replaced"));
        folder_with(&made, "first");
        keep.put_folder(&made, &aside).unwrap();
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "first");
        folder_with(&made, "second");
        assert!(matches!(keep.put_folder(&made, &aside), Err(OutputError::Exists { .. })));
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "first");
        replace.put_folder(&made, &aside).unwrap();
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "second");
        let _other = keep.unfinished_folder("two").unwrap();
        std::mem::forget(unfinished);
        let unfinished = keep.unfinished_folder("one").unwrap();
        assert_eq!(names(unfinished.path()), Vec::<String>::new());
        assert_eq!(names(home.path()).len(), 3);
    }
}
