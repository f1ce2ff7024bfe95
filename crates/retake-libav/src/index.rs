use crate::reader::Frame;
use retake_media::{PixelBuffer, Rational};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

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
    /// [`picture_hash`] of its picture.
    pub hash: u64,
    /// Whether decoding can start here.
    pub sync: bool,
}

impl From<&Frame> for FrameEntry {
    fn from(frame: &Frame) -> Self {
        Self { pts: frame.pts, duration: frame.duration, hash: frame.hash(), sync: frame.sync }
    }
}

/// A fingerprint of a picture: xxh3 (64 bit) of the visible samples of its planes, row by row. What lies between rows does not count,
/// nor do strides, so that equal pictures have equal fingerprints wherever they lie.
pub fn picture_hash(picture: &PixelBuffer) -> u64 {
    let mut hash = Xxh3Default::new();
    for plane in 0..3 {
        let geometry = picture.geometry(plane);
        let row = geometry.samples * picture.format().bytes_per_sample();
        if row == geometry.stride {
            hash.update(&picture.plane(plane)[..row * geometry.rows]);
        } else {
            picture.rows(plane).for_each(|row| hash.update(row));
        }
    }
    hash.digest()
}
