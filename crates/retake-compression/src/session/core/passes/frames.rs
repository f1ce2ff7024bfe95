//! The source frames of a session of several passes, as the first pass saw them, and what became of each
//! last.

use crate::encoder::FrameOptions;
use crate::source_frames::SourceFrames;
use crate::storage::FrameRecord;
use retake_media::{SampleKind, Time};
use std::ops::Range;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// What a source frame comes with in each pass.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Input {
    pub(super) duration: Time,
    /// A digest of the picture and of its options.
    pub(super) digest: u64,
}

/// What became of a source frame last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
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
pub(in crate::session) struct Frames {
    pub(super) source: SourceFrames<Input>,
    /// What became of each.
    pub(super) states: Vec<Frame>,
}

impl Frames {
    /// Takes a frame that follows all others.
    pub(super) fn push(&mut self, pts: Time, input: Input) {
        let dts = Time::INVALID;
        let (bytes, qp, sync, sent, out) = (0, 0.0, false, true, false);
        self.source.push(pts, input);
        self.states.push(Frame { dts, bytes, qp, sync, sent, out });
    }

    /// Equal for the same frames: their times, pictures and options.
    pub(super) fn digest(&self, frames: Range<usize>) -> u128 {
        let mut digest = Xxh3::new();
        for index in frames {
            let Input { duration, digest: input } = self.source.key(index).copied().unwrap_or_default();
            for time in [self.pts(index), duration] {
                digest.update(&time.value().to_le_bytes());
                digest.update(&time.timescale().to_le_bytes());
                digest.update(&time.epoch().to_le_bytes());
            }
            digest.update(&input.to_le_bytes());
        }
        digest.digest128()
    }

    pub(super) fn find(&self, pts: Time) -> Option<usize> {
        self.source.find(pts)
    }

    pub(super) fn pts(&self, index: usize) -> Time {
        self.source.times()[index]
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
        let frame = &mut self.states[index];
        (frame.dts, frame.bytes, frame.qp) = (dts, bytes, qp);
        (frame.sync, frame.out) = (kind == SampleKind::Sync, true);
        let Input { duration, digest } = self.source.key(index).copied().unwrap_or_default();
        FrameRecord { pts: self.pts(index), duration, input: digest, kind, bits: bytes * 8, qp }
    }

    /// Takes over what an earlier session recorded of a pass, in the order in which its samples came. Frames
    /// of a first pass are all new; those of others have to be known.
    pub(super) fn restore(&mut self, records: &[FrameRecord]) -> Option<()> {
        let mut times: Vec<Time> = records.iter().map(|record| record.pts).collect();
        times.sort();
        if self.states.is_empty() {
            let mut sorted: Vec<&FrameRecord> = records.iter().collect();
            sorted.sort_by_key(|record| record.pts);
            let input = |record: &FrameRecord| Input { duration: record.duration, digest: record.input };
            sorted.into_iter().for_each(|record| self.push(record.pts, input(record)));
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
        let times = self.source.times();
        let Some(&last) = times.last() else { return Time::INVALID };
        let Input { duration, .. } = self.source.key(times.len() - 1).copied().unwrap_or_default();
        if duration.is_numeric() && duration > Time::ZERO {
            return last + duration;
        }
        match times.len().checked_sub(2).map(|before| times[before]) {
            Some(before) => last + (last - before),
            None => last + Time::new(1, last.timescale()),
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.source.times().first().map_or(0.0, |first| (self.source_end() - *first).seconds())
    }

    /// The sync frames: where units begin.
    pub(super) fn starts(&self) -> Vec<usize> {
        (0..self.states.len()).filter(|&index| index == 0 || self.states[index].sync).collect()
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
