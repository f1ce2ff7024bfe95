//! The multi-pass storage: what an encode learned in each of its passes, in a file.
//!
//! A client creates a storage, gives it to a session, and closes it when it is done. What is in it is the
//! session's affair: a session takes it by [`MultiPassStorage::attach`], one at a time, and finds it again
//! only if its identity is the one that wrote it. Frames are kept as [`FrameRecord`]s, everything else
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

/// How a storage is created.
#[derive(Debug, Clone, Default)]
pub struct StorageOptions {
    /// Keep the file when the storage is dropped. Default: a file that the storage has made is deleted with
    /// it.
    #[doc(alias = "kVTMultiPassStorageCreationOption_DoNotDelete")]
    pub do_not_delete: bool,
    /// Where a storage without a path is kept. Default: where the system keeps temporary files.
    pub temporary_folder: Option<PathBuf>,
}

/// What an encode learned in each of its passes. Shared between the client and the session that it is given
/// to.
///
/// The file is deleted when the last owner drops it, if the storage made it and was not told to keep it. A
/// file that was there before is never deleted.
#[doc(alias = "VTMultiPassStorage")]
pub struct MultiPassStorage {
    state: Mutex<State>,
    backing: BackingFile,
}

struct State {
    /// Nothing once it was closed.
    content: Option<Content<File>>,
    attached: bool,
}

impl MultiPassStorage {
    /// Creates a storage in a file at `path`, or, without one, in a temporary file that nobody else can read
    /// or find. A storage that an earlier process kept there is opened with what it holds.
    ///
    /// # Errors
    /// [`StorageError::Unusable`] for a file that is no storage, is damaged, is in use, or cannot be made. It
    /// is as it was then.
    #[doc(alias = "VTMultiPassStorageCreate")]
    #[doc(alias = "two-pass")]
    pub fn create(path: Option<&Path>, options: &StorageOptions) -> Result<Arc<Self>, StorageError> {
        let fail = |source| StorageError::Unusable { path: path.map(Path::to_owned), source };
        let opened = BackingFile::open(path, options.temporary_folder.as_deref(), options.do_not_delete);
        let (backing, file) = opened.map_err(fail)?;
        let begun = backing.existed() && file.metadata().map_err(fail)?.len() > 0;
        let content = if begun { Content::open(file) } else { Content::create(file) };
        let state = Mutex::new(State { content: Some(content.map_err(fail)?), attached: false });
        Ok(Arc::new(Self { state, backing }))
    }

    /// Writes what is pending, and closes the file. Everything that is asked of the storage from then on
    /// fails, also by a session that still has it. The file is deleted, if it is to be, when the storage is
    /// dropped.
    ///
    /// # Errors
    /// [`StorageError::Closed`] the second time; [`StorageError::File`] where the last bytes could not be
    /// written: it is closed all the same.
    #[doc(alias = "VTMultiPassStorageClose")]
    pub fn close(&self) -> Result<(), StorageError> {
        let content = self.lock().content.take();
        let mut content = content.ok_or(StorageError::Closed)?;
        content.keep(self.backing.is_lasting()).map_err(self.fail("closing it"))
    }

    /// Takes the storage for a session, until the lease is dropped. An empty storage becomes one of this
    /// identity.
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

    /// Whether it was closed.
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
        // nothing panics while it holds the lock, but for defects; the state is whole between its steps
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MultiPassStorage {
    fn drop(&mut self) {
        if self.backing.is_lasting() {
            // there is nobody left to tell; those who need to know call `close`
            let _ = self.close();
        }
    }
}

/// Equal is what is the same storage.
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
