//! The errors of scoring, each with its stable number.

use crate::MetricKind;
use retake_media::codes;
use thiserror::Error;

/// States why pictures could not be scored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QualityError {
    /// The metric is not in this build; the user can mend that.
    #[error("{metric} is not in this build of Retake: {remedy}")]
    Missing {
        /// The metric that was requested.
        metric: MetricKind,
        /// The way to get it.
        remedy: &'static str,
    },
    /// The pictures are too small for the metric; the user must choose another.
    #[error(
        "{metric} needs pictures of at least {least}×{least}, these are {width}×{height}: choose xpsnr, psnr or ssim"
    )]
    TooSmall {
        /// The metric that was requested.
        metric: MetricKind,
        /// The luma samples a row of the pictures.
        width: u32,
        /// The luma rows of the pictures.
        height: u32,
        /// The least width and height.
        least: u32,
    },
    /// No scorer can have these settings, which is a defect in the caller.
    #[error("scorer settings: {0}")]
    Settings(&'static str),
    /// A picture differs from the settings, which is a defect in the caller.
    #[error("frame {frame}: the {which} picture is {found}, the scorer was made for {expected}")]
    Mismatch {
        /// The number of frames scored before this one.
        frame: u64,
        /// The role of the picture: `reference`, `scored` or `neighbouring`.
        which: &'static str,
        /// The format and size of the picture.
        found: String,
        /// The format and size of the settings.
        expected: String,
    },
    /// The library behind a metric failed.
    #[error("{library}: {call} failed at frame {frame} with {code}")]
    Library {
        /// The library.
        library: &'static str,
        /// The call that failed.
        call: &'static str,
        /// The number of frames scored before this one.
        frame: u64,
        /// The answer of the library.
        code: String,
    },
    /// A picture cannot be brought to the size at which it is scored.
    #[error("scaling a picture to be scored: {0}")]
    Scaling(String),
    /// Two lists of scores do not belong together, which is a defect in the caller.
    #[error("scores cannot be merged: {0}")]
    Merge(&'static str),
    /// The name is no metric; the user can mend that.
    #[error("there is no metric {0:?}: choose vmaf, xpsnr, psnr, ssim or ssimulacra2")]
    UnknownMetric(String),
    /// The name is no pooling; the user can mend that.
    #[error("there is no pooling {0:?}: choose mean, p5 or min")]
    UnknownPool(String),
}

impl QualityError {
    /// Returns the stable number of the error (section 15 of the contract).
    pub const fn code(&self) -> i32 {
        match self {
            Self::Missing { .. } | Self::UnknownMetric(_) | Self::UnknownPool(_) => {
                codes::PROPERTY_NOT_SUPPORTED
            }
            Self::TooSmall { .. } | Self::Settings(_) | Self::Mismatch { .. } | Self::Merge(_) => {
                codes::PARAMETER
            }
            Self::Library { .. } | Self::Scaling(_) => codes::VIDEO_DECODER_MALFUNCTION,
        }
    }
}
