//! From property values to the settings of an encode.

use super::pictures::encoded_colour;
use super::{SessionError, limit, quality};
use crate::encoder::{Controls, EncoderInfo, EncoderSettings, RateBuffer, RateControl, USUAL_INTERVAL};
use crate::planner::curve::Family;
use crate::planner::floor;
use crate::property::{
    Environment, H264EntropyMode, HdrMetadataInsertionMode, PropertyKey, Values, hinted_preset,
    parse_profile, set_value, why_no_fields,
};
use retake_media::{
    CleanAperture, Codec, Colour, ContentLight, Fields, FormatDescription, MasteringDisplay, PixelBuffer,
    PixelFormat, Rational, Time,
};

/// The most threads of an encode where nobody says how many.
const MAX_THREADS: usize = 8;
/// Frames per second where neither properties nor frames say how many.
const USUAL_FRAME_RATE: Rational = Rational::new(30, 1);

/// What the first frame tells about the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hints {
    pub(super) format: Option<PixelFormat>,
    pub(super) colour: Colour,
    pub(super) pixel_aspect_ratio: Rational,
    /// With the size of the picture that it is part of.
    pub(super) clean_aperture: Option<(CleanAperture, (u32, u32))>,
    /// With the size of the picture that is made of them.
    pub(super) fields: Option<(Fields, (u32, u32))>,
    pub(super) mastering_display: Option<MasteringDisplay>,
    pub(super) content_light: Option<ContentLight>,
    pub(super) duration: Time,
    pub(super) base_qp: bool,
    /// Whether a frame told all this.
    pub(super) from_frame: bool,
}

impl Hints {
    /// EF-9: what a frame says about itself counts where the properties say nothing.
    pub(super) fn of(picture: &PixelBuffer, duration: Time, base_qp: bool) -> Self {
        let known = picture.attachments();
        Self {
            format: Some(picture.format()),
            colour: encoded_colour(picture),
            pixel_aspect_ratio: known.pixel_aspect_ratio().unwrap_or(Rational::new(1, 1)),
            clean_aperture: known
                .clean_aperture()
                .map(|aperture| (aperture, (picture.width(), picture.height()))),
            fields: known.fields().map(|fields| (fields, (picture.width(), picture.height()))),
            mastering_display: known.mastering_display(),
            content_light: known.content_light(),
            duration,
            base_qp,
            from_frame: true,
        }
    }
}

impl Default for Hints {
    fn default() -> Self {
        Self {
            format: None,
            colour: Colour::default(),
            pixel_aspect_ratio: Rational::new(1, 1),
            clean_aperture: None,
            fields: None,
            mastering_display: None,
            content_light: None,
            duration: Time::INVALID,
            base_qp: false,
            from_frame: false,
        }
    }
}

/// What an encode with these values is determined by.
pub(super) fn derive(
    environment: &Environment<'_>,
    values: &Values,
    hints: &Hints,
) -> Result<EncoderSettings, SessionError> {
    let info = environment.info;
    let (rate, limit) = rate(environment, values);
    let metadata = set_value!(values, HDRMetadataInsertionMode) != Some(&HdrMetadataInsertionMode::None);
    let intra_only = set_value!(values, AllowTemporalCompression) == Some(&false);
    let interval = set_value!(values, MaxKeyFrameInterval).copied().unwrap_or(0);
    Ok(EncoderSettings {
        width: environment.width,
        height: environment.height,
        format: format(environment, values, hints)?,
        frame_rate: frame_rate(values, hints),
        colour: colour(values, hints.colour),
        pixel_aspect_ratio: set_value!(values, PixelAspectRatio).copied().unwrap_or(hints.pixel_aspect_ratio),
        mastering_display: set_value!(values, MasteringDisplayColorVolume)
            .copied()
            .or(hints.mastering_display)
            .filter(|_| metadata),
        content_light: set_value!(values, ContentLightLevelInfo)
            .copied()
            .or(hints.content_light)
            .filter(|_| metadata),
        preset: hinted_preset(info, values),
        rate,
        limit,
        max_key_frame_interval: match (intra_only, environment.low_latency) {
            (true, _) => 1,
            // one sync frame, unless somebody asks for more
            (false, true) if interval == 0 => i32::MAX as u32,
            (false, false) if interval == 0 => passes_interval(info, values),
            (false, _) => interval,
        },
        threads: threads(values),
        reconstruct: judged(environment, values).is_some() && info.reconstructs,
        controls: controls(environment, values, hints, intra_only),
        options: set_value!(values, EncoderOptions).cloned().unwrap_or_default(),
    })
}

/// The most frames between sync frames where nobody says how many. Passes encode from one sync frame to the next again, and libvpx alone puts
/// none where it is not told to.
fn passes_interval(info: &EncoderInfo, values: &Values) -> u32 {
    let unbounded = info.codec == Codec::Vp9 && values.has(PropertyKey::MultiPassStorage);
    if unbounded { USUAL_INTERVAL } else { 0 }
}

/// The average that is asked for, by whichever property.
pub(super) fn average(values: &Values) -> Option<u64> {
    let average = set_value!(values, AverageBitRate).copied().filter(|&rate| rate > 0);
    let variable = set_value!(values, VariableBitRate).copied();
    average.or(variable).or(set_value!(values, ConstantBitRate).copied())
}

/// What units are judged by, if by anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged<'a> {
    pub(super) metric: &'a str,
    /// The score that all have to reach, and the tolerance above it.
    pub(super) floor: Option<(f64, f64)>,
}

/// What a session of several passes judges its units by.
pub(super) fn judged<'a>(environment: &Environment<'a>, values: &'a Values) -> Option<Judged<'a>> {
    if !values.has(PropertyKey::MultiPassStorage) {
        return None;
    }
    let named = set_value!(values, QualityMetric);
    let floor = set_value!(values, QualityFloor).copied();
    let chosen = |metric: &&crate::scorer::Metric| named.is_none_or(|name| name == metric.name);
    let metric = environment.metrics.iter().find(chosen).filter(|_| named.is_some() || floor.is_some())?;
    let tolerance = set_value!(values, QualityTolerance).copied().unwrap_or(metric.unit);
    Some(Judged { metric: metric.name, floor: floor.map(|floor| (floor, tolerance)) })
}

/// The quality that a first pass begins with under a floor.
fn first_quality(info: &EncoderInfo, judged: Judged<'_>) -> Option<f64> {
    let (floor, tolerance) = judged.floor?;
    let family = Family::of(info.name, judged.metric, info.quality);
    Some(info.quality.snap(family.usual(floor::first_aim(&family, floor, tolerance, false))))
}

pub(super) fn rate(
    environment: &Environment<'_>,
    values: &Values,
) -> (RateControl, Option<crate::encoder::RateLimit>) {
    let info = environment.info;
    let quality = set_value!(values, Quality).copied();
    let by_quality = quality.map(|quality| quality::rate(&info.quality, info.controls.lossless, quality));
    if let Some(&rate) = set_value!(values, ConstantBitRate) {
        return (RateControl::ConstantBitRate(rate), None);
    }
    let average = average(values);
    let pairs = set_value!(values, DataRateLimits).cloned().unwrap_or_default();
    let mut limit = limit::bucket(&pairs, average);
    if average.is_none()
        && limit.is_none()
        && let Some(&peak) = set_value!(values, VBVMaxBitRate)
    {
        let seconds = set_value!(values, VBVBufferDuration).copied().unwrap_or(2.5);
        let window_bits = ((peak as f64 * seconds) as u64).max(1000);
        limit = Some(crate::encoder::RateLimit { bits_per_second: peak, window_bits });
    }
    let rate = match (average, &limit, by_quality) {
        // an average that the limit leaves no room for is not met: the limit is what holds
        (Some(rate), Some(limit), _) => {
            RateControl::AverageBitRate(rate.min((limit.bits_per_second as f64 * 0.95) as u64).max(1000))
        }
        (Some(rate), None, _) => RateControl::AverageBitRate(rate.max(1000)),
        // nothing lossless fits under a limit
        (None, Some(_), Some(RateControl::Lossless)) if info.controls.rate_limit => {
            RateControl::Quality(info.quality.min)
        }
        (None, _, Some(quality)) if pairs.is_empty() || info.controls.rate_limit => quality,
        (None, Some(limit), _) if !pairs.is_empty() => {
            RateControl::AverageBitRate(((limit.bits_per_second as f64 * 0.85) as u64).max(1000))
        }
        (None, _, _) => {
            let first = judged(environment, values).and_then(|judged| first_quality(info, judged));
            RateControl::Quality(first.unwrap_or(info.quality.usual))
        }
    };
    // where an encoder has no bucket, the session alone sees to the limit; a constant rate leaves it least to do
    match (rate, limit) {
        (RateControl::AverageBitRate(rate), Some(_)) if replaces_limit(info) => {
            (RateControl::ConstantBitRate(rate), None)
        }
        (rate, limit) => (rate, limit.filter(|_| info.controls.rate_limit)),
    }
}

/// Whether a rate is aimed at because an encoder knows nothing of limits. Quality is a ceiling then.
fn aims_below_limit(info: &EncoderInfo, values: &Values) -> bool {
    let limited = set_value!(values, DataRateLimits).is_some_and(|pairs| !pairs.is_empty());
    limited && !info.controls.rate_limit
}

/// Whether a constant bit rate stands in for a limit.
fn replaces_limit(info: &EncoderInfo) -> bool {
    !info.controls.rate_limit && info.controls.constant_bit_rate
}

fn controls(environment: &Environment<'_>, values: &Values, hints: &Hints, intra_only: bool) -> Controls {
    let info = environment.info;
    let support = &info.controls;
    let low_latency = environment.low_latency;
    let profile = set_value!(values, ProfileLevel).and_then(|name| parse_profile(info, name));
    let bounds =
        (set_value!(values, MinAllowedFrameQP).copied(), set_value!(values, MaxAllowedFrameQP).copied());
    let ceiling = set_value!(values, Quality)
        .filter(|_| average(values).is_some() || aims_below_limit(info, values))
        .map(|&quality| quality::on_scale(&info.quality, quality));
    let buffer = buffer(environment, values);
    let has_ceiling = support.quality_ceiling && buffer.is_none();
    // where there is no ceiling as such, the smallest quantizer is one: both are on the same scale
    let floor = ceiling.filter(|_| !has_ceiling).map(|ceiling| ceiling.ceil() as u32);
    let layered = set_value!(values, BaseLayerFrameRateFraction).is_some_and(|&share| share < 1.0)
        || values.has(PropertyKey::BaseLayerFrameRate);
    let delay = set_value!(values, MaxFrameDelayCount).copied().and_then(|delay| u32::try_from(delay).ok());
    Controls {
        intra_only,
        no_reordering: set_value!(values, AllowFrameReordering) == Some(&false)
            || low_latency
            || delay.is_some() && values.has(PropertyKey::DataRateLimits),
        open_gop: set_value!(values, AllowOpenGOP) == Some(&true),
        references: set_value!(values, ReferenceBufferCount).copied(),
        look_ahead: set_value!(values, SuggestedLookAheadFrameCount).copied().filter(|_| !low_latency),
        max_delay: delay,
        low_latency,
        min_qp: bounds
            .0
            .max(floor)
            .map(|qp| bounds.1.map_or(qp, |most| qp.min(most)))
            .filter(|_| !hints.base_qp),
        max_qp: bounds.1.filter(|_| !hints.base_qp),
        no_spatial_adaptation: set_value!(values, SpatialAdaptiveQPLevel) == Some(&0)
            || low_latency && support.spatial_adaptation,
        base_qp: hints.base_qp,
        quality_ceiling: ceiling.filter(|_| has_ceiling),
        buffer,
        profile: profile.as_ref().map(|profile| profile.profile.to_owned()),
        level: profile.and_then(|profile| profile.level),
        cabac: set_value!(values, H264EntropyMode).map(|&mode| mode == H264EntropyMode::Cabac),
        slice_bytes: set_value!(values, MaxH264SliceBytes).copied().filter(|&bytes| bytes > 0),
        frame_errors: set_value!(values, CalculateMeanSquaredError) == Some(&true),
        temporal_layers: layered.then_some(2),
        base_layer_share: set_value!(values, BaseLayerBitRateFraction).copied(),
        long_term_references: set_value!(values, EnableLTR) == Some(&true),
        more_before: set_value!(values, MoreFramesBeforeStart) == Some(&true) && support.steady_start,
        more_after: set_value!(values, MoreFramesAfterEnd) == Some(&true) && support.steady_end,
        first_pass: None,
        frame_count: frame_count(values, hints),
        clean_aperture: aperture(environment, values, hints),
        fields: fields(environment, values, hints),
    }
}

/// What of the session's pictures is meant to be seen. What a frame of another size says of itself is about that.
fn aperture(environment: &Environment<'_>, values: &Values, hints: &Hints) -> Option<CleanAperture> {
    let (width, height) = (environment.width, environment.height);
    let of_frame = hints
        .clean_aperture
        .filter(|(aperture, size)| *size == (width, height) && aperture.rectangle(width, height).is_some());
    set_value!(values, CleanAperture).copied().or(of_frame.map(|(aperture, _)| aperture))
}

/// The decoder's buffer of a constant or variable bit rate.
fn buffer(environment: &Environment<'_>, values: &Values) -> Option<RateBuffer> {
    if let (RateControl::ConstantBitRate(rate), true) =
        (rate(environment, values).0, values.has(PropertyKey::DataRateLimits))
    {
        return Some(RateBuffer { max_rate: rate, seconds: 0.5, initial: 0.5 });
    }
    let max_rate = match (set_value!(values, ConstantBitRate), set_value!(values, VariableBitRate)) {
        (Some(&rate), _) => rate,
        (None, Some(&rate)) => {
            set_value!(values, VBVMaxBitRate).copied().unwrap_or(rate.saturating_mul(3) / 2)
        }
        (None, None) => return None,
    };
    Some(RateBuffer {
        max_rate,
        seconds: set_value!(values, VBVBufferDuration).copied().unwrap_or(2.5),
        initial: set_value!(values, VBVInitialDelayPercentage).copied().unwrap_or(90.0) / 100.0,
    })
}

fn frame_count(values: &Values, hints: &Hints) -> u64 {
    let count = set_value!(values, SourceFrameCount).copied().unwrap_or(0);
    let seconds = set_value!(values, ExpectedDuration).copied().unwrap_or(0.0);
    // `as` saturates, so that no length is too much
    if count > 0 { count } else { (seconds * frame_rate(values, hints).to_f64()).round() as u64 }
}

fn threads(values: &Values) -> u32 {
    let real_time = set_value!(values, RealTime) == Some(&true);
    if let Some(&threads) = set_value!(values, ThreadCount) {
        return threads;
    }
    if set_value!(values, MaximizePowerEfficiency) == Some(&true) && !real_time {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS) as u32)
}

/// Frames per second that rate control counts with.
pub(super) fn frame_rate(values: &Values, hints: &Hints) -> Rational {
    if let Some(&rate) = set_value!(values, ExpectedFrameRate).filter(|&&rate| rate > 0.0) {
        return rational(rate);
    }
    let duration = hints.duration;
    let from_frame =
        i32::try_from(duration.value()).ok().map(|value| Rational::new(duration.timescale(), value));
    from_frame.filter(|rate| duration.is_numeric() && rate.is_positive()).unwrap_or(USUAL_FRAME_RATE)
}

/// The fraction that is meant: 29.97 is 30000/1001.
fn rational(rate: f64) -> Rational {
    let broadcast = (rate * 1.001).round();
    if (rate - rate.round()).abs() > 1e-3 && (broadcast / 1.001 - rate).abs() < 5e-3 {
        return Rational::new(broadcast as i32 * 1000, 1001);
    }
    Rational::new(((rate * 1000.0).round() as i32).max(1), 1000)
}

fn colour(values: &Values, source: Colour) -> Colour {
    Colour {
        primaries: set_value!(values, ColorPrimaries).map_or(source.primaries, |one| one.code_point()),
        transfer: match (set_value!(values, TransferFunction), set_value!(values, GammaLevel)) {
            (Some(function), _) => function.code_point(),
            (None, Some(&gamma)) => gamma_code_point(gamma),
            (None, None) => source.transfer,
        },
        matrix: set_value!(values, YCbCrMatrix).map_or(source.matrix, |one| one.code_point()),
        ..source
    }
}

/// H.273 has names for two gammas; of others, containers at most can tell.
fn gamma_code_point(gamma: f64) -> u8 {
    let named = [(2.2, 4), (2.8, 5)].into_iter().find(|(known, _)| (gamma - known).abs() < 1e-6);
    named.map_or(2, |(_, code)| code)
}

/// How pictures are made of fields, if anybody says. EF-9: what a frame says of itself counts where the property says nothing, as long as
/// the encoder can do it, and the frame is not one whose conversion would mix its fields.
fn fields(environment: &Environment<'_>, values: &Values, hints: &Hints) -> Option<Fields> {
    if let Some(&count) = set_value!(values, FieldCount) {
        // the range of the property is 1 to 2
        return Some(Fields { count: count as u8, detail: set_value!(values, FieldDetail).copied() });
    }
    let (width, height) = (environment.width, environment.height);
    let (fields, size) = hints.fields?;
    let support = environment.info.controls.fields.as_ref()?;
    let rows = hints.format.and_then(PixelFormat::chroma_block).map_or(2, |(_, rows)| rows);
    let can = fields.count == 2
        && support.fits(width, height)
        && support.keeps_up(width, height, frame_rate(values, hints))
        && size == (width, height)
        && rows == 2
        && why_no_fields(environment, values).is_none();
    can.then_some(fields)
}

/// An encoder's description, with what it has no part in.
pub(super) fn described(values: &Values, format: &FormatDescription) -> FormatDescription {
    FormatDescription {
        gamma: set_value!(values, GammaLevel).copied(),
        icc_profile: set_value!(values, ICCProfile).cloned(),
        ..format.clone()
    }
}

/// The depth of samples that is asked for; none leaves it to the source.
pub(super) fn depth(
    environment: &Environment<'_>,
    values: &Values,
    source: Option<PixelFormat>,
) -> Option<u32> {
    if let Some(&depth) = set_value!(values, OutputBitDepth) {
        return Some(depth);
    }
    let profile = set_value!(values, ProfileLevel).and_then(|name| parse_profile(environment.info, name));
    let source = source.map(PixelFormat::bit_depth);
    match (source, profile) {
        (Some(source), Some(profile)) => Some(source.min(profile.depth)),
        (source, profile) => source.or(profile.map(|profile| profile.depth)),
    }
}

/// The encoder's format that is nearest to the source, with the depth that is asked for.
fn format(
    environment: &Environment<'_>,
    values: &Values,
    hints: &Hints,
) -> Result<PixelFormat, SessionError> {
    let info = environment.info;
    let asked = values.has(PropertyKey::OutputBitDepth);
    let deepest = info.formats.iter().map(|format| format.bit_depth()).max().unwrap_or(8);
    let depth = depth(environment, values, hints.format).unwrap_or(8);
    // what a source has beyond the encoder is left out; what somebody asked for is not
    let depth = if asked { depth } else { depth.min(deepest) };
    let deep = || info.formats.iter().copied().filter(|format| format.bit_depth() == depth);
    let same = hints.format.and_then(|source| deep().find(|format| format.same_layout(source)));
    let found = same.or_else(|| deep().next());
    found.ok_or_else(|| {
        SessionError::parameter("OutputBitDepth", format!("{} has no samples of {depth} bits", info.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_rates_are_the_fractions_that_are_meant() {
        assert_eq!(rational(29.97), Rational::new(30000, 1001));
        assert_eq!(rational(23.976), Rational::new(24000, 1001));
        assert_eq!(rational(25.0), Rational::new(25000, 1000));
        assert_eq!(rational(12.5), Rational::new(12500, 1000));
    }
}
