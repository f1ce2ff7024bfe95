//! What a film is for, as a target.

use super::request::{Goal, Target};
use retake_quality::MetricKind;

/// What a film is for: how good it has to be, for people who do not think in scores.
#[doc(alias = "AVAssetExportPreset")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ExportPreset {
    /// To be kept, or edited again: hardly to be told from the source, side by side. Four of the metric's
    /// units above its usual floor: VMAF 97.
    #[doc(alias = "AVAssetExportPresetHighestQuality")]
    Master,
    /// To be watched: looks like the source to most people at a normal distance. The metric's usual floor:
    /// VMAF 93.
    #[default]
    #[doc(alias = "AVAssetExportPresetMediumQuality")]
    Viewing,
    /// To be looked through, or sent over a slow line: the loss shows, and does not disturb. Ten units below
    /// the usual floor: VMAF 83.
    #[doc(alias = "AVAssetExportPresetLowQuality")]
    Preview,
}

impl ExportPreset {
    /// What it asks for on a metric's scale.
    pub fn target(self, metric: MetricKind) -> Target {
        let units = match self {
            Self::Master => 4.0,
            Self::Viewing => 0.0,
            Self::Preview => -10.0,
        };
        Target::of(Goal::Floor { floor: metric.default_floor() + units * metric.unit(), tolerance: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_intent_can_be_met_on_every_scale() {
        for metric in retake_quality::available() {
            let floors =
                [ExportPreset::Preview, ExportPreset::Viewing, ExportPreset::Master].map(
                    |preset| match preset.target(metric).goal() {
                        Goal::Floor { floor, .. } => floor,
                        other => panic!("{other:?}"),
                    },
                );
            assert!(floors[0] > 0.0 && floors[0] < floors[1] && floors[1] < floors[2], "{metric:?}");
            assert!(floors[2] < metric.best(), "{metric:?}");
        }
    }
}
