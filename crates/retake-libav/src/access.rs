//! How the bytes of a film are reached: this is the one door through which a film is opened, so that it opens
//! nothing but itself, and so that every wait for it can be ended.
#![allow(unsafe_code)]

use crate::error::MediaError;
use crate::failure::errno;
use crate::ffi::RawAccess;
use crate::objects::{Cause, ObjectFile, Objects, object_address};
use crate::pipe::PipeReader;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Says what may be opened for a film, and who can end a wait for it.
#[derive(Clone, Default)]
pub struct Access {
    references: bool,
    objects: Option<Arc<dyn Objects>>,
    interrupt: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Access {
    /// Opens one film and nothing else, and waits for it as long as it takes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows that a playlist, which is named as one, names other files of this machine.
    #[must_use]
    pub fn references(mut self, allowed: bool) -> Self {
        self.references = allowed;
        self
    }

    /// Has films that are objects of a store (`s3://…`) opened by this. Without it, they are refused.
    #[must_use]
    pub fn objects(mut self, objects: Option<Arc<dyn Objects>>) -> Self {
        self.objects = objects;
        self
    }

    /// Asks this, at least every 50 ms of waiting, whether the reading must end.
    #[must_use]
    pub fn interrupt(mut self, asked: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.interrupt = Some(Arc::new(asked));
        self
    }

    /// Returns whether reading must end.
    pub fn is_interrupted(&self) -> bool {
        self.interrupt.as_ref().is_some_and(|asked| asked())
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("references", &self.references).finish_non_exhaustive()
    }
}

/// Returns whether a path is standard input (`-`) or a pipe with a name, which can be read only once.
///
/// # Errors
/// Returns [`MediaError::Open`] for what can be looked at by nobody, and for what is no file and no pipe: a
/// device may have no end, and a folder has no bytes.
pub fn is_pipe(path: &Path) -> Result<bool, MediaError> {
    if path == Path::new("-") {
        return Ok(true);
    }
    if object_address(path).is_some() {
        return Ok(false);
    }
    let open = |source| MediaError::Open { file: path.into(), source };
    let facts = std::fs::metadata(path).map_err(open)?;
    if facts.is_dir() {
        return Err(open(io::ErrorKind::IsADirectory.into()));
    }
    if facts.is_file() || is_fifo(&facts) {
        return Ok(!facts.is_file());
    }
    Err(open(io::Error::other("it is neither a file nor a pipe")))
}

fn is_fifo(facts: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::FileTypeExt::is_fifo(&facts.file_type());
    #[cfg(not(unix))]
    !facts.is_file()
}

/// Tells one state of a film from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileState {
    File {
        length: u64,
        changed: Option<SystemTime>,
        /// Device and number of the file, where there are such.
        place: (u64, u64),
    },
    Object {
        length: u64,
        identity: String,
    },
}

impl FileState {
    fn of(facts: &Metadata) -> Self {
        #[cfg(unix)]
        let place = (std::os::unix::fs::MetadataExt::dev(facts), std::os::unix::fs::MetadataExt::ino(facts));
        #[cfg(not(unix))]
        let place = (0, 0);
        Self::File { length: facts.len(), changed: facts.modified().ok(), place }
    }

    /// Returns whether the film is there and holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::File { length: 0, .. } | Self::Object { length: 0, .. })
    }
}

/// The bytes of an open source.
pub(crate) enum Bytes {
    File(File),
    Object(ObjectFile),
    Pipe(PipeReader),
}

impl Bytes {
    pub(crate) fn open(path: &Path, access: &Access) -> Result<Self, MediaError> {
        if let Some(address) = object_address(path) {
            return open_object(address, access).map(Self::Object).map_err(|source| {
                match access.is_interrupted() {
                    true => MediaError::Interrupted { file: path.into() },
                    false => MediaError::Open { file: path.into(), source },
                }
            });
        }
        if is_pipe(path)? {
            return Ok(Self::Pipe(PipeReader::open(path, access.clone())));
        }
        File::open(path).map(Self::File).map_err(|source| MediaError::Open { file: path.into(), source })
    }

    /// Returns the state of a file as it is now, and of an object as it was opened, because what is read of
    /// it is of that state alone; `None` for a pipe.
    pub(crate) fn state(&self) -> Option<FileState> {
        match self {
            Self::File(file) => file.metadata().ok().map(|facts| FileState::of(&facts)),
            Self::Object(object) => {
                let (length, identity) = (object.length(), object.identity().to_owned());
                Some(FileState::Object { length, identity })
            }
            Self::Pipe(_) => None,
        }
    }

    pub(crate) fn is_seekable(&self) -> bool {
        !matches!(self, Self::Pipe(_))
    }

    /// Returns where it will be told why reading failed, in words that no number has.
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::Object(object) => object.cause(),
            Self::File(_) | Self::Pipe(_) => Cause::default(),
        }
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            #[cfg(test)]
            Self::File(_) if tests::fails() => Err(io::Error::from_raw_os_error(5 /* EIO */)),
            Self::File(file) => file.read(buffer),
            Self::Object(object) => object.read(buffer),
            Self::Pipe(pipe) => pipe.read(buffer),
        }
    }
}

impl Seek for Bytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Object(object) => object.seek(to),
            Self::Pipe(_) => Err(io::Error::from_raw_os_error(29 /* ESPIPE */)),
        }
    }
}

fn open_object(address: &str, access: &Access) -> io::Result<ObjectFile> {
    let Some(objects) = &access.objects else {
        let what = "this program was built without object stores (feature `objects`)";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    };
    let object = objects.open(address, &|| access.is_interrupted())?;
    Ok(ObjectFile::new(object, access.clone()))
}

/// What the callbacks of one open film work with.
pub(crate) struct Owner {
    access: Access,
    /// Names in a playlist are relative to this folder.
    folder: PathBuf,
}

impl Owner {
    pub(crate) fn new(path: &Path, access: &Access) -> Box<Self> {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Box::new(Self { access: access.clone(), folder })
    }

    /// Returns the callbacks, which may be called as long as the owner lives.
    pub(crate) fn callbacks(&mut self) -> RawAccess {
        let references = c_int::from(self.access.references);
        RawAccess { owner: (&raw mut *self).cast(), references, interrupted, open, read, seek, close }
    }
}

unsafe extern "C" fn interrupted(owner: *mut c_void) -> c_int {
    // SAFETY: the owner lives as long as the input that calls.
    let owner = unsafe { &*owner.cast::<Owner>() };
    c_int::from(owner.access.is_interrupted())
}

/// Opens a file that a playlist names. The name is the name of a file, whatever characters it has, because
/// an address would lead to other machines.
unsafe extern "C" fn open(owner: *mut c_void, name: *const c_char, out: *mut *mut c_void) -> c_int {
    // SAFETY: the owner lives as long as the input that calls, and the name is a terminated text.
    let (owner, name) = unsafe { (&*owner.cast::<Owner>(), CStr::from_ptr(name)) };
    let name = name.to_bytes();
    let path = owner.folder.join(bytes_as_path(name.strip_prefix(b"file:").unwrap_or(name)));
    // a list is allowed to name files of this machine, and objects may be anybody's
    if object_address(&path).is_some() {
        return errno(&io::Error::from_raw_os_error(1 /* EPERM */));
    }
    match Bytes::open(&path, &owner.access) {
        Ok(bytes) => {
            // SAFETY: the caller gives a place for the answer.
            unsafe { *out = Box::into_raw(Box::new(bytes)).cast() };
            0
        }
        Err(MediaError::Open { source, .. }) => errno(&source),
        Err(_) => errno(&io::Error::other("it cannot be opened")),
    }
}

fn bytes_as_path(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    return PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes));
    #[cfg(not(unix))]
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

unsafe extern "C" fn read(bytes: *mut c_void, buffer: *mut u8, size: c_int) -> c_int {
    // SAFETY: the bytes were made by this module and are not closed yet, and one thread at a time reads them.
    let bytes = unsafe { &mut *bytes.cast::<Bytes>() };
    // SAFETY: the buffer has as many bytes as stated.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, usize::try_from(size).unwrap_or(0)) };
    loop {
        match bytes.read(buffer) {
            Ok(count) => return c_int::try_from(count).unwrap_or(c_int::MAX),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return errno(&error),
        }
    }
}

/// Moves within a file, and returns the new place; `whence` -1 asks for the length.
unsafe extern "C" fn seek(bytes: *mut c_void, offset: i64, whence: c_int) -> i64 {
    // SAFETY: as for `read`.
    let bytes = unsafe { &mut *bytes.cast::<Bytes>() };
    let to = match whence {
        0 => SeekFrom::Start(u64::try_from(offset).unwrap_or(u64::MAX)),
        1 => SeekFrom::Current(offset),
        _ => SeekFrom::End(offset),
    };
    let place = match bytes {
        Bytes::File(file) if whence == -1 => file.metadata().map(|facts| facts.len()),
        Bytes::Object(object) if whence == -1 => Ok(object.length()),
        bytes => bytes.seek(to),
    };
    match place {
        Ok(place) => i64::try_from(place).unwrap_or(i64::MAX),
        Err(error) => errno(&error).into(),
    }
}

unsafe extern "C" fn close(bytes: *mut c_void) {
    // SAFETY: the bytes were made by this module as a box, and this is their last use.
    drop(unsafe { Box::from_raw(bytes.cast::<Bytes>()) });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test's panic is its answer

    use super::*;
    use crate::{FrameReader, ReaderOptions, probe, survey};
    use std::cell::Cell;
    use std::process::Command;
    use tempfile::TempDir;

    std::thread_local! {
        /// How many reads of this thread succeed before one fails; negative for all.
        static LEFT: Cell<i32> = const { Cell::new(-1) };
    }

    /// Whether this read fails.
    pub(super) fn fails() -> bool {
        let left = LEFT.get();
        LEFT.set((left - 1).max(-1));
        left == 0
    }

    fn frames(path: &Path) -> Result<u64, MediaError> {
        let info = survey(probe(path)?, &|| false)?;
        let mut reader = FrameReader::open(&info, ReaderOptions { format: info.video.format, threads: 1 })?;
        let mut count = 0;
        while reader.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Demuxers skip what they did not get, and go on with what comes behind: one read that fails, whichever
    /// it is, ends the film as an error of the system, and leaves out no frames.
    #[test]
    fn a_read_that_fails_once_is_an_error() {
        let studio = TempDir::new().unwrap();
        let films =
            ["film.mkv -cluster_time_limit 100", "film.ts", "film.mpg", "film.nut", "film.avi", "film.mp4"];
        for film in films {
            let (name, flags) = film.split_once(' ').unwrap_or((film, ""));
            let path = studio.path().join(name);
            let source = "-v error -f lavfi -i testsrc2=s=320x240:r=25:d=1 -c:v mpeg2video -q:v 2 -bitexact";
            let run = Command::new("ffmpeg")
                .args(source.split(' '))
                .args(flags.split_whitespace())
                .arg(&path)
                .status();
            if !run.is_ok_and(|status| status.success()) {
                return eprintln!("SKIPPED: the ffmpeg program is needed");
            }
            assert_eq!(frames(&path).unwrap(), 25, "{name}");
            let mut failures = 0;
            for number in 0.. {
                LEFT.set(number);
                let found = frames(&path);
                if LEFT.replace(-1) >= 0 {
                    break;
                }
                failures += 1;
                let told = |error: &MediaError| error.kind() == crate::ErrorKind::Io;
                assert!(found.as_ref().is_err_and(told), "{name}, read {number}: {found:?}");
            }
            assert!(failures > 10, "{name}: {failures}");
        }
    }
}
