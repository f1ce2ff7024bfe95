//! The order in which samples of several tracks go into one file (AW-4). Pure: samples go in and come out.

use crate::types::media::MediaSample;
use retake_media::Time;
use std::collections::VecDeque;

/// A track that holds so many bytes has no room until it is down to half.
const MOST_BYTES: usize = 16 << 20;

/// The same in samples, for tracks of very many tiny ones.
const MOST_SAMPLES: usize = 8192;

/// How far a track may run ahead of what was written.
pub(crate) const WINDOW: Time = Time::new(1, 1);

/// How much farther a live track may: it cannot be asked to wait.
const LIVE_WINDOWS: usize = 4;

/// How a track takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrackTiming {
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
struct TrackQueue {
    queue: VecDeque<MediaSample>,
    bytes: usize,
    timing: TrackTiming,
    /// How long a stretch of its samples is that lie in the file without others between them.
    chunk: Option<Time>,
    /// How far it may run ahead: the window, and the longest chunk of any track, which others wait for.
    window: Time,
    finished: bool,
    held: bool,
    full: bool,
}

/// Queues of all tracks, given out as one sequence by decode time.
#[derive(Debug, Default)]
pub(crate) struct Interleaver {
    tracks: Vec<TrackQueue>,
    primed: bool,
    /// The track of the last sample and where its chunk began, if it wants chunks.
    chunk: Option<(usize, Time)>,
}

impl Interleaver {
    /// Adds a track. Its samples come out in stretches of the length of `chunk`, if there is one: shorter
    /// only where the track ends, or where another has no room left, because nobody must wait for the sake of
    /// a chunk.
    pub(crate) fn add(&mut self, timing: TrackTiming, chunk: Option<Time>) {
        let longest = self.tracks.iter().filter_map(|track| track.chunk).chain(chunk).max();
        let window = longest.map_or(WINDOW, |longest| longest + WINDOW);
        let queue = VecDeque::new();
        let (finished, held, full) = (false, false, false);
        self.tracks.push(TrackQueue { queue, bytes: 0, timing, chunk, window, finished, held, full });
        self.tracks.iter_mut().for_each(|track| track.window = window);
    }

    /// A held track has no room, and nobody waits for it, until it is let go.
    pub(crate) fn hold(&mut self, track: usize, held: bool) {
        self.tracks[track].held = held;
    }

    pub(crate) fn push(&mut self, track: usize, sample: MediaSample) {
        let track = &mut self.tracks[track];
        track.bytes += sample.sample.data.len();
        track.queue.push_back(sample);
        track.weigh();
    }

    pub(crate) fn finish(&mut self, track: usize) {
        self.tracks[track].finished = true;
    }

    /// Whether one more sample may come.
    pub(crate) fn has_room(&self, track: usize) -> bool {
        let track = &self.tracks[track];
        !track.finished && !track.held && !track.full
    }

    /// Whether nothing is left, and nothing will come.
    pub(crate) fn is_done(&self) -> bool {
        self.tracks.iter().all(|track| track.finished && track.queue.is_empty())
    }

    /// Whether enough is there to begin with: the first look at a track decides on its clock, and two samples
    /// tell more than one.
    pub(crate) fn is_primed(&self) -> bool {
        self.primed
            || self.tracks.iter().any(|track| !track.queue.is_empty())
                && (self.tracks.iter().all(|track| !track.is_awaited() || track.queue.len() > 1)
                    || self.tracks.iter().any(TrackQueue::presses))
    }

    /// The next sample of all, unless a track has to be waited for.
    pub(crate) fn pop(&mut self) -> Option<(usize, MediaSample)> {
        if !self.is_primed() {
            return None;
        }
        self.primed = true;
        let first = |track: &TrackQueue| {
            track.timing == TrackTiming::First && !(track.finished && track.queue.is_empty())
        };
        let only_first = self.tracks.iter().any(first);
        let counts = |track: &&TrackQueue| !only_first || track.timing == TrackTiming::First;
        let lacking = |track: &TrackQueue| track.is_awaited() && track.queue.is_empty();
        if self.tracks.iter().filter(counts).any(lacking) && !self.tracks.iter().any(TrackQueue::presses) {
            return None;
        }
        let heads = self.tracks.iter().enumerate().filter(|(_, track)| counts(track));
        let heads = heads.filter_map(|(i, track)| track.queue.front().map(|head| (head.decode_time(), i)));
        let (_, earliest) = heads.min()?;
        let open = self.open_chunk().filter(|&index| counts(&&self.tracks[index]));
        let index = open.unwrap_or(earliest);
        let track = &mut self.tracks[index];
        let sample = track.queue.pop_front()?;
        if open.is_none() {
            self.chunk = track.chunk.map(|_| (index, sample.decode_time()));
        }
        track.bytes -= sample.sample.data.len();
        track.weigh();
        Some((index, sample))
    }

    /// The track whose chunk goes on: it wants one, its next sample lies within it, and no other track has
    /// filled its memory meanwhile. One that has merely run ahead as far as it may is no reason to end the
    /// chunk, because it may run farther than a chunk is long.
    fn open_chunk(&self) -> Option<usize> {
        let (index, begin) = self.chunk?;
        let track = &self.tracks[index];
        let next = track.queue.front()?.decode_time();
        let within = track.chunk.is_some_and(|length| next - begin < length);
        let mut others = self.tracks.iter().enumerate().filter(|(other, _)| *other != index);
        (within && !others.any(|(_, other)| other.is_heavy(1))).then_some(index)
    }

    /// All times that are waiting, of a track: what its clock has to express.
    pub(crate) fn waiting(&self, track: usize) -> impl Iterator<Item = &MediaSample> {
        self.tracks[track].queue.iter()
    }
}

impl TrackQueue {
    fn is_awaited(&self) -> bool {
        !self.finished && !self.held && self.timing != TrackTiming::Sparse
    }

    /// Whether it has waited for the others as long as a live track can.
    fn presses(&self) -> bool {
        self.timing == TrackTiming::Live && self.span() >= WINDOW
    }

    fn span(&self) -> Time {
        match (self.queue.front(), self.queue.back()) {
            (Some(front), Some(back)) => back.decode_time() - front.decode_time(),
            _ => Time::ZERO,
        }
    }

    /// How many windows it may run ahead.
    fn windows(&self) -> usize {
        if self.timing == TrackTiming::Live { LIVE_WINDOWS } else { 1 }
    }

    /// Whether it holds as many bytes or samples as it may, or a fraction of that.
    fn is_heavy(&self, fraction: usize) -> bool {
        let (bytes, samples) = (MOST_BYTES * self.windows(), MOST_SAMPLES * self.windows());
        self.bytes >= bytes / fraction || self.queue.len() >= samples / fraction
    }

    /// Whether it holds as much time as so many windows, or a fraction of that.
    fn holds(&self, windows: usize, fraction: usize) -> bool {
        let times = |time: Time, count: usize| (0..count).fold(Time::ZERO, |sum, _| sum + time);
        times(self.span(), fraction) >= times(self.window, windows)
    }

    /// Two samples are always welcome, so that a track that is waited for can bring what is waited for.
    fn weigh(&mut self) {
        let least = if self.full { 2 } else { 1 };
        let length = self.queue.len();
        self.full = length >= 2 && (self.is_heavy(least) || self.holds(self.windows(), least));
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
        timing: TrackTiming,
        /// Ticks of a thousandth between samples, and how many there are.
        step: i64,
        length: i64,
        bytes: usize,
        chunk: Option<Time>,
    }

    fn client() -> impl Strategy<Value = Client> {
        let timing = prop::sample::select(vec![
            TrackTiming::First,
            TrackTiming::Steady,
            TrackTiming::Live,
            TrackTiming::Sparse,
        ]);
        let bytes = prop::sample::select(vec![1, 1000, 3 << 20]);
        let chunk = prop::option::of((1i64..3000).prop_map(|length| Time::new(length, 1000)));
        (timing, 1i64..700, 0i64..120, bytes, chunk).prop_map(|(timing, step, length, bytes, chunk)| Client {
            timing,
            step,
            length,
            bytes,
            chunk,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// AW-4, AW-5, AW-6: clients that append only when there is room, and the one that stores, in any
        /// order: somebody can always move until all is stored; what is waiting is bounded; each track comes
        /// out whole and in order.
        #[test]
        fn no_schedule_stands_still(clients in prop::collection::vec(client(), 1..4),
                                               schedule in prop::collection::vec(any::<u8>(), 64)) {
            let mut tracks = Interleaver::default();
            clients.iter().for_each(|client| tracks.add(client.timing, client.chunk));
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
                        if next[who] == client.length && !tracks.tracks[who].finished {
                            tracks.finish(who);
                            return true;
                        }
                        if !tracks.has_room(who) {
                            return false;
                        }
                        tracks.push(who, sample(Time::new(next[who] * client.step, 1000), client.bytes));
                        next[who] += 1;
                        return true;
                    }
                    match tracks.pop() {
                        Some((track, sample)) => {
                            assert_eq!(sample.sample.pts, Time::new(stored[track] * clients[track].step, 1000));
                            stored[track] += 1;
                            true
                        }
                        None => false,
                    }
                });
                for track in &tracks.tracks {
                    prop_assert!(track.queue.len() <= 2 || track.bytes <= (MOST_BYTES + (3 << 20)) * LIVE_WINDOWS);
                    prop_assert!(track.queue.len() <= 2 || track.span() <= Time::new(4 * LIVE_WINDOWS as i64 + 1, 1));
                }
                if !moved {
                    break;
                }
                moves += 1;
                prop_assert!(moves <= 2 * total);
            }
            prop_assert!(tracks.is_done());
            prop_assert!(clients.iter().zip(&stored).all(|(client, &stored)| client.length == stored));
        }
    }

    /// AW-4: tracks that keep step come out in the order of their decode times.
    #[test]
    fn steady_tracks_come_out_by_time() {
        let mut tracks = Interleaver::default();
        tracks.add(TrackTiming::Steady, None);
        tracks.add(TrackTiming::Steady, None);
        let (mut next, mut last, mut count) = ([0, 0], Time::NEGATIVE_INFINITY, 0);
        while !tracks.is_done() {
            for (track, (step, length)) in [(40, 250), (21, 480)].into_iter().enumerate() {
                while tracks.has_room(track) && next[track] < length {
                    tracks.push(track, sample(Time::new(next[track] * step, 1000), 10));
                    next[track] += 1;
                }
                if next[track] == length {
                    tracks.finish(track);
                }
            }
            while let Some((_, sample)) = tracks.pop() {
                assert!(last <= sample.sample.dts);
                last = sample.sample.dts;
                count += 1;
            }
        }
        assert_eq!(count, 730);
    }

    /// Section 17.2: a track with a chunk's length comes out in stretches of it, its neighbour as it falls
    /// between them; a client that feeds both in the order of their times is never stopped by the track that
    /// waits.
    #[test]
    fn chunks_are_as_long_as_they_are_wanted() {
        let mut tracks = Interleaver::default();
        tracks.add(TrackTiming::Steady, Some(Time::new(2, 1)));
        tracks.add(TrackTiming::Steady, None);
        let mut order = Vec::new();
        // eight seconds of both, ten samples a second
        for index in 0..80 {
            for track in 0..2 {
                assert!(tracks.has_room(track), "{track} at {index}");
                tracks.push(track, sample(Time::new(index, 10), 10));
                order.extend(std::iter::from_fn(|| tracks.pop()).map(|(track, _)| track));
            }
        }
        (0..2).for_each(|track| tracks.finish(track));
        order.extend(std::iter::from_fn(|| tracks.pop()).map(|(track, _)| track));
        let stretches: Vec<usize> = order.chunk_by(|a, b| a == b).map(<[usize]>::len).collect();
        assert_eq!(stretches, [20; 8]);
    }

    /// A track that is held has no room and is not waited for.
    #[test]
    fn held_tracks_hold_up_nobody() {
        let mut tracks = Interleaver::default();
        tracks.add(TrackTiming::Steady, None);
        tracks.add(TrackTiming::Steady, None);
        tracks.hold(1, true);
        tracks.push(0, sample(Time::ZERO, 1));
        tracks.push(0, sample(Time::new(1, 25), 1));
        assert!(!tracks.has_room(1) && tracks.pop().is_some());
        tracks.hold(1, false);
        assert!(tracks.has_room(1) && tracks.pop().is_none());
    }
}
