//! Files of checked records, written once from front to back.
//!
//! ```text
//! file    = "RETAKE" kind[1] version[1]  record*  footer
//! record  = length u32 | kind u8 | crc-32 of kind and payload u32 | payload      (little-endian)
//! footer  = offset of the last record u64 | crc-32 of that offset u32 | "DONE"
//! ```
//!
//! A take's file without a valid footer was never finished and is worth nothing: writers work under a temporary name, sync, and rename.
//! A journal never gets a footer; it is read up to its first record that is not whole ([`LogReader::open_journal`]), and carried on there
//! ([`LogWriter::carry_on`]).
//! Every payload is checked when it is read, so that a flipped bit is found and never believed.

use std::io::{self, Read, Seek, SeekFrom, Write};

const MAGIC: &[u8; 6] = b"RETAKE";
const DONE: &[u8; 4] = b"DONE";
const HEADER: u64 = 8;
const RECORD_HEADER: u64 = 9;
const FOOTER: u64 = 16;

/// The largest payload: a length that was never written must not size an allocation.
pub const LARGEST_PAYLOAD: u32 = 1 << 30;

/// Writes a log file.
pub struct LogWriter<W> {
    out: W,
    position: u64,
    last: u64,
}

impl<W: Write> LogWriter<W> {
    /// Begins a file of the given kind and version of its content.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W, kind: u8, version: u8) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        out.write_all(&[kind, version])?;
        Ok(Self { out, position: HEADER, last: 0 })
    }

    /// Appends to a journal whose valid part ends at byte `position`, where `out` stands.
    pub fn carry_on(out: W, position: u64) -> Self {
        Self { out, position, last: 0 }
    }

    /// Hands everything to the output's own buffers.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Appends a record and says where it lies.
    ///
    /// # Errors
    /// Those of `out`, and `InvalidInput` for a payload above [`LARGEST_PAYLOAD`].
    pub fn append(&mut self, kind: u8, payload: &[u8]) -> io::Result<u64> {
        let length = u32::try_from(payload.len()).ok().filter(|length| *length <= LARGEST_PAYLOAD);
        let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "record too large"))?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&[kind])?;
        self.out.write_all(&checksum(kind, payload).to_le_bytes())?;
        self.out.write_all(payload)?;
        self.last = self.position;
        self.position += RECORD_HEADER + u64::from(length);
        Ok(self.last)
    }

    /// Writes the footer and gives the output back, for flushing and syncing.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<W> {
        let offset = self.last.to_le_bytes();
        self.out.write_all(&offset)?;
        self.out.write_all(&crc32fast::hash(&offset).to_le_bytes())?;
        self.out.write_all(DONE)?;
        Ok(self.out)
    }
}

/// Reads a finished log file.
pub struct LogReader<R> {
    file: R,
    version: u8,
    end: u64,
    last: u64,
    position: u64,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What the payload is.
    pub kind: u8,
    /// The payload, checked.
    pub payload: Vec<u8>,
}

impl<R: Read + Seek> LogReader<R> {
    /// Opens a file and checks its header and footer.
    ///
    /// # Errors
    /// `InvalidData` for a file of another kind or without its footer; those of `file`.
    pub fn open(file: R, kind: u8) -> io::Result<Self> {
        let mut log = Self::open_journal(file, kind)?;
        if log.end < HEADER + FOOTER {
            return Err(damaged("too short"));
        }
        let (end, file) = (log.end - FOOTER, &mut log.file);
        file.seek(SeekFrom::Start(end))?;
        let (mut offset, mut crc, mut done) = ([0; 8], [0; 4], [0; 4]);
        file.read_exact(&mut offset)?;
        file.read_exact(&mut crc)?;
        file.read_exact(&mut done)?;
        let last = u64::from_le_bytes(offset);
        let sound = &done == DONE && crc32fast::hash(&offset) == u32::from_le_bytes(crc) && last < end;
        if !sound {
            return Err(damaged("no valid footer: it was never finished"));
        }
        file.seek(SeekFrom::Start(HEADER))?;
        Ok(Self { end, last, ..log })
    }

    /// Opens a file that has no footer, to be read up to its first error: what comes behind was never completely written.
    ///
    /// # Errors
    /// `InvalidData` for a file of another kind; those of `file`.
    pub fn open_journal(mut file: R, kind: u8) -> io::Result<Self> {
        let end = file.seek(SeekFrom::End(0))?;
        if end < HEADER {
            return Err(damaged("too short"));
        }
        file.seek(SeekFrom::Start(0))?;
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header)?;
        if &header[..6] != MAGIC || header[6] != kind {
            return Err(damaged("not a file of this kind"));
        }
        Ok(Self { file, version: header[7], end, last: 0, position: HEADER })
    }

    /// The byte behind the last record that was read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The version of the content.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The last record of the file. Records are read from the first on afterwards.
    ///
    /// # Errors
    /// As [`LogReader::next`].
    pub fn last(&mut self) -> io::Result<Record> {
        self.position = self.last;
        self.file.seek(SeekFrom::Start(self.last))?;
        let record = self.next()?.ok_or_else(|| damaged("no records"))?;
        self.position = HEADER;
        self.file.seek(SeekFrom::Start(HEADER))?;
        Ok(record)
    }

    /// The next record, or nothing behind the last one.
    ///
    /// # Errors
    /// `InvalidData` where a length or a checksum is wrong; those of the file.
    #[allow(clippy::should_implement_trait)] // an iterator could not say which error ends it
    pub fn next(&mut self) -> io::Result<Option<Record>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let room = self.end - self.position;
        let mut header = [0; RECORD_HEADER as usize];
        if room < RECORD_HEADER {
            return Err(self.broken());
        }
        self.file.read_exact(&mut header)?;
        let [a, b, c, d, kind, e, f, g, h] = header;
        let (length, crc) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if u64::from(length) > room - RECORD_HEADER || length > LARGEST_PAYLOAD {
            return Err(self.broken());
        }
        let mut payload = vec![0; length as usize];
        self.file.read_exact(&mut payload)?;
        if checksum(kind, &payload) != crc {
            return Err(self.broken());
        }
        self.position += RECORD_HEADER + u64::from(length);
        Ok(Some(Record { kind, payload }))
    }

    fn broken(&self) -> io::Error {
        damaged(&format!("the record at byte {} is damaged", self.position))
    }
}

fn checksum(kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn write(records: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut log = LogWriter::new(Vec::new(), b'T', 1).unwrap();
        for (kind, payload) in records {
            log.append(*kind, payload).unwrap();
        }
        log.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<(u8, Vec<u8>)>> {
        let mut log = LogReader::open(Cursor::new(bytes), b'T')?;
        let mut records = Vec::new();
        while let Some(Record { kind, payload }) = log.next()? {
            records.push((kind, payload));
        }
        Ok(records)
    }

    proptest! {
        #[test]
        fn records_come_back(records in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..50)), 1..20)) {
            let bytes = write(&records);
            prop_assert_eq!(read(&bytes).unwrap(), records.clone());
            let mut log = LogReader::open(Cursor::new(&bytes[..]), b'T').unwrap();
            let last = log.last().unwrap();
            prop_assert_eq!((last.kind, last.payload), records.last().unwrap().clone());
            prop_assert_eq!(log.next().unwrap().map(|r| (r.kind, r.payload)), records.first().cloned());
        }

        /// A journal that was cut anywhere gives the records that are whole, and can be carried on.
        #[test]
        fn journals_survive_a_cut(records in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..50)), 1..8),
                                  cut in any::<prop::sample::Index>()) {
            let mut log = LogWriter::new(Vec::new(), b'J', 1).unwrap();
            let mut ends = Vec::new();
            for (kind, payload) in &records {
                log.append(*kind, payload).unwrap();
                ends.push(log.position as usize);
            }
            let mut bytes = log.out;
            let cut = HEADER as usize + cut.index(bytes.len() - HEADER as usize + 1);
            bytes.truncate(cut);
            let mut journal = LogReader::open_journal(Cursor::new(&bytes[..]), b'J').unwrap();
            let mut whole = 0;
            while let Ok(Some(record)) = journal.next() {
                prop_assert_eq!((record.kind, record.payload), records[whole].clone());
                whole += 1;
            }
            prop_assert_eq!(whole, ends.iter().filter(|end| **end <= cut).count());
            let position = journal.position();
            bytes.truncate(position as usize);
            let mut log = LogWriter::carry_on(bytes, position);
            log.append(9, b"more").unwrap();
            let bytes = log.out;
            let mut journal = LogReader::open_journal(Cursor::new(&bytes[..]), b'J').unwrap();
            let read = std::iter::from_fn(|| journal.next().unwrap()).count();
            prop_assert_eq!(read, whole + 1);
        }

        /// A file cut anywhere, or with any bit flipped, is refused; it never gives other records.
        #[test]
        fn damage_is_found(records in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..50)), 1..8),
                           cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(), bit in 0u8..8) {
            let bytes = write(&records);
            prop_assert!(read(&bytes[..cut.index(bytes.len())]).is_err());
            let mut flipped = bytes.clone();
            let at = flip.index(bytes.len());
            flipped[at] ^= 1 << bit;
            // the version byte is the content's own business
            if at != 7 {
                prop_assert!(read(&flipped).is_err());
            }
        }
    }
}
