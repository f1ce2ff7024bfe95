//! Pipes, full disks and size limits lead to the right errors. Some tests run this very program again, with
//! another standard input or under a limit.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_libav::{Container, ErrorKind, FrameReader, MediaError, RangeReader, SeekTrust, probe};
use std::io::{ErrorKind as Cause, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Returns this program again, running the one hidden test `name`.
fn again(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

#[test]
#[ignore = "runs in a process of its own, started by other tests"]
fn child_reads_standard_input() {
    let info = probe(Path::new("-")).unwrap();
    assert!(!info.seekable);
    let mut reader = FrameReader::open(&info, options(&info)).unwrap();
    while let Some(frame) = reader.next().unwrap() {
        println!("FRAME {} {} {}", frame.index, frame.pts, checksum(&frame.picture));
    }
    let second = FrameReader::open(&info, options(&info));
    assert!(matches!(second, Err(MediaError::NotSeekable { .. })), "a pipe is read once");
    let index = std::sync::Arc::new(retake_libav::FrameIndex::new(info.video.time_base));
    let range = RangeReader::open(&info, index, 0..0, options(&info), SeekTrust::new());
    assert!(matches!(range, Err(MediaError::NotSeekable { .. })));
}

#[test]
fn films_come_through_pipes() {
    let Some(studio) = Studio::open() else { return };
    for (name, arguments) in [
        ("a.y4m", "-pix_fmt yuv420p"),
        ("b.y4m", "-pix_fmt yuv420p10le -strict -1"),
        ("c.mkv", "-c:v libx264 -bf 3"),
        ("d.ts", "-c:v mpeg2video"),
    ] {
        let film =
            studio.render(&format!("-f lavfi -i testsrc2=s=175x97:r=30000/1001:d=3 {arguments}"), name);
        let mut child =
            again("child_reads_standard_input").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let bytes = std::fs::read(&film).unwrap();
        let feeding = std::thread::spawn(move || {
            // The bytes go in pieces, as pipes deliver them.
            bytes.chunks(50_000).try_for_each(|piece| pipe.write_all(piece))
        });
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{name}: {text}");
        let found: Vec<u32> = text
            .lines()
            .filter_map(|line| line.split_once("FRAME "))
            .map(|(_, frame)| frame.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(found, reference(&film), "{name}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return eprintln!("SKIPPED: this system has no /dev/full");
    }
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-f lavfi -i testsrc2=s=640x360:r=25:d=4 -f lavfi -i sine=d=4 -c:v libx264 -c:a aac",
        "a.mkv",
    );
    let takes = Takes::of(&film);
    for container in retake_libav::Container::ALL {
        match takes.write(full, container) {
            Err(MediaError::CannotHold { .. }) => {}
            Err(error) => {
                assert!(
                    matches!(&error, MediaError::Write { source, .. } if source.kind() == Cause::StorageFull),
                    "{error}"
                );
                assert_eq!(error.kind(), ErrorKind::Io);
            }
            Ok(_) => panic!("{container} was written to a full disk"),
        }
    }
}

#[test]
#[ignore = "runs in a process of its own, started by other tests"]
fn child_writes_under_a_limit() {
    let film = std::env::var("RETAKE_TEST_FILM").unwrap();
    let takes = Takes::of(Path::new(&film));
    let out = std::env::var("RETAKE_TEST_OUT").unwrap();
    let out = Path::new(&out);
    match takes.write(out, Container::from_path(out).unwrap()) {
        Err(MediaError::Write { source, byte, .. }) if source.kind() == Cause::FileTooLarge => {
            println!("REFUSED at {byte}")
        }
        other => panic!("{other:?}"),
    }
}

/// The limit strikes while samples are written, and where it is set higher, while the index is.
#[test]
fn a_size_limit_is_told() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-f lavfi -i testsrc2=s=640x360:r=25:d=4 -f lavfi -i sine=d=4 -c:v libx264 -c:a aac",
        "a.mp4",
    );
    let blocks = std::fs::metadata(&film).unwrap().len() / 512;
    for name in ["b.mp4", "b.mkv"] {
        for limit in [8, blocks / 2, blocks - 20] {
            // An ignored signal is inherited, so that the limit becomes an error of the system call.
            let shell = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"");
            let child = again("child_writes_under_a_limit");
            let output = Command::new("bash")
                .arg("-c")
                .arg(format!("set -o posix; {shell}"))
                .arg(child.get_program())
                .args(child.get_args())
                .env("RETAKE_TEST_FILM", &film)
                .env("RETAKE_TEST_OUT", studio.path(name))
                .output();
            let Ok(output) = output else { return eprintln!("SKIPPED: no bash") };
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                text.contains("REFUSED"),
                "{name} {limit}: {text} {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render("-f lavfi -i testsrc2=s=64x48:r=25:d=0.2 -c:v libx264", "a.mp4");
    let takes = Takes::of(&film);
    let out = studio.path("nowhere/b.mp4");
    let error = takes.write(&out, Container::Mp4).unwrap_err();
    assert!(
        matches!(&error, MediaError::Write { source, byte: 0, .. } if source.kind() == Cause::NotFound),
        "{error}"
    );
}
