//! What came in the first pass: later passes bring the same frames again (AM-20).

use crate::types::error::Mistake;
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

/// The frames of a first pass: 24 bytes for each.
#[derive(Debug, Default)]
pub(crate) struct FirstPass {
    times: Vec<Time>,
    /// Where in the times each shape begins: few change theirs.
    shapes: Vec<(usize, Shape)>,
}

impl FirstPass {
    /// Takes the next frame; times ascend.
    pub(crate) fn note(&mut self, time: Time, shape: Shape) {
        if self.shapes.last().is_none_or(|(_, last)| *last != shape) {
            self.shapes.push((self.times.len(), shape));
        }
        self.times.push(time);
    }

    /// Whether this is the next frame of a later pass.
    pub(crate) fn check(
        &self,
        time: Time,
        shape: Shape,
        last: Option<Time>,
        ranges: &[TimeRange],
    ) -> Result<(), Mistake> {
        let Ok(index) = self.times.binary_search(&time) else { return Err(Mistake::NotTheSame(time)) };
        let before = self.shapes.partition_point(|(first, _)| *first <= index);
        if before.checked_sub(1).is_none_or(|before| self.shapes[before].1 != shape) {
            return Err(Mistake::NotTheSame(time));
        }
        match self.next(last, ranges) {
            Some(next) if next < time => Err(Mistake::FrameMissing(next)),
            _ => Ok(()),
        }
    }

    /// The frame of the ranges that comes after `last`; the first of them if nothing came yet.
    pub(crate) fn next(&self, last: Option<Time>, ranges: &[TimeRange]) -> Option<Time> {
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

    const SHAPE: Shape = Shape { format: PixelFormat::I420, width: 16, height: 16, display_matrix: None };

    /// AM-20: other times, other sizes and gaps are told, each by its own mistake.
    #[test]
    fn later_passes_bring_the_same_frames() {
        let mut first = FirstPass::default();
        let large = Shape { width: 32, ..SHAPE };
        (0..24).for_each(|index| first.note(at(index * 2), if index < 12 { SHAPE } else { large }));
        let ranges = [TimeRange::between(at(4), at(8)), TimeRange::between(at(30), at(36))];
        let check = |index, shape, last: Option<i64>| first.check(at(index), shape, last.map(at), &ranges);
        assert_eq!(check(4, SHAPE, None), Ok(()));
        assert_eq!(check(5, SHAPE, None), Err(Mistake::NotTheSame(at(5))));
        assert_eq!(check(4, large, None), Err(Mistake::NotTheSame(at(4))));
        assert_eq!(check(6, SHAPE, None), Err(Mistake::FrameMissing(at(4))));
        assert_eq!(check(30, large, Some(6)), Ok(()));
        assert_eq!(check(30, SHAPE, Some(6)), Err(Mistake::NotTheSame(at(30))));
        assert_eq!(check(30, large, Some(4)), Err(Mistake::FrameMissing(at(6))));
    }

    proptest! {
        /// Going from frame to frame gives all frames of the ranges, and no others.
        #[test]
        fn frames_of_ranges_in_their_order(
            gaps in prop::collection::vec(1i64..5, 0..60),
            bounds in prop::collection::btree_set(0i64..200, 0..8),
        ) {
            let mut first = FirstPass::default();
            let mut time = 0;
            for gap in gaps {
                first.note(at(time), SHAPE);
                time += gap;
            }
            let bounds: Vec<i64> = bounds.into_iter().collect();
            let ranges: Vec<_> = bounds.chunks_exact(2).map(|pair| TimeRange::between(at(pair[0]), at(pair[1]))).collect();
            let mut last = None;
            let walked: Vec<Time> = std::iter::from_fn(|| {
                last = first.next(last, &ranges).inspect(|next| assert!(last.is_none_or(|last| last < *next)));
                last
            }).collect();
            let inside = |time: &Time| ranges.iter().any(|range| range.contains(*time));
            prop_assert_eq!(walked, first.times.iter().copied().filter(inside).collect::<Vec<_>>());
        }
    }
}
