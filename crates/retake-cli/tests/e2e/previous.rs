//! Job folders of earlier versions, kept in `tests/previous`: carried on, or refused by name. Nothing in them
//! is taken for what it is not.

use crate::common::{Studio, fast};
use std::fs;
use std::path::{Path, PathBuf};

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/previous").join(name)
}

/// Copies a folder of an earlier version, without what says that its film was finished.
fn folder_of_layout(layout: &str, studio: &Studio, name: &str) {
    let folder = studio.path(name);
    fs::create_dir_all(folder.join("takes")).unwrap();
    for file in ["job.json", "index"] {
        fs::copy(kept(layout).join(file), folder.join(file)).unwrap();
    }
    let takes = fs::read_dir(kept(layout).join("takes")).unwrap().map(|entry| entry.unwrap());
    for take in takes {
        fs::copy(take.path(), folder.join("takes").join(take.file_name())).unwrap();
    }
}

/// Takes of earlier layouts are written in another way: their folder is refused by its number, and keeps what
/// it has, until somebody says that it may be forgotten, or works elsewhere.
#[test]
fn a_folder_of_an_earlier_layout_is_refused_by_its_number() {
    let Some(studio) = Studio::open() else { return };
    let job = format!("film.mkv -o out.mkv {} --crf 40", fast());
    for number in [1, 2] {
        folder_of_layout(&format!("layout-{number}"), &studio, "out.mkv.retake");
        let takes = || fs::read_dir(studio.path("out.mkv.retake/takes")).unwrap().count();
        let before = takes();
        let run = studio.retake(&format!("encode {job}"));
        let version = format!("version {number}");
        run.refused(2, &["out.mkv.retake", "another version", &version, "--restart", "--work-dir"]);
        assert_eq!(takes(), before, "nothing is lost");
        studio.encode(&format!("{job} --restart"));
        assert_eq!(studio.names(), ["film.mkv", "out.mkv"].map(str::to_owned).into());
        fs::remove_file(studio.path("out.mkv")).unwrap();
    }
}

/// A film that an earlier version finished, and whose folder it could not remove any more: this is said,
/// because what was asked for then can no longer be compared with what is asked for now.
#[test]
fn a_film_that_layout_1_finished_is_left_as_it_is() {
    let Some(studio) = Studio::open() else { return };
    folder_of_layout("layout-1", &studio, "out.mkv.retake");
    fs::copy(kept("layout-1/finished.json"), studio.path("out.mkv.retake/finished.json")).unwrap();
    fs::copy(kept("finished.mkv"), studio.path("out.mkv")).unwrap();
    let run = studio.retake(&format!("encode film.mkv -o out.mkv {} --crf 40", fast()));
    run.refused(2, &["out.mkv", "finished by another version", "out.mkv.retake", "remove"]);
    assert!(studio.read("out.mkv") == fs::read(kept("finished.mkv")).unwrap());
}
