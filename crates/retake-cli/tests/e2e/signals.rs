//! Signals, streams of output that cannot be written, and inputs that nothing comes from: the run ends soon,
//! and says why.

use crate::common::{Run, Studio, fast, ffmpeg};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Much longer than what is waited for; only there so that a run that never ends fails the test.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits for the end of a run, and kills one that does not come to it.
fn ended(mut child: Child) -> Run {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("it never ends: {:?}", child.wait_with_output());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Run::of(child.wait_with_output().unwrap())
}

fn spawn(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A pipe without a writer has no end. The job folder is made before it is waited for, and goes with the run.
#[test]
fn a_run_that_waits_for_its_input_is_stopped() {
    let Some(studio) = Studio::open() else { return };
    assert!(Command::new("mkfifo").arg(studio.path("fifo")).status().unwrap().success());
    for signal in ["INT", "TERM"] {
        let child = spawn(studio.command(&format!("encode fifo -o out.mp4 {}", fast())));
        let began = Instant::now();
        while !studio.path("out.mp4.retake").exists() && began.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(10));
        }
        Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        ended(child).refused(130, &["stopped"]);
        assert_eq!(studio.names(), ["fifo", "film.mkv"].map(str::to_owned).into());
    }
}

/// A pipe with a name is read as standard input is.
#[test]
fn a_pipe_with_a_name_is_an_input() {
    let Some(studio) = Studio::open() else { return };
    let encode = format!("film.mkv -o whole.mp4 {} --crf 40", fast());
    studio.encode(&encode);
    assert!(Command::new("mkfifo").arg(studio.path("fifo")).status().unwrap().success());
    let (from, to) = (studio.path("film.mkv"), studio.path("fifo"));
    let writer = thread::spawn(move || fs::copy(from, to).unwrap());
    studio.encode(&format!("fifo -o out.mp4 {} --crf 40", fast()));
    writer.join().unwrap();
    assert!(studio.read("out.mp4") == studio.read("whole.mp4"));
}

/// Errors that cannot be written are no panic, and neither are events.
#[test]
fn output_that_cannot_be_written_changes_nothing() {
    let Some(studio) = Studio::open() else { return };
    if !Path::new("/dev/full").exists() {
        return eprintln!("SKIPPED: this system has no /dev/full");
    }
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let mut refused = studio.command("encode missing.mkv -o out.mp4");
    assert_eq!(refused.stderr(full()).status().unwrap().code(), Some(2));
    let mut encode = studio.command(&format!("encode film.mkv -o out.mp4 {} --crf 40 --json", fast()));
    assert_eq!(encode.stdout(full()).stderr(full()).status().unwrap().code(), Some(0));
    assert!(studio.read("out.mp4").len() > 10_000);
}

/// A limit on the size of files is an error of writing, not the death of the process, and the same command
/// without it carries on.
#[cfg(unix)]
#[test]
fn a_limit_on_files_is_an_error() {
    let Some(studio) = Studio::open() else { return };
    let job = format!("encode film.mkv -o out.mp4 {} --crf 20", fast());
    let limited = format!("ulimit -f 16; exec {} {job}", env!("CARGO_BIN_EXE_retake"));
    let mut shell = Command::new("sh");
    shell.current_dir(studio.path("")).args(["-c", &limited]);
    let run = ended(spawn(shell));
    run.refused(1, &["too large"]);
    let run = studio.retake(&job);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(studio.names(), ["film.mkv", "out.mp4"].map(str::to_owned).into());
}

/// Sound that begins a hundred thousand years after the pictures: segments of a stream are not counted up to
/// it.
#[test]
fn sound_that_is_far_away_ends() {
    let Some(studio) = Studio::empty() else { return };
    let inputs = "-f lavfi -i testsrc2=s=128x96:r=25:d=2 -f lavfi -i sine=d=2:r=44100";
    let layout = "-movflags empty_moov+default_base_moof+frag_keyframe";
    ffmpeg(&studio.path(""), &format!("{inputs} -c:v mpeg4 -c:a aac {layout} near.mp4"));
    let mut film = studio.read("near.mp4");
    let find = |film: &[u8], name: &[u8], from: usize| {
        film[from..].windows(4).position(|four| four == name).map(|at| from + at)
    };
    let (mut at, mut moved) = (0, 0);
    while let Some(header) = find(&film, b"tfhd", at) {
        at = find(&film, b"tfdt", header).unwrap();
        if film[header + 8..header + 12] == [0, 0, 0, 2] {
            let time = u64::from_be_bytes(film[at + 8..at + 16].try_into().unwrap());
            let far = time + 3_000_000_000_000 * 44_100;
            film[at + 8..at + 16].copy_from_slice(&far.to_be_bytes());
            moved += 1;
        }
    }
    assert!(moved > 0, "the film has fragments of sound");
    fs::write(studio.path("far.mp4"), film).unwrap();
    let run = ended(spawn(studio.command(&format!("encode far.mp4 -o out.m3u8 {} --crf 40", fast()))));
    assert_eq!(run.code, 0, "{run:?}");
}
