//! DataRateLimits: from windows to a bucket that keeps them, and the watch over what comes out.

use super::edges::Edges;
use crate::encoder::RateLimit;
use crate::property::DataRateLimit;
use crate::windows::TICK;
use retake_media::Time;
use std::collections::VecDeque;

/// What of a window is left unused, because encoders overshoot their bucket by a little.
const MARGIN: f64 = 0.95;

/// A leaky bucket under which no window can hold more than its limit.
///
/// What a bucket of size b that fills at r lets through in s seconds is at most b + r·s. So for every pair, b
/// is what r·s leaves of the window. r is a little above the average where one is asked for, and never below
/// half or above four fifths of the tightest rate: a bucket that is too small for a sync frame would cost
/// more than a low rate.
pub(super) fn bucket(limits: &[DataRateLimit], average: Option<u64>) -> Option<RateLimit> {
    let bits = |limit: &DataRateLimit| limit.bytes as f64 * 8.0 * MARGIN;
    let tightest = limits.iter().map(|limit| bits(limit) / limit.seconds).reduce(f64::min)?;
    let wanted = average.map_or(0.6 * tightest, |average| average as f64 * 1.05);
    let rate = wanted.clamp(0.5 * tightest, 0.8 * tightest);
    let size = limits.iter().map(|limit| bits(limit) - rate * limit.seconds).reduce(f64::min)?;
    Some(RateLimit { bits_per_second: rate.max(1000.0) as u64, window_bits: size.max(1000.0) as u64 })
}

/// The smallest share of a bucket that an encode is begun with: less is not enough for a sync frame. Encoders
/// take none below 1000 bits.
const LEAST: f64 = 0.25;

impl RateLimit {
    /// The bucket of an encode that begins at `start`, behind these samples of the same stream: what they
    /// have left of it.
    pub(super) fn behind(self, samples: &[(Time, u64)], start: Time) -> Self {
        let (rate, size) = (self.bits_per_second as f64, self.window_bits as f64);
        let (mut level, mut last) = (size, samples.first().map_or(start, |(dts, _)| *dts));
        for (dts, bytes) in samples {
            level = (level + rate * dts.subtract(last).seconds()).min(size) - *bytes as f64 * 8.0;
            last = *dts;
        }
        level = (level + rate * start.subtract(last).seconds()).min(size);
        Self { window_bits: level.max(LEAST * size).max(1000.0) as u64, ..self }
    }
}

/// The bytes of the last seconds of decode time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    samples: VecDeque<(f64, u64)>,
}

impl Watch {
    /// A watch that begins behind these samples.
    pub(super) fn of(samples: impl IntoIterator<Item = (Time, u64)>) -> Self {
        Self { samples: samples.into_iter().map(|(dts, bytes)| (dts.seconds(), bytes)).collect() }
    }

    /// Notes a sample, and tells how full the fullest window that ends with it is, or, of a part, that
    /// reaches into its neighbours: above 1, a limit is broken, or could be.
    pub(super) fn note(
        &mut self,
        limits: &[DataRateLimit],
        edges: Option<&Edges>,
        dts: Time,
        bytes: u64,
    ) -> f64 {
        self.push(dts, bytes, limits.iter().map(|limit| limit.seconds).fold(0.0, f64::max));
        let fullness = |limit: &DataRateLimit| self.inside(limit.seconds) as f64 / limit.bytes as f64;
        let edge = edges.map_or(0.0, |edges| edges.fullness(limits, &self.samples));
        limits.iter().map(fullness).fold(edge, f64::max)
    }

    /// Notes a sample, and forgets those that are no longer in the longest window that ends with it.
    pub(crate) fn push(&mut self, dts: Time, bytes: u64, longest: f64) {
        let now = dts.seconds();
        self.samples.push_back((now, bytes));
        while self.samples.front().is_some_and(|&(then, _)| then <= now - longest + TICK) {
            self.samples.pop_front();
        }
    }

    /// Bytes in the window of so many seconds that ends with the last sample.
    pub(crate) fn inside(&self, seconds: f64) -> u64 {
        let now = self.samples.back().map_or(0.0, |&(now, _)| now);
        let inside = self.samples.iter().rev().take_while(|&&(then, _)| then > now - seconds + TICK);
        inside.map(|&(_, bytes)| bytes).sum()
    }

    /// How full the fullest window would be if all went on as in its last quarter.
    pub(super) fn pace(&self, limits: &[DataRateLimit]) -> f64 {
        const PART: f64 = 0.25;
        let full =
            |limit: &DataRateLimit| self.inside(limit.seconds * PART) as f64 / (limit.bytes as f64 * PART);
        limits.iter().map(full).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A10, as arithmetic: whatever greedy sender keeps within the bucket keeps within every window.
        #[test]
        fn the_bucket_keeps_every_window(
            bytes in 20_000u64..1_000_000, seconds in 0.2..4.0f64, factor in 1.0..6.0f64, excess in 0.5..2.0f64,
            average in proptest::option::of(1u64..20_000_000), greed in proptest::collection::vec(0.0..1.0f64, 200),
        ) {
            let second = DataRateLimit { bytes: (bytes as f64 * factor * excess) as u64, seconds: seconds * factor };
            let limits = [DataRateLimit { bytes, seconds }, second];
            let bucket = bucket(&limits, average).unwrap();
            let (mut level, mut watch) = (bucket.window_bits as f64, Watch::default());
            for (frame, share) in greed.iter().enumerate() {
                let spent = (level * share / 8.0).floor();
                let fullest = watch.note(&limits, None, Time::new(frame as i64, 25), spent as u64);
                prop_assert!(fullest <= 1.0, "{fullest} at frame {frame}");
                level = (level - spent * 8.0 + bucket.bits_per_second as f64 / 25.0).min(bucket.window_bits as f64);
            }
        }
    }

    /// MP-33: behind a stream that has emptied the bucket there is little left, behind one that keeps half
    /// its rate nearly all of it.
    #[test]
    fn a_bucket_behind_others_has_what_they_left() {
        let limit = RateLimit { bits_per_second: 80_000, window_bits: 40_000 };
        let stream = |bytes: u64| (0..25).map(|frame| (Time::new(frame, 25), bytes)).collect::<Vec<_>>();
        let behind = |bytes| limit.behind(&stream(bytes), Time::new(1, 1)).window_bits;
        assert_eq!((behind(200), behind(600)), (40_000, 10_000));
        assert_eq!(limit.behind(&[], Time::new(1, 1)), limit);
        // 24 of 25 refills of 3200 bits come between them, and one behind them: 40000 - 25 × 4000 + 25 × 3200
        assert_eq!(behind(500), 20_000);
    }

    #[test]
    fn memory_follows_the_window() {
        let mut watch = Watch::default();
        let limits = [DataRateLimit { bytes: 1000, seconds: 1.0 }];
        for frame in 0..10_000 {
            assert!(watch.note(&limits, None, Time::new(frame, 25), 40) <= 1.0);
        }
        assert!(watch.samples.len() <= 26);
    }
}
