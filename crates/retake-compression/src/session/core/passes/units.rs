//! The units of a session of several passes: from one sync frame of the first pass to the next, with all
//! takes of each.

use super::frames::Frames;
use crate::take::{CpuSeconds, Score, TakeRecord};
use crate::units::FrameRange;
use retake_media::TimeRange;
use serde::{Deserialize, Serialize};

/// Frames from one sync frame to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Unit {
    /// Its first frame, and the first that is not in it.
    pub(super) first: usize,
    pub(super) end: usize,
    /// How it came out, the newest take last: that is the one which the client has.
    pub(super) takes: Vec<TakeRecord>,
    /// The quality that its newest take had to be given in place of a finer one, because that broke a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finest: Option<f64>,
}

impl Unit {
    pub(super) fn newest(&self) -> Option<&TakeRecord> {
        self.takes.last()
    }

    /// Whether a record is one of this unit.
    pub(super) fn is_of(&self, take: &TakeRecord) -> bool {
        take.range == FrameRange::new(self.first as u64, self.end as u64)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.newest().map_or(0, |take| take.bytes)
    }
}

/// The units that frames fall into.
pub(super) fn cut(frames: &Frames) -> Vec<Unit> {
    let starts = frames.starts();
    let ends = starts.iter().skip(1).copied().chain([frames.states.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&first, end)| Unit { first, end, takes: Vec::new(), finest: None })
        .collect()
}

/// The unit that a frame is in.
pub(super) fn unit_of(units: &[Unit], frame: usize) -> usize {
    units.partition_point(|unit| unit.end <= frame)
}

/// Notes how a unit has come out.
pub(super) fn measure(unit: &mut Unit, frames: &Frames, quality: Option<f64>, score: Option<Score>) {
    let range = FrameRange::new(unit.first as u64, unit.end as u64);
    let frames = &frames.states[unit.first..unit.end];
    let quantizers = frames.iter().map(|frame| f64::from(frame.qp)).sum::<f64>();
    unit.takes.push(TakeRecord {
        range,
        quality,
        qp: quantizers / frames.len().max(1) as f64,
        bytes: frames.iter().map(|frame| frame.bytes).sum(),
        reorder_ticks: 0,
        score,
        sizes: Vec::new(),
        frame_scores: None,
        pictures: None,
        look: None,
        cpu: CpuSeconds::default(),
    });
}

/// MP-18, MP-20: ranges of whole units, those side by side as one.
pub(super) fn ranges(units: &[Unit], frames: &Frames, wanted: &[usize]) -> Vec<TimeRange> {
    let start = |unit: usize| frames.pts(units[unit].first);
    let end = |unit: usize| match units.get(unit + 1) {
        Some(next) => frames.pts(next.first),
        None => frames.source_end(),
    };
    let runs = wanted.chunk_by(|a, b| a + 1 == *b);
    runs.map(|run| TimeRange::between(start(run[0]), end(run[run.len() - 1]))).collect()
}
