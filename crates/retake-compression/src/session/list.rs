use super::{EncoderSpecification, SessionError};
use crate::encoder::{EncoderInfo, Registry};
use crate::property::{Environment, SupportedProperties, supported};
use retake_media::Codec;
use serde::Serialize;

/// What encoder ids begin with; the short name follows.
pub(crate) const ID_PREFIX: &str = "org.retake.encoder.";

/// An encoder, as a list of them tells people and clients.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[doc(alias = "VTCopyVideoEncoderList")]
pub struct EncoderEntry {
    /// What it writes.
    #[doc(alias = "kVTVideoEncoderList_CodecType")]
    pub codec: Codec,
    /// Its id, in reverse domain name form: unique, and accepted by [`EncoderSpecification::encoder`].
    #[doc(alias = "kVTVideoEncoderList_EncoderID")]
    pub id: String,
    /// The codec's name for people.
    #[doc(alias = "kVTVideoEncoderList_CodecName")]
    pub codec_name: &'static str,
    /// The encoder's name for people.
    #[doc(alias = "kVTVideoEncoderList_EncoderName")]
    pub encoder_name: &'static str,
    /// The codec's name if it is the only encoder for it, else its own.
    #[doc(alias = "kVTVideoEncoderList_DisplayName")]
    pub display_name: &'static str,
    /// How fast it is among those of its codec; more is faster.
    #[doc(alias = "kVTVideoEncoderList_PerformanceRating")]
    pub performance_rating: u32,
    /// How good it is among those of its codec; more is better.
    #[doc(alias = "kVTVideoEncoderList_QualityRating")]
    pub quality_rating: u32,
    /// Whether there may only be few sessions at once. Software has no such bound.
    #[doc(alias = "kVTVideoEncoderList_InstanceLimit")]
    pub instance_limit: bool,
    /// Whether it is hardware.
    #[doc(alias = "kVTVideoEncoderList_IsHardwareAccelerated")]
    pub hardware_accelerated: bool,
    /// Whether samples may come out in another order than frames went in.
    #[doc(alias = "kVTVideoEncoderList_SupportsFrameReordering")]
    pub supports_frame_reordering: bool,
    /// Whether sessions with it can ask for parts of the source again.
    #[doc(alias = "kVTVideoEncoderList_SupportsMultiPass")]
    pub supports_multi_pass: bool,
}

/// The encoders of a registry.
#[doc(alias = "VTCopyVideoEncoderList")]
pub fn encoder_list(registry: &Registry) -> Vec<EncoderEntry> {
    let alone = |codec| registry.encoders().filter(|info| info.codec == codec).count() == 1;
    registry
        .encoders()
        .map(|info| {
            let codec_name = codec_name(info.codec);
            EncoderEntry {
                codec: info.codec,
                id: encoder_id(info),
                codec_name,
                encoder_name: info.name,
                display_name: if alone(info.codec) { codec_name } else { info.name },
                // one encoder a codec so far: nothing to compare with
                performance_rating: 1,
                quality_rating: 1,
                instance_limit: false,
                hardware_accelerated: false,
                supports_frame_reordering: info.reorders,
                supports_multi_pass: true,
            }
        })
        .collect()
}

/// The properties that a session with these arguments would have, and the id of its encoder, without creating
/// one (EL-1).
///
/// # Errors
/// As [`SessionBuilder::build`](super::SessionBuilder::build).
#[doc(alias = "VTCopySupportedPropertyDictionaryForEncoder")]
pub fn supported_properties_for_encoder(
    registry: &Registry,
    width: u32,
    height: u32,
    codec: Codec,
    specification: &EncoderSpecification,
) -> Result<(String, SupportedProperties), SessionError> {
    super::builder::check_size(width, height)?;
    let factory = specification.find(registry, codec)?;
    let low_latency = specification.low_latency;
    let info = factory.info();
    Ok((
        encoder_id(info),
        supported(&Environment {
            info,
            low_latency,
            width,
            height,
            transfers: registry.transfer().is_some(),
            metrics: registry.scorers().map_or(&[], |scorers| scorers.metrics()),
        }),
    ))
}

pub(crate) fn encoder_id(info: &EncoderInfo) -> String {
    format!("{ID_PREFIX}{}", info.name)
}

fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "H.264",
        Codec::Hevc => "HEVC",
        Codec::Av1 => "AV1",
        Codec::Vp9 => "VP9",
        Codec::Vvc => "VVC",
        Codec::Mpeg4 => "MPEG-4",
        Codec::Mpeg2 => "MPEG-2",
        Codec::ProRes => "ProRes",
    }
}
