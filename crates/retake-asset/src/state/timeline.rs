//! From times of the source to ticks of one track, with the durations that are stored (AI-8), and what of it
//! will be seen.

use crate::types::media::MediaSample;
use retake_libav::time_to_ticks;
use retake_media::{Rational, SampleKind, Time};

/// A sample as it is stored: times in ticks from the start of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) duration: i64,
    pub(crate) sync: bool,
    pub(crate) disposable: bool,
    pub(crate) starts_segment: bool,
    pub(crate) data: Vec<u8>,
}

/// What a track turned out to be. All in ticks from the start of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first decode time.
    pub(crate) first: i64,
    /// The greatest `dts - pts`.
    pub(crate) reorder: i64,
    /// When something is first to be seen or heard.
    pub(crate) start: i64,
    /// When the last of it ends.
    pub(crate) end: i64,
    /// The sum of all stored durations.
    pub(crate) media: i64,
}

/// How long the samples of a track last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Durations {
    /// Each until the next.
    UntilNext,
    /// As long as they say, as packets of sound do.
    Own,
    /// As long as they say, and several may begin at once: texts of Matroska.
    OwnAndTogether,
    /// As long as they say, in a file whose samples last until the next: text and metadata of ISO files. What
    /// lies between two of them, and before the first, is a sample that holds nothing; so that no edit has to
    /// skip it, because FFmpeg and programs on it take the durations of such tracks wrongly where their media
    /// does not begin with the film.
    Filled {
        /// The bytes of a sample that holds nothing.
        nothing: Vec<u8>,
        /// Whether another one ends the last, because FFmpeg lets the last of subtitles last to the end of
        /// the film, and writes such samples itself. Of names of chapters it would be one more chapter.
        ends: bool,
    },
}

/// Follows one track.
#[derive(Debug)]
pub(crate) struct Timeline {
    base: Rational,
    session: Time,
    durations: Durations,
    /// Whether its samples come from an encoder of the writer.
    encoded: bool,
    /// Whether durations and offsets have 32 bits only, as in ISO files.
    narrow: bool,
    held: Option<Held>,
    last: Option<i64>,
    step: Option<i64>,
    extent: Option<Extent>,
    /// The latest time that is shown, and the number of its sample.
    latest: (i64, u64),
    samples: u64,
}

#[derive(Debug)]
struct Held {
    stored: Stored,
    given: Option<i64>,
    trim: (i64, i64),
    /// It began before the session, of which it holds from the start on.
    cut: bool,
}

impl Timeline {
    /// A track that ticks by `base`, in a session that starts at `session`.
    pub(crate) fn new(
        base: Rational,
        session: Time,
        durations: Durations,
        encoded: bool,
        narrow: bool,
    ) -> Self {
        Self {
            base,
            session,
            durations,
            encoded,
            narrow,
            held: None,
            last: None,
            step: None,
            extent: None,
            latest: (i64::MIN, 0),
            samples: 0,
        }
    }

    /// Takes the next sample in decode order. Out comes the one before it, whose duration is known now; one
    /// that says how long it is comes out at once where that counts.
    pub(crate) fn accept(&mut self, sample: MediaSample) -> Result<[Option<Stored>; 2], &'static str> {
        let (session, base) = (self.session, self.base);
        let ticks = |time: Time| time_to_ticks(time - session, base);
        let dts = ticks(sample.decode_time()).ok_or("its decode time is not a number, or too large")?;
        if matches!(self.durations, Durations::Filled { .. }) {
            return self.accept_filled(sample, dts);
        }
        let before = self.close(Some(dts));
        if sample.is_marker() {
            return Ok([before, None]);
        }
        let pts = ticks(sample.sample.pts).ok_or("its time is not a number, or too large")?;
        self.check(dts, pts)?;
        let length = |time: Time| time_to_ticks(time, base).filter(|&ticks| ticks > 0);
        let given = length(sample.sample.duration);
        let trim = [sample.attachments.trim_at_start, sample.attachments.trim_at_end];
        let trim = trim.map(|trim| trim.and_then(length).unwrap_or(0));
        let stored = Stored {
            pts,
            dts,
            duration: 0,
            sync: sample.sample.kind == SampleKind::Sync,
            disposable: sample.sample.kind == SampleKind::Disposable,
            starts_segment: sample.starts_segment,
            data: sample.sample.data,
        };
        if let Some(last) = self.last {
            self.step = Some(dts - last);
        }
        self.last = Some(dts);
        self.held = Some(Held { stored, given, trim: (trim[0], trim[1]), cut: false });
        let own = self.durations != Durations::UntilNext;
        let at_once = if own && given.is_some() { self.close(None) } else { None };
        Ok([before, at_once])
    }

    /// Takes the next sample where all that lies between samples is filled. Out comes the one before it, and
    /// what is between.
    fn accept_filled(&mut self, sample: MediaSample, dts: i64) -> Result<[Option<Stored>; 2], &'static str> {
        if sample.is_marker() {
            if let Some(held) = &mut self.held {
                held.given = Some(dts - held.stored.dts).filter(|&ticks| ticks > 0).or(held.given);
            }
            return Ok([None, None]);
        }
        let given = time_to_ticks(sample.sample.duration, self.base).filter(|&ticks| ticks > 0);
        let cut = dts < 0;
        if cut && given.is_some_and(|given| given <= -dts) {
            return Ok([None, None]); // it is over before the session starts
        }
        if dts <= 0 && self.held.as_ref().is_some_and(|held| held.cut) {
            // this one holds at the start of the session, instead of the one before
            (self.held, self.last) = (None, None);
        }
        let (dts, given) = (dts.max(0), given.map(|given| given + dts.min(0)));
        self.check(dts, dts)?;
        let before = self.fill(dts);
        let stored = Stored {
            pts: dts,
            dts,
            duration: 0,
            sync: true,
            disposable: false,
            starts_segment: false,
            data: sample.sample.data,
        };
        self.step = self.last.map(|last| dts - last).or(self.step);
        self.last = Some(dts);
        self.held = Some(Held { stored, given, trim: (0, 0), cut });
        Ok(before)
    }

    /// What is held until a time, and what lies between its end and that.
    fn fill(&mut self, until: i64) -> [Option<Stored>; 2] {
        let end = |held: &Held| held.given.map_or(until, |given| held.stored.dts.saturating_add(given));
        let end = self.held.as_ref().map_or(0, end).min(until);
        let held = self.close(Some(end));
        let nothing = (end < until).then(|| self.nothing(end, until)).flatten();
        [held, nothing]
    }

    /// A sample that holds nothing.
    fn nothing(&mut self, from: i64, until: i64) -> Option<Stored> {
        let Durations::Filled { nothing, .. } = &self.durations else { return None };
        let stored = Stored {
            pts: from,
            dts: from,
            duration: 0,
            sync: true,
            disposable: false,
            starts_segment: false,
            data: nothing.clone(),
        };
        self.held = Some(Held { stored, given: None, trim: (0, 0), cut: false });
        self.close(Some(until))
    }

    /// Refuses times that the track cannot have next.
    fn check(&self, dts: i64, pts: i64) -> Result<(), &'static str> {
        let together = self.durations == Durations::OwnAndTogether;
        if self.last.is_some_and(|last| dts < last || dts == last && !together) {
            return Err(
                "it is not decoded after the sample before it, on the track's clock: set a media_time_scale that tells \
                 them apart",
            );
        }
        // libavformat would move what follows to the next tick, and say so in its log alone.
        let too_wide = |ticks: i64| self.narrow && i32::try_from(ticks).is_err();
        // where gaps are filled, what is before the first sample is one
        let before = self.last.or(matches!(self.durations, Durations::Filled { .. }).then_some(0));
        if before.is_some_and(|before| too_wide(dts - before)) {
            return Err(
                "the gap before it is longer than 32 bits of the track's clock can say: set a coarser media_time_scale",
            );
        }
        if too_wide(pts - dts) {
            return Err(
                "it is shown so long after it is decoded that 32 bits of the track's clock cannot say it: set a coarser \
                 media_time_scale, or let a sync frame follow the gap",
            );
        }
        Ok(())
    }

    /// The last sample, with the last of the three sources of its duration that there is: its own, or that of
    /// the sample before. What was encoded here is shown until the session ends, if that was told (AD-4).
    /// Behind it comes, where what lies between samples is filled, a sample that ends it.
    pub(crate) fn finish(&mut self, end: Option<i64>) -> [Option<Stored>; 2] {
        if let Some(held) = self.held.as_mut().filter(|held| held.given.is_none() && self.encoded) {
            held.given = end.map(|end| end - held.stored.pts).filter(|&ticks| ticks > 0);
        }
        if let (Durations::Filled { .. }, Some(held), Some(end)) = (&self.durations, &mut self.held, end) {
            // what holds at the end of the session ends with it, for readers that take no edit for an end
            let left = (end - held.stored.dts).max(0);
            held.given = held.given.map(|given| if left > 0 { given.min(left) } else { given });
        }
        let last = self.close(None);
        // one that holds nothing has ended what was before it already, as in a track that was read
        let lasts = |last: &&Stored| match &self.durations {
            Durations::Filled { nothing, ends: true } => last.data != *nothing,
            _ => false,
        };
        let from = last.as_ref().filter(lasts).map(|last| last.dts + last.duration);
        let nothing = from.and_then(|from| self.nothing(from, end.map_or(from, |end| end.max(from))));
        [last, nothing]
    }

    /// What the track is, once it is finished; `None` if nothing was in it.
    pub(crate) fn extent(&self) -> Option<Extent> {
        self.extent
    }

    pub(crate) fn base(&self) -> Rational {
        self.base
    }

    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }

    fn close(&mut self, next: Option<i64>) -> Option<Stored> {
        let Held { mut stored, given, trim, .. } = self.held.take()?;
        let follows = next.map(|next| next - stored.dts).filter(|&ticks| ticks > 0);
        // what ends the last sample may last no time at all, which ISO/IEC 14496-12 allows the last sample
        let least = i64::from(next != Some(stored.dts));
        stored.duration = follows.or(given).or(self.step.filter(|_| least > 0)).unwrap_or(least).max(least);
        let lead = stored.dts - stored.pts;
        let extent = self.extent.get_or_insert(Extent {
            first: stored.dts,
            reorder: 0,
            start: i64::MAX,
            end: i64::MIN,
            media: 0,
        });
        extent.reorder = extent.reorder.max(lead);
        extent.media = stored.dts - extent.first + stored.duration;
        // a picture that is followed by others in decode order lasts as long as it says itself
        let shown =
            if lead == 0 || next.is_none() { stored.duration } else { given.unwrap_or(stored.duration) };
        let (from, to) = (stored.pts + trim.0, stored.pts + shown - trim.1);
        if from < to {
            extent.start = extent.start.min(from);
            if stored.pts >= self.latest.0 {
                self.latest = (stored.pts, self.samples);
                extent.end = to;
            }
        }
        self.samples += 1;
        Some(stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::Sample;

    /// What a track of samples that hold for a while becomes: start, end and bytes of each, in seconds.
    fn filled(samples: &[(i64, Option<i64>, u8)], ends: bool, end: Option<i64>) -> Vec<(i64, i64, u8)> {
        let durations = Durations::Filled { nothing: vec![0], ends };
        let mut timeline = Timeline::new(Rational::new(1, 1), Time::new(100, 1), durations, true, true);
        let mut stored = Vec::new();
        for &(from, until, byte) in samples {
            let pts = Time::new(100 + from, 1);
            let duration = until.map_or(Time::INVALID, |until| Time::new(until - from, 1));
            let sample = Sample { data: vec![byte], pts, dts: pts, duration, kind: SampleKind::Sync };
            stored.extend(timeline.accept(sample.into()).unwrap().into_iter().flatten());
        }
        stored.extend(timeline.finish(end).into_iter().flatten());
        let extent = timeline.extent();
        let media: i64 = stored.iter().map(|sample| sample.duration).sum();
        assert_eq!(
            extent.map(|extent| (extent.first, extent.start, extent.media)).unwrap_or_default(),
            (0, 0, media)
        );
        stored.iter().map(|sample| (sample.dts, sample.dts + sample.duration, sample.data[0])).collect()
    }

    /// AD-5, section 16.2: what lies between samples that hold for a while, and before the first, is a sample
    /// that holds nothing; one that holds at the session's start or end is cut there, and one that is over
    /// before is not there at all; one without a duration holds until the next, or the session's end.
    #[test]
    fn what_lies_between_is_filled() {
        let plain = [(2, Some(3), 1), (3, Some(5), 2), (7, Some(8), 3)];
        let all = [(0, 2, 0), (2, 3, 1), (3, 5, 2), (5, 7, 0), (7, 8, 3)];
        assert_eq!(filled(&plain, false, None), all);
        assert_eq!(filled(&plain, false, Some(20)), all);
        assert_eq!(filled(&plain, true, None), [&all[..], &[(8, 8, 0)]].concat());
        assert_eq!(filled(&plain, true, Some(20)), [&all[..], &[(8, 20, 0)]].concat());
        let cut = [(-9, Some(-7), 1), (-5, Some(0), 2), (-1, Some(2), 3)];
        assert_eq!(filled(&cut, false, None), [(0, 2, 3)]);
        assert_eq!(
            filled(&[(-5, None, 1), (-3, None, 2), (0, None, 3), (4, None, 4)], false, Some(9)),
            [(0, 4, 3), (4, 9, 4)]
        );
        assert_eq!(
            filled(&[(-5, None, 1), (-3, None, 2), (4, Some(9), 4)], false, Some(6)),
            [(0, 4, 2), (4, 6, 4)]
        );
        let far = Sample {
            data: vec![1],
            pts: Time::new(1 << 31, 1),
            dts: Time::new(1 << 31, 1),
            duration: Time::new(1, 1),
            kind: SampleKind::Sync,
        };
        let durations = Durations::Filled { nothing: vec![0], ends: true };
        let mut timeline = Timeline::new(Rational::new(1, 1), Time::ZERO, durations, true, true);
        assert!(timeline.accept(far.into()).is_err(), "32 bits cannot say what is before it");
        assert_eq!(filled(&[], true, Some(9)), []);
        assert_eq!(filled(&[(1, Some(2), 0)], true, None), [(0, 1, 0), (1, 2, 0)]);
    }

    /// AI-8, AW-4: on a clock of 90 kHz 32 bits are less than seven hours. Where a file has no more, a longer
    /// gap is refused, and so is a frame that is decoded before it and shown behind it; a coarser clock takes
    /// both, and so does a file without such a bound.
    #[test]
    fn gaps_that_the_clock_cannot_say_are_refused() {
        let hour = 3600;
        let sample = |pts, dts| {
            let [pts, dts, duration] = [pts, dts, 1].map(|seconds| Time::new(seconds, 1));
            MediaSample::from(Sample { data: vec![1], pts, dts, duration, kind: SampleKind::Reference })
        };
        let across = [sample(0, 0), sample(9 * hour, 1), sample(1, 2)];
        let behind = [sample(0, 0), sample(1, 1), sample(9 * hour, 9 * hour)];
        let short = [sample(0, 0), sample(6 * hour, 6 * hour), sample(12 * hour, 12 * hour)];
        for (scale, narrow, taken) in [(90_000, true, false), (10_000, true, true), (90_000, false, true)] {
            for (samples, taken) in [(&across, taken), (&behind, taken), (&short, true)] {
                let mut timeline =
                    Timeline::new(Rational::new(1, scale), Time::ZERO, Durations::UntilNext, false, narrow);
                let all: Result<Vec<_>, _> =
                    samples.iter().map(|sample| timeline.accept(sample.clone())).collect();
                assert_eq!(all.is_ok(), taken, "{scale} {narrow}");
            }
        }
    }
}
