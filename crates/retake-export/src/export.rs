//! The whole job, from request to film.

use crate::error::{ExportError, RequestError};
use crate::event::{Event, Summary};
use crate::film::{Film, efforts};
use crate::job::folder::finished_before;
use crate::job::identity::{RequestIdentity, file_of};
use crate::job::ladder::LadderError;
use crate::job::objects::{JobObjects, StoredIndex};
use crate::job::properties;
use crate::job::request::Request;
use crate::job::stamp;
use crate::job::{Began, Job};
use crate::ladder;
use crate::output::target::remove_unfinished;
use crate::output::{Written, output};
use crate::passes::{Passes, Workers};
use crate::records::Records;
use crate::records::place::RecordsTarget;
use crate::stop::StopFlag;
use crate::summary::summarise;
use crate::take::encode::TakeTools;
use crate::take::store::TakeStore;
use crate::take::threads::{RangeSource, ThreadExecutor};
use crate::worker::array::command::{Commands, Line};
use crate::worker::array::engine::ArrayEngine;
use crate::worker::array::executor::{ArrayExecutor, ArrayPlace};
use crate::worker::array::slurm::Slurm;
use crate::worker::processes::{Limits, ProcessExecutor, Workplace};
use crate::worker::steps::{Begin, PutOff, Step};
use crate::worker::{RunOn, WorkerProgram};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// Who is told what an export does, from several threads.
pub(crate) type Tell<'a> = &'a (dyn Fn(Event) + Sync);

/// How often one take may be damaged before it is given up.
const MOST_DAMAGED: u32 = 2;

/// Runs an export to its end. The output path holds nothing, or what it held before, until the finished and
/// verified film is renamed to it. What was finished is kept in the job folder whatever happens; the same
/// request carries on from there.
pub(crate) fn export(request: &Request, stop: &StopFlag, tell: Tell<'_>) -> Result<Summary, ExportError> {
    if request.has_ladder() {
        return ladder::export(request, stop, tell);
    }
    run(request, stop, &|job, store| make(job, stop, tell, |stop| run_passes(job, store, stop, tell)), tell)
}

/// Runs an export as far as the takes go that there are, and tells which ones are to be run before it can go
/// on. `begin` is told those that can be run before all of the film is looked through.
pub(crate) fn step(
    request: &Request,
    stop: &StopFlag,
    begin: Begin<'_>,
    tell: Tell<'_>,
) -> Result<Step, ExportError> {
    if request.has_ladder() {
        let what = "an export on an engine";
        return Err(RequestError::from(LadderError::OneVariant { what }).into());
    }
    let tasks = Mutex::new(Vec::new());
    let step = |job: &Job, store: &TakeStore| {
        job.folder.note_source(&job.source_facts())?;
        let (journal, map) = job.index()?;
        let put_off = PutOff::of(job, map.complete, begin)?;
        // what takes have cost that were run since the export began is in their records
        let tell = |event: Event| {
            if let Event::TakeFinished { cpu, .. } = &event {
                job.add_cpu(cpu.look + cpu.encode + cpu.measure);
            }
            tell(event);
        };
        let made = make(job, stop, &tell, |stop| {
            Passes { job, store, workers: Workers::Any(&put_off), stop, tell: &tell }.run(journal, map)
        });
        let index = match &job.objects {
            Some(objects) if !put_off.is_empty() && !stop.is_raised() => Some(hand_over(objects, job)?),
            _ => None,
        };
        // a list is sound whatever a panicking holder was doing
        *tasks.lock().unwrap_or_else(PoisonError::into_inner) = put_off.tasks(index.as_ref());
        made
    };
    let made = run(request, stop, &step, tell);
    let tasks = tasks.into_inner().unwrap_or_else(PoisonError::into_inner);
    match made {
        Ok(summary) => Ok(Step::Finished(Box::new(summary))),
        Err(ExportError::Stopped) if !tasks.is_empty() && !stop.is_raised() => Ok(Step::Takes(tasks)),
        Err(error) => Err(error),
    }
}

/// Puts into the store what workers need of a job whose film was looked through.
fn hand_over(objects: &JobObjects, job: &Job) -> Result<StoredIndex, ExportError> {
    let described = job.folder.described()?;
    let put = objects.describe(&described).and_then(|()| objects.put_index(job.folder.folder()));
    put.map_err(|error| objects.failed("", "putting the job in place", error))
}

fn run(
    request: &Request,
    stop: &StopFlag,
    make: &dyn Fn(&Job, &TakeStore) -> Result<Summary, ExportError>,
    tell: Tell<'_>,
) -> Result<Summary, ExportError> {
    let began = Began::now();
    let request = &properties::resolve(request)?;
    let identity = RequestIdentity::of(request);
    match finished_already(request, &identity, stop, tell)? {
        Some(summary) => Ok(summary),
        None => {
            let stopped = |error| if stop.is_raised() { ExportError::Stopped } else { error };
            let job = Job::prepare(request, identity, began, stop).map_err(stopped)?;
            let store = TakeStore::open(job.folder.takes()?)?;
            let again = || make(&job, &TakeStore::open(job.folder.takes()?)?);
            let summary = make_again_what_is_damaged(&|path| store.forget(path), again);
            let summary = summary.map_err(stopped)?;
            // told while the folder is there, so that a run that dies now tells it again
            tell(Event::Finished(summary.clone()));
            if let Some(objects) = &job.objects {
                // what cannot be removed only takes space
                let _ = objects.remove_all();
            }
            job.folder.remove();
            Ok(summary)
        }
    }
}

/// Tells of a film that an earlier run of the same request finished, and removes what that left. `None` where
/// there is none, or it is to be made anew.
pub(crate) fn finished_already(
    request: &Request,
    identity: &RequestIdentity,
    stop: &StopFlag,
    tell: Tell<'_>,
) -> Result<Option<Summary>, ExportError> {
    let anew = (request.overwrite || request.restart) && !request.skip_done;
    let finished = if anew { None } else { finished_before(request, identity, stop)? };
    let Some(finished) = finished else { return Ok(None) };
    remove_unfinished(&request.output, &request.work_dir());
    let summary = finished.summary.clone();
    tell(Event::Finished(summary.clone()));
    if let Some(objects) = JobObjects::of(request, identity, stop)? {
        // what cannot be removed only takes space
        let _ = objects.remove_all();
    }
    finished.remove(RecordsTarget::of(request).as_ref())?;
    Ok(Some(summary))
}

/// Makes the film of a job, and puts it in place. All that an earlier run finished is found and kept.
fn make<'a>(
    job: &'a Job,
    stop: &StopFlag,
    tell: Tell<'_>,
    run_passes: impl FnOnce(&StopFlag) -> Result<Film<'a>, ExportError>,
) -> Result<Summary, ExportError> {
    // raised with the user's flag, and when anything fails
    let film = run_passes(&stop.child())?;
    let unfinished = job.output.unfinished_folder(&job.folder)?;
    tell(Event::Writing { frames: film.frames() });
    let written = output(job.output.kind()).write(&film, unfinished.path(), job.output.path(), stop)?;
    for pictures in &written.pictures {
        film.verify(pictures, stop, &|frames| tell(Event::Verifying { frames }))?;
    }
    let mut summary = summarise(&film, &written);
    if let Some(history) = &film.history {
        summary.efforts = efforts::others(history, summary.cpu_seconds);
    }
    put_in_place(&film, &written, &summary, unfinished, stop)?;
    Ok(summary)
}

/// Puts what was written and verified in place, and the records of a film beside it.
pub(crate) fn put_in_place(
    film: &Film<'_>,
    written: &Written,
    summary: &Summary,
    unfinished: TempDir,
    stop: &StopFlag,
) -> Result<(), ExportError> {
    let job = film.job;
    let records = job.records.as_ref().map(|target| {
        let text = Records::finish(film, written, summary)?.to_text()?;
        job.folder.note_records(&text).map(|()| (target, text))
    });
    let records = records.transpose()?;
    job.folder.note_finished(&written.film, &job.identity, summary)?;
    // the range of the source is in the request
    let source = file_of(&job.description.source);
    stamp::write(&written.film, &job.identity, source, summary);
    let note = || stamp::note(written.bytes, &job.identity, source, summary);
    job.output.place(&unfinished, written, note, stop)?;
    drop(unfinished);
    job.output.remove_unfinished();
    // a run that dies here is known to have finished, and the next one finds them in the job folder
    if let Some((target, text)) = records {
        target.put(&text, &job.description.source, &job.folder)?;
    }
    Ok(())
}

/// Runs the passes of a job where the request wants its takes to run.
pub(crate) fn run_passes<'a>(
    job: &'a Job,
    store: &'a TakeStore,
    stop: &StopFlag,
    tell: Tell<'_>,
) -> Result<Film<'a>, ExportError> {
    let (journal, map) = job.index()?;
    let passes = |workers| Passes { job, store, workers, stop, tell };
    if job.request.run_on != RunOn::Threads {
        job.folder.note_source(&job.source_facts())?;
    }
    let (film, cpu) = match &job.request.run_on {
        RunOn::Threads => {
            let tools = TakeTools {
                factory: job.request.encoder.clone(),
                store: store.clone(),
                time_base: job.source.video.time_base,
                stop: stop.clone(),
            };
            let source = RangeSource::new(job.source.clone(), job.reader, map.index.clone());
            let threads = ThreadExecutor::start(job.jobs, tools, source)?;
            return passes(Workers::Threads(&threads)).run(journal, map);
        }
        RunOn::Processes(program) => {
            let processes = processes(job, program)?;
            (passes(Workers::Any(&processes)).run(journal, map), processes.cpu_seconds())
        }
        RunOn::Slurm { worker, options } => {
            let arrays = arrays(job, |root, place| Slurm {
                program: worker.clone(),
                options: options.clone(),
                // a node has no folder in which this machine would find what was printed
                logs: place.objects.is_none().then(|| root.join(&place.arrays)),
                root,
                at_once: job.request.jobs,
            })?;
            (passes(Workers::Any(&arrays)).run(journal, map), arrays.cpu_seconds())
        }
        RunOn::Array { command } => {
            let line = Line::new(command)?;
            let arrays = arrays(job, |_, _| Commands::new(line, job.jobs))?;
            (passes(Workers::Any(&arrays)).run(journal, map), arrays.cpu_seconds())
        }
        RunOn::Steps => {
            return Err(ExportError::Internal("an export in steps has no passes of its own".into()));
        }
    };
    job.add_cpu(cpu);
    film
}

fn processes(job: &Job, program: &WorkerProgram) -> Result<ProcessExecutor, ExportError> {
    let place = Workplace {
        program: program.clone(),
        job_folder: job.folder.path().to_owned(),
        source: job.source.path.clone(),
        encoder: job.description.encoder.clone(),
        limits: Limits::of(job.share),
    };
    ProcessExecutor::start(job.jobs, place)
}

fn arrays<E: ArrayEngine + 'static>(
    job: &Job,
    engine: impl FnOnce(PathBuf, &ArrayPlace) -> E,
) -> Result<ArrayExecutor, ExportError> {
    let (place, root) = ArrayPlace::find(job)?;
    ArrayExecutor::start(Box::new(engine(root, &place)), place)
}

/// A take that proves damaged when it is read is removed and made again. One that is damaged again and again
/// is the fault of the disk, or of an encoder.
pub(crate) fn make_again_what_is_damaged(
    forget: &dyn Fn(&Path),
    make: impl Fn() -> Result<Summary, ExportError>,
) -> Result<Summary, ExportError> {
    let mut damaged = BTreeMap::<PathBuf, u32>::new();
    loop {
        match make() {
            Err(ExportError::DamagedTake { path, source }) => {
                let times = damaged.entry(path.clone()).or_default();
                if *times == MOST_DAMAGED {
                    return Err(ExportError::DamagedTake { path, source });
                }
                *times += 1;
                forget(&path);
            }
            other => return other,
        }
    }
}
