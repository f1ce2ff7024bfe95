//! Takes in other processes: what runs them there, what is said between the two, and who starts and watches
//! such processes.
//!
//! A worker knows the job from its folder, and a take from its description. It puts what it made into the
//! folder of takes itself, under the name that the description determines, so that nothing but a line of text
//! has to come back, and a take that is made twice is one file.

mod messages;
mod pipe;
pub(crate) mod processes;
mod runner;
mod vitals;

pub use pipe::run_worker;

use std::ffi::OsString;
use std::path::PathBuf;

/// A program that becomes a worker: started with these arguments, the option `--source` with the film, and
/// the job folder, it has to call [`run_worker`], and to end when that returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerProgram {
    /// The program's file.
    pub program: PathBuf,
    /// Arguments before the others.
    pub arguments: Vec<OsString>,
}
