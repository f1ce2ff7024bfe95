//! Job folders: who may work in them, with which settings, and how a person stops a job.

use crate::common::{Studio, fast, ffmpeg};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

fn job() -> String {
    format!("film.mkv -o out.mp4 {} --metric psnr -q 36", fast())
}

fn takes(studio: &Studio) -> BTreeSet<String> {
    let entries = fs::read_dir(studio.path("out.mp4.retake/takes")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".take")).collect()
}

fn is_take(event: &Value) -> bool {
    event["event"] == "take_finished"
}

/// A28, PA-12: the number of takes at once changes nothing in the film, although takes end in another order,
/// and some are encoded again.
#[test]
fn a28_one_two_and_four_takes_at_once_make_the_same_bytes() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} --metric psnr -q 36", fast());
    for jobs in [1, 2, 4] {
        let run = studio.encode(&format!("film.mkv -o jobs{jobs}.mp4 {flags} --jobs {jobs}"));
        assert_eq!(run.events()[0]["jobs"], jobs);
        assert!(studio.read("jobs1.mp4") == studio.read(&format!("jobs{jobs}.mp4")), "{jobs} jobs");
    }
}

/// The memory and the number of takes at once change nothing in the film, whatever an encoder does before it
/// codes a unit: correct itself (x264), look first (x265, SVT-AV1), or make a first pass over it (VP9). In
/// the least budget that is enough the takes read their frames themselves.
#[test]
fn every_memory_makes_the_same_bytes() {
    let Some(studio) = Studio::open() else { return };
    ffmpeg(studio.path(".").as_path(), "-i film.mkv -map 0:v -c copy -frames:v 100 clip.mkv");
    for encoder in crate::common::encoders() {
        let encode = |memory: &str, jobs: u32| {
            let flags = format!("{} --quality 90 --passes 2 --memory {memory} --jobs {jobs}", encoder.flags);
            studio.retake(&format!("encode clip.mkv -o out.mp4 --overwrite --restart {flags} --json"))
        };
        // The least budget is the number in the refusal of a smaller one.
        let refused = encode("1M", 1);
        let words: Vec<&str> = refused.err.split_whitespace().collect();
        let needed = words.windows(2).find(|pair| pair[1] == "MB,").map(|pair| pair[0]);
        let least = format!("{}M", needed.unwrap());
        let mut films = Vec::new();
        for (memory, jobs) in [(least.as_str(), 8), ("2G", 1), ("8G", 2), ("64G", 8)] {
            let run = encode(memory, jobs);
            assert!([0, 3].contains(&run.code), "{} {memory}: {run:?}", encoder.name);
            assert!(
                memory != least || run.events()[0]["jobs"] == 1,
                "{}: {memory} is not the least",
                encoder.name
            );
            films.push(studio.read("out.mp4"));
        }
        assert!(films.iter().all(|film| *film == films[0]), "{}: other bytes", encoder.name);
    }
}

/// A28: with each encoder of this build, and with threads of its own: as many as it was given, however many
/// takes run beside it, so that what it writes does not depend on the load.
#[test]
fn a28_every_encoder_repeats_itself_beside_others() {
    let Some(studio) = Studio::open() else { return };
    for encoder in crate::common::encoders() {
        let (name, flags) = (&encoder.name, &encoder.flags);
        for jobs in [1, 2, 4] {
            let flags = format!("{flags} --crf 40 --threads 2 --jobs {jobs}");
            studio.encode(&format!("film.mkv -o {name}{jobs}.mkv {flags}"));
            let same = studio.read(&format!("{name}1.mkv")) == studio.read(&format!("{name}{jobs}.mkv"));
            assert!(same, "{name}: {jobs} takes at once");
        }
    }
}

/// Ctrl-C ends the job within two seconds with exit code 130 and one line that says how to go on; the same
/// command does.
#[test]
fn ctrl_c_stops_at_once_and_says_how_to_go_on() {
    let Some(studio) = Studio::open() else { return };
    type Test = fn(&Value) -> bool;
    let moments: [(&str, Test); 5] = [
        ("started", |event| event["event"] == "started"),
        ("a take is finished", is_take),
        ("pass 2", |event| event["event"] == "pass_started" && event["pass"] == 2),
        ("writing", |event| event["event"] == "writing"),
        ("verifying", |event| event["event"] == "verifying"),
    ];
    let mut stopped = 0;
    for (number, (name, moment)) in (0..).zip(moments) {
        let mut running = studio.start(&job());
        running.until(&mut { moment });
        running.signal(if number % 2 == 0 { "INT" } else { "TERM" });
        let (run, _, took) = running.end();
        assert!(took < Duration::from_secs(2), "{name}: took {took:?}");
        if run.code == 0 {
            eprintln!("{name}: the job was done before the signal came");
            fs::remove_file(studio.path("out.mp4")).unwrap();
            continue;
        }
        stopped += 1;
        run.refused(130, &["the same command"]);
        assert_eq!(studio.names(), ["film.mkv", "out.mp4.retake"].map(str::to_owned).into(), "{name}");
    }
    assert!(stopped > 0, "no signal came in time");
    studio.encode(&job());
    assert_eq!(studio.names(), ["film.mkv", "out.mp4"].map(str::to_owned).into());
}

/// A job folder is carried on only by the job that began it; others are told, and nothing is lost.
/// `--restart` begins anew.
#[test]
fn other_settings_on_an_old_job_folder() {
    let Some(studio) = Studio::open() else { return };
    let mut running = studio.start(&job());
    running.until(&mut |event| is_take(event) && event["range"]["start"] != 0);
    running.signal("KILL");
    drop(running);
    let before = takes(&studio);
    assert!(!before.is_empty());
    let other = format!("film.mkv -o out.mp4 {} --metric psnr -q 35", fast());
    let run = studio.retake(&format!("encode {other}"));
    run.refused(2, &["out.mp4.retake", "other settings", "36", "35", "--restart", "--work-dir"]);
    assert_eq!(takes(&studio), before, "nothing is lost");

    // another folder for the other job, while the first one waits
    studio.encode(&format!("{other} --work-dir elsewhere"));
    assert_eq!(takes(&studio), before, "nothing is lost");
    fs::rename(studio.path("out.mp4"), studio.path("other.mp4")).unwrap();

    let run = studio.encode(&format!("{other} --restart"));
    assert!(
        run.events().iter().filter(|event| is_take(event)).all(|take| take["kept"] == false),
        "begun anew: {run:?}"
    );
    assert!(studio.read("out.mp4") == studio.read("other.mp4"));
    assert_eq!(studio.names(), ["film.mkv", "other.mp4", "out.mp4"].map(str::to_owned).into());
}

/// A source that changed is noticed.
#[test]
fn another_film_under_the_same_name() {
    let Some(studio) = Studio::open() else { return };
    let mut running = studio.start(&job());
    running.until(&mut is_take);
    running.signal("KILL");
    drop(running);
    let mut film = studio.read("film.mkv");
    let last = film.len() - 1;
    film[last] ^= 1;
    fs::remove_file(studio.path("film.mkv")).unwrap(); // it is shared with other tests
    fs::write(studio.path("film.mkv"), film).unwrap();
    let run = studio.retake(&format!("encode {}", job()));
    run.refused(2, &["--restart"]);
}

/// Two processes never work in one folder.
#[test]
fn a_second_process_is_refused() {
    let Some(studio) = Studio::open() else { return };
    let mut first = studio.start(&job());
    assert!(first.until(&mut |event| event["event"] == "started"));
    first.signal("STOP");
    for restart in ["", "--restart"] {
        let second = studio.retake(&format!("encode {} {restart}", job()));
        second.refused(2, &["another retake", "out.mp4.retake"]);
    }
    first.signal("CONT");
    let (run, ..) = first.end();
    assert_eq!(run.code, 0, "the first one goes on: {run:?}");
}

/// A job in a folder of its own leaves nothing behind there, either.
#[test]
fn a_work_folder_elsewhere() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&format!("film.mkv -o out.mp4 {} --crf 40 --work-dir work", fast()));
    assert_eq!(studio.names(), ["film.mkv", "out.mp4"].map(str::to_owned).into());
    let again = studio.retake(&format!("encode film.mkv -o out.mp4 {} --crf 41 --overwrite --json", fast()));
    assert_eq!(again.code, 0, "{again:?}");
}

/// A work folder in a folder that does not exist: refused, or made and removed again.
#[test]
fn a_work_folder_nowhere() {
    let Some(studio) = Studio::open() else { return };
    let run = studio.retake(&format!("encode film.mkv -o out.mp4 {} --crf 40 --work-dir none/work", fast()));
    if run.code != 0 {
        run.refused(2, &["none"]);
    }
    assert!(!studio.path("none").exists(), "{:?}", studio.names());
}
