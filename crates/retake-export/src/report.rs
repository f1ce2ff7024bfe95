//! What is told about passes and the finished film.

use crate::event::{Outcome, PassSummary, QualitySummary, Summary};
use retake_compression::planner::floor::misses;
use retake_compression::planner::{Brief, End, Objective, Plan, Trial, UnitState};
use retake_compression::units::FrameRange;
use std::path::PathBuf;

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
    taken: &[usize],
    brief: &Brief,
    units: &[UnitState],
    plan: &Plan,
) -> PassSummary {
    PassSummary {
        pass,
        takes: taken.len(),
        frames: taken.iter().map(|&unit| units[unit].range.len()).sum(),
        video_bytes: shipped(units, plan).map(|(_, trial)| trial.bytes).sum(),
        worst: worst(units, plan).map(|(_, score)| score),
        below: below(floor_of(brief), units, plan),
    }
}

fn worst(units: &[UnitState], plan: &Plan) -> Option<(FrameRange, f64)> {
    let scores = shipped(units, plan).filter_map(|(range, trial)| Some((range, trial.score?.value)));
    scores.min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The summary of a film, without what only the job knows.
pub(crate) fn summary(brief: &Brief, units: &[UnitState], plan: &Plan, passes: Vec<PassSummary>) -> Summary {
    let frames: u64 = units.iter().map(|unit| unit.range.len()).sum();
    let floor = floor_of(brief);
    let quality = worst(units, plan).map(|(worst_range, worst)| {
        let weighted =
            shipped(units, plan).filter_map(|(range, trial)| Some(range.len() as f64 * trial.score?.value));
        QualitySummary {
            metric: String::new(),
            pool: String::new(),
            mean: weighted.sum::<f64>() / frames.max(1) as f64,
            worst,
            worst_range,
            floor,
            below: below(floor, units, plan).unwrap_or(0),
            units: units.len(),
        }
    });
    let outcome = match (brief.objective, plan.end) {
        (Objective::Plain, _) => Outcome::Plain,
        (_, Some(End::PassCap)) => Outcome::PassCap,
        (_, Some(End::NoGainExpected)) => Outcome::NoGainExpected,
        _ => Outcome::Satisfied,
    };
    Summary {
        output: PathBuf::new(),
        frames,
        seconds: 0.0,
        file_bytes: 0,
        video_bytes: shipped(units, plan).map(|(_, trial)| trial.bytes).sum(),
        outcome,
        passes,
        quality,
        cpu_seconds: 0.0,
        wall_seconds: 0.0,
        notes: Vec::new(),
    }
}
