//! A session's hold on a storage.

use super::content::Ended;
use super::{FrameRecord, MultiPassStorage, StorageError};
use std::sync::Arc;

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteKey {
    /// Whose note it is, of the session's choice: a planner's, an encoder's.
    pub topic: u8,
    /// The pass that it was made in, counted from 0.
    pub pass: u32,
    /// The unit or take that it is about, of the session's choice.
    pub unit: u32,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassEnd {
    /// How many frames it had.
    pub frames: u64,
    /// A digest of their times and options: equal for equal frames.
    pub digest: u128,
}

/// A session's hold on a storage: exclusive until it is dropped. Every call fails with
/// [`StorageError::Closed`] once the client has closed the storage.
#[derive(Debug)]
pub struct StorageLease {
    storage: Arc<MultiPassStorage>,
}

impl StorageLease {
    pub(super) fn new(storage: Arc<MultiPassStorage>) -> Self {
        Self { storage }
    }

    /// Passes that were recorded to their end, by this session or by earlier ones.
    ///
    /// # Errors
    /// [`StorageError::Closed`].
    pub fn passes(&self) -> Result<u32, StorageError> {
        self.storage.with("reading it", |content| Ok(content.passes()))
    }

    /// How a pass ended; nothing if it did not.
    ///
    /// # Errors
    /// [`StorageError::Closed`].
    pub fn pass_end(&self, pass: u32) -> Result<Option<PassEnd>, StorageError> {
        self.storage.with("reading it", |content| Ok(content.ended(pass).map(PassEnd::from)))
    }

    /// Begins to record a pass. What was recorded of it before, and of those after it, is forgotten.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`].
    pub fn begin_pass(&self, pass: u32) -> Result<(), StorageError> {
        self.storage.with("writing it", |content| content.begin_pass(pass))
    }

    /// Records a frame of the pass that was begun.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`]: the frame is not recorded then.
    pub fn push_frame(&self, frame: FrameRecord) -> Result<(), StorageError> {
        self.storage.with("writing it", |content| content.push_frame(frame))
    }

    /// Ends the pass: after this, what was recorded of it survives the end of the process.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`].
    pub fn end_pass(&self) -> Result<PassEnd, StorageError> {
        self.storage.with("writing it", |content| {
            let end = content.end_pass()?;
            content.keep(false)?;
            Ok(end.into())
        })
    }

    /// The frames of a pass, in the order in which they were recorded.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`], also for a record that is damaged.
    pub fn frames(&self, pass: u32) -> Result<Vec<FrameRecord>, StorageError> {
        self.storage.with("reading it", |content| {
            let mut frames = Vec::new();
            content.frames(pass, |frame| frames.push(frame))?;
            Ok(frames)
        })
    }

    /// Keeps a note, in the place of an earlier one of that key.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`].
    pub fn put_note(&self, key: NoteKey, note: &[u8]) -> Result<(), StorageError> {
        self.storage.with("writing it", |content| content.put_note(key, note))
    }

    /// A note; nothing if there is none.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`], also for a record that is damaged.
    pub fn note(&self, key: NoteKey) -> Result<Option<Vec<u8>>, StorageError> {
        self.storage.with("reading it", |content| content.note(key))
    }

    /// The keys of all notes of a topic, by pass and unit.
    ///
    /// # Errors
    /// [`StorageError::Closed`].
    pub fn notes(&self, topic: u8) -> Result<Vec<NoteKey>, StorageError> {
        self.storage
            .with("reading it", |content| Ok(content.notes().filter(|key| key.topic == topic).collect()))
    }
}

impl From<Ended> for PassEnd {
    fn from(Ended { frames, digest }: Ended) -> Self {
        Self { frames, digest }
    }
}

impl Drop for StorageLease {
    fn drop(&mut self) {
        self.storage.lock().attached = false;
    }
}
