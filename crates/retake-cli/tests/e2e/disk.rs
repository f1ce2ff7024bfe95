//! A full disk: an error, no output, and everything finished is kept.

use crate::common::{Run, Studio, fast};
use std::process::Command;

/// Runs `retake` where no file may be larger than some KiB.
fn limited(studio: &Studio, kib: u32, arguments: &str) -> Run {
    let retake = env!("CARGO_BIN_EXE_retake");
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec '{retake}' {arguments}");
    Run::of(Command::new("bash").args(["-c", &script]).current_dir(studio.path(".")).output().unwrap())
}

fn kept(run: &Run) -> usize {
    run.events().iter().filter(|event| event["event"] == "take_finished" && event["kept"] == true).count()
}

/// No place for the takes, none for the index, none for the film.
#[test]
fn no_place_on_the_disk() {
    let Some(studio) = Studio::open() else { return };
    if Command::new("bash").args(["-c", "ulimit -f 1"]).status().is_ok_and(|status| !status.success()) {
        eprintln!("SKIPPED: bash cannot limit the size of files");
        return;
    }
    let job = |name: &str| format!("encode film.mkv -o {name} {} --metric psnr -q 36 --json", fast());
    let whole = studio.retake(&job("whole.mp4"));
    assert_eq!(whole.code, 0, "{whole:?}");
    let size = u32::try_from(studio.read("whole.mp4").len() / 1024).unwrap();
    for (name, kib, least_kept) in [("takes.mp4", 4, 0), ("film.mp4", size - 8, 6)] {
        let run = limited(&studio, kib, &job(name));
        let folder = format!("{name}.retake");
        run_failed(&run);
        let expected = ["film.mkv", "whole.mp4", &folder].map(str::to_owned);
        assert_eq!(studio.names(), expected.into(), "no output and no temporary file: {run:?}");
        let again = studio.retake(&job(name));
        assert_eq!(again.code, 0, "{again:?}");
        assert!(kept(&again) >= least_kept, "{again:?}");
        assert!(studio.read(name) == studio.read("whole.mp4"));
        assert!(!studio.path(&folder).exists());
        std::fs::remove_file(studio.path(name)).unwrap();
    }
}

fn run_failed(run: &Run) {
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(run.err.lines().count(), 1, "{run:?}");
    assert!(run.err.starts_with("retake: ") && run.err.contains("File too large"), "{run:?}");
}

/// A disk that is really full, where this user may make one.
#[test]
fn a_full_disk() {
    let Some(studio) = Studio::open() else { return };
    let disk = studio.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|run| run.status.success()) {
        eprintln!("SKIPPED: no disk can be mounted here");
        return;
    }
    let run = studio.retake(&format!("encode film.mkv -o disk/out.mp4 {} --metric psnr -q 40", fast()));
    let left: Vec<_> = std::fs::read_dir(&disk).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let more = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&disk).status().unwrap();
    let again = studio.retake(&format!("encode film.mkv -o disk/out.mp4 {} --metric psnr -q 40", fast()));
    let there = studio.path("disk/out.mp4").exists();
    Command::new("umount").arg(&disk).status().unwrap();
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.lines().count() == 1 && run.err.contains("No space left"), "{run:?}");
    assert_eq!(left, ["out.mp4.retake"]);
    assert!(more.success() && there && again.code == 0, "{again:?}");
}

/// A folder that may not be written to.
#[test]
fn a_folder_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let Some(studio) = Studio::open() else { return };
    let folder = studio.path("closed");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(folder.join("probe"), "").is_ok() {
        eprintln!("SKIPPED: this user may write everywhere");
        return;
    }
    let run = studio.retake(&format!("encode film.mkv -o closed/out.mp4 {} --crf 40", fast()));
    assert!([1, 2].contains(&run.code) && run.err.lines().count() == 1, "{run:?}");
    assert!(run.err.contains("closed") && run.err.contains("Permission denied"), "{run:?}");
}
