//! From what the libraries write to what ISO files and Retake's samples hold: decoder configuration records, and payloads without the
//! parts that live there.

mod av1;
mod avc;
mod bits;
mod hevc;
mod nal;
mod vp9;

pub(crate) use vp9::{level as vp9_level, levels as vp9_levels};

use retake_compression::encoder::EncoderSettings;
use retake_media::Codec;

/// How the payloads of one encode become samples.
pub(crate) struct Bitstream {
    codec: Codec,
    /// Units that the library puts into the headers only, and that every sync sample has to carry (HDR metadata of HEVC).
    sync_prefix: Vec<u8>,
}

impl Bitstream {
    /// From the library's headers; with it, the decoder configuration record.
    pub(crate) fn new(
        codec: Codec,
        headers: &[u8],
        settings: &EncoderSettings,
    ) -> Result<(Self, Vec<u8>), String> {
        let (config, sync_prefix) = match codec {
            Codec::H264 => (avc::config(headers)?, Vec::new()),
            Codec::Hevc => (hevc::config(headers)?, hevc::sync_prefix(headers)?),
            Codec::Av1 => (av1::config(headers, settings)?, Vec::new()),
            Codec::Vp9 => (vp9::config(settings), Vec::new()),
        };
        Ok((Self { codec, sync_prefix }, config))
    }

    /// The payload of a sample.
    pub(crate) fn sample(&self, data: &[u8], sync: bool) -> Result<Vec<u8>, String> {
        match self.codec {
            Codec::H264 => nal::keep(data, &[], avc::belongs_in_samples),
            Codec::Hevc => {
                nal::keep(data, if sync { &self.sync_prefix } else { &[] }, hevc::belongs_in_samples)
            }
            Codec::Av1 => av1::sample(data),
            Codec::Vp9 => Ok(data.to_vec()),
        }
    }
}
