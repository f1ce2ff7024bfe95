use retake_media::{PixelBuffer, Sample};

/// What [`Encoder::receive`](super::Encoder::receive) gives.
#[derive(Debug)]
pub enum Output {
    /// A compressed frame, in decode order.
    Frame(EncodedFrame),
    /// The picture that a decoder will see for a frame, in any order relative to the samples, once for every frame; only when
    /// [`EncoderSettings::reconstruct`](super::EncoderSettings) was set and the encoder can.
    Picture {
        /// The frame, counted in presentation order from 0 at the start of the encode.
        index: u64,
        /// Its reconstruction, in three planes. The caller owns it.
        picture: PixelBuffer,
    },
    /// A frame that no sample and no picture comes of, because a limit of the rate left no room for it. Only encodes
    /// under such a limit drop frames.
    Dropped {
        /// The frame, counted in presentation order from 0 at the start of the encode.
        index: u64,
    },
    /// Nothing yet: send more frames.
    Pending,
    /// Nothing any more.
    End,
}

/// A sample and what the encoder said about it.
#[derive(Debug)]
pub struct EncodedFrame {
    /// The compressed frame; the caller owns it.
    pub sample: Sample,
    /// Which frame it is, counted in presentation order from 0 at the start of the encode.
    pub index: u64,
    /// The average quantizer that the frame was coded with, on the encoder's own scale; 0 where it does not say.
    pub qp: f32,
    /// Mean squared errors against the source, where they were asked for.
    #[doc(alias = "kVTSampleAttachmentKey_QualityMetrics")]
    pub error: Option<FrameError>,
    /// The frame is kept as a long-term reference: the receiver is asked to acknowledge this number.
    #[doc(alias = "kVTSampleAttachmentKey_RequireLTRAcknowledgementToken")]
    pub token: Option<u64>,
    /// The temporal layer, 0 the base.
    pub layer: u32,
}

/// Mean squared errors of a frame, in squares of sample values of its own bit depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameError {
    /// Of luma.
    pub luma: f64,
    /// Of Cb.
    pub blue: f64,
    /// Of Cr.
    pub red: f64,
}
