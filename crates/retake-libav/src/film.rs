//! The description of a film: its video, its other tracks, and the facts about the file.

use crate::access::{Access, FileState};
use crate::beside::{Beside, BesideFile};
use crate::error::MediaError;
use crate::filters::Filtered;
use crate::finding::Finding;
use crate::input::Input;
use crate::marks::TrackMarks;
use crate::timeline::Break;
use crate::window::Window;
use retake_media::{
    Attachment, Attachments, ChromaSubsampling, Colour, ContentLight, Fields, MasteringDisplay, PixelBuffer,
    PixelFormat, Rational, Time, TimeRange,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Describes a film; [`probe`](crate::probe()) returns it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilmInfo {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// FFmpeg's name of the container, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    pub container: String,
    /// The duration in seconds, of the range that the film was cut to, if any; `None` if the container does
    /// not state it.
    pub duration: Option<f64>,
    /// The earliest time stamp of all video and audio tracks, exact, or the time of the first frame where the
    /// film was cut to a range. It is taken off all times when the film is written anew.
    pub start: Time,
    /// The video that is encoded.
    pub video: VideoTrack,
    /// All other tracks, in the order of the file.
    pub tracks: Vec<TrackInfo>,
    /// The number of chapters.
    pub chapters: usize,
    /// The tags of the film, by name and value, that are true of a new film, too.
    pub tags: Vec<(String, String)>,
    /// The size in bytes; 0 if unknown, as for a pipe.
    pub file_size: u64,
    /// Whether the file can be read from any place, and more than once.
    pub seekable: bool,
    /// Whether the container lists samples beyond the end of the file.
    pub truncated: bool,
    /// The tracks of other programmes than that of the video, which are no part of the film.
    pub(crate) other_programmes: usize,
    /// Whether tracks were found that begin late, so that readers of all tracks have to look as far.
    pub(crate) looked_further: bool,
    /// What may be opened for the film whenever it is opened again.
    pub(crate) access: Access,
    /// The state of the file when it was looked at.
    pub(crate) state: Option<FileState>,
    /// The shortest step between the times of two frames, as the container states them; `None` before
    /// [`survey`](crate::survey()), and where no two frames have different times.
    pub closest_frames: Option<Time>,
    /// The tracks in which samples are more than 200 seconds apart, by their numbers in the file, and the
    /// longest such gap of each, as the decoding times of samples state it; empty before
    /// [`survey`](crate::survey()).
    pub longest_gaps: Vec<(u32, Time)>,
    /// What [`survey`](crate::survey()) found; empty before.
    pub findings: Vec<Finding>,
    /// Whether the whole film was looked at.
    pub(crate) surveyed: bool,
    /// The places where the clock of all tracks jumps.
    pub(crate) breaks: Arc<Vec<Break>>,
    /// The pictures whose times cannot be.
    pub(crate) wrong: Arc<WrongTimes>,
    /// The times of all sync samples of what is read of the film, in ticks of the video, in order; none where
    /// the times of samples do not tell frames apart.
    pub(crate) syncs: Arc<Vec<i64>>,
    /// The part of the film that is read; `None` is all of it.
    pub(crate) window: Option<Arc<Window>>,
    /// What goes into a new film from other files.
    pub(crate) beside: Arc<Beside>,
    /// What is done to its pictures; `None` is nothing.
    pub(crate) filtered: Option<Arc<Filtered>>,
    /// The open input of a source that can be read only once, for the first reader.
    pub(crate) opened: UnreadInput,
}

/// The times of pictures that cannot be, by what the whole film says; in ticks of the video.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrongTimes {
    /// The last time at which a picture can be shown by its own stamp. A later one is damaged.
    pub(crate) latest: Option<i64>,
    /// When single pictures are decoded and shown whose place others have taken, in order.
    pub(crate) overtaken: Vec<(i64, i64)>,
}

/// What is known of a film once all of it was looked at: all that another process needs besides the film to
/// read the same frames from it, without looking through it once more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FilmFacts {
    start: Time,
    duration: Option<f64>,
    video: VideoTrack,
    closest_frames: Option<Time>,
    findings: Vec<Finding>,
    breaks: Vec<Break>,
    wrong: WrongTimes,
    window: Option<Window>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filtered: Option<Filtered>,
}

impl FilmFacts {
    /// Returns the number of the track of video whose pictures are read.
    pub fn video_number(&self) -> u32 {
        self.video.index
    }
}

impl FilmInfo {
    /// Returns what tells the bytes of an object of a store from others: another text where they are others.
    /// `None` for a file.
    pub fn object_identity(&self) -> Option<String> {
        match &self.state {
            Some(FileState::Object { length, identity }) => Some(format!("{length} {identity}")),
            _ => None,
        }
    }

    /// Returns what [`survey`](crate::survey()) found, to be handed to another process.
    pub fn facts(&self) -> FilmFacts {
        FilmFacts {
            start: self.start,
            duration: self.duration,
            video: self.video.clone(),
            closest_frames: self.closest_frames,
            findings: self.findings.clone(),
            breaks: (*self.breaks).clone(),
            wrong: (*self.wrong).clone(),
            window: self.window.as_deref().cloned(),
            filtered: self.filtered.as_deref().cloned(),
        }
    }

    /// Takes over what a survey of this film found elsewhere. The film counts as surveyed then.
    ///
    /// # Errors
    /// Returns [`MediaError::SourceChanged`] where the facts are those of another film.
    pub fn with_facts(mut self, facts: FilmFacts) -> Result<Self, MediaError> {
        let key = |video: &VideoTrack| (video.index, video.codec.clone(), video.time_base);
        let read = facts.filtered.as_ref().map_or(&facts.video, Filtered::source);
        if key(&self.video) != key(read) {
            return Err(MediaError::SourceChanged { file: self.path, frame: 0 });
        }
        let FilmFacts { start, duration, video, closest_frames, findings, breaks, wrong, window, filtered } =
            facts;
        (self.start, self.duration, self.video) = (start, duration, video);
        (self.closest_frames, self.findings) = (closest_frames, findings);
        (self.breaks, self.window) = (Arc::new(breaks), window.map(Arc::new));
        self.wrong = Arc::new(wrong);
        self.filtered = filtered.map(Arc::new);
        self.surveyed = true;
        Ok(self)
    }
}

/// The track that is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VideoTrack {
    /// The track's number in the file, from 0.
    pub index: u32,
    /// Whether somebody chose it by its number ([`probe_video`](crate::probe_video())).
    #[serde(default)]
    pub chosen: bool,
    /// FFmpeg's name of the coding format, such as `h264`.
    pub codec: String,
    /// The luma samples a row, as decoded.
    pub width: u32,
    /// The luma rows, as decoded.
    pub height: u32,
    /// The seconds a tick, which is the unit of all time stamps of frames.
    pub time_base: Rational,
    /// The best guess at the average frame rate; always positive.
    pub frame_rate: Rational,
    /// The width of a pixel divided by its height; 1/1 if the source does not state it.
    pub pixel_aspect_ratio: Rational,
    /// Whether the aspect ratio is the container's word, so that those of single pictures do not count.
    pub(crate) states_aspect: bool,
    /// Whether pictures state their fields, so that those that state none are whole.
    pub(crate) pictures_state_fields: bool,
    /// Whether pictures state their range, so that those that state none are limited, as is usual.
    pub(crate) pictures_state_range: bool,
    /// Whether pictures state their transfer function, and not the container alone.
    pub(crate) pictures_state_colour: bool,
    /// The colour tags of the pictures that readers give out.
    pub colour: Colour,
    /// The HDR10 mastering display, from the container or the first frame.
    pub mastering_display: Option<MasteringDisplay>,
    /// The HDR10 content light level, from the container or the first frame.
    pub content_light: Option<ContentLight>,
    /// The angle in degrees, 0 to 359, by which the picture must be turned clockwise to be seen upright.
    pub rotation: i32,
    /// The display matrix behind [`VideoTrack::rotation`], which may mirror, too: nine numbers as in ISO base
    /// media files.
    pub display_matrix: Option<[i32; 9]>,
    /// FFmpeg's name of the pixel format that the decoder gives out.
    pub pixel_format: String,
    /// The nearest planar format, with as much chroma: of 8 bits, or 10 for more. RGB becomes 4:4:4.
    pub format: PixelFormat,
    /// The layout that the decoder gives out.
    pub(crate) pixels: SourcePixels,
    /// The arrangement of two fields in pictures; `None` for whole frames.
    pub fields: Option<Fields>,
    /// The profile of the Dolby Vision metadata that frames bring, or that the container announces; 0 if its
    /// number is not known. Readers attach those of profile 8 to their frames.
    pub dolby_vision: Option<u8>,
    /// The number of frames as the container states it, or else as length and rate suggest.
    pub frames_hint: Option<u64>,
}

/// The layout of decoded pictures, as far as their conversion changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourcePixels {
    pub(crate) rgb: bool,
    pub(crate) gray: bool,
    pub(crate) alpha: bool,
    pub(crate) depth: i32,
    /// The binary logarithms of how many pixels share chroma, across and down.
    pub(crate) shared: (i32, i32),
}

impl SourcePixels {
    /// Returns the nearest planar format with as much chroma, for pictures that nobody wants to lose any of.
    pub(crate) fn nearest(self) -> PixelFormat {
        let chroma = match self.shared {
            _ if self.gray => ChromaSubsampling::Monochrome,
            _ if self.rgb => ChromaSubsampling::Yuv444,
            (0, _) => ChromaSubsampling::Yuv444,
            (_, 0) => ChromaSubsampling::Yuv422,
            _ => ChromaSubsampling::Yuv420,
        };
        let depth = if self.depth > 8 { 10 } else { 8 };
        PixelFormat::planar(chroma, depth).unwrap_or(PixelFormat::I420)
    }
}

impl FilmInfo {
    /// Returns the part of the film that is read, on the clock of the whole film, whose start is zero; `None`
    /// if that is all of it ([`survey_range`](crate::survey_range())). It begins with the time of a frame,
    /// and two parts are the same if and only if these times are equal.
    pub fn time_range(&self) -> Option<TimeRange> {
        let window = self.window.as_ref()?;
        let video = self.unfiltered();
        let start = video.time(window.start) - window.film_start;
        Some(match window.end {
            Some(end) => TimeRange::between(start, video.time(end) - window.film_start),
            None => TimeRange::new(start, Time::POSITIVE_INFINITY),
        })
    }

    /// Returns the part of the film in which findings count, in seconds from its start.
    pub(crate) fn extent(&self) -> Option<(f64, f64)> {
        let window = self.window.as_ref()?;
        let video = self.unfiltered();
        let end = window.end.map_or(f64::INFINITY, |end| (video.time(end) - self.start).seconds());
        Some((0.0, end))
    }
}

impl VideoTrack {
    /// Returns the loss or change on the way to pictures of a format, in plain words: `4:4:4 is reduced to
    /// 4:2:0`. `None` where they keep everything.
    pub fn conversion(&self, to: PixelFormat) -> Option<String> {
        let SourcePixels { rgb, gray, alpha, depth, shared } = self.pixels;
        let chroma = to.chroma_subsampling();
        let mut words = Vec::new();
        if rgb && chroma == ChromaSubsampling::Monochrome {
            words.push("red, green and blue become luma".to_owned());
        } else if rgb {
            let matrix = if self.colour.matrix == 1 { "BT.709" } else { "BT.601" };
            words.push(format!("red, green and blue become {chroma} YCbCr ({matrix})"));
        } else if gray {
            let coloured = chroma != ChromaSubsampling::Monochrome;
            words.extend(coloured.then(|| format!("grey gets neutral {chroma} colour")));
        } else if chroma == ChromaSubsampling::Monochrome {
            words.push("colour is left out".to_owned());
        } else {
            let (own, name) = match shared {
                (1, 1) => (Some(ChromaSubsampling::Yuv420), "4:2:0"),
                (1, 0) => (Some(ChromaSubsampling::Yuv422), "4:2:2"),
                (0, 0) => (Some(ChromaSubsampling::Yuv444), "4:4:4"),
                (0, 1) => (None, "4:4:0"),
                (2, 0) => (None, "4:1:1"),
                _ => (None, "its colour sampling"),
            };
            let less =
                own.is_some_and(|own| own > chroma) || shared == (0, 1) && chroma < ChromaSubsampling::Yuv444;
            let how = if less { "reduced" } else { "resampled" };
            words.extend((own != Some(chroma)).then(|| format!("{name} is {how} to {chroma}")));
        }
        match depth {
            9 => words.push("9 bit is stored as 10 bit".to_owned()),
            depth if depth > 10 => words.push(format!("{depth} bit is reduced to 10 bit")),
            _ => {}
        }
        if alpha {
            words.push("transparency is dropped".to_owned());
        }
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Returns whether pictures in a format have the rows of two fields apart as the source has, because the
    /// same rows share chroma.
    pub fn keeps_fields_apart(&self, to: PixelFormat) -> bool {
        let (source, coded) = (self.pixels, to.chroma_block());
        source.gray
            || coded.is_none_or(|(_, down)| if source.rgb { down == 1 } else { down == 1 << source.shared.1 })
    }

    /// Returns the instant of a number of ticks.
    pub fn time(&self, ticks: i64) -> Time {
        ticks_to_time(ticks, self.time_base)
    }

    /// Attaches to a picture what the film says of all of them, so that whoever encodes it need not be told:
    /// colours, the shape of pixels, fields, HDR10 metadata, and how it is turned for display. What the
    /// picture brings itself stays, and has precedence.
    pub fn attach_to(&self, picture: PixelBuffer) -> PixelBuffer {
        let square = Rational::new(1, 1);
        let said = [
            (self.colour != Colour::default()).then_some(Attachment::Colour(self.colour)),
            (self.pixel_aspect_ratio != square)
                .then_some(Attachment::PixelAspectRatio(self.pixel_aspect_ratio)),
            self.fields.map(Attachment::Fields),
            self.mastering_display.map(Attachment::MasteringDisplay),
            self.content_light.map(Attachment::ContentLight),
            self.display_matrix.map(Attachment::DisplayMatrix),
        ];
        let mut all = said.into_iter().flatten().fold(Attachments::default(), Attachments::with);
        picture.attachments().propagate_to(&mut all);
        picture.with_attachments(all)
    }
}

/// Returns ticks of a time base as an instant, which is invalid if the time base is not positive or the
/// product does not fit.
pub fn ticks_to_time(ticks: i64, time_base: Rational) -> Time {
    match ticks.checked_mul(i64::from(time_base.num)) {
        Some(value) => Time::new(value, time_base.den),
        None => Time::INVALID,
    }
}

/// Returns an instant in ticks of a time base, rounded to nearest; `None` if it is no number or the time base
/// not positive.
pub fn time_to_ticks(time: Time, time_base: Rational) -> Option<i64> {
    if !time.is_numeric() || !time_base.is_positive() {
        return None;
    }
    let numerator = i128::from(time.value()) * i128::from(time_base.den);
    let denominator = i128::from(time.timescale()) * i128::from(time_base.num);
    let half = denominator / 2;
    let away_from_zero = if numerator >= 0 { numerator + half } else { numerator - half };
    i64::try_from(away_from_zero / denominator).ok()
}

/// The kind of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Further video.
    Video,
    /// A picture that stands for the film.
    Cover,
    /// Sound.
    Audio,
    /// Subtitles, as text or pictures.
    Subtitle,
    /// A file inside the film, such as a font.
    Attachment,
    /// Any other track: time codes, telemetry.
    Data,
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "video",
            Self::Cover => "cover picture",
            Self::Audio => "audio",
            Self::Subtitle => "subtitle",
            Self::Attachment => "attachment",
            Self::Data => "data",
        })
    }
}

/// A track that is copied, not encoded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrackInfo {
    /// The track's number in the file, from 0.
    pub index: u32,
    /// The kind of the track.
    pub kind: TrackKind,
    /// FFmpeg's name of the coding format, such as `aac`; `tmcd` and `mebx` for timecodes and timed metadata.
    pub codec: String,
    /// The language, as the container writes it.
    pub language: Option<String>,
    /// The title, or the name of an attached file.
    pub title: Option<String>,
    /// The marks by which players choose among tracks. A film that is written anew gets these.
    pub marks: TrackMarks,
    /// The seconds a tick of its time stamps.
    pub time_base: Rational,
    /// The audio samples a second, or 0.
    pub sample_rate: u32,
    /// The number of audio channels, or 0.
    pub channels: u32,
    /// Whether it is a subtitle track that is made of text.
    pub text: bool,
    /// The bytes and the number of its samples, of the range that the film was cut to, if any; `None` before
    /// the film was looked through, and for tracks that are neither sound nor subtitles.
    pub samples: Option<TrackSamples>,
    /// The file that the track is in, where that is another one than the film's.
    pub(crate) beside: Option<BesideFile>,
    /// FFmpeg's number of the coding format.
    pub(crate) codec_id: i32,
    /// Whether the track only carries the names of chapters, which are copied as chapters.
    pub(crate) chapter_names: bool,
}

impl TrackInfo {
    /// Returns whether the track is in another file than the film ([`FilmInfo::add_subtitles`],
    /// [`FilmInfo::add_sound`], [`FilmInfo::set_cover`]).
    pub fn is_beside(&self) -> bool {
        self.beside.is_some()
    }
}

/// How much a track holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TrackSamples {
    /// The bytes of all samples.
    pub bytes: u64,
    /// The number of samples.
    pub count: u64,
}

impl fmt::Display for TrackInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.beside {
            return write!(f, "{} file {}", self.kind, file.name);
        }
        let name = self.title.as_ref().filter(|_| self.kind == TrackKind::Attachment).unwrap_or(&self.codec);
        write!(f, "{} track {} ({name})", self.kind, self.index)
    }
}

/// An open input that waits for its reader.
#[derive(Clone, Default)]
pub(crate) struct UnreadInput(Arc<Mutex<Option<Input>>>);

impl UnreadInput {
    pub(crate) fn put(input: Input) -> Self {
        Self(Arc::new(Mutex::new(Some(input))))
    }

    pub(crate) fn take(&self) -> Option<Input> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for UnreadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnreadInput")
    }
}
