//! This module defines the bytes of headers and trailers, and the checks by which they are believed.

use std::hash::{BuildHasher, RandomState};
use std::io;
use thiserror::Error;

const MAGIC: &[u8; 6] = b"RETAKE";
const DONE: &[u8; 4] = b"DONE";

pub(super) const FILE_HEADER: u64 = 20;
pub(super) const RECORD_HEADER: u64 = 13;
pub(super) const TRAILER: u64 = 16;

/// Commit records have this kind; a client's record must not have it.
pub const COMMIT: u8 = 0;

/// The largest payload, in bytes: a length that was never written must not size an allocation.
pub const LARGEST_PAYLOAD: u32 = 1 << 30;

/// A location tells where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordLocation {
    /// The offset of its first byte, counted from the start of the journal.
    pub offset: u64,
    /// The length of its payload, in bytes.
    pub length: u32,
}

impl RecordLocation {
    /// Returns the offset of the byte behind the record.
    pub(super) fn end(self) -> u64 {
        self.offset.saturating_add(RECORD_HEADER + u64::from(self.length))
    }
}

/// A seal checks every header of one file by the file's salt, so that a piece of another journal (an earlier
/// file in the same blocks of a disk, a payload that is a journal itself) is never taken for a record of this
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    salt: u64,
}

/// A header of a record that passed its check.
pub(super) struct Header {
    pub kind: u8,
    pub length: u32,
    checksum: u32,
}

impl Header {
    /// Tells whether this payload is the one that was written.
    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() == self.length as usize && crc32fast::hash(payload) == self.checksum
    }
}

impl Seal {
    /// Makes a new file's seal and header.
    pub(super) fn new(kind: u8, version: u8) -> (Self, [u8; FILE_HEADER as usize]) {
        // the standard library seeds every such state from the system's random numbers
        let salt = RandomState::new().hash_one(kind);
        let mut header = [0; FILE_HEADER as usize];
        header[..6].copy_from_slice(MAGIC);
        header[6] = kind;
        header[7] = version;
        header[8..16].copy_from_slice(&salt.to_le_bytes());
        let checksum = crc32fast::hash(&header[..16]);
        header[16..].copy_from_slice(&checksum.to_le_bytes());
        (Self { salt }, header)
    }

    /// Reads the seal in the header of a file, which must be of this kind and version.
    pub(super) fn read(header: &[u8; FILE_HEADER as usize], kind: u8, version: u8) -> io::Result<Self> {
        if &header[..6] != MAGIC || header[6] != kind {
            return Err(damaged("not a file of this kind"));
        }
        let (checked, checksum) = header.split_at(16);
        if crc32fast::hash(checked).to_le_bytes() != checksum {
            return Err(damaged("its header is damaged, or from an earlier Retake"));
        }
        if header[7] != version {
            let error = OtherVersion { found: header[7], wanted: version };
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        let mut salt = [0; 8];
        salt.copy_from_slice(&header[8..16]);
        Ok(Self { salt: u64::from_le_bytes(salt) })
    }

    /// Makes the header of a record at `offset`.
    pub(super) fn record(
        self,
        offset: u64,
        kind: u8,
        parts: &[&[u8]],
    ) -> io::Result<(RecordLocation, [u8; 13])> {
        let length = parts.iter().map(|part| part.len() as u64).sum::<u64>();
        let length = u32::try_from(length).ok().filter(|length| *length <= LARGEST_PAYLOAD);
        let length = length
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "record larger than a gibibyte"))?;
        let mut hasher = crc32fast::Hasher::new();
        parts.iter().for_each(|part| hasher.update(part));
        let mut header = [0; RECORD_HEADER as usize];
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4] = kind;
        header[5..9].copy_from_slice(&hasher.finalize().to_le_bytes());
        let checksum = self.checksum(offset, &header[..9]);
        header[9..].copy_from_slice(&checksum.to_le_bytes());
        Ok((RecordLocation { offset, length }, header))
    }

    /// Reads the header of a record at `offset` of a journal that ends at `end`; returns `None` if there is
    /// none.
    pub(super) fn header(self, offset: u64, end: u64, bytes: [u8; 13]) -> Option<Header> {
        let [a, b, c, d, kind, e, f, g, h, rest @ ..] = bytes;
        if self.checksum(offset, &bytes[..9]) != u32::from_le_bytes(rest) {
            return None;
        }
        let length = u32::from_le_bytes([a, b, c, d]);
        let fits = length <= LARGEST_PAYLOAD && RecordLocation { offset, length }.end() <= end;
        fits.then_some(Header { kind, length, checksum: u32::from_le_bytes([e, f, g, h]) })
    }

    /// Makes the trailer of a commit record, by which the commit is found from the end of the file.
    pub(super) fn trailer(self, commit: RecordLocation) -> [u8; TRAILER as usize] {
        let mut trailer = [0; TRAILER as usize];
        trailer[..8].copy_from_slice(&commit.offset.to_le_bytes());
        let checksum = self.checksum(commit.end(), &trailer[..8]);
        trailer[8..12].copy_from_slice(&checksum.to_le_bytes());
        trailer[12..].copy_from_slice(DONE);
        trailer
    }

    /// Returns the offset of the commit record that a trailer at `offset` belongs to.
    pub(super) fn commit_before(self, offset: u64, bytes: &[u8]) -> Option<u64> {
        let [commit @ .., a, b, c, d, _, _, _, _] = bytes else { return None };
        let commit: [u8; 8] = commit.try_into().ok()?;
        let sound =
            bytes.ends_with(DONE) && self.checksum(offset, &commit) == u32::from_le_bytes([*a, *b, *c, *d]);
        let commit = u64::from_le_bytes(commit);
        (sound && commit < offset).then_some(commit)
    }

    fn checksum(self, offset: u64, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.salt.to_le_bytes());
        hasher.update(&offset.to_le_bytes());
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// The journal is of the right kind, but its content has another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "it was written in version {found} of its format, and this Retake reads version {wanted}: use the Retake that wrote it, or begin anew"
)]
pub(crate) struct OtherVersion {
    /// The version of the file.
    pub(crate) found: u8,
    /// The version that this Retake reads.
    pub(crate) wanted: u8,
}

impl OtherVersion {
    /// Tells whether `error` has this cause.
    pub(crate) fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|source| source.is::<Self>())
    }
}

pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
