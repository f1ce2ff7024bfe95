//! Films from standard input.

use crate::common::{FRAMES, Running, Studio, encoders, fast, picture_hashes, video_bytes};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What `ffmpeg` writes to a pipe that `retake` reads.
fn piped(studio: &Studio, arguments: &str, retake: &str) -> (i32, String) {
    let folder = studio.path(".");
    let mut writer = Command::new("ffmpeg")
        .current_dir(&folder)
        .args(["-nostdin", "-v", "error", "-threads", "1"])
        .args(arguments.split_whitespace())
        .arg("-")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let run = studio.command(retake).stdin(writer.stdout.take().unwrap()).output().unwrap();
    writer.wait().unwrap();
    (run.status.code().unwrap_or(-1), String::from_utf8(run.stderr).unwrap())
}

/// A raw film.
const RAW: &str = "-i film.mkv -map 0:v -fps_mode passthrough -pix_fmt yuv420p -f yuv4mpegpipe";

/// A raw film from a pipe becomes what the same film in a file becomes, byte for byte, with several passes.
#[test]
fn y4m_on_standard_input() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} --metric psnr -q 36", fast());
    studio.render(RAW, "film.y4m");
    let (code, err) = piped(&studio, RAW, &format!("encode - -o pipe.mp4 {flags}"));
    assert_eq!((code, err.as_str()), (0, ""));
    studio.encode(&format!("film.y4m -o file.mp4 {flags}"));
    assert!(studio.read("pipe.mp4") == studio.read("file.mp4"));
    assert_eq!(video_bytes(&studio.path("pipe.mp4")).1, FRAMES);
    assert!(!studio.path("pipe.mp4.retake").exists());
    let measured = studio.retake("measure film.mkv pipe.mp4 --metric psnr -q 36");
    assert_eq!(measured.code, 0, "{measured:?}");
}

/// A whole film with sound from a pipe, too.
#[test]
fn matroska_on_standard_input() {
    let Some(studio) = Studio::open() else { return };
    let (code, err) = piped(
        &studio,
        "-i film.mkv -map 0 -c copy -f matroska",
        &format!("encode - -o out.mkv {} --crf 40", fast()),
    );
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(picture_hashes(&studio.path("out.mkv")).len() as u64, FRAMES);
    let sound = |name| crate::common::packet_hashes(&studio.path(name), "a");
    assert_eq!(sound("out.mkv"), sound("film.mkv"));
}

#[test]
fn an_empty_pipe_and_a_pipe_of_rubbish() {
    let Some(studio) = Studio::empty() else { return };
    let run = studio.retake("encode - -o out.mp4");
    run.refused(2, &["standard input", "empty"]);
    assert!(studio.names().is_empty(), "{:?}", studio.names());
    let mut child =
        studio.command("encode - -o out.mp4").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&[b'x'; 5000]).unwrap();
    let run = child.wait_with_output().unwrap();
    let err = String::from_utf8(run.stderr).unwrap();
    assert_eq!((run.status.code(), err.lines().count()), (Some(2), 1), "{err}");
    assert!(!err.contains("panicked"), "{err}");
    assert!(studio.names().is_empty(), "{:?}", studio.names());
}

/// Ctrl-C while the pipe gives nothing more.
#[test]
fn ctrl_c_while_waiting_for_a_pipe() {
    let Some(studio) = Studio::empty() else { return };
    let arguments = format!("encode - -o out.mp4 {} --json", fast());
    let mut command = studio.command(&arguments);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let running = Running::start({
        command.stdin(reader);
        command
    });
    writer.write_all(b"YUV4MPEG2 W64 H64 F25:1 C420\n").unwrap();
    // the copy of standard input tells that the wait has begun
    let began = Instant::now();
    while !studio.path("out.mp4.retake").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    running.signal("INT");
    // the pipe ends much later, in case that the signal alone does not do it
    let patience = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(6));
        drop(writer);
    });
    let (run, _, took) = running.end();
    patience.join().unwrap();
    assert!(took < Duration::from_secs(2), "took {took:?}: {run:?}");
    assert_eq!(run.code, 130, "{run:?}");
}

#[test]
fn every_encoder_takes_a_pipe() {
    let Some(studio) = Studio::open() else { return };
    for encoder in encoders() {
        let name = format!("{}.mkv", encoder.name);
        let source =
            "-i film.mkv -map 0:v -frames:v 60 -fps_mode passthrough -pix_fmt yuv420p -f yuv4mpegpipe";
        let (code, err) = piped(&studio, source, &format!("encode - -o {name} {} --crf 45", encoder.flags));
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        assert_eq!(picture_hashes(&studio.path(&name)).len(), 60, "{name}");
    }
}
