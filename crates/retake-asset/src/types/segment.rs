//! This module defines segments, their reports, and the delegate that gets them.

use crate::types::media::MediaType;
use retake_media::Time;

/// The kind of stream that the segments make.
#[doc(alias = "AVFileTypeProfile")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SegmentProfile {
    /// The segments are for HTTP Live Streaming; video and sound may be in one stream.
    #[doc(alias = "AVFileTypeProfileMPEG4AppleHLS")]
    AppleHls,
    /// The segments follow the Common Media Application Format: each stream has one track.
    #[doc(alias = "AVFileTypeProfileMPEG4CMAFCompliant")]
    Cmaf,
}

impl SegmentProfile {
    /// Returns the brands. Media is never shown before it is decoded, and edit lists tell where a track
    /// begins, which `cmf2` would forbid, because players that get no edit list (FFmpeg's among them) show
    /// reordered pictures too late.
    pub(crate) const fn brands(self) -> &'static [&'static [u8; 4]] {
        match self {
            Self::AppleHls => &[b"iso6", b"mp41", b"hlsf"],
            Self::Cmaf => &[b"cmfc", b"iso6"],
        }
    }

    pub(crate) const fn segment_brands(self) -> &'static [&'static [u8; 4]] {
        match self {
            Self::AppleHls => &[b"msdh", b"msix", b"hlsf"],
            Self::Cmaf => &[b"cmfs", b"msdh", b"cmfc"],
        }
    }
}

/// A segment is of one of these kinds.
#[doc(alias = "AVAssetSegmentType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SegmentKind {
    /// A player needs this before the first segment; it comes first, and once.
    Initialization = 1,
    /// This holds media, which begins with a sync sample.
    Separable = 2,
}

/// A report describes the content of a segment.
#[doc(alias = "AVAssetSegmentReport")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReport {
    /// The kind of the segment.
    #[doc(alias = "segmentType")]
    pub kind: SegmentKind,
    /// The content of each track; empty for an initialization segment.
    #[doc(alias = "trackReports")]
    pub tracks: Vec<TrackReport>,
}

/// A report describes the content of one track in a segment.
#[doc(alias = "AVAssetSegmentTrackReport")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackReport {
    /// The track's number in the stream, from 1.
    #[doc(alias = "trackID")]
    pub track_id: u32,
    /// The kind of its media.
    pub media_type: MediaType,
    /// The earliest presentation time, in the source's time.
    #[doc(alias = "earliestPresentationTimeStamp")]
    pub earliest_presentation_time: Time,
    /// The duration from there to the end of the last sample.
    pub duration: Time,
    /// Of video, the first sample, from which playlists of sync frames are made.
    #[doc(alias = "firstVideoSampleInformation")]
    pub first_video_sample: Option<SampleInfo>,
}

/// This tells where a sample lies in its segment.
#[doc(alias = "AVAssetSegmentReportSampleInformation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleInfo {
    /// The presentation time, in the source's time.
    #[doc(alias = "presentationTimeStamp")]
    pub presentation_time: Time,
    /// The offset of its first byte, counted from the start of the segment.
    pub offset: u64,
    /// The number of its bytes.
    pub length: u64,
    /// True if decoding can start there.
    #[doc(alias = "isSyncSample")]
    pub is_sync: bool,
}

/// A delegate gets the segments of a writer.
#[doc(alias = "AVAssetWriterDelegate")]
pub trait SegmentDelegate: Send {
    /// Takes the next segment; the delegate owns its bytes. It is called in order, one at a time, on a thread
    /// of the writer, which writes nothing meanwhile, so a delegate that waits makes inputs wait. It must not
    /// wait for the writer.
    #[doc(alias = "assetWriter:didOutputSegmentData:segmentType:segmentReport:")]
    fn segment(&mut self, data: Vec<u8>, report: &SegmentReport);
}

impl<F: FnMut(Vec<u8>, &SegmentReport) + Send> SegmentDelegate for F {
    fn segment(&mut self, data: Vec<u8>, report: &SegmentReport) {
        self(data, report);
    }
}
