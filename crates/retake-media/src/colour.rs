use serde::{Deserialize, Serialize};

/// Which sample values are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Range {
    /// 16-235 (luma, 8 bit) and its multiples: what almost all film uses.
    #[default]
    Limited,
    /// 0-255 and its multiples.
    Full,
}

/// Colour tags with the code points of ITU-T H.273 (the numbers that H.264, HEVC, AV1, VP9 and ISO files carry).
///
/// 2 is *unspecified*, in each of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Colour {
    /// Colour primaries: 1 BT.709, 9 BT.2020 …
    #[doc(alias = "kVTCompressionPropertyKey_ColorPrimaries")]
    pub primaries: u8,
    /// Transfer function: 1 BT.709, 16 PQ, 18 HLG …
    #[doc(alias = "kVTCompressionPropertyKey_TransferFunction")]
    pub transfer: u8,
    /// Matrix: 1 BT.709, 6 BT.601, 9 BT.2020 …
    #[doc(alias = "kVTCompressionPropertyKey_YCbCrMatrix")]
    pub matrix: u8,
    /// Limited or full range.
    pub range: Range,
    /// Whether the source said which range it uses; where it did not, no range flag is written that says "full".
    pub range_known: bool,
    /// H.273 / ITU-T H.265 chroma sample location type plus one; 0 unknown, 1 left (MPEG-2), 2 centre (JPEG), 3 top left.
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

/// SMPTE ST 2086 mastering display colour volume, in the integer units that H.264 and HEVC SEI messages carry.
#[doc(alias = "kVTCompressionPropertyKey_MasteringDisplayColorVolume")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MasteringDisplay {
    /// x, y of green, blue, red, in units of 0.00002.
    pub primaries_gbr: [[u16; 2]; 3],
    /// x, y of the white point, in units of 0.00002.
    pub white_point: [u16; 2],
    /// Maximum luminance in units of 0.0001 cd/m².
    pub max_luminance: u32,
    /// Minimum luminance in units of 0.0001 cd/m².
    pub min_luminance: u32,
}

/// CTA-861.3 content light level.
#[doc(alias = "kVTCompressionPropertyKey_ContentLightLevelInfo")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContentLight {
    /// Maximum content light level in cd/m².
    pub max_content: u16,
    /// Maximum frame-average light level in cd/m².
    pub max_frame_average: u16,
}
