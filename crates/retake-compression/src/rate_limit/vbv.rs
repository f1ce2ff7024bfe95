//! From limits to the buffer (VBV) that an encoder which knows one is told to keep to.

use crate::encoder::RateLimit;
use crate::property::DataRateLimit;
use retake_media::Time;

/// What of a window is left unused, because encoders overshoot their buffer by a little.
const MARGIN: f64 = 0.95;

/// What a buffer is for: it decides which share of a window flows in, and which share is the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VbvOf {
    /// One encode, at an average of so many bits per second where one is asked for.
    ///
    /// What a buffer of size b that fills at r lets through in s seconds is at most b + r·s. So for every
    /// limit, b is what r·s leaves of the window. r is a little above the average where one is asked for, and
    /// never below half or above four fifths of the tightest rate, because a buffer that is too small for a
    /// sync frame would cost more than a low rate.
    Encode {
        /// The average rate that is asked for, in bits per second.
        average: Option<u64>,
    },
    /// A take that is encoded again where it breaks a window together with its neighbours, so that it may use
    /// all of the buffer at a join.
    JudgedTake,
    /// A take that nothing judges. Its neighbours may use theirs at the same join, so each has half of it.
    UnjudgedTake,
}

impl VbvOf {
    /// The buffer under which no window holds more than its limit; none without limits.
    pub fn rate_limit(self, limits: &[DataRateLimit]) -> Option<RateLimit> {
        match self {
            Self::Encode { average } => of_encode(limits, average),
            Self::JudgedTake => of_take(limits, 50),
            Self::UnjudgedTake => of_take(limits, 25),
        }
    }
}

fn of_encode(limits: &[DataRateLimit], average: Option<u64>) -> Option<RateLimit> {
    let bits = |limit: &DataRateLimit| limit.bytes as f64 * 8.0 * MARGIN;
    let tightest = limits.iter().map(|limit| bits(limit) / limit.seconds).reduce(f64::min)?;
    let wanted = average.map_or(0.6 * tightest, |average| average as f64 * 1.05);
    let rate = wanted.clamp(0.5 * tightest, 0.8 * tightest);
    let size = limits.iter().map(|limit| bits(limit) - rate * limit.seconds).reduce(f64::min)?;
    Some(RateLimit { bits_per_second: rate.max(1000.0) as u64, window_bits: size.max(1000.0) as u64 })
}

/// What flows into two seconds, and a buffer of so many hundredths of a second, are at most those two seconds
/// at the rate of the tightest limit.
fn of_take(limits: &[DataRateLimit], buffer: u64) -> Option<RateLimit> {
    let rate = |limit: &DataRateLimit| (limit.bytes as f64 * 8.0 / limit.seconds) as u64;
    let rate = limits.iter().map(rate).min()?;
    let part = |percent: u64| (rate / 100).saturating_mul(percent).max(1000);
    Some(RateLimit { bits_per_second: part(75), window_bits: part(buffer) })
}

/// The smallest share of a bucket that an encode is begun with: less is not enough for a sync frame. Encoders
/// take none below 1000 bits.
const LEAST: f64 = 0.25;

impl RateLimit {
    /// The bucket of an encode that begins at `start`, behind these samples of the same stream: what they
    /// have left of it.
    pub(crate) fn behind(self, samples: &[(Time, u64)], start: Time) -> Self {
        let (rate, size) = (self.bits_per_second as f64, self.window_bits as f64);
        let (mut level, mut last) = (size, samples.first().map_or(start, |(dts, _)| *dts));
        for (dts, bytes) in samples {
            level = (level + rate * (*dts - last).seconds()).min(size) - *bytes as f64 * 8.0;
            last = *dts;
        }
        level = (level + rate * (start - last).seconds()).min(size);
        Self { window_bits: level.max(LEAST * size).max(1000.0) as u64, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::RateWindow;
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
            let bucket = VbvOf::Encode { average }.rate_limit(&limits).unwrap();
            let (mut level, mut window) = (bucket.window_bits as f64, RateWindow::default());
            for (frame, share) in greed.iter().enumerate() {
                let spent = (level * share / 8.0).floor();
                let fullest = window.note(&limits, None, Time::new(frame as i64, 25), spent as u64);
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
}
