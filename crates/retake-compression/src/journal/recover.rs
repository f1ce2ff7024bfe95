//! This module finds the commits of a journal again: the last one from the end of the file, the others by
//! their chain.

use super::form::{COMMIT, FILE_HEADER, RECORD_HEADER, RecordLocation, Seal, TRAILER, damaged};
use super::{Backend, Journal};
use std::io;

/// The search for the last trailer reads this many bytes at a time; it must be more than a trailer.
const WINDOW: u64 = 1 << 16;

/// Returns the last commit that is whole. Usually the file ends with it; after a crash a torn rest may lie
/// behind it.
pub(super) fn last_commit(
    backend: &impl Backend,
    seal: Seal,
    length: u64,
) -> io::Result<Option<RecordLocation>> {
    let mut window = Vec::new();
    let mut end = length;
    // a window begins a trailer's length before the end of the one behind it, so that none is cut in two
    while end >= FILE_HEADER + TRAILER {
        let start = end.saturating_sub(WINDOW).max(FILE_HEADER);
        window.resize((end - start) as usize, 0);
        backend.read_at(start, &mut window)?;
        let trailers = window.windows(TRAILER as usize).enumerate().rev();
        for (at, bytes) in trailers {
            let offset = start + at as u64;
            if let Some(commit) = seal.commit_before(offset, bytes)
                && let Some(commit) = check(backend, seal, commit, offset)?
            {
                return Ok(Some(commit));
            }
        }
        if start == FILE_HEADER {
            break;
        }
        end = start + TRAILER - 1;
    }
    Ok(None)
}

/// Returns the commit at `offset`, if it is whole and ends at `end`.
fn check(backend: &impl Backend, seal: Seal, offset: u64, end: u64) -> io::Result<Option<RecordLocation>> {
    if offset < FILE_HEADER || end - offset < RECORD_HEADER {
        return Ok(None);
    }
    let mut header = [0; RECORD_HEADER as usize];
    backend.read_at(offset, &mut header)?;
    let Some(header) = seal.header(offset, end, header) else { return Ok(None) };
    let location = RecordLocation { offset, length: header.length };
    if header.kind != COMMIT || location.end() != end {
        return Ok(None);
    }
    let mut payload = vec![0; header.length as usize];
    backend.read_at(offset + RECORD_HEADER, &mut payload)?;
    Ok((header.fits(&payload) && payload.len() >= 8).then_some(location))
}

impl<B: Backend> Journal<B> {
    /// Hands the index of every commit to `each`, from the first to the last.
    ///
    /// # Errors
    /// `InvalidData` if a commit is damaged; the backend's own errors; and the errors of `each`, which end
    /// it.
    pub fn replay(&self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut chain: Vec<RecordLocation> = self.commit.into_iter().collect();
        while let Some(before) = chain.last().and_then(|commit| self.before(*commit).transpose()) {
            chain.push(before?);
        }
        let mut expected = 0u64;
        for commit in chain.into_iter().rev() {
            let payload = self.read(commit)?.payload;
            let (before, index) = payload.split_at_checked(8).ok_or_else(|| super::broken(commit.offset))?;
            // the way back was followed without checking payloads, so this one is compared now
            if before != expected.to_le_bytes() {
                return Err(super::broken(commit.offset));
            }
            expected = commit.offset;
            each(index)?;
        }
        Ok(())
    }

    /// Returns the commit before a commit. Offsets must fall strictly, so that every chain ends.
    fn before(&self, commit: RecordLocation) -> io::Result<Option<RecordLocation>> {
        let start = commit.offset + RECORD_HEADER;
        let mut before = [0; 8];
        self.bytes(start, &mut before)?;
        match u64::from_le_bytes(before) {
            0 => Ok(None),
            offset if offset < commit.offset => {
                let mut header = [0; RECORD_HEADER as usize];
                self.bytes(offset, &mut header)?;
                let header = self.seal.header(offset, commit.offset, header);
                let header = header.filter(|header| header.kind == COMMIT && header.length >= 8);
                let header = header.ok_or_else(|| super::broken(offset))?;
                Ok(Some(RecordLocation { offset, length: header.length }))
            }
            _ => Err(damaged("a commit points behind itself")),
        }
    }

    /// Reads bytes of the journal, from the backend and from the buffer.
    pub(super) fn bytes(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        if end > self.end() {
            return Err(super::broken(offset));
        }
        match offset.checked_sub(self.flushed) {
            // the index is bounded by the length of the buffer: see above
            Some(start) => buffer.copy_from_slice(&self.buffer[start as usize..][..buffer.len()]),
            None => self.backend.read_at(offset, buffer)?,
        }
        Ok(())
    }
}
