//! Sensible settings for a source: which size, which profile and level, how many bits, which sound, which
//! container.

use super::video::VideoSettings;
use crate::types::error::WriterError;
use crate::types::options::InputOptions;
use retake_compression::encoder::{EncoderInfo, ProfileSupport, Registry};
use retake_compression::property::{
    ColorPrimaries, Property, TransferFunction, YCbCrMatrix, profile_level_name,
};
use retake_libav::{Container, FilmInfo, SoundCodec, SoundSettings, SoundSource, TrackKind};
use retake_media::{
    ChromaSubsampling, Codec, Colour, ContentLight, Fields, MasteringDisplay, PixelFormat, Rational, Time,
};
use std::fmt;

/// The box that pictures are fitted into, its longer side along the longer side of the picture.
#[doc(alias = "AVOutputSettingsPreset")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PresetSize {
    /// 640 by 480.
    #[doc(alias = "AVOutputSettingsPreset640x480")]
    Size640x480,
    /// 960 by 540.
    #[doc(alias = "AVOutputSettingsPreset960x540")]
    Size960x540,
    /// 1280 by 720.
    #[doc(alias = "AVOutputSettingsPreset1280x720")]
    Size1280x720,
    /// 1920 by 1080.
    #[doc(alias = "AVOutputSettingsPreset1920x1080")]
    #[doc(alias = "AVOutputSettingsPresetHEVC1920x1080")]
    Size1920x1080,
    /// 3840 by 2160.
    #[doc(alias = "AVOutputSettingsPreset3840x2160")]
    #[doc(alias = "AVOutputSettingsPresetHEVC3840x2160")]
    Size3840x2160,
    /// 7680 by 4320.
    #[doc(alias = "AVOutputSettingsPresetHEVC7680x4320")]
    Size7680x4320,
}

impl PresetSize {
    /// All sizes, the smallest first.
    pub const ALL: [Self; 6] = [
        Self::Size640x480,
        Self::Size960x540,
        Self::Size1280x720,
        Self::Size1920x1080,
        Self::Size3840x2160,
        Self::Size7680x4320,
    ];

    /// Returns the longer and the shorter side, in pixels.
    pub const fn sides(self) -> (u32, u32) {
        match self {
            Self::Size640x480 => (640, 480),
            Self::Size960x540 => (960, 540),
            Self::Size1280x720 => (1280, 720),
            Self::Size1920x1080 => (1920, 1080),
            Self::Size3840x2160 => (3840, 2160),
            Self::Size7680x4320 => (7680, 4320),
        }
    }
}

/// What an [`OutputSettingsAssistant`] aims at with the bits of the video.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SettingsAim {
    /// The same visual quality throughout, from 0 to 1, as the property
    /// [`Quality`](retake_compression::property::PropertyKey::Quality) has it: each film takes the bits that
    /// it needs.
    Quality(f64),
    /// A score by the first metric of the registry that no part of the film is below, with as few bits as
    /// possible ([`QualityFloor`](retake_compression::property::PropertyKey::QualityFloor)). It needs
    /// [`InputOptions::multi_pass`], and a registry with metrics; without a second pass the film has the
    /// quality of `Quality(0.5)`.
    Floor(f64),
    /// An average bit rate: 7.8 Mbit/s of H.264, or 5.8 of the other codecs, for 1920 by 1080 pixels 30 times
    /// a second, which are the topmost rates for that picture in Apple's *HLS Authoring Specification*; for
    /// other sizes and rates it is that times the ratio of pixels a second to the power of 0.75, because
    /// larger pictures are smoother (the usual rule of thumb; it meets the specification's rates from 1280 by
    /// 720 to 3840 by 2160 within a sixth).
    ///
    /// Films at these rates were measured to have a mean VMAF of 94.5 to 99 in one pass, with the presets of
    /// sessions and each codec (`./dev bench assistant`). The rates of the codecs are not those of equal
    /// quality: which of them is ahead depends on the film.
    AverageBitRate,
}

/// What a source of pictures is.
#[doc(alias = "sourceVideoFormat")]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SourceVideo {
    /// Luma samples a row.
    pub width: u32,
    /// Luma rows.
    pub height: u32,
    /// The format of its pictures, which tells their depth and chroma. Default: 4:2:0 of 8 bits.
    pub format: PixelFormat,
    /// The width of a pixel divided by its height. Default: 1/1.
    pub pixel_aspect_ratio: Rational,
    /// Its colour tags. Default: unspecified.
    pub colour: Colour,
    /// The HDR10 mastering display. Default: not known.
    pub mastering_display: Option<MasteringDisplay>,
    /// The HDR10 content light level. Default: not known.
    pub content_light: Option<ContentLight>,
    /// How pictures are made of two fields. Default: whole frames.
    pub fields: Option<Fields>,
    /// How pictures are turned or mirrored for display, as in [`InputOptions::transform`]. Default: as they
    /// are.
    pub transform: Option<[i32; 9]>,
    /// The average time from one picture to the next. Default: 1/30 s.
    #[doc(alias = "sourceVideoAverageFrameDuration")]
    pub average_frame_duration: Time,
    /// The shortest time from one picture to the next, which decides on the level. Default: the average.
    #[doc(alias = "sourceVideoMinFrameDuration")]
    pub min_frame_duration: Option<Time>,
}

impl SourceVideo {
    /// Pictures of this size, of which nothing else is known.
    pub const fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            format: PixelFormat::I420,
            pixel_aspect_ratio: Rational::new(1, 1),
            colour: Colour {
                primaries: 2,
                transfer: 2,
                matrix: 2,
                range: retake_media::Range::Limited,
                range_known: false,
                chroma_location: 0,
            },
            mastering_display: None,
            content_light: None,
            fields: None,
            transform: None,
            average_frame_duration: Time::new(1, 30),
            min_frame_duration: None,
        }
    }

    /// Frames a second by the shortest time between two of them.
    fn peak_rate(&self) -> f64 {
        let shortest = self.min_frame_duration.filter(|least| is_duration(*least));
        rate(shortest.map_or(self.average_frame_duration, |least| least.min(self.average_frame_duration)))
    }

    fn is_high_range(&self) -> bool {
        matches!(self.colour.transfer, 16 | 18)
    }

    fn has_fields(&self) -> bool {
        self.fields.is_some_and(|fields| fields.count == 2)
    }
}

impl From<&FilmInfo> for SourceVideo {
    /// What readers of a film give out. The shortest time between two frames is known once the film was
    /// [surveyed](retake_libav::survey()); where it differs from the average by no more than a tick of the
    /// film's clock, it is the average, rounded.
    fn from(film: &FilmInfo) -> Self {
        let video = &film.video;
        let seconds = |ratio: Rational| Time::new(ratio.num.into(), ratio.den);
        let average = seconds(video.frame_rate.inverse());
        let rounded = |least: &Time| average - *least <= seconds(video.time_base);
        Self {
            format: video.format,
            pixel_aspect_ratio: video.pixel_aspect_ratio,
            colour: video.colour,
            mastering_display: video.mastering_display,
            content_light: video.content_light,
            fields: video.fields,
            transform: video.display_matrix,
            average_frame_duration: average,
            min_frame_duration: film.closest_frames.filter(|least| !rounded(least)),
            ..Self::new(video.width, video.height)
        }
    }
}

/// Answers what a source is best written as: settings of video and sound that a writer and its encoders take,
/// and the container that holds both.
///
/// Pictures are never made larger, and keep their shape. Colour, HDR10 metadata, the shape of pixels and the
/// way in which they are turned travel. What cannot is told ([`OutputSettings::losses`]).
///
/// ```
/// use retake_asset::{Container, OutputSettingsAssistant, PresetSize, SourceVideo};
/// use retake_media::Codec;
/// # fn registry() -> retake_compression::encoder::Registry { retake_encoders::registry() }
/// # if registry().encoders().all(|info| info.codec != Codec::Hevc) { return Ok(()); }
///
/// let mut assistant = OutputSettingsAssistant::new(PresetSize::Size1280x720, Codec::Hevc);
/// assistant.video = Some(SourceVideo::new(3840, 1600));
/// let settings = assistant.settings(&registry())?;
///
/// let video = settings.video.ok_or("no video")?;
/// assert_eq!((video.width, video.height), (1280, 532));
/// assert_eq!(settings.container, Container::Mp4);
/// assert!(settings.losses.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "AVOutputSettingsAssistant")]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OutputSettingsAssistant {
    /// The box that pictures are fitted into.
    pub size: PresetSize,
    /// The coding format of the video.
    pub codec: Codec,
    /// What the bits of the video aim at. Default: `Quality(0.5)`, what the encoder calls usual.
    pub aim: SettingsAim,
    /// The source of pictures. Default: none, and then there are no settings of video.
    pub video: Option<SourceVideo>,
    /// The source of sound. Default: none, and then there are no settings of sound.
    #[doc(alias = "sourceAudioFormat")]
    pub sound: Option<SoundSource>,
}

/// What goes together, as an [`OutputSettingsAssistant`] answers it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OutputSettings {
    /// For [`AssetWriterInput::video`](crate::AssetWriterInput::video).
    #[doc(alias = "AVOutputSettingsAssistant.videoSettings")]
    pub video: Option<VideoSettings>,
    /// For [`AssetWriterInput::sound`](crate::AssetWriterInput::sound).
    #[doc(alias = "AVOutputSettingsAssistant.audioSettings")]
    pub sound: Option<SoundSettings>,
    /// For [`AssetWriter::new`](crate::AssetWriter::new).
    #[doc(alias = "AVOutputSettingsAssistant.outputFileType")]
    pub container: Container,
    /// How pictures are turned for display.
    pub transform: Option<[i32; 9]>,
    /// The average number of pictures a second.
    pub frame_rate: Option<Rational>,
    /// What the source has and the film will not have. A smaller picture is not among them, because the
    /// preset asks for it.
    pub losses: Vec<SettingsLoss>,
}

impl OutputSettings {
    /// Says of the input of video what no encoder can: how pictures are turned, and how many there are in a
    /// second.
    pub fn describe(&self, options: &mut InputOptions) {
        options.transform = self.transform;
        options.frame_rate = self.frame_rate;
    }
}

/// Something that a source has, and that settings for it leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingsLoss {
    /// Chroma: films are 4:2:0, because few players show anything else.
    Chroma {
        /// That of the source.
        from: ChromaSubsampling,
    },
    /// The low bits of samples.
    Depth {
        /// Bits of a sample of the source.
        from: u32,
        /// Bits of a sample of the film.
        to: u32,
    },
    /// Transparency, which no encoder here has.
    Alpha,
    /// The fields: both become rows of one frame.
    Fields,
    /// Sound is converted to fewer samples a second.
    SampleRate {
        /// That of the source.
        from: u32,
        /// That of the film.
        to: u32,
    },
    /// Channels are mixed to fewer.
    Channels {
        /// Those of the source.
        from: u32,
        /// Those of the film.
        to: u32,
    },
}

impl fmt::Display for SettingsLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chroma { from } => write!(f, "{from} is reduced to 4:2:0"),
            Self::Depth { from, to } => write!(f, "{from} bit is reduced to {to} bit"),
            Self::Alpha => f.write_str("transparency is dropped"),
            Self::Fields => f.write_str("two fields are coded as one frame"),
            Self::SampleRate { from, to } => write!(f, "{from} samples a second are reduced to {to}"),
            Self::Channels { from, to } => write!(f, "{from} channels are mixed to {to}"),
        }
    }
}

/// Sync frames are at most so many seconds apart, so that players find every place soon, and a unit that is
/// encoded again is short. The encoders' own 250 frames are as much at 50 frames a second.
const KEY_FRAME_SECONDS: f64 = 5.0;
/// The bits a second of H.264, and of the newer codecs, at [`RATED_PIXELS`] a second.
const RATED_BITS: (f64, f64) = (7.8e6, 5.8e6);
const RATED_PIXELS: f64 = 1920.0 * 1080.0 * 30.0;
/// The samples a second that AAC has and that players are sure to have. Of those the lowest that holds all of
/// the source is taken. Opus decodes to one rate, whatever it was given.
const AAC_RATES: [u32; 9] = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
const OPUS_RATES: [u32; 1] = [48_000];

impl OutputSettingsAssistant {
    /// An assistant for films in this coding format, in a box of this size.
    #[doc(alias = "assistantWithPreset:")]
    pub const fn new(size: PresetSize, codec: Codec) -> Self {
        Self { size, codec, aim: SettingsAim::Quality(0.5), video: None, sound: None }
    }

    /// The same assistant for a film: for its video, and for the first of its tracks of sound.
    #[must_use]
    pub fn for_film(mut self, film: &FilmInfo) -> Self {
        let is_sound = |track: &&retake_libav::TrackInfo| track.kind == TrackKind::Audio;
        self.video = Some(film.into());
        self.sound = film
            .tracks
            .iter()
            .find(is_sound)
            .map(|track| SoundSource::new(track.sample_rate, track.channels))
            .filter(|sound| sound.sample_rate > 0 && sound.channels > 0);
        self
    }

    /// Settings for the source, with the first encoder of `registry` for the codec.
    ///
    /// Films of H.264, HEVC and AV1 are MP4 files with AAC; films of VP9 are WebM files with Opus, or MP4
    /// files with AAC where pictures are turned for display, because WebM has no place for that in all
    /// versions of FFmpeg.
    ///
    /// Sides are even, and a pixel shorter than in the source's shape if they must be. PQ and HLG are coded
    /// in ten bits; other sources keep their depth up to ten bits, but with H.264, whose ten bits few players
    /// show. The profile is the one with most tools for such pictures; the level is the lowest that holds the
    /// shortest time between two frames, and left to the encoder for pictures of two fields.
    ///
    /// Encoders have a least size (SVT-AV1: 64 by 64, x265: 16 by 16): the writer of smaller pictures fails
    /// when it starts.
    ///
    /// # Errors
    /// [`WriterError::NoEncoder`] where the registry has none for the codec; [`WriterError::BadSettings`] for
    /// a source that is none: without pixels, without time between its frames, without channels.
    pub fn settings(&self, registry: &Registry) -> Result<OutputSettings, WriterError> {
        let mut losses = Vec::new();
        let video = self.video.as_ref().map(|source| self.settings_of_video(source, registry, &mut losses));
        let video = video.transpose()?;
        let transform = self.video.as_ref().and_then(|source| source.transform);
        let container = match self.codec {
            Codec::Vp9 if transform.is_none() => Container::WebM,
            _ => Container::Mp4,
        };
        let sound = self.sound.map(|source| settings_of_sound(source, container, &mut losses)).transpose()?;
        let frame_rate = self.video.as_ref().and_then(|source| {
            let average = source.average_frame_duration;
            let num = average.timescale();
            i32::try_from(average.value()).ok().map(|den| Rational::new(num, den))
        });
        Ok(OutputSettings { video, sound, container, transform, frame_rate, losses })
    }

    fn settings_of_video(
        &self,
        source: &SourceVideo,
        registry: &Registry,
        losses: &mut Vec<SettingsLoss>,
    ) -> Result<VideoSettings, WriterError> {
        let bad = |what: &str| Err(WriterError::BadSettings(what.to_owned()));
        if source.width < 2 || source.height < 2 || !source.pixel_aspect_ratio.is_positive() {
            return bad("a source has at least two pixels in each direction, and pixels have a shape");
        }
        if !is_duration(source.average_frame_duration) {
            return bad("the average time between two frames has to be a positive number");
        }
        let info = registry.encoders().find(|info| info.codec == self.codec);
        let info = info.ok_or_else(|| WriterError::NoEncoder(format!("none for {}", self.codec)))?;
        let fitted = Fitted::new(source, self.size);
        let (width, height) = (fitted.width, fitted.height);
        let mut settings = VideoSettings::new(self.codec, width, height);
        let depth = depth(self.codec, source, info);
        let fields = source.has_fields() && keeps_fields(source, &fitted, info);
        let chroma = source.format.chroma_subsampling();
        losses.extend(
            [
                (chroma > ChromaSubsampling::Yuv420).then_some(SettingsLoss::Chroma { from: chroma }),
                (source.format.bit_depth() > depth)
                    .then_some(SettingsLoss::Depth { from: source.format.bit_depth(), to: depth }),
                source.format.has_alpha().then_some(SettingsLoss::Alpha),
                (source.has_fields() && !fields).then_some(SettingsLoss::Fields),
            ]
            .into_iter()
            .flatten(),
        );
        let level = self.codec.level(width, height, source.peak_rate()).filter(|level| {
            // Fields have levels of their own.
            !fields && info.controls.levels.contains(level)
        });
        let properties = &mut settings.properties;
        let coded = PixelFormat::planar(ChromaSubsampling::Yuv420, depth);
        let has = |profile: &&ProfileSupport| coded.is_some_and(|coded| profile.has(coded));
        if let Some(profile) = info.controls.profiles.iter().rfind(has) {
            let name = profile_level_name(self.codec, profile, level);
            properties.push(Property::ProfileLevel(name));
        }
        properties.push(Property::OutputBitDepth(depth));
        let rate = rate(source.average_frame_duration);
        properties.push(match self.aim {
            SettingsAim::Quality(quality) => Property::Quality(quality),
            SettingsAim::Floor(floor) => Property::QualityFloor(floor),
            SettingsAim::AverageBitRate => {
                let bits = average_bit_rate(self.codec, width, height, rate);
                Property::AverageBitRate(bits.min(info.controls.most_bit_rate.unwrap_or(u64::MAX)))
            }
        });
        properties.push(Property::MaxKeyFrameIntervalDuration(KEY_FRAME_SECONDS));
        let most = info.controls.most_frame_rate.map_or(1000.0, f64::from);
        if rate <= most {
            properties.push(Property::ExpectedFrameRate(rate));
        }
        properties.extend(colour(source));
        if fitted.pixel_aspect_ratio != Rational::new(1, 1) {
            properties.push(Property::PixelAspectRatio(fitted.pixel_aspect_ratio));
        }
        Ok(settings)
    }
}

/// How a source lies in the box of a preset.
struct Fitted {
    width: u32,
    height: u32,
    pixel_aspect_ratio: Rational,
}

impl Fitted {
    /// The largest picture of even sides and of the source's shape that is no larger than source and box:
    /// neither as it is coded, nor as it is shown. Where pixels are narrower than high, and only the coded
    /// picture is too wide, it is made of wider ones, because rows need not be lost for that.
    fn new(source: &SourceVideo, size: PresetSize) -> Self {
        let (width, height) = (f64::from(source.width), f64::from(source.height));
        let shape = source.pixel_aspect_ratio.to_f64();
        let shown = width * shape;
        let (long, short) = size.sides();
        let (across, down) = if shown >= height { (long, short) } else { (short, long) };
        let factor = (f64::from(across) / shown).min(f64::from(down) / height).min(1.0);
        // a shape that is no shape at all must not make a picture of nothing
        let even = |side: f64, most: u32| ((side + 1e-6).min(f64::from(most)) as u32 / 2 * 2).max(2);
        let narrowed = even(width * factor, across.min(source.width));
        let height = even(height * factor, down.min(source.height));
        let pixel_aspect_ratio = match width * factor > f64::from(across) + 1e-6 {
            true => ratio(source, narrowed, width * factor),
            false => source.pixel_aspect_ratio,
        };
        Self { width: narrowed, height, pixel_aspect_ratio }
    }
}

/// The shape of pixels that are fewer in a row than they would be in the source's own shape.
fn ratio(source: &SourceVideo, width: u32, unbounded: f64) -> Rational {
    let shape = source.pixel_aspect_ratio.to_f64() * unbounded / f64::from(width);
    // in thousandths, which is finer than a pixel of any preset; square ones are called so
    Rational::new(((shape * 1000.0).round() as i32).max(1), 1000).reduced()
}

/// The bits of a sample that an encoder is asked for.
fn depth(codec: Codec, source: &SourceVideo, info: &EncoderInfo) -> u32 {
    let wanted = match codec {
        _ if source.is_high_range() => 10,
        Codec::H264 => 8,
        _ => source.format.bit_depth().clamp(8, 10),
    };
    let coded = |format: &&PixelFormat| format.chroma_subsampling() == ChromaSubsampling::Yuv420;
    let depths = info.formats.iter().filter(coded).map(|format| format.bit_depth());
    depths.filter(|&depth| depth <= wanted).max().unwrap_or(8)
}

/// Whether two fields remain two fields: scaling mixes them, and so does taking chroma from other rows.
fn keeps_fields(source: &SourceVideo, fitted: &Fitted, info: &EncoderInfo) -> bool {
    let (width, height) = (fitted.width, fitted.height);
    let average = source.average_frame_duration;
    let frames = Rational::new(average.timescale(), i32::try_from(average.value()).unwrap_or(i32::MAX));
    (width, height) == (source.width, source.height)
        && source.format.chroma_subsampling() <= ChromaSubsampling::Yuv420
        && info
            .controls
            .fields
            .as_ref()
            .is_some_and(|fields| fields.fits(width, height) && fields.keeps_up(width, height, frames))
}

/// The colour of the source as properties, so that films have it whatever is attached to pictures. What has
/// no name there travels with the pictures.
fn colour(source: &SourceVideo) -> Vec<Property> {
    let Colour { primaries, transfer, matrix, .. } = source.colour;
    // red, green and blue become what the session makes of them
    let matrix = Some(matrix).filter(|_| !source.format.is_rgb());
    let properties = [
        ColorPrimaries::from_code_point(primaries).map(Property::ColorPrimaries),
        TransferFunction::from_code_point(transfer).map(Property::TransferFunction),
        matrix.and_then(YCbCrMatrix::from_code_point).map(Property::YCbCrMatrix),
        source
            .mastering_display
            .filter(|_| source.is_high_range())
            .map(Property::MasteringDisplayColorVolume),
        source.content_light.filter(|_| source.is_high_range()).map(Property::ContentLightLevelInfo),
    ];
    properties.into_iter().flatten().collect()
}

/// The average bit rate of [`SettingsAim::AverageBitRate`].
fn average_bit_rate(codec: Codec, width: u32, height: u32, frames_per_second: f64) -> u64 {
    let rated = if codec == Codec::H264 { RATED_BITS.0 } else { RATED_BITS.1 };
    let pixels = f64::from(width) * f64::from(height) * frames_per_second;
    ((rated * (pixels / RATED_PIXELS).powf(0.75)) as u64).max(1000)
}

fn settings_of_sound(
    source: SoundSource,
    container: Container,
    losses: &mut Vec<SettingsLoss>,
) -> Result<SoundSettings, WriterError> {
    if source.sample_rate == 0 || source.channels == 0 {
        return Err(WriterError::BadSettings("sound has samples, and channels".to_owned()));
    }
    let (codec, rates) = match container {
        Container::WebM => (SoundCodec::Opus, &OPUS_RATES[..]),
        _ => (SoundCodec::Aac, &AAC_RATES[..]),
    };
    let enough = rates.iter().find(|&&rate| rate >= source.sample_rate).or(rates.last());
    let sample_rate = enough.copied().unwrap_or(source.sample_rate);
    // What an encoder takes in the usual order of so many, and up to 5.1 or 7.1, which are the forms that
    // players know. Opus has neither 2.1 nor 4.0, which are the usual three and four.
    let channels = match (codec, source.channels) {
        (SoundCodec::Opus, 3 | 4) => 2,
        (_, few @ (1..=6 | 8)) => few,
        _ => 6,
    };
    if sample_rate < source.sample_rate {
        losses.push(SettingsLoss::SampleRate { from: source.sample_rate, to: sample_rate });
    }
    if channels < source.channels {
        losses.push(SettingsLoss::Channels { from: source.channels, to: channels });
    }
    let mut settings = SoundSettings::new(codec, sample_rate, channels);
    settings.source = Some(source);
    Ok(settings)
}

/// Whether it is a time that frames can be apart.
fn is_duration(time: Time) -> bool {
    time.is_numeric() && time > Time::ZERO
}

fn rate(duration: Time) -> f64 {
    1.0 / duration.seconds()
}
