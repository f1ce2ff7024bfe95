//! Data rate limits of a joined film: windows of decode time, those across joins among them (resolution 45).

use super::window::RateWindow;
use crate::property::DataRateLimit;
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
pub struct LimitReport {
    lanes: Vec<Lane>,
    violations: Vec<Violation>,
}

#[derive(Debug)]
struct Lane {
    limit: DataRateLimit,
    window: RateWindow,
    /// The fullest window of those that follow each other and break the limit.
    worst: Option<Violation>,
}

impl LimitReport {
    /// A report that looks at these limits.
    pub fn new(limits: Vec<DataRateLimit>) -> Self {
        let lanes =
            limits.into_iter().map(|limit| Lane { limit, window: RateWindow::default(), worst: None });
        Self { lanes: lanes.collect(), violations: Vec::new() }
    }

    /// Takes note of the next sample in decode order.
    pub fn note(&mut self, dts: Time, bytes: u64) {
        for Lane { limit, window, worst } in &mut self.lanes {
            window.push(dts, bytes, limit.seconds);
            let inside = window.bytes(limit.seconds);
            if inside <= limit.bytes {
                self.violations.extend(worst.take());
            } else if worst.is_none_or(|worst| inside > worst.bytes) {
                *worst = Some(Violation { limit: *limit, end: dts, bytes: inside });
            }
        }
    }

    /// The fullest of the windows, in decode order, that follow each other and break the same limit.
    pub fn violations(mut self) -> Vec<Violation> {
        self.violations.extend(self.lanes.into_iter().filter_map(|lane| lane.worst));
        self.violations
    }
}
