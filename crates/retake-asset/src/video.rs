use crate::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
use crate::error::WriterError;
use crate::input::AssetWriterInput;
use crate::media::MediaSample;
use retake_compression::encoder::{FrameOptions, Registry};
use retake_compression::property::Property;
use retake_compression::session::{CompressionSession, Outcomes, SessionError};
use retake_libav::TrackFormat;
use retake_media::{Codec, Colour, FormatDescription, PixelBuffer, Rational, Time, TimeRange};
use std::sync::Arc;

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
    /// [`WriterError::NoEncoder`] if none is what the settings ask for, [`WriterError::BadSettings`] for a property that it refuses. No writer has
    /// failed then: there is none yet.
    #[doc(alias = "initWithMediaType:outputSettings:")]
    pub fn video(settings: &VideoSettings, registry: &Registry) -> Result<Self, WriterError> {
        let VideoSettings { codec, width, height, ref encoder, ref properties } = *settings;
        let mut builder = CompressionSession::builder(registry, width, height, codec);
        if let Some(encoder) = encoder {
            builder = builder.encoder(encoder);
        }
        let (session, outcomes) = builder.build_pull().map_err(refused)?;
        session.set_all(properties).map_err(refused)?;
        let format = FormatDescription {
            codec,
            width,
            height,
            config: Vec::new(),
            colour: Colour::default(),
            pixel_aspect_ratio: Rational::new(1, 1),
            mastering_display: None,
            content_light: None,
        };
        Ok(Self::encoding(SessionEncoder { session, outcomes, format }))
    }
}

/// A compression session as an input's encoder. It takes one pass.
struct SessionEncoder {
    session: CompressionSession,
    outcomes: Outcomes,
    /// What is known before the first sample: its own description says the rest.
    format: FormatDescription,
}

impl InputEncoder for SessionEncoder {
    fn open(&mut self, setup: &EncoderSetup) -> Result<OpenedEncoder, WriterError> {
        if setup.real_time {
            self.session.set(Property::RealTime(true)).map_err(refused)?;
        }
        let handle = self.session.handle();
        let format = TrackFormat::Video(self.format.clone());
        let interrupt = Arc::new(move || handle.invalidate());
        Ok(OpenedEncoder { format, multiple_passes: false, interrupt })
    }

    fn encode(&mut self, picture: &PixelBuffer, pts: Time) -> Result<(), WriterError> {
        // how long a frame is shown is what the next one says: it has to be the same in every pass
        self.session.encode(picture, pts, Time::INVALID, FrameOptions::default(), ()).map_err(failed)?;
        Ok(())
    }

    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError> {
        while let Some(outcome) = self.outcomes.try_receive() {
            // a dropped frame leaves a gap, which the one before it fills
            if let Some(buffer) = outcome.into_sample().map_err(failed)? {
                return Ok(Some(buffer.into()));
            }
        }
        Ok(None)
    }

    fn end_pass(&mut self) -> Result<Option<Vec<TimeRange>>, WriterError> {
        Ok(None)
    }

    fn finish(&mut self) -> Result<(), WriterError> {
        self.session.complete_frames(Time::INVALID).map_err(failed)
    }
}

fn refused(error: SessionError) -> WriterError {
    match error {
        SessionError::EncoderNotFound(what) => WriterError::NoEncoder(what),
        other => WriterError::BadSettings(other.to_string()),
    }
}

fn failed(error: SessionError) -> WriterError {
    WriterError::EncodeFailed { code: error.code(), detail: error.to_string() }
}
