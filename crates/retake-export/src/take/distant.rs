//! An executor for tests, which is as far from the export as one can be within a process: takes come to it as
//! text, it finds the source and its index by path, and loses some takes.

use super::encode::{TakeTools, encode_take};
use super::executor::{
    Capabilities, Executor, Refused, TakeOutcome, TakePlace, TakeReport, TakeRequest, Ticket, suite,
};
use super::source::FrameSource;
use super::store::TakeStore;
use crate::error::ExportError;
use crate::index::journal::{Journal, Subject};
use crate::job::Job;
use crate::stop::StopFlag;
use crate::testing::factory;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use retake_compression::take::TakeDescription;
use retake_libav::{RangeReader, ReaderOptions, SeekTrust, probe, survey};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// One worker, which has room for one take.
pub(crate) struct DistantExecutor {
    tasks: Option<Sender<(Ticket, String)>>,
    reports: Receiver<TakeReport>,
    cancelled: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
    /// Takes that were lost, and had to be run again.
    pub lost: Arc<AtomicUsize>,
}

struct Worker {
    source: PathBuf,
    index: PathBuf,
    subject: Subject,
    store: TakeStore,
    reports: Sender<TakeReport>,
    cancelled: Arc<AtomicBool>,
    lost: Arc<AtomicUsize>,
}

impl DistantExecutor {
    pub(crate) fn start(job: &Job) -> Self {
        let (tasks, waiting) = bounded(1);
        let (sender, reports) = unbounded();
        let (cancelled, lost): (Arc<AtomicBool>, Arc<AtomicUsize>) = Default::default();
        let worker = Worker {
            source: job.source.path.clone(),
            index: job.folder.path().join("index"),
            subject: job.description.subject(),
            // opened once, because opening removes what is unfinished
            store: TakeStore::open(job.folder.takes().unwrap()).unwrap(),
            reports: sender,
            cancelled: cancelled.clone(),
            lost: lost.clone(),
        };
        let worker = thread::spawn(move || worker.work(&waiting));
        Self { tasks: Some(tasks), reports, cancelled, worker: Some(worker), lost }
    }
}

impl Executor for DistantExecutor {
    fn capabilities(&self) -> Capabilities {
        Capabilities { at_once: 1, encoders: vec!["rounding 1".into()] }
    }

    fn submit(&self, take: TakeRequest) -> Result<(), Refused> {
        if self.cancelled.load(Ordering::Acquire) {
            return Err(Refused::Cancelled);
        }
        let text = serde_json::to_string(&take.description).unwrap();
        let sent = self.tasks.as_ref().unwrap().try_send((take.ticket, text));
        sent.map_err(|_| Refused::Full(Box::new(take)))
    }

    fn next_report(&self, patience: Duration) -> Option<TakeReport> {
        self.reports.recv_timeout(patience).ok()
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }
}

impl Drop for DistantExecutor {
    fn drop(&mut self) {
        self.cancel();
        self.tasks = None;
        self.worker.take().unwrap().join().unwrap();
    }
}

impl Worker {
    fn work(&self, waiting: &Receiver<(Ticket, String)>) {
        for (number, (ticket, text)) in (0..).zip(waiting) {
            // the first take is run to its end, and lost on the way back, and so is every third
            let outcome = match self.run(&text) {
                _ if self.cancelled.load(Ordering::Acquire) => TakeOutcome::Cancelled,
                Ok(TakeOutcome::Done { .. }) if number % 3 == 0 => {
                    self.lost.fetch_add(1, Ordering::AcqRel);
                    TakeOutcome::Lost("the line went dead".into())
                }
                Ok(outcome) => outcome,
                Err(error) => TakeOutcome::Failed(error),
            };
            let _ = self.reports.send(TakeReport::Outcome(ticket, outcome));
        }
    }

    fn run(&self, text: &str) -> Result<TakeOutcome, ExportError> {
        let description: TakeDescription = serde_json::from_str(text).unwrap();
        let film = survey(probe(&self.source)?, &|| false)?;
        let file = File::options().read(true).write(true).open(&self.index).unwrap();
        let (_, map) = Journal::open(file, &self.index, &self.subject, film.video.time_base)?;
        let options = ReaderOptions { format: description.settings.format, threads: 1 };
        let range = description.range.start..description.range.end;
        let reader = RangeReader::open(&film, Arc::new(map.index), range, options, SeekTrust::new())?;
        let tools = TakeTools {
            factory: factory(),
            store: self.store.clone(),
            time_base: film.video.time_base,
            stop: StopFlag::new(),
        };
        let (take, file) =
            encode_take(&tools, description.into(), FrameSource::Range(Box::new(reader)), &|_| ())?;
        Ok(TakeOutcome::Done { take: Box::new(take), place: TakePlace::Unfinished(file) })
    }
}

/// The executor of the tests keeps to the contract itself. It loses takes, so that only the second half of
/// the suite is for it.
#[test]
fn cancelled_takes_have_an_outcome_too() {
    use super::identity::first_take;
    use retake_compression::units::FrameRange;
    let folder = tempfile::tempdir().unwrap();
    let job = crate::testing::job(folder.path(), |_| ());
    drop(job.index().unwrap());
    let executor = DistantExecutor::start(&job);
    let take = |start| TakeRequest {
        ticket: Ticket(start),
        description: first_take(&job, FrameRange::new(start, start + 6)),
    };
    suite::cancelled_with_an_outcome_for_each(&executor, vec![take(0), take(6)]);
}
