//! A rate that is nowhere exceeded: units that have a part in a window above it are not made finer than the
//! window can bear, whatever the objective says. It goes before the objective: what cannot be reached within
//! it is told as not reached.

use crate::planner::pace::Expected;
use crate::planner::{
    Bounds, Brief, End, Plan, Reason, Retake, Trial, UnitState, bounded, expected, finest_within,
};
use std::collections::BTreeMap;

/// What of a window a unit is to be encoded again for that had a part in filling it too full: the next take
/// is a guess, too.
const WITHIN: f64 = 0.93;

/// A finer take that is no larger than this, as a multiple of a coarser one, was not allowed to be: its
/// encoder keeps to the rate by itself.
const BOUND: f64 = 1.01;

/// A coarser take that is not at least so much smaller than a finer one was made in vain.
const VAIN: f64 = 1.03;

/// The quality with which a unit takes so much less that a window, `fullness` times as full as it may be by
/// this take of it, would fit.
pub fn coarser(brief: &Brief, unit: &UnitState, take: &Trial, fullness: f64) -> f64 {
    // two takes that are nearly equally large would have the next one far away
    let slope = expected(brief, unit, take.quality).slope.min(brief.family.bytes_slope(&[]) / 2.0);
    // where the encoder keeps to a rate by itself, a coarser take comes out as large as a finer one, until it
    // is coarse enough: longer steps
    let in_vain = finer_within(brief, unit, take, VAIN).count();
    let step = (WITHIN / fullness).log2() / slope * (1.0 + 2.0 * in_vain as f64);
    brief.scale.snap(take.quality + step.max(brief.scale.step))
}

/// For an encoder that knows nothing of limits: the finest quality that a unit may be given whose newest take
/// is in windows which are so full.
pub fn finest_within_limits(brief: &Brief, unit: &UnitState, fullness: f64) -> f64 {
    let Some(newest) = unit.trials.last() else { return brief.scale.min };
    let slope = expected(brief, unit, newest.quality).slope;
    let finer = (WITHIN / fullness.max(f64::MIN_POSITIVE)).log2().max(0.0) / slope;
    (newest.quality + finer).max(brief.scale.min)
}

/// The qualities of a unit's takes that are finer than one of them, and take at most so many times its bytes.
fn finer_within<'a>(
    brief: &Brief,
    unit: &'a UnitState,
    take: &Trial,
    times: f64,
) -> impl Iterator<Item = f64> + 'a {
    let (quality, bytes) = (take.quality - brief.scale.step / 2.0, take.bytes as f64 * times);
    let finer =
        unit.trials.iter().filter(move |other| other.quality < quality && other.bytes as f64 <= bytes);
    finer.map(|take| take.quality)
}

/// The finest quality that each unit may have, as far as that is known.
#[derive(Debug, Clone)]
pub struct Caps {
    finest: Vec<f64>,
    /// Bytes that a frame may have in the mean of a unit.
    most: f64,
}

impl Caps {
    /// For so many units, of which nothing is known but how many bytes a frame may have in the mean.
    pub fn new(units: usize, most: f64) -> Self {
        Self { finest: vec![f64::NEG_INFINITY; units], most }
    }

    /// The finest quality of each unit that is worth a try.
    fn bounds(&self, brief: &Brief, units: &[UnitState]) -> Vec<f64> {
        let bound = |(cap, unit): (&f64, &UnitState)| {
            let bytes = self.most * WITHIN * unit.range.len() as f64;
            cap.max(brief.scale.snap(finest_within(brief, unit, bytes) + brief.scale.step / 2.0))
        };
        self.finest.iter().zip(units).map(bound).collect()
    }

    fn allows(&self, brief: &Brief, unit: usize, take: &Trial) -> bool {
        take.quality >= self.finest[unit] - brief.scale.step / 2.0
    }

    /// Learns from the takes that would be shipped: `broken` are the units that have a part in windows that
    /// are too full, and how full those are. False if there is nothing to learn: no such window, or units in
    /// them wait for a coarser take already, or there is none.
    pub fn learn(
        &mut self,
        brief: &Brief,
        units: &[UnitState],
        ship: &[usize],
        broken: &BTreeMap<usize, f64>,
    ) -> bool {
        let mut learned = false;
        for (&unit, &fullness) in broken {
            let take = &units[unit].trials[ship[unit]];
            let cap = coarser(brief, &units[unit], take, fullness);
            if self.allows(brief, unit, take) && cap > self.finest[unit] {
                self.finest[unit] = cap;
                learned = true;
            }
        }
        learned
    }

    /// Learns where the encoder keeps to the rate by itself: beyond the finer of two takes that are equally
    /// large, nothing is to be had. That one stays allowed, because it may only seem to be bound: a first
    /// take that steers itself can be larger than a finer one of a single quality.
    pub fn learn_bounds(&mut self, brief: &Brief, units: &[UnitState]) {
        for (cap, unit) in self.finest.iter_mut().zip(units) {
            let bound = |take| finer_within(brief, unit, take, BOUND).reduce(f64::min);
            *cap = unit.trials.iter().filter_map(bound).fold(*cap, f64::max);
        }
    }

    /// Plans, and learns from what would be shipped, until there is nothing more to learn. `broken` looks at
    /// the windows of the film that the named takes of all units make. Gives the plan, and the windows that
    /// stay too full in it.
    pub fn plan_within(
        &mut self,
        brief: &Brief,
        units: &[UnitState],
        passes: u32,
        broken: impl Fn(&[usize]) -> BTreeMap<usize, f64>,
    ) -> (Plan, BTreeMap<usize, f64>) {
        self.learn_bounds(brief, units);
        loop {
            let plan = self.plan(brief, units, passes);
            let broken = broken(&plan.ship);
            if !self.learn(brief, units, &plan.ship, &broken) {
                return (plan, broken);
            }
        }
    }

    /// As [`plan`](crate::planner::plan), with takes that are allowed alone. A unit that has none is encoded
    /// again; its coarsest take is shipped if no pass is left.
    pub fn plan(&self, brief: &Brief, units: &[UnitState], passes: u32) -> Plan {
        // of each unit, which takes the planner sees
        let mut places: Vec<Vec<usize>> = Vec::with_capacity(units.len());
        let mut waiting = vec![false; units.len()];
        let mut seen = Vec::with_capacity(units.len());
        for (index, unit) in units.iter().enumerate() {
            let numbers = 0..unit.trials.len();
            let mut place: Vec<usize> =
                numbers.clone().filter(|&take| self.allows(brief, index, &unit.trials[take])).collect();
            let mut trials: Vec<Trial> = place.iter().map(|&take| unit.trials[take]).collect();
            let coarsest = numbers.max_by(|&a, &b| unit.trials[a].quality.total_cmp(&unit.trials[b].quality));
            if let (true, Some(coarsest)) = (place.is_empty(), coarsest) {
                // the others are planned around what it will be
                let quality = self.finest[index];
                let bytes = expected(brief, unit, quality).bytes as u64;
                trials.push(Trial { quality, bytes, ..unit.trials[coarsest] });
                place.push(coarsest);
                waiting[index] = true;
            }
            places.push(place);
            seen.push(UnitState { range: unit.range, trials });
        }
        let finest = self.bounds(brief, units);
        let bounds = Bounds { finest: &finest, ..Bounds::default() };
        let mut planned = bounded(brief, &seen, bounds, passes);
        planned.ship = planned.ship.iter().zip(&places).map(|(&take, place)| place[take]).collect();
        let wanted = !planned.retakes.is_empty();
        planned.retakes.retain_mut(|retake| {
            retake.quality = retake.quality.max(self.finest[retake.unit]);
            let same = |take: &Trial| (take.quality - retake.quality).abs() < brief.scale.step / 2.0;
            !units[retake.unit].trials.iter().any(same)
        });
        for unit in (0..units.len()).filter(|&unit| waiting[unit]) {
            match planned.retakes.iter_mut().find(|retake| retake.unit == unit) {
                Some(retake) => retake.reason = Reason::Cap,
                None => {
                    planned.retakes.push(Retake { unit, quality: self.finest[unit], reason: Reason::Cap })
                }
            }
        }
        planned.retakes.sort_by_key(|retake| retake.unit);
        if waiting.contains(&true) {
            planned.end = (passes >= brief.max_passes).then_some(End::PassCap);
        } else if planned.retakes.is_empty() && planned.end.is_none() {
            // all that was wanted is too fine
            planned.end = Some(if wanted { End::NoGainExpected } else { End::Satisfied });
        }
        if planned.end.is_some() {
            planned.retakes.clear();
        }
        planned
    }
}

/// For a client that has no takes but the newest: sees to it that units which have a part in windows that are
/// too full are encoded again, and coarser. `broken` are those units, and how full the windows are; `takes`
/// is what is to be encoded again anyway.
pub fn keep_limits(
    brief: &Brief,
    states: &[UnitState],
    broken: &BTreeMap<usize, f64>,
    takes: &mut BTreeMap<usize, Expected>,
) {
    for (&unit, fullness) in broken {
        let Some(newest) = states[unit].trials.last() else { continue };
        let best = coarser(brief, &states[unit], newest, *fullness);
        let take = takes.entry(unit).or_insert_with(|| expected(brief, &states[unit], best));
        take.quality = take.quality.max(best);
        take.best = take.best.max(best);
    }
}
