//! MP-33: data rate limits on the merged decode timeline, windows across the joins of passes included.

use super::frames::Frames;
use super::units::{Unit, unit_of};
use crate::property::DataRateLimit;
use crate::windows::{TICK, TimedBytes, overfull};
use retake_media::Time;
use std::collections::BTreeMap;

/// The samples in decode order.
fn timeline(frames: &Frames, units: &[Unit]) -> Vec<TimedBytes> {
    let out = frames.0.iter().enumerate().filter(|(_, frame)| frame.dts.is_numeric());
    let timed = out.map(|(index, frame)| TimedBytes {
        seconds: frame.dts.seconds(),
        bytes: frame.bytes,
        unit: unit_of(units, index),
    });
    let mut samples: Vec<_> = timed.collect();
    samples.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    samples
}

/// The units that make windows hold more than a limit, each with how many times too large it is
/// ([`overfull`]).
pub(super) fn broken(frames: &Frames, units: &[Unit], limits: &[DataRateLimit]) -> BTreeMap<usize, f64> {
    overfull(&timeline(frames, units), limits)
}

/// The samples of the merged stream before an instant that windows may still hold which reach beyond it.
pub(super) fn before(frames: &Frames, limits: &[DataRateLimit], instant: Time) -> Vec<(Time, u64)> {
    let longest = limits.iter().map(|limit| limit.seconds).fold(0.0, f64::max);
    let since = instant.seconds() - longest;
    let near = frames.0.iter().filter(|frame| frame.dts.is_numeric() && frame.dts < instant);
    let mut samples: Vec<_> = near.map(|frame| (frame.dts, frame.bytes)).collect();
    samples.retain(|(dts, _)| dts.seconds() > since - TICK);
    samples.sort_by_key(|(dts, _)| *dts);
    samples
}
