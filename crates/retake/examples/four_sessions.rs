//! Four sessions over one film of 400 frames, by hand: `four_sessions TO [ENCODER]`.
//!
//! Divides the film, tells each session its place, keeps the samples of each in a silo, and joins them into
//! one film. What can be had ready made is [`retake::parallel::ParallelEncode`].

mod common;

use common::{Answer, From, arguments, write};
use retake::SourceFrame;
use retake::asset::TrackFormat;
use retake::parallel::{Joiner, Part, Subdivision};
use retake::property::{Property, PropertyKey};
use retake::session::CompressionSession;
use retake::silo::FrameSilo;
use retake::{
    EncoderInfo, PixelBuffer, PixelBufferPool, PixelFormat, Rational, Registry, SampleBuffer, Time, TimeRange,
};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
const FRAMES: u64 = 400;
const RATE: i32 = 25;

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let [to, name @ ..] = arguments else {
        return Err("usage: four_sessions TO [ENCODER]".into());
    };
    let registry = retake::encoders();
    let name = name.first().map_or("x264", String::as_str);
    let info = registry.by_name(name).ok_or("no such encoder in this build")?.info().clone();

    // what a session with these properties recommends on this machine: asked before any other is created
    let probe: CompressionSession = CompressionSession::builder(&registry, WIDTH, HEIGHT, info.codec)
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
    let parts = Subdivision::at_most(4).parts(FRAMES, Some(Time::new(FRAMES as i64, RATE)));
    println!("session  more before  more after  source frames");
    for (number, part) in (1..).zip(&parts) {
        let Part { range, more_before, more_after } = part;
        println!("{number:7}  {more_before:11}  {more_after:10}  {:4} - {}", range.start, range.end - 1);
    }

    // a thread and a session for each part; which one is done first plays no role
    let silos: Vec<Arc<FrameSilo>> = std::thread::scope(|scope| {
        let running: Vec<_> =
            parts.iter().map(|part| scope.spawn(|| encode(&registry, &info, part))).collect();
        running.into_iter().map(|part| part.join().map_err(|_| "a part panicked")?).collect::<Answer<_>>()
    })?;
    let samples = join(&silos)?;
    let format = samples.first().ok_or("no samples")?.format.as_ref().clone();
    write(Path::new(to), TrackFormat::Video(format), samples, From::Generated(Rational::new(RATE, 1)))
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
fn encode(registry: &Registry, info: &EncoderInfo, part: &Part) -> Answer<Arc<FrameSilo>> {
    let at = |frame: u64| Time::new(frame as i64, RATE);
    let range = TimeRange::between(at(part.range.start), at(part.range.end));
    let silo = Arc::new(FrameSilo::temporary(range)?);
    let failure = Arc::new(Mutex::new(None));
    let (kept, noted) = (silo.clone(), failure.clone());
    let session = CompressionSession::builder(registry, WIDTH, HEIGHT, info.codec)
        .encoder(info.name)
        .on_output(move |outcome| {
            let added: Answer = outcome.into_sample().map_err(Into::into).and_then(|sample| match sample {
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
        session.encode(SourceFrame::new(&picture(&pool, frame), at(frame)).duration(at(1)), ())?;
    }
    session.complete_frames()?;
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

/// The samples of all parts in their order, as those of one film.
fn join(silos: &[Arc<FrameSilo>]) -> Answer<Vec<SampleBuffer>> {
    let mut joiner = Joiner::default();
    let mut samples = Vec::new();
    for silo in silos {
        for (index, sample) in silo.samples(None)?.enumerate() {
            let mut buffer = sample?;
            if index == 0 {
                joiner.begin(&buffer.format)?;
            }
            joiner.sample(&mut buffer.sample)?;
            samples.push(buffer);
        }
    }
    println!("{:?}", joiner.finish()?);
    Ok(samples)
}
