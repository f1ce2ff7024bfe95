//! What a session costs beside the encoder it drives: `overhead bare|session [FRAMES]` encodes the same
//! rendered 720p pictures with x264 veryfast, with the loop that the encoder contract asks for or with a
//! session. `./dev bench session` compares their CPU.

mod common;

use common::{Answer, arguments};
use retake::SourceFrame;
use retake::encoder::{EncoderSettings, Output, RateControl};
use retake::property::Property;
use retake::session::CompressionSession;
use retake::{FrameOptions, PixelBuffer, PixelBufferPool, PixelFormat, Time};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const STEP: Time = Time::new(1, 25);

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let side = arguments.first().map_or("", String::as_str);
    let frames: i64 = arguments.get(1).map_or(Ok(500), |word| word.parse())?;
    let pictures = render(25);
    let bytes = match side {
        "bare" => bare(&pictures, frames)?,
        "session" => session(&pictures, frames)?,
        _ => return Err("usage: overhead bare|session [FRAMES]".into()),
    };
    println!("{bytes} bytes");
    Ok(())
}

fn session(pictures: &[PixelBuffer], frames: i64) -> Answer<u64> {
    let registry = retake::encoders();
    let codec = registry.by_name("x264").ok_or("no x264 in this build")?.info().codec;
    let bytes = Arc::new(AtomicU64::new(0));
    let sum = bytes.clone();
    let session = CompressionSession::builder(&registry, WIDTH, HEIGHT, codec)
        .encoder("x264")
        .on_output(move |outcome| {
            let size = outcome.sample().map_or(0, |buffer| buffer.sample.data.len() as u64);
            sum.fetch_add(size, Ordering::Relaxed);
        })
        .build()?;
    session.set_all(&[Property::EncoderPreset("veryfast".to_owned()), Property::ThreadCount(1)])?;
    for (index, picture) in (0..frames).zip(pictures.iter().cycle()) {
        session.encode(SourceFrame::new(picture, Time::new(index, 25)).duration(STEP), ())?;
    }
    session.complete_frames()?;
    Ok(bytes.load(Ordering::Relaxed))
}

/// The loop that the contract of encoders asks for, and nothing else.
fn bare(pictures: &[PixelBuffer], frames: i64) -> Answer<u64> {
    let factory = retake::encoders().by_name("x264").ok_or("no x264 in this build")?;
    let mut encoder = factory.open(&settings(&*factory))?;
    let bytes = Mutex::new(0);
    let take = |encoder: &mut dyn retake::Encoder| -> Answer {
        while let Output::Frame(frame) = encoder.receive()? {
            *bytes.lock().map_err(|_| "a panic elsewhere")? += frame.sample.data.len() as u64;
        }
        Ok(())
    };
    for (index, picture) in (0..frames).zip(pictures.iter().cycle()) {
        encoder.send(picture, Time::new(index, 25), STEP, FrameOptions::default())?;
        take(&mut *encoder)?;
    }
    encoder.finish()?;
    take(&mut *encoder)?;
    Ok(bytes.into_inner()?)
}

fn settings(factory: &dyn retake::EncoderFactory) -> EncoderSettings {
    EncoderSettings {
        width: WIDTH,
        height: HEIGHT,
        format: PixelFormat::I420,
        frame_rate: retake::Rational::new(25, 1),
        colour: retake::Colour::default(),
        pixel_aspect_ratio: retake::Rational::new(1, 1),
        mastering_display: None,
        content_light: None,
        preset: "veryfast".to_owned(),
        rate: RateControl::Quality(factory.info().quality.usual),
        limit: None,
        max_key_frame_interval: 0,
        threads: 1,
        reconstruct: false,
        controls: Default::default(),
        options: Vec::new(),
    }
}

/// A second of moving slopes with some noise.
fn render(count: usize) -> Vec<PixelBuffer> {
    let pool = PixelBufferPool::new(PixelFormat::I420, WIDTH, HEIGHT);
    let mut noise = 1u32;
    (0..count)
        .map(|frame| {
            let mut buffer = pool.take();
            for plane in 0..3 {
                let (_, rows) = PixelFormat::I420.plane_size(WIDTH, HEIGHT, plane);
                for y in 0..rows as usize {
                    for (x, sample) in buffer.row_mut(plane, y).iter_mut().enumerate() {
                        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let slope = (x + y * 2 + frame * 5) / 3 % 140;
                        *sample = 40 + slope as u8 + (noise >> 29) as u8;
                    }
                }
            }
            buffer.freeze()
        })
        .collect()
}
