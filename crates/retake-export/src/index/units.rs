//! This module turns decoded pictures into planning units: it finds scene changes and cuts scenes, so that
//! the scout and measurements share one rule.

use retake_compression::scene::{SceneDetector, SmallPicture};
use retake_compression::units::{FrameRange, UnitCutter, UnitRule};
use retake_libav::time_to_ticks;
use retake_media::{Rational, Time};
use std::collections::VecDeque;

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
        }
    }

    /// Takes in the next picture: the number of its frame, and when it is shown.
    pub(crate) fn push(&mut self, index: u64, pts: i64, picture: &SmallPicture) {
        if self.last.is_some_and(|last| pts.saturating_sub(last) > self.pause) {
            self.behind.push_back(index);
        }
        self.last = Some(pts);
        self.detector.push(picture);
    }

    /// Returns the next decision, once enough frames are known. With `ended`, when no more frames follow, the
    /// last frames are decided upon, too.
    pub(crate) fn next(&mut self, ended: bool) -> Option<Found> {
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
        Found::SceneEnd { units: self.cutter.scene_end(end), end }
    }

    /// Returns the frame where the unit begins that is not cut off yet.
    pub(crate) fn open_unit(&self) -> u64 {
        self.cutter.start()
    }
}
