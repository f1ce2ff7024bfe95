//! Coding formats, and the descriptions that compressed video is decoded with.

use crate::{
    CleanAperture, Colour, ContentLight, DolbyVision, Fields, IccProfile, MasteringDisplay, Rational,
};
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
    /// H.266 / VVC, `vvc1`.
    Vvc,
    /// MPEG-4 part 2 (Visual), `mp4v`.
    Mpeg4,
    /// MPEG-2 video (H.262), `mp2v`.
    Mpeg2,
    /// Apple ProRes, whose sample entry code is that of its profile, such as `apch`.
    ProRes,
}

impl Codec {
    /// Every codec, in the order in which they are listed to people.
    pub const ALL: [Self; 8] =
        [Self::H264, Self::Hevc, Self::Av1, Self::Vp9, Self::Vvc, Self::Mpeg4, Self::Mpeg2, Self::ProRes];

    /// Returns the sample entry code of ISO base media files.
    pub const fn four_cc(self) -> [u8; 4] {
        match self {
            Self::H264 => *b"avc1",
            Self::Hevc => *b"hvc1",
            Self::Av1 => *b"av01",
            Self::Vp9 => *b"vp09",
            Self::Vvc => *b"vvc1",
            Self::Mpeg4 => *b"mp4v",
            Self::Mpeg2 => *b"mp2v",
            Self::ProRes => *b"apch",
        }
    }

    /// Returns the name that the command line takes: `h264`, `hevc`, `av1`, `vp9`, `vvc`, `mpeg4`, `mpeg2`,
    /// `prores`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::Vp9 => "vp9",
            Self::Vvc => "vvc",
            Self::Mpeg4 => "mpeg4",
            Self::Mpeg2 => "mpeg2",
            Self::ProRes => "prores",
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
            "vvc" | "h266" | "vvc1" => Ok(Self::Vvc),
            "mpeg4" | "mp4v" => Ok(Self::Mpeg4),
            "mpeg2" | "mpeg2video" | "mp2v" => Ok(Self::Mpeg2),
            "prores" => Ok(Self::ProRes),
            _ => {
                let names = Self::ALL.map(Self::name).join(", ");
                Err(format!("unknown codec '{name}': choose one of {names}"))
            }
        }
    }
}

/// Describes compressed video to a decoder before the first sample, and to a container before it can store
/// one.
///
/// It is equal for all takes of a job, because [`FormatDescription::config`] depends on the settings only.
#[doc(alias = "CMFormatDescription")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormatDescription {
    /// The coding format.
    pub codec: Codec,
    /// The luma samples a row.
    pub width: u32,
    /// The luma rows.
    pub height: u32,
    /// The decoder configuration record: the payload of `avcC`, `hvcC`, `av1C` or `vpcC`. Of
    /// VVC and MPEG-4 it is the parameter sets or headers as they are in a stream, of ProRes the sample entry
    /// code, and of MPEG-2 nothing, because its samples have all that is needed.
    #[doc(alias = "extradata")]
    pub config: Vec<u8>,
    /// The colour tags.
    pub colour: Colour,
    /// The width of a pixel divided by its height; `1/1` is square.
    #[doc(alias = "sar")]
    #[doc(alias = "kVTCompressionPropertyKey_PixelAspectRatio")]
    pub pixel_aspect_ratio: Rational,
    /// The part of the picture that is meant to be seen; `None` stands for all of it.
    #[doc(alias = "kVTCompressionPropertyKey_CleanAperture")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_aperture: Option<CleanAperture>,
    /// The way in which pictures are made of fields; `None` where it is not stated, in which case players
    /// assume whole frames.
    #[doc(alias = "kCMFormatDescriptionExtension_FieldCount")]
    #[doc(alias = "kCMFormatDescriptionExtension_FieldDetail")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// The gamma that samples were made for, where no transfer function states it.
    #[doc(alias = "kCMFormatDescriptionExtension_GammaLevel")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// A colour profile, in addition to the tags.
    #[doc(alias = "kCMFormatDescriptionExtension_ICCProfile")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icc_profile: Option<IccProfile>,
    /// The HDR10 mastering display, if known.
    pub mastering_display: Option<MasteringDisplay>,
    /// The HDR10 content light level, if known.
    pub content_light: Option<ContentLight>,
    /// The Dolby Vision of the film, where its samples bring the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dolby_vision: Option<DolbyVision>,
}
impl FormatDescription {
    /// Pictures of a codec and a size, of which nothing else is known: an empty configuration, no tags,
    /// square pixels.
    #[doc(alias = "CMVideoFormatDescriptionCreate")]
    pub fn video(codec: Codec, width: u32, height: u32) -> Self {
        Self {
            codec,
            width,
            height,
            config: Vec::new(),
            colour: Colour::default(),
            pixel_aspect_ratio: Rational::new(1, 1),
            clean_aperture: None,
            fields: None,
            gamma: None,
            icc_profile: None,
            mastering_display: None,
            content_light: None,
            dolby_vision: None,
        }
    }
}
