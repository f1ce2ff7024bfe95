//! Everything but the video is copied, and what a container cannot hold is said.

use crate::common::{Studio, between, fast, ffmpeg, packet_hashes, probe};
use std::path::Path;

/// Chapters and tags as `ffprobe` reports them.
fn chapters(film: &Path) -> Vec<String> {
    probe(film, "-show_chapters -show_entries chapter=start_time,end_time:chapter_tags=title")
}

fn tag(film: &Path, name: &str) -> Vec<String> {
    probe(film, &format!("-show_entries format_tags={name}"))
}

/// The samples of the sound are the source's, bit for bit.
#[test]
fn sound_is_copied_bit_for_bit() {
    let Some(studio) = Studio::open() else { return };
    let expected = packet_hashes(&studio.path("film.mkv"), "a");
    assert!(expected.len() > 400);
    for container in ["mp4", "mkv", "mov"] {
        let flags = if container == "mov" { "-c h264 -p superfast" } else { fast() };
        if container == "mov" && !crate::common::encoders().iter().any(|encoder| encoder.name == "x264") {
            continue;
        }
        studio.encode(&format!("film.mkv -o out.{container} {flags} --crf 40"));
        let found = packet_hashes(&studio.path(&format!("out.{container}")), "a");
        assert!(found == expected, "{container}: {} packets of {}", found.len(), expected.len());
    }
    // and out of an MP4 file
    studio.encode(&format!("out.mp4 -o again.mkv {} --crf 40", fast()));
    assert!(packet_hashes(&studio.path("again.mkv"), "a") == expected);
}

#[test]
fn subtitles_chapters_and_tags_are_kept() {
    let Some(studio) = Studio::open() else { return };
    let source = studio.path("film.mkv");
    let folder = source.parent().unwrap();
    let text =
        |name: &str| String::from_utf8(ffmpeg(folder, &format!("-i {name} -map 0:s:0 -f srt -"))).unwrap();
    assert_eq!(chapters(&source).len(), 2);
    for container in ["mkv", "mp4"] {
        let name = format!("out.{container}");
        let run = studio.encode(&format!("film.mkv -o {name} {} --crf 40", fast()));
        let film = studio.path(&name);
        assert_eq!(text(&name), text("film.mkv"), "{container}");
        assert_eq!(chapters(&film), chapters(&source), "{container}");
        for name in ["title", "artist"] {
            assert_eq!(tag(&film, name), tag(&source, name), "{container}");
        }
        assert_eq!(
            probe(&film, "-select_streams a -show_entries stream_tags=language"),
            ["fra"],
            "{container}"
        );
        let about_text = run.notes().iter().any(|note| note.contains("subtitle"));
        assert_eq!(about_text, container == "mp4", "{container}: {:?}", run.notes());
    }
}

/// MP4 has a place for the name of a track, which some FFmpegs write and do not read.
#[test]
fn names_of_tracks_are_kept() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-i film.mkv -map 0:v -map 0:a -c copy -metadata:s:a:0 title=Kommentar", "named.mkv");
    for container in ["mkv", "mp4", "mov"] {
        let name = format!("out.{container}");
        let run = studio.encode(&format!("named.mkv -o {name} -c h264 -p superfast --crf 40"));
        assert!(!run.notes().iter().any(|note| note.contains("Kommentar")), "{name}: {:?}", run.notes());
        let held = studio.read(&name).windows(9).any(|bytes| bytes == b"Kommentar");
        assert!(held, "{name} lost the name");
    }
}

#[test]
fn what_a_container_cannot_hold_is_said() {
    let Some(studio) = Studio::open() else { return };
    std::fs::write(studio.path("font.ttf"), b"not really a font").unwrap();
    studio.render(
        "-i film.mkv -map 0:v -map 0:a -c:v copy -c:a pcm_s16le -attach font.ttf -metadata:s:t mimetype=application/x-truetype-font",
        "rich.mkv",
    );
    let run = studio.encode(&format!("rich.mkv -o out.mp4 {} --crf 40", fast()));
    let notes = run.notes();
    assert!(notes.iter().any(|note| note.contains("pcm_s16le") && note.contains("MP4")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("attachment") && note.contains("MP4")), "{notes:?}");
    // chapters of an MP4 file are a track of their own, of data
    let kinds = probe(&studio.path("out.mp4"), "-show_entries stream=codec_type");
    assert!(!kinds.iter().any(|kind| ["audio", "attachment"].contains(&kind.as_str())), "{kinds:?}");
    // a person is told, too
    let run = studio.retake(&format!("encode rich.mkv -o person.mp4 {} --crf 40", fast()));
    assert!(run.out.contains("note: ") && run.out.contains("pcm_s16le"), "{run:?}");
    // Matroska holds all of it
    let run = studio.encode(&format!("rich.mkv -o out.mkv {} --crf 40", fast()));
    assert!(run.notes().is_empty(), "{:?}", run.notes());
    assert_eq!(packet_hashes(&studio.path("out.mkv"), "a"), packet_hashes(&studio.path("rich.mkv"), "a"));
    assert_eq!(
        probe(&studio.path("out.mkv"), "-select_streams t -show_entries stream_tags=filename"),
        ["font.ttf"]
    );
}

/// WebM holds neither AAC nor SubRip, but the film is made.
#[test]
fn webm() {
    let Some(studio) = Studio::open() else { return };
    let all = crate::common::encoders();
    let Some(encoder) = all.iter().find(|encoder| ["av1", "vp9"].contains(&encoder.codec.as_str())) else {
        eprintln!("SKIPPED: no encoder for WebM in this build");
        return;
    };
    let run = studio.encode(&format!("film.mkv -o out.webm {} --crf 50", encoder.flags));
    assert!(
        run.notes().iter().any(|note| note.contains("aac") && note.contains("WebM")),
        "{:?}",
        run.notes()
    );
    assert_eq!(
        probe(&studio.path("out.webm"), "-select_streams v -show_entries stream=codec_name"),
        [encoder.ffmpeg]
    );
}

/// Several tracks of sound keep their order and their languages.
#[test]
fn several_tracks_of_sound() {
    let Some(studio) = Studio::open() else { return };
    studio.render(
        "-i film.mkv -f lavfi -i sine=f=880:d=9 -map 0:v -map 0:a -map 1:a -c:v copy -c:a:0 copy -c:a:1 flac \
         -metadata:s:a:1 language=deu",
        "two.mkv",
    );
    for container in ["mkv", "mp4"] {
        let name = format!("out.{container}");
        studio.encode(&format!("two.mkv -o {name} {} --crf 40", fast()));
        let found = probe(
            &studio.path(&name),
            "-select_streams a -show_entries stream=codec_name:stream_tags=language",
        );
        assert_eq!(found, ["aac,fra", "flac,deu"], "{container}");
    }
}

/// Matroska does not say when pictures are decoded, and of the first ones that follows from those behind
/// them. Another video with B-frames is copied with every time that its pictures have.
#[test]
fn a_second_video_keeps_its_times() {
    let Some(studio) = Studio::empty() else { return };
    let sources = "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -f lavfi -i testsrc=s=320x180:r=25:d=2";
    let times = |name: &str| {
        probe(&studio.path(name), "-select_streams v:1 -show_entries frame=best_effort_timestamp_time")
    };
    for codec in ["libx264 -bf 3", "libx265 -x265-params log-level=none", "mpeg4 -bf 1", "ffv1"] {
        studio.render(&format!("{sources} -map 0 -map 1 -c:v {codec}"), "film.mkv");
        let pictures = times("film.mkv");
        assert_eq!(pictures.len(), 50, "{codec}");
        for output in ["out.mp4", "out.mkv", "out.mov"] {
            let run = studio.encode(&format!("film.mkv -o {output} -y {} --crf 40", fast()));
            if codec == "ffv1" && output != "out.mkv" {
                assert!(run.notes().iter().any(|note| note.contains("left out")), "{:?}", run.notes());
                continue;
            }
            assert_eq!(run.notes(), [""; 0], "{codec} in {output}");
            assert_eq!(times(output), pictures, "{codec} in {output}");
        }
    }
}

/// A film that was cut without encoding it again begins at a sync frame, and an edit list hides what lies in
/// front of the cut. Where there are no such lists, hidden sound is left out, because it would be heard; the
/// pictures stay beside what they were beside.
#[test]
fn what_an_edit_list_hides_is_not_heard() {
    let Some(studio) = Studio::empty() else { return };
    let sources = "-f lavfi -i testsrc2=s=160x96:r=25:d=6 -f lavfi -i sine=d=6";
    studio.render(&format!("{sources} -c:v libx264 -g 50 -c:a aac"), "film.mp4");
    studio.render("-ss 1.5 -i film.mp4 -c copy -t 3", "cut.mp4");
    let first = |name: &str, kind: &str| {
        let shown = "-show_entries packet=pts_time,flags";
        let packets = probe(&studio.path(name), &format!("-select_streams {kind} {shown}"));
        let heard = packets.iter().filter(|packet| !packet.contains('D'));
        let times = heard.filter_map(|packet| packet.split(',').next()?.parse::<f64>().ok());
        let times: Vec<f64> = times.collect();
        (times.iter().copied().fold(f64::INFINITY, f64::min), times.len())
    };
    for (film, hides) in [("cut.mp4", true), ("film.mp4", false)] {
        let [pictures, sound] = ["v", "a"].map(|kind| first(film, kind));
        let hidden = probe(&studio.path(film), "-select_streams a -show_entries packet=flags");
        let hidden = hidden.iter().filter(|flags| flags.contains('D')).count();
        assert_eq!(hidden > 10, hides, "{film}: {hidden}");
        for output in ["out.mkv", "out.m3u8"] {
            let run = studio.encode(&format!("{film} -o {output} -y {} --crf 40", fast()));
            assert_eq!(run.notes(), [""; 0], "{film} in {output}");
            let [of_pictures, of_sound] = ["v", "a"].map(|kind| first(output, kind));
            // The packet that primes the decoder stays.
            let primes = usize::from(!hides);
            assert_eq!(of_sound.1, sound.1 + primes, "{film} in {output}");
            let apart = of_pictures.0 - of_sound.0 - primes as f64 * 1024.0 / 44_100.0;
            between(
                &format!("{film} in {output}"),
                apart,
                pictures.0 - sound.0 - 0.002,
                pictures.0 - sound.0 + 0.002,
            );
        }
    }
}

/// A film of two seconds in small pictures with much beside them: sound 1 (en-GB, default, original) and 2
/// (German, comment); texts 3 (English), 4 (English, forced), 5 (no known language, for the deaf); a font 6
/// and a cover 7.
fn rich(studio: &Studio) {
    std::fs::write(studio.path("text.srt"), "1\n00:00:00,100 --> 00:00:00,500\ntext\n\n").unwrap();
    std::fs::write(studio.path("font.ttf"), b"not really a font").unwrap();
    studio.render("-f lavfi -i color=red:s=64x48 -frames:v 1", "cover.png");
    studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -f lavfi -i sine=d=2 -f lavfi -i sine=f=880:d=2 -i text.srt -i text.srt \
         -i text.srt -map 0 -map 1 -map 2 -map 3 -map 4 -map 5 -c:v mpeg4 -q:v 2 -c:a aac -c:s srt \
         -metadata:s:a:0 language=en-GB -metadata:s:a:1 language=deu -metadata:s:s:0 language=eng \
         -metadata:s:s:1 language=eng -metadata:s:s:2 language=x-own -disposition:a:0 default+original \
         -disposition:a:1 comment -disposition:s:0 0 -disposition:s:1 forced -disposition:s:2 hearing_impaired \
         -attach font.ttf -metadata:s:t:0 mimetype=font/ttf -attach cover.png -metadata:s:t:1 mimetype=image/png \
         -default_mode passthrough",
        "rich.mkv",
    );
}

/// The kinds, languages and marks of the tracks beside the pictures, in their order.
fn others(film: &Path) -> Vec<String> {
    let marks = "default,original,comment,forced,hearing_impaired,attached_pic";
    let shown = format!("-show_entries stream=codec_type:stream_tags=language:stream_disposition={marks}");
    let all = probe(film, &shown).into_iter().skip(1);
    let told = |line: String| {
        let fields: Vec<&str> = line.split(',').collect();
        let marks = marks.split(',').zip(&fields[1..7]).filter(|(_, there)| **there == "1");
        let marks: Vec<&str> = marks.map(|(mark, _)| mark).collect();
        let language = fields.get(7).filter(|language| **language != "und").unwrap_or(&"");
        format!("{} {language} {}", fields[0], marks.join("+")).trim_end().to_owned()
    };
    all.map(told).filter(|track| !track.starts_with("data")).collect()
}

/// Tracks are chosen by what they are, how they are marked, their language and their number, and the more
/// special of two rules counts.
#[test]
fn tracks_are_chosen_in_one_grammar() {
    let Some(studio) = Studio::empty() else { return };
    rich(&studio);
    let (british, german) = ("audio en-GB default+original", "audio deu comment");
    let (plain, forced) = ("subtitle eng", "subtitle eng forced");
    let (deaf, font, cover) = ("subtitle x-own hearing_impaired", "attachment", "video  attached_pic");
    for (flags, expected) in [
        ("", &[british, german, plain, forced, deaf, font, cover][..]),
        ("--tracks none", &[]),
        ("--tracks none --audio eng=copy --subtitles eng+forced=copy", &[british, forced]),
        (
            "--tracks attachments=none --tracks covers=none --audio comment=none",
            &[british, plain, forced, deaf],
        ),
        // Matroska has a default of sound: the first, where none that is left is marked so
        (
            "--subtitles none --subtitles forced=copy --tracks eng=none",
            &["audio deu default+comment", forced, font, cover],
        ),
        (
            "--subtitles eng=none --subtitles 3=copy --tracks audio=none --tracks 6=none",
            &[plain, deaf, cover],
        ),
    ] {
        studio.encode(&format!("rich.mkv -o out.mkv -y {} --crf 40 {flags}", fast()));
        assert_eq!(others(&studio.path("out.mkv")), expected, "{flags}");
    }
}

/// Marks are kept as far as the container has them, and what it has not is told. They can be set: one track
/// of a kind is the default then.
#[test]
fn marks_are_kept_and_set() {
    let Some(studio) = Studio::empty() else { return };
    rich(&studio);
    let kept = ["audio eng default", "audio deu comment", "subtitle eng", "subtitle eng forced"];
    let deaf = "subtitle  hearing_impaired";
    for (name, flags, expected) in [
        ("out.mp4", "", [kept[0], kept[1], kept[2], kept[3], deaf]),
        (
            "out.mp4",
            "--default deu --default subtitles+eng --forced 4=no",
            ["audio eng", "audio deu default+comment", "subtitle eng default", "subtitle eng", deaf],
        ),
        (
            "out.mkv",
            "--default audio=no --forced eng+forced=no --forced 5 --default 5",
            [
                "audio en-GB original",
                "audio deu comment",
                "subtitle eng",
                "subtitle eng",
                "subtitle x-own default+forced+hearing_impaired",
            ],
        ),
    ] {
        let run = studio.encode(&format!("rich.mkv -o {name} -y {} --crf 40 {flags}", fast()));
        let found = others(&studio.path(name));
        assert_eq!(found[..5], expected, "{name} {flags}");
        let told = run.notes().iter().any(|note| note.contains("audio track 1 (aac): its mark as original"));
        assert_eq!(told, name == "out.mp4", "{:?}", run.notes());
    }
    // another mark is another film
    let run = studio.encode(&format!("rich.mkv -o again.mkv {} --crf 40", fast()));
    assert_eq!(run.code, 0);
    let other = format!("encode rich.mkv -o again.mkv {} --crf 40 --default deu", fast());
    studio.retake(&other).refused(2, &["exists"]);
    // a stream has one default, and words for few other marks
    let run = studio.encode(&format!("rich.mkv -o out.m3u8 {} --crf 40 --default 2", fast()));
    let list = String::from_utf8(studio.read("out.m3u8")).unwrap();
    let line = |language: &str| {
        let wanted = format!("LANGUAGE=\"{language}\"");
        list.lines().find(|line| line.contains(&wanted)).unwrap_or_else(|| panic!("{list}")).to_owned()
    };
    assert!(line("de").contains("DEFAULT=YES") && line("en-GB").contains("DEFAULT=NO"), "{list}");
    for mark in ["track 1 (aac): its mark as original", "track 2 (aac): its mark as comment"] {
        assert!(run.notes().iter().any(|note| note.contains(mark)), "{mark}: {:?}", run.notes());
    }
}

/// A track of MP4 has a code of three letters for its language, and a box for what that does not say; what
/// has no code is told.
#[test]
fn languages_of_mp4_are_exact() {
    let Some(studio) = Studio::empty() else { return };
    rich(&studio);
    let held = |name: &str| -> Vec<Vec<u8>> {
        let bytes = studio.read(name);
        let boxes = (0..bytes.len() - 8).filter(|&at| &bytes[at..at + 4] == b"elng");
        let text = |at: usize| bytes[at + 8..].iter().take_while(|byte| **byte != 0).copied().collect();
        boxes.map(text).collect()
    };
    for (name, flags) in [("out.mp4", ""), ("out.mov", ""), ("new.mp4", "--audio aac")] {
        let run = studio.encode(&format!("rich.mkv -o {name} -c h264 -p superfast --crf 40 {flags}"));
        let languages = probe(&studio.path(name), "-select_streams a -show_entries stream_tags=language");
        assert_eq!(languages, ["eng", "deu"], "{name}");
        assert_eq!(held(name), [b"en-GB".to_vec()], "{name}");
        let told = run.notes().iter().filter(|note| note.contains("language")).count();
        assert_eq!(told, 1, "{:?}", run.notes());
        let lost = |note: &String| note.contains("language x-own of track 5 cannot be written");
        assert!(run.notes().iter().any(lost), "{:?}", run.notes());
    }
}

/// What names no track, or says nothing of one, is one clear line.
#[test]
fn wrong_words_about_tracks_are_refused() {
    let Some(studio) = Studio::empty() else { return };
    rich(&studio);
    let before = studio.all_names();
    for (flags, words) in [
        ("--tracks fonts=none", &["--tracks", "fonts", "attachments"][..]),
        ("--tracks 9=none", &["--tracks", "'9'", "attachment track 6 (font.ttf)"]),
        ("--tracks 0=none", &["--tracks", "'0'"]),
        ("--subtitles fra=copy", &["--subtitles", "'fra'", "subtitle track 3 (subrip) in eng"]),
        ("--audio forced=none", &["--audio", "sound 'forced'", "audio track 2 (aac) in deu"]),
        ("--default eng=maybe", &["--default", "eng=maybe"]),
        ("--default fra", &["--default", "'fra'", "audio track 1 (aac)"]),
        ("--subtitles none --forced 4", &["--forced", "'4'", "audio track 1 (aac)"]),
    ] {
        let run = studio.retake(&format!("encode rich.mkv -o out.mkv {} --crf 40 {flags}", fast()));
        run.refused(2, words);
        assert_eq!(studio.all_names(), before, "{flags}");
    }
}

/// Of several videos that one is encoded that is named, and the others are copied; another one is another
/// film.
#[test]
fn one_of_several_videos_is_chosen() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -f lavfi -i smptebars=s=160x96:r=25:d=2 -map 0 -map 1 -c:v mpeg4 -q:v 2",
        "two.mkv",
    );
    let sizes =
        |name: &str| probe(&studio.path(name), "-select_streams v -show_entries stream=codec_name,width");
    let flags = format!("{} --metric psnr -q 30", fast());
    let codec = codec_of(&studio, &flags);
    for (number, expected) in
        [(0, [format!("{codec},320"), "mpeg4,160".into()]), (1, [format!("{codec},160"), "mpeg4,320".into()])]
    {
        let name = format!("out-{number}.mkv");
        let run = studio.encode(&format!("two.mkv -o {name} {flags} --video {number} --isolate"));
        assert_eq!(sizes(&name), expected);
        // players take the one that was chosen
        let marks = "-select_streams v -show_entries stream_disposition=default";
        assert_eq!(probe(&studio.path(&name), marks), ["1", "0"]);
        assert_eq!(run.notes(), [""; 0]);
        let measure = |video: u32| {
            studio.retake(&format!("measure two.mkv {name} --metric psnr -q 30 --video {video}"))
        };
        assert_eq!(measure(number).code, 0);
        assert_ne!(measure(1 - number).code, 0);
    }
    studio.retake(&format!("encode two.mkv -o out-1.mkv {flags}")).refused(2, &["exists"]);
    let tracks = ["--video", "no video track 2", "video track 0 (mpeg4)", "video track 1 (mpeg4)"];
    studio.retake(&format!("encode two.mkv -o out.mkv {flags} --video 2")).refused(2, &tracks);
}

/// The name of the codec that these flags choose.
fn codec_of(studio: &Studio, flags: &str) -> String {
    studio.encode(&format!("two.mkv -o codec.mp4 {flags} --tracks none"));
    probe(&studio.path("codec.mp4"), "-select_streams v -show_entries stream=codec_name").remove(0)
}
