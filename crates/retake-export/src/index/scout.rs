//! The scout decodes the film once, from front to back: it builds the frame index, finds scenes, cuts units,
//! and hands the frames of each unit on, so that the first pass needs no second decode.
//!
//! Where one decoder cannot keep all cores busy, others read ranges ahead of it ([`super::ranges`]). Units
//! in these come without frames, and their takes read them themselves.

use super::journal::{Journal, Scene};
use super::ranges::{Fed, Feed, Ranges};
use super::units::{Cuts, Found, UnitFinder};
use super::{FilmMap, MemoryPermits, ScoutedFrame};
use crate::error::{ExportError, RequestError};
use crate::stop::StopFlag;
use retake_compression::scene::LOOK_AHEAD;
use retake_compression::units::{FrameRange, UnitRule};
use retake_libav::{Frame, FrameEntry, FrameIndex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

/// The rules by which the scout works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoutPlan {
    pub rule: UnitRule,
    /// The shortest scene, in frames.
    pub shortest: usize,
    /// True if frames are handed on before their unit's end is known, for takes that need not see all of it
    /// first.
    pub streaming: bool,
    /// At most this many frames are held between decoder and takes.
    pub permits: usize,
}

/// Returns how many frames a scout must be able to hold for itself, because it makes no progress with fewer.
pub(crate) fn held_back(rule: UnitRule, streaming: bool) -> u64 {
    LOOK_AHEAD as u64 + 3 + if streaming { 0 } else { rule.window.max(rule.longest) }
}

/// The listener learns here of the scout's findings. Frames of a unit come in order and between its beginning
/// and its end.
pub(crate) trait Scouted {
    /// Takes the number of frames decoded so far.
    fn decoded(&mut self, frames: u64);
    /// Begins a unit with this frame, the film's unit of this number; before frame `end` it ends, if that is
    /// known yet. It returns false where the frames are not wanted now, and the unit is to be written.
    fn begin(&mut self, number: usize, start: u64, end: Option<u64>) -> bool;
    /// Takes the next frame of the unit.
    fn frame(&mut self, frame: ScoutedFrame);
    /// Ends the unit.
    fn end(&mut self);
    /// Takes units whose frames were not handed on, with their numbers. They are in the journal with their
    /// frames, so that every reader of it can find them; the index has all frames so far.
    fn written(&mut self, units: &[(usize, FrameRange)], index: &FrameIndex);
}

pub(crate) struct Scout<'a> {
    pub plan: ScoutPlan,
    pub ranges: Ranges<'a>,
    /// The cores that decoders may use at the moment.
    pub cores: &'a (dyn Fn() -> usize + Sync),
    /// Whether frames are handed on; else all units are taken without.
    pub hands_on: bool,
    /// Where units are cut, if that is known.
    pub cuts: Option<Arc<Cuts>>,
    pub journal: Journal,
    pub map: FilmMap,
    pub stop: &'a StopFlag,
}

impl Scout<'_> {
    /// Decodes to the end of the film and returns the whole map. Frames that the map knows already are
    /// checked against it, but not handed on, because their takes read them themselves.
    pub(crate) fn run(self, told: &mut dyn Scouted) -> Result<FilmMap, ExportError> {
        let Self { plan, ranges, cores, hands_on, cuts, journal, map, stop } = self;
        let known = map.index.frames.len() as u64;
        let mut join = Join {
            plan,
            known,
            permits: MemoryPermits::new(plan.permits),
            finder: UnitFinder::new(map.index.time_base, plan.rule, known, plan.shortest)
                .cut_as(cuts.as_deref()),
            expected: cuts.map(|cuts| cuts.frames()),
            handover: Handover { waiting: VecDeque::new(), open: None, whole_from: known, told },
            scene: Scene::default(),
            alone: Vec::new(),
            hands_on,
            journal,
            map,
            stop,
        };
        let ranges = &ranges;
        thread::scope(|scope| {
            for number in 0..ranges.scouts {
                let scout = move || ranges.scout(cores, stop);
                // Fewer scouts find the same.
                let _ = thread::Builder::new().name(format!("scout-{number}")).spawn_scoped(scope, scout);
            }
            for number in 0..ranges.waiters {
                let wait = move || ranges.scout_elsewhere(stop);
                let _ = thread::Builder::new().name(format!("range-{number}")).spawn_scoped(scope, wait);
            }
            let joined = Feed::open(ranges).and_then(|feed| join.run(feed));
            ranges.end();
            joined
        })?;
        Ok(join.map)
    }
}

/// Joins all that scouts find: finds scenes, cuts units and writes the journal, frame by frame in order.
struct Join<'a> {
    plan: ScoutPlan,
    /// The frames that were known before.
    known: u64,
    permits: Arc<MemoryPermits>,
    finder: UnitFinder,
    /// The number of frames that the film must have, if that is known.
    expected: Option<u64>,
    handover: Handover<'a>,
    /// What is known of the scene so far, and which of its units were not handed on.
    scene: Scene,
    alone: Vec<(usize, FrameRange)>,
    hands_on: bool,
    journal: Journal,
    map: FilmMap,
    stop: &'a StopFlag,
}

impl Join<'_> {
    fn run(&mut self, mut feed: Feed<'_>) -> Result<(), ExportError> {
        let mut end = 0u64;
        while let Some(fed) = feed.next(self.handover.open.is_some(), self.stop)? {
            self.stop.check()?;
            let index = end;
            end += 1;
            if self.expected.is_some_and(|expected| end > expected) {
                return Err(changed(index));
            }
            if end.is_multiple_of(16) {
                self.handover.told.decoded(end);
            }
            if end <= self.known {
                self.check(&fed.entry, index)?;
                continue;
            }
            self.take(fed, index)?;
            self.decide(false)?;
        }
        self.decide(true)?;
        if end < self.known || self.expected.is_some_and(|expected| end < expected) {
            return Err(changed(end));
        }
        if let Found::SceneEnd { units, end } = self.finder.end(end) {
            self.end_scene(units, end)?;
        }
        self.handover.told.decoded(end);
        self.map.findings = feed.findings();
        self.journal.end(&self.map.findings)?;
        self.map.complete = true;
        Ok(())
    }

    /// Takes a frame that was not known.
    fn take(&mut self, fed: Fed, index: u64) -> Result<(), ExportError> {
        self.scene.frames.push(fed.entry);
        self.finder.push(index, fed.entry.pts, &fed.small);
        let FrameEntry { pts, duration, sync, .. } = fed.entry;
        let frame = fed.frame.filter(|_| self.hands_on);
        let frame = frame.map(|frame| Frame { index, pts, duration, sync, ..frame });
        if frame.is_none() || fed.elsewhere {
            self.handover.whole_from = index + 1;
        }
        // A unit that was begun is handed on to its end; no other can be.
        if fed.elsewhere && self.handover.open.is_none() {
            self.handover.waiting.clear();
            return Ok(());
        }
        if let Some(frame) = frame {
            let permit = self.permits.take(self.stop)?;
            self.handover.waiting.push_back(ScoutedFrame { frame, permit });
        }
        Ok(())
    }

    fn decide(&mut self, ended: bool) -> Result<(), ExportError> {
        while let Some(found) = self.finder.next(ended) {
            match found {
                Found::SceneEnd { units, end } => self.end_scene(units, end)?,
                Found::GoesOn { unit, frame } => {
                    if let Some(unit) = unit {
                        self.end_unit(unit);
                    }
                    if self.plan.streaming {
                        self.handover.up_to(self.number(), self.finder.open_unit(), frame, None);
                    }
                }
            }
        }
        Ok(())
    }

    fn end_unit(&mut self, unit: FrameRange) {
        let number = self.number();
        if !self.handover.unit(number, unit) {
            self.alone.push((number, unit));
        }
        self.scene.units.push(unit);
    }

    /// The number of the unit that comes next.
    fn number(&self) -> usize {
        self.map.units.len() + self.scene.units.len()
    }

    /// Hands on the rest of a scene that ends before frame `end`, and writes it to the journal.
    fn end_scene(&mut self, units: Vec<FrameRange>, end: u64) -> Result<(), ExportError> {
        for unit in units {
            self.end_unit(unit);
        }
        let first = self.map.index.frames.len() as u64;
        let rest = self.scene.frames.split_off((end - first) as usize);
        if !self.scene.units.is_empty() {
            self.journal.add(&self.scene)?;
        }
        self.map.scenes.extend(self.scene.units.first().map(|unit| unit.start));
        self.map.units.append(&mut self.scene.units);
        self.map.index.frames.append(&mut self.scene.frames);
        self.scene.frames = rest;
        if !self.alone.is_empty() {
            self.handover.told.written(&self.alone, &self.map.index);
            self.alone.clear();
        }
        Ok(())
    }

    fn check(&self, found: &FrameEntry, index: u64) -> Result<(), ExportError> {
        let expected = &self.map.index.frames[index as usize];
        if expected.pts == found.pts && expected.hash == found.hash {
            return Ok(());
        }
        Err(changed(index))
    }
}

fn changed(frame: u64) -> ExportError {
    RequestError::SourceChanged { frame }.into()
}

/// Holds frames that are not handed on yet, and the unit that is being handed on.
struct Handover<'a> {
    waiting: VecDeque<ScoutedFrame>,
    open: Option<u64>,
    /// Units that begin earlier, and are not open, lack frames.
    whole_from: u64,
    told: &'a mut dyn Scouted,
}

impl Handover<'_> {
    /// Hands on all frames of a unit, and ends it; returns whether it has them.
    fn unit(&mut self, number: usize, unit: FrameRange) -> bool {
        let handed = self.up_to(number, unit.start, unit.end - 1, Some(unit.end));
        if handed {
            self.open = None;
            self.told.end();
        }
        handed
    }

    /// Hands on the frames up to and with `last`, which belong to the unit that starts at `start`; drops them
    /// where the unit lacks others, or they are not wanted. `end` is where the unit ends, if that is known.
    fn up_to(&mut self, number: usize, start: u64, last: u64, end: Option<u64>) -> bool {
        let whole = start >= self.whole_from;
        let handed = self.open == Some(start) || whole && self.told.begin(number, start, end);
        if handed {
            self.open = Some(start);
        } else if whole {
            // who did not want its first frames cannot have the others
            self.whole_from = start + 1;
        }
        while self.waiting.front().is_some_and(|scouted| scouted.frame.index <= last) {
            let scouted = self.waiting.pop_front();
            if let Some(scouted) = scouted.filter(|_| handed) {
                self.told.frame(scouted);
            }
        }
        handed
    }
}
