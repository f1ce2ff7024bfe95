//! Video bytes of exports, compared with recorded ones: what must not change while code moves.

use crate::common::{EncoderInfo, Studio, encoders, ffmpeg, picture_hashes};
use retake_testing::{Golden, hash};
use std::path::{Path, PathBuf};

/// The wishes that an export can be given, each with the constants of the clip that it is encoded from.
fn wishes(encoder: &EncoderInfo, kilobits: u32, size: u32) -> Vec<(&'static str, String)> {
    let crf = match encoder.name.as_str() {
        "x264" | "x265" => 26,
        _ => 38,
    };
    vec![
        ("floor", "--quality 93".to_owned()),
        ("rate", format!("--bitrate {kilobits}k")),
        ("size", format!("--size {size}")),
        ("limit", format!("--bitrate {kilobits}k --max-bitrate {}k", kilobits * 3 / 2)),
        ("crf", format!("--crf {crf}")),
    ]
}

/// Encodes `film` with every wish and every encoder, and notes times and hashes of all video packets, as
/// FFmpeg reads them.
fn note(golden: &mut Golden, studio: &Studio, film: &str, kilobits: u32, size: u32) {
    let source = hash(picture_hashes(&studio.path(film)).concat().as_bytes());
    for encoder in encoders() {
        for (wish, flags) in wishes(encoder, kilobits, size) {
            let run = studio.retake(&format!(
                "encode {film} -o out.mp4 --overwrite --restart {} {flags} --jobs 2 --json",
                encoder.flags
            ));
            // 3: encoded, and the wish is not met everywhere
            assert!([0, 3].contains(&run.code), "{} {wish}: {run:?}", encoder.name);
            let packets =
                ffmpeg(studio.path(".").as_path(), "-i out.mp4 -map 0:v -c copy -f framehash -hash md5 -");
            let packets = String::from_utf8(packets).unwrap();
            let packets: Vec<&str> = packets.lines().filter(|line| !line.starts_with('#')).collect();
            let made_with = format!("{} {}, source {source}", encoder.name, encoder.version);
            golden.case(
                &format!("{film} {} {wish}", encoder.name),
                &made_with,
                packets.join("\n").as_bytes(),
            );
        }
    }
}

/// A clip that is rendered here, so that the test can run everywhere.
#[test]
fn golden_exports_of_a_rendered_clip() {
    let Some(studio) = Studio::open() else { return };
    let mut golden = Golden::open(env!("CARGO_MANIFEST_DIR"), "rendered");
    // five of the film's eight scenes
    ffmpeg(studio.path(".").as_path(), "-i film.mkv -map 0:v -c copy -frames:v 120 clip.mkv");
    note(&mut golden, &studio, "clip.mkv", 250, 200_000);
    golden.compare();
}

/// Real clips. It takes many minutes, so that only `./dev golden` runs it.
#[test]
#[ignore = "takes many minutes: ./dev golden runs it"]
fn golden_exports_of_real_clips() {
    let Some(studio) = Studio::empty() else { return };
    let mut golden = Golden::open(env!("CARGO_MANIFEST_DIR"), "clips");
    for (clip, cut, kilobits, size) in [
        ("reel-640x360.mp4", "-t 12", 350, 600_000),
        ("bbb-720p25.mp4", "", 900, 700_000),
        ("cockatoo-444.mp4", "", 500, 900_000),
    ] {
        let Some(path) = real_clip(clip) else { continue };
        let path = path.display().to_string();
        ffmpeg(studio.path(".").as_path(), &format!("-i {path} {cut} -map 0:v -c copy {clip}"));
        note(&mut golden, &studio, clip, kilobits, size);
    }
    golden.compare();
}

/// A real clip by name; `None`, with a visible word, where it is missing.
fn real_clip(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clips");
    let folder = std::env::var_os("RETAKE_CLIPS").map_or(beside, PathBuf::from);
    let path = folder.join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: {} is missing (RETAKE_CLIPS names the folder of clips)", path.display());
        return None;
    }
    path.canonicalize().ok()
}
