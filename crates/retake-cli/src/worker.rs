//! `retake worker` runs takes of another process's job.

use crate::args::Worker;
use anyhow::Result;
use std::process::ExitCode;

pub(crate) fn run(args: &Worker) -> Result<ExitCode> {
    let registry = retake::encoders();
    let encoders: Vec<_> = registry.encoders().filter_map(|info| registry.by_name(info.name)).collect();
    retake::run_worker(&args.job, &args.source, &encoders)?;
    Ok(ExitCode::SUCCESS)
}
