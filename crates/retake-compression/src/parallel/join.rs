//! This module joins the samples of parts into those of one film, and proves that they make one.

use super::idr::Headers;
use crate::property::DataRateLimit;
use crate::random_access::RandomAccess;
use crate::rate_limit::{LimitReport, Violation};
use retake_media::{Codec, FormatDescription, Sample, Time};
use thiserror::Error;

/// Joins the samples of parts, one part entirely after the other, into those of one film (rules PA-5, PA-6,
/// PA-7, PA-8, PA-10), and refuses parts that do not make one.
///
/// Call [`begin`](Self::begin) before each part and [`sample`](Self::sample) with each of its samples in
/// decode order. Samples stay as they are except in one case: where an H.264 part ends with an IDR picture
/// and the next begins with one of the same `idr_pic_id`, the second gets another (PA-11).
#[derive(Debug)]
pub struct Joiner {
    format: Option<FormatDescription>,
    /// The headers are present for H.264, whose consecutive IDR pictures must have different numbers.
    headers: Option<Headers>,
    part: usize,
    /// The presentation time of the sync sample that begins this part, once it came.
    start: Option<Time>,
    last: Option<Time>,
    /// The `idr_pic_id` of the last sample, if it was an IDR picture.
    last_idr: Option<u32>,
    watch: LimitReport,
    report: JoinReport,
}

/// A report describes a joined film.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JoinReport {
    /// The number of parts joined.
    pub parts: usize,
    /// The number of samples.
    pub samples: u64,
    /// The bytes of all samples.
    pub bytes: u64,
    /// The windows of decode time that hold more than a limit allows (resolution 45); of each run of such
    /// windows, the fullest.
    pub violations: Vec<Violation>,
    /// The number of sync samples that got another `idr_pic_id`.
    pub renumbered: u64,
}

/// The reason why parts do not make one film.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// PA-7: the part was encoded with other headers than the first. All parts must be encoded with the same
    /// settings.
    #[error(
        "part {part} has another format description than the first: encode all parts with the same properties"
    )]
    Format {
        /// The part, counted from 0.
        part: usize,
    },
    /// PA-5, T-4: a decode time is not numeric, or not after the one before. Frames must be encoded with the
    /// times of the film.
    #[error(
        "part {part}: a sample with decode time {dts} cannot {}: give frames the times that they have in the film",
        last.map_or_else(|| "begin it".into(), |last| format!("follow one at {last}"))
    )]
    DecodeTime {
        /// The part, counted from 0.
        part: usize,
        /// The decode time.
        dts: Time,
        /// The decode time of the sample before, if there is one.
        last: Option<Time>,
    },
    /// PA-6: the part does not begin with a sync sample, as its flags or its bitstream say.
    #[error("part {part} does not begin with a sync sample")]
    NotSync {
        /// The part, counted from 0.
        part: usize,
    },
    /// PA-6: a sample is shown before the sync sample that the part begins with.
    #[error(
        "part {part}: a sample at {pts} is shown before the sync sample at {start} that the part begins with"
    )]
    Leading {
        /// The part, counted from 0.
        part: usize,
        /// The time when the sample is shown.
        pts: Time,
        /// The time when the sync sample is shown.
        start: Time,
    },
    /// A part has no samples.
    #[error("part {part} has no samples")]
    Empty {
        /// The part, counted from 0.
        part: usize,
    },
    /// A sample's bytes contradict its format.
    #[error("part {part}, sample at {dts}: {reason}")]
    Damaged {
        /// The part, counted from 0.
        part: usize,
        /// The sample's decode time.
        dts: Time,
        /// The defect of the bytes.
        reason: String,
    },
}

impl Default for Joiner {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Joiner {
    /// Makes a joiner that reports windows which hold more than these limits allow. Without limits it reports
    /// none.
    pub fn new(limits: Vec<DataRateLimit>) -> Self {
        Self {
            format: None,
            headers: None,
            part: 0,
            start: None,
            last: None,
            last_idr: None,
            watch: LimitReport::new(limits),
            report: JoinReport::default(),
        }
    }

    /// Begins the next part, whose samples are decoded with `format`.
    ///
    /// # Errors
    /// [`JoinError::Format`], and [`JoinError::Empty`] where the part before had no samples.
    pub fn begin(&mut self, format: &FormatDescription) -> Result<(), JoinError> {
        match &self.format {
            None => {
                self.headers = match format.codec {
                    Codec::H264 => Headers::of(&format.config),
                    _ => None,
                };
                self.format = Some(format.clone());
            }
            Some(_) if self.start.is_none() => return Err(JoinError::Empty { part: self.part }),
            Some(first) => {
                self.part += 1;
                if first != format {
                    return Err(JoinError::Format { part: self.part });
                }
            }
        }
        self.start = None;
        self.report.parts = self.part + 1;
        Ok(())
    }

    /// Acts as [`begin`](Self::begin) at the start of a part; within it, checks the format that its samples
    /// have from here on.
    pub(super) fn format(&mut self, format: &FormatDescription, begins: bool) -> Result<(), JoinError> {
        if begins {
            return self.begin(format);
        }
        let same = self.format.as_ref() == Some(format);
        if same { Ok(()) } else { Err(JoinError::Format { part: self.part }) }
    }

    /// Takes the next sample of the part. The sample is changed only where it must be (PA-11).
    ///
    /// # Errors
    /// Returns a [`JoinError`] if the sample cannot follow here.
    pub fn sample(&mut self, sample: &mut Sample) -> Result<(), JoinError> {
        let (part, dts, pts) = (self.part, sample.dts, sample.pts);
        if !dts.is_numeric() || self.last.is_some_and(|last| dts <= last) {
            return Err(JoinError::DecodeTime { part, dts, last: self.last });
        }
        let begins = self.start.is_none();
        // Of what is no IDR picture, the numbers of pictures go on from before it, whatever its flags say.
        let access = self.codec().and_then(|codec| RandomAccess::of(codec, &sample.data));
        if begins && (!sample.is_sync() || access.is_some_and(|access| access != RandomAccess::Full)) {
            return Err(JoinError::NotSync { part });
        }
        let start = *self.start.get_or_insert(pts);
        if pts < start {
            return Err(JoinError::Leading { part, pts, start });
        }
        self.last_idr = match &self.headers {
            Some(headers) if sample.is_sync() => {
                let damaged = |reason| JoinError::Damaged { part, dts, reason };
                let number = headers.idr_pic_id(&sample.data).map_err(damaged)?;
                match number {
                    Some(number) if begins && self.last_idr == Some(number) => {
                        // the sample behind it may be an IDR picture as well, with the number that follows,
                        // because 0 and 1 take turns
                        let other = number + 2;
                        sample.data = headers.renumber(&sample.data, other).map_err(damaged)?;
                        self.report.renumbered += 1;
                        Some(other)
                    }
                    number => number,
                }
            }
            _ => None,
        };
        self.last = Some(dts);
        let bytes = sample.data.len() as u64;
        self.report.samples += 1;
        self.report.bytes += bytes;
        self.watch.note(dts, bytes);
        Ok(())
    }

    fn codec(&self) -> Option<Codec> {
        self.format.as_ref().map(|format| format.codec)
    }

    /// Returns the report on the film.
    ///
    /// # Errors
    /// [`JoinError::Empty`] where the last part had no samples.
    pub fn finish(mut self) -> Result<JoinReport, JoinError> {
        if self.format.is_some() && self.start.is_none() {
            return Err(JoinError::Empty { part: self.part });
        }
        self.report.violations = self.watch.violations();
        Ok(self.report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::SampleKind;

    fn format(config: u8) -> FormatDescription {
        FormatDescription { config: vec![config], ..FormatDescription::video(Codec::Av1, 64, 64) }
    }

    fn sample(pts: i64, dts: i64, kind: SampleKind, bytes: usize) -> Sample {
        let at = |ticks| Time::new(ticks, 25);
        Sample { data: vec![0; bytes], pts: at(pts), dts: at(dts), duration: at(1), kind }
    }

    fn join(parts: &[&[(i64, i64, SampleKind)]]) -> Result<JoinReport, JoinError> {
        let mut joiner = Joiner::default();
        for part in parts {
            joiner.begin(&format(1))?;
            for &(pts, dts, kind) in *part {
                joiner.sample(&mut sample(pts, dts, kind, 10))?;
            }
        }
        joiner.finish()
    }

    #[test]
    fn what_makes_one_film_passes() {
        use SampleKind::{Disposable, Reference, Sync};
        let report = join(&[
            &[(0, 0, Sync), (2, 1, Reference), (1, 2, Disposable)],
            &[(3, 3, Sync), (4, 4, Reference)],
        ]);
        let report = report.unwrap();
        assert_eq!((report.parts, report.samples, report.bytes, report.renumbered), (2, 5, 50, 0));
        assert_eq!(Joiner::default().finish().unwrap(), JoinReport::default());
    }

    /// PA-5, PA-6, PA-7: each violation is found, and the error names its part.
    #[test]
    fn what_makes_no_film_is_refused() {
        use SampleKind::{Reference, Sync};
        let time = join(&[&[(0, 0, Sync), (1, 1, Reference)], &[(1, 1, Sync)]]);
        let at = |ticks| Time::new(ticks, 25);
        assert_eq!(time, Err(JoinError::DecodeTime { part: 1, dts: at(1), last: Some(at(1)) }));
        assert_eq!(join(&[&[(0, 0, Sync)], &[(1, 1, Reference)]]), Err(JoinError::NotSync { part: 1 }));
        let leading = join(&[&[(0, 0, Sync)], &[(3, 1, Sync), (2, 2, Reference)]]);
        assert_eq!(leading, Err(JoinError::Leading { part: 1, pts: at(2), start: at(3) }));
        assert_eq!(join(&[&[], &[(0, 0, Sync)]]), Err(JoinError::Empty { part: 0 }));
        assert_eq!(join(&[&[(0, 0, Sync)], &[]]), Err(JoinError::Empty { part: 1 }));
        let mut joiner = Joiner::default();
        joiner.begin(&format(1)).unwrap();
        joiner.sample(&mut sample(0, 0, Sync, 1)).unwrap();
        assert_eq!(joiner.begin(&format(2)), Err(JoinError::Format { part: 1 }));
    }

    /// Resolution 45: a window that neither part fills alone is found across the join.
    #[test]
    fn windows_across_a_join_are_looked_at() {
        use SampleKind::{Reference, Sync};
        let limit = DataRateLimit { bytes: 1000, seconds: 0.2 };
        let mut joiner = Joiner::new(vec![limit]);
        for (part, sizes) in [[10, 10, 10, 10, 700], [600, 10, 10, 10, 10]].iter().enumerate() {
            joiner.begin(&format(1)).unwrap();
            for (index, &bytes) in sizes.iter().enumerate() {
                let ticks = (part * 5 + index) as i64;
                let kind = if index == 0 { Sync } else { Reference };
                joiner.sample(&mut sample(ticks, ticks, kind, bytes)).unwrap();
            }
        }
        let violations = joiner.finish().unwrap().violations;
        assert_eq!(violations.len(), 1, "{violations:?}");
        let Violation { limit: broken, end, bytes } = violations[0];
        assert_eq!((broken, bytes), (limit, 1330));
        assert!(end >= Time::new(5, 25));
    }
}
