//! What an encoder is to Retake, and what is decided about encodes: the [`encoder`] contract and registry,
//! the [`take`] as the unit of work, the [`units`] that a film is planned in, and the [`planner`] that asks
//! for takes again. A [`session`] is a client's conversation with an encoder, [`parallel`] sessions share one
//! source, a [`silo`] merges the samples of several passes, a [`storage`] keeps what each pass has learned.
//! All files are [`journal`]s, and [`windows`] of the merged film are looked at.
//!
//! This crate opens no container and links no encoder. The planner reads no clock, no file and no random
//! number.
//!
//! Ids such as `MP-26`, resolutions and numbered sections in comments are those of `docs/contract.md`, where
//! it is told what every call must do.

pub mod encode_run;
pub mod encoder;
pub mod journal;
mod machine;
pub mod multi_pass;
pub mod parallel;
pub mod planner;
pub mod property;
pub mod rate_limit;
pub mod scorer;
pub mod session;
pub mod silo;
pub mod storage;
pub mod take;
pub mod units;
