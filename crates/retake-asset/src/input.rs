use crate::association::TrackAssociation;
use crate::core::encoding::{self, Encodes, Encoding};
use crate::core::{Core, Session, Shared};
use crate::encoder::InputEncoder;
use crate::error::{AppendError, Mistake, UsageError, WriterError};
use crate::media::{MediaSample, MediaType};
use crate::options::InputOptions;
use crate::passes::Shape;
use crate::sound::SoundLayout;
use crate::status::WriterStatus;
use retake_libav::TrackFormat;
use retake_media::{PixelBuffer, Time};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// One track of a film that is being written: what a client appends to. Handles are shared: all clones are the same input.
#[doc(alias = "AVAssetWriterInput")]
#[derive(Clone)]
pub struct AssetWriterInput(Arc<Inner>);

struct Inner {
    source: Source,
    face: OnceLock<Face>,
    options: Mutex<InputOptions>,
    associations: Mutex<Vec<(TrackAssociation, Weak<Inner>)>>,
    /// Its group decides whether its track is enabled.
    grouped: OnceLock<()>,
    attachment: OnceLock<Attachment>,
}

/// Where samples come from.
enum Source {
    /// The client, in this format.
    Samples(TrackFormat),
    /// An encoder, of pictures.
    Pictures(Encoding<PixelBuffer>),
    /// An encoder, of sound.
    Sound(Encoding<[f32]>, SoundLayout),
}

/// What a client appends by, where it is not the input itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    Adaptor,
    SampleReceiver,
    PixelBufferReceiver,
    SoundReceiver,
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
        Self::of(Source::Samples(format))
    }

    /// An input for pictures, which this encoder encodes. They are appended by a [`PixelBufferAdaptor`](crate::PixelBufferAdaptor) or a
    /// [`PixelBufferReceiver`](crate::PixelBufferReceiver).
    pub fn encoding(encoder: impl InputEncoder + 'static) -> Self {
        Self::of(Source::Pictures(Encoding::new(Box::new(encoder))))
    }

    pub(crate) fn of_sound(encoder: Box<dyn InputEncoder<[f32]>>, layout: SoundLayout) -> Self {
        Self::of(Source::Sound(Encoding::new(encoder), layout))
    }

    fn of(source: Source) -> Self {
        Self(Arc::new(Inner {
            source,
            face: OnceLock::new(),
            options: Mutex::default(),
            associations: Mutex::default(),
            grouped: OnceLock::new(),
            attachment: OnceLock::new(),
        }))
    }

    /// What kind of media it takes.
    #[doc(alias = "mediaType")]
    pub fn media_type(&self) -> MediaType {
        match &self.0.source {
            Source::Samples(format) => MediaType::of(format),
            Source::Pictures(_) => MediaType::Video,
            Source::Sound(..) => MediaType::Audio,
        }
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
            if self.is_grouped() && options.enabled != self.options().enabled {
                let mistake =
                    Mistake::BadValue("the group of the input decides whether its track is enabled");
                return Err(UsageError { call: CALL, mistake });
            }
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

    /// Appends a sample; the input owns it then. Samples come in decode order.
    ///
    /// # Errors
    /// [`AppendError::NotReady`] gives it back. [`AppendError::Failed`] when the writer has failed. [`AppendError::Usage`] outside of a session,
    /// after the input was finished, and for samples that do not belong here; all of these change nothing.
    #[doc(alias = "appendSampleBuffer:")]
    pub fn append(&self, sample: impl Into<MediaSample>) -> Result<(), AppendError<MediaSample>> {
        match self.0.face.get() {
            Some(Face::SampleReceiver) => Err(AppendError::usage("append", Mistake::RECEIVER)),
            _ => self.append_sample(sample.into()),
        }
    }

    pub(crate) fn append_sample(&self, sample: MediaSample) -> Result<(), AppendError<MediaSample>> {
        const CALL: &str = "append";
        if self.encoder().is_some() {
            return Err(AppendError::usage(CALL, self.wrong_media()));
        }
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

    /// Says that nothing more comes. Others no longer wait for this input. In an input with several passes, the newest version of each frame is
    /// kept. Once more is nothing.
    ///
    /// # Errors
    /// Before the writer starts, and while the next pass is being decided on.
    #[doc(alias = "markAsFinished")]
    pub fn mark_as_finished(&self) -> Result<(), UsageError> {
        let (writer, index) = self.require("mark_as_finished")?;
        writer.change(|core| core.mark_finished(&writer, index))
    }

    pub(crate) fn format(&self) -> Option<TrackFormat> {
        match &self.0.source {
            Source::Samples(format) => Some(format.clone()),
            Source::Pictures(encoding) => encoding.format(),
            Source::Sound(encoding, _) => encoding.format(),
        }
    }

    pub(crate) fn encoder(&self) -> Option<&dyn Encodes> {
        match &self.0.source {
            Source::Samples(_) => None,
            Source::Pictures(encoding) => Some(encoding),
            Source::Sound(encoding, _) => Some(encoding),
        }
    }

    /// Whether its writer has started, whatever became of it.
    pub(crate) fn has_started(&self) -> bool {
        match self.attached() {
            Some((writer, _)) => writer.look(|core| core.status) != WriterStatus::Unknown,
            None => self.is_attached(),
        }
    }

    /// Makes something the only one that appends.
    pub(crate) fn take_face(&self, call: &'static str, face: Face) -> Result<(), UsageError> {
        let refuse = |mistake| Err(UsageError { call, mistake });
        let fits = match &self.0.source {
            Source::Samples(_) => face == Face::SampleReceiver,
            Source::Pictures(_) => matches!(face, Face::Adaptor | Face::PixelBufferReceiver),
            Source::Sound(..) => face == Face::SoundReceiver,
        };
        if !fits {
            return refuse(self.wrong_media());
        }
        if self.has_started() {
            let is = self.writer_status().unwrap_or(WriterStatus::Cancelled);
            return refuse(Mistake::Status { is, wants: "not started" });
        }
        self.0.face.set(face).or_else(|_| refuse(Mistake::Adapted))
    }

    pub(crate) fn append_picture(
        &self,
        picture: PixelBuffer,
        time: Time,
        call: &'static str,
    ) -> Result<(), AppendError<PixelBuffer>> {
        let Some((writer, index)) = self.attached() else {
            return Err(AppendError::usage(call, self.unattached()));
        };
        let Source::Pictures(encoding) = &self.0.source else {
            return Err(AppendError::usage(call, self.wrong_media()));
        };
        let shape = Shape::of(&picture);
        encoding::append(
            (&writer, index),
            encoding,
            (picture, time),
            call,
            |lane| lane.admits_picture(time, shape),
            |lane| lane.took_picture(time, shape),
        )
    }

    pub(crate) fn is_attached(&self) -> bool {
        self.0.attachment.get().is_some()
    }

    /// Makes it one of a writer's; `false` if it is another's already.
    pub(crate) fn attach(&self, writer: &Arc<Shared>, index: usize) -> bool {
        self.0.attachment.set(Attachment { writer: Arc::downgrade(writer), index }).is_ok()
    }

    fn check_format(&self, sample: &MediaSample) -> Result<(), Mistake> {
        match (&sample.format, &self.0.source) {
            (Some(format), Source::Samples(TrackFormat::Video(own))) if **format == *own => Ok(()),
            (Some(_), _) => Err(Mistake::WrongMedia("samples of the format that it was made with")),
            (None, _) => Ok(()),
        }
    }

    pub(crate) fn is_grouped(&self) -> bool {
        self.0.grouped.get().is_some()
    }

    /// Makes it one of a group; its track is enabled if it is the default.
    pub(crate) fn join_group(&self, default: bool) {
        // an input is in one group
        let _ = self.0.grouped.set(());
        self.options_lock().enabled = default;
    }

    /// The inputs whose tracks are something to its own.
    pub(crate) fn associations(&self) -> Vec<(TrackAssociation, Self)> {
        let known = self.0.associations.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter_map(|(kind, input)| Some((*kind, Self(input.upgrade()?)))).collect()
    }

    pub(crate) fn associate(&self, other: &Self, kind: TrackAssociation) {
        // two that are something to each other must not keep each other alive
        let other = Arc::downgrade(&other.0);
        self.0.associations.lock().unwrap_or_else(PoisonError::into_inner).push((kind, other));
    }

    pub(crate) fn writer_status(&self) -> Option<WriterStatus> {
        self.with(|core, _| core.visible_status())
    }

    pub(crate) fn face(&self) -> Option<Face> {
        self.0.face.get().copied()
    }

    /// What it takes instead of something else.
    pub(crate) fn wrong_media(&self) -> Mistake {
        match &self.0.source {
            Source::Samples(_) => Mistake::SAMPLES,
            Source::Pictures(_) => Mistake::PICTURES,
            Source::Sound(..) => Mistake::SOUND,
        }
    }

    pub(crate) fn sound_encoding(&self) -> Option<(&Encoding<[f32]>, SoundLayout)> {
        match &self.0.source {
            Source::Sound(encoding, layout) => Some((encoding, *layout)),
            _ => None,
        }
    }

    pub(crate) fn attached(&self) -> Option<(Arc<Shared>, usize)> {
        let attachment = self.0.attachment.get()?;
        Some((attachment.writer.upgrade()?, attachment.index))
    }

    pub(crate) fn unattached(&self) -> Mistake {
        match self.is_attached() {
            // a writer that is dropped is cancelled
            true => Mistake::Status { is: WriterStatus::Cancelled, wants: "writing" },
            false => Mistake::NotAttached,
        }
    }

    pub(crate) fn require(&self, call: &'static str) -> Result<(Arc<Shared>, usize), UsageError> {
        self.attached().ok_or_else(|| UsageError { call, mistake: self.unattached() })
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&Core, usize) -> T) -> Option<T> {
        let (writer, index) = self.attached()?;
        Some(writer.look(|core| look(core, index)))
    }

    pub(crate) fn options_lock(&self) -> MutexGuard<'_, InputOptions> {
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
    pub(crate) fn admits<T>(&self, call: &'static str, index: usize) -> Result<(), AppendError<T>> {
        if self.visible_status() == WriterStatus::Failed {
            let error = self.visible_error().unwrap_or(WriterError::Cancelled);
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
