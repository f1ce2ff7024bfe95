use crate::MetricKind;
use thiserror::Error;

/// What can go wrong when pictures are scored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QualityError {
    /// The metric is not in this build. The user's to mend.
    #[error("{metric} is not in this build of Retake: {remedy}")]
    Missing {
        /// The metric asked for.
        metric: MetricKind,
        /// How to get it.
        remedy: &'static str,
    },
    /// Pictures are too small for the metric. The user's to mend.
    #[error(
        "{metric} needs pictures of at least {least}×{least}, these are {width}×{height}: choose xpsnr, psnr or ssim"
    )]
    TooSmall {
        /// The metric asked for.
        metric: MetricKind,
        /// Luma samples a row of the pictures.
        width: u32,
        /// Luma rows of the pictures.
        height: u32,
        /// The least width and height.
        least: u32,
    },
    /// Settings that no scorer can have. A defect in the caller.
    #[error("scorer settings: {0}")]
    Settings(&'static str),
    /// A picture that is not what the settings announced. A defect in the caller.
    #[error("frame {frame}: the {which} picture is {found}, the scorer was made for {expected}")]
    Mismatch {
        /// Frames scored before this one.
        frame: u64,
        /// `reference`, `scored` or `neighbouring`.
        which: &'static str,
        /// Format and size found.
        found: String,
        /// Format and size expected.
        expected: String,
    },
    /// The library behind a metric failed.
    #[error("{library}: {call} failed at frame {frame} with {code}")]
    Library {
        /// The library.
        library: &'static str,
        /// What was asked of it.
        call: &'static str,
        /// Frames scored before this one.
        frame: u64,
        /// Its answer.
        code: String,
    },
    /// Two lists of scores that do not belong together. A defect in the caller.
    #[error("scores cannot be merged: {0}")]
    Merge(&'static str),
    /// A name that is no metric. The user's to mend.
    #[error("there is no metric {0:?}: choose vmaf, xpsnr, psnr, ssim or ssimulacra2")]
    UnknownMetric(String),
    /// A name that is no pooling. The user's to mend.
    #[error("there is no pooling {0:?}: choose mean, p5 or min")]
    UnknownPool(String),
}

impl QualityError {
    /// The stable number of the error (section 15 of the contract).
    pub const fn code(&self) -> i32 {
        match self {
            Self::Missing { .. } | Self::UnknownMetric(_) | Self::UnknownPool(_) => -12900,
            Self::TooSmall { .. } | Self::Settings(_) | Self::Mismatch { .. } | Self::Merge(_) => -12902,
            Self::Library { .. } => -12911,
        }
    }
}
