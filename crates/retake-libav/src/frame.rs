//! Decoded frames, and the fingerprints that they are compared by.

use retake_media::PixelBuffer;
use xxhash_rust::xxh3::Xxh3Default;

/// One frame of a film.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The frame's number in presentation order, from 0.
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

/// Returns a fingerprint of a picture: xxh3 (64 bit) of the visible samples of its planes, row by row. Bytes
/// between rows do not count, nor do strides, so that equal pictures have equal fingerprints wherever they
/// lie.
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
