//! Repacking keeps the same samples in another order, bit by bit.

use crate::pictures::{buffer, bytes, codes, convert, filled, random, tagged};
use PixelFormat::*;
use proptest::prelude::*;
use retake_libav::PictureTransfer;
use retake_media::{
    Attachment, AttachmentMode, Colour, Downsampling, PixelFormat, PixelTransfer, Range, TransferOptions,
};

/// Formats with the same samples; the first of each does not state its range.
const FAMILIES: [&[PixelFormat]; 6] = [
    &[I420, I420Full, Nv12, Nv12Full],
    &[I422, Nv16, Nv16Full, Uyvy, Yuyv],
    &[I444, Nv24, Nv24Full],
    &[I010, P010, P010Full],
    &[I210, P210, P210Full, V210],
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
        if !(width % 2 == 1 && matches!(a, Uyvy | Yuyv | V210)) {
            prop_assert_eq!(bytes(&back), bytes(&source));
        }
        prop_assert_eq!(made.colour().range, source.colour().range);
    }

    /// RGB keeps its samples in any order, alpha with them.
    #[test]
    fn rgb_is_reordered(
        orders in (0_usize..3, 0_usize..3),
        wide: bool,
        (width, height) in (1_u32..40, 1_u32..20),
        seed: u32,
    ) {
        let formats = if wide { [Argb64, Rgba64, Argb64] } else { [Bgra, Argb, Rgba] };
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

/// Luma alone of ten bits lies in the high end of two bytes in one format, and in the low end in the other.
#[test]
fn luma_alone_is_shifted() {
    let source = random(Y10, 21, 3, 1);
    let made = convert(&tagged(source.clone(), full()), Gray10);
    assert!((0..21).all(|x| codes(&made, x, 2) == codes(&source, x, 2)));
    let low = made.row(0, 1).iter().step_by(2);
    assert!(low.copied().all(|byte| byte & 0x3F == 0));
    let mut back = buffer(Y10, 21, 3);
    back.attachments_mut().set(Attachment::Colour(full()), AttachmentMode::Propagate);
    PictureTransfer::new().transfer(&made, &mut back, &TransferOptions::default()).unwrap();
    assert_eq!(bytes(&back.freeze()), bytes(&source));
}

/// Of sixteen bits and of eight, the other has the nearest sample, alpha with the colours; pixels without
/// alpha are opaque.
#[test]
fn wide_pixels_become_narrow_ones_and_back() {
    let source = random(Bgra, 37, 5, 1);
    for wide in [Argb64, Rgba64] {
        let made = convert(&source, wide);
        for (x, y) in (0..5).flat_map(|y| (0..37).map(move |x| (x, y))) {
            assert_eq!(codes(&made, x, y), codes(&source, x, y).map(|code| code * 257), "{wide:?}");
        }
        assert_eq!(bytes(&convert(&made, Bgra)), bytes(&source), "{wide:?}");
    }
    let opaque = convert(&convert(&source, Rgb48), Rgba);
    assert!(opaque.rows(0).flatten().skip(3).step_by(4).all(|&alpha| alpha == 255));
    assert!((0..37).all(|x| codes(&opaque, x, 2) == codes(&source, x, 2)));
}

/// `v210` and RGB of sixteen bits lie as FFmpeg's have it, which reads and writes them without this code.
#[test]
fn packed_pictures_are_those_of_ffmpeg() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        return eprintln!("SKIPPED: no ffmpeg");
    }
    let through = |input: &[&str], output: &[&str], bytes: &[u8]| {
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error"])
            .args(input)
            .args(["-i", "-", "-f", "rawvideo"])
            .args(output)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        ffmpeg.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = ffmpeg.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    // Codes of v210 keep away from the ends of the scale, which are for synchronisation.
    let planes = filled(I210, 100, 6, |plane, x, y| 64 + ((x * 7 + y * 31 + plane * 300) % 900) as u32);
    let raw = ["-f", "rawvideo", "-s", "100x6", "-pix_fmt", "yuv422p10le"];
    let theirs = through(&raw, &["-c:v", "v210"], &bytes(&planes));
    let ours = convert(&planes, V210);
    assert!(theirs == bytes(&ours), "v210");
    assert_eq!(bytes(&convert(&ours, I210)), bytes(&planes));
    let wide = random(Rgba64, 50, 4, 3);
    let raw = ["-f", "rawvideo", "-s", "50x4", "-pix_fmt", "rgba64le"];
    let theirs = through(&raw, &["-pix_fmt", "rgb48be"], &bytes(&wide));
    assert!(theirs == bytes(&convert(&wide, Rgb48)), "b48r");
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
