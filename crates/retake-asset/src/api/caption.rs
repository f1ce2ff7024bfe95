use super::input::AssetWriterInput;
use crate::state::track::{AppendMode, Media};
use crate::types::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
use crate::types::error::{AppendError, Mistake, UsageError, WriterError};
use crate::types::media::{MediaSample, MediaType};
use retake_libav::{Container, ShownText, TextRow, TrackFormat};
use retake_media::{Caption, Sample, SampleKind, TextFormat, Time, codes};
use std::collections::VecDeque;
use std::sync::Arc;

/// Appends captions to an input of text.
#[doc(alias = "AVAssetWriterInputCaptionAdaptor")]
#[derive(Debug)]
pub struct CaptionAdaptor(AssetWriterInput);

impl CaptionAdaptor {
    /// The adaptor of an input; each input has one.
    ///
    /// # Errors
    /// [`Mistake::WrongMedia`](crate::Mistake::WrongMedia) for an input that takes no captions,
    /// [`Mistake::Status`](crate::Mistake::Status) once the writer has started,
    /// [`Mistake::Adapted`](crate::Mistake::Adapted) for a second one.
    #[doc(alias = "initWithAssetWriterInput:")]
    pub fn new(input: &AssetWriterInput) -> Result<Self, UsageError> {
        input.set_mode("CaptionAdaptor::new", AppendMode::CaptionAdaptor)?;
        Ok(Self(input.clone()))
    }

    /// The input.
    #[doc(alias = "assetWriterInput")]
    pub fn input(&self) -> &AssetWriterInput {
        &self.0
    }

    /// Appends a caption. Captions come in the order in which they begin; of subtitles, several may be shown
    /// at once.
    ///
    /// # Errors
    /// [`AppendError::NotReady`] gives the caption back. [`AppendError::Usage`] as
    /// [`AssetWriterInput::append`], and by [`Mistake::BadTime`](crate::Mistake::BadTime) for a time that is
    /// no number or a duration that is not above zero,
    /// [`Mistake::TimeGoesBack`](crate::Mistake::TimeGoesBack),
    /// [`Mistake::Overlaps`](crate::Mistake::Overlaps) for texts that are no subtitles, and
    /// [`Mistake::BadValue`](crate::Mistake::BadValue) for a text of more than 65535 bytes or with a zero
    /// among them, for styles that are not of its characters, not in order or not apart, and for any styles
    /// of texts that are no subtitles.
    #[doc(alias = "appendCaption:")]
    pub fn append(&self, caption: Caption) -> Result<(), AppendError<Caption>> {
        self.0.append_caption(caption, "append")
    }
}

impl AssetWriterInput {
    /// An input for subtitles, which are appended as [`Caption`]s by a [`CaptionAdaptor`] or a
    /// [`CaptionReceiver`](crate::CaptionReceiver). The container decides on their form: `tx3g` in ISO files,
    /// SubRip in Matroska, WebVTT in WebM. All of them hold [styles](retake_media::TextStyle).
    ///
    /// In ISO files subtitles that are shown at once become one sample, the newest on top, because each
    /// sample takes the place of the one before; and what is between subtitles is a sample without text.
    /// Where subtitles come seldom,
    /// [`MediaDataLocation::SparselyInterleaved`](crate::MediaDataLocation::SparselyInterleaved) keeps other
    /// inputs from waiting for the next.
    #[doc(alias = "initWithMediaType:outputSettings:")]
    #[doc(alias = "AVMediaTypeSubtitle")]
    pub fn subtitles() -> Self {
        Self::of_captions(Box::new(CaptionEncoder::new(MediaType::Subtitle)), MediaType::Subtitle)
    }

    /// An input for texts that are not shown with the pictures, such as the names of chapters: see
    /// [`TrackAssociation::ChapterList`](crate::TrackAssociation::ChapterList). They are appended as those of
    /// [`subtitles`](Self::subtitles), one after the other, and written as `text` of QuickTime in ISO files.
    /// Matroska has no such tracks: there, and in WebM, the input has to be a chapter list, there is one at
    /// most, and its texts are the names of the chapters of the film, in place of those of a film that is
    /// copied. Their language is not written to Matroska, which a note tells.
    #[doc(alias = "AVMediaTypeText")]
    pub fn text() -> Self {
        Self::of_captions(Box::new(CaptionEncoder::new(MediaType::Text)), MediaType::Text)
    }

    pub(super) fn append_caption(
        &self,
        caption: Caption,
        call: &'static str,
    ) -> Result<(), AppendError<Caption>> {
        let track = self.attached(call).map_err(AppendError::Usage)?;
        let Some(encoder) = self.caption_encoder() else {
            return Err(AppendError::usage(call, self.wrong_media()));
        };
        if !caption.is_storable() {
            let mistake = Mistake::BadValue(
                "a caption has at most 65535 bytes, none of which is zero, and styles of its own characters, in order and apart",
            );
            return Err(AppendError::usage(call, mistake));
        }
        let overlaps = self.media_type() == MediaType::Subtitle;
        if !overlaps && !caption.styles.is_empty() {
            let mistake = Mistake::BadValue("texts that are not shown have no styles");
            return Err(AppendError::usage(call, mistake));
        }
        let media = Media::Caption { range: caption.range, overlaps };
        encoder.append(track, call, caption, &media)
    }
}

/// Makes samples of captions.
struct CaptionEncoder {
    media_type: MediaType,
    format: TextFormat,
    /// What is shown at the time, where one sample takes the place of the other.
    row: Option<TextRow<Time>>,
    ready: VecDeque<MediaSample>,
}

impl CaptionEncoder {
    fn new(media_type: MediaType) -> Self {
        Self { media_type, format: TextFormat::TimedText, row: None, ready: VecDeque::new() }
    }

    fn store(&mut self, texts: impl IntoIterator<Item = ShownText<Time>>) {
        self.ready.extend(texts.into_iter().map(|ShownText { from, until, data }| {
            let duration = until - from;
            MediaSample::from(Sample { data, pts: from, dts: from, duration, kind: SampleKind::Sync })
        }));
    }
}

impl InputEncoder<Caption> for CaptionEncoder {
    fn open(&mut self, setup: &EncoderSetup) -> Result<OpenedEncoder, WriterError> {
        self.format = match (setup.container, self.media_type) {
            (_, MediaType::Text) => TextFormat::QuickTimeText,
            (Some(Container::Mkv), _) => TextFormat::SubRip,
            (Some(Container::WebM), _) => TextFormat::WebVtt,
            _ => TextFormat::TimedText,
        };
        let row = matches!(self.format, TextFormat::TimedText | TextFormat::QuickTimeText);
        self.row = row.then(TextRow::default);
        let format = TrackFormat::Text(self.format);
        // no call of it takes long
        Ok(OpenedEncoder { format, multiple_passes: false, interrupt: Arc::new(|| ()) })
    }

    fn encode(&mut self, caption: &Caption, pts: Time) -> Result<(), WriterError> {
        let data = self.format.sample(caption);
        let until = caption.range.end();
        let Some(row) = &mut self.row else {
            self.store([ShownText { from: pts, until, data }]);
            return Ok(());
        };
        if !row.has_room(pts, &data) {
            let detail = format!("the texts that are shown at {pts} have more than 65535 bytes together");
            return Err(WriterError::EncodeFailed { code: codes::PARAMETER, detail });
        }
        let texts = row.push(pts, until, &data);
        self.store(texts);
        Ok(())
    }

    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError> {
        Ok(self.ready.pop_front())
    }

    fn finish(&mut self) -> Result<(), WriterError> {
        let texts = self.row.as_mut().map_or_else(Vec::new, |row| row.over_at(Time::POSITIVE_INFINITY));
        self.store(texts);
        Ok(())
    }
}
