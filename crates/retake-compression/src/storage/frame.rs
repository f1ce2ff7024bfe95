//! This module defines the record of a frame, and its bytes.

use crate::journal::fields::take;
use retake_media::sample_codec::{TIME_BYTES, put_kind, put_time, take_kind, take_time};
use retake_media::{SampleKind, Time};

/// A record holds the findings of a pass about one frame (MP-29).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameRecord {
    /// The presentation time.
    pub pts: Time,
    /// The duration; [`Time::INVALID`] if the client did not give one.
    pub duration: Time,
    /// A digest of the frame's picture and options, which is equal for equal ones.
    pub input: u64,
    /// The dependency of the frame: it is a sync frame, a reference, or neither.
    pub kind: SampleKind,
    /// The bits of its sample.
    pub bits: u64,
    /// The average quantizer, on the encoder's own scale; 0 where the encoder does not tell it.
    pub qp: f32,
}

impl FrameRecord {
    pub(super) const BYTES: usize = 2 * TIME_BYTES + 8 + 1 + 8 + 4;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_time(out, self.pts);
        put_time(out, self.duration);
        out.extend(self.input.to_le_bytes());
        put_kind(out, self.kind);
        out.extend(self.bits.to_le_bytes());
        out.extend(self.qp.to_le_bytes());
    }

    /// Reads the first frame of `bytes`, and moves `bytes` behind it.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            pts: take_time(bytes)?,
            duration: take_time(bytes)?,
            input: u64::from_le_bytes(take(bytes)?),
            kind: take_kind(bytes)?,
            bits: u64::from_le_bytes(take(bytes)?),
            qp: f32::from_le_bytes(take(bytes)?),
        })
    }
}
