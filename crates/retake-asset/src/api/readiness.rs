//! When an input takes more, and who is told (section 17.3).

use super::input::AssetWriterInput;
use crate::run::clients::Handler;
use crate::run::queue::Queue;
use crate::state::WriterState;
use crate::state::effects::{Awaited, Observable, Observation};
use crate::types::error::UsageError;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

impl AssetWriterInput {
    /// Whether more is welcome: appending now fits the writer's memory and keeps the tracks together. A level
    /// that goes up and down; false before the writer starts, and when it ends.
    #[doc(alias = "isReadyForMoreMediaData")]
    pub fn is_ready_for_more_media_data(&self) -> bool {
        self.look(|state, id| state.track(id).readiness.is_ready()).unwrap_or(false)
    }

    /// Waits until the input is ready, or until it never will be again (all passes over, finished, failed,
    /// cancelled), at most so long. Answers whether it is.
    ///
    /// A client that feeds several inputs from one thread must not wait here for one while another is empty
    /// and not finished: the writer waits for that one, to interleave (AW-5).
    pub fn wait_until_ready(&self, longest: Duration) -> bool {
        let Ok((shared, id)) = self.attached("wait_until_ready") else { return false };
        let over = |state: &WriterState| !state.phase().is_open() || state.track(id).passes.is_over();
        let answer = shared.wait_for(longest, |state| match state.track(id).readiness.is_ready() {
            true => Some(true),
            false => over(state).then_some(false),
        });
        answer.unwrap_or(false)
    }

    /// Has changes of readiness told, on whatever thread they happen. What an observer hears is other than
    /// before, and what it hears last is so; a change that is over before it can be told is not. The observer
    /// must not wait for the writer. It is dropped when the writer has ended.
    ///
    /// # Errors
    /// [`Mistake::NotAttached`](crate::Mistake::NotAttached).
    #[doc(alias = "isReadyForMoreMediaData")]
    pub fn observe_readiness(
        &self,
        observer: impl Fn(bool) + Send + Sync + 'static,
    ) -> Result<(), UsageError> {
        self.observe("observe_readiness", Observable::Readiness, move |heard| {
            if let Observation::Flag(ready) = heard {
                observer(*ready);
            }
        })
    }

    pub(super) fn observe(
        &self,
        call: &'static str,
        what: Observable,
        observer: impl Fn(&Observation) + Send + Sync + 'static,
    ) -> Result<(), UsageError> {
        let (shared, id) = self.attached(call)?;
        shared.change_with(|state, clients| {
            state.observe(id, what);
            clients.tracks[id.index()].observers[what as usize].push(Arc::new(observer));
        });
        Ok(())
    }

    /// Has `block` called in `queue` whenever the input is ready, one call at a time, until the input is
    /// finished. The block appends while
    /// [`is_ready_for_more_media_data`](Self::is_ready_for_more_media_data), and at the end of its source
    /// calls [`mark_as_finished`](Self::mark_as_finished). One that returns without appending, though it
    /// could, is called again when something else moves; never in a hot loop.
    ///
    /// # Errors
    /// Before the writer starts, after the input is finished, and for a second request.
    #[doc(alias = "requestMediaDataWhenReadyOnQueue:usingBlock:")]
    pub fn request_media_data_when_ready(
        &self,
        queue: Arc<dyn Queue>,
        mut block: impl FnMut(&Self) + Send + 'static,
    ) -> Result<(), UsageError> {
        const CALL: &str = "request_media_data_when_ready";
        let (shared, id) = self.attached(CALL)?;
        let input = self.clone();
        let mut handler = Some(Handler::new(queue, move || block(&input)));
        shared.change_with(|state, clients| {
            state.request(CALL, id)?;
            clients.tracks[id.index()].request = handler.take();
            Ok(())
        })
    }

    /// Has a future woken when the input may be ready. `true` if it is worth another attempt at once.
    pub(super) fn wake_when_ready(&self, waker: &Waker) -> bool {
        let Ok((shared, id)) = self.attached("append") else { return true };
        shared.change_with(|state, clients| {
            clients.tracks[id.index()].wake(Awaited::Readiness, waker);
            state.await_readiness(id)
        })
    }
}
