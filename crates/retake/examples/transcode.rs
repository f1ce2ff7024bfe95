//! A film, decoded and encoded frame by frame: `transcode FROM TO [QUALITY]`.
//!
//! Shows a session whose outcomes are pulled, and what a container wants to know. For real work there is [`retake::export`], which plans,
//! scores, and carries on where it stopped.

use retake::property::Property;
use retake::session::{CompressionSession, Outcomes, SessionError};
use retake::{Codec, FrameOptions, SampleBuffer, Time};
use retake_libav::{
    Container, FilmWriter, FrameReader, ReaderOptions, WriterSettings, probe, ticks_to_time, time_to_ticks,
};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, rest @ ..] = &arguments[..] else {
        return Err("usage: transcode FROM TO [QUALITY]".into());
    };
    let quality = rest.first().map_or(Ok(0.5), |word| word.parse())?;

    let info = probe(Path::new(from))?;
    let mut reader = FrameReader::open(&info, ReaderOptions { format: info.video.format, threads: 1 })?;
    let (width, height) = (info.video.width, info.video.height);
    let (session, outcomes) =
        CompressionSession::<()>::builder(&retake::encoders(), width, height, Codec::H264).build_pull()?;
    session.set_all(&[
        Property::Quality(quality),
        Property::ExpectedFrameRate(info.video.frame_rate.to_f64()),
    ])?;

    let mut samples = Vec::new();
    while let Some(frame) = reader.next()? {
        let pts = info.video.time(frame.pts);
        let duration = match frame.duration {
            0 => Time::INVALID,
            ticks => ticks_to_time(ticks, info.video.time_base),
        };
        session.encode(&frame.picture, pts, duration, FrameOptions::default(), ())?;
        take(&outcomes, &mut samples)?;
    }
    session.complete_frames(Time::INVALID)?;
    take(&outcomes, &mut samples)?;
    write(&info, Path::new(to), &samples)
}

/// Samples that are out by now.
fn take(outcomes: &Outcomes, samples: &mut Vec<SampleBuffer>) -> Result<(), SessionError> {
    while let Some(outcome) = outcomes.try_receive() {
        samples.extend(outcome.into_sample()?);
    }
    Ok(())
}

fn write(
    info: &retake_libav::FilmInfo,
    to: &Path,
    samples: &[SampleBuffer],
) -> Result<(), Box<dyn std::error::Error>> {
    let first = samples.first().ok_or("the film has no frames")?;
    // frames are shown before they are decoded by as much as decode times have to be shifted
    let early = samples.iter().filter_map(|buffer| {
        time_to_ticks(buffer.sample.dts.subtract(buffer.sample.pts), info.video.time_base)
    });
    let (mut writer, _notes) = FilmWriter::create(&WriterSettings {
        path: to,
        container: Container::from_path(to)?,
        format: &first.format,
        time_base: info.video.time_base,
        frame_rate: info.video.frame_rate,
        start: info.start,
        max_reorder: early.max().unwrap_or(0),
        display_matrix: info.video.display_matrix,
        copy_from: Some(info),
        fast_start: true,
        encoder: "retake transcode",
    })?;
    for buffer in samples {
        writer.write(&buffer.sample)?;
    }
    let written = writer.finish()?;
    println!("{} bytes, {} samples", written.bytes, written.samples);
    Ok(())
}
