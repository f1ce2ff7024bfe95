use serde::{Deserialize, Serialize};

/// What a decoder of sound has to know before the first sample, and a container before it can store one.
#[doc(alias = "CMAudioFormatDescription")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFormat {
    /// FFmpeg's name of the coding format: `aac`, `opus`, `ac3`, `flac`, `pcm_s16le`, …
    pub codec: String,
    /// Samples a second; also the clock of the track in ISO files.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// Which channels, as a mask of FFmpeg's and WAVE's positions; 0 for the usual ones of so many channels.
    pub layout: u64,
    /// Samples that each packet decodes to; 0 where it varies or is not known.
    pub frame_size: u32,
    /// Bytes of one sample of all channels, for uncompressed sound; else 0.
    pub block_align: u32,
    /// Bits of one sample of one channel, for uncompressed sound; else 0.
    pub bits_per_sample: u32,
    /// Samples at the start that the encoder made and nobody hears; they also come as negative times, or as
    /// [`SampleAttachments::trim_at_start`](crate::SampleAttachments::trim_at_start).
    pub priming: u32,
    /// Bits a second, if known; else 0.
    pub bit_rate: u64,
    /// The decoder configuration: the AudioSpecificConfig of AAC, the header of FLAC or Opus; empty where there is none.
    pub config: Vec<u8>,
}
