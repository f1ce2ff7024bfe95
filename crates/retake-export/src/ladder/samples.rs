//! Encodes samples of a film in several sizes and qualities, and scores each as a viewer sees it: scaled back
//! to the size of the source, against the source.

use super::hull::Probed;
use crate::clock::LibraryThreads;
use crate::error::{ExportError, RequestError};
use crate::job::ladder::LadderError;
use crate::job::plan::{cores, unit_rule};
use crate::job::request::{Goal, Request};
use crate::job::settings::{self, make_acceptable};
use crate::job::source::{frames, reader_options, seconds};
use crate::scorers::{Resizer, STRIDE, TakeScorer};
use crate::stop::StopFlag;
use crate::take::encode::run_error;
use retake_compression::encode_run::{EncodeRun, RunEvent};
use retake_compression::encoder::{Controls, EncoderSettings, FrameOptions, RateControl};
use retake_compression::planner::curve::{Family, Point};
use retake_compression::units::FrameRange;
use retake_libav::{FilmInfo, FrameReader, Scale};
use retake_media::{PixelBuffer, Time};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Rows that other variants than that of the source's size may have.
const SIZES: [u32; 11] = [2160, 1440, 1080, 720, 540, 432, 360, 288, 216, 144, 108];
/// The least and the most rows, as a part of the source's.
const PARTS: [f64; 2] = [0.24, 0.85];
/// The scores that probes aim at, above the floor, in what matters on the metric's scale: qualities lie
/// around all rungs that are useful. How films usually answer is known; where one does not, its curve has
/// other points.
const AIMS: [f64; 4] = [1.5, -7.0, -17.0, -30.0];
/// How often a finer quality is tried where the source's own size misses the floor.
const MOST_FINER: usize = 2;
/// Frames in a sample: at most, and at least where pictures are large.
const FRAMES: [u64; 2] = [24, 12];
/// The memory that all samples together may take, in the source's size, where there are more than the least.
/// It does not follow the machine, because rungs must not.
const MEMORY: u64 = 1 << 30;
/// Samples of the film: at least and at most so many, and so large a part of it in between. A frame of a
/// sample took about one and a half times the CPU that a frame takes in a whole ladder.
const SAMPLES: [u64; 2] = [2, 8];
const SHARE: f64 = 0.015;

/// One size of the film, as a variant of it would be encoded.
struct Size {
    rows: u32,
    settings: EncoderSettings,
}

/// What is asked of one encode, and where its outcome goes.
#[derive(Debug, Clone, Copy)]
struct Probe {
    size: usize,
    quality: f64,
}

/// What came of one encode of one sample.
#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    /// Bytes of the first sample, and those of all others for each frame.
    sync: f64,
    rest: f64,
    score: f64,
}

/// Probes a film. `film` is as the largest variant is read, `bare` without any filter.
pub(super) fn probe(
    request: &Request,
    film: &FilmInfo,
    bare: &FilmInfo,
    stop: &StopFlag,
) -> Result<Vec<Probed>, ExportError> {
    let info = request.encoder.info();
    if !info.reconstructs {
        return Err(RequestError::from(LadderError::NoPictures { encoder: info.name }).into());
    }
    let Goal::Floor { floor, .. } = request.target().goal() else {
        return Err(RequestError::from(LadderError::AutoWants).into());
    };
    let sizes = sizes(request, film, bare, stop)?;
    let family = Family::of(info.name, request.metric.name(), info.quality);
    let unit = request.metric.unit();
    let samples = samples(film, &sizes[0].settings, stop)?;
    let longest = unit_rule(film, request.target().goal(), true).longest;
    let work = Work { request, samples: &samples, sizes: &sizes, unit: longest as f64 * 0.7, stop };
    let mut qualities: Vec<f64> =
        AIMS.iter().map(|aim| info.quality.snap(family.usual(floor + aim * unit))).collect();
    qualities.dedup();
    let every = |size| qualities.iter().map(move |&quality| Probe { size, quality });
    let probes: Vec<Probe> = (0..sizes.len()).flat_map(every).collect();
    let mut found = work.run(&probes)?;
    let mut points: Vec<Point> = Vec::new();
    for (probe, probed) in probes.iter().zip(&found).filter(|(probe, _)| probe.size == 0) {
        points.push(Point { quality: probe.quality, score: probed.worst, error: 0.0, ceiling: None });
    }
    for _ in 0..MOST_FINER {
        let quality = info.quality.snap(family.quality_for(floor + unit, &points));
        let known = points.iter().any(|point| (point.quality - quality).abs() < info.quality.step);
        if known || points.iter().any(|point| point.score >= floor) {
            break;
        }
        let finer = work.run(&[Probe { size: 0, quality }])?;
        points.extend(finer.iter().map(|probed| Point {
            quality,
            score: probed.worst,
            error: 0.0,
            ceiling: None,
        }));
        found.extend(finer);
    }
    Ok(found)
}

/// The sizes, that of the source first.
fn sizes(
    request: &Request,
    film: &FilmInfo,
    bare: &FilmInfo,
    stop: &StopFlag,
) -> Result<Vec<Size>, ExportError> {
    let rows = film.video.height;
    let [least, most] = PARTS.map(|part| part * f64::from(rows));
    let smaller = SIZES.into_iter().filter(|&size| (least..=most).contains(&f64::from(size)));
    std::iter::once(rows)
        .chain(smaller)
        .map(|size| {
            let mut sized = request.clone();
            sized.filters.scale = (size < rows).then_some(Scale::Height(size));
            let film = bare.clone().with_filters(&sized.filters, &|| stop.is_raised())?;
            let mut notes = Vec::new();
            let settings = settings::settings(&sized, &film, &mut notes)?;
            let settings = EncoderSettings {
                limit: None,
                reconstruct: true,
                controls: Controls { first_pass: None, ..settings.controls },
                ..settings
            };
            let settings = make_acceptable(&*request.encoder, settings, &mut notes)?;
            Ok(Size { rows: size, settings })
        })
        .collect()
}

/// Pictures of samples that lie in the middle of as many equal parts of the film, in the source's size.
fn samples(
    film: &FilmInfo,
    settings: &EncoderSettings,
    stop: &StopFlag,
) -> Result<Vec<Vec<PixelBuffer>>, ExportError> {
    let (whole, seconds) = (frames(film).max(1), seconds(film)?);
    let (width, height) = (settings.width, settings.height);
    let fit = MEMORY / settings.format.picture_bytes(width, height).max(1);
    let length = (fit / SAMPLES[1]).clamp(FRAMES[1], FRAMES[0]).min(whole.div_ceil(2));
    let most = (fit / length).clamp(SAMPLES[0], SAMPLES[1]);
    let count = ((whole as f64 * SHARE / length as f64) as u64).clamp(SAMPLES[0], most);
    let rate = film.video.frame_rate.to_f64().clamp(1.0, 1000.0);
    let mut samples = Vec::new();
    for number in 0..count {
        let middle = seconds * (number as f64 + 0.5) / count as f64;
        let start = (middle - length as f64 / rate / 2.0).max(0.0);
        let start = film.start + Time::from_seconds(start, 90_000);
        let mut reader = FrameReader::open_at(film, reader_options(film, settings.format), start)?;
        let mut pictures = Vec::new();
        while (pictures.len() as u64) < length
            && let Some(frame) = reader.next()?
        {
            stop.check()?;
            pictures.push(frame.picture.cropped(width, height));
        }
        if !pictures.is_empty() {
            samples.push(pictures);
        }
    }
    match samples.is_empty() {
        true => Err(ExportError::Internal("no sample of the film has a frame".into())),
        false => Ok(samples),
    }
}

/// What all probes of a film share.
struct Work<'a> {
    request: &'a Request,
    samples: &'a [Vec<PixelBuffer>],
    sizes: &'a [Size],
    /// Frames of a unit, which begins with one sync sample as a sample of the film does.
    unit: f64,
    stop: &'a StopFlag,
}

impl Work<'_> {
    /// Encodes all samples for each of the probes, as many at once as takes would be. What comes out does not
    /// depend on that.
    fn run(&self, probes: &[Probe]) -> Result<Vec<Probed>, ExportError> {
        let threads = u64::from(self.request.jobs.unwrap_or(u32::MAX)).min(cores()).max(1);
        let count = probes.len() * self.samples.len();
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(vec![None; count]);
        let work = || -> Result<(), ExportError> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                let (probe, sample) = (probes[number % probes.len()], number / probes.len());
                let outcome = self.encode(probe, sample);
                if outcome.is_err() {
                    // the others have no more to do
                    next.store(count, Ordering::Relaxed);
                }
                // a list is sound whatever a panicking holder was doing
                outcomes.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(outcome?);
            }
        };
        std::thread::scope(|scope| {
            let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let ended = started.into_iter().map(|thread| {
                let died = |_| Err(ExportError::Internal("a probe of the ladder panicked".into()));
                thread.join().unwrap_or_else(died)
            });
            ended.collect::<Vec<_>>().into_iter().collect::<Result<(), ExportError>>()
        })?;
        let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let of = |number: usize| -> Vec<Outcome> {
            outcomes.iter().skip(number).step_by(probes.len()).flatten().copied().collect()
        };
        Ok(probes.iter().enumerate().map(|(number, probe)| self.probed(probe.size, &of(number))).collect())
    }

    fn probed(&self, size: usize, outcomes: &[Outcome]) -> Probed {
        let Size { rows, settings } = &self.sizes[size];
        let mean = |of: &dyn Fn(&Outcome) -> f64| {
            outcomes.iter().map(of).sum::<f64>() / outcomes.len().max(1) as f64
        };
        let bytes = mean(&|one| (one.sync + one.rest * (self.unit - 1.0).max(0.0)) / self.unit.max(1.0));
        Probed {
            rows: *rows,
            rate: (bytes * 8.0 * settings.frame_rate.to_f64()).max(1.0),
            score: mean(&|one| one.score),
            worst: outcomes.iter().map(|one| one.score).fold(f64::INFINITY, f64::min),
        }
    }

    fn encode(&self, probe: Probe, sample: usize) -> Result<Outcome, ExportError> {
        let sources = &self.samples[sample];
        let range = FrameRange::new(0, sources.len() as u64);
        let settings = EncoderSettings {
            rate: RateControl::Quality(probe.quality),
            ..self.sizes[probe.size].settings.clone()
        };
        let fail = |source| ExportError::Encoder { range, source };
        let full = &self.sizes[0].settings;
        let size = Some((full.width, full.height));
        let scorer = TakeScorer::open(full, size, self.request.metric, self.request.pool, STRIDE);
        let scorer = scorer.map_err(RequestError::Metric)?;
        let mut library = LibraryThreads::default();
        let run = library.during(|| EncodeRun::open(&*self.request.encoder, &settings)).map_err(fail)?;
        let mut run = run.scored(scorer);
        let mut resizer = Resizer::new((settings.width, settings.height), settings.colour);
        let (mut sizes, mut score) = (Vec::new(), None);
        let mut hear = |event| -> Result<(), ExportError> {
            match event {
                RunEvent::Sample(frame) => sizes.push(frame.sample.data.len() as f64),
                RunEvent::Score { score: whole, .. } => {
                    let whole = whole.map_err(|source| ExportError::Quality { range, source })?;
                    score = Some(whole.value);
                }
                _ => {}
            }
            self.stop.check()
        };
        let rate = settings.frame_rate.to_f64().clamp(1.0, 1000.0);
        for (number, source) in sources.iter().enumerate() {
            self.stop.check()?;
            let resized = resizer.resized(source);
            let picture = resized.map_err(|source| ExportError::Quality { range, source })?;
            let pts = Time::from_seconds(number as f64 / rate, 90_000);
            let options = FrameOptions { force_key_frame: number == 0, ..FrameOptions::default() };
            run.push_scored_by(&picture, source, pts, Time::INVALID, options).map_err(fail)?;
            while let Some(event) = run.next().map_err(|error| run_error(error, range))? {
                hear(event)?;
            }
        }
        run.finish().map_err(fail)?;
        while let Some(event) = run.next().map_err(|error| run_error(error, range))? {
            hear(event)?;
        }
        let score = score.ok_or_else(|| ExportError::Internal("a probe has no score".into()))?;
        let (sync, others) =
            sizes.split_first().map_or((0.0, 0.0), |(first, rest)| (*first, rest.iter().sum()));
        Ok(Outcome { sync, rest: others / (sizes.len() as f64 - 1.0).max(1.0), score })
    }
}
