//! Job arrays of Slurm, by its own programs: `sbatch`, `squeue` and `scancel`.

use super::ArrayId;
use super::engine::{ArrayEngine, Standing, Unfinished, output_of, quoted};
use crate::error::RequestError;
use crate::worker::WorkerProgram;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How the names of its jobs begin.
const PREFIX: &str = "retake-";
/// The most names that are asked after at once, because the words of a command have an end.
const MOST_NAMES: usize = 1000;

/// How long takes are gathered, how often Slurm is asked, and how long what a worker wrote may be on its way.
/// A simulated batch system keeps to the same times.
pub(crate) const GATHER: Duration = Duration::from_secs(1);
pub(crate) const PACE: Duration = Duration::from_secs(1);
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// The jobs of one user on a cluster.
pub(crate) struct Slurm {
    pub program: WorkerProgram,
    /// Options of `sbatch`, in the user's words: account, partition, memory, time.
    pub options: Vec<String>,
    /// The folder that all machines share, which each of them has to see at this place, or the address in an
    /// object store.
    pub root: PathBuf,
    /// The folder of arrays, where workers print to; what they print is dropped if `None`.
    pub logs: Option<PathBuf>,
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
        format!("{PREFIX}{array}")
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
        GATHER
    }

    fn pace(&self) -> Duration {
        PACE
    }

    fn grace(&self) -> Duration {
        GRACE
    }

    fn launch(&mut self, array: &ArrayId, file: &Path, count: u32) -> io::Result<()> {
        let limit = self.at_once.map_or(String::new(), |limit| format!("%{limit}"));
        let mut sbatch = Command::new("sbatch");
        sbatch.arg("--parsable").arg(format!("--job-name={}", Self::job(array)));
        sbatch.arg(format!("--array=0-{}{limit}", count - 1));
        let log = self.logs.as_ref().map_or("/dev/null".into(), |logs| logs.join(array.log("%a")));
        sbatch.arg(format!("--output={}", log.display()));
        // a lost machine costs a take its time, and a take that is run again comes to the same bytes
        sbatch.args(["--requeue", "--open-mode=truncate"]).args(&self.options);
        sbatch.arg(format!("--wrap={}", self.line(file)));
        output_of(&mut sbatch).map(drop)
    }

    fn unfinished(&mut self, arrays: &[&ArrayId]) -> io::Result<Unfinished> {
        let mut all = Unfinished::new();
        for arrays in arrays.chunks(MOST_NAMES) {
            let names: Vec<String> = arrays.iter().map(|array| Self::job(array)).collect();
            let mut squeue = Command::new("squeue");
            squeue.args(["--noheader", "--array", "--format=%j %K %F %T %r"]);
            squeue.arg(format!("--name={}", names.join(",")));
            all.append(&mut unfinished(&output_of(&mut squeue)?));
        }
        Ok(all)
    }

    fn end_of(&mut self, _: &ArrayId, _: u32) -> Option<String> {
        None
    }

    fn cancel(&mut self, array: &ArrayId) {
        // what cannot be cancelled runs to its end, and is of no use
        let _ = output_of(Command::new("scancel").arg(format!("--name={}", Self::job(array))));
    }

    /// A server that was killed before it had written down what ended runs it again, or holds it.
    fn take_back(&mut self, done: &BTreeSet<ArrayId>) {
        let names: Vec<String> = done.iter().map(Self::job).collect();
        for names in names.chunks(MOST_NAMES) {
            let mut squeue = Command::new("squeue");
            squeue.args(["--noheader", "--states=PENDING", "--format=%j"]);
            let waiting = output_of(squeue.arg(format!("--name={}", names.join(","))));
            // what cannot be asked after now runs to its end, and is of no use
            let waiting = waiting.unwrap_or_default();
            for name in waiting.lines().map(str::trim).collect::<BTreeSet<_>>() {
                if names.iter().any(|own| own == name) {
                    let mut scancel = Command::new("scancel");
                    let _ = output_of(scancel.args(["--state=PENDING", &format!("--name={name}")]));
                }
            }
        }
    }
}

/// The states of jobs that are at work.
const RUNNING: [&str; 4] = ["RUNNING", "RESIZING", "SIGNALING", "STAGE_OUT"];
/// Parts of reasons, in small letters, for which a job waits until somebody does something about it: nodes
/// that are out of service, and demands that no node or account meets.
const STUCK: [&str; 9] = [
    "down",
    "drain",
    "notavail",
    "inactive",
    "badconstraints",
    "invalid",
    "notallowed",
    "partitiontimelimit",
    "partitionnodelimit",
];

/// Reads a table of names, indexes, numbers, states and reasons. What is held is not run until somebody
/// releases it: so does Slurm with a job that it could not start again and again.
fn unfinished(table: &str) -> Unfinished {
    let mut all = Unfinished::new();
    for row in table.lines() {
        let mut words = row.trim().splitn(5, ' ');
        let array = words.next().and_then(|name| name.strip_prefix(PREFIX)).and_then(ArrayId::named);
        let index = words.next().and_then(|index| index.parse().ok());
        let (job, state) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let reason = words.next().unwrap_or_default();
        if let (Some(array), Some(index), false) = (array, index, reason.to_lowercase().contains("held")) {
            all.entry(array).or_default().insert(index, standing(job, index, state, reason));
        }
    }
    all
}

fn standing(job: &str, index: u32, state: &str, reason: &str) -> Standing {
    if RUNNING.contains(&state) {
        return Standing::Runs;
    }
    let small = reason.to_lowercase();
    // a job that is being completed has ended, or was taken from a node that does not answer
    let is_stuck = state == "COMPLETING" || STUCK.iter().any(|part| small.contains(part));
    Standing::Waits { words: format!("job {job}_{index}: {state} ({reason})"), is_stuck }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_counts_as_lost() {
        let (one, two) = (ArrayId::new(), ArrayId::new());
        let rows = [
            "0 17 RUNNING None",
            "3 17 PENDING Resources",
            "4 17 PENDING JobHeldAdmin",
            "5 17 PENDING launch failed requeued held",
            "N/A 17 RUNNING None",
        ];
        let mut table: String = rows.iter().map(|row| format!("retake-{one} {row}\n")).collect();
        table +=
            &format!(" retake-{two} 7 18 RUNNING None\nretake-holiday 1 19 RUNNING None\n\nretake-{two}\n");
        let waits = Standing::Waits { words: "job 17_3: PENDING (Resources)".into(), is_stuck: false };
        let wanted = [(one, [(0, Standing::Runs), (3, waits)].into()), (two, [(7, Standing::Runs)].into())];
        assert_eq!(unfinished(&table), Unfinished::from(wanted));
    }

    /// The reasons are those of Slurm's manual, as `squeue` prints them.
    #[test]
    fn what_waits_for_somebody_is_told_from_what_waits_its_turn() {
        for (state, reason, wanted) in [
            ("PENDING", "None", false),
            ("PENDING", "Priority", false),
            ("PENDING", "Resources", false),
            ("PENDING", "JobArrayTaskLimit", false),
            ("PENDING", "AssocGrpCpuLimit", false),
            ("PENDING", "QOSMaxJobsPerUserLimit", false),
            ("PENDING", "BeginTime", false),
            ("CONFIGURING", "None", false),
            ("SUSPENDED", "None", false),
            (
                "PENDING",
                "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
                true,
            ),
            ("PENDING", "ReqNodeNotAvail, UnavailableNodes:n[1-2]", true),
            ("PENDING", "PartitionDown", true),
            ("PENDING", "PartitionInactive", true),
            ("PENDING", "PartitionTimeLimit", true),
            ("PENDING", "BadConstraints", true),
            ("PENDING", "InvalidAccount", true),
            ("COMPLETING", "None", true),
        ] {
            let found = standing("17", 3, state, reason);
            let words = format!("job 17_3: {state} ({reason})");
            assert_eq!(found, Standing::Waits { words, is_stuck: wanted }, "{state} {reason}");
        }
    }
}
