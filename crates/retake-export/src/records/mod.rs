//! What stays of a job when its film is in place: all that was asked for, found and measured, in one file.
//!
//! The file is JSON with a version and a checksum (`docs/records.md` describes it). A report is drawn from
//! it, and another wish is planned from it without encoding. `file` reads and writes it, `place` says where
//! it lies and what it may replace, `keep` makes it of a job; `clock` tells when its frames are shown.

pub(crate) mod again;
pub(crate) mod clock;
mod file;
pub(crate) mod highest_rate;
mod job_folder;
pub(crate) mod keep;
pub(crate) mod place;

use crate::event::Summary;
use crate::job::folder::JobDescription;
use crate::job::identity::RequestIdentity;
use retake_compression::encoder::QualityScale;
use retake_compression::planner::{Objective, Reason, Trial, UnitState};
use retake_compression::take::{TakeDescription, TakeRecord};
use retake_compression::units::FrameRange;
use retake_libav::PictureFilters;
use retake_media::Rational;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

pub use place::RecordsPlace;

/// All that is known of a job: what was asked for, the source, every take of every unit, and the film.
///
/// Fields may be added within one version of the format, and readers ignore those that they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Records {
    /// The version of the program that wrote them.
    pub program: String,
    /// The words of the command line, the program's name first; empty where a library's client asked.
    #[serde(default)]
    pub command: Vec<String>,
    /// What was asked for.
    pub request: RequestIdentity,
    /// Everything that the result depends on: source, encoder, settings, objective.
    pub job: JobDescription,
    /// The encoder.
    pub encoder: RecordedEncoder,
    /// The machine that led the job.
    pub machine: RecordedMachine,
    /// The source.
    pub source: RecordedSource,
    /// The frames and scenes of the source, as far as it was looked through.
    pub index: RecordedIndex,
    /// The objective in the planner's words, once the length of the film was known. Before, that of the job.
    pub objective: Objective,
    /// The descriptions of takes, each with an empty range. A take has one of them, with its unit's range.
    pub descriptions: Vec<TakeDescription>,
    /// The units, in order, with all of their takes.
    pub units: Vec<RecordedUnit>,
    /// The finished film; `None` where the job has not come to its end.
    #[serde(default)]
    pub film: Option<RecordedFilm>,
    /// How the job went; `None` where it has not come to its end.
    #[serde(default)]
    pub summary: Option<Summary>,
    /// The folder in which the takes themselves lie, where it was found with the records.
    #[serde(skip)]
    pub takes: Option<PathBuf>,
}

/// The encoder of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedEncoder {
    /// Its name, such as `x264`.
    pub name: String,
    /// The version of its library.
    pub version: String,
    /// The codec, such as `h264`.
    pub codec: String,
    /// The scale of its quality.
    pub scale: QualityScale,
    /// Whether it keeps to a highest rate by itself; `None` where an earlier version did not note it.
    #[serde(default)]
    pub keeps_rate: Option<bool>,
}

/// The machine that led a job. Its takes may have run elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedMachine {
    /// The operating system and the kind of processor, such as `linux x86_64`.
    pub system: String,
    /// The processors that the program may use.
    pub cores: u64,
    /// The bytes of memory.
    pub memory: u64,
    /// The takes that ran at once.
    pub jobs: u32,
    /// Where takes ran: `threads`, `processes`, `slurm`, `array` or `engine`.
    pub takes_ran: String,
}

/// The source of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedSource {
    /// The name that was given for it, as it can be shown.
    pub name: String,
    /// Its identity, and the range of it that was read, as in `job.json`.
    pub identity: String,
    /// Its bytes; 0 if unknown, as for a pipe.
    pub bytes: u64,
    /// FFmpeg's name of the container.
    pub container: String,
    /// FFmpeg's name of the video's codec.
    pub codec: String,
    /// FFmpeg's name of the pixel format.
    pub pixel_format: String,
    /// The luma samples a row, as decoded.
    pub width: u32,
    /// The luma rows, as decoded.
    pub height: u32,
    /// The frames a second, as the container has it, or as filters make them.
    pub frame_rate: Rational,
    /// What was done to its pictures, with what was found out for that. Left out where it was nothing.
    #[serde(default, skip_serializing_if = "PictureFilters::is_empty")]
    pub filters: PictureFilters,
    /// All other tracks, in the order of the file.
    pub tracks: Vec<RecordedTrack>,
    /// The chapters.
    pub chapters: Vec<RecordedChapter>,
    /// The tags by name and value.
    pub tags: Vec<(String, String)>,
    /// Plain sentences about what of the source could not be kept, or was found on the way.
    pub notes: Vec<String>,
}

/// A track of the source that is not the video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedTrack {
    /// Its number in the file.
    pub index: u32,
    /// Its kind in a word.
    pub kind: String,
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// Its language.
    pub language: Option<String>,
    /// Its title.
    pub title: Option<String>,
}

/// A chapter of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedChapter {
    /// When it begins, in seconds on the clock of the container.
    pub start: f64,
    /// How many seconds it lasts; `None` if nobody knows.
    pub seconds: Option<f64>,
    /// Its title.
    pub title: String,
}

/// The frames and scenes of a source, as far as it was looked through.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedIndex {
    /// Whether the end of the source was reached.
    pub complete: bool,
    /// The frames.
    pub frames: u64,
    /// The seconds from the first frame to the end of the last one.
    pub seconds: f64,
    /// When the first frame is shown, in ticks of `time_base`.
    pub first: i64,
    /// The seconds of a tick.
    pub time_base: Option<Rational>,
    /// How many frames in a row last how many ticks, from the first frame to the last.
    pub steps: Vec<(u64, i64)>,
    /// The sync frames of the source.
    pub syncs: Vec<u64>,
    /// The first frame of each scene.
    pub scenes: Vec<u64>,
}

/// A unit and its takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedUnit {
    /// Its frames.
    pub range: FrameRange,
    /// Its takes in the order in which they were made; at least one.
    pub takes: Vec<RecordedTake>,
    /// Which of them is in the film; `None` where the job has not come to its end.
    #[serde(default)]
    pub chosen: Option<usize>,
}

impl RecordedUnit {
    /// The take that is in the film, or the newest one as long as none is.
    pub(crate) fn shipped(&self) -> Option<&RecordedTake> {
        self.chosen.map_or(self.takes.last(), |chosen| self.takes.get(chosen))
    }
}

/// A take of a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedTake {
    /// The identity of its description, which is in the name of its file.
    pub id: String,
    /// Which of [`Records::descriptions`] is its own.
    pub description: usize,
    /// The pass that made it, from 1; 0 where that is not known.
    pub pass: u32,
    /// Why it was made; `None` for the first take of a unit.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// How it came out, without the hashes of its pictures.
    pub record: TakeRecord,
}

/// A finished film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedFilm {
    /// Its identity, formed as that of a source; of a stream that of its playlist.
    pub identity: String,
    /// Its bytes.
    pub bytes: u64,
}

impl Records {
    /// What the planner knows of the units.
    pub(crate) fn states(&self) -> Vec<UnitState> {
        let trial = |take: &RecordedTake| Trial {
            quality: take.record.quality.unwrap_or(0.0),
            bytes: take.record.bytes,
            score: take.record.score,
        };
        let state = |unit: &RecordedUnit| UnitState {
            range: unit.range,
            trials: unit.takes.iter().map(trial).collect(),
        };
        self.units.iter().map(state).collect()
    }
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// There are none.
    #[error("{path}: there are no records of it{}", looked_at(.looked))]
    Missing {
        /// What was named.
        path: PathBuf,
        /// Where they were looked for.
        looked: Vec<PathBuf>,
    },
    /// The file is none of records.
    #[error("{path}: holds no records of an export")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error("{path}: the records are damaged ({what})")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A later program wrote the file.
    #[error("{path}: the records have version {found}, and this program reads up to {known}", known = file::VERSION)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Their version.
        found: u64,
    },
    /// The film is another one than the records tell of.
    #[error("{records}: the records are those of another film than {film} is now")]
    OtherFilm {
        /// The file of the records.
        records: PathBuf,
        /// The film.
        film: PathBuf,
    },
    /// The job has not come far enough.
    #[error("{path}: the job has no finished takes yet")]
    NothingYet {
        /// What was named.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{path}: reading the records: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn looked_at(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if shown.is_empty() { String::new() } else { format!(" ({} is not there)", shown.join(", ")) }
}
