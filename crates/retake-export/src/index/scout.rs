//! The scout decodes the film once, from front to back: it builds the frame index, finds scenes, cuts units,
//! and hands the frames of each unit on, so that the first pass needs no second decode.

use super::journal::{Journal, Scene};
use super::scene::LOOK_AHEAD;
use super::units::{Found, UnitFinder};
use super::{FilmMap, MemoryPermits, ScoutedFrame};
use crate::error::{ExportError, RequestError};
use crate::stop::StopFlag;
use retake_compression::units::{FrameRange, UnitRule};
use retake_libav::{Frame, FrameEntry, FrameReader};
use std::collections::VecDeque;

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
    /// Begins a unit with this frame; its end may not be known yet.
    fn begin(&mut self, start: u64);
    /// Takes the next frame of the unit.
    fn frame(&mut self, frame: ScoutedFrame);
    /// Ends the unit.
    fn end(&mut self);
    /// Takes units that are in the journal with their frames, so that every reader of it can find them.
    fn written(&mut self, units: &[FrameRange]);
}

pub(crate) struct Scout<'a> {
    pub plan: ScoutPlan,
    pub reader: FrameReader,
    pub journal: Journal,
    pub map: FilmMap,
    pub stop: &'a StopFlag,
}

impl Scout<'_> {
    /// Decodes to the end of the film and returns the whole map. Frames that the map knows already are
    /// checked against it, but not handed on, because their takes read them themselves.
    pub(crate) fn run(mut self, told: &mut dyn Scouted) -> Result<FilmMap, ExportError> {
        let known = self.map.index.frames.len() as u64;
        let permits = MemoryPermits::new(self.plan.permits);
        let base = self.map.index.time_base;
        let mut finder = UnitFinder::new(base, self.plan.rule, known, self.plan.shortest);
        let mut handover = Handover { waiting: VecDeque::new(), open: None, told };
        let mut scene = Scene::default();
        let mut end = 0;
        while let Some(frame) = self.reader.next()? {
            self.stop.check()?;
            end = frame.index + 1;
            if end.is_multiple_of(16) {
                handover.told.decoded(end);
            }
            if end <= known {
                self.check(&frame)?;
                continue;
            }
            scene.frames.push(FrameEntry::from(&frame));
            finder.push(&frame);
            let permit = permits.take(self.stop)?;
            handover.waiting.push_back(ScoutedFrame { frame, permit });
            self.decide(&mut finder, &mut scene, &mut handover, false)?;
        }
        self.decide(&mut finder, &mut scene, &mut handover, true)?;
        if end < known {
            return Err(changed(end));
        }
        if let Found::SceneEnd { units, end } = finder.end(end) {
            self.end_scene(units, &mut scene, &mut handover, end)?;
        }
        handover.told.decoded(end);
        self.map.findings = self.reader.findings();
        self.journal.end(&self.map.findings)?;
        self.map.complete = true;
        Ok(self.map)
    }

    fn decide(
        &mut self,
        finder: &mut UnitFinder,
        scene: &mut Scene,
        handover: &mut Handover<'_>,
        ended: bool,
    ) -> Result<(), ExportError> {
        while let Some(found) = finder.next(ended) {
            match found {
                Found::SceneEnd { units, end } => self.end_scene(units, scene, handover, end)?,
                Found::GoesOn { unit, frame } => {
                    if let Some(unit) = unit {
                        handover.unit(unit);
                        scene.units.push(unit);
                    }
                    if self.plan.streaming {
                        handover.up_to(finder.open_unit(), frame);
                    }
                }
            }
        }
        Ok(())
    }

    /// Hands on the rest of a scene that ends before frame `end`, and writes it to the journal.
    fn end_scene(
        &mut self,
        units: Vec<FrameRange>,
        scene: &mut Scene,
        handover: &mut Handover<'_>,
        end: u64,
    ) -> Result<(), ExportError> {
        for unit in units {
            handover.unit(unit);
            scene.units.push(unit);
        }
        let first = self.map.index.frames.len() as u64;
        let rest = scene.frames.split_off((end - first) as usize);
        if !scene.units.is_empty() {
            self.journal.add(scene)?;
            handover.told.written(&scene.units);
        }
        self.map.units.append(&mut scene.units);
        self.map.index.frames.append(&mut scene.frames);
        scene.frames = rest;
        Ok(())
    }

    fn check(&self, frame: &Frame) -> Result<(), ExportError> {
        let expected = &self.map.index.frames[frame.index as usize];
        if expected.pts == frame.pts && expected.hash == frame.hash() {
            return Ok(());
        }
        Err(changed(frame.index))
    }
}

fn changed(frame: u64) -> ExportError {
    RequestError::SourceChanged { frame }.into()
}

/// Holds frames that are not handed on yet, and the unit that is being handed on.
struct Handover<'a> {
    waiting: VecDeque<ScoutedFrame>,
    open: Option<u64>,
    told: &'a mut dyn Scouted,
}

impl Handover<'_> {
    /// Hands on all frames of a unit, and ends it.
    fn unit(&mut self, unit: FrameRange) {
        self.up_to(unit.start, unit.end - 1);
        self.open = None;
        self.told.end();
    }

    /// Hands on the frames up to and with `last`, which belong to the unit that starts at `start`.
    fn up_to(&mut self, start: u64, last: u64) {
        if self.open != Some(start) {
            self.told.begin(start);
            self.open = Some(start);
        }
        while self.waiting.front().is_some_and(|scouted| scouted.frame.index <= last) {
            if let Some(scouted) = self.waiting.pop_front() {
                self.told.frame(scouted);
            }
        }
    }
}
