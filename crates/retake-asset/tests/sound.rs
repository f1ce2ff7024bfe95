//! Sound that a writer's input encodes (AI-5).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, Container, Mistake, SoundCodec, SoundSettings,
};
use retake_media::Time;
use std::path::Path;

const RATE: i64 = 48_000;
/// Not a multiple of what a packet holds.
const SAMPLES: i64 = 2 * RATE + 345;

/// A tone that rises, other on either side: a shift by one sample shows.
fn chirp(channel: usize, index: i64) -> f32 {
    let t = index as f64 / RATE as f64;
    let from = if channel == 0 { 300.0 } else { 500.0 };
    ((t * (from + 400.0 * t)) * std::f64::consts::TAU).sin() as f32 * 0.4
}

fn stretch(first: i64, count: i64) -> Vec<f32> {
    (first..first + count).flat_map(|index| [chirp(0, index), chirp(1, index)]).collect()
}

fn input(codec: SoundCodec) -> Option<AssetWriterInput> {
    let mut settings = SoundSettings::new(codec, RATE as u32, 2);
    settings.bit_rate = 160_000;
    match AssetWriterInput::sound(&settings) {
        Ok(input) => Some(input),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}

/// Appends all sound in portions that fit nothing.
fn append_all_sound(input: &AssetWriterInput, begin: Time) {
    let (mut first, mut portion) = (0, 1);
    while first < SAMPLES {
        let count = portion.min(SAMPLES - first);
        assert!(input.wait_until_ready(LONG));
        input.append_sound(stretch(first, count), begin + Time::new(first, RATE as i32)).unwrap();
        first += count;
        portion = portion * 2 % 5003;
    }
    input.mark_as_finished().unwrap();
}

/// What another program hears of a film, one of each channel after the other.
fn heard(studio: &Studio, film: &Path) -> Vec<f32> {
    let raw = studio.path("heard.raw");
    let (from, to) = (film.to_str().unwrap(), raw.to_str().unwrap());
    ffmpeg(&["-i", from, "-map", "0:a:0", "-f", "f32le", to]);
    let bytes = std::fs::read(raw).unwrap();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// The edit list of the only track: durations in ticks of the film, and where in the media each begins.
fn edits(film: &Path) -> Vec<(u32, i32)> {
    let bytes = std::fs::read(film).unwrap();
    let at = bytes.windows(4).position(|four| four == b"elst").unwrap() + 8;
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (0..word(at) as usize).map(|edit| (word(at + 4 + edit * 12), word(at + 8 + edit * 12) as i32)).collect()
}

/// Energy of the difference between what is heard, moved by some samples, and what was appended; against that
/// of the latter.
fn difference(heard: &[f32], shift: i64) -> f64 {
    let (mut wrong, mut all) = (0.0, 0.0);
    for index in 4000..SAMPLES - 4000 {
        for channel in 0..2 {
            let (meant, got) = (chirp(channel, index), heard[((index + shift) * 2) as usize + channel]);
            wrong += f64::from(meant - got).powi(2);
            all += f64::from(meant).powi(2);
        }
    }
    wrong / all
}

/// AI-5: what is heard begins with the first sample that was appended, and not with what primes the decoder:
/// to the sample, in every container, and wherever the session begins; it lasts as long as what was appended.
#[test]
fn encoded_sound_is_heard_from_its_first_sample_on() {
    let Some(studio) = Studio::open() else { return };
    for (codec, name) in [
        (SoundCodec::Aac, "a.mp4"),
        (SoundCodec::Aac, "b.mov"),
        (SoundCodec::Aac, "c.mkv"),
        (SoundCodec::Opus, "d.mp4"),
        (SoundCodec::Opus, "e.webm"),
    ] {
        for begin in [Time::ZERO, Time::new(1001 * 7, 24_000)] {
            let film = studio.path(name);
            let _ = std::fs::remove_file(&film);
            let Some(input) = input(codec) else { continue };
            let writer = AssetWriter::new(&film, Container::from_path(&film).unwrap());
            writer.add(&input).unwrap();
            writer.start_writing().unwrap();
            writer.start_session(begin).unwrap();
            append_all_sound(&input, begin);
            writer.finish_writing_and_wait().unwrap();
            let heard = heard(&studio, &film);
            // FFmpeg notes the priming of Opus alone in Matroska: that of AAC is heard, in step all the same
            let shift = if name == "c.mkv" { 1024 } else { 0 };
            let [before, there, after] = [-1, 0, 1].map(|more| difference(&heard, shift + more));
            assert!(there < 0.01 && there * 3.0 < before.min(after), "{name}: {before} {there} {after}");
            // this reader plays the last packets to their end
            let extra = heard.len() as i64 / 2 - SAMPLES - shift;
            assert!((0..2048).contains(&extra), "{name}: {extra} more");
            if writer.container().is_iso() {
                let priming = if codec == SoundCodec::Aac { 1024 } else { 312 };
                assert_eq!(edits(&film), [(SAMPLES as u32, priming)], "{name}");
            }
        }
    }
}

/// The same packets, whether each portion is a packet or not; and a film with none is one without sound.
#[test]
fn a_film_without_a_sample_of_sound() {
    let studio = Studio::empty();
    let Some(input) = input(SoundCodec::Aac) else { return };
    let writer = AssetWriter::new(studio.path("a.mp4"), Container::Mp4);
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    writer.finish_writing_and_wait().unwrap();
    assert_eq!(studio.files(), ["a.mp4"]);
}

/// AI-8, AI-9: what is no sound, does not follow, or comes to the wrong input is refused, and does no harm.
#[test]
fn sound_that_does_not_belong_is_refused() {
    let studio = Studio::empty();
    let Some(input) = input(SoundCodec::Aac) else { return };
    let other = AssetWriterInput::passthrough(audio_format());
    let refused = |result: Result<(), AppendError<Vec<f32>>>| match result {
        Err(AppendError::Usage(error)) => error.mistake,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(input.append_sound(vec![0.0; 2], Time::ZERO)), Mistake::NotAttached);
    let writer = AssetWriter::new(studio.path("a.mp4"), Container::Mp4);
    assert!(AssetWriter::new("nowhere.webm", Container::WebM).add(&input).is_err(), "WebM holds no AAC");
    writer.add(&input).unwrap();
    writer.add(&other).unwrap();
    writer.start_writing().unwrap();
    assert_eq!(refused(input.append_sound(vec![0.0; 2], Time::ZERO)), Mistake::NoSession);
    writer.start_session(Time::ZERO).unwrap();
    input.append_sound(stretch(0, 480), Time::ZERO).unwrap();
    let at = |index: i64| Time::new(index, RATE as i32);
    assert_eq!(
        refused(input.append_sound(vec![0.0; 3], at(480))),
        Mistake::BadValue("samples of some channels are missing")
    );
    assert!(matches!(refused(input.append_sound(vec![f32::NAN; 2], at(480))), Mistake::BadValue(_)));
    assert!(matches!(refused(input.append_sound(vec![0.0; 2], Time::INDEFINITE)), Mistake::BadTime(_)));
    assert_eq!(refused(input.append_sound(vec![0.0; 2], at(481))), Mistake::SoundGap(at(480)));
    assert_eq!(refused(input.append_sound(vec![0.0; 2], at(479))), Mistake::TimeGoesBack(at(479)));
    assert!(matches!(refused(other.append_sound(vec![0.0; 2], at(480))), Mistake::WrongMedia(_)));
    assert!(matches!(input.append(sound(0)), Err(AppendError::Usage(_))));
    // a clock that rounds is forgiven
    input.append_sound(stretch(480, 480), Time::new(10_001, 1_000_000)).unwrap();
    assert_eq!(refused(input.append_sound(vec![0.0; 2], at(961))), Mistake::SoundGap(at(960)));
    writer.finish_writing_and_wait().unwrap();
    assert_eq!(
        AssetWriterInput::sound(&SoundSettings::new(SoundCodec::Aac, 7, 2)).unwrap_err().code(),
        -11834
    );
}
