//! These tests check the silo against a model, after crashes, and by its rules; this module has what they
//! share.

mod crash;
mod model;
mod rules;

use retake_media::{Codec, FormatDescription, Sample, SampleAttachments, SampleBuffer, SampleKind, Time};
use std::sync::Arc;

fn format(width: u32) -> Arc<FormatDescription> {
    Arc::new(FormatDescription { config: vec![1, 2, 3], ..FormatDescription::video(Codec::H264, width, 64) })
}

/// Makes a sample with a decode time; it is shown at `pts`.
fn sample(dts: Time, pts: Time, data: &[u8]) -> SampleBuffer {
    let kind = if data.len().is_multiple_of(2) { SampleKind::Reference } else { SampleKind::Sync };
    let sample = Sample { data: data.to_vec(), pts, dts, duration: Time::new(1, 1), kind };
    SampleBuffer { sample, format: format(64), attachments: SampleAttachments::default() }
}

/// Makes a sample whose decode and presentation times are equal.
fn at(seconds: i64) -> SampleBuffer {
    sample(Time::new(seconds, 1), Time::new(seconds, 1), &seconds.to_le_bytes())
}
