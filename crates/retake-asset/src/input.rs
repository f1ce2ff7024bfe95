use crate::core::{Core, Session, Shared};
use crate::error::{AppendError, Mistake, UsageError, WriterError};
use crate::media::{MediaSample, MediaType};
use crate::options::InputOptions;
use crate::passes::PassDescription;
use crate::queue::Queue;
use crate::status::WriterStatus;
use retake_libav::TrackFormat;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

/// One track of a film that is being written: what a client appends to. Handles are shared: all clones are the same input.
#[doc(alias = "AVAssetWriterInput")]
#[derive(Clone)]
pub struct AssetWriterInput(Arc<Inner>);

struct Inner {
    format: TrackFormat,
    options: Mutex<InputOptions>,
    attachment: OnceLock<Attachment>,
}

struct Attachment {
    // the writer owns its inputs, not the other way round
    writer: Weak<Shared>,
    index: usize,
}

impl AssetWriterInput {
    /// An input for samples that are stored as they come, of this format.
    #[doc(alias = "initWithMediaType:outputSettings:sourceFormatHint:")]
    pub fn passthrough(format: TrackFormat) -> Self {
        Self(Arc::new(Inner { format, options: Mutex::default(), attachment: OnceLock::new() }))
    }

    /// What kind of media it takes.
    pub fn media_type(&self) -> MediaType {
        MediaType::of(&self.0.format)
    }

    /// A copy of its properties.
    pub fn options(&self) -> InputOptions {
        self.options_lock().clone()
    }

    /// Changes properties, all at once.
    ///
    /// # Errors
    /// [`Mistake::Status`] once the writer has started, [`Mistake::BadValue`]; nothing is changed then.
    pub fn configure(&self, change: impl FnOnce(&mut InputOptions)) -> Result<(), UsageError> {
        const CALL: &str = "configure";
        let apply = || {
            let mut options = self.options();
            change(&mut options);
            options.check().map_err(|mistake| UsageError { call: CALL, mistake })?;
            *self.options_lock() = options;
            Ok(())
        };
        match self.0.attachment.get() {
            None => apply(),
            Some(attachment) => {
                let writer = attachment.writer(CALL)?;
                let status = writer.look(|core| core.status);
                if status != WriterStatus::Unknown {
                    let mistake = Mistake::Status { is: status, wants: "not started" };
                    return Err(UsageError { call: CALL, mistake });
                }
                apply()
            }
        }
    }

    /// Whether more is welcome: appending now fits the writer's memory and keeps the tracks together. A level that goes up and down;
    /// false before the writer starts, and when it ends.
    #[doc(alias = "isReadyForMoreMediaData")]
    pub fn is_ready_for_more_media_data(&self) -> bool {
        self.with(|core, index| core.lanes[index].ready).unwrap_or(false)
    }

    /// Waits until the input is ready, or until it never will be again (finished, failed, cancelled), at most so long. Answers whether it is.
    ///
    /// A client that feeds several inputs from one thread must not wait here for one while another is empty and not finished: the
    /// writer waits for that one, to interleave (AW-5).
    pub fn wait_until_ready(&self, longest: Duration) -> bool {
        let Some((writer, index)) = self.attached() else { return false };
        let over = |core: &Core| !core.is_open() || core.lanes[index].passes.is_finished();
        let answer = writer.wait_for(longest, |core| match core.lanes[index].ready {
            true => Some(true),
            false => over(core).then_some(false),
        });
        answer.unwrap_or(false)
    }

    /// Has every change of readiness told, on whatever thread it happens. The observer must not wait for the writer.
    ///
    /// # Errors
    /// [`Mistake::NotAttached`].
    pub fn observe_readiness(
        &self,
        observer: impl Fn(bool) + Send + Sync + 'static,
    ) -> Result<(), UsageError> {
        let (writer, index) = self.require("observe_readiness")?;
        writer.change(|core| core.lanes[index].observe(Arc::new(observer)));
        Ok(())
    }

    /// Appends a sample; the input owns it then. Samples come in decode order.
    ///
    /// # Errors
    /// [`AppendError::NotReady`] gives it back. [`AppendError::Failed`] when the writer has failed. [`AppendError::Usage`] outside of a session,
    /// after the input was finished, and for samples that do not belong here; all of these change nothing.
    #[doc(alias = "appendSampleBuffer:")]
    pub fn append(&self, sample: impl Into<MediaSample>) -> Result<(), AppendError<MediaSample>> {
        const CALL: &str = "append";
        let sample = sample.into();
        let Some((writer, index)) = self.attached() else {
            return Err(AppendError::usage(CALL, self.unattached()));
        };
        self.check_format(&sample).map_err(|mistake| AppendError::usage(CALL, mistake))?;
        writer.change(|core| {
            core.admits(CALL, index)?;
            let time = sample.decode_time();
            let refuse = |mistake| Err(AppendError::usage(CALL, mistake));
            if !time.is_numeric() || !sample.is_marker() && !sample.sample.pts.is_numeric() {
                return refuse(Mistake::BadTime(time));
            }
            if core.lanes[index].last.is_some_and(|last| time <= last) {
                return refuse(Mistake::TimeGoesBack(time));
            }
            if !core.lanes[index].ready {
                return Err(AppendError::NotReady(Box::new(sample)));
            }
            core.push(index, sample);
            Ok(())
        })
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

    /// Says that nothing more comes. Others no longer wait for this input. In an input with several passes, the newest version of each frame is
    /// kept. Once more is nothing.
    ///
    /// # Errors
    /// Before the writer starts, and while the next pass is being decided on.
    #[doc(alias = "markAsFinished")]
    pub fn mark_as_finished(&self) -> Result<(), UsageError> {
        let (writer, index) = self.require("mark_as_finished")?;
        writer.change(|core| core.mark_finished(index))
    }

    /// Whether several passes can be had. False until they are asked for by [`InputOptions::multi_pass`]; final once the writer has started. It
    /// does not promise a second pass.
    #[doc(alias = "canPerformMultiplePasses")]
    pub fn can_perform_multiple_passes(&self) -> bool {
        false
    }

    /// What the current pass asks for. Nothing before the writer starts, and when all passes are over. Of an input with one pass: everything.
    #[doc(alias = "currentPassDescription")]
    pub fn current_pass_description(&self) -> Option<PassDescription> {
        self.with(|core, index| core.lanes[index].passes.description().cloned())?
    }

    pub(crate) fn format(&self) -> Option<TrackFormat> {
        Some(self.0.format.clone())
    }

    pub(crate) fn is_attached(&self) -> bool {
        self.0.attachment.get().is_some()
    }

    /// Makes it one of a writer's; `false` if it is another's already.
    pub(crate) fn attach(&self, writer: &Arc<Shared>, index: usize) -> bool {
        self.0.attachment.set(Attachment { writer: Arc::downgrade(writer), index }).is_ok()
    }

    fn check_format(&self, sample: &MediaSample) -> Result<(), Mistake> {
        match (&sample.format, &self.0.format) {
            (Some(format), TrackFormat::Video(own)) if **format == *own => Ok(()),
            (Some(_), _) => Err(Mistake::WrongMedia("samples of the format that it was made with")),
            (None, _) => Ok(()),
        }
    }

    fn attached(&self) -> Option<(Arc<Shared>, usize)> {
        let attachment = self.0.attachment.get()?;
        Some((attachment.writer.upgrade()?, attachment.index))
    }

    fn unattached(&self) -> Mistake {
        match self.is_attached() {
            // a writer that is dropped is cancelled
            true => Mistake::Status { is: WriterStatus::Cancelled, wants: "writing" },
            false => Mistake::NotAttached,
        }
    }

    fn require(&self, call: &'static str) -> Result<(Arc<Shared>, usize), UsageError> {
        self.attached().ok_or_else(|| UsageError { call, mistake: self.unattached() })
    }

    fn with<T>(&self, look: impl FnOnce(&Core, usize) -> T) -> Option<T> {
        let (writer, index) = self.attached()?;
        Some(writer.look(|core| look(core, index)))
    }

    fn options_lock(&self) -> MutexGuard<'_, InputOptions> {
        self.0.options.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attachment {
    fn writer(&self, call: &'static str) -> Result<Arc<Shared>, UsageError> {
        let mistake = Mistake::Status { is: WriterStatus::Cancelled, wants: "not started" };
        self.writer.upgrade().ok_or(UsageError { call, mistake })
    }
}

impl Core {
    /// Whether media can come to an input at all, ready or not (AI-9).
    fn admits<T>(&self, call: &'static str, index: usize) -> Result<(), AppendError<T>> {
        if self.status == WriterStatus::Failed {
            let error = self.error.clone().unwrap_or(WriterError::Cancelled);
            return Err(AppendError::Failed(error));
        }
        if !self.is_open() {
            return Err(AppendError::Usage(self.wrong_status(call, "writing")));
        }
        let refuse = |mistake| Err(AppendError::usage(call, mistake));
        if self.lanes[index].passes.is_finished() {
            return refuse(Mistake::InputFinished);
        }
        match self.session {
            Session::None => refuse(Mistake::NoSession),
            Session::Ended { .. } => refuse(Mistake::SessionEnded),
            Session::Started { .. } if !self.lanes[index].passes.is_open() => refuse(Mistake::NoPass),
            Session::Started { .. } => Ok(()),
        }
    }
}

impl fmt::Debug for AssetWriterInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetWriterInput")
            .field("media_type", &self.media_type())
            .field("attached", &self.is_attached())
            .finish_non_exhaustive()
    }
}
