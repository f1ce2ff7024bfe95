//! Job arrays of Slurm, by its own programs: `sbatch`, `squeue` and `scancel`.

use super::ArrayId;
use super::engine::{ArrayEngine, output_of, quoted};
use crate::error::RequestError;
use crate::worker::WorkerProgram;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The jobs of one user on a cluster.
pub(crate) struct Slurm {
    pub program: WorkerProgram,
    /// Options of `sbatch`, in the user's words: account, partition, memory, time.
    pub options: Vec<String>,
    /// The folder that all machines share, which each of them has to see at this place.
    pub root: PathBuf,
    /// The folder of arrays, where workers print to.
    pub arrays: PathBuf,
    /// Takes that may run at once; as many as there is room for if `None`.
    pub at_once: Option<u32>,
}

impl Slurm {
    /// Whether its programs are there.
    pub(crate) fn check() -> Result<(), RequestError> {
        let said = output_of(Command::new("sbatch").arg("--version"));
        said.map(drop).map_err(|error| RequestError::NoBatchSystem { reason: error.to_string() })
    }

    /// The name of an array's job, by which it is found without knowing its number: a run that is killed
    /// between two steps knows none.
    fn job(array: &ArrayId) -> String {
        format!("retake-{array}")
    }

    /// What each worker runs: a line of a shell.
    fn line(&self, file: &Path) -> String {
        let mut words = vec![quoted(&self.program.program.to_string_lossy())];
        words.extend(self.program.arguments.iter().map(|word| quoted(&word.to_string_lossy())));
        words.extend(["--root".into(), quoted(&self.root.to_string_lossy())]);
        words.extend(["--array".into(), quoted(&file.to_string_lossy())]);
        words.extend(["--index".into(), "\"$SLURM_ARRAY_TASK_ID\"".into()]);
        // the shell goes away, so that a signal reaches the worker itself
        format!("exec {}", words.join(" "))
    }
}

impl ArrayEngine for Slurm {
    fn at_once(&self) -> u32 {
        self.at_once.unwrap_or(1)
    }

    fn gather(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn pace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn grace(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn launch(&mut self, array: &ArrayId, file: &Path, count: u32) -> io::Result<()> {
        let limit = self.at_once.map_or(String::new(), |limit| format!("%{limit}"));
        let mut sbatch = Command::new("sbatch");
        sbatch.arg("--parsable").arg(format!("--job-name={}", Self::job(array)));
        sbatch.arg(format!("--array=0-{}{limit}", count - 1));
        sbatch.arg(format!("--output={}", self.arrays.join(array.log("%a")).display()));
        // a lost machine costs a take its time, and a take that is run again comes to the same bytes
        sbatch.args(["--requeue", "--open-mode=truncate"]).args(&self.options);
        sbatch.arg(format!("--wrap={}", self.line(file)));
        output_of(&mut sbatch).map(drop)
    }

    fn unfinished(&mut self, array: &ArrayId) -> io::Result<BTreeSet<u32>> {
        let mut squeue = Command::new("squeue");
        squeue.args(["--noheader", "--array", "--format=%K %r"]).arg(format!("--name={}", Self::job(array)));
        Ok(unfinished(&output_of(&mut squeue)?))
    }

    fn end_of(&mut self, _: &ArrayId, _: u32) -> Option<String> {
        None
    }

    fn cancel(&mut self, array: &ArrayId) {
        // what cannot be cancelled runs to its end, and is of no use
        let _ = output_of(Command::new("scancel").arg(format!("--name={}", Self::job(array))));
    }
}

/// Reads a table of indexes and reasons. What is held is not run until somebody releases it: so does Slurm
/// with a job that it could not start again and again.
fn unfinished(table: &str) -> BTreeSet<u32> {
    let rows = table.lines().filter_map(|row| row.trim().split_once(' '));
    rows.filter(|(_, reason)| !reason.contains("held") && !reason.contains("Held"))
        .filter_map(|(index, _)| index.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_counts_as_lost() {
        let table = "0 None\n 3 Resources\n4 JobHeldAdmin\n5 launch failed requeued held\nN/A None\n\n";
        assert_eq!(unfinished(table), BTreeSet::from([0, 3]));
    }
}
