//! Readiness, and blocks that are called when there is some (section 17.3), in a queue that runs when the
//! test says.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{AppendError, AssetWriterInput, Queue};
use retake_media::Time;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

type Work = Box<dyn FnOnce() + Send>;

/// Keeps work until it is told to do it.
#[derive(Default)]
struct ByHand {
    work: Mutex<VecDeque<Work>>,
    came: Condvar,
}

impl Queue for ByHand {
    fn dispatch(&self, work: Work) {
        self.work.lock().unwrap().push_back(work);
        self.came.notify_all();
    }
}

impl ByHand {
    /// Waits for the next piece, and does it.
    fn run_next(&self) {
        let work = self.work.lock().unwrap();
        let (mut work, late) = self.came.wait_timeout_while(work, LONG, |work| work.is_empty()).unwrap();
        assert!(!late.timed_out(), "nothing is called");
        let next = work.pop_front().unwrap();
        drop(work);
        next();
    }

    fn len(&self) -> usize {
        self.work.lock().unwrap().len()
    }
}

/// AI-10, AI-11: one call at a time, while the input is ready; from the end of the input on, none.
#[test]
fn blocks_are_called_until_the_input_is_finished() {
    let studio = Studio::empty();
    let (writer, inputs) = started(&studio.path("a.mp4"), &[video_format()]);
    let queue = Arc::new(ByHand::default());
    let (calls, running) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, inside) = (calls.clone(), running.clone());
    let mut index = 0;
    inputs[0]
        .request_media_data_when_ready(queue.clone(), move |input| {
            assert!(!inside.swap(true, Ordering::SeqCst), "two at once");
            count.fetch_add(1, Ordering::SeqCst);
            // three for each call, though more would be taken
            for _ in 0..3 {
                if input.is_ready_for_more_media_data() && index < 20 {
                    input.append(picture(index)).unwrap();
                    index += 1;
                }
            }
            if index == 20 {
                input.mark_as_finished().unwrap();
            }
            inside.store(false, Ordering::SeqCst);
        })
        .unwrap();
    // an input is ready when its writer has started, also before there is a session; that is where this block
    // has to wait
    assert!(inputs[0].is_ready_for_more_media_data());
    writer.start_session(Time::ZERO).unwrap();
    while calls.load(Ordering::SeqCst) < 7 {
        queue.run_next();
        assert!(queue.len() <= 1, "one call is out at most");
    }
    assert_eq!(queue.len(), 0, "AI-11");
    writer.finish_writing_and_wait().unwrap();
    assert_eq!((queue.len(), calls.load(Ordering::SeqCst)), (0, 7));
    assert_eq!(studio.files(), ["a.mp4"]);
}

/// AI-12, resolution 28: a block that returns without appending, though it could, is called again when
/// another input moves, and not before.
#[test]
fn blocks_that_do_nothing_do_not_spin() {
    let studio = Studio::empty();
    let (writer, inputs) = started(&studio.path("a.mp4"), &[video_format(), audio_format()]);
    writer.start_session(Time::ZERO).unwrap();
    let queue = Arc::new(ByHand::default());
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    inputs[0]
        .request_media_data_when_ready(queue.clone(), move |input| {
            if count.fetch_add(1, Ordering::SeqCst) == 2 {
                input.append(picture(0)).unwrap();
                input.mark_as_finished().unwrap();
            }
        })
        .unwrap();
    queue.run_next();
    assert_eq!(queue.len(), 0, "in vain, and nothing has changed since");
    assert!(inputs[0].is_ready_for_more_media_data());
    append(&inputs[1], sound(0));
    queue.run_next();
    assert_eq!((queue.len(), calls.load(Ordering::SeqCst)), (0, 2));
    append(&inputs[1], sound(1));
    queue.run_next();
    assert_eq!((queue.len(), calls.load(Ordering::SeqCst)), (0, 3));
    writer.finish_writing_and_wait().unwrap();
}

/// AI-10: work that comes to the queue when its writer is cancelled, or its input finished meanwhile, calls
/// nothing.
#[test]
fn blocks_of_a_writer_that_has_ended_are_not_called() {
    for cancel in [true, false] {
        let studio = Studio::empty();
        let (writer, inputs) = started(&studio.path("a.mp4"), &[video_format()]);
        writer.start_session(Time::ZERO).unwrap();
        let queue = Arc::new(ByHand::default());
        inputs[0].request_media_data_when_ready(queue.clone(), |_| panic!("called")).unwrap();
        assert_eq!(queue.len(), 1);
        if cancel {
            writer.cancel_writing();
        } else {
            inputs[0].mark_as_finished().unwrap();
        }
        queue.run_next();
        assert_eq!(queue.len(), 0);
    }
}

/// AI-6, AI-7, AW-4: readiness is a level that observers hear of: it falls when an input is too far ahead of
/// another, rises when that one comes along, and falls for good at the end. What is appended regardless comes
/// back whole.
#[test]
fn readiness_is_a_level_that_is_told() {
    let studio = Studio::empty();
    let (writer, inputs) = started(&studio.path("a.mp4"), &[video_format(), audio_format()]);
    let told: Arc<Mutex<Vec<bool>>> = Arc::default();
    let keep = told.clone();
    inputs[0].observe_readiness(move |ready| keep.lock().unwrap().push(ready)).unwrap();
    writer.start_session(Time::ZERO).unwrap();
    let mut index = 0;
    let mut fill = |input: &AssetWriterInput| {
        loop {
            match input.append(picture(index)) {
                Ok(()) => index += 1,
                Err(AppendError::NotReady(back)) => return assert_eq!(back.sample, picture(index)),
                Err(error) => panic!("{error}"),
            }
        }
    };
    fill(&inputs[0]);
    assert!(!inputs[0].is_ready_for_more_media_data() && inputs[1].is_ready_for_more_media_data());
    // some more sound than there are pictures, and not so much that it would have to wait for them (AW-5)
    for packet in 0..60 {
        append(&inputs[1], sound(packet));
    }
    assert!(inputs[0].wait_until_ready(LONG));
    let patience = Instant::now();
    while told.lock().unwrap().last() != Some(&true) {
        assert!(patience.elapsed() < LONG, "nobody is told");
        std::thread::yield_now();
    }
    fill(&inputs[0]);
    writer.finish_writing_and_wait().unwrap();
    assert!(!inputs[0].is_ready_for_more_media_data());
    let told = told.lock().unwrap();
    assert!(told.len() >= 3 && !told[0] && !told[told.len() - 1], "{told:?}");
    assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "{told:?}");
}

/// AW-5: an input whose source ends is marked as finished; then the others are no longer held up by it.
#[test]
fn inputs_that_are_finished_hold_up_nobody() {
    let studio = Studio::empty();
    let (writer, inputs) = started(&studio.path("a.mp4"), &[video_format(), audio_format()]);
    writer.start_session(Time::ZERO).unwrap();
    append(&inputs[1], sound(0));
    inputs[1].mark_as_finished().unwrap();
    // ten seconds, on one thread
    (0..240).for_each(|index| append(&inputs[0], picture(index)));
    writer.finish_writing_and_wait().unwrap();
}
