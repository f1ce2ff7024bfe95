//! Journals with valid checksums around any content. Changed at random, a file fails at its checksums, and no
//! parser behind them sees anything: so an input is a list of records and commits, or, where its first byte
//! is zero, the bytes of a file.

use crate::bytes::{Bytes, put_block};
use retake_compression::journal::{Backend, COMMIT, Cursor, Journal};
use std::io;

/// A file in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(pub(crate) Vec<u8>);

impl Backend for Memory {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(self.0.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The file that an input stands for.
pub(crate) fn file(data: &[u8], kind: u8, version: u8) -> Vec<u8> {
    let mut input = Bytes(data);
    if input.byte() == 0 {
        return input.0.to_vec();
    }
    let mut journal = Journal::create(Memory::default(), kind, version).expect("memory takes a header");
    while !input.is_empty() {
        let kind = input.byte();
        let payload = input.block();
        let done =
            if kind == COMMIT { journal.commit(payload) } else { journal.append(kind, &[payload]).map(drop) };
        done.expect("memory takes everything");
    }
    journal.flush().expect("memory takes everything");
    journal.backend().0.clone()
}

/// The inputs that stand for a file: its bytes, and its records and commits.
pub(crate) fn inputs(file: &[u8]) -> Vec<Vec<u8>> {
    let (kind, version) = (file[6], file[7]);
    let journal = Journal::open(Memory(file.to_vec()), kind, version).expect("a file that was just written");
    let (mut records, mut cursor) = (vec![1], Cursor::default());
    while let Some(record) = journal.next(&mut cursor).expect("records that were just written") {
        records.push(record.kind);
        put_block(&mut records, &record.payload);
    }
    vec![[&[0], file].concat(), records]
}
