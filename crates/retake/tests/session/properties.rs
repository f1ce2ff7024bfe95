//! The table of properties, walked: every encoder, every key.

use crate::common::{encoders, own_option, session, usual};
use proptest::prelude::*;
use retake::pixel::Downsampling;
use retake::property::{
    Class, DataRateLimit, Kind, Property, PropertyKey, PropertyValue, SavedProperties, SupportedProperties,
    key,
};
use retake::session::{
    CompressionSession, EncoderSpecification, encoder_list, supported_properties_for_encoder,
};
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{
    CleanAperture, Codec, ContentLight, EncoderInfo, MasteringDisplay, Rational, ScalingMode, TransferOptions,
};
use std::collections::BTreeMap;

pub(crate) const MASTERING: MasteringDisplay = MasteringDisplay {
    primaries_gbr: [[13250, 34500], [7500, 3000], [34000, 16000]],
    white_point: [15635, 16450],
    max_luminance: 10_000_000,
    min_luminance: 50,
};
pub(crate) const LIGHT: ContentLight = ContentLight { max_content: 1000, max_frame_average: 400 };

/// A value that every encoder takes which has the property, other than the default; with what it needs beside
/// it.
fn sample(
    info: &EncoderInfo,
    key: PropertyKey,
    supported: &SupportedProperties,
) -> (PropertyValue, Vec<Property>) {
    let entry = &supported[&key];
    let value = match key {
        PropertyKey::AverageBitRate | PropertyKey::ConstantBitRate => 200_000u32.into(),
        PropertyKey::VariableBitRate => 200_000u32.into(),
        PropertyKey::VBVMaxBitRate => 400_000u32.into(),
        PropertyKey::DataRateLimits => {
            Property::DataRateLimits(vec![DataRateLimit { bytes: 40_000, seconds: 1.0 }]).value()
        }
        PropertyKey::BaseLayerFrameRate => {
            return (12.0.into(), vec![Property::ExpectedFrameRate(24.0)]);
        }
        PropertyKey::BaseLayerFrameRateFraction => 0.5.into(),
        PropertyKey::MinAllowedFrameQP | PropertyKey::MaxAllowedFrameQP => {
            return (30.into(), vec![Property::AverageBitRate(200_000)]);
        }
        PropertyKey::VBVBufferDuration | PropertyKey::VBVInitialDelayPercentage => {
            let variable = supported.contains_key(&PropertyKey::VariableBitRate);
            let buffered = if variable { Property::VariableBitRate } else { Property::ConstantBitRate };
            return (1.into(), vec![buffered(200_000)]);
        }
        PropertyKey::MaxFrameDelayCount => 9.into(),
        PropertyKey::BaseLayerBitRateFraction => {
            return (0.6.into(), vec![Property::BaseLayerFrameRateFraction(0.5)]);
        }
        PropertyKey::FieldDetail => return ("TemporalTopFirst".into(), vec![Property::FieldCount(2)]),
        PropertyKey::ICCProfile => Property::ICCProfile(crate::gamma::profile(300)).value(),
        PropertyKey::MaximumRealTimeFrameRate => return (60.0.into(), vec![Property::RealTime(true)]),
        PropertyKey::PixelAspectRatio => Property::PixelAspectRatio(Rational::new(4, 3)).value(),
        PropertyKey::CleanAperture => Property::CleanAperture(CleanAperture::full(160, 120)).value(),
        PropertyKey::MasteringDisplayColorVolume => Property::MasteringDisplayColorVolume(MASTERING).value(),
        PropertyKey::ContentLightLevelInfo => Property::ContentLightLevelInfo(LIGHT).value(),
        PropertyKey::MultiPassStorage => {
            let storage = MultiPassStorage::create(None, &StorageOptions::default());
            Property::MultiPassStorage(storage.unwrap()).value()
        }
        PropertyKey::EncoderOptions => Property::EncoderOptions(vec![own_option(info)]).value(),
        PropertyKey::PixelTransferProperties => {
            let words = [("ScalingMode", "Letterbox"), ("DownsamplingMode", "Average")];
            PropertyValue::Dictionary(words.map(|(name, word)| (name.to_owned(), word.into())).into())
        }
        _ => match (key.row().kind, entry.minimum, entry.maximum) {
            (Kind::Boolean, ..) => (entry.default != Some(true.into())).into(),
            // levels that are named may be too low for the size
            (Kind::Enumeration, ..) => {
                let auto = entry.list.iter().find(|name| name.ends_with("AutoLevel"));
                auto.unwrap_or(&entry.list[0]).as_str().into()
            }
            (Kind::Count | Kind::Rate, Some(least), Some(most)) => {
                PropertyValue::Integer((least + (most - least).min(2.0)) as i64)
            }
            (Kind::Number, Some(least), Some(most)) => PropertyValue::Number((least + most).min(1.5) / 2.0),
            (kind, ..) => panic!("{key}: no sample of {kind:?}"),
        },
    };
    (value, Vec::new())
}

fn fresh(info: &EncoderInfo) -> CompressionSession<usize> {
    let registry = retake::encoders();
    CompressionSession::builder(&registry, 176, 144, info.codec).encoder(info.name).build_pull().unwrap().0
}

/// A kind of session: its name, whether it is one of low latency, and what is set in it before anything else.
struct SessionKind {
    name: &'static str,
    low_latency: bool,
    properties: Vec<Property>,
}

impl SessionKind {
    /// Every kind that the encoder has.
    fn all(info: &EncoderInfo) -> Vec<Self> {
        let storage = MultiPassStorage::create(None, &StorageOptions::default()).unwrap();
        let limits = Property::DataRateLimits(vec![DataRateLimit { bytes: 40_000, seconds: 1.0 }]);
        let (passes, part) = (Property::MultiPassStorage(storage), Property::MoreFramesBeforeStart(true));
        let kind = |name, low_latency, properties| Self { name, low_latency, properties };
        let mut kinds = vec![
            kind("ordinary", false, vec![]),
            kind("low latency", true, vec![]),
            kind("limits", false, vec![limits.clone()]),
            kind("low latency with limits", true, vec![limits.clone()]),
            kind("passes", false, vec![passes.clone()]),
            kind("passes with limits", false, vec![passes, limits]),
            kind("a part", false, vec![part]),
        ];
        kinds.retain(|kind| !kind.low_latency || info.controls.low_latency);
        kinds
    }

    fn session(&self, info: &EncoderInfo) -> CompressionSession<usize> {
        let specification = EncoderSpecification {
            encoder: Some(info.name.to_owned()),
            low_latency: self.low_latency,
            ..Default::default()
        };
        let session = CompressionSession::builder(&retake::encoders(), 176, 144, info.codec)
            .specification(specification)
            .build_pull()
            .unwrap()
            .0;
        session.set_all(&self.properties).unwrap();
        session
    }

    /// Whether the encoder opens with some values of a key only, in sessions of this kind.
    fn refuses_at_open(&self, info: &EncoderInfo, key: PropertyKey) -> bool {
        let limited = self.properties.iter().any(|property| property.key() == PropertyKey::DataRateLimits);
        info.name == "svt-av1" && limited && key == PropertyKey::SpatialAdaptiveQPLevel
    }

    /// Whether a key excludes what makes the session one of this kind, as the matrix of section 5.3 says.
    fn excludes(&self, key: PropertyKey) -> bool {
        use PropertyKey as Key;
        let buffers = [
            Key::ConstantBitRate,
            Key::VariableBitRate,
            Key::VBVMaxBitRate,
            Key::VBVBufferDuration,
            Key::VBVInitialDelayPercentage,
        ];
        self.properties.iter().any(|property| match property.key() {
            Key::DataRateLimits => buffers.contains(&key),
            Key::MultiPassStorage => {
                [Key::ConstantBitRate, Key::SuggestedLookAheadFrameCount, Key::AllowOpenGOP].contains(&key)
            }
            _ => false,
        })
    }
}

/// A12 (PR-1, PR-2, PR-4, PR-7, G-1): in every kind of session, a key is supported if and only if it can be
/// told, and set unless it is read-only; the errors are those of the contract. What can be set is taken
/// alone, before and behind what it needs, and so are the least and the greatest number; the encoder opens
/// with it.
#[test]
fn a12_supported_is_what_can_be_set_and_told() {
    let kinds = encoders()
        .into_iter()
        .flat_map(|info| SessionKind::all(&info).into_iter().map(move |kind| (info.clone(), kind)));
    for (info, kind) in kinds {
        let supported = kind.session(&info).supported_properties().unwrap();
        let own = |key| kind.properties.iter().any(|property| property.key() == key);
        for key in PropertyKey::all().filter(|key| !own(*key)) {
            let (session, name) = (kind.session(&info), format!("{}, {}: {key}", info.name, kind.name));
            let Some(entry) = supported.get(&key) else {
                assert_eq!(session.get(key).unwrap_err().code(), -12900, "{name}");
                let set = session.set_named(key.name(), Some(1.into()));
                assert_eq!(set.unwrap_err().code(), -12900, "{name}");
                continue;
            };
            assert!(session.get(key).unwrap().is_some() || entry.default.is_none(), "{name}");
            if !entry.writable {
                let set = session.set_named(key.name(), Some(1.into()));
                assert_eq!(set.unwrap_err().code(), -12901, "{name}");
                continue;
            }
            let (value, with) = sample(&info, key, &supported);
            if kind.excludes(key) {
                let set = session.set_named(key.name(), Some(value));
                assert_eq!(set.unwrap_err().code(), -12902, "{name}");
                continue;
            }
            session
                .set_named(key.name(), Some(value.clone()))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let told = session.get(key).unwrap().unwrap();
            match (told.as_f64(), value.as_f64()) {
                (Some(told), Some(value)) => assert_eq!(told, value, "{name}"),
                // what really happens is told, not what was asked for
                _ if key == PropertyKey::AllowFrameReordering => assert_eq!(told, false.into()),
                _ => assert_eq!(told, value, "{name}"),
            }
            let nonsense = BTreeMap::from([("Nonsense".to_owned(), 1.into())]);
            let wrong = session.set_named(key.name(), Some(PropertyValue::Dictionary(nonsense)));
            assert_eq!(wrong.unwrap_err().code(), -12902, "{name}");
            assert_eq!(session.get(key).unwrap().unwrap(), told, "{name}: changed by a refused value");
            for bound in [entry.minimum.map(|least| least - 1.0), entry.maximum.map(|most| most * 2.0 + 1.0)]
                .into_iter()
                .flatten()
            {
                let set = session.set_named(key.name(), Some(bound.into()));
                assert_eq!(set.unwrap_err().code(), -12902, "{name}: {bound}");
            }
            drop(session);
            // What a key needs may be excluded.
            if with.iter().any(|property| kind.excludes(property.key())) {
                continue;
            }
            let bounds = [entry.minimum, entry.maximum].into_iter().flatten().map(PropertyValue::from);
            for value in std::iter::once(value.clone()).chain(bounds) {
                let name = format!("{name} {value}");
                let session = kind.session(&info);
                session.set_all(&usual(&info)[..1]).unwrap();
                let with = match (key, value.as_f64()) {
                    (PropertyKey::BaseLayerFrameRate, Some(base)) => {
                        vec![Property::ExpectedFrameRate(2.0 * base)]
                    }
                    _ => with.clone(),
                };
                session.set_named(key.name(), Some(value)).unwrap_or_else(|error| panic!("{name}: {error}"));
                if kind.refuses_at_open(&info, key) {
                    let refused = session.prepare().err().map(|error| (error.code(), error.to_string()));
                    let told = |(code, text): (i32, String)| code == -12902 && text.contains(key.name());
                    assert!(refused.is_none_or(told), "{name}");
                    continue;
                }
                if !with.is_empty() {
                    // Without what it needs, it is refused with the reason when the session opens.
                    let refused = session.prepare().err().map(|error| (error.code(), error.to_string()));
                    let told = refused
                        .as_ref()
                        .is_none_or(|(code, text)| *code == -12902 && text.contains(key.name()));
                    assert!(told, "{name}: {refused:?}");
                    if refused.is_none() {
                        continue;
                    }
                }
                session.set_all(&with).unwrap();
                session.prepare().unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
    assert_eq!(fresh(&encoders()[0]).set_named("Nonsense", None).unwrap_err().code(), -12900);
}

/// D1 (PR-1, PR-2, G-1): every field of transfer options arrives, by type and by name.
#[test]
fn transfer_options_arrive_whole() {
    let whole = TransferOptions {
        scaling_mode: ScalingMode::Trim,
        downsampling: Downsampling::Average,
        destination_clean_aperture: Some(CleanAperture::full(160, 120)),
        destination_pixel_aspect_ratio: Some(Rational::new(4, 3)),
        destination_primaries: Some(9),
        // BT.470 M has no name here
        destination_transfer: Some(4),
        destination_matrix: Some(6),
    };
    for info in encoders() {
        let session = fresh(&info);
        session.set(Property::PixelTransferProperties(whole)).unwrap();
        assert_eq!(session.get(key::PixelTransferProperties).unwrap(), Some(whole), "{}", info.name);
        let Some(PropertyValue::Dictionary(values)) =
            session.get(PropertyKey::PixelTransferProperties).unwrap()
        else {
            panic!("{} has no transfer", info.name)
        };
        assert_eq!(values["DestinationColorPrimaries"], "ITU_R_2020".into());
        assert_eq!(values["DestinationTransferFunction"], 4.into());
        let other = fresh(&info);
        other.set_saved(&session.serializable_properties().unwrap()).unwrap();
        assert_eq!(other.get(key::PixelTransferProperties).unwrap(), Some(whole), "{}", info.name);
    }
}

/// AI-3, section 13: what transfers are not built for is refused by name and changes nothing: `Fit`, which
/// would change the size that was asked for, a profile whose curves nobody reads, and a queue that is not
/// there.
#[test]
fn transfers_that_are_not_built_are_refused() {
    let name = PropertyKey::PixelTransferProperties.name();
    for info in encoders() {
        let session = fresh(&info);
        let set = |key: &str, value: PropertyValue| {
            session.set_named(name, Some(PropertyValue::Dictionary([(key.to_owned(), value)].into())))
        };
        set("ScalingMode", "Letterbox".into()).unwrap();
        let before = session.get(PropertyKey::PixelTransferProperties).unwrap();
        for (key, value) in [
            ("ScalingMode", PropertyValue::from("Fit")),
            ("DestinationICCProfile", "profile".into()),
            ("RealTime", true.into()),
        ] {
            assert_eq!(set(key, value).unwrap_err().code(), -12902, "{}: {key}", info.name);
            assert_eq!(session.get(PropertyKey::PixelTransferProperties).unwrap(), before, "{}", info.name);
        }
    }
}

/// A41 (PR-1): no value is the default again, for every key that can be set.
#[test]
fn a41_reset_restores_the_default() {
    for info in encoders() {
        let supported = fresh(&info).supported_properties().unwrap();
        for (key, _) in supported.iter().filter(|(_, entry)| entry.writable) {
            let session = fresh(&info);
            let before = session.get(*key).unwrap();
            let (value, with) = sample(&info, *key, &supported);
            session.set_all(&with).unwrap();
            session.set_named(key.name(), Some(value)).unwrap();
            session.set_named(key.name(), None).unwrap();
            assert_eq!(session.get(*key).unwrap(), before, "{}: {key}", info.name);
            assert_eq!(session.get(*key).unwrap(), supported[key].default, "{}: {key}", info.name);
        }
    }
}

/// A11 (resolution 10): of each pair that excludes itself, the second set is refused, in either order; when
/// the first is reset, it is not.
#[test]
fn a11_the_conflict_matrix_holds_in_both_orders() {
    use PropertyKey as Key;
    let buffers = [Key::VBVMaxBitRate, Key::VBVBufferDuration, Key::VBVInitialDelayPercentage];
    let mut pairs =
        vec![(Key::ConstantBitRate, Key::VariableBitRate), (Key::ConstantBitRate, Key::VBVMaxBitRate)];
    pairs.push((Key::GammaLevel, Key::TransferFunction));
    let rates = [Key::AverageBitRate, Key::ConstantBitRate, Key::VariableBitRate, Key::Quality];
    pairs.extend(rates.map(|other| (Key::ConstantQualityFactor, other)));
    for rate in [Key::AverageBitRate, Key::DataRateLimits] {
        pairs.extend([(rate, Key::ConstantBitRate), (rate, Key::VariableBitRate)]);
        pairs.extend(buffers.map(|buffer| (rate, buffer)));
    }
    for info in encoders() {
        let supported = fresh(&info).supported_properties().unwrap();
        let set = |session: &CompressionSession<usize>, key: Key| {
            session.set_named(key.name(), Some(sample(&info, key, &supported).0))
        };
        let mut judged = 0;
        for (one, other) in pairs.iter().flat_map(|&(one, other)| [(one, other), (other, one)]) {
            if !supported.contains_key(&one) || !supported.contains_key(&other) {
                continue;
            }
            let session = fresh(&info);
            set(&session, one).unwrap();
            let error = set(&session, other).unwrap_err();
            assert_eq!(error.code(), -12902, "{}: {one}, {other}", info.name);
            assert!(error.to_string().contains(one.name()), "{error}");
            session.reset(one).unwrap();
            set(&session, other).unwrap();
            judged += 1;
        }
        for (one, other) in [
            (Key::AverageBitRate, Key::DataRateLimits),
            (Key::ConstantBitRate, Key::VBVBufferDuration),
            (Key::VariableBitRate, Key::VBVMaxBitRate),
        ] {
            if supported.contains_key(&one) && supported.contains_key(&other) {
                let session = fresh(&info);
                set(&session, one).unwrap();
                set(&session, other).unwrap();
            }
        }
        println!("{}: {judged} conflicts", info.name);
    }
}

/// PR-3, resolution 11: a group is set as a whole, or not at all; it is judged as a whole, so that what
/// excludes an old value may come with its reset.
#[test]
fn groups_are_set_as_a_whole() {
    for info in encoders() {
        let session = fresh(&info);
        let group = [Property::MaxKeyFrameInterval(12), Property::Quality(0.6), Property::ThreadCount(0)];
        assert_eq!(session.set_all(&group).unwrap_err().code(), -12902);
        assert_eq!(session.get(PropertyKey::MaxKeyFrameInterval).unwrap(), Some(0.into()));
        assert_eq!(session.get(PropertyKey::Quality).unwrap(), None);
        session.set_all(&group[..2]).unwrap();
        // it holds only together with RealTime, which comes after it
        session.set_all(&[Property::MaximumRealTimeFrameRate(60.0), Property::RealTime(true)]).unwrap();
    }
}

/// PR-8, resolution 12: numbers of any kind, as long as nothing is lost that has a meaning.
#[test]
fn numbers_are_taken_in_any_form() {
    for info in encoders() {
        let session = fresh(&info);
        let set = |name: &str, value: PropertyValue| session.set_named(name, Some(value));
        set("MaxKeyFrameInterval", 24.0.into()).unwrap();
        assert_eq!(session.get_named("MaxKeyFrameInterval").unwrap(), Some(24.into()));
        assert_eq!(set("MaxKeyFrameInterval", 24.5.into()).unwrap_err().code(), -12902);
        set("AverageBitRate", 200_000.9.into()).unwrap();
        assert_eq!(session.get_named("AverageBitRate").unwrap(), Some(200_000.into()));
        set("ExpectedFrameRate", 24.into()).unwrap();
        assert_eq!(set("RealTime", 1.into()).unwrap_err().code(), -12902);
        assert_eq!(set("Quality", f64::NAN.into()).unwrap_err().code(), -12902);
        assert_eq!(set("Quality", "high".into()).unwrap_err().code(), -12902);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// PR-1, PR-3: whatever comes in by name, in whatever order, is taken or refused with a known number;
    /// what is refused changes nothing.
    #[test]
    fn nothing_that_is_refused_changes_anything(
        sets in proptest::collection::vec((0..90usize, -3.0..3e6f64, any::<bool>()), 1..24)
    ) {
        let keys: Vec<PropertyKey> = PropertyKey::all().collect();
        let info = &encoders()[0];
        let session = fresh(info);
        for (key, number, as_flag) in sets {
            let key = keys[key % keys.len()];
            let value = if as_flag { PropertyValue::Boolean(number > 1.0) } else { number.into() };
            let before = session.serializable_properties().unwrap();
            match session.set_named(key.name(), Some(value)) {
                Ok(()) => prop_assert!(key.is_writable()),
                Err(error) => {
                    prop_assert!(matches!(error.code(), -12902..=-12900), "{error}");
                    prop_assert_eq!(&before, &session.serializable_properties().unwrap());
                }
            }
        }
    }
}

/// PR-5: what is saved can be kept as text and set in another session; nothing of this session alone is among
/// it.
#[test]
fn saved_properties_make_an_equal_session() {
    for info in encoders() {
        let one = fresh(&info);
        one.set_all(&usual(&info)).unwrap();
        if one.supported_properties().unwrap().contains_key(&PropertyKey::SourceFrameCount) {
            one.set(Property::SourceFrameCount(77)).unwrap();
        }
        one.set_all(&[
            Property::MasteringDisplayColorVolume(MASTERING),
            Property::PixelAspectRatio(Rational::new(4, 3)),
            Property::RealTime(false),
        ])
        .unwrap();
        let saved = one.serializable_properties().unwrap();
        assert!(!saved.0.contains_key("SourceFrameCount"));
        assert!(
            saved.0.keys().all(|name| PropertyKey::from_name(name).unwrap().row().class != Class::ReadOnly)
        );
        let other = fresh(&info);
        assert!(other.serializable_properties().unwrap().0.is_empty());
        other.set_saved(&saved).unwrap();
        assert_eq!(other.serializable_properties().unwrap(), saved);
    }
    let old = SavedProperties(BTreeMap::from([("RealTime".to_owned(), 1.into())]));
    let session = fresh(&encoders()[0]);
    session.set_saved(&old).unwrap();
    assert_eq!(session.get(PropertyKey::RealTime).unwrap(), Some(true.into()));
}

/// Section 0.5: the names of Apple's headers and their odd spellings are known.
#[test]
fn odd_names_are_known() {
    for (name, key) in [
        ("AverageBitRate", PropertyKey::AverageBitRate),
        ("kVTCompressionPropertyKey_AverageBitRate", PropertyKey::AverageBitRate),
        ("kVTProCodecPropertyKey_AverageBytesPerFrame", PropertyKey::EstimatedAverageBytesPerFrame),
        ("kVTCodecPropertyKey_PreserveAlphaChannel", PropertyKey::PreserveAlphaChannel),
        ("UsingMetalRegistryID", PropertyKey::UsingGPURegistryID),
    ] {
        assert_eq!(PropertyKey::from_name(name), Some(key));
    }
    let keys: Vec<PropertyKey> = PropertyKey::all().collect();
    for key in keys {
        assert_eq!(PropertyKey::from_name(key.name()), Some(key));
        assert_eq!(key.row().key, key, "rows stand in the order of the keys");
        assert!(!key.row().documentation.is_empty());
    }
}

/// What is counted by nothing: shares, scores of a metric, the scale of an encoder, an exponent, numbers that
/// name something.
const WITHOUT_UNIT: [PropertyKey; 13] = [
    PropertyKey::ConstantQualityFactor,
    PropertyKey::Quality,
    PropertyKey::QualityFloor,
    PropertyKey::QualityTolerance,
    PropertyKey::BaseLayerBitRateFraction,
    PropertyKey::BaseLayerFrameRateFraction,
    PropertyKey::MinAllowedFrameQP,
    PropertyKey::MaxAllowedFrameQP,
    PropertyKey::SpatialAdaptiveQPLevel,
    PropertyKey::GammaLevel,
    PropertyKey::TargetQualityForAlpha,
    PropertyKey::UsingGPURegistryID,
    PropertyKey::Depth,
];

/// What follows a word in the facts of a key.
fn fact(key: PropertyKey, name: &str) -> &'static str {
    let line = key.row().facts.lines().find_map(|line| line.strip_prefix(&format!("* {name}: ")));
    line.and_then(|line| line.strip_suffix('.')).unwrap_or_else(|| panic!("{key} says no {name}"))
}

/// 2.2, PropertyDocumentation: rustdoc says of every key what its row says: no number without what it counts,
/// least and greatest value of each that can be set, when it can be set.
#[test]
fn documentation_says_what_rows_say() {
    for key in PropertyKey::all() {
        let row = key.row();
        let values = fact(key, "Values");
        assert!(row.documentation.trim().ends_with('.'), "{key}: {}", row.documentation);
        assert_eq!(
            row.kind.is_number() && row.unit.is_empty(),
            row.kind.is_number() && WITHOUT_UNIT.contains(&key),
            "{key}"
        );
        assert!(row.unit.is_empty() || values.ends_with(&format!(", in {}", row.unit)), "{key}: {values}");
        let bounds = values.split(", ").find_map(|part| part.split_once(" to "));
        let number = |text: &str| text.replace('_', "").parse::<f64>().unwrap();
        assert_eq!(bounds.map(|(least, most)| (number(least), number(most))), row.range, "{key}: {values}");
        assert!(!(key.is_writable() && row.kind.is_number()) || row.range.is_some(), "{key} has no bounds");
        let expected = match row.class {
            Class::Before => "before the first frame",
            Class::Between => "before the first frame and between frames",
            Class::ReadOnly => "never",
        };
        assert_eq!(fact(key, "Set"), expected, "{key}");
    }
}

/// G-1: the encoders that rustdoc names are those that have the property, and the default that it names is
/// the one they have.
#[test]
fn documentation_names_those_that_have_it() {
    let registry = retake::encoders();
    for info in encoders() {
        let supported = |low_latency| {
            let specification =
                EncoderSpecification { encoder: Some(info.name.into()), low_latency, ..Default::default() };
            let known = supported_properties_for_encoder(&registry, 176, 144, info.codec, &specification);
            known.map(|(_, properties)| properties).unwrap_or_default()
        };
        let (usual, fast) = (supported(false), supported(true));
        for key in PropertyKey::all() {
            let named = key.row().encoders;
            assert_eq!(named, fact(key, "Encoders"), "{key}");
            let has = usual.contains_key(&key) || fast.contains_key(&key);
            let says = named == "all" || named.split(", ").any(|name| name == info.name);
            assert_eq!(has, says, "{key} is said to be had by {named}, and {} {has}", info.name);
            let told = usual.get(&key).map(|entry| entry.default.as_ref());
            let default = fact(key, "Default");
            let number = |text: &str| text.parse::<f64>().ok();
            match told {
                Some(None) => assert!(default == "no value" || !key.is_writable(), "{key}: {default}"),
                Some(Some(value)) if !default.contains(' ') => {
                    let same = value
                        .as_f64()
                        .map_or(value.to_string() == default, |value| number(default) == Some(value));
                    assert!(same, "{key}: {default}, {value}");
                }
                _ => {}
            }
        }
    }
}

/// EL-1, 14.1, 14.3: the list has unique ids that select; properties without a session are those with one.
#[test]
fn el1_properties_without_a_session_are_those_with_one() {
    let registry = retake::encoders();
    let list = encoder_list(&registry);
    assert_eq!(list.len(), registry.encoders().count());
    for entry in &list {
        assert_eq!(list.iter().filter(|other| other.id == entry.id).count(), 1);
        for low_latency in [false, true] {
            let specification =
                EncoderSpecification { encoder: Some(entry.id.clone()), low_latency, ..Default::default() };
            let known = supported_properties_for_encoder(&registry, 176, 144, entry.codec, &specification);
            let session = CompressionSession::<()>::builder(&registry, 176, 144, entry.codec)
                .specification(specification)
                .build_pull();
            match (known, session) {
                (Ok((id, properties)), Ok((session, _))) => {
                    assert_eq!(id, entry.id);
                    assert_eq!(session.supported_properties().unwrap(), properties);
                    assert_eq!(session.get(PropertyKey::EncoderID).unwrap(), Some(id.into()));
                }
                (known, session) => {
                    assert!(low_latency, "{}: {:?}", entry.id, known.err());
                    assert_eq!((known.unwrap_err().code(), session.err().unwrap().code()), (-12908, -12908));
                }
            }
        }
    }
}

/// CS-1, CS-2, 14.3: sizes that are none, and specifications that nobody meets.
#[test]
fn sessions_that_cannot_be_are_refused() {
    let registry = retake::encoders();
    let build = |width, height, specification: EncoderSpecification| {
        CompressionSession::<()>::builder(&registry, width, height, Codec::H264)
            .specification(specification)
            .build_pull()
            .err()
            .map_or(0, |error| error.code())
    };
    let any = EncoderSpecification::default;
    assert_eq!(build(0, 144, any()), -12902);
    assert_eq!(build(176, 40_000, any()), -12902);
    assert_eq!(build(176, 144, EncoderSpecification { encoder: Some("nobody".into()), ..any() }), -12908);
    assert_eq!(build(176, 144, EncoderSpecification { encoder: Some("vp9".into()), ..any() }), -12908);
    assert_eq!(build(176, 144, EncoderSpecification { require_hardware: true, ..any() }), -12908);
    assert_eq!(build(176, 144, EncoderSpecification { required_gpu: Some(1), ..any() }), -12908);
    assert_eq!(build(176, 144, EncoderSpecification { enable_hardware: false, ..any() }), 0);
}

/// 5.3: what SupportedPresetDictionaries offers can be set as it is.
#[test]
fn preset_dictionaries_can_be_set() {
    for info in encoders() {
        let dictionaries = fresh(&info).get(PropertyKey::SupportedPresetDictionaries).unwrap().unwrap();
        let PropertyValue::Dictionary(presets) = dictionaries else { panic!("{dictionaries}") };
        for name in ["HighQuality", "Balanced", "HighSpeed"] {
            assert!(presets.contains_key(name), "{}: {name}", info.name);
        }
        for (name, preset) in presets {
            let PropertyValue::Dictionary(values) = preset else { panic!("{name}") };
            fresh(&info)
                .set_saved(&SavedProperties(values))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// CS-5, CS-7, section 3.3, resolution 15: from the first frame on, or prepare, class B answers -12902 and
/// class F is taken.
#[test]
fn what_the_first_frame_decides_is_frozen() {
    for info in encoders() {
        let (session, _outcomes) = session(&info);
        session.prepare().unwrap();
        session.prepare().unwrap();
        let supported = session.supported_properties().unwrap();
        for (key, entry) in supported.iter().filter(|(_, entry)| entry.writable) {
            let name = key.name();
            let (value, with) = sample(&info, *key, &supported);
            let all_live = with.iter().all(|property| supported[&property.key()].live);
            if entry.live && all_live {
                session.set_all(&with).unwrap();
                session.set_named(name, Some(value)).unwrap_or_else(|error| panic!("{}: {error}", info.name));
                session.set_named(name, None).unwrap();
            } else {
                let error = session.set_named(name, Some(value)).unwrap_err();
                assert_eq!(error.code(), -12902, "{}: {name}", info.name);
            }
        }
    }
}

/// The matrix encoder × property, printed with --nocapture: what is effective, and what is absent.
#[test]
fn property_matrix() {
    let all: Vec<(EncoderInfo, SupportedProperties)> = encoders()
        .into_iter()
        .map(|info| {
            let supported = fresh(&info).supported_properties().unwrap();
            (info, supported)
        })
        .collect();
    print!("{:<52}", "property");
    for (info, _) in &all {
        print!("{:<11}", info.name);
    }
    println!();
    for key in PropertyKey::all() {
        print!("{:<52}", key.name());
        for (_, supported) in &all {
            let word = match supported.get(&key) {
                Some(entry) if entry.writable => "effective",
                Some(_) => "read-only",
                None => "absent",
            };
            print!("{word:<11}");
        }
        println!();
    }
    // what the contract grades MUST for every encoder is there
    for (info, supported) in &all {
        for key in [
            PropertyKey::AverageBitRate,
            PropertyKey::Quality,
            PropertyKey::MaxKeyFrameInterval,
            PropertyKey::MaxKeyFrameIntervalDuration,
            PropertyKey::AllowFrameReordering,
            PropertyKey::AllowTemporalCompression,
            PropertyKey::MaxFrameDelayCount,
            PropertyKey::RealTime,
            PropertyKey::NumberOfPendingFrames,
            PropertyKey::PixelBufferPoolIsShared,
            PropertyKey::EncoderID,
        ] {
            assert!(supported.contains_key(&key), "{}: {key}", info.name);
        }
    }
}
/// W12 (PR-4): every number of reference pictures that is in the dictionary is one that the encoder opens
/// with, at small sizes, too; a size that is too small is refused with the reason.
#[test]
fn references_and_sizes_are_those_of_the_encoder() {
    for info in encoders() {
        for side in [2u32, 16, 32, 48, 64, 176] {
            let open = |properties: &[Property]| {
                let (session, _) =
                    CompressionSession::<()>::builder(&retake::encoders(), side, side, info.codec)
                        .encoder(info.name)
                        .build_pull()
                        .unwrap();
                session.set_all(&usual(&info)[..1]).unwrap();
                session.set_all(properties).unwrap();
                session.prepare()
            };
            let name = format!("{}, {side}×{side}", info.name);
            if let Err(error) = open(&[]) {
                assert_eq!(error.code(), -12902, "{name}: {error}");
                assert!(side < 64 && error.to_string().contains("too small"), "{name}: {error}");
                continue;
            }
            let supported = fresh(&info).supported_properties().unwrap();
            let Some(entry) = supported.get(&PropertyKey::ReferenceBufferCount) else { continue };
            for count in entry.minimum.unwrap() as u32..=entry.maximum.unwrap() as u32 {
                let opened = open(&[Property::ReferenceBufferCount(count)]);
                opened.unwrap_or_else(|error| panic!("{name}, {count}: {error}"));
            }
        }
        let depth = fresh(&info).set(Property::OutputBitDepth(9));
        assert_eq!(depth.unwrap_err().code(), -12902, "{}", info.name);
    }
}
