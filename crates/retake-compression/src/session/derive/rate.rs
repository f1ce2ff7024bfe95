//! Rate: how bits are given to frames, and the limits and buffers that bound them.

use super::quality;
use super::scoring::{first_quality, scoring};
use crate::encoder::{EncoderInfo, RateBuffer, RateControl, RateLimit};
use crate::property::{Environment, PropertyKey, Values, set_value};
use crate::rate_limit::VbvOf;

/// The seconds of a decoder's buffer where nobody says how many.
const USUAL_BUFFER: f64 = 2.5;
/// Which share of it is full at first where nobody says so.
const USUAL_FULLNESS: f64 = 0.9;
/// The greatest rate and window that encoders take. What is more limits nothing.
const MOST_RATE: u64 = 4_000_000_000;
const MOST_WINDOW: u64 = 1 << 40;

/// The average that is asked for in bits per second, by whichever property.
pub(in crate::session) fn average(values: &Values) -> Option<u64> {
    let average = set_value!(values, AverageBitRate).copied().filter(|&rate| rate > 0);
    let variable = set_value!(values, VariableBitRate).copied();
    average.or(variable).or(set_value!(values, ConstantBitRate).copied())
}

/// Whether there are data rate limits.
pub(in crate::session) fn is_limited(values: &Values) -> bool {
    set_value!(values, DataRateLimits).is_some_and(|pairs| !pairs.is_empty())
}

/// How bits are given to frames, and the VBV buffer that an encoder is asked to keep to where it has one.
pub(in crate::session) fn rate(
    environment: &Environment<'_>,
    values: &Values,
) -> (RateControl, Option<RateLimit>) {
    let info = environment.info;
    let by_quality = quality::asked_rate(info, values);
    if let Some(&rate) = set_value!(values, ConstantBitRate) {
        return (RateControl::ConstantBitRate(rate), None);
    }
    let average = average(values);
    let pairs = set_value!(values, DataRateLimits).cloned().unwrap_or_default();
    let mut limit = VbvOf::Encode { average }.rate_limit(&pairs).map(|limit| RateLimit {
        bits_per_second: limit.bits_per_second.min(MOST_RATE),
        window_bits: limit.window_bits.min(MOST_WINDOW),
    });
    if average.is_none()
        && limit.is_none()
        && let Some(&peak) = set_value!(values, VBVMaxBitRate)
    {
        let window_bits = ((peak as f64 * buffer_seconds(values)) as u64).max(1000);
        limit = Some(RateLimit { bits_per_second: peak, window_bits });
    }
    let rate = match (average, &limit, by_quality) {
        // An average that the limit leaves no room for is not met, because the limit comes first.
        (Some(rate), Some(limit), _) => {
            RateControl::AverageBitRate(rate.min((limit.bits_per_second as f64 * 0.95) as u64).max(1000))
        }
        (Some(rate), None, _) => RateControl::AverageBitRate(rate.max(1000)),
        // Nothing lossless fits under a limit.
        (None, Some(_), Some(RateControl::Lossless)) if info.controls.rate_limit => {
            RateControl::Quality(info.quality.min)
        }
        (None, _, Some(quality)) if pairs.is_empty() || info.controls.rate_limit => quality,
        (None, Some(limit), _) if !pairs.is_empty() => {
            let rate = ((limit.bits_per_second as f64 * 0.85) as u64).max(1000);
            RateControl::AverageBitRate(rate.min(info.controls.most_bit_rate.unwrap_or(MOST_RATE)))
        }
        (None, _, _) => {
            let first = scoring(environment, values).and_then(|scoring| first_quality(info, scoring));
            RateControl::Quality(first.unwrap_or(info.quality.usual))
        }
    };
    // Where an encoder has no VBV buffer, the rate cap alone sees to the limit. A constant rate leaves it the
    // least to do.
    match (rate, limit) {
        (RateControl::AverageBitRate(rate), Some(_)) if replaces_limit(environment) => {
            (RateControl::ConstantBitRate(rate), None)
        }
        (rate, limit) => (rate, limit.filter(|_| info.controls.rate_limit)),
    }
}

/// Whether a constant bit rate stands in for a limit. Encodes with low latency have a buffer of their own,
/// which leaves no place for that of a constant rate.
fn replaces_limit(environment: &Environment<'_>) -> bool {
    let controls = &environment.info.controls;
    !controls.rate_limit && controls.constant_bit_rate && !environment.low_latency
}

/// The decoder's buffer of a constant or variable bit rate.
pub(super) fn buffer(environment: &Environment<'_>, values: &Values) -> Option<RateBuffer> {
    if let (RateControl::ConstantBitRate(rate), true) =
        (rate(environment, values).0, values.has(PropertyKey::DataRateLimits))
    {
        return Some(RateBuffer { max_rate: rate, seconds: 0.5, initial: 0.5 });
    }
    decoder_buffer(values)
}

/// The same as the properties describe it, which is what a stream is judged by.
fn decoder_buffer(values: &Values) -> Option<RateBuffer> {
    let max_rate = match (set_value!(values, ConstantBitRate), set_value!(values, VariableBitRate)) {
        (Some(&rate), _) => rate,
        (None, Some(&rate)) => {
            let usual = (rate.saturating_mul(3) / 2).min(MOST_RATE);
            set_value!(values, VBVMaxBitRate).copied().unwrap_or(usual)
        }
        (None, None) => return None,
    };
    Some(RateBuffer {
        max_rate,
        seconds: buffer_seconds(values),
        initial: set_value!(values, VBVInitialDelayPercentage).map_or(USUAL_FULLNESS, |share| share / 100.0),
    })
}

/// The buffer that the samples of all passes together are judged by: the decoder's, which a greatest rate
/// without an average has, too. Encoders keep to that one as to a limit, and begin with the same share of it.
pub(in crate::session) fn judged_buffer(values: &Values) -> Option<RateBuffer> {
    let peak = set_value!(values, VBVMaxBitRate).copied();
    let of_peak =
        |max_rate| RateBuffer { max_rate, seconds: buffer_seconds(values), initial: USUAL_FULLNESS };
    decoder_buffer(values).or(peak.map(of_peak))
}

fn buffer_seconds(values: &Values) -> f64 {
    set_value!(values, VBVBufferDuration).copied().unwrap_or(USUAL_BUFFER)
}

/// The quality that is not exceeded, on the encoder's scale: where a rate is aimed at, a quality is a
/// ceiling. A rate is also aimed at where an encoder knows nothing of limits.
pub(super) fn ceiling(info: &EncoderInfo, values: &Values) -> Option<f64> {
    let aims_below_limit = is_limited(values) && !info.controls.rate_limit;
    quality::asked_on_scale(info, values).filter(|_| average(values).is_some() || aims_below_limit)
}
