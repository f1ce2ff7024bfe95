//! Every call in every state (section 16.1).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::scripted::*;
use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, AssetWriterInputGroup, CallError, Container, Mistake,
    PixelBufferAdaptor, SerialQueue, TrackAssociation, UsageError, WriterStatus,
};
use retake_media::{Time, TimeRange};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// The states that calls can come in. The session makes three of *writing*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    Started,
    InSession,
    AfterSession,
    /// Told to finish, and not done yet: a pass of another input is still being decided on.
    Finishing,
    Completed,
    Failed,
    Cancelled,
}

use State::*;
const STATES: [State; 8] =
    [Unknown, Started, InSession, AfterSession, Finishing, Completed, Failed, Cancelled];

/// What a call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Done,
    Usage,
    Failure,
}

fn usage<T>(answer: Result<T, UsageError>) -> Answer {
    answer.map_or(Answer::Usage, |_| Answer::Done)
}

fn call(answer: Result<(), CallError>) -> Answer {
    match answer {
        Ok(()) => Answer::Done,
        Err(CallError::Usage(_)) => Answer::Usage,
        Err(CallError::Failed(_)) => Answer::Failure,
    }
}

fn reach(state: State, studio: &Studio) -> (AssetWriter, AssetWriterInput) {
    let file = studio.path("film.mp4");
    let _ = std::fs::remove_file(&file);
    let writer = AssetWriter::new(&file, Container::Mp4);
    let input = AssetWriterInput::passthrough(video_format());
    writer.add(&input).unwrap();
    let slow = encoding(&Script::new(&[], true), true);
    if state == Finishing {
        writer.add(&slow).unwrap();
    }
    if state == Failed {
        std::fs::write(&file, "in the way").unwrap();
    }
    match state {
        Unknown => {}
        Cancelled => writer.cancel_writing(),
        Failed => assert_eq!(call(writer.start_writing()), Answer::Failure),
        _ => writer.start_writing().unwrap(),
    }
    if matches!(state, InSession | AfterSession | Finishing | Completed) {
        writer.start_session(Time::ZERO).unwrap();
        // beside an input of several passes, others wait
        if state != Finishing {
            append(&input, picture(0));
        }
    }
    match state {
        AfterSession => writer.end_session(Time::new(1, 1)).unwrap(),
        Finishing => {
            slow.mark_current_pass_as_finished().unwrap();
            writer.finish_writing(|_| ()).unwrap();
        }
        Completed => writer.finish_writing_and_wait().unwrap(),
        _ => {}
    }
    (writer, input)
}

fn status_of(state: State) -> WriterStatus {
    match state {
        Unknown => WriterStatus::Unknown,
        Started | InSession | AfterSession | Finishing => WriterStatus::Writing,
        Completed => WriterStatus::Completed,
        Failed => WriterStatus::Failed,
        Cancelled => WriterStatus::Cancelled,
    }
}

type Call = fn(&AssetWriter, &AssetWriterInput) -> Answer;

/// A call, its name, and the states in which it is done; in all others it is a usage error.
const CALLS: [(&str, Call, &[State]); 24] = [
    ("configure", |writer, _| usage(writer.configure(|options| options.fast_start = true)), &[Unknown]),
    ("configure input", |_, input| usage(input.configure(|options| options.enabled = false)), &[Unknown]),
    ("several passes", |_, input| usage(input.configure(|options| options.multi_pass = true)), &[Unknown]),
    ("add", |writer, _| usage(writer.add(&AssetWriterInput::passthrough(audio_format()))), &[Unknown]),
    ("add twice", |writer, input| usage(writer.add(input)), &[]),
    ("start_session", |writer, _| usage(writer.start_session(Time::ZERO)), &[Started]),
    ("start_session at no time", |writer, _| usage(writer.start_session(Time::INVALID)), &[]),
    ("end_session", |writer, _| usage(writer.end_session(Time::new(2, 1))), &[InSession]),
    ("end_session before its start", |writer, _| usage(writer.end_session(Time::new(-1, 1))), &[]),
    (
        "append",
        |_, input| {
            let _ = input.is_ready_for_more_media_data();
            match input.append(picture(1)) {
                Ok(()) | Err(AppendError::NotReady(_)) => Answer::Done,
                Err(AppendError::Usage(_)) => Answer::Usage,
                Err(AppendError::Failed(_)) => Answer::Failure,
            }
        },
        &[InSession],
    ),
    (
        "request_media_data_when_ready",
        |_, input| {
            let queue = Arc::new(SerialQueue::new("test").unwrap());
            usage(input.request_media_data_when_ready(queue, |_| ()))
        },
        &[Started, InSession, AfterSession],
    ),
    (
        "mark_as_finished",
        |_, input| usage(input.mark_as_finished()),
        // of a writer that has ended, or ends, it is nothing
        &[Started, InSession, AfterSession, Finishing, Completed, Failed, Cancelled],
    ),
    (
        "mark_current_pass_as_finished",
        |_, input| usage(input.mark_current_pass_as_finished()),
        &[Started, InSession, AfterSession, Completed, Failed, Cancelled],
    ),
    (
        "respond_to_each_pass_description",
        |_, input| {
            let queue = Arc::new(SerialQueue::new("test").unwrap());
            usage(input.respond_to_each_pass_description(queue, |_| ()))
        },
        &[Started, InSession, AfterSession],
    ),
    (
        "add_group",
        |writer, input| {
            let other = AssetWriterInput::passthrough(video_format());
            let added = writer.add(&other);
            let group = AssetWriterInputGroup::new(vec![input.clone(), other], None).unwrap();
            assert_eq!(writer.can_add_group(&group), added.is_ok());
            usage(writer.add_group(&group))
        },
        &[Unknown],
    ),
    (
        "add_track_association",
        |_, input| {
            let other = AssetWriterInput::passthrough(video_format());
            let (kind, can) = (
                TrackAssociation::ChapterList,
                input.can_add_track_association(&other, TrackAssociation::ChapterList),
            );
            let answer = usage(input.add_track_association(&other, kind));
            assert_eq!(can, answer == Answer::Done);
            answer
        },
        &[Unknown],
    ),
    (
        "sample_receiver",
        |writer, _| usage(writer.sample_receiver(&AssetWriterInput::passthrough(audio_format())).map(drop)),
        &[Unknown],
    ),
    (
        "sample_receiver of an input that is added",
        |writer, input| usage(writer.sample_receiver(input).map(drop)),
        &[],
    ),
    (
        "adaptor of an input that does not encode",
        |_, input| usage(PixelBufferAdaptor::new(input, None).map(drop)),
        &[],
    ),
    (
        "append_sound to what takes samples",
        |_, input| match input.append_sound(vec![0.0], Time::ZERO) {
            Err(AppendError::Usage(_)) => Answer::Usage,
            other => panic!("{other:?}"),
        },
        &[],
    ),
    ("flush_segment of a film", |writer, _| usage(writer.flush_segment()), &[]),
    ("observe_readiness", |_, input| usage(input.observe_readiness(|_| ())), &STATES),
    (
        "set twice what cannot be",
        |writer, _| usage(writer.configure(|o| o.movie_fragment_interval = Some(Time::ZERO))),
        &[],
    ),
    (
        "start_writing when started",
        |writer, _| match writer.status() {
            WriterStatus::Unknown => Answer::Usage, // its own test, below
            _ => call(writer.start_writing()),
        },
        &[],
    ),
];

/// A29, AM-1, AW-1, AW-2, AW-3: every call in every state: those that are not allowed are usage errors, and
/// change neither status nor files. Appending to a writer that has failed is no mistake of the client, who
/// cannot know: it answers the failure.
#[test]
fn a29_calls_in_the_wrong_state_are_usage_errors_and_change_nothing() {
    for (name, make, allowed) in CALLS {
        for state in STATES {
            let studio = Studio::empty();
            let (writer, input) = reach(state, &studio);
            let files = studio.files().len();
            let expected = match (name, state) {
                _ if allowed.contains(&state) => Answer::Done,
                ("append", Failed) => Answer::Failure,
                _ => Answer::Usage,
            };
            assert_eq!(make(&writer, &input), expected, "{name} when {state:?}");
            assert_eq!(writer.status(), status_of(state), "{name} when {state:?}");
            if expected == Answer::Usage {
                assert_eq!(studio.files().len(), files, "{name} when {state:?}");
            }
            assert_eq!(writer.error().is_some(), state == Failed);
            if matches!(state, InSession | AfterSession) && expected == Answer::Usage {
                // what was wrong did no harm
                writer.finish_writing_and_wait().unwrap();
                assert_eq!(studio.files(), ["film.mp4"], "{name} when {state:?}");
            }
        }
    }
}

/// A29: what only looks says what is so in every state, and changes nothing.
#[test]
fn a29_looking_changes_nothing() {
    for state in STATES {
        let studio = Studio::empty();
        let (writer, input) = reach(state, &studio);
        let files = studio.files().len();
        assert_eq!(writer.can_add(&AssetWriterInput::passthrough(audio_format())), state == Unknown);
        assert!(!writer.can_add(&input), "it is there already");
        assert!(writer.can_apply(&video_format()) && !writer.available_media_types().is_empty());
        let open = matches!(state, Started | InSession | AfterSession);
        assert_eq!(input.is_ready_for_more_media_data(), open, "{state:?}");
        assert_eq!(input.wait_until_ready(Duration::ZERO), open, "{state:?}");
        assert!(!input.can_perform_multiple_passes());
        // of an input with one pass, too; it stays as it was when the writer ends (AM-4)
        let first = input.current_pass_description().map(|pass| pass.source_time_ranges().to_vec());
        let expected = !matches!(state, Unknown | Failed | Cancelled);
        assert_eq!(first, expected.then(|| vec![TimeRange::EVERYTHING]), "{state:?}");
        assert_eq!(writer.inputs().first(), Some(&input));
        assert_eq!((writer.container(), writer.input_groups().len()), (Container::Mp4, 0));
        assert_eq!(writer.output_file(), studio.path("film.mp4"));
        assert_eq!((writer.status(), studio.files().len()), (status_of(state), files), "{state:?}");
    }
}

/// AW-1: starting, finishing and cancelling, in every state.
#[test]
fn a29_the_ways_between_the_states() {
    for state in STATES {
        let studio = Studio::empty();
        let (writer, _input) = reach(state, &studio);
        let expected = if state == Unknown { Answer::Done } else { Answer::Usage };
        assert_eq!(call(writer.start_writing()), expected, "start when {state:?}");

        let (writer, _input) = reach(state, &studio);
        let (tell, told) = channel();
        let answer = usage(writer.finish_writing(move |ended| tell.send(ended.is_ok()).unwrap()));
        let (expected, ended) = match state {
            Unknown | Finishing | Completed | Cancelled => (Answer::Usage, None),
            // there is no session
            Started | Failed => (Answer::Done, Some(false)),
            InSession | AfterSession => (Answer::Done, Some(true)),
        };
        assert_eq!(answer, expected, "finish when {state:?}");
        // once, or not at all: the sender is gone then
        assert_eq!(told.recv().ok(), ended, "finish when {state:?}");
        assert_eq!(told.recv().ok(), None);

        let (writer, _input) = reach(state, &studio);
        writer.cancel_writing();
        let expected = match state {
            Completed => WriterStatus::Completed,
            Failed => WriterStatus::Failed,
            _ => WriterStatus::Cancelled,
        };
        assert_eq!(writer.status(), expected, "cancel when {state:?}");
        let left = if matches!(state, Completed | Failed) { vec!["film.mp4"] } else { vec![] };
        assert_eq!(studio.files(), left, "cancel when {state:?}");
    }
}

/// Section 16.1: a second session is an error also after the first has ended; so is finishing twice; a writer
/// that is dropped leaves nothing.
#[test]
fn a29_a_writer_is_used_once() {
    let studio = Studio::empty();
    let (writer, input) = reach(AfterSession, &studio);
    assert_eq!(writer.start_session(Time::ZERO).unwrap_err().mistake, Mistake::SecondSession);
    assert!(matches!(
        input.append(picture(9)),
        Err(AppendError::Usage(UsageError { mistake: Mistake::SessionEnded, .. }))
    ));
    drop(writer);
    assert_eq!(studio.files(), Vec::<String>::new());
    assert!(matches!(input.append(picture(9)), Err(AppendError::Usage(_))));
    assert!(!input.is_ready_for_more_media_data());

    let (writer, _input) = reach(Started, &studio);
    let Err(CallError::Failed(error)) = writer.finish_writing_and_wait() else { panic!("finished") };
    assert_eq!(error.code(), -11800);
    assert_eq!(writer.status(), WriterStatus::Failed);
}

/// AI-7, AI-8, AI-9: samples in order, of the right kind, with times.
#[test]
fn samples_that_do_not_belong_are_refused() {
    let studio = Studio::empty();
    let (writer, inputs) = started(&studio.path("a.mp4"), &[video_format()]);
    writer.start_session(Time::ZERO).unwrap();
    append(&inputs[0], picture(5));
    let refused = |sample| match inputs[0].append(sample) {
        Err(AppendError::Usage(error)) => error.mistake,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused(picture(5)), Mistake::TimeGoesBack(_)));
    assert!(matches!(
        refused(retake_media::Sample { pts: Time::INDEFINITE, ..picture(6) }),
        Mistake::BadTime(_)
    ));
    inputs[0].mark_as_finished().unwrap();
    inputs[0].mark_as_finished().unwrap();
    assert_eq!(refused(picture(6)), Mistake::InputFinished);
    writer.finish_writing_and_wait().unwrap();
}

/// Section 16.2: a container refuses what it cannot hold, and an input belongs to one writer.
#[test]
fn inputs_that_cannot_be_added() {
    let writer = AssetWriter::new("nowhere.webm", Container::WebM);
    let h264 = AssetWriterInput::passthrough(video_format());
    assert!(
        !writer.can_add(&h264) && matches!(writer.add(&h264).unwrap_err().mistake, Mistake::CannotAdd(_))
    );
    let other = AssetWriter::new("nowhere.mp4", Container::Mp4);
    assert!(other.can_add(&h264));
    other.add(&h264).unwrap();
    let third = AssetWriter::new("nowhere.mov", Container::Mov);
    assert_eq!(third.add(&h264).unwrap_err().mistake, Mistake::Attached);
    assert_eq!(
        h264.append(picture(0)).map_err(|error| error.to_string()).unwrap_err(),
        "append: the writer is not started, and this needs it writing"
    );
}
