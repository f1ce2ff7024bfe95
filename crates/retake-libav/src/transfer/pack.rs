//! The same samples in another order: between formats of one plane or two and their planar twins. Exact in both directions.

use super::view::{Target, View};
use retake_media::PixelFormat;

/// The planar format with the same samples; itself where a format is planar, or has luma alone. RGB becomes 4:4:4 planes of green, blue, red,
/// as matrix 0 of H.273 orders them.
pub(super) fn twin(format: PixelFormat) -> PixelFormat {
    use PixelFormat::*;
    match format {
        I420 | I420Full | Nv12 | Nv12Full => I420,
        I422 | Nv16 | Nv16Full | Uyvy | Yuyv => I422,
        I444 | Nv24 | Nv24Full | Bgra | Argb | Rgba => I444,
        I010 | P010 | P010Full => I010,
        I210 | P210 | P210Full => I210,
        I410 | P410 | P410Full => I410,
        Gray8 => Gray8,
    }
}

/// Whether samples lie as in the twin already.
pub(super) fn is_plain(format: PixelFormat) -> bool {
    format.same_layout(twin(format))
}

/// Where in a pixel of four bytes green, blue, red and alpha are.
fn rgb_order(format: PixelFormat) -> [usize; 4] {
    match format {
        PixelFormat::Argb => [2, 3, 1, 0],
        PixelFormat::Rgba => [1, 2, 0, 3],
        _ => [1, 0, 2, 3],
    }
}

/// Where in a macropixel of four bytes the first Y, Cb and Cr are; the second Y follows two bytes later.
fn packed_order(format: PixelFormat) -> [usize; 3] {
    if format == PixelFormat::Uyvy { [1, 0, 2] } else { [0, 1, 3] }
}

/// Takes a picture apart into its planar twin.
pub(super) fn unpack(from: &View<'_>, to: &mut Target<'_>) {
    let deep = from.format.bytes_per_sample() == 2;
    for plane in 0..3 {
        for row in 0..to.rows(plane) {
            let out = to.row(plane, row);
            match from.format.planes() {
                1 if from.format.is_rgb() => pick::<4>(from.row(0, row), rgb_order(from.format)[plane], out),
                1 if plane == 0 => pick::<2>(from.row(0, row), packed_order(from.format)[0], out),
                1 => pick::<4>(from.row(0, row), packed_order(from.format)[plane], out),
                _ if plane == 0 && deep => lower(from.row(0, row), out),
                _ if plane == 0 => out.copy_from_slice(from.row(0, row)),
                _ if deep => pick_deep(from.row(1, row), plane - 1, out),
                _ => pick::<2>(from.row(1, row), plane - 1, out),
            }
        }
    }
}

/// Puts a picture together from its planar twin; alpha is left alone.
pub(super) fn pack(from: &View<'_>, to: &mut Target<'_>) {
    let (format, deep) = (to.format, to.format.bytes_per_sample() == 2);
    for plane in 0..3 {
        for row in 0..from.rows(plane) {
            let samples = from.row(plane, row);
            match format.planes() {
                1 if format.is_rgb() => put::<4>(samples, rgb_order(format)[plane], to.row(0, row)),
                1 if plane == 0 => put::<2>(samples, packed_order(format)[0], to.row(0, row)),
                1 => put::<4>(samples, packed_order(format)[plane], to.row(0, row)),
                _ if plane == 0 && deep => raise(samples, to.row(0, row)),
                _ if plane == 0 => to.row(0, row).copy_from_slice(samples),
                _ if deep => put_deep(samples, plane - 1, to.row(1, row)),
                _ => put::<2>(samples, plane - 1, to.row(1, row)),
            }
        }
    }
    // an odd number of pixels leaves half a macropixel over
    if format.chroma_block() == Some((2, 1)) && format.planes() == 1 && from.width % 2 == 1 {
        let second = packed_order(format)[0] + 2;
        for row in 0..from.rows(0) {
            let last = from.row(0, row)[from.width as usize - 1];
            let macropixel = to.row(0, row).len() - 4;
            to.row(0, row)[macropixel + second] = last;
        }
    }
}

/// The alpha values of a picture.
pub(super) fn unpack_alpha(from: &View<'_>, to: &mut Target<'_>) {
    for row in 0..from.rows(0) {
        pick::<4>(from.row(0, row), rgb_order(from.format)[3], to.row(0, row));
    }
}

/// Gives a picture its alpha values; without any, it is opaque.
pub(super) fn pack_alpha(from: Option<&View<'_>>, to: &mut Target<'_>) {
    let place = rgb_order(to.format)[3];
    for row in 0..to.rows(0) {
        match from {
            Some(from) => put::<4>(from.row(0, row), place, to.row(0, row)),
            None => to.row(0, row).chunks_exact_mut(4).for_each(|pixel| pixel[place] = 255),
        }
    }
}

/// Every `N`th byte from `first` on.
fn pick<const N: usize>(from: &[u8], first: usize, to: &mut [u8]) {
    for (to, group) in to.iter_mut().zip(from.chunks_exact(N)) {
        *to = group[first];
    }
}

fn put<const N: usize>(from: &[u8], first: usize, to: &mut [u8]) {
    for (from, group) in from.iter().zip(to.chunks_exact_mut(N)) {
        group[first] = *from;
    }
}

/// How far samples of ten bits lie above the low end of their two bytes, in formats of two planes.
const SHIFT: u32 = PixelFormat::P010.bit_shift();

fn lower(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.chunks_exact_mut(2).zip(from.chunks_exact(2)) {
        to.copy_from_slice(&(u16::from_le_bytes([from[0], from[1]]) >> SHIFT).to_le_bytes());
    }
}

fn raise(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.chunks_exact_mut(2).zip(from.chunks_exact(2)) {
        to.copy_from_slice(&(u16::from_le_bytes([from[0], from[1]]) << SHIFT).to_le_bytes());
    }
}

fn pick_deep(from: &[u8], which: usize, to: &mut [u8]) {
    for (to, pair) in to.chunks_exact_mut(2).zip(from.chunks_exact(4)) {
        let sample = u16::from_le_bytes([pair[2 * which], pair[2 * which + 1]]);
        to.copy_from_slice(&(sample >> SHIFT).to_le_bytes());
    }
}

fn put_deep(from: &[u8], which: usize, to: &mut [u8]) {
    for (pair, from) in to.chunks_exact_mut(4).zip(from.chunks_exact(2)) {
        let sample = u16::from_le_bytes([from[0], from[1]]) << SHIFT;
        pair[2 * which..][..2].copy_from_slice(&sample.to_le_bytes());
    }
}
