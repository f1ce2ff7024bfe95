//! Takes that wait for a worker: the one with most frames is run first, so that the last ones to finish are
//! short.

use super::executor::Ticket;
use super::identity::OpenTake;
use super::source::FrameSource;
use retake_compression::take::TakeDescription;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A take that waits, and where its frames come from.
pub(crate) struct WaitingTake {
    pub ticket: Ticket,
    pub work: Work,
}

/// What there is to do.
pub(crate) enum Work {
    /// Its frames are being decoded, and its end is not known yet.
    Scouted(OpenTake, FrameSource),
    /// Its frames are read by who runs it, so that no more readers are open than takes run.
    Described(TakeDescription),
}

/// The takes that wait.
#[derive(Default)]
pub(crate) struct TakeQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<WaitingTake>,
    closed: bool,
}

impl TakeQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // a list and a flag are sound whatever a panicking holder was doing
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, take: WaitingTake) {
        self.lock().waiting.push(take);
        self.changed.notify_one();
    }

    /// No more takes will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The next take; waits for one, until no more will come.
    pub(crate) fn next(&self) -> Option<WaitingTake> {
        let mut state = self.lock();
        loop {
            // of equal ones the first
            let best = (0..state.waiting.len()).rev().max_by_key(|&index| state.waiting[index].weight());
            if let Some(best) = best {
                return Some(state.waiting.remove(best));
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl WaitingTake {
    /// Frames of work, as far as they are known: the scout may still be handing some over.
    fn weight(&self) -> u64 {
        match &self.work {
            Work::Scouted(_, frames) => frames.waiting(),
            Work::Described(description) => description.range.len(),
        }
    }
}
