//! Sessions whose frames bring the handler of their outcome with them.

use crate::common::{HEIGHT, STEP, WIDTH, at, decode, encoders, ffmpeg, render, usual};
use retake::property::PropertyKey;
use retake::session::{CompressionSession, EncodedOutcome, OutputHandler, SessionHandle};
use retake::{EncoderInfo, PixelBuffer, SampleBuffer, SourceFrame, Time};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

fn per_frame(info: &EncoderInfo) -> CompressionSession<OutputHandler> {
    let session = CompressionSession::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
        .encoder(info.name)
        .build_per_frame()
        .unwrap();
    session.set_all(&usual(info)).unwrap();
    session
}

fn frame(picture: &PixelBuffer, index: usize) -> SourceFrame {
    SourceFrame::new(picture, at(index)).duration(STEP)
}

/// CS-4, EF-4, EF-6, section 4.2: the handler that a frame brought is called once, with that frame's outcome
/// and no other, and the handlers are called in decode order.
#[test]
fn a_handler_is_called_once_with_the_outcome_of_its_frame() {
    for info in encoders() {
        let session = per_frame(&info);
        let (send, called) = mpsc::channel::<(usize, Time, SampleBuffer)>();
        for (index, picture) in render(20, 99, 8).iter().enumerate() {
            let send = send.clone();
            let handler = move |outcome: EncodedOutcome| {
                let pts = outcome.pts;
                send.send((index, pts, outcome.into_sample().unwrap().unwrap())).unwrap();
            };
            session.encode_with(frame(picture, index), handler).unwrap();
        }
        session.complete_frames().unwrap();
        let called: Vec<_> = called.try_iter().collect();
        for (index, pts, buffer) in &called {
            assert!(*pts == at(*index) && buffer.sample.pts == *pts, "{}: {index}", info.name);
        }
        assert!(called.iter().map(|(.., buffer)| buffer.sample.dts).is_sorted(), "{}", info.name);
        let mut indices: Vec<usize> = called.iter().map(|(index, ..)| *index).collect();
        indices.sort_unstable();
        assert_eq!(indices, (0..20).collect::<Vec<_>>(), "{}", info.name);
        if ffmpeg() {
            let samples: Vec<_> = called.iter().map(|(.., buffer)| buffer).collect();
            assert_eq!(decode(&samples).len(), 20, "{}", info.name);
        }
    }
}

/// CS-4: the handler of a frame and one for the whole session exclude each other, whichever way a session was
/// built; a handler whose frame was not accepted is dropped, and never called.
#[test]
fn a_session_has_one_handler_or_each_frame_has() {
    let info = &encoders()[0];
    let registry = retake::encoders();
    let builder = || CompressionSession::<OutputHandler>::builder(&registry, WIDTH, HEIGHT, info.codec);
    let picture = &render(1, 99, 8)[0];
    let refused = builder().on_output(|_| ()).build_per_frame().err().unwrap();
    assert_eq!(refused.code(), -12902, "{refused}");
    let of_session = builder().on_output(|_| ()).build().unwrap();
    let (pulled, outcomes) = builder().build_pull().unwrap();
    for session in [of_session, pulled] {
        let refused = session.encode_with(frame(picture, 0), |_| panic!("it was refused")).unwrap_err();
        assert_eq!(refused.code(), -12902, "{refused}");
        assert_eq!(session.get(PropertyKey::NumberOfPendingFrames).unwrap(), Some(0.into()));
    }
    assert_eq!(outcomes.count(), 0);
    let session = per_frame(info);
    let alive = Arc::new(());
    let of_handler = alive.clone();
    let untimed = SourceFrame::new(picture, Time::INVALID);
    let refused = session.encode_with(untimed, move |_| panic!("{of_handler:?} was refused")).unwrap_err();
    assert_eq!((refused.code(), Arc::strong_count(&alive)), (-12902, 1), "{refused}");
}

/// EF-13, CS-9: a handler may submit the next frame with a handler of its own, and completing waits for it.
#[test]
fn a_handler_may_submit_the_next_frame() {
    fn submit(handle: &SessionHandle<OutputHandler>, pictures: &Arc<Vec<PixelBuffer>>, index: usize) {
        let Some(picture) = pictures.get(index) else { return };
        let (next, rest) = (handle.clone(), pictures.clone());
        handle.encode_with(frame(picture, index), move |_| submit(&next, &rest, index + 1)).unwrap();
    }
    for info in encoders() {
        let session = per_frame(&info);
        let pictures = Arc::new(render(4, 99, 8));
        submit(&session.handle(), &pictures, 0);
        session.complete_frames().unwrap();
        // Each handler had a share in the pictures, and each is gone.
        assert_eq!(Arc::strong_count(&pictures), 1, "{}", info.name);
    }
}

/// CS-4, CS-17, EF-6: a handler that panics ends the session, and the handlers of all other frames are called
/// once all the same: with samples before it, with the failure of the session behind it. So are those of
/// frames that were pending when a session was invalidated, before that returns.
#[test]
fn a_panic_in_one_handler_costs_no_other_its_call() {
    for info in encoders() {
        for panics in [true, false] {
            let session = per_frame(&info);
            let calls: Arc<Vec<AtomicUsize>> = Arc::new((0..12).map(|_| AtomicUsize::new(0)).collect());
            let (send, codes) = mpsc::channel();
            let mut accepted = 0;
            for (index, picture) in render(12, 99, 8).iter().enumerate() {
                let (calls, send) = (calls.clone(), send.clone());
                let handler = move |outcome: EncodedOutcome| {
                    calls[index].fetch_add(1, Ordering::Relaxed);
                    send.send(outcome.result.err().map(|error| error.code())).unwrap();
                    assert!(!panics || index != 1, "the handler fails as it is meant to");
                };
                // A session that has failed by now takes no more.
                accepted += usize::from(session.encode_with(frame(picture, index), handler).is_ok());
            }
            drop(send);
            let mut told = Vec::new();
            if panics {
                assert_eq!(session.complete_frames().unwrap_err().code(), -17691, "{}", info.name);
                // All are told before anybody ends the session.
                told.extend(codes.iter().take(accepted));
            }
            session.invalidate();
            told.extend(codes.try_iter());
            let calls: Vec<usize> = calls.iter().map(|calls| calls.load(Ordering::Relaxed)).collect();
            assert_eq!(calls[..accepted], vec![1; accepted], "{}", info.name);
            assert_eq!(calls[accepted..], vec![0; 12 - accepted], "{}", info.name);
            let expected = if panics { -17691 } else { -12903 };
            let failed: Vec<_> = told.into_iter().skip_while(Option::is_none).collect();
            assert!(failed.iter().all(|code| *code == Some(expected)), "{}: {failed:?}", info.name);
        }
    }
}
