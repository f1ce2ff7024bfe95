//! The board on which takes are called, and from which the crew picks them: the one with most frames first, so that the last ones to
//! finish are short.

use crate::crew::{Call, FeedSource};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The two ends of a board.
pub(crate) fn board() -> (Caller, Board) {
    let shared = Arc::new(Shared::default());
    (Caller(shared.clone()), Board(shared))
}

/// Calls takes. When it is dropped, no more will come.
pub(crate) struct Caller(Arc<Shared>);

/// Where the crew looks for its next take.
pub(crate) struct Board(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Call>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // a list and a flag are sound whatever a panicking holder was doing
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    pub(crate) fn call(&self, call: Call) {
        self.0.lock().waiting.push(call);
        self.0.news.notify_one();
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.news.notify_all();
    }
}

impl Board {
    /// The next take; waits for one, until no more will come.
    pub(crate) fn next(&self) -> Option<Call> {
        let mut state = self.0.lock();
        loop {
            // of equal ones the first
            let best = (0..state.waiting.len()).rev().max_by_key(|&index| weight(&state.waiting[index]));
            if let Some(best) = best {
                return Some(state.waiting.remove(best));
            }
            if state.closed {
                return None;
            }
            state = self.0.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Frames of work, as far as they are known: the scout may still be handing some over.
fn weight(call: &Call) -> u64 {
    match &call.feed {
        FeedSource::Ready(feed) => feed.waiting(),
        FeedSource::Range => call.description.range.len(),
    }
}
