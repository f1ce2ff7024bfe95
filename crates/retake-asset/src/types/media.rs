use retake_libav::TrackFormat;
use retake_media::{FormatDescription, Sample, SampleAttachments, SampleBuffer, Time};
use std::fmt;
use std::sync::Arc;

/// What kind of media a track holds.
#[doc(alias = "AVMediaType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// Pictures.
    #[doc(alias = "AVMediaTypeVideo")]
    Video,
    /// Sound.
    #[doc(alias = "AVMediaTypeAudio")]
    Audio,
}

impl MediaType {
    /// The type of a track of this format.
    pub fn of(format: &TrackFormat) -> Self {
        match format {
            TrackFormat::Audio(_) => Self::Audio,
            _ => Self::Video,
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "video",
            Self::Audio => "audio",
        })
    }
}

/// A compressed sample on its way into a track: made from a [`Sample`], or from the [`SampleBuffer`] that a
/// session gave.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaSample {
    /// The payload and its times.
    pub sample: Sample,
    /// What else is said about it. The writer heeds what is trimmed, and
    /// [`ends_previous_duration`](SampleAttachments::ends_previous_duration): a sample without data that
    /// carries it is no sample, but says when the one before it ends.
    #[doc(alias = "CMSampleBufferGetSampleAttachmentsArray")]
    pub attachments: SampleAttachments,
    /// What it is decoded with, where that is known; has to be what the input was made with.
    pub format: Option<Arc<FormatDescription>>,
    /// The client ended the segment before it.
    pub(crate) starts_segment: bool,
}

impl MediaSample {
    /// When it is decoded; the time it is shown where that is all there is.
    pub(crate) fn decode_time(&self) -> Time {
        if self.sample.dts.is_numeric() { self.sample.dts } else { self.sample.pts }
    }

    /// Whether it only says when the sample before it ends.
    pub(crate) fn is_marker(&self) -> bool {
        self.attachments.ends_previous_duration && self.sample.data.is_empty()
    }
}

impl From<Sample> for MediaSample {
    fn from(sample: Sample) -> Self {
        Self { sample, attachments: SampleAttachments::default(), format: None, starts_segment: false }
    }
}

impl From<SampleBuffer> for MediaSample {
    fn from(buffer: SampleBuffer) -> Self {
        let SampleBuffer { sample, attachments, format } = buffer;
        Self { sample, attachments, format: Some(format), starts_segment: false }
    }
}
