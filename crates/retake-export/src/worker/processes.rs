//! Runs takes in processes of this machine: what crashes, hangs or takes too much memory is one take's
//! process, and not the export.

use super::WorkerProgram;
use super::child::{LastWords, told};
use super::messages::{FromWorker, ToWorker};
use super::vitals::vitals;
use crate::error::ExportError;
use crate::take::executor::{
    Capabilities, Executor, Refused, TakeOutcome, TakePlace, TakeReport, TakeRequest,
};
use crate::take::queue::{TakeQueue, WaitingTake, Work};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use retake_compression::take::TakeDescription;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a process is looked at.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a process may take to end once its input has ended.
const DEADLINE: Duration = Duration::from_secs(1);

/// Where the processes of an executor work, and what they may take.
#[derive(Debug, Clone)]
pub(crate) struct Workplace {
    pub program: WorkerProgram,
    pub job_folder: PathBuf,
    pub source: PathBuf,
    /// The encoder of the job, with its version.
    pub encoder: String,
    pub limits: Limits,
}

/// When a process is ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// It has more bytes in memory.
    pub memory: u64,
    /// It says nothing for so long, and uses no processor.
    pub idle: Duration,
    /// It says nothing for so long.
    pub silent: Duration,
}

impl Limits {
    /// Those of an export, with so much memory for each process. The slowest encoders take seconds for a
    /// frame of 4K, and a flush codes all frames that the encoder holds without a word.
    pub(crate) fn of(memory: u64) -> Self {
        Self { memory, idle: Duration::from_secs(60), silent: Duration::from_secs(1800) }
    }
}

/// Processes that run takes. When the value is dropped, what runs is given up, and no process is left.
pub(crate) struct ProcessExecutor {
    shared: Arc<Shared>,
    reports: Receiver<TakeReport>,
    keepers: Vec<JoinHandle<()>>,
}

struct Shared {
    place: Workplace,
    queue: TakeQueue,
    cancelled: AtomicBool,
    /// Milliseconds that processes have spent on processors, up to the last outcome of each.
    busy: AtomicU64,
}

impl ProcessExecutor {
    /// Gets ready to run so many takes at once. A process is started with its first take.
    pub(crate) fn start(jobs: u32, place: Workplace) -> Result<Self, ExportError> {
        let (sender, reports) = unbounded();
        let shared = Shared {
            place,
            queue: TakeQueue::default(),
            cancelled: AtomicBool::new(false),
            busy: AtomicU64::new(0),
        };
        let mut executor = Self { shared: Arc::new(shared), reports, keepers: Vec::new() };
        for number in 0..jobs.max(1) {
            let (shared, sender) = (executor.shared.clone(), sender.clone());
            let spawned = thread::Builder::new()
                .name(format!("keeper-{number}"))
                .spawn(move || shared.keep(&sender))
                .map_err(|error| ExportError::Internal(format!("no thread could be started: {error}")))?;
            executor.keepers.push(spawned);
        }
        Ok(executor)
    }

    /// The CPU seconds that the processes have spent, up to the last outcome of each; 0 where the system does
    /// not tell.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.shared.busy.load(Ordering::Relaxed) as f64 / 1000.0
    }
}

impl Executor for ProcessExecutor {
    fn capabilities(&self) -> Capabilities {
        let encoders = vec![self.shared.place.encoder.clone()];
        Capabilities { at_once: self.keepers.len() as u32, encoders }
    }

    /// Never full, as with threads.
    fn submit(&self, take: TakeRequest) -> Result<(), Refused> {
        if self.shared.is_cancelled() {
            return Err(Refused::Cancelled);
        }
        let TakeRequest { ticket, description } = take;
        self.shared.queue.push(WaitingTake { ticket, work: Work::Described(description) });
        Ok(())
    }

    fn next_report(&self, patience: Duration) -> Option<TakeReport> {
        self.reports.recv_timeout(patience).ok()
    }

    fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Release);
    }
}

impl Drop for ProcessExecutor {
    fn drop(&mut self) {
        self.cancel();
        self.shared.queue.close();
        for keeper in self.keepers.drain(..) {
            // it owns nothing that a panic could leave behind: a process ends when its input does
            let _ = keeper.join();
        }
    }
}

impl Shared {
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Runs takes in one process after another, each as long as it is sound.
    fn keep(&self, reports: &Sender<TakeReport>) {
        let mut process = None;
        while let Some(WaitingTake { ticket, work }) = self.queue.next() {
            let outcome = match work {
                _ if self.is_cancelled() => TakeOutcome::Cancelled,
                Work::Described(description) => {
                    let _ = reports.send(TakeReport::Began(ticket));
                    self.run(&mut process, description, reports)
                }
                // frames in the memory of this process are of no use to another one
                Work::Scouted(..) => TakeOutcome::Lost("its frames cannot be handed on".into()),
            };
            // nobody listens to an executor that is being dropped
            let _ = reports.send(TakeReport::Outcome(ticket, outcome));
        }
    }

    /// Counts the CPU time that a process has spent since the last time.
    fn count(&self, process: &mut WorkerProcess) {
        if let Some(found) = vitals(process.child.id()) {
            let more = found.busy.saturating_sub(process.counted);
            self.busy.fetch_add(u64::try_from(more.as_millis()).unwrap_or(0), Ordering::Relaxed);
            process.counted = found.busy;
        }
    }

    fn run(
        &self,
        kept: &mut Option<WorkerProcess>,
        description: TakeDescription,
        reports: &Sender<TakeReport>,
    ) -> TakeOutcome {
        let mut process = match kept.take() {
            Some(process) => process,
            None => match WorkerProcess::start(&self.place) {
                Ok(process) => process,
                Err(error) => {
                    let program = self.place.program.program.clone();
                    return TakeOutcome::Failed(ExportError::file(program, "starting a worker")(error));
                }
            },
        };
        if process.tell(&ToWorker::Run(description)).is_err() {
            return TakeOutcome::Lost(process.end(None));
        }
        let mut watch = Watch::begin(self.place.limits);
        loop {
            match process.heard.recv_timeout(PATIENCE) {
                Ok(FromWorker::Ready { encoder }) if encoder == self.place.encoder => watch.heard(),
                Ok(FromWorker::Ready { encoder }) => {
                    let what = format!("a worker has {encoder}, and the job needs {}", self.place.encoder);
                    return TakeOutcome::Failed(ExportError::Internal(what));
                }
                Ok(FromWorker::Encoded(frames)) => {
                    watch.heard();
                    let _ = reports.send(TakeReport::Encoded(frames));
                }
                Ok(FromWorker::Done(take)) => {
                    self.count(&mut process);
                    *kept = Some(process);
                    return TakeOutcome::Done { take, place: TakePlace::Stored };
                }
                Ok(FromWorker::Failed(error)) => {
                    self.count(&mut process);
                    *kept = Some(process);
                    return TakeOutcome::Failed(error.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return TakeOutcome::Lost(process.end(None)),
            }
            if self.is_cancelled() {
                return TakeOutcome::Cancelled;
            }
            if let Some(reason) = watch.look(process.child.id()) {
                return TakeOutcome::Lost(process.end(Some(reason)));
            }
        }
    }
}

/// Looks whether a process gets on.
struct Watch {
    limits: Limits,
    spoke: Instant,
    /// When it was last seen at work, and the time on processors that it had spent then.
    worked: (Instant, Duration),
}

impl Watch {
    fn begin(limits: Limits) -> Self {
        Self { limits, spoke: Instant::now(), worked: (Instant::now(), Duration::ZERO) }
    }

    fn heard(&mut self) {
        self.spoke = Instant::now();
    }

    /// Why the process has to be ended, if so.
    fn look(&mut self, process: u32) -> Option<String> {
        let Limits { memory, idle, silent } = self.limits;
        let seconds = |limit: Duration| limit.as_secs_f64();
        if self.spoke.elapsed() > silent {
            return Some(format!("it made no progress for {:.0} s", seconds(silent)));
        }
        let found = vitals(process)?;
        if found.memory > memory {
            let (found, memory) = (found.memory >> 20, memory >> 20);
            return Some(format!("it took {found} MB of memory, and {memory} are its share"));
        }
        if found.busy != self.worked.1 {
            self.worked = (Instant::now(), found.busy);
        }
        let since = self.worked.0.max(self.spoke);
        (since.elapsed() > idle).then(|| format!("it did nothing for {:.0} s", seconds(idle)))
    }
}

/// A worker in a process of its own. It ends with the value.
struct WorkerProcess {
    child: Child,
    /// `None` once no more is to be said.
    input: Option<ChildStdin>,
    heard: Receiver<FromWorker>,
    last_words: LastWords,
    listeners: Vec<JoinHandle<()>>,
    /// The CPU time that is counted already.
    counted: Duration,
}

impl WorkerProcess {
    fn start(place: &Workplace) -> io::Result<Self> {
        let mut command = Command::new(&place.program.program);
        command.args(&place.program.arguments).arg("--source").arg(&place.source).arg(&place.job_folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // a key that interrupts the export must not reach its workers, because the export tells them to end
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let (sender, heard) = unbounded();
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let last_words = LastWords::default();
        let mut process =
            Self { child, input, heard, last_words, listeners: Vec::new(), counted: Duration::ZERO };
        if let (Some(output), Some(errors)) = (output, errors) {
            let words = process.last_words.clone();
            process.listen("worker's output", move || hear(output, &sender))?;
            process.listen("worker's errors", move || words.keep(errors))?;
        }
        Ok(process)
    }

    fn listen(&mut self, name: &str, listen: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.listeners.push(thread::Builder::new().name(name.into()).spawn(listen)?);
        Ok(())
    }

    fn tell(&mut self, message: &ToWorker) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(&line).and_then(|()| input.flush())
    }

    /// Lets the process end by itself, so that it can remove what is unfinished, and ends it if it does not.
    fn wait(&mut self) -> Option<ExitStatus> {
        self.input = None;
        let began = Instant::now();
        while began.elapsed() < DEADLINE {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(PATIENCE / 10),
                Ok(status) => return status,
                Err(_) => break,
            }
        }
        let _ = self.child.kill();
        self.child.wait().ok()
    }

    /// Ends the process, at once where there is a reason, and says how it came to its end.
    fn end(mut self, reason: Option<String>) -> String {
        if reason.is_some() {
            let _ = self.child.kill();
        }
        let status = self.wait();
        for listener in self.listeners.drain(..) {
            let _ = listener.join();
        }
        let how = reason.or_else(|| status.map(told)).unwrap_or_default();
        self.last_words.told(&how)
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Hands on what a worker says, until it ends. A library may print something, which is no message.
fn hear(output: impl Read, heard: &Sender<FromWorker>) {
    for line in BufReader::new(output).split(b'\n') {
        let Ok(line) = line else { return };
        if let Ok(message) = serde_json::from_slice(&line)
            && heard.send(message).is_err()
        {
            return;
        }
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)] // everything here is a test
mod tests {
    //! What runs here in the place of a worker is a script of the shell.

    use super::*;
    use crate::take::dispatch::{Dispatch, Supply};
    use crate::take::executor::{Ticket, suite};
    use crate::take::identity::first_take;
    use crate::take::store::TakeStore;
    use crate::testing::job;
    use retake_compression::units::FrameRange;

    const PATIENT: Limits = Limits { memory: 1 << 30, idle: Duration::MAX, silent: Duration::MAX };

    fn place(script: &str, limits: Limits) -> Workplace {
        let arguments = ["-c", script, "sh"].map(Into::into).to_vec();
        let program = WorkerProgram { program: "/bin/sh".into(), arguments };
        let (job_folder, source) = ("nowhere".into(), "film".into());
        Workplace { program, job_folder, source, encoder: "rounding 1".into(), limits }
    }

    fn takes(folder: &std::path::Path) -> Vec<TakeRequest> {
        let job = job(folder, |_| ());
        let ranges = [FrameRange::new(0, 6), FrameRange::new(6, 12)];
        let take = |range: FrameRange| TakeRequest {
            ticket: Ticket(range.start),
            description: first_take(&job, range, 0.0),
        };
        ranges.map(take).to_vec()
    }

    /// What is told of a take that a script gets to run.
    fn outcome(script: &str, limits: Limits) -> TakeOutcome {
        let folder = tempfile::tempdir().unwrap();
        let executor = ProcessExecutor::start(1, place(script, limits)).unwrap();
        executor.submit(takes(folder.path()).remove(0)).unwrap();
        loop {
            if let Some(TakeReport::Outcome(_, outcome)) = executor.next_report(PATIENCE) {
                return outcome;
            }
        }
    }

    fn lost(script: &str, limits: Limits) -> String {
        match outcome(script, limits) {
            TakeOutcome::Lost(reason) => reason,
            other => panic!("{script}: {other:?}"),
        }
    }

    /// The signal and the last words are told; what a library prints between the messages is none.
    #[test]
    fn a_process_that_dies_is_told_with_its_last_words() {
        let reason = lost("read take; echo 'out of cheese' >&2; kill -SEGV $$", PATIENT);
        assert!(reason.contains("segmentation fault") && reason.contains("out of cheese"), "{reason}");
        let reason = lost("read take; echo '{\"encoded\":8}'; echo hello; echo '{\"x'; exit 3", PATIENT);
        assert!(reason.contains("exit code 3"), "{reason}");
        let many = "read take; i=0; while [ $i -lt 3000 ]; do echo word $i >&2; i=$((i+1)); done; exit 1";
        let reason = lost(many, PATIENT);
        assert!(reason.ends_with("word 2999") && reason.len() < 2 * crate::worker::child::MOST, "{reason}");
    }

    /// One that waits, one that turns in circles and one that takes memory without end are ended.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_without_progress_or_measure_is_ended() {
        let short = Duration::from_millis(300);
        let reason = lost("exec sleep 600", Limits { idle: short, ..PATIENT });
        assert!(reason.contains("did nothing"), "{reason}");
        let reason = lost("while :; do :; done", Limits { silent: short, ..PATIENT });
        assert!(reason.contains("no progress"), "{reason}");
        let reason = lost("exec tail /dev/zero", Limits { memory: 64 << 20, ..PATIENT });
        assert!(reason.contains("of memory"), "{reason}");
    }

    /// An error that a worker tells keeps its words, its number and its fault.
    #[test]
    fn an_error_comes_through_a_pipe() {
        let error = r#"{"failed":{"message":"no such setting","code":-12902,"fault":"request"}}"#;
        let outcome = outcome(&format!("read take; echo '{error}'; cat >/dev/null"), PATIENT);
        let TakeOutcome::Failed(error) = outcome else { panic!("{outcome:?}") };
        assert_eq!((error.to_string().as_str(), error.code()), ("no such setting", -12902));
        assert_eq!(error.fault(), crate::error::Fault::Request);
    }

    /// A program that is not there, and a worker with another version of the encoder, fail at once.
    #[test]
    fn what_cannot_work_fails_at_once() {
        let other = outcome(r#"echo '{"ready":{"encoder":"rounding 2"}}'; cat >/dev/null"#, PATIENT);
        assert!(matches!(&other, TakeOutcome::Failed(error) if error.to_string().contains("rounding 2")));
        let mut nowhere = place("", PATIENT);
        nowhere.program.program = "/nonexistent/retake".into();
        let executor = ProcessExecutor::start(1, nowhere).unwrap();
        let folder = tempfile::tempdir().unwrap();
        executor.submit(takes(folder.path()).remove(0)).unwrap();
        let began = executor.next_report(Duration::from_secs(60));
        assert!(matches!(began, Some(TakeReport::Began(_))), "{began:?}");
        let report = executor.next_report(Duration::from_secs(60));
        assert!(matches!(report, Some(TakeReport::Outcome(_, TakeOutcome::Failed(_)))), "{report:?}");
    }

    #[test]
    fn cancelled_takes_have_an_outcome_too() {
        let folder = tempfile::tempdir().unwrap();
        let executor = ProcessExecutor::start(1, place("cat >/dev/null", PATIENT)).unwrap();
        suite::cancelled_with_an_outcome_for_each(&executor, takes(folder.path()));
    }

    /// A take that is said to be done and is not there was lost. It is tried three times in all, and then the
    /// cause is told.
    #[test]
    fn a_worker_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path(), |_| ());
        let store = TakeStore::open(job.folder.takes().unwrap()).unwrap();
        let description = first_take(&job, FrameRange::new(0, 6), 0.0);
        let record =
            serde_json::json!({"range": description.range, "quality": 1.0, "bytes": 1, "score": null});
        let made = serde_json::json!({"done": {"description": description, "record": record}});
        let script = format!("while read take; do echo '{made}'; done");
        let executor = ProcessExecutor::start(1, place(&script, PATIENT)).unwrap();
        let stop = crate::stop::StopFlag::new();
        let (sender, supply) = crossbeam_channel::unbounded();
        sender.send(Supply::Take(Box::new(TakeRequest { ticket: Ticket(0), description }))).unwrap();
        drop(sender);
        let dispatch = Dispatch { executor: &executor, store: &store, stop: &stop };
        let error = dispatch.run(&supply, &mut |_| ()).unwrap_err();
        assert!(matches!(&error, ExportError::LostTake { attempts: 3, .. }), "{error}");
        assert!(error.to_string().contains("is not there"), "{error}");
    }
}
