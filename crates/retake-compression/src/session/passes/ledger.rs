//! What a session of several passes remembers, and which call may follow which.

use super::plan::{Unit, Wish};
use super::{NextPass, PassOptions};
use crate::encoder::FrameOptions;
use crate::property::Values;
use crate::session::SessionError;
use crate::storage::{FrameRecord, NoteKey, StorageError, StorageLease};
use retake_media::{Sample, Time, TimeRange};
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// The notes of this room: for each unit that a pass has encoded, its quality and bytes.
const UNITS: u8 = b'u';

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No pass was begun.
    Before,
    /// A pass over everything, or over the units that were asked for.
    Open { whole: bool, last: bool },
    /// A pass was ended, and others may follow.
    Between,
    /// The last pass was ended.
    Over,
}

/// Where a frame begins an encode of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::session) struct Start {
    /// Its quality, on the encoder's scale; none to encode as the properties say.
    pub(in crate::session) quality: Option<f64>,
}

/// A source frame as the first pass saw it, and what became of it last.
#[derive(Debug, Clone, Copy)]
struct Frame {
    pts: Time,
    duration: Time,
    options: u64,
    bits: u64,
    qp: f32,
    sync: bool,
    /// In this pass: whether it came, and whether its sample did.
    sent: bool,
    out: bool,
}

pub(in crate::session) struct Passes {
    lease: StorageLease,
    options: PassOptions,
    /// What all passes encode with.
    pub(in crate::session) values: Option<Arc<Values>>,
    stage: Stage,
    /// Passes that were begun.
    begun: u32,
    frames: Vec<Frame>,
    units: Vec<Unit>,
    /// The units of the next pass, with their qualities.
    takes: BTreeMap<usize, f64>,
    ranges: Option<Arc<[TimeRange]>>,
    /// What happened to the storage while samples came out.
    trouble: Option<StorageError>,
}

impl Passes {
    pub(super) fn new(lease: StorageLease, options: PassOptions) -> Self {
        Self {
            lease,
            options,
            values: None,
            stage: Stage::Before,
            begun: 0,
            frames: Vec::new(),
            units: Vec::new(),
            takes: BTreeMap::new(),
            ranges: None,
            trouble: None,
        }
    }

    pub(in crate::session) fn has_begun(&self) -> bool {
        self.stage != Stage::Before
    }

    pub(super) fn is_open(&self, call: &'static str) -> Result<(), SessionError> {
        match self.stage {
            Stage::Open { .. } => Ok(()),
            _ => Err(SessionError::parameter(call, "no pass is open: begin one first")),
        }
    }

    /// MP-5 … MP-10.
    pub(super) fn begin(&mut self, last: bool, values: &Arc<Values>) -> Result<(), SessionError> {
        let refuse = |reason| Err(SessionError::parameter("begin_pass", reason));
        self.lease.passes()?;
        match self.stage {
            Stage::Open { .. } => return refuse("a pass is open: end it first"),
            Stage::Over => return refuse("the last pass was made: create another session"),
            Stage::Before | Stage::Between => {}
        }
        self.lease.begin_pass(self.begun)?;
        let whole = self.takes.is_empty();
        self.values.get_or_insert_with(|| values.clone());
        self.frames.iter_mut().for_each(|frame| (frame.sent, frame.out) = (false, false));
        self.begun += 1;
        self.stage = Stage::Open { whole, last };
        Ok(())
    }

    /// EF-14, MP-23, MP-24: whether a frame may come now.
    pub(in crate::session) fn check(
        &self,
        pts: Time,
        duration: Time,
        options: &FrameOptions,
    ) -> Result<(), SessionError> {
        const CALL: &str = "encode";
        self.is_open(CALL)?;
        self.lease.passes()?;
        if self.begun == 1 {
            return Ok(());
        }
        let refuse = |reason: String| Err(SessionError::parameter(CALL, reason));
        let Some(index) = self.find(pts) else {
            return refuse(format!("there was no frame at {pts} in the first pass"));
        };
        let frame = &self.frames[index];
        if frame.duration != duration || frame.options != digest(options) {
            return refuse(format!(
                "the frame at {pts} is not the one of the first pass: duration or options differ"
            ));
        }
        if !self.is_wanted(index) {
            return refuse(format!("the frame at {pts} is in none of the time ranges of this pass"));
        }
        Ok(())
    }

    /// Notes a frame that was accepted. Says where an encode of its own begins with it.
    pub(in crate::session) fn accept(
        &mut self,
        pts: Time,
        duration: Time,
        options: &FrameOptions,
    ) -> Option<Start> {
        if self.begun == 1 {
            let options = digest(options);
            self.frames.push(Frame {
                pts,
                duration,
                options,
                bits: 0,
                qp: 0.0,
                sync: false,
                sent: true,
                out: false,
            });
            return (self.frames.len() == 1).then_some(Start { quality: None });
        }
        let index = self.find(pts)?;
        self.frames[index].sent = true;
        if self.takes.is_empty() {
            return (index == 0).then_some(Start { quality: None });
        }
        let unit = self.unit_of(index);
        let begins = self.units[unit].first == index;
        self.takes.get(&unit).filter(|_| begins).map(|quality| Start { quality: Some(*quality) })
    }

    /// Notes the sample of a frame.
    pub(in crate::session) fn emitted(&mut self, sample: &Sample, qp: f32) {
        let Some(index) = self.find(sample.pts) else { return };
        let frame = &mut self.frames[index];
        frame.bits = sample.data.len() as u64 * 8;
        (frame.qp, frame.sync, frame.out) = (qp, sample.is_sync(), true);
        let record = FrameRecord {
            pts: frame.pts,
            duration: frame.duration,
            options: frame.options,
            kind: sample.kind,
            bits: frame.bits,
            qp,
        };
        if let Err(error) = self.lease.push_frame(record) {
            self.trouble.get_or_insert(error);
        }
    }

    /// MP-11 … MP-15: all samples of the pass are out.
    pub(super) fn end<'a>(
        &mut self,
        last: bool,
        wish: impl FnOnce() -> Wish<'a>,
    ) -> Result<NextPass, SessionError> {
        self.is_open("end_pass")?;
        let Stage::Open { whole, last: promised } = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Ok(NextPass::Finished);
        };
        if let Some(error) = self.trouble.take() {
            return Err(error.into());
        }
        if let Some(missing) =
            (0..self.frames.len()).find(|&index| self.is_wanted(index) && !self.frames[index].sent)
        {
            let pts = self.frames[missing].pts;
            let reason = format!("the frame at {pts} is missing: all frames of the ranges have to come");
            return Err(SessionError::parameter("end_pass", reason));
        }
        let complete = (0..self.frames.len()).all(|index| !self.is_wanted(index) || self.frames[index].out);
        self.measure(whole)?;
        self.lease.end_pass()?;
        self.ranges = None;
        self.takes.clear();
        if last || promised {
            return Ok(NextPass::Finished);
        }
        self.stage = Stage::Between;
        if !complete || self.begun >= self.options.most {
            return Ok(NextPass::Finished);
        }
        let wish = wish();
        self.takes = wish.takes(&self.units, self.seconds());
        if self.takes.is_empty() {
            if self.begun > 1 || !self.options.request_once || self.frames.is_empty() {
                return Ok(NextPass::Finished);
            }
        } else if self.options.whole_source {
            for (index, quality) in wish.estimates(&self.units).into_iter().enumerate() {
                self.takes.entry(index).or_insert(quality);
            }
        }
        let ranges: Arc<[TimeRange]> = self.wanted_ranges().into();
        self.ranges = Some(ranges.clone());
        Ok(NextPass::Requested(ranges))
    }

    /// MP-17, MP-19.
    pub(super) fn ranges(&self) -> Result<Arc<[TimeRange]>, SessionError> {
        let none = || {
            SessionError::parameter("time_ranges_for_next_pass", "the last pass did not ask for another one")
        };
        self.ranges.clone().ok_or_else(none)
    }

    /// Reckons what the units of this pass have become.
    fn measure(&mut self, whole: bool) -> Result<(), SessionError> {
        if whole {
            let starts = (0..self.frames.len()).filter(|&index| index == 0 || self.frames[index].sync);
            let starts: Vec<usize> = starts.collect();
            let ends = starts.iter().skip(1).copied().chain([self.frames.len()]);
            self.units =
                starts.iter().zip(ends).map(|(&first, end)| Unit { first, end, ..Unit::default() }).collect();
        }
        for index in 0..self.units.len() {
            if !whole && !self.takes.contains_key(&index) {
                continue;
            }
            let unit = &mut self.units[index];
            let frames = &self.frames[unit.first..unit.end];
            unit.bytes = frames.iter().map(|frame| frame.bits / 8).sum();
            unit.quality = self.takes.get(&index).copied();
            if unit.quality.is_none() {
                let quantizers = frames.iter().map(|frame| f64::from(frame.qp)).sum::<f64>();
                unit.by_rate = (quantizers / frames.len().max(1) as f64, unit.bytes);
            }
            let quality = unit.quality.unwrap_or(unit.by_rate.0);
            let note = [quality.to_le_bytes(), unit.bytes.to_le_bytes()].concat();
            let unit = u32::try_from(index).unwrap_or(u32::MAX);
            self.lease.put_note(NoteKey { topic: UNITS, pass: self.begun - 1, unit }, &note)?;
        }
        Ok(())
    }

    fn find(&self, pts: Time) -> Option<usize> {
        self.frames.binary_search_by(|frame| frame.pts.cmp(&pts)).ok()
    }

    fn unit_of(&self, frame: usize) -> usize {
        self.units.partition_point(|unit| unit.end <= frame)
    }

    fn is_wanted(&self, frame: usize) -> bool {
        self.takes.is_empty() || self.takes.contains_key(&self.unit_of(frame))
    }

    /// Resolution 36: where the source ends.
    fn source_end(&self) -> Time {
        let Some(last) = self.frames.last() else { return Time::INVALID };
        if last.duration.is_numeric() && last.duration > Time::ZERO {
            return last.pts.add(last.duration);
        }
        match self.frames.len().checked_sub(2).map(|before| self.frames[before].pts) {
            Some(before) => last.pts.add(last.pts.subtract(before)),
            None => last.pts.add(Time::new(1, last.pts.timescale())),
        }
    }

    fn seconds(&self) -> f64 {
        self.frames.first().map_or(0.0, |first| self.source_end().subtract(first.pts).seconds())
    }

    /// MP-18, MP-20: whole units, those side by side as one range; the whole source where no unit stands for itself.
    fn wanted_ranges(&self) -> Vec<TimeRange> {
        let start = |unit: usize| self.frames[self.units[unit].first].pts;
        let end = |unit: usize| match self.units.get(unit + 1) {
            Some(next) => self.frames[next.first].pts,
            None => self.source_end(),
        };
        let wanted: Vec<usize> = match self.takes.is_empty() {
            true => (0..self.units.len()).collect(),
            false => self.takes.keys().copied().collect(),
        };
        let runs = wanted.chunk_by(|a, b| a + 1 == *b);
        runs.map(|run| TimeRange::between(start(run[0]), end(run[run.len() - 1]))).collect()
    }
}

/// Equal for equal options.
fn digest(options: &FrameOptions) -> u64 {
    let FrameOptions { force_key_frame, base_qp, acknowledged, refresh } = options;
    let mut bytes = vec![u8::from(*force_key_frame), u8::from(*refresh), u8::from(base_qp.is_some())];
    bytes.extend(base_qp.unwrap_or(0).to_le_bytes());
    acknowledged.iter().for_each(|token| bytes.extend(token.to_le_bytes()));
    xxh3_64(&bytes)
}
