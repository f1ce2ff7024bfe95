//! What a session makes of it that other frames come before its own.

use super::{Film, RATE, at};
use crate::common::{self, HEIGHT, WIDTH, decode, luma_error};
use retake::SourceFrame;
use retake::parallel::{Part, Subdivision};
use retake::property::Property;
use retake::session::CompressionSession;
use retake::{EncoderInfo, SampleBuffer, Time};

fn encode(info: &EncoderInfo, film: &Film, part: Option<&Part>) -> Vec<SampleBuffer> {
    let (session, outcomes) =
        CompressionSession::<()>::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
            .encoder(info.name)
            .build_pull()
            .unwrap();
    session.set_all(&common::usual(info)).unwrap();
    session
        .set_all(&[
            Property::AverageBitRate(120_000),
            Property::MaxKeyFrameInterval(RATE as u32),
            Property::ExpectedFrameRate(RATE as f64),
        ])
        .unwrap();
    if let Some(part) = part {
        session.set_all(&part.properties(&session.supported_properties().unwrap())).unwrap();
    }
    let step = Time::new(1, RATE as i32);
    for (index, picture) in film.0.iter().enumerate() {
        session.encode(SourceFrame::new(picture, at(index)).duration(step), ()).unwrap();
    }
    session.complete_frames().unwrap();
    std::iter::from_fn(|| outcomes.try_receive())
        .map(|outcome| outcome.into_sample().unwrap().unwrap())
        .collect()
}

/// How many decibels the frames behind the first are worse (or better) than those in the middle of the part.
fn dip(film: &Film, samples: &[SampleBuffer]) -> f64 {
    let pictures = decode(&samples.iter().collect::<Vec<_>>());
    let errors: Vec<f64> =
        pictures.iter().zip(&film.0).map(|(picture, source)| luma_error(picture, source)).collect();
    let level = |errors: &[f64]| -10.0 * (errors.iter().sum::<f64>() / errors.len() as f64).log10();
    level(&errors[1..RATE / 2]) - level(&errors[2 * RATE..])
}

/// PA-8: with the flag, a bit rate begins nearer to where it stays; samples, times and description are as
/// without.
#[test]
fn a_part_begins_as_in_the_middle_of_a_film() {
    let film = Film(common::render(4 * RATE, 4 * RATE, 4));
    let part = Subdivision::at_most(2).parts(8 * RATE as u64, None)[1];
    for info in common::encoders() {
        let pull = common::session(&info);
        assert_eq!(part.properties(&pull.0.supported_properties().unwrap()).len(), 3, "{}", info.name);
        let (plain, inner) = (encode(&info, &film, None), encode(&info, &film, Some(&part)));
        assert_eq!(inner.len(), film.0.len(), "{}", info.name);
        assert!(
            inner.iter().zip(&plain).all(|(inner, plain)| {
                inner.format == plain.format && inner.sample.dts == plain.sample.dts
            })
        );
        if common::ffmpeg() {
            let (plain, inner) = (dip(&film, &plain), dip(&film, &inner));
            println!("{}: {plain:+.2} dB at a start, {inner:+.2} dB between others", info.name);
            // less than half a decibel is no dip
            assert!(
                inner.abs() < (plain.abs() * 0.6).max(0.5),
                "{}: {inner} where {plain} is usual",
                info.name
            );
        }
    }
}

/// The most that a second takes which begins at one of these frames.
fn fullest(samples: &[SampleBuffer], first: std::ops::Range<usize>) -> f64 {
    let sizes: Vec<usize> = samples.iter().map(|sample| sample.sample.data.len()).collect();
    first.map(|first| sizes[first..first + RATE].iter().sum::<usize>()).max().unwrap() as f64
}

/// PA-8: an average rate ends as in the middle of a film with every encoder: none spends at the end what it
/// has left over, and with the flag a part is not larger there than without.
#[test]
fn a_part_ends_as_in_the_middle_of_a_film() {
    let film = Film(common::render(6 * RATE, 6 * RATE, 4));
    let part = Subdivision::at_most(2).parts(12 * RATE as u64, None)[0];
    for info in common::encoders() {
        let (plain, inner) = (encode(&info, &film, None), encode(&info, &film, Some(&part)));
        for samples in [plain, inner] {
            let (last, before) =
                (fullest(&samples, 5 * RATE..5 * RATE + 1), fullest(&samples, 2 * RATE..4 * RATE));
            println!("{}: {:.3} of the seconds before", info.name, last / before);
            assert!(last <= before * 1.1, "{}: {last} bytes behind {before}", info.name);
        }
    }
}

/// PA-8: with the flag, the first second of a part takes about what it takes in the middle of a film that is
/// encoded as a whole, and is nearer to that than without.
#[test]
fn a_start_takes_what_the_middle_of_a_film_takes() {
    let film = Film(common::render(8 * RATE, 8 * RATE, 4));
    let later = Film(film.0[4 * RATE..].to_vec());
    let part = Subdivision::at_most(2).parts(8 * RATE as u64, None)[1];
    for info in common::encoders() {
        let whole = encode(&info, &film, None);
        assert!(whole[4 * RATE].sample.is_sync(), "{}", info.name);
        let middle = fullest(&whole, 4 * RATE..4 * RATE + 1);
        let [plain, inner] =
            [None, Some(&part)].map(|part| fullest(&encode(&info, &later, part), 0..1) / middle);
        println!("{}: {inner:.3} of what the middle takes, {plain:.3} without the flag", info.name);
        assert!(inner.ln().abs() <= 1.1f64.ln().max(0.75 * plain.ln().abs()), "{}: {inner}", info.name);
    }
}

/// Nothing of the frames that are encoded twice comes out: errors of samples are those of the pictures that a
/// decoder gives.
#[test]
fn errors_are_those_of_the_frames_that_count() {
    let film = Film(common::render(2 * RATE, 2 * RATE, 4));
    let part = Subdivision::at_most(2).parts(4 * RATE as u64, None)[1];
    for info in common::encoders() {
        let pull = common::session(&info);
        if !common::ffmpeg() {
            continue;
        }
        pull.0.set_all(&part.properties(&pull.0.supported_properties().unwrap())).unwrap();
        pull.0
            .set_all(&[Property::AverageBitRate(100_000), Property::CalculateMeanSquaredError(true)])
            .unwrap();
        let mut samples = common::encode(&pull, &film.0, &[]);
        let pictures = decode(&samples.iter().map(|(_, sample)| sample).collect::<Vec<_>>());
        assert_eq!(pictures.len(), film.0.len(), "{}", info.name);
        samples.sort_by_key(|(index, _)| *index);
        for ((index, sample), picture) in samples.iter().zip(&pictures) {
            let (told, seen) =
                (sample.attachments.mean_squared_errors[0][0], luma_error(picture, &film.0[*index]));
            assert!((told - seen).abs() < 1e-6, "{}: frame {index}: {told} and {seen}", info.name);
        }
    }
}

/// PA-8: a session is told fewer frames than a second has, or gets fewer: it keeps to what it has.
#[test]
fn few_frames_are_enough() {
    for info in common::encoders() {
        for frames in [1, 2, 5, 9] {
            let film = Film(common::render(frames, 40, 4));
            for count in [0, frames as u64, 400] {
                let mut part = Subdivision::at_most(2).parts(2 * count.max(1), None)[1];
                part.range.end = part.range.start + count;
                assert_eq!(encode(&info, &film, Some(&part)).len(), frames, "{}", info.name);
            }
        }
    }
}
