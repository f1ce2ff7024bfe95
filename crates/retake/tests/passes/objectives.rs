//! What passes are made for beside a rate: a floor of quality, and limits that hold across joins.

use super::{FRAMES, bytes, film, send, session, storage};
use crate::common::{self, decode, ffmpeg, luma_error};
use retake::property::{DataRateLimit, Property, PropertyKey};
use retake::session::{NextPass, PassOptions};
use retake::{PixelBuffer, SampleBuffer, SourceFrame};

/// All passes that a session asks for, merged by hand: the newest sample of each frame, in decode order.
/// Gives what the first pass made, too, and how many passes there were.
pub(crate) fn run(
    pull: &common::Pull,
    frames: &[PixelBuffer],
) -> (Vec<SampleBuffer>, Vec<SampleBuffer>, usize) {
    pull.0.begin_pass().unwrap();
    let first = send(pull, frames, None);
    let (mut merged, mut passes) = (first.clone(), 1);
    while let NextPass::Requested(ranges) = pull.0.end_pass().unwrap() {
        pull.0.begin_pass().unwrap();
        for sample in send(pull, frames, Some(&ranges)) {
            let place = merged.iter().position(|known| known.sample.dts == sample.sample.dts).unwrap();
            merged[place] = sample;
        }
        passes += 1;
    }
    (first, merged, passes)
}

/// Mean PSNR of luma of every second, as another decoder shows it.
fn psnr(samples: &[SampleBuffer], frames: &[PixelBuffer]) -> Vec<f64> {
    let shown = decode(&samples.iter().collect::<Vec<_>>());
    assert_eq!(shown.len(), FRAMES);
    let of = |(shown, frame): (&Vec<u8>, &PixelBuffer)| {
        10.0 * (255.0f64.powi(2) / luma_error(shown, frame)).log10()
    };
    let all: Vec<f64> = shown.iter().zip(frames).map(of).collect();
    all.chunks(24).map(|second| second.iter().sum::<f64>() / second.len() as f64).collect()
}

/// Extensions: every unit reaches the floor that some of the first pass do not, as another decoder shows it.
#[test]
fn a_quality_floor_is_reached_by_every_unit() {
    const FLOOR: f64 = 33.0;
    let frames = film();
    for info in common::encoders() {
        let pull = common::session(&info);
        if !common::has(&pull, PropertyKey::QualityFloor) || !ffmpeg() {
            println!("SKIPPED: no metrics, or no decoder");
            return;
        }
        pull.0
            .set_all(&[
                Property::MaxKeyFrameInterval(24),
                Property::MultiPassStorage(storage()),
                Property::QualityMetric("psnr".to_owned()),
                Property::QualityFloor(FLOOR),
                Property::QualityTolerance(0.5),
            ])
            .unwrap();
        let (first, merged, passes) = run(&pull, &frames);
        let (before, after) = (psnr(&first, &frames), psnr(&merged, &frames));
        println!("{}: {passes} passes, {before:.2?} became {after:.2?}", info.name);
        assert!(before.iter().any(|unit| *unit < FLOOR), "{}: nothing to mend", info.name);
        // every third frame is scored: what the others have is an estimate
        assert!(after.iter().all(|unit| *unit > FLOOR - 0.2), "{}: {after:?}", info.name);
    }
}

/// MP-30, MP-32, extensions: with a floor and a rate, every unit reaches the floor, and the film has the rate
/// where the floor leaves room for it; where the floor needs more, it comes first.
#[test]
fn a_floor_comes_before_a_rate() {
    const FLOOR: f64 = 33.0;
    let frames = film();
    // The floor alone takes 740 kb/s of SVT-AV1 1.4 and 880 of x264: a rate next to that leaves no room, and
    // which is next to it differs from version to version.
    let encoders = common::encoders().into_iter().filter(|info| matches!(info.name, "x264" | "svt-av1"));
    for (info, rate, room) in
        encoders.flat_map(|info| [(info.clone(), 1_200_000, true), (info, 150_000, false)])
    {
        let pull = common::session(&info);
        if !common::has(&pull, PropertyKey::QualityFloor) || !ffmpeg() {
            println!("SKIPPED: no metrics, or no decoder");
            return;
        }
        pull.0
            .set_all(&[
                Property::MaxKeyFrameInterval(24),
                Property::AverageBitRate(rate),
                Property::MultiPassStorage(storage()),
                Property::QualityMetric("psnr".to_owned()),
                Property::QualityFloor(FLOOR),
                Property::QualityTolerance(0.5),
            ])
            .unwrap();
        let (_, merged, passes) = run(&pull, &frames);
        let scores = psnr(&merged, &frames);
        let off = super::bytes(&merged) as f64 / (rate as f64 / 8.0 * FRAMES as f64 / 24.0) - 1.0;
        println!("{}: {passes} passes, {:+.2} %, {scores:.2?}", info.name, off * 100.0);
        // every third frame is scored: what the others have is an estimate
        assert!(scores.iter().all(|unit| *unit > FLOOR - 0.2), "{rate}: {scores:?}");
        match room {
            true => assert!(off.abs() < 0.03, "{}: {off}", info.name),
            false => {
                // What is above the floor, each unit as its bytes weigh: a step of an easy one is worth 2 dB
                // and no bytes.
                let units = merged.chunks(24).map(super::bytes);
                let above =
                    units.zip(&scores).map(|(bytes, score)| bytes as f64 * (score - FLOOR)).sum::<f64>();
                let above = above / super::bytes(&merged) as f64;
                assert!(off > 0.1 && above < 1.0, "{}: {off}, {above} dB, {scores:?}", info.name);
            }
        }
    }
}

/// MP-32, extensions: a rate is met as well where bits go where a metric says that they buy most; and the
/// samples of the first pass are those of a session that measures nothing.
#[test]
fn a_rate_is_met_by_measured_quality() {
    let frames = film();
    for info in common::encoders().into_iter().take(2) {
        let (pull, _storage) = session(&info, PassOptions::default());
        if !common::has(&pull, PropertyKey::QualityMetric) {
            println!("SKIPPED: no metrics");
            return;
        }
        pull.0.set(Property::QualityMetric("psnr".to_owned())).unwrap();
        let (first, merged, passes) = run(&pull, &frames);
        let plain = send(&super::at_rate(&info), &frames, None);
        assert!(plain.iter().zip(&first).all(|(a, b)| a.sample == b.sample), "{}", info.name);
        let off = super::bytes(&merged) as f64 / (super::RATE as f64 / 8.0 * FRAMES as f64 / 24.0) - 1.0;
        println!("{}: {passes} passes, {:+.2} %", info.name, off * 100.0);
        assert!(passes > 1 && off.abs() < 0.03, "{}: {off}", info.name);
    }
}

/// The most bytes in any window of so many frames of decode time.
fn fullest(samples: &[SampleBuffer], frames: usize) -> usize {
    let sizes: Vec<usize> = samples.iter().map(|buffer| buffer.sample.data.len()).collect();
    sizes.windows(frames).map(|window| window.iter().sum()).max().unwrap()
}

/// MP-26: where nothing fits under a limit, a session of passes drops no frame all the same: each pass gives
/// one sample for each that came.
#[test]
fn mp26_no_frame_is_dropped_in_passes() {
    let frames = film();
    for info in common::encoders() {
        let (pull, _storage) = session(&info, PassOptions { most: 2, ..PassOptions::default() });
        if !common::has(&pull, PropertyKey::DataRateLimits) {
            continue;
        }
        pull.0.set(Property::DataRateLimits(vec![DataRateLimit { bytes: 700, seconds: 1.0 }])).unwrap();
        pull.0.begin_pass().unwrap();
        // the helper fails on a frame without a sample
        assert_eq!(send(&pull, &frames[144..], None).len(), FRAMES - 144, "{}", info.name);
        if let NextPass::Requested(ranges) = pull.0.end_pass().unwrap() {
            pull.0.begin_final_pass().unwrap();
            let wanted =
                (0..48).filter(|&index| ranges.iter().any(|range| range.contains(common::at(index)))).count();
            assert_eq!(send(&pull, &frames[144..], Some(&ranges)).len(), wanted, "{}", info.name);
            pull.0.end_final_pass().unwrap();
        }
    }
}

/// MP-33: no second of the merged stream is above the limit, those across the joins of passes included, and
/// the rate is met as well.
#[test]
fn mp33_limits_hold_across_joins() {
    let frames = film();
    for info in common::encoders() {
        let (pull, _storage) = session(&info, PassOptions::default());
        if !common::has(&pull, PropertyKey::DataRateLimits) {
            continue;
        }
        let limit = DataRateLimit { bytes: 90_000, seconds: 1.0 };
        pull.0.set(Property::DataRateLimits(vec![limit])).unwrap();
        let (_, merged, passes) = run(&pull, &frames);
        let off = merged.iter().map(|buffer| buffer.sample.data.len()).sum::<usize>() as f64
            / (super::RATE as f64 / 8.0 * FRAMES as f64 / 24.0)
            - 1.0;
        println!("{}: {passes} passes, {:+.2} %, {} bytes", info.name, off * 100.0, fullest(&merged, 24));
        assert!(passes > 1 && merged.windows(2).all(|pair| pair[0].sample.dts < pair[1].sample.dts));
        assert!(fullest(&merged, 24) <= limit.bytes as usize, "{}", info.name);
        // where frames are called back because the encoder does not look at windows, part of the rate is left
        // unspent
        let least = if info.controls.rate_limit { -0.05 } else { -0.2 };
        assert!((least..0.05).contains(&off), "{}: {off}", info.name);
    }
}

/// MP-32, MP-33 (A1): a client that sends everything again in its final pass, and takes what comes out of
/// that pass alone, has its rate under a limit that holds down the richer part of the film, too: wherever
/// that is, and however tight the limit.
#[test]
fn mp33_a_final_pass_meets_its_rate_under_a_limit() {
    // Noise of thirds or halves of a film: where it changes, where it is strongest first, where it stays.
    let films = [(&[6, 40][..], 2.0), (&[40, 6, 20], 1.3), (&[6, 6], 2.0)];
    for (noises, times) in films {
        let parts = noises.iter().map(|&noise| common::render(FRAMES / noises.len(), 24, noise));
        let frames: Vec<PixelBuffer> = parts.flatten().collect();
        for info in common::encoders() {
            let (pull, _storage) = session(&info, PassOptions::default());
            if !common::has(&pull, PropertyKey::DataRateLimits) {
                continue;
            }
            let limit = DataRateLimit { bytes: (super::RATE as f64 / 8.0 * times) as u64, seconds: 1.0 };
            pull.0.set(Property::DataRateLimits(vec![limit])).unwrap();
            pull.0.begin_pass().unwrap();
            let first = send(&pull, &frames, None);
            pull.0.end_pass().unwrap();
            pull.0.begin_final_pass().unwrap();
            let second = send(&pull, &frames, None);
            pull.0.end_final_pass().unwrap();
            let of_rate =
                |samples: &[_]| bytes(samples) as f64 * 8.0 * 24.0 / frames.len() as f64 / super::RATE as f64;
            let (was, is, most) = (of_rate(&first), of_rate(&second), fullest(&second, 24));
            let what = format!("{} at {noises:?} under {times}", info.name);
            println!("{what}: {was:.4} then {is:.4}, {most} of {} bytes", limit.bytes);
            assert!(most <= limit.bytes as usize, "{what}: {most}");
            assert!((is - 1.0).abs() < 0.01, "{what}: {is:.4}");
        }
    }
}

/// EF-11, MP-19: a client that bounds the delay gets each frame in time in later passes, too, with limits and
/// without. Neither an encoder's own first pass nor an encode that may have to be begun again as a whole
/// holds a unit back then, because the client would wait for a frame that cannot come before it has sent
/// more.
#[test]
fn a_bounded_delay_holds_in_every_pass() {
    const MOST: usize = 2;
    let frames = &film()[72..120];
    for info in common::encoders() {
        for limits in [vec![], vec![DataRateLimit { bytes: 60_000, seconds: 1.0 }]] {
            let (pull, _storage) = session(&info, PassOptions { most: 2, ..PassOptions::default() });
            let bounds = common::has(&pull, PropertyKey::MaxFrameDelayCount);
            if !bounds || !limits.is_empty() && !common::has(&pull, PropertyKey::DataRateLimits) {
                continue;
            }
            pull.0.set(Property::MaxFrameDelayCount(MOST as i32)).unwrap();
            if !limits.is_empty() {
                pull.0.set(Property::DataRateLimits(limits)).unwrap();
            }
            pull.0.begin_pass().unwrap();
            assert_eq!(send(&pull, frames, None).len(), frames.len(), "{}", info.name);
            let NextPass::Requested(ranges) = pull.0.end_pass().unwrap() else {
                panic!("{}: no other pass", info.name)
            };
            pull.0.begin_final_pass().unwrap();
            let wanted = (0..frames.len())
                .filter(|&index| ranges.iter().any(|range| range.contains(common::at(index))));
            let (mut sent, mut out) = (0, 0);
            for index in wanted {
                let frame = SourceFrame::new(&frames[index], common::at(index)).duration(common::STEP);
                pull.0.encode(frame, index).unwrap();
                sent += 1;
                out += common::taken(&pull).len();
                assert!(out + MOST >= sent, "{}: {out} of {sent} are out", info.name);
            }
            pull.0.complete_frames().unwrap();
            assert_eq!(out + common::taken(&pull).len(), sent, "{}", info.name);
            assert!(sent > MOST, "{}: nothing could wait", info.name);
            pull.0.end_final_pass().unwrap();
        }
    }
}

/// W2: later passes keep a tight limit, and make the film neither smaller than the first one did nor fuller
/// of sync frames.
#[test]
fn w2_later_passes_keep_a_limit_and_the_rate() {
    let frames = film();
    let syncs = |samples: &[SampleBuffer]| samples.iter().filter(|buffer| buffer.sample.is_sync()).count();
    let bytes = |samples: &[SampleBuffer]| {
        samples.iter().map(|buffer| buffer.sample.data.len()).sum::<usize>() as f64
    };
    for info in common::encoders() {
        for times in [1.15, 1.6] {
            let (pull, _storage) = session(&info, PassOptions::default());
            if !common::has(&pull, PropertyKey::DataRateLimits) {
                continue;
            }
            let limit = DataRateLimit { bytes: (super::RATE as f64 / 8.0 * times) as u64, seconds: 1.0 };
            pull.0.set(Property::DataRateLimits(vec![limit])).unwrap();
            let (first, merged, passes) = run(&pull, &frames);
            let kept = bytes(&merged) / bytes(&first).min(super::RATE as f64 / 8.0 * FRAMES as f64 / 24.0);
            let name = info.name;
            println!("{name} {times}: {passes} passes keep {kept:.3} of {}", bytes(&first));
            assert!(fullest(&merged, 24) <= limit.bytes as usize, "{name}: {}", fullest(&merged, 24));
            // an encoder with a buffer may not make up elsewhere for what the buffer takes from a unit
            assert!(kept > if info.controls.rate_limit { 0.85 } else { 0.95 }, "{name}: {kept}");
            assert_eq!(syncs(&merged), syncs(&first), "{name}");
        }
    }
}

/// The least that a decoder's buffer holds along samples in decode order, in bits, and how often a second
/// flows in: a model of the test's own.
fn lowest(samples: &[SampleBuffer], rate: f64, seconds: f64) -> f64 {
    let size = rate * seconds;
    let (mut level, mut lowest) = (0.9 * size, f64::INFINITY);
    for sample in samples {
        level -= sample.sample.data.len() as f64 * 8.0;
        lowest = lowest.min(level);
        level = (level + rate / 24.0).min(size);
    }
    lowest
}

/// MP-33, 5.3: a greatest rate, with an average or without, holds for the merged stream of all passes: the
/// decoder's buffer never runs dry, not across units of different passes either, while quality asks for more.
#[test]
fn a_greatest_rate_holds_across_passes() {
    const PEAK: f64 = 200_000.0;
    const SECONDS: f64 = 1.0;
    let frames = film();
    for info in common::encoders() {
        let pull = common::session(&info);
        if !common::has(&pull, PropertyKey::VBVMaxBitRate) {
            continue;
        }
        drop(pull);
        let peak = [Property::VBVMaxBitRate(PEAK as u64), Property::VBVBufferDuration(SECONDS)];
        // A floor that the rate leaves no room for: all units want to be finer than it allows.
        let floor = vec![
            Property::QualityMetric("psnr".to_owned()),
            Property::QualityFloor(45.0),
            Property::QualityTolerance(0.5),
        ];
        for aim in [floor, vec![Property::VariableBitRate(180_000)]] {
            if aim.iter().any(|property| !common::has(&common::session(&info), property.key())) {
                println!("SKIPPED: no metrics");
                continue;
            }
            let name = format!("{}: {aim:?}", info.name);
            let pull = common::session(&info);
            let sync = [Property::MaxKeyFrameInterval(24)];
            pull.0.set_all(&[&aim[..], &peak, &sync].concat()).unwrap();
            let storage = storage();
            let whole = PassOptions { request_once: true, most: 4, ..PassOptions::default() };
            pull.0.set_multi_pass_storage(Some(&storage), whole).unwrap();
            let (_, merged, passes) = run(&pull, &frames);
            let lowest = lowest(&merged, PEAK, SECONDS);
            let rate = bytes(&merged) as f64 * 8.0 * 24.0 / merged.len() as f64;
            println!("{name}: {rate:.0} bit/s in {passes} passes, {lowest:.0} bits in the buffer at least");
            assert!(passes > 1 && lowest >= -8.0, "{name}: {lowest}");
            assert!(rate > 0.6 * PEAK, "{name}: {rate}");
            if ffmpeg() {
                assert_eq!(decode(&merged.iter().collect::<Vec<_>>()).len(), FRAMES, "{name}");
            }
        }
    }
}
