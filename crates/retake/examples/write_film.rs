//! Writes a film from generated pictures and a tone, both encoded, in fragments: should it be killed, what is
//! there plays.
//!
//!     cargo run --example write_film -- film.mov

mod common;

use common::{Answer, LONG, arguments};
use retake::asset::{
    AssetWriter, AssetWriterInput, Container, PixelBufferAdaptor, SoundCodec, SoundSettings, VideoSettings,
};
use retake::property::Property;
use retake::{Codec, PixelBufferAttributes, PixelFormat, Time};
use std::path::PathBuf;
use std::thread;

const SECONDS: i64 = 10;
const RATE: i64 = 48_000;

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let film = PathBuf::from(arguments.first().map_or("film.mov", String::as_str));
    let writer = AssetWriter::new(film, Container::Mov);
    writer.configure(|options| {
        options.metadata = vec![("title".into(), "Stripes and a tone".into())];
        options.movie_fragment_interval = Some(Time::new(2, 1));
        options.fast_start = true;
    })?;
    let mut settings = VideoSettings::new(Codec::H264, 320, 240);
    settings.properties = vec![Property::Quality(0.6)];
    let pictures = AssetWriterInput::video(&settings, &retake::encoders())?;
    let adaptor =
        PixelBufferAdaptor::new(&pictures, Some(PixelBufferAttributes::of(PixelFormat::I420, 320, 240)))?;
    let sounds = AssetWriterInput::sound(&SoundSettings::new(SoundCodec::Aac, RATE as u32, 1))?;
    sounds.configure(|options| options.language_code = Some("eng".into()))?;
    writer.add(&pictures)?;
    writer.add(&sounds)?;
    writer.start_writing()?;
    writer.start_session(Time::ZERO)?;
    // each input has a thread: one that waits never keeps the other from bringing what the writer waits for
    thread::scope(|scope| {
        scope.spawn(|| tone(&sounds).unwrap_or_else(|error| eprintln!("sound: {error}")));
        scope.spawn(|| stripes(&pictures, &adaptor).unwrap_or_else(|error| eprintln!("pictures: {error}")));
    });
    writer.finish_writing_and_wait()?;
    Ok(())
}

fn stripes(input: &AssetWriterInput, adaptor: &PixelBufferAdaptor) -> Answer {
    for index in 0..SECONDS * 24 {
        if !input.wait_until_ready(LONG) {
            break; // it has failed: finishing says why
        }
        let mut picture = adaptor.pool().ok_or("no pool")?.take();
        for plane in 0..3 {
            picture.plane_mut(plane).fill(128);
        }
        for row in 0..240 {
            picture.row_mut(0, row).fill(((row as i64 / 16 + index) * 16) as u8);
        }
        adaptor.append(picture.freeze(), Time::new(index, 24))?;
    }
    Ok(input.mark_as_finished()?)
}

fn tone(input: &AssetWriterInput) -> Answer {
    const PORTION: i64 = 4800;
    for first in (0..SECONDS * RATE).step_by(PORTION as usize) {
        if !input.wait_until_ready(LONG) {
            break;
        }
        let wave =
            |index: i64| f64::sin(index as f64 * 440.0 * std::f64::consts::TAU / RATE as f64) as f32 * 0.25;
        input.append_sound((first..first + PORTION).map(wave).collect(), Time::new(first, RATE as i32))?;
    }
    Ok(input.mark_as_finished()?)
}
