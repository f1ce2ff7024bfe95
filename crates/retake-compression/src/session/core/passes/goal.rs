//! Which units are worth another pass, with which qualities: the planner of exports, asked with what a
//! session knows.

use super::record::PassPlan;
use super::units::Unit;
use crate::encoder::{EncoderInfo, RateControl};
use crate::planner::curve::Family;
use crate::planner::pace::Expected;
use crate::planner::{self, Bounds, Brief, Effort, Objective, Reason, Retake, Trial, UnitState, bounded};
use crate::property::{PropertyKey, USUAL_PASSES, Values, set_value};
use crate::rate_limit::{finest_within_limits, keep_limits};
use crate::session::derive;
use crate::session::setup::Setup;
use crate::units::FrameRange;
use std::collections::BTreeMap;

/// Passes that the planner reckons with: how many there are is the session's affair.
const MANY: u32 = u32::MAX;

/// A first pass that is as far off its rate, or as uneven, is worth to be evened out; what is less only has
/// its sum corrected. As a share of the bytes, and in doublings of bytes in the mean.
const FAR: f64 = 0.03;
const UNEVEN: f64 = 0.12;

/// The share of the film's frames that sessions over parts encode again first, so that the rest of their
/// second passes is planned with what these units have shown.
const SAMPLE: f64 = 0.1;

/// Passes that have to be left for a sample: itself, the rest, and one that corrects the sum.
const PASSES_OF_A_SAMPLE: u32 = 3;

/// When sessions over parts have encoded the rest, they move bits once more, by what it has shown: in as many
/// frames as if this share of the film had been encoded again for that already.
const BEFORE_REFINING: f64 = 0.3;

/// Passes that have to be left for that: itself, and one that corrects the sum.
const PASSES_OF_REFINING: u32 = 2;

/// How full windows are expected to become at most, as a share of their limit.
const FULL: f64 = 0.96;

/// What a constant rate left unspent is given to units if it is more than this share of the rate.
const UNSPENT: f64 = 0.005;

/// What becomes of units that a constant rate has spread evenly, where there are limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Even {
    /// None of them is made finer, because at a constant quality their windows are not as even.
    Kept,
    /// They are made finer as others are: a part of the rate is unspent, and no other unit takes it.
    Refined,
}

/// Where a film is among its passes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// Passes that were begun.
    pub(super) passes: u32,
    /// Whether several sessions encode it, which cannot learn from each other before a pass is over.
    pub(super) divided: bool,
}

/// What is to be encoded again.
#[derive(Default)]
struct Moves {
    retakes: Vec<Retake>,
    /// What is planned for units that are to wait until the others have been encoded.
    later: Vec<Retake>,
    /// Whether bits are moved between all units, rather than their sum corrected.
    spread: bool,
}

impl From<Vec<Retake>> for Moves {
    fn from(retakes: Vec<Retake>) -> Self {
        Self { retakes, ..Self::default() }
    }
}

/// What the merged stream is to become, as the properties say.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::session) struct PassGoal {
    /// Bits per second in the mean, if that is asked for, by whichever property.
    pub(super) rate: Option<u64>,
    /// The score that every unit is to reach, and the tolerance above it.
    pub(super) floor: Option<(f64, f64)>,
    /// The metric that units are scored by; empty where they are not.
    pub(super) metric: String,
    /// The quality that the first pass was encoded with; none where a rate decided.
    pub(super) first: Option<f64>,
    /// The best quality that any unit may be given.
    pub(super) best: Option<f64>,
    /// A quality alone is asked for, and units are scored: later passes raise the worst of them at the size
    /// of the first.
    pub(super) even: bool,
    pub(super) info: EncoderInfo,
    /// Pixels of a picture.
    pub(super) pixels: u64,
    /// Passes at most, the first one counted.
    pub(super) most: u32,
    /// Ask for the whole source, never for parts of it.
    pub(super) whole: bool,
    /// Ask for a second pass in any case.
    pub(super) always: bool,
}

impl PassGoal {
    pub(in crate::session) fn of(setup: &Setup, values: &Values) -> Self {
        let environment = setup.environment();
        let scoring = derive::scoring(&environment, values);
        let flag = |value: Option<&bool>| value == Some(&true);
        let floor = scoring.and_then(|scoring| scoring.floor);
        let first = match derive::rate(&environment, values).0 {
            RateControl::Quality(quality) => Some(quality),
            _ => None,
        };
        let limited = derive::is_limited(values) || values.has(PropertyKey::VBVMaxBitRate);
        let even = first.is_some() && scoring.is_some() && floor.is_none() && !limited;
        let best = derive::asked_on_scale(&setup.info, values).filter(|_| !even);
        Self {
            rate: derive::average(values),
            floor,
            metric: scoring.map_or_else(String::new, |scoring| scoring.metric.to_owned()),
            first,
            best,
            even,
            info: setup.info.clone(),
            pixels: u64::from(setup.width) * u64::from(setup.height),
            most: set_value!(values, MaxPassCount).copied().unwrap_or(USUAL_PASSES),
            whole: flag(set_value!(values, RequestWholeSourcePasses)),
            always: flag(set_value!(values, AlwaysRequestSecondPass)),
        }
    }

    /// What to encode again; nothing where nothing better is to be expected (MP-30, MP-31). MP-32: what is
    /// not encoded again counts. `broken` are the units that have a part in windows above their limits, and
    /// by how much. `full` says how full the windows are that each unit is in, and `may_come` which units can
    /// be encoded again at all.
    pub(super) fn plan(
        &self,
        units: &[Unit],
        seconds: f64,
        (broken, full): (&BTreeMap<usize, f64>, &[f64]),
        may_come: impl Fn(usize) -> bool,
        progress: Progress,
    ) -> PassPlan {
        let last = progress.passes + 1 == self.most;
        let (family, scale) = (self.family(), self.info.quality);
        let states = self.states(units);
        let plain = Brief {
            objective: Objective::Plain,
            scale,
            family,
            max_passes: MANY,
            newest_only: true,
            effort: Effort::Balanced,
        };
        let even = if self.even { self.even_floor(&plain, &states) } else { None };
        let objective = match (self.rate, self.floor) {
            (Some(rate), _) if seconds > 0.0 => {
                Objective::Bytes { target: (rate as f64 * seconds / 8.0) as u64, at_most: false }
            }
            (None, Some((floor, tolerance))) => Objective::Floor { floor, tolerance },
            (None, None) if even.is_some() => {
                let first = units.iter().filter_map(|unit| unit.takes.first());
                Objective::Bytes { target: first.map(|take| take.bytes).sum(), at_most: false }
            }
            _ => Objective::Plain,
        };
        let brief = Brief { objective, ..plain };
        let below_rate = self.floor.filter(|_| self.rate.is_some()).or(even);
        let coarsest: Vec<f64> = below_rate.map_or_else(Vec::new, |(floor, tolerance)| {
            // what is taken away from a unit can leave it below the floor, and no pass would give it back
            // after the last one: so it goes half of the way there at most
            let kept =
                |state: &UnitState| planner::floor::held(state, floor).filter(|_| last && even.is_none());
            let expected = |state: &UnitState| planner::coarsest(&brief, floor, tolerance, state);
            let halfway = |kept: f64, expected: f64| scale.snap(kept + (expected - kept) / 2.0).min(expected);
            let bound = |state: &UnitState| {
                kept(state).map_or_else(|| expected(state), |kept| halfway(kept, expected(state)))
            };
            states.iter().map(bound).collect()
        });
        let moves_with = |even: Even| {
            let finest = self.finest(&brief, units, &states, full, even);
            let by_score = progress.divided;
            let bounds = Bounds { finest: &finest, coarsest: &coarsest, by_score, ..Bounds::default() };
            (self.moves(&brief, units, &states, bounds, progress), finest)
        };
        let (mut moves, mut finest) = moves_with(Even::Kept);
        if let Objective::Bytes { target, .. } = objective
            && moves.retakes.is_empty()
            && !finest.is_empty()
            && (units.iter().map(Unit::bytes).sum::<u64>() as f64) < (1.0 - UNSPENT) * target as f64
        {
            (moves, finest) = moves_with(Even::Refined);
        }
        let expected = |unit: usize, quality| {
            let expected = planner::expected(&brief, &states[unit], quality);
            Expected { coarsest: coarsest.get(unit).copied(), ..expected }
        };
        let of = |retake: &Retake| (retake.unit, expected(retake.unit, retake.quality));
        let mut takes: BTreeMap<usize, Expected> = moves.retakes.iter().map(of).collect();
        // qualities that are guesses alone have to be moved while the pass goes on
        let sure = !moves.later.is_empty() || units.iter().any(has_quality);
        let exact = progress.divided && moves.spread && sure && !last;
        if let Some((floor, tolerance)) = below_rate {
            // the floor comes before the rate: units below it are encoded again whatever the bytes say
            let brief = Brief { objective: Objective::Floor { floor, tolerance }, ..brief };
            let retakes = bounded(&brief, &states, Bounds::default(), 1).retakes;
            // a floor that only evens out is no promise: a unit that missed it twice stays, because further
            // steps towards it grow, and cost the size that is to be kept
            let misses = |trial: &&Trial| planner::floor::misses(trial, floor);
            let given_up =
                |unit: usize| even.is_some() && states[unit].trials.iter().filter(misses).count() > 1;
            let below = retakes.into_iter().filter(|retake| retake.reason == Reason::BelowFloor);
            for Retake { unit, quality, .. } in below.filter(|retake| !given_up(retake.unit)) {
                let planned = takes.get(&unit).map_or(f64::INFINITY, |take| take.quality);
                let take = Expected { coarsest: Some(quality), ..expected(unit, quality.min(planned)) };
                takes.insert(unit, take);
            }
        }
        let as_they_are = states.iter().enumerate().map(|(unit, state)| {
            let as_it_is = state.trials.last().map_or(scale.usual, |trial| trial.quality);
            (unit, expected(unit, as_it_is))
        });
        let mut others: BTreeMap<usize, Expected> = as_they_are.collect();
        others.extend(moves.later.iter().map(of));
        if self.whole && !takes.is_empty() {
            others.iter().for_each(|(unit, expected)| {
                takes.entry(*unit).or_insert(*expected);
            });
        }
        keep_limits(&brief, &states, broken, &mut takes);
        takes.retain(|unit, _| may_come(*unit));
        others.retain(|unit, _| may_come(*unit));
        for (&unit, take) in takes.iter_mut().chain(&mut others) {
            take.best = take.best.max(self.best.unwrap_or(scale.min));
            take.within = finest.get(unit).copied();
            take.room = self.room(&units[unit], full.get(unit).copied().unwrap_or(0.0));
            take.quality = take.bounded(take.quality);
        }
        let same = |unit: usize, take: &Expected| {
            let newest = units[unit].newest().and_then(|newest| newest.quality);
            newest.is_some_and(|quality| (quality - take.quality).abs() < scale.step / 2.0)
        };
        // the same again gives the same again
        if takes.iter().all(|(unit, take)| same(*unit, take)) {
            takes.clear();
        } else if !self.whole {
            takes.retain(|unit, take| !same(*unit, take));
        }
        let bytes = match objective {
            Objective::Bytes { target, .. } => {
                let kept = units.iter().enumerate().filter(|(unit, _)| !takes.contains_key(unit));
                Some(target as f64 - kept.map(|(_, unit)| unit.bytes()).sum::<u64>() as f64)
            }
            _ => None,
        };
        others.retain(|unit, _| !takes.is_empty() && !takes.contains_key(unit));
        PassPlan { takes, bytes, others, exact }
    }

    /// The finest quality that each unit may be given; nothing where all may be given any. An encoder that
    /// knows nothing of limits is not asked for what would break them, because all of the unit would become
    /// coarser for its fullest window. `even` says what holds for units that a constant rate has spread
    /// evenly.
    fn finest(
        &self,
        brief: &Brief,
        units: &[Unit],
        states: &[UnitState],
        full: &[f64],
        even: Even,
    ) -> Vec<f64> {
        if self.info.controls.rate_limit || full.iter().all(|&full| full == 0.0) {
            return Vec::new();
        }
        let bound = |((unit, state), &full): ((&Unit, &UnitState), &f64)| {
            let at_constant_rate = self.info.controls.constant_bit_rate && !has_quality(unit);
            let full = if at_constant_rate && even == Even::Kept { f64::INFINITY } else { full };
            finest_within_limits(brief, state, full).max(unit.finest.unwrap_or(brief.scale.min))
        };
        units.iter().zip(states).zip(full).map(bound).collect()
    }

    /// The bytes that a unit may take whose newest take is in windows which are so full, where the encoder
    /// does not see to that by itself.
    fn room(&self, unit: &Unit, full: f64) -> Option<f64> {
        (full > 0.0).then(|| unit.bytes() as f64 * FULL / full)
    }

    /// The floor that units are evened out to, from the takes of the first pass alone, so that it stays the
    /// same in all passes.
    fn even_floor(&self, brief: &Brief, states: &[UnitState]) -> Option<(f64, f64)> {
        let firsts: Vec<UnitState> = states
            .iter()
            .map(|state| UnitState {
                trials: state.trials.iter().take(1).copied().collect(),
                ..state.clone()
            })
            .collect();
        planner::even(brief, &firsts)
    }

    fn moves(
        &self,
        brief: &Brief,
        units: &[Unit],
        states: &[UnitState],
        bounds: Bounds<'_>,
        progress: Progress,
    ) -> Moves {
        let Objective::Bytes { target, .. } = brief.objective else {
            return bounded(brief, states, bounds, 1).retakes.into();
        };
        let all: u64 = units.iter().map(Unit::bytes).sum();
        let known: Vec<usize> = (0..units.len()).filter(|&unit| has_quality(&units[unit])).collect();
        let first =
            known.is_empty() || self.first.is_some() && units.iter().all(|unit| unit.takes.len() == 1);
        // what was a sample for the rest is not encoded beside it once more: the share of the film that moves
        // bits stays the same
        let frames = |units: &mut dyn Iterator<Item = usize>| -> f64 {
            units.map(|unit| states[unit].range.len()).sum::<u64>() as f64
        };
        let again = frames(&mut known.iter().copied()) / frames(&mut (0..units.len())).max(1.0);
        let sampled = progress.divided
            && progress.passes == 2
            && self.may_divide_moves(1, PASSES_OF_A_SAMPLE)
            && again < 2.0 * SAMPLE;
        let measured = states.iter().all(|state| state.trials.iter().all(|trial| trial.score.is_some()));
        let refined = progress.divided && progress.passes == 3 && measured;
        if refined && self.may_divide_moves(3, PASSES_OF_REFINING) {
            let bounds = Bounds { again: BEFORE_REFINING, ..bounds };
            let spread = bounded(brief, states, bounds, 1).retakes;
            return Moves { retakes: spread, spread: true, ..Moves::default() };
        }
        if first || sampled {
            let bounds = if first { bounds } else { Bounds { again, ..bounds } };
            let spread = bounded(brief, states, bounds, 1).retakes;
            let far = (all as f64 / target.max(1) as f64 - 1.0).abs() > FAR;
            if measured || far || self.unevenness(brief, states, &spread, all) > UNEVEN {
                let moves = Moves { retakes: spread, spread: true, ..Moves::default() };
                let guessed = progress.divided
                    && known.is_empty()
                    && self.may_divide_moves(progress.passes, PASSES_OF_A_SAMPLE);
                return if guessed { moves.begin_with_sample(brief, states) } else { moves };
            }
            if first {
                return bounded(brief, states, bounds, 2).retakes.into();
            }
        }
        // units whose quality is known answer as expected: the others stay as they are, if these can carry
        // what is left of the error
        let others: u64 = all - known.iter().map(|&unit| units[unit].bytes()).sum::<u64>();
        let some: Vec<UnitState> = known.iter().map(|&unit| states[unit].clone()).collect();
        let error = all.abs_diff(target);
        if error * 3 <= (all - others).min(target.saturating_sub(others)) {
            // close enough is judged on the film, and the planner sees a part of it: what is close there is
            // closer here
            let objective = Objective::Bytes { target: target - others, at_most: false };
            let of = |bounds: &[f64]| -> Vec<f64> {
                known.iter().filter_map(|&unit| bounds.get(unit).copied()).collect()
            };
            let (finest, coarsest) = (of(bounds.finest), of(bounds.coarsest));
            let bounds = Bounds { finest: &finest, coarsest: &coarsest, ..bounds };
            let plan = bounded(&Brief { objective, ..*brief }, &some, bounds, 2);
            return plan
                .retakes
                .into_iter()
                .map(|retake| Retake { unit: known[retake.unit], ..retake })
                .collect::<Vec<_>>()
                .into();
        }
        bounded(brief, states, bounds, 2).retakes.into()
    }

    /// Whether sessions over parts may move bits in several passes, of which so many are to follow: not where
    /// a client takes whole passes alone, and not where all that is below a floor is encoded again in any
    /// case.
    fn may_divide_moves(&self, passes: u32, following: u32) -> bool {
        let left = self.most.saturating_sub(passes);
        left >= following && !self.whole && !self.always && self.floor.is_none()
    }

    /// By how many doublings the bytes of the film would be moved in the mean.
    fn unevenness(&self, brief: &Brief, states: &[UnitState], retakes: &[Retake], all: u64) -> f64 {
        let moved = |retake: &Retake| {
            let newest = states[retake.unit].trials.last()?;
            let slope = planner::expected(brief, &states[retake.unit], retake.quality).slope;
            Some(((retake.quality - newest.quality) * slope).abs() * newest.bytes as f64)
        };
        retakes.iter().filter_map(moved).sum::<f64>() / all.max(1) as f64
    }

    pub(super) fn family(&self) -> Family {
        let metric = if self.metric.is_empty() { "vmaf" } else { &self.metric };
        Family::of(self.info.name, metric, self.info.quality)
    }

    /// Units as the planner sees them: with the takes whose quality is known, or else with an estimate of it.
    fn states(&self, units: &[Unit]) -> Vec<UnitState> {
        let family = self.family();
        let guess = |unit: &Unit| {
            let take = unit.takes.iter().rev().find(|take| take.quality.is_none())?;
            let pixels = ((unit.end - unit.first) as u64 * self.pixels).max(1);
            let guess = family.quality_of(take.qp, take.bytes as f64 * 8.0 / pixels as f64);
            Some((guess, take.bytes.max(1) as f64))
        };
        let doublings = family.bytes_slope(&[]);
        // by how much guesses are off, from units that were encoded both by rate and by quality
        let off: Vec<f64> = units
            .iter()
            .filter_map(|unit| {
                let take = unit.newest()?;
                let (guess, bytes) = guess(unit)?;
                Some(take.quality? + (bytes / take.bytes.max(1) as f64).log2() / doublings - guess)
            })
            .collect();
        let off = off.iter().sum::<f64>() / off.len().max(1) as f64;
        units
            .iter()
            .map(|unit| {
                let known = |take: &crate::take::TakeRecord| {
                    Some(Trial { quality: take.quality?, bytes: take.bytes, score: take.score })
                };
                let mut trials: Vec<Trial> = unit.takes.iter().filter_map(known).collect();
                if !has_quality(unit) {
                    let quality = guess(unit).map_or(self.info.quality.usual, |(guess, _)| guess + off);
                    let score = unit.newest().and_then(|take| take.score);
                    let quality = quality.clamp(self.info.quality.min, self.info.quality.max);
                    trials = vec![Trial { quality, bytes: unit.bytes(), score }];
                }
                UnitState { range: FrameRange::new(unit.first as u64, unit.end as u64), trials }
            })
            .collect()
    }
}

impl Moves {
    /// Lets units wait until a few have shown how the film answers: those that are to take most bytes,
    /// because what is known of them says most of the sum. Those that took most in the first pass would tell
    /// less: an encoder that had bytes to spare for them does not answer there as elsewhere.
    ///
    /// By how much guesses are off is the same for all units of a film. A session by itself finds out with
    /// its first units, and the others follow. Sessions over parts would each find out by themselves: every
    /// part would have other qualities for the sake of a few units, and nothing in the film asks for that.
    fn begin_with_sample(mut self, brief: &Brief, states: &[UnitState]) -> Self {
        let frames = |unit: usize| states[unit].range.len() as f64;
        let bytes = |retake: &Retake| planner::expected(brief, &states[retake.unit], retake.quality).bytes;
        let enough = SAMPLE * (0..states.len()).map(frames).sum::<f64>();
        self.retakes.sort_by(|a, b| bytes(b).total_cmp(&bytes(a)).then(a.unit.cmp(&b.unit)));
        let mut sum = 0.0;
        let sample = self.retakes.iter().take_while(|retake| {
            let more = sum < enough;
            sum += frames(retake.unit);
            more
        });
        self.later = self.retakes.split_off(sample.count());
        self
    }
}

/// Whether the newest take was encoded with a quality that is known.
fn has_quality(unit: &Unit) -> bool {
    unit.newest().is_some_and(|take| take.quality.is_some())
}
