//! Pages in a real browser: what is drawn, what answers to pointer and keyboard, what a screen reader finds,
//! and that no text of a film is ever more than text.

use retake_report::{
    Asked, Chapter, Cpu, Group, Histogram, Metric, Moment, Pass, Picture, Rate, Report, Take, Thumbnail, Unit,
};
use retake_testing::browser::assert_sound;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Texts that would be obeyed if they came into markup, an attribute, a script or a style as they are.
const HOSTILE: [&str; 9] = [
    "<script>window.injected=true</script>",
    "</script><script>window.injected=true</script>",
    "<img src=x onerror=\"window.injected=true\">",
    "\"><svg onload=window.injected=true>",
    "' onmouseover='window.injected=true",
    "<!--<script>",
    "]]></style></title><iframe src=javascript:alert(1)>",
    "\u{2028}\u{2029}\u{202e}\u{0}\u{1b}[2J&lt;b&gt;",
    "${alert(1)}`{{constructor.constructor('window.injected=true')()}}",
];

/// A picture of one colour, by another program; without it, bytes that no browser shows.
fn jpeg(colour: &str, width: u32, height: u32) -> Picture {
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            &format!("color={colour}:s={width}x{height},noise=alls=20"),
        ])
        .args(["-frames:v", "1", "-c:v", "mjpeg", "-q:v", "8", "-f", "image2pipe", "-"])
        .output();
    Picture { jpeg: made.map(|output| output.stdout).unwrap_or_default(), width, height }
}

/// A film of so many seconds, whose scores and rates follow from arithmetic alone.
fn film(seconds: u64, title: &str) -> Report {
    let mut report = Report::new(title, "retake 0.1.0");
    let wave = |place: u64, length: f64| (place as f64 / length).sin();
    let (mut units, mut start) = (Vec::new(), 0);
    while start < seconds * 25 {
        let number = units.len() as u64;
        let end = (start + 12 + number * 37 % 88).min(seconds * 25);
        let first = 93.2 + 2.0 * wave(number, 7.0) + 1.5 * wave(number, 2.3);
        let bytes = (end - start) * (6000 + number * 131 % 9000);
        let take = |pass: u32, score: f64, quality: f64, reason: &str| Take {
            pass,
            quality: Some(quality),
            score: Some(score),
            bytes: bytes * (50 - quality as u64) / 25,
            reason: reason.into(),
        };
        let mut takes = vec![take(1, first, 27.0, "the first pass")];
        if first < 93.0 {
            takes.push(take(2, 93.1 + 0.4 * wave(number, 3.0).abs(), 24.5, "below the floor"));
        } else if first > 95.0 {
            takes.push(take(2, 93.4 + 0.4 * wave(number, 5.0).abs(), 30.25, "more than was asked for"));
        }
        if number % 41 == 17 {
            takes.push(take(3, 92.6, 23.0, "still below the floor"));
        }
        let chosen = takes.len() - 1;
        units.push(Unit {
            start,
            end,
            seconds: start as f64 / 25.0,
            scene: number.is_multiple_of(3),
            takes,
            chosen,
        });
        start = end;
    }
    let scores = units.iter().filter_map(|unit| Some((unit.chosen()?.score?, unit.frames())));
    report.histogram = Histogram::of(scores.clone(), false);
    report.mean = Some(
        scores.clone().map(|(score, frames)| score * frames as f64).sum::<f64>() / (seconds * 25) as f64,
    );
    let video: u64 = units.iter().filter_map(|unit| unit.chosen()).map(|take| take.bytes).sum();
    report.passes = (1..=3)
        .map(|pass| {
            let made = || units.iter().filter(|unit| unit.takes.iter().any(|take| take.pass == pass));
            let frames: u64 = made().map(Unit::frames).sum();
            Pass {
                pass,
                reason: ["the whole film", "units below the floor or far above it", "still below the floor"]
                    [pass as usize - 1]
                    .into(),
                takes: made().count() as u64,
                frames,
                video_bytes: video,
                worst: Some(90.0 + f64::from(pass)),
                below: Some(u64::from(30 / pass)),
                cpu: Cpu {
                    look: frames as f64 / 900.0,
                    encode: frames as f64 / 60.0,
                    measure: frames as f64 / 200.0,
                },
                wall_seconds: Some(frames as f64 / 110.0),
            }
        })
        .collect();
    report.rate = Some(Rate {
        bytes_by_second: (0..seconds).map(|second| 250_000 + second * 7919 % 190_000).collect(),
        limit: Some(4_000_000),
    });
    let every = seconds as f64 / 24.0;
    report.thumbnails = (0..24)
        .map(|number| Thumbnail {
            frame: (f64::from(number) * every * 25.0) as u64,
            seconds: f64::from(number) * every,
            picture: jpeg(["0x335577", "0x775533", "0x447744"][number as usize % 3], 160, 90),
        })
        .collect();
    let (a, b) = (jpeg("0x506070", 640, 360), jpeg("0x705060", 640, 360));
    report.moments = (0..10)
        .map(|number| Moment {
            frame: number * 97,
            seconds: (number * 97) as f64 / 25.0,
            score: 92.6 + number as f64 * 0.05,
            of_unit: true,
            source: a.clone(),
            encode: b.clone(),
        })
        .collect();
    report.chapters = ["Titles", "The river", "A long way home"]
        .into_iter()
        .enumerate()
        .map(|(number, title)| Chapter { seconds: seconds as f64 * number as f64 / 3.0, title: title.into() })
        .collect();
    (report.frames, report.seconds, report.frame_rate) = (seconds * 25, seconds as f64, 25.0);
    report.metric =
        Some(Metric { name: "VMAF".into(), pool: "mean".into(), floor: Some(93.0), most: Some(100.0) });
    (report.asked, report.reached) = (Some(Asked::Floor(93.0)), Some(false));
    report.quality_name = Some("CRF".into());
    report.gave_way = vec!["Some units are below the floor: no further take is expected to help.".into()];
    report.notes = vec!["the source has a track of teletext that the film does not have".into()];
    (report.video_bytes, report.file_bytes) = (Some(video), Some(video + 1_234_567));
    (report.wall_seconds, report.cpu_seconds) = (Some(seconds as f64 * 1.3), Some(seconds as f64 * 2.4));
    let lines = |lines: &[(&str, &str)]| lines.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
    report.settings = vec![
        Group { name: "Encoder".into(), lines: lines(&[("Encoder", "x264 core 164"), ("Preset", "slow")]) },
        Group { name: "Machine".into(), lines: lines(&[("Cores", "2"), ("Memory", "8 GB")]) },
    ];
    report.command =
        ["retake", "encode", "a film.mkv", "-o", "film.mp4", "-q", "93"].map(String::from).into();
    report.units = units;
    report
}

/// Puts every hostile text into every place where a text can be.
fn poison(report: &mut Report) {
    let all = HOSTILE.concat();
    let mut texts = HOSTILE.into_iter().map(String::from).cycle();
    let mut next = || texts.next().expect("there is always another text");
    report.chapters = (0..HOSTILE.len())
        .map(|number| Chapter { seconds: number as f64 * 5.0, title: HOSTILE[number].into() })
        .collect();
    report.notes.extend(HOSTILE.map(String::from));
    report.gave_way.extend(HOSTILE.map(String::from));
    report.command.extend(HOSTILE.map(String::from));
    report
        .settings
        .extend(HOSTILE.map(|text| Group { name: text.into(), lines: vec![(text.into(), text.into())] }));
    report.passes.iter_mut().for_each(|pass| pass.reason.clone_from(&all));
    report.units.iter_mut().flat_map(|unit| &mut unit.takes).for_each(|take| take.reason = next());
    report.metric.as_mut().expect("the film was measured").name.clone_from(&all);
    (report.program, report.data_file, report.quality_name) =
        (all.clone(), Some(all.clone()), Some(all.clone()));
    report.title = all;
}

/// Writes a page, opens it, and asserts what holds of every page; `None` where there is no browser.
fn browse(name: &str, page: &str) -> Option<Value> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder can be made");
    let file = folder.join("page.html");
    fs::write(&file, page).expect("a page can be written");
    let seen = retake_testing::browser::browse(&file, name)?;
    assert_sound(&seen, retake_report::has_live_charts());
    Some(seen)
}

/// A film of ten minutes answers to pointer and keyboard, in light, dark, on a phone and on paper.
#[test]
fn a_page_answers_to_pointer_and_keyboard() {
    let report = film(600, "film.mp4");
    let Some(seen) = browse("film", &report.render()) else { return };
    assert_eq!(seen["pictures"]["all"], 44);
    assert_eq!(seen["verdict"].as_str().map(|text| text.contains(&report.verdict())), Some(true));
    assert_eq!(seen["slider"].as_str(), Some("0%"));
}

/// A film of three hours is a page of less than 2 MB that opens in less than two seconds.
#[test]
fn three_hours_are_a_small_page() {
    let page = film(3 * 3600, "long.mp4").render();
    assert!(page.len() < 2_000_000, "{}", page.len());
    let Some(seen) = browse("long", &page) else { return };
    let milliseconds = seen["milliseconds"].as_u64();
    println!("opened in {milliseconds:?} ms");
}

/// No text of a film becomes markup or script, wherever it stands.
#[test]
fn hostile_texts_are_shown_and_not_obeyed() {
    let mut report = film(60, "film.mp4");
    poison(&mut report);
    let Some(seen) = browse("hostile", &report.render()) else { return };
    let shown: String = seen["title"].as_str().unwrap_or("").split('\u{fffd}').collect();
    let harmless = |c: &char| !c.is_control() && !matches!(c, '\u{202e}');
    assert_eq!(shown, HOSTILE.concat().chars().filter(harmless).collect::<String>());
}
