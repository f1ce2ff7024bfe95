use super::Controls;
use retake_media::{Colour, ContentLight, MasteringDisplay, PixelFormat, Rational};
use serde::{Deserialize, Serialize};

/// Everything that an encode is determined by, apart from its frames. Equal settings give equal headers, and with equal frames
/// equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderSettings {
    /// Luma samples per row.
    pub width: u32,
    /// Luma rows.
    pub height: u32,
    /// How pictures lie in memory; decides the bit depth.
    pub format: PixelFormat,
    /// Nominal frames per second, for rate control and headers; time stamps come with the frames.
    #[doc(alias = "kVTCompressionPropertyKey_ExpectedFrameRate")]
    pub frame_rate: Rational,
    /// Colour tags to signal.
    pub colour: Colour,
    /// Width of a pixel over its height.
    #[doc(alias = "kVTCompressionPropertyKey_PixelAspectRatio")]
    pub pixel_aspect_ratio: Rational,
    /// HDR10 mastering display to signal.
    pub mastering_display: Option<MasteringDisplay>,
    /// HDR10 content light level to signal.
    pub content_light: Option<ContentLight>,
    /// One of the encoder's presets; the default one if empty.
    pub preset: String,
    /// How bits are given to frames.
    pub rate: RateControl,
    /// A cap on the bit rate in any window.
    #[doc(alias = "kVTCompressionPropertyKey_DataRateLimits")]
    pub limit: Option<RateLimit>,
    /// The most frames from one sync frame to the next; 0 leaves it to the encoder. The first frame is always a sync frame.
    #[doc(alias = "kVTCompressionPropertyKey_MaxKeyFrameInterval")]
    #[doc(alias = "gop")]
    pub max_key_frame_interval: u32,
    /// Threads that the encoder may use; part of the settings because some encoders' bytes depend on it. At least 1.
    pub threads: u32,
    /// Whether reconstructed pictures are wanted.
    pub reconstruct: bool,
    /// What a session asks for beyond this.
    #[serde(default, skip_serializing_if = "Controls::is_default")]
    pub controls: Controls,
    /// Anything else, in the encoder's own words, in the order given. An unknown key is an error.
    pub options: Vec<(String, String)>,
}

/// How bits are given to frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum RateControl {
    /// Constant quality, on the encoder's [`QualityScale`](super::QualityScale) (CRF, CQ).
    #[doc(alias = "crf")]
    Quality(f64),
    /// An average, in bits per second.
    #[doc(alias = "kVTCompressionPropertyKey_AverageBitRate")]
    AverageBitRate(u64),
    /// The same number of bits in every second, small frames padded; in bits per second. Needs a
    /// [`RateBuffer`](super::RateBuffer).
    #[doc(alias = "kVTCompressionPropertyKey_ConstantBitRate")]
    ConstantBitRate(u64),
    /// Nothing is lost.
    Lossless,
}

/// A leaky bucket: it fills at `bits_per_second` and holds `window_bits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// The rate that is not exceeded over time.
    pub bits_per_second: u64,
    /// What may be spent at once.
    pub window_bits: u64,
}

/// Wishes for one frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameOptions {
    /// The frame must be a sync frame.
    #[doc(alias = "kVTEncodeFrameOptionKey_ForceKeyFrame")]
    #[doc(alias = "idr")]
    pub force_key_frame: bool,
    /// The frame's quantizer, on the encoder's own scale; on all frames or on none ([`Controls::base_qp`]).
    #[doc(alias = "kVTEncodeFrameOptionKey_BaseFrameQP")]
    pub base_qp: Option<u32>,
    /// Tokens of long-term references that the receiver has; only with [`Controls::long_term_references`]. Unknown ones are ignored.
    #[doc(alias = "kVTEncodeFrameOptionKey_AcknowledgedLTRTokens")]
    pub acknowledged: Vec<u64>,
    /// Predict this frame from an acknowledged long-term reference alone, or, where there is none, make it a sync frame.
    #[doc(alias = "kVTEncodeFrameOptionKey_ForceLTRRefresh")]
    pub refresh: bool,
}
