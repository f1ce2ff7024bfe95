//! The curve from 0…1 to an encoder's own scale.

use crate::encoder::{EncoderInfo, QualityScale, RateControl};
use crate::property::{Values, set_value};

/// Points of the curve: a quality, and where it lies between the encoder's usual value (0) and its best
/// (positive, 1) or worst (negative, -1). Between them it is straight, so that more is never worse.
const CURVE: &[(f64, f64)] = &[(0.0, -1.0), (0.25, -0.3), (0.5, 0.0), (0.75, 0.3), (0.9, 0.55), (1.0, 1.0)];

/// Quality on the encoder's scale. 0.5 is what the encoder calls usual, 0.25 about ten steps of a CRF above
/// that, 0.75 about seven below.
fn on_scale(scale: &QualityScale, quality: f64) -> f64 {
    let quality = quality.clamp(0.0, 1.0);
    let next = CURVE.iter().position(|&(at, _)| quality <= at).unwrap_or(CURVE.len() - 1).max(1);
    let ((x0, y0), (x1, y1)) = (CURVE[next - 1], CURVE[next]);
    let place = y0 + (y1 - y0) * (quality - x0) / (x1 - x0);
    let value = if place >= 0.0 {
        scale.usual - place * (scale.usual - scale.min)
    } else {
        scale.usual - place * (scale.max - scale.usual)
    };
    scale.snap(value)
}

/// The quality that is asked for, from 0 to 1, by whichever property.
pub(super) fn asked(values: &Values) -> Option<f64> {
    set_value!(values, Quality).or(set_value!(values, ConstantQualityFactor)).copied()
}

/// The quality that is asked for, on the encoder's scale.
pub(in crate::session) fn asked_on_scale(info: &EncoderInfo, values: &Values) -> Option<f64> {
    asked(values).map(|quality| on_scale(&info.quality, quality))
}

/// The rate control for the quality that is asked for. `ConstantQualityFactor` never asks for lossless
/// coding, which is no quality that could be constant beside a limit.
pub(super) fn asked_rate(info: &EncoderInfo, values: &Values) -> Option<RateControl> {
    let lossless = info.controls.lossless && set_value!(values, Quality).is_some();
    asked(values).map(|quality| rate(&info.quality, lossless, quality))
}

/// The rate control for a quality: nothing is lost at 1 where the encoder can do that.
fn rate(scale: &QualityScale, lossless: bool, quality: f64) -> RateControl {
    if quality >= 1.0 && lossless {
        RateControl::Lossless
    } else {
        RateControl::Quality(on_scale(scale, quality))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const X264: QualityScale = QualityScale { min: 0.0, max: 51.0, step: 0.1, usual: 23.0 };

    proptest! {
        /// Section 5.3: the curve is monotone, on every scale.
        #[test]
        fn more_is_never_worse(a in 0.0..=1.0f64, b in 0.0..=1.0f64, usual in 1.0..62.0f64) {
            let scale = QualityScale { min: 0.0, max: 63.0, step: 1.0, usual };
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(on_scale(&scale, high) <= on_scale(&scale, low));
        }
    }

    #[test]
    fn the_named_points_are_where_the_table_says() {
        let at = |quality| on_scale(&X264, quality);
        assert_eq!([at(0.0), at(0.25), at(0.5), at(0.75), at(1.0)], [51.0, 31.4, 23.0, 16.1, 0.0]);
        assert_eq!(rate(&X264, true, 1.0), RateControl::Lossless);
        assert_eq!(rate(&X264, false, 1.0), RateControl::Quality(0.0));
    }
}
