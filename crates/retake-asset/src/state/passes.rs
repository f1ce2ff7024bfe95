//! The passes of one input, as a state machine (section 18.1). Pure: what has to be done is answered, not
//! done.

pub(crate) use super::first_pass::Shape;

use super::first_pass::FirstPass;
use crate::types::error::Mistake;
use crate::types::pass::PassDescription;
use retake_media::{Time, TimeRange};

/// Where an input is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Before,
    Pass { description: PassDescription, number: u32 },
    Deciding { description: PassDescription, number: u32 },
    Done,
    Finished { description: Option<PassDescription> },
}

/// The passes of one input.
#[derive(Debug)]
pub(crate) struct PassMachine {
    state: State,
    multiple: bool,
    /// Of an input with several passes.
    first: FirstPass,
}

/// What follows from the end of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PassEnd {
    /// The encoder has to say whether it wants another one: [`PassMachine::decided`].
    Analyse,
    /// There is no other.
    NoMore,
}

impl PassMachine {
    pub(crate) fn new() -> Self {
        Self { state: State::Before, multiple: false, first: FirstPass::default() }
    }

    /// Writing starts; `multiple` says whether the encoder can take several passes. It is final from here on
    /// (AM-3).
    pub(crate) fn start(&mut self, multiple: bool) {
        self.multiple = multiple;
        // the first is everything, with one pass too (AM-4)
        let description = PassDescription::new([TimeRange::EVERYTHING]);
        self.state = State::Pass { description, number: 1 };
    }

    pub(crate) fn is_multiple(&self) -> bool {
        self.multiple
    }

    /// Stays as it was while the next pass is being decided on, and when the input is finished within a pass.
    pub(crate) fn description(&self) -> Option<&PassDescription> {
        match &self.state {
            State::Pass { description, .. } | State::Deciding { description, .. } => Some(description),
            State::Finished { description } => description.as_ref(),
            State::Before | State::Done => None,
        }
    }

    /// Whether media is taken.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Pass { .. })
    }

    pub(crate) fn is_deciding(&self) -> bool {
        matches!(self.state, State::Deciding { .. })
    }

    /// Whether nothing will be taken any more.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Finished { .. })
    }

    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished { .. })
    }

    /// Whether media of this time can come now: in a later pass, whether it lies in the ranges.
    pub(crate) fn admits(&self, time: Time) -> Result<(), Mistake> {
        match &self.state {
            State::Pass { description, number } => {
                let inside = |range: &TimeRange| range.contains(time);
                match *number == 1 || description.source_time_ranges().iter().any(inside) {
                    true => Ok(()),
                    false => Err(Mistake::OutsidePass(time)),
                }
            }
            State::Finished { .. } => Err(Mistake::InputFinished),
            State::Before | State::Deciding { .. } | State::Done => Err(Mistake::NoPass),
        }
    }

    /// As [`PassMachine::admits`], for a picture that comes after that of `last`: in a later pass, it has to
    /// be the next one of the ranges (AM-20).
    pub(crate) fn admits_picture(&self, time: Time, shape: Shape, last: Option<Time>) -> Result<(), Mistake> {
        self.admits(time)?;
        match &self.state {
            State::Pass { description, number: 2.. } => {
                self.first.check(time, shape, last, description.source_time_ranges())
            }
            _ => Ok(()),
        }
    }

    /// Takes note of a picture that was taken.
    pub(crate) fn took(&mut self, time: Time, shape: Shape) {
        if self.multiple && matches!(self.state, State::Pass { number: 1, .. }) {
            self.first.note(time, shape);
        }
    }

    /// All media of the pass came, the last of it at `last`. A later pass has to be complete.
    pub(crate) fn end_pass(&mut self, last: Option<Time>) -> Result<PassEnd, Mistake> {
        if let State::Pass { description, number: 2.. } = &self.state
            && let Some(missing) = self.first.next(last, description.source_time_ranges())
        {
            return Err(Mistake::FrameMissing(missing));
        }
        match (&self.state, self.multiple) {
            (State::Pass { description, number }, true) => {
                self.state = State::Deciding { description: description.clone(), number: *number };
                Ok(PassEnd::Analyse)
            }
            (State::Pass { .. }, false) => {
                self.state = State::Done;
                Ok(PassEnd::NoMore)
            }
            (State::Finished { .. }, _) => Err(Mistake::InputFinished),
            _ => Err(Mistake::NoPass),
        }
    }

    /// The encoder wants these ranges again, or is satisfied. Means nothing once the input was finished
    /// meanwhile.
    pub(crate) fn decided(&mut self, wanted: Option<PassDescription>) {
        if let State::Deciding { number, .. } = self.state {
            self.state = match wanted.filter(|wanted| !wanted.source_time_ranges().is_empty()) {
                Some(description) => State::Pass { description, number: number + 1 },
                None => State::Done,
            };
        }
    }

    /// The client wants no further pass: the newest version of each frame is kept (AM-10). Not while the next
    /// is being decided on (AM-11); once more is nothing (AI-13).
    pub(crate) fn finish(&mut self) -> Result<(), Mistake> {
        match &self.state {
            State::Before | State::Deciding { .. } => return Err(Mistake::NoPass),
            State::Finished { .. } => {}
            State::Pass { .. } | State::Done => self.finish_at_once(),
        }
        Ok(())
    }

    /// The whole writer finishes: as [`PassMachine::finish`], at any time (AM-16).
    pub(crate) fn finish_at_once(&mut self) {
        if !self.is_finished() {
            self.state = State::Finished { description: self.description().cloned() };
        }
    }
}
