//! This module indexes the source: it finds its frames, its scenes, and the units that it is planned in.

pub(crate) mod journal;
pub(crate) mod range_file;
pub(crate) mod ranges;
pub(crate) mod scout;
pub(crate) mod units;

use crate::error::ExportError;
use crate::stop::StopFlag;
use retake_compression::units::FrameRange;
use retake_libav::{Finding, Frame, FrameIndex};
use retake_media::Rational;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A waiting thread checks at this interval whether it must stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// A map holds frames and units from the start of the film on.
#[derive(Debug, Clone)]
pub(crate) struct FilmMap {
    pub index: FrameIndex,
    pub units: Vec<FrameRange>,
    /// The first frame of each scene.
    pub scenes: Vec<u64>,
    /// True if the end of the film has been reached.
    pub complete: bool,
    /// What was found on the way through the film, once the end has been reached.
    pub findings: Vec<Finding>,
}

impl FilmMap {
    /// Returns a map of which nothing is known yet.
    pub(crate) fn new(time_base: Rational) -> Self {
        let index = FrameIndex { time_base, frames: Vec::new() };
        Self { index, units: Vec::new(), scenes: Vec::new(), complete: false, findings: Vec::new() }
    }

    /// Returns the duration of the film in seconds, up to the end of its last frame. If that frame has no
    /// duration, it counts as long as the frame before.
    pub(crate) fn seconds(&self) -> f64 {
        let frames = &self.index.frames;
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return 0.0 };
        let before = frames.iter().rev().nth(1).map_or(0, |before| last.pts - before.pts);
        let tail = if last.duration > 0 { last.duration } else { before };
        let seconds = (last.pts - first.pts + tail) as f64 * self.index.time_base.to_f64();
        // a film of one frame without a duration needs some positive number
        if seconds > 0.0 { seconds } else { 0.04 }
    }
}

/// The scout decoded this frame.
pub(crate) struct ScoutedFrame {
    pub frame: Frame,
    /// The permit counts against the frames that the scout may be ahead.
    pub permit: MemoryPermit,
}

/// Permits bound the number of frames that are held between the scout and the takes.
pub(crate) struct MemoryPermits {
    free: Mutex<usize>,
    released: Condvar,
}

/// A permit is room for one frame, which is free again when it is dropped.
pub(crate) struct MemoryPermit(Arc<MemoryPermits>);

impl MemoryPermits {
    pub(crate) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(count), released: Condvar::new() })
    }

    /// Waits for room, or until it must stop.
    pub(crate) fn take(self: &Arc<Self>, stop: &StopFlag) -> Result<MemoryPermit, ExportError> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            stop.check()?;
            free = self.released.wait_timeout(free, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Ok(MemoryPermit(self.clone()))
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.released.notify_one();
    }
}
