use crate::{CleanAperture, Colour, ContentLight, Fields, IccProfile, MasteringDisplay, Rational};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A video coding format.
#[doc(alias = "CMVideoCodecType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// H.264 / AVC, `avc1`.
    H264,
    /// H.265 / HEVC, `hvc1`.
    Hevc,
    /// AV1, `av01`.
    Av1,
    /// VP9, `vp09`.
    Vp9,
}

impl Codec {
    /// Every codec, in the order in which they are listed to people.
    pub const ALL: [Self; 4] = [Self::H264, Self::Hevc, Self::Av1, Self::Vp9];

    /// The sample entry code of ISO base media files.
    pub const fn four_cc(self) -> [u8; 4] {
        match self {
            Self::H264 => *b"avc1",
            Self::Hevc => *b"hvc1",
            Self::Av1 => *b"av01",
            Self::Vp9 => *b"vp09",
        }
    }

    /// The name that the command line takes: `h264`, `hevc`, `av1`, `vp9`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::Vp9 => "vp9",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Codec {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "h264" | "avc" | "avc1" => Ok(Self::H264),
            "hevc" | "h265" | "hvc1" => Ok(Self::Hevc),
            "av1" | "av01" => Ok(Self::Av1),
            "vp9" | "vp09" => Ok(Self::Vp9),
            _ => Err(format!("unknown codec '{name}': choose one of h264, hevc, av1, vp9")),
        }
    }
}

/// What a decoder has to know before the first sample, and a container before it can store one.
///
/// Equal for all takes of a job: [`FormatDescription::config`] depends on the settings only.
#[doc(alias = "CMFormatDescription")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormatDescription {
    /// The coding format.
    pub codec: Codec,
    /// Luma samples per row.
    pub width: u32,
    /// Luma rows.
    pub height: u32,
    /// The decoder configuration record: the payload of `avcC`, `hvcC`, `av1C` or `vpcC`.
    pub config: Vec<u8>,
    /// Colour tags.
    pub colour: Colour,
    /// Width of a pixel over its height; `1/1` square.
    #[doc(alias = "kVTCompressionPropertyKey_PixelAspectRatio")]
    pub pixel_aspect_ratio: Rational,
    /// The part of the picture that is meant to be seen; `None`: all of it.
    #[doc(alias = "kVTCompressionPropertyKey_CleanAperture")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_aperture: Option<CleanAperture>,
    /// How pictures are made of fields; `None`: nobody said, which players take for whole frames.
    #[doc(alias = "kCMFormatDescriptionExtension_FieldCount")]
    #[doc(alias = "kCMFormatDescriptionExtension_FieldDetail")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// The gamma that samples were made for, where no transfer function says it.
    #[doc(alias = "kCMFormatDescriptionExtension_GammaLevel")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// A colour profile, beside the tags.
    #[doc(alias = "kCMFormatDescriptionExtension_ICCProfile")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icc_profile: Option<IccProfile>,
    /// HDR10 mastering display, if known.
    pub mastering_display: Option<MasteringDisplay>,
    /// HDR10 content light level, if known.
    pub content_light: Option<ContentLight>,
}
