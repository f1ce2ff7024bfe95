//! Receivers are futures and nothing more: they run in any executor (section 19.2).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use async_executor::LocalExecutor;
use common::scripted::*;
use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, Container, MultiPassController, PixelBufferReceiver,
    SampleReceiver, VideoSettings,
};
use retake_compression::property::Property;
use retake_media::{Codec, Time, TimeRange};
use std::future::Future;

/// Pictures of all passes; which ranges were asked for.
async fn pictures(
    receiver: PixelBufferReceiver,
    mut passes: MultiPassController,
    frames: i64,
    size: u32,
) -> Vec<Vec<TimeRange>> {
    let mut seen = Vec::new();
    while let Some(pass) = passes.next().await.unwrap() {
        for index in 0..frames {
            let time = Time::new(index, 24);
            if pass.source_time_ranges().iter().any(|range| range.contains(time)) {
                let picture = if size == 16 { blank() } else { scene(index, size, size) };
                receiver.append(picture, time).await.unwrap();
            }
        }
        seen.push(pass.source_time_ranges().to_vec());
    }
    receiver.finish().unwrap();
    seen
}

async fn sounds(receiver: SampleReceiver, count: i64) {
    for index in 0..count {
        receiver.append(sound(index)).await.unwrap();
    }
    receiver.finish().unwrap();
}

/// Two futures to their end, each by a thread of its own.
fn by_threads<T: Send + 'static>(
    one: impl Future<Output = T> + Send + 'static,
    other: impl Future<Output = ()> + Send + 'static,
) -> T {
    let other = std::thread::spawn(|| pollster::block_on(other));
    let answer = pollster::block_on(one);
    other.join().unwrap();
    answer
}

/// The same, both in one executor on one thread: one that waits must not keep the other from running.
fn by_turns<T: Send + 'static>(
    one: impl Future<Output = T> + Send + 'static,
    other: impl Future<Output = ()> + Send + 'static,
) -> T {
    let executor = LocalExecutor::new();
    let (other, one) = (executor.spawn(other), executor.spawn(one));
    pollster::block_on(executor.run(async {
        let answer = one.await;
        other.await;
        answer
    }))
}

/// AD-6, AD-7, AD-8, AD-9, AM-14: with each executor, pictures of several passes and sound beside them; what
/// is in the film is the newest version of each frame.
#[test]
fn receivers_run_in_any_executor() {
    for turns in [false, true] {
        let studio = Studio::empty();
        let script = Script::new(&[&[range(24, 36), range(60, 72)], &[range(24, 36)]], false);
        let writer = AssetWriter::new(studio.path("film.mp4"), Container::Mp4);
        let (input, other) = (encoding(&script, true), AssetWriterInput::passthrough(audio_format()));
        let (receiver, passes) = writer.pixel_buffer_receiver_requesting_multi_pass(&input).unwrap();
        let sound_receiver = writer.sample_receiver(&other).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        let (one, other) = (pictures(receiver, passes, 96, 16), sounds(sound_receiver, 180));
        let seen = if turns { by_turns(one, other) } else { by_threads(one, other) };
        assert_eq!(
            seen,
            [vec![TimeRange::EVERYTHING], vec![range(24, 36), range(60, 72)], vec![range(24, 36)]]
        );
        writer.finish_writing_and_wait().unwrap();
        let version = |index| match index {
            24..36 => 3,
            60..72 => 2,
            _ => 1,
        };
        let bytes = std::fs::read(studio.path("film.mp4")).unwrap();
        assert_eq!(versions(&bytes, 96), (0..96).map(version).collect::<Vec<_>>());
    }
}

/// The same with a real encoder, in one executor on one thread.
#[test]
fn receivers_of_a_real_encoder() {
    let studio = Studio::empty();
    let mut settings = VideoSettings::new(Codec::H264, 96, 96);
    settings.properties = vec![Property::AverageBitRate(100_000), Property::MaxKeyFrameInterval(24)];
    let input = match AssetWriterInput::video(&settings, &registry()) {
        Ok(input) => input,
        Err(error) => return eprintln!("SKIPPED: {error}"),
    };
    let file = studio.path("film.mp4");
    let writer = AssetWriter::new(&file, Container::Mp4);
    let (receiver, passes) = writer.pixel_buffer_receiver_requesting_multi_pass(&input).unwrap();
    let other = AssetWriterInput::passthrough(audio_format());
    let sound_receiver = writer.sample_receiver(&other).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    let seen = by_turns(pictures(receiver, passes, 96, 96), sounds(sound_receiver, 180));
    assert_eq!(seen[0], [TimeRange::EVERYTHING]);
    writer.finish_writing_and_wait().unwrap();
    assert_eq!(Track::read(&file, 0).samples.len(), 96);
}

/// AD-7: what waits when the writer is cancelled hears of it, and so does what comes afterwards; a future
/// that is dropped appends nothing.
#[test]
fn receivers_of_a_writer_that_is_cancelled() {
    let studio = Studio::empty();
    let script = Script::new(&[], true);
    let writer = AssetWriter::new(studio.path("film.mp4"), Container::Mp4);
    let (input, other) = (encoding(&script, true), AssetWriterInput::passthrough(audio_format()));
    let (receiver, mut passes) = writer.pixel_buffer_receiver_requesting_multi_pass(&input).unwrap();
    let sound_receiver = writer.sample_receiver(&other).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    let executor = LocalExecutor::new();
    pollster::block_on(executor.run(async {
        passes.next().await.unwrap().unwrap();
        receiver.append(blank(), Time::ZERO).await.unwrap();
        // sound waits for the pictures, which are still being thought about
        let dropped = executor.spawn(async { sound_receiver.append(sound(0)).await });
        assert!(executor.try_tick());
        assert!(dropped.cancel().await.is_none());
        let waits = executor.spawn(async { sound_receiver.append(sound(0)).await });
        let thinks = executor.spawn(async { passes.next().await });
        while executor.try_tick() {}
        assert!(!waits.is_finished() && !thinks.is_finished());
        writer.cancel_writing();
        assert!(matches!(waits.await, Err(AppendError::Usage(_))));
        assert!(thinks.await.is_err());
        assert!(sound_receiver.append(sound(1)).await.is_err());
    }));
    assert_eq!(studio.files(), Vec::<String>::new());
}
