//! The headers state the properties that were asked for.

use crate::common::{decode, encoders, ffmpeg, flat};
use crate::run::{film, refusal, samples, syntax, with};
use retake_compression::encoder::{Controls, EncoderSettings, RateControl, RateLimit};
use retake_media::{Codec, FieldDetail, Fields, FormatDescription, Rational};

/// Returns the profile and the level byte of a decoder configuration record.
fn profile_and_level(codec: Codec, config: &[u8]) -> (u8, u8) {
    match codec {
        Codec::H264 => (config[1], config[3]),
        Codec::Hevc => (config[1] & 31, config[12]),
        Codec::Av1 => (config[1] >> 5, config[1] & 31),
        Codec::Vp9 => (config[4], config[5]),
        _ => panic!("no encoder of {codec} has profiles or levels"),
    }
}

/// Returns the flags of the record by which profiles of one number differ: the constraints of H.264, and
/// bytes 5 and 6 of HEVC's, which hold those of the extensions.
fn constraints(format: &FormatDescription) -> Option<u16> {
    let config = &format.config;
    match format.codec {
        Codec::H264 => Some(u16::from(config[2]) & 0x4c),
        Codec::Hevc if config[1] & 31 == 4 => Some(u16::from_be_bytes([config[6], config[7]]) & 0x0ff8),
        _ => None,
    }
}

/// Returns those flags as the standards print them for a profile (H.264 A.2, HEVC table A.2). Where a profile
/// leaves one open, it is that of the pictures that [`profiles_are_signalled`] encodes.
fn flags(codec: Codec, profile: &str) -> Option<u16> {
    Some(match profile {
        // constraint_set1_flag: it is a stream of Main, too
        "baseline" | "constrained-baseline" => 0x40,
        "main" if codec == Codec::H264 => 0x40,
        // constraint_set4_flag and constraint_set5_flag
        "constrained-high" => 0x0c,
        "high" if codec == Codec::Av1 => return None,
        "high" | "high10" | "high422" | "high444-predictive" => 0,
        // at most 12, 10, 8 bits; at most 4:2:2, 4:2:0, 4:0:0; intra, one picture, lower bit rate
        "main422-10" => 0b1101_0000_1000,
        "main444" => 0b1110_0000_1000,
        "main444-10" => 0b1100_0000_1000,
        "monochrome" => 0b1111_1100_1000,
        "monochrome10" => 0b1101_1100_1000,
        _ => return None,
    })
}

/// 5.4, ProfileLevel: the record and the stream state the profile that was asked for, with every preset.
#[test]
fn profiles_are_signalled() {
    for factory in encoders() {
        let info = factory.info();
        for profile in &info.controls.profiles {
            let controls = Controls { profile: Some(profile.name.to_owned()), ..Controls::default() };
            let fitting: Vec<_> =
                info.formats.iter().copied().filter(|format| profile.has(*format)).collect();
            for (index, preset) in info.presets[info.presets.len() / 2..].iter().enumerate() {
                // The presets take turns with the pictures that the profile has.
                let format = fitting[index % fitting.len()];
                let settings = EncoderSettings {
                    format,
                    preset: preset.name.clone(),
                    ..with(&*factory, controls.clone())
                };
                let profile = profile.name;
                let take = film(&*factory, &settings, 6);
                let wanted = match profile {
                    "baseline" | "constrained-baseline" => 66,
                    "main" if take.format.codec == Codec::H264 => 77,
                    "high" if take.format.codec == Codec::Av1 => 1,
                    "professional" => 2,
                    "high" | "constrained-high" => 100,
                    "high10" => 110,
                    "high422" => 122,
                    "high444-predictive" => 244,
                    "main" if take.format.codec == Codec::Av1 => 0,
                    "main" => 1,
                    "profile0" => 0,
                    "profile1" => 1,
                    "profile2" => 2,
                    "profile3" => 3,
                    // the extensions of the format are one profile, and flags say which of them
                    "main422-10" | "main444" | "main444-10" | "monochrome" | "monochrome10" => 4,
                    "main10" => 2,
                    other => panic!("{}: {other} is not in this list", info.name),
                };
                let said = profile_and_level(take.format.codec, &take.format.config).0;
                assert_eq!(said, wanted, "{} {profile} {}", info.name, preset.name);
                assert_eq!(
                    constraints(&take.format),
                    flags(take.format.codec, profile),
                    "{} {profile}",
                    info.name
                );
                if ffmpeg() {
                    assert_eq!(decode(&take.format, format, &samples(&take)).len(), 6);
                }
            }
        }
        for (profile, &format) in info
            .controls
            .profiles
            .iter()
            .flat_map(|profile| info.formats.iter().map(move |format| (profile, format)))
        {
            let controls = Controls { profile: Some(profile.name.to_owned()), ..Controls::default() };
            let settings = EncoderSettings { format, ..with(&*factory, controls) };
            let refused = (!profile.has(format)).then_some("profile");
            assert_eq!(refusal(&*factory, &settings).as_deref(), refused, "{} {format:?}", profile.name);
        }
    }
}

/// 5.8, FieldCount: the headers state that macroblocks come in pairs and which field is first, and another
/// decoder shows the pictures that the library claims to have made. Levels, rates and pictures without fields
/// are refused by name.
#[test]
fn fields_are_signalled() {
    for factory in encoders() {
        let info = factory.info();
        let Some(support) = &info.controls.fields else { continue };
        for (detail, order) in
            [(FieldDetail::SpatialFirstLineEarly, 3), (FieldDetail::TemporalBottomFirst, 4)]
        {
            let fields = Some(Fields { count: 2, detail: Some(detail) });
            let controls = Controls { fields, ..Controls::default() };
            for (preset, threads) in [(0, 1), (info.presets.len() / 2, 2), (info.presets.len() - 1, 1)] {
                let preset = info.presets[preset].name.clone();
                let settings = EncoderSettings { preset, threads, ..with(&*factory, controls.clone()) };
                let take = film(&*factory, &settings, 8);
                assert_eq!(take.format.fields, fields);
                if !ffmpeg() {
                    continue;
                }
                let samples = samples(&take);
                let whole = syntax(&take.format, &samples, "frame_mbs_only_flag");
                assert!(!whole.is_empty() && whole.iter().all(|&whole| whole == 0), "{whole:?}");
                let orders = syntax(&take.format, &samples, "pic_struct");
                assert!(orders.len() == 8 && orders.iter().all(|&said| said == order), "{orders:?}");
                let decoded = decode(&take.format, settings.format, &samples);
                let made: Vec<_> = take.pictures.values().map(flat).collect();
                assert!(decoded == made, "{} {}: other pictures", info.name, settings.preset);
            }
            let refused = |controls: Controls, change: fn(&mut EncoderSettings)| {
                let mut settings = with(&*factory, controls);
                change(&mut settings);
                refusal(&*factory, &settings)
            };
            let level = |level| Controls { level: Some(level), ..controls.clone() };
            assert_eq!(refused(level(support.levels.1 + 1), |_| ()).as_deref(), Some("level"));
            assert_eq!(refused(level(support.levels.1), |_| ()), None);
            let named = Some("fields");
            assert_eq!(refused(controls.clone(), |all| all.height += 2).as_deref(), named);
            assert_eq!(
                refused(controls.clone(), |all| (all.width, all.height) = (2048, 1100)).as_deref(),
                named
            );
            let fast = |all: &mut EncoderSettings| {
                (all.width, all.height, all.frame_rate) = (1920, 1080, Rational::new(60, 1));
            };
            assert_eq!(refused(controls.clone(), fast).as_deref(), named);
            let many = Controls { references: Some(16), ..controls.clone() };
            let large = |all: &mut EncoderSettings| (all.width, all.height) = (1920, 1080);
            assert_eq!(refused(many, large).as_deref(), Some("references"));
            let limited = |all: &mut EncoderSettings| {
                all.limit = Some(RateLimit { bits_per_second: 400_000_000, window_bits: 400_000_000 });
            };
            assert_eq!(refused(controls.clone(), limited).as_deref(), named);
        }
    }
}

/// 5.4: a level that was asked for stands in the record; one that is too low for the pictures is refused.
#[test]
fn levels_are_signalled_or_refused() {
    for factory in encoders() {
        let info = factory.info();
        let Some(&lowest) = info.controls.levels.first() else { continue };
        for level in [30, 40, 51] {
            let controls = Controls { level: Some(level), ..Controls::default() };
            let format = factory.open(&with(&*factory, controls)).unwrap().format().clone();
            let wanted = match format.codec {
                Codec::H264 | Codec::Vp9 => level,
                Codec::Hevc => level * 3,
                Codec::Av1 => (level / 10 - 2) * 4 + level % 10,
                other => panic!("no encoder of {other} has levels"),
            };
            assert_eq!(u32::from(profile_and_level(format.codec, &format.config).1), wanted, "{}", info.name);
        }
        let controls = Controls { level: Some(lowest), ..Controls::default() };
        let big = EncoderSettings { width: 1920, height: 1080, ..with(&*factory, controls) };
        assert_eq!(refusal(&*factory, &big).as_deref(), Some("level"), "{}", info.name);
        if info.codec == Codec::Hevc {
            // 168 by 144 samples are coded, which are more in a second than 162 by 138, and than level 1 has.
            let (width, height, frame_rate) = (162, 138, Rational::new(24, 1));
            let small = EncoderSettings { width, height, frame_rate, ..big };
            assert_eq!(refusal(&*factory, &small).as_deref(), Some("level"), "{}", info.name);
        }
    }
}

/// MP-20, MP-33: a limit that the caller keeps decides the headers, as one that the encoder keeps does, and
/// nothing else: the encode takes what its quality takes. Blocks are read as they were written, also where
/// the encoder has no adaptation, and the headers come from an encode that has a buffer.
#[test]
fn a_limit_that_the_caller_keeps_decides_the_headers_alone() {
    for factory in encoders().into_iter().filter(|factory| factory.info().controls.rate_limit) {
        let info = factory.info();
        for no_spatial_adaptation in [false, true] {
            let controls = Controls { no_spatial_adaptation, ..Controls::default() };
            let free = EncoderSettings {
                rate: RateControl::Quality(8.0),
                reconstruct: true,
                ..with(&*factory, controls.clone())
            };
            let limit = Some(RateLimit { bits_per_second: 1_600_000, window_bits: 20_000 });
            let kept = EncoderSettings { limit, ..free.clone() };
            let controls = Controls { limit_kept_by_caller: true, ..controls };
            let by_caller = EncoderSettings { controls, ..kept.clone() };
            let pixels = free.format;
            let [free, kept, by_caller] =
                [free, kept, by_caller].map(|settings| film(&*factory, &settings, 24));
            let name = info.name;
            assert_eq!(by_caller.format, kept.format, "{name}");
            assert!(free.format != kept.format, "{name}: the limit has to need another level");
            assert!(kept.bytes() * 10 < free.bytes() * 9, "{name}: the limit has to matter");
            let pictures: Vec<_> = by_caller.pictures.values().map(flat).collect();
            if ffmpeg() {
                let decoded = decode(&by_caller.format, pixels, &samples(&by_caller));
                assert!(decoded == pictures, "{name}: other pictures");
            }
            let off = by_caller.bytes() as f64 / free.bytes() as f64 - 1.0;
            assert!(off.abs() < 0.01, "{name}: {off}");
        }
    }
}

/// 5.2: more reference pictures than the level holds are an error.
#[test]
fn references_above_the_level_are_refused() {
    for factory in encoders() {
        let info = factory.info();
        let Some((_, most)) = info.controls.references.filter(|_| !info.controls.levels.is_empty()) else {
            continue;
        };
        let controls = Controls { level: Some(40), references: Some(most), ..Controls::default() };
        let big = EncoderSettings { width: 1920, height: 1080, ..with(&*factory, controls) };
        assert_eq!(refusal(&*factory, &big).as_deref(), Some("references"), "{}", info.name);
    }
}

/// 5.4, H264EntropyMode and MaxH264SliceBytes: entropy coding and slices are as asked for.
#[test]
fn entropy_coding_and_slices_are_as_asked_for() {
    for factory in encoders() {
        let has = &factory.info().controls;
        if !ffmpeg() {
            return;
        }
        for cabac in [false, true].into_iter().filter(|_| has.cabac) {
            let controls = Controls { cabac: Some(cabac), ..Controls::default() };
            let take = film(&*factory, &with(&*factory, controls), 4);
            assert!(
                syntax(&take.format, &samples(&take), "entropy_coding_mode_flag")
                    .iter()
                    .all(|flag| *flag == i64::from(cabac))
            );
        }
        if has.cabac {
            let controls =
                Controls { cabac: Some(true), profile: Some("baseline".to_owned()), ..Controls::default() };
            assert_eq!(refusal(&*factory, &with(&*factory, controls)).as_deref(), Some("cabac"));
        }
        if has.slice_bytes {
            let controls = Controls { slice_bytes: Some(400), ..Controls::default() };
            let settings = with(&*factory, controls);
            let take = film(&*factory, &settings, 10);
            let mut sizes = Vec::new();
            for frame in &take.frames {
                let mut rest = frame.sample.data.as_slice();
                while let Some((length, more)) = rest.split_first_chunk::<4>() {
                    let (unit, more) = more.split_at(u32::from_be_bytes(*length) as usize);
                    sizes.push(unit.len());
                    rest = more;
                }
            }
            assert!(sizes.iter().all(|size| *size <= 400), "{sizes:?}");
            assert!(sizes.len() > 15, "{sizes:?}");
            let decoded = decode(&take.format, settings.format, &samples(&take));
            assert!(decoded.iter().zip(take.pictures.values()).all(|(a, b)| *a == flat(b)));
        }
    }
}

/// PA-7: equal controls give equal headers, whatever the rate, the position and the frames.
#[test]
fn equal_controls_give_equal_headers() {
    for factory in encoders() {
        let has = &factory.info().controls;
        let (more_before, more_after) = (has.steady_start, has.steady_end);
        let variants = [
            Controls { more_before, more_after, frame_count: 30, ..Controls::default() },
            Controls { more_before, ..Controls::default() },
        ];
        let plain = factory.open(&with(&*factory, Controls::default())).unwrap().format().clone();
        for controls in variants {
            use retake_compression::encoder::RateControl::{AverageBitRate, Quality};
            for rate in
                [Quality(factory.info().quality.usual), AverageBitRate(200_000), AverageBitRate(9_000_000)]
            {
                let settings = EncoderSettings { rate, ..with(&*factory, controls.clone()) };
                let format = factory.open(&settings).unwrap().format().clone();
                assert_eq!(format, plain, "{} {controls:?} {rate:?}", factory.info().name);
            }
        }
    }
}
