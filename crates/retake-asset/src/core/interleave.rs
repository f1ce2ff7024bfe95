//! The order in which samples of several tracks go into one file (AW-4). Pure: no threads, no clock, no bytes.

use crate::media::MediaSample;
use retake_media::Time;
use std::collections::VecDeque;

/// A lane that holds so many bytes has no room until it is down to half.
const MOST_BYTES: usize = 16 << 20;

/// The same in samples, for tracks of very many tiny ones.
const MOST_SAMPLES: usize = 8192;

/// How far a lane may run ahead of what was written.
pub(crate) const WINDOW: Time = Time::new(1, 1);

/// How much farther a live lane may: it cannot be asked to wait.
const LIVE_WINDOWS: usize = 4;

/// How a lane takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Others wait for it.
    Steady,
    /// It comes in real time: others wait for it no longer than the window.
    Live,
    /// Nobody waits for it.
    Sparse,
}

#[derive(Debug)]
struct Lane {
    queue: VecDeque<MediaSample>,
    bytes: usize,
    pace: Pace,
    finished: bool,
    held: bool,
    full: bool,
}

/// Queues of all tracks, given out as one sequence by decode time.
#[derive(Debug, Default)]
pub(crate) struct Interleaver {
    lanes: Vec<Lane>,
    primed: bool,
}

impl Interleaver {
    pub(crate) fn add(&mut self, pace: Pace) {
        let queue = VecDeque::new();
        self.lanes.push(Lane { queue, bytes: 0, pace, finished: false, held: false, full: false });
    }

    /// A held lane has no room, and nobody waits for it, until it is let go.
    pub(crate) fn hold(&mut self, lane: usize, held: bool) {
        self.lanes[lane].held = held;
    }

    pub(crate) fn push(&mut self, lane: usize, sample: MediaSample) {
        let lane = &mut self.lanes[lane];
        lane.bytes += sample.sample.data.len();
        lane.queue.push_back(sample);
        lane.weigh();
    }

    pub(crate) fn finish(&mut self, lane: usize) {
        self.lanes[lane].finished = true;
    }

    /// Whether one more sample may come.
    pub(crate) fn has_room(&self, lane: usize) -> bool {
        let lane = &self.lanes[lane];
        !lane.finished && !lane.held && !lane.full
    }

    /// Whether nothing is left, and nothing will come.
    pub(crate) fn is_done(&self) -> bool {
        self.lanes.iter().all(|lane| lane.finished && lane.queue.is_empty())
    }

    /// Whether enough is there to begin with: the first look at a track decides on its clock, and two samples tell more than one.
    pub(crate) fn is_primed(&self) -> bool {
        self.primed
            || self.lanes.iter().any(|lane| !lane.queue.is_empty())
                && (self.lanes.iter().all(|lane| !lane.is_awaited() || lane.queue.len() > 1)
                    || self.lanes.iter().any(Lane::presses))
    }

    /// The next sample of all, unless a lane has to be waited for.
    pub(crate) fn pop(&mut self) -> Option<(usize, MediaSample)> {
        if !self.is_primed() {
            return None;
        }
        self.primed = true;
        let lacking = |lane: &Lane| lane.is_awaited() && lane.queue.is_empty();
        if self.lanes.iter().any(lacking) && !self.lanes.iter().any(Lane::presses) {
            return None;
        }
        let heads = self.lanes.iter().enumerate();
        let heads = heads.filter_map(|(i, lane)| lane.queue.front().map(|head| (head.decode_time(), i)));
        let (_, index) = heads.min()?;
        let lane = &mut self.lanes[index];
        let sample = lane.queue.pop_front()?;
        lane.bytes -= sample.sample.data.len();
        lane.weigh();
        Some((index, sample))
    }

    /// All times that are waiting, of a lane: what its clock has to express.
    pub(crate) fn waiting(&self, lane: usize) -> impl Iterator<Item = &MediaSample> {
        self.lanes[lane].queue.iter()
    }
}

impl Lane {
    fn is_awaited(&self) -> bool {
        !self.finished && !self.held && self.pace != Pace::Sparse
    }

    /// Whether it has waited for the others as long as a live lane can.
    fn presses(&self) -> bool {
        self.pace == Pace::Live && self.span() >= WINDOW
    }

    fn span(&self) -> Time {
        match (self.queue.front(), self.queue.back()) {
            (Some(front), Some(back)) => back.decode_time().subtract(front.decode_time()),
            _ => Time::ZERO,
        }
    }

    /// Two samples are always welcome, so that a lane that is waited for can bring what is waited for.
    fn weigh(&mut self) {
        let windows = if self.pace == Pace::Live { LIVE_WINDOWS } else { 1 };
        let (bytes, samples) = (MOST_BYTES * windows, MOST_SAMPLES * windows);
        let least = if self.full { 2 } else { 1 };
        let length = self.queue.len();
        self.full = length >= 2
            && (self.bytes >= bytes / least
                || length >= samples / least
                || self.span() >= Time::new(windows as i64, least as i32));
    }
}
