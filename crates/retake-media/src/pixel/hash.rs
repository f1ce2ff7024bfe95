//! The fingerprints that pictures are compared by.

use super::PixelBuffer;
use xxhash_rust::xxh3::Xxh3Default;

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
