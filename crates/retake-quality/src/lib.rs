//! This crate has quality metrics over two pixel buffers, and their pooling.
//!
//! A [`Scorer`] takes the pictures of a take beside their source pictures and returns one score a frame:
//! [`Scores`]. A [`Pooling`] makes one number of them, and [`Scores::estimate`] does so from a sample.
//!
//! | metric | source | checked against |
//! |---|---|---|
//! | VMAF | libvmaf, feature `vmaf` | FFmpeg's `libvmaf` filter |
//! | XPSNR | here | FFmpeg's `xpsnr` filter |
//! | PSNR | here | FFmpeg's `psnr` filter |
//! | SSIM | here | FFmpeg's `ssim` filter |
//! | SSIMULACRA 2 | `fast-ssim2`, feature `ssimulacra2` | its own tests |

mod available;
mod engine;
mod error;
mod estimate;
mod metric;
mod planes;
mod pooling;
mod psnr;
mod scorer;
mod scores;
mod settings;
mod ssim;
#[cfg(feature = "ssimulacra2")]
mod ssimulacra2;
#[cfg(vmaf)]
mod vmaf;
mod xpsnr;

pub use available::{available, default_metric, missing};
pub use error::QualityError;
pub use estimate::Estimate;
pub use metric::MetricKind;
pub use pooling::Pooling;
pub use scorer::Scorer;
pub use scores::Scores;
pub use settings::ScorerSettings;
