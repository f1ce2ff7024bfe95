//! A take as it is told to a worker that knows nothing of the export: on another machine, at another time.

use super::WorkerTools;
use super::job_copy::JobCopy;
use super::messages::WorkerError;
use super::root::SharedRoot;
use super::runner::TakeRunner;
use super::stopping::{Earlier, JobPlace, until_given_up};
use crate::error::{ExportError, RequestError};
use crate::job::folder::PROGRAM;
use crate::job::objects::{JobObjects, StoredIndex};
use crate::stop::StopFlag;
use crate::take::finished::FinishedTake;
use crate::take::store;
use retake_compression::take::TakeDescription;
use retake_compression::units::FrameRange;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// A take to run, as text for any worker. Its identity follows from what it says, so that it may be run
/// twice, anywhere, and comes to the same bytes under the same name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakeTask {
    /// The version of the program that wrote it.
    pub(crate) program: String,
    /// The job folder, and the source, below the place that all machines share.
    pub(crate) job: PathBuf,
    pub(crate) source: PathBuf,
    pub(crate) take: TakeDescription,
    /// The index of the source, where it lies in an object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<StoredIndex>,
}

impl TakeTask {
    /// The frames of the take.
    pub fn range(&self) -> FrameRange {
        self.take.range
    }

    /// The identity of the take, as 32 hexadecimal digits: two tasks that have the same come to the same
    /// bytes.
    pub fn identity(&self) -> String {
        self.take.id().to_string()
    }
}

/// What came of a [`TakeTask`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakeDone {
    /// The frames of the take.
    pub range: FrameRange,
    /// The bytes of its samples.
    pub bytes: u64,
    /// What it took of processors, in seconds, as far as the encoder's threads tell.
    pub cpu_seconds: f64,
    /// The machine that ran it.
    pub machine: String,
}

/// Why a take was not run.
#[derive(Debug)]
pub struct TakeFailure {
    /// The cause.
    pub error: Box<ExportError>,
    /// The machine that was to run it.
    pub machine: String,
    /// Whether another machine may do better: this one lacks the source, room on its disk, or the version.
    pub may_do_elsewhere: bool,
}

/// Runs a take, and puts what it made into the folder of its job. A take that is there already is not run
/// again.
///
/// `root` is the folder that all machines share, as this one sees it, or an address in an object store, which
/// `tools` have to bring along. All paths of the task are below it, and none that leads out of it is
/// followed. It ends within a second or so when `stop` is raised, and when the job is given up by
/// [`ExportBuilder::give_up`](crate::ExportBuilder::give_up).
///
/// With an address, the worker copies what it needs into a temporary folder of its own, and what it made into
/// the store. The folder is removed in the end; one that a killed worker left is removed by the next.
///
/// # Errors
/// [`TakeFailure`]; with [`ExportError::Stopped`] where it was stopped.
pub fn run_take(
    root: &Path,
    task: &TakeTask,
    tools: &WorkerTools,
    stop: &StopFlag,
) -> Result<TakeDone, TakeFailure> {
    let ran = SharedRoot::open(root).map_err(Cause::here).and_then(|root| match root.address() {
        Some(address) => run_by_objects(&root, address, task, tools, stop),
        None => {
            let place = JobPlace::Folder(root.resolve(&task.job).map_err(Cause::here)?);
            until_given_up(&place, stop, Earlier::Counts, |stop| run(&root, task, tools, stop))
                .map_err(Cause::here)?
        }
    });
    match ran {
        Ok(take) => {
            let cpu = take.record.cpu;
            let cpu_seconds = cpu.look + cpu.encode + cpu.measure;
            Ok(TakeDone {
                range: take.record.range,
                bytes: take.record.bytes,
                cpu_seconds,
                machine: machine(),
            })
        }
        Err(Cause { error, everywhere }) => {
            Err(TakeFailure { error: Box::new(error), machine: machine(), may_do_elsewhere: !everywhere })
        }
    }
}

/// The same for a job that lies in an object store.
fn run_by_objects(
    root: &SharedRoot,
    address: &str,
    task: &TakeTask,
    tools: &WorkerTools,
    stop: &StopFlag,
) -> Result<FinishedTake, Cause> {
    let outside = || {
        let (path, root) = (task.job.clone(), root.path().to_owned());
        Cause::everywhere(RequestError::OutsideSharedRoot { path, root }.into())
    };
    let store = tools.store(root.path()).map_err(Cause::here)?;
    let name = task.job.to_str().filter(|name| JobObjects::is_name(name)).ok_or_else(outside)?;
    let source = root.resolve(&task.source).map_err(Cause::everywhere)?;
    let objects = JobObjects::at(store, address, name, stop);
    let work = |stop: &StopFlag| {
        let copy = JobCopy::begin(objects.until(stop)).map_err(Cause::here)?;
        copy.fetch_description().map_err(Cause::here)?;
        if let Some(index) = &task.index {
            copy.fetch_index(index).map_err(Cause::here)?;
        }
        copy.fetch_take(&store::name_of(&task.take)).map_err(Cause::here)?;
        let root = SharedRoot::open(copy.root()).map_err(Cause::here)?;
        let take = run(&root, &TakeTask { source, ..task.clone() }, tools, stop)?;
        let put = copy.put_takes().and_then(|put| copy.take_back_late(&put));
        put.map(|()| take).map_err(Cause::here)
    };
    until_given_up(&JobPlace::Objects(objects.clone()), stop, Earlier::Counts, work).map_err(Cause::here)?
}

/// Why a take was not run, and whether every machine would fail in the same way.
pub(super) struct Cause {
    pub error: ExportError,
    pub everywhere: bool,
}

impl Cause {
    pub(super) fn here(error: ExportError) -> Self {
        Self { error, everywhere: false }
    }

    pub(super) fn everywhere(error: ExportError) -> Self {
        Self { error, everywhere: true }
    }
}

impl From<&Cause> for WorkerError {
    fn from(cause: &Cause) -> Self {
        Self::from(&cause.error)
    }
}

pub(super) fn run(
    root: &SharedRoot,
    task: &TakeTask,
    tools: &WorkerTools,
    stop: &StopFlag,
) -> Result<FinishedTake, Cause> {
    let TakeTask { program, job, source, take, .. } = task;
    let mut runner = open(root, program, (job, source), tools, stop).map_err(Cause::here)?;
    let taken = AssertUnwindSafe(|| runner.run(take.clone(), &|_| ()));
    let taken = catch_unwind(taken)
        .unwrap_or_else(|_| Err(ExportError::Internal(format!("the take of {} panicked", take.range))));
    // what the encoder, the metric or the film is to blame for is the same on every machine
    taken.map_err(|error| match error {
        ExportError::Encoder { .. } | ExportError::Quality { .. } | ExportError::Internal(_) => {
            Cause::everywhere(error)
        }
        error => Cause::here(error),
    })
}

/// Opens a job and its source, both below the shared folder, for a program of its own version.
pub(super) fn open(
    root: &SharedRoot,
    program: &str,
    (job, source): (&Path, &Path),
    tools: &WorkerTools,
    stop: &StopFlag,
) -> Result<TakeRunner, ExportError> {
    if program != PROGRAM {
        let job = program.to_owned();
        return Err(RequestError::WorkerOfOtherVersion { job, worker: PROGRAM }.into());
    }
    let runner = TakeRunner::open(&root.resolve(job)?, &root.resolve_source(source)?, tools, stop.clone())?;
    if runner.film().filters().is_some_and(|filters| filters.graph.is_some()) {
        return Err(RequestError::GraphElsewhere.into());
    }
    if runner.film().burned_texts().is_some() {
        return Err(RequestError::BurnElsewhere.into());
    }
    Ok(runner)
}

/// The name of this machine, for people.
pub(super) fn machine() -> String {
    // several nodes of Slurm may be one machine
    let node = std::env::var("SLURMD_NODENAME").ok().filter(|name| !name.is_empty());
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_else(|_| "a machine".into());
    node.unwrap_or(name)
}
