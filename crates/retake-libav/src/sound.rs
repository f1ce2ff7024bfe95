//! Encodes sound by libavcodec.
#![allow(unsafe_code)]

use crate::error::MediaError;
use crate::failure::{Failure, attempt, attempt_quickly, c_text};
use crate::ffi::{self, RawPacket};
use crate::input::audio_format;
use retake_media::AudioFormat;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

/// The coding formats that sound is encoded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoundCodec {
    /// AAC, low complexity.
    #[doc(alias = "kAudioFormatMPEG4AAC")]
    Aac,
    /// Opus, where FFmpeg was built with it. It takes 48, 24, 16, 12 or 8 kHz.
    #[doc(alias = "kAudioFormatOpus")]
    Opus,
}

impl SoundCodec {
    /// Returns the name of libavcodec's encoder.
    const fn encoder(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Opus => "libopus",
        }
    }
}

/// Encodes sound, from samples in any portions to packets of equal length.
///
/// Most codecs begin with sound that must not be heard (priming), and end with some: the place of a packet
/// tells which samples it holds, and the priming lies before zero.
pub struct SoundEncoder {
    raw: NonNull<ffi::RtSound>,
    codec: SoundCodec,
    format: AudioFormat,
    /// Samples of all channels that do not fill a packet yet.
    waiting: Vec<f32>,
    /// The number of samples of one channel that came, and of those that the encoder was given.
    came: u64,
    sent: u64,
    packets: VecDeque<SoundPacket>,
    over: bool,
}

// SAFETY: a codec context is used by one thread at a time (all calls take `&mut`), but not bound to one.
unsafe impl Send for SoundEncoder {}

/// A packet of encoded sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundPacket {
    /// The payload.
    pub data: Vec<u8>,
    /// The place where it begins, in samples from the first one that came. Packets that only prime the
    /// decoder lie before zero.
    pub start: i64,
    /// The number of samples that it decodes to.
    pub length: u32,
}

impl SoundEncoder {
    /// Opens an encoder of so many channels, at `sample_rate` samples a second of each. `bit_rate` is in bits
    /// a second; 0 leaves it to the encoder.
    ///
    /// # Errors
    /// Returns [`MediaError::Sound`] if this FFmpeg has no such encoder, or it refuses the numbers.
    pub fn open(
        codec: SoundCodec,
        sample_rate: u32,
        channels: u32,
        bit_rate: u64,
    ) -> Result<Self, MediaError> {
        let (name, mut sound) = (c_text(codec.encoder()), ptr::null_mut());
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let (rate, count, bits) =
            (number(sample_rate), number(channels), i64::try_from(bit_rate).unwrap_or(i64::MAX));
        // SAFETY: the text is terminated; on success the object is ours.
        attempt(|| unsafe { ffi::rt_sound_open(name.as_ptr(), rate, count, bits, &mut sound) })
            .map_err(|failure| error(codec, &failure))?;
        let raw = NonNull::new(sound).expect("an opened encoder has an address");
        let mut out = MaybeUninit::uninit();
        // SAFETY: the shim fills the struct, whose text and bytes live as long as the encoder.
        let format = unsafe {
            ffi::rt_sound_of(raw.as_ptr(), out.as_mut_ptr());
            audio_format(&out.assume_init())
        };
        let (waiting, packets) = (Vec::new(), VecDeque::new());
        Ok(Self { raw, codec, format, waiting, came: 0, sent: 0, packets, over: false })
    }

    /// Returns the description that the packets are decoded with.
    pub fn format(&self) -> &AudioFormat {
        &self.format
    }

    /// Returns the number of samples of one channel that came so far.
    pub fn came(&self) -> u64 {
        self.came
    }

    /// Takes samples, -1 to 1, one of each channel after the other. The number of samples must be a multiple
    /// of the channels.
    ///
    /// # Errors
    /// Returns [`MediaError::Sound`], also after the end. The encoder is useless then.
    pub fn send(&mut self, samples: &[f32]) -> Result<(), MediaError> {
        let channels = self.format.channels.max(1) as usize;
        if self.over || !samples.len().is_multiple_of(channels) {
            let detail = if self.over { "its end was told" } else { "samples of some channels are missing" };
            return Err(MediaError::Sound { codec: self.codec.encoder(), detail: detail.to_owned() });
        }
        self.came += (samples.len() / channels) as u64;
        self.waiting.extend_from_slice(samples);
        let whole = self.format.frame_size as usize * channels;
        let waiting = std::mem::take(&mut self.waiting);
        let frames = waiting.chunks_exact(whole);
        let rest = frames.remainder().to_vec();
        for frame in frames {
            self.encode(Some(frame))?;
        }
        self.waiting = rest;
        Ok(())
    }

    /// Ends the sound: the remaining samples are encoded, filled up with silence.
    ///
    /// # Errors
    /// Fails like [`SoundEncoder::send`].
    pub fn finish(&mut self) -> Result<(), MediaError> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        if !self.waiting.is_empty() {
            let mut last = std::mem::take(&mut self.waiting);
            last.resize(self.format.frame_size as usize * self.format.channels as usize, 0.0);
            self.encode(Some(&last))?;
        }
        self.encode(None)
    }

    /// Returns the next packet that is ready.
    pub fn next_packet(&mut self) -> Option<SoundPacket> {
        self.packets.pop_front()
    }

    /// Encodes one frame of exactly the encoder's size, or the end, and fetches the packets that are ready.
    fn encode(&mut self, frame: Option<&[f32]>) -> Result<(), MediaError> {
        let pts = i64::try_from(self.sent).unwrap_or(i64::MAX);
        let samples = frame.map_or(ptr::null(), <[f32]>::as_ptr);
        // SAFETY: the pointer is null, or points to as many samples as the shim reads: a whole frame of all
        // channels.
        attempt(|| unsafe { ffi::rt_sound_send(self.raw.as_ptr(), samples, pts) })
            .map_err(|failure| error(self.codec, &failure))?;
        if frame.is_some() {
            self.sent += u64::from(self.format.frame_size);
        }
        while let Some(packet) = self.receive().map_err(|failure| error(self.codec, &failure))? {
            self.packets.push_back(packet);
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<SoundPacket>, Failure> {
        let mut out = MaybeUninit::<RawPacket>::uninit();
        // SAFETY: on success the shim has filled the struct, with as many bytes as it states; they are
        // copied, and the packet is freed.
        unsafe {
            match attempt_quickly(|| ffi::rt_sound_receive(self.raw.as_ptr(), out.as_mut_ptr())) {
                Ok(_) => {}
                Err(failure) if failure.is_again() || failure.is_end() => return Ok(None),
                Err(failure) => return Err(failure),
            }
            let raw = out.assume_init();
            let data = match raw.data.is_null() {
                true => Vec::new(),
                false => std::slice::from_raw_parts(raw.data, raw.size).to_vec(),
            };
            ffi::rt_packet_free(raw.packet);
            Ok(Some(SoundPacket { data, start: raw.pts, length: self.format.frame_size }))
        }
    }
}

impl Drop for SoundEncoder {
    fn drop(&mut self) {
        // SAFETY: the encoder is ours, and this is its last use.
        unsafe { ffi::rt_sound_close(self.raw.as_ptr()) };
    }
}

fn error(codec: SoundCodec, failure: &Failure) -> MediaError {
    MediaError::Sound { codec: codec.encoder(), detail: failure.message().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Portions of any size become the same packets, which lie side by side and cover all samples that came.
    #[test]
    fn portions_do_not_matter() {
        let wave: Vec<f32> = (0..10_000).map(|i| (i as f32 * 0.05).sin() * 0.5).collect();
        let encode = |portion: usize| {
            let mut encoder = SoundEncoder::open(SoundCodec::Aac, 48_000, 2, 96_000).expect("FFmpeg has AAC");
            wave.chunks(portion).for_each(|samples| encoder.send(samples).expect("samples"));
            assert_eq!(encoder.came(), 5000);
            encoder.finish().expect("samples");
            encoder.finish().expect("once more is nothing");
            assert!(encoder.send(&[0.0; 2]).is_err());
            let priming = i64::from(encoder.format().priming);
            (priming, std::iter::from_fn(move || encoder.next_packet()).collect::<Vec<_>>())
        };
        let (priming, packets) = encode(10_000);
        assert_eq!(packets[0].start, -priming);
        assert!(packets.windows(2).all(|pair| pair[0].start + i64::from(pair[0].length) == pair[1].start));
        let last = &packets[packets.len() - 1];
        assert!(last.start < 5000 && last.start + i64::from(last.length) >= 5000);
        for portion in [2, 254, 2048, 5000] {
            assert_eq!(encode(portion).1, packets, "{portion}");
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_refused() {
        assert!(SoundEncoder::open(SoundCodec::Aac, 0, 2, 0).is_err());
        assert!(SoundEncoder::open(SoundCodec::Aac, 48_000, 0, 0).is_err());
        assert!(SoundEncoder::open(SoundCodec::Aac, 12_345, 2, 0).is_err());
        let mut encoder = SoundEncoder::open(SoundCodec::Aac, 44_100, 2, 0).expect("FFmpeg has AAC");
        assert!(encoder.send(&[0.0; 3]).is_err());
    }
}
