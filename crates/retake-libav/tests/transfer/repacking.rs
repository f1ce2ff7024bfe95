//! Repacking keeps the same samples in another order, bit by bit.

use crate::pictures::{buffer, bytes, codes, convert, random, tagged};
use PixelFormat::*;
use proptest::prelude::*;
use retake_libav::PictureTransfer;
use retake_media::{Colour, Downsampling, PixelFormat, PixelTransfer, Range, TransferOptions};

/// Formats with the same samples; the first of each does not state its range.
const FAMILIES: [&[PixelFormat]; 6] = [
    &[I420, I420Full, Nv12, Nv12Full],
    &[I422, Nv16, Nv16Full, Uyvy, Yuyv],
    &[I444, Nv24, Nv24Full],
    &[I010, P010, P010Full],
    &[I210, P210, P210Full],
    &[I410, P410, P410Full],
];

fn full() -> Colour {
    Colour { range: Range::Full, range_known: true, ..Colour::default() }
}

proptest! {
    /// Every format of a family holds the samples of every other in the same range, and gives all of them
    /// back.
    #[test]
    fn repacking_is_exact(
        family in 0..FAMILIES.len(),
        (a, b) in (0_usize..5, 0_usize..5),
        (width, height) in (1_u32..40, 1_u32..20),
        seed: u32,
    ) {
        let family = FAMILIES[family];
        let (a, b) = (family[a % family.len()], family[b % family.len()]);
        prop_assume!(a.range().is_none() || b.range().is_none() || a.range() == b.range());
        let mut source = random(a, width, height, seed);
        if b.range() == Some(Range::Full) && a.range().is_none() {
            source = tagged(source, full());
        }
        let made = convert(&source, b);
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            prop_assert_eq!(codes(&source, x, y), codes(&made, x, y));
        }
        let back = convert(&made, a);
        // The second luma sample of half a macropixel belongs to no pixel.
        if !(width % 2 == 1 && matches!(a, Uyvy | Yuyv)) {
            prop_assert_eq!(bytes(&back), bytes(&source));
        }
        prop_assert_eq!(made.colour().range, source.colour().range);
    }

    /// RGB keeps its samples in any order, alpha with them.
    #[test]
    fn rgb_is_reordered(orders in (0_usize..3, 0_usize..3), (width, height) in (1_u32..40, 1_u32..20), seed: u32) {
        let formats = [Bgra, Argb, Rgba];
        let (a, b) = (formats[orders.0], formats[orders.1]);
        let source = random(a, width, height, seed);
        let made = convert(&source, b);
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            prop_assert_eq!(codes(&source, x, y), codes(&made, x, y));
        }
        prop_assert_eq!(bytes(&convert(&made, a)), bytes(&source));
    }

    /// More bits and more chroma lose nothing, so that a round trip restores the picture.
    #[test]
    fn wider_formats_keep_all(
        narrow in prop::sample::select(vec![I420, Nv12, I422, Nv16, I444, Nv24]),
        wide in prop::sample::select(vec![I444, Nv24, I410, P410]),
        (width, height) in (1_u32..40, 1_u32..20),
        average: bool,
        seed: u32,
    ) {
        let source = random(narrow, width, height, seed);
        let made = convert(&source, wide);
        let downsampling = if average { Downsampling::Average } else { Downsampling::Decimate };
        let mut back = buffer(narrow, width, height);
        let options = TransferOptions { downsampling, ..TransferOptions::default() };
        PictureTransfer::new().transfer(&made, &mut back, &options).unwrap();
        prop_assert_eq!(bytes(&back.freeze()), bytes(&source));
    }
}

/// Six bits below a sample of ten are ignored when read, and written as zero.
#[test]
fn bits_below_samples_have_no_meaning() {
    let mut noisy = buffer(P010, 4, 2);
    for plane in 0..2 {
        noisy.plane_mut(plane).fill(0xFF);
    }
    let noisy = noisy.freeze();
    let planar = convert(&noisy, I010);
    assert!((0..4).all(|x| codes(&planar, x, 1) == [1023; 3]));
    assert_eq!(convert(&planar, P010).row(0, 0), [0xC0, 0xFF].repeat(4));
}
