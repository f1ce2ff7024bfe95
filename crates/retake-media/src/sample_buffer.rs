//! Samples together with their description and attachments, as sessions, silos and writers pass them on.

use crate::{FormatDescription, Sample, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A [`Sample`] as a session hands it out and a silo or a writer takes it: with its format description and
/// its attachments. Whoever holds it owns it; all samples that have an equal description share one.
#[doc(alias = "CMSampleBuffer")]
#[derive(Debug, Clone, PartialEq)]
pub struct SampleBuffer {
    /// The compressed frame and its times.
    pub sample: Sample,
    /// The description that the sample is decoded with.
    #[doc(alias = "CMSampleBufferGetFormatDescription")]
    pub format: Arc<FormatDescription>,
    /// The attachments of the sample.
    pub attachments: SampleAttachments,
}

impl SampleBuffer {
    /// Makes a sample without attachments.
    pub fn new(sample: Sample, format: Arc<FormatDescription>) -> Self {
        Self { sample, format, attachments: SampleAttachments::default() }
    }
}

/// States more about a sample than its times and its [`SampleKind`](crate::SampleKind) do. The default states
/// nothing.
#[doc(alias = "CMSampleBufferGetSampleAttachmentsArray")]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SampleAttachments {
    /// Decoding can start here, but frames that are shown before this one cannot be decoded then: an open
    /// group of pictures (open GOP) begins.
    #[doc(alias = "kCMSampleAttachmentKey_PartialSync")]
    pub partial_sync: bool,
    /// Frames that come later in decode order may be shown earlier than this one.
    #[doc(alias = "kCMSampleAttachmentKey_EarlierDisplayTimesAllowed")]
    pub earlier_display_times_allowed: bool,
    /// Parts of the picture are coded more than once.
    #[doc(alias = "kCMSampleAttachmentKey_HasRedundantCoding")]
    pub has_redundant_coding: bool,
    /// The frame must be shown as soon as it is decoded.
    #[doc(alias = "kCMSampleAttachmentKey_DisplayImmediately")]
    pub display_immediately: bool,
    /// The frame must be decoded and not shown.
    #[doc(alias = "kCMSampleAttachmentKey_DoNotDisplay")]
    pub do_not_display: bool,
    /// The number of the temporal layer; 0 is the base layer.
    #[doc(alias = "kCMSampleAttachmentKey_HEVCTemporalLevelInfo")]
    pub temporal_layer: u32,
    /// The number that the receiver is asked to acknowledge, because the frame is kept as a long-term
    /// reference (LTR) under it.
    #[doc(alias = "kVTSampleAttachmentKey_RequireLTRAcknowledgementToken")]
    pub long_term_reference: Option<u64>,
    /// The mean squared errors against the source (luma, Cb, Cr) for every view, in squares of sample values
    /// of the frame's bit depth.
    #[doc(alias = "kVTSampleAttachmentKey_QualityMetrics")]
    pub mean_squared_errors: Vec<[f64; 3]>,
    /// The time at the start that is decoded and not shown.
    #[doc(alias = "kCMSampleBufferAttachmentKey_TrimDurationAtStart")]
    pub trim_at_start: Option<Time>,
    /// The time at the end that is decoded and not shown.
    #[doc(alias = "kCMSampleBufferAttachmentKey_TrimDurationAtEnd")]
    pub trim_at_end: Option<Time>,
    /// The sample before must end where this one begins.
    #[doc(alias = "kCMSampleBufferAttachmentKey_EndsPreviousSampleDuration")]
    pub ends_previous_duration: bool,
    /// The decoder must be reset before this sample.
    #[doc(alias = "kCMSampleBufferAttachmentKey_ResetDecoderBeforeDecoding")]
    pub reset_decoder: bool,
    /// The decoder must be drained after this sample.
    #[doc(alias = "kCMSampleBufferAttachmentKey_DrainAfterDecoding")]
    pub drain_decoder: bool,
    /// Nothing is shown from here on.
    #[doc(alias = "kCMSampleBufferAttachmentKey_PermanentEmptyMedia")]
    pub permanent_empty_media: bool,
    /// The empty picture must be shown at once.
    #[doc(alias = "kCMSampleBufferAttachmentKey_DisplayEmptyMediaImmediately")]
    pub display_empty_media_immediately: bool,
}

impl SampleAttachments {
    /// Returns whether nothing is stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
