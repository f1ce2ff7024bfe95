//! What the tests of several crates share. It is a crate of its own because a test can see no other crate's
//! tests.

pub mod browser;
mod clips;
mod golden;
pub mod object_server;
pub mod pgs;
pub mod side_data;
mod turned;

pub use clips::clip;
pub use golden::{Golden, hash};
pub use turned::{turned, turned_by};
