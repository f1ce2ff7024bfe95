//! Timecodes: the numbers that frames have in hours, minutes, seconds and frames.

use crate::{Sample, SampleKind, Time, TimeRange};
use std::fmt;

/// The number of a frame, as it is shown to people: `01:00:00:00`.
#[doc(alias = "CVSMPTETime")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timecode {
    /// Hours: 0 to 23.
    pub hours: u8,
    /// Minutes: 0 to 59.
    pub minutes: u8,
    /// Seconds: 0 to 59.
    pub seconds: u8,
    /// Frames: from 0, below the number of frames a second.
    pub frames: u8,
}

impl Timecode {
    /// Makes a timecode. Whether there is such a frame is judged with a [`TimecodeFormat`].
    pub const fn new(hours: u8, minutes: u8, seconds: u8, frames: u8) -> Self {
        Self { hours, minutes, seconds, frames }
    }
}

impl fmt::Display for Timecode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}:{:02}", self.hours, self.minutes, self.seconds, self.frames)
    }
}

/// A timecode, or a format of timecodes, cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimecodeError {
    /// The duration of a frame is not a positive number, or its parts do not fit 32 bits.
    #[error("a frame of timecodes has to last a positive time, not {0}")]
    FrameDuration(Time),
    /// There are too many frames a second, or less than one.
    #[error("timecodes count 1 to 255 frames a second, not {0}")]
    FrameRate(u64),
    /// Numbers are dropped to keep 29.97 or 59.94 frames a second in step with the clock, and of no other
    /// rate.
    #[error("numbers of frames are dropped at 30000/1001 frames a second and its multiples alone")]
    DropFrame,
    /// No frame has this timecode.
    #[error("no frame has the timecode {0} in this format")]
    NoSuchFrame(Timecode),
}

/// Tells how frames are counted.
#[doc(alias = "CMTimeCodeFormatDescription")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimecodeFormat {
    frame_duration: Time,
    frames_per_second: u8,
    drop_frame: bool,
}

impl TimecodeFormat {
    /// Makes a format from the duration of one frame, such as 1001/30000. With `drop_frame` two numbers are
    /// left out at the start of each minute but every tenth (four at twice the rate), as SMPTE ST 12-1 has
    /// it, so that 30000/1001 frames a second stay in step with the clock.
    ///
    /// # Errors
    /// Returns [`TimecodeError::FrameDuration`], [`TimecodeError::FrameRate`] or
    /// [`TimecodeError::DropFrame`].
    #[doc(alias = "CMTimeCodeFormatDescriptionCreate")]
    #[doc(alias = "kCMTimeCodeFlag_DropFrame")]
    pub fn new(frame_duration: Time, drop_frame: bool) -> Result<Self, TimecodeError> {
        let bad = TimecodeError::FrameDuration(frame_duration);
        if !frame_duration.is_numeric() || frame_duration <= Time::ZERO {
            return Err(bad);
        }
        // A positive value of a positive time scale: see above.
        let (value, scale) = (frame_duration.value() as u64, frame_duration.timescale() as u64);
        if u32::try_from(value).is_err() {
            return Err(bad);
        }
        let rate = (scale + value / 2) / value;
        let frames_per_second =
            u8::try_from(rate).ok().filter(|&rate| rate > 0).ok_or(TimecodeError::FrameRate(rate))?;
        let drops = frames_per_second.is_multiple_of(30) && rate * value * 1000 == scale * 1001;
        if drop_frame && !drops {
            return Err(TimecodeError::DropFrame);
        }
        Ok(Self { frame_duration, frames_per_second, drop_frame })
    }

    /// Returns the duration of a frame.
    #[doc(alias = "CMTimeCodeFormatDescriptionGetFrameDuration")]
    pub fn frame_duration(&self) -> Time {
        self.frame_duration
    }

    /// Returns the number of frames that are counted in a second: the rate, rounded.
    #[doc(alias = "CMTimeCodeFormatDescriptionGetFrameQuanta")]
    pub fn frames_per_second(&self) -> u8 {
        self.frames_per_second
    }

    /// Returns whether numbers are dropped.
    #[doc(alias = "CMTimeCodeFormatDescriptionGetTimeCodeFlags")]
    pub fn is_drop_frame(&self) -> bool {
        self.drop_frame
    }

    /// Returns how many numbers are left out at the start of a minute.
    fn dropped(&self) -> u32 {
        if self.drop_frame { u32::from(self.frames_per_second) / 15 } else { 0 }
    }

    /// Returns the number of the frame, from midnight, that has a timecode.
    ///
    /// # Errors
    /// Returns [`TimecodeError::NoSuchFrame`] for parts out of their ranges, and for numbers that are
    /// dropped.
    pub fn frame(&self, timecode: Timecode) -> Result<u32, TimecodeError> {
        let Timecode { hours, minutes, seconds, frames } = timecode;
        let in_range = hours < 24 && minutes < 60 && seconds < 60 && frames < self.frames_per_second;
        let dropped = self.dropped();
        let is_dropped = seconds == 0 && u32::from(frames) < dropped && !minutes.is_multiple_of(10);
        if !in_range || is_dropped {
            return Err(TimecodeError::NoSuchFrame(timecode));
        }
        let all_minutes = u32::from(hours) * 60 + u32::from(minutes);
        let counted =
            (all_minutes * 60 + u32::from(seconds)) * u32::from(self.frames_per_second) + u32::from(frames);
        Ok(counted - dropped * (all_minutes - all_minutes / 10))
    }

    /// Returns the timecode of a frame, by its number from midnight. After 24 hours it begins anew.
    pub fn timecode(&self, frame: u32) -> Timecode {
        let rate = u32::from(self.frames_per_second);
        let dropped = self.dropped();
        let minute = rate * 60 - dropped;
        let ten_minutes = minute * 10 + dropped;
        let frame = frame % (ten_minutes * 6 * 24);
        let (tens, rest) = (frame / ten_minutes, frame % ten_minutes);
        // The first of ten minutes drops nothing.
        let minutes_of_ten = rest.saturating_sub(dropped) / minute;
        let counted = frame + dropped * (tens * 9 + minutes_of_ten);
        let part = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        let seconds = counted / rate;
        Timecode {
            hours: part(seconds / 3600),
            minutes: part(seconds / 60 % 60),
            seconds: part(seconds % 60),
            frames: part(counted % rate),
        }
    }

    /// Makes the sample that begins to count at a timecode: the first frame of the range has it, and those
    /// behind it count on. One sample is enough for a film whose timecodes have no jump.
    ///
    /// # Errors
    /// Fails like [`TimecodeFormat::frame`].
    #[doc(alias = "kCMTimeCodeFormatType_TimeCode32")]
    pub fn sample(&self, timecode: Timecode, range: TimeRange) -> Result<Sample, TimecodeError> {
        let data = self.frame(timecode)?.to_be_bytes().to_vec();
        let TimeRange { start, duration } = range;
        Ok(Sample { data, pts: start, dts: start, duration, kind: SampleKind::Sync })
    }

    /// Returns the timecode that a sample begins with; `None` if it is not the number of a frame.
    pub fn timecode_of(&self, sample: &Sample) -> Option<Timecode> {
        let number = sample.data.as_slice().try_into().ok()?;
        Some(self.timecode(u32::from_be_bytes(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn format(value: i64, scale: i32, drop: bool) -> TimecodeFormat {
        TimecodeFormat::new(Time::new(value, scale), drop).unwrap()
    }

    /// AI-1: an hour of 30000/1001 frames a second has 107892 frames, by SMPTE ST 12-1, and the frame before
    /// a dropped number is followed by the one behind it.
    #[test]
    fn dropped_numbers_keep_step_with_the_clock() {
        let format = format(1001, 30_000, true);
        assert_eq!(format.frame(Timecode::new(1, 0, 0, 0)), Ok(107_892));
        assert_eq!(format.frame(Timecode::new(0, 1, 0, 2)), Ok(1800));
        assert_eq!(format.timecode(1799), Timecode::new(0, 0, 59, 29));
        assert_eq!(format.timecode(1800), Timecode::new(0, 1, 0, 2));
        assert_eq!(format.timecode(17_982).to_string(), "00:10:00:00");
        for dropped in [Timecode::new(0, 1, 0, 0), Timecode::new(10, 59, 0, 1)] {
            assert_eq!(format.frame(dropped), Err(TimecodeError::NoSuchFrame(dropped)));
        }
        assert!(format.frame(Timecode::new(0, 20, 0, 0)).is_ok());
    }

    /// AI-1: formats and timecodes that cannot be are refused by their cause.
    #[test]
    fn what_cannot_be_counted_is_refused() {
        let made = |value, scale, drop| TimecodeFormat::new(Time::new(value, scale), drop).err();
        let seconds = Time::new(0, 25);
        assert_eq!(made(0, 25, false), Some(TimecodeError::FrameDuration(seconds)));
        assert!(matches!(TimecodeFormat::new(Time::INVALID, false), Err(TimecodeError::FrameDuration(_))));
        assert_eq!(made(1, 256, false), Some(TimecodeError::FrameRate(256)));
        assert_eq!(made(3, 1, false), Some(TimecodeError::FrameRate(0)));
        for (value, scale) in [(1, 25), (1, 30), (1001, 24_000)] {
            assert_eq!(made(value, scale, true), Some(TimecodeError::DropFrame));
        }
        let format = format(1, 25, false);
        for (hours, minutes, seconds, frames) in [(24, 0, 0, 0), (0, 60, 0, 0), (0, 0, 60, 0), (0, 0, 0, 25)]
        {
            assert!(format.frame(Timecode::new(hours, minutes, seconds, frames)).is_err());
        }
    }

    proptest! {
        /// AI-1: frames and timecodes are each other's reverse, in every format, and all frames of a day have
        /// one of their own.
        #[test]
        fn frames_and_timecodes_are_reverse(frame in 0_u32..2_000_000, which in 0_usize..5) {
            let (value, scale, drop) =
                [(1, 24, false), (1, 25, false), (1001, 30_000, true), (1001, 60_000, true), (1, 60, false)][which];
            let format = format(value, scale, drop);
            let timecode = format.timecode(frame);
            prop_assert_eq!(format.frame(timecode), Ok(frame));
        }
    }
}
