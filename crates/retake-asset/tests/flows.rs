//! What clients of several passes get wrong: it is refused, and does no harm (section 18).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::scripted::*;
use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, Container, Mistake, PixelBufferAdaptor, SerialQueue,
    UsageError, WriterStatus,
};
use retake_media::{PixelBufferPool, PixelFormat, Time, TimeRange};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

struct Set {
    studio: Studio,
    writer: AssetWriter,
    input: AssetWriterInput,
    sound: AssetWriterInput,
    adaptor: Arc<PixelBufferAdaptor>,
    script: Arc<Script>,
}

/// Four seconds went through a first pass, after which two ranges are wanted again, and then nothing. Beside
/// it there is sound.
fn second_pass() -> Set {
    let studio = Studio::empty();
    let script = Script::new(&[&[range(12, 24), range(48, 60)]], true);
    let writer = AssetWriter::new(studio.path("film.mp4"), Container::Mp4);
    let (input, sound) = (encoding(&script, true), AssetWriterInput::passthrough(audio_format()));
    let adaptor = Arc::new(PixelBufferAdaptor::new(&input, None).unwrap());
    writer.add(&input).unwrap();
    writer.add(&sound).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    let set = Set { studio, writer, input, sound, adaptor, script };
    set.bring(0..96);
    set.input.mark_current_pass_as_finished().unwrap();
    set
}

impl Set {
    fn decide(&self) {
        self.script.change(|state| state.thinking = false);
        assert!(self.input.wait_until_ready(LONG));
        assert_eq!(self.ranges(), [range(12, 24), range(48, 60)]);
    }

    fn ranges(&self) -> Vec<TimeRange> {
        self.input.current_pass_description().unwrap().source_time_ranges().to_vec()
    }

    fn bring(&self, indices: std::ops::Range<i64>) {
        for index in indices {
            assert!(self.input.wait_until_ready(LONG));
            self.adaptor.append(blank(), Time::new(index, 24)).unwrap();
        }
    }

    fn refused(&self, index: i64) -> Mistake {
        match self.adaptor.append(blank(), Time::new(index, 24)) {
            Err(AppendError::Usage(error)) => error.mistake,
            other => panic!("{other:?}"),
        }
    }

    /// Ends the second pass and all else; the film is what it is to be.
    fn ends_well(self, again: &[TimeRange]) {
        assert_eq!(self.writer.status(), WriterStatus::Writing);
        self.input.mark_as_finished().unwrap();
        (0..180).for_each(|index| append(&self.sound, sound(index)));
        self.sound.mark_as_finished().unwrap();
        self.writer.finish_writing_and_wait().unwrap();
        let version = |index| 1 + u32::from(again.iter().any(|range| range.contains(Time::new(index, 24))));
        let bytes = std::fs::read(self.studio.path("film.mp4")).unwrap();
        assert_eq!(versions(&bytes, 96), (0..96).map(version).collect::<Vec<_>>());
    }
}

/// AM-9: one request for each range, where a pass has one: the second is refused, and the first goes on.
#[test]
fn a31_a_request_for_each_range() {
    let set = second_pass();
    set.decide();
    let (tell, told) = channel();
    let queue = Arc::new(SerialQueue::new("pictures").unwrap());
    let answers: Vec<Result<(), UsageError>> = set
        .ranges()
        .into_iter()
        .map(|_| {
            let (adaptor, tell) = (set.adaptor.clone(), tell.clone());
            let mut left: Vec<i64> = (12..24).chain(48..60).rev().collect();
            set.input.request_media_data_when_ready(queue.clone(), move |input| {
                while input.is_ready_for_more_media_data() {
                    match left.pop() {
                        Some(index) => adaptor.append(blank(), Time::new(index, 24)).unwrap(),
                        None => {
                            input.mark_current_pass_as_finished().unwrap();
                            return tell.send(()).unwrap();
                        }
                    }
                }
            })
        })
        .collect();
    assert_eq!(answers[0], Ok(()));
    assert_eq!(answers[1].unwrap_err().mistake, Mistake::SecondRequest);
    told.recv_timeout(LONG).unwrap();
    assert!(!set.input.wait_until_ready(LONG), "all passes are over");
    set.ends_well(&[range(12, 24), range(48, 60)]);
}

/// AM-5: every picture again, whatever was asked for: those outside are refused, those inside taken.
#[test]
fn a31_every_picture_again() {
    let set = second_pass();
    set.decide();
    for index in 0..96 {
        let inside = (12..24).contains(&index) || (48..60).contains(&index);
        assert!(set.input.wait_until_ready(LONG));
        match set.adaptor.append(blank(), Time::new(index, 24)) {
            Ok(()) => assert!(inside, "{index}"),
            Err(AppendError::Usage(error)) => {
                assert_eq!(error.mistake, Mistake::OutsidePass(Time::new(index, 24)));
                assert!(!inside, "{index}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    set.input.mark_current_pass_as_finished().unwrap();
    assert!(!set.input.wait_until_ready(LONG));
    set.ends_well(&[range(12, 24), range(48, 60)]);
}

/// AM-11: the input marked as finished, or the pass ended once more, while the next one is being decided on.
#[test]
fn a31_marks_between_passes() {
    let set = second_pass();
    assert_eq!(set.input.mark_as_finished().unwrap_err().mistake, Mistake::NoPass);
    assert_eq!(set.input.mark_current_pass_as_finished().unwrap_err().mistake, Mistake::NoPass);
    assert_eq!(set.refused(12), Mistake::NoPass);
    set.decide();
    set.bring(12..24);
    set.bring(48..60);
    set.input.mark_current_pass_as_finished().unwrap();
    assert!(!set.input.wait_until_ready(LONG));
    assert_eq!(
        set.input.mark_current_pass_as_finished().unwrap_err().mistake,
        Mistake::NoPass,
        "after the last"
    );
    set.ends_well(&[range(12, 24), range(48, 60)]);
}

/// AM-20: other pictures than those of the first pass, and pictures left out: each is told, none is lost, and
/// the client can go on or stop.
#[test]
fn a31_other_pictures_than_before() {
    let set = second_pass();
    set.decide();
    let between = Time::new(25, 48);
    match set.adaptor.append(blank(), between) {
        Err(AppendError::Usage(error)) => assert_eq!(error.mistake, Mistake::NotTheSame(between)),
        other => panic!("{other:?}"),
    }
    let large = PixelBufferPool::new(PixelFormat::I420, 32, 32).take().freeze();
    match set.adaptor.append(large, Time::new(12, 24)) {
        Err(AppendError::Usage(error)) => assert_eq!(error.mistake, Mistake::NotTheSame(Time::new(12, 24))),
        other => panic!("{other:?}"),
    }
    let missing = |index| Mistake::FrameMissing(Time::new(index, 24));
    assert_eq!(set.refused(13), missing(12));
    assert_eq!(set.refused(48), missing(12));
    assert_eq!(set.input.mark_current_pass_as_finished().unwrap_err().mistake, missing(12));
    set.bring(12..24);
    set.bring(48..59);
    assert_eq!(set.input.mark_current_pass_as_finished().unwrap_err().mistake, missing(59));
    set.bring(59..60);
    set.input.mark_current_pass_as_finished().unwrap();
    assert!(!set.input.wait_until_ready(LONG));
    set.ends_well(&[range(12, 24), range(48, 60)]);
}

/// AM-14: on one thread, sound before all passes of the pictures are over: that is told by readiness, and
/// appending regardless gives the sample back.
#[test]
fn a32_sound_before_its_time() {
    let set = second_pass();
    assert!(!set.sound.wait_until_ready(Duration::from_millis(1)));
    assert!(
        matches!(set.sound.append(sound(0)), Err(AppendError::NotReady(back)) if back.sample == sound(0))
    );
    set.decide();
    assert!(!set.sound.is_ready_for_more_media_data());
    set.bring(12..24);
    set.bring(48..60);
    set.input.mark_current_pass_as_finished().unwrap();
    assert!(!set.input.wait_until_ready(LONG));
    // AM-8: the end of the last pass is not the end of the input
    assert!(!set.sound.is_ready_for_more_media_data());
    set.ends_well(&[range(12, 24), range(48, 60)]);
}

/// AM-12: told twice of passes, and asked to append before there is a session.
#[test]
fn a31_two_that_are_told_of_passes() {
    let set = second_pass();
    let queue = Arc::new(SerialQueue::new("passes").unwrap());
    let (tell, told) = channel();
    set.input
        .respond_to_each_pass_description(queue.clone(), move |input| {
            tell.send(input.current_pass_description().map(|pass| pass.source_time_ranges().len())).unwrap();
        })
        .unwrap();
    let second = set.input.respond_to_each_pass_description(queue, |_| panic!("called"));
    assert_eq!(second.unwrap_err().mistake, Mistake::SecondRequest);
    set.decide();
    let mut heard = told.recv_timeout(LONG).unwrap();
    if heard == Some(1) {
        heard = told.recv_timeout(LONG).unwrap(); // of the first pass it may have heard, too
    }
    assert_eq!(heard, Some(2));
    set.bring(12..24);
    set.bring(48..60);
    set.input.mark_current_pass_as_finished().unwrap();
    assert_eq!(told.recv_timeout(LONG).unwrap(), None);
    set.ends_well(&[range(12, 24), range(48, 60)]);
    assert!(told.recv().is_err(), "AM-12: no more once the input is finished");
}
