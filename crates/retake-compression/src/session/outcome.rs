use super::SessionError;
use retake_media::{PixelFormat, SampleBuffer, Time};

/// What became of one accepted frame. There is exactly one for each.
#[derive(Debug)]
pub struct EncodedOutcome<T = ()> {
    /// What came with the frame.
    pub token: T,
    /// The frame's time.
    pub pts: Time,
    /// Its sample, that it was dropped, or why it failed.
    pub result: Result<Emission, SessionError>,
}

impl<T> EncodedOutcome<T> {
    /// The sample, where there is one.
    pub fn sample(&self) -> Option<&SampleBuffer> {
        match &self.result {
            Ok(Emission::Sample { buffer, .. }) => Some(buffer),
            _ => None,
        }
    }

    /// The average quantizer that the frame was coded with, on the encoder's own scale; none where there is
    /// no sample, and where the encoder does not say.
    pub fn qp(&self) -> Option<f32> {
        match &self.result {
            Ok(Emission::Sample { qp, .. }) if *qp > 0.0 => Some(*qp),
            _ => None,
        }
    }

    /// The sample, or the error; none for a dropped frame. [`qp`](Self::qp) has to be asked for before.
    ///
    /// # Errors
    /// Those of the frame.
    pub fn into_sample(self) -> Result<Option<SampleBuffer>, SessionError> {
        match self.result? {
            Emission::Sample { buffer, .. } => Ok(Some(buffer)),
            Emission::Dropped => Ok(None),
        }
    }
}

/// What came out for a frame.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // almost all are samples
pub enum Emission {
    /// A sample; the receiver owns it.
    Sample {
        /// The sample, with its description and attachments.
        buffer: SampleBuffer,
        /// The average quantizer that the frame was coded with, on the encoder's own scale; 0 where the
        /// encoder does not say.
        qp: f32,
    },
    /// The frame was left out, because frames came faster than they could be encoded.
    #[doc(alias = "kVTEncodeInfo_FrameDropped")]
    Dropped,
}

/// What is known about a frame when the call that brought it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "VTEncodeInfoFlags")]
pub struct EncodeInfo {
    /// The frame may not be out yet. False where the call waited for its outcome, because
    /// [`MaxFrameDelayCount`](crate::property::Property::MaxFrameDelayCount) is 0.
    #[doc(alias = "kVTEncodeInfo_Asynchronous")]
    pub asynchronous: bool,
    /// The frame was dropped; its outcome says so as well.
    #[doc(alias = "kVTEncodeInfo_FrameDropped")]
    pub dropped: bool,
    /// What the picture has and the stream does not keep.
    pub loss: PictureLoss,
}

/// What a picture has, or brings, that the encoded one has not. It is no error: what is left is encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PictureLoss {
    /// Samples of chroma: fewer pixels shared one. Red, green and blue have chroma for every pixel.
    pub chroma: bool,
    /// Alpha values, whatever they are.
    pub alpha: bool,
    /// The low bits of samples.
    pub depth: bool,
    /// EF-9: colour, aspect, aperture, fields or HDR metadata: it says of one of them something else than the
    /// first picture did, or what that left open. A stream says them once, as the first picture or a property
    /// does; samples are encoded as they are.
    pub tags: bool,
    /// EF-9, HD-4: closed captions, HDR10+ or Dolby Vision that came with it and that no sample carries,
    /// because the encoder has no place for them, or because they do not go with the size, the colours or the
    /// depth of the stream. What `PreserveDynamicHDRMetadata` or `HDRMetadataInsertionMode` keeps out is no
    /// loss.
    pub side_data: bool,
}

impl PictureLoss {
    pub(super) fn between(source: PixelFormat, encoded: PixelFormat) -> Self {
        Self {
            chroma: encoded.chroma_subsampling() < source.chroma_subsampling(),
            alpha: source.has_alpha() && !encoded.has_alpha(),
            depth: source.bit_depth() > encoded.bit_depth(),
            tags: false,
            side_data: false,
        }
    }

    /// Whether anything is lost.
    pub fn is_any(self) -> bool {
        self != Self::default()
    }
}
