//! Four sessions over one film of 400 frames, by hand: `four_sessions TO [ENCODER]`.
//!
//! Divides the film, tells each session its place, keeps the samples of each in a silo, and joins them into one film. What can be had ready
//! made is [`retake::parallel::ParallelEncode`].

use retake::asset::{AssetWriter, AssetWriterInput, Container, TrackFormat};
use retake::parallel::{Joiner, Part, Subdivision};
use retake::property::{Property, PropertyKey};
use retake::session::CompressionSession;
use retake::silo::FrameSilo;
use retake::{
    EncoderInfo, FrameOptions, PixelBuffer, PixelBufferPool, PixelFormat, Rational, Registry, Time, TimeRange,
};
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
const FRAMES: u64 = 400;
const RATE: i32 = 25;
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let to = arguments.next().ok_or("usage: four_sessions TO [ENCODER]")?;
    let registry = retake::encoders();
    let name = arguments.next().unwrap_or_else(|| "x264".to_owned());
    let info = registry.by_name(&name).ok_or("no such encoder in this build")?.info().clone();

    // what a session with these properties recommends on this machine: asked before any other is created
    let probe = CompressionSession::<()>::builder(&registry, WIDTH, HEIGHT, info.codec)
        .encoder(info.name)
        .on_output(drop)
        .build()?;
    probe.set_all(&properties())?;
    for key in [
        PropertyKey::RecommendedParallelizationLimit,
        PropertyKey::RecommendedParallelizedSubdivisionMinimumFrameCount,
        PropertyKey::RecommendedParallelizedSubdivisionMinimumDuration,
    ] {
        println!("{key}: {}", probe.get(key)?.ok_or("no recommendation")?);
    }

    // the division that is wanted here: four, however short they are
    let parts = Subdivision::at_most(4).parts(FRAMES, Time::new(FRAMES as i64, RATE));
    println!("session  more before  more after  source frames");
    for (number, part) in (1..).zip(&parts) {
        let Part { range, more_before, more_after } = part;
        println!("{number:7}  {more_before:11}  {more_after:10}  {:4} - {}", range.start, range.end - 1);
    }

    // a thread and a session for each part; which one is done first plays no role
    let silos: Vec<Arc<FrameSilo>> = std::thread::scope(|scope| {
        let running: Vec<_> =
            parts.iter().map(|part| scope.spawn(|| encode(&registry, &info, part))).collect();
        running.into_iter().map(|part| part.join().map_err(|_| "a part panicked")?).collect::<Result<_>>()
    })?;
    write(Path::new(&to), &silos)
}

fn properties() -> [Property; 4] {
    [
        Property::AverageBitRate(500_000),
        Property::MaxKeyFrameInterval(50),
        Property::ExpectedFrameRate(RATE.into()),
        Property::ThreadCount(1),
    ]
}

/// One part: its frames with the times that they have in the film, and its samples into a silo of its own.
fn encode(registry: &Registry, info: &EncoderInfo, part: &Part) -> Result<Arc<FrameSilo>> {
    let at = |frame: u64| Time::new(frame as i64, RATE);
    let range = TimeRange::between(at(part.range.start), at(part.range.end));
    let silo = Arc::new(FrameSilo::temporary(range)?);
    let failure = Arc::new(Mutex::new(None));
    let (kept, noted) = (silo.clone(), failure.clone());
    let session = CompressionSession::builder(registry, WIDTH, HEIGHT, info.codec)
        .encoder(info.name)
        .on_output(move |outcome| {
            let added: Result<()> =
                outcome.into_sample().map_err(Into::into).and_then(|sample| match sample {
                    Some(sample) => Ok(kept.add(&sample)?),
                    None => Ok(()),
                });
            if let Err(error) = added {
                noted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        })
        .build()?;
    session.set_all(&properties())?;
    session.set_all(&part.properties(&session.supported_properties()?))?;
    let pool = PixelBufferPool::new(PixelFormat::I420, WIDTH, HEIGHT);
    for frame in part.range.start..part.range.end {
        session.encode(&picture(&pool, frame), at(frame), at(1), FrameOptions::default(), ())?;
    }
    session.complete_frames(Time::INVALID)?;
    drop(session);
    if let Some(error) = failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    Ok(silo)
}

/// The same picture of the film, whichever session asks for it.
fn picture(pool: &PixelBufferPool, frame: u64) -> PixelBuffer {
    let mut buffer = pool.take();
    for plane in 0..3 {
        for y in 0..buffer.format().plane_size(WIDTH, HEIGHT, plane).1 as usize {
            for (x, value) in buffer.row_mut(plane, y).iter_mut().enumerate() {
                *value = match plane {
                    0 => ((x as u64 + 2 * frame) / 8 % 24 * 6 + (y as u64 + frame) / 16 % 8 * 10) as u8 + 16,
                    _ => 110 + (frame / 20 % 8) as u8 * 4,
                };
            }
        }
    }
    buffer.freeze()
}

/// All parts in their order, as one film.
fn write(to: &Path, silos: &[Arc<FrameSilo>]) -> Result<()> {
    let mut joiner = Joiner::default();
    let mut samples = Vec::new();
    for silo in silos {
        for (index, sample) in silo.samples(TimeRange::INVALID)?.enumerate() {
            let mut buffer = sample?;
            if index == 0 {
                joiner.begin(&buffer.format)?;
            }
            joiner.sample(&mut buffer.sample)?;
            samples.push(buffer);
        }
    }
    println!("{:?}", joiner.finish()?);
    let format = samples.first().ok_or("no samples")?.format.clone();
    let writer = AssetWriter::new(to, Container::from_path(to)?);
    writer.configure(|options| options.fast_start = true)?;
    let input = AssetWriterInput::passthrough(TrackFormat::Video(format.as_ref().clone()));
    input.configure(|options| options.frame_rate = Some(Rational::new(RATE, 1)))?;
    writer.add(&input)?;
    writer.start_writing()?;
    writer.start_session(Time::ZERO)?;
    for buffer in &samples {
        if !input.wait_until_ready(Duration::from_secs(60)) {
            break; // it has failed: finishing says why
        }
        input.append(buffer.sample.clone()).map_err(|error| error.to_string())?;
    }
    writer.finish_writing_and_wait()?;
    println!("{} samples", samples.len());
    Ok(())
}
