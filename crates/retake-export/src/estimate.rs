//! How large a film will be: from its target, from samples of it that are encoded before the export starts,
//! and from its takes while it runs.

use crate::error::{ExportError, RequestError};
use crate::event::Event;
use crate::index::{MemoryPermits, ScoutedFrame};
use crate::job::identity::RequestIdentity;
use crate::job::ladder::LadderError;
use crate::job::plan::bytes_at;
use crate::job::properties;
use crate::job::request::{Goal, Request};
use crate::job::source::{frames, other_bytes, other_bytes_doubt, seconds};
use crate::job::{Began, Job};
use crate::stop::StopFlag;
use crate::take::encode::{TakeTools, encode_take};
use crate::take::identity::{OpenTake, first_take, retake};
use crate::take::source::FrameSource;
use crate::take::store::TakeStore;
use crate::worker::RunOn;
use crossbeam_channel::unbounded;
use retake_compression::planner::Objective;
use retake_compression::planner::curve::Point;
use retake_compression::planner::floor::retake_aim;
use retake_compression::units::FrameRange;
use retake_libav::{Frame, FrameReader, MediaError, is_pipe};
use retake_media::Time;
use std::collections::BTreeMap;

/// How long a sample of the film is, in seconds, and how many there are at most.
const SAMPLE: f64 = 2.0;
const MOST_SAMPLES: u64 = 8;
/// How often a sample is encoded again to come to a floor.
const MOST_RETAKES: u32 = 2;
/// Takes say nothing of the film before there are so many.
const FEWEST_TAKES: usize = 3;
/// How near exports come to a rate.
const RATE: f64 = 0.005;
/// How far a film may be beside what its samples say for reasons that do not show in their spread: units of
/// another length, and qualities that a planner chooses later.
const BESIDE: f64 = 0.08;
/// An interval of so many standard errors holds the value 19 times in 20.
const ERRORS: f64 = 2.0;

/// How long the file of an export will be, in bytes, and what that is based on.
#[doc(alias = "estimatedOutputFileLength")]
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LengthEstimate {
    /// The most likely length: video, other tracks and container.
    pub bytes: u64,
    /// The length is expected to be in this interval, bounds included: 19 times in 20, as far as what is
    /// known speaks for the rest of the film.
    pub least: u64,
    /// The upper bound of the interval.
    pub most: u64,
    /// The length of the film in seconds, as far as its container tells.
    pub seconds: f64,
    /// What the numbers are based on.
    pub basis: EstimateBasis,
}

/// What an estimate is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EstimateBasis {
    /// The target states a rate or a size, which the export meets.
    Target,
    /// Samples of the film were encoded.
    Samples {
        /// Frames in them.
        frames: u64,
    },
    /// Takes of the export are finished.
    Takes {
        /// Frames in them.
        frames: u64,
        /// Frames of the film, as far as its container tells.
        of: u64,
    },
    /// The film is finished.
    Film,
}

/// What an estimate is made of.
#[derive(Debug, Clone, Copy)]
struct Parts {
    goal: Goal,
    frames: u64,
    seconds: f64,
    /// Bytes beside the video, and how far they may be off.
    others: u64,
    doubt: u64,
}

impl Parts {
    /// The estimate that the target alone gives.
    fn by_target(self) -> Option<LengthEstimate> {
        let bounds = |bytes: u64, least: f64, most: f64| LengthEstimate {
            bytes,
            least: (bytes as f64 * least) as u64,
            most: (bytes as f64 * most) as u64,
            seconds: self.seconds,
            basis: EstimateBasis::Target,
        };
        match self.goal {
            Goal::BitRate(rate) => {
                let bytes = bytes_at(rate, self.seconds).saturating_add(self.others);
                Some(bounds(bytes, 1.0 - RATE, 1.0 + RATE))
            }
            // never more
            Goal::Size(size) => Some(bounds(size, 1.0 - RATE, 1.0)),
            Goal::Floor { .. } | Goal::Plain(_) => None,
        }
    }

    /// The estimate by pieces of the video: bytes and frames of each. `beside` is what their spread does not
    /// show.
    fn by_pieces(self, pieces: &[(f64, u64)], beside: f64, basis: EstimateBasis) -> Option<LengthEstimate> {
        let (bytes, known) = pieces.iter().fold((0.0, 0), |sum, piece| (sum.0 + piece.0, sum.1 + piece.1));
        if known == 0 {
            return None;
        }
        let (count, frames) = (pieces.len() as f64, self.frames.max(known) as f64);
        let each = bytes / known as f64;
        let rest = frames - known as f64;
        // the variance of a piece about the line through the origin, and that of as many as are still missing
        let squares: f64 = pieces.iter().map(|piece| (piece.0 - each * piece.1 as f64).powi(2)).sum();
        let missing = rest / (known as f64 / count);
        let variance = squares / (count - 1.0).max(1.0) * missing * (1.0 + missing / count);
        let video = bytes + each * rest;
        let off = ERRORS * variance.sqrt() + beside * video;
        let whole = |video: f64| (video.max(0.0) as u64).saturating_add(self.others);
        let least = whole((video - off).max(bytes * (1.0 - beside)));
        Some(LengthEstimate {
            bytes: whole(video),
            least: least.saturating_sub(self.doubt),
            most: whole(video + off).saturating_add(self.doubt),
            seconds: self.seconds,
            basis,
        })
    }
}

/// Estimates before the export starts. Where the target does not say it, samples of the film are encoded as
/// the export would encode their units.
pub(crate) fn estimate(request: &Request, stop: &StopFlag) -> Result<LengthEstimate, ExportError> {
    if is_pipe(&request.input)? {
        // what is read of it would be missing in the export
        return Err(MediaError::NotSeekable { file: request.input.clone() }.into());
    }
    let folder = tempfile::Builder::new().prefix("retake-estimate-").tempdir();
    let folder = folder.map_err(ExportError::file(std::env::temp_dir(), "making a temporary folder"))?;
    let mut request = properties::resolve(request)?;
    if request.has_ladder() {
        let what = "an estimate of the length";
        return Err(RequestError::from(LadderError::OneVariant { what }).into());
    }
    request.work_dir = Some(folder.path().join("job"));
    // samples are encoded here, and what machines share for the export is none of theirs
    request.run_on = RunOn::Threads;
    let identity = RequestIdentity::of(&request);
    let stopped = |error| if stop.is_raised() { ExportError::Stopped } else { error };
    let job = Job::prepare(&request, identity, Began::now(), stop).map_err(stopped)?;
    let parts = Parts {
        goal: request.target().goal(),
        frames: frames(&job.source),
        seconds: seconds(&job.source)?,
        others: other_bytes(&job.others, &job.sound),
        doubt: other_bytes_doubt(frames(&job.source)),
    };
    match parts.by_target() {
        Some(estimate) => Ok(estimate),
        None => by_samples(&job, parts, stop).map_err(stopped),
    }
}

fn by_samples(job: &Job, parts: Parts, stop: &StopFlag) -> Result<LengthEstimate, ExportError> {
    let rate = job.source.video.frame_rate.to_f64().clamp(1.0, 1000.0);
    let length = ((SAMPLE * rate).round() as u64).clamp(1, job.description.rule.longest.max(1));
    let count = parts.frames.div_ceil(length).clamp(1, MOST_SAMPLES);
    let store = TakeStore::open(job.folder.takes()?)?;
    let tools = TakeTools {
        factory: job.request.encoder.clone(),
        store: store.clone(),
        time_base: job.source.video.time_base,
        stop: stop.clone(),
    };
    let mut pieces = Vec::new();
    let mut encoded = 0;
    for number in 0..count {
        stop.check()?;
        // in the middle of as many equal parts of the film
        let middle = parts.seconds * (number as f64 + 0.5) / count as f64;
        let start = (middle - length as f64 / rate / 2.0).max(0.0);
        let start = job.source.start + Time::from_seconds(start, 90_000);
        let mut reader = FrameReader::open_at(&job.source, job.reader, start)?;
        let permits = MemoryPermits::new(length as usize + 1);
        let first = number * length;
        let mut frames: Vec<Frame> = Vec::new();
        while (frames.len() as u64) < length
            && let Some(mut frame) = reader.next()?
        {
            frame.index = first + frames.len() as u64;
            frames.push(frame);
        }
        if frames.is_empty() {
            continue;
        }
        let encode = |take: OpenTake| {
            let (sender, receiver) = unbounded();
            for frame in &frames {
                let _ = sender.send(Some(ScoutedFrame { frame: frame.clone(), permit: permits.take(stop)? }));
            }
            let _ = sender.send(None);
            let (take, file) = encode_take(&tools, take, FrameSource::Scouted(receiver), &|_| ())?;
            store.adopt(file, &take)?;
            Ok::<_, ExportError>(take)
        };
        let range = FrameRange::new(first, first + frames.len() as u64);
        let mut take = encode(OpenTake::from(first_take(job, range, 0.0)))?;
        let mut points = Vec::new();
        // as the export would, where the first take misses what is wanted
        for _ in 0..MOST_RETAKES {
            points.extend(Point::of(&take.trial()));
            let Some(quality) = next_quality(job, &points) else { break };
            take = encode(OpenTake::from(retake(job, range, quality)))?;
        }
        points.extend(Point::of(&take.trial()));
        let frames = range.len();
        let mut samples = store.read(&take.description)?;
        samples.format()?;
        let (mut sync, mut others) = (0.0, 0.0);
        while let Some(sample) = samples.next()? {
            let bytes = if sample.is_sync() { &mut sync } else { &mut others };
            *bytes += sample.data.len() as f64;
        }
        // a unit begins with one sync sample, too, and is longer than a sample of the film
        let unit = (job.description.rule.longest as f64 * 0.7).max(frames as f64);
        let rest = others / (frames as f64 - 1.0).max(1.0);
        let video = (sync + rest * (unit - 1.0)) / unit * frames as f64;
        pieces.push((video * left_over(job, &points), frames));
        encoded += frames;
    }
    let basis = EstimateBasis::Samples { frames: encoded };
    let none = || ExportError::Internal("no sample of the film has a frame".into());
    parts.by_pieces(&pieces, BESIDE, basis).ok_or_else(none)
}

/// The quality with which a take is encoded again to come nearer to a floor; none where it is near enough, or
/// nothing asks for more.
fn next_quality(job: &Job, points: &[Point]) -> Option<f64> {
    let Objective::Floor { floor, tolerance } = job.description.objective else { return None };
    let last = points.last()?;
    if !job.request.multi_pass || (floor..=floor + tolerance).contains(&last.score) {
        return None;
    }
    let scale = job.request.encoder.info().quality;
    let quality = scale.snap(job.family.quality_for(retake_aim(floor, tolerance), points));
    points.iter().all(|point| (point.quality - quality).abs() >= scale.step).then_some(quality)
}

/// The factor by which the bytes of the last take would change where it still misses the floor.
fn left_over(job: &Job, points: &[Point]) -> f64 {
    match (next_quality(job, points), points.last()) {
        (Some(quality), Some(last)) => job.family.bytes_factor(quality - last.quality),
        _ => 1.0,
    }
}

/// What is known of the length while an export runs, by what it tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Estimator {
    /// An estimate that was made before.
    before: Option<LengthEstimate>,
    parts: Option<Parts>,
    /// The newest take of each unit, by its first frame: frames and bytes.
    takes: BTreeMap<u64, (u64, u64)>,
    /// Seconds and bytes of the finished film.
    film: Option<(f64, u64)>,
}

impl Estimator {
    pub(crate) fn learn(&mut self, estimate: LengthEstimate) {
        self.before = Some(estimate);
    }

    pub(crate) fn hear(&mut self, event: &Event, goal: Goal) {
        match event {
            Event::Started { frames, seconds, other_bytes, .. } => {
                let (frames, seconds) = (frames.unwrap_or(0), seconds.unwrap_or(0.0));
                let doubt = other_bytes_doubt(frames);
                self.parts = Some(Parts { goal, frames, seconds, others: *other_bytes, doubt });
            }
            Event::TakeFinished { range, bytes, .. } => {
                self.takes.insert(range.start, (range.len(), *bytes));
            }
            Event::Finished(summary) => self.film = Some((summary.seconds, summary.file_bytes)),
            _ => {}
        }
    }

    /// The best that can be said now.
    pub(crate) fn value(&self) -> Option<LengthEstimate> {
        if let Some((seconds, bytes)) = self.film {
            let basis = EstimateBasis::Film;
            return Some(LengthEstimate { bytes, least: bytes, most: bytes, seconds, basis });
        }
        let Some(parts) = self.parts else { return self.before };
        let by_takes = || {
            let pieces: Vec<(f64, u64)> =
                self.takes.values().map(|&(frames, bytes)| (bytes as f64, frames)).collect();
            let known: u64 = pieces.iter().map(|piece| piece.1).sum();
            let enough = pieces.len() >= FEWEST_TAKES || (known > 0 && known >= parts.frames);
            let basis = EstimateBasis::Takes { frames: known, of: parts.frames.max(known) };
            // takes of a plain pass are the film's; others may be made again
            let beside = if matches!(parts.goal, Goal::Plain(_)) { 0.01 } else { BESIDE };
            enough.then(|| parts.by_pieces(&pieces, beside, basis)).flatten()
        };
        parts.by_target().filter(|estimate| estimate.bytes > 0).or_else(by_takes).or(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(goal: Goal, frames: u64) -> Parts {
        Parts { goal, frames, seconds: frames as f64 / 25.0, others: 1000, doubt: 0 }
    }

    #[test]
    fn a_rate_or_a_size_says_what_the_file_will_be() {
        let rate = parts(Goal::BitRate(800_000), 250).by_target().unwrap();
        assert_eq!((rate.bytes, rate.basis), (1_001_000, EstimateBasis::Target));
        assert!((rate.least..=rate.most).contains(&1_000_000));
        let size = parts(Goal::Size(500), 250).by_target().unwrap();
        assert_eq!((size.bytes, size.most), (500, 500));
        assert!(parts(Goal::Plain(None), 250).by_target().is_none());
    }

    /// Pieces of equal weight leave little doubt, others more; the whole film leaves none but what may
    /// change.
    #[test]
    fn the_interval_follows_the_spread() {
        let by = |pieces: &[(f64, u64)]| {
            parts(Goal::Plain(None), 1000).by_pieces(pieces, 0.0, EstimateBasis::Film).unwrap()
        };
        let even = by(&[(500.0, 50), (500.0, 50), (500.0, 50)]);
        assert_eq!((even.bytes, even.least, even.most), (11_000, 11_000, 11_000));
        let uneven = by(&[(100.0, 50), (500.0, 50), (900.0, 50)]);
        assert_eq!(uneven.bytes, 11_000);
        assert!(uneven.least < 9000 && uneven.most > 13_000 && uneven.least >= 2500, "{uneven:?}");
        let whole = by(&[(100.0, 400), (900.0, 600)]);
        assert_eq!((whole.bytes, whole.least, whole.most), (2000, 2000, 2000));
        assert!(parts(Goal::Plain(None), 10).by_pieces(&[], 0.0, EstimateBasis::Film).is_none());
    }
}
