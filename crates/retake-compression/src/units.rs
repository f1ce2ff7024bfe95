//! This module cuts a film into planning units.
//!
//! A unit begins with a sync frame, because it is scored, and encoded again, as a whole. Units end at scene
//! changes; a scene that is longer than the longest unit is split evenly. [`UnitCutter`] cuts while the film
//! is being decoded, so it holds back no more than [`UnitRule::window`] frames.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A half-open range of frames from `start` up to `end`, counted in presentation order from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameRange {
    /// The first frame.
    pub start: u64,
    /// The first frame that no longer belongs to the range.
    pub end: u64,
}

impl FrameRange {
    /// Makes the range from frame `start` up to, but without, frame `end`.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// Returns the number of frames; 0 if `end` lies before `start`.
    pub const fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Tells whether the range has no frames.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for FrameRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frames {}-{}", self.start, self.end.saturating_sub(1))
    }
}

/// A rule limits the length of units, in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitRule {
    /// The longest unit; at least 1, and 0 counts as 1.
    pub longest: u64,
    /// The longest piece of a scene that is examined before it is cut. A scene that ends within it is split
    /// evenly; a longer one loses a unit of `longest` frames at its front. It must be at least `longest`, and
    /// counts as `longest` if it is less.
    pub window: u64,
}

/// Turns scene changes into units, in order, with bounded look-ahead.
#[derive(Debug, Clone)]
pub struct UnitCutter {
    rule: UnitRule,
    start: u64,
}

impl UnitCutter {
    /// Makes a cutter for the film from frame `start` on, which must be the start of a unit.
    pub fn new(rule: UnitRule, start: u64) -> Self {
        let longest = rule.longest.max(1);
        Self { rule: UnitRule { longest, window: rule.window.max(longest) }, start }
    }

    /// Returns the frame where the next unit will start.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Returns the units up to frame `end`, because a scene ends before it (at a scene change, or at the end
    /// of the film).
    pub fn scene_end(&mut self, end: u64) -> Vec<FrameRange> {
        let frames = end.saturating_sub(self.start);
        let pieces = frames.div_ceil(self.rule.longest);
        let start = self.start;
        self.start = self.start.max(end);
        (0..pieces)
            .map(|i| FrameRange::new(start + frames * i / pieces, start + frames * (i + 1) / pieces))
            .collect()
    }

    /// Returns a unit to cut off the front, if any, where the scene does not end before frame `known` and is
    /// longer than the window.
    pub fn no_cut_before(&mut self, known: u64) -> Option<FrameRange> {
        if known.saturating_sub(self.start) <= self.rule.window {
            return None;
        }
        let unit = FrameRange::new(self.start, self.start + self.rule.longest);
        self.start = unit.end;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Computes the same units with the whole film in view, as the rule says.
    fn reference(rule: UnitRule, cuts: &[u64], frames: u64) -> Vec<FrameRange> {
        let mut units = Vec::new();
        let mut ends: Vec<u64> = cuts.to_vec();
        ends.push(frames);
        let mut start = 0;
        for end in ends {
            while end - start > rule.window {
                units.push(FrameRange::new(start, start + rule.longest));
                start += rule.longest;
            }
            let (length, pieces) = (end - start, (end - start).div_ceil(rule.longest));
            for i in 0..pieces {
                units.push(FrameRange::new(start + length * i / pieces, start + length * (i + 1) / pieces));
            }
            start = end;
        }
        units
    }

    proptest! {
        #[test]
        fn units_cover_the_film_and_follow_the_rule(longest in 1u64..60, extra in 0u64..100,
                cuts in prop::collection::btree_set(1u64..999, 0..40), frames in 1000u64..1200) {
            let rule = UnitRule { longest, window: longest + extra };
            let cuts: Vec<u64> = cuts.into_iter().collect();
            let mut cutter = UnitCutter::new(rule, 0);
            let mut units = Vec::new();
            for frame in 1..=frames {
                if cuts.contains(&frame) {
                    units.extend(cutter.scene_end(frame));
                }
                // the end of the film ends a scene, too
                if frame < frames {
                    units.extend(cutter.no_cut_before(frame + 1));
                }
            }
            units.extend(cutter.scene_end(frames));
            prop_assert_eq!(units.first().map(|u| u.start), Some(0));
            prop_assert_eq!(units.last().map(|u| u.end), Some(frames));
            prop_assert!(units.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(units.iter().all(|unit| !unit.is_empty() && unit.len() <= longest));
            prop_assert!(cuts.iter().all(|cut| units.iter().any(|unit| unit.start == *cut)));
            prop_assert_eq!(units, reference(rule, &cuts, frames));
        }
    }
}
