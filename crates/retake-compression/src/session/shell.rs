//! What a session needs of the world: the lock around its core, the thread that encodes, and the clock.
//!
//! ```text
//!  callers ── lock, one call of the core, unlock ──► wait, where the core says so
//!  the session's thread: loop { command of the core ► stack ► reports ► effects }
//! ```
//!
//! The lock is held for one call of the core at a time. The encoder, the handler, the planner and the
//! storage's file are used without it, so that the session can always be asked something else meanwhile: to
//! end, for one.

#[cfg(test)]
mod tests;

use super::core::{
    Admission, Command, Core, Earlier, Effect, FrameCountMismatch, PassEnd, PassGoal, PassKind, Passes,
    Patience, PropertyChange, Report, Request, STATE, Submission,
};
use super::derive::{self, Hints, Said};
use super::encode::{Listener, Stack, StackParts};
use super::outcome::{EncodeInfo, EncodedOutcome};
use super::pool::{ClientPool, encoder_attributes};
use super::setup::Setup;
use super::shared_plan::{Answer, PlanShare};
use super::{NextPass, SessionError, SessionMistake, SharedPlan, SourceFrame};
use crate::encoder::{EncoderData, EncoderFactory, TransferMaker};
use crate::property::{PropertyKey, Values, set_value};
use crate::scorer::SharedScorers;
use crate::storage::{MultiPassStorage, NoteKey, StorageError, StorageIdentity, StorageLease};
use retake_media::{PixelBuffer, PixelBufferAttributes, PixelBufferPool, Time, TimeRange, picture_hash};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

/// How long the end of a session waits for a call of its encoder to return.
const ENCODER_PATIENCE: Duration = Duration::from_millis(400);

/// What a session calls with outcomes.
pub(super) enum Handler<T> {
    /// One for all of them. When it panics, nothing calls it again.
    OfSession(Box<dyn FnMut(EncodedOutcome<T>) + Send>),
    /// The one that each frame brought as its token. When it panics, those of other frames are called all the
    /// same.
    OfFrames(fn(EncodedOutcome<T>)),
}

impl<T> Handler<T> {
    /// Gives an outcome to whoever takes it.
    fn call(&mut self, outcome: EncodedOutcome<T>) -> Result<(), SessionError> {
        match self {
            Self::OfSession(handler) => handler(outcome),
            // A handler that was called is gone, so that nobody sees what its panic left in pieces.
            Self::OfFrames(call) => {
                let called = catch_unwind(AssertUnwindSafe(|| call(outcome)));
                called
                    .map_err(|_| SessionError::Malfunction("the handler of a frame panicked".to_owned()))?;
            }
        }
        Ok(())
    }
}

/// What plans the next pass: [`Passes::end`], but for tests.
type Planner = Box<dyn Fn(&mut Passes, PassKind, &PassGoal) -> Result<PassEnd, SessionError> + Send + Sync>;

/// A session, as its callers and its thread share it.
pub(super) struct Shell<T> {
    setup: Arc<Setup>,
    factory: Arc<dyn EncoderFactory>,
    /// What the client means to feed; none if it wants no pool.
    source: Option<PixelBufferAttributes>,
    pool: Mutex<ClientPool>,
    planner: Planner,
    /// Whether every frame brings its own handler (CS-4).
    pub(super) per_frame: bool,
    /// What is called with outcomes; none when it was called for the last time. Locked while it runs.
    handler: Mutex<Option<Handler<T>>>,
    /// Held while a pass is begun or ended, because both take several steps.
    passing: Mutex<()>,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    core: Core<T>,
    /// The session's hold on its multi-pass storage. It is here and not in the core, so that it can be given
    /// back at once when the session ends.
    storage: Option<Arc<StorageLease>>,
    /// The session's part in a plan that it shares with others.
    share: Option<PlanShare>,
    /// The session's thread waits for something to do.
    idle: bool,
    worker: Option<ThreadId>,
    /// The session's thread has called the handler for the last time.
    ended: bool,
}

impl<T> State<T> {
    /// Whether the caller is the session's own thread: a handler that calls back.
    fn on_worker(&self) -> bool {
        self.worker == Some(std::thread::current().id())
    }

    /// ST-7: the error of a storage that was closed while the session has it.
    fn check_storage(&self) -> Result<(), SessionError> {
        self.core.dead()?;
        if let Some(storage) = &self.storage {
            storage.passes()?;
        }
        Ok(())
    }

    fn lease(&self) -> Result<Arc<StorageLease>, SessionError> {
        self.core.dead()?;
        self.storage.clone().ok_or(SessionError::Invalidated)
    }
}

impl<T> Shell<T> {
    pub(super) fn new(
        setup: Setup,
        factory: Arc<dyn EncoderFactory>,
        source: Option<PixelBufferAttributes>,
        per_frame: bool,
    ) -> Self {
        let setup = Arc::new(setup);
        let core = Core::new(setup.clone());
        let state = State { core, storage: None, share: None, idle: false, worker: None, ended: false };
        Self {
            setup,
            factory,
            source,
            pool: Mutex::default(),
            planner: Box::new(Passes::end),
            per_frame,
            handler: Mutex::default(),
            passing: Mutex::default(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(super) fn factory(&self) -> &dyn EncoderFactory {
        &*self.factory
    }

    /// The state, for one call of the core.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Every change to the state is whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    // ——— pictures ———

    /// What the encoder takes as it is.
    pub(super) fn encoder_attributes(&self, values: &Values) -> PixelBufferAttributes {
        let info = &self.setup.info;
        let client = self.source.as_ref().and_then(|source| source.formats.first().copied());
        let native = client.filter(|format| info.formats.iter().any(|own| own.same_layout(*format)));
        let environment = self.setup.environment();
        let depth = derive::depth(&environment, values, native);
        let chroma = derive::chroma(&environment, values, native);
        encoder_attributes(&info.formats, depth, chroma, self.setup.width, self.setup.height)
    }

    /// The client's pool, and whether the encoder takes its buffers as they are.
    pub(super) fn pool(&self, values: &Values) -> (Option<PixelBufferPool>, bool) {
        let encoder = self.encoder_attributes(values);
        // A pool is replaced as a whole, so one that a panic left is whole.
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.pool(self.source.as_ref(), encoder)
    }

    // ——— properties ———

    /// All changes of a group, or an error and none (PR-3). They are judged together.
    pub(super) fn change(&self, changes: &[PropertyChange]) -> Result<(), SessionError> {
        self.make(changes, true)
    }

    /// One change (PR-1). What it needs beside it may still come.
    pub(super) fn change_one(&self, change: PropertyChange) -> Result<(), SessionError> {
        self.make(&[change], false)
    }

    fn make(&self, changes: &[PropertyChange], group: bool) -> Result<(), SessionError> {
        let mut state = self.lock();
        let values = state.core.propose(changes, group)?;
        let storage = set_value!(values, MultiPassStorage);
        if storage != set_value!(state.core.values(), MultiPassStorage) {
            let attached = storage.map(|storage| self.attach(storage)).transpose()?;
            // The hold on an earlier storage is given back only now, because it is kept where the new one
            // cannot be had.
            let (lease, passes) = attached.unzip();
            (state.storage, _) = (lease, state.core.set_passes(passes));
        }
        state.core.commit(values);
        Ok(())
    }

    /// Takes a storage for the passes of this session, with what an earlier session left there (MP-2, MP-3,
    /// MP-25).
    fn attach(&self, storage: &Arc<MultiPassStorage>) -> Result<(Arc<StorageLease>, Passes), StorageError> {
        let info = &self.setup.info;
        let lease = storage.attach(&StorageIdentity {
            encoder: info.name.to_owned(),
            version: info.version.clone(),
            codec: info.codec,
            width: self.setup.width,
            height: self.setup.height,
            // Those of the passes are not all set yet: they are compared when one begins.
            settings: String::new(),
        })?;
        let passes = Passes::new(info.quality, earlier(&lease)?);
        Ok((Arc::new(lease), passes))
    }

    /// What was set so far.
    pub(super) fn values(&self) -> Result<Arc<Values>, SessionError> {
        Ok(self.values_and_pending()?.0)
    }

    /// PR-10: what was set so far, and how many frames are pending: from what is here, without asking the
    /// encoder.
    pub(super) fn values_and_pending(&self) -> Result<(Arc<Values>, usize), SessionError> {
        let state = self.lock();
        state.core.dead()?;
        Ok((state.core.values().clone(), state.core.pending()))
    }

    // ——— frames ———

    /// Opens the first encode and waits for it (CS-5, CS-7). Repeating it does nothing.
    pub(super) fn prepare(&self, hints: Hints) -> Result<(), SessionError> {
        let mut state = self.lock();
        let Some(request) = state.core.open(hints).map(|request| request.filter(|_| !state.on_worker()))?
        else {
            return Ok(());
        };
        self.changed.notify_all();
        self.wait_for_answer(state, request)
    }

    /// Accepts a frame: waits while too many wait (EF-12), and until as many are out as have to be (EF-11).
    pub(super) fn encode(&self, frame: SourceFrame, token: T) -> Result<EncodeInfo, SessionError> {
        let SourceFrame { picture, pts, duration, options } = frame;
        let duration = duration.unwrap_or(Time::INVALID);
        let hints = Hints::of(&picture, duration, options.base_qp.is_some());
        let (format, said) = (picture.format(), Said::of(&picture));
        // It is computed here, because the lock must not be held so long.
        let hash = if self.values()?.has(PropertyKey::MultiPassStorage) { identity(&picture) } else { 0 };
        let mut frame = Submission { picture, pts, duration, options, hash, token };
        let mut state = self.lock();
        let mut deadline: Option<Instant> = None;
        let (number, dropped, due) = loop {
            state.check_storage()?;
            let patience = if state.on_worker() {
                Patience::Reentrant
            } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                Patience::Exhausted
            } else {
                Patience::Patient
            };
            match state.core.submit(frame, patience)? {
                Admission::Accepted { number, dropped, due } => break (number, dropped, due),
                Admission::Unopened(back) => {
                    drop(state);
                    self.prepare(hints)?;
                    (frame, state) = (back, self.lock());
                }
                Admission::Full(back) => {
                    let rate = derive::frame_rate(state.core.values_of_frames(), &hints).to_f64();
                    let interval = Duration::from_secs_f64(1.0 / rate.max(1.0));
                    deadline.get_or_insert_with(|| Instant::now() + interval);
                    let waited = self.changed.wait_timeout(state, interval);
                    (frame, state) = (back, waited.unwrap_or_else(PoisonError::into_inner).0);
                }
            }
        };
        self.changed.notify_all();
        let loss = state.core.loss(format, &said);
        let waits = due.filter(|_| !state.on_worker());
        if let Some(due) = waits {
            self.wait_for(state, due);
        }
        // EF-8: only of a frame that was waited for is it certain that it is out.
        Ok(EncodeInfo { asynchronous: waits != Some(number), dropped, loss })
    }

    /// EF-11: waits until a frame and all before it are out. The frame that is waited with was accepted in
    /// any case: only a session that is over ends the wait early, and the outcome of the frame tells the
    /// rest.
    fn wait_for(&self, mut state: MutexGuard<'_, State<T>>, due: u64) {
        while state.core.is_pending(due) && !state.ended {
            if state.idle && state.core.is_idle() {
                // Nothing is left to do, and the frame did not come.
                let reason = "the encoder holds back more frames than MaxFrameDelayCount";
                state.core.fail(SessionError::Malfunction(reason.to_owned()));
                self.changed.notify_all();
            }
            state = self.wait(state);
        }
    }

    fn wait_for_answer(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        request: Request,
    ) -> Result<(), SessionError> {
        loop {
            let answer = state.core.take_answer(request);
            if answer.is_some() || state.ended {
                state.core.dead()?;
                return answer.unwrap_or(Ok(()));
            }
            state = self.wait(state);
        }
    }

    /// CS-8, CS-9: waits until all frames up to a time are out; all of them where the time is not numeric.
    pub(super) fn complete(&self, until: Time) -> Result<(), SessionError> {
        let mut state = self.lock();
        if state.on_worker() {
            return Err(SessionError::parameter("complete_frames", SessionMistake::FromHandler));
        }
        let mut due = state.core.drain(until)?;
        while let Some(number) = due {
            self.changed.notify_all();
            while state.core.is_pending(number) && !state.ended {
                state = self.wait(state);
            }
            // CS-9: what the handler submitted meanwhile belongs to it, other callers' frames do not.
            due = if until.is_numeric() || state.ended { None } else { state.core.drain_reentrant() };
        }
        if !until.is_numeric() {
            state.core.completed();
        }
        state.core.dead()
    }

    /// PA-14.
    pub(super) fn frame_count_mismatch(&self) -> Option<FrameCountMismatch> {
        self.lock().core.frame_count_mismatch()
    }

    /// CS-13, CS-14, CS-15, CS-16, CS-17. Returns when no handler will run any more; at once where a handler
    /// calls it.
    pub(super) fn invalidate(&self) {
        let mut state = self.lock();
        state.core.invalidate();
        // The storage is free for another session from now on, and stays open (CS-16).
        state.storage = None;
        self.changed.notify_all();
        while !state.ended && state.worker.is_some() && !state.on_worker() {
            let waited = self.changed.wait_timeout(state, ENCODER_PATIENCE);
            let (back, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = if waited.timed_out() { self.abandon(back) } else { back };
        }
    }

    /// Ends a session that is over without its thread, unless that has just called the handler, which is let
    /// finish. The thread is in a call of an encoder then, which may take long or never return: nobody must
    /// wait for that. When it returns, the thread finds nothing to do but to give the encoder back.
    fn abandon<'a>(&'a self, mut state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        if state.ended || state.core.is_delivering() {
            return state;
        }
        let handler = self.handler.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rest = state.core.rest();
        // This is the session's thread from now on: a handler that calls back must not wait for itself.
        state.worker = Some(std::thread::current().id());
        drop(state);
        if let Some(mut handler) = handler {
            rest.into_iter().for_each(|effect| {
                if let Effect::Deliver { outcome, .. } = effect {
                    // The session is over already, so that a handler's failure ends nothing.
                    drop(handler.call(*outcome));
                }
            });
        }
        self.end();
        self.lock()
    }

    // ——— passes ———

    /// Begins a call that must not run beside another one of its kind.
    fn passing(&self, call: &'static str) -> Result<MutexGuard<'_, ()>, SessionError> {
        match self.passing.try_lock() {
            Ok(guard) => Ok(guard),
            // What it guards is nothing that a panic could have left in pieces.
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                self.lock().core.dead()?;
                Err(SessionError::parameter(call, SessionMistake::PassInUse))
            }
        }
    }

    pub(super) fn begin_pass(&self, kind: PassKind) -> Result<(), SessionError> {
        let _passing = self.passing("begin_pass")?;
        let undecided = {
            let state = self.lock();
            state.core.dead()?;
            if state.on_worker() {
                return Err(SessionError::parameter("begin_pass", SessionMistake::FromHandler));
            }
            state.core.is_undecided()?
        };
        if undecided {
            self.decide()?;
        }
        let (lease, number) = {
            let state = self.lock();
            state.check_storage()?;
            let number = state.core.next_pass()?;
            (state.lease()?, number)
        };
        lease.begin_pass(number)?;
        self.lock().core.begin_pass(kind)
    }

    /// Ends the pass, and plans the next one unless it was the last. The session is not locked while it plans
    /// and writes.
    pub(super) fn end_pass(&self, kind: PassKind) -> Result<NextPass, SessionError> {
        let _passing = self.passing("end_pass")?;
        {
            let state = self.lock();
            state.core.dead()?;
            if state.on_worker() {
                return Err(SessionError::parameter("end_pass", SessionMistake::FromHandler));
            }
            state.core.may_end_pass()?;
        }
        self.settle()?;
        let (mut passes, goal) = self.lock().core.end_pass()?;
        let ended = self.end_taken_pass(&mut passes, kind, &goal);
        if ended.is_err() {
            passes.abandon();
        }
        self.lock().core.pass_ended(passes)?;
        // the plan may have waited for this part alone
        match ended? {
            NextPass::Undecided => self.decide(),
            known => Ok(known),
        }
    }

    fn end_taken_pass(
        &self,
        passes: &mut Passes,
        kind: PassKind,
        goal: &PassGoal,
    ) -> Result<NextPass, SessionError> {
        // ST-7: of a storage that was closed, this is what the client has to know first.
        self.lock().check_storage()?;
        let share = self.lock().share.clone();
        let (end, part) = match share {
            None => ((self.planner)(passes, kind, goal)?, None),
            Some(share) => {
                let (end, part) = passes.end_part(kind, goal)?;
                (end, Some((share, part)))
            }
        };
        // The hold on the storage is had only now: a session that was invalidated while it planned has given
        // it back.
        let lease = self.lock().lease()?;
        lease.put_note(NoteKey { topic: STATE, pass: end.number, unit: 0 }, &end.note)?;
        lease.end_pass()?;
        if let Some((share, part)) = part {
            share.end_pass(part)?;
        }
        Ok(passes.conclude(end))
    }

    /// Makes the session that of a part of a plan.
    pub(super) fn share_plan(&self, plan: &Arc<SharedPlan>, part: usize) -> Result<(), SessionError> {
        let _passing = self.passing("share_plan")?;
        let mut state = self.lock();
        state.core.dead()?;
        if state.core.passes_have_begun() {
            return Err(SessionError::parameter("share_plan", SessionMistake::PassesBegun));
        }
        state.share = Some(plan.claim(part)?);
        Ok(())
    }

    pub(super) fn next_pass(&self) -> Result<NextPass, SessionError> {
        let _passing = self.passing("next_pass")?;
        self.decide()
    }

    /// What follows the last pass. Where a shared plan has said it since, that is written down first, so that
    /// another session can go on from there (MP-25).
    fn decide(&self) -> Result<NextPass, SessionError> {
        let share = {
            let state = self.lock();
            state.check_storage()?;
            match (state.core.is_undecided()?, &state.share) {
                (true, Some(share)) => share.clone(),
                _ => return state.core.answer(),
            }
        };
        let plan = match share.answer()? {
            Answer::Undecided => return Ok(NextPass::Undecided),
            Answer::Finished => None,
            Answer::Asked(plan) => Some(plan),
        };
        let (lease, end) = {
            let state = self.lock();
            (state.lease()?, state.core.decided(plan)?)
        };
        lease.put_note(NoteKey { topic: STATE, pass: end.number, unit: 0 }, &end.note)?;
        lease.keep()?;
        self.lock().core.conclude(end)
    }

    /// All frames are out, and all scores are known. Ends early when the session is over.
    fn settle(&self) -> Result<(), SessionError> {
        self.complete(Time::INVALID)?;
        let mut state = self.lock();
        let request = state.core.end_encode()?;
        self.changed.notify_all();
        self.wait_for_answer(state, request)
    }

    pub(super) fn ranges(&self) -> Result<Arc<[TimeRange]>, SessionError> {
        let undecided = self.lock().core.is_undecided()?;
        if undecided {
            self.next_pass()?;
        }
        self.lock().core.ranges()
    }

    // ——— the session's thread ———

    /// The next thing to do; none when the session is over.
    fn next_command(&self) -> Option<Command> {
        let mut state = self.lock();
        loop {
            let command = state.core.next_command();
            state.idle = command.is_none();
            // There may be room in the queue, an answer, or nothing to do any more.
            self.changed.notify_all();
            if command.is_some() || state.core.is_over() {
                return command;
            }
            state = self.wait(state);
        }
    }

    fn end(&self) {
        // Whoever receives what the handler sends learns from its end that nothing more comes.
        drop(self.handler.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut state = self.lock();
        state.core.close();
        state.ended = true;
        drop(state);
        self.changed.notify_all();
    }
}

/// Equal for equal pictures: those of one size, in one format, with the same samples.
fn identity(picture: &PixelBuffer) -> u64 {
    let mut bytes = picture.format().four_cc().to_vec();
    bytes.extend([picture.width(), picture.height()].map(u32::to_le_bytes).concat());
    bytes.extend(picture_hash(picture).to_le_bytes());
    xxh3_64(&bytes)
}

/// What an earlier session left in a storage, if it ended a pass (MP-25).
fn earlier(lease: &StorageLease) -> Result<Option<Earlier>, StorageError> {
    let passes = lease.passes()?;
    let Some(last) = passes.checked_sub(1) else { return Ok(None) };
    let Some(note) = lease.note(NoteKey { topic: STATE, pass: last, unit: 0 })? else { return Ok(None) };
    let frames: Result<Vec<_>, _> = (0..passes).map(|pass| lease.frames(pass)).collect();
    Ok(Earlier::restore(&note, &frames?))
}

/// What the stack reports to: the core, whose effects it sees to.
struct Worker<'a, T> {
    shell: &'a Shell<T>,
}

impl<T> Worker<'_, T> {
    fn lease(&self) -> Option<Arc<StorageLease>> {
        self.shell.lock().storage.clone()
    }

    fn see_to(&mut self, effects: Vec<Effect<T>>) {
        for effect in effects {
            match effect {
                Effect::Wake => self.shell.changed.notify_all(),
                Effect::Record(record) => {
                    let lease = self.lease();
                    // ST-9: where it cannot be kept, the end of the pass says so; the sample is good all the
                    // same.
                    if let Some(Err(error)) = lease.map(|lease| lease.push_frame(record)) {
                        self.report(Report::Unrecorded(error.into()));
                    }
                }
                Effect::Deliver { number, outcome } => {
                    let mut handler = self.shell.handler.lock().unwrap_or_else(PoisonError::into_inner);
                    let called = handler.as_mut().map_or(Ok(()), |handler| handler.call(*outcome));
                    drop(handler);
                    self.report(Report::Out(number));
                    if let Err(error) = called {
                        self.report(Report::Failed(error));
                    }
                }
            }
        }
    }
}

impl<T> Listener for Worker<'_, T> {
    fn report(&mut self, report: Report) {
        let effects = self.shell.lock().core.report(report);
        self.see_to(effects);
    }

    fn encoder_data(&self, frames: u128) -> Option<EncoderData> {
        // What cannot be read is as good as not kept: the encoder finds it out again. A storage that was
        // closed is told by the call of the client that comes next (ST-7).
        self.lease()?.encoder_data(frames).ok().flatten()
    }

    fn keep_encoder_data(&self, frames: u128, data: &EncoderData) {
        // Where there is no room, nothing is lost but the time that it would have saved. A disk that is full
        // refuses the record of a frame, too, which the end of the pass tells (ST-9).
        if let Some(lease) = self.lease() {
            let _ = lease.put_encoder_data(frames, data);
        }
    }

    fn is_over(&self) -> bool {
        self.shell.lock().core.is_over()
    }
}

/// The session's thread: runs until the session is over. However it ends, everybody who waits goes on.
pub(super) fn run<T>(
    shell: &Shell<T>,
    handler: Handler<T>,
    transfer: Option<TransferMaker>,
    scorers: Option<SharedScorers>,
) {
    struct Ending<'a, T>(&'a Shell<T>);
    impl<T> Drop for Ending<'_, T> {
        fn drop(&mut self) {
            self.0.end();
        }
    }
    let _ending = Ending(shell);
    *shell.handler.lock().unwrap_or_else(PoisonError::into_inner) = Some(handler);
    shell.lock().worker = Some(std::thread::current().id());
    let (setup, factory) = (shell.setup.clone(), shell.factory.clone());
    let mut stack = Stack::new(StackParts { setup, factory, transfer, scorers });
    let mut worker = Worker { shell };
    while let Some(command) = shell.next_command() {
        if let Err(error) = stack.work(command, &mut worker) {
            worker.report(Report::Failed(error));
        }
    }
    // The encoder gives its memory back before the client is told the last outcomes.
    drop(stack);
    let rest = shell.lock().core.rest();
    worker.see_to(rest);
}
