use retake_media::{CleanAperture, Fields, Rational};
use serde::{Deserialize, Serialize};

/// What a session may ask of an encoder beyond what every take is determined by. The default asks for nothing: each choice is the
/// encoder's, as its preset has it.
///
/// An encoder says by [`EncoderInfo::controls`](super::EncoderInfo::controls) which of these it obeys; asked for another one, it answers
/// [`EncoderError::Settings`](super::EncoderError::Settings). Nothing is accepted and then ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Controls {
    /// Every frame is a sync frame.
    #[doc(alias = "kVTCompressionPropertyKey_AllowTemporalCompression")]
    pub intra_only: bool,
    /// Samples come out in the order in which frames went in.
    #[doc(alias = "kVTCompressionPropertyKey_AllowFrameReordering")]
    pub no_reordering: bool,
    /// Groups of pictures may be open. Takes never ask for this.
    #[doc(alias = "kVTCompressionPropertyKey_AllowOpenGOP")]
    pub open_gop: bool,
    /// The most reference pictures.
    #[doc(alias = "kVTCompressionPropertyKey_ReferenceBufferCount")]
    pub references: Option<u32>,
    /// Frames looked at ahead; the nearest number that the encoder has.
    #[doc(alias = "kVTCompressionPropertyKey_SuggestedLookAheadFrameCount")]
    pub look_ahead: Option<u32>,
    /// The most frames held back: before `send` of frame N returns, frame N - M can be received. 0 is synchronous.
    #[doc(alias = "kVTCompressionPropertyKey_MaxFrameDelayCount")]
    pub max_delay: Option<u32>,
    /// One sync frame, then predicted frames for ever; no look-ahead, no reordering, and a bucket of little more than a frame. Speed comes
    /// first: with several threads, the bytes of x264 at a rate need not be the same at every run.
    #[doc(alias = "kVTVideoEncoderSpecification_EnableLowLatencyRateControl")]
    pub low_latency: bool,
    /// The smallest quantizer, on the encoder's own scale.
    #[doc(alias = "kVTCompressionPropertyKey_MinAllowedFrameQP")]
    pub min_qp: Option<u32>,
    /// The largest quantizer, on the encoder's own scale.
    #[doc(alias = "kVTCompressionPropertyKey_MaxAllowedFrameQP")]
    pub max_qp: Option<u32>,
    /// Quantizers of blocks do not follow spatial statistics.
    #[doc(alias = "kVTCompressionPropertyKey_SpatialAdaptiveQPLevel")]
    pub no_spatial_adaptation: bool,
    /// Every frame brings its quantizer ([`FrameOptions::base_qp`](super::FrameOptions)); rate control is off.
    #[doc(alias = "kVTEncodeFrameOptionKey_BaseFrameQP")]
    pub base_qp: bool,
    /// With an average bit rate: quality on the encoder's scale that is not exceeded; bits that would buy more are left unspent.
    pub quality_ceiling: Option<f64>,
    /// The buffer model of a constant or variable bit rate.
    pub buffer: Option<RateBuffer>,
    /// One of the names in [`ControlSupport::profiles`]; none leaves it to the encoder.
    #[doc(alias = "kVTCompressionPropertyKey_ProfileLevel")]
    pub profile: Option<String>,
    /// The level times ten (`41` is 4.1); none leaves it to the encoder, which chooses by size and rates, never by content.
    pub level: Option<u32>,
    /// H.264: arithmetic (true) or variable-length (false) entropy coding.
    #[doc(alias = "kVTCompressionPropertyKey_H264EntropyMode")]
    pub cabac: Option<bool>,
    /// H.264: the most bytes of a slice, aimed at.
    #[doc(alias = "kVTCompressionPropertyKey_MaxH264SliceBytes")]
    pub slice_bytes: Option<u32>,
    /// Mean squared errors of each frame are wanted ([`EncodedFrame::error`](super::EncodedFrame)).
    #[doc(alias = "kVTCompressionPropertyKey_CalculateMeanSquaredError")]
    pub frame_errors: bool,
    /// Temporal layers: every second frame is not referred to by any other (2 layers). None or 1: no layers.
    #[doc(alias = "kVTCompressionPropertyKey_BaseLayerFrameRateFraction")]
    pub temporal_layers: Option<u32>,
    /// The base layer's share of the bit rate, 0 to 1; only with temporal layers.
    #[doc(alias = "kVTCompressionPropertyKey_BaseLayerBitRateFraction")]
    pub base_layer_share: Option<f64>,
    /// Long-term references with acknowledgements; only with `low_latency`.
    #[doc(alias = "kVTCompressionPropertyKey_EnableLTR")]
    pub long_term_references: bool,
    /// Frames of another encode are joined before these: rate control begins as in the middle of a film, and limits hold across the join.
    #[doc(alias = "kVTCompressionPropertyKey_MoreFramesBeforeStart")]
    pub more_before: bool,
    /// Frames of another encode are joined after these: limits hold across the join.
    #[doc(alias = "kVTCompressionPropertyKey_MoreFramesAfterEnd")]
    pub more_after: bool,
    /// The library's own first pass: it looks at all frames before it codes the first of them, and nothing comes out until then. This is how
    /// many frames there are at most; their pictures are kept so long. At constant quality only.
    pub first_pass: Option<u32>,
    /// How many frames will come; 0 is unknown.
    #[doc(alias = "kVTCompressionPropertyKey_SourceFrameCount")]
    pub frame_count: u64,
    /// The part of the picture that is meant to be seen: for the description, and where its edges lie between blocks of chroma for the stream.
    /// H.264 crops to it, so that the description has its size; HEVC keeps the whole picture, and signals a display window.
    #[doc(alias = "kVTCompressionPropertyKey_CleanAperture")]
    pub clean_aperture: Option<CleanAperture>,
    /// Two fields: rows of pictures alternate between them, and each is coded so. One field, or none said: whole frames.
    #[doc(alias = "kVTCompressionPropertyKey_FieldCount")]
    #[doc(alias = "kVTCompressionPropertyKey_FieldDetail")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
}

impl Controls {
    /// Whether nothing is asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A decoder's buffer (VBV, HRD): it is filled at `max_rate` and holds `seconds` of that.
#[doc(alias = "vbv")]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateBuffer {
    /// Bits per second that flow in at most.
    #[doc(alias = "kVTCompressionPropertyKey_VBVMaxBitRate")]
    pub max_rate: u64,
    /// Its size, in seconds of `max_rate`; more than 0.
    #[doc(alias = "kVTCompressionPropertyKey_VBVBufferDuration")]
    pub seconds: f64,
    /// How full it is when the first frame is taken out, 0 to 1.
    #[doc(alias = "kVTCompressionPropertyKey_VBVInitialDelayPercentage")]
    pub initial: f64,
}

/// Which [`Controls`], [`RateControl`](super::RateControl)s and changes a running encode has: each field stands for the one of that name.
/// A session derives its supported properties from this.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are those of `Controls`, or explained
pub struct ControlSupport {
    pub open_gop: bool,
    pub references: Option<(u32, u32)>,
    pub look_ahead: Option<(u32, u32)>,
    /// The least that `max_delay` can be.
    pub least_delay: u32,
    /// [`FrameOptions::force_key_frame`](super::FrameOptions::force_key_frame) in an encode with `max_delay`.
    pub forced_within_delay: bool,
    pub low_latency: bool,
    /// The scale of quantizers, if bounds can be set.
    pub qp_bounds: Option<(u32, u32)>,
    /// Bounds of quantizers hold beside an average bit rate alone.
    pub qp_bounds_at_rate_only: bool,
    pub spatial_adaptation: bool,
    pub base_qp: bool,
    pub quality_ceiling: bool,
    /// [`RateControl::ConstantBitRate`](super::RateControl).
    pub constant_bit_rate: bool,
    /// An average bit rate with a [`RateBuffer`].
    pub variable_bit_rate: bool,
    /// [`RateControl::Lossless`](super::RateControl).
    pub lossless: bool,
    /// [`EncoderSettings::limit`](super::EncoderSettings::limit). Sessions keep to limits with every encoder that has bounds of quantizers.
    pub rate_limit: bool,
    /// [`FrameOptions::force_key_frame`](super::FrameOptions::force_key_frame) at an average or constant bit rate; at constant quality
    /// every encoder has it.
    pub forced_at_rate: bool,
    /// Names for [`Controls::profile`], each with the bit depth that it allows at most.
    pub profiles: Vec<(&'static str, u32)>,
    /// Levels, times ten.
    pub levels: Vec<u32>,
    pub cabac: bool,
    pub slice_bytes: bool,
    pub frame_errors: bool,
    /// The most temporal layers.
    pub temporal_layers: u32,
    pub base_layer_share: bool,
    pub long_term_references: bool,
    pub first_pass: bool,
    /// [`Controls::more_before`], in encodes by a bit rate.
    pub steady_start: bool,
    /// [`Controls::more_after`], in encodes with a limit or a buffer.
    pub steady_end: bool,
    /// Two fields of [`Controls::fields`].
    pub fields: Option<FieldSupport>,
    /// The stream carries mastering display and content light level (the container always does).
    pub hdr_in_stream: bool,
    /// [`Encoder::reconfigure`](super::Encoder::reconfigure) obeys a new rate; not in every encode, which its answer tells.
    pub live_rate: bool,
    /// … new quantizer bounds.
    pub live_qp_bounds: bool,
}

/// Which pictures can be coded as two fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldSupport {
    /// The most pixels of a picture, in whole pairs of blocks of 16 by 16.
    pub pixels: u64,
    /// The most of such pixels in a second.
    pub pixel_rate: u64,
    /// What the height has to be a multiple of.
    pub row_step: u32,
    /// Names among [`ControlSupport::profiles`] that have none.
    pub not_in_profiles: Vec<&'static str>,
    /// Levels, times ten, that have them.
    pub levels: (u32, u32),
}

impl FieldSupport {
    /// Whether pictures of a size can be coded so.
    pub fn fits(&self, width: u32, height: u32) -> bool {
        blocks(width, height) <= self.pixels && height.is_multiple_of(self.row_step)
    }

    /// Whether so many of them a second can be.
    pub fn keeps_up(&self, width: u32, height: u32, frame_rate: Rational) -> bool {
        blocks(width, height) as f64 * frame_rate.to_f64() <= self.pixel_rate as f64
    }
}

/// The pixels of a picture in whole pairs of blocks, one above the other.
fn blocks(width: u32, height: u32) -> u64 {
    u64::from(width.div_ceil(16)) * 16 * u64::from(height.div_ceil(32)) * 32
}

/// A change to a running encode. Fields that are none stay as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reconfiguration {
    /// Another rate of the same kind.
    pub rate: Option<super::RateControl>,
    /// Another limit. Only where there was a limit from the start.
    pub limit: Option<super::RateLimit>,
    /// Another smallest quantizer.
    pub min_qp: Option<u32>,
    /// Another largest quantizer.
    pub max_qp: Option<u32>,
    /// Another nominal frame rate, for rate control.
    pub frame_rate: Option<retake_media::Rational>,
}
