//! Passes: what an input asks its client for, one after the other.

#[allow(dead_code)] // inputs that encode come next
pub(crate) mod machine;

pub use machine::PassDescription;
