//! A stream of several variants: each is a job of its own, with its own folder, takes and passes, so that it
//! is kept, carried on and planned like the only one of a stream. The first one finds where units are cut,
//! and all others are cut there, so that their segments begin at the same times. Nothing is put in place
//! before all of them are written and verified.
//!
//! Where the rungs are to be chosen, they are so before the first job begins: `samples.rs` probes the film,
//! `hull.rs` draws rungs from what it finds. What follows is a ladder as by hand.

mod hull;
mod samples;

pub use hull::ChosenRung;

use crate::clock::process_cpu;
use crate::error::{ExportError, RequestError};
use crate::event::{Event, Summary};
use crate::export::{Tell, finished_already, make_again_what_is_damaged, put_in_place, run_passes};
use crate::film::Film;
use crate::index::units::Cuts;
use crate::job::folder::{Earlier, JobFolder, VisitedFolder};
use crate::job::identity::{RequestIdentity, source_identity};
use crate::job::ladder::{self, LadderError, Variants};
use crate::job::properties;
use crate::job::request::{Goal, Request};
use crate::job::source::{SourcePart, look_at};
use crate::job::{Began, Job};
use crate::output::hls;
use crate::stop::StopFlag;
use crate::summary::summarise_variants;
use crate::take::identity::named;
use crate::take::store::TakeStore;
use hull::Wanted;
use retake_libav::{FilmInfo, PictureFilters, is_pipe};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A variant by its name.
type Variant = (String, Job);

/// Raised whenever the same film and request could come to other rungs.
const CHOICE: u32 = 1;

/// The rungs that were chosen, as they are kept in the job folder of the first variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Choice {
    /// All that they depend on.
    of: String,
    rungs: Vec<ChosenRung>,
    cpu_seconds: f64,
}

impl Choice {
    /// Whether it can be the ladder of a film with so many rows, because it comes from a file.
    fn is_ladder(&self, rows: u32) -> bool {
        let sound = |rung: &ChosenRung| {
            let size =
                rung.rows == rows || (rung.rows < rows && rung.rows.is_multiple_of(2) && rung.rows > 0);
            size && rung.bit_rate > 0 && rung.score.is_finite() && rung.to_floor <= (rung.rows == rows)
        };
        let falls = |pair: &[ChosenRung]| pair[0].rows >= pair[1].rows && pair[0].bit_rate > pair[1].bit_rate;
        !self.rungs.is_empty()
            && self.rungs.len() <= usize::from(u8::MAX)
            && self.rungs.iter().all(sound)
            && self.rungs.windows(2).all(falls)
    }
}

/// Runs an export of several variants to its end.
pub(crate) fn export(request: &Request, stop: &StopFlag, tell: Tell<'_>) -> Result<Summary, ExportError> {
    let began = Began::now();
    let request = &properties::resolve(request)?;
    ladder::check(request).map_err(RequestError::Ladder)?;
    let identity = RequestIdentity::of(request);
    if let Some(summary) = finished_already(request, &identity, stop, tell)? {
        remove_left(request, &summary);
        return Ok(summary);
    }
    let stopped = |error| if stop.is_raised() { ExportError::Stopped } else { error };
    let (jobs, rungs) = prepare(request, identity, began, stop, tell).map_err(stopped)?;
    let stores = || -> Result<Vec<TakeStore>, ExportError> {
        jobs.iter().map(|(_, job)| TakeStore::open(job.folder.takes()?)).collect()
    };
    let all = stores()?;
    // equal descriptions are equal takes, so that one that is forgotten where it was sound is made again
    // alike
    let forget = |path: &std::path::Path| all.iter().for_each(|store| store.forget(path));
    let made = make_again_what_is_damaged(&forget, || make(&jobs, &stores()?, &rungs, stop, tell));
    let summary = made.map_err(stopped)?;
    // told while the folders are there, so that a run that dies now tells it again
    tell(Event::Finished(summary.clone()));
    // the first one tells that the stream is finished, and goes last
    for (_, job) in jobs.into_iter().rev() {
        job.folder.remove();
    }
    Ok(summary)
}

/// Prepares the jobs of all variants, the largest first, and tells which rungs were chosen. A request that is
/// refused leaves nothing behind.
fn prepare(
    request: &Request,
    identity: RequestIdentity,
    began: Began,
    stop: &StopFlag,
    tell: Tell<'_>,
) -> Result<(Vec<Variant>, Vec<ChosenRung>), ExportError> {
    request.check()?;
    if is_pipe(&request.input)? {
        return Err(RequestError::from(LadderError::Pipe).into());
    }
    let access = stop.access(request.references, request.objects.as_ref());
    let film = look_at(&request.input, &request.part(), &access, stop)?;
    let choice = match request.auto_ladder {
        Some(_) => {
            // the film without filters is looked at once more, because those of each size are its own
            let part = SourcePart { filters: PictureFilters::default(), ..request.part() };
            let bare = look_at(&request.input, &part, &access, stop)?;
            Some(choose(request, &identity, &film, &bare, stop, tell)?)
        }
        None => None,
    };
    let rungs = choice.as_ref().map_or_else(Vec::new, |choice| choice.rungs.clone());
    let request = &Request {
        ladder: match &choice {
            Some(choice) => choice.rungs.iter().map(ladder::chosen).collect(),
            None => request.ladder.clone(),
        },
        ..request.clone()
    };
    let Variants { requests, notes } =
        ladder::variants(request, film.video.height).map_err(RequestError::Ladder)?;
    let mut jobs: Vec<Variant> = Vec::new();
    let mut new = Vec::new();
    for (name, wanted) in requests {
        let identity = if jobs.is_empty() { identity.clone() } else { RequestIdentity::of(&wanted) };
        new.push(wanted.work_dir().symlink_metadata().is_err());
        let first = jobs.first().map(|(_, job)| &job.description);
        match Job::prepare_beside(&wanted, identity, began, first, stop) {
            Ok(job) => jobs.push((name, job)),
            Err(error) => {
                for ((_, job), _) in jobs.into_iter().zip(new).filter(|(_, new)| *new) {
                    job.folder.remove();
                }
                return Err(error);
            }
        }
    }
    if let Some((_, first)) = jobs.first_mut() {
        first.notes.extend(notes);
        if let Some(choice) = &choice {
            let text =
                serde_json::to_vec(choice).map_err(|error| ExportError::Internal(error.to_string()))?;
            first.folder.note_ladder(&text)?;
        }
    }
    Ok((jobs, rungs))
}

/// Chooses the rungs of a ladder, or finds those that an earlier run chose. They follow from the film and the
/// request alone, so that a run that died before they were kept comes to the same.
fn choose(
    request: &Request,
    identity: &RequestIdentity,
    film: &FilmInfo,
    bare: &FilmInfo,
    stop: &StopFlag,
    tell: Tell<'_>,
) -> Result<Choice, ExportError> {
    let most = request.auto_ladder.unwrap_or_default().most();
    let Goal::Floor { floor, .. } = request.target().goal() else {
        return Err(RequestError::from(LadderError::AutoWants).into());
    };
    let encoder = named(request.encoder.info());
    let library = request.metric.other_library();
    let of = serde_json::to_string(&(CHOICE, source_identity(film)?, encoder, library, identity));
    let of = of.map_err(|error| ExportError::Internal(error.to_string()))?;
    let kept = || -> Option<Choice> {
        let text = VisitedFolder::open(&request.work_dir()).ok()?.ladder().ok()?;
        let choice: Choice = serde_json::from_slice(&text).ok()?;
        (choice.of == of && choice.is_ladder(film.video.height)).then_some(choice)
    };
    let choice = match kept().filter(|_| !request.restart) {
        Some(choice) => choice,
        None => {
            tell(Event::ChoosingLadder);
            let began = process_cpu();
            let points = samples::probe(request, film, bare, stop)?;
            let (usual, unit) = (request.metric.default_floor(), request.metric.unit());
            let wanted = Wanted { floor, usual, unit, most: most.into() };
            let rungs = hull::rungs(&points, wanted, film.video.height);
            Choice { of, rungs, cpu_seconds: process_cpu() - began }
        }
    };
    tell(Event::LadderChosen { rungs: choice.rungs.clone(), cpu_seconds: choice.cpu_seconds });
    Ok(choice)
}

/// Makes all variants, and puts the stream in place. All that an earlier run finished is found and kept.
fn make(
    jobs: &[Variant],
    stores: &[TakeStore],
    rungs: &[ChosenRung],
    stop: &StopFlag,
    tell: Tell<'_>,
) -> Result<Summary, ExportError> {
    let mut films: Vec<(&str, Film<'_>)> = Vec::new();
    for (number, ((name, job), store)) in jobs.iter().zip(stores).enumerate() {
        tell(Event::VariantStarted { variant: number + 1, of: jobs.len(), name: name.clone() });
        if let Some((_, first)) = films.first() {
            let cut = || Cuts { units: first.map.units.clone(), scenes: first.map.scenes.clone() };
            job.cuts.get_or_init(|| Arc::new(cut()));
        }
        // raised with the user's flag, and when anything fails
        films.push((name, run_passes(job, store, &stop.child(), tell)?));
    }
    let variants: Vec<(&str, &Film<'_>)> = films.iter().map(|(name, film)| (*name, film)).collect();
    let none = || ExportError::Internal("a ladder without variants".into());
    let &(_, first) = variants.first().ok_or_else(none)?;
    let unfinished = first.job.output.unfinished_folder(&first.job.folder)?;
    tell(Event::Writing { frames: variants.iter().map(|(_, film)| film.frames()).sum() });
    let named: Vec<(Option<&str>, &Film<'_>)> =
        variants.iter().map(|&(name, film)| (Some(name), film)).collect();
    let written = hls::write(&named, unfinished.path(), first.job.output.path(), stop)?;
    let mut before = 0;
    for ((_, film), pictures) in variants.iter().zip(&written.pictures) {
        film.verify(pictures, stop, &|frames| tell(Event::Verifying { frames: before + frames }))?;
        before += film.frames();
    }
    let mut summary = summarise_variants(&variants, &written).ok_or_else(none)?;
    for (variant, rung) in summary.variants.iter_mut().zip(rungs) {
        variant.expected = Some(*rung);
    }
    put_in_place(first, &written, &summary, unfinished, stop)?;
    Ok(summary)
}

/// Removes the folders of variants that a run left which died after its stream was in place.
fn remove_left(request: &Request, summary: &Summary) {
    let made = summary.variants.iter().map(|variant| variant.name.clone());
    for name in ladder::all_names(&request.ladder).into_iter().chain(made) {
        let folder = ladder::folder(&request.work_dir(), &name);
        // what cannot be removed only takes space
        if folder.is_dir()
            && let Ok(folder) = JobFolder::open(&folder, Earlier::Keep)
        {
            folder.remove();
        }
    }
}
