//! When the frames of a recorded film are shown.

use super::Records;

/// Tells when each frame is shown, from its number.
pub(crate) struct FrameClock {
    /// For each run of equal steps: its first frame, when that is shown, and the seconds of a step.
    runs: Vec<(u64, f64, f64)>,
    /// When the first frame is shown, in seconds on the clock of the source.
    pub origin: f64,
}

impl FrameClock {
    pub(crate) fn of(records: &Records) -> Self {
        let tick = records.index.time_base.map_or(0.0, |base| base.to_f64());
        let rate = records.source.frame_rate.to_f64();
        let usual = if rate > 0.0 { 1.0 / rate } else { 0.04 };
        let (mut runs, mut frame, mut seconds) = (Vec::new(), 0u64, 0.0);
        for &(count, ticks) in &records.index.steps {
            let step = ticks as f64 * tick;
            runs.push((frame, seconds, step));
            frame = frame.saturating_add(count);
            seconds += step * count as f64;
        }
        if runs.is_empty() {
            runs.push((0, 0.0, usual));
        }
        Self { runs, origin: records.index.first as f64 * tick }
    }

    /// Returns when a frame is shown, in seconds from the first one.
    pub(crate) fn seconds(&self, frame: u64) -> f64 {
        let run = self.runs.partition_point(|(first, _, _)| *first <= frame).saturating_sub(1);
        let (first, seconds, step) = self.runs[run];
        seconds + (frame - first) as f64 * step
    }
}
