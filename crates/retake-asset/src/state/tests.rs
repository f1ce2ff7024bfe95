//! The state of a writer, driven call by call: as tables of input and output, and by random sequences of
//! calls against a model.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

use super::effects::{Awaited, Call, Effect, Observable, Observation};
use super::intake::Refusal;
use super::passes::Shape;
use super::phase::Phase;
use super::track::{Media, TrackId, TrackSetup, TrackSource, TrackTask};
use super::{CurrentPass, Destination, Ending, StoreStep, WriterState};
use crate::types::error::{AppendError, Mistake, UsageError, WriterError};
use crate::types::media::{MediaSample, MediaType};
use proptest::prelude::*;
use retake_libav::{Container, TrackFormat};
use retake_media::{
    Codec, FormatDescription, PixelBufferPool, PixelFormat, Sample, SampleKind, Time, TimeRange,
};
use std::collections::BTreeSet;

fn at(index: i64) -> Time {
    Time::new(index, 24)
}

fn range(from: i64, to: i64) -> TimeRange {
    TimeRange::between(at(from), at(to))
}

fn sample(index: i64) -> MediaSample {
    let (data, kind) = (vec![0], SampleKind::Sync);
    Sample { data, pts: at(index), dts: at(index), duration: Time::INVALID, kind }.into()
}

fn picture(index: i64) -> Media {
    let buffer = PixelBufferPool::new(PixelFormat::I420, 16, 16).take().freeze();
    Media::Picture { time: at(index), shape: Shape::of(&buffer) }
}

fn writer() -> WriterState {
    WriterState::new(Destination { container: Container::Mp4, file: "film.mp4".into(), segments: None })
}

/// A writer with tracks of these sources; an encoded one takes several passes.
fn with_tracks(sources: &[TrackSource]) -> WriterState {
    let mut state = writer();
    for source in sources {
        let format = TrackFormat::Video(FormatDescription::video(Codec::H264, 16, 16));
        let mut setup = TrackSetup::new(*source, MediaType::Video, Some(format));
        setup.options.multi_pass = *source == TrackSource::Pictures;
        state.add_track("add", &setup, false).unwrap();
    }
    state
}

fn started(sources: &[TrackSource]) -> WriterState {
    let mut state = with_tracks(sources);
    state.begin_start().unwrap();
    state.start(Vec::new()).unwrap();
    state.start_session(Time::ZERO).unwrap();
    state.settle();
    state
}

/// What happened, in words short enough for a table.
fn effects(state: &mut WriterState) -> String {
    state.settle();
    let words = state.take_effects().into_iter().map(|effect| match effect {
        Effect::Call(Call::Request(id, number)) => format!("call {} #{number}", id.index()),
        Effect::Call(Call::Observers(id, _)) => format!("observers {}", id.index()),
        Effect::Call(Call::Pass(id, Some(pass))) => {
            format!("pass {} x{}", id.index(), pass.source_time_ranges().len())
        }
        Effect::Call(Call::Pass(id, None)) => format!("no pass {}", id.index()),
        Effect::Wake(id, Awaited::Readiness) => format!("wake {}", id.index()),
        Effect::Wake(id, Awaited::Pass) => format!("wake pass {}", id.index()),
        Effect::Spawn(id) => format!("spawn {}", id.index()),
        Effect::Complete(Ok(())) => "complete".to_owned(),
        Effect::Complete(Err(error)) => format!("complete {}", error.code()),
    });
    words.collect::<Vec<_>>().join(", ")
}

const FIRST: TrackId = TrackId::new(0);
const SECOND: TrackId = TrackId::new(1);

type Input = (&'static str, fn(&mut WriterState) -> String);

fn said(answer: Result<(), UsageError>) -> String {
    answer.err().map_or_else(String::new, |error| format!("refused: {:?}; ", error.mistake))
}

fn play(state: &mut WriterState, table: &[(Input, &str)]) {
    for (number, ((name, input), expected)) in table.iter().enumerate() {
        let answer = input(state);
        let found = answer + &effects(state);
        assert_eq!(found, *expected, "line {number}: {name}");
    }
}

/// A request is called when the track is ready, again when it appended, and not in a hot loop when it did
/// not.
#[test]
fn a_request_is_called_while_it_moves() {
    let mut state = started(&[TrackSource::Samples, TrackSource::Samples]);
    let request: Input = ("request", |state| said(state.request("request", FIRST)));
    let begin: Input = ("its turn", |state| format!("{:?}; ", state.begin_request(FIRST, 1)));
    let append: Input = ("append", |state| {
        let next = i64::try_from(state.track(FIRST).appended).unwrap();
        state.append_sample("append", FIRST, sample(next)).unwrap();
        String::new()
    });
    let other: Input = ("the other moves", |state| {
        let next = i64::try_from(state.track(SECOND).appended).unwrap();
        state.append_sample("append", SECOND, sample(next)).unwrap();
        String::new()
    });
    play(
        &mut state,
        &[
            (request, "call 0 #1"),
            (request, "refused: SecondRequest; "),
            (begin, "Some(0); "),
            (append, ""),
            (
                ("returns", |state| {
                    state.end_request(FIRST, 1, 0);
                    String::new()
                }),
                "call 0 #1",
            ),
            (begin, "Some(1); "),
            (
                ("returns in vain", |state| {
                    state.end_request(FIRST, 1, 1);
                    String::new()
                }),
                "",
            ),
            (other, "call 0 #1"),
            (("finished", |state| said(state.mark_finished(FIRST))), ""),
            (begin, "None; "),
            (request, "refused: InputFinished; "),
        ],
    );
}

/// AM-6, AM-7, AM-12: the passes of a track, with one that hears of them, up to the last sample.
#[test]
fn passes_go_one_after_the_other() {
    let mut state = started(&[TrackSource::Pictures, TrackSource::Samples]);
    let mark: Input = ("mark pass", |state| said(state.mark_pass_finished(FIRST)));
    let task: Input = ("next task", |state| format!("{:?}; ", state.next_task(FIRST)));
    let finish: Input = ("finish the track", |state| said(state.mark_finished(FIRST)));
    fn append(state: &mut WriterState, index: i64) -> String {
        state
            .append_media("append", FIRST, &picture(index))
            .map_or_else(|refusal| format!("{refusal:?}"), |()| String::new())
    }
    play(
        &mut state,
        &[
            (("hear of passes", |state| said(state.respond("respond", FIRST))), "pass 0 x1"),
            (
                ("observe the other", |state| {
                    state.observe(SECOND, Observable::Readiness);
                    String::new()
                }),
                "",
            ),
            (("frame 0", |state| append(state, 0)), ""),
            (("frame 1", |state| append(state, 1)), ""),
            (mark, "spawn 0"),
            (mark, "refused: NoPass; "),
            (finish, "refused: NoPass; "),
            (task, "Some(EndPass); "),
            (
                ("wants frame 1", |state| {
                    state.pass_ended(FIRST, Ok(Some(vec![range(1, 2)])));
                    String::new()
                }),
                "pass 0 x1",
            ),
            (task, "None; "),
        ],
    );
    assert_eq!(state.mark_pass_finished(FIRST).unwrap_err().mistake, Mistake::FrameMissing(at(1)));
    play(
        &mut state,
        &[
            (("frame 1", |state| append(state, 1)), ""),
            (mark, "spawn 0"),
            (task, "Some(EndPass); "),
            (
                ("is satisfied", |state| {
                    state.pass_ended(FIRST, Ok(None));
                    String::new()
                }),
                "no pass 0",
            ),
            (mark, "refused: NoPass; "),
            // who ended the pass is still there, and finds the next task
            (finish, "observers 1"),
            (task, "Some(Drain); "),
            (
                ("drained", |state| {
                    state.drained(FIRST, Ok(()));
                    String::new()
                }),
                "",
            ),
            (task, "None; "),
            (
                ("observation", |state| {
                    let [first, then] =
                        [(); 2].map(|()| state.next_observation(SECOND, Observable::Readiness));
                    format!("{first:?} {then:?}; ")
                }),
                "Some(Flag(true)) None; ",
            ),
        ],
    );
}

/// Section 16.1: every call that ends a writer, in every phase: what it answers, and the phase that follows.
#[test]
fn ends_in_every_phase() {
    let full = || WriterError::NoSession;
    type Make = fn() -> Phase;
    let phases: [(&str, Make); 10] = [
        ("idle", || Phase::Idle),
        ("starting", || Phase::Starting),
        ("writing", || Phase::Writing),
        ("finishing", || Phase::Finishing),
        ("cancelling", || Phase::Cancelling),
        ("failing", || Phase::Failing { error: WriterError::NoSession, finishing: false }),
        ("failing at the end", || Phase::Failing { error: WriterError::NoSession, finishing: true }),
        ("completed", || Phase::Completed),
        ("failed", || Phase::Failed(WriterError::NoSession)),
        ("cancelled", || Phase::Cancelled),
    ];
    let name = |phase: &Phase| {
        let found = phases.iter().find(|(_, make)| format!("{:?}", make()) == format!("{phase:?}"));
        found.map_or("another", |(name, _)| name)
    };
    // finish, cancel, fail, end of the work; "-" where nothing changes, "!" where the call is refused
    let expected = [
        ["!", "cancelled", "-", "completed"],
        ["!", "cancelled", "-", "completed"],
        ["finishing", "cancelling", "failing", "completed"],
        ["!", "cancelling", "failing at the end", "completed"],
        ["!", "-", "-", "cancelled"],
        ["failing at the end", "-", "-", "completed"],
        ["!", "-", "-", "completed"],
        ["!", "-", "-", "-"],
        ["-", "-", "-", "-"],
        ["!", "-", "-", "-"],
    ];
    for ((from, make), row) in phases.iter().zip(expected) {
        for (call, expected) in ["finish", "cancel", "fail", "end"].into_iter().zip(row) {
            let mut state = with_tracks(&[TrackSource::Samples]);
            if make().has_started() {
                state = started(&[TrackSource::Samples]);
            }
            state.phase = make();
            let before = make().is_over();
            let refused = match call {
                "finish" => state.finish().is_err(),
                "cancel" => {
                    state.cancel();
                    false
                }
                "fail" => {
                    state.fail(full());
                    false
                }
                _ => {
                    state.end(Ending::Completed(Vec::new()));
                    false
                }
            };
            let found = match name(state.phase()) {
                _ if refused => "!",
                name if name == *from => "-",
                name => name,
            };
            assert_eq!(found, expected, "{call} when {from}");
            let completions = effects(&mut state).matches("complete").count();
            let ended = !before && state.phase().is_over();
            let asked_late = call == "finish" && *from == "failed";
            assert_eq!(completions, usize::from(ended || asked_late), "{call} when {from}");
        }
    }
}

/// While encoders are being opened it is too late for a track or a group: what came then would be left
/// without an encoder. Media cannot come yet either, and who cancels has cancelled.
#[test]
fn nothing_is_set_up_while_it_starts() {
    let mut state = with_tracks(&[TrackSource::Samples]);
    let late = TrackSetup::new(TrackSource::Pictures, MediaType::Video, None);
    state.begin_start().unwrap();
    assert!(state.add_track("add", &late, false).is_err());
    assert!(state.configure_track("configure", FIRST, |_| Ok(())).is_err());
    assert!(state.add_group("add_group", &[], None).is_err());
    assert!(state.configure("configure", state.options().clone()).is_err());
    assert!(state.begin_start().is_err());
    assert!(matches!(
        state.append_sample("append", FIRST, sample(0)),
        Err(AppendError::Usage(UsageError { mistake: Mistake::Status { .. }, .. }))
    ));
    assert!(state.cancel());
    assert!(state.start(Vec::new()).is_err(), "it was cancelled meanwhile");
    assert_eq!(effects(&mut state), format!("complete {}", WriterError::Cancelled.code()));
}

/// One call of a client, or one step of what runs beside it.
#[derive(Debug, Clone)]
enum Step {
    /// The next sample or frame, or one so far from it.
    Append(usize, i64),
    MarkPass(usize),
    MarkFinished(usize),
    Request(usize),
    /// The block that is out begins, or returns.
    Turn(usize),
    Observe(usize),
    Tell(usize),
    AwaitReadiness(usize),
    AwaitPass(usize),
    Respond(usize),
    /// Whoever works for the track does a bit.
    Work(usize),
    Store,
    StartSession,
    EndSession,
    Finish,
    Cancel,
    Fail,
}

fn step() -> impl Strategy<Value = Step> {
    let track = || 0usize..3;
    prop_oneof![
        30 => (track(), prop::sample::select(vec![0, 0, 0, 0, 0, 0, 1, -1, 5])).prop_map(|(track, off)| Step::Append(track, off)),
        6 => track().prop_map(Step::MarkPass),
        1 => track().prop_map(Step::MarkFinished),
        3 => track().prop_map(Step::Request),
        6 => track().prop_map(Step::Turn),
        2 => track().prop_map(Step::Observe),
        4 => track().prop_map(Step::Tell),
        3 => track().prop_map(Step::AwaitReadiness),
        2 => track().prop_map(Step::AwaitPass),
        1 => track().prop_map(Step::Respond),
        12 => track().prop_map(Step::Work),
        12 => Just(Step::Store),
        2 => Just(Step::StartSession),
        1 => prop::sample::select(vec![Step::EndSession, Step::Finish, Step::Cancel, Step::Fail]),
    ]
}

/// What a track should be, as far as a client can know it.
#[derive(Debug, Default)]
struct Model {
    encoded: bool,
    /// What came in the first pass, or at all, and what of it came in this one.
    came: Vec<i64>,
    in_pass: Vec<i64>,
    /// What a later pass asks for.
    ranges: Option<Vec<(i64, i64)>>,
    passes: u32,
    /// Who works for the track, and at what.
    works: bool,
    task: Option<TrackTask>,
    to_drain: Option<Vec<i64>>,
    stored: Vec<i64>,
    /// The call that is out, and the one that runs, with how much had come before it.
    out: Option<u64>,
    running: Option<(u64, u64)>,
    observed: bool,
    telling: bool,
    heard: bool,
    responds: bool,
    awaits_readiness: bool,
    awaits_pass: bool,
}

impl Model {
    /// The frames of this pass, all of which have to come.
    fn wanted(&self) -> Vec<i64> {
        let ranges = self.ranges.as_ref().unwrap();
        let inside = |index: &i64| ranges.iter().any(|(from, to)| (*from..*to).contains(index));
        self.came.iter().copied().filter(inside).collect()
    }

    /// The next frame that can come.
    fn next(&self) -> i64 {
        match &self.ranges {
            None => self.came.last().map_or(0, |last| last + 2),
            Some(_) => self.wanted().get(self.in_pass.len()).copied().unwrap_or(99_999),
        }
    }

    /// What a frame is told, if nothing but the frame is wrong.
    fn verdict(&self, index: i64) -> Option<Mistake> {
        let last = if self.ranges.is_none() { self.came.last() } else { self.in_pass.last() };
        if last.is_some_and(|last| index <= *last) {
            return Some(Mistake::TimeGoesBack(at(index)));
        }
        let ranges = self.ranges.as_ref()?;
        if !ranges.iter().any(|(from, to)| (*from..*to).contains(&index)) {
            return Some(Mistake::OutsidePass(at(index)));
        }
        if !self.came.contains(&index) {
            return Some(Mistake::NotTheSame(at(index)));
        }
        (self.next() < index).then(|| Mistake::FrameMissing(at(self.next())))
    }
}

/// The state, and a model of the world around it: the workers that would run, the blocks that would be
/// called.
struct World {
    state: WriterState,
    tracks: Vec<Model>,
    opened: bool,
    asked: bool,
    completions: usize,
    failed: bool,
}

impl World {
    fn new(multi_pass: bool) -> Self {
        let sources = [TrackSource::Samples, TrackSource::Samples, TrackSource::Pictures];
        let mut state = with_tracks(&sources);
        state.tracks[2].setup.options.multi_pass = multi_pass;
        state.begin_start().unwrap();
        state.start(Vec::new()).unwrap();
        let model = |source: &TrackSource| Model {
            encoded: *source == TrackSource::Pictures,
            passes: 1,
            ..Model::default()
        };
        let tracks = sources.iter().map(model).collect();
        Self { state, tracks, opened: false, asked: false, completions: 0, failed: false }
    }

    /// Takes in what has to be done, and holds it against the model.
    fn settle(&mut self) {
        self.state.settle();
        let open = self.state.phase().is_open();
        for effect in self.state.take_effects() {
            match effect {
                Effect::Call(Call::Request(id, number)) => {
                    let track = &mut self.tracks[id.index()];
                    assert!(open, "nobody is called for media when none is taken");
                    assert!(track.running.is_none_or(|(running, _)| running != number), "one call at a time");
                    assert!(track.out.replace(number) != Some(number), "one call at a time");
                }
                Effect::Call(Call::Observers(id, _)) => {
                    let track = &mut self.tracks[id.index()];
                    assert!(
                        track.observed && !std::mem::replace(&mut track.telling, true),
                        "one tells at a time"
                    );
                }
                Effect::Call(Call::Pass(id, _)) => {
                    assert!(self.tracks[id.index()].responds, "nobody hears of passes who did not ask");
                }
                Effect::Wake(id, Awaited::Readiness) => {
                    assert!(std::mem::take(&mut self.tracks[id.index()].awaits_readiness), "woken once");
                }
                Effect::Wake(id, Awaited::Pass) => {
                    assert!(std::mem::take(&mut self.tracks[id.index()].awaits_pass), "woken once");
                }
                Effect::Spawn(id) => {
                    let works = &mut self.tracks[id.index()].works;
                    assert!(!std::mem::replace(works, true), "one works for a track at a time");
                }
                Effect::Complete(outcome) => {
                    assert!(self.state.phase().is_over(), "told when it is over");
                    assert_eq!(outcome.is_ok(), matches!(self.state.phase(), Phase::Completed));
                    self.completions += 1;
                }
            }
        }
        for (id, track) in self.state.track_ids().zip(&self.tracks) {
            let ready = self.state.track(id).readiness.is_ready();
            let passes = &self.state.track(id).passes;
            assert!(!ready || open && passes.is_open(), "ready only for what would be taken");
            assert!(!track.awaits_readiness || open && passes.is_open() && !ready, "no future waits in vain");
            assert!(!track.awaits_pass || open && passes.is_deciding(), "no future waits in vain");
            assert_eq!(self.state.has_tasks(), self.tracks.iter().any(|track| track.works));
        }
    }

    /// A call that is refused leaves all as it was.
    fn refusable<T, E>(&mut self, call: impl FnOnce(&mut WriterState) -> Result<T, E>) -> Result<T, E> {
        let before = format!("{:?}", self.state);
        let answer = call(&mut self.state);
        if answer.is_err() {
            assert_eq!(format!("{:?}", self.state), before, "what is refused changes nothing");
        }
        answer
    }

    fn append(&mut self, index: usize, off: i64) {
        let id = TrackId::new(index);
        let time = self.tracks[index].next() + off;
        let ready = self.state.track(id).readiness.is_ready();
        let may = self.state.phase().is_open() && self.state.track(id).passes.is_open();
        let session = matches!(self.state.session(), super::Session::Started { .. });
        let refusal = match self.tracks[index].encoded {
            true => self.refusable(|state| state.append_media("append", id, &picture(time))).err(),
            false => match self.refusable(|state| state.append_sample("append", id, sample(time))) {
                Ok(()) => None,
                Err(AppendError::NotReady(back)) => {
                    assert_eq!(*back, sample(time), "it is given back as it was");
                    Some(Refusal::NotReady)
                }
                Err(AppendError::Usage(error)) => Some(Refusal::Usage(error)),
                Err(AppendError::Failed(error)) => Some(Refusal::Failed(error)),
            },
        };
        let track = &mut self.tracks[index];
        match refusal {
            None => {
                assert!(may && session && ready);
                assert_eq!(track.verdict(time), None);
                if track.ranges.is_none() {
                    track.came.push(time);
                }
                track.in_pass.push(time);
            }
            Some(Refusal::NotReady) => assert!(may && session && !ready && track.verdict(time).is_none()),
            Some(Refusal::Failed(_)) => assert!(self.state.phase().error().is_some()),
            Some(Refusal::Usage(error)) if may && session => {
                assert_eq!(Some(error.mistake), track.verdict(time));
            }
            Some(Refusal::Usage(_)) => assert!(self.state.phase().error().is_none()),
        }
    }

    /// What the worker of a track does: it takes a task, or does a bit of the one that it has.
    fn work(&mut self, index: usize) {
        let id = TrackId::new(index);
        if !self.tracks[index].works {
            return;
        }
        match self.tracks[index].task {
            None => {
                let task = self.state.next_task(id);
                let track = &mut self.tracks[index];
                (track.task, track.works) = (task, task.is_some());
                if task == Some(TrackTask::Drain) {
                    track.to_drain = Some(track.came.iter().rev().copied().collect());
                }
            }
            Some(TrackTask::EndPass) => {
                let track = &mut self.tracks[index];
                track.task = None;
                let count = track.came.len() as i64 * 2;
                // the middle, then the beginning, then nothing
                let wanted = match track.passes {
                    1 => Some((count / 3, count * 2 / 3)),
                    2 => Some((0, count / 3)),
                    _ => None,
                };
                let wanted = wanted.filter(|(from, to)| from < to);
                let finished = self.state.track(id).passes.is_finished();
                if !finished {
                    track.ranges = wanted.map(|range| vec![range]).or(track.ranges.take());
                    (track.passes, track.in_pass) = (track.passes + 1, Vec::new());
                }
                let ranges = wanted.map(|(from, to)| vec![range(from, to)]);
                self.state.pass_ended(id, Ok(ranges));
            }
            Some(TrackTask::Drain) => match self.tracks[index].to_drain.as_mut().unwrap().last().copied() {
                None => {
                    self.tracks[index].task = None;
                    self.state.drained(id, Ok(()));
                }
                Some(next) => match self.state.wants_encoded(id) {
                    None => {}
                    Some(true) => {
                        self.tracks[index].to_drain.as_mut().unwrap().pop();
                        self.state.push_encoded(id, sample(next));
                    }
                    Some(false) => {
                        self.tracks[index].task = None;
                        self.state.drained(id, Ok(()));
                    }
                },
            },
        }
    }

    /// What the worker that stores does.
    fn store(&mut self) {
        if self.state.phase().is_over() {
            return;
        }
        match self.state.next_store_step(self.opened) {
            None => {}
            Some(StoreStep::Open) => self.opened = true,
            Some(StoreStep::Store(batch)) => {
                assert!(!batch.is_empty());
                for (track, sample) in batch {
                    self.tracks[track].stored.push(sample.sample.dts.value());
                }
            }
            Some(StoreStep::Finish(_)) => self.state.end(Ending::Completed(Vec::new())),
            Some(StoreStep::Fail(error)) => self.state.end(Ending::Failed(error)),
        }
    }

    fn take(&mut self, step: &Step) {
        let over = self.state.phase().is_over();
        match *step {
            Step::Append(track, off) => self.append(track, off),
            Step::MarkPass(index) => {
                let may =
                    self.state.phase().is_running() && self.state.track(TrackId::new(index)).passes.is_open();
                let missing = self.tracks[index].ranges.is_some() && self.tracks[index].next() != 99_999;
                let answer = self.refusable(|state| state.mark_pass_finished(TrackId::new(index)));
                assert_eq!(answer.is_ok(), over || may && !missing, "{answer:?}");
            }
            Step::MarkFinished(index) => {
                let _ = self.refusable(|state| state.mark_finished(TrackId::new(index)));
            }
            Step::Request(index) => {
                let _ = self.refusable(|state| state.request("request", TrackId::new(index)));
            }
            Step::Turn(index) => {
                let (id, track) = (TrackId::new(index), &mut self.tracks[index]);
                if let Some((number, before)) = track.running.take() {
                    self.state.end_request(id, number, before);
                } else if let Some(number) = track.out.take() {
                    let before = self.state.begin_request(id, number);
                    track.running = before.map(|before| (number, before));
                }
            }
            Step::Observe(index) => {
                // what it hears first is what is other than now
                if !std::mem::replace(&mut self.tracks[index].observed, true) {
                    self.tracks[index].heard = self.state.track(TrackId::new(index)).readiness.is_ready();
                }
                self.state.observe(TrackId::new(index), Observable::Readiness);
            }
            Step::Tell(index) => self.tell(index),
            Step::AwaitReadiness(index) => {
                self.tracks[index].awaits_readiness = true;
                self.state.await_readiness(TrackId::new(index));
            }
            Step::AwaitPass(index) => {
                let current = self.state.current_pass("next", TrackId::new(index));
                self.tracks[index].awaits_pass |= matches!(current, CurrentPass::Deciding);
            }
            Step::Respond(index) => {
                let answer = self.refusable(|state| state.respond("respond", TrackId::new(index)));
                self.tracks[index].responds |= answer.is_ok();
            }
            Step::Work(index) => self.work(index),
            Step::Store => self.store(),
            Step::StartSession => drop(self.refusable(|state| state.start_session(Time::ZERO))),
            Step::EndSession => drop(self.refusable(|state| state.end_session(at(1000)))),
            Step::Finish => {
                let before = self.completions;
                let answer = self.refusable(WriterState::finish);
                self.asked |= answer.is_ok();
                self.settle();
                let late = over && answer.is_ok();
                assert_eq!(self.completions - before, usize::from(late), "who asks late hears at once");
                self.completions = before;
            }
            Step::Cancel => drop(self.state.cancel()),
            Step::Fail => {
                self.failed |= self.state.phase().is_running();
                self.state.fail(WriterError::Panicked("the world"));
            }
        }
        self.settle();
    }

    fn tell(&mut self, index: usize) {
        if self.tracks[index].telling {
            match self.state.next_observation(TrackId::new(index), Observable::Readiness) {
                Some(Observation::Pass(_)) => unreachable!("readiness is a flag"),
                Some(Observation::Flag(ready)) => {
                    let heard = std::mem::replace(&mut self.tracks[index].heard, ready);
                    assert_ne!(heard, ready, "what is heard is other than before");
                }
                None => self.tracks[index].telling = false,
            }
        }
    }

    /// Lets everything come to its end.
    fn finish(&mut self) {
        self.take(&Step::Finish);
        for round in 0.. {
            assert!(round < 20_000, "somebody can always move: {:?}", self.state.phase());
            (0..self.tracks.len()).for_each(|track| self.take(&Step::Work(track)));
            self.take(&Step::Store);
            (0..self.tracks.len()).for_each(|track| self.take(&Step::Tell(track)));
            let telling = self.tracks.iter().any(|track| track.works || track.telling);
            if self.state.phase().is_over() && !telling {
                break;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any calls in any order, while blocks, workers of tracks and the one that stores make their steps: what
    /// is refused changes nothing, what is taken is stored once and in order, nobody is called twice at a
    /// time or after the end, and it ends, which is told once.
    #[test]
    fn whatever_is_called_in_whatever_order(steps in prop::collection::vec(step(), 0..200),
                                          multi_pass in any::<bool>(), session in prop::bool::weighted(0.9)) {
        let mut world = World::new(multi_pass);
        if session {
            world.take(&Step::StartSession);
        }
        steps.iter().for_each(|step| world.take(step));
        world.finish();
        prop_assert_eq!(world.completions, 1, "the end is told once");
        for (id, track) in world.state.track_ids().zip(&world.tracks) {
            prop_assert_eq!(track.heard && track.observed, false, "the last that is heard is that it is over");
            let unique: BTreeSet<i64> = track.stored.iter().copied().collect();
            prop_assert_eq!(unique.len(), track.stored.len(), "nothing is stored twice");
            prop_assert!(track.stored.is_sorted(), "a track is stored in its order");
            prop_assert!(!world.state.track(id).readiness.is_ready());
            if matches!(world.state.phase(), Phase::Completed) {
                prop_assert!(!world.failed);
                prop_assert_eq!(&track.stored, &track.came, "what was taken is in the film");
            }
        }
        // and it stays so
        let before = world.completions;
        for step in steps {
            world.take(&step);
            prop_assert!(world.state.phase().is_over());
            prop_assert_eq!(world.completions, before);
        }
    }
}
