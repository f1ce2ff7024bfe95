//! The transfer functions of H.273: the light that a screen makes of samples, and the samples that make a
//! light. 1 is the white of a picture that is no HDR, and 100 cd/m² where it is, as in zimg.

/// The luminance of white in cd/m².
const WHITE: f64 = 100.0;
/// The greatest luminance of PQ, and of the screen that HLG is meant for, in cd/m².
const PQ_PEAK: f64 = 10_000.0;
const HLG_PEAK: f64 = 1_000.0;
/// The system gamma of that screen (BT.2100).
const HLG_GAMMA: f64 = 1.2;

/// Maps samples to light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Curve {
    Power { exponent: f64, scale: f64 },
    Srgb,
    Linear,
    Pq,
    Hlg,
}

impl Curve {
    /// Returns the curve of a code point, if it is one that is converted. Films for cameras' curves are shown
    /// by BT.1886.
    pub(super) fn of(code: u8) -> Option<Self> {
        let power = |exponent| Self::Power { exponent, scale: 1.0 };
        Some(match code {
            1 | 6 | 7 | 14 | 15 => power(2.4),
            4 => power(2.2),
            5 => power(2.8),
            8 => Self::Linear,
            13 => Self::Srgb,
            16 => Self::Pq,
            17 => Self::Power { exponent: 2.6, scale: 52.37 / 48.0 },
            18 => Self::Hlg,
            _ => return None,
        })
    }

    /// Returns the light of a sample; for HLG, that of the scene, from 0 to 1.
    pub(super) fn light(self, sample: f64) -> f64 {
        let positive = sample.max(0.0);
        match self {
            Self::Power { exponent, scale } => positive.powf(exponent) * scale,
            Self::Linear => sample,
            Self::Srgb if sample < 0.04045 => sample / 12.92,
            Self::Srgb => ((sample + 0.055) / 1.055).powf(2.4),
            Self::Pq => {
                let root = positive.powf(1.0 / pq::M2);
                let ratio = (root - pq::C1).max(0.0) / (pq::C2 - pq::C3 * root);
                ratio.powf(1.0 / pq::M1) * PQ_PEAK / WHITE
            }
            Self::Hlg if positive <= 0.5 => positive * positive / 3.0,
            Self::Hlg => (((positive - hlg::C) / hlg::A).exp() + hlg::B) / 12.0,
        }
    }

    /// Returns the sample of a light.
    pub(super) fn sample(self, light: f64) -> f64 {
        let positive = light.max(0.0);
        match self {
            Self::Power { exponent, scale } => (positive / scale).powf(1.0 / exponent),
            Self::Linear => light,
            Self::Srgb if light < 0.003_130_8 => light * 12.92,
            Self::Srgb => 1.055 * light.powf(1.0 / 2.4) - 0.055,
            Self::Pq => {
                let power = (positive * WHITE / PQ_PEAK).powf(pq::M1);
                ((pq::C1 + pq::C2 * power) / (1.0 + pq::C3 * power)).powf(pq::M2)
            }
            Self::Hlg if positive <= 1.0 / 12.0 => (3.0 * positive).sqrt(),
            Self::Hlg => hlg::A * (12.0 * positive - hlg::B).ln() + hlg::C,
        }
    }
}

/// Returns the factor from HLG's light of a scene to a screen's, by the luminance of the scene.
pub(super) fn screen_gain(luminance: f64) -> f64 {
    luminance.max(0.0).powf(HLG_GAMMA - 1.0) * HLG_PEAK / WHITE
}

/// Returns the factor from a screen's light to HLG's of the scene, by the luminance of the screen.
pub(super) fn scene_gain(luminance: f64) -> f64 {
    let peak = HLG_PEAK / WHITE;
    (luminance.max(0.0) / peak).powf((1.0 - HLG_GAMMA) / HLG_GAMMA) / peak
}

/// The constants of SMPTE ST 2084.
mod pq {
    pub(super) const M1: f64 = 2610.0 / 16384.0;
    pub(super) const M2: f64 = 2523.0 / 4096.0 * 128.0;
    pub(super) const C1: f64 = 3424.0 / 4096.0;
    pub(super) const C2: f64 = 2413.0 / 4096.0 * 32.0;
    pub(super) const C3: f64 = 2392.0 / 4096.0 * 32.0;
}

/// The constants of BT.2100.
mod hlg {
    pub(super) const A: f64 = 0.178_832_77;
    pub(super) const B: f64 = 0.284_668_92;
    pub(super) const C: f64 = 0.559_910_73;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standards print these points: 100 cd/m² is 0.508 in PQ, 203 is 0.58; HLG is 0.5 at a twelfth.
    #[test]
    fn known_points() {
        let near = |found: f64, printed: f64| assert!((found - printed).abs() < 5e-4, "{found}, {printed}");
        near(Curve::Pq.sample(1.0), 0.5081);
        near(Curve::Pq.sample(2.03), 0.5807);
        near(Curve::Pq.light(1.0), 100.0);
        near(Curve::Hlg.sample(1.0 / 12.0), 0.5);
        near(Curve::Hlg.sample(1.0), 1.0);
        near(Curve::Srgb.light(0.5), 0.2140);
        near(screen_gain(1.0), 10.0);
    }

    #[test]
    fn all_comes_back() {
        for curve in (0..=255).filter_map(Curve::of) {
            for step in 0..=1000 {
                let sample = f64::from(step) / 1000.0;
                let back = curve.sample(curve.light(sample));
                assert!((back - sample).abs() < 1e-6, "{curve:?}: {sample}, {back}");
            }
        }
        for luminance in [0.001, 0.1, 1.0] {
            let screen = luminance * screen_gain(luminance);
            assert!((screen * scene_gain(screen) - luminance).abs() < 1e-9);
        }
    }
}
