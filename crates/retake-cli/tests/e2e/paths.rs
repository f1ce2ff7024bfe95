//! Paths and what they lead to: names of every kind, links, lists of other films, folders that somebody
//! planted. A run works with them, or refuses them before the first frame and leaves everything as it was.

use crate::common::{Run, Studio, fast, ffmpeg};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

/// Packets of video, counted by another program.
fn frames(film: &Path) -> String {
    let mut address = OsString::from("file:");
    address.push(film);
    let run = Command::new("ffprobe")
        .args(["-v", "error", "-count_packets", "-select_streams", "v:0"])
        .args(["-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", "-i"])
        .arg(address)
        .output()
        .unwrap();
    String::from_utf8(run.stdout).unwrap().lines().next().unwrap_or_default().trim().to_owned()
}

/// Encodes `input` to `output` in the studio, and gives the exit code and what was said.
fn encode(studio: &Studio, input: &OsStr, output: &OsStr, flags: &str) -> (Option<i32>, String) {
    let mut command = studio.command(&format!("encode {} --crf 40 {flags}", fast()));
    let run = command.arg(input).arg("-o").arg(output).output().unwrap();
    (run.status.code(), String::from_utf8_lossy(&run.stderr).into_owned())
}

#[test]
fn names_of_every_kind_work() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=128x96:r=25:d=1 -c:v mpeg4", "film.mkv");
    let long = format!("{}.mp4", "n".repeat(251));
    let names = [&b"caf\xe9.mp4"[..], b"a?b#c%20.mp4", b"100%d.mp4", b"http:x.mp4", long.as_bytes()];
    for name in names {
        let name = OsStr::from_bytes(name);
        let (code, said) = encode(&studio, OsStr::new("film.mkv"), name, "");
        assert_eq!(code, Some(0), "{name:?}: {said}");
        let made = studio.path("").join(name);
        assert_eq!(frames(&made), "25", "{name:?}");
        // and as an input
        let (code, said) = encode(&studio, name, OsStr::new("again.mp4"), "");
        assert_eq!((code, frames(&studio.path("again.mp4"))), (Some(0), "25".into()), "{name:?}: {said}");
        fs::remove_file(made).unwrap();
        fs::remove_file(studio.path("again.mp4")).unwrap();
        assert_eq!(studio.names(), ["film.mkv".to_owned()].into(), "{name:?}");
    }
    let (code, said) = encode(&studio, OsStr::new("film.mkv"), OsStr::new("who? #1.m3u8"), "");
    assert_eq!(code, Some(0), "{said}");
    let whole =
        ["init.mp4", "00001.m4s"].map(|part| studio.read(&format!("who? #1.media/video/{part}"))).concat();
    fs::write(studio.path("whole.mp4"), whole).unwrap();
    assert_eq!(frames(&studio.path("whole.mp4")), "25");
    let too_long = format!("{}.mp4", "n".repeat(252));
    let (code, said) = encode(&studio, OsStr::new("film.mkv"), OsStr::new(&too_long), "");
    assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
    assert_eq!(studio.names().len(), 4, "{:?}", studio.names());
}

#[test]
fn links_are_followed_and_what_is_no_file_is_refused() {
    let Some(studio) = Studio::open() else { return };
    fs::create_dir(studio.path("far")).unwrap();
    fs::write(studio.path("far/real.mp4"), "old").unwrap();
    fs::set_permissions(studio.path("far/real.mp4"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("far/real.mp4", studio.path("link.mp4")).unwrap();
    symlink("missing.mp4", studio.path("nowhere.mp4")).unwrap();
    assert!(Command::new("mkfifo").arg(studio.path("pipe.mp4")).status().unwrap().success());
    let encode =
        |output: &str| studio.retake(&format!("encode film.mkv -o {output} {} --crf 40 -y --json", fast()));
    assert_eq!(encode("link.mp4").code, 0);
    assert!(studio.path("link.mp4").is_symlink() && !studio.path("far/real.mp4").is_symlink());
    assert_eq!(frames(&studio.path("far/real.mp4")), "216");
    let mode = fs::metadata(studio.path("far/real.mp4")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "who may read it stays the same");
    let before = studio.names();
    for output in ["nowhere.mp4", "pipe.mp4"] {
        encode(output).refused(2, &[output, "plain file"]);
    }
    assert_eq!(studio.names(), before);
    assert!(studio.path("nowhere.mp4").is_symlink());
}

/// A name may have lines, and what is said of it has one: an error, and how it went.
#[test]
fn what_is_said_of_a_name_stays_one_line() {
    let Some(studio) = Studio::open() else { return };
    let encode = |input: &str, output: &str| {
        let mut command = studio.command(&format!("encode {} --crf 40", fast()));
        Run::of(command.args([input, "-o", output]).output().unwrap())
    };
    let name = "a\nretake: b";
    for (input, output) in
        [(name, "out.mp4"), ("film.mkv", &format!("{name}/out.mp4")), ("film.mkv", &"a\n".repeat(100))]
    {
        encode(input, output).refused(2, &["a\\u000a"]);
    }
    fs::copy(studio.path("film.mkv"), studio.path(name)).unwrap();
    let run = encode(name, &format!("{name}.mp4"));
    assert_eq!(run.code, 0, "{run:?}");
    let lines = |text: &str| text.lines().filter(|line| line.starts_with("retake: b")).count();
    assert!(
        lines(&run.out) + lines(&run.err) == 0 && run.out.contains("a\\u000aretake: b.mp4: 216 frames"),
        "{run:?}"
    );
    assert_eq!(frames(&studio.path(&format!("{name}.mp4"))), "216");
}

/// A text under any name that lists films opens none of them; a playlist does where that is allowed.
#[test]
fn a_film_opens_nothing_but_itself() {
    let Some(studio) = Studio::open() else { return };
    ffmpeg(&studio.path(""), "-i film.mkv -map 0:v -c copy -f hls -hls_time 1 -hls_list_size 0 list.m3u8");
    fs::copy(studio.path("list.m3u8"), studio.path("holiday.mp4")).unwrap();
    fs::write(studio.path("joined.avi"), "ffconcat version 1.0\nfile film.mkv\n").unwrap();
    let before = studio.names();
    for input in ["list.m3u8", "holiday.mp4", "joined.avi"] {
        let words = &[input, "names other files", "--allow-references"];
        studio.retake(&format!("encode {input} -o out.mp4 {}", fast())).refused(2, words);
        studio.retake(&format!("measure {input} film.mkv")).refused(2, words);
        studio.retake(&format!("measure film.mkv {input}")).refused(2, words);
    }
    studio.retake("encode holiday.mp4 -o out.mp4 --allow-references").refused(2, &["holiday.mp4", "hls"]);
    assert_eq!(studio.names(), before);
    studio.encode(&format!("list.m3u8 -o out.mp4 {} --crf 40 --allow-references", fast()));
    assert_eq!(frames(&studio.path("out.mp4")), "216");
    // a recording that was cut off has no end
    let live = fs::read_to_string(studio.path("list.m3u8")).unwrap().replace("#EXT-X-ENDLIST", "");
    fs::write(studio.path("live.m3u8"), live).unwrap();
    let run = studio.retake("encode live.m3u8 -o live.mp4 --allow-references");
    run.refused(2, &["live.m3u8", "no end"]);
}

/// A job folder that was planted leads to no file of the user's.
#[test]
fn a_planted_job_folder_is_refused() {
    let Some(studio) = Studio::open() else { return };
    fs::create_dir(studio.path("mine")).unwrap();
    fs::write(studio.path("mine/dear"), "dear").unwrap();
    fs::write(studio.path("mine/unfinished-dear"), "dear").unwrap();
    let job = format!("encode film.mkv -o out.mp4 {} --crf 40", fast());
    let folder = studio.path("out.mp4.retake");
    for (name, target) in
        [("index", "mine/dear"), ("lock", "mine/new"), ("takes", "mine"), ("input", "mine/dear")]
    {
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        symlink(studio.path(target), folder.join(name)).unwrap();
        for flags in ["", " --restart"] {
            studio
                .retake(&format!("{job}{flags}"))
                .refused(2, &["out.mp4.retake", name, "link", "--work-dir"]);
        }
        fs::remove_dir_all(&folder).unwrap();
    }
    symlink(studio.path("mine"), &folder).unwrap();
    studio.retake(&job).refused(2, &["out.mp4.retake", "link"]);
    fs::remove_file(&folder).unwrap();
    let left: Vec<_> =
        fs::read_dir(studio.path("mine")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|path| fs::read_to_string(path).unwrap() == "dear"));
}

/// What cannot be scored is refused before it is encoded.
#[test]
fn pictures_that_are_too_small_for_the_metric_are_refused() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=16x16:r=25:d=1 -c:v mpeg4", "film.mkv");
    let run = studio.retake(&format!("encode film.mkv -o out.mp4 {} --metric vmaf -q 90", fast()));
    run.refused(2, &["vmaf"]);
    assert_eq!(studio.names(), ["film.mkv".to_owned()].into());
}

/// AAC as transport streams carry it goes into a stream, and sounds as before.
#[test]
fn sound_of_transport_streams_goes_into_a_stream() {
    let Some(studio) = Studio::empty() else { return };
    let inputs = "-f lavfi -i testsrc2=s=128x96:r=25:d=3 -f lavfi -i sine=d=3:f=700";
    studio.render(&format!("{inputs} -c:v mpeg2video -c:a aac -f mpegts"), "film.ts");
    studio.encode(&format!("film.ts -o out.m3u8 {} --crf 40", fast()));
    let sound = |input: &str| ffmpeg(&studio.path(""), &format!("-i {input} -vn -f s16le -"));
    let (found, expected) = (sound("out.media/sound-1/index.m3u8"), sound("film.ts"));
    assert!(expected.len() > 200_000 && found == expected, "{} and {} bytes", found.len(), expected.len());
}
