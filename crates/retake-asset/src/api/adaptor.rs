use super::input::AssetWriterInput;
use crate::state::track::AppendMode;
use crate::types::error::{AppendError, UsageError};
use retake_media::{PixelBuffer, PixelBufferAttributes, PixelBufferPool, PoolAttributes, Time};
use std::sync::OnceLock;

/// Appends pictures to an input that encodes them.
#[doc(alias = "AVAssetWriterInputPixelBufferAdaptor")]
#[derive(Debug)]
pub struct PixelBufferAdaptor {
    input: AssetWriterInput,
    attributes: Option<PixelBufferAttributes>,
    pool: OnceLock<Option<PixelBufferPool>>,
}

impl PixelBufferAdaptor {
    /// The adaptor of an input; each input has one. With attributes, [`pool`](Self::pool) gives buffers of
    /// them.
    ///
    /// # Errors
    /// [`Mistake::WrongMedia`](crate::Mistake::WrongMedia) for an input that does not encode,
    /// [`Mistake::Status`](crate::Mistake::Status) once the writer has started,
    /// [`Mistake::Adapted`](crate::Mistake::Adapted) for a second one.
    #[doc(alias = "initWithAssetWriterInput:sourcePixelBufferAttributes:")]
    pub fn new(
        input: &AssetWriterInput,
        attributes: Option<PixelBufferAttributes>,
    ) -> Result<Self, UsageError> {
        input.set_mode("PixelBufferAdaptor::new", AppendMode::Adaptor)?;
        Ok(Self { input: input.clone(), attributes, pool: OnceLock::new() })
    }

    /// The input.
    #[doc(alias = "assetWriterInput")]
    pub fn input(&self) -> &AssetWriterInput {
        &self.input
    }

    /// Where to take buffers from: buffers that the encoder takes as they are, if the attributes allow any
    /// such, and else those that the attributes ask for. What the attributes leave open, the encoder chooses.
    /// Nothing before the writer starts, without attributes, and for buffers that cannot be.
    #[doc(alias = "pixelBufferPool")]
    pub fn pool(&self) -> Option<&PixelBufferPool> {
        if !self.input.has_started() {
            return None;
        }
        let create = || {
            let client = self.attributes.clone()?;
            let attributes = match self.input.encoder_pictures() {
                Some(encoder) => PixelBufferAttributes::reconcile(Some(&client), encoder).pool?,
                None => client,
            };
            PixelBufferPool::create(PoolAttributes::default(), attributes).ok()
        };
        self.pool.get_or_init(create).as_ref()
    }

    /// Encodes a picture that is shown from `time` on until the next. Times go up within a pass, and lie in
    /// its ranges. May wait for as long as the encoder needs for a frame.
    ///
    /// # Errors
    /// [`AppendError::NotReady`] gives the picture back; else as [`AssetWriterInput::append`].
    #[doc(alias = "appendPixelBuffer:withPresentationTime:")]
    pub fn append(&self, picture: PixelBuffer, time: Time) -> Result<(), AppendError<PixelBuffer>> {
        self.input.append_picture(picture, time, "append")
    }
}
