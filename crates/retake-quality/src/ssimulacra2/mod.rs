//! Computes SSIMULACRA 2 by `fast-ssim2`: <https://github.com/cloudinary/ssimulacra2>.
//!
//! The metric takes RGB pictures, so chroma is scaled up and matrixed first ([`rgb`]). Pictures tagged PQ or
//! HLG are taken as BT.2100, all others as sRGB, which is how computers show video; a wider gamut without HDR
//! is not distinguished.

mod rgb;

use crate::engine::StillMetric;
use crate::{QualityError, ScorerSettings};
use fast_ssim2::{PixelDescriptor, PixelSlice, compute_ssimulacra2};
use retake_media::PixelBuffer;
use rgb::ToRgb;

/// The side of one block of the metric's coarsest useful scale.
pub(crate) const LEAST_SIZE: u32 = 8;

/// H.273 defines these code points for the transfer functions of HDR.
const PQ: u8 = 16;
const HLG: u8 = 18;

pub(crate) struct Ssimulacra2 {
    to_rgb: ToRgb,
    descriptor: PixelDescriptor,
    /// The interleaved RGB of the two pictures.
    pictures: [Vec<u16>; 2],
}

impl Ssimulacra2 {
    pub(crate) fn new(settings: &ScorerSettings) -> Result<Self, QualityError> {
        let descriptor = match settings.colour.transfer {
            PQ => PixelDescriptor::RGB16_BT2100_PQ,
            HLG => PixelDescriptor::RGB16_BT2100_HLG,
            _ => PixelDescriptor::RGB16_SRGB,
        };
        let samples = settings.width as usize * settings.height as usize * 3;
        let pictures = [vec![0; samples], vec![0; samples]];
        Ok(Self { to_rgb: ToRgb::new(settings), descriptor, pictures })
    }
}

impl StillMetric for Ssimulacra2 {
    const LIBRARY: &'static str = "fast-ssim2";

    fn score(&mut self, reference: &PixelBuffer, picture: &PixelBuffer) -> Result<f64, String> {
        for (rgb, picture) in self.pictures.iter_mut().zip([reference, picture]) {
            self.to_rgb.convert(picture, rgb);
        }
        let (width, height) = (reference.width(), reference.height());
        let slice = |rgb| {
            let stride = width as usize * 3 * size_of::<u16>();
            PixelSlice::new(bytemuck::cast_slice(rgb), width, height, stride, self.descriptor)
                .map_err(|error| error.to_string())
        };
        let [reference, picture] = &self.pictures;
        compute_ssimulacra2(&slice(reference)?, &slice(picture)?).map_err(|error| error.to_string())
    }
}
