//! Encodes a film again in as many passes as the encoder asks for: `multipass FROM TO.mp4 BITS_PER_SECOND`.
use retake::asset::{
    AssetReader, AssetWriter, AssetWriterInput, Container, PixelBufferAdaptor, ReaderOptions, SerialQueue,
    VideoSettings,
};
use retake::{Codec, Time, property::Property};
use std::{env, error::Error, path::PathBuf, sync::Arc, sync::mpsc, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [from, to, rate] = &arguments[..] else { return Err("give FROM, TO.mp4 and BITS_PER_SECOND".into()) };
    let reader = AssetReader::open(from)?;
    let video = &reader.film().video;
    let mut pictures = reader.pictures(ReaderOptions { format: video.format, threads: 1 });
    pictures.set_supports_random_access(true)?;
    let writer = AssetWriter::new(to, Container::from_path(to)?);
    let mut settings = VideoSettings::new(Codec::H264, video.width, video.height);
    settings.properties = vec![Property::AverageBitRate(rate.to_string_lossy().parse()?)];
    let input = AssetWriterInput::video(&settings, &retake::encoders())?;
    input.configure(|options| options.multi_pass = true)?;
    let adaptor = PixelBufferAdaptor::new(&input, None)?;
    writer.add(&input)?;
    let mut tracks = reader.film().tracks.iter().map(|track| track.index);
    let sound = tracks.find_map(|track| Some((track, reader.track_format(track).ok()?)));
    let sound = sound.map(|(track, format)| (reader.samples(track), AssetWriterInput::passthrough(format)));
    sound.iter().try_for_each(|(_, copy)| writer.add(copy))?;
    writer.start_writing()?;
    writer.start_session(Time::ZERO)?;
    let (announce, passes) = mpsc::channel();
    input.respond_to_each_pass_description(Arc::new(SerialQueue::new("passes")?), move |input| {
        let _ = announce.send(input.current_pass_description());
    })?;
    let mut pass = passes.recv()?;
    while pass.is_some() {
        while let Some(next) = pictures.next()? {
            input.wait_until_ready(Duration::from_secs(60));
            adaptor.append(next.picture, next.pts)?;
        }
        input.mark_current_pass_as_finished()?;
        pass = passes.recv()?; // none when there is no other
        pass.iter().try_for_each(|pass| pictures.reset_for_reading(pass.source_time_ranges()))?;
    }
    input.mark_as_finished()?;
    let Some((mut samples, copy)) = sound else { return Ok(writer.finish_writing_and_wait()?) };
    while let Some(sample) = samples.next()? {
        copy.wait_until_ready(Duration::from_secs(60));
        copy.append(sample)?;
    }
    Ok(writer.finish_writing_and_wait()?)
}
