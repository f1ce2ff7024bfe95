//! What stays of a job: its records, what they are good for, and that they harm nobody.

use super::common::{RECORDS, Studio, between, fullest, probe};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const JOB: &str = "film.mkv -e x264 -p veryfast --metric psnr --jobs 2";

fn records(studio: &Studio, name: &str) -> Value {
    serde_json::from_slice(&studio.read(&format!("{name}{RECORDS}"))).unwrap()
}

/// The sizes of the video samples of a film in decode order, as another program reads them.
fn packets(studio: &Studio, name: &str) -> Vec<u64> {
    let arguments =
        ["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=size", "-of", "csv=p=0"];
    let run = Command::new("ffprobe").args(arguments).arg(studio.path(name)).output().unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(',').parse().unwrap()).collect()
}

/// The record of the chosen take of each unit.
fn chosen(file: &Value) -> Vec<&Value> {
    let units = file["records"]["units"].as_array().unwrap();
    let take = |unit: &'_ Value| unit["chosen"].as_u64().unwrap() as usize;
    units.iter().map(|unit| &unit["takes"][take(unit)]["record"]).collect()
}

/// Records lie beside the film, say what another program finds in it, and do not change it.
#[test]
fn records_tell_of_the_film_and_leave_it_as_it_is() {
    let Some(studio) = Studio::open() else { return };
    let run = studio.encode(&format!("{JOB} -q 38 -o out.mkv"));
    studio.encode(&format!("{JOB} -q 38 -o without.mkv --keep-records no"));
    assert!(studio.read("out.mkv") == studio.read("without.mkv"), "records change the film");
    let names = ["film.mkv", "out.mkv", "out.mkv.retake.json", "without.mkv"].map(str::to_owned);
    assert_eq!(studio.all_names(), names.into());
    let file = records(&studio, "out.mkv");
    let sizes: Vec<u64> = chosen(&file)
        .iter()
        .flat_map(|record| record["sizes"].as_array().unwrap())
        .map(|size| size.as_u64().unwrap())
        .collect();
    assert_eq!(sizes, packets(&studio, "out.mkv"));
    let summary = run.summary();
    for field in ["frames", "file_bytes", "video_bytes", "quality", "passes"] {
        assert_eq!(file["records"]["summary"][field], summary[field], "{field}");
    }
    let takes: usize = file["records"]["units"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unit| unit["takes"].as_array().unwrap().len())
        .sum();
    let made = run.events().iter().filter(|event| event["event"] == "take_finished").count();
    assert_eq!(takes, made, "each take is there, and once");
    assert_eq!(file["records"]["source"]["chapters"][1]["title"], "Evening");
}

/// The mean score of a take that was scored whole is that of its frames.
#[test]
fn scores_of_frames_add_up() {
    let Some(studio) = Studio::open() else { return };
    studio.encode("film.mkv -e x264 -p veryfast --metric psnr --floor min -q 34 -o out.mkv --jobs 2");
    for record in chosen(&records(&studio, "out.mkv")) {
        let scores = record["frame_scores"]["values"].as_array().unwrap();
        let frames = record["range"]["end"].as_u64().unwrap() - record["range"]["start"].as_u64().unwrap();
        assert_eq!(scores.len() as u64, frames);
        let least = scores.iter().map(|score| score.as_f64().unwrap()).fold(f64::INFINITY, f64::min);
        let value = record["score"]["value"].as_f64().unwrap();
        assert!((least - value).abs() < 0.01, "{least} instead of {value}");
    }
}

/// What the command writes is as `docs/records.schema.json` says, and holds no field that it does not name: a
/// validator of another project judges.
#[test]
fn what_is_written_is_what_the_schema_says() {
    const VALIDATE: &str = r##"
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
def close(node):
    if isinstance(node, dict):
        if "properties" in node:
            node["additionalProperties"] = False
        for value in node.values():
            close(value)
    if isinstance(node, list):
        for value in node:
            close(value)
close(schema["$defs"])
schema["$ref"] = "#/$defs/" + sys.argv[2]
validator = jsonschema.Draft202012Validator(schema)
for line in sys.stdin:
    for error in validator.iter_errors(json.loads(line)):
        best = jsonschema.exceptions.best_match([error])
        sys.exit(f"{best.json_path}: {best.message[:500]}")
"##;
    let Some(studio) = Studio::open() else { return };
    let there = Command::new("python3").args(["-c", "import jsonschema"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: python3 with the package jsonschema is needed");
        return;
    }
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/records.schema.json");
    let validate = |what: &str, text: &[u8]| {
        let mut python = Command::new("python3")
            .args(["-c", VALIDATE])
            .arg(&schema)
            .arg(what)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // who is refused early does not read to the end
        let _ = python.stdin.take().unwrap().write_all(text);
        let ended = python.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        (ended.status.success(), said)
    };
    let flags = [
        "-q 38 --from 1 --to 6",
        "--bitrate 300k",
        "--size 300k --max-bitrate 900k",
        "--crf 30 --passes 1 --fps 12.5 --rotate 90 --crop 100:200:40:60 --denoise light --scale fit:90x90 --filter null",
    ];
    for (number, flags) in flags.into_iter().enumerate() {
        let name = format!("out{number}.mkv");
        let run = studio.retake(&format!("encode {JOB} {flags} -o {name} --json"));
        assert!([0, 3].contains(&run.code), "{run:?}");
        let (valid, said) = validate("event", run.out.as_bytes());
        assert!(valid, "{flags}: an event: {said}");
        let text = studio.read(&format!("{name}{RECORDS}"));
        let (valid, said) = validate("file", &text);
        assert!(valid, "{flags}: the records: {said}");
        let other = String::from_utf8(text).unwrap().replacen("\"chosen\"", "\"shipped\"", 1);
        assert!(!validate("file", other.as_bytes()).0, "the schema refuses nothing");
    }
    fs::write(studio.path("broken.mkv"), "no film").unwrap();
    let run = studio.retake("encode film.mkv broken.mkv -e x264 -p superfast --crf 40 -o out/ --json");
    assert_eq!(run.code, 2, "{run:?}");
    let (valid, said) = validate("event", run.out.as_bytes());
    assert!(valid, "an event of several films: {said}");
}

/// A file of records that is newer, damaged, or none is told in a line, and what is somebody else's is not
/// replaced unless that was asked for.
#[test]
fn nothing_is_guessed_and_nothing_replaced() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&format!("{JOB} -q 38 -o out.mkv"));
    let text = String::from_utf8(studio.read("out.mkv.retake.json")).unwrap();
    let ask = |text: &str, words: &[&str]| {
        fs::write(studio.path("some.json"), text).unwrap();
        studio.retake("replan some.json -q 40").refused(2, words);
    };
    ask(&text.replacen("\"version\":1", "\"version\":2", 1), &["version 2", "newer"]);
    ask(&text.replacen("\"bytes\":", "\"bytes\":1", 1), &["damaged", "checksum"]);
    ask(&text[..text.len() / 2], &["damaged"]);
    ask("{\"holiday\": true}", &["no records"]);
    studio.retake("replan nowhere.mp4 -q 40").refused(2, &["nowhere.mp4", "no records"]);
    for name in ["out.mkv", "out.mkv.retake.json", "out.mkv.retake"] {
        let run = studio.retake(&format!("replan {name} -q 40 --json"));
        assert_eq!(run.code, 0, "{name}: {run:?}");
    }
    // another film at the place of the one that they tell of
    fs::rename(studio.path("out.mkv"), studio.path("moved.mkv")).unwrap();
    fs::copy(studio.path("film.mkv"), studio.path("out.mkv")).unwrap();
    studio.retake("replan out.mkv -q 40").refused(2, &["another film"]);
    fs::remove_file(studio.path("out.mkv")).unwrap();
    // a file of somebody else's
    let dear = "{\"holiday\": true}";
    fs::write(studio.path("new.mkv.retake.json"), dear).unwrap();
    let job = format!("encode {JOB} -q 38 -o new.mkv");
    studio.retake(&job).refused(2, &["new.mkv.retake.json", "--overwrite"]);
    assert_eq!(studio.read("new.mkv.retake.json"), dear.as_bytes());
    assert!(!studio.path("new.mkv").exists() && !studio.path("new.mkv.retake").exists());
    studio.retake(&format!("{job} --keep-records film.mkv --overwrite")).refused(2, &["the film itself"]);
    studio.encode(&format!("{JOB} -q 38 -o new.mkv --overwrite"));
    assert!(studio.read("new.mkv") == studio.read("moved.mkv"));
    // records of the same source are the job's own, in whatever run
    fs::remove_file(studio.path("new.mkv")).unwrap();
    studio.encode(&format!("{JOB} -q 39 -o new.mkv"));
    assert_eq!(records(&studio, "new.mkv")["records"]["request"]["goal"]["floor"]["floor"], 39.0);
}

/// A run that died when its film was in place left its records in the job folder; the next one brings them.
#[test]
fn records_of_a_run_that_died_are_brought() {
    let Some(studio) = Studio::open() else { return };
    let job = format!("{JOB} -q 38 -o out.mkv");
    studio.encode(&job);
    let expected = studio.read("out.mkv.retake.json");
    fs::remove_file(studio.path("out.mkv")).unwrap();
    fs::remove_file(studio.path("out.mkv.retake.json")).unwrap();
    // their place is taken while the job runs, so that it ends with the film and without them
    let mut running = studio.start(&job);
    assert!(running.until(&mut |event| event["event"] == "take_finished"));
    fs::write(studio.path("out.mkv.retake.json"), "dear").unwrap();
    let (run, _, _) = running.end();
    assert_eq!((run.code, studio.read("out.mkv.retake.json").as_slice()), (2, &b"dear"[..]), "{run:?}");
    assert!(studio.path("out.mkv").exists() && studio.path("out.mkv.retake").exists());
    fs::remove_file(studio.path("out.mkv.retake.json")).unwrap();
    studio.encode(&job);
    assert!(!studio.path("out.mkv.retake").exists());
    let of = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap()["records"]["film"].clone();
    assert_eq!(of(&studio.read("out.mkv.retake.json")), of(&expected));
}

/// Another wish takes over what was made: the film is the same whether the takes were kept or are made again
/// from the records, and of those that were kept none is made again.
#[test]
fn another_wish_takes_over_what_there_is() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&format!("{JOB} -q 38 -o kept.mkv --keep-takes"));
    studio.encode(&format!("{JOB} -q 38 -o records.mkv"));
    for (number, wish) in ["-q 41", "-q 35", "--size 260k"].into_iter().enumerate() {
        let [from_takes, from_records] = ["kept", "records"].map(|from| {
            let name = format!("{from}{number}.mkv");
            let run = studio.retake(&format!("encode {JOB} {wish} -o {name} --again {from}.mkv --json"));
            assert!([0, 3].contains(&run.code), "{run:?}");
            let made = run.events().iter().filter(|event| event["kept"] == false).count();
            (studio.read(&name), made)
        });
        assert!(from_takes.0 == from_records.0, "{wish}: another film");
        assert!(from_takes.1 < from_records.1, "{wish}: {} takes were made again", from_takes.1);
    }
    let same = studio.encode(&format!("{JOB} -q 38 -o same.mkv --again kept.mkv"));
    assert!(studio.read("same.mkv") == studio.read("kept.mkv"));
    assert!(same.events().iter().all(|event| event["kept"] != false), "nothing had to be made: {same:?}");
    let other = "encode film.mkv -e x264 -p fast --metric psnr -q 38 -o other.mkv --again kept.mkv";
    studio.retake(other).refused(2, &["--again", "preset", "veryfast", "fast"]);
    let part = format!("encode {JOB} --from 1 -q 38 -o other.mkv --again kept.mkv");
    studio.retake(&part).refused(2, &["--again", "source"]);
    assert!(!studio.path("other.mkv.retake").exists());
}

/// Another highest rate than the earlier job's, one that is new, and one that is gone: no window is above it,
/// the film is as good as that of a new job, and comes out with the bytes that were told. What of the earlier
/// takes does not come near the rate is not made again.
#[test]
fn a_highest_rate_may_be_another_one() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&format!("{JOB} -q 38 -o free.mp4 --keep-takes"));
    let free = fullest(&studio.path("free.mp4"));
    let [low, high] = [0.5, 0.75].map(|share| (free * share).round());
    studio.retake(&format!("encode {JOB} -q 38 --max-bitrate {low}k -o low.mp4 --keep-takes"));
    for (number, (from, rate)) in
        [("free", Some(low)), ("free", Some(high)), ("low", Some(high)), ("low", None)]
            .into_iter()
            .enumerate()
    {
        let what = format!("{rate:?} after {from}");
        let limit = rate.map_or(String::new(), |rate| format!(" --max-bitrate {rate}k"));
        let encode = |name: &str, how: &str| {
            let run = studio.retake(&format!("encode {JOB} -q 38{limit} -o {name} --json{how}"));
            assert!([0, 3].contains(&run.code), "{what}: {run:?}");
            let most = rate.unwrap_or(f64::INFINITY);
            let found = fullest(&studio.path(name));
            assert!(found <= most * 1.001, "{what}, {name}: {found} above {most}");
            run
        };
        let new = encode(&format!("new{number}.mp4"), "").summary();
        let run = encode(&format!("again{number}.mp4"), &format!(" --again {from}.mp4"));
        let again = run.summary();
        let number_of = |summary: &Value, name: &str| summary["quality"][name].as_f64().unwrap();
        eprintln!("{what}: {} after {}", again["quality"], new["quality"]);
        for score in ["mean", "worst"] {
            let (expected, found) = (number_of(&new, score), number_of(&again, score));
            assert!((expected - found).abs() < 0.6, "{what}: {score} {found} instead of {expected}");
        }
        let [expected, found] = [&new, &again].map(|summary| summary["file_bytes"].as_f64().unwrap());
        between(&format!("{what}: bytes"), found, expected * 0.9, expected * 1.1);
        let level = |name: &str| probe(&studio.path(name), "-select_streams v:0 -show_entries stream=level");
        let joins = level(&format!("{from}.mp4")) == level(&format!("again{number}.mp4"));
        let kept = run.events().iter().filter(|event| event["kept"] == true).count();
        assert_eq!(kept > 0, joins, "{what}: {kept} units were kept");
        if let Some(rate) = rate {
            let told = studio.retake(&format!("replan {from}.mp4 -q 38{limit} --json"));
            let told: Value = serde_json::from_str(&told.out).unwrap();
            let [low, high] = ["low", "high"].map(|end| told[0]["file_bytes"][end].as_f64().unwrap());
            // one film proves no interval, but a wrong model misses by far more
            between(&format!("{what}: bytes as told"), found, low * 0.96, high * 1.04);
            assert_eq!(told[0]["max_bit_rate"], rate * 1000.0);
        }
    }
}

/// The folder of a job that was stopped has records, too, of what it has come to.
#[test]
fn a_stopped_job_can_be_asked() {
    let Some(studio) = Studio::open() else { return };
    let mut running = studio.start(&format!("{JOB} -q 38 -o out.mkv"));
    let mut takes = 0;
    let stopped = running.until(&mut |event| {
        takes += u32::from(event["event"] == "take_finished");
        takes == 3
    });
    assert!(stopped);
    running.signal("KILL");
    running.end();
    for name in ["out.mkv", "out.mkv.retake"] {
        let run = studio.retake(&format!("replan {name} -q 40 --json"));
        assert_eq!(run.code, 0, "{run:?}");
        let rows: Value = serde_json::from_str(&run.out).unwrap();
        assert!(rows[0]["of_units"].as_u64().unwrap() >= 2, "{run:?}");
    }
}
