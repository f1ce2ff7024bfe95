//! Bad input and contradictory options: one line that names the file or the option and a remedy, exit code 2,
//! and nothing left behind.

use crate::common::{Studio, fast};
use std::fs;

/// Runs `retake encode`, which must be refused with these words, and leave the folder as it was.
fn refused(studio: &Studio, arguments: &str, words: &[&str]) {
    let before = studio.names();
    let run = studio.retake(&format!("encode {arguments}"));
    eprintln!("retake encode {arguments}\n    {}", run.err.trim());
    run.refused(2, words);
    assert!(run.out.is_empty(), "{run:?}");
    assert_eq!(studio.names(), before, "nothing is left behind by: retake encode {arguments}");
}

#[test]
fn files_that_are_no_films() {
    let Some(studio) = Studio::open() else { return };
    fs::write(studio.path("zero.mp4"), "").unwrap();
    fs::write(studio.path("text.mp4"), "this is not a film\n".repeat(100)).unwrap();
    let noise: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    fs::write(studio.path("noise.mkv"), noise).unwrap();
    fs::create_dir(studio.path("folder")).unwrap();
    studio.render("-i film.mkv -map 0:v -c copy", "whole.mp4");
    let whole = studio.read("whole.mp4");
    fs::write(studio.path("half.mp4"), &whole[..whole.len() / 2]).unwrap();
    studio.render("-i film.mkv -map 0:a -c copy", "sound.m4a");
    fs::write(studio.path("head.mkv"), &studio.read("film.mkv")[..2000]).unwrap();
    let cases: [(&str, &[&str]); 8] = [
        ("zero.mp4", &["zero.mp4", "empty"]),
        ("text.mp4", &["text.mp4", "not a film"]),
        ("noise.mkv", &["noise.mkv"]),
        ("folder", &["folder"]),
        ("half.mp4", &["half.mp4", "moov"]),
        ("sound.m4a", &["sound.m4a", "no video"]),
        ("head.mkv", &["head.mkv"]),
        ("missing.mp4", &["missing.mp4", "No such file"]),
    ];
    for (name, words) in cases {
        refused(&studio, &format!("{name} -o out.mp4"), words);
        let run = studio.retake(&format!("measure {name} film.mkv"));
        run.refused(2, words);
    }
    // nothing is said twice
    let run = studio.retake("encode missing.mp4 -o out.mp4");
    assert_eq!(run.err.matches("No such file").count(), 1, "{run:?}");
}

/// A film that was cut off in the middle: what is there is encoded, and what is missing is told. That is an
/// objective that was not met, unless the user said that it is fine.
#[test]
fn a_film_that_is_cut_off() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-i film.mkv -map 0:v -map 0:a -c copy -movflags +faststart", "whole.mp4");
    studio.render("-i film.mkv -map 0:v -c:v mpeg4 -q:v 5", "whole.avi");
    for name in ["film.mkv", "whole.mp4", "whole.avi"] {
        let film = studio.read(name);
        let half = name.replace("film", "half").replace("whole", "half");
        fs::write(studio.path(&half), &film[..film.len() / 2]).unwrap();
        let flags = format!("{half} -o out.mp4 -y {} --crf 40 --json", fast());
        let run = studio.retake(&format!("encode {flags}"));
        assert_eq!(run.code, 3, "{name}: {run:?}");
        let decoded = crate::common::picture_hashes(&studio.path(&half)).len();
        assert_eq!(run.summary()["frames"], decoded, "{name}");
        assert_eq!(crate::common::picture_hashes(&studio.path("out.mp4")).len(), decoded, "{name}");
        let missed = &run.summary()["missed"][0];
        assert!(missed["what"] == "source" && missed["damage"][0]["kind"] == "missing", "{name}: {missed}");
        assert!(run.notes().iter().any(|note| note.contains("incomplete")), "{name}: {:?}", run.notes());
        let run = studio.encode(&format!("{flags} --accept-damage").replace(" --json", ""));
        assert!(run.notes().iter().any(|note| note.contains("incomplete")), "{name}: {:?}", run.notes());
        let measured = studio.retake(&format!("measure {half} out.mp4 --metric psnr"));
        assert!(measured.code == 3 && measured.out.contains("incomplete"), "{name}: {measured:?}");
        let measured = studio.retake(&format!("measure {half} out.mp4 --metric psnr --accept-damage"));
        assert_eq!(measured.code, 0, "{name}: {measured:?}");
    }
}

/// A film with damage in the middle: all that decodes, and a word about the rest, also when the work is
/// carried on after the film was read. The damage is longer than a sample, because decoders notice nothing of
/// some that begins and ends within one.
#[test]
fn a_film_with_damage_in_the_middle() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-i film.mkv -map 0:v -c copy -movflags +faststart", "whole.mp4");
    for name in ["film.mkv", "whole.mp4"] {
        let mut film = studio.read(name);
        let middle = film.len() / 2;
        film[middle..middle + 60_000].fill(0xa5);
        let damaged = format!("damaged-{name}");
        fs::write(studio.path(&damaged), film).unwrap();
        let flags = format!("{damaged} -o out.mkv -y {} --metric psnr -q 30", fast());
        let mut running = studio.start(&flags);
        running.until(&mut |event| event["event"] == "writing");
        running.signal("KILL");
        running.end();
        for again in ["", "--accept-damage"] {
            let run = studio.retake(&format!("encode {flags} {again} --json"));
            assert_eq!(run.code, if again.is_empty() { 3 } else { 0 }, "{name}: {run:?}");
            let words = ["damage", "missing"];
            assert!(
                run.notes().iter().any(|note| words.iter().any(|word| note.contains(word))),
                "{name}: {:?}",
                run.notes()
            );
        }
    }
}

/// The head of one sample states less than a sample has: FFmpeg looks for the next cluster, and says nothing
/// of the seconds that it passes over.
#[test]
fn a_cluster_that_is_lost_in_silence_is_told() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=64x64:r=25:d=4 -c:v libvpx -b:v 100k -cpu-used 8 -g 25 -cluster_time_limit 1500",
        "whole.webm",
    );
    let whole = studio.read("whole.webm");
    // Blocks of track 1 with a size of two bytes: only a sync frame has flags.
    let is_block =
        |bytes: &[u8]| bytes[0] == 0xa3 && bytes[1] >> 6 == 1 && bytes[3] == 0x81 && bytes[6] & 0x7f == 0;
    let blocks: Vec<usize> = (0..whole.len() - 7).filter(|&at| is_block(&whole[at..])).collect();
    let out = format!("-o out.mkv -y {} --crf 40", fast());
    for (block, lost) in [(10, 0.4), (blocks.len() - 10, 3.6)] {
        let mut film = whole.clone();
        film[blocks[block] + 1..][..2].copy_from_slice(&[0x40, 3]);
        fs::write(studio.path("film.webm"), film).unwrap();
        let run = studio.retake(&format!("encode film.webm {out} --json"));
        assert_eq!(run.code, 3, "{run:?}");
        let damage = &run.summary()["missed"][0]["damage"][0];
        assert_eq!(damage["kind"], "container", "{damage}");
        let found = crate::common::picture_hashes(&studio.path("film.webm")).len();
        assert!(found < 95 && run.summary()["frames"] == found, "{found}: {run:?}");
        studio.encode(&format!("film.webm {out} --accept-damage"));
        // What is lost elsewhere does not matter.
        let (within, beside) =
            if lost < 2.0 { ("--to 0.8", "--from 2.2") } else { ("--from 2.2", "--to 0.8") };
        assert_eq!(studio.retake(&format!("encode film.webm {out} {within}")).code, 3, "{within}");
        assert_eq!(studio.retake(&format!("encode film.webm {out} {beside}")).code, 0, "{beside}");
    }
}

#[test]
fn paths_that_do_not_fit() {
    let Some(studio) = Studio::open() else { return };
    fs::write(studio.path("there.mp4"), "precious").unwrap();
    fs::create_dir(studio.path("folder.mp4")).unwrap();
    let cases: [(&str, &[&str]); 8] = [
        ("film.mkv -o none/out.mp4", &["none/out.mp4", "folder none does not exist"]),
        ("film.mkv -o film.mkv", &["film.mkv", "the same file"]),
        ("film.mkv -o film.mkv --overwrite", &["film.mkv", "the same file"]),
        ("film.mkv -o ./film.mkv --overwrite", &["film.mkv", "the same file"]),
        ("film.mkv -o there.mp4", &["there.mp4", "--overwrite"]),
        ("film.mkv -o folder.mp4 --overwrite", &["folder.mp4", "is a folder"]),
        ("film.mkv -o out.avi", &["out.avi", ".mkv"]),
        ("film.mkv -o out", &["out", ".mp4"]),
    ];
    for (arguments, words) in cases {
        refused(&studio, arguments, words);
    }
    assert_eq!(studio.read("there.mp4"), b"precious");
}

#[test]
fn an_existing_film_is_replaced_only_when_told() {
    let Some(studio) = Studio::open() else { return };
    fs::write(studio.path("out.mp4"), "precious").unwrap();
    studio.encode(&format!("film.mkv -o out.mp4 {} --crf 40 --overwrite", fast()));
    assert!(studio.read("out.mp4").len() > 10_000);
}

#[test]
fn options_that_are_unknown_or_out_of_range() {
    let Some(studio) = Studio::open() else { return };
    let encoder = &crate::common::encoders()[0].name;
    let unknown_preset = format!("-e {encoder} -p warp");
    let bad_scale = format!("-e {encoder} --crf 999");
    let cases: [(&str, &[&str]); 20] = [
        ("-e warp", &["--encoder", "warp", encoder]),
        ("-c warp", &["--codec", "warp", "av1"]),
        (&unknown_preset, &["warp", "choose one of"]),
        (&bad_scale, &["--crf 999", "scale"]),
        ("--metric foo", &["--metric", "foo", "vmaf"]),
        ("--floor foo", &["--floor", "foo", "mean"]),
        ("--metric psnr --quality 101", &["--quality 101", "scale"]),
        ("--quality nan", &["--quality", "scale"]),
        ("--metric psnr --quality=-5", &["--quality", "scale"]),
        ("--bitrate 0", &["--bitrate", "0"]),
        ("--bitrate fast", &["--bitrate", "fast", "350k"]),
        ("--size 1X", &["--size", "X"]),
        ("--size 1k", &["--size 1000", "allow more"]),
        ("--memory 1M", &["--memory", "allow more"]),
        ("--passes 0", &["--passes"]),
        ("--jobs 0", &["--jobs"]),
        ("--threads 0", &["--threads"]),
        ("--encoder-options warp", &["--encoder-options", "warp", "KEY=VALUE"]),
        ("--tolerance=-1", &["--tolerance"]),
        ("--frobnicate", &["--frobnicate"]),
    ];
    for (arguments, words) in cases {
        refused(&studio, &format!("film.mkv -o out.mp4 {arguments}"), words);
    }
}

#[test]
fn options_that_contradict_each_other() {
    let Some(studio) = Studio::open() else { return };
    let cases: [(&str, &[&str]); 7] = [
        ("--quality 90 --bitrate 1M", &["--quality", "--bitrate"]),
        ("--size 1M --bitrate 1M", &["--size", "--bitrate"]),
        ("--quality 90 --crf 20", &["--quality", "--crf"]),
        ("--crf 20 --passes 3", &["--crf", "--passes 1"]),
        ("--bitrate 1M --tolerance 2", &["--tolerance", "--quality"]),
        ("--json --quiet", &["--json", "--quiet"]),
        ("-c h264 -e x264", &["--codec", "--encoder"]),
    ];
    for (arguments, words) in cases {
        refused(&studio, &format!("film.mkv -o out.mp4 {arguments}"), words);
    }
    refused(&studio, "film.mkv", &["--output"]);
}

#[test]
fn containers_that_cannot_hold_the_codec() {
    let Some(studio) = Studio::open() else { return };
    for encoder in crate::common::encoders() {
        let (flags, codec) = (&encoder.flags, encoder.codec.as_str());
        if ["h264", "hevc"].contains(&codec) {
            refused(&studio, &format!("film.mkv -o out.webm {flags}"), &["out.webm", codec, ".mkv"]);
        } else {
            refused(&studio, &format!("film.mkv -o out.mov {flags}"), &["out.mov", codec, ".mp4"]);
        }
    }
}

/// An encoder's own words are checked before a job is begun: the corrected command is not held up by the
/// wrong one.
#[test]
fn an_option_that_the_encoder_does_not_know() {
    let Some(studio) = Studio::open() else { return };
    for encoder in crate::common::encoders() {
        let flags = &encoder.flags;
        refused(
            &studio,
            &format!("film.mkv -o out.mp4 {flags} --encoder-options warp=9"),
            &[&encoder.name, "warp"],
        );
        refused(
            &studio,
            &format!("film.mkv -o out.mp4 {flags} --crf 40 --encoder-options warp=9"),
            &[&encoder.name, "warp"],
        );
        studio.encode(&format!("film.mkv -o {}.mp4 {flags} --crf 40", encoder.name));
    }
}

#[test]
fn measure_refuses_films_that_do_not_match() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-i film.mkv -frames:v 48 -an -sn -vf scale=160:90 -c:v mpeg4", "small.mp4");
    studio.render("-i film.mkv -frames:v 48 -an -sn -c:v mpeg4", "short.mp4");
    studio.retake("measure film.mkv small.mp4").refused(2, &["small.mp4", "320×180", "160×90"]);
    studio.retake("measure film.mkv short.mp4").refused(2, &["short.mp4", "48"]);
    studio.retake("measure film.mkv film.mkv --metric foo").refused(2, &["--metric", "foo"]);
    studio.retake("measure film.mkv film.mkv --unit 0").refused(2, &["--unit"]);
}
