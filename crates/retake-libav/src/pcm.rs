//! Decodes sound to samples, with exact times.
#![allow(unsafe_code)]

use crate::error::MediaError;
use crate::failure::{Failure, attempt, attempt_quickly};
use crate::ffi::{self, RawSoundFrame};
use crate::film::{FilmInfo, TrackKind, ticks_to_time, time_to_ticks};
use crate::input::{Input, Packet, known};
use retake_media::{Rational, Time};
use std::collections::VecDeque;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::ptr::{self, NonNull};
use std::time::Duration;

/// So many failures in a row, with no success between them, end a track.
const PATIENCE: u32 = 64;

/// Converting more samples at once than this would need more memory than a reader should hold.
const AT_ONCE: i64 = 1 << 14;

/// No sound has more samples a second.
const MOST_RATE: u32 = 768_000;

/// How long before a place decoding begins, because decoders need a few packets until they give what they
/// would have given in linear decoding.
const PREROLL: Time = Time::new(1, 1);

/// The form of a sample of decoded sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PcmFormat {
    /// 16 bit integers.
    S16,
    /// 32 bit integers; what has fewer bits lies in the upper ones.
    S32,
    /// Floating point numbers, with full scale from -1 to 1.
    #[default]
    F32,
}

/// What decoded sound is converted to. The default converts nothing but the form of the samples, to floating
/// point numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct PcmOptions {
    /// The form of the samples.
    #[doc(alias = "AVLinearPCMIsFloatKey")]
    #[doc(alias = "AVLinearPCMBitDepthKey")]
    pub format: PcmFormat,
    /// The samples a second of each channel; `None` keeps those of the track.
    #[doc(alias = "AVSampleRateKey")]
    pub sample_rate: Option<u32>,
    /// The number of channels, in the usual order of so many; `None` keeps those of the track. Fewer channels
    /// than there are get all of them, mixed by libswresample's matrix.
    #[doc(alias = "AVNumberOfChannelsKey")]
    pub channels: Option<u32>,
    /// The channels as a mask, in the order of its bits as in WAV files, instead of their number.
    #[doc(alias = "AVChannelLayoutKey")]
    pub layout: Option<u64>,
}

/// What the samples of a reader are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PcmDescription {
    /// The form of the samples.
    pub format: PcmFormat,
    /// The samples a second of each channel.
    pub sample_rate: u32,
    /// The number of channels.
    pub channels: u32,
    /// The channels as a mask; 0 for the usual ones of so many.
    pub layout: u64,
    /// The bits of a sample as the decoder gives it out, before it is converted; 0 for floating point
    /// numbers, which is what lossy formats decode to.
    pub decoded_bits: u32,
}

/// Samples of all channels: one of each channel, in their order, then the next of each.
#[derive(Debug, Clone, PartialEq)]
pub enum PcmSamples {
    /// 16 bit integers.
    S16(Vec<i16>),
    /// 32 bit integers.
    S32(Vec<i32>),
    /// Floating point numbers, with full scale from -1 to 1.
    F32(Vec<f32>),
}

impl PcmSamples {
    /// Returns the number of samples of all channels together.
    pub fn len(&self) -> usize {
        match self {
            Self::S16(samples) => samples.len(),
            Self::S32(samples) => samples.len(),
            Self::F32(samples) => samples.len(),
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the samples as floating point numbers, which is what inputs that encode sound take. Those of
    /// 32 bits lose the lowest 8.
    pub fn into_f32(self) -> Vec<f32> {
        match self {
            Self::S16(samples) => samples.into_iter().map(|sample| f32::from(sample) / 32_768.0).collect(),
            Self::S32(samples) => samples.into_iter().map(|sample| sample as f32 / 2_147_483_648.0).collect(),
            Self::F32(samples) => samples,
        }
    }

    /// Returns those from `start` on, `count` of them.
    fn part(self, start: usize, count: usize) -> Self {
        fn cut<T>(mut samples: Vec<T>, start: usize, count: usize) -> Vec<T> {
            samples.truncate(start + count);
            samples.drain(..start);
            samples
        }
        match self {
            Self::S16(samples) => Self::S16(cut(samples, start, count)),
            Self::S32(samples) => Self::S32(cut(samples, start, count)),
            Self::F32(samples) => Self::F32(cut(samples, start, count)),
        }
    }
}

/// A piece of decoded sound.
#[derive(Debug, Clone, PartialEq)]
pub struct PcmBlock {
    /// The samples.
    pub samples: PcmSamples,
    /// The time at which the first of them is heard, in units of a sample.
    pub pts: Time,
    /// The time for which they last.
    pub duration: Time,
    channels: usize,
}

impl PcmBlock {
    /// Returns the part of it that lies between two times, exact to the sample: those that begin at `start`
    /// or later, and before `end`. `None` if that is nothing.
    pub fn between(self, start: Time, end: Time) -> Option<Self> {
        let rate = self.duration.timescale();
        let count = self.duration.value();
        let place = |time: Time| samples_before(time - self.pts, rate).clamp(0, count);
        let from = if start.is_numeric() { place(start) } else { 0 };
        let to = if end.is_numeric() { place(end) } else { count };
        if to <= from {
            return None;
        }
        if (from, to) == (0, count) {
            return Some(self);
        }
        // Both are at most the number of samples that are in memory.
        let (first, length) = (from as usize * self.channels, (to - from) as usize * self.channels);
        Some(Self {
            pts: self.pts + Time::new(from, rate),
            duration: Time::new(to - from, rate),
            samples: self.samples.part(first, length),
            channels: self.channels,
        })
    }
}

/// Returns how many samples begin before a time, counted from zero.
fn samples_before(time: Time, rate: i32) -> i64 {
    let (value, scale) = (i128::from(time.value()), i128::from(time.timescale()));
    let product = value * i128::from(rate);
    let floor = product.div_euclid(scale);
    let up = i128::from(product.rem_euclid(scale) != 0);
    i64::try_from(floor + up).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// Decodes one track of sound.
///
/// What is not to be heard is left out: the priming of the encoder and the padding of the last packet, as far
/// as the container or the stream tell of them (edit lists, `DiscardPadding`, granule positions, LAME's tag).
/// Blocks lie side by side. Where the container has a gap the next block begins later; times that go back by
/// mistake are repaired, so that no sound is lost.
pub struct PcmReader {
    file: PathBuf,
    track: u32,
    time_base: Rational,
    /// Whether the container states where the track ends, to the sample.
    states_end: bool,
    input: Input,
    raw: NonNull<ffi::RtPcm>,
    description: PcmDescription,
    /// The frame that the decoder gave last, which is converted when it is known what follows.
    ahead: Option<SoundFrame>,
    at_end: bool,
    over: bool,
    stretch: Option<Stretch>,
    /// What was made of a frame and was not given out yet.
    made: VecDeque<PcmBlock>,
    damaged: u64,
    complaints: u64,
    /// What is added to the times that follow a break of the clock, in ticks.
    offset: i64,
    /// What is added to all times of a track that is in another file than the film.
    moved: Time,
}

// SAFETY: a decoder is used by one thread at a time, because all calls take `&mut`; it is not bound to one.
unsafe impl Send for PcmReader {}

/// What is known of a decoded frame.
#[derive(Clone, Copy)]
struct SoundFrame {
    pts: Option<i64>,
    /// In ticks; 0 where it is not known.
    duration: i64,
    samples: i64,
    rate: i32,
}

/// Sound without a gap.
struct Stretch {
    /// The time of its first sample.
    start: Time,
    /// The samples that came, by the rate of the decoder, and those that were given out, by that of the
    /// reader.
    came: i64,
    made: i64,
    rate: i32,
}

impl PcmReader {
    /// Opens a track of sound, by its number in the file, at its first sample.
    ///
    /// # Errors
    /// Returns [`MediaError::NoDecoder`] for a track that is not sound or has no decoder here,
    /// [`MediaError::Sound`] if the numbers are not usable or a mask names no channels; else fails like
    /// [`probe`](crate::probe()).
    pub fn open(info: &FilmInfo, track: u32, options: PcmOptions) -> Result<Self, MediaError> {
        if let Some((file, inside)) = info.file_beside(track) {
            return Self::open(&file, inside, options);
        }
        let file = info.path.clone();
        let sound = info.tracks.iter().find(|other| other.index == track && other.kind == TrackKind::Audio);
        let Some(sound) = sound else {
            return Err(MediaError::NoDecoder { file, codec: format!("track {track} as sound") });
        };
        let mut input = Input::open_again(info)?;
        if input.film().streams as u32 <= track {
            return Err(MediaError::SourceChanged { file, frame: 0 });
        }
        if options.layout == Some(0) || options.channels == Some(0) {
            return Err(unusable("there have to be channels"));
        }
        if options.sample_rate.is_some_and(|rate| !(1..=MOST_RATE).contains(&rate)) {
            return Err(unusable("a sample rate is from 1 to 768000"));
        }
        let number = |number: Option<u32>| c_int::try_from(number.unwrap_or(0)).unwrap_or(c_int::MAX);
        let (rate, channels) = (number(options.sample_rate), number(options.channels));
        input.select(|index| index == track);
        let code = match options.format {
            PcmFormat::S16 => ffi::S16,
            PcmFormat::S32 => ffi::S32,
            PcmFormat::F32 => ffi::F32,
        };
        let (layout, mut raw) = (options.layout.unwrap_or(0), ptr::null_mut());
        // SAFETY: the decoder copies what it needs from the input; on success the object is ours.
        attempt(|| unsafe {
            ffi::rt_pcm_open(input.as_ptr(), track as c_int, code, rate, channels, layout, &mut raw)
        })
        .map_err(|failure| match failure.io() {
            Some(_) => MediaError::undecodable(&file, &failure),
            None => MediaError::Sound { codec: "libswresample", detail: failure.message().to_owned() },
        })?;
        let raw = NonNull::new(raw).expect("an opened decoder has an address");
        let mut out = MaybeUninit::uninit();
        // SAFETY: the shim fills the whole struct.
        let kind = unsafe {
            ffi::rt_pcm_of(raw.as_ptr(), out.as_mut_ptr());
            out.assume_init()
        };
        let positive = |number: i32| u32::try_from(number).unwrap_or(0);
        let description = PcmDescription {
            format: options.format,
            sample_rate: positive(kind.sample_rate),
            channels: positive(kind.channels),
            layout: kind.layout,
            decoded_bits: positive(kind.bits_per_sample),
        };
        Ok(Self {
            file,
            track,
            time_base: sound.time_base,
            states_end: info.container.contains("mp4"),
            input,
            raw,
            description,
            ahead: None,
            at_end: false,
            over: false,
            stretch: None,
            made: VecDeque::new(),
            damaged: 0,
            complaints: 0,
            offset: 0,
            moved: info.moves(sound),
        })
    }

    /// Opens a track at a time: nothing that is heard before it comes out. Where the clock of the container
    /// is fine enough for it decoding begins shortly before; else it begins at the start of the track,
    /// because the exact place of a sample is only known by counting.
    ///
    /// # Errors
    /// Fails like [`PcmReader::open`].
    pub fn open_at(
        info: &FilmInfo,
        track: u32,
        options: PcmOptions,
        start: Time,
    ) -> Result<Self, MediaError> {
        if let Some((file, inside)) = info.file_beside(track) {
            return Self::open_at(&file, inside, options, start);
        }
        let mut reader = Self::open(info, track, options)?;
        let rate = info.tracks.iter().find(|other| other.index == track).map_or(0, |track| track.sample_rate);
        let exact = reader.states_end && info.breaks.is_empty() && reader.is_fine(rate as i32);
        let early =
            time_to_ticks(start - reader.moved - PREROLL, reader.time_base).filter(|ticks| *ticks > 0);
        if let Some(ticks) = early.filter(|_| exact && info.seekable) {
            match reader.input.seek(track, ticks) {
                // SAFETY: the decoder is ours.
                Ok(()) => unsafe { ffi::rt_pcm_flush(reader.raw.as_ptr()) },
                // A failed seek may have moved something.
                Err(_) => reader = Self::open(info, track, options)?,
            }
        }
        Ok(reader)
    }

    /// Returns what the samples are.
    pub fn description(&self) -> PcmDescription {
        self.description
    }

    /// Returns how many packets or pieces of sound were damaged so far. What is lost by that is a gap in the
    /// times.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Returns the next piece; `None` after the last.
    ///
    /// # Errors
    /// Returns [`MediaError::Read`] if the system cannot read on, [`MediaError::Encrypted`],
    /// [`MediaError::SourceChanged`] if the file was written while it was read, and [`MediaError::Sound`] if
    /// the sound cannot be converted. Nothing comes after an error.
    #[allow(clippy::should_implement_trait)] // an iterator would have to define the item after an error
    pub fn next(&mut self) -> Result<Option<PcmBlock>, MediaError> {
        loop {
            if let Some(block) = self.made.pop_front() {
                return Ok(Some(block));
            }
            if self.over {
                return Ok(None);
            }
            if let Err(error) = self.step() {
                self.over = true;
                return Err(error);
            }
        }
    }

    /// Decodes a frame, and converts the one before it.
    fn step(&mut self) -> Result<(), MediaError> {
        let frame = self.ahead.take();
        // SAFETY: the decoder is ours.
        let changed = frame.is_some() && unsafe { ffi::rt_pcm_advance(self.raw.as_ptr()) } == 1;
        let next = self.receive()?;
        if let Some(frame) = frame {
            self.convert(frame, changed, next.is_none())?;
        }
        match next {
            Some(frame) => self.ahead = Some(frame),
            None => {
                self.drain()?;
                self.over = true;
                if self.input.has_changed() {
                    return Err(MediaError::SourceChanged { file: self.file.clone(), frame: 0 });
                }
            }
        }
        Ok(())
    }

    /// Returns the next frame of the decoder, which lies behind the one that is to be converted.
    fn receive(&mut self) -> Result<Option<SoundFrame>, MediaError> {
        let mut failures = 0;
        loop {
            let mut out = MaybeUninit::<RawSoundFrame>::uninit();
            // SAFETY: on success the shim has filled the whole struct.
            let received = unsafe {
                attempt_quickly(|| ffi::rt_pcm_receive(self.raw.as_ptr(), out.as_mut_ptr()))
                    .map(|_| out.assume_init())
            };
            match received {
                Ok(frame) => {
                    // SAFETY: the call only reads.
                    let complaints = unsafe { ffi::rt_pcm_complaints(self.raw.as_ptr()) }.unsigned_abs();
                    self.damaged += u64::from(frame.damaged != 0 || complaints > self.complaints);
                    self.complaints = complaints;
                    return Ok(Some(SoundFrame {
                        pts: known(frame.pts),
                        duration: frame.duration.max(0),
                        samples: frame.samples.into(),
                        rate: frame.rate,
                    }));
                }
                Err(failure) if failure.is_end() => return Ok(None),
                Err(failure) if failure.is_again() && self.at_end => return Ok(None),
                Err(failure) if failure.is_again() => self.feed()?,
                Err(_) => {
                    self.damaged += 1;
                    failures += 1;
                    if failures > PATIENCE {
                        return Ok(None);
                    }
                    if !self.at_end {
                        self.feed()?;
                    }
                }
            }
        }
    }

    /// Gives the decoder one packet, or the end.
    fn feed(&mut self) -> Result<(), MediaError> {
        let mut failures = 0;
        let packet = loop {
            match self.input.read() {
                Ok(Some(packet)) if packet.stream() != self.track => {}
                Ok(packet) => break packet,
                Err(failure) if failure.is_again() => std::thread::sleep(Duration::from_millis(2)),
                Err(failure) if failure.is_final() => {
                    return Err(MediaError::read(&self.file, 0, self.input.position(), &failure));
                }
                Err(_) => {
                    self.damaged += 1;
                    failures += 1;
                    if failures > PATIENCE {
                        break None;
                    }
                }
            }
        };
        if packet.as_ref().is_some_and(Packet::is_encrypted) {
            return Err(MediaError::Encrypted { file: self.file.clone() });
        }
        self.at_end = packet.is_none();
        let raw = packet.as_ref().map_or(ptr::null_mut(), Packet::as_ptr);
        // SAFETY: the pointer is null or a live packet, of which the decoder takes a reference of its own.
        match attempt_quickly(|| unsafe { ffi::rt_pcm_send(self.raw.as_ptr(), raw) }) {
            Ok(_) => {}
            Err(failure) if failure.is_end() => {}
            Err(_) => self.damaged += 1,
        }
        Ok(())
    }

    /// Converts a frame, or as much of it as belongs to the track.
    fn convert(&mut self, frame: SoundFrame, changed: bool, last: bool) -> Result<(), MediaError> {
        let place = self.place(frame);
        if changed || self.stretch.as_ref().is_some_and(|stretch| stretch.end() != place) {
            self.drain()?;
        }
        let rate = frame.rate;
        let stretch = self.stretch.get_or_insert(Stretch { start: place, came: 0, made: 0, rate });
        let begins = stretch.came;
        let mut count = frame.samples;
        if last {
            count = self.heard_of_last(frame, place);
        }
        let mut done = 0;
        while done < count {
            let part = (count - done).min(AT_ONCE);
            let (raw, mut data, mut samples) = (self.raw.as_ptr(), ptr::null(), 0);
            // SAFETY: both numbers are within the frame, and fit an int as its length does.
            attempt_quickly(|| unsafe {
                ffi::rt_pcm_convert(raw, done as c_int, part as c_int, &mut data, &mut samples)
            })
            .map_err(|failure| refused(&failure))?;
            done += part;
            if let Some(stretch) = &mut self.stretch {
                stretch.came = begins + done;
            }
            // SAFETY: there are as many samples as the shim says, until its next call.
            unsafe { self.give(data, samples.into()) };
        }
        Ok(())
    }

    /// Gives out what resampling still holds, and ends the stretch.
    fn drain(&mut self) -> Result<(), MediaError> {
        if self.stretch.is_some() {
            let (mut data, mut samples) = (ptr::null(), 0);
            // SAFETY: the shim fills both.
            attempt_quickly(|| unsafe { ffi::rt_pcm_drain(self.raw.as_ptr(), &mut data, &mut samples) })
                .map_err(|failure| refused(&failure))?;
            // SAFETY: there are as many samples as the shim says, until its next call.
            unsafe { self.give(data, samples.into()) };
        }
        self.stretch = None;
        Ok(())
    }

    /// Takes samples that were made, as many as the stretch can have by what came.
    ///
    /// # Safety
    /// There must be as many samples of each channel.
    unsafe fn give(&mut self, data: *const u8, samples: i64) {
        let Some(stretch) = &mut self.stretch else { return };
        let rate = i32::try_from(self.description.sample_rate).unwrap_or(i32::MAX);
        // Resampling ends with a few samples more or less than the sound had.
        let whole = i128::from(stretch.came) * i128::from(rate);
        let most = (whole + i128::from(stretch.rate) / 2) / i128::from(stretch.rate.max(1));
        let count = samples.min(i64::try_from(most).unwrap_or(i64::MAX) - stretch.made);
        if data.is_null() || count <= 0 {
            return;
        }
        let channels = self.description.channels as usize;
        let length = count as usize * channels;
        // SAFETY: the caller promised so many samples, which the shim has made in this form, in memory that
        // is aligned for all of them.
        let samples = unsafe {
            match self.description.format {
                PcmFormat::S16 => PcmSamples::S16(std::slice::from_raw_parts(data.cast(), length).to_vec()),
                PcmFormat::S32 => PcmSamples::S32(std::slice::from_raw_parts(data.cast(), length).to_vec()),
                PcmFormat::F32 => PcmSamples::F32(std::slice::from_raw_parts(data.cast(), length).to_vec()),
            }
        };
        let first = rounded(stretch.start, rate);
        let (pts, duration) = (Time::new(first.saturating_add(stretch.made), rate), Time::new(count, rate));
        stretch.made += count;
        self.made.push_back(PcmBlock { samples, pts, duration, channels });
    }

    /// Returns where a frame begins: where the one before it ended, as far as the container agrees.
    fn place(&mut self, frame: SoundFrame) -> Time {
        let end = self.stretch.as_ref().map(Stretch::end);
        let on_clock = |ticks: i64| ticks_to_time(ticks.saturating_add(self.offset), self.time_base);
        let given = frame.pts.map(|ticks| on_clock(ticks) + self.moved);
        let (Some(given), Some(end)) = (given.filter(|time| time.is_numeric()), end) else {
            return given.filter(|time| time.is_numeric()).or(end).unwrap_or(Time::ZERO);
        };
        // Times may be off by as much as rounding to both clocks makes.
        let tick = ticks_to_time(1, self.time_base) + Time::new(1, frame.rate);
        let second = Time::new(1, 1);
        if given > end + tick {
            return given;
        }
        if given + second < end
            && let Some(ticks) = time_to_ticks(end - given, self.time_base)
        {
            // A break of the clock moves everything that follows.
            self.offset = self.offset.saturating_add(ticks);
        }
        end
    }

    /// Returns how much of the last frame is heard: containers with exact clocks let it last less long than
    /// what it decodes to, or end the track before its end.
    fn heard_of_last(&self, frame: SoundFrame, place: Time) -> i64 {
        if !self.states_end || !self.is_fine(frame.rate) {
            return frame.samples;
        }
        let stream = self.input.stream(self.track);
        let own = Some(frame.duration).filter(|ticks| *ticks > 0);
        let own = own.map(|ticks| rounded(ticks_to_time(ticks, self.time_base), frame.rate));
        let end = known(stream.start).zip(known(stream.duration).filter(|ticks| *ticks > 0));
        let end = end.map(|(start, length)| ticks_to_time(start.saturating_add(length), self.time_base));
        let end = end.filter(|end| end.is_numeric()).map(|end| end + self.moved);
        let left = end.map(|end| rounded(end - place, frame.rate));
        // An end before the frame would be that of another edit, which this says nothing about.
        let left = left.filter(|left| *left > 0);
        [own, left].into_iter().flatten().fold(frame.samples, i64::min)
    }

    /// Returns whether the clock of the container tells one sample from the next.
    fn is_fine(&self, rate: i32) -> bool {
        i64::from(self.time_base.num) * i64::from(rate) <= i64::from(self.time_base.den)
    }
}

impl Stretch {
    fn end(&self) -> Time {
        self.start + Time::new(self.came, self.rate)
    }
}

impl Drop for PcmReader {
    fn drop(&mut self) {
        // SAFETY: the decoder is ours, and this is its last use.
        unsafe { ffi::rt_pcm_close(self.raw.as_ptr()) };
    }
}

/// Returns a time in samples, rounded to nearest.
fn rounded(time: Time, rate: i32) -> i64 {
    time_to_ticks(time, Rational::new(1, rate)).unwrap_or(0)
}

fn unusable(detail: &str) -> MediaError {
    MediaError::Sound { codec: "libswresample", detail: detail.to_owned() }
}

fn refused(failure: &Failure) -> MediaError {
    unusable(failure.message())
}
