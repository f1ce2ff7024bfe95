//! Whatever the structure of the film, an exact range holds the frames that linear decoding finds there.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_libav::{FrameIndex, MediaError, RangeReader, SeekTrust, probe};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A generator that is small, repeatable and good enough to choose ranges.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn read(path: &Path, index: &Arc<FrameIndex>, range: Range<u64>, trust: &Arc<SeekTrust>) -> u32 {
    let info = probe(path).unwrap();
    let mut reader =
        RangeReader::open(&info, index.clone(), range.clone(), options(&info), trust.clone()).unwrap();
    for number in range.clone() {
        let frame = reader.next().unwrap().expect("a frame for each number");
        let entry = &index.frames[number as usize];
        assert_eq!(
            (frame.index, frame.pts, frame.duration, frame.sync),
            (number, entry.pts, entry.duration, entry.sync)
        );
        assert_eq!(frame.hash(), entry.hash, "frame {number} of {range:?} of {}", path.display());
    }
    assert!(reader.next().unwrap().is_none());
    reader.fallbacks()
}

/// Reads random ranges, and all ranges between sync frames, one after the other. Returns how often readers
/// had to start anew.
fn check(path: &Path, rolls: u64) -> (u32, Arc<SeekTrust>) {
    let index = index(path);
    let trust = SeekTrust::new();
    let count = index.frames.len() as u64;
    let mut dice = Dice(count);
    let mut fallbacks = 0;
    for _ in 0..rolls {
        let start = dice.below(count);
        let end = (start + 1 + dice.below(40)).min(count);
        fallbacks += read(path, &index, start..end, &trust);
    }
    let mut cuts: Vec<u64> = (0..count).filter(|&i| index.frames[i as usize].sync).chain([count]).collect();
    cuts.insert(0, 0);
    for pair in cuts.windows(2) {
        fallbacks += read(path, &index, pair[0]..pair[1], &trust);
    }
    (fallbacks, trust)
}

const SOURCE: &str = "-f lavfi -i testsrc2=s=160x90:r=25:d=8";

#[test]
fn closed_gops_need_no_second_try() {
    let Some(studio) = Studio::open() else { return };
    for (name, codec) in [
        ("a.mp4", "-c:v libx264 -g 25 -bf 3"),
        ("a.mkv", "-c:v libx264 -g 40 -bf 0"),
        ("b.mp4", "-c:v libx265 -x265-params log-level=none:pools=1:open-gop=0:keyint=30"),
        ("c.webm", "-c:v libvpx-vp9 -cpu-used 8 -g 30"),
        ("d.mp4", "-c:v libaom-av1 -cpu-used 8 -g 50"),
        ("e.mkv", "-c:v ffv1"),
    ] {
        let film = studio.render(&format!("{SOURCE} {codec}"), name);
        let (fallbacks, trust) = check(&film, 12);
        assert_eq!(fallbacks, 0, "{codec}");
        assert!(!trust.is_lost());
    }
}

#[test]
fn open_gops_and_short_gops_are_exact() {
    let Some(studio) = Studio::open() else { return };
    for (name, codec) in [
        ("a.mp4", "-c:v libx264 -g 20 -bf 3 -x264-params open-gop=1"),
        ("a.mkv", "-c:v libx264 -g 20 -bf 3 -x264-params open-gop=1"),
        ("b.mkv", "-c:v libx265 -x265-params log-level=none:pools=1:open-gop=1:keyint=24:bframes=4"),
        ("c.mp4", "-c:v libx264 -g 4 -bf 3"),
        ("d.ts", "-c:v mpeg2video -g 12 -bf 2"),
        ("e.ts", "-c:v libx264 -g 25 -bf 3"),
    ] {
        let film = studio.render(&format!("{SOURCE} {codec}"), name);
        let (_, trust) = check(&film, 12);
        assert!(!trust.is_lost(), "{name} {codec}");
    }
}

#[test]
fn variable_frame_rates_are_exact() {
    let Some(studio) = Studio::open() else { return };
    let film = studio
        .render(&format!("{SOURCE} -vf select='gt(mod(n*n,7),1)' -fps_mode vfr -c:v libx264 -g 30"), "v.mkv");
    assert_eq!(check(&film, 12).0, 0);
}

#[test]
fn raw_streams_without_times_are_read_linearly() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(&format!("{SOURCE} -c:v libx264 -g 25 -bf 2"), "a.h264");
    check(&film, 6);
}

/// The film decodes to green after every seek, because its first frame alone carries a message that matters.
#[test]
fn a_film_that_lies_after_seeks_is_read_linearly() {
    let Some(film) = retake_testing::clip("cockatoo-444.mp4") else { return };
    let (fallbacks, trust) = check(&film, 4);
    if index(&film).frames.iter().filter(|frame| frame.sync).count() > 2 {
        assert!(trust.is_lost() && fallbacks > 0);
    }
    // Once that is known, no reader seeks again.
    assert!(!trust.is_lost() || read(&film, &index(&film), 200..210, &trust) == 0);
}

#[test]
fn real_films_are_exact() {
    let Some(film) = retake_testing::clip("reel-640x360.mp4") else { return };
    assert_eq!(check(&film, 10).0, 0);
}

#[test]
fn a_film_that_changed_is_refused() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(&format!("{SOURCE} -c:v libx264 -g 25"), "a.mp4");
    let mut wrong = (*index(&film)).clone();
    wrong.frames[60].hash ^= 1;
    let wrong = Arc::new(wrong);
    let info = probe(&film).unwrap();
    let trust = SeekTrust::new();
    let mut reader = RangeReader::open(&info, wrong.clone(), 55..70, options(&info), trust.clone()).unwrap();
    for _ in 55..60 {
        reader.next().unwrap().unwrap();
    }
    assert!(matches!(reader.next(), Err(MediaError::SourceChanged { frame: 60, .. })));
    assert!(reader.next().unwrap().is_none(), "nothing follows an error");
    assert!(!trust.is_lost(), "it was not the seeks");
    let beyond = RangeReader::open(&info, wrong, 55..201, options(&info), trust);
    assert!(matches!(beyond, Err(MediaError::OutOfRange { frames: 200, .. })));
}

#[test]
fn an_index_survives_being_stored() {
    let Some(studio) = Studio::open() else { return };
    let index = index(&studio.render("-f lavfi -i testsrc2=s=64x48:r=25:d=0.4 -c:v libx264", "a.mp4"));
    let stored = serde_json::to_string(&*index).unwrap();
    assert_eq!(serde_json::from_str::<FrameIndex>(&stored).unwrap(), *index);
}
