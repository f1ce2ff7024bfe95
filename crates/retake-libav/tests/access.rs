//! A film opens nothing but itself, its name means nothing, and every wait for it ends when that is asked
//! for.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_libav::{Access, ErrorKind, FrameReader, MediaError, probe, probe_with};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

const FILM: &str =
    "-f lavfi -i testsrc2=s=128x96:r=25:d=2 -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p";

fn frames(path: &Path, access: &Access) -> u64 {
    let info = probe_with(path, access).unwrap();
    let mut reader = FrameReader::open(&info, options(&info)).unwrap();
    let mut count = 0;
    while reader.next().unwrap().is_some() {
        count += 1;
    }
    count
}

/// Lists that name other files are known by their content, whatever their names are, and open none of them
/// unless the caller allows it and the name says what they are.
#[test]
fn a_list_opens_other_files_only_when_it_is_named_and_allowed() {
    let Some(studio) = Studio::open() else { return };
    studio.render(FILM, "film.mp4");
    studio.render(
        "-i FILM -c copy -f hls -hls_time 1 -hls_list_size 0"
            .replace("FILM", studio.path("film.mp4").to_str().unwrap())
            .as_str(),
        "list.m3u8",
    );
    fs::write(studio.path("list.ffconcat"), "ffconcat version 1.0\nfile film.mp4\n").unwrap();
    let allowed = Access::new().references(true);
    for list in ["list.m3u8", "list.ffconcat"] {
        for name in ["x.mp4", "x.avi", "x.ts", "x", list] {
            if name != list {
                fs::copy(studio.path(list), studio.path(name)).unwrap();
                let error = probe_with(&studio.path(name), &allowed).unwrap_err();
                assert!(matches!(error, MediaError::NotAFilm { .. }), "{list} as {name}: {error}");
            }
            let error = probe(&studio.path(name)).unwrap_err();
            assert!(matches!(error, MediaError::References { .. }), "{list} as {name}: {error}");
            assert_eq!(error.kind(), ErrorKind::BadInput);
        }
        assert_eq!(frames(&studio.path(list), &allowed), 50, "{list}");
    }
}

/// The demuxer of live streams would wait for more, for ever.
#[test]
fn a_playlist_without_an_end_is_refused() {
    let Some(studio) = Studio::open() else { return };
    let list = studio.render(&format!("{FILM} -f hls -hls_time 1 -hls_list_size 0"), "list.m3u8");
    let text = fs::read_to_string(&list).unwrap().replace("#EXT-X-ENDLIST", "");
    fs::write(studio.path("live.m3u8"), text).unwrap();
    let error = probe_with(&studio.path("live.m3u8"), &Access::new().references(true)).unwrap_err();
    assert!(matches!(error, MediaError::Endless { .. }), "{error}");
}

/// Names that are patterns, addresses or texts with queries elsewhere are names here, of playlists, too.
#[test]
fn every_name_is_a_name() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "film.mp4");
    let picture = studio.render("-f lavfi -i testsrc2=s=128x96:r=25:d=1 -frames:v 3", "p%03d.png");
    fs::rename(studio.path("p001.png"), &picture).unwrap();
    assert_eq!(frames(&picture, &Access::new()), 1);
    for name in ["a?b#c.mp4", "http:x.mp4", "100%d*[1].mp4", "pipe:0"] {
        fs::copy(&film, studio.path(name)).unwrap();
        assert_eq!(frames(&studio.path(name), &Access::new()), 50, "{name}");
    }
    fs::create_dir(studio.path("who? #1")).unwrap();
    studio.render(&format!("{FILM} -f hls -hls_time 1 -hls_list_size 0"), "list.m3u8");
    for entry in ["list.m3u8", "list0.ts", "list1.ts"] {
        fs::copy(studio.path(entry), studio.path("who? #1").join(entry)).unwrap();
    }
    assert_eq!(frames(&studio.path("who? #1/list.m3u8"), &Access::new().references(true)), 50);
}

/// A file that somebody still writes is noticed when its end is reached, and one that was replaced when it is
/// opened again.
#[test]
fn a_source_that_changes_is_noticed() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(&format!("{FILM} -f matroska"), "film.mkv");
    let info = probe(&film).unwrap();
    let mut reader = FrameReader::open(&info, options(&info)).unwrap();
    reader.next().unwrap().unwrap();
    OpenOptions::new().append(true).open(&film).unwrap().write_all(b"more").unwrap();
    let ended = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            other => break other.map(drop),
        }
    };
    assert!(matches!(ended, Err(MediaError::SourceChanged { .. })), "{ended:?}");
    let again = FrameReader::open(&info, options(&info)).map(drop);
    assert!(matches!(again, Err(MediaError::SourceChanged { .. })), "{again:?}");
}

/// An interrupt ends the wait for a pipe that nobody writes to, and for one whose writer has stalled.
#[cfg(unix)]
#[test]
fn waits_for_pipes_end_when_asked() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "film.mp4");
    for begun in [false, true] {
        let fifo = studio.path(&format!("fifo-{begun}"));
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let writer = begun.then(|| {
            let mut writer = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
            writer.write_all(&fs::read(&film).unwrap()[..4000]).unwrap();
            writer
        });
        let asked = AtomicU32::new(0);
        let access = Access::new().interrupt(move || asked.fetch_add(1, Ordering::Relaxed) > 5);
        let began = Instant::now();
        let error = probe_with(&fifo, &access).unwrap_err();
        assert!(matches!(error, MediaError::Interrupted { .. }), "{error}");
        assert!(began.elapsed().as_secs() < 20);
        drop(writer);
    }
}

/// A device has no end, and is no film.
#[cfg(unix)]
#[test]
fn devices_are_not_read() {
    assert!(matches!(probe(Path::new("/dev/zero")), Err(MediaError::Open { .. })));
}
