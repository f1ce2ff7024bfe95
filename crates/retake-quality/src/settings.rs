//! The settings of a scorer, and the choice of the frames that it samples.

use crate::metric::MetricKind;
use retake_media::{Colour, PixelFormat};

/// States the metric, the pictures and the sampling of a [`Scorer`](crate::Scorer).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScorerSettings {
    /// The metric.
    pub metric: MetricKind,
    /// The luma samples a row of all pictures.
    pub width: u32,
    /// The luma rows of all pictures.
    pub height: u32,
    /// The format of all pictures, which must be planar ([`PixelFormat::is_planar`]) with 8 or 10
    /// bits. VMAF, PSNR and SSIM look at luma alone.
    pub format: PixelFormat,
    /// The colour tags of the pictures; SSIMULACRA 2 alone looks at them.
    pub colour: Colour,
    /// The number of frames per second; XPSNR looks further back above 32.
    pub frame_rate: f64,
    /// The distance of scored frames, at least 1, which scores all. On films with B-frame pyramids and on
    /// converted films whose frames repeat in a rhythm of five, 3 meets all kinds of frames alike; 2, 4 and 5
    /// do not, and miss the mean by up to several points.
    pub stride: u32,
    /// The number of the sample, below `stride`: the phases 0 to `stride` − 1 share the frames out among
    /// them. Phase 0 begins in the middle of a stride.
    pub phase: u32,
}

impl ScorerSettings {
    /// Makes settings that score every frame.
    pub fn new(metric: MetricKind, width: u32, height: u32, format: PixelFormat, frame_rate: f64) -> Self {
        Self { metric, width, height, format, colour: Colour::default(), frame_rate, stride: 1, phase: 0 }
    }

    /// Returns whether a frame of the take (counted from 0) is scored.
    pub fn samples(&self, frame: usize) -> bool {
        let stride = u64::from(self.stride.max(1));
        frame as u64 % stride == (u64::from(self.phase) + stride / 2) % stride
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_share_the_frames_out() {
        let usual = ScorerSettings::new(MetricKind::Psnr, 64, 64, PixelFormat::I420, 25.0);
        for stride in 1..=9 {
            let phases = (0..stride).map(|phase| ScorerSettings { stride, phase, ..usual });
            let phases: Vec<_> = phases.collect();
            assert!(phases[0].samples(stride as usize / 2));
            for run in 0..200 {
                let run = run * stride as usize..(run + 1) * stride as usize;
                for phase in &phases {
                    assert_eq!(run.clone().filter(|&frame| phase.samples(frame)).count(), 1);
                }
                assert!(
                    run.clone().all(|frame| phases.iter().filter(|phase| phase.samples(frame)).count() == 1)
                );
            }
        }
    }
}
