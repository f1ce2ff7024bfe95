//! What other efforts would have cost or saved: for the summary, from the takes that there are.

use super::history::History;
use crate::event::OtherEffort;
use retake_compression::planner::{Brief, Effort, Objective, UnitState, predict, replay};

/// What the film would have become with each other effort, against what it is and cost. Nothing is told
/// without a floor, because other goals fix the bytes; under a highest rate, which decides instead of the
/// effort; and where units were taken over from an earlier job, whose work is not this one's.
///
/// With less effort, the passes begin again behind the first takes, and takes that it would have made, too,
/// are those that there are; with more, they go on behind the last ones, with takes that are drawn from the
/// curves of their units. The planner itself is asked both times.
pub(crate) fn others(history: &History, cpu_seconds: f64) -> Vec<OtherEffort> {
    let Objective::Floor { .. } = history.brief.objective else { return Vec::new() };
    let takes = || history.units.iter().flatten();
    let several = history.brief.max_passes > 1;
    if !several || !history.above_rate.is_empty() || takes().any(|take| take.recalled) {
        return Vec::new();
    }
    let frames = |states: &[UnitState], beyond: usize| -> f64 {
        let of = |state: &UnitState| state.range.len() * state.trials.len().saturating_sub(beyond) as u64;
        states.iter().map(of).sum::<u64>() as f64
    };
    let of_takes: f64 = takes().map(|take| take.take.record.cpu).map(|cpu| cpu.encode + cpu.measure).sum();
    let all = frames(&history.states, 0);
    let of_a_frame = of_takes / all.max(1.0);
    // A job that was carried on knows what its last run spent.
    let spent = cpu_seconds.max(of_takes);
    let is = history.video_bytes();
    Effort::ALL
        .into_iter()
        .filter(|&effort| effort != history.brief.effort && spent > 0.0 && is > 0.0)
        .map(|effort| {
            let brief = Brief { effort, max_passes: effort.passes(), ..history.brief };
            let (bytes, frames) = if effort < history.brief.effort {
                let told = replay(&brief, &history.states);
                (told.bytes, told.frames - frames(&history.states, 1))
            } else {
                let told = predict(&brief, &history.states, None);
                (told.bytes.expected, told.frames.expected)
            };
            OtherEffort { effort, bytes: bytes / is, cpu: (spent + of_a_frame * frames) / spent }
        })
        .collect()
}
