//! Looks through a whole film before any of it is encoded: at all samples, and at a picture now and then.
//!
//! The first frame does not speak for the film, nor does the head of the container. What changes on the way,
//! what is missing, and where clocks jump must be known before the first frame is encoded, because it decides
//! what the new film is like. All samples are read for that, and only sync samples decoded, at most two a
//! second.

use crate::access::Bytes;
use crate::decoder::{Decoded, Decoder, Received};
use crate::elements::Elements;
use crate::error::MediaError;
use crate::ffi::{self, RawStream};
use crate::film::{FilmInfo, TrackKind, TrackSamples, VideoTrack, WrongTimes, ticks_to_time, time_to_ticks};
use crate::finding::{Finding, FindingKind, Findings};
use crate::form::Form;
use crate::input::{Input, Packet, longest_delay};
use crate::probe::{describe, name, ratio};
use crate::pump::PATIENCE;
use crate::timeline::{BreakFinder, GAP, Gap, Seen};
use crate::window::{self, FilmRange, VideoSample, Window};
use retake_media::{PixelFormat, Rational, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Read, Seek};
use std::sync::Arc;
use std::time::Duration;

/// Pictures are looked at no more often than this, in seconds.
const LOOK: f64 = 0.5;
/// More forms than this are not told apart, because memory must be bounded.
const MOST_FORMS: usize = 64;
/// No codec shows a sample later than so many others that come after it.
const MOST_REORDERED: usize = 64;
/// The part of a film that a form must have to decide about all of it.
const COUNTS: f64 = 0.01;
/// The part of a film that must be made of fields for all of it to be coded so.
const FIELDS: f64 = 0.25;
/// A gap between frames that is longer than this says nothing of the rate, in seconds.
const PAUSE: f64 = 1.0;

/// Looks through a film that [`probe`](crate::probe()) described, and describes it as a whole: size, colours,
/// fields and frame rate are those that suit all of it, and [`FilmInfo::findings`] has what must be told.
///
/// All readers of the result convert frames to this one form, and give the times of all tracks on one clock.
/// A film that can be read only once is not looked through. `stopped` is asked now and then; where it says
/// so, the film is returned as it came.
///
/// # Errors
/// Returns [`MediaError::Encrypted`], [`MediaError::Read`] if the system cannot read on, and
/// [`MediaError::Interrupted`] if that was asked for through the film's access; else fails like
/// [`probe`](crate::probe()).
pub fn survey(info: FilmInfo, stopped: &dyn Fn() -> bool) -> Result<FilmInfo, MediaError> {
    if !info.seekable || info.surveyed {
        return Ok(info);
    }
    let mut survey = Survey::open(&info)?;
    match survey.run(&info, stopped)? {
        true => {
            let whole = Extent::of(&info);
            Ok(survey.finish(info, whole))
        }
        false => Ok(info),
    }
}

/// Cuts a film that [`probe`](crate::probe()) described to a range, and looks through this part of it as
/// [`survey`] does.
///
/// The range is settled by the times of frames: the result has exactly those that are shown at or after its
/// beginning and before its end, and [`FilmInfo::start`] is the time of the first of them. Readers of the
/// result give out these frames alone, and number them from 0; the other tracks are cut where the pictures
/// are. What is found elsewhere in the film is no finding of the result. A range that ends behind the film
/// ends with it.
///
/// The whole file is read, because the clocks of all tracks must be known, and subtitles may have begun long
/// before. Where times or coding format do not tell frames apart, or numbers of frames are asked for in a
/// film whose samples do not tell them, the film is decoded from its start, too. `stopped` is asked now and
/// then; where it says so, the film is returned as it came.
///
/// # Errors
/// Returns [`MediaError::NotSeekable`] for a film that can be read only once,
/// [`MediaError::NoFramesInRange`], and [`MediaError::Internal`] for a film that was looked through or cut
/// before; else fails like [`survey`].
pub fn survey_range(
    mut info: FilmInfo,
    range: FilmRange,
    stopped: &dyn Fn() -> bool,
) -> Result<FilmInfo, MediaError> {
    let file = || info.path.clone();
    if !info.seekable {
        return Err(MediaError::NotSeekable { file: file() });
    }
    if info.surveyed || info.window.is_some() {
        let detail = "it was looked through before".to_owned();
        return Err(MediaError::Internal { file: file(), what: "cutting the film to a range", detail });
    }
    if range.is_empty() {
        let seconds = info.duration.unwrap_or(0.0);
        return Err(MediaError::NoFramesInRange { file: file(), range, seconds });
    }
    let mut first = Survey::open(&info)?;
    first.placing = Some(Vec::new());
    if !first.run(&info, stopped)? {
        return Ok(info);
    }
    let whole = Extent::of(&info);
    let uncut = info.clone();
    let (seen, clock) = first.place(&mut info);
    let Some((window, frames)) = Window::settle(&info, range, &seen, &info.breaks, stopped)? else {
        return Ok(uncut);
    };
    if !window.is_from_start {
        info.start = info.video.time(window.start);
    }
    let end = info.video.time(window.end.unwrap_or(seen.end));
    info.duration = Some((end - info.start).seconds()).filter(|&seconds| seconds > 0.0);
    info.window = Some(Arc::new(window));
    let mut survey = Survey::open(&info)?;
    if !survey.run(&info, stopped)? {
        return Ok(uncut);
    }
    if let Some(finding) = clock {
        survey.findings.push(finding);
    }
    let mut info = survey.finish(info, whole);
    info.video.frames_hint = Some(frames);
    Ok(info)
}

/// Start and length of the whole film, as its container states them.
struct Extent {
    start: Time,
    seconds: Option<f64>,
}

impl Extent {
    fn of(info: &FilmInfo) -> Self {
        Self { start: info.start, seconds: info.duration }
    }
}

/// Collects what is found.
struct Survey {
    input: Input,
    /// What the file is made of, where the demuxer says nothing of damage to it.
    elements: Option<Elements<Box<dyn ReadSeek>>>,
    decoder: Decoder,
    /// The tracks of the file, by their numbers: the seconds a tick, and whether they go on all along.
    tracks: Vec<(Rational, bool)>,
    breaks: BreakFinder,
    findings: Findings,
    steps: Steps,
    /// The film as each kind of picture describes it.
    forms: Vec<VideoTrack>,
    looks: Vec<Look>,
    /// What the other tracks hold, by their numbers.
    held: Vec<TrackSamples>,
    /// Tracks of pictures that are not those of the film, and all tracks that it may go on in.
    other_videos: BTreeSet<u32>,
    others: BTreeMap<u32, OtherTrack>,
    /// The samples of all tracks, and at which of them the video began, and had its latest samples.
    order: u64,
    video_order: Option<(u64, VecDeque<u64>)>,
    /// The samples of the video that were read, and those that count; whether transparency lies beside them.
    read: u64,
    samples: u64,
    alpha: bool,
    /// The profile of the Dolby Vision metadata that pictures bring.
    dolby_vision: Option<u8>,
    complaints: u64,
    /// The time of the last sample of the video, and of the last look, in seconds.
    now: f64,
    looked: f64,
    /// The end of all tracks, and of the pictures, in ticks of the video.
    end: i64,
    shown_until: i64,
    /// When the last sample of the video is decoded, in its ticks; and, behind a jump of more than an hour,
    /// when the last is that was not taken back since.
    latest_decoded: i64,
    latest_leapt: Option<i64>,
    /// The longest time for which a picture may wait, in ticks of the video, and the pictures that wait
    /// longer or for more than an hour.
    longest_delay: i64,
    late: Vec<Late>,
    /// The latest pictures, and those whose place others have taken, as in [`WrongTimes`].
    waiting: VecDeque<Waiting>,
    overtaken: Vec<(i64, i64)>,
    /// The samples of the video, where a window is to be settled; nothing is decoded then.
    placing: Option<Vec<VideoSample>>,
    /// Whether all times at which samples of the video are decoded are known and go on; and the last of them.
    in_order: bool,
    decoded: Option<i64>,
    /// The times of sync samples, and whether all samples have times.
    syncs: Vec<i64>,
    timed: bool,
    /// The last sync sample before the window, which describes its first pictures.
    before: Option<Packet>,
    /// Whether the end of the window was reached before that of the file.
    reached_end: bool,
}

/// Demuxers of broadcasts give out no more than so many samples of a track that has ended when the file ends.
const MOST_HELD: usize = 8;
/// Of more tracks no notice is taken, because memory must be bounded.
const MOST_OTHERS: usize = 64;

/// A track that is in no film of this one.
struct OtherTrack {
    /// As in a track of the shims.
    kind: i32,
    codec: String,
    base: Rational,
    /// Whether the demuxer did not know it when the file was opened.
    is_late: bool,
    /// Where the film was when it began, in seconds.
    at: f64,
    /// At which of the samples of all tracks it began and ended, how many samples it has, and how long they
    /// last in its ticks.
    begun: u64,
    ended: u64,
    samples: u64,
    ticks: i64,
}

/// One picture that was looked at.
struct Look {
    /// The number of its sample.
    sample: u64,
    form: usize,
    /// As in a frame of the shims: 0 whole, 1 top field first, 2 bottom field first.
    fields: i32,
}

/// Measures the rate of frames by their times.
#[derive(Default)]
struct Rate {
    last: Option<i64>,
    /// Steps and their sum in ticks: all, and those that are no pause.
    all: (u64, i64),
    steady: (u64, i64),
}

impl Rate {
    fn push(&mut self, time: i64, pause: i64) {
        let step = self.last.map(|last| time.saturating_sub(last)).filter(|&step| step > 0);
        self.last = Some(time);
        let Some(step) = step else { return };
        let add = |(count, sum): (u64, i64)| (count + 1, sum.saturating_add(step));
        self.all = add(self.all);
        if step <= pause {
            self.steady = add(self.steady);
        }
    }

    /// Returns the frames a tick, if there are enough to tell.
    fn measured(&self) -> Option<f64> {
        let (count, sum) = if self.steady.0 * 2 > self.all.0 { self.steady } else { self.all };
        (count >= 4).then(|| count as f64 / sum as f64)
    }
}

/// No stream without times has more frames a second, because no camera delivers such streams faster.
const FASTEST: f64 = 1000.0;

/// A picture that is shown long after it is decoded: when it is shown, decoded and over, in ticks of the
/// video, and when it is decoded, in seconds of the film.
struct Late {
    shown: i64,
    decoded: i64,
    end: i64,
    seconds: f64,
}

/// Of more such pictures no notice is taken, because memory must be bounded.
const MOST_LATE: usize = 10_000;

/// A picture that waits to be shown: when it is decoded and shown, in ticks of the video, and when it is
/// decoded, in seconds of the film.
struct Waiting {
    decoded: i64,
    shown: i64,
    seconds: f64,
}

/// No picture waits for more others that are decoded behind it: 16 frames of two fields each, which is the
/// most that any codec holds back.
pub(crate) const MOST_BETWEEN: usize = 33;

/// Returns the ticks of a step that is a pause, and no rate.
fn pause(base: Rational) -> i64 {
    time_to_ticks(Time::from_seconds(PAUSE, 1000), base).unwrap_or(i64::MAX)
}

/// Measures the steps between frames as they are shown.
struct Steps {
    /// A step that is longer is no rate, in ticks.
    pause: i64,
    /// The latest times, which the next samples may still come between.
    latest: BTreeSet<i64>,
    shortest: Option<i64>,
    /// Whether a time came twice.
    doubled: bool,
    /// How fast those frames follow each other between which none comes any more.
    rate: Rate,
}

impl Steps {
    fn new(pause: i64) -> Self {
        let (latest, shortest, doubled, rate) = (BTreeSet::new(), None, false, Rate::default());
        Self { pause, latest, shortest, doubled, rate }
    }

    /// Takes the time of the next sample.
    fn push(&mut self, time: i64) {
        let neighbours = [self.latest.range(..time).next_back(), self.latest.range(time + 1..).next()];
        let steps =
            neighbours.into_iter().flatten().map(|other| time.saturating_sub(*other).saturating_abs());
        self.shortest = self.shortest.into_iter().chain(steps).min();
        self.doubled |= !self.latest.insert(time);
        if self.latest.len() > MOST_REORDERED
            && let Some(first) = self.latest.pop_first()
        {
            self.rate.push(first, self.pause);
        }
    }

    /// Takes a sample of which only is known when it is decoded.
    fn push_decoded(&mut self, time: i64) {
        self.rate.push(time, self.pause);
    }

    /// What comes is no neighbour of what was there.
    fn begin_anew(&mut self) {
        std::mem::take(&mut self.latest).into_iter().for_each(|time| self.rate.push(time, self.pause));
        self.rate.last = None;
    }
}

impl Survey {
    fn open(info: &FilmInfo) -> Result<Self, MediaError> {
        let mut input = Input::open_again(info)?;
        let film = input.film();
        if film.streams as u32 <= info.video.index {
            return Err(MediaError::SourceChanged { file: info.path.clone(), frame: 0 });
        }
        let steady = |index: u32| {
            let sounds = |track: &crate::TrackInfo| track.index == index && track.kind == TrackKind::Audio;
            index == info.video.index || info.tracks.iter().any(sounds)
        };
        // Where broadcasts change, they go on in other tracks. (A playlist has the same pictures in several
        // sizes, and reading them all would take long.)
        let is_broadcast = ["mpegts", "mpeg"].contains(&info.container.as_str());
        let broadcast = (0..film.streams.max(0) as u32).filter(|_| is_broadcast);
        let is_other = |&index: &u32| {
            let is_video = input.stream(index).kind == ffi::VIDEO;
            index != info.video.index && is_video && input.share_programme(info.video.index, index)
        };
        let other_videos: BTreeSet<u32> = broadcast.filter(is_other).collect();
        let counts = |index: u32| {
            let shown = |track: &crate::TrackInfo| track.index == index && track.kind == TrackKind::Subtitle;
            steady(index) || info.tracks.iter().any(shown) || other_videos.contains(&index)
        };
        input.select(counts);
        let tracks =
            (0..film.streams as u32).map(|index| (ratio(input.stream(index).time_base), steady(index)));
        let tracks = tracks.collect();
        let second = time_to_ticks(Time::new(1, 1), info.video.time_base).unwrap_or(1);
        let decoder = Decoder::open(&input, info.video.index, 1)
            .map_err(|failure| MediaError::undecodable(&info.path, &failure))?;
        Ok(Self {
            input,
            elements: elements(info)?,
            decoder,
            tracks,
            breaks: BreakFinder::new(second, film.live_times != 0),
            findings: Findings::within(info.extent()),
            steps: Steps::new(pause(info.video.time_base)),
            forms: Vec::new(),
            looks: Vec::new(),
            other_videos,
            others: BTreeMap::new(),
            order: 0,
            video_order: None,
            held: vec![TrackSamples::default(); film.streams.max(0) as usize],
            read: 0,
            samples: 0,
            alpha: false,
            dolby_vision: None,
            complaints: 0,
            now: 0.0,
            looked: f64::NEG_INFINITY,
            end: i64::MIN,
            shown_until: i64::MIN,
            latest_decoded: i64::MIN,
            latest_leapt: None,
            longest_delay: longest_delay(film.live_times != 0, info),
            late: Vec::new(),
            waiting: VecDeque::new(),
            overtaken: Vec::new(),
            placing: None,
            in_order: true,
            decoded: None,
            syncs: Vec::new(),
            timed: true,
            before: None,
            reached_end: false,
        })
    }

    /// Reads the whole film; `false` if it was stopped.
    fn run(&mut self, info: &FilmInfo, stopped: &dyn Fn() -> bool) -> Result<bool, MediaError> {
        let mut failures = 0;
        loop {
            if stopped() {
                return Ok(false);
            }
            match self.input.read() {
                Ok(Some(packet)) => {
                    failures = 0;
                    self.see(info, packet)?;
                    if self.reached_end {
                        break;
                    }
                }
                Ok(None) => break,
                Err(failure) if failure.is_again() => std::thread::sleep(Duration::from_millis(2)),
                Err(failure) if failure.is_final() => {
                    return Err(MediaError::read(&info.path, self.read, self.input.position(), &failure));
                }
                Err(failure) => {
                    self.complain(failure.message());
                    failures += 1;
                    if failures > PATIENCE {
                        break;
                    }
                }
            }
            if self.input.complaints() > self.complaints {
                self.complain("what was read is not what was written");
            }
        }
        let elements = self.elements.take().filter(|_| !self.reached_end);
        let damaged = match elements.map(Elements::finish).transpose() {
            Ok(places) => places > Some(0),
            Err(source) => return Err(self.unreadable(info, source)),
        };
        if (self.input.complaints() > self.complaints || damaged) && !self.reached_end {
            self.complain("it ends in the middle");
        }
        Ok(true)
    }

    fn unreadable(&self, info: &FilmInfo, source: io::Error) -> MediaError {
        let file = info.path.clone();
        MediaError::Read { file, frame: self.read, byte: self.input.position(), source }
    }

    fn complain(&mut self, message: &str) {
        self.complaints = self.input.complaints();
        self.findings.note(FindingKind::Container, self.now, || message.to_owned());
    }

    /// Takes the next sample of any track.
    fn see(&mut self, info: &FilmInfo, packet: Packet) -> Result<(), MediaError> {
        let stream = packet.stream();
        self.order += 1;
        let known = self.tracks.get(stream as usize).copied();
        let Some((base, steady)) = known.filter(|_| !self.other_videos.contains(&stream)) else {
            self.see_other(info, &packet, known.is_none());
            return Ok(());
        };
        if packet.is_encrypted() {
            return Err(MediaError::Encrypted { file: info.path.clone() });
        }
        let at = packet.position().unwrap_or(0);
        match self.elements.as_mut().map(|elements| elements.walk(at)).transpose() {
            Ok(places) if places > Some(0) => self.complain("what was read is not what was written"),
            Ok(_) => {}
            Err(source) => return Err(self.unreadable(info, source)),
        }
        let is_video = stream == info.video.index;
        if is_video {
            let order = self.order;
            let (_, latest) = self.video_order.get_or_insert_with(|| (order, VecDeque::new()));
            latest.push_back(order);
            if latest.len() > MOST_HELD {
                latest.pop_front();
            }
        }
        let ticks = |time: i64| rescale(time, base, info.video.time_base);
        // What an edit list hides is read again, or further than it is shown, and is no place on any clock.
        match packet.clock_time().filter(|_| !packet.is_discarded()) {
            Some(time) => {
                let shown = packet.pts().unwrap_or(time);
                let end = ticks(shown.saturating_add(packet.duration()));
                let hour = time_to_ticks(Time::new(3600, 1), info.video.time_base).unwrap_or(i64::MAX);
                let late = is_video && shown.saturating_sub(time) > self.longest_delay.min(hour);
                // The clock has come to where a picture is decoded, which is shown who knows when.
                let until = if late { ticks(time.saturating_add(packet.duration())) } else { end };
                self.breaks.push(Seen { stream, steady, time: ticks(time), end: until });
                let seconds = time as f64 * base.to_f64() - info.start.seconds();
                if is_video {
                    self.is_decoded(time, hour);
                    if !late && let (Some(decoded), Some(shown)) = (packet.dts(), packet.pts()) {
                        self.is_overtaken(decoded, shown, seconds);
                    }
                }
                if late && self.late.len() < MOST_LATE {
                    self.late.push(Late { shown, decoded: time, end, seconds });
                } else {
                    self.is_shown(is_video, end);
                }
            }
            None => self.breaks.skip(stream),
        }
        if is_video {
            self.see_video(info, packet);
            return Ok(());
        }
        let time = packet.pts().or(packet.dts()).map(ticks);
        let elsewhere =
            |window: &Window| time.is_some_and(|time| window.is_before(time) || window.is_behind(time));
        if !info.window.as_deref().is_some_and(elsewhere)
            && let Some(held) = self.held.get_mut(stream as usize)
        {
            held.bytes = held.bytes.saturating_add(packet.data().len() as u64);
            held.count += 1;
        }
        Ok(())
    }

    /// Takes the next sample of a track that no film of this one has.
    fn see_other(&mut self, info: &FilmInfo, packet: &Packet, is_late: bool) {
        let order = self.order;
        let stream = packet.stream();
        let is_full = self.others.len() == MOST_OTHERS && !self.others.contains_key(&stream);
        // Of those that were known when the film was opened, none is of another programme.
        if is_full || is_late && !self.input.share_programme(info.video.index, stream) {
            return;
        }
        let now = self.now;
        let other = self.others.entry(stream).or_insert_with(|| {
            let raw = self.input.stream(stream);
            let (kind, codec, base) = (raw.kind, name(raw.codec), ratio(raw.time_base));
            OtherTrack {
                kind,
                codec,
                base,
                is_late,
                at: now,
                begun: order,
                ended: order,
                samples: 0,
                ticks: 0,
            }
        });
        other.samples += 1;
        other.ended = order;
        other.ticks = other.ticks.saturating_add(packet.duration());
    }

    /// Tells of what the source has in tracks that are in no film of this one: those that begin so late that
    /// the demuxer did not know them, and pictures that come where this film's have ended, or before they
    /// begin, as where a broadcast changes.
    fn note_others(&mut self, info: &FilmInfo) {
        let Some((begun, latest)) = self.video_order.take().filter(|_| info.window.is_none()) else { return };
        let ended = latest.front().copied().unwrap_or(begun);
        for (stream, other) in std::mem::take(&mut self.others) {
            let seconds = ticks_to_time(other.ticks, other.base).seconds();
            let lasts =
                if seconds > 0.0 { format!("{seconds:.1} s") } else { format!("{} samples", other.samples) };
            let (codec, at) = (&other.codec, other.at.max(0.0));
            let kind = match other.kind {
                ffi::VIDEO => "video",
                ffi::AUDIO => "audio",
                ffi::SUBTITLE => "subtitle",
                _ => continue,
            };
            let beside = ended.min(other.ended).saturating_sub(begun.max(other.begun));
            let detail = if other.kind == ffi::VIDEO && beside * 10 < other.ended - other.begun {
                let place = if other.begun < begun { "begins" } else { "goes on" };
                format!(
                    "the source {place} with another video track ({codec}, track {stream}), at {at:.1} s, for {lasts}: the film has none of its pictures"
                )
            } else if other.is_late {
                format!(
                    "{kind} track {stream} ({codec}) begins at {at:.1} s, too late to be found: {lasts} are not in the film"
                )
            } else {
                continue;
            };
            self.findings.push(Finding::whole(FindingKind::Missing, other.samples, detail));
        }
    }

    /// A sample that goes back from a leap proves that what leapt had wrong stamps.
    fn is_decoded(&mut self, time: i64, hour: i64) {
        let leaps = self.latest_decoded > i64::MIN && time > self.latest_decoded.saturating_add(hour);
        if leaps {
            self.latest_leapt = self.latest_leapt.max(Some(time));
        } else {
            self.latest_leapt = None;
            self.latest_decoded = self.latest_decoded.max(time);
        }
    }

    fn is_shown(&mut self, is_video: bool, end: i64) {
        self.end = self.end.max(end);
        if is_video {
            self.shown_until = self.shown_until.max(end);
        }
    }

    /// Tells the film of the last time at which a picture can be shown, and of those that say they are shown
    /// later. Before a gap a picture may be shown long after it is decoded, but never long after all others
    /// are.
    fn settle_late(&mut self, info: &mut FilmInfo) {
        let late = std::mem::take(&mut self.late);
        let mut overtaken = std::mem::take(&mut self.overtaken);
        overtaken.sort_unstable();
        let mut wrong = WrongTimes { latest: None, overtaken };
        if late.is_empty() {
            info.wrong = Arc::new(wrong);
            return;
        }
        let hour = time_to_ticks(Time::new(3600, 1), info.video.time_base).unwrap_or(i64::MAX);
        let latest = self.latest_leapt.unwrap_or(self.latest_decoded).saturating_add(hour);
        wrong.latest = Some(latest);
        for Late { shown, decoded, end, seconds } in late {
            if shown > latest || shown.saturating_sub(decoded) > self.longest_delay {
                self.findings.note(FindingKind::Times, seconds, String::new);
            } else {
                self.is_shown(true, end);
            }
        }
        info.wrong = Arc::new(wrong);
    }

    /// Takes note of a picture that is shown after it is decoded, and finds those whose place others took
    /// meanwhile. At a jump of the clock that shows nothing.
    fn is_overtaken(&mut self, decoded: i64, shown: i64, seconds: f64) {
        if self.waiting.back().is_some_and(|last| decoded < last.decoded) {
            self.waiting.clear();
        }
        if self.waiting.len() > MOST_BETWEEN
            && let Some(first) = self.waiting.pop_front()
            && first.shown > decoded
            && self.overtaken.len() < MOST_LATE
        {
            self.overtaken.push((first.decoded, first.shown));
            self.findings.note(FindingKind::Times, first.seconds, String::new);
        }
        self.waiting.push_back(Waiting { decoded, shown, seconds });
    }

    /// Takes the next sample of the video.
    fn see_video(&mut self, info: &FilmInfo, packet: Packet) {
        let (pts, dts) = (packet.pts(), packet.dts());
        self.read += 1;
        // Matroska has no such times, and those of the first samples cannot be derived.
        self.in_order &= self.decoded < dts || (self.decoded, dts) == (None, None);
        self.decoded = dts.or(self.decoded);
        if let Some(samples) = &mut self.placing {
            let shown = !packet.is_discarded() && !packet.data().is_empty();
            samples.push(VideoSample { pts, decoded: dts.or(pts), sync: packet.is_key(), shown });
            return;
        }
        // What is damaged beside the window is so at a time beside it.
        let (base, before) = (info.video.time_base, self.now);
        if let Some(time) = dts.or(pts) {
            self.now = time as f64 * base.to_f64() - info.start.seconds();
        }
        if let Some(window) = info.window.as_deref() {
            let time = pts.or(dts);
            if time.is_some_and(|time| window.is_before(time)) {
                if packet.is_key() {
                    self.before = Some(packet);
                }
                return;
            }
            // What is decoded behind the end is shown behind it, too.
            self.reached_end = self.in_order && dts.is_some_and(|dts| window.is_behind(dts));
            if time.is_some_and(|time| window.is_behind(time)) {
                return;
            }
        }
        self.samples += 1;
        // Of samples that do not say when they are decoded the times go to and fro.
        if self.now < before && (dts < pts || self.now < before - 1.0) {
            self.steps.begin_anew();
        }
        // What is decoded and not shown has no place among the others.
        match pts.filter(|&time| time < i64::MAX) {
            Some(_) if packet.is_discarded() => {}
            Some(time) => {
                self.steps.push(time);
                if packet.is_key() {
                    self.syncs.push(time);
                }
            }
            None => {
                self.timed = false;
                if let Some(time) = dts {
                    self.steps.push_decoded(time);
                }
            }
        }
        self.alpha |= packet.has_alpha();
        // The first pictures of a window are of the form that was decided before it.
        if let Some(earlier) = self.before.take().filter(|_| !packet.is_key()) {
            self.look(info, &earlier);
        }
        // Where the clock goes back another recording may begin.
        let due = self.now >= self.looked + LOOK || self.now < before;
        if packet.is_key() && due {
            self.looked = self.now;
            self.look(info, &packet);
        }
    }

    /// Decodes one sample alone.
    fn look(&mut self, info: &FilmInfo, packet: &Packet) {
        self.decoder.flush();
        // What cannot be decoded here is found, and told, where all is decoded.
        if self.decoder.send(Some(packet)).is_err() || self.decoder.send(None).is_err() {
            return;
        }
        if let Ok(Received::Frame(frame)) = self.decoder.receive()
            && frame.raw().damaged == 0
        {
            let stream = self.input.stream(info.video.index);
            self.note_form(info, &stream, &frame);
        }
    }

    fn note_form(&mut self, info: &FilmInfo, stream: &RawStream, frame: &Decoded) {
        let video = describe(info.video.index, stream, frame.raw(), info.duration);
        self.dolby_vision = self.dolby_vision.or(frame.dolby_vision());
        let own = ratio(frame.raw().aspect);
        if self.forms.is_empty() && video.states_aspect && own.is_positive() {
            let container = video.pixel_aspect_ratio;
            if i64::from(own.num) * i64::from(container.den) != i64::from(container.num) * i64::from(own.den)
            {
                let detail = format!(
                    "the stream states a pixel aspect ratio of {own}, and the container of {container}: the container's is kept, as players show it"
                );
                self.findings.push(Finding::whole(FindingKind::Aspect, 1, detail));
            }
        }
        let same = |other: &VideoTrack| {
            let key = |video: &VideoTrack| {
                let form = Form { fields: None, ..Form::of(video) };
                (form, video.format, video.pixel_format.clone())
            };
            key(other) == key(&video)
        };
        let form = match self.forms.iter().position(same) {
            Some(form) => form,
            None if self.forms.len() == MOST_FORMS => return,
            None => {
                self.forms.push(video);
                self.forms.len() - 1
            }
        };
        self.looks.push(Look { sample: self.samples, form, fields: frame.raw().interlaced });
    }

    /// Returns what decides about a window, and what was found of the clock. The film learns where its clock
    /// jumps.
    fn place(mut self, info: &mut FilmInfo) -> (window::Seen, Option<Finding>) {
        let sound = self.findings.is_empty();
        self.settle_late(info);
        let samples = self.placing.take().unwrap_or_default();
        let clock = self.settle_breaks(info);
        let seen = window::Seen { samples, in_order: self.in_order, sound, end: self.shown_until };
        (seen, clock)
    }

    fn finish(mut self, mut info: FilmInfo, whole: Extent) -> FilmInfo {
        self.settle_late(&mut info);
        let complete = self.reached_end || self.is_complete(&info, &whole);
        self.settle_form(&mut info);
        self.settle_rate(&mut info, complete);
        // What pictures bring counts, whatever the container announces.
        info.video.dolby_vision = self.dolby_vision.or(info.video.dolby_vision);
        if let Some(profile) = info.video.dolby_vision {
            let detail = if profile > 0 { format!("profile {profile}") } else { String::new() };
            self.findings.push(Finding::whole(FindingKind::DolbyVision, self.samples, detail));
        }
        if self.alpha {
            self.findings.push(Finding::whole(FindingKind::Transparency, 1, String::new()));
        }
        let gaps = self.breaks.take_gaps();
        // A window was settled on one clock already.
        if info.window.is_none()
            && let Some(finding) = self.settle_breaks(&mut info)
        {
            self.findings.push(finding);
        }
        self.settle_gaps(&mut info, &gaps);
        self.note_others(&info);
        if info.other_programmes > 0 {
            let count = info.other_programmes as u64;
            let detail = match count {
                1 => "1 track of another programme is left out".to_owned(),
                _ => format!("{count} tracks of other programmes are left out"),
            };
            self.findings.push(Finding::whole(FindingKind::Programmes, count, detail));
        }
        // Sync samples that are not in order would be no beginnings.
        let distinct = self.in_order && self.timed && !self.steps.doubled;
        let ordered = distinct && self.syncs.is_sorted_by(|a, b| a < b);
        info.syncs = Arc::new(if ordered { std::mem::take(&mut self.syncs) } else { Vec::new() });
        info.closest_frames = self.steps.shortest.map(|ticks| ticks_to_time(ticks, info.video.time_base));
        for track in &mut info.tracks {
            let counted = matches!(track.kind, TrackKind::Audio | TrackKind::Subtitle);
            track.samples = self.held.get(track.index as usize).copied().filter(|_| counted);
        }
        info.findings = self.findings.sorted();
        info.surveyed = true;
        info
    }

    /// Tells the film where its clock jumps, and returns what has to be told of it.
    fn settle_breaks(&mut self, info: &mut FilmInfo) -> Option<Finding> {
        let (tracks, video) = (&self.tracks, info.video.time_base);
        let to_track = |stream: u32, ticks| {
            let base = tracks.get(stream as usize).map_or(video, |track| track.0);
            rescale(ticks, video, base)
        };
        let finder = std::mem::replace(&mut self.breaks, BreakFinder::new(1, false));
        let (breaks, places) = finder.finish(to_track);
        info.breaks = Arc::new(breaks);
        let s = if places == 1 { "" } else { "s" };
        (places > 0).then(|| {
            let detail = format!(
                "the clock of the source jumps in {places} place{s}: what follows is moved there, all tracks that jump by the same time"
            );
            Finding::whole(FindingKind::Clock, places as u64, detail)
        })
    }

    /// Tells the film of the longest gap of each track, on the one clock of all.
    fn settle_gaps(&self, info: &mut FilmInfo, gaps: &[Gap]) {
        let video = info.video.time_base;
        for gap in gaps {
            let beside = |window: &Window| window.is_before(gap.from) || window.is_behind(gap.to);
            let Some(&(base, _)) = self.tracks.get(gap.stream as usize) else { continue };
            let moved = match info.window.as_deref() {
                Some(window) if beside(window) => continue,
                Some(_) => 0,
                None => rescale(gap.moved(&info.breaks), base, video),
            };
            let length = ticks_to_time(gap.to.saturating_sub(gap.from).saturating_add(moved), video);
            if !length.is_numeric() || length <= Time::new(GAP, 1) {
                continue;
            }
            match info.longest_gaps.iter_mut().find(|(track, _)| *track == gap.stream) {
                Some((_, longest)) => *longest = (*longest).max(length),
                None => info.longest_gaps.push((gap.stream, length)),
            }
        }
    }

    /// Compares the film with what its container promises.
    fn is_complete(&mut self, info: &FilmInfo, whole: &Extent) -> bool {
        let stream = self.input.stream(info.video.index);
        let index = u64::try_from(stream.listed).unwrap_or(0);
        let stated = if index > 0 { index } else { u64::try_from(stream.frames).unwrap_or(0) };
        // Demuxers pass over samples that hold nothing.
        let stated = stated.saturating_sub(self.input.empty_samples(info.video.index));
        let missing = stated.saturating_sub(self.read);
        // Heads are rounded, and some count what is only announced; an index counts what is there.
        let tolerated = if info.truncated { 0 } else { 2 + stated / 100 };
        let film = self.input.film();
        let length = match (whole.seconds, self.end) {
            (Some(seconds), end) if end > i64::MIN => {
                // Some writers count from the start of the film, and some from the zero of its clock.
                let end = ticks_to_time(end, info.video.time_base).seconds();
                Some((seconds, end.max(end - whole.start.seconds())))
            }
            _ => None,
        };
        let states = ["matroska", "webm", "flv", "avi", "asf"];
        let stated_by =
            film.states_duration != 0 && info.container.split(',').any(|name| states.contains(&name));
        let detail = match length {
            _ if missing > tolerated => {
                format!(
                    "all tracks can be read for {} of {stated} frames only: the file is incomplete",
                    self.read
                )
            }
            Some((wanted, found)) if stated_by && wanted - found > 1.0 + wanted / 100.0 => {
                format!("only {found:.3} s of {wanted:.3} s are there: the file is incomplete")
            }
            _ if info.truncated => "the file is incomplete: samples are missing at its end".to_owned(),
            _ => return true,
        };
        self.findings.push(Finding::whole(FindingKind::Missing, missing.max(1), detail));
        false
    }

    /// Chooses the form that suits the whole film.
    fn settle_form(&self, info: &mut FilmInfo) {
        let mut weights = vec![0.0; self.forms.len()];
        let mut fields = [0.0; 3];
        for (number, look) in self.looks.iter().enumerate() {
            let next = self.looks.get(number + 1).map_or(self.samples + 1, |next| next.sample);
            let samples = next.saturating_sub(look.sample) as f64;
            weights[look.form] += samples;
            if let Some(weight) = fields.get_mut(look.fields.unsigned_abs() as usize) {
                *weight += samples;
            }
        }
        let all: f64 = weights.iter().sum();
        let size = |video: &VideoTrack| (video.width, video.height);
        let of_size = |wanted: (u32, u32)| -> f64 {
            let forms = self.forms.iter().zip(&weights).filter(|(form, _)| size(form) == wanted);
            forms.map(|(_, weight)| weight).sum()
        };
        let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
        // The largest picture shrinks none, unless it is a moment in a long film.
        let sizes = self.forms.iter().map(size).filter(|&size| of_size(size) >= all * COUNTS);
        let Some(chosen) = sizes.max_by_key(|&size| area(size)) else { return };
        let best = self.forms.iter().zip(&weights).filter(|(form, _)| size(form) == chosen);
        let Some((best, _)) = best.max_by(|a, b| a.1.total_cmp(b.1)) else { return };
        // The first picture of the file is none of a window's.
        if self.forms.len() > 1 || info.window.is_some() {
            let first = std::mem::replace(&mut info.video, best.clone());
            // What only one picture stated holds for the film.
            info.video.mastering_display = info.video.mastering_display.or(first.mastering_display);
            info.video.content_light = info.video.content_light.or(first.content_light);
            // The deepest samples and the finest chroma count, unless they are a moment.
            let counting = self.forms.iter().zip(&weights).filter(|(_, weight)| **weight >= all * COUNTS);
            let formats = counting.map(|(form, _)| form.format).chain([info.video.format]);
            let best = formats.clone().map(PixelFormat::chroma_subsampling).max();
            let deepest = formats.map(PixelFormat::bit_depth).max();
            let joined = best.zip(deepest).and_then(|(chroma, depth)| PixelFormat::planar(chroma, depth));
            info.video.format = joined.unwrap_or(info.video.format);
        }
        let [whole, top, bottom] = fields;
        if top + bottom > 0.0 {
            let in_fields = top + bottom >= (whole + top + bottom) * FIELDS;
            let order = if top >= bottom { 1 } else { 2 };
            info.video.fields = if in_fields { crate::probe::fields(order, 0) } else { None };
            info.video.pictures_state_fields = true;
        }
    }

    /// Takes the frame rate from the times of frames, where what the container says cannot be true of them.
    fn settle_rate(&mut self, info: &mut FilmInfo, complete: bool) {
        let video = &mut info.video;
        if !complete {
            video.frames_hint = Some(self.samples).filter(|&samples| samples > 0);
        }
        let stated = video.frame_rate.to_f64();
        self.steps.begin_anew();
        let Some(measured) = self.steps.rate.measured().map(|rate| rate / video.time_base.to_f64()) else {
            // Where samples have no times, frames are as far apart as the stream states.
            if self.steps.shortest.is_none() && stated > FASTEST {
                video.frame_rate = Rational::new(25, 1);
                let detail = format!(
                    "the stream states {stated:.0} frames a second, which cannot be, and its samples have no times: 25 are taken"
                );
                self.findings.push(Finding::whole(FindingKind::FrameRate, 1, detail));
            }
            return;
        };
        // Each field may be a sample of its own.
        let fields = video.fields.is_some() && (1.8..2.2).contains(&(measured / stated));
        if (0.6..1.5).contains(&(stated / measured)) || fields || !(0.001..=100_000.0).contains(&measured) {
            return;
        }
        let detail = format!(
            "the container states {stated:.2} frames a second, and by the times of its frames the film has {measured:.2}: these count"
        );
        self.findings.push(Finding::whole(FindingKind::FrameRate, 1, detail));
        video.frame_rate = nearest_rate(measured);
        video.frames_hint = Some(self.samples);
    }
}

/// Opens a Matroska file once more, to walk its elements.
fn elements(info: &FilmInfo) -> Result<Option<Elements<Box<dyn ReadSeek>>>, MediaError> {
    if !info.container.split(',').any(|name| name == "matroska") {
        return Ok(None);
    }
    let open = |source| MediaError::Open { file: info.path.clone(), source };
    let bytes: Box<dyn ReadSeek> = match Bytes::open(&info.path, &info.access)? {
        Bytes::File(file) => Box::new(file),
        Bytes::Object(object) => Box::new(object),
        Bytes::Pipe(_) => return Ok(None),
    };
    Elements::new(bytes).map(Some).map_err(open)
}

/// The bytes of a film that can be read from any place.
trait ReadSeek: Read + Seek {}

impl<B: Read + Seek> ReadSeek for B {}

/// Returns the usual frame rate that is meant, or else the fraction.
fn nearest_rate(rate: f64) -> Rational {
    const USUAL: [(i32, i32); 11] = [
        (24000, 1001),
        (24, 1),
        (25, 1),
        (30000, 1001),
        (30, 1),
        (48, 1),
        (50, 1),
        (60000, 1001),
        (60, 1),
        (15, 1),
        (12, 1),
    ];
    let near = |&&(num, den): &&(i32, i32)| {
        let usual = f64::from(num) / f64::from(den);
        (usual / rate - 1.0).abs() < 0.0004
    };
    match USUAL.iter().find(near) {
        Some(&(num, den)) => Rational::new(num, den),
        None => Rational::new((rate * 1000.0).round() as i32, 1000),
    }
}

/// Returns ticks of one time base in those of another, rounded to nearest.
fn rescale(ticks: i64, from: Rational, to: Rational) -> i64 {
    if from == to || !from.is_positive() || !to.is_positive() {
        return ticks;
    }
    let numerator = i128::from(ticks) * i128::from(from.num) * i128::from(to.den);
    let denominator = i128::from(from.den) * i128::from(to.num);
    let half = if numerator >= 0 { denominator / 2 } else { -(denominator / 2) };
    i64::try_from((numerator + half) / denominator).unwrap_or(if ticks > 0 { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_that_are_meant() {
        assert_eq!(nearest_rate(23.9761), Rational::new(24000, 1001));
        assert_eq!(nearest_rate(15.152), Rational::new(15152, 1000));
    }

    #[test]
    fn pauses_are_no_rate() {
        let mut rate = Rate::default();
        (0..10).chain(400_000..400_010).for_each(|step| rate.push(step * 40, 1000));
        assert_eq!(rate.measured(), Some(1.0 / 40.0));
    }

    #[test]
    fn steps_are_those_between_frames_as_they_are_shown() {
        let mut steps = Steps::new(1000);
        [0, 120, 40, 80, 80, 240, 160, 200, 199].into_iter().for_each(|time| steps.push(time));
        assert_eq!(steps.shortest, Some(1));
        let mut steps = Steps::new(1000);
        (0..1000).for_each(|frame| steps.push(frame * 40));
        assert_eq!((steps.shortest, steps.latest.len()), (Some(40), MOST_REORDERED));
    }

    /// Where samples say only when they are shown, in the order in which they are decoded, and the clock
    /// jumps back in between, the rate is that of the frames as they are shown.
    #[test]
    fn a_rate_is_that_of_frames_as_they_are_shown() {
        let mut steps = Steps::new(1000);
        for start in [0, 500] {
            let groups = (start..start + 100).step_by(4);
            groups.flat_map(|at| [at, at + 3, at + 1, at + 2]).for_each(|frame| steps.push(frame * 40));
            steps.begin_anew();
        }
        assert_eq!(steps.rate.measured(), Some(1.0 / 40.0));
    }

    #[test]
    fn ticks_are_rounded_to_the_nearest() {
        let (milliseconds, video) = (Rational::new(1, 1000), Rational::new(1, 90_000));
        assert_eq!(rescale(40, milliseconds, video), 3600);
        assert_eq!((rescale(-3644, video, milliseconds), rescale(3646, video, milliseconds)), (-40, 41));
    }
}
