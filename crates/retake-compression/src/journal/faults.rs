//! This module has backends that fail: they show a journal a power cut, a full disk and a bad bit.

use super::Backend;
use std::io;
use std::sync::{Arc, Mutex};

/// A deed is one change that a journal made to its backend.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Append(Vec<u8>),
    Truncate(u64),
    Sync,
}

/// A memory backend records the changes that led to its bytes, and can run out of space.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) bytes: Vec<u8>,
    pub(crate) deeds: Vec<Deed>,
    /// The disk is full at this length.
    pub(crate) room: Option<u64>,
}

impl Memory {
    pub(crate) fn with(bytes: Vec<u8>) -> Self {
        Self { state: Arc::new(Mutex::new(State { bytes, ..State::default() })) }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state.lock().unwrap().bytes.clone()
    }

    pub(crate) fn deeds(&self) -> Vec<Deed> {
        self.state.lock().unwrap().deeds.clone()
    }

    pub(crate) fn limit(&self, room: Option<u64>) {
        self.state.lock().unwrap().room = room;
    }
}

impl Backend for Memory {
    fn length(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap().bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock().unwrap();
        let bytes = state.bytes.get(offset as usize..).and_then(|bytes| bytes.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let room =
            state.room.map_or(bytes.len(), |room| room.saturating_sub(state.bytes.len() as u64) as usize);
        let written = &bytes[..room.min(bytes.len())];
        state.bytes.extend_from_slice(written);
        state.deeds.push(Deed::Append(written.to_vec()));
        if written.len() < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.bytes.truncate(length as usize);
        state.deeds.push(Deed::Truncate(length));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.state.lock().unwrap().deeds.push(Deed::Sync);
        Ok(())
    }
}

/// Returns every content that a power cut can leave behind when deeds reach the disk in their order: after
/// each deed, and in the middle of each. With each comes the number of syncs before it, whose bytes
/// are complete.
pub(crate) fn cuts(deeds: &[Deed]) -> impl Iterator<Item = (Vec<u8>, usize)> + '_ {
    let (mut bytes, mut syncs) = (Vec::new(), 0);
    deeds.iter().flat_map(move |deed| {
        let mut contents = Vec::new();
        match deed {
            Deed::Append(more) => {
                for cut in 0..more.len() {
                    contents.push(([&bytes[..], &more[..cut]].concat(), syncs));
                }
                bytes.extend_from_slice(more);
            }
            Deed::Truncate(length) => bytes.truncate(*length as usize),
            Deed::Sync => syncs += 1,
        }
        contents.push((bytes.clone(), syncs));
        contents
    })
}
