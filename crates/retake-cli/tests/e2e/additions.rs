//! Subtitles, chapters, covers and tags that come from elsewhere than the source.

use crate::common::{Studio, fast, ffmpeg, probe};
use std::fs;

const TEXT: &str = "1\n00:00:00,250 --> 00:00:01,000\nGrüße\n\n2\n00:00:01,100 --> 00:00:01,900\nWelt\n\n";

/// Two seconds of pictures alone, of which the first is shown at zero, and the same as a broadcast, which
/// begins later on its clock.
fn films(studio: &Studio) {
    studio.render("-f lavfi -i testsrc2=s=160x96:r=25:d=2 -c:v mpeg2video -q:v 2", "film.mkv");
    studio.render("-i film.mkv -c copy -output_ts_offset 7.123", "late.ts");
}

/// The texts of the subtitles with this number, as the `ffmpeg` program reads them.
fn texts(studio: &Studio, film: &str, number: u32) -> String {
    let folder = studio.path("");
    String::from_utf8(ffmpeg(&folder, &format!("-i {film} -map 0:s:{number} -f srt -"))).unwrap()
}

/// The times of the texts, where there are any, in milliseconds: of the appearance, and of the end.
fn times(studio: &Studio, film: &str, number: u32) -> Vec<(u32, u32)> {
    let shown = format!("-select_streams s:{number} -show_entries packet=pts_time,duration_time,size");
    let packets = probe(&studio.path(film), &shown);
    let read = |packet: &String| {
        let fields: Vec<f64> = packet.split(',').map(|field| field.parse().unwrap()).collect();
        // what is between texts in MP4 is a sample of two bytes
        let ms = |seconds: f64| (seconds * 1000.0).round() as u32;
        (fields[2] > 2.0).then(|| (ms(fields[0]), ms(fields[0] + fields[1])))
    };
    packets.iter().filter_map(read).collect()
}

/// Files of subtitles are shown at their times, which count from the start of the film, in every container
/// and whatever the clock of the source says; in a part of the film they are cut with it.
#[test]
fn added_subtitles_are_shown_at_their_times() {
    let Some(studio) = Studio::empty() else { return };
    films(&studio);
    fs::write(studio.path("a.srt"), TEXT).unwrap();
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(TEXT.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    fs::write(studio.path("b:c.srt"), utf16).unwrap();
    studio.render("-i a.srt", "d.ass");
    studio.render("-i a.srt", "e.vtt");
    let added = "--add-subtitles a.srt:de:Deutsch --add-subtitles b:c.srt:en-GB --add-subtitles d.ass --add-subtitles e.vtt";
    for (source, output) in
        [("film.mkv", "out.mkv"), ("film.mkv", "out.mp4"), ("late.ts", "out.mp4"), ("late.ts", "out.mkv")]
    {
        let what = format!("{source} in {output}");
        studio.encode(&format!("{source} -o {output} -y {} --crf 40 {added} --default subtitles+en", fast()));
        for number in 0..4 {
            assert_eq!(times(&studio, output, number), [(250, 1000), (1100, 1900)], "{what}: {number}");
            let text = texts(&studio, output, number);
            assert!(text.contains("Grüße") && text.contains("Welt"), "{what}: {text}");
        }
        let shown = "-select_streams s -show_entries stream=codec_name:stream_tags=language:stream_disposition=default";
        let found = probe(&studio.path(output), shown);
        let expected = match output {
            "out.mkv" => ["subrip,0,deu", "subrip,1,en-GB", "ass,0", "webvtt,0"],
            _ => ["mov_text,0,deu", "mov_text,1,eng", "mov_text,0,und", "mov_text,0,und"],
        };
        assert_eq!(found, expected, "{what}");
        assert!(studio.read(output).windows(7).any(|bytes| bytes == b"Deutsch"), "{what}");
        studio.encode(&format!("{source} -o {output} -y {} --crf 40 {added} --from 12f --to 38f", fast()));
        for number in 0..4 {
            assert_eq!(times(&studio, output, number), [(0, 520), (620, 1040)], "{what}: {number}");
        }
    }
}

/// Whatever is in a file is part of what was asked for: with other content the same words are another film.
#[test]
fn what_is_in_a_file_is_part_of_the_request() {
    let Some(studio) = Studio::empty() else { return };
    films(&studio);
    fs::write(studio.path("a.srt"), TEXT).unwrap();
    fs::write(studio.path("chapters.txt"), "0:00 One\n").unwrap();
    studio.render("-f lavfi -i color=red:s=64x48 -frames:v 1", "cover.png");
    let added = "--add-subtitles a.srt --chapters chapters.txt --cover cover.png --tag title=Rushes";
    let command = format!("film.mkv -o out.mp4 {} --crf 40 {added}", fast());
    let first = studio.encode(&command);
    let again = studio.encode(&command);
    assert_eq!(again.summary()["file_bytes"], first.summary()["file_bytes"]);
    for (name, content) in [("a.srt", TEXT.replace("Welt", "Wald")), ("chapters.txt", "0:00 Two\n".into())] {
        let before = studio.read(name);
        fs::write(studio.path(name), content).unwrap();
        studio.retake(&format!("encode {command}")).refused(2, &["out.mp4", "exists"]);
        fs::write(studio.path(name), before).unwrap();
    }
    studio.retake(&format!("encode {command} --tag date=2026")).refused(2, &["out.mp4", "exists"]);
}

/// All forms of a file of chapters say the same, and are cut with the film.
#[test]
fn chapters_come_from_a_file() {
    let Some(studio) = Studio::open() else { return };
    let chapters = |name: &str| {
        let shown = "-show_chapters -show_entries chapter=start_time,end_time:chapter_tags=title";
        probe(&studio.path(name), shown)
    };
    let meta = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2500\ntitle=One\n\
                [CHAPTER]\nTIMEBASE=1/1000\nSTART=2500\nEND=9021\ntitle=Two words\n";
    let ogm = "CHAPTER01=00:00:00.000\nCHAPTER01NAME=One\nCHAPTER02=00:00:02.500\nCHAPTER02NAME=Two words\n";
    for (form, text) in
        [("meta", meta), ("ogm", ogm), ("lines", "0:00 One\n0:02.5 Two words\n1:00:00 Never\n")]
    {
        fs::write(studio.path("chapters.txt"), text).unwrap();
        for output in ["out.mkv", "out.mp4"] {
            let run = studio
                .encode(&format!("film.mkv -o {output} -y {} --crf 40 --chapters chapters.txt", fast()));
            let found = chapters(output);
            assert_eq!(found.len(), 2, "{form} in {output}: {found:?}");
            assert_eq!(found[0], "0.000000,2.500000,One", "{form} in {output}");
            assert!(found[1].starts_with("2.500000,9.") && found[1].ends_with(",Two words"), "{found:?}");
            let told = run.notes().iter().any(|note| note.contains("a chapter begins behind the end"));
            assert_eq!(told, form == "lines", "{:?}", run.notes());
        }
    }
    let part = "--chapters chapters.txt --from 2 --to 4";
    let run = studio.encode(&format!("film.mkv -o part.mkv {} --crf 40 {part}", fast()));
    let found: Vec<(f64, f64)> = chapters("part.mkv")
        .iter()
        .map(|chapter| {
            let mut fields = chapter.split(',').map(|field| field.parse::<f64>());
            (fields.next().unwrap().unwrap(), fields.next().unwrap().unwrap())
        })
        .collect();
    // the first frame at or after two seconds is shown at 2.021
    let near = |one: f64, other: f64| (one - other).abs() < 0.0015;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(near(found[0].0, 0.0) && near(found[0].1, 0.479) && near(found[1].0, 0.479), "{found:?}");
    assert_eq!(run.notes(), [""; 0]);
    studio.encode(&format!("film.mkv -o none.mkv {} --crf 40 --chapters none", fast()));
    assert!(chapters("none.mkv").is_empty());
}

/// The bytes of the cover of a film, as the `ffmpeg` program takes them out.
fn cover(studio: &Studio, film: &str) -> Vec<u8> {
    ffmpeg(&studio.path(""), &format!("-i {film} -map 0:v -map -0:V -c copy -f image2pipe -"))
}

/// Covers are kept, or replaced, bit for bit, and tags set and taken away, in each container.
#[test]
fn covers_and_tags_are_kept_and_set() {
    let Some(studio) = Studio::empty() else { return };
    films(&studio);
    studio.render("-f lavfi -i color=red:s=64x48 -frames:v 1", "red.png");
    studio.render("-f lavfi -i color=blue:s=80x60 -frames:v 1", "blue.jpg");
    let with = "-metadata title=Old -metadata artist=Crew -metadata OWN=kept";
    studio.render(
        &format!("-i film.mkv {with} -c copy -attach red.png -metadata:s:t mimetype=image/png"),
        "red.mkv",
    );
    let tag = |name: &str, key: &str| probe(&studio.path(name), &format!("-show_entries format_tags={key}"));
    for output in ["out.mkv", "out.mp4"] {
        let codec = "-c h264 -p superfast";
        studio.encode(&format!("red.mkv -o {output} -y {codec} --crf 40"));
        assert_eq!(cover(&studio, output), studio.read("red.png"), "{output}");
        let set = "--cover blue.jpg --tag title=New --tag artist= --tag mine=Yes";
        let run = studio.encode(&format!("red.mkv -o {output} -y {codec} --crf 40 {set}"));
        assert_eq!(cover(&studio, output), studio.read("blue.jpg"), "{output}");
        assert_eq!(tag(output, "title"), ["New"], "{output}");
        assert!(tag(output, "artist").is_empty() && tag(output, "ARTIST").is_empty(), "{output}");
        let (mine, own) = if output == "out.mkv" { ("MINE", "OWN") } else { ("mine", "OWN") };
        assert_eq!((tag(output, mine), tag(output, own)), (vec!["Yes".to_owned()], vec!["kept".to_owned()]));
        assert_eq!(run.notes(), [""; 0], "{output}");
    }
    // QuickTime has no covers, and says so
    let run = studio.encode("red.mkv -o out.mov -c h264 -p superfast --crf 40");
    let told = |note: &String| note.contains("cover picture track 1 (png) cannot go into MOV");
    assert!(run.notes().iter().any(told), "{:?}", run.notes());
    let all = crate::common::encoders();
    if let Some(vp9) = all.iter().find(|encoder| encoder.codec == "vp9") {
        let run = studio.encode(&format!("film.mkv -o out.webm {} --crf 50 --cover red.png", vp9.flags));
        let told = |note: &String| note.contains("red.png cannot go into WebM");
        assert!(run.notes().iter().any(told), "{:?}", run.notes());
    }
}

/// What is no such file is one clear line, and nothing is left behind.
#[test]
fn wrong_files_are_refused() {
    let Some(studio) = Studio::empty() else { return };
    films(&studio);
    studio.render("-i film.mkv -c copy", "film.srt.mkv");
    fs::rename(studio.path("film.srt.mkv"), studio.path("film.srt")).unwrap();
    fs::write(studio.path("latin.srt"), b"1\n00:00:00,250 --> 00:00:01,000\nGr\xfc\xdfe\n").unwrap();
    fs::write(studio.path("words.srt"), "These are words and nothing else.\n").unwrap();
    fs::write(studio.path("empty.srt"), "").unwrap();
    fs::write(studio.path("chapters.txt"), "0:00 One\n\n0:61 Two\n").unwrap();
    fs::write(studio.path("meta.txt"), ";FFMETADATA1\ntitle=No chapter\n").unwrap();
    let before = studio.all_names();
    for (flags, words) in [
        ("--add-subtitles latin.srt", &["latin.srt", "line 3", "UTF-8", "iconv"][..]),
        ("--add-subtitles words.srt", &["words.srt"]),
        ("--add-subtitles empty.srt", &["empty.srt", "empty"]),
        ("--add-subtitles film.srt", &["film.srt"]),
        ("--add-subtitles none.srt", &["none.srt", "No such file"]),
        ("--add-subtitles film.mkv", &["--add-subtitles", "film.mkv", ".srt"]),
        ("--add-subtitles latin.srt:german", &["--add-subtitles", "german", "en-GB"]),
        ("--chapters chapters.txt", &["--chapters", "chapters.txt", "line 3", "0:05:00"]),
        ("--chapters meta.txt", &["--chapters", "meta.txt", "[CHAPTER]"]),
        ("--chapters none.txt", &["none.txt", "No such file"]),
        ("--cover words.srt", &["words.srt"]),
        ("--cover film.mkv", &["film.mkv", "JPEG or PNG"]),
        ("--tag title", &["--tag", "KEY=VALUE"]),
        ("--tag encoder=me", &["--tag", "encoder"]),
    ] {
        let run = studio.retake(&format!("encode film.mkv -o out.mp4 {} --crf 40 {flags}", fast()));
        run.refused(2, words);
        assert_eq!(studio.all_names(), before, "{flags}");
    }
}
