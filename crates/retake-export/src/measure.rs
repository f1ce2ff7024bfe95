//! Scoring a finished film against its source, paired by frame index.

use crate::error::ExportError;
use crate::scene::SceneDetector;
use crate::stop::StopFlag;
use retake_compression::units::{FrameRange, UnitCutter, UnitRule};
use retake_libav::{FrameReader, ReaderOptions, probe};
use retake_media::PixelFormat;
use retake_quality::{MetricKind, Pool, Scorer, ScorerSettings};
use serde::Serialize;
use std::path::Path;

/// The scores of a film.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilmScore {
    /// The metric's name.
    pub metric: String,
    /// How the frames of a unit were pooled.
    pub pool: String,
    /// Frames compared.
    pub frames: u64,
    /// The mean over all frames.
    pub mean: f64,
    /// The score below which 5 % of the frames are.
    pub p5: f64,
    /// The worst frame.
    pub min: f64,
    /// Every unit.
    pub units: Vec<UnitScore>,
}

/// The score of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UnitScore {
    /// Its frames.
    pub range: FrameRange,
    /// Its pooled score.
    pub score: f64,
}

/// Scores `film` against `reference`, frame by frame, and by units cut at the scene changes of the reference, at most `longest` seconds long.
///
/// # Errors
/// [`ExportError::Request`] when the two have different sizes or numbers of frames.
pub fn measure(
    reference: &Path,
    film: &Path,
    metric: MetricKind,
    pool: Pool,
    longest: f64,
    stop: &StopFlag,
    progress: &dyn Fn(u64),
) -> Result<FilmScore, ExportError> {
    let (source, other) = (probe(reference)?, probe(film)?);
    let (a, b) = (&source.video, &other.video);
    if (a.width, a.height) != (b.width, b.height) {
        return Err(ExportError::Request(format!(
            "{} is {}×{} and {} is {}×{}: only films of one size can be compared",
            reference.display(),
            a.width,
            a.height,
            film.display(),
            b.width,
            b.height
        )));
    }
    // compared in the film's own depth: that is how its takes were scored
    let format = if b.format == PixelFormat::I420 { PixelFormat::I420 } else { a.format };
    let options = ReaderOptions { format, threads: 1 };
    let rate = a.frame_rate.to_f64();
    let mut scorer = Scorer::new(&ScorerSettings {
        colour: a.colour,
        ..ScorerSettings::new(metric, a.width, a.height, format, rate)
    })
    .map_err(|source| ExportError::Request(source.to_string()))?;
    let (mut references, mut films) =
        (FrameReader::open(&source, options)?, FrameReader::open(&other, options)?);
    let longest = ((longest * rate).round() as u64).max(1);
    let mut cutter = UnitCutter::new(UnitRule { longest, window: u64::MAX }, 0);
    let mut detector = SceneDetector::new(0, (rate / 4.0).floor().max(1.0) as usize);
    let mut units = Vec::new();
    let mut frames = 0u64;
    loop {
        stop.check()?;
        let (reference_frame, film_frame) = (references.next()?, films.next()?);
        if let Some(frame) = &reference_frame {
            detector.push(&frame.picture);
        }
        while let Some(decision) = detector.decide(reference_frame.is_none()) {
            if decision.cut {
                units.extend(cutter.scene_end(decision.frame));
                detector.restart();
            }
        }
        match (reference_frame, film_frame) {
            (Some(a), Some(b)) => {
                let range = FrameRange::new(frames, frames + 1);
                scorer
                    .push(&a.picture, &b.picture)
                    .map_err(|source| ExportError::Quality { range, source })?;
                frames += 1;
                if frames.is_multiple_of(16) {
                    progress(frames);
                }
            }
            (None, None) => break,
            (a, _) => {
                let (shorter, longer) = if a.is_none() { (reference, film) } else { (film, reference) };
                return Err(ExportError::Request(format!(
                    "{} ends after {frames} frames, but {} goes on: frames are paired by index, so both need as many",
                    shorter.display(),
                    longer.display()
                )));
            }
        }
    }
    units.extend(cutter.scene_end(frames));
    let range = FrameRange::new(0, frames);
    let scores = scorer.finish().map_err(|source| ExportError::Quality { range, source })?;
    let scores = scores.complete().ok_or_else(|| ExportError::Internal("frames were left out".into()))?;
    Ok(FilmScore {
        metric: metric.name().to_owned(),
        pool: pool.name().to_owned(),
        frames,
        mean: Pool::Mean.pool(&scores),
        p5: Pool::P5.pool(&scores),
        min: Pool::Min.pool(&scores),
        units: units
            .into_iter()
            .map(|range| UnitScore {
                range,
                score: pool.pool(&scores[range.start as usize..range.end as usize]),
            })
            .collect(),
    })
}
