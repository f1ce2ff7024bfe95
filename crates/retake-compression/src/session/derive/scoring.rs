//! What units are scored by, and the quality that a first pass begins with under a floor.

use crate::encoder::EncoderInfo;
use crate::planner::curve::Family;
use crate::planner::floor;
use crate::property::{Environment, PropertyKey, Values, set_value};

/// How a session of several passes scores its units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::session) struct Scoring<'a> {
    /// The name of the metric.
    pub(in crate::session) metric: &'a str,
    /// The score that every unit must reach, and the tolerance above it.
    pub(in crate::session) floor: Option<(f64, f64)>,
}

/// How units are scored; not at all where there are no passes, or neither a metric nor a floor was asked for.
pub(in crate::session) fn scoring<'a>(
    environment: &Environment<'a>,
    values: &'a Values,
) -> Option<Scoring<'a>> {
    if !values.has(PropertyKey::MultiPassStorage) {
        return None;
    }
    let named = set_value!(values, QualityMetric);
    let floor = set_value!(values, QualityFloor).copied();
    let chosen = |metric: &&crate::scorer::Metric| named.is_none_or(|name| name == metric.name);
    let metric = environment.metrics.iter().find(chosen).filter(|_| named.is_some() || floor.is_some())?;
    let tolerance = set_value!(values, QualityTolerance).copied().unwrap_or(metric.unit);
    Some(Scoring { metric: metric.name, floor: floor.map(|floor| (floor, tolerance)) })
}

/// The quality that a first pass begins with under a floor, on the encoder's scale.
pub(super) fn first_quality(info: &EncoderInfo, scoring: Scoring<'_>) -> Option<f64> {
    let (floor, tolerance) = scoring.floor?;
    let family = Family::of(info.name, scoring.metric, info.quality);
    Some(info.quality.snap(family.usual(floor::first_aim(&family, floor, tolerance, false))))
}
