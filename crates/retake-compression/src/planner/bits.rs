//! This module plans for a number of bytes (a bit rate or a size): it spends them where they buy most
//! quality, and meets the number exactly.
//!
//! The first plan moves bits between units until a byte buys the same quality everywhere (equal slope). The
//! plans after it only correct the remaining error, with as few frames as can carry it.

use super::bytes::ByteCurve;
use super::pace::Expected;
use super::{Bounds, Brief, End, Plan, Reason, Retake, UnitState, bisect};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::f64::consts::LN_2;

/// A total that misses the target by no more than this share of it is good enough.
const CLOSE: f64 = 0.003;

/// A bit rate counts as met within this share once the passes are used up, because this is what is promised.
const MET: f64 = 0.005;

/// A size counts as met within this share; the share is larger because a size is a limit, and a little less
/// than it is no failure.
const BELOW_MET: f64 = 0.009;

/// A size that must not be exceeded is aimed at this share of itself, because predictions err to both sides.
const BELOW: f64 = 0.996;

/// One correction moves the quality knob by at most this many doublings of bytes.
const STEP: f64 = 0.3;

/// Meeting the rate moves the quality knob by at most this many doublings of bytes.
const MOVE: f64 = 1.0;

/// A unit moves away from equal quality by at most this many doublings of bytes, because the models cannot be
/// trusted beyond.
const REACH: f64 = 0.5;

/// Qualities go this share of the way from equal settings to those that the models find best, because the
/// models err.
const TRUST: f64 = 0.5;

/// They go further once some of the film was encoded again, because the models have then been corrected by
/// what it took. (Recorded curves of four encoders, at four rates, as films of parts: the worst unit gains
/// 0.1 to 0.5 against half of the way, the mean nothing; all of the way loses in the mean.)
const TRUST_AFTER_RETAKES: f64 = 0.7;

/// A unit holds the facts of a planning unit that this objective needs.
#[derive(Clone)]
struct Unit {
    frames: f64,
    /// This is the quality of the newest take, which is the take that counts.
    quality: f64,
    bytes: f64,
    /// The score of that take is present where it was measured.
    score: Option<f64>,
    /// The curve predicts the unit's bytes from the knob.
    curve: ByteCurve,
    /// The slope at `quality` is in doublings of bytes per step of the knob; it is negative.
    slope: f64,
    /// The metric's ceiling on this unit is present where it is known.
    ceiling: Option<f64>,
    /// The unit must not get a finer quality than this.
    finest: f64,
    /// The unit must not get a coarser quality than this, which is nowhere finer than `finest`.
    coarsest: f64,
}

/// Plans the next pass. Where there are no bounds, the scale's ends apply.
pub(super) fn plan(
    brief: &Brief,
    (target, at_most): (u64, bool),
    units: &[UnitState],
    bounds: Bounds<'_>,
    passes: u32,
) -> Plan {
    let mut known: Vec<Unit> = units.iter().map(|unit| Unit::of(brief, unit)).collect();
    let aim = target as f64 * if at_most { BELOW } else { 1.0 };
    if !bounds.finest.is_empty() {
        // the other units must not use up all that the capped ones leave: they get no more than they can make
        // good use of
        let level = level(brief, &known, aim);
        for (unit, finest) in known.iter_mut().zip(bounds.finest) {
            unit.finest = finest.max(brief.scale.snap(level - REACH / -unit.slope));
        }
    }
    for (unit, coarsest) in known.iter_mut().zip(bounds.coarsest) {
        unit.coarsest = coarsest.max(unit.finest);
    }
    let off = |ship: &[usize]| bytes(units, ship) as f64 / aim - 1.0;
    let mut ship: Vec<usize> = units.iter().map(|unit| unit.trials.len().saturating_sub(1)).collect();
    let last = passes >= brief.max_passes;
    let met = if at_most { BELOW_MET } else { MET };
    if passes > 1 && !brief.newest_only && off(&ship).abs() > CLOSE {
        // existing takes may already add up to the target, and cost nothing
        let combined = combine(units, ship.clone(), aim);
        if last || off(&combined).abs() <= CLOSE {
            ship = combined;
        }
    }
    if at_most && !brief.newest_only {
        ship = under(units, ship, target);
    }
    let error = off(&ship);
    let settled = passes > 1 && error.abs() <= if last { met } else { CLOSE };
    let qualities = if settled {
        None
    } else if passes <= 1 {
        Some(spread(brief, &known, aim, bounds.again))
    } else {
        Some(correct(brief, &known, aim, bounds.by_score))
    };
    let retakes: Vec<Retake> = qualities
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .filter(|(index, quality)| (quality - known[*index].quality).abs() >= brief.scale.step / 2.0)
        .filter_map(|(unit, quality)| {
            let quality = untried(brief, &units[unit], quality, &known[unit])?;
            Some(Retake { unit, quality, reason: Reason::Rate })
        })
        .collect();
    let end = match (settled, retakes.is_empty(), last) {
        (true, _, _) => Some(End::Satisfied),
        (false, true, _) => Some(if error.abs() <= met { End::Satisfied } else { End::NoGainExpected }),
        (false, false, true) if error.abs() <= met => Some(End::Satisfied),
        (false, false, true) => Some(End::PassCap),
        (false, false, false) => None,
    };
    let retakes = if end.is_some() { Vec::new() } else { retakes };
    Plan { retakes, end, ship }
}

/// Predicts the bytes of a unit at another quality than that of its newest take.
pub fn expected(brief: &Brief, unit: &UnitState, quality: f64) -> Expected {
    let known = Unit::of(brief, unit);
    Expected {
        quality,
        bytes: known.bytes_at(quality),
        slope: known.curve.slope_at(quality),
        best: brief.scale.min,
        coarsest: None,
        within: None,
        room: None,
    }
}

/// Returns the finest quality with which a unit is expected to take at most `bytes` bytes.
pub(crate) fn finest_within(brief: &Brief, unit: &UnitState, bytes: f64) -> f64 {
    let known = Unit::of(brief, unit);
    known.curve.knob_at(bytes.max(1.0).log2()).clamp(brief.scale.min, brief.scale.max)
}

fn bytes(units: &[UnitState], ship: &[usize]) -> u64 {
    units.iter().zip(ship).map(|(unit, &take)| unit.trials[take].bytes).sum()
}

/// Exchanges takes for others of the same unit as long as that brings the film nearer to `aim` bytes. The
/// exchange that leaves the smallest error comes first.
fn combine(units: &[UnitState], mut ship: Vec<usize>, aim: f64) -> Vec<usize> {
    let mut error = bytes(units, &ship) as f64 - aim;
    // the loop is bounded because a few exchanges bring the error down to the smallest difference between
    // takes
    for _ in 0..64 {
        let exchanges = units.iter().enumerate().flat_map(|(index, unit)| {
            let now = unit.trials[ship[index]].bytes as f64;
            unit.trials
                .iter()
                .enumerate()
                .map(move |(take, trial)| (error + trial.bytes as f64 - now, index, take))
        });
        let Some((left, index, take)) = exchanges.min_by(|a, b| a.0.abs().total_cmp(&b.0.abs())) else {
            break;
        };
        if left.abs() >= error.abs() {
            break;
        }
        (ship[index], error) = (take, left);
    }
    ship
}

/// Returns the quality nearest to the wanted one that the unit was not encoded with yet, because the same
/// take gives the same bytes again.
fn untried(brief: &Brief, unit: &UnitState, wanted: f64, known: &Unit) -> Option<f64> {
    let step = brief.scale.step;
    let tried = |quality: f64| unit.trials.iter().any(|trial| (trial.quality - quality).abs() < step / 2.0);
    let steps = [0.0, 1.0, -1.0, 2.0, -2.0].map(|steps| brief.scale.snap(wanted + steps * step));
    steps.into_iter().find(|quality| known.allows(*quality) && !tried(*quality))
}

impl Unit {
    fn of(brief: &Brief, unit: &UnitState) -> Self {
        // a unit without takes gets a neutral one, because planning must not panic; the first pass covers
        // every unit
        let last = unit.trials.last().copied().unwrap_or(super::Trial {
            quality: brief.scale.usual,
            bytes: 1,
            score: None,
        });
        let curve = ByteCurve::of(&brief.family, &unit.trials);
        Self {
            frames: unit.range.len() as f64,
            quality: last.quality,
            bytes: last.bytes.max(1) as f64,
            score: last.score.map(|score| score.value),
            slope: curve.slope_at(last.quality),
            curve,
            ceiling: last.score.and_then(|score| score.ceiling),
            finest: brief.scale.min,
            coarsest: brief.scale.max,
        }
    }

    fn allows(&self, quality: f64) -> bool {
        (self.finest..=self.coarsest).contains(&quality)
    }

    fn bytes_at(&self, quality: f64) -> f64 {
        self.curve.log_at(quality).exp2()
    }

    /// Returns the quality where the last byte buys as much as `log_worth` says (its logarithm). Both the
    /// cost of a step of the knob and the bytes that it saves are exponential in the knob, so the logarithm
    /// of their ratio is a straight line.
    ///
    /// It returns `None` for a unit that was not measured, because the worth of its bytes is unknown.
    fn quality_worth(&self, brief: &Brief, log_worth: f64) -> Option<f64> {
        let score = self.score?;
        let (log_cost, growth) = brief.family.log_cost_rate(score, self.ceiling);
        let doublings = -self.slope * LN_2;
        let here = (self.frames / (doublings * self.bytes)).ln() + log_cost;
        Some(self.quality + (log_worth - here) / (growth + doublings))
    }
}

/// Chooses qualities with which the film has `aim` bytes and a byte buys the same everywhere. The share
/// `again` of the film was encoded again already.
fn spread(brief: &Brief, units: &[Unit], aim: f64, again: f64) -> Vec<f64> {
    let level = level(brief, units, aim);
    let bounds: Vec<(f64, f64)> = units
        .iter()
        .map(|unit| {
            let reach = REACH / -unit.slope;
            let low = brief.scale.snap(level - reach).max(unit.finest).min(unit.coarsest);
            (low, brief.scale.snap(level + reach).min(unit.coarsest).max(low))
        })
        .collect();
    let trust = if again > 0.0 { TRUST_AFTER_RETAKES } else { TRUST };
    let at = |log_worth: f64| -> Vec<f64> {
        let bounded = units.iter().zip(&bounds);
        let worth = |unit: &Unit| unit.quality_worth(brief, log_worth).unwrap_or(level);
        let wanted = |unit: &Unit| level + trust * (worth(unit) - level);
        bounded.map(|(unit, &(low, high))| wanted(unit).clamp(low, high)).collect()
    };
    let total = |qualities: &[f64]| -> f64 {
        units.iter().zip(qualities).map(|(unit, quality)| unit.bytes_at(*quality)).sum()
    };
    let ideal = at(bisect(-50.0, 50.0, |log_worth| total(&at(log_worth)) > aim));
    // the units that gain most move, up to a share of the film; the others stay, and the moved ones make up
    // for them
    let mut order: Vec<usize> = (0..units.len()).collect();
    let gain = |index: usize| {
        let unit = &units[index];
        (ideal[index] - unit.quality).abs() * -unit.slope * unit.bytes / unit.frames
    };
    order.sort_by(|a, b| gain(*b).total_cmp(&gain(*a)));
    let frames: f64 = units.iter().map(|unit| unit.frames).sum();
    let mut moved = vec![false; units.len()];
    let mut sum = again * frames;
    for index in order {
        sum += units[index].frames;
        if sum > brief.effort.share() * frames && moved.iter().any(|moved| *moved) {
            break;
        }
        moved[index] = true;
    }
    let started: Vec<Unit> = units
        .iter()
        .zip(&ideal)
        .zip(&moved)
        .map(|((unit, &quality), &moved)| Unit {
            quality: if moved { quality } else { unit.quality },
            bytes: if moved { unit.bytes_at(quality) } else { unit.bytes },
            ..unit.clone()
        })
        .collect();
    settle(brief, units, shift(&started, &moved, aim, 2.0 * MOVE), aim)
}

/// Returns the one quality with which the film has `aim` bytes, where every unit takes it that may.
fn level(brief: &Brief, units: &[Unit], aim: f64) -> f64 {
    let total = |quality: f64| -> f64 {
        units.iter().map(|unit| unit.bytes_at(quality.max(unit.finest).min(unit.coarsest))).sum()
    };
    bisect(brief.scale.min, brief.scale.max, |quality| total(quality) > aim)
}

/// A knob whose step changes a unit's bytes by more doublings than this is coarse, so single steps must
/// correct the last of the error.
const COARSE: f64 = 0.03;

/// With a coarse knob, single steps correct an error below this share of the film.
const FINE: f64 = 0.03;

/// Returns a small change that brings the film to `aim` bytes: the smallest one, or `by_score` one that asks
/// it of those units whose quality can bear it.
fn correct(brief: &Brief, units: &[Unit], aim: f64, by_score: bool) -> Vec<f64> {
    let total: f64 = units.iter().map(|unit| unit.bytes).sum();
    let coarse = brief.scale.step * -brief.family.bytes_slope(&[]) > COARSE;
    if coarse && (total / aim - 1.0).abs() < FINE {
        return correct_by_steps(brief, units, aim);
    }
    // a unit at the end of the scale is left out because it cannot correct anything
    let (scale, more) = (brief.scale, total < aim);
    let room = |unit: &Unit| if more { unit.quality - unit.finest } else { unit.coarsest - unit.quality };
    let movable = |index: &usize| room(&units[*index]) > scale.step / 2.0;
    let mut order: Vec<usize> = (0..units.len()).filter(movable).collect();
    let by_score = by_score && units.iter().all(|unit| unit.score.is_some());
    let rank = |index: usize| {
        let unit = &units[index];
        // the units with most bytes a frame come first, because they correct most with fewest frames
        let bytes = (unit.bytes / unit.frames).ln();
        match unit.score.filter(|_| by_score).map(|score| brief.family.log_cost_rate(score, unit.ceiling).0) {
            // a byte buys most where a step of the knob costs most, and many bytes go for little elsewhere
            Some(cost) if more => cost,
            Some(cost) => 2.0 * bytes - cost,
            None => bytes,
        }
    };
    order.sort_by(|a, b| rank(*b).total_cmp(&rank(*a)));
    let mut chosen = vec![false; units.len()];
    let mut reach = 0.0;
    for index in order {
        chosen[index] = true;
        reach += units[index].bytes * (1.0 - (-STEP).exp2());
        if reach >= (total - aim).abs() {
            break;
        }
    }
    settle(brief, units, shift(units, &chosen, aim, MOVE), aim)
}

/// Corrects with a coarse knob: makes the move of one unit that leaves the smallest error, until no move
/// makes the error smaller.
fn correct_by_steps(brief: &Brief, units: &[Unit], aim: f64) -> Vec<f64> {
    let mut qualities: Vec<f64> = units.iter().map(|unit| unit.quality).collect();
    let mut error = units.iter().map(|unit| unit.bytes).sum::<f64>() - aim;
    if error.abs() <= CLOSE / 4.0 * aim {
        return qualities;
    }
    // films have very many units, and many of them may have to move: all moves are sorted once, by what they
    // change, and the best is beside the change that is wanted
    let moves_of = |index: usize| {
        let unit: &Unit = &units[index];
        let quality = move |step: i8| brief.scale.snap(unit.quality + f64::from(step) * brief.scale.step);
        // beyond the end of the scale there is no other quality to move to
        let other = move |step: &i8| quality(*step) != unit.quality && unit.allows(quality(*step));
        let steps = [-3, -2, -1, 1, 2, 3].into_iter().filter(other);
        steps.map(move |step| Move {
            change: unit.bytes_at(quality(step)) - unit.bytes,
            index,
            step,
            quality: quality(step),
        })
    };
    let mut moves: BTreeSet<Move> = (0..units.len()).flat_map(moves_of).collect();
    while error.abs() > CLOSE / 4.0 * aim {
        let wanted = Move { change: -error, index: 0, step: i8::MIN, quality: 0.0 };
        let more = moves.range(wanted..).next();
        // of those that change as much the first
        let less = moves.range(..wanted).next_back().map(|less| Move { index: 0, step: i8::MIN, ..*less });
        let less = less.and_then(|less| moves.range(less..).next());
        let left = |one: &Move| (error + one.change).abs();
        let order = |a: &&Move, b: &&Move| {
            left(a).total_cmp(&left(b)).then((a.index, a.step).cmp(&(b.index, b.step)))
        };
        let best = less.into_iter().chain(more).min_by(order).copied();
        let Some(best) = best.filter(|best| left(best) < error.abs()) else { break };
        for one in moves_of(best.index) {
            moves.remove(&one);
        }
        (qualities[best.index], error) = (best.quality, error + best.change);
    }
    qualities
}

/// A step of a unit's knob, and by how many bytes it changes the film. It has its order by that.
#[derive(Clone, Copy)]
struct Move {
    change: f64,
    index: usize,
    step: i8,
    quality: f64,
}

impl Ord for Move {
    fn cmp(&self, other: &Self) -> Ordering {
        let (this, that) = ((self.index, self.step), (other.index, other.step));
        self.change.total_cmp(&other.change).then(this.cmp(&that))
    }
}

impl PartialOrd for Move {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Move {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Move {}

/// Moves the chosen units by the same number of doublings, at most `most`, so that the film has `aim` bytes.
/// Units that reach an end of the scale stay there, and the others go further for them.
fn shift(units: &[Unit], chosen: &[bool], aim: f64, most: f64) -> Vec<f64> {
    let mut qualities: Vec<f64> = units.iter().map(|unit| unit.quality).collect();
    let mut free: Vec<usize> = (0..units.len()).filter(|index| chosen[*index]).collect();
    let stays = units.iter().zip(chosen).filter(|(_, chosen)| !**chosen);
    let mut kept: f64 = stays.map(|(unit, _)| unit.bytes).sum();
    loop {
        let moved: f64 = free.iter().map(|index| units[*index].bytes).sum();
        // if the units that are kept exceed the aim already, the others go down as far as they can
        let doublings = ((aim - kept) / moved).max(f64::MIN_POSITIVE).log2().clamp(-most, most);
        let at = |unit: &Unit| unit.curve.knob_at(unit.bytes.log2() + doublings);
        let before = free.len();
        free.retain(|&index| {
            let wanted = at(&units[index]);
            let quality = wanted.clamp(units[index].finest, units[index].coarsest);
            qualities[index] = quality;
            if quality != wanted {
                kept += units[index].bytes_at(quality);
            }
            quality == wanted
        });
        if free.is_empty() || free.len() == before {
            return qualities;
        }
    }
}

/// Snaps qualities to those that the encoder accepts, and carries the error of each unit on to the next, so
/// that the sum stays right.
fn settle(brief: &Brief, units: &[Unit], qualities: Vec<f64>, aim: f64) -> Vec<f64> {
    let mut error: f64 =
        units.iter().zip(&qualities).map(|(unit, quality)| unit.bytes_at(*quality)).sum::<f64>() - aim;
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by(|a, b| units[*b].bytes.total_cmp(&units[*a].bytes));
    let mut settled = qualities.clone();
    for index in order {
        let (unit, wanted) = (&units[index], qualities[index]);
        if (wanted - unit.quality).abs() < 1e-9 {
            continue;
        }
        let exact = unit.bytes_at(wanted);
        let step = brief.scale.step;
        let nearest = brief.scale.snap(wanted);
        let candidates = [brief.scale.snap(nearest - step), nearest, brief.scale.snap(nearest + step)];
        let off = |quality: f64| (error + unit.bytes_at(quality) - exact).abs();
        let allowed = candidates.into_iter().filter(|quality| unit.allows(*quality));
        let chosen = allowed.min_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap_or(nearest);
        error += unit.bytes_at(chosen) - exact;
        settled[index] = chosen;
    }
    settled
}

/// Exchanges takes for smaller ones of the same unit until the film is not above `target`.
fn under(units: &[UnitState], mut ship: Vec<usize>, target: u64) -> Vec<usize> {
    let mut total = bytes(units, &ship);
    if total <= target {
        return ship;
    }
    let exchanges_of = |index: usize, now: u64| {
        let trials = units[index].trials.iter().enumerate();
        trials
            .filter(move |(_, trial)| trial.bytes < now)
            .map(move |(take, trial)| (now - trial.bytes, index, take))
    };
    let now = |ship: &[usize], index: usize| units[index].trials[ship[index]].bytes;
    let mut exchanges: BTreeSet<(u64, usize, usize)> =
        (0..units.len()).flat_map(|index| exchanges_of(index, now(&ship, index))).collect();
    while total > target {
        // the smallest sufficient exchange wins; if none suffices, the largest does
        let enough = exchanges.range((total - target, 0, 0)..).next();
        let Some(&(saved, index, take)) = enough.or_else(|| exchanges.last()) else { break };
        for one in exchanges_of(index, now(&ship, index)) {
            exchanges.remove(&one);
        }
        ship[index] = take;
        total -= saved;
        exchanges.extend(exchanges_of(index, now(&ship, index)));
    }
    ship
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::QualityScale;
    use crate::planner::curve::Family;
    use crate::planner::{Effort, Objective, Trial};
    use crate::take::Score;
    use crate::units::FrameRange;
    use proptest::prelude::*;

    /// What [`correct_by_steps`] does, in a few plain lines that look at every move each time.
    fn correct_plainly(brief: &Brief, units: &[Unit], aim: f64) -> Vec<f64> {
        let mut qualities: Vec<f64> = units.iter().map(|unit| unit.quality).collect();
        let mut error = units.iter().map(|unit| unit.bytes).sum::<f64>() - aim;
        while error.abs() > CLOSE / 4.0 * aim {
            let mut best = (error.abs(), None);
            for (index, unit) in units.iter().enumerate().filter(|(i, unit)| qualities[*i] == unit.quality) {
                for steps in [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0] {
                    let quality = brief.scale.snap(unit.quality + steps * brief.scale.step);
                    let change = unit.bytes_at(quality) - unit.bytes;
                    let moves = quality != unit.quality && unit.allows(quality);
                    if moves && (error + change).abs() < best.0 {
                        best = ((error + change).abs(), Some((index, quality, change)));
                    }
                }
            }
            let Some((index, quality, change)) = best.1 else { break };
            qualities[index] = quality;
            error += change;
        }
        qualities
    }

    /// What [`under`] does, in the same way.
    fn under_plainly(units: &[UnitState], mut ship: Vec<usize>, target: u64) -> Vec<usize> {
        while bytes(units, &ship) > target {
            let over = bytes(units, &ship) - target;
            let mut all = Vec::new();
            for (index, unit) in units.iter().enumerate() {
                let now = unit.trials[ship[index]].bytes;
                let smaller = unit.trials.iter().enumerate().filter(|(_, trial)| trial.bytes < now);
                all.extend(smaller.map(|(take, trial)| (now - trial.bytes, index, take)));
            }
            let enough = all.iter().filter(|exchange| exchange.0 >= over).min();
            let Some(&(_, index, take)) = enough.or_else(|| all.iter().max()) else { break };
            ship[index] = take;
        }
        ship
    }

    proptest! {
        /// Moves and exchanges that are found in a sorted set are those that a look at all of them finds,
        /// with units that are alike as well.
        #[test]
        fn the_best_moves_are_found(
            takes in prop::collection::vec(prop::collection::vec((1u32..63, 1000u64..1020), 1..4), 1..24),
            off in 0.9f64..1.1,
        ) {
            let scale = QualityScale { min: 1.0, max: 63.0, step: 1.0, usual: 35.0 };
            let family = Family::of("svt-av1", "vmaf", scale);
            let objective = Objective::Bytes { target: 1, at_most: true };
            let brief = Brief { objective, scale, family, max_passes: 5, newest_only: false, effort: Effort::Balanced };
            let trial = |&(quality, bytes): &(u32, u64)| {
                Trial { quality: f64::from(quality), bytes: bytes * bytes, score: None }
            };
            let states: Vec<UnitState> = takes
                .iter()
                .map(|takes| {
                    UnitState { range: FrameRange::new(0, 50), trials: takes.iter().map(trial).collect() }
                })
                .collect();
            let units: Vec<Unit> = states.iter().map(|unit| Unit::of(&brief, unit)).collect();
            let aim = units.iter().map(|unit| unit.bytes).sum::<f64>() * off;
            prop_assert_eq!(correct_by_steps(&brief, &units, aim), correct_plainly(&brief, &units, aim));
            let ship: Vec<usize> = states.iter().map(|unit| unit.trials.len() - 1).collect();
            let target = aim as u64;
            prop_assert_eq!(under(&states, ship.clone(), target), under_plainly(&states, ship, target));
        }
    }

    /// MP-32, PA-15: what corrects the sum by score takes from a unit that looks good, and not from the one
    /// with most bytes, which looks worst; and gives to that one. Without, fewest frames correct it.
    #[test]
    fn corrections_by_score_spare_the_worst_unit() {
        let scale = QualityScale { min: 0.0, max: 51.0, step: 0.1, usual: 23.0 };
        let family = Family::of("x264", "vmaf", scale);
        let unit = |index: u64, bytes: u64, value: f64| UnitState {
            range: FrameRange::new(index * 50, index * 50 + 50),
            trials: vec![Trial {
                quality: 24.0,
                bytes,
                score: Some(Score { value, error: 0.0, psnr: 40.0, ceiling: Some(100.0) }),
            }],
        };
        let units = [unit(0, 100_000, 89.0), unit(1, 90_000, 96.0), unit(2, 80_000, 94.0)];
        let moved = |target: u64, by_score: bool| -> Vec<usize> {
            let objective = Objective::Bytes { target, at_most: false };
            let brief = Brief {
                objective,
                scale,
                family,
                max_passes: 5,
                newest_only: true,
                effort: Effort::Balanced,
            };
            let bounds = Bounds { by_score, ..Bounds::default() };
            plan(&brief, (target, false), &units, bounds, 2)
                .retakes
                .iter()
                .map(|retake| retake.unit)
                .collect()
        };
        assert_eq!(moved(262_000, true), [1]);
        assert_eq!(moved(278_000, true), [0]);
        assert_eq!(moved(262_000, false), [0]);
    }
}
