//! Passes: what an input asks its client for, one after the other.

pub(crate) mod machine;

pub use machine::PassDescription;
