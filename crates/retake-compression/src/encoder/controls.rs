//! This module defines the controls that only some encoders have, and how an encoder declares which of them
//! it obeys.

use retake_media::{ChromaSubsampling, CleanAperture, DolbyVision, Fields, PixelFormat, Rational};
use serde::{Deserialize, Serialize};

/// Controls are requests of a session beyond the settings that determine every take. The default requests
/// nothing, so that each choice is the encoder's, as its preset has it.
///
/// An encoder declares by [`EncoderInfo::controls`](super::EncoderInfo::controls) which of these it obeys; it
/// must answer any other one with [`EncoderError::Settings`](super::EncoderError::Settings), because nothing
/// may be accepted and then ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Controls {
    /// True if every frame must be a sync frame.
    #[doc(alias = "kVTCompressionPropertyKey_AllowTemporalCompression")]
    pub intra_only: bool,
    /// True if samples must come out in the order in which frames went in.
    #[doc(alias = "kVTCompressionPropertyKey_AllowFrameReordering")]
    pub no_reordering: bool,
    /// True if groups of pictures may be open. Takes never set this, because each must be decodable alone.
    #[doc(alias = "kVTCompressionPropertyKey_AllowOpenGOP")]
    pub open_gop: bool,
    /// The largest number of reference pictures.
    #[doc(alias = "kVTCompressionPropertyKey_ReferenceBufferCount")]
    pub references: Option<u32>,
    /// The number of frames to look ahead; the encoder takes the nearest number that it has.
    #[doc(alias = "kVTCompressionPropertyKey_SuggestedLookAheadFrameCount")]
    pub look_ahead: Option<u32>,
    /// The largest number of frames held back, M: before `send` of frame N returns, frame N - M can be
    /// received. 0 is synchronous.
    #[doc(alias = "kVTCompressionPropertyKey_MaxFrameDelayCount")]
    pub max_delay: Option<u32>,
    /// True for one sync frame and then predicted frames only, without look-ahead or reordering, and with a
    /// VBV buffer of little more than a frame. Speed comes first: with several threads, the bytes of x264 at
    /// a rate need not be the same at every run.
    #[doc(alias = "kVTVideoEncoderSpecification_EnableLowLatencyRateControl")]
    pub low_latency: bool,
    /// The smallest quantizer, on the encoder's own scale.
    #[doc(alias = "kVTCompressionPropertyKey_MinAllowedFrameQP")]
    pub min_qp: Option<u32>,
    /// The largest quantizer, on the encoder's own scale.
    #[doc(alias = "kVTCompressionPropertyKey_MaxAllowedFrameQP")]
    pub max_qp: Option<u32>,
    /// True if quantizers of blocks must not follow spatial statistics.
    #[doc(alias = "kVTCompressionPropertyKey_SpatialAdaptiveQPLevel")]
    pub no_spatial_adaptation: bool,
    /// True if quantizers of blocks must follow spatial statistics, in the library's own way, where the
    /// encoder does not let them by itself.
    #[doc(alias = "kVTCompressionPropertyKey_SpatialAdaptiveQPLevel")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub spatial_adaptation: bool,
    /// True if every frame brings its quantizer ([`FrameOptions::base_qp`](super::FrameOptions)); rate
    /// control is off then.
    #[doc(alias = "kVTEncodeFrameOptionKey_BaseFrameQP")]
    pub base_qp: bool,
    /// With an average bit rate, the quality on the encoder's scale that must not be exceeded; bits that
    /// would buy more are left unspent.
    pub quality_ceiling: Option<f64>,
    /// The buffer model of a constant or variable bit rate.
    pub buffer: Option<RateBuffer>,
    /// One of the names in [`ControlSupport::profiles`]; `None` leaves the choice to the encoder.
    #[doc(alias = "kVTCompressionPropertyKey_ProfileLevel")]
    pub profile: Option<String>,
    /// The level times ten (`41` is 4.1). `None` leaves it to the encoder, which must choose by size and
    /// rates, never by content.
    pub level: Option<u32>,
    /// For H.264, whether entropy coding is arithmetic (true) or variable-length (false).
    #[doc(alias = "kVTCompressionPropertyKey_H264EntropyMode")]
    pub cabac: Option<bool>,
    /// For H.264, the largest number of bytes of a slice; the encoder aims at it.
    #[doc(alias = "kVTCompressionPropertyKey_MaxH264SliceBytes")]
    pub slice_bytes: Option<u32>,
    /// True if the mean squared errors of each frame are wanted
    /// ([`EncodedFrame::error`](super::EncodedFrame)).
    #[doc(alias = "kVTCompressionPropertyKey_CalculateMeanSquaredError")]
    pub frame_errors: bool,
    /// The number of temporal layers. With 2, no other frame refers to every second one. `None` or 1 means no
    /// layers.
    #[doc(alias = "kVTCompressionPropertyKey_BaseLayerFrameRateFraction")]
    pub temporal_layers: Option<u32>,
    /// The base layer's share of the bit rate, 0 to 1. It needs temporal layers.
    #[doc(alias = "kVTCompressionPropertyKey_BaseLayerBitRateFraction")]
    pub base_layer_share: Option<f64>,
    /// True for long-term references with acknowledgements. It needs `low_latency`.
    #[doc(alias = "kVTCompressionPropertyKey_EnableLTR")]
    pub long_term_references: bool,
    /// True if frames of another encode are joined before these: rate control then begins as in the middle of
    /// a film, and limits hold across the join.
    #[doc(alias = "kVTCompressionPropertyKey_MoreFramesBeforeStart")]
    pub more_before: bool,
    /// True if frames of another encode are joined after these, so that limits must hold across the join.
    #[doc(alias = "kVTCompressionPropertyKey_MoreFramesAfterEnd")]
    pub more_after: bool,
    /// Requests the library's own first pass, which examines all frames before it codes the first of them, so
    /// that no sample comes out until then. The value is the largest number of frames; their pictures are
    /// held so long. It needs constant quality.
    pub first_pass: Option<u32>,
    /// The number of frames that will come; 0 means unknown.
    #[doc(alias = "kVTCompressionPropertyKey_SourceFrameCount")]
    pub frame_count: u64,
    /// The part of the picture that is meant to be seen. The description carries it, and so does the stream
    /// where its edges lie between blocks of chroma. H.264 crops to it, so that the description has its size;
    /// HEVC keeps the whole picture, and signals a display window.
    #[doc(alias = "kVTCompressionPropertyKey_CleanAperture")]
    pub clean_aperture: Option<CleanAperture>,
    /// Two fields: rows of pictures alternate between them, and each field is coded so. One field or `None`:
    /// frames are coded whole.
    #[doc(alias = "kVTCompressionPropertyKey_FieldCount")]
    #[doc(alias = "kVTCompressionPropertyKey_FieldDetail")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// True if dynamic HDR metadata of frames ([`Attachment::Hdr10Plus`](retake_media::Attachment),
    /// [`Attachment::DolbyVisionRpu`](retake_media::Attachment)) must not go into the stream.
    #[doc(alias = "kVTCompressionPropertyKey_PreserveDynamicHDRMetadata")]
    #[serde(skip_serializing_if = "is_false")]
    pub no_dynamic_hdr: bool,
    /// How much grain is taken out of pictures and described, so that decoders synthesise such, 1 to 50:
    /// the strength of noise for which the encoder's denoiser takes what it sees. `None`: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub film_grain: Option<u32>,
    /// What the description states of the Dolby Vision of the stream. Without it, metadata of Dolby Vision
    /// that frames bring are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dolby_vision: Option<DolbyVision>,
    /// True if the caller sees to [`EncoderSettings::limit`](super::EncoderSettings::limit) itself, because
    /// it encodes until what comes out fits: the encoder signals a level that allows for the limit, as an
    /// encode that keeps to it does, and does nothing else about it.
    #[serde(skip_serializing_if = "is_false")]
    pub limit_kept_by_caller: bool,
}

/// Keeps the form of settings that ask for nothing, so that takes of earlier versions have the same identity.
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Controls {
    /// Tells whether no control is requested.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Tells whether all frames may wait inside before the first of them is coded, as
    /// [`first_pass`](Self::first_pass) and everything that encodes a range again as a whole have it. They
    /// may not where the client waits for a frame before it sends the next one: it would wait for itself.
    pub fn may_hold_all(&self) -> bool {
        self.max_delay.is_none() && !self.low_latency
    }
}

/// A decoder's buffer (VBV, HRD): it is filled at `max_rate` and holds `seconds` of that.
#[doc(alias = "vbv")]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateBuffer {
    /// The largest number of bits that flow in, per second.
    #[doc(alias = "kVTCompressionPropertyKey_VBVMaxBitRate")]
    pub max_rate: u64,
    /// The size of the buffer, in seconds of `max_rate`; more than 0.
    #[doc(alias = "kVTCompressionPropertyKey_VBVBufferDuration")]
    pub seconds: f64,
    /// The fill of the buffer when the first frame is taken out, 0 to 1.
    #[doc(alias = "kVTCompressionPropertyKey_VBVInitialDelayPercentage")]
    pub initial: f64,
}

/// An encoder declares here which [`Controls`], [`RateControl`](super::RateControl)s and changes of a running
/// encode it has: each field stands for the one of that name. A session derives its supported properties from
/// this.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are those of `Controls`, or explained
pub struct ControlSupport {
    pub open_gop: bool,
    pub references: Option<(u32, u32)>,
    pub look_ahead: Option<(u32, u32)>,
    /// True if the encoder does not look ahead in an encode with `max_delay`.
    pub look_ahead_needs_delay: bool,
    /// The smallest value of `max_delay`.
    pub least_delay: u32,
    /// True if the encoder has [`FrameOptions::force_key_frame`](super::FrameOptions::force_key_frame) in an
    /// encode with `max_delay`, or with `low_latency`.
    pub forced_within_delay: bool,
    pub low_latency: bool,
    /// The scale of quantizers, if bounds can be set.
    pub qp_bounds: Option<(u32, u32)>,
    /// True if bounds of quantizers hold only beside an average bit rate.
    pub qp_bounds_at_rate_only: bool,
    pub spatial_adaptation: bool,
    /// True if the encoder adapts quantizers of blocks only where [`Controls::spatial_adaptation`] asks for
    /// it.
    pub adapts_on_request: bool,
    /// True if spatial adaptation cannot be switched off at an average bit rate.
    pub adapts_at_rate: bool,
    pub base_qp: bool,
    pub quality_ceiling: bool,
    /// The greatest bit rate; `None` if it takes any that is asked for.
    pub most_bit_rate: Option<u64>,
    /// The greatest number of frames per second; `None` if it takes any.
    pub most_frame_rate: Option<u32>,
    /// True if the encoder lacks [`RateControl::AverageBitRate`](super::RateControl), so that a quality is
    /// all that it can be asked for.
    #[serde(skip_serializing_if = "is_false")]
    pub no_average_bit_rate: bool,
    /// True if the encoder has [`RateControl::ConstantBitRate`](super::RateControl).
    pub constant_bit_rate: bool,
    /// True if the encoder takes an average bit rate with a [`RateBuffer`].
    pub variable_bit_rate: bool,
    /// True if the encoder has [`RateControl::Lossless`](super::RateControl).
    pub lossless: bool,
    /// True if the encoder obeys [`EncoderSettings::limit`](super::EncoderSettings::limit). Sessions keep to
    /// limits with every encoder that has bounds of quantizers.
    pub rate_limit: bool,
    /// True if the encoder has [`FrameOptions::force_key_frame`](super::FrameOptions::force_key_frame) at an
    /// average or constant bit rate; at constant quality every encoder has it.
    pub forced_at_rate: bool,
    /// True if [`FrameOptions::force_key_frame`](super::FrameOptions::force_key_frame) closes an open group
    /// of pictures, so that a sync frame comes and not a partial sync frame.
    pub forced_in_open_gop: bool,
    /// The profiles that [`Controls::profile`] can name.
    pub profiles: Vec<ProfileSupport>,
    /// The levels, times ten.
    pub levels: Vec<u32>,
    pub cabac: bool,
    pub slice_bytes: bool,
    pub frame_errors: bool,
    /// The levels that [`Controls::film_grain`] can name. The pictures that such an encoder gives back have
    /// the grain that decoders synthesise.
    pub film_grain: Option<(u32, u32)>,
    /// The largest number of temporal layers.
    pub temporal_layers: u32,
    /// True if layers do not reorder frames, so that encodes with low latency have them, too.
    pub layers_without_reordering: bool,
    /// True if only encodes with low latency have layers.
    pub layers_in_low_latency_only: bool,
    pub base_layer_share: bool,
    pub long_term_references: bool,
    pub first_pass: bool,
    /// True if the encoder obeys [`Controls::more_before`] in encodes by a bit rate.
    pub steady_start: bool,
    /// True if the encoder obeys [`Controls::more_after`] in encodes with a limit or a buffer.
    pub steady_end: bool,
    /// The bounds within which the encoder takes two [`Controls::fields`]; `None` if it never does.
    pub fields: Option<FieldSupport>,
    /// True if the stream carries mastering display and content light level (the container always does).
    pub hdr_in_stream: bool,
    /// True if the stream carries the closed captions of frames
    /// ([`Attachment::Captions`](retake_media::Attachment)).
    pub captions: bool,
    /// True if the stream carries the HDR10+ metadata of frames
    /// ([`Attachment::Hdr10Plus`](retake_media::Attachment)).
    pub hdr10_plus: bool,
    pub dolby_vision: bool,
    /// True if [`Encoder::reconfigure`](super::Encoder::reconfigure) takes a new rate; not every encode does,
    /// so its answer must be heeded.
    pub live_rate: bool,
    /// True if [`Encoder::reconfigure`](super::Encoder::reconfigure) takes new quantizer bounds.
    pub live_qp_bounds: bool,
}

/// A profile, and the pictures whose streams an encoder signals as being of it. A profile that allows less,
/// too, is not listed for that: a stream of 8 bits is signalled as of Main, and not of Main 10.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProfileSupport {
    /// The name for [`Controls::profile`].
    pub name: &'static str,
    /// The least and the most bits of a sample.
    pub depths: (u32, u32),
    /// The subsamplings, the coarsest first.
    pub chroma: Vec<ChromaSubsampling>,
}

impl ProfileSupport {
    /// Makes a profile of these pictures.
    pub fn new(name: &'static str, depths: (u32, u32), chroma: &[ChromaSubsampling]) -> Self {
        Self { name, depths, chroma: chroma.to_vec() }
    }

    /// Tells whether pictures of a format are coded with this profile.
    pub fn has(&self, format: PixelFormat) -> bool {
        (self.depths.0..=self.depths.1).contains(&format.bit_depth())
            && self.chroma.contains(&format.chroma_subsampling())
    }
}

/// Pictures within these bounds can be coded as two fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldSupport {
    /// The largest number of pixels of a picture, in whole pairs of blocks of 16 by 16.
    pub pixels: u64,
    /// The largest number of such pixels in a second.
    pub pixel_rate: u64,
    /// The height must be a multiple of this.
    pub row_step: u32,
    /// The names among [`ControlSupport::profiles`] that have no fields.
    pub not_in_profiles: Vec<&'static str>,
    /// The lowest and the highest level with fields, times ten.
    pub levels: (u32, u32),
}

impl FieldSupport {
    /// Tells whether pictures of a size can be coded as fields.
    pub fn fits(&self, width: u32, height: u32) -> bool {
        blocks(width, height) <= self.pixels && height.is_multiple_of(self.row_step)
    }

    /// Tells whether so many pictures a second can be coded as fields.
    pub fn keeps_up(&self, width: u32, height: u32, frame_rate: Rational) -> bool {
        blocks(width, height) as f64 * frame_rate.to_f64() <= self.pixel_rate as f64
    }
}

/// Returns the pixels of a picture in whole pairs of blocks, one above the other.
fn blocks(width: u32, height: u32) -> u64 {
    u64::from(width.div_ceil(16)) * 16 * u64::from(height.div_ceil(32)) * 32
}

/// A reconfiguration changes a running encode. Fields that are `None` stay as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reconfiguration {
    /// Another rate, which must be of the same kind.
    pub rate: Option<super::RateControl>,
    /// Another limit. The encode must have had a limit from the start.
    pub limit: Option<super::RateLimit>,
    /// Another smallest quantizer.
    pub min_qp: Option<u32>,
    /// Another largest quantizer.
    pub max_qp: Option<u32>,
    /// Another nominal frame rate, for rate control.
    pub frame_rate: Option<retake_media::Rational>,
}
