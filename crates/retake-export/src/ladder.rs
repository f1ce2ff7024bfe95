//! A stream of several variants: each is a job of its own, with its own folder, takes and passes, so that it
//! is kept, carried on and planned like the only one of a stream. The first one finds where units are cut,
//! and all others are cut there, so that their segments begin at the same times. Nothing is put in place
//! before all of them are written and verified.

use crate::error::{ExportError, RequestError};
use crate::event::{Event, Summary};
use crate::export::{Tell, finished_already, make_again_what_is_damaged, put_in_place, run_passes};
use crate::film::Film;
use crate::index::units::Cuts;
use crate::job::folder::{Earlier, JobFolder};
use crate::job::identity::RequestIdentity;
use crate::job::ladder::{self, LadderError, Variants};
use crate::job::properties;
use crate::job::request::Request;
use crate::job::source::look_at;
use crate::job::{Began, Job};
use crate::output::hls;
use crate::stop::StopFlag;
use crate::summary::summarise_variants;
use crate::take::store::TakeStore;
use retake_libav::is_pipe;
use std::sync::Arc;

/// A variant by its name.
type Variant = (String, Job);

/// Runs an export of several variants to its end.
pub(crate) fn export(request: &Request, stop: &StopFlag, tell: Tell<'_>) -> Result<Summary, ExportError> {
    let began = Began::now();
    let request = &properties::resolve(request)?;
    ladder::check(request).map_err(RequestError::Ladder)?;
    let identity = RequestIdentity::of(request);
    if let Some(summary) = finished_already(request, &identity, stop, tell)? {
        remove_left(request);
        return Ok(summary);
    }
    let stopped = |error| if stop.is_raised() { ExportError::Stopped } else { error };
    let jobs = prepare(request, identity, began, stop).map_err(stopped)?;
    let stores = || -> Result<Vec<TakeStore>, ExportError> {
        jobs.iter().map(|(_, job)| TakeStore::open(job.folder.takes()?)).collect()
    };
    let all = stores()?;
    // equal descriptions are equal takes, so that one that is forgotten where it was sound is made again
    // alike
    let forget = |path: &std::path::Path| all.iter().for_each(|store| store.forget(path));
    let made = make_again_what_is_damaged(&forget, || make(&jobs, &stores()?, stop, tell));
    let summary = made.map_err(stopped)?;
    // told while the folders are there, so that a run that dies now tells it again
    tell(Event::Finished(summary.clone()));
    // the first one tells that the stream is finished, and goes last
    for (_, job) in jobs.into_iter().rev() {
        job.folder.remove();
    }
    Ok(summary)
}

/// Prepares the jobs of all variants, the largest first. A request that is refused leaves nothing behind.
fn prepare(
    request: &Request,
    identity: RequestIdentity,
    began: Began,
    stop: &StopFlag,
) -> Result<Vec<Variant>, ExportError> {
    request.check()?;
    if is_pipe(&request.input)? {
        return Err(RequestError::from(LadderError::Pipe).into());
    }
    let access = stop.access(request.references, request.objects.as_ref());
    let film = look_at(&request.input, &request.part(), &access, stop)?;
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
    }
    Ok(jobs)
}

/// Makes all variants, and puts the stream in place. All that an earlier run finished is found and kept.
fn make(
    jobs: &[Variant],
    stores: &[TakeStore],
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
    let summary = summarise_variants(&variants, &written).ok_or_else(none)?;
    put_in_place(first, &written, &summary, unfinished, stop)?;
    Ok(summary)
}

/// Removes the folders of variants that a run left which died after its stream was in place.
fn remove_left(request: &Request) {
    for rung in &request.ladder {
        let folder = ladder::folder(&request.work_dir(), &rung.name());
        // what cannot be removed only takes space
        if folder.is_dir()
            && let Ok(folder) = JobFolder::open(&folder, Earlier::Keep)
        {
            folder.remove();
        }
    }
}
