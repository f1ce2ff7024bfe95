//! The examples, run on a short film, and judged by another program.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]
// Each example is a program of its own, and some share a module of helpers.
#![allow(clippy::duplicate_mod)]

#[path = "../examples/capture.rs"]
mod capture;
#[path = "../examples/four_sessions.rs"]
mod four_sessions;
#[path = "../examples/hls.rs"]
mod hls;
#[path = "../examples/joins.rs"]
mod joins;
#[path = "../examples/multipass.rs"]
mod multipass;
#[path = "../examples/overhead.rs"]
mod overhead;
#[path = "../examples/pool.rs"]
mod pool;
#[path = "../examples/properties.rs"]
mod properties;
#[path = "../examples/rewrap.rs"]
mod rewrap;
#[path = "../examples/sensible_settings.rs"]
mod sensible_settings;
#[path = "../examples/silo_loop.rs"]
mod silo_loop;
#[path = "../examples/transcode.rs"]
mod transcode;
#[path = "../examples/two_passes.rs"]
mod two_passes;
#[path = "../examples/write_film.rs"]
mod write_film;

use retake::Codec;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

type Run = fn(&[String]) -> Result<(), Box<dyn Error + Send + Sync>>;

/// A folder with a film of two seconds, 48 pictures with sound, where `ffmpeg` can make one.
struct Studio {
    folder: tempfile::TempDir,
    film: PathBuf,
}

impl Studio {
    fn open() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let film = folder.path().join("film.mp4");
        if retake::encoders().by_codec(Codec::H264).is_none() {
            eprintln!("SKIPPED: this build has no encoder for H.264");
            return None;
        }
        let made = Command::new("ffmpeg")
            .args([
                "-nostdin",
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=160x120:rate=24:duration=2",
            ])
            .args(["-f", "lavfi", "-i", "sine=frequency=440:duration=2", "-c:v", "libx264", "-c:a", "aac"])
            .arg(&film)
            .status();
        match made {
            Ok(status) if status.success() => {}
            Ok(_) => {
                eprintln!("SKIPPED: this ffmpeg cannot encode H.264");
                return None;
            }
            Err(error) => {
                eprintln!("SKIPPED: no ffmpeg program ({error})");
                return None;
            }
        }
        Some(Self { folder, film })
    }

    /// Runs an example; `FILM` stands for the film, `OUT.x` for a file of that kind, which is given back.
    fn run(&self, example: Run, arguments: &[&str]) -> PathBuf {
        let mut out = PathBuf::new();
        let words: Vec<String> = arguments
            .iter()
            .map(|word| match *word {
                "FILM" => self.film.to_str().unwrap().to_owned(),
                word if word.starts_with("OUT") => {
                    out = self.folder.path().join(word);
                    out.to_str().unwrap().to_owned()
                }
                word => word.to_owned(),
            })
            .collect();
        example(&words).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        out
    }
}

/// What `ffprobe` counts in a film: `frames` that it decodes, or `packets`, of a track: `v` or `a`.
fn count(film: &Path, track: &str, what: &str) -> usize {
    let run = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", track, &format!("-count_{what}"), "-of", "csv=p=0"])
        .args(["-show_entries", &format!("stream=nb_read_{what}")])
        .arg(film)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.is_empty(), "{}: {said}", film.display());
    // Of a stream ffprobe tells the same once more, as part of a program.
    let counts = String::from_utf8_lossy(&run.stdout);
    counts.lines().next().and_then(|count| count.trim_end_matches(',').parse().ok()).unwrap_or(0)
}

/// Frames of pictures that `ffprobe` decodes.
fn pictures(film: &Path) -> usize {
    count(film, "v", "frames")
}

/// Packets of sound. They are not decoded, because an MP4 hides the first frame by an edit and a Matroska
/// does not.
fn sounds(film: &Path) -> usize {
    count(film, "a", "packets")
}

/// Those that make a film of a film: all pictures are there, and the sound where the example copies it.
#[test]
fn films_are_made_of_a_film() {
    let Some(studio) = Studio::open() else { return };
    let sound = sounds(&studio.film);
    let cases: [(Run, &[&str], bool); 8] = [
        (rewrap::run, &["FILM", "OUT-rewrap.mkv"], true),
        (transcode::run, &["FILM", "OUT-transcode.mp4", "0.4"], true),
        (two_passes::run, &["FILM", "OUT-two_passes.mkv", "x264", "100"], true),
        (silo_loop::run, &["FILM", "OUT-silo_loop.mp4", "x264", "100"], true),
        (multipass::run, &["FILM", "OUT-multipass.mp4", "100000"], true),
        (sensible_settings::run, &["FILM", "OUT-sensible.mp4", "h264", "0.5"], false),
        (joins::run, &["FILM", "OUT-joins.mp4", "x264", "veryfast", "100k", "1", "parts"], false),
        (joins::run, &["FILM", "OUT-passes.mp4", "x264", "veryfast", "100k", "1", "passes"], false),
    ];
    for (example, arguments, with_sound) in cases {
        let film = studio.run(example, arguments);
        assert_eq!(pictures(&film), 48, "{}", film.display());
        assert_eq!(sounds(&film), if with_sound { sound } else { 0 }, "{}", film.display());
    }
}

/// Those that make their pictures themselves.
#[test]
fn films_are_made_of_nothing() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.run(four_sessions::run, &["OUT-four.mp4"]);
    assert_eq!(pictures(&film), 400);
    let film = studio.run(write_film::run, &["OUT-write.mov"]);
    assert_eq!(pictures(&film), 240);
    let stream = studio.run(hls::run, &["OUT-hls"]).join("stream.m3u8");
    assert_eq!(pictures(&stream), 240);
}

/// Those that write no file.
#[test]
fn programs_that_only_tell() {
    let Some(studio) = Studio::open() else { return };
    studio.run(properties::run, &[]);
    studio.run(pool::run, &[]);
    studio.run(capture::run, &["1"]);
    for side in ["bare", "session"] {
        studio.run(overhead::run, &[side, "10"]);
    }
}
