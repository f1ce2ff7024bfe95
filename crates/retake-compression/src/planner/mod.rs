//! The planner looks at all takes so far and the objective, and answers *satisfied*, or *these units again, with these qualities*.
//!
//! It is a pure function: no clock, no file, no random number. [`plan`] may be replayed from recorded takes with another objective.
//! [`Caps`] put a rate that is nowhere exceeded before the objective. The parts: [`curve`] and `bytes` predict how a unit answers to the encoder's quality knob; [`floor`] and `bits` hold the two objectives;
//! [`pace`] keeps a pass whose units are encoded one after another on its way to its bytes.

mod bits;
mod bytes;
pub mod curve;
pub mod floor;
pub mod pace;

pub use bits::expected;
pub(crate) use bits::finest_within;

use crate::encoder::QualityScale;
use crate::take::Score;
use crate::units::FrameRange;
use curve::Family;
use serde::{Deserialize, Serialize};

/// What the user wants of the film.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// One pass, as it comes.
    Plain,
    /// Every unit reaches a score, with as few bits as possible.
    Floor {
        /// The score, on the metric's scale.
        floor: f64,
        /// Scores up to `floor + tolerance` are good enough to keep.
        tolerance: f64,
    },
    /// The film's samples take a number of bytes, spent where they buy most quality.
    Bytes {
        /// Bytes of all samples together.
        target: u64,
        /// Whether more is a failure (a size), rather than as far off as less (an average bit rate).
        at_most: bool,
    },
}

/// What the planner has to know besides the units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brief {
    /// What is wanted.
    pub objective: Objective,
    /// The encoder's knob.
    pub scale: QualityScale,
    /// How films answer to it.
    pub family: Family,
    /// Passes allowed, the first one counted.
    pub max_passes: u32,
    /// Only the newest take of a unit can be shipped: the client of a session has no other. False where all are kept.
    pub newest_only: bool,
}

/// A finished take of a unit, as far as the planner cares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// The quality used, on the encoder's scale: lower is better.
    pub quality: f64,
    /// Bytes of its samples.
    pub bytes: u64,
    /// Its score, where it was measured.
    pub score: Option<Score>,
}

/// A unit and its takes, in the order in which they were made.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitState {
    /// Its frames.
    pub range: FrameRange,
    /// Its takes; at least one.
    pub trials: Vec<Trial>,
}

/// A unit to encode again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retake {
    /// Which unit.
    pub unit: usize,
    /// With which quality.
    pub quality: f64,
    /// Why.
    pub reason: Reason,
}

/// Why a unit is encoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It missed the floor.
    BelowFloor,
    /// It is better than asked for, and costs bits for it.
    AboveTolerance,
    /// Bits are moved to or from it to meet the rate.
    Rate,
    /// It has a part in a window above the rate that is nowhere to be exceeded.
    Cap,
}

/// What the planner says.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to encode again; empty at the end.
    pub retakes: Vec<Retake>,
    /// Why nothing more is encoded, when that is so.
    pub end: Option<End>,
    /// For every unit, which of its takes is to be shipped if nothing more is encoded.
    pub ship: Vec<usize>,
}

/// Why nothing more is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The objective is met.
    Satisfied,
    /// It is not met everywhere, and the passes are used up.
    PassCap,
    /// It is not met everywhere, and no further take is expected to help.
    NoGainExpected,
}

/// Plans the next pass, after `passes` passes.
pub fn plan(brief: &Brief, units: &[UnitState], passes: u32) -> Plan {
    bounded(brief, units, &[], passes)
}

/// As [`plan`], with the finest quality that each unit may have. A floor wants what it wants: it is for the caller to refuse.
pub(crate) fn bounded(brief: &Brief, units: &[UnitState], finest: &[f64], passes: u32) -> Plan {
    match brief.objective {
        Objective::Plain => {
            let ship = units.iter().map(|unit| unit.trials.len().saturating_sub(1)).collect();
            Plan { retakes: Vec::new(), end: Some(End::Satisfied), ship }
        }
        Objective::Floor { floor, tolerance } => floor::plan(brief, floor, tolerance, units, passes),
        Objective::Bytes { target, at_most } => bits::plan(brief, (target, at_most), units, finest, passes),
    }
}

/// Where a condition that holds at the low end ceases to hold.
fn bisect(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}
