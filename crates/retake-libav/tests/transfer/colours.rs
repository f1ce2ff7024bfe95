//! Matrices, ranges, depths and chroma are compared with the formulas of H.273 in double precision, pixel by
//! pixel.

use crate::pictures::{buffer, codes, convert, random, solid, tagged, transfer};
use proptest::prelude::*;
use retake_libav::PictureTransfer;
use retake_media::{
    Attachment, AttachmentMode, Colour, Downsampling, PixelBuffer, PixelFormat, PixelTransfer, Range,
    TransferOptions,
};

/// Kr and Kb of the matrices, by code point.
const MATRICES: [(u8, f64, f64); 5] =
    [(1, 0.2126, 0.0722), (4, 0.30, 0.11), (6, 0.299, 0.114), (7, 0.212, 0.087), (9, 0.2627, 0.0593)];

/// Returns codes as numbers: RGB in 0…1, Y in 0…1, Cb and Cr in −½…½.
fn normal(format: PixelFormat, range: Range, codes: [f64; 3]) -> [f64; 3] {
    let unit = f64::from(1_u32 << (format.bit_depth() - 8));
    let peak = f64::from((1_u32 << format.bit_depth()) - 1);
    let [a, b, c] = codes;
    match (format.is_rgb(), range) {
        (true, _) => [a / peak, b / peak, c / peak],
        (_, Range::Full) => [a / peak, (b - 128.0 * unit) / peak, (c - 128.0 * unit) / peak],
        (_, Range::Limited) => {
            [(a / unit - 16.0) / 219.0, (b / unit - 128.0) / 224.0, (c / unit - 128.0) / 224.0]
        }
    }
}

fn quantised(format: PixelFormat, range: Range, [a, b, c]: [f64; 3]) -> [f64; 3] {
    let unit = f64::from(1_u32 << (format.bit_depth() - 8));
    let peak = f64::from((1_u32 << format.bit_depth()) - 1);
    let codes = match (format.is_rgb(), range) {
        (true, _) => [a * peak, b * peak, c * peak],
        (_, Range::Full) => [a * peak, b * peak + 128.0 * unit, c * peak + 128.0 * unit],
        (_, Range::Limited) => {
            [(a * 219.0 + 16.0) * unit, (b * 224.0 + 128.0) * unit, (c * 224.0 + 128.0) * unit]
        }
    };
    codes.map(|code| code.clamp(0.0, peak))
}

/// Returns red, green and blue of normal numbers.
fn light(format: PixelFormat, (_, kr, kb): (u8, f64, f64), [y, cb, cr]: [f64; 3]) -> [f64; 3] {
    if format.is_rgb() {
        return [y, cb, cr];
    }
    let (r, b) = (y + 2.0 * (1.0 - kr) * cr, y + 2.0 * (1.0 - kb) * cb);
    [r, (y - kr * r - kb * b) / (1.0 - kr - kb), b]
}

fn numbers(format: PixelFormat, (_, kr, kb): (u8, f64, f64), [r, g, b]: [f64; 3]) -> [f64; 3] {
    if format.is_rgb() {
        return [r, g, b];
    }
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    [y, (b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr))]
}

/// Returns the mean of the pixels of a chroma block, or the pixel at its upper left.
fn chroma(
    picture: &PixelBuffer,
    block: (u32, u32),
    (x, y): (u32, u32),
    downsampling: Downsampling,
    value: impl Fn(u32, u32) -> [f64; 3],
) -> [f64; 3] {
    let (left, top) = (x / block.0 * block.0, y / block.1 * block.1);
    if downsampling == Downsampling::Decimate {
        return value(left, top);
    }
    let columns = left..(left + block.0).min(picture.width());
    let rows = top..(top + block.1).min(picture.height());
    let count = f64::from((columns.end - columns.start) * (rows.end - rows.start));
    let mut sum = [0.0; 3];
    for (x, y) in rows.flat_map(|y| columns.clone().map(move |x| (x, y))) {
        sum.iter_mut().zip(value(x, y)).for_each(|(sum, value)| *sum += value);
    }
    sum.map(|sum| sum / count)
}

fn any_format() -> impl Strategy<Value = PixelFormat> {
    prop::sample::select(PixelFormat::ALL.to_vec())
}

fn any_range() -> impl Strategy<Value = Range> {
    prop::sample::select(vec![Range::Limited, Range::Full])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Spec 13: every sample is the nearest to the exact result, whatever the formats, ranges and matrices.
    #[test]
    fn samples_are_the_nearest_to_the_exact_ones(
        (from, to) in (any_format(), any_format()),
        (from_range, to_range) in (any_range(), any_range()),
        (from_matrix, to_matrix) in (0_usize..5, 0_usize..5),
        (width, height) in (1_u32..14, 1_u32..10),
        average: bool,
        seed: u32,
    ) {
        let (from_matrix, to_matrix) = (MATRICES[from_matrix], MATRICES[to_matrix]);
        let downsampling = if average { Downsampling::Average } else { Downsampling::Decimate };
        let from_range = from.range().unwrap_or(from_range);
        let colour = Colour { matrix: from_matrix.0, range: from_range, range_known: true, ..Colour::default() };
        let source = tagged(random(from, width, height, seed), colour);
        let options = TransferOptions {
            downsampling,
            destination_matrix: Some(to_matrix.0),
            ..TransferOptions::default()
        };
        let mut made = buffer(to, width, height);
        let wish = Colour { range: to_range, range_known: true, ..Colour::default() };
        made.attachments_mut().set(
            Attachment::Colour(wish),
            AttachmentMode::Propagate,
        );
        PictureTransfer::new().transfer(&source, &mut made, &options).unwrap();
        let made = made.freeze();
        let to_range = to.range().unwrap_or(to_range);

        // Without chroma there is no colour to convert.
        let gray = |format: PixelFormat| format.chroma_block().is_none();
        let exact = |x: u32, y: u32| {
            let normal = normal(from, from_range, codes(&source, x, y).map(f64::from));
            match gray(from) {
                true => numbers(to, to_matrix, [normal[0]; 3]),
                false => numbers(to, to_matrix, light(from, from_matrix, normal)),
            }
        };
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            let mut expected = exact(x, y);
            if let Some(block) = to.chroma_block() {
                let shared = chroma(&source, block, (x, y), downsampling, exact);
                if !to.is_rgb() {
                    expected = [expected[0], shared[1], shared[2]];
                }
            }
            let expected = quantised(to, to_range, expected);
            let got = codes(&made, x, y);
            for channel in 0..if gray(to) { 1 } else { 3 } {
                // Numbers of 24 bits are a little coarse for sixteen.
                let slack = if to.bit_depth() == 16 { 0.1 } else { 1e-3 };
                let error = (f64::from(got[channel]) - expected[channel]).abs();
                prop_assert!(
                    error <= 0.5 + slack,
                    "{:?} to {:?} at {},{}: channel {} is {} and not {}",
                    from, to, x, y, channel, got[channel], expected[channel]
                );
            }
        }
    }
}

/// The corners of the colour cube have the numbers that are printed in BT.601 and BT.709 tables.
#[test]
fn known_colours() {
    let limited = |matrix| Colour { matrix, range_known: true, ..Colour::default() };
    let rgb = |colour, matrix| {
        let picture = tagged(solid(PixelFormat::Nv12, 4, 2, colour), limited(matrix));
        codes(&convert(&picture, PixelFormat::Bgra), 3, 1)
    };
    assert_eq!(rgb([235, 128, 128], 1), [255; 3]);
    assert_eq!(rgb([16, 128, 128], 1), [0; 3]);
    assert_eq!(rgb([81, 90, 240], 6), [254, 0, 0]);
    assert_eq!(rgb([63, 102, 240], 1), [255, 1, 0]);
    let yuv = |colour, matrix| {
        let options = TransferOptions { destination_matrix: Some(matrix), ..TransferOptions::default() };
        let picture = transfer(&solid(PixelFormat::Rgba, 4, 2, colour), PixelFormat::Nv12, (4, 2), &options);
        codes(&picture.unwrap(), 3, 1)
    };
    assert_eq!(yuv([255, 0, 0], 6), [81, 90, 240]);
    assert_eq!(yuv([0, 0, 255], 6), [41, 240, 110]);
    assert_eq!(yuv([255, 0, 0], 1), [63, 102, 240]);
}

/// Unsupported conversions are refused with -12905, and not passed on under a false name.
#[test]
fn what_is_not_converted_is_refused() {
    let colour = Colour { primaries: 9, transfer: 16, matrix: 9, ..Colour::default() };
    let source = tagged(random(PixelFormat::P010, 8, 8, 1), colour);
    let code = |options: TransferOptions| {
        transfer(&source, PixelFormat::Nv12, (8, 8), &options).err().map(|error| error.code())
    };
    let usual = TransferOptions::default();
    assert_eq!(code(usual), None);
    assert_eq!(code(TransferOptions { destination_primaries: Some(9), ..usual }), None);
    assert_eq!(code(TransferOptions { destination_primaries: Some(1), ..usual }), None);
    assert_eq!(code(TransferOptions { destination_primaries: Some(99), ..usual }), Some(-12905));
    assert_eq!(code(TransferOptions { destination_transfer: Some(1), ..usual }), None);
    assert_eq!(code(TransferOptions { destination_transfer: Some(9), ..usual }), Some(-12905));
    assert_eq!(code(TransferOptions { destination_matrix: Some(1), ..usual }), None);
    assert_eq!(code(TransferOptions { destination_matrix: Some(10), ..usual }), Some(-12905));
}
