//! One source, several sessions, with the encoders of the build; joined, and decoded by the `ffmpeg` program.

#![allow(clippy::unwrap_used)]

#[path = "../session/common.rs"]
mod common;
mod failures;
mod golden;
mod joins;
mod plans;
mod recommendations;
mod source;
mod starts;

use common::{HEIGHT, WIDTH};
use retake::SourceFrame;
use retake::parallel::{
    EncodedParts, FrameReading, FrameSource, JoinReport, ParallelEncode, ParallelError, SourceError,
    Subdivision,
};
use retake::property::Property;
use retake::session::EncoderSpecification;
use retake::{EncoderInfo, FrameRange, PixelBuffer, Registry, SampleBuffer, Time};

const RATE: usize = 25;

/// Pictures in memory, 25 a second, from a time that is not 0.
struct Film(Vec<PixelBuffer>);

fn at(index: usize) -> Time {
    Time::new(index as i64 + 3, RATE as i32)
}

impl FrameSource for Film {
    fn frame_count(&self) -> u64 {
        self.0.len() as u64
    }

    fn duration(&self) -> Option<Time> {
        Some(Time::new(self.0.len() as i64, RATE as i32))
    }

    fn open(&self, range: FrameRange) -> Result<FrameReading<'_>, SourceError> {
        let range = range.start as usize..range.end as usize;
        Ok(Box::new(self.0[range.clone()].iter().zip(range).map(|(picture, index)| {
            Ok(SourceFrame::new(picture, at(index)).duration(Time::new(1, RATE as i32)))
        })))
    }
}

/// Four parts of a source, with a sync frame at least every second.
fn job<'a>(registry: &'a Registry, info: &EncoderInfo, more: &[Property]) -> ParallelEncode<'a> {
    let mut properties = common::usual(info);
    properties.retain(|property| !matches!(property, Property::ExpectedFrameRate(_)));
    properties.push(Property::MaxKeyFrameInterval(RATE as u32));
    properties.extend_from_slice(more);
    ParallelEncode::new(registry, WIDTH, HEIGHT, info.codec)
        .specification(EncoderSpecification { encoder: Some(info.name.to_owned()), ..Default::default() })
        .properties(properties)
        .subdivision(Subdivision::at_most(4))
        .at_once(2)
}

fn joined(parts: &EncodedParts) -> (Vec<SampleBuffer>, JoinReport) {
    let mut samples = Vec::new();
    let report = parts.join(|sample| {
        samples.push(sample);
        Ok::<_, ParallelError>(())
    });
    (samples, report.unwrap())
}

/// PA-5, PA-6, PA-7: one description, all times, decode times that rise, sync frames where parts begin; and
/// the samples one after the other decode to all frames.
fn is_one_film(info: &EncoderInfo, parts: &EncodedParts, frames: usize) -> Vec<SampleBuffer> {
    let (samples, report) = joined(parts);
    let name = info.name;
    assert_eq!((report.parts, report.samples), (parts.parts().len(), frames as u64), "{name}");
    assert!(samples.iter().all(|sample| sample.format == samples[0].format), "{name}: several descriptions");
    let times: Vec<Time> = (0..frames).map(at).collect();
    assert!(samples.iter().map(|sample| sample.sample.dts).eq(times.iter().copied()), "{name}");
    let mut shown: Vec<Time> = samples.iter().map(|sample| sample.sample.pts).collect();
    shown.sort();
    assert_eq!(shown, times, "{name}");
    for part in parts.parts() {
        assert!(samples[part.part.range.start as usize].sample.is_sync(), "{name}: {}", part.part.range);
    }
    if common::ffmpeg() {
        assert_eq!(common::decode(&samples.iter().collect::<Vec<_>>()).len(), frames, "{name}");
    }
    samples
}
