//! `kill -9` at any moment costs at most the takes in flight: the same command carries on, and comes to the
//! same bytes.

use crate::common::{Moment, Run, Studio, fast};
use serde_json::Value;
use std::collections::BTreeSet;
use std::{fs, iter};

fn job() -> String {
    format!("film.mkv -o out.mp4 {} --metric psnr -q 36", fast())
}

/// What the command makes when nothing happens.
struct Uninterrupted {
    bytes: Vec<u8>,
    code: i32,
    takes: usize,
    first_pass: usize,
}

fn uninterrupted(studio: &Studio) -> Uninterrupted {
    let run = studio.retake(&format!("encode {} --json", job()));
    let takes = finished(&run.events(), false);
    assert_eq!(run.code, 0, "{run:?}");
    let first_pass = takes.iter().filter(|take| take.0 == 1).count();
    assert!(first_pass >= 6 && takes.len() > first_pass, "a film with several takes and passes: {takes:?}");
    let bytes = studio.read("out.mp4");
    fs::remove_file(studio.path("out.mp4")).unwrap();
    Uninterrupted { bytes, code: run.code, takes: takes.len(), first_pass }
}

/// The takes that were reported as finished: pass, first frame, end.
fn finished(events: &[Value], kept: bool) -> BTreeSet<(u64, u64, u64)> {
    let mut takes = BTreeSet::new();
    for take in events.iter().filter(|event| event["event"] == "take_finished" && event["kept"] == kept) {
        let number = |value: &Value| value.as_u64().unwrap();
        let new = takes.insert((
            number(&take["pass"]),
            number(&take["range"]["start"]),
            number(&take["range"]["end"]),
        ));
        assert!(new, "a take was reported twice: {take}");
    }
    takes
}

/// Starts the job, kills it at a moment, and gives the takes that were safe then.
fn killed(studio: &Studio, moment: Moment) -> BTreeSet<(u64, u64, u64)> {
    let mut running = studio.start(&job());
    running.until(moment);
    running.signal("KILL");
    let (_, events, _) = running.end();
    let mut safe = finished(&events, false);
    safe.extend(finished(&events, true));
    safe
}

/// Runs the job again: everything that was safe is kept, nothing is made twice, and the film is the same.
fn carried_on(studio: &Studio, expected: &Uninterrupted, safe: &BTreeSet<(u64, u64, u64)>) {
    if !studio.path("out.mp4.retake").exists() {
        // the run was done before the signal came
        assert!(studio.read("out.mp4") == expected.bytes);
        return;
    }
    let run = studio.retake(&format!("encode {} --json", job()));
    assert_eq!(run.code, expected.code, "{run:?}");
    let (kept, made) = (finished(&run.events(), true), finished(&run.events(), false));
    assert!(safe.is_subset(&kept), "finished before, but not kept: {:?}", safe - &kept);
    assert!(kept.is_disjoint(&made) && kept.len() + made.len() == expected.takes, "{run:?}");
    same_film_and_nothing_else(studio, expected);
}

fn same_film_and_nothing_else(studio: &Studio, expected: &Uninterrupted) {
    assert!(studio.read("out.mp4") == expected.bytes, "the film has the same bytes as without a break");
    assert_eq!(studio.names(), ["film.mkv", "out.mp4"].map(str::to_owned).into(), "nothing is left over");
}

/// Kills at each moment in turn.
fn at<'a>(moments: impl IntoIterator<Item = (&'a str, Box<dyn FnMut(&Value) -> bool>)>) {
    let Some(studio) = Studio::open() else { return };
    let expected = uninterrupted(&studio);
    for (name, mut moment) in moments {
        eprintln!("killed {name}");
        let safe = killed(&studio, &mut *moment);
        carried_on(&studio, &expected, &safe);
        fs::remove_file(studio.path("out.mp4")).unwrap();
    }
}

fn event(name: &'static str) -> Box<dyn FnMut(&Value) -> bool> {
    Box::new(move |event| event["event"] == name)
}

/// The `count`-th take of a pass that was not there before.
fn take(pass: u64, count: usize) -> Box<dyn FnMut(&Value) -> bool> {
    let mut seen = 0;
    Box::new(move |event| {
        let hit = event["event"] == "take_finished" && event["pass"] == pass && event["kept"] == false;
        seen += usize::from(hit);
        hit && seen == count
    })
}

#[test]
fn killed_during_the_first_pass() {
    at([
        ("as the job starts", event("started")),
        ("while the film is indexed", event("indexed")),
        ("while the first take is encoded", event("encoded")),
        ("after the first take", take(1, 1)),
        ("after the third take", take(1, 3)),
        ("after the sixth take", take(1, 6)),
    ]);
}

#[test]
fn killed_during_later_passes() {
    let second: Box<dyn FnMut(&Value) -> bool> =
        Box::new(|event| event["event"] == "pass_started" && event["pass"] == 2);
    let encoding: Box<dyn FnMut(&Value) -> bool> =
        Box::new(|event| event["event"] == "encoded" && event["pass"] == 2);
    at([
        ("as the second pass starts", second),
        ("while the second pass encodes", encoding),
        ("after a take of the second pass", take(2, 1)),
        ("after the second take of the second pass", take(2, 2)),
    ]);
}

#[test]
fn killed_while_the_film_is_written_and_verified() {
    let late: Box<dyn FnMut(&Value) -> bool> =
        Box::new(|event| event["event"] == "verifying" && event["frames"].as_u64() > Some(100));
    at([
        ("as the film is written", event("writing")),
        ("as the film is verified", event("verifying")),
        ("late in the verification", late),
    ]);
}

/// A job that is killed after every single take still ends, with each take made once.
#[test]
fn killed_again_and_again() {
    let Some(studio) = Studio::open() else { return };
    let expected = uninterrupted(&studio);
    let mut safe = BTreeSet::new();
    for _ in 0..expected.takes {
        let mut running = studio.start(&job());
        running.until(&mut |event| event["event"] == "take_finished" && event["kept"] == false);
        running.signal("KILL");
        let (_, events, _) = running.end();
        let made = finished(&events, false);
        assert!(made.is_disjoint(&safe), "made twice: {:?}", &made & &safe);
        safe.extend(made);
        if !studio.path("out.mp4.retake").exists() {
            break;
        }
    }
    assert!(safe.len() >= expected.first_pass);
    carried_on(&studio, &expected, &safe);
}

/// A damaged take is made again; it never gets into the film.
#[test]
fn a_damaged_take_is_made_again() {
    let Some(studio) = Studio::open() else { return };
    let expected = uninterrupted(&studio);
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 3] = [
        ("cut short", |bytes| bytes.truncate(bytes.len() / 2)),
        ("a flipped bit", |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        }),
        ("empty", Vec::clear),
    ];
    for (name, damage) in damages {
        killed(&studio, &mut *take(1, 4));
        let Ok(takes) = fs::read_dir(studio.path("out.mp4.retake/takes")) else { continue };
        let takes = takes.map(|entry| entry.unwrap().path());
        let mut takes: Vec<_> = takes.filter(|path| path.extension().is_some_and(|e| e == "take")).collect();
        takes.sort();
        let mut bytes = fs::read(&takes[0]).unwrap();
        damage(&mut bytes);
        fs::write(&takes[0], bytes).unwrap();
        // a take that proves damaged only when it is read may need a second run
        let runs: Vec<Run> =
            iter::repeat_with(|| studio.retake(&format!("encode {} --json", job()))).take(2).collect();
        let good = runs.iter().find(|run| run.code == expected.code);
        assert!(good.is_some(), "{name}: {runs:?}");
        same_film_and_nothing_else(&studio, &expected);
        fs::remove_file(studio.path("out.mp4")).unwrap();
    }
}

/// Whatever becomes of the files of a job folder costs what is damaged: takes under the names of others, a
/// description with a flipped bit or without a sense, an index of something else. The job goes on, and comes
/// to the same film, with all else that was there.
#[test]
fn damage_costs_what_is_damaged() {
    let Some(studio) = Studio::open() else { return };
    let expected = uninterrupted(&studio);
    let folder = studio.path("out.mp4.retake");
    let takes = || {
        let takes = fs::read_dir(folder.join("takes")).unwrap().map(|entry| entry.unwrap().path());
        let mut takes: Vec<_> = takes.filter(|path| path.extension().is_some_and(|e| e == "take")).collect();
        takes.sort();
        takes
    };
    let flip = |path: &std::path::Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(path, bytes).unwrap();
    };
    type Damage<'a> = Box<dyn Fn() + 'a>;
    let damages: [(&str, usize, Damage<'_>); 6] = [
        (
            "takes change names",
            2,
            Box::new(|| {
                let takes = takes();
                fs::rename(&takes[0], studio.path("third")).unwrap();
                fs::rename(&takes[1], &takes[0]).unwrap();
                fs::rename(studio.path("third"), &takes[1]).unwrap();
            }),
        ),
        (
            "a take under another start",
            1,
            Box::new(|| {
                let takes = takes();
                let name = takes[1].file_name().unwrap().to_str().unwrap().replacen("000", "999", 1);
                fs::copy(&takes[0], folder.join("takes").join(name)).unwrap();
                fs::copy(&takes[0], &takes[1]).unwrap();
            }),
        ),
        ("job.json with a flipped bit", 0, Box::new(|| flip(&folder.join("job.json")))),
        ("job.json without sense", 0, Box::new(|| fs::write(folder.join("job.json"), "{").unwrap())),
        ("an index with a flipped bit", 0, Box::new(|| flip(&folder.join("index")))),
        ("an index of nothing", 0, Box::new(|| fs::write(folder.join("index"), "RETAKE").unwrap())),
    ];
    for (name, lost, damage) in damages {
        let safe = killed(&studio, &mut *take(1, 4));
        if !folder.exists() {
            // the run was done before the signal came
            fs::remove_file(studio.path("out.mp4")).unwrap();
            continue;
        }
        damage();
        let run = studio.retake(&format!("encode {} --json", job()));
        assert_eq!(run.code, expected.code, "{name}: {run:?}");
        let kept = finished(&run.events(), true);
        assert!(safe.difference(&kept).count() <= lost, "{name}: {:?}", &safe - &kept);
        same_film_and_nothing_else(&studio, &expected);
        fs::remove_file(studio.path("out.mp4")).unwrap();
    }
}
