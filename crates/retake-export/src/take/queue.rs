//! Takes that wait for a worker: the one with most frames is run first, so that the last ones to finish are
//! short.

use super::executor::Ticket;
use super::identity::OpenTake;
use super::source::FrameSource;
use retake_compression::take::TakeDescription;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A take that waits, and where its frames come from.
pub(crate) struct WaitingTake {
    pub ticket: Ticket,
    pub work: Work,
}

/// What there is to do.
pub(crate) enum Work {
    /// Its frames are being decoded, and its end is not known yet.
    Scouted(OpenTake, FrameSource),
    /// Its frames are read by who runs it, so that no more readers are open than takes run.
    Described(TakeDescription),
}

/// Things that wait, of which the longest comes first, and of equal ones the first. There may be as many as a
/// film has units, so that none may be looked at for each that is taken.
pub(crate) struct LongestFirst<T> {
    heap: BinaryHeap<Waiting<T>>,
    /// How many have come.
    come: u64,
}

struct Waiting<T> {
    frames: u64,
    number: u64,
    what: T,
}

impl<T> Default for LongestFirst<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), come: 0 }
    }
}

impl<T> LongestFirst<T> {
    pub(crate) fn push(&mut self, frames: u64, what: T) {
        self.heap.push(Waiting { frames, number: self.come, what });
        self.come += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|waiting| waiting.what)
    }

    /// The frames of the one that comes first.
    fn longest(&self) -> Option<u64> {
        self.heap.peek().map(|waiting| waiting.frames)
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.frames.cmp(&other.frames).then(other.number.cmp(&self.number))
    }
}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Waiting<T> {}

/// The takes that wait.
#[derive(Default)]
pub(crate) struct TakeQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Those whose frames are being decoded: few, and they grow longer while they wait.
    scouted: Vec<(Ticket, OpenTake, FrameSource)>,
    described: LongestFirst<(Ticket, TakeDescription)>,
    closed: bool,
}

impl TakeQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // lists and a flag are sound whatever a panicking holder was doing
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, WaitingTake { ticket, work }: WaitingTake) {
        let mut state = self.lock();
        match work {
            Work::Scouted(take, frames) => state.scouted.push((ticket, take, frames)),
            Work::Described(take) => state.described.push(take.range.len(), (ticket, take)),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// No more takes will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The next take, if one waits.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn try_next(&self) -> Option<WaitingTake> {
        self.lock().take()
    }

    /// The next take; waits for one, until no more will come.
    pub(crate) fn next(&self) -> Option<WaitingTake> {
        let mut state = self.lock();
        loop {
            if let Some(take) = state.take() {
                return Some(take);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    /// The take with most frames; of equal ones one that holds frames, and then the first.
    fn take(&mut self) -> Option<WaitingTake> {
        let waiting = |(_, _, frames): &(Ticket, OpenTake, FrameSource)| frames.waiting();
        let places = self.scouted.iter().map(waiting).enumerate().rev();
        let scouted = places.max_by_key(|(_, frames)| *frames);
        let scouted =
            scouted.filter(|(_, frames)| self.described.longest().is_none_or(|longest| *frames >= longest));
        match scouted {
            Some((place, _)) => {
                let (ticket, take, frames) = self.scouted.remove(place);
                Some(WaitingTake { ticket, work: Work::Scouted(take, frames) })
            }
            None => {
                let (ticket, take) = self.described.pop()?;
                Some(WaitingTake { ticket, work: Work::Described(take) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::identity::{first_take, open_take};
    use crate::testing::job;
    use retake_compression::units::FrameRange;

    /// The longest take comes first, and of equal ones the first that came; one whose frames are decoded has
    /// as many as wait when it is asked for.
    #[test]
    fn the_longest_take_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path(), |_| ());
        let queue = TakeQueue::default();
        let (_frames, source) = crossbeam_channel::unbounded();
        let scouted = Work::Scouted(open_take(&job, 90, None, 0.0), FrameSource::Scouted(source));
        queue.push(WaitingTake { ticket: Ticket(90), work: scouted });
        for (start, length) in [(0, 4), (10, 7), (20, 4), (30, 9), (40, 7)] {
            let description = first_take(&job, FrameRange::new(start, start + length), 0.0);
            queue.push(WaitingTake { ticket: Ticket(start), work: Work::Described(description) });
        }
        let order: Vec<u64> = std::iter::from_fn(|| queue.try_next()).map(|take| take.ticket.0).collect();
        assert_eq!(order, [30, 10, 40, 0, 20, 90]);
        queue.close();
        assert!(queue.next().is_none());
    }
}
