//! A disk that is full while passes are made.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AssetWriter, AssetWriterInput, Container, PixelBufferAdaptor, VideoSettings, WriterStatus,
};
use retake_compression::property::Property;
use retake_media::Time;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Where the child is to work.
const FOLDER: &str = "RETAKE_TEST_FOLDER";
const FRAMES: i64 = 96;

fn names(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// AM-18 with a real encoder: what is encoded again finds no room; the writer fails with what the system
/// says, and leaves nothing. A child in which files cannot grow sees it.
#[test]
fn a_disk_that_is_full_in_the_second_pass_fails_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"trap '' XFSZ; exec "$0" --exact --ignored --nocapture child"#;
    let child = Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output();
    let Ok(child) = child else {
        eprintln!("SKIPPED: there is no bash to ignore signals");
        return;
    };
    let out = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && out.contains("1 passed"), "{child:?}");
    assert_eq!(names(folder.path()), Vec::<PathBuf>::new());
}

#[test]
#[ignore = "the child of another test"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    // SVT-AV1 is loaded from a copy of its library, for which there would be no room either
    let registry = registry();
    let Some(info) = registry.encoders().find(|info| info.name != "svt-av1") else { return };
    let mut settings = VideoSettings::new(info.codec, 176, 144);
    settings.specification.encoder = Some(info.name.to_owned());
    // which no encoder meets at once
    let rate = Property::AverageBitRate(240_000);
    settings.properties =
        vec![fast(info), rate, Property::MaxKeyFrameInterval(24), Property::ExpectedFrameRate(24.0)];
    let writer = AssetWriter::new(folder.join("film.mp4"), Container::Mp4);
    let options = folder.clone();
    writer.configure(|writer| writer.directory_for_temporary_files = Some(options)).unwrap();
    let input = AssetWriterInput::video(&settings, &registry).unwrap();
    input.configure(|options| options.multi_pass = true).unwrap();
    let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    for pass in 1.. {
        let description = input.current_pass_description().unwrap();
        let ranges = description.source_time_ranges();
        let wanted = |index: &i64| ranges.iter().any(|range| range.contains(Time::new(*index, 24)));
        for index in (0..FRAMES).filter(wanted) {
            let ready = input.wait_until_ready(Duration::from_secs(60));
            if !ready || adaptor.append(scene(index, 176, 144), Time::new(index, 24)).is_err() {
                assert!(pass == 2 && writer.status() == WriterStatus::Failed, "frame {index} of pass {pass}");
            }
        }
        if pass == 2 {
            break;
        }
        input.mark_current_pass_as_finished().unwrap();
        assert!(input.wait_until_ready(Duration::from_secs(60)), "another pass is asked for");
        setrlimit(Resource::Fsize, Rlimit { current: Some(1024), maximum: None }).unwrap();
    }
    let _ = input.mark_current_pass_as_finished();
    let (tell, told) = channel();
    writer.finish_writing(move |ended| tell.send(ended).unwrap()).unwrap();
    let error = told.recv_timeout(Duration::from_secs(60)).unwrap().unwrap_err();
    assert!(error.to_string().contains("File too large"), "{error}");
    assert_eq!(writer.status(), WriterStatus::Failed);
    assert_eq!(names(&folder), Vec::<PathBuf>::new());
}
