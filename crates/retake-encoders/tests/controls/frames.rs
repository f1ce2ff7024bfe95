//! Options and results of single frames have their effect.

use crate::common::{encoders, render, usual_formats};
use crate::run::{film, steps, with};
use retake_compression::encoder::{Controls, EncoderSettings, FrameOptions, RateControl};
use retake_media::{PixelBuffer, PixelFormat};

/// 4.3, BaseFrameQP: each frame is coded with the quantizer that it brings, whatever the rate; finer ones
/// cost more.
#[test]
fn frames_are_coded_with_the_quantizer_that_they_bring() {
    for factory in encoders() {
        let has = &factory.info().controls;
        let Some((min, max)) = has.qp_bounds.filter(|_| has.base_qp) else { continue };
        let name = factory.info().name;
        let span = max - min;
        for format in usual_formats(&*factory) {
            for rate in
                [RateControl::Quality(factory.info().quality.usual), RateControl::AverageBitRate(100_000)]
            {
                let controls = Controls { base_qp: true, ..Controls::default() };
                let settings = EncoderSettings { rate, format, ..with(&*factory, controls) };
                let frames = render(&settings, 30, 99, 1);
                let wish = |index: usize| min + span * 4 / 10 + (index as u32 * 7) % (span / 2);
                let (take, _) = steps(&*factory, &settings, &frames, |index, _, _| FrameOptions {
                    base_qp: Some(wish(index)),
                    ..FrameOptions::default()
                });
                for frame in &take.frames {
                    let wanted = wish(frame.index as usize) as f32;
                    let (index, said) = (frame.index, frame.qp);
                    assert!(
                        (said - wanted).abs() <= 1.0,
                        "{name} {format:?} frame {index}: {said}, not {wanted}"
                    );
                }
                let fine = |base_qp: u32| {
                    let options = FrameOptions { base_qp: Some(base_qp), ..FrameOptions::default() };
                    steps(&*factory, &settings, &frames, |_, _, _| options.clone()).0.bytes()
                };
                let (fine, coarse) = (fine(min + span / 3), fine(min + span * 2 / 3));
                assert!(fine > 2 * coarse, "{name}: {fine} and {coarse} bytes");
            }
        }
    }
}

/// 4.5, QualityMetrics: the errors are those between the source and the picture that a decoder sees.
#[test]
fn errors_are_those_of_the_decoded_picture() {
    for factory in encoders() {
        if !factory.info().controls.frame_errors {
            continue;
        }
        let name = factory.info().name;
        for &format in factory
            .info()
            .formats
            .iter()
            .filter(|format| [PixelFormat::I420, PixelFormat::I010].contains(format))
        {
            let controls = Controls { frame_errors: true, ..Controls::default() };
            let settings = EncoderSettings { format, ..with(&*factory, controls) };
            let frames = render(&settings, 30, 15, 1);
            let take = crate::common::encode(&*factory, &settings, &frames, &[]).unwrap();
            let plain = EncoderSettings { controls: Controls::default(), ..settings.clone() };
            let plain = crate::common::encode(&*factory, &plain, &frames, &[]).unwrap();
            assert!(
                plain.data() == take.data() && plain.frames.iter().all(|frame| frame.error.is_none()),
                "{name}"
            );
            for frame in &take.frames {
                let error =
                    frame.error.unwrap_or_else(|| panic!("{name}: frame {} says nothing", frame.index));
                let index = frame.index;
                for (plane, said) in [error.luma, error.blue, error.red].into_iter().enumerate() {
                    let real = squared_error(&take.pictures[&index], &frames[index as usize], plane);
                    assert!(
                        (said - real).abs() <= 0.002 + real * 0.002,
                        "{name} {format:?} frame {index} plane {plane}: {said}, really {real}"
                    );
                }
            }
        }
    }
}

fn squared_error(a: &PixelBuffer, b: &PixelBuffer, plane: usize) -> f64 {
    let value = |row: &[u8], x: usize| match a.format().bytes_per_sample() {
        1 => f64::from(row[x]),
        _ => f64::from(u16::from_le_bytes([row[2 * x], row[2 * x + 1]])),
    };
    let (width, height) = a.format().plane_size(a.width(), a.height(), plane);
    let sum: f64 = a
        .rows(plane)
        .zip(b.rows(plane))
        .map(|(a, b)| (0..width as usize).map(|x| (value(a, x) - value(b, x)).powi(2)).sum::<f64>())
        .sum();
    sum / f64::from(width * height)
}

/// 5.3, SpatialAdaptiveQPLevel: without it other bits come out.
#[test]
fn spatial_adaptation_can_be_left_out() {
    for factory in encoders() {
        if !factory.info().controls.spatial_adaptation {
            continue;
        }
        let on_request = factory.info().controls.adapts_on_request;
        let [with_it, without] = [true, false].map(|adapts| {
            let controls = Controls {
                spatial_adaptation: on_request && adapts,
                no_spatial_adaptation: !adapts,
                ..Controls::default()
            };
            film(&*factory, &with(&*factory, controls), 20)
        });
        assert!(with_it.data() != without.data(), "{}", factory.info().name);
    }
}
