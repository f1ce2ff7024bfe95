//! A worker that runs the take of one index.

use super::{ArrayFile, ArrayId, Said, TaskReport};
use crate::error::{ExportError, RequestError};
use crate::job::folder::{PROGRAM, VisitedFolder};
use crate::stop::StopFlag;
use crate::worker::messages::WorkerError;
use crate::worker::root::SharedRoot;
use crate::worker::runner::TakeRunner;
use retake_compression::encoder::EncoderFactory;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// The most that is read of an array's file, in bytes: some kilobytes for each of its takes.
const MOST_TEXT: u64 = 64 << 20;

/// Runs the take that has `index` in an array's file, and writes beside that file what became of it, which is
/// all that the export hears. It may be run again, on any machine, at any time, and comes to the same.
///
/// `root` is the folder that all machines share, as this one sees it; `file` and all paths in it are below
/// it, and none that leads out of it is followed. A raised flag ends it without a word, as the death of the
/// machine does.
///
/// # Errors
/// What kept it from the take, which it has written down, too, as far as it could.
/// [`RequestError::OutsideSharedRoot`], [`RequestError::NoSuchIndex`] and
/// [`RequestError::WorkerOfOtherVersion`] among others; [`ExportError::Stopped`] when the flag was raised.
#[doc(alias = "SLURM_ARRAY_TASK_ID")]
pub fn run_array_worker(
    root: &Path,
    file: &Path,
    index: u32,
    encoders: &[Arc<dyn EncoderFactory>],
    stop: &StopFlag,
) -> Result<(), ExportError> {
    let root = SharedRoot::open(root)?;
    // a worker of a system that passes paths of the export's machine has them whole
    let file = if file.is_absolute() { root.resolve(&root.relative(file)?)? } else { root.resolve(file)? };
    let read = File::open(&file).and_then(|open| {
        let mut text = Vec::new();
        open.take(MOST_TEXT).read_to_end(&mut text)?;
        serde_json::from_slice::<ArrayFile>(&text).map_err(io::Error::from)
    });
    let array = read.map_err(ExportError::file(&file, "reading an array of takes"))?;
    let name = file.file_name().and_then(OsStr::to_str).and_then(ArrayId::of);
    let Some((id, None)) = name else {
        let what = io::Error::new(io::ErrorKind::InvalidData, "it is none of an export's");
        return Err(ExportError::file(file, "reading an array of takes")(what));
    };
    let job = root.resolve(&array.job)?;
    let arrays = VisitedFolder::open(&job)?.arrays()?;
    let said = match run(&root, &job, &array, index, encoders, stop) {
        Err(Cause { error: ExportError::Stopped, .. }) => return Err(ExportError::Stopped),
        said => said,
    };
    let (said, result) = match said {
        Ok(said) => (said, Ok(())),
        Err(Cause { error, everywhere }) => {
            let told = WorkerError::from(&error);
            (if everywhere { Said::Failed(told) } else { Said::Unable(told) }, Err(error))
        }
    };
    let report = TaskReport { machine: machine(), said };
    let text = serde_json::to_vec(&report).map_err(|error| ExportError::Internal(error.to_string()))?;
    let written = arrays.write_whole(&id.report(index), &text);
    written.map_err(ExportError::file(arrays.path(), "writing what became of a take"))?;
    result
}

/// Why a take was not run.
struct Cause {
    error: ExportError,
    /// Whether every machine would fail in the same way.
    everywhere: bool,
}

fn run(
    root: &SharedRoot,
    job: &Path,
    array: &ArrayFile,
    index: u32,
    encoders: &[Arc<dyn EncoderFactory>],
    stop: &StopFlag,
) -> Result<Said, Cause> {
    let here = |error| Cause { error, everywhere: false };
    let everywhere = |error| Cause { error, everywhere: true };
    if array.program != PROGRAM {
        let job = array.program.clone();
        return Err(here(RequestError::WorkerOfOtherVersion { job, worker: PROGRAM }.into()));
    }
    let Some(description) = array.takes.get(index as usize) else {
        return Err(everywhere(RequestError::NoSuchIndex { index, count: array.takes.len() }.into()));
    };
    let source = root.resolve(&array.source).map_err(here)?;
    let mut runner = TakeRunner::open(job, &source, encoders, stop.clone()).map_err(here)?;
    let taken = AssertUnwindSafe(|| runner.run(description.clone(), &|_| ()));
    let taken = catch_unwind(taken).unwrap_or_else(|_| {
        Err(ExportError::Internal(format!("the take of {} panicked", description.range)))
    });
    match taken {
        Ok(take) => Ok(Said::Done(Box::new(take))),
        // what the encoder, the metric or the film is to blame for is the same on every machine
        Err(
            error @ (ExportError::Encoder { .. } | ExportError::Quality { .. } | ExportError::Internal(_)),
        ) => Err(everywhere(error)),
        Err(error) => Err(here(error)),
    }
}

/// The name of this machine, for people.
fn machine() -> String {
    // several nodes of Slurm may be one machine
    let node = std::env::var("SLURMD_NODENAME").ok().filter(|name| !name.is_empty());
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_else(|_| "a machine".into());
    node.unwrap_or(name)
}
