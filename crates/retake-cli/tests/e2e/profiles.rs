//! Profiles are flags, and nothing else.

use crate::common::{Run, Studio, encoders, picture_hashes, probe};
use std::fs;

/// A folder with a film of nine seconds, and a file of profiles where it is looked for.
fn studio() -> Option<Studio> {
    let studio = Studio::open()?;
    if !encoders().iter().any(|encoder| encoder.name == "x264") {
        eprintln!("SKIPPED: these profiles are for x264");
        return None;
    }
    fs::create_dir_all(studio.path("settings/retake")).unwrap();
    fs::write(
        studio.path("settings/retake/profiles.toml"),
        "[tv]\nencoder = 'x264'\npreset = \"superfast\"\ncrf = 30\nscale = \"160x90\"\nfrom = 1\nto = \"2\"\n\
         audio = [\"flac\"]\nsubtitles = 'none'\n\n[wrong]\ncrf = 30\nquailty = 3\n",
    )
    .unwrap();
    Some(studio)
}

fn retake(studio: &Studio, arguments: &str) -> Run {
    let mut command = studio.command(arguments);
    Run::of(command.env("XDG_CONFIG_HOME", studio.path("settings")).output().unwrap())
}

/// What a film looks like: size and number of its pictures, and its other tracks.
fn look(studio: &Studio, film: &str) -> (String, usize, Vec<String>) {
    let film = studio.path(film);
    let size = probe(&film, "-select_streams v:0 -show_entries stream=width,height").remove(0);
    let others = probe(&film, "-show_entries stream=codec_name");
    (size, picture_hashes(&film).len(), others[1..].to_vec())
}

#[test]
fn a_profile_sets_flags_and_the_command_line_wins() {
    let Some(studio) = studio() else { return };
    let run = retake(&studio, "encode film.mkv -o tv.mkv --profile tv --json");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(look(&studio, "tv.mkv"), ("160,90".into(), 24, vec!["flac".into()]));
    // the request is that of the flags: told as a film that is done, which has no beginning
    let flags = "-e x264 -p superfast --crf 30 --scale 160x90 --from 1 --to 2 --audio flac --subtitles none";
    studio.encode(&format!("film.mkv -o flags.mkv {flags}"));
    assert!(studio.read("flags.mkv") == studio.read("tv.mkv"));
    let again = retake(&studio, &format!("encode film.mkv -o tv.mkv {flags} --json"));
    let first = again.events().remove(0);
    if first["event"] != "finished" {
        // without attributes of files, a film that is done is only known to be there
        again.refused(2, &["tv.mkv", "exists"]);
    }
    let run = retake(&studio, "encode film.mkv -o mine.mkv --profile tv --to 3 --audio copy --json");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(look(&studio, "mine.mkv"), ("160,90".into(), 48, vec!["aac".into()]));
    // for several films, too, and from another file
    fs::write(studio.path("other.toml"), "[tv]\ncodec = 'h264'\ncrf = 40\nto = '12f'\nscale = '80x46'\n")
        .unwrap();
    let run = retake(&studio, "encode film.mkv mine.mkv -o out/ --profile tv --profiles other.toml --json");
    assert_eq!(run.code, 0, "{run:?}");
    for film in ["out/film.mkv", "out/mine.mkv"] {
        assert_eq!(look(&studio, film).1, 12);
        assert_eq!(look(&studio, film).0, "80,46");
    }
}

#[test]
fn a_profile_that_is_wrong_is_told_with_file_and_line() {
    let Some(studio) = studio() else { return };
    let cases: [(&str, &[&str]); 5] = [
        ("--profile wrong", &["settings/retake/profiles.toml:13: ", "profile wrong", "--quailty"]),
        ("--profile sv", &["--profile sv", "archive", "phone", "tv", "web"]),
        ("--profile tv --profiles none.toml", &["none.toml", "No such file"]),
        ("--profile tv --profiles film.mkv", &["film.mkv"]),
        ("--profiles settings/retake/profiles.toml", &["--profile"]),
    ];
    for (flags, words) in cases {
        retake(&studio, &format!("encode film.mkv -o out.mkv {flags}")).refused(2, words);
        assert!(!studio.path("out.mkv").exists());
    }
    retake(&studio, "profiles").refused(2, &["profiles.toml:13: ", "--quailty"]);
}

#[test]
fn profiles_are_listed_with_what_they_set() {
    let Some(studio) = studio() else { return };
    fs::write(studio.path("mine.toml"), "[web]\ncodec = 'vp9'\n[tv]\nquality = 95\nverbose = true\n")
        .unwrap();
    let run = retake(&studio, "profiles --profiles mine.toml");
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    for words in [
        "archive (built in)\n    --metric=vmaf\n    --quality=96\n",
        "tv (mine.toml:3)\n    --quality=95\n    --verbose\n",
        "web (mine.toml:1)\n    --codec=vp9\n",
    ] {
        assert!(run.out.contains(words), "no {words:?} in {}", run.out);
    }
    let run = retake(&studio, "profiles --profiles mine.toml --json");
    let list: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(list["profiles"][2]["flags"], serde_json::json!(["--quality=95", "--verbose"]));
}

/// What is built in does what it is for.
#[test]
fn a_profile_for_browsers() {
    let Some(studio) = studio() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=2000x120:r=25:d=0.5 -f lavfi -i anoisesrc=d=0.5 -c:v libx264 -pix_fmt yuv444p10le \
         -c:a flac -ac 6",
        "wide.mkv",
    );
    let run = retake(&studio, "encode wide.mkv -o web.mp4 --profile web -p superfast --json");
    if run.err.contains("not in this build") {
        eprintln!("SKIPPED: {}", run.err);
        return;
    }
    assert_eq!(run.code, 0, "{run:?}");
    let film = studio.path("web.mp4");
    let video = probe(&film, "-select_streams v:0 -show_entries stream=codec_name,width,pix_fmt");
    assert_eq!(video, ["h264,1920,yuv420p"]);
    let sound = probe(&film, "-select_streams a:0 -show_entries stream=codec_name,channels");
    assert_eq!(sound, ["aac,2"]);
}
