//! The table walk, second half: each property that can be set has an effect, seen from outside.

use crate::common::{decode, encode, encoders, ffmpeg, has, obeys, render, session, units};
use retake::property::{
    ColorPrimaries, H264EntropyMode, Property, PropertyKey, TransferFunction, YCbCrMatrix,
};
use retake::{EncoderInfo, Rational, SampleBuffer};

/// What comes out for equal frames with these properties.
fn run(info: &EncoderInfo, properties: &[Property]) -> Option<Vec<(usize, SampleBuffer)>> {
    let pull = session(info);
    if properties.iter().any(|property| !has(&pull, property.key())) {
        return None;
    }
    pull.0.set_all(properties).unwrap();
    Some(encode(&pull, &render(40, 24, 30), &[]))
}

fn payloads(samples: &[(usize, SampleBuffer)]) -> Vec<&[u8]> {
    samples.iter().map(|(_, buffer)| buffer.sample.data.as_slice()).collect()
}

/// G-1: with another value, other bytes or another description come out, and they decode.
#[test]
fn each_property_has_an_effect() {
    for info in encoders().into_iter().filter(obeys) {
        let usual = run(&info, &[]).unwrap();
        let info_controls = &info.controls;
        let (coarse, fine) = info_controls.qp_bounds.unwrap_or((0, 0));
        // bounds are compared beside an average: SVT-AV1 has them there alone
        let average = Property::AverageBitRate(300_000);
        let bounded = run(&info, std::slice::from_ref(&average)).unwrap();
        let changes = [
            vec![Property::MaxKeyFrameInterval(7)],
            vec![Property::Quality(0.2)],
            vec![Property::AverageBitRate(150_000)],
            vec![Property::AllowFrameReordering(false)],
            vec![Property::MinAllowedFrameQP(coarse + (fine - coarse) * 4 / 5), average.clone()],
            vec![Property::MaxAllowedFrameQP(coarse + (fine - coarse) / 10), average.clone()],
            vec![Property::SpatialAdaptiveQPLevel(0)],
            vec![Property::ReferenceBufferCount(info_controls.references.map_or(0, |(least, _)| least))],
            vec![Property::SuggestedLookAheadFrameCount(2)],
            vec![Property::MaxH264SliceBytes(300)],
            vec![Property::H264EntropyMode(H264EntropyMode::Cavlc)],
            vec![Property::PixelAspectRatio(Rational::new(4, 3))],
            vec![Property::ColorPrimaries(ColorPrimaries::Bt2020)],
            vec![Property::TransferFunction(TransferFunction::Hlg)],
            vec![Property::YCbCrMatrix(YCbCrMatrix::Bt2020)],
            vec![Property::VariableBitRate(150_000)],
            vec![Property::ConstantBitRate(150_000)],
            vec![Property::EncoderPreset(info.presets[info.presets.len() - 2].name.clone())],
        ];
        for change in changes {
            let Some(changed) = run(&info, &change) else { continue };
            let name = format!("{}: {change:?}", info.name);
            assert_eq!(changed.len(), 40, "{name}");
            // what does not reorder has nothing to leave out, if there is no other difference
            let reorders = info.reorders || !matches!(change[0], Property::AllowFrameReordering(_));
            let plain = if change.len() > 1 { &bounded } else { &usual };
            let same = payloads(&changed) == payloads(plain) && changed[0].1.format == plain[0].1.format;
            assert!(!same || !reorders, "{name}: nothing has changed");
            if ffmpeg() {
                let pictures = decode(&changed.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
                assert_eq!(pictures.len(), 40, "{name}");
            }
        }
    }
}

/// 5.4: the profile and level that were named are those of the stream's parameter sets.
#[test]
fn profile_and_level_are_those_of_the_stream() {
    for info in encoders() {
        for (name, profile, level) in [
            ("H264_Main_3_1", 77, Some(31)),
            ("H264_High_4_1", 100, Some(41)),
            ("H264_Baseline_AutoLevel", 66, None),
        ] {
            let Some(samples) = (info.controls.profiles.iter().any(|(name, _)| *name == "baseline"))
                .then(|| run(&info, &[Property::ProfileLevel(name.to_owned())]))
                .flatten()
            else {
                continue;
            };
            let config = &samples[0].1.format.config;
            assert_eq!(u32::from(config[1]), profile, "{name}");
            assert!(level.is_none_or(|level| level == u32::from(config[3])), "{name}: {}", config[3]);
        }
        let session = session(&info).0;
        assert!([-12900, -12902].contains(
            &session.set(Property::ProfileLevel("H264_Nonsense_9_9".to_owned())).unwrap_err().code()
        ));
    }
}

/// 5.4: slices keep to about what was asked for, where small ones are asked for.
#[test]
fn slices_are_small_if_asked_for() {
    for info in encoders() {
        let Some(samples) = run(&info, &[Property::MaxH264SliceBytes(300)]) else { continue };
        for (index, buffer) in samples {
            let slices = units(&buffer.sample.data).into_iter().filter(|unit| matches!(unit[0] & 31, 1 | 5));
            let most = slices.map(<[u8]>::len).max().unwrap();
            assert!(most <= 400, "{}: {most} bytes in frame {index}", info.name);
        }
    }
}

/// 5.5: hints choose presets; a preset that is named has precedence.
#[test]
fn hints_choose_presets() {
    for info in encoders() {
        let pull = session(&info);
        pull.0.reset(PropertyKey::EncoderPreset).unwrap();
        pull.0.set(Property::PrioritizeEncodingSpeedOverQuality(true)).unwrap();
        let fast = encode(&pull, &render(12, 99, 30), &[]);
        let pull = session(&info);
        pull.0.reset(PropertyKey::EncoderPreset).unwrap();
        pull.0.set(Property::PrioritizeEncodingSpeedOverQuality(false)).unwrap();
        let good = encode(&pull, &render(12, 99, 30), &[]);
        assert_ne!(payloads(&fast), payloads(&good), "{}", info.name);
    }
}
