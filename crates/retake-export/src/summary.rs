//! How an export went: built once, when the film is written and verified.

use crate::event::{Missed, Outcome, StopReason, Summary, VariantSummary};
use crate::film::Film;
use crate::film::history::History;
use crate::job::request::Goal;
use crate::output::Written;
use retake_compression::planner::Objective;
use retake_libav::Finding;

/// Tells of a film that was written and verified.
pub(crate) fn summarise(film: &Film<'_>, written: &Written) -> Summary {
    let job = film.job;
    let goal = job.request.target().goal();
    let history = film.history.as_ref();
    let stopped_because = history.map_or(StopReason::Satisfied, History::stopped_because);
    let mut missed = missed(film, written, goal, stopped_because);
    let damage: Vec<Finding> = film.findings().filter(|finding| finding.kind.is_damage()).cloned().collect();
    if !damage.is_empty() && !job.request.accept_damage {
        missed.push(Missed::Source { damage });
    }
    let measure = film.takes.first().and_then(|take| take.description.measure.as_ref());
    let mut notes = job.notes.clone();
    notes.extend(film.findings().map(ToString::to_string).filter(|note| !job.notes.contains(note)));
    notes.extend(written.notes.iter().cloned());
    let (cpu_seconds, wall_seconds) = job.elapsed();
    Summary {
        output: job.request.output.clone(),
        frames: film.frames(),
        seconds: film.map.seconds(),
        file_bytes: written.bytes,
        video_bytes: film.video_bytes(),
        outcome: match goal {
            _ if !missed.is_empty() => Outcome::Missed,
            Goal::Plain(_) => Outcome::Plain,
            _ => Outcome::Satisfied,
        },
        missed,
        stopped_because,
        passes: history.map_or(Vec::new(), |history| history.passes.clone()),
        quality: history.zip(measure).and_then(|(history, measure)| history.quality(measure)),
        cpu_seconds,
        wall_seconds,
        efforts: Vec::new(),
        sound: job.sound.summary(),
        variants: Vec::new(),
        notes,
    }
}

/// Tells of a stream of several variants, by their names, that was written and verified. What is said of
/// sound and other tracks is that of the first.
pub(crate) fn summarise_variants(films: &[(&str, &Film<'_>)], written: &Written) -> Option<Summary> {
    let all: Vec<(&str, &Film<'_>, Summary)> =
        films.iter().map(|&(name, film)| (name, film, summarise(film, written))).collect();
    let mut whole = all.first().map(|(.., first)| first.clone())?;
    whole.video_bytes = all.iter().map(|(.., one)| one.video_bytes).sum();
    whole.cpu_seconds += all.iter().skip(1).map(|(_, film, _)| film.job.cpu_elsewhere()).sum::<f64>();
    whole.missed.clear();
    for (name, film, one) in all {
        // what is missed of the source is missed once
        let new = one.missed.iter().filter(|missed| !whole.missed.contains(missed)).cloned();
        whole.missed.extend(new.collect::<Vec<_>>());
        let new = one.notes.iter().filter(|note| !whole.notes.contains(note));
        let new: Vec<String> = new.map(|note| format!("{name}: {note}")).collect();
        whole.notes.extend(new);
        let settings = &film.job.description.settings;
        whole.outcome = match (whole.outcome, one.outcome) {
            (Outcome::Missed, _) | (_, Outcome::Missed) => Outcome::Missed,
            (Outcome::Satisfied, _) | (_, Outcome::Satisfied) => Outcome::Satisfied,
            (Outcome::Plain, Outcome::Plain) => Outcome::Plain,
        };
        whole.variants.push(VariantSummary {
            name: name.to_owned(),
            width: settings.width,
            height: settings.height,
            video_bytes: one.video_bytes,
            expected: None,
            outcome: one.outcome,
            missed: one.missed,
            stopped_because: one.stopped_because,
            passes: one.passes,
            quality: one.quality,
        });
    }
    Some(whole)
}

/// What of the objective is not met, in the finished film.
fn missed(film: &Film<'_>, written: &Written, goal: Goal, stopped_because: StopReason) -> Vec<Missed> {
    let Some(history) = &film.history else { return Vec::new() };
    let by_plan = stopped_because != StopReason::Satisfied;
    let mut missed: Vec<Missed> = history.above_rate().into_iter().collect();
    match goal {
        Goal::Plain(_) => {}
        Goal::Floor { .. } => {
            let units = history.below_floor().unwrap_or(0);
            // under a highest rate that alone may be what is not met
            if units > 0 || (by_plan && missed.is_empty()) {
                missed.push(Missed::Floor { units, of: history.states.len() });
            }
        }
        Goal::BitRate(_) if by_plan => {
            if let Objective::Bytes { target, .. } = history.brief.objective {
                missed.push(Missed::BitRate { wanted: target, got: film.video_bytes() });
            }
        }
        Goal::Size(size) if by_plan || written.bytes > size => {
            missed.push(Missed::Size { wanted: size, got: written.bytes });
        }
        Goal::BitRate(_) | Goal::Size(_) => {}
    }
    missed
}
