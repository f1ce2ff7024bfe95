//! Which units are worth another pass.

use crate::encoder::EncoderInfo;
use crate::planner::curve::Family;
use crate::planner::{self, Brief, Objective, Trial, UnitState};
use crate::units::FrameRange;
use std::collections::BTreeMap;

/// Passes that the planner reckons with: how many there are is the session's affair.
const MANY: u32 = u32::MAX;

/// A knob whose steps change bytes by more doublings than this is too coarse to bring a stream to a rate: units encoded again could miss by
/// more than the first pass did.
const COARSE: f64 = 0.03;

/// Frames from one sync frame to the next, and how they came out last.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Unit {
    /// Its first frame, and the first that is not in it.
    pub(super) first: usize,
    pub(super) end: usize,
    /// Its bytes, as they came out last.
    pub(super) bytes: u64,
    /// The quality that it was encoded again with; none since it was encoded by rate.
    pub(super) quality: Option<f64>,
    /// How it came out by rate: its average quantizer (0 where the encoder does not say) and its bytes.
    pub(super) by_rate: (f64, u64),
}

/// What the merged stream is to become.
pub(super) struct Wish<'a> {
    /// Bits per second in the mean, if that is asked for.
    pub(super) rate: Option<u64>,
    pub(super) info: &'a EncoderInfo,
    pub(super) pixels: u64,
}

impl Wish<'_> {
    /// The units to encode again, with their qualities. MP-30, MP-31: as few as can bring the stream to its rate, and none where it is there
    /// already. MP-32: what is not encoded again counts.
    pub(super) fn takes(&self, units: &[Unit], seconds: f64) -> BTreeMap<usize, f64> {
        let Some(rate) = self.rate.filter(|_| seconds > 0.0 && !units.is_empty()) else {
            return BTreeMap::new();
        };
        let scale = self.info.quality;
        let family = self.family();
        if scale.step * -family.bytes_slope(&[]) > COARSE {
            return BTreeMap::new();
        }
        let target = (rate as f64 * seconds / 8.0) as u64;
        let estimates = self.estimates(units);
        let states: Vec<UnitState> = units
            .iter()
            .zip(&estimates)
            .map(|(unit, quality)| {
                let trial = Trial { quality: *quality, bytes: unit.bytes, score: None };
                // what came out last is what is shipped: earlier takes are gone
                UnitState { range: FrameRange::new(unit.first as u64, unit.end as u64), trials: vec![trial] }
            })
            .collect();
        let objective = Objective::Bytes { target, at_most: false };
        let brief = Brief { objective, scale, family, max_passes: MANY };
        // nothing was scored, so that bits are not moved from unit to unit: as after the second pass, only the sum is corrected
        let plan = planner::plan(&brief, &states, 2);
        let retakes = plan.retakes.iter().map(|retake| (retake.unit, retake.quality));
        if units.iter().any(|unit| unit.quality.is_some()) {
            return retakes.collect();
        }
        // what a rate is on the scale of qualities is a guess before the first unit: that one alone can be wrong by much
        retakes.max_by_key(|(unit, _)| units[*unit].bytes).into_iter().collect()
    }

    fn family(&self) -> Family {
        Family::of(self.info.name, "vmaf", self.info.quality)
    }

    /// The quality that each unit has now. Where it was encoded by rate, that is its quantizer, moved by as much as those of units were that
    /// were encoded again.
    pub(super) fn estimates(&self, units: &[Unit]) -> Vec<f64> {
        let (scale, family) = (self.info.quality, self.family());
        let guess = |unit: &Unit| {
            let (quantizer, bytes) = unit.by_rate;
            let pixels = ((unit.end - unit.first) as u64 * self.pixels).max(1);
            let bits = bytes as f64 * 8.0 / pixels as f64;
            if quantizer > 0.0 { quantizer } else { family.usual_for_bits(bits) }
        };
        let doublings = family.bytes_slope(&[]);
        let moved: Vec<f64> = units
            .iter()
            .filter_map(|unit| {
                let ratio = unit.by_rate.1.max(1) as f64 / unit.bytes.max(1) as f64;
                Some(unit.quality? + ratio.log2() / doublings - guess(unit))
            })
            .collect();
        let offset = moved.iter().sum::<f64>() / moved.len().max(1) as f64;
        units.iter().map(|unit| scale.snap(unit.quality.unwrap_or_else(|| guess(unit) + offset))).collect()
    }
}
