//! The metrics that Retake knows, with their scales.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Chooses how a picture is compared with the source picture it was made from. Higher scores are better, for
/// all metrics.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Netflix's VMAF with its model `vmaf_v0.6.1`, by libvmaf. It looks at luma only. It follows viewers
    /// best, and costs the most.
    Vmaf,
    /// XPSNR (Helmrich et al., 2020) is PSNR whose errors weigh less where the eye masks them, in all three
    /// planes.
    Xpsnr,
    /// The peak signal to noise ratio of luma.
    Psnr,
    /// The structural similarity (Wang et al., 2004) of luma.
    Ssim,
    /// SSIMULACRA 2 (Cloudinary) is a metric for still pictures in a perceptual colour space.
    Ssimulacra2,
}

impl MetricKind {
    /// All metrics that Retake knows, in this build or not.
    pub const ALL: [Self; 5] = [Self::Vmaf, Self::Xpsnr, Self::Psnr, Self::Ssim, Self::Ssimulacra2];

    /// Returns the name that flags and files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vmaf => "vmaf",
            Self::Xpsnr => "xpsnr",
            Self::Psnr => "psnr",
            Self::Ssim => "ssim",
            Self::Ssimulacra2 => "ssimulacra2",
        }
    }

    /// Returns unit and range, for people.
    pub const fn scale(self) -> &'static str {
        match self {
            Self::Vmaf => "0-100, higher is better",
            Self::Xpsnr | Self::Psnr => "dB up to 100, higher is better",
            Self::Ssim => "0-1, higher is better",
            Self::Ssimulacra2 => "up to 100, higher is better",
        }
    }

    /// Returns the best score there is. (VMAF gives identical pictures 97 to 100, by how much they move.)
    pub const fn best(self) -> f64 {
        match self {
            Self::Ssim => 1.0,
            _ => 100.0,
        }
    }

    /// Returns a floor that means "looks like the source to most people, at a normal distance". XPSNR's takes
    /// as many bits as VMAF's in the geometric mean of eight films (`docs/benchmarks.md`, *default floors*);
    /// single films differ by up to a factor of 2. The others are customary: units that VMAF 93 was held in
    /// have 41 dB of PSNR and an SSIM of 0.986 in the mean of those films.
    pub const fn default_floor(self) -> f64 {
        match self {
            Self::Vmaf => 93.0,
            Self::Xpsnr => 38.0,
            Self::Psnr => 42.0,
            Self::Ssim => 0.98,
            Self::Ssimulacra2 => 70.0,
        }
    }

    /// Returns the size of a difference that matters: as much on this scale as one VMAF point on VMAF's.
    /// Tolerances are multiples of it.
    pub const fn unit(self) -> f64 {
        match self {
            Self::Vmaf => 1.0,
            Self::Xpsnr | Self::Psnr => 0.25,
            Self::Ssim => 0.001,
            Self::Ssimulacra2 => 1.0,
        }
    }

    /// Returns whether a source picture before (and after) the scored one influences the score.
    pub const fn is_temporal(self) -> bool {
        matches!(self, Self::Vmaf | Self::Xpsnr)
    }

    /// Returns by how much a score usually rises for 1 dB more luma PSNR and for 1 more of the root of VMAF's
    /// motion, in the range where films are usually watched. Estimates from small samples lean to these
    /// slopes. The numbers are round: those of VMAF were tried on encodes by x264, x265 and SVT-AV1 of one
    /// mixed film, the others are assumed.
    pub(crate) const fn usual_slopes(self) -> [f64; 2] {
        match self {
            Self::Vmaf => [2.5, 2.0],
            Self::Xpsnr => [0.9, 0.0],
            Self::Psnr => [1.0, 0.0],
            Self::Ssim => [0.003, 0.0],
            Self::Ssimulacra2 => [4.0, 0.0],
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
