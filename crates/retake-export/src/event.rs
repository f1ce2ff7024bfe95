//! What an export tells while it works, and at its end. Plain data, which a program prints and the job folder
//! keeps.

use crate::ladder::ChosenRung;
use crate::sound::plan::SoundSummary;
use retake_compression::planner::Effort;
use retake_compression::take::CpuSeconds;
use retake_compression::units::FrameRange;
use retake_libav::Finding;
use serde::{Deserialize, Serialize, Serializer};
use std::path::{Path, PathBuf};

/// What an export tells while it works.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // the large one comes once, at the end
pub enum Event {
    /// The source was opened and the job begins, or carries on.
    Started {
        /// Frames that the container promises, if it does.
        frames: Option<u64>,
        /// Seconds that the container promises, if it does.
        seconds: Option<f64>,
        /// Bytes that all other tracks and the container take, as far as it can be told before.
        other_bytes: u64,
        /// Takes that run at once.
        jobs: u32,
        /// The bytes of memory that the work is estimated to need, in all of its processes.
        memory: u64,
        /// Plain sentences about what the result will not be able to keep.
        notes: Vec<String>,
    },
    /// The rungs of a ladder are being chosen: samples of the film are encoded and scored.
    ChoosingLadder,
    /// The rungs of a ladder were chosen.
    LadderChosen {
        /// The rungs, the best first.
        rungs: Vec<ChosenRung>,
        /// CPU seconds that choosing took, in the run that did it.
        cpu_seconds: f64,
    },
    /// A variant of a stream begins. What follows is about it, up to the next, or until all are written.
    VariantStarted {
        /// Its number, from 1.
        variant: usize,
        /// How many there are.
        of: usize,
        /// Its name, as in `720p`.
        name: String,
    },
    /// The scout has decoded this many frames.
    Indexed {
        /// Frames from the start of the film.
        frames: u64,
    },
    /// A pass begins.
    PassStarted {
        /// Counted from 1.
        pass: u32,
        /// Takes in it; unknown for the first pass over a film that is not indexed yet.
        takes: Option<usize>,
        /// Frames in it, if known.
        frames: Option<u64>,
        /// Why these ranges are encoded again.
        reason: String,
    },
    /// A take has begun. It is not told of takes on other machines.
    TakeStarted {
        /// The pass.
        pass: u32,
        /// Its first frame.
        start: u64,
        /// The frame behind its last one, where that is known yet.
        end: Option<u64>,
    },
    /// More frames of the pass have been encoded.
    Encoded {
        /// The pass.
        pass: u32,
        /// Frames since the last such event.
        frames: u64,
    },
    /// Nothing has moved for a while, because a batch system runs none of the takes that it has.
    Waiting {
        /// What it says of the first of them, as in `job 17_3: PENDING (Resources)`.
        reason: String,
    },
    /// A take is finished and safe.
    TakeFinished {
        /// The pass.
        pass: u32,
        /// Its frames.
        range: FrameRange,
        /// Quality used, on the encoder's scale.
        quality: Option<f64>,
        /// Measured score.
        score: Option<f64>,
        /// Bytes of its samples.
        bytes: u64,
        /// Whether it was found from an earlier run.
        kept: bool,
        /// CPU seconds of its thread, by what they were spent on.
        cpu: CpuSeconds,
    },
    /// All takes are done; the film is being written.
    Writing {
        /// Samples to write.
        frames: u64,
    },
    /// The written film is being read again and compared with what was encoded.
    Verifying {
        /// Frames checked so far.
        frames: u64,
    },
    /// The film is in place.
    Finished(Summary),
}

/// Writes a path as text, also one that is not UTF-8.
fn as_shown<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// How an export went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The finished film. As text, it is what can be shown of it.
    #[serde(serialize_with = "as_shown")]
    pub output: PathBuf,
    /// Frames in it.
    pub frames: u64,
    /// Seconds it lasts.
    pub seconds: f64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of its video samples.
    pub video_bytes: u64,
    /// Whether the objective is met.
    pub outcome: Outcome,
    /// What of it is not met, and by how much: empty where all is.
    pub missed: Vec<Missed>,
    /// Why no further pass was made.
    pub stopped_because: StopReason,
    /// What each pass did.
    pub passes: Vec<PassSummary>,
    /// The scores of the film, where it was measured.
    pub quality: Option<QualitySummary>,
    /// CPU seconds of this process, and wall clock seconds.
    pub cpu_seconds: f64,
    /// Wall clock seconds of this run.
    pub wall_seconds: f64,
    /// What the film would have become with other efforts, as far as its takes tell; left out where they tell
    /// nothing of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub efforts: Vec<OtherEffort>,
    /// What became of tracks of sound that were not copied; left out where all were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sound: Vec<SoundSummary>,
    /// The variants of a stream that has several, the largest first: [`Summary::passes`],
    /// [`Summary::quality`] and [`Summary::stopped_because`] are those of the first, all else is of all of
    /// them. Left out where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantSummary>,
    /// Plain sentences about what could not be kept.
    pub notes: Vec<String>,
}

/// What a film would have become with another effort.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OtherEffort {
    /// The effort.
    pub effort: Effort,
    /// The bytes of the video samples that are expected, as a multiple of those that there are.
    pub bytes: f64,
    /// The CPU seconds that are expected, as a multiple of those that were spent.
    pub cpu: f64,
}

/// How one variant of a stream went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantSummary {
    /// Its name, as in `720p`.
    pub name: String,
    /// Samples a row of its pictures.
    pub width: u32,
    /// Rows of its pictures.
    pub height: u32,
    /// Bytes of its video samples.
    pub video_bytes: u64,
    /// What was expected of it, where the ladder was chosen by measured quality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ChosenRung>,
    /// Whether its objective is met.
    pub outcome: Outcome,
    /// What of it is not met.
    pub missed: Vec<Missed>,
    /// Why no further pass was made.
    pub stopped_because: StopReason,
    /// What each pass did.
    pub passes: Vec<PassSummary>,
    /// Its scores, where it was measured.
    pub quality: Option<QualitySummary>,
}

/// Whether an objective is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is met everywhere.
    Satisfied,
    /// It is not met everywhere: [`Summary::missed`] says what, [`Summary::stopped_because`] why nothing more
    /// was done about it.
    Missed,
    /// There was nothing to meet: a plain encode.
    Plain,
}

/// A part of an objective that is not met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missed {
    /// Units miss the floor.
    Floor {
        /// How many.
        units: usize,
        /// Of how many.
        of: usize,
    },
    /// The average bit rate is another one than was asked for.
    BitRate {
        /// Bytes of video that the rate makes.
        wanted: u64,
        /// Bytes of video that there are.
        got: u64,
    },
    /// The file is larger than was allowed, or the bits that were allowed could not be spent well.
    Size {
        /// Bytes that were allowed.
        wanted: u64,
        /// Bytes of the file.
        got: u64,
    },
    /// The source could not be read whole: it is damaged, or a part of it is missing.
    Source {
        /// The damage, by kind.
        damage: Vec<Finding>,
    },
    /// The rate is exceeded that no two seconds should exceed.
    MaxBitRate {
        /// Units that have a part in such seconds.
        units: usize,
        /// Of how many.
        of: usize,
        /// How many times the rate it is at most.
        times: f64,
        /// The unit where it is.
        worst: FrameRange,
    },
}

/// Why no further pass was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The planner has nothing more to ask for.
    Satisfied,
    /// The passes that were allowed are used up.
    PassCap,
    /// No further take is expected to help.
    NoGainExpected,
}

/// What one pass did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PassSummary {
    /// Counted from 1.
    pub pass: u32,
    /// Takes in it.
    pub takes: usize,
    /// Frames encoded in it.
    pub frames: u64,
    /// Why it was made, in words.
    #[serde(default)]
    pub reason: String,
    /// The wall clock seconds that it took in this run: of takes that an earlier run made, next to none.
    #[serde(default)]
    pub wall_seconds: f64,
    /// Bytes of the film after it.
    pub video_bytes: u64,
    /// The worst unit after it.
    pub worst: Option<f64>,
    /// Units that miss the floor after it.
    pub below: Option<usize>,
}

/// The scores of the finished film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualitySummary {
    /// The metric.
    pub metric: String,
    /// Name and version of the library that computed the scores. Left out where it is Retake itself, and in
    /// texts of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// How a unit's frames were pooled.
    pub pool: String,
    /// Width and height at which pictures were compared; left out where they are those of the film.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// The mean over all frames.
    pub mean: f64,
    /// The worst unit, and its frames.
    pub worst: f64,
    /// The worst unit's frames.
    pub worst_range: FrameRange,
    /// The floor, if one was asked for.
    pub floor: Option<f64>,
    /// Units that miss it.
    pub below: usize,
    /// Units in all.
    pub units: usize,
}
