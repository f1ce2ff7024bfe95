use crate::journal::fields::take;
use retake_media::sample_codec::{TIME_BYTES, put_kind, put_time, take_kind, take_time};
use retake_media::{SampleKind, Time};

/// What a pass learned of one frame (MP-29).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameRecord {
    /// When it is shown.
    pub pts: Time,
    /// How long; [`Time::INVALID`] where the client did not say.
    pub duration: Time,
    /// A digest of the options that it came with: equal for equal options.
    pub options: u64,
    /// What it depends on: a sync frame, a reference, or neither.
    pub kind: SampleKind,
    /// Bits of its sample.
    pub bits: u64,
    /// The average quantizer, on the encoder's own scale; 0 where it does not say.
    pub qp: f32,
}

impl FrameRecord {
    pub(super) const BYTES: usize = 2 * TIME_BYTES + 8 + 1 + 8 + 4;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_time(out, self.pts);
        put_time(out, self.duration);
        out.extend(self.options.to_le_bytes());
        put_kind(out, self.kind);
        out.extend(self.bits.to_le_bytes());
        out.extend(self.qp.to_le_bytes());
    }

    /// The first frame of `bytes`, which then begin behind it.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            pts: take_time(bytes)?,
            duration: take_time(bytes)?,
            options: u64::from_le_bytes(take(bytes)?),
            kind: take_kind(bytes)?,
            bits: u64::from_le_bytes(take(bytes)?),
            qp: f32::from_le_bytes(take(bytes)?),
        })
    }
}
