//! This crate defines the contract of an encoder and decides about encodes: it holds the [`encoder`] contract
//! and registry, the [`take`] as the unit of work, the [`units`] that a film is planned in, and the
//! [`planner`] that asks for takes again. A [`session`] is a client's conversation with an encoder,
//! [`parallel`] sessions share one source, a [`silo`] merges the samples of several passes, and a [`storage`]
//! keeps the findings of each pass. All files are [`journal`]s, and [`rate_limit`] keeps windows of the film
//! below a peak rate.
//!
//! This crate opens no container and links no encoder. The planner reads no clock, no file and no random
//! number, so that its decisions can be replayed.
//!
//! Ids such as `MP-26`, resolutions and numbered sections in comments are those of `docs/contract.md`, which
//! states what every call must do.

pub mod durable;
pub mod encode_run;
pub mod encoder;
pub mod journal;
mod machine;
pub mod multi_pass;
pub mod parallel;
pub mod planner;
pub mod property;
mod random_access;
pub mod rate_limit;
pub mod scene;
pub mod scorer;
pub mod session;
pub mod silo;
pub mod source_frames;
pub mod storage;
pub mod take;
pub mod units;
