//! How many frames came, against how many the client said would come (PA-14).

/// A session was told by [`SourceFrameCount`](crate::property::Property::SourceFrameCount) of another number
/// of frames than it got. That is no error: what came is encoded. But the encoder spread its bits over frames
/// that were not there, or had none left for those that were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameCountMismatch {
    /// Frames that were told of.
    pub told: u64,
    /// Frames that came, in a pass over everything.
    pub came: u64,
}

/// What a session has counted.
#[derive(Debug, Default)]
pub(super) struct FrameCount {
    /// Frames of a pass over everything (MP-27).
    came: u64,
    /// No more are expected: the client has completed all frames, or ended the session.
    complete: bool,
    /// What was told when the session ended, which forgets its properties.
    last: Option<u64>,
}

impl FrameCount {
    pub(super) fn accepted(&mut self) {
        self.came += 1;
        self.complete = false;
    }

    pub(super) fn completed(&mut self) {
        self.complete = true;
    }

    /// The session ends.
    pub(super) fn ended(&mut self, told: Option<u64>) {
        self.complete = true;
        self.last = self.last.or(told);
    }

    pub(super) fn mismatch(&self, told: Option<u64>) -> Option<FrameCountMismatch> {
        let told = told.or(self.last).filter(|told| *told > 0)?;
        let differs = self.came > told || self.complete && self.came < told;
        differs.then_some(FrameCountMismatch { told, came: self.came })
    }
}
