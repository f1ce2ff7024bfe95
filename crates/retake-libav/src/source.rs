//! Reads the packets of tracks that are copied, in decode order.

use crate::adts;
use crate::error::MediaError;
use crate::film::{FilmInfo, TrackInfo, TrackKind, ticks_to_time, time_to_ticks};
use crate::finding::{span, widened};
use crate::input::{Input, Packet, known};
use crate::note::Note;
use crate::output::Stamps;
use crate::survey::MOST_BETWEEN;
use retake_media::Time;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

/// The bytes of packets that may wait for other tracks to catch up. A source that needs more for its tracks
/// to meet is given out as badly interleaved as it was read, because memory must stay bounded.
const MOST_WAITING: usize = 16 << 20;

/// So many failures in a row, with no success between them, end a source.
const PATIENCE: u32 = 64;

/// Reads several tracks of a source that are copied, ordered by decode time, with times that are known and
/// never go back.
pub(crate) struct Source {
    file: PathBuf,
    input: Input,
    pub(crate) tracks: Vec<SourceTrack>,
    waiting: usize,
    ended: bool,
    lead: Lead,
}

/// What a reader can use of the packets in front of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    /// Everything that decoding needs before the first instant, because it can be hidden exactly.
    Hidden,
    /// The packet that the first instant lies in.
    Overlapping,
    /// Nothing: what comes before the first instant would be seen or heard.
    Nothing,
}

/// So much sound before the window lets every decoder give out the right samples in it: 80 ms for Opus, two
/// packets of AAC with spectral bands, the reservoir of MP3; in milliseconds.
const PREROLL: i64 = 250;

/// Instead of the time since which the sound of a track is hidden: some of it was heard.
const BEGUN: i64 = i64::MIN;
/// More hidden sound than this in front of a track, in milliseconds, is none that primes a decoder: that
/// takes one packet or two.
const PRIMING: i64 = 120;

/// So far behind a window is read on, because the packets of other tracks may lie later in the file; in
/// seconds.
const BEYOND: i64 = 5;

/// How many packets something happened to, and from when to when, in seconds of the film.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    count: u64,
    times: Option<(f64, f64)>,
}

impl Tally {
    fn add(&mut self, time: Option<f64>) {
        self.count += 1;
        if let Some(time) = time {
            self.times = Some(widened(self.times, time));
        }
    }
}

/// One of the tracks.
pub(crate) struct SourceTrack {
    pub(crate) info: TrackInfo,
    /// The start of a track whose packets have no times.
    start: i64,
    /// The ticks that are added after a break of the source's clock.
    offset: i64,
    last: Option<(i64, i64)>,
    /// The first pictures, while of none is known when it is decoded.
    undated: Vec<Packet>,
    /// When hidden sound begins in front of the track, and what of it primes the decoder.
    hidden_since: Option<i64>,
    priming: Vec<Packet>,
    queue: VecDeque<Waiting>,
    repaired: Tally,
    skipped: Tally,
    /// The form of the sound by the header of its first packet, and the packets of other forms.
    form: Option<[u8; 2]>,
    foreign: Tally,
    window: Option<TrackWindow>,
}

/// The part of a track that is read, in its ticks.
struct TrackWindow {
    start: i64,
    end: Option<i64>,
    /// When sound begins that is read for the sake of what follows it.
    preroll: i64,
    /// The time from which on nothing of the track can lie in the window, nor anything of others near by.
    beyond: Option<i64>,
    is_over: bool,
    /// Packets before the window on which those in it depend, or that are still shown in it.
    held: VecDeque<(Stamps, Packet)>,
    held_bytes: usize,
    /// Whether a packet in the window came, so that nothing is held any more.
    begun: bool,
}

/// A packet, and its times in ticks of its track.
pub(crate) struct SourcePacket {
    pub(crate) track: usize,
    pub(crate) stamps: Stamps,
    pub(crate) packet: Packet,
    /// The ticks by which the packet lasts less long than it would, because an end of the window cuts it.
    pub(crate) cut: i64,
}

/// A packet that waits for its turn.
struct Waiting {
    time: Time,
    stamps: Stamps,
    packet: Packet,
    cut: i64,
}

impl Source {
    /// Reads these tracks of a film, in its window if it has one. `lead` says what is read in front of that.
    pub(crate) fn new(info: &FilmInfo, mut input: Input, tracks: Vec<TrackInfo>, lead: Lead) -> Self {
        input.select(|index| tracks.iter().any(|track| track.index == index));
        let tracks: Vec<SourceTrack> =
            tracks.into_iter().map(|track| SourceTrack::new(info, track, lead)).collect();
        Self { file: info.path.clone(), ended: tracks.is_empty(), input, tracks, waiting: 0, lead }
    }

    /// Adds ticks to all times of each track, which `ticks` says of it.
    pub(crate) fn move_by(&mut self, ticks: impl Fn(&TrackInfo) -> i64) {
        for track in &mut self.tracks {
            track.offset = ticks(&track.info);
        }
    }

    /// Returns the next packet that is decoded before or at `until`, on the clock of the source.
    pub(crate) fn next(&mut self, until: Time) -> Result<Option<SourcePacket>, MediaError> {
        self.read_ahead(until)?;
        let heads = self.tracks.iter().enumerate();
        let next = heads.filter_map(|(track, t)| t.queue.front().map(|head| (head.time, track))).min();
        let Some((_, track)) = next.filter(|(time, _)| *time <= until) else { return Ok(None) };
        let taken = self.tracks[track].queue.pop_front();
        Ok(taken.map(|Waiting { stamps, packet, cut, .. }| {
            self.waiting -= packet.data().len() + 256;
            SourcePacket { track, stamps, packet, cut }
        }))
    }

    /// Returns notes about the packets that were repaired or left out on the way.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for track in &self.tracks {
            let counted = [
                (&track.repaired, "had times that were repaired"),
                (&track.skipped, "could not be copied: left out"),
                (
                    &track.foreign,
                    "of another rate or number of channels than the first cannot follow it in one track: left out",
                ),
            ];
            for (Tally { count, times }, what) in counted.into_iter().filter(|(tally, _)| tally.count > 0) {
                let s = if *count == 1 { "" } else { "s" };
                let text = format!("{}: {count} packet{s} {what}{}", track.info, span(*times));
                notes.push(Note { track: Some(track.info.index), text });
            }
        }
        notes
    }

    /// Returns the number of samples of sound that a packet of so many bytes decodes to; 0 where that is not
    /// known.
    pub(crate) fn sound_samples(&self, track: usize, bytes: usize) -> i64 {
        self.input.sound_samples(self.tracks[track].info.index, bytes)
    }

    /// Reads until every track that sounds all along is beyond `until`, as far as the memory for waiting
    /// packets allows.
    fn read_ahead(&mut self, until: Time) -> Result<(), MediaError> {
        let mut failures = 0;
        while !self.ended && self.waiting < MOST_WAITING && !self.is_ahead(until) {
            match self.input.read() {
                Ok(Some(packet)) => {
                    failures = 0;
                    self.accept(packet);
                }
                Ok(None) if self.input.has_changed() => {
                    return Err(MediaError::SourceChanged { file: self.file.clone(), frame: 0 });
                }
                Ok(None) => self.end(),
                Err(failure) if failure.is_again() => std::thread::sleep(Duration::from_millis(2)),
                Err(failure) if failure.is_final() => {
                    return Err(MediaError::read(&self.file, 0, self.input.position(), &failure));
                }
                Err(_) => {
                    failures += 1;
                    if failures > PATIENCE {
                        self.end();
                    }
                }
            }
        }
        Ok(())
    }

    fn is_ahead(&self, until: Time) -> bool {
        let mut sounding = self.tracks.iter().filter(|track| track.info.kind == TrackKind::Audio).peekable();
        let ahead = |track: &SourceTrack| track.queue.back().is_some_and(|last| last.time > until);
        if sounding.peek().is_some() { sounding.all(ahead) } else { self.tracks.iter().any(ahead) }
    }

    /// Ends the reading.
    fn end(&mut self) {
        self.ended = true;
        (0..self.tracks.len()).for_each(|track| self.accept_undated(track, None));
        (0..self.tracks.len()).for_each(|track| self.release(track));
    }

    fn accept(&mut self, packet: Packet) {
        let Some(number) = self.tracks.iter().position(|track| track.info.index == packet.stream()) else {
            return;
        };
        if self.tracks[number].is_foreign(&packet) {
            return;
        }
        // Sound without headers is written as it is, and writers take what begins like one for a header.
        if self.lead == Lead::Overlapping
            && self.tracks[number].info.codec == "aac"
            && adts::is_damaged(packet.data())
        {
            let time = self.tracks[number].seconds(&packet);
            self.tracks[number].skipped.add(time);
            return;
        }
        if self.tracks[number].info.kind == TrackKind::Audio {
            // What an edit list hides behind that, as between two parts of a recording, is hidden by no list
            // of ours.
            let in_front = self.tracks[number].hidden_since != Some(BEGUN);
            if self.lead == Lead::Hidden && packet.is_discarded() && in_front {
                self.place(number, packet.clock_time(), packet);
                return;
            }
            let Some(packet) = self.tracks[number].heard(packet) else { return };
            for packet in std::mem::take(&mut self.tracks[number].priming) {
                self.place(number, packet.clock_time(), packet);
            }
            self.place(number, packet.clock_time(), packet);
            return;
        }
        let track = &mut self.tracks[number];
        if !track.must_wait(&packet) {
            self.accept_undated(number, packet.dts());
            let decoded = self.tracks[number].decoded(&packet);
            self.place(number, decoded, packet);
            return;
        }
        self.waiting += packet.data().len() + 256;
        track.undated.push(packet);
    }

    /// Gives the first pictures of a track, of which is not known when they are decoded, such times before
    /// that of the first one of which it is.
    fn accept_undated(&mut self, number: usize, known: Option<i64>) {
        let track = &mut self.tracks[number];
        let undated = std::mem::take(&mut track.undated);
        let shown: BTreeSet<i64> = undated.iter().filter_map(Packet::pts).collect();
        let steps = shown.iter().zip(shown.iter().skip(1)).map(|(one, next)| next - one);
        let step =
            steps.chain(undated.iter().map(Packet::duration)).filter(|&step| step > 0).min().unwrap_or(1);
        let first = shown.first().copied().unwrap_or(track.start);
        let count = i64::try_from(undated.len()).unwrap_or(i64::MAX);
        // Each picture is decoded before it is shown, and the first one as early as all wait for each other.
        let after = known.unwrap_or(first.saturating_add(step)).min(first.saturating_add(step));
        for (place, packet) in (0..count).zip(undated) {
            self.waiting -= packet.data().len() + 256;
            let decoded = after.saturating_sub((count - place).saturating_mul(step));
            self.place(number, Some(decoded), packet);
        }
    }

    /// Finds the place of a packet in what is read of its track.
    fn place(&mut self, number: usize, decoded: Option<i64>, packet: Packet) {
        let lead = self.lead;
        let track = &mut self.tracks[number];
        let counts = (track.repaired, track.skipped);
        let Some(mut stamps) = track.stamp(&packet, decoded) else {
            track.skipped.add(track.seconds(&packet));
            return;
        };
        if stamps.duration <= 0 && track.info.kind == TrackKind::Audio {
            stamps.duration = unstated(&self.input, &track.info, &packet);
        }
        let Some(window) = &mut track.window else { return self.queue(number, stamps, packet, 0) };
        let place = window.place(track.info.kind, lead, stamps, packet.is_key());
        if !matches!(place, Place::Inside(..)) {
            // What happens elsewhere is no matter of the part that is read.
            (track.repaired, track.skipped) = counts;
        }
        match place {
            Place::Outside => {}
            Place::Held { alone } => window.hold(stamps, packet, alone),
            Place::Inside(stamps, cut) => {
                window.begun = true;
                // Once the window has begun on one track, what is still shown from before is shown on all.
                match track.info.kind {
                    TrackKind::Audio => (0..self.tracks.len()).for_each(|track| self.release(track)),
                    _ => self.release(number),
                }
                self.queue(number, stamps, packet, cut);
            }
        }
        let over = |track: &SourceTrack| track.window.as_ref().is_some_and(|window| window.is_over);
        let goes_on = |track: &&SourceTrack| matches!(track.info.kind, TrackKind::Audio | TrackKind::Video);
        let is_over = match self.tracks.iter().any(|track| goes_on(&track)) {
            true => self.tracks.iter().filter(goes_on).all(over),
            false => self.tracks.iter().all(over),
        };
        if is_over {
            self.end();
        }
    }

    /// Gives out what is held of a track; texts and pictures that are still shown then begin with the window.
    fn release(&mut self, number: usize) {
        let track = &mut self.tracks[number];
        let subtitle = track.info.kind == TrackKind::Subtitle;
        let Some(window) = &mut track.window else { return };
        // The pictures of a track are only worth something with one in the window behind them.
        if !window.begun && !subtitle {
            return;
        }
        window.held_bytes = 0;
        let (start, held) = (window.start, std::mem::take(&mut window.held));
        for (stamps, packet) in held {
            let stamps = match subtitle {
                true => Stamps { pts: start, dts: start, ..stamps },
                false => stamps,
            };
            self.queue(number, stamps, packet, 0);
        }
    }

    fn queue(&mut self, track: usize, stamps: Stamps, packet: Packet, cut: i64) {
        let track = &mut self.tracks[track];
        let time = ticks_to_time(stamps.dts, track.info.time_base);
        self.waiting += packet.data().len() + 256;
        track.queue.push_back(Waiting { time, stamps, packet, cut });
    }
}

/// Where a packet lies.
enum Place {
    Outside,
    /// In front of the window, and of use in it; `alone` if what was held before is of use no more.
    Held {
        alone: bool,
    },
    /// In the window, with the times that it has in it, and the ticks by which it lasts less long.
    Inside(Stamps, i64),
}

impl TrackWindow {
    /// Makes the part of a track that a film's window leaves.
    fn of(info: &FilmInfo, track: &TrackInfo, lead: Lead) -> Option<Self> {
        let window = info.window.as_ref()?;
        let (start, end) = window.in_ticks(info, track.time_base);
        let ticks = |value, scale| time_to_ticks(Time::new(value, scale), track.time_base).unwrap_or(0);
        let preroll = match lead {
            // What comes before the start of a film is there to prime its decoders.
            _ if window.is_from_start => i64::MIN,
            Lead::Hidden => start.saturating_sub(ticks(PREROLL, 1000)),
            Lead::Overlapping | Lead::Nothing => start,
        };
        Some(Self {
            start,
            end,
            preroll,
            beyond: end.map(|end| end.saturating_add(ticks(BEYOND, 1))),
            is_over: false,
            held: VecDeque::new(),
            held_bytes: 0,
            begun: false,
        })
    }

    /// Says where a packet lies, which came after all others of its track so far.
    fn place(&mut self, kind: TrackKind, lead: Lead, stamps: Stamps, key: bool) -> Place {
        let Stamps { pts, dts, duration } = stamps;
        let (start, until) = (self.start, pts.saturating_add(duration));
        let behind = |time: i64| self.end.is_some_and(|end| time >= end);
        let late = self.end.map_or(0, |end| until.saturating_sub(end).max(0)).min(duration);
        self.is_over |= self.beyond.is_some_and(|beyond| dts >= beyond);
        match kind {
            // A cover has no time.
            TrackKind::Cover => Place::Inside(Stamps { pts: start, dts: start, duration }, 0),
            // Other pictures may depend on those that are decoded in the window and shown behind it.
            TrackKind::Video if behind(dts) => Place::Outside,
            TrackKind::Video => match (pts < start, lead) {
                (true, Lead::Hidden) => Place::Held { alone: key },
                (true, _) => Place::Outside,
                (false, Lead::Hidden) => Place::Inside(stamps, 0),
                // Decoding begins with a sync sample.
                (false, _) if self.begun || key => Place::Inside(stamps, 0),
                (false, _) => Place::Outside,
            },
            _ if behind(pts) => Place::Outside,
            TrackKind::Subtitle if pts >= start => {
                Place::Inside(Stamps { duration: duration - late, ..stamps }, late)
            }
            // It is shown until the next one takes its place, or takes it away.
            TrackKind::Subtitle if duration == 0 => Place::Held { alone: true },
            TrackKind::Subtitle if until > start => {
                let stamps = Stamps { pts: start, dts: start, duration: until - start - late };
                Place::Inside(stamps, duration - stamps.duration)
            }
            TrackKind::Subtitle => Place::Outside,
            _ => {
                let reaches = pts >= self.preroll || (until > start && lead != Lead::Nothing);
                match reaches {
                    true => Place::Inside(Stamps { duration: duration - late, ..stamps }, late),
                    false => Place::Outside,
                }
            }
        }
    }

    /// Keeps a packet in front of the window. More than memory allows is given up, so that the track begins
    /// with its next sync sample.
    fn hold(&mut self, stamps: Stamps, packet: Packet, alone: bool) {
        if alone {
            self.held.clear();
            self.held_bytes = 0;
        } else if self.held.is_empty() {
            return;
        }
        self.held_bytes += packet.data().len() + 256;
        if self.held_bytes > MOST_WAITING {
            self.held.clear();
            return;
        }
        self.held.push_back((stamps, packet));
    }
}

/// Returns how long a packet of sound lasts that does not say it, in ticks of its track: to the end of the
/// track, and not longer than what it decodes to, or a second. One that lasted no time at all, such as the
/// last one of FLAC behind an edit list, would be cut off by the edit list of the new film.
fn unstated(input: &Input, track: &TrackInfo, packet: &Packet) -> i64 {
    let samples = input.sound_samples(track.index, packet.data().len());
    let rate = i32::try_from(track.sample_rate).unwrap_or(i32::MAX).max(1);
    let whole = time_to_ticks(Time::new(samples, rate), track.time_base).unwrap_or(0);
    let stream = input.stream(track.index);
    let end =
        known(stream.start).zip(known(stream.duration)).map(|(start, length)| start.saturating_add(length));
    let left = end.zip(packet.pts()).map(|(end, pts)| end.saturating_sub(pts)).filter(|left| *left > 0);
    let most = time_to_ticks(Time::new(1, 1), track.time_base).unwrap_or(0);
    match left {
        Some(left) if whole > 0 => left.min(whole),
        Some(left) => left.min(most),
        None => whole,
    }
}

impl SourceTrack {
    fn new(film: &FilmInfo, info: TrackInfo, lead: Lead) -> Self {
        let start = time_to_ticks(film.whole_start(), info.time_base).unwrap_or(0);
        let window = TrackWindow::of(film, &info, lead);
        Self {
            info,
            start,
            offset: 0,
            last: None,
            undated: Vec::new(),
            hidden_since: None,
            priming: Vec::new(),
            queue: VecDeque::new(),
            repaired: Tally::default(),
            skipped: Tally::default(),
            form: None,
            foreign: Tally::default(),
            window,
        }
    }

    /// Returns the ticks between the least times of two packets: for sound one sample, rounded up, because
    /// that is the clock of sound in ISO files.
    fn apart(&self) -> i64 {
        if self.info.kind != TrackKind::Audio {
            return 0;
        }
        let sample = i64::from(self.info.time_base.num.max(1)) * i64::from(self.info.sample_rate.max(1));
        let second = i64::from(self.info.time_base.den.max(1));
        (second - 1) / sample + 1
    }

    /// A packet that is decoded then, in ticks of the track, is left out.
    pub(crate) fn skip(&mut self, dts: Option<i64>) {
        self.skipped.add(dts.map(|dts| self.since_start(dts)));
    }

    /// The times of such a packet were repaired.
    pub(crate) fn repair(&mut self, dts: Option<i64>) {
        self.repaired.add(dts.map(|dts| self.since_start(dts)));
    }

    fn since_start(&self, dts: i64) -> f64 {
        dts.saturating_sub(self.start) as f64 * self.info.time_base.to_f64()
    }

    /// Returns when a packet is decoded by its own stamp, in seconds of the film.
    fn seconds(&self, packet: &Packet) -> Option<f64> {
        Some(self.since_start(packet.clock_time()?.saturating_add(self.offset)))
    }

    /// Whether a packet says of itself that it is sound of another form than the track began with. A track
    /// has one description, by which it would be played too fast, or not at all.
    fn is_foreign(&mut self, packet: &Packet) -> bool {
        if self.info.codec != "aac" {
            return false;
        }
        let Some(form) = adts::configuration(packet.data()) else { return false };
        let foreign = *self.form.get_or_insert(form) != form;
        if foreign {
            self.foreign.add(self.seconds(packet));
        }
        foreign
    }

    /// Returns a packet of sound if it is heard. What an edit list hides in front of a track, as where a film
    /// was cut without encoding it again, must not be heard where there is no such list; the little that
    /// primes a decoder waits for the first packet that is heard.
    fn heard(&mut self, packet: Packet) -> Option<Packet> {
        let second = time_to_ticks(Time::new(1, 1), self.info.time_base).unwrap_or(1);
        let longest = second.saturating_mul(PRIMING) / 1000;
        let time = packet.clock_time().unwrap_or(0);
        let since = *self.hidden_since.get_or_insert(time);
        if time.saturating_sub(since) > longest {
            self.priming.clear();
        }
        if !packet.is_discarded() {
            // None but the first packets are hidden in front of the track.
            self.hidden_since = Some(BEGUN);
            return Some(packet);
        }
        if time.saturating_sub(since) <= longest {
            self.priming.push(packet);
        }
        None
    }

    /// Whether the times of a picture follow from those behind it: Matroska, for one, does not say when
    /// pictures are decoded, and of the first ones nobody can tell before more of them came.
    fn must_wait(&self, packet: &Packet) -> bool {
        let unknown = packet.dts().is_none() && packet.pts().is_some();
        unknown
            && self.info.kind == TrackKind::Video
            && self.last.is_none()
            && self.undated.len() < MOST_BETWEEN
    }

    /// Returns when a packet is decoded by its stamps. Of a picture that says only when it is shown, that is
    /// no later than right behind the one before.
    fn decoded(&self, packet: &Packet) -> Option<i64> {
        let follows = self.last.map(|(dts, duration)| dts.saturating_add(duration.max(1)) - self.offset);
        match (packet.dts(), packet.pts(), follows) {
            (None, Some(shown), Some(follows)) if self.info.kind == TrackKind::Video => {
                Some(shown.min(follows))
            }
            _ => packet.clock_time(),
        }
    }

    /// Returns the times of the next packet, which are known and never go back. `None` means that they cannot
    /// be derived, or that the packet is empty.
    fn stamp(&mut self, packet: &Packet, decoded: Option<i64>) -> Option<Stamps> {
        if packet.data().is_empty() && self.info.kind != TrackKind::Subtitle {
            return None;
        }
        let follow = |(dts, duration): (i64, i64)| dts.saturating_add(duration.max(1));
        let given = decoded.map(|dts| dts.saturating_add(self.offset));
        let (mut dts, mut repaired) = match (given, self.last) {
            (Some(dts), _) => (dts, false),
            (None, Some(last)) => (follow(last), true),
            (None, None) => (self.start, true),
        };
        let mut pts = packet.pts().map_or(dts, |pts| pts.saturating_add(self.offset));
        // Of sound no two packets begin at once: who writes it in segments could not tell which comes first.
        let apart = self.apart();
        if let Some(last) = self.last.filter(|last| dts < last.0.saturating_add(apart)) {
            repaired = true;
            let second = time_to_ticks(Time::new(1, 1), self.info.time_base).unwrap_or(1);
            let ahead = if last.0.saturating_sub(dts) > second {
                // A break in the source's clock moves everything that follows, too.
                let ahead = follow(last).saturating_sub(dts);
                self.offset = self.offset.saturating_add(ahead);
                ahead
            } else {
                last.0.saturating_add(apart).saturating_sub(dts)
            };
            dts = dts.saturating_add(ahead);
            pts = pts.saturating_add(ahead);
        }
        // A cover has no time, so it does not count.
        if repaired && self.info.kind != TrackKind::Cover {
            self.repaired.add(self.seconds(packet));
        }
        self.last = Some((dts, packet.duration()));
        Some(Stamps { pts: pts.max(dts), dts, duration: packet.duration() })
    }
}
