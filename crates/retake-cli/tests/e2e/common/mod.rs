//! What all themes share: a folder to work in, films to work on, and the command.

mod film;
mod gst;
mod probe;
mod processes;
mod run;

pub(crate) use film::{FRAMES, RECORDS, Studio, ffmpeg};
pub(crate) use gst::Seen;
pub(crate) use probe::{
    between, frame_times, fullest, packet_hashes, picture_hashes, probe, psnr, video_bytes,
};
pub(crate) use processes::signal;
#[cfg(target_os = "linux")]
pub(crate) use processes::{until, workers_of};
pub(crate) use run::{EncoderInfo, Moment, Run, Running, encoders, fast, with_slow_ones};
