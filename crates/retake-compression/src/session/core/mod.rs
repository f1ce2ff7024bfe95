//! What a session is, as a value: which call may follow which, what is owed to whom, and what is to be done
//! next.
//!
//! ```text
//!            submit, drain, end_encode,           next_command
//!  callers ─ begin_pass, end_pass, ─────► Core ──────────────► whoever encodes
//!            invalidate                   │  ▲                     │
//!                                         │  └───── report ────────┘
//!                                         └► effects: deliver an outcome, record a frame, wake who waits
//! ```
//!
//! Nothing in here waits, looks at a clock, does input or output, or calls an encoder or a client. So every
//! order of calls can be tried as a table of questions and answers, and a session has no states but those
//! that can be read here. Locks, and who runs what beside whom, are the shell's affair.

mod count;
mod frame;
mod passes;
mod phase;
mod properties;
mod queue;

#[cfg(test)]
mod tests;

pub use count::FrameCountMismatch;

pub(super) use frame::{QueuedFrame, Submission};
pub(super) use passes::{
    Earlier, PartRecord, PassEnd, PassGoal, PassKind, PassPlan, Passes, STATE, plan_parts,
};
pub(super) use phase::Phase;
pub(super) use properties::{PropertyChange, settings_text};
pub(super) use queue::{Patience, Request};

use self::count::FrameCount;
use self::passes::PassSlot;
use self::queue::{Job, Queue, Room};
use super::derive::{self, Hints, Said, UnitStart};
use super::setup::Setup;
use super::{Emission, EncodedOutcome, NextPass, PictureLoss, SessionError, SessionMistake};
use crate::property::{Values, set_value};
use crate::storage::FrameRecord;
use crate::take::Score;
use retake_media::{PixelFormat, SampleBuffer, Time};
use std::sync::Arc;

/// What became of a frame that was submitted.
#[derive(Debug)]
pub(super) enum Admission<T> {
    /// It was accepted, and gets exactly one outcome.
    Accepted {
        /// It names the frame in all that is reported about it.
        number: u64,
        /// It is dropped, because it came faster than it could be encoded.
        dropped: bool,
        /// The frame that has to be out before the call returns (EF-11), with all before it.
        due: Option<u64>,
    },
    /// There is no room: it may be submitted again.
    Full(Submission<T>),
    /// No encode was opened yet: it may be submitted again when one is.
    Unopened(Submission<T>),
}

/// What whoever encodes has to do next.
#[derive(Debug)]
pub(super) enum Command {
    /// Open an encode, and report [`Report::Opened`].
    Open { request: Request, hints: Box<Hints>, values: Arc<Values> },
    /// The next frame, which was submitted for this time with these values, begins an encode of its own.
    /// Everything before it is out.
    BeginUnit { start: UnitStart, pts: Time, values: Arc<Values> },
    /// Encode a frame. At some time, [`Report::Sample`], [`Report::Dropped`] or [`Report::Refused`] has to
    /// come for it.
    Encode(Box<QueuedFrame>),
    /// Report [`Report::Dropped`] for a frame that will not be encoded.
    Skip(u64),
    /// Put out everything and end the encode, then report [`Report::Ended`].
    Drain,
}

/// What has come of a command.
#[derive(Debug)]
pub(super) enum Report {
    /// An encode was opened, or why not.
    Opened { request: Request, result: Result<(), SessionError> },
    /// The sample of a frame.
    Sample { number: u64, buffer: Box<SampleBuffer>, qp: f32 },
    /// The unit that is being encoded took its bytes with another quality than it began with.
    Fitted(f64),
    /// A frame was left out.
    Dropped(u64),
    /// A frame could not be encoded; others can.
    Refused { number: u64, error: SessionError },
    /// The score of the frames from one on to the next that a score begins with, or why there is none.
    Score { first: Time, score: Result<Score, String> },
    /// The unit that is encoded again became coarser than planned, for a limit.
    Coarser(f64),
    /// A record of a frame could not be written.
    Unrecorded(SessionError),
    /// The handler has returned for a frame.
    Out(u64),
    /// Everything is out, and the encode has ended.
    Ended,
    /// Nothing more can be encoded.
    Failed(SessionError),
}

/// What has to be done outside, in this order.
#[derive(Debug)]
pub(super) enum Effect<T> {
    /// Write a record of a frame; where that fails, report [`Report::Unrecorded`].
    Record(FrameRecord),
    /// Call the handler with the outcome of a frame, then report [`Report::Out`].
    Deliver { number: u64, outcome: Box<EncodedOutcome<T>> },
    /// Those who wait may have what they wait for.
    Wake,
}

pub(super) struct Core<T> {
    setup: Arc<Setup>,
    phase: Phase,
    values: Arc<Values>,
    /// What was known of the frames when the first encode was opened.
    hints: Hints,
    queue: Queue<T>,
    /// Whether the open encode was given frames.
    has_frames: bool,
    count: FrameCount,
    /// The newest frame that the handler submitted.
    reentrant: Option<u64>,
    /// The format of the first picture, which decides what is encoded.
    format: Option<PixelFormat>,
    /// What the first picture says of itself, which the stream says for all.
    said: Option<Said>,
    /// In this pass.
    last_pts: Option<Time>,
    /// Whether frames bring quantizers: the first decides.
    base_qp: Option<bool>,
    passes: PassSlot,
}

impl<T> Core<T> {
    pub(super) fn new(setup: Arc<Setup>) -> Self {
        Self {
            setup,
            phase: Phase::Configured,
            values: Arc::default(),
            hints: Hints::default(),
            queue: Queue::default(),
            has_frames: false,
            count: FrameCount::default(),
            reentrant: None,
            format: None,
            said: None,
            last_pts: None,
            base_qp: None,
            passes: PassSlot::None,
        }
    }

    // ——— what callers ask ———

    /// Why nothing more can be asked of the session, if it is over.
    pub(super) fn dead(&self) -> Result<(), SessionError> {
        self.phase.dead()
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase.dead().is_err()
    }

    pub(super) fn values(&self) -> &Arc<Values> {
        &self.values
    }

    /// What frames are encoded with: in a session of several passes, what held when the first was begun
    /// (CS-19).
    pub(super) fn values_of_frames(&self) -> &Arc<Values> {
        self.passes.get().and_then(Passes::values).unwrap_or(&self.values)
    }

    /// How many accepted frames are not out.
    pub(super) fn pending(&self) -> usize {
        self.queue.pending()
    }

    /// Whether a frame, or one before it, is not out.
    pub(super) fn is_pending(&self, until: u64) -> bool {
        self.queue.is_pending(until)
    }

    /// Whether nothing is to be done.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// PA-14.
    pub(super) fn frame_count_mismatch(&self) -> Option<FrameCountMismatch> {
        self.count.mismatch(self.announced())
    }

    /// How many frames the client said will come.
    fn announced(&self) -> Option<u64> {
        set_value!(self.values, SourceFrameCount).copied()
    }

    /// Takes a frame, refuses it with an error, or gives it back because it has to wait. Without an error or
    /// an acceptance, nothing has changed.
    pub(super) fn submit(
        &mut self,
        frame: Submission<T>,
        patience: Patience,
    ) -> Result<Admission<T>, SessionError> {
        self.check(&frame)?;
        if self.phase == Phase::Configured && patience != Patience::Reentrant {
            return Ok(Admission::Unopened(frame));
        }
        let values = self.values_of_frames().clone();
        // MP-26: where there are passes, nothing is dropped, because a pass has no time to keep to.
        let real_time = set_value!(values, RealTime) == Some(&true) && self.passes.is_none();
        let dropped = match self.queue.room(patience, real_time) {
            Room::Full => return Ok(Admission::Full(frame)),
            Room::Drop => true,
            Room::Free => false,
        };
        let Submission { picture, pts, duration, options, hash, token } = frame;
        if self.passes.get().is_none_or(Passes::is_first) {
            self.count.accepted();
        }
        self.last_pts = Some(pts);
        self.format.get_or_insert(picture.format());
        self.said.get_or_insert_with(|| Said::of(&picture));
        self.base_qp = Some(options.base_qp.is_some());
        let begins_unit =
            self.passes.get_mut().is_some_and(|passes| passes.accept(pts, duration, &options, hash));
        let delay = set_value!(values, MaxFrameDelayCount).copied().unwrap_or(-1);
        let number = self.queue.accept(pts, token, dropped);
        if patience == Patience::Reentrant {
            self.reentrant = Some(number);
        }
        self.queue.push(match dropped {
            true => Job::Dropped(number),
            false => Job::Frame(Box::new(QueuedFrame {
                number,
                picture,
                pts,
                duration,
                options,
                values,
                begins_unit,
            })),
        });
        let due = u64::try_from(delay).ok().and_then(|delay| number.checked_sub(delay));
        Ok(Admission::Accepted { number, dropped, due })
    }

    /// EF-1, EF-2, EF-14, resolution 18: what a frame must not be.
    fn check(&self, frame: &Submission<T>) -> Result<(), SessionError> {
        self.dead()?;
        let Submission { pts, duration, options, hash, .. } = frame;
        let (pts, duration) = (*pts, *duration);
        let info = &self.setup.info;
        let refuse = |reason| Err(SessionError::parameter("encode", reason));
        if !pts.is_numeric() {
            return refuse(SessionMistake::Time(pts));
        }
        if let Some(last) = self.last_pts.filter(|&last| pts <= last) {
            return refuse(SessionMistake::Order { pts, last });
        }
        if duration.is_valid() && !(duration.is_numeric() && duration.value() >= 0) {
            return refuse(SessionMistake::Duration(duration));
        }
        if options.base_qp.is_some() && !info.controls.base_qp {
            return refuse(SessionMistake::QuantizerUnsupported { encoder: info.name });
        }
        let long_term = set_value!(self.values, EnableLTR) == Some(&true);
        if (options.refresh || !options.acknowledged.is_empty()) && !long_term {
            return refuse(SessionMistake::LongTermDisabled);
        }
        if let (Some(qp), Some((least, most))) = (options.base_qp, info.controls.qp_bounds)
            && !(least..=most).contains(&qp)
        {
            return refuse(SessionMistake::QuantizerRange { qp, least, most });
        }
        if self.base_qp.is_some_and(|all| all != options.base_qp.is_some()) {
            return refuse(SessionMistake::QuantizerMissing);
        }
        self.passes.check(pts, duration, options, *hash)
    }

    /// Asks for an encode to be opened (CS-5, CS-7). `None` where one was.
    pub(super) fn open(&mut self, hints: Hints) -> Result<Option<Request>, SessionError> {
        self.dead()?;
        if self.phase != Phase::Configured {
            return Ok(None);
        }
        derive::check_complete(&self.setup.environment(), &self.values, &hints)?;
        self.hints = hints;
        let request = self.queue.request();
        self.queue.push(Job::Open { request, hints: Box::new(hints) });
        Ok(Some(request))
    }

    /// Asks for all frames up to a time to be put out, and gives the frame to wait for; all frames where the
    /// time is not numeric (CS-8, CS-9).
    pub(super) fn drain(&mut self, until: Time) -> Result<Option<u64>, SessionError> {
        self.dead()?;
        let until = self.queue.newest_pending(until);
        if let Some(until) = until {
            self.queue.push(Job::Drain { until });
        }
        Ok(until)
    }

    /// Whether the outcome of a frame is on its way to the handler, or the handler runs with it.
    pub(super) fn is_delivering(&self) -> bool {
        self.queue.is_delivering()
    }

    /// Asks for the frames that the handler submitted to be put out, if any of them is not.
    pub(super) fn drain_reentrant(&mut self) -> Option<u64> {
        let until = self.reentrant.take().filter(|&number| self.queue.is_pending(number))?;
        self.queue.push(Job::Drain { until });
        Some(until)
    }

    /// What a picture of a format loses that says this of itself, when the first frame was accepted.
    pub(super) fn loss(&self, source: PixelFormat, said: &Said) -> PictureLoss {
        let hints = Hints { format: self.format, ..self.hints };
        let encoded = derive::format(&self.setup.environment(), self.values_of_frames(), &hints);
        let lost =
            encoded.map_or_else(|_| PictureLoss::default(), |encoded| PictureLoss::between(source, encoded));
        let values = self.values_of_frames();
        PictureLoss {
            tags: self.said.is_some_and(|first| said.departs_from(&first, values)),
            side_data: derive::loses_side_data(&self.setup.environment(), values, &hints, said),
            ..lost
        }
    }

    /// All frames were completed: no more are expected (PA-14).
    pub(super) fn completed(&mut self) {
        self.count.completed();
    }

    /// Asks for the encode to be ended, and with it the last score.
    pub(super) fn end_encode(&mut self) -> Result<Request, SessionError> {
        self.dead()?;
        let request = self.queue.request();
        self.queue.push(Job::End { request });
        Ok(request)
    }

    /// The answer to a request, once.
    pub(super) fn take_answer(&mut self, request: Request) -> Option<Result<(), SessionError>> {
        self.queue.take_answer(request)
    }

    /// CS-13, CS-14, CS-15, CS-16, CS-17. The frames that are pending get their outcome by [`Core::rest`].
    pub(super) fn invalidate(&mut self) {
        self.phase = Phase::Invalid { failure: self.phase.failure() };
        self.passes = PassSlot::None;
        self.count.ended(self.announced());
        self.values = Arc::default();
    }

    /// The session failed, unless it is over already.
    pub(super) fn fail(&mut self, error: SessionError) {
        if !self.is_over() {
            self.phase = Phase::Failed(error);
        }
    }

    // ——— passes ———

    /// MP-5, MP-8, MP-9: the number of the pass that may be begun now, counted from 0.
    pub(super) fn next_pass(&self) -> Result<u32, SessionError> {
        self.dead()?;
        let passes = self.passes.get().ok_or_else(|| no_passes("begin_pass"))?;
        derive::check_complete(&self.setup.environment(), &self.values, &self.hints)?;
        passes.may_begin(&settings_text(&self.values))
    }

    /// MP-5, MP-6, MP-7, MP-8, MP-9, MP-10.
    pub(super) fn begin_pass(&mut self, kind: PassKind) -> Result<(), SessionError> {
        self.dead()?;
        let values = self.values.clone();
        let passes = self.passes.get_mut().ok_or_else(|| no_passes("begin_pass"))?;
        passes.begin(kind, &values, &settings_text(&values))?;
        self.last_pts = None;
        Ok(())
    }

    /// Whether a pass is open that can be ended.
    pub(super) fn may_end_pass(&self) -> Result<(), SessionError> {
        self.dead()?;
        self.passes.get().ok_or_else(|| no_passes("end_pass"))?.is_open("end_pass")
    }

    /// Takes the passes out, and what they are to become, so that the next pass is planned while the session
    /// can be asked other things: it can be invalidated (CS-14), and refuses frames. [`Core::pass_ended`]
    /// puts them back.
    pub(super) fn end_pass(&mut self) -> Result<(Passes, PassGoal), SessionError> {
        self.may_end_pass()?;
        let goal = PassGoal::of(&self.setup, &self.values);
        let passes = self.passes.take().ok_or_else(|| no_passes("end_pass"))?;
        Ok((passes, goal))
    }

    /// Puts the passes back. An error where the session is over by now: they are of no use then.
    pub(super) fn pass_ended(&mut self, passes: Passes) -> Result<(), SessionError> {
        self.dead()?;
        self.passes.set(Some(passes));
        Ok(())
    }

    /// Whether it is for a shared plan to say what follows the last pass.
    pub(super) fn is_undecided(&self) -> Result<bool, SessionError> {
        self.dead()?;
        Ok(self.passes.get().is_some_and(Passes::is_undecided))
    }

    /// Whether passes have begun.
    pub(super) fn passes_have_begun(&self) -> bool {
        self.passes.have_begun()
    }

    /// What the end of the last pass said.
    pub(super) fn answer(&self) -> Result<NextPass, SessionError> {
        self.dead()?;
        self.passes.get().ok_or_else(|| no_passes("next_pass"))?.answer()
    }

    /// What is to be written of a decision of the shared plan.
    pub(super) fn decided(&self, plan: Option<PassPlan>) -> Result<PassEnd, SessionError> {
        self.dead()?;
        self.passes.get().ok_or_else(|| no_passes("next_pass"))?.decided(plan)
    }

    /// The decision was written: it counts.
    pub(super) fn conclude(&mut self, end: PassEnd) -> Result<NextPass, SessionError> {
        self.dead()?;
        Ok(self.passes.get_mut().ok_or_else(|| no_passes("next_pass"))?.conclude(end))
    }

    /// MP-17, MP-19, MP-25.
    pub(super) fn ranges(&mut self) -> Result<Arc<[retake_media::TimeRange]>, SessionError> {
        self.dead()?;
        self.passes.get_mut().ok_or_else(|| no_passes("time_ranges_for_next_pass"))?.ranges()
    }

    // ——— what whoever encodes asks and reports ———

    /// The next thing to do; nothing for now where there is none, and nothing ever again when the session is
    /// over.
    pub(super) fn next_command(&mut self) -> Option<Command> {
        if self.is_over() || matches!(self.phase, Phase::Draining(_)) {
            return None;
        }
        loop {
            let begins_unit = match self.queue.front()? {
                Job::Frame(frame) if frame.begins_unit => Some(frame),
                _ => None,
            };
            if let Some(frame) = begins_unit {
                // Only when everything before it is out is known what the unit may take.
                if self.has_frames {
                    return Some(self.begin_drain(None));
                }
                frame.begins_unit = false;
                let (pts, values) = (frame.pts, frame.values.clone());
                let start = self.passes.get_mut().map(|passes| passes.unit_start(pts));
                return Some(Command::BeginUnit { start: start.unwrap_or_default(), pts, values });
            }
            match self.queue.pop()? {
                Job::Open { request, hints } if self.phase == Phase::Configured => {
                    return Some(Command::Open { request, hints, values: self.values.clone() });
                }
                Job::Frame(frame) => {
                    self.has_frames = true;
                    return Some(Command::Encode(frame));
                }
                Job::Dropped(number) => return Some(Command::Skip(number)),
                Job::Drain { until } if self.queue.is_pending(until) => return Some(self.begin_drain(None)),
                Job::Drain { .. } => {}
                // Another caller had it opened, or nothing was: there is nothing to do.
                Job::Open { request, .. } => self.queue.answer(request, Ok(())),
                Job::End { request } if self.phase == Phase::Configured => {
                    self.queue.answer(request, Ok(()));
                }
                Job::End { request } => return Some(self.begin_drain(Some(request))),
            }
        }
    }

    fn begin_drain(&mut self, request: Option<Request>) -> Command {
        self.phase = Phase::Draining(request);
        Command::Drain
    }

    /// Takes note of what has come of a command, and says what has to be done for it.
    pub(super) fn report(&mut self, report: Report) -> Vec<Effect<T>> {
        match report {
            Report::Opened { request, result } => {
                if result.is_ok() && self.phase == Phase::Configured {
                    self.phase = Phase::Encoding;
                }
                self.queue.answer(request, result);
                vec![Effect::Wake]
            }
            Report::Sample { number, buffer, qp } => {
                // MP-29: what a later pass knows of the frame.
                let record = self.passes.get_mut().and_then(|passes| passes.emitted(&buffer.sample, qp));
                let mut effects: Vec<_> = record.map(Effect::Record).into_iter().collect();
                effects.extend(self.deliver(number, Ok(Emission::Sample { buffer: *buffer, qp })));
                effects
            }
            Report::Fitted(quality) => {
                if let Some(passes) = self.passes.get_mut() {
                    passes.fitted(quality);
                }
                Vec::new()
            }
            Report::Dropped(number) => self.deliver(number, Ok(Emission::Dropped)).into_iter().collect(),
            Report::Refused { number, error } => self.deliver(number, Err(error)).into_iter().collect(),
            Report::Score { first, score } => {
                if let Some(passes) = self.passes.get_mut() {
                    passes.scored(first, score);
                }
                Vec::new()
            }
            Report::Coarser(quality) => {
                if let Some(passes) = self.passes.get_mut() {
                    passes.made_coarser(quality);
                }
                Vec::new()
            }
            Report::Unrecorded(error) => {
                if let Some(passes) = self.passes.get_mut() {
                    passes.fail(error);
                }
                Vec::new()
            }
            Report::Out(number) => {
                self.queue.out(number);
                vec![Effect::Wake]
            }
            Report::Ended => {
                self.has_frames = false;
                if let Phase::Draining(request) = self.phase {
                    self.phase = Phase::Encoding;
                    if let Some(request) = request {
                        self.queue.answer(request, Ok(()));
                    }
                }
                vec![Effect::Wake]
            }
            Report::Failed(error) => {
                self.fail(error);
                vec![Effect::Wake]
            }
        }
    }

    /// The outcome of a frame, if it has had none (EF-6). A session that is over has no success to tell
    /// (CS-13).
    fn deliver(&mut self, number: u64, result: Result<Emission, SessionError>) -> Option<Effect<T>> {
        let Some((pts, token)) = self.queue.take(number) else {
            let reason = format!("the encoder gave frame {number} twice, or without having got it");
            self.fail(SessionError::Malfunction(reason));
            return Some(Effect::Wake);
        };
        let result = self.phase.outcome().and(result);
        Some(Effect::Deliver { number, outcome: Box::new(EncodedOutcome { token, pts, result }) })
    }

    /// The session is over: the outcomes of all frames that have none (resolution 14), in the order in which
    /// they came.
    pub(super) fn rest(&mut self) -> Vec<Effect<T>> {
        let error = self.phase.outcome().err().unwrap_or(SessionError::Invalidated);
        let rest = self.queue.rest(&error).into_iter().map(|(number, pts, token, result)| Effect::Deliver {
            number,
            outcome: Box::new(EncodedOutcome { token, pts, result }),
        });
        rest.collect()
    }

    /// Nothing is delivered any more. Where the session was not over, its handler did not come back.
    pub(super) fn close(&mut self) {
        self.fail(SessionError::Malfunction("the handler panicked".to_owned()));
        self.queue.clear();
    }
}

fn no_passes(call: &'static str) -> SessionError {
    SessionError::parameter(call, SessionMistake::NoStorage)
}
