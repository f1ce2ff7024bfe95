//! What clients and encoders have registered with a writer. The state knows that it is there; here is what it
//! is, behind the same lock.

use super::encoder::TrackEncoder;
use super::queue::Queue;
use super::shell::Shared;
use super::task;
use crate::output::OutputTarget;
use crate::state::WriterState;
use crate::state::effects::{Awaited, Call, Effect, Observable, Observation};
use crate::state::track::TrackId;
use crate::types::error::WriterError;
use crate::types::segment::{SegmentDelegate, SegmentProfile};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

/// Told once how it ended.
pub(crate) type Completion = Box<dyn FnOnce(Result<(), WriterError>) + Send>;

pub(crate) type Observer = Arc<dyn Fn(&Observation) + Send + Sync>;

/// A block that a client wants to be called in a queue. It has captured the input that it is about.
#[derive(Clone)]
pub(crate) struct Handler {
    queue: Arc<dyn Queue>,
    block: Arc<Mutex<dyn FnMut() + Send>>,
}

impl Handler {
    pub(crate) fn new(queue: Arc<dyn Queue>, block: impl FnMut() + Send + 'static) -> Self {
        Self { queue, block: Arc::new(Mutex::new(block)) }
    }

    fn call(&self) {
        // one call of it is out at a time: this never waits
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        (*block)();
    }
}

/// Where the output goes once the writer has started.
pub(crate) enum OpenOutput {
    Film(OutputTarget),
    Segments(SegmentProfile, Box<dyn SegmentDelegate>),
}

/// What is registered with a writer.
#[derive(Default)]
pub(crate) struct Clients {
    pub(crate) tracks: Vec<TrackClients>,
    pub(crate) delegate: Option<Box<dyn SegmentDelegate>>,
    pub(crate) output: Option<OpenOutput>,
    pub(crate) completion: Option<Completion>,
}

/// What is registered with one track.
#[derive(Default)]
pub(crate) struct TrackClients {
    pub(crate) encoder: Option<Arc<dyn TrackEncoder>>,
    pub(crate) request: Option<Handler>,
    pub(crate) responder: Option<Handler>,
    /// By what they observe.
    pub(crate) observers: [Vec<Observer>; Observable::ALL.len()],
    pub(crate) readiness_wakers: Vec<Waker>,
    pub(crate) pass_wakers: Vec<Waker>,
}

impl TrackClients {
    /// Wakes a future when what it waits for may be there.
    pub(crate) fn wake(&mut self, awaited: Awaited, waker: &Waker) {
        let wakers = match awaited {
            Awaited::Readiness => &mut self.readiness_wakers,
            Awaited::Pass => &mut self.pass_wakers,
        };
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }
}

/// Code of clients that is to be called when the lock is free, with all that it needs.
pub(crate) enum Action {
    Request {
        id: TrackId,
        number: u64,
        queue: Arc<dyn Queue>,
    },
    Pass {
        call: Call,
        handler: Handler,
    },
    Observers(TrackId, Observable),
    Wake(Vec<Waker>),
    Spawn(TrackId),
    Complete(Completion, Result<(), WriterError>),
    /// What nobody will call any more: a client's code may run when it is dropped.
    Drop(Unwanted),
}

/// What clients had registered, and is not called any more.
#[derive(Default)]
pub(crate) struct Unwanted {
    handlers: Vec<Handler>,
    observers: Vec<Observer>,
    delegate: Option<Box<dyn SegmentDelegate>>,
    output: Option<OpenOutput>,
}

impl Clients {
    /// What an effect of the state is to those who are registered; nothing if nobody is.
    pub(super) fn action(&mut self, effect: Effect) -> Option<Action> {
        Some(match effect {
            Effect::Call(Call::Request(id, number)) => {
                Action::Request { id, number, queue: self.tracks[id.index()].request.as_ref()?.queue.clone() }
            }
            Effect::Call(call @ Call::Pass(id, _)) => {
                Action::Pass { call, handler: self.tracks[id.index()].responder.clone()? }
            }
            Effect::Call(Call::Observers(id, what)) => Action::Observers(id, what),
            Effect::Wake(id, Awaited::Readiness) => {
                Action::Wake(std::mem::take(&mut self.tracks[id.index()].readiness_wakers))
            }
            Effect::Wake(id, Awaited::Pass) => {
                Action::Wake(std::mem::take(&mut self.tracks[id.index()].pass_wakers))
            }
            Effect::Spawn(id) => Action::Spawn(id),
            Effect::Complete(outcome) => Action::Complete(self.completion.take()?, outcome),
        })
    }

    /// Takes out what the state calls no more. It must be dropped without the lock; and it must go, because
    /// it may hold inputs, which hold the writer's state.
    pub(super) fn unwanted(&mut self, state: &WriterState) -> Option<Action> {
        let mut unwanted = Unwanted::default();
        let over = state.phase().is_over();
        for (id, track) in state.track_ids().zip(&mut self.tracks) {
            let readiness = &state.track(id).readiness;
            if readiness.request().is_none() {
                unwanted.handlers.extend(track.request.take());
            }
            if !readiness.responds() {
                unwanted.handlers.extend(track.responder.take());
            }
            if over && !readiness.is_notifying() {
                track.observers.iter_mut().for_each(|observers| unwanted.observers.append(observers));
            }
        }
        if over {
            (unwanted.delegate, unwanted.output) = (self.delegate.take(), self.output.take());
        }
        let Unwanted { handlers, observers, delegate, output } = &unwanted;
        let any = !handlers.is_empty() || !observers.is_empty() || delegate.is_some() || output.is_some();
        any.then_some(Action::Drop(unwanted))
    }
}

impl Action {
    /// Does it, on this thread or another, without the lock.
    pub(super) fn run(self, shared: &Arc<Shared>) {
        let shared = shared.clone();
        match self {
            Self::Request { id, number, queue } => {
                queue.dispatch(Box::new(move || run_request(&shared, id, number)));
            }
            Self::Pass { call, handler } => {
                let queue = handler.queue.clone();
                queue.dispatch(Box::new(move || run_responder(&shared, &call, &handler)));
            }
            Self::Observers(id, what) => notify_observers(&shared, id, what),
            Self::Wake(wakers) => wakers.into_iter().for_each(Waker::wake),
            Self::Spawn(id) => task::spawn(shared, id),
            Self::Complete(completion, outcome) => completion(outcome),
            Self::Drop(unwanted) => drop(unwanted),
        }
    }
}

/// What runs in the client's queue: its block, if it is still wanted.
fn run_request(shared: &Arc<Shared>, id: TrackId, number: u64) {
    let wanted = shared.change_with(|state, clients| {
        let before = state.begin_request(id, number)?;
        Some((before, clients.tracks[id.index()].request.clone()?))
    });
    if let Some((before, handler)) = wanted {
        handler.call();
        shared.change(|state| state.end_request(id, number, before));
    }
}

/// The same for one that hears of passes.
fn run_responder(shared: &Arc<Shared>, call: &Call, handler: &Handler) {
    let Call::Pass(id, description) = call else { return };
    if shared.look(|state| state.is_news(*id, description.as_ref())) {
        handler.call();
    }
}

/// Tells observers of a track what they observe, until they know: one thread at a time, so that what they
/// hear last is so.
fn notify_observers(shared: &Arc<Shared>, id: TrackId, what: Observable) {
    let next = || {
        shared.change_with(|state, clients| {
            let heard = state.next_observation(id, what)?;
            Some((heard, clients.tracks[id.index()].observers[what as usize].clone()))
        })
    };
    while let Some((heard, observers)) = next() {
        observers.iter().for_each(|observer| observer(&heard));
    }
}
