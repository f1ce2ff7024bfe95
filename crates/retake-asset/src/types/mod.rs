//! The values that every layer speaks of, and what a client implements: they know nothing of a writer, so
//! that its state can be made of them.

pub(crate) mod association;
pub(crate) mod encoder;
pub(crate) mod error;
pub(crate) mod media;
pub(crate) mod options;
pub(crate) mod pass;
pub(crate) mod segment;
pub(crate) mod status;
