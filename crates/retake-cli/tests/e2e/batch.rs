//! Several films in one go: which are taken, what they are called, and what becomes of them when one fails,
//! is done, or the run is killed.

use crate::common::{Run, Studio, between, encoders, fast, packet_hashes, picture_hashes, probe, psnr};
use serde_json::Value;
use std::fs;
use std::time::{Duration, SystemTime};

/// A short film of 25 frames, the brighter the greater `number`.
fn render(studio: &Studio, number: u32, sound: &str, name: &str) {
    let pictures = format!("-f lavfi -i testsrc2=s=160x96:r=25:d=1,hue=b={number}");
    studio.render(&format!("{pictures} {sound} -c:v libx264 -preset ultrafast"), name);
}

/// A folder with films and other things.
fn folder() -> Option<Studio> {
    let studio = Studio::empty()?;
    if !encoders().iter().any(|encoder| encoder.name == "x264") {
        eprintln!("SKIPPED: names of these tests are those of films that hold H.264");
        return None;
    }
    fs::create_dir_all(studio.path("films/old")).unwrap();
    render(&studio, 0, "-f lavfi -i sine=d=1 -c:a aac", "films/a.mkv");
    render(&studio, 1, "", "films/b.mp4");
    studio.render("-i films/b.mp4 -c:v mpeg4 -q:v 2", "films/old/c.avi");
    Some(studio)
}

fn encode(studio: &Studio, arguments: &str) -> Run {
    studio.retake(&format!("encode {arguments} {} --json", fast()))
}

fn told<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

/// The outputs of a run, each with what became of it.
fn ends(run: &Run) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = run.events();
    let ends = told(&events, "film_ended");
    ends.iter().map(|end| (text(&end["output"]), text(&end["state"]))).collect()
}

fn states(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(output, state)| ((*output).to_owned(), (*state).to_owned())).collect()
}

/// Films are what can be opened and moves, whatever they are called; each becomes what it would be alone; one
/// that fails does not stop the others, and its exit code is that of the run.
#[test]
fn the_films_of_a_folder_are_made() {
    let Some(studio) = folder() else { return };
    fs::copy(studio.path("films/b.mp4"), studio.path("films/no ending")).unwrap();
    studio.render("-i films/b.mp4 -frames:v 1", "films/poster.png");
    studio.render("-f lavfi -i sine=d=1", "films/sound.wav");
    let noise: Vec<u8> = (0..4000u32).map(|place| (place.pow(2) >> 3) as u8).collect();
    fs::write(studio.path("films/broken.mkv"), noise).unwrap();
    for name in ["notes.txt", "a.srt", ".hidden.mkv", "old/coming.mkv.part"] {
        fs::write(studio.path(&format!("films/{name}")), "1\n00:00:00,000 --> 00:00:01,000\nWords\n")
            .unwrap();
    }
    let run = encode(&studio, "films -o out/ --recursive --crf 30");
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(run.err.lines().count(), 1, "{run:?}");
    assert!(run.err.contains("films/broken.mkv"), "{run:?}");
    let expected = [
        ("out/a.mkv", "made"),
        ("out/b.mp4", "made"),
        ("out/broken.mkv", "failed"),
        ("out/no ending.mkv", "made"),
        ("out/old/c.mkv", "made"),
    ];
    assert_eq!(ends(&run), states(&expected));
    let events = run.events();
    let left = events[0]["left_out"].as_array().unwrap();
    let left: Vec<&str> = left.iter().map(|left| left["path"].as_str().unwrap()).collect();
    let none = ["a.srt", "notes.txt", "poster.png", "sound.wav", "old/coming.mkv.part"];
    for name in none {
        assert!(left.contains(&format!("films/{name}").as_str()), "{name} is not among {left:?}");
    }
    assert_eq!(left.len(), none.len(), "{left:?}");
    let end = events.last().unwrap();
    assert_eq!(
        (&end["event"], &end["films"], &end["made"]),
        (&"batch_finished".into(), &5.into(), &4.into())
    );
    // every event of a film says which
    assert!(
        events
            .iter()
            .all(|event| event["event"].as_str().unwrap().starts_with("batch") || event["film"].is_u64())
    );
    // pictures and sound are those of the sources
    for (input, output) in
        [("a.mkv", "a.mkv"), ("b.mp4", "b.mp4"), ("b.mp4", "no\\ ending.mkv"), ("old/c.avi", "old/c.mkv")]
    {
        let output = output.replace("\\ ", " ");
        fs::copy(studio.path(&format!("out/{output}")), studio.path("made.mkv")).unwrap();
        let scores = psnr(
            &studio.path("."),
            "made.mkv",
            &format!("films/{input}"),
            "[0:v]settb=1/25,setpts=N[a];[1:v]settb=1/25,setpts=N[b];[a][b]psnr=stats_file=-",
        );
        assert_eq!(scores.len(), 25, "{output}");
        between(&output, scores.iter().copied().fold(f64::INFINITY, f64::min), 28.0, 100.0);
    }
    assert_eq!(
        packet_hashes(&studio.path("out/a.mkv"), "a"),
        packet_hashes(&studio.path("films/a.mkv"), "a")
    );
    // one alone has the same bytes
    studio.encode(&format!("films/a.mkv -o alone.mkv {} --crf 30", fast()));
    assert!(studio.read("alone.mkv") == studio.read("out/a.mkv"));
    let names: Vec<_> =
        fs::read_dir(studio.path("out")).unwrap().map(|name| name.unwrap().file_name()).collect();
    assert_eq!(names.len(), 7, "three films with their records, and a folder: {names:?}");
    // without being asked for, folders in folders are not searched, and that is told
    let run = encode(&studio, "films -o flat/ --crf 30");
    assert!(run.events()[0]["left_out"].as_array().unwrap().iter().any(|left| left["path"] == "films/old"));
    assert!(!studio.path("flat/old").exists() && studio.path("flat/a.mkv").exists());
}

/// A person gets one table, in which what is missing is missing.
#[test]
fn a_person_gets_a_table() {
    let Some(studio) = folder() else { return };
    fs::write(studio.path("films/broken.mkv"), "no film").unwrap();
    fs::write(studio.path("films/notes.txt"), "no film").unwrap();
    let run =
        studio.retake(&format!("encode films -o out/ {} --metric psnr -q 60 --max-bitrate 100k", fast()));
    assert_eq!(run.code, 2, "{run:?}");
    let lines: Vec<Vec<&str>> = run.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["film", "state", "size", "ratio", "held", "time"], "{run:?}");
    for (line, name) in lines[1..3].iter().zip(["a.mkv", "b.mp4"]) {
        let bytes = fs::metadata(studio.path(&format!("out/{name}"))).unwrap().len();
        let source = fs::metadata(studio.path(&format!("films/{name}"))).unwrap().len();
        assert_eq!(line[..2], [&format!("films/{name}"), "made"], "{run:?}");
        between(name, line[2].parse().unwrap(), bytes as f64 / 1000.0 - 0.01, bytes as f64 / 1000.0 + 0.01);
        let ratio = bytes as f64 / source as f64 * 100.0;
        between(name, line[4].parse().unwrap(), ratio - 0.06, ratio + 0.06);
        assert_eq!(line[6], "no", "no film has 60 dB in 100 kb/s: {run:?}");
    }
    assert_eq!(lines[3][..6], ["films/broken.mkv", "failed", "-", "-", "-", lines[3][5]], "{run:?}");
    assert!(run.out.contains("2 of 3 films are there"), "{run:?}");
    assert!(
        run.out.contains("left out: films/notes.txt: ") && run.out.contains("left out: films/old: "),
        "{run:?}"
    );
    // a floor that is missed is told where no film fails
    fs::remove_file(studio.path("films/broken.mkv")).unwrap();
    let flags = format!("films -o out/ {} --metric psnr -q 60 --max-bitrate 100k", fast());
    let run = studio.retake(&format!("encode {flags}"));
    assert!(run.code == 3 && run.out.contains("made before"), "{run:?}");
    let run = studio.retake(&format!("encode {flags} --quiet"));
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (3, "", ""));
}

/// A film that is done is known again; of another wish it is neither kept nor replaced in silence.
#[test]
fn films_that_are_done_stay() {
    let Some(studio) = folder() else { return };
    // every run that makes a film anew leaves it with another time
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let films = ["out/a.mkv", "out/b.mp4"];
    let date = || {
        for film in films {
            fs::File::options().append(true).open(studio.path(film)).unwrap().set_modified(old).unwrap();
        }
    };
    let is_old = |film: &str| studio.path(film).metadata().unwrap().modified().unwrap() == old;
    let all = |state| states(&films.map(|film| (film, state)));
    let run = encode(&studio, "films -o out/ --crf 40");
    assert_eq!((run.code, ends(&run)), (0, all("made")), "{run:?}");
    if !films.iter().all(|film| studio.has_stamp(film)) {
        eprintln!("SKIPPED: this file system has no attributes, by which finished films are known again");
        return;
    }
    let coarse = films.map(|film| studio.read(film));
    for flags in ["", "--skip-done", "--skip-done --overwrite", "--skip-done --restart"] {
        date();
        let run = encode(&studio, &format!("films -o out/ --crf 40 {flags}"));
        assert_eq!((run.code, ends(&run)), (0, all("made_before")), "{flags}: {run:?}");
        assert!(films.into_iter().all(is_old), "{flags}");
    }
    date();
    let run = encode(&studio, "films -o out/ --crf 40 --overwrite");
    assert_eq!((run.code, ends(&run)), (0, all("made")), "{run:?}");
    assert!(!films.into_iter().any(is_old));
    // another wish
    for flags in ["", "--skip-done"] {
        date();
        let run = encode(&studio, &format!("films -o out/ --crf 20 {flags}"));
        assert_eq!((run.code, ends(&run)), (2, all("failed")), "{flags}: {run:?}");
        assert!(run.err.lines().all(|line| line.contains("--overwrite")), "{run:?}");
        assert!(films.into_iter().all(is_old) && films.map(|film| studio.read(film)) == coarse, "{flags}");
    }
    // and another source: the others stay
    render(&studio, 2, "", "films/b.mp4");
    let before = picture_hashes(&studio.path("out/b.mp4"));
    let run = encode(&studio, "films -o out/ --crf 40 --skip-done --overwrite");
    assert_eq!(ends(&run), states(&[("out/a.mkv", "made_before"), ("out/b.mp4", "made")]), "{run:?}");
    assert!(is_old("out/a.mkv") && picture_hashes(&studio.path("out/b.mp4")) != before);
}

/// What is refused is refused before anything begins.
#[test]
fn names_that_cannot_be_are_refused_before_the_work() {
    let Some(studio) = folder() else { return };
    fs::copy(studio.path("films/b.mp4"), studio.path("films/a.mp4")).unwrap();
    fs::copy(studio.path("films/a.mkv"), studio.path("films/b-x.mkv")).unwrap();
    fs::create_dir(studio.path("empty")).unwrap();
    let cases: [(&str, &[&str]); 14] = [
        ("films -o out/{stem}.mkv", &["films/a.mkv", "films/a.mp4", "out/a.mkv"]),
        ("films/a.mkv films/a.mp4 -o {stem}.mkv", &["films/a.mkv", "films/a.mp4", "a.mkv"]),
        ("films -o one.mkv", &["--output one.mkv", "{stem}"]),
        ("films -o out/{stem}.{year}.mkv", &["--output", "{year}", "{folder}"]),
        ("films/a.mkv films/b.mp4 -o out/{stem}.{ext", &["--output", "brace"]),
        ("films/a.mkv films/none.mkv -o out/", &["films/none.mkv", "No such file"]),
        ("films/a.mkv - -o out/", &["-: a pipe"]),
        ("films/b.mp4 films/b-x.mkv -o films/{stem}-x.mkv", &["films/b-x.mkv", "what films/b.mp4 becomes"]),
        ("empty -o out/", &["no film in empty"]),
        ("films -o out/ --plot out.svg", &["--plot", "one film"]),
        ("films -o out/ --report page.html", &["--report FILE", "one film"]),
        ("films -o out/ --keep-records here.json", &["--keep-records FILE", "one film"]),
        ("films -o out/ --serve 127.0.0.1:0", &["--serve", "one film"]),
        ("films -o out/ --again films/a.mkv", &["--again", "one film"]),
    ];
    for (arguments, words) in cases {
        let run = studio.retake(&format!("encode {arguments} {} --crf 40", fast()));
        run.refused(2, words);
        assert!(!studio.path("out").exists() && run.out.is_empty(), "{arguments}: {run:?}");
    }
    assert_eq!(studio.names(), ["empty", "films"].map(str::to_owned).into());
    // a folder that is made for a film that is then refused goes again
    studio.retake(&format!("encode films/a.mkv -o x/y/ {} --crf 400", fast())).refused(2, &["--crf"]);
    assert!(!studio.path("x").exists());
}

/// What one film becomes is never taken for another one, in the same run or a later one.
#[test]
fn outputs_are_no_inputs() {
    let Some(studio) = folder() else { return };
    let small = ["films/a-small.mkv", "films/b-small.mkv"];
    let run = encode(&studio, "films -o films/{stem}-small.mkv --crf 40");
    assert_eq!(ends(&run), states(&small.map(|film| (film, "made"))), "{run:?}");
    let run = encode(&studio, "films -o films/{stem}-small.mkv --crf 40");
    assert_eq!(ends(&run).len(), 2, "{run:?}");
    // nor when its source is gone
    fs::remove_file(studio.path("films/a.mkv")).unwrap();
    let run = encode(&studio, "films -o films/{stem}-small.mkv --crf 40");
    assert_eq!(ends(&run).len(), 1, "{run:?}");
    // a folder for outputs within the one that is searched is no part of it, whoever made what is in it
    fs::create_dir(studio.path("films/out")).unwrap();
    fs::copy(studio.path("films/b.mp4"), studio.path("films/out/x.mp4")).unwrap();
    let run = encode(&studio, "films -o films/out/ --recursive --crf 40");
    let made = ["films/out/a-small.mkv", "films/out/b-small.mkv", "films/out/b.mp4", "films/out/old/c.mkv"];
    assert_eq!(
        ends(&run),
        states(&made.map(|film| (film, "made"))),
        "films that were made elsewhere: {run:?}"
    );
    assert!(!studio.path("films/out/x.mkv").exists());
}

/// A folder, or a pattern, is as good for one film; it is told of as one film is.
#[test]
fn one_film_goes_into_a_folder() {
    let Some(studio) = folder() else { return };
    let flags = format!("{} --crf 40", fast());
    let run = studio.encode(&format!("films/a.mkv -o out/ {flags}"));
    assert_eq!(run.summary()["output"], "out/a.mkv");
    let run = studio.encode(&format!("films/a.mkv -o out {flags} --overwrite"));
    assert_eq!(run.summary()["output"], "out/a.mkv");
    let run = studio.encode(&format!("films/old/c.avi -o x{{codec}}/{{stem}}.{{ext}} {flags}"));
    assert_eq!(run.summary()["output"], "xh264/c.mkv");
    assert_eq!(probe(&studio.path("xh264/c.mkv"), "-show_entries stream=codec_name"), ["h264"]);
    // braces that hold no field are part of a name
    let run = studio.encode(&format!("films/a.mkv -o {{x}}.mkv {flags}"));
    assert_eq!(run.summary()["output"], "{x}.mkv");
}

/// A batch that is killed goes on where it was, and comes to the same films; one that is stopped by a signal
/// says what it has not begun.
#[test]
fn a_batch_carries_on() {
    let Some(studio) = Studio::open() else { return };
    fs::hard_link(studio.path("film.mkv"), studio.path("second.mkv")).unwrap();
    fs::hard_link(studio.path("film.mkv"), studio.path("third.mkv")).unwrap();
    let third = "third.mkv";
    let films = format!("film.mkv second.mkv {third} {} --crf 40 --jobs 2", fast());
    let run = studio.retake(&format!("encode {films} -o whole/ --json"));
    assert_eq!(run.code, 0, "{run:?}");
    let takes = |events: &[Value], film: u64, kept: bool| {
        let takes = told(events, "take_finished");
        takes.iter().filter(|take| take["film"] == film && take["kept"] == kept).count()
    };
    let all = takes(&run.events(), 2, false);
    for (signal, code) in [("KILL", -1), ("TERM", 130)] {
        let mut running = studio.start(&format!("{films} -o out/"));
        let mut seen = 0;
        running.until(&mut |event| {
            seen += usize::from(event["event"] == "take_finished" && event["film"] == 2);
            seen == 2
        });
        running.signal(signal);
        let (ended, events, _) = running.end();
        let states: Vec<&str> =
            told(&events, "film_ended").iter().map(|end| end["state"].as_str().unwrap()).collect();
        if states.iter().filter(|state| **state == "made").count() > 1 {
            eprintln!("the second film was done before the signal came");
            fs::remove_dir_all(studio.path("out")).unwrap();
            continue;
        }
        assert_eq!(ended.code, code, "{ended:?}");
        if signal == "TERM" && states.len() == 3 {
            assert_eq!(states, ["made", "stopped", "not_begun"]);
            assert_eq!(events.last().unwrap()["code"], 130);
        }
        assert_eq!(ended.err.lines().count(), usize::from(signal == "TERM"), "{ended:?}");
        let safe = takes(&events, 2, false);
        assert!(!studio.path("out/third.mkv").exists() && safe >= 2);
        let run = studio.retake(&format!("encode {films} -o out/ --json"));
        assert_eq!(run.code, 0, "{run:?}");
        let events = run.events();
        let ends: Vec<&str> =
            told(&events, "film_ended").iter().map(|end| end["state"].as_str().unwrap()).collect();
        if studio.has_stamp("out/film.mkv") {
            assert_eq!(ends, ["made_before", "made", "made"]);
            assert_eq!(
                takes(&events, 1, false) + takes(&events, 1, true),
                0,
                "the first film is not touched"
            );
        }
        assert!(takes(&events, 2, true) >= safe && takes(&events, 2, false) <= all - safe, "{run:?}");
        for film in ["film.mkv", "second.mkv", third] {
            assert!(studio.read(&format!("out/{film}")) == studio.read(&format!("whole/{film}")), "{film}");
        }
        let left = fs::read_dir(studio.path("out")).unwrap().count();
        assert_eq!(left, 6, "three films and their records, and nothing else");
        fs::remove_dir_all(studio.path("out")).unwrap();
    }
}

/// Pages are made beside each film, and jobs may lie elsewhere, each in a folder of its own.
#[test]
fn what_comes_with_a_film_comes_with_each() {
    let Some(studio) = folder() else { return };
    fs::create_dir(studio.path("jobs")).unwrap();
    let flags = format!("{} --crf 40 --report --work-dir jobs", fast());
    let run = studio.retake(&format!("encode films -o out/ {flags} --json"));
    assert_eq!(run.code, 0, "{run:?}");
    for film in ["a.mkv", "b.mp4"] {
        let page = String::from_utf8(studio.read(&format!("out/{film}.retake.html"))).unwrap();
        assert!(page.contains(film), "{film}");
    }
    assert_eq!(fs::read_dir(studio.path("jobs")).unwrap().count(), 0);
    // jobs lie nowhere else
    let flags = format!("{} --crf 40 --work-dir none", fast());
    let run = studio.retake(&format!("encode films -o other/ {flags} --json"));
    assert_eq!(ends(&run), states(&[("other/a.mkv", "failed"), ("other/b.mp4", "failed")]), "{run:?}");
    assert!(run.err.lines().all(|line| line.contains("none")) && !studio.path("other").exists(), "{run:?}");
}
