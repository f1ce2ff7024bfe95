//! This module defines the settings of an encode and the options of a frame.

use super::Controls;
use retake_media::{Colour, ContentLight, MasteringDisplay, PixelFormat, Rational};
use serde::{Deserialize, Serialize};

/// The settings determine an encode, apart from its frames. Equal settings must give equal headers, and with
/// equal frames equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderSettings {
    /// The luma samples per row.
    pub width: u32,
    /// The luma rows.
    pub height: u32,
    /// The layout of pictures in memory, which also decides the bit depth.
    pub format: PixelFormat,
    /// The nominal frames per second, for rate control and headers; time stamps come with the frames.
    #[doc(alias = "kVTCompressionPropertyKey_ExpectedFrameRate")]
    pub frame_rate: Rational,
    /// The colour tags to signal.
    pub colour: Colour,
    /// The width of a pixel over its height.
    #[doc(alias = "kVTCompressionPropertyKey_PixelAspectRatio")]
    pub pixel_aspect_ratio: Rational,
    /// The HDR10 mastering display to signal.
    pub mastering_display: Option<MasteringDisplay>,
    /// The HDR10 content light level to signal.
    pub content_light: Option<ContentLight>,
    /// One of the encoder's presets; if empty, the default one.
    pub preset: String,
    /// The rate control, which decides the bits of each frame.
    pub rate: RateControl,
    /// A cap on the bit rate in any window.
    #[doc(alias = "kVTCompressionPropertyKey_DataRateLimits")]
    pub limit: Option<RateLimit>,
    /// The largest number of frames from one sync frame to the next; 0 leaves it to the encoder. The first
    /// frame is always a sync frame.
    #[doc(alias = "kVTCompressionPropertyKey_MaxKeyFrameInterval")]
    #[doc(alias = "gop")]
    pub max_key_frame_interval: u32,
    /// The number of threads that the encoder may use, at least 1. It is part of the settings because the
    /// bytes of some encoders depend on it.
    pub threads: u32,
    /// True if reconstructed pictures are wanted.
    pub reconstruct: bool,
    /// The further requests of a session.
    #[serde(default, skip_serializing_if = "Controls::is_default")]
    pub controls: Controls,
    /// Further options in the encoder's own words, in the order given. An unknown key is an error.
    pub options: Vec<(String, String)>,
}

impl EncoderSettings {
    /// Tells whether HDR10+ metadata of frames belong into the stream. They describe light in the scale of
    /// PQ; a stream that does not state its transfer function may be one.
    pub fn keeps_hdr10_plus(&self) -> bool {
        !self.controls.no_dynamic_hdr && is_light_of_pq(self.colour.transfer)
    }
}

/// Whether light in the scale of PQ is that of a stream with this transfer function, or may be, because the
/// stream does not state its own.
pub(crate) const fn is_light_of_pq(transfer: u8) -> bool {
    matches!(transfer, 2 | 16)
}

/// The rate control decides the bits of each frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum RateControl {
    /// Constant quality, on the encoder's [`QualityScale`](super::QualityScale) (CRF, CQ).
    #[doc(alias = "crf")]
    Quality(f64),
    /// An average bit rate, in bits per second.
    #[doc(alias = "kVTCompressionPropertyKey_AverageBitRate")]
    AverageBitRate(u64),
    /// A constant bit rate in bits per second: every second has the same number of bits, because small frames
    /// are padded. It needs a [`RateBuffer`](super::RateBuffer).
    #[doc(alias = "kVTCompressionPropertyKey_ConstantBitRate")]
    ConstantBitRate(u64),
    /// Lossless coding.
    Lossless,
}

/// A leaky bucket (VBV buffer): it fills at `bits_per_second` and holds `window_bits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// The rate that must not be exceeded over time.
    pub bits_per_second: u64,
    /// The number of bits that may be spent at once.
    pub window_bits: u64,
}

/// The options for one frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameOptions {
    /// True if the frame must be a sync frame.
    #[doc(alias = "kVTEncodeFrameOptionKey_ForceKeyFrame")]
    #[doc(alias = "idr")]
    pub force_key_frame: bool,
    /// The frame's quantizer, on the encoder's own scale. All frames must have one, or none
    /// ([`Controls::base_qp`]).
    #[doc(alias = "kVTEncodeFrameOptionKey_BaseFrameQP")]
    pub base_qp: Option<u32>,
    /// The tokens of long-term references that the receiver has. They need
    /// [`Controls::long_term_references`]; unknown ones are ignored.
    #[doc(alias = "kVTEncodeFrameOptionKey_AcknowledgedLTRTokens")]
    pub acknowledged: Vec<u64>,
    /// True if this frame must be predicted from an acknowledged long-term reference alone or, if there is
    /// none, be a sync frame.
    #[doc(alias = "kVTEncodeFrameOptionKey_ForceLTRRefresh")]
    pub refresh: bool,
}
