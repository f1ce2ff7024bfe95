//! The pictures of a report: frames of the source and of the film, decoded again and made small.

use crate::error::ExportError;
use crate::job::identity::{file_identity, file_of};
use crate::job::source::{SourcePart, look_at, reader_options};
use crate::records::Records;
use crate::records::clock::FrameClock;
use crate::stop::StopFlag;
use retake_libav::{FilmInfo, FilmRange, FrameReader, JpegEncoder, PictureFilters};
use retake_media::{PixelBuffer, Time};
use retake_report::{Moment, Picture, Report, Thumbnail};
use std::path::{Path, PathBuf};

/// The most thumbnails, how wide they are, and the most bytes that one takes.
const THUMBNAILS: usize = 24;
const THUMBNAIL_WIDTH: u32 = 160;
const THUMBNAIL_BYTES: usize = 6_000;
/// The most moments that are compared, how wide their pictures are, and the most bytes that one takes: of
/// twenty of these a page has less than a megabyte.
const MOMENTS: usize = 10;
const MOMENT_WIDTH: u32 = 640;
const MOMENT_BYTES: usize = 36_000;
/// Moments are at least so many seconds apart, so that they show ten places and not one.
const APART: f64 = 1.0;

/// A source and a film that was made of it.
#[derive(Debug, Clone)]
pub struct FilmPair {
    source: PathBuf,
    film: PathBuf,
    part: SourcePart,
}

/// Why a report has no pictures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureLoss {
    /// A file is not there any more, or is another one than it was.
    #[error("{path}: it is not there, or not as it was, so that the report has no pictures of it")]
    Gone {
        /// The file, as it was named.
        path: PathBuf,
    },
    /// A film cannot be read.
    #[error("the report has no pictures: {0}")]
    Unreadable(#[from] ExportError),
    /// A picture cannot be encoded.
    #[error("the report has no pictures: {0}")]
    Jpeg(#[from] retake_libav::JpegError),
}

impl FilmPair {
    /// A film, and the source or the part of it that the film was made of.
    pub fn new(source: impl Into<PathBuf>, film: impl Into<PathBuf>, range: Option<FilmRange>) -> Self {
        let part = SourcePart { range, ..SourcePart::default() };
        Self { source: source.into(), film: film.into(), part }
    }

    /// Shows the source as filters make it. Default: as it is.
    #[must_use]
    pub fn filters(mut self, filters: PictureFilters) -> Self {
        self.part.filters = filters;
        self
    }

    /// Shows this track of video of the source, by its number in the file. Default: the main one.
    #[must_use]
    pub fn video_track(mut self, number: Option<u32>) -> Self {
        self.part.video = number;
        self
    }

    /// Finds the source and the film that records tell of: by the names that they were given, or else in the
    /// folder of the records. Both have to be as they were.
    ///
    /// # Errors
    /// [`PictureLoss::Gone`] names the one that is not found.
    pub fn of_records(records: &Records, beside: Option<&Path>) -> Result<Self, PictureLoss> {
        let find = |name: &Path, identity: &str| {
            let moved = beside.zip(name.file_name()).map(|(folder, name)| folder.join(name));
            let places = [Some(name.to_owned()), moved];
            let same = |path: &PathBuf| file_identity(path).is_ok_and(|found| found == identity);
            let found = places.into_iter().flatten().find(same);
            found.ok_or_else(|| PictureLoss::Gone { path: name.to_owned() })
        };
        let source = find(Path::new(&records.source.name), file_of(&records.source.identity))?;
        let film = match (&records.film, &records.summary) {
            (Some(film), Some(summary)) => find(&summary.output, &film.identity)?,
            _ => return Err(PictureLoss::Gone { path: "the film".into() }),
        };
        let range = records.request.range.as_ref();
        let range =
            range.map(|range| FilmRange::new((&range.from).into(), range.to.as_ref().map(Into::into)));
        // with what was found out for them, so that nothing is looked for again
        let filters = records.source.filters.clone();
        Ok(Self {
            source,
            film,
            part: SourcePart { video: records.request.video, range, filters, ..SourcePart::default() },
        })
    }

    /// Adds thumbnails and the worst moments to a report. `scores` are frames with their scores, from which
    /// the moments are chosen; without any, the middle frames of the worst units are taken.
    ///
    /// # Errors
    /// [`PictureLoss`] where there are none; the report is as good without them.
    pub fn add_to(
        &self,
        report: &mut Report,
        scores: Option<&[(u64, f64)]>,
        seconds: impl Fn(u64) -> f64,
        stop: &StopFlag,
    ) -> Result<(), PictureLoss> {
        // The film is our own, or the user's: a playlist of it has to name its segments.
        let access = stop.access(true, None);
        let source = look_at(&self.source, &self.part, &stop.access(false, None), stop)?;
        let film = look_at(&self.film, &SourcePart::default(), &access, stop)?;
        let (mut source, mut film) = (Frames::of(source)?, Frames::of(film)?);
        let mut encoder = JpegEncoder::new();
        let mut picture = |buffer: PixelBuffer, width: u32, bytes: usize| {
            let jpeg = encoder.encode(&buffer, width, bytes)?;
            Ok::<_, PictureLoss>(Picture { jpeg: jpeg.bytes, width: jpeg.width, height: jpeg.height })
        };
        let (mut thumbnails, mut moments) = (Vec::new(), Vec::new());
        for frame in thumbnail_frames(report) {
            let at = seconds(frame);
            if let Some(buffer) = film.at(at, report.frame_rate, stop)? {
                let picture = picture(buffer, THUMBNAIL_WIDTH, THUMBNAIL_BYTES)?;
                thumbnails.push(Thumbnail { frame, seconds: at, picture });
            }
        }
        for (frame, score, of_unit) in worst_moments(report, scores, &seconds) {
            let at = seconds(frame);
            let there = source.at(at, report.frame_rate, stop)?;
            if let (Some(a), Some(b)) = (there, film.at(at, report.frame_rate, stop)?) {
                let (source, encode) =
                    (picture(a, MOMENT_WIDTH, MOMENT_BYTES)?, picture(b, MOMENT_WIDTH, MOMENT_BYTES)?);
                moments.push(Moment { frame, seconds: at, score, of_unit, source, encode });
            }
        }
        (report.thumbnails, report.moments) = (thumbnails, moments);
        Ok(())
    }
}

impl Records {
    /// Adds pictures to a report of these records.
    ///
    /// # Errors
    /// [`PictureLoss`] where there are none; the report is as good without them.
    pub fn add_pictures(
        &self,
        report: &mut Report,
        beside: Option<&Path>,
        stop: &StopFlag,
    ) -> Result<(), PictureLoss> {
        let clock = FrameClock::of(self);
        let pair = FilmPair::of_records(self, beside)?;
        let scores = self.frame_scores();
        let scores: Option<Vec<(u64, f64)>> =
            scores.map(|scores| scores.into_iter().map(|(frame, _, score)| (frame, score)).collect());
        pair.add_to(report, scores.as_deref(), |frame| clock.seconds(frame), stop)
    }
}

/// A film whose frames are asked for by their times from the first one.
struct Frames {
    film: FilmInfo,
    first: Time,
}

impl Frames {
    fn of(film: FilmInfo) -> Result<Self, ExportError> {
        let mut reader = FrameReader::open(&film, reader_options(&film, film.video.format))?;
        let first = reader.next()?.map_or(Time::ZERO, |frame| film.video.time(frame.pts));
        Ok(Self { film, first })
    }

    /// Returns the frame that is shown at a time. It is asked for half a frame early, because the clocks of
    /// two containers round differently.
    fn at(
        &mut self,
        seconds: f64,
        frame_rate: f64,
        stop: &StopFlag,
    ) -> Result<Option<PixelBuffer>, ExportError> {
        const TICKS: i32 = 1_000_000;
        stop.check()?;
        let early = seconds - 0.4 / frame_rate.max(1.0);
        let place = self.first + Time::new((early * f64::from(TICKS)).round() as i64, TICKS);
        let options = reader_options(&self.film, self.film.video.format);
        let mut reader = FrameReader::open_at(&self.film, options, place)?;
        Ok(reader.next()?.map(|frame| self.film.video.attach_to(frame.picture)))
    }
}

/// Chooses frames at the beginnings of scenes, spread over the film: the first scene of each equal part of
/// it, and the beginning of a part in which none begins.
fn thumbnail_frames(report: &Report) -> Vec<u64> {
    let part = report.frames as f64 / THUMBNAILS as f64;
    let mut frames: Vec<u64> = (0..THUMBNAILS)
        .map(|number| {
            let (from, to) = ((number as f64 * part) as u64, ((number + 1) as f64 * part) as u64);
            let scene = report.units.iter().find(|unit| unit.scene && unit.start >= from && unit.start < to);
            scene.map_or(from, |unit| unit.start)
        })
        .filter(|frame| *frame < report.frames)
        .collect();
    frames.dedup();
    frames
}

/// Chooses the worst frames of different units and moments: each with its score, and whether that is the
/// score of its whole unit.
fn worst_moments(
    report: &Report,
    scores: Option<&[(u64, f64)]>,
    seconds: &impl Fn(u64) -> f64,
) -> Vec<(u64, f64, bool)> {
    let mut candidates: Vec<(u64, f64, bool)> = match scores {
        Some(scores) => scores.iter().map(|&(frame, score)| (frame, score, false)).collect(),
        None => report
            .units
            .iter()
            .filter_map(|unit| Some((unit.start + unit.frames() / 2, unit.chosen()?.score?, true)))
            .collect(),
    };
    candidates.retain(|(_, score, _)| score.is_finite());
    candidates.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let unit_of = |frame: u64| report.units.partition_point(|unit| unit.start <= frame);
    let mut moments: Vec<(u64, f64, bool)> = Vec::new();
    for (frame, score, of_unit) in candidates {
        let near = |other: &(u64, f64, bool)| {
            unit_of(other.0) == unit_of(frame) || (seconds(other.0) - seconds(frame)).abs() < APART
        };
        if !moments.iter().any(near) {
            moments.push((frame, score, of_unit));
        }
        if moments.len() == MOMENTS {
            break;
        }
    }
    moments
}
