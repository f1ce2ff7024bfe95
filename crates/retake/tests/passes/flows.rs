//! Whole conversations, as clients have them, and what they get wrong.

use super::{FRAMES, bytes, film, send, session, storage, whole};
use crate::common::{self, STEP, at, forced};
use retake::SourceFrame;
use retake::Time;
use retake::asset::{AssetWriter, AssetWriterInput, Container, TrackFormat};
use retake::property::Property;
use retake::session::{NextPass, PassOptions};
use retake::silo::FrameSilo;
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{PixelBufferPool, PixelFormat};
use std::process::Command;
use std::time::Duration;

/// A20 (a): a storage in a file, and two passes over everything, whatever the session asks for.
#[test]
fn a20_two_passes_over_everything() {
    let frames = film();
    let folder = tempfile::tempdir().unwrap();
    for info in common::encoders() {
        let path = folder.path().join(info.name);
        let storage = MultiPassStorage::create(Some(&path), &StorageOptions::default()).unwrap();
        let pull = super::at_rate(&info);
        let options = PassOptions { request_once: true, whole_source: true, ..PassOptions::default() };
        pull.0.set_multi_pass_storage(Some(&storage), options).unwrap();
        pull.0.begin_pass().unwrap();
        let first = send(&pull, &frames, None);
        let next = pull.0.end_pass().unwrap();
        assert_eq!(next, NextPass::Requested([whole()].into()), "{}", info.name);
        assert_eq!(*pull.0.time_ranges_for_next_pass().unwrap(), [whole()]);
        pull.0.begin_final_pass().unwrap();
        let second = send(&pull, &frames, None);
        pull.0.end_final_pass().unwrap();
        pull.0.invalidate();
        assert!(path.exists());
        storage.close().unwrap();
        assert_eq!((first.len(), second.len()), (FRAMES, FRAMES));
        assert!(bytes(&second) > 0 && second[0].format == first[0].format);
        drop((pull, storage));
        assert!(!path.exists());
    }
}

/// A20 (a), MP-24, MP-32 (A1): the same with default options: a client that sends everything again in its
/// second and final pass, whatever the session asked for, and takes what comes out of that pass alone. It is
/// the whole film, and meets the rate.
#[test]
fn a20_everything_again_with_default_options() {
    let frames = film();
    for info in common::encoders() {
        let (pull, _storage) = session(&info, PassOptions::default());
        pull.0.begin_pass().unwrap();
        let first = send(&pull, &frames, None);
        let asked = match pull.0.end_pass().unwrap() {
            NextPass::Requested(ranges) => ranges.len(),
            NextPass::Finished => 0,
            NextPass::Undecided => unreachable!("no plan is shared"),
        };
        pull.0.begin_final_pass().unwrap();
        let second = send(&pull, &frames, None);
        pull.0.end_final_pass().unwrap();
        let times: Vec<Time> = second.iter().map(|buffer| buffer.sample.dts).collect();
        assert_eq!(times, (0..FRAMES).map(at).collect::<Vec<_>>(), "{}", info.name);
        if common::ffmpeg() {
            let all: Vec<_> = second.iter().collect();
            assert_eq!(common::decode(&all).len(), FRAMES, "{}", info.name);
        }
        let of_rate = |samples: &[_]| bytes(samples) as f64 * 8.0 * 24.0 / FRAMES as f64 / super::RATE as f64;
        println!("{}: {asked} ranges, {:.4} then {:.4}", info.name, of_rate(&first), of_rate(&second));
        assert!((of_rate(&second) - 1.0).abs() < 0.01, "{}: {:.4}", info.name, of_rate(&second));
    }
}

/// MP-23 (W7): a frame of a later pass has to be the one of the first: another picture, another format or
/// another size is refused, and the frame itself is taken afterwards.
#[test]
fn later_passes_take_the_same_pictures_alone() {
    let frames = film();
    for info in common::encoders() {
        let options = PassOptions { request_once: true, whole_source: true, ..PassOptions::default() };
        let (pull, _storage) = session(&info, options);
        pull.0.begin_pass().unwrap();
        send(&pull, &frames, None);
        assert!(matches!(pull.0.end_pass().unwrap(), NextPass::Requested(_)));
        pull.0.begin_pass().unwrap();
        let others = [
            common::render(1, 99, 77).remove(0),
            common::render_as(PixelFormat::I420, 64, 64, 1, 99, 6).remove(0),
            PixelBufferPool::new(PixelFormat::Bgra, common::WIDTH, common::HEIGHT).take().freeze(),
        ];
        for other in &others {
            let refused = pull.0.encode(SourceFrame::new(other, at(0)).duration(STEP), 0);
            let error = refused.unwrap_err();
            assert_eq!(error.code(), -12902, "{}: {other:?}", info.name);
            assert!(error.to_string().contains("picture"), "{error}");
        }
        pull.0.encode(SourceFrame::new(&frames[0], at(0)).duration(STEP), 0).unwrap();
    }
}

/// A20 (b): ranges go from the session to the silo as they are; the session is gone before the silo is read,
/// and a passthrough writer makes a film of it that another program counts and decodes.
#[test]
fn a20_ranges_go_from_session_to_silo_to_film() {
    let (frames, folder) = (film(), tempfile::tempdir().unwrap());
    for info in common::encoders() {
        let (pull, storage) =
            (super::at_rate(&info), { MultiPassStorage::create(None, &StorageOptions::default()).unwrap() });
        pull.0.set(Property::MultiPassStorage(storage.clone())).unwrap();
        let silo = FrameSilo::temporary(whole()).unwrap();
        pull.0.begin_pass().unwrap();
        send(&pull, &frames, None).iter().for_each(|sample| silo.add(sample).unwrap());
        let NextPass::Requested(ranges) = pull.0.end_pass().unwrap() else {
            panic!("{}: met its rate at once", info.name)
        };
        silo.set_time_ranges_for_next_pass(&ranges).unwrap();
        pull.0.begin_final_pass().unwrap();
        send(&pull, &frames, Some(&ranges)).iter().for_each(|sample| silo.add(sample).unwrap());
        pull.0.end_final_pass().unwrap();
        pull.0.invalidate();
        storage.close().unwrap();
        drop((pull, storage));

        let film = folder.path().join(info.name).with_extension("mp4");
        let first = silo.samples(None).unwrap().next().unwrap().unwrap();
        let writer = AssetWriter::new(film.clone(), Container::Mp4);
        let input = AssetWriterInput::passthrough(TrackFormat::Video((*first.format).clone()));
        writer.add(&input).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(first.sample.pts).unwrap();
        for sample in silo.samples(None).unwrap() {
            assert!(input.wait_until_ready(Duration::from_secs(60)));
            input.append(sample.unwrap()).unwrap();
        }
        input.mark_as_finished().unwrap();
        writer.finish_writing_and_wait().unwrap();
        if !common::ffmpeg() {
            continue;
        }
        let decoded = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-xerror", "-i"])
            .arg(&film)
            .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&decoded.stderr);
        assert!(decoded.status.success() && said.trim().is_empty(), "{}: {said}", info.name);
        let pictures = decoded.stdout.len() / (common::WIDTH * common::HEIGHT) as usize;
        assert_eq!(pictures, FRAMES, "{}", info.name);
    }
}

/// A21, MP-23, MP-24: frames outside the ranges, unknown ones, other options, and missing ones get their
/// error, and those that come are not harmed.
#[test]
fn a21_frames_that_do_not_belong_to_a_pass() {
    let frames = film();
    let info = common::encoders().into_iter().next().expect("an encoder is built");
    let options = PassOptions { request_once: true, whole_source: true, ..PassOptions::default() };
    let (pull, _storage) = session(&info, options);
    pull.0.begin_pass().unwrap();
    assert_eq!(pull.0.begin_pass().unwrap_err().code(), -12902);
    send(&pull, &frames, None);
    pull.0.end_pass().unwrap();
    assert_eq!(pull.0.end_pass().unwrap_err().code(), -12902);
    assert_eq!(
        pull.0
            .encode(SourceFrame::new(&frames[0], at(0)).duration(STEP).options(forced(false)), 0)
            .unwrap_err()
            .code(),
        -12902
    );
    pull.0.begin_pass().unwrap();
    for (pts, duration, key) in
        [(at(FRAMES), STEP, false), (at(0), Time::INVALID, false), (at(0), STEP, true)]
    {
        assert_eq!(
            pull.0
                .encode(SourceFrame::new(&frames[0], pts).duration(duration).options(forced(key)), 0)
                .unwrap_err()
                .code(),
            -12902
        );
    }
    assert_eq!(send(&pull, &frames[..FRAMES - 1], None).len(), FRAMES - 1);
    assert_eq!(pull.0.end_pass().unwrap_err().code(), -12902);
    assert_eq!(pull.0.begin_pass().unwrap_err().code(), -12902);
    pull.0.invalidate();
    let other = storage();
    assert_eq!(pull.0.set_multi_pass_storage(Some(&other), options).unwrap_err().code(), -12903);
}

/// ST-7, ST-6: a storage that is closed while a pass is open ends the session's passes with its number, and
/// harms nothing else.
#[test]
fn st7_a_storage_closed_too_early() {
    let frames = film();
    for info in common::encoders() {
        let (pull, storage) = session(&info, PassOptions::default());
        let silo = FrameSilo::temporary(whole()).unwrap();
        pull.0.begin_pass().unwrap();
        send(&pull, &frames[..24], None).iter().for_each(|sample| silo.add(sample).unwrap());
        storage.close().unwrap();
        assert_eq!(storage.close().unwrap_err().code(), -12214);
        let refused = pull
            .0
            .encode(SourceFrame::new(&frames[24], at(24)).duration(STEP).options(forced(false)), 24)
            .unwrap_err();
        assert_eq!(refused.code(), -12214, "{}", info.name);
        assert_eq!(pull.0.end_pass().unwrap_err().code(), -12214, "{}", info.name);
        assert_eq!(pull.0.begin_pass().unwrap_err().code(), -12214, "{}", info.name);
        pull.0.invalidate();
        assert_eq!(silo.samples(None).unwrap().map(Result::unwrap).count(), 24);
    }
}

/// MP-11, resolution 6: whether the client completes the frames before it ends the pass or not, the pass
/// comes to the same.
#[test]
fn mp11_a_pass_ends_by_itself() {
    let frames = film();
    let info = common::encoders().into_iter().next().expect("an encoder is built");
    let ended = |complete: bool| {
        let (pull, _storage) = session(&info, PassOptions::default());
        pull.0.begin_pass().unwrap();
        for (index, frame) in frames.iter().enumerate() {
            pull.0
                .encode(SourceFrame::new(frame, at(index)).duration(STEP).options(forced(false)), index)
                .unwrap();
        }
        if complete {
            pull.0.complete_frames().unwrap();
        }
        let next = pull.0.end_pass().unwrap();
        (common::taken(&pull), next)
    };
    assert!(ended(true) == ended(false));
}

/// A7, CS-14, CS-16, MP-12: a session that is invalidated from another thread ends its pass with the error of
/// an invalid session.
#[test]
fn a7_invalidated_while_a_pass_ends() {
    let frames = film();
    for info in common::encoders() {
        let (pull, storage) = session(&info, PassOptions::default());
        pull.0.begin_pass().unwrap();
        for (index, frame) in frames.iter().enumerate() {
            pull.0
                .encode(SourceFrame::new(frame, at(index)).duration(STEP).options(forced(false)), index)
                .unwrap();
        }
        let handle = pull.0.handle();
        let ended = std::thread::scope(|scope| {
            scope.spawn(move || handle.invalidate());
            pull.0.end_pass()
        });
        // whichever of the two was first
        assert!(ended.is_ok() || ended.as_ref().unwrap_err().code() == -12903, "{ended:?}");
        assert_eq!(pull.0.end_pass().unwrap_err().code(), -12903);
        assert!(!storage.is_closed(), "it is the client's");
        storage.close().unwrap();
    }
}
