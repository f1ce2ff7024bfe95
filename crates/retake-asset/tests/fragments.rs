//! Films that are written in fragments play as far as they got, and end as plain films.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{AssetWriter, AssetWriterInput, Container};
use retake_media::Time;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Four seconds with a sync sample a second, B frames, AAC with priming.
const FILM: &str =
    "-f lavfi -i testsrc2=s=160x90:r=24:d=4 -f lavfi -i sine=r=48000:d=4 -c:v libx264 -bf 3 -g 24 -c:a aac";

/// Tells a run of this program that it is the one to be killed.
const VICTIM: &str = "RETAKE_TEST_VICTIM";

fn begin(film: &Path, to: &Path) -> (AssetWriter, Vec<AssetWriterInput>, Vec<Track>) {
    let tracks = vec![Track::read(film, 0), Track::read(film, 1)];
    let writer = AssetWriter::new(to, Container::Mp4);
    writer.configure(|options| options.movie_fragment_interval = Some(Time::new(1, 1))).unwrap();
    let inputs: Vec<_> =
        tracks.iter().map(|track| AssetWriterInput::passthrough(track.format.clone())).collect();
    inputs.iter().for_each(|input| writer.add(input).unwrap());
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    (writer, inputs, tracks)
}

/// Kinds of the top boxes of a file, as far as they are whole.
fn boxes(file: &Path) -> Vec<String> {
    let bytes = std::fs::read(file).unwrap();
    let (mut at, mut kinds) = (0, Vec::new());
    while at + 8 <= bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if size < 8 || at + size > bytes.len() {
            break;
        }
        kinds.push(String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned());
        at += size;
    }
    kinds
}

fn unfinished(folder: &Path) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().find(|path| path.to_string_lossy().contains("unfinished"))
}

/// A36, the part of the program that is killed: appends all samples, says so when three fragments are
/// written, and waits for its end.
#[test]
fn a36_victim() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    let folder = Path::new(&folder);
    let (_writer, inputs, tracks) = begin(&folder.join("a.mp4"), &folder.join("b.mp4"));
    std::thread::scope(|scope| {
        for (input, track) in inputs.iter().zip(&tracks) {
            scope.spawn(move || track.samples.iter().for_each(|sample| append(input, sample.clone())));
        }
    });
    let whole =
        || unfinished(folder).map_or(0, |file| boxes(&file).iter().filter(|kind| *kind == "mdat").count());
    while whole() < 3 {
        std::thread::yield_now();
    }
    println!("three fragments");
    std::thread::sleep(LONG);
}

/// A36, SG-10: of a program that is killed with `kill -9` a film is left that plays as far as it got.
#[test]
fn a36_a_killed_writer_leaves_what_plays() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a36_victim", "--nocapture"])
        .env(VICTIM, studio.folder())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("three fragments")));
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(!studio.path("b.mp4").exists());
    let left = unfinished(studio.folder()).unwrap();
    assert_eq!(boxes(&left)[..4], ["ftyp", "moov", "moof", "mdat"]);
    for track in ["v:0", "a:0"] {
        let (all, mut played) = (frames(&film, track), frames(&left, track));
        // ffmpeg gives what primes the sound out where a film is in fragments, and says by its time that it
        // is not to be heard
        played.retain(|frame| frame.0 >= 0);
        let hashes = |list: &[(i64, String)]| list.iter().map(|frame| frame.1.clone()).collect::<Vec<_>>();
        assert!(played.len() * 4 >= all.len() * 2, "{track}: {} of {}", played.len(), all.len());
        // the last frames may be decoded from references that are not there yet, or be shown in another
        // order: none is lost before them
        let sure = played.len() - 4;
        assert_eq!(hashes(&played)[..sure], hashes(&all)[..sure], "{track}");
        let times = |list: &[(i64, String)]| list[..sure].iter().map(|frame| frame.0).collect::<Vec<_>>();
        assert_eq!(times(&played), times(&all), "{track}");
    }
}

/// A36, SG-10: at the end it is a plain film, equal to one that never had fragments.
#[test]
fn a36_a_finished_film_is_plain() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let to = studio.path("b.mp4");
    let (writer, inputs, tracks) = begin(&film, &to);
    append_all(&inputs, &tracks);
    writer.finish_writing_and_wait().unwrap();
    assert!(!boxes(&to).contains(&"moof".to_owned()), "{:?}", boxes(&to));
    for track in ["v:0", "a:0"] {
        assert_eq!(frames(&to, track), frames(&film, track), "{track}");
    }
    assert_eq!(studio.files(), ["a.mp4", "b.mp4"]);
}
