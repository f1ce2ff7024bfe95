//! Limits across joins (PA-8): what a part may put into windows that reach into the parts beside it.
//!
//! A window over a join holds the end of one part and the beginning of the next, and neither knows the other.
//! So they agree on a bucket under which no window breaks its limit, and each takes half of it: from its
//! start on a part takes no more than half a bucket and what flows in since, and towards its end it empties
//! no more than half. Both halves, and what flows in over the window, are a bucket's. Between the margins
//! whole windows count as ever. Where it is not known when a part ends, all of it may be its end. Parts that
//! are shorter than a window are not helped by this: a window may reach across two of their joins.
//!
//! Encoders that know limits do the same with their own buffers; this is for those that do not.

use super::vbv::VbvOf;
use crate::property::DataRateLimit;
use retake_media::Time;
use std::collections::VecDeque;

/// Where a part ends, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PartEnd {
    /// Nothing is joined after it.
    Free,
    /// Something is joined after it, at this time.
    At(Time),
    /// Something is joined after it, and it is not known when.
    Unknown,
}

/// Where a part begins and ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartMargins {
    /// Its first decode time, if something is joined before it.
    pub start: Option<Time>,
    /// Where it ends.
    pub end: PartEnd,
    /// The average rate that is asked for, in bits per second.
    pub average: Option<u64>,
}

impl PartMargins {
    /// How full the last of these samples (seconds, bytes) makes an edge: above 1, a window over the join
    /// could break a limit. The samples of the longest window have to be there.
    pub(super) fn fullness(&self, limits: &[DataRateLimit], samples: &VecDeque<(f64, u64)>) -> f64 {
        let (Some(bucket), Some(&(now, _))) =
            (VbvOf::Encode { average: self.average }.rate_limit(limits), samples.back())
        else {
            return 0.0;
        };
        let longest = limits.iter().map(|limit| limit.seconds).fold(0.0, f64::max);
        let room =
            |seconds: f64| (bucket.window_bits as f64 / 2.0 + bucket.bits_per_second as f64 * seconds) / 8.0;
        let start = self.start.map(Time::seconds).filter(|start| now < start + longest);
        let from = match self.end {
            PartEnd::Free => f64::INFINITY,
            PartEnd::At(end) => end.seconds() - longest,
            PartEnd::Unknown => f64::NEG_INFINITY,
        };
        let (mut bytes, mut fullest) = (0, 0.0f64);
        for &(then, sample) in samples.iter().rev() {
            bytes += sample;
            if then > from {
                fullest = fullest.max(bytes as f64 / room(now - then));
            } else if start.is_none() {
                break;
            }
        }
        // all that are left begin with the part
        start.map_or(fullest, |start| fullest.max(bytes as f64 / room((now - start).max(0.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::RateWindow;
    use super::*;
    use proptest::prelude::*;

    /// What a greedy sender makes of a part: each frame takes a share of all that window and margins leave
    /// it.
    fn part(limits: &[DataRateLimit], margins: PartMargins, first: usize, greed: &[f64]) -> Vec<(Time, u64)> {
        let mut window = RateWindow::default();
        let mut samples = Vec::new();
        for (frame, share) in greed.iter().enumerate() {
            let dts = Time::new((first + frame) as i64, 25);
            let most = limits.iter().map(|limit| limit.bytes).min().unwrap();
            let fits = |bytes: u64| window.clone().note(limits, Some(&margins), dts, bytes) <= 1.0;
            let (mut low, mut high) = (0, most + 1);
            while high - low > 1 {
                let middle = (low + high) / 2;
                if fits(middle) { low = middle } else { high = middle }
            }
            let bytes = (low as f64 * share) as u64;
            window.note(limits, Some(&margins), dts, bytes);
            samples.push((dts, bytes));
        }
        samples
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// PA-8, resolution 45: whatever parts make of what is allowed, no window of what they are joined to
        /// breaks a limit; whether they know where they end or not.
        #[test]
        fn no_window_of_joined_parts_breaks_a_limit(
            bytes in 20_000u64..1_000_000, seconds in 0.2..1.0f64, factor in 1.0..2.0f64, known in any::<bool>(),
            average in prop::option::of(1u64..20_000_000),
            greed in prop::collection::vec(prop::collection::vec(prop_oneof![Just(1.0), 0.0..1.0f64], 51..70), 2..4),
        ) {
            let second = DataRateLimit { bytes: (bytes as f64 * factor * 0.9) as u64, seconds: seconds * factor };
            let limits = [DataRateLimit { bytes, seconds }, second];
            let total = greed.len();
            let (mut first, mut joined) = (0, RateWindow::default());
            for (number, greed) in greed.iter().enumerate() {
                let (start, next) = (Time::new(first as i64, 25), first + greed.len());
                let end = match number + 1 == total {
                    true => PartEnd::Free,
                    false if known => PartEnd::At(Time::new(next as i64, 25)),
                    false => PartEnd::Unknown,
                };
                let margins = PartMargins { start: (number > 0).then_some(start), end, average };
                for (dts, bytes) in part(&limits, margins, first, greed) {
                    let fullest = joined.note(&limits, None, dts, bytes);
                    prop_assert!(fullest <= 1.0, "{fullest} at {dts} of part {number}");
                }
                first = next;
            }
        }
    }
}
