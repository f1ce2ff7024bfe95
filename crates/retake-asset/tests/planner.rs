//! Films that are written in segments, and resumed.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AssetWriter, AssetWriterInput, AssetWritingPlanner, Container, HandlerError, PlannerError,
    PlannerProgress, SegmentRequest, TrackFormat, TrackPlan,
};
use retake_compression::parallel::Subdivision;
use retake_compression::session::{CompressionSession, SourceFrame};
use retake_media::{Codec, Time};
use std::path::Path;
use std::sync::{Arc, Mutex};

const FRAMES: i64 = 120;

fn at(frame: i64) -> Time {
    Time::new(frame, 24)
}

fn plan(identity: &str) -> TrackPlan {
    let times: Vec<Time> = (0..FRAMES).map(at).collect();
    TrackPlan::new(identity, &Subdivision::at_most(4), &times, at(FRAMES))
}

/// Encodes one segment, as a client would.
fn encode(request: &SegmentRequest<'_>) -> Result<(), HandlerError> {
    let registry = registry();
    let (session, outcomes) = CompressionSession::builder(&registry, 64, 48, Codec::H264).build_pull()?;
    let info = registry.encoders().find(|info| info.codec == Codec::H264).unwrap().clone();
    session.set_all(&[fast(&info)])?;
    request.configure(&session)?;
    let range = request.segment.part.range;
    for frame in range.start as i64..range.end as i64 {
        let picture = scene(frame, 64, 48);
        session.encode(SourceFrame::new(&picture, at(frame)).duration(at(1)), ())?;
    }
    session.complete_frames()?;
    while let Some(outcome) = outcomes.try_receive() {
        if let Some(sample) = outcome.into_sample()? {
            request.silo().add(&sample)?;
        }
    }
    Ok(())
}

type Calls = Arc<Mutex<Vec<usize>>>;

/// A planner whose handler notes the segments that it is called for, and fails for one of them.
fn planner(folder: &Path, identity: &str, fails: Option<usize>) -> (AssetWritingPlanner, Calls) {
    let calls: Calls = Arc::default();
    let noted = calls.clone();
    let mut planner = AssetWritingPlanner::open(folder).unwrap();
    planner.plan_track(plan(identity), move |request| {
        noted.lock().unwrap().push(request.number);
        match fails == Some(request.number) {
            true => Err("the power went".into()),
            false => encode(request),
        }
    });
    (planner, calls)
}

fn film(planner: &AssetWritingPlanner, at_once: u32, file: &Path) -> Vec<u8> {
    let tracks = planner.execute(at_once).unwrap();
    let input = AssetWriterInput::passthrough(TrackFormat::Video(tracks[0].format().unwrap().unwrap()));
    let writer = AssetWriter::new(file, Container::Mp4);
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    let report = tracks[0].append_to(&input).unwrap();
    assert_eq!((report.parts, report.samples), (4, FRAMES as u64));
    writer.finish_writing_and_wait().unwrap();
    std::fs::read(file).unwrap()
}

/// [PA-16] A plan that failed is resumed: what was finished is not made again, also by another planner; a
/// damaged segment is; and the film is that of a run without any of this, whose pictures another program
/// sees at their times.
#[test]
fn a_plan_is_resumed_where_it_stopped() {
    let Some(studio) = Studio::open() else { return };
    let has = registry().encoders().any(|info| info.codec == Codec::H264);
    if !has {
        return eprintln!("SKIPPED: no encoder of H.264 in this build");
    }
    let folder = studio.path("plan");
    let (failing, calls) = planner(&folder, "a", Some(2));
    let error = failing.execute(1).unwrap_err();
    assert!(matches!(error, PlannerError::Handler { track: 0, number: 2, .. }), "{error}");
    assert!(error.to_string().contains("the power went"));
    assert_eq!(*calls.lock().unwrap(), [0, 1, 2]);
    assert_eq!(failing.progress(), PlannerProgress { finished: 2, segments: 4 });
    assert!(matches!(AssetWritingPlanner::open(&folder), Err(PlannerError::InUse { .. })));
    drop(failing);

    let (other, calls) = planner(&folder, "b", None);
    assert!(matches!(other.execute(1), Err(PlannerError::OtherPlan { .. })));
    assert!(calls.lock().unwrap().is_empty());
    drop(other);

    // what a disk made of a finished segment
    let damaged = folder.join("segment-0-1.silo");
    let bytes = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(folder.join("segment-0-3.unfinished-x.silo"), "half").unwrap();
    let (resumed, calls) = planner(&folder, "a", None);
    let bytes = film(&resumed, 2, &studio.path("resumed.mp4"));
    let mut called = calls.lock().unwrap().clone();
    called.sort_unstable();
    assert_eq!(called, [1, 2, 3]);
    assert_eq!(resumed.progress(), PlannerProgress { finished: 4, segments: 4 });
    resumed.discard().unwrap();
    assert!(!folder.exists());

    let (whole, _) = planner(&studio.path("other"), "a", None);
    assert!(bytes == film(&whole, 1, &studio.path("whole.mp4")), "another film");
    let seen = frames(&studio.path("resumed.mp4"), "v:0");
    let times = seen.iter().map(|(time, _)| *time);
    assert!(times.eq((0..FRAMES).map(|frame| frame * 1_000_000 / 24)), "{seen:?}");
    let sync = ffprobe("-select_streams v:0 -show_entries packet=flags", &studio.path("resumed.mp4"));
    assert!([0, 30, 60, 90].iter().all(|frame| sync[*frame].starts_with('K')), "{sync:?}");
}

/// [PA-16] A segment is finished only if it holds what was planned; a cancelled plan keeps what is finished.
#[test]
fn a_segment_that_is_not_as_planned_is_not_finished() {
    let studio = Studio::empty();
    for (change, reason) in [("nothing", "as many samples"), ("panic", "panicked")] {
        let mut planner = AssetWritingPlanner::open(studio.path(change)).unwrap();
        planner
            .plan_track(plan("a"), move |_| if change == "panic" { panic!("in a handler") } else { Ok(()) });
        let error = planner.execute(1).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(planner.progress().finished, 0);
    }
    let mut planner = AssetWritingPlanner::open(studio.path("cancelled")).unwrap();
    planner.plan_track(plan("a"), |_| panic!("nothing is begun"));
    planner.cancel();
    assert!(matches!(planner.execute(3), Err(PlannerError::Cancelled)));
    // nothing but the plan and the lock is left behind
    let left = std::fs::read_dir(studio.path("cancelled")).unwrap().count();
    assert_eq!(left, 2);
}
