//! The multi-pass storage keeps the findings of each pass of an encode in a file.
//!
//! A client creates a storage, gives it to a session, and closes it at the end. Its content belongs to the
//! session: a session takes it by [`MultiPassStorage::attach`], one at a time, and can use the content only
//! if its identity equals that of the writer. Frames are kept as [`FrameRecord`]s, everything else
//! (statistics of an encoder, records of takes, scores) as notes.

mod content;
mod error;
mod frame;
mod identity;
mod lease;

#[cfg(test)]
mod tests;

pub use error::StorageError;
pub use frame::FrameRecord;
pub use identity::StorageIdentity;
pub use lease::{NoteKey, PassEnd, StorageLease};

use self::content::Content;
use crate::journal::backing_file::BackingFile;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// These options tell how a storage is created.
#[derive(Debug, Clone, Default)]
pub struct StorageOptions {
    /// True if the file must be kept when the storage is dropped. By default, a file that the storage has
    /// made is deleted with it.
    #[doc(alias = "kVTMultiPassStorageCreationOption_DoNotDelete")]
    pub do_not_delete: bool,
    /// The folder of a storage without a path. By default, it is the system's folder of temporary files.
    pub temporary_folder: Option<PathBuf>,
}

/// A storage keeps the findings of each pass of an encode. The client and its session share it.
///
/// The file is deleted when the last owner drops the storage, if the storage made it and was not told to keep
/// it. A file that existed before is never deleted.
#[doc(alias = "VTMultiPassStorage")]
pub struct MultiPassStorage {
    state: Mutex<State>,
    backing: BackingFile,
}

struct State {
    /// The content is `None` once the storage was closed.
    content: Option<Content<File>>,
    attached: bool,
}

impl MultiPassStorage {
    /// Creates a storage in a file at `path` or, without one, in a temporary file that other processes can
    /// neither read nor find. A storage that an earlier process kept there is opened with its content.
    /// `time_range` is a hint of the times to expect; it restricts nothing, and may be invalid.
    ///
    /// # Errors
    /// [`StorageError::InUse`] for the file of another storage, of whatever process;
    /// [`StorageError::Unusable`] for a file that is no storage, is damaged, or cannot be made. The file is
    /// unchanged then.
    #[doc(alias = "VTMultiPassStorageCreate")]
    #[doc(alias = "two-pass")]
    pub fn create(path: Option<&Path>, options: &StorageOptions) -> Result<Arc<Self>, StorageError> {
        let fail = |source| StorageError::Unusable { path: path.map(Path::to_owned), source };
        let opened = BackingFile::open(path, options.temporary_folder.as_deref(), options.do_not_delete);
        let (backing, file) = opened.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => StorageError::InUse,
            _ => fail(error),
        })?;
        let begun = backing.existed() && file.metadata().map_err(fail)?.len() > 0;
        let content = if begun { Content::open(file) } else { Content::create(file) };
        let state = Mutex::new(State { content: Some(content.map_err(fail)?), attached: false });
        Ok(Arc::new(Self { state, backing }))
    }

    /// Writes pending records and closes the file. All later calls fail, also those of a session that still
    /// holds the storage. If the file must be deleted, that happens when the storage is dropped.
    ///
    /// # Errors
    /// [`StorageError::Closed`] the second time; [`StorageError::File`] if the last bytes could not be
    /// written: the storage is closed all the same.
    #[doc(alias = "VTMultiPassStorageClose")]
    pub fn close(&self) -> Result<(), StorageError> {
        let content = self.lock().content.take();
        let mut content = content.ok_or(StorageError::Closed)?;
        content.keep(self.backing.is_lasting()).map_err(self.fail("closing it"))
    }

    /// Takes the storage for a session, until the lease is dropped. An empty storage gets this identity.
    ///
    /// # Errors
    /// [`StorageError::Mismatch`] and [`StorageError::InUse`]; [`StorageError::Closed`];
    /// [`StorageError::File`].
    pub fn attach(self: &Arc<Self>, identity: &StorageIdentity) -> Result<StorageLease, StorageError> {
        let mut state = self.lock();
        let State { content, attached } = &mut *state;
        let content = content.as_mut().ok_or(StorageError::Closed)?;
        if *attached {
            return Err(StorageError::InUse);
        }
        match &content.identity {
            Some(stored) => stored.check(identity)?,
            None => content.set_identity(identity).map_err(self.fail("writing it"))?,
        }
        *attached = true;
        drop(state);
        Ok(StorageLease::new(self.clone()))
    }

    /// Tells whether the storage was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().content.is_none()
    }

    fn with<T>(
        &self,
        doing: &'static str,
        use_it: impl FnOnce(&mut Content<File>) -> io::Result<T>,
    ) -> Result<T, StorageError> {
        let mut state = self.lock();
        let content = state.content.as_mut().ok_or(StorageError::Closed)?;
        use_it(content).map_err(self.fail(doing))
    }

    fn fail(&self, doing: &'static str) -> impl Fn(io::Error) -> StorageError {
        move |source| StorageError::File { path: self.backing.path().map(Path::to_owned), doing, source }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // only a defect panics while it holds the lock, and the state is whole between its steps
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MultiPassStorage {
    fn drop(&mut self) {
        if self.backing.is_lasting() {
            // a drop cannot report an error; clients that need to know must call `close`
            let _ = self.close();
        }
    }
}

/// Two handles are equal if they are of the same storage.
impl PartialEq for MultiPassStorage {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for MultiPassStorage {}

impl fmt::Debug for MultiPassStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiPassStorage").field("path", &self.backing.path()).finish_non_exhaustive()
    }
}
