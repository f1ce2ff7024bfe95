//! Films that are no files of this machine: objects of a store, which are read by ranges of their bytes.
//!
//! Who speaks with the store is another crate's matter, behind two traits. Here is what a demuxer needs of
//! it: a place to read from, and the reason in words when that fails.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// How the addresses of objects begin.
const SCHEME: &str = "s3://";

/// Returns the address of an object, as in `s3://bucket/film.mkv`, where a path is one and no file's.
pub fn object_address(path: &Path) -> Option<&str> {
    path.to_str().filter(|address| address.starts_with(SCHEME))
}

/// Opens objects by their addresses.
pub trait Objects: Send + Sync + fmt::Debug {
    /// Opens an object as it is now. `interrupted` is asked at least every 50 ms of waiting.
    ///
    /// # Errors
    /// The error says in words what the store refused, or that it cannot be reached.
    fn open(&self, address: &str, interrupted: &dyn Fn() -> bool) -> io::Result<Box<dyn Object>>;

    /// Returns the bytes of memory that so many open objects hold at most.
    fn memory(&self, readers: u64) -> u64;
}

/// An open object: its bytes are those that it had when it was opened, or cannot be read any more.
pub trait Object: Send {
    /// Returns the number of its bytes.
    fn length(&self) -> u64;

    /// Returns what is another text whenever the object holds other bytes.
    fn identity(&self) -> &str;

    /// Reads some bytes from `offset` on into `buffer`, and returns how many; none at the end alone.
    ///
    /// # Errors
    /// [`io::ErrorKind::StaleNetworkFileHandle`] says that the object is another one by now,
    /// [`io::ErrorKind::TimedOut`] that `interrupted` wanted no more; else the error says in words what the
    /// store refused, or that it cannot be reached.
    fn read_at(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
        interrupted: &dyn Fn() -> bool,
    ) -> io::Result<usize>;
}

/// Why an object could not be read, in words. The number that FFmpeg takes for an error has no place for
/// them, so that they are kept here until whoever called into it asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cause(Arc<OnceLock<(io::ErrorKind, String)>>);

impl Cause {
    /// Returns the first error, if there was one.
    pub(crate) fn error(&self) -> Option<io::Error> {
        self.0.get().map(|(kind, words)| io::Error::new(*kind, words.clone()))
    }
}

/// An object as a demuxer reads it: from a place that moves.
pub(crate) struct ObjectFile {
    object: Box<dyn Object>,
    place: u64,
    access: crate::Access,
    cause: Cause,
}

impl ObjectFile {
    pub(crate) fn new(object: Box<dyn Object>, access: crate::Access) -> Self {
        Self { object, place: 0, access, cause: Cause::default() }
    }

    pub(crate) fn length(&self) -> u64 {
        self.object.length()
    }

    pub(crate) fn identity(&self) -> &str {
        self.object.identity()
    }

    /// Returns where it will be told why reading failed.
    pub(crate) fn cause(&self) -> Cause {
        self.cause.clone()
    }
}

impl Read for ObjectFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { object, access, .. } = self;
        match object.read_at(self.place, buffer, &|| access.is_interrupted()) {
            Ok(count) => {
                self.place += count as u64;
                Ok(count)
            }
            Err(error) => {
                // the first reason is the cause of all others
                let _ = self.cause.0.set((error.kind(), error.to_string()));
                Err(error)
            }
        }
    }
}

impl Seek for ObjectFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.place.checked_add_signed(by),
            SeekFrom::End(by) => self.length().checked_add_signed(by),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.place)
    }
}
