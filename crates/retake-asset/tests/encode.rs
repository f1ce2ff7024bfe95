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
use retake_media::{
    Attachment, Attachments, Codec, Colour, PixelBuffer, PixelBufferAttributes, PixelBufferPool, PixelFormat,
    Rational, Time,
};

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
    settings.specification.encoder = Some("no such encoder".into());
    assert_eq!(AssetWriterInput::video(&settings, &registry).unwrap_err().code(), -11834);
    settings.specification.encoder = None;
    settings.properties = vec![Property::Quality(7.0)];
    match AssetWriterInput::video(&settings, &registry) {
        Err(WriterError::NoEncoder(why)) => eprintln!("SKIPPED: {why}"),
        other => assert_eq!(other.unwrap_err().code(), -11861),
    }
}

/// AI-3: the encoder specification is that of a session: hardware that is required is not there, low latency
/// gives samples in the order of pictures.
#[test]
fn the_specification_is_that_of_a_session() {
    let Some(studio) = Studio::open() else { return };
    let registry = registry();
    let mut settings = VideoSettings::new(Codec::H264, 128, 96);
    settings.specification.require_hardware = true;
    assert_eq!(AssetWriterInput::video(&settings, &registry).unwrap_err().code(), -11834);
    settings.specification.require_hardware = false;
    for low_latency in [false, true] {
        settings.specification.low_latency = low_latency;
        let input = match AssetWriterInput::video(&settings, &registry) {
            Ok(input) => input,
            Err(error) => return eprintln!("SKIPPED: {error}"),
        };
        let file = studio.path("a.mp4");
        let _ = std::fs::remove_file(&file);
        let writer = AssetWriter::new(&file, Container::Mp4);
        let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
        writer.add(&input).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        for index in 0..FRAMES {
            assert!(input.wait_until_ready(LONG));
            adaptor.append(scene(index, 128, 96), Time::new(index, 25)).unwrap();
        }
        writer.finish_writing_and_wait().unwrap();
        let lines = ffprobe("-select_streams v:0 -show_entries packet=pts", &file);
        let times: Vec<i64> = lines.iter().map(|line| line.parse().unwrap()).collect();
        assert_eq!((times.len(), times.is_sorted()), (FRAMES as usize, low_latency));
    }
}

/// A picture of one colour of BT.2020, given as the light of BT.709 primaries that it is, and that colour in
/// BT.709. Both are reckoned here, by the matrix that BT.2087 prints and the light of a screen (a power of
/// 2.4), in 8 bits of limited range.
fn one_colour(light: [f64; 3]) -> (PixelBuffer, [f64; 3]) {
    const WIDER: [[f64; 3]; 3] =
        [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]];
    let code = |light: [f64; 3], [kr, kb]: [f64; 2]| {
        let [r, g, b] = light.map(|light| light.powf(1.0 / 2.4));
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let chroma = |part: f64, share: f64| 128.0 + 224.0 * (part - y) / (2.0 * (1.0 - share));
        [16.0 + 219.0 * y, chroma(b, kb), chroma(r, kr)]
    };
    let wider = WIDER.map(|row| row.iter().zip(light).map(|(share, light)| share * light).sum());
    let samples = code(wider, [0.2627, 0.0593]);
    let mut picture = PixelBufferPool::new(PixelFormat::I420, 64, 64).take();
    samples.iter().enumerate().for_each(|(plane, value)| picture.plane_mut(plane).fill(value.round() as u8));
    (picture.freeze(), code(light, [0.2126, 0.0722]))
}

/// AI-3, AVVideoAllowWideColorKey: wide colour travels into the film unless it is not allowed; then it
/// becomes BT.709, as a reference in a few lines has it. Other colours are left alone, and PQ is refused.
#[test]
fn wide_colour_is_kept_or_converted() {
    let Some(studio) = Studio::open() else { return };
    let registry = registry();
    let (wide, expected) = one_colour([0.35, 0.2, 0.1]);
    let tagged = |primaries, transfer, matrix| {
        let colour = Colour { primaries, transfer, matrix, range_known: true, ..Colour::default() };
        let attachments = Attachments::default()
            .with(Attachment::Colour(colour))
            .with(Attachment::PixelAspectRatio(Rational::new(4, 3)));
        wide.clone().with_attachments(attachments)
    };
    let own = [0, 1, 2].map(|plane| f64::from(wide.plane(plane)[0]));
    let bt2020 = || tagged(9, 14, 9);
    let cases = [
        (true, bt2020(), "4:3,tv,bt2020nc,bt2020-10,bt2020", own),
        (false, bt2020(), "4:3,tv,bt709,bt709,bt709", expected),
        (false, tagged(6, 6, 6), "4:3,tv,smpte170m,smpte170m,smpte170m", own),
    ];
    let write = |allowed: bool, picture: PixelBuffer| {
        let mut settings = VideoSettings::new(Codec::H264, 64, 64);
        settings.allow_wide_color = allowed;
        settings.properties = vec![Property::Quality(0.9)];
        let input = AssetWriterInput::video(&settings, &registry).ok()?;
        let file = studio.path("a.mp4");
        let _ = std::fs::remove_file(&file);
        let writer = AssetWriter::new(&file, Container::Mp4);
        let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
        writer.add(&input).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        let appended = (0..3).try_for_each(|index| {
            assert!(input.wait_until_ready(LONG));
            adaptor.append(picture.clone(), Time::new(index, 25))
        });
        let finished = appended.map_err(|error| error.to_string());
        Some(
            finished
                .and_then(|()| writer.finish_writing_and_wait().map_err(|error| error.to_string()))
                .map(|()| file),
        )
    };
    for (allowed, picture, tags, colour) in cases {
        let Some(written) = write(allowed, picture) else { return eprintln!("SKIPPED: no encoder of H.264") };
        let film = written.unwrap();
        let said = ffprobe(
            "-select_streams v:0 -show_entries stream=sample_aspect_ratio,color_range,color_space,color_transfer,color_primaries",
            &film,
        );
        assert_eq!(said, [tags], "{allowed}");
        let planes = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-i", film.to_str().unwrap(), "-f", "rawvideo", "-frames:v", "1", "-"])
            .output()
            .unwrap()
            .stdout;
        let found =
            [32 * 64 + 32, 64 * 64 + 500, 64 * 64 * 5 / 4 + 500].map(|place| f64::from(planes[place]));
        let near = found.iter().zip(colour).all(|(found, wanted)| (found - wanted).abs() <= 2.0);
        assert!(near, "{found:?} for {colour:?}, {tags}");
    }
    assert!(
        own.iter().zip(expected).any(|(own, wanted)| (own - wanted).abs() > 6.0),
        "the test proves nothing"
    );
    let refused = write(false, tagged(9, 16, 9)).unwrap();
    assert!(refused.unwrap_err().contains("no tones are mapped"));
    // without a conversion the switch is refused when the input is made
    let mut settings = VideoSettings::new(Codec::H264, 64, 64);
    settings.allow_wide_color = false;
    assert_eq!(AssetWriterInput::video(&settings, &retake_encoders::registry()).unwrap_err().code(), -11861);
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
    retake_testing::turned(&flat, &source);
    let reader = AssetReader::open(&source).unwrap();
    let rotation = reader.film().video.rotation;
    assert_eq!(rotation, 270);
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
