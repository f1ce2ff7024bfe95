//! What a writer and its inputs share: one lock around all state, and one thread that takes samples out and stores them. Every call takes
//! the lock for a moment; no file, encoder or client code is touched while it is held. What has to be told to clients is collected
//! meanwhile, and told afterwards.

pub(crate) mod clock;
pub(crate) mod encoding;
pub(crate) mod interleave;
pub(crate) mod lane;
pub(crate) mod lifecycle;
pub(crate) mod store;
pub(crate) mod timeline;

use crate::error::{Mistake, UsageError, WriterError};
use crate::group::AssetWriterInputGroup;
use crate::input::AssetWriterInput;
use crate::options::WriterOptions;
use crate::output::OutputTarget;
use crate::segment::{SegmentDelegate, SegmentProfile};
use crate::status::WriterStatus;
use interleave::Interleaver;
use lane::Lane;
use retake_libav::Container;
use retake_media::Time;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

/// Something that is told to a client when the lock is free again.
pub(crate) type Told = Box<dyn FnOnce() + Send>;

/// Told once how it ended.
pub(crate) type Completion = Box<dyn FnOnce(Result<(), WriterError>) + Send>;

/// The time line that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    None,
    Started { start: Time },
    Ended { start: Time, end: Time },
}

/// Where the output goes.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) container: Container,
    /// Only a name for messages when segments go to a delegate.
    pub(crate) file: PathBuf,
    pub(crate) segments: Option<SegmentProfile>,
}

/// The same, once the writer has started.
pub(crate) enum Destination {
    Film(OutputTarget),
    Segments(SegmentProfile, Box<dyn SegmentDelegate>),
}

/// All state of a writer.
pub(crate) struct Core {
    pub(crate) status: WriterStatus,
    pub(crate) error: Option<WriterError>,
    pub(crate) target: Target,
    pub(crate) options: WriterOptions,
    /// What could not be kept.
    pub(crate) notes: Vec<String>,
    pub(crate) session: Session,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) groups: Vec<AssetWriterInputGroup>,
    pub(crate) interleaver: Interleaver,
    pub(crate) finishing: bool,
    pub(crate) cancelling: bool,
    /// Why the thread that stores is to give up.
    pub(crate) failure: Option<WriterError>,
    /// Inputs are being opened.
    pub(crate) starting: bool,
    /// Threads that end passes and inputs.
    pub(crate) helpers: usize,
    pub(crate) completion: Option<Completion>,
    pub(crate) delegate: Option<Box<dyn SegmentDelegate>>,
    pub(crate) destination: Option<Destination>,
    /// The next sample of the track that decides begins a segment.
    pub(crate) flushing: bool,
    /// The thread that stores, while it runs.
    pub(crate) worker: Option<ThreadId>,
    told: Vec<Told>,
}

/// [`Core`] behind its lock.
pub(crate) struct Shared {
    core: Mutex<Core>,
    /// Something changed that somebody may be waiting for.
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new(target: Target) -> Arc<Self> {
        let core = Core {
            status: WriterStatus::Unknown,
            error: None,
            target,
            options: WriterOptions::default(),
            notes: Vec::new(),
            session: Session::None,
            lanes: Vec::new(),
            groups: Vec::new(),
            interleaver: Interleaver::default(),
            finishing: false,
            cancelling: false,
            failure: None,
            starting: false,
            helpers: 0,
            completion: None,
            delegate: None,
            destination: None,
            flushing: false,
            worker: None,
            told: Vec::new(),
        };
        Arc::new(Self { core: Mutex::new(core), changed: Condvar::new() })
    }

    /// Looks at the state.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Core) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state, then tells everybody whom it concerns.
    pub(crate) fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        let answer = change(&mut core);
        core.settle(self);
        let told = std::mem::take(&mut core.told);
        drop(core);
        self.changed.notify_all();
        told.into_iter().for_each(|tell| tell());
        answer
    }

    /// Waits until `ready` answers something. Every change of state is looked at.
    pub(crate) fn wait<T>(&self, mut ready: impl FnMut(&mut Core) -> Option<T>) -> T {
        let mut core = self.lock();
        loop {
            if let Some(answer) = ready(&mut core) {
                return answer;
            }
            core = self.changed.wait(core).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// As [`Shared::wait`], no longer than so long.
    pub(crate) fn wait_for<T>(
        &self,
        longest: std::time::Duration,
        mut ready: impl FnMut(&mut Core) -> Option<T>,
    ) -> Option<T> {
        let until = std::time::Instant::now() + longest;
        let mut core = self.lock();
        loop {
            if let Some(answer) = ready(&mut core) {
                return Some(answer);
            }
            let left = until.checked_duration_since(std::time::Instant::now())?;
            core = self.changed.wait_timeout(core, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        // nothing that can panic leaves the state half changed: what a panicking client callback left is whole
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Has something told when the lock is free.
    pub(crate) fn tell(&mut self, told: impl FnOnce() + Send + 'static) {
        self.told.push(Box::new(told));
    }

    /// All inputs.
    pub(crate) fn inputs(&self) -> Vec<AssetWriterInput> {
        self.lanes.iter().map(|lane| lane.input.clone()).collect()
    }

    /// Whether samples are taken at all.
    pub(crate) fn is_open(&self) -> bool {
        self.status == WriterStatus::Writing && !self.finishing && !self.cancelling && self.failure.is_none()
    }

    /// The status that clients see: a writer has failed as soon as it is certain that it will, so that who is refused a sample finds out why;
    /// files go a moment later.
    pub(crate) fn visible_status(&self) -> WriterStatus {
        match self.status {
            WriterStatus::Writing if self.failure.is_some() && !self.cancelling => WriterStatus::Failed,
            status => status,
        }
    }

    /// Why it failed, or is about to.
    pub(crate) fn visible_error(&self) -> Option<WriterError> {
        match self.status {
            WriterStatus::Writing if !self.cancelling => self.failure.clone(),
            _ => self.error.clone(),
        }
    }

    /// The refusal of a call that needs a status which is not there.
    pub(crate) fn wrong_status(&self, call: &'static str, wants: &'static str) -> UsageError {
        match self.status {
            WriterStatus::Writing if self.finishing => UsageError { call, mistake: Mistake::Finishing },
            is => UsageError { call, mistake: Mistake::Status { is, wants } },
        }
    }

    /// Ends it all: what waits is dropped, the error kept, the completion told.
    pub(crate) fn end(&mut self, status: WriterStatus, error: Option<WriterError>) {
        if self.status.is_terminal() {
            return;
        }
        self.status = status;
        if status == WriterStatus::Failed {
            self.error = error.clone();
        }
        self.interleaver = Interleaver::default();
        (self.destination, self.delegate) = (None, None);
        for lane in &mut self.lanes {
            lane.close();
        }
        if let Some(completion) = self.completion.take() {
            let outcome = error.map_or(Ok(()), Err);
            self.tell(move || completion(outcome));
        }
    }
}
