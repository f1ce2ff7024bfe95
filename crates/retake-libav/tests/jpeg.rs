//! Pictures as files of JPEG, judged by another decoder: the program ffmpeg.
#![allow(clippy::unwrap_used)] // everything here is a test

use retake_libav::{JpegEncoder, JpegError};
use retake_media::{
    Attachment, Colour, PixelBuffer, PixelBufferAttributes, PixelFormat, Range, WritableBuffer,
};
use std::io::Write;
use std::process::{Command, Stdio};

/// A picture of limited range in BT.709, of one colour in each half.
fn picture(format: PixelFormat, width: u32, height: u32, halves: [[u8; 3]; 2]) -> PixelBuffer {
    let mut attributes = PixelBufferAttributes::of(format, width, height);
    let colour = Colour { primaries: 1, transfer: 1, matrix: 1, range: Range::Limited, ..Colour::default() };
    attributes.attachments = attributes.attachments.with(Attachment::Colour(colour));
    let mut buffer = WritableBuffer::create(&attributes).unwrap();
    let [left, right] = halves;
    for (plane, (left, right)) in left.into_iter().zip(right).enumerate() {
        let (width, height) = if plane == 0 { (width, height) } else { (width / 2, height / 2) };
        for y in 0..height as usize {
            for (x, sample) in buffer.row_mut(plane, y).iter_mut().take(width as usize).enumerate() {
                *sample = if x < width as usize / 2 { left } else { right };
            }
        }
    }
    buffer.freeze()
}

/// The red, green and blue of a pixel, as ffmpeg decodes it.
fn pixel(jpeg: &[u8], width: u32, x: u32, y: u32) -> Option<[u8; 3]> {
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "mjpeg", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(jpeg).ok()?;
    let raw = child.wait_with_output().unwrap().stdout;
    let at = (y * width + x) as usize * 3;
    Some([raw[at], raw[at + 1], raw[at + 2]])
}

#[test]
fn colours_and_sizes_are_those_of_the_picture() {
    // limited-range BT.709: a strong red, and a middle grey
    let source = picture(PixelFormat::I420, 400, 200, [[63, 102, 240], [126, 128, 128]]);
    let jpeg = JpegEncoder::new().encode(&source, 200, 40_000).unwrap();
    assert_eq!((jpeg.width, jpeg.height), (200, 100));
    let Some(red) = pixel(&jpeg.bytes, 200, 20, 50) else {
        println!("SKIPPED: the program ffmpeg is not installed");
        return;
    };
    let grey = pixel(&jpeg.bytes, 200, 180, 50).unwrap();
    // by the definition: R = 1.164 (Y - 16) + 1.793 Cr, and so on
    let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 5);
    assert!(near(red, [255, 1, 0]) && near(grey, [128, 128, 128]), "{red:?} {grey:?}");
}

/// A file that may not be large is a coarse one, and one that cannot be so small is none.
#[test]
fn files_are_as_small_as_they_have_to_be() {
    let mut noise = WritableBuffer::create(&PixelBufferAttributes::of(PixelFormat::I420, 320, 180)).unwrap();
    let mut state = 1u32;
    for y in 0..180 {
        for sample in noise.row_mut(0, y).iter_mut().take(320) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (state >> 24) as u8;
        }
    }
    let noise = noise.freeze();
    let mut encoder = JpegEncoder::new();
    let large = encoder.encode(&noise, 320, 200_000).unwrap().bytes.len();
    let small = encoder.encode(&noise, 320, 15_000).unwrap().bytes.len();
    assert!(small <= 15_000 && large > 20_000, "{small} {large}");
    assert!(matches!(encoder.encode(&noise, 320, 100), Err(JpegError::Encoder(_))));
}
