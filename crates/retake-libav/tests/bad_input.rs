//! Whatever is given as a film must lead to an answer or an error that says what is wrong, never to a panic
//! or an endless wait.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_libav::{ErrorKind, FrameReader, MediaError, probe};
use std::path::Path;

fn refusal(path: &Path) -> MediaError {
    let error = probe(path).unwrap_err();
    assert!(error.to_string().contains(path.file_name().unwrap().to_str().unwrap()), "{error}");
    error
}

#[test]
fn a_missing_file_or_a_folder_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let error = refusal(&folder.path().join("nothing.mkv"));
    assert!(
        matches!(&error, MediaError::Open { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(matches!(refusal(folder.path()), MediaError::Open { .. }));
}

#[test]
fn files_that_are_no_films_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    assert!(matches!(refusal(&write("empty.mp4", b"")), MediaError::Empty { .. }));
    let text = "This is not a film. It is a text, and a long one at that.\n".repeat(2000);
    for name in ["text.txt", "text.mp4", "text.nfo", "text.h264", "text"] {
        let error = refusal(&write(name, text.as_bytes()));
        assert_eq!(error.kind(), ErrorKind::BadInput, "{name}: {error}");
    }
    for (seed, name) in
        (1u32..).zip(["noise.mp4", "noise.mkv", "noise.ts", "noise.mpg", "noise.avi", "noise"])
    {
        let mut state = seed;
        let noise: Vec<u8> = (0..200_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let error = refusal(&write(name, &noise));
        assert_eq!(error.kind(), ErrorKind::BadInput, "{name}: {error}");
    }
    let playlist = "#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/film.ts\n";
    assert!(refusal(&write("list.m3u8", playlist.as_bytes())).kind() != ErrorKind::Internal);
}

#[test]
fn sound_alone_is_no_film() {
    let Some(studio) = Studio::open() else { return };
    let sound = studio.render("-f lavfi -i sine=d=1 -c:a aac", "a.m4a");
    let error = refusal(&sound);
    assert!(
        matches!(&error, MediaError::NoVideo { tracks, .. } if tracks == "audio track 0 (aac)"),
        "{error}"
    );
    let cover = studio.render("-f lavfi -i testsrc2=s=64x64 -frames:v 1", "c.png");
    let with_cover = studio.render(
        &format!(
            "-i {} -i {} -map 0 -map 1 -c copy -disposition:v attached_pic",
            sound.display(),
            cover.display()
        ),
        "b.m4a",
    );
    assert!(matches!(refusal(&with_cover), MediaError::NoVideo { .. }));
}

#[test]
fn truncated_films_give_what_is_left_or_an_error() {
    let Some(studio) = Studio::open() else { return };
    let source = "-f lavfi -i testsrc2=s=320x180:r=25:d=4 -c:v libx264 -g 25";
    for (name, extra) in [("a.mp4", ""), ("b.mp4", "-movflags +faststart"), ("c.mkv", ""), ("d.ts", "")] {
        let whole = studio.render(&format!("{source} {extra}"), name);
        let bytes = std::fs::read(&whole).unwrap();
        for part in [1, 2, 5, 9] {
            let path = studio.path(&format!("{part}-{name}"));
            std::fs::write(&path, &bytes[..bytes.len() * part / 10]).unwrap();
            let info = match probe(&path) {
                Ok(info) => info,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::BadInput, "{name} {part}: {error}");
                    continue;
                }
            };
            assert!(name != "a.mp4", "without its index an MP4 cannot be read");
            let mut reader = FrameReader::open(&info, options(&info)).unwrap();
            let mut count = 0;
            while reader.next().unwrap().is_some() {
                count += 1;
            }
            assert!(count < 100, "{name} {part}: {count} frames");
            assert_eq!(info.truncated, name == "b.mp4", "{name} {part}");
        }
    }
}

#[test]
fn damage_in_the_middle_does_not_end_a_film() {
    let Some(studio) = Studio::open() else { return };
    for (name, codec) in [
        ("a.mkv", "libx264 -g 25 -bf 2"),
        ("b.mp4", "libx264 -g 25"),
        ("c.ts", "mpeg2video"),
        ("d.webm", "libvpx-vp9 -cpu-used 8"),
    ] {
        let film = studio.render(&format!("-f lavfi -i testsrc2=s=320x180:r=25:d=4 -c:v {codec}"), name);
        let mut bytes = std::fs::read(&film).unwrap();
        let middle = bytes.len() / 2;
        for byte in &mut bytes[middle..middle + 3000] {
            *byte = byte.wrapping_mul(31) ^ 0x55;
        }
        std::fs::write(&film, bytes).unwrap();
        let info = probe(&film).unwrap();
        let mut reader = FrameReader::open(&info, options(&info)).unwrap();
        let mut times = Vec::new();
        while let Some(frame) = reader.next().unwrap() {
            times.push(frame.pts);
        }
        assert!(times.len() > 40, "{name}: {} frames", times.len());
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{name}");
        assert!(reader.damaged() > 0 || times.len() < 100, "{name}");
    }
}

/// Bytes of a small film are changed here and there; every outcome but a panic or an endless wait is right.
#[test]
fn flipped_bits_never_panic() {
    let Some(studio) = Studio::open() else { return };
    for (name, codec) in [
        ("a.mp4", "libx264 -c:a aac"),
        ("b.mkv", "libvpx-vp9 -cpu-used 8 -c:a libopus"),
        ("c.ts", "mpeg2video -c:a mp2"),
    ] {
        let film = studio.render(
            &format!("-f lavfi -i testsrc2=s=64x48:r=25:d=0.6 -f lavfi -i sine=d=0.6 -c:v {codec}"),
            name,
        );
        let bytes = std::fs::read(&film).unwrap();
        let mut state = 7u64;
        for _ in 0..60 {
            let mut changed = bytes.clone();
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let place = (state >> 33) as usize % changed.len();
                changed[place] = (state >> 20) as u8;
            }
            std::fs::write(&film, &changed).unwrap();
            let Ok(info) = probe(&film) else { continue };
            let Ok(mut reader) = FrameReader::open(&info, options(&info)) else { continue };
            for _ in 0..200 {
                if !matches!(reader.next(), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}

#[test]
fn strange_names_are_plain_names() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render("-f lavfi -i testsrc2=s=64x48:r=25:d=0.2 -c:v libx264", "a.mp4");
    for name in ["http:x.mp4", "a b%03d.mp4", "-.mp4", "größe.mp4", "pipe:0"] {
        let path = studio.path(name);
        std::fs::copy(&film, &path).unwrap();
        assert_eq!(probe(&path).unwrap().video.frames_hint, Some(5), "{name}");
        let copy = studio.path(&format!("copy of {name}"));
        rewrap(&film, &copy);
        assert!(copy.exists());
    }
}
