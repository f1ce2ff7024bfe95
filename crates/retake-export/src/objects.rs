//! What an export asks of an object store, where its source, its takes or its film are objects: whole objects
//! that appear at once, or not at all.

pub use retake_asset::Existing;
pub use retake_libav::{Object, Objects, object_address};
use std::io;
use std::path::Path;

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// The number of its bytes.
    pub length: u64,
    /// Another text whenever the object holds other bytes.
    pub identity: String,
    /// What was noted of it when it was put there.
    pub note: Option<String>,
}

/// A store of objects. All of its calls are about one object, which is whole at any moment, whoever dies.
/// They wait for the network, and end soon when `interrupted` says so, which is asked at least every 50 ms.
///
/// Errors say in words which server refused what, or that it cannot be reached, and hold no credentials.
/// [`io::ErrorKind::TimedOut`] says that the call was interrupted.
pub trait ObjectStore: Objects {
    /// Says what is at an address; `None` where nothing is.
    ///
    /// # Errors
    /// Fails where the store cannot be asked, or has no such bucket.
    fn look(&self, address: &str, interrupted: &dyn Fn() -> bool) -> io::Result<Option<ObjectFacts>>;

    /// Tries whether an object may be made at an address, and leaves nothing there.
    ///
    /// # Errors
    /// Fails as the making of it would.
    fn try_out(&self, address: &str, interrupted: &dyn Fn() -> bool) -> io::Result<()>;

    /// Lists the objects whose addresses begin with this one and a slash, by what comes behind that, in no
    /// order. A slash at its end is left out. More than `most` are refused.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] for too many; else fails as [`ObjectStore::look`] does.
    fn list(&self, address: &str, most: usize, interrupted: &dyn Fn() -> bool) -> io::Result<Vec<String>>;

    /// Removes the objects that have these names behind the address and a slash, as far as they are there.
    ///
    /// # Errors
    /// Fails where the store cannot be asked, or refuses it. Some of them may be gone then.
    fn remove(&self, address: &str, names: &[String], interrupted: &dyn Fn() -> bool) -> io::Result<()>;

    /// Makes an object of bytes in one request. What is more than some megabytes is a matter of
    /// [`ObjectStore::put_file`].
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where an object is to be kept that somebody put there, also while
    /// this call ran.
    fn put(
        &self,
        address: &str,
        bytes: Vec<u8>,
        existing: Existing,
        interrupted: &dyn Fn() -> bool,
    ) -> io::Result<()>;

    /// Makes an object of a file, with a note of at most [`MOST_NOTE`] bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where an object is to be kept that somebody put there, also while
    /// this call ran.
    fn put_file(
        &self,
        address: &str,
        file: &Path,
        note: Option<&str>,
        existing: Existing,
        interrupted: &dyn Fn() -> bool,
    ) -> io::Result<()>;
}

/// The longest note of an object, in bytes of ASCII: Amazon S3 takes 2 KB of names and values.
pub const MOST_NOTE: usize = 1900;
