//! Exports and their takes as durable services of [Restate](https://restate.dev): an engine that keeps what
//! has happened, and goes on from there after the death of anything.
//!
//! There are two services, which every worker has. `RetakeExport` has an object for each output, so that no
//! output is written by two exports at once; its handler `run` goes the way of an export in steps that are
//! kept: *plan* (what takes are missing?), *take* for each of them by calls of the other service, in any
//! order, and plan again, until the film is in place. `RetakeTakes` runs one take. Nothing but descriptions
//! goes through the engine: films, takes and jobs lie in a folder that all workers share, or in an object
//! store.
//!
//! A take is known by its identity, so that one that is run again finds itself done.
//!
//! ```no_run
//! # use retake_restate::{Engine, ExportRequest};
//! # fn run() -> Result<(), retake_restate::EngineError> {
//! let engine = Engine::open("restate://127.0.0.1:8080")?;
//! let request = ExportRequest { output: "films/out.mp4".into(), arguments: vec!["films/in.mkv".into()] };
//! let job = engine.submit(&request)?;
//! while engine.outcome(&job)?.is_none() {
//!     std::thread::sleep(std::time::Duration::from_secs(1));
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod messages;
mod server;
mod services;

pub use client::{Engine, EngineError, Job};
pub use messages::{ExportRequest, Failure, Status};
pub use server::{Serving, serve};
pub use services::Site;
