//! Takes as job arrays: the same command for every take, told by an index which one is its. That is the form
//! in which batch systems (Slurm, HyperQueue, AWS Batch, indexed jobs of Kubernetes) run many things at once.
//!
//! All that is said lies in a folder of the job: the takes of an array in one file, and what a worker says of
//! a take in a file beside it. The takes themselves go into the store, as with every worker. Nothing depends
//! on the machine that a worker runs on, and a worker that runs twice says the same twice.

#[cfg(test)]
pub(crate) mod careless;
pub(crate) mod command;
pub(crate) mod engine;
pub(crate) mod executor;
mod file;
mod index_worker;
mod object_worker;
pub(crate) mod objects;
pub(crate) mod slurm;
mod watch;

pub(crate) use file::ArrayFile;
pub use index_worker::run_array_worker;

use crate::take::finished::FinishedTake;
use crate::worker::messages::WorkerError;
use retake_compression::take::TakeDescription;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a worker of an array is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArrayWork {
    /// To run a take.
    Take(Box<TakeDescription>),
    /// To read the range of the film that begins at this entry point, of at most so many frames.
    Range { number: usize, most: usize },
}

/// What a worker says of its take.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TaskReport {
    /// The machine that it ran on.
    pub machine: String,
    pub said: Said,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// The take is in the store.
    Done(Box<FinishedTake>),
    /// The range is in a file beside this one.
    Read,
    /// It cannot be run, anywhere.
    Failed(WorkerError),
    /// This machine cannot run it. Another one may.
    Unable(WorkerError),
}

/// An array, by which it is found among others: of this run, of an earlier one, of other jobs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ArrayId(String);

/// Names the arrays of a run: all begin alike, and are in the order in which they were made.
#[derive(Debug)]
struct ArrayNames {
    run: u64,
    next: u32,
}

impl ArrayNames {
    fn new() -> Self {
        let run = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
        Self { run: run >> 20, next: 0 }
    }

    fn next(&mut self) -> ArrayId {
        let name = format!("{:011x}{:05x}", self.run, self.next & 0xf_ffff);
        self.next += 1;
        ArrayId(name)
    }
}

impl ArrayId {
    /// The array with a name of its own.
    #[cfg(test)]
    fn new() -> Self {
        ArrayNames::new().next()
    }

    /// The file of its takes.
    pub(crate) fn file(&self) -> String {
        format!("{}.json", self.0)
    }

    /// The file of what is said of one take.
    pub(crate) fn report(&self, index: u32) -> String {
        format!("{}-{index}.json", self.0)
    }

    /// The file of a range.
    pub(crate) fn range(&self, index: u32) -> String {
        format!("{}-{index}.range", self.0)
    }

    /// The file of what a worker printed.
    pub(crate) fn log(&self, index: impl fmt::Display) -> String {
        format!("{}-{index}.log", self.0)
    }

    /// The array that a file of this name belongs to, and the index, if it is of one.
    pub(crate) fn of(name: &str) -> Option<(Self, Option<u32>)> {
        let stem = [".json", ".log", ".range"].iter().find_map(|ending| name.strip_suffix(ending))?;
        let (id, index) = match stem.split_once('-') {
            Some((id, index)) => (id, Some(index.parse().ok()?)),
            None => (stem, None),
        };
        Some((Self::named(id)?, index))
    }

    /// The array that is called so.
    fn named(id: &str) -> Option<Self> {
        let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self(id.to_owned()))
    }
}

impl fmt::Display for ArrayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a file of this name belongs to an array, or was not finished.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(crate::own_folder::UNFINISHED) || ArrayId::of(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_they_belong_to() {
        let id = ArrayId::new();
        assert_eq!(ArrayId::of(&id.file()), Some((id.clone(), None)));
        assert_eq!(ArrayId::of(&id.report(7)), Some((id.clone(), Some(7))));
        assert_eq!(ArrayId::of(&id.log(0)), Some((id.clone(), Some(0))));
        assert_eq!(ArrayId::of(&id.range(3)), Some((id.clone(), Some(3))));
        assert_ne!(id, ArrayId::new());
        for foreign in ["holiday.json", "0123456789abcdef", "0123456789abcdef-x.json", "-1.json"] {
            assert!(!is_name(foreign), "{foreign}");
        }
    }
}
