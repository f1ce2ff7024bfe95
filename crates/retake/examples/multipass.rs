//! Encodes a film's pictures again in as many passes as the encoder asks for, at a bit rate, and copies its
//! sound.
//!
//!     cargo run --release --example multipass -- in.mp4 out.mp4 500000

mod common;

use common::{Answer, LONG, arguments};
use retake::asset::{
    AssetReader, AssetWriter, AssetWriterInput, Container, PixelBufferAdaptor, SerialQueue, VideoSettings,
};
use retake::property::Property;
use retake::source::ReaderOptions;
use retake::{Codec, Time};
use std::path::Path;
use std::sync::{Arc, mpsc};

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let [source, film, rate] = arguments else {
        return Err("usage: multipass FROM TO BITS-A-SECOND".into());
    };
    let reader = AssetReader::open(Path::new(source))?;
    let video = &reader.film().video;
    let mut pictures = reader.pictures(ReaderOptions { format: video.format, threads: 1 });
    pictures.set_supports_random_access(true)?;

    let writer = AssetWriter::new(film, Container::from_path(Path::new(film))?);
    let mut settings = VideoSettings::new(Codec::H264, video.width, video.height);
    settings.properties =
        vec![Property::AverageBitRate(rate.parse()?), Property::MaxKeyFrameIntervalDuration(2.0)];
    let input = AssetWriterInput::video(&settings, &retake::encoders())?;
    input.configure(|options| options.multi_pass = true)?;
    let adaptor = PixelBufferAdaptor::new(&input, None)?;
    writer.add(&input)?;
    // the first track of sound, if there is one, as it is
    let sound = reader.film().tracks.iter().find_map(|track| {
        let format = reader.track_format(track.index).ok()?;
        Some((reader.samples(track.index), AssetWriterInput::passthrough(format)))
    });
    if let Some((_, input)) = &sound {
        writer.add(input)?;
    }
    writer.start_writing()?;
    writer.start_session(Time::ZERO)?;

    // what each pass asks for, and `None` when there is none any more
    let (tell, passes) = mpsc::channel();
    input.respond_to_each_pass_description(Arc::new(SerialQueue::new("passes")?), move |input| {
        // nobody listens any more when the program ends
        let _ = tell.send(input.current_pass_description());
    })?;
    for (number, pass) in (1..).zip(passes.iter().map_while(|pass| pass)) {
        println!("pass {number}: {} ranges", pass.source_time_ranges().len());
        if number > 1 {
            pictures.reset_for_reading(pass.source_time_ranges())?;
        }
        while let Some(next) = pictures.next()? {
            if !input.wait_until_ready(LONG) {
                break; // it has failed: finishing says why
            }
            adaptor.append(next.picture, next.pts)?;
        }
        input.mark_current_pass_as_finished()?;
    }
    input.mark_as_finished()?;

    // sound is not ready before the last pass of the pictures is over
    if let Some((mut samples, input)) = sound {
        while let Some(sample) = samples.next()? {
            if !input.wait_until_ready(LONG) {
                break;
            }
            input.append(sample)?;
        }
    }
    writer.finish_writing_and_wait()?;
    Ok(())
}
