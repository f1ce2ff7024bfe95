mod crash;
mod model;
mod rules;

use retake_media::{
    Codec, Colour, FormatDescription, Rational, Sample, SampleAttachments, SampleBuffer, SampleKind, Time,
};
use std::sync::Arc;

fn format(width: u32) -> Arc<FormatDescription> {
    Arc::new(FormatDescription {
        codec: Codec::H264,
        width,
        height: 64,
        config: vec![1, 2, 3],
        colour: Colour::default(),
        pixel_aspect_ratio: Rational::new(1, 1),
        clean_aperture: None,
        fields: None,
        gamma: None,
        icc_profile: None,
        mastering_display: None,
        content_light: None,
    })
}

/// A sample with a decode time; it is shown at `pts`.
fn sample(dts: Time, pts: Time, data: &[u8]) -> SampleBuffer {
    let kind = if data.len().is_multiple_of(2) { SampleKind::Reference } else { SampleKind::Sync };
    let sample = Sample { data: data.to_vec(), pts, dts, duration: Time::new(1, 1), kind };
    SampleBuffer { sample, format: format(64), attachments: SampleAttachments::default() }
}

/// Decode and presentation time are equal.
fn at(seconds: i64) -> SampleBuffer {
    sample(Time::new(seconds, 1), Time::new(seconds, 1), &seconds.to_le_bytes())
}
