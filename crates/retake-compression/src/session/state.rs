//! What a session's callers and its thread share.

use super::count::{FrameCount, FrameCountMismatch};
use super::passes::{Beginning, Passes, Start};
use super::pictures::{ClientPool, encoder_attributes};
use super::settings::Hints;
use super::{SessionError, outcome::EncodeInfo};
use crate::encoder::{EncoderFactory, EncoderInfo, FrameOptions, TransferMaker};
use crate::property::{Environment, Values, set_value};
use crate::scorer::SharedScorers;
use crate::take::Score;
use retake_media::{PixelBuffer, PixelBufferAttributes, PixelBufferPool, Sample, Time};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// Frames that wait for the encoder at most (resolution 17); what the encoder holds itself comes on top.
const DEPTH: usize = 4;
/// Dropped frames whose outcomes wait at most.
const DROPPED: usize = 64;

pub(super) struct Shared<T> {
    pub(super) factory: Arc<dyn EncoderFactory>,
    pub(super) low_latency: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) transfer: Option<TransferMaker>,
    pub(super) scorers: Option<SharedScorers>,
    /// What the client means to feed; none if it wants no pool.
    source: Option<PixelBufferAttributes>,
    pool: Mutex<ClientPool>,
    state: Mutex<State<T>>,
    changed: Condvar,
    /// True from the moment of invalidation; beside the lock, so that the thread can look between samples.
    invalid: AtomicBool,
}

pub(super) struct State<T> {
    pub(super) phase: Phase,
    pub(super) values: Arc<Values>,
    jobs: VecDeque<Job<T>>,
    /// Frames among the jobs.
    queued: usize,
    /// Accepted frames that are not out, by their number.
    pending: BTreeMap<u64, Time>,
    accepted: u64,
    count: FrameCount,
    pub(super) last_pts: Option<Time>,
    /// Whether frames bring quantizers: decided by the first.
    pub(super) base_qp: Option<bool>,
    /// Set with a multi-pass storage.
    pub(super) passes: Option<Passes>,
    /// The session's thread waits for work.
    idle: bool,
    worker: Option<ThreadId>,
    /// The session's thread has called the handler for the last time.
    ended: bool,
}

/// Where a session is in its life. Passes put themselves between these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// No encode was opened: everything can be set.
    Configured,
    /// The first encode was opened.
    Encoding,
    /// The encoder or the session failed.
    Failed(SessionError),
    /// Over.
    Invalid,
}

/// What the session's thread is asked to do, in order.
pub(super) enum Job<T> {
    /// Open an encode, if none is open, and say how it went.
    Open { hints: Hints, values: Arc<Values>, reply: SyncSender<Result<(), SessionError>> },
    /// Encode a frame.
    Frame(Box<Frame<T>>),
    /// Tell that a frame was dropped.
    Dropped(Ticket<T>),
    /// Put out everything up to a frame.
    Drain { until: u64 },
    /// End the encode, and all that belongs to it, and say so.
    End { reply: SyncSender<Result<(), SessionError>> },
}

/// A frame on its way to the encoder.
pub(super) struct Frame<T> {
    pub(super) ticket: Ticket<T>,
    pub(super) picture: PixelBuffer,
    pub(super) duration: Time,
    pub(super) options: FrameOptions,
    /// The values that held when it was submitted.
    pub(super) values: Arc<Values>,
    /// In a session of several passes: an encode of its own begins with this frame.
    pub(super) start: Option<Start>,
}

/// What is owed for an accepted frame.
pub(super) struct Ticket<T> {
    pub(super) number: u64,
    pub(super) pts: Time,
    pub(super) token: T,
}

impl<T> State<T> {
    /// How many frames the client said will come.
    fn told(&self) -> Option<u64> {
        set_value!(self.values, SourceFrameCount).copied()
    }

    /// Why nothing more can be asked of the session.
    pub(super) fn dead(&self) -> Result<(), SessionError> {
        match &self.phase {
            Phase::Invalid => Err(SessionError::Invalidated),
            Phase::Failed(error) => Err(error.clone()),
            Phase::Configured | Phase::Encoding => Ok(()),
        }
    }

    /// What frames are encoded with: in a session of several passes, what held when the first was begun (CS-19).
    fn values_of_frames(&self) -> Arc<Values> {
        let fixed = self.passes.as_ref().and_then(|passes| passes.values.clone());
        fixed.unwrap_or_else(|| self.values.clone())
    }

    /// Whether properties of class B are decided.
    pub(super) fn frozen(&self) -> bool {
        self.phase != Phase::Configured
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The newest pending frame that is not after `until`, or the newest of all.
    fn newest_pending(&self, until: Time) -> Option<u64> {
        let due = |&(_, pts): &(&u64, &Time)| !until.is_numeric() || *pts <= until;
        // presentation times rise with the numbers
        self.pending.iter().take_while(due).last().map(|(number, _)| *number)
    }

    fn is_pending(&self, until: u64) -> bool {
        self.pending.first_key_value().is_some_and(|(first, _)| *first <= until)
    }
}

impl<T> Shared<T> {
    pub(super) fn new(
        factory: Arc<dyn EncoderFactory>,
        low_latency: bool,
        (width, height): (u32, u32),
        (transfer, scorers): (Option<TransferMaker>, Option<SharedScorers>),
        source: Option<PixelBufferAttributes>,
    ) -> Self {
        let state = State {
            phase: Phase::Configured,
            values: Arc::default(),
            jobs: VecDeque::new(),
            queued: 0,
            pending: BTreeMap::new(),
            accepted: 0,
            count: FrameCount::default(),
            last_pts: None,
            base_qp: None,
            passes: None,
            idle: false,
            worker: None,
            ended: false,
        };
        Self {
            factory,
            low_latency,
            width,
            height,
            transfer,
            scorers,
            source,
            pool: Mutex::default(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            invalid: AtomicBool::new(false),
        }
    }

    pub(super) fn info(&self) -> &EncoderInfo {
        self.factory.info()
    }

    pub(super) fn environment(&self) -> Environment<'_> {
        let Self { low_latency, width, height, .. } = *self;
        let metrics = self.scorers.as_ref().map_or(&[][..], |scorers| scorers.metrics());
        let transfers = self.transfer.is_some();
        Environment { info: self.info(), low_latency, width, height, transfers, metrics }
    }

    /// What the encoder takes as it is.
    pub(super) fn encoder_attributes(&self, values: &Values) -> PixelBufferAttributes {
        let client = self.source.as_ref().and_then(|source| source.formats.first().copied());
        let own = &self.info().formats;
        let native = client.filter(|format| own.iter().any(|own| own.same_layout(*format)));
        let environment = self.environment();
        let depth = super::settings::depth(&environment, values, native);
        encoder_attributes(&self.info().formats, depth, self.width, self.height)
    }

    /// The client's pool, and whether the encoder takes its buffers as they are.
    pub(super) fn pool(&self, values: &Values) -> (Option<PixelBufferPool>, bool) {
        let encoder = self.encoder_attributes(values);
        // a pool is replaced as a whole
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.pool(self.source.as_ref(), encoder)
    }

    /// The state, for a moment: nobody calls an encoder or a handler while holding it.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        // every change to the state is whole before anything can panic
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is the session's own thread: a handler that calls back.
    pub(super) fn on_worker(state: &State<T>) -> bool {
        state.worker == Some(std::thread::current().id())
    }

    /// Opens the first encode and waits for it (CS-5, CS-7). Repeating it does nothing.
    pub(super) fn prepare(&self, hints: Hints) -> Result<(), SessionError> {
        let mut state = self.lock();
        state.dead()?;
        if state.phase == Phase::Encoding || Self::on_worker(&state) {
            return Ok(());
        }
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let values = state.values.clone();
        state.jobs.push_back(Job::Open { hints, values, reply });
        drop(state);
        self.changed.notify_all();
        // a thread that ends drops its jobs, and with them the other end: the state then says why
        let opened = answer.recv().unwrap_or(Ok(()));
        let mut state = self.lock();
        state.dead()?;
        opened?;
        if state.phase == Phase::Configured {
            state.phase = Phase::Encoding;
        }
        Ok(())
    }

    /// EF-1, EF-2, resolution 18: what a frame must not be.
    fn check(
        &self,
        state: &State<T>,
        pts: Time,
        duration: Time,
        options: &FrameOptions,
    ) -> Result<(), SessionError> {
        state.dead()?;
        let refuse = |reason: String| Err(SessionError::parameter("encode", reason));
        if !pts.is_numeric() {
            return refuse(format!("the time {pts} is not numeric"));
        }
        if let Some(last) = state.last_pts.filter(|&last| pts <= last) {
            return refuse(format!("the time {pts} is not after {last}: send frames in presentation order"));
        }
        if duration.is_valid() && !(duration.is_numeric() && duration.value() >= 0) {
            return refuse(format!("the duration {duration} is neither invalid nor numeric and positive"));
        }
        if options.base_qp.is_some() && !self.info().controls.base_qp {
            return refuse(format!("{} takes no quantizers of frames", self.info().name));
        }
        let long_term = set_value!(state.values, EnableLTR) == Some(&true);
        if (options.refresh || !options.acknowledged.is_empty()) && !long_term {
            return refuse("long-term references were not enabled: set EnableLTR before".to_owned());
        }
        if let (Some(qp), Some((least, most))) = (options.base_qp, self.info().controls.qp_bounds)
            && !(least..=most).contains(&qp)
        {
            return refuse(format!("the quantizer {qp} is not between {least} and {most}"));
        }
        if state.base_qp.is_some_and(|all| all != options.base_qp.is_some()) {
            return refuse("either all frames bring a quantizer or none does".to_owned());
        }
        state.passes.as_ref().map_or(Ok(()), |passes| passes.check(pts, duration, options))
    }

    pub(super) fn encode(
        &self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
        token: T,
    ) -> Result<EncodeInfo, SessionError> {
        let hints = Hints::of(picture, duration, options.base_qp.is_some());
        self.submit(picture.clone(), pts, duration, options, token, &hints)
    }

    /// Accepts a frame: waits while too many wait (EF-12), and until as many are out as have to be (EF-11).
    fn submit(
        &self,
        picture: PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
        token: T,
        hints: &Hints,
    ) -> Result<EncodeInfo, SessionError> {
        let mut state = self.lock();
        self.check(&state, pts, duration, &options)?;
        if state.phase == Phase::Configured {
            drop(state);
            self.prepare(*hints)?;
            state = self.lock();
        }
        let values = state.values_of_frames();
        // MP-26: nothing is dropped where there is another pass to keep time in
        let real_time = set_value!(values, RealTime) == Some(&true) && state.passes.is_none();
        let patience =
            Duration::from_secs_f64(1.0 / super::settings::frame_rate(&values, hints).to_f64().max(1.0));
        let deadline = Instant::now() + patience;
        let mut dropped = false;
        // a handler that waits for its own thread would wait for ever: its frames come on top
        while state.dead().is_ok() && !Self::on_worker(&state) {
            let late = real_time && Instant::now() >= deadline;
            if state.queued < DEPTH {
                break;
            } else if late && state.jobs.len() < DROPPED {
                dropped = true;
                break;
            }
            let waited = self.changed.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // another caller may have been here in the meantime
        self.check(&state, pts, duration, &options)?;
        let number = state.accepted;
        state.accepted += 1;
        if state.passes.as_ref().is_none_or(Passes::is_first) {
            state.count.accepted();
        }
        state.last_pts = Some(pts);
        state.base_qp = Some(options.base_qp.is_some());
        state.pending.insert(number, pts);
        let start = state.passes.as_mut().and_then(|passes| passes.accept(pts, duration, &options));
        let ticket = Ticket { number, pts, token };
        if dropped {
            state.jobs.push_back(Job::Dropped(ticket));
        } else {
            state.queued += 1;
            let values = state.values_of_frames();
            state.jobs.push_back(Job::Frame(Box::new(Frame {
                ticket,
                picture,
                duration,
                options,
                values,
                start,
            })));
        }
        self.changed.notify_all();
        let delay = set_value!(values, MaxFrameDelayCount).copied().unwrap_or(-1);
        if let Some(due) = u64::try_from(delay).ok().and_then(|delay| number.checked_sub(delay)) {
            self.wait_for(state, due, "the encoder holds back more frames than MaxFrameDelayCount")?;
        }
        Ok(EncodeInfo { asynchronous: true, dropped })
    }

    /// Waits until a frame and all before it are out. The frame was accepted in any case: only a session that is over ends the wait early,
    /// and the outcome tells the rest.
    fn wait_for(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        due: u64,
        broken: &str,
    ) -> Result<(), SessionError> {
        while state.is_pending(due) && !state.ended && !Self::on_worker(&state) {
            if state.idle && state.jobs.is_empty() && state.dead().is_ok() {
                state.phase = Phase::Failed(SessionError::Malfunction(broken.to_owned()));
                self.changed.notify_all();
            }
            state = self.wait(state);
        }
        Ok(())
    }

    /// CS-8, CS-9: waits until all frames up to a time are out; all of them where the time is not numeric.
    pub(super) fn complete(&self, until: Time) -> Result<(), SessionError> {
        let mut state = self.lock();
        if Self::on_worker(&state) {
            return Err(SessionError::parameter("complete_frames", "a handler cannot wait for itself"));
        }
        state.dead()?;
        if let Some(until) = state.newest_pending(until) {
            state.jobs.push_back(Job::Drain { until });
            self.changed.notify_all();
            while state.is_pending(until) && !state.ended {
                state = self.wait(state);
            }
        }
        if !until.is_numeric() {
            state.count.completed();
        }
        state.dead()
    }

    /// PA-14.
    pub(super) fn frame_count_mismatch(&self) -> Option<FrameCountMismatch> {
        let state = self.lock();
        state.count.mismatch(state.told())
    }

    /// All frames are out, and what is reckoned of them is known. Ends early when the session is over.
    pub(super) fn settle(&self) -> Result<(), SessionError> {
        self.complete(Time::INVALID)?;
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let mut state = self.lock();
        state.dead()?;
        state.jobs.push_back(Job::End { reply });
        drop(state);
        self.changed.notify_all();
        // a thread that ends drops its jobs, and with them the other end: the state then says why
        let ended = answer.recv().unwrap_or(Ok(()));
        self.lock().dead()?;
        ended
    }

    /// CS-13, CS-14, CS-15, CS-16, CS-17. Returns when no handler will run any more; at once where a handler calls it.
    pub(super) fn invalidate(&self) {
        let mut state = self.lock();
        state.phase = Phase::Invalid;
        // the storage is free for another session, and no longer kept for this one; it stays open (CS-16)
        state.passes = None;
        let told = state.told();
        state.count.ended(told);
        state.values = Arc::default();
        self.invalid.store(true, Ordering::Release);
        self.changed.notify_all();
        while !state.ended && state.worker.is_some() && !Self::on_worker(&state) {
            state = self.wait(state);
        }
    }

    /// What was set so far.
    pub(super) fn get_values(&self) -> Result<Arc<Values>, SessionError> {
        let state = self.lock();
        state.dead()?;
        Ok(state.values.clone())
    }

    // ——— the session's thread ———

    pub(super) fn begin(&self) {
        self.lock().worker = Some(std::thread::current().id());
    }

    /// The next thing to do; none when the session is over.
    pub(super) fn next_job(&self) -> Option<Job<T>> {
        let mut state = self.lock();
        loop {
            if state.phase == Phase::Invalid || matches!(state.phase, Phase::Failed(_)) {
                state.idle = false;
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                state.idle = false;
                if matches!(job, Job::Frame(_)) {
                    state.queued -= 1;
                    self.changed.notify_all();
                }
                return Some(job);
            }
            state.idle = true;
            self.changed.notify_all();
            state = self.wait(state);
        }
    }

    pub(super) fn is_invalid(&self) -> bool {
        self.invalid.load(Ordering::Acquire)
    }

    pub(super) fn has_passes(&self) -> bool {
        self.lock().passes.is_some()
    }

    pub(super) fn needs_drain(&self, until: u64) -> bool {
        self.lock().is_pending(until)
    }

    /// A sample came out: a session of several passes remembers it.
    pub(super) fn emitted(&self, sample: &Sample, qp: f32) {
        if let Some(passes) = &mut self.lock().passes {
            passes.emitted(sample, qp);
        }
    }

    /// How the encode begins that begins with a frame of a pass.
    pub(super) fn beginning(&self, pts: Time) -> Beginning {
        self.lock().passes.as_mut().map_or_else(Beginning::default, |passes| passes.beginning(pts))
    }

    /// The frames from one on were scored.
    pub(super) fn scored(&self, first: Time, score: Result<Score, String>) {
        if let Some(passes) = &mut self.lock().passes {
            passes.scored(first, score);
        }
    }

    /// The handler has returned for a frame.
    pub(super) fn is_out(&self, number: u64) {
        self.lock().pending.remove(&number);
        self.changed.notify_all();
    }

    /// The encoder failed: the session is over.
    pub(super) fn fail(&self, error: &SessionError) {
        let mut state = self.lock();
        if state.dead().is_ok() {
            state.phase = Phase::Failed(error.clone());
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The error that frames get which are still here when the session is over, and the jobs that will not be done.
    pub(super) fn rest(&self) -> (SessionError, VecDeque<Job<T>>) {
        let mut state = self.lock();
        let error = state.dead().err().unwrap_or(SessionError::Invalidated);
        state.queued = 0;
        (error, std::mem::take(&mut state.jobs))
    }

    /// Nothing is called any more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        if state.dead().is_ok() {
            state.phase = Phase::Failed(SessionError::Malfunction("the handler panicked".to_owned()));
        }
        state.ended = true;
        state.pending.clear();
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        self.changed.notify_all();
        drop(jobs);
    }
}
