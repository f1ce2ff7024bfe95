//! What becomes of the sound of a film: copied, left out, or encoded to the sample where it was.
//!
//! `request` says what can be asked for, and reads it from words; `plan` makes of it what each track becomes,
//! and refuses what cannot be; `placed` is a track decoded and put on the clock of the film; `level` measures
//! it and chooses one gain for all of it; `encode` makes samples of it.

pub(crate) mod encode;
pub(crate) mod level;
pub(crate) mod placed;
pub(crate) mod plan;
pub(crate) mod request;
