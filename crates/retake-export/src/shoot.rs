//! One take: frames in, samples to disk, pictures to the metric, and a record of how it came out.

use crate::error::ExportError;
use crate::feed::{FedFrame, Feed};
use crate::look;
use crate::scorers;
use crate::steer::Pilot;
use crate::stop::StopFlag;
use crate::store::{TakeStore, TakeWriter};
use retake_compression::encoder::{Encoder, EncoderFactory, FrameOptions, Output, RateControl};
use retake_compression::planner::curve::Family;
use retake_compression::take::{CpuSeconds, TakeDescription, TakeRecord};
use retake_compression::units::FrameRange;
use retake_libav::{picture_hash, ticks_to_time, time_to_ticks};
use retake_media::{PixelBuffer, Rational, Time};
use retake_quality::{MetricKind, Pool, Scorer};
use std::collections::{BTreeMap, VecDeque};

/// What a take needs besides its description.
pub(crate) struct Stage<'a> {
    pub factory: &'a dyn EncoderFactory,
    pub store: &'a TakeStore,
    /// Seconds per tick of the source's time stamps.
    pub time_base: Rational,
    pub family: Family,
    pub stop: &'a StopFlag,
    /// Told of every few frames that went into the encoder.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// CPU seconds of the calling thread.
pub(crate) fn thread_cpu() -> f64 {
    seconds(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime))
}

/// CPU seconds of all threads of the process.
pub(crate) fn process_cpu() -> f64 {
    seconds(rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime))
}

fn seconds(time: rustix::time::Timespec) -> f64 {
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// A take that was encoded, and is not safe on disk yet.
pub(crate) struct Shot {
    writer: TakeWriter,
    description: TakeDescription,
    record: TakeRecord,
}

impl Shot {
    /// Makes it safe: after this it survives everything. Waits for the disk.
    pub(crate) fn keep(self) -> Result<(TakeDescription, TakeRecord), ExportError> {
        self.writer.finish(&self.description, &self.record)?;
        Ok((self.description, self.record))
    }
}

/// Encodes the frames of `feed` as `description` says. The description comes back with the true end of its range: takes that begin while
/// their unit is still being decoded do not know it before.
pub(crate) fn shoot(
    stage: &Stage,
    mut description: TakeDescription,
    mut feed: Feed,
) -> Result<Shot, ExportError> {
    let began = thread_cpu();
    let mut frames = VecDeque::new();
    let mut settings = description.settings.clone();
    let mut looked = None;
    if let (Some(look), Some(measure)) = (&description.look, &description.measure) {
        while let Some(frame) = feed.next(stage.stop)? {
            frames.push_back(frame);
        }
        let range = FrameRange::new(description.range.start, description.range.start + frames.len() as u64);
        let (quality, record) = look::look(stage, &settings, look, measure, range, frames.make_contiguous())?;
        settings.rate = RateControl::Quality(quality);
        looked = Some(record);
    }
    let look_cpu = thread_cpu() - began;
    let start = description.range.start;
    let known = if frames.is_empty() { description.range.len() } else { frames.len() as u64 };
    let mut take = Take::open(stage, &description, &settings, known)?;
    let mut since = 0;
    loop {
        let next = match frames.pop_front() {
            Some(frame) => Some(frame),
            None if looked.is_some() => None,
            None => feed.next(stage.stop)?,
        };
        let Some(frame) = next else { break };
        take.send(frame)?;
        since += 1;
        if since == 8 {
            (stage.progress)(since);
            since = 0;
        }
    }
    take.encoder.finish().map_err(|source| take.encoder_error(source))?;
    while take.receive()? {}
    (stage.progress)(since);
    if take.sent == 0 {
        return Err(ExportError::Internal(format!("the take at frame {start} got no frames")));
    }
    description.range.end = start + take.sent;
    let quality = match settings.rate {
        RateControl::Quality(quality) => Some(take.pilot.as_ref().map_or(quality, Pilot::average)),
        _ => None,
    };
    let (writer, mut record) = take.conclude(description.range)?;
    record.quality = quality;
    record.look = looked;
    record.cpu.look = look_cpu;
    record.cpu.encode = thread_cpu() - began - look_cpu - record.cpu.measure;
    Ok(Shot { writer, description, record })
}

/// A running take.
struct Take<'a> {
    stage: &'a Stage<'a>,
    encoder: Box<dyn Encoder>,
    writer: TakeWriter,
    start: u64,
    /// Width and height of the encode; the source may be a row or a column larger.
    size: (u32, u32),
    sent: u64,
    samples: u64,
    bytes: u64,
    reorder: i64,
    reconstructs: bool,
    hashes: Vec<u64>,
    judge: Option<Judge>,
    pilot: Option<Pilot>,
    /// Reconstructed pictures that wait for an earlier one.
    early: BTreeMap<u64, PixelBuffer>,
}

/// The metric of a take, and the source pictures that wait for their reconstruction.
struct Judge {
    scorer: Scorer,
    pool: Pool,
    sources: VecDeque<PixelBuffer>,
    cpu: f64,
}

impl<'a> Take<'a> {
    fn open(
        stage: &'a Stage<'a>,
        description: &TakeDescription,
        settings: &retake_compression::encoder::EncoderSettings,
        frames: u64,
    ) -> Result<Self, ExportError> {
        let range = description.range;
        let encoder =
            stage.factory.open(settings).map_err(|source| ExportError::Encoder { range, source })?;
        let judge = match &description.measure {
            Some(measure) => Some(Judge {
                scorer: new_scorer(settings, &measure.metric, measure.stride_for(frames), range)?,
                pool: parse(&measure.pool)?,
                sources: VecDeque::new(),
                cpu: 0.0,
            }),
            None => None,
        };
        let pilot = match (description.steer, settings.rate) {
            (Some(aim), RateControl::Quality(quality)) if stage.factory.info().steers => {
                Some(Pilot::new(stage.family, stage.factory.info().quality, aim, frames, quality))
            }
            _ => None,
        };
        let mut writer = stage.store.begin()?;
        writer.format(encoder.format())?;
        Ok(Self {
            stage,
            encoder,
            writer,
            start: range.start,
            size: (settings.width, settings.height),
            sent: 0,
            samples: 0,
            bytes: 0,
            reorder: 0,
            reconstructs: settings.reconstruct && stage.factory.info().reconstructs,
            hashes: Vec::new(),
            judge,
            pilot,
            early: BTreeMap::new(),
        })
    }

    fn range(&self) -> FrameRange {
        FrameRange::new(self.start, self.start + self.sent)
    }

    fn encoder_error(&self, source: retake_compression::encoder::EncoderError) -> ExportError {
        ExportError::Encoder { range: self.range(), source }
    }

    fn send(&mut self, fed: FedFrame) -> Result<(), ExportError> {
        let FedFrame { frame, .. } = &fed;
        let pts = ticks_to_time(frame.pts, self.stage.time_base);
        let duration = if frame.duration > 0 {
            ticks_to_time(frame.duration, self.stage.time_base)
        } else {
            Time::INVALID
        };
        let picture = frame.picture.cropped(self.size.0, self.size.1);
        self.encoder
            .send(&picture, pts, duration, FrameOptions::default())
            .map_err(|source| self.encoder_error(source))?;
        self.sent += 1;
        if let Some(judge) = &mut self.judge {
            judge.sources.push_back(picture);
        }
        drop(fed);
        while self.receive()? {}
        Ok(())
    }

    /// Takes one output from the encoder; false when there is none for now.
    fn receive(&mut self) -> Result<bool, ExportError> {
        match self.encoder.receive().map_err(|source| self.encoder_error(source))? {
            Output::Frame(frame) => {
                let sample = frame.sample;
                if let Some(pilot) = &mut self.pilot {
                    pilot.coded();
                }
                self.samples += 1;
                self.bytes += sample.data.len() as u64;
                let shift = sample.dts.subtract(sample.pts);
                self.reorder = self.reorder.max(time_to_ticks(shift, self.stage.time_base).unwrap_or(0));
                self.writer.sample(&sample)?;
            }
            Output::Picture { index, picture } => {
                self.early.insert(index, picture);
                while let Some(picture) = self.early.remove(&(self.hashes.len() as u64)) {
                    self.look_at(&picture)?;
                }
            }
            // that a frame is missing is found out at the end
            Output::Dropped { .. } => {}
            Output::Pending | Output::End => return Ok(false),
        }
        Ok(true)
    }

    fn look_at(&mut self, picture: &PixelBuffer) -> Result<(), ExportError> {
        self.hashes.push(picture_hash(picture));
        let range = self.range();
        let Some(judge) = &mut self.judge else { return Ok(()) };
        let source = judge.sources.pop_front();
        let source = source.ok_or_else(|| ExportError::Internal("more pictures than frames".into()))?;
        let began = thread_cpu();
        judge.scorer.push(&source, picture).map_err(|source| ExportError::Quality { range, source })?;
        judge.cpu += thread_cpu() - began;
        if let Some(pilot) = &mut self.pilot
            && let Some(quality) = pilot.correct(judge.scorer.settled())
        {
            self.encoder.set_quality(quality);
        }
        Ok(())
    }

    fn conclude(self, range: FrameRange) -> Result<(TakeWriter, TakeRecord), ExportError> {
        if self.samples != self.sent || (self.reconstructs && self.hashes.len() as u64 != self.sent) {
            return Err(ExportError::Internal(format!(
                "{range}: {} frames went in, {} samples and {} pictures came out",
                self.sent,
                self.samples,
                self.hashes.len()
            )));
        }
        let mut cpu = CpuSeconds::default();
        let score = match self.judge {
            Some(judge) => {
                let began = thread_cpu();
                let score = scorers::finish(judge.scorer, judge.pool);
                cpu.measure = judge.cpu + thread_cpu() - began;
                Some(score.map_err(|source| ExportError::Quality { range, source })?)
            }
            None => None,
        };
        let record = TakeRecord {
            range,
            quality: None,
            bytes: self.bytes,
            reorder_ticks: self.reorder,
            score,
            pictures: self.reconstructs.then_some(self.hashes),
            look: None,
            cpu,
        };
        Ok((self.writer, record))
    }
}

pub(crate) fn new_scorer(
    settings: &retake_compression::encoder::EncoderSettings,
    metric: &str,
    stride: u32,
    range: FrameRange,
) -> Result<Scorer, ExportError> {
    let metric: MetricKind = parse(metric)?;
    scorers::open(settings, metric, stride).map_err(|source| ExportError::Quality { range, source })
}

pub(crate) fn parse<T: std::str::FromStr>(name: &str) -> Result<T, ExportError> {
    name.parse().map_err(|_| ExportError::Request(format!("'{name}' is not known here")))
}
