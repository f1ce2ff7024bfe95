//! What a batch system has to do for an export, and how its programs are called.

use super::ArrayId;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The indexes of arrays that wait or run.
pub(crate) type Unfinished = BTreeMap<ArrayId, BTreeMap<u32, Standing>>;

/// How far a batch system is with an index that it has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Runs,
    Waits {
        /// What the batch system says of it, for people.
        words: String,
        /// Whether that does not change by itself, as where all machines are out of service.
        is_stuck: bool,
    },
}

/// A batch system: runs a command with every index of an array, sooner or later, and where it likes. How it
/// is chosen, how often it tries, and what a lost machine means are its own business.
pub(crate) trait ArrayEngine: Send {
    /// How many takes it runs at once, as far as that is known.
    fn at_once(&self) -> u32;

    /// How long it is waited for more takes, so that they are one array.
    fn gather(&self) -> Duration;

    /// How often it may be asked.
    fn pace(&self) -> Duration;

    /// How long what a worker wrote may take to be seen on this machine once it has ended.
    fn grace(&self) -> Duration;

    /// Runs a worker for each index from 0 up to `count`. `file` is the array's file, below the folder that
    /// all machines share.
    fn launch(&mut self, array: &ArrayId, file: &Path, count: u32) -> io::Result<()>;

    /// What of these arrays waits or runs, asked at once, because every question costs a batch system as
    /// much. There may be others in the answer, and an array may be missing that it does not know.
    fn unfinished(&mut self, arrays: &[&ArrayId]) -> io::Result<Unfinished>;

    /// How a worker came to its end, for people, if this is known.
    fn end_of(&mut self, array: &ArrayId, index: u32) -> Option<String>;

    /// Ends all that waits or runs of an array, of this run or an earlier one.
    fn cancel(&mut self, array: &ArrayId);

    /// Takes back what waits of arrays whose work is all done. One that never begins anew what has ended has
    /// nothing to do.
    fn take_back(&mut self, done: &BTreeSet<ArrayId>);
}

/// Runs a program to its end, and gives what it printed.
pub(super) fn output_of(command: &mut Command) -> io::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output();
    let done = done.map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().replace('\n', " | ");
    Err(io::Error::other(format!("{program}: {said}")))
}

/// A word as a shell takes it for itself, whatever is in it.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)] // everything here is a test
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_quoted_words_as_they_are() {
        for word in ["plain", "two words", "it's", "$HOME `x` \\ \" \n*", "-n", ""] {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(format!("printf %s {}", quoted(word)));
            assert_eq!(output_of(&mut shell).unwrap(), word);
        }
    }

    #[test]
    fn a_program_that_fails_is_told_with_its_words() {
        let failed = output_of(Command::new("/bin/sh").args(["-c", "echo no such account >&2; exit 1"]));
        assert_eq!(failed.unwrap_err().to_string(), "/bin/sh: no such account");
        assert!(
            output_of(&mut Command::new("/nonexistent/sbatch")).unwrap_err().to_string().contains("sbatch")
        );
    }
}
