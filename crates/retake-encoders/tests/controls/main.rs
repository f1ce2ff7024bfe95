//! G-1: a control that an encoder claims to obey has an effect on its output, and one that it lacks is
//! refused by name. Every test runs over all encoders of the build, and looks at the stream with another
//! program.

#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;

mod delay;
mod dependencies;
mod first_pass;
mod frames;
mod live;
mod long_term;
mod rates;
mod refusals;
mod run;
mod stream;
