//! A second independent reader: what GStreamer sees in a film.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A film as GStreamer demuxes it.
pub(crate) struct Seen {
    /// Nanoseconds.
    pub duration: i64,
    pub video: Vec<Buffer>,
    pub sound: Vec<Buffer>,
    /// Nanoseconds at which each seek came out, and whether decoding can start there.
    pub seeks: Vec<(i64, bool)>,
}

/// A sample. Times are nanoseconds of stream time: what an edit list leaves out lies before zero.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Buffer {
    pub pts: i64,
    /// Matroska has none.
    pub dts: Option<i64>,
    pub sync: bool,
    pub bytes: u64,
}

impl Seen {
    /// Reads a film through demuxers such as `hlsdemux ! qtdemux`, and seeks to these seconds. `None`, with a
    /// visible word, if GStreamer is not there.
    pub(crate) fn in_film(demuxers: &str, film: &Path, seconds: &[f64]) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/common/gst.py");
        // the system's own: only that one sees the system's packages
        let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
        let run = Command::new(python)
            .args(["-s", script, demuxers])
            .arg(film)
            .args(seconds.iter().map(ToString::to_string))
            .output();
        let run = match run {
            Ok(run) if run.status.code() != Some(77) => run,
            _ => {
                eprintln!("SKIPPED: GStreamer with its Python binding and {demuxers} is needed");
                return None;
            }
        };
        assert!(run.status.success(), "{}: {}", film.display(), String::from_utf8_lossy(&run.stderr));
        let answer: Value = serde_json::from_slice(&run.stdout).unwrap();
        let track = |kind: &str| {
            let tracks = answer["tracks"].as_array().unwrap();
            let track = tracks.iter().find(|track| track["kind"] == kind);
            let samples = track.map_or(&[][..], |track| track["samples"].as_array().unwrap());
            let sample = |sample: &Value| Buffer {
                pts: sample[0].as_i64().unwrap(),
                dts: sample[1].as_i64(),
                sync: sample[2].as_bool().unwrap(),
                bytes: sample[3].as_u64().unwrap(),
            };
            samples.iter().map(sample).collect::<Vec<_>>()
        };
        let seeks = answer["seeks"].as_array().unwrap().iter();
        Some(Self {
            duration: answer["duration"].as_i64().unwrap(),
            video: track("video"),
            sound: track("audio"),
            seeks: seeks.map(|seek| (seek[0].as_i64().unwrap(), seek[1].as_bool().unwrap())).collect(),
        })
    }

    /// When pictures are shown, in order.
    pub(crate) fn shown(&self) -> Vec<i64> {
        let mut times: Vec<i64> = self.video.iter().map(|sample| sample.pts).collect();
        times.sort_unstable();
        times
    }
}
