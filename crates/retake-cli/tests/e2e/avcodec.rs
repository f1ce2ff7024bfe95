//! Encoders of libavcodec by name, end to end: a floor that FFmpeg's own measurement finds held, equal bytes
//! wherever takes run, each in the container that is made for its codec, and one line for what cannot be
//! done.

use crate::common::{FRAMES, Studio, between, ffmpeg, picture_hashes, probe, psnr, video_bytes};

/// Whether the libavcodec of the `ffmpeg` program, which is the linked one, has an encoder; says so if not.
fn has(studio: &Studio, name: &str) -> bool {
    let listed = String::from_utf8(ffmpeg(&studio.path("."), "-encoders")).unwrap();
    let name = name.trim_start_matches("avcodec:");
    let found = listed.lines().any(|line| line.split_whitespace().nth(1) == Some(name));
    if !found {
        eprintln!("SKIPPED: this libavcodec has no {name}");
    }
    found
}

/// An encoder that Retake knows nothing of reaches a floor on every frame of the file, and takes that run in
/// processes, two at once, or in another run of a job make the same bytes.
#[test]
fn the_floor_holds_and_bytes_are_the_same_everywhere() {
    let Some(studio) = Studio::open() else { return };
    for name in ["avcodec:mpeg4", "avcodec:mpeg2video"] {
        if !has(&studio, name) {
            continue;
        }
        let job = format!("film.mkv {{}} -e {name} --metric psnr -q 34 --floor min --passes 8");
        let run = studio.encode(&job.replace("{}", "-o here.mkv --jobs 1"));
        assert_eq!(run.summary()["outcome"], "satisfied", "{name}");
        let folder = studio.path("here.mkv").parent().unwrap().to_owned();
        let found = psnr(&folder, "here.mkv", "film.mkv", "[0:v][1:v]psnr=stats_file=-");
        assert_eq!(found.len() as u64, FRAMES, "{name}");
        // the command looks at luma, FFmpeg's average at all planes
        assert!(found.iter().all(|&frame| frame > 33.5), "{name}: {found:?}");
        studio.encode(&job.replace("{}", "-o two.mkv --jobs 2"));
        studio.encode(&job.replace("{}", "-o processes.mkv --jobs 2 --isolate"));
        assert!(studio.read("here.mkv") == studio.read("two.mkv"), "{name}: two at once");
        assert!(studio.read("here.mkv") == studio.read("processes.mkv"), "{name}: in processes");
        for film in ["here.mkv", "two.mkv", "processes.mkv"] {
            std::fs::remove_file(studio.path(film)).unwrap();
        }
    }
}

/// What a film of each codec is, as `ffprobe` finds it; that of a known library reaches the floor, too.
#[test]
fn every_codec_is_written_as_what_it_is() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-i film.mkv -map 0:v -t 2 -c copy", "short.mkv");
    let films = [
        ("avcodec:libx264", "-p veryfast", "mp4", "h264,avc1,yuv420p"),
        ("avcodec:mpeg4", "", "mp4", "mpeg4,mp4v,yuv420p"),
        ("avcodec:mpeg4", "", "mov", "mpeg4,mp4v,yuv420p"),
        ("avcodec:prores_ks", "--pixel-format yuv422p10le", "mov", "prores,apch,yuv422p10le"),
        ("avcodec:libaom-av1", "-p 8", "mkv", "av1,[0][0][0][0],yuv420p"),
    ];
    for (number, (name, flags, container, stream)) in films.into_iter().enumerate() {
        if !has(&studio, name) {
            continue;
        }
        let film = format!("{number}.{container}");
        let run = studio.encode(&format!("short.mkv -o {film} -e {name} {flags} --metric psnr -q 34"));
        assert_eq!(run.summary()["outcome"], "satisfied", "{name}");
        let film = studio.path(&film);
        let found =
            probe(&film, "-select_streams v -show_entries stream=codec_name,codec_tag_string,pix_fmt");
        assert_eq!(found, [stream], "{name}");
        assert_eq!(picture_hashes(&film).len(), picture_hashes(&studio.path("short.mkv")).len(), "{name}");
    }
}

/// A bit rate is met by takes of a quality each, whatever the encoder does at rates.
#[test]
fn a_bit_rate_is_met() {
    let Some(studio) = Studio::open() else { return };
    if !has(&studio, "avcodec:mpeg4") {
        return;
    }
    studio.retake("encode film.mkv -o out.mp4 -e avcodec:mpeg4 --metric psnr --bitrate 900k --json");
    let (bytes, frames) = video_bytes(&studio.path("out.mp4"));
    assert_eq!(frames, FRAMES);
    // the quality scale has whole steps, of which one is a fifth of the bytes of a unit
    between("kb/s", bytes as f64 * 8.0 / 1000.0 / (FRAMES as f64 / 24.0), 900.0 * 0.9, 900.0 * 1.1);
}

/// What cannot be had is one line that says what is missing.
#[test]
fn what_cannot_be_had_is_one_line() {
    let Some(studio) = Studio::open() else { return };
    let refused = |flags: &str, words: &[&str]| {
        studio.retake(&format!("encode film.mkv -o out.mkv {flags}")).refused(2, words);
    };
    refused("-e avcodec:nonsense", &["avcodec:nonsense", "no video encoder of this name"]);
    refused("-e avcodec:", &["no video encoder of this name"]);
    refused("-e avcodec:aac", &["no video encoder of this name"]);
    refused("-e avcodec:ffv1", &["films of ffv1 are not made"]);
    refused("-e avcodec:prores_aw", &["no constant quality"]);
    refused("-e avcodex:mpeg4", &["is unknown", "avcodec:NAME"]);
    refused("-e avcodec:mpeg4 -p slow", &["preset", "slow", "default"]);
    refused("-e avcodec:mpeg4 --crf 40", &["40", "31"]);
    refused("-e avcodec:mpeg4 --encoder-options mbd=nothing", &["mbd"]);
    refused("-e avcodec:mpeg4 --encoder-options nothing=1", &["nothing"]);
    refused("-e avcodec:libx264 --encoder-options x264-params=stats=a", &["x264-params", "free text"]);
    let flags = "-e avcodec:prores_ks --pixel-format yuv422p10le";
    studio.retake(&format!("encode film.mkv -o out.mp4 {flags}")).refused(2, &["cannot hold prores", ".mov"]);
}
