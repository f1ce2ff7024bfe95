//! The source frames of a session of several passes, as the first pass saw them, and what became of each
//! last.

use crate::encoder::FrameOptions;
use crate::storage::FrameRecord;
use retake_media::{SampleKind, Time};
use xxhash_rust::xxh3::xxh3_64;

/// A source frame as the first pass saw it, and what became of it last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) pts: Time,
    pub(super) duration: Time,
    /// A digest of the picture and of the options that it came with.
    pub(super) input: u64,
    /// When its sample is decoded.
    pub(super) dts: Time,
    pub(super) bytes: u64,
    pub(super) qp: f32,
    pub(super) sync: bool,
    /// In this pass: whether it came, and whether its sample did.
    pub(super) sent: bool,
    pub(super) out: bool,
}

/// All frames, in presentation order.
#[derive(Debug, Default)]
pub(in crate::session) struct Frames(pub(super) Vec<Frame>);

impl Frames {
    /// Takes a frame that follows all others.
    pub(super) fn push(&mut self, pts: Time, duration: Time, input: u64) {
        let dts = Time::INVALID;
        let (bytes, qp, sync, sent, out) = (0, 0.0, false, true, false);
        self.0.push(Frame { pts, duration, input, dts, bytes, qp, sync, sent, out });
    }

    pub(super) fn find(&self, pts: Time) -> Option<usize> {
        self.0.binary_search_by(|frame| frame.pts.cmp(&pts)).ok()
    }

    /// Notes what became of a frame.
    pub(super) fn emitted(
        &mut self,
        index: usize,
        dts: Time,
        bytes: u64,
        qp: f32,
        kind: SampleKind,
    ) -> FrameRecord {
        let frame = &mut self.0[index];
        (frame.dts, frame.bytes, frame.qp) = (dts, bytes, qp);
        (frame.sync, frame.out) = (kind == SampleKind::Sync, true);
        FrameRecord {
            pts: frame.pts,
            duration: frame.duration,
            input: frame.input,
            kind,
            bits: bytes * 8,
            qp,
        }
    }

    /// Takes over what an earlier session recorded of a pass, in the order in which its samples came. Frames
    /// of a first pass are all new; those of others have to be known.
    pub(super) fn restore(&mut self, records: &[FrameRecord]) -> Option<()> {
        let mut times: Vec<Time> = records.iter().map(|record| record.pts).collect();
        times.sort();
        if self.0.is_empty() {
            let mut sorted: Vec<&FrameRecord> = records.iter().collect();
            sorted.sort_by_key(|record| record.pts);
            sorted.into_iter().for_each(|record| self.push(record.pts, record.duration, record.input));
        }
        // T-2: the k-th sample of what was encoded on its own is decoded at the k-th time
        for (record, dts) in records.iter().zip(times) {
            let index = self.find(record.pts)?;
            self.emitted(index, dts, record.bits / 8, record.qp, record.kind);
        }
        Some(())
    }

    /// Resolution 36: where the source ends.
    pub(super) fn source_end(&self) -> Time {
        let Some(last) = self.0.last() else { return Time::INVALID };
        if last.duration.is_numeric() && last.duration > Time::ZERO {
            return last.pts + last.duration;
        }
        match self.0.len().checked_sub(2).map(|before| self.0[before].pts) {
            Some(before) => last.pts + (last.pts - before),
            None => last.pts + Time::new(1, last.pts.timescale()),
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.0.first().map_or(0.0, |first| (self.source_end() - first.pts).seconds())
    }

    /// The sync frames: where units begin.
    pub(super) fn starts(&self) -> Vec<usize> {
        (0..self.0.len()).filter(|&index| index == 0 || self.0[index].sync).collect()
    }
}

/// Equal for pictures of equal hash with equal options.
pub(super) fn digest(picture: u64, options: &FrameOptions) -> u64 {
    let FrameOptions { force_key_frame, base_qp, acknowledged, refresh } = options;
    let mut bytes = vec![u8::from(*force_key_frame), u8::from(*refresh), u8::from(base_qp.is_some())];
    bytes.extend(picture.to_le_bytes());
    bytes.extend(base_qp.unwrap_or(0).to_le_bytes());
    acknowledged.iter().for_each(|token| bytes.extend(token.to_le_bytes()));
    xxh3_64(&bytes)
}
