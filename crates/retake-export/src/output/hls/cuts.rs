//! This module decides where segments begin.

use crate::job::plan::LONGEST_SEGMENT;
use retake_compression::units::FrameRange;
use retake_libav::{FrameIndex, ticks_to_time};
use retake_media::Time;

/// Returns the times of the frames at which a segment begins, except the first. Segments must begin where
/// units do, and are as long as they can be without being longer than [`LONGEST_SEGMENT`]; a unit that is
/// longer is a segment of its own.
pub(super) fn cuts(units: &[FrameRange], index: &FrameIndex) -> Vec<Time> {
    let time = |frame: u64| {
        let entry = index.frames.get(usize::try_from(frame).unwrap_or(usize::MAX));
        entry.map(|entry| ticks_to_time(entry.pts, index.time_base))
    };
    let end = index.frames.last().map(|last| ticks_to_time(last.pts + last.duration, index.time_base));
    let mut cuts = Vec::new();
    let Some(mut began) = units.first().and_then(|unit| time(unit.start)) else { return cuts };
    for unit in units.iter().skip(1) {
        let (Some(starts), Some(ends)) = (time(unit.start), time(unit.end).or(end)) else { break };
        if ends - began > Time::new(LONGEST_SEGMENT, 1) {
            cuts.push(starts);
            began = starts;
        }
    }
    cuts
}

/// Returns the times at which segments begin, and the end of the last one.
pub(super) fn bounds(cuts: &[Time], index: &FrameIndex) -> Vec<Time> {
    let time = |ticks: i64| ticks_to_time(ticks, index.time_base);
    let first = index.frames.first().map(|first| time(first.pts));
    let end = index.frames.last().map(|last| time(last.pts.saturating_add(last.duration)));
    first.into_iter().chain(cuts.iter().copied()).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use retake_libav::FrameEntry;
    use retake_media::Rational;

    proptest! {
        /// Every segment must begin with a unit; none that could be split may be too long, and none could
        /// take the next unit as well.
        #[test]
        fn segments_are_as_long_as_they_may_be(lengths in prop::collection::vec(1u64..90, 1..60)) {
            let (mut units, mut start) = (Vec::new(), 0);
            for length in lengths {
                units.push(FrameRange::new(start, start + length));
                start += length;
            }
            let frames = (0..start as i64).map(|pts| FrameEntry { pts, duration: 1, hash: 0, sync: false });
            let index = FrameIndex { time_base: Rational::new(1, 10), frames: frames.collect() };
            let cuts: Vec<i64> = cuts(&units, &index).into_iter().map(|cut| cut.convert_scale(10).value()).collect();
            let starts: Vec<i64> = units.iter().map(|unit| unit.start as i64).collect();
            prop_assert!(cuts.iter().all(|cut| starts.contains(cut)));
            let mut bounds = vec![0];
            bounds.extend(&cuts);
            bounds.push(start as i64);
            for (number, pair) in bounds.windows(2).enumerate() {
                let inside = starts.iter().filter(|&&start| pair[0] < start && start < pair[1]).count();
                prop_assert!(pair[0] < pair[1] && (pair[1] - pair[0] <= 60 || inside == 0));
                if let Some(after) = bounds.get(number + 2) {
                    let next = starts.iter().find(|&&start| start > pair[1]).unwrap_or(after);
                    prop_assert!(next - pair[0] > 60);
                }
            }
        }
    }
}
