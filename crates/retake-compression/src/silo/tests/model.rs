//! These tests compare the silo with a plain list that follows the rules, one after the other.

use super::super::core::{Core, Failure};
use super::super::entries::Entry;
use super::super::snapshot::Snapshot;
use super::{format, sample};
use crate::journal::faults::Memory;
use proptest::prelude::*;
use retake_media::{SampleAttachments, SampleBuffer, Time, TimeRange};
use std::sync::Arc;

#[derive(Debug, Clone)]
enum Step {
    Add { dts: Time, pts: Time, duration: Time, wide: bool, token: Option<u64>, empty: bool },
    Pass(Vec<TimeRange>),
    Replace(Vec<TimeRange>),
    Commit,
    Abandon,
    Read(TimeRange),
    Reopen,
    Rebuild,
}

/// Makes times on several scales, negative ones among them, that often coincide.
fn time() -> impl Strategy<Value = Time> {
    (-12i64..40, prop::sample::select(vec![1, 2, 3, 600, 90_000])).prop_map(|(value, scale)| {
        let step = i64::from(scale.max(3)) / 3;
        Time::new(if scale < 3 { value } else { value * step }, scale)
    })
}

fn odd_time() -> impl Strategy<Value = Time> {
    prop_oneof![8 => time(), 1 => Just(Time::INVALID), 1 => Just(Time::POSITIVE_INFINITY)]
}

fn ranges() -> impl Strategy<Value = Vec<TimeRange>> {
    let ascending = prop::collection::vec(time(), 0..8).prop_map(|mut times| {
        times.sort();
        times.chunks_exact(2).map(|pair| TimeRange::between(pair[0], pair[1])).collect()
    });
    let any = prop::collection::vec((time(), odd_time()).prop_map(|(a, b)| TimeRange::new(a, b)), 0..3);
    prop_oneof![3 => ascending, 1 => any]
}

fn step() -> impl Strategy<Value = Step> {
    let duration = prop_oneof![3 => Just(Time::new(1, 3)), 1 => Just(Time::INVALID)];
    let add = (odd_time(), time(), duration, any::<bool>(), prop::option::of(any::<u64>()), 0..20u8);
    prop_oneof![
        24 => add.prop_map(|(dts, pts, duration, wide, token, empty)| Step::Add { dts, pts, duration, wide, token, empty: empty == 0 }),
        3 => ranges().prop_map(Step::Pass),
        2 => ranges().prop_map(Step::Replace),
        1 => Just(Step::Commit),
        1 => Just(Step::Abandon),
        3 => (odd_time(), odd_time()).prop_map(|(start, duration)| Step::Read(TimeRange::new(start, duration))),
        1 => Just(Step::Reopen),
        1 => Just(Step::Rebuild),
    ]
}

/// The model applies the rules to a list.
#[derive(Clone, Default)]
struct Model {
    hint: Option<TimeRange>,
    samples: Vec<(Time, SampleBuffer)>,
    ranges: Option<Vec<TimeRange>>,
    last: Option<Time>,
    progress: f64,
    /// This is the model before a replacement.
    before: Option<Box<Model>>,
}

/// Tells whether start ≤ time < start + duration, on whole numbers of 1/540000 seconds, which all times here
/// are.
fn inside(range: &TimeRange, time: Time) -> bool {
    let ticks = |time: Time| time.value() * 540_000 / i64::from(time.timescale());
    time.is_numeric()
        && ticks(range.start) <= ticks(time)
        && ticks(time) < ticks(range.start) + ticks(range.duration)
}

impl Model {
    fn add(&mut self, buffer: &SampleBuffer) -> i32 {
        let sample = &buffer.sample;
        if sample.data.is_empty() {
            return -12902;
        }
        let key = if sample.dts.is_valid() { sample.dts } else { sample.pts };
        let fits = self.ranges.as_ref().is_none_or(|ranges| ranges.iter().any(|range| inside(range, key)));
        if !key.is_numeric() || self.last.is_some_and(|last| key <= last) || !fits {
            return -12215;
        }
        self.samples.retain(|(other, _)| *other != key);
        self.samples.push((key, buffer.clone()));
        self.samples.sort_by_key(|(key, _)| *key);
        self.last = Some(key);
        let list = self.ranges.clone().or(self.hint.map(|hint| vec![hint]));
        if let Some(list) = list {
            let holding = list.iter().position(|range| inside(range, key)).unwrap_or(0);
            let mut sum: f64 = list[..holding].iter().map(|range| range.duration.seconds()).sum();
            sum += key.seconds() - list[holding].start.seconds();
            if sample.duration.is_valid() {
                sum += sample.duration.seconds();
            }
            self.progress = self.progress.max(sum);
        }
        0
    }

    fn check(ranges: &[TimeRange]) -> i32 {
        let ascending =
            ranges.windows(2).all(|pair| pair[0].end() <= pair[1].start && pair[0].start <= pair[1].start);
        if ranges.iter().all(|range| range.is_numeric()) && ascending { 0 } else { -12216 }
    }

    fn pass(&mut self, ranges: &[TimeRange]) -> i32 {
        match (Self::check(ranges), &self.before) {
            (0, None) => {
                self.samples.retain(|(key, _)| !ranges.iter().any(|range| inside(range, *key)));
                (self.ranges, self.last, self.progress) = (Some(ranges.to_vec()), None, 0.0);
                0
            }
            (0, Some(_)) => -12902,
            (wrong, _) => wrong,
        }
    }

    fn replace(&mut self, ranges: &[TimeRange]) -> i32 {
        let before = self.clone();
        let code = self.pass(ranges);
        if code == 0 {
            self.before = Some(Box::new(before));
        }
        code
    }

    fn commit(&mut self) -> i32 {
        if self.before.take().is_some() { 0 } else { -12902 }
    }

    fn abandon(&mut self) -> i32 {
        match self.before.take() {
            Some(before) => {
                *self = *before;
                0
            }
            None => -12902,
        }
    }

    fn read(&self, range: Option<TimeRange>) -> Result<Vec<SampleBuffer>, i32> {
        let seen = self.before.as_deref().unwrap_or(self);
        if range.is_some_and(|range| !range.is_numeric()) {
            return Err(-12216);
        }
        let chosen = |key| range.is_none_or(|range| inside(&range, key));
        Ok(seen.samples.iter().filter(|(key, _)| chosen(*key)).map(|(_, sample)| sample.clone()).collect())
    }

    fn progress(&self) -> Result<f64, i32> {
        let list = self.ranges.clone().or(self.hint.map(|hint| vec![hint])).ok_or(-12216)?;
        let all: f64 = list.iter().map(|range| range.duration.seconds()).sum();
        Ok(if all == 0.0 { 1.0 } else { (self.progress / all).clamp(0.0, 1.0) })
    }
}

fn code(result: Result<(), Failure>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(Failure::Silo(error)) => error.code(),
        Err(Failure::Io(error)) => panic!("{error}"),
    }
}

fn read(core: &Core<Memory>, range: Option<TimeRange>) -> Result<Vec<SampleBuffer>, i32> {
    let mut snapshot: Snapshot = core.snapshot(range).map_err(|error| error.code())?;
    let entries: Vec<Entry> = std::iter::from_fn(|| snapshot.next()).collect();
    if range.is_none() {
        // reading step by step must give the same
        let mut reached = None;
        for entry in &entries {
            let next = core.next_after(reached).unwrap();
            assert_eq!((next.key, next.location), (entry.key, entry.location));
            reached = Some(next.key);
        }
        assert!(core.next_after(reached).is_none());
    }
    let samples: Vec<SampleBuffer> = entries.iter().map(|entry| core.read(entry.location).unwrap()).collect();
    // FS-26: samples with equal descriptions share one
    for pair in samples.windows(2) {
        assert_eq!(pair[0].format == pair[1].format, Arc::ptr_eq(&pair[0].format, &pair[1].format));
    }
    Ok(samples)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// A22, FS-2, FS-4, FS-5, FS-6, FS-7, FS-8, FS-9, FS-10, FS-12, FS-13, FS-14, FS-15, FS-16, FS-17, FS-18,
    /// FS-19, FS-20, FS-21, FS-22, FS-23, FS-25, FS-26: each call, replacements included, answers as the
    /// model does, and leaves the same samples and the same progress behind, also after errors.
    #[test]
    fn a22_the_silo_does_what_a_plain_list_does(
        hint in prop_oneof![Just(None), Just(Some(TimeRange::EVERYTHING)), (time(), 0i64..20).prop_map(|(start, seconds)| Some(TimeRange::new(start, Time::new(seconds, 1))))],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut core = Core::create(Memory::default(), true, hint).unwrap();
        let mut model = Model { hint: hint.filter(|hint| hint.is_numeric()), ..Model::default() };
        // opening a silo does not read the durations of samples, which progress needs
        let mut opened = false;
        for (number, step) in steps.iter().enumerate() {
            let (found, expected) = match step {
                Step::Add { dts, pts, duration, wide, token, empty } => {
                    let data = (number as u64).to_le_bytes();
                    let mut buffer = sample(*dts, *pts, if *empty { &[] } else { &data[..] });
                    buffer.sample.duration = *duration;
                    buffer.format = format(if *wide { 128 } else { 64 });
                    buffer.attachments = SampleAttachments { long_term_reference: *token, ..SampleAttachments::default() };
                    (code(core.add(&buffer)), model.add(&buffer))
                }
                Step::Pass(ranges) => (code(core.begin_pass(ranges)), model.pass(ranges)),
                Step::Replace(ranges) => (code(core.begin_replacement(ranges)), model.replace(ranges)),
                Step::Commit => (code(core.commit()), model.commit()),
                Step::Abandon => (code(core.abandon()), model.abandon()),
                Step::Read(range) => {
                    prop_assert_eq!(read(&core, Some(*range)), model.read(Some(*range)));
                    continue;
                }
                Step::Reopen => {
                    core.keep().unwrap();
                    core.journal.flush().unwrap();
                    core = Core::open(Memory::with(core.journal.backend().bytes()), hint).unwrap();
                    // opening abandons a replacement that was not committed
                    model.abandon();
                    opened = true;
                    (0, 0)
                }
                Step::Rebuild => {
                    if core.is_wasteful(0) {
                        core = core.rebuilt(Memory::default()).unwrap();
                    }
                    (0, 0)
                }
            };
            prop_assert_eq!(found, expected, "{:?}", step);
            prop_assert_eq!(read(&core, None), model.read(None));
            let (progress, expected) = (core.progress().map_err(|error| error.code()), model.progress());
            prop_assert_eq!(progress.is_ok(), expected.is_ok());
            if let (Ok(progress), Ok(expected), false) = (progress, expected, opened) {
                prop_assert!((f64::from(progress) - expected).abs() < 1e-6, "{} {}", progress, expected);
            }
        }
    }
}
