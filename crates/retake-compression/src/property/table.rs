//! The one table of properties. Everything that knows properties is made from it: keys, typed values, the
//! layer by names, what an encoder supports, the pages that `retake encoders` prints.

use super::line::{facts, row};
use super::profile;
use super::row::{Allowed, Class, Environment, Kind, Row};
use super::typed::{FIELD_DETAILS, Typed};
use super::{
    ColorPrimaries, DataRateLimit, H264EntropyMode, HdrMetadataInsertionMode, OutputChroma, PropertyValue,
    TransferFunction, YCbCrMatrix,
};
use crate::encoder::EncoderInfo;
use crate::storage::MultiPassStorage;
use retake_media::{
    ChromaSubsampling, CleanAperture, ContentLight, FieldDetail, IccProfile, MasteringDisplay, Rational,
    Time, TransferOptions,
};
use std::sync::Arc;

/// Passes of a session at most, where nobody says otherwise.
pub(crate) const USUAL_PASSES: u32 = 5;

/// A property whose value can be asked for, and the type that it has.
pub trait Readable {
    /// What the property's values are.
    type Value;

    /// The property.
    fn key(&self) -> PropertyKey;

    /// A value with its type; `None` for one of another type, which a session never gives.
    fn read(value: PropertyValue) -> Option<Self::Value>;
}

/// Any property, with a value that says itself what it is.
impl Readable for PropertyKey {
    type Value = PropertyValue;

    fn key(&self) -> PropertyKey {
        *self
    }

    fn read(value: PropertyValue) -> Option<PropertyValue> {
        Some(value)
    }
}

macro_rules! readable {
    ($typed:ty, $key:expr, $type:ty) => {
        impl Readable for $typed {
            type Value = $type;

            fn key(&self) -> PropertyKey {
                $key
            }

            fn read(value: PropertyValue) -> Option<$type> {
                <$type as Typed>::from_value(&value)
            }
        }
    };
}

/// Makes keys, typed values and rows of the same lines.
macro_rules! table {
    (
        writable { $(
            $(#[doc = $doc:literal])+
            $key:ident($type:ty) $(as $apple:literal)? { $($field:tt)* }
        )* }
        read_only { $(
            $(#[doc = $rdoc:literal])+
            $rkey:ident $(($rtype:ty))? $(as $rapple:literal)? { $($rfield:tt)* }
        )* }
        unsupported { $(
            $(#[doc = $udoc:literal])+
            $ukey:ident as $uapple:literal { $($ufield:tt)* }
        )* }
    ) => {
        /// The name of a property.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum PropertyKey {
            $($(#[doc = $doc])+ #[doc = ""] #[doc = facts!(writable; $($field)*)] $(#[doc(alias = $apple)])? $key,)*
            $($(#[doc = $rdoc])+ #[doc = ""] #[doc = facts!(read_only; $($rfield)*)] $(#[doc(alias = $rapple)])? $rkey,)*
            $($(#[doc = $udoc])+ #[doc = ""] #[doc = facts!(read_only; $($ufield)*)] #[doc(alias = $uapple)] $ukey,)*
        }

        /// Properties that are asked for by their type: `session.get(key::AverageBitRate)` gives a number of
        /// its type, where [`PropertyKey`] gives a [`PropertyValue`].
        pub mod key {
            $($(#[doc = $doc])+ $(#[doc(alias = $apple)])? #[derive(Debug, Clone, Copy)] pub struct $key;)*
            $($(
                #[doc = concat!("[`PropertyKey::", stringify!($rkey), "`](super::PropertyKey::", stringify!($rkey),
                    "), with values of the type `", stringify!($rtype), "`.")]
                #[derive(Debug, Clone, Copy)] pub struct $rkey;
            )?)*
        }

        $(readable!(key::$key, PropertyKey::$key, $type);)*
        $($(readable!(key::$rkey, PropertyKey::$rkey, $rtype);)?)*

        /// A property that can be set, with a value of its own type.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Property {
            $($(#[doc = $doc])+ #[doc = ""] #[doc = facts!(writable; $($field)*)] $(#[doc(alias = $apple)])? $key($type),)*
        }

        impl Property {
            /// Its name.
            pub const fn key(&self) -> PropertyKey {
                match self { $(Self::$key(_) => PropertyKey::$key,)* }
            }

            /// Its value without the type.
            pub fn value(&self) -> PropertyValue {
                match self { $(Self::$key(value) => Typed::to_value(value),)* }
            }

            /// The property of that name with that value, if the name can be set and the value is of its
            /// type.
            pub fn from_value(key: PropertyKey, value: &PropertyValue) -> Option<Self> {
                match key {
                    $(PropertyKey::$key => <$type as Typed>::from_value(value).map(Self::$key),)*
                    _ => None,
                }
            }
        }

        static ROWS: &[Row] = &[
            $(row!(
                Row::new(PropertyKey::$key, stringify!($key), table!(@apple $($apple)?), concat!($($doc),+));
                facts!(writable; $($field)*); $($field)*
            ),)*
            $(Row {
                class: Class::ReadOnly,
                saved: false,
                ..row!(
                    Row::new(PropertyKey::$rkey, stringify!($rkey), table!(@apple $($rapple)?), concat!($($rdoc),+));
                    facts!(read_only; $($rfield)*); $($rfield)*
                )
            },)*
            $(Row {
                class: Class::ReadOnly,
                saved: false,
                support: never,
                ..row!(
                    Row::new(PropertyKey::$ukey, stringify!($ukey), Some($uapple), concat!($($udoc),+));
                    facts!(read_only; $($ufield)*); $($ufield)*
                )
            },)*
        ];
    };
    (@apple) => { None };
    (@apple $apple:literal) => { Some($apple) };
}

fn when(condition: bool) -> Option<Allowed> {
    condition.then_some(Allowed::All)
}

fn range(bounds: Option<(u32, u32)>) -> Option<Allowed> {
    bounds.map(|(least, most)| Allowed::Range(least.into(), most.into()))
}

fn up_to(most: Option<f64>) -> Option<Allowed> {
    Some(most.map_or(Allowed::All, |most| Allowed::Range(0.0, most)))
}

fn list(words: Vec<String>) -> Option<Allowed> {
    (!words.is_empty()).then_some(Allowed::List(words))
}

fn buffer(environment: &Environment<'_>) -> bool {
    let controls = &environment.info.controls;
    (controls.constant_bit_rate || controls.variable_bit_rate) && !environment.low_latency
}

fn passes(environment: &Environment<'_>) -> Option<Allowed> {
    when(!environment.low_latency)
}

fn scores(environment: &Environment<'_>) -> Option<Allowed> {
    let best = environment.metrics.iter().map(|metric| metric.best).reduce(f64::max)?;
    (!environment.low_latency).then_some(Allowed::Range(0.0, best))
}

/// Whether limits hold: the encoder knows them, or the session sees to it.
fn limits(environment: &Environment<'_>) -> bool {
    let controls = &environment.info.controls;
    controls.rate_limit || controls.qp_bounds.is_some()
}

/// Whether it makes a difference how many frames will come.
fn counts(environment: &Environment<'_>) -> bool {
    let controls = &environment.info.controls;
    controls.steady_start || controls.steady_end || limits(environment)
}

/// Whether there are two temporal layers. Those of B frames reorder, which low latency forbids; others come
/// of frames that are predicted from earlier ones alone, which some encoders have in low latency only.
fn layers(environment: &Environment<'_>) -> Option<Allowed> {
    let controls = &environment.info.controls;
    let has = match environment.low_latency {
        true => controls.layers_without_reordering,
        false => !controls.layers_in_low_latency_only,
    };
    when(controls.temporal_layers >= 2 && has)
}

/// Whether pictures of this size can be coded as two fields.
fn fields(environment: &Environment<'_>) -> bool {
    let support = environment.info.controls.fields.as_ref();
    support.is_some_and(|support| support.fits(environment.width, environment.height))
}

/// What [`OutputChroma`] can be with this encoder.
fn chroma_names(info: &EncoderInfo) -> Vec<String> {
    let has =
        |chroma: ChromaSubsampling| info.formats.iter().any(|format| format.chroma_subsampling() == chroma);
    let listed =
        |name: &String| OutputChroma::from_name(name).and_then(OutputChroma::subsampling).is_none_or(has);
    OutputChroma::names().into_iter().filter(listed).collect()
}

fn never(_: &Environment<'_>) -> Option<Allowed> {
    None
}

table! {
    writable {
        /// The most frames from one sync frame to the next; 1 makes every frame a sync frame, 0 leaves it to
        /// the encoder.
        MaxKeyFrameInterval(u32) as "kVTCompressionPropertyKey_MaxKeyFrameInterval" {
            kind: Count, range: 0 to 2_147_483_647, unit: "frames", class: Between, default: 0,
        }
        /// The longest time from one sync frame to the next; 0 sets no limit. Of this and
        /// MaxKeyFrameInterval, what is hit first counts.
        MaxKeyFrameIntervalDuration(f64) as "kVTCompressionPropertyKey_MaxKeyFrameIntervalDuration" {
            kind: Number, range: 0 to 1_000_000, unit: "s", class: Between, default: 0.0,
        }
        /// False: sync frames only, whatever the intervals say.
        AllowTemporalCompression(bool) as "kVTCompressionPropertyKey_AllowTemporalCompression" { default: true, }
        /// False: samples come out in the order in which frames went in. Reads back what really happens.
        AllowFrameReordering(bool) as "kVTCompressionPropertyKey_AllowFrameReordering" {
            chosen: |environment| Some((environment.info.reorders && !environment.low_latency).into())
                => "true where the encoder reorders, but in low-latency sessions",
        }
        /// True: groups of pictures may be open. They begin with partial sync frames: decoding that begins
        /// with one loses frames that are shown before it. The intervals of sync frames count them. x265
        /// closes its groups where MoreFramesBeforeStart goes with a bit rate.
        AllowOpenGOP(bool) as "kVTCompressionPropertyKey_AllowOpenGOP" {
            on: "x264, x265",
            support: |environment| when(environment.info.controls.open_gop),
            default: false,
        }
        /// The most reference pictures.
        ReferenceBufferCount(u32) as "kVTCompressionPropertyKey_ReferenceBufferCount" {
            kind: Count, range: 0 to 64, unit: "frames", on: "x264, x265",
            support: |environment| range(environment.info.controls.references),
        }
        /// Every sample brings the mean squared errors of its frame.
        CalculateMeanSquaredError(bool) as "kVTCompressionPropertyKey_CalculateMeanSquaredError" {
            support: |environment| when(environment.info.controls.frame_errors),
            default: false,
        }
        /// The bit rate over the long run; 0 leaves it to the encoder.
        AverageBitRate(u64) as "kVTCompressionPropertyKey_AverageBitRate" {
            kind: Rate, range: 0 to 4e9, unit: "bit/s", class: Between,
            support: |environment| {
                let controls = &environment.info.controls;
                up_to(controls.most_bit_rate.map(|most| most as f64)).filter(|_| !controls.no_average_bit_rate)
            },
            default: 0,
        }
        /// One or two pairs of bytes and seconds: in no window of so many seconds of decode time are there
        /// more bytes. What an encoder makes too large is encoded again, coarser, from a sync frame on; what
        /// nothing makes small enough is dropped.
        DataRateLimits(Vec<DataRateLimit>) as "kVTCompressionPropertyKey_DataRateLimits" {
            kind: Array, unit: "bytes, s", class: Between,
            support: |environment| when(limits(environment)),
        }
        /// 0.25 is low, 0.5 normal, 0.75 high, and 1 lossless where the encoder can. With AverageBitRate it
        /// is a ceiling.
        Quality(f64) as "kVTCompressionPropertyKey_Quality" { kind: Number, range: 0 to 1, class: Between, }
        /// The same visual quality throughout, on the scale of Quality: 0 is the worst, 1 the best that loses
        /// anything. It goes with DataRateLimits and VBVMaxBitRate, which it keeps to, and not with Quality
        /// or a bit rate that is aimed at.
        ConstantQualityFactor(f64) as "kVTCompressionPropertyKey_ConstantQualityFactor" {
            kind: Number, range: 0 to 1, class: Between,
        }
        /// Frames of another session are joined before these: a bit rate begins as in the middle of a film,
        /// which encodes the first second twice, and limits hold across the join. SVT-AV1 encodes as many
        /// frames before as there are between sync frames, where that is a quarter of SourceFrameCount at
        /// most. It changes nothing at a quality alone.
        MoreFramesBeforeStart(bool) as "kVTCompressionPropertyKey_MoreFramesBeforeStart" {
            saved: false, support: |environment| when(environment.info.controls.steady_start || limits(environment)), default: false,
        }
        /// Frames of another session are joined after these: limits and buffers hold across the join. It
        /// changes nothing where there is neither, because no encoder spends at the end what it has left.
        MoreFramesAfterEnd(bool) as "kVTCompressionPropertyKey_MoreFramesAfterEnd" {
            saved: false, support: |environment| when(environment.info.controls.steady_end || limits(environment)), default: false,
        }
        /// True: faster at some cost of quality. False: quality first. Chooses the preset while EncoderPreset
        /// does not.
        PrioritizeEncodingSpeedOverQuality(bool) as "kVTCompressionPropertyKey_PrioritizeEncodingSpeedOverQuality" {}
        /// A decoder's buffer is filled at this rate without a pause, and neither overflows nor runs dry:
        /// seconds differ by what the buffer holds. x264 and x265 pad what is too small; VP9 does not pad,
        /// and meets the rate over the long run alone. Set ExpectedFrameRate with it. Not in low-latency
        /// sessions, whose buffer is their own.
        ConstantBitRate(u64) as "kVTCompressionPropertyKey_ConstantBitRate" {
            kind: Rate, range: 1_000 to 4e9, unit: "bit/s", on: "x264, x265, vp9",
            support: |environment| {
                let controls = &environment.info.controls;
                up_to(controls.most_bit_rate.map(|most| most as f64))
                    .filter(|_| controls.constant_bit_rate && !environment.low_latency)
            },
        }
        /// An average bit rate within a decoder's buffer.
        VariableBitRate(u64) as "kVTCompressionPropertyKey_VariableBitRate" {
            kind: Rate, range: 1_000 to 4e9, unit: "bit/s", on: "x264, x265",
            support: |environment| when(environment.info.controls.variable_bit_rate && !environment.low_latency),
        }
        /// The rate at which the decoder's buffer is filled at most; with VariableBitRate, half as much again
        /// where it is not set.
        VBVMaxBitRate(u64) as "kVTCompressionPropertyKey_VBVMaxBitRate" {
            kind: Rate, range: 1_000 to 4e9, unit: "bit/s", on: "x264, x265",
            support: |environment| when(environment.info.controls.variable_bit_rate && !environment.low_latency),
        }
        /// The size of the decoder's buffer, in seconds of its greatest rate.
        VBVBufferDuration(f64) as "kVTCompressionPropertyKey_VBVBufferDuration" {
            kind: Number, range: 0.01 to 600, unit: "s", on: "x264, x265, vp9",
            support: |environment| when(buffer(environment)),
            default: 2.5,
        }
        /// How full the decoder's buffer is when the first frame is taken out.
        VBVInitialDelayPercentage(f64) as "kVTCompressionPropertyKey_VBVInitialDelayPercentage" {
            kind: Number, range: 0 to 100, unit: "%", on: "x264, x265, vp9",
            support: |environment| when(buffer(environment)),
            default: 90.0,
        }
        /// The base layer's share of the bit rate; only with temporal layers.
        BaseLayerBitRateFraction(f64) as "kVTCompressionPropertyKey_BaseLayerBitRateFraction" {
            kind: Number, range: 0.01 to 0.99, on: "none",
            support: |environment| {
                layers(environment).filter(|_| environment.info.controls.base_layer_share)
            },
        }
        /// The largest quantizer of a frame, on the encoder's own scale. SVT-AV1: only beside an average bit
        /// rate.
        MaxAllowedFrameQP(u32) as "kVTCompressionPropertyKey_MaxAllowedFrameQP" {
            kind: Count, range: 0 to 255, class: Between,
            support: |environment| range(environment.info.controls.qp_bounds),
        }
        /// The smallest quantizer of a frame, on the encoder's own scale. SVT-AV1: only beside an average bit
        /// rate.
        MinAllowedFrameQP(u32) as "kVTCompressionPropertyKey_MinAllowedFrameQP" {
            kind: Count, range: 0 to 255, class: Between,
            support: |environment| range(environment.info.controls.qp_bounds),
        }
        /// 0: quantizers of blocks do not follow spatial statistics. -1: they do, in the encoder's way.
        /// Unset: what the encoder does by itself, which is nothing with VP9. Always 0 in low-latency
        /// sessions. SVT-AV1: 0 only where no rate and no limit is set, so that its low-latency sessions do
        /// not have the key.
        SpatialAdaptiveQPLevel(i32) as "kVTCompressionPropertyKey_SpatialAdaptiveQPLevel" {
            kind: Count, range: -1 to 0, support: |environment| {
                let controls = &environment.info.controls;
                let has = controls.spatial_adaptation && !(environment.low_latency && controls.adapts_at_rate);
                let least = if environment.low_latency { 0.0 } else { -1.0 };
                has.then_some(Allowed::Range(least, 0.0))
            },
            chosen: |environment| {
                let off = environment.low_latency || environment.info.controls.adapts_on_request;
                Some(if off { 0 } else { -1 }.into())
            } => "-1, in low-latency sessions and of VP9 0",
        }
        /// Profile and level of the stream; AutoLevel leaves the level to the encoder.
        ProfileLevel(String) as "kVTCompressionPropertyKey_ProfileLevel" {
            kind: Enumeration,
            support: |environment| list(profile::names(environment.info)),
        }
        /// Bits of a sample in the stream. Unset: those of the source, as far as ProfileLevel and the encoder
        /// have them.
        OutputBitDepth(u32) as "kVTCompressionPropertyKey_OutputBitDepth" {
            kind: Count, range: 8 to 16, unit: "bits",
            support: |environment| {
                let depths = environment.info.formats.iter().map(|format| format.bit_depth());
                depths.clone().min().zip(depths.max()).map(|(least, most)| Allowed::Range(least.into(), most.into()))
            },
        }
        /// An extension. How many pixels share a sample of chroma in the stream. Unset: 4:2:0, which is what
        /// players have, or what ProfileLevel has where it has no 4:2:0.
        OutputChromaSubsampling(OutputChroma) {
            kind: Enumeration,
            support: |environment| Some(Allowed::List(chroma_names(environment.info))),
        }
        /// How symbols of H.264 are written.
        H264EntropyMode(H264EntropyMode) as "kVTCompressionPropertyKey_H264EntropyMode" {
            kind: Enumeration, on: "x264",
            support: |environment| {
                environment.info.controls.cabac.then(|| Allowed::List(H264EntropyMode::names()))
            },
        }
        /// The most bytes of a slice, aimed at; 0 sets no limit.
        MaxH264SliceBytes(u32) as "kVTCompressionPropertyKey_MaxH264SliceBytes" {
            kind: Count, range: 0 to 2_147_483_647, unit: "bytes", on: "x264",
            support: |environment| when(environment.info.controls.slice_bytes),
            default: 0,
        }
        /// Which HDR metadata goes into the stream and its description. Auto: what is known, unless the
        /// transfer function of the output is known and is neither PQ nor HLG.
        HDRMetadataInsertionMode(HdrMetadataInsertionMode) as "kVTCompressionPropertyKey_HDRMetadataInsertionMode" {
            kind: Enumeration,
            support: |_| {
                let mut modes = HdrMetadataInsertionMode::names();
                modes.retain(|mode| mode != HdrMetadataInsertionMode::RequestSdrRangePreservation.name());
                list(modes)
            },
            chosen: |_| Some(HdrMetadataInsertionMode::Auto.into()) => "Auto",
        }
        /// Whether dynamic HDR metadata of frames go into the stream: HDR10+, and Dolby Vision of profile 8
        /// with x265. They do by default, because nothing here would make others in their place. They go with
        /// the colours: HDR10+ with PQ, Dolby Vision with PQ or HLG of BT.2020 in ten bits.
        PreserveDynamicHDRMetadata(bool) as "kVTCompressionPropertyKey_PreserveDynamicHDRMetadata" {
            on: "x265, svt-av1, libaom",
            support: |environment| when(environment.info.controls.hdr10_plus),
            default: true,
        }
        /// Makes it a session of several passes, which keeps in the storage what it learns. Frames are then
        /// taken between the beginning and the end of a pass only, none is dropped, and from the first pass
        /// on what changes samples can no longer be set. The session has the storage to itself until it is
        /// over or the property is reset.
        MultiPassStorage(Arc<MultiPassStorage>) as "kVTCompressionPropertyKey_MultiPassStorage" {
            kind: Object, saved: false,
            support: passes,
        }
        /// An extension, for sessions of several passes. The most passes that a session asks for, the first
        /// one counted.
        MaxPassCount(u32) {
            kind: Count, range: 1 to 100, unit: "passes",
            support: passes,
            chosen: |_| Some(USUAL_PASSES.into()) => "5",
        }
        /// An extension, for sessions of several passes and clients that cannot merge. True: whenever
        /// something is to be encoded again, all is.
        RequestWholeSourcePasses(bool) {
            support: passes,
            default: false,
        }
        /// An extension, for sessions of several passes and clients that always make two. True: a second pass
        /// is asked for also where nothing better is expected of it.
        AlwaysRequestSecondPass(bool) {
            support: passes,
            default: false,
        }
        /// An extension, for sessions of several passes. The mean score by QualityMetric that every unit
        /// (from one sync frame to the next) is to reach, with as few bits as possible. Where Quality is not
        /// set either, it also says where the first pass begins.
        QualityFloor(f64) {
            kind: Number, range: 0 to 100,
            support: scores,
        }
        /// An extension, with QualityFloor. Scores up to so much above it are good enough to keep. Unset: a
        /// difference that is worth talking about, 1 for VMAF.
        QualityTolerance(f64) {
            kind: Number, range: 0 to 100,
            support: scores,
        }
        /// An extension, for sessions of several passes. What units are judged by. With AverageBitRate, bits
        /// go where it says that they buy most. Unset: nothing is judged, unless there is a QualityFloor;
        /// then by the first of the list.
        QualityMetric(String) {
            kind: Enumeration,
            support: |environment| {
                let names = environment.metrics.iter().map(|metric| metric.name.to_owned());
                passes(environment).and_then(|_| list(names.collect()))
            },
        }
        /// The most frames held back: before the call with frame N returns, frame N - M is out. -1 sets no
        /// limit. SVT-AV1: at least 1.
        MaxFrameDelayCount(i32) as "kVTCompressionPropertyKey_MaxFrameDelayCount" {
            kind: Count, range: -1 to 4_096, unit: "frames", default: -1,
        }
        /// True: frames come as they are shot; work keeps pace, and frames that come too fast are dropped.
        /// False: take all the time.
        RealTime(bool) as "kVTCompressionPropertyKey_RealTime" { class: Between, }
        /// True: one thread, so that other work on the machine is not disturbed. RealTime has precedence.
        MaximizePowerEfficiency(bool) as "kVTCompressionPropertyKey_MaximizePowerEfficiency" {
            class: Between, default: false,
        }
        /// How many frames will come; 0 is unknown. Of a part, the frames of that part.
        SourceFrameCount(u64) as "kVTCompressionPropertyKey_SourceFrameCount" {
            kind: Count, range: 0 to 2_147_483_647, unit: "frames", saved: false,
            support: |environment| when(counts(environment)),
            default: 0,
        }
        /// Frames per second that rate control counts with; 0: from the duration of the first frame. Times of
        /// frames stay as they are.
        ExpectedFrameRate(f64) as "kVTCompressionPropertyKey_ExpectedFrameRate" {
            kind: Number, range: 0 to 1_000, unit: "frames/s", class: Between,
            support: |environment| up_to(environment.info.controls.most_frame_rate.map(f64::from)),
            default: 0.0,
        }
        /// The most frames per second that will come; only while RealTime is true. Above 60, a faster preset
        /// is chosen.
        MaximumRealTimeFrameRate(f64) as "kVTCompressionPropertyKey_MaximumRealTimeFrameRate" {
            kind: Number, range: 0 to 1_000, unit: "frames/s", default: 0.0,
        }
        /// How long the source is; stands in for SourceFrameCount.
        ExpectedDuration(f64) as "kVTCompressionPropertyKey_ExpectedDuration" {
            kind: Number, range: 0 to 1_000_000_000, unit: "s", saved: false,
            support: |environment| when(counts(environment)),
            default: 0.0,
        }
        /// Temporal layers: frames per second of the base layer, half of ExpectedFrameRate. x264 and x265:
        /// not in low-latency sessions; SVT-AV1: in them only.
        BaseLayerFrameRate(f64) as "kVTCompressionPropertyKey_BaseLayerFrameRate" {
            kind: Number, range: 0.1 to 500, unit: "frames/s", on: "x264, x265, svt-av1, vp9",
            support: |environment| {
                let most = environment.info.controls.most_frame_rate.map(|most| f64::from(most) / 2.0);
                layers(environment).and_then(|_| up_to(most))
            },
        }
        /// Temporal layers: the share of frames in the base layer. 0.5: every second frame is one that no
        /// other needs. 1: no layers. x264 and x265: not in low-latency sessions; SVT-AV1: in them only.
        BaseLayerFrameRateFraction(f64) as "kVTCompressionPropertyKey_BaseLayerFrameRateFraction" {
            kind: Number, range: 0.5 to 1, on: "x264, x265, svt-av1, vp9",
            support: layers,
        }
        /// Width of a pixel over its height.
        PixelAspectRatio(Rational) as "kVTCompressionPropertyKey_PixelAspectRatio" { kind: Dictionary, }
        /// The part of the picture that is meant to be seen, in pixels: Width, Height, and how far its centre
        /// lies to the right of and below the picture's. Whole numbers, or arrays of numerator and
        /// denominator. Unset: that of the first frame, or all of it. H.264 crops to it, and HEVC signals a
        /// display window, where its edges lie between blocks of chroma.
        CleanAperture(CleanAperture) as "kVTCompressionPropertyKey_CleanAperture" { kind: Dictionary, }
        /// 2: rows of pictures alternate between two fields, each of a time of its own, and are coded so. 1:
        /// whole frames. Unset: what the first frame says, if it can be coded so, else whole frames, and
        /// nothing is said of it. H.264 only: HEVC has fields as pictures of their own, which decoders give
        /// out at half the height.
        FieldCount(u32) as "kVTCompressionPropertyKey_FieldCount" {
            kind: Count, range: 1 to 2, unit: "fields", on: "x264",
            support: |environment| when(fields(environment)),
        }
        /// Which of two fields is the earlier one: with TemporalTopFirst and SpatialFirstLineEarly the one
        /// with the first row, with the others the other one. Temporal and spatial differ in what files say
        /// of it; rows of the pictures alternate with all. Unset: the first row is the earlier one.
        FieldDetail(FieldDetail) as "kVTCompressionPropertyKey_FieldDetail" {
            kind: Enumeration, on: "x264",
            support: |environment| {
                fields(environment).then(|| list(FIELD_DETAILS.iter().map(|(name, _)| (*name).to_owned()).collect()))?
            },
        }
        /// Colour primaries. Unset: those of the first frame.
        ColorPrimaries(ColorPrimaries) as "kVTCompressionPropertyKey_ColorPrimaries" {
            kind: Enumeration,
            support: |_| Some(Allowed::List(ColorPrimaries::names())),
        }
        /// Transfer function. Unset: that of the first frame.
        TransferFunction(TransferFunction) as "kVTCompressionPropertyKey_TransferFunction" {
            kind: Enumeration,
            support: |_| Some(Allowed::List(TransferFunction::names())),
        }
        /// Matrix. Unset: that of the first frame.
        YCbCrMatrix(YCbCrMatrix) as "kVTCompressionPropertyKey_YCbCrMatrix" {
            kind: Enumeration,
            support: |_| Some(Allowed::List(YCbCrMatrix::names())),
        }
        /// The gamma that samples were made for, where no TransferFunction says it; samples stay what they
        /// are. MOV files hold any; 2.2 and 2.8 have names in the tags of all streams, for others those are
        /// taken away.
        GammaLevel(f64) as "kVTCompressionPropertyKey_GammaLevel" { kind: Number, range: 0.1 to 10, }
        /// A colour profile of at most 1 MiB, which says the same as the tags do; samples stay what they are.
        /// MP4 and MOV files hold it.
        ICCProfile(IccProfile) as "kVTCompressionPropertyKey_ICCProfile" { kind: Bytes, }
        /// HDR10 mastering display: 24 bytes, big-endian, as in the SEI message.
        MasteringDisplayColorVolume(MasteringDisplay) as "kVTCompressionPropertyKey_MasteringDisplayColorVolume" {
            kind: Data(24),
        }
        /// HDR10 content light level: 4 bytes, big-endian, as in the SEI message.
        ContentLightLevelInfo(ContentLight) as "kVTCompressionPropertyKey_ContentLightLevelInfo" { kind: Data(4), }
        /// About as many frames are looked at ahead. At most MaxFrameDelayCount; without effect in
        /// low-latency sessions and at Quality 1. SVT-AV1: not with MaxFrameDelayCount, and at a quality
        /// alone no more than it looks ahead by itself, one or two groups of 16 or 32.
        SuggestedLookAheadFrameCount(u32) as "kVTCompressionPropertyKey_SuggestedLookAheadFrameCount" {
            kind: Count, range: 0 to 4_096, unit: "frames", on: "x264, x265, svt-av1, libaom",
            support: |environment| range(environment.info.controls.look_ahead),
        }
        /// Long-term references that the receiver acknowledges; only in low-latency sessions. x264 has none
        /// as such: there every frame brings a token, and an acknowledged frame serves for as long as the
        /// decoder holds it, at most 16 frames. A refresh behind that is a sync frame.
        EnableLTR(bool) as "kVTCompressionPropertyKey_EnableLTR" {
            on: "x264, vp9",
            support: |environment| when(environment.info.controls.long_term_references && environment.low_latency),
            default: false,
        }
        /// How pictures that do not fit are converted: ScalingMode, DownsamplingMode,
        /// DestinationCleanAperture, DestinationPixelAspectRatio, and DestinationColorPrimaries,
        /// DestinationTransferFunction and DestinationYCbCrMatrix, which are names, or code points of H.273
        /// that have none here. Does not by itself convert anything, and the stream keeps the tags that the
        /// colour properties or the first frame give it.
        PixelTransferProperties(TransferOptions) as "kVTCompressionPropertyKey_PixelTransferProperties" {
            kind: Dictionary, class: Between,
            support: |environment| when(environment.transfers),
        }
        /// One of the encoder's presets, as `retake encoders NAME` lists them. Unset: chosen by the hints on
        /// speed.
        EncoderPreset(String) {
            kind: Enumeration,
            support: |environment| list(environment.info.presets.iter().map(|preset| preset.name.clone()).collect()),
        }
        /// Threads that the encoder may use. Unset: as many as the machine has cores, at most 8. The bytes of
        /// some encoders depend on it. Where several would make bytes depend on chance, one is used: x264
        /// under a limit or with a buffer, SVT-AV1 at an average bit rate.
        ThreadCount(u32) { kind: Count, range: 1 to 1_024, unit: "threads", }
        /// Anything else, in the encoder's own words: an array of KEY=VALUE.
        EncoderOptions(Vec<(String, String)>) { kind: Array, }
    }
    read_only {
        /// Frames accepted and not yet out.
        NumberOfPendingFrames(u64) as "kVTCompressionPropertyKey_NumberOfPendingFrames" { kind: Count, unit: "frames", }
        /// True: buffers of the session's pool go to the encoder as they are. False: every one is converted.
        PixelBufferPoolIsShared(bool) as "kVTCompressionPropertyKey_PixelBufferPoolIsShared" {}
        /// What buffers the encoder takes as they are.
        VideoEncoderPixelBufferAttributes as "kVTCompressionPropertyKey_VideoEncoderPixelBufferAttributes" {
            kind: Dictionary,
        }
        /// Bytes that a frame is likely to take, by the rates that are set; no value where only quality is.
        EstimatedAverageBytesPerFrame(f64) as "kVTCompressionPropertyKey_EstimatedAverageBytesPerFrame" {
            kind: Number, unit: "bytes",
        }
        /// Properties by the name of a preset, to be set as they are or changed.
        SupportedPresetDictionaries as "kVTCompressionPropertyKey_SupportedPresetDictionaries" { kind: Dictionary, }
        /// Whether the encoder is hardware. None is, here.
        UsingHardwareAcceleratedVideoEncoder(bool) as "kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder" {}
        /// The graphics processor that encodes: no value, as none does.
        UsingGPURegistryID as "kVTCompressionPropertyKey_UsingGPURegistryID" { kind: Count, }
        /// The encoder, by the name that a specification takes.
        EncoderID(String) as "kVTCompressionPropertyKey_EncoderID" { kind: Text, }
        /// Whether frames may bring quantizers of their own.
        SupportsBaseFrameQP(bool) as "kVTCompressionPropertyKey_SupportsBaseFrameQP" {}
        /// How many sessions with this configuration run well side by side on this machine.
        RecommendedParallelizationLimit(u32) as "kVTCompressionPropertyKey_RecommendedParallelizationLimit" {
            kind: Count, unit: "sessions",
        }
        /// The fewest frames that are worth a session of their own.
        RecommendedParallelizedSubdivisionMinimumFrameCount(u64)
        as "kVTCompressionPropertyKey_RecommendedParallelizedSubdivisionMinimumFrameCount" {
            kind: Count, unit: "frames",
        }
        /// The shortest duration that is worth a session of its own.
        RecommendedParallelizedSubdivisionMinimumDuration(Time)
        as "kVTCompressionPropertyKey_RecommendedParallelizedSubdivisionMinimumDuration" {
            kind: Dictionary,
        }
    }
    unsupported {
        /// Whether alpha is kept. No encoder here has alpha.
        PreserveAlphaChannel as "kVTCompressionPropertyKey_PreserveAlphaChannel" {
            on: "none",
        }
        /// Quality of alpha. No encoder here has alpha.
        TargetQualityForAlpha as "kVTCompressionPropertyKey_TargetQualityForAlpha" {
            kind: Number, on: "none",
        }
        /// How alpha was multiplied. No encoder here has alpha.
        AlphaChannelMode as "kVTCompressionPropertyKey_AlphaChannelMode" {
            kind: Enumeration, on: "none",
        }
        /// DV only. No encoder here is one.
        AspectRatio16x9 as "kVTCompressionPropertyKey_AspectRatio16x9" {
            on: "none",
        }
        /// DV only. No encoder here is one.
        ProgressiveScan as "kVTCompressionPropertyKey_ProgressiveScan" {
            on: "none",
        }
        /// Code of raw pixel formats. No encoder here is bound to one.
        Depth as "kVTCompressionPropertyKey_Depth" {
            kind: Count, on: "none",
        }
        /// Layers of multi-view HEVC. No encoder here has them.
        MVHEVCVideoLayerIDs as "kVTCompressionPropertyKey_MVHEVCVideoLayerIDs" {
            kind: Array, on: "none",
        }
        /// Views of multi-view HEVC. No encoder here has them.
        MVHEVCViewIDs as "kVTCompressionPropertyKey_MVHEVCViewIDs" {
            kind: Array, on: "none",
        }
        /// Left and right view of multi-view HEVC. No encoder here has them.
        MVHEVCLeftAndRightViewIDs as "kVTCompressionPropertyKey_MVHEVCLeftAndRightViewIDs" {
            kind: Array, on: "none",
        }
    }
}

/// Names of keys that are spelt in another way than the key.
const ODD_NAMES: &[(&str, PropertyKey)] = &[
    ("kVTCodecPropertyKey_PreserveAlphaChannel", PropertyKey::PreserveAlphaChannel),
    ("kVTProCodecPropertyKey_AverageBytesPerFrame", PropertyKey::EstimatedAverageBytesPerFrame),
    ("UsingMetalRegistryID", PropertyKey::UsingGPURegistryID),
    ("ThrottleForBackground", PropertyKey::MaximizePowerEfficiency),
];

impl PropertyKey {
    /// Every property, those that can be set first.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.key)
    }

    /// What the table says about it.
    pub fn row(self) -> &'static Row {
        // rows stand in the order of the keys: both are made of the same lines
        &ROWS[self as usize]
    }

    /// Whether it can be set, at some time.
    pub fn is_writable(self) -> bool {
        self.row().class != Class::ReadOnly
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The property of that name; names as in Apple's headers and their odd spellings are known too.
    pub fn from_name(name: &str) -> Option<Self> {
        let odd = ODD_NAMES.iter().find(|(odd, _)| *odd == name).map(|(_, key)| *key);
        let named = || ROWS.iter().find(|row| row.name == name || row.apple == Some(name)).map(|row| row.key);
        odd.or_else(named)
    }
}

impl std::fmt::Display for PropertyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
