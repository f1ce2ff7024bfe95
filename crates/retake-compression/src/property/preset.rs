//! Named groups of properties, and the encoder preset that hints on speed stand for.

use super::row::Environment;
use super::{PropertyKey, PropertyValue, Values, set_value};
use crate::encoder::EncoderInfo;
use retake_media::Codec;
use std::collections::BTreeMap;

/// The encoder preset that the hints ask for: nothing where none is given.
///
/// From the default preset towards the fastest: three quarters of the way for speed over quality, and for
/// real time with more than 60 frames per second; half of it for real time; towards the slowest, a quarter
/// for quality over speed.
pub(crate) fn hinted_preset(info: &EncoderInfo, values: &Values) -> String {
    if let Some(name) = set_value!(values, EncoderPreset) {
        return name.clone();
    }
    let position = info.presets.iter().position(|preset| preset.name == info.default_preset).unwrap_or(0);
    let (slower, faster) = (position as f64, (info.presets.len().max(1) - 1 - position) as f64);
    let hint = set_value!(values, PrioritizeEncodingSpeedOverQuality).copied();
    let real_time = set_value!(values, RealTime).copied().unwrap_or(false);
    let many = set_value!(values, MaximumRealTimeFrameRate).is_some_and(|&rate| rate > 60.0);
    let steps = match (hint, real_time) {
        (Some(true), _) => (faster * 0.75).ceil(),
        (None, true) if many => (faster * 0.75).ceil(),
        (Some(false), _) => -(slower * 0.25).ceil(),
        (None, true) => (faster * 0.5).ceil(),
        (None, false) => return String::new(),
    };
    let chosen = info.presets.get((position as f64 + steps) as usize);
    chosen.map_or_else(String::new, |preset| preset.name.clone())
}

/// Bits a pixel of ordinary film at good quality.
fn bits_per_pixel(codec: Codec) -> f64 {
    match codec {
        Codec::H264 => 0.1,
        Codec::Hevc => 0.065,
        Codec::Av1 => 0.05,
        Codec::Vp9 => 0.07,
        Codec::Vvc => 0.045,
        Codec::Mpeg4 => 0.2,
        Codec::Mpeg2 => 0.3,
        // the data rate of its profile 422 HQ
        Codec::ProRes => 3.5,
    }
}

/// SupportedPresetDictionaries: only properties that this encoder has, in a combination that it takes. Rates
/// are for the session's size at 30 frames per second.
pub(crate) fn preset_dictionaries(environment: &Environment<'_>) -> PropertyValue {
    let pixels = f64::from(environment.width) * f64::from(environment.height);
    let base = pixels * 30.0 * bits_per_pixel(environment.info.codec);
    let rate = |factor: f64| PropertyValue::Integer((base * factor).max(10_000.0) as i64);
    let has = |key: PropertyKey| (key.row().support)(environment).is_some();
    let speed = |fast: bool| (PropertyKey::PrioritizeEncodingSpeedOverQuality, fast.into());
    let average = |factor| {
        let key = if has(PropertyKey::VariableBitRate) {
            PropertyKey::VariableBitRate
        } else {
            PropertyKey::AverageBitRate
        };
        (key, rate(factor))
    };
    let group = |entries: Vec<(PropertyKey, PropertyValue)>| {
        let named = entries.into_iter().map(|(key, value)| (key.name().to_owned(), value));
        PropertyValue::Dictionary(named.collect())
    };
    let key_frames = (PropertyKey::MaxKeyFrameIntervalDuration, PropertyValue::Number(10.0));
    let mut presets = BTreeMap::from([
        ("HighQuality".to_owned(), group(vec![speed(false), average(1.5), key_frames.clone()])),
        ("Balanced".to_owned(), group(vec![average(1.0), key_frames.clone()])),
        ("HighSpeed".to_owned(), group(vec![speed(true), average(1.0), key_frames.clone()])),
        (
            "ConsistentQuality".to_owned(),
            group(vec![(PropertyKey::Quality, PropertyValue::Number(0.6)), key_frames]),
        ),
    ]);
    if environment.low_latency {
        let call = vec![
            speed(true),
            (PropertyKey::RealTime, true.into()),
            (PropertyKey::ExpectedFrameRate, PropertyValue::Number(30.0)),
            (PropertyKey::AverageBitRate, rate(0.6)),
        ];
        presets.insert("VideoConferencing".to_owned(), group(call));
    }
    PropertyValue::Dictionary(presets)
}
