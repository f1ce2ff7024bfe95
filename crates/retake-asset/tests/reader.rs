//! Outputs of a reader, once and again (section 21).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AssetReader, PcmFormat, PcmOptions, PcmSamples, ReaderOptions, ReaderOutput, Sound, TrackFormat,
};
use retake_libav::picture_hash;
use retake_media::{Time, TimeRange};
use std::path::Path;

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

fn pictures(film: &Path, range: TimeRange) -> Vec<(Time, u64)> {
    let mut reader = AssetReader::open(film).unwrap();
    reader.set_time_range(range).unwrap();
    let mut output = reader.pictures(ReaderOptions { format: reader.film().video.format, threads: 1 });
    std::iter::from_fn(|| output.next().unwrap())
        .map(|picture| (picture.pts, picture_hash(&picture.picture)))
        .collect()
}

/// [RD-5] A reader of a part gives the pictures of that part alone, to the frame, wherever sync frames are:
/// also where pictures before a sync frame refer to others before it, and in containers that find no sync
/// frame by its time.
#[test]
fn a_reader_of_a_time_range_gives_its_pictures_and_no_others() {
    let Some(studio) = Studio::open() else { return };
    let video = "-f lavfi -i testsrc2=s=160x90:r=24:d=4 -c:v libx264 -bf 3 -g 24";
    for (options, name) in [
        ("", "closed.mp4"),
        ("-x264-params open-gop=1:scenecut=0", "open.mkv"),
        ("-x264-params open-gop=1:scenecut=0", "open.mp4"),
        ("-x264-params keyint=250:intra-refresh=1:bframes=0", "refresh.mp4"),
        ("", "stream.ts"),
    ] {
        let film = studio.render(&format!("{video} {options}"), name);
        let all = pictures(&film, TimeRange::EVERYTHING);
        assert_eq!(all.len(), 96);
        let half = |time: Time| time + Time::new(1, 100);
        for (start, end) in [
            (all[0].0, all[1].0),
            (all[50].0, all[60].0),
            (half(all[49].0), half(all[59].0)),
            (all[72].0, all[73].0),
            (all[70].0, Time::POSITIVE_INFINITY),
            (all[90].0, all[95].0 + Time::new(9, 1)),
            (all[95].0 + Time::new(9, 1), all[95].0 + Time::new(10, 1)),
        ] {
            let range = TimeRange::between(start, end);
            let inside = all.iter().filter(|(time, _)| *time >= start && *time < end);
            assert_eq!(pictures(&film, range), inside.copied().collect::<Vec<_>>(), "{name} {range:?}");
        }
    }
}

/// [RD-2] What a reader of a part is asked for again takes the place of that part.
#[test]
fn what_is_read_again_replaces_the_range_of_the_reader() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let all = pictures(&film, TimeRange::EVERYTHING);
    let mut reader = AssetReader::open(&film).unwrap();
    for range in [
        TimeRange::new(Time::INDEFINITE, Time::new(1, 1)),
        TimeRange::new(Time::ZERO, Time::INDEFINITE),
        TimeRange::new(Time::ZERO, Time::new(-1, 1)),
    ] {
        assert!(reader.set_time_range(range).is_err(), "{range:?}");
    }
    reader.set_time_range(range(10, 30)).unwrap();
    assert_eq!(reader.time_range(), range(10, 30));
    let mut output = reader.pictures(ReaderOptions { format: reader.film().video.format, threads: 1 });
    output.set_supports_random_access(true).unwrap();
    for (asked, expected) in [
        (None, 10..30),
        (Some(range(12, 14)), 12..14),
        (Some(range(0, 12)), 0..12),
        (Some(range(25, 40)), 25..40),
        (Some(TimeRange::EVERYTHING), 0..48),
        (Some(range(40, 41)), 40..41),
    ] {
        if let Some(asked) = asked {
            output.reset_for_reading(&[asked]).unwrap();
        }
        let got: Vec<_> = std::iter::from_fn(|| output.next().unwrap())
            .map(|picture| (picture.pts, picture_hash(&picture.picture)))
            .collect();
        assert_eq!(got, all[expected], "{asked:?}");
    }
}

/// [RD-5] Samples of a part are enough to show it: written by a writer whose session begins where the part
/// does, another program sees its pictures and no others.
#[test]
fn stored_samples_of_a_time_range_make_a_film_of_it() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let mut reader = AssetReader::open(&film).unwrap();
    reader.set_time_range(range(29, 40)).unwrap();
    let formats: Vec<TrackFormat> = [0, 1].map(|track| reader.track_format(track).unwrap()).to_vec();
    let part = studio.path("part.mp4");
    let (writer, inputs) = started(&part, &formats);
    writer.start_session(Time::new(29, 24)).unwrap();
    let tracks: Vec<Track> = [0, 1]
        .map(|track| {
            let mut output = reader.samples(track);
            let mut samples: Vec<_> = std::iter::from_fn(|| output.next().unwrap()).collect();
            assert!(samples[0].is_sync() && samples[0].pts <= Time::new(29, 24));
            if track == 0 {
                let mut times: Vec<_> = samples.iter().map(|sample| sample.pts).collect();
                times.sort();
                samples.iter_mut().zip(times).for_each(|(sample, time)| sample.dts = time);
            }
            Track { format: formats[track as usize].clone(), samples }
        })
        .to_vec();
    assert_eq!(tracks[0].samples[0].pts, Time::new(24, 24), "the sync frame before the part");
    append_all(&inputs, &tracks);
    writer.end_session(Time::new(40, 24)).unwrap();
    writer.finish_writing_and_wait().unwrap();
    let hashes = |film: &Path| frames(film, "v").into_iter().map(|(_, hash)| hash).collect::<Vec<_>>();
    assert_eq!(hashes(&part), hashes(&film)[29..40]);
}

/// All that an output of sound gives: where it begins, and its samples side by side.
fn all_sound(output: &mut ReaderOutput<Sound>) -> (Time, Vec<f32>) {
    let (mut begin, mut end, mut all) = (None, None, Vec::new());
    while let Some(block) = output.next().unwrap() {
        assert!(end.is_none_or(|end| end == block.pts), "{end:?} {}", block.pts);
        begin.get_or_insert(block.pts);
        end = Some(block.pts + block.duration);
        all.extend(block.samples.into_f32());
    }
    (begin.unwrap_or(Time::INVALID), all)
}

/// What another program hears of a film.
fn heard(studio: &Studio, film: &Path, options: &str) -> Vec<f32> {
    let raw = studio.path("heard.raw");
    let (from, to) = (film.to_str().unwrap(), raw.to_str().unwrap());
    let mut words = vec!["-i", from, "-map", "0:a:0"];
    words.extend(options.split_whitespace());
    words.extend(["-f", "f32le", to]);
    ffmpeg(&words);
    let bytes = std::fs::read(raw).unwrap();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// Sound of two channels that are unlike, which does not fill its last packet, beside pictures.
const SOUND: &str = "-f lavfi -i testsrc2=s=64x48:r=24:d=2 -f lavfi -i aevalsrc=0.4*sin(2*PI*t*(300+200*t))|0.4*sin(2*PI*t*(500+400*t)):s=48000:d=2.007";
const SAMPLES: usize = 96_336;

/// [RD-6] Decoded sound is that of another program, sample for sample; and where the container tells how long
/// it is, neither priming nor padding are heard, and nothing else is missing.
#[test]
fn decoded_sound_is_heard_as_by_others_and_is_as_long_as_it_was() {
    let Some(studio) = Studio::open() else { return };
    for (codec, name, exact) in [
        ("aac", "a.mp4", true),
        ("aac", "b.mkv", false),
        ("libopus", "c.mkv", true),
        ("libopus", "d.mp4", true),
        ("flac", "e.mkv", true),
        ("libmp3lame", "f.mp4", true),
        ("pcm_s24le", "g.mov", true),
        ("ac3", "h.ts", false),
    ] {
        let film = studio.render(&format!("{SOUND} -c:v mpeg4 -c:a {codec}"), name);
        let reader = AssetReader::open(&film).unwrap();
        let mut output = reader.sound(1, PcmOptions::default()).unwrap();
        let description = output.description();
        assert_eq!((description.sample_rate, description.channels), (48_000, 2), "{name}");
        let (begin, got) = all_sound(&mut output);
        assert!(output.is_completed() && output.damaged() == 0);
        let expected = heard(&studio, &film, "");
        let same = got.iter().zip(&expected).all(|(one, other)| (one - other).abs() < 1e-6);
        assert!(same && got.len() > 2 * 90_000, "{name}: other samples");
        if exact {
            assert_eq!((begin, got.len() / 2), (Time::ZERO, SAMPLES), "{name}");
        } else {
            assert_eq!(got.len(), expected.len(), "{name}");
        }
    }
}

/// [RD-6] Parts of sound are cut to the sample, and lie side by side as they do in the whole; in containers
/// with clocks that are too coarse for it as well.
#[test]
fn parts_of_sound_are_exact_to_the_sample() {
    let Some(studio) = Studio::open() else { return };
    for (codec, name) in
        [("flac", "a.mkv"), ("aac -aac_pns 0", "b.mp4"), ("libopus", "c.mkv"), ("alac", "d.mov")]
    {
        // (noise that a decoder substitutes is never the same after a seek)
        let film = studio.render(&format!("{SOUND} -c:v mpeg4 -c:a {codec}"), name);
        let mut reader = AssetReader::open(&film).unwrap();
        let options = PcmOptions::default();
        let (_, all) = all_sound(&mut reader.sound(1, options).unwrap());
        let at = |index: i64| Time::new(index, 48_000);
        for (start, end) in [(0, 1), (12_345, 23_456), (70_001, 96_336), (96_000, 200_000)] {
            reader.set_time_range(TimeRange::between(at(start), at(end))).unwrap();
            let (begin, got) = all_sound(&mut reader.sound(1, options).unwrap());
            let expected = &all[2 * start as usize..(2 * end as usize).min(all.len())];
            assert_eq!((begin, got.len()), (at(start), expected.len()), "{name}");
            let near = |(one, other): (&f32, &f32)| (one - other).abs() < 1e-3;
            let wrong = got.iter().zip(expected).position(|pair| !near(pair));
            assert_eq!(wrong, None, "{name} {start}");
        }
        // between two samples, the later one begins it
        reader.set_time_range(TimeRange::between(Time::new(1, 96_000), Time::new(7, 96_000))).unwrap();
        let mut output = reader.sound(1, options).unwrap();
        output.set_supports_random_access(true).unwrap();
        assert_eq!(all_sound(&mut output), (at(1), all[2..8].to_vec()), "{name}");
        output
            .reset_for_reading(&[TimeRange::between(at(2), at(3)), TimeRange::between(at(3), at(9))])
            .unwrap();
        assert_eq!(all_sound(&mut output), (at(2), all[4..18].to_vec()), "{name}");
        output.reset_for_reading(&[TimeRange::EVERYTHING]).unwrap();
        assert_eq!(all_sound(&mut output).1.len(), all.len(), "{name}");
    }
}

/// [RD-6] Form, rate and channels are converted as asked: as long as before, in step to the sample, mixed as
/// another program mixes; and what cannot be is refused at once.
#[test]
fn decoded_sound_is_converted_as_asked() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(&format!("{SOUND} -c:v mpeg4 -c:a pcm_s16le"), "a.mov");
    let reader = AssetReader::open(&film).unwrap();
    let mut options = PcmOptions::default();
    options.sample_rate = Some(44_100);
    options.channels = Some(1);
    let mut output = reader.sound(1, options).unwrap();
    assert_eq!((output.description().sample_rate, output.description().channels), (44_100, 1));
    let (begin, got) = all_sound(&mut output);
    assert_eq!((begin, got.len()), (Time::ZERO, (SAMPLES * 44_100).div_ceil(48_000)));
    let expected = heard(&studio, &film, "-ac 1 -ar 44100");
    let wrong = |shift: usize| {
        let pairs = got[4000 + shift..].iter().zip(&expected[4001..80_000]);
        pairs.map(|(one, other)| f64::from(one - other).powi(2)).sum::<f64>()
    };
    assert!(wrong(1) < 0.01 && wrong(0) > 1.0 && wrong(2) > 1.0, "{} {} {}", wrong(0), wrong(1), wrong(2));

    let whole = heard(&studio, &film, "");
    for format in [PcmFormat::S16, PcmFormat::S32] {
        let mut options = PcmOptions::default();
        options.format = format;
        let mut output = reader.sound(1, options).unwrap();
        let first = output.next().unwrap().unwrap();
        assert!(match (format, &first.samples) {
            (PcmFormat::S16, PcmSamples::S16(_)) | (PcmFormat::S32, PcmSamples::S32(_)) => true,
            (_, _) => false,
        });
        // the track itself has 16 bits
        assert_eq!(first.samples.clone().into_f32(), whole[..first.samples.len()]);
    }
    let mut options = PcmOptions::default();
    options.layout = Some(0x3F);
    assert_eq!(reader.sound(1, options).unwrap().description().channels, 6);
    for (rate, channels, layout) in
        [(Some(0), None, None), (Some(u32::MAX), None, None), (None, Some(0), None), (None, None, Some(0))]
    {
        let mut options = PcmOptions::default();
        (options.sample_rate, options.channels, options.layout) = (rate, channels, layout);
        assert!(reader.sound(1, options).is_err(), "{options:?}");
    }
    assert!(
        reader.sound(0, PcmOptions::default()).is_err() && reader.sound(9, PcmOptions::default()).is_err()
    );
}
