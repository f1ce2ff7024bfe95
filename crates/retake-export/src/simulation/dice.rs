//! Random numbers that follow from a seed and a word.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// SplitMix64, which is small, and the same on every machine.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64, word: &str) -> Self {
        Self(xxh3_64_with_seed(word.as_bytes(), seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `count`, or 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    pub(super) fn chance(&mut self, of: f64) -> bool {
        self.share() < of
    }

    /// Of mean 0 and deviation 1.
    pub(super) fn normal(&mut self) -> f64 {
        // sixteen even numbers come near enough to a bell, without its far ends
        (0..16).map(|_| self.share() - 0.5).sum::<f64>() * (12.0f64 / 16.0).sqrt()
    }

    /// Around `middle`, off by a factor.
    pub(super) fn about(&mut self, middle: f64, deviation: f64) -> f64 {
        middle * (deviation * self.normal()).exp()
    }

    /// The time until something happens that happens once in `mean` on average.
    pub(super) fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }
}
