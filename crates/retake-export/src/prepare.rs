//! From a request to a job: everything that can be decided, and refused, before the first frame is decoded.

use crate::error::ExportError;
use crate::hls;
use crate::job::{JobDescription, JobFolder, source_identity};
use crate::request::{Request, Target};
use crate::scout::{ScoutPlan, held_back};
use crate::spool;
use crate::stop::StopFlag;
use retake_compression::encoder::{Controls, EncoderError, EncoderSettings, RateControl, RateLimit};
use retake_compression::parallel::half_of_memory;
use retake_compression::planner::Objective;
use retake_compression::planner::curve::Family;
use retake_compression::units::UnitRule;
use retake_libav::{Container, FilmInfo, MediaError, ReaderOptions, VideoTrack, probe};
use retake_media::PixelFormat;
use retake_quality::{MetricKind, Pool};
use std::path::{Path, PathBuf};

/// What a job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputKind {
    /// One file.
    Film(Container),
    /// Playlists and segments.
    Stream,
}

impl OutputKind {
    fn of(output: &Path) -> Result<Self, ExportError> {
        match output.extension() {
            Some(ending) if ending.eq_ignore_ascii_case("m3u8") => Ok(Self::Stream),
            _ => Ok(Self::Film(Container::from_path(output)?)),
        }
    }

    /// The container of the film, or of each segment.
    fn container(self) -> Container {
        match self {
            Self::Film(container) => container,
            Self::Stream => Container::Mp4,
        }
    }
}

/// A job that is ready to run.
pub(crate) struct Job {
    pub folder: JobFolder,
    pub film: FilmInfo,
    pub output: OutputKind,
    pub reader: ReaderOptions,
    pub description: JobDescription,
    pub family: Family,
    pub scout: ScoutPlan,
    pub jobs: u32,
    /// Replace an existing output.
    pub overwrite: bool,
    /// Every how many frames one is scored.
    pub stride: u32,
    pub notes: Vec<String>,
}

impl Job {
    /// Bits a pixel of a film whose samples take `bytes`, as far as the container says how many frames there are.
    pub(crate) fn bits_per_pixel(&self, bytes: u64) -> f64 {
        let video = &self.film.video;
        let pixels = frames(&self.film) as f64 * f64::from(video.width) * f64::from(video.height);
        bytes as f64 * 8.0 / pixels.max(1.0)
    }
}

/// Frames of the film, as far as the container tells.
pub(crate) fn frames(film: &FilmInfo) -> u64 {
    let by_time = || (film.duration.unwrap_or(0.0) * film.video.frame_rate.to_f64()).ceil() as u64;
    film.video.frames_hint.unwrap_or_else(by_time)
}

/// The longest planning unit, and how far a scene is looked at before it is cut, in seconds.
const LONGEST: f64 = 4.0;
const WINDOW: f64 = 12.0;
/// The longest take where no floor is asked for, in seconds: encoders' usual key frame interval of 250 frames. Units of 4 s would cost 7 % of
/// the bits of the mixed film at equal quality.
const LONGEST_TAKE: f64 = 10.0;
/// Fewer bytes a frame than any encoder and container can do with.
const SMALLEST_FRAME: u64 = 32;
/// The shortest scene, in seconds: faster cuts are flashes.
const SHORTEST: f64 = 0.25;
/// Every how many frames one is scored. Not 2 or 4, which would always meet the same kind of B frame, nor 5, which meets the duplicated
/// frames of converted film.
pub(crate) const STRIDE: u32 = 3;
/// What the program itself, the demuxer and the muxer take.
const BASE_MEMORY: u64 = 96 << 20;
/// The most that is spent for each further take at once on frames decoded ahead of need.
const AHEAD_MEMORY: u64 = 256 << 20;
/// What part of the memory budget the frames of one take may fill for a first pass.
const FIRST_PASS_MEMORY: u64 = 6;
/// Frames that a decoder keeps for itself.
const DECODER_FRAMES: u64 = 24;

pub(crate) fn prepare(request: &Request, stop: &StopFlag) -> Result<Job, ExportError> {
    let mut folder = None;
    let job = prepare_in(request, stop, &mut folder);
    if let (Err(_), Some(folder)) = (&job, folder) {
        // a refused request leaves nothing behind
        folder.remove_if_new();
    }
    job
}

/// Two fields of the source stay two fields where the encoder has them, and no conversion on the way mixes their rows.
fn keep_fields(
    request: &Request,
    video: &VideoTrack,
    settings: &mut EncoderSettings,
    notes: &mut Vec<String>,
) {
    if video.fields.is_none() {
        return;
    }
    let info = request.encoder.info();
    let whole_chroma =
        ["yuv420p", "yuvj420p", "nv12", "p010"].iter().any(|known| video.pixel_format.starts_with(known));
    let mut in_fields = settings.clone();
    in_fields.controls.fields = video.fields;
    let reason = match &info.controls.fields {
        None => format!("{} has no fields (x264 has)", info.name),
        Some(support) if !support.fits(video.width, video.height) => {
            format!("{} has none of {}×{}", info.name, video.width, video.height)
        }
        Some(_) if !whole_chroma => "the conversion of its colours mixes them".to_owned(),
        Some(_) => match request.encoder.open(&in_fields) {
            Ok(_) => {
                *settings = in_fields;
                return;
            }
            // what is refused for another reason is refused again
            Err(error) => error.to_string(),
        },
    };
    notes.push(format!("the source is interlaced, and its fields are coded as whole frames: {reason}"));
}

/// `opened` keeps the folder when it was opened and the request is then refused.
fn prepare_in(
    request: &Request,
    stop: &StopFlag,
    opened: &mut Option<JobFolder>,
) -> Result<Job, ExportError> {
    let output = OutputKind::of(&request.output)?;
    let info = request.encoder.info();
    if !output.container().can_hold(info.codec) {
        return Err(ExportError::Request(format!(
            "{}: this container cannot hold {}: choose .mp4 or .mkv, or another codec",
            request.output.display(),
            info.codec
        )));
    }
    check_paths(request)?;
    if output == OutputKind::Stream {
        check_media(request)?;
    }
    if request.passes == 0 {
        return Err(ExportError::Request("at least one pass is needed: --passes 1 or more".into()));
    }
    let preset = request.preset.clone().unwrap_or_else(|| info.default_preset.to_owned());
    if !info.presets.iter().any(|known| known.name == preset) {
        let names: Vec<&str> = info.presets.iter().map(|preset| preset.name.as_str()).collect();
        return Err(ExportError::Request(format!(
            "{} has no preset '{preset}': choose one of {}",
            info.name,
            names.join(", ")
        )));
    }
    let work_dir = work_dir(request);
    let film = if request.input == Path::new("-") {
        let folder = opened.insert(JobFolder::open(&work_dir, request.restart)?);
        probe(&spool::standard_input(folder.path(), stop)?)
            .map_err(|error| name_standard_input(error, folder.path()))?
    } else {
        probe(&request.input)?
    };

    let mut notes = Vec::new();
    let video = &film.video;
    notes.extend(video.converted.clone());
    let format = if info.formats.contains(&video.format) {
        video.format
    } else {
        notes.push(format!(
            "{} takes 8 bits a sample: the source's {} are reduced",
            info.name,
            video.format.bit_depth()
        ));
        PixelFormat::I420
    };

    let measured = !matches!(request.target, Target::Plain(_));
    let rate = match request.target {
        Target::Plain(Some(quality)) => {
            if !(info.quality.min..=info.quality.max).contains(&quality) {
                return Err(ExportError::Request(format!(
                    "--crf {quality} is outside {}'s scale: {} (best) to {}",
                    info.name, info.quality.min, info.quality.max
                )));
            }
            quality
        }
        _ => info.quality.usual,
    };
    // where nothing is encoded again, an encoder that does not know limits says so
    let told = info.controls.rate_limit || !measured;
    let mut settings = EncoderSettings {
        width: video.width,
        height: video.height,
        format,
        frame_rate: video.frame_rate,
        colour: video.colour,
        pixel_aspect_ratio: video.pixel_aspect_ratio,
        mastering_display: video.mastering_display,
        content_light: video.content_light,
        preset,
        rate: RateControl::Quality(rate),
        limit: request.max_bit_rate.filter(|_| told).map(|rate| bucket(rate, measured)),
        max_key_frame_interval: 0,
        threads: request.threads.max(1),
        reconstruct: measured && info.reconstructs,
        controls: Controls::default(),
        options: request.options.clone(),
    };
    keep_fields(request, video, &mut settings, &mut notes);
    let family = Family::of(info.name, request.metric.name(), info.quality);
    let objective = objective(request, &film)?;
    let memory = request.memory.unwrap_or_else(half_of_memory);
    let streaming = !matches!(request.target, Target::Floor { .. });
    let rule = unit_rule(&film, memory, request.target, format, output);
    settings.controls.first_pass = first_pass(request, &settings, rule, memory);
    // what the encoder refuses is refused before there is a job
    if let Err(error) = request.encoder.open(&settings) {
        // whatever it is: this film with these settings is not possible
        let refused = |source: EncoderError| ExportError::Request(source.to_string());
        let even = EncoderSettings { width: video.width & !1, height: video.height & !1, ..settings.clone() };
        if even == settings || request.encoder.open(&even).is_err() {
            return Err(refused(error));
        }
        notes.push(format!(
            "{} takes even sizes only: {}×{} is cropped to {}×{}",
            info.name, video.width, video.height, even.width, even.height
        ));
        settings = even;
    }
    budget(request, &settings, rule, streaming, memory)?;
    let folder = match opened {
        Some(folder) => folder,
        None => opened.insert(JobFolder::open(&work_dir, request.restart)?),
    };
    let description = folder.claim(JobDescription {
        version: JobDescription::VERSION,
        source: source_identity(&film.path)?,
        encoder: format!("{} {}", info.name, info.version),
        settings,
        objective,
        metric: measured.then(|| request.metric.name().to_owned()),
        pool: measured.then(|| request.pool.name().to_owned()),
        max_bit_rate: request.max_bit_rate,
        rule,
    })?;

    let rule = description.rule;
    let budget = budget(request, &description.settings, rule, streaming, memory)?;
    let scout = ScoutPlan {
        rule,
        shortest: (video.frame_rate.to_f64() * SHORTEST).floor().max(1.0) as usize,
        streaming,
        places: budget.places,
    };
    let reader =
        ReaderOptions { format, threads: if video.width * video.height > 1280 * 720 { 2 } else { 1 } };
    // of every third frame the mean of all can be told; of the worst ones nothing
    let stride = if request.pool == Pool::Mean { STRIDE } else { 1 };
    let folder =
        opened.take().ok_or_else(|| ExportError::Internal("the job folder was not opened".into()))?;
    let overwrite = request.overwrite;
    Ok(Job {
        stride,
        overwrite,
        folder,
        output,
        reader,
        description,
        family,
        scout,
        jobs: budget.jobs,
        notes,
        film,
    })
}

/// Errors about the copy of standard input name standard input.
fn name_standard_input(error: MediaError, folder: &Path) -> ExportError {
    let copy = folder.join("input").display().to_string();
    ExportError::Request(error.to_string().replace(&copy, "standard input"))
}

/// Where the state of a request's job lives.
pub(crate) fn work_dir(request: &Request) -> PathBuf {
    request.work_dir.clone().unwrap_or_else(|| beside(&request.output))
}

fn check_paths(request: &Request) -> Result<(), ExportError> {
    let output = &request.output;
    let folder = match output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(ExportError::Request(format!(
            "{}: the folder {} does not exist: make it first",
            output.display(),
            folder.display()
        )));
    }
    if output.is_dir() {
        return Err(ExportError::Request(format!("{}: is a folder: name a file", output.display())));
    }
    if let (Ok(a), Ok(b)) = (request.input.canonicalize(), output.canonicalize())
        && a == b
    {
        return Err(ExportError::Request(format!(
            "{}: input and output are the same file",
            output.display()
        )));
    }
    if output.exists() && !request.overwrite {
        return Err(ExportError::Request(format!(
            "{}: exists already: use --overwrite to replace it",
            output.display()
        )));
    }
    Ok(())
}

/// The folder of media of a stream: what is there may be replaced only if it is one of a stream, and nothing but a killed run leaves it
/// there without its playlist.
fn check_media(request: &Request) -> Result<(), ExportError> {
    let media = hls::media_of(&request.output);
    if media.symlink_metadata().is_err() || hls::is_media(&media) {
        return Ok(());
    }
    Err(ExportError::Request(format!(
        "{}: is in the way: the segments of {} go into a folder of this name; move it, or name another output",
        media.display(),
        request.output.display()
    )))
}

/// The job folder of an output: beside it, so that both are on one disk.
fn beside(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".retake");
    name.into()
}

fn objective(request: &Request, film: &FilmInfo) -> Result<Objective, ExportError> {
    Ok(match request.target {
        Target::Plain(_) => Objective::Plain,
        Target::Floor { floor, tolerance } => {
            Objective::Floor { floor, tolerance: tolerance.unwrap_or(request.metric.unit()) }
        }
        // the exact length is known after the first pass
        Target::BitRate(rate) => Objective::Bytes { target: bytes_at(rate, seconds(film)?), at_most: false },
        // what the other tracks and the container take is known after the first pass
        Target::Size(size) if size < SMALLEST_FRAME.saturating_mul(frames(film)) => {
            return Err(ExportError::Request(format!(
                "--size {size}: too small for a film of {} frames: allow more, at least {}",
                frames(film),
                SMALLEST_FRAME.saturating_mul(frames(film))
            )));
        }
        Target::Size(size) => Objective::Bytes { target: size, at_most: true },
    })
}

/// Bytes that a bit rate makes in so many seconds.
pub(crate) fn bytes_at(bit_rate: u64, seconds: f64) -> u64 {
    (bit_rate as f64 / 8.0 * seconds) as u64
}

fn seconds(film: &FilmInfo) -> Result<f64, ExportError> {
    let video = frames(film) as f64 / film.video.frame_rate.to_f64().max(1e-3);
    Some(video).filter(|seconds| *seconds > 0.0).ok_or_else(|| {
        ExportError::Request(format!(
            "{}: the container does not say how long the film is: ask for a quality instead of a bit rate or a size",
            film.path.display()
        ))
    })
}

/// Units as long as is good for the objective, as far as their frames fit into the memory budget.
fn unit_rule(
    film: &FilmInfo,
    memory: u64,
    target: Target,
    format: PixelFormat,
    output: OutputKind,
) -> UnitRule {
    let rate = film.video.frame_rate.to_f64().clamp(1.0, 1000.0);
    let frames = |seconds: f64| ((rate * seconds).round() as u64).max(1);
    match target {
        Target::Plain(_) | Target::BitRate(_) | Target::Size(_) => {
            // segments begin where takes do
            let longest = if output == OutputKind::Stream { hls::LONGEST as f64 } else { LONGEST_TAKE };
            UnitRule { longest: frames(longest), window: 0 }
        }

        Target::Floor { .. } => {
            let frame = format.picture_bytes(film.video.width, film.video.height).max(1);
            let window = frames(WINDOW).min(memory / 4 / frame).max(frames(1.0));
            UnitRule { longest: frames(LONGEST).min((window / 3).max(frames(1.0))), window }
        }
    }
}

/// What encoders are told of a rate that no two seconds exceed: what flows into two seconds and a bucket are those two seconds at the rate. Two
/// takes may both make use of their buckets at a join; those are encoded again. Where nothing is, each take has half of the bucket.
fn bucket(rate: u64, measured: bool) -> RateLimit {
    let part = |percent: u64| (rate / 100).saturating_mul(percent).max(1000);
    RateLimit { bits_per_second: part(75), window_bits: part(if measured { 50 } else { 25 }) }
}

/// The most frames that the library is to look at before it codes them, if it gives bits better for that and they fit into memory. Plain takes
/// are what the library makes of each frame as it comes.
fn first_pass(request: &Request, settings: &EncoderSettings, rule: UnitRule, memory: u64) -> Option<u32> {
    let better = request.encoder.info().controls.first_pass && !matches!(request.target, Target::Plain(_));
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

struct Budget {
    jobs: u32,
    places: usize,
}

/// How many takes fit into the memory budget at once.
fn budget(
    request: &Request,
    settings: &EncoderSettings,
    rule: UnitRule,
    streaming: bool,
    memory: u64,
) -> Result<Budget, ExportError> {
    let frame = settings.format.picture_bytes(settings.width, settings.height);
    let factory = &request.encoder;
    // frames that a first pass keeps are in what the encoder holds, and are sources and places no more
    let kept = u64::from(settings.controls.first_pass.unwrap_or(0));
    let delay = u64::from(factory.delay(settings)).saturating_sub(kept);
    let encoder = factory.memory(settings);
    // a measured take keeps the source of each frame until its reconstruction is out
    let judged = if settings.reconstruct {
        (delay + 4) * frame + scorer_memory(request.metric, settings.width, settings.height)
    } else {
        0
    };
    let least = if streaming { delay.min(rule.longest) } else { rule.longest };
    let fixed = BASE_MEMORY + (held_back(rule, streaming) + DECODER_FRAMES) * frame;
    // in later passes each take has a decoder of its own, in the place of frames that wait
    let each = encoder + judged + least.max(DECODER_FRAMES) * frame;
    let fit = memory.saturating_sub(fixed) / each.max(1);
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let wanted = request.jobs.map_or(cores, u64::from).max(1);
    if fit == 0 {
        return Err(ExportError::Request(format!(
            "--memory {}: one take of this film with {} needs about {} MB: allow more, or choose a faster preset",
            memory,
            factory.info().name,
            (fixed + each).div_ceil(1 << 20)
        )));
    }
    let jobs = wanted.min(fit);
    // takes beside the first have frames to begin with only when the scout may be whole takes ahead
    let spare = memory.saturating_sub(fixed + jobs * each) / frame.max(1);
    let ahead = (jobs - 1) * (rule.longest - least).min(AHEAD_MEMORY / frame.max(1));
    let places = held_back(rule, streaming) + jobs * least.max(8) + ahead.min(spare);
    Ok(Budget { jobs: jobs as u32, places: places as usize })
}
