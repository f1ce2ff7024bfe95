//! `--from` and `--to` make a film of a part of the source: exactly its frames, and all other tracks cut
//! where they are.

use crate::common::{self, Studio, fast, ffmpeg, frame_times, picture_hashes, probe};
use std::fs;
use std::path::Path;

/// The PSNR of each frame of a film against as many frames of the source from `first` on, as `ffmpeg`
/// measures it; no picture of either is left over where the numbers are as many as those of both.
fn psnr(studio: &Studio, film: &str, first: usize, end: usize) -> Vec<f64> {
    let graph = format!(
        "[1:v]trim=start_frame={first}:end_frame={end},setpts=N/24/TB[b];[0:v]setpts=N/24/TB[a];[a][b]psnr=stats_file=-"
    );
    common::psnr(&studio.path("."), film, "film.mkv", &graph)
}

/// The sound of a film from time 0 on, one channel at 48 kHz, as `ffmpeg` gives it to a player.
fn sound(film: &Path) -> Vec<i16> {
    let (folder, name) = (film.parent().unwrap(), film.file_name().unwrap().to_str().unwrap());
    let out =
        ffmpeg(folder, &format!("-i {name} -map 0:a:0 -af aresample=async=1:first_pts=0 -f s16le -ac 1 -"));
    out.chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect()
}

/// The pictures are those that ffmpeg decodes between the same frames of the source, whatever is written, and
/// wherever in a group of pictures the range begins.
#[test]
fn the_film_has_the_frames_of_the_range_and_no_other() {
    let Some(studio) = Studio::open() else { return };
    // Pictures are shown 21 ms after the film has begun: frame 77 at 3.229 s, and frame 140 at 5.854 s.
    for (name, range) in [
        ("a.mp4", "--from 3.2 --to 5.833"),
        ("b.mkv", "--from 0:03.2 --to 140f"),
        ("c.m3u8", "--from 77f --to 0:00:05.854"),
    ] {
        studio.encode(&format!("film.mkv -o {name} {} --crf 4 --passes 1 {range}", fast()));
        let values = psnr(&studio, name, 77, 140);
        assert_eq!(values.len(), 63, "{name}");
        assert!(values.iter().all(|&value| value > 38.0), "{name}: {values:?}");
        let next = psnr(&studio, name, 78, 141);
        assert!(next.iter().any(|&value| value < 30.0), "the film tells nothing: {next:?}");
        assert_eq!(picture_hashes(&studio.path(name)).len(), 63, "{name}");
    }
    for name in ["a.mp4", "b.mkv"] {
        assert_eq!(frame_times(&studio.path(name)).0[0], 0, "{name} begins with a picture");
    }
    // The film can be measured against the same range of its source.
    let measure = |range: &str| studio.retake(&format!("measure film.mkv a.mp4 --metric psnr {range}"));
    let measured = measure("--from 77f --to 140f");
    assert!(measured.code == 0 && measured.out.contains("over 63 frames"), "{measured:?}");
    measure("--from 77f --to 141f").refused(2, &["63 frames"]);
}

/// What is heard at a picture in the source is heard at it in the film, sample for sample: the sound is a
/// sweep, so that no two moments of it are alike.
#[test]
fn sound_is_cut_where_the_pictures_are() {
    let Some(studio) = Studio::empty() else { return };
    let flags = format!("{} --crf 40 --passes 1", fast());
    let sweep = "-f lavfi -i testsrc2=s=160x90:r=24:d=7 -f lavfi -i aevalsrc=0.4*sin(6.2832*(200+70*t)*t):s=48000:d=7";
    studio.render(
        &format!("{sweep} -c:v libx264 -preset ultrafast -g 30 -c:a aac -aac_pns 0 -b:a 128k"),
        "film.mp4",
    );
    let source = sound(&studio.path("film.mp4"));
    // A frame lasts 2000 samples.
    let (start, end) = (61 * 2000, 121 * 2000);
    for name in ["out.mp4", "out.mov", "out.mkv"] {
        studio.encode(&format!("film.mp4 -o {name} {flags} --from 61f --to 121f"));
        let found = sound(&studio.path(name));
        // Matroska has the packets that begin in the range, and its clock counts milliseconds.
        let (silent, slip) = if name == "out.mkv" { (2 * 1024, 24) } else { (0, 0) };
        let differs = |shift: i64| {
            let at = |index: usize| source[start + index + 24 - (24 + shift) as usize];
            let compared = silent..found.len().min(end - start) - 48;
            compared.map(|index| i64::from(found[index].abs_diff(at(index)))).max().unwrap()
        };
        let shift = (-slip..=slip).min_by_key(|&shift| differs(shift)).unwrap();
        assert!(differs(shift) <= 2, "{name}: {} at {shift}", differs(shift));
        assert!(found.len() + slip as usize >= end - start, "{name}: {} samples", found.len());
        let length =
            probe(&studio.path(name), "-select_streams a -show_entries packet=pts_time,duration_time");
        assert!(!length.is_empty());
    }
    // The track of sound lasts as long as the pictures do.
    let length = probe(&studio.path("out.mp4"), "-select_streams a -show_entries stream=duration");
    assert_eq!(length, ["2.500000"]);
}

/// Subtitles and chapters that reach over a cut are cut there; those elsewhere are left out.
#[test]
fn subtitles_and_chapters_are_cut() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} --crf 40 --passes 1", fast());
    for name in ["out.mkv", "out.mp4"] {
        studio.encode(&format!("film.mkv -o {name} {flags} --from 36f --to 120f"));
        let folder = studio.path(".");
        let text = String::from_utf8(ffmpeg(&folder, &format!("-i {name} -map 0:s:0 -f srt -"))).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let expected = [
            "1",
            "00:00:00,000 --> 00:00:00,500",
            "The first take",
            "2",
            "00:00:02,500 --> 00:00:03,500",
            "Once more",
        ];
        assert_eq!(lines, expected, "{name}");
        let chapters = probe(
            &studio.path(name),
            "-show_chapters -show_entries chapter=start_time,end_time:chapter_tags=title",
        );
        assert_eq!(chapters, ["0.000000,2.479000,Morning", "2.479000,3.500000,Evening"], "{name}");
    }
}

/// However many takes run at once, and wherever a run was killed, the range comes to the same bytes; and a
/// job of one range is not carried on as one of another.
#[test]
fn a_range_is_a_job_as_the_whole_film_is() {
    let Some(studio) = Studio::open() else { return };
    let job = |name: &str| format!("film.mkv -o {name} {} --metric psnr -q 36 --from 1.1 --to 7", fast());
    studio.encode(&format!("{} --jobs 1", job("one.mp4")));
    let expected = studio.read("one.mp4");
    studio.encode(&format!("{} --jobs 2", job("two.mp4")));
    assert!(studio.read("two.mp4") == expected);
    let mut running = studio.start(&job("out.mp4"));
    let mut takes = 0;
    running.until(&mut |event| {
        takes += u32::from(event["event"] == "take_finished");
        takes == 3
    });
    running.signal("KILL");
    running.end();
    assert!(studio.path("out.mp4.retake").exists(), "the run was done before it was killed");
    let other = job("out.mp4").replace("--to 7", "--to 6");
    studio.retake(&format!("encode {other}")).refused(2, &["other settings", "source"]);
    // The same frames by other words are the same job.
    let run = studio.encode(&job("out.mp4").replace("--to 7", "--to 168f"));
    let kept = run.events().iter().filter(|event| event["kept"] == true).count();
    assert!(kept >= 3, "{kept}");
    assert!(studio.read("out.mp4") == expected);
}

#[test]
fn a_range_without_frames_is_refused() {
    let Some(studio) = Studio::open() else { return };
    let run = |range: &str| studio.retake(&format!("encode film.mkv -o out.mp4 {} {range}", fast()));
    run("--from 5 --to 4").refused(2, &["--from", "5.000 s", "4.000 s"]);
    run("--from 10:00").refused(2, &["600.000 s", "9.020 s long"]);
    let wrong = run("--from half");
    assert!(wrong.code == 2 && wrong.err.contains("12.5"), "{wrong:?}");
    assert_eq!(fs::read_dir(studio.path(".")).unwrap().count(), 1, "nothing is left behind");
}
