//! The passes of one input, as a state machine (section 18.1). Pure: what has to be done is answered, not
//! done.

use crate::types::error::Mistake;
use crate::types::pass::PassDescription;
use retake_compression::source_frames::SourceFrames;
use retake_media::{PixelBuffer, PixelFormat, Time, TimeRange};

/// What has to be equal in all passes, besides the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    format: PixelFormat,
    width: u32,
    height: u32,
    /// How the picture says that it is turned for display.
    pub(super) display_matrix: Option<[i32; 9]>,
}

impl Shape {
    pub(crate) fn of(picture: &PixelBuffer) -> Self {
        Self {
            format: picture.format(),
            width: picture.width(),
            height: picture.height(),
            display_matrix: picture.attachments().display_matrix(),
        }
    }
}

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
    first: SourceFrames<Shape>,
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
        Self { state: State::Before, multiple: false, first: SourceFrames::default() }
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
                self.first.again(time, &shape).map_err(|_| Mistake::NotTheSame(time))?;
                match self.first.next(last, description.source_time_ranges()) {
                    Some(next) if next < time => Err(Mistake::FrameMissing(next)),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Takes note of a picture that was taken.
    pub(crate) fn took(&mut self, time: Time, shape: Shape) {
        if self.multiple && matches!(self.state, State::Pass { number: 1, .. }) {
            self.first.push(time, shape);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: i64) -> Time {
        Time::new(index, 24)
    }

    const SHAPE: Shape = Shape { format: PixelFormat::I420, width: 16, height: 16, display_matrix: None };

    /// AM-20: other times, other sizes and gaps are told, each by its own mistake.
    #[test]
    fn later_passes_bring_the_same_frames() {
        let large = Shape { width: 32, ..SHAPE };
        let mut machine = PassMachine::new();
        machine.start(true);
        (0..24).for_each(|index| machine.took(at(index * 2), if index < 12 { SHAPE } else { large }));
        assert_eq!(machine.end_pass(Some(at(46))), Ok(PassEnd::Analyse));
        let ranges = [TimeRange::between(at(4), at(8)), TimeRange::between(at(30), at(36))];
        machine.decided(Some(PassDescription::new(ranges)));
        let admits = |index, shape, last: Option<i64>| machine.admits_picture(at(index), shape, last.map(at));
        assert_eq!(admits(4, SHAPE, None), Ok(()));
        assert_eq!(admits(5, SHAPE, None), Err(Mistake::NotTheSame(at(5))));
        assert_eq!(admits(4, large, None), Err(Mistake::NotTheSame(at(4))));
        assert_eq!(admits(6, SHAPE, None), Err(Mistake::FrameMissing(at(4))));
        assert_eq!(admits(30, large, Some(6)), Ok(()));
        assert_eq!(admits(30, SHAPE, Some(6)), Err(Mistake::NotTheSame(at(30))));
        assert_eq!(admits(30, large, Some(4)), Err(Mistake::FrameMissing(at(6))));
    }
}
