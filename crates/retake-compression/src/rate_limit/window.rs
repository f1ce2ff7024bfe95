//! The window rule: what is in a window, and how full it is.

use super::margins::PartMargins;
use crate::property::DataRateLimit;
use retake_media::Time;
use std::collections::{BTreeMap, VecDeque};

/// Less than the distance of any two times of films: what seconds lose as floating point numbers.
pub(crate) const TICK: f64 = 1e-7;

/// A sample on the merged timeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedBytes {
    /// When it is decoded, in seconds.
    pub seconds: f64,
    /// How large it is.
    pub bytes: u64,
    /// The unit that it belongs to.
    pub unit: usize,
}

/// The units that make windows hold more than one of the limits, each with how many times too large its part
/// of the worst of those is: where the others in the window stay as they are. Of the units in a window those
/// have made it too full whose samples in it are larger than three quarters of what the limit is in the mean:
/// what a few frames of a cut have too much is not theirs alone to save. `samples` are in decode order.
pub fn overfull(samples: &[TimedBytes], limits: &[DataRateLimit]) -> BTreeMap<usize, f64> {
    let mut overfull = BTreeMap::new();
    limits.iter().for_each(|limit| look(samples, *limit, &mut overfull));
    overfull
}

/// How full the fullest window is that each of so many units has a sample in. `samples` are in decode order.
pub fn fullest(samples: &[TimedBytes], limits: &[DataRateLimit], units: usize) -> Vec<f64> {
    let mut fullest = vec![0.0f64; units];
    for limit in limits {
        each_window(samples, *limit, |window, sum| {
            let full = sum as f64 / limit.bytes as f64;
            let (first, last) = (window[0].unit, window[window.len() - 1].unit);
            for unit in fullest.get_mut(first.min(last)..=first.max(last)).into_iter().flatten() {
                *unit = unit.max(full);
            }
        });
    }
    fullest
}

/// How many times what the others leave of a window one unit has in it, in the window where that is most:
/// above 1, it makes a window too full. `samples` are in decode order.
pub(super) fn crowding(samples: &[TimedBytes], limits: &[DataRateLimit], unit: usize) -> f64 {
    let mut most = 0.0f64;
    for limit in limits {
        each_window(samples, *limit, |window, sum| {
            let own: u64 =
                window.iter().filter(|sample| sample.unit == unit).map(|sample| sample.bytes).sum();
            if own > 0 {
                most = most.max(own as f64 / limit.bytes.saturating_sub(sum - own).max(1) as f64);
            }
        });
    }
    most
}

fn look(samples: &[TimedBytes], limit: DataRateLimit, overfull: &mut BTreeMap<usize, f64>) {
    each_window(samples, limit, |window, sum| {
        if sum > limit.bytes {
            blame(window, limit.bytes, overfull);
        }
    });
}

/// The windows of a limit, each with its bytes.
fn each_window(samples: &[TimedBytes], limit: DataRateLimit, mut of: impl FnMut(&[TimedBytes], u64)) {
    let (mut end, mut sum) = (0, 0);
    for start in 0..samples.len() {
        while end < samples.len() && samples[end].seconds < samples[start].seconds + limit.seconds - TICK {
            sum += samples[end].bytes;
            end += 1;
        }
        of(&samples[start..end], sum);
        sum -= samples[start].bytes;
    }
}

/// Samples that are larger than this share of what the limit is in the mean can be made smaller for it.
const LARGE: f64 = 0.75;

pub(super) fn blame(window: &[TimedBytes], most: u64, overfull: &mut BTreeMap<usize, f64>) {
    let part = |unit: &[TimedBytes]| {
        let bytes: u64 = unit.iter().map(|sample| sample.bytes).sum();
        (unit[0].unit, bytes, bytes as f64 * window.len() as f64 > LARGE * most as f64 * unit.len() as f64)
    };
    let parts: Vec<_> = window.chunk_by(|a, b| a.unit == b.unit).map(part).collect();
    let sum =
        |large: bool| parts.iter().filter(|part| part.2 == large).map(|part| part.1).sum::<u64>() as f64;
    // those that are not too large leave something: they are below the mean of the limit
    let times = sum(true) / (most as f64 - sum(false)).max(1.0);
    for (unit, ..) in parts.iter().filter(|part| part.2) {
        let worst = overfull.entry(*unit).or_default();
        *worst = worst.max(times);
    }
}

/// The samples before an instant, in decode order, that windows may still hold which reach beyond it.
pub fn samples_before(
    samples: impl Iterator<Item = (Time, u64)>,
    limits: &[DataRateLimit],
    instant: Time,
) -> Vec<(Time, u64)> {
    let longest = limits.iter().map(|limit| limit.seconds).fold(0.0, f64::max);
    let since = instant.seconds() - longest;
    let near = |(dts, _): &(Time, u64)| *dts < instant && dts.seconds() > since - TICK;
    let mut samples: Vec<_> = samples.filter(near).collect();
    samples.sort_by_key(|(dts, _)| *dts);
    samples
}

/// The samples of the last seconds of decode time, as one encode, pass or film puts them out.
#[derive(Debug, Clone, Default)]
pub struct RateWindow {
    samples: VecDeque<(f64, u64)>,
}

impl RateWindow {
    /// A window that slides on behind these samples, which are in decode order.
    pub fn behind(samples: impl IntoIterator<Item = (Time, u64)>) -> Self {
        Self { samples: samples.into_iter().map(|(dts, bytes)| (dts.seconds(), bytes)).collect() }
    }

    /// Notes a sample, and tells how full the fullest window that ends with it is, or, of a part, that
    /// reaches into its neighbours: above 1, a limit is broken, or could be.
    pub fn note(
        &mut self,
        limits: &[DataRateLimit],
        margins: Option<&PartMargins>,
        dts: Time,
        bytes: u64,
    ) -> f64 {
        self.push(dts, bytes, limits.iter().map(|limit| limit.seconds).fold(0.0, f64::max));
        let fullness = |limit: &DataRateLimit| self.bytes(limit.seconds) as f64 / limit.bytes as f64;
        let margin = margins.map_or(0.0, |margins| margins.fullness(limits, &self.samples));
        limits.iter().map(fullness).fold(margin, f64::max)
    }

    /// Notes a sample, and forgets those that are no longer in the longest window that ends with it.
    pub fn push(&mut self, dts: Time, bytes: u64, longest: f64) {
        let now = dts.seconds();
        self.samples.push_back((now, bytes));
        while self.samples.front().is_some_and(|&(then, _)| then <= now - longest + TICK) {
            self.samples.pop_front();
        }
    }

    /// The samples in it, as decode time in seconds and bytes.
    pub(super) fn samples(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.samples.iter().copied()
    }

    /// Bytes in the window of so many seconds that ends with the last sample.
    pub fn bytes(&self, seconds: f64) -> u64 {
        let now = self.samples.back().map_or(0.0, |&(now, _)| now);
        let inside = self.samples.iter().rev().take_while(|&&(then, _)| then > now - seconds + TICK);
        inside.map(|&(_, bytes)| bytes).sum()
    }

    /// How full the fullest window would be if all went on as in its last quarter.
    pub fn pace(&self, limits: &[DataRateLimit]) -> f64 {
        const PART: f64 = 0.25;
        let full =
            |limit: &DataRateLimit| self.bytes(limit.seconds * PART) as f64 / (limit.bytes as f64 * PART);
        limits.iter().map(full).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A small unit beside a large one is not to blame, and the large one has to make all the room.
    #[test]
    fn the_large_ones_are_to_blame() {
        let sample = |frame: usize, bytes, unit| TimedBytes { seconds: frame as f64 / 10.0, bytes, unit };
        let samples: Vec<_> = (0..5)
            .map(|frame| sample(frame, 10, 0))
            .chain((5..10).map(|frame| sample(frame, 50, 1)))
            .collect();
        let limit = DataRateLimit { bytes: 150, seconds: 1.0 };
        assert_eq!(
            overfull(&samples, &[limit]),
            [(1, 2.5)].into(),
            "250 where 150 less 50 of others are left"
        );
    }

    /// MP-33: a unit that others leave little room has to become as many times smaller as its part says, and
    /// not by as much as the window is too full.
    #[test]
    fn a_unit_has_the_room_that_others_leave() {
        let sample = |frame: usize, bytes, unit| TimedBytes { seconds: frame as f64 / 10.0, bytes, unit };
        let samples: Vec<_> = (0..10).map(|frame| sample(frame, 10, usize::from(frame >= 6))).collect();
        let limits = [DataRateLimit { bytes: 80, seconds: 1.0 }, DataRateLimit { bytes: 1000, seconds: 0.5 }];
        assert_eq!(crowding(&samples, &limits, 1), 40.0 / 20.0, "of 80 the others leave 20");
        assert_eq!(crowding(&samples, &[], 1), 0.0);
    }

    proptest! {
        /// MP-33: there is a unit to blame exactly if a window, summed by itself, is too full; and where all
        /// units that are to blame become as much smaller as is said, none is.
        #[test]
        fn who_is_to_blame_can_mend_it(sizes in prop::collection::vec(0u64..2000, 1..60), length in 1usize..12,
                                       bytes in 1u64..9000, part in 1usize..9) {
            let timed = |sizes: &[u64]| -> Vec<TimedBytes> {
                let frame = |(frame, &bytes)| TimedBytes { seconds: frame as f64 / 25.0, bytes, unit: frame / part };
                sizes.iter().enumerate().map(frame).collect()
            };
            let fullest = |sizes: &[u64]| sizes.windows(length.min(sizes.len())).map(|window| window.iter().sum::<u64>()).max();
            let limit = DataRateLimit { bytes, seconds: length as f64 / 25.0 };
            let blamed = overfull(&timed(&sizes), &[limit]);
            prop_assert_eq!(blamed.is_empty(), fullest(&sizes) <= Some(bytes));
            prop_assert!(blamed.values().all(|times| *times > 1.0));
            let smaller: Vec<u64> = sizes
                .iter()
                .enumerate()
                .map(|(frame, &size)| (size as f64 / blamed.get(&(frame / part)).unwrap_or(&1.0)) as u64)
                .collect();
            prop_assert!(fullest(&smaller) <= Some(bytes));
        }
    }

    #[test]
    fn memory_follows_the_window() {
        let mut window = RateWindow::default();
        let limits = [DataRateLimit { bytes: 1000, seconds: 1.0 }];
        for frame in 0..10_000 {
            assert!(window.note(&limits, None, Time::new(frame, 25), 40) <= 1.0);
        }
        assert!(window.samples.len() <= 26);
    }
}
