//! Half-open ranges of time, decided exactly.

use crate::Time;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A half-open range of time: the start is inside, the end is not.
#[doc(alias = "CMTimeRange")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// The first instant inside.
    pub start: Time,
    /// The time that the range lasts.
    pub duration: Time,
}

impl TimeRange {
    /// The range from zero on, for ever, which describes a writer's first pass.
    pub const EVERYTHING: Self = Self { start: Time::ZERO, duration: Time::POSITIVE_INFINITY };

    /// Makes the range that starts at `start` and lasts `duration`.
    #[doc(alias = "CMTimeRangeMake")]
    pub const fn new(start: Time, duration: Time) -> Self {
        Self { start, duration }
    }

    /// Makes the range between two instants.
    #[doc(alias = "CMTimeRangeFromTimeToTime")]
    pub fn between(start: Time, end: Time) -> Self {
        Self { start, duration: end - start }
    }

    /// Returns the first instant after the range.
    #[doc(alias = "CMTimeRangeGetEnd")]
    pub fn end(self) -> Time {
        self.start + self.duration
    }

    /// Returns whether start and duration are valid, and the duration is in epoch 0 and not negative.
    pub fn is_valid(self) -> bool {
        self.start.is_valid()
            && self.duration.is_valid()
            && self.duration.epoch() == 0
            && self.duration >= Time::ZERO
    }

    /// Returns whether start and duration are numbers, as those of silo and pass ranges must be.
    pub fn is_numeric(self) -> bool {
        self.is_valid() && self.start.is_numeric() && self.duration.is_numeric()
    }

    /// Returns whether an instant lies inside. The end does not.
    #[doc(alias = "CMTimeRangeContainsTime")]
    pub fn contains(self, time: Time) -> bool {
        self.is_valid() && time.is_numeric() && self.start <= time && !self.ends_by(time)
    }

    /// Returns whether the range is over at a numeric instant: `end <= time`, decided exactly even where
    /// [`TimeRange::end`] has to round.
    pub fn ends_by(self, time: Time) -> bool {
        if !self.is_numeric() || !time.is_numeric() {
            return self.end() <= time;
        }
        if self.start.epoch() != time.epoch() {
            return self.start.epoch() < time.epoch();
        }
        // The inequality a/s + b/t <= c/u is multiplied out: 95 bits on either side, and 31 more by the
        // other's timescale, so that nothing overflows.
        let [s, t, u] = [self.start, self.duration, time].map(|time| i128::from(time.timescale()));
        let [a, b, c] = [self.start, self.duration, time].map(|time| i128::from(time.value()));
        (a * t + b * s) * u <= c * s * t
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_numeric() {
            write!(f, "{:.3}-{:.3} s", self.start.seconds(), self.end().seconds())
        } else {
            write!(f, "{} for {}", self.start, self.duration)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 1.2: ranges are half-open.
    #[test]
    fn the_end_is_outside() {
        let range = TimeRange::new(Time::new(1, 3), Time::new(1, 7));
        assert!(range.contains(Time::new(1, 3)));
        assert!(!range.contains(range.end()));
        assert!(!TimeRange::new(Time::INVALID, Time::INVALID).contains(Time::ZERO));
        assert!(TimeRange::EVERYTHING.contains(Time::new(i64::MAX, 1)));
        assert!(TimeRange::EVERYTHING.is_valid() && !TimeRange::EVERYTHING.is_numeric());
    }

    /// T-1: where the end has no exact [`Time`] (the timescales have too large a common multiple),
    /// containment is exact all the same.
    #[test]
    fn the_end_is_exact_on_any_timescales() {
        let (p, q) = (2_147_483_629, 2_147_483_587);
        let range = TimeRange::new(Time::new(1, p), Time::new(1, q));
        assert!(range.end().has_been_rounded());
        // It holds that 1/p + 1/q < 2/q, and they differ by some 10^-17.
        assert!(range.ends_by(Time::new(2, q)) && !range.contains(Time::new(2, q)));
        assert!(!range.ends_by(Time::new(2, p)) && range.contains(Time::new(2, p)));
        let far = TimeRange::new(Time::new(i64::MAX, i32::MAX), Time::new(i64::MAX, i32::MAX));
        assert!(far.contains(Time::new(i64::MAX, i32::MAX)) && !far.contains(Time::new(i64::MAX, 1)));
    }
}
