//! This module reads a journal from front to back.

use super::form::{COMMIT, FILE_HEADER, RECORD_HEADER, RecordLocation, TRAILER};
use super::{Backend, Journal, Record, broken};
use std::io;

/// A cursor marks how far a journal has been read.
#[derive(Debug, Clone)]
pub struct Cursor {
    position: u64,
    commit: Option<RecordLocation>,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { position: FILE_HEADER, commit: None }
    }
}

impl<B: Backend> Journal<B> {
    /// Returns the record behind the cursor, or `None` behind the last one. A commit is a record of kind
    /// [`COMMIT`] whose payload is the index.
    ///
    /// # Errors
    /// `InvalidData` if a record is damaged, and the backend's own errors. The cursor has not moved then.
    pub fn next(&self, cursor: &mut Cursor) -> io::Result<Option<Record>> {
        let offset = cursor.position;
        if offset >= self.end() {
            return Ok(None);
        }
        let mut header = [0; RECORD_HEADER as usize];
        self.bytes(offset, &mut header)?;
        let header = self.seal.header(offset, self.end(), header).ok_or_else(|| broken(offset))?;
        let location = RecordLocation { offset, length: header.length };
        let mut record = self.read(location)?;
        cursor.position = location.end();
        if record.kind == COMMIT {
            let mut trailer = [0; TRAILER as usize];
            let sound =
                self.bytes(location.end(), &mut trailer).is_ok() && trailer == self.seal.trailer(location);
            if !sound || record.payload.len() < 8 {
                cursor.position = offset;
                return Err(broken(offset));
            }
            record.payload.drain(..8);
            cursor.position += TRAILER;
            cursor.commit = Some(location);
        }
        Ok(Some(record))
    }

    /// Gives up everything behind the last commit that the cursor has passed. It serves a journal whose later
    /// part is damaged and can be made again.
    pub fn rewind(&mut self, cursor: &Cursor) {
        self.commit = cursor.commit;
        self.flushed = cursor.commit.map_or(FILE_HEADER, |commit| commit.end() + TRAILER);
        self.buffer.clear();
        self.tail = true;
    }
}
