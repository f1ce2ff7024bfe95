//! The frames of a session from their acceptance to their outcome, and what else the encoder is asked to do,
//! in order.

use super::frame::QueuedFrame;
use crate::session::derive::Hints;
use crate::session::{Emission, SessionError};
use retake_media::Time;
use std::collections::{BTreeMap, VecDeque};

/// Frames that wait for the encoder at most (resolution 17). Those that the encoder holds itself come on top.
const DEPTH: usize = 4;
/// Jobs up to which frames are dropped in real time. Beyond, the caller waits, because the outcomes of
/// dropped frames take memory, too.
const DROPPED: usize = 64;

/// A question that a caller waits on until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::session) struct Request(u64);

/// What the encoder is asked to do. Jobs are done in the order in which they came.
#[derive(Debug)]
pub(super) enum Job {
    /// Open an encode, if none was opened yet.
    Open {
        request: Request,
        hints: Box<Hints>,
    },
    Frame(Box<QueuedFrame>),
    /// Deliver the outcome of a frame that was dropped, when its turn has come (EF-7).
    Dropped(u64),
    /// Put out everything up to a frame.
    Drain {
        until: u64,
    },
    /// End the encode, and with it the last score.
    End {
        request: Request,
    },
}

/// An accepted frame that is not out: exactly one outcome must be delivered for it (EF-6).
#[derive(Debug)]
struct Pending<T> {
    pts: Time,
    /// The client's token; `None` while the handler runs with it.
    token: Option<T>,
    dropped: bool,
}

/// What a caller can do where the queue is full. The shell says which it is, because it alone has a clock and
/// knows who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Patience {
    /// It can wait.
    Patient,
    /// It has waited for the time of a frame: in real time, the frame is dropped.
    Exhausted,
    /// It must not wait at all: a handler that waited for what is done after it would wait for ever.
    Reentrant,
}

/// Whether there is room for another frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    /// There is none, and the frame is to be dropped.
    Drop,
    Full,
}

#[derive(Debug)]
pub(super) struct Queue<T> {
    jobs: VecDeque<Job>,
    /// Frames among the jobs.
    waiting: usize,
    /// By the frame's number.
    pending: BTreeMap<u64, Pending<T>>,
    /// Frames that were accepted so far: the number of the next one.
    accepted: u64,
    requests: u64,
    answers: BTreeMap<Request, Result<(), SessionError>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            jobs: VecDeque::new(),
            waiting: 0,
            pending: BTreeMap::new(),
            accepted: 0,
            requests: 0,
            answers: BTreeMap::new(),
        }
    }
}

impl<T> Queue<T> {
    /// EF-12: a full queue makes callers wait. In real time a frame is dropped instead, once it has waited
    /// for as long as it is shown.
    pub(super) fn room(&self, patience: Patience, real_time: bool) -> Room {
        if self.waiting < DEPTH || patience == Patience::Reentrant {
            Room::Free
        } else if real_time && patience == Patience::Exhausted && self.jobs.len() < DROPPED {
            Room::Drop
        } else {
            Room::Full
        }
    }

    /// Takes a frame into account, and gives its number: from here on it is owed an outcome.
    pub(super) fn accept(&mut self, pts: Time, token: T, dropped: bool) -> u64 {
        let number = self.accepted;
        self.accepted += 1;
        self.pending.insert(number, Pending { pts, token: Some(token), dropped });
        number
    }

    pub(super) fn push(&mut self, job: Job) {
        self.waiting += usize::from(matches!(job, Job::Frame(_)));
        self.jobs.push_back(job);
    }

    pub(super) fn front(&mut self) -> Option<&mut Job> {
        self.jobs.front_mut()
    }

    pub(super) fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.waiting -= usize::from(matches!(job, Job::Frame(_)));
        Some(job)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// How many accepted frames are not out.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether a frame, or one before it, is not out.
    pub(super) fn is_pending(&self, until: u64) -> bool {
        self.pending.first_key_value().is_some_and(|(first, _)| *first <= until)
    }

    /// Whether the handler has the token of a frame, or is about to get it.
    pub(super) fn is_delivering(&self) -> bool {
        self.pending.values().any(|frame| frame.token.is_none())
    }

    /// The newest pending frame that is not after `until`, or the newest of all where that is not numeric
    /// (CS-8, CS-9).
    pub(super) fn newest_pending(&self, until: Time) -> Option<u64> {
        let due = |&(_, frame): &(&u64, &Pending<T>)| !until.is_numeric() || frame.pts <= until;
        // presentation times rise with the numbers
        self.pending.iter().take_while(due).last().map(|(number, _)| *number)
    }

    /// Takes what is needed for the outcome of a frame. `None` where it had its outcome, or was never
    /// accepted.
    pub(super) fn take(&mut self, number: u64) -> Option<(Time, T)> {
        let frame = self.pending.get_mut(&number)?;
        Some((frame.pts, frame.token.take()?))
    }

    /// The handler has returned for a frame.
    pub(super) fn out(&mut self, number: u64) {
        self.pending.remove(&number);
    }

    /// The outcomes of all frames that have none, in the order in which the frames came (resolution 14).
    pub(super) fn rest(
        &mut self,
        error: &SessionError,
    ) -> Vec<(u64, Time, T, Result<Emission, SessionError>)> {
        self.jobs.clear();
        self.waiting = 0;
        let rest = self.pending.iter_mut().filter_map(|(number, frame)| {
            let result = if frame.dropped { Ok(Emission::Dropped) } else { Err(error.clone()) };
            Some((*number, frame.pts, frame.token.take()?, result))
        });
        rest.collect()
    }

    /// Forgets all frames: there is nobody left to deliver anything.
    pub(super) fn clear(&mut self) {
        self.jobs.clear();
        self.waiting = 0;
        self.pending.clear();
    }

    pub(super) fn request(&mut self) -> Request {
        self.requests += 1;
        Request(self.requests)
    }

    pub(super) fn answer(&mut self, request: Request, answer: Result<(), SessionError>) {
        self.answers.insert(request, answer);
    }

    pub(super) fn take_answer(&mut self, request: Request) -> Option<Result<(), SessionError>> {
        self.answers.remove(&request)
    }
}
