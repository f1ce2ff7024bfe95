//! This module defines the output of an encoder.

use retake_media::{PixelBuffer, Sample};

/// [`Encoder::receive`](super::Encoder::receive) returns one of these.
#[derive(Debug)]
pub enum Output {
    /// A compressed frame, in decode order.
    Frame(EncodedFrame),
    /// The picture that a decoder will see for a frame. Pictures come in any order relative to the samples,
    /// once for every frame, but only if [`EncoderSettings::reconstruct`](super::EncoderSettings) was set and
    /// the encoder can.
    Picture {
        /// The frame, counted in presentation order from 0 at the start of the encode.
        index: u64,
        /// Its reconstruction, in three planes. The caller owns it.
        picture: PixelBuffer,
    },
    /// A frame without sample and picture, because a limit of the rate left no room for it. Only encodes
    /// under such a limit drop frames.
    Dropped {
        /// The frame, counted in presentation order from 0 at the start of the encode.
        index: u64,
    },
    /// No output is ready; more frames must be sent first.
    Pending,
    /// No output follows any more.
    End,
}

/// A sample, and the encoder's findings about it.
#[derive(Debug)]
pub struct EncodedFrame {
    /// The compressed frame; the caller owns it.
    pub sample: Sample,
    /// The frame, counted in presentation order from 0 at the start of the encode.
    pub index: u64,
    /// The average quantizer of the frame, on the encoder's own scale; 0 where the encoder does not tell it.
    pub qp: f32,
    /// The mean squared errors against the source, if they were asked for.
    #[doc(alias = "kVTSampleAttachmentKey_QualityMetrics")]
    pub error: Option<FrameError>,
    /// The number of the long-term reference that the frame is kept as; the receiver is asked to acknowledge
    /// it.
    #[doc(alias = "kVTSampleAttachmentKey_RequireLTRAcknowledgementToken")]
    pub token: Option<u64>,
    /// The temporal layer; 0 is the base.
    pub layer: u32,
}

/// Mean squared errors of a frame, in squares of sample values of its own bit depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameError {
    /// The error of luma.
    pub luma: f64,
    /// The error of Cb.
    pub blue: f64,
    /// The error of Cr.
    pub red: f64,
}
