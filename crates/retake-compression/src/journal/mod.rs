//! The journal is the one way in which Retake keeps data in files: it holds checked records, and commits that
//! say how far it counts.
//!
//! ```text
//! file    = "RETAKE" kind[1] version[1] salt[8] crc[4]  ( record | commit )*
//! record  = length u32 | kind u8 | crc of the payload u32 | crc of salt, offset and these nine bytes u32 | payload
//! commit  = a record of kind 0: offset of the commit before u64, index | trailer
//! trailer = offset of the commit u64 | crc of salt, own offset and these eight bytes u32 | "DONE"         (all little-endian)
//! ```
//!
//! A journal is only ever appended to. Bytes behind its last commit do not count, so a crash at any moment
//! leaves the journal as it was at some commit. A commit carries an index of the client's own making, and
//! points to the commit before it, so that opening a journal takes time by the number of its commits
//! ([`Journal::replay`]), not of its bytes. Every payload is checked when it is read, so a flipped bit is
//! found and never believed. `docs/storage-format.md` has the argument.

mod backend;
pub(crate) mod backing_file;
mod cursor;
pub(crate) mod fields;
mod form;
mod recover;

#[cfg(test)]
pub(crate) mod faults;
#[cfg(test)]
mod tests;

pub use backend::Backend;
pub use cursor::Cursor;
pub(crate) use form::OtherVersion;
pub use form::{COMMIT, LARGEST_PAYLOAD, RecordLocation};

use form::{FILE_HEADER, Header, RECORD_HEADER, Seal, TRAILER, damaged};
use std::io;

/// This many bytes are gathered before they are handed to the backend.
const BUFFER: usize = 1 << 16;

/// A record is a payload and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The kind of the payload, of the client's choice.
    pub kind: u8,
    /// The payload, which passed its check.
    pub payload: Vec<u8>,
}

/// A journal is open for reading and appending. It owns its backend, and does not flush when it is dropped.
#[derive(Debug)]
pub struct Journal<B> {
    backend: B,
    seal: Seal,
    /// The buffer holds appended bytes that were not handed to the backend yet.
    buffer: Vec<u8>,
    /// The buffer belongs at this offset; the bytes of the backend before it count.
    flushed: u64,
    /// True if the backend may hold more bytes, which must be cut off before it is appended to.
    tail: bool,
    commit: Option<RecordLocation>,
}

impl<B: Backend> Journal<B> {
    /// Begins a journal of the given kind and version of its content. The former content of the backend is
    /// deleted.
    ///
    /// # Errors
    /// It returns the backend's own errors.
    pub fn create(mut backend: B, kind: u8, version: u8) -> io::Result<Self> {
        backend.truncate(0)?;
        let (seal, header) = Seal::new(kind, version);
        let mut journal =
            Self { backend, seal, buffer: header.to_vec(), flushed: 0, tail: false, commit: None };
        journal.flush()?;
        Ok(journal)
    }

    /// Opens a journal in the state of its last commit. The file stays unchanged until a record is appended.
    ///
    /// # Errors
    /// `InvalidData` for anything but a journal of this kind and version, and the backend's own errors.
    pub fn open(backend: B, kind: u8, version: u8) -> io::Result<Self> {
        let length = backend.length()?;
        if length < FILE_HEADER {
            return Err(damaged("too short"));
        }
        let mut header = [0; FILE_HEADER as usize];
        backend.read_at(0, &mut header)?;
        let seal = Seal::read(&header, kind, version)?;
        let commit = recover::last_commit(&backend, seal, length)?;
        let flushed = commit.map_or(FILE_HEADER, |commit| commit.end() + TRAILER);
        Ok(Self { backend, seal, buffer: Vec::new(), flushed, tail: length > flushed, commit })
    }

    /// Tells whether bytes lie behind the last commit of a journal that was just opened. If so, its writer
    /// did not finish it.
    pub fn is_torn(&self) -> bool {
        self.tail
    }

    /// Returns the offset of the byte behind the last record.
    pub fn end(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    /// Returns the backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Appends a record, its payload in pieces, and returns its location. The record counts from the next
    /// commit on. If this fails, the journal is unchanged, and the call may be repeated.
    ///
    /// # Errors
    /// It returns the backend's own errors, and `InvalidInput` for kind 0 and for a payload above
    /// [`LARGEST_PAYLOAD`].
    pub fn append(&mut self, kind: u8, parts: &[&[u8]]) -> io::Result<RecordLocation> {
        if kind == COMMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "records of kind 0 are commits"));
        }
        let (location, header) = self.seal.record(self.end(), kind, parts)?;
        self.write(&header, parts, &[])?;
        Ok(location)
    }

    /// Makes everything appended so far count, with an index that helps the client to find it again. It
    /// survives a crash of the process after [`Journal::flush`], and one of the machine after
    /// [`Journal::sync`]. If this fails, the journal is unchanged.
    ///
    /// # Errors
    /// It fails as [`Journal::append`] does.
    pub fn commit(&mut self, index: &[u8]) -> io::Result<()> {
        let before = self.commit.map_or(0, |commit| commit.offset).to_le_bytes();
        let parts = [&before[..], index];
        let (location, header) = self.seal.record(self.end(), COMMIT, &parts)?;
        self.write(&header, &parts, &self.seal.trailer(location))?;
        self.commit = Some(location);
        Ok(())
    }

    /// Hands all gathered bytes to the backend.
    ///
    /// # Errors
    /// It returns the backend's own errors; no byte is lost then, and the call may be repeated.
    pub fn flush(&mut self) -> io::Result<()> {
        self.cut()?;
        if !self.buffer.is_empty() {
            self.tail = true;
            self.backend.append(&self.buffer)?;
            self.tail = false;
            self.flushed += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Hands all gathered bytes to the backend and waits until they would survive a power failure.
    ///
    /// # Errors
    /// It fails as [`Journal::flush`] does.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.backend.sync()
    }

    /// Reads the record at a location.
    ///
    /// # Errors
    /// `InvalidData` if the record is damaged, and the backend's own errors.
    pub fn read(&self, location: RecordLocation) -> io::Result<Record> {
        if location.end() > self.end() {
            return Err(broken(location.offset));
        }
        let mut bytes = vec![0; RECORD_HEADER as usize + location.length as usize];
        self.bytes(location.offset, &mut bytes)?;
        let payload = bytes.split_off(RECORD_HEADER as usize);
        let header = bytes.try_into().map_err(|_| broken(location.offset))?;
        let header: Option<Header> = self.seal.header(location.offset, self.end(), header);
        match header.filter(|header| header.fits(&payload)) {
            Some(Header { kind, .. }) => Ok(Record { kind, payload }),
            None => Err(broken(location.offset)),
        }
    }

    /// Returns the index of the last commit.
    ///
    /// # Errors
    /// It fails as [`Journal::read`] does, and with `InvalidData` if there is no commit.
    pub fn last_index(&self) -> io::Result<Vec<u8>> {
        let commit = self.commit.ok_or_else(|| damaged("nothing was ever committed"))?;
        let mut payload = self.read(commit)?.payload;
        payload.drain(..payload.len().min(8));
        Ok(payload)
    }

    /// Cuts off the rest of a failed append or of a crash.
    fn cut(&mut self) -> io::Result<()> {
        if self.tail {
            self.backend.truncate(self.flushed)?;
            self.tail = false;
        }
        Ok(())
    }

    fn write(&mut self, header: &[u8], parts: &[&[u8]], trailer: &[u8]) -> io::Result<()> {
        let pieces = || [header].into_iter().chain(parts.iter().copied()).chain([trailer]);
        let total = pieces().map(<[u8]>::len).sum::<usize>();
        if self.buffer.len() + total > BUFFER {
            self.flush()?;
        }
        if total <= BUFFER {
            pieces().for_each(|piece| self.buffer.extend_from_slice(piece));
            return Ok(());
        }
        self.cut()?;
        self.tail = true;
        for piece in pieces() {
            if let Err(error) = self.backend.append(piece) {
                // this gives the space back if that is possible now; if not, it is done before the next write
                let _ = self.cut();
                return Err(error);
            }
        }
        self.tail = false;
        self.flushed += total as u64;
        Ok(())
    }
}

fn broken(offset: u64) -> io::Error {
    damaged(&format!("the record at byte {offset} is damaged"))
}
