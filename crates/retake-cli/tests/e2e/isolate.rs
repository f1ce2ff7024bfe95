//! `--isolate` runs each take in a process of its own: the same bytes, whatever becomes of the processes, and
//! none of them is left when the job has ended.
#![cfg(target_os = "linux")]

use crate::common::{Running, Studio, encoders, fast, signal, workers_of};
use serde_json::Value;
use std::time::{Duration, Instant};

fn job() -> String {
    format!("film.mkv -o out.mp4 {} --metric psnr -q 36", fast())
}

/// Waits until no process is left, as long as an end may take.
fn all_gone(folder: &str) {
    let began = Instant::now();
    while !workers_of(folder).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?} are left", workers_of(folder));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn folder_of(studio: &Studio) -> String {
    studio.path("out.mp4.retake").canonicalize().unwrap().display().to_string()
}

fn first_take(running: &mut Running) {
    assert!(running.until(&mut |event: &Value| event["event"] == "take_finished"));
}

/// Every encoder makes in processes what it makes on threads, the first one in several passes.
#[test]
fn processes_make_the_bytes_that_threads_make() {
    let Some(studio) = Studio::open() else { return };
    for (number, encoder) in encoders().iter().enumerate() {
        let (goal, jobs) = if number == 0 { ("--metric psnr -q 36", 2) } else { ("--crf 40", 1) };
        let flags = format!("{} {goal} --jobs {jobs}", encoder.flags);
        let name = |how: &str| format!("{number}{how}.mkv");
        let here = studio.encode(&format!("film.mkv -o {} {flags}", name("threads"))).summary();
        let there = studio.encode(&format!("film.mkv -o {} {flags} --isolate", name("processes"))).summary();
        // what processes spend is counted, too
        let cpu = |summary: &Value| summary["cpu_seconds"].as_f64().unwrap();
        assert!(cpu(&there) > cpu(&here) / 2.0, "{}: {} {}", encoder.name, cpu(&there), cpu(&here));
        assert!(studio.read(&name("threads")) == studio.read(&name("processes")), "{} {goal}", encoder.name);
    }
}

/// What kills a process costs the take that it ran, which is run again.
#[test]
fn a_process_that_dies_costs_one_take() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&job().replace("out.mp4", "threads.mp4"));
    let mut running = studio.start(&format!("{} --isolate --jobs 2", job()));
    first_take(&mut running);
    let folder = folder_of(&studio);
    for process in workers_of(&folder) {
        signal(process, "SEGV");
    }
    let (run, ..) = running.end();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(studio.read("out.mp4") == studio.read("threads.mp4"));
    all_gone(&folder);
    assert!(!studio.path("out.mp4.retake").exists());
}

/// Processes end with the export, whether it is asked to end or killed, and it is carried on with threads or
/// with processes.
#[test]
fn no_process_outlives_its_export() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&job().replace("out.mp4", "threads.mp4"));
    for (name, flags) in [("KILL", "--isolate --jobs 2"), ("INT", "--isolate --jobs 2")] {
        let mut running = studio.start(&format!("{} {flags}", job()));
        first_take(&mut running);
        let folder = folder_of(&studio);
        running.signal(name);
        running.end();
        all_gone(&folder);
    }
    studio.encode(&job());
    assert!(studio.read("out.mp4") == studio.read("threads.mp4"));
}

/// A worker does nothing for a job that is not there, or is another one's.
#[test]
fn a_worker_refuses_what_is_no_job() {
    let Some(studio) = Studio::open() else { return };
    let run = studio.retake("worker --source film.mkv nowhere");
    assert!(run.code != 0 && run.out.contains("nowhere"), "{run:?}");
    assert!(!studio.path("nowhere").exists());
}
