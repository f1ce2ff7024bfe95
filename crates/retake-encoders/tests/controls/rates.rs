//! Rate control keeps bounds, buffers and ceilings, and lossless coding loses nothing.

use crate::common::{Take, decode, encode, encoders, ffmpeg, flat, render, usual_formats};
use crate::run::{film, fullest, samples, syntax, with};
use retake_compression::encoder::{Controls, EncoderFactory, EncoderSettings, RateBuffer, RateControl};

fn rate_of(take: &Take) -> f64 {
    take.bytes() as f64 * 8.0 / (take.frames.len() as f64 * 1001.0 / 24000.0)
}

/// 5.3, MinAllowedFrameQP and MaxAllowedFrameQP: no frame is coded with a quantizer outside, where the rate
/// would have it so.
#[test]
fn quantizers_stay_within_their_bounds() {
    for factory in encoders() {
        let Some((min, max)) = factory.info().controls.qp_bounds else { continue };
        let name = factory.info().name;
        let span = (max - min) as f32;
        for format in usual_formats(&*factory) {
            let run = |rate: u64, min_qp: Option<u32>, max_qp: Option<u32>| {
                let controls = Controls { min_qp, max_qp, ..Controls::default() };
                let settings = EncoderSettings {
                    format,
                    rate: RateControl::AverageBitRate(rate),
                    ..with(&*factory, controls)
                };
                film(&*factory, &settings, 60)
            };
            let (low, high) = (min + (span * 0.4) as u32, min + (span * 0.6) as u32);
            let free = run(30_000, None, None);
            assert!(
                free.frames.iter().any(|frame| frame.qp > high as f32),
                "{name}: the test proves nothing"
            );
            let capped = run(30_000, None, Some(high));
            for frame in &capped.frames {
                assert!(
                    frame.qp <= high as f32 + 0.01,
                    "{name} {format:?} frame {}: {} above {high}",
                    frame.index,
                    frame.qp
                );
            }
            assert!(capped.bytes() > free.bytes(), "{name}");
            let free = run(8_000_000, None, None);
            assert!(free.frames.iter().any(|frame| frame.qp < low as f32), "{name}: the test proves nothing");
            let capped = run(8_000_000, Some(low), None);
            for frame in &capped.frames {
                assert!(
                    frame.qp >= low as f32 - 0.01,
                    "{name} {format:?} frame {}: {} below {low}",
                    frame.index,
                    frame.qp
                );
            }
            assert!(capped.bytes() < free.bytes(), "{name}");
        }
    }
}

/// 5.3 (W8): equal bounds are one quantizer for all frames, whatever the rate; the bitstream says so where
/// FFmpeg reads it.
#[test]
fn equal_bounds_are_one_quantizer() {
    for factory in encoders() {
        let Some((min, max)) = factory.info().controls.qp_bounds else { continue };
        let name = factory.info().name;
        for qp in [min + 1, 30, 50, max].into_iter().filter(|qp| *qp <= max) {
            for rate in [30_000, 8_000_000] {
                let controls = Controls { min_qp: Some(qp), max_qp: Some(qp), ..Controls::default() };
                let rate = RateControl::AverageBitRate(rate);
                let take = film(&*factory, &EncoderSettings { rate, ..with(&*factory, controls) }, 40);
                assert_eq!(take.frames.len(), 40, "{name}");
                for frame in &take.frames {
                    assert_eq!(frame.qp, qp as f32, "{name}, {rate:?}, frame {}", frame.index);
                }
                if name == "svt-av1" && ffmpeg() && qp <= 60 {
                    // AV1 has four steps for each of the library's, up to 60.
                    let coded = syntax(&take.format, &samples(&take), "base_q_idx");
                    assert!(
                        coded.len() >= 40 && coded.iter().all(|index| *index == i64::from(qp) * 4),
                        "{qp}: {coded:?}"
                    );
                }
            }
        }
    }
}

/// 5.3, Quality 1.0: the decoded pictures equal those sent, bit for bit.
#[test]
fn lossless_loses_nothing() {
    for factory in encoders() {
        if !factory.info().controls.lossless {
            continue;
        }
        for format in usual_formats(&*factory) {
            let settings = EncoderSettings {
                format,
                rate: RateControl::Lossless,
                ..with(&*factory, Controls::default())
            };
            let frames = render(&settings, 12, 6, 1);
            let take = encode(&*factory, &settings, &frames, &[]).unwrap();
            for (index, frame) in frames.iter().enumerate() {
                assert!(
                    flat(&take.pictures[&(index as u64)]) == flat(frame),
                    "{} {format:?} {index}",
                    factory.info().name
                );
            }
            if ffmpeg() {
                let decoded = decode(&take.format, format, &samples(&take));
                assert!(
                    decoded.iter().zip(&frames).all(|(a, b)| *a == flat(b)),
                    "{} {format:?}",
                    factory.info().name
                );
            }
        }
    }
}

/// Models the buffer of the stream's receiver: it begins at `initial`, is filled at the rate, and gives a
/// sample at a time. Returns the least and the most that was in it, where the most is counted before a sample
/// is taken out.
fn receiver(take: &Take, buffer: RateBuffer) -> (f64, f64) {
    let size = buffer.max_rate as f64 * buffer.seconds;
    let (mut level, mut least, mut most) = (size * buffer.initial, size, 0.0f64);
    for frame in &take.frames {
        most = most.max(level);
        level -= frame.sample.data.len() as f64 * 8.0;
        least = least.min(level);
        level += buffer.max_rate as f64 * 1001.0 / 24000.0;
    }
    (least, most)
}

/// 5.3, ConstantBitRate, VBVBufferDuration, VBVInitialDelayPercentage: the receiver's buffer never runs dry,
/// and where small frames are padded, never over.
#[test]
fn constant_rates_keep_the_buffer_of_the_receiver() {
    for factory in encoders() {
        if !factory.info().controls.constant_bit_rate {
            continue;
        }
        let name = factory.info().name;
        for (rate, seconds, initial) in [(300_000, 1.0, 0.9), (2_500_000, 0.5, 0.5)] {
            let buffer = RateBuffer { max_rate: rate, seconds, initial };
            let controls = Controls { buffer: Some(buffer), ..Controls::default() };
            let settings =
                EncoderSettings { rate: RateControl::ConstantBitRate(rate), ..with(&*factory, controls) };
            let take = film(&*factory, &settings, 150);
            let (least, most) = receiver(&take, buffer);
            let size = rate as f64 * seconds;
            println!(
                "{name} {rate}: {:.0} bit/s, buffer from {:.3} to {:.3}",
                rate_of(&take),
                least / size,
                most / size
            );
            assert!(least >= -0.005 * size, "{name} {rate}: dry by {least}");
            assert!((rate_of(&take) / rate as f64 - 1.0).abs() < 0.15, "{name}: {}", rate_of(&take));
            if pads(&*factory) {
                assert!(most <= 1.02 * size, "{name} {rate}: over, {most} of {size}");
            }
            if ffmpeg() {
                let decoded = decode(&take.format, settings.format, &samples(&take));
                assert!(decoded.iter().zip(take.pictures.values()).all(|(a, b)| *a == flat(b)), "{name}");
            }
        }
    }
}

/// Returns whether small frames are padded.
fn pads(factory: &dyn EncoderFactory) -> bool {
    matches!(factory.info().name, "x264" | "x265")
}

/// 5.3, VariableBitRate, VBVMaxBitRate: a buffer that fills at the peak rate never runs dry, and the average
/// is kept roughly.
#[test]
fn variable_rates_keep_their_peaks() {
    for factory in encoders() {
        if !factory.info().controls.variable_bit_rate {
            continue;
        }
        let name = factory.info().name;
        let buffer = RateBuffer { max_rate: 500_000, seconds: 0.2, initial: 0.5 };
        let rate = RateControl::AverageBitRate(400_000);
        let run = |buffer: Option<RateBuffer>| {
            let controls = Controls { buffer, ..Controls::default() };
            film(&*factory, &EncoderSettings { rate, ..with(&*factory, controls) }, 150)
        };
        let (kept, free) = (run(Some(buffer)), run(None));
        let size = 100_000.0;
        let ((least, _), (wild, _)) = (receiver(&kept, buffer), receiver(&free, buffer));
        println!(
            "{name}: least {:.3}, without a buffer {:.3}; {:.0} bit/s",
            least / size,
            wild / size,
            rate_of(&kept)
        );
        assert!(wild < 0.0, "{name}: the test proves nothing");
        assert!(least >= -0.005 * size, "{name}: dry by {least}");
        assert!((rate_of(&kept) / 400_000.0 - 1.0).abs() < 0.2, "{name}: {}", rate_of(&kept));
    }
}

/// RESOLUTION 10: quality beside an average rate is a ceiling. Where the rate allows more, bits are left
/// unspent; where it allows less, the rate holds.
#[test]
fn the_quality_ceiling_leaves_bits_unspent() {
    for factory in encoders() {
        if !factory.info().controls.quality_ceiling {
            continue;
        }
        let name = factory.info().name;
        let usual = factory.info().quality.usual;
        let run = |rate: RateControl, quality_ceiling: Option<f64>| {
            let controls = Controls { quality_ceiling, ..Controls::default() };
            film(&*factory, &EncoderSettings { rate, ..with(&*factory, controls) }, 150)
        };
        let plain = run(RateControl::Quality(usual), None);
        let enough = (rate_of(&plain) * 4.0) as u64;
        let rich = run(RateControl::AverageBitRate(enough), Some(usual));
        let ratio = rich.bytes() as f64 / plain.bytes() as f64;
        assert!((0.9..1.1).contains(&ratio), "{name}: {ratio} of the size of that quality");
        let scarce = (rate_of(&plain) * 0.4) as u64;
        let poor = run(RateControl::AverageBitRate(scarce), Some(usual));
        let ratio = rate_of(&poor) / scarce as f64;
        println!("{name}: {ratio:.3} of a scarce rate");
        assert!((0.6..1.2).contains(&ratio), "{name}: {ratio} of the rate");
    }
}

/// PA-8: an encode that others come before starts with a buffer at its nominal fullness, so it spends less at
/// the beginning.
#[test]
fn encodes_between_others_start_at_the_nominal_fullness() {
    for factory in encoders() {
        if !factory.info().controls.variable_bit_rate {
            continue;
        }
        let name = factory.info().name;
        let run = |more_before: bool| {
            let buffer = Some(RateBuffer { max_rate: 300_000, seconds: 1.0, initial: 1.0 });
            let controls = Controls { buffer, more_before, ..Controls::default() };
            let rate = RateControl::AverageBitRate(300_000);
            film(&*factory, &EncoderSettings { rate, ..with(&*factory, controls) }, 72)
        };
        let (first, inner) = (fullest(&run(false), 300_000.0), fullest(&run(true), 300_000.0));
        println!("{name}: {first:.0} bits at once at a start, {inner:.0} between others");
        assert!(inner <= 150_000.0 * 1.01, "{name}: {inner} bits at once where half of 300000 are nominal");
        assert!(first > inner, "{name}");
    }
}
