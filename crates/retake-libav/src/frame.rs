//! Decoded frames.

use retake_media::{PixelBuffer, picture_hash};

/// One frame of a film.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The frame's number in presentation order, from 0; of a reader that was opened at a time, counted from
    /// the first frame that it gives out.
    pub index: u64,
    /// The time at which it is shown, in ticks of the track's time base; strictly increasing.
    pub pts: i64,
    /// The time for which it is shown, in ticks; 0 where the source does not state it.
    pub duration: i64,
    /// Whether decoding can start at this frame of the source.
    pub sync: bool,
    /// The picture, which clones share.
    pub picture: PixelBuffer,
}

impl Frame {
    /// Returns a fingerprint of the visible samples: see [`picture_hash`].
    pub fn hash(&self) -> u64 {
        picture_hash(&self.picture)
    }
}
