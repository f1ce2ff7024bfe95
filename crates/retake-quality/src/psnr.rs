//! The peak signal to noise ratio is 10·log₁₀(peak² / mean squared error), where the peak is 255 or 1023.

use crate::planes::plane_sse;
use retake_media::PixelBuffer;

/// The ratio in dB that stands for "no difference at all", where the formula has no number. Higher ones are
/// never reported.
pub(crate) const CAP_DB: f64 = 100.0;

/// Returns the PSNR in dB of `samples` samples of `bit_depth` bits with this sum of squared differences.
pub(crate) fn db(sse: f64, samples: f64, bit_depth: u32) -> f64 {
    let peak = f64::from((1_u32 << bit_depth) - 1);
    if sse <= 0.0 { CAP_DB } else { (10.0 * (peak * peak * samples / sse).log10()).min(CAP_DB) }
}

/// Returns the luma PSNR in dB.
pub(crate) fn luma(reference: &PixelBuffer, picture: &PixelBuffer) -> f64 {
    let samples = f64::from(reference.width()) * f64::from(reference.height());
    db(plane_sse(reference, picture, 0) as f64, samples, reference.format().bit_depth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert!((db(4.0, 4.0, 8) - 48.130_803_608_679_1).abs() < 1e-10, "an error of 1 everywhere");
        assert!((db(4.0, 4.0, 10) - 60.1975126742432).abs() < 1e-10);
        assert_eq!(db(0.0, 4.0, 8), CAP_DB);
        assert_eq!(db(1.0, 1e9, 8), CAP_DB);
    }
}
