use super::association::Associations;
use super::sound::SoundLayout;
use crate::run::encoder::{EncoderHandle, TrackEncoder};
use crate::run::shell::Shared;
use crate::state::WriterState;
use crate::state::passes::Shape;
use crate::state::track::{AppendMode, Media, TrackId, TrackSetup, TrackSource};
use crate::types::encoder::InputEncoder;
use crate::types::error::{AppendError, Mistake, UsageError};
use crate::types::media::{MediaSample, MediaType};
use crate::types::options::InputOptions;
use retake_libav::TrackFormat;
use retake_media::{Caption, MetadataFormat, PixelBuffer, PixelBufferAttributes, Time, TimedMetadataGroup};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// One track of a film that is being written: what a client appends to. Handles are shared: all clones are
/// the same input.
#[doc(alias = "AVAssetWriterInput")]
#[derive(Clone)]
pub struct AssetWriterInput(pub(super) Arc<Inner>);

pub(super) struct Inner {
    encoder: Encoder,
    attachment: OnceLock<Attachment>,
    /// What is set up of its track, until it is one of a writer's.
    detached: Mutex<TrackSetup>,
    pub(super) associations: Associations,
}

/// The track of a writer that an input has become.
struct Attachment {
    shared: Arc<Shared>,
    id: TrackId,
}

/// What makes samples of what is appended.
enum Encoder {
    None,
    Pictures(Arc<EncoderHandle<PixelBuffer>>),
    Sound(Arc<EncoderHandle<[f32]>>, SoundLayout),
    Captions(Arc<EncoderHandle<Caption>>),
    Metadata(Arc<EncoderHandle<TimedMetadataGroup>>, MetadataFormat),
}

impl AssetWriterInput {
    /// An input for samples that are stored as they come, of this format.
    #[doc(alias = "initWithMediaType:outputSettings:sourceFormatHint:")]
    pub fn passthrough(format: TrackFormat) -> Self {
        let setup = TrackSetup::new(TrackSource::Samples, MediaType::of(&format), Some(format));
        Self::new(Encoder::None, setup)
    }

    /// An input for samples of video that are stored as they come, whose format the first of them says: it
    /// has to be a [`SampleBuffer`](retake_media::SampleBuffer), or a [`MediaSample`] with a format.
    /// QuickTime movies alone take such an input. Its writer begins the film only when the first sample is
    /// there, so that the writer does not start where nobody waits for it: in real time, sparsely
    /// interleaved, or behind media that comes first.
    #[doc(alias = "initWithMediaType:outputSettings:")]
    pub fn passthrough_without_hint() -> Self {
        Self::new(Encoder::None, TrackSetup::new(TrackSource::Samples, MediaType::Video, None))
    }

    /// An input for pictures, which this encoder encodes. They are appended by a
    /// [`PixelBufferAdaptor`](crate::PixelBufferAdaptor) or a
    /// [`PixelBufferReceiver`](crate::PixelBufferReceiver).
    pub fn encoding(encoder: impl InputEncoder + 'static) -> Self {
        let setup = TrackSetup::new(TrackSource::Pictures, MediaType::Video, encoder.expected_format());
        Self::new(Encoder::Pictures(Arc::new(EncoderHandle::new(Box::new(encoder)))), setup)
    }

    pub(super) fn of_sound(encoder: Box<dyn InputEncoder<[f32]>>, layout: SoundLayout) -> Self {
        let setup = TrackSetup::new(TrackSource::Sound, MediaType::Audio, encoder.expected_format());
        Self::new(Encoder::Sound(Arc::new(EncoderHandle::new(encoder)), layout), setup)
    }

    pub(super) fn of_captions(encoder: Box<dyn InputEncoder<Caption>>, media_type: MediaType) -> Self {
        let setup = TrackSetup::new(TrackSource::Captions, media_type, encoder.expected_format());
        Self::new(Encoder::Captions(Arc::new(EncoderHandle::new(encoder))), setup)
    }

    pub(super) fn of_metadata(
        encoder: Box<dyn InputEncoder<TimedMetadataGroup>>,
        format: MetadataFormat,
    ) -> Self {
        let setup = TrackSetup::new(TrackSource::Metadata, MediaType::Metadata, encoder.expected_format());
        Self::new(Encoder::Metadata(Arc::new(EncoderHandle::new(encoder)), format), setup)
    }

    fn new(encoder: Encoder, setup: TrackSetup) -> Self {
        let (attachment, detached) = (OnceLock::new(), Mutex::new(setup));
        Self(Arc::new(Inner { encoder, attachment, detached, associations: Associations::default() }))
    }

    /// What kind of media it takes.
    #[doc(alias = "mediaType")]
    pub fn media_type(&self) -> MediaType {
        self.setup(|setup| setup.media_type)
    }

    /// A copy of its properties.
    pub fn options(&self) -> InputOptions {
        self.setup(|setup| setup.options.clone())
    }

    /// Changes properties, all at once.
    ///
    /// # Errors
    /// [`Mistake::Status`](crate::Mistake::Status) once the writer has started,
    /// [`Mistake::BadValue`](crate::Mistake::BadValue); nothing is changed then.
    pub fn configure(&self, change: impl FnOnce(&mut InputOptions)) -> Result<(), UsageError> {
        // the client's code runs without the lock, and what it makes of the options is checked under it
        let mut options = self.options();
        change(&mut options);
        self.set_up("configure", |setup| setup.configure(options))
    }

    /// Appends a sample; the input owns it then. Samples come in decode order.
    ///
    /// # Errors
    /// [`AppendError::NotReady`] gives it back. [`AppendError::Failed`] when the writer has failed.
    /// [`AppendError::Usage`] outside of a session, after the input was finished, and for samples that do not
    /// belong here; all of these change nothing.
    #[doc(alias = "appendSampleBuffer:")]
    pub fn append(&self, sample: impl Into<MediaSample>) -> Result<(), AppendError<MediaSample>> {
        match self.mode() {
            Some(AppendMode::SampleReceiver) => Err(AppendError::usage("append", Mistake::RECEIVER)),
            _ => self.append_sample(sample.into()),
        }
    }

    pub(super) fn append_sample(&self, sample: MediaSample) -> Result<(), AppendError<MediaSample>> {
        const CALL: &str = "append";
        if !matches!(self.0.encoder, Encoder::None) {
            return Err(AppendError::usage(CALL, self.wrong_media()));
        }
        let (shared, id) = self.attached(CALL).map_err(AppendError::Usage)?;
        shared.change(|state| state.append_sample(CALL, id, sample))
    }

    /// Which pictures its encoder takes as they are, if it was opened and says so.
    pub(super) fn encoder_pictures(&self) -> Option<&PixelBufferAttributes> {
        match &self.0.encoder {
            Encoder::Pictures(encoder) => encoder.pictures(),
            _ => None,
        }
    }

    pub(super) fn append_picture(
        &self,
        picture: PixelBuffer,
        time: Time,
        call: &'static str,
    ) -> Result<(), AppendError<PixelBuffer>> {
        let track = self.attached(call).map_err(AppendError::Usage)?;
        let Encoder::Pictures(encoder) = &self.0.encoder else {
            return Err(AppendError::usage(call, self.wrong_media()));
        };
        let media = Media::Picture { time, shape: Shape::of(&picture) };
        encoder.append(track, call, picture, &media)
    }

    /// Says that nothing more comes. Others no longer wait for this input. In an input with several passes,
    /// the newest version of each frame is kept. Once more is nothing.
    ///
    /// # Errors
    /// Before the writer starts, and while the next pass is being decided on.
    #[doc(alias = "markAsFinished")]
    pub fn mark_as_finished(&self) -> Result<(), UsageError> {
        let (shared, id) = self.attached("mark_as_finished")?;
        shared.change(|state| state.mark_finished(id))
    }

    /// Looks at what is set up of its track.
    pub(super) fn setup<T>(&self, look: impl FnOnce(&TrackSetup) -> T) -> T {
        let detached = self.detached();
        match self.0.attachment.get() {
            None => look(&detached),
            Some(Attachment { shared, id }) => {
                drop(detached);
                shared.look(|state| look(&state.track(*id).setup))
            }
        }
    }

    /// Changes what is set up of its track, as long as the writer has not started.
    pub(super) fn set_up(
        &self,
        call: &'static str,
        change: impl FnOnce(&mut TrackSetup) -> Result<(), Mistake>,
    ) -> Result<(), UsageError> {
        let mut detached = self.detached();
        match self.0.attachment.get() {
            None => change(&mut detached).map_err(|mistake| UsageError { call, mistake }),
            Some(Attachment { shared, id }) => {
                drop(detached);
                shared.change(|state| state.configure_track(call, *id, change))
            }
        }
    }

    /// Makes something the only one that appends.
    pub(super) fn set_mode(&self, call: &'static str, mode: AppendMode) -> Result<(), UsageError> {
        if !self.setup(|setup| setup.fits(mode)) {
            return Err(UsageError { call, mistake: self.wrong_media() });
        }
        self.set_up(call, |setup| setup.set_mode(mode))
    }

    pub(super) fn mode(&self) -> Option<AppendMode> {
        self.setup(|setup| setup.mode)
    }

    /// Makes it a track of a writer, by what adds the track to the writer's state: the answer of that is
    /// whether it has become one.
    pub(super) fn attach(
        &self,
        shared: &Arc<Shared>,
        add: impl FnOnce(&TrackSetup, bool, Option<Arc<dyn TrackEncoder>>) -> Result<TrackId, UsageError>,
    ) -> Result<(), UsageError> {
        // held all the time, so that nothing is set up in between, and nobody else adds it
        let detached = self.detached();
        let encoder = match &self.0.encoder {
            Encoder::None => None,
            Encoder::Pictures(encoder) => Some(encoder.clone() as Arc<dyn TrackEncoder>),
            Encoder::Sound(encoder, _) => Some(encoder.clone() as Arc<dyn TrackEncoder>),
            Encoder::Captions(encoder) => Some(encoder.clone() as Arc<dyn TrackEncoder>),
            Encoder::Metadata(encoder, _) => Some(encoder.clone() as Arc<dyn TrackEncoder>),
        };
        let id = add(&detached, self.is_attached(), encoder)?;
        // it is attached to none, or there would be no number
        let _ = self.0.attachment.set(Attachment { shared: shared.clone(), id });
        Ok(())
    }

    pub(super) fn is_attached(&self) -> bool {
        self.0.attachment.get().is_some()
    }

    /// Its number in this writer, if it is one of its inputs.
    pub(super) fn id_in(&self, shared: &Arc<Shared>) -> Option<TrackId> {
        let attachment = self.0.attachment.get()?;
        Arc::ptr_eq(&attachment.shared, shared).then_some(attachment.id)
    }

    /// The writer and the number that it has there.
    pub(super) fn attached(&self, call: &'static str) -> Result<(&Arc<Shared>, TrackId), UsageError> {
        let attachment = self.0.attachment.get();
        let track = attachment.map(|Attachment { shared, id }| (shared, *id));
        track.ok_or(UsageError { call, mistake: Mistake::NotAttached })
    }

    /// Looks at the state of its writer, if it has one.
    pub(super) fn look<T>(&self, look: impl FnOnce(&WriterState, TrackId) -> T) -> Option<T> {
        let Attachment { shared, id } = self.0.attachment.get()?;
        Some(shared.look(|state| look(state, *id)))
    }

    /// Whether its writer has started, whatever became of it.
    pub(super) fn has_started(&self) -> bool {
        self.look(|state, _| state.phase().has_started()).unwrap_or(false)
    }

    /// What it takes instead of something else.
    pub(super) fn wrong_media(&self) -> Mistake {
        self.setup(|setup| setup.source.wrong_media())
    }

    pub(super) fn sound_encoder(&self) -> Option<(&EncoderHandle<[f32]>, SoundLayout)> {
        match &self.0.encoder {
            Encoder::Sound(encoder, layout) => Some((encoder, *layout)),
            _ => None,
        }
    }

    pub(super) fn caption_encoder(&self) -> Option<&EncoderHandle<Caption>> {
        match &self.0.encoder {
            Encoder::Captions(encoder) => Some(encoder),
            _ => None,
        }
    }

    pub(super) fn metadata_encoder(&self) -> Option<(&EncoderHandle<TimedMetadataGroup>, &MetadataFormat)> {
        match &self.0.encoder {
            Encoder::Metadata(encoder, format) => Some((encoder, format)),
            _ => None,
        }
    }

    fn detached(&self) -> MutexGuard<'_, TrackSetup> {
        self.0.detached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for AssetWriterInput {
    /// Whether they are the same input.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for AssetWriterInput {}

impl fmt::Debug for AssetWriterInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetWriterInput")
            .field("media_type", &self.media_type())
            .field("attached", &self.is_attached())
            .finish_non_exhaustive()
    }
}
