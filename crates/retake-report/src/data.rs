//! What the script of a page is given: the units and rates to draw, thinned where there are more than a page
//! should hold.

use crate::model::Report;
use crate::text::script_json;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The most bytes of a page that units and takes should be.
const MOST: usize = 500_000;

impl Report {
    /// Returns the data of the page as JSON that can stand inside a script, and whether it was thinned.
    pub(crate) fn page_data(&self) -> (String, bool) {
        for together in (0..).map(|doublings| 1usize << doublings) {
            let text = script_json(&self.data(together));
            // One group of all units cannot be made smaller; what is left is the rate by second.
            if text.len() <= MOST || together >= self.units.len().max(1) {
                return (text, together > 1);
            }
        }
        unreachable!("a power of two exceeds the number of units at last")
    }

    /// Returns the data, with so many units drawn as one: as the worst of them, which is the one to look at.
    fn data(&self, together: usize) -> Value {
        let mut reasons = BTreeMap::<&str, usize>::new();
        for take in self.units.iter().flat_map(|unit| &unit.takes) {
            let next = reasons.len();
            reasons.entry(&take.reason).or_insert(next);
        }
        let mut named = vec![""; reasons.len()];
        reasons.iter().for_each(|(reason, &place)| named[place] = reason);
        let score = |score: Option<f64>| score.filter(|score| score.is_finite()).map(|score| round(score, 2));
        let units: Vec<Value> = (0..self.units.len())
            .step_by(together)
            .map(|first| {
                let last = (first + together).min(self.units.len()) - 1;
                let group = &self.units[first..=last];
                let of_unit = |place: usize| group[place].chosen().and_then(|take| take.score);
                let worst = (0..group.len())
                    .min_by(|&a, &b| {
                        of_unit(a).unwrap_or(f64::INFINITY).total_cmp(&of_unit(b).unwrap_or(f64::INFINITY))
                    })
                    .unwrap_or(0);
                let unit = &group[worst];
                let takes: Vec<Value> = unit
                    .takes
                    .iter()
                    .map(|take| {
                        let reason = reasons[take.reason.as_str()];
                        let quality = take.quality.map(|quality| round(quality, 2));
                        json!([take.pass, quality, score(take.score), take.bytes, reason])
                    })
                    .collect();
                let chosen = unit.chosen.min(unit.takes.len().saturating_sub(1));
                json!([
                    group[0].start,
                    group[group.len() - 1].end,
                    round(group[0].seconds, 3),
                    round(self.end_of(last), 3),
                    chosen,
                    takes,
                    u8::from(group.iter().any(|unit| unit.scene)),
                ])
            })
            .collect();
        let rates = self.rate.as_ref().map(|rate| {
            let kilobits: Vec<f64> =
                rate.bytes_by_second.iter().map(|&bytes| round(bytes as f64 * 8.0 / 1000.0, 1)).collect();
            json!({ "kilobits": kilobits, "limit": rate.limit.map(|limit| limit as f64 / 1000.0) })
        });
        let histogram = self.histogram.as_ref().map(|histogram| {
            json!({
                "ofFrames": histogram.of_frames,
                "start": round(histogram.start, 6),
                "width": histogram.width,
                "counts": histogram.counts,
            })
        });
        let chapters: Vec<Value> =
            self.chapters.iter().map(|chapter| json!([round(chapter.seconds, 3), chapter.title])).collect();
        json!({
            "seconds": round(self.seconds, 3),
            "together": together,
            "metric": self.metric.as_ref().map(|metric| &metric.name),
            "most": self.metric.as_ref().and_then(|metric| metric.most),
            "floor": self.metric.as_ref().and_then(|metric| metric.floor),
            "quality": self.quality_name,
            "reasons": named,
            "units": units,
            "rate": rates,
            "histogram": histogram,
            "chapters": chapters,
        })
    }
}

/// Rounds to so many decimals, so that a number takes a page no more bytes than it is worth.
fn round(value: f64, decimals: i32) -> f64 {
    let factor = 10f64.powi(decimals);
    (value * factor).round() / factor
}
