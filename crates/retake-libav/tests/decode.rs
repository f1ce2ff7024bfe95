//! Linear decoding gives the same as the `ffmpeg` program, to the sample and to the tick.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_libav::{FindingKind, FrameReader, ReaderOptions, probe};
use retake_media::{FieldDetail, Fields, PixelBuffer, PixelFormat, Range, Rational};
use std::path::Path;

fn assert_exact(path: &Path) {
    let frames = read_all(path, |frame| (frame.pts, checksum(&frame.picture)));
    let sums: Vec<u32> = frames.iter().map(|frame| frame.1).collect();
    assert_eq!(sums, reference(path), "{}", path.display());
    let times: Vec<i64> = frames.iter().map(|frame| frame.0).collect();
    assert_eq!(times, reference_times(path), "{}", path.display());
}

/// Returns all pictures of a film in a format, each mapped by `look`.
fn read_as<T>(path: &Path, format: PixelFormat, look: impl Fn(&PixelBuffer) -> T) -> Vec<T> {
    let mut reader = FrameReader::open(&probe(path).unwrap(), ReaderOptions { format, threads: 1 }).unwrap();
    std::iter::from_fn(|| reader.next().unwrap()).map(|frame| look(&frame.picture)).collect()
}

#[test]
fn h264_with_b_frames_is_exact() {
    let Some(studio) = Studio::open() else { return };
    let film =
        studio.render("-f lavfi -i testsrc2=s=320x180:r=25:d=3 -c:v libx264 -bf 3 -g 30 -threads 1", "a.mp4");
    assert_exact(&film);
    let info = probe(&film).unwrap();
    assert_eq!((info.video.width, info.video.height), (320, 180));
    assert_eq!(info.video.frame_rate, Rational::new(25, 1));
    assert_eq!(info.video.frames_hint, Some(75));
    assert_eq!(info.video.pixel_aspect_ratio, Rational::new(1, 1));
    assert!(info.seekable && !info.truncated && info.file_size > 1000 && info.tracks.is_empty());
    let durations = read_all(&film, |frame| frame.duration);
    assert!(durations.iter().all(|&ticks| ticks == 512), "{durations:?}");
}

#[test]
fn ten_bit_hevc_is_exact() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-f lavfi -i testsrc2=s=192x108:r=24:d=2 -vf setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc \
         -pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none:pools=1 \
         -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
        "a.mkv",
    );
    assert_exact(&film);
    let video = probe(&film).unwrap().video;
    assert_eq!((video.format, video.conversion(PixelFormat::I010)), (PixelFormat::I010, None));
    assert_eq!((video.colour.primaries, video.colour.transfer, video.colour.matrix), (9, 16, 9));
}

#[test]
fn vp9_and_av1_are_exact() {
    let Some(studio) = Studio::open() else { return };
    let source = "-f lavfi -i testsrc2=s=160x90:r=30:d=1";
    assert_exact(&studio.render(
        &format!("{source} -c:v libvpx-vp9 -cpu-used 8 -lag-in-frames 10 -auto-alt-ref 1"),
        "a.webm",
    ));
    assert_exact(&studio.render(&format!("{source} -c:v libaom-av1 -cpu-used 8 -lag-in-frames 10"), "a.mkv"));
}

#[test]
fn odd_sizes_are_exact() {
    let Some(studio) = Studio::open() else { return };
    for size in ["175x97", "33x17", "5x3"] {
        let name = format!("{size}.mkv");
        let film = studio
            .render(&format!("-f lavfi -i testsrc2=s={size}:r=25:d=0.4 -pix_fmt yuv420p -c:v ffv1"), &name);
        assert_exact(&film);
    }
    let film = studio.render(
        "-f lavfi -i testsrc2=s=175x97:r=25:d=1 -pix_fmt yuv420p -c:v libvpx-vp9 -cpu-used 8",
        "o.webm",
    );
    assert_exact(&film);
}

#[test]
fn variable_frame_rates_keep_their_times() {
    let Some(studio) = Studio::open() else { return };
    let source = "-f lavfi -i testsrc2=s=160x90:r=30:d=4 -vf select='not(mod(n*n,7))+gt(mod(n,11),6)' -fps_mode vfr -c:v libx264 -bf 2";
    for name in ["v.mkv", "v.mp4"] {
        let film = studio.render(source, name);
        assert_exact(&film);
        let times = read_all(&film, |frame| frame.pts);
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(times.windows(3).any(|t| t[2] - t[1] != t[1] - t[0]), "the film is meant to vary");
    }
}

/// Samples without times come as fast as their stream states, slow or fast, whatever is usual.
#[test]
fn streams_without_times_state_their_rate() {
    let Some(studio) = Studio::open() else { return };
    for (stated, rate) in [
        ("25/2", Rational::new(25, 2)),
        ("24000/1001", Rational::new(24000, 1001)),
        ("120", Rational::new(120, 1)),
        ("300", Rational::new(300, 1)),
    ] {
        let source = format!("-f lavfi -i testsrc2=s=160x96:r={stated} -frames:v 12 -pix_fmt yuv420p");
        for how in ["-c:v libx264 -f h264", "-c:v libx265 -x265-params log-level=none -f hevc"] {
            let film = studio.render(&format!("{source} {how}"), "film");
            assert_eq!(probe(&film).unwrap().video.frame_rate, rate, "{how}");
        }
        // its clock counts finer than pictures come
        if stated != "25/2" {
            let film = studio.render(&format!("{source} -c:v mpeg4 -f m4v"), "film");
            assert_eq!(probe(&film).unwrap().video.frame_rate, rate, "mpeg4");
        }
    }
}

#[test]
fn real_films_are_exact() {
    let Some(_studio) = Studio::open() else { return };
    let Some(film) = retake_testing::clip("reel-640x360.mp4") else { return };
    assert_exact(&film);
}

#[test]
fn threads_change_nothing() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render("-f lavfi -i testsrc2=s=320x180:r=25:d=2 -c:v libx264 -bf 3", "a.mp4");
    let info = probe(&film).unwrap();
    let hashes = |threads| {
        let mut reader = FrameReader::open(&info, ReaderOptions { threads, ..options(&info) }).unwrap();
        std::iter::from_fn(|| reader.next().unwrap().map(|frame| (frame.pts, frame.hash())))
            .collect::<Vec<_>>()
    };
    assert_eq!(hashes(1), hashes(3));
}

/// The buffers outlive reader and decoder, and may be read and freed by other threads.
#[test]
fn pictures_outlive_their_reader() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render("-f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264", "a.mp4");
    let kept = read_all(&film, |frame| (frame.hash(), frame.picture.clone()));
    let threads: Vec<_> = kept
        .into_iter()
        .map(|(hash, picture)| {
            std::thread::spawn(move || assert_eq!(retake_libav::picture_hash(&picture), hash))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn other_chroma_keeps_its_luma() {
    let Some(studio) = Studio::open() else { return };
    for (pixels, own, words) in [
        ("yuv444p", PixelFormat::I444, "4:4:4 is reduced to 4:2:0"),
        ("yuv422p", PixelFormat::I422, "4:2:2 is reduced to 4:2:0"),
    ] {
        let film = studio.render(
            &format!("-f lavfi -i testsrc2=s=174x98:r=25:d=0.4 -pix_fmt {pixels} -c:v ffv1"),
            &format!("{pixels}.mkv"),
        );
        let video = probe(&film).unwrap().video;
        assert_eq!((video.format, video.conversion(own)), (own, None));
        assert_eq!(video.conversion(PixelFormat::I420).as_deref(), Some(words));
        let luma = read_as(&film, PixelFormat::I420, |picture| {
            picture.rows(0).flatten().copied().collect::<Vec<u8>>()
        })
        .concat();
        let film = film.to_str().unwrap();
        assert!(
            luma == ffmpeg(&[
                "-i",
                film,
                "-vf",
                "extractplanes=y",
                "-pix_fmt",
                "gray",
                "-f",
                "rawvideo",
                "-"
            ])
        );
    }
}

/// Chroma and depth of each kind are decoded as they are, luma alone is that of any of them in its own range,
/// and the scaler makes each of each.
#[test]
fn pictures_are_decoded_as_they_are() {
    let Some(studio) = Studio::open() else { return };
    let kinds = [
        ("yuv422p", PixelFormat::I422),
        ("yuv422p10le", PixelFormat::I210),
        ("yuv444p", PixelFormat::I444),
        ("yuv444p10le", PixelFormat::I410),
        ("gray", PixelFormat::Y8),
        ("gray10le", PixelFormat::Y10),
    ];
    let flat = |picture: &PixelBuffer| -> Vec<u8> {
        (0..picture.format().planes()).flat_map(|plane| picture.rows(plane).flatten().copied()).collect()
    };
    for (pixels, format) in kinds {
        let film = studio.render(
            &format!("-f lavfi -i testsrc2=s=98x54:r=25:d=0.12 -vf scale=99:53 -pix_fmt {pixels} -c:v ffv1 -level 3"),
            &format!("{pixels}.mkv"),
        );
        assert_eq!(probe(&film).unwrap().video.format, format);
        let raw = ["-i", film.to_str().unwrap(), "-f", "rawvideo", "-pix_fmt", pixels, "-"];
        assert!(read_as(&film, format, flat).concat() == ffmpeg(&raw), "{pixels}");
        let own = read_as(&film, format, |picture| picture.row(0, 7).to_vec());
        for (_, other) in kinds {
            let luma = read_as(&film, other, |picture| picture.row(0, 7).to_vec());
            if other.bit_depth() == format.bit_depth() {
                assert!(luma == own, "{pixels} as {other:?}");
            }
            assert_eq!(luma[0].len(), other.row_bytes(99, 0));
        }
    }
}

/// Films are decoded to planar pictures only, because there is a transfer for others.
#[test]
fn other_layouts_are_not_decoded_to() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render("-f lavfi -i testsrc2=s=64x64:r=25:d=0.2 -pix_fmt nv12 -c:v rawvideo", "a.mkv");
    let info = probe(&film).unwrap();
    let open = |format| FrameReader::open(&info, ReaderOptions { format, threads: 1 });
    assert!(open(PixelFormat::I420).is_ok());
    let refused = open(PixelFormat::Nv12).err().expect("two planes");
    assert_eq!(refused.kind(), retake_libav::ErrorKind::Unsupported);
}

#[test]
fn twelve_bits_become_ten() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-f lavfi -i color=c=0x808080:s=64x64:r=25:d=0.2 -pix_fmt yuv420p12le -c:v ffv1 -level 3",
        "a.mkv",
    );
    let video = probe(&film).unwrap().video;
    assert_eq!(
        (video.format, video.conversion(video.format).as_deref()),
        (PixelFormat::I010, Some("12 bit is reduced to 10 bit"))
    );
    let luma = read_all(&film, |frame| u16::from_le_bytes(frame.picture.row(0, 5)[..2].try_into().unwrap()));
    assert!(luma.iter().all(|&y| y.abs_diff(504) <= 2), "{luma:?}");
}

#[test]
fn full_range_keeps_its_values() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-f lavfi -i testsrc2=s=64x64:r=25:d=0.4,scale=out_range=full -pix_fmt yuvj420p -c:v mjpeg -q:v 2",
        "a.mov",
    );
    assert_exact(&film);
    let colour = probe(&film).unwrap().video.colour;
    assert_eq!((colour.range, colour.range_known), (Range::Full, true));
}

#[test]
fn rgb_becomes_tagged_limited_ycbcr() {
    let Some(studio) = Studio::open() else { return };
    for (size, matrix, red) in [("64x64", 6, [81, 90, 240]), ("64x1080", 1, [63, 102, 240])] {
        let film = studio.render(
            &format!("-f lavfi -i color=c=red:s={size}:r=25:d=0.2 -pix_fmt gbrp -c:v ffv1"),
            &format!("{size}.mkv"),
        );
        let video = probe(&film).unwrap().video;
        assert_eq!(
            (video.colour.matrix, video.colour.range, video.colour.range_known),
            (matrix, Range::Limited, true)
        );
        assert!(
            video
                .conversion(PixelFormat::I420)
                .is_some_and(|words| words.starts_with("red, green and blue become 4:2:0 YCbCr"))
        );
        for found in read_all(&film, |frame| [0, 1, 2].map(|plane| frame.picture.row(plane, 3)[3])) {
            assert!(found.iter().zip(red).all(|(a, b)| a.abs_diff(b) <= 1), "{found:?} for {red:?}");
        }
    }
}

#[test]
fn grey_gets_neutral_colour() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render("-f lavfi -i testsrc2=s=65x33:r=25:d=0.2 -pix_fmt gray -c:v ffv1", "g.mkv");
    let frames = read_as(&film, PixelFormat::I420, Clone::clone);
    let luma: Vec<u8> =
        frames.iter().flat_map(|p| p.rows(0).flatten().copied().collect::<Vec<_>>()).collect();
    assert!(luma == ffmpeg(&["-i", film.to_str().unwrap(), "-pix_fmt", "gray", "-f", "rawvideo", "-"]));
    assert!(frames.iter().all(|p| p.rows(1).chain(p.rows(2)).flatten().all(|&c| c == 128)));
}

#[test]
fn a_change_of_size_is_scaled_to_the_first() {
    let Some(studio) = Studio::open() else { return };
    let first = studio.render("-f lavfi -i testsrc2=s=320x180:r=25:d=0.4 -c:v mpeg2video", "a.ts");
    let second = studio.render("-f lavfi -i testsrc2=s=160x90:r=25:d=0.4 -c:v mpeg2video", "b.ts");
    let film = studio.path("joined.ts");
    std::fs::write(&film, [std::fs::read(first).unwrap(), std::fs::read(second).unwrap()].concat()).unwrap();
    let info = probe(&film).unwrap();
    let mut reader = FrameReader::open(&info, options(&info)).unwrap();
    let mut times = Vec::new();
    while let Some(frame) = reader.next().unwrap() {
        assert_eq!((frame.picture.width(), frame.picture.height()), (320, 180));
        times.push(frame.pts);
    }
    assert_eq!(times.len(), reference(&film).len());
    let scaled = reader.findings().into_iter().find(|found| found.kind == FindingKind::Size).unwrap();
    assert!(times.len() >= 18 && scaled.count >= 8, "{scaled}");
    assert!(
        times.windows(2).all(|pair| pair[0] < pair[1]),
        "the second part starts its clock anew: {times:?}"
    );
}

#[test]
fn rotation_and_aspect_are_told() {
    let Some(studio) = Studio::open() else { return };
    let plain = studio.render("-f lavfi -i testsrc2=s=64x48:r=25:d=0.4 -vf setsar=4/3 -c:v libx264", "p.mp4");
    let film = studio.path("r.mp4");
    retake_testing::turned(&plain, &film);
    let video = probe(&film).unwrap().video;
    assert_eq!((video.rotation, video.pixel_aspect_ratio), (270, Rational::new(4, 3)));
    assert!(video.display_matrix.is_some());
}

#[test]
fn interlaced_films_are_told() {
    let Some(studio) = Studio::open() else { return };
    for (top, detail) in [(1, FieldDetail::SpatialFirstLineEarly), (0, FieldDetail::SpatialFirstLineLate)] {
        let source = "-f lavfi -i testsrc2=s=64x48:r=25:d=0.4 -c:v mpeg2video -flags +ildct+ilme";
        let film = studio.render(&format!("{source} -top {top}"), &format!("{top}.ts"));
        let fields = probe(&film).unwrap().video.fields;
        assert_eq!(fields, Some(Fields { count: 2, detail: Some(detail) }));
    }
    let film = studio.render("-f lavfi -i testsrc2=s=64x48:r=25:d=0.4 -c:v mpeg2video", "whole.ts");
    assert_eq!(probe(&film).unwrap().video.fields, None);
}

#[test]
fn other_tracks_are_listed() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-f lavfi -i testsrc2=s=64x48:r=25:d=1 -f lavfi -i sine=d=1 -map 0 -map 1 -c:v libx264 -c:a aac -metadata:s:a:0 language=deu -metadata:s:a:0 title=Ton",
        "a.mkv",
    );
    let info = probe(&film).unwrap();
    let track = &info.tracks[0];
    assert_eq!(
        (track.codec.as_str(), track.language.as_deref(), track.title.as_deref()),
        ("aac", Some("deu"), Some("Ton"))
    );
    assert_eq!((track.kind.to_string().as_str(), track.sample_rate, track.channels), ("audio", 44_100, 1));
}
