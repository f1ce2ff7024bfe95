//! An export as a session: what can be set when, passes, progress, cancelling, temporary files (section
//! 21.2).
#![allow(clippy::unwrap_used)] // everything here is a test

use retake::{
    AlreadyStarted, EstimateBasis, Event, Export, ExportBuilder, ExportError, ExportPreset, ExportStatus,
    LengthEstimate, MetricKind, Outcome, RequestError, RunError, Step, StopFlag, TakeTask, Target,
    WorkerTools,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

const SIZE: (usize, usize) = (128, 96);

/// Three scenes of noise that grows coarser.
fn source(folder: &Path) -> PathBuf {
    source_of(folder, 72)
}

/// Scenes of a second of noise that grows coarser and finer, in a format without a library: YUV4MPEG2.
fn source_of(folder: &Path, frames: usize) -> PathBuf {
    let (width, height) = SIZE;
    let mut film = format!("YUV4MPEG2 W{width} H{height} F24:1 Ip A1:1 C420\n").into_bytes();
    let mut random = 1u32;
    for frame in 0..frames {
        film.extend(b"FRAME\n");
        let cell = 1 << (frame / 24 % 3 * 2);
        let noise: Vec<u8> = (0..width * height)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 24) as u8
            })
            .collect();
        for row in 0..height {
            for column in 0..width {
                let place = row / cell * cell * width + column / cell * cell;
                film.push(((column + frame) as u8 / 2).saturating_add(noise[place] / 3).max(16));
            }
        }
        film.extend(vec![(100 + frame / 24 % 3 * 20) as u8; width * height / 4]);
        film.extend(vec![128u8; width * height / 4]);
    }
    let path = folder.join("source.y4m");
    fs::write(&path, film).unwrap();
    path
}

/// An export of the source on PSNR, which costs little.
fn builder(folder: &Path) -> Option<ExportBuilder> {
    let Some(encoder) = retake::encoders().by_name("x264") else {
        eprintln!("SKIPPED: no x264 in this build");
        return None;
    };
    let builder = Export::builder(source(folder), folder.join("out.mp4"), encoder);
    let target = Target::floor(34.0).unwrap().tolerance(0.2).unwrap();
    Some(builder.metric(MetricKind::Psnr).encoder_preset("ultrafast").target(target))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Further passes are made where they are allowed, and bring the film nearer; without, there is one.
#[test]
fn passes_over_the_source_only_where_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let mut worst = Vec::new();
    for allowed in [false, true] {
        let Some(builder) = builder(folder.path()) else { return };
        let builder = builder.overwrite(true);
        let export = builder.build();
        assert!(!export.multi_pass(), "the default");
        export.set_multi_pass(allowed).unwrap();
        let summary = export.run().unwrap();
        assert_eq!(summary.passes.len() > 1, allowed, "{summary:?}");
        let quality = summary.quality.unwrap();
        worst.push(quality.below);
        if allowed {
            assert_eq!((summary.outcome, quality.below), (Outcome::Satisfied, 0));
        }
    }
    assert!(worst[0] > 0, "one pass misses what several meet, or the test shows nothing");
}

/// What is set before the start holds; afterwards setting is refused, in every status, and changes nothing.
#[test]
fn properties_are_set_before_the_start_only() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let Some(builder) = builder(folder.path()) else { return };
    let handle: Arc<Mutex<Option<Export>>> = Arc::default();
    let (inner, place) = (handle.clone(), temporary.path().to_owned());
    let seen: Arc<Mutex<Vec<f32>>> = Arc::default();
    let heard = seen.clone();
    let export = builder
        .multi_pass(true)
        .on_event(move |event| {
            let export = inner.lock().unwrap().clone().unwrap();
            heard.lock().unwrap().push(export.progress());
            if matches!(event, Event::PassStarted { pass: 1, .. }) {
                assert_eq!(export.status(), ExportStatus::Exporting);
                refused(&export);
                // the job is where it was asked to be
                assert_eq!(names(&place).len(), 1);
            }
        })
        .build();
    handle.lock().unwrap().replace(export.clone());
    assert_eq!((export.status(), export.progress()), (ExportStatus::Unknown, 0.0));
    let place = Some(temporary.path().to_owned());
    export.set_directory_for_temporary_files(place.clone()).unwrap();
    let (sender, receiver) = mpsc::channel();
    export.start(move |done| sender.send(done).unwrap()).unwrap();
    let summary = receiver.recv().unwrap().unwrap();
    assert_eq!((export.status(), export.progress()), (ExportStatus::Completed, 1.0));
    refused(&export);
    assert_eq!(export.directory_for_temporary_files(), place);
    assert!(matches!(export.run(), Err(RunError::AlreadyStarted(AlreadyStarted))));
    assert!(matches!(export.start(|_| panic!("never called")), Err(RunError::AlreadyStarted(_))));
    assert!(names(temporary.path()).is_empty() && names(folder.path()) == ["out.mp4", "source.y4m"]);
    assert_eq!(summary.output, export.output());
    let seen = seen.lock().unwrap();
    let steps: std::collections::BTreeSet<u32> = seen.iter().map(|value| (value * 1000.0) as u32).collect();
    assert!(steps.len() > 5 && seen.iter().all(|value| (0.0..=1.0).contains(value)), "{seen:?}");
}

fn refused(export: &Export) {
    let before = export.multi_pass();
    assert_eq!(export.set_multi_pass(!before), Err(AlreadyStarted));
    assert_eq!(export.set_directory_for_temporary_files(None), Err(AlreadyStarted));
    assert_eq!(export.multi_pass(), before);
}

/// A cancelled export leaves no film, and keeps its takes for the next one like it.
#[test]
fn cancelled_and_carried_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(first) = builder(folder.path()) else { return };
    let handle: Arc<Mutex<Option<Export>>> = Arc::default();
    let inner = handle.clone();
    let export = first
        .on_event(move |event| {
            if matches!(event, Event::Writing { .. }) {
                inner.lock().unwrap().as_ref().unwrap().cancel();
            }
        })
        .build();
    handle.lock().unwrap().replace(export.clone());
    assert!(matches!(export.run(), Err(RunError::Failed(ExportError::Stopped))));
    assert_eq!(export.status(), ExportStatus::Cancelled);
    assert!(export.progress() < 1.0 && !folder.path().join("out.mp4").exists());

    let Some(again) = builder(folder.path()) else { return };
    let made: Arc<Mutex<u32>> = Arc::default();
    let count = made.clone();
    let export = again.on_event(move |event| {
        *count.lock().unwrap() += u32::from(matches!(event, Event::TakeFinished { kept: false, .. }));
    });
    export.build().run().unwrap();
    assert_eq!(*made.lock().unwrap(), 0, "all takes were kept");

    let Some(never) = builder(folder.path()) else { return };
    let export = never.build();
    export.cancel();
    assert_eq!(export.status(), ExportStatus::Cancelled);
    assert!(matches!(export.run(), Err(RunError::Failed(ExportError::Stopped))));
}

/// An export that fails says so, and its request's fault is an error of the request.
#[test]
fn failures_and_presets() {
    let folder = tempfile::tempdir().unwrap();
    let Some(builder) = builder(folder.path()) else { return };
    let export = builder
        .preset(ExportPreset::Preview)
        .directory_for_temporary_files(folder.path().join("nowhere"))
        .build();
    let failed = export.run();
    assert!(
        matches!(&failed, Err(RunError::Failed(ExportError::Request(RequestError::JobFolderMissing { parent, .. }))) if parent.ends_with("nowhere")),
        "{failed:?}"
    );
    assert_eq!(export.status(), ExportStatus::Failed);
    assert_eq!(names(folder.path()), ["source.y4m"]);
}

/// The length is told before, with an interval that holds it; better and better while the export runs; and
/// exactly at its end. An estimate leaves nothing behind.
#[test]
fn the_length_of_the_file_is_estimated() {
    let folder = tempfile::tempdir().unwrap();
    let Some(encoder) = retake::encoders().by_name("x264") else {
        eprintln!("SKIPPED: no x264 in this build");
        return;
    };
    let film = source_of(folder.path(), 288);
    let floor = Target::floor(36.0).unwrap().tolerance(1.0).unwrap();
    for (name, target) in [("plain.mp4", Target::plain_at(30.0)), ("floor.mp4", floor)] {
        let heard: Arc<Mutex<Vec<LengthEstimate>>> = Arc::default();
        let handle: Arc<Mutex<Option<Export>>> = Arc::default();
        let (estimates, inner) = (heard.clone(), handle.clone());
        let export = Export::builder(&film, folder.path().join(name), encoder.clone())
            .metric(MetricKind::Psnr)
            .encoder_preset("ultrafast")
            .target(target)
            .multi_pass(true)
            .on_event(move |event| {
                if matches!(event, Event::TakeFinished { .. }) {
                    let export = inner.lock().unwrap().clone().unwrap();
                    estimates.lock().unwrap().extend(export.estimated_file_length());
                }
            })
            .build();
        handle.lock().unwrap().replace(export.clone());
        assert_eq!(export.estimated_file_length(), None);
        let before = names(folder.path());
        let first = export.estimate_file_length().unwrap();
        assert_eq!(names(folder.path()), before);
        assert_eq!(export.estimated_file_length(), Some(first));
        assert!(matches!(first.basis, EstimateBasis::Samples { frames: 100.. }), "{first:?}");
        assert!((first.seconds - 12.0).abs() < 0.1, "{first:?}");
        let summary = export.run().unwrap();
        let length = summary.file_bytes;
        assert!((first.least..=first.most).contains(&length), "{name}: {length} is not in {first:?}");
        assert!(first.most < first.least * 3, "{name}: an interval as wide as this tells nothing: {first:?}");
        let heard = heard.lock().unwrap();
        let last = heard.last().unwrap();
        assert!(matches!(last.basis, EstimateBasis::Takes { frames: 288, of: 288 }), "{last:?}");
        assert!((last.least..=last.most).contains(&length), "{name}: {length} is not in {last:?}");
        let doubt =
            |estimate: &LengthEstimate| (estimate.most - estimate.least) as f64 / estimate.bytes as f64;
        assert!(doubt(last) <= doubt(&first), "{last:?} {first:?}");
        let end = export.estimated_file_length().unwrap();
        assert_eq!(
            (end.bytes, end.least, end.most, end.basis),
            (length, length, length, EstimateBasis::Film)
        );
        assert!(matches!(export.estimate_file_length(), Err(RunError::AlreadyStarted(_))));
    }
    let rated = |target| {
        let export = Export::builder(&film, folder.path().join("rate.mp4"), encoder.clone()).target(target);
        export.build().estimate_file_length().unwrap()
    };
    let rate = rated(Target::bit_rate(400_000).unwrap());
    assert_eq!(rate.basis, EstimateBasis::Target);
    assert!((600_000..620_000).contains(&rate.bytes), "{rate:?}");
    assert_eq!(rated(Target::size(123_456)).most, 123_456);
    let refused = Export::builder(&film, folder.path().join("out.avi"), encoder).build();
    assert!(matches!(refused.estimate_file_length(), Err(RunError::Failed(_))));
}

/// Steps come to the same film, whoever runs the takes between them, in any order, some of them twice: on a
/// machine that sees the folder at another place.
#[cfg(unix)]
#[test]
fn steps_come_to_the_same_film() {
    let (here, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(whole) = builder(here.path()) else { return };
    whole.multi_pass(true).build().run().unwrap();
    let folder = place.path().join("films");
    fs::create_dir(&folder).unwrap();
    let elsewhere = place.path().join("elsewhere");
    std::os::unix::fs::symlink(&folder, &elsewhere).unwrap();
    let tools = WorkerTools { encoders: retake::encoders(), objects: None };
    let mut plans = 0;
    let summary = loop {
        let step = builder(&folder).unwrap().multi_pass(true).step().unwrap();
        // a step is text to an engine
        let step: Step = serde_json::from_str(&serde_json::to_string(&step).unwrap()).unwrap();
        match step {
            Step::Finished(summary) => break summary,
            Step::Takes(mut tasks) => {
                plans += 1;
                tasks.push(tasks[0].clone());
                for task in tasks.iter().rev() {
                    let done = retake::run_take(&elsewhere, task, &tools, &StopFlag::new()).unwrap();
                    assert_eq!(done.range, task.range());
                }
            }
        }
    };
    assert!(plans > 1 && summary.outcome == Outcome::Satisfied, "{plans} plans: {summary:?}");
    assert!(summary.passes.len() > 1 && summary.cpu_seconds > 0.0);
    assert!(fs::read(folder.join("out.mp4")).unwrap() == fs::read(here.path().join("out.mp4")).unwrap());
    assert_eq!(names(&folder), ["out.mp4", "source.y4m"]);
}

/// A job that is stopped has its takes given up; what another version, or nobody, asked for is not run.
#[test]
fn takes_of_a_stopped_job_are_given_up() {
    let place = tempfile::tempdir().unwrap();
    let Some(export) = builder(place.path()) else { return };
    let folder = place.path().join("out.mp4.retake");
    // nothing to stop yet
    builder(place.path()).unwrap().multi_pass(true).give_up().unwrap();
    assert!(!folder.exists());
    let Step::Takes(tasks) = export.multi_pass(true).step().unwrap() else { panic!("no takes") };
    let tools = WorkerTools { encoders: retake::encoders(), objects: None };
    let run = |task: &TakeTask| retake::run_take(place.path(), task, &tools, &StopFlag::new());
    let mut other = serde_json::to_value(&tasks[0]).unwrap();
    other["program"] = "0.0.1".into();
    let failure = run(&serde_json::from_value(other).unwrap()).unwrap_err();
    assert!(failure.may_do_elsewhere && failure.error.to_string().contains("0.0.1"), "{}", failure.error);
    let mut other = serde_json::to_value(&tasks[0]).unwrap();
    other["take"]["settings"]["options"] = serde_json::json!([["bframes", "0"]]);
    let failure = run(&serde_json::from_value(other).unwrap()).unwrap_err();
    assert!(!failure.may_do_elsewhere && failure.error.to_string().contains("none of this job"));
    builder(place.path()).unwrap().multi_pass(true).give_up().unwrap();
    assert!(folder.join("stopping").exists());
    // a step that follows the first one ends, and one that is asked for anew takes the folder, and goes on
    let follows = builder(place.path()).unwrap().multi_pass(true).follows_a_step().step();
    assert!(matches!(follows, Err(ExportError::Stopped)), "{follows:?}");
    assert!(folder.join("stopping").exists());
    let Step::Takes(again) = builder(place.path()).unwrap().multi_pass(true).step().unwrap() else {
        panic!("no takes")
    };
    assert_eq!(again, tasks);
    assert!(!folder.join("stopping").exists());
    assert!(run(&tasks[0]).is_ok());
}
