//! Keeps a pass on its way to a number of bytes, where its units are encoded one after another: what the first ones took tells what the
//! others may take.
//!
//! The plan of a pass says what each unit is expected to take with the quality that was chosen for it. As units come out, the mean of
//! actual over expected bytes (of its logarithm) says by how much the expectations are wrong, and the qualities of the units to come are
//! moved by as many doublings as bring the pass to its bytes. So the error of a pass is that of its last unit, not that of a first guess.

use crate::encoder::QualityScale;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How far the rest of a pass may be moved to make up for what its beginning took too much or too little, in doublings of bytes: a few units
/// that pay for all others would be the worst of the film, or the best. What is left of the error is for another pass.
const REACH: f64 = 0.4;

/// How many units' worth of trust the expectations have before the first unit is out.
const PRIOR: f64 = 0.4;

/// A unit that is still to be encoded in this pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The quality that the plan chose for it.
    pub quality: f64,
    /// What it is expected to take with that.
    pub bytes: f64,
    /// Doublings of bytes per step of the knob, negative.
    pub slope: f64,
    /// The best quality that it may be given, whatever the bytes say.
    pub best: f64,
}

/// A pass under way to a number of bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    scale: QualityScale,
    /// What the units that are not out yet are to take together.
    left: f64,
    rest: VecDeque<Expected>,
    /// Of the units that are out, the sum of the logarithms (to base 2) of actual over expected bytes, and how many they are.
    off: (f64, f64),
}

impl Pace {
    /// A pass over these units, in this order, that are to take so many bytes together.
    pub fn new(scale: QualityScale, bytes: f64, units: impl IntoIterator<Item = Expected>) -> Self {
        Self { scale, left: bytes, rest: units.into_iter().collect(), off: (0.0, 0.0) }
    }

    /// The quality of the next unit; none when all are out.
    pub fn quality(&self) -> Option<f64> {
        let next = self.rest.front()?;
        Some(self.scale.snap((next.quality + self.doublings() / next.slope).max(next.best)))
    }

    /// The next unit is out: it was encoded with this quality and took so many bytes.
    pub fn is_out(&mut self, quality: f64, bytes: u64) {
        let Some(unit) = self.rest.pop_front() else { return };
        let bytes = bytes.max(1) as f64;
        let expected = unit.bytes.max(1.0).log2() + (quality - unit.quality) * unit.slope;
        self.off = (self.off.0 + bytes.log2() - expected, self.off.1 + 1.0);
        self.left -= bytes;
    }

    /// By how many doublings the rest of the pass is moved.
    fn doublings(&self) -> f64 {
        let expected: f64 = self.rest.iter().map(|unit| unit.bytes).sum();
        let off = self.off.0 / (self.off.1 + PRIOR);
        (self.left.max(1.0) / expected.max(1.0)).log2().clamp(-REACH, REACH) - off
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCALE: QualityScale = QualityScale { min: 0.0, max: 51.0, step: 0.1, usual: 23.0 };

    proptest! {
        /// MP-32: whatever factor all expectations are wrong by, and whatever each unit is wrong by besides, the pass misses its bytes by less than
        /// a unit's share of that.
        #[test]
        fn a_pass_meets_its_bytes(
            sizes in prop::collection::vec(1e4..1e5f64, 6..20), all in -0.8..0.8f64,
            each in prop::collection::vec(-0.15..0.15f64, 20),
        ) {
            let units = sizes.iter().map(|&bytes| Expected { quality: 25.0, bytes, slope: -0.19, best: 0.0 });
            let target: f64 = sizes.iter().sum();
            let mut pace = Pace::new(SCALE, target, units);
            let mut spent = 0.0;
            for (bytes, each) in sizes.iter().zip(each) {
                let quality = pace.quality().unwrap();
                let actual = bytes * ((quality - 25.0) * -0.19 + all + each).exp2();
                pace.is_out(quality, actual as u64);
                spent += actual;
            }
            prop_assert_eq!(pace.quality(), None);
            let share = sizes[sizes.len() - 1] / target;
            prop_assert!((spent / target - 1.0).abs() < 0.03 + share * 0.8, "{} with {share}", spent / target);
        }
    }
}
