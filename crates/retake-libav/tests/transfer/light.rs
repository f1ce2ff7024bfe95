//! Colour primaries and transfer functions are compared with the printed formulas in double precision, and
//! with zimg by the `ffmpeg` program.

use crate::pictures::{codes, filled, random, solid, tagged, transfer};
use proptest::prelude::*;
use retake_libav::PictureTransfer;
use retake_media::{
    Attachment, Attachments, Colour, ContentLight, Downsampling, PixelBuffer, PixelFormat, PixelTransfer,
    TransferOptions,
};
use std::io::Write;
use std::process::{Command, Stdio};

fn tags(primaries: u8, transfer: u8, matrix: u8) -> Colour {
    Colour { primaries, transfer, matrix, range_known: true, ..Colour::default() }
}

fn wishes(to: Colour) -> TransferOptions {
    TransferOptions {
        destination_primaries: Some(to.primaries),
        destination_transfer: Some(to.transfer),
        destination_matrix: Some(to.matrix),
        downsampling: Downsampling::Average,
        ..TransferOptions::default()
    }
}

fn made(source: &PixelBuffer, from: Colour, format: PixelFormat, to: Colour) -> PixelBuffer {
    let size = (source.width(), source.height());
    transfer(&tagged(source.clone(), from), format, size, &wishes(to)).expect("all of it is converted")
}

/// BT.2087 prints this matrix from BT.709 light to that of BT.2020.
const WIDER: [[f64; 3]; 3] =
    [[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362], [0.016391, 0.088013, 0.895595]];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Spec 13, DestinationColorPrimaries and DestinationTransferFunction: sRGB pixels in BT.2020 light
    /// follow the formulas as they are printed.
    #[test]
    fn srgb_in_wider_primaries((r, g, b) in (0_u32..256, 0_u32..256, 0_u32..256)) {
        let source = solid(PixelFormat::Rgba, 2, 2, [r, g, b]);
        let found = codes(&made(&source, tags(1, 13, 0), PixelFormat::Bgra, tags(9, 14, 0)), 1, 1);
        let light = [r, g, b].map(|code| {
            let sample = f64::from(code) / 255.0;
            if sample <= 0.04045 { sample / 12.92 } else { ((sample + 0.055) / 1.055).powf(2.4) }
        });
        let exact = WIDER.map(|row| row.iter().zip(light).map(|(a, b)| a * b).sum::<f64>().powf(1.0 / 2.4) * 255.0);
        for (found, exact) in found.into_iter().zip(exact) {
            // The printed matrix has six digits.
            prop_assert!((f64::from(found) - exact).abs() <= 0.52, "{found}, {exact}");
        }
    }

    /// HDR of 100 cd/m² is the white of a picture that is none, and darker greys follow PQ's formula.
    #[test]
    fn greys_of_pq(code in 64_u32..941) {
        let source = solid(PixelFormat::I410, 2, 2, [code, 512, 512]);
        let found = codes(&made(&source, tags(9, 16, 9), PixelFormat::I410, tags(1, 1, 1)), 0, 0);
        let sample = (f64::from(code) - 64.0) / 876.0;
        let root = sample.powf(1.0 / 78.84375);
        let share = ((root - 0.8359375).max(0.0) / (18.8515625 - 18.6875 * root)).powf(1.0 / 0.1593017578125);
        let exact = ((share * 100.0).powf(1.0 / 2.4) * 876.0 + 64.0).min(1023.0);
        prop_assert!((f64::from(found[0]) - exact).abs() <= 0.52, "{}, {exact}", found[0]);
        prop_assert!(found[1].abs_diff(512) <= u32::from(exact < 1022.0) + 1 || exact > 940.0);
    }

    /// BT.2100: HLG on its screen of 1000 cd/m2 becomes PQ by luminance and not by channel, and comes back.
    #[test]
    fn hlg_is_its_screen(y in 200_u32..700, cb in 440_u32..580, cr in 440_u32..580) {
        let source = solid(PixelFormat::I410, 2, 2, [y, cb, cr]);
        let found = codes(&made(&source, tags(9, 18, 9), PixelFormat::I410, tags(9, 16, 9)), 0, 0);
        let [y, cb, cr] =
            [f64::from(y) - 64.0, f64::from(cb) - 512.0, f64::from(cr) - 512.0].map(|code| code / 896.0);
        let y = y * 896.0 / 876.0;
        let (r, b) = (y + 1.4746 * cr, y + 1.8814 * cb);
        let rgb = [r, (y - 0.2627 * r - 0.0593 * b) / 0.678, b];
        prop_assume!(rgb.iter().all(|sample| (0.05..0.95).contains(sample)));
        let scene = rgb.map(|sample| match sample <= 0.5 {
            true => sample * sample / 3.0,
            false => (((sample - 0.55991073) / 0.17883277).exp() + 0.28466892) / 12.0,
        });
        let luminance = 0.2627 * scene[0] + 0.678 * scene[1] + 0.0593 * scene[2];
        let [r, g, b] = scene.map(|light| {
            let power = (light * luminance.powf(0.2) * 0.1).powf(0.1593017578125);
            ((0.8359375 + 18.8515625 * power) / (1.0 + 18.6875 * power)).powf(78.84375)
        });
        let y = 0.2627 * r + 0.678 * g + 0.0593 * b;
        let exact = [y * 876.0 + 64.0, (b - y) / 1.8814 * 896.0 + 512.0, (r - y) / 1.4746 * 896.0 + 512.0];
        for (found, exact) in found.into_iter().zip(exact) {
            prop_assert!((f64::from(found) - exact).abs() <= 0.53, "{found}, {exact}");
        }
        let there = solid(PixelFormat::I410, 2, 2, found);
        let back = codes(&made(&there, tags(9, 16, 9), PixelFormat::I410, tags(9, 18, 9)), 0, 0);
        prop_assert!(back[0].abs_diff(codes(&source, 0, 0)[0]) <= 2, "{back:?}");
    }

    /// A round trip ends within some codes of its start where the result has room for all, because ten bits
    /// of PQ are coarse.
    #[test]
    fn all_comes_back(seed: u32, to in prop::sample::select(vec![(9_u8, 14_u8), (12, 13), (9, 16), (9, 18)])) {
        let noise = random(PixelFormat::Rgba, 6, 4, seed);
        let narrow = filled(PixelFormat::Rgba, 6, 4, |plane, i, y| 90 + u32::from(noise.row(plane, y)[i]) / 2);
        let (from, wide) = (tags(1, 1, 0), tags(to.0, to.1, 9));
        let there = made(&narrow, from, PixelFormat::I410, wide);
        let back = made(&there, wide, PixelFormat::Rgba, from);
        for (x, y) in (0..4).flat_map(|y| (0..6).map(move |x| (x, y))) {
            let (before, after) = (codes(&narrow, x, y), codes(&back, x, y));
            let off = before.iter().zip(after).map(|(before, after)| before.abs_diff(after)).max();
            prop_assert!(off <= Some(4), "{before:?}, {after:?}");
        }
    }
}

/// Light that is brighter than the result can show becomes its white, and not another colour.
#[test]
fn too_bright_is_white() {
    let source = solid(PixelFormat::I410, 2, 2, [700, 570, 493]);
    let found = codes(&made(&source, tags(9, 16, 9), PixelFormat::I410, tags(1, 1, 1)), 0, 0);
    assert_eq!(found, [1023, 512, 512]);
}

/// Returns the samples of 4:4:4 planes of ten bits as zimg makes them.
fn zimg(source: &PixelBuffer, from: Colour, to: Colour) -> Option<Vec<u16>> {
    let filter = format!(
        "setparams=range=tv:color_primaries={}:color_trc={}:colorspace={},zscale=p={}:t={}:m={}:r=limited",
        from.primaries, from.transfer, from.matrix, to.primaries, to.transfer, to.matrix
    );
    let raw = ["-f", "rawvideo", "-pix_fmt", "yuv444p10le"];
    let run = Command::new("ffmpeg")
        .args(["-v", "error"])
        .args(raw)
        .args(["-s", &format!("{}x{}", source.width(), source.height()), "-i", "-", "-vf", &filter])
        .args(raw)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut run = run.ok()?;
    let bytes: Vec<u8> = (0..3).flat_map(|plane| source.rows(plane).flatten().copied()).collect();
    // A missing filter ends the program before it has read all.
    let _ = run.stdin.take()?.write_all(&bytes);
    let output = run.wait_with_output().ok()?;
    output
        .status
        .success()
        .then(|| output.stdout.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
}

/// Spec 13: zimg makes the same, but for single samples that lie between two codes.
#[test]
fn zimg_makes_the_same() {
    let cases = [
        (tags(1, 1, 1), tags(9, 14, 9)),
        (tags(9, 14, 9), tags(1, 1, 1)),
        (tags(6, 6, 6), tags(1, 1, 1)),
        (tags(5, 6, 5), tags(1, 1, 1)),
        (tags(1, 13, 1), tags(12, 1, 1)),
        (tags(1, 4, 1), tags(1, 5, 1)),
        (tags(11, 1, 1), tags(1, 1, 1)),
        (tags(9, 14, 9), tags(9, 16, 9)),
        (tags(1, 1, 1), tags(9, 16, 9)),
    ];
    let (width, height) = (96, 64);
    // Colours lie well within the cube, because clipped ones prove little.
    let source = filled(PixelFormat::I410, width, height, |plane, x, y| match plane {
        0 => 350 + (x * 5 + y * 2) as u32 % 420,
        1 => 480 + y as u32 % 64,
        _ => 490 + (x / 2 + y / 2) as u32 % 48,
    });
    for (from, to) in cases {
        let Some(expected) = zimg(&source, from, to) else {
            eprintln!("SKIPPED: no ffmpeg program with zscale on PATH");
            return;
        };
        let made = made(&source, from, PixelFormat::I410, to);
        let found = (0..3).flat_map(|plane| made.rows(plane).flatten().copied().collect::<Vec<u8>>());
        let found: Vec<u8> = found.collect();
        let found = found.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let off: Vec<u16> = found.zip(&expected).map(|(found, expected)| found.abs_diff(*expected)).collect();
        assert_eq!(off.len(), expected.len());
        let mean = off.iter().map(|&off| f64::from(off)).sum::<f64>() / off.len() as f64;
        let most = *off.iter().max().unwrap();
        println!("{from:?}\n  to {to:?}: {mean:.3} codes off in the mean, {most} at most");
        assert!(mean < 0.05 && most <= 1, "{from:?} to {to:?}: {mean}, {most}");
    }
}

/// The result states its own properties; facts about light that is no longer there do not go along. Equal or
/// unknown tags cause no conversion.
#[test]
fn the_result_says_what_it_is() {
    let light = ContentLight { max_content: 1000, max_frame_average: 400 };
    let attachments =
        Attachments::NONE.with(Attachment::Colour(tags(9, 16, 9))).with(Attachment::ContentLight(light));
    let source = random(PixelFormat::I010, 8, 8, 3).with_attachments(attachments);
    let run = |to: Colour| transfer(&source, PixelFormat::I010, (8, 8), &wishes(to)).unwrap();
    let changed = run(tags(1, 1, 1));
    assert_eq!((changed.colour().primaries, changed.colour().transfer, changed.colour().matrix), (1, 1, 1));
    assert_eq!(changed.attachments().content_light(), None);
    let same = run(tags(9, 16, 9));
    assert_eq!(same.attachments().content_light(), Some(light));
    assert!((0..3).all(|plane| same.rows(plane).eq(source.rows(plane))));
    let unknown = tagged(source.clone(), tags(2, 2, 9));
    let named = transfer(&unknown, PixelFormat::I010, (8, 8), &wishes(tags(9, 16, 9))).unwrap();
    assert_eq!((named.colour().primaries, named.colour().transfer), (9, 16));
    assert!((0..3).all(|plane| named.rows(plane).eq(source.rows(plane))));
}

/// One transfer serves pictures of several kinds, one after the other.
#[test]
fn tables_follow_the_pictures() {
    let mut one = PictureTransfer::new();
    let source = random(PixelFormat::I420, 8, 8, 5);
    for (from, to) in [
        (tags(1, 1, 1), tags(9, 14, 9)),
        (tags(9, 16, 9), tags(1, 1, 1)),
        (tags(1, 1, 1), tags(1, 1, 1)),
        (tags(1, 1, 1), tags(9, 14, 9)),
    ] {
        let mut destination = crate::pictures::buffer(PixelFormat::I420, 8, 8);
        one.transfer(&tagged(source.clone(), from), &mut destination, &wishes(to)).unwrap();
        let (kept, fresh) = (destination.freeze(), made(&source, from, PixelFormat::I420, to));
        assert!((0..3).all(|plane| kept.rows(plane).eq(fresh.rows(plane))), "{from:?} to {to:?}");
    }
}
