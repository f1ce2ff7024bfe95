//! What the command says: help, lists, events.

use crate::common::{Studio, encoders, fast};
use std::collections::BTreeSet;
use std::io::Read;
use std::process::Stdio;

#[test]
fn help_and_version() {
    let Some(studio) = Studio::empty() else { return };
    for arguments in ["--help", "encode --help", "encoders --help", "measure --help", "-h", "help"] {
        let run = studio.retake(arguments);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{arguments}");
        assert!(run.out.contains("Usage: retake"), "{arguments}: {run:?}");
    }
    let help = studio.retake("encode --help").out;
    for word in
        ["--quality", "--bitrate", "--size", "--crf", "--jobs", "--restart", "--json", "Exit codes", "130"]
    {
        assert!(help.contains(word), "no {word} in the help");
    }
    // rare flags are shown where they are asked for, and all flags have a place there
    let all = studio.retake("encode --help-all");
    assert_eq!((all.code, all.err.as_str()), (0, ""));
    let flags = |text: &str| -> BTreeSet<String> {
        let words = text.lines().filter(|line| line.trim_start().starts_with('-'));
        words
            .flat_map(|line| line.split([' ', '[', '=']))
            .filter(|word| word.starts_with("--"))
            .map(str::to_owned)
            .collect()
    };
    let (usual, all) = (flags(&help), flags(&all.out));
    let rare: Vec<&String> = all.difference(&usual).collect();
    assert!(rare.len() >= 15 && rare.contains(&&"--encoder-options".to_owned()), "{rare:?}");
    assert_eq!(usual.difference(&all).collect::<Vec<_>>(), ["--help-all"]);
    assert_eq!(
        flags(&studio.retake("watch a -o b --help-all").out).difference(&all).collect::<Vec<_>>(),
        ["--settle"]
    );
    // what is hidden is obeyed
    studio.retake("encode none.mkv -o out.mkv --threads 0 --crf 30").refused(2, &["--threads 0"]);
    let version = studio.retake("--version");
    assert!(version.code == 0 && version.out.starts_with("retake "), "{version:?}");
    assert_eq!(studio.retake("").code, 2);
}

#[test]
fn lists_of_encoders_and_metrics() {
    let Some(studio) = Studio::empty() else { return };
    let run = studio.retake("encoders");
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains("metric") && run.out.contains("psnr"));
    for encoder in encoders() {
        assert!(run.out.contains(&encoder.name));
        let about = studio.retake(&format!("encoders {}", encoder.name));
        assert_eq!((about.code, about.err.as_str()), (0, ""));
        assert!(about.out.contains("presets") && about.out.contains("quality scale"), "{about:?}");
        let about = studio.retake(&format!("encoders {} --json", encoder.name));
        let about: serde_json::Value = serde_json::from_str(&about.out).unwrap();
        assert_eq!(about["name"], encoder.name);
    }
    studio.retake("encoders warp").refused(2, &["warp", "retake encoders"]);
}

#[test]
fn every_event_is_a_line_of_json() {
    let Some(studio) = Studio::open() else { return };
    let run = studio.encode(&format!("film.mkv -o out.mp4 {} --metric psnr -q 36", fast()));
    assert!(run.err.is_empty(), "{run:?}");
    let events = run.events();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[1]), ("started", "pass_started"));
    for name in ["indexed", "encoded", "take_finished", "writing", "verifying", "finished"] {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    // frames are told in order, passes begin in order
    let numbers = |name: &str, key: &str| -> Vec<u64> {
        events
            .iter()
            .filter(|event| event["event"] == name)
            .map(|event| event[key].as_u64().unwrap())
            .collect()
    };
    for (name, key) in [("indexed", "frames"), ("verifying", "frames"), ("pass_started", "pass")] {
        assert!(numbers(name, key).is_sorted(), "{name}: {:?}", numbers(name, key));
    }
    for pass in events.iter().filter(|event| event["event"] == "pass_started") {
        let encoded =
            events.iter().filter(|event| event["event"] == "encoded" && event["pass"] == pass["pass"]);
        let encoded: u64 = encoded.map(|event| event["frames"].as_u64().unwrap()).sum();
        let taken =
            events.iter().filter(|event| event["event"] == "take_finished" && event["pass"] == pass["pass"]);
        let taken: u64 = taken
            .map(|take| take["range"]["end"].as_u64().unwrap() - take["range"]["start"].as_u64().unwrap())
            .sum();
        assert_eq!(encoded, taken, "pass {}", pass["pass"]);
    }
}

#[test]
fn quiet_says_nothing_and_a_person_gets_a_table() {
    let Some(studio) = Studio::open() else { return };
    let run = studio.retake(&format!("encode film.mkv -o quiet.mp4 {} --crf 40 --quiet", fast()));
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));
    let run = studio.retake(&format!("encode film.mkv -o out.mp4 {} --metric psnr -q 36", fast()));
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    for word in ["pass  takes", "psnr (mean of each unit)", "satisfied", "out.mp4: 216 frames"] {
        assert!(run.out.contains(word), "no '{word}' in {}", run.out);
    }
    let measured = studio.retake("measure film.mkv out.mp4 --metric psnr -q 36");
    assert!(measured.out.contains("0 of 8 units below 36"), "{measured:?}");
}

/// A reader that goes away (`| head -1`) ends nothing badly.
#[test]
fn a_closed_pipe_is_no_panic() {
    let Some(studio) = Studio::open() else { return };
    let encode = format!("encode film.mkv -o out.mp4 {} --crf 40 --json", fast());
    for arguments in
        ["encoders --json", "encoders", "--help", "measure film.mkv film.mkv --metric psnr --json", &encode]
    {
        let mut child =
            studio.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status = child.wait().unwrap();
        assert!(!err.contains("panicked"), "{arguments}: {err}");
        assert_ne!(status.code(), Some(101), "{arguments}: {err}");
    }
    assert!(studio.path("out.mp4").exists(), "the encode went on");
}
