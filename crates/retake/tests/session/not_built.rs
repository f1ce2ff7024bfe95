//! What the contract says is not built: it is not listed, and refused by its name, instead of being accepted
//! without effect (G-1). A row of this page that is built one day fails here first.

use crate::common::{HEIGHT, Pull, WIDTH, encoders, has};
use crate::modes::low_latency;
use retake::property::{PropertyKey, PropertyValue};
use retake::session::CompressionSession;
use retake::{Codec, EncoderInfo};

fn ordinary(info: &EncoderInfo) -> Pull {
    let registry = retake::encoders();
    let builder = CompressionSession::builder(&registry, WIDTH, HEIGHT, info.codec);
    builder.encoder(info.name).build_pull().unwrap()
}

/// G-1, sections 5.3, 5.4, 5.9 and 6.5: keys of alpha, of several views, of a layer's own share of the rate,
/// and those of stereo and immersive video, which have not even a name here.
#[test]
fn keys_that_no_encoder_has_are_refused_by_name() {
    let known = [
        PropertyKey::TargetQualityForAlpha,
        PropertyKey::PreserveAlphaChannel,
        PropertyKey::AlphaChannelMode,
        PropertyKey::BaseLayerBitRateFraction,
        PropertyKey::MVHEVCVideoLayerIDs,
        PropertyKey::MVHEVCViewIDs,
        PropertyKey::MVHEVCLeftAndRightViewIDs,
    ];
    let unknown = [
        "HeroEye",
        "StereoCameraBaseline",
        "HorizontalDisparityAdjustment",
        "HasLeftStereoEyeView",
        "HasRightStereoEyeView",
        "HorizontalFieldOfView",
        "ProjectionKind",
        "ViewPackingKind",
        "CameraCalibrationDataLensCollection",
        "LogTransferFunction",
    ];
    for info in encoders() {
        for pull in [Some(ordinary(&info)), low_latency(&info)].into_iter().flatten() {
            let names = known.iter().map(|key| key.name()).chain(unknown);
            for name in names {
                for value in [PropertyValue::from(1), 0.5.into(), true.into(), "Straight".into()] {
                    let error = pull.0.set_named(name, Some(value)).unwrap_err();
                    assert_eq!(error.code(), -12900, "{}: {name}", info.name);
                }
                assert_eq!(pull.0.get_named(name).unwrap_err().code(), -12900, "{}: {name}", info.name);
            }
            assert!(known.iter().all(|key| !has(&pull, *key)), "{}", info.name);
        }
    }
}

/// Section 5.4: profiles that no encoder here makes are not listed, and refused.
#[test]
fn profiles_that_no_encoder_has_are_refused() {
    for info in encoders() {
        let pull = ordinary(&info);
        let listed = pull.0.supported_properties().unwrap()[&PropertyKey::ProfileLevel].list.clone();
        for name in [
            "H264_Extended_5_0",
            "H264_Extended_AutoLevel",
            "MP4V_Simple_L0",
            "MP4V_Main_L2",
            "MP4V_AdvancedSimple_L0",
            "H263_Profile0_Level10",
            "H263_Profile0_Level45",
            "H263_Profile3_Level45",
        ] {
            assert!(listed.iter().all(|known| *known != name), "{}: {name}", info.name);
            let error = pull.0.set_named("ProfileLevel", Some(name.into())).unwrap_err();
            assert_eq!(error.code(), -12902, "{}: {name}", info.name);
        }
    }
}

/// LL-4, LL-6, sections 6.2 and 6.3: each encoder lists what the contract says that it has, and nothing else.
#[test]
fn encoders_list_what_they_are_said_to_have() {
    for info in encoders() {
        let mut said = Vec::new();
        if let Some(pull) = low_latency(&info) {
            let keys = [
                PropertyKey::EnableLTR,
                PropertyKey::BaseLayerFrameRate,
                PropertyKey::BaseLayerFrameRateFraction,
                PropertyKey::SpatialAdaptiveQPLevel,
            ];
            said.extend(keys.map(|key| has(&pull, key)));
        }
        let pull = ordinary(&info);
        said.push(has(&pull, PropertyKey::EnableLTR));
        said.push(has(&pull, PropertyKey::SuggestedLookAheadFrameCount));
        let expected: &[bool] = match info.codec {
            Codec::H264 => &[true, false, false, true, false, true],
            Codec::Hevc => &[false, false, false, true, false, true],
            // it has no low latency
            Codec::Av1 if info.name == "libaom" => &[false, true],
            Codec::Av1 => &[false, true, true, false, false, true],
            _ => &[true, true, true, true, false, false],
        };
        assert_eq!(said, expected, "{}", info.name);
        let open = pull.0.get(PropertyKey::AllowOpenGOP);
        assert!(open.is_err() || open.unwrap() == Some(false.into()), "{}: section 5.2", info.name);
    }
}
