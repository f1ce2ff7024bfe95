//! This module is the content of a storage: frames and notes in a journal, found again by its commits.
//! `docs/storage-format.md` has the layout.

use super::{FrameRecord, NoteKey, StorageIdentity};
use crate::encoder::EncoderData;
use crate::journal::fields::{location, put_location, take};
use crate::journal::{Backend, Journal, RecordLocation};
use std::collections::BTreeMap;
use std::io;
use xxhash_rust::xxh3::Xxh3;

const KIND: u8 = b'M';
const VERSION: u8 = 4;
const IDENTITY: u8 = b'i';
const FRAMES: u8 = b'n';
const NOTE: u8 = b't';
const ENCODER: u8 = b'd';

/// This many frames are gathered before they are written; a crash costs no more.
const BATCH: usize = 256;

/// The most bytes of encoders' own data that a storage holds. Statistics of a first pass take about 200 bytes
/// for each frame, so that a film of several hours has room.
const MOST_ENCODER_DATA: u64 = 128 << 20;

pub(super) struct Content<B> {
    journal: Journal<B>,
    pub(super) identity: Option<StorageIdentity>,
    /// The frames of each pass lie here, in batches.
    batches: BTreeMap<u32, Vec<RecordLocation>>,
    notes: BTreeMap<NoteKey, RecordLocation>,
    /// What encoders keep, by the digest of the frames that it is about.
    encoder_data: BTreeMap<u128, KeptData>,
    /// The most bytes of it.
    pub(super) most_encoder_data: u64,
    /// Each pass that ended has its number of frames and their digest here.
    ended: BTreeMap<u32, Ended>,
    /// This is the pass that is being recorded; its frames that are not written yet follow.
    pass: u32,
    batch: Vec<FrameRecord>,
    /// The next commit will carry this index.
    index: Vec<u8>,
}

/// Where data of an encoder lies, and whose it is.
#[derive(Debug, Clone, Copy)]
struct KeptData {
    identity: u128,
    location: RecordLocation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub frames: u64,
    pub digest: u128,
}

impl<B: Backend> Content<B> {
    pub(super) fn create(backend: B) -> io::Result<Self> {
        Ok(Self::new(Journal::create(backend, KIND, VERSION)?))
    }

    pub(super) fn open(backend: B) -> io::Result<Self> {
        let mut content = Self::new(Journal::open(backend, KIND, VERSION)?);
        let mut indices = Vec::new();
        content.journal.replay(|index| {
            indices.push(index.to_vec());
            Ok(())
        })?;
        for index in indices {
            content.apply(&index)?;
        }
        Ok(content)
    }

    fn new(journal: Journal<B>) -> Self {
        Self {
            journal,
            identity: None,
            batches: BTreeMap::new(),
            notes: BTreeMap::new(),
            encoder_data: BTreeMap::new(),
            most_encoder_data: MOST_ENCODER_DATA,
            ended: BTreeMap::new(),
            pass: 0,
            batch: Vec::new(),
            index: Vec::new(),
        }
    }

    fn apply(&mut self, mut index: &[u8]) -> io::Result<()> {
        while !index.is_empty() {
            self.event(&mut index)?.ok_or(io::ErrorKind::InvalidData)?;
        }
        Ok(())
    }

    fn event(&mut self, index: &mut &[u8]) -> io::Result<Option<()>> {
        let number = |index: &mut &[u8]| take(index).map(u32::from_le_bytes);
        let (Some([kind]), Some(pass)) = (take(index), number(index)) else { return Ok(None) };
        match kind {
            IDENTITY => {
                let Some(location) = location(index) else { return Ok(None) };
                self.identity = Some(serde_json::from_slice(&self.journal.read(location)?.payload)?);
            }
            FRAMES => {
                let Some(location) = location(index) else { return Ok(None) };
                self.batches.entry(pass).or_default().push(location);
            }
            NOTE => {
                let (Some([topic]), Some(unit), Some(location)) =
                    (take(index), number(index), location(index))
                else {
                    return Ok(None);
                };
                self.notes.insert(NoteKey { topic, pass, unit }, location);
            }
            ENCODER => {
                let (Some(frames), Some(identity), Some(location)) =
                    (take(index), take(index), location(index))
                else {
                    return Ok(None);
                };
                let identity = u128::from_le_bytes(identity);
                self.encoder_data.insert(u128::from_le_bytes(frames), KeptData { identity, location });
            }
            b'b' => self.forget(pass),
            b'e' => {
                let (Some(frames), Some(digest)) = (take(index), take(index)) else { return Ok(None) };
                let ended = Ended { frames: u64::from_le_bytes(frames), digest: u128::from_le_bytes(digest) };
                self.ended.insert(pass, ended);
            }
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// Forgets a pass and all passes after it.
    fn forget(&mut self, pass: u32) {
        self.batches.retain(|known, _| *known < pass);
        self.notes.retain(|key, _| key.pass < pass);
        self.ended.retain(|known, _| *known < pass);
    }

    pub(super) fn set_identity(&mut self, identity: &StorageIdentity) -> io::Result<()> {
        let location = self.journal.append(IDENTITY, &[&serde_json::to_vec(identity)?])?;
        self.tell(IDENTITY, 0, |index| put_location(index, location));
        self.commit()?;
        self.identity = Some(identity.clone());
        Ok(())
    }

    /// Begins to record a pass. It replaces an earlier one of that number and those after it.
    pub(super) fn begin_pass(&mut self, pass: u32) -> io::Result<()> {
        self.forget(pass);
        self.tell(b'b', pass, |_| ());
        (self.pass, self.batch) = (pass, Vec::new());
        self.commit()
    }

    pub(super) fn push_frame(&mut self, frame: FrameRecord) -> io::Result<()> {
        // the batch before is written first, so that a full disk refuses a frame and changes nothing
        if self.batch.len() >= BATCH {
            self.write_batch()?;
        }
        self.batch.push(frame);
        Ok(())
    }

    fn write_batch(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut payload = Vec::with_capacity(self.batch.len() * FrameRecord::BYTES);
        self.batch.iter().for_each(|frame| frame.encode(&mut payload));
        let (pass, location) = (self.pass, self.journal.append(FRAMES, &[&payload])?);
        self.tell(FRAMES, pass, |index| put_location(index, location));
        self.batches.entry(pass).or_default().push(location);
        self.batch.clear();
        self.commit()
    }

    pub(super) fn put_note(&mut self, key: NoteKey, note: &[u8]) -> io::Result<()> {
        let location = self.journal.append(NOTE, &[note])?;
        self.tell(NOTE, key.pass, |index| {
            index.push(key.topic);
            index.extend(key.unit.to_le_bytes());
            put_location(index, location);
        });
        self.notes.insert(key, location);
        Ok(())
    }

    pub(super) fn note(&self, key: NoteKey) -> io::Result<Option<Vec<u8>>> {
        self.notes.get(&key).map(|location| Ok(self.journal.read(*location)?.payload)).transpose()
    }

    /// Keeps data of an encoder about the frames with this digest, in the place of other data about them. It
    /// belongs to no pass, because it follows from the frames alone. False where there is no room.
    pub(super) fn put_encoder_data(&mut self, frames: u128, data: &EncoderData) -> io::Result<bool> {
        let others = self.encoder_data.iter().filter(|(key, _)| **key != frames);
        let held: u64 = others.map(|(_, kept)| u64::from(kept.location.length)).sum();
        if held.saturating_add(data.bytes.len() as u64) > self.most_encoder_data {
            return Ok(false);
        }
        let (pass, identity) = (self.pass, data.identity);
        let location = self.journal.append(ENCODER, &[&data.bytes])?;
        self.tell(ENCODER, pass, |index| {
            index.extend(frames.to_le_bytes());
            index.extend(identity.to_le_bytes());
            put_location(index, location);
        });
        self.encoder_data.insert(frames, KeptData { identity, location });
        Ok(true)
    }

    /// Returns what an encoder keeps about the frames with this digest.
    pub(super) fn encoder_data(&self, frames: u128) -> io::Result<Option<EncoderData>> {
        let Some(KeptData { identity, location }) = self.encoder_data.get(&frames).copied() else {
            return Ok(None);
        };
        Ok(Some(EncoderData { identity, bytes: self.journal.read(location)?.payload }))
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = NoteKey> + '_ {
        self.notes.keys().copied()
    }

    /// Hands the frames of a pass to `each`, in the order in which they were recorded.
    pub(super) fn frames(&self, pass: u32, mut each: impl FnMut(FrameRecord)) -> io::Result<()> {
        for location in self.batches.get(&pass).into_iter().flatten() {
            let payload = self.journal.read(*location)?.payload;
            let mut bytes = &payload[..];
            while !bytes.is_empty() {
                each(FrameRecord::decode(&mut bytes).ok_or(io::ErrorKind::InvalidData)?);
            }
        }
        if pass == self.pass {
            self.batch.iter().copied().for_each(each);
        }
        Ok(())
    }

    /// Ends the pass that is being recorded, and returns the digest of its frames: of their times and
    /// options, in presentation order.
    pub(super) fn end_pass(&mut self) -> io::Result<Ended> {
        self.write_batch()?;
        let mut list = Vec::new();
        self.frames(self.pass, |frame| list.push((frame.pts, frame.duration, frame.input)))?;
        list.sort_by_key(|(pts, ..)| *pts);
        let mut digest = Xxh3::new();
        for (pts, duration, input) in &list {
            for time in [pts, duration] {
                digest.update(&time.value().to_le_bytes());
                digest.update(&time.timescale().to_le_bytes());
                digest.update(&time.epoch().to_le_bytes());
            }
            digest.update(&input.to_le_bytes());
        }
        let ended = Ended { frames: list.len() as u64, digest: digest.digest128() };
        self.tell(b'e', self.pass, |index| {
            index.extend(ended.frames.to_le_bytes());
            index.extend(ended.digest.to_le_bytes());
        });
        self.ended.insert(self.pass, ended);
        self.commit()?;
        Ok(ended)
    }

    pub(super) fn ended(&self, pass: u32) -> Option<Ended> {
        self.ended.get(&pass).copied()
    }

    /// Returns how many passes ended, by the number of the last one; passes are numbered from 0.
    pub(super) fn passes(&self) -> u32 {
        self.ended.keys().last().map_or(0, |last| last + 1)
    }

    /// Writes and commits everything. With `sync`, it also survives a power failure.
    pub(super) fn keep(&mut self, sync: bool) -> io::Result<()> {
        self.write_batch()?;
        self.commit()?;
        if sync { self.journal.sync() } else { self.journal.flush() }
    }

    fn commit(&mut self) -> io::Result<()> {
        if !self.index.is_empty() {
            self.journal.commit(&self.index)?;
            self.index.clear();
        }
        Ok(())
    }

    fn tell(&mut self, kind: u8, pass: u32, rest: impl FnOnce(&mut Vec<u8>)) {
        self.index.push(kind);
        self.index.extend(pass.to_le_bytes());
        rest(&mut self.index);
    }
}
