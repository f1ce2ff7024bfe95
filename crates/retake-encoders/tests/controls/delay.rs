//! An encoder keeps frames no longer than it may.

use crate::common::{decode, encoders, ffmpeg, flat, render, time};
use crate::run::{film, refusal, samples, steps, sync_distances, with};
use retake_compression::encoder::{Controls, EncoderSettings, FrameOptions, Output, RateControl};
use retake_media::Time;

/// SVT-AV1 has room for some twenty finished pictures, and stops until they are taken. Calls that wait for it
/// must take them, because the thread that waits cannot: here nobody asks for any until all frames are sent.
#[test]
fn calls_into_svt_av1_end_though_nobody_takes_pictures() {
    for factory in encoders().iter().filter(|factory| factory.info().name == "svt-av1") {
        let settings = with(&**factory, Controls::default());
        let mut encoder = factory.open(&settings).unwrap();
        for (index, frame) in render(&settings, 200, 100, 1).iter().enumerate() {
            encoder.send(frame, time(index), Time::new(1001, 24000), FrameOptions::default()).unwrap();
        }
        encoder.finish().unwrap();
        let (mut samples, mut pictures) = (0, 0);
        loop {
            match encoder.receive().unwrap() {
                Output::Frame(_) => samples += 1,
                Output::Picture { .. } => pictures += 1,
                Output::End => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((samples, pictures), (200, 200));
    }
}

/// A5, EF-11: before the call with frame N returns, frame N - M is out.
#[test]
fn a5_no_more_frames_are_held_back_than_allowed() {
    for factory in encoders() {
        let name = factory.info().name;
        for threads in [1, 4] {
            for most in [0u32, 1, 2, 3, 5, 9, 20] {
                let controls = Controls { max_delay: Some(most), ..Controls::default() };
                let settings = EncoderSettings { threads, ..with(&*factory, controls) };
                if most < factory.info().controls.least_delay {
                    assert_eq!(refusal(&*factory, &settings).as_deref(), Some("max_delay"), "{name}");
                    continue;
                }
                let frames = render(&settings, 50, 20, 1);
                let (take, out) = steps(&*factory, &settings, &frames, |_, _, _| FrameOptions::default());
                for (sent, out) in out[..50].iter().enumerate() {
                    for index in 0..(sent + 1).saturating_sub(most as usize) as u64 {
                        assert!(
                            out.contains(&index),
                            "{name} threads {threads}: {index} is not out after {sent} with {most}"
                        );
                    }
                }
                assert!(factory.delay(&settings) <= most);
                // B frames are worth more delay than they cost here.
                let reordered = !take.frames.is_sorted_by_key(|frame| frame.index);
                assert!(
                    reordered || !factory.info().reorders || most < 9,
                    "{name}: no B frames with a delay of {most}"
                );
            }
        }
    }
}

/// 6.2: the look-ahead is part of the delay, and changes the coded bytes.
#[test]
fn look_ahead_has_an_effect() {
    for factory in encoders() {
        let Some((min, max)) = factory.info().controls.look_ahead else { continue };
        let takes: Vec<_> = [min, 45.min(max)]
            .map(|frames| {
                let controls = Controls { look_ahead: Some(frames), ..Controls::default() };
                film(&*factory, &with(&*factory, controls), 60)
            })
            .into();
        let name = factory.info().name;
        assert!(takes[0].data() != takes[1].data(), "{name}");
        // The number of frames that SVT-AV1 holds back depends on how its threads run.
        assert!(
            name == "svt-av1" || takes[0].held < takes[1].held,
            "{name}: {} {}",
            takes[0].held,
            takes[1].held
        );
    }
}

/// A38 without references for the long term; LL-1, LL-2: there is one sync frame, then predicted ones for
/// ever, each out at once and in order, or with the next one where the encoder holds back as much. A forced
/// key frame is one more, where the encoder has it. With a rate, the bucket holds little
/// more than a frame.
#[test]
fn a38_low_latency_is_one_sync_frame_and_no_delay() {
    for factory in encoders() {
        if !factory.info().controls.low_latency {
            continue;
        }
        let name = factory.info().name;
        for rate in [RateControl::Quality(factory.info().quality.usual), RateControl::AverageBitRate(400_000)]
        {
            for threads in [1, 3] {
                // As sessions ask for it (LL-6).
                let has = &factory.info().controls;
                let no_spatial_adaptation = has.spatial_adaptation && !has.adapts_at_rate;
                let controls = Controls { low_latency: true, no_spatial_adaptation, ..Controls::default() };
                // There is no interval, or one that never ends.
                let max_key_frame_interval = if threads == 1 { 0 } else { i32::MAX as u32 };
                let settings =
                    EncoderSettings { rate, threads, max_key_frame_interval, ..with(&*factory, controls) };
                let frames = render(&settings, 90, 40, 1);
                let least = has.least_delay as usize;
                let (take, out) = steps(&*factory, &settings, &frames, |index, _, _| FrameOptions {
                    force_key_frame: index == 60 && has.forced_within_delay,
                    ..FrameOptions::default()
                });
                assert!(
                    out.iter().enumerate().take(90).all(|(sent, out)| out.len() + least > sent),
                    "{name}: held back"
                );
                assert!(take.frames.is_sorted_by_key(|frame| frame.index), "{name}: reordered");
                let expected: &[u64] = if has.forced_within_delay { &[60, 30] } else { &[90] };
                assert_eq!(sync_distances(&take), expected, "{name}");
                if ffmpeg() {
                    let decoded = decode(&take.format, settings.format, &samples(&take));
                    assert!(decoded.iter().zip(take.pictures.values()).all(|(a, b)| *a == flat(b)), "{name}");
                }
                if let RateControl::AverageBitRate(rate) = rate {
                    let steady: usize =
                        take.frames[5..35].iter().map(|frame| frame.sample.data.len() * 8).max().unwrap();
                    let frame = rate as usize * 1001 / 24000;
                    println!("{name}: largest frame {:.2} of the even share", steady as f64 / frame as f64);
                    assert!(steady < 3 * frame, "{name}: {steady} bits where {frame} are the even share");
                }
            }
        }
    }
}
