//! This module checks the time ranges of a pass, and finds the range of an instant.

use super::SiloError;
use retake_media::{Time, TimeRange};

/// The ranges are numeric and ascending, and do not overlap.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranges {
    ranges: Vec<TimeRange>,
    /// For each range, and behind the last, this is the duration of all ranges before it, in seconds.
    before: Vec<f64>,
}

impl Ranges {
    /// Checks all ranges before anything is changed (FS-13).
    pub(super) fn new(ranges: &[TimeRange]) -> Result<Self, SiloError> {
        let wrong = |range: &TimeRange, reason| Err(SiloError::TimeRange { range: *range, reason });
        for (index, range) in ranges.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| ranges[before]);
            if !range.is_numeric() {
                return wrong(range, "start and duration must be numbers, and the duration not negative");
            }
            if before.is_some_and(|before| range.start < before.start) {
                return wrong(range, "ranges must ascend by start");
            }
            if before.is_some_and(|before| !before.ends_by(range.start)) {
                return wrong(range, "it begins before the range before it ends: is its duration an end?");
            }
        }
        let mut before = vec![0.0];
        before.extend(ranges.iter().scan(0.0, |sum, range| {
            *sum += range.duration.seconds();
            Some(*sum)
        }));
        Ok(Self { ranges: ranges.to_vec(), before })
    }

    pub(super) fn as_slice(&self) -> &[TimeRange] {
        &self.ranges
    }

    /// Returns the index of the range that holds an instant.
    pub(super) fn find(&self, time: Time) -> Option<usize> {
        let after = self.ranges.partition_point(|range| range.start <= time);
        // of several ranges with one start, all but the last are empty
        let index = after.checked_sub(1)?;
        self.ranges[index].contains(time).then_some(index)
    }

    /// Returns the duration of all ranges together, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.before[self.ranges.len()]
    }

    /// Returns how much of the ranges lies before a sample's end, in seconds (FS-20). A sample outside (in an
    /// unrestricted pass) is measured from the first range's start.
    pub(super) fn seconds_until(&self, key: Time, duration: Time) -> f64 {
        let index = self.find(key).unwrap_or(0);
        let start = self.ranges.get(index).map_or(key, |range| range.start);
        let length = if duration.is_numeric() { duration.seconds() } else { 0.0 };
        self.before[index] + (key - start).seconds() + length
    }
}
