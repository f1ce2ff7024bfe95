//! Converts the output of the libraries to the form of ISO files and of Retake's samples: decoder
//! configuration records, and payloads without the parts that are in those.

mod av1;
mod avc;
mod bits;
mod hevc;
mod nal;
mod side_data;
mod vp9;

pub(crate) use side_data::SideData;
pub(crate) use vp9::{level as vp9_level, levels as vp9_levels};

use retake_compression::encoder::EncoderSettings;
use retake_media::{Codec, PixelBuffer};
use side_data::{Wanted, insert_nals, metadata_obus};

/// Makes samples of the payloads of one encode.
pub(crate) struct Bitstream {
    codec: Codec,
    /// Whether NAL units of the library stand behind start codes, and not behind lengths.
    start_codes: bool,
    /// The units that the library puts into the headers only, and that every sync sample must carry (HDR
    /// metadata of HEVC).
    sync_prefix: Vec<u8>,
    side_data: Wanted,
}

impl Bitstream {
    /// Reads the library's headers; returns the decoder configuration record with it.
    pub(crate) fn new(
        codec: Codec,
        headers: &[u8],
        settings: &EncoderSettings,
        start_codes: bool,
    ) -> Result<(Self, Vec<u8>), String> {
        let start_codes = start_codes && matches!(codec, Codec::H264 | Codec::Hevc);
        let behind_lengths = start_codes.then(|| nal::from_start_codes(headers));
        let headers = behind_lengths.as_deref().unwrap_or(headers);
        let (config, sync_prefix) = match codec {
            Codec::H264 => (avc::config(headers, settings)?, Vec::new()),
            Codec::Hevc => (hevc::config(headers)?, hevc::sync_prefix(headers)?),
            Codec::Av1 => (av1::config(headers, settings)?, Vec::new()),
            Codec::Vp9 => (vp9::config(settings), Vec::new()),
            // The writers of containers take these headers as they are.
            Codec::Vvc | Codec::Mpeg4 | Codec::Mpeg2 | Codec::ProRes => (headers.to_vec(), Vec::new()),
        };
        Ok((Self { codec, start_codes, sync_prefix, side_data: Wanted::new(codec, settings) }, config))
    }

    /// Returns whether a decoder may go without a sample that shows a frame to which the library says that
    /// none refers. It may not where frames that are not shown lie before it, as AV1 packs them.
    pub(crate) fn can_be_left_out(&self, data: &[u8]) -> bool {
        self.codec != Codec::Av1 || av1::frames(data) == 1
    }

    /// Returns what a frame brings beside its picture, as far as the samples of this encode hold it.
    pub(crate) fn side_data(&self, picture: &PixelBuffer) -> Option<SideData> {
        self.side_data.of(picture)
    }

    /// Returns the payload of a sample, with the side data of its frame.
    pub(crate) fn sample(&self, data: &[u8], sync: bool, side: Option<&SideData>) -> Result<Vec<u8>, String> {
        let behind_lengths = self.start_codes.then(|| nal::from_start_codes(data));
        let data = behind_lengths.as_deref().unwrap_or(data);
        let (sample, names) = match self.codec {
            Codec::H264 => (nal::keep(data, &[], avc::belongs_in_samples)?, &avc::NAMES),
            Codec::Hevc => {
                let prefix = if sync { &self.sync_prefix[..] } else { &[] };
                (nal::keep(data, prefix, hevc::belongs_in_samples)?, &hevc::NAMES)
            }
            Codec::Av1 => return av1::sample(data, &side.map(metadata_obus).unwrap_or_default()),
            Codec::Vp9 | Codec::Vvc | Codec::Mpeg4 | Codec::Mpeg2 | Codec::ProRes => {
                return Ok(data.to_vec());
            }
        };
        match side {
            Some(side) => insert_nals(sample, side, names),
            None => Ok(sample),
        }
    }
}
