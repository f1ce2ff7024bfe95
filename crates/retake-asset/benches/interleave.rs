//! What a writer costs that copies two tracks of small samples: readiness, the order of samples in the file,
//! and libavformat beneath.

use divan::Bencher;
use divan::counter::ItemsCount;
use retake_asset::{AssetWriter, AssetWriterInput, Container, TrackFormat};
use retake_media::{AudioFormat, Codec, FormatDescription, Sample, SampleKind, Time};
use std::thread;
use std::time::Duration;

fn main() {
    divan::main();
}

/// Two minutes at 25 pictures a second.
const PICTURES: i64 = 3000;
/// As long, at 48 kHz and 1024 to a sample.
const SOUNDS: i64 = 5625;

fn formats() -> [TrackFormat; 2] {
    let video = FormatDescription {
        // profile and level, and no parameter sets: nobody decodes this
        config: vec![1, 100, 0, 10, 0xFF, 0xE0, 0],
        ..FormatDescription::video(Codec::H264, 64, 48)
    };
    let sound =
        AudioFormat { frame_size: 1024, config: vec![0x11, 0x90], ..AudioFormat::new("aac", 48_000, 2) };
    [TrackFormat::Video(video), TrackFormat::Audio(sound)]
}

fn sample(time: i64, scale: i32, duration: i64, sync: bool) -> Sample {
    let (time, duration) = (Time::new(time, scale), Time::new(duration, scale));
    let kind = if sync { SampleKind::Sync } else { SampleKind::Reference };
    Sample { data: vec![0, 0, 0, 2, 9, 1], pts: time, dts: time, duration, kind }
}

fn write(container: Container) {
    let folder = tempfile::tempdir().expect("a folder for the film");
    let writer = AssetWriter::new(folder.path().join("film"), container);
    let [pictures, sounds] = formats().map(AssetWriterInput::passthrough);
    writer.add(&pictures).expect("an input of a new writer");
    writer.add(&sounds).expect("an input of a new writer");
    writer.start_writing().expect("a disk with room");
    writer.start_session(Time::ZERO).expect("a writer that was started");
    let bring = |input: &AssetWriterInput, samples: &mut dyn Iterator<Item = Sample>| {
        for sample in samples {
            assert!(input.wait_until_ready(Duration::from_secs(60)), "an input is ready again before long");
            input.append(sample).expect("an input that is ready");
        }
        input.mark_as_finished().expect("an input that is not finished");
    };
    thread::scope(|scope| {
        scope.spawn(|| bring(&pictures, &mut (0..PICTURES).map(|n| sample(n, 25, 1, n % 50 == 0))));
        scope.spawn(|| bring(&sounds, &mut (0..SOUNDS).map(|n| sample(n * 1024, 48_000, 1024, true))));
    });
    writer.finish_writing_and_wait().expect("a disk with room");
}

#[divan::bench(args = [Container::Mp4, Container::Mkv], max_time = 5)]
fn two_tracks(bencher: Bencher, container: Container) {
    bencher.counter(ItemsCount::new((PICTURES + SOUNDS) as u64)).bench(|| write(container));
}
