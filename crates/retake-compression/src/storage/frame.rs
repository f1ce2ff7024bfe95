use crate::log::fields::{TIME, put_time, take, time};
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
    pub(super) const BYTES: usize = 2 * TIME + 8 + 1 + 8 + 4;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_time(out, self.pts);
        put_time(out, self.duration);
        out.extend(self.options.to_le_bytes());
        out.push(match self.kind {
            SampleKind::Sync => 0,
            SampleKind::Reference => 1,
            SampleKind::Disposable => 2,
        });
        out.extend(self.bits.to_le_bytes());
        out.extend(self.qp.to_le_bytes());
    }

    /// The first frame of `bytes`, which then begin behind it.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            pts: time(bytes)?,
            duration: time(bytes)?,
            options: u64::from_le_bytes(take(bytes)?),
            kind: match take(bytes)? {
                [0] => SampleKind::Sync,
                [1] => SampleKind::Reference,
                [2] => SampleKind::Disposable,
                _ => return None,
            },
            bits: u64::from_le_bytes(take(bytes)?),
            qp: f32::from_le_bytes(take(bytes)?),
        })
    }
}
