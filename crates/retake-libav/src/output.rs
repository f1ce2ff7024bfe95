//! Writes a film: its head, its packets, its trailer.
#![allow(unsafe_code)]

use crate::failure::{Failure, attempt, c_text, url};
use crate::ffi::{self, Ratio, RawAudio, RawPacket, RawVideo};
use crate::input::{Input, Packet};
use retake_media::{AudioFormat, Rational, Time};
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr::{self, NonNull};

/// A muxer and its file. Dropping it closes the file, without a trailer unless [`Output::finish`] was called.
pub(crate) struct Output(NonNull<ffi::RtOutput>);

// SAFETY: a muxer is used by one thread at a time (all calls take `&mut`), but not bound to one.
unsafe impl Send for Output {}

/// The times of one packet, in ticks.
#[derive(Clone, Copy)]
pub(crate) struct Stamps {
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) duration: i64,
}

impl Output {
    /// Creates (or empties) the file.
    pub(crate) fn create(format: &str, path: &Path) -> Result<Self, Failure> {
        let (format, url, mut output) = (c_text(format), url(path), ptr::null_mut());
        // SAFETY: both texts are terminated; on success the object is ours.
        attempt(|| unsafe { ffi::rt_output_open(format.as_ptr(), url.as_ptr(), &mut output) })?;
        Ok(Self(NonNull::new(output).expect("an opened output has an address")))
    }

    /// Writes to memory, from which [`Output::take`] fetches the bytes.
    pub(crate) fn in_memory(format: &str) -> Result<Self, Failure> {
        let (format, mut output) = (c_text(format), ptr::null_mut());
        // SAFETY: the text is terminated; on success the object is ours.
        attempt(|| unsafe { ffi::rt_output_open_memory(format.as_ptr(), &mut output) })?;
        Ok(Self(NonNull::new(output).expect("an opened output has an address")))
    }

    /// Writes packets as they come from here on, because the caller has interleaved them.
    pub(crate) fn in_order(&mut self) {
        // SAFETY: the call sets no more than a flag.
        unsafe { ffi::rt_output_in_order(self.0.as_ptr()) };
    }

    /// Returns the bytes written to memory since the last call.
    pub(crate) fn take(&mut self) -> Result<Vec<u8>, Failure> {
        let (mut data, mut size) = (ptr::null_mut(), 0);
        // SAFETY: the shim gives as many bytes as it states, which are ours to free whatever it answers.
        unsafe {
            let taken = attempt(|| ffi::rt_output_take(self.0.as_ptr(), &mut data, &mut size));
            let bytes = match data.is_null() {
                true => Vec::new(),
                false => std::slice::from_raw_parts(data, size).to_vec(),
            };
            ffi::rt_bytes_free(data);
            taken.map(|_| bytes)
        }
    }

    /// Ends a fragment.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        // SAFETY: the output is ours.
        attempt(|| unsafe { ffi::rt_output_flush(self.0.as_ptr()) }).map(drop)
    }

    /// Returns the seconds a tick of a track, once the head is written.
    pub(crate) fn time_base(&self, track: u32) -> Result<Rational, Failure> {
        let mut out = Ratio::default();
        // SAFETY: the shim writes one struct.
        attempt(|| unsafe { ffi::rt_output_time_base(self.0.as_ptr(), track as i32, &mut out) })?;
        Ok(Rational::new(out.num, out.den))
    }

    /// Adds an audio track; its texts and bytes are copied.
    pub(crate) fn audio(&mut self, format: &AudioFormat, time_base: Rational) -> Result<u32, Failure> {
        let codec = c_text(&format.codec);
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let raw = RawAudio {
            codec: codec.as_ptr(),
            sample_rate: number(format.sample_rate),
            channels: number(format.channels),
            frame_size: number(format.frame_size),
            block_align: number(format.block_align),
            bits_per_sample: number(format.bits_per_sample),
            padding: number(format.priming),
            layout: format.layout,
            bit_rate: i64::try_from(format.bit_rate).unwrap_or(0),
            config: format.config.as_ptr(),
            config_size: format.config.len(),
        };
        let base = Ratio { num: time_base.num, den: time_base.den };
        // SAFETY: the pointers into `codec` and `format` are alive during the call; the shim copies the data
        // behind them.
        attempt(|| unsafe { ffi::rt_output_audio(self.0.as_ptr(), &raw, base) }).map(|track| track as u32)
    }

    /// Adds a track of text or data, of a coding format by FFmpeg's name.
    pub(crate) fn timed(&mut self, codec: &str, time_base: Rational) -> Result<u32, Failure> {
        let codec = c_text(codec);
        let base = Ratio { num: time_base.num, den: time_base.den };
        // SAFETY: the text is terminated, and the shim only reads it.
        attempt(|| unsafe { ffi::rt_output_timed(self.0.as_ptr(), codec.as_ptr(), base) })
            .map(|track| track as u32)
    }

    pub(crate) fn option(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let (name, value) = (c_text(name), c_text(value));
        // SAFETY: the texts are terminated, and the shim copies them.
        attempt(|| unsafe { ffi::rt_output_option(self.0.as_ptr(), name.as_ptr(), value.as_ptr()) }).map(drop)
    }

    /// Sets a tag of a track, or of the film (`None`).
    pub(crate) fn tag(&mut self, track: Option<u32>, name: &str, value: &str) -> Result<(), Failure> {
        let (name, value) = (c_text(name), c_text(value));
        let track = track.map_or(-1, |track| track as i32);
        // SAFETY: the texts are terminated, and the shim copies them.
        attempt(|| unsafe { ffi::rt_output_tag(self.0.as_ptr(), track, name.as_ptr(), value.as_ptr()) })
            .map(drop)
    }

    /// Marks a track as FFmpeg's bits say: as default, forced, a comment and the like.
    pub(crate) fn mark(&mut self, track: u32, marks: i32) -> Result<(), Failure> {
        // SAFETY: the output is ours, and all else are plain numbers.
        attempt(|| unsafe { ffi::rt_output_mark(self.0.as_ptr(), track as i32, marks) }).map(drop)
    }

    /// Adds the video track; its texts and bytes are copied.
    pub(crate) fn video(&mut self, video: &RawVideo) -> Result<u32, Failure> {
        // SAFETY: the caller's pointers are alive during the call, and the shim copies the data behind them.
        attempt(|| unsafe { ffi::rt_output_video(self.0.as_ptr(), video) }).map(|track| track as u32)
    }

    /// Adds a track like one of `input`.
    pub(crate) fn copy(&mut self, input: &Input, stream: u32) -> Result<u32, Failure> {
        // SAFETY: both are alive, and the shim copies.
        attempt(|| unsafe { ffi::rt_output_copy(self.0.as_ptr(), input.as_ptr(), stream as i32) })
            .map(|t| t as u32)
    }

    /// Adds a file.
    pub(crate) fn attach(&mut self, name: &str, mime: &str, data: &[u8]) -> Result<u32, Failure> {
        let (name, mime) = (c_text(name), c_text(mime));
        // SAFETY: the data is alive during the call, and the shim copies it.
        attempt(|| unsafe {
            ffi::rt_output_attach(self.0.as_ptr(), name.as_ptr(), mime.as_ptr(), data.as_ptr(), data.len())
        })
        .map(|track| track as u32)
    }

    /// Copies the chapters between two times, which become earlier by the first of them. Times that are no
    /// numbers are no limits.
    pub(crate) fn chapters(&mut self, input: &Input, start: Time, end: Time) -> Result<(), Failure> {
        let parts = |time: Time, none| match time.is_numeric() {
            true => (time.value(), i64::from(time.timescale())),
            false => none,
        };
        let ((num, den), (end_num, end_den)) = (parts(start, (0, 1)), parts(end, (0, 0)));
        // SAFETY: both are alive, and the shim copies.
        attempt(|| unsafe {
            ffi::rt_output_chapters(self.0.as_ptr(), input.as_ptr(), num, den, end_num, end_den)
        })
        .map(drop)
    }

    /// Adds a chapter between two times in ticks of `time_base`. In Matroska it may be added until the file
    /// is finished, if none was there when the head was written.
    pub(crate) fn chapter(
        &mut self,
        time_base: Rational,
        start: i64,
        end: i64,
        title: &str,
    ) -> Result<(), Failure> {
        let title = c_text(title);
        let base = Ratio { num: time_base.num, den: time_base.den };
        // SAFETY: the text is terminated, and the shim copies it.
        attempt(|| unsafe { ffi::rt_output_chapter(self.0.as_ptr(), base, start, end, title.as_ptr()) })
            .map(drop)
    }

    /// Writes the head; no track can be added afterwards.
    pub(crate) fn header(&mut self) -> Result<(), Failure> {
        // SAFETY: the output is ours.
        attempt(|| unsafe { ffi::rt_output_header(self.0.as_ptr()) }).map(drop)
    }

    /// Writes bytes as one packet, with times in ticks of `time_base`.
    pub(crate) fn write(
        &mut self,
        track: u32,
        time_base: Rational,
        stamps: Stamps,
        key: bool,
        disposable: bool,
        data: &[u8],
    ) -> Result<(), Failure> {
        let Stamps { pts, dts, duration } = stamps;
        let base = Ratio { num: time_base.num, den: time_base.den };
        let (key, disposable) = (i32::from(key), i32::from(disposable));
        // SAFETY: there are as many bytes as stated, and the shim copies them.
        attempt(|| unsafe {
            let (data, size) = (data.as_ptr(), data.len());
            ffi::rt_output_write(
                self.0.as_ptr(),
                track as i32,
                base,
                pts,
                dts,
                duration,
                key,
                disposable,
                data,
                size,
            )
        })
        .map(drop)
    }

    /// Writes a packet of another file, with times in ticks of `time_base`; `cut` more than its duration are
    /// not to be seen or heard. It returns `true` if the times had to be moved behind the packet before.
    pub(crate) fn packet(
        &mut self,
        track: u32,
        time_base: Rational,
        stamps: Stamps,
        cut: i64,
        packet: &Packet,
    ) -> Result<bool, Failure> {
        let Stamps { pts, dts, duration } = stamps;
        let base = Ratio { num: time_base.num, den: time_base.den };
        // SAFETY: the packet is alive, and the shim takes a reference of its own.
        attempt(|| unsafe {
            let (output, packet) = (self.0.as_ptr(), packet.as_ptr());
            ffi::rt_output_packet(output, track as i32, base, packet, pts, dts, duration, cut)
        })
        .map(|moved| moved > 0)
    }

    /// Returns the number of bytes that were written so far.
    pub(crate) fn bytes(&self) -> u64 {
        // SAFETY: the call only reads.
        u64::try_from(unsafe { ffi::rt_output_bytes(self.0.as_ptr()) }).unwrap_or(0)
    }

    /// The same for a file in memory, of which it returns what was not taken yet.
    pub(crate) fn finish_in_memory(mut self) -> Result<Vec<u8>, Failure> {
        // SAFETY: the output is ours.
        attempt(|| unsafe { ffi::rt_output_finish(self.0.as_ptr()) })?;
        self.take()
    }

    /// Writes the remaining packets and the trailer, and closes the file.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        // SAFETY: the output is ours.
        attempt(|| unsafe { ffi::rt_output_finish(self.0.as_ptr()) }).map(drop)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: the output is ours, and this is its last use.
        unsafe { ffi::rt_output_close(self.0.as_ptr()) };
    }
}

/// Returns whether a container's writer knows a coding format at all.
pub(crate) fn can_hold(format: &str, codec_id: i32) -> bool {
    let format = c_text(format);
    // SAFETY: the text is terminated.
    unsafe { ffi::rt_output_can_hold(format.as_ptr(), codec_id) == 1 }
}

/// Returns the same for a coding format by its name.
pub(crate) fn can_hold_named(format: &str, codec: &str) -> bool {
    let (format, codec) = (c_text(format), c_text(codec));
    // SAFETY: both texts are terminated.
    unsafe { ffi::rt_output_can_hold_named(format.as_ptr(), codec.as_ptr()) == 1 }
}

/// Returns whether a writer of Matroska notes the priming of a track of sound, by what it writes of one.
pub(crate) fn notes_delay(muxer: &str, format: &AudioFormat) -> bool {
    /// `CodecDelay` of Matroska.
    const DELAY: [u8; 2] = [0x56, 0xAA];
    let head = || {
        let mut output = Output::in_memory(muxer)?;
        // The description of the decoder may hold the same bytes, and none is needed for this.
        let bare = AudioFormat { config: bare(format), ..format.clone() };
        output.audio(&bare, Rational::new(1, i32::try_from(format.sample_rate).unwrap_or(i32::MAX)))?;
        output.header()?;
        output.take()
    };
    head().is_ok_and(|head| head.windows(2).any(|bytes| bytes == DELAY))
}

/// Returns the description of a decoder, without bytes that could be taken for another element.
fn bare(format: &AudioFormat) -> Vec<u8> {
    match format.config.windows(2).any(|bytes| bytes == [0x56, 0xAA]) {
        true => Vec::new(),
        false => format.config.clone(),
    }
}

/// A subtitle in its new form, with times in ticks of the source track.
pub(crate) struct Text<'a> {
    pub(crate) pts: i64,
    pub(crate) duration: i64,
    pub(crate) text: &'a [u8],
}

/// Writes the text subtitles of one track in another form.
pub(crate) struct Subtitles(NonNull<ffi::RtSubtitles>);

// SAFETY: two codec contexts are used by one thread at a time.
unsafe impl Send for Subtitles {}

impl Subtitles {
    /// Adds a track of this coding format to the output.
    pub(crate) fn open(
        input: &Input,
        stream: u32,
        codec: &str,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let (codec, mut subtitles) = (c_text(codec), ptr::null_mut());
        // SAFETY: all arguments are alive, and the shim copies; on success the object is ours.
        attempt(|| unsafe {
            ffi::rt_subtitles_open(
                input.as_ptr(),
                stream as i32,
                codec.as_ptr(),
                output.0.as_ptr(),
                &mut subtitles,
            )
        })?;
        Ok(Self(NonNull::new(subtitles).expect("an opened converter has an address")))
    }

    pub(crate) fn track(&self) -> u32 {
        // SAFETY: the call only reads.
        unsafe { ffi::rt_subtitles_track(self.0.as_ptr()) as u32 }
    }

    /// Returns the packet in the new form; `None` if it shows nothing.
    pub(crate) fn convert(&mut self, packet: &Packet) -> Result<Option<Text<'_>>, Failure> {
        let mut out = MaybeUninit::<RawPacket>::uninit();
        // SAFETY: the packet is alive and only read; the shim fills the struct, and its bytes live until the
        // next call, which needs `&mut`.
        unsafe {
            let made =
                attempt(|| ffi::rt_subtitles_convert(self.0.as_ptr(), packet.as_ptr(), out.as_mut_ptr()))?;
            if made == 0 {
                return Ok(None);
            }
            let out = out.assume_init();
            let text = std::slice::from_raw_parts(out.data, out.size);
            Ok(Some(Text { pts: out.pts, duration: out.duration, text }))
        }
    }
}

impl Drop for Subtitles {
    fn drop(&mut self) {
        // SAFETY: the object is ours, and this is its last use.
        unsafe { ffi::rt_subtitles_close(self.0.as_ptr()) };
    }
}
