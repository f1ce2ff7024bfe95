//! The samples of an input of several passes, until the last pass is over: in a file, the newest version of
//! each.

use crate::types::error::WriterError;
use retake_compression::silo::{FrameSilo, SiloError};
use retake_media::{SampleBuffer, Time, TimeRange};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So much is fetched from the file at once when all is over.
const BATCH_SAMPLES: usize = 1024;
const BATCH_BYTES: usize = 4 << 20;

/// A frame silo that is filled pass by pass, and then emptied into the film (AM-15).
///
/// In a later pass, each range takes the place of what was in it when all of it came, and not before:
/// whatever ends the pass, the samples decode.
pub(super) struct PassBuffer {
    silo: FrameSilo,
    /// For messages: the file has no name.
    folder: PathBuf,
    /// The ranges of this pass that are not begun yet, and the one that is, with how many samples came.
    ranges: VecDeque<TimeRange>,
    begun: Option<(TimeRange, usize)>,
    /// The greatest decode time.
    last: Time,
    /// Reading: what was fetched, and the decode time of the last that was.
    fetched: VecDeque<SampleBuffer>,
    reached: Option<Time>,
}

impl PassBuffer {
    pub(super) fn create(folder: Option<&Path>) -> Result<Self, WriterError> {
        let created = match folder {
            Some(folder) => FrameSilo::temporary_in(folder, TimeRange::INVALID),
            None => FrameSilo::temporary(TimeRange::INVALID),
        };
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        let silo = created.map_err(|error| failed(&folder, error))?;
        let (ranges, fetched) = (VecDeque::new(), VecDeque::new());
        Ok(Self { silo, folder, ranges, begun: None, last: Time::NEGATIVE_INFINITY, fetched, reached: None })
    }

    /// The next pass brings these ranges again.
    pub(super) fn begin(&mut self, ranges: &[TimeRange]) {
        self.ranges = ranges.iter().copied().collect();
    }

    /// Takes the next sample of a pass, in decode order.
    pub(super) fn add(&mut self, sample: &SampleBuffer) -> Result<(), WriterError> {
        let key = sample.sample.dts;
        if self.begun.is_some_and(|(range, _)| range.ends_by(key)) {
            // what comes later was sent later: that range is complete
            self.commit()?;
        }
        if self.begun.is_none() {
            while self.ranges.front().is_some_and(|range| range.ends_by(key)) {
                self.ranges.pop_front();
            }
            if let Some(range) = self.ranges.pop_front() {
                self.silo.begin_replacement(&[range]).map_err(|error| failed(&self.folder, error))?;
                self.begun = Some((range, 0));
            }
        }
        self.silo.add(sample).map_err(|error| failed(&self.folder, error))?;
        self.last = self.last.max(key);
        if let Some((_, came)) = &mut self.begun {
            *came += 1;
        }
        Ok(())
    }

    /// All of the pass came.
    pub(super) fn end_pass(&mut self) -> Result<(), WriterError> {
        self.ranges.clear();
        self.commit()
    }

    /// No more comes, be the pass complete or not (AM-10).
    pub(super) fn stop(&mut self) -> Result<(), WriterError> {
        let Some((range, came)) = self.begun else { return self.end_pass() };
        // during a replacement, these are the samples that it would replace
        let before = self.silo.samples(range).map_err(|error| failed(&self.folder, error))?.count();
        if came == before {
            return self.end_pass();
        }
        self.begun = None;
        self.silo.abandon_replacement().map_err(|error| failed(&self.folder, error))
    }

    fn commit(&mut self) -> Result<(), WriterError> {
        match self.begun.take() {
            Some(_) => self.silo.commit_replacement().map_err(|error| failed(&self.folder, error)),
            None => Ok(()),
        }
    }

    /// The next sample of all, in decode order, when no more comes.
    pub(super) fn next(&mut self) -> Result<Option<SampleBuffer>, WriterError> {
        if self.fetched.is_empty() {
            self.fetch()?;
        }
        Ok(self.fetched.pop_front())
    }

    fn fetch(&mut self) -> Result<(), WriterError> {
        let from = match self.reached {
            Some(reached) => TimeRange::between(reached, self.last.add(Time::new(1, 1))),
            None => TimeRange::INVALID,
        };
        let samples = self.silo.samples(from).map_err(|error| failed(&self.folder, error))?;
        let mut bytes = 0;
        for sample in samples {
            let sample = sample.map_err(|error| failed(&self.folder, error))?;
            let key = sample.sample.dts;
            if Some(key) == self.reached {
                continue;
            }
            self.reached = Some(key);
            bytes += sample.sample.data.len();
            self.fetched.push_back(sample);
            if self.fetched.len() >= BATCH_SAMPLES || bytes >= BATCH_BYTES {
                break;
            }
        }
        Ok(())
    }
}

fn failed(folder: &Path, error: SiloError) -> WriterError {
    match error {
        SiloError::File { source, .. } => WriterError::io(folder)(source),
        // the session promises decode times that a silo takes
        other => WriterError::Io { file: folder.to_owned(), source: Arc::new(io::Error::other(other)) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::{Codec, Colour, FormatDescription, Rational, Sample, SampleKind};

    fn at(index: i64) -> Time {
        Time::new(index, 24)
    }

    fn sample(index: i64, version: u8) -> SampleBuffer {
        let format = FormatDescription {
            codec: Codec::H264,
            width: 16,
            height: 16,
            config: Vec::new(),
            colour: Colour::default(),
            pixel_aspect_ratio: Rational::new(1, 1),
            clean_aperture: None,
            fields: None,
            gamma: None,
            icc_profile: None,
            mastering_display: None,
            content_light: None,
        };
        let (data, kind) = (vec![version], SampleKind::Sync);
        let sample = Sample { data, pts: at(index), dts: at(index), duration: Time::INVALID, kind };
        SampleBuffer::new(sample, Arc::new(format))
    }

    fn add(buffer: &mut PassBuffer, indices: std::ops::Range<i64>, version: u8) {
        indices.for_each(|index| buffer.add(&sample(index, version)).expect("a free disk"));
    }

    fn versions(mut buffer: PassBuffer) -> Vec<u8> {
        let next = || buffer.next().expect("a file that can be read");
        let all: Vec<_> = std::iter::from_fn(next).collect();
        assert!(all.is_sorted_by(|a, b| a.sample.dts < b.sample.dts));
        all.iter().map(|sample| sample.sample.data[0]).collect()
    }

    fn kept(count: i64) -> PassBuffer {
        let mut buffer = PassBuffer::create(None).expect("a free disk");
        add(&mut buffer, 0..count, 1);
        buffer.end_pass().expect("a free disk");
        buffer.begin(&[TimeRange::between(at(2), at(4)), TimeRange::between(at(6), at(8))]);
        buffer
    }

    /// AM-10, AM-18: a range is replaced when all of it came; one that came in part stays as it was.
    #[test]
    fn whole_ranges_are_replaced() {
        let mut whole = kept(10);
        add(&mut whole, 2..4, 2);
        add(&mut whole, 6..8, 2);
        whole.end_pass().expect("a free disk");
        assert_eq!(versions(whole), [1, 1, 2, 2, 1, 1, 2, 2, 1, 1]);
        for (length, expected) in [(0, [1, 1, 2, 2, 1, 1, 1, 1, 1, 1]), (1, [1, 1, 2, 2, 1, 1, 1, 1, 1, 1])] {
            let mut part = kept(10);
            add(&mut part, 2..4, 2);
            add(&mut part, 6..6 + length, 2);
            part.stop().expect("a free disk");
            assert_eq!(versions(part), expected);
        }
        let mut complete = kept(10);
        add(&mut complete, 2..4, 2);
        complete.stop().expect("a free disk");
        assert_eq!(versions(complete), [1, 1, 2, 2, 1, 1, 1, 1, 1, 1]);
        // a range whose first passes were skipped begins no replacement for them
        let mut second = kept(10);
        add(&mut second, 6..8, 2);
        second.stop().expect("a free disk");
        assert_eq!(versions(second), [1, 1, 1, 1, 1, 1, 2, 2, 1, 1]);
    }

    /// More than is fetched at once comes out once and in order.
    #[test]
    fn batches_do_not_overlap() {
        let count = 3 * BATCH_SAMPLES as i64 + 5;
        let mut buffer = PassBuffer::create(None).expect("a free disk");
        add(&mut buffer, 0..count, 1);
        buffer.stop().expect("a free disk");
        assert_eq!(versions(buffer).len(), count as usize);
    }
}
