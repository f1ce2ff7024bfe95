//! How far a reader has come, apart from the reader itself: so that what readers of several ranges have found
//! can be put together, wherever they are.

use crate::clock::ClockState;
use crate::entry::EntryPoint;
use crate::film::FilmInfo;
use crate::finding::{Finding, Findings};
use crate::pump::Counted;
use serde::{Deserialize, Serialize};

/// How far a reader is. States are equal where the same samples went into decoders, and the same frames
/// behind them will have the same times.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ReaderState {
    pub(crate) clock: ClockState,
    pub(crate) counted: Counted,
}

impl PartialEq for ReaderState {
    fn eq(&self, other: &Self) -> bool {
        // How many samples that were depends on where reading began.
        (self.clock, self.counted.time) == (other.clock, other.counted.time)
    }
}

/// How far a [`FrameReader`](crate::FrameReader) is, and what it has found on its way. It can be kept as
/// text, so that a reader on another machine can tell it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReaderProgress {
    pub(crate) state: ReaderState,
    pub(crate) findings: Findings,
    /// The number of the next frame.
    pub(crate) index: u64,
}

impl ReaderProgress {
    /// Returns how far the reader is. It says something once a frame was given out.
    pub fn state(&self) -> ReaderState {
        self.state
    }

    /// Returns how many frames were given out, by the numbers that they got.
    pub fn frames(&self) -> u64 {
        self.index
    }

    /// Returns whether the reader has found no damage: from the entry point with this number on, or anywhere.
    pub fn is_sound(&self, from: Option<usize>) -> bool {
        let range = from.map_or(0, |entry| entry + 1);
        !self.findings.has_damage(range)
    }

    /// Returns whether these are findings in the ranges between so many entry points.
    pub fn is_divided_by(&self, entries: &[EntryPoint]) -> bool {
        self.findings.is_divided_by(entries.len())
    }

    /// Returns what the reader has found so far, and what a [`survey`](crate::survey()) of its film has found
    /// before: damage, frames that had to be converted, and facts beside the pictures, which frames do not
    /// keep.
    pub fn findings(&self, film: &FilmInfo) -> Vec<Finding> {
        self.findings.with(&film.findings)
    }

    /// Goes on where an earlier reader of the same film stood when it came to the entry point with number
    /// `entry`: what that one has found before it counts instead of what this one has. Frames are numbered
    /// from `index` on.
    ///
    /// `states` are the states of the two readers at the entry point, which must be equal, as must be all
    /// frames that they have given out from [`EntryPoint::from`] up to [`EntryPoint::at`], with their
    /// [facts](crate::FrameReader::facts). Both must be [divided](crate::FrameReader::divide) by the same
    /// entry points, and be [sound](Self::is_sound): the earlier one everywhere, this one from the entry
    /// point on.
    pub fn follow(&mut self, earlier: Self, entry: usize, states: (ReaderState, ReaderState), index: u64) {
        let (there, here) = states;
        self.state.counted.count_on(there.counted, here.counted);
        self.findings.follow(earlier.findings, entry + 1);
        self.index = index;
    }
}
