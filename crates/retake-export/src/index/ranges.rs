//! Several scouts of one film: while one reads it from its start, others read ranges further on, which begin
//! at entry points.
//!
//! What a range holds is joined to what comes before it once it is proven that its reader began as the one
//! before went on: [`Feed`] compares the frames between two sync samples, and gives out all frames in order,
//! as if there were one reader. A range of which that is not true, or in which there is damage, is thrown
//! away: the reader before it still stands at its beginning, and goes on. So a film in which seeking cannot
//! be relied on is read by one reader, from its start to its end.
//!
//! A range may be read anywhere, on another machine too ([`Elsewhere`]): its reader stays there, and only how
//! far it has come travels. Where it is to go on, it is opened again here.
//!
//! A range keeps no pictures but small copies, of which scenes are found where ranges are joined: the order
//! of frames decides about scenes, and to find them takes a fraction of what decoding takes.

use crate::error::{ExportError, RequestError};
use crate::stop::StopFlag;
use retake_compression::scene::SmallPicture;
use retake_libav::{
    EntryPoint, FilmInfo, Finding, Frame, FrameEntry, FrameFacts, FrameReader, MediaError, ReaderOptions,
    ReaderProgress, ReaderState,
};
use retake_media::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A range that is read elsewhere may wait in a queue for ever. So it is waited for as long as one took that
/// was read here, and for this long at least.
const LEAST_WAIT: Duration = Duration::from_millis(200);
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

/// Reads ranges on other machines.
pub(crate) trait Elsewhere: Sync {
    /// How many ranges it reads at once.
    fn at_once(&self) -> usize;

    /// Reads the range that begins at one of these entry points, of at most so many frames; nothing where
    /// nobody can, or when `over` says that it is not wanted any more.
    fn read(
        &self,
        entries: &Arc<[EntryPoint]>,
        number: usize,
        frames: usize,
        over: &dyn Fn() -> bool,
    ) -> Option<Box<FoundRange>>;
}

/// A film that is divided into ranges.
pub(crate) struct Ranges<'a> {
    film: &'a FilmInfo,
    options: ReaderOptions,
    entries: Arc<[EntryPoint]>,
    pub(super) scouts: usize,
    elsewhere: Option<&'a dyn Elsewhere>,
    /// Threads that wait for what is read elsewhere.
    pub(super) waiters: usize,
    /// Ranges that may be there at once.
    most: usize,
    /// The bytes that they take together, at most.
    memory: u64,
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
    /// Those of them that are read elsewhere.
    there: BTreeSet<usize>,
    /// Whether the one that joins waits for a range, so that it decodes nothing.
    waiting: bool,
}

/// A range, or nothing where it cannot be read or is not worth anything.
type Outcome = Option<Box<Range>>;

/// A frame that a scout has found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundFrame {
    pub entry: FrameEntry,
    pub facts: FrameFacts,
    pub small: SmallPicture,
}

/// What a scout has found in a range.
#[derive(Debug)]
pub(crate) struct FoundRange {
    /// The frames that the reader before has to come to, too, the first of the range among them.
    pub compared: Vec<(FrameEntry, FrameFacts)>,
    /// The state of the reader there.
    pub state: ReaderState,
    /// All frames of the range, and the first of the next one.
    pub frames: VecDeque<FoundFrame>,
    /// How far its reader has come.
    pub progress: ReaderProgress,
    /// Whether the film ends with it.
    pub ended: bool,
}

/// A range, and who has read it.
struct Range {
    found: FoundRange,
    reader: Standing,
}

impl Range {
    /// Whether its reader began as the reader before it went on.
    fn is_at(&self, compared: &[(FrameEntry, FrameFacts)], state: ReaderState) -> bool {
        self.found.compared == compared && self.found.state == state
    }
}

/// A reader that stands at the end of what it was to read.
// A reader holds its decoder by pointers, and moves once for each range.
#[allow(clippy::large_enum_variant)]
enum Standing {
    Here(FrameReader),
    /// It read the range behind this entry point elsewhere, whose last frame has this time.
    There {
        progress: ReaderProgress,
        entry: usize,
        last: i64,
    },
}

impl Standing {
    fn progress(&self) -> ReaderProgress {
        match self {
            Self::Here(reader) => reader.progress(),
            Self::There { progress, .. } => progress.clone(),
        }
    }

    /// Takes over what an earlier reader has found.
    fn go_on_from(&mut self, came: ReaderProgress) {
        match self {
            Self::Here(reader) => reader.go_on_from(came),
            Self::There { progress, .. } => *progress = came,
        }
    }

    /// The reader itself. One that is elsewhere is opened again, and reads its range once more.
    fn reader(&mut self, ranges: &Ranges<'_>) -> Result<&mut FrameReader, ExportError> {
        if let Self::There { progress, entry, last } = self {
            let changed = || ExportError::from(RequestError::SourceChanged { frame: progress.frames() });
            let reader = open_at(ranges.film, ranges.options, &ranges.entries, *entry)?;
            let mut reader = reader.ok_or_else(changed)?;
            while reader.next()?.ok_or_else(changed)?.pts < *last {}
            if reader.progress().state() != progress.state() {
                return Err(changed());
            }
            reader.go_on_from(progress.clone());
            *self = Self::Here(reader);
        }
        match self {
            Self::Here(reader) => Ok(reader),
            Self::There { .. } => Err(ExportError::Internal("a reader was not opened".into())),
        }
    }
}

/// A reader that begins at an entry point, if it can begin there.
fn open_at(
    film: &FilmInfo,
    options: ReaderOptions,
    entries: &[EntryPoint],
    number: usize,
) -> Result<Option<FrameReader>, MediaError> {
    let Some(entry) = entries.get(number) else { return Ok(None) };
    let mut reader = FrameReader::open_entry(film, options, entry)?;
    if let Some(reader) = &mut reader {
        reader.divide(entries);
    }
    Ok(reader)
}

/// Reads the range that begins at an entry point, and the first frame of the next one; nothing where it
/// cannot be read, is damaged, or has more than so many frames. What is wrong there is found, and told, by
/// who reads the film in order.
pub(crate) fn read_range(
    film: &FilmInfo,
    options: ReaderOptions,
    (entries, number): (&[EntryPoint], usize),
    most: usize,
    over: &dyn Fn() -> bool,
) -> Option<(FoundRange, FrameReader)> {
    let entry = entries.get(number)?;
    let end = entries.get(number + 1).map(|next| next.at);
    let mut reader = open_at(film, options, entries, number).ok()??;
    let (mut compared, mut state) = (Vec::new(), None);
    let mut frames = VecDeque::new();
    let ended = loop {
        let Some(frame) = reader.next().ok()? else { break true };
        if over() || frames.len() + compared.len() >= most {
            return None;
        }
        let (found, facts) = (FrameEntry::from(&frame), reader.facts());
        if found.pts <= entry.at {
            compared.push((found, facts));
        }
        if found.pts == entry.at {
            state = Some(reader.progress().state());
        }
        if found.pts >= entry.at {
            let small = SmallPicture::of(&frame.picture);
            frames.push_back(FoundFrame { entry: found, facts, small });
        }
        if end.is_some_and(|end| found.pts >= end) {
            break false;
        }
    };
    let progress = reader.progress();
    let state = state.filter(|_| progress.is_sound(Some(number)))?;
    Some((FoundRange { compared, state, frames, progress, ended }, reader))
}

impl<'a> Ranges<'a> {
    /// Divides a film, as far as it can be divided.
    pub(crate) fn new(
        film: &'a FilmInfo,
        options: ReaderOptions,
        plan: RangePlan,
        elsewhere: Option<&'a dyn Elsewhere>,
    ) -> Self {
        let others = elsewhere.map_or(0, Elsewhere::at_once);
        let divided = plan.scouts + others > 0;
        let entries = if divided { film.entry_points(plan.least, plan.times) } else { Vec::new() };
        let longest = entries.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or(0);
        let seconds = film.video.time(longest).seconds().max(plan.least.seconds());
        let expected = (seconds * film.video.frame_rate.to_f64().clamp(1.0, 1000.0)).ceil() as u64 + 1;
        let frames = expected.saturating_mul(CROWDED);
        let decoded = film.unfiltered();
        let bytes = |(width, height)| options.format.picture_bytes(width, height);
        let picture = bytes((film.video.width, film.video.height)) + film.unscaled_size().map_or(0, bytes);
        let picture = picture.max(decoded.format.picture_bytes(decoded.width, decoded.height));
        let small = (SmallPicture::BYTES + size_of::<FoundFrame>()) as u64;
        let each = (DECODER_FRAMES + u64::from(options.threads)) * picture + frames.saturating_mul(small);
        let most = usize::try_from(plan.memory / each.max(1)).unwrap_or(usize::MAX);
        let scouts = plan.scouts.min(most).min(entries.len());
        let waiters = others.min(most).min(entries.len());
        // Those that are done wait for those before them.
        let most = most.min(2 * (scouts + waiters));
        Self {
            film,
            options,
            entries: entries.into(),
            scouts,
            elsewhere,
            waiters,
            most,
            memory: (most as u64).saturating_mul(each),
            frames: usize::try_from(frames).unwrap_or(usize::MAX),
            state: Mutex::default(),
            changed: Condvar::new(),
            over: AtomicBool::new(false),
        }
    }

    /// Returns the bytes that all ranges may take together: nothing where the film is not divided.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// Reads ranges until there are no more, each when decoders leave one of `cores` idle that they may use.
    pub(super) fn scout(&self, cores: &dyn Fn() -> usize, stop: &StopFlag) {
        while let Some(range) = self.claim(Some(cores), stop) {
            let found = catch_unwind(AssertUnwindSafe(|| self.read(range, stop))).unwrap_or(None);
            self.lock().begun.entry(range).and_modify(|outcome| *outcome = Some(found));
            self.changed.notify_all();
        }
    }

    /// Has ranges read elsewhere until there are no more, or one cannot be: who cannot read one will hardly
    /// read another. What takes too long is read here meanwhile.
    pub(super) fn scout_elsewhere(&self, stop: &StopFlag) {
        let Some(elsewhere) = self.elsewhere else { return };
        while let Some(range) = self.claim(None, stop) {
            let over = || self.is_over(stop) || !self.lock().begun.contains_key(&range);
            let read = || elsewhere.read(&self.entries, range, self.frames, &over);
            let found = catch_unwind(AssertUnwindSafe(read))
                .unwrap_or(None)
                .and_then(|found| self.found(*found, range));
            let mut state = self.lock();
            state.there.remove(&range);
            let wanted = state.begun.contains_key(&range);
            let failed = found.is_none();
            if wanted && failed {
                // The reader before it goes on, as if nobody had begun it.
                state.begun.remove(&range);
            } else if wanted {
                state.begun.insert(range, Some(found));
            }
            drop(state);
            self.changed.notify_all();
            if wanted && failed {
                return;
            }
        }
    }

    /// A range that was read elsewhere, as far as it can be one of this film.
    fn found(&self, found: FoundRange, entry: usize) -> Outcome {
        let last = found.frames.back()?.entry.pts;
        let fits = found.progress.is_divided_by(&self.entries) && found.frames.len() <= self.frames;
        let progress = found.progress.clone();
        fits.then(|| Box::new(Range { found, reader: Standing::There { progress, entry, last } }))
    }

    /// No more ranges are wanted.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    fn is_over(&self, stop: &StopFlag) -> bool {
        self.over.load(Ordering::Acquire) || stop.is_raised()
    }

    /// Waits for a range to read: here, on one of so many cores, or elsewhere.
    fn claim(&self, cores: Option<&dyn Fn() -> usize>, stop: &StopFlag) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if self.is_over(stop) || state.next >= self.entries.len() {
                return None;
            }
            let running = state.begun.values().filter(|outcome| outcome.is_none()).count();
            let decoders = running.saturating_sub(state.there.len()) + usize::from(!state.waiting) + 1;
            let threads = decoders * self.options.threads.max(1) as usize;
            if state.begun.len() < self.most && cores.is_none_or(|cores| threads <= cores()) {
                let range = state.next;
                state.next += 1;
                if cores.is_none() {
                    state.there.insert(range);
                }
                state.begun.insert(range, None);
                return Some(range);
            }
            state = self.wait(state);
        }
    }

    /// Takes what was found in a range that somebody has begun, and waits for it; for so long, if it is read
    /// elsewhere. What nobody has begun nobody will begin any more.
    fn take(&self, range: usize, longest: Duration, stop: &StopFlag) -> Result<Option<Outcome>, ExportError> {
        let began = Instant::now();
        let mut state = self.lock();
        state.next = state.next.max(range + 1);
        let outcome = loop {
            let late = state.there.contains(&range) && began.elapsed() >= longest;
            match state.begun.get_mut(&range) {
                None => break None,
                Some(Some(found)) => break Some(found.take()),
                Some(None) if late => break None,
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

    fn read(&self, number: usize, stop: &StopFlag) -> Outcome {
        let over = || self.is_over(stop);
        let read = read_range(self.film, self.options, (&self.entries, number), self.frames, &over);
        read.map(|(found, reader)| Box::new(Range { found, reader: Standing::Here(reader) }))
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
    reader: Standing,
    ended: bool,
    /// The number of the next frame.
    index: u64,
    /// The next entry point, and the frames that are compared there, as far as they came.
    next: usize,
    compared: Vec<(FrameEntry, FrameFacts)>,
    /// The frames of a range that come next.
    queue: VecDeque<FoundFrame>,
    /// The reader that goes on behind them, where it did not take the place of `reader` yet.
    ahead: Option<Ahead>,
    refused: u32,
    /// When it came to the last entry point, and the longest time that it took from one to the next.
    since: Instant,
    longest: Duration,
}

struct Ahead {
    reader: Standing,
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
            reader: Standing::Here(reader),
            ended: false,
            index: 0,
            next: 0,
            compared: Vec::new(),
            queue: VecDeque::new(),
            ahead: None,
            refused: 0,
            since: Instant::now(),
            longest: LEAST_WAIT,
        })
    }

    /// What was found on the way through the film.
    pub(super) fn findings(&self) -> Vec<Finding> {
        self.reader.progress().findings(self.ranges.film)
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
            && let Some(FoundFrame { entry, facts, small }) = self.queue.pop_front()
        {
            return Ok(Some(Fed { entry, facts, small, frame: None, elsewhere: true }));
        }
        if self.ended {
            return Ok(None);
        }
        let reader = self.reader.reader(self.ranges)?;
        let frame = reader.next()?;
        self.ended = frame.is_none();
        let came = frame.as_ref().map(|frame| (FrameEntry::from(frame), reader.facts()));
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
        let Ahead { reader, entry, states, index, ended } = ahead;
        let earlier = std::mem::replace(&mut self.reader, reader).progress();
        let mut progress = self.reader.progress();
        progress.follow(earlier, entry, states, index);
        self.reader.go_on_from(progress);
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
            self.longest = self.longest.max(self.since.elapsed());
            let outcome = self.ranges.take(range, self.longest, stop)?;
            self.since = Instant::now();
            let Some(outcome) = outcome else { continue };
            // The queue ends with this frame, so that the reader which read it is the one that stands here.
            self.go_ahead();
            let progress = self.reader.progress();
            if !progress.is_sound(None) {
                self.ranges.end();
                continue;
            }
            let there = progress.state();
            match outcome {
                Some(joined) if joined.is_at(&compared, there) => {
                    let Range { found: FoundRange { mut frames, ended, state, .. }, reader } = *joined;
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
