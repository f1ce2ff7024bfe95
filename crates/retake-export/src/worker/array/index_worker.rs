//! A worker that does what one index stands for.

use super::{ArrayFile, ArrayId, ArrayWork, Said, TaskReport, object_worker};
use crate::error::{ExportError, RequestError};
use crate::index::range_file;
use crate::index::ranges::FoundRange;
use crate::job::folder::VisitedFolder;
use crate::objects::object_address;
use crate::own_folder::Folder;
use crate::stop::StopFlag;
use crate::worker::WorkerTools;
use crate::worker::messages::WorkerError;
use crate::worker::root::SharedRoot;
use crate::worker::task::{self, Cause};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

/// Runs the take that has `index` in an array's file, or reads the range of the film, and writes beside that
/// file what became of it, which is all that the export hears. It may be run again, on any machine, at any
/// time, and comes to the same.
///
/// `root` is the folder that all machines share, as this one sees it, or an address in an object store, which
/// `tools` have to bring along; `file` and all paths in it are below it, and none that leads out of it is
/// followed. A raised flag ends it without a word, as the death of the machine does.
///
/// With an address, the worker copies what it needs into a temporary folder of its own, and what it made into
/// the store. The folder is removed in the end; one that a killed worker left is removed by the next.
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
    tools: &WorkerTools,
    stop: &StopFlag,
) -> Result<(), ExportError> {
    if let Some(address) = object_address(root) {
        return object_worker::run(address, file, index, tools, stop);
    }
    let root = SharedRoot::open(root)?;
    // a worker of a system that passes paths of the export's machine has them whole
    let file = if file.is_absolute() { root.resolve(&root.relative(file)?)? } else { root.resolve(file)? };
    run_in(&root, &file, index, tools, stop)
}

/// Does the same in a folder, with the array's file as this machine sees it.
pub(super) fn run_in(
    root: &SharedRoot,
    file: &Path,
    index: u32,
    tools: &WorkerTools,
    stop: &StopFlag,
) -> Result<(), ExportError> {
    let read = File::open(file).and_then(|open| ArrayFile::read(open, index));
    let (array, work) = read.map_err(ExportError::file(file, "reading an array of takes"))?;
    let name = file.file_name().and_then(OsStr::to_str).and_then(ArrayId::of);
    let Some((id, None)) = name else {
        let what = io::Error::new(io::ErrorKind::InvalidData, "it is none of an export's");
        return Err(ExportError::file(file, "reading an array of takes")(what));
    };
    let arrays = VisitedFolder::open(&root.resolve(&array.job)?)?.arrays()?;
    let done = match work {
        Some(ArrayWork::Take(take)) => {
            task::run(root, &array.task(&take), tools, stop).map(|take| Said::Done(Box::new(take)))
        }
        Some(ArrayWork::Range { number, most }) => {
            let place = (array.job.as_path(), array.source.as_path());
            let runner = task::open(root, &array.program, place, tools, stop);
            let read = runner.and_then(|runner| {
                let found = runner.read_range(&array.entries, number, most);
                stop.check()?;
                put_range(&arrays, &id.range(index), found)
            });
            read.map(|()| Said::Read).map_err(Cause::here)
        }
        None => Err(Cause::everywhere(RequestError::NoSuchIndex { index, count: array.ends.len() }.into())),
    };
    let (said, result) = match done {
        Ok(said) => (said, Ok(())),
        Err(Cause { error: ExportError::Stopped, .. }) => return Err(ExportError::Stopped),
        Err(cause) if cause.everywhere => (Said::Failed(WorkerError::from(&cause)), Err(cause.error)),
        Err(cause) => (Said::Unable(WorkerError::from(&cause)), Err(cause.error)),
    };
    let report = TaskReport { machine: task::machine(), said };
    let text = serde_json::to_vec(&report).map_err(|error| ExportError::Internal(error.to_string()))?;
    let written = arrays.write_whole(&id.report(index), &text);
    written.map_err(ExportError::file(arrays.path(), "writing what became of a take"))?;
    result
}

/// Writes a range; nothing where it cannot be read, which its export finds out for itself.
fn put_range(arrays: &Folder, name: &str, found: Option<FoundRange>) -> Result<(), ExportError> {
    let Some(found) = found else { return Ok(()) };
    let written = arrays.begin().and_then(|file| {
        range_file::write(&file.file, &found)?;
        file.persist(name)
    });
    written.map_err(ExportError::file(arrays.path(), "writing a range of the film"))
}
