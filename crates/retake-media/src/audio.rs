//! The description that compressed or plain sound is decoded and stored with.

use serde::{Deserialize, Serialize};

/// Describes sound to a decoder before the first sample, and to a container before it can store one.
#[doc(alias = "CMAudioFormatDescription")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFormat {
    /// FFmpeg's name of the coding format: `aac`, `opus`, `ac3`, `flac`, `pcm_s16le`, …
    pub codec: String,
    /// The sample rate in hertz, which is also the clock of the track in ISO files.
    pub sample_rate: u32,
    /// The number of channels.
    pub channels: u32,
    /// The mask of the channels' positions, as FFmpeg and WAVE define it; 0 stands for the usual positions of
    /// this number of channels.
    pub layout: u64,
    /// The number of samples that each packet decodes to; 0 where it varies or is not known.
    pub frame_size: u32,
    /// The number of bytes of one sample of all channels where the sound is uncompressed; else 0.
    pub block_align: u32,
    /// The number of bits of one sample of one channel where the sound is uncompressed; else 0.
    pub bits_per_sample: u32,
    /// The number of samples that the encoder put before the sound and that must not be heard. They also come
    /// as negative times, or as
    /// [`SampleAttachments::trim_at_start`](crate::SampleAttachments::trim_at_start).
    pub priming: u32,
    /// The bit rate in bits a second; 0 where it is not known.
    pub bit_rate: u64,
    /// The decoder configuration: the AudioSpecificConfig of AAC, or the header of FLAC or Opus. It is empty
    /// for formats that have none.
    pub config: Vec<u8>,
}

impl AudioFormat {
    /// Returns whether what the format says of itself is enough for a file of the ISO family, where a decoder
    /// has nothing else: a rate and channels, and the header of Opus (RFC 7845, 5.1), FLAC (STREAMINFO, RFC
    /// 9639, 8.2) and Apple Lossless. What is taken out of a damaged file may lack them.
    pub fn is_described(&self) -> bool {
        let config = match self.codec.as_str() {
            "opus" => self.config.starts_with(b"OpusHead") && self.config.len() >= 19,
            "flac" => self.config.len() >= 34,
            "alac" => self.config.len() >= 24,
            _ => true,
        };
        config && self.sample_rate > 0 && self.channels > 0
    }

    /// Sound of a coding format, a sample rate and a number of channels, of which nothing else is known.
    #[doc(alias = "CMAudioFormatDescriptionCreate")]
    pub fn new(codec: impl Into<String>, sample_rate: u32, channels: u32) -> Self {
        Self { codec: codec.into(), sample_rate, channels, ..Self::default() }
    }
}
