//! A film that was cut to a range gives out exactly the frames of that range, as another program decodes them
//! from the start of the film.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_libav::{
    FilmInfo, FilmPosition, FilmRange, FindingKind, FrameEntry, FrameIndex, FrameReader, MediaError,
    RangeReader, SeekTrust, probe, survey, survey_range,
};
use retake_media::{Time, TimeRange};
use std::path::Path;
use std::sync::Arc;

const SOURCE: &str = "-f lavfi -i testsrc2=s=160x90:r=25:d=8";

fn cut(path: &Path, range: impl Into<FilmRange>) -> FilmInfo {
    survey_range(probe(path).unwrap(), range.into(), &|| false).unwrap()
}

/// Checksums, times and index entries of all frames.
fn read(info: &FilmInfo) -> (Vec<u32>, Vec<i64>, Vec<FrameEntry>) {
    let mut reader = FrameReader::open(info, options(info)).unwrap();
    let (mut sums, mut times, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(frame) = reader.next().unwrap() {
        assert_eq!(frame.index, sums.len() as u64);
        sums.push(checksum(&frame.picture));
        times.push(frame.pts);
        entries.push(FrameEntry::from(&frame));
    }
    assert!(reader.next().unwrap().is_none(), "nothing follows the end");
    (sums, times, entries)
}

/// Cuts a film at these frames, once by number and once by times, and compares with `ffmpeg` and `ffprobe`.
/// Ranges within the window are compared, too.
fn check(path: &Path, frames: std::ops::Range<usize>) {
    let (sums, times) = (reference(path), reference_times(path));
    assert_eq!(sums.len(), times.len());
    let whole = probe(path).unwrap();
    // Just behind the frame before, and exactly at the frame behind the range.
    let seconds = |ticks: i64| whole.video.time(ticks) - whole.start;
    let before = frames
        .start
        .checked_sub(1)
        .map_or(Time::ZERO, |before| seconds(times[before]) + Time::new(1, 1_000_000));
    let end = times.get(frames.end).map_or(Time::POSITIVE_INFINITY, |&end| seconds(end));
    let by_number = FilmRange::from(frames.start as u64..frames.end as u64);
    for range in [TimeRange::between(before, end).into(), by_number] {
        let info = cut(path, range);
        let what = format!("{} {range}", path.display());
        let (found, at, entries) = read(&info);
        assert!(found == sums[frames.clone()], "{what}: other pictures");
        assert_eq!(at, times[frames.clone()], "{what}");
        assert_eq!(info.video.frames_hint, Some(frames.len() as u64), "{what}");
        if frames.start > 0 {
            assert_eq!(info.start, info.video.time(times[frames.start]), "{what}");
        }
        let index = Arc::new(FrameIndex { time_base: info.video.time_base, frames: entries });
        let trust = SeekTrust::new();
        let count = index.frames.len() as u64;
        for part in [count / 2..count, 0..count / 3, count / 3..count / 2] {
            let mut reader =
                RangeReader::open(&info, index.clone(), part.clone(), options(&info), trust.clone()).unwrap();
            for number in part {
                let frame = reader.next().unwrap().expect("a frame for each number");
                assert_eq!(checksum(&frame.picture), sums[frames.start + number as usize], "{what} {number}");
            }
        }
    }
}

/// The range begins in the middle of a group of pictures, whatever kind it is of: open groups, or a picture
/// that is refreshed bit by bit.
#[test]
fn a_range_has_the_frames_that_decoding_from_the_start_gives() {
    let Some(studio) = Studio::open() else { return };
    for (name, codec) in [
        ("a.mp4", "-c:v libx264 -g 20 -bf 3 -x264-params open-gop=1"),
        ("b.mkv", "-c:v libx265 -x265-params log-level=none:pools=1:open-gop=1:keyint=24:bframes=4"),
        ("c.ts", "-c:v libx264 -g 30 -x264-params intra-refresh=1"),
        ("d.ts", "-c:v mpeg2video -g 12 -bf 2"),
    ] {
        let film = studio.render(&format!("{SOURCE} {codec}"), name);
        check(&film, 131..163);
    }
    let film = studio.path("a.mp4");
    check(&film, 0..7);
    check(&film, 195..200);
}

/// Streams without times, and such whose samples are not frames, are counted by decoding them.
#[test]
fn where_samples_do_not_tell_frames_they_are_counted() {
    let Some(studio) = Studio::open() else { return };
    for (name, codec) in [
        ("a.mkv", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -cpu-used 8 -deadline good -g 40"),
        ("b.ts", "-s 160x96 -c:v libx264 -g 25 -bf 3 -flags +ilme+ildct -x264-params tff=1"),
        ("c.mkv", "-vf select='gt(mod(n*n,7),1)' -fps_mode vfr -c:v libx264 -g 30"),
    ] {
        let film = studio.render(&format!("{SOURCE} {codec}"), name);
        check(&film, 71..93);
    }
}

/// Decoders know a fault of old encoders, and allow for it where the first picture says that it comes from
/// one. After a seek nobody says so, and other pictures come out.
#[test]
fn a_film_that_lies_after_seeks_is_decoded_from_its_start() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(&format!("{SOURCE} -pix_fmt yuv444p -c:v libx264 -g 10"), "a.mkv");
    let mut bytes = std::fs::read(&film).unwrap();
    let name = b"x264 - core ";
    let at = bytes.windows(name.len()).position(|found| found == name).unwrap() + name.len();
    bytes[at..at + 3].copy_from_slice(b"142");
    std::fs::write(&film, &bytes).unwrap();
    let hashes = |info: &FilmInfo| read(info).2.iter().map(|entry| entry.hash).collect::<Vec<_>>();
    let whole = hashes(&probe(&film).unwrap());
    let index = index(&film);
    let (trust, info) = (SeekTrust::new(), probe(&film).unwrap());
    let mut reader = RangeReader::open(&info, index, 75..80, options(&info), trust).unwrap();
    while reader.next().unwrap().is_some() {}
    assert!(reader.fallbacks() > 1, "the film tells nothing");
    assert!(hashes(&cut(&film, 75..80)) == whole[75..80]);
}

#[test]
fn a_range_without_a_frame_is_refused() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(&format!("{SOURCE} -c:v libx264 -g 25"), "a.mp4");
    let time = |num, den| FilmPosition::Time(Time::new(num, den));
    for range in [
        FilmRange::new(time(9, 1), None),
        FilmRange::new(FilmPosition::Frame(200), None),
        FilmRange::new(time(1001, 1000), Some(time(1039, 1000))),
        FilmRange::new(time(2, 1), Some(time(2, 1))),
    ] {
        let refused = survey_range(probe(&film).unwrap(), range, &|| false);
        assert!(matches!(refused, Err(MediaError::NoFramesInRange { .. })), "{range}: {refused:?}");
    }
    let refused = survey_range(survey(probe(&film).unwrap(), &|| false).unwrap(), (3..5).into(), &|| false);
    assert!(matches!(refused, Err(MediaError::Internal { .. })));
    // A range that ends behind the film ends with it.
    let info = cut(&film, FilmRange::new(time(79, 10), Some(time(20, 1))));
    assert_eq!(read(&info).0.len(), 2);
}

/// What is damaged, missing or different elsewhere in the film is no matter of the range.
#[test]
fn only_what_lies_in_the_range_is_found() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(&format!("{SOURCE} -c:v libx264 -g 10 -bf 2 -f mpegts"), "a.ts");
    let mut bytes = std::fs::read(&film).unwrap();
    let third = bytes.len() / 3;
    for byte in &mut bytes[third..third + 4000] {
        *byte ^= 0x5A;
    }
    std::fs::write(&film, &bytes).unwrap();
    let damage = |info: &FilmInfo| {
        let mut reader = FrameReader::open(info, options(info)).unwrap();
        while reader.next().unwrap().is_some() {}
        reader.findings().into_iter().filter(|finding| finding.kind.is_damage()).collect::<Vec<_>>()
    };
    let whole = survey(probe(&film).unwrap(), &|| false).unwrap();
    assert!(!damage(&whole).is_empty(), "the film tells nothing");
    let seconds = |from, to| TimeRange::between(Time::new(from, 1), Time::new(to, 1));
    for (range, sound) in [(seconds(0, 1), true), (seconds(2, 4), false), (seconds(5, 7), true)] {
        let found = damage(&cut(&film, range));
        assert_eq!(found.is_empty(), sound, "{range}: {found:?}");
    }

    // Half of the film is missing.
    let film = studio.render(&format!("{SOURCE} -c:v libx264 -g 10"), "b.mkv");
    let bytes = std::fs::read(&film).unwrap();
    std::fs::write(&film, &bytes[..bytes.len() / 2]).unwrap();
    let missing = |info: &FilmInfo| info.findings.iter().any(|found| found.kind == FindingKind::Missing);
    assert!(missing(&survey(probe(&film).unwrap(), &|| false).unwrap()));
    assert!(!missing(&cut(&film, seconds(1, 2))) && missing(&cut(&film, seconds(1, 7))));
}

/// Size and colours are those of the range, not of the film's beginning.
#[test]
fn the_form_is_that_of_the_range() {
    let Some(studio) = Studio::open() else { return };
    let part = |size: &str, name: &str| {
        let source = format!("-f lavfi -i testsrc2=s={size}:r=25:d=4");
        std::fs::read(studio.render(&format!("{source} -c:v mpeg2video -g 50 -f mpegts"), name)).unwrap()
    };
    let film = studio.path("film.ts");
    std::fs::write(&film, [part("160x90", "a.ts"), part("192x108", "b.ts")].concat()).unwrap();
    let size = |from: u64, to: u64| {
        let info = cut(&film, from..to);
        assert_eq!(read(&info).0.len() as u64, to - from);
        (info.video.width, info.video.height)
    };
    assert_eq!(size(20, 60), (160, 90));
    // No sync sample lies in this one.
    assert_eq!(size(160, 190), (192, 108));
    assert_eq!(size(60, 160), (192, 108));
}
