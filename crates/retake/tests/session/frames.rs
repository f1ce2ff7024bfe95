//! Times, outcomes, order: the life of a session.

use crate::common::{
    STEP, at, decode, encode, encoders, ffmpeg, forced, integer, render, session, syncs, taken,
};
use retake::SourceFrame;
use retake::property::{Property, PropertyKey};
use retake::session::{
    CompressionSession, EncodedOutcome, PassOptions, SessionError, SessionHandle, SessionMistake,
};
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{FrameOptions, PixelBufferAttributes, Time};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};

/// A1 (T-2, T-3, T-4, EF-7): all times come back; decode times are the sorted presentation times; frames that
/// are reordered are shown before they are decoded.
#[test]
fn a1_decode_times_are_sorted_presentation_times() {
    for info in encoders() {
        let pull = session(&info);
        let samples = encode(&pull, &render(60, 25, 8), &[]);
        let mut shown: Vec<Time> = samples.iter().map(|(_, buffer)| buffer.sample.pts).collect();
        let decoded: Vec<Time> = samples.iter().map(|(_, buffer)| buffer.sample.dts).collect();
        assert_eq!(decoded[0], shown[0]);
        let early = samples.iter().any(|(_, buffer)| buffer.sample.pts < buffer.sample.dts);
        assert_eq!(early, info.reorders, "{}", info.name);
        shown.sort();
        assert_eq!(shown, (0..60).map(at).collect::<Vec<_>>());
        assert_eq!(decoded, shown, "{}", info.name);
    }
}

/// A3 (EF-5, EF-6): one outcome for each accepted frame, with its own token; none for a refused one.
#[test]
fn a3_one_outcome_for_each_accepted_frame() {
    for info in encoders() {
        let pull = session(&info);
        let frames = render(20, 99, 4);
        let mut accepted = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            // every fourth comes too late, and is refused
            let time = if index % 4 == 3 { at(0) } else { at(index) };
            if pull.0.encode(SourceFrame::new(frame, time).duration(STEP), index).is_ok() {
                accepted.push(index);
            }
        }
        pull.0.complete_frames().unwrap();
        let mut tokens: Vec<usize> = taken(&pull).into_iter().map(|(token, _)| token).collect();
        tokens.sort_unstable();
        assert_eq!(tokens, accepted, "{}", info.name);
        assert_eq!(accepted.len(), 15);
    }
}

/// A4 (EF-1, EF-2): a time that does not rise, or is none, is refused; frames after it are not disturbed.
#[test]
fn a4_times_that_do_not_rise_are_refused() {
    for info in encoders() {
        let (session, outcomes) = session(&info);
        let frames = render(6, 99, 4);
        let send = |index: usize, pts, duration| {
            session.encode(SourceFrame::new(&frames[index], pts).duration(duration), index)
        };
        send(0, at(0), STEP).unwrap();
        send(1, at(3), STEP).unwrap();
        let order = |pts| SessionMistake::Order { pts, last: at(3) };
        for (pts, duration, mistake) in [
            (at(3), STEP, order(at(3))),
            (at(2), STEP, order(at(2))),
            (Time::INVALID, STEP, SessionMistake::Time(Time::INVALID)),
            (Time::POSITIVE_INFINITY, STEP, SessionMistake::Time(Time::POSITIVE_INFINITY)),
            (at(4), Time::new(-1, 24), SessionMistake::Duration(Time::new(-1, 24))),
            (at(4), Time::INDEFINITE, SessionMistake::Duration(Time::INDEFINITE)),
        ] {
            let error = send(2, pts, duration).unwrap_err();
            assert_eq!(error.code(), -12902, "{error}");
            assert_eq!(error, SessionError::Parameter { call: "encode", reason: mistake });
        }
        send(4, at(4), Time::INVALID).unwrap();
        session.complete_frames().unwrap();
        let mut tokens: Vec<usize> = std::iter::from_fn(|| outcomes.try_receive())
            .map(|outcome| {
                let sample = outcome.sample().unwrap();
                assert_eq!(sample.sample.duration.is_valid(), outcome.token != 4);
                outcome.token
            })
            .collect();
        tokens.sort_unstable();
        assert_eq!(tokens, [0, 1, 4]);
    }
}

/// 4.3, 6.3: options that need long-term references are refused where they are not enabled, and nothing else
/// is disturbed.
#[test]
fn long_term_options_need_long_term_references() {
    for info in encoders() {
        let pull = session(&info);
        let frames = render(3, 99, 4);
        for options in [
            FrameOptions { refresh: true, ..FrameOptions::default() },
            FrameOptions { acknowledged: vec![7], ..FrameOptions::default() },
        ] {
            let error = pull
                .0
                .encode(SourceFrame::new(&frames[0], at(0)).duration(STEP).options(options), 0)
                .unwrap_err();
            assert_eq!(error.code(), -12902, "{}", info.name);
        }
        assert_eq!(encode(&pull, &frames, &[]).len(), 3, "{}", info.name);
    }
}

/// A6 (CS-8, CS-9, CS-10, CS-11, resolution 13): after a numeric time all frames up to it are out; after
/// none, all are. The session goes on.
#[test]
fn a6_complete_frames_puts_out_what_it_says() {
    for info in encoders() {
        let pull = session(&info);
        let frames = render(30, 99, 4);
        let mut out = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
            if index == 14 {
                pull.0.complete_frames_until(at(9)).unwrap();
                out.extend(taken(&pull));
                assert!((0..=9).all(|index| out.iter().any(|(token, _)| *token == index)), "{}", info.name);
            }
        }
        pull.0.complete_frames_until(Time::POSITIVE_INFINITY).unwrap();
        assert_eq!(integer(&pull.0, PropertyKey::NumberOfPendingFrames), 0);
        out.extend(taken(&pull));
        assert_eq!(out.len(), 30);
        assert!(out.windows(2).all(|pair| pair[0].1.sample.dts < pair[1].1.sample.dts), "{}", info.name);
        // nothing is pending: nothing to wait for
        pull.0.complete_frames_until(at(9)).unwrap();
        if ffmpeg() {
            let samples: Vec<_> = out.iter().map(|(_, buffer)| buffer).collect();
            assert_eq!(decode(&samples).len(), 30, "{}", info.name);
        }
    }
}

/// A9 (section 4.3): a forced frame is a sync frame, also the first; decoding can begin there.
#[test]
fn a9_forced_frames_are_sync_frames() {
    for info in encoders() {
        for rate in [None, Some(Property::AverageBitRate(200_000))] {
            let pull = session(&info);
            if let Some(rate) = rate {
                pull.0.set(rate).unwrap();
            }
            let samples = encode(&pull, &render(40, 99, 4), &[0, 7, 8, 23]);
            for key in [0, 7, 8, 23] {
                assert!(syncs(&samples).contains(&key), "{}: {key} of {:?}", info.name, syncs(&samples));
            }
            if ffmpeg() {
                let from = samples.iter().position(|(index, _)| *index == 23).unwrap();
                let rest: Vec<_> = samples[from..].iter().map(|(_, buffer)| buffer).collect();
                assert_eq!(decode(&rest).len(), 17, "{}", info.name);
            }
        }
    }
}

/// CS-9, A6 (awkward point A3): frames that the handler submits while all frames are completed are completed
/// with them.
#[test]
fn frames_of_the_handler_are_completed_with_the_others() {
    for info in encoders() {
        let pictures = Arc::new(render(40, 99, 4));
        let handle: Arc<OnceLock<SessionHandle<usize>>> = Arc::default();
        let (of_handler, frames) = (handle.clone(), pictures.clone());
        let next = AtomicUsize::new(20);
        let out = Arc::new(AtomicUsize::new(0));
        let counted = out.clone();
        let session = CompressionSession::builder(&retake::encoders(), 176, 144, info.codec)
            .encoder(info.name)
            .on_output(move |_: EncodedOutcome<usize>| {
                counted.fetch_add(1, Ordering::Relaxed);
                // Only once all frames of the caller are in do times follow each other.
                if let Some(handle) = of_handler.get() {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if let Some(picture) = frames.get(index) {
                        handle.encode(SourceFrame::new(picture, at(index)).duration(STEP), index).unwrap();
                    }
                }
            })
            .build()
            .unwrap();
        session.set_all(&crate::common::usual(&info)).unwrap();
        for (index, frame) in pictures.iter().take(20).enumerate() {
            session.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
        }
        assert!(handle.set(session.handle()).is_ok());
        session.complete_frames().unwrap();
        let pending = session.get(PropertyKey::NumberOfPendingFrames).unwrap();
        assert_eq!(pending, Some(0.into()), "{}", info.name);
        assert!(out.load(Ordering::Relaxed) > 20, "{}: the handler submitted nothing", info.name);
    }
}

/// PR-9: a session moves between threads, and a handle is used by several at once.
#[test]
fn sessions_are_sent_and_handles_are_shared() {
    fn is_send<T: Send>(_: &T) {}
    fn is_shared<T: Send + Sync>(_: &T) {}
    let pull = session(&encoders()[0]);
    is_send(&pull.0);
    is_shared(&pull.0.handle());
}

/// D9: a handle has every call of the session, from any thread: here another one does it all.
#[test]
fn a_handle_has_every_call() {
    for info in encoders() {
        let attributes = PixelBufferAttributes::default();
        let (session, outcomes) = CompressionSession::builder(&retake::encoders(), 176, 144, info.codec)
            .encoder(info.name)
            .source_attributes(attributes)
            .build_pull()
            .unwrap();
        let handle = session.handle();
        let all = std::thread::spawn(move || {
            handle.set_all(&crate::common::usual(&handle.encoder().clone())).unwrap();
            let storage = MultiPassStorage::create(None, &StorageOptions::default()).unwrap();
            handle.set_multi_pass_storage(Some(&storage), PassOptions::default()).unwrap();
            assert!(handle.supports_multi_pass());
            assert!(handle.supported_properties().unwrap().contains_key(&PropertyKey::MultiPassStorage));
            assert!(handle.pixel_buffer_pool().is_some());
            handle.prepare().unwrap();
            handle.begin_pass().unwrap();
            assert_eq!(handle.begin_pass().unwrap_err().code(), -12902);
            for (index, frame) in render(12, 99, 4).iter().enumerate() {
                handle.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
            }
            handle.complete_frames_until(at(3)).unwrap();
            handle.complete_frames().unwrap();
            handle.end_final_pass().unwrap();
            assert_eq!(handle.time_ranges_for_next_pass().unwrap_err().code(), -12902);
            assert_eq!(handle.frame_count_mismatch(), None);
            handle.serializable_properties().unwrap();
        });
        all.join().unwrap();
        assert_eq!(std::iter::from_fn(|| outcomes.try_receive()).count(), 12, "{}", info.name);
        let handle = session.handle();
        drop(session);
        assert_eq!(handle.prepare().unwrap_err().code(), -12903, "{}", info.name);
    }
}

/// EF-8 (D10): a call that waits for its frame says that it is out; others say that it may not be.
#[test]
fn a_frame_that_is_out_was_not_asynchronous() {
    for info in encoders() {
        for most in [None, Some(0), Some(2)] {
            if most.is_some_and(|most| most < info.controls.least_delay as i32) {
                continue;
            }
            let pull = session(&info);
            pull.0.set_all(most.map(Property::MaxFrameDelayCount).as_slice()).unwrap();
            for (index, frame) in render(6, 99, 4).iter().enumerate() {
                let told = pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
                assert_eq!(told.asynchronous, most != Some(0), "{}, {most:?}", info.name);
                assert!(!told.dropped);
                if !told.asynchronous {
                    assert_eq!(taken(&pull).len(), 1, "{}: it is out", info.name);
                }
            }
        }
    }
}

/// A42 (EF-13): a handler that sets a property and submits frames does not stop anything.
#[test]
fn a42_a_handler_may_call_back() {
    for info in encoders() {
        let frames = Arc::new(render(60, 99, 4));
        let handle: Arc<OnceLock<SessionHandle<usize>>> = Arc::default();
        let (send, outcomes) = mpsc::channel();
        let (of_handler, pictures) = (handle.clone(), frames.clone());
        let next = Arc::new(AtomicUsize::new(30));
        let session = CompressionSession::builder(&retake::encoders(), 176, 144, info.codec)
            .encoder(info.name)
            .on_output(move |outcome: EncodedOutcome<usize>| {
                if outcome.token < 30 {
                    let handle = of_handler.get().unwrap();
                    handle.set(Property::MaxKeyFrameInterval(40)).unwrap();
                    handle.get(PropertyKey::NumberOfPendingFrames).unwrap();
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    // times of the two callers cross: some of these frames are refused
                    let _ =
                        handle.encode(SourceFrame::new(&pictures[index], at(index)).duration(STEP), index);
                }
                send.send(outcome.token).unwrap();
            })
            .build()
            .unwrap();
        session.set_all(&crate::common::usual(&info)).unwrap();
        assert!(handle.set(session.handle()).is_ok());
        let mut accepted = 0;
        for (index, frame) in frames.iter().take(30).enumerate() {
            accepted +=
                usize::from(session.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).is_ok());
        }
        session.complete_frames().unwrap();
        session.complete_frames().unwrap();
        drop(session);
        let tokens: Vec<usize> = outcomes.iter().collect();
        assert_eq!(tokens.iter().filter(|&&token| token < 30).count(), accepted, "{}", info.name);
    }
}

/// CS-17: a handler that completes or invalidates its own session is told, or let finish; nothing hangs.
#[test]
fn a_handler_that_ends_its_session_is_let_finish() {
    for info in encoders() {
        let handle: Arc<OnceLock<SessionHandle<usize>>> = Arc::default();
        let of_handler = handle.clone();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let session = CompressionSession::builder(&retake::encoders(), 176, 144, info.codec)
            .encoder(info.name)
            .on_output(move |_: EncodedOutcome<usize>| {
                of_handler.get().unwrap().invalidate();
                counted.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .unwrap();
        session.set_all(&crate::common::usual(&info)).unwrap();
        assert!(handle.set(session.handle()).is_ok());
        let mut accepted = 0;
        for (index, frame) in render(20, 99, 4).iter().enumerate() {
            accepted +=
                usize::from(session.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).is_ok());
        }
        let _ = session.complete_frames();
        session.invalidate();
        assert_eq!(calls.load(Ordering::Relaxed), accepted, "{}", info.name);
    }
}

/// A7 for a drain (CS-13, CS-15, resolution 14): invalidated from another thread while frames are drained,
/// each pending frame has one outcome with -12903 before it returns; none comes after; every call answers
/// -12903.
#[test]
fn invalidation_ends_a_drain() {
    for info in encoders() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (first, held) = mpsc::channel();
        let of_session: Arc<OnceLock<SessionHandle<usize>>> = Arc::default();
        let inside = of_session.clone();
        let over = Arc::new(AtomicBool::new(false));
        let (record, closed) = (seen.clone(), over.clone());
        let session = CompressionSession::builder(&retake::encoders(), 176, 144, info.codec)
            .encoder(info.name)
            .on_output(move |outcome: EncodedOutcome<usize>| {
                assert!(!closed.load(Ordering::SeqCst), "an outcome after the end");
                record.lock().unwrap().push((outcome.token, outcome.result.err().map(|error| error.code())));
                let _ = first.send(());
                // the first outcome is held until the other thread has begun: frames are pending then
                while inside.get().is_some_and(|handle| handle.get(PropertyKey::EncoderID).is_ok()) {
                    std::thread::yield_now();
                }
            })
            .build()
            .unwrap();
        session.set_all(&crate::common::usual(&info)).unwrap();
        let handle = session.handle();
        assert!(of_session.set(session.handle()).is_ok());
        let ended = std::thread::scope(|scope| {
            let other = scope.spawn(move || {
                held.recv().unwrap();
                handle.invalidate();
                over.store(true, Ordering::SeqCst);
            });
            let mut accepted = 0;
            for (index, frame) in render(40, 99, 4).iter().enumerate() {
                accepted += usize::from(
                    session.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).is_ok(),
                );
            }
            let completed = session.complete_frames();
            other.join().unwrap();
            assert_eq!(completed.unwrap_err(), SessionError::Invalidated, "{}", info.name);
            accepted
        });
        let mut outcomes = seen.lock().unwrap().clone();
        assert!(outcomes.iter().all(|(_, code)| code.is_none_or(|code| code == -12903)), "{outcomes:?}");
        assert!(outcomes.iter().any(|(_, code)| code.is_some()), "{}: nothing was pending", info.name);
        outcomes.sort_unstable_by_key(|(token, _)| *token);
        outcomes.dedup_by_key(|(token, _)| *token);
        assert_eq!(outcomes.len(), ended, "{}", info.name);
        let codes = [
            session.set(Property::RealTime(true)).unwrap_err().code(),
            session.get(PropertyKey::EncoderID).unwrap_err().code(),
            session.supported_properties().unwrap_err().code(),
            session.serializable_properties().unwrap_err().code(),
            session.prepare().unwrap_err().code(),
            session.complete_frames().unwrap_err().code(),
        ];
        assert_eq!(codes, [-12903; 6], "PR-6");
        session.invalidate();
    }
}

/// EF-8, EF-12, T-5, resolution 17: a full queue makes the caller wait; in real time the frame is dropped,
/// its outcome says so, and no sample gets its decode time.
#[test]
fn frames_are_dropped_in_real_time_alone() {
    for info in encoders() {
        for real_time in [false, true] {
            let (open, gate) = mpsc::channel::<()>();
            let (send, outcomes) = mpsc::channel();
            let session = CompressionSession::builder(&retake::encoders(), 176, 144, info.codec)
                .encoder(info.name)
                .on_output(move |outcome: EncodedOutcome<usize>| {
                    // the first outcome is held until the other side opens or goes
                    let _ = gate.recv();
                    let dts = outcome.sample().map(|buffer| buffer.sample.dts);
                    let dropped = matches!(outcome.result, Ok(retake::session::Emission::Dropped));
                    send.send((outcome.token, dropped, dts)).unwrap();
                })
                .build()
                .unwrap();
            session.set_all(&crate::common::usual(&info)).unwrap();
            session.set_all(&[Property::RealTime(real_time), Property::ExpectedFrameRate(200.0)]).unwrap();
            // in real time the handler is held, so that nothing leaves the queue
            let open = real_time.then_some(open);
            let (mut told, mut sent) = (Vec::new(), 0);
            let frames = render(90, 99, 2);
            for (index, frame) in frames.iter().enumerate() {
                let info = session.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
                sent = index + 1;
                assert!(info.asynchronous, "EF-8: every session has a thread of its own");
                if info.dropped {
                    told.push(index);
                    break;
                }
            }
            assert_eq!(told.is_empty(), !real_time, "{}", info.name);
            drop(open);
            session.complete_frames().unwrap();
            // frames behind the dropped one, of which none has to wait
            for (index, frame) in frames.iter().enumerate().skip(sent).take(3) {
                session.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
                session.complete_frames().unwrap();
            }
            sent = (sent + 3).min(frames.len());
            drop(session);
            let outcomes: Vec<_> = outcomes.iter().collect();
            let dropped: Vec<usize> =
                outcomes.iter().filter(|(_, dropped, _)| *dropped).map(|(token, ..)| *token).collect();
            assert_eq!(dropped, told, "{}", info.name);
            let decoded: Vec<Time> = outcomes.iter().filter_map(|(.., dts)| *dts).collect();
            let kept: Vec<Time> = (0..sent).filter(|index| !told.contains(index)).map(at).collect();
            assert_eq!(decoded, kept, "{}: T-5", info.name);
        }
    }
}

/// PR-9: a session moves to another thread; it is not for several at once, which its handles are.
#[test]
fn a_session_moves_between_threads() {
    // compiles only where the type is not `Sync`: else both implementations would fit
    trait NotSync<A> {
        fn holds() {}
    }
    impl<T: ?Sized> NotSync<()> for T {}
    impl<T: ?Sized + Sync> NotSync<u8> for T {}
    <CompressionSession<usize> as NotSync<_>>::holds();
    for info in encoders() {
        let pull = session(&info);
        let pull = std::thread::spawn(move || {
            pull.0.encode(SourceFrame::new(&render(1, 9, 4)[0], at(0)).duration(STEP), 0).unwrap();
            pull
        });
        let pull = pull.join().unwrap();
        pull.0.complete_frames().unwrap();
        assert_eq!(taken(&pull).len(), 1, "{}", info.name);
    }
}

/// PR-10: every property can be asked for while the session's thread is held up, so that it is not waited
/// for.
#[test]
fn asking_does_not_wait_for_the_encoder() {
    for info in encoders() {
        let (inside, held) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let session = CompressionSession::builder(&retake::encoders(), 176, 144, info.codec)
            .encoder(info.name)
            .on_output(move |_: EncodedOutcome<usize>| {
                let _ = inside.send(());
                let _ = gate.recv();
            })
            .build()
            .unwrap();
        session.set_all(&crate::common::usual(&info)).unwrap();
        let handle = session.handle();
        let supported = session.supported_properties().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for (index, frame) in render(20, 99, 4).iter().enumerate() {
                    session.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
                }
                session.complete_frames().unwrap();
            });
            held.recv().unwrap();
            for key in supported.keys() {
                assert!(handle.get(*key).is_ok(), "{}: {key}", info.name);
            }
            drop(open);
        });
    }
}

/// Section 4.3, resolution 19: forced frames by the caller and by the intervals do not add up.
#[test]
fn a_forced_first_frame_is_harmless() {
    for info in encoders() {
        let pull = session(&info);
        pull.0
            .encode(SourceFrame::new(&render(1, 9, 4)[0], at(0)).duration(STEP).options(forced(true)), 0)
            .unwrap();
        pull.0.complete_frames_until(at(0)).unwrap();
        assert_eq!(taken(&pull).len(), 1, "{}", info.name);
    }
}
