//! Properties of writers, and what they do to files (sections 16.2, 16.3, 17.1).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::scripted::*;
use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, CallError, Container, MediaDataLocation, MediaSample,
    Mistake, PixelBufferAdaptor, SegmentProfile, SegmentReport, SoundCodec, SoundSettings, VideoSettings,
    WriterError, WriterStatus,
};
use retake_compression::property::{ColorPrimaries, Property, TransferFunction, YCbCrMatrix};
use retake_media::{Codec, PixelBuffer, PixelBufferPool, PixelFormat, Rational, Time, TransferOptions};
use retake_media::{SampleBuffer, ScalingMode};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Instant;

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Section 16.3: the first fragment has an interval of its own, fragments are numbered from where the client
/// says, and their head says how long all will be. What is unfinished lies in the folder for temporary files,
/// and is gone at the end.
#[test]
fn fragments_as_the_client_wants_them() {
    for cancel in [false, true] {
        let studio = Studio::empty();
        let folder = studio.path("temporary");
        std::fs::create_dir(&folder).unwrap();
        let writer = AssetWriter::new(studio.path("a.mp4"), Container::Mp4);
        writer
            .configure(|options| {
                options.movie_fragment_interval = Some(Time::new(1, 1));
                options.initial_movie_fragment_interval = Some(Time::new(1, 2));
                options.initial_movie_fragment_sequence_number = 7;
                options.overall_duration_hint = Some(Time::new(10, 1));
                options.movie_time_scale = 600;
                options.fast_start = true;
                options.directory_for_temporary_files = Some(folder.clone());
            })
            .unwrap();
        let input = AssetWriterInput::passthrough(video_format());
        writer.add(&input).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        (0..96).for_each(|index| append(&input, picture(index)));
        let patience = Instant::now();
        let bytes = loop {
            assert!(patience.elapsed() < LONG, "no three fragments come");
            let bytes = files(&folder).first().map_or(Vec::new(), |file| std::fs::read(file).unwrap());
            // boxes are looked at when all is there that was begun
            let whole = bytes.windows(4).filter(|four| *four == b"mfhd").count();
            if whole >= 3 && bytes.windows(4).filter(|four| *four == b"mdat").count() >= 3 {
                break bytes;
            }
            std::thread::yield_now();
        };
        // the last one may be half written
        let third = bytes.windows(4).enumerate().filter(|(_, four)| *four == b"moof").nth(2).unwrap().0 - 4;
        let numbers: Vec<u32> =
            boxes(&bytes[..third], &[b"moof", b"mfhd"]).iter().map(|mfhd| number(&mfhd[4..8])).collect();
        assert_eq!(numbers, [7, 8]);
        let counts: Vec<u32> = boxes(&bytes[..third], &[b"moof", b"traf", b"trun"])
            .iter()
            .map(|trun| number(&trun[4..8]))
            .collect();
        assert_eq!(counts, [12, 24]);
        let hint = &boxes(&bytes[..third], &[b"moov", b"mvex", b"mehd"])[0];
        assert_eq!(number(&hint[4..]), 10 * 600);
        assert!(!studio.path("a.mp4").exists());
        if cancel {
            writer.cancel_writing();
            assert_eq!(studio.files(), ["temporary"]);
        } else {
            writer.finish_writing_and_wait().unwrap();
            let bytes = std::fs::read(studio.path("a.mp4")).unwrap();
            let at = |kind: &[u8]| bytes.windows(4).position(|four| four == kind).unwrap();
            assert!(at(b"moov") < at(b"mdat") && !bytes.windows(4).any(|four| four == b"moof"));
            assert_eq!(studio.files(), ["a.mp4", "temporary"]);
        }
        assert_eq!(files(&folder), Vec::<PathBuf>::new());
    }
}

/// Section 16.2: a folder that is not there, or is none, is told when the writer starts; a name that says
/// another kind of file is the client's choice.
#[test]
fn places_where_no_film_can_be() {
    let studio = Studio::empty();
    std::fs::write(studio.path("file"), "no folder").unwrap();
    for place in ["nowhere/a.mp4", "file/a.mp4"] {
        let writer = AssetWriter::new(studio.path(place), Container::Mp4);
        writer.add(&AssetWriterInput::passthrough(video_format())).unwrap();
        assert!(matches!(writer.start_writing(), Err(CallError::Failed(WriterError::Io { .. }))), "{place}");
        assert_eq!(writer.status(), WriterStatus::Failed);
    }
    let nothing = AssetWriter::new(studio.path("a.mp4"), Container::Mp4);
    let Err(CallError::Failed(error)) = nothing.start_writing() else { panic!("started without inputs") };
    assert_eq!(error.code(), -11875);
    let (writer, inputs) = {
        let writer = AssetWriter::new(studio.path("film.dat"), Container::Mp4);
        let input = AssetWriterInput::passthrough(video_format());
        writer.add(&input).unwrap();
        writer.start_writing().unwrap();
        (writer, [input])
    };
    writer.start_session(Time::ZERO).unwrap();
    append(&inputs[0], picture(0));
    writer.finish_writing_and_wait().unwrap();
    assert_eq!(studio.files(), ["file", "film.dat"]);
}

/// Section 16.2, resolution 26: a session without samples lasts as long as was told.
#[test]
fn an_empty_session_has_its_length() {
    let studio = Studio::empty();
    let (writer, _inputs) = started(&studio.path("a.mp4"), &[video_format()]);
    writer.start_session(Time::new(5, 1)).unwrap();
    writer.end_session(Time::new(8, 1)).unwrap();
    writer.finish_writing_and_wait().unwrap();
    let header = &boxes(&std::fs::read(studio.path("a.mp4")).unwrap(), &[b"moov", b"mvhd"])[0];
    assert_eq!(f64::from(number(&header[16..20])) / f64::from(number(&header[12..16])), 3.0);
}

/// Section 16.2: cancelled while it finishes, a writer is cancelled, and the completion hears of it, once.
#[test]
fn cancelled_while_it_finishes() {
    let studio = Studio::empty();
    let script = Script::new(&[], true);
    let writer = AssetWriter::new(studio.path("a.mp4"), Container::Mp4);
    let input = encoding(&script, true);
    let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    adaptor.append(blank(), Time::ZERO).unwrap();
    input.mark_current_pass_as_finished().unwrap();
    let (tell, told) = channel();
    writer.finish_writing(move |ended| tell.send(ended).unwrap()).unwrap();
    assert_eq!(writer.status(), WriterStatus::Writing);
    writer.cancel_writing();
    assert!(matches!(told.recv_timeout(LONG).unwrap(), Err(WriterError::Cancelled)));
    assert!(told.recv().is_err() && writer.error().is_none());
    assert_eq!((writer.status(), studio.files().len()), (WriterStatus::Cancelled, 0));
}

/// SG-1, SG-7, resolution 31: segments have an interval where nobody says one; properties of films do nothing
/// to them; ended by the client, they do not go with passes.
#[test]
fn segments_and_properties_of_films() {
    let stream = |set: &dyn Fn(&AssetWriter)| {
        let starts: Arc<Mutex<Vec<Time>>> = Arc::default();
        let keep = starts.clone();
        let writer =
            AssetWriter::segments(SegmentProfile::Cmaf, move |_: Vec<u8>, report: &SegmentReport| {
                keep.lock()
                    .unwrap()
                    .extend(report.tracks.iter().map(|track| track.earliest_presentation_time));
            });
        set(&writer);
        let input = AssetWriterInput::passthrough(video_format());
        writer.add(&input).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(Time::new(1, 1)).unwrap();
        (24..24 * 16).for_each(|index| append(&input, picture(index)));
        writer.finish_writing_and_wait().unwrap();
        starts.lock().unwrap().clone()
    };
    let plain = stream(&|_| ());
    assert_eq!(plain, [Time::new(1, 1), Time::new(7, 1), Time::new(13, 1)]);
    let same = stream(&|writer| {
        writer
            .configure(|options| {
                options.movie_fragment_interval = Some(Time::new(1, 1));
                options.fast_start = true;
            })
            .unwrap();
    });
    assert_eq!(same, plain);

    let writer = AssetWriter::segments(SegmentProfile::Cmaf, |_: Vec<u8>, _: &SegmentReport| ());
    writer.configure(|options| options.preferred_output_segment_interval = Some(Time::INDEFINITE)).unwrap();
    writer.add(&encoding(&Script::new(&[], false), true)).unwrap();
    let Err(CallError::Failed(error)) = writer.start_writing() else { panic!("started") };
    assert_eq!(error.code(), -11875);
}

/// AI-4, AI-8: samples of another format than the input's, of another medium, and pictures where samples
/// belong.
#[test]
fn samples_of_other_formats() {
    let studio = Studio::empty();
    let (writer, inputs) = started(&studio.path("a.mp4"), &[video_format(), audio_format()]);
    writer.start_session(Time::ZERO).unwrap();
    let retake_asset::TrackFormat::Video(mut other) = video_format() else { panic!() };
    other.width = 128;
    let foreign = MediaSample::from(SampleBuffer::new(picture(0), Arc::new(other)));
    for input in &inputs {
        match input.append(foreign.clone()) {
            Err(AppendError::Usage(error)) => assert!(matches!(error.mistake, Mistake::WrongMedia(_))),
            other => panic!("{other:?}"),
        }
    }
    append(&inputs[0], picture(0));
    writer.finish_writing_and_wait().unwrap();
}

/// AI-1, AI-4: in QuickTime movies the first sample says the format of an input that was made without one,
/// and holds the others to it; a film is the same as with a hint. Such an input that gets no sample leaves no
/// track.
#[test]
fn the_first_sample_says_the_format_in_quicktime_movies() {
    let Some(studio) = Studio::open() else { return };
    let film =
        "-f lavfi -i testsrc2=s=160x90:r=24:d=2 -f lavfi -i sine=r=48000:d=2 -c:v libx264 -bf 2 -c:a aac";
    let source = studio.render(film, "a.mp4");
    let (video, sound) = (Track::read(&source, 0), Track::read(&source, 1));
    let retake_asset::TrackFormat::Video(format) = video.format.clone() else { panic!() };
    let format = Arc::new(format);
    for (name, fragments) in [("b.mov", false), ("c.mov", true)] {
        let film = studio.path(name);
        let writer = AssetWriter::new(&film, Container::Mov);
        let empty = AssetWriterInput::passthrough_without_hint();
        let pictures = AssetWriterInput::passthrough_without_hint();
        let sounds = AssetWriterInput::passthrough(sound.format.clone());
        [&empty, &pictures, &sounds].into_iter().for_each(|input| writer.add(input).unwrap());
        if fragments {
            writer.configure(|options| options.movie_fragment_interval = Some(Time::new(1, 2))).unwrap();
        }
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        let refused = |sample: MediaSample| match pictures.append(sample) {
            Err(AppendError::Usage(error)) => assert!(matches!(error.mistake, Mistake::WrongMedia(_))),
            other => panic!("{other:?}"),
        };
        refused(video.samples[0].clone().into());
        let vp9 = Arc::new(retake_media::FormatDescription { codec: Codec::Vp9, ..(*format).clone() });
        refused(SampleBuffer::new(video.samples[0].clone(), vp9).into());
        empty.mark_as_finished().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| append_all(std::slice::from_ref(&sounds), std::slice::from_ref(&sound)));
            for sample in &video.samples {
                append(&pictures, SampleBuffer::new(sample.clone(), format.clone()));
            }
            let other = Arc::new(retake_media::FormatDescription { width: 128, ..(*format).clone() });
            refused(SampleBuffer::new(picture(9999), other).into());
            pictures.mark_as_finished().unwrap();
        });
        writer.finish_writing_and_wait().unwrap();
        assert_eq!(ffprobe("-show_entries stream=codec_name", &film), ["h264", "aac"], "{name}");
        assert_eq!(frames(&film, "v:0"), frames(&source, "v:0"), "{name}");
        assert_eq!(frames(&film, "a:0"), frames(&source, "a:0"), "{name}");
    }
    for container in [Container::Mp4, Container::Mkv] {
        let input = AssetWriterInput::passthrough_without_hint();
        let writer = AssetWriter::new("nowhere", container);
        assert!(!writer.can_add(&input));
        assert!(matches!(writer.add(&input).unwrap_err().mistake, Mistake::CannotAdd(_)));
    }
}

/// AI-1: a film cannot begin before the first sample of an input without a hint, so that such an input is
/// refused where nobody waits for it.
#[test]
fn an_input_without_a_hint_has_to_be_waited_for() {
    let studio = Studio::empty();
    type Set<'a> = &'a dyn Fn(&AssetWriterInput, &AssetWriterInput);
    let set: [Set<'_>; 3] = [
        &|unhinted, _| {
            unhinted
                .configure(|options| options.media_data_location = MediaDataLocation::SparselyInterleaved)
                .unwrap();
        },
        &|_, other| {
            other
                .configure(|options| {
                    options.media_data_location = MediaDataLocation::BeforeMainNotInterleaved;
                })
                .unwrap();
        },
        &|_, other| other.configure(|options| options.real_time = true).unwrap(),
    ];
    for (index, set) in set.into_iter().enumerate() {
        let writer = AssetWriter::new(studio.path(&format!("{index}.mov")), Container::Mov);
        let unhinted = AssetWriterInput::passthrough_without_hint();
        let other = AssetWriterInput::passthrough(audio_format());
        [&unhinted, &other].into_iter().for_each(|input| writer.add(input).unwrap());
        set(&unhinted, &other);
        let Err(CallError::Failed(error)) = writer.start_writing() else { panic!("{index} started") };
        assert_eq!(error.code(), -11875);
    }
}

/// Section 16.2: what an input will encode to is known before the writer starts, and refused by a container
/// that cannot hold it.
#[test]
fn encoders_that_a_container_cannot_hold() {
    for (codec, container, holds) in [
        (Codec::H264, Container::WebM, false),
        (Codec::H264, Container::Mp4, true),
        (Codec::Vp9, Container::Mov, false),
        (Codec::Vp9, Container::WebM, true),
    ] {
        let Ok(input) = AssetWriterInput::video(&VideoSettings::new(codec, 64, 64), &registry()) else {
            eprintln!("SKIPPED: no encoder for {codec}");
            continue;
        };
        let writer = AssetWriter::new("nowhere", container);
        assert_eq!(writer.can_add(&input), holds, "{codec}");
        assert_eq!(writer.add(&input).is_ok(), holds, "{codec}");
    }
}

/// Section 16.2, canApply: of settings a writer says what it says of the inputs that are made of them.
#[test]
fn settings_are_asked_for_before_inputs_are_made() {
    for container in Container::ALL {
        let writer = AssetWriter::new("nowhere", container);
        let mut held = 0;
        for codec in Codec::ALL {
            let settings = VideoSettings::new(codec, 64, 64);
            let Ok(input) = AssetWriterInput::video(&settings, &registry()) else { continue };
            assert_eq!(writer.can_apply_video(&settings), writer.can_add(&input), "{codec} in {container}");
        }
        use SoundCodec::{Aac, Ac3, Alac, Flac, Opus, PcmF32, PcmS16, PcmS24};
        for codec in [Aac, Opus, Flac, Alac, Ac3, PcmS16, PcmS24, PcmF32] {
            let settings = SoundSettings::new(codec, 48_000, 2);
            let Ok(input) = AssetWriterInput::sound(&settings) else { continue };
            let applies = writer.can_apply_sound(&settings);
            assert_eq!(applies, writer.can_add(&input), "{codec:?} in {container}");
            held += usize::from(applies);
        }
        assert!((1..8).contains(&held) || container == Container::Mkv, "{container} holds {held}");
    }
}

fn half(width: u32, height: u32) -> PixelBuffer {
    let mut buffer = PixelBufferPool::new(PixelFormat::I420, width, height).take();
    for plane in 0..3 {
        buffer.plane_mut(plane).fill(if plane == 0 { 200 } else { 128 });
    }
    buffer.freeze()
}

/// AI-3: settings of pictures are properties of the session: shape of pixels, colours, and how pictures of
/// another size are fitted.
#[test]
fn settings_of_pictures() {
    let Some(studio) = Studio::open() else { return };
    let mut settings = VideoSettings::new(Codec::H264, 128, 128);
    let letterbox = TransferOptions { scaling_mode: ScalingMode::Letterbox, ..TransferOptions::default() };
    settings.properties = vec![
        Property::PixelAspectRatio(Rational::new(4, 3)),
        Property::ColorPrimaries(ColorPrimaries::Bt2020),
        Property::TransferFunction(TransferFunction::Hlg),
        Property::YCbCrMatrix(YCbCrMatrix::Bt2020),
        Property::PixelTransferProperties(letterbox),
        Property::Quality(0.9),
    ];
    let input = match AssetWriterInput::video(&settings, &registry()) {
        Ok(input) => input,
        Err(error) => return eprintln!("SKIPPED: {error}"),
    };
    let film = studio.path("a.mp4");
    let writer = AssetWriter::new(&film, Container::Mp4);
    let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    for index in 0..5 {
        assert!(input.wait_until_ready(LONG));
        adaptor.append(half(256, 64), Time::new(index, 25)).unwrap();
    }
    writer.finish_writing_and_wait().unwrap();
    let said = ffprobe(
        "-select_streams v:0 -show_entries stream=width,height,sample_aspect_ratio,color_primaries,color_transfer,color_space",
        &film,
    );
    assert_eq!(said, ["128,128,4:3,bt2020nc,arib-std-b67,bt2020"]);
    // bars above and below
    let raw = studio.path("raw");
    ffmpeg(&[
        "-i",
        film.to_str().unwrap(),
        "-frames:v",
        "1",
        "-pix_fmt",
        "yuv420p",
        "-f",
        "rawvideo",
        raw.to_str().unwrap(),
    ]);
    let pixels = std::fs::read(raw).unwrap();
    let row = |row: usize| pixels[row * 128 + 64];
    assert!(row(4) < 40 && row(64) > 170 && row(123) < 40, "{} {} {}", row(4), row(64), row(123));
}
