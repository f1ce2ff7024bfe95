//! Which properties exclude each other, and which hold only together with others.
//!
//! Values that contradict each other are refused when the second of them is set. What needs another property
//! is judged when all of a group are set, or else as the session opens, so that the order of sets never
//! counts.

use super::row::Environment;
use super::store::{Values, set_value};
use super::{H264EntropyMode, Property, PropertyError, PropertyKey, profile};
use PropertyKey as Key;

/// The matrix of section 5.3, and what does not go with passes: of each pair, only one may be set.
const EXCLUSIVE: &[(Key, Key)] = &[
    (Key::AverageBitRate, Key::ConstantBitRate),
    (Key::AverageBitRate, Key::VariableBitRate),
    (Key::AverageBitRate, Key::VBVMaxBitRate),
    (Key::AverageBitRate, Key::VBVBufferDuration),
    (Key::AverageBitRate, Key::VBVInitialDelayPercentage),
    (Key::DataRateLimits, Key::ConstantBitRate),
    (Key::DataRateLimits, Key::VariableBitRate),
    (Key::DataRateLimits, Key::VBVMaxBitRate),
    (Key::DataRateLimits, Key::VBVBufferDuration),
    (Key::DataRateLimits, Key::VBVInitialDelayPercentage),
    (Key::ConstantQualityFactor, Key::Quality),
    (Key::ConstantQualityFactor, Key::AverageBitRate),
    (Key::ConstantQualityFactor, Key::ConstantBitRate),
    (Key::ConstantQualityFactor, Key::VariableBitRate),
    (Key::ConstantBitRate, Key::VariableBitRate),
    (Key::ConstantBitRate, Key::VBVMaxBitRate),
    (Key::MultiPassStorage, Key::ConstantBitRate),
    (Key::MultiPassStorage, Key::SuggestedLookAheadFrameCount),
    (Key::MultiPassStorage, Key::AllowOpenGOP),
    (Key::QualityFloor, Key::VariableBitRate),
    (Key::QualityFloor, Key::ConstantBitRate),
    // one curve, said once
    (Key::GammaLevel, Key::TransferFunction),
];

/// Whether a value is there that asks for something: zero leaves the average bit rate to the encoder, no
/// pairs are no limit.
fn asks(values: &Values, key: Key) -> bool {
    match key {
        Key::AverageBitRate => set_value!(values, AverageBitRate).is_some_and(|&rate| rate > 0),
        Key::AllowOpenGOP => set_value!(values, AllowOpenGOP) == Some(&true),
        Key::DataRateLimits => set_value!(values, DataRateLimits).is_some_and(|limits| !limits.is_empty()),
        _ => values.has(key),
    }
}

/// Refuses values that cannot hold together. `last` is what was set last: the error names it.
pub(super) fn check(
    environment: &Environment<'_>,
    values: &Values,
    last: Option<Key>,
) -> Result<(), PropertyError> {
    for &(one, other) in EXCLUSIVE {
        if asks(values, one) && asks(values, other) {
            let (blamed, present) = if last == Some(one) { (one, other) } else { (other, one) };
            let reason = format!("cannot be set together with {present}: reset that first");
            return Err(PropertyError::parameter(blamed, reason));
        }
    }
    rates(environment, values)?;
    delays(environment, values)?;
    formats(environment, values)
}

/// What the value of a property lacks: without another property, it would have no effect, or none that could
/// be meant. `frame_rate` is the number of frames per second that rate control will count with.
pub(super) fn lacks(
    environment: &Environment<'_>,
    values: &Values,
    frame_rate: f64,
    key: Key,
) -> Option<String> {
    let (name, controls) = (environment.info.name, &environment.info.controls);
    let by_rate = by_rate(values);
    let buffer = values.has(Key::ConstantBitRate) || values.has(Key::VariableBitRate);
    match values.get(key)? {
        Property::MinAllowedFrameQP(_) | Property::MaxAllowedFrameQP(_) => {
            (controls.qp_bounds_at_rate_only && !by_rate).then(|| {
                format!("{name} keeps to bounds of quantizers at an average bit rate only: set AverageBitRate with it")
            })
        }
        Property::SpatialAdaptiveQPLevel(0) => {
            let limited = asks(values, Key::DataRateLimits) && !controls.rate_limit;
            (controls.adapts_at_rate && (by_rate || limited)).then(|| {
                format!("{name} always adapts quantizers at a rate or under a limit: leave it at -1, or set Quality alone")
            })
        }
        Property::SuggestedLookAheadFrameCount(_) => {
            let bounded = set_value!(values, MaxFrameDelayCount).is_some_and(|&delay| delay >= 0);
            (controls.look_ahead_needs_delay && bounded && !environment.low_latency).then(|| {
                format!("{name} does not look ahead while MaxFrameDelayCount bounds its delay: reset one of them")
            })
        }
        Property::BaseLayerBitRateFraction(_) => {
            let layers = set_value!(values, BaseLayerFrameRateFraction).is_some_and(|&share| share < 1.0)
                || values.has(Key::BaseLayerFrameRate);
            (!layers)
                .then(|| "needs temporal layers: set BaseLayerFrameRateFraction to 0.5 with it".to_owned())
        }
        Property::BaseLayerFrameRate(base) => ((base * 2.0 - frame_rate).abs() > 0.01 * frame_rate.max(1.0))
            .then(|| {
                format!(
                    "{base} is not half of the {frame_rate} frames per second that are expected, and two layers are what there \
                     is: set ExpectedFrameRate with it"
                )
            }),
        Property::VBVInitialDelayPercentage(_) => (!buffer).then(|| {
            "is about the buffer of ConstantBitRate or VariableBitRate: set one of them with it".to_owned()
        }),
        Property::VBVBufferDuration(_) => (!buffer && !values.has(Key::VBVMaxBitRate)).then(|| {
            "is about the buffer of ConstantBitRate, VariableBitRate or VBVMaxBitRate: set one of them with it"
                .to_owned()
        }),
        Property::MaximumRealTimeFrameRate(rate) => {
            let real_time = set_value!(values, RealTime) == Some(&true);
            (*rate > 0.0 && !real_time)
                .then(|| "holds only while RealTime is true: set that with it".to_owned())
        }
        Property::FieldDetail(_) => (set_value!(values, FieldCount) != Some(&2))
            .then(|| "says how two fields are arranged: set FieldCount to 2 with it".to_owned()),
        _ => None,
    }
}

/// Whether a rate decides how many bits a frame gets.
fn by_rate(values: &Values) -> bool {
    asks(values, Key::AverageBitRate) || values.has(Key::VariableBitRate) || values.has(Key::ConstantBitRate)
}

fn rates(environment: &Environment<'_>, values: &Values) -> Result<(), PropertyError> {
    let (least, most) =
        (set_value!(values, MinAllowedFrameQP).copied(), set_value!(values, MaxAllowedFrameQP).copied());
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        let reason = format!("{least} is above MaxAllowedFrameQP, {most}");
        return Err(PropertyError::parameter(Key::MinAllowedFrameQP, reason));
    }
    if let (Some(average), Some(peak)) =
        (set_value!(values, VariableBitRate), set_value!(values, VBVMaxBitRate))
        && peak < average
    {
        let reason = format!("{peak} is below VariableBitRate, {average}");
        return Err(PropertyError::parameter(Key::VBVMaxBitRate, reason));
    }
    let controls = &environment.info.controls;
    let has_ceiling = controls.quality_ceiling || controls.qp_bounds.is_some();
    if by_rate(values) && values.has(Key::Quality) && !has_ceiling {
        let reason = format!("{} has no ceiling of quality at a bit rate", environment.info.name);
        return Err(PropertyError::parameter(Key::Quality, reason));
    }
    Ok(())
}

fn delays(environment: &Environment<'_>, values: &Values) -> Result<(), PropertyError> {
    let least = environment.info.controls.least_delay;
    if let Some(&delay) = set_value!(values, MaxFrameDelayCount)
        && (0..i64::from(least)).contains(&i64::from(delay))
    {
        let name = environment.info.name;
        let reason = format!("{delay} is too little for {name}: at least {least}, or -1 for no limit");
        return Err(PropertyError::parameter(Key::MaxFrameDelayCount, reason));
    }
    if let (Some(&ahead), Some(&delay)) =
        (set_value!(values, SuggestedLookAheadFrameCount), set_value!(values, MaxFrameDelayCount))
        && delay >= 0
        && i64::from(ahead) > i64::from(delay)
        && !environment.low_latency
    {
        let reason = format!("{ahead} is above MaxFrameDelayCount, {delay}");
        return Err(PropertyError::parameter(Key::SuggestedLookAheadFrameCount, reason));
    }
    Ok(())
}

/// Why frames cannot be two fields with these values, if they cannot.
pub(crate) fn why_no_fields(environment: &Environment<'_>, values: &Values) -> Option<String> {
    let Some(support) = &environment.info.controls.fields else {
        return Some(format!("{} has no fields", environment.info.name));
    };
    let profile = set_value!(values, ProfileLevel).and_then(|name| profile::parse(environment.info, name))?;
    let (least, most) = support.levels;
    let level = profile.level.unwrap_or(least);
    let refused = support.not_in_profiles.contains(&profile.profile.name) || !(least..=most).contains(&level);
    refused.then(|| {
        format!(
            "two fields need a profile other than {}, and a level from {} to {}",
            support.not_in_profiles.join(", "),
            f64::from(least) / 10.0,
            f64::from(most) / 10.0
        )
    })
}

fn formats(environment: &Environment<'_>, values: &Values) -> Result<(), PropertyError> {
    let (width, height) = (environment.width, environment.height);
    if set_value!(values, CleanAperture).is_some_and(|aperture| aperture.rectangle(width, height).is_none()) {
        let reason = format!("does not lie within {width}×{height}");
        return Err(PropertyError::parameter(Key::CleanAperture, reason));
    }
    let two = set_value!(values, FieldCount) == Some(&2);
    let profile = set_value!(values, ProfileLevel).and_then(|name| profile::parse(environment.info, name));
    let Some(profile) = profile else { return Ok(()) };
    if let Some(reason) = why_no_fields(environment, values).filter(|_| two) {
        return Err(PropertyError::parameter(Key::FieldCount, reason));
    }
    let baseline = profile.profile.name.ends_with("baseline");
    if set_value!(values, H264EntropyMode) == Some(&H264EntropyMode::Cabac) && baseline {
        return Err(PropertyError::parameter(Key::H264EntropyMode, "Baseline has no CABAC"));
    }
    let (least, most) = profile.profile.depths;
    if let Some(&depth) = set_value!(values, OutputBitDepth)
        && !(least..=most).contains(&depth)
    {
        let depths = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let reason = format!("{depth} bits are not the {depths} that ProfileLevel is signalled with");
        return Err(PropertyError::parameter(Key::OutputBitDepth, reason));
    }
    if let Some(chroma) = set_value!(values, OutputChromaSubsampling).and_then(|chroma| chroma.subsampling())
        && !profile.profile.chroma.contains(&chroma)
    {
        let names: Vec<_> = profile.profile.chroma.iter().map(|chroma| chroma.name()).collect();
        let reason =
            format!("{chroma} is not the {} that ProfileLevel is signalled with", names.join(" or "));
        return Err(PropertyError::parameter(Key::OutputChromaSubsampling, reason));
    }
    Ok(())
}
