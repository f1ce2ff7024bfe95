//! The table walk, second half: each property that can be set has an effect, seen from outside.

use crate::common::{decode, encode, encoders, ffmpeg, has, obeys, own_option, render, session, units};
use retake::pixel::FieldDetail;
use retake::property::{
    ColorPrimaries, DataRateLimit, H264EntropyMode, Property, PropertyKey, TransferFunction, YCbCrMatrix,
};
use retake::{EncoderInfo, Rational, SampleBuffer};

type Samples = Vec<(usize, SampleBuffer)>;

/// What comes out for equal frames with these properties.
fn run(info: &EncoderInfo, properties: &[Property]) -> Option<Samples> {
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

/// How it is proved that a property has an effect.
enum Proof {
    /// With this group, other bytes or another description come out than with the part of it that follows the
    /// first.
    Group(Vec<Property>),
    /// By the test of that name.
    Test(&'static str),
    /// By the tests of passes, of sessions and in their own folder.
    Passes,
}

/// The proof for each property that can be set.
fn proof(info: &EncoderInfo, key: PropertyKey) -> Proof {
    use Proof::{Group, Test};
    let controls = &info.controls;
    let (coarse, fine) = controls.qp_bounds.unwrap_or((0, 0));
    // bounds are compared beside an average: SVT-AV1 has them there alone
    let average = Property::AverageBitRate(300_000);
    let variable = Property::VariableBitRate(150_000);
    let limits = Property::DataRateLimits(vec![DataRateLimit { bytes: 15_000, seconds: 1.0 }]);
    let tight = Property::DataRateLimits(vec![DataRateLimit { bytes: 4_000, seconds: 0.5 }]);
    Group(match key {
        PropertyKey::MaxKeyFrameInterval => vec![Property::MaxKeyFrameInterval(7)],
        PropertyKey::MaxKeyFrameIntervalDuration => vec![Property::MaxKeyFrameIntervalDuration(0.25)],
        PropertyKey::AllowTemporalCompression => vec![Property::AllowTemporalCompression(false)],
        // what does not reorder has nothing to leave out: a2 looks at what it says
        PropertyKey::AllowFrameReordering if !info.reorders => {
            return Test("a2_without_reordering_order_is_kept");
        }
        PropertyKey::AllowFrameReordering => vec![Property::AllowFrameReordering(false)],
        PropertyKey::AllowOpenGOP => vec![Property::AllowOpenGOP(true), Property::MaxKeyFrameInterval(9)],
        PropertyKey::ReferenceBufferCount => {
            vec![Property::ReferenceBufferCount(controls.references.map_or(0, |(least, _)| least))]
        }
        PropertyKey::CalculateMeanSquaredError => {
            return Test("mean_squared_errors_are_those_of_the_pictures");
        }
        PropertyKey::AverageBitRate => vec![Property::AverageBitRate(150_000)],
        PropertyKey::DataRateLimits => vec![limits],
        PropertyKey::Quality => vec![Property::Quality(0.2)],
        PropertyKey::ConstantQualityFactor => vec![Property::ConstantQualityFactor(0.2)],
        // a rate begins as in the middle of a film, and limits hold across joins
        PropertyKey::MoreFramesBeforeStart => {
            let place = Property::MoreFramesBeforeStart(true);
            vec![place, Property::SourceFrameCount(40), Property::MaxKeyFrameInterval(10), average]
        }
        PropertyKey::MoreFramesAfterEnd => vec![Property::MoreFramesAfterEnd(true), tight],
        PropertyKey::PrioritizeEncodingSpeedOverQuality => return Test("hints_choose_presets"),
        PropertyKey::ConstantBitRate => vec![Property::ConstantBitRate(150_000)],
        PropertyKey::VariableBitRate => vec![variable],
        PropertyKey::VBVMaxBitRate => {
            vec![Property::VBVMaxBitRate(155_000), variable, Property::VBVBufferDuration(0.2)]
        }
        // a constant rate is what every encoder has that has a buffer
        PropertyKey::VBVBufferDuration => {
            vec![Property::VBVBufferDuration(0.3), Property::ConstantBitRate(150_000)]
        }
        PropertyKey::VBVInitialDelayPercentage => {
            vec![Property::VBVInitialDelayPercentage(10.0), Property::ConstantBitRate(150_000)]
        }
        PropertyKey::BaseLayerBitRateFraction => {
            vec![Property::BaseLayerBitRateFraction(0.9), Property::BaseLayerFrameRateFraction(0.5), average]
        }
        PropertyKey::MinAllowedFrameQP => {
            vec![Property::MinAllowedFrameQP(coarse + (fine - coarse) * 4 / 5), average]
        }
        PropertyKey::MaxAllowedFrameQP => {
            vec![Property::MaxAllowedFrameQP(coarse + (fine - coarse) / 10), average]
        }
        // the other one of the two than what holds by itself
        PropertyKey::SpatialAdaptiveQPLevel => {
            vec![Property::SpatialAdaptiveQPLevel(if controls.adapts_on_request { -1 } else { 0 })]
        }
        PropertyKey::ProfileLevel => return Test("profile_and_level_are_those_of_the_stream"),
        PropertyKey::OutputBitDepth => vec![Property::OutputBitDepth(10)],
        PropertyKey::OutputChromaSubsampling => return Test("chroma_is_what_profile_and_property_say"),
        PropertyKey::H264EntropyMode => vec![Property::H264EntropyMode(H264EntropyMode::Cavlc)],
        PropertyKey::MaxH264SliceBytes => vec![Property::MaxH264SliceBytes(300)],
        PropertyKey::PreserveDynamicHDRMetadata => return Test("side_data_of_frames_are_in_their_samples"),
        PropertyKey::HDRMetadataInsertionMode
        | PropertyKey::MasteringDisplayColorVolume
        | PropertyKey::ContentLightLevelInfo => return Test("a40_hdr_metadata_arrives_or_is_left_out"),
        PropertyKey::MaxFrameDelayCount => return Test("a5_no_more_frames_are_held_back_than_asked_for"),
        PropertyKey::RealTime => return Test("frames_are_dropped_in_real_time_alone"),
        PropertyKey::MaximumRealTimeFrameRate => return Test("many_frames_a_second_ask_for_speed"),
        PropertyKey::MaximizePowerEfficiency
        | PropertyKey::ThreadCount
        | PropertyKey::SourceFrameCount
        | PropertyKey::ExpectedDuration => return Test("hints_arrive"),
        PropertyKey::ExpectedFrameRate => vec![Property::ExpectedFrameRate(12.0), average],
        PropertyKey::BaseLayerFrameRate => vec![Property::BaseLayerFrameRate(12.0)],
        PropertyKey::BaseLayerFrameRateFraction => vec![Property::BaseLayerFrameRateFraction(0.5)],
        PropertyKey::PixelAspectRatio => vec![Property::PixelAspectRatio(Rational::new(4, 3))],
        PropertyKey::CleanAperture => return Test("clean_apertures_are_in_stream_and_file"),
        PropertyKey::FieldCount => vec![Property::FieldCount(2)],
        PropertyKey::FieldDetail => {
            vec![Property::FieldDetail(FieldDetail::TemporalBottomFirst), Property::FieldCount(2)]
        }
        PropertyKey::GammaLevel => vec![Property::GammaLevel(2.2)],
        PropertyKey::ICCProfile => return Test("profiles_are_in_the_description_and_the_file"),
        PropertyKey::ColorPrimaries => vec![Property::ColorPrimaries(ColorPrimaries::Bt2020)],
        PropertyKey::TransferFunction => vec![Property::TransferFunction(TransferFunction::Hlg)],
        PropertyKey::YCbCrMatrix => vec![Property::YCbCrMatrix(YCbCrMatrix::Bt2020)],
        PropertyKey::SuggestedLookAheadFrameCount => vec![Property::SuggestedLookAheadFrameCount(2)],
        PropertyKey::PixelTransferProperties => return Test("pictures_are_fitted_as_the_session_is_told"),
        PropertyKey::EncoderPreset => {
            vec![Property::EncoderPreset(info.presets[info.presets.len() - 2].name.clone())]
        }
        PropertyKey::EncoderOptions => {
            vec![Property::EncoderOptions(vec![own_option(info)])]
        }
        PropertyKey::MultiPassStorage
        | PropertyKey::MaxPassCount
        | PropertyKey::RequestWholeSourcePasses
        | PropertyKey::AlwaysRequestSecondPass
        | PropertyKey::QualityFloor
        | PropertyKey::QualityTolerance
        | PropertyKey::QualityMetric => return Proof::Passes,
        key => panic!("{key} can be set, and nobody proves that it has an effect: add it here"),
    })
}

/// G-1, the table walk: every property that an encoder lists and that can be set has an effect, seen from
/// outside; the streams decode.
#[test]
fn each_property_has_an_effect() {
    for info in encoders().into_iter().filter(obeys) {
        let supported = session(&info).0.supported_properties().unwrap();
        let mut plain: Vec<(Vec<Property>, Samples)> = Vec::new();
        for (key, _) in supported.iter().filter(|(_, entry)| entry.writable) {
            let Proof::Group(group) = proof(&info, *key) else { continue };
            assert_eq!(group[0].key(), *key);
            let beside = group[1..].to_vec();
            let known = plain.iter().position(|(group, _)| *group == beside).unwrap_or_else(|| {
                let made = run(&info, &beside).unwrap();
                plain.push((beside, made));
                plain.len() - 1
            });
            let (name, changed) = (format!("{}: {group:?}", info.name), run(&info, &group).unwrap());
            let usual = &plain[known].1;
            assert_eq!(changed.len(), 40, "{name}");
            let same = payloads(&changed) == payloads(usual) && changed[0].1.format == usual[0].1.format;
            assert!(!same, "{name}: nothing has changed");
            if ffmpeg() {
                let pictures = decode(&changed.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
                assert_eq!(pictures.len(), 40, "{name}");
            }
        }
    }
}

/// Proofs by name are there: a test that is renamed is renamed here.
#[test]
fn proofs_by_name_are_tests() {
    let sources = [
        include_str!("apertures.rs"),
        include_str!("effects.rs"),
        include_str!("gamma.rs"),
        include_str!("frames.rs"),
        include_str!("hints.rs"),
        include_str!("modes.rs"),
        include_str!("pictures.rs"),
        include_str!("side_data.rs"),
    ];
    for info in encoders() {
        let supported = session(&info).0.supported_properties().unwrap();
        for (key, _) in supported.iter().filter(|(_, entry)| entry.writable) {
            if let Proof::Test(name) = proof(&info, *key) {
                let is_test = |text: &str| text.contains(&format!("#[test]\nfn {name}()"));
                assert!(sources.into_iter().any(is_test), "{key}: {name}");
            }
        }
    }
}

/// The place of a byte in a record, the bits that count, and what they are.
type Field = (usize, u8, u8);

/// 5.4: the profile and level that were named are those of the stream, as its configuration record says: each
/// codec by its own bytes.
#[test]
fn profile_and_level_are_those_of_the_stream() {
    for info in encoders() {
        let cases: &[(&str, &[Field])] = match info.name {
            // avcC: profile, level times ten
            "x264" => &[
                ("H264_Main_3_1", &[(1, 255, 77), (3, 255, 31)]),
                ("H264_High_4_1", &[(1, 255, 100), (3, 255, 41)]),
                ("H264_Baseline_AutoLevel", &[(1, 255, 66)]),
                ("H264_ConstrainedBaseline_AutoLevel", &[(1, 255, 66), (2, 0x40, 0x40)]),
                ("H264_ConstrainedHigh_4_0", &[(1, 255, 100), (2, 0x0c, 0x0c), (3, 255, 40)]),
                ("H264_High422_4_1", &[(1, 255, 122), (3, 255, 41)]),
            ],
            // hvcC: profile, level times thirty
            "x265" => &[
                ("HEVC_Main_5_1", &[(1, 31, 1), (12, 255, 153)]),
                ("HEVC_Main_4_0", &[(12, 255, 120)]),
                ("HEVC_Monochrome_AutoLevel", &[(1, 31, 4), (7, 0x40, 0x40), (16, 3, 0)]),
            ],
            // av1C: three bits of profile, five of the index of the level: four for each number before the
            // point, from 2 on
            "svt-av1" => &[("AV1_Main_5_1", &[(1, 255, 13)]), ("AV1_Main_4_0", &[(1, 255, 8)])],
            "libaom" => &[
                ("AV1_Main_AutoLevel", &[(1, 224, 0), (2, 28, 12)]),
                ("AV1_High_AutoLevel", &[(1, 224, 32), (2, 28, 0)]),
                ("AV1_Professional_AutoLevel", &[(1, 224, 64), (2, 28, 8)]),
            ],
            // vpcC without the head of its box: profile, level times ten
            _ => &[
                ("VP9_Profile0_5_1", &[(0, 255, 0), (1, 255, 51)]),
                ("VP9_Profile0_4_0", &[(1, 255, 40)]),
                ("VP9_Profile1_4_0", &[(0, 255, 1), (2, 14, 4)]),
            ],
        };
        for (name, bytes) in cases {
            let samples = run(&info, &[Property::ProfileLevel((*name).to_owned())]).unwrap();
            let config = &samples[0].1.format.config;
            let at = if config[..4] == [1, 0, 0, 0] && info.name == "vp9" { 4 } else { 0 };
            for &(index, mask, value) in *bytes {
                assert_eq!(config[at + index] & mask, value, "{name}: {config:?}");
            }
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
