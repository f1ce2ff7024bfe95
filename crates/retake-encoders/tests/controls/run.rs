//! Runs whole encodes with controls, and reads their streams with other programs.

use crate::common::{Take, elementary, encode, render, settings, time};
use retake_compression::encoder::{
    Controls, Encoder, EncoderError, EncoderFactory, EncoderSettings, FrameOptions, Output,
};
use retake_media::{FormatDescription, PixelBuffer, Sample, Time};
use std::process::Command;

/// Returns the usual small settings with these controls.
pub fn with(factory: &dyn EncoderFactory, controls: Controls) -> EncoderSettings {
    EncoderSettings { controls, ..settings(factory) }
}

/// Encodes so many rendered frames; a new scene begins in the middle.
pub fn film(factory: &dyn EncoderFactory, settings: &EncoderSettings, count: usize) -> Take {
    encode(factory, settings, &render(settings, count, count / 2, 1), &[]).unwrap_or_else(|error| {
        panic!("{}: {error}: {settings:?}", factory.info().name);
    })
}

/// Returns the name of the setting that is refused; `None` if the encode opens.
pub fn refusal(factory: &dyn EncoderFactory, settings: &EncoderSettings) -> Option<String> {
    match factory.open(settings) {
        Ok(_) => None,
        Err(EncoderError::Settings { setting, reason, .. }) => {
            assert!(reason.len() > 10, "a reason that says something");
            Some(setting)
        }
        Err(error) => panic!("{}: {error}", factory.info().name),
    }
}

/// Runs an encode whose frames bring options, with a callback before each frame. Returns the take, and the
/// indices that were out after each call.
pub fn steps(
    factory: &dyn EncoderFactory,
    settings: &EncoderSettings,
    frames: &[PixelBuffer],
    mut options: impl FnMut(usize, &mut dyn Encoder, &Take) -> FrameOptions,
) -> (Take, Vec<Vec<u64>>) {
    let mut encoder = factory.open(settings).unwrap();
    let format = encoder.format().clone();
    let mut take = Take { format, frames: Vec::new(), pictures: Default::default(), held: 0 };
    let mut out = Vec::new();
    for index in 0..=frames.len() {
        match frames.get(index) {
            Some(frame) => {
                let options = options(index, &mut *encoder, &take);
                encoder.send(frame, time(index), Time::new(1001, 24000), options).unwrap();
            }
            None => encoder.finish().unwrap(),
        }
        loop {
            match encoder.receive().unwrap() {
                Output::Frame(frame) => take.frames.push(frame),
                Output::Picture { index, picture } => assert!(take.pictures.insert(index, picture).is_none()),
                Output::Dropped { index } => panic!("an encoder by itself dropped frame {index}"),
                Output::Pending | Output::End => break,
            }
        }
        out.push(take.frames.iter().map(|frame| frame.index).collect());
    }
    assert_eq!(take.frames.len(), frames.len());
    (take, out)
}

/// Returns the samples in decode order.
pub fn samples(take: &Take) -> Vec<&Sample> {
    take.frames.iter().map(|frame| &frame.sample).collect()
}

/// Returns the number of frames from one sync frame to the next, the end of the take counted as one.
pub fn sync_distances(take: &Take) -> Vec<u64> {
    let mut syncs: Vec<u64> =
        take.frames.iter().filter(|frame| frame.sample.is_sync()).map(|frame| frame.index).collect();
    syncs.push(take.frames.len() as u64);
    syncs.sort_unstable();
    syncs.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Returns the values of a syntax element in the order of the stream, as FFmpeg reads it.
pub fn syntax(format: &FormatDescription, samples: &[&Sample], element: &str) -> Vec<i64> {
    let (file, name) = elementary(format, samples);
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "verbose", "-f", name, "-i"])
        .arg(file.path())
        .args(["-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let values = text.lines().filter_map(|line| {
        let (_, line) = line.split_once(']')?;
        let mut words = line.split_whitespace().skip(1);
        (words.next()? == element).then(|| line.rsplit('=').next()?.trim().parse().ok())?
    });
    values.collect()
}

/// Returns the most bits that a bucket holds which is filled by samples, and drained at `rate` bits a second;
/// it begins empty.
pub fn fullest(take: &Take, rate: f64) -> f64 {
    let (mut level, mut worst) = (0.0f64, 0.0f64);
    for frame in &take.frames {
        level = (level - rate * 1001.0 / 24000.0).max(0.0) + frame.sample.data.len() as f64 * 8.0;
        worst = worst.max(level);
    }
    worst
}
