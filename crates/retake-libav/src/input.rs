//! Opens a film and reads its packets.
#![allow(unsafe_code)]

use crate::access::{Access, Bytes, FileState, Owner};
use crate::error::MediaError;
use crate::failure::{Failure, attempt, attempt_quickly, c_path, text};
use crate::ffi::{self, RawAudio, RawChapter, RawFilm, RawPacket, RawStream};
use crate::film::{FilmInfo, WrongTimes, ticks_to_time, time_to_ticks};
use crate::objects::Cause;
use crate::probe::ratio;
use crate::stamps::{StampJudge, Wrong};
use crate::timeline::{Place, Timeline};
use retake_media::{AudioFormat, Caption, Rational, Time, TimeRange};
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// An open film. It owns the demuxer and the file behind it, and closes both when it is dropped.
pub(crate) struct Input {
    input: NonNull<ffi::RtInput>,
    /// The bytes of the film, which the demuxer closes.
    bytes: NonNull<Bytes>,
    /// The state of the file when it was opened.
    state: Option<FileState>,
    /// Why reading failed, where no number says it.
    cause: Cause,
    /// What the callbacks of the demuxer point to.
    _owner: Box<Owner>,
    timeline: Timeline,
    /// Which stamps of pictures cannot be.
    late: Option<LateStamps>,
    /// What is wrong with the stamps of each track, and the longest time that a sample of it can last, in its
    /// ticks.
    judges: Vec<StampJudge>,
    longest: Vec<i64>,
}

/// The pictures that are shown too late, by their own stamps, for it to be true.
struct LateStamps {
    video: u32,
    wrong: Arc<WrongTimes>,
    /// The longest time from when a picture is decoded to when it is shown, in ticks.
    longest: i64,
}

// SAFETY: a demuxer and its bytes are used by one thread at a time (every call takes `&mut` or only reads),
// but not bound to one.
unsafe impl Send for Input {}

impl LateStamps {
    fn has(&self, packet: &Packet) -> bool {
        let Some(shown) = packet.pts().filter(|_| packet.stream() == self.video) else { return false };
        let waits = |decoded: i64| shown.saturating_sub(decoded) > self.longest;
        let overtaken = |decoded| self.wrong.overtaken.binary_search(&(decoded, shown)).is_ok();
        self.wrong.latest.is_some_and(|latest| shown > latest || packet.dts().is_some_and(waits))
            || packet.dts().is_some_and(overtaken)
    }
}

/// Where clocks jump ahead, no picture is shown longer after it is decoded than this, in seconds: streams
/// hold a still picture back for a minute at most (ISO 13818-1).
const LONGEST_DELAY: i64 = 60;

/// Returns for how long after it is decoded a picture may be shown, in ticks of the video. Before a gap that
/// may be any time; where clocks jump ahead, a gap is a jump, which lies between pictures.
pub(crate) fn longest_delay(live: bool, info: &FilmInfo) -> i64 {
    let longest = time_to_ticks(Time::new(LONGEST_DELAY, 1), info.unfiltered().time_base);
    longest.filter(|_| live).unwrap_or(i64::MAX)
}

/// No sample is shown or heard for longer, in seconds. Clocks of broadcasts, which count 90,000 ticks a
/// second, have no more in the 32 bits that ISO files have for a duration.
const LONGEST_SAMPLE: i64 = 6 * 3600;
/// The finest clock of a track in an ISO file that is made of one as fine, and the one that is made of finer
/// ones.
const FINEST: [i64; 2] = [10_000_000, 1_000_000];

/// Returns the seconds that a sample can last on a clock. What states more is damaged, and players go by the
/// next sample. Where there is none, as at the end of the film, the container could not say so long a time.
fn longest_sample(base: Rational) -> i64 {
    let [finest, instead] = FINEST;
    let own = time_to_ticks(Time::new(1, 1), base).unwrap_or(i64::MAX);
    let clock = if own > finest { instead } else { own };
    LONGEST_SAMPLE.min(i64::from(i32::MAX) / clock.max(1))
}

/// So many bytes of a broadcast are looked through at most for tracks that begin late: some minutes. Some
/// list tracks of which nothing ever comes.
const FURTHEST: i64 = 256 << 20;

impl Input {
    /// Opens a film and looks into it far enough to know its tracks.
    pub(crate) fn open(path: &Path, access: &Access) -> Result<Self, MediaError> {
        Self::open_to(path, access, 0)
    }

    /// Opens a film and looks into it for so many bytes; 0: as far as usual.
    fn open_to(path: &Path, access: &Access, depth: i64) -> Result<Self, MediaError> {
        let bytes = Bytes::open(path, access)?;
        let (state, seekable, cause) = (bytes.state(), c_int::from(bytes.is_seekable()), bytes.cause());
        if state.as_ref().is_some_and(FileState::is_empty) {
            return Err(MediaError::Empty { file: path.into() });
        }
        let bytes = NonNull::from(Box::leak(Box::new(bytes)));
        let mut owner = Owner::new(path, access);
        let (callbacks, name) = (owner.callbacks(), c_path(path));
        let mut input = ptr::null_mut();
        // SAFETY: the bytes are the shim's from here on, whatever it answers, and closed by its callback; the
        // owner lives as long as the input; on success the shim gives an object that is ours.
        let opened = attempt(|| unsafe {
            ffi::rt_open(&callbacks, bytes.as_ptr().cast(), seekable, name.as_ptr(), depth, &mut input)
        });
        opened.map_err(|failure| MediaError::open(path, &failure.caused_by(&cause)))?;
        let input = NonNull::new(input).expect("an opened film has an address");
        let timeline = Timeline::default();
        let (late, judges, longest) = (None, Vec::new(), Vec::new());
        let mut opened = Self { input, bytes, state, cause, _owner: owner, timeline, late, judges, longest };
        opened.settle_tracks();
        Ok(opened)
    }

    /// Takes note of what the stamps of each track can be.
    fn settle_tracks(&mut self) {
        let tracks = (0..self.film().streams as u32).map(|index| self.stream(index));
        let starts = tracks
            .clone()
            .filter_map(|track| known(track.start).map(|start| ticks_to_time(start, ratio(track.time_base))));
        let start = starts.filter(|time| time.is_numeric()).min();
        let bases = tracks.map(|track| ratio(track.time_base));
        (self.judges, self.longest) = bases
            .map(|base| {
                let start = start.and_then(|start| time_to_ticks(start, base));
                let ticks = |seconds| time_to_ticks(Time::new(seconds, 1), base).unwrap_or(i64::MAX);
                (StampJudge::new(ticks(1), start), ticks(longest_sample(base)))
            })
            .unzip();
    }

    /// Returns whether two tracks are of one programme, or one of them is of none.
    pub(crate) fn share_programme(&self, one: u32, other: u32) -> bool {
        // SAFETY: the call only reads.
        unsafe { ffi::rt_share_programme(self.as_ptr(), one as i32, other as i32) != 0 }
    }

    /// The same, but a broadcast is looked through for minutes, because a track begins late. Returns nothing
    /// where all tracks are known.
    pub(crate) fn open_further(&self, path: &Path, access: &Access) -> Result<Option<Self>, MediaError> {
        // SAFETY: the call only reads.
        let lacks = unsafe { ffi::rt_lacks_descriptions(self.as_ptr()) } != 0;
        lacks.then(|| Self::open_to(path, access, FURTHEST)).transpose()
    }

    /// Opens a film again that was looked at before, with all its tracks, and gives its times as one clock.
    /// Another file in its place is refused.
    pub(crate) fn open_again(info: &FilmInfo) -> Result<Self, MediaError> {
        Self::reopen(info, if info.looked_further { FURTHEST } else { 0 })
    }

    /// The same, where other tracks than the video are not read.
    pub(crate) fn open_for_video(info: &FilmInfo) -> Result<Self, MediaError> {
        Self::reopen(info, 0)
    }

    fn reopen(info: &FilmInfo, depth: i64) -> Result<Self, MediaError> {
        let mut input = Self::open_to(&info.path, &info.access, depth)?;
        if input.state != info.state {
            return Err(MediaError::SourceChanged { file: info.path.clone(), frame: 0 });
        }
        input.timeline = Timeline::new(&info.breaks);
        let longest = longest_delay(input.film().live_times != 0, info);
        let late = || LateStamps { video: info.video.index, wrong: info.wrong.clone(), longest };
        input.late = (*info.wrong != WrongTimes::default()).then(late);
        Ok(input)
    }

    /// Returns the state of the file when it was opened; `None` for a pipe.
    pub(crate) fn state(&self) -> Option<FileState> {
        self.state.clone()
    }

    /// Returns whether a track is made of several recordings.
    pub(crate) fn is_joined(&self, stream: u32) -> bool {
        self.timeline.is_joined(stream)
    }

    /// Returns whether the file is another one than when it was opened, because somebody wrote it meanwhile.
    pub(crate) fn has_changed(&self) -> bool {
        // SAFETY: the shim closes the bytes with the input, and reads them in calls of this thread alone.
        unsafe { self.bytes.as_ref() }.state() != self.state
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::RtInput {
        self.input.as_ptr()
    }

    /// Returns facts about the film; their texts live as long as the input.
    pub(crate) fn film(&self) -> RawFilm {
        let mut out = MaybeUninit::uninit();
        // SAFETY: the shim fills the whole struct.
        unsafe {
            ffi::rt_film_of(self.as_ptr(), out.as_mut_ptr());
            out.assume_init()
        }
    }

    /// Returns facts about a track; their texts live as long as the input.
    pub(crate) fn stream(&self, index: u32) -> RawStream {
        let mut out = MaybeUninit::uninit();
        // SAFETY: the shim fills the whole struct, with zeros if there is no such track.
        unsafe {
            ffi::rt_stream_of(self.as_ptr(), index as i32, out.as_mut_ptr());
            out.assume_init()
        }
    }

    /// Returns the description of an audio track; `None` for other tracks.
    pub(crate) fn audio(&self, index: u32) -> Option<AudioFormat> {
        let mut out = MaybeUninit::<RawAudio>::uninit();
        // SAFETY: on success the shim has filled the struct, and its text and bytes live as long as the
        // input.
        unsafe {
            if ffi::rt_audio_of(self.as_ptr(), index as i32, out.as_mut_ptr()) < 0 {
                return None;
            }
            Some(audio_format(&out.assume_init()))
        }
    }

    /// Returns the number of samples that a packet of so many bytes of an audio track decodes to; 0 where
    /// that is not known.
    pub(crate) fn sound_samples(&self, index: u32, bytes: usize) -> i64 {
        let bytes = i32::try_from(bytes).unwrap_or(0);
        // SAFETY: the call only reads.
        i64::from(unsafe { ffi::rt_sound_samples(self.as_ptr(), index as i32, bytes) }.max(0))
    }

    /// Returns how many samples of a track hold nothing, by the index of an AVI file: these say that the
    /// frame before is shown once more.
    pub(crate) fn empty_samples(&self, index: u32) -> u64 {
        // SAFETY: the call only reads.
        u64::try_from(unsafe { ffi::rt_empty_samples(self.as_ptr(), index as i32) }).unwrap_or(0)
    }

    /// Reads these tracks only from here on.
    pub(crate) fn select(&mut self, wanted: impl Fn(u32) -> bool) {
        let wanted: Vec<u8> = (0..self.film().streams as u32).map(|index| u8::from(wanted(index))).collect();
        // SAFETY: the list has as many bytes as stated.
        unsafe { ffi::rt_select(self.as_ptr(), wanted.as_ptr(), wanted.len() as i32) };
    }

    /// Returns the next packet of the selected tracks, in the order of the file; `None` at the end.
    pub(crate) fn read(&mut self) -> Result<Option<Packet>, Failure> {
        let mut out = MaybeUninit::uninit();
        // SAFETY: the shim fills the whole struct; on success its packet is ours.
        match attempt_quickly(|| unsafe { ffi::rt_read(self.as_ptr(), out.as_mut_ptr()) }) {
            Ok(_) => {
                // SAFETY: the shim has filled the struct.
                let mut packet = Packet(unsafe { out.assume_init() }, false);
                if self.longest.get(packet.stream() as usize).is_some_and(|&most| packet.duration() > most) {
                    // SAFETY: the packet is ours, and its times are not shared.
                    unsafe { ffi::rt_packet_unlast(&mut packet.0) };
                }
                if packet.is_discarded() {
                    // An edit list that begins again elsewhere has the decoder read on, and back, unseen.
                    let Place { ticks, .. } = self.timeline.pass(packet.stream());
                    packet.shift(ticks);
                    return Ok(Some(packet));
                }
                let judge = self.judges.get_mut(packet.stream() as usize);
                match judge.and_then(|judge| judge.next(packet.dts(), packet.pts())) {
                    // SAFETY: the packet is ours, and its times are not shared.
                    Some(Wrong::Decoded) => unsafe { ffi::rt_packet_undecode(&mut packet.0) },
                    // SAFETY: as above.
                    Some(Wrong::Shown) => unsafe { ffi::rt_packet_untime(&mut packet.0) },
                    None => {}
                }
                if self.late.as_ref().is_some_and(|late| late.has(&packet)) {
                    // SAFETY: the packet is ours, and its times are not shared.
                    unsafe { ffi::rt_packet_untime(&mut packet.0) };
                }
                let Place { ticks, joined, begins } =
                    self.timeline.next(packet.stream(), packet.clock_time());
                packet.0.corrupt &= i32::from(!joined);
                packet.1 = begins;
                packet.shift(ticks);
                Ok(Some(packet))
            }
            Err(failure) if failure.is_end() => Ok(None),
            Err(failure) => Err(failure.caused_by(&self.cause)),
        }
    }

    /// Goes to the last sync sample of a track at or before a time (in the track's ticks), as far as the
    /// container knows.
    pub(crate) fn seek(&mut self, stream: u32, time: i64) -> Result<(), Failure> {
        self.judges.iter_mut().for_each(StampJudge::restart);
        // SAFETY: all arguments are plain numbers.
        let sought = attempt(|| unsafe { ffi::rt_seek(self.as_ptr(), stream as i32, time) });
        sought.map(drop).map_err(|failure| failure.caused_by(&self.cause))
    }

    /// Keeps a copy of all packets from here on, for [`Input::replay`].
    pub(crate) fn record(&mut self) {
        // SAFETY: the call sets no more than a flag.
        unsafe { ffi::rt_record(self.as_ptr()) };
    }

    /// Gives out the recorded packets once more, then goes on.
    pub(crate) fn replay(&mut self) {
        // SAFETY: the call sets no more than a flag.
        unsafe { ffi::rt_replay(self.as_ptr()) };
    }

    /// Returns the byte that reading has reached; negative if unknown.
    pub(crate) fn position(&self) -> i64 {
        // SAFETY: the call only reads.
        unsafe { ffi::rt_position(self.as_ptr()) }
    }

    /// Returns how many errors in the container reading has met so far.
    pub(crate) fn complaints(&self) -> u64 {
        // SAFETY: the call only reads.
        unsafe { ffi::rt_complaints(self.as_ptr()) }.unsigned_abs()
    }

    /// Returns the tags of a track, or of the film (`None`), in their order.
    pub(crate) fn tags(&self, stream: Option<u32>) -> Vec<(String, String)> {
        let index = stream.map_or(-1, |index| index as i32);
        let mut tags = Vec::new();
        let (mut name, mut value) = (ptr::null(), ptr::null());
        // SAFETY: where the shim answers 1 both texts are terminated, and they are copied before anything
        // else happens.
        unsafe {
            while ffi::rt_input_tag(self.as_ptr(), index, tags.len() as i32, &mut name, &mut value) == 1 {
                tags.push((text(name).unwrap_or_default(), text(value).unwrap_or_default()));
            }
        }
        tags
    }

    /// Returns the chapters in the order of the container. One whose end nobody knows has no duration.
    pub(crate) fn chapters(&self) -> Vec<Caption> {
        let mut chapters = Vec::new();
        let mut out = MaybeUninit::<RawChapter>::uninit();
        // SAFETY: where the shim answers 0 the struct is filled, and its text is terminated and copied before
        // anything else happens.
        unsafe {
            while ffi::rt_chapter_of(self.as_ptr(), chapters.len() as c_int, out.as_mut_ptr()) == 0 {
                let RawChapter { time_base, start, end, title } = out.assume_init_read();
                let base = Rational::new(time_base.num, time_base.den);
                let time = |ticks| known(ticks).map_or(Time::INVALID, |ticks| ticks_to_time(ticks, base));
                let range = TimeRange::new(time(start), time(end) - time(start));
                chapters.push(Caption::new(text(title).unwrap_or_default(), range));
            }
        }
        chapters
    }

    /// Returns the picture of a cover track.
    pub(crate) fn cover(&self, stream: u32) -> Result<Vec<u8>, Failure> {
        let (mut data, mut size) = (ptr::null(), 0);
        // SAFETY: on success there are as many bytes as stated, alive as long as the input.
        unsafe {
            attempt(|| ffi::rt_cover(self.as_ptr(), stream as i32, &mut data, &mut size))?;
            Ok(std::slice::from_raw_parts(data, size).to_vec())
        }
    }

    /// Returns the decoder configuration of a track.
    pub(crate) fn extradata(&self, stream: u32) -> Vec<u8> {
        let raw = self.stream(stream);
        if raw.extradata.is_null() {
            return Vec::new();
        }
        // SAFETY: there are as many bytes as stated, alive as long as the input.
        unsafe { std::slice::from_raw_parts(raw.extradata, raw.extradata_size) }.to_vec()
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // SAFETY: the input is ours, and this is its last use.
        unsafe { ffi::rt_close(self.as_ptr()) };
    }
}

/// Copies the description of sound that the shims give.
///
/// # Safety
/// The text and the bytes must be there, or null.
pub(crate) unsafe fn audio_format(raw: &RawAudio) -> AudioFormat {
    // SAFETY: the caller promised that text and bytes are there, or null.
    let (codec, config) = unsafe {
        let config = match raw.config.is_null() {
            true => Vec::new(),
            false => std::slice::from_raw_parts(raw.config, raw.config_size).to_vec(),
        };
        (text(raw.codec).unwrap_or_default(), config)
    };
    let positive = |number: i32| u32::try_from(number).unwrap_or(0);
    AudioFormat {
        codec,
        sample_rate: positive(raw.sample_rate),
        channels: positive(raw.channels),
        layout: raw.layout,
        frame_size: positive(raw.frame_size),
        block_align: positive(raw.block_align),
        bits_per_sample: positive(raw.bits_per_sample),
        priming: positive(raw.padding),
        bit_rate: u64::try_from(raw.bit_rate).unwrap_or(0),
        config,
    }
}

/// One packet, and whether another recording begins with it. It shares its bytes with the demuxer's buffers,
/// and never writes them.
pub(crate) struct Packet(RawPacket, bool);

// SAFETY: a packet is a counted reference to bytes that are never written; the count is atomic.
unsafe impl Send for Packet {}

impl Packet {
    pub(crate) fn stream(&self) -> u32 {
        self.0.stream as u32
    }

    pub(crate) fn pts(&self) -> Option<i64> {
        known(self.0.pts)
    }

    pub(crate) fn dts(&self) -> Option<i64> {
        known(self.0.dts)
    }

    /// Returns where the clock of the track is when the sample comes: the time at which it is decoded. A
    /// sample is decoded no later than it is shown, so that of two contradicting stamps the earlier one
    /// counts: a jump of the other is a wrong stamp, and no jump of the clock.
    pub(crate) fn clock_time(&self) -> Option<i64> {
        match (self.dts(), self.pts()) {
            (Some(decoded), Some(shown)) => Some(decoded.min(shown)),
            (decoded, shown) => decoded.or(shown),
        }
    }

    /// Adds ticks to its times.
    fn shift(&mut self, ticks: i64) {
        if ticks != 0 {
            // SAFETY: the packet is ours, and its times are not shared.
            unsafe { ffi::rt_packet_shift(&mut self.0, ticks) };
        }
    }

    /// Returns the duration in ticks; 0 where unknown, and where the stated one cannot be.
    pub(crate) fn duration(&self) -> i64 {
        self.0.duration.max(0)
    }

    /// Returns the byte of the file at which the sample begins, if it is known.
    pub(crate) fn position(&self) -> Option<u64> {
        u64::try_from(self.0.position).ok()
    }

    /// Returns where a text of WebVTT is placed, in words of that form; empty where nothing is said.
    pub(crate) fn cue_settings(&self) -> &[u8] {
        let mut size = 0;
        // SAFETY: the packet is alive as long as the answer, and so are as many bytes as the shim states.
        unsafe {
            let settings = ffi::rt_packet_cue_settings(self.0.packet, &mut size);
            if settings.is_null() { &[] } else { std::slice::from_raw_parts(settings, size) }
        }
    }

    pub(crate) fn is_key(&self) -> bool {
        self.0.key != 0
    }

    /// Returns whether the bytes are known not to be those that were written.
    pub(crate) fn is_corrupt(&self) -> bool {
        self.0.corrupt != 0
    }

    /// Returns whether another recording begins with this packet of the track.
    pub(crate) fn begins(&self) -> bool {
        self.1
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.encrypted != 0
    }

    /// Returns whether transparency lies beside the picture.
    pub(crate) fn has_alpha(&self) -> bool {
        self.0.alpha != 0
    }

    /// Returns whether the packet must be decoded for others, but not shown.
    pub(crate) fn is_discarded(&self) -> bool {
        self.0.discard != 0
    }

    pub(crate) fn data(&self) -> &[u8] {
        if self.0.data.is_null() {
            return &[];
        }
        // SAFETY: there are as many bytes as stated, alive as long as the packet.
        unsafe { std::slice::from_raw_parts(self.0.data, self.0.size) }
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::AVPacket {
        self.0.packet
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        // SAFETY: the packet is ours, and this is its last use.
        unsafe { ffi::rt_packet_free(self.0.packet) };
    }
}

/// Converts a time of the shims; `None` stands for the unknown one.
pub(crate) fn known(time: i64) -> Option<i64> {
    (time != ffi::UNKNOWN).then_some(time)
}
