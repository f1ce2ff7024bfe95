//! The library's own first pass analyses all frames before the first of them is coded.

use crate::common::{Take, decode, encode, encoders, ffmpeg, flat, render, settings, time};
use crate::run::{refusal, steps};
use retake_compression::encoder::{
    Controls, EncoderData, EncoderError, EncoderFactory, EncoderSettings, FrameOptions, Output, RateControl,
    Reconfiguration,
};
use retake_media::{PixelBuffer, Sample, Time};
use std::sync::Arc;

const FRAMES: u32 = 60;

fn able() -> impl Iterator<Item = (Arc<dyn EncoderFactory>, EncoderSettings)> {
    encoders().into_iter().filter(|factory| factory.info().controls.first_pass).map(|factory| {
        let usual = settings(&*factory);
        let controls = Controls { first_pass: Some(FRAMES), ..Controls::default() };
        (factory, EncoderSettings { controls, reconstruct: true, ..usual })
    })
}

/// A decoder reconstructs the same pictures as the encoder from a sync frame on, also from one that lies
/// within a group that the library would have liked better without it.
fn decodes(take: &Take, settings: &EncoderSettings, start: u64) {
    let from = take.frames.iter().position(|frame| frame.index == start).unwrap();
    assert!(
        take.frames[from].sample.is_sync() && take.frames[from..].iter().all(|frame| frame.index >= start)
    );
    if !ffmpeg() {
        return;
    }
    let samples: Vec<&Sample> = take.frames[from..].iter().map(|frame| &frame.sample).collect();
    let decoded = decode(&take.format, settings.format, &samples);
    assert_eq!(decoded.len() as u64, take.frames.len() as u64 - start);
    for (picture, index) in decoded.iter().zip(start..) {
        assert!(*picture == flat(&take.pictures[&index]), "picture {index}");
    }
}

/// Nothing comes out before the end, then everything does, every time the same, with pictures or without.
#[test]
fn all_frames_are_looked_at_before_the_first_is_coded() {
    for (factory, settings) in able() {
        let frames = render(&settings, FRAMES as usize, 25, 1);
        let forced = [7, 33, 34];
        let force =
            |index: usize| FrameOptions { force_key_frame: forced.contains(&index), ..Default::default() };
        let (take, out) = steps(&*factory, &settings, &frames, |index, _, _| force(index));
        assert!(out[..frames.len()].iter().all(Vec::is_empty) && out[frames.len()].len() == frames.len());
        assert!(frames.len() as u32 <= factory.delay(&settings));
        for start in [0].iter().chain(&forced) {
            decodes(&take, &settings, *start as u64);
        }
        let without = EncoderSettings { reconstruct: false, ..settings.clone() };
        let again = encode(&*factory, &without, &frames, &forced).unwrap();
        assert!(take.data() == again.data());
        // It is not one pass by another name.
        let single = EncoderSettings { controls: Controls::default(), ..settings.clone() };
        assert!(take.data() != encode(&*factory, &single, &frames, &forced).unwrap().data());
        for length in [0, 1, 2, 5] {
            let take = encode(&*factory, &settings, &frames[..length], &[]).unwrap();
            assert_eq!((take.frames.len(), take.pictures.len()), (length, length));
        }
    }
}

/// Another quality, while frames are analysed or coded, has an effect on all frames coded then.
#[test]
fn quality_changes_in_both_passes() {
    for (factory, settings) in able() {
        let frames = render(&settings, FRAMES as usize, 99, 1);
        let scale = factory.info().quality;
        let coarse = scale.snap(scale.usual * 1.6);
        let (usual, _) = steps(&*factory, &settings, &frames, |_, _, _| FrameOptions::default());
        let (looking, _) = steps(&*factory, &settings, &frames, |index, encoder, _| {
            assert!(index != 20 || encoder.set_quality(coarse));
            FrameOptions::default()
        });
        let rate = RateControl::Quality(coarse);
        let opened = encode(&*factory, &EncoderSettings { rate, ..settings.clone() }, &frames, &[]).unwrap();
        assert!(looking.data() == opened.data(), "what was looked at before the change is coded after it");
        assert!(opened.bytes() * 10 < usual.bytes() * 9);

        // The quality changes while samples come out.
        let mut encoder = factory.open(&settings).unwrap();
        for (index, frame) in frames.iter().enumerate() {
            encoder.send(frame, time(index), Time::INVALID, FrameOptions::default()).unwrap();
        }
        assert!(!encoder.reconfigure(&Reconfiguration { min_qp: Some(5), ..Default::default() }).unwrap());
        encoder.finish().unwrap();
        let mut bytes = 0;
        loop {
            match encoder.receive().unwrap() {
                Output::Frame(frame) => {
                    bytes += frame.sample.data.len();
                    assert!(frame.index != 3 || encoder.set_quality(coarse));
                }
                Output::Picture { .. } => {}
                Output::Dropped { index } => panic!("an encoder by itself dropped frame {index}"),
                Output::Pending => panic!("nothing is missing"),
                Output::End => break,
            }
        }
        assert!(opened.bytes() < bytes && bytes < usual.bytes());
    }
}

/// Encodes frames with what an earlier encode of them found out, if there is something, and returns what this
/// one found out, too.
fn with_data(
    factory: &dyn EncoderFactory,
    settings: &EncoderSettings,
    frames: &[PixelBuffer],
    forced: &[usize],
    data: Option<&EncoderData>,
) -> (Vec<Vec<u8>>, Option<EncoderData>) {
    let mut encoder = factory.open(settings).unwrap();
    data.into_iter().for_each(|data| encoder.offer(data));
    for (index, frame) in frames.iter().enumerate() {
        let options = FrameOptions { force_key_frame: forced.contains(&index), ..Default::default() };
        encoder.send(frame, time(index), Time::INVALID, options).unwrap();
    }
    assert_eq!(encoder.data(), None, "not before the end");
    encoder.finish().unwrap();
    let mut samples = Vec::new();
    loop {
        match encoder.receive().unwrap() {
            Output::Frame(frame) => samples.push(frame.sample.data),
            Output::End => break,
            _ => {}
        }
    }
    let data = encoder.data();
    assert_eq!(encoder.data(), None, "once");
    (samples, data)
}

/// 8.6: what a first pass found out serves every quality, and changes no byte; it is not found out again.
/// Where the frames are others, or where it is of other settings, it is ignored.
#[test]
fn first_passes_are_not_made_again() {
    for (factory, settings) in able() {
        let frames = render(&settings, FRAMES as usize, 25, 1);
        let scale = factory.info().quality;
        let with = |quality: f64, reconstruct: bool| EncoderSettings {
            rate: RateControl::Quality(scale.snap(quality)),
            reconstruct,
            ..settings.clone()
        };
        let (fine, coarse) = (with(scale.usual, true), with(scale.usual * 1.5, false));
        let (_, found) = with_data(&*factory, &fine, &frames, &[7], None);
        let found = found.expect("it looked at the frames");
        // libvpx gives a packet of about 200 bytes for each frame.
        assert!(found.bytes.len() < 300 * frames.len());
        let (own, _) = with_data(&*factory, &coarse, &frames, &[7], None);
        let (again, more) = with_data(&*factory, &coarse, &frames, &[7], Some(&found));
        assert!(again == own && more.is_none(), "what is known is not looked for");

        // The offer is of other frames: one fewer, one more, other sync frames.
        for (frames, forced) in [(&frames[1..], vec![7]), (&frames[..20], vec![7]), (&frames, vec![9])] {
            let (own, _) = with_data(&*factory, &coarse, frames, &forced, None);
            let (again, more) = with_data(&*factory, &coarse, frames, &forced, Some(&found));
            assert!(again == own && more.is_some(), "{} frames", frames.len());
        }
        // It is of other settings, or of no settings at all, or broken in its form.
        let other = EncoderSettings { preset: factory.info().presets[4].name.clone(), ..coarse.clone() };
        let strange = EncoderData { identity: 0, bytes: found.bytes.clone() };
        let short = EncoderData { bytes: found.bytes[..40].to_vec(), ..found.clone() };
        for (settings, data) in [(&other, &found), (&coarse, &strange), (&coarse, &short)] {
            let (own, _) = with_data(&*factory, settings, &frames, &[7], None);
            let (again, more) = with_data(&*factory, settings, &frames, &[7], Some(data));
            assert!(again == own && more.is_some());
        }
        // An encode without a frame has nothing to say, whatever it was offered.
        assert_eq!(with_data(&*factory, &coarse, &[], &[], Some(&found)), (Vec::new(), None));
    }
}

/// More frames than were allowed are refused by the name of the control, and those that came before are
/// whole; settings that need frames at once are refused, too.
#[test]
fn first_passes_have_bounds() {
    for (factory, settings) in able() {
        let frames = render(&settings, 6, 99, 1);
        let with = |controls, rate| EncoderSettings { controls, rate, ..settings.clone() };
        let few = with(Controls { first_pass: Some(5), ..Controls::default() }, settings.rate);
        let mut encoder = factory.open(&few).unwrap();
        for (index, frame) in frames.iter().enumerate() {
            let sent = encoder.send(frame, time(index), Time::INVALID, FrameOptions::default());
            match sent {
                Err(EncoderError::Settings { setting, .. }) => {
                    assert_eq!((index, &*setting), (5, "first_pass"))
                }
                sent => assert!(index < 5 && sent.is_ok()),
            }
        }
        encoder.finish().unwrap();
        let mut count = 0;
        while !matches!(encoder.receive().unwrap(), Output::End) {
            count += 1;
        }
        assert_eq!(count, 10, "five samples and their pictures");

        let first_pass = Some(FRAMES);
        let none = Controls::default;
        for (controls, rate) in [
            (Controls { first_pass, ..none() }, RateControl::AverageBitRate(300_000)),
            (Controls { first_pass: Some(0), ..none() }, settings.rate),
            (Controls { first_pass, low_latency: true, ..none() }, settings.rate),
            (Controls { first_pass, max_delay: Some(0), ..none() }, settings.rate),
            (Controls { first_pass, base_qp: true, ..none() }, settings.rate),
        ] {
            assert_eq!(refusal(&*factory, &with(controls, rate)).as_deref(), Some("first_pass"));
        }
        // The encode is given up in the first pass, between the two, and in the second.
        for (sent, received) in [(0, 0), (3, 0), (6, 0), (6, 2)] {
            let mut encoder = factory.open(&settings).unwrap();
            for (index, frame) in frames[..sent].iter().enumerate() {
                encoder.send(frame, time(index), Time::INVALID, FrameOptions::default()).unwrap();
            }
            if sent == 6 {
                encoder.finish().unwrap();
            }
            (0..received).for_each(|_| drop(encoder.receive().unwrap()));
        }
    }
}
