//! How a job is worked on: the objective in numbers, the rule by which units are cut, and how many takes fit
//! into the memory at once.

use super::request::{Goal, Request};
use super::source::{frames, seconds};
use crate::error::{ExportError, RequestError};
use crate::index::ranges::RangePlan;
use crate::index::scout::held_back;
use crate::objects::object_address;
use crate::worker::RunOn;
use retake_compression::encoder::{EncoderInfo, EncoderSettings};
use retake_compression::planner::Objective;
use retake_compression::property::DataRateLimit;
use retake_compression::rate_limit::HoldBack;
use retake_compression::units::UnitRule;
use retake_libav::FilmInfo;
use retake_media::{PixelFormat, Time};
use retake_quality::MetricKind;

/// The longest planning unit, and how far a scene is looked at before it is cut, in seconds.
const LONGEST: f64 = 4.0;
const WINDOW: f64 = 12.0;
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
/// What part of the memory budget the frames of one take may fill for a first pass.
const FIRST_PASS_MEMORY: u64 = 6;
/// Frames that a decoder keeps for itself.
const DECODER_FRAMES: u64 = 24;
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

/// Whether takes begin before their unit's end is known: under a floor a take wants to see all of its unit
/// first.
pub(crate) fn is_streaming(goal: Goal) -> bool {
    !matches!(goal, Goal::Floor { .. })
}

/// Units as long as is good for the objective, as far as their frames fit into the memory budget. In a
/// stream, segments begin where units do.
pub(crate) fn unit_rule(
    film: &FilmInfo,
    memory: u64,
    goal: Goal,
    format: PixelFormat,
    in_segments: bool,
) -> UnitRule {
    let rate = film.video.frame_rate.to_f64().clamp(1.0, 1000.0);
    let frames = |seconds: f64| ((rate * seconds).round() as u64).max(1);
    match goal {
        Goal::Plain(_) | Goal::BitRate(_) | Goal::Size(_) => {
            let longest = if in_segments { LONGEST_SEGMENT as f64 } else { LONGEST_TAKE };
            UnitRule { longest: frames(longest), window: 0 }
        }
        Goal::Floor { .. } => {
            let frame = format.picture_bytes(film.video.width, film.video.height).max(1);
            let window = frames(WINDOW).min(memory / 4 / frame).max(frames(1.0));
            UnitRule { longest: frames(LONGEST).min((window / 3).max(frames(1.0))), window }
        }
    }
}

/// A rule of shorter units, for less memory; none where they are a second long already.
pub(crate) fn shorter(rule: UnitRule, film: &FilmInfo) -> Option<UnitRule> {
    let least = film.video.frame_rate.to_f64().clamp(1.0, 1000.0).round() as u64;
    let half = |frames: u64| (frames / 2).max(least).min(frames);
    let shorter = UnitRule { longest: half(rule.longest), window: half(rule.window) };
    (shorter != rule).then_some(shorter)
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
/// they fit into memory. Plain takes are what the library makes of each frame as it comes.
pub(crate) fn first_pass(
    request: &Request,
    settings: &EncoderSettings,
    rule: UnitRule,
    memory: u64,
) -> Option<u32> {
    let better = request.encoder.info().controls.first_pass && request.target().is_measured();
    let frames = rule.longest.saturating_mul(settings.format.picture_bytes(settings.width, settings.height));
    u32::try_from(rule.longest).ok().filter(|_| better && frames <= memory / FIRST_PASS_MEMORY)
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

/// How many takes fit into the memory budget at once.
pub(crate) fn budget(
    request: &Request,
    settings: &EncoderSettings,
    rule: UnitRule,
    streaming: bool,
    memory: u64,
) -> Result<Budget, ExportError> {
    let frame = settings.format.picture_bytes(settings.width, settings.height);
    let factory = &request.encoder;
    // frames that a first pass keeps are in what the encoder holds, and are sources and ahead of need no more
    let kept = u64::from(settings.controls.first_pass.unwrap_or(0));
    let delay = u64::from(factory.delay(settings)).saturating_sub(kept);
    let encoder = factory.memory(settings);
    // a measured take keeps the source of each frame until its reconstruction is out
    let scored = if settings.reconstruct {
        (delay + 4) * frame + scorer_memory(request.metric, settings.width, settings.height)
    } else {
        0
    };
    let alone = request.max_bit_rate.filter(|_| !request.target().is_measured()).map(limit_of);
    let held = u64::from(held_frames(factory.info(), settings, alone.as_slice())).min(rule.longest);
    let least = if streaming { delay.max(held).min(rule.longest) } else { rule.longest };
    let (shared, reader) = object_memory(request);
    let fixed = BASE_MEMORY + (held_back(rule, streaming) + DECODER_FRAMES) * frame + shared + reader;
    // in later passes each take has a decoder of its own, in the place of frames that wait
    // a process of its own has everything of its own
    let process = if request.run_on == RunOn::Threads { 0 } else { BASE_MEMORY };
    let each = encoder + scored + least.max(DECODER_FRAMES) * frame + process + reader;
    let fit = memory.saturating_sub(fixed) / each.max(1);
    let wanted = if request.parallel { request.jobs.map_or(cores(), u64::from).max(1) } else { 1 };
    if fit == 0 {
        let encoder = factory.info().name;
        return Err(RequestError::MemoryTooSmall { memory, encoder, needed: fixed + each }.into());
    }
    let jobs = if request.run_on.is_elsewhere() { wanted } else { wanted.min(fit) };
    // takes beside the first have frames to begin with only when the scout may be whole takes ahead
    let spare = memory.saturating_sub(fixed + jobs * each) / frame.max(1);
    let ahead = (jobs - 1) * (rule.longest - least).min(AHEAD_MEMORY / frame.max(1));
    let permits = held_back(rule, streaming) + jobs * least.max(8) + ahead.min(spare);
    let share = memory.saturating_sub(fixed) / jobs;
    let takes = jobs * (encoder + scored + process + reader) + shared + reader;
    let estimate = BASE_MEMORY + (DECODER_FRAMES + permits) * frame + takes;
    let scouts = match request.run_on.is_elsewhere() {
        // Takes leave all cores of this machine.
        true => cores(),
        false if request.run_on == RunOn::Threads && jobs < LEAST_JOBS => 1,
        false => cores().min(jobs),
    };
    let ranges = RangePlan {
        scouts: usize::try_from(scouts - 1).unwrap_or(0),
        after: if request.run_on == RunOn::Threads { 2 * jobs } else { 0 },
        // Takes elsewhere take nothing of this machine's memory.
        memory: match request.run_on.is_elsewhere() {
            true => memory.saturating_sub(fixed),
            false => spare.saturating_sub(ahead.min(spare)).saturating_mul(frame),
        },
        least: Time::new(LEAST_RANGE, 1),
        times: RANGE_TIMES,
    };
    let share = share.max(each / 2 * 3);
    Ok(Budget { jobs: jobs as u32, permits: permits as usize, ranges, share, estimate })
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

    /// Where memory is short, units are shorter; a film is refused only where not even units of a second fit.
    #[test]
    fn units_are_shorter_where_memory_is_short() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let of = |folder: usize, megabytes: u64| {
            let job = job(folders[folder].path(), |request| request.memory = Some(megabytes << 20));
            assert!(
                (BASE_MEMORY..=megabytes << 20).contains(&job.memory),
                "{} of {megabytes} MiB",
                job.memory
            );
            job.description.rule
        };
        let (usual, short) = (of(0, 1000), of(1, 100));
        assert!(short.longest < usual.longest && short.window < usual.window, "{short:?} {usual:?}");
        let too_little = Request { memory: Some(1 << 20), ..job(folders[0].path(), |_| ()).request.clone() };
        let identity = RequestIdentity::of(&too_little);
        let refused = Job::prepare(&too_little, identity, Began::now(), &StopFlag::new()).map(drop);
        assert!(matches!(refused, Err(ExportError::Request(RequestError::MemoryTooSmall { .. }))));
    }
}
