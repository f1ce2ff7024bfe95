//! Pictures in, a film out: by compression sessions, through a real encoder.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AppendError, AssetReader, AssetWriter, AssetWriterInput, Container, PixelBufferAdaptor, VideoSettings,
    WriterError,
};
use retake_compression::property::Property;
use retake_libav::ReaderOptions;
use retake_media::{Codec, PixelBuffer, PixelBufferAttributes, PixelFormat, Rational, Time};

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

/// W1, EF-9: what a film says of its pictures goes with them from the reader through the session to the film
/// that is written: colours, the shape of pixels, HDR10 metadata, rotation. Nobody has to repeat any of it,
/// and what a client says has precedence.
#[test]
fn what_a_film_says_of_its_pictures_travels_by_itself() {
    let Some(studio) = Studio::open() else { return };
    let registry = retake_encoders::registry();
    let pictures = "-f lavfi -i testsrc2=size=128x96:rate=25:duration=0.4 -pix_fmt yuv420p";
    let tags = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv";
    let hdr = "-x265-params log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited:\
               master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400";
    let flat = studio.render(
        &format!("{pictures} -vf setsar=4/3 -c:v libx265 -preset ultrafast {hdr} {tags} -tag:v hvc1"),
        "flat.mp4",
    );
    let source = studio.path("turned.mov");
    let turn =
        ["-display_rotation:v:0", "90", "-i", flat.to_str().unwrap(), "-c", "copy", source.to_str().unwrap()];
    // FFmpeg before version 6 turns by another option.
    let old = [
        "-i",
        flat.to_str().unwrap(),
        "-c",
        "copy",
        "-metadata:s:v:0",
        "rotate=270",
        source.to_str().unwrap(),
    ];
    let turned =
        std::process::Command::new("ffmpeg").args(["-v", "quiet", "-y"]).args(turn).status().unwrap();
    if !turned.success() {
        ffmpeg(&old);
    }
    let reader = AssetReader::open(&source).unwrap();
    let rotation = reader.film().video.rotation;
    assert!(rotation == 90 || rotation == 270, "the test proves nothing: {rotation}");
    for codec in [Codec::H264, Codec::Hevc, Codec::Av1, Codec::Vp9] {
        for own in [false, true] {
            let file = studio.path(&format!("{codec}-{own}.mp4"));
            let mut settings = VideoSettings::new(codec, 128, 96);
            if own {
                settings.properties = vec![Property::PixelAspectRatio(Rational::new(8, 9))];
            }
            let Ok(input) = AssetWriterInput::video(&settings, &registry) else { continue };
            if own {
                let upright = [65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30];
                input.configure(|options| options.transform = Some(upright)).unwrap();
            }
            let writer = AssetWriter::new(&file, Container::Mp4);
            let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
            writer.add(&input).unwrap();
            writer.start_writing().unwrap();
            writer.start_session(Time::ZERO).unwrap();
            let mut output = reader.pictures(ReaderOptions { format: PixelFormat::I420, threads: 1 });
            while let Some(picture) = output.next().unwrap() {
                assert!(input.wait_until_ready(LONG));
                adaptor.append(picture.picture, picture.pts).unwrap();
            }
            writer.finish_writing_and_wait().unwrap();
            let said = ffprobe(
                "-select_streams v:0 -show_entries stream=sample_aspect_ratio,color_range,color_space,color_transfer,color_primaries",
                &file,
            );
            let shape = if own { "8:9" } else { "4:3" };
            let name = format!("{codec}, {own}");
            assert_eq!(said, [format!("{shape},tv,bt2020nc,smpte2084,bt2020")], "{name}");
            let written = AssetReader::open(&file).unwrap();
            assert_eq!(written.film().video.rotation, if own { 0 } else { rotation }, "{name}");
            let turned = ffprobe("-select_streams v:0 -show_entries stream_side_data=rotation", &file);
            assert_eq!(turned.iter().any(|line| line.contains("90")), !own, "{name}: {turned:?}");
            assert_eq!(
                written.film().video.mastering_display,
                reader.film().video.mastering_display,
                "{name}"
            );
            let light =
                written.film().video.content_light.map(|light| (light.max_content, light.max_frame_average));
            assert_eq!(light, Some((1000, 400)), "{name}");
        }
    }
}

/// AD-2, 12.5, PB-15, PB-20 (D5, W6): the pool of an adaptor is reconciled with the encoder: what the client
/// leaves open the encoder chooses, of what the client names it takes what the encoder takes as it is, and
/// what the encoder cannot take is made all the same.
#[test]
fn the_pool_of_an_adaptor_is_reconciled_with_the_encoder() {
    let studio = Studio::empty();
    let registry = retake_encoders::registry();
    for codec in [Codec::H264, Codec::Hevc, Codec::Av1, Codec::Vp9] {
        let pool = |attributes: Option<PixelBufferAttributes>| {
            let input = AssetWriterInput::video(&VideoSettings::new(codec, 128, 96), &registry).ok()?;
            let writer = AssetWriter::new(studio.path("film.mp4"), Container::Mp4);
            let adaptor = PixelBufferAdaptor::new(&input, attributes).unwrap();
            writer.add(&input).unwrap();
            writer.start_writing().unwrap();
            let made = adaptor.pool().map(|pool| pool.buffer_attributes().clone());
            writer.cancel_writing();
            Some(made)
        };
        let of = |formats: &[PixelFormat]| {
            let attributes = PixelBufferAttributes { formats: formats.to_vec(), ..Default::default() };
            pool(Some(attributes)).map(|made| made.map(|made| (made.formats[0], made.width, made.height)))
        };
        let Some(nothing) = pool(None) else { continue };
        assert!(nothing.is_none(), "{codec}: nobody asked for one");
        let made = |format| Some(Some((format, Some(128), Some(96))));
        assert_eq!(of(&[]), made(PixelFormat::I420), "{codec}: the encoder chooses");
        assert_eq!(of(&[PixelFormat::Bgra]), made(PixelFormat::Bgra), "{codec}: it is converted");
        let both = of(&[PixelFormat::Bgra, PixelFormat::I420]);
        assert_eq!(both, made(PixelFormat::I420), "{codec}: it is taken as it is");
    }
}
