//! Films that are written hold what was appended, when it was to be seen.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AssetWriter, AssetWriterInput, CallError, Container, MediaSample, WriterError, WriterStatus,
};
use retake_media::{SampleAttachments, Time};
use std::path::Path;

/// Video and audio, four seconds, B frames, AAC with priming.
const FILM: &str = "-f lavfi -i testsrc2=s=160x90:r=24000/1001:d=4 -f lavfi -i sine=r=48000:d=4 -c:v libx264 -bf 3 -g 48 -c:a aac";

fn rewrap(
    from: &Path,
    to: &Path,
    session: Time,
    end: Option<Time>,
    fast_start: bool,
) -> Result<(), CallError> {
    let tracks = [Track::read(from, 0), Track::read(from, 1)];
    let writer = AssetWriter::new(to, Container::from_path(to).unwrap());
    writer.configure(|options| options.fast_start = fast_start).unwrap();
    let inputs: Vec<_> =
        tracks.iter().map(|track| AssetWriterInput::passthrough(track.format.clone())).collect();
    inputs.iter().for_each(|input| writer.add(input).unwrap());
    writer.start_writing()?;
    writer.start_session(session).unwrap();
    append_all(&inputs, &tracks);
    if let Some(end) = end {
        writer.end_session(end).unwrap();
    }
    writer.finish_writing_and_wait()
}

/// AI-1, section 16.2: what is appended is what is decoded, at the same times, in every container, and with
/// the index in front.
#[test]
fn films_decode_to_what_was_appended() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    for (name, fast) in [("b.mp4", false), ("c.mp4", true), ("d.mov", true), ("e.mkv", false)] {
        let copy = studio.path(name);
        rewrap(&film, &copy, Time::ZERO, None, fast).unwrap();
        for track in ["v:0", "a:0"] {
            let (expected, got) = (frames(&film, track), frames(&copy, track));
            let hashes =
                |list: &[(i64, String)]| list.iter().map(|frame| frame.1.clone()).collect::<Vec<_>>();
            // Matroska has no edits: there, what primes the decoder is heard, too
            assert!(hashes(&got).ends_with(&hashes(&expected)), "{name} {track}");
            assert!(got.len() == expected.len() || name == "e.mkv" && track == "a:0", "{name} {track}");
            let shift = got[0].0 - expected[0].0;
            if name == "e.mkv" {
                continue; // its times are below
            }
            assert_eq!(shift, 0, "{name} {track}");
            let apart = |(a, b): (&(i64, String), &(i64, String))| (b.0 - a.0 - shift).abs();
            let most = expected.iter().zip(&got).map(apart).max().unwrap();
            assert!(most <= 1, "{name} {track}: {most} µs");
        }
        if fast {
            let bytes = std::fs::read(&copy).unwrap();
            let at = |kind: &[u8]| bytes.windows(4).position(|four| four == kind).unwrap();
            assert!(at(b"moov") < at(b"mdat"));
        }
    }
    // Matroska: everything is moved by the priming of the sound, and rounded to milliseconds
    let times = |file: &Path| {
        let lines = ffprobe("-select_streams v:0 -show_entries packet=pts_time", file);
        let mut times: Vec<f64> = lines.iter().map(|line| line.parse().unwrap()).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let (expected, got) = (times(&film), times(&studio.path("e.mkv")));
    let shift = got[0] - expected[0];
    assert!(expected.len() == got.len() && (0.0..0.025).contains(&shift), "{shift}");
    let apart = expected.iter().zip(&got).map(|(a, b)| (b - a - shift).abs());
    assert!(apart.fold(0.0, f64::max) < 0.0011, "{expected:?} {got:?}");
    assert_eq!(studio.files(), ["a.mp4", "b.mp4", "c.mp4", "d.mov", "e.mkv"]);
}

/// Equal input gives equal bytes, however threads run.
#[test]
fn equal_input_gives_equal_bytes() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    for name in ["b.mp4", "c.mp4"] {
        rewrap(&film, &studio.path(name), Time::ZERO, None, true).unwrap();
    }
    assert!(std::fs::read(studio.path("b.mp4")).unwrap() == std::fs::read(studio.path("c.mp4")).unwrap());
}

/// A34: samples before the start of the session are edited out, what begins after it begins with nothing, and
/// what lies behind its end is edited out.
#[test]
fn a34_sessions_start_and_end_where_they_are_told() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let all = frames(&film, "v:0");
    let frame = |index: i64| Time::new(index * 1001, 24_000);

    // samples before the start: the first frame that is seen is the one at the start
    let cut = studio.path("cut.mp4");
    rewrap(&film, &cut, frame(10), None, false).unwrap();
    assert_eq!(frames(&cut, "v:0")[0], (0, all[10].1.clone()));
    assert_eq!(frames(&cut, "v:0").len(), all.len() - 10);
    assert_eq!(
        ffprobe("-select_streams v:0 -count_packets -show_entries stream=nb_read_packets", &cut),
        ["96"]
    );

    // the first sample after the start
    let late = studio.path("late.mp4");
    rewrap(&film, &late, frame(-24), None, true).unwrap();
    let shown = frames(&late, "v:0");
    assert_eq!((shown.len(), shown[0].0), (all.len(), 1_001_000));

    // the end before the last sample
    let short = studio.path("short.mp4");
    rewrap(&film, &short, Time::ZERO, Some(frame(20)), false).unwrap();
    assert_eq!(frames(&short, "v:0"), &all[..20]);
    let seconds = 20.0 * 1001.0 / 24_000.0;
    let ffprobe = |what: &str| ffprobe(what, &short)[0].parse::<f64>().unwrap();
    assert!((ffprobe("-show_entries format=duration") - seconds).abs() < 0.001);
    assert!((ffprobe("-select_streams a:0 -show_entries stream=duration") - seconds).abs() < 0.001);
}

/// Stored durations of a film of three pictures, in ticks of 1/24 s.
fn stored_durations(studio: &Studio, name: &str, last: Time, marker: Option<Time>) -> Vec<i64> {
    let file = studio.path(name);
    let (writer, inputs) = started(&file, &[video_format()]);
    writer.start_session(Time::ZERO).unwrap();
    for (index, time) in [(0, 0), (1, 2), (2, 5)] {
        let mut sample = picture(index);
        // its own duration says nothing, but of the last
        (sample.pts, sample.dts, sample.duration) =
            (Time::new(time, 24), Time::new(time, 24), Time::new(7, 24));
        if index == 2 {
            sample.duration = last;
        }
        append(&inputs[0], sample);
    }
    if let Some(time) = marker {
        let mut sample = picture(3);
        (sample.pts, sample.dts, sample.data) = (time, time, Vec::new());
        let attachments = SampleAttachments { ends_previous_duration: true, ..SampleAttachments::default() };
        let mut marker = MediaSample::from(sample);
        marker.attachments = attachments;
        append(&inputs[0], marker);
    }
    writer.finish_writing_and_wait().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(4).position(|four| four == b"stts").unwrap() + 4;
    let number = |at: usize| i64::from(u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()));
    let scale = number(bytes.windows(4).position(|four| four == b"mdhd").unwrap() + 4 + 12);
    let entries = (0..number(at + 4) as usize).map(|entry| at + 8 + entry * 8);
    entries.flat_map(|at| std::iter::repeat_n(number(at + 4) * 24 / scale, number(at) as usize)).collect()
}

/// A35: stored durations are distances of decode times; that of the last sample is said by a marker, else by
/// itself, else it is that of the sample before.
#[test]
fn a35_the_last_sample_has_three_sources_of_its_duration() {
    let studio = Studio::empty();
    assert_eq!(stored_durations(&studio, "a.mp4", Time::new(4, 24), Some(Time::new(11, 24))), [2, 3, 6]);
    assert_eq!(stored_durations(&studio, "b.mp4", Time::new(4, 24), None), [2, 3, 4]);
    assert_eq!(stored_durations(&studio, "c.mp4", Time::INVALID, None), [2, 3, 3]);
}

/// Resolution 26: a session without samples is a film without.
#[test]
fn a_session_without_samples_is_an_empty_film() {
    let studio = Studio::empty();
    for end in [None, Some(Time::new(3, 1))] {
        let file = studio.path(if end.is_some() { "a.mp4" } else { "b.mp4" });
        let (writer, _inputs) = started(&file, &[video_format()]);
        writer.start_session(Time::ZERO).unwrap();
        if let Some(end) = end {
            writer.end_session(end).unwrap();
        }
        writer.finish_writing_and_wait().unwrap();
        assert_eq!(writer.status(), WriterStatus::Completed);
        let bytes = std::fs::read(&file).unwrap();
        assert!(bytes.windows(4).any(|four| four == b"mvhd"));
    }
}

/// Section 16.2: what is at the output's place stays there, and the writer fails with -11823.
#[test]
fn an_existing_file_is_not_touched() {
    let studio = Studio::empty();
    let file = studio.path("a.mp4");
    std::fs::write(&file, "mine").unwrap();
    let writer = AssetWriter::new(&file, Container::Mp4);
    writer.add(&AssetWriterInput::passthrough(video_format())).unwrap();
    let Err(CallError::Failed(error)) = writer.start_writing() else { panic!("started") };
    assert!(matches!(error, WriterError::FileExists { .. }) && error.code() == -11823);
    assert_eq!(writer.status(), WriterStatus::Failed);
    assert_eq!(studio.files(), ["a.mp4"]);
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}
