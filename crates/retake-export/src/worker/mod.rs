//! Takes in other processes, of this machine or of others: what runs them there, what is said between the
//! two, and who starts and watches such processes.
//!
//! A worker knows the job from its folder, and a take from its description. It puts what it made into the
//! folder of takes itself, under the name that the description determines, so that nothing but a line of text
//! has to come back, and a take that is made twice is one file.

pub(crate) mod array;
mod child;
mod job_copy;
pub(crate) mod messages;
mod pipe;
pub(crate) mod processes;
pub(crate) mod root;
mod runner;
pub(crate) mod steps;
pub(crate) mod stopping;
pub(crate) mod task;
mod vitals;

pub use array::run_array_worker;
pub(crate) use job_copy::Scratch;
pub use pipe::run_worker;
pub use root::SharedRoot;
pub use steps::Step;
pub use task::{TakeDone, TakeFailure, TakeTask, run_take};

use crate::error::{ExportError, RequestError};
use crate::job::objects::without_store;
use crate::objects::ObjectStore;
use array::command::Line;
use array::slurm::Slurm;
use retake_compression::encoder::Registry;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the takes of an export run. The bytes of the film are the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RunOn {
    /// Threads of this process.
    #[default]
    Threads,
    /// Processes of their own, as many as there would be threads. A crash of an encoder's library then costs
    /// one take, which is tried twice more before the export fails with the signal and the last words of the
    /// process; so does a process that takes more than its share of the memory budget, or makes no progress.
    /// Each process decodes what it encodes, which costs some CPU.
    Processes(WorkerProgram),
    /// Job arrays of Slurm. Its programs have to be here, and all machines have to see the job folder, the
    /// source and the worker at the same places, the worker alone where
    /// [`shared_root`](crate::ExportBuilder::shared_root) is an address in an object store.
    Slurm {
        /// What runs on each machine, with `--root`, `--array` and `--index` behind its arguments: it has to
        /// call [`run_array_worker`] with their values.
        worker: WorkerProgram,
        /// Options of `sbatch`: account, partition, memory, time.
        options: Vec<String>,
    },
    /// A command that is run by a shell of this machine for each take, or for an array of takes, and ends
    /// when that is done. `{file}` in it becomes the array's file, below the folder that all machines share,
    /// and `{index}` the take's number in it; `{count}` or `{last}`, without `{index}`, the number of takes
    /// or the last index, for a command that runs an array by itself. What it has to do with both is to call
    /// [`run_array_worker`].
    Array {
        /// The command.
        command: String,
    },
    /// Wherever those run them who ask for the steps of the export with
    /// [`ExportBuilder::step`](crate::ExportBuilder::step), which sets this.
    /// [`Export::run`](crate::Export::run) refuses it.
    Steps,
}

impl RunOn {
    /// Refuses what cannot work, before anything is begun.
    pub(crate) fn check(&self) -> Result<(), RequestError> {
        match self {
            Self::Slurm { .. } => Slurm::check(),
            Self::Array { command } => Line::new(command).map(drop),
            Self::Threads | Self::Processes(_) | Self::Steps => Ok(()),
        }
    }

    /// Whether takes run on machines whose memory is not this one's.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Slurm { .. } | Self::Array { .. } | Self::Steps)
    }
}

/// A program that becomes a worker: started with these arguments, the option `--source` with the film, and
/// the job folder, it has to call [`run_worker`], and to end when that returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerProgram {
    /// The program's file.
    pub program: PathBuf,
    /// Arguments before the others.
    pub arguments: Vec<OsString>,
}

/// What a worker brings along.
#[derive(Clone, Default)]
pub struct WorkerTools {
    /// The encoders that it has. A job names its own, which it runs takes with if it has that version.
    pub encoders: Registry,
    /// What opens a source, and a job, that are objects of a store; without it, these are refused.
    pub objects: Option<Arc<dyn ObjectStore>>,
}

impl WorkerTools {
    /// The store in which a place lies that is an address.
    ///
    /// # Errors
    /// [`RequestError::SharedRootRefused`] where there is none.
    pub fn store(&self, root: &Path) -> Result<Arc<dyn ObjectStore>, ExportError> {
        self.objects.clone().ok_or_else(|| without_store(root))
    }
}
