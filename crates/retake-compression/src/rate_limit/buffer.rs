//! A decoder's buffer that is filled at a rate: what it holds along a stream, and which units let it run dry.

use super::window::{TimedBytes, blame};
use crate::encoder::{RateBuffer, RateLimit};
use std::collections::BTreeMap;

/// The buffer along a stream.
struct Level {
    rate: f64,
    size: f64,
    /// Bits in it, and when. Below zero, what samples lacked is still owed, so that a stretch of samples
    /// which do not fit is judged as a whole.
    bits: f64,
    seconds: Option<f64>,
}

impl Level {
    fn new(buffer: RateBuffer) -> Self {
        let size = buffer.max_rate as f64 * buffer.seconds;
        Self { rate: buffer.max_rate as f64, size, bits: size * buffer.initial, seconds: None }
    }

    /// Time passes. True if the buffer is full.
    fn fill(&mut self, seconds: f64) -> bool {
        let passed = self.seconds.map_or(0.0, |last| seconds - last);
        self.bits += self.rate * passed.max(0.0);
        self.seconds = Some(seconds);
        let full = self.bits >= self.size;
        self.bits = self.bits.min(self.size);
        full
    }

    /// A sample is taken out.
    fn take(&mut self, bytes: f64) {
        self.bits -= bytes * 8.0;
    }
}

/// Returns which share of a buffer is full at an instant, in seconds, behind these samples: times in seconds
/// and bytes, in decode order.
pub fn fullness(buffer: RateBuffer, samples: impl IntoIterator<Item = (f64, u64)>, instant: f64) -> f64 {
    let mut level = Level::new(buffer);
    for (seconds, bytes) in samples {
        level.fill(seconds);
        level.take(bytes as f64);
    }
    if level.seconds.is_some() {
        level.fill(instant);
    }
    level.bits.max(0.0) / level.size.max(1.0)
}

/// Returns the units that let a buffer run dry, each with how many times too large its part of the samples
/// is that were taken out since the buffer was full. `samples` are in decode order.
pub fn dry(samples: &[TimedBytes], buffer: RateBuffer) -> BTreeMap<usize, f64> {
    let (mut level, mut since, mut dry) = (Level::new(buffer), 0, BTreeMap::new());
    for (index, sample) in samples.iter().enumerate() {
        if level.fill(sample.seconds) {
            since = index;
        }
        level.take(sample.bytes as f64);
        // less than a byte is an error of the sum
        if level.bits <= -8.0 {
            let stretch = &samples[since..=index];
            let bytes: u64 = stretch.iter().map(|sample| sample.bytes).sum();
            blame(stretch, bytes.saturating_sub((-level.bits / 8.0).ceil() as u64), &mut dry);
        }
    }
    dry
}

/// What becomes of samples that an encoder keeps to a buffer by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// The bytes that come out.
    pub bytes: f64,
    /// The least that the buffer held meanwhile, as a share of its size, from 0 to 1.
    pub least: f64,
}

/// Tells what is left of samples, times in seconds and bytes in decode order, that are sent through a buffer
/// which is full at first: each is cut to what the buffer holds. An encoder cuts nothing off, but sees it
/// coming and makes what lies around smaller, too, so that the sum is about the same.
pub fn held(limit: RateLimit, samples: impl IntoIterator<Item = (f64, f64)>) -> Held {
    let rate = limit.bits_per_second.max(1);
    let seconds = limit.window_bits as f64 / rate as f64;
    let mut level = Level::new(RateBuffer { max_rate: rate, seconds, initial: 1.0 });
    let (mut least, mut sent) = (level.bits, 0.0);
    for (seconds, bytes) in samples {
        level.fill(seconds);
        let fits = bytes.min(level.bits / 8.0);
        level.take(fits);
        (sent, least) = (sent + fits, level.bits.min(least));
    }
    Held { bytes: sent, least: least / level.size.max(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A second of what flows in, full at first.
    const BUFFER: RateBuffer = RateBuffer { max_rate: 8000, seconds: 1.0, initial: 1.0 };

    fn stream(bytes: impl Fn(usize) -> u64) -> Vec<TimedBytes> {
        stream_of(&(0..40).map(bytes).collect::<Vec<_>>())
    }

    fn stream_of(sizes: &[u64]) -> Vec<TimedBytes> {
        let sample = |(index, &bytes)| TimedBytes { seconds: index as f64 / 10.0, bytes, unit: index / 10 };
        sizes.iter().enumerate().map(sample).collect()
    }

    /// MP-33: a stream at the rate of the buffer never empties it, and leaves it as full as it was; one
    /// sample more than the buffer holds and what flows in meanwhile lets it run dry, where it is, and there
    /// alone.
    #[test]
    fn what_flows_in_may_be_taken_out() {
        let even = stream(|_| 100);
        assert!(dry(&even, BUFFER).is_empty());
        let times = even.iter().map(|sample| (sample.seconds, sample.bytes));
        assert!((fullness(BUFFER, times.take(20), 2.0) - 1.0).abs() < 1e-9);
        // the buffer holds 1000 bytes: 1100 at once do not fit, nor do 30 samples with 140 bytes each
        let burst = stream(|index| if index == 25 { 1100 } else { 50 });
        assert_eq!(dry(&burst, BUFFER).into_keys().collect::<Vec<_>>(), [2]);
        let long = stream(|index| if index < 30 { 140 } else { 10 });
        assert!(dry(&long, BUFFER).into_keys().eq([0, 1, 2]), "{:?}", dry(&long, BUFFER));
        let short = stream(|index| if index < 20 { 140 } else { 10 });
        assert!(dry(&short, BUFFER).is_empty());
        assert!((fullness(BUFFER, [(0.0, 500)], 0.1) - 0.6).abs() < 1e-9);
        assert_eq!(fullness(RateBuffer { initial: 0.5, ..BUFFER }, [], 3.0), 0.5);
    }

    proptest! {
        /// What a buffer lets through never lets it run dry, is no more than what came, and is all of that
        /// where nothing would have run dry.
        #[test]
        fn what_is_held_back_fits(sizes in prop::collection::vec(0u64..1500, 1..60)) {
            let limit = RateLimit { bits_per_second: 8000, window_bits: 8000 };
            let all = stream_of(&sizes);
            let times = || all.iter().map(|sample| (sample.seconds, sample.bytes as f64));
            let whole: f64 = times().map(|sample| sample.1).sum();
            let Held { bytes, least } = held(limit, times());
            prop_assert!(bytes <= whole && (0.0..=1.0).contains(&least), "{bytes} of {whole}, {least}");
            let end = all.last().map_or(0.0, |last| last.seconds);
            prop_assert!(bytes <= 1000.0 + 1000.0 * end + 1e-6);
            prop_assert_eq!(dry(&all, BUFFER).is_empty(), (whole - bytes).abs() < 1.0);
        }
    }
}
