//! Keeps the times of frames, and assigns decode times.

use retake_media::Time;
use std::collections::VecDeque;

/// Keeps the times of frames while an encoder works on them by index, and assigns decode times by rule T-2:
/// the k-th sample that comes out carries the k-th smallest presentation time.
#[derive(Default)]
pub(crate) struct Times {
    /// The frames from `first` on, with their times until they came out.
    frames: VecDeque<Frame>,
    first: u64,
    accepted: u64,
    emitted: u64,
    pictures: u64,
}

struct Frame {
    pts: Time,
    duration: Time,
    emitted: bool,
    pictured: bool,
}

/// The times of a sample.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) pts: Time,
    pub(crate) dts: Time,
    pub(crate) duration: Time,
}

impl Times {
    /// Records the next frame and returns its index.
    pub(crate) fn accept(&mut self, pts: Time, duration: Time) -> Result<u64, String> {
        if !pts.is_numeric() {
            return Err(format!("a frame with the time {pts}: give every frame a numeric time"));
        }
        if let Some(last) = self.frames.back().filter(|last| last.pts >= pts) {
            return Err(format!(
                "a frame at {pts} after one at {}: send frames in presentation order",
                last.pts
            ));
        }
        // One frame that came out already stays, because the next one is compared with it.
        while self.frames.len() > 1 && self.frames[0].emitted && self.first < self.emitted {
            self.frames.pop_front();
            self.first += 1;
        }
        self.frames.push_back(Frame { pts, duration, emitted: false, pictured: false });
        self.accepted += 1;
        Ok(self.accepted - 1)
    }

    /// Returns the times of the sample that came out for a frame.
    pub(crate) fn emit(&mut self, index: i64) -> Result<Stamp, String> {
        let dts = self.frame(self.emitted as i64)?.pts;
        let frame = self.frame(index)?;
        if std::mem::replace(&mut frame.emitted, true) {
            return Err(format!("the library gave frame {index} twice"));
        }
        let stamp = Stamp { pts: frame.pts, dts, duration: frame.duration };
        self.emitted += 1;
        Ok(stamp)
    }

    /// Records that the reconstruction of a frame came out.
    pub(crate) fn picture(&mut self, index: i64) -> Result<(), String> {
        self.pictures += 1;
        // The times of frames that came out long ago may be gone, so only the present ones can be checked.
        if index < self.first as i64 {
            return Ok(());
        }
        if std::mem::replace(&mut self.frame(index)?.pictured, true) {
            return Err(format!("the library gave the picture of frame {index} twice"));
        }
        Ok(())
    }

    /// Returns the number of frames accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Returns the number of frames that never came out.
    pub(crate) fn missing(&self) -> u64 {
        self.accepted - self.emitted
    }

    /// Returns the number of frames whose picture never came out.
    pub(crate) fn missing_pictures(&self) -> u64 {
        self.accepted.saturating_sub(self.pictures)
    }

    fn frame(&mut self, index: i64) -> Result<&mut Frame, String> {
        let (first, accepted) = (self.first, self.accepted);
        usize::try_from(index - first as i64)
            .ok()
            .and_then(|position| self.frames.get_mut(position))
            .ok_or_else(|| format!("the library gave frame {index} where {first} to {accepted} were sent"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(value: i64) -> Time {
        Time::new(value, 25)
    }

    /// T-2 and A1: decode times are the presentation times in order, whichever sample comes out first.
    #[test]
    fn decode_times_are_sorted_presentation_times() {
        let mut times = Times::default();
        let pts = [0, 3, 4, 9, 10];
        for value in pts {
            times.accept(at(value), Time::INVALID).unwrap();
        }
        for (k, index) in [0, 3, 1, 2, 4].into_iter().enumerate() {
            let stamp = times.emit(index).unwrap();
            assert_eq!(stamp.dts, at(pts[k]));
            assert_eq!(stamp.pts, at(pts[index as usize]));
        }
        assert_eq!(times.missing(), 0);
    }

    #[test]
    fn memory_follows_the_delay_not_the_length() {
        let mut times = Times::default();
        for value in 0..1000 {
            times.accept(at(value), at(1)).unwrap();
            if value >= 3 {
                times.emit(value - 3).unwrap();
            }
        }
        assert!(times.frames.len() < 8);
    }

    #[test]
    fn a_library_that_repeats_or_invents_frames_is_caught() {
        let mut times = Times::default();
        times.accept(at(0), at(1)).unwrap();
        times.accept(at(1), at(1)).unwrap();
        times.emit(0).unwrap();
        assert!(times.emit(0).is_err());
        assert!(times.emit(7).is_err());
        assert!(times.emit(-1).is_err());
        assert_eq!(times.missing(), 1);
        assert!(times.accept(at(1), at(1)).is_err());
        assert!(times.accept(Time::INVALID, at(1)).is_err());
        assert_eq!(times.accepted(), 2);
    }
}
