//! What a film that was made would become under another wish: by the curves of its takes alone, without
//! reading a frame.

use crate::error::RequestError;
use crate::job::plan::limit_of;
use crate::job::request::{Goal, Target};
use crate::records::clock::FrameClock;
use crate::records::highest_rate::{UnderRate, buffer_of};
use crate::records::{RecordedUnit, Records};
use retake_compression::planner::curve::Family;
use retake_compression::planner::{Brief, Interval, Objective, Windows, predict};
use retake_quality::MetricKind;
use serde::{Deserialize, Serialize};

/// What is expected of a film under another wish.
///
/// An interval holds nine times in ten; `docs/planner.md` tells how that was tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Replan {
    /// The highest rate that counts, in bits per second.
    pub max_bit_rate: Option<u64>,
    /// The bytes of the file: those of its video, and what the file of the records had besides.
    pub file_bytes: Interval,
    /// The bytes of the video samples.
    pub video_bytes: Interval,
    /// The mean score over all frames, where the takes were scored.
    pub mean: Option<Interval>,
    /// The score of the worst unit, where the takes were scored.
    pub worst: Option<Interval>,
    /// The units that would be encoded again, where the takes are still there.
    pub units: Interval,
    /// The frames that would be encoded again in all passes, where the takes are still there.
    pub frames: Interval,
    /// The units of the film.
    pub of_units: u64,
    /// The frames of the film.
    pub of_frames: u64,
    /// The CPU seconds that these frames would take, as those of the earlier job did.
    pub cpu_seconds: f64,
    /// The seconds that this would last with as many takes at once as in the earlier job.
    pub seconds: f64,
    /// How likely the wish is to be met everywhere, from 0 to 1.
    pub met: f64,
}

/// Predicts what would come of a film under another target, from its records. Where no highest rate is given,
/// that of the earlier job counts. It asks the planner of exports, is a pure function, and takes well under a
/// second for a film of any length.
///
/// # Errors
/// [`RequestError::RecordsInsufficient`] where the records hold no takes of all units, or no scores for a
/// target that is a score; [`RequestError::FloorOutOfScale`].
pub fn replan(records: &Records, target: Target, max_bit_rate: Option<u64>) -> Result<Replan, RequestError> {
    let insufficient = |reason| Err(RequestError::RecordsInsufficient { reason });
    if records.units.is_empty() {
        return insufficient("the job has no finished takes yet");
    }
    let max_bit_rate = max_bit_rate.or(records.job.max_bit_rate);
    let keeps = records.encoder.keeps_rate.or(records.job.settings.limit.map(|_| true));
    if max_bit_rate != records.job.max_bit_rate && keeps.is_none() {
        return insufficient("an earlier version did not note whether the encoder keeps to a highest rate");
    }
    let metric: Option<MetricKind> = records.job.metric.as_deref().and_then(|name| name.parse().ok());
    let planned = match (target.goal(), metric) {
        (Goal::Plain(_), _) => return insufficient("a plain pass needs no plan"),
        (Goal::Floor { .. }, None) => return insufficient("no take was scored"),
        (Goal::Floor { floor, tolerance }, Some(metric)) => {
            target.check(metric)?;
            Objective::Floor { floor, tolerance: tolerance.unwrap_or(metric.unit()) }
        }
        (Goal::BitRate(_) | Goal::Size(_), _) => records.job.objective,
    };
    let scale = records.encoder.scale;
    let metric = records.job.metric.as_deref().unwrap_or_default();
    let brief = Brief {
        objective: records.objective(target.goal(), planned),
        scale,
        family: Family::of(&records.encoder.name, metric, scale),
        max_passes: records.request.effort.passes(),
        newest_only: false,
        effort: records.request.effort,
    };
    let keeps = keeps.unwrap_or(false);
    let UnderRate { states, held } = records.under_rate(max_bit_rate, keeps, &brief.family);
    let samples = max_bit_rate.map(|_| samples(records));
    let windows = max_bit_rate.zip(samples.as_ref()).map(|(rate, samples)| {
        let frames = records.index.frames.max(1) as f64;
        let a_frame = rate as f64 / 8.0 * records.index.seconds / frames;
        let buffer = buffer_of(rate).filter(|_| keeps);
        Windows { limit: limit_of(rate), a_frame, samples, buffer, held: &held }
    });
    let told = predict(&brief, &states, windows);
    let others = records.others() as f64;
    let Interval { low, expected, high } = told.bytes;
    let cpu_seconds = told.frames.expected * cpu_of_a_frame(records);
    Ok(Replan {
        max_bit_rate,
        file_bytes: Interval { low: low + others, expected: expected + others, high: high + others },
        video_bytes: told.bytes,
        mean: told.mean,
        worst: told.worst,
        units: told.units,
        frames: told.frames,
        of_units: records.units.len() as u64,
        of_frames: records.units.iter().map(|unit| unit.range.len()).sum(),
        cpu_seconds,
        seconds: cpu_seconds / f64::from(records.machine.jobs.max(1)),
        met: told.met,
    })
}

/// The CPU seconds of a frame in the earlier job, with all that the job did besides. Takes know what their
/// own thread spent, and not those of an encoder; a job that was carried on knows what its last run spent.
fn cpu_of_a_frame(records: &Records) -> f64 {
    let takes = || records.units.iter().flat_map(|unit| &unit.takes);
    let frames: u64 = takes().map(|take| take.record.range.len()).sum();
    let of_takes: f64 = takes().map(|take| take.record.cpu.encode + take.record.cpu.measure).sum();
    let of_job = records.summary.as_ref().map_or(0.0, |summary| summary.cpu_seconds);
    of_job.max(of_takes) / frames.max(1) as f64
}

/// When the samples of each unit are decoded, and their shares of its bytes, as in the take that was shipped.
fn samples(records: &Records) -> Vec<Vec<(f64, f64)>> {
    let clock = FrameClock::of(records);
    let samples = |unit: &RecordedUnit| {
        let Some(take) = unit.shipped() else { return Vec::new() };
        let total = take.record.sample_sizes().sum::<u64>().max(1) as f64;
        let sizes = take.record.sample_sizes().zip(unit.range.start..unit.range.end);
        sizes.map(|(size, frame)| (clock.seconds(frame), size as f64 / total)).collect()
    };
    records.units.iter().map(samples).collect()
}
