//! Sessions without anything around them: tables of what is asked of a core and what it answers, and every
//! rule that holds for all orders of calls.

use super::{
    Admission, Command, Core, Effect, PassKind, Passes, Patience, Phase, QueuedFrame, Report, Request,
    Submission,
};
use crate::encoder::{ControlSupport, EncoderError, EncoderInfo, FrameOptions, QualityScale};
use crate::property::{DataRateLimit, Property};
use crate::session::derive::Hints;
use crate::session::setup::Setup;
use crate::session::{Emission, NextPass, SessionError};
use proptest::prelude::*;
use retake_media::{
    Codec, FormatDescription, PixelBuffer, PixelBufferPool, PixelFormat, Sample, SampleAttachments,
    SampleBuffer, SampleKind, Time,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// What is asked of a session, by the number of a frame: it comes at as many tenths of a second.
#[derive(Debug, Clone)]
enum Ask {
    Set(Property),
    Prepare,
    /// The answer to what was prepared, or ended.
    Answer,
    Submit(i64),
    /// By a caller that has waited for the time of a frame.
    SubmitLate(i64),
    /// By a handler.
    SubmitInside(i64),
    SubmitWith(i64, Time, FrameOptions),
    /// What is pending.
    Pending,
    Complete,
    CompleteUntil(i64),
    EndEncode,
    Begin(PassKind),
    /// Ends the pass, with all that happens outside.
    End(PassKind),
    Invalidate,
    /// Whoever encodes asks for something to do …
    Next,
    /// … and reports.
    Opened,
    NotOpened,
    Sample(u64),
    Refused(u64),
    Dropped(u64),
    Out(u64),
    Ended,
    Failed,
    /// The outcomes of all that have none, when the session is over.
    Rest,
}

use Ask::*;

fn setup() -> Arc<Setup> {
    let controls = ControlSupport {
        base_qp: true,
        qp_bounds: Some((0, 51)),
        rate_limit: true,
        ..ControlSupport::default()
    };
    Arc::new(Setup {
        info: EncoderInfo {
            name: "x264",
            codec: Codec::H264,
            version: "1".into(),
            formats: vec![PixelFormat::I420],
            presets: Vec::new(),
            default_preset: "",
            quality: QualityScale { min: 0.0, max: 51.0, step: 0.1, usual: 23.0 },
            reconstructs: false,
            steers: false,
            reorders: true,
            licence: "MIT",
            controls,
        },
        low_latency: false,
        width: 2,
        height: 2,
        transfers: false,
        metrics: Vec::new(),
    })
}

fn picture() -> PixelBuffer {
    static PICTURE: OnceLock<PixelBuffer> = OnceLock::new();
    let make = || PixelBufferPool::new(PixelFormat::I420, 2, 2).create_buffer().unwrap().freeze();
    PICTURE.get_or_init(make).clone()
}

fn format() -> Arc<FormatDescription> {
    Arc::new(FormatDescription::video(Codec::H264, 2, 2))
}

fn at(frame: i64) -> Time {
    Time::new(frame, 10)
}

/// What a session came to: a core, and whoever asks and answers.
struct Play {
    core: Core<i64>,
    request: Option<Request>,
    /// Frames that were given to be encoded, by number.
    given: BTreeMap<u64, (Time, i64)>,
    /// Those of them that [`encode`] has not put out.
    inside: Vec<u64>,
}

impl Play {
    fn new() -> Self {
        Self { core: Core::new(setup()), request: None, given: BTreeMap::new(), inside: Vec::new() }
    }

    /// A session that was opened.
    fn opened() -> Self {
        let mut play = Self::new();
        play.run(&[(Prepare, "asked"), (Next, "open"), (Opened, "wake"), (Answer, "ok")]);
        play
    }

    /// A session of several passes that are held in memory.
    fn with_passes() -> Self {
        let mut play = Self::opened();
        play.core.set_passes(Some(Passes::new(setup().info.quality, None)));
        play
    }

    fn run(&mut self, table: &[(Ask, &str)]) {
        for (line, (ask, expected)) in table.iter().enumerate() {
            let answer = self.ask(ask.clone());
            assert_eq!(answer, *expected, "line {line}: {ask:?}");
        }
    }

    fn ask(&mut self, ask: Ask) -> String {
        let code = |error: SessionError| error.code().to_string();
        let word = |result: Result<&str, SessionError>| result.map_or_else(code, str::to_owned);
        let usual = FrameOptions::default();
        match ask {
            Set(property) => {
                let proposed = self.core.propose(&[(property.key(), Some(property.value()))], false);
                word(proposed.map(|values| self.core.commit(values)).map(|()| "set"))
            }
            Prepare => word(self.core.open(Hints::default()).map(|request| {
                self.request = request.or(self.request);
                if request.is_some() { "asked" } else { "open already" }
            })),
            Answer => match self.request.and_then(|request| self.core.take_answer(request)) {
                Some(answer) => word(answer.map(|()| "ok")),
                None => "none yet".to_owned(),
            },
            Submit(frame) => self.submit(frame, at(1), usual, Patience::Patient),
            SubmitLate(frame) => self.submit(frame, at(1), usual, Patience::Exhausted),
            SubmitInside(frame) => self.submit(frame, at(1), usual, Patience::Reentrant),
            SubmitWith(frame, duration, options) => self.submit(frame, duration, options, Patience::Patient),
            Pending => self.core.pending().to_string(),
            Complete => self.complete(Time::INVALID),
            CompleteUntil(frame) => self.complete(at(frame)),
            EndEncode => word(self.core.end_encode().map(|request| {
                self.request = Some(request);
                "asked"
            })),
            Begin(kind) => {
                word(self.core.next_pass().and_then(|_| self.core.begin_pass(kind)).map(|()| "begun"))
            }
            End(kind) => self.end_pass(kind).map_or_else(code, |next| match next {
                NextPass::Finished => "finished".to_owned(),
                NextPass::Undecided => "undecided".to_owned(),
                NextPass::Requested(ranges) => {
                    let tenths = |time: Time| time.convert_scale(10).value();
                    let text: Vec<String> = ranges
                        .iter()
                        .map(|range| format!("{}-{}", tenths(range.start), tenths(range.end())))
                        .collect();
                    format!("requested {}", text.join(", "))
                }
            }),
            Invalidate => {
                self.core.invalidate();
                "done".to_owned()
            }
            Next => match self.core.next_command() {
                None => "nothing".to_owned(),
                Some(Command::Open { request, .. }) => {
                    self.request = Some(request);
                    "open".to_owned()
                }
                Some(Command::BeginUnit { start, .. }) => match start.quality {
                    Some(_) => format!("begin a unit of {} frames", start.frames),
                    None => "begin".to_owned(),
                },
                Some(Command::Encode(frame)) => {
                    let QueuedFrame { number, pts, .. } = *frame;
                    self.given.insert(number, (pts, pts.convert_scale(10).value()));
                    format!("encode {number}")
                }
                Some(Command::Skip(number)) => format!("skip {number}"),
                Some(Command::Drain) => "drain".to_owned(),
            },
            Opened => self.report(Report::Opened { request: self.request.unwrap(), result: Ok(()) }),
            NotOpened => {
                let (encoder, reason) = ("x264", String::new());
                let result = Err(EncoderError::Open { encoder, reason }.into());
                self.report(Report::Opened { request: self.request.unwrap(), result })
            }
            Sample(number) => self.sample(number, 100),
            Refused(number) => {
                let error = SessionError::PixelTransferNotSupported(String::new());
                self.report(Report::Refused { number, error })
            }
            Dropped(number) => self.report(Report::Dropped(number)),
            Out(number) => self.report(Report::Out(number)),
            Ended => self.report(Report::Ended),
            Failed => {
                let (encoder, frame, reason) = ("x264", 0, String::new());
                self.report(Report::Failed(EncoderError::Malfunction { encoder, frame, reason }.into()))
            }
            Rest => {
                let rest = self.core.rest();
                said(&rest)
            }
        }
    }

    fn submit(&mut self, frame: i64, duration: Time, options: FrameOptions, patience: Patience) -> String {
        let submission =
            Submission { picture: picture(), pts: at(frame), duration, options, hash: 0, token: frame };
        match self.core.submit(submission, patience) {
            Err(error) => error.code().to_string(),
            Ok(Admission::Accepted { dropped: true, .. }) => "dropped".to_owned(),
            Ok(Admission::Accepted { due: Some(due), .. }) => format!("accepted, {due} is due"),
            Ok(Admission::Accepted { .. }) => "accepted".to_owned(),
            Ok(Admission::Full(_)) => "full".to_owned(),
            Ok(Admission::Unopened(_)) => "unopened".to_owned(),
        }
    }

    fn complete(&mut self, until: Time) -> String {
        match self.core.drain(until) {
            Err(error) => error.code().to_string(),
            Ok(None) => "nothing to wait for".to_owned(),
            Ok(Some(until)) => format!("wait for {until}"),
        }
    }

    /// The end of a pass as the shell makes it, but for the storage.
    fn end_pass(&mut self, kind: PassKind) -> Result<NextPass, SessionError> {
        let (mut passes, goal) = self.core.end_pass()?;
        let ended = passes.end(kind, &goal).map(|end| passes.conclude(end));
        if ended.is_err() {
            passes.abandon();
        }
        self.core.pass_ended(passes)?;
        ended
    }

    fn sample(&mut self, number: u64, bytes: usize) -> String {
        let (pts, frame) = self.given.get(&number).copied().unwrap_or((at(0), 0));
        let kind = if frame % 10 == 0 { SampleKind::Sync } else { SampleKind::Reference };
        let sample = Sample { data: vec![0; bytes], pts, dts: pts, duration: at(1), kind };
        let attachments = SampleAttachments::default();
        let buffer = Box::new(SampleBuffer { sample, format: format(), attachments });
        self.report(Report::Sample { number, buffer, qp: 25.0 })
    }

    fn report(&mut self, report: Report) -> String {
        let effects = self.core.report(report);
        said(&effects)
    }
}

/// Effects in words: the number of the frame, its token if that is another one, and its outcome.
fn said(effects: &[Effect<i64>]) -> String {
    let words: Vec<String> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Record(_) => "record".to_owned(),
            Effect::Wake => "wake".to_owned(),
            Effect::Deliver { number, outcome } => {
                let result = match &outcome.result {
                    Ok(Emission::Sample { .. }) => "sample".to_owned(),
                    Ok(Emission::Dropped) => "dropped".to_owned(),
                    Err(error) => error.code().to_string(),
                };
                assert_eq!(outcome.pts, at(outcome.token), "EF-5: the token comes back with its frame");
                format!("{number} {result}")
            }
        })
        .collect();
    words.join(", ")
}

fn forced() -> FrameOptions {
    FrameOptions { force_key_frame: true, ..FrameOptions::default() }
}

/// CS-5, CS-7, CS-9, EF-6: from the first frame, which opens the encode, to the end of the encode.
#[test]
fn a_session_from_its_first_frame_to_its_end() {
    Play::new().run(&[
        (Next, "nothing"),
        (Submit(0), "unopened"),
        (Prepare, "asked"),
        (Answer, "none yet"),
        (Next, "open"),
        (Opened, "wake"),
        (Answer, "ok"),
        (Prepare, "open already"),
        (Submit(0), "accepted"),
        (Submit(1), "accepted"),
        (Next, "encode 0"),
        (Next, "encode 1"),
        (Next, "nothing"),
        (Sample(0), "0 sample"),
        (Pending, "2"),
        (Out(0), "wake"),
        (Pending, "1"),
        (Complete, "wait for 1"),
        (Next, "drain"),
        (Next, "nothing"),
        (Sample(1), "1 sample"),
        (Out(1), "wake"),
        (Ended, "wake"),
        (Complete, "nothing to wait for"),
        (EndEncode, "asked"),
        (Next, "drain"),
        (Answer, "none yet"),
        (Ended, "wake"),
        (Answer, "ok"),
        (Submit(2), "accepted"),
        (Next, "encode 2"),
    ]);
}

/// CS-5: an encoder that does not open leaves a session that can be set otherwise, and refuses the
/// frame that would have opened it.
#[test]
fn an_encoder_that_does_not_open() {
    Play::new().run(&[
        (Prepare, "asked"),
        (Next, "open"),
        (NotOpened, "wake"),
        (Answer, "-12907"),
        (Submit(0), "unopened"),
        (Set(Property::MaxKeyFrameInterval(9)), "set"),
        (Set(Property::AllowTemporalCompression(true)), "set"),
        (Prepare, "asked"),
        (Next, "open"),
        (Opened, "wake"),
        (Answer, "ok"),
        (Set(Property::AllowTemporalCompression(false)), "-12902"),
        (Set(Property::MaxKeyFrameInterval(10)), "set"),
    ]);
}

/// CS-7: two callers who open the session at once both have their answer, from one encode; a session that
/// nothing was opened in ends at once.
#[test]
fn two_callers_who_open() {
    let mut play = Play::new();
    let requests = [(); 2].map(|()| play.core.open(Hints::default()).unwrap().unwrap());
    play.run(&[(Next, "open"), (Opened, "wake"), (Next, "nothing")]);
    for request in requests {
        assert_eq!(play.core.take_answer(request), Some(Ok(())));
        assert_eq!(play.core.take_answer(request), None, "an answer is had once");
    }
    Play::new().run(&[(EndEncode, "asked"), (Next, "nothing"), (Answer, "ok")]);
}

/// EF-1, EF-2, A4, resolution 18: a frame that is refused has no outcome, and those after it are not
/// disturbed.
#[test]
fn frames_that_are_refused() {
    let quantizer = |base_qp| FrameOptions { base_qp: Some(base_qp), ..FrameOptions::default() };
    let refresh = FrameOptions { refresh: true, ..FrameOptions::default() };
    let mut play = Play::opened();
    play.run(&[
        (Submit(5), "accepted"),
        (Submit(5), "-12902"),
        (Submit(4), "-12902"),
        (SubmitWith(6, Time::INDEFINITE, FrameOptions::default()), "-12902"),
        (SubmitWith(6, Time::new(-1, 10), FrameOptions::default()), "-12902"),
        (SubmitWith(6, at(1), refresh), "-12902"),
        (SubmitWith(6, at(1), quantizer(9)), "-12902"),
        (SubmitWith(6, at(1), quantizer(99)), "-12902"),
        (Pending, "1"),
        (SubmitWith(6, Time::INVALID, forced()), "accepted"),
        (Next, "encode 0"),
        (Next, "encode 1"),
        (Next, "nothing"),
    ]);
    let submission = Submission {
        picture: picture(),
        pts: Time::POSITIVE_INFINITY,
        duration: at(1),
        options: FrameOptions::default(),
        hash: 0,
        token: 0,
    };
    assert_eq!(play.core.submit(submission, Patience::Patient).unwrap_err().code(), -12902);
}

/// EF-12, EF-7, T-5, resolution 17: a full queue makes callers wait. In real time a frame that has waited
/// long enough is dropped instead; its outcome comes in its turn, and its time is used up.
#[test]
fn frames_are_dropped_in_real_time_alone() {
    for real_time in [false, true] {
        let mut play = Play::opened();
        play.run(&[(Set(Property::RealTime(real_time)), "set")]);
        (0..4).for_each(|frame| assert_eq!(play.ask(Submit(frame)), "accepted"));
        play.run(&[(Submit(4), "full")]);
        if !real_time {
            play.run(&[
                (SubmitLate(4), "full"),
                (Next, "encode 0"),
                (SubmitLate(4), "accepted"),
                (Submit(5), "full"),
            ]);
            continue;
        }
        play.run(&[
            (SubmitLate(4), "dropped"),
            (SubmitLate(4), "-12902"),
            (Pending, "5"),
            (Next, "encode 0"),
            (Submit(5), "accepted"),
            (Next, "encode 1"),
            (Next, "encode 2"),
            (Next, "encode 3"),
            (Next, "skip 4"),
            (Dropped(4), "4 dropped"),
            (Out(4), "wake"),
            (Next, "encode 5"),
        ]);
    }
}

/// Resolution 17: outcomes of dropped frames wait in bounded number; beyond it, callers wait in real time as
/// well.
#[test]
fn dropped_frames_are_bounded() {
    let mut play = Play::opened();
    play.run(&[(Set(Property::RealTime(true)), "set")]);
    (0..4).for_each(|frame| assert_eq!(play.ask(Submit(frame)), "accepted"));
    let dropped = (4..).take_while(|frame| play.ask(SubmitLate(*frame)) == "dropped").count();
    assert_eq!(dropped, 60);
}

/// EF-13, A42: a handler that submits frames is never made to wait, and what it submits is encoded in its
/// turn.
#[test]
fn a_handler_that_submits() {
    let mut play = Play::opened();
    (0..4).for_each(|frame| assert_eq!(play.ask(Submit(frame)), "accepted"));
    play.run(&[
        (Next, "encode 0"),
        (Submit(4), "accepted"),
        (Sample(0), "0 sample"),
        (Submit(5), "full"),
        (SubmitInside(5), "accepted"),
        (SubmitInside(6), "accepted"),
        (Set(Property::MaxKeyFrameInterval(7)), "set"),
        (Out(0), "wake"),
        (Next, "encode 1"),
    ]);
    // a handler cannot run before there was a frame; if one did, it would not wait for the encoder to open
    // either
    Play::new().run(&[(SubmitInside(0), "accepted")]);
}

/// CS-8, CS-11: everything up to a time, and no drain where that is out already; frames after it may come
/// meanwhile.
#[test]
fn frames_up_to_a_time() {
    let mut play = Play::opened();
    play.run(&[
        (Submit(0), "accepted"),
        (Submit(3), "accepted"),
        (CompleteUntil(2), "wait for 0"),
        (Submit(6), "accepted"),
        (Next, "encode 0"),
        (Next, "encode 1"),
        (Sample(0), "0 sample"),
        (Out(0), "wake"),
        // the first is out, so that nothing has to be put out for it
        (Next, "encode 2"),
        (CompleteUntil(3), "wait for 1"),
        (Next, "drain"),
        (Submit(9), "accepted"),
        (Next, "nothing"),
        (Sample(1), "1 sample"),
        (Out(1), "wake"),
        (Sample(2), "2 sample"),
        (Out(2), "wake"),
        (Ended, "wake"),
        (Next, "encode 3"),
        (CompleteUntil(8), "nothing to wait for"),
    ]);
}

/// EF-11: the frame that has to be out before the call returns.
#[test]
fn frames_that_are_due() {
    let mut play = Play::new();
    play.run(&[
        (Set(Property::MaxFrameDelayCount(1)), "set"),
        (Prepare, "asked"),
        (Next, "open"),
        (Opened, "wake"),
        (Submit(0), "accepted"),
        (Submit(1), "accepted, 0 is due"),
        (Submit(2), "accepted, 1 is due"),
    ]);
    assert!(play.core.is_pending(0));
    play.run(&[(Next, "encode 0"), (Sample(0), "0 sample")]);
    assert!(play.core.is_pending(0), "a frame is out when its handler has returned");
    play.run(&[(Out(0), "wake")]);
    assert!(!play.core.is_pending(0));
}

/// A7, CS-13, CS-15, PR-6, EF-6, resolution 14: a session that is invalidated while it encodes has no success
/// to tell any more; each pending frame gets the one outcome that it is owed, in the order in which they
/// came, and every call answers that the session is over.
#[test]
fn invalidation_while_encoding() {
    let mut play = Play::opened();
    play.run(&[
        (Submit(0), "accepted"),
        (Submit(1), "accepted"),
        (Submit(2), "accepted"),
        (Next, "encode 0"),
        (Next, "encode 1"),
        (Sample(0), "0 sample"),
        (Invalidate, "done"),
        (Out(0), "wake"),
        (Sample(1), "1 -12903"),
        (Out(1), "wake"),
        (Next, "nothing"),
        (Rest, "2 -12903"),
        (Rest, ""),
        (Submit(9), "-12903"),
        (Set(Property::RealTime(true)), "-12903"),
        (Prepare, "-12903"),
        (Complete, "-12903"),
        (EndEncode, "-12903"),
        (Begin(PassKind::Analysis), "-12903"),
        (End(PassKind::Analysis), "-12903"),
        (Invalidate, "done"),
        (Out(2), "wake"),
        (Pending, "0"),
    ]);
}

/// CS-13, EF-7: a drain that is interrupted ends, and a frame that was dropped stays one that was dropped.
#[test]
fn invalidation_ends_a_drain() {
    let mut play = Play::opened();
    play.run(&[(Set(Property::RealTime(true)), "set")]);
    (0..4).for_each(|frame| assert_eq!(play.ask(Submit(frame)), "accepted"));
    play.run(&[(SubmitLate(4), "dropped"), (Complete, "wait for 4")]);
    (0..4).for_each(|frame| assert_eq!(play.ask(Next), format!("encode {frame}")));
    play.run(&[
        (Invalidate, "done"),
        (Ended, "wake"),
        (Next, "nothing"),
        (Rest, "0 -12903, 1 -12903, 2 -12903, 3 -12903, 4 dropped"),
    ]);
}

/// EF-15, EF-6, CS-12: an encoder that fails in the middle ends the session with its number, for all frames
/// and calls; a frame that it cannot take ends nothing.
#[test]
fn an_encoder_that_fails() {
    let mut play = Play::opened();
    play.run(&[
        (Submit(0), "accepted"),
        (Submit(1), "accepted"),
        (Submit(2), "accepted"),
        (Next, "encode 0"),
        (Refused(0), "0 -12905"),
        (Out(0), "wake"),
        (Next, "encode 1"),
        (Failed, "wake"),
        (Next, "nothing"),
        (Submit(3), "-12912"),
        (Complete, "-12912"),
        (Rest, "1 -12912, 2 -12912"),
        (Invalidate, "done"),
        (Submit(3), "-12903"),
    ]);
}

/// EF-15, EF-6, CS-13: a client that ends its session before the frames of a failed one were told. They are
/// told why it failed, as they are where the client waits; calls answer that the session is over.
#[test]
fn a_failure_is_told_also_behind_an_invalidation() {
    let mut play = Play::opened();
    play.run(&[
        (Submit(0), "accepted"),
        (Submit(1), "accepted"),
        (Submit(2), "accepted"),
        (Next, "encode 0"),
        (Failed, "wake"),
        (Invalidate, "done"),
        (Sample(0), "0 -12912"),
        (Invalidate, "done"),
        (Rest, "1 -12912, 2 -12912"),
        (Submit(3), "-12903"),
    ]);
}

/// EF-6, encoder contract: a second sample of a frame, or one of a frame that never came, is a malfunction,
/// and nobody gets a second outcome.
#[test]
fn an_encoder_that_gives_a_frame_twice() {
    for number in [0, 7] {
        let mut play = Play::opened();
        play.run(&[
            (Submit(0), "accepted"),
            (Next, "encode 0"),
            (Sample(0), "0 sample"),
            (Sample(number), "wake"),
            (Submit(1), "-17691"),
            (Rest, ""),
        ]);
    }
}

/// What a handler leaves that panics: a session that says so, and nobody who is waited for.
#[test]
fn a_handler_that_panics() {
    let mut play = Play::opened();
    play.run(&[(Submit(0), "accepted"), (Next, "encode 0"), (Sample(0), "0 sample")]);
    play.core.close();
    play.run(&[(Pending, "0"), (Submit(1), "-17691"), (Invalidate, "done"), (Submit(1), "-12903")]);
    play.core.close();
    play.run(&[(Submit(1), "-12903")]);
}

/// Encodes all that is to be encoded, with so many bytes for each frame, and gives the commands.
fn encode(play: &mut Play, bytes: usize) -> Vec<String> {
    let mut commands = Vec::new();
    loop {
        let command = play.ask(Next);
        match command.split_once(' ') {
            Some(("encode", number)) => play.inside.push(number.parse().unwrap()),
            _ if command == "drain" => {
                for number in std::mem::take(&mut play.inside) {
                    assert_eq!(play.sample(number, bytes), format!("record, {number} sample"), "MP-29");
                    play.ask(Out(number));
                }
                play.ask(Ended);
            }
            _ if command == "nothing" => return commands,
            _ => {}
        }
        commands.push(command);
    }
}

/// MP-5, MP-11, MP-18, MP-20, MP-23, MP-24, MP-34, EF-14: passes in their order. The first is an
/// ordinary encode. In a later one each unit is an encode of its own, and begins only when everything before
/// it is out.
#[test]
fn the_order_of_passes() {
    let mut play = Play::opened();
    play.run(&[(Set(Property::AverageBitRate(8000)), "set")]);
    play.core.set_passes(Some(Passes::new(setup().info.quality, None)));
    play.run(&[
        (Submit(0), "-12902"),
        (End(PassKind::Analysis), "-12902"),
        (Begin(PassKind::Analysis), "begun"),
        (Begin(PassKind::Analysis), "-12902"),
        (Set(Property::AverageBitRate(9000)), "-12902"),
        (Set(Property::RealTime(true)), "set"),
    ]);
    // four units of a second each, at twice the rate
    let mut commands = Vec::new();
    for frame in 0..40 {
        assert_eq!(play.ask(Submit(frame)), "accepted", "MP-26: nothing is dropped in passes");
        commands.extend(encode(&mut play, 200));
    }
    assert_eq!(commands[..2], ["begin", "encode 0"]);
    assert_eq!(commands.len(), 41, "one encode for all of a first pass");
    play.run(&[(EndEncode, "asked")]);
    assert_eq!(encode(&mut play, 200), ["drain"]);
    play.run(&[(Answer, "ok"), (End(PassKind::Analysis), "requested 0-30"), (Submit(0), "-12902")]);

    // frames as they were in the first pass, and what they must not be
    play.run(&[
        (Begin(PassKind::Final), "begun"),
        (SubmitWith(0, at(1), forced()), "-12902"),
        (SubmitWith(0, Time::INVALID, FrameOptions::default()), "-12902"),
        (Submit(99), "-12902"),
        (Submit(35), "-12902"),
    ]);
    let mut commands = Vec::new();
    for frame in 0..30 {
        assert_eq!(play.ask(Submit(frame)), "accepted");
        commands.extend(encode(&mut play, 100));
    }
    let begins: Vec<usize> =
        (0..commands.len()).filter(|&at| commands[at] == "begin a unit of 10 frames").collect();
    assert_eq!(begins.len(), 3, "{commands:?}");
    assert!(begins[1..].iter().all(|&at| commands[at - 1] == "drain"), "{commands:?}");
    assert_eq!(begins[0], 0, "nothing is inside before the first");
    play.run(&[(EndEncode, "asked")]);
    encode(&mut play, 100);
    play.run(&[
        (End(PassKind::Analysis), "finished"),
        (Begin(PassKind::Analysis), "-12902"),
        (Submit(40), "-12902"),
    ]);
}

/// A7, CS-14, MP-12: while the next pass is planned, the session can be asked other things. Frames and
/// properties are refused as outside a pass, and a session that is invalidated meanwhile does not take the
/// plan.
#[test]
fn invalidation_while_planning() {
    let mut play = Play::with_passes();
    play.run(&[(Begin(PassKind::Analysis), "begun"), (Submit(0), "accepted"), (Complete, "wait for 0")]);
    encode(&mut play, 100);
    let (mut passes, goal) = play.core.end_pass().unwrap();
    play.run(&[
        (Submit(1), "-12902"),
        (Set(Property::AverageBitRate(9000)), "-12902"),
        (Set(Property::RealTime(true)), "set"),
        (Begin(PassKind::Analysis), "-12902"),
        (End(PassKind::Analysis), "-12902"),
        (Next, "nothing"),
    ]);
    let end = passes.end(PassKind::Analysis, &goal).unwrap();
    assert_eq!(passes.conclude(end), NextPass::Finished);
    play.run(&[(Invalidate, "done")]);
    assert_eq!(play.core.pass_ended(passes), Err(SessionError::Invalidated));
    play.run(&[(Begin(PassKind::Analysis), "-12903"), (Rest, "")]);
}

/// PA-14, MP-27: what came is compared with what was announced once no more is expected, or at once where
/// more came.
#[test]
fn announced_frames_are_counted() {
    let mut play = Play::new();
    play.run(&[
        (Set(Property::SourceFrameCount(2)), "set"),
        (Prepare, "asked"),
        (Next, "open"),
        (Opened, "wake"),
        (Submit(0), "accepted"),
    ]);
    assert_eq!(play.core.frame_count_mismatch(), None, "another one may come");
    play.core.completed();
    assert_eq!(play.core.frame_count_mismatch().map(|one| (one.told, one.came)), Some((2, 1)));
    play.run(&[(Submit(1), "accepted"), (Submit(2), "accepted")]);
    assert_eq!(play.core.frame_count_mismatch().map(|one| (one.told, one.came)), Some((2, 3)));
    play.run(&[(Invalidate, "done")]);
    assert_eq!(play.core.frame_count_mismatch().map(|one| (one.told, one.came)), Some((2, 3)));
}

/// What may happen to a session, in any order.
#[derive(Debug, Clone)]
enum Happening {
    Submit {
        advance: i64,
        patience: Patience,
        key: bool,
    },
    Open,
    /// The next command, whatever it is; an encoder that is opened may fail to.
    Work {
        opens: bool,
    },
    /// One of the frames inside comes out, is refused, or dropped.
    Come {
        which: usize,
        how: u8,
    },
    /// The oldest handler that runs returns.
    Return,
    Complete(bool),
    EndEncode,
    Set(bool),
    Begin(bool),
    End(bool),
    Fail,
    Invalidate,
}

fn happening() -> impl Strategy<Value = Happening> {
    let patience = prop_oneof![Just(Patience::Patient), Just(Patience::Exhausted), Just(Patience::Reentrant)];
    prop_oneof![
        8 => (-1..3i64, patience, any::<bool>())
            .prop_map(|(advance, patience, key)| Happening::Submit { advance, patience, key }),
        2 => Just(Happening::Open),
        10 => (0..8u8).prop_map(|dice| Happening::Work { opens: dice > 0 }),
        8 => (any::<usize>(), 0..8u8).prop_map(|(which, how)| Happening::Come { which, how }),
        8 => Just(Happening::Return),
        1 => any::<bool>().prop_map(Happening::Complete),
        1 => Just(Happening::EndEncode),
        1 => any::<bool>().prop_map(Happening::Set),
        2 => any::<bool>().prop_map(Happening::Begin),
        1 => any::<bool>().prop_map(Happening::End),
        1 => Just(Happening::Fail),
        1 => Just(Happening::Invalidate),
    ]
}

/// What was seen of a session.
#[derive(Default)]
struct Seen {
    accepted: BTreeSet<i64>,
    refused: BTreeSet<i64>,
    outcomes: BTreeMap<i64, u32>,
    /// Handlers that run, and the frames inside the encoder.
    running: Vec<u64>,
    inside: Vec<u64>,
}

impl Seen {
    fn effects(&mut self, over: bool, effects: Vec<Effect<i64>>) -> Result<(), TestCaseError> {
        for effect in effects {
            if let Effect::Deliver { number, outcome } = effect {
                prop_assert!(
                    self.accepted.contains(&outcome.token),
                    "an outcome of a frame that was refused"
                );
                let told = self.outcomes.entry(outcome.token).or_default();
                *told += 1;
                prop_assert_eq!(*told, 1, "a second outcome of frame {}", number);
                let success = matches!(outcome.result, Ok(Emission::Sample { .. }));
                prop_assert!(!(over && success), "CS-13: a success after the end");
                self.running.push(number);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// EF-5, EF-6, CS-9, CS-13, MP-26: whatever happens in whatever order, each accepted frame gets exactly
    /// one outcome, a refused one gets none, none succeeds after the end, and at the end nothing is pending.
    /// While the encoder is emptied, and when the session is over, nothing else is asked of it.
    #[test]
    fn one_outcome_for_each_accepted_frame(
        passes in any::<bool>(), real_time in any::<bool>(), delay in -1..3i32, happenings in prop::collection::vec(happening(), 1..120),
    ) {
        let mut play = if passes { Play::with_passes() } else { Play::new() };
        if !passes {
            play.ask(Set(Property::MaxFrameDelayCount(delay)));
        }
        play.ask(Set(Property::RealTime(real_time)));
        let mut seen = Seen::default();
        // Tokens are times, so a time is used once: one that was refused is not tried again.
        let (mut last, mut fresh) = (0, 1000);
        for happening in happenings {
            let over = play.core.is_over();
            match happening {
                Happening::Submit { advance, patience, key } => {
                    let frame = last + advance;
                    let options = FrameOptions { force_key_frame: key, ..FrameOptions::default() };
                    // what is submitted at a time that does not rise has a token of its own
                    fresh += 1;
                    let token = if advance > 0 { frame } else { fresh };
                    let submission = Submission { picture: picture(), pts: at(frame), duration: at(1), options, hash: 0, token };
                    let pending = play.core.pending();
                    match play.core.submit(submission, patience) {
                        Ok(Admission::Accepted { dropped, due, .. }) => {
                            prop_assert!(!over && play.core.pending() == pending + 1);
                            prop_assert!(!dropped || real_time && !passes, "MP-26, EF-12");
                            prop_assert!(due.is_none_or(|due| due < pending as u64 + 1_000_000));
                            prop_assert!(seen.accepted.insert(token), "EF-1: a time that did not rise");
                            last = last.max(frame);
                        }
                        Ok(Admission::Full(back) | Admission::Unopened(back)) => {
                            prop_assert!(!over && back.token == token && play.core.pending() == pending);
                        }
                        Err(_) => {
                            prop_assert!(play.core.pending() == pending);
                            if !seen.accepted.contains(&token) {
                                seen.refused.insert(token);
                                last = last.max(frame);
                            }
                        }
                    }
                }
                Happening::Open => drop(play.core.open(Hints::default())),
                Happening::Work { opens } => {
                    let draining = matches!(play.core.phase, Phase::Draining(_));
                    let command = play.core.next_command();
                    prop_assert!(command.is_none() || !over && !draining);
                    match command {
                        Some(Command::Open { request, .. }) => {
                            let error = SessionError::EncoderNotFound(String::new());
                            let result = if opens { Ok(()) } else { Err(error) };
                            play.core.report(Report::Opened { request, result });
                        }
                        Some(Command::Encode(frame)) => {
                            let known = (frame.pts, frame.pts.convert_scale(10).value());
                            play.given.insert(frame.number, known);
                            seen.inside.push(frame.number);
                        }
                        Some(Command::Skip(number)) => {
                            let effects = play.core.report(Report::Dropped(number));
                            seen.effects(over, effects)?;
                        }
                        Some(Command::BeginUnit { .. }) => prop_assert!(passes && seen.inside.is_empty()),
                        Some(Command::Drain) | None => {}
                    }
                }
                Happening::Come { which, how } => {
                    if seen.inside.is_empty() {
                        if matches!(play.core.phase, Phase::Draining(_)) {
                            play.core.report(Report::Ended);
                        }
                        continue;
                    }
                    let number = seen.inside.swap_remove(which % seen.inside.len());
                    let report = match how {
                        0 => Report::Refused { number, error: SessionError::AllocationFailed(String::new()) },
                        1 if !passes => Report::Dropped(number),
                        _ => {
                            let pts = play.given[&number].0;
                            let kind = SampleKind::Sync;
                            let sample = retake_media::Sample { data: vec![0; 9], pts, dts: pts, duration: at(1), kind };
                            let attachments = SampleAttachments::default();
                            let buffer = Box::new(SampleBuffer { sample, format: format(), attachments });
                            Report::Sample { number, buffer, qp: 20.0 }
                        }
                    };
                    let effects = play.core.report(report);
                    seen.effects(over, effects)?;
                }
                Happening::Return => {
                    if !seen.running.is_empty() {
                        let number = seen.running.remove(0);
                        play.core.report(Report::Out(number));
                        prop_assert!(!play.core.is_pending(0) || number != 0);
                    }
                }
                Happening::Complete(all) => {
                    let until = if all { Time::INVALID } else { at(last - 1) };
                    prop_assert_eq!(play.core.drain(until).is_err(), over);
                }
                Happening::EndEncode => prop_assert_eq!(play.core.end_encode().is_err(), over),
                Happening::Set(value) => drop(play.ask(Set(Property::PrioritizeEncodingSpeedOverQuality(value)))),
                Happening::Begin(last) => {
                    let kind = if last { PassKind::Final } else { PassKind::Analysis };
                    prop_assert!(!over || play.ask(Begin(kind)).parse::<i32>().is_ok());
                    play.ask(Begin(kind));
                }
                // the shell ends a pass only when everything is out
                Happening::End(last) if play.core.pending() == 0 => {
                    let kind = if last { PassKind::Final } else { PassKind::Analysis };
                    let ended = play.end_pass(kind);
                    prop_assert!(!over || ended.is_err());
                }
                Happening::End(_) => {}
                Happening::Fail => drop(play.core.report(Report::Failed(SessionError::Malfunction(String::new())))),
                Happening::Invalidate => play.core.invalidate(),
            }
        }
        play.core.invalidate();
        prop_assert!(play.core.next_command().is_none());
        let rest = play.core.rest();
        seen.effects(true, rest)?;
        let told: BTreeSet<i64> = seen.outcomes.keys().copied().collect();
        prop_assert_eq!(&told, &seen.accepted);
        prop_assert!(seen.refused.is_disjoint(&told));
        prop_assert!(play.core.rest().is_empty(), "nothing comes after the end");
        seen.running.iter().for_each(|number| drop(play.core.report(Report::Out(*number))));
        prop_assert_eq!(play.core.pending(), 0);
        let late = Submission { picture: picture(), pts: at(9999), duration: at(1), options: forced(), hash: 0, token: 9999 };
        prop_assert_eq!(play.core.submit(late, Patience::Reentrant).err(), Some(SessionError::Invalidated));
    }

    /// PR-1, PR-3: a group of changes holds as a whole or not at all, whatever is wrong with it.
    #[test]
    fn changes_hold_together_or_not_at_all(rate in 1000u64..1_000_000, wrong in any::<bool>()) {
        let mut play = Play::new();
        let limit = Property::DataRateLimits(vec![DataRateLimit { bytes: rate, seconds: 1.0 }]);
        let other = if wrong { Property::ConstantBitRate(rate) } else { Property::MaxKeyFrameInterval(9) };
        let before = play.core.values().clone();
        let proposed = play.core.propose(&[(limit.key(), Some(limit.value())), (other.key(), Some(other.value()))], true);
        prop_assert_eq!(proposed.is_err(), wrong);
        prop_assert_eq!(&before, play.core.values(), "what is proposed does not hold yet");
        if let Ok(values) = proposed {
            play.core.commit(values);
            prop_assert!(play.core.values().get(limit.key()).is_some() && play.core.values().get(other.key()).is_some());
        }
    }
}
