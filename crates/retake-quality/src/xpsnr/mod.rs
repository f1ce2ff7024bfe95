//! Computes XPSNR: PSNR whose squared errors are weighted, block by block, by how visible they are.
//!
//! It follows C. R. Helmrich, S. Bosse, H. Schwarz, D. Marpe and T. Wiegand, *A study of the extended
//! perceptually weighted peak signal-to-noise ratio (XPSNR) for video compression with different resolutions
//! and bit depths*, ITU Journal: ICT Discoveries 3(1), 2020. A block's weight is √(a_pic / a_k): a_k is the
//! activity of the reference in the block, squared, made of the mean magnitudes of a spatial high pass and of
//! twice the change in time; a_pic normalises it for size and bit depth. Numbers agree with those of FFmpeg's
//! filter of the same name (rates below 32 frames per second look at one picture before, others at two), with
//! one difference. Where there is no picture before, the filter puts a black one, which makes the first frame
//! look ten dB better than it is; here no change is assumed, which errs on the strict side.
//!
//! The score of a frame joins its planes where they add up, in the domain of errors: −10·log₁₀ of
//! (4·10^(−Y/10) + 10^(−U/10) + 10^(−V/10)) / 6, the weights that are usual for 4:2:0, whatever the chroma.
//! Of luma alone it is Y.

mod activity;
mod blocks;

use crate::engine::Engine;
use crate::{QualityError, ScorerSettings, psnr};
use blocks::Blocks;
use retake_media::PixelBuffer;

pub(crate) struct Xpsnr {
    blocks: Blocks,
    /// The references before the next one, the newest first.
    before: [Option<PixelBuffer>; 2],
    frames: Vec<Option<f64>>,
}

impl Xpsnr {
    pub(crate) fn new(settings: &ScorerSettings) -> Self {
        Self { blocks: Blocks::new(settings), before: [None, None], frames: Vec::new() }
    }

    /// Returns the XPSNR of the three planes in dB, at most 100.
    pub(crate) fn planes(&mut self, reference: &PixelBuffer, picture: &PixelBuffer) -> [f64; 3] {
        let errors = self.blocks.weighted_errors(reference, picture, [&self.before[0], &self.before[1]]);
        [0, 1, 2].map(|plane| {
            let geometry = reference.geometry(plane);
            let samples = geometry.samples as f64 * geometry.rows as f64;
            psnr::db(errors[plane], samples, reference.format().bit_depth())
        })
    }

    fn remember(&mut self, reference: &PixelBuffer) {
        let newest = self.before[0].replace(reference.clone());
        self.before[1] = newest.filter(|_| self.blocks.second_order());
    }
}

/// Returns one number for three planes.
fn joined([y, u, v]: [f64; 3]) -> f64 {
    let error = |db: f64| if db >= psnr::CAP_DB { 0.0 } else { 10_f64.powf(-db / 10.0) };
    let mean = (4.0 * error(y) + error(u) + error(v)) / 6.0;
    if mean > 0.0 { (-10.0 * mean.log10()).min(psnr::CAP_DB) } else { psnr::CAP_DB }
}

impl Engine for Xpsnr {
    fn lead_in(&mut self, reference: &PixelBuffer) -> Result<(), QualityError> {
        self.remember(reference);
        Ok(())
    }

    fn push(
        &mut self,
        reference: &PixelBuffer,
        picture: &PixelBuffer,
        sampled: bool,
    ) -> Result<(), QualityError> {
        let score = sampled.then(|| {
            let planes = self.planes(reference, picture);
            if reference.format().chroma_block().is_some() { joined(planes) } else { planes[0] }
        });
        self.frames.push(score);
        self.remember(reference);
        Ok(())
    }

    fn finish(&mut self, _: Option<&PixelBuffer>) -> Result<Vec<Option<f64>>, QualityError> {
        Ok(std::mem::take(&mut self.frames))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_joined_by_their_errors() {
        assert!((joined([40.0, 40.0, 40.0]) - 40.0).abs() < 1e-12);
        assert_eq!(joined([100.0; 3]), 100.0);
        // Chroma without error leaves 4/6 of the luma error.
        assert!((joined([40.0, 100.0, 100.0]) - 41.760_912_590_556_81).abs() < 1e-9);
    }
}
