//! A film, decoded and encoded frame by frame: `transcode FROM TO [QUALITY]`.
//!
//! Shows a session whose outcomes are pulled, and what a container wants to know. For real work there is [`retake::Export`], which plans,
//! scores, and carries on where it stopped.

use retake::asset::{AssetWriter, AssetWriterInput, Container, TrackFormat};
use retake::property::Property;
use retake::session::{CompressionSession, Outcomes, SessionError};
use retake::{Codec, FrameOptions, SampleBuffer, Time};
use retake_libav::{FrameReader, ReaderOptions, probe, ticks_to_time};
use std::path::Path;
use std::time::Duration;

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
    writer.notes().iter().for_each(|note| println!("note: {note}"));
    println!("{} samples", samples.len());
    Ok(())
}
