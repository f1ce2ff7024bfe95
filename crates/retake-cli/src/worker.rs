//! `retake worker` runs takes of another process's job.

use crate::args::Worker;
use crate::exit::Usage;
use crate::signals;
use anyhow::Result;
use retake::{ExportError, WorkerTools};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The variables in which batch systems say which element of an array a process is: Slurm, HyperQueue, AWS
/// Batch, indexed jobs of Kubernetes.
const INDEXES: [&str; 4] =
    ["SLURM_ARRAY_TASK_ID", "HQ_TASK_ID", "AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX"];

pub(crate) fn run(args: &Worker) -> Result<ExitCode> {
    let tools = WorkerTools { encoders: retake::encoders(), objects: crate::objects::store() };
    #[cfg(feature = "restate")]
    if let Some(address) = args.listen {
        return crate::remote::serve(args, address, root(args)?, tools);
    }
    match (&args.array, &args.job, &args.source) {
        (Some(file), ..) => run_one(args, file, &tools)?,
        (None, Some(job), Some(source)) => retake::run_worker(job, source, &tools)?,
        _ => return Err(Usage("a worker needs a job and its --source, or an --array".into()).into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the folder that all machines share.
fn root(args: &Worker) -> Result<PathBuf> {
    let root = args.root.clone().or_else(|| std::env::var_os("RETAKE_ROOT").map(PathBuf::from));
    let missing = || Usage("a worker needs --root, or RETAKE_ROOT in the environment".into());
    Ok(root.ok_or_else(missing)?)
}

fn run_one(args: &Worker, file: &Path, tools: &WorkerTools) -> Result<()> {
    let told = |name| std::env::var(name).ok()?.parse().ok();
    let index = args.index.or_else(|| INDEXES.into_iter().find_map(told));
    let index = index.ok_or_else(|| Usage("--array needs --index, as no batch system says it".into()))?;
    let root = root(args)?;
    // the export, or the batch system, has the take run again
    let stop = signals::stop_flag(ExportError::Stopped)?;
    Ok(retake::run_array_worker(&root, file, index, tools, &stop)?)
}
