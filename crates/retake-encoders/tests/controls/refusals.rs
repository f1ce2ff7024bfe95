//! Controls that an encoder lacks are refused by their name.

use crate::common::{encoders, settings};
use crate::run::{refusal, with};
use retake_compression::encoder::{Controls, EncoderSettings, RateBuffer, RateControl, RateLimit};
use retake_media::Fields;

/// Lists each control, whether the encoder claims to obey it, and the rate that it goes with.
fn cases(
    has: &retake_compression::encoder::ControlSupport,
    quality: RateControl,
) -> Vec<(&'static str, bool, Controls, RateControl)> {
    let none = Controls::default;
    let average = RateControl::AverageBitRate(300_000);
    vec![
        ("open_gop", has.open_gop, Controls { open_gop: true, ..none() }, quality),
        ("references", has.references.is_some(), Controls { references: Some(2), ..none() }, quality),
        ("look_ahead", has.look_ahead.is_some(), Controls { look_ahead: Some(5), ..none() }, quality),
        ("low_latency", has.low_latency, Controls { low_latency: true, ..none() }, quality),
        ("min_qp", has.qp_bounds.is_some(), Controls { min_qp: Some(20), ..none() }, average),
        ("max_qp", has.qp_bounds.is_some(), Controls { max_qp: Some(40), ..none() }, average),
        (
            "no_spatial_adaptation",
            has.spatial_adaptation,
            Controls { no_spatial_adaptation: true, ..none() },
            quality,
        ),
        ("base_qp", has.base_qp, Controls { base_qp: true, ..none() }, quality),
        ("quality_ceiling", has.quality_ceiling, Controls { quality_ceiling: Some(30.0), ..none() }, average),
        ("buffer", has.variable_bit_rate, Controls { buffer: Some(buffer(600_000)), ..none() }, average),
        ("cabac", has.cabac, Controls { cabac: Some(true), ..none() }, quality),
        ("slice_bytes", has.slice_bytes, Controls { slice_bytes: Some(500), ..none() }, quality),
        ("first_pass", has.first_pass, Controls { first_pass: Some(30), ..none() }, quality),
        ("frame_errors", has.frame_errors, Controls { frame_errors: true, ..none() }, quality),
        (
            "temporal_layers",
            has.temporal_layers > 1,
            Controls { temporal_layers: Some(2), low_latency: has.layers_in_low_latency_only, ..none() },
            quality,
        ),
        (
            "base_layer_share",
            has.base_layer_share,
            Controls {
                temporal_layers: has.base_layer_share.then_some(2),
                base_layer_share: Some(0.6),
                ..none()
            },
            average,
        ),
        (
            "long_term_references",
            has.long_term_references,
            Controls { long_term_references: true, low_latency: has.low_latency, ..none() },
            average,
        ),
        (
            "fields",
            has.fields.is_some(),
            Controls { fields: Some(Fields { count: 2, detail: None }), ..none() },
            quality,
        ),
        ("rate control", has.lossless, none(), RateControl::Lossless),
        (
            "rate control",
            has.constant_bit_rate,
            Controls { buffer: Some(buffer(300_000)), ..none() },
            RateControl::ConstantBitRate(300_000),
        ),
    ]
}

fn buffer(max_rate: u64) -> RateBuffer {
    RateBuffer { max_rate, seconds: 1.0, initial: 0.5 }
}

/// G-1: every unsupported control is refused by its name.
#[test]
fn unsupported_controls_are_refused_by_name() {
    for factory in encoders() {
        let info = factory.info();
        let quality = RateControl::Quality(info.quality.usual);
        for (name, obeyed, controls, rate) in cases(&info.controls, quality) {
            let settings = EncoderSettings { rate, ..with(&*factory, controls) };
            let refused = refusal(&*factory, &settings);
            match obeyed {
                true => assert_eq!(refused, None, "{} says that it has {name}", info.name),
                false => assert_eq!(refused.as_deref(), Some(name), "{}", info.name),
            }
        }
        for profile in &info.controls.profiles {
            let controls = Controls { profile: Some(format!("{}x", profile.name)), ..Controls::default() };
            assert_eq!(refusal(&*factory, &with(&*factory, controls)).as_deref(), Some("profile"));
        }
        let controls = Controls { level: Some(7), ..Controls::default() };
        assert_eq!(refusal(&*factory, &with(&*factory, controls)).as_deref(), Some("level"));
        let controls = Controls { temporal_layers: Some(9), ..Controls::default() };
        assert_eq!(refusal(&*factory, &with(&*factory, controls)).as_deref(), Some("temporal_layers"));
    }
}

/// EF-11: no option in the encoder's own words makes SVT-AV1 hold back more frames than the settings say. The
/// shim waits for those that are due, and would wait for ever.
#[test]
fn options_do_not_hold_frames_back() {
    for factory in encoders().into_iter().filter(|factory| factory.info().name == "svt-av1") {
        let refused = |option: (&str, &str), max_delay: Option<u32>| {
            let options = vec![(option.0.to_owned(), option.1.to_owned())];
            let controls = Controls { max_delay, ..Controls::default() };
            refusal(&*factory, &EncoderSettings { options, ..with(&*factory, controls) })
        };
        for (option, with_a_bound, without) in [
            (("pred-struct", "2"), Some("pred-struct"), Some("pred-struct")),
            (("pred_struct", "1"), Some("pred-struct"), Some("pred-struct")),
            (("lookahead", "120"), Some("lookahead"), None),
        ] {
            // so many that the library would be left its look-ahead
            for most in [2, 110] {
                let refused = refused(option, Some(most));
                assert_eq!(refused.map(|name| name.replace('_', "-")).as_deref(), with_a_bound, "{option:?}");
            }
            let refused = refused(option, None).map(|name| name.replace('_', "-"));
            assert_eq!(refused.as_deref(), without, "{option:?}");
        }
    }
}

/// Controls that contradict each other, or the rate, are refused by the name of one of them.
#[test]
fn contradictions_are_refused() {
    for factory in encoders() {
        let info = factory.info();
        let has = &info.controls;
        let average = RateControl::AverageBitRate(300_000);
        let refused = |controls: Controls, rate: RateControl, limit: Option<RateLimit>| {
            refusal(&*factory, &EncoderSettings { rate, limit, ..with(&*factory, controls) })
        };
        let none = Controls::default;
        if let Some((min, max)) = has.qp_bounds {
            let controls = Controls { min_qp: Some(max), max_qp: Some(min), ..none() };
            assert_eq!(refused(controls, average, None).as_deref(), Some("min_qp"), "{}", info.name);
            let controls = Controls { max_qp: Some(max + 1), ..none() };
            assert_eq!(refused(controls, average, None).as_deref(), Some("max_qp"), "{}", info.name);
        }
        if has.quality_ceiling {
            let controls = Controls { quality_ceiling: Some(info.quality.usual), ..none() };
            let rate = RateControl::Quality(info.quality.usual);
            assert_eq!(refused(controls, rate, None).as_deref(), Some("quality_ceiling"), "{}", info.name);
        }
        if has.constant_bit_rate {
            let rate = RateControl::ConstantBitRate(300_000);
            assert_eq!(refused(none(), rate, None).as_deref(), Some("buffer"), "{}", info.name);
            let controls = Controls { buffer: Some(buffer(400_000)), ..none() };
            assert_eq!(refused(controls, rate, None).as_deref(), Some("buffer"), "{}", info.name);
        }
        if has.variable_bit_rate {
            let low = Controls { buffer: Some(buffer(200_000)), ..none() };
            assert_eq!(refused(low, average, None).as_deref(), Some("buffer"), "{}", info.name);
            let controls =
                Controls { buffer: Some(RateBuffer { seconds: f64::NAN, ..buffer(400_000) }), ..none() };
            assert_eq!(refused(controls, average, None).as_deref(), Some("buffer"), "{}", info.name);
            let limit = Some(RateLimit { bits_per_second: 500_000, window_bits: 500_000 });
            let controls = Controls { buffer: Some(buffer(400_000)), ..none() };
            assert_eq!(refused(controls, average, limit).as_deref(), Some("limit"), "{}", info.name);
        }
        if has.long_term_references {
            let controls = Controls { long_term_references: true, ..none() };
            assert_eq!(
                refused(controls, average, None).as_deref(),
                Some("long_term_references"),
                "{}",
                info.name
            );
        }
    }
}

/// RESOLUTION 18: a quantizer comes with every frame or with none; a refused frame is not taken, and the
/// encode goes on.
#[test]
fn frame_options_have_to_fit_the_encode() {
    use crate::common::{render, time};
    use retake_compression::encoder::{EncoderError, FrameOptions};
    use retake_media::Time;
    for factory in encoders() {
        let settings = settings(&*factory);
        let frames = render(&settings, 2, 9, 1);
        let mut encoder = factory.open(&settings).unwrap();
        let wrong = [
            ("base_qp", FrameOptions { base_qp: Some(30), ..Default::default() }),
            ("refresh", FrameOptions { refresh: true, ..Default::default() }),
            ("acknowledged", FrameOptions { acknowledged: vec![1], ..Default::default() }),
        ];
        for (name, options) in wrong {
            match encoder.send(&frames[0], time(0), Time::INVALID, options) {
                Err(EncoderError::Settings { setting, .. }) => assert_eq!(setting, name),
                other => panic!("{}: {other:?}", factory.info().name),
            }
        }
        encoder.send(&frames[0], time(0), Time::INVALID, FrameOptions::default()).unwrap();
        if let Some((_, max)) = factory.info().controls.qp_bounds.filter(|_| factory.info().controls.base_qp)
        {
            let controls = Controls { base_qp: true, ..Controls::default() };
            let mut encoder = factory.open(&with(&*factory, controls)).unwrap();
            for base_qp in [None, Some(max + 1)] {
                let options = FrameOptions { base_qp, ..Default::default() };
                assert!(encoder.send(&frames[0], time(0), Time::INVALID, options).is_err());
            }
            let options = FrameOptions { base_qp: Some(max), ..Default::default() };
            encoder.send(&frames[0], time(0), Time::INVALID, options).unwrap();
        }
    }
}
