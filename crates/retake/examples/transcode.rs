//! A film, decoded and encoded frame by frame: `transcode FROM TO [QUALITY]`.
//!
//! Shows a session whose outcomes are pulled, and what a container wants to know. For real work there is
//! [`retake::Export`], which plans, scores, and carries on where it stopped.

mod common;

use common::{Answer, From, arguments, write};
use retake::SourceFrame;
use retake::asset::TrackFormat;
use retake::property::Property;
use retake::session::{CompressionSession, Outcomes, SessionError};
use retake::source::{FrameReader, ReaderOptions, probe};
use retake::{Codec, SampleBuffer};
use std::path::Path;

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let [from, to, rest @ ..] = arguments else {
        return Err("usage: transcode FROM TO [QUALITY]".into());
    };
    let quality = rest.first().map_or(Ok(0.5), |word| word.parse())?;

    let info = probe(Path::new(from))?;
    let mut reader = FrameReader::open(&info, ReaderOptions { format: info.video.format, threads: 1 })?;
    let (width, height) = (info.video.width, info.video.height);
    let (session, outcomes) =
        CompressionSession::builder(&retake::encoders(), width, height, Codec::H264).build_pull()?;
    session.set_all(&[
        Property::Quality(quality),
        Property::ExpectedFrameRate(info.video.frame_rate.to_f64()),
    ])?;

    let mut samples = Vec::new();
    while let Some(frame) = reader.next()? {
        let duration = (frame.duration > 0).then(|| info.video.time(frame.duration));
        session
            .encode(SourceFrame::new(&frame.picture, info.video.time(frame.pts)).duration(duration), ())?;
        take(&outcomes, &mut samples)?;
    }
    session.complete_frames()?;
    take(&outcomes, &mut samples)?;
    let first = samples.first().ok_or("the film has no frames")?;
    let format = TrackFormat::Video(first.format.as_ref().clone());
    write(Path::new(to), format, samples, From::Film(&info))
}

/// Samples that are out by now.
fn take(outcomes: &Outcomes, samples: &mut Vec<SampleBuffer>) -> Result<(), SessionError> {
    while let Some(outcome) = outcomes.try_receive() {
        samples.extend(outcome.into_sample()?);
    }
    Ok(())
}
