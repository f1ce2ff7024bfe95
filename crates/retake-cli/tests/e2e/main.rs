//! The command from end to end: the real binary on films that the `ffmpeg` program renders, judged by
//! `ffprobe` and `ffmpeg`.
//!
//! One file per theme. Without `ffmpeg` and `ffprobe` the tests say so and pass.
#![allow(clippy::unwrap_used)] // everything here is a test

mod additions;
mod avcodec;
mod bad_input;
mod batch;
mod common;
mod disk;
mod encoders;
mod engine;
mod filters;
mod golden;
mod grain;
mod isolate;
mod jobs;
mod kills;
mod libaom;
mod losses;
mod machines;
mod object_takes;
mod objects;
#[cfg(unix)]
mod paths;
mod pictures;
mod pipe;
mod previous;
mod profiles;
mod quality;
mod range;
mod rate;
mod readers;
mod recipes;
mod records;
mod report;
mod resume;
mod set;
mod signals;
mod sound;
mod stream;
mod times;
mod tracks;
mod watch;
mod words;
