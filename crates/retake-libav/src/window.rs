//! The part of a film that is read, where that is not all of it.
//!
//! A range is asked for by times or by numbers of frames. It is settled once, when the film is looked
//! through: a window begins with the time of its first frame and ends with that of the first frame behind it,
//! so that windows that follow each other share no frame and lose none, and sound is cut where pictures
//! change.

use crate::error::MediaError;
use crate::film::{FilmInfo, ticks_to_time, time_to_ticks};
use crate::reader::{Decoding, ReaderOptions};
use crate::timeline::{Break, Timeline};
use retake_media::{Rational, Time, TimeRange};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Sync samples before a window that are remembered. Decoding begins at one of them, or at the start of the
/// film.
const MOST_SYNCS: usize = 16;

/// Frames that are compared before seeking in a film is trusted.
const TRIED: u64 = 3;

/// Coding formats of which every sample is one frame, in the containers that this crate reads. Others have
/// samples that show nothing, or several frames in one sample.
const ONE_FRAME_A_SAMPLE: [&str; 10] =
    ["h264", "hevc", "av1", "vp9", "prores", "ffv1", "mpeg2video", "mjpeg", "dnxhd", "rawvideo"];

/// A place in a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilmPosition {
    /// The first frame that is shown at or after this time, which counts from the start of the film
    /// ([`FilmInfo::start`]).
    Time(Time),
    /// The frame with this number, in the order in which frames are shown, from 0.
    Frame(u64),
}

impl fmt::Display for FilmPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{:.3} s", time.seconds()),
            Self::Frame(frame) => write!(f, "frame {frame}"),
        }
    }
}

/// The frames of a film from one place up to another, whose frame is not included.
#[doc(alias = "timeRange")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilmRange {
    /// The place of the first frame.
    pub from: FilmPosition,
    /// The place of the first frame behind the range; `None` is the end of the film, with all of its sound.
    pub to: Option<FilmPosition>,
}

impl FilmRange {
    /// Makes the range from one place up to another.
    pub const fn new(from: FilmPosition, to: Option<FilmPosition>) -> Self {
        Self { from, to }
    }

    /// Returns whether the places alone show that no frame can lie in the range, or are no places: times that
    /// are not numbers, or not above zero at its end.
    pub fn is_empty(&self) -> bool {
        use FilmPosition::{Frame, Time as At};
        let number = |position: &FilmPosition| !matches!(position, At(time) if !time.is_numeric());
        if !number(&self.from) || !self.to.as_ref().is_none_or(number) {
            return true;
        }
        match (self.from, self.to) {
            (At(from), Some(At(to))) => to <= from || to <= Time::ZERO,
            (Frame(from), Some(Frame(to))) => to <= from,
            (_, Some(At(to))) => to <= Time::ZERO,
            (_, Some(Frame(to))) => to == 0,
            (_, None) => false,
        }
    }
}

impl From<TimeRange> for FilmRange {
    fn from(range: TimeRange) -> Self {
        let end = Some(range.end()).filter(|end| *end != Time::POSITIVE_INFINITY);
        Self { from: FilmPosition::Time(range.start), to: end.map(FilmPosition::Time) }
    }
}

impl From<Range<u64>> for FilmRange {
    fn from(frames: Range<u64>) -> Self {
        Self { from: FilmPosition::Frame(frames.start), to: Some(FilmPosition::Frame(frames.end)) }
    }
}

impl fmt::Display for FilmRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "from {} up to {to}", self.from),
            None => write!(f, "from {} to the end", self.from),
        }
    }
}

/// The settled part of a film.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// The time of the first frame, in ticks of the video; the start of the film where it begins with that.
    pub(crate) start: i64,
    /// Whether it begins where the film does.
    pub(crate) is_from_start: bool,
    /// The time of the first frame behind it, or the end of the film's pictures where there is none; `None`
    /// where all of the film's sound belongs to it.
    pub(crate) end: Option<i64>,
    /// The start of the whole film.
    pub(crate) film_start: Time,
    /// The times of sync samples at or before the start, the nearest first, where seeking can be trusted.
    pub(crate) syncs: Vec<i64>,
}

impl Window {
    /// Returns whether a frame with this time is in front of it.
    pub(crate) fn is_before(&self, pts: i64) -> bool {
        pts < self.start
    }

    /// Returns whether a frame with this time is behind it.
    pub(crate) fn is_behind(&self, pts: i64) -> bool {
        self.end.is_some_and(|end| pts >= end)
    }

    /// Returns sync samples from which decoding can begin, the nearest first, each with the latest sync
    /// sample at which it may find itself instead.
    ///
    /// The nearest sync sample is never one of them. Pictures behind it may refer to what is in front of it
    /// (open GOPs), and a stream that is refreshed bit by bit has only begun to be whole there. Both are over
    /// at the next sync sample.
    pub(crate) fn starts(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        let latest = self.syncs.get(1).copied();
        [1, 3, 7, 15].into_iter().filter_map(move |back| Some((*self.syncs.get(back)?, latest?)))
    }
}

/// A sample of the video, as far as windows are concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VideoSample {
    /// When it is shown, in ticks.
    pub(crate) pts: Option<i64>,
    /// When it is decoded, or shown where that is not known, in ticks.
    pub(crate) decoded: Option<i64>,
    pub(crate) sync: bool,
    /// Whether it is shown at all.
    pub(crate) shown: bool,
}

/// What was seen of a film in which a window is to be settled.
pub(crate) struct Seen {
    /// All samples of the video, in the order of the file.
    pub(crate) samples: Vec<VideoSample>,
    /// Whether the times at which samples are decoded were known, and went on.
    pub(crate) in_order: bool,
    /// Whether the container had no fault.
    pub(crate) sound: bool,
    /// The end of the last picture, in ticks of the file.
    pub(crate) end: i64,
}

impl Window {
    /// Settles a range of a film whose breaks are known, and counts its frames.
    ///
    /// Where the times of samples are those of frames, they tell. Elsewhere the film is decoded from its
    /// start up to the end of the range, and its frames are counted; `None` means that `stopped` said so
    /// meanwhile.
    pub(crate) fn settle(
        info: &FilmInfo,
        range: FilmRange,
        seen: &Seen,
        breaks: &Arc<Vec<Break>>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<(Self, u64)>, MediaError> {
        let mut timeline = Timeline::new(breaks);
        let moved: Vec<VideoSample> = seen
            .samples
            .iter()
            .map(|sample| {
                let by = timeline.next(info.video.index, sample.decoded).ticks;
                VideoSample { pts: sample.pts.map(|pts| pts.saturating_add(by)), ..*sample }
            })
            .collect();
        let last = |samples: &[VideoSample]| samples.iter().filter_map(|sample| sample.pts).max();
        let by = last(&moved).unwrap_or(0).saturating_sub(last(&seen.samples).unwrap_or(0));
        let film_end = seen.end.saturating_add(by);
        let shown = moved.iter().filter(|sample| sample.shown);
        let times: Option<Vec<i64>> = shown.map(|sample| sample.pts).collect();
        let trusted = times.filter(|_| seen.in_order).and_then(|mut times| {
            times.sort_unstable();
            times.windows(2).all(|pair| pair[0] < pair[1]).then_some(times)
        });
        let by_number = [Some(range.from), range.to]
            .iter()
            .flatten()
            .any(|position| matches!(position, FilmPosition::Frame(_)));
        let countable = || {
            let first = moved.first().and_then(|sample| sample.pts.filter(|_| sample.sync));
            // Pictures that lead the first sync sample may not come out, so that numbers would be others.
            let leads = moved.iter().any(|sample| sample.pts < first);
            seen.sound
                && first.is_some()
                && !leads
                && info.video.fields.is_none()
                && ONE_FRAME_A_SAMPLE.contains(&info.video.codec.as_str())
        };
        let can_seek = trusted.is_some() && breaks.is_empty() && seen.sound;
        let times = match trusted.filter(|_| !by_number || countable()) {
            Some(times) => times,
            None => match decoded_times(info, range, stopped)? {
                Some(times) => times,
                None => return Ok(None),
            },
        };
        let place = |position: FilmPosition| match position {
            FilmPosition::Time(time) => {
                let time = info.start + time;
                times.partition_point(|&ticks| info.video.time(ticks) < time)
            }
            FilmPosition::Frame(number) => {
                usize::try_from(number).map_or(times.len(), |number| number.min(times.len()))
            }
        };
        let (first, last) = (place(range.from), range.to.map_or(times.len(), place));
        let (Some(&begins), true) = (times.get(first), first < last) else {
            let seconds = (info.video.time(film_end) - info.start).seconds();
            return Err(MediaError::NoFramesInRange { file: info.path.clone(), range, seconds });
        };
        // The film's own beginning stays as it is: sound may begin before the first picture.
        let film_start = time_to_ticks(info.start, info.video.time_base);
        let start = film_start.filter(|_| first == 0).unwrap_or(begins);
        let end = range.to.map(|to| {
            times.get(last).copied().unwrap_or_else(|| match to {
                // Sound may go on when there are no more pictures.
                FilmPosition::Time(to) => {
                    let to = time_to_ticks(info.start + to, info.video.time_base);
                    to.map_or(film_end, |to| to.max(film_end))
                }
                FilmPosition::Frame(_) => film_end,
            })
        });
        let mut syncs: Vec<i64> = Vec::new();
        if can_seek {
            let before = moved.iter().filter(|sample| sample.sync).filter_map(|sample| sample.pts);
            syncs.extend(before.filter(|&pts| pts <= start));
            syncs.sort_unstable();
        }
        let mut window =
            Self { start, is_from_start: first == 0, end, film_start: info.start, syncs: Vec::new() };
        if window.keeps_pictures(info, &syncs)? {
            window.syncs = syncs.into_iter().rev().take(MOST_SYNCS).collect();
        }
        Ok(Some((window, (last - first) as u64)))
    }

    /// Tries whether decoding from a sync sample gives the pictures that decoding from the start gives: what
    /// the first samples of some films say holds for all that follow, and is not said again. The film's first
    /// sync samples tell, because decoding up to them takes no time. `syncs` are those before the window,
    /// in order.
    fn keeps_pictures(&self, info: &FilmInfo, syncs: &[i64]) -> Result<bool, MediaError> {
        // Up to the third, decoding from the start is as quick.
        let &[_, from, at, _, ..] = syncs else { return Ok(false) };
        let options = ReaderOptions { format: info.video.format, threads: 0 };
        let trial =
            Self { start: at, end: None, is_from_start: false, syncs: vec![at, from], ..self.clone() };
        let trial = FilmInfo { window: Some(Arc::new(trial)), ..info.clone() };
        let (mut linear, mut sought) = (Decoding::open(info, options)?, Decoding::open(&trial, options)?);
        for number in 0..TRIED {
            let expected = loop {
                match linear.next(number)? {
                    Some(frame) if frame.pts < at => {}
                    other => break other,
                }
            };
            let found = sought.next(number)?;
            if !sought.has_sought() {
                return Ok(false);
            }
            let (Some(expected), Some(found)) = (expected, found) else { return Ok(false) };
            let same_time = expected.pts == found.pts;
            let pictures =
                (linear.pictures(expected.content, number)?, sought.pictures(found.content, number)?);
            if !same_time || pictures.0.hash() != pictures.1.hash() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the start, and the end if there is one, in ticks of a track.
    pub(crate) fn in_ticks(&self, info: &FilmInfo, base: Rational) -> (i64, Option<i64>) {
        let ticks = |ticks: i64| time_to_ticks(ticks_to_time(ticks, info.unfiltered().time_base), base);
        (ticks(self.start).unwrap_or(i64::MIN), self.end.and_then(ticks))
    }
}

/// Decodes a film from its start, and returns the times of its frames up to one that is behind a range.
fn decoded_times(
    info: &FilmInfo,
    range: FilmRange,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<Vec<i64>>, MediaError> {
    // Pictures are not converted, so that the format does not matter, and all threads are free.
    let mut decoding = Decoding::open(info, ReaderOptions { format: info.video.format, threads: 0 })?;
    let mut times = Vec::new();
    while let Some(frame) = decoding.next(times.len() as u64)? {
        if stopped() {
            return Ok(None);
        }
        times.push(frame.pts);
        let enough = match range.to {
            Some(FilmPosition::Time(to)) => info.video.time(frame.pts) >= info.start + to,
            Some(FilmPosition::Frame(to)) => times.len() as u64 > to,
            None => false,
        };
        if enough {
            break;
        }
    }
    Ok(Some(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_cannot_hold_a_frame_are_known_by_their_places() {
        let at = |seconds: i64| FilmPosition::Time(Time::new(seconds, 1));
        let frame = FilmPosition::Frame;
        for (from, to) in [(at(2), at(2)), (at(3), at(2)), (frame(4), frame(4)), (at(0), frame(0))] {
            assert!(FilmRange::new(from, Some(to)).is_empty(), "{from} {to}");
        }
        assert!(FilmRange::new(FilmPosition::Time(Time::INVALID), None).is_empty());
        for (from, to) in [(at(2), at(3)), (frame(4), frame(5)), (at(9), frame(1)), (frame(9), at(1))] {
            assert!(!FilmRange::new(from, Some(to)).is_empty(), "{from} {to}");
        }
        assert!(!FilmRange::new(at(5), None).is_empty());
        let range = FilmRange::from(TimeRange::new(Time::new(1, 1), Time::POSITIVE_INFINITY));
        assert_eq!(range, FilmRange::new(at(1), None));
        assert_eq!(FilmRange::from(3..5), FilmRange::new(frame(3), Some(frame(5))));
    }

    #[test]
    fn decoding_never_begins_at_the_nearest_sync_sample() {
        let window = |syncs: &[i64]| Window {
            start: 100,
            is_from_start: false,
            end: None,
            film_start: Time::ZERO,
            syncs: syncs.to_vec(),
        };
        let starts = |syncs: &[i64]| window(syncs).starts().collect::<Vec<_>>();
        assert_eq!(starts(&[100]), []);
        assert_eq!(starts(&[100, 75]), [(75, 75)]);
        assert_eq!(starts(&[100, 75, 50, 25, 0]), [(75, 75), (25, 75)]);
    }
}
