//! Passes: what an input asks its client for, one after the other, and what it keeps meanwhile.

mod calls;
mod first;
pub(crate) mod keep;
pub(crate) mod machine;

pub(crate) use first::Shape;
pub use machine::PassDescription;
