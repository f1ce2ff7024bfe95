//! The units of a session of several passes: from one sync frame of the first pass to the next, with all
//! takes of each.

use super::frames::Frames;
use crate::take::Score;
use retake_media::TimeRange;
use serde::{Deserialize, Serialize};

/// How a unit came out in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct UnitTake {
    /// The quality that it was encoded with, on the encoder's scale; none where a rate decided.
    pub(super) quality: Option<f64>,
    /// The mean quantizer of its frames; 0 where the encoder does not say.
    pub(super) qp: f64,
    pub(super) bytes: u64,
    /// How good it is, where that was measured.
    pub(super) score: Option<Score>,
}

/// Frames from one sync frame to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Unit {
    /// Its first frame, and the first that is not in it.
    pub(super) first: usize,
    pub(super) end: usize,
    /// How it came out, the newest take last: that is the one which the client has.
    pub(super) takes: Vec<UnitTake>,
}

impl Unit {
    pub(super) fn newest(&self) -> Option<&UnitTake> {
        self.takes.last()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.newest().map_or(0, |take| take.bytes)
    }
}

/// The units that frames fall into.
pub(super) fn cut(frames: &Frames) -> Vec<Unit> {
    let starts = frames.starts();
    let ends = starts.iter().skip(1).copied().chain([frames.0.len()]);
    starts.iter().zip(ends).map(|(&first, end)| Unit { first, end, takes: Vec::new() }).collect()
}

/// The unit that a frame is in.
pub(super) fn unit_of(units: &[Unit], frame: usize) -> usize {
    units.partition_point(|unit| unit.end <= frame)
}

/// Notes how a unit has come out.
pub(super) fn measure(unit: &mut Unit, frames: &Frames, quality: Option<f64>, score: Option<Score>) {
    let frames = &frames.0[unit.first..unit.end];
    let quantizers = frames.iter().map(|frame| f64::from(frame.qp)).sum::<f64>();
    unit.takes.push(UnitTake {
        quality,
        qp: quantizers / frames.len().max(1) as f64,
        bytes: frames.iter().map(|frame| frame.bytes).sum(),
        score,
    });
}

/// MP-18, MP-20: ranges of whole units, those side by side as one.
pub(super) fn ranges(units: &[Unit], frames: &Frames, wanted: &[usize]) -> Vec<TimeRange> {
    let start = |unit: usize| frames.0[units[unit].first].pts;
    let end = |unit: usize| match units.get(unit + 1) {
        Some(next) => frames.0[next.first].pts,
        None => frames.source_end(),
    };
    let runs = wanted.chunk_by(|a, b| a + 1 == *b);
    runs.map(|run| TimeRange::between(start(run[0]), end(run[run.len() - 1]))).collect()
}
