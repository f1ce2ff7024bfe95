//! Encodes a film's pictures again in as many passes as the encoder asks for, at a bit rate, and copies its sound: a reader that can be read again,
//! a writer, and a queue for each track.
//!
//!     cargo run --release --example multipass -- in.mp4 out.mp4 500000

use retake::asset::{
    AssetReader, AssetWriter, AssetWriterInput, Container, PixelBufferAdaptor, ReaderOptions, SerialQueue,
    VideoSettings,
};
use retake::property::Property;
use retake::{Codec, Time};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::{env, error};

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, film, rate] = &arguments[..] else {
        return Err("give a film, a new film, and bits a second".into());
    };
    let rate = rate.to_string_lossy().parse()?;

    let reader = AssetReader::open(source)?;
    let video = reader.film().video.clone();
    let mut pictures = reader.pictures(ReaderOptions { format: video.format, threads: 1 });
    pictures.set_supports_random_access(true)?;

    let writer = AssetWriter::new(film, Container::from_path(film)?);
    let mut settings = VideoSettings::new(Codec::H264, video.width, video.height);
    settings.properties = vec![Property::AverageBitRate(rate), Property::MaxKeyFrameIntervalDuration(2.0)];
    let input = AssetWriterInput::video(&settings, &retake::encoders())?;
    input.configure(|options| options.multi_pass = true)?;
    let adaptor = Arc::new(PixelBufferAdaptor::new(&input, None)?);
    writer.add(&input)?;

    // the first track of sound, if there is one
    let sound = reader
        .film()
        .tracks
        .iter()
        .find_map(|track| Some((track.index, reader.track_format(track.index).ok()?)));
    let sound = match sound {
        Some((track, format)) => {
            let input = AssetWriterInput::passthrough(format);
            writer.add(&input)?;
            Some((reader.samples(track), input))
        }
        None => None,
    };

    writer.start_writing()?;
    writer.start_session(Time::ZERO)?;

    // finishing finishes all inputs: both have to be through before
    let (tell, told) = std::sync::mpsc::channel();
    if let Some((mut samples, input)) = sound {
        let tell = tell.clone();
        let queue = Arc::new(SerialQueue::new("sound")?);
        input.request_media_data_when_ready(queue, move |input| {
            // this is not ready before the last pass of the pictures is over
            while input.is_ready_for_more_media_data() {
                let appended = match samples.next() {
                    Ok(Some(sample)) => input.append(sample).is_ok(),
                    Ok(None) => false,
                    Err(error) => {
                        eprintln!("sound: {error}");
                        false
                    }
                };
                if !appended {
                    let _ = input.mark_as_finished();
                    let _ = tell.send(());
                    return;
                }
            }
        })?;
    }

    let pictures = Arc::new(Mutex::new(pictures));
    let queue = Arc::new(SerialQueue::new("pictures")?);
    let own = queue.clone();
    let mut pass = 0;
    input.respond_to_each_pass_description(queue, move |input| {
        let Some(description) = input.current_pass_description() else {
            println!("satisfied after {pass} passes");
            if let Ok(mut pictures) = pictures.lock() {
                let _ = pictures.mark_configuration_as_final();
            }
            let _ = input.mark_as_finished();
            let _ = tell.send(());
            return;
        };
        pass += 1;
        if pass > 1 {
            println!("pass {pass}: {} ranges", description.source_time_ranges().len());
            let reset = pictures
                .lock()
                .map(|mut pictures| pictures.reset_for_reading(description.source_time_ranges()));
            if !matches!(reset, Ok(Ok(()))) {
                // what came out before is kept
                let _ = input.mark_as_finished();
                let _ = tell.send(());
                return;
            }
        }
        let (pictures, adaptor, tell) = (pictures.clone(), adaptor.clone(), tell.clone());
        let requested = input.request_media_data_when_ready(own.clone(), move |input| {
            let Ok(mut pictures) = pictures.lock() else { return };
            while input.is_ready_for_more_media_data() {
                match pictures.next() {
                    Ok(Some(next)) => {
                        if let Err(error) = adaptor.append(next.picture, next.pts) {
                            eprintln!("pictures: {error}");
                            let _ = tell.send(());
                            return;
                        }
                    }
                    Ok(None) => {
                        let _ = input.mark_current_pass_as_finished();
                        return;
                    }
                    Err(error) => {
                        eprintln!("pictures: {error}");
                        let _ = input.mark_as_finished();
                        let _ = tell.send(());
                        return;
                    }
                }
            }
        });
        if let Err(error) = requested {
            eprintln!("pictures: {error}");
        }
    })?;
    for _ in writer.inputs() {
        told.recv()?;
    }
    writer.finish_writing_and_wait()?;
    Ok(())
}
