//! Sessions of several passes with the encoders of the build, a silo that merges them, and the `ffmpeg` program that decodes the result.

#![allow(clippy::unwrap_used)]

#[path = "../session/common.rs"]
mod common;
mod flows;
mod merge;

use common::{Pull, STEP, at, forced, taken};
use retake::property::Property;
use retake::session::{NextPass, PassOptions};
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{EncoderInfo, FrameOptions, PixelBuffer, SampleBuffer, Time, TimeRange};
use std::sync::Arc;

/// Frames of a film of several scenes that cost differently.
const FRAMES: usize = 192;

fn film() -> Vec<PixelBuffer> {
    let mut frames = common::render(FRAMES / 2, 24, 6);
    frames.extend(common::render(FRAMES / 2, 24, 40));
    frames
}

/// Bits per second that the encoder does not meet at once.
const RATE: u64 = 240_000;

fn storage() -> Arc<MultiPassStorage> {
    MultiPassStorage::create(None, TimeRange::INVALID, &StorageOptions::default()).unwrap()
}

/// A session at a bit rate, with a sync frame at least every second.
fn at_rate(info: &EncoderInfo) -> Pull {
    let pull = common::session(info);
    pull.0.set_all(&[Property::AverageBitRate(RATE), Property::MaxKeyFrameInterval(24)]).unwrap();
    pull
}

/// A session of several passes at a bit rate.
fn session(info: &EncoderInfo, options: PassOptions) -> (Pull, Arc<MultiPassStorage>) {
    let (pull, storage) = (at_rate(info), storage());
    pull.0.set_multi_pass_storage(Some(&storage), options).unwrap();
    (pull, storage)
}

/// Sends the frames in the ranges (all without any), completes, and gives the samples.
fn send(pull: &Pull, frames: &[PixelBuffer], ranges: Option<&[TimeRange]>) -> Vec<SampleBuffer> {
    for (index, frame) in frames.iter().enumerate() {
        if ranges.is_none_or(|ranges| ranges.iter().any(|range| range.contains(at(index)))) {
            pull.0.encode(frame, at(index), STEP, forced(false), index).unwrap();
        }
    }
    pull.0.complete_frames(Time::INVALID).unwrap();
    taken(pull).into_iter().map(|(_, sample)| sample).collect()
}

fn bytes(samples: &[SampleBuffer]) -> usize {
    samples.iter().map(|buffer| buffer.sample.data.len()).sum()
}

fn whole() -> TimeRange {
    TimeRange::between(at(0), at(FRAMES))
}

/// A16, MP-4: without a storage there are no passes; the capability says whether there can be; the encoder list says so too.
#[test]
fn a16_passes_need_a_storage() {
    for info in common::encoders() {
        let pull = common::session(&info);
        assert!(pull.0.supports_multi_pass());
        assert_eq!(pull.0.begin_pass(false).unwrap_err().code(), -12902);
        assert_eq!(pull.0.end_pass().unwrap_err().code(), -12902);
        assert_eq!(pull.0.end_final_pass().unwrap_err().code(), -12902);
        assert_eq!(pull.0.time_ranges_for_next_pass().unwrap_err().code(), -12902);
        // and with one, frames come in passes only (EF-14)
        let frame = &common::render(1, 24, 0)[0];
        let storage = storage();
        pull.0.set_multi_pass_storage(Some(&storage), PassOptions::default()).unwrap();
        let refused = pull.0.encode(frame, at(0), STEP, FrameOptions::default(), 0).unwrap_err();
        assert_eq!(refused.code(), -12902);
        // MP-3, MP-28: one session has it, and rates are decided
        let other = common::session(&info);
        let in_use = other.0.set_multi_pass_storage(Some(&storage), PassOptions::default()).unwrap_err();
        assert_eq!(in_use.code(), -12213);
        pull.0.begin_pass(false).unwrap();
        assert_eq!(pull.0.set(Property::AverageBitRate(1000)).unwrap_err().code(), -12902);
        assert!(pull.0.set(Property::AllowOpenGOP(true)).is_err());
        drop(pull);
        other.0.set_multi_pass_storage(Some(&storage), PassOptions::default()).unwrap();
        storage.close().unwrap();
        assert_eq!(other.0.begin_pass(false).unwrap_err().code(), -12214);
    }
}

/// A17, MP-34: the first pass is the encode that a session without passes makes, byte for byte.
#[test]
fn a17_the_first_pass_is_an_ordinary_encode() {
    let frames = film();
    for info in common::encoders() {
        let plain = send(&at_rate(&info), &frames, None);
        let (pull, _storage) = session(&info, PassOptions::default());
        pull.0.begin_pass(false).unwrap();
        assert!(send(&pull, &frames, None) == plain, "{}", info.name);
        assert!(matches!(pull.0.end_pass(), Ok(NextPass::Requested(_) | NextPass::Finished)));
    }
}
