//! This module keeps a pass on its way to a number of bytes while its units are encoded one after another:
//! the bytes of the first units tell how many the others may take.
//!
//! The plan of a pass predicts the bytes of each unit at its chosen quality. As units come out, the mean of
//! the logarithm of actual over expected bytes tells by how much the predictions are wrong, and the qualities
//! of the units to come move by as many doublings as bring the pass to its bytes. So the error of a pass is
//! that of its last unit, not that of a first guess.

use crate::encoder::QualityScale;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The rest of a pass makes up for its beginning by at most this many doublings of bytes, because a few units
/// that pay for all others would become the worst of the film, or the best. Another pass corrects the rest of
/// the error.
const REACH: f64 = 0.4;

/// In a last pass under limits the rest makes up for more, because a plan leaves unspent what limits have no
/// room for, and no further pass spends it.
const REACH_WITHIN_LIMITS: f64 = 1.0;

/// Before the first unit is out, the predictions have as much weight as this number of units.
const PRIOR: f64 = 0.4;

/// A unit that is still to be encoded in this pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The quality that the plan chose for the unit.
    pub quality: f64,
    /// The bytes that the unit is expected to take with `quality`.
    pub bytes: f64,
    /// The doublings of bytes per step of the knob; negative.
    pub slope: f64,
    /// The best quality that the unit may get, whatever the bytes say.
    pub best: f64,
    /// The coarsest quality that the unit may get, where a floor says so; a `best` that is coarser comes
    /// before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coarsest: Option<f64>,
    /// The finest quality that limits are expected to leave room for, where there are any. It is a guess: a
    /// unit that is encoded until it fits may get a better one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<f64>,
    /// The bytes that limits are expected to leave room for, where there are any: the other units make up for
    /// what this one may not take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<f64>,
}

impl Expected {
    /// Returns the quality that the unit may get which is nearest to this one.
    pub fn bounded(&self, quality: f64) -> f64 {
        let best = self.within.map_or(self.best, |within| within.max(self.best));
        self.coarsest.map_or(quality, |coarsest| quality.min(coarsest)).max(best)
    }

    /// Returns the bytes that the unit takes which is moved by so many doublings, as far as there is room.
    fn moved(&self, doublings: f64) -> f64 {
        let bytes = self.bytes * doublings.exp2();
        self.room.map_or(bytes, |room| bytes.min(room))
    }
}

/// What a unit is to take, where no later pass can correct it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// The bytes.
    pub bytes: f64,
    /// The doublings of bytes per step of the knob; negative.
    pub slope: f64,
    /// The best quality that the unit may get, whatever the bytes say.
    pub best: f64,
    /// The coarsest quality that the unit may get, where a floor says so.
    pub coarsest: Option<f64>,
    /// Whether no unit follows that could make up for it.
    pub last: bool,
}

/// A pass under way to a number of bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    scale: QualityScale,
    /// The units that are not out yet must take this many bytes together.
    left: f64,
    rest: VecDeque<Expected>,
    /// Over the units that are out, this holds the sum of the logarithms (to base 2) of actual over expected
    /// bytes, and the count.
    off: (f64, f64),
}

impl Pace {
    /// Begins a pass over these units in this order, which must take `bytes` bytes together.
    pub fn new(scale: QualityScale, bytes: f64, units: impl IntoIterator<Item = Expected>) -> Self {
        Self { scale, left: bytes, rest: units.into_iter().collect(), off: (0.0, 0.0) }
    }

    /// Returns how many units are not out yet.
    pub fn units_left(&self) -> usize {
        self.rest.len()
    }

    /// Replaces the units that are not out yet by more, which must take `bytes` bytes beside what was left.
    pub fn extend(&mut self, bytes: f64, units: impl IntoIterator<Item = Expected>) {
        self.left += bytes;
        self.rest = units.into_iter().collect();
    }

    /// Returns the quality of the next unit, or `None` when all are out.
    pub fn quality(&self) -> Option<f64> {
        let next = self.rest.front()?;
        Some(self.scale.snap(next.bounded(next.quality + self.doublings() / next.slope)))
    }

    /// Returns what the next unit is to take, or `None` when all are out: its share of what is left for all
    /// that are not out yet, as far as the rest makes up for the beginning.
    pub fn target(&self) -> Option<Target> {
        let next = self.rest.front()?;
        // How much room the next unit has is found out when it is encoded.
        let mut open = self.clone();
        if let Some(next) = open.rest.front_mut() {
            next.room = None;
        }
        let limited = self.rest.iter().any(|unit| unit.room.is_some());
        let reach = if limited { REACH_WITHIN_LIMITS } else { REACH };
        let bytes = next.bytes * open.reached(reach).exp2();
        let Expected { slope, best, coarsest, .. } = *next;
        Some(Target { bytes, slope, best, coarsest, last: self.rest.len() == 1 })
    }

    /// Returns what the units behind the next one are to take in a last pass under limits.
    pub fn targets_behind(&self) -> impl Iterator<Item = f64> + '_ {
        let doublings = self.reached(REACH_WITHIN_LIMITS);
        self.rest.iter().skip(1).map(move |unit| unit.moved(doublings))
    }

    /// Records that the next unit is out: it was encoded with this quality and took this many bytes.
    pub fn is_out(&mut self, quality: f64, bytes: u64) {
        let Some(unit) = self.rest.pop_front() else { return };
        let bytes = bytes.max(1) as f64;
        let expected = unit.bytes.max(1.0).log2() + (quality - unit.quality) * unit.slope;
        self.off = (self.off.0 + bytes.log2() - expected, self.off.1 + 1.0);
        self.left -= bytes;
    }

    /// Returns by how many doublings the rest of the pass is moved.
    fn doublings(&self) -> f64 {
        self.reached(REACH) - self.off.0 / (self.off.1 + PRIOR)
    }

    /// Returns by how many doublings of their bytes the units that are not out yet have to move, so that they
    /// take together what is left. Those that have no room stay behind, and the others go further for them.
    fn reached(&self, reach: f64) -> f64 {
        let moved = |doublings: f64| self.rest.iter().map(|unit| unit.moved(doublings)).sum::<f64>();
        if self.rest.iter().any(|unit| unit.room.is_some()) {
            return super::bisect(-reach, reach, |doublings| moved(doublings) < self.left);
        }
        (self.left.max(1.0) / moved(0.0).max(1.0)).log2().clamp(-reach, reach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCALE: QualityScale = QualityScale { min: 0.0, max: 51.0, step: 0.1, usual: 23.0 };

    proptest! {
        /// MP-32: whatever factor all predictions are wrong by, and whatever each unit is wrong by besides,
        /// the pass misses its bytes by less than a unit's share of that. What the units so far took too much
        /// or too little, beyond what the others may make up for, stays, because no choice could undo it: a
        /// first unit of half the pass that is twice as large as predicted, for one.
        #[test]
        fn a_pass_meets_its_bytes(
            sizes in prop::collection::vec(1e4..1e5f64, 6..20), all in -0.8..0.8f64,
            each in prop::collection::vec(-0.15..0.15f64, 20),
        ) {
            let units = sizes.iter().map(|&bytes| Expected {
                quality: 25.0, bytes, slope: -0.19, best: 0.0, coarsest: None, within: None, room: None,
            });
            let target: f64 = sizes.iter().sum();
            let mut pace = Pace::new(SCALE, target, units);
            let (mut spent, mut planned, mut lost) = (0.0, 0.0, 0.0f64);
            for (bytes, each) in sizes.iter().zip(each) {
                let quality = pace.quality().unwrap();
                let actual = bytes * ((quality - 25.0) * -0.19 + all + each).exp2();
                pace.is_out(quality, actual as u64);
                (spent, planned) = (spent + actual, planned + bytes);
                let reach = if spent > planned { 1.0 - (-REACH).exp2() } else { REACH.exp2() - 1.0 };
                if pace.units_left() > 0 {
                    lost = lost.max(((spent - planned).abs() - (target - planned) * reach) / target);
                }
            }
            prop_assert_eq!(pace.quality(), None);
            let share = sizes[sizes.len() - 1] / target;
            let missed = (spent / target - 1.0).abs();
            prop_assert!(missed < 0.03 + share * 0.8 + lost, "{missed} with {share} and {lost}");
        }
    }

    /// MP-33: units that have no room under a limit take what there is, and the others make up for them from
    /// the first one on: at the end nobody could. What one of them leaves, the rest takes.
    #[test]
    fn others_make_up_for_units_without_room() {
        let unit = |bytes, room| Expected {
            quality: 25.0,
            bytes,
            slope: -0.19,
            best: 0.0,
            coarsest: None,
            within: None,
            room: Some(room),
        };
        let units = [unit(100.0, 200.0), unit(100.0, 200.0), unit(200.0, 200.0), unit(100.0, 100.0)];
        let mut pace = Pace::new(SCALE, 580.0, units);
        let mut spent = Vec::new();
        while let Some(target) = pace.target() {
            let room = units[spent.len()].room.unwrap();
            let bytes = target.bytes.min(room).round();
            spent.push(bytes as u64);
            pace.is_out(25.0, bytes as u64);
        }
        assert_eq!(spent, [140, 140, 200, 100]);
        // the last one is to take what is left, whatever room there was expected to be
        let mut pace = Pace::new(SCALE, 130.0, [unit(100.0, 90.0)]);
        assert!((pace.target().unwrap().bytes - 130.0).abs() < 0.1);
        pace.is_out(25.0, 130);
        assert_eq!(pace.target(), None);
    }
}
