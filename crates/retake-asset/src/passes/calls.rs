//! What a client asks and says of the passes of an input.

use super::PassDescription;
use crate::error::{CallError, Mistake, UsageError, WriterError};
use crate::input::AssetWriterInput;
use crate::queue::Queue;
use crate::status::WriterStatus;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

impl AssetWriterInput {
    /// Whether several passes can be had. False until they are asked for by [`InputOptions::multi_pass`](crate::InputOptions::multi_pass); final once the writer has started. It
    /// does not promise a second pass.
    #[doc(alias = "canPerformMultiplePasses")]
    pub fn can_perform_multiple_passes(&self) -> bool {
        let wanted = self.options_lock().multi_pass;
        // before it is known, the switch decides (AM-3)
        wanted && self.encoder().is_some_and(|encoder| encoder.takes_passes().unwrap_or(true))
    }

    /// Says that all media of this pass came. With several passes, the input is not ready until it is decided what is wanted again, and
    /// [`current_pass_description`](Self::current_pass_description) says so then; with one, that is nothing at once. It does not finish the
    /// input. A standing request for media data ends: each pass has its own.
    ///
    /// # Errors
    /// Before the writer starts, while the next pass is being decided on, when all passes are over, and for an input that is finished.
    #[doc(alias = "markCurrentPassAsFinished")]
    pub fn mark_current_pass_as_finished(&self) -> Result<(), UsageError> {
        let (writer, index) = self.require("mark_current_pass_as_finished")?;
        writer.change(|core| core.mark_pass_finished(&writer, index))
    }

    /// Has `block` called in `queue` for the current pass, for each one that follows, and at last when there is none any more. The block looks at
    /// [`current_pass_description`](Self::current_pass_description): if there is one it goes to its ranges in the source and requests media data;
    /// if not it calls [`mark_as_finished`](Self::mark_as_finished), after which it is called no more.
    ///
    /// # Errors
    /// Before the writer starts, and a second time.
    #[doc(alias = "respondToEachPassDescriptionOnQueue:usingBlock:")]
    pub fn respond_to_each_pass_description(
        &self,
        queue: Arc<dyn Queue>,
        block: impl FnMut(&Self) + Send + 'static,
    ) -> Result<(), UsageError> {
        const CALL: &str = "respond_to_each_pass_description";
        let (writer, index) = self.require(CALL)?;
        writer.change(|core| {
            if core.status != WriterStatus::Writing || core.finishing {
                return Err(core.wrong_status(CALL, "writing"));
            }
            if !core.lanes[index].respond(queue, Arc::new(Mutex::new(block))) {
                return Err(UsageError { call: CALL, mistake: Mistake::SecondRequest });
            }
            core.announce_pass(&writer, index);
            Ok(())
        })
    }

    /// What the current pass asks for. Nothing before the writer starts, and when all passes are over. Of an input with one pass: everything.
    #[doc(alias = "currentPassDescription")]
    pub fn current_pass_description(&self) -> Option<PassDescription> {
        self.with(|core, index| core.lanes[index].passes.description().cloned())?
    }

    pub(crate) fn is_in_pass(&self) -> bool {
        self.with(|core, index| core.lanes[index].passes.is_open()).unwrap_or(false)
    }

    /// The pass that it is in, when that is decided; else a future is woken then.
    pub(crate) fn pass_or_wake(&self, waker: &Waker) -> Poll<Result<Option<PassDescription>, CallError>> {
        const CALL: &str = "next";
        let Some((writer, index)) = self.attached() else {
            return Poll::Ready(Err(UsageError { call: CALL, mistake: self.unattached() }.into()));
        };
        writer.change(|core| match core.status {
            WriterStatus::Failed => {
                Poll::Ready(Err(core.error.clone().unwrap_or(WriterError::Cancelled).into()))
            }
            WriterStatus::Writing if core.lanes[index].passes.is_deciding() => {
                core.lanes[index].wake_later(waker);
                Poll::Pending
            }
            WriterStatus::Writing => {
                let passes = &core.lanes[index].passes;
                Poll::Ready(Ok(passes.description().filter(|_| passes.is_open()).cloned()))
            }
            _ => Poll::Ready(Err(core.wrong_status(CALL, "writing").into())),
        })
    }
}
