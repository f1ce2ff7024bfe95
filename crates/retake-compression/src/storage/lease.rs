//! This module is a session's hold on a storage.

use super::content::Ended;
use super::{FrameRecord, MultiPassStorage, StorageError};
use crate::encoder::EncoderData;
use std::sync::Arc;

/// A key names the subject of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteKey {
    /// The owner of the note, numbered by the session: a planner, an encoder.
    pub topic: u8,
    /// The pass that it was made in, counted from 0.
    pub pass: u32,
    /// The unit or take of the note, numbered by the session.
    pub unit: u32,
}

/// The end of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassEnd {
    /// The number of its frames.
    pub frames: u64,
    /// A digest of the frames' times and options, which is equal for equal frames.
    pub digest: u128,
}

/// A session's hold on a storage is exclusive until it is dropped. Every call fails with
/// [`StorageError::Closed`] once the client has closed the storage.
#[derive(Debug)]
pub struct StorageLease {
    storage: Arc<MultiPassStorage>,
}

impl StorageLease {
    pub(super) fn new(storage: Arc<MultiPassStorage>) -> Self {
        Self { storage }
    }

    /// Returns how many passes were recorded to their end, by this session or by earlier ones.
    ///
    /// # Errors
    /// [`StorageError::Closed`].
    pub fn passes(&self) -> Result<u32, StorageError> {
        self.storage.with("reading it", |content| Ok(content.passes()))
    }

    /// Returns the end of a pass, or `None` if it did not end.
    ///
    /// # Errors
    /// [`StorageError::Closed`].
    pub fn pass_end(&self, pass: u32) -> Result<Option<PassEnd>, StorageError> {
        self.storage.with("reading it", |content| Ok(content.ended(pass).map(PassEnd::from)))
    }

    /// Begins to record a pass. Earlier records of it and of the passes after it are forgotten.
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

    /// Ends the pass. From then on its records survive the end of the process.
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

    /// Makes notes that were stored after the end of a pass survive the end of the process, as its records
    /// do.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`].
    pub fn keep(&self) -> Result<(), StorageError> {
        self.storage.with("writing it", |content| content.keep(false))
    }

    /// Returns the frames of a pass, in the order in which they were recorded.
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

    /// Stores a note, and replaces an earlier one of that key.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`].
    pub fn put_note(&self, key: NoteKey, note: &[u8]) -> Result<(), StorageError> {
        self.storage.with("writing it", |content| content.put_note(key, note))
    }

    /// Returns a note, or `None` if there is none.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`], also for a record that is damaged.
    pub fn note(&self, key: NoteKey) -> Result<Option<Vec<u8>>, StorageError> {
        self.storage.with("reading it", |content| content.note(key))
    }

    /// Keeps data of an encoder about the frames with this digest, in the place of earlier data about them.
    /// It survives the end of a pass, and the next first pass too, because it follows from the frames.
    /// Returns false, and keeps nothing, where a storage holds as much of it as it may: 128 MiB.
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`].
    pub fn put_encoder_data(&self, frames: u128, data: &EncoderData) -> Result<bool, StorageError> {
        self.storage.with("writing it", |content| content.put_encoder_data(frames, data))
    }

    /// Returns what an encoder keeps about the frames with this digest, or `None` if there is nothing. Whose
    /// it is must be asked ([`EncoderData::is_of`]).
    ///
    /// # Errors
    /// [`StorageError::Closed`]; [`StorageError::File`], also for a record that is damaged.
    pub fn encoder_data(&self, frames: u128) -> Result<Option<EncoderData>, StorageError> {
        self.storage.with("reading it", |content| content.encoder_data(frames))
    }

    /// Returns the keys of all notes of a topic, sorted by pass and unit.
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
