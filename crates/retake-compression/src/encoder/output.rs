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
        /// Its reconstruction. The caller owns it.
        picture: PixelBuffer,
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
}
