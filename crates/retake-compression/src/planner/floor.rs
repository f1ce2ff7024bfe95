//! This module plans for a quality floor: every unit must reach it, with as few bits as is worth the work.
//!
//! Units are independent. A unit that misses is taken again. A unit that is better than floor plus tolerance
//! is taken again when the expected saving, as a share of the film's bytes, is worth the share of the film's
//! frames that must be encoded for it.

use super::curve::{Family, Point};
use super::{Brief, End, Plan, Reason, Retake, Trial, UnitState, bisect, expected};

/// A sampled score must be above the floor by this many standard errors to count.
const CERTAINTY: f64 = 1.0;

/// A retake aims at this share of the tolerance; a first take aims higher because it knows less.
const RETAKE_AIM: f64 = 0.3;

/// Returns the score that the first take of a unit aims at. A `steered` take corrects itself while it runs,
/// so it may aim lower.
pub fn first_aim(family: &Family, floor: f64, tolerance: f64, steered: bool) -> f64 {
    floor + tolerance * family.first_aim(steered)
}

/// Returns the score that further takes aim at.
pub fn retake_aim(floor: f64, tolerance: f64) -> f64 {
    floor + RETAKE_AIM * tolerance
}

/// Tells whether a take misses the floor by the part of its score that can be relied on.
pub fn misses(trial: &Trial, floor: f64) -> bool {
    sure(trial).is_none_or(|score| score < floor)
}

/// Returns the score of a trial less its uncertainty, because only that part can be relied on.
fn sure(trial: &Trial) -> Option<f64> {
    let score = trial.score.map(|score| score.value - CERTAINTY * score.error);
    score.filter(|score| score.is_finite())
}

pub(super) fn plan(brief: &Brief, floor: f64, tolerance: f64, units: &[UnitState], passes: u32) -> Plan {
    let newest = |unit: &UnitState| unit.trials.len().saturating_sub(1);
    let ship = |unit| if brief.newest_only { newest(unit) } else { best(unit, floor) };
    let ship: Vec<usize> = units.iter().map(ship).collect();
    let bytes: u64 = units.iter().zip(&ship).map(|(unit, &take)| unit.trials[take].bytes).sum();
    let frames: u64 = units.iter().map(|unit| unit.range.len()).sum();
    let film = Film { bytes: bytes as f64, frames: frames as f64 };
    let retakes: Vec<Retake> = units
        .iter()
        .zip(&ship)
        .enumerate()
        .filter_map(|(index, (unit, &take))| {
            retake(brief, floor, tolerance, &film, passes, index, unit, take)
        })
        .collect();
    let missed = units.iter().zip(&ship).any(|(unit, &take)| misses(&unit.trials[take], floor));
    let end = match (missed, retakes.is_empty(), passes >= brief.max_passes) {
        (false, true, _) => Some(End::Satisfied),
        (true, true, _) => Some(End::NoGainExpected),
        (false, false, true) => Some(End::Satisfied),
        (true, false, true) => Some(End::PassCap),
        (_, false, false) => None,
    };
    let retakes = if end.is_some() { Vec::new() } else { retakes };
    Plan { retakes, end, ship }
}

/// Returns the coarsest quality with which a unit is expected to reach a floor, or one with which it did. A
/// unit without scores may have any.
pub(crate) fn coarsest(brief: &Brief, floor: f64, tolerance: f64, unit: &UnitState) -> f64 {
    let points: Vec<Point> = unit.trials.iter().filter_map(Point::of).collect();
    let Some(newest) = unit.trials.iter().rev().find_map(|trial| trial.score) else { return brief.scale.max };
    let aim = retake_aim(floor, tolerance) + CERTAINTY * newest.error;
    let guess = brief.family.quality_for(aim, &points);
    let failed = unit.trials.iter().filter(|trial| misses(trial, floor)).map(|trial| trial.quality);
    let missed = failed.fold(f64::INFINITY, f64::min) - brief.scale.step;
    let held = held(unit, floor).unwrap_or(f64::NEG_INFINITY);
    brief.scale.snap(guess.min(missed).max(held)).max(held)
}

/// Returns the coarsest quality with which a unit reached a floor, if it ever did.
pub(crate) fn held(unit: &UnitState, floor: f64) -> Option<f64> {
    let held = unit.trials.iter().filter(|trial| !misses(trial, floor)).map(|trial| trial.quality);
    held.max_by(f64::total_cmp)
}

/// A first pass at one quality for all units is evened out where its worst unit would gain at least this
/// many doublings of bytes: less is not worth a pass.
const WORTH_EVENING: f64 = 0.15;

/// The worst unit is raised this share of the way to the score that all units would have at the size of the
/// first pass, because beyond that the others would lose more than it gains.
const EVENING: f64 = 0.5;

/// How much a unit may miss the raised score by, and exceed it, as shares of how far the worst one is raised.
const EVENING_SLACK: f64 = 0.25;

/// Returns the floor, and the tolerance above it, that the worst unit of a film can be raised to at the size
/// of the film. `units` hold their first takes, all of one quality. It returns `None` where the units are
/// even already, and where one of them has no score.
pub(crate) fn even(brief: &Brief, units: &[UnitState]) -> Option<(f64, f64)> {
    let firsts: Option<Vec<(Trial, f64)>> = units
        .iter()
        .map(|unit| {
            let first = unit.trials.first()?;
            Some((*first, sure(first)?))
        })
        .collect();
    let firsts = firsts?;
    let (worst, (trial, low)) =
        firsts.iter().enumerate().min_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b))?;
    let high = firsts.iter().map(|(_, score)| *score).fold(*low, f64::max);
    let size: f64 = firsts.iter().map(|(trial, _)| trial.bytes as f64).sum();
    let bytes = |score: f64| -> f64 {
        let at = |unit: &UnitState| expected(brief, unit, coarsest(brief, score, 0.0, unit)).bytes;
        units.iter().map(at).sum()
    };
    let gap = EVENING * (bisect(*low, high, |score| bytes(score) < size) - low);
    let unit = &units[worst];
    let finer = coarsest(brief, low + gap, 0.0, unit);
    let gain = (finer - trial.quality) * expected(brief, unit, finer).slope;
    let slack = EVENING_SLACK * gap;
    (gain >= WORTH_EVENING).then_some((low + gap - slack, slack / RETAKE_AIM))
}

struct Film {
    bytes: f64,
    frames: f64,
}

/// Returns how far the knob was moved last if that gained less than a third of the missing score, because
/// steps must grow where a curve is flat (on noise it often is).
fn stuck(unit: &UnitState, floor: f64) -> f64 {
    let [.., before, last] = unit.trials.as_slice() else { return 0.0 };
    let (Some(a), Some(b)) = (sure(before), sure(last)) else { return 0.0 };
    if b - a < (floor - a) / 3.0 { (before.quality - last.quality).max(0.0) } else { 0.0 }
}

/// Chooses the take to ship: the smallest that reaches the floor, or the best if none does.
fn best(unit: &UnitState, floor: f64) -> usize {
    let reaching =
        unit.trials.iter().enumerate().filter(|(_, trial)| sure(trial).is_some_and(|score| score >= floor));
    let smallest = reaching.min_by_key(|(_, trial)| trial.bytes);
    let best = || {
        let scored = unit.trials.iter().enumerate();
        scored.max_by(|a, b| sure(a.1).unwrap_or(f64::MIN).total_cmp(&sure(b.1).unwrap_or(f64::MIN)))
    };
    smallest.or_else(best).map_or(0, |(index, _)| index)
}

#[allow(clippy::too_many_arguments)] // one call; each is another thing
fn retake(
    brief: &Brief,
    floor: f64,
    tolerance: f64,
    film: &Film,
    passes: u32,
    index: usize,
    unit: &UnitState,
    take: usize,
) -> Option<Retake> {
    let shipped = &unit.trials[take];
    let score = sure(shipped)?;
    let points: Vec<Point> = unit.trials.iter().filter_map(Point::of).collect();
    // the take must be sure to hold, so it aims higher by the error of the sampled score
    let margin = CERTAINTY * shipped.score.map_or(0.0, |score| score.error);
    let failed = unit.trials.iter().filter(|trial| misses(trial, floor));
    // whatever the curve says, the quality must lie between the best known failure and the worst known
    // success
    let held = unit.trials.iter().filter(|trial| !misses(trial, floor));
    let upper = failed.clone().map(|trial| trial.quality).fold(f64::INFINITY, f64::min) - brief.scale.step;
    let lower = held.map(|trial| trial.quality).fold(f64::NEG_INFINITY, f64::max) + brief.scale.step;
    if score < floor {
        // a unit that missed more than once does not follow the model, so it goes further, most of all when
        // few passes are left
        let again =
            failed.count().saturating_sub(1) as f64 + if passes + 1 >= brief.max_passes { 1.0 } else { 0.0 };
        let aim = retake_aim(floor, tolerance * (1.0 + 2.0 * again)) + margin;
        let guess = brief.scale.snap(brief.family.quality_for(aim, &points));
        let stride = again * brief.family.nudge() + stuck(unit, floor);
        let quality = brief.scale.snap(guess.min(upper - stride));
        return (quality < shipped.quality).then_some(Retake {
            unit: index,
            quality,
            reason: Reason::BelowFloor,
        });
    }
    if score <= floor + tolerance * brief.effort.slack() || unit.trials.len() >= brief.effort.enough() {
        return None;
    }
    // the saving that is expected is the largest: further ones are less likely to hold
    let reach = brief.family.reach(floor + margin, &points);
    let saving =
        |quality: f64| (1.0 - brief.family.bytes_factor(quality - shipped.quality)) * reach.chance(quality);
    let tried = (0..).map(|step| lower + f64::from(step) * brief.scale.step);
    let tried = tried
        .take_while(|quality| *quality <= upper.min(brief.scale.max))
        .map(|quality| (quality, saving(quality)));
    let (quality, saved) = tried.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let quality = brief.scale.snap(quality);
    let saved = shipped.bytes as f64 * saved;
    let worth = (saved / film.bytes.max(1.0)) / (unit.range.len() as f64 / film.frames.max(1.0));
    (worth >= brief.effort.worth()).then_some(Retake { unit: index, quality, reason: Reason::AboveTolerance })
}
