//! Sound that a writer's input encodes (AI-5).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, BitRateStrategy, Container, Mistake, SoundCodec,
    SoundSettings, SoundSource, WriterStatus,
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
    if !codec.is_lossless() {
        settings.bit_rate = 160_000;
    }
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
        (SoundCodec::Ac3, "f.mp4"),
        (SoundCodec::Ac3, "g.mkv"),
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
            let priming = match codec {
                SoundCodec::Aac => 1024,
                SoundCodec::Ac3 => 256,
                _ => 312,
            };
            let shift = if ["c.mkv", "g.mkv"].contains(&name) { priming } else { 0 };
            let [before, there, after] = [-1, 0, 1].map(|more| difference(&heard, shift + more));
            assert!(there < 0.01 && there * 3.0 < before.min(after), "{name}: {before} {there} {after}");
            // this reader plays the last packets to their end
            let extra = heard.len() as i64 / 2 - SAMPLES - shift;
            assert!((0..2048).contains(&extra), "{name}: {extra} more");
            if writer.container().is_iso() {
                assert_eq!(edits(&film), [(SAMPLES as u32, priming as i32)], "{name}");
            }
        }
    }
}

/// A film of sound alone, of what was appended in portions that fit nothing.
fn sound_film(studio: &Studio, settings: &SoundSettings, name: &str) -> std::path::PathBuf {
    let film = studio.path(name);
    let input = AssetWriterInput::sound(settings).unwrap();
    let writer = AssetWriter::new(&film, Container::from_path(&film).unwrap());
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    append_all_sound(&input, Time::ZERO);
    writer.finish_writing_and_wait().unwrap();
    film
}

/// [AI-5] Formats without loss give back every sample that was appended and no other, in the depth that was
/// asked for, in every container that holds them.
#[test]
fn lossless_sound_is_heard_as_it_was_to_the_last_sample() {
    let Some(studio) = Studio::open() else { return };
    for (codec, depth, bits, name) in [
        (SoundCodec::Flac, None, 16, "a.mkv"),
        (SoundCodec::Flac, Some(24), 24, "b.mp4"),
        (SoundCodec::Alac, None, 16, "c.mp4"),
        (SoundCodec::Alac, Some(24), 24, "d.mov"),
        (SoundCodec::Alac, Some(24), 24, "e.mkv"),
        (SoundCodec::PcmS16, None, 16, "f.mov"),
        (SoundCodec::PcmS24, None, 24, "g.mov"),
        (SoundCodec::PcmS24, None, 24, "h.mkv"),
        (SoundCodec::PcmF32, None, 32, "i.mov"),
    ] {
        let mut settings = SoundSettings::new(codec, RATE as u32, 2);
        settings.bit_depth = depth;
        let film = sound_film(&studio, &settings, name);
        let heard = heard(&studio, &film);
        assert_eq!(heard.len() as i64, 2 * SAMPLES, "{name}");
        // half a step, and what 24 bits of a float lose
        let step = if bits == 32 { 0.0 } else { 0.5001 / f64::from(1 << (bits - 1)) };
        let wrong = heard
            .iter()
            .zip(stretch(0, SAMPLES))
            .position(|(got, meant)| (f64::from(*got) - f64::from(meant)).abs() > step);
        assert_eq!(wrong, None, "{name}");
        if bits == 24 {
            // 24 bits are there, and not 16 with eight that say nothing
            assert!(heard.iter().any(|sample| (sample * 32_768.0).fract() != 0.0), "{name}");
        }
        let said = ffprobe("-show_entries stream=sample_rate,channels,bits_per_raw_sample", &film);
        assert!(said[0].starts_with("48000,2"), "{name}: {said:?}");
    }
}

/// [AI-5] What is appended may have another rate and other channels than the track: it is mixed and resampled
/// as another program does it, in step, and the film lasts as long.
#[test]
fn appended_sound_is_converted_to_the_track() {
    let Some(studio) = Studio::open() else { return };
    let plain = SoundSettings::new(SoundCodec::PcmF32, RATE as u32, 2);
    let plain = sound_film(&studio, &plain, "plain.mov");
    let (from, to) = (plain.to_str().unwrap(), studio.path("mixed.mov"));
    ffmpeg(&["-i", from, "-ac", "1", "-ar", "44100", "-c:a", "pcm_f32le", to.to_str().unwrap()]);
    let meant = heard(&studio, &to);
    let mut settings = SoundSettings::new(SoundCodec::Flac, 44_100, 1);
    settings.source = Some(SoundSource::new(RATE as u32, 2));
    let film = sound_film(&studio, &settings, "a.mp4");
    let got = heard(&studio, &film);
    assert_eq!(got.len() as i64, (SAMPLES * 44_100 + 24_000) / RATE);
    let wrong = |shift: usize| -> f64 {
        let pairs = got[3999 + shift..].iter().zip(&meant[4000..80_000]);
        pairs.map(|(one, other)| f64::from(one - other).powi(2)).sum()
    };
    assert!(wrong(1) < 0.01 && wrong(0) > 1.0 && wrong(2) > 1.0, "{} {} {}", wrong(0), wrong(1), wrong(2));
}

/// [AI-5] The strategy is the encoder's: packets of one size, or of sizes that follow the sound.
#[test]
fn a_bit_rate_strategy_shows_in_the_packets() {
    let Some(studio) = Studio::open() else { return };
    let sizes = |strategy| {
        let mut settings = SoundSettings::new(SoundCodec::Opus, RATE as u32, 2);
        (settings.bit_rate, settings.strategy) = (96_000, Some(strategy));
        if let Err(error) = AssetWriterInput::sound(&settings) {
            eprintln!("SKIPPED: {error}");
            return None;
        }
        let film = sound_film(&studio, &settings, &format!("{strategy:?}.webm"));
        Some(ffprobe("-show_entries packet=size", &film))
    };
    let Some(constant) = sizes(BitRateStrategy::Constant) else { return };
    assert!(constant.len() > 100 && constant.iter().all(|size| *size == constant[0]), "{constant:?}");
    let [average, variable] =
        [BitRateStrategy::Average, BitRateStrategy::Variable].map(|s| sizes(s).unwrap());
    assert!(average != variable && variable.iter().any(|size| *size != variable[0]));
}

/// [AI-5] A container that does not hold a format says so when the input is added.
#[test]
fn sound_that_a_container_does_not_hold_is_refused_at_once() {
    for (codec, name) in [
        (SoundCodec::PcmS16, "a.mp4"),
        (SoundCodec::Flac, "a.mov"),
        (SoundCodec::Flac, "a.webm"),
        (SoundCodec::Alac, "a.webm"),
        (SoundCodec::Ac3, "a.webm"),
    ] {
        let input = AssetWriterInput::sound(&SoundSettings::new(codec, RATE as u32, 2)).unwrap();
        let writer = AssetWriter::new(name, Container::from_path(Path::new(name)).unwrap());
        let refused = writer.add(&input).unwrap_err();
        assert!(matches!(refused.mistake, Mistake::CannotAdd(_)), "{codec:?} {name}: {refused}");
        assert!(writer.status() == WriterStatus::Unknown && !writer.can_add(&input));
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
