//! What a client asks and says of the passes of an input.

use super::input::AssetWriterInput;
use crate::run::clients::Handler;
use crate::run::queue::Queue;
use crate::state::CurrentPass;
use crate::state::effects::{Awaited, Observable, Observation};
use crate::types::error::{CallError, UsageError};
use crate::types::pass::PassDescription;
use std::sync::Arc;
use std::task::{Poll, Waker};

impl AssetWriterInput {
    /// Whether several passes can be had. False until they are asked for by
    /// [`InputOptions::multi_pass`](crate::InputOptions::multi_pass); final once the writer has started. It
    /// does not promise a second pass.
    #[doc(alias = "canPerformMultiplePasses")]
    pub fn can_perform_multiple_passes(&self) -> bool {
        self.setup(|setup| setup.can_perform_multiple_passes())
    }

    /// Has changes of [`can_perform_multiple_passes`](Self::can_perform_multiple_passes) told: when the
    /// switch is set, and when the writer starts with an encoder that has one pass alone. As with
    /// [`observe_readiness`](Self::observe_readiness), that is on whatever thread it happens, and the
    /// observer must not wait for the writer.
    ///
    /// # Errors
    /// [`Mistake::NotAttached`](crate::Mistake::NotAttached).
    #[doc(alias = "canPerformMultiplePasses")]
    pub fn observe_multiple_passes(
        &self,
        observer: impl Fn(bool) + Send + Sync + 'static,
    ) -> Result<(), UsageError> {
        self.observe("observe_multiple_passes", Observable::MultiplePasses, move |heard| {
            if let Observation::Flag(can) = heard {
                observer(*can);
            }
        })
    }

    /// Has changes of [`current_pass_description`](Self::current_pass_description) told, as with
    /// [`observe_readiness`](Self::observe_readiness). Whoever answers passes rather uses
    /// [`respond_to_each_pass_description`](Self::respond_to_each_pass_description), which calls in a queue.
    ///
    /// # Errors
    /// [`Mistake::NotAttached`](crate::Mistake::NotAttached).
    #[doc(alias = "currentPassDescription")]
    pub fn observe_pass_description(
        &self,
        observer: impl Fn(Option<&PassDescription>) + Send + Sync + 'static,
    ) -> Result<(), UsageError> {
        self.observe("observe_pass_description", Observable::Pass, move |heard| {
            if let Observation::Pass(description) = heard {
                observer(description.as_ref());
            }
        })
    }

    /// Says that all media of this pass came. With several passes, the input is not ready until it is decided
    /// what is wanted again, and [`current_pass_description`](Self::current_pass_description) says so then;
    /// with one, that is nothing at once. It does not finish the input. A standing request for media data
    /// ends: each pass has its own.
    ///
    /// # Errors
    /// Before the writer starts, while the next pass is being decided on, when all passes are over, and for
    /// an input that is finished.
    #[doc(alias = "markCurrentPassAsFinished")]
    pub fn mark_current_pass_as_finished(&self) -> Result<(), UsageError> {
        let (shared, id) = self.attached("mark_current_pass_as_finished")?;
        shared.change(|state| state.mark_pass_finished(id))
    }

    /// Has `block` called in `queue` for the current pass, for each one that follows, and at last when there
    /// is none any more. The block looks at [`current_pass_description`](Self::current_pass_description): if
    /// there is one it goes to its ranges in the source and requests media data; if not it calls
    /// [`mark_as_finished`](Self::mark_as_finished), after which it is called no more.
    ///
    /// # Errors
    /// Before the writer starts, and a second time.
    #[doc(alias = "respondToEachPassDescriptionOnQueue:usingBlock:")]
    pub fn respond_to_each_pass_description(
        &self,
        queue: Arc<dyn Queue>,
        mut block: impl FnMut(&Self) + Send + 'static,
    ) -> Result<(), UsageError> {
        const CALL: &str = "respond_to_each_pass_description";
        let (shared, id) = self.attached(CALL)?;
        let input = self.clone();
        let mut handler = Some(Handler::new(queue, move || block(&input)));
        shared.change_with(|state, clients| {
            state.respond(CALL, id)?;
            clients.tracks[id.index()].responder = handler.take();
            Ok(())
        })
    }

    /// What the current pass asks for. Nothing before the writer starts, and when all passes are over. Of an
    /// input with one pass: everything.
    #[doc(alias = "currentPassDescription")]
    pub fn current_pass_description(&self) -> Option<PassDescription> {
        self.look(|state, id| state.track(id).passes.description().cloned())?
    }

    pub(super) fn is_in_pass(&self) -> bool {
        self.look(|state, id| state.track(id).passes.is_open()).unwrap_or(false)
    }

    /// The pass that it is in, when that is decided; else a future is woken then.
    pub(super) fn pass_or_wake(&self, waker: &Waker) -> Poll<Result<Option<PassDescription>, CallError>> {
        const CALL: &str = "next";
        let (shared, id) = match self.attached(CALL) {
            Ok(track) => track,
            Err(error) => return Poll::Ready(Err(error.into())),
        };
        let current = shared.change_with(|state, clients| {
            let current = state.current_pass(CALL, id);
            if matches!(current, CurrentPass::Deciding) {
                clients.tracks[id.index()].wake(Awaited::Pass, waker);
            }
            current
        });
        match current {
            CurrentPass::Deciding => Poll::Pending,
            CurrentPass::Is(description) => Poll::Ready(Ok(description)),
            CurrentPass::Usage(error) => Poll::Ready(Err(error.into())),
            CurrentPass::Failed(error) => Poll::Ready(Err(error.into())),
        }
    }
}
