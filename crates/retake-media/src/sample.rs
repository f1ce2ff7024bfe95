use crate::Time;
use serde::{Deserialize, Serialize};

/// What a sample depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SampleKind {
    /// A sync sample: decoding can start here, and nothing after it in presentation order needs anything before it.
    Sync,
    /// Depends on other samples, and others depend on it.
    Reference,
    /// Depends on other samples, and nothing depends on it.
    Disposable,
}

/// One compressed frame (access unit, temporal unit) with its timing. Immutable once handed over.
///
/// H.264 and HEVC payloads are NAL units behind 4-byte big-endian lengths, without parameter sets (those are in the
/// [`FormatDescription`](crate::FormatDescription)); AV1 payloads are temporal units without temporal delimiters; VP9 payloads are
/// (super)frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The payload.
    pub data: Vec<u8>,
    /// When the frame is shown: exactly the time that came with the source frame.
    pub pts: Time,
    /// When it is decoded, by rule T-2: the k-th sample carries the k-th smallest presentation time. So B frames have
    /// `pts < dts`; containers that forbid that shift all decode times down by a constant.
    pub dts: Time,
    /// How long it is shown; [`Time::INVALID`] where the source did not say.
    pub duration: Time,
    /// Dependencies.
    #[doc(alias = "kCMSampleAttachmentKey_NotSync")]
    pub kind: SampleKind,
}

impl Sample {
    /// Whether decoding can start here.
    pub fn is_sync(&self) -> bool {
        self.kind == SampleKind::Sync
    }
}
