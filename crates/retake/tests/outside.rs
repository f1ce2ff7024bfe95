//! An encoder and a metric that this library does not know, written against the crate `retake` alone:
//! sessions encode with the one, and judge by the other.

#![allow(clippy::unwrap_used)] // a test's panic is its answer

use retake::SourceFrame;
use retake::encoder::{
    ControlSupport, EncodedFrame, EncoderSettings, Output, Preset, QualityScale, RateControl,
};
use retake::property::{Property, PropertyKey};
use retake::scorer::{AnyScorer, Metric, Score, Scorer, Scorers};
use retake::session::{CompressionSession, NextPass, PassOptions};
use retake::silo::FrameSilo;
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{
    Codec, Encoder, EncoderError, EncoderFactory, EncoderInfo, FormatDescription, FrameOptions, PixelBuffer,
    PixelBufferPool, PixelFormat, Registry, Sample, SampleKind, Time, TimeRange,
};
use std::collections::VecDeque;
use std::sync::Arc;

const WIDTH: u32 = 32;
const HEIGHT: u32 = 16;
const FRAMES: usize = 48;

/// Codes luma by leaving out its lowest bits: as many as its quality says, which is a whole number.
struct Coarse(EncoderInfo);

impl Coarse {
    fn new() -> Self {
        Self(EncoderInfo {
            name: "coarse",
            codec: Codec::H264,
            version: "1".to_owned(),
            formats: vec![PixelFormat::I420],
            presets: vec![Preset { name: "usual".to_owned() }],
            default_preset: "usual",
            quality: QualityScale { min: 0.0, max: 7.0, step: 1.0, usual: 5.0 },
            reconstructs: true,
            steers: false,
            reorders: false,
            licence: "MIT",
            controls: ControlSupport::default(),
        })
    }
}

impl EncoderFactory for Coarse {
    fn info(&self) -> &EncoderInfo {
        &self.0
    }

    fn memory(&self, settings: &EncoderSettings) -> u64 {
        4 * u64::from(settings.width) * u64::from(settings.height)
    }

    fn delay(&self, _: &EncoderSettings) -> u32 {
        0
    }

    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError> {
        let RateControl::Quality(bits) = settings.rate else {
            return Err(EncoderError::Settings {
                encoder: "coarse",
                setting: "rate".to_owned(),
                reason: "it has constant quality alone".to_owned(),
            });
        };
        Ok(Box::new(Coarsening {
            format: FormatDescription::video(Codec::H264, settings.width, settings.height),
            bits: bits as u32,
            interval: u64::from(settings.max_key_frame_interval.max(1)),
            reconstruct: settings.reconstruct,
            pool: PixelBufferPool::new(PixelFormat::I420, settings.width, settings.height),
            sent: 0,
            ready: VecDeque::new(),
            finished: false,
        }))
    }
}

struct Coarsening {
    format: FormatDescription,
    bits: u32,
    interval: u64,
    reconstruct: bool,
    pool: PixelBufferPool,
    sent: u64,
    ready: VecDeque<Output>,
    finished: bool,
}

impl Encoder for Coarsening {
    fn format(&self) -> &FormatDescription {
        &self.format
    }

    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<(), EncoderError> {
        let index = self.sent;
        let sync = options.force_key_frame || index.is_multiple_of(self.interval);
        let mut data = vec![self.bits as u8];
        for row in 0..picture.height() as usize {
            data.extend(picture.row(0, row).iter().map(|luma| luma >> self.bits));
        }
        let kind = if sync { SampleKind::Sync } else { SampleKind::Reference };
        let sample = Sample { data, pts, dts: pts, duration, kind };
        if self.reconstruct {
            let picture = decode(&self.pool, &sample.data);
            self.ready.push_back(Output::Picture { index, picture });
        }
        let frame = EncodedFrame { sample, index, qp: self.bits as f32, error: None, token: None, layer: 0 };
        self.ready.push_back(Output::Frame(frame));
        self.sent += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        self.finished = true;
        Ok(())
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        let usual = if self.finished { Output::End } else { Output::Pending };
        Ok(self.ready.pop_front().unwrap_or(usual))
    }
}

/// The picture of a sample.
fn decode(pool: &PixelBufferPool, data: &[u8]) -> PixelBuffer {
    let (bits, mut luma) = (data[0], data[1..].iter());
    let mut picture = pool.take();
    for plane in [1, 2] {
        picture.plane_mut(plane).fill(128);
    }
    for row in 0..HEIGHT as usize {
        for (to, from) in picture.row_mut(0, row).iter_mut().zip(luma.by_ref()) {
            *to = from << bits;
        }
    }
    picture.freeze()
}

/// How far luma is off on the average, taken from 100.
struct Nearness([Metric; 1]);

impl Scorers for Nearness {
    fn metrics(&self) -> &[Metric] {
        &self.0
    }

    fn open(&self, metric: &str, _: &EncoderSettings) -> Result<AnyScorer, String> {
        assert_eq!(metric, "nearness");
        Ok(Box::new(Unit { off: 0.0, frames: 0 }))
    }
}

struct Unit {
    off: f64,
    frames: u64,
}

impl Scorer for Unit {
    type Error = String;

    fn push(&mut self, source: &PixelBuffer, picture: &PixelBuffer) -> Result<(), String> {
        (self.off, self.frames) = (self.off + off(source, picture), self.frames + 1);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Score, String> {
        let value = 100.0 - self.off / self.frames as f64;
        Ok(Score { value, error: 0.0, psnr: 40.0, ceiling: None })
    }
}

fn off(source: &PixelBuffer, picture: &PixelBuffer) -> f64 {
    let rows = (0..HEIGHT as usize).flat_map(|row| source.row(0, row).iter().zip(picture.row(0, row)));
    rows.map(|(one, other)| f64::from(one.abs_diff(*other))).sum::<f64>() / f64::from(WIDTH * HEIGHT)
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.add(Arc::new(Coarse::new()));
    let metric = Metric { name: "nearness", best: 100.0, unit: 1.0 };
    registry.set_scorers(Arc::new(Nearness([metric])));
    registry
}

fn film() -> Vec<PixelBuffer> {
    let pool = PixelBufferPool::new(PixelFormat::I420, WIDTH, HEIGHT);
    let picture = |frame: usize| {
        let mut picture = pool.take();
        for plane in [1, 2] {
            picture.plane_mut(plane).fill(128);
        }
        for row in 0..HEIGHT as usize {
            for (column, luma) in picture.row_mut(0, row).iter_mut().enumerate() {
                *luma = (column * 5 + row * 11 + frame * 3) as u8;
            }
        }
        picture.freeze()
    };
    (0..FRAMES).map(picture).collect()
}

/// In passes until no unit is below a floor by the metric: what the samples of the silo decode to is as near
/// as was asked.
#[test]
fn an_encoder_and_a_metric_from_outside() {
    let registry = registry();
    let film = film();
    let (session, outcomes) =
        CompressionSession::builder(&registry, WIDTH, HEIGHT, Codec::H264).build_pull().unwrap();
    let properties =
        [Property::MaxKeyFrameInterval(12), Property::ExpectedFrameRate(24.0), Property::QualityFloor(98.0)];
    session.set_all(&properties).unwrap();
    // No metric is named, because the one of the registry is the first of the list.
    assert_eq!(session.get(PropertyKey::QualityMetric).unwrap(), None);
    let storage = MultiPassStorage::create(None, &StorageOptions::default()).unwrap();
    // A second pass comes in any case, so that the encoder is opened for units as well.
    let options = PassOptions { request_once: true, ..PassOptions::default() };
    session.set_multi_pass_storage(Some(&storage), options).unwrap();
    let silo = FrameSilo::temporary(None).unwrap();
    let mut ranges: Arc<[TimeRange]> = [TimeRange::EVERYTHING].into();
    let mut passes = 0;
    loop {
        session.begin_pass().unwrap();
        for (index, picture) in film.iter().enumerate() {
            let pts = Time::new(index as i64, 24);
            if ranges.iter().any(|range| range.contains(pts)) {
                session.encode(SourceFrame::new(picture, pts).duration(Time::new(1, 24)), ()).unwrap();
            }
        }
        let next = session.end_pass().unwrap();
        while let Some(outcome) = outcomes.try_receive() {
            silo.add(&outcome.into_sample().unwrap().unwrap()).unwrap();
        }
        passes += 1;
        let NextPass::Requested(again) = next else { break };
        silo.set_time_ranges_for_next_pass(&again).unwrap();
        ranges = again;
    }
    assert!(passes > 1, "a second pass was wanted always");
    let pool = PixelBufferPool::new(PixelFormat::I420, WIDTH, HEIGHT);
    let samples: Vec<_> = silo.samples(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(samples.len(), FRAMES);
    for (unit, sources) in samples.chunks(12).zip(film.chunks(12)) {
        let offs =
            unit.iter().zip(sources).map(|(one, source)| off(source, &decode(&pool, &one.sample.data)));
        assert!(100.0 - offs.sum::<f64>() / 12.0 >= 98.0, "{}", unit[0].sample.pts);
    }
}
