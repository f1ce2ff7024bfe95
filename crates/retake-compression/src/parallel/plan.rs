//! This module divides a source into parts, by a rule that gives equal parts on every machine.

use crate::property::{Property, SupportedProperties};
use crate::units::FrameRange;
use retake_media::Time;

/// A subdivision limits how a source is divided among sessions that encode side by side. A configured session
/// recommends one, or the client chooses one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Subdivision {
    /// The largest number of parts; 0 counts as 1.
    #[doc(alias = "kVTCompressionPropertyKey_RecommendedParallelizationLimit")]
    pub limit: u32,
    /// The smallest number of frames of a part; 0 counts as 1.
    #[doc(alias = "kVTCompressionPropertyKey_RecommendedParallelizedSubdivisionMinimumFrameCount")]
    pub least_frames: u64,
    /// The shortest duration of a part. `None`, and anything but a positive numeric time, sets no bound.
    #[doc(alias = "kVTCompressionPropertyKey_RecommendedParallelizedSubdivisionMinimumDuration")]
    pub least_duration: Option<Time>,
}

impl Subdivision {
    /// Allows at most `limit` parts, however short they are.
    pub const fn at_most(limit: u32) -> Self {
        Self { limit, least_frames: 1, least_duration: None }
    }

    /// Returns the parts of a source of `frames` frames and this duration (`None` if it is not known, which
    /// sets no bound).
    ///
    /// There are as many parts as both minima leave room for, at most [`limit`](Self::limit) and at least
    /// one, except that a source without frames has none. Parts are equal except for the remainder, which
    /// goes to the first ones, a frame each: 402 frames in four parts are 101, 101, 100 and 100. The same
    /// arguments give the same parts on every machine (rule PA-3).
    pub fn parts(&self, frames: u64, duration: Option<Time>) -> Vec<Part> {
        if frames == 0 {
            return Vec::new();
        }
        let by_frames = frames / self.least_frames.max(1);
        let by_duration = self.least_duration.zip(duration).and_then(times_within).unwrap_or(u64::MAX);
        let count = u64::from(self.limit).min(by_frames).min(by_duration).max(1);
        let (share, remainder) = (frames / count, frames % count);
        let start = |part: u64| part * share + part.min(remainder);
        (0..count)
            .map(|part| Part {
                range: FrameRange::new(start(part), start(part + 1)),
                more_before: part > 0,
                more_after: part + 1 < count,
            })
            .collect()
    }

    /// Returns the smallest number of frames of a part by both minima.
    pub(super) fn least(&self, frames: u64, duration: Option<Time>) -> u64 {
        let times = self.least_duration.zip(duration).and_then(times_within).unwrap_or(u64::MAX);
        self.least_frames.max(1).max(frames.div_ceil(times.max(1)))
    }
}

/// Returns exactly how many times the least duration goes into the whole (T-1), or `None` if there is no
/// bound.
fn times_within((least, whole): (Time, Time)) -> Option<u64> {
    if !least.is_numeric() || !whole.is_numeric() || least.value() <= 0 || whole.value() < 0 {
        return None;
    }
    let ticks = i128::from(whole.value()) * i128::from(least.timescale());
    let each = i128::from(least.value()) * i128::from(whole.timescale());
    Some(u64::try_from(ticks / each).unwrap_or(u64::MAX))
}

/// One of several ranges that sessions of their own encode, and that are joined in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The frames of the part, counted in the source's presentation order from 0.
    pub range: FrameRange,
    /// True if another part is joined before this one.
    pub more_before: bool,
    /// True if another part is joined after this one.
    pub more_after: bool,
}

impl Part {
    /// Returns the properties that the part's session must get (rules PA-1 and PA-2): its place among the
    /// others and its exact number of frames, as far as the session has properties for them
    /// ([`SessionHandle::supported_properties`]). Encoders without these properties begin and end every
    /// encode in the same way.
    ///
    /// [`SessionHandle::supported_properties`]: crate::session::SessionHandle::supported_properties
    pub fn properties(&self, supported: &SupportedProperties) -> Vec<Property> {
        let all = [
            Property::MoreFramesBeforeStart(self.more_before),
            Property::MoreFramesAfterEnd(self.more_after),
            Property::SourceFrameCount(self.range.len()),
        ];
        all.into_iter().filter(|property| supported.contains_key(&property.key())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sizes(limit: u32, frames: u64) -> Vec<u64> {
        Subdivision::at_most(limit).parts(frames, None).iter().map(|part| part.range.len()).collect()
    }

    /// A25, PA-1, PA-2: the parts are those of the header's table, to the letter.
    #[test]
    fn a25_four_hundred_frames_in_four_parts() {
        let parts = Subdivision::at_most(4).parts(400, None);
        let table: Vec<_> = parts
            .iter()
            .map(|part| {
                (part.more_before, part.more_after, part.range.len(), part.range.start, part.range.end - 1)
            })
            .collect();
        assert_eq!(
            table,
            [
                (false, true, 100, 0, 99),
                (true, true, 100, 100, 199),
                (true, true, 100, 200, 299),
                (true, false, 100, 300, 399),
            ]
        );
        assert!(parts[1].properties(&SupportedProperties::new()).is_empty());
    }

    /// A25: the division handles remainders, fewer frames than sessions, one frame, and none.
    #[test]
    fn a25_remainders_and_few_frames() {
        assert_eq!(sizes(4, 402), [101, 101, 100, 100]);
        assert_eq!(sizes(4, 3), [1, 1, 1]);
        assert_eq!(sizes(4, 1), [1]);
        assert_eq!(sizes(0, 7), [7]);
        assert!(sizes(4, 0).is_empty());
        let sole = Subdivision::at_most(4).parts(1, None)[0];
        assert!(!sole.more_before && !sole.more_after);
    }

    /// A25: both minima hold, also exactly at their bounds.
    #[test]
    fn a25_minima_of_frames_and_of_duration() {
        let count = |least_frames, least_duration| {
            let rule = Subdivision { limit: 4, least_frames, least_duration };
            rule.parts(400, Some(Time::new(400, 25))).len()
        };
        assert_eq!(count(100, None), 4);
        assert_eq!(count(101, None), 3);
        assert_eq!(count(401, None), 1);
        assert_eq!(count(1, Some(Time::new(4, 1))), 4);
        assert_eq!(count(1, Some(Time::new(4001, 1000))), 3);
        assert_eq!(count(150, Some(Time::new(4, 1))), 2);
        assert_eq!(count(100, Some(Time::new(9, 1))), 1);
        assert_eq!(count(1, Some(Time::POSITIVE_INFINITY)), 4);
        // where the source's duration is not known, only the frames count
        let rule = Subdivision { limit: 4, least_frames: 200, least_duration: Some(Time::new(100, 1)) };
        assert_eq!(rule.parts(400, None).len(), 2);
    }

    proptest! {
        /// PA-2, PA-3: parts lie side by side over all frames, differ by a frame at most, and keep to limit
        /// and minimum.
        #[test]
        fn parts_cover_the_source_once(limit in 0u32..40, frames in 1u64..100_000, least in 0u64..5000) {
            let rule = Subdivision { limit, least_frames: least, least_duration: None };
            let parts = rule.parts(frames, None);
            prop_assert!(parts.len() as u32 <= limit.max(1));
            prop_assert_eq!((parts[0].range.start, parts[parts.len() - 1].range.end), (0, frames));
            prop_assert!(parts.windows(2).all(|pair| pair[0].range.end == pair[1].range.start));
            let longest = parts.iter().map(|part| part.range.len()).max().unwrap_or(0);
            let shortest = parts.iter().map(|part| part.range.len()).min().unwrap_or(0);
            prop_assert!(longest - shortest <= 1 && shortest >= 1);
            prop_assert!(parts.len() == 1 || shortest >= least);
            for (index, part) in parts.iter().enumerate() {
                prop_assert_eq!((part.more_before, part.more_after), (index > 0, index + 1 < parts.len()));
            }
        }
    }
}
