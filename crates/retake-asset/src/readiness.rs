//! When an input takes more, and who is told (section 17.3).

use crate::core::Core;
use crate::error::{Mistake, UsageError};
use crate::input::AssetWriterInput;
use crate::queue::Queue;
use crate::status::WriterStatus;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

impl AssetWriterInput {
    /// Whether more is welcome: appending now fits the writer's memory and keeps the tracks together. A level that goes up and down;
    /// false before the writer starts, and when it ends.
    #[doc(alias = "isReadyForMoreMediaData")]
    pub fn is_ready_for_more_media_data(&self) -> bool {
        self.with(|core, index| core.lanes[index].ready).unwrap_or(false)
    }

    /// Waits until the input is ready, or until it never will be again (all passes over, finished, failed, cancelled), at most so long. Answers
    /// whether it is.
    ///
    /// A client that feeds several inputs from one thread must not wait here for one while another is empty and not finished: the
    /// writer waits for that one, to interleave (AW-5).
    pub fn wait_until_ready(&self, longest: Duration) -> bool {
        let Some((writer, index)) = self.attached() else { return false };
        let over = |core: &Core| !core.is_open() || core.lanes[index].passes.is_over();
        let answer = writer.wait_for(longest, |core| match core.lanes[index].ready {
            true => Some(true),
            false => over(core).then_some(false),
        });
        answer.unwrap_or(false)
    }

    /// Has changes of readiness told, on whatever thread they happen. What an observer hears is other than before, and what it hears last is so; a
    /// change that is over before it can be told is not. The observer must not wait for the writer.
    ///
    /// # Errors
    /// [`Mistake::NotAttached`].
    #[doc(alias = "isReadyForMoreMediaData")]
    pub fn observe_readiness(
        &self,
        observer: impl Fn(bool) + Send + Sync + 'static,
    ) -> Result<(), UsageError> {
        let (writer, index) = self.require("observe_readiness")?;
        writer.change(|core| core.lanes[index].observe(Arc::new(observer)));
        Ok(())
    }

    /// Has `block` called in `queue` whenever the input is ready, one call at a time, until the input is finished. The block appends while
    /// [`is_ready_for_more_media_data`](Self::is_ready_for_more_media_data), and at the end of its source calls
    /// [`mark_as_finished`](Self::mark_as_finished). One that returns without appending, though it could, is called again when something else
    /// moves; never in a hot loop.
    ///
    /// # Errors
    /// Before the writer starts, after the input is finished, and for a second request.
    #[doc(alias = "requestMediaDataWhenReadyOnQueue:usingBlock:")]
    pub fn request_media_data_when_ready(
        &self,
        queue: Arc<dyn Queue>,
        block: impl FnMut(&Self) + Send + 'static,
    ) -> Result<(), UsageError> {
        const CALL: &str = "request_media_data_when_ready";
        let (writer, index) = self.require(CALL)?;
        writer.change(|core| {
            let wrong = |mistake| Err(UsageError { call: CALL, mistake });
            if core.status != WriterStatus::Writing || core.finishing {
                return Err(core.wrong_status(CALL, "writing"));
            }
            let lane = &mut core.lanes[index];
            if lane.passes.is_finished() {
                return wrong(Mistake::InputFinished);
            }
            if !lane.passes.is_open() {
                return wrong(Mistake::NoPass);
            }
            if lane.has_request() {
                return wrong(Mistake::SecondRequest);
            }
            lane.request(queue, Arc::new(Mutex::new(block)));
            Ok(())
        })
    }

    /// Has a future woken when the input may be ready. `true` if it is worth another attempt at once.
    pub(crate) fn wake_when_ready(&self, waker: &Waker) -> bool {
        let Some((writer, index)) = self.attached() else { return true };
        writer.change(|core| {
            core.lanes[index].wake(waker);
            core.lanes[index].ready || !core.is_open()
        })
    }
}
