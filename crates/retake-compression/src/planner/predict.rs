//! This module predicts what a film becomes under another objective, from the takes that there are.
//!
//! The planner itself is asked, as in a real job, but its takes are drawn: from the curve that a unit's takes
//! make likely, moved by as much as curves err. A film is run to its end many times, each time with other
//! errors, and the middle nine tenths of what comes of it are told. So whatever the planner does about a miss
//! (another take, bytes moved elsewhere) is in the prediction, and no second model of it is needed.
//!
//! Curves of one film err together: a film that is richer than those that the model was fitted on is so in
//! all of its scenes. So a part of each error is the same for all units of a run. It does not average out
//! however many units there are, and decides the interval of a long film. `docs/planner.md` has the numbers,
//! and how they were found.

use super::bytes::ByteCurve;
use super::curve::{Point, Posterior};
use super::{Brief, Objective, Plan, Retake, Trial, UnitState, plan, plan_again};
use crate::encoder::RateLimit;
use crate::property::DataRateLimit;
use crate::rate_limit::{Caps, TimedBytes, held, overfull};
use crate::take::Score;
use crate::units::FrameRange;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Runs of a film. With more of them the ends of the interval would be a little steadier.
const RUNS: u64 = 40;

/// Of a longer film, only so many units are run again and again, because what is left of their own errors in
/// the sum is far smaller than the error that all units share.
const MOST_UNITS: usize = 200;

/// So many of them are those that look worst, because the worst unit is asked for.
const WORST_UNITS: usize = 40;

/// Of the others, so many in a row where windows of a highest rate lie over them.
const BLOCK: usize = 8;

/// The errors of score curves, in standard deviations of the curve's own model: a unit's own, and that of all
/// units together. Between single takes of the film that the models were fitted on they are 0.54 to 0.87, and
/// 0.17 to 0.34; other films err by more, and with these numbers nine in ten intervals of whole films hold.
const OWN: f64 = 1.0;
const COMMON: f64 = 0.6;

/// The errors of byte curves, in doublings of bytes, for each doubling from the nearest take: a unit's own,
/// and that of all units together. After one take of that film they are 0.19 to 0.23, and 0.07 to 0.13. Most
/// units have more takes, and with these numbers nine in ten intervals of whole films hold.
const OWN_BYTES: f64 = 0.03;
const COMMON_BYTES: f64 = 0.09;

/// How much the bytes of single takes lie off their curve, in doublings.
const BYTES_NOISE: f64 = 0.01;

/// Under a highest rate the errors of bytes and of scores count as so many times themselves, because many
/// units are far coarser than their takes, where byte curves err by more, and the window decides instead of a
/// score: with these numbers nine in ten intervals of whole films hold there, too.
const LIMITED: [f64; 2] = [1.6, 0.6];

/// As much for a size, where no score decides what becomes of a unit.
const SIZED: [f64; 2] = [1.0, 0.75];

/// What encoders use of their buffer in a take that it holds down, and how much the bytes of such takes err
/// besides, in doublings: each one's own, and those of all together. Under limits of 600 and 1200 kb/s x264
/// used a third to three quarters of it in 24 takes of the reel.
const USED_OF_BUFFER: f64 = 0.5;
const OWN_HELD: f64 = 0.05;
const COMMON_HELD: f64 = 0.03;

/// A number that is not known exactly: nine times in ten it lies between the ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end; one time in twenty the number is below it.
    pub low: f64,
    /// The middle.
    pub expected: f64,
    /// The upper end; one time in twenty the number is above it.
    pub high: f64,
}

/// What is expected of a film.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// What the planner asks for first, given the takes that there are.
    pub plan: Plan,
    /// The bytes of all samples.
    pub bytes: Interval,
    /// The mean score over all frames, where all takes are scored.
    pub mean: Option<Interval>,
    /// The score of the worst unit.
    pub worst: Option<Interval>,
    /// The frames that are encoded again in all passes together.
    pub frames: Interval,
    /// The units that are encoded again, each counted once.
    pub units: Interval,
    /// The share of runs in which the objective is met.
    pub met: f64,
}

/// A limit of the bytes in windows of time, and how the bytes of each unit lie in it.
#[derive(Debug, Clone, Copy)]
pub struct Windows<'a> {
    /// The limit.
    pub limit: DataRateLimit,
    /// The bytes that a frame may have in the mean.
    pub a_frame: f64,
    /// For each unit, when each of its samples is decoded, in seconds, and its share of the unit's bytes.
    pub samples: &'a [Vec<(f64, f64)>],
    /// The buffer that the encoder keeps each take within; `None` where it knows none.
    pub buffer: Option<RateLimit>,
    /// For each take of each unit, whether it is another one than this buffer would make of it. Such takes
    /// tell of curves, and cannot be shipped.
    pub held: &'a [Vec<bool>],
}

impl Windows<'_> {
    /// Returns the bytes that a take of a unit comes out with which would have so many without the buffer.
    fn kept(&self, unit: usize, bytes: f64) -> f64 {
        let Some(buffer) = self.buffer else { return bytes };
        let used = (buffer.window_bits as f64 * USED_OF_BUFFER) as u64;
        let samples = self.samples[unit].iter().map(|&(seconds, share)| (seconds, share * bytes));
        held(RateLimit { window_bits: used, ..buffer }, samples).bytes
    }
}

/// Predicts what comes of units under the objective of a brief. The takes that there are count as the first
/// pass. Every unit must have at least one trial.
pub fn predict(brief: &Brief, units: &[UnitState], windows: Option<Windows<'_>>) -> Prediction {
    let models: Vec<Model> = units.iter().map(|unit| Model::of(brief, unit)).collect();
    let all: Vec<usize> = (0..units.len()).collect();
    // windows go over the joins of units, so that neighbours have to be there
    let block = if windows.is_none() { 1 } else { BLOCK };
    let mut first = None;
    let middle = run(brief, units, &models, &all, windows, None, &mut first);
    let plan = first.unwrap_or(Plan { retakes: Vec::new(), end: None, ship: Vec::new() });
    let few = few(units.len(), block, &middle.scores);
    let some: Vec<UnitState> = few.iter().map(|&unit| units[unit].clone()).collect();
    let (brief, of_few) = if few.len() == units.len() {
        (*brief, None)
    } else {
        let share = middle.shipped(&few) / middle.bytes.max(1.0);
        let objective = match brief.objective {
            Objective::Bytes { target, at_most } => {
                Objective::Bytes { target: ((target as f64 * share) as u64).max(1), at_most }
            }
            other => other,
        };
        let brief = Brief { objective, ..*brief };
        (brief, Some(run(&brief, &some, &models, &few, windows, None, &mut None)))
    };
    let runs: Vec<Outcome> =
        (0..RUNS).map(|number| run(&brief, &some, &models, &few, windows, Some(number), &mut None)).collect();
    let of_few = of_few.as_ref();
    // what the few deviate by from their own middle, all deviate by
    let times = |value: &dyn Fn(&Outcome) -> f64| {
        // where nothing happens in the middle of the few, they stand for as many units as there are
        let base = of_few.map_or(1.0, |outcome| match value(outcome) {
            some if some > 0.0 => value(&middle) / some,
            _ => units.len() as f64 / few.len() as f64,
        });
        Interval::of(runs.iter().map(|run| value(run) * base))
    };
    let by = |value: &dyn Fn(&Outcome) -> Option<f64>| {
        let base = of_few.map_or(Some(0.0), |few| Some(value(&middle)? - value(few)?))?;
        let values: Option<Vec<f64>> = runs.iter().map(|run| Some(value(run)? + base)).collect();
        Some(Interval::of(values?.into_iter()))
    };
    Prediction {
        plan,
        bytes: times(&|run| run.bytes),
        mean: by(&|run| run.mean),
        worst: by(&|run| run.worst),
        frames: times(&|run| run.frames),
        units: times(&|run| run.units),
        met: runs.iter().filter(|run| run.met).count() as f64 / RUNS as f64,
    }
}

impl Interval {
    /// The middle nine tenths of some numbers.
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let at = |share: f64| {
            // of n numbers, a share k / (n + 1) of all that could be drawn is expected below the k-th
            let last = numbers.len().saturating_sub(1);
            let place = (share * (numbers.len() + 1) as f64 - 1.0).clamp(0.0, last as f64);
            let (before, part) = (place.floor() as usize, place.fract());
            let next = (before + 1).min(last);
            numbers[before] + part * (numbers[next] - numbers[before])
        };
        if numbers.is_empty() {
            return Self { low: 0.0, expected: 0.0, high: 0.0 };
        }
        Self { low: at(0.05), expected: at(0.5), high: at(0.95) }
    }
}

/// The units that are run again and again: those that look worst, and blocks of others at equal distances.
fn few(units: usize, block: usize, scores: &[Option<f64>]) -> Vec<usize> {
    if units <= MOST_UNITS {
        return (0..units).collect();
    }
    let mut by_score: Vec<usize> = (0..units).collect();
    let score = |unit: usize| scores.get(unit).copied().flatten().unwrap_or(f64::MAX);
    by_score.sort_by(|a, b| score(*a).total_cmp(&score(*b)));
    let even = MOST_UNITS - WORST_UNITS;
    let of_block = |place| (0..block).map(move |next| place * units * block / even + next);
    let mut few: Vec<usize> = (0..even / block).flat_map(of_block).collect();
    few.extend(&by_score[..WORST_UNITS]);
    few.sort_unstable();
    few.dedup();
    few
}

/// What a run came to.
struct Outcome {
    bytes: f64,
    mean: Option<f64>,
    worst: Option<f64>,
    frames: f64,
    units: f64,
    met: bool,
    /// The bytes and the score that each unit ships.
    sizes: Vec<f64>,
    scores: Vec<Option<f64>>,
}

/// What a film would have come to that was planned otherwise from its first takes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replayed {
    /// The bytes of the samples.
    pub bytes: f64,
    /// The frames that are encoded again in all passes.
    pub frames: f64,
}

/// Runs the passes of a brief that begin with the first takes of these units. A take that is asked for and
/// was made is the one that was made; others are those that the curves of their units expect. So what is
/// planned alike comes out alike.
pub fn replay(brief: &Brief, units: &[UnitState]) -> Replayed {
    let all: Vec<&UnitState> = units.iter().filter(|unit| !unit.trials.is_empty()).collect();
    let model = |unit: &&UnitState| Model { made: unit.trials.clone(), ..Model::of(brief, unit) };
    let models: Vec<Model> = all.iter().map(model).collect();
    let first = |unit: &&UnitState| UnitState { trials: unit.trials[..1].to_vec(), ..(*unit).clone() };
    let firsts: Vec<UnitState> = all.iter().map(first).collect();
    let numbers: Vec<usize> = (0..firsts.len()).collect();
    let Outcome { bytes, frames, .. } = run(brief, &firsts, &models, &numbers, None, None, &mut None);
    Replayed { bytes, frames }
}

impl Outcome {
    fn shipped(&self, units: &[usize]) -> f64 {
        units.iter().map(|&unit| self.sizes[unit]).sum()
    }
}

/// Runs the passes of a job over units whose models are `numbers` of `models`. Without a number of the run,
/// nothing errs. The first plan is told.
fn run(
    brief: &Brief,
    units: &[UnitState],
    models: &[Model],
    numbers: &[usize],
    windows: Option<Windows<'_>>,
    number: Option<u64>,
    first: &mut Option<Plan>,
) -> Outcome {
    let mut units = units.to_vec();
    let mut had: Vec<usize> = units.iter().map(|unit| unit.trials.len()).collect();
    let mut caps = windows.map(|windows| Caps::new(units.len(), windows.a_frame));
    let mut passes = 1;
    let mut frames = 0;
    let factors = match brief.objective {
        _ if windows.is_some() => LIMITED,
        Objective::Bytes { .. } => SIZED,
        Objective::Floor { .. } | Objective::Plain => [1.0; 2],
    };
    let take = |unit: usize, quality: f64, trials: usize| {
        let draw = number.map(|run| Draw { run, unit: unit as u64, take: trials as u64, factors });
        let kept = |bytes| windows.map_or(bytes, |windows| windows.kept(numbers[unit], bytes));
        models[numbers[unit]].take(quality, kept, draw)
    };
    // as a job begins that follows an earlier one: what it wants first, before it knows windows
    if let Some(windows) = windows.filter(|windows| windows.held.iter().flatten().any(|held| *held)) {
        let planned = plan_again(brief, &units, |unit, take| windows.held[numbers[unit]][take]);
        let all = had.clone();
        for (unit, state) in units.iter_mut().enumerate() {
            let mut held = windows.held[numbers[unit]].iter();
            state.trials.retain(|_| held.next() == Some(&false));
            had[unit] = state.trials.len();
        }
        for Retake { unit, quality, .. } in planned.retakes {
            units[unit].trials.push(take(unit, quality, all[unit]));
            frames += units[unit].range.len();
        }
        passes += 1;
    }
    let (plan, broken) = loop {
        let (planned, broken) = match (&mut caps, windows) {
            (Some(caps), Some(windows)) => caps.plan_within(brief, &units, passes, |ship| {
                overfull_units(&units, numbers, ship, &had, windows)
            }),
            _ => (plan(brief, &units, passes), BTreeMap::new()),
        };
        first.get_or_insert_with(|| planned.clone());
        if planned.retakes.is_empty() || passes >= brief.max_passes {
            break (planned, broken);
        }
        for retake in &planned.retakes {
            let unit = &mut units[retake.unit];
            frames += unit.range.len();
            unit.trials.push(take(retake.unit, retake.quality, unit.trials.len()));
        }
        passes += 1;
    };
    let shipped = || units.iter().zip(&plan.ship).map(|(unit, &take)| (unit.range, unit.trials[take]));
    let scores: Vec<Option<f64>> = shipped().map(|(_, trial)| trial.score.map(|score| score.value)).collect();
    let of_frames = |unit: (FrameRange, Trial)| Some(unit.0.len() as f64 * unit.1.score?.value);
    let weighted: Option<f64> = shipped().map(of_frames).sum();
    let length: u64 = units.iter().map(|unit| unit.range.len()).sum();
    let floor_met = match brief.objective {
        Objective::Floor { floor, .. } => shipped().all(|(_, trial)| !super::floor::misses(&trial, floor)),
        _ => plan.end.is_none_or(|end| end == super::End::Satisfied),
    };
    Outcome {
        bytes: shipped().map(|(_, trial)| trial.bytes as f64).sum(),
        mean: weighted.map(|sum| sum / length.max(1) as f64),
        worst: weighted.and_then(|_| scores.iter().flatten().copied().reduce(f64::min)),
        frames: frames as f64,
        units: units.iter().zip(&had).filter(|(unit, had)| unit.trials.len() > **had).count() as f64,
        met: floor_met && broken.is_empty(),
        sizes: shipped().map(|(_, trial)| trial.bytes as f64).collect(),
        scores,
    }
}

/// The units that have a part in windows that are too full. Of each unit, the first takes `had` are known.
fn overfull_units(
    units: &[UnitState],
    numbers: &[usize],
    ship: &[usize],
    had: &[usize],
    windows: Windows<'_>,
) -> BTreeMap<usize, f64> {
    let takes = units.iter().zip(ship).zip(numbers).enumerate();
    let samples: Vec<TimedBytes> = takes
        .flat_map(|(unit, ((state, &take), &number))| {
            let samples = &windows.samples[number];
            let bytes = state.trials[take].bytes as f64;
            // a buffer evens out what an encoder makes within it
            let even = (windows.buffer.is_some() && take >= had[unit]).then(|| 1.0 / samples.len() as f64);
            samples.iter().map(move |&(seconds, share)| TimedBytes {
                seconds,
                bytes: (bytes * even.unwrap_or(share)) as u64,
                unit,
            })
        })
        .collect();
    overfull(&samples, &[windows.limit])
}

/// Which take of which unit in which run errs.
#[derive(Clone, Copy)]
struct Draw {
    run: u64,
    unit: u64,
    take: u64,
    /// How much errors of bytes and of scores count.
    factors: [f64; 2],
}

/// What errs.
#[derive(Clone, Copy)]
enum Error {
    Score = 1,
    ScoreOfTake = 2,
    Bytes = 3,
    BytesOfTake = 4,
    Held = 5,
}

impl Draw {
    /// An error that is the same in all units of the run.
    fn common(self, error: Error) -> f64 {
        normal([self.run, u64::MAX, 0, error as u64])
    }

    /// One that is the same in all takes of the unit.
    fn own(self, error: Error) -> f64 {
        normal([self.run, self.unit, 0, error as u64])
    }

    fn of_take(self, error: Error) -> f64 {
        normal([self.run, self.unit, self.take + 1, error as u64])
    }
}

/// Returns a number as the normal distribution has it, always the same for the same words.
fn normal(words: [u64; 4]) -> f64 {
    let mix = |state: u64, word: u64| {
        // one step of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 2014)
        let mut bits = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    };
    let state = words.into_iter().fold(1, mix);
    let share = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let (radius, angle) = (share(mix(state, 1)), share(mix(state, 2)));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// The losses at which a curve is looked up: from better than any metric tells to worse than anybody wants.
const LOWEST_LOSS: f64 = -3.5;
const LOSS_STEP: f64 = 0.25;
const LOSSES: usize = 29;

/// What is known of a unit's answer to the knob.
struct Model {
    /// The knob at each loss, and its standard deviation; none where no take was scored.
    knobs: Option<[(f64, f64); LOSSES]>,
    /// The standard deviation of single takes from the curve, in steps of the knob.
    noise: f64,
    bytes: ByteCurve,
    /// The knobs of the takes.
    tried: Vec<f64>,
    /// Takes that are given for themselves where they are asked for.
    made: Vec<Trial>,
    /// What is told with the score of a take.
    score: Option<Score>,
    family: super::curve::Family,
}

impl Model {
    fn of(brief: &Brief, unit: &UnitState) -> Self {
        let points: Vec<Point> = unit.trials.iter().filter_map(Point::of).collect();
        let score = unit.trials.iter().rev().find_map(|trial| trial.score);
        let knobs = score.map(|_| {
            let posterior = Posterior::of(&brief.family, &points);
            let mut knobs = [(0.0, 0.0); LOSSES];
            for (place, knob) in knobs.iter_mut().enumerate() {
                let loss = LOWEST_LOSS + LOSS_STEP * place as f64;
                *knob = (posterior.mean(loss), posterior.deviation(loss));
            }
            knobs
        });
        Self {
            knobs,
            noise: brief.family.noise_of_takes(),
            bytes: ByteCurve::of(&brief.family, &unit.trials),
            tried: unit.trials.iter().map(|trial| trial.quality).collect(),
            made: Vec::new(),
            score,
            family: brief.family,
        }
    }

    /// A take of the unit with a quality. Of its bytes, `kept` come out; a take that is held down by a buffer
    /// looks as one of the quality does that has as many bytes without it.
    fn take(&self, quality: f64, kept: impl Fn(f64) -> f64, draw: Option<Draw>) -> Trial {
        let same = |trial: &&Trial| self.family.in_steps(trial.quality - quality) == 0.0;
        if let Some(made) = self.made.iter().find(same) {
            return *made;
        }
        let error = |own: f64, common: f64, error| {
            draw.map_or(0.0, |draw| own * draw.own(error) + common * draw.common(error))
        };
        let of_take = |error| draw.map_or(0.0, |draw| draw.of_take(error));
        let [of_bytes, of_score] = draw.map_or([1.0; 2], |draw| draw.factors);
        let slope = self.bytes.slope_at(quality);
        let away = self.tried.iter().map(|tried| (tried - quality).abs()).fold(f64::INFINITY, f64::min);
        let away = if away.is_finite() { away * slope.abs() } else { 1.0 };
        let log = self.bytes.log_at(quality)
            + away * of_bytes * error(OWN_BYTES, COMMON_BYTES, Error::Bytes)
            + BYTES_NOISE * of_take(Error::BytesOfTake);
        let whole = log.min(50.0).exp2();
        let mut bytes = kept(whole).max(1.0);
        let mut coarser = 0.0;
        if bytes < whole {
            bytes = (bytes * error(OWN_HELD, COMMON_HELD, Error::Held).exp2()).clamp(1.0, whole);
            coarser = self.bytes.knob_at(bytes.log2()) - self.bytes.knob_at(log);
        }
        let knob = quality + coarser + self.noise * of_take(Error::ScoreOfTake);
        let score = self.knobs.as_ref().zip(self.score).map(|(knobs, known)| {
            let loss = loss_at(knobs, knob, of_score * error(OWN, COMMON, Error::Score));
            Score { value: self.family.score_of(loss, known.ceiling), ..known }
        });
        Trial { quality, bytes: bytes as u64, score }
    }
}

/// The loss at which a curve, moved by so many standard deviations, has a knob. A curve that falls somewhere
/// is taken for one that stays.
fn loss_at(knobs: &[(f64, f64); LOSSES], knob: f64, moved: f64) -> f64 {
    let at = |place: usize| knobs[place].0 + moved * knobs[place].1;
    let mut before = at(0);
    if knob <= before {
        return LOWEST_LOSS;
    }
    for place in 1..LOSSES {
        let here = at(place).max(before);
        if here > knob {
            return LOWEST_LOSS + LOSS_STEP * (place as f64 - (here - knob) / (here - before));
        }
        before = here;
    }
    LOWEST_LOSS + LOSS_STEP * (LOSSES - 1) as f64
}
