//! This module encodes one source by several sessions: it divides the source, runs the parts, and joins them.
//!
//! ```text
//!  source ─┬─ part 0 ─► session ─► silo ─┐
//!          ├─ part 1 ─► session ─► silo ─┼─► joiner ─► samples of one film
//!          └─ part 2 ─► session ─► silo ─┘
//! ```
//!
//! A [`Subdivision`] divides a source into [`Part`]s; a configured session recommends one. Each part is
//! encoded by a session that knows nothing of the others except that their output is joined to its own. A
//! [`Joiner`] takes the samples part by part, proves that they make one film, and hands them out.
//! [`ParallelEncode`] does all of it for a [`FrameSource`]; the [`WorkerPool`] beneath runs any independent
//! jobs.

mod encode;
mod error;
mod idr;
mod join;
mod part;
mod plan;
mod scenes;
mod sessions;
mod source;
mod worker_pool;

pub use crate::machine::half_of_memory;
pub use crate::rate_limit::Violation;
pub use encode::{EncodedParts, ParallelEncode};
pub use error::ParallelError;
pub use join::{JoinError, JoinReport, Joiner};
pub use part::{EncodedPart, PartProgress};
pub use plan::{Part, Subdivision};
pub use source::{FrameReading, FrameSource, SourceError};
pub use worker_pool::{JobError, WorkerPool};
