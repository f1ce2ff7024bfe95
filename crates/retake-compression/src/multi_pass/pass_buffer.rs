use crate::silo::{FrameSilo, SiloError};
use retake_media::{SampleBuffer, Time, TimeRange};
use std::collections::VecDeque;

/// A frame silo that is filled pass by pass.
///
/// In a later pass, each range takes the place of what was in it when all of it came, and not before, because
/// a pass may end at any moment and the samples must decode all the same.
pub(super) struct PassBuffer {
    silo: FrameSilo,
    /// The ranges of this pass that no sample has come of, in order.
    ranges: VecDeque<TimeRange>,
    /// The range that is being replaced, with how many samples came.
    begun: Option<(TimeRange, usize)>,
    /// The decode time of the sample that was handed out last.
    reached: Option<Time>,
}

impl PassBuffer {
    pub(super) fn new(silo: FrameSilo) -> Self {
        Self { silo, ranges: VecDeque::new(), begun: None, reached: None }
    }

    pub(super) fn silo(&self) -> &FrameSilo {
        &self.silo
    }

    pub(super) fn into_silo(self) -> FrameSilo {
        self.silo
    }

    /// The next pass brings these ranges again.
    pub(super) fn begin(&mut self, ranges: &[TimeRange]) {
        self.ranges = ranges.iter().copied().collect();
    }

    /// Takes the next sample of a pass, in decode order.
    pub(super) fn add(&mut self, sample: &SampleBuffer) -> Result<(), SiloError> {
        let key = sample.sample.dts;
        if self.begun.is_some_and(|(range, _)| range.ends_by(key)) {
            // frames are pushed in order: that range is complete
            self.commit()?;
        }
        if self.begun.is_none() {
            while self.ranges.front().is_some_and(|range| range.ends_by(key)) {
                self.ranges.pop_front();
            }
            if let Some(range) = self.ranges.pop_front() {
                self.silo.begin_replacement(&[range])?;
                self.begun = Some((range, 0));
            }
        }
        self.silo.add(sample)?;
        if let Some((_, came)) = &mut self.begun {
            *came += 1;
        }
        Ok(())
    }

    /// All of the pass came.
    pub(super) fn end_pass(&mut self) -> Result<(), SiloError> {
        self.ranges.clear();
        self.commit()
    }

    /// No more comes, be the pass complete or not (AM-10).
    pub(super) fn stop(&mut self) -> Result<(), SiloError> {
        let Some((range, came)) = self.begun else { return self.end_pass() };
        // during a replacement, these are the samples that it would replace
        if came == self.silo.samples(range)?.count() {
            return self.end_pass();
        }
        self.ranges.clear();
        self.begun = None;
        self.silo.abandon_replacement()
    }

    /// The next sample of all, in decode order.
    pub(super) fn next_sample(&mut self) -> Result<Option<SampleBuffer>, SiloError> {
        let next = self.silo.next_after(self.reached)?;
        Ok(next.map(|(key, sample)| {
            self.reached = Some(key);
            sample
        }))
    }

    fn commit(&mut self) -> Result<(), SiloError> {
        match self.begun.take() {
            Some(_) => self.silo.commit_replacement(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::{Codec, FormatDescription, Sample, SampleKind};
    use std::sync::Arc;

    fn at(index: i64) -> Time {
        Time::new(index, 24)
    }

    fn sample(index: i64, version: u8) -> SampleBuffer {
        let format = FormatDescription::video(Codec::H264, 16, 16);
        let (data, kind) = (vec![version], SampleKind::Sync);
        let sample = Sample { data, pts: at(index), dts: at(index), duration: Time::INVALID, kind };
        SampleBuffer::new(sample, Arc::new(format))
    }

    fn empty() -> PassBuffer {
        PassBuffer::new(FrameSilo::temporary(None).expect("a free disk"))
    }

    fn add(buffer: &mut PassBuffer, indices: std::ops::Range<i64>, version: u8) {
        indices.for_each(|index| buffer.add(&sample(index, version)).expect("a free disk"));
    }

    fn versions(mut buffer: PassBuffer) -> Vec<u8> {
        let next = || buffer.next_sample().expect("a file that can be read");
        let all: Vec<_> = std::iter::from_fn(next).collect();
        assert!(all.is_sorted_by(|a, b| a.sample.dts < b.sample.dts));
        all.iter().map(|sample| sample.sample.data[0]).collect()
    }

    fn filled(count: i64) -> PassBuffer {
        let mut buffer = empty();
        add(&mut buffer, 0..count, 1);
        buffer.end_pass().expect("a free disk");
        buffer.begin(&[TimeRange::between(at(2), at(4)), TimeRange::between(at(6), at(8))]);
        buffer
    }

    /// AM-10, AM-18: a range is replaced when all of it came; one that came in part stays as it was.
    #[test]
    fn whole_ranges_are_replaced() {
        let mut whole = filled(10);
        add(&mut whole, 2..4, 2);
        add(&mut whole, 6..8, 2);
        whole.end_pass().expect("a free disk");
        assert_eq!(versions(whole), [1, 1, 2, 2, 1, 1, 2, 2, 1, 1]);
        for (length, expected) in [(0, [1, 1, 2, 2, 1, 1, 1, 1, 1, 1]), (1, [1, 1, 2, 2, 1, 1, 1, 1, 1, 1])] {
            let mut part = filled(10);
            add(&mut part, 2..4, 2);
            add(&mut part, 6..6 + length, 2);
            part.stop().expect("a free disk");
            assert_eq!(versions(part), expected);
        }
        let mut complete = filled(10);
        add(&mut complete, 2..4, 2);
        complete.stop().expect("a free disk");
        assert_eq!(versions(complete), [1, 1, 2, 2, 1, 1, 1, 1, 1, 1]);
        // a range whose first passes were skipped begins no replacement for them
        let mut second = filled(10);
        add(&mut second, 6..8, 2);
        second.stop().expect("a free disk");
        assert_eq!(versions(second), [1, 1, 1, 1, 1, 1, 2, 2, 1, 1]);
    }

    /// Samples that are handed out one by one come out once and in order, over the borders of blocks.
    #[test]
    fn samples_are_handed_out_once() {
        let count = 3077;
        let mut buffer = empty();
        add(&mut buffer, 0..count, 1);
        buffer.stop().expect("a free disk");
        assert_eq!(versions(buffer).len(), count as usize);
    }
}
