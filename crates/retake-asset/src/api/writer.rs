use super::group::AssetWriterInputGroup;
use super::input::AssetWriterInput;
use super::video::VideoSettings;
use crate::output::{Existing, OutputTarget};
use crate::run::clients::{Completion, OpenOutput, TrackClients};
use crate::run::shell::Shared;
use crate::run::store;
use crate::state::associations::Association;
use crate::state::phase::Phase;
use crate::state::track::AppendMode;
use crate::state::{Destination, Ending, WriterState, can_hold};
use crate::types::encoder::EncoderSetup;
use crate::types::error::{CallError, UsageError, WriterError};
use crate::types::media::MediaType;
use crate::types::options::{InputOptions, WriterOptions};
use crate::types::segment::{SegmentDelegate, SegmentProfile};
use crate::types::status::WriterStatus;
use retake_libav::{Container, SoundSettings, TrackFormat};
use retake_media::Time;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Writes one film from samples, or from frames that its inputs encode.
///
/// Set it up, [`add`](Self::add) inputs, [`start_writing`](Self::start_writing),
/// [`start_session`](Self::start_session), append to the inputs, and
/// [`finish_writing`](Self::finish_writing). All calls can come from any thread. A writer that is dropped
/// before it is finished is cancelled.
///
/// The output's place holds nothing or the finished film: what is written has another name until then, and
/// goes away unless it is finished.
#[doc(alias = "AVAssetWriter")]
pub struct AssetWriter {
    shared: Arc<Shared>,
    file: PathBuf,
    container: Container,
    handles: Mutex<Handles>,
}

/// What a client gave a writer, to be given back: the state knows it by numbers.
#[derive(Default)]
pub(super) struct Handles {
    pub(super) inputs: Vec<AssetWriterInput>,
    pub(super) groups: Vec<AssetWriterInputGroup>,
}

impl AssetWriter {
    /// A writer for a film at `file`, where nothing may be when it starts.
    #[doc(alias = "initWithURL:fileType:error:")]
    pub fn new(file: impl Into<PathBuf>, container: Container) -> Self {
        Self::of(Destination { container, file: file.into(), segments: None })
    }

    /// A writer that gives segments to a delegate, and writes no file: for streams of this profile.
    #[doc(alias = "initWithContentType:")]
    #[doc(alias = "outputFileTypeProfile")]
    pub fn segments(profile: SegmentProfile, delegate: impl SegmentDelegate + 'static) -> Self {
        let (file, container) = (PathBuf::from("segments"), Container::Mp4);
        let writer = Self::of(Destination { container, file, segments: Some(profile) });
        writer.shared.change_with(|_, clients| clients.delegate = Some(Box::new(delegate)));
        writer
    }

    fn of(destination: Destination) -> Self {
        let (file, container) = (destination.file.clone(), destination.container);
        Self { shared: Shared::new(destination), file, container, handles: Mutex::default() }
    }

    /// Ends the segment before the next sample, which has to be a sync sample. The segment goes to the
    /// delegate when that sample comes, or at the end.
    ///
    /// # Errors
    /// Without a delegate, with an interval that is not [`Time::INDEFINITE`], without a session, in any
    /// status but *writing*.
    #[doc(alias = "flushSegment")]
    pub fn flush_segment(&self) -> Result<(), UsageError> {
        self.shared.change(|state| state.flush_segment())
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
        use MediaType::{Audio, ClosedCaption, Metadata, Subtitle, Text, Timecode, Video};
        match self.shared.look(|state| state.destination().segments) {
            Some(_) => &[Video, Audio],
            None if self.container == Container::Mov => {
                &[Video, Audio, Subtitle, Text, ClosedCaption, Timecode, Metadata]
            }
            None if self.container.is_iso() => &[Video, Audio, Subtitle, Text, Timecode, Metadata],
            None => &[Video, Audio, Subtitle, Text],
        }
    }

    /// Where it is in its life. Still [`WriterStatus::Writing`] while it finishes.
    #[doc(alias = "AVAssetWriter.status")]
    pub fn status(&self) -> WriterStatus {
        self.shared.look(|state| state.phase().status())
    }

    /// Why it failed; nothing in any other status.
    #[doc(alias = "AVAssetWriter.error")]
    pub fn error(&self) -> Option<WriterError> {
        self.shared.look(|state| state.phase().error().cloned())
    }

    /// What the container could not keep of the inputs and of [`WriterOptions::other_tracks`], in plain
    /// sentences. Complete when the writer has completed.
    pub fn notes(&self) -> Vec<String> {
        self.shared.look(|state| state.notes().to_vec())
    }

    /// A copy of its properties.
    pub fn options(&self) -> WriterOptions {
        self.shared.look(|state| state.options().clone())
    }

    /// Changes properties, all at once.
    ///
    /// # Errors
    /// [`Mistake::Status`](crate::Mistake::Status) once it has started (AW-3),
    /// [`Mistake::BadValue`](crate::Mistake::BadValue); nothing is changed then.
    pub fn configure(&self, change: impl FnOnce(&mut WriterOptions)) -> Result<(), UsageError> {
        const CALL: &str = "configure";
        let mut options = self.options();
        change(&mut options);
        options.check().map_err(|mistake| UsageError { call: CALL, mistake })?;
        self.shared.change(|state| state.configure(CALL, options))
    }

    /// Whether the container takes a track of this format.
    #[doc(alias = "canApplyOutputSettings:forMediaType:")]
    pub fn can_apply(&self, format: &TrackFormat) -> bool {
        can_hold(self.container, format)
    }

    /// Whether the container takes what these settings encode to. What an encoder does not take of them shows
    /// when the input is made.
    #[doc(alias = "canApplyOutputSettings:forMediaType:")]
    pub fn can_apply_video(&self, settings: &VideoSettings) -> bool {
        self.container.can_hold(settings.codec)
    }

    /// The same of settings of sound.
    #[doc(alias = "canApplyOutputSettings:forMediaType:")]
    pub fn can_apply_sound(&self, settings: &SoundSettings) -> bool {
        self.container.can_hold_sound(settings.codec.name())
    }

    /// Whether [`add`](Self::add) would take the input.
    #[doc(alias = "canAddInput:")]
    pub fn can_add(&self, input: &AssetWriterInput) -> bool {
        // a copy, because the input may become one of this writer's at any time, and its setup is behind the
        // writer's lock then
        let setup = input.setup(Clone::clone);
        let fits = |state: &WriterState| state.is_idle() && state.refuses_track(&setup).is_none();
        !input.is_attached() && self.shared.look(fits)
    }

    /// Adds an input; it becomes the next track of the film.
    ///
    /// # Errors
    /// [`Mistake::Status`](crate::Mistake::Status) once it has started,
    /// [`Mistake::Attached`](crate::Mistake::Attached) for an input of any writer,
    /// [`Mistake::CannotAdd`](crate::Mistake::CannotAdd) for a format that the container does not take.
    #[doc(alias = "addInput:")]
    pub fn add(&self, input: &AssetWriterInput) -> Result<(), UsageError> {
        self.attach("add", input)
    }

    /// Adds an input that only something else appends to.
    pub(super) fn add_with_mode(
        &self,
        call: &'static str,
        input: &AssetWriterInput,
        mode: AppendMode,
    ) -> Result<(), UsageError> {
        if !self.can_add(input) {
            // for the reason that adding gives
            return self.attach(call, input);
        }
        input.set_mode(call, mode)?;
        self.attach(call, input)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attach(&self, call: &'static str, input: &AssetWriterInput) -> Result<(), UsageError> {
        // held until it is in both lists, so that its number is its place here
        let mut handles = self.handles();
        input.attach(&self.shared, |setup, attached, encoder| {
            self.shared.change_with(|state, clients| {
                let id = state.add_track(call, setup, attached)?;
                clients.tracks.push(TrackClients { encoder, ..TrackClients::default() });
                Ok(id)
            })
        })?;
        handles.inputs.push(input.clone());
        Ok(())
    }

    /// All inputs, in the order they were added.
    #[doc(alias = "AVAssetWriter.inputs")]
    pub fn inputs(&self) -> Vec<AssetWriterInput> {
        self.handles().inputs.clone()
    }

    /// Starts: files are made, and inputs become ready.
    ///
    /// # Errors
    /// A [`UsageError`] unless it is not started. A [`WriterError`] makes the status *failed*:
    /// [`WriterError::FileExists`], [`WriterError::Io`] for a folder that cannot be written to,
    /// [`WriterError::Misconfigured`].
    #[doc(alias = "startWriting")]
    pub fn start_writing(&self) -> Result<(), CallError> {
        self.shared.change(|state| state.begin_start())?;
        self.open().inspect_err(|error| {
            self.shared.release_encoders();
            if let CallError::Failed(error) = error {
                self.shared.change(|state| state.end(Ending::Failed(error.clone())));
            }
        })
    }

    /// Opens the encoders and the output, and has a thread store.
    fn open(&self) -> Result<(), CallError> {
        self.open_encoders()?;
        let associations = self.associations();
        self.shared.look(|state| state.check_start(&associations))?;
        let output = self.open_output()?;
        self.shared.change_with(|state, clients| {
            clients.output = Some(output);
            state.start(associations)
        })?;
        store::spawn(self.shared.clone()).map_err(WriterError::io(&self.file))?;
        Ok(())
    }

    fn open_encoders(&self) -> Result<(), WriterError> {
        let directory_for_temporary_files = self.options().directory_for_temporary_files;
        let (segments, ids) = self.shared.look(|state| (state.segment_boundaries(), state.track_ids()));
        for id in ids {
            let encoder = self.shared.change_with(|_, clients| clients.tracks[id.index()].encoder.clone());
            let Some(encoder) = encoder else { continue };
            let options = self.shared.look(|state| state.track(id).setup.options.clone());
            let InputOptions { multi_pass, real_time, .. } = options;
            let directory_for_temporary_files = directory_for_temporary_files.clone();
            let container = Some(self.container);
            let setup =
                EncoderSetup { multi_pass, real_time, directory_for_temporary_files, container, segments };
            let (format, takes_passes) = encoder.open(&setup)?;
            self.shared.change(|state| state.encoder_opened(id, format, takes_passes));
        }
        Ok(())
    }

    /// What tracks are to each other, by their numbers.
    fn associations(&self) -> Vec<Association> {
        self.inputs().iter().flat_map(|input| input.associations_in(&self.shared)).collect()
    }

    fn open_output(&self) -> Result<OpenOutput, WriterError> {
        let profile = self.shared.look(|state| state.destination().segments);
        let delegate = self.shared.change_with(|_, clients| clients.delegate.take());
        if let (Some(profile), Some(delegate)) = (profile, delegate) {
            return Ok(OpenOutput::Segments(profile, delegate));
        }
        let output = OutputTarget::new(&self.file, Existing::Keep);
        output.check()?;
        if let Some(folder) = self.options().directory_for_temporary_files {
            // told now, not when all is encoded
            output.unfinished_file(&folder)?;
        }
        output.unfinished_file(output.folder())?;
        Ok(OpenOutput::Film(output))
    }

    /// Starts the session: what is shown at `start` in the source's time is the beginning of the film. Media
    /// before it is stored, and edited out; a track that begins later begins with nothing. Matroska has no
    /// edits: there, all is moved so that the first sample comes at zero or later.
    ///
    /// # Errors
    /// A second session, a start that is no number, any status but *writing*.
    #[doc(alias = "startSessionAtSourceTime:")]
    pub fn start_session(&self, start: Time) -> Result<(), UsageError> {
        self.shared.change(|state| state.start_session(start))
    }

    /// Ends the session: media later than `end` is stored, and edited out. Nothing can be appended
    /// afterwards. Without this call the film ends with its last sample. In Matroska nothing is edited out.
    ///
    /// # Errors
    /// No session, a session that has ended, an end that is no number or before the start, any status but
    /// *writing*.
    #[doc(alias = "endSessionAtSourceTime:")]
    pub fn end_session(&self, end: Time) -> Result<(), UsageError> {
        self.shared.change(|state| state.end_session(end))
    }

    /// Finishes: all inputs are finished, what waits is stored, the film completed and put in its place.
    /// Returns at once; `completion` is called once, on a thread of the writer, with how it ended, whatever
    /// happens. The status stays *writing* until then.
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
        let mut completion = Some(completion);
        self.shared.change_with(|state, clients| {
            state.finish()?;
            clients.completion = completion.take().map(|completion| Box::new(completion) as Completion);
            Ok(())
        })
    }

    /// [`finish_writing`](Self::finish_writing), and waits for the end. Not to be called on a thread of the
    /// writer.
    ///
    /// # Errors
    /// As there; and what it failed of.
    #[doc(alias = "finishWriting")]
    pub fn finish_writing_and_wait(&self) -> Result<(), CallError> {
        self.finish_writing(|_| ())?;
        self.shared.wait_for_worker();
        self.shared.look(|state| match state.phase() {
            Phase::Completed => Ok(()),
            phase => Err(phase.error().cloned().unwrap_or(WriterError::Cancelled).into()),
        })
    }

    /// Stops, and removes everything that was written. Returns when that is done. Nothing happens to a writer
    /// that has completed or failed.
    #[doc(alias = "cancelWriting")]
    pub fn cancel_writing(&self) {
        if self.shared.change(|state| state.cancel()) {
            self.shared.release_encoders();
        }
        self.shared.wait_for_worker();
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
