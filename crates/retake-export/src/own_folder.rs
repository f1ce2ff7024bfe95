//! Folders that are ours alone, the files in them that appear whole or not at all, and names that survive a
//! power failure.
//!
//! A folder is looked at once, and its files are reached through its handle from then on, so that nobody can
//! put another one in its place. No link is followed, because a link that somebody planted would lead to a
//! file of the user's.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How names of files begin that were not written to their end.
pub(crate) const UNFINISHED: &str = "unfinished-";

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
}

/// An open folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
    handle: system::Handle,
}

impl Folder {
    /// Opens a folder that belongs to this user, and that nobody else may write into. One that is not there
    /// is made, and nobody else may look into it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let handle = system::open_folder(None, path)?;
        Ok(Self { path: path.to_owned(), handle })
    }

    /// Opens a folder in this one in the same way.
    pub(crate) fn within(&self, name: &str) -> io::Result<Self> {
        let handle = system::open_folder(Some(&self.handle), Path::new(name))?;
        Ok(Self { path: self.path.join(name), handle })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at a name, and refuses what is not of this kind, is a link, or belongs to somebody else.
    pub(crate) fn check(&self, name: &str, kind: Kind) -> io::Result<()> {
        system::check(&self.handle, Path::new(name), kind)
    }

    /// Opens a file to read it.
    pub(crate) fn read(&self, name: &str) -> io::Result<File> {
        system::open_file(&self.handle, name, system::Way::Read)
    }

    /// Opens a file to read and write it, or makes it.
    pub(crate) fn edit(&self, name: &str) -> io::Result<File> {
        system::open_file(&self.handle, name, system::Way::Edit)
    }

    /// Begins a file.
    pub(crate) fn begin(&self) -> io::Result<Unfinished> {
        // a name is taken only if a killed process left it, or by a chance that does not come twice
        for _ in 0..64 {
            let number = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
            let name = format!("{UNFINISHED}{number:016x}");
            match system::open_file(&self.handle, &name, system::Way::New) {
                Ok(file) => return Ok(Unfinished { file, name: Some(name), folder: self.clone() }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Writes a file under another name, syncs it, and gives it its own name: there is nothing under that
    /// name, or what was there before, or all of `content`.
    pub(crate) fn write_whole(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut file = self.begin()?;
        file.file.write_all(content)?;
        file.file.sync_all()?;
        file.persist(name)?;
        self.sync();
        Ok(())
    }

    /// Returns all names; one that is not UTF-8 is none of ours, and comes back as it can be shown.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let names = system::names(&self.handle)?;
        Ok(names.into_iter().map(|name: OsString| name.to_string_lossy().into_owned()).collect())
    }

    /// Removes a file or a link.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        system::remove(&self.handle, name, Kind::File)
    }

    /// Removes an empty folder.
    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        system::remove(&self.handle, name, Kind::Folder)
    }

    /// Makes a rename in this folder survive a power failure.
    pub(crate) fn sync(&self) {
        system::sync(&self.handle);
    }
}

/// A file that was not written to its end. It is removed when it is dropped, unless it got a name of its own.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) file: File,
    name: Option<String>,
    folder: Folder,
}

impl Unfinished {
    /// Gives the file its name, and takes that name from the file that had it.
    pub(crate) fn persist(mut self, name: &str) -> io::Result<()> {
        let unfinished = self.name.as_deref().expect("a file has its first name until it gets the second");
        system::rename(&self.folder.handle, unfinished, name)?;
        self.name = None;
        Ok(())
    }

    /// Where it is now, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path.join(self.name.as_deref().unwrap_or_default())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = self.folder.remove(name);
        }
    }
}

#[cfg(unix)]
mod system {
    use super::Kind;
    use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
    use rustix::io::{Errno, retry_on_intr};
    use std::ffi::{OsStr, OsString};
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::sync::Arc;

    pub(super) type Handle = Arc<OwnedFd>;

    pub(super) enum Way {
        Read,
        Edit,
        New,
    }

    fn untrusted(reason: &'static str) -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, reason)
    }

    fn trust(facts: &Stat, kind: Kind) -> io::Result<()> {
        let wanted = if kind == Kind::File { FileType::RegularFile } else { FileType::Directory };
        match FileType::from_raw_mode(facts.st_mode) {
            found if found == wanted => {}
            FileType::Symlink => return Err(untrusted("it is a link")),
            _ if kind == Kind::File => return Err(untrusted("it is no file")),
            _ => return Err(untrusted("it is no folder")),
        }
        if facts.st_uid != rustix::process::geteuid().as_raw() {
            return Err(untrusted("it belongs to another user"));
        }
        // a file of ours that others may write is reached through a folder that they may not enter
        if kind == Kind::Folder && facts.st_mode & 0o022 != 0 {
            return Err(untrusted("others may write into it"));
        }
        Ok(())
    }

    pub(super) fn check(folder: &Handle, name: &Path, kind: Kind) -> io::Result<()> {
        let facts = retry_on_intr(|| rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW))?;
        trust(&facts, kind)
    }

    pub(super) fn open_folder(parent: Option<&Handle>, name: &Path) -> io::Result<Handle> {
        let parent = parent.map_or(CWD, |parent| parent.as_fd());
        match retry_on_intr(|| rustix::fs::mkdirat(parent, name, Mode::RWXU)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = retry_on_intr(|| rustix::fs::openat(parent, name, flags, Mode::empty()));
        let handle = handle.map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR => {
                let facts = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
                facts.map_or(error.into(), |facts| trust(&facts, Kind::Folder).err().unwrap_or(error.into()))
            }
            error => error.into(),
        })?;
        trust(&retry_on_intr(|| rustix::fs::fstat(&handle))?, Kind::Folder)?;
        Ok(Arc::new(handle))
    }

    pub(super) fn open_file(folder: &Handle, name: &str, way: Way) -> io::Result<File> {
        let flags = match way {
            Way::Read => OFlags::RDONLY,
            Way::Edit => OFlags::RDWR | OFlags::CREATE,
            Way::New => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        // what is no file must not make the opening wait
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = retry_on_intr(|| rustix::fs::openat(folder, name, flags, mode));
        let file = file
            .map_err(|error| if error == Errno::LOOP { untrusted("it is a link") } else { error.into() })?;
        let facts = retry_on_intr(|| rustix::fs::fstat(&file))?;
        trust(&facts, Kind::File)?;
        if matches!(way, Way::Edit) && facts.st_nlink > 1 {
            return Err(untrusted("it is the file of another name, too"));
        }
        Ok(file.into())
    }

    /// A signal that interrupts the listing begins it anew, because after an error it has no further entries.
    pub(super) fn names(folder: &Handle) -> io::Result<Vec<OsString>> {
        let list = || -> rustix::io::Result<Vec<OsString>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(folder)? {
                let entry = entry?;
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                if name != "." && name != ".." {
                    names.push(name.to_owned());
                }
            }
            Ok(names)
        };
        Ok(retry_on_intr(list)?)
    }

    pub(super) fn remove(folder: &Handle, name: &str, kind: Kind) -> io::Result<()> {
        let flags = if kind == Kind::Folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        Ok(retry_on_intr(|| rustix::fs::unlinkat(folder, name, flags))?)
    }

    pub(super) fn rename(folder: &Handle, from: &str, to: &str) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::renameat(folder, from, folder, to))?)
    }

    pub(super) fn sync(folder: &Handle) {
        // not every file system can sync a folder; where it cannot, the rename is as safe as it gets
        let _ = retry_on_intr(|| rustix::fs::fsync(folder));
    }
}

/// Where folders have no handles, they are reached by their paths. Who owns what is not looked at there.
#[cfg(not(unix))]
mod system {
    use super::Kind;
    use std::ffi::OsString;
    use std::fs::{self, File, OpenOptions};
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) type Handle = PathBuf;

    pub(super) enum Way {
        Read,
        Edit,
        New,
    }

    pub(super) fn check(folder: &Handle, name: &Path, kind: Kind) -> io::Result<()> {
        let found = fs::symlink_metadata(folder.join(name))?;
        let fits = if kind == Kind::File { found.is_file() } else { found.is_dir() };
        if fits {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is of another kind"))
        }
    }

    pub(super) fn open_folder(parent: Option<&Handle>, name: &Path) -> io::Result<Handle> {
        let path = parent.map_or_else(|| name.to_owned(), |parent| parent.join(name));
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => check(&path, Path::new(""), Kind::Folder)?,
        }
        Ok(path)
    }

    pub(super) fn open_file(folder: &Handle, name: &str, way: Way) -> io::Result<File> {
        let path = folder.join(name);
        match way {
            Way::Read => File::open(path),
            Way::Edit => OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path),
            Way::New => OpenOptions::new().read(true).write(true).create_new(true).open(path),
        }
    }

    pub(super) fn names(folder: &Handle) -> io::Result<Vec<OsString>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    pub(super) fn remove(folder: &Handle, name: &str, kind: Kind) -> io::Result<()> {
        let path = folder.join(name);
        if kind == Kind::Folder { fs::remove_dir(path) } else { fs::remove_file(path) }
    }

    pub(super) fn rename(folder: &Handle, from: &str, to: &str) -> io::Result<()> {
        fs::rename(folder.join(from), folder.join(to))
    }

    pub(super) fn sync(_: &Handle) {}
}
