//! Repairs the time stamps of decoded frames.

use crate::film::VideoTrack;
use serde::{Deserialize, Serialize};

/// A step back by more frames than this is a break in the source's clock; a smaller one is a slip of single
/// stamps. Where the film was looked through, its breaks are known and moved already, so that a larger step,
/// too, is a slip: more frames than a picture can be held back by are none.
const SLIP: i64 = 8;
const SLIP_OF_KNOWN: i64 = 40;

/// Makes the time stamps of decoded frames strictly increasing, by rules that depend on the frames before
/// only.
#[derive(Debug)]
pub(crate) struct Clock {
    nominal: i64,
    /// The least distance of a repaired stamp from the one before, in ticks. Containers count milliseconds.
    least: i64,
    /// The frames that a step back can be long without being a break.
    slip: i64,
    /// Whether the last stamp was moved.
    moved: bool,
    last: Option<(i64, i64)>,
    /// The ticks that are added to all stamps after a break.
    offset: i64,
    repaired: u64,
}

/// What decides about the times of the next frames, whatever their decoder says of them. Clocks in equal
/// states give the same frames the same times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClockState {
    moved: bool,
    last: Option<(i64, i64)>,
    offset: i64,
}

impl Clock {
    pub(crate) fn new(video: &VideoTrack, surveyed: bool) -> Self {
        let (base, rate) = (video.time_base, video.frame_rate);
        let ticks =
            i64::from(rate.den) * i64::from(base.den) / (i64::from(rate.num) * i64::from(base.num)).max(1);
        let millisecond = i64::from(base.den) / (1000 * i64::from(base.num)).max(1) + 1;
        let (nominal, least) = (ticks.max(1), millisecond.min(ticks).max(1));
        let slip = if surveyed { SLIP_OF_KNOWN } else { SLIP };
        Self { nominal, least, slip, moved: false, last: None, offset: 0, repaired: 0 }
    }

    /// Begins anew, as must happen after a seek.
    pub(crate) fn restart(&mut self) {
        (self.moved, self.last, self.offset) = (false, None, 0);
    }

    pub(crate) fn state(&self) -> ClockState {
        ClockState { moved: self.moved, last: self.last, offset: self.offset }
    }

    pub(crate) fn repaired(&self) -> u64 {
        self.repaired
    }

    /// Returns time and duration of the next frame, from the values that the decoder reports.
    pub(crate) fn stamp(&mut self, pts: Option<i64>, duration: i64) -> (i64, i64) {
        let duration = duration.max(0);
        let Some((last, last_duration)) = self.last else {
            let pts = pts.unwrap_or(0);
            self.last = Some((pts, duration));
            return (pts, duration);
        };
        let step = if last_duration > 0 { last_duration } else { self.nominal };
        let pts = match pts.map(|pts| pts.saturating_add(self.offset)) {
            Some(pts) if pts > last && !(self.moved && pts - last < self.least) => {
                self.moved = false;
                self.last = Some((pts, duration));
                return (pts, duration);
            }
            Some(pts) if last.saturating_sub(pts) <= self.slip.saturating_mul(step) => {
                last.saturating_add(self.least)
            }
            Some(pts) => {
                let next = last.saturating_add(step);
                self.offset = self.offset.saturating_add(next.saturating_sub(pts));
                next
            }
            None => last.saturating_add(step),
        };
        self.repaired += 1;
        self.moved = true;
        self.last = Some((pts, duration));
        (pts, duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock { nominal: 40, least: 1, slip: SLIP, moved: false, last: None, offset: 0, repaired: 0 }
    }

    #[test]
    fn missing_doubled_and_backward_stamps_are_repaired() {
        let mut clock = clock();
        let given = [Some(100), None, Some(180), Some(180), Some(150), Some(260)];
        let made: Vec<i64> = given.iter().map(|&pts| clock.stamp(pts, 0).0).collect();
        assert_eq!(made, [100, 140, 180, 181, 182, 260]);
        assert_eq!(clock.repaired(), 3);
    }

    #[test]
    fn repaired_stamps_are_apart_on_the_clock_of_any_container() {
        let mut clock = Clock { nominal: 3600, least: 91, ..clock() };
        let given = [0, 3600, 3600, 3650, 7200];
        let made: Vec<i64> = given.iter().map(|&pts| clock.stamp(Some(pts), 0).0).collect();
        assert_eq!(made, [0, 3600, 3691, 3782, 7200]);
        assert_eq!(clock.repaired(), 2);
    }

    #[test]
    fn a_break_of_the_clock_shifts_all_that_follows() {
        let mut clock = clock();
        let given = [90_000, 90_040, 90_080, 0, 40, 80];
        let made: Vec<i64> = given.iter().map(|&pts| clock.stamp(Some(pts), 40).0).collect();
        assert_eq!(made, [90_000, 90_040, 90_080, 90_120, 90_160, 90_200]);
        assert_eq!(clock.repaired(), 1);
    }
}
