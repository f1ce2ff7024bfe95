use super::input::AssetWriterInput;
use super::session_encoder::{SessionEncoder, refused};
use crate::types::error::WriterError;
use retake_compression::encoder::Registry;
use retake_compression::property::Property;
use retake_compression::session::CompressionSession;
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
    /// Exactly this encoder, by its id or short name. Default: whichever is the first for the codec.
    #[doc(alias = "AVVideoEncoderSpecificationKey")]
    pub encoder: Option<String>,
    /// Properties of the compression session, set in this order. Default: none.
    #[doc(alias = "AVVideoCompressionPropertiesKey")]
    pub properties: Vec<Property>,
}

impl VideoSettings {
    /// Pictures of this size, in this coding format.
    pub fn new(codec: Codec, width: u32, height: u32) -> Self {
        Self { codec, width, height, encoder: None, properties: Vec::new() }
    }
}

impl AssetWriterInput {
    /// An input that encodes pictures by a compression session of its own, with an encoder of `registry`.
    ///
    /// # Errors
    /// [`WriterError::NoEncoder`] if none is what the settings ask for, [`WriterError::BadSettings`] for a
    /// property that it refuses. No writer has failed then: there is none yet.
    #[doc(alias = "initWithMediaType:outputSettings:")]
    pub fn video(settings: &VideoSettings, registry: &Registry) -> Result<Self, WriterError> {
        let VideoSettings { codec, width, height, ref encoder, ref properties } = *settings;
        let mut builder = CompressionSession::builder(registry, width, height, codec);
        if let Some(encoder) = encoder {
            builder = builder.encoder(encoder);
        }
        let (session, outcomes) = builder.build_pull().map_err(refused)?;
        session.set_all(properties).map_err(refused)?;
        let format = FormatDescription::video(codec, width, height);
        Ok(Self::encoding(SessionEncoder::new(session, outcomes, format)))
    }
}
