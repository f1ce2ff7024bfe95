//! A run that is killed at any call into the system ends, by the same command, with the same bytes, exit code
//! 0 and nothing left over. `strace` counts the calls and kills.

use crate::common::{Run, Studio, fast};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The calls that change what is on the disk, or wait for it.
const CALLS: [&str; 9] =
    ["unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "fsync"];

/// Runs the command and kills it as it enters the call of this number; `None` if it has fewer.
fn killed_at(studio: &Studio, job: &str, call: &str, number: u32) -> Option<()> {
    let run = Command::new("strace")
        .current_dir(studio.path(""))
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={number}")])
        .arg(env!("CARGO_BIN_EXE_retake"))
        .args(job.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    (!run.success()).then_some(())
}

/// All files of a folder, with their content.
fn content(path: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            content(&entry, into);
        } else {
            into.push((entry.display().to_string(), fs::read(&entry).unwrap()));
        }
    }
}

fn at_every_call(output: &str) {
    let Some(studio) = Studio::empty() else { return };
    let traces = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).status();
    if !traces.is_ok_and(|status| status.success()) {
        return eprintln!("SKIPPED: the strace program is needed, and has to be allowed to trace");
    }
    let inputs = "-f lavfi -i testsrc2=s=128x96:r=25:d=1 -f lavfi -i sine=d=1";
    studio.render(&format!("{inputs} -c:v mpeg4 -c:a aac"), "film.mkv");
    let job = format!("encode film.mkv -o {output} {} --crf 40 --jobs 1 --quiet", fast());
    let all = || {
        let mut all = Vec::new();
        content(&studio.path(""), &mut all);
        all
    };
    let clean = || {
        for name in studio.names().iter().filter(|name| *name != "film.mkv") {
            let path = studio.path(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    };
    let whole = studio.retake(&job);
    assert_eq!(whole.code, 0, "{whole:?}");
    let expected = all();
    let mut kills = 0;
    for call in CALLS {
        for number in 1.. {
            clean();
            if killed_at(&studio, &job, call, number).is_none() {
                break;
            }
            kills += 1;
            let run: Run = studio.retake(&job);
            assert_eq!(run.code, 0, "killed at {call} {number}: {run:?}");
            assert!(all() == expected, "killed at {call} {number}: {:?}", studio.names());
        }
    }
    assert!(kills >= 10, "only {kills} kills show less than they say");
    eprintln!("{kills} kills");
}

#[test]
fn a_film_survives_a_kill_at_every_call() {
    at_every_call("out.mp4");
}

#[test]
fn a_stream_survives_a_kill_at_every_call() {
    at_every_call("out.m3u8");
}
