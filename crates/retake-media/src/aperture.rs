//! The clean aperture of a picture, and the rectangle of pixels that it selects.

use crate::Rational;
use serde::{Deserialize, Serialize};

/// The part of a picture that is meant to be seen, in pixels, as the `clap` box of ISO files states it.
#[doc(alias = "clap")]
#[doc(alias = "kVTCompressionPropertyKey_CleanAperture")]
#[doc(alias = "kCVImageBufferCleanApertureKey")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CleanAperture {
    /// The width of the part in pixels; it must be above 0.
    #[doc(alias = "kCVImageBufferCleanApertureWidthKey")]
    pub width: Rational,
    /// The height of the part in pixels; it must be above 0.
    #[doc(alias = "kCVImageBufferCleanApertureHeightKey")]
    pub height: Rational,
    /// The distance in pixels by which the centre of the part lies to the right of the picture's centre.
    #[doc(alias = "kCVImageBufferCleanApertureHorizontalOffsetKey")]
    pub horizontal_offset: Rational,
    /// The distance in pixels by which the centre of the part lies below the picture's centre.
    #[doc(alias = "kCVImageBufferCleanApertureVerticalOffsetKey")]
    pub vertical_offset: Rational,
}

impl CleanAperture {
    /// Returns the aperture that covers a whole picture of `width` × `height` pixels.
    pub fn full(width: u32, height: u32) -> Self {
        let whole = |length: u32| Rational::new(length.min(i32::MAX as u32) as i32, 1);
        Self {
            width: whole(width),
            height: whole(height),
            horizontal_offset: Rational::new(0, 1),
            vertical_offset: Rational::new(0, 1),
        }
    }

    /// Returns left, top, width and height of the aperture in a picture of `width` × `height` pixels; `None`
    /// if it has no area or does not lie within the picture.
    pub fn rectangle(&self, width: u32, height: u32) -> Option<[f64; 4]> {
        let span = |length: Rational, offset: Rational, whole: u32| {
            if !length.is_positive() || offset.den <= 0 {
                return None;
            }
            let (length, whole) = (length.to_f64(), f64::from(whole));
            let start = (whole - length) / 2.0 + offset.to_f64();
            // A thousandth of a pixel is tolerated, because fractions lose that much when they become
            // numbers.
            let inside = start > -1e-3 && start + length < whole + 1e-3;
            inside.then_some((start.max(0.0), length.min(whole)))
        };
        let (left, width) = span(self.width, self.horizontal_offset, width)?;
        let (top, height) = span(self.height, self.vertical_offset, height)?;
        Some([left, top, width, height])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets move the centre, and an aperture that leaves the picture is refused; the numbers were found by
    /// hand.
    #[test]
    fn rectangles_are_found_from_the_centre() {
        let whole = |n| Rational::new(n, 1);
        let aperture = CleanAperture {
            width: whole(704),
            height: Rational::new(945, 2),
            horizontal_offset: whole(-8),
            vertical_offset: Rational::new(15, 4),
        };
        assert_eq!(aperture.rectangle(720, 480), Some([0.0, 7.5, 704.0, 472.5]));
        assert_eq!(aperture.rectangle(718, 480), None);
        assert_eq!(CleanAperture::full(33, 7).rectangle(33, 7), Some([0.0, 0.0, 33.0, 7.0]));
        assert_eq!(CleanAperture { width: whole(0), ..aperture }.rectangle(720, 480), None);
        assert_eq!(
            CleanAperture { vertical_offset: Rational::new(1, 0), ..aperture }.rectangle(720, 480),
            None
        );
    }
}
