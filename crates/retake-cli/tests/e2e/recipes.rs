//! The commands of docs/recipes.md: they are read from the page, and what they make is looked at.

use crate::common::{self, Studio, between, encoders, ffmpeg, frame_times, probe};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGE: &str = include_str!("../../../../docs/recipes.md");

/// The command of the page that makes this, as words behind `retake`.
fn command(output: &str) -> &'static str {
    let commands = PAGE.lines().filter_map(|line| line.strip_prefix("$ retake "));
    let wanted = format!(" -o {output} ");
    let mut found = commands.filter(|command| command.contains(&wanted));
    let first = found.next().unwrap_or_else(|| panic!("no command of the page makes {output}"));
    assert_eq!(found.next(), None, "one command makes {output}");
    first
}

/// The folder of the films of the page, rendered by the first test that needs them.
fn films() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recipes-1");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (unfinished, films) = (folder.join("unfinished"), folder.join("films"));
    if !films.exists() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/render-recipes");
        let run = Command::new(script).arg(&unfinished).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        fs::rename(unfinished, &films).unwrap();
    }
    films
}

/// Runs the command of the page that makes this, in a folder with these films; `None`, with a visible word,
/// where a program or this build lacks what it needs.
fn made(output: &str, codec: &str, sources: &[&str]) -> Option<Studio> {
    let studio = Studio::empty()?;
    if !encoders().iter().any(|encoder| encoder.codec == codec) {
        eprintln!("SKIPPED: {output}: this build has no encoder of {codec}");
        return None;
    }
    for source in sources {
        fs::create_dir_all(studio.path(source).parent().unwrap()).unwrap();
        fs::hard_link(films().join(source), studio.path(source)).unwrap();
    }
    let words = command(output);
    assert!(words.contains(&format!("--codec {codec} ")), "{words}");
    let run = studio.retake(words);
    assert_eq!(run.code, 0, "retake {words}: {run:?}");
    Some(studio)
}

fn video(film: &Path, entries: &str) -> String {
    probe(film, &format!("-select_streams v:0 -show_entries stream={entries}")).join(" ")
}

fn sound(film: &Path, entries: &str) -> Vec<String> {
    probe(film, &format!("-select_streams a -show_entries stream={entries}"))
}

/// The samples of the first channel, at 48 kHz.
fn samples(studio: &Studio, arguments: &str) -> Vec<f32> {
    let bytes = ffmpeg(&studio.path("."), &format!("{arguments} -af pan=mono|c0=c0 -ar 48000 -f f32le -"));
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

/// The share of the energy that a tone of this frequency has.
fn tone(samples: &[f32], frequency: f64) -> f64 {
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let (angle, value) =
            (std::f64::consts::TAU * frequency * index as f64 / 48_000.0, f64::from(*sample));
        (re, im, all) = (re + value * angle.cos(), im + value * angle.sin(), all + value * value);
    }
    2.0 * (re * re + im * im) / (all * samples.len() as f64)
}

/// All frames of a film are those that `ffmpeg` makes of its source by these filters.
fn looks_like(studio: &Studio, film: &str, source: &str, filters: &str, frames: usize, least: f64) {
    let graph = format!(
        "[1:v]{filters},settb=1/1000,setpts=N[b];[0:v]settb=1/1000,setpts=N[a];[a][b]psnr=stats_file=-:shortest=0"
    );
    let values = common::psnr(&studio.path("."), film, source, &graph);
    assert_eq!((values.len(), frame_times(&studio.path(film)).0.len()), (frames, frames), "{film}");
    assert!(values.iter().all(|&value| value > least), "{film}: {values:?}");
}

/// Luma of all frames.
fn luma(studio: &Studio, arguments: &str) -> Vec<u8> {
    ffmpeg(&studio.path("."), &format!("{arguments} -f rawvideo -pix_fmt gray -"))
}

/// Bars go, what is left is scaled, and six channels become two.
#[test]
fn no_bars() {
    let Some(studio) = made("film.mp4", "h264", &["film.mkv"]) else { return };
    let studio = &studio;
    let film = studio.path("film.mp4");
    assert_eq!(video(&film, "width,height,sample_aspect_ratio,r_frame_rate"), "1280,534,1:1,24/1");
    looks_like(
        studio,
        "film.mp4",
        "film.mkv",
        "crop=1920:800:0:140,zscale=1280:534:filter=spline36",
        36,
        30.0,
    );
    assert_eq!(sound(&film, "codec_name,sample_rate,channels"), ["aac,48000,2"]);
    let heard = samples(studio, "-i film.mp4");
    between("samples", heard.len() as f64, 72_000.0, 73_100.0);
    let middle = &heard[12_000..60_000];
    // the left channel, and the centre that is mixed into it
    between("left", tone(middle, 440.0), 0.7, 0.99);
    between("centre", tone(middle, 660.0), 0.05, 0.3);
    between("right", tone(middle, 550.0), 0.0, 0.01);
}

/// Steps of grey in PQ stay steps of grey, as `ffmpeg` maps them.
#[test]
fn no_hdr() {
    let Some(studio) = made("sdr.mp4", "h264", &["hdr.mkv"]) else { return };
    let studio = &studio;
    let tags =
        video(&studio.path("sdr.mp4"), "width,height,pix_fmt,color_space,color_transfer,color_primaries");
    assert_eq!(tags, "1280,720,yuv420p,bt709,bt709,bt709");
    let words = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0:peak=10,\
                 zscale=t=bt709:m=bt709:r=tv,format=yuv420p";
    looks_like(studio, "sdr.mp4", "hdr.mkv", words, 24, 36.0);
    let shown = "-i sdr.mp4 -frames:v 1 -vf scale=10:1:flags=area,format=yuv444p -f rawvideo -";
    let greys = ffmpeg(&studio.path("."), shown);
    let (steps, colours) = greys.split_at(10);
    assert!(steps.is_sorted_by(|one, next| one < next), "steps stay steps: {steps:?}");
    assert!(colours.iter().all(|value| value.abs_diff(128) <= 2), "grey stays grey: {colours:?}");
    assert!(steps[0] <= 20 && steps[9] >= 200, "{steps:?}");
}

/// The pictures that were made fields come back whole; the sound is the same packets.
#[test]
fn dvd() {
    let Some(studio) = made("dvd.mkv", "hevc", &["dvd.vob"]) else { return };
    let studio = &studio;
    let film = studio.path("dvd.mkv");
    assert_eq!(video(&film, "width,height,sample_aspect_ratio,r_frame_rate"), "720,480,8:9,24000/1001");
    // The original pictures came back whole: each is near one of those that were telecined, in their order.
    let made = luma(studio, "-i dvd.mkv");
    let original = luma(studio, "-f lavfi -i testsrc2=s=720x480:r=24000/1001:d=2.002");
    let size = 720 * 480;
    let frames = made.len() / size;
    between("frames", frames as f64, 46.0, 49.0);
    let error = |one: &[u8], other: &[u8]| {
        let squares = one.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2));
        squares.sum::<u64>() as f64 / size as f64
    };
    let places: Vec<(usize, f64)> = made
        .chunks_exact(size)
        .enumerate()
        .map(|(number, frame)| {
            let near = number.saturating_sub(2)..(number + 3).min(original.len() / size);
            let errors = near.map(|place| (place, error(frame, &original[place * size..][..size])));
            errors.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
        })
        .collect();
    // the last one may have lost a field with the end of the film
    let whole = &places[1..places.len() - 2];
    assert!(whole.iter().all(|(_, error)| *error < 120.0), "{places:?}");
    assert!(whole.is_sorted_by(|one, next| one.0 < next.0), "{places:?}");
    assert_eq!(sound(&film, "codec_name,channels"), ["ac3,1"]);
    assert_eq!(common::packet_hashes(&film, "a"), common::packet_hashes(&studio.path("dvd.vob"), "a"));
}

/// Pictures are turned, and nothing asks a player to turn them again.
#[test]
fn phone() {
    let Some(studio) = made("phone.mp4", "h264", &["phone.mov"]) else { return };
    let studio = &studio;
    let film = studio.path("phone.mp4");
    assert_eq!(video(&film, "width,height,sample_aspect_ratio,r_frame_rate"), "540,960,1:1,30/1");
    assert_eq!(probe(&film, "-select_streams v:0 -show_entries stream_side_data=rotation"), [""; 0]);
    // the program turns its source as a player does
    looks_like(studio, "phone.mp4", "phone.mov", "zscale=540:960:filter=spline36", 30, 30.0);
    assert_eq!(common::packet_hashes(&film, "a"), common::packet_hashes(&studio.path("phone.mov"), "a"));
}

/// Three sizes of one film with the same times, and one sound for all.
#[test]
fn ladder() {
    let Some(studio) = made("web.m3u8", "h264", &["film.mkv"]) else { return };
    let studio = &studio;
    let mut times = Vec::new();
    for (width, height) in [(1280, 720), (960, 540), (640, 360)] {
        let name = format!("web.media/video-{height}p/index.m3u8");
        // what reads playlists tells of their tracks twice: as those of a programme as well
        let sizes = probe(&studio.path(&name), "-select_streams v:0 -show_entries stream=width,height");
        assert!(
            !sizes.is_empty() && sizes.iter().all(|size| *size == format!("{width},{height}")),
            "{sizes:?}"
        );
        looks_like(studio, &name, "film.mkv", &format!("zscale={width}:{height}:filter=spline36"), 36, 30.0);
        times.push(frame_times(&studio.path(&name)));
    }
    assert!(times.iter().all(|other| *other == times[0]), "{times:?}");
    let master = studio.path("web.m3u8");
    let sizes = probe(&master, "-select_streams v -show_entries stream=height");
    assert!(["720", "540", "360"].iter().all(|rows| sizes.iter().any(|size| size == rows)), "{sizes:?}");
    let sounds = sound(&studio.path("web.media/sound-1/index.m3u8"), "codec_name,channels");
    assert!(!sounds.is_empty() && sounds.iter().all(|sound| sound == "aac,2"), "{sounds:?}");
}

/// Ten bits, and Opus in stereo.
#[test]
fn anime() {
    let Some(studio) = made("anime-10bit.mkv", "av1", &["anime.mkv"]) else { return };
    let studio = &studio;
    let film = studio.path("anime-10bit.mkv");
    assert_eq!(
        video(&film, "codec_name,width,height,pix_fmt,r_frame_rate"),
        "av1,640,360,yuv420p10le,24000/1001"
    );
    looks_like(studio, "anime-10bit.mkv", "anime.mkv", "format=yuv420p10le", 48, 36.0);
    assert_eq!(sound(&film, "codec_name,sample_rate,channels"), ["opus,48000,2"]);
    let heard = samples(studio, "-i anime-10bit.mkv");
    between("samples", heard.len() as f64, 95_500.0, 97_500.0);
    between("tone", tone(&heard[24_000..72_000], 440.0), 0.98, 1.0);
}

/// Every second frame stays.
#[test]
fn screen() {
    let Some(studio) = made("screen.webm", "vp9", &["screen.mkv"]) else { return };
    let studio = &studio;
    let film = studio.path("screen.webm");
    assert_eq!(video(&film, "codec_name,width,height,r_frame_rate"), "vp9,640,360,30/1");
    looks_like(studio, "screen.webm", "screen.mkv", "fps=30", 60, 30.0);
    assert_eq!(sound(&film, "codec_name,sample_rate,channels"), ["opus,48000,1"]);
    let heard = samples(studio, "-i screen.webm");
    between("samples", heard.len() as f64, 95_500.0, 97_500.0);
    between("tone", tone(&heard[24_000..72_000], 440.0), 0.98, 1.0);
}

/// The minute is exact to the frame, and to the sample.
#[test]
fn minute() {
    let Some(studio) = made("minute.mp4", "h264", &["lecture.mp4"]) else { return };
    let studio = &studio;
    let film = studio.path("minute.mp4");
    looks_like(studio, "minute.mp4", "lecture.mp4", "trim=60:120", 600, 28.0);
    let length = probe(&film, "-show_entries format=duration");
    between("seconds", length[0].parse().unwrap(), 59.99, 60.03);
    assert_eq!(sound(&film, "codec_name,sample_rate,channels"), ["aac,48000,1"]);
    let (heard, source) = (samples(studio, "-i minute.mp4"), samples(studio, "-i lecture.mp4"));
    between("samples", heard.len() as f64, 2_879_000.0, 2_881_500.0);
    // No two moments of it sound alike, so half a sample of delay shows.
    let rest = |late: usize| -> f64 {
        let pairs = heard[48_000..2_832_000].iter().zip(&source[60 * 48_000 + 48_000 - 2 + late..]);
        pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum()
    };
    let rests: Vec<f64> = (0..5).map(rest).collect();
    assert!((0..5).all(|late| rests[2] <= rests[late]), "{rests:?}");
}

/// Each episode gets its own name, pictures and sound.
#[test]
fn season() {
    let Some(studio) = made("small/", "hevc", &["season/episode-1.mkv", "season/episode-2.mkv"]) else {
        return;
    };
    let studio = &studio;
    for (episode, pitch) in [("episode-1.mkv", 440.0), ("episode-2.mkv", 880.0)] {
        let name = format!("small/{episode}");
        let film = studio.path(&name);
        assert_eq!(video(&film, "codec_name,width,height,r_frame_rate"), "hevc,854,480,25/1");
        looks_like(studio, &name, &format!("season/{episode}"), "zscale=854:480:filter=spline36", 25, 30.0);
        assert_eq!(sound(&film, "codec_name,channels"), ["aac,1"]);
        let heard = samples(studio, &format!("-i {name}"));
        between(episode, tone(&heard[12_000..36_000], pitch), 0.98, 1.0);
    }
}

/// The sound is that of the other file, and nothing of the old one is heard.
#[test]
fn other_sound() {
    let Some(studio) = made("narrated.mp4", "h264", &["holiday.mp4", "narration.wav"]) else { return };
    let studio = &studio;
    let film = studio.path("narrated.mp4");
    looks_like(studio, "narrated.mp4", "holiday.mp4", "null", 50, 30.0);
    assert_eq!(sound(&film, "codec_name,channels:stream_tags=language"), ["aac,1,eng"]);
    let heard = samples(studio, "-i narrated.mp4");
    between("samples", heard.len() as f64, 95_900.0, 98_000.0);
    let middle = &heard[24_000..72_000];
    between("the new sound", tone(middle, 880.0), 0.98, 1.0);
    between("the old sound", tone(middle, 330.0), 0.0, 0.001);
}

/// No command of the page is without a test.
#[test]
fn every_command_is_tested() {
    let commands = PAGE.lines().filter(|line| line.starts_with("$ retake "));
    let tests = include_str!("recipes.rs").matches("= made(\"").count();
    assert_eq!(commands.count(), tests);
}
