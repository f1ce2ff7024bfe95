//! A range of the film that another machine has read, as a file.
//!
//! It is a journal of one commit: a record for each frame, and the rest of what was found in the commit. A
//! file that is cut off or damaged is none.

use super::ranges::{FoundFrame, FoundRange};
use retake_compression::journal::{COMMIT, Cursor, Journal};
use retake_compression::scene::SmallPicture;
use retake_libav::{FrameEntry, FrameFacts, ReaderProgress, ReaderState};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;

const KIND: u8 = b'R';
const VERSION: u8 = 1;
const FRAME: u8 = b'f';
/// The bytes of a frame beside its small copy: times, hash, which of the facts are its own, and whether it is
/// a sync frame.
const NUMBERS: usize = 4 * 8 + 1;
/// The most bytes that a journal needs beside the numbers of a frame.
const RECORD: usize = 64;
/// The most bytes of everything that is no frame.
const REST: u64 = 64 << 20;

/// Everything but the frames.
#[derive(Serialize, Deserialize)]
struct Rest {
    compared: Vec<(FrameEntry, FrameFacts)>,
    state: ReaderState,
    progress: ReaderProgress,
    ended: bool,
    /// What frames say beside their pictures. Most say the same as those before them.
    facts: Vec<FrameFacts>,
}

/// Writes a range.
pub(crate) fn write(file: &File, range: &FoundRange) -> io::Result<()> {
    let mut journal = Journal::create(file.try_clone()?, KIND, VERSION)?;
    let mut facts: Vec<FrameFacts> = Vec::new();
    for frame in &range.frames {
        if facts.last() != Some(&frame.facts) {
            facts.push(frame.facts);
        }
        let FrameEntry { pts, duration, hash, sync } = frame.entry;
        let mut numbers = [0; NUMBERS];
        let values = [pts as u64, duration as u64, hash, facts.len() as u64 - 1];
        for (place, value) in numbers.chunks_exact_mut(8).zip(values) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        numbers[NUMBERS - 1] = u8::from(sync);
        journal.append(FRAME, &[&numbers, frame.small.bytes()])?;
    }
    let FoundRange { compared, state, progress, ended, .. } = range;
    let (compared, progress) = (compared.clone(), progress.clone());
    let rest = Rest { compared, state: *state, progress, ended: *ended, facts };
    journal.commit(&serde_json::to_vec(&rest)?)?;
    journal.sync()
}

/// Reads a range of at most so many frames.
pub(crate) fn read(file: File, most: usize) -> io::Result<FoundRange> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is no range of a film");
    let longest = (most as u64).saturating_mul((NUMBERS + SmallPicture::BYTES + RECORD) as u64);
    if file.metadata()?.len() > longest.saturating_add(REST) {
        return Err(damaged());
    }
    let journal = Journal::open(file, KIND, VERSION)?;
    let Rest { compared, state, progress, ended, facts } = serde_json::from_slice(&journal.last_index()?)?;
    let (mut cursor, mut frames) = (Cursor::default(), std::collections::VecDeque::new());
    while let Some(record) = journal.next(&mut cursor)?.filter(|record| record.kind != COMMIT) {
        let (numbers, small) = record.payload.split_at_checked(NUMBERS).ok_or_else(damaged)?;
        let (values, _) = numbers.as_chunks::<8>();
        let [pts, duration, hash, fact] = *values else { return Err(damaged()) };
        let signed = |bytes| u64::from_le_bytes(bytes) as i64;
        let entry = FrameEntry {
            pts: signed(pts),
            duration: signed(duration),
            hash: u64::from_le_bytes(hash),
            sync: numbers[NUMBERS - 1] != 0,
        };
        let facts = usize::try_from(u64::from_le_bytes(fact)).ok().and_then(|fact| facts.get(fact));
        let (Some(&facts), Some(small)) = (facts, SmallPicture::from_bytes(small)) else {
            return Err(damaged());
        };
        if record.kind != FRAME || frames.len() == most {
            return Err(damaged());
        }
        frames.push_back(FoundFrame { entry, facts, small });
    }
    Ok(FoundRange { compared, state, frames, progress, ended })
}
