//! Scoring a finished film against its source, paired by frame index.

use crate::error::{ExportError, RequestError};
use crate::index::units::{Found, UnitFinder, shortest_scene};
use crate::job::request::ScoreAt;
use crate::job::source::{SourcePart, look_at};
use crate::objects::ObjectStore;
use crate::scorers::Resizer;
use crate::stop::StopFlag;
use retake_compression::scene::SmallPicture;
use retake_compression::units::{FrameRange, UnitRule};
use retake_libav::{
    FilmInfo, FilmRange, Finding, FrameReader, PictureFilters, ReaderOptions, SampleReader, VideoTrack,
};
use retake_media::PixelFormat;
use retake_quality::{MetricKind, Pooling, Scorer, ScorerSettings};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// What has to be told of the source: damage, and frames that were converted.
    pub reference_findings: Vec<Finding>,
    /// The same of the film.
    pub film_findings: Vec<Finding>,
    /// What was measured of each frame, for reports. Left out of the form in which scores are written.
    #[serde(skip)]
    pub detail: MeasuredFrames,
}

/// What a measurement knows of each frame, in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeasuredFrames {
    /// The score of each.
    pub scores: Vec<f64>,
    /// When each is shown in the reference, in seconds from the first one.
    pub seconds: Vec<f64>,
    /// The bytes of each in the film; empty where its samples cannot be told apart.
    pub bytes: Vec<u64>,
    /// How long all of them last, in seconds.
    pub duration: f64,
    /// Frames in a second, on average.
    pub frame_rate: f64,
    /// Bytes of the film's file; 0 where they are not known.
    pub file_bytes: u64,
}

/// The score of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UnitScore {
    /// Its frames.
    pub range: FrameRange,
    /// Its pooled score.
    pub score: f64,
}

/// The longest unit where nobody says how long, in seconds.
const LONGEST: f64 = 4.0;
/// Frames between two reports of progress.
const EVERY: u64 = 16;

/// Scores a film against its source, frame by frame, and by units that are cut at the scene changes of the
/// source.
pub struct Measurement {
    reference: PathBuf,
    film: PathBuf,
    part: SourcePart,
    score_at: ScoreAt,
    metric: MetricKind,
    pool: Pooling,
    longest: f64,
    references: bool,
    objects: Option<Arc<dyn ObjectStore>>,
    stop: StopFlag,
}

impl Measurement {
    /// Of `film` against `reference`, by the default metric of this build, with the mean of each unit.
    pub fn new(reference: impl Into<PathBuf>, film: impl Into<PathBuf>) -> Self {
        Self {
            reference: reference.into(),
            film: film.into(),
            part: SourcePart::default(),
            score_at: ScoreAt::Output,
            metric: retake_quality::default_metric(),
            pool: Pooling::Mean,
            longest: LONGEST,
            references: false,
            objects: None,
            stop: StopFlag::new(),
        }
    }

    /// Against a part of the reference, as [`ExportBuilder::time_range`](crate::ExportBuilder::time_range)
    /// cuts it. Default: all of it.
    #[doc(alias = "timeRange")]
    #[must_use]
    pub fn time_range(mut self, range: impl Into<FilmRange>) -> Self {
        self.part.range = Some(range.into());
        self
    }

    /// Against the reference as filters make it. Default: as it is.
    #[must_use]
    pub fn filters(mut self, filters: PictureFilters) -> Self {
        self.part.filters = filters;
        self
    }

    /// At which size the two are compared. With [`ScoreAt::Source`] the reference is not scaled, whatever the
    /// filters say, and a film of another size is scaled to that of the reference. Default:
    /// [`ScoreAt::Output`], which takes films of one size alone.
    #[must_use]
    pub fn score_at(mut self, size: ScoreAt) -> Self {
        self.score_at = size;
        self
    }

    /// Against this track of video of the reference, by its number in the file. Default: the main one.
    #[must_use]
    pub fn video_track(mut self, number: Option<u32>) -> Self {
        self.part.video = number;
        self
    }

    /// By another metric.
    #[must_use]
    pub fn metric(mut self, metric: MetricKind) -> Self {
        self.metric = metric;
        self
    }

    /// How the frames of a unit become one score. Default: their mean.
    #[must_use]
    pub fn pool(mut self, pool: Pooling) -> Self {
        self.pool = pool;
        self
    }

    /// The longest unit, in seconds; at least a frame. Default: 4.
    #[must_use]
    pub fn longest_unit(mut self, seconds: f64) -> Self {
        self.longest = seconds;
        self
    }

    /// Whether the two may be playlists that name other files of this machine. Default: no.
    #[must_use]
    pub fn allow_references(mut self, allowed: bool) -> Self {
        self.references = allowed;
        self
    }

    /// What opens films that are objects of a store. Default: none, and their addresses are refused.
    #[must_use]
    pub fn objects(mut self, objects: Arc<dyn ObjectStore>) -> Self {
        self.objects = Some(objects);
        self
    }

    /// A flag that ends the measurement when it is raised.
    #[must_use]
    pub fn stop(mut self, stop: &StopFlag) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Measures, on this thread. `progress` is told how many frames were compared so far.
    ///
    /// # Errors
    /// [`RequestError::SizesDiffer`], [`RequestError::ShapesDiffer`] and [`RequestError::LengthsDiffer`] in
    /// [`ExportError::Request`] when the two do not match; [`ExportError::Stopped`] when the flag was raised;
    /// those of opening, decoding and scoring.
    pub fn run(&self, progress: impl Fn(u64)) -> Result<FilmScore, ExportError> {
        let access = self.stop.access(self.references, self.objects.as_ref());
        let mut part = self.part.clone();
        if self.score_at == ScoreAt::Source {
            part.filters.scale = None;
        }
        let source = look_at(&self.reference, &part, &access, &self.stop)?;
        let other = look_at(&self.film, &SourcePart::default(), &access, &self.stop)?;
        self.check_sizes(&source, &other)?;
        let (a, b) = (&source.video, &other.video);
        // compared in the film's own depth and chroma: that is how its takes were scored
        let chroma = a.format.chroma_subsampling().min(b.format.chroma_subsampling());
        let depth = a.format.bit_depth().min(b.format.bit_depth());
        let format = PixelFormat::planar(chroma, depth).unwrap_or(b.format);
        let options = ReaderOptions { format, threads: 1 };
        let rate = a.frame_rate.to_f64();
        let settings = ScorerSettings {
            colour: a.colour,
            ..ScorerSettings::new(self.metric, a.width, a.height, format, rate)
        };
        let mut scorer = Scorer::new(&settings).map_err(RequestError::Metric)?;
        let mut resizer = Resizer::new((settings.width, settings.height), settings.colour);
        let (mut references, mut films) =
            (FrameReader::open(&source, options)?, FrameReader::open(&other, options)?);
        let longest = ((self.longest * rate).round() as u64).max(1);
        // every scene is seen to its end before it is cut
        let rule = UnitRule { longest, window: u64::MAX };
        let mut finder = UnitFinder::new(a.time_base, rule, 0, shortest_scene(rate));
        let mut units = Vec::new();
        let mut frames = 0u64;
        let (mut shown, mut last) = (Vec::new(), 0);
        loop {
            self.stop.check()?;
            let (reference, film) = (references.next()?, films.next()?);
            if let Some(frame) = &reference {
                finder.push(frame.index, frame.pts, &SmallPicture::of(&frame.picture));
                shown.push(a.time(frame.pts).seconds());
                last = frame.duration;
            }
            while let Some(found) = finder.next(reference.is_none()) {
                units.extend(units_of(found));
            }
            match (reference, film) {
                (Some(a), Some(b)) => {
                    let range = FrameRange::new(frames, frames + 1);
                    let scored = resizer.resized(&b.picture).and_then(|film| scorer.push(&a.picture, &film));
                    scored.map_err(|source| ExportError::Quality { range, source })?;
                    frames += 1;
                    if frames.is_multiple_of(EVERY) {
                        progress(frames);
                    }
                }
                (None, None) => break,
                (a, _) => return Err(self.lengths_differ(a.is_none(), frames).into()),
            }
        }
        units.extend(units_of(finder.end(frames)));
        let range = FrameRange::new(0, frames);
        let scores = scorer.finish().map_err(|source| ExportError::Quality { range, source })?;
        let scores = scores.complete().ok_or_else(|| ExportError::Internal("frames were left out".into()))?;
        let first = shown.first().copied().unwrap_or(0.0);
        shown.iter_mut().for_each(|seconds| *seconds -= first);
        let last = if last > 0 { a.time(last).seconds() } else { 1.0 / rate };
        let detail = MeasuredFrames {
            duration: shown.last().map_or(0.0, |shown| shown + last),
            seconds: shown,
            bytes: sample_sizes(&other, frames).unwrap_or_default(),
            frame_rate: rate,
            file_bytes: other.file_size,
            scores: Vec::new(),
        };
        let unit = |range: FrameRange| {
            let score = self.pool.pool(&scores[range.start as usize..range.end as usize]);
            UnitScore { range, score }
        };
        Ok(FilmScore {
            metric: self.metric.name().to_owned(),
            pool: self.pool.name().to_owned(),
            frames,
            mean: Pooling::Mean.pool(&scores),
            p5: Pooling::P5.pool(&scores),
            min: Pooling::Min.pool(&scores),
            units: units.into_iter().map(unit).collect(),
            reference_findings: references.findings(),
            film_findings: films.findings(),
            detail: MeasuredFrames { scores, ..detail },
        })
    }

    fn check_sizes(&self, source: &FilmInfo, other: &FilmInfo) -> Result<(), RequestError> {
        let sizes = [source, other].map(|film| (film.video.width, film.video.height));
        if sizes[0] == sizes[1] {
            return Ok(());
        }
        let (reference, film) = (self.reference.clone(), self.film.clone());
        match self.score_at {
            ScoreAt::Output => Err(RequestError::SizesDiffer { reference, film, sizes }),
            ScoreAt::Source if have_one_shape(&source.video, &other.video) => Ok(()),
            ScoreAt::Source => Err(RequestError::ShapesDiffer { reference, film, sizes }),
        }
    }

    fn lengths_differ(&self, reference_is_shorter: bool, frames: u64) -> RequestError {
        let (reference, film) = (self.reference.clone(), self.film.clone());
        let (shorter, longer) = if reference_is_shorter { (reference, film) } else { (film, reference) };
        RequestError::LengthsDiffer { shorter, longer, frames }
    }
}

/// Whether two films are shown in the same shape, to what rounding to even numbers changes of it.
fn have_one_shape(source: &VideoTrack, film: &VideoTrack) -> bool {
    let pixel = |video: &VideoTrack| video.pixel_aspect_ratio.to_f64();
    let shape = |width: f64, height: f64, video: &VideoTrack| width * pixel(video) / height;
    let (width, height) = (f64::from(film.width), f64::from(film.height));
    let wanted = shape(f64::from(source.width), f64::from(source.height), source);
    shape(width - 2.0, height + 2.0, film) <= wanted && wanted <= shape(width + 2.0, height - 2.0, film)
}

/// Returns the bytes of each sample of a film's video in the order in which they are shown; `None` where
/// there is not one for each frame.
fn sample_sizes(film: &FilmInfo, frames: u64) -> Option<Vec<u64>> {
    let mut samples = SampleReader::open(film).ok()?;
    let mut sizes = Vec::new();
    while let Some(sample) = samples.next().ok()? {
        sizes.push((sample.pts, sample.data.len() as u64));
    }
    sizes.sort_by_key(|(shown, _)| *shown);
    (sizes.len() as u64 == frames).then(|| sizes.into_iter().map(|(_, size)| size).collect())
}

fn units_of(found: Found) -> Vec<FrameRange> {
    match found {
        Found::SceneEnd { units, .. } => units,
        Found::GoesOn { unit, .. } => unit.into_iter().collect(),
    }
}
