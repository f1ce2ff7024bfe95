//! Breaks of the clock that all tracks of a source share.
//!
//! Where recordings are joined, all clocks of a source jump at once. Each track alone could only be carried
//! on behind its own last sample, and tracks that ended at different times would drift apart. So the source
//! is cut into segments, each of which begins when every track of the one before is over.

use crate::stamps::{AHEAD, BACK};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// No film has a gap as long as this, in seconds, whatever its container.
const LEAP: i64 = 86_400;
/// A jump ahead by more than [`BACK`] and more than so many steps before it may be a wrong stamp: that shows
/// when the track comes back. Until then it is a gap.
const PAUSE: i64 = 4;
/// A track that was read for so many samples of all tracks behind a gap does not come back.
const GOES_ON: u64 = 64;
/// A track that goes on for so many samples of all tracks where another one has jumped proves that nothing
/// but a stamp of that one is wrong.
const CONFIRMED: u64 = 500;
/// The number of a sample may differ by this much when other tracks are not read with it, because demuxers
/// drop and find samples beside damage by what else they read.
const MISCOUNTED: u64 = 8;
/// Gaps that are longer than this are told of, in seconds: 32 bits of the finest clock of a track have no
/// more than 214.
pub(crate) const GAP: i64 = 200;
/// No film has more joins than this. A file that pretends so has no clock at all, and memory must be bounded.
const MOST: usize = 10_000;

/// The place in a track from which on its times are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Break {
    stream: u32,
    /// The number of the sample in its track, in the order of the file.
    sample: u64,
    /// When that sample is decoded by its own stamp, in ticks of the track.
    at: i64,
    /// The ticks that are added to all times from there on.
    ticks: i64,
    /// Whether another recording begins there, and not only stamps that are wrong, or right again.
    recording: bool,
}

/// Where a sample lies on the clock of the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// The ticks that are added to its times.
    pub(crate) ticks: i64,
    /// Whether it lies at a break, where demuxers miss what was never there.
    pub(crate) joined: bool,
    /// Whether it is the first of another recording.
    pub(crate) begins: bool,
}

/// Moves times behind breaks, sample by sample.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    breaks: Arc<Vec<Break>>,
    tracks: Vec<TrackPlace>,
}

/// How far a track was read.
#[derive(Debug, Clone, Default)]
struct TrackPlace {
    /// The breaks that are not reached yet, the next one first.
    ahead: VecDeque<Break>,
    /// The sample at which the last one was.
    latest: Option<u64>,
    /// The samples read.
    samples: u64,
    /// The stamp of the last one.
    last: Option<i64>,
    /// What is added to times.
    ticks: i64,
}

impl Timeline {
    pub(crate) fn new(breaks: &Arc<Vec<Break>>) -> Self {
        Self { breaks: breaks.clone(), tracks: Vec::new() }
    }

    /// Returns whether another recording begins somewhere in a track.
    pub(crate) fn is_joined(&self, stream: u32) -> bool {
        self.breaks.iter().any(|found| found.stream == stream && found.recording)
    }

    /// Returns where the next sample of a track lies that is decoded at `time` by its own stamp, in ticks of
    /// the track.
    pub(crate) fn next(&mut self, stream: u32, time: Option<i64>) -> Place {
        if self.breaks.is_empty() {
            return Place::default();
        }
        let track = self.track(stream);
        // A sample lies at one break at most.
        let next = track.ahead.front().copied();
        let found = next.filter(|found| is_at(found, track.samples, track.last, time));
        if let Some(found) = found {
            track.ahead.pop_front();
            (track.ticks, track.samples, track.latest) = (found.ticks, found.sample, Some(found.sample));
        }
        let begins = found.is_some_and(|found| found.recording);
        // Parsers give a mark of damage to the sample before the one that it is about.
        let around = track.ahead.front().map(|found| found.sample).into_iter().chain(track.latest);
        let joined = around.into_iter().any(|sample| sample.abs_diff(track.samples) <= 2);
        track.samples += 1;
        track.last = time.or(track.last);
        Place { ticks: track.ticks, joined, begins }
    }

    /// Returns the same of a sample that is decoded and not shown, whose time says nothing.
    pub(crate) fn pass(&mut self, stream: u32) -> Place {
        if self.breaks.is_empty() {
            return Place::default();
        }
        let track = self.track(stream);
        track.samples += 1;
        Place { ticks: track.ticks, ..Place::default() }
    }

    fn track(&mut self, stream: u32) -> &mut TrackPlace {
        for stream in self.tracks.len() as u32..=stream {
            let ahead = self.breaks.iter().filter(|found| found.stream == stream).copied().collect();
            self.tracks.push(TrackPlace { ahead, ..TrackPlace::default() });
        }
        &mut self.tracks[stream as usize]
    }
}

/// Whether the sample of this number and stamp is the first behind a break.
fn is_at(found: &Break, sample: u64, last: Option<i64>, time: Option<i64>) -> bool {
    let (Some(time), Some(last)) = (time, last) else { return sample >= found.sample };
    let (there, here) = (time.abs_diff(found.at), time.abs_diff(last));
    // Stamps of pictures go to and fro, so that a sample of another number has to be much nearer.
    match sample.abs_diff(found.sample) {
        0 => there < here,
        1..=MISCOUNTED => there < here / 4,
        _ => sample > found.sample,
    }
}

/// A sample, as far as clocks are concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) stream: u32,
    /// Whether the track is seen or heard all along, so that a jump of it is one of the clock.
    pub(crate) steady: bool,
    /// When it is decoded, and the time at which it is over, in ticks of the video.
    pub(crate) time: i64,
    pub(crate) end: i64,
}

/// Finds the breaks of a source whose samples come in the order of the file.
pub(crate) struct BreakFinder {
    /// The ticks a second of the video.
    second: i64,
    /// Whether clocks may jump ahead.
    live: bool,
    segments: Vec<Segment>,
    /// The segment that the clock has come to.
    newest: usize,
    tracks: Vec<TrackClock>,
    joins: Vec<Join>,
    gaps: Vec<Gap>,
    /// The samples of all tracks.
    samples: u64,
}

/// A gap in a track, which may be a jump of its clock: between which stamps, in ticks of the video, and
/// before which of its samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    pub(crate) stream: u32,
    sample: u64,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Gap {
    /// Returns how much longer the gap is where these breaks move what lies around it, in ticks of the track.
    pub(crate) fn moved(&self, breaks: &[Break]) -> i64 {
        let own = breaks.iter().filter(|found| found.stream == self.stream);
        let before = own.clone().take_while(|found| found.sample < self.sample).last();
        let behind = own.take_while(|found| found.sample <= self.sample).last();
        let ticks = |found: Option<&Break>| found.map_or(0, |found| found.ticks);
        ticks(behind).saturating_sub(ticks(before))
    }
}

/// The place in a track at which it comes into another segment.
#[derive(Clone, Copy)]
struct Join {
    stream: u32,
    sample: u64,
    segment: usize,
    /// When the sample is decoded, by its own stamp.
    at: i64,
    /// The end of the track before it.
    after: i64,
    /// When it would be decoded if the track went on as before.
    follows: i64,
}

/// A part of the source with one clock.
struct Segment {
    start: i64,
    end: i64,
    /// How many samples came before it.
    since: u64,
    /// The track that began it, and the segment and the end that this track left behind.
    founder: u32,
    left: (usize, i64),
    /// Whether another track has come into it.
    shared: bool,
    /// Whether its only track went back to where it had been: its stamps were wrong, and no clock jumped.
    excursion: bool,
    /// Whether it lies behind a gap, which moves nothing, unless it turns out to be an excursion.
    gap: bool,
}

#[derive(Clone, Copy, Default)]
struct TrackClock {
    steady: bool,
    /// The last of the samples of all tracks that was of this one.
    seen: u64,
    samples: u64,
    last: Option<i64>,
    /// The time between the last two samples.
    step: i64,
    end: i64,
    segment: usize,
}

/// How a sample goes on from the one before.
struct Jump {
    went_back: bool,
    far: bool,
    gap: bool,
}

impl BreakFinder {
    pub(crate) fn new(second: i64, live: bool) -> Self {
        Self {
            second: second.max(1),
            live,
            segments: Vec::new(),
            newest: 0,
            tracks: Vec::new(),
            joins: Vec::new(),
            gaps: Vec::new(),
            samples: 0,
        }
    }

    /// Counts a sample whose times are not known.
    pub(crate) fn skip(&mut self, stream: u32) {
        self.track(stream).samples += 1;
    }

    pub(crate) fn push(&mut self, seen: Seen) {
        let back = self.second.saturating_mul(BACK) / 1000;
        let ahead = self.second.saturating_mul(if self.live { AHEAD } else { LEAP });
        self.samples += 1;
        let Seen { stream, steady, time, end } = seen;
        let Jump { went_back, far, gap } = self.jump(stream, time);
        if gap {
            self.forget_gap(stream);
        }
        let track = *self.track(stream);
        let own = self.segments.get(track.segment);
        let before = track.last.or(own.map(|segment| segment.start));
        let goes_home = |own: &Segment| {
            let jumps = time < own.start || time > own.end.saturating_add(back);
            // What had wrong stamps meanwhile lasted, and some of it may be lost.
            let late = time.saturating_sub(own.left.1).saturating_sub(own.end.saturating_sub(own.start));
            let home = (-back..=self.second.saturating_mul(AHEAD)).contains(&late);
            jumps && home && !own.shared && own.founder == stream && track.segment > 0
        };
        let mut segment = track.segment;
        if let Some(from) =
            track.last.filter(|&last| time > last.saturating_add(self.second.saturating_mul(GAP)))
            && self.gaps.len() < MOST
        {
            self.gaps.push(Gap { stream, sample: track.samples, from, to: time });
        }
        let left = (track.segment, track.end);
        let since = self.samples;
        let (shared, excursion) = (false, false);
        let begin = Segment { start: time, end, since, founder: stream, left, shared, excursion, gap };
        if own.is_none() {
            self.segments.push(begin);
        } else if own.is_some_and(goes_home) {
            if let Some(own) = self.segments.get_mut(track.segment) {
                own.excursion = true;
                segment = own.left.0;
                self.newest = segment;
            }
        } else if went_back || far || gap {
            // The first track to jump begins a segment; the others join it, each at its own place.
            let foreign = self.segments.get(self.newest).is_some_and(|newest| {
                // What lies behind a gap of another track is no place to come back to, nor from far away.
                let near = newest.start.saturating_sub(ahead)..=newest.end.saturating_add(ahead);
                newest.gap && (went_back || !near.contains(&time))
            });
            if (track.segment == self.newest || foreign) && steady && self.segments.len() < MOST {
                segment = self.segments.len();
                self.newest = segment;
                self.segments.push(begin);
            } else {
                segment = self.newest;
            }
        }
        if let Some(segment) = self.segments.get_mut(segment).filter(|segment| segment.founder != stream) {
            segment.shared = true;
        }
        if segment != track.segment {
            let follows = before.map_or(time, |before| before.saturating_add(track.step));
            let (sample, after) = (track.samples, track.end);
            self.joins.push(Join { stream, sample, segment, at: time, after, follows });
        }
        if steady && let Some(segment) = self.segments.get_mut(segment) {
            (segment.start, segment.end) = (segment.start.min(time), segment.end.max(end));
        }
        *self.track(stream) = TrackClock {
            steady,
            seen: self.samples,
            samples: track.samples + 1,
            last: Some(time),
            step: before.map_or(0, |before| time.saturating_sub(before)).max(0),
            end,
            segment,
        };
    }

    /// Returns how the next sample of a track goes on from the one before.
    fn jump(&mut self, stream: u32, time: i64) -> Jump {
        let track = *self.track(stream);
        let back = self.second.saturating_mul(BACK) / 1000;
        let ahead = self.second.saturating_mul(if self.live { AHEAD } else { LEAP });
        let own = self.segments.get(track.segment);
        let before = track.last.or(own.map(|segment| segment.start));
        // A track may begin long before another one whose samples come first in the file.
        let begins = track.last.is_none() && self.segments.len() == 1;
        let slip = if begins { ahead } else { back };
        let went_back = before.is_some_and(|before| time < before.saturating_sub(slip));
        let far = own.is_some_and(|own| time > own.end.saturating_add(ahead));
        // A track may be behind the others by more than a wrong stamp of it is ahead.
        let pause = back.max(track.step.saturating_mul(PAUSE));
        let pauses = track.last.is_some() && time > track.end.saturating_add(pause);
        let gap = pauses && !far && !went_back;
        Jump { went_back, far, gap }
    }

    /// Takes the newest segment for a part of the one before, where no more than a gap lies between them and
    /// the track has gone on behind it. Memory must not grow with gaps, because films of still pictures
    /// consist of them.
    fn forget_gap(&mut self, stream: u32) {
        let (number, samples) = (self.track(stream).segment, self.samples);
        if number == 0 || number + 1 != self.segments.len() {
            return;
        }
        let forgets = |last: &mut Segment| last.gap && samples > last.since.saturating_add(GOES_ON);
        let Some(Segment { start, end, left: (before, _), .. }) = self.segments.pop_if(forgets) else {
            return;
        };
        if let Some(segment) = self.segments.get_mut(before) {
            (segment.start, segment.end) = (segment.start.min(start), segment.end.max(end));
        }
        self.joins.retain(|join| join.segment != number);
        self.tracks
            .iter_mut()
            .filter(|track| track.segment == number)
            .for_each(|track| track.segment = before);
        self.newest = before;
    }

    fn track(&mut self, stream: u32) -> &mut TrackClock {
        let index = stream as usize;
        if self.tracks.len() <= index {
            self.tracks.resize(index + 1, TrackClock::default());
        }
        &mut self.tracks[index]
    }

    /// Gives out the gaps that were found.
    pub(crate) fn take_gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.gaps)
    }

    /// Returns the breaks, and in how many places of the film the clock jumps. `ticks` converts from ticks of
    /// the video to those of a track.
    pub(crate) fn finish(self, ticks: impl Fn(u32, i64) -> i64) -> (Vec<Break>, usize) {
        let (mut moved, mut over, mut places) = (Vec::with_capacity(self.segments.len()), i64::MIN, 0);
        let (mut by, mut alone) = (0, 0);
        let leap = self.second.saturating_mul(LEAP);
        for (number, segment) in self.segments.iter().enumerate() {
            let goes_on = |track: &TrackClock| {
                track.steady && track.segment < number && track.seen > segment.since + CONFIRMED
            };
            let shared = !segment.excursion && !self.tracks.iter().any(goes_on);
            if number > 0 && shared && !segment.gap {
                by = over.saturating_sub(segment.start);
                places += 1;
            }
            moved.push((by, shared));
            if shared {
                over = over.max(segment.end.saturating_add(by));
            }
        }
        // What each track is moved by so far.
        let mut so_far = vec![(0, false); self.tracks.len()];
        let breaks: Vec<Break> = self
            .joins
            .iter()
            .filter_map(|&Join { stream, sample, segment, at, after, follows }| {
                let start = self.segments[segment].start;
                let (mut by, shared) = moved[segment];
                let excursion = self.segments[segment].excursion;
                if excursion || !shared && start > after.saturating_add(leap) {
                    // One track alone leaps to a time that no film has, or back from where it leapt to, so it
                    // goes on where it was.
                    let place = if excursion { follows } else { after };
                    by = by.saturating_add(place).saturating_sub(start);
                    alone += 1;
                }
                let (before, was_excursion) =
                    std::mem::replace(&mut so_far[stream as usize], (by, excursion));
                let moves = !self.segments[segment].gap || by != before;
                let recording = !excursion && !was_excursion;
                moves.then(|| Break {
                    stream,
                    sample,
                    at: ticks(stream, at),
                    ticks: ticks(stream, by),
                    recording,
                })
            })
            .collect();
        (breaks, places + alone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two recordings; the sound (track 1) of the first ends a second before its picture.
    fn found(video: [i64; 2], sound: [i64; 2], live: bool) -> Vec<Break> {
        let mut finder = BreakFinder::new(1000, live);
        for part in 0..2 {
            for step in 0..75 {
                let time = video[part] + step * 40;
                finder.push(Seen { stream: 0, steady: true, time, end: time + 40 });
                if step < 50 || part == 1 {
                    let time = sound[part] + step * 40;
                    finder.push(Seen { stream: 1, steady: true, time, end: time + 40 });
                }
            }
        }
        finder.finish(|_, ticks| ticks).0
    }

    #[test]
    fn all_tracks_are_moved_by_the_same_time() {
        let moved = |sample, stream, at, ticks| Break { stream, sample, at, ticks, recording: true };
        // The second recording begins where the picture of the first ends, at three seconds.
        assert_eq!(found([0, 0], [0, 0], true), [moved(75, 0, 0, 3000), moved(50, 1, 0, 3000)]);
        assert_eq!(
            found([0, 90_000], [0, 90_000], true),
            [moved(75, 0, 90_000, -87_000), moved(50, 1, 90_000, -87_000)]
        );
        assert_eq!(found([0, 90_000], [0, 90_000], false), []);
        let far = 1_000_000_000;
        let leapt = [moved(75, 0, far, 3000 - far), moved(50, 1, far, 3000 - far)];
        assert_eq!(found([0, far], [0, far], false), leapt);
        let mut timeline = Timeline::new(&Arc::new(found([0, 0], [0, 0], true)));
        let places: Vec<Place> = (0..79).map(|step| timeline.next(0, Some(step % 75 * 40))).collect();
        let place = |ticks, joined, begins| Place { ticks, joined, begins };
        assert!(places[..73].iter().all(|&found| found == Place::default()));
        let expected = [
            place(0, true, false),
            place(0, true, false),
            place(3000, true, true),
            place(3000, true, false),
            place(3000, true, false),
            place(3000, false, false),
        ];
        assert_eq!(places[73..], expected);
        assert_eq!(Timeline::default().next(4, None), Place::default());
    }

    #[test]
    fn a_track_that_leaps_alone_goes_on_where_it_was() {
        let mut finder = BreakFinder::new(1000, false);
        let far = 1_000_000_000;
        for step in 0..1000 {
            let video = if step < 100 { step * 40 } else { far + step * 40 };
            finder.push(Seen { stream: 0, steady: true, time: video, end: video + 40 });
            finder.push(Seen { stream: 1, steady: true, time: step * 40, end: step * 40 + 40 });
        }
        let (breaks, _) = finder.finish(|_, ticks| ticks);
        assert_eq!(breaks, [Break { stream: 0, sample: 100, at: far + 4000, ticks: -far, recording: true }]);
    }

    /// Some stamps of the sound are wrong, by more and by less than a leap, ahead and back; nothing else
    /// moves.
    #[test]
    fn a_track_that_comes_back_was_wrong_meanwhile() {
        let live =
            [(1_000_000_000, 5), (20_000, 5), (-400, 5), (-2000, 1)].map(|(by, count)| (by, count, true));
        let filed = [(1_000_000_000, 5), (83_886_080, 5), (70_000, 1)].map(|(by, count)| (by, count, false));
        for (wrong, count, live) in live.into_iter().chain(filed) {
            let mut finder = BreakFinder::new(1000, live);
            for step in 0..90 {
                finder.push(Seen { stream: 0, steady: true, time: step * 40, end: step * 40 + 40 });
                let time = step * 40 + if (60..60 + count).contains(&step) { wrong } else { 0 };
                finder.push(Seen { stream: 1, steady: true, time, end: time + 40 });
            }
            let (breaks, places) = finder.finish(|_, ticks| ticks);
            let there = Break { stream: 1, sample: 60, at: 2400 + wrong, ticks: -wrong, recording: false };
            let (sample, at) = (60 + count as u64, 2400 + count * 40);
            assert_eq!(breaks, [there, Break { stream: 1, sample, at, ticks: 0, recording: false }]);
            assert_eq!(places, 1);
        }
    }

    /// Where another sample than the survey's is missing or there, the stamps say where a break is.
    #[test]
    fn breaks_are_found_by_their_stamps() {
        let breaks =
            Arc::new(vec![Break { stream: 0, sample: 10, at: 90_000, ticks: -89_600, recording: true }]);
        for first in [0, 1] {
            let mut timeline = Timeline::new(&breaks);
            let stamps = (first..11).map(|step| if step < 10 { step * 40 } else { 90_000 });
            let moved: Vec<i64> = stamps.map(|time| time + timeline.next(0, Some(time)).ticks).collect();
            assert_eq!(moved, (first..11).map(|step| step * 40).collect::<Vec<_>>());
        }
        let mut timeline = Timeline::new(&breaks);
        let stamps = (-1..11).map(|step| if step < 10 { step * 40 } else { 90_000 });
        let moved: Vec<i64> = stamps.map(|time| time + timeline.next(0, Some(time)).ticks).collect();
        assert_eq!(moved, (-1..11).map(|step| step * 40).collect::<Vec<_>>());
    }

    /// Two stamps are wrong, not far from each other.
    #[test]
    fn each_sample_lies_at_its_own_break() {
        let stamps: Vec<i64> = (0..20)
            .map(|step| [step * 40, 1 << 40, 1 << 30][(step == 6) as usize + 2 * (step == 11) as usize])
            .collect();
        let mut finder = BreakFinder::new(1000, false);
        stamps.iter().for_each(|&time| finder.push(Seen { stream: 0, steady: true, time, end: time + 40 }));
        let mut timeline = Timeline::new(&Arc::new(finder.finish(|_, ticks| ticks).0));
        let moved: Vec<i64> = stamps.iter().map(|&time| time + timeline.next(0, Some(time)).ticks).collect();
        let expected: Vec<i64> = (0..20).map(|step| step * 40).collect();
        assert_eq!(moved, expected);
    }

    /// Whatever a single stamp is, and however far from the others: its sample has the place that is left,
    /// and no other one moves.
    #[test]
    fn a_wrong_stamp_moves_no_other_sample() {
        for (live, wrong) in [true, false].into_iter().flat_map(|live| {
            [400, 700, 1_500, 7_000, 12_000, 90_000_000].map(|wrong| (live, wrong)).into_iter()
        }) {
            let stamps: Vec<i64> =
                (0..60).map(|step| step * 40 + if step == 30 { wrong } else { 0 }).collect();
            let mut finder = BreakFinder::new(1000, live);
            for (step, &time) in (0..).zip(&stamps) {
                finder.push(Seen { stream: 0, steady: true, time, end: time + 40 });
                // Sound lies in front of the pictures in many files.
                let time = step * 40 + 700;
                finder.push(Seen { stream: 1, steady: true, time, end: time + 40 });
            }
            let mut timeline = Timeline::new(&Arc::new(finder.finish(|_, ticks| ticks).0));
            let moved: Vec<i64> =
                stamps.iter().map(|&time| time + timeline.next(0, Some(time)).ticks).collect();
            assert_eq!(moved, (0..60).map(|step| step * 40).collect::<Vec<_>>(), "{live}, {wrong}");
        }
    }

    /// Films of still pictures are gaps throughout, and recordings are joined behind them all the same.
    #[test]
    fn many_gaps_hide_no_break() {
        let mut finder = BreakFinder::new(1000, true);
        let mut time = 0;
        for gap in 0..20_000 {
            for _ in 0..40 {
                finder.push(Seen { stream: 0, steady: true, time, end: time + 40 });
                finder.push(Seen { stream: 1, steady: true, time, end: time + 40 });
                time += 40;
            }
            finder.push(Seen { stream: 0, steady: true, time, end: time + 40 });
            time += 2_000 + gap % 3;
        }
        for step in 0..1000 {
            finder.push(Seen { stream: 1, steady: true, time: step * 40, end: step * 40 + 40 });
            finder.push(Seen { stream: 0, steady: true, time: step * 40, end: step * 40 + 40 });
        }
        let breaks = finder.finish(|_, ticks| ticks).0;
        assert_eq!(breaks.iter().map(|found| found.stream).collect::<Vec<_>>(), [1, 0], "{breaks:?}");
        assert_eq!(breaks[0].ticks, breaks[1].ticks);
    }

    /// Two recordings that overlap are joined shortly behind a gap of the pictures alone.
    #[test]
    fn a_gap_before_a_join_hides_it_from_no_track() {
        let mut finder = BreakFinder::new(1000, true);
        let mut push = |stream, time| finder.push(Seen { stream, steady: true, time, end: time + 40 });
        for step in 0..300 {
            push(1, step * 40);
            push(0, step * 40 + if step < 290 { 0 } else { 600 });
        }
        for step in 175..600 {
            push(1, step * 40);
            push(0, step * 40);
        }
        let breaks = finder.finish(|_, ticks| ticks).0;
        assert_eq!(breaks.iter().map(|found| found.stream).collect::<Vec<_>>(), [1, 0], "{breaks:?}");
        assert_eq!(breaks[0].ticks, breaks[1].ticks, "{breaks:?}");
    }

    #[test]
    fn a_gap_is_no_break() {
        assert_eq!(found([0, 9000], [0, 9000], true), []);
        // Where clocks do not jump, one may be longer; the sound comes to its end behind the picture.
        for gap in [59_000, 90_000, 80_000_000] {
            assert_eq!(found([0, gap], [0, gap], false), []);
            assert_eq!(found([0, gap], [0, gap + 2000], false), []);
        }
    }
}
