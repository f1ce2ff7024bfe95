//! Folders that films come into. Nothing here waits for a time: films are moved into place whole, and what is
//! told is waited for. That films settle is tested where the clock is given (`batch/watch.rs` of exports).

use crate::common::{Running, Studio, fast, picture_hashes, psnr};
use serde_json::Value;
use std::fs;

fn start(studio: &Studio, flags: &str) -> Running {
    Running::start(studio.command(&format!("watch in -o in/out/ --settle 0 {} {flags} --json", fast())))
}

/// Reads on until a film has ended, and returns what became of it.
fn film_ended(watch: &mut Running) -> Value {
    assert!(watch.until(&mut |event| event["event"] == "film_ended"), "{:?}", watch.events);
    watch.events.last().unwrap().clone()
}

/// Each film is made once, also by a watch that begins anew; a signal ends it well.
#[test]
fn films_that_come_are_made_once() {
    let Some(studio) = Studio::empty() else { return };
    fs::create_dir(studio.path("in")).unwrap();
    let film = |name: &str| {
        let pictures = "-f lavfi -i testsrc2=s=160x96:r=25:d=1 -c:v mpeg4 -q:v 2";
        studio.render(pictures, "new.mkv");
        fs::rename(studio.path("new.mkv"), studio.path(&format!("in/{name}"))).unwrap();
    };
    film("a.mkv");
    fs::write(studio.path("in/words.txt"), "no film").unwrap();
    fs::write(studio.path("in/coming.mkv.part"), "no film yet").unwrap();
    let mut watch = start(&studio, "--crf 30");
    let ended = film_ended(&mut watch);
    assert_eq!((&ended["output"], &ended["state"]), (&"in/out/a.mkv".into(), &"made".into()), "{ended}");
    assert_eq!(watch.events[0]["left_out"][0]["path"], "in/words.txt", "{:?}", watch.events);
    let scores = psnr(&studio.path("."), "in/out/a.mkv", "in/a.mkv", "[0:v][1:v]psnr=stats_file=-");
    assert!(scores.len() == 25 && scores.iter().all(|score| *score > 28.0), "{scores:?}");
    // one that comes later, and one that is broken
    film("b.mkv");
    assert_eq!(film_ended(&mut watch)["output"], "in/out/b.mkv");
    fs::write(studio.path("broken.mkv"), "no film").unwrap();
    fs::rename(studio.path("broken.mkv"), studio.path("in/broken.mkv")).unwrap();
    let ended = film_ended(&mut watch);
    assert_eq!((&ended["state"], &ended["code"]), (&"failed".into(), &2.into()));
    assert_eq!(picture_hashes(&studio.path("in/out/b.mkv")).len(), 25);
    // it goes on behind it, and only what came was told
    film("c.mkv");
    assert_eq!(film_ended(&mut watch)["output"], "in/out/c.mkv");
    assert!(watch.until(&mut |event| event["event"] == "batch_finished"));
    watch.signal("TERM");
    let (run, events, _) = watch.end();
    assert_eq!((run.code, run.err.lines().count()), (0, 1), "{run:?}");
    let ends = events.iter().filter(|event| event["event"] == "film_ended").count();
    assert_eq!(ends, 4, "{events:?}");
    // another one finds them made
    fs::remove_file(studio.path("in/broken.mkv")).unwrap();
    let date = |name: &str| studio.path(name).metadata().unwrap().modified().unwrap();
    let before = date("in/out/a.mkv");
    let mut watch = start(&studio, "--crf 30");
    assert!(watch.until(&mut |event| event["event"] == "batch_finished"));
    let last = watch.events.last().unwrap();
    let found = if studio.has_stamp("in/out/a.mkv") { 3 } else { 0 };
    assert_eq!((&last["made"], &last["made_before"]), (&0.into(), &found.into()), "{:?}", watch.events);
    watch.signal("TERM");
    assert_eq!(watch.end().0.code, 0);
    assert_eq!(date("in/out/a.mkv"), before);
}

/// A watch that is killed, or stopped by a signal, while it makes a film carries on with its takes.
#[test]
fn a_film_under_way_is_carried_on() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&format!("film.mkv -o whole.mkv {} --crf 40", fast()));
    fs::create_dir(studio.path("in")).unwrap();
    fs::rename(studio.path("film.mkv"), studio.path("in/film.mkv")).unwrap();
    let mut safe = 0;
    for (signal, code) in [("KILL", -1), ("TERM", 130)] {
        let mut watch = start(&studio, "--crf 40 --jobs 1");
        assert!(watch.until(&mut |event| event["event"] == "take_finished" && event["kept"] == false));
        watch.signal(signal);
        let (run, events, _) = watch.end();
        if events.iter().any(|event| event["event"] == "film_ended" && event["state"] == "made") {
            eprintln!("the film was done before the signal came");
            return;
        }
        assert_eq!(run.code, code, "{run:?}");
        let takes = events.iter().filter(|event| event["event"] == "take_finished");
        assert!(takes.clone().filter(|take| take["kept"] == true).count() >= safe, "{events:?}");
        safe = takes.count();
    }
    let mut watch = start(&studio, "--crf 40");
    assert_eq!(film_ended(&mut watch)["state"], "made");
    let kept = watch.events.iter().filter(|event| event["kept"] == true).count();
    assert!(kept >= safe && safe >= 2, "{kept} of {safe}");
    assert!(studio.read("in/out/film.mkv") == studio.read("whole.mkv"));
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let Some(studio) = Studio::open() else { return };
    fs::create_dir(studio.path("in")).unwrap();
    let cases: [(&str, &[&str]); 6] = [
        ("in -o out.mkv", &["--output out.mkv", "{stem}"]),
        ("film.mkv -o out/", &["film.mkv", "no folder"]),
        ("none -o out/", &["none", "no folder"]),
        ("in -o out/ --settle -1", &["--settle"]),
        ("in -o out/ --settle soon", &["--settle", "soon"]),
        ("in -o out/ --plot x.svg", &["--plot"]),
    ];
    for (arguments, words) in cases {
        studio.retake(&format!("watch {arguments}")).refused(2, words);
    }
    assert!(!studio.path("out").exists());
}
