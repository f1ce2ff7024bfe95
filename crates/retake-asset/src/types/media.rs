//! This module defines a track's kind of media and its samples.

use retake_libav::TrackFormat;
use retake_media::{FormatDescription, Sample, SampleAttachments, SampleBuffer, TextFormat, Time};
use std::fmt;
use std::sync::Arc;

/// A track holds one of these kinds of media.
#[doc(alias = "AVMediaType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// Pictures.
    #[doc(alias = "AVMediaTypeVideo")]
    Video,
    /// Sound.
    #[doc(alias = "AVMediaTypeAudio")]
    Audio,
    /// Text that is shown with pictures.
    #[doc(alias = "AVMediaTypeSubtitle")]
    Subtitle,
    /// Text that is not shown, such as the names of chapters.
    #[doc(alias = "AVMediaTypeText")]
    Text,
    /// Closed captions of CEA-608, as a track of their own.
    #[doc(alias = "AVMediaTypeClosedCaption")]
    ClosedCaption,
    /// Timecodes of pictures.
    #[doc(alias = "AVMediaTypeTimecode")]
    Timecode,
    /// Metadata that holds for a while.
    #[doc(alias = "AVMediaTypeMetadata")]
    Metadata,
}

impl MediaType {
    /// Returns the type of a track of this format.
    pub fn of(format: &TrackFormat) -> Self {
        match format {
            TrackFormat::Audio(_) => Self::Audio,
            TrackFormat::Text(TextFormat::QuickTimeText) => Self::Text,
            TrackFormat::Text(_) => Self::Subtitle,
            TrackFormat::ClosedCaptions => Self::ClosedCaption,
            TrackFormat::Timecode(_) => Self::Timecode,
            TrackFormat::Metadata(_) => Self::Metadata,
            _ => Self::Video,
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Subtitle => "subtitles",
            Self::Text => "text",
            Self::ClosedCaption => "closed captions",
            Self::Timecode => "timecodes",
            Self::Metadata => "metadata",
        })
    }
}

/// A compressed sample on its way into a track. It is made from a [`Sample`], or from the [`SampleBuffer`] of
/// a session.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaSample {
    /// The payload and its times.
    pub sample: Sample,
    /// The attachments of the sample. The writer heeds trimming, and
    /// [`ends_previous_duration`](SampleAttachments::ends_previous_duration): a sample without data that
    /// carries it is no sample, but tells when the one before it ends.
    #[doc(alias = "CMSampleBufferGetSampleAttachmentsArray")]
    pub attachments: SampleAttachments,
    /// The format that decodes it, if it is known; it must be the input's own.
    pub format: Option<Arc<FormatDescription>>,
    /// True if the client ended the segment before it.
    pub(crate) starts_segment: bool,
}

impl MediaSample {
    /// Returns its decode time, or its presentation time if it has no other.
    pub(crate) fn decode_time(&self) -> Time {
        if self.sample.dts.is_numeric() { self.sample.dts } else { self.sample.pts }
    }

    /// Tells whether it only marks the end of the sample before it.
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
