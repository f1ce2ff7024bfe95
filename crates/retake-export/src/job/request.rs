//! What is to be exported, and how: goals that check themselves, and the request that a builder fills.

use super::additions::{Additions, ChapterChoice};
use super::grain::Grain;
use super::ladder::{AutoLadder, LadderRung};
use super::preset::ExportPreset;
use super::source::SourcePart;
use super::tracks::{TrackRequest, TrackRule, TrackSelector};
use crate::error::{Asked, Count, RequestError};
use crate::objects::{ObjectStore, object_address};
use crate::records::{Records, RecordsPlace};
use crate::sound::request::{AudioChoice, AudioRequest, AudioRule};
use crate::worker::RunOn;
use retake_asset::short_name;
use retake_compression::encoder::EncoderFactory;
use retake_compression::planner::Effort;
use retake_compression::property::{PropertyKey, PropertyValue};
use retake_libav::{FilmRange, PictureFilters};
use retake_quality::{MetricKind, Pooling};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// What is wanted of a film. Made by constructors that check their numbers, so that a target that exists can
/// be asked for.
///
/// ```
/// # use retake_export::{RequestError, Target};
/// # fn main() -> Result<(), RequestError> {
/// let target = Target::floor(93.0)?.tolerance(0.5)?;
/// assert_eq!(target.to_string(), "every unit at 93 or better");
/// assert!(Target::floor(f64::NAN).is_err() && Target::plain().tolerance(1.0).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target(Goal);

/// What a [`Target`] holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// Every unit reaches a score.
    Floor {
        /// On the metric's scale.
        floor: f64,
        /// Units up to this much better are kept; `None` is the metric's own default.
        tolerance: Option<f64>,
    },
    /// An average bit rate of the video, in bits per second.
    BitRate(u64),
    /// The size of the whole file, in bytes; never more.
    Size(u64),
    /// One pass with one quality, on the encoder's scale; its usual one if `None`.
    Plain(Option<f64>),
}

impl Target {
    /// Every unit reaches this score, with as few bits as possible. On the scale of the export's metric; that
    /// it is less than the metric's best is checked when the export starts, because only then the metric is
    /// known.
    ///
    /// # Errors
    /// [`RequestError::FloorOutOfScale`] for what is not a number above 0.
    #[doc(alias = "QualityFloor")]
    pub fn floor(floor: f64) -> Result<Self, RequestError> {
        if floor.is_finite() && floor > 0.0 {
            Ok(Self(Goal::Floor { floor, tolerance: None }))
        } else {
            Err(RequestError::FloorOutOfScale { floor, scale: None })
        }
    }

    /// Units up to this much above the floor are left as they are. Where nobody says: a difference that is
    /// worth talking about, 1 for VMAF.
    ///
    /// # Errors
    /// [`RequestError::ToleranceWithoutFloor`], and [`RequestError::ToleranceOutOfRange`] for what is not a
    /// number above 0.
    #[doc(alias = "QualityTolerance")]
    pub fn tolerance(self, tolerance: f64) -> Result<Self, RequestError> {
        let Goal::Floor { floor, .. } = self.0 else { return Err(RequestError::ToleranceWithoutFloor) };
        if tolerance.is_finite() && tolerance > 0.0 {
            Ok(Self(Goal::Floor { floor, tolerance: Some(tolerance) }))
        } else {
            Err(RequestError::ToleranceOutOfRange { tolerance })
        }
    }

    /// An average bit rate of the video, in bits per second.
    ///
    /// # Errors
    /// [`RequestError::Zero`].
    #[doc(alias = "AverageBitRate")]
    pub fn bit_rate(rate: u64) -> Result<Self, RequestError> {
        if rate == 0 {
            Err(RequestError::Zero { what: Count::BitRate })
        } else {
            Ok(Self(Goal::BitRate(rate)))
        }
    }

    /// The size of the whole file, in bytes; never more. Whether the film fits into it is found out when the
    /// export runs.
    #[doc(alias = "fileLengthLimit")]
    pub fn size(bytes: u64) -> Self {
        Self(Goal::Size(bytes))
    }

    /// One pass with the encoder's usual quality; nothing is measured.
    pub fn plain() -> Self {
        Self(Goal::Plain(None))
    }

    /// One pass with this quality on the encoder's own scale (CRF, CQ); nothing is measured. That it is on
    /// the scale is checked when the export starts, because only then the encoder is known.
    #[doc(alias = "crf")]
    pub fn plain_at(quality: f64) -> Self {
        Self(Goal::Plain(Some(quality)))
    }

    /// A target whose numbers this crate made itself.
    pub(crate) const fn of(goal: Goal) -> Self {
        Self(goal)
    }

    pub(crate) const fn goal(self) -> Goal {
        self.0
    }

    /// Whether takes are scored.
    pub(crate) const fn is_measured(self) -> bool {
        !matches!(self.0, Goal::Plain(_))
    }

    /// Refuses a floor that is not on the metric's scale.
    pub(crate) fn check(self, metric: MetricKind) -> Result<(), RequestError> {
        match self.0 {
            Goal::Floor { floor, .. } if floor >= metric.best() => {
                let scale = format!("{}'s, {}", metric.name(), metric.scale());
                Err(RequestError::FloorOutOfScale { floor, scale: Some((metric.best(), scale)) })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Goal::Floor { floor, .. } => write!(f, "every unit at {floor} or better"),
            Goal::BitRate(rate) => write!(f, "{} kb/s", rate / 1000),
            Goal::Size(size) => write!(f, "at most {size} bytes"),
            Goal::Plain(_) => f.write_str("one plain pass"),
        }
    }
}

/// The size at which pictures of a film that was scaled are compared with those of its source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreAt {
    /// That of the film: with the source as it was scaled for the encoder.
    #[default]
    Output,
    /// That of the source: the film is scaled up again, by bicubic interpolation as players commonly do, and
    /// compared with the source after all filters but the scaling.
    Source,
}

impl ScoreAt {
    /// Both of them, the usual one first.
    pub const ALL: [Self; 2] = [Self::Output, Self::Source];

    /// The name, as flags and files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Source => "source",
        }
    }

    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for ScoreAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ScoreAt {
    type Err = UnknownScoreAt;

    fn from_str(text: &str) -> Result<Self, UnknownScoreAt> {
        let found = Self::ALL.into_iter().find(|size| size.name() == text);
        found.ok_or_else(|| UnknownScoreAt(text.to_owned()))
    }
}

/// A word that names no size at which pictures are scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pictures are not scored at {0:?}: output or source")]
pub struct UnknownScoreAt(String);

/// All that an export is asked for. Filled by [`ExportBuilder`](crate::ExportBuilder).
#[derive(Clone)]
pub(crate) struct Request {
    pub input: PathBuf,
    pub output: PathBuf,
    /// The number of the track of video that is encoded; the main one if `None`.
    pub video: Option<u32>,
    /// The part of the source that the film is made of; all of it if `None`.
    pub range: Option<FilmRange>,
    /// What is done to the pictures of the source before anything else.
    pub filters: PictureFilters,
    pub encoder: Arc<dyn EncoderFactory>,
    /// One of the encoder's presets; its default one if `None`.
    pub preset: Option<String>,
    /// What becomes of the film's grain.
    pub grain: Grain,
    /// Further settings in the encoder's own words.
    pub options: Vec<(String, String)>,
    /// Properties, as sessions have them, in the order in which they were set.
    pub properties: Vec<(PropertyKey, PropertyValue)>,
    /// `None` is what `purpose` asks for.
    pub target: Option<Target>,
    /// What the film is for, where no target says it.
    pub purpose: ExportPreset,
    pub metric: MetricKind,
    /// Whether the metric was asked for, and is not just the usual one.
    pub asks_metric: bool,
    /// How the frames of a unit become one score.
    pub pool: Pooling,
    /// At which size pictures are scored.
    pub score_at: ScoreAt,
    /// A cap on the bit rate in any window of two seconds, in bits per second.
    pub max_bit_rate: Option<u64>,
    /// Whether several passes are allowed.
    pub multi_pass: bool,
    /// Passes allowed then, the first one counted.
    pub passes: Option<u32>,
    /// How much is encoded again for the sake of bytes.
    pub effort: Effort,
    /// Takes at once; as many as cores and memory allow if `None`.
    pub jobs: Option<u32>,
    /// Whether there may be more than one at once, whatever `jobs` says.
    pub parallel: bool,
    /// Threads of each encoder. The bytes of some encoders depend on it, so it does not follow the machine.
    pub threads: Option<u32>,
    /// Memory budget in bytes; half of the machine's memory if `None`.
    pub memory: Option<u64>,
    /// Where the state of the job lives; beside the output if `None`.
    pub work_dir: Option<PathBuf>,
    /// Forget what an earlier run left in the job folder.
    pub restart: bool,
    /// Replace an existing output.
    pub overwrite: bool,
    /// Leave an output alone that the same request has made, whatever the two above say.
    pub skip_done: bool,
    /// A playlist may name other files.
    pub references: bool,
    /// A source that cannot be read whole is fine.
    pub accept_damage: bool,
    /// What becomes of the sound.
    pub audio: AudioRequest,
    /// What becomes of other tracks, and how all are marked.
    pub tracks: TrackRequest,
    /// What goes into the film from elsewhere than the source.
    pub additions: Additions,
    /// The variants of a stream; one as large as the source where there are none.
    pub ladder: Vec<LadderRung>,
    /// Whether variants are chosen by measured quality.
    pub auto_ladder: Option<AutoLadder>,
    /// Where takes run.
    pub run_on: RunOn,
    /// Whether this is a later step of the same asking: that it was given up since counts.
    pub follows_a_step: bool,
    /// The folder that all machines share; the deepest one that holds source and job folder if `None`.
    pub shared_root: Option<PathBuf>,
    /// What opens sources, and makes films, that are objects of a store.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// Where records are kept; nowhere if `None`.
    pub records: Option<RecordsPlace>,
    /// Whether takes are kept beside the records.
    pub keep_takes: bool,
    /// The records of an earlier job over the same source, whose takes are as good as those of this one.
    pub again: Option<Arc<Records>>,
    /// The words of the command line, for records.
    pub command: Vec<String>,
}

impl Request {
    pub(crate) fn new(input: PathBuf, output: PathBuf, encoder: Arc<dyn EncoderFactory>) -> Self {
        Self {
            input,
            output,
            video: None,
            range: None,
            filters: PictureFilters::default(),
            encoder,
            preset: None,
            grain: Grain::default(),
            options: Vec::new(),
            properties: Vec::new(),
            target: None,
            purpose: ExportPreset::default(),
            metric: retake_quality::default_metric(),
            asks_metric: false,
            pool: Pooling::Mean,
            score_at: ScoreAt::Output,
            max_bit_rate: None,
            multi_pass: false,
            passes: None,
            effort: Effort::default(),
            jobs: None,
            parallel: true,
            threads: None,
            memory: None,
            work_dir: None,
            restart: false,
            overwrite: false,
            skip_done: false,
            references: false,
            accept_damage: false,
            audio: AudioRequest::default(),
            tracks: TrackRequest::default(),
            additions: Additions::default(),
            ladder: Vec::new(),
            auto_ladder: None,
            run_on: RunOn::Threads,
            follows_a_step: false,
            shared_root: None,
            objects: None,
            records: None,
            keep_takes: false,
            again: None,
            command: Vec::new(),
        }
    }

    /// What can be refused before any file is looked at.
    pub(crate) fn check(&self) -> Result<(), RequestError> {
        let counts = [
            (Count::Passes, self.passes.map(u64::from)),
            (Count::Jobs, self.jobs.map(u64::from)),
            (Count::Threads, self.threads.map(u64::from)),
            (Count::MaxBitRate, self.max_bit_rate),
        ];
        if let Some((what, _)) = counts.into_iter().find(|(_, count)| *count == Some(0)) {
            return Err(RequestError::Zero { what });
        }
        self.audio.check()?;
        self.additions.check()?;
        if let Some(range) = self.range.filter(FilmRange::is_empty) {
            return Err(RequestError::EmptyRange { range });
        }
        if let (Goal::Plain(_), true, Some(passes @ 2..)) =
            (self.target().goal(), self.multi_pass, self.passes)
        {
            return Err(RequestError::PlainIsOnePass { passes });
        }
        if self.score_at == ScoreAt::Source {
            if self.filters.scale.is_none() && self.ladder.is_empty() {
                return Err(RequestError::ScoresUnscaled);
            }
            if !self.target().is_measured() {
                return Err(RequestError::ScoresOfPlain);
            }
        }
        self.target().check(self.metric)
    }

    pub(crate) fn target(&self) -> Target {
        self.target.unwrap_or_else(|| self.purpose.target(self.metric))
    }

    /// Passes allowed, the first one counted.
    pub(crate) fn passes(&self) -> u32 {
        if self.multi_pass { self.passes.unwrap_or(self.effort.passes()).max(1) } else { 1 }
    }

    pub(crate) fn threads(&self) -> u32 {
        self.threads.unwrap_or(1).max(1)
    }

    /// Leaves out all that goes into the film beside its pictures.
    pub(crate) fn without_other_tracks(&mut self) {
        self.audio = AudioRequest::default();
        self.audio.add(AudioRule::new(TrackSelector::All, AudioChoice::Nothing));
        let nothing = vec![TrackRule::new(TrackSelector::All, false)];
        self.tracks = TrackRequest { tracks: nothing, ..TrackRequest::default() };
        self.additions = Additions { chapters: ChapterChoice::Nothing, ..Additions::default() };
    }

    /// What of the source is read.
    pub(crate) fn part(&self) -> SourcePart {
        SourcePart {
            video: self.video,
            range: self.range,
            filters: self.filters.clone(),
            score_at: self.score_at,
        }
    }

    /// Whether several variants are asked for.
    pub(crate) fn has_ladder(&self) -> bool {
        !self.ladder.is_empty() || self.auto_ladder.is_some()
    }

    /// Where the state of the job lives.
    pub(crate) fn work_dir(&self) -> PathBuf {
        self.work_dir.clone().unwrap_or_else(|| beside(&self.output))
    }

    /// Whether a part of the request was asked for beside the properties.
    pub(crate) fn asks(&self, what: Asked) -> bool {
        match what {
            Asked::Preset => self.preset.is_some(),
            Asked::EncoderOptions => !self.options.is_empty(),
            Asked::Threads => self.threads.is_some(),
            Asked::Target => self.target.is_some(),
            Asked::MaxBitRate => self.max_bit_rate.is_some(),
            Asked::Metric => self.asks_metric,
            Asked::Passes => self.passes.is_some(),
        }
    }
}

/// The job folder of an output in another folder, where outputs of the same name may meet, or under a name
/// that is shorter than the output's.
pub(crate) fn job_folder(folder: &Path, output: &Path) -> PathBuf {
    let whole = match object_address(output) {
        Some(_) => output.to_owned(),
        None => std::path::absolute(output).unwrap_or_else(|_| output.to_owned()),
    };
    let name = short_name(output.file_name());
    folder.join(format!("{name}.{:08x}.retake", xxh3_64(whole.as_os_str().as_encoded_bytes()) as u32))
}

/// The job folder of an output: beside it, so that both are on one disk. Where the output is an object of a
/// store, it is in the working folder.
pub(crate) fn beside(output: &Path) -> PathBuf {
    if object_address(output).is_some() {
        return job_folder(Path::new(""), output);
    }
    let file_name = output.file_name().unwrap_or_default();
    if file_name.len() > short_name(Some(file_name)).len() {
        return job_folder(output.parent().unwrap_or(Path::new("")), output);
    }
    let mut name = output.as_os_str().to_owned();
    name.push(".retake");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::factory;

    /// The job of an object lies in the working folder, under a name that no other object's job has.
    #[test]
    fn the_job_of_an_object_has_a_place_of_its_own() {
        let place = |output: &str| Request::new("film.mkv".into(), output.into(), factory()).work_dir();
        let [one, other] = ["s3://films/a/film.mp4", "s3://films/b/film.mp4"].map(place);
        assert_ne!(one, other);
        assert!(one.components().count() == 1 && one.to_string_lossy().starts_with("film.mp4."), "{one:?}");
        assert_eq!(place("a/film.mp4"), Path::new("a/film.mp4.retake"));
    }
}
