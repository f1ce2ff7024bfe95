//! A quality objective is met on every unit of the file that is shipped, and the summary tells the truth
//! about it.

use crate::common::{FRAMES, Run, Studio, between, fast, ffmpeg, probe, video_bytes};
use serde_json::Value;

/// `retake measure` finds no unit below the floor, and the events agree with each other and with the file.
#[test]
fn the_floor_holds_on_every_unit_and_the_summary_is_consistent() {
    let Some(studio) = Studio::open() else { return };
    let vmaf = studio.retake("encoders --json").out.contains("\"vmaf\"");
    let (metric, floor) = if vmaf { ("vmaf", 80.0) } else { ("psnr", 36.0) };
    let target = format!("--metric {metric} -q {floor}");
    let run = studio.encode(&format!("film.mkv -o out.mp4 {} {target}", fast()));
    let summary = run.summary();
    let measured = studio.retake(&format!("measure film.mkv out.mp4 {target} --json"));
    assert_eq!(measured.code, 0, "{measured:?}");

    let (bytes, frames) = video_bytes(&studio.path("out.mp4"));
    assert_eq!((frames, &summary["frames"]), (FRAMES, &Value::from(FRAMES)));
    assert_eq!(summary["video_bytes"], bytes);
    assert_eq!(summary["file_bytes"], studio.read("out.mp4").len());
    assert_eq!((&summary["outcome"], &summary["quality"]["below"]), (&"satisfied".into(), &0.into()));
    assert_eq!(
        (&summary["quality"]["metric"], &summary["quality"]["pool"]),
        (&metric.into(), &"mean".into())
    );
    assert_eq!(summary["quality"]["floor"], floor);
    between("seconds", summary["seconds"].as_f64().unwrap(), 8.99, 9.01);

    let events = run.events();
    let takes: Vec<&Value> = events.iter().filter(|event| event["event"] == "take_finished").collect();
    let passes = summary["passes"].as_array().unwrap();
    for (number, pass) in (1..).zip(passes) {
        let takes: Vec<&&Value> = takes.iter().filter(|take| take["pass"] == number).collect();
        let length = |take: &&&Value| {
            take["range"]["end"].as_u64().unwrap() - take["range"]["start"].as_u64().unwrap()
        };
        assert_eq!(
            (pass["pass"].clone(), pass["takes"].clone()),
            (number.into(), takes.len().into()),
            "{pass}"
        );
        assert_eq!(pass["frames"], takes.iter().map(length).sum::<u64>(), "{pass}");
        assert!(takes.iter().all(|take| take["kept"] == false), "{takes:?}");
    }
    assert_eq!(passes[0]["frames"], FRAMES);
    let worst = passes.last().unwrap()["worst"].as_f64().unwrap();
    assert_eq!(summary["quality"]["worst"], worst);
    // takes sample frames; the measurement looks at all
    let measured: Value = serde_json::from_str(&measured.out).unwrap();
    between(
        "mean",
        measured["mean"].as_f64().unwrap() - summary["quality"]["mean"].as_f64().unwrap(),
        -0.5,
        0.5,
    );
    let units = measured["units"].as_array().unwrap();
    assert_eq!(summary["quality"]["units"], units.len());
    assert!(units.len() >= 6, "the scenes of the film were found: {units:?}");
}

/// Every single frame reaches a floor for the worst frame, by FFmpeg's own measurement.
#[test]
fn ffmpeg_agrees_that_every_frame_reaches_the_floor() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&format!("film.mkv -o out.mkv {} --metric psnr -q 34 --floor min --passes 8", fast()));
    let folder = studio.path("out.mkv").parent().unwrap().to_owned();
    ffmpeg(&folder, "-i out.mkv -i film.mkv -lavfi [0:v][1:v]psnr=stats_file=psnr.txt -f null -");
    let text = String::from_utf8(studio.read("psnr.txt")).unwrap();
    let scores = text.split_whitespace().filter_map(|word| word.strip_prefix("psnr_y:"));
    let scores: Vec<f64> =
        scores.map(|score| if score == "inf" { 100.0 } else { score.parse().unwrap() }).collect();
    assert_eq!(scores.len() as u64, FRAMES);
    // FFmpeg writes two decimals
    assert!(scores.iter().all(|&score| score >= 33.995), "{scores:?}");
}

/// The more effort, the smaller the film, and the more frames are encoded again for it; the floor holds with
/// each. First takes are the same. Each tells what the others would have come to.
#[test]
fn efforts_hold_the_floor_at_other_sizes() {
    let Some(studio) = Studio::open() else { return };
    let target = "--metric psnr -q 36";
    let again = |summary: &Value| -> u64 {
        summary["passes"].as_array().unwrap()[1..].iter().map(|pass| pass["frames"].as_u64().unwrap()).sum()
    };
    let firsts = |run: &Run| -> Vec<Value> {
        let events = run.events().into_iter();
        let mut takes: Vec<Value> = events
            .filter(|event| event["event"] == "take_finished" && event["pass"] == 1)
            .map(|event| Value::from(vec![event["range"]["start"].clone(), event["bytes"].clone()]))
            .collect();
        takes.sort_by_key(|take| take[0].as_u64());
        takes
    };
    let [fast_run, balanced, smallest] = ["fast", "balanced", "smallest"].map(|effort| {
        let run = studio.encode(&format!("film.mkv -o {effort}.mp4 {} {target} --effort {effort}", fast()));
        let measured = studio.retake(&format!("measure film.mkv {effort}.mp4 {target} --json"));
        assert_eq!(measured.code, 0, "{effort}: {measured:?}");
        let told = run.summary()["efforts"].as_array().unwrap().clone();
        let others: Vec<&str> = told.iter().map(|other| other["effort"].as_str().unwrap()).collect();
        assert!(others.len() == 2 && !others.contains(&effort), "{others:?}");
        run
    });
    assert_eq!(firsts(&fast_run), firsts(&smallest));
    let [a, b, c] = [&fast_run, &balanced, &smallest].map(Run::summary);
    let size = |summary: &Value| summary["video_bytes"].as_u64().unwrap();
    assert!(again(&a) <= again(&b) && again(&b) <= again(&c) && again(&a) < again(&c), "{a} {b} {c}");
    assert!(size(&a) >= size(&b) && size(&b) >= size(&c) && size(&a) > size(&c), "{a} {b} {c}");
    // What less effort would have come to follows from the takes that there are.
    let told = c["efforts"][0]["bytes"].as_f64().unwrap() * size(&c) as f64 / size(&a) as f64;
    between("what fast would have taken", told, 0.9, 1.1);
    let wrong = studio.retake(&format!("encode film.mkv -o no.mp4 {} {target} --effort sloppy", fast()));
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("--effort") && wrong.err.contains("fast, balanced or smallest"), "{wrong:?}");
}

/// Where the objective cannot be met, the exit code says so, and the film is there.
#[test]
fn an_objective_out_of_reach_is_told_by_exit_code_3() {
    let Some(studio) = Studio::open() else { return };
    let run = studio
        .retake(&format!("encode film.mkv -o out.mp4 {} --metric psnr -q 99 --passes 2 --json", fast()));
    assert_eq!(run.code, 3, "{run:?}");
    let summary = run.summary();
    assert_ne!(summary["outcome"], "satisfied");
    assert!(summary["quality"]["below"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!(
        probe(
            &studio.path("out.mp4"),
            "-select_streams v -count_packets -show_entries stream=nb_read_packets"
        ),
        [FRAMES.to_string()]
    );
    let measured = studio.retake("measure film.mkv out.mp4 --metric psnr -q 99");
    assert_eq!(measured.code, 3, "{measured:?}");
}

/// One plain pass, with nothing measured.
#[test]
fn a_plain_pass() {
    let Some(studio) = Studio::open() else { return };
    let run = studio.encode(&format!("film.mkv -o out.mkv {} --crf 35", fast()));
    let summary = run.summary();
    assert_eq!((&summary["outcome"], &summary["quality"]), (&"plain".into(), &Value::Null));
    assert_eq!(summary["passes"].as_array().unwrap().len(), 1);
    let one = studio.encode(&format!("film.mkv -o one.mkv {} --passes 1", fast()));
    assert_eq!(one.summary()["outcome"], "plain");
}
