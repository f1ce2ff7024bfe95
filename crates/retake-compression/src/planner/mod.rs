//! The planner takes all finished takes and the objective, and answers *satisfied*, or *these units again,
//! with these qualities*.
//!
//! It is a pure function: it uses no clock, file or random number, so [`plan`] can be replayed from recorded
//! takes with another objective. [`curve`] and `bytes` predict how a unit answers to the encoder's quality
//! knob; [`film`] tells what finished units teach about others; [`floor`] and `bits` hold the two objectives;
//! [`pace`] keeps a pass whose units are encoded one after another on its way to its bytes.

mod bits;
mod bytes;
pub mod curve;
mod effort;
pub mod film;
pub mod floor;
pub mod pace;
mod predict;

pub use bits::expected;
pub(crate) use bits::finest_within;
pub use effort::{Effort, UnknownEffort};
pub(crate) use floor::{coarsest, even};
pub use predict::{Interval, Prediction, Replayed, Windows, predict, replay};

use crate::encoder::QualityScale;
use crate::take::Score;
use crate::units::FrameRange;
use curve::Family;
use serde::{Deserialize, Serialize};

/// An objective is the goal that the user sets for the film.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The film is encoded in one pass and kept as it comes.
    Plain,
    /// Every unit must reach a score, with as few bits as possible.
    Floor {
        /// The floor is on the metric's scale.
        floor: f64,
        /// Scores up to `floor + tolerance` are good enough to keep.
        tolerance: f64,
    },
    /// The film's samples must take a number of bytes, spent where they buy most quality.
    Bytes {
        /// Bytes of all samples together.
        target: u64,
        /// True if more bytes are a failure (a size); false if more is as bad as less (an average bit rate).
        at_most: bool,
    },
}

/// A brief holds everything that the planner must know besides the units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brief {
    /// The goal of the user.
    pub objective: Objective,
    /// The scale of the encoder's quality knob.
    pub scale: QualityScale,
    /// The model of how films answer to the knob.
    pub family: Family,
    /// The number of passes allowed, including the first one.
    pub max_passes: u32,
    /// True if only the newest take of a unit can be shipped, because the client of a session has no other.
    /// False where all takes are kept.
    pub newest_only: bool,
    /// How much may be encoded again for the sake of bytes.
    pub effort: Effort,
}

/// A trial holds the facts of a finished take that the planner needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// The quality that the take used, on the encoder's scale; lower is better.
    pub quality: f64,
    /// The bytes of its samples.
    pub bytes: u64,
    /// The score, where it was measured.
    pub score: Option<Score>,
}

/// A unit and its takes, in the order in which they were made.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitState {
    /// The frames of the unit.
    pub range: FrameRange,
    /// The takes of the unit; there must be at least one.
    pub trials: Vec<Trial>,
}

/// A retake asks to encode a unit again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retake {
    /// The index of the unit.
    pub unit: usize,
    /// The quality to encode it with, on the encoder's scale.
    pub quality: f64,
    /// The reason for the retake.
    pub reason: Reason,
}

/// The reason why a unit is encoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The unit missed the floor.
    BelowFloor,
    /// The unit is better than the objective asks for, and costs bits for it.
    AboveTolerance,
    /// The plan moves bits to or from the unit to meet the rate.
    Rate,
    /// The unit has a part in a window that exceeds the peak rate.
    Cap,
}

/// A plan is the planner's answer for the next pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The units to encode again; empty if `end` is set.
    pub retakes: Vec<Retake>,
    /// The reason why the encode ends here; `None` if another pass follows.
    pub end: Option<End>,
    /// For every unit, the index of the take to ship if no further pass follows.
    pub ship: Vec<usize>,
}

/// The reason why no further pass follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The objective is met.
    Satisfied,
    /// The objective is not met everywhere, and the passes are used up.
    PassCap,
    /// The objective is not met everywhere, and no further take is expected to help.
    NoGainExpected,
}

/// Plans the next pass after `passes` passes. Every unit must have at least one trial.
pub fn plan(brief: &Brief, units: &[UnitState], passes: u32) -> Plan {
    bounded(brief, units, Bounds::default(), passes)
}

/// Plans the first pass of a job that follows an earlier one, whose takes count as its first. As [`plan`],
/// but a unit is encoded again, too, if the take that would be shipped cannot be: `held` tells that of a unit
/// and one of its takes. Retakes are in the order of units.
pub fn plan_again(brief: &Brief, units: &[UnitState], held: impl Fn(usize, usize) -> bool) -> Plan {
    let mut plan = plan(brief, units, 1);
    let mut wanted = vec![false; units.len()];
    plan.retakes.iter().for_each(|retake| wanted[retake.unit] = true);
    let missing = (0..units.len()).filter(|&unit| !wanted[unit] && held(unit, plan.ship[unit]));
    let again = |unit: usize| {
        let quality = units[unit].trials[plan.ship[unit]].quality;
        Retake { unit, quality, reason: Reason::Cap }
    };
    let more: Vec<Retake> = missing.map(again).collect();
    plan.retakes.extend(more);
    plan.retakes.sort_by_key(|retake| retake.unit);
    plan
}

/// Bounds of the quality that each unit may have, for every unit or, where a list is empty, for none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds<'a> {
    /// The finest quality, for the sake of limits.
    pub(crate) finest: &'a [f64],
    /// The coarsest quality, for the sake of a floor. A bound of the other kind comes before it.
    pub(crate) coarsest: &'a [f64],
    /// The share of the film's frames that was encoded again already to move bits.
    pub(crate) again: f64,
    /// Whether what corrects the sum gives to those units that look worst, and takes from those that look
    /// best, where that is known. Otherwise as few frames as possible correct it.
    pub(crate) by_score: bool,
}

/// Plans as [`plan`] does, but gives no unit a quality beyond its bounds. It does not bound a floor; the
/// caller must refuse what exceeds a bound there.
pub(crate) fn bounded(brief: &Brief, units: &[UnitState], bounds: Bounds<'_>, passes: u32) -> Plan {
    match brief.objective {
        Objective::Plain => {
            let ship = units.iter().map(|unit| unit.trials.len().saturating_sub(1)).collect();
            Plan { retakes: Vec::new(), end: Some(End::Satisfied), ship }
        }
        Objective::Floor { floor, tolerance } => floor::plan(brief, floor, tolerance, units, passes),
        Objective::Bytes { target, at_most } => bits::plan(brief, (target, at_most), units, bounds, passes),
    }
}

/// Returns the point where a condition that holds at the low end ceases to hold.
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
