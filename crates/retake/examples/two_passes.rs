//! A film to a bit rate in two passes over everything, whatever the session would rather have: `two_passes FROM TO.mkv [ENCODER [KBPS]]`.
//!
//! For clients that write samples as they come and cannot merge those of several passes: they keep those of the last one. The session is told so
//! by two properties, and then asks for everything, once.

use retake::asset::{AssetWriter, AssetWriterInput, Container, TrackFormat};
use retake::property::Property;
use retake::session::{CompressionSession, NextPass, Outcomes};
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{FrameOptions, SampleBuffer, Time, TimeRange};
use retake_libav::{FilmInfo, FrameReader, ReaderOptions, probe};
use std::path::Path;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, rest @ ..] = &arguments[..] else {
        return Err("usage: two_passes FROM TO.mkv [ENCODER [KBPS]]".into());
    };
    let encoder = rest.first().map_or("x264", String::as_str);
    let rate = 1000 * rest.get(1).map_or(Ok(1000), |word| word.parse::<u64>())?;

    let info = probe(Path::new(from))?;
    let registry = retake::encoders();
    let codec = registry.by_name(encoder).ok_or("no such encoder in this build")?.info().codec;
    let storage = MultiPassStorage::create(None, TimeRange::INVALID, &StorageOptions::default())?;
    let (session, outcomes) =
        CompressionSession::<()>::builder(&registry, info.video.width, info.video.height, codec)
            .encoder(encoder)
            .build_pull()?;
    session.set_all(&[
        Property::AverageBitRate(rate),
        Property::ExpectedFrameRate(info.video.frame_rate.to_f64()),
        Property::MultiPassStorage(storage.clone()),
        Property::RequestWholeSourcePasses(true),
        Property::AlwaysRequestSecondPass(true),
    ])?;

    session.begin_pass(false)?;
    let first = pass(&info, &session, &outcomes)?;
    if let NextPass::Requested(ranges) = session.end_pass()? {
        println!("{} bytes; then {} range, from {}", bytes(&first), ranges.len(), ranges[0].start);
    }
    drop(first);
    // the last one: nothing is reckoned for a further one
    session.begin_pass(true)?;
    let second = pass(&info, &session, &outcomes)?;
    session.end_final_pass()?;
    session.invalidate();
    storage.close()?;
    println!("{} bytes", bytes(&second));
    write(&info, Path::new(to), &second)
}

/// Everything, once.
fn pass(
    info: &FilmInfo,
    session: &CompressionSession,
    outcomes: &Outcomes,
) -> Result<Vec<SampleBuffer>, Box<dyn std::error::Error>> {
    let mut reader = FrameReader::open(info, ReaderOptions { format: info.video.format, threads: 1 })?;
    let mut samples = Vec::new();
    while let Some(frame) = reader.next()? {
        let duration = if frame.duration > 0 { info.video.time(frame.duration) } else { Time::INVALID };
        session.encode(&frame.picture, info.video.time(frame.pts), duration, FrameOptions::default(), ())?;
    }
    session.complete_frames(Time::INVALID)?;
    while let Some(outcome) = outcomes.try_receive() {
        samples.extend(outcome.into_sample()?);
    }
    Ok(samples)
}

fn bytes(samples: &[SampleBuffer]) -> usize {
    samples.iter().map(|buffer| buffer.sample.data.len()).sum()
}

fn write(info: &FilmInfo, to: &Path, samples: &[SampleBuffer]) -> Result<(), Box<dyn std::error::Error>> {
    let first = samples.first().ok_or("the film has no frames")?;
    let writer = AssetWriter::new(to, Container::from_path(to)?);
    writer.configure(|options| {
        options.fast_start = true;
        // sound, subtitles, chapters
        options.other_tracks = Some(info.clone().into());
    })?;
    let input = AssetWriterInput::passthrough(TrackFormat::Video(first.format.as_ref().clone()));
    input.configure(|options| {
        options.frame_rate = Some(info.video.frame_rate);
        options.transform = info.video.display_matrix;
    })?;
    writer.add(&input)?;
    writer.start_writing()?;
    writer.start_session(info.start)?;
    for buffer in samples {
        if !input.wait_until_ready(Duration::from_secs(60)) {
            break; // it has failed: finishing says why
        }
        input.append(buffer.clone())?;
    }
    writer.finish_writing_and_wait()?;
    Ok(())
}
