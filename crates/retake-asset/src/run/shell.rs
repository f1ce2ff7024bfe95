//! The lock around a writer's state. Every public call is the same three steps: take the lock, call a method
//! of the state, and do what the state says has to be done, when the lock is free again. No file, encoder or
//! code of a client is touched while it is held.

use super::clients::Clients;
use super::encoder::TrackEncoder;
use crate::state::{Destination, WriterState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// The state, and who is registered.
struct Guarded {
    state: WriterState,
    clients: Clients,
    /// The thread that stores, while it runs.
    worker: Option<ThreadId>,
}

/// A writer, as all its handles and threads share it.
pub(crate) struct Shared {
    guarded: Mutex<Guarded>,
    /// Something changed that somebody may be waiting for.
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new(destination: Destination) -> Arc<Self> {
        let (state, clients) = (WriterState::new(destination), Clients::default());
        let guarded = Mutex::new(Guarded { state, clients, worker: None });
        Arc::new(Self { guarded, changed: Condvar::new() })
    }

    /// Looks at the state.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&WriterState) -> T) -> T {
        look(&self.lock().state)
    }

    /// Changes the state, then does what follows from it.
    pub(crate) fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut WriterState) -> T) -> T {
        self.change_with(|state, _| change(state))
    }

    /// As [`Shared::change`], where a client registers something.
    pub(crate) fn change_with<T>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut WriterState, &mut Clients) -> T,
    ) -> T {
        self.change_all(|guarded| change(&mut guarded.state, &mut guarded.clients))
    }

    fn change_all<T>(self: &Arc<Self>, change: impl FnOnce(&mut Guarded) -> T) -> T {
        let mut guarded = self.lock();
        let answer = change(&mut guarded);
        let Guarded { state, clients, .. } = &mut *guarded;
        state.settle();
        let effects = state.take_effects();
        let mut actions: Vec<_> = effects.into_iter().filter_map(|effect| clients.action(effect)).collect();
        actions.extend(clients.unwanted(state));
        drop(guarded);
        self.changed.notify_all();
        actions.into_iter().for_each(|action| action.run(self));
        answer
    }

    /// Waits until `ready` answers something. Every change of state is looked at.
    pub(super) fn wait<T>(&self, mut ready: impl FnMut(&mut WriterState, &mut Clients) -> Option<T>) -> T {
        let mut guarded = self.lock();
        loop {
            let Guarded { state, clients, .. } = &mut *guarded;
            if let Some(answer) = ready(state, clients) {
                return answer;
            }
            guarded = self.changed.wait(guarded).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until `ready` answers something, no longer than so long.
    pub(crate) fn wait_for<T>(
        &self,
        longest: Duration,
        mut ready: impl FnMut(&WriterState) -> Option<T>,
    ) -> Option<T> {
        let until = Instant::now() + longest;
        let mut guarded = self.lock();
        loop {
            if let Some(answer) = ready(&guarded.state) {
                return Some(answer);
            }
            let left = until.checked_duration_since(Instant::now())?;
            guarded = self.changed.wait_timeout(guarded, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// This thread stores from here on.
    pub(super) fn begin_worker(self: &Arc<Self>) {
        self.change_all(|guarded| guarded.worker = Some(thread::current().id()));
    }

    /// The thread that stores is done with the writer, which ends in the same moment.
    pub(super) fn end_worker(self: &Arc<Self>, end: impl FnOnce(&mut WriterState)) {
        self.change_all(|guarded| {
            end(&mut guarded.state);
            guarded.worker = None;
        });
    }

    /// Waits until no thread of the writer works on it any more; not on the one that stores, which would wait
    /// for itself.
    pub(crate) fn wait_for_worker(&self) {
        let own = thread::current().id();
        let mut guarded = self.lock();
        loop {
            let Guarded { state, worker, .. } = &*guarded;
            let works = state.phase().is_running() || worker.is_some() || state.has_tasks();
            if !works || *worker == Some(own) {
                return;
            }
            guarded = self.changed.wait(guarded).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The encoders of all tracks that have one.
    pub(crate) fn encoders(&self) -> Vec<Arc<dyn TrackEncoder>> {
        let guarded = self.lock();
        guarded.clients.tracks.iter().filter_map(|track| track.encoder.clone()).collect()
    }

    /// Drops the encoders of all tracks, with all that they keep, as soon as they stop.
    pub(crate) fn release_encoders(&self) {
        let encoders = self.encoders();
        encoders.iter().for_each(|encoder| encoder.interrupt());
        encoders.iter().for_each(|encoder| encoder.release());
    }

    fn lock(&self) -> MutexGuard<'_, Guarded> {
        // nothing that can panic leaves the state half changed: what a panicking client callback left is
        // whole
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
