use crate::frame::Frame;
use retake_media::Rational;
use serde::{Deserialize, Serialize};

/// All frames of a film, in presentation order, as linear decoding found them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameIndex {
    /// Seconds a tick.
    pub time_base: Rational,
    /// The frames; time stamps strictly increase.
    pub frames: Vec<FrameEntry>,
}

impl FrameIndex {
    /// An index without frames.
    pub fn new(time_base: Rational) -> Self {
        Self { time_base, frames: Vec::new() }
    }
}

/// One frame of a [`FrameIndex`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameEntry {
    /// When it is shown, in ticks.
    pub pts: i64,
    /// How long, in ticks; 0 where the source does not say.
    pub duration: i64,
    /// [`picture_hash`](crate::picture_hash) of its picture.
    pub hash: u64,
    /// Whether decoding can start here.
    pub sync: bool,
}

impl From<&Frame> for FrameEntry {
    fn from(frame: &Frame) -> Self {
        Self { pts: frame.pts, duration: frame.duration, hash: frame.hash(), sync: frame.sync }
    }
}
