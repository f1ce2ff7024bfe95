//! When a sync frame is due: kept above the encoder, because no encoder knows times.

use crate::property::{Values, set_value};
use retake_media::Time;

/// Counts from the last sync frame that was forced or began an encode. Sync frames that the encoder put in by
/// itself are not counted from: when they become known depends on the encoder's delay, and bytes may not.
#[derive(Debug, Default)]
pub(super) struct KeyFrames {
    last: Option<Time>,
    since: u32,
}

impl KeyFrames {
    /// Whether the frame has to be a sync frame by the intervals. `interval` is what the encoder itself
    /// keeps; 0 if nothing.
    pub(super) fn due(&self, values: &Values, interval: u32, pts: Time) -> bool {
        let Some(last) = self.last else { return true };
        if set_value!(values, AllowTemporalCompression) == Some(&false) {
            return true;
        }
        let seconds = set_value!(values, MaxKeyFrameIntervalDuration).copied().unwrap_or(0.0);
        if seconds > 0.0 && pts.subtract(last).seconds() >= seconds - 1e-9 {
            return true;
        }
        let frames = set_value!(values, MaxKeyFrameInterval).copied().unwrap_or(0);
        let kept_by_encoder = interval > 0 && interval <= frames;
        frames > 0 && !kept_by_encoder && self.since >= frames
    }

    /// Notes frames that are sent again, the first of which begins an encode, in place of all since then.
    pub(super) fn again(&mut self, frames: impl Iterator<Item = (Time, bool)>) {
        for (number, (pts, forced)) in frames.enumerate() {
            self.sent(pts, forced || number == 0);
        }
    }

    /// Notes a frame that is sent.
    pub(super) fn sent(&mut self, pts: Time, sync: bool) {
        if sync {
            self.last = Some(pts);
            self.since = 0;
        }
        self.since = self.since.saturating_add(1);
    }
}
