//! MP-33: data rate limits on the merged decode timeline, windows across the joins of passes included.

use super::frames::{Frame, Frames};
use super::units::{Unit, unit_of};
use crate::encoder::RateBuffer;
use crate::property::DataRateLimit;
use crate::rate_limit::{self, TimedBytes, dry, fullest, overfull, samples_before};
use retake_media::Time;
use std::collections::BTreeMap;

/// The samples that are out, in decode order.
pub(super) fn timeline(frames: &Frames, units: &[Unit]) -> Vec<TimedBytes> {
    let out = frames.states.iter().enumerate().filter(|(_, frame)| frame.dts.is_numeric());
    let timed = out.map(|(index, frame)| TimedBytes {
        seconds: frame.dts.seconds(),
        bytes: frame.bytes,
        unit: unit_of(units, index),
    });
    let mut samples: Vec<_> = timed.collect();
    samples.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    samples
}

/// Of samples in decode order: the units that make windows hold more than a limit, each with how many times
/// too large it is ([`overfull`]), or let the decoder's buffer run dry; and how full the fullest window is
/// that each of `units` units has a sample in.
pub(super) fn judge(
    samples: &[TimedBytes],
    units: usize,
    limits: &[DataRateLimit],
    buffer: Option<RateBuffer>,
) -> (BTreeMap<usize, f64>, Vec<f64>) {
    let mut broken = overfull(samples, limits);
    for (unit, times) in buffer.map(|buffer| dry(samples, buffer)).into_iter().flatten() {
        let known = broken.entry(unit).or_insert(times);
        *known = known.max(times);
    }
    (broken, fullest(samples, limits, units))
}

/// Which share of the decoder's buffer is full when a frame is decoded that comes at an instant.
pub(super) fn fullness(frames: &Frames, buffer: RateBuffer, instant: Time) -> f64 {
    let mut before: Vec<_> = out(&frames.states).filter(|(dts, _)| *dts < instant).collect();
    before.sort_by_key(|(dts, _)| *dts);
    let timed = before.into_iter().map(|(dts, bytes)| (dts.seconds(), bytes));
    rate_limit::fullness(buffer, timed, instant.seconds())
}

/// The samples of the merged stream before an instant that windows may still hold which reach beyond it.
pub(super) fn before(frames: &Frames, limits: &[DataRateLimit], instant: Time) -> Vec<(Time, u64)> {
    samples_before(out(&frames.states), limits, instant)
}

/// The samples of the merged stream from frame `end` on that windows may hold which begin before it, each
/// with the index of its frame.
pub(super) fn after(frames: &Frames, limits: &[DataRateLimit], end: usize) -> Vec<(usize, Time, u64)> {
    let longest = limits.iter().map(|limit| limit.seconds).fold(0.0, f64::max);
    let behind = frames.states.iter().enumerate().skip(end).filter(|(_, frame)| frame.dts.is_numeric());
    let mut samples: Vec<_> = behind.map(|(index, frame)| (index, frame.dts, frame.bytes)).collect();
    samples.sort_by_key(|(_, dts, _)| *dts);
    let first = samples.first().map_or(Time::INVALID, |(_, dts, _)| *dts);
    samples.retain(|(_, dts, _)| (*dts - first).seconds() < longest);
    samples
}

/// Decode times and bytes of the frames that are out.
fn out(frames: &[Frame]) -> impl Iterator<Item = (Time, u64)> + '_ {
    frames.iter().filter(|frame| frame.dts.is_numeric()).map(|frame| (frame.dts, frame.bytes))
}
