//! How a film came to its takes: what the planner was asked and said last, and what each pass did.

use crate::event::{Missed, PassSummary, QualitySummary, StopReason};
use crate::take::finished::FinishedTake;
use retake_compression::planner::floor::misses;
use retake_compression::planner::{Brief, End, Objective, Plan, Reason, Trial, UnitState};
use retake_compression::take::Measure;
use retake_compression::units::FrameRange;
use retake_quality::MetricKind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A take of a unit, and how it came to be made.
#[derive(Debug, Clone)]
pub(crate) struct UnitTake {
    pub take: Arc<FinishedTake>,
    /// The pass that asked for it, from 1.
    pub pass: u32,
    /// Why; `None` for the first take of a unit.
    pub reason: Option<Reason>,
    /// Whether it is known from the records of an earlier job alone, and may have to be made again.
    pub recalled: bool,
}

impl UnitTake {
    /// The take that covers a unit first.
    pub(crate) fn first(take: Arc<FinishedTake>) -> Self {
        Self { take, pass: 1, reason: None, recalled: false }
    }
}

/// What the passes came to.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub brief: Brief,
    /// All takes of all units.
    pub units: Vec<Vec<UnitTake>>,
    pub passes: Vec<PassSummary>,
    /// What the planner knows of them.
    pub states: Vec<UnitState>,
    /// What the planner said last.
    pub plan: Plan,
    /// Units that have a part in two seconds above the highest rate, and how many times the rate that is.
    pub above_rate: BTreeMap<usize, f64>,
}

impl History {
    /// Why no further pass was made.
    pub(crate) fn stopped_because(&self) -> StopReason {
        match self.plan.end {
            Some(End::PassCap) => StopReason::PassCap,
            Some(End::NoGainExpected) => StopReason::NoGainExpected,
            _ => StopReason::Satisfied,
        }
    }

    /// The units that miss the floor, if one was asked for.
    pub(crate) fn below_floor(&self) -> Option<usize> {
        below(floor_of(&self.brief), &self.states, &self.plan)
    }

    /// The bytes of the samples that are shipped.
    pub(crate) fn video_bytes(&self) -> f64 {
        shipped(&self.states, &self.plan).map(|(_, trial)| trial.bytes as f64).sum()
    }

    /// What is left of seconds above the highest rate.
    pub(crate) fn above_rate(&self) -> Option<Missed> {
        let (unit, &times) = self.above_rate.iter().max_by(|a, b| a.1.total_cmp(b.1))?;
        Some(Missed::MaxBitRate {
            units: self.above_rate.len(),
            of: self.states.len(),
            times,
            worst: self.states.get(*unit)?.range,
        })
    }

    /// The scores of the film, which were taken like this, where it was measured.
    pub(crate) fn quality(&self, measure: &Measure) -> Option<QualitySummary> {
        let (worst_range, worst) = worst(&self.states, &self.plan)?;
        let frames: u64 = self.states.iter().map(|unit| unit.range.len()).sum();
        let weighted = shipped(&self.states, &self.plan)
            .filter_map(|(range, trial)| Some(range.len() as f64 * trial.score?.value));
        Some(QualitySummary {
            metric: measure.metric.clone(),
            library: measure.metric.parse().ok().and_then(MetricKind::library),
            pool: measure.pool.clone(),
            size: measure.size,
            mean: weighted.sum::<f64>() / frames.max(1) as f64,
            worst,
            worst_range,
            floor: floor_of(&self.brief),
            below: self.below_floor().unwrap_or(0),
            units: self.states.len(),
        })
    }
}

/// The take of each unit that would be shipped now.
fn shipped<'a>(units: &'a [UnitState], plan: &'a Plan) -> impl Iterator<Item = (FrameRange, &'a Trial)> {
    units.iter().zip(&plan.ship).map(|(unit, &take)| (unit.range, &unit.trials[take]))
}

fn floor_of(brief: &Brief) -> Option<f64> {
    match brief.objective {
        Objective::Floor { floor, .. } => Some(floor),
        _ => None,
    }
}

fn below(floor: Option<f64>, units: &[UnitState], plan: &Plan) -> Option<usize> {
    let floor = floor?;
    Some(shipped(units, plan).filter(|(_, trial)| misses(trial, floor)).count())
}

/// What a pass did, which encoded the units `taken`, and what would be shipped after it.
pub(crate) fn pass_summary(
    pass: u32,
    reason: &str,
    wall_seconds: f64,
    taken: &[usize],
    brief: &Brief,
    units: &[UnitState],
    plan: &Plan,
) -> PassSummary {
    PassSummary {
        pass,
        takes: taken.len(),
        frames: taken.iter().map(|&unit| units[unit].range.len()).sum(),
        reason: reason.to_owned(),
        wall_seconds,
        video_bytes: shipped(units, plan).map(|(_, trial)| trial.bytes).sum(),
        worst: worst(units, plan).map(|(_, score)| score),
        below: below(floor_of(brief), units, plan),
    }
}

fn worst(units: &[UnitState], plan: &Plan) -> Option<(FrameRange, f64)> {
    let scores = shipped(units, plan).filter_map(|(range, trial)| Some((range, trial.score?.value)));
    scores.min_by(|a, b| a.1.total_cmp(&b.1))
}
