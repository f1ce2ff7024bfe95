//! Tools of all tests: films rendered by the `ffmpeg` program, clips, and comparison with `ffmpeg`'s
//! decoding.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses its part

use retake_libav::{
    Container, FilmInfo, Frame, FrameEntry, FrameIndex, FrameReader, MediaError, Muxer, MuxerKind,
    MuxerSample, MuxerSettings, MuxerTrack, ReaderOptions, SampleReader, TrackFormat, probe, time_to_ticks,
};
use retake_media::{FormatDescription, PixelBuffer, Sample, Time};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// A folder for the films of one test, which is removed at its end.
pub struct Studio(TempDir);

impl Studio {
    /// Opens a folder; `None`, with a visible word, if there is no `ffmpeg` program.
    pub fn open() -> Option<Self> {
        let there = |program| {
            Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        if there("ffmpeg") && there("ffprobe") {
            return Some(Self(TempDir::new().unwrap()));
        }
        eprintln!("SKIPPED: the ffmpeg and ffprobe programs are needed");
        None
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Renders a film with `ffmpeg ARGUMENTS name`; arguments are split at spaces.
    pub fn render(&self, arguments: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut words: Vec<&str> = arguments.split_whitespace().collect();
        words.push(path.to_str().unwrap());
        ffmpeg(&words);
        path
    }
}

/// Runs `ffmpeg` and returns its standard output.
pub fn ffmpeg(arguments: &[&str]) -> Vec<u8> {
    let run = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-v", "error", "-y", "-threads", "1"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(run.status.success(), "ffmpeg {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

/// Runs `ffprobe` and returns its lines.
pub fn ffprobe(arguments: &str, film: &Path) -> Vec<String> {
    let run = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(arguments.split_whitespace())
        .arg(film)
        .output()
        .unwrap();
    assert!(run.status.success(), "ffprobe {arguments}: {}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8_lossy(&run.stdout);
    text.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

pub fn options(info: &FilmInfo) -> ReaderOptions {
    ReaderOptions { format: info.video.format, threads: 1 }
}

/// Returns all frames of a film, each mapped by `look`.
pub fn read_all<T>(path: &Path, mut look: impl FnMut(&Frame) -> T) -> Vec<T> {
    let info = probe(path).unwrap();
    let mut reader = FrameReader::open(&info, options(&info)).unwrap();
    let mut seen = Vec::new();
    while let Some(frame) = reader.next().unwrap() {
        seen.push(look(&frame));
    }
    seen
}

pub fn index(path: &Path) -> Arc<FrameIndex> {
    let time_base = probe(path).unwrap().video.time_base;
    Arc::new(FrameIndex { time_base, frames: read_all(path, |frame| FrameEntry::from(frame)) })
}

/// Returns the checksum that `ffmpeg -f framecrc` writes: Adler-32 that starts at 0, over the visible
/// samples.
pub fn checksum(picture: &PixelBuffer) -> u32 {
    let (mut a, mut b) = (0u32, 0u32);
    for plane in 0..3 {
        for row in picture.rows(plane) {
            for &byte in row {
                a = (a + u32::from(byte)) % 65_521;
                b = (b + a) % 65_521;
            }
        }
    }
    b << 16 | a
}

/// Returns the checksums of all frames of the film's video, as the `ffmpeg` program decodes it.
pub fn reference(path: &Path) -> Vec<u32> {
    let film = path.to_str().unwrap();
    let out = ffmpeg(&["-i", film, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framecrc", "-"]);
    let text = String::from_utf8(out).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            u32::from_str_radix(line.split("0x").nth(1).unwrap().split(',').next().unwrap(), 16).unwrap()
        })
        .collect()
}

/// Returns the time stamps of all frames of the film's video, as the `ffprobe` program sees them.
pub fn reference_times(path: &Path) -> Vec<i64> {
    ffprobe("-select_streams v:0 -show_entries frame=best_effort_timestamp", path)
        .iter()
        .map(|line| line.parse().unwrap())
        .collect()
}

/// A film as an encoder would hand it to a writer.
pub struct Takes {
    pub info: FilmInfo,
    pub format: FormatDescription,
    pub samples: Vec<Sample>,
    pub max_reorder: i64,
}

impl Takes {
    /// Reads the samples of a film's video, with decode times by rule T-2.
    pub fn of(film: &Path) -> Self {
        let info = probe(film).unwrap();
        let mut reader = SampleReader::open(&info).unwrap();
        let mut samples: Vec<Sample> = std::iter::from_fn(|| reader.next().unwrap()).collect();
        let mut times: Vec<_> = samples.iter().map(|sample| sample.pts).collect();
        times.sort();
        let mut max_reorder = 0;
        for (sample, dts) in samples.iter_mut().zip(times) {
            sample.dts = dts;
            let early = time_to_ticks(dts - sample.pts, info.video.time_base).unwrap();
            max_reorder = max_reorder.max(early);
        }
        Self { format: reader.format().clone(), info, samples, max_reorder }
    }

    /// Writes the film, with all other tracks, and returns all notes.
    pub fn write(&self, path: &Path, container: Container) -> Result<Vec<String>, MediaError> {
        let format = TrackFormat::Video(self.format.clone());
        let (info, base) = (&self.info, self.info.video.time_base);
        let track = MuxerTrack {
            stands_for: None,
            format: &format,
            timescale: base.den as u32,
            frame_rate: Some(info.video.frame_rate),
            display_matrix: info.video.display_matrix,
            language: None,
            tags: &[],
        };
        let (mut muxer, mut notes) = Muxer::create(&MuxerSettings {
            container,
            kind: MuxerKind::Whole,
            path,
            tracks: &[track],
            tags: &[],
            movie_timescale: 1000,
            copy_from: Some((info, info.start)),
        })?;
        let own = muxer.time_base(0);
        let ticks = |time: Time| time_to_ticks(time, own).unwrap();
        let late = ticks(info.video.time(self.max_reorder));
        for sample in &self.samples {
            muxer.copy_until(sample.dts)?;
            let (pts, dts) = (ticks(sample.pts - info.start), ticks(sample.dts - info.start));
            let (sync, duration) = (sample.is_sync(), ticks(sample.duration));
            let sample =
                MuxerSample { pts, dts: dts - late, duration, sync, disposable: false, data: &sample.data };
            muxer.write(0, sample)?;
        }
        notes.extend(muxer.finish()?.notes);
        Ok(notes.iter().map(ToString::to_string).collect())
    }
}

/// Writes a film anew, and returns the notes.
pub fn rewrap(from: &Path, to: &Path) -> Vec<String> {
    Takes::of(from).write(to, Container::from_path(to).unwrap_or(Container::Mp4)).unwrap()
}
