//! The film of a simulation, and its encoder: curves of rate and quality that follow from a seed.

use super::dice::Dice;
use retake_compression::encoder::{
    ControlSupport, Encoder, EncoderError, EncoderFactory, EncoderInfo, EncoderSettings, FrameOptions,
    Output, Preset, QualityScale, RateControl,
};
use retake_compression::take::{CpuSeconds, Score, TakeDescription, TakeRecord};
use retake_compression::units::FrameRange;
use retake_libav::{FrameEntry, FrameIndex};
use retake_media::{Codec, FormatDescription, PixelBuffer, PixelFormat, Rational, Time};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The size of a picture.
const SIZE: (u32, u32) = (1920, 1080);
/// The frames of a second.
pub(super) const RATE: i32 = 24;
/// The CPU seconds that a frame takes on a machine of speed 1, encoded and measured.
const FRAME_SECONDS: f64 = 0.4;
/// The share of a take's time that a quick look takes before it.
const LOOK: f64 = 0.15;

/// How the encoder's knob behaves: a fine one is that of x264, a coarse one that of SVT-AV1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Knob {
    pub name: &'static str,
    scale: QualityScale,
    /// The knob at a distance of 7 from the ceiling in VMAF, and its steps for e times the distance.
    middle: f64,
    slope: f64,
    /// How much units differ in `middle`.
    spread: f64,
    /// How much a quick look errs.
    look: f64,
    /// The doublings of bytes for a step, and the logarithm of bits a pixel at `middle`.
    bytes: f64,
    bits: f64,
}

pub(super) const FINE: Knob = Knob {
    name: "x264",
    scale: QualityScale { min: 1.0, max: 51.0, step: 0.1, usual: 23.0 },
    middle: 26.6,
    slope: 7.94,
    spread: 2.6,
    look: 1.5,
    bytes: -0.19,
    bits: -4.2,
};

pub(super) const COARSE: Knob = Knob {
    name: "svt-av1",
    scale: QualityScale { min: 1.0, max: 63.0, step: 1.0, usual: 35.0 },
    middle: 39.7,
    slope: 19.9,
    spread: 5.0,
    look: 4.0,
    bytes: -0.085,
    bits: -4.8,
};

/// A film of which everything follows from a seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct SimulatedFilm {
    pub seed: u64,
    pub knob: Knob,
}

/// What a unit is like.
struct Nature {
    ceiling: f64,
    middle: f64,
    /// The logarithm of bits a pixel at `middle`.
    bits: f64,
    /// Its time as a multiple of the usual one.
    effort: f64,
}

impl SimulatedFilm {
    /// The units of a film, of `frames` frames in the mean.
    pub(super) fn units(&self, count: u64, frames: u64) -> Vec<FrameRange> {
        let mut dice = Dice::new(self.seed, "units");
        let mut start = 0;
        (0..count)
            .map(|_| {
                // scenes have lengths of all kinds, and there are more short ones than long ones
                let length = (frames as f64 * dice.about(0.9, 0.5)).clamp(12.0, 10.0 * frames as f64) as u64;
                let range = FrameRange::new(start, start + length);
                start = range.end;
                range
            })
            .collect()
    }

    /// All frames of a film that ends there.
    pub(super) fn index(end: u64) -> FrameIndex {
        let entry = |frame: u64| FrameEntry { pts: frame as i64, duration: 1, hash: frame, sync: frame == 0 };
        FrameIndex { time_base: Rational::new(1, RATE), frames: (0..end).map(entry).collect() }
    }

    fn nature(&self, range: FrameRange) -> Nature {
        let mut dice = Dice::new(self.seed, &format!("unit {}", range.start));
        let hard = dice.normal();
        Nature {
            ceiling: 98.5 + 0.6 * dice.normal(),
            middle: self.knob.middle - self.knob.spread * (0.6 * hard + 0.8 * dice.normal()),
            bits: self.knob.bits + 0.9 * hard,
            effort: dice.about(1.0, 0.2) * (0.15 * hard).exp(),
        }
    }

    /// The seconds that a take lasts on a machine of speed 1.
    pub(super) fn seconds(&self, take: &TakeDescription) -> f64 {
        let look = if take.look.is_some() { LOOK } else { 0.0 };
        take.range.len() as f64 * FRAME_SECONDS * self.nature(take.range).effort * (1.0 + look)
    }

    /// What comes of a take. It follows from the film and the description alone, as with every encoder.
    pub(super) fn encode(&self, take: &TakeDescription) -> TakeRecord {
        let (nature, knob) = (self.nature(take.range), &self.knob);
        let mut dice = Dice::new(self.seed, &format!("take {}", take.id()));
        let quality = match (&take.look, take.settings.rate) {
            (Some(look), _) => {
                let loss = ((nature.ceiling - look.aim).max(0.5) / 7.0).ln();
                knob.scale.snap(nature.middle + knob.slope * loss + knob.look * dice.normal())
            }
            (None, RateControl::Quality(quality)) => quality,
            (None, _) => knob.scale.usual,
        };
        let off = quality - nature.middle;
        let value = nature.ceiling - 7.0 * (off / knob.slope).exp() + 0.1 * dice.normal();
        let pixels = f64::from(SIZE.0) * f64::from(SIZE.1) * take.range.len() as f64;
        let bits = pixels * (nature.bits + knob.bytes * off + 0.03 * dice.normal()).exp2();
        let seconds = self.seconds(take);
        TakeRecord {
            range: take.range,
            quality: Some(quality),
            qp: quality,
            bytes: (bits / 8.0) as u64 + 1,
            reorder_ticks: 2,
            score: take.measure.is_some().then_some(Score {
                value,
                error: 0.1,
                psnr: 40.0,
                ceiling: Some(nature.ceiling),
            }),
            sizes: Vec::new(),
            frame_scores: None,
            pictures: Some((take.range.start..take.range.end).map(|frame| frame ^ self.seed).collect()),
            look: None,
            cpu: CpuSeconds { look: 0.0, encode: seconds, measure: 0.0 },
        }
    }
}

/// Writes a film of two grey frames, by which a job is prepared. What the job then works on is simulated.
pub(super) fn stand_in(folder: &Path) -> io::Result<PathBuf> {
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let path = folder.join("source.y4m");
    let mut film = io::BufWriter::new(fs::File::create(&path)?);
    writeln!(film, "YUV4MPEG2 W{width} H{height} F{RATE}:1 Ip A1:1 C420")?;
    for _ in 0..2 {
        film.write_all(b"FRAME\n")?;
        film.write_all(&vec![128u8; width * height * 3 / 2])?;
    }
    film.flush()?;
    Ok(path)
}

/// An encoder in name: it accepts every setting, and never gets a frame, because machines that are simulated
/// ask [`SimulatedFilm::encode`] instead.
struct InName(EncoderInfo);

pub(super) fn encoder(knob: &Knob) -> Arc<dyn EncoderFactory> {
    Arc::new(InName(EncoderInfo {
        name: knob.name,
        codec: Codec::H264,
        version: "simulated".into(),
        formats: vec![PixelFormat::I420],
        presets: vec![Preset { name: "only".into() }],
        default_preset: "only",
        quality: knob.scale,
        reconstructs: true,
        steers: false,
        reorders: true,
        licence: "MIT",
        controls: ControlSupport::default(),
    }))
}

impl EncoderFactory for InName {
    fn info(&self) -> &EncoderInfo {
        &self.0
    }

    fn memory(&self, _: &EncoderSettings) -> u64 {
        0
    }

    fn delay(&self, _: &EncoderSettings) -> u32 {
        1
    }

    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError> {
        Ok(Box::new(Opened(FormatDescription::video(self.0.codec, settings.width, settings.height))))
    }
}

struct Opened(FormatDescription);

impl Encoder for Opened {
    fn format(&self) -> &FormatDescription {
        &self.0
    }

    fn send(&mut self, _: &PixelBuffer, _: Time, _: Time, _: FrameOptions) -> Result<(), EncoderError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        Ok(())
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        Ok(Output::End)
    }
}
