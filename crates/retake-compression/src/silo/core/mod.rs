//! This module is the silo without its lock and its file: it stores samples in a journal, and holds the rules
//! of passes.

mod rebuild;
mod replay;

use super::SiloError;
use super::coding::Event;
use super::entries::{Entries, Entry};
use super::ranges::Ranges;
use super::snapshot::Snapshot;
use crate::journal::{Backend, Journal, RecordLocation};
use retake_media::sample_codec::{self, SampleCodecError};
use retake_media::{FormatDescription, SampleBuffer, Time, TimeRange};
use std::io;
use std::sync::Arc;

pub(super) const KIND: u8 = b'S';
pub(super) const VERSION: u8 = 2;
const FORMAT: u8 = b'f';
const SAMPLE: u8 = b's';

/// Events are committed once they have this many bytes: some thousand samples.
const EVENTS: usize = 1 << 17;
/// Records are committed once they have this many bytes, so that a crash leaves little behind the last
/// commit.
const UNCOMMITTED: u64 = 1 << 24;

/// A pass restricts the samples that may be added, and measures its progress.
#[derive(Debug, Clone, Default)]
struct Pass {
    /// The first pass has no ranges, so it is not restricted.
    ranges: Option<Ranges>,
    last: Option<Time>,
    /// This many seconds of the ranges have been added (FS-20).
    reached: f64,
}

pub(super) struct Core<B> {
    pub(super) journal: Journal<B>,
    /// True if commits are written. A file that cannot be opened again has no use for them.
    lasting: bool,
    /// This is the range that the silo was created for, if it is numeric.
    hint: Option<Ranges>,
    /// These are the samples of earlier passes, and those of this one.
    older: Entries,
    newer: Entries,
    pass: Pass,
    /// While a replacement runs, this holds the earlier pass and its samples, so that the silo can return to
    /// them.
    before: Option<(Pass, Entries)>,
    formats: Vec<Arc<FormatDescription>>,
    events: Vec<u8>,
    /// The journal ended here at the last commit.
    committed: u64,
    /// These are the bytes of records that are in the silo, and of those that no longer are.
    live: u64,
    dead: u64,
}

impl<B: Backend> Core<B> {
    pub(super) fn create(backend: B, lasting: bool, hint: Option<TimeRange>) -> io::Result<Self> {
        Ok(Self::new(Journal::create(backend, KIND, VERSION)?, lasting, hint))
    }

    fn new(journal: Journal<B>, lasting: bool, hint: Option<TimeRange>) -> Self {
        Self {
            committed: journal.end(),
            journal,
            lasting,
            hint: hint.and_then(|hint| Ranges::new(&[hint]).ok()),
            older: Entries::default(),
            newer: Entries::default(),
            pass: Pass::default(),
            before: None,
            formats: Vec::new(),
            events: Vec::new(),
            live: 0,
            dead: 0,
        }
    }

    /// Adds a sample, or changes nothing (FS-4, FS-5, FS-6, FS-7, FS-8, FS-9, FS-10).
    pub(super) fn add(&mut self, buffer: &SampleBuffer) -> Result<(), Failure> {
        let sample = &buffer.sample;
        if sample.data.is_empty() {
            return Err(SiloError::Parameter(
                "a sample without data cannot be added: it is a marker, not a frame",
            )
            .into());
        }
        let key = if sample.dts.is_valid() { sample.dts } else { sample.pts };
        self.check(key)?;
        // a sample that cannot be written must be refused before anything changes
        let head = |format| sample_codec::encode_head(sample, format, &buffer.attachments);
        head(0).map_err(|error| match error {
            SampleCodecError::NotANumber => {
                SiloError::Parameter("an attachment holds something that is not a number")
            }
            _ => SiloError::Parameter("the attachments of a sample are too many"),
        })?;
        self.commit_if_due()?;
        let format = self.format(&buffer.format)?;
        let head = head(format).map_err(io::Error::other)?;
        let location = self.journal.append(SAMPLE, &[&head, &sample.data])?;
        self.insert(Entry { key, location }, sample.duration);
        self.note(&Event::Sample(key, location));
        Ok(())
    }

    fn check(&self, key: Time) -> Result<(), SiloError> {
        let refuse = |reason: String| Err(SiloError::TimeStamp { key, reason });
        if !key.is_numeric() {
            return refuse("it is not a number".into());
        }
        if let Some(last) = self.pass.last.filter(|last| key <= *last) {
            return refuse(format!("samples of a pass come in decode order, and the last one has {last}"));
        }
        if self.pass.ranges.as_ref().is_some_and(|ranges| ranges.find(key).is_none()) {
            return refuse("it is in none of the time ranges of this pass".into());
        }
        Ok(())
    }

    fn insert(&mut self, entry: Entry, duration: Time) {
        self.newer.push(entry);
        self.pass.last = Some(entry.key);
        if let Some(ranges) = self.pass.ranges.as_ref().or(self.hint.as_ref()) {
            self.pass.reached = self.pass.reached.max(ranges.seconds_until(entry.key, duration));
        }
        self.live += u64::from(entry.location.length);
    }

    /// Begins a pass over these ranges, and removes the samples in them (FS-12, FS-13, FS-14, FS-15, FS-16,
    /// FS-17, FS-18).
    pub(super) fn begin_pass(&mut self, ranges: &[TimeRange]) -> Result<(), Failure> {
        let checked = Ranges::new(ranges)?;
        self.no_replacement()?;
        self.commit_if_due()?;
        self.start_pass(checked);
        self.note(&Event::Pass(ranges.to_vec()));
        Ok(())
    }

    /// Begins a pass over these ranges whose samples replace those in them only when it is committed.
    pub(super) fn begin_replacement(&mut self, ranges: &[TimeRange]) -> Result<(), Failure> {
        let checked = Ranges::new(ranges)?;
        self.no_replacement()?;
        self.commit_if_due()?;
        self.start_replacement(checked);
        self.note(&Event::Replacement(ranges.to_vec()));
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<(), Failure> {
        self.replacement()?;
        self.commit_if_due()?;
        self.end_replacement();
        self.note(&Event::Commit);
        Ok(())
    }

    pub(super) fn abandon(&mut self) -> Result<(), Failure> {
        self.replacement()?;
        self.commit_if_due()?;
        self.drop_replacement();
        self.note(&Event::Abandon);
        Ok(())
    }

    fn no_replacement(&self) -> Result<(), SiloError> {
        match self.before {
            Some(_) => Err(SiloError::Parameter("a replacement is going on: commit or abandon it first")),
            None => Ok(()),
        }
    }

    fn replacement(&self) -> Result<(), SiloError> {
        match self.before {
            Some(_) => Ok(()),
            None => Err(SiloError::Parameter("there is no replacement to commit or abandon")),
        }
    }

    fn start_pass(&mut self, ranges: Ranges) {
        self.settle();
        let removed = self.older.remove(|key| ranges.find(key).is_some());
        self.forget(&removed);
        self.pass = Pass { ranges: Some(ranges), ..Pass::default() };
    }

    fn start_replacement(&mut self, ranges: Ranges) {
        let pass = std::mem::replace(&mut self.pass, Pass { ranges: Some(ranges), ..Pass::default() });
        self.before = Some((pass, std::mem::take(&mut self.newer)));
    }

    fn end_replacement(&mut self) {
        if let Some((_, before)) = self.before.take() {
            let newer = std::mem::replace(&mut self.newer, before);
            self.settle();
            self.newer = newer;
        }
        if let Some(ranges) = &self.pass.ranges {
            let removed = self.older.remove(|key| ranges.find(key).is_some());
            self.forget(&removed);
        }
    }

    fn drop_replacement(&mut self) {
        let (pass, newer) = self.before.take().unwrap_or_default();
        self.pass = pass;
        let dropped = std::mem::replace(&mut self.newer, newer);
        let dropped: Vec<RecordLocation> = dropped.iter().map(|entry| entry.location).collect();
        self.forget(&dropped);
    }

    /// Moves the samples of this pass to those of earlier passes.
    fn settle(&mut self) {
        let newer = std::mem::take(&mut self.newer);
        let replaced = self.older.merge(newer);
        self.forget(&replaced);
    }

    fn forget(&mut self, locations: &[RecordLocation]) {
        let bytes: u64 = locations.iter().map(|location| u64::from(location.length)).sum();
        self.live -= bytes;
        self.dead += bytes;
    }

    /// Returns the progress of the pass (FS-19, FS-20, FS-21, FS-22).
    pub(super) fn progress(&self) -> Result<f32, SiloError> {
        let Some(ranges) = self.pass.ranges.as_ref().or(self.hint.as_ref()) else {
            return Err(SiloError::NoTimeRange);
        };
        let all = ranges.seconds();
        if all <= 0.0 {
            return Ok(1.0);
        }
        Ok((self.pass.reached / all).clamp(0.0, 1.0) as f32)
    }

    /// Returns the present content; during a replacement, the content before it.
    pub(super) fn snapshot(&self, range: Option<TimeRange>) -> Result<Snapshot, SiloError> {
        if let Some(range) = range.filter(|range| !range.is_numeric()) {
            let reason = "samples are read in a numeric time range, or all of them with none";
            return Err(SiloError::TimeRange { range, reason });
        }
        let newer = self.before.as_ref().map_or(&self.newer, |(_, newer)| newer);
        Ok(Snapshot::new(self.older.clone(), newer.clone(), range))
    }

    /// Returns the first sample above a decode time, or the first of all if there is none; of two with one
    /// time, the newer.
    pub(super) fn next_after(&self, key: Option<Time>) -> Option<Entry> {
        let above = |entries: &Entries| {
            let mut position = entries.from(key);
            let entry = entries.next(&mut position)?;
            if Some(entry.key) == key { entries.next(&mut position) } else { Some(entry) }
        };
        let newer = self.before.as_ref().map_or(&self.newer, |(_, newer)| newer);
        match (above(&self.older), above(newer)) {
            (Some(old), Some(new)) if old.key < new.key => Some(old),
            (old, new) => new.or(old),
        }
    }

    pub(super) fn read(&self, location: RecordLocation) -> io::Result<SampleBuffer> {
        let record = self.journal.read(location)?;
        if record.kind != SAMPLE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let stored = sample_codec::decode(record.payload)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let format = usize::try_from(stored.format).ok().and_then(|format| self.formats.get(format));
        let format = format.ok_or(io::ErrorKind::InvalidData)?.clone();
        Ok(SampleBuffer { sample: stored.sample, format, attachments: stored.attachments })
    }

    /// Returns the number of a format description; equal ones share a number (FS-26).
    fn format(&mut self, format: &Arc<FormatDescription>) -> io::Result<u32> {
        let found = self.formats.iter().rposition(|known| Arc::ptr_eq(known, format) || known == format);
        if let Some(found) = found {
            return Ok(found as u32);
        }
        let location = self.journal.append(FORMAT, &[&serde_json::to_vec(&**format)?])?;
        self.note(&Event::Format(location));
        self.formats.push(format.clone());
        Ok(self.formats.len() as u32 - 1)
    }

    fn note(&mut self, event: &Event) {
        if self.lasting {
            event.encode(&mut self.events);
        }
    }

    fn commit_if_due(&mut self) -> io::Result<()> {
        let due = self.events.len() >= EVENTS || self.journal.end() - self.committed >= UNCOMMITTED;
        if due { self.keep() } else { Ok(()) }
    }

    /// Commits the events since the last commit.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        if self.lasting && !self.events.is_empty() {
            self.journal.commit(&self.events)?;
            self.events.clear();
        }
        self.committed = self.journal.end();
        Ok(())
    }
}

/// An error of the core does not know the file's name, so the outside adds it.
pub(super) enum Failure {
    Silo(SiloError),
    Io(io::Error),
}

impl From<SiloError> for Failure {
    fn from(error: SiloError) -> Self {
        Self::Silo(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
