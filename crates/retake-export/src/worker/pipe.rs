//! A worker that is told of takes through its standard input.

use super::WorkerTools;
use super::messages::{FromWorker, ToWorker, WorkerError};
use super::runner::TakeRunner;
use crate::error::ExportError;
use crate::stop::StopFlag;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How long a worker that nobody needs any more may take to end. A call into an encoder cannot be
/// interrupted.
const DEADLINE: Duration = Duration::from_millis(500);

/// Makes this process a worker of the job in a folder: takes come through standard input and are run one
/// after the other, what becomes of them is told on standard output. Both are texts of this version of the
/// program alone. It returns when standard input ends, and ends the process where a take is still running
/// then, so that no worker outlives who started it.
///
/// `source` is the job's film, which may lie elsewhere than where the job found it. Standard error and
/// standard output belong to the caller again when it returns.
///
/// # Errors
/// Whatever keeps the worker from beginning; it was told on standard output, too.
pub fn run_worker(job_folder: &Path, source: &Path, tools: &WorkerTools) -> Result<(), ExportError> {
    let stop = StopFlag::new();
    let (sender, told) = bounded(1);
    let (ended, end) = bounded::<()>(0);
    let stopping = stop.clone();
    let listen = move || listen(&sender, &stopping, &end);
    let spawned = thread::Builder::new().name("worker's input".into()).spawn(listen);
    spawned.map_err(|error| ExportError::Internal(format!("no thread could be started: {error}")))?;
    let worked = work(job_folder, source, tools, &stop, &told);
    drop(ended);
    worked
}

/// Reads messages until there are no more, and then ends what still runs.
fn listen(told: &Sender<ToWorker>, stop: &StopFlag, end: &Receiver<()>) {
    for line in io::stdin().lock().lines() {
        let message = line.ok().and_then(|line| serde_json::from_str(&line).ok());
        let Some(message) = message else { break };
        if told.send(message).is_err() {
            return;
        }
    }
    stop.raise();
    // nothing is ever sent: the other end goes away when all is done
    if end.recv_timeout(DEADLINE) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
        end_process();
    }
}

/// Ends this process in the middle of a foreign call. Exit handlers would run beside the threads of an
/// encoder, and destroy what those still use.
fn end_process() {
    #[cfg(unix)]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}

fn work(
    job_folder: &Path,
    source: &Path,
    tools: &WorkerTools,
    stop: &StopFlag,
    told: &Receiver<ToWorker>,
) -> Result<(), ExportError> {
    let mut runner = TakeRunner::open(job_folder, source, tools, stop.clone())
        .inspect_err(|error| tell(&FromWorker::Failed(WorkerError::from(error))))?;
    tell(&FromWorker::Ready { encoder: runner.encoder().to_owned() });
    while let Ok(ToWorker::Run(description)) = told.recv() {
        let range = description.range;
        let run = AssertUnwindSafe(|| runner.run(description, &|frames| tell(&FromWorker::Encoded(frames))));
        let run = catch_unwind(run)
            .unwrap_or_else(|_| Err(ExportError::Internal(format!("the take of {range} panicked"))));
        match run {
            Ok(take) => tell(&FromWorker::Done(Box::new(take))),
            Err(ExportError::Stopped) => return Ok(()),
            Err(error) => tell(&FromWorker::Failed(WorkerError::from(&error))),
        }
    }
    Ok(())
}

/// Says a line. Where nobody listens any more, standard input has ended, too, which is what ends a worker.
fn tell(message: &FromWorker) {
    if let Ok(mut line) = serde_json::to_vec(message) {
        line.push(b'\n');
        let mut output = io::stdout().lock();
        let _ = output.write_all(&line).and_then(|()| output.flush());
    }
}
