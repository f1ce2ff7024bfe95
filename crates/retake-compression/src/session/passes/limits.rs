//! MP-33: data rate limits on the merged decode timeline, windows across the joins of passes included.

use super::frames::Frames;
use super::units::{Unit, unit_of};
use crate::property::DataRateLimit;
use retake_media::Time;
use std::collections::BTreeMap;

/// Less than the distance of any two times of films: what seconds lose as floating point numbers.
const TICK: f64 = 1e-7;

/// When each sample is decoded, in seconds, and its bytes, in decode order, with its frame.
fn timeline(frames: &Frames) -> Vec<(f64, u64, usize)> {
    let out = frames.0.iter().enumerate().filter(|(_, frame)| frame.dts.is_numeric());
    let mut samples: Vec<_> = out.map(|(index, frame)| (frame.dts.seconds(), frame.bytes, index)).collect();
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    samples
}

/// The units that have a part in windows above their limit, with the fullest of those: its bytes over those that it may have.
pub(super) fn broken(frames: &Frames, units: &[Unit], limits: &[DataRateLimit]) -> BTreeMap<usize, f64> {
    let samples = timeline(frames);
    let mut broken: BTreeMap<usize, f64> = BTreeMap::new();
    for limit in limits {
        let (mut end, mut sum) = (0, 0);
        for start in 0..samples.len() {
            while end < samples.len() && samples[end].0 < samples[start].0 + limit.seconds - TICK {
                sum += samples[end].1;
                end += 1;
            }
            if sum > limit.bytes {
                let fullness = sum as f64 / limit.bytes as f64;
                for (_, _, frame) in &samples[start..end] {
                    let most = broken.entry(unit_of(units, *frame)).or_default();
                    *most = most.max(fullness);
                }
            }
            sum -= samples[start].1;
        }
    }
    broken
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
