//! Rates, limits and quality, judged by the bytes that come out.

use crate::common::{
    HEIGHT, Pull, STEP, WIDTH, at, bytes, decode, encode, encoders, ffmpeg, has, obeys, render, session,
    syncs, taken, usual, whole,
};
use crate::recorder::recording;
use retake::SourceFrame;
use retake::property::{DataRateLimit, Property, PropertyKey};
use retake::session::{CompressionSession, EncoderSpecification};
use retake::{PixelBuffer, SampleBuffer, Time};

/// Noise enough that no rate here is too high for it, and a cut every second and a half.
fn film(count: usize) -> Vec<PixelBuffer> {
    render(count, 36, 60)
}

fn bits_per_second(samples: &[(usize, SampleBuffer)]) -> f64 {
    bytes(samples) as f64 * 8.0 * 24.0 / samples.len() as f64
}

/// The most bytes in any window of decode time that begins with a sample, in plain arithmetic of whole ticks.
fn fullest_window(samples: &[(usize, SampleBuffer)], ticks: i64) -> u64 {
    let times: Vec<(i64, u64)> = samples
        .iter()
        .map(|(_, buffer)| (buffer.sample.dts.value(), buffer.sample.data.len() as u64))
        .collect();
    assert!(samples.iter().all(|(_, buffer)| buffer.sample.dts.timescale() == 24));
    times
        .iter()
        .map(|&(start, _)| {
            times.iter().filter(|&&(at, _)| at >= start && at < start + ticks).map(|&(_, size)| size).sum()
        })
        .max()
        .unwrap()
}

/// 5.3, resolution 10 (W9): beside an average rate, Quality is a ceiling: where the rate allows more, the
/// stream is not larger than at that quality alone.
#[test]
fn quality_is_a_ceiling_beside_a_rate() {
    for info in encoders() {
        for quality in [0.3, 0.5] {
            let size = |more: &[Property]| {
                let pull = session(&info);
                pull.0.set_all(&[&[Property::Quality(quality)], more].concat()).unwrap();
                bytes(&encode(&pull, &render(100, 36, 20), &[]))
            };
            let (alone, beside) = (size(&[]), size(&[Property::AverageBitRate(4_000_000)]));
            println!("{}, {quality}: {alone} bytes alone, {beside} beside a rate", info.name);
            assert!(beside as f64 <= alone as f64 * 1.05, "{}: {beside} above {alone}", info.name);
            assert!(beside * 4 >= alone, "{}: {beside} is next to nothing of {alone}", info.name);
        }
    }
}

/// W5 (PR-4, 5.3): an average rate and limits open a session of low latency with every encoder that lists
/// them; each sample comes out at once, or with the next frame where the encoder holds one back, and no
/// window is above its limit.
#[test]
fn limits_hold_in_low_latency() {
    let limit = DataRateLimit { bytes: 30_000, seconds: 1.0 };
    for info in encoders() {
        let specification =
            EncoderSpecification { encoder: Some(info.name.into()), low_latency: true, ..Default::default() };
        let built = CompressionSession::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
            .specification(specification)
            .build_pull();
        let Ok(pull) = built else { continue };
        pull.0.set_all(&usual(&info)).unwrap();
        assert!(!has(&pull, PropertyKey::ConstantBitRate), "{}: its buffer is its own", info.name);
        pull.0.set_all(&[Property::AverageBitRate(200_000), Property::DataRateLimits(vec![limit])]).unwrap();
        let mut samples = Vec::new();
        for (index, frame) in film(96).iter().enumerate() {
            pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
            // to complete a frame that the encoder holds back begins another encode with the next one
            if info.controls.least_delay == 0 {
                pull.0.complete_frames_until(at(index)).unwrap();
            }
            if index + 1 == 96 {
                pull.0.complete_frames().unwrap();
            }
            let outcomes = std::iter::from_fn(|| pull.1.try_receive());
            samples.extend(
                outcomes.filter_map(|outcome| Some((outcome.token, outcome.into_sample().unwrap()?))),
            );
        }
        let most = fullest_window(&samples, 24);
        println!("{}: {most} of {}, {} samples", info.name, limit.bytes, samples.len());
        assert!(most <= limit.bytes, "{}: {most}", info.name);
        assert!(samples.len() >= 90 && most * 2 >= limit.bytes, "{}: {most}, {}", info.name, samples.len());
        if ffmpeg() {
            assert_eq!(
                decode(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>()).len(),
                samples.len()
            );
        }
    }
}

/// A10 (5.3): with one pair and with two, alone and with an average, no window holds more than it may; and
/// the limit is not kept by sending next to nothing.
#[test]
fn a10_no_window_is_above_its_limit() {
    let (one, two) =
        (DataRateLimit { bytes: 45_000, seconds: 1.0 }, DataRateLimit { bytes: 110_000, seconds: 3.0 });
    for info in encoders() {
        for (limits, rate) in [
            (vec![one], None),
            (vec![one], Some(Property::AverageBitRate(300_000))),
            (vec![one], Some(Property::Quality(0.8))),
            (vec![one, two], Some(Property::AverageBitRate(250_000))),
        ] {
            let pull = session(&info);
            if !has(&pull, PropertyKey::DataRateLimits) {
                continue;
            }
            pull.0.set(Property::DataRateLimits(limits.clone())).unwrap();
            pull.0.set_all(rate.as_slice()).unwrap();
            let samples = encode(&pull, &film(150), &[]);
            for limit in &limits {
                let most = fullest_window(&samples, (limit.seconds * 24.0) as i64);
                let name = info.name;
                println!("{name} {rate:?}: {most} of {} in {} s", limit.bytes, limit.seconds);
                assert!(most <= limit.bytes, "{name} {rate:?}: {most} above {limit:?}");
                assert!(most > limit.bytes / 4, "{name} {rate:?}: {most} is next to nothing of {limit:?}");
            }
        }
    }
}

/// W4: a limit is not kept by being far below it: under an average and a limit every encoder reaches nearly
/// what the others do, and drops nothing.
#[test]
fn w4_a_limit_leaves_the_rate() {
    let mut reached = Vec::new();
    for info in encoders() {
        let pull = session(&info);
        if !has(&pull, PropertyKey::DataRateLimits) {
            continue;
        }
        let limit = DataRateLimit { bytes: 25_000, seconds: 1.0 };
        pull.0.set(Property::AverageBitRate(150_000)).unwrap();
        pull.0.set(Property::DataRateLimits(vec![limit])).unwrap();
        let (samples, dropped) = outcomes(&pull, &render(300, 36, 20));
        assert_eq!(dropped, 0, "{}", info.name);
        reached.push((info.name, bits_per_second(&samples)));
    }
    println!("{reached:?}");
    let most = reached.iter().map(|(_, rate)| *rate).fold(0.0, f64::max).min(150_000.0);
    assert!(reached.iter().all(|(_, rate)| *rate >= 0.85 * most), "{reached:?}");
}

/// What came of all frames: the samples, and how many were dropped.
fn outcomes(pull: &Pull, frames: &[PixelBuffer]) -> (Vec<(usize, SampleBuffer)>, usize) {
    for (index, frame) in frames.iter().enumerate() {
        pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
    }
    pull.0.complete_frames().unwrap();
    let all: Vec<_> = std::iter::from_fn(|| pull.1.try_receive()).collect();
    let mut tokens: Vec<usize> = all.iter().map(|outcome| outcome.token).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (0..frames.len()).collect::<Vec<_>>(), "one outcome for each frame");
    let samples: Vec<_> = all
        .into_iter()
        .filter_map(|outcome| Some((outcome.token, outcome.into_sample().unwrap()?)))
        .collect();
    let dropped = frames.len() - samples.len();
    (samples, dropped)
}

/// A10 where encoders break the limit by themselves: stillness before noise, cuts in every second, and less
/// room than the coarsest quantizer needs. What cannot be made small enough is dropped, and nothing else;
/// what is left decodes, and comes again byte for byte.
#[test]
fn a10_a_limit_holds_where_encoders_break_it() {
    let still: Vec<PixelBuffer> = render(1, 9, 0).into_iter().cycle().take(40).collect();
    let sudden = [still, render(40, 7, 120)].concat();
    for info in encoders() {
        for (bytes, may_drop) in [(12_000, false), (5_000, false), (900, true)] {
            let run = || {
                let pull = session(&info);
                let has = has(&pull, PropertyKey::DataRateLimits);
                has.then(|| {
                    let limit = DataRateLimit { bytes, seconds: 1.0 };
                    pull.0.set(Property::DataRateLimits(vec![limit])).unwrap();
                    outcomes(&pull, &sudden)
                })
            };
            let Some((samples, dropped)) = run() else { continue };
            let most = fullest_window(&samples, 24);
            println!("{}: {most} of {bytes} in a second, {dropped} dropped", info.name);
            assert!(most <= bytes, "{}: {most} of {bytes}", info.name);
            assert!(may_drop || dropped == 0, "{}: {dropped} dropped", info.name);
            let stream: Vec<_> = samples.iter().map(|(_, buffer)| buffer).collect();
            assert!(stream.windows(2).all(|pair| pair[0].sample.dts < pair[1].sample.dts));
            if ffmpeg() {
                assert_eq!(decode(&stream).len(), samples.len(), "{}", info.name);
            }
            if bytes != 5_000 {
                continue;
            }
            let again = run().unwrap().0;
            let data = |samples: &[(usize, SampleBuffer)]| {
                samples.iter().map(|(_, buffer)| buffer.sample.data.clone()).collect::<Vec<_>>()
            };
            assert!(data(&again) == data(&samples), "{}: other bytes at {bytes}", info.name);
        }
    }
}

/// A10, with an encoder whose sizes are known: frames that are too large are encoded again, coarser, from
/// there on; one that no quantizer makes small is dropped alone; when there is room again, quantizers are
/// fine again.
#[test]
fn a10_what_does_not_fit_is_encoded_again() {
    let (session, outcomes, log) = recording(
        |settings, _, pts| {
            let coarse = settings.controls.min_qp.unwrap_or(0);
            match pts.value() - 5 {
                100 => 60_000,
                30..40 if coarse < 40 => 9_000,
                30..40 => 400,
                _ => 450,
            }
        },
        (176, 144),
        None,
    );
    let limit = DataRateLimit { bytes: 20_000, seconds: 1.0 };
    session.set(Property::DataRateLimits(vec![limit])).unwrap();
    for (index, frame) in render(240, 999, 0).iter().enumerate() {
        session.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
    }
    session.complete_frames().unwrap();
    let all: Vec<_> = std::iter::from_fn(|| outcomes.try_receive()).collect();
    assert_eq!(all.iter().map(|outcome| outcome.token).collect::<Vec<_>>(), (0..240).collect::<Vec<_>>());
    let dropped: Vec<_> =
        all.iter().filter(|outcome| outcome.sample().is_none()).map(|outcome| outcome.token).collect();
    assert_eq!(dropped, [100]);
    let samples: Vec<_> = all
        .into_iter()
        .filter_map(|outcome| Some((outcome.token, outcome.into_sample().unwrap()?)))
        .collect();
    assert!(fullest_window(&samples, 24) <= 20_000);
    assert!(
        samples.iter().filter(|(index, _)| *index > 32).all(|(_, buffer)| buffer.sample.data.len() < 9_000)
    );
    let bounds: Vec<_> = log.lock().unwrap().opened.iter().map(|settings| settings.controls.min_qp).collect();
    assert_eq!((bounds[0], *bounds.last().unwrap()), (None, None), "{bounds:?}");
    assert!(bounds.contains(&Some(51)) && bounds.len() < 16, "{bounds:?}");
}

/// 5.3: an average bit rate is met over the long run. The film is short, so that the bound is wide.
#[test]
fn an_average_bit_rate_is_met() {
    for info in encoders() {
        for rate in [300_000, 600_000] {
            let pull = session(&info);
            pull.0.set(Property::AverageBitRate(rate)).unwrap();
            let got = bits_per_second(&encode(&pull, &film(240), &[]));
            println!("{}: {got:.0} for {rate}", info.name);
            assert!((0.85..1.15).contains(&(got / rate as f64)), "{}: {got:.0} for {rate}", info.name);
        }
    }
}

/// 3.3, 5.3: another rate between frames holds from there on, whether the encoder takes it or a new encode
/// does.
#[test]
fn a_rate_may_change_between_frames() {
    for info in encoders() {
        let pull = session(&info);
        let frames = film(240);
        pull.0.set(Property::AverageBitRate(500_000)).unwrap();
        let mut samples = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            if index == 120 {
                pull.0.set(Property::AverageBitRate(120_000)).unwrap();
            }
            pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
        }
        pull.0.complete_frames().unwrap();
        samples.extend(taken(&pull));
        whole(&info, &samples, 240);
        let (first, second): (Vec<_>, Vec<_>) = samples.into_iter().partition(|(index, _)| *index < 120);
        let (first, second) = (bits_per_second(&first), bits_per_second(&second));
        println!("{}: {first:.0}, then {second:.0}", info.name);
        assert!(second < first * 0.6, "{}: {first:.0}, then {second:.0}", info.name);
    }
}

/// 5.3: more quality is more bytes; 1 is the best that the encoder has.
#[test]
fn more_quality_takes_more_bytes() {
    for info in encoders() {
        let sizes: Vec<usize> = [0.25, 0.5, 0.75, 1.0]
            .into_iter()
            .map(|quality| {
                let pull = session(&info);
                pull.0.set(Property::Quality(quality)).unwrap();
                bytes(&encode(&pull, &render(24, 99, 20), &[]))
            })
            .collect();
        println!("{}: {sizes:?}", info.name);
        assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]), "{}: {sizes:?}", info.name);
    }
}

/// Resolution 10: with an average that is more than is needed, quality is a ceiling; in either order of sets.
#[test]
fn quality_is_a_ceiling_of_an_average() {
    for info in encoders() {
        let run = |properties: &[Property]| {
            let pull = session(&info);
            if properties.iter().any(|property| pull.0.set(property.clone()).is_err()) {
                return None;
            }
            Some(encode(&pull, &render(96, 36, 20), &[]))
        };
        let (rate, ceiling) = (Property::AverageBitRate(2_000_000), Property::Quality(0.4));
        let (Some(capped), Some(turned)) =
            (run(&[rate.clone(), ceiling.clone()]), run(&[ceiling, rate.clone()]))
        else {
            continue;
        };
        let free = run(&[rate]).unwrap();
        println!("{}: {} capped, {} free", info.name, bytes(&capped), bytes(&free));
        assert!(bytes(&capped) < bytes(&free) * 3 / 4, "{}", info.name);
        assert_eq!(bytes(&capped), bytes(&turned), "{}", info.name);
    }
}

/// A8 (5.2): of a bound in frames and one in time, what is hit first counts: 12 frames are half a second
/// at 24.
#[test]
fn a8_sync_frames_are_not_further_apart_than_asked_for() {
    for info in encoders() {
        let pull = session(&info);
        pull.0.set(Property::MaxKeyFrameInterval(30)).unwrap();
        pull.0.set(Property::MaxKeyFrameIntervalDuration(0.5)).unwrap();
        let samples = encode(&pull, &render(90, 999, 4), &[]);
        let distances = distances(&samples, 90);
        assert!(distances.iter().all(|&distance| distance <= 12), "{}: {distances:?}", info.name);
    }
}

/// 5.2: the bound in frames alone; the bound in time with frames that do not come evenly; no temporal
/// compression at all.
#[test]
fn intervals_hold_alone() {
    for info in encoders() {
        let pull = session(&info);
        pull.0.set(Property::MaxKeyFrameInterval(10)).unwrap();
        let samples = encode(&pull, &render(45, 999, 4), &[]);
        assert!(distances(&samples, 45).iter().all(|&distance| distance <= 10), "{}", info.name);

        let pull: Pull = session(&info);
        pull.0.set(Property::MaxKeyFrameIntervalDuration(1.0)).unwrap();
        let times: Vec<i64> = (0..40i64).map(|index| index * 2 + index * index / 7).collect();
        for (index, frame) in render(40, 999, 4).iter().enumerate() {
            let pts = Time::new(times[index], 24);
            pull.0.encode(SourceFrame::new(frame, pts), index).unwrap();
        }
        pull.0.complete_frames().unwrap();
        let keys = syncs(&taken(&pull));
        for (index, &time) in times.iter().enumerate() {
            // resolution of 3.2: at a distance of a second or more, the frame itself is one
            let last = keys.iter().copied().filter(|&key| key <= index).max().unwrap();
            assert!(last == index || time - times[last] < 24, "{}: {index} of {keys:?}", info.name);
        }

        if !obeys(&info) {
            continue;
        }
        let pull = session(&info);
        pull.0.set(Property::AllowTemporalCompression(false)).unwrap();
        let samples = encode(&pull, &render(12, 999, 4), &[]);
        assert_eq!(syncs(&samples), (0..12).collect::<Vec<_>>(), "{}", info.name);
    }
}

/// 3.3: a shorter interval that is set between frames holds from there on.
#[test]
fn an_interval_may_change_between_frames() {
    for info in encoders() {
        let pull = session(&info);
        pull.0.set(Property::MaxKeyFrameInterval(60)).unwrap();
        for (index, frame) in render(60, 999, 4).iter().enumerate() {
            if index == 30 {
                pull.0.set(Property::MaxKeyFrameInterval(5)).unwrap();
            }
            pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
        }
        pull.0.complete_frames().unwrap();
        let keys = syncs(&taken(&pull));
        let late: Vec<usize> = keys.into_iter().filter(|&key| key >= 30).collect();
        let apart = late.windows(2).all(|pair| pair[1] - pair[0] <= 5);
        assert!(apart && late[0] <= 35 && late[late.len() - 1] >= 55, "{}: {late:?}", info.name);
    }
}

/// 5.3: a constant bit rate is one, with all its padding; a variable one keeps to its average.
#[test]
fn constant_and_variable_bit_rates_are_met() {
    for info in encoders() {
        for (property, low, high) in [
            // the decoder's buffer holds 90 % of 2.5 seconds before the first of these ten
            (Property::ConstantBitRate(300_000), 0.9, 1.0 + 0.9 * 2.5 / 10.0),
            (Property::VariableBitRate(300_000), 0.7, 1.25),
        ] {
            let pull = session(&info);
            if !has(&pull, property.key()) {
                continue;
            }
            pull.0.set(property.clone()).unwrap();
            let got = bits_per_second(&encode(&pull, &film(240), &[])) / 300_000.0;
            println!("{}: {got:.2} of {property:?}", info.name);
            assert!((low..high).contains(&got), "{}: {got:.2} of {property:?}", info.name);
        }
    }
}

fn distances(samples: &[(usize, SampleBuffer)], count: usize) -> Vec<usize> {
    let mut keys = syncs(samples);
    keys.push(count);
    keys.windows(2).map(|pair| pair[1] - pair[0]).collect()
}
