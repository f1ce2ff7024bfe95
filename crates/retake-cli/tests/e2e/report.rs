//! Reports of what the command made: in a real browser, with films whose names and titles are markup, of
//! streams, of films that other programs encoded, and where the films are gone.

use crate::common::{Run, Running, Studio, fast, ffmpeg};
use retake_testing::browser::{assert_sound, browse};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const FLOOR: &str = "--metric psnr -q 36";

/// Opens a page, and asserts what holds of all of them; `None` where there is no browser.
fn look(studio: &Studio, page: &str) -> Option<Value> {
    let seen = browse(studio.path(page), page)?;
    assert_sound(&seen, retake::report::has_live_charts());
    Some(seen)
}

/// The page of a film has all units, ten pairs of pictures at most, and its numbers are those of the summary.
/// It can be made again from the records alone, and is the same then.
#[test]
fn a_page_beside_the_film() {
    let Some(studio) = Studio::open() else { return };
    let run = studio.encode(&format!("film.mkv -o out.mp4 {} {FLOOR} --report --plot plot.svg", fast()));
    let (summary, page) = (run.summary(), studio.read("out.mp4.retake.html"));
    let page = String::from_utf8(page).unwrap();
    assert!(page.len() < 2_000_000, "{}", page.len());
    for text in ["Morning", "Evening", "the whole film"] {
        assert!(page.contains(text), "{text}");
    }
    let plot = String::from_utf8(studio.read("plot.svg")).unwrap();
    assert!(plot.starts_with("<svg xmlns=") && plot.contains("Bit rate by second"), "{plot}");
    let again = studio.retake("report out.mp4 -o again.html");
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(String::from_utf8(studio.read("again.html")).unwrap(), page);
    studio.retake("report out.mp4 -o again.html").refused(2, &["again.html", "--overwrite"]);
    let Some(seen) = look(&studio, "out.mp4.retake.html") else { return };
    let verdict = seen["verdict"].as_str().unwrap();
    let worst = summary["quality"]["worst"].as_f64().unwrap();
    assert!(verdict.contains("PSNR 36 in every unit"), "{verdict}");
    assert!(verdict.contains(&format!("{worst:.2}").trim_end_matches('0').to_owned()), "{verdict} {worst}");
    let pictures = &seen["pictures"];
    assert_eq!(pictures["all"], pictures["shown"]);
    assert!(pictures["all"].as_u64() > Some(10), "{pictures}");
    assert!(seen["hover"].as_str().unwrap().contains("Chapter: "), "{seen}");
}

/// Names, titles, tags and chapters that are markup are shown and not obeyed.
#[test]
#[cfg(unix)]
fn hostile_names_are_shown() {
    let Some(studio) = Studio::open() else { return };
    let evil = "</script><script>window.injected=true</script><img src=x onerror=window.injected=true>";
    let tags = format!(
        ";FFMETADATA1\ntitle={evil}\nartist=<!--<script>\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=4000\ntitle={evil}\n"
    );
    fs::write(studio.path("tags"), tags).unwrap();
    ffmpeg(
        &studio.path("."),
        "-i film.mkv -i tags -map 0:v -map_metadata 1 -map_chapters 1 -c copy evil.mkv",
    );
    let name = "'\"><svg onload=window.injected=true>.mkv";
    fs::rename(studio.path("evil.mkv"), studio.path(name)).unwrap();
    let mut command = studio.command(&format!("encode {} {FLOOR} --report page.html -o", fast()));
    let run = Run::of(command.args(["<b>&amp;.mp4", name]).output().unwrap());
    assert_eq!(run.code, 0, "{run:?}");
    let page = String::from_utf8(studio.read("page.html")).unwrap();
    assert!(
        !page.contains("<svg onload") && !page.contains("<script>window") && !page.contains("<img src=x")
    );
    assert!(page.contains("&lt;script&gt;window.injected=true"), "the chapter is there");
    let Some(seen) = look(&studio, "page.html") else { return };
    assert_eq!(seen["title"], "<b>&amp;.mp4");
}

/// A stream has a page as a film has.
#[test]
fn a_page_of_a_stream() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&format!("film.mkv -o stream.m3u8 {} {FLOOR} --report page.html", fast()));
    let Some(seen) = look(&studio, "page.html") else { return };
    assert!(seen["pictures"]["all"].as_u64() > Some(10), "{seen}");
}

/// A film that another program encoded is measured, with all scores in a file beside the page.
#[test]
fn a_page_of_what_was_measured() {
    let Some(studio) = Studio::open() else { return };
    studio.render(
        "-i film.mkv -map 0:v -fps_mode passthrough -c:v libx264 -preset ultrafast -crf 34",
        "other.mp4",
    );
    let run = studio.retake("measure film.mkv other.mp4 --metric psnr -q 99 --report page.html");
    assert_eq!(run.code, 3, "{run:?}");
    let all: Value = serde_json::from_slice(&studio.read("page.json")).unwrap();
    let scores: Vec<f64> =
        all["frames"]["score"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    assert!((mean - all["scores"]["mean"].as_f64().unwrap()).abs() < 1e-9);
    let bytes: u64 = all["frames"]["bytes"].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
    assert_eq!(bytes, crate::common::video_bytes(&studio.path("other.mp4")).0);
    let Some(seen) = look(&studio, "page.html") else { return };
    assert!(seen["verdict"].as_str().unwrap().starts_with("Not reached Asked for PSNR 99"), "{seen}");
}

/// Where source or film are gone, the page says so and has no pictures. A film is never taken for a page.
#[test]
fn what_cannot_be_shown_is_told() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&format!("film.mkv -o out.mp4 {} {FLOOR}", fast()));
    for page in ["film.mkv", "out.mp4"] {
        let flags = format!("encode film.mkv -o out.mp4 -y {} {FLOOR} --report {page}", fast());
        studio.retake(&flags).refused(2, &[page, "the film itself"]);
    }
    fs::remove_file(studio.path("film.mkv")).unwrap();
    let run = studio.retake("report out.mp4");
    assert!(run.code == 0 && run.err.contains("film.mkv: it is not there"), "{run:?}");
    let page = String::from_utf8(studio.read("out.mp4.retake.html")).unwrap();
    assert!(page.contains("film.mkv: it is not there") && !page.contains("image/jpeg"));
    studio.retake("report nothing.mp4").refused(2, &["nothing.mp4", "no records"]);
    fs::write(studio.path("other.json"), "{}").unwrap();
    studio.retake("report other.json").refused(2, &["other.json", "no records"]);
}

/// Encodes of one source side by side: who is better follows from the scores of each, and a BD-rate from four
/// points of two curves.
#[test]
fn films_are_compared() {
    let Some(studio) = Studio::open() else { return };
    let mut films = Vec::new();
    for (name, preset) in [("slow", "medium"), ("fast", "ultrafast")] {
        for crf in [20, 26, 32, 38] {
            let film = format!("{name}{crf}.mp4");
            let flags = format!(
                "-i film.mkv -map 0:v -fps_mode passthrough -c:v libx264 -preset {preset} -crf {crf}"
            );
            studio.render(&flags, &film);
            films.push(format!("{name}={film}"));
        }
    }
    let run = studio.retake(&format!("compare film.mkv {} --metric psnr -o page.html", films.join(" ")));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("slow takes ") && run.out.contains("fewer bits than fast"), "{run:?}");
    assert!(run.out.contains("slow20.mp4 has PSNR"), "{run:?}");
    if let Some(seen) = look(&studio, "page.html") {
        assert!(seen["hover"].as_str().unwrap().contains("fast38.mp4"), "{seen}");
    }
    studio.retake("compare film.mkv slow20.mp4").refused(2, &["FILM"]);
    studio.retake("compare film.mkv slow20.mp4 fast20.mp4 -o page.html").refused(2, &["page.html"]);
}

/// While a job runs, its page is served: to whoever asks by the right name, to be read and nothing else.
#[test]
fn a_page_while_the_job_runs() {
    let Some(studio) = Studio::open() else { return };
    // A port that is free now; that somebody else takes it meanwhile is unlikely, and would be told.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // The source comes through a pipe, so that the job waits for its end while the page is asked for.
    let (source, mut film) = std::io::pipe().unwrap();
    let flags = format!("encode - -o out.mp4 {} {FLOOR} --json --serve {address}", fast());
    let mut command = studio.command(&flags);
    command.stdin(source);
    let job = Running::start(command);
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody serves the page");
        std::thread::sleep(Duration::from_millis(10));
    }
    let ask = |text: String| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let of = |method: &str, path: &str, host: &str| {
        ask(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    };
    let page = of("GET", "/", &address.to_string());
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("Cache-Control: no-store") && page.contains(">Running</span>"), "{page}");
    assert!(page.contains("<bdi>out.mp4</bdi>") && page.contains("data-live"));
    for (method, path, host, code) in [
        ("GET", "/", "evil.example", 403),
        ("GET", "/", "", 403),
        ("POST", "/", &address.to_string(), 405),
        ("GET", "/film.mkv", &address.to_string(), 404),
        ("GET", "/../film.mkv", &address.to_string(), 404),
    ] {
        let answer = of(method, path, host);
        assert!(answer.starts_with(&format!("HTTP/1.1 {code}")), "{method} {path} {host}: {answer}");
    }
    film.write_all(&studio.read("film.mkv")).unwrap();
    drop(film);
    let (run, _, _) = job.end();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains(&format!("http://{address}/")), "{run:?}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let again = format!("encode film.mkv -o new.mp4 {} --crf 30 --passes 1 --serve {address}", fast());
    studio.retake(&again).refused(2, &["--serve", "in use"]);
}
