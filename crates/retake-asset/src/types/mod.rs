//! This module defines the values that all layers share, and the traits that a client implements. They know
//! nothing of a writer, so that its state can be made of them.

pub(crate) mod association;
pub(crate) mod encoder;
pub(crate) mod error;
pub(crate) mod media;
pub(crate) mod options;
pub(crate) mod pass;
pub(crate) mod segment;
pub(crate) mod status;
