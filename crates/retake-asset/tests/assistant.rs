//! Sensible settings for a source: whatever it is, writer and encoder take them, and the film is what they
//! say.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, Studio, ffprobe, registry};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use retake_asset::{
    AssetWriter, AssetWriterInput, Container, OutputSettings, OutputSettingsAssistant, PixelBufferAdaptor,
    PresetSize, SettingsAim, SettingsLoss, SoundSource, SourceVideo,
};
use retake_compression::encoder::{EncoderSettings, Registry};
use retake_compression::property::Property;
use retake_compression::scorer::{AnyScorer, Metric, Scorers};
use retake_libav::{probe, survey};
use retake_media::{
    Codec, Colour, ContentLight, FieldDetail, Fields, MasteringDisplay, PixelBuffer, PixelBufferPool,
    PixelFormat, Range, Rational, Time,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TURNED: [i32; 9] = [0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30];

/// Colours that sources are tagged with: of standard and high definition, wide, PQ, HLG, none.
const COLOURS: [(u8, u8, u8); 6] = [(6, 1, 6), (1, 1, 1), (9, 14, 9), (9, 16, 9), (9, 18, 9), (2, 2, 2)];

/// Every codec that this build has an encoder for.
fn codecs(registry: &Registry) -> Vec<Codec> {
    let has = |codec: &Codec| registry.encoders().any(|info| info.codec == *codec);
    Codec::ALL.into_iter().filter(has).collect()
}

fn any_source() -> impl Strategy<Value = SourceVideo> {
    let size = prop_oneof![(64u32..400, 64u32..400), (400u32..1500, 64u32..900)];
    let format = prop::sample::select(vec![
        PixelFormat::I420,
        PixelFormat::I010,
        PixelFormat::I422,
        PixelFormat::I444,
        PixelFormat::Y8,
    ]);
    let shape = prop::sample::select(vec![(1, 1), (4, 3), (8, 9), (64, 45), (1, 2)]);
    let rate = prop::sample::select(vec![(1, 24), (1001, 30_000), (1, 50), (1, 120), (1, 12)]);
    let least = prop::sample::select(vec![None, Some(Time::new(1, 60)), Some(Time::new(1, 200))]);
    let colour = prop::sample::select(COLOURS.to_vec());
    (size, format, shape, rate, least, colour, any::<bool>(), any::<bool>()).prop_map(
        |((width, height), format, (num, den), (value, scale), least, tags, turned, fields)| {
            let mut source = SourceVideo::new(width, height);
            source.format = format;
            source.pixel_aspect_ratio = Rational::new(num, den);
            source.average_frame_duration = Time::new(value, scale);
            source.min_frame_duration = least;
            let (primaries, transfer, matrix) = tags;
            source.colour = Colour { primaries, transfer, matrix, ..Colour::default() };
            source.transform = turned.then_some(TURNED);
            let detail = Some(FieldDetail::SpatialFirstLineEarly);
            source.fields = fields.then_some(Fields { count: 2, detail });
            source
        },
    )
}

fn any_sound() -> impl Strategy<Value = SoundSource> {
    let rate = prop::sample::select(vec![8_000, 11_025, 37_800, 44_100, 48_000, 96_000, 192_000]);
    (rate, 1u32..9).prop_map(|(rate, channels)| SoundSource::new(rate, channels))
}

/// A picture of a source, without anything attached, so that the settings alone say what the film is.
fn picture(source: &SourceVideo, index: i64) -> PixelBuffer {
    let mut buffer = PixelBufferPool::new(source.format, source.width, source.height).take();
    let wide = source.format.bytes_per_sample() == 2;
    for plane in 0..source.format.planes() {
        for (row, samples) in buffer.plane_mut(plane).chunks_mut(64).enumerate() {
            let value = (80 + (row as i64 + index * 9) % 60) as u8;
            match wide {
                false => samples.fill(value),
                true => samples
                    .chunks_mut(2)
                    .for_each(|pair| pair.copy_from_slice(&[0, value / 64][..pair.len()])),
            }
        }
    }
    buffer.freeze()
}

/// A film of three pictures, and as much silence, by these settings.
fn write(
    folder: &Path,
    registry: &Registry,
    settings: &OutputSettings,
    source: &SourceVideo,
    sound: Option<SoundSource>,
) -> PathBuf {
    let ending = if settings.container == Container::WebM { "webm" } else { "mp4" };
    let file = folder.join(format!("film.{ending}"));
    let _ = std::fs::remove_file(&file);
    let writer = AssetWriter::new(&file, settings.container);
    let mut video = settings.video.clone().unwrap();
    let info = registry.encoders().find(|info| info.codec == video.codec).unwrap();
    video.properties.push(common::fast(info));
    let input = AssetWriterInput::video(&video, registry).unwrap();
    input.configure(|options| settings.describe(options)).unwrap();
    let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
    assert!(writer.can_add(&input));
    writer.add(&input).unwrap();
    let heard = settings.sound.map(|settings| AssetWriterInput::sound(&settings).unwrap());
    heard.iter().for_each(|input| writer.add(input).unwrap());
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    for index in 0..3 {
        assert!(input.wait_until_ready(LONG));
        let time = Time::new(
            source.average_frame_duration.value() * index,
            source.average_frame_duration.timescale(),
        );
        adaptor.append(picture(source, index), time).unwrap();
    }
    input.mark_as_finished().unwrap();
    if let (Some(input), Some(sound)) = (&heard, sound) {
        assert!(input.wait_until_ready(LONG));
        let samples = vec![0.0; (sound.sample_rate / 4 * sound.channels) as usize];
        input.append_sound(samples, Time::ZERO).unwrap();
        input.mark_as_finished().unwrap();
    }
    writer.finish_writing_and_wait().unwrap();
    file
}

/// What another program says of a track, by names.
fn facts(film: &Path, track: &str, names: &str) -> BTreeMap<String, String> {
    let asked =
        format!("-select_streams {track} -of default=noprint_wrappers=1 -show_entries stream={names}");
    let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    ffprobe(&asked, film).into_iter().filter_map(pair).collect()
}

/// AI-16: whatever the source is, the writer and its encoders take the settings; the film can be read, is no
/// larger than the source and the box, has the source's shape, colour and turn; profile, depth and level are
/// those that were answered.
#[test]
fn whatever_the_source_the_settings_make_a_film() {
    let Some(studio) = Studio::open() else { return };
    let registry = registry();
    let codecs = codecs(&registry);
    if codecs.is_empty() {
        return eprintln!("SKIPPED: no encoder in this build");
    }
    let aims = vec![SettingsAim::Quality(0.5), SettingsAim::AverageBitRate];
    let case = (
        any_source(),
        prop::option::of(any_sound()),
        prop::sample::select(PresetSize::ALL.to_vec()),
        prop::sample::select(codecs),
        prop::sample::select(aims),
    );
    let config = ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() };
    let made = TestRunner::new(config).run(&case, |(source, sound, size, codec, aim)| {
        let mut assistant = OutputSettingsAssistant::new(size, codec);
        (assistant.video, assistant.sound, assistant.aim) = (Some(source.clone()), sound, aim);
        let settings = assistant.settings(&registry).unwrap();
        let too_small = settings.video.as_ref().is_some_and(|video| video.width < 64 || video.height < 64);
        prop_assume!(!too_small); // an encoder's own bound, which the writer tells
        let film = write(studio.folder(), &registry, &settings, &source, sound);
        let names = "codec_name,width,height,sample_aspect_ratio,pix_fmt,color_primaries,color_transfer,color_space,level";
        let found = facts(&film, "v:0", names);
        let number = |name: &str| found[name].parse::<u32>().unwrap();
        let (width, height) = (number("width"), number("height"));

        prop_assert!(width % 2 == 0 && height % 2 == 0);
        prop_assert!(width <= source.width && height <= source.height, "never larger than the source");
        let (long, short) = size.sides();
        prop_assert!(width.max(height) <= long && width.min(height) <= short, "{width}×{height} in {size:?}");
        let shape = match found["sample_aspect_ratio"].as_str() {
            "N/A" => 1.0,
            ratio => {
                let (num, den) = ratio.split_once(':').unwrap();
                num.parse::<f64>().unwrap() / den.parse::<f64>().unwrap()
            }
        };
        // both sides may be short of their place by less than two pixels
        let shown = f64::from(width) * shape / f64::from(height);
        let wanted = f64::from(source.width) * source.pixel_aspect_ratio.to_f64() / f64::from(source.height);
        let most = 2.0 / f64::from(width) + 2.0 / f64::from(height) + 2e-3;
        prop_assert!((shown / wanted).ln().abs() <= most, "{shown} for {wanted}: {found:?}");

        let deep = found["pix_fmt"].contains("10");
        let high_range = matches!(source.colour.transfer, 16 | 18);
        prop_assert_eq!(deep, high_range || source.format.bit_depth() > 8 && codec != Codec::H264);
        let loses_depth = settings.losses.iter().any(|loss| matches!(loss, SettingsLoss::Depth { .. }));
        prop_assert_eq!(loses_depth, !deep && source.format.bit_depth() > 8);
        let name = |code: u8, names: &[(u8, &'static str)]| {
            names.iter().find(|name| name.0 == code).map_or("unknown", |name| name.1)
        };
        let primaries = [(1, "bt709"), (6, "smpte170m"), (9, "bt2020")];
        let transfers = [(1, "bt709"), (14, "bt2020-10"), (16, "smpte2084"), (18, "arib-std-b67")];
        let matrices = [(1, "bt709"), (6, "smpte170m"), (9, "bt2020nc")];
        prop_assert_eq!(&found["color_primaries"], name(source.colour.primaries, &primaries));
        prop_assert_eq!(&found["color_transfer"], name(source.colour.transfer, &transfers));
        // VP9 says one thing for both of BT.601
        if !(codec == Codec::Vp9 && source.colour.matrix == 6) {
            prop_assert_eq!(&found["color_space"], name(source.colour.matrix, &matrices));
        }
        let turned = ffprobe("-select_streams v:0 -show_entries stream_side_data=rotation", &film);
        prop_assert_eq!(turned.first().map(String::as_str), source.transform.map(|_| "-90"));
        prop_assert_eq!(ffprobe("-select_streams v:0 -show_entries frame=pts", &film).len(), 3);
        let mixed = settings.losses.iter().any(|loss| matches!(loss, SettingsLoss::Channels { .. }));
        if let (Some(sound), Some(settings)) = (sound, settings.sound) {
            let heard = facts(&film, "a:0", "codec_name,sample_rate,channels");
            prop_assert_eq!(heard["sample_rate"].parse::<u32>().unwrap(), settings.sample_rate);
            prop_assert_eq!(settings.channels < sound.channels, mixed);
            prop_assert_eq!(heard["channels"].parse::<u32>().unwrap(), settings.channels);
            let webm = codec == Codec::Vp9 && source.transform.is_none();
            prop_assert_eq!(&heard["codec_name"], if webm { "opus" } else { "aac" });
            prop_assert!(!ffprobe("-select_streams a:0 -show_entries frame=pts", &film).is_empty());
        }
        Ok(())
    });
    made.unwrap();
}

fn properties(settings: &OutputSettings) -> &[Property] {
    &settings.video.as_ref().unwrap().properties
}

/// AI-16: the level is that of the shortest time between two frames, as the stream itself says; where all are
/// apart alike it is that of the average.
#[test]
fn the_level_is_that_of_the_shortest_time_between_frames() {
    let Some(studio) = Studio::open() else { return };
    let registry = registry();
    for codec in codecs(&registry).into_iter().filter(|codec| *codec != Codec::Vp9) {
        for (least, levels) in [(None, [31, 93, 5]), (Some(Time::new(1, 60)), [32, 120, 8])] {
            let mut assistant = OutputSettingsAssistant::new(PresetSize::Size1280x720, codec);
            let mut source = SourceVideo::new(1280, 720);
            (source.average_frame_duration, source.min_frame_duration) = (Time::new(1, 24), least);
            assistant.video = Some(source.clone());
            let settings = assistant.settings(&registry).unwrap();
            let film = write(studio.folder(), &registry, &settings, &source, None);
            let level: usize = facts(&film, "v:0", "level")["level"].parse().unwrap();
            let place = [Codec::H264, Codec::Hevc, Codec::Av1].iter().position(|known| *known == codec);
            assert_eq!(level, levels[place.unwrap()], "{codec} {least:?}");
        }
    }
}

/// AI-16: HDR10 metadata of the source is in the film, though no picture brings it; nothing of it is in the
/// settings of a source that is not HDR.
#[test]
fn hdr_metadata_travels_with_the_settings() {
    let Some(studio) = Studio::open() else { return };
    let registry = registry();
    if !codecs(&registry).contains(&Codec::Hevc) {
        return eprintln!("SKIPPED: no encoder of HEVC");
    }
    let mut source = SourceVideo::new(320, 180);
    source.format = PixelFormat::I010;
    source.mastering_display = Some(MasteringDisplay {
        primaries_gbr: [[8500, 39850], [6550, 2300], [35400, 14600]],
        white_point: [15635, 16450],
        max_luminance: 10_000_000,
        min_luminance: 50,
    });
    source.content_light = Some(ContentLight { max_content: 1000, max_frame_average: 400 });
    for (transfer, has) in [(16, true), (1, false)] {
        source.colour =
            Colour { primaries: 9, transfer, matrix: 9, range: Range::Limited, ..Colour::default() };
        let mut assistant = OutputSettingsAssistant::new(PresetSize::Size1920x1080, Codec::Hevc);
        assistant.video = Some(source.clone());
        let settings = assistant.settings(&registry).unwrap();
        let film = write(studio.folder(), &registry, &settings, &source, None);
        let said = ffprobe(
            "-select_streams v:0 -show_frames -read_intervals %+#1 -show_entries frame_side_data",
            &film,
        );
        let said = said.concat();
        assert_eq!(said.contains("1000,400") || said.contains("max_content=1000"), has, "{transfer}: {said}");
    }
}

/// AI-16: a film is described as its readers give it out: its frame times, its colours, its first track of
/// sound. A clock of milliseconds makes no frame shorter than it is.
#[test]
fn a_film_is_a_source() {
    let Some(studio) = Studio::open() else { return };
    let registry = registry();
    if !codecs(&registry).contains(&Codec::H264) {
        return eprintln!("SKIPPED: no encoder of H.264");
    }
    let film = studio.render(
        "-f lavfi -i testsrc2=s=1440x1080:r=30:d=1 -f lavfi -i sine=r=44100:d=1 \
         -vf setsar=4/3,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709 \
         -color_primaries bt709 -color_trc bt709 -colorspace bt709 -c:v ffv1 -c:a flac",
        "a.mkv",
    );
    let info = survey(probe(&film).unwrap(), &|| false).unwrap();
    let assistant = OutputSettingsAssistant::new(PresetSize::Size1280x720, Codec::H264).for_film(&info);
    let settings = assistant.settings(&registry).unwrap();
    let video = settings.video.as_ref().unwrap();
    // shown as 1920 by 1080, which is 1280 by 720 in pixels of the same shape
    assert_eq!((video.width, video.height), (960, 720));
    let has = |wanted: Property| assert!(properties(&settings).contains(&wanted), "{wanted:?} {settings:?}");
    has(Property::PixelAspectRatio(Rational::new(4, 3)));
    has(Property::ProfileLevel("H264_High_3_1".into()));
    has(Property::ExpectedFrameRate(30.0));
    let sound = settings.sound.unwrap();
    assert_eq!((sound.sample_rate, sound.channels), (44_100, 1));
    assert_eq!(settings.losses, []);

    // Just so many blocks as level 3.1 decodes in a second; two frames are 33 ms apart, and then 34.
    let film = studio.render("-f lavfi -i testsrc2=s=1280x720:r=30:d=1 -c:v ffv1", "b.mkv");
    let info = survey(probe(&film).unwrap(), &|| false).unwrap();
    assert_eq!(info.closest_frames, Some(Time::new(33, 1000)), "the test proves nothing");
    let assistant = OutputSettingsAssistant::new(PresetSize::Size1280x720, Codec::H264).for_film(&info);
    let settings = assistant.settings(&registry).unwrap();
    assert!(properties(&settings).contains(&Property::ProfileLevel("H264_High_3_1".into())), "{settings:?}");
}

/// AI-16: what is lost is told; what a preset asks for is no loss.
#[test]
fn losses_are_told() {
    let registry = registry();
    if !codecs(&registry).contains(&Codec::H264) {
        return eprintln!("SKIPPED: no encoder of H.264");
    }
    let mut assistant = OutputSettingsAssistant::new(PresetSize::Size640x480, Codec::H264);
    let mut source = SourceVideo::new(1920, 1080);
    source.format = PixelFormat::I210;
    source.fields = Some(Fields { count: 2, detail: None });
    (assistant.video, assistant.sound) = (Some(source), Some(SoundSource::new(96_000, 7)));
    let losses = assistant.settings(&registry).unwrap().losses;
    let words: Vec<String> = losses.iter().map(ToString::to_string).collect();
    let expected = [
        "4:2:2 is reduced to 4:2:0",
        "10 bit is reduced to 8 bit",
        "two fields are coded as one frame",
        "96000 samples a second are reduced to 48000",
        "7 channels are mixed to 6",
    ];
    assert_eq!(words, expected);
    assistant.video = Some(SourceVideo::new(1920, 1080));
    assistant.sound = None;
    assert_eq!(assistant.settings(&registry).unwrap().losses, []);
}

/// AI-16: what is no source is refused, and so is a codec without an encoder.
#[test]
fn what_is_no_source_is_refused() {
    let registry = registry();
    let Some(&codec) = codecs(&registry).first() else {
        return eprintln!("SKIPPED: no encoder in this build");
    };
    let answer = |source: SourceVideo, sound: Option<SoundSource>, registry: &Registry| {
        let mut assistant = OutputSettingsAssistant::new(PresetSize::Size640x480, codec);
        (assistant.video, assistant.sound) = (Some(source), sound);
        assistant.settings(registry).map(drop).map_err(|error| error.code())
    };
    let mut still = SourceVideo::new(64, 64);
    still.average_frame_duration = Time::ZERO;
    let mut flat = SourceVideo::new(64, 64);
    flat.pixel_aspect_ratio = Rational::new(0, 1);
    for source in [SourceVideo::new(0, 64), still, flat] {
        assert_eq!(answer(source, None, &registry), Err(-11861));
    }
    let fine = SourceVideo::new(64, 64);
    assert_eq!(answer(fine.clone(), Some(SoundSource::new(48_000, 0)), &registry), Err(-11861));
    assert_eq!(answer(fine.clone(), None, &Registry::default()), Err(-11834));
    assert_eq!(answer(fine, None, &registry), Ok(()));
}

/// AI-16: bit rates follow the published ladder: within a sixth for its own sizes, and more pixels never get
/// fewer bits.
#[test]
fn bit_rates_are_near_those_of_the_ladder() {
    let registry = registry();
    let rate = |codec, size, width, height, frames| {
        let mut assistant = OutputSettingsAssistant::new(size, codec);
        let mut source = SourceVideo::new(width, height);
        source.average_frame_duration = Time::new(1, frames);
        (assistant.video, assistant.aim) = (Some(source), SettingsAim::AverageBitRate);
        let settings = assistant.settings(&registry).unwrap();
        let found = properties(&settings).iter().find_map(|property| match property {
            Property::AverageBitRate(rate) => Some(*rate as f64),
            _ => None,
        });
        found.unwrap()
    };
    let codecs = codecs(&registry);
    let ladder = [
        (Codec::H264, PresetSize::Size1280x720, 1280, 720, 4.5e6),
        (Codec::H264, PresetSize::Size1920x1080, 1920, 1080, 7.8e6),
        (Codec::Hevc, PresetSize::Size1280x720, 1280, 720, 3.4e6),
        (Codec::Hevc, PresetSize::Size1920x1080, 1920, 1080, 5.8e6),
        (Codec::Hevc, PresetSize::Size3840x2160, 3840, 2160, 16.8e6),
    ];
    for (codec, size, width, height, printed) in ladder.into_iter().filter(|line| codecs.contains(&line.0)) {
        let found = rate(codec, size, width, height, 30);
        assert!((found / printed - 1.0).abs() < 1.0 / 6.0, "{found} for {printed}");
    }
    for codec in codecs {
        let rates = PresetSize::ALL.map(|size| rate(codec, size, 3840, 2160, 30));
        assert!(rates.is_sorted() && rates[0] > 0.0, "{rates:?}");
        let slow = rate(codec, PresetSize::Size640x480, 3840, 2160, 15);
        assert!(slow < rates[0] && slow > rates[0] / 2.0);
    }
}

/// A metric that nobody asks for a score.
struct Unused([Metric; 1]);

impl Scorers for Unused {
    fn metrics(&self) -> &[Metric] {
        &self.0
    }

    fn open(&self, _: &str, _: &EncoderSettings) -> Result<AnyScorer, String> {
        Err("no pictures are scored here".to_owned())
    }
}

/// AI-16: a floor is one of the session, for several passes. A registry with a metric takes it as it is;
/// where nobody could judge it is refused when the input is made, and not ignored.
#[test]
fn a_floor_is_a_property_of_the_session() {
    let mut registry = registry();
    let Some(&codec) = codecs(&registry).first() else {
        return eprintln!("SKIPPED: no encoder in this build");
    };
    let mut assistant = OutputSettingsAssistant::new(PresetSize::Size640x480, codec);
    (assistant.video, assistant.aim) = (Some(SourceVideo::new(64, 64)), SettingsAim::Floor(93.0));
    let settings = assistant.settings(&registry).unwrap();
    assert!(properties(&settings).contains(&Property::QualityFloor(93.0)));
    let make = |registry: &Registry| AssetWriterInput::video(settings.video.as_ref().unwrap(), registry);
    assert_eq!(make(&registry).unwrap_err().code(), -11861);
    registry.set_scorers(Arc::new(Unused([Metric { name: "unused", best: 100.0, unit: 1.0 }])));
    make(&registry).unwrap();
}
