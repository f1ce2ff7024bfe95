//! What a client calls: each call takes the lock, calls a method of the state, and has done what follows.
//! Handles are known here alone.

pub(crate) mod adaptor;
pub(crate) mod assistant;
pub(crate) mod association;
pub(crate) mod caption;
pub(crate) mod group;
pub(crate) mod input;
pub(crate) mod metadata;
mod pass;
pub(crate) mod planner;
pub(crate) mod reader;
mod readiness;
pub(crate) mod receiver;
mod session_encoder;
pub(crate) mod sound;
pub(crate) mod video;
mod wide_colour;
pub(crate) mod writer;
