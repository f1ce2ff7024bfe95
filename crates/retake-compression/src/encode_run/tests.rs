use super::*;
use proptest::prelude::*;
use retake_media::{Codec, PixelBufferAttributes, PixelFormat, Sample, SampleKind, WritableBuffer};
use std::sync::{Arc, Mutex};

/// A picture that says in its first byte which it is.
fn picture(mark: u8) -> PixelBuffer {
    let attributes = PixelBufferAttributes::of(PixelFormat::I420, 16, 16);
    let mut buffer = WritableBuffer::create(&attributes).unwrap();
    buffer.plane_mut(0)[0] = mark;
    buffer.freeze()
}

fn mark(picture: &PixelBuffer) -> u8 {
    picture.plane(0)[0]
}

fn at(frame: u64) -> Time {
    Time::new(frame as i64, 25)
}

/// What a scripted encoder gives.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Gives {
    Sample(u64, bool),
    Picture(u64),
    Dropped(u64),
}

/// An encoder that gives what it is told to, in that order: each as soon as so many frames were sent, or
/// there are no more to come.
struct Scripted {
    format: FormatDescription,
    script: VecDeque<(u64, Gives)>,
    sent: u64,
    finished: bool,
    /// Qualities, by how much was given before each.
    qualities: Arc<Mutex<Vec<(usize, f64)>>>,
    given: usize,
    /// A frame that is refused the first time it comes.
    refused: Option<u64>,
}

impl Scripted {
    fn new(script: impl IntoIterator<Item = (u64, Gives)>) -> Self {
        let format = FormatDescription::video(Codec::H264, 16, 16);
        let script = script.into_iter().collect();
        let (qualities, given) = (Arc::default(), 0);
        Self { format, script, sent: 0, finished: false, qualities, given, refused: None }
    }
}

impl Encoder for Scripted {
    fn format(&self) -> &FormatDescription {
        &self.format
    }

    fn send(&mut self, _: &PixelBuffer, _: Time, _: Time, _: FrameOptions) -> Result<(), EncoderError> {
        if self.refused.take_if(|refused| *refused == self.sent).is_some() {
            let (setting, reason) = ("qp".to_owned(), "on purpose".to_owned());
            return Err(EncoderError::Settings { encoder: "scripted", setting, reason });
        }
        self.sent += 1;
        Ok(())
    }

    fn set_quality(&mut self, quality: f64) -> bool {
        self.qualities.lock().unwrap().push((self.given, quality));
        true
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        self.finished = true;
        Ok(())
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        let sent = if self.finished { u64::MAX } else { self.sent };
        let ready = self.script.front().is_some_and(|(after, _)| *after <= sent);
        let Some((_, gives)) = ready.then(|| self.script.pop_front()).flatten() else {
            return Ok(if self.finished { Output::End } else { Output::Pending });
        };
        self.given += 1;
        Ok(match gives {
            Gives::Sample(index, sync) => {
                let kind = if sync { SampleKind::Sync } else { SampleKind::Reference };
                let sample = Sample {
                    data: vec![index as u8],
                    pts: at(index),
                    dts: at(index),
                    duration: Time::INVALID,
                    kind,
                };
                Output::Frame(EncodedFrame { sample, index, qp: 0.0, error: None, token: None, layer: 0 })
            }
            Gives::Picture(index) => Output::Picture { index, picture: picture(index as u8) },
            Gives::Dropped(index) => Output::Dropped { index },
        })
    }
}

/// Scores a unit by the number of its frames, fails at a frame, and finds every picture that is not beside
/// its own source.
struct Counting {
    frames: u64,
    fails_at: Option<u8>,
}

impl Scorer for Counting {
    type Error = String;

    fn push(&mut self, source: &PixelBuffer, picture: &PixelBuffer) -> Result<(), String> {
        assert_eq!(mark(source), mark(picture), "a picture is scored against its own source");
        self.frames += 1;
        if self.fails_at == Some(mark(picture)) { Err("on purpose".into()) } else { Ok(()) }
    }

    fn finish(self: Box<Self>) -> Result<Score, String> {
        Ok(Score { value: self.frames as f64, error: 0.0, psnr: 0.0, ceiling: None })
    }
}

/// What came out of a run, in short.
#[derive(Debug, Clone, PartialEq)]
enum Event {
    Sample(u64),
    Picture(u64),
    Dropped(u64),
    Score(Time, Result<u64, String>),
}

fn drain<S: Scorer<Error = String> + ?Sized>(
    run: &mut EncodeRun<Scripted, S>,
    events: &mut Vec<Event>,
) -> Result<(), RunError> {
    while let Some(event) = run.next()? {
        events.push(match event {
            RunEvent::Sample(frame) => Event::Sample(frame.index),
            RunEvent::Picture { index, picture } => {
                assert_eq!(u64::from(mark(&picture)), index);
                run.set_quality(index as f64);
                Event::Picture(index)
            }
            RunEvent::Dropped { index } => Event::Dropped(index),
            RunEvent::Score { first, score } => Event::Score(first, score.map(|score| score.value as u64)),
        });
    }
    Ok(())
}

fn push<S: Scorer + ?Sized>(run: &mut EncodeRun<Scripted, S>, frame: u64) {
    assert_eq!(run.push(&picture(frame as u8), at(frame), Time::INVALID, FrameOptions::default()), Ok(frame));
}

/// Everything that comes out of `frames` frames, until the end or an error.
fn all<S: Scorer<Error = String> + ?Sized>(
    mut run: EncodeRun<Scripted, S>,
    frames: u64,
) -> (Vec<Event>, Result<(), RunError>) {
    let mut events = Vec::new();
    let mut work = || {
        for frame in 0..frames {
            push(&mut run, frame);
            drain(&mut run, &mut events)?;
        }
        run.finish()?;
        drain(&mut run, &mut events)?;
        assert!(run.is_over() && run.inside.is_empty() && run.next() == Ok(None));
        Ok(())
    };
    let ended = work();
    (events, ended)
}

impl<X: PartialEq> PartialEq for RunEvent<X> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sample(a), Self::Sample(b)) => a.index == b.index,
            (Self::Picture { index: a, .. }, Self::Picture { index: b, .. }) => a == b,
            (Self::Score { first: a, score: x }, Self::Score { first: b, score: y }) => a == b && x == y,
            _ => false,
        }
    }
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Coded { sync: bool },
    Dropped,
}

/// How a frame comes out: how many frames later its sample does, and its picture, and what becomes of it.
fn script() -> impl Strategy<Value = Vec<(u64, u64, Fate)>> {
    let fate = prop_oneof![
        7 => Just(Fate::Coded { sync: false }),
        2 => Just(Fate::Coded { sync: true }),
        1 => Just(Fate::Dropped),
    ];
    prop::collection::vec((0u64..7, 0u64..7, fate), 0..24)
}

/// The outputs of frames that come out like this. Those of one moment come in an order that the delays decide
/// as well.
fn outputs(frames: &[(u64, u64, Fate)]) -> Vec<(u64, Gives)> {
    let mut outputs = Vec::new();
    for (index, &(sample, picture, fate)) in (0u64..).zip(frames) {
        let Fate::Coded { sync } = fate else {
            outputs.push((index + 1 + sample, sample, Gives::Dropped(index)));
            continue;
        };
        outputs.push((index + 1 + sample, sample, Gives::Sample(index, sync)));
        outputs.push((index + 1 + picture, 7 - picture, Gives::Picture(index)));
    }
    outputs.sort_by_key(|(after, order, _)| (*after, *order));
    outputs.into_iter().map(|(after, _, gives)| (after, gives)).collect()
}

fn counting(fails_at: Option<u8>) -> impl FnMut() -> Result<Box<Counting>, String> + Send + 'static {
    move || Ok(Box::new(Counting { frames: 0, fails_at }))
}

proptest! {
    /// Whatever the delays: samples come in the encoder's order, pictures in presentation order, each no
    /// later than the events allow; scores are of the frames between sync frames; and a quality that is set
    /// at a picture reaches the encoder before it gives anything more.
    #[test]
    fn late_and_disordered_outputs_come_out_in_order(frames in script(), by_units in any::<bool>()) {
        let outputs = outputs(&frames);
        let encoder = Scripted::new(outputs.clone());
        let qualities = encoder.qualities.clone();
        let units = if by_units { ScoredUnits::BetweenSyncFrames } else { ScoredUnits::Whole };
        let run = EncodeRun::new(encoder, true).scored_by(units, counting(None));
        let (events, ended) = all(run, frames.len() as u64);
        prop_assert_eq!(ended, Ok(()));

        // the reference: after each output, all pictures that have come and that no earlier one is missing
        // for
        let (mut expected, mut shown, mut asked) = (Vec::new(), 0, Vec::new());
        let mut unit: Option<(u64, u64)> = None;
        for given in 1..=outputs.len() {
            let came = |gives: Gives| outputs[..given].iter().any(|(_, other)| *other == gives);
            match outputs[given - 1].1 {
                Gives::Sample(index, _) => expected.push(Event::Sample(index)),
                Gives::Dropped(index) => expected.push(Event::Dropped(index)),
                Gives::Picture(_) => {}
            }
            while let Some(&(_, _, fate)) = frames.get(shown as usize) {
                let Fate::Coded { sync } = fate else {
                    if !came(Gives::Dropped(shown)) {
                        break;
                    }
                    shown += 1;
                    continue;
                };
                if !came(Gives::Picture(shown)) || (by_units && !came(Gives::Sample(shown, sync))) {
                    break;
                }
                if let Some((first, count)) = unit.take_if(|_| by_units && sync) {
                    expected.push(Event::Score(at(first), Ok(count)));
                }
                unit = Some(unit.map_or((shown, 1), |(first, count)| (first, count + 1)));
                expected.push(Event::Picture(shown));
                asked.push((given, shown as f64));
                shown += 1;
            }
        }
        expected.extend(unit.map(|(first, count)| Event::Score(at(first), Ok(count))));
        prop_assert_eq!(events, expected);
        prop_assert_eq!(&*qualities.lock().unwrap(), &asked);
    }

    /// What an encoder makes of its frames wrongly is always noticed: something given twice, or never.
    #[test]
    fn what_is_lost_or_doubled_is_an_error(
        frames in script(), which in any::<prop::sample::Index>(), twice in any::<bool>(),
    ) {
        prop_assume!(!frames.is_empty());
        let mut outputs = outputs(&frames);
        let which = which.index(outputs.len());
        let (what, index) = match outputs[which].1 {
            Gives::Sample(index, _) | Gives::Dropped(index) => ("sample", index),
            Gives::Picture(index) => ("picture", index),
        };
        let expected = if twice {
            outputs.push((u64::MAX, outputs[which].1));
            RunError::NotInside { what, index }
        } else {
            outputs.remove(which);
            RunError::Missing { what, index }
        };
        let run = EncodeRun::new(Scripted::new(outputs), true).scored_by(ScoredUnits::Whole, counting(None));
        prop_assert_eq!(all(run, frames.len() as u64).1, Err(expected));
    }
}

#[test]
fn a_picture_that_nobody_sent_or_asked_for_is_an_error() {
    let expected = Err(RunError::NotInside { what: "picture", index: 1 });
    let run = EncodeRun::new(Scripted::new([(1, Gives::Picture(1))]), true)
        .scored(counting(None)().map(|it| *it).unwrap());
    assert_eq!(all(run, 1).1, expected);
    let run = EncodeRun::new(Scripted::new([(2, Gives::Picture(1))]), false)
        .scored_by(ScoredUnits::Whole, counting(None));
    assert_eq!(all(run, 2).1, expected);
}

/// A frame that was refused has no number, and what follows goes on.
#[test]
fn a_refused_frame_leaves_no_trace() {
    let mut encoder = Scripted::new((0..3).map(|index| (index + 1, Gives::Sample(index, index == 0))));
    encoder.refused = Some(1);
    let mut run = EncodeRun::new(encoder, false).scored_by(ScoredUnits::Whole, counting(None));
    push(&mut run, 0);
    let refused = run.push(&picture(9), at(9), Time::INVALID, FrameOptions::default());
    assert!(matches!(refused, Err(EncoderError::Settings { .. })), "{refused:?}");
    push(&mut run, 1);
    push(&mut run, 2);
    let mut events = Vec::new();
    drain(&mut run, &mut events).unwrap();
    assert_eq!(events, [Event::Sample(0), Event::Sample(1), Event::Sample(2)]);
}

/// A scorer that fails costs its unit the score, and nothing else.
#[test]
fn a_scorer_that_fails_costs_the_score_of_its_unit() {
    let frames: Vec<_> = (0..9).map(|index| (0, 1, Fate::Coded { sync: index % 3 == 0 })).collect();
    let failed = |first, reason: &str| Event::Score(at(first), Err(reason.to_owned()));
    let scores = |events: Vec<Event>| -> Vec<Event> {
        assert_eq!(events.iter().filter(|event| matches!(event, Event::Picture(_))).count(), 9);
        events.into_iter().filter(|event| matches!(event, Event::Score(..))).collect()
    };
    let run = || EncodeRun::new(Scripted::new(outputs(&frames)), true);
    let run_of = |units| run().scored_by(units, counting(Some(4)));
    let (events, ended) = all(run_of(ScoredUnits::BetweenSyncFrames), 9);
    assert_eq!(ended, Ok(()));
    let expected = [Event::Score(at(0), Ok(3)), failed(3, "on purpose"), Event::Score(at(6), Ok(3))];
    assert_eq!(scores(events), expected);
    let (events, ended) = all(run_of(ScoredUnits::Whole), 9);
    assert_eq!(ended, Ok(()));
    assert_eq!(scores(events), [failed(0, "on purpose")]);
    // one that cannot be opened, and the next can
    let mut opened = 0;
    let open = move || {
        opened += 1;
        if opened == 2 { Err("no".to_owned()) } else { counting(None)() }
    };
    let (events, ended) = all(run().scored_by(ScoredUnits::BetweenSyncFrames, open), 9);
    assert_eq!(ended, Ok(()));
    assert_eq!(scores(events), [Event::Score(at(0), Ok(3)), failed(3, "no"), Event::Score(at(6), Ok(3))]);
}

/// Sources are kept as long as they are needed, and where nothing is scored, none are.
#[test]
fn sources_are_kept_for_scores_alone() {
    let outputs = outputs(&[(0, 6, Fate::Coded { sync: true }), (0, 6, Fate::Coded { sync: false })]);
    let mut plain = EncodeRun::new(Scripted::new(outputs.clone()), true);
    let mut scored =
        EncodeRun::new(Scripted::new(outputs), true).scored_by(ScoredUnits::Whole, counting(None));
    for frame in 0..2 {
        push(&mut plain, frame);
        push(&mut scored, frame);
    }
    assert!(plain.inside.iter().all(|frame| frame.source.is_none()));
    assert!(scored.inside.iter().all(|frame| frame.source.is_some()));
    assert!(scored.scorer().is_none());
    scored.finish().unwrap();
    while scored.next_picture < 1 {
        scored.next().unwrap();
    }
    assert_eq!(scored.scorer().map(|scorer| scorer.frames), Some(1));
    assert_eq!(scored.inside.iter().filter(|frame| frame.source.is_some()).count(), 1);
}
