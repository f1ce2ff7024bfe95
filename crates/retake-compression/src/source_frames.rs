//! The frames that came in a first pass. A later pass brings the same ones again (MP-23, AM-20): this is the
//! one place where that is judged, for sessions, which know all that a frame came with, and for the asset
//! writer, which answers before its session has seen the frame.

use retake_media::{Time, TimeRange};

/// Why a frame is not one of the first pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAgain {
    /// None had this time.
    Unknown,
    /// The one of this time came with something else.
    Differs,
}

/// The frames of a first pass, in presentation order. `K` is what has to be equal besides the time.
#[derive(Debug, Clone)]
pub struct SourceFrames<K> {
    times: Vec<Time>,
    /// Where in the times each key begins: keys that stay as they are take no room.
    keys: Vec<(usize, K)>,
}

impl<K> Default for SourceFrames<K> {
    fn default() -> Self {
        Self { times: Vec::new(), keys: Vec::new() }
    }
}

impl<K: PartialEq> SourceFrames<K> {
    /// Takes the next frame of the first pass; times ascend.
    pub fn push(&mut self, time: Time, key: K) {
        if self.keys.last().is_none_or(|(_, last)| *last != key) {
            self.keys.push((self.times.len(), key));
        }
        self.times.push(time);
    }

    /// The times of all frames.
    pub fn times(&self) -> &[Time] {
        &self.times
    }

    /// What a frame came with; `None` behind the last one.
    pub fn key(&self, index: usize) -> Option<&K> {
        let before = self.keys.partition_point(|(first, _)| *first <= index);
        self.keys.get(before.checked_sub(1)?).filter(|_| index < self.times.len()).map(|(_, key)| key)
    }

    /// The number of the frame of this time.
    pub fn find(&self, time: Time) -> Option<usize> {
        self.times.binary_search(&time).ok()
    }

    /// The number of the frame that comes again.
    ///
    /// # Errors
    /// [`NotAgain`] if it is another one than in the first pass.
    pub fn again(&self, time: Time, key: &K) -> Result<usize, NotAgain> {
        let index = self.find(time).ok_or(NotAgain::Unknown)?;
        if self.key(index) == Some(key) { Ok(index) } else { Err(NotAgain::Differs) }
    }

    /// The first frame in these ranges, which ascend, that comes after `last`; where nothing came yet, the
    /// first of all.
    pub fn next(&self, last: Option<Time>, ranges: &[TimeRange]) -> Option<Time> {
        let mut index = last.map_or(0, |last| self.times.partition_point(|time| *time <= last));
        loop {
            let time = *self.times.get(index)?;
            let range = ranges.get(ranges.partition_point(|range| range.ends_by(time)))?;
            if range.start <= time {
                return Some(time);
            }
            index = self.times.partition_point(|time| *time < range.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(index: i64) -> Time {
        Time::new(index, 24)
    }

    /// MP-23, AM-20: other times and other keys are told apart, also where keys change.
    #[test]
    fn a_frame_comes_again_or_not() {
        let mut frames = SourceFrames::default();
        (0..24).for_each(|index| frames.push(at(index * 2), index / 12));
        assert_eq!(frames.again(at(4), &0), Ok(2));
        assert_eq!(frames.again(at(24), &1), Ok(12));
        assert_eq!(frames.again(at(5), &0), Err(NotAgain::Unknown));
        assert_eq!(frames.again(at(22), &1), Err(NotAgain::Differs));
        assert_eq!(frames.again(at(46), &0), Err(NotAgain::Differs));
        assert_eq!((frames.key(23), frames.key(24)), (Some(&1), None));
    }

    proptest! {
        /// Going from frame to frame gives all frames of the ranges, and no others.
        #[test]
        fn frames_of_ranges_in_their_order(
            gaps in prop::collection::vec(1i64..5, 0..60),
            bounds in prop::collection::btree_set(0i64..200, 0..8),
        ) {
            let mut frames = SourceFrames::default();
            let mut time = 0;
            for gap in gaps {
                frames.push(at(time), ());
                time += gap;
            }
            let bounds: Vec<i64> = bounds.into_iter().collect();
            let range = |pair: &[i64]| TimeRange::between(at(pair[0]), at(pair[1]));
            let ranges: Vec<_> = bounds.chunks_exact(2).map(range).collect();
            let mut last = None;
            let walked: Vec<Time> = std::iter::from_fn(|| {
                last = frames.next(last, &ranges).inspect(|next| assert!(last.is_none_or(|last| last < *next)));
                last
            })
            .collect();
            let inside = |time: &Time| ranges.iter().any(|range| range.contains(*time));
            prop_assert_eq!(walked, frames.times().iter().copied().filter(inside).collect::<Vec<_>>());
        }
    }
}
