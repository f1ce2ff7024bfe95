//! The index of a film's frames, which exact ranges are checked against.

use crate::frame::Frame;
use retake_media::Rational;
use serde::{Deserialize, Serialize};

/// Lists all frames of a film, in presentation order, as linear decoding found them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameIndex {
    /// The seconds a tick.
    pub time_base: Rational,
    /// The frames, whose time stamps strictly increase.
    pub frames: Vec<FrameEntry>,
}

impl FrameIndex {
    /// Makes an index without frames.
    pub fn new(time_base: Rational) -> Self {
        Self { time_base, frames: Vec::new() }
    }
}

/// One frame of a [`FrameIndex`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameEntry {
    /// The time at which it is shown, in ticks.
    pub pts: i64,
    /// The time for which it is shown, in ticks; 0 where the source does not state it.
    pub duration: i64,
    /// The [`hash`](Frame::hash) of the frame.
    pub hash: u64,
    /// Whether decoding can start here.
    pub sync: bool,
}

impl From<&Frame> for FrameEntry {
    fn from(frame: &Frame) -> Self {
        Self { pts: frame.pts, duration: frame.duration, hash: frame.hash(), sync: frame.sync }
    }
}
