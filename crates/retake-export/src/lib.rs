//! The whole job: a source, an objective, takes on disk, a finished film.
//!
//! [`Export::builder`] sets a job up; [`Export::run`] runs it here, [`Export::start`] on a thread of its own.
//! It tells what it does by [`Event`]s, can be cancelled at any moment, and the same export carries on where
//! it stopped. This crate holds no metric and no foreign code, and knows no encoder by name.
//!
//! Inside, a module can be read before what uses it: `job` (from a request to a plan), `index` (what is known
//! of the source), `take` (one encode of one range, and who runs it), `film` (the takes that were chosen),
//! `output` (what is written), `passes` (plan, run, learn), `worker` (takes in other processes), and
//! `export`, the story.

mod api;
pub mod batch;
mod clock;
mod error;
mod estimate;
mod event;
mod export;
mod film;
mod film_source;
mod index;
mod job;
mod ladder;
mod measure;
pub mod objects;
mod output;
mod own_folder;
mod passes;
mod progress;
pub mod records;
mod replan;
pub mod report;
mod resumable;
mod scorers;
#[cfg(any(test, feature = "simulation"))]
#[cfg_attr(feature = "simulation", doc(hidden))]
pub mod simulation;
mod sound;
mod stop;
mod summary;
mod take;
#[cfg(test)]
mod testing;
mod worker;

pub use api::{AlreadyStarted, Export, ExportBuilder, ExportStatus, RunError};
pub use error::{Asked, Count, ExportError, Fault, RequestError};
pub use estimate::{EstimateBasis, LengthEstimate};
pub use event::{
    Event, Missed, OtherEffort, Outcome, PassSummary, QualitySummary, StopReason, Summary, VariantSummary,
};
pub use film_source::FilmSource;
pub use job::additions::{AddedAudio, AddedSubtitles, ChapterChoice};
pub use job::folder::JobDescription;
pub use job::grain::Grain;
pub use job::identity::{AskedAudio, AskedFile, AskedGoal, AskedPlace, AskedRange, RequestIdentity};
pub use job::ladder::{AutoLadder, Ladder, LadderError, LadderRung};
pub use job::preset::ExportPreset;
pub use job::request::{ScoreAt, Target, UnknownScoreAt};
pub use job::tracks::{MarkRule, TrackError, TrackFlag, TrackRule, TrackSelector};
pub use ladder::ChosenRung;
pub use measure::{FilmScore, MeasuredFrames, Measurement, UnitScore};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use output::hls::fuzzing;
pub use replan::{Replan, replan};
pub use resumable::{ResumableExport, resumable_exports};
pub use scorers::QualityScorers;
pub use sound::level::SoundLevel;
pub use sound::plan::SoundSummary;
pub use sound::request::{AudioChoice, AudioEncoding, AudioError, AudioLayout, AudioRule};
pub use stop::StopFlag;
pub use worker::{
    RunOn, SharedRoot, Step, TakeDone, TakeFailure, TakeTask, WorkerProgram, WorkerTools, run_array_worker,
    run_take, run_worker,
};
