//! A run that is killed at any call into the system ends, by the same command, with the same bytes, exit code
//! 0 and nothing left over. `strace` counts the calls and kills.

use crate::common::{RECORDS, Run, Studio, fast};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// The calls that change what is on the disk, or wait for it.
const CALLS: [&str; 9] =
    ["unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "fsync"];

/// Whether calls can be traced, and a visible word where not.
fn traces() -> bool {
    let traces = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).status();
    let traces = traces.is_ok_and(|status| status.success());
    if !traces {
        eprintln!("SKIPPED: the strace program is needed, and has to be allowed to trace");
    }
    traces
}

/// Runs the command and lets something happen at calls of a kind, which are listed in a log.
fn traced(studio: &Studio, job: &str, call: &str, happens: &str, log: &Path) -> ExitStatus {
    Command::new("strace")
        .current_dir(studio.path(""))
        .args(["-f", "-qq", "-o"])
        .arg(log)
        .args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{happens}")])
        .arg(env!("CARGO_BIN_EXE_retake"))
        .args(job.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

/// Runs the command and kills it as it enters the call of this number; `None` if it has fewer.
fn killed_at(studio: &Studio, job: &str, call: &str, number: u32) -> Option<()> {
    let run = traced(studio, job, call, &format!("signal=KILL:when={number}"), Path::new("/dev/null"));
    (!run.success()).then_some(())
}

/// All files of a folder but records, which tell of CPU and time, with their content.
fn content(path: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            content(&entry, into);
        } else if !entry.to_string_lossy().ends_with(RECORDS) {
            into.push((entry.display().to_string(), fs::read(&entry).unwrap()));
        }
    }
}

/// Removes all but the source.
fn clean(studio: &Studio) {
    for name in studio.all_names().iter().filter(|name| *name != "film.mkv") {
        let path = studio.path(name);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
}

fn at_every_call(output: &str) {
    let Some(studio) = Studio::empty() else { return };
    if !traces() {
        return;
    }
    let inputs = "-f lavfi -i testsrc2=s=128x96:r=25:d=1 -f lavfi -i sine=d=1";
    studio.render(&format!("{inputs} -c:v mpeg4 -c:a aac"), "film.mkv");
    let job = format!("encode film.mkv -o {output} {} --crf 40 --jobs 1 --quiet", fast());
    let all = || {
        let mut all = Vec::new();
        content(&studio.path(""), &mut all);
        all
    };
    let whole = studio.retake(&job);
    assert_eq!(whole.code, 0, "{whole:?}");
    let expected = all();
    let mut kills = 0;
    for call in CALLS {
        for number in 1.. {
            clean(&studio);
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

/// Calls that a signal interrupts are made again, whatever they are: every other one of each thread is.
#[test]
fn interrupted_calls_are_made_again() {
    let Some(studio) = Studio::empty() else { return };
    if !traces() {
        return;
    }
    let inputs = "-f lavfi -i testsrc2=s=128x96:r=25:d=1 -f lavfi -i sine=d=1";
    studio.render(&format!("{inputs} -c:v mpeg4 -c:a aac"), "film.mkv");
    // reads and opens are left out: those of the loader come first, and it does not repeat them
    let calls = "mkdir,mkdirat,rmdir,rename,renameat,renameat2,unlink,unlinkat,write,fsync,flock,ftruncate,\
                 copy_file_range";
    let all = || {
        let mut all = Vec::new();
        content(&studio.path(""), &mut all);
        all
    };
    for output in ["out.mp4", "out.m3u8"] {
        let job = format!("encode film.mkv -o {output} {} --crf 40 --jobs 1 --quiet", fast());
        assert_eq!(studio.retake(&job).code, 0);
        let expected = all();
        clean(&studio);
        let log = studio.path("").with_extension("calls");
        let interrupted = Command::new("strace")
            .current_dir(studio.path(""))
            .args(["-f", "-qq", "-e", &format!("trace={calls}"), "-o"])
            .arg(&log)
            .args(["-e", &format!("inject={calls}:error=EINTR:when=1+2")])
            .arg(env!("CARGO_BIN_EXE_retake"))
            .args(job.split_whitespace())
            .output()
            .unwrap();
        let run = Run::of(interrupted);
        let log = {
            let text = fs::read_to_string(&log).unwrap();
            fs::remove_file(log).unwrap();
            text
        };
        assert!(run.code == 0 && run.err.is_empty(), "{run:?}");
        assert!(log.matches("(INJECTED)").count() > 20, "{log}");
        assert!(all() == expected, "{:?}", studio.names());
        clean(&studio);
    }
}

/// A run that dies behind the last that it had to do leaves nothing but the film: the same command knows it
/// again, tells how it went, and changes nothing. Any other command, or the same one with another source,
/// finds a film that is there already.
#[test]
fn the_same_command_knows_what_it_has_finished() {
    let Some(studio) = Studio::empty() else { return };
    let inputs = "-f lavfi -i testsrc2=s=128x96:r=25:d=1 -f lavfi -i sine=d=1";
    let film = studio.render(&format!("{inputs} -c:v mpeg4 -c:a aac"), "film.mkv");
    // another program says whether files have attributes here
    let set = "import os, sys; os.setxattr(sys.argv[1], 'user.retake.trial', b'x')";
    if !Command::new("python3").args(["-c", set]).arg(film).output().is_ok_and(|run| run.status.success()) {
        return eprintln!("SKIPPED: files have no attributes here, or Python is missing");
    }
    for output in ["out.mp4", "out.m3u8"] {
        let job = format!("encode film.mkv -o {output} {} --crf 40 --json", fast());
        let first = studio.retake(&job);
        assert_eq!(first.code, 0, "{first:?}");
        let before = studio.read(output);
        let again = studio.retake(&job);
        assert_eq!((again.code, again.summary()), (0, first.summary()), "{again:?}");
        assert!(studio.read(output) == before);
        let other = job.replace("--crf 40", "--crf 41");
        studio.retake(&other).refused(2, &[output, "exists already"]);
        // without its attribute a copy is a film like any other
        fs::write(studio.path(output), &before).unwrap();
        assert_eq!(studio.retake(&job).code, 0, "the same bytes in the same file");
        fs::remove_file(studio.path(output)).unwrap();
        fs::write(studio.path(output), &before).unwrap();
        studio.retake(&job).refused(2, &[output, "exists already"]);
        fs::remove_file(studio.path(output)).unwrap();
    }
    // media that are gone, a film that is another, and a source that is another
    let job = format!("encode film.mkv -o out.m3u8 {} --crf 40 --json", fast());
    assert_eq!(studio.retake(&job).code, 0);
    fs::remove_dir_all(studio.path("out.media")).unwrap();
    studio.retake(&job).refused(2, &["out.m3u8", "exists already"]);
    let job = format!("encode film.mkv -o out.mp4 {} --crf 40 --json", fast());
    assert_eq!(studio.retake(&job).code, 0);
    let mut source = studio.read("film.mkv");
    *source.last_mut().unwrap() ^= 1;
    fs::write(studio.path("film.mkv"), source).unwrap();
    studio.retake(&job).refused(2, &["out.mp4", "exists already"]);
}

/// Runs the command and lets a call of this number fail in each thread; the exit code, or `None` if none has
/// as many.
fn fails_at(studio: &Studio, job: &str, call: &str, number: u32) -> Option<i32> {
    let log = studio.path("").with_extension("calls");
    let run = traced(studio, job, call, &format!("error=EIO:when={number}"), &log);
    let text = fs::read_to_string(&log).unwrap();
    fs::remove_file(log).unwrap();
    text.contains("(INJECTED)").then(|| run.code().expect("it ends by itself"))
}

/// Where a file or a folder cannot be removed once, the command comes to the same bytes, with nothing left
/// over, also where the film was in its place already.
#[test]
fn removals_that_fail_once_leave_nothing_for_good() {
    let Some(studio) = Studio::empty() else { return };
    if !traces() {
        return;
    }
    studio.render("-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v mpeg4", "film.mkv");
    let job = format!("encode film.mkv -o out.mp4 {} --crf 40 --jobs 1 --quiet", fast());
    let all = || {
        let mut all = Vec::new();
        content(&studio.path(""), &mut all);
        all
    };
    assert_eq!(studio.retake(&job).code, 0);
    let expected = all();
    let mut failures = 0;
    for call in ["unlink", "unlinkat", "rmdir"] {
        for number in 1.. {
            clean(&studio);
            let Some(code) = fails_at(&studio, &job, call, number) else { break };
            failures += 1;
            assert!([0, 1].contains(&code), "{call} {number}: {code}");
            if all() != expected {
                let run = studio.retake(&job);
                assert_eq!(run.code, 0, "{call} {number}: {run:?}");
            }
            assert!(all() == expected, "{call} {number}: {:?}", studio.names());
        }
    }
    assert!(failures > 3, "{failures}");
}

/// Where bytes of the source cannot be read, once or from then on, no film is made without them: the run says
/// so and ends, and the same command comes to the same bytes.
#[test]
fn bytes_that_cannot_be_read_are_not_left_out() {
    let Some(studio) = Studio::empty() else { return };
    if !traces() {
        return;
    }
    studio.render("-f lavfi -i testsrc2=s=320x240:r=25:d=1 -c:v mpeg2video -q:v 2", "film.ts");
    let job = format!("encode film.ts -o out.mkv {} --crf 40 --jobs 1", fast());
    assert_eq!(studio.retake(&job).code, 0);
    let whole = studio.read("out.mkv");
    let (log, messages) = (studio.path("").with_extension("calls"), studio.path("").with_extension("said"));
    let mut told = 0;
    for when in ["", "+"] {
        let mut number = 1u32;
        loop {
            fs::remove_file(studio.path("out.mkv")).ok();
            let status = Command::new("strace")
                .current_dir(studio.path(""))
                .args(["-f", "-qq", "-P", "film.ts", "-o"])
                .arg(&log)
                .args(["-e", "trace=read", "-e", &format!("inject=read:error=EIO:when={number}{when}")])
                .arg(env!("CARGO_BIN_EXE_retake"))
                .args(job.split_whitespace())
                .stdout(Stdio::null())
                .stderr(fs::File::create(&messages).unwrap())
                .status()
                .unwrap();
            if !fs::read_to_string(&log).unwrap().contains("(INJECTED)") {
                break;
            }
            let (code, said) = (status.code(), fs::read_to_string(&messages).unwrap());
            let about = format!("read {number}{when}: {code:?}, {said}");
            assert!([Some(1), Some(2)].contains(&code), "{about}");
            assert!(said.contains("film.ts") && said.contains("nput/output error"), "{about}");
            assert!(!studio.names().contains("out.mkv"), "{about}");
            assert_eq!(studio.retake(&job).code, 0, "{about}");
            assert!(studio.read("out.mkv") == whole, "{about}");
            told += 1;
            // Near the beginning each counts, and later ones are alike.
            number += number;
        }
    }
    assert!(told > 5, "{told}");
    for file in [log, messages] {
        fs::remove_file(file).unwrap();
    }
}
