//! Compressed frames with their times.

use crate::Time;
use serde::{Deserialize, Serialize};

/// States the dependencies of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SampleKind {
    /// A sync sample (for H.264 and HEVC an IDR picture): decoding can start here, because nothing after it
    /// in presentation order needs anything before it.
    #[doc(alias = "idr")]
    #[doc(alias = "keyframe")]
    Sync,
    /// The sample depends on others, and others depend on it.
    Reference,
    /// The sample depends on others, and none depends on it.
    Disposable,
}

/// One compressed frame (access unit, temporal unit) with its times. It must not be changed once it was
/// handed over.
///
/// H.264 and HEVC payloads are NAL units behind 4-byte big-endian lengths, without parameter sets, because
/// those are in the [`FormatDescription`](crate::FormatDescription). AV1 payloads are temporal units without
/// temporal delimiters; VP9 payloads are frames or superframes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The payload.
    pub data: Vec<u8>,
    /// The time at which the frame is shown: exactly the one that came with the source frame.
    #[doc(alias = "presentation time stamp")]
    pub pts: Time,
    /// The time at which the frame is decoded, by rule T-2: the k-th sample carries the k-th smallest
    /// presentation time. So B frames have `pts < dts`; for containers that forbid this, all decode times
    /// must be shifted down by a constant.
    #[doc(alias = "decode time stamp")]
    pub dts: Time,
    /// The time for which the frame is shown; [`Time::INVALID`] where the source did not state it.
    pub duration: Time,
    /// The dependencies of the sample.
    #[doc(alias = "kCMSampleAttachmentKey_NotSync")]
    pub kind: SampleKind,
}

impl Sample {
    /// Returns whether decoding can start at this sample.
    pub fn is_sync(&self) -> bool {
        self.kind == SampleKind::Sync
    }
}
