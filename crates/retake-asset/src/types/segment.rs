use crate::types::media::MediaType;
use retake_media::Time;

/// Which stream the segments make.
#[doc(alias = "AVFileTypeProfile")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SegmentProfile {
    /// Segments for HTTP Live Streaming; video and sound may be in one stream.
    #[doc(alias = "AVFileTypeProfileMPEG4AppleHLS")]
    AppleHls,
    /// Segments by the Common Media Application Format: one track in each stream.
    #[doc(alias = "AVFileTypeProfileMPEG4CMAFCompliant")]
    Cmaf,
}

impl SegmentProfile {
    /// Nothing is shown before it is decoded, and edit lists say where a track begins, which `cmf2` would
    /// forbid: players that are not told so (FFmpeg's among them) show reordered pictures too late.
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

/// What kind of segment it is.
#[doc(alias = "AVAssetSegmentType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SegmentKind {
    /// What a player needs before the first segment: comes first, and once.
    Initialization = 1,
    /// Media, which begins with a sync sample.
    Separable = 2,
}

/// What is in a segment.
#[doc(alias = "AVAssetSegmentReport")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReport {
    /// What kind of segment it is.
    #[doc(alias = "segmentType")]
    pub kind: SegmentKind,
    /// What is in it of each track; nothing in an initialization segment.
    #[doc(alias = "trackReports")]
    pub tracks: Vec<TrackReport>,
}

/// What is in a segment of one track.
#[doc(alias = "AVAssetSegmentTrackReport")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackReport {
    /// The track's number in the stream, from 1.
    #[doc(alias = "trackID")]
    pub track_id: u32,
    /// What it holds.
    pub media_type: MediaType,
    /// The earliest time that is shown, in the source's time.
    #[doc(alias = "earliestPresentationTimeStamp")]
    pub earliest_presentation_time: Time,
    /// From there to the end of the last sample.
    pub duration: Time,
    /// The first sample, of video: by it, playlists of sync frames alone are made.
    #[doc(alias = "firstVideoSampleInformation")]
    pub first_video_sample: Option<SampleInfo>,
}

/// Where a sample lies in its segment.
#[doc(alias = "AVAssetSegmentReportSampleInformation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleInfo {
    /// When it is shown, in the source's time.
    #[doc(alias = "presentationTimeStamp")]
    pub presentation_time: Time,
    /// Its first byte, counted from the start of the segment.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
    /// Whether decoding can start there.
    #[doc(alias = "isSyncSample")]
    pub is_sync: bool,
}

/// Who gets the segments of a writer.
#[doc(alias = "AVAssetWriterDelegate")]
pub trait SegmentDelegate: Send {
    /// The next segment; its bytes are the delegate's. Called in order, one at a time, on a thread of the
    /// writer, which writes nothing meanwhile: a delegate that waits makes inputs wait. It must not wait for
    /// the writer.
    #[doc(alias = "assetWriter:didOutputSegmentData:segmentType:segmentReport:")]
    fn segment(&mut self, data: Vec<u8>, report: &SegmentReport);
}

impl<F: FnMut(Vec<u8>, &SegmentReport) + Send> SegmentDelegate for F {
    fn segment(&mut self, data: Vec<u8>, report: &SegmentReport) {
        self(data, report);
    }
}
