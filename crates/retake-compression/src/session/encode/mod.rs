//! From frames to samples: one encode after another, as the values of the frames and the passes ask for.
//!
//! [`Stack`] does the commands of the core one by one, in one thread, and reports what comes of them. It
//! knows frames by their numbers alone: whom they belong to is the core's affair.

mod capped;
mod conversion;
mod fitting;
mod key_frames;
mod stack;

pub(super) use stack::{Listener, Stack, StackParts};
