//! A decoder's buffer that is filled at a rate: what it holds along a stream, and which units let it run dry.

use super::window::{TimedBytes, blame};
use crate::encoder::RateBuffer;
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
    fn take(&mut self, bytes: u64) {
        self.bits -= bytes as f64 * 8.0;
    }
}

/// Returns which share of a buffer is full at an instant, in seconds, behind these samples: times in seconds
/// and bytes, in decode order.
pub fn fullness(buffer: RateBuffer, samples: impl IntoIterator<Item = (f64, u64)>, instant: f64) -> f64 {
    let mut level = Level::new(buffer);
    for (seconds, bytes) in samples {
        level.fill(seconds);
        level.take(bytes);
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
        level.take(sample.bytes);
        // less than a byte is an error of the sum
        if level.bits <= -8.0 {
            let stretch = &samples[since..=index];
            let bytes: u64 = stretch.iter().map(|sample| sample.bytes).sum();
            blame(stretch, bytes.saturating_sub((-level.bits / 8.0).ceil() as u64), &mut dry);
        }
    }
    dry
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of what flows in, full at first.
    const BUFFER: RateBuffer = RateBuffer { max_rate: 8000, seconds: 1.0, initial: 1.0 };

    fn stream(bytes: impl Fn(usize) -> u64) -> Vec<TimedBytes> {
        let sample =
            |index| TimedBytes { seconds: index as f64 / 10.0, bytes: bytes(index), unit: index / 10 };
        (0..40).map(sample).collect()
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
}
