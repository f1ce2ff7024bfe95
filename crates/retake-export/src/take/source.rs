//! Where the frames of a take come from: the scout, while the film is first decoded, or a reader of the exact
//! range afterwards.

use crate::error::ExportError;
use crate::index::{MemoryPermit, ScoutedFrame};
use crate::stop::StopFlag;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use retake_libav::{Advance, Frame, RangeReader};
use std::time::Duration;

/// How often a waiting thread looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// A supply of the consecutive frames of one take.
pub(crate) enum FrameSource {
    /// Frames that the scout hands over as it decodes them, and `None` at the end of the take.
    Scouted(Receiver<Option<ScoutedFrame>>),
    /// Frames that are decoded for this take alone.
    Range(Box<RangeReader>),
}

/// A frame, and its room in memory, which is free again when the frame is dropped.
pub(crate) struct TakeFrame {
    pub frame: Frame,
    _permit: Option<MemoryPermit>,
}

impl FrameSource {
    /// Frames that are here already; of a range, none before it is read.
    pub(crate) fn waiting(&self) -> u64 {
        match self {
            Self::Scouted(frames) => frames.len() as u64,
            Self::Range(_) => 0,
        }
    }

    /// The reader of a range, which can be read again.
    pub(crate) fn reader(&mut self) -> Option<&mut RangeReader> {
        match self {
            Self::Scouted(_) => None,
            Self::Range(reader) => Some(reader),
        }
    }

    /// The next frame, or nothing at the end of the take.
    pub(crate) fn next(&mut self, stop: &StopFlag) -> Result<Option<TakeFrame>, ExportError> {
        stop.check()?;
        match self {
            Self::Range(reader) => loop {
                match reader.advance()? {
                    Advance::Frame(frame) => return Ok(Some(TakeFrame { frame: *frame, _permit: None })),
                    Advance::End => return Ok(None),
                    Advance::NotYet => stop.check()?,
                }
            },
            Self::Scouted(receiver) => loop {
                match receiver.recv_timeout(PATIENCE) {
                    Ok(Some(ScoutedFrame { frame, permit })) => {
                        return Ok(Some(TakeFrame { frame, _permit: Some(permit) }));
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
