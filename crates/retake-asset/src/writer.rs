use crate::core::encoding;
use crate::core::lane::Lane;
use crate::core::{Completion, Core, Shared, Target, store};
use crate::encoder::EncoderSetup;
use crate::error::{CallError, Mistake, UsageError, WriterError};
use crate::input::{AssetWriterInput, Face};
use crate::media::MediaType;
use crate::options::{InputOptions, WriterOptions};
use crate::segment::{SegmentDelegate, SegmentProfile};
use crate::status::WriterStatus;
use retake_libav::{Container, TrackFormat};
use retake_media::Time;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// Writes one film from samples, or from frames that its inputs encode.
///
/// Set it up, [`add`](Self::add) inputs, [`start_writing`](Self::start_writing), [`start_session`](Self::start_session), append to the
/// inputs, and [`finish_writing`](Self::finish_writing). All calls can come from any thread. A writer that is dropped before it is finished is
/// cancelled.
///
/// The output's place holds nothing or the finished film: what is written has another name until then, and goes away unless it is finished.
#[doc(alias = "AVAssetWriter")]
pub struct AssetWriter {
    shared: Arc<Shared>,
    file: PathBuf,
    container: Container,
}

impl AssetWriter {
    /// A writer for a film at `file`, where nothing may be when it starts.
    #[doc(alias = "initWithURL:fileType:error:")]
    pub fn new(file: impl Into<PathBuf>, container: Container) -> Self {
        let file = file.into();
        let shared = Shared::new(Target { container, file: file.clone(), segments: None });
        Self { shared, file, container }
    }

    /// A writer that gives segments to a delegate, and writes no file: for streams of this profile.
    #[doc(alias = "initWithContentType:")]
    #[doc(alias = "outputFileTypeProfile")]
    pub fn segments(profile: SegmentProfile, delegate: impl SegmentDelegate + 'static) -> Self {
        let (file, container) = (PathBuf::from("segments"), Container::Mp4);
        let shared = Shared::new(Target { container, file: file.clone(), segments: Some(profile) });
        shared.change(|core| core.delegate = Some(Box::new(delegate)));
        Self { shared, file, container }
    }

    /// Ends the segment before the next sample, which has to be a sync sample. The segment goes to the delegate when that sample comes, or at the
    /// end.
    ///
    /// # Errors
    /// Without a delegate, with an interval that is not [`Time::INDEFINITE`], without a session, in any status but *writing*.
    #[doc(alias = "flushSegment")]
    pub fn flush_segment(&self) -> Result<(), UsageError> {
        self.shared.change(|core| core.flush_segment())
    }

    /// Where the film is to be.
    #[doc(alias = "outputURL")]
    pub fn output_file(&self) -> &Path {
        &self.file
    }

    /// The kind of file.
    #[doc(alias = "outputFileType")]
    pub fn container(&self) -> Container {
        self.container
    }

    /// What kinds of media the container takes.
    #[doc(alias = "availableMediaTypes")]
    pub fn available_media_types(&self) -> &'static [MediaType] {
        &[MediaType::Video, MediaType::Audio]
    }

    /// Where it is in its life. Still [`WriterStatus::Writing`] while it finishes.
    #[doc(alias = "AVAssetWriter.status")]
    pub fn status(&self) -> WriterStatus {
        self.shared.look(Core::visible_status)
    }

    /// Why it failed; nothing in any other status.
    #[doc(alias = "AVAssetWriter.error")]
    pub fn error(&self) -> Option<WriterError> {
        self.shared.look(Core::visible_error)
    }

    /// What the container could not keep of the inputs and of [`WriterOptions::other_tracks`], in plain sentences. Complete when the
    /// writer has completed.
    pub fn notes(&self) -> Vec<String> {
        self.shared.look(|core| core.notes.clone())
    }

    /// A copy of its properties.
    pub fn options(&self) -> WriterOptions {
        self.shared.look(|core| core.options.clone())
    }

    /// Changes properties, all at once.
    ///
    /// # Errors
    /// [`Mistake::Status`] once it has started (AW-3), [`Mistake::BadValue`]; nothing is changed then.
    pub fn configure(&self, change: impl FnOnce(&mut WriterOptions)) -> Result<(), UsageError> {
        const CALL: &str = "configure";
        let mut options = self.options();
        change(&mut options);
        options.check().map_err(|mistake| UsageError { call: CALL, mistake })?;
        self.shared.change(|core| {
            if core.status != WriterStatus::Unknown {
                return Err(core.wrong_status(CALL, "not started"));
            }
            core.options = options;
            Ok(())
        })
    }

    /// Whether the container takes a track of this format.
    #[doc(alias = "canApplyOutputSettings:forMediaType:")]
    pub fn can_apply(&self, format: &TrackFormat) -> bool {
        match format {
            TrackFormat::Video(format) => self.container.can_hold(format.codec),
            TrackFormat::Audio(format) => self.container.can_hold_sound(&format.codec),
            _ => false,
        }
    }

    /// Whether [`add`](Self::add) would take the input.
    #[doc(alias = "canAddInput:")]
    pub fn can_add(&self, input: &AssetWriterInput) -> bool {
        let status = self.shared.look(|core| core.status);
        let refusal = || self.shared.look(|core| self.refusal(core, input));
        status == WriterStatus::Unknown && refusal().is_none()
    }

    /// Adds an input; it becomes the next track of the film.
    ///
    /// # Errors
    /// [`Mistake::Status`] once it has started, [`Mistake::Attached`] for an input of any writer, [`Mistake::CannotAdd`] for a format that the
    /// container does not take.
    #[doc(alias = "addInput:")]
    pub fn add(&self, input: &AssetWriterInput) -> Result<(), UsageError> {
        self.attach("add", input)
    }

    /// Adds an input that only something else appends to.
    pub(crate) fn add_with_face(
        &self,
        call: &'static str,
        input: &AssetWriterInput,
        face: Face,
    ) -> Result<(), UsageError> {
        if !self.can_add(input) {
            // for the reason that adding gives
            return self.attach(call, input);
        }
        input.take_face(call, face)?;
        self.attach(call, input)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn attach(&self, call: &'static str, input: &AssetWriterInput) -> Result<(), UsageError> {
        self.shared.change(|core| {
            if core.status != WriterStatus::Unknown {
                return Err(core.wrong_status(call, "not started"));
            }
            if let Some(mistake) = self.refusal(core, input) {
                return Err(UsageError { call, mistake });
            }
            if !input.attach(&self.shared, core.lanes.len()) {
                return Err(UsageError { call, mistake: Mistake::Attached });
            }
            core.lanes.push(Lane::new(input.clone()));
            Ok(())
        })
    }

    /// All inputs, in the order they were added.
    #[doc(alias = "AVAssetWriter.inputs")]
    pub fn inputs(&self) -> Vec<AssetWriterInput> {
        self.shared.look(|core| core.inputs())
    }

    fn refusal(&self, core: &Core, input: &AssetWriterInput) -> Option<Mistake> {
        if input.is_attached() {
            return Some(Mistake::Attached);
        }
        let same = |lane: &Lane| lane.input.media_type() == input.media_type();
        match core.target.segments {
            Some(SegmentProfile::Cmaf) if !core.lanes.is_empty() => {
                return Some(Mistake::CannotAdd("each stream of this profile has one track"));
            }
            Some(SegmentProfile::AppleHls) if core.lanes.iter().any(same) => {
                return Some(Mistake::CannotAdd("segments hold one track of each media type"));
            }
            _ => {}
        }
        match input.format() {
            Some(format) if !self.can_apply(&format) => {
                Some(Mistake::CannotAdd("the container cannot hold its coding format"))
            }
            _ => None,
        }
    }

    /// Starts: files are made, and inputs become ready.
    ///
    /// # Errors
    /// A [`UsageError`] unless it is not started. A [`WriterError`] makes the status *failed*: [`WriterError::FileExists`],
    /// [`WriterError::Io`] for a folder that cannot be written to, [`WriterError::Misconfigured`].
    #[doc(alias = "startWriting")]
    pub fn start_writing(&self) -> Result<(), CallError> {
        let inputs = self.shared.change(|core| core.begin_start())?;
        let begun = self.open(&inputs).and_then(|()| self.shared.change(|core| core.start()));
        if let Err(error) = begun {
            encoding::release(&inputs);
            if let CallError::Failed(error) = &error {
                self.shared.change(|core| core.end(WriterStatus::Failed, Some(error.clone())));
            }
            return Err(error);
        }
        let shared = self.shared.clone();
        let spawned = thread::Builder::new().name("retake writer".into()).spawn(move || {
            shared.change(|core| core.worker = Some(thread::current().id()));
            store::run(&shared);
        });
        spawned.map(drop).map_err(|error| {
            let error = WriterError::io(&self.file)(error);
            encoding::release(&inputs);
            self.shared.change(|core| core.end(WriterStatus::Failed, Some(error.clone())));
            error.into()
        })
    }

    /// Opens the encoders.
    fn open(&self, inputs: &[AssetWriterInput]) -> Result<(), CallError> {
        let options = self.options();
        let segments = self.shared.look(|core| core.segment_boundaries());
        for input in inputs {
            let Some(encoder) = input.encoder() else { continue };
            let InputOptions { multi_pass, real_time, .. } = input.options();
            let directory_for_temporary_files = options.directory_for_temporary_files.clone();
            encoder.open(&EncoderSetup { multi_pass, real_time, directory_for_temporary_files, segments })?;
        }
        Ok(())
    }

    /// Starts the session: what is shown at `start` in the source's time is the beginning of the film. Media before it is stored, and
    /// edited out; a track that begins later begins with nothing. Matroska has no edits: there, all is moved so that the first
    /// sample comes at zero or later.
    ///
    /// # Errors
    /// A second session, a start that is no number, any status but *writing*.
    #[doc(alias = "startSessionAtSourceTime:")]
    pub fn start_session(&self, start: Time) -> Result<(), UsageError> {
        self.shared.change(|core| core.start_session(start))
    }

    /// Ends the session: media later than `end` is stored, and edited out. Nothing can be appended afterwards. Without this call the film
    /// ends with its last sample. In Matroska nothing is edited out.
    ///
    /// # Errors
    /// No session, a session that has ended, an end that is no number or before the start, any status but *writing*.
    #[doc(alias = "endSessionAtSourceTime:")]
    pub fn end_session(&self, end: Time) -> Result<(), UsageError> {
        self.shared.change(|core| core.end_session(end))
    }

    /// Finishes: all inputs are finished, what waits is stored, the film completed and put in its place. Returns at once; `completion` is
    /// called once, on a thread of the writer, with how it ended, whatever happens. The status stays *writing* until then.
    ///
    /// Of a writer that has failed already the completion hears at once.
    ///
    /// # Errors
    /// Any status but *writing* and *failed*, and a second call; the completion is not called then.
    #[doc(alias = "finishWritingWithCompletionHandler:")]
    pub fn finish_writing(
        &self,
        completion: impl FnOnce(Result<(), WriterError>) + Send + 'static,
    ) -> Result<(), UsageError> {
        let completion: Completion = Box::new(completion);
        self.shared.change(|core| core.finish(&self.shared, completion))
    }

    /// [`finish_writing`](Self::finish_writing), and waits for the end. Not to be called on a thread of the writer.
    ///
    /// # Errors
    /// As there; and what it failed of.
    #[doc(alias = "finishWriting")]
    pub fn finish_writing_and_wait(&self) -> Result<(), CallError> {
        self.finish_writing(|_| ())?;
        self.wait_for_worker();
        self.shared.look(|core| match (core.status, &core.error) {
            (WriterStatus::Completed, _) => Ok(()),
            (_, Some(error)) => Err(error.clone().into()),
            (_, None) => Err(WriterError::Cancelled.into()),
        })
    }

    /// Stops, and removes everything that was written. Returns when that is done. Nothing happens to a writer that has completed or failed.
    #[doc(alias = "cancelWriting")]
    pub fn cancel_writing(&self) {
        let mut inputs = Vec::new();
        self.shared.change(|core| match core.status {
            WriterStatus::Unknown => {
                core.end(WriterStatus::Cancelled, Some(WriterError::Cancelled));
                inputs = core.inputs();
            }
            // one that is about to fail fails
            WriterStatus::Writing if core.failure.is_none() => {
                core.cancelling = true;
                inputs = core.inputs();
            }
            _ => {}
        });
        encoding::release(&inputs);
        self.wait_for_worker();
    }

    /// Waits until the thread of the writer is done with it; not on that thread.
    fn wait_for_worker(&self) {
        let own = thread::current().id();
        self.shared.wait(|core| {
            let runs = core.status == WriterStatus::Writing || core.worker.is_some() || core.helpers > 0;
            (!runs || core.worker == Some(own)).then_some(())
        });
    }
}

impl Drop for AssetWriter {
    fn drop(&mut self) {
        self.cancel_writing();
    }
}

impl std::fmt::Debug for AssetWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssetWriter")
            .field("file", &self.file)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
