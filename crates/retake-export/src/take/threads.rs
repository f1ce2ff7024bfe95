//! Takes on the threads of this process.
//!
//! Beside what every executor does, this one takes frames that the scout has just decoded, so that the first
//! pass needs no second decode.

use super::encode::{TakeTools, encode_take};
use super::executor::{
    Capabilities, Executor, Refused, TakeOutcome, TakePlace, TakeReport, TakeRequest, Ticket,
};
use super::identity::{OpenTake, named};
use super::queue::{TakeQueue, WaitingTake, Work};
use super::source::FrameSource;
use crate::error::ExportError;
use crate::index::ScoutedFrame;
use crate::stop::StopFlag;
use crossbeam_channel::{Receiver, Sender, unbounded};
use retake_compression::take::TakeDescription;
use retake_libav::{FilmInfo, FrameIndex, RangeReader, ReaderOptions, SeekTrust};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Reads the frames of the source by exact ranges.
pub(crate) struct RangeSource {
    pub film: FilmInfo,
    pub options: ReaderOptions,
    /// What was learned about seeking in the source.
    pub trust: Arc<SeekTrust>,
    index: Mutex<Arc<FrameIndex>>,
}

impl RangeSource {
    /// A source of which these frames are known.
    pub(crate) fn new(film: FilmInfo, options: ReaderOptions, index: FrameIndex) -> Self {
        Self { film, options, trust: SeekTrust::new(), index: Mutex::new(Arc::new(index)) }
    }

    /// More frames of the source are known.
    pub(crate) fn learn(&self, index: FrameIndex) {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
    }

    /// Opens the frames of a take.
    pub(crate) fn open(&self, description: &TakeDescription) -> Result<FrameSource, ExportError> {
        let range = description.range.start..description.range.end;
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reader = RangeReader::open(&self.film, index, range, self.options, self.trust.clone())?;
        Ok(FrameSource::Range(Box::new(reader)))
    }
}

/// Threads that run takes. When the value is dropped, what runs is given up, and its threads are waited for.
pub(crate) struct ThreadExecutor {
    shared: Arc<Shared>,
    reports: Receiver<TakeReport>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    tools: TakeTools,
    source: RangeSource,
    queue: TakeQueue,
    cancelled: AtomicBool,
}

impl ThreadExecutor {
    /// Starts so many threads. The stop flag of `tools` is raised when the executor is cancelled.
    pub(crate) fn start(jobs: u32, tools: TakeTools, source: RangeSource) -> Result<Self, ExportError> {
        let (sender, reports) = unbounded();
        let queue = TakeQueue::default();
        let shared = Arc::new(Shared { tools, source, queue, cancelled: AtomicBool::new(false) });
        let mut executor = Self { shared, reports, threads: Vec::new() };
        for number in 0..jobs.max(1) {
            let (shared, sender) = (executor.shared.clone(), sender.clone());
            let spawned = thread::Builder::new()
                .name(format!("take-{number}"))
                .spawn(move || shared.work(&sender))
                .map_err(|error| ExportError::Internal(format!("no thread could be started: {error}")))?;
            executor.threads.push(spawned);
        }
        Ok(executor)
    }

    /// Reads the source for takes that come as descriptions alone.
    pub(crate) fn source(&self) -> &RangeSource {
        &self.shared.source
    }

    /// Begins a take whose frames follow through the sender, and `None` behind the last of them. One outcome
    /// will come for it as for those that are submitted.
    pub(crate) fn begin(&self, ticket: Ticket, take: OpenTake) -> Sender<Option<ScoutedFrame>> {
        let (sender, frames) = unbounded();
        let work = Work::Scouted(take, FrameSource::Scouted(frames));
        self.shared.queue.push(WaitingTake { ticket, work });
        sender
    }
}

impl Executor for ThreadExecutor {
    fn capabilities(&self) -> Capabilities {
        let encoders = vec![named(self.shared.tools.factory.info())];
        Capabilities { at_once: self.threads.len() as u32, encoders }
    }

    /// Never full: a description is small, and the longest of all that wait is to be run first.
    fn submit(&self, take: TakeRequest) -> Result<(), Refused> {
        if self.shared.cancelled.load(Ordering::Acquire) {
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
        self.shared.tools.stop.raise();
    }
}

impl Drop for ThreadExecutor {
    fn drop(&mut self) {
        self.cancel();
        self.shared.queue.close();
        for thread in self.threads.drain(..) {
            // its panics were caught, and are outcomes
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Runs takes until no more will come. Those that wait when the executor is cancelled have their outcome,
    /// too.
    fn work(&self, reports: &Sender<TakeReport>) {
        while let Some(WaitingTake { ticket, work }) = self.queue.next() {
            let _ = reports.send(TakeReport::Began(ticket));
            let outcome = catch_unwind(AssertUnwindSafe(|| self.run(work, reports)));
            let outcome = outcome.unwrap_or_else(|_| {
                TakeOutcome::Failed(ExportError::Internal(format!("the take at frame {} panicked", ticket.0)))
            });
            // nobody listens to an executor that is being dropped
            let _ = reports.send(TakeReport::Outcome(ticket, outcome));
        }
    }

    fn run(&self, work: Work, reports: &Sender<TakeReport>) -> TakeOutcome {
        let stop: &StopFlag = &self.tools.stop;
        let encoded = |frames| {
            let _ = reports.send(TakeReport::Encoded(frames));
        };
        let result = stop.check().and_then(|()| match work {
            Work::Scouted(take, frames) => encode_take(&self.tools, take, frames, &encoded),
            Work::Described(description) => {
                let frames = self.source.open(&description)?;
                encode_take(&self.tools, description.into(), frames, &encoded)
            }
        });
        match result {
            Ok((take, file)) => {
                TakeOutcome::Done { take: Box::new(take), place: TakePlace::Unfinished(file) }
            }
            Err(ExportError::Stopped) => TakeOutcome::Cancelled,
            Err(error) => TakeOutcome::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::executor::suite;
    use super::super::identity::first_take;
    use super::super::store::TakeStore;
    use super::*;
    use crate::index::FilmMap;
    use crate::job::Job;
    use crate::testing::{self, job};
    use retake_compression::units::FrameRange;
    use retake_libav::{FrameEntry, FrameReader};
    use std::path::Path;

    /// Threads over a film of which everything is known.
    fn threads(job: &Job, jobs: u32) -> ThreadExecutor {
        let store = TakeStore::open(job.folder.takes().unwrap()).unwrap();
        let time_base = job.source.video.time_base;
        let mut index = FrameIndex::new(time_base);
        let mut reader = FrameReader::open(&job.source, job.reader).unwrap();
        while let Some(frame) = reader.next().unwrap() {
            index.frames.push(FrameEntry::from(&frame));
        }
        let map = FilmMap { index, complete: true, ..FilmMap::new(time_base) };
        let tools =
            TakeTools { factory: job.request.encoder.clone(), store, time_base, stop: StopFlag::new() };
        ThreadExecutor::start(jobs, tools, RangeSource::new(job.source.clone(), job.reader, map.index))
            .unwrap()
    }

    fn store(job: &Job) -> TakeStore {
        TakeStore::join(job.folder.takes().unwrap())
    }

    fn takes(job: &Job) -> Vec<TakeRequest> {
        let ranges = (0..testing::FRAMES).step_by(12).map(|start| FrameRange::new(start, start + 12));
        ranges
            .map(|range| TakeRequest {
                ticket: Ticket(range.start),
                description: first_take(job, range, 0.0),
            })
            .collect()
    }

    /// Takes that the encoder refuses, and one in which it panics.
    fn bad_takes(job: &Job) -> Vec<TakeRequest> {
        let option = |key: &str| vec![(key.to_owned(), String::new())];
        let bad = |ticket, key| {
            let mut description = first_take(job, FrameRange::new(0, 4), 0.0);
            description.settings.options = option(key);
            TakeRequest { ticket: Ticket(ticket), description }
        };
        vec![bad(1, "warp"), bad(2, "panic"), bad(3, "warp")]
    }

    fn with_job(test: impl FnOnce(&Job)) {
        let folder = tempfile::tempdir().unwrap();
        let place: &Path = folder.path();
        test(&job(place, |_| ()));
    }

    #[test]
    fn every_take_has_one_outcome() {
        with_job(|job| {
            suite::one_outcome_for_each(&threads(job, 3), &store(job), takes(job), bad_takes(job))
        });
    }

    #[test]
    fn cancelled_takes_have_an_outcome_too() {
        with_job(|job| suite::cancelled_with_an_outcome_for_each(&threads(job, 1), takes(job)));
    }
}
