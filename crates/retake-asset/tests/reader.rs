//! Outputs of a reader, once and again (section 21).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{AssetReader, ReaderOptions, ReaderOutput};
use retake_libav::picture_hash;
use retake_media::{Time, TimeRange};

/// Two seconds, B frames.
const FILM: &str =
    "-f lavfi -i testsrc2=s=160x90:r=24:d=2 -f lavfi -i sine=r=48000:d=2 -c:v libx264 -bf 3 -g 24 -c:a aac";

fn range(start: i64, end: i64) -> TimeRange {
    TimeRange::between(Time::new(start, 24), Time::new(end, 24))
}

/// RD-1, RD-2, RD-3, RD-4: what is asked for is what comes, picture for picture, as often as it is asked for;
/// and each call in the wrong place is a usage error that changes nothing.
#[test]
fn outputs_with_random_access_are_read_again_and_again() {
    let Some(studio) = Studio::open() else { return };
    let reader = AssetReader::open(&studio.render(FILM, "a.mp4")).unwrap();
    let options = ReaderOptions { format: reader.film().video.format, threads: 1 };
    let mut output = reader.pictures(options);
    assert!(!output.supports_random_access());
    output.set_supports_random_access(true).unwrap();
    assert!(output.reset_for_reading(&[range(0, 1)]).is_err(), "nothing was read yet");
    let mut all = Vec::new();
    while let Some(picture) = output.next().unwrap() {
        assert!(output.set_supports_random_access(false).is_err());
        assert!(
            output.reset_for_reading(&[range(0, 1)]).is_err()
                && output.mark_configuration_as_final().is_err()
        );
        all.push((picture.pts, picture_hash(&picture.picture)));
    }
    assert_eq!(all.len(), 48);
    assert!(!output.is_completed());

    // not numbers, not ascending, not apart
    let endless = TimeRange::new(Time::new(4, 24), Time::POSITIVE_INFINITY);
    for ranges in [
        &[TimeRange::new(Time::INVALID, Time::INVALID)][..],
        &[TimeRange::new(Time::ZERO, Time::INDEFINITE)],
        &[range(4, 8), range(0, 2)],
        &[range(0, 4), range(3, 8)],
        &[range(4, 4), range(4, 8)],
        &[endless, range(8, 9)],
    ] {
        assert!(output.reset_for_reading(ranges).is_err(), "{ranges:?}");
    }
    for ranges in [
        vec![range(10, 20)],
        vec![range(3, 6), range(6, 7), range(40, 99)],
        vec![TimeRange::EVERYTHING],
        vec![endless],
        vec![],
    ] {
        output.reset_for_reading(&ranges).unwrap();
        let got: Vec<_> = std::iter::from_fn(|| output.next().unwrap())
            .map(|picture| (picture.pts, picture_hash(&picture.picture)))
            .collect();
        let asked = |(time, _): &&(Time, u64)| ranges.iter().any(|range| range.contains(*time));
        assert_eq!(got, all.iter().filter(asked).copied().collect::<Vec<_>>(), "{ranges:?}");
    }
    output.mark_configuration_as_final().unwrap();
    output.mark_configuration_as_final().unwrap();
    assert!(output.is_completed() && output.next().unwrap().is_none());
    assert!(output.reset_for_reading(&[range(0, 1)]).is_err());
}

/// Without random access an output is complete when it was read.
#[test]
fn outputs_without_random_access_are_read_once() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let reader = AssetReader::open(&film).unwrap();
    for track in [0, 1] {
        let mut output = reader.samples(track);
        let count = std::iter::from_fn(|| output.next().unwrap()).count();
        let packets = format!("-select_streams {track} -count_packets -show_entries stream=nb_read_packets");
        assert_eq!(ffprobe(&packets, &film), [count.to_string()]);
        assert!(output.is_completed());
        assert!(
            output.reset_for_reading(&[range(0, 1)]).is_err()
                && output.mark_configuration_as_final().is_err()
        );
    }
    fn is_send<T: Send>(_: &T) {}
    is_send::<ReaderOutput<_>>(&reader.samples(0));
}

/// RD-2: after a failure a reset is accepted, and the next thing read is nothing.
#[test]
fn a_reset_after_a_failure_gives_nothing() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let reader = AssetReader::open(&film).unwrap();
    let options = ReaderOptions { format: reader.film().video.format, threads: 1 };
    let mut output = reader.pictures(options);
    output.set_supports_random_access(true).unwrap();
    while output.next().unwrap().is_some() {}
    // the film goes away between two passes
    std::fs::write(&film, "").unwrap();
    output.reset_for_reading(&[range(10, 20)]).unwrap();
    let error = output.next().err().unwrap();
    assert!(error.to_string().contains("a.mp4"), "{error}");
    assert!(output.is_completed() && output.next().unwrap().is_none());
    output.reset_for_reading(&[range(0, 5)]).unwrap();
    assert!(output.next().unwrap().is_none());
    output.mark_configuration_as_final().unwrap();
}
