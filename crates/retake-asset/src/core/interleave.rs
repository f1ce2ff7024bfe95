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
    /// All of it comes before the others.
    First,
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
        let first = |lane: &Lane| lane.pace == Pace::First && !(lane.finished && lane.queue.is_empty());
        let only_first = self.lanes.iter().any(first);
        let counts = |lane: &&Lane| !only_first || lane.pace == Pace::First;
        let lacking = |lane: &Lane| lane.is_awaited() && lane.queue.is_empty();
        if self.lanes.iter().filter(counts).any(lacking) && !self.lanes.iter().any(Lane::presses) {
            return None;
        }
        let heads = self.lanes.iter().enumerate().filter(|(_, lane)| counts(lane));
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use retake_media::{Sample, SampleKind};

    fn sample(time: Time, bytes: usize) -> MediaSample {
        let data = vec![0; bytes];
        Sample { data, pts: time, dts: time, duration: Time::INVALID, kind: SampleKind::Sync }.into()
    }

    #[derive(Debug, Clone)]
    struct Client {
        pace: Pace,
        /// Ticks of a thousandth between samples, and how many there are.
        step: i64,
        length: i64,
        bytes: usize,
    }

    fn client() -> impl Strategy<Value = Client> {
        let pace = prop::sample::select(vec![Pace::First, Pace::Steady, Pace::Live, Pace::Sparse]);
        (pace, 1i64..700, 0i64..120, prop::sample::select(vec![1, 1000, 3 << 20]))
            .prop_map(|(pace, step, length, bytes)| Client { pace, step, length, bytes })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// AW-4, AW-5, AW-6: clients that append only when there is room, each on a thread of its own, and the thread that stores, in any
        /// order: somebody can always move until all is stored; what is waiting is bounded; each lane comes out whole and in order.
        #[test]
        fn no_schedule_of_threads_stands_still(clients in prop::collection::vec(client(), 1..4),
                                               schedule in prop::collection::vec(any::<u8>(), 64)) {
            let mut lanes = Interleaver::default();
            clients.iter().for_each(|client| lanes.add(client.pace));
            let mut next = vec![0; clients.len()];
            let mut stored = vec![0; clients.len()];
            let total: i64 = clients.iter().map(|client| client.length + 1).sum();
            let mut moves = 0;
            // every round that moves nobody is the end, one way or the other
            let mut turn = schedule.iter().cycle().map(|&byte| usize::from(byte));
            loop {
                let first = turn.next().unwrap_or(0);
                let moved = (0..=clients.len()).map(|i| (first + i) % (clients.len() + 1)).any(|who| {
                    if let Some(client) = clients.get(who) {
                        if next[who] == client.length && !lanes.lanes[who].finished {
                            lanes.finish(who);
                            return true;
                        }
                        if !lanes.has_room(who) {
                            return false;
                        }
                        lanes.push(who, sample(Time::new(next[who] * client.step, 1000), client.bytes));
                        next[who] += 1;
                        return true;
                    }
                    match lanes.pop() {
                        Some((lane, sample)) => {
                            assert_eq!(sample.sample.pts, Time::new(stored[lane] * clients[lane].step, 1000));
                            stored[lane] += 1;
                            true
                        }
                        None => false,
                    }
                });
                for lane in &lanes.lanes {
                    prop_assert!(lane.queue.len() <= 2 || lane.bytes <= (MOST_BYTES + (3 << 20)) * LIVE_WINDOWS);
                    prop_assert!(lane.queue.len() <= 2 || lane.span() <= Time::new(LIVE_WINDOWS as i64 + 1, 1));
                }
                if !moved {
                    break;
                }
                moves += 1;
                prop_assert!(moves <= 2 * total);
            }
            prop_assert!(lanes.is_done());
            prop_assert!(clients.iter().zip(&stored).all(|(client, &stored)| client.length == stored));
        }
    }

    /// AW-4: tracks that keep step come out in the order of their decode times.
    #[test]
    fn steady_lanes_come_out_by_time() {
        let mut lanes = Interleaver::default();
        lanes.add(Pace::Steady);
        lanes.add(Pace::Steady);
        let (mut next, mut last, mut count) = ([0, 0], Time::NEGATIVE_INFINITY, 0);
        while !lanes.is_done() {
            for (lane, (step, length)) in [(40, 250), (21, 480)].into_iter().enumerate() {
                while lanes.has_room(lane) && next[lane] < length {
                    lanes.push(lane, sample(Time::new(next[lane] * step, 1000), 10));
                    next[lane] += 1;
                }
                if next[lane] == length {
                    lanes.finish(lane);
                }
            }
            while let Some((_, sample)) = lanes.pop() {
                assert!(last <= sample.sample.dts);
                last = sample.sample.dts;
                count += 1;
            }
        }
        assert_eq!(count, 730);
    }

    /// A lane that is held has no room and is not waited for.
    #[test]
    fn held_lanes_hold_up_nobody() {
        let mut lanes = Interleaver::default();
        lanes.add(Pace::Steady);
        lanes.add(Pace::Steady);
        lanes.hold(1, true);
        lanes.push(0, sample(Time::ZERO, 1));
        lanes.push(0, sample(Time::new(1, 25), 1));
        assert!(!lanes.has_room(1) && lanes.pop().is_some());
        lanes.hold(1, false);
        assert!(lanes.has_room(1) && lanes.pop().is_none());
    }
}
