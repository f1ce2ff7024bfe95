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
    /// The picture as it would be if filters did not scale it, of films that have such
    /// ([`FilmInfo::with_unscaled`](crate::FilmInfo::with_unscaled)).
    pub unscaled: Option<PixelBuffer>,
}

/// The pictures of one frame.
pub(crate) struct Pictures {
    pub(crate) picture: PixelBuffer,
    pub(crate) unscaled: Option<PixelBuffer>,
}

impl Pictures {
    /// Returns a fingerprint as [`Frame::hash`] does.
    pub(crate) fn hash(&self) -> u64 {
        fingerprint(&self.picture, self.unscaled.as_ref())
    }
}

/// Returns one fingerprint of the pictures of a frame. That of a picture alone is its own.
fn fingerprint(picture: &PixelBuffer, unscaled: Option<&PixelBuffer>) -> u64 {
    let hash = picture_hash(picture);
    // Turned, because two that are equal would cancel each other out.
    unscaled.map_or(hash, |unscaled| hash.rotate_left(32) ^ picture_hash(unscaled))
}

impl Frame {
    /// Returns a fingerprint of the visible samples of its pictures: [`picture_hash`], where there is one.
    pub fn hash(&self) -> u64 {
        fingerprint(&self.picture, self.unscaled.as_ref())
    }
}
