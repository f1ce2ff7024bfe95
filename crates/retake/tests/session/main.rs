//! Sessions over every encoder of the build, judged by what comes out: tests are named after the acceptance
//! catalogue where it has them.

#![allow(clippy::unwrap_used)]

mod apertures;
mod clients;
mod common;
mod effects;
mod failing;
mod fields;
mod film;
mod frames;
mod gamma;
mod handlers;
mod hints;
mod memory;
mod modes;
mod not_built;
mod pictures;
mod properties;
mod rates;
mod recorder;
mod side_data;
