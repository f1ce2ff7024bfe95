//! Curves of the units of a real film, measured once (`tests/data`): bytes and score at many qualities. To
//! encode a unit is to interpolate between recorded points, in the logarithm of bytes and in the score.

#![allow(clippy::unwrap_used)] // helpers of tests fail by panic, as tests do

use serde::Deserialize;

pub(crate) const ENCODERS: [&str; 4] = ["x264", "x265", "svt-av1", "vp9"];

#[derive(Deserialize)]
pub(crate) struct RecordedFilm {
    pub(crate) encoder: String,
    #[allow(dead_code)] // only predictions tell films apart
    pub(crate) film: String,
    #[allow(dead_code)] // sessions name the metric themselves
    pub(crate) metric: String,
    pub(crate) units: Vec<RecordedUnit>,
}

#[derive(Deserialize, Clone)]
pub(crate) struct RecordedUnit {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) ceiling: f64,
    /// Quality, bytes, score; by rising quality number.
    pub(crate) points: Vec<[f64; 3]>,
}

impl RecordedFilm {
    pub(crate) fn of(encoder: &str) -> Self {
        let text = match encoder {
            "x264" => include_str!("../data/x264.json"),
            "x265" => include_str!("../data/x265.json"),
            "vp9" => include_str!("../data/vp9.json"),
            _ => include_str!("../data/svt-av1.json"),
        };
        serde_json::from_str(text).unwrap()
    }

    /// Films that no curve was fitted on: rendered scenes of two games and a recording of a screen from
    /// packages of Debian, and eight scenes of an animated film at 1080p, with other presets and three
    /// encoders.
    #[allow(dead_code)] // predictions alone are held against them
    pub(crate) fn others() -> Vec<Self> {
        serde_json::from_str(include_str!("../data/others.json")).unwrap()
    }

    /// The scale of the quality knob: the least number, the largest, a step, and the usual one.
    pub(crate) fn scale(&self) -> [f64; 4] {
        match &*self.encoder {
            "x264" => [1.0, 51.0, 0.1, 23.0],
            "x265" => [1.0, 51.0, 0.1, 26.0],
            "vp9" => [1.0, 63.0, 1.0, 32.0],
            _ => [1.0, 63.0, 1.0, 35.0],
        }
    }
}

impl RecordedUnit {
    pub(crate) fn frames(&self) -> u64 {
        self.end - self.start
    }

    /// The bytes and the score of the unit with a quality.
    pub(crate) fn encoded(&self, quality: f64) -> (f64, f64) {
        let points = &self.points;
        let after = points.iter().position(|point| point[0] >= quality).unwrap_or(points.len() - 1).max(1);
        let (a, b) = (points[after - 1], points[after]);
        let at = (quality - a[0]) / (b[0] - a[0]);
        ((a[1].ln() + at * (b[1].ln() - a[1].ln())).exp(), a[2] + at * (b[2] - a[2]))
    }
}
