use super::{Earlier, PartRecord, PassGoal, PassKind, Passes, plan_parts};
use crate::encoder::{ControlSupport, EncoderInfo, FrameOptions, QualityScale};
use crate::property::{DataRateLimit, Environment, Property, Values};
use crate::session::derive::UnitStart;
use crate::session::{NextPass, PassOptions, SessionError};
use crate::storage::FrameRecord;
use crate::take::Score;
use proptest::prelude::*;
use retake_media::{Codec, Sample, SampleKind, Time, TimeRange};
use std::sync::Arc;

pub(super) fn info() -> EncoderInfo {
    EncoderInfo {
        name: "x264",
        codec: Codec::H264,
        version: "1".into(),
        formats: Vec::new(),
        presets: Vec::new(),
        default_preset: "",
        quality: QualityScale { min: 0.0, max: 51.0, step: 0.1, usual: 23.0 },
        reconstructs: false,
        steers: false,
        reorders: true,
        licence: "MIT",
        controls: ControlSupport::default(),
    }
}

fn info_with_limits() -> EncoderInfo {
    let mut info = info();
    info.controls.rate_limit = true;
    info
}

/// Passes, what the properties say about them, and what a storage would hold.
struct Session {
    passes: Passes,
    options: PassOptions,
    recorded: Vec<Vec<FrameRecord>>,
    note: Vec<u8>,
}

fn passes(options: PassOptions) -> Session {
    let passes = Passes::new(info().quality, None);
    Session { passes, options, recorded: Vec::new(), note: Vec::new() }
}

/// Ten frames a second, a sync frame every ten.
const STEP: Time = Time::new(1, 10);

fn at(frame: i64) -> Time {
    Time::new(frame, 10)
}

fn send(session: &mut Session, frame: i64, bytes: usize) -> Result<Option<UnitStart>, SessionError> {
    let passes = &mut session.passes;
    passes.check(at(frame), STEP, &FrameOptions::default(), 0)?;
    let begins = passes.accept(at(frame), STEP, &FrameOptions::default(), 0);
    let start = begins.then(|| passes.unit_start(at(frame)));
    let kind = if frame % 10 == 0 { SampleKind::Sync } else { SampleKind::Reference };
    let record = passes.emitted(
        &Sample { data: vec![0; bytes], pts: at(frame), dts: at(frame), duration: STEP, kind },
        25.0,
    );
    session.recorded.last_mut().expect("a pass is open").extend(record);
    Ok(start)
}

pub(super) fn goal(options: PassOptions, rate: Option<u64>) -> PassGoal {
    let PassOptions { most, request_once, whole_source } = options;
    PassGoal {
        rate,
        floor: None,
        metric: String::new(),
        first: None,
        best: None,
        even: false,
        info: info(),
        pixels: 64 * 64,
        most,
        whole: whole_source,
        always: request_once,
    }
}

fn end(session: &mut Session, last: bool, rate: Option<u64>) -> Result<NextPass, SessionError> {
    let goal = goal(session.options, rate);
    let kind = if last { PassKind::Final } else { PassKind::Analysis };
    let ended = session.passes.end(kind, &goal)?;
    session.note.clone_from(&ended.note);
    Ok(session.passes.conclude(ended))
}

fn begin_with(
    session: &mut Session,
    last: bool,
    values: &Arc<Values>,
    settings: &str,
) -> Result<(), SessionError> {
    let kind = if last { PassKind::Final } else { PassKind::Analysis };
    session.passes.begin(kind, values, settings)?;
    session.recorded.push(Vec::new());
    Ok(())
}

fn begin(session: &mut Session, last: bool) -> Result<(), SessionError> {
    begin_with(session, last, &Arc::default(), "")
}

/// Bytes a second of forty frames with a hundred bytes each.
const RATE: u64 = 8 * 1000;

proptest! {
    /// A16, MP-5, MP-6, MP-7, MP-8, MP-9, MP-13, MP-14, MP-15, MP-17, MP-19, MP-24: calls in any order answer
    /// as a plain table of states does, and a refused call changes nothing. Half of the orders begin with a
    /// pass after which another one is asked for.
    #[test]
    fn a16_every_order_of_calls(asks in any::<bool>(), calls in prop::collection::vec(0..6u8, 1..14)) {
        const FRAMES: i64 = 20;
        #[derive(Clone, Copy, PartialEq)]
        enum State { Before, Open { promised: bool }, Between, Over }
        let mut session = passes(PassOptions { request_once: true, ..PassOptions::default() });
        // `known`: frames of the first pass; `sent`: all of them came in this pass
        let (mut state, mut count, mut asked, mut known, mut sent) = (State::Before, 0, false, false, false);
        let prefix: &[u8] = if asks { &[0, 4, 2] } else { &[] };
        for (number, call) in prefix.iter().copied().chain(calls).enumerate() {
            if asks && number == prefix.len() {
                prop_assert!(asked, "the model is in the state in which another pass was asked for");
            }
            let before = format!("{:?}", session.passes);
            let open = matches!(state, State::Open { .. });
            let (found, expected) = match call {
                0 | 1 => {
                    let legal = matches!(state, State::Before | State::Between);
                    if legal {
                        (state, count, sent) = (State::Open { promised: call == 1 }, count + 1, false);
                    }
                    (begin(&mut session, call == 1).is_ok(), legal)
                }
                2 | 3 => {
                    let ended = end(&mut session, call == 3, None);
                    let complete = !known || sent;
                    if let State::Open { promised } = state {
                        let last = call == 3 || promised;
                        asked = complete && known && count == 1 && !last;
                        state = if last || !complete { State::Over } else { State::Between };
                    }
                    let requested = matches!(ended, Ok(NextPass::Requested(_)));
                    prop_assert_eq!(requested, open && asked);
                    (ended.is_ok(), open && complete)
                }
                4 if count == 1 && sent => continue,
                4 => {
                    let legal = open && (count == 1 || known);
                    if legal {
                        (known, sent) = (true, true);
                    }
                    let all = (0..FRAMES).try_for_each(|frame| send(&mut session, frame, 9).map(drop));
                    (all.is_ok(), legal)
                }
                _ => (session.passes.ranges().is_ok(), asked),
            };
            prop_assert_eq!(found, expected, "call {} of {}", call, number);
            if !(found || open && matches!(call, 2 | 3)) {
                prop_assert_eq!(format!("{:?}", session.passes), before, "call {} changed something", call);
            }
        }
    }

    /// MP-17, MP-18, MP-19, MP-20, MP-22, MP-23, MP-24, MP-30, MP-32, MP-34: whatever the first pass took,
    /// ranges are whole units, each begins an encode of its own, what does not belong to them is refused, and
    /// the passes end.
    #[test]
    fn ranges_are_whole_units(bytes in prop::collection::vec(20usize..400, 4..12), options in any::<bool>(), answer in 0.7f64..1.4) {
        let frames = bytes.len() as i64 * 10;
        let mut passes = passes(PassOptions { whole_source: options, ..PassOptions::default() });
        begin(&mut passes, false).unwrap();
        for frame in 0..frames {
            let start = send(&mut passes, frame, bytes[frame as usize / 10]).unwrap();
            prop_assert_eq!(start, (frame == 0).then(UnitStart::default));
        }
        let mut next = end(&mut passes, false, Some(RATE)).unwrap();
        let mut count = 1;
        while let NextPass::Requested(ranges) = next {
            prop_assert_eq!(passes.passes.ranges().unwrap(), ranges.clone(), "MP-17: as often as it is asked for");
            prop_assert!(!ranges.is_empty() && ranges.iter().all(|range| range.is_numeric() && range.duration > Time::ZERO));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start));
            let on_unit = |time: Time| time.convert_scale(10).value() % 10 == 0;
            prop_assert!(ranges.iter().all(|range| on_unit(range.start) && on_unit(range.end())));
            prop_assert!(!options || ranges.len() == 1 && ranges[0] == TimeRange::new(at(0), at(frames)));
            begin(&mut passes, false).unwrap();
            for frame in 0..frames {
                let inside = ranges.iter().any(|range| range.contains(at(frame)));
                match send(&mut passes, frame, (bytes[frame as usize / 10] as f64 * answer) as usize) {
                    Ok(start) => {
                        prop_assert!(inside);
                        prop_assert_eq!(start.is_some(), frame % 10 == 0);
                        prop_assert!(start.is_none_or(|start| start.quality.is_some()));
                    }
                    Err(error) => prop_assert!(!inside && error.code() == -12902),
                }
            }
            prop_assert_eq!(passes.passes.ranges().unwrap(), ranges, "MP-19: through the whole pass");
            prop_assert_eq!(passes.passes.check(at(frames), STEP, &FrameOptions::default(), 0).unwrap_err().code(), -12902);
            next = end(&mut passes, false, Some(RATE)).unwrap();
            count += 1;
        }
        prop_assert!(count <= 5);
        prop_assert!(passes.passes.ranges().is_err());
    }
}

/// A unit of a made-up film: how rich it is, and how much better than others it looks.
type Made = (f64, f64);

/// What a unit takes at a quality, in its ten frames, and the score that it then has.
fn answer((rich, better): Made, quality: f64) -> (usize, f64) {
    let bytes = 3000.0 * rich * ((25.0 - quality) / 6.0).exp2();
    ((bytes / 10.0) as usize, 38.0 + better - 0.8 * (quality - 25.0))
}

/// All passes that are asked for over such a film, from a first one at a quality of 25: what each unit takes
/// and scores in the end, and how many passes there were.
fn make(units: &[Made], goal: &PassGoal) -> (Vec<(usize, f64)>, u32) {
    let mut session = passes(PassOptions::default());
    let mut ranges: Option<Arc<[TimeRange]>> = None;
    let mut last: Vec<(usize, f64)> = units.iter().map(|unit| answer(*unit, 25.0)).collect();
    loop {
        begin(&mut session, false).unwrap();
        for (index, unit) in units.iter().enumerate() {
            let first = index as i64 * 10;
            let wanted = |ranges: &Arc<[TimeRange]>| ranges.iter().any(|range| range.contains(at(first)));
            if !ranges.as_ref().is_none_or(wanted) {
                continue;
            }
            session.passes.check(at(first), STEP, &FrameOptions::default(), 0).unwrap();
            for frame in first..first + 10 {
                let start = send(&mut session, frame, last[index].0).unwrap();
                if let Some(quality) = start.and_then(|start| start.quality) {
                    last[index] = answer(*unit, quality);
                    // the sample of the first frame was noted with the bytes of the pass before
                    let data = vec![0; last[index].0];
                    let sample = Sample {
                        data,
                        pts: at(frame),
                        dts: at(frame),
                        duration: STEP,
                        kind: SampleKind::Sync,
                    };
                    let record = session.passes.emitted(&sample, 25.0);
                    session.recorded.last_mut().expect("a pass is open").extend(record);
                }
            }
            let score = Score { value: last[index].1, error: 0.0, psnr: last[index].1, ceiling: None };
            session.passes.scored(at(first), Ok(score));
        }
        let ended = session.passes.end(PassKind::Analysis, goal).unwrap();
        match session.passes.conclude(ended) {
            NextPass::Requested(again) => ranges = Some(again),
            _ => return (last, session.recorded.len() as u32),
        }
    }
}

proptest! {
    /// MP-30, MP-32, extensions: with a floor and a rate, every unit reaches the floor; beyond that the rate
    /// is met, if the floor leaves room for it; if not, no unit is much better than the floor.
    #[test]
    fn a_floor_comes_before_a_rate(
        units in prop::collection::vec((0.5f64..4.0, -4.0f64..4.0), 4..9), share in 0.3f64..3.0,
    ) {
        const FLOOR: f64 = 36.0;
        let plain: usize = units.iter().map(|unit| answer(*unit, 25.0).0 * 10).sum();
        let target = plain as f64 * share;
        let goal = PassGoal {
            rate: Some((target * 8.0 / units.len() as f64) as u64),
            floor: Some((FLOOR, 0.5)),
            metric: "psnr".to_owned(),
            first: Some(25.0),
            most: 8,
            ..goal(PassOptions::default(), None)
        };
        let (made, passes) = make(&units, &goal);
        let total = made.iter().map(|(bytes, _)| bytes * 10).sum::<usize>() as f64;
        let scores: Vec<f64> = made.iter().map(|(_, score)| *score).collect();
        let worst = scores.iter().copied().fold(f64::INFINITY, f64::min);
        prop_assert!(worst >= FLOOR - 1e-9, "{worst} of {scores:?} after {passes} passes");
        let off = total / target - 1.0;
        let at_floor = scores.iter().all(|score| *score < FLOOR + 1.5);
        prop_assert!(off.abs() < 0.03 || off > 0.0 && at_floor, "{off} with {scores:?} after {passes} passes");
    }

    /// MP-30, MP-31, extensions: at a quality alone, later passes raise the worst units of a scored film at
    /// its size, or leave it as it is.
    #[test]
    fn a_quality_is_evened_out_at_equal_size(
        units in prop::collection::vec((0.5f64..4.0, -6.0f64..6.0), 4..9),
    ) {
        let goal = PassGoal {
            metric: "psnr".to_owned(),
            first: Some(25.0),
            even: true,
            ..goal(PassOptions::default(), None)
        };
        let plain: Vec<(usize, f64)> = units.iter().map(|unit| answer(*unit, 25.0)).collect();
        let (made, passes) = make(&units, &goal);
        let total = |units: &[(usize, f64)]| units.iter().map(|unit| unit.0).sum::<usize>() as f64;
        let off = total(&made) / total(&plain) - 1.0;
        // few units near their floors cannot give all that others need; usually it is 0.3 % at most
        prop_assert!(off.abs() < 0.04, "{off} after {passes} passes");
        let worst = |units: &[(usize, f64)]| units.iter().map(|unit| unit.1).fold(f64::INFINITY, f64::min);
        prop_assert!(worst(&made) >= worst(&plain) - 0.1, "{plain:?} became {made:?}");
        prop_assert!(passes == 1 || worst(&made) > worst(&plain) + 0.2, "{plain:?} became {made:?}");
        let alike = units.iter().all(|unit| (unit.1 - units[0].1).abs() < 0.5 && (unit.0 / units[0].0 - 1.0).abs() < 0.2);
        prop_assert!(!alike || passes == 1, "there was nothing to gain");
    }
}

/// MP-30, extensions: of two kinds of units that take the same and look as different as eight decibels, the
/// worse ones rise by most of a decibel at least.
#[test]
fn units_that_differ_much_are_evened_out() {
    let goal = PassGoal {
        metric: "psnr".to_owned(),
        first: Some(25.0),
        even: true,
        ..goal(PassOptions::default(), None)
    };
    let (made, passes) = make(&[(2.0, -4.0), (2.0, 4.0), (2.0, -4.0), (2.0, 4.0)], &goal);
    assert!(passes > 1 && made.iter().all(|(_, score)| *score > 34.8), "{made:?} after {passes} passes");
    let bytes: usize = made.iter().map(|(bytes, _)| bytes).sum();
    assert!((bytes as f64 / 2400.0 - 1.0).abs() < 0.005, "{made:?}");
}

/// MP-13, MP-14: where the client says that it is the last pass, nothing is asked for.
#[test]
fn the_last_pass_is_the_last() {
    for (promised, last) in [(true, false), (false, true)] {
        let mut passes = passes(PassOptions::default());
        begin(&mut passes, promised).unwrap();
        (0..40).for_each(|frame| assert!(send(&mut passes, frame, 900).is_ok()));
        assert_eq!(end(&mut passes, last, Some(RATE)), Ok(NextPass::Finished));
        assert_eq!(begin(&mut passes, false).unwrap_err().code(), -12902);
        assert_eq!(passes.passes.ranges().unwrap_err().code(), -12902);
    }
}

/// A20, MP-24: in a final pass, units that nobody asked for may come, each from its first frame on; those
/// that do not come stay as they are. In another pass they may not.
#[test]
fn a_final_pass_takes_what_was_not_asked_for() {
    for last in [true, false] {
        for sent in 0..4 {
            let mut passes = passes(PassOptions::default());
            begin(&mut passes, false).unwrap();
            let bytes = |frame: i64| [260, 80, 80, 80][frame as usize / 10];
            (0..40).for_each(|frame| assert!(send(&mut passes, frame, bytes(frame)).is_ok()));
            let Ok(NextPass::Requested(ranges)) = end(&mut passes, false, Some(RATE)) else { panic!() };
            let asked = |frame: i64| ranges.iter().any(|range| range.contains(at(frame)));
            let others: Vec<i64> = (0..4).filter(|unit| !asked(unit * 10)).collect();
            assert!(!others.is_empty() && others.len() < 4, "the test proves nothing: {ranges:?}");
            begin(&mut passes, last).unwrap();
            let middle = passes.passes.check(at(others[0] * 10 + 1), STEP, &FrameOptions::default(), 0);
            assert_eq!(middle.unwrap_err().code(), -12902, "the middle of a unit");
            for unit in 0..4 {
                let comes = asked(unit * 10) || others.iter().position(|other| *other == unit) < Some(sent);
                for frame in (unit * 10..unit * 10 + 10).filter(|_| comes) {
                    match send(&mut passes, frame, 100) {
                        Ok(start) => {
                            assert_eq!(start.is_some_and(|start| start.quality.is_some()), frame % 10 == 0)
                        }
                        Err(error) => assert!(!last && !asked(frame) && error.code() == -12902),
                    }
                }
            }
            let ended = end(&mut passes, false, Some(RATE));
            assert!(ended.is_ok(), "{last}, {sent}: {ended:?}");
        }
    }
}

/// MP-23, MP-24, MP-29: a pass in which frames are missing fails, and is over; so does a frame that is not
/// the one of the first pass.
#[test]
fn frames_have_to_be_those_of_the_first_pass() {
    let mut passes = passes(PassOptions { whole_source: true, ..PassOptions::default() });
    begin(&mut passes, false).unwrap();
    (0..40).for_each(|frame| assert!(send(&mut passes, frame, 900).is_ok()));
    assert!(matches!(end(&mut passes, false, Some(RATE)), Ok(NextPass::Requested(_))));
    begin(&mut passes, false).unwrap();
    let forced = FrameOptions { force_key_frame: true, ..FrameOptions::default() };
    assert_eq!(passes.passes.check(at(0), STEP, &forced, 0).unwrap_err().code(), -12902);
    assert_eq!(passes.passes.check(at(0), at(2), &FrameOptions::default(), 0).unwrap_err().code(), -12902);
    assert_eq!(
        passes.passes.check(Time::new(1, 20), STEP, &FrameOptions::default(), 0).unwrap_err().code(),
        -12902
    );
    (0..39).for_each(|frame| assert!(send(&mut passes, frame, 900).is_ok()));
    assert_eq!(end(&mut passes, false, Some(RATE)).unwrap_err().code(), -12902);
    assert_eq!(begin(&mut passes, false).unwrap_err().code(), -12902);
}

/// MP-9, MP-10, resolution 9: a pass that was not asked for is one over everything, encoded as the first; and
/// one can be asked for always.
#[test]
fn another_pass_over_everything() {
    for request_once in [false, true] {
        let mut passes = passes(PassOptions { request_once, ..PassOptions::default() });
        for pass in 0..3 {
            begin(&mut passes, false).unwrap();
            for frame in 0..40 {
                let start = send(&mut passes, frame, 100).unwrap();
                assert_eq!(start, (frame == 0).then(UnitStart::default));
            }
            let whole: Arc<[TimeRange]> = [TimeRange::new(at(0), at(40))].into();
            let asked = request_once && pass == 0;
            let expected = if asked { NextPass::Requested(whole) } else { NextPass::Finished };
            assert_eq!(end(&mut passes, false, None), Ok(expected));
        }
    }
}

/// Values with a limit of 1500 bytes in a second.
fn limited() -> Arc<Values> {
    values(&[Property::DataRateLimits(vec![DataRateLimit { bytes: 1500, seconds: 1.0 }])])
}

fn values(properties: &[Property]) -> Arc<Values> {
    let mut info = info_with_limits();
    info.controls.variable_bit_rate = true;
    let changes: Vec<_> =
        properties.iter().map(|property| (property.key(), Some(property.value()))).collect();
    let environment = Environment {
        info: &info,
        low_latency: false,
        width: 64,
        height: 64,
        transfers: false,
        metrics: &[],
    };
    Arc::new(Values::default().with(&environment, &changes, false).unwrap())
}

/// What a first pass over these frames tells the plan of all parts.
fn part(
    values: &Arc<Values>,
    rate: Option<u64>,
    frames: std::ops::Range<i64>,
    bytes: impl Fn(i64) -> usize,
) -> PartRecord {
    // so few that none is left for a sample of the film
    let mut session = passes(PassOptions { most: 3, ..PassOptions::default() });
    begin_with(&mut session, false, values, "").unwrap();
    frames.for_each(|frame| assert!(send(&mut session, frame, bytes(frame)).is_ok()));
    session.passes.end_part(PassKind::Analysis, &goal(session.options, rate)).unwrap().1
}

proptest! {
    /// PA-12, PA-15, MP-32: wherever a film is divided into parts, what is planned for them is what would be
    /// planned for the film of one session, and they share its bytes.
    #[test]
    fn the_plan_of_parts_is_that_of_the_whole(
        bytes in prop::collection::vec(20usize..400, 4..12), cuts in prop::collection::btree_set(1i64..11, 0..4),
    ) {
        let units = bytes.len() as i64;
        let cuts: Vec<i64> = [0].into_iter().chain(cuts.into_iter().filter(|cut| *cut < units)).chain([units]).collect();
        let of = |first: i64, end: i64| {
            part(&Arc::default(), Some(RATE), first * 10..end * 10, |frame| bytes[frame as usize / 10])
        };
        let whole = plan_parts(&[of(0, units)]).pop().flatten();
        let parts: Vec<PartRecord> = cuts.windows(2).map(|pair| of(pair[0], pair[1])).collect();
        let plans = plan_parts(&parts);
        let Some(whole) = whole else {
            prop_assert!(plans.iter().all(Option::is_none));
            return Ok(());
        };
        let placed = plans.iter().zip(&cuts).flat_map(|(plan, first)| {
            plan.iter().flat_map(|plan| &plan.takes).map(|(unit, take)| (unit + *first as usize, *take))
        });
        prop_assert_eq!(placed.collect::<Vec<_>>(), whole.takes.into_iter().collect::<Vec<_>>());
        let shared: f64 = plans.iter().flatten().filter_map(|plan| plan.bytes).sum();
        // nothing may be left for them
        prop_assert!((shared - whole.bytes.unwrap()).abs() < 1e-6);
    }
}

/// What a unit of an imaginary film takes: how it came out of the first pass, and by how many steps of the
/// knob it is off what its quantizer says of it.
#[derive(Clone, Copy)]
struct Imaginary {
    qp: f32,
    bytes: f64,
    off: f64,
}

impl Imaginary {
    /// Encodes ten frames, of which the unit consists. Gives the quality that it was to have, and its bytes.
    fn encode(&self, session: &mut Session, first: i64) -> (Option<f64>, f64) {
        let (mut quality, mut sum) = (None, 0);
        for frame in first..first + 10 {
            let passes = &mut session.passes;
            passes.check(at(frame), STEP, &FrameOptions::default(), 0).unwrap();
            if passes.accept(at(frame), STEP, &FrameOptions::default(), 0) {
                quality = passes.unit_start(at(frame)).quality;
            }
            let steps = quality.map_or(0.0, |quality| quality - (f64::from(self.qp) - 5.0 + self.off));
            let bytes = (self.bytes * (-0.19 * steps).exp2() / 10.0).round() as usize;
            let kind = if frame % 10 == 0 { SampleKind::Sync } else { SampleKind::Reference };
            let sample =
                Sample { data: vec![0; bytes], pts: at(frame), dts: at(frame), duration: STEP, kind };
            let record = passes.emitted(&sample, self.qp);
            session.recorded.last_mut().expect("a pass is open").extend(record);
            sum += bytes;
        }
        (quality, sum as f64)
    }
}

/// MP-32, PA-8, PA-15: of a film whose units are all alike, but for what the first pass has made of them in
/// each part, and whose encoder is off its usual answer to the knob by as much everywhere, all parts get the
/// same quality, although none of them sees what the others find out in a pass.
#[test]
fn parts_are_as_good_as_each_other() {
    const PARTS: usize = 4;
    const UNITS: usize = 6;
    for off in [-2.0, 2.0] {
        // units answer differently, most of all the first of a part
        let noise = [2.5, -0.6, 0.4, -0.3, 0.6, -0.5];
        let film: Vec<Vec<Imaginary>> = (0..PARTS)
            .map(|part| {
                let unit = |unit: usize| {
                    let qp = 30.0 + part as f32 - unit as f32 / 2.0;
                    let sign = if part % 2 == 0 { 1.0 } else { -1.0 };
                    let off = off + sign * noise[unit];
                    // at one quality all take the same
                    let bytes = 10_000.0 * (-0.19 * (f64::from(qp) - 5.0 + off - 24.0)).exp2();
                    Imaginary { qp, bytes, off }
                };
                (0..UNITS).map(unit).collect()
            })
            .collect();
        let rate = 8 * 10_000;
        let first = |part: usize, unit: usize| ((part * UNITS + unit) * 10) as i64;
        let mut sessions: Vec<Session> = (0..PARTS).map(|_| passes(PassOptions::default())).collect();
        let mut known = vec![[(None, 0.0); UNITS]; PARTS];
        let mut asked: Vec<Vec<usize>> = vec![(0..UNITS).collect(); PARTS];
        let mut records: Vec<Option<PartRecord>> = vec![None; PARTS];
        let mut encoded = 0;
        while asked.iter().any(|units| !units.is_empty()) {
            for (part, session) in
                sessions.iter_mut().enumerate().filter(|(part, _)| !asked[*part].is_empty())
            {
                begin(session, false).unwrap();
                for &unit in &asked[part] {
                    known[part][unit] = film[part][unit].encode(session, first(part, unit));
                    encoded += 1;
                }
                let (end, record) =
                    session.passes.end_part(PassKind::Analysis, &goal(session.options, Some(rate))).unwrap();
                assert_eq!(session.passes.conclude(end), NextPass::Undecided);
                records[part] = Some(record);
            }
            let all: Vec<PartRecord> = records.iter().flatten().cloned().collect();
            for (part, plan) in plan_parts(&all).into_iter().enumerate() {
                asked[part] = plan.iter().flat_map(|plan| plan.takes.keys().copied()).collect();
                if plan.is_some() {
                    let decided = sessions[part].passes.decided(plan).unwrap();
                    assert!(matches!(sessions[part].passes.conclude(decided), NextPass::Requested(_)));
                }
            }
        }
        let bytes: f64 = known.iter().flatten().map(|(_, bytes)| bytes).sum();
        let target = 10_000.0 * (PARTS * UNITS) as f64;
        assert!((bytes / target - 1.0).abs() < 0.005, "{off}: {bytes} instead of {target}");
        let again: Vec<f64> = known.iter().flatten().filter_map(|(quality, _)| *quality).collect();
        let mean = again.iter().sum::<f64>() / again.len() as f64;
        let apart =
            (again.iter().map(|quality| (quality - mean).powi(2)).sum::<f64>() / again.len() as f64).sqrt();
        println!("{off}: {encoded} units, {apart:.2} apart: {known:.1?}");
        assert!(again.len() > PARTS * UNITS / 2 && apart < 1.0, "{off}: {apart} apart: {known:.1?}");
        assert!(encoded * 2 <= PARTS * UNITS * 5, "{off}: {encoded} encodes of units");
    }
}

/// MP-33, PA-8: a window across the join of two parts is above its limit, and none within either of them: a
/// unit of both is encoded again. What was ended as the last pass stays as it is.
#[test]
fn windows_across_joins_of_parts_are_encoded_again() {
    let bytes = |frame: i64| if (15..25).contains(&frame) { 180 } else { 60 };
    let parts = [0..20, 20..40].map(|frames| part(&limited(), None, frames, bytes));
    for part in &parts {
        assert_eq!(plan_parts(std::slice::from_ref(part)), [None]);
    }
    let units = |parts: &[PartRecord]| -> Vec<Vec<usize>> {
        let plans = plan_parts(parts);
        plans.iter().map(|plan| plan.iter().flat_map(|plan| plan.takes.keys().copied()).collect()).collect()
    };
    assert_eq!(units(&parts), [vec![1], vec![0]]);
    let [before, mut after] = parts;
    after.may_go_on = false;
    assert_eq!(units(&[before, after]), [vec![1], vec![]]);
}

/// MP-33: the buffer of a variable bit rate is followed over the merged stream: units that let it run dry
/// together are encoded again, and each begins with what the samples before it leave.
#[test]
fn a_buffer_that_runs_dry_across_a_join_has_its_units_encoded_again() {
    let values = values(&[
        Property::VariableBitRate(8000),
        Property::VBVMaxBitRate(8000),
        Property::VBVBufferDuration(1.0),
        Property::VBVInitialDelayPercentage(100.0),
    ]);
    // it holds 1000 bytes, and is full when the second unit begins, however full it was at first
    runs_dry(&values);
}

/// MP-33, 5.3: the same for a greatest rate without an average.
#[test]
fn a_greatest_rate_alone_is_kept_across_joins() {
    runs_dry(&values(&[Property::VBVMaxBitRate(8000), Property::VBVBufferDuration(1.0)]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// MP-33: whatever units take, and however they answer to the knob within reason, the merged stream keeps
    /// a greatest rate within the passes that there are, or no unit can be coarser; judged by a buffer that
    /// the test fills and empties itself.
    #[test]
    fn a_merged_stream_keeps_its_greatest_rate(
        sizes in prop::collection::vec(20.0..400.0f64, 4), slope in -0.2..-0.13f64,
    ) {
        let values = values(&[Property::VBVMaxBitRate(8000), Property::VBVBufferDuration(1.0)]);
        let mut session = passes(PassOptions { most: 12, ..PassOptions::default() });
        let mut merged = vec![0.0; 40];
        // The buffer holds 1000 bytes, 900 at first, and 100 flow in with each frame.
        let lowest = |merged: &[f64]| {
            let mut level = 900.0f64;
            let mut lowest = level;
            for bytes in merged {
                level -= bytes;
                lowest = lowest.min(level);
                level = (level + 100.0).min(1000.0);
            }
            lowest
        };
        let mut asked: Option<Arc<[TimeRange]>> = None;
        loop {
            begin_with(&mut session, false, &values, "").unwrap();
            let mut quality = None;
            for frame in 0..40 {
                if asked.as_ref().is_some_and(|ranges| !ranges.iter().any(|range| range.contains(at(frame)))) {
                    continue;
                }
                let unit = frame as usize / 10;
                let bytes = |quality: Option<f64>| {
                    // 20.0 is what the planner takes the first pass for
                    (sizes[unit] * ((quality.unwrap_or(20.0) - 20.0) * slope).exp2()).max(1.0)
                };
                let index = frame as usize;
                // What a unit begins with is known before its first frame is sent.
                let start = send(&mut session, frame, bytes(quality) as usize).unwrap();
                if let Some(start) = start {
                    quality = start.quality;
                    let record = session.passes.emitted(
                        &Sample {
                            data: vec![0; bytes(quality) as usize],
                            pts: at(frame),
                            dts: at(frame),
                            duration: STEP,
                            kind: SampleKind::Sync,
                        },
                        25.0,
                    );
                    prop_assert!(record.is_some());
                }
                merged[index] = bytes(quality).floor();
            }
            match end(&mut session, false, None).unwrap() {
                NextPass::Requested(ranges) => asked = Some(ranges),
                _ => break,
            }
        }
        prop_assert!(lowest(&merged) >= 0.0, "{} of {:?}", lowest(&merged), merged);
    }
}

/// Two units let the buffer run dry together.
fn runs_dry(values: &Arc<Values>) {
    let mut session = passes(PassOptions::default());
    begin_with(&mut session, false, values, "").unwrap();
    // it holds 1000 bytes, and 100 flow in with each frame: five of these frames leave 400, ten nothing
    let bytes = |frame: i64| if (15..25).contains(&frame) { 220 } else { 20 };
    (0..40).for_each(|frame| assert!(send(&mut session, frame, bytes(frame)).is_ok()));
    let range = TimeRange::between(at(10), at(30));
    assert_eq!(end(&mut session, false, None), Ok(NextPass::Requested([range].into())));
    begin_with(&mut session, false, values, "").unwrap();
    for frame in 10..30 {
        let start = send(&mut session, frame, bytes(frame) * 3 / 4).unwrap();
        let fullness = start.map(|start| start.fullness.expect("there is a buffer"));
        // the second has lost 65 bytes with each of five frames, and 100 have flowed in since the last
        let expected =
            [(10, 1.0), (20, 1.0 - 0.165 - 4.0 * 0.065 + 0.1)].into_iter().find(|(at, _)| *at == frame);
        match (fullness, expected) {
            (Some(found), Some((_, expected))) => {
                assert!((found - expected).abs() < 1e-9, "{frame}: {found}")
            }
            (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "{frame}"),
        }
    }
    assert_eq!(end(&mut session, false, None), Ok(NextPass::Finished));
}

/// MP-33, MP-30: a window across the join of two units that is above its limit has both encoded again,
/// coarser; when it is not any more, nothing is asked for.
#[test]
fn windows_above_their_limit_are_encoded_again() {
    let values = limited();
    let mut session = passes(PassOptions::default());
    begin_with(&mut session, false, &values, "").unwrap();
    // the last half second of the second unit and the first of the third hold 1800 bytes
    let bytes = |frame: i64| if (15..25).contains(&frame) { 180 } else { 60 };
    for frame in 0..40 {
        send(&mut session, frame, bytes(frame)).unwrap();
    }
    let range = TimeRange::between(at(10), at(30));
    assert_eq!(end(&mut session, false, None), Ok(NextPass::Requested([range].into())));
    begin_with(&mut session, false, &values, "").unwrap();
    for frame in 10..30 {
        if let Some(UnitStart { quality, before, .. }) =
            send(&mut session, frame, bytes(frame) * 4 / 5).unwrap()
        {
            // what came before is known to the encode: of the first unit as it was, of the second as it is
            // now
            assert_eq!(before.len(), 10);
            assert_eq!(before[9].1, if frame == 10 { 60 } else { 144 });
            // 20.0 is what a quantizer of 25 stands for
            assert!(quality.unwrap() > 20.0);
        }
    }
    assert_eq!(end(&mut session, false, None), Ok(NextPass::Finished));
}

/// MP-25, MP-3: a session that asks a kept storage for its ranges goes on with them, with the frames of the
/// first pass; one that does not ask begins anew; other settings are refused.
#[test]
fn a_kept_storage_is_gone_on_with() {
    let ranges = |session: &mut Session| {
        begin(session, false).unwrap();
        for frame in 0..80 {
            send(session, frame, if frame < 40 { 20 } else { 200 }).unwrap();
        }
        let Ok(NextPass::Requested(ranges)) = end(session, false, Some(RATE)) else {
            panic!("nothing wanted")
        };
        ranges
    };
    for (goes_on, settings) in [(true, ""), (true, "other"), (false, "other")] {
        let mut session = passes(PassOptions::default());
        let wanted = ranges(&mut session);
        let earlier =
            Earlier::restore(&session.note, &session.recorded).expect("what was written fits together");
        session.passes = Passes::new(info().quality, Some(earlier));
        if !goes_on {
            begin_with(&mut session, false, &Arc::default(), settings).unwrap();
            assert!(send(&mut session, 100, 9).is_ok(), "another source may come");
            continue;
        }
        assert_eq!(session.passes.ranges(), Ok(wanted.clone()));
        if !settings.is_empty() {
            let refused = begin_with(&mut session, false, &Arc::default(), settings).unwrap_err();
            assert_eq!(refused.code(), -12213);
            continue;
        }
        begin(&mut session, false).unwrap();
        let mut begun = 0;
        for frame in 0..80 {
            let inside = wanted.iter().any(|range| range.contains(at(frame)));
            match send(&mut session, frame, 100) {
                Ok(beginning) => begun += usize::from(beginning.is_some_and(|one| one.quality.is_some())),
                Err(error) => assert!(!inside && error.code() == -12902),
            }
        }
        assert!(begun > 1);
        assert!(end(&mut session, false, Some(RATE)).is_ok());
    }
}

/// MP-25: notes and frames that do not fit together are nothing to go on with, and nothing is guessed from
/// them.
#[test]
fn what_does_not_fit_together_is_not_gone_on_with() {
    let mut session = passes(PassOptions::default());
    begin(&mut session, false).unwrap();
    (0..40).for_each(|frame| assert!(send(&mut session, frame, 900).is_ok()));
    assert!(matches!(end(&mut session, false, Some(RATE)), Ok(NextPass::Requested(_))));
    let Session { recorded, note, .. } = session;
    assert!(Earlier::restore(&note, &recorded).is_some());
    let fewer = vec![recorded[0][..39].to_vec()];
    let unknown = vec![recorded[0].clone(), vec![FrameRecord { pts: Time::new(1, 20), ..recorded[0][0] }]];
    assert!(Earlier::restore(&note, &fewer).is_none(), "units are longer than the source");
    assert!(Earlier::restore(&note, &unknown).is_none(), "a later pass has a frame that the first had not");
    assert!(Earlier::restore(&note[1..], &recorded).is_none(), "the note is damaged");
}

/// ST-9, MP-15: what could not be recorded is said at the end of the pass, and the pass is over.
#[test]
fn what_went_wrong_is_said_at_the_end_of_the_pass() {
    let mut session = passes(PassOptions::default());
    begin(&mut session, false).unwrap();
    send(&mut session, 0, 9).unwrap();
    session.passes.fail(SessionError::Malfunction("first".into()));
    session.passes.fail(SessionError::Malfunction("second".into()));
    assert_eq!(end(&mut session, false, None), Err(SessionError::Malfunction("first".into())));
    assert_eq!(begin(&mut session, false).unwrap_err().code(), -12902);
}
