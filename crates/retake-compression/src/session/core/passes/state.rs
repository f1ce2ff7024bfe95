//! What a session of several passes remembers, and which call may follow which.

use super::frames::{Frames, Input, digest};
use super::goal::PassGoal;
use super::limits;
use super::record::{Earlier, PassPlan, PassRecord};
use super::shared::{self, PartRecord};
use super::units::{self, Unit};
use crate::encoder::{FrameOptions, QualityScale, RateBuffer};
use crate::planner::pace::{Expected, Pace};
use crate::property::{DataRateLimit, Values, set_value};
use crate::session::derive::{self, UnitStart};
use crate::session::{NextPass, SessionError, SessionMistake};
use crate::source_frames::NotAgain;
use crate::storage::{FrameRecord, StorageError};
use crate::take::Score;
use retake_media::{Sample, Time, TimeRange};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the client says about a pass (MP-6, MP-14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum PassKind {
    /// Another pass may follow, so one is planned.
    Analysis,
    /// It is the last one: nothing is planned.
    Final,
}

/// Which pass may follow.
#[derive(Debug)]
enum Stage {
    /// No pass was begun. What an earlier session left is gone on with if the client asks for its ranges.
    Before { earlier: Option<Earlier> },
    /// No pass was begun, and the session goes on where an earlier one ended, with the settings that this one
    /// had.
    Resumed { settings: String, request: PassRequest },
    /// A pass is open.
    Open(OpenPass),
    /// A pass was ended, and others may follow.
    Between { request: Option<PassRequest> },
    /// A pass was ended, and whether another one follows is for a plan to say that others have a part in.
    Undecided,
    /// The last pass was ended, or one failed.
    Over,
}

/// What was asked for at the end of a pass.
#[derive(Debug)]
struct PassRequest {
    plan: PassPlan,
    ranges: Arc<[TimeRange]>,
}

/// A pass over everything, or over the units that were asked for.
#[derive(Debug)]
struct OpenPass {
    kind: PassKind,
    request: Option<PassRequest>,
    /// Where the units are to take a number of bytes together.
    pace: Option<Pace>,
    /// The unit that is being encoded again.
    current: Option<usize>,
    /// The qualities of all units that were encoded again.
    used: BTreeMap<usize, f64>,
    /// Scores of units, by their first frame.
    scores: BTreeMap<usize, Score>,
    /// Units that nobody asked for, and that the client sends all the same.
    added: BTreeSet<usize>,
    /// The first thing that went wrong while samples came out. The end of the pass says so (ST-9); the
    /// samples are good all the same.
    trouble: Option<SessionError>,
}

impl OpenPass {
    fn new(kind: PassKind, request: Option<PassRequest>, scale: QualityScale) -> Self {
        let plan = request.as_ref().map(|request| &request.plan);
        let paced = plan.filter(|plan| !plan.exact || kind == PassKind::Final);
        let pace = paced
            .and_then(|plan| plan.bytes.map(|bytes| Pace::new(scale, bytes, plan.takes.values().copied())));
        let (used, scores) = (BTreeMap::new(), BTreeMap::new());
        Self { kind, request, pace, current: None, used, scores, added: BTreeSet::new(), trouble: None }
    }

    /// The units that it encodes again; `None` for a pass over everything.
    fn plan(&self) -> Option<&PassPlan> {
        self.request.as_ref().map(|request| &request.plan).filter(|plan| !plan.takes.is_empty())
    }

    fn wants(&self, unit: usize) -> bool {
        self.plan().is_none_or(|plan| plan.takes.contains_key(&unit))
    }

    /// Whether a unit that was not asked for may come. A client that sends everything again in its second and
    /// final pass takes what comes out of that pass alone, so all of it has to come.
    fn admits(&self, unit: usize) -> bool {
        self.kind == PassKind::Final && self.plan().is_some_and(|plan| plan.others.contains_key(&unit))
    }

    /// The client sends a unit that was not asked for: it will send all that follow, too.
    fn add_from(&mut self, unit: usize, units: &[Unit]) {
        let Some(plan) = self.request.as_mut().map(|request| &mut request.plan) else { return };
        let added = plan.others.split_off(&unit);
        if let Some(pace) = &mut self.pace {
            let pending = plan.takes.iter().rev().take(pace.units_left());
            let mut pending: BTreeMap<usize, Expected> = pending.map(|(unit, take)| (*unit, *take)).collect();
            pending.extend(&added);
            let bytes: u64 = added.keys().map(|unit| units[*unit].bytes()).sum();
            pace.extend(bytes as f64, pending.into_values());
        }
        self.added.extend(added.keys());
        plan.takes.extend(added);
    }

    /// The pass is over: units that could have come, and did not, stay as they are.
    fn forget_absent(&mut self, came: impl Fn(usize) -> bool) {
        let Some(plan) = self.request.as_mut().map(|request| &mut request.plan) else { return };
        let added = &self.added;
        plan.takes.retain(|unit, _| !added.contains(unit) || came(*unit));
    }
}

/// What all passes encode with.
#[derive(Debug)]
struct Fixed {
    values: Arc<Values>,
    /// The same as text.
    settings: String,
}

/// A pass that was ended and planned from, to be written to the storage before it counts.
#[derive(Debug)]
pub(in crate::session) struct PassEnd {
    /// The pass, counted from 0.
    pub(in crate::session) number: u32,
    /// How everything stands, for the storage's note.
    pub(in crate::session) note: Vec<u8>,
    kind: PassKind,
    next: Next,
}

/// What follows a pass.
#[derive(Debug)]
enum Next {
    /// The pass that is asked for, if any is.
    Planned(Option<PassPlan>),
    /// It is not known yet, because others have a part in the plan.
    Undecided,
}

#[derive(Debug)]
pub(in crate::session) struct Passes {
    scale: QualityScale,
    fixed: Option<Fixed>,
    stage: Stage,
    /// Passes that were begun, by earlier sessions too.
    begun: u32,
    frames: Frames,
    units: Vec<Unit>,
}

pub(super) fn no_open_pass(call: &'static str) -> SessionError {
    SessionError::parameter(call, SessionMistake::NoPass)
}

impl Passes {
    /// Passes of a session with an encoder of this scale. `earlier` is what an earlier session recorded.
    pub(in crate::session) fn new(scale: QualityScale, earlier: Option<Earlier>) -> Self {
        let stage = Stage::Before { earlier };
        Self { scale, fixed: None, stage, begun: 0, frames: Frames::default(), units: Vec::new() }
    }

    /// What all passes encode with, once the first was begun.
    pub(in crate::session) fn values(&self) -> Option<&Arc<Values>> {
        self.fixed.as_ref().map(|fixed| &fixed.values)
    }

    pub(in crate::session) fn has_begun(&self) -> bool {
        !matches!(self.stage, Stage::Before { .. } | Stage::Resumed { .. })
    }

    /// Whether the first pass is open, or was the last.
    pub(in crate::session) fn is_first(&self) -> bool {
        self.begun == 1
    }

    fn open(&self, call: &'static str) -> Result<&OpenPass, SessionError> {
        match &self.stage {
            Stage::Open(pass) => Ok(pass),
            _ => Err(no_open_pass(call)),
        }
    }

    pub(in crate::session) fn is_open(&self, call: &'static str) -> Result<(), SessionError> {
        self.open(call).map(|_| ())
    }

    /// MP-5, MP-8, MP-9: the number of the pass that may be begun now. `settings` are what every pass encodes
    /// with, as text.
    pub(in crate::session) fn may_begin(&self, settings: &str) -> Result<u32, SessionError> {
        let refuse = |reason| Err(SessionError::parameter("begin_pass", reason));
        match &self.stage {
            Stage::Open(_) => refuse(SessionMistake::PassOpen),
            Stage::Over => refuse(SessionMistake::PassesOver),
            Stage::Undecided => refuse(SessionMistake::Undecided),
            Stage::Resumed { settings: stored, .. } if stored != settings => {
                let (stored, wanted) = (stored.clone(), settings.to_owned());
                Err(StorageError::Mismatch { what: "settings", stored, wanted }.into())
            }
            Stage::Before { .. } | Stage::Resumed { .. } | Stage::Between { .. } => Ok(self.begun),
        }
    }

    /// MP-5, MP-6, MP-7, MP-8, MP-9, MP-10.
    pub(in crate::session) fn begin(
        &mut self,
        kind: PassKind,
        values: &Arc<Values>,
        settings: &str,
    ) -> Result<(), SessionError> {
        self.may_begin(settings)?;
        let request = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Resumed { request, .. } => Some(request),
            Stage::Between { request } => request,
            _ => None,
        };
        self.fixed.get_or_insert_with(|| Fixed { values: values.clone(), settings: settings.to_owned() });
        self.frames.states.iter_mut().for_each(|frame| (frame.sent, frame.out) = (false, false));
        self.begun += 1;
        self.stage = Stage::Open(OpenPass::new(kind, request, self.scale));
        Ok(())
    }

    /// EF-14, MP-23, MP-24: whether a frame may come now.
    pub(in crate::session) fn check(
        &self,
        pts: Time,
        duration: Time,
        options: &FrameOptions,
        hash: u64,
    ) -> Result<(), SessionError> {
        const CALL: &str = "encode";
        let pass = self.open(CALL)?;
        let refuse = |reason| Err(SessionError::parameter(CALL, reason));
        if options.base_qp.is_some() {
            return refuse(SessionMistake::QuantizerInPasses);
        }
        if self.is_first() {
            return Ok(());
        }
        let index = match self.frames.source.again(pts, &Input { duration, digest: digest(hash, options) }) {
            Ok(index) => index,
            Err(NotAgain::Unknown) => return refuse(SessionMistake::UnknownFrame(pts)),
            Err(NotAgain::Differs) => return refuse(SessionMistake::OtherFrame(pts)),
        };
        let unit = units::unit_of(&self.units, index);
        let may_come = pass.wants(unit) || pass.admits(unit) && self.units[unit].first == index;
        if !may_come {
            return refuse(SessionMistake::OutsideRanges(pts));
        }
        Ok(())
    }

    /// Takes note of a frame that was accepted. Says whether an encode of its own begins with it.
    pub(in crate::session) fn accept(
        &mut self,
        pts: Time,
        duration: Time,
        options: &FrameOptions,
        hash: u64,
    ) -> bool {
        if self.is_first() {
            self.frames.push(pts, Input { duration, digest: digest(hash, options) });
            return self.frames.states.len() == 1;
        }
        let (Stage::Open(pass), Some(index)) = (&mut self.stage, self.frames.find(pts)) else { return false };
        self.frames.states[index].sent = true;
        let unit = units::unit_of(&self.units, index);
        if !pass.wants(unit) {
            pass.add_from(unit, &self.units);
        }
        match pass.plan() {
            None => index == 0,
            Some(_) => self.units[units::unit_of(&self.units, index)].first == index,
        }
    }

    /// How the encode begins that begins with a frame. Everything before it in this pass must be out, because
    /// its quality follows from what that took.
    pub(in crate::session) fn unit_start(&mut self, pts: Time) -> UnitStart {
        self.end_unit();
        let (Stage::Open(pass), Some(index)) = (&mut self.stage, self.frames.find(pts)) else {
            return UnitStart::default();
        };
        if pass.plan().is_none() {
            return UnitStart::default();
        }
        let unit = units::unit_of(&self.units, index);
        let planned = pass.plan().and_then(|plan| plan.takes.get(&unit)).map(|take| take.quality);
        let quality =
            pass.pace.as_ref().and_then(Pace::quality).or(planned).map(|quality| self.scale.snap(quality));
        let target = pass.pace.as_ref().and_then(Pace::target).filter(|_| pass.kind == PassKind::Final);
        // Units behind this one that come in this pass, too, are to become as many times as large. Those that
        // nobody asked for may stay as they are, because the client need not send them.
        let mut to_come = BTreeMap::new();
        if let (Some(_), Some(pace), Some(plan)) = (&target, &pass.pace, pass.plan()) {
            let behind = plan.takes.keys().copied().filter(|&behind| behind > unit);
            let times = |(unit, bytes): (usize, f64)| {
                let times = bytes / self.units[unit].bytes().max(1) as f64;
                (unit, if pass.added.contains(&unit) { times.max(1.0) } else { times })
            };
            to_come = behind.zip(pace.targets_behind()).map(times).collect();
        }
        pass.current = quality.map(|quality| {
            pass.used.insert(unit, quality);
            unit
        });
        let Unit { first, end, .. } = self.units[unit];
        let before = limits::before(&self.frames, self.limits(), pts);
        let mut after = limits::after(&self.frames, self.limits(), end);
        for (index, _, bytes) in &mut after {
            let times = to_come.get(&units::unit_of(&self.units, *index)).copied().unwrap_or(1.0);
            *bytes = (*bytes as f64 * times) as u64;
        }
        let after = after.into_iter().map(|(_, dts, bytes)| (dts, bytes)).collect();
        let fullness = self.buffer().map(|buffer| limits::fullness(&self.frames, buffer, pts));
        let digest = self.frames.digest(first..end);
        UnitStart { quality, target, frames: end - first, digest, before, after, fullness }
    }

    /// The unit that is being encoded again came out with another quality than it began with.
    pub(in crate::session) fn fitted(&mut self, quality: f64) {
        if let Stage::Open(pass) = &mut self.stage
            && let Some(unit) = pass.current
        {
            pass.used.insert(unit, quality);
        }
    }

    /// All of a unit that was encoded again is out: what it took tells what the others may take.
    fn end_unit(&mut self) {
        let Stage::Open(pass) = &mut self.stage else { return };
        let Some(unit) = pass.current.take() else { return };
        let frames = &self.frames.states[self.units[unit].first..self.units[unit].end];
        if let (Some(pace), Some(quality)) = (&mut pass.pace, pass.used.get(&unit)) {
            pace.is_out(*quality, frames.iter().map(|frame| frame.bytes).sum());
        }
    }

    fn limits(&self) -> &[DataRateLimit] {
        let values = self.values();
        values.and_then(|values| set_value!(values, DataRateLimits)).map_or(&[], Vec::as_slice)
    }

    fn buffer(&self) -> Option<RateBuffer> {
        derive::judged_buffer(self.values()?)
    }

    /// Takes note of the sample of a frame, and gives the record of it for the storage.
    pub(in crate::session) fn emitted(&mut self, sample: &Sample, qp: f32) -> Option<FrameRecord> {
        let index = self.frames.find(sample.pts)?;
        Some(self.frames.emitted(index, sample.dts, sample.data.len() as u64, qp, sample.kind))
    }

    /// Takes note that the unit which is encoded again had to be made coarser than planned, because of a
    /// limit.
    pub(in crate::session) fn made_coarser(&mut self, quality: f64) {
        self.fitted(quality);
        if let Stage::Open(pass) = &self.stage
            && let Some(unit) = pass.current
        {
            self.units[unit].finest = Some(quality);
        }
    }

    /// Takes note of the score of the frames from one on to the next that a score begins with.
    pub(in crate::session) fn scored(&mut self, first: Time, score: Result<Score, String>) {
        match (self.frames.find(first), score) {
            (Some(index), Ok(score)) => {
                if let Stage::Open(pass) = &mut self.stage {
                    pass.scores.insert(index, score);
                }
            }
            (_, Err(reason)) => {
                self.fail(SessionError::Malfunction(format!("a unit could not be scored: {reason}")));
            }
            (None, Ok(_)) => {}
        }
    }

    /// Something went wrong with what is remembered of this pass: its end says so, unless something did
    /// before.
    pub(in crate::session) fn fail(&mut self, error: SessionError) {
        if let Stage::Open(pass) = &mut self.stage {
            pass.trouble.get_or_insert(error);
        }
    }

    /// MP-11, MP-13, MP-14, MP-15: all samples of the pass are out. Plans the next one, unless this was the
    /// last; that may take long. No pass may follow until [`Passes::conclude`] says that what is to be
    /// written of this one was written.
    pub(in crate::session) fn end(
        &mut self,
        kind: PassKind,
        goal: &PassGoal,
    ) -> Result<PassEnd, SessionError> {
        let (kind, part) = self.close(kind, goal)?;
        let plan = shared::plan(&[part]).pop().flatten();
        self.ended(kind, Next::Planned(plan))
    }

    /// The same for a session that has a part in the plan of others: what it knows for this plan.
    pub(in crate::session) fn end_part(
        &mut self,
        kind: PassKind,
        goal: &PassGoal,
    ) -> Result<(PassEnd, PartRecord), SessionError> {
        let (kind, part) = self.close(kind, goal)?;
        let next = if part.may_go_on { Next::Undecided } else { Next::Planned(None) };
        Ok((self.ended(kind, next)?, part))
    }

    /// Takes note of what has come of the pass, and gives what a plan has to know of it. The pass was the
    /// last one if the call that ended it says so, or the one that began it.
    fn close(&mut self, kind: PassKind, goal: &PassGoal) -> Result<(PassKind, PartRecord), SessionError> {
        self.is_open("end_pass")?;
        self.end_unit();
        let Stage::Open(mut pass) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Err(no_open_pass("end_pass"));
        };
        if let Some(error) = pass.trouble.take() {
            return Err(error);
        }
        pass.forget_absent(|unit| self.frames.states[self.units[unit].first].sent);
        let wanted = |index: &usize| pass.wants(units::unit_of(&self.units, *index));
        let mut frames = (0..self.frames.states.len()).filter(wanted);
        if let Some(missing) = frames.clone().find(|&index| !self.frames.states[index].sent) {
            let pts = self.frames.pts(missing);
            return Err(SessionError::parameter("end_pass", SessionMistake::MissingFrame(pts)));
        }
        let complete = frames.all(|index| self.frames.states[index].out);
        self.measure(&pass, goal.first);
        let last = kind == PassKind::Final || pass.kind == PassKind::Final;
        let kind = if last { PassKind::Final } else { PassKind::Analysis };
        let part = PartRecord {
            goal: goal.clone(),
            limits: self.limits().to_vec(),
            buffer: self.buffer(),
            units: self.units.clone(),
            samples: limits::timeline(&self.frames, &self.units),
            seconds: self.frames.seconds(),
            passes: self.begun,
            may_go_on: !last && complete && !self.frames.states.is_empty(),
        };
        Ok((kind, part))
    }

    /// What is to be written of a pass that was ended.
    fn ended(&self, kind: PassKind, next: Next) -> Result<PassEnd, SessionError> {
        let settings = self.fixed.as_ref().map(|fixed| fixed.settings.clone()).unwrap_or_default();
        let plan = match &next {
            Next::Planned(plan) => plan.clone(),
            Next::Undecided => None,
        };
        let record = PassRecord { settings, units: self.units.clone(), next: plan };
        let note = serde_json::to_vec(&record)
            .map_err(|error| SessionError::Malfunction(format!("units cannot be kept: {error}")))?;
        Ok(PassEnd { number: self.begun - 1, note, kind, next })
    }

    /// What was to be written of a pass that was ended was written: it counts.
    pub(in crate::session) fn conclude(&mut self, end: PassEnd) -> NextPass {
        let plan = match end.next {
            Next::Planned(plan) => plan,
            Next::Undecided => {
                self.stage = Stage::Undecided;
                return NextPass::Undecided;
            }
        };
        let ranges = plan.as_ref().map(|plan| self.ranges_of(plan));
        if end.kind == PassKind::Analysis {
            let request = plan.zip(ranges.clone()).map(|(plan, ranges)| PassRequest { plan, ranges });
            self.stage = Stage::Between { request };
        }
        ranges.map_or(NextPass::Finished, NextPass::Requested)
    }

    /// Whether it is for a plan that others have a part in to say what follows.
    pub(in crate::session) fn is_undecided(&self) -> bool {
        matches!(self.stage, Stage::Undecided)
    }

    /// The plan that others have a part in was made: what is to be written of it before
    /// [`Passes::conclude`].
    pub(in crate::session) fn decided(&self, plan: Option<PassPlan>) -> Result<PassEnd, SessionError> {
        self.ended(PassKind::Analysis, Next::Planned(plan))
    }

    /// What the end of the last pass said, or what was decided since.
    pub(in crate::session) fn answer(&self) -> Result<NextPass, SessionError> {
        let refuse = |reason| Err(SessionError::parameter("next_pass", reason));
        match &self.stage {
            Stage::Between { request: Some(request) } | Stage::Resumed { request, .. } => {
                Ok(NextPass::Requested(request.ranges.clone()))
            }
            Stage::Between { request: None } | Stage::Over => Ok(NextPass::Finished),
            Stage::Undecided => Ok(NextPass::Undecided),
            Stage::Open(_) => refuse(SessionMistake::PassOpen),
            Stage::Before { .. } => refuse(SessionMistake::NoPass),
        }
    }

    /// The pass that is open could not be ended: it is over all the same (MP-15).
    pub(in crate::session) fn abandon(&mut self) {
        self.stage = Stage::Over;
    }

    /// MP-17, MP-19, MP-25: the ranges that the last pass ended with; in a new session, those of the session
    /// before.
    pub(in crate::session) fn ranges(&mut self) -> Result<Arc<[TimeRange]>, SessionError> {
        if let Stage::Before { earlier } = &mut self.stage
            && let Some(earlier) = earlier.take_if(|earlier| earlier.record.next.is_some())
        {
            self.resume(earlier);
        }
        let request = match &self.stage {
            Stage::Resumed { request, .. } => Some(request),
            Stage::Open(OpenPass { request, .. }) | Stage::Between { request } => request.as_ref(),
            Stage::Before { .. } | Stage::Undecided | Stage::Over => None,
        };
        let none = || SessionError::parameter("time_ranges_for_next_pass", SessionMistake::NoNextPass);
        request.map(|request| request.ranges.clone()).ok_or_else(none)
    }

    /// Goes on where an earlier session ended.
    fn resume(&mut self, earlier: Earlier) {
        let PassRecord { settings, units, next } = earlier.record;
        (self.units, self.frames, self.begun) = (units, earlier.frames, earlier.passes);
        let plan = next.unwrap_or_default();
        let ranges = self.ranges_of(&plan);
        self.stage = Stage::Resumed { settings, request: PassRequest { plan, ranges } };
    }

    /// Takes note of what the units of a pass have become.
    fn measure(&mut self, pass: &OpenPass, first: Option<f64>) {
        let whole = pass.plan().is_none();
        if whole {
            self.units = units::cut(&self.frames);
        }
        for (index, unit) in self.units.iter_mut().enumerate() {
            if pass.wants(index) {
                let quality = pass.used.get(&index).copied().or(first.filter(|_| whole));
                units::measure(unit, &self.frames, quality, pass.scores.get(&unit.first).copied());
            }
        }
    }

    /// The ranges of what is asked for; the whole source where no unit stands for itself.
    fn ranges_of(&self, plan: &PassPlan) -> Arc<[TimeRange]> {
        let wanted: Vec<usize> = match plan.takes.is_empty() {
            true => (0..self.units.len()).collect(),
            false => plan.takes.keys().copied().collect(),
        };
        units::ranges(&self.units, &self.frames, &wanted).into()
    }
}
