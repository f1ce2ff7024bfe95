//! Pictures in, a film out: by compression sessions, through a real encoder.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, Container, PixelBufferAdaptor, VideoSettings, WriterError,
};
use retake_compression::property::Property;
use retake_media::{Codec, PixelBuffer, PixelBufferAttributes, PixelFormat, Time};

const FRAMES: i64 = 50;

/// A grey picture with a light bar that moves.
fn draw(adaptor: &PixelBufferAdaptor, index: i64) -> PixelBuffer {
    let mut picture = adaptor.pool().unwrap().take();
    for plane in 0..3 {
        picture.plane_mut(plane).fill(if plane == 0 { 90 } else { 128 });
    }
    let first = (index as usize * 2) % 80;
    for row in first..first + 16 {
        picture.row_mut(0, row).fill(220);
    }
    picture.freeze()
}

/// AD-4, T-3, AI-8: all pictures come out, at the times they were appended with, whatever the encoder's
/// reordering; beside sound that is passed through. The durations of the pictures are the distances of their
/// times.
#[test]
fn pictures_become_a_film() {
    let Some(studio) = Studio::open() else { return };
    let registry = retake_encoders::registry();
    for codec in [Codec::H264, Codec::Hevc] {
        let file = studio.path(&format!("{codec}.mp4"));
        let mut settings = VideoSettings::new(codec, 128, 96);
        settings.properties = vec![Property::Quality(0.6), Property::MaxKeyFrameInterval(20)];
        let input = match AssetWriterInput::video(&settings, &registry) {
            Err(WriterError::NoEncoder(why)) => {
                eprintln!("SKIPPED: {why}");
                continue;
            }
            made => made.unwrap(),
        };
        let writer = AssetWriter::new(&file, Container::Mp4);
        writer.configure(|options| options.fast_start = true).unwrap();
        let attributes = PixelBufferAttributes::of(PixelFormat::I420, 128, 96);
        let adaptor = PixelBufferAdaptor::new(&input, Some(attributes)).unwrap();
        writer.add(&input).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        // at a varying rate
        let time = |index: i64| Time::new(index * 3 + index % 3, 50);
        for index in 0..FRAMES {
            assert!(input.wait_until_ready(LONG));
            adaptor.append(draw(&adaptor, index), time(index)).unwrap();
        }
        assert!(matches!(adaptor.append(draw(&adaptor, 0), time(0)), Err(AppendError::Usage(_))));
        writer.finish_writing_and_wait().unwrap();
        assert_eq!(frames(&file, "v:0").len(), FRAMES as usize, "{codec}");
        let lines = ffprobe("-select_streams v:0 -show_entries packet=pts_time", &file);
        let mut times: Vec<i64> =
            lines.iter().map(|line| (line.parse::<f64>().unwrap() * 1e6).round() as i64).collect();
        times.sort();
        assert_eq!(
            times,
            (0..FRAMES).map(|index| time(index).value() * 20_000).collect::<Vec<_>>(),
            "{codec}"
        );
    }
}

/// AD-4: the last picture is shown until the session ends, if that is told, else as long as the one before
/// it.
#[test]
fn the_last_picture_is_shown_to_the_end_of_the_session() {
    let Some(studio) = Studio::open() else { return };
    let registry = registry();
    for (end, expected) in [(None, 10), (Some(Time::new(60, 25)), 51), (Some(Time::new(8, 25)), 8)] {
        let input = match AssetWriterInput::video(&VideoSettings::new(Codec::H264, 128, 96), &registry) {
            Ok(input) => input,
            Err(error) => return eprintln!("SKIPPED: {error}"),
        };
        let file = studio.path(&format!("{expected}.mp4"));
        let writer = AssetWriter::new(&file, Container::Mp4);
        let attributes = PixelBufferAttributes::of(PixelFormat::I420, 128, 96);
        let adaptor = PixelBufferAdaptor::new(&input, Some(attributes)).unwrap();
        writer.add(&input).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        for index in 0..10 {
            assert!(input.wait_until_ready(LONG));
            adaptor.append(draw(&adaptor, index), Time::new(index, 25)).unwrap();
        }
        if let Some(end) = end {
            writer.end_session(end).unwrap();
        }
        writer.finish_writing_and_wait().unwrap();
        let length = end.map_or(10, |end| end.value());
        let seconds: f64 = ffprobe("-show_entries format=duration", &file)[0].parse().unwrap();
        assert!((seconds - length as f64 / 25.0).abs() < 0.001, "{seconds} for {end:?}");
        let header = &boxes(&std::fs::read(&file).unwrap(), &[b"moov", b"trak", b"mdia", b"mdhd"])[0];
        let media = f64::from(number(&header[16..20])) / f64::from(number(&header[12..16]));
        let kept = if end == Some(Time::new(60, 25)) { 60.0 } else { 10.0 };
        assert!((media - kept / 25.0).abs() < 0.001, "{media} for {end:?}");
    }
}

/// Section 17.2: pictures in real time, faster than they can be encoded: some are dropped, by the client or
/// the session; what is in the film has the times that it came with.
#[test]
fn pictures_in_real_time() {
    let Some(studio) = Studio::open() else { return };
    let input = match AssetWriterInput::video(&VideoSettings::new(Codec::H264, 128, 96), &registry()) {
        Ok(input) => input,
        Err(error) => return eprintln!("SKIPPED: {error}"),
    };
    input.configure(|options| options.real_time = true).unwrap();
    let file = studio.path("a.mp4");
    let writer = AssetWriter::new(&file, Container::Mp4);
    let attributes = PixelBufferAttributes::of(PixelFormat::I420, 128, 96);
    let adaptor = PixelBufferAdaptor::new(&input, Some(attributes)).unwrap();
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    let mut appended = Vec::new();
    for index in 0..200 {
        match adaptor.append(draw(&adaptor, index), Time::new(index, 25)) {
            Ok(()) => appended.push(index * 40_000),
            Err(AppendError::NotReady(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    writer.finish_writing_and_wait().unwrap();
    let shown: Vec<i64> = frames(&file, "v:0").into_iter().map(|frame| frame.0).collect();
    assert!(!shown.is_empty() && shown.is_sorted() && shown.iter().all(|time| appended.contains(time)));
}

/// AI-3: an encoder that there is not, and a property that it refuses, show when the input is made.
#[test]
fn settings_that_cannot_be_encoded_with() {
    let registry = retake_encoders::registry();
    let mut settings = VideoSettings::new(Codec::H264, 128, 96);
    settings.encoder = Some("no such encoder".into());
    assert_eq!(AssetWriterInput::video(&settings, &registry).unwrap_err().code(), -11834);
    settings.encoder = None;
    settings.properties = vec![Property::Quality(7.0)];
    match AssetWriterInput::video(&settings, &registry) {
        Err(WriterError::NoEncoder(why)) => eprintln!("SKIPPED: {why}"),
        other => assert_eq!(other.unwrap_err().code(), -11861),
    }
}

/// AW-2, CS-14: cancelling in the middle of an encode leaves nothing.
#[test]
fn cancelling_an_encode_leaves_nothing() {
    let studio = Studio::empty();
    let registry = retake_encoders::registry();
    let Ok(input) = AssetWriterInput::video(&VideoSettings::new(Codec::H264, 128, 96), &registry) else {
        eprintln!("SKIPPED: no encoder for H.264");
        return;
    };
    let writer = AssetWriter::new(studio.path("a.mp4"), Container::Mp4);
    let attributes = PixelBufferAttributes::of(PixelFormat::I420, 128, 96);
    let adaptor = PixelBufferAdaptor::new(&input, Some(attributes)).unwrap();
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    for index in 0..30 {
        assert!(input.wait_until_ready(LONG));
        adaptor.append(draw(&adaptor, index), Time::new(index, 25)).unwrap();
    }
    writer.cancel_writing();
    assert_eq!(studio.files(), Vec::<String>::new());
}
