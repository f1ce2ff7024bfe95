//! Parts of a picture end up at their places.

use crate::pictures::{codes, filled, random, solid, tagged, transfer};
use proptest::prelude::*;
use retake_media::{
    Attachment, Attachments, CleanAperture, Colour, PixelBuffer, PixelFormat, Rational, ScalingMode,
    TransferOptions,
};

const GREEN: [u32; 3] = [140, 60, 70];
const RED: [u32; 3] = [90, 100, 200];
const BLACK: [u32; 3] = [16, 128, 128];

fn mode(scaling_mode: ScalingMode) -> TransferOptions {
    TransferOptions { scaling_mode, ..TransferOptions::default() }
}

/// Makes a green picture with everything outside of columns and rows in red.
fn framed(
    width: u32,
    height: u32,
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
) -> PixelBuffer {
    filled(PixelFormat::I420, width, height, |plane, x, y| {
        let scale = if plane == 0 { 1 } else { 2 };
        let inside = columns.contains(&(x * scale)) && rows.contains(&(y * scale));
        if inside { GREEN[plane] } else { RED[plane] }
    })
}

/// Returns left, top, right and bottom edge of the part that does not have the given colour.
fn bounds(picture: &PixelBuffer, outside: [u32; 3]) -> [u32; 4] {
    let pixels = || (0..picture.height()).flat_map(|y| (0..picture.width()).map(move |x| (x, y)));
    let inside: Vec<(u32, u32)> = pixels().filter(|&(x, y)| codes(picture, x, y) != outside).collect();
    let columns = inside.iter().map(|pixel| pixel.0);
    let rows = inside.iter().map(|pixel| pixel.1);
    let end = |last: Option<u32>| last.map_or(0, |last| last + 1);
    [columns.clone().min().unwrap_or(0), rows.clone().min().unwrap_or(0), end(columns.max()), end(rows.max())]
}

fn all_are(picture: &PixelBuffer, colour: [u32; 3]) -> bool {
    bounds(picture, colour) == [0; 4]
}

fn shaped(picture: PixelBuffer, ratio: Option<Rational>, aperture: Option<CleanAperture>) -> PixelBuffer {
    let attachments = [ratio.map(Attachment::PixelAspectRatio), aperture.map(Attachment::CleanAperture)];
    picture.with_attachments(attachments.into_iter().flatten().fold(Attachments::NONE, Attachments::with))
}

/// `ScalingMode::Normal`: the whole source fills the whole destination, whatever apertures and pixels say.
#[test]
fn normal_fills_everything() {
    let aperture = CleanAperture::full(10, 10);
    let source = shaped(solid(PixelFormat::I420, 64, 48, GREEN), Some(Rational::new(2, 1)), Some(aperture));
    let options = TransferOptions {
        destination_clean_aperture: Some(aperture),
        destination_pixel_aspect_ratio: Some(Rational::new(1, 3)),
        ..TransferOptions::default()
    };
    let made = transfer(&source, PixelFormat::I420, (160, 90), &options).unwrap();
    assert!(all_are(&made, GREEN));
}

/// `ScalingMode::Letterbox`: 4:3 fits in 16:9 and the other way round, with pixels that are not square, and
/// within an aperture.
#[test]
fn letterbox_keeps_the_shape() {
    let fitted = |from: (u32, u32), ratio: Option<Rational>, to: (u32, u32), options: TransferOptions| {
        let source = shaped(solid(PixelFormat::I420, from.0, from.1, GREEN), ratio, None);
        let made = transfer(&source, PixelFormat::I420, to, &options).unwrap();
        let found = bounds(&made, BLACK);
        let [left, top, right, bottom] = found;
        for (x, y) in (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y))) {
            assert_eq!(codes(&made, x, y), GREEN);
        }
        found
    };
    let letterbox = mode(ScalingMode::Letterbox);
    assert_eq!(fitted((64, 48), None, (160, 90), letterbox), [20, 0, 140, 90]);
    assert_eq!(fitted((160, 90), None, (64, 48), letterbox), [0, 6, 64, 42]);
    assert_eq!(fitted((64, 48), None, (64, 48), letterbox), [0, 0, 64, 48]);
    // Pixels of 4:3 make 64×48 as wide as 16:9; by default they stay so.
    let square = TransferOptions { destination_pixel_aspect_ratio: Some(Rational::new(1, 1)), ..letterbox };
    assert_eq!(fitted((64, 48), Some(Rational::new(4, 3)), (160, 90), square), [0, 0, 160, 90]);
    assert_eq!(fitted((64, 48), Some(Rational::new(4, 3)), (160, 90), letterbox), [20, 0, 140, 90]);
    // The aperture is 40×30 in the middle, moved by 8 to the right.
    let offset = Rational::new(8, 1);
    let aperture = CleanAperture { horizontal_offset: offset, ..CleanAperture::full(80, 30) };
    let inside = TransferOptions { destination_clean_aperture: Some(aperture), ..letterbox };
    assert_eq!(fitted((64, 48), None, (160, 90), inside), [68, 30, 108, 60]);
}

/// `ScalingMode::Trim`: the destination is full, and the excess of the source is not seen.
#[test]
fn trim_cuts_off_what_is_too_much() {
    let trimmed = |source: &PixelBuffer, to: (u32, u32), options| {
        all_are(&transfer(source, PixelFormat::I420, to, &options).unwrap(), GREEN)
    };
    let trim = mode(ScalingMode::Trim);
    // 160×90 to 4:3 shows 120 columns, from 20 on.
    assert!(trimmed(&framed(160, 90, 20..140, 0..90), (64, 48), trim));
    assert!(!trimmed(&framed(160, 90, 22..140, 0..90), (64, 48), trim));
    assert!(!trimmed(&framed(160, 90, 20..138, 0..90), (64, 48), trim));
    // 64×48 to 16:9 shows 36 rows.
    assert!(trimmed(&framed(64, 48, 0..64, 6..42), (160, 90), trim));
    assert!(!trimmed(&framed(64, 48, 0..64, 8..42), (160, 90), trim));
    // Pixels twice as wide as high in the destination need a source twice as wide.
    let wide = TransferOptions { destination_pixel_aspect_ratio: Some(Rational::new(2, 1)), ..trim };
    assert!(trimmed(&framed(64, 64, 0..64, 16..48), (32, 32), wide));
}

/// `ScalingMode::CropSourceToCleanAperture`: one aperture fills the other.
#[test]
fn crop_shows_the_clean_aperture() {
    let aperture = CleanAperture { vertical_offset: Rational::new(-4, 1), ..CleanAperture::full(48, 24) };
    let source = shaped(framed(64, 48, 8..56, 8..32), None, Some(aperture));
    let crop = mode(ScalingMode::CropSourceToCleanAperture);
    let made = transfer(&source, PixelFormat::I420, (100, 20), &crop).unwrap();
    assert!(all_are(&made, GREEN));
    let inner = TransferOptions { destination_clean_aperture: Some(CleanAperture::full(80, 12)), ..crop };
    let made = transfer(&source, PixelFormat::I420, (100, 20), &inner).unwrap();
    assert_eq!(bounds(&made, BLACK), [10, 4, 90, 16]);
    // Without an aperture, the whole picture is shown.
    let whole = transfer(&framed(64, 48, 8..56, 8..32), PixelFormat::I420, (64, 48), &crop).unwrap();
    assert_eq!(bounds(&whole, RED), [8, 8, 56, 32]);
}

/// Apertures outside of their pictures and pixels without a shape are the caller's fault: -12902.
#[test]
fn impossible_geometry_is_refused() {
    let code = |source: &PixelBuffer, options: TransferOptions| {
        transfer(source, PixelFormat::I420, (64, 48), &options).err().map(|error| error.code())
    };
    let source = solid(PixelFormat::I420, 64, 48, GREEN);
    let letterbox = mode(ScalingMode::Letterbox);
    let large = Some(CleanAperture::full(65, 48));
    let outside = TransferOptions { destination_clean_aperture: large, ..letterbox };
    assert_eq!(code(&source, outside), Some(-12902));
    assert_eq!(code(&shaped(source.clone(), None, large), letterbox), Some(-12902));
    for ratio in [Rational::new(0, 1), Rational::new(1, 0), Rational::new(-1, 1)] {
        let flat = TransferOptions { destination_pixel_aspect_ratio: Some(ratio), ..letterbox };
        assert_eq!(code(&source, flat), Some(-12902));
    }
}

/// Scaling moves nothing: a ramp stays the ramp that it was, in luma and in chroma, wherever chroma lies.
#[test]
fn ramps_stay_in_place() {
    // The ramp along x is steep, in ten bits; chroma lies at the left of its pixels (1) or between them (2).
    for (location, shift) in [(1, 0.0), (2, 0.5)] {
        for (from, to) in [(128_u32, 64_u32), (64, 96), (96, 64), (64, 128)] {
            let ramp = |position: f64| 160.0 + 700.0 * position / f64::from(from);
            let source = filled(PixelFormat::I010, from, 16, |plane, x, _| {
                let position = if plane == 0 { x as f64 } else { 2.0 * x as f64 + shift };
                ramp(position).round() as u32
            });
            let source = tagged(source, Colour { chroma_location: location, ..Colour::default() });
            let made = transfer(&source, PixelFormat::I010, (to, 16), &TransferOptions::default()).unwrap();
            let back = |position: f64| ramp((position + 0.5) * f64::from(from) / f64::from(to) - 0.5);
            for x in 8..to - 8 {
                let chroma = back(2.0 * f64::from(x / 2) + shift);
                let expected = [back(f64::from(x)), chroma, chroma];
                for (got, expected) in codes(&made, x, 8).into_iter().zip(expected) {
                    let error = (f64::from(got) - expected).abs();
                    assert!(
                        error < 1.3,
                        "{x} of {from} to {to}, location {location}: {got} is not {expected}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any format and size, odd and tiny ones too, goes to any other, in any mode, and one colour stays one
    /// colour.
    #[test]
    fn one_colour_stays_one_colour(
        format in prop::sample::select(PixelFormat::ALL.to_vec()),
        from in (1_u32..70, 1_u32..50),
        to in (1_u32..70, 1_u32..50),
        scaling in 0_usize..3,
    ) {
        let scaling_mode =
            [ScalingMode::Normal, ScalingMode::Trim, ScalingMode::CropSourceToCleanAperture][scaling];
        let unit = 1 << (format.bit_depth() - 8);
        let colour = match format.chroma_block() {
            None => [140, 128, 128].map(|code| code * unit),
            Some(_) => GREEN.map(|code| code * unit),
        };
        let made = transfer(&solid(format, from.0, from.1, colour), format, to, &mode(scaling_mode)).unwrap();
        for (x, y) in (0..to.1).flat_map(|y| (0..to.0).map(move |x| (x, y))) {
            let got = codes(&made, x, y);
            for channel in 0..3 {
                prop_assert!(got[channel].abs_diff(colour[channel]) <= 1, "{:?} at {},{}", got, x, y);
            }
        }
    }

    /// Any format goes to any other, of any size, in letterbox, without a panic, and with bars where the
    /// shapes differ.
    #[test]
    fn any_picture_can_be_letterboxed(
        formats in (0..PixelFormat::ALL.len(), 0..PixelFormat::ALL.len()),
        from in (1_u32..70, 1_u32..50),
        to in (1_u32..70, 1_u32..50),
        seed: u32,
    ) {
        let (source, format) = (PixelFormat::ALL[formats.0], PixelFormat::ALL[formats.1]);
        let made = transfer(&random(source, from.0, from.1, seed), format, to, &mode(ScalingMode::Letterbox));
        prop_assert!(made.is_ok(), "{:?}", made);
    }
}
