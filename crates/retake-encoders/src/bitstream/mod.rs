//! Converts the output of the libraries to the form of ISO files and of Retake's samples: decoder
//! configuration records, and payloads without the parts that are in those.

mod av1;
mod avc;
mod bits;
mod hevc;
mod nal;
mod vp9;

pub(crate) use vp9::{level as vp9_level, levels as vp9_levels};

use retake_compression::encoder::EncoderSettings;
use retake_media::Codec;

/// Makes samples of the payloads of one encode.
pub(crate) struct Bitstream {
    codec: Codec,
    /// The units that the library puts into the headers only, and that every sync sample must carry (HDR
    /// metadata of HEVC).
    sync_prefix: Vec<u8>,
}

impl Bitstream {
    /// Reads the library's headers; returns the decoder configuration record with it.
    pub(crate) fn new(
        codec: Codec,
        headers: &[u8],
        settings: &EncoderSettings,
    ) -> Result<(Self, Vec<u8>), String> {
        let (config, sync_prefix) = match codec {
            Codec::H264 => (avc::config(headers, settings)?, Vec::new()),
            Codec::Hevc => (hevc::config(headers)?, hevc::sync_prefix(headers)?),
            Codec::Av1 => (av1::config(headers, settings)?, Vec::new()),
            Codec::Vp9 => (vp9::config(settings), Vec::new()),
        };
        Ok((Self { codec, sync_prefix }, config))
    }

    /// Returns whether a decoder may go without a sample that shows a frame to which the library says that
    /// none refers. It may not where frames that are not shown lie before it, as AV1 packs them.
    pub(crate) fn can_be_left_out(&self, data: &[u8]) -> bool {
        self.codec != Codec::Av1 || av1::frames(data) == 1
    }

    /// Returns the payload of a sample.
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
