//! A film to a bit rate in two passes over everything, whatever the session would rather have:
//! `two_passes FROM TO.mkv [ENCODER [KBPS]]`.
//!
//! For clients that write samples as they come and cannot merge those of several passes: they keep those of
//! the last one. The session is told so by two properties, and then asks for everything, once.

mod common;

use common::{Answer, From, arguments, write};
use retake::SampleBuffer;
use retake::SourceFrame;
use retake::asset::TrackFormat;
use retake::property::Property;
use retake::session::{CompressionSession, NextPass, Outcomes};
use retake::source::{FilmInfo, FrameReader, ReaderOptions, probe};
use retake::storage::{MultiPassStorage, StorageOptions};
use std::path::Path;

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let [from, to, rest @ ..] = arguments else {
        return Err("usage: two_passes FROM TO.mkv [ENCODER [KBPS]]".into());
    };
    let encoder = rest.first().map_or("x264", String::as_str);
    let rate = 1000 * rest.get(1).map_or(Ok(1000), |word| word.parse::<u64>())?;

    let info = probe(Path::new(from))?;
    let registry = retake::encoders();
    let codec = registry.by_name(encoder).ok_or("no such encoder in this build")?.info().codec;
    let storage = MultiPassStorage::create(None, &StorageOptions::default())?;
    let (session, outcomes) =
        CompressionSession::builder(&registry, info.video.width, info.video.height, codec)
            .encoder(encoder)
            .build_pull()?;
    session.set_all(&[
        Property::AverageBitRate(rate),
        Property::ExpectedFrameRate(info.video.frame_rate.to_f64()),
        Property::MultiPassStorage(storage.clone()),
        Property::RequestWholeSourcePasses(true),
        Property::AlwaysRequestSecondPass(true),
    ])?;

    session.begin_pass()?;
    let first = pass(&info, &session, &outcomes)?;
    if let NextPass::Requested(ranges) = session.end_pass()? {
        println!("{} bytes; then {} range, from {}", bytes(&first), ranges.len(), ranges[0].start);
    }
    drop(first);
    // the last one: nothing is reckoned for a further one
    session.begin_final_pass()?;
    let second = pass(&info, &session, &outcomes)?;
    session.end_final_pass()?;
    session.invalidate();
    storage.close()?;
    println!("{} bytes", bytes(&second));
    let first = second.first().ok_or("the film has no frames")?;
    let format = TrackFormat::Video(first.format.as_ref().clone());
    write(Path::new(to), format, second, From::Film(&info))
}

/// Everything, once.
fn pass(info: &FilmInfo, session: &CompressionSession, outcomes: &Outcomes) -> Answer<Vec<SampleBuffer>> {
    let mut reader = FrameReader::open(info, ReaderOptions { format: info.video.format, threads: 1 })?;
    let mut samples = Vec::new();
    while let Some(frame) = reader.next()? {
        let duration = (frame.duration > 0).then(|| info.video.time(frame.duration));
        session
            .encode(SourceFrame::new(&frame.picture, info.video.time(frame.pts)).duration(duration), ())?;
    }
    session.complete_frames()?;
    while let Some(outcome) = outcomes.try_receive() {
        samples.extend(outcome.into_sample()?);
    }
    Ok(samples)
}

fn bytes(samples: &[SampleBuffer]) -> usize {
    samples.iter().map(|buffer| buffer.sample.data.len()).sum()
}
