//! Sessions of several passes with the encoders of the build, a silo that merges them, and the `ffmpeg`
//! program that decodes the result.

#![allow(clippy::unwrap_used)]

#[path = "../session/common.rs"]
mod common;
mod disk;
mod encoder_data;
mod flows;
mod golden;
mod kept;
mod merge;
mod objectives;

use common::{Pull, STEP, at, forced, taken};
use retake::SourceFrame;
use retake::property::{Property, PropertyKey};
use retake::session::{CompressionSession, EncoderSpecification, NextPass, PassOptions};
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{EncoderInfo, FrameOptions, PixelBuffer, SampleBuffer, TimeRange};
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
    MultiPassStorage::create(None, &StorageOptions::default()).unwrap()
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
            pull.0
                .encode(SourceFrame::new(frame, at(index)).duration(STEP).options(forced(false)), index)
                .unwrap();
        }
    }
    pull.0.complete_frames().unwrap();
    taken(pull).into_iter().map(|(_, sample)| sample).collect()
}

fn bytes(samples: &[SampleBuffer]) -> usize {
    samples.iter().map(|buffer| buffer.sample.data.len()).sum()
}

fn whole() -> TimeRange {
    TimeRange::between(at(0), at(FRAMES))
}

/// A16, MP-4: without a storage there are no passes; the capability says whether there can be; the encoder
/// list says so too.
#[test]
fn a16_passes_need_a_storage() {
    for info in common::encoders() {
        let pull = common::session(&info);
        assert!(pull.0.supports_multi_pass());
        // PR-4, PR-5, PR-7: the key is there, without a type, and can be set; it is never saved
        let entry = &pull.0.supported_properties().unwrap()[&PropertyKey::MultiPassStorage];
        assert!(entry.property_type.is_none() && entry.writable && !entry.serializable);
        assert_eq!(pull.0.begin_pass().unwrap_err().code(), -12902);
        assert_eq!(pull.0.end_pass().unwrap_err().code(), -12902);
        assert_eq!(pull.0.end_final_pass().unwrap_err().code(), -12902);
        assert_eq!(pull.0.time_ranges_for_next_pass().unwrap_err().code(), -12902);
        // and with one, frames come in passes only (EF-14)
        let frame = &common::render(1, 24, 0)[0];
        let storage = storage();
        pull.0.set(Property::MultiPassStorage(storage.clone())).unwrap();
        let held = pull.0.get(PropertyKey::MultiPassStorage).unwrap();
        assert_eq!(held, Some(storage.clone().into()));
        assert!(!pull.0.serializable_properties().unwrap().0.contains_key("MultiPassStorage"));
        let refused = pull.0.encode(SourceFrame::new(frame, at(0)).duration(STEP), 0).unwrap_err();
        assert_eq!(refused.code(), -12902);
        // MP-2, MP-3, MP-28: one session has it, rates are decided, and so is the storage
        let other = common::session(&info);
        let in_use = other.0.set_multi_pass_storage(Some(&storage), PassOptions::default()).unwrap_err();
        assert_eq!(in_use.code(), -12213);
        pull.0.begin_pass().unwrap();
        assert_eq!(pull.0.set(Property::AverageBitRate(1000)).unwrap_err().code(), -12902);
        assert!(pull.0.set(Property::AllowOpenGOP(true)).is_err());
        assert_eq!(pull.0.reset(PropertyKey::MultiPassStorage).unwrap_err().code(), -12902);
        drop(pull);
        // reset before the first pass, it is free again
        other.0.set(Property::MultiPassStorage(storage.clone())).unwrap();
        other.0.reset(PropertyKey::MultiPassStorage).unwrap();
        assert_eq!(other.0.begin_pass().unwrap_err().code(), -12902);
        other.0.set_multi_pass_storage(Some(&storage), PassOptions::default()).unwrap();
        storage.close().unwrap();
        assert_eq!(other.0.begin_pass().unwrap_err().code(), -12214);
        let third = common::session(&info);
        assert_eq!(third.0.set(Property::MultiPassStorage(storage)).unwrap_err().code(), -12214);
    }
}

/// MP-1, resolution 21: low-latency sessions do not have the key, nor those that go with it.
#[test]
fn a16_low_latency_has_no_passes() {
    let registry = retake::encoders();
    for info in common::encoders().into_iter().filter(|info| info.controls.low_latency) {
        let (session, _outcomes) =
            CompressionSession::<()>::builder(&registry, common::WIDTH, common::HEIGHT, info.codec)
                .specification(EncoderSpecification {
                    encoder: Some(info.name.to_owned()),
                    low_latency: true,
                    ..EncoderSpecification::default()
                })
                .build_pull()
                .unwrap();
        let supported = session.supported_properties().unwrap();
        for property in
            [Property::MultiPassStorage(storage()), Property::MaxPassCount(2), Property::QualityFloor(40.0)]
        {
            assert!(!supported.contains_key(&property.key()), "{}", info.name);
            assert_eq!(session.set(property).unwrap_err().code(), -12900, "{}", info.name);
        }
        assert!(!session.supports_multi_pass());
    }
}

/// 5.3, 6.2, MP-28: what does not go with passes is refused in both orders, as are quantizers of single
/// frames; hints may change.
#[test]
fn what_does_not_go_with_passes_is_refused() {
    for info in common::encoders() {
        for other in [
            Property::SuggestedLookAheadFrameCount(8),
            Property::AllowOpenGOP(true),
            Property::ConstantBitRate(200_000),
        ] {
            let pull = common::session(&info);
            if !common::has(&pull, other.key()) {
                continue;
            }
            let passes = Property::MultiPassStorage(storage());
            for (one, two) in [(&passes, &other), (&other, &passes)] {
                pull.0.set(one.clone()).unwrap();
                assert_eq!(pull.0.set(two.clone()).unwrap_err().code(), -12902, "{}: {two:?}", info.name);
                pull.0.reset(one.key()).unwrap();
            }
        }
        let (pull, _storage) = session(&info, PassOptions::default());
        pull.0.begin_pass().unwrap();
        let quantized = FrameOptions { base_qp: Some(30), ..FrameOptions::default() };
        let frame = &common::render(1, 24, 0)[0];
        assert_eq!(
            pull.0
                .encode(SourceFrame::new(frame, at(0)).duration(STEP).options(quantized), 0)
                .unwrap_err()
                .code(),
            -12902
        );
        pull.0.set(Property::RealTime(true)).unwrap();
        assert_eq!(pull.0.set(Property::MaxPassCount(3)).unwrap_err().code(), -12902);
    }
}

/// A17, MP-34: the first pass is the encode that a session without passes makes, byte for byte.
#[test]
fn a17_the_first_pass_is_an_ordinary_encode() {
    let frames = film();
    for info in common::encoders() {
        let plain = send(&at_rate(&info), &frames, None);
        let (pull, _storage) = session(&info, PassOptions::default());
        pull.0.begin_pass().unwrap();
        assert!(send(&pull, &frames, None) == plain, "{}", info.name);
        assert!(matches!(pull.0.end_pass(), Ok(NextPass::Requested(_) | NextPass::Finished)));
    }
}
