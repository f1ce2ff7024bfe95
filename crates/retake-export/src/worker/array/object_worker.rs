//! A worker of arrays whose job lies in an object store.

use super::index_worker::run_in;
use super::{ArrayFile, ArrayId, ArrayWork};
use crate::error::{ExportError, RequestError};
use crate::job::folder::ARRAYS;
use crate::job::objects::JobObjects;
use crate::objects::Existing;
use crate::stop::StopFlag;
use crate::take::store;
use crate::worker::WorkerTools;
use crate::worker::job_copy::JobCopy;
use crate::worker::root::SharedRoot;
use std::path::{Path, PathBuf};

/// Runs the work of an index. See [`run_array_worker`](super::run_array_worker).
pub(super) fn run(
    address: &str,
    file: &Path,
    index: u32,
    tools: &WorkerTools,
    stop: &StopFlag,
) -> Result<(), ExportError> {
    let store = tools.store(Path::new(address))?;
    let (job, array) = place(address, file)?;
    let copy = JobCopy::begin(JobObjects::at(store, address, &job, stop))?;
    fetch(&copy, &array, index)?;
    let root = SharedRoot::open(copy.root())?;
    let file = copy.folder().arrays()?.path().join(array.file());
    let done = run_in(&root, &file, index, tools, stop);
    stop.check()?;
    put(&copy, &array, index)?;
    done
}

/// Copies what the work needs.
fn fetch(copy: &JobCopy, array: &ArrayId, index: u32) -> Result<(), ExportError> {
    let (arrays, name) = (copy.folder().arrays()?, array.file());
    let object = format!("{ARRAYS}/{name}");
    copy.fetch(&object, &arrays, &name)?;
    copy.fetch_description()?;
    let read = arrays.read(&name).and_then(|file| ArrayFile::read(file, index));
    let (head, work) = read.map_err(|error| copy.told(&object, "reading an array of takes", error))?;
    if let Some(index) = &head.index {
        copy.fetch_index(index)?;
    }
    if let Some(ArrayWork::Take(take)) = &work {
        copy.fetch_take(&store::name_of(take))?;
    }
    Ok(())
}

/// Puts into the store what was made, and what is said of it last.
fn put(copy: &JobCopy, array: &ArrayId, index: u32) -> Result<(), ExportError> {
    let mut put = copy.put_takes()?;
    let arrays = copy.folder().arrays()?;
    for name in [array.range(index), array.report(index)] {
        if arrays.read(&name).is_err() {
            continue;
        }
        let object = format!("{ARRAYS}/{name}");
        let done = copy.objects().put_file(&object, &arrays, &name, Existing::Replace);
        done.map_err(|error| copy.told(&object, "telling what became of a take", error))?;
        put.push(object);
    }
    copy.take_back_late(&put)
}

/// The names of the job and of the array that a file stands for, which is told by its address or by its path
/// below that of the place that all machines share.
fn place(address: &str, file: &Path) -> Result<(String, ArrayId), ExportError> {
    let root = address.trim_end_matches('/');
    let text = file.to_str().unwrap_or_default();
    let text = text.strip_prefix(root).map_or(text, |below| below.trim_start_matches('/'));
    let parts: Vec<&str> = text.split('/').collect();
    match parts[..] {
        [job, ARRAYS, name] if JobObjects::is_name(job) => match ArrayId::of(name) {
            Some((array, None)) if array.file() == name => Some((job.to_owned(), array)),
            _ => None,
        },
        _ => None,
    }
    .ok_or_else(|| {
        RequestError::OutsideSharedRoot { path: file.to_owned(), root: PathBuf::from(root) }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::array::ArrayNames;

    /// Nothing that is no array of a job leads anywhere.
    #[test]
    fn a_worker_is_told_of_an_array_of_a_job() {
        let array = ArrayNames::new().next();
        let job = "retake-0123456789abcdef0123456789abcdef";
        for told in
            [format!("{job}/arrays/{array}.json"), format!("s3://films/jobs/{job}/arrays/{array}.json")]
        {
            let found = place("s3://films/jobs/", Path::new(&told)).unwrap();
            assert_eq!(found, (job.to_owned(), array.clone()), "{told}");
        }
        for told in [
            format!("{job}/arrays/{array}-1.json"),
            format!("{job}/arrays/{array}.log"),
            format!("{job}/takes/{array}.json"),
            format!("../{job}/arrays/{array}.json"),
            format!("{job}/arrays/../arrays/{array}.json"),
            format!("/{job}/arrays/{array}.json"),
            format!("s3://other/{job}/arrays/{array}.json"),
            format!("holiday/arrays/{array}.json"),
        ] {
            let refused = place("s3://films/jobs", Path::new(&told));
            let outside =
                matches!(refused, Err(ExportError::Request(RequestError::OutsideSharedRoot { .. })));
            assert!(outside, "{told}");
        }
    }
}
