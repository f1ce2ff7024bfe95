use crate::{FormatDescription, Sample, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A [`Sample`] as a session hands it out and a silo or a writer takes it: with what it is decoded with, and what else is to be said
/// about it. Whoever holds it owns it; the description is shared among all samples that have an equal one.
#[doc(alias = "CMSampleBuffer")]
#[derive(Debug, Clone, PartialEq)]
pub struct SampleBuffer {
    /// The compressed frame and its times.
    pub sample: Sample,
    /// What it is decoded with.
    #[doc(alias = "CMSampleBufferGetFormatDescription")]
    pub format: Arc<FormatDescription>,
    /// What else is to be said about it.
    pub attachments: SampleAttachments,
}

impl SampleBuffer {
    /// A sample without attachments.
    pub fn new(sample: Sample, format: Arc<FormatDescription>) -> Self {
        Self { sample, format, attachments: SampleAttachments::default() }
    }
}

/// What is said about a sample besides its times and its [`SampleKind`](crate::SampleKind). The default says nothing.
#[doc(alias = "CMSampleBufferGetSampleAttachmentsArray")]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SampleAttachments {
    /// Decoding can start here, but frames shown before this one then cannot be decoded: the start of an open group of pictures.
    #[doc(alias = "kCMSampleAttachmentKey_PartialSync")]
    pub partial_sync: bool,
    /// Frames that come later in decode order may be shown earlier than this one.
    #[doc(alias = "kCMSampleAttachmentKey_EarlierDisplayTimesAllowed")]
    pub earlier_display_times_allowed: bool,
    /// Parts of the picture are coded more than once.
    #[doc(alias = "kCMSampleAttachmentKey_HasRedundantCoding")]
    pub has_redundant_coding: bool,
    /// Show it as soon as it is decoded.
    #[doc(alias = "kCMSampleAttachmentKey_DisplayImmediately")]
    pub display_immediately: bool,
    /// Decode it and do not show it.
    #[doc(alias = "kCMSampleAttachmentKey_DoNotDisplay")]
    pub do_not_display: bool,
    /// The temporal layer, 0 the base.
    #[doc(alias = "kCMSampleAttachmentKey_HEVCTemporalLevelInfo")]
    pub temporal_layer: u32,
    /// The frame is kept as a long-term reference: the receiver is asked to acknowledge this number.
    #[doc(alias = "kVTSampleAttachmentKey_RequireLTRAcknowledgementToken")]
    pub long_term_reference: Option<u64>,
    /// Mean squared errors against the source (luma, Cb, Cr) for every view, in squares of sample values of the frame's bit depth.
    #[doc(alias = "kVTSampleAttachmentKey_QualityMetrics")]
    pub mean_squared_errors: Vec<[f64; 3]>,
    /// How much of the start is decoded and not shown; [`Time::INVALID`] for nothing.
    #[doc(alias = "kCMSampleBufferAttachmentKey_TrimDurationAtStart")]
    pub trim_at_start: Time,
    /// How much of the end is decoded and not shown; [`Time::INVALID`] for nothing.
    #[doc(alias = "kCMSampleBufferAttachmentKey_TrimDurationAtEnd")]
    pub trim_at_end: Time,
    /// The sample before it ends where this one begins.
    #[doc(alias = "kCMSampleBufferAttachmentKey_EndsPreviousSampleDuration")]
    pub ends_previous_duration: bool,
    /// Reset the decoder before this sample.
    #[doc(alias = "kCMSampleBufferAttachmentKey_ResetDecoderBeforeDecoding")]
    pub reset_decoder: bool,
    /// Drain the decoder after this sample.
    #[doc(alias = "kCMSampleBufferAttachmentKey_DrainAfterDecoding")]
    pub drain_decoder: bool,
    /// Nothing is shown from here on.
    #[doc(alias = "kCMSampleBufferAttachmentKey_PermanentEmptyMedia")]
    pub permanent_empty_media: bool,
    /// The emptiness is shown at once.
    #[doc(alias = "kCMSampleBufferAttachmentKey_DisplayEmptyMediaImmediately")]
    pub display_empty_media_immediately: bool,
}

impl SampleAttachments {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
