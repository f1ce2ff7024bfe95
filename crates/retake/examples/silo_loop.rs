//! A film to a bit rate, in as many passes as its encoder asks for:
//! `silo_loop [--by-hand] FROM TO.mp4 [ENCODER [KBPS [METRIC]]]`.
//!
//! A storage keeps what the session learns, a silo the newest sample of every frame; after each pass the
//! session's ranges go to the silo, and only the frames in them are encoded again. At the end the silo's
//! samples are written as they are. `MultiPassEncode` holds the three together; `--by-hand` does the same
//! with the three as they are.

mod common;

use common::{Answer, From, arguments, write};
use retake::asset::{AssetReader, Pictures, ReaderOutput, TrackFormat};
use retake::multi_pass::MultiPassEncode;
use retake::property::Property;
use retake::session::{CompressionSession, NextPass, Outcomes, PassOptions};
use retake::silo::FrameSilo;
use retake::source::ReaderOptions;
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{SourceFrame, Time};
use std::path::Path;

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let (by_hand, arguments) = match arguments {
        [first, rest @ ..] if first == "--by-hand" => (true, rest),
        all => (false, all),
    };
    let [from, to, rest @ ..] = arguments else {
        return Err("usage: silo_loop [--by-hand] FROM TO.mp4 [ENCODER [KBPS [METRIC]]]".into());
    };
    let encoder = rest.first().map_or("x264", String::as_str);
    let rate = 1000 * rest.get(1).map_or(Ok(1000), |word| word.parse::<u64>())?;

    let reader = AssetReader::open(Path::new(from))?;
    let video = &reader.film().video;
    let mut frames = reader.pictures(ReaderOptions { format: video.format, threads: 1 });
    frames.set_supports_random_access(true)?;

    let registry = retake::encoders();
    let codec = registry.by_name(encoder).ok_or("no such encoder in this build")?.info().codec;
    let (session, outcomes) = CompressionSession::builder(&registry, video.width, video.height, codec)
        .encoder(encoder)
        .build_pull()?;
    session
        .set_all(&[Property::AverageBitRate(rate), Property::ExpectedFrameRate(video.frame_rate.to_f64())])?;
    if let Some(metric) = rest.get(2) {
        session.set(Property::QualityMetric(metric.clone()))?;
    }
    let encode = if by_hand { encode_by_hand } else { encode };
    let silo = encode((session, outcomes), &mut frames, rate)?;
    let samples: Vec<_> = silo.samples(None)?.collect::<Result<_, _>>()?;
    let first = samples.first().ok_or("the film has no frames")?;
    let format = TrackFormat::Video(first.format.as_ref().clone());
    write(Path::new(to), format, samples, From::Film(reader.film()))
}

/// All passes: what a client has to decide is where its frames come from.
fn encode(
    session: (CompressionSession, Outcomes),
    frames: &mut ReaderOutput<Pictures>,
    rate: u64,
) -> Answer<FrameSilo> {
    let mut encode = MultiPassEncode::begin(session, Some(PassOptions::default()), None)?;
    loop {
        let (pass, mut sent) = (encode.pass(), 0);
        while let Some(frame) = frames.next()? {
            encode.push(SourceFrame::new(&frame.picture, frame.pts).duration(frame.duration))?;
            sent += 1;
        }
        let ranges = encode.end_pass()?;
        report(pass, sent, rate, encode.samples()?)?;
        let Some(ranges) = ranges else { return Ok(encode.into_silo()) };
        frames.reset_for_reading(&ranges)?;
    }
}

/// The same without [`MultiPassEncode`].
fn encode_by_hand(
    (session, outcomes): (CompressionSession, Outcomes),
    frames: &mut ReaderOutput<Pictures>,
    rate: u64,
) -> Answer<FrameSilo> {
    let storage = MultiPassStorage::create(None, &StorageOptions::default())?;
    let silo = FrameSilo::temporary(None)?;
    session.set(Property::MultiPassStorage(storage.clone()))?;
    let keep = || -> Answer {
        while let Some(outcome) = outcomes.try_receive() {
            if let Some(sample) = outcome.into_sample()? {
                silo.add(&sample)?;
            }
        }
        Ok(())
    };
    for pass in 1.. {
        session.begin_pass()?;
        let mut sent = 0;
        while let Some(frame) = frames.next()? {
            session.encode(SourceFrame::new(&frame.picture, frame.pts).duration(frame.duration), ())?;
            keep()?;
            sent += 1;
        }
        let next = session.end_pass()?;
        keep()?;
        report(pass, sent, rate, silo.samples(None)?)?;
        let NextPass::Requested(ranges) = next else { break };
        silo.set_time_ranges_for_next_pass(&ranges)?;
        frames.reset_for_reading(&ranges)?;
    }
    session.invalidate();
    storage.close()?;
    Ok(silo)
}

/// How far the film is off its rate.
fn report(pass: u32, sent: u64, rate: u64, samples: retake::silo::Samples) -> Answer {
    let (mut bytes, mut first, mut end) = (0, Time::INVALID, Time::NEGATIVE_INFINITY);
    for sample in samples {
        let sample = sample?.sample;
        bytes += sample.data.len();
        (first, end) = (first.min(sample.pts), end.max(sample.pts + sample.duration));
    }
    let got = bytes as f64 * 8.0 / (end - first).seconds();
    let off = (got / rate as f64 - 1.0) * 100.0;
    println!("pass {pass}: {sent} frames, {:.1} kb/s, {off:+.2} %", got / 1e3);
    Ok(())
}
