//! One plan over all parts of a source. A session by itself is the only part of its own.
//!
//! The planner sees the units of all parts in a row, as those of one film: so bytes go where they are worth
//! most in the whole of it, and windows of data rate limits are judged across joins. What it asks for is then
//! divided among the parts, each with its share of the bytes, so that a part keeps to its own way in a pass
//! and nothing depends on which of them runs first (PA-12).

use super::goal::{PassGoal, Progress};
use super::limits;
use super::record::PassPlan;
use super::units::Unit;
use crate::encoder::RateBuffer;
use crate::planner::pace::Expected;
use crate::property::DataRateLimit;
use crate::rate_limit::TimedBytes;
use std::collections::BTreeMap;

/// What is known of a part at the end of a pass.
#[derive(Debug, Clone)]
pub(in crate::session) struct PartRecord {
    pub(super) goal: PassGoal,
    pub(super) limits: Vec<DataRateLimit>,
    /// The decoder's buffer of a variable bit rate.
    pub(super) buffer: Option<RateBuffer>,
    pub(super) units: Vec<Unit>,
    /// Its samples in decode order.
    pub(super) samples: Vec<TimedBytes>,
    /// How long it is shown.
    pub(super) seconds: f64,
    /// Passes that were begun.
    pub(super) passes: u32,
    /// Whether another pass may follow.
    pub(super) may_go_on: bool,
}

impl PartRecord {
    /// Whether both are to become parts of one film: what is wanted of them is the same.
    pub(in crate::session) fn goes_with(&self, other: &Self) -> bool {
        self.goal == other.goal && self.limits == other.limits && self.buffer == other.buffer
    }
}

/// Plans the next pass of parts that follow each other in this order and go with each other: what each part
/// is to encode again; nothing where it has no share in the pass.
pub(in crate::session) fn plan(parts: &[PartRecord]) -> Vec<Option<PassPlan>> {
    let mut plans = vec![None; parts.len()];
    let Some(PartRecord { goal, limits, buffer, .. }) = parts.first() else { return plans };
    let passes = parts.iter().map(|part| part.passes).max().unwrap_or(0);
    if passes >= goal.most || parts.iter().all(|part| !part.may_go_on) {
        return plans;
    }
    let film = Film::of(parts);
    let (broken, full) = limits::judge(&film.samples, film.units.len(), limits, *buffer);
    let may_come = |unit: usize| parts[film.part_of(unit)].may_go_on;
    let progress = Progress { passes, divided: parts.len() > 1 };
    let plan = goal.plan(&film.units, film.seconds, (&broken, &full), may_come, progress);
    // a part that has no share in it makes its second pass over everything
    let always = passes == 1 && goal.always;
    let all: f64 = plan.takes.values().map(|take| take.bytes).sum();
    for (index, (part, divided)) in parts.iter().zip(&mut plans).enumerate() {
        let (first, end) = (film.firsts[index], film.firsts[index] + part.units.len());
        let own = |units: &BTreeMap<usize, Expected>| -> BTreeMap<usize, Expected> {
            units.range(first..end).map(|(unit, expected)| (unit - first, *expected)).collect()
        };
        let (takes, others) = (own(&plan.takes), own(&plan.others));
        if part.may_go_on && (always || !takes.is_empty()) {
            let share = takes.values().map(|take| take.bytes).sum::<f64>() / all;
            let bytes = plan.bytes.map(|bytes| if takes.is_empty() { bytes } else { bytes * share });
            *divided = Some(PassPlan { takes, bytes, others, exact: plan.exact });
        }
    }
    plans
}

/// All parts in a row.
struct Film {
    units: Vec<Unit>,
    samples: Vec<TimedBytes>,
    seconds: f64,
    /// The first unit of each part.
    firsts: Vec<usize>,
}

impl Film {
    fn of(parts: &[PartRecord]) -> Self {
        let mut film = Self { units: Vec::new(), samples: Vec::new(), seconds: 0.0, firsts: Vec::new() };
        for part in parts {
            let (first, frames) = (film.units.len(), film.units.last().map_or(0, |unit| unit.end));
            let place =
                |unit: &Unit| Unit { first: unit.first + frames, end: unit.end + frames, ..unit.clone() };
            film.units.extend(part.units.iter().map(place));
            let samples = part.samples.iter();
            film.samples.extend(samples.map(|sample| TimedBytes { unit: sample.unit + first, ..*sample }));
            film.seconds += part.seconds;
            film.firsts.push(first);
        }
        // a client's parts may have gaps and lie in another order than their times
        film.samples.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        film
    }

    fn part_of(&self, unit: usize) -> usize {
        self.firsts.partition_point(|first| *first <= unit).saturating_sub(1)
    }
}
