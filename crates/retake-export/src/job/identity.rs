//! By what a request and a source are known again.

use super::additions::ChapterChoice;
use super::grain::Grain;
use super::ladder;
use super::request::{Goal, Request, ScoreAt};
use crate::error::ExportError;
use crate::objects::object_address;
use crate::records::Records;
use crate::stop::StopFlag;
use retake_compression::planner::Effort;
use retake_compression::property::PropertyValue;
use retake_libav::{Burn, FilmInfo, FilmPosition, PictureFilters};
use retake_media::Time;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// All of a request that its result depends on: two runs with equal identities make the same film. Stored in
/// the job folder, as `docs/job-folder.md` describes, and in records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestIdentity {
    /// The version of this form. It is raised whenever a field gets another meaning, so that an old text is
    /// never taken for a new one.
    pub version: u32,
    /// The input as it can be shown, because a text cannot hold every path.
    pub input: String,
    /// The name of the encoder.
    pub encoder: String,
    /// The encoder's preset; its default one if `None`.
    pub preset: Option<String>,
    /// Further settings in the encoder's own words.
    pub options: Vec<(String, String)>,
    /// What becomes of the film's grain, in the words of `--grain`. Left out where it is coded like all else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grain: Option<String>,
    /// Properties by name and value, in the order in which they were set.
    pub properties: Vec<(String, PropertyValue)>,
    /// What is wanted.
    pub goal: AskedGoal,
    /// What quality is measured with.
    pub metric: String,
    /// How the frames of a unit become one score.
    pub pool: String,
    /// At which size pictures are scored. Left out where it is that of the film, as in texts of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "ScoreAt::is_usual")]
    pub score_at: ScoreAt,
    /// The bits that no second has in the mean of any two.
    pub max_bit_rate: Option<u64>,
    /// The passes that are allowed.
    pub passes: u32,
    /// The threads of each encoder.
    pub threads: u32,
    /// How much may be encoded again for the sake of bytes. Left out where it is the usual one, as in texts
    /// of earlier versions.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub effort: Effort,
    /// Whether a source that cannot be read whole is fine. Left out where it is not, as in texts of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_damage: bool,
    /// The part of the source. Left out where all of it is asked for, as in texts of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<AskedRange>,
    /// What becomes of the sound. Left out where all of it is copied, as in texts of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AskedAudio>,
    /// Which subtitles are copied, in the words of `--subtitles`. Left out where nothing was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtitles: Vec<String>,
    /// Which tracks of all kinds are copied, in the words of `--tracks`. Left out where nothing was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<String>,
    /// Which tracks are played or shown where nobody chooses, in the words of `--default`. Left out where
    /// nothing was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default: Vec<String>,
    /// Which tracks are shown to all, in the words of `--forced`. Left out where nothing was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<String>,
    /// Files of sound that go into the film. Left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_audio: Vec<AskedFile>,
    /// Files of subtitles that go into the film. Left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_subtitles: Vec<AskedFile>,
    /// The file of chapters, or `none`. Left out where the chapters are those of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chapters: Option<AskedFile>,
    /// The file of the cover. Left out where covers are those of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<AskedFile>,
    /// The file of subtitles that are drawn into the pictures. Left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burned: Option<AskedFile>,
    /// The number of the track of video. Left out where the main one is encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<u32>,
    /// Tags of the film by name and value, which is empty where one is taken away. Left out where nothing was
    /// said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// What is done to the pictures of the source. Left out where it is nothing, as in texts of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "PictureFilters::is_empty")]
    pub filters: PictureFilters,
    /// The variants of a stream, in the words of `--ladder`, the largest first; `auto` and the most of them
    /// where they are chosen by measured quality. Left out where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ladder: Vec<String>,
    /// The identity of the records of an earlier job that this one began with. Left out where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
}

/// What becomes of the sound, in its stored form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedAudio {
    /// The rules in the words of `--audio`, with bit rates in bits a second: that for all tracks first.
    pub rules: Vec<String>,
    /// The loudness that encoded sound gets, in LUFS.
    pub loudness: Option<f64>,
}

/// A file beside the source, in its stored form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedFile {
    /// The file in the words of its flag.
    pub file: String,
    /// The identity of what is in it; `None` where there is no file.
    pub content: Option<String>,
}

impl AskedFile {
    fn of(words: impl ToString, path: &Path) -> Self {
        Self { file: words.to_string(), content: file_identity(path).ok() }
    }
}

/// A part of the source in its stored form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedRange {
    /// Where it begins.
    pub from: AskedPlace,
    /// Where it ends; `None` is the end of the source.
    pub to: Option<AskedPlace>,
}

/// A place in the source in its stored form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedPlace {
    /// A time on the clock of the source, whose start is zero.
    Time {
        /// The ticks.
        value: i64,
        /// The ticks of a second.
        timescale: i32,
    },
    /// The number of a frame.
    Frame(u64),
}

impl From<FilmPosition> for AskedPlace {
    fn from(position: FilmPosition) -> Self {
        match position {
            FilmPosition::Time(time) => Self::Time { value: time.value(), timescale: time.timescale() },
            FilmPosition::Frame(frame) => Self::Frame(frame),
        }
    }
}

impl From<&AskedPlace> for FilmPosition {
    fn from(place: &AskedPlace) -> Self {
        match *place {
            AskedPlace::Time { value, timescale } => Self::Time(Time::new(value, timescale)),
            AskedPlace::Frame(frame) => Self::Frame(frame),
        }
    }
}

/// What was wanted, in its stored form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedGoal {
    /// Every unit reaches a score.
    Floor {
        /// The score.
        floor: f64,
        /// Units up to this much better are kept; `None` is the metric's own default.
        tolerance: Option<f64>,
    },
    /// An average bit rate of the video, in bits per second.
    BitRate(u64),
    /// The most bytes of the whole file.
    Size(u64),
    /// One pass with one quality; the encoder's usual one if `None`.
    Plain(Option<f64>),
}

impl RequestIdentity {
    pub(crate) const VERSION: u32 = 1;

    pub(crate) fn of(request: &Request) -> Self {
        let added = &request.additions;
        Self {
            version: Self::VERSION,
            input: request.input.to_string_lossy().into_owned(),
            encoder: request.encoder.info().name.to_owned(),
            preset: request.preset.clone(),
            options: request.options.clone(),
            grain: Some(request.grain.to_string()).filter(|_| request.grain != Grain::Off),
            properties: request
                .properties
                .iter()
                .map(|(key, value)| (key.name().to_owned(), value.clone()))
                .collect(),
            goal: match request.target().goal() {
                Goal::Floor { floor, tolerance } => AskedGoal::Floor { floor, tolerance },
                Goal::BitRate(rate) => AskedGoal::BitRate(rate),
                Goal::Size(size) => AskedGoal::Size(size),
                Goal::Plain(quality) => AskedGoal::Plain(quality),
            },
            metric: request.metric.name().to_owned(),
            pool: request.pool.name().to_owned(),
            score_at: request.score_at,
            max_bit_rate: request.max_bit_rate,
            passes: request.passes(),
            threads: request.threads(),
            effort: request.effort,
            accept_damage: request.accept_damage,
            range: request
                .range
                .map(|range| AskedRange { from: range.from.into(), to: range.to.map(AskedPlace::from) }),
            audio: Some(AskedAudio { rules: request.audio.words(), loudness: request.audio.loudness })
                .filter(|_| !request.audio.copies_all() || !request.tracks.tracks.is_empty())
                .filter(|audio| !audio.rules.is_empty()),
            subtitles: words(&request.tracks.subtitles),
            tracks: words(&request.tracks.tracks),
            default: words(&request.tracks.default),
            forced: words(&request.tracks.forced),
            added_audio: added.audio.iter().map(|file| AskedFile::of(file, &file.path)).collect(),
            added_subtitles: added.subtitles.iter().map(|file| AskedFile::of(file, &file.path)).collect(),
            chapters: match &added.chapters {
                ChapterChoice::Source => None,
                ChapterChoice::Nothing => Some(AskedFile { file: "none".into(), content: None }),
                ChapterChoice::File(path) => Some(AskedFile::of(path.display(), path)),
            },
            cover: added.cover.as_ref().map(|path| AskedFile::of(path.display(), path)),
            burned: match &request.filters.burn {
                Some(Burn::File(path)) => Some(AskedFile::of(path.display(), path)),
                _ => None,
            },
            video: request.video,
            tags: added.tags.clone(),
            filters: request.filters.clone(),
            ladder: ladder::words(request),
            again: request.again.as_deref().map(Records::identity),
        }
    }
}

fn is_usual(effort: &Effort) -> bool {
    *effort == Effort::default()
}

/// Returns rules in the words of their flags.
fn words(rules: &[impl ToString]) -> Vec<String> {
    rules.iter().map(ToString::to_string).collect()
}

/// The identity of a source: that of its file, and the times between which it is read where that is not all
/// of it, because frames are numbered from the first of these. The range that was asked for may be another
/// one that has the same frames. Filters belong to it, because frames are what comes out of them.
pub(crate) fn source_identity(film: &FilmInfo) -> Result<String, ExportError> {
    let file = match film.object_identity() {
        Some(identity) => object_identity(&identity),
        None => file_identity(&film.path)?,
    };
    let fraction = |time: Time| format!("{}/{}", time.value(), time.timescale());
    let part = film.time_range().map_or(String::new(), |range| {
        let end = Some(range.end()).filter(|end| end.is_numeric()).map_or(String::new(), fraction);
        format!(" from {} to {end}", fraction(range.start))
    });
    let video = if film.unfiltered().chosen { format!(" video {}", film.video.index) } else { String::new() };
    let filters = film.filters().map_or(String::new(), |filters| format!(" filtered: {filters}"));
    // what is drawn is not all in the file
    let texts = film
        .burned_texts()
        .map_or(String::new(), |texts| format!(" texts: {:032x}", xxh3_128(texts.as_bytes())));
    // frames are known again by both of their pictures
    let unscaled =
        film.unscaled_size().map_or(String::new(), |(width, height)| format!(" scored at {width}x{height}"));
    Ok(format!("{file}{video}{part}{filters}{texts}{unscaled}"))
}

/// The identity of an object of a store, from what the store says of it: nothing of it has to be read.
pub(crate) fn object_identity(said: &str) -> String {
    format!("{:032x}", xxh3_128(format!("object {said}").as_bytes()))
}

/// The identity of what is at an input now, as [`source_identity`] has it where all of it is read; `None`
/// where nothing is, or what a pipe gave once.
pub(crate) fn input_identity(request: &Request, stop: &StopFlag) -> Option<String> {
    let Some(address) = object_address(&request.input) else {
        return request.input.metadata().ok()?.is_file().then(|| file_identity(&request.input).ok())?;
    };
    let found = request.objects.as_ref()?.look(address, &|| stop.is_raised()).ok()??;
    Some(object_identity(&format!("{} {}", found.length, found.identity)))
}

/// The part of a source's identity that is about its file alone.
pub(crate) fn file_of(source: &str) -> &str {
    source.split_once(' ').map_or(source, |(file, _)| file)
}

/// The identity of a file: its size, and the hash of its beginning, middle and end. Enough to notice another
/// file; the frame index notices another film.
pub(crate) fn file_identity(path: &Path) -> Result<String, ExportError> {
    const PIECE: u64 = 1 << 20;
    let fail = |doing| ExportError::file(path, doing);
    let mut file = File::open(path).map_err(fail("opening"))?;
    let size = file.metadata().map_err(fail("reading"))?.len();
    let mut hash = Xxh3::new();
    hash.update(&size.to_le_bytes());
    for start in [0, size / 2, size.saturating_sub(PIECE)] {
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(start)).map_err(fail("reading"))?;
        Read::by_ref(&mut file).take(PIECE).read_to_end(&mut piece).map_err(fail("reading"))?;
        hash.update(&piece);
    }
    Ok(format!("{:032x}", hash.digest128()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn another_film_is_not_taken_for_the_finished_one() {
        let place = tempfile::tempdir().unwrap();
        let film = place.path().join("film.mp4");
        fs::write(&film, b"the film").unwrap();
        let before = file_identity(&film).unwrap();
        fs::write(&film, b"the filn").unwrap();
        assert_ne!(file_identity(&film).unwrap(), before);
    }
}
