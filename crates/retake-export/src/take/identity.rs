//! The descriptions of a job's takes. A take runs from its description alone, and its file is named after the
//! description's identity.

use super::finished::FinishedTake;
use crate::job::Job;
use crate::job::plan::{limit_of, look, steers};
use retake_compression::encoder::{EncoderInfo, EncoderSettings, RateControl};
use retake_compression::planner::curve::Point;
use retake_compression::planner::film::FirstTake;
use retake_compression::planner::{Objective, floor};
use retake_compression::take::{self, Look, Measure, TakeDescription};
use retake_compression::units::FrameRange;

/// The description of a take that begins while its unit is still being decoded: all but where it ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenTake(TakeDescription);

impl OpenTake {
    /// The first frame.
    pub(crate) fn start(&self) -> u64 {
        self.0.range.start
    }

    /// The description, now that it is known how many frames there are.
    pub(crate) fn close(self, frames: u64) -> TakeDescription {
        let range = FrameRange::new(self.0.range.start, self.0.range.start + frames);
        TakeDescription { range, ..self.0 }
    }

    /// What is known of the take, whatever its end will be.
    pub(crate) fn known(&self) -> &TakeDescription {
        &self.0
    }
}

impl From<TakeDescription> for OpenTake {
    fn from(description: TakeDescription) -> Self {
        Self(description)
    }
}

/// An encoder by its name and its library's version, as descriptions have it.
pub(crate) fn named(info: &EncoderInfo) -> String {
    format!("{} {}", info.name, info.version)
}

/// The take that covers first the unit that begins with a frame, where nothing is known of it yet, and ends
/// before frame `end`, if that is known.
pub(crate) fn open_take(job: &Job, start: u64, end: Option<u64>, offset: f64) -> OpenTake {
    OpenTake(first_take(job, FrameRange::new(start, end.unwrap_or(start)), offset))
}

/// The take that covers a unit first. Under a floor, its quality is moved by `offset` steps from where films
/// begin that nothing is known of.
pub(crate) fn first_take(job: &Job, range: FrameRange, offset: f64) -> TakeDescription {
    let scale = job.request.encoder.info().quality;
    let mut settings = job.description.settings.clone();
    let aim = first_aim(job);
    match (aim, job.description.objective) {
        (Some(aim), _) => {
            settings.rate = RateControl::Quality(scale.snap(job.family.usual(aim) + offset));
        }
        (None, Objective::Bytes { target, .. }) => {
            let quality = job.family.usual_for_bits(job.bits_per_pixel(target));
            settings.rate = RateControl::Quality(scale.snap(quality));
        }
        (None, _) => {}
    }
    let steer = aim.filter(|_| steers(&job.request));
    let look = aim.and_then(|aim| {
        let look = look(&job.request, &job.family);
        look.map(|look| Look { aim, preset: look.preset.to_owned(), offset })
    });
    TakeDescription { look, steer, ..description(job, range, settings) }
}

/// What the first takes of a job aim at; `None` where they aim at no score.
pub(crate) fn first_aim(job: &Job) -> Option<f64> {
    let Objective::Floor { floor, tolerance } = job.description.objective else { return None };
    Some(floor::first_aim(&job.family, floor, tolerance, steers(&job.request)))
}

/// What the first take of a unit tells about the film.
pub(crate) fn taught(job: &Job, take: &FinishedTake) -> Option<FirstTake> {
    let usual = job.family.usual(first_aim(job)?);
    let predicted = match &take.description.look {
        Some(look) => take.record.quality? - look.offset,
        None => usual,
    };
    Some(FirstTake { predicted, point: Point::of(&take.trial())? })
}

/// A take that encodes a unit again.
pub(crate) fn retake(job: &Job, range: FrameRange, quality: f64) -> TakeDescription {
    let mut settings = job.description.settings.clone();
    settings.rate = RateControl::Quality(quality);
    description(job, range, settings)
}

fn description(job: &Job, range: FrameRange, settings: EncoderSettings) -> TakeDescription {
    let measure = match (&job.description.metric, &job.description.pool) {
        (Some(metric), Some(pool)) => Some(Measure {
            metric: metric.clone(),
            pool: pool.clone(),
            stride: job.stride,
            adapt: !job.scout.streaming,
            library: job.description.metric_library.clone(),
            size: job.source.unscaled_size(),
        }),
        _ => None,
    };
    // takes that are measured are encoded again where they break a limit together
    let alone = job.description.max_bit_rate.filter(|_| measure.is_none());
    TakeDescription {
        version: take::VERSION,
        source: job.description.source.clone(),
        range,
        encoder: job.description.encoder.clone(),
        settings,
        look: None,
        steer: None,
        measure,
        limits: alone.map(limit_of).into_iter().collect(),
    }
}
