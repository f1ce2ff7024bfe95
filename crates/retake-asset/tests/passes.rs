//! Inputs that encode, in one pass or several, with an encoder that does what the test tells it (sections 18
//! and 19).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::scripted::*;
use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, CallError, Container, Mistake, PassDescription,
    PixelBufferAdaptor, SerialQueue, SoundCodec, SoundSettings, WriterStatus,
};
use retake_media::{PixelBufferAttributes, PixelBufferPool, PixelFormat, Time, TimeRange};
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

fn versions_in(studio: &Studio, frames: i64) -> Vec<u32> {
    versions(&std::fs::read(studio.path("film.mp4")).unwrap(), frames)
}

struct Set {
    writer: AssetWriter,
    input: AssetWriterInput,
    adaptor: PixelBufferAdaptor,
}

fn set(studio: &Studio, script: &Arc<Script>, able: bool) -> Set {
    let writer = AssetWriter::new(studio.path("film.mp4"), Container::Mp4);
    let input = encoding(script, able);
    let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
    writer.add(&input).unwrap();
    Set { writer, input, adaptor }
}

impl Set {
    fn start(&self) {
        self.writer.start_writing().unwrap();
        self.writer.start_session(Time::ZERO).unwrap();
    }

    fn append(&self, indices: std::ops::Range<i64>) {
        for index in indices {
            assert!(self.input.wait_until_ready(LONG));
            self.adaptor.append(blank(), Time::new(index, 24)).unwrap();
        }
    }

    /// Waits until the next pass is decided on.
    fn decided(&self) {
        let (tell, told) = channel();
        let queue = Arc::new(SerialQueue::new("passes").unwrap());
        self.input
            .respond_to_each_pass_description(queue, move |input| {
                let _ = tell.send(input.current_pass_description());
            })
            .unwrap();
        let first = |ranges: &[TimeRange]| ranges == [TimeRange::EVERYTHING];
        while told.recv_timeout(LONG).unwrap().is_some_and(|pass| first(pass.source_time_ranges())) {}
    }

    fn ranges(&self) -> Option<Vec<TimeRange>> {
        self.input.current_pass_description().map(|description| description.source_time_ranges().to_vec())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    First,
    Deciding,
    Second,
    Done,
    Finished,
    /// One pass is all there is.
    Single,
    SingleDone,
}
use State::*;

fn reach(state: State, studio: &Studio) -> (Set, Arc<Script>) {
    let again = [range(12, 24)];
    let again: &[&[TimeRange]] = if state == Done { &[] } else { &[&again] };
    let script = Script::new(again, state == Deciding);
    let set = set(studio, &script, !matches!(state, Single | SingleDone));
    if state != Before {
        set.start();
        set.append(0..24);
    }
    match state {
        Before | First | Single => {}
        Finished => set.input.mark_as_finished().unwrap(),
        Deciding | SingleDone => set.input.mark_current_pass_as_finished().unwrap(),
        Second | Done => {
            set.input.mark_current_pass_as_finished().unwrap();
            set.decided();
        }
    }
    (set, script)
}

/// A30, AM-3, AM-4, AM-5, AM-6, AM-7, AM-8, AM-9, AM-10, AM-11: every call in every state of the passes of an
/// input, and what it is told of its pass.
#[test]
fn a30_passes_of_an_input_in_every_state() {
    type Call = fn(&Set) -> Result<(), Mistake>;
    let mark_pass: Call = |set| set.input.mark_current_pass_as_finished().map_err(|error| error.mistake);
    let finish: Call = |set| set.input.mark_as_finished().map_err(|error| error.mistake);
    let request: Call = |set| {
        let queue = Arc::new(SerialQueue::new("request").unwrap());
        set.input.request_media_data_when_ready(queue, |_| ()).map_err(|error| error.mistake)
    };
    let append_at = |set: &Set, index| match set.adaptor.append(blank(), Time::new(index, 24)) {
        Ok(()) | Err(AppendError::NotReady(_)) => Ok(()),
        Err(AppendError::Usage(error)) => Err(error.mistake),
        Err(AppendError::Failed(error)) => panic!("{error}"),
    };
    let states = [Before, First, Deciding, Second, Done, Finished, Single, SingleDone];
    let open = |state| matches!(state, First | Second | Single);
    for state in states {
        let studio = Studio::empty();
        let fresh = || {
            let _ = std::fs::remove_file(studio.path("film.mp4"));
            reach(state, &studio)
        };
        let refused = |call: Result<(), Mistake>| match call {
            Ok(()) => None,
            Err(Mistake::Status { .. }) => Some("status"),
            Err(Mistake::NoPass) => Some("no pass"),
            Err(Mistake::InputFinished) => Some("finished"),
            Err(Mistake::OutsidePass(_)) => Some("outside"),
            Err(Mistake::FrameMissing(_)) => Some("missing"),
            Err(other) => panic!("{other}"),
        };
        let usual = match state {
            Before => Some("status"),
            Deciding | Done | SingleDone => Some("no pass"),
            Finished => Some("finished"),
            First | Second | Single => None,
        };
        let (set, _script) = fresh();
        let expected = match state {
            First | Deciding | Single => Some(vec![TimeRange::EVERYTHING]),
            Finished => Some(vec![TimeRange::EVERYTHING]),
            Second => Some(vec![range(12, 24)]),
            Before | Done | SingleDone => None,
        };
        assert_eq!(set.ranges(), expected, "{state:?}");
        assert_eq!(set.input.is_ready_for_more_media_data(), open(state), "{state:?}");
        assert_eq!(
            set.input.can_perform_multiple_passes(),
            !matches!(state, Single | SingleDone),
            "{state:?}"
        );

        // a later pass is over when all of it came, and can then be ended
        let expected = if state == Second { Some("missing") } else { usual };
        assert_eq!(refused(mark_pass(&set)), expected, "mark pass when {state:?}");
        if state == Second {
            set.append(12..24);
            assert_eq!(refused(mark_pass(&set)), None);
        }
        if state == Single {
            assert_eq!(set.ranges(), None, "AM-7: at once");
        }
        let (set, _script) = fresh();
        let expected = match state {
            Before => Some("status"),
            Deciding => Some("no pass"),
            _ => None, // AM-8 after the last pass, AM-10 in one, AI-13 once more
        };
        assert_eq!(refused(finish(&set)), expected, "finish when {state:?}");

        let (set, _script) = fresh();
        assert_eq!(refused(request(&set)), usual, "request when {state:?}");
        if open(state) {
            assert_eq!(request(&set), Err(Mistake::SecondRequest), "AM-9 when {state:?}");
        }
        let (set, _script) = fresh();
        assert_eq!(
            refused(append_at(&set, 24 + 3)),
            if state == Second { Some("outside") } else { usual },
            "append when {state:?}"
        );
        if state == Second {
            assert_eq!(refused(append_at(&set, 11)), Some("outside"));
            assert_eq!(refused(append_at(&set, 12)), None);
            assert!(matches!(append_at(&set, 12), Err(Mistake::TimeGoesBack(_))), "AD-4");
        }
    }
}

/// AM-16, AM-17, A33: in every state of the passes, the writer can be finished, which keeps what there is,
/// and cancelled, which keeps nothing; its session can end, after which nothing can be appended.
#[test]
fn a30_writers_end_in_every_state_of_the_passes() {
    for state in [First, Deciding, Second, Done, Finished, Single, SingleDone] {
        let studio = Studio::empty();
        let (set, script) = reach(state, &studio);
        let (tell, told) = channel();
        set.writer.finish_writing(move |ended| tell.send(ended.is_ok()).unwrap()).unwrap();
        script.change(|state| state.thinking = false);
        assert!(told.recv_timeout(LONG).unwrap(), "finish when {state:?}");
        assert_eq!(versions_in(&studio, 24), [1; 24], "finish when {state:?}");
        std::fs::remove_file(studio.path("film.mp4")).unwrap();

        let (set, _script) = reach(state, &studio);
        set.writer.cancel_writing();
        assert_eq!(set.writer.status(), WriterStatus::Cancelled, "cancel when {state:?}");
        assert_eq!(studio.files(), Vec::<String>::new(), "cancel when {state:?}");

        let (set, script) = reach(state, &studio);
        set.writer.end_session(Time::new(1, 1)).unwrap();
        let refused = set.adaptor.append(blank(), Time::new(23, 24));
        assert!(matches!(refused, Err(AppendError::Usage(_))), "append after the session when {state:?}");
        script.change(|state| state.thinking = false);
        set.writer.finish_writing_and_wait().unwrap();
        assert_eq!(versions_in(&studio, 24), [1; 24], "end of the session when {state:?}");
        let late = PixelBufferAdaptor::new(&encoding(&script, true), None);
        assert!(late.is_ok() && PixelBufferAdaptor::new(&set.input, None).is_err(), "AD-1");
    }
}

/// AM-10, AM-15, AM-16: the newest version of each frame is what is in the film, whether all passes came to
/// their end or the client stopped.
#[test]
fn a31_the_newest_version_of_each_frame_is_kept() {
    for (name, stop) in [("to the end", 3), ("stopped in the second", 2), ("stopped in the first", 1)] {
        let studio = Studio::empty();
        let script = Script::new(&[&[range(3, 6), range(9, 12)], &[range(9, 12)]], false);
        let set = set(&studio, &script, true);
        set.start();
        set.append(0..12);
        let queue = Arc::new(SerialQueue::new("passes").unwrap());
        let (tell, told) = channel();
        let heard = Arc::new(AtomicU32::new(0));
        let count = heard.clone();
        set.input
            .respond_to_each_pass_description(queue, move |input| {
                count.fetch_add(1, Ordering::SeqCst);
                tell.send(input.current_pass_description()).unwrap();
            })
            .unwrap();
        let next = || told.recv_timeout(LONG).unwrap().map(|pass| pass.source_time_ranges().to_vec());
        assert_eq!(next(), Some(vec![TimeRange::EVERYTHING]));
        if stop > 1 {
            set.input.mark_current_pass_as_finished().unwrap();
            assert_eq!(next(), Some(vec![range(3, 6), range(9, 12)]));
            set.append(3..6);
            set.append(9..12);
        }
        if stop > 2 {
            set.input.mark_current_pass_as_finished().unwrap();
            assert_eq!(next(), Some(vec![range(9, 12)]));
            set.append(9..12);
            set.input.mark_current_pass_as_finished().unwrap();
            assert_eq!(next(), None);
        }
        // AM-16: finishing is marking all as finished
        set.writer.finish_writing_and_wait().unwrap();
        let expected = match stop {
            1 => [1; 12],
            2 => [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2],
            _ => [1, 1, 1, 2, 2, 2, 1, 1, 1, 3, 3, 3],
        };
        assert_eq!(versions_in(&studio, 12), expected, "{name}");
        assert_eq!(heard.load(Ordering::SeqCst), [1, 2, 4][stop - 1], "AM-12 {name}");
    }
}

/// A32: beside video of several passes, sound is not ready until the last pass is over; with a thread for
/// each nothing waits for ever.
#[test]
fn a32_sound_waits_for_the_last_pass_of_the_video() {
    let studio = Studio::empty();
    let script = Script::new(&[&[range(0, 24)], &[range(48, 60)]], true);
    let set = set(&studio, &script, true);
    let sound_input = AssetWriterInput::passthrough(audio_format());
    set.writer.add(&sound_input).unwrap();
    set.start();
    assert!(!sound_input.is_ready_for_more_media_data());
    assert!(matches!(sound_input.append(sound(0)), Err(AppendError::NotReady(_))));
    let (tell, told) = channel();
    let Set { writer, input, adaptor } = set;
    let times: Arc<[Time]> = (0..96).map(|index| Time::new(index, 24)).collect();
    answer_passes(
        &input,
        Arc::new(adaptor),
        times,
        |_| blank(),
        move |pass| {
            if pass.is_none() {
                tell.send(()).unwrap();
            }
            true
        },
    );
    let feeder = std::thread::spawn(move || {
        let mut index = 0;
        while index < 180 {
            append(&sound_input, sound(index));
            index += 1;
        }
        sound_input.mark_as_finished().unwrap();
    });
    // the feeder cannot be ahead: the video's first pass is still being decided on
    script.change(|state| state.thinking = false);
    told.recv_timeout(LONG).unwrap();
    feeder.join().unwrap();
    writer.finish_writing_and_wait().unwrap();
    let expected: Vec<u32> = (0..96)
        .map(|index| {
            if index < 24 {
                2
            } else if (48..60).contains(&index) {
                3
            } else {
                1
            }
        })
        .collect();
    assert_eq!(versions_in(&studio, 96), expected);
}

/// A33, AM-17: cancelling while the next pass is being decided on interrupts that, and leaves no file.
#[test]
fn a33_cancelling_interrupts_the_analysis() {
    let studio = Studio::empty();
    let (set, script) = reach(Deciding, &studio);
    set.writer.cancel_writing();
    assert_eq!(set.writer.status(), WriterStatus::Cancelled);
    assert!(script.state.lock().unwrap().interrupted);
    assert_eq!(studio.files(), Vec::<String>::new());
}

/// AM-16: finishing while the next pass is being decided on keeps what there is.
#[test]
fn finishing_while_deciding_keeps_what_there_is() {
    let studio = Studio::empty();
    let (set, script) = reach(Deciding, &studio);
    let (tell, told) = channel();
    set.writer.finish_writing(move |ended| tell.send(ended.is_ok()).unwrap()).unwrap();
    script.change(|state| state.thinking = false);
    assert!(told.recv_timeout(LONG).unwrap());
    assert_eq!(versions_in(&studio, 24), [1; 24]);
}

/// AM-16: what is told to the encoder of an input comes in its order: first the end of the pass, then that of
/// the media. The threads that tell it are started one right after the other, and the later must not
/// overtake.
#[test]
fn finishing_does_not_overtake_the_end_of_a_pass() {
    for _ in 0..300 {
        let studio = Studio::empty();
        let (set, script) = reach(First, &studio);
        set.input.mark_current_pass_as_finished().unwrap();
        set.writer.finish_writing_and_wait().unwrap();
        let state = script.state.lock().unwrap();
        assert!(state.passes == 1 && !state.overtaken);
    }
}

/// AM-18: an encoder that fails makes the writer fail, and no file is left.
#[test]
fn an_encoder_that_fails_ends_the_writer() {
    let studio = Studio::empty();
    let (set, script) = reach(First, &studio);
    script.change(|state| state.interrupted = true);
    set.input.mark_current_pass_as_finished().unwrap();
    // a writer that is told to finish while the encoder decides keeps what it has (AM-16): the failure has to
    // come first
    let patience = Instant::now();
    while set.writer.status() == WriterStatus::Writing && patience.elapsed() < LONG {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (tell, told) = channel();
    // the failure has come already, and is heard of all the same
    let _ = set.writer.finish_writing(move |ended| tell.send(ended).unwrap());
    assert_eq!(told.recv_timeout(LONG).unwrap().unwrap_err().code(), -11883);
    assert_eq!(set.writer.status(), WriterStatus::Failed);
    drop(set);
    assert_eq!(studio.files(), Vec::<String>::new());
}

/// AM-2, resolution 29: several passes and real time contradict each other.
#[test]
fn several_passes_in_real_time_do_not_start() {
    let studio = Studio::empty();
    let set = set(&studio, &Script::new(&[], false), true);
    let live = AssetWriterInput::passthrough(audio_format());
    live.configure(|options| options.real_time = true).unwrap();
    set.writer.add(&live).unwrap();
    let Err(CallError::Failed(error)) = set.writer.start_writing() else { panic!("started") };
    assert_eq!((error.code(), set.writer.status()), (-11875, WriterStatus::Failed));
}

/// AD-1, AD-2, AD-3: one adaptor for an input, its pool when the writer has started, times that are numbers.
#[test]
fn adaptors_have_a_pool_when_the_writer_has_started() {
    let studio = Studio::empty();
    let script = Script::new(&[], false);
    let writer = AssetWriter::new(studio.path("film.mp4"), Container::Mp4);
    let input = encoding(&script, true);
    let attributes = PixelBufferAttributes::of(PixelFormat::I420, 32, 16);
    let adaptor = PixelBufferAdaptor::new(&input, Some(attributes)).unwrap();
    assert_eq!(PixelBufferAdaptor::new(&input, None).unwrap_err().mistake, Mistake::Adapted);
    assert!(PixelBufferAdaptor::new(&AssetWriterInput::passthrough(video_format()), None).is_err());
    writer.add(&input).unwrap();
    assert!(adaptor.pool().is_none());
    writer.start_writing().unwrap();
    let picture = adaptor.pool().unwrap().take().freeze();
    assert_eq!((picture.width(), picture.height()), (32, 16));
    writer.start_session(Time::ZERO).unwrap();
    assert!(
        matches!(adaptor.append(picture, Time::INVALID), Err(AppendError::Usage(error)) if matches!(error.mistake, Mistake::BadTime(_)))
    );
}

/// AD-3, AI-7: an adaptor takes no picture before the session, behind the end of its input, or while the
/// input is not ready; one that comes too early is given back, and taken later.
#[test]
fn adaptors_append_only_while_their_input_is_ready() {
    let studio = Studio::empty();
    let script = Script::new(&[], false);
    let writer = AssetWriter::new(studio.path("film.mp4"), Container::Mp4);
    let [input, other] = [encoding(&script, false), AssetWriterInput::passthrough(audio_format())];
    let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
    let show = || PixelBufferPool::new(PixelFormat::I420, 32, 16).take().freeze();
    let refused = |index| match adaptor.append(show(), Time::new(index, 24)) {
        Err(AppendError::Usage(error)) => Some(error.mistake),
        _ => None,
    };
    assert_eq!(refused(0), Some(Mistake::NotAttached));
    writer.add(&input).unwrap();
    writer.add(&other).unwrap();
    assert!(matches!(refused(0), Some(Mistake::Status { .. })));
    writer.start_writing().unwrap();
    assert_eq!(refused(0), Some(Mistake::NoSession));
    writer.start_session(Time::ZERO).unwrap();
    // no sound comes, so that the pictures have to wait before long
    let mut count = 0;
    let picture = loop {
        assert!(count < 24 * 60, "they wait for nobody");
        match adaptor.append(show(), Time::new(count, 24)) {
            Ok(()) => count += 1,
            Err(AppendError::NotReady(picture)) => break picture,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(!input.is_ready_for_more_media_data() && count > 24, "{count}");
    other.mark_as_finished().unwrap();
    assert!(input.wait_until_ready(LONG));
    adaptor.append(*picture, Time::new(count, 24)).unwrap();
    input.mark_as_finished().unwrap();
    assert_eq!(refused(count + 1), Some(Mistake::InputFinished));
    writer.finish_writing_and_wait().unwrap();
    assert!(matches!(refused(count + 1), Some(Mistake::Status { .. })));
    let bytes = std::fs::read(studio.path("film.mp4")).unwrap();
    let sizes = boxes(&bytes, &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz"]);
    assert_eq!(i64::from(number(&sizes[0][8..12])), count + 1);
}

struct Parker(Thread);

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The least of all executors: one future, on this thread.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Parker(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// AD-7, AD-8, AD-9: a receiver waits without a thread; asking for the next pass ends the one before.
#[test]
fn a31_receivers_go_through_the_passes() {
    let studio = Studio::empty();
    let script = Script::new(&[&[range(24, 36)]], false);
    let writer = AssetWriter::new(studio.path("film.mp4"), Container::Mp4);
    let input = encoding(&script, true);
    let (receiver, mut passes) = writer.pixel_buffer_receiver_requesting_multi_pass(&input).unwrap();
    assert!(run(passes.next()).is_err());
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    let seen = run(async {
        let mut seen = Vec::new();
        while let Some(pass) = passes.next().await.unwrap() {
            for index in 0..48 {
                let time = Time::new(index, 24);
                if pass.source_time_ranges().iter().any(|range| range.contains(time)) {
                    receiver.append(blank(), time).await.unwrap();
                }
            }
            seen.push(pass.source_time_ranges().to_vec());
        }
        seen
    });
    assert_eq!(seen, [vec![TimeRange::EVERYTHING], vec![range(24, 36)]]);
    receiver.finish().unwrap();
    writer.finish_writing_and_wait().unwrap();
    let expected: Vec<u32> = (0..48).map(|index| 1 + u32::from((24..36).contains(&index))).collect();
    assert_eq!(versions_in(&studio, 48), expected);
}

/// AD-10: a client that asks for several passes and ignores the controller gets one; beside it, sound by a
/// receiver (AD-6), whose input refuses everybody else.
#[test]
fn a31_a_receiver_that_ignores_its_passes_gets_one() {
    let studio = Studio::empty();
    let script = Script::new(&[&[range(0, 12)]], false);
    let writer = AssetWriter::new(studio.path("film.mp4"), Container::Mp4);
    let (input, other) = (encoding(&script, true), AssetWriterInput::passthrough(audio_format()));
    let (receiver, _controller) = writer.pixel_buffer_receiver_requesting_multi_pass(&input).unwrap();
    let sounds = writer.sample_receiver(&other).unwrap();
    assert!(writer.add(&other).is_err());
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    assert!(matches!(other.append(sound(0)), Err(AppendError::Usage(_))));
    assert!(matches!(sounds.append_immediately(sound(0)), Err(AppendError::NotReady(_))), "AM-14");
    run(async {
        for index in 0..30 {
            receiver.append(blank(), Time::new(index, 24)).await.unwrap();
        }
    });
    receiver.finish().unwrap();
    run(async {
        for index in 0..60 {
            sounds.append(sound(index)).await.unwrap();
        }
    });
    sounds.finish().unwrap();
    writer.finish_writing_and_wait().unwrap();
    assert_eq!(versions_in(&studio, 30), [1; 30]);
}

/// AM-3, AM-4: both are told when they change, and as they are: the switch and the encoder's answer; the
/// first pass when the writer starts, the ranges of each that follows, and their end.
#[test]
fn what_passes_there_are_is_told() {
    let studio = Studio::empty();
    let script = Script::new(&[&[range(24, 36)]], false);
    let plain = AssetWriterInput::passthrough(audio_format());
    assert!(
        plain.observe_multiple_passes(|_| ()).is_err() && plain.observe_pass_description(|_| ()).is_err()
    );
    let set = set(&studio, &script, true);
    let Set { writer, input, .. } = &set;
    input.configure(|options| options.multi_pass = false).unwrap();
    writer.add(&plain).unwrap();
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    for (name, input) in [("one", input), ("other", &plain)] {
        let (passes, descriptions) = (told.clone(), told.clone());
        let say = move |can| passes.lock().unwrap().push(format!("{name} {can}"));
        input.observe_multiple_passes(say).unwrap();
        let say = move |pass: Option<&PassDescription>| {
            let ranges = pass.map(|pass| pass.source_time_ranges().to_vec());
            descriptions.lock().unwrap().push(format!("{name} {ranges:?}"));
        };
        input.observe_pass_description(say).unwrap();
    }
    let take = || std::mem::take(&mut *told.lock().unwrap());
    input.configure(|options| options.multi_pass = true).unwrap();
    plain.configure(|options| options.multi_pass = true).unwrap();
    assert_eq!(take(), ["one true"]);
    writer.start_writing().unwrap();
    let first = format!("{:?}", Some([TimeRange::EVERYTHING]));
    assert_eq!(take(), [format!("one {first}"), format!("other {first}")]);
    writer.start_session(Time::ZERO).unwrap();
    let wait = || {
        let patience = Instant::now();
        while told.lock().unwrap().is_empty() {
            assert!(patience.elapsed() < LONG, "nobody is told");
            std::thread::yield_now();
        }
    };
    set.append(0..48);
    input.mark_current_pass_as_finished().unwrap();
    wait();
    assert_eq!(take(), [format!("one {:?}", Some([range(24, 36)]))]);
    set.append(24..36);
    input.mark_current_pass_as_finished().unwrap();
    wait();
    assert_eq!(take(), ["one None"]);
    writer.cancel_writing();
    assert!(take().is_empty());
}

/// AM-3: an encoder of one pass takes the promise back when the writer starts, and says so.
#[test]
fn an_encoder_of_one_pass_takes_the_promise_back() {
    let studio = Studio::empty();
    let settings = SoundSettings::new(SoundCodec::PcmS16, 48_000, 1);
    let input = AssetWriterInput::sound(&settings).unwrap();
    let writer = AssetWriter::new(studio.path("film.mov"), Container::Mov);
    let (_receiver, mut passes) = writer.sound_receiver_requesting_multi_pass(&input).unwrap();
    let told: Arc<Mutex<Vec<bool>>> = Arc::default();
    let keep = told.clone();
    input.observe_multiple_passes(move |can| keep.lock().unwrap().push(can)).unwrap();
    assert!(passes.can_perform_multiple_passes() && passes.pass_descriptions().is_some());
    writer.start_writing().unwrap();
    assert_eq!(*told.lock().unwrap(), [false]);
    assert!(!passes.can_perform_multiple_passes() && passes.pass_descriptions().is_none());
}

/// AD-6, AD-8: receivers of every kind come with a controller, which has no sequence of passes where none can
/// be had: for samples from the start, for sound once the writer has started. Beside that, the passes of
/// pictures come as a stream that is polled.
#[test]
fn receivers_of_every_kind_have_a_controller() {
    let studio = Studio::empty();
    let script = Script::new(&[&[range(12, 24)]], false);
    let writer = AssetWriter::new(studio.path("film.mov"), Container::Mov);
    let (input, samples) = (encoding(&script, true), AssetWriterInput::passthrough(audio_format()));
    let sound = AssetWriterInput::sound(&SoundSettings::new(SoundCodec::PcmS16, 48_000, 1)).unwrap();
    let (receiver, mut passes) = writer.pixel_buffer_receiver_requesting_multi_pass(&input).unwrap();
    let (sample_receiver, mut no_passes) = writer.sample_receiver_requesting_multi_pass(&samples).unwrap();
    let (sound_receiver, mut sound_passes) = writer.sound_receiver_requesting_multi_pass(&sound).unwrap();
    assert!(no_passes.pass_descriptions().is_none());
    writer.start_writing().unwrap();
    assert!(sound_passes.pass_descriptions().is_none());
    writer.start_session(Time::ZERO).unwrap();
    run(async {
        assert_eq!(no_passes.next().await.unwrap().unwrap().source_time_ranges(), [TimeRange::EVERYTHING]);
        let mut stream = passes.pass_descriptions().unwrap();
        let mut seen = Vec::new();
        while let Some(pass) = poll_fn(|context| stream.poll_next(context)).await {
            let ranges = pass.unwrap().source_time_ranges().to_vec();
            for index in (0..48).filter(|index| ranges.iter().any(|r| r.contains(Time::new(*index, 24)))) {
                receiver.append(blank(), Time::new(index, 24)).await.unwrap();
            }
            seen.push(ranges);
        }
        assert_eq!(seen, [vec![TimeRange::EVERYTHING], vec![range(12, 24)]]);
        receiver.finish().unwrap();
        sample_receiver.finish().unwrap();
        sound_receiver.append(vec![0.5; 48_000], Time::ZERO).await.unwrap();
        assert!(sound_passes.next().await.unwrap().is_some() && sound_passes.next().await.unwrap().is_none());
        sound_receiver.finish().unwrap();
    });
    writer.finish_writing_and_wait().unwrap();
}
