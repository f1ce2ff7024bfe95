//! Several scouts of one film: while one reads it from its start, others read ranges further on, which begin
//! at entry points.
//!
//! What a range holds is joined to what comes before it once it is proven that its reader began as the one
//! before went on: [`Feed`] compares the frames between two sync samples, and gives out all frames in order,
//! as if there were one reader. A range of which that is not true, or in which there is damage, is thrown
//! away: the reader before it still stands at its beginning, and goes on. So a film in which seeking cannot
//! be relied on is read by one reader, from its start to its end.
//!
//! A range keeps no pictures but small copies, of which scenes are found where ranges are joined: the order
//! of frames decides about scenes, and to find them takes a fraction of what decoding takes.

use crate::error::ExportError;
use crate::stop::StopFlag;
use retake_compression::scene::SmallPicture;
use retake_libav::{
    EntryPoint, FilmInfo, Frame, FrameEntry, FrameFacts, FrameReader, ReaderOptions, ReaderState,
};
use retake_media::Time;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A waiting thread checks at this interval whether it must stop.
const PATIENCE: Duration = Duration::from_millis(50);
/// After so many ranges that were not as they had to be, no more are tried.
const MOST_REFUSED: u32 = 2;
/// Frames that a decoder keeps for itself.
const DECODER_FRAMES: u64 = 24;
/// A range has at most so many times the frames that its length suggests, because its times may be wrong and
/// its memory must be bounded.
const CROWDED: u64 = 2;

/// How a film is divided among scouts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangePlan {
    /// Scouts beside the one that joins what they find; with none, the film is read by one reader.
    pub scouts: usize,
    /// So many takes must have begun before others scout: where takes are given the frames that one scout has
    /// decoded, others have these decoded twice, so that one has to prove too slow first.
    pub after: u64,
    /// The bytes that all ranges together may take.
    pub memory: u64,
    /// The length of a range, at least, and as many times as long as what is decoded twice for it.
    pub least: Time,
    pub times: u32,
}

/// A film that is divided into ranges.
pub(crate) struct Ranges<'a> {
    film: &'a FilmInfo,
    options: ReaderOptions,
    entries: Vec<EntryPoint>,
    pub(super) scouts: usize,
    /// Ranges that may be there at once.
    most: usize,
    /// The most frames of one.
    frames: usize,
    state: Mutex<State>,
    changed: Condvar,
    over: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The next range that nobody has begun, counted by its entry point.
    next: usize,
    /// What became of the ranges that were begun and are not joined; `None` while they are read.
    begun: BTreeMap<usize, Option<Outcome>>,
    /// Whether the one that joins waits for a range, so that it decodes nothing.
    waiting: bool,
}

/// A range, or nothing where it cannot be read or is not worth anything.
type Outcome = Option<Box<Range>>;

/// A frame that a scout has found.
struct Found {
    entry: FrameEntry,
    facts: FrameFacts,
    small: SmallPicture,
}

/// What a scout has found in a range.
struct Range {
    /// The frames that the reader before has to come to, too, the first of the range among them.
    compared: Vec<(FrameEntry, FrameFacts)>,
    /// The state of the reader there.
    state: ReaderState,
    /// All frames of the range, and the first of the next one.
    frames: VecDeque<Found>,
    reader: FrameReader,
    /// Whether the film ends with it.
    ended: bool,
}

impl<'a> Ranges<'a> {
    /// Divides a film, as far as it can be divided.
    pub(crate) fn new(film: &'a FilmInfo, options: ReaderOptions, plan: RangePlan) -> Self {
        let entries = if plan.scouts == 0 { Vec::new() } else { film.entry_points(plan.least, plan.times) };
        let longest = entries.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or(0);
        let seconds = film.video.time(longest).seconds().max(plan.least.seconds());
        let expected = (seconds * film.video.frame_rate.to_f64().clamp(1.0, 1000.0)).ceil() as u64 + 1;
        let frames = expected.saturating_mul(CROWDED);
        let picture = options.format.picture_bytes(film.video.width, film.video.height);
        let small = (SmallPicture::BYTES + size_of::<Found>()) as u64;
        let each = (DECODER_FRAMES + u64::from(options.threads)) * picture + frames.saturating_mul(small);
        let most = usize::try_from(plan.memory / each.max(1)).unwrap_or(usize::MAX);
        let scouts = plan.scouts.min(most).min(entries.len());
        Self {
            film,
            options,
            entries,
            scouts,
            // Those that are done wait for those before them.
            most: most.min(2 * scouts),
            frames: usize::try_from(frames).unwrap_or(usize::MAX),
            state: Mutex::default(),
            changed: Condvar::new(),
            over: AtomicBool::new(false),
        }
    }

    /// Reads ranges until there are no more, each when decoders leave one of `cores` idle that they may use.
    pub(super) fn scout(&self, cores: &dyn Fn() -> usize, stop: &StopFlag) {
        while let Some(range) = self.claim(cores, stop) {
            let found = catch_unwind(AssertUnwindSafe(|| self.read(range, stop))).unwrap_or(None);
            self.lock().begun.entry(range).and_modify(|outcome| *outcome = Some(found));
            self.changed.notify_all();
        }
    }

    /// No more ranges are wanted.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    fn is_over(&self, stop: &StopFlag) -> bool {
        self.over.load(Ordering::Acquire) || stop.is_raised()
    }

    /// Waits for a range to read.
    fn claim(&self, cores: &dyn Fn() -> usize, stop: &StopFlag) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if self.is_over(stop) || state.next >= self.entries.len() {
                return None;
            }
            let running = state.begun.values().filter(|outcome| outcome.is_none()).count();
            let decoders = running + usize::from(!state.waiting) + 1;
            let threads = decoders * self.options.threads.max(1) as usize;
            if state.begun.len() < self.most && threads <= cores() {
                let range = state.next;
                state.next += 1;
                state.begun.insert(range, None);
                return Some(range);
            }
            state = self.wait(state);
        }
    }

    /// Takes what was found in a range that somebody has begun, and waits for it. What nobody has begun
    /// nobody will begin any more.
    fn take(&self, range: usize, stop: &StopFlag) -> Result<Option<Outcome>, ExportError> {
        let mut state = self.lock();
        state.next = state.next.max(range + 1);
        let outcome = loop {
            match state.begun.get_mut(&range) {
                None => break None,
                Some(Some(found)) => break Some(found.take()),
                Some(None) => {}
            }
            stop.check()?;
            state.waiting = true;
            state = self.wait(state);
        };
        // What lies before it was passed by.
        state.begun.retain(|begun, _| *begun > range);
        state.waiting = false;
        drop(state);
        self.changed.notify_all();
        Ok(outcome)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Reads a range, and the first frame of the next one. What is wrong there is found, and told, by who
    /// reads the film in order.
    fn read(&self, number: usize, stop: &StopFlag) -> Outcome {
        let entry = &self.entries[number];
        let end = self.entries.get(number + 1).map(|next| next.at);
        let mut reader = FrameReader::open_entry(self.film, self.options, entry).ok()??;
        reader.divide(&self.entries);
        let (mut compared, mut state) = (Vec::new(), None);
        let mut frames = VecDeque::new();
        let ended = loop {
            let Some(frame) = reader.next().ok()? else { break true };
            if self.is_over(stop) || frames.len() + compared.len() >= self.frames {
                return None;
            }
            let (found, facts) = (FrameEntry::from(&frame), reader.facts());
            if found.pts <= entry.at {
                compared.push((found, facts));
            }
            if found.pts == entry.at {
                state = Some(reader.state());
            }
            if found.pts >= entry.at {
                let small = SmallPicture::of(&frame.picture);
                frames.push_back(Found { entry: found, facts, small });
            }
            if end.is_some_and(|end| found.pts >= end) {
                break false;
            }
        };
        let sound = reader.is_sound(Some(number));
        let state = state.filter(|_| sound)?;
        Some(Box::new(Range { compared, state, frames, reader, ended }))
    }
}

/// A frame of the film in its turn.
pub(super) struct Fed {
    pub entry: FrameEntry,
    facts: FrameFacts,
    pub small: SmallPicture,
    /// The frame itself, where it was decoded here.
    pub frame: Option<Frame>,
    /// Whether it lies in a range that another scout has read, so that frames behind it may lack pictures.
    pub elsewhere: bool,
}

/// Gives out all frames of a film in order.
pub(super) struct Feed<'a> {
    ranges: &'a Ranges<'a>,
    /// The reader that has come to the next frame in order, or to the beginning of what is `ahead`.
    reader: FrameReader,
    ended: bool,
    /// The number of the next frame.
    index: u64,
    /// The next entry point, and the frames that are compared there, as far as they came.
    next: usize,
    compared: Vec<(FrameEntry, FrameFacts)>,
    /// The frames of a range that come next.
    queue: VecDeque<Found>,
    /// The reader that goes on behind them, where it did not take the place of `reader` yet.
    ahead: Option<Ahead>,
    refused: u32,
}

struct Ahead {
    reader: FrameReader,
    entry: usize,
    /// The states there of the reader before and of this one.
    states: (ReaderState, ReaderState),
    /// The number of the next frame that it gives out.
    index: u64,
    ended: bool,
}

impl<'a> Feed<'a> {
    pub(super) fn open(ranges: &'a Ranges<'a>) -> Result<Self, ExportError> {
        let mut reader = FrameReader::open(ranges.film, ranges.options)?;
        reader.divide(&ranges.entries);
        Ok(Self {
            ranges,
            reader,
            ended: false,
            index: 0,
            next: 0,
            compared: Vec::new(),
            queue: VecDeque::new(),
            ahead: None,
            refused: 0,
        })
    }

    /// What was found on the way through the film.
    pub(super) fn findings(&self) -> Vec<retake_libav::Finding> {
        self.reader.findings()
    }

    /// Returns the next frame; `None` after the last. With `whole`, a picture is wanted although it may be
    /// known without one, because the frames before it have theirs.
    pub(super) fn next(&mut self, whole: bool, stop: &StopFlag) -> Result<Option<Fed>, ExportError> {
        let Some(mut fed) = self.in_turn(whole)? else { return Ok(None) };
        self.arrive(&mut fed, stop)?;
        self.index += 1;
        Ok(Some(fed))
    }

    fn in_turn(&mut self, whole: bool) -> Result<Option<Fed>, ExportError> {
        if !whole || self.queue.is_empty() {
            self.go_ahead();
        }
        if self.ahead.is_none()
            && let Some(Found { entry, facts, small }) = self.queue.pop_front()
        {
            return Ok(Some(Fed { entry, facts, small, frame: None, elsewhere: true }));
        }
        if self.ended {
            return Ok(None);
        }
        let frame = self.reader.next()?;
        self.ended = frame.is_none();
        let came = frame.as_ref().map(|frame| (FrameEntry::from(frame), self.reader.facts()));
        // Pictures that are decoded once more show once more whether the range is what it has to be.
        let expected = self.queue.pop_front();
        let elsewhere = expected.as_ref().is_some_and(|found| Some((found.entry, found.facts)) == came);
        if expected.is_some() && !elsewhere {
            self.refuse();
        }
        let (Some(frame), Some((entry, facts))) = (frame, came) else { return Ok(None) };
        let small = expected.filter(|_| elsewhere).map(|found| found.small);
        let small = small.unwrap_or_else(|| SmallPicture::of(&frame.picture));
        Ok(Some(Fed { entry, facts, small, frame: Some(frame), elsewhere }))
    }

    /// Leaves the reader before a range behind.
    fn go_ahead(&mut self) {
        let Some(ahead) = self.ahead.take() else { return };
        let Ahead { mut reader, entry, states, index, ended } = ahead;
        std::mem::swap(&mut self.reader, &mut reader);
        self.reader.follow(reader, entry, states, index);
        self.ended = ended;
    }

    /// Throws a range away.
    fn refuse(&mut self) {
        self.queue.clear();
        self.ahead = None;
        self.refused += 1;
        if self.refused >= MOST_REFUSED {
            self.ranges.end();
        }
    }

    /// Looks whether a frame is the first of a range that is to be joined.
    fn arrive(&mut self, fed: &mut Fed, stop: &StopFlag) -> Result<(), ExportError> {
        let pts = fed.entry.pts;
        while let Some(entry) = self.ranges.entries.get(self.next) {
            if pts >= entry.from {
                self.compared.push((fed.entry, fed.facts));
            }
            if pts < entry.at {
                break;
            }
            let range = self.next;
            self.next += 1;
            let compared = std::mem::take(&mut self.compared);
            let Some(outcome) = self.ranges.take(range, stop)? else { continue };
            // The queue ends with this frame, so that the reader which read it is the one that stands here.
            self.go_ahead();
            if !self.reader.is_sound(None) {
                self.ranges.end();
                continue;
            }
            let there = self.reader.state();
            match outcome {
                Some(found) if found.compared == compared && found.state == there => {
                    let Range { mut frames, reader, ended, state, .. } = *found;
                    let index = self.index + frames.len() as u64;
                    // The frame itself is given out now.
                    frames.pop_front();
                    self.queue = frames;
                    self.ahead = Some(Ahead { reader, entry: range, states: (there, state), index, ended });
                    fed.elsewhere = true;
                    self.refused = 0;
                }
                _ => self.refuse(),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
