//! This module lists the sessions of all parts that are being encoded, so that one failure ends them all
//! (rule PA-13).

use super::error::ParallelError;
use crate::session::SessionHandle;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(super) struct Sessions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stopped: bool,
    next: u64,
    running: Vec<(u64, SessionHandle)>,
}

/// A session is stopped with the others as long as this lives.
pub(super) struct Registered<'a> {
    sessions: &'a Sessions,
    number: u64,
}

impl Sessions {
    /// Adds a session to those that are stopped together.
    ///
    /// # Errors
    /// [`ParallelError::Stopped`] if the sessions were stopped already.
    pub(super) fn register(&self, session: SessionHandle) -> Result<Registered<'_>, ParallelError> {
        let mut state = self.lock();
        if state.stopped {
            return Err(ParallelError::Stopped);
        }
        let number = state.next;
        state.next += 1;
        state.running.push((number, session));
        Ok(Registered { sessions: self, number })
    }

    /// Invalidates all sessions, and makes later ones fail to register.
    pub(super) fn stop(&self) {
        let running = {
            let mut state = self.lock();
            state.stopped = true;
            std::mem::take(&mut state.running)
        };
        running.iter().for_each(|(_, session)| session.invalidate());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // a panicking holder cannot leave a list and a flag unsound
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.sessions.lock().running.retain(|(number, _)| *number != self.number);
    }
}
