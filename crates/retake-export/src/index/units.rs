//! This module turns decoded pictures into planning units: it finds scene changes and cuts scenes, so that
//! the scout and measurements share one rule.

use retake_compression::scene::{SceneDetector, SmallPicture};
use retake_compression::units::{FrameRange, UnitCutter, UnitRule};
use retake_libav::time_to_ticks;
use retake_media::{Rational, Time};
use std::collections::{BTreeSet, VecDeque};

/// The shortest scene, in seconds. Faster cuts count as flashes.
const SHORTEST: f64 = 0.25;

/// A scene ends where no picture follows for longer than this, in seconds: a picture that refers to one
/// behind such a gap would be decoded after it, and the offsets of ISO files have no room for that.
const PAUSE: i64 = 60;

/// Returns the shortest scene of a film, in frames.
pub(crate) fn shortest_scene(frame_rate: f64) -> usize {
    (frame_rate * SHORTEST).floor().max(1.0) as usize
}

/// A finding is a decision about a frame or a scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A scene ends before frame `end`; these are the rest of its units.
    SceneEnd { units: Vec<FrameRange>, end: u64 },
    /// The scene goes on after frame `frame`; its front may have been cut off as a unit, because the scene is
    /// longer than the window.
    GoesOn { unit: Option<FrameRange>, frame: u64 },
}

/// Where another film of the same frames was cut.
#[derive(Debug)]
pub(crate) struct Cuts {
    pub units: Vec<FrameRange>,
    /// The first frame of each scene.
    pub scenes: Vec<u64>,
}

impl Cuts {
    /// Returns the number of frames.
    pub(crate) fn frames(&self) -> u64 {
        self.units.last().map_or(0, |unit| unit.end)
    }
}

/// Gives out the units of another film as if they were found.
struct Given {
    units: VecDeque<FrameRange>,
    scenes: BTreeSet<u64>,
    /// The next frame that is decided about, and how many are known.
    next: u64,
    known: u64,
}

impl Given {
    /// Returns the next decision about a frame that is known.
    fn next(&mut self) -> Option<Found> {
        if self.next >= self.known {
            return None;
        }
        let frame = self.next;
        self.next += 1;
        let ended = self.units.front().copied().filter(|unit| unit.end == frame + 1);
        let Some(unit) = ended else { return Some(Found::GoesOn { unit: None, frame }) };
        self.units.pop_front();
        let ends = self.units.front().is_none_or(|next| self.scenes.contains(&next.start));
        Some(match ends {
            true => Found::SceneEnd { units: vec![unit], end: unit.end },
            false => Found::GoesOn { unit: Some(unit), frame },
        })
    }
}

/// Cuts the film into units while it is decoded.
pub(crate) struct UnitFinder {
    detector: SceneDetector,
    cutter: UnitCutter,
    /// The longest gap within a scene, in ticks.
    pause: i64,
    /// When the last picture is shown.
    last: Option<i64>,
    /// The frames that lie behind gaps, and were not decided about yet.
    behind: VecDeque<u64>,
    /// The units, where nothing has to be found.
    given: Option<Given>,
}

impl UnitFinder {
    /// Finds units from frame `start` on, where a scene must begin. `time_base` is that of the frames. Scenes
    /// are at least `shortest` frames long, except before and behind gaps.
    pub(crate) fn new(time_base: Rational, rule: UnitRule, start: u64, shortest: usize) -> Self {
        Self {
            detector: SceneDetector::new(start, shortest),
            cutter: UnitCutter::new(rule, start),
            pause: time_to_ticks(Time::new(PAUSE, 1), time_base).unwrap_or(i64::MAX),
            last: None,
            behind: VecDeque::new(),
            given: None,
        }
    }

    /// Cuts units where another film was cut instead of finding them.
    #[must_use]
    pub(crate) fn cut_as(mut self, cuts: Option<&Cuts>) -> Self {
        let start = self.cutter.start();
        self.given = cuts.map(|cuts| Given {
            units: cuts.units.iter().copied().filter(|unit| unit.start >= start).collect(),
            scenes: cuts.scenes.iter().copied().collect(),
            next: start,
            known: start,
        });
        self
    }

    /// Takes in the next picture: the number of its frame, and when it is shown.
    pub(crate) fn push(&mut self, index: u64, pts: i64, picture: &SmallPicture) {
        if let Some(given) = &mut self.given {
            given.known = index + 1;
            return;
        }
        if self.last.is_some_and(|last| pts.saturating_sub(last) > self.pause) {
            self.behind.push_back(index);
        }
        self.last = Some(pts);
        self.detector.push(picture);
    }

    /// Returns the next decision, once enough frames are known. With `ended`, when no more frames follow, the
    /// last frames are decided upon, too.
    pub(crate) fn next(&mut self, ended: bool) -> Option<Found> {
        if let Some(given) = &mut self.given {
            return given.next();
        }
        let decision = self.detector.decide(ended)?;
        let behind = self.behind.front() == Some(&decision.frame);
        if behind {
            self.behind.pop_front();
        }
        if decision.cut || behind {
            self.detector.restart();
            let units = self.cutter.scene_end(decision.frame);
            return Some(Found::SceneEnd { units, end: decision.frame });
        }
        let unit = self.cutter.no_cut_before(decision.frame + 1);
        Some(Found::GoesOn { unit, frame: decision.frame })
    }

    /// Ends the film before frame `end`, and returns the rest of its last scene.
    pub(crate) fn end(&mut self, end: u64) -> Found {
        match &mut self.given {
            Some(given) => Found::SceneEnd { units: given.units.drain(..).collect(), end },
            None => Found::SceneEnd { units: self.cutter.scene_end(end), end },
        }
    }

    /// Returns the frame where the unit begins that is not cut off yet.
    pub(crate) fn open_unit(&self) -> u64 {
        match &self.given {
            Some(given) => given.units.front().map_or(given.next, |unit| unit.start),
            None => self.cutter.start(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units that are given come out one by one when their last frame is known, also from the middle on, and
    /// scenes end where they did.
    #[test]
    fn given_units_are_found_again() {
        let units = [(0, 3), (3, 5), (5, 9), (9, 10)].map(|(start, end)| FrameRange::new(start, end));
        let cuts = Cuts { units: units.into(), scenes: vec![0, 5] };
        for start in [0, 5] {
            let rule = UnitRule { longest: 4, window: 0 };
            let mut finder = UnitFinder::new(Rational::new(1, 25), rule, start, 1).cut_as(Some(&cuts));
            let (mut found, mut scenes) = (Vec::new(), Vec::new());
            for frame in start..10 {
                assert_eq!(finder.next(false), None, "no frame is decided about before it is known");
                assert_eq!(finder.open_unit(), units.iter().find(|unit| unit.end > frame).unwrap().start);
                finder.given.as_mut().unwrap().known = frame + 1;
                match finder.next(false).unwrap() {
                    Found::SceneEnd { units, end } => {
                        found.extend(units);
                        scenes.push(end);
                        assert_eq!(end, frame + 1);
                    }
                    Found::GoesOn { unit, frame: decided } => {
                        found.extend(unit);
                        assert_eq!(decided, frame);
                    }
                }
            }
            assert_eq!(finder.end(10), Found::SceneEnd { units: Vec::new(), end: 10 });
            let expected: Vec<FrameRange> = units.into_iter().filter(|unit| unit.start >= start).collect();
            assert_eq!(found, expected);
            assert_eq!(scenes, if start == 0 { vec![5, 10] } else { vec![10] });
        }
    }
}
