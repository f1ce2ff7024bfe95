//! States which metrics this build has, and opens the engine of each.

use crate::engine::{Engine, Still};
use crate::error::QualityError;
use crate::metric::MetricKind;
use crate::settings::ScorerSettings;
use std::str::FromStr;

impl MetricKind {
    /// Returns why the metric is not in this build, as advice; `None` where it is.
    pub(crate) fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Vmaf if !cfg!(vmaf) => Some(
                "install libvmaf 3 with its headers, or a C compiler, meson, ninja, nasm and xxd, and build with the default feature `vmaf`",
            ),
            #[cfg(vmaf)]
            Self::Vmaf if !crate::vmaf::has_model() => Some(
                "libvmaf was built without its models: install xxd, run `cargo clean -p retake-quality`, and build again",
            ),
            Self::Ssimulacra2 if !cfg!(feature = "ssimulacra2") => {
                Some("build with the feature `ssimulacra2`")
            }
            _ => None,
        }
    }

    /// Returns name and version of the library that computes the scores, such as `libvmaf 3.2.0`; `None`
    /// where it is this crate, or where the metric is not in this build.
    pub fn library(self) -> Option<String> {
        match self {
            #[cfg(vmaf)]
            Self::Vmaf => Some(crate::vmaf::library()),
            _ => None,
        }
    }

    /// Returns [`library`](Self::library) where it is another one than the pinned version. Descriptions of
    /// takes name it, because scores of two versions may differ, and must not be mixed; the pinned one is not
    /// named, so that what was described before others were taken stays what it was.
    pub fn other_library(self) -> Option<String> {
        match self {
            #[cfg(vmaf)]
            Self::Vmaf if !crate::vmaf::is_pinned() => self.library(),
            _ => None,
        }
    }
}

/// Returns the metrics of this build, best first.
pub fn available() -> Vec<MetricKind> {
    MetricKind::ALL.into_iter().filter(|kind| kind.remedy().is_none()).collect()
}

/// Returns the metrics that this build lacks, and the advice how to get each.
pub fn missing() -> Vec<(MetricKind, &'static str)> {
    MetricKind::ALL.into_iter().filter_map(|kind| Some((kind, kind.remedy()?))).collect()
}

/// Returns VMAF where it is built in, else XPSNR.
pub fn default_metric() -> MetricKind {
    if MetricKind::Vmaf.remedy().is_none() { MetricKind::Vmaf } else { MetricKind::Xpsnr }
}

/// Opens the engine of a metric; `None` for PSNR, which every scorer computes anyway.
pub(crate) fn engine(settings: &ScorerSettings) -> Result<Option<Box<dyn Engine>>, QualityError> {
    let metric = settings.metric;
    if let Some(remedy) = metric.remedy() {
        return Err(QualityError::Missing { metric, remedy });
    }
    let large_enough = |least| {
        let (width, height) = (settings.width, settings.height);
        let fits = width.min(height) >= least;
        fits.then_some(()).ok_or(QualityError::TooSmall { metric, width, height, least })
    };
    match metric {
        MetricKind::Psnr => Ok(None),
        #[cfg(vmaf)]
        MetricKind::Vmaf => {
            large_enough(crate::vmaf::LEAST_SIZE)?;
            Ok(Some(Box::new(crate::vmaf::Vmaf::new(settings)?)))
        }
        MetricKind::Ssim => {
            large_enough(crate::ssim::LEAST_SIZE)?;
            Ok(Some(Box::new(Still::new(crate::ssim::Ssim::default()))))
        }
        MetricKind::Xpsnr => Ok(Some(Box::new(crate::xpsnr::Xpsnr::new(settings)))),
        #[cfg(feature = "ssimulacra2")]
        MetricKind::Ssimulacra2 => {
            large_enough(crate::ssimulacra2::LEAST_SIZE)?;
            Ok(Some(Box::new(Still::new(crate::ssimulacra2::Ssimulacra2::new(settings)?))))
        }
        // Every other metric without an engine has a remedy, so this is not reached.
        #[cfg(not(all(vmaf, feature = "ssimulacra2")))]
        _ => Err(QualityError::Missing { metric, remedy: "build with all features" }),
    }
}

impl FromStr for MetricKind {
    type Err = QualityError;

    fn from_str(name: &str) -> Result<Self, QualityError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| QualityError::UnknownMetric(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_the_rest_is_refused() {
        for kind in MetricKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        assert_eq!("VMAF".parse(), Ok(MetricKind::Vmaf));
        assert!("vmaf2".parse::<MetricKind>().is_err());
        assert_eq!(available().len() + missing().len(), MetricKind::ALL.len());
        assert!(available().contains(&default_metric()));
    }
}
