//! `--audio` and `--loudness`: sound is encoded, and is where it was to the sample.

use crate::common::{Studio, between, fast, ffmpeg, packet_hashes, probe};
use std::path::Path;

fn flags() -> String {
    format!("{} --crf 40 --passes 1", fast())
}

/// A sweep: no two moments of it are alike, and it can be told at any time.
const SWEEP: &str = "0.4*sin(2*PI*(200+70*t)*t)";

fn sweep(t: f64) -> f64 {
    0.4 * (std::f64::consts::TAU * (200.0 + 70.0 * t) * t).sin()
}

/// A track of sound as ffmpeg decodes it: the time of its first sample, its rate, and one channel.
struct Heard {
    start: f64,
    rate: f64,
    samples: Vec<f32>,
}

fn number(line: &str) -> f64 {
    line.trim_matches(',').parse().unwrap_or_else(|_| panic!("{line}"))
}

fn heard(film: &Path, track: usize) -> Heard {
    let (folder, name) = (film.parent().unwrap(), film.file_name().unwrap().to_str().unwrap());
    let of = format!("-select_streams a:{track}");
    let first = probe(film, &format!("{of} -read_intervals %+#4 -show_entries frame=pts_time"));
    let rate = probe(film, &format!("{of} -show_entries stream=sample_rate"));
    let decode = format!("-i {name} -map 0:a:{track} -af pan=mono|c0=c0 -f f32le -");
    let bytes = ffmpeg(folder, &decode);
    let samples = bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    Heard { start: number(&first[0]), rate: number(&rate[0]), samples }
}

fn first_picture(film: &Path) -> f64 {
    number(&probe(film, "-select_streams v:0 -read_intervals %+#4 -show_entries frame=pts_time")[0])
}

impl Heard {
    /// How far what is heard is from the sweep, between two of its own times, if it was so many samples
    /// later; against the energy of the sweep. `at` is when the sweep begins.
    fn difference(&self, at: f64, (from, to): (f64, f64), late: f64) -> f64 {
        let (mut wrong, mut all) = (0.0, 0.0);
        for (index, sample) in self.samples.iter().enumerate() {
            let t = self.start + (index as f64 - late) / self.rate - at;
            if (from..to).contains(&t) {
                wrong += (f64::from(*sample) - sweep(t)).powi(2);
                all += sweep(t).powi(2);
            }
        }
        assert!(all > 100.0, "nothing to compare");
        wrong / all
    }

    /// The sweep is heard from `at` on, nearer than half a sample.
    fn has_sweep(&self, what: &str, at: f64, range: (f64, f64)) {
        let [before, there, after] = [-0.5, 0.0, 0.5].map(|late| self.difference(at, range, late));
        assert!(there < 0.02 && there < before.min(after), "{what}: {before} {there} {after}");
    }

    /// Nothing is heard between two times.
    fn is_silent(&self, what: &str, from: f64, to: f64) {
        let index = |time: f64| (((time - self.start) * self.rate).max(0.0)) as usize;
        let loudest = self.samples[index(from)..index(to)].iter().fold(0.0_f32, |most, s| most.max(s.abs()));
        assert!(loudest < 0.004, "{what}: {loudest} between {from} and {to}");
    }
}

/// A film of four tracks of sound, in each of the rates: those that begin later than the pictures, and those
/// that begin before them.
fn film_of_sweeps(studio: &Studio) {
    let sound = |rate| format!("-f lavfi -i aevalsrc={SWEEP}:s={rate}:d=3");
    studio.render(
        &format!(
            "-itsoffset 0.25 -f lavfi -i testsrc2=s=160x90:r=24:d=3 -itsoffset 0.52 {} -itsoffset 0.52 {} {} {} \
             -map 0 -map 1 -map 2 -map 3 -map 4 -fps_mode passthrough -c:v libx264 -preset ultrafast -c:a flac -strict -2 -metadata:s:a:1 language=deu \
             -disposition:a:0 0 -disposition:a:1 default",
            sound(44_100), sound(48_000), sound(44_100), sound(48_000)
        ),
        "sweeps.mp4",
    );
}

/// What is heard at a picture in the source is heard at it in the film, in every container, whatever the
/// rates, and whether sound or pictures come first. Before a track begins, it is silent.
#[test]
fn encoded_sound_is_where_it_was_to_the_sample() {
    let Some(studio) = Studio::empty() else { return };
    film_of_sweeps(&studio);
    for codec in ["aac:160k", "opus:128k"] {
        for name in ["out.mp4", "out.mkv", "out.m3u8"] {
            let run = studio.encode(&format!("sweeps.mp4 -o {name} -y {} --audio {codec}", flags()));
            assert_eq!(run.notes(), [""; 0], "{codec} in {name}");
            let media = studio.path("out.media");
            let picture = match name {
                "out.m3u8" => first_picture(&media.join("video/index.m3u8")),
                _ => first_picture(&studio.path(name)),
            };
            for (track, begins) in [(0, 0.27), (1, 0.27), (2, -0.25), (3, -0.25)] {
                let heard = match name {
                    "out.m3u8" => heard(&media.join(format!("sound-{}/index.m3u8", track + 1)), 0),
                    _ => heard(&studio.path(name), track),
                };
                let what = format!("{codec} track {track} in {name}");
                let rate = if codec.starts_with("opus") || track % 2 == 1 { 48_000.0 } else { 44_100.0 };
                assert_eq!(heard.rate, rate, "{what}");
                heard.has_sweep(&what, picture + begins, (0.1, 2.8));
                if begins > 0.0 {
                    heard.is_silent(&what, picture - 0.2, picture + begins - 0.05);
                }
            }
        }
    }
}

/// Tracks keep their order, languages, titles and marks, whether they are copied or encoded; those that are
/// not wanted are gone.
#[test]
fn tracks_keep_their_places() {
    let Some(studio) = Studio::empty() else { return };
    film_of_sweeps(&studio);
    for name in ["out.mp4", "out.mkv"] {
        let audio = "--audio none --audio 2=ac3:192k --audio 1=copy --audio 4=aac::mono";
        let run = studio.encode(&format!("sweeps.mp4 -o {name} {} {audio}", flags()));
        let film = studio.path(name);
        let tracks =
            probe(&film, "-select_streams a -show_entries stream=codec_name,channels:stream_tags=language");
        let und = if name == "out.mp4" { ",und" } else { "" };
        assert_eq!(tracks, [format!("flac,1{und}"), "ac3,1,deu".into(), format!("aac,1{und}")], "{name}");
        let marks = probe(&film, "-select_streams a -show_entries stream_disposition=default");
        assert_eq!(marks, ["0", "1", "0"], "{name}");
        assert_eq!(packet_hashes(&film, "a"), packet_hashes(&studio.path("sweeps.mp4"), "a"), "{name}");
        let summary = run.summary();
        let told: Vec<String> = summary["sound"]
            .as_array()
            .unwrap()
            .iter()
            .map(|sound| format!("{} {} {}", sound["track"], sound["codec"], sound["bit_rate"]))
            .collect();
        assert_eq!(told, ["2 \"ac3\" 192000", "3 null null", "4 \"aac\" 96000"], "{name}");
        let picture = first_picture(&film);
        heard(&film, 1).has_sweep(name, picture + 0.27, (0.1, 2.8));
        heard(&film, 0).has_sweep(name, picture + 0.27, (0.1, 2.8));
        heard(&film, 2).has_sweep(name, picture - 0.25, (0.3, 2.8));
    }
    let person =
        studio.retake(&format!("encode sweeps.mp4 -o person.mp4 {} --audio none --audio 1=aac", flags()));
    assert!(
        person.out.contains("sound: track 1 (flac) is aac, 96 kb/s, 44100 Hz, 1 channel\n"),
        "{person:?}"
    );
    assert!(person.out.contains("sound: track 2 (flac) is left out\n"), "{person:?}");
}

/// Tracks are chosen by their language, however it is written, and by their number.
#[test]
fn tracks_are_chosen_by_language_and_number() {
    let Some(studio) = Studio::open() else { return };
    studio.render(
        "-i film.mkv -map 0:v -map 0:a -map 0:a -map 0:a -map 0:s -map 0:s -map 0:s -c copy -metadata:s:a:1 language=deu \
         -metadata:s:a:1 title=Zwei -metadata:s:a:2 language=en-GB -metadata:s:s:0 language=ger -metadata:s:s:1 language=eng",
        "many.mkv",
    );
    let chosen = "--audio none --audio de=ac3 --audio eng=copy --subtitles none --subtitles DEU=copy --subtitles 6=copy";
    for name in ["out.mkv", "out.mp4"] {
        let run = studio.encode(&format!("many.mkv -o {name} {} {chosen}", flags()));
        let found = probe(&studio.path(name), "-show_entries stream=codec_name:stream_tags=language");
        // chapters of MP4 are a track, too
        let found: Vec<&String> = found.iter().filter(|track| !track.starts_with("bin_data")).collect();
        let text = if name == "out.mkv" { "subrip" } else { "mov_text" };
        assert_eq!(found.len(), 5, "{name}: {found:?}");
        assert!(found[1].starts_with("ac3,") && found[2].starts_with("aac"), "{name}: {found:?}");
        assert!(
            found[1].ends_with("deu") && found[3..].iter().all(|track| track.starts_with(text)),
            "{found:?}"
        );
        assert!(studio.read(name).windows(4).any(|bytes| bytes == b"Zwei"), "{name} lost a title");
        assert!(!run.notes().iter().any(|note| note.contains("left out")), "{:?}", run.notes());
    }
}

/// The samples of a track from its first on, in the depth of 32 bits.
fn pcm(film: &Path, arguments: &str) -> Vec<u8> {
    let (folder, name) = (film.parent().unwrap(), film.file_name().unwrap().to_str().unwrap());
    ffmpeg(folder, &format!("-i {name} -map 0:a:0 {arguments} -c:a pcm_s32le -f s32le -"))
}

const NOISE: &str = "-f lavfi -i testsrc2=s=160x90:r=24:d=4 -f lavfi -i anoisesrc=a=0.3:r=48000:d=4:seed=7,aformat=channel_layouts=stereo";

/// Formats without loss hold every sample of the source and no other, in its depth; of a range, exactly those
/// that are heard beside its frames.
#[test]
fn lossless_sound_is_the_same_to_the_last_sample() {
    let Some(studio) = Studio::empty() else { return };
    for (format, codec) in [("s16", "pcm_s16le"), ("s32", "pcm_s24le")] {
        studio.render(
            &format!("{NOISE} -c:v libx264 -preset ultrafast -sample_fmt {format} -c:a {codec}"),
            "noise.mov",
        );
        let source = pcm(&studio.path("noise.mov"), "");
        assert_eq!(source.len(), 4 * 48_000 * 8, "{format}");
        for (name, codec) in [("out.mp4", "flac"), ("out.mkv", "flac"), ("out.mov", "alac")] {
            studio.encode(&format!("noise.mov -o {name} -y {} --audio {codec}", flags()));
            assert!(pcm(&studio.path(name), "") == source, "{format} as {codec} in {name}");
            // a frame lasts 2000 samples
            studio.encode(&format!("noise.mov -o {name} -y {} --audio {codec} --from 25f --to 73f", flags()));
            let part = &source[25 * 2000 * 8..73 * 2000 * 8];
            let found = pcm(&studio.path(name), "");
            assert!(found == part, "{format} as {codec} in {name}: {} of {}", found.len(), part.len());
        }
    }
}

/// A hole in the sound of the source is silence of its length, and what follows is where it was.
#[test]
fn gaps_become_silence_of_their_length() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        &format!(
            "-f lavfi -i testsrc2=s=160x90:r=24:d=5 -f lavfi -i aevalsrc={SWEEP}:s=48000:d=5 \
             -af asetnsamples=1200:p=0,aselect=not(between(t\\,1.99\\,2.99)) -c:v libx264 -preset ultrafast -c:a flac -strict -2"
        ),
        "gap.mp4",
    );
    for name in ["out.mp4", "out.mkv"] {
        studio.encode(&format!("gap.mp4 -o {name} {} --audio aac", flags()));
        let (heard, picture) = (heard(&studio.path(name), 0), first_picture(&studio.path(name)));
        heard.has_sweep(name, picture, (0.1, 1.9));
        heard.is_silent(name, picture + 2.05, picture + 2.95);
        heard.has_sweep(name, picture, (3.1, 4.9));
    }
}

/// Integrated loudness and true peak, as ffmpeg measures them.
fn loudness(film: &Path) -> (f64, f64) {
    let run = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i", film.to_str().unwrap()])
        .args(["-map", "0:a:0", "-af", "ebur128=peak=true", "-f", "null", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    let summary = text.rsplit("Summary:").next().unwrap();
    let value = |name: &str| {
        let line = summary.lines().find(|line| line.trim().starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (value("I:"), value("Peak:"))
}

/// One gain gives sound the loudness that was asked for, unless its true peak is in the way, which is told.
#[test]
fn loudness_is_set_by_one_gain() {
    let Some(studio) = Studio::empty() else { return };
    // a quiet sweep, with one loud click in the second film
    for (name, click) in [("quiet.mov", ""), ("click.mov", "+0.5*between(t\\,1\\,1.0005)")] {
        let sound = format!("aevalsrc=0.1*({SWEEP}){click}:s=48000:d=6,aformat=channel_layouts=stereo");
        studio.render(
            &format!(
                "-f lavfi -i testsrc2=s=160x90:r=24:d=6 -f lavfi -i {sound} -c:v libx264 -preset ultrafast -c:a pcm_s24le"
            ),
            name,
        );
    }
    let (before, _) = loudness(&studio.path("quiet.mov"));
    assert!(before < -28.0, "{before}");
    for (name, codec) in [("out.mp4", "aac:192k"), ("out.mkv", "opus"), ("exact.mp4", "flac")] {
        let run = studio.encode(&format!("quiet.mov -o {name} {} --audio {codec} --loudness -23", flags()));
        let (after, peak) = loudness(&studio.path(name));
        between(name, after, -23.3, -22.7);
        assert!(peak <= -1.0, "{name}: {peak}");
        assert_eq!(run.notes(), [""; 0], "{name}");
        let level = &run.summary()["sound"][0]["level"];
        between(name, level["loudness"].as_f64().unwrap(), before - 0.2, before + 0.2);
        assert_eq!(level["limited"], false);
    }
    let run = studio.encode(&format!("click.mov -o click.mp4 {} --audio flac --loudness -14", flags()));
    let (after, peak) = loudness(&studio.path("click.mp4"));
    assert!(after < -16.0, "{after}");
    between("true peak", peak, -1.2, -1.0);
    assert!(run.notes().iter().any(|note| note.contains("true peak")), "{:?}", run.notes());
    assert_eq!(run.summary()["sound"][0]["level"]["limited"], true);
}

/// Fewer channels get all of the others, as another program mixes them, and nothing is cut off: where the mix
/// would be too loud, all of it is quieter, and that is told.
#[test]
fn channels_are_mixed_without_clipping() {
    let Some(studio) = Studio::empty() else { return };
    let all = format!("2*{SWEEP}");
    studio.render(
        &format!(
            "-f lavfi -i testsrc2=s=160x90:r=24:d=3 \
             -f lavfi -i aevalsrc={all}|0.1*{all}|{all}|{all}|0.3*{all}|0.2*{all}:s=48000:d=3:c=5.1 \
             -c:v libx264 -preset ultrafast -c:a pcm_s16le"
        ),
        "surround.mov",
    );
    let run = studio.encode(&format!("surround.mov -o out.mkv {} --audio flac::stereo", flags()));
    let floats = |name: &str, more: &str| -> Vec<f64> {
        let bytes = ffmpeg(&studio.path("."), &format!("-i {name} -map 0:a:0 {more} -f f32le -"));
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()).into()).collect()
    };
    let (mixed, got) =
        (floats("surround.mov", "-af aformat=sample_fmts=flt,aresample=ochl=stereo"), floats("out.mkv", ""));
    assert_eq!(mixed.len(), got.len());
    let most = |samples: &[f64]| samples.iter().fold(0.0_f64, |most, sample| most.max(sample.abs()));
    assert!(most(&mixed) > 1.2, "the mix would not clip: {}", most(&mixed));
    between("peak", most(&got), 0.99, 1.0);
    let gain = most(&got) / most(&mixed);
    let wrong =
        mixed.iter().zip(&got).fold(0.0_f64, |most, (mixed, got)| most.max((mixed * gain - got).abs()));
    assert!(wrong < 0.001, "{wrong}");
    assert!(run.notes().iter().any(|note| note.contains("do not clip")), "{:?}", run.notes());
    assert_eq!(probe(&studio.path("out.mkv"), "-select_streams a -show_entries stream=channels"), ["2"]);
}

/// What a container cannot hold is encoded to what it can, and all else is copied.
#[test]
fn auto_encodes_what_a_container_cannot_hold() {
    let Some(studio) = Studio::open() else { return };
    let tracks =
        "-i film.mkv -map 0:v -map 0:a -map 0:a -map 0:a -c:v copy -c:a:0 copy -c:a:1 pcm_s16le -c:a:2 wmav2";
    studio.render(tracks, "rich.mkv");
    for (name, codecs) in [
        ("out.mp4", ["aac", "flac", "aac"]),
        ("out.mkv", ["aac", "pcm_s16le", "aac"]),
        ("out.m3u8", ["aac", "flac", "aac"]),
    ] {
        let run = studio.encode(&format!("rich.mkv -o {name} {} --audio auto", flags()));
        let found: Vec<String> = match name {
            "out.m3u8" => (1..=3)
                .map(|sound| {
                    let list = studio.path(&format!("out.media/sound-{sound}/index.m3u8"));
                    probe(&list, "-select_streams a -show_entries stream=codec_name").remove(0)
                })
                .collect(),
            _ => probe(&studio.path(name), "-select_streams a -show_entries stream=codec_name"),
        };
        assert_eq!(found, codecs, "{name}");
        assert!(!run.notes().iter().any(|note| note.contains("audio")), "{name}: {:?}", run.notes());
        if name == "out.mp4" {
            assert_eq!(packet_hashes(&studio.path(name), "a"), packet_hashes(&studio.path("film.mkv"), "a"));
        }
    }
}

/// The same command makes the same bytes whatever the jobs, and after a kill; and with other sound, all takes
/// of the pictures are found again.
#[test]
fn other_sound_needs_no_other_takes() {
    let Some(studio) = Studio::open() else { return };
    let encode = format!("film.mkv {} --crf 40 --passes 1", fast());
    studio.encode(&format!("{encode} -o whole.mp4 --audio aac:128k --jobs 1"));
    let mut run = studio.start(&format!("{encode} -o out.mp4 --audio opus --jobs 2"));
    assert!(run.until(&mut |event| event["event"] == "writing"));
    run.signal("KILL");
    drop(run);
    let run = studio.encode(&format!("{encode} -o out.mp4 --audio aac:128k --jobs 2"));
    let taken: Vec<bool> = run
        .events()
        .iter()
        .filter(|event| event["event"] == "take_finished")
        .map(|event| event["kept"].as_bool().unwrap())
        .collect();
    assert!(taken.len() > 1 && taken.iter().all(|kept| *kept), "{taken:?}");
    assert!(studio.read("out.mp4") == studio.read("whole.mp4"));
    // the sound is encoded here wherever the takes are
    #[cfg(target_os = "linux")]
    {
        let mut command = studio.command(&format!("encode {encode} -o far.mp4 --audio aac:128k"));
        let worker = format!("{} worker --root {}", env!("CARGO_BIN_EXE_retake"), studio.path("").display());
        command.args(["--on", &format!("array:{worker} --array {{file}} --index {{index}}")]);
        let far = command.output().unwrap();
        assert!(far.status.success(), "{far:?}");
        assert!(studio.read("far.mp4") == studio.read("whole.mp4"));
    }
    // the same command is done, and one with other sound is not
    let again = studio.encode(&format!("{encode} -o out.mp4 --audio aac:128k"));
    assert_eq!(again.summary()["sound"], run.summary()["sound"]);
    studio.retake(&format!("encode {encode} -o out.mp4 --audio opus")).refused(2, &["exists"]);
}

/// What cannot be is refused in one line, before anything is decoded, and leaves nothing behind.
#[test]
fn wrong_words_about_sound_are_refused() {
    let Some(studio) = Studio::open() else { return };
    let before = studio.all_names();
    for (output, audio, words) in [
        ("out.mp4", "--audio vorbish", &["--audio", "vorbish", "opus"][..]),
        ("out.mp4", "--audio aac:fast", &["fast", "bit rate"]),
        ("out.mp4", "--audio aac:96k:loud", &["loud", "stereo"]),
        ("out.mp4", "--audio flac:96k", &["flac", "no loss"]),
        ("out.mp4", "--audio 7=aac", &["--audio", "sound '7'", "audio track 1 (aac) in fra"]),
        ("out.mp4", "--audio 0=aac", &["sound '0'", "audio track 1 (aac) in fra"]),
        ("out.mp4", "--audio none --audio eng=copy", &["sound 'eng'", "audio track 1 (aac) in fra"]),
        ("out.mp4", "--subtitles 1=copy", &["--subtitles", "subtitles '1'", "subtitle track 2 (subrip)"]),
        ("out.mp4", "--subtitles burn", &["--subtitles", "burn", "copy"]),
        ("out.webm", "--audio aac", &["out.webm", "cannot hold aac", "opus"]),
        ("out.mp4", "--audio aac:9M", &["audio track 1 (aac)", "nearest"]),
        ("out.mp4", "--audio ac3:100k", &["audio track 1 (aac)", "ac3"]),
        ("out.mp4", "--audio ac3::7.1", &["audio track 1 (aac)", "ac3", "7.1"]),
        ("out.mp4", "--audio aac --loudness 3", &["--loudness", "-70"]),
        ("out.mp4", "--loudness -23", &["--loudness", "copied"]),
    ] {
        let codec = if output == "out.webm" { "-c vp9 -p 5".into() } else { fast().to_owned() };
        let run = studio.retake(&format!("encode film.mkv -o {output} {codec} --crf 40 {audio}"));
        run.refused(2, words);
        assert_eq!(studio.all_names(), before, "{audio}");
    }
}

/// The sound of another file begins with the film, wherever either has its clock begin; a delay that it has
/// in its own file is kept, and it is cut where the film is. So it is in every container, copied and encoded.
#[test]
fn added_sound_begins_with_the_film() {
    let Some(studio) = Studio::empty() else { return };
    let pictures = "-f lavfi -i testsrc2=s=160x96:r=25:d=3";
    studio.render(&format!("{pictures} -c:v mpeg2video -q:v 2"), "film.mkv");
    studio.render("-i film.mkv -c copy -output_ts_offset 7.123", "late.ts");
    let sound = format!("-f lavfi -i aevalsrc={SWEEP}:s=48000:d=3");
    studio.render(&sound, "sweep.flac");
    studio.render(&format!("{sound} -c:a aac -b:a 160k"), "sweep.m4a");
    studio.render("-i sweep.flac -c copy -output_ts_offset 3.3", "later.mka");
    studio.render(&format!("{pictures} -itsoffset 0.5 {sound} -c:v mpeg4 -c:a flac"), "dub.mkv");
    for (source, added, begins, audio, outputs) in [
        ("film.mkv", "sweep.flac", 0.0, "", &["out.mkv", "out.mp4"][..]),
        ("late.ts", "dub.mkv", 0.5, "", &["out.mkv", "out.mp4"]),
        ("late.ts", "sweep.m4a", 0.0, "", &["out.mp4", "out.m3u8"]),
        ("film.mkv", "sweep.m4a", 0.0, "--audio deu=aac:160k", &["out.mkv", "out.mp4", "out.m3u8"]),
        ("late.ts", "dub.mkv", 0.5, "--audio deu=opus:128k", &["out.mkv", "out.mp4"]),
        ("late.ts", "later.mka", 0.0, "--audio deu=flac", &["out.mkv"]),
    ] {
        for name in outputs {
            for (range, from) in [("", 0.0), ("--from 20f --to 70f", 0.8)] {
                // hidden packets of AAC that decoding begins with have no time by which to place the others
                if audio.is_empty() && added == "sweep.m4a" && !range.is_empty() {
                    continue;
                }
                let what = format!("{added} beside {source} in {name}: {audio} {range}");
                let run = studio.encode(&format!(
                    "{source} -o {name} -y {} --audio none {audio} --add-audio {added}:deu:Deutsch {range}",
                    flags()
                ));
                assert!(run.notes().is_empty(), "{what}: {:?}", run.notes());
                let media = studio.path("out.media");
                let (video, sound) = match *name {
                    "out.m3u8" => (media.join("video/index.m3u8"), media.join("sound-1/index.m3u8")),
                    _ => (studio.path(name), studio.path(name)),
                };
                let (heard, picture) = (heard(&sound, 0), first_picture(&video));
                let to = if range.is_empty() { 2.8 } else { 2.7 - begins };
                heard.has_sweep(&what, picture + begins - from, ((from - begins).max(0.0) + 0.1, to));
                if begins > from && !audio.is_empty() {
                    heard.is_silent(&what, picture + 0.02, picture + begins - 0.05);
                }
                if *name != "out.m3u8" {
                    let tracks =
                        probe(&studio.path(name), "-select_streams a -show_entries stream_tags=language");
                    assert_eq!(tracks, ["deu"], "{what}");
                    assert!(studio.read(name).windows(7).any(|bytes| bytes == b"Deutsch"), "{what}");
                }
            }
        }
    }
}

/// Sound that is added stands behind the tracks of the source, with the next number; without loss it is the
/// same to the last sample. What is in its file is part of what was asked for, and what cannot be is told.
#[test]
fn added_sound_is_one_more_track() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(&format!("{NOISE} -c:v libx264 -preset ultrafast -c:a aac"), "film.mp4");
    let noise = |seed: u32| format!("-f lavfi -i anoisesrc=a=0.3:r=44100:d=4:seed={seed}");
    studio.render(&noise(3), "other.wav");
    let job = format!(
        "film.mp4 -o out.mkv {} --audio 2=flac --default 2 --add-audio other.wav:eng --add-audio film.mp4",
        flags()
    );
    let run = studio.encode(&job);
    let film = studio.path("out.mkv");
    let shown =
        "-select_streams a -show_entries stream=codec_name:stream_disposition=default:stream_tags=language";
    assert_eq!(probe(&film, shown), ["aac,0", "flac,1,eng", "aac,0"]);
    let samples = |name: &str, track: u32| {
        ffmpeg(&studio.path("."), &format!("-i {name} -map 0:a:{track} -c:a pcm_s32le -f s32le -"))
    };
    assert!(samples("out.mkv", 1) == samples("other.wav", 0));
    let hashes = |film: &Path| {
        let lines = packet_hashes(film, "a").into_iter();
        // a line of what is skipped, which MP4 says, is no packet
        let hash = |line: String| Some(line[line.find("MD5")?..].to_owned());
        lines.filter_map(hash).collect::<Vec<_>>()
    };
    assert!(hashes(&film) == hashes(&studio.path("film.mp4")), "the first track is a copy");
    let summary = run.summary();
    let told = &summary["sound"][0];
    assert_eq!((told["track"].as_u64(), told["codec"].as_str()), (Some(2), Some("flac")), "{summary}");
    assert_eq!(studio.encode(&job).summary()["file_bytes"], summary["file_bytes"], "the same job is done");
    studio.render(&noise(4), "other.wav");
    studio.retake(&format!("encode {job}")).refused(2, &["out.mkv", "exists"]);
    std::fs::write(studio.path("a.srt"), "1\n00:00:00,250 --> 00:00:01,000\nText\n\n").unwrap();
    for (flags, words) in [
        ("--add-audio none.wav", &["none.wav", "No such file"][..]),
        ("--add-audio a.srt", &["a.srt has no sound", "subtitle track 0"]),
        ("--add-audio other.wav:english", &["--add-audio", "english", "no language"]),
        ("--add-audio other:eng", &["--add-audio", "other:eng", "FILE[:LANGUAGE[:NAME]]"]),
        ("--add-audio other.wav --audio 3=aac", &["no sound '3'", "audio track 1", "audio file other.wav"]),
    ] {
        studio.retake(&format!("encode film.mp4 -o no.mkv {} {flags}", fast())).refused(2, words);
    }
    assert!(!studio.path("no.mkv").exists());
}
