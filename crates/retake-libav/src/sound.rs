//! Encodes sound by libavcodec.
#![allow(unsafe_code)]

use crate::error::MediaError;
use crate::failure::{Failure, attempt, attempt_quickly, c_text};
use crate::ffi::{self, RawPacket, RawSoundSettings};
use crate::input::audio_format;
use crate::pcm::PcmDescription;
use retake_media::AudioFormat;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

/// The coding formats that sound is encoded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SoundCodec {
    /// AAC, low complexity.
    #[doc(alias = "kAudioFormatMPEG4AAC")]
    Aac,
    /// Opus, where FFmpeg was built with it. It takes 48, 24, 16, 12 or 8 kHz.
    #[doc(alias = "kAudioFormatOpus")]
    Opus,
    /// FLAC, without loss.
    #[doc(alias = "kAudioFormatFLAC")]
    Flac,
    /// Apple Lossless.
    #[doc(alias = "kAudioFormatAppleLossless")]
    Alac,
    /// Dolby Digital. It takes 48, 44.1 or 32 kHz, and up to six channels.
    #[doc(alias = "kAudioFormatAC3")]
    Ac3,
    /// Dolby Digital Plus, with the rates and channels of Dolby Digital.
    #[doc(alias = "kAudioFormatEnhancedAC3")]
    Eac3,
    /// MP3, where FFmpeg was built with LAME. It takes up to two channels.
    #[doc(alias = "kAudioFormatMPEGLayer3")]
    Mp3,
    /// Uncompressed integers of 16 bits, little end first.
    #[doc(alias = "kAudioFormatLinearPCM")]
    PcmS16,
    /// Uncompressed integers of 24 bits, little end first.
    PcmS24,
    /// Uncompressed floating point numbers of 32 bits, little end first.
    PcmF32,
}

impl SoundCodec {
    /// All coding formats.
    pub const ALL: [Self; 10] = [
        Self::Aac,
        Self::Opus,
        Self::Flac,
        Self::Alac,
        Self::Ac3,
        Self::Eac3,
        Self::Mp3,
        Self::PcmS16,
        Self::PcmS24,
        Self::PcmF32,
    ];

    /// Returns the name of libavcodec's encoder.
    const fn encoder(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Opus => "libopus",
            Self::Flac => "flac",
            Self::Alac => "alac",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Mp3 => "libmp3lame",
            Self::PcmS16 => "pcm_s16le",
            Self::PcmS24 => "pcm_s24le",
            Self::PcmF32 => "pcm_f32le",
        }
    }

    /// Returns FFmpeg's name of the coding format, as in [`AudioFormat::codec`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Mp3 => "mp3",
            // the encoder has the format's own name
            _ => self.encoder(),
        }
    }

    /// Returns whether decoding gives back what was encoded, as far as the bit depth reaches.
    pub const fn is_lossless(self) -> bool {
        !matches!(self, Self::Aac | Self::Opus | Self::Ac3 | Self::Eac3 | Self::Mp3)
    }

    /// Returns whether the samples are stored as they are.
    const fn is_uncompressed(self) -> bool {
        matches!(self, Self::PcmS16 | Self::PcmS24 | Self::PcmF32)
    }

    /// Returns the bits of a sample as the encoder is given it, 0 for floating point numbers; `None` if the
    /// codec has no such depth.
    const fn depth(self, asked: Option<u32>) -> Option<i32> {
        match (self, asked) {
            (Self::Flac | Self::Alac, None | Some(16)) | (Self::PcmS16, None | Some(16)) => Some(16),
            (Self::Flac | Self::Alac, Some(24)) | (Self::PcmS24, None | Some(24)) => Some(24),
            (Self::PcmF32, None | Some(32)) => Some(0),
            (Self::Aac | Self::Opus | Self::Ac3 | Self::Eac3 | Self::Mp3, None) => Some(0),
            _ => None,
        }
    }
}

/// How the bits of encoded sound are spread.
#[doc(alias = "AVEncoderBitRateStrategyKey")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BitRateStrategy {
    /// All packets are of one size: Opus, AC-3, E-AC-3 and MP3.
    #[doc(alias = "AVAudioBitRateStrategy_Constant")]
    Constant,
    /// The rate is kept over short stretches, whatever they hold: AAC, and Opus with constrained packets.
    #[doc(alias = "AVAudioBitRateStrategy_LongTermAverage")]
    Average,
    /// The rate is what sound takes as a rule; what is hard gets more: Opus.
    #[doc(alias = "AVAudioBitRateStrategy_Variable")]
    Variable,
}

/// What sound is encoded to, and what it comes as.
#[doc(alias = "outputSettings")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SoundSettings {
    /// The coding format.
    #[doc(alias = "AVFormatIDKey")]
    pub codec: SoundCodec,
    /// Samples a second of each channel of the track.
    #[doc(alias = "AVSampleRateKey")]
    pub sample_rate: u32,
    /// Channels of the track, in the usual order of so many.
    #[doc(alias = "AVNumberOfChannelsKey")]
    pub channels: u32,
    /// The channels of the track as a mask, in the order of its bits as in WAV files. It goes before
    /// [`channels`](Self::channels). Default: `None`.
    #[doc(alias = "AVChannelLayoutKey")]
    pub layout: Option<u64>,
    /// Bits a second. Default: 0, what the encoder thinks right, and the only value of lossless formats. A
    /// rate that an encoder does not have is refused, and the nearest is named.
    #[doc(alias = "AVEncoderBitRateKey")]
    pub bit_rate: u64,
    /// How bits are spread. Default: `None`, what is usual with the codec.
    pub strategy: Option<BitRateStrategy>,
    /// Bits of a sample: 16 or 24 with FLAC and Apple Lossless, where the default is 16. Other formats have
    /// their own or none.
    #[doc(alias = "AVEncoderBitDepthHintKey")]
    #[doc(alias = "AVLinearPCMBitDepthKey")]
    pub bit_depth: Option<u32>,
    /// What is appended, if its rate or channels are not those of the track: it is converted by
    /// libswresample, whose matrices mix to fewer channels. Default: `None`.
    pub source: Option<SoundSource>,
}

/// What uncompressed sound comes as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SoundSource {
    /// Samples a second of each channel.
    pub sample_rate: u32,
    /// The number of channels.
    pub channels: u32,
    /// The channels as a mask; 0 for the usual ones of so many.
    pub layout: u64,
}

impl SoundSettings {
    /// So many channels at this rate, in this coding format.
    pub const fn new(codec: SoundCodec, sample_rate: u32, channels: u32) -> Self {
        Self {
            codec,
            sample_rate,
            channels,
            layout: None,
            bit_rate: 0,
            strategy: None,
            bit_depth: None,
            source: None,
        }
    }

    /// Returns the number of channels: those of the layout, where there is one.
    pub fn channel_count(&self) -> u32 {
        self.layout.map_or(self.channels, u64::count_ones)
    }

    /// Returns what is to be appended.
    pub fn source(&self) -> SoundSource {
        self.source.unwrap_or(SoundSource {
            sample_rate: self.sample_rate,
            channels: self.channel_count(),
            layout: self.layout.unwrap_or(0),
        })
    }

    /// Returns the option of the encoder that spreads the bits.
    fn option(&self) -> Result<Option<(&'static str, &'static str)>, &'static str> {
        use BitRateStrategy::{Average, Constant, Variable};
        match (self.codec, self.strategy) {
            (_, None) | (SoundCodec::Aac, Some(Average)) => Ok(None),
            (SoundCodec::Ac3 | SoundCodec::Eac3 | SoundCodec::Mp3, Some(Constant)) => Ok(None),
            (SoundCodec::Opus, Some(Constant)) => Ok(Some(("vbr", "off"))),
            (SoundCodec::Opus, Some(Average)) => Ok(Some(("vbr", "constrained"))),
            (SoundCodec::Opus, Some(Variable)) => Ok(Some(("vbr", "on"))),
            (SoundCodec::Aac, Some(_)) => Err("this encoder keeps an average rate alone"),
            (SoundCodec::Ac3 | SoundCodec::Eac3 | SoundCodec::Mp3, Some(_)) => Err("its rate is constant"),
            (_, Some(_)) => Err("a format without loss has no bit rate"),
        }
    }
}

impl SoundSource {
    /// So many channels at this rate, in the usual order.
    pub const fn new(sample_rate: u32, channels: u32) -> Self {
        Self { sample_rate, channels, layout: 0 }
    }
}

impl From<PcmDescription> for SoundSource {
    /// What a reader of decoded sound gives.
    fn from(description: PcmDescription) -> Self {
        let PcmDescription { sample_rate, channels, layout, .. } = description;
        Self { sample_rate, channels, layout }
    }
}

/// Encodes sound, from samples in any portions to packets of equal length.
///
/// Most codecs begin with sound that must not be heard (priming), and end with some: the place of a packet
/// tells which samples it holds, and the priming lies before zero. Packets of lossless formats hold what came
/// and nothing else, so that the last one is shorter.
pub struct SoundEncoder {
    raw: NonNull<ffi::RtSound>,
    codec: SoundCodec,
    format: AudioFormat,
    /// The samples of each channel that a packet holds.
    frame: usize,
    source: SoundSource,
    converter: Option<Converter>,
    /// Samples of all channels that do not fill a packet yet.
    waiting: Vec<f32>,
    /// The number of samples of one channel that came, by the rate of the source; those of them that are
    /// converted, and those that the encoder was given, by that of the track.
    taken: u64,
    came: u64,
    sent: u64,
    packets: VecDeque<SoundPacket>,
    over: bool,
}

// SAFETY: a codec context is used by one thread at a time (all calls take `&mut`), but not bound to one.
unsafe impl Send for SoundEncoder {}

/// Converts floating point samples to another rate and other channels.
struct Converter(NonNull<ffi::RtConverter>);

// SAFETY: a converter is used by one thread at a time (all calls take `&mut`), but not bound to one.
unsafe impl Send for Converter {}

impl Converter {
    fn open(format: &AudioFormat) -> Result<Self, Failure> {
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let (rate, channels, mut out) =
            (number(format.sample_rate), number(format.channels), ptr::null_mut());
        // SAFETY: on success the object is ours.
        attempt(|| unsafe { ffi::rt_converter_open(ffi::F32, rate, channels, format.layout, &mut out) })?;
        Ok(Self(NonNull::new(out).expect("an opened converter has an address")))
    }

    /// Converts samples of all channels; `None` is the end of the sound.
    fn convert(&mut self, from: Option<(&[f32], SoundSource)>, channels: usize) -> Result<Vec<f32>, Failure> {
        let (mut data, mut samples) = (ptr::null(), 0);
        match from {
            Some((from, source)) => {
                let count = from.len() / source.channels.max(1) as usize;
                let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
                let (rate, count_channels) = (number(source.sample_rate), number(source.channels));
                // SAFETY: there are as many samples as stated; the shim fills both results.
                attempt_quickly(|| unsafe {
                    ffi::rt_converter_floats(
                        self.0.as_ptr(),
                        from.as_ptr(),
                        i32::try_from(count).unwrap_or(0),
                        rate,
                        count_channels,
                        source.layout,
                        &mut data,
                        &mut samples,
                    )
                })?;
            }
            None => {
                // SAFETY: the shim fills both results.
                attempt_quickly(|| unsafe {
                    ffi::rt_converter_drain(self.0.as_ptr(), &mut data, &mut samples)
                })?;
            }
        }
        if data.is_null() || samples <= 0 {
            return Ok(Vec::new());
        }
        // SAFETY: there are as many samples of each channel as the shim says, until its next call.
        Ok(unsafe { std::slice::from_raw_parts(data.cast::<f32>(), samples as usize * channels) }.to_vec())
    }
}

impl Drop for Converter {
    fn drop(&mut self) {
        // SAFETY: the converter is ours, and this is its last use.
        unsafe { ffi::rt_converter_close(self.0.as_ptr()) };
    }
}

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

/// How many samples of each channel are converted at once.
const AT_ONCE: usize = 1 << 14;

impl SoundEncoder {
    /// Opens an encoder.
    ///
    /// # Errors
    /// Returns [`MediaError::Sound`] with the reason if this FFmpeg has no such encoder, or the encoder does
    /// not take the settings as they are: its rates, channels, depths and strategies.
    pub fn open(settings: &SoundSettings) -> Result<Self, MediaError> {
        let SoundSettings { codec, sample_rate, bit_rate, layout, .. } = *settings;
        let refuse = |detail: String| MediaError::Sound { codec: codec.encoder(), detail };
        let Some(bit_depth) = codec.depth(settings.bit_depth) else {
            let bits = settings.bit_depth.unwrap_or_default();
            return Err(refuse(format!("samples of {bits} bits are not among those that it stores")));
        };
        if codec.is_lossless() && bit_rate > 0 {
            return Err(refuse("a format without loss has no bit rate".to_owned()));
        }
        if layout == Some(0) {
            return Err(refuse("a layout has channels".to_owned()));
        }
        let option = settings.option().map_err(|detail| refuse(detail.to_owned()))?;
        let (name, option) =
            (c_text(codec.encoder()), option.map(|(name, value)| (c_text(name), c_text(value))));
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let raw_settings = RawSoundSettings {
            encoder: name.as_ptr(),
            rate: number(sample_rate),
            channels: number(settings.channels),
            bit_depth,
            layout: layout.unwrap_or(0),
            bit_rate: i64::try_from(bit_rate).unwrap_or(i64::MAX),
            option: option.as_ref().map_or(ptr::null(), |(name, _)| name.as_ptr()),
            value: option.as_ref().map_or(ptr::null(), |(_, value)| value.as_ptr()),
        };
        let mut sound = ptr::null_mut();
        // SAFETY: all texts are terminated, and live until after the call; on success the object is ours.
        attempt(|| unsafe { ffi::rt_sound_open(&raw_settings, &mut sound) })
            .map_err(|failure| error(codec, &failure))?;
        let raw = NonNull::new(sound).expect("an opened encoder has an address");
        let mut out = MaybeUninit::uninit();
        // SAFETY: the shim fills the struct, whose text and bytes live as long as the encoder.
        let mut format = unsafe {
            ffi::rt_sound_of(raw.as_ptr(), out.as_mut_ptr());
            audio_format(&out.assume_init())
        };
        let frame = format.frame_size as usize;
        if codec.is_uncompressed() {
            format.frame_size = 0; // any number of samples makes a packet
        }
        let mut encoder = Self {
            raw,
            codec,
            format,
            frame,
            source: settings.source(),
            converter: None,
            waiting: Vec::new(),
            taken: 0,
            came: 0,
            sent: 0,
            packets: VecDeque::new(),
            over: false,
        };
        let taken = encoder.format.bit_rate;
        if bit_rate > 0 && taken != bit_rate {
            return Err(refuse(format!(
                "{bit_rate} bits a second are not among its rates: the nearest is {taken}"
            )));
        }
        encoder.convert_from(encoder.source).map_err(|failure| error(codec, &failure))?;
        Ok(encoder)
    }

    /// Opens a converter, if what comes is not what the encoder takes.
    fn convert_from(&mut self, source: SoundSource) -> Result<(), Failure> {
        let same = source.sample_rate == self.format.sample_rate
            && source.channels == self.format.channels
            && (source.layout == 0 || source.layout == self.format.layout);
        if !same {
            let mut converter = Converter::open(&self.format)?;
            // Whether it can convert from these shows with the first sample, so it is given none here.
            converter.convert(Some((&[], source)), self.format.channels as usize)?;
            self.converter = Some(converter);
        }
        Ok(())
    }

    /// Returns what the samples have to be that are sent.
    pub fn source(&self) -> SoundSource {
        self.source
    }

    /// Returns the description that the packets are decoded with.
    pub fn format(&self) -> &AudioFormat {
        &self.format
    }

    /// Returns the number of samples of one channel that came so far, by the rate of the track.
    pub fn came(&self) -> u64 {
        self.came
    }

    /// Takes samples, -1 to 1, one of each channel after the other, as the [source](Self::source) says. The
    /// number of samples must be a multiple of the channels.
    ///
    /// # Errors
    /// Returns [`MediaError::Sound`], also after the end. The encoder is useless then.
    pub fn send(&mut self, samples: &[f32]) -> Result<(), MediaError> {
        let channels = self.source.channels.max(1) as usize;
        if self.over || !samples.len().is_multiple_of(channels) {
            let detail = if self.over { "its end was told" } else { "samples of some channels are missing" };
            return Err(MediaError::Sound { codec: self.codec.encoder(), detail: detail.to_owned() });
        }
        self.taken += (samples.len() / channels) as u64;
        if self.converter.is_none() {
            return self.take(samples);
        }
        for part in samples.chunks(AT_ONCE * channels) {
            self.convert(Some((part, self.source)))?;
        }
        Ok(())
    }

    /// Ends the sound: the remaining samples are encoded, filled up with silence where the codec needs it.
    ///
    /// # Errors
    /// Fails like [`SoundEncoder::send`].
    pub fn finish(&mut self) -> Result<(), MediaError> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        self.convert(None)?;
        if !self.waiting.is_empty() {
            let mut last = std::mem::take(&mut self.waiting);
            if !self.codec.is_lossless() {
                last.resize(self.frame * self.format.channels as usize, 0.0);
            }
            self.encode(Some(&last))?;
        }
        self.encode(None)
    }

    /// Converts samples, or what is left inside at the end.
    fn convert(&mut self, from: Option<(&[f32], SoundSource)>) -> Result<(), MediaError> {
        let channels = self.format.channels.max(1) as usize;
        let Some(converter) = &mut self.converter else { return Ok(()) };
        let over = from.is_none();
        let mut made = converter.convert(from, channels).map_err(|failure| error(self.codec, &failure))?;
        // Resampling ends with a few samples more or less than the sound had.
        let (to, from) = (u128::from(self.format.sample_rate), u128::from(self.source.sample_rate.max(1)));
        let whole = (u128::from(self.taken) * to + from / 2) / from;
        let left = usize::try_from(whole.saturating_sub(u128::from(self.came))).unwrap_or(usize::MAX);
        made.truncate(left.saturating_mul(channels));
        if over {
            made.resize(left * channels, 0.0);
        }
        self.take(&made)
    }

    /// Takes samples as the encoder has them.
    fn take(&mut self, samples: &[f32]) -> Result<(), MediaError> {
        let channels = self.format.channels.max(1) as usize;
        self.came += (samples.len() / channels) as u64;
        self.waiting.extend_from_slice(samples);
        let waiting = std::mem::take(&mut self.waiting);
        let frames = waiting.chunks_exact(self.frame * channels);
        let rest = frames.remainder().to_vec();
        for frame in frames {
            self.encode(Some(frame))?;
        }
        self.waiting = rest;
        Ok(())
    }

    /// Returns the next packet that is ready.
    pub fn next_packet(&mut self) -> Option<SoundPacket> {
        self.packets.pop_front()
    }

    /// Encodes one frame of the encoder's size, the shorter last one, or the end, and fetches the packets
    /// that are ready.
    fn encode(&mut self, frame: Option<&[f32]>) -> Result<(), MediaError> {
        let pts = i64::try_from(self.sent).unwrap_or(i64::MAX);
        let samples = frame.map_or(ptr::null(), <[f32]>::as_ptr);
        let count = frame.map_or(0, |frame| frame.len() / self.format.channels.max(1) as usize);
        // SAFETY: the pointer is null, or points to as many samples of each channel as stated.
        attempt(|| unsafe {
            ffi::rt_sound_send(self.raw.as_ptr(), samples, i32::try_from(count).unwrap_or(0), pts)
        })
        .map_err(|failure| error(self.codec, &failure))?;
        self.sent += count as u64;
        while let Some(packet) = self.receive().map_err(|failure| error(self.codec, &failure))? {
            // FLAC ends with a packet that holds no sound, but tells the sum of all of it.
            if !packet.data.is_empty() {
                self.packets.push_back(packet);
            }
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
            // Lossy codecs fill each packet, whatever they say of the last.
            let own = u32::try_from(raw.duration).ok().filter(|own| *own > 0 && self.codec.is_lossless());
            let length = own.unwrap_or(u32::try_from(self.frame).unwrap_or(u32::MAX));
            Ok(Some(SoundPacket { data, start: raw.pts, length }))
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
        let mut settings = SoundSettings::new(SoundCodec::Aac, 48_000, 2);
        settings.bit_rate = 96_000;
        let encode = |portion: usize| {
            let mut encoder = SoundEncoder::open(&settings).expect("FFmpeg has AAC");
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
    fn what_cannot_be_encoded_is_refused_with_the_reason() {
        use BitRateStrategy::{Average, Constant, Variable};
        use SoundCodec::{Aac, Ac3, Alac, Flac, PcmS16};
        let with = |codec, change: &dyn Fn(&mut SoundSettings)| {
            let mut settings = SoundSettings::new(codec, 48_000, 2);
            change(&mut settings);
            SoundEncoder::open(&settings).err().map(|error| error.to_string())
        };
        type Case<'a> = (SoundCodec, &'a dyn Fn(&mut SoundSettings), &'a str);
        let refused: [Case<'_>; 18] = [
            (Aac, &|s: &mut SoundSettings| s.sample_rate = 0, ""),
            (Aac, &|s| s.channels = 0, ""),
            (Aac, &|s| s.sample_rate = 12_345, "12345"),
            (Aac, &|s| s.bit_rate = 50_000_000, "nearest"),
            (Aac, &|s| s.strategy = Some(Constant), "average"),
            (Aac, &|s| s.bit_depth = Some(16), "16 bits"),
            (Aac, &|s| s.layout = Some(0), "channels"),
            (Ac3, &|s| s.bit_rate = 1_000_000_000, ""),
            (Ac3, &|s| s.strategy = Some(Average), "constant"),
            (Ac3, &|s| s.channels = 8, ""),
            (Ac3, &|s| s.sample_rate = 96_000, "96000"),
            (Flac, &|s| s.bit_rate = 1000, "without loss"),
            (Flac, &|s| s.strategy = Some(Variable), "without loss"),
            (Alac, &|s| s.bit_depth = Some(20), "20 bits"),
            (PcmS16, &|s| s.bit_depth = Some(24), "24 bits"),
            (Aac, &|s| s.source = Some(SoundSource::new(0, 2)), ""),
            (Aac, &|s| s.source = Some(SoundSource::new(48_000, 0)), ""),
            (Aac, &|s| s.source = Some(SoundSource::new(1, 2)), ""),
        ];
        for (codec, change, reason) in refused {
            let said = with(codec, change).expect(reason);
            assert!(said.contains(reason), "{codec:?}: {said}");
        }
        let mut encoder = SoundEncoder::open(&SoundSettings::new(Aac, 44_100, 2)).expect("FFmpeg has AAC");
        assert!(encoder.send(&[0.0; 3]).is_err());
    }

    /// As many samples come out as went in, by the rate of the track, whatever portions they came in.
    #[test]
    fn converted_sound_is_as_long_as_before() {
        let mut settings = SoundSettings::new(SoundCodec::PcmS24, 44_100, 1);
        settings.source = Some(SoundSource::new(48_000, 6));
        for portion in [1, 777, 40_000] {
            let mut encoder = SoundEncoder::open(&settings).expect("FFmpeg has PCM");
            for start in (0..40_001).step_by(portion) {
                let count = portion.min(40_001 - start);
                encoder.send(&vec![0.25; count * 6]).expect("samples");
            }
            encoder.finish().expect("samples");
            let packets: Vec<_> = std::iter::from_fn(|| encoder.next_packet()).collect();
            let length: u64 = packets.iter().map(|packet| u64::from(packet.length)).sum();
            assert_eq!((length, encoder.came()), (36_751, 36_751), "{portion}");
            assert!(packets.iter().all(|packet| packet.data.len() == packet.length as usize * 3));
        }
    }
}
