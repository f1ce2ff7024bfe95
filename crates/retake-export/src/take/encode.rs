//! One take: frames in, samples to disk, pictures to the metric, and a record of how it came out.

use super::feedback::QualityController;
use super::finished::FinishedTake;
use super::identity::OpenTake;
use super::probe::{KEPT_MEMORY, LookFrames, probe_quality};
use super::source::{FrameSource, TakeFrame};
use super::store::{TakeFile, TakeStore, TakeWriter};
use crate::clock::{LibraryThreads, thread_cpu};
use crate::error::ExportError;
use crate::job::plan::held_frames;
use crate::scorers::{CpuMeter, FrameScoreMeter, TakeScorer};
use crate::stop::StopFlag;
use retake_compression::encode_run::{EncodeRun, RunError, RunEvent};
use retake_compression::encoder::{Encoder, EncoderFactory, EncoderSettings, FrameOptions, RateControl};
use retake_compression::planner::curve::Family;
use retake_compression::rate_limit::{CapRules, CapState, HoldBack, PartEnd, PartMargins, RateCapped, Unfit};
use retake_compression::take::{CpuSeconds, Measure, Score, TakeDescription, TakeRecord};
use retake_compression::units::FrameRange;
use retake_libav::{picture_hash, ticks_to_time, time_to_ticks};
use retake_media::{Rational, Time};
use retake_quality::{MetricKind, Pooling};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Frames between two reports of progress.
const EVERY: u64 = 8;

/// What takes need besides their descriptions: the same for all takes of a job.
pub(crate) struct TakeTools {
    pub factory: Arc<dyn EncoderFactory>,
    /// Where files of takes begin.
    pub store: TakeStore,
    /// Seconds per tick of the source's time stamps.
    pub time_base: Rational,
    pub stop: StopFlag,
}

/// Encodes the frames of a take as it is described. `encoded` is told of every few frames that went into the
/// encoder.
pub(crate) fn encode_take(
    tools: &TakeTools,
    take: OpenTake,
    mut source: FrameSource,
    encoded: &dyn Fn(u64),
) -> Result<(FinishedTake, TakeFile), ExportError> {
    let began = thread_cpu();
    let description = take.known();
    let mut frames = VecDeque::new();
    let mut settings = description.settings.clone();
    let (mut looked, mut looked_cpu) = (None, 0.0);
    if let (Some(look), Some(measure)) = (&description.look, &description.measure) {
        let scored = Scored::of(tools, measure)?;
        let unknown = || ExportError::Internal(format!("{}: nobody knows how to look", description.range));
        let model = scored.family.look().ok_or_else(unknown)?;
        let seen = LookFrames::of(description, &mut source, KEPT_MEMORY, &tools.stop)?;
        let (quality, record, library) =
            probe_quality(tools, &settings, look, &model, &scored, description.range, &seen)?;
        looked_cpu = library;
        settings.rate = RateControl::Quality(quality);
        looked = Some(record);
        frames = seen.all;
    }
    let look_cpu = thread_cpu() - began;
    let all_are_here = !frames.is_empty();
    let mut running = RunningTake::open(tools, description, &settings, description.range.len())?;
    loop {
        let next = match frames.pop_front() {
            Some(frame) => Some(frame),
            None if all_are_here => None,
            None => source.next(&tools.stop)?,
        };
        let Some(frame) = next else { break };
        running.send(frame)?;
        if running.run.pushed().is_multiple_of(EVERY) {
            encoded(EVERY);
        }
    }
    running.finish()?;
    let sent = running.run.pushed();
    encoded(sent % EVERY);
    if sent == 0 {
        return Err(ExportError::Internal(format!("the take at frame {} got no frames", take.start())));
    }
    let quality = match settings.rate {
        RateControl::Quality(quality) => {
            let quality = running.controller.as_ref().map_or(quality, QualityController::average);
            Some(running.run.encoder().coarser().unwrap_or(quality))
        }
        _ => None,
    };
    let library = running.threads.lock().unwrap_or_else(PoisonError::into_inner).cpu();
    let (writer, mut record) = running.conclude();
    record.quality = quality;
    record.look = looked;
    record.cpu.encode = thread_cpu() - began - look_cpu - record.cpu.measure + library;
    record.cpu.look = look_cpu + looked_cpu;
    let take = FinishedTake { description: take.close(sent), record };
    let file = writer.finish(&take)?;
    Ok((take, file))
}

/// How a take is scored, in the types of the metrics.
pub(crate) struct Scored<'a> {
    pub measure: &'a Measure,
    pub metric: MetricKind,
    pub pool: Pooling,
    /// How films answer to the encoder's quality by this metric.
    pub family: Family,
}

impl<'a> Scored<'a> {
    fn of(tools: &TakeTools, measure: &'a Measure) -> Result<Self, ExportError> {
        let info = tools.factory.info();
        let unknown = |name: &str| {
            ExportError::Internal(format!("a take is scored by '{name}', which is not known here"))
        };
        Ok(Self {
            measure,
            metric: measure.metric.parse().map_err(|_| unknown(&measure.metric))?,
            pool: measure.pool.parse().map_err(|_| unknown(&measure.pool))?,
            family: Family::of(info.name, &measure.metric, info.quality),
        })
    }

    /// A scorer for so many frames of a take.
    pub(crate) fn scorer(
        &self,
        settings: &EncoderSettings,
        frames: u64,
        range: FrameRange,
    ) -> Result<TakeScorer, ExportError> {
        let stride = self.measure.stride_for(frames);
        let scorer = TakeScorer::open(settings, self.measure.size, self.metric, self.pool, stride);
        scorer.map_err(|source| ExportError::Quality { range, source })
    }
}

/// An encode that keeps the limits of its take, if it has any.
type Capped = RateCapped<Box<dyn Encoder>>;

/// A take that is being encoded.
struct RunningTake<'a> {
    tools: &'a TakeTools,
    run: EncodeRun<Capped, TakeScorer>,
    writer: TakeWriter,
    start: u64,
    /// Width and height of the encode; the source may be a row or a column larger.
    size: (u32, u32),
    /// The bytes of each sample so far.
    sizes: Vec<u64>,
    /// The sum of the frames' quantizers.
    quantizers: f64,
    reorder_ticks: i64,
    /// Hashes of the pictures that decoders will see, where the encoder gives them.
    pictures: Option<Vec<u64>>,
    score: Option<Score>,
    score_cpu: CpuMeter,
    frame_scores: FrameScoreMeter,
    controller: Option<QualityController>,
    /// The threads of the encoder's library.
    threads: Arc<Mutex<LibraryThreads>>,
    /// What the cap keeps to, where it has to know when the take begins.
    rules: Option<CapRules>,
}

impl<'a> RunningTake<'a> {
    fn open(
        tools: &'a TakeTools,
        description: &TakeDescription,
        settings: &EncoderSettings,
        frames: u64,
    ) -> Result<Self, ExportError> {
        let range = description.range;
        let info = tools.factory.info();
        let frames_held = held_frames(info, settings, &description.limits);
        let rules = CapRules {
            limits: description.limits.clone(),
            unfit: Unfit::Emitted,
            hold_back: match frames_held {
                0 => HoldBack::Reordered,
                frames => HoldBack::Whole { frames },
            },
            ..CapRules::default()
        };
        let factory = tools.factory.clone();
        let threads = Arc::<Mutex<LibraryThreads>>::default();
        let started = threads.clone();
        let open = Box::new(move |settings: &EncoderSettings| {
            // a list is sound whatever a panicking holder was doing
            started.lock().unwrap_or_else(PoisonError::into_inner).during(|| factory.open(settings))
        });
        let capped = RateCapped::new(info, settings.clone(), rules.clone(), CapState::default(), open)
            .map_err(|source| ExportError::Encoder { range, source })?;
        let run = EncodeRun::new(capped, settings.reconstruct && info.reconstructs);
        let scored = description.measure.as_ref().map(|measure| Scored::of(tools, measure)).transpose()?;
        let mut score_cpu = CpuMeter::default();
        let mut frame_scores = FrameScoreMeter::default();
        let run = match &scored {
            Some(scored) => {
                let scorer = scored.scorer(settings, frames, range)?;
                (score_cpu, frame_scores) = (scorer.cpu(), scorer.frame_scores());
                run.scored(scorer)
            }
            None => run.unscored(),
        };
        let controller = match (description.steer, settings.rate, &scored) {
            (Some(aim), RateControl::Quality(quality), Some(scored)) if info.steers => {
                let size = (frames, u64::from(settings.width) * u64::from(settings.height));
                Some(QualityController::new(scored.family, info.quality, aim, size, quality))
            }
            _ => None,
        };
        let mut writer = tools.store.begin()?;
        writer.format(run.format())?;
        Ok(Self {
            tools,
            run,
            writer,
            start: range.start,
            size: (settings.width, settings.height),
            sizes: Vec::new(),
            quantizers: 0.0,
            reorder_ticks: 0,
            pictures: (settings.reconstruct && info.reconstructs).then(Vec::new),
            score: None,
            score_cpu,
            frame_scores,
            controller,
            threads,
            rules: Some(rules).filter(|_| frames_held > 0),
        })
    }

    fn range(&self) -> FrameRange {
        FrameRange::new(self.start, self.start + self.run.pushed())
    }

    fn send(&mut self, fed: TakeFrame) -> Result<(), ExportError> {
        let TakeFrame { frame, .. } = &fed;
        let pts = ticks_to_time(frame.pts, self.tools.time_base);
        let duration = if frame.duration > 0 {
            ticks_to_time(frame.duration, self.tools.time_base)
        } else {
            Time::INVALID
        };
        let picture = frame.picture.cropped(self.size.0, self.size.1);
        if let Some(rules) = self.rules.take() {
            let margins = PartMargins { start: Some(pts), end: PartEnd::Unknown, average: None };
            self.run.encoder_mut().set_rules(CapRules { margins: Some(margins), ..rules });
        }
        let reference = frame.unscaled.as_ref().unwrap_or(&picture);
        self.run
            .push_scored_by(&picture, reference, pts, duration, FrameOptions::default())
            .map_err(|source| ExportError::Encoder { range: self.range(), source })?;
        // from here on only the encoder and the scorer hold the picture, and the scout has its room back
        drop((fed, picture));
        self.receive()
    }

    fn finish(&mut self) -> Result<(), ExportError> {
        self.run.finish().map_err(|source| ExportError::Encoder { range: self.range(), source })?;
        self.receive()
    }

    /// Takes everything that the encoder has for now.
    fn receive(&mut self) -> Result<(), ExportError> {
        while let Some(event) = self.run.next().map_err(|error| run_error(error, self.range()))? {
            // an encoder may work for long on what it was given, above all when it is told that nothing more
            // comes
            self.tools.stop.check()?;
            match event {
                RunEvent::Sample(frame) => {
                    let sample = frame.sample;
                    if let Some(controller) = &mut self.controller {
                        controller.coded(sample.data.len() as u64);
                    }
                    self.sizes.push(sample.data.len() as u64);
                    self.quantizers += f64::from(frame.qp);
                    let shift = sample.dts - sample.pts;
                    let ticks = time_to_ticks(shift, self.tools.time_base).unwrap_or(0);
                    self.reorder_ticks = self.reorder_ticks.max(ticks);
                    self.writer.sample(&sample)?;
                }
                RunEvent::Picture { picture, .. } => {
                    self.pictures.get_or_insert_default().push(picture_hash(&picture));
                    if let (Some(controller), Some(scorer)) = (&mut self.controller, self.run.scorer())
                        && let Some(quality) = controller.correct(scorer.settled())
                    {
                        self.run.set_quality(quality);
                    }
                }
                RunEvent::Score { score, .. } => {
                    let range = self.range();
                    self.score = Some(score.map_err(|source| ExportError::Quality { range, source })?);
                }
                other => {
                    return Err(ExportError::Internal(format!("{}: {other:?} from a take", self.range())));
                }
            }
        }
        Ok(())
    }

    fn conclude(self) -> (TakeWriter, TakeRecord) {
        let record = TakeRecord {
            range: self.range(),
            quality: None,
            qp: self.quantizers / self.range().len().max(1) as f64,
            bytes: self.sizes.iter().sum(),
            reorder_ticks: self.reorder_ticks,
            score: self.score,
            sizes: self.sizes,
            frame_scores: self.frame_scores.scores(),
            pictures: self.pictures,
            look: None,
            cpu: CpuSeconds { measure: self.score_cpu.seconds(), ..CpuSeconds::default() },
        };
        (self.writer, record)
    }
}

/// An encoder's fault is the encoder's; that it does not keep to its contract is a defect.
pub(crate) fn run_error(error: RunError, range: FrameRange) -> ExportError {
    match error {
        RunError::Encoder(source) => ExportError::Encoder { range, source },
        other => ExportError::Internal(format!("{range}: {other}")),
    }
}
