//! Where the frames of a take come from: the scout, while the film is first decoded, or a reader of the exact range afterwards.

use crate::error::ExportError;
use crate::stop::StopFlag;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use retake_libav::{Advance, Frame, RangeReader};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often a waiting thread looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// A supply of the consecutive frames of one take.
pub(crate) enum Feed {
    /// Frames that the scout hands over as it decodes them, and `None` at the end of the take.
    Live(Receiver<Option<LiveFrame>>),
    /// Frames that are decoded for this take alone.
    Range(Box<RangeReader>),
}

/// A frame from the scout.
pub(crate) struct LiveFrame {
    pub frame: Frame,
    /// Counts against the frames that the scout may be ahead.
    pub place: Place,
}

impl Feed {
    /// Frames that are here already; of a range, none before it is read.
    pub(crate) fn waiting(&self) -> u64 {
        match self {
            Self::Live(frames) => frames.len() as u64,
            Self::Range(_) => 0,
        }
    }

    /// The next frame, or nothing at the end of the take.
    pub(crate) fn next(&mut self, stop: &StopFlag) -> Result<Option<FedFrame>, ExportError> {
        stop.check()?;
        match self {
            Self::Range(reader) => loop {
                match reader.advance()? {
                    Advance::Frame(frame) => return Ok(Some(FedFrame { frame: *frame, _place: None })),
                    Advance::End => return Ok(None),
                    Advance::NotYet => stop.check()?,
                }
            },
            Self::Live(receiver) => loop {
                match receiver.recv_timeout(PATIENCE) {
                    Ok(Some(LiveFrame { frame, place })) => {
                        return Ok(Some(FedFrame { frame, _place: Some(place) }));
                    }
                    Ok(None) => return Ok(None),
                    // a scout that failed lets go without a word: what came so far is not a whole take
                    Err(RecvTimeoutError::Disconnected) => return Err(ExportError::Stopped),
                    Err(RecvTimeoutError::Timeout) => stop.check()?,
                }
            },
        }
    }
}

/// A frame, and its place among the frames held in memory.
pub(crate) struct FedFrame {
    pub frame: Frame,
    _place: Option<Place>,
}

/// Bounds the number of frames that are held between the scout and the takes.
pub(crate) struct Places {
    free: Mutex<usize>,
    released: Condvar,
}

/// One frame's place, free again when dropped.
pub(crate) struct Place(Arc<Places>);

impl Places {
    pub(crate) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(count), released: Condvar::new() })
    }

    /// Waits for a free place.
    pub(crate) fn take(self: &Arc<Self>, stop: &StopFlag) -> Result<Place, ExportError> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            stop.check()?;
            free = self.released.wait_timeout(free, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Ok(Place(self.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.released.notify_one();
    }
}
