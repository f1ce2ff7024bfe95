use super::input::AssetWriterInput;
use super::writer::AssetWriter;
use crate::state::track::AppendMode;
use crate::types::error::{AppendError, CallError, UsageError};
use crate::types::media::MediaSample;
use crate::types::pass::PassDescription;
use retake_media::{Caption, PixelBuffer, Time, TimedMetadataGroup};
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Appends samples to an input, and waits without holding up a thread. Made by
/// [`AssetWriter::sample_receiver`].
#[doc(alias = "AVAssetWriterInput.SampleBufferReceiver")]
#[derive(Debug)]
pub struct SampleReceiver(AssetWriterInput);

/// Appends pictures to an input that encodes them, and waits without holding up a thread. Made by
/// [`AssetWriter::pixel_buffer_receiver`].
#[doc(alias = "AVAssetWriterInput.PixelBufferReceiver")]
#[derive(Debug)]
pub struct PixelBufferReceiver(AssetWriterInput);

/// Appends sound to an input that encodes it, and waits without holding up a thread. Made by
/// [`AssetWriter::sound_receiver`].
#[doc(alias = "AVAssetWriterInput.SampleBufferReceiver")]
#[derive(Debug)]
pub struct SoundReceiver(AssetWriterInput);

/// Appends captions to an input of text, and waits without holding up a thread. Made by
/// [`AssetWriter::caption_receiver`].
#[doc(alias = "AVAssetWriterInput.CaptionReceiver")]
#[derive(Debug)]
pub struct CaptionReceiver(AssetWriterInput);

/// Appends groups of metadata to an input of timed metadata, and waits without holding up a thread. Made by
/// [`AssetWriter::metadata_receiver`].
#[doc(alias = "AVAssetWriterInput.MetadataReceiver")]
#[derive(Debug)]
pub struct MetadataReceiver(AssetWriterInput);

/// The passes of an input: what to append, one pass after the other. Made by
/// [`AssetWriter::pixel_buffer_receiver_requesting_multi_pass`].
#[doc(alias = "AVAssetWriterInput.MultiPassController")]
#[derive(Debug)]
pub struct MultiPassController {
    input: AssetWriterInput,
    begun: bool,
}

impl AssetWriter {
    /// Adds the input, and gives what appends to it: the input's own `append` is refused from then on.
    ///
    /// # Errors
    /// As [`AssetWriter::add`].
    #[doc(alias = "inputReceiver(for:)")]
    pub fn sample_receiver(&self, input: &AssetWriterInput) -> Result<SampleReceiver, UsageError> {
        self.add_with_mode("sample_receiver", input, AppendMode::SampleReceiver)?;
        Ok(SampleReceiver(input.clone()))
    }

    /// Adds an input that encodes, and gives what appends to it.
    ///
    /// # Errors
    /// As [`AssetWriter::add`]; [`Mistake::WrongMedia`](crate::Mistake::WrongMedia) for an input that does
    /// not encode.
    #[doc(alias = "inputPixelBufferReceiver(for:)")]
    pub fn pixel_buffer_receiver(&self, input: &AssetWriterInput) -> Result<PixelBufferReceiver, UsageError> {
        self.add_with_mode("pixel_buffer_receiver", input, AppendMode::PixelBufferReceiver)?;
        Ok(PixelBufferReceiver(input.clone()))
    }

    /// Adds an input that encodes sound, and gives what appends to it.
    ///
    /// # Errors
    /// As [`AssetWriter::add`]; [`Mistake::WrongMedia`](crate::Mistake::WrongMedia) for an input of anything
    /// else.
    #[doc(alias = "inputReceiver(for:)")]
    pub fn sound_receiver(&self, input: &AssetWriterInput) -> Result<SoundReceiver, UsageError> {
        self.add_with_mode("sound_receiver", input, AppendMode::SoundReceiver)?;
        Ok(SoundReceiver(input.clone()))
    }

    /// The same as [`pixel_buffer_receiver`](Self::pixel_buffer_receiver), asking for several passes. A
    /// client that ignores the controller gets the result of one pass.
    ///
    /// # Errors
    /// As [`AssetWriter::pixel_buffer_receiver`].
    #[doc(alias = "inputPixelBufferReceiverRequestingMultiPass(for:)")]
    pub fn pixel_buffer_receiver_requesting_multi_pass(
        &self,
        input: &AssetWriterInput,
    ) -> Result<(PixelBufferReceiver, MultiPassController), UsageError> {
        let receiver = self.pixel_buffer_receiver(input)?;
        Ok((receiver, MultiPassController::asking(input)?))
    }

    /// The same as [`sample_receiver`](Self::sample_receiver), asking for several passes. Samples that are
    /// stored as they come are never wanted again, which the controller says.
    ///
    /// # Errors
    /// As [`AssetWriter::sample_receiver`].
    #[doc(alias = "inputReceiverRequestingMultiPass(for:)")]
    pub fn sample_receiver_requesting_multi_pass(
        &self,
        input: &AssetWriterInput,
    ) -> Result<(SampleReceiver, MultiPassController), UsageError> {
        let receiver = self.sample_receiver(input)?;
        Ok((receiver, MultiPassController::asking(input)?))
    }

    /// The same as [`sound_receiver`](Self::sound_receiver), asking for several passes. No encoder of sound
    /// has passes, which the controller says once the writer has started.
    ///
    /// # Errors
    /// As [`AssetWriter::sound_receiver`].
    #[doc(alias = "inputReceiverRequestingMultiPass(for:)")]
    pub fn sound_receiver_requesting_multi_pass(
        &self,
        input: &AssetWriterInput,
    ) -> Result<(SoundReceiver, MultiPassController), UsageError> {
        let receiver = self.sound_receiver(input)?;
        Ok((receiver, MultiPassController::asking(input)?))
    }

    /// Adds an input of text, and gives what appends to it.
    ///
    /// # Errors
    /// As [`AssetWriter::add`]; [`Mistake::WrongMedia`](crate::Mistake::WrongMedia) for an input of anything
    /// else.
    #[doc(alias = "inputCaptionReceiver(for:)")]
    pub fn caption_receiver(&self, input: &AssetWriterInput) -> Result<CaptionReceiver, UsageError> {
        self.add_with_mode("caption_receiver", input, AppendMode::CaptionReceiver)?;
        Ok(CaptionReceiver(input.clone()))
    }

    /// Adds an input of timed metadata, and gives what appends to it.
    ///
    /// # Errors
    /// As [`AssetWriter::add`]; [`Mistake::WrongMedia`](crate::Mistake::WrongMedia) for an input of anything
    /// else.
    #[doc(alias = "inputMetadataReceiver(for:)")]
    pub fn metadata_receiver(&self, input: &AssetWriterInput) -> Result<MetadataReceiver, UsageError> {
        self.add_with_mode("metadata_receiver", input, AppendMode::MetadataReceiver)?;
        Ok(MetadataReceiver(input.clone()))
    }

    /// The same as [`caption_receiver`](Self::caption_receiver), asking for several passes. Captions are
    /// never wanted again, which the controller says once the writer has started.
    ///
    /// # Errors
    /// As [`AssetWriter::caption_receiver`].
    #[doc(alias = "inputCaptionReceiverRequestingMultiPass(for:)")]
    pub fn caption_receiver_requesting_multi_pass(
        &self,
        input: &AssetWriterInput,
    ) -> Result<(CaptionReceiver, MultiPassController), UsageError> {
        let receiver = self.caption_receiver(input)?;
        Ok((receiver, MultiPassController::asking(input)?))
    }

    /// The same as [`metadata_receiver`](Self::metadata_receiver), asking for several passes. Metadata is
    /// never wanted again, which the controller says once the writer has started.
    ///
    /// # Errors
    /// As [`AssetWriter::metadata_receiver`].
    #[doc(alias = "inputMetadataReceiverRequestingMultiPass(for:)")]
    pub fn metadata_receiver_requesting_multi_pass(
        &self,
        input: &AssetWriterInput,
    ) -> Result<(MetadataReceiver, MultiPassController), UsageError> {
        let receiver = self.metadata_receiver(input)?;
        Ok((receiver, MultiPassController::asking(input)?))
    }
}

impl SampleReceiver {
    /// Appends a sample as soon as the input is ready.
    ///
    /// # Errors
    /// As [`AssetWriterInput::append`], and never [`AppendError::NotReady`].
    #[doc(alias = "SampleBufferReceiver.append")]
    pub async fn append(&self, sample: impl Into<MediaSample>) -> Result<(), AppendError<MediaSample>> {
        let mut sample = Some(sample.into());
        poll_fn(|context| {
            self.0.poll_append(context, &mut sample, |input: &AssetWriterInput, sample| {
                input.append_sample(sample)
            })
        })
        .await
    }

    /// Appends a sample if the input is ready now.
    ///
    /// # Errors
    /// As [`AssetWriterInput::append`].
    #[doc(alias = "appendImmediately")]
    pub fn append_immediately(&self, sample: impl Into<MediaSample>) -> Result<(), AppendError<MediaSample>> {
        self.0.append_sample(sample.into())
    }

    /// Nothing more comes: as [`AssetWriterInput::mark_as_finished`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(self) -> Result<(), UsageError> {
        self.0.mark_as_finished()
    }
}

impl PixelBufferReceiver {
    /// Encodes a picture as soon as the input is ready.
    ///
    /// # Errors
    /// As [`PixelBufferAdaptor::append`](crate::PixelBufferAdaptor::append), and never
    /// [`AppendError::NotReady`].
    #[doc(alias = "PixelBufferReceiver.append")]
    pub async fn append(&self, picture: PixelBuffer, time: Time) -> Result<(), AppendError<PixelBuffer>> {
        let mut picture = Some(picture);
        let append = |input: &AssetWriterInput, picture| input.append_picture(picture, time, "append");
        poll_fn(|context| self.0.poll_append(context, &mut picture, append)).await
    }

    /// Encodes a picture if the input is ready now.
    ///
    /// # Errors
    /// As [`PixelBufferAdaptor::append`](crate::PixelBufferAdaptor::append).
    #[doc(alias = "appendImmediately")]
    pub fn append_immediately(
        &self,
        picture: PixelBuffer,
        time: Time,
    ) -> Result<(), AppendError<PixelBuffer>> {
        self.0.append_picture(picture, time, "append_immediately")
    }

    /// Nothing more comes: the newest version of each frame is kept.
    ///
    /// # Errors
    /// As [`AssetWriterInput::mark_as_finished`].
    pub fn finish(self) -> Result<(), UsageError> {
        self.0.mark_as_finished()
    }
}

impl SoundReceiver {
    /// Encodes a stretch of sound as soon as the input is ready.
    ///
    /// # Errors
    /// As [`AssetWriterInput::append_sound`], and never [`AppendError::NotReady`].
    pub async fn append(&self, samples: Vec<f32>, time: Time) -> Result<(), AppendError<Vec<f32>>> {
        let mut samples = Some(samples);
        let append = |input: &AssetWriterInput, samples| input.append_stretch(samples, time, "append");
        poll_fn(|context| self.0.poll_append(context, &mut samples, append)).await
    }

    /// Encodes a stretch of sound if the input is ready now.
    ///
    /// # Errors
    /// As [`AssetWriterInput::append_sound`].
    #[doc(alias = "appendImmediately")]
    pub fn append_immediately(&self, samples: Vec<f32>, time: Time) -> Result<(), AppendError<Vec<f32>>> {
        self.0.append_stretch(samples, time, "append_immediately")
    }

    /// Nothing more comes: as [`AssetWriterInput::mark_as_finished`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(self) -> Result<(), UsageError> {
        self.0.mark_as_finished()
    }
}

impl CaptionReceiver {
    /// Appends a caption as soon as the input is ready.
    ///
    /// # Errors
    /// As [`CaptionAdaptor::append`](crate::CaptionAdaptor::append), and never [`AppendError::NotReady`].
    #[doc(alias = "CaptionReceiver.append")]
    pub async fn append(&self, caption: Caption) -> Result<(), AppendError<Caption>> {
        let mut caption = Some(caption);
        let append = |input: &AssetWriterInput, caption| input.append_caption(caption, "append");
        poll_fn(|context| self.0.poll_append(context, &mut caption, append)).await
    }

    /// Appends a caption if the input is ready now.
    ///
    /// # Errors
    /// As [`CaptionAdaptor::append`](crate::CaptionAdaptor::append).
    #[doc(alias = "appendImmediately")]
    pub fn append_immediately(&self, caption: Caption) -> Result<(), AppendError<Caption>> {
        self.0.append_caption(caption, "append_immediately")
    }

    /// Nothing more comes: as [`AssetWriterInput::mark_as_finished`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(self) -> Result<(), UsageError> {
        self.0.mark_as_finished()
    }
}

impl MetadataReceiver {
    /// Appends a group as soon as the input is ready.
    ///
    /// # Errors
    /// As [`MetadataAdaptor::append`](crate::MetadataAdaptor::append), and never [`AppendError::NotReady`].
    #[doc(alias = "MetadataReceiver.append")]
    pub async fn append(&self, group: TimedMetadataGroup) -> Result<(), AppendError<TimedMetadataGroup>> {
        let mut group = Some(group);
        let append = |input: &AssetWriterInput, group| input.append_metadata(group, "append");
        poll_fn(|context| self.0.poll_append(context, &mut group, append)).await
    }

    /// Appends a group if the input is ready now.
    ///
    /// # Errors
    /// As [`MetadataAdaptor::append`](crate::MetadataAdaptor::append).
    #[doc(alias = "appendImmediately")]
    pub fn append_immediately(
        &self,
        group: TimedMetadataGroup,
    ) -> Result<(), AppendError<TimedMetadataGroup>> {
        self.0.append_metadata(group, "append_immediately")
    }

    /// Nothing more comes: as [`AssetWriterInput::mark_as_finished`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(self) -> Result<(), UsageError> {
        self.0.mark_as_finished()
    }
}

impl MultiPassController {
    fn asking(input: &AssetWriterInput) -> Result<Self, UsageError> {
        input.configure(|options| options.multi_pass = true)?;
        Ok(Self { input: input.clone(), begun: false })
    }

    /// The passes one after the other, or `None` where several cannot be had: then everything is appended
    /// once, and the receiver is finished.
    #[doc(alias = "passDescriptions")]
    pub fn pass_descriptions(&mut self) -> Option<PassDescriptions<'_>> {
        self.can_perform_multiple_passes().then_some(PassDescriptions(self))
    }

    /// Whether several passes can be had; final once the writer has started.
    #[doc(alias = "canPerformMultiplePasses")]
    pub fn can_perform_multiple_passes(&self) -> bool {
        self.input.can_perform_multiple_passes()
    }

    /// What the next pass asks for: of the first, everything, also where there is no other. Asking for the
    /// next pass ends the one before it (resolution 32). `None` after the last: then the receiver is to be
    /// finished, which is also how a client stops early.
    ///
    /// # Errors
    /// A [`UsageError`] before the writer starts; the writer's error when it fails meanwhile.
    pub async fn next(&mut self) -> Result<Option<PassDescription>, CallError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<PassDescription>, CallError>> {
        if self.begun && self.input.is_in_pass() {
            self.input.mark_current_pass_as_finished()?;
        }
        let description = self.input.pass_or_wake(context.waker());
        // An attempt that waits has ended its pass; the next one must not end the pass that it waits for.
        self.begun = matches!(description, Poll::Ready(Ok(_)));
        description
    }
}

/// The descriptions of passes as a sequence, made by [`MultiPassController::pass_descriptions`].
#[derive(Debug)]
pub struct PassDescriptions<'a>(&'a mut MultiPassController);

impl PassDescriptions<'_> {
    /// As [`MultiPassController::next`].
    ///
    /// # Errors
    /// As there.
    #[allow(clippy::should_implement_trait)] // an iterator would have to wait with its thread
    pub async fn next(&mut self) -> Result<Option<PassDescription>, CallError> {
        self.0.next().await
    }

    /// One attempt, in the form of a stream of futures: the next description; `None` after the last; or the
    /// task is woken when it is worth another attempt. Nothing comes after an error that lasts.
    pub fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<PassDescription, CallError>>> {
        self.0.poll_next(context).map(Result::transpose)
    }
}

impl AssetWriterInput {
    /// One attempt: done, or to be woken when the input may be ready.
    fn poll_append<T>(
        &self,
        context: &mut Context<'_>,
        waiting: &mut Option<T>,
        append: impl Fn(&Self, T) -> Result<(), AppendError<T>>,
    ) -> Poll<Result<(), AppendError<T>>> {
        let Some(value) = waiting.take() else { return Poll::Ready(Ok(())) };
        match append(self, value) {
            Err(AppendError::NotReady(value)) => {
                let value = *value;
                // between the refusal and here it may have become ready, which would wake nobody
                if self.wake_when_ready(context.waker()) {
                    context.waker().wake_by_ref();
                }
                *waiting = Some(value);
                Poll::Pending
            }
            done => Poll::Ready(done),
        }
    }
}
