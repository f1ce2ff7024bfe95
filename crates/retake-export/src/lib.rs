//! The whole job: a source, an objective, an executor, takes on disk, a finished film.
//!
//! [`export`] runs a [`Request`]. It tells what it does by [`Event`]s, can be stopped by a [`StopFlag`] at any moment, and carries on where
//! it stopped when it is called again. This crate holds no metric and no foreign code.

mod assemble;
mod board;
mod crew;
mod error;
mod event;
mod export;
mod feed;
mod film_source;
mod hls;
mod index;
mod intent;
mod job;
mod join;
mod look;
mod measure;
mod peaks;
mod place;
mod prepare;
mod progress;
mod report;
mod request;
mod scene;
mod scorers;
mod scout;
mod session;
mod shoot;
mod spool;
mod steer;
mod stop;
mod store;
mod track;
mod verify;

pub use error::ExportError;
pub use event::{Event, Outcome, PassSummary, QualitySummary, Summary};
pub use export::export;
pub use film_source::FilmSource;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use hls::fuzzing;
pub use intent::ExportPreset;
pub use measure::{FilmScore, UnitScore, measure};
pub use request::{Request, Target};
pub use scorers::QualityScorers;
pub use session::{AlreadyStarted, Export, ExportBuilder, ExportStatus, RunError};
pub use stop::StopFlag;
