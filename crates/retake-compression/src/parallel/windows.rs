//! Data rate limits of a joined film: windows of decode time, those across joins among them (resolution 45).

use crate::property::DataRateLimit;
use crate::session::Watch;
use retake_media::Time;

/// A window of decode time that holds more than a limit allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Violation {
    /// The limit.
    pub limit: DataRateLimit,
    /// The decode time of the last sample in the window, which is as long as the limit says.
    pub end: Time,
    /// Bytes in it.
    pub bytes: u64,
}

/// Looks at every window that ends with a sample.
#[derive(Debug)]
pub(super) struct LimitWatch {
    lanes: Vec<Lane>,
    violations: Vec<Violation>,
}

#[derive(Debug)]
struct Lane {
    limit: DataRateLimit,
    watch: Watch,
    /// The fullest window of those that follow each other and break the limit.
    worst: Option<Violation>,
}

impl LimitWatch {
    pub(super) fn new(limits: Vec<DataRateLimit>) -> Self {
        let lanes = limits.into_iter().map(|limit| Lane { limit, watch: Watch::default(), worst: None });
        Self { lanes: lanes.collect(), violations: Vec::new() }
    }

    pub(super) fn note(&mut self, dts: Time, bytes: u64) {
        for Lane { limit, watch, worst } in &mut self.lanes {
            watch.push(dts, bytes, limit.seconds);
            let inside = watch.inside(limit.seconds);
            if inside <= limit.bytes {
                self.violations.extend(worst.take());
            } else if worst.is_none_or(|worst| inside > worst.bytes) {
                *worst = Some(Violation { limit: *limit, end: dts, bytes: inside });
            }
        }
    }

    pub(super) fn violations(mut self) -> Vec<Violation> {
        self.violations.extend(self.lanes.into_iter().filter_map(|lane| lane.worst));
        self.violations
    }
}
