//! What of a picture is meant to be seen, and the shape of its pixels: in the description, the stream and the
//! file.

use crate::common::{HEIGHT, WIDTH, decode, elementary, encode, encoders, ffmpeg, probe, render, session};
use crate::film::{Film, film};
use retake::asset::Container;
use retake::property::{Property, PropertyKey};
use retake::{Attachment, Attachments, CleanAperture, Codec, EncoderInfo, Rational, SampleBuffer};
use std::io::Write;
use std::process::Command;

/// 64 pixels off the left (FFmpeg crops the left by multiples of that), none off the right, 8 off the top and
/// the bottom.
const WHOLE: CleanAperture = CleanAperture {
    width: Rational::new(112, 1),
    height: Rational::new(128, 1),
    horizontal_offset: Rational::new(32, 1),
    vertical_offset: Rational::new(0, 1),
};
/// Edges that go through pixels.
const PARTS: CleanAperture =
    CleanAperture { width: Rational::new(321, 2), horizontal_offset: Rational::new(15, 2), ..WHOLE };

fn coded(info: &EncoderInfo, properties: &[Property]) -> Vec<(usize, SampleBuffer)> {
    let pull = session(info);
    pull.0.set_all(properties).unwrap();
    encode(&pull, &render(6, 99, 8), &[])
}

fn pictures(samples: &[(usize, SampleBuffer)]) -> Vec<Vec<u8>> {
    decode(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>())
}

/// Rows 8 to 136 of luma, from column 64 on.
fn seen(picture: &[u8]) -> Vec<u8> {
    picture.chunks_exact(WIDTH as usize).skip(8).take(128).flat_map(|row| &row[64..]).copied().collect()
}

/// The numbers of a box, by its name and the length that it has; none if it is not in the file.
fn numbers(film: &[u8], name: &[u8; 4], count: usize) -> Option<Vec<i32>> {
    let length = (8 + 4 * count as u32).to_be_bytes();
    let at = film.windows(8).position(|window| window[..4] == length && window[4..] == name[..])?;
    let fields = &film[at + 8..][..4 * count];
    Some(fields.chunks_exact(4).map(|bytes| i32::from_be_bytes(bytes.try_into().unwrap())).collect())
}

fn fields(aperture: CleanAperture) -> Vec<i32> {
    let CleanAperture { width, height, horizontal_offset, vertical_offset } = aperture;
    [width, height, horizontal_offset, vertical_offset].iter().flat_map(|part| [part.num, part.den]).collect()
}

/// 5.8, CleanAperture: `clap` of the file says it to the bit. Where its edges lie between blocks of chroma,
/// H.264 gives out what is left, and HEVC says what to show of the whole.
#[test]
fn clean_apertures_are_in_stream_and_file() {
    for info in encoders() {
        let name = info.name;
        let plain = coded(&info, &[]);
        assert_eq!(plain[0].1.format.clean_aperture, None);
        assert_eq!(numbers(&film(&plain, Container::Mp4).bytes, b"clap", 8), None, "{name}");
        for aperture in [WHOLE, PARTS] {
            let samples = coded(&info, &[Property::CleanAperture(aperture)]);
            let format = &samples[0].1.format;
            let crops = info.codec == Codec::H264 && aperture == WHOLE;
            let expected = if crops { CleanAperture::full(112, 128) } else { aperture };
            assert_eq!(format.clean_aperture, Some(expected), "{name}");
            assert_eq!((format.width, format.height), if crops { (112, 128) } else { (WIDTH, HEIGHT) });
            let Film { bytes, said, .. } = film(&samples, Container::Mp4);
            assert_eq!(numbers(&bytes, b"clap", 8), Some(fields(expected)), "{name}");
            if !ffmpeg() {
                continue;
            }
            let width = format!("width={}\n", format.width);
            assert!(said.contains(&width), "{name}: {said}");
            let (decoded, whole) = (pictures(&samples), pictures(&plain));
            for (decoded, whole) in decoded.iter().zip(&whole) {
                match crops {
                    true => {
                        assert!(decoded[..112 * 128] == seen(whole), "{name}: another part of the picture")
                    }
                    false => assert!(decoded == whole, "{name}: another picture"),
                }
            }
            if info.codec == Codec::Hevc {
                let window = ["left", "right", "top", "bottom"].map(|side| display_window(&samples, side));
                let wanted =
                    [Some(32), Some(0), Some(4), Some(4)].map(|side| side.filter(|_| aperture == WHOLE));
                assert_eq!(window, wanted, "in blocks of chroma");
            }
        }
        let session = session(&info).0;
        let outside =
            Property::CleanAperture(CleanAperture { horizontal_offset: Rational::new(33, 1), ..WHOLE });
        assert_eq!(session.set(outside).unwrap_err().code(), -12902, "{name}");
        assert_eq!(session.get(PropertyKey::CleanAperture).unwrap(), None);
    }
}

/// A side of HEVC's default display window, as FFmpeg reads the parameter set.
fn display_window(samples: &[(usize, SampleBuffer)], side: &str) -> Option<i64> {
    let (stream, kind) = elementary(&samples[0].1.format, &[&samples[0].1]);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&stream).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "verbose", "-f", kind, "-i"])
        .arg(file.path())
        .args(["-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let element = format!("def_disp_win_{side}_offset");
    text.lines()
        .find(|line| line.contains(&element))
        .and_then(|line| line.rsplit('=').next()?.trim().parse().ok())
}

/// EF-9: what the first picture says of itself counts where the property says nothing, if it is of the
/// session's size.
#[test]
fn apertures_of_pictures_count() {
    for info in encoders() {
        let known = Attachments::default().with(Attachment::CleanAperture(PARTS));
        let frames: Vec<_> =
            render(3, 99, 8).into_iter().map(|frame| frame.with_attachments(known.clone())).collect();
        let samples = encode(&session(&info), &frames, &[]);
        assert_eq!(samples[0].1.format.clean_aperture, Some(PARTS), "{}", info.name);
    }
}

/// 5.8, PixelAspectRatio: the same fraction in the stream, where the codec has it, and in `pasp` of the file.
#[test]
fn pixel_aspect_ratios_are_in_stream_and_file() {
    for info in encoders() {
        let samples = coded(&info, &[Property::PixelAspectRatio(Rational::new(64, 45))]);
        assert_eq!(samples[0].1.format.pixel_aspect_ratio, Rational::new(64, 45));
        let Film { bytes, said, .. } = film(&samples, Container::Mp4);
        assert_eq!(numbers(&bytes, b"pasp", 2), Some(vec![64, 45]), "{}", info.name);
        if ffmpeg() {
            assert!(said.contains("sample_aspect_ratio=64:45"), "{}: {said}", info.name);
            let stream = probe(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
            let has = matches!(info.codec, Codec::H264 | Codec::Hevc);
            assert_eq!(stream.contains("sample_aspect_ratio=64:45"), has, "{}", info.name);
        }
    }
}
