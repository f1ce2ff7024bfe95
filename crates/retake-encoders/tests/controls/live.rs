//! Changes on the way have their effect (class F of section 3.3).

use crate::common::{Take, encoders, render};
use crate::run::{fullest, steps, with};
use retake_compression::encoder::{
    Controls, EncoderError, EncoderFactory, EncoderSettings, FrameOptions, RateControl, RateLimit,
    Reconfiguration,
};
use retake_media::Rational;

const FRAMES: usize = 240;
const AT: usize = 120;

/// Returns an encode that is changed in the middle, and whether it took the change.
fn changed(
    factory: &dyn EncoderFactory,
    settings: &EncoderSettings,
    change: Reconfiguration,
) -> (Take, bool) {
    let frames = render(settings, 24, 99, 1);
    let frames: Vec<_> = frames.iter().chain(frames.iter().rev()).cycle().take(FRAMES).cloned().collect();
    let mut done = false;
    let (take, _) = steps(factory, settings, &frames, |index, encoder, _| {
        if index == AT {
            done = encoder.reconfigure(&change).unwrap();
        }
        FrameOptions::default()
    });
    (take, done)
}

/// Returns the bytes before the change reached the encoder, and those long after.
fn halves(take: &Take) -> (f64, f64) {
    let sum = |from: u64, to: u64| {
        let frames = take.frames.iter().filter(|frame| (from..to).contains(&frame.index));
        frames.map(|frame| frame.sample.data.len()).sum::<usize>() as f64 / (to - from) as f64
    };
    (sum(20, 80), sum(180, 240))
}

/// 3.3: another rate, quality or frame rate is obeyed from then on, with low latency at the least; where it
/// is not, the encoder must not claim it.
#[test]
fn rates_change_on_the_way() {
    for factory in encoders() {
        let name = factory.info().name;
        let has = &factory.info().controls;
        let usual = factory.info().quality.usual;
        let rate = |rate| Reconfiguration { rate: Some(rate), ..Default::default() };
        let fps = Reconfiguration { frame_rate: Some(Rational::new(6000, 1001)), ..Default::default() };
        let scale = factory.info().quality;
        let at = |value: f64| RateControl::Quality(value.clamp(scale.min, scale.max));
        let (average, quality) = (RateControl::AverageBitRate(600_000), at(usual - 8.0));
        for low_latency in [false, true].into_iter().filter(|low| has.low_latency || !low) {
            for (start, change, factor) in [
                (average, rate(RateControl::AverageBitRate(150_000)), 0.25),
                (average, fps, 4.0),
                (quality, rate(at(usual + 8.0)), 0.4),
            ] {
                let controls = Controls { low_latency, ..Controls::default() };
                let settings = EncoderSettings { rate: start, ..with(&*factory, controls) };
                let (take, done) = changed(&*factory, &settings, change);
                assert!(!done || has.live_rate, "{name} {change:?}");
                assert!(done || !low_latency || !has.live_rate, "{name} does not take {change:?}");
                let (before, after) = halves(&take);
                let real = after / before;
                println!("{name} low latency {low_latency} {change:?}: {real:.2} times the size");
                match (done, factor > 1.0) {
                    (false, _) => assert!((0.6..1.6).contains(&real), "{name}: {real} without a change"),
                    (true, true) => assert!(real > 2.0, "{name} {change:?}: {real}"),
                    (true, false) => assert!(real < factor * 1.5, "{name} {change:?}: {real}"),
                }
            }
        }
    }
}

/// 3.3, DataRateLimits: another limit holds from then on; one that was not there from the beginning is not
/// taken.
#[test]
fn limits_change_on_the_way() {
    for factory in encoders() {
        let name = factory.info().name;
        let limit = |bits: u64| RateLimit { bits_per_second: bits, window_bits: bits };
        let scale = factory.info().quality;
        let rate = RateControl::Quality((scale.usual - 10.0).max(scale.min));
        let settings = EncoderSettings { rate, ..with(&*factory, Controls::default()) };
        let change = Reconfiguration { limit: Some(limit(200_000)), ..Default::default() };
        assert!(!changed(&*factory, &settings, change).1, "{name}");
        let limited = EncoderSettings { limit: Some(limit(800_000)), ..settings };
        if factory.open(&limited).is_err() || !factory.info().controls.live_rate {
            continue;
        }
        let (mut take, done) = changed(&*factory, &limited, change);
        assert!(done, "{name}");
        take.frames.retain(|frame| frame.index >= 180);
        let worst = fullest(&take, 200_000.0);
        println!("{name}: {worst:.0} bits");
        assert!(worst <= 200_000.0, "{name}: {worst}");
    }
}

/// 3.3, MinAllowedFrameQP and MaxAllowedFrameQP can change between frames.
#[test]
fn quantizer_bounds_change_on_the_way() {
    for factory in encoders() {
        let name = factory.info().name;
        let Some((min, max)) = factory.info().controls.qp_bounds else { continue };
        let bound = (min + (max - min) * 6 / 10).min(max);
        let rate = RateControl::AverageBitRate(20_000);
        let settings = EncoderSettings { rate, ..with(&*factory, Controls::default()) };
        let change = Reconfiguration { max_qp: Some(bound), ..Default::default() };
        let (take, done) = changed(&*factory, &settings, change);
        assert_eq!(done, factory.info().controls.live_qp_bounds, "{name}");
        let above = |from: u64| {
            take.frames.iter().filter(|frame| frame.index >= from && frame.qp > bound as f32 + 0.01).count()
        };
        assert!(above(0) > 0, "{name}: the test proves nothing");
        assert_eq!(above(180) == 0, done, "{name}: {} frames above", above(180));
    }
}

/// A value that is out of range is an error and changes nothing; another kind of rate cannot be had.
#[test]
fn impossible_changes_change_nothing() {
    for factory in encoders() {
        let settings = with(&*factory, Controls::default());
        let mut encoder = factory.open(&settings).unwrap();
        let refused = |encoder: &mut dyn retake_compression::encoder::Encoder, change: Reconfiguration| {
            matches!(encoder.reconfigure(&change), Err(EncoderError::Settings { .. }))
        };
        let quality = Reconfiguration { rate: Some(RateControl::Quality(1e9)), ..Default::default() };
        assert!(refused(&mut *encoder, quality));
        let rate = Reconfiguration { frame_rate: Some(Rational::new(0, 1)), ..Default::default() };
        assert!(refused(&mut *encoder, rate));
        let kind = Reconfiguration { rate: Some(RateControl::AverageBitRate(100_000)), ..Default::default() };
        assert!(!encoder.reconfigure(&kind).unwrap());
        assert!(encoder.reconfigure(&Reconfiguration::default()).unwrap(), "no change is always done");
    }
}
