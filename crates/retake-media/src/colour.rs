//! Colour tags and HDR10 metadata, in the numbers that the standards define.

use serde::{Deserialize, Serialize};

/// States which sample values are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Range {
    /// Luma of 8 bits uses 16-235, other depths its multiples. Almost all films are coded so.
    #[default]
    Limited,
    /// All values are used: 0-255 and its multiples.
    Full,
}

/// Tags the colours of samples with the code points of ITU-T H.273, which H.264, HEVC, AV1, VP9 and ISO files
/// carry.
///
/// The code 2 means *unspecified* in each of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Colour {
    /// The colour primaries: 1 BT.709, 9 BT.2020 …
    #[doc(alias = "kVTCompressionPropertyKey_ColorPrimaries")]
    pub primaries: u8,
    /// The transfer function: 1 BT.709, 16 PQ, 18 HLG …
    #[doc(alias = "kVTCompressionPropertyKey_TransferFunction")]
    pub transfer: u8,
    /// The matrix: 1 BT.709, 6 BT.601, 9 BT.2020 …
    #[doc(alias = "kVTCompressionPropertyKey_YCbCrMatrix")]
    pub matrix: u8,
    /// The range of the samples. The default is limited.
    pub range: Range,
    /// Whether the source stated its range. Where it did not, no flag for full range must be written.
    pub range_known: bool,
    /// The chroma sample location type of H.273 and ITU-T H.265 plus one: 0 unknown, 1 left (MPEG-2), 2
    /// centre (JPEG), 3 top left.
    pub chroma_location: u8,
}

impl Default for Colour {
    fn default() -> Self {
        Self {
            primaries: 2,
            transfer: 2,
            matrix: 2,
            range: Range::Limited,
            range_known: false,
            chroma_location: 0,
        }
    }
}

/// Describes the mastering display's colour volume (SMPTE ST 2086), in the integer units that H.264 and HEVC
/// SEI messages carry.
#[doc(alias = "kVTCompressionPropertyKey_MasteringDisplayColorVolume")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MasteringDisplay {
    /// The coordinates x, y of green, blue and red, in units of 0.00002.
    pub primaries_gbr: [[u16; 2]; 3],
    /// The coordinates x, y of the white point, in units of 0.00002.
    pub white_point: [u16; 2],
    /// The maximum luminance in units of 0.0001 cd/m².
    pub max_luminance: u32,
    /// The minimum luminance in units of 0.0001 cd/m².
    pub min_luminance: u32,
}

/// States the content light level of a film (CTA-861.3).
#[doc(alias = "kVTCompressionPropertyKey_ContentLightLevelInfo")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContentLight {
    /// The maximum content light level (MaxCLL) in cd/m².
    #[doc(alias = "MaxCLL")]
    pub max_content: u16,
    /// The maximum frame-average light level (MaxFALL) in cd/m².
    #[doc(alias = "MaxFALL")]
    pub max_frame_average: u16,
}
