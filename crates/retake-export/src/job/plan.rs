//! How a job is worked on: the objective in numbers, the rule by which units are cut, and how many takes fit
//! into the memory at once.
//!
//! Units and settings follow from film and request alone, because they decide what the film becomes. What
//! follows from the memory is how many takes run at once, and how they come to their frames.

use super::request::{Goal, Request};
use super::source::{frames, seconds};
use crate::error::{ExportError, RequestError};
use crate::index::ranges::RangePlan;
use crate::index::scout::held_back;
use crate::objects::object_address;
use crate::take::probe::{KEPT_MEMORY, frames_of_a_look};
use crate::worker::RunOn;
use retake_compression::encoder::{EncoderInfo, EncoderSettings};
use retake_compression::planner::Objective;
use retake_compression::planner::curve::{Family, LookModel};
use retake_compression::property::DataRateLimit;
use retake_compression::rate_limit::HoldBack;
use retake_compression::units::UnitRule;
use retake_libav::FilmInfo;
use retake_media::Time;
use retake_quality::{MetricKind, Pooling};

/// The longest planning unit, and how far a scene is looked at before it is cut, in seconds. A window of one
/// and a half units is the shortest that leaves no rest of less than half a unit, and a scene has as many
/// units with it as with a longer one.
const LONGEST: f64 = 4.0;
const WINDOW: f64 = 6.0;
/// The longest take where no floor is asked for, in seconds: encoders' usual key frame interval of 250
/// frames. Units of 4 s would cost 7 % of the bits of the mixed film at equal quality.
const LONGEST_TAKE: f64 = 10.0;
/// How long segments of a stream are at most, in seconds: what the authors of HLS advise.
pub(crate) const LONGEST_SEGMENT: i64 = 6;
/// Fewer bytes a frame than any encoder and container can do with.
const SMALLEST_FRAME: u64 = 32;
/// What the program itself, the demuxer and the muxer take.
const BASE_MEMORY: u64 = 96 << 20;
/// The most that is spent for each further take at once on frames decoded ahead of need.
const AHEAD_MEMORY: u64 = 256 << 20;
/// What the frames of one take may fill for a first pass. It is a number and no share of the memory, because
/// a first pass changes the film.
const FIRST_PASS_MEMORY: u64 = 1536 << 20;
/// What a sample of a subtitle that is drawn takes.
const DRAWN_BYTES: u64 = 16;
/// Takes read their frames themselves where so many times as many, in quarters, fit into the memory then:
/// the source is decoded twice, which costs a tenth of an encode.
const MORE_QUARTERS: u64 = 5;
/// Frames that a decoder keeps for itself.
const DECODER_FRAMES: u64 = 24;
/// Frames that filters keep for themselves; those in floating point, which mapping of tones needs, are six
/// times as large as others.
const FILTER_FRAMES: u64 = 18;
/// With fewer threads one scout keeps them busy, because it hands its frames on to them.
const LEAST_JOBS: u64 = 4;
/// The least length of what a scout reads ahead, in seconds, and how many times as long it is as what is
/// decoded twice for it, so that this costs at most a twentieth of the decoding.
const LEAST_RANGE: i64 = 20;
const RANGE_TIMES: u32 = 20;

/// What the planner is asked for, as far as it is known before the film is decoded.
pub(crate) fn objective(request: &Request, film: &FilmInfo) -> Result<Objective, ExportError> {
    Ok(match request.target().goal() {
        Goal::Plain(_) => Objective::Plain,
        Goal::Floor { floor, tolerance } => {
            Objective::Floor { floor, tolerance: tolerance.unwrap_or(request.metric.unit()) }
        }
        // the exact length is known after the first pass
        Goal::BitRate(rate) => Objective::Bytes { target: bytes_at(rate, seconds(film)?), at_most: false },
        // what the other tracks and the container take is known after the first pass
        Goal::Size(size) => {
            let least = SMALLEST_FRAME.saturating_mul(frames(film));
            if size < least {
                return Err(RequestError::SizeTooSmall { size, frames: frames(film), least }.into());
            }
            Objective::Bytes { target: size, at_most: true }
        }
    })
}

/// Bytes that a bit rate makes in so many seconds.
pub(crate) fn bytes_at(bit_rate: u64, seconds: f64) -> u64 {
    (bit_rate as f64 / 8.0 * seconds) as u64
}

/// Whether takes begin before their unit's end is known: under a floor a take wants to know first how long
/// its unit is.
fn is_streaming(goal: Goal) -> bool {
    !matches!(goal, Goal::Floor { .. })
}

/// Whether takes of a request begin before their unit's end is known. The units of an earlier job are known,
/// and may be cut by a rule that needs to see all of a scene.
pub(crate) fn streams(request: &Request) -> bool {
    is_streaming(request.target().goal()) && request.again.is_none()
}

/// Whether takes correct themselves: the encoder can, and it is the mean that counts.
pub(crate) fn steers(request: &Request) -> bool {
    request.encoder.info().steers && request.pool == Pooling::Mean
}

/// The quick look with which first takes begin, if they do: one that corrects itself needs none.
pub(crate) fn look(request: &Request, family: &Family) -> Option<LookModel> {
    let wanted = !is_streaming(request.target().goal()) && !steers(request);
    family.look().filter(|_| wanted)
}

/// Units as long as is good for the objective. In a stream, segments begin where units do.
pub(crate) fn unit_rule(film: &FilmInfo, goal: Goal, in_segments: bool) -> UnitRule {
    let rate = film.video.frame_rate.to_f64().clamp(1.0, 1000.0);
    let frames = |seconds: f64| ((rate * seconds).round() as u64).max(1);
    match goal {
        Goal::Plain(_) | Goal::BitRate(_) | Goal::Size(_) => {
            let longest = if in_segments { LONGEST_SEGMENT as f64 } else { LONGEST_TAKE };
            UnitRule { longest: frames(longest), window: 0 }
        }
        Goal::Floor { .. } => UnitRule { longest: frames(LONGEST), window: frames(WINDOW) },
    }
}

/// The windows of a highest rate, in seconds.
const RATE_WINDOW: f64 = 2.0;

/// A rate that is nowhere exceeded, as a limit of windows.
pub(crate) fn limit_of(rate: u64) -> DataRateLimit {
    // `as` saturates, so that no rate is too much.
    let bytes = ((rate as f64 * RATE_WINDOW / 8.0) as u64).max(1);
    DataRateLimit { bytes, seconds: RATE_WINDOW }
}

/// How many frames of a take wait in memory until all of it is known to keep its limits, where its encoder
/// does not see to that by itself.
pub(crate) fn held_frames(info: &EncoderInfo, settings: &EncoderSettings, limits: &[DataRateLimit]) -> u32 {
    if limits.is_empty() || info.controls.rate_limit {
        return 0;
    }
    HoldBack::most_frames(settings)
}

/// The most frames that the library is to look at before it codes them, if it gives bits better for that and
/// they are not too large. Plain takes are what the library makes of each frame as it comes.
pub(crate) fn first_pass(request: &Request, settings: &EncoderSettings, rule: UnitRule) -> Option<u32> {
    let better = request.encoder.info().controls.first_pass && request.target().is_measured();
    let frames = rule.longest.saturating_mul(settings.format.picture_bytes(settings.width, settings.height));
    u32::try_from(rule.longest).ok().filter(|_| better && frames <= FIRST_PASS_MEMORY)
}

/// Upper estimate of what a running metric holds: planes of single precision at full and lower scales.
fn scorer_memory(metric: MetricKind, width: u32, height: u32) -> u64 {
    let planes = match metric {
        MetricKind::Vmaf => 24,
        MetricKind::Ssimulacra2 => 60,
        _ => 4,
    };
    u64::from(width) * u64::from(height) * 4 * planes
}

/// What fits into the memory budget.
pub(crate) struct Budget {
    /// Takes at once.
    pub jobs: u32,
    /// Whether the scout hands its frames on to the takes. Else they read them themselves, so that none wait
    /// in memory.
    pub hands_on: bool,
    /// Frames between the scout and the takes.
    pub permits: usize,
    /// How the film is divided among several scouts, in the memory that is left.
    pub ranges: RangePlan,
    /// What a process that runs a take may have in memory, in bytes: its share of the budget, and half as
    /// much again as it is estimated to need, because an estimate must not end a sound take.
    pub share: u64,
    /// What all of it is estimated to need, in bytes, but for ranges of the scout: never more than the
    /// budget.
    pub estimate: u64,
}

/// How many takes fit into the memory budget at once, and how they come to their frames. The scout hands
/// these on, unless more takes, or any, fit if it does not.
pub(crate) fn budget(
    request: &Request,
    film: &FilmInfo,
    family: &Family,
    settings: &EncoderSettings,
    rule: UnitRule,
    memory: u64,
) -> Result<Budget, ExportError> {
    let streaming = streams(request);
    let unscaled = film.unscaled_size();
    let beside = unscaled.map_or(0, |(width, height)| settings.format.picture_bytes(width, height));
    // wherever a frame waits, what it is compared with waits beside it
    let frame = (settings.format.picture_bytes(settings.width, settings.height) + beside).max(1);
    let factory = &request.encoder;
    // frames that a first pass keeps are in what the encoder holds, and are sources and ahead of need no more
    let kept = u64::from(settings.controls.first_pass.unwrap_or(0));
    let delay = u64::from(factory.delay(settings)).saturating_sub(kept);
    let encoder = factory.memory(settings);
    // a measured take keeps the source of each frame until its reconstruction is out
    let scored = if settings.reconstruct {
        let (width, height) = unscaled.unwrap_or((settings.width, settings.height));
        (delay + 4) * frame + scorer_memory(request.metric, width, height)
    } else {
        0
    };
    let alone = request.max_bit_rate.filter(|_| !request.target().is_measured()).map(limit_of);
    let held = u64::from(held_frames(factory.info(), settings, alone.as_slice())).min(rule.longest);
    let least = if streaming { delay.max(held).min(rule.longest) } else { rule.longest };
    let (shared, reader) = object_memory(request);
    let (shared, reader) = (shared + film.burned_pictures(), reader + filter_memory(film, frame));
    let here = request.run_on == RunOn::Threads;
    // a process of its own has everything of its own
    let process = if here { 0 } else { BASE_MEMORY + film.burned_pictures() };
    let looked_at = look(request, family).map_or(0, |_| frames_of_a_look(rule.longest, frame, KEPT_MEMORY));
    let takes_of = |waiting: u64| encoder + scored + waiting * frame + process + reader;
    let scout_of = |waiting: u64| BASE_MEMORY + (waiting + DECODER_FRAMES) * frame + shared + reader;
    // a take that reads its frames has a decoder of its own, and so has each of later passes, in the place of
    // frames that wait
    let handed = (scout_of(held_back(rule, streaming)), takes_of(least.max(DECODER_FRAMES)));
    let read = (scout_of(0), takes_of(looked_at.max(held) + DECODER_FRAMES));
    let wanted = if request.parallel { request.jobs.map_or(cores(), u64::from).max(1) } else { 1 };
    let fit = |(fixed, each): (u64, u64)| (memory.saturating_sub(fixed) / each.max(1)).min(wanted);
    let hands_on = here && fit(handed) > 0 && fit(read) * 4 < fit(handed) * MORE_QUARTERS;
    let (fixed, each) = if hands_on { handed } else { read };
    let fit = fit((fixed, each));
    if fit == 0 {
        let encoder = factory.info().name;
        return Err(RequestError::MemoryTooSmall { memory, encoder, needed: fixed + each }.into());
    }
    let jobs = if request.run_on.is_elsewhere() { wanted } else { fit };
    let spare = memory.saturating_sub(fixed + jobs * each) / frame;
    // takes beside the first have frames to begin with only when the scout may be whole takes ahead
    let ahead = match hands_on {
        true => spare.min((jobs - 1) * (rule.longest - least).min(AHEAD_MEMORY / frame)),
        false => 0,
    };
    let permits = if hands_on { held_back(rule, streaming) + jobs * least.max(8) + ahead } else { 0 };
    let share = (memory.saturating_sub(fixed) / jobs).max(each / 2 * 3);
    let estimate = match hands_on {
        true => scout_of(permits) + jobs * takes_of(0),
        false => fixed + jobs * each,
    };
    let scouts = match request.run_on.is_elsewhere() {
        // Takes leave all cores of this machine.
        true => cores(),
        false if here && jobs < LEAST_JOBS => 1,
        false => cores().min(jobs),
    };
    let ranges = RangePlan {
        scouts: usize::try_from(scouts - 1).unwrap_or(0),
        after: if hands_on { 2 * jobs } else { 0 },
        // Takes elsewhere take nothing of this machine's memory.
        memory: match request.run_on.is_elsewhere() {
            true => memory.saturating_sub(fixed),
            false => (spare - ahead).saturating_mul(frame),
        },
        least: Time::new(LEAST_RANGE, 1),
        times: RANGE_TIMES,
    };
    Ok(Budget { jobs: jobs as u32, hands_on, permits: permits as usize, ranges, share, estimate })
}

/// The bytes that a reader needs beside frames as takes have them, where filters make these of others.
fn filter_memory(film: &FilmInfo, frame: u64) -> u64 {
    if film.filters().is_none() {
        return 0;
    }
    let decoded = film.unfiltered();
    let decoded = decoded.format.picture_bytes(decoded.width, decoded.height);
    // pictures without scaling come out of a graph of their own
    let graphs = if film.unscaled_size().is_some() { 2 } else { 1 };
    // a subtitle that fills the picture, in single precision
    let drawn = match film.burned_pictures() {
        0 => 0,
        _ => DRAWN_BYTES * graphs * u64::from(film.unfiltered().width) * u64::from(film.unfiltered().height),
    };
    DECODER_FRAMES * decoded.saturating_sub(frame) + graphs * FILTER_FRAMES * decoded.max(frame) + drawn
}

/// The bytes that a source in an object store keeps in memory for all of its readers, and for each of them.
fn object_memory(request: &Request) -> (u64, u64) {
    match (object_address(&request.input), &request.objects) {
        (Some(_), Some(objects)) => {
            let shared = objects.memory(0);
            (shared, objects.memory(1).saturating_sub(shared))
        }
        _ => (0, 0),
    }
}

/// The processors of this machine that the program may use.
pub(crate) fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

#[cfg(test)]
mod tests {
    use super::BASE_MEMORY;
    use crate::error::{ExportError, RequestError};
    use crate::job::identity::RequestIdentity;
    use crate::job::request::Request;
    use crate::job::{Began, Job};
    use crate::stop::StopFlag;
    use crate::testing::job;

    /// With less memory fewer takes run at once, and they read their frames themselves; what is made is
    /// described in the same words. A film is refused only where nothing of it fits, with what it would take.
    #[test]
    fn the_memory_changes_how_a_job_is_worked_on_alone() {
        let folders: Vec<_> = (0..5).map(|_| tempfile::tempdir().unwrap()).collect();
        let of = |folder: usize, memory: u64| {
            let job = job(folders[folder].path(), |request| {
                (request.memory, request.jobs) = (Some(memory), Some(4));
            });
            assert!((BASE_MEMORY..=memory).contains(&job.memory), "{} of {memory}", job.memory);
            (job.jobs, job.hands_on, job.description.clone())
        };
        let found: Vec<_> = [64 << 30, 2 << 30, 105 << 20, 98 << 20].into_iter().enumerate().collect();
        let found: Vec<_> = found.into_iter().map(|(folder, memory)| of(folder, memory)).collect();
        let ways: Vec<_> = found.iter().map(|(jobs, hands_on, _)| (*jobs, *hands_on)).collect();
        assert_eq!(ways, [(4, true), (4, true), (4, false), (2, false)]);
        assert!(found.iter().all(|(_, _, description)| *description == found[0].2));
        let too_little = Request { memory: Some(1 << 20), ..job(folders[4].path(), |_| ()).request.clone() };
        let prepared = |request: &Request| {
            let identity = RequestIdentity::of(request);
            Job::prepare(request, identity, Began::now(), &StopFlag::new()).map(drop)
        };
        let Err(ExportError::Request(RequestError::MemoryTooSmall { needed, .. })) = prepared(&too_little)
        else {
            panic!("1 MiB was enough")
        };
        let enough = |memory| prepared(&Request { memory: Some(memory), ..too_little.clone() }).is_ok();
        assert!(enough(needed) && !enough(needed - 1), "{needed}");
    }
}
