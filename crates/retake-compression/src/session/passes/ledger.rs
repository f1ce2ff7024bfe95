//! What a session of several passes remembers, and which call may follow which.

use super::NextPass;
use super::frames::{Frames, digest};
use super::kept::{Earlier, Kept, Next, STATE};
use super::limits;
use super::plan::Wish;
use super::units::{self, Unit};
use crate::encoder::{FrameOptions, QualityScale};
use crate::planner::pace::Pace;
use crate::property::{DataRateLimit, Values, set_value};
use crate::session::SessionError;
use crate::storage::{NoteKey, StorageError, StorageLease};
use crate::take::Score;
use retake_media::{Sample, Time, TimeRange};
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// An encode of its own begins with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) struct Start;

/// How an encode begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::session) struct Beginning {
    /// Its quality, on the encoder's scale; none to encode as the properties say.
    pub(in crate::session) quality: Option<f64>,
    /// How many frames it has; 0 where that is not known.
    pub(in crate::session) frames: usize,
    /// The samples of the merged stream that windows of data rate limits still hold when it begins.
    pub(in crate::session) before: Vec<(Time, u64)>,
}

pub(in crate::session) struct Passes {
    lease: StorageLease,
    scale: QualityScale,
    /// What all passes encode with.
    pub(in crate::session) values: Option<Arc<Values>>,
    /// The same as text.
    settings: String,
    earlier: Option<Earlier>,
    stage: Stage,
    /// Passes that were begun, by earlier sessions too.
    begun: u32,
    frames: Frames,
    units: Vec<Unit>,
    /// What the next pass is to do, or the one that is open does.
    next: Next,
    ranges: Option<Arc<[TimeRange]>>,
    pace: Option<Pace>,
    /// In this pass: the unit that is being encoded again, and the qualities of all that were.
    current: Option<usize>,
    used: BTreeMap<usize, f64>,
    /// In this pass: scores of units, by their first frame.
    scores: BTreeMap<usize, Score>,
    /// What happened while samples came out.
    trouble: Option<SessionError>,
}

impl Passes {
    /// Passes that are recorded by this lease. What an earlier session recorded is looked at, and gone on with if the client asks for its ranges.
    pub(super) fn new(lease: StorageLease, scale: QualityScale) -> Result<Self, StorageError> {
        let earlier = Earlier::of(&lease)?;
        Ok(Self {
            lease,
            scale,
            values: None,
            settings: String::new(),
            earlier,
            stage: Stage::Before,
            begun: 0,
            frames: Frames::default(),
            units: Vec::new(),
            next: Next::default(),
            ranges: None,
            pace: None,
            current: None,
            used: BTreeMap::new(),
            scores: BTreeMap::new(),
            trouble: None,
        })
    }

    pub(in crate::session) fn has_begun(&self) -> bool {
        self.stage != Stage::Before
    }

    /// Whether the first pass is open, or was the last.
    pub(in crate::session) fn is_first(&self) -> bool {
        self.begun == 1
    }

    pub(super) fn is_open(&self, call: &'static str) -> Result<(), SessionError> {
        match self.stage {
            Stage::Open { .. } => Ok(()),
            _ => Err(SessionError::parameter(call, "no pass is open: begin one first")),
        }
    }

    /// MP-5, MP-6, MP-7, MP-8, MP-9, MP-10. `settings` are what every pass encodes with, as text.
    pub(super) fn begin(
        &mut self,
        last: bool,
        values: &Arc<Values>,
        settings: &str,
    ) -> Result<(), SessionError> {
        let refuse = |reason| Err(SessionError::parameter("begin_pass", reason));
        self.lease.passes()?;
        match self.stage {
            Stage::Open { .. } => return refuse("a pass is open: end it first"),
            Stage::Over => return refuse("the last pass was made: create another session"),
            Stage::Before | Stage::Between => {}
        }
        if self.begun > 0 && self.stage == Stage::Before && self.settings != settings {
            let (stored, wanted) = (self.settings.clone(), settings.to_owned());
            return Err(StorageError::Mismatch { what: "settings", stored, wanted }.into());
        }
        self.lease.begin_pass(self.begun)?;
        let whole = self.next.takes.is_empty();
        self.values.get_or_insert_with(|| values.clone());
        settings.clone_into(&mut self.settings);
        self.earlier = None;
        self.frames.0.iter_mut().for_each(|frame| (frame.sent, frame.out) = (false, false));
        self.begun += 1;
        self.stage = Stage::Open { whole, last };
        let Next { takes, bytes } = &self.next;
        self.pace = bytes.map(|bytes| Pace::new(self.scale, bytes, takes.values().copied()));
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
        let refuse = |reason: String| Err(SessionError::parameter(CALL, reason));
        if options.base_qp.is_some() {
            return refuse("frames of several passes bring no quantizers of their own".to_owned());
        }
        if self.begun == 1 {
            return Ok(());
        }
        let Some(index) = self.frames.find(pts) else {
            return refuse(format!("there was no frame at {pts} in the first pass"));
        };
        let frame = &self.frames.0[index];
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

    /// Notes a frame that was accepted. Says whether an encode of its own begins with it.
    pub(in crate::session) fn accept(
        &mut self,
        pts: Time,
        duration: Time,
        options: &FrameOptions,
    ) -> Option<Start> {
        if self.begun == 1 {
            self.frames.push(pts, duration, digest(options));
            return (self.frames.0.len() == 1).then_some(Start);
        }
        let index = self.frames.find(pts)?;
        self.frames.0[index].sent = true;
        let begins = match self.next.takes.is_empty() {
            true => index == 0,
            false => self.units[units::unit_of(&self.units, index)].first == index,
        };
        begins.then_some(Start)
    }

    /// How the encode begins that begins with a frame. Everything before it in this pass is out.
    pub(in crate::session) fn beginning(&mut self, pts: Time) -> Beginning {
        self.end_unit();
        let Some(index) = self.frames.find(pts).filter(|_| !self.next.takes.is_empty()) else {
            return Beginning::default();
        };
        let unit = units::unit_of(&self.units, index);
        let planned = self.next.takes.get(&unit).map(|take| take.quality);
        let quality =
            self.pace.as_ref().and_then(Pace::quality).or(planned).map(|quality| self.scale.snap(quality));
        self.current = quality.map(|quality| {
            self.used.insert(unit, quality);
            unit
        });
        let Unit { first, end, .. } = self.units[unit];
        let before = limits::before(&self.frames, self.limits(), pts);
        Beginning { quality, frames: end - first, before }
    }

    /// All of a unit that was encoded again is out: what it took tells what the others may take.
    fn end_unit(&mut self) {
        let Some(unit) = self.current.take() else { return };
        let frames = &self.frames.0[self.units[unit].first..self.units[unit].end];
        if let (Some(pace), Some(quality)) = (&mut self.pace, self.used.get(&unit)) {
            pace.is_out(*quality, frames.iter().map(|frame| frame.bytes).sum());
        }
    }

    fn limits(&self) -> &[DataRateLimit] {
        let values = self.values.as_deref();
        values.and_then(|values| set_value!(values, DataRateLimits)).map_or(&[], Vec::as_slice)
    }

    /// Notes the sample of a frame. ST-9: where that cannot be kept, the end of the pass says so; the sample is good all the same.
    pub(in crate::session) fn emitted(&mut self, sample: &Sample, qp: f32) {
        let Some(index) = self.frames.find(sample.pts) else { return };
        let record = self.frames.emitted(index, sample.dts, sample.data.len() as u64, qp, sample.kind);
        if let Err(error) = self.lease.push_frame(record) {
            self.trouble.get_or_insert(error.into());
        }
    }

    /// Notes the score of the frames from one on to the next that a score was begun with.
    pub(in crate::session) fn scored(&mut self, first: Time, score: Result<Score, String>) {
        match (self.frames.find(first), score) {
            (Some(index), Ok(score)) => {
                self.scores.insert(index, score);
            }
            (_, Err(reason)) => {
                let error = SessionError::Malfunction(format!("a unit could not be scored: {reason}"));
                self.trouble.get_or_insert(error);
            }
            (None, Ok(_)) => {}
        }
    }

    /// MP-11, MP-13, MP-14, MP-15: all samples of the pass are out.
    pub(super) fn end(&mut self, last: bool, wish: &Wish) -> Result<NextPass, SessionError> {
        self.is_open("end_pass")?;
        let Stage::Open { whole, last: promised } = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Ok(NextPass::Finished);
        };
        self.end_unit();
        if let Some(error) = self.trouble.take() {
            return Err(error);
        }
        let wanted = |index: &usize| self.is_wanted(*index);
        if let Some(missing) =
            (0..self.frames.0.len()).filter(wanted).find(|&index| !self.frames.0[index].sent)
        {
            let pts = self.frames.0[missing].pts;
            let reason = format!("the frame at {pts} is missing: all frames of the ranges have to come");
            return Err(SessionError::parameter("end_pass", reason));
        }
        let complete = (0..self.frames.0.len()).filter(wanted).all(|index| self.frames.0[index].out);
        self.measure(whole, wish.first);
        let ended = last || promised || !complete || self.begun >= wish.most || self.frames.0.is_empty();
        let wanted = if ended { None } else { self.wanted(wish) };
        let kept = Kept { settings: self.settings.clone(), units: self.units.clone(), next: wanted.clone() };
        let note = serde_json::to_vec(&kept)
            .map_err(|error| SessionError::Malfunction(format!("units cannot be kept: {error}")))?;
        self.lease.put_note(NoteKey { topic: STATE, pass: self.begun - 1, unit: 0 }, &note)?;
        self.lease.end_pass()?;
        if !(last || promised) {
            self.stage = Stage::Between;
        }
        self.ranges = None;
        self.next = wanted.clone().unwrap_or_default();
        let Some(next) = wanted else { return Ok(NextPass::Finished) };
        let ranges = self.ranges_of(&next);
        self.ranges = Some(ranges.clone());
        Ok(NextPass::Requested(ranges))
    }

    /// What to ask for, if anything.
    fn wanted(&self, wish: &Wish) -> Option<Next> {
        let broken = limits::broken(&self.frames, &self.units, self.limits());
        let next = wish.next(&self.units, self.frames.seconds(), &broken);
        let asked = !next.takes.is_empty() || (self.begun == 1 && wish.always);
        asked.then_some(next)
    }

    /// MP-17, MP-19, MP-25: the ranges that the last pass ended with; in a new session, that of the session before.
    pub(super) fn ranges(&mut self) -> Result<Arc<[TimeRange]>, SessionError> {
        if self.stage == Stage::Before
            && let Some(earlier) = self.earlier.take_if(|earlier| earlier.kept.next.is_some())
        {
            let Kept { settings, units, next } = earlier.kept;
            (self.settings, self.units, self.frames) = (settings, units, earlier.frames);
            self.next = next.unwrap_or_default();
            self.begun = earlier.passes;
            self.ranges = Some(self.ranges_of(&self.next));
        }
        let none = || {
            SessionError::parameter("time_ranges_for_next_pass", "the last pass did not ask for another one")
        };
        self.ranges.clone().ok_or_else(none)
    }

    /// Reckons what the units of this pass have become.
    fn measure(&mut self, whole: bool, first: Option<f64>) {
        if whole {
            self.units = units::cut(&self.frames);
        }
        let used = std::mem::take(&mut self.used);
        let scores = std::mem::take(&mut self.scores);
        for (index, unit) in self.units.iter_mut().enumerate() {
            if whole || self.next.takes.contains_key(&index) {
                let quality = used.get(&index).copied().or(first.filter(|_| whole));
                units::measure(unit, &self.frames, quality, scores.get(&unit.first).copied());
            }
        }
    }

    fn is_wanted(&self, frame: usize) -> bool {
        let takes = &self.next.takes;
        takes.is_empty() || takes.contains_key(&units::unit_of(&self.units, frame))
    }

    /// The ranges of what is asked for; the whole source where no unit stands for itself.
    fn ranges_of(&self, next: &Next) -> Arc<[TimeRange]> {
        let wanted: Vec<usize> = match next.takes.is_empty() {
            true => (0..self.units.len()).collect(),
            false => next.takes.keys().copied().collect(),
        };
        units::ranges(&self.units, &self.frames, &wanted).into()
    }
}
