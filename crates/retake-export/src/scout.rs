//! The scout decodes the film once, from front to back: it builds the frame index, finds scenes, cuts units, and hands the frames of each
//! unit straight to the take that encodes it, so that the first pass needs no second decode.

use crate::error::ExportError;
use crate::feed::{Feed, LiveFrame, Places};
use crate::index::{FilmMap, Journal, Scene};
use crate::scene::{LOOK_AHEAD, SceneDetector};
use crate::stop::StopFlag;
use crossbeam_channel::{Sender, unbounded};
use retake_compression::units::{FrameRange, UnitCutter, UnitRule};
use retake_libav::{Frame, FrameEntry, FrameReader};
use std::collections::VecDeque;

/// How the scout works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoutPlan {
    pub rule: UnitRule,
    /// The shortest scene, in frames.
    pub shortest: usize,
    /// Hand frames over before their unit's end is known: for takes that need not see all of it first.
    pub streaming: bool,
    /// Frames that may be held between decoder and takes.
    pub places: usize,
}

/// Frames that a scout must be able to hold for itself to make progress at all.
pub(crate) fn held_back(rule: UnitRule, streaming: bool) -> u64 {
    LOOK_AHEAD as u64 + 3 + if streaming { 0 } else { rule.window.max(rule.longest) }
}

pub(crate) struct Scout<'a> {
    pub plan: ScoutPlan,
    pub reader: FrameReader,
    pub journal: Journal,
    pub map: FilmMap,
    pub stop: &'a StopFlag,
    /// Told how many frames have been decoded.
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Given the first frame of each unit, and where its frames will come from.
    pub call: &'a (dyn Fn(u64, Feed) + Sync),
}

impl Scout<'_> {
    /// Decodes to the end of the film and gives back all that is known of it. Frames that the map knows already are checked against it,
    /// but not handed over: their takes read them themselves.
    pub(crate) fn run(mut self) -> Result<FilmMap, ExportError> {
        let known = self.map.index.frames.len() as u64;
        let places = Places::new(self.plan.places);
        let mut cutter = UnitCutter::new(self.plan.rule, known);
        let mut detector = SceneDetector::new(known, self.plan.shortest);
        let mut queue = Queue { pending: VecDeque::new(), open: None, call: self.call };
        let mut scene = Scene::default();
        let mut end = 0;
        while let Some(frame) = self.reader.next()? {
            self.stop.check()?;
            end = frame.index + 1;
            if end.is_multiple_of(16) {
                (self.progress)(end);
            }
            if end <= known {
                self.check(&frame)?;
                continue;
            }
            scene.frames.push(entry(&frame));
            detector.push(&frame.picture);
            let place = places.take(self.stop)?;
            queue.pending.push_back(LiveFrame { frame, place });
            self.decide(&mut detector, &mut cutter, &mut scene, &mut queue, false)?;
        }
        self.decide(&mut detector, &mut cutter, &mut scene, &mut queue, true)?;
        if end < known {
            return Err(changed(end));
        }
        self.end_scene(&mut cutter, &mut scene, &mut queue, end)?;
        (self.progress)(end);
        self.journal.end()?;
        self.map.complete = true;
        Ok(self.map)
    }

    fn decide(
        &mut self,
        detector: &mut SceneDetector,
        cutter: &mut UnitCutter,
        scene: &mut Scene,
        queue: &mut Queue<'_>,
        ended: bool,
    ) -> Result<(), ExportError> {
        while let Some(decision) = detector.decide(ended) {
            if decision.cut {
                self.end_scene(cutter, scene, queue, decision.frame)?;
                detector.restart();
                continue;
            }
            if let Some(unit) = cutter.no_cut_before(decision.frame + 1) {
                queue.hand_over(unit);
                scene.units.push(unit);
            }
            if self.plan.streaming {
                queue.pass(cutter.start(), decision.frame);
            }
        }
        Ok(())
    }

    /// Hands over what is left of a scene that ends before frame `end`, and writes it down.
    fn end_scene(
        &mut self,
        cutter: &mut UnitCutter,
        scene: &mut Scene,
        queue: &mut Queue<'_>,
        end: u64,
    ) -> Result<(), ExportError> {
        for unit in cutter.scene_end(end) {
            queue.hand_over(unit);
            scene.units.push(unit);
        }
        let first = self.map.index.frames.len() as u64;
        let rest = scene.frames.split_off((end - first) as usize);
        if !scene.units.is_empty() {
            self.journal.add(scene)?;
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
    ExportError::Request(format!(
        "the source has changed since this job began (frame {frame} is another one): use --restart to begin anew"
    ))
}

fn entry(frame: &Frame) -> FrameEntry {
    FrameEntry { pts: frame.pts, duration: frame.duration, hash: frame.hash(), sync: frame.sync }
}

/// Frames that are not handed over yet, and the unit that is being handed over.
struct Queue<'a> {
    pending: VecDeque<LiveFrame>,
    open: Option<Open>,
    call: &'a (dyn Fn(u64, Feed) + Sync),
}

struct Open {
    start: u64,
    frames: Sender<Option<LiveFrame>>,
}

impl Queue<'_> {
    /// Hands over all frames of a unit, and ends its feed.
    fn hand_over(&mut self, unit: FrameRange) {
        self.pass(unit.start, unit.end - 1);
        if let Some(open) = self.open.take() {
            let _ = open.frames.send(None);
        }
    }

    /// Hands over the frames up to and with `last`, which belong to the unit that starts at `start`.
    fn pass(&mut self, start: u64, last: u64) {
        let open = match &mut self.open {
            Some(open) if open.start == start => open,
            _ => {
                let (frames, receiver) = unbounded();
                (self.call)(start, Feed::Live(receiver));
                self.open.insert(Open { start, frames })
            }
        };
        while self.pending.front().is_some_and(|live| live.frame.index <= last) {
            if let Some(live) = self.pending.pop_front() {
                // nobody listens to a unit that was taken in an earlier run
                let _ = open.frames.send(Some(live));
            }
        }
    }
}
