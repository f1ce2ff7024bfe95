//! A rate that no two seconds of the film exceed: judged on the samples that would be shipped, across the
//! joins of takes.

use crate::job::plan::limit_of;
use crate::take::finished::FinishedTake;
use retake_compression::property::DataRateLimit;
use retake_compression::rate_limit::{TimedBytes, overfull};
use retake_libav::FrameIndex;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) struct Peaks<'a> {
    index: &'a FrameIndex,
    limit: DataRateLimit,
}

impl<'a> Peaks<'a> {
    pub(crate) fn new(index: &'a FrameIndex, rate: u64) -> Self {
        Self { index, limit: limit_of(rate) }
    }

    /// Of the takes of all units: those that have a part in two seconds above the rate, and how many times
    /// the rate that is. A record tells all that is needed: the samples of a closed group are decoded as far
    /// apart as its frames are shown, and all takes have the same delay.
    pub(crate) fn broken(&self, takes: &[Arc<FinishedTake>]) -> BTreeMap<usize, f64> {
        let tick = self.index.time_base.to_f64();
        let samples: Vec<TimedBytes> = takes
            .iter()
            .enumerate()
            .flat_map(|(unit, take)| {
                let frames = take.record.range.start..take.record.range.end;
                let seconds = move |frame: u64| {
                    let shown = self.index.frames.get(usize::try_from(frame).ok()?)?;
                    Some(shown.pts as f64 * tick)
                };
                let sample = move |(frame, bytes)| Some(TimedBytes { seconds: seconds(frame)?, bytes, unit });
                frames.zip(take.record.sample_sizes()).map_while(sample)
            })
            .collect();
        overfull(&samples, &[self.limit])
    }
}
