//! A film to a bit rate, in as many passes as its encoder asks for: `silo_loop FROM TO.mp4 [ENCODER [KBPS [METRIC]]]`.
//!
//! The canonical loop: a storage keeps what the session learns, a silo the newest sample of every frame; after each pass the session's ranges go to
//! the silo as they are, and only the frames in them are encoded again. At the end the silo's samples are written as they are.

use retake::asset::{AssetReader, AssetWriter, AssetWriterInput, Container, ReaderOptions, TrackFormat};
use retake::property::Property;
use retake::session::{CompressionSession, NextPass};
use retake::silo::FrameSilo;
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{FrameOptions, Time, TimeRange};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, rest @ ..] = &arguments[..] else {
        return Err("usage: silo_loop FROM TO.mp4 [ENCODER [KBPS [METRIC]]]".into());
    };
    let encoder = rest.first().map_or("x264", String::as_str);
    let rate = 1000 * rest.get(1).map_or(Ok(1000), |word| word.parse::<u64>())?;

    let reader = AssetReader::open(Path::new(from))?;
    let video = &reader.film().video;
    let mut frames = reader.pictures(ReaderOptions { format: video.format, threads: 1 });
    frames.set_supports_random_access(true)?;

    let registry = retake::encoders();
    let codec = registry.by_name(encoder).ok_or("no such encoder in this build")?.info().codec;
    let storage = MultiPassStorage::create(None, TimeRange::INVALID, &StorageOptions::default())?;
    let silo = Arc::new(FrameSilo::temporary(TimeRange::INVALID)?);
    let into = silo.clone();
    let session = CompressionSession::builder(&registry, video.width, video.height, codec)
        .encoder(encoder)
        .on_output(move |outcome| {
            let added = outcome.into_sample().map(|sample| sample.map(|sample| into.add(&sample)));
            if !matches!(added, Ok(Some(Ok(())))) {
                eprintln!("a frame is lost: {added:?}");
            }
        })
        .build()?;
    session.set_all(&[
        Property::AverageBitRate(rate),
        Property::ExpectedFrameRate(video.frame_rate.to_f64()),
        Property::MultiPassStorage(storage.clone()),
    ])?;
    if let Some(metric) = rest.get(2) {
        session.set(Property::QualityMetric(metric.clone()))?;
    }

    let (mut pass, mut end) = (1, Time::ZERO);
    loop {
        session.begin_pass(false)?;
        let mut sent = 0;
        while let Some(frame) = frames.next()? {
            session.encode(&frame.picture, frame.pts, frame.duration, FrameOptions::default(), ())?;
            (sent, end) = (sent + 1, if pass == 1 { frame.pts.add(frame.duration) } else { end });
        }
        session.complete_frames(Time::INVALID)?;
        let next = session.end_pass()?;
        let bytes: usize =
            silo.samples(TimeRange::INVALID)?.flatten().map(|buffer| buffer.sample.data.len()).sum();
        let got = bytes as f64 * 8.0 / end.seconds();
        println!(
            "pass {pass}: {sent} frames, {:.1} kb/s, {:+.2} %",
            got / 1e3,
            (got / rate as f64 - 1.0) * 100.0
        );
        let NextPass::Requested(ranges) = next else { break };
        silo.set_time_ranges_for_next_pass(&ranges)?;
        frames.reset_for_reading(&ranges)?;
        pass += 1;
    }
    session.invalidate();
    write(&silo, Path::new(to))?;
    storage.close()?;
    Ok(())
}

/// Writes what is in the silo, as it is.
fn write(silo: &FrameSilo, to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut samples = silo.samples(TimeRange::INVALID)?.peekable();
    let format = match samples.peek() {
        Some(Ok(first)) => (*first.format).clone(),
        _ => return Err("the film has no frames".into()),
    };
    let writer = AssetWriter::new(to.to_owned(), Container::Mp4);
    let input = AssetWriterInput::passthrough(TrackFormat::Video(format));
    writer.add(&input)?;
    writer.start_writing()?;
    let mut begun = false;
    for sample in samples {
        let sample = sample?;
        if !std::mem::replace(&mut begun, true) {
            writer.start_session(sample.sample.pts)?;
        }
        if !input.wait_until_ready(Duration::from_secs(60)) {
            break; // it has failed: finishing says why
        }
        input.append(sample)?;
    }
    input.mark_as_finished()?;
    writer.finish_writing_and_wait()?;
    Ok(())
}
