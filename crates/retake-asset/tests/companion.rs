//! A reader that can be read again beside a writer whose pictures take several passes (section 18.2), on a
//! real clip.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AssetReader, AssetWriter, AssetWriterInput, Container, PixelBufferAdaptor, ReaderOptions, SerialQueue,
    VideoSettings,
};
use retake_compression::property::Property;
use retake_media::{Codec, Time, TimeRange};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

/// AM-13, AM-14, RD-1, RD-2, RD-3, RD-4: pictures are read pass by pass (until there is no more, the pass
/// ended, its next ranges read), sound is copied by a thread of its own. The film has all frames at the times
/// of the source, and the very packets of its sound, in step to the tick.
#[test]
fn a_clip_is_encoded_again_pass_by_pass() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clips");
    let folder = std::env::var_os("RETAKE_CLIPS").map_or_else(beside, PathBuf::from);
    let clip = &folder.join("bbb-720p25.mp4");
    let Some(studio) = Studio::open() else { return };
    if !clip.exists() {
        eprintln!("SKIPPED: {} is not there", clip.display());
        return;
    }
    let reader = AssetReader::open(clip).unwrap();
    let mut pictures = reader.pictures(ReaderOptions { format: reader.film().video.format, threads: 1 });
    pictures.set_supports_random_access(true).unwrap();
    let mut samples = reader.samples(1);

    let film = studio.path("film.mp4");
    let writer = AssetWriter::new(&film, Container::Mp4);
    let mut settings = VideoSettings::new(Codec::H264, 256, 144);
    settings.properties = vec![Property::AverageBitRate(150_000), Property::MaxKeyFrameInterval(25)];
    let input = match AssetWriterInput::video(&settings, &registry()) {
        Ok(input) => input,
        Err(error) => return eprintln!("SKIPPED: {error}"),
    };
    input.configure(|options| options.multi_pass = true).unwrap();
    let adaptor = Arc::new(PixelBufferAdaptor::new(&input, None).unwrap());
    let sound = AssetWriterInput::passthrough(reader.track_format(1).unwrap());
    writer.add(&input).unwrap();
    writer.add(&sound).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();

    let queue = Arc::new(SerialQueue::new("sound").unwrap());
    let (tell_sound, told_sound) = channel();
    sound
        .request_media_data_when_ready(queue, move |sound| {
            while sound.is_ready_for_more_media_data() {
                match samples.next().unwrap() {
                    Some(sample) => sound.append(sample).unwrap(),
                    None => {
                        sound.mark_as_finished().unwrap();
                        return tell_sound.send(()).unwrap();
                    }
                }
            }
        })
        .unwrap();

    let pictures = Arc::new(Mutex::new(pictures));
    let queue = Arc::new(SerialQueue::new("pictures").unwrap());
    let (own, (tell, told)) = (queue.clone(), channel());
    input
        .respond_to_each_pass_description(queue, move |input| {
            let Some(pass) = input.current_pass_description() else {
                let mut pictures = pictures.lock().unwrap();
                pictures.mark_configuration_as_final().unwrap();
                assert!(pictures.is_completed());
                input.mark_as_finished().unwrap();
                return tell.send(None).unwrap();
            };
            let ranges = pass.source_time_ranges().to_vec();
            if ranges != [TimeRange::EVERYTHING] {
                pictures.lock().unwrap().reset_for_reading(&ranges).unwrap();
            }
            tell.send(Some(ranges)).unwrap();
            let (pictures, adaptor) = (pictures.clone(), adaptor.clone());
            input
                .request_media_data_when_ready(own.clone(), move |input| {
                    let mut pictures = pictures.lock().unwrap();
                    while input.is_ready_for_more_media_data() {
                        match pictures.next().unwrap() {
                            Some(next) => adaptor.append(next.picture, next.pts).unwrap(),
                            None => return input.mark_current_pass_as_finished().unwrap(),
                        }
                    }
                })
                .unwrap();
        })
        .unwrap();
    assert_eq!(told.recv_timeout(LONG).unwrap(), Some(vec![TimeRange::EVERYTHING]));
    let again: Vec<_> = std::iter::from_fn(|| told.recv_timeout(LONG).unwrap()).collect();
    assert!(!again.is_empty(), "no second pass");
    // finishing finishes all inputs: the sound, which waited for the pictures, has to be through
    told_sound.recv_timeout(LONG).unwrap();
    writer.finish_writing_and_wait().unwrap();

    let times = |film: &Path| {
        let mut times: Vec<i64> = ffprobe("-select_streams v:0 -show_entries packet=pts_time", film)
            .iter()
            .map(|time| (time.parse::<f64>().unwrap() * 1e6).round() as i64)
            .collect();
        times.sort_unstable();
        times
    };
    assert_eq!(times(&film), times(clip));
    assert_eq!(frames(&film, "v:0").len(), 132);
    assert_eq!(frames(&film, "a:0"), frames(clip, "a:0"), "what is heard, and when");
    let start = |film| ffprobe("-show_entries stream=start_time", film);
    assert_eq!(start(&film), start(clip));
}
