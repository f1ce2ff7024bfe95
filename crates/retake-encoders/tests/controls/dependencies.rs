//! Frames refer only to those that the controls allow.

use crate::common::{Take, decode, encode, encoders, ffmpeg, flat, render};
use crate::run::{film, samples, sync_distances, syntax, with};
use retake_compression::encoder::{Controls, EncoderSettings};
use retake_media::{Codec, Sample, SampleKind};

/// 5.2, AllowTemporalCompression: false gives key frames only, whatever the interval.
#[test]
fn intra_only_makes_every_frame_a_sync_frame() {
    for factory in encoders() {
        let controls = Controls { intra_only: true, ..Controls::default() };
        let settings = EncoderSettings { max_key_frame_interval: 30, ..with(&*factory, controls) };
        let take = film(&*factory, &settings, 12);
        assert!(sync_distances(&take).iter().all(|distance| *distance == 1), "{}", factory.info().name);
    }
}

/// A2: without reordering samples come out as frames went in, and decode times are presentation times.
#[test]
fn a2_no_reordering_keeps_the_order() {
    for factory in encoders() {
        let controls = Controls { no_reordering: true, ..Controls::default() };
        let take = film(&*factory, &with(&*factory, controls), 40);
        for (k, frame) in take.frames.iter().enumerate() {
            assert_eq!(frame.index, k as u64, "{}", factory.info().name);
            assert_eq!(frame.sample.dts, frame.sample.pts);
        }
    }
}

/// 5.2, AllowOpenGOP: true lets pictures refer across a sync frame, false does not; the interval holds in
/// both cases.
#[test]
fn open_groups_reach_across_sync_frames() {
    for factory in encoders() {
        if !factory.info().controls.open_gop {
            continue;
        }
        let name = factory.info().name;
        for open_gop in [false, true] {
            let controls = Controls { open_gop, ..Controls::default() };
            let settings = EncoderSettings { max_key_frame_interval: 12, ..with(&*factory, controls) };
            let take = encode(&*factory, &settings, &render(&settings, 60, 999, 1), &[]).unwrap();
            assert!(sync_distances(&take).iter().all(|distance| *distance <= 12), "{name}");
            // Leading pictures come after a sync frame in decode order, and before it in presentation.
            let mut last_sync = 0;
            let mut leading = 0;
            for frame in &take.frames {
                if frame.sample.is_sync() {
                    last_sync = frame.index;
                }
                leading += u32::from(frame.index < last_sync);
            }
            assert_eq!(leading > 0, open_gop, "{name}: {leading} leading pictures");
            if open_gop && ffmpeg() {
                let decoded = decode(&take.format, settings.format, &samples(&take));
                assert!(decoded.iter().zip(take.pictures.values()).all(|(a, b)| *a == flat(b)), "{name}");
            }
        }
    }
}

/// 5.2, ReferenceBufferCount: the parameter sets promise no more pictures than that.
#[test]
fn references_are_capped() {
    for factory in encoders() {
        let Some((min, max)) = factory.info().controls.references else { continue };
        if !ffmpeg() {
            return;
        }
        let name = factory.info().name;
        for references in [min, 2, 3, 5].into_iter().filter(|count| (min..=max).contains(count)) {
            let controls = Controls { references: Some(references), ..Controls::default() };
            let take = film(&*factory, &with(&*factory, controls), 20);
            let (element, more) = match take.format.codec {
                Codec::H264 => ("max_num_ref_frames", 0),
                // The picture that is being decoded is not counted.
                _ => ("sps_max_dec_pic_buffering_minus1[0]", 0),
            };
            let said = syntax(&take.format, &samples(&take), element);
            assert!(!said.is_empty(), "{name}");
            assert!(
                said.iter().all(|count| *count <= i64::from(references) + more),
                "{name}: {said:?} with {references}"
            );
        }
    }
}

/// A39, LL-4, section 6.5: with two temporal layers the samples of the upper one can be left out; the others
/// decode to the same pictures at half the rate.
#[test]
fn a39_the_base_layer_decodes_alone_at_half_rate() {
    for factory in encoders() {
        let has = &factory.info().controls;
        if has.temporal_layers < 2 {
            continue;
        }
        let name = factory.info().name;
        for low_latency in [false, true] {
            let controls = Controls { temporal_layers: Some(2), low_latency, ..Controls::default() };
            let settings = with(&*factory, controls);
            if let Some(refused) = crate::run::refusal(&*factory, &settings) {
                let lacks =
                    if low_latency { !has.layers_without_reordering } else { has.layers_in_low_latency_only };
                assert!(lacks && refused == "temporal_layers", "{name}: {refused}");
                continue;
            }
            let forced: &[usize] = if low_latency && !has.forced_within_delay { &[] } else { &[16] };
            let take = encode(&*factory, &settings, &render(&settings, 41, 20, 1), forced).unwrap();
            let base: Vec<&_> = take.frames.iter().filter(|frame| frame.layer == 0).collect();
            assert!((20..=22).contains(&base.len()), "{name}: {} frames in the base layer", base.len());
            for frame in &take.frames {
                assert_eq!(
                    frame.layer > 0,
                    frame.sample.kind == SampleKind::Disposable,
                    "{name} {}",
                    frame.index
                );
            }
            half_rate(name, &settings, &take, &base.iter().map(|frame| frame.index).collect::<Vec<_>>());
        }
    }
}

fn half_rate(name: &str, settings: &EncoderSettings, take: &Take, base: &[u64]) {
    if !ffmpeg() {
        return;
    }
    let all = decode(&take.format, settings.format, &samples(take));
    assert!(all.iter().zip(take.pictures.values()).all(|(a, b)| *a == flat(b)), "{name}");
    let kept: Vec<&Sample> =
        take.frames.iter().filter(|frame| base.contains(&frame.index)).map(|frame| &frame.sample).collect();
    let decoded = decode(&take.format, settings.format, &kept);
    assert_eq!(decoded.len(), base.len(), "{name}");
    let mut shown = base.to_vec();
    shown.sort_unstable();
    for (picture, index) in decoded.iter().zip(&shown) {
        assert!(*picture == flat(&take.pictures[index]), "{name}: picture {index} needs what was left out");
    }
}
