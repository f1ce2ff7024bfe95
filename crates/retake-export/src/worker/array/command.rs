//! Any batch system whose command ends when the work is done: a command for each take, or one for an array.

use super::ArrayId;
use super::engine::{ArrayEngine, Standing, Unfinished, quoted};
use crate::error::RequestError;
use crate::worker::child::{LastWords, told};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a command may take to end after it was asked to.
const DEADLINE: Duration = Duration::from_secs(2);

/// A line of a shell, with what stands in its braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line(String);

impl Line {
    /// # Errors
    /// [`RequestError::ArrayCommand`] for a line that does not say where the take, or the number of takes, is
    /// to stand.
    pub(crate) fn new(line: &str) -> Result<Self, RequestError> {
        let line = Self(line.to_owned());
        if line.0.contains("{file}") && (line.is_for_one() || line.is_for_all()) {
            return Ok(line);
        }
        Err(RequestError::ArrayCommand { command: line.0 })
    }

    /// Whether it is run for each take.
    fn is_for_one(&self) -> bool {
        self.0.contains("{index}")
    }

    /// Whether it is run for each array.
    fn is_for_all(&self) -> bool {
        !self.is_for_one() && (self.0.contains("{count}") || self.0.contains("{last}"))
    }

    fn fill(&self, file: &Path, index: u32, count: u32) -> String {
        let line = self.0.replace("{index}", &index.to_string()).replace("{count}", &count.to_string());
        let line = line.replace("{last}", &(count - 1).to_string());
        line.replace("{file}", &quoted(&file.to_string_lossy()))
    }
}

/// Commands of this machine, so many at once. They end with the value.
pub(crate) struct Commands {
    line: Line,
    at_once: u32,
    waiting: VecDeque<Errand>,
    running: Vec<Running>,
    /// How those came to their ends that have ended.
    ends: BTreeMap<(ArrayId, u32), String>,
}

/// A line to run, for some indexes of an array.
struct Errand {
    array: ArrayId,
    indexes: std::ops::Range<u32>,
    line: String,
}

struct Running {
    errand: Errand,
    child: Child,
    words: LastWords,
    listeners: Vec<JoinHandle<()>>,
}

impl Commands {
    pub(crate) fn new(line: Line, at_once: u32) -> Self {
        let (waiting, running, ends) = (VecDeque::new(), Vec::new(), BTreeMap::new());
        Self { line, at_once: at_once.max(1), waiting, running, ends }
    }

    /// Notes what has ended, and starts what waits.
    fn go_on(&mut self) -> io::Result<()> {
        let mut still = Vec::new();
        for mut running in self.running.drain(..) {
            match running.child.try_wait() {
                Ok(None) => still.push(running),
                Ok(Some(status)) => {
                    let how = running.words(&told(status));
                    let Errand { array, indexes, .. } = running.errand;
                    self.ends.extend(indexes.map(|index| ((array.clone(), index), how.clone())));
                }
                Err(error) => return Err(error),
            }
        }
        self.running = still;
        while self.running.len() < self.at_once as usize
            && let Some(errand) = self.waiting.pop_front()
        {
            self.running.push(Running::start(errand)?);
        }
        Ok(())
    }
}

impl Running {
    fn start(errand: Errand) -> io::Result<Self> {
        #[cfg(windows)]
        let mut command = {
            let mut shell = Command::new("cmd");
            shell.arg("/C");
            shell
        };
        #[cfg(not(windows))]
        let mut command = {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c");
            shell
        };
        command.arg(&errand.line).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // a key that interrupts the export must not reach its commands, because the export ends them
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let words = LastWords::default();
        let mut listeners = Vec::new();
        let said: [Option<Box<dyn io::Read + Send>>; 2] = [
            child.stdout.take().map(|said| Box::new(said) as _),
            child.stderr.take().map(|said| Box::new(said) as _),
        ];
        for said in said.into_iter().flatten() {
            let words = words.clone();
            let listener = thread::Builder::new().name("command's output".into());
            listeners.push(listener.spawn(move || words.keep(said))?);
        }
        Ok(Self { errand, child, words, listeners })
    }

    /// How it ended. What it left behind may still hold its output open, and is not waited for.
    fn words(&mut self, how: &str) -> String {
        let began = Instant::now();
        while self.listeners.iter().any(|listener| !listener.is_finished()) && began.elapsed() < DEADLINE / 4
        {
            thread::sleep(Duration::from_millis(5));
        }
        self.words.told(how)
    }

    /// Asks it, and all that it started, to end.
    fn ask_to_end(&mut self) {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::TERM);
        #[cfg(not(unix))]
        let _ = self.child.kill();
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }

    /// Waits until it has ended, and ends it if it does not.
    fn wait(mut self, deadline: Instant) {
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                #[cfg(unix)]
                self.signal(rustix::process::Signal::KILL);
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl ArrayEngine for Commands {
    fn at_once(&self) -> u32 {
        self.at_once
    }

    fn gather(&self) -> Duration {
        if self.line.is_for_one() { Duration::ZERO } else { Duration::from_secs(1) }
    }

    fn pace(&self) -> Duration {
        Duration::from_millis(50)
    }

    /// The work of a command may have been done on another machine.
    fn grace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn launch(&mut self, array: &ArrayId, file: &Path, count: u32) -> io::Result<()> {
        let step = if self.line.is_for_one() { 1 } else { count.max(1) };
        for start in (0..count).step_by(step as usize) {
            let indexes = start..(start + step).min(count);
            let line = self.line.fill(file, start, count);
            self.waiting.push_back(Errand { array: array.clone(), indexes, line });
        }
        self.go_on()
    }

    fn unfinished(&mut self, _: &[&ArrayId]) -> io::Result<Unfinished> {
        self.go_on()?;
        let mut unfinished = Unfinished::new();
        for errand in self.waiting.iter().chain(self.running.iter().map(|running| &running.errand)) {
            // what waits here waits for commands that run
            let indexes = errand.indexes.clone().map(|index| (index, Standing::Runs));
            match unfinished.get_mut(&errand.array) {
                Some(known) => known.extend(indexes),
                None => drop(unfinished.insert(errand.array.clone(), indexes.collect())),
            }
        }
        Ok(unfinished)
    }

    fn end_of(&mut self, array: &ArrayId, index: u32) -> Option<String> {
        self.ends.remove(&(array.clone(), index))
    }

    fn cancel(&mut self, array: &ArrayId) {
        self.waiting.retain(|errand| errand.array != *array);
        let (mut ending, still) =
            self.running.drain(..).partition::<Vec<_>, _>(|running| running.errand.array == *array);
        self.running = still;
        ending.iter_mut().for_each(Running::ask_to_end);
        let deadline = Instant::now() + DEADLINE;
        ending.into_iter().for_each(|running| running.wait(deadline));
    }

    /// A command that has ended does not begin anew.
    fn take_back(&mut self, _: &BTreeSet<ArrayId>) {}
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.running.iter_mut().for_each(Running::ask_to_end);
        let deadline = Instant::now() + DEADLINE;
        self.running.drain(..).for_each(|running| running.wait(deadline));
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)] // everything here is a test
mod tests {
    use super::*;

    fn run_all(line: &str, at_once: u32, count: u32) -> (ArrayId, Commands) {
        let mut commands = Commands::new(Line::new(line).unwrap(), at_once);
        let array = ArrayId::new();
        commands.launch(&array, Path::new("a file.json"), count).unwrap();
        while !commands.unfinished(&[&array]).unwrap().is_empty() {
            assert!(commands.running.len() <= at_once as usize);
            thread::sleep(Duration::from_millis(5));
        }
        (array, commands)
    }

    /// A command for each take, never more at once than allowed, or one for all of them.
    #[test]
    fn a_command_is_run_for_each_take_or_for_all() {
        let (array, mut commands) = run_all("printf '%s of %s,' {index} {file}; exit {index}", 2, 4);
        for index in 0..4 {
            let end = commands.end_of(&array, index).unwrap();
            assert!(
                end.contains(&format!("exit code {index}"))
                    && end.contains(&format!("{index} of a file.json,"))
            );
        }
        let (array, mut commands) = run_all("echo {file} {count} {last}", 3, 5);
        assert!((0..5).all(|index| commands.end_of(&array, index).unwrap().ends_with("a file.json 5 4")));
    }

    /// What waits is forgotten, what runs is ended with all that it started.
    #[test]
    fn commands_end_when_they_are_cancelled() {
        let mut commands =
            Commands::new(Line::new("trap '' TERM; sleep 600 & wait; : {index} {file}").unwrap(), 2);
        let array = ArrayId::new();
        commands.launch(&array, Path::new("file"), 5).unwrap();
        let groups: Vec<u32> = commands.running.iter().map(|running| running.child.id()).collect();
        assert_eq!(groups.len(), 2);
        commands.cancel(&array);
        assert!(commands.unfinished(&[&array]).unwrap().is_empty());
        for group in groups {
            let group = rustix::process::Pid::from_raw(group as i32).unwrap();
            // killed processes go when whoever adopted them notices
            let began = Instant::now();
            while rustix::process::test_kill_process_group(group).is_ok() {
                assert!(began.elapsed() < Duration::from_secs(20), "something is left");
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    #[test]
    fn a_line_says_where_its_take_stands() {
        for wrong in ["retake worker", "run {index}", "run {file}", ""] {
            assert!(matches!(Line::new(wrong), Err(RequestError::ArrayCommand { .. })), "{wrong}");
        }
    }
}
