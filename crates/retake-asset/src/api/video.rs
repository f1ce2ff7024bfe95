use super::input::AssetWriterInput;
use super::session_encoder::{SessionEncoder, refused};
use super::wide_colour::WideColour;
use crate::types::error::WriterError;
use retake_compression::encoder::Registry;
use retake_compression::property::Property;
use retake_compression::session::{CompressionSession, EncoderSpecification};
use retake_media::{Codec, FormatDescription};

/// What an input encodes pictures to.
#[doc(alias = "outputSettings")]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VideoSettings {
    /// The coding format.
    #[doc(alias = "AVVideoCodecKey")]
    pub codec: Codec,
    /// Luma samples a row. Pictures of other sizes are scaled to fit.
    #[doc(alias = "AVVideoWidthKey")]
    pub width: u32,
    /// Luma rows.
    #[doc(alias = "AVVideoHeightKey")]
    pub height: u32,
    /// Which encoder it is, and how it works: what a compression session is created from. With
    /// [`low_latency`](EncoderSpecification::low_latency) there is one pass, whatever the input asks for.
    /// Default: whichever encoder is the first for the codec.
    #[doc(alias = "AVVideoEncoderSpecificationKey")]
    pub specification: EncoderSpecification,
    /// Whether pictures of wide colour keep it: of primaries beyond those of standard and high definition,
    /// such as P3 and BT.2020, or of the transfer functions PQ and HLG. Such a picture is converted to BT.709
    /// where they do not; colours that BT.709 has not are clipped. One of PQ or HLG is refused then
    /// ([`WriterError::EncodeFailed`]), because no tones are mapped. Pictures without tags are none of wide
    /// colour. Default: true, because what a film says of itself travels unless somebody asks for something
    /// else; AVFoundation's default is false.
    #[doc(alias = "AVVideoAllowWideColorKey")]
    pub allow_wide_color: bool,
    /// Properties of the compression session, set in this order. Default: none.
    #[doc(alias = "AVVideoCompressionPropertiesKey")]
    pub properties: Vec<Property>,
}

impl VideoSettings {
    /// Pictures of this size, in this coding format.
    pub fn new(codec: Codec, width: u32, height: u32) -> Self {
        Self {
            codec,
            width,
            height,
            specification: EncoderSpecification::default(),
            allow_wide_color: true,
            properties: Vec::new(),
        }
    }
}

impl AssetWriterInput {
    /// An input that encodes pictures by a compression session of its own, with an encoder of `registry`.
    ///
    /// # Errors
    /// [`WriterError::NoEncoder`] if none is what the settings ask for, [`WriterError::BadSettings`] for a
    /// property that it refuses, and where wide colour is not allowed and the registry has no conversion. No
    /// writer has failed then: there is none yet.
    #[doc(alias = "initWithMediaType:outputSettings:")]
    pub fn video(settings: &VideoSettings, registry: &Registry) -> Result<Self, WriterError> {
        let VideoSettings { codec, width, height, .. } = *settings;
        let narrows = match (settings.allow_wide_color, registry.transfer()) {
            (true, _) => None,
            (false, Some(maker)) => Some(WideColour::new(maker.clone())),
            (false, None) => {
                let reason = "wide colour is not allowed, and the registry has no conversion".to_owned();
                return Err(WriterError::BadSettings(reason));
            }
        };
        let builder = CompressionSession::builder(registry, width, height, codec)
            .specification(settings.specification.clone());
        let (session, outcomes) = builder.build_pull().map_err(refused)?;
        session.set_all(&settings.properties).map_err(refused)?;
        let format = FormatDescription::video(codec, width, height);
        Ok(Self::encoding(SessionEncoder::new(session, outcomes, format, narrows)))
    }
}
