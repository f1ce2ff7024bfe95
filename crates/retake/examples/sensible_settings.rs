//! The pictures of a film, encoded in one pass at the average bit rate that the settings assistant answers:
//! `sensible_settings FROM TO h264|hevc|av1|vp9 [SHARE]`. A share other than 1 multiplies the rate.
//! `./dev bench assistant` scores such films.

mod common;

use common::{Answer, LONG, arguments};
use retake::Codec;
use retake::asset::{
    AssetReader, AssetWriter, AssetWriterInput, Container, OutputSettingsAssistant, PixelBufferAdaptor,
    PresetSize, SettingsAim,
};
use retake::property::Property;
use retake::source::ReaderOptions;
use std::path::Path;

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let [source, film, codec, rest @ ..] = arguments else {
        return Err("usage: sensible_settings FROM TO h264|hevc|av1|vp9 [SHARE]".into());
    };
    let codec = match codec.as_str() {
        "h264" => Codec::H264,
        "hevc" => Codec::Hevc,
        "av1" => Codec::Av1,
        "vp9" => Codec::Vp9,
        other => return Err(format!("no codec is called {other}").into()),
    };
    let share: f64 = rest.first().map_or(Ok(1.0), |word| word.parse())?;

    let reader = AssetReader::open(Path::new(source))?;
    let info = reader.film();
    let mut assistant = OutputSettingsAssistant::new(PresetSize::Size1920x1080, codec).for_film(info);
    assistant.aim = SettingsAim::AverageBitRate;
    let settings = assistant.settings(&retake::encoders())?;
    settings.losses.iter().for_each(|loss| println!("lost: {loss}"));
    let mut video = settings.video.clone().ok_or("the film has no video")?;
    for property in &mut video.properties {
        if let Property::AverageBitRate(rate) = property {
            *rate = (*rate as f64 * share) as u64;
            println!("{rate} bits a second");
        }
    }

    let writer = AssetWriter::new(film, Container::from_path(Path::new(film))?);
    let input = AssetWriterInput::video(&video, &retake::encoders())?;
    input.configure(|options| settings.describe(options))?;
    let adaptor = PixelBufferAdaptor::new(&input, None)?;
    writer.add(&input)?;
    writer.start_writing()?;
    writer.start_session(info.start)?;
    let mut pictures = reader.pictures(ReaderOptions { format: info.video.format, threads: 1 });
    while let Some(next) = pictures.next()? {
        if !input.wait_until_ready(LONG) {
            break; // it has failed: finishing says why
        }
        adaptor.append(next.picture, next.pts)?;
    }
    writer.finish_writing_and_wait()?;
    Ok(())
}
