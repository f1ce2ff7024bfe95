//! What the tests of several crates share. It is a crate of its own because a test can see no other crate's
//! tests.

mod golden;
pub mod side_data;

pub use golden::{Golden, hash};
