//! Delay, reordering, low latency, layers, quantizers of frames, HDR: modes that an encoder has or has not.

use crate::common::{
    HEIGHT, Pull, STEP, WIDTH, at, bytes, decode, encode, encoders, ffmpeg, forced, has, integer, luma_error,
    obeys, probe, render, session, syncs, taken, usual, whole,
};
use crate::properties::{LIGHT, MASTERING};
use retake::SourceFrame;
use retake::property::{DataRateLimit, HdrMetadataInsertionMode, Property, PropertyKey, TransferFunction};
use retake::session::{CompressionSession, EncoderSpecification};
use retake::{Attachment, Attachments, Codec, Colour, EncoderInfo, FrameOptions, Range, SampleKind};

/// A2 (5.2): without reordering, samples come in the order of frames, and decode times are presentation
/// times. The value reads back.
#[test]
fn a2_without_reordering_order_is_kept() {
    for info in encoders().into_iter().filter(obeys) {
        let pull = session(&info);
        assert_eq!(pull.0.get(PropertyKey::AllowFrameReordering).unwrap(), Some(info.reorders.into()));
        pull.0.set(Property::AllowFrameReordering(false)).unwrap();
        assert_eq!(pull.0.get(PropertyKey::AllowFrameReordering).unwrap(), Some(false.into()));
        let samples = encode(&pull, &render(40, 25, 8), &[]);
        let order: Vec<usize> = samples.iter().map(|(index, _)| *index).collect();
        assert_eq!(order, (0..40).collect::<Vec<_>>(), "{}", info.name);
        assert!(samples.iter().all(|(_, buffer)| buffer.sample.dts == buffer.sample.pts), "{}", info.name);
    }
}

/// A5 (EF-4, EF-11): before the call with frame N returns, frame N - M is out.
#[test]
fn a5_no_more_frames_are_held_back_than_asked_for() {
    for info in encoders().into_iter().filter(obeys) {
        for most in [0usize, 1, 3] {
            for rate in [None, Some(Property::AverageBitRate(300_000))] {
                let pull = session(&info);
                let set = pull.0.set(Property::MaxFrameDelayCount(most as i32));
                if most < info.controls.least_delay as usize {
                    // an encoder that cannot says so when it is asked; SVT-AV1 keeps one frame
                    assert_eq!((set.unwrap_err().code(), info.name), (-12902, "svt-av1"));
                    continue;
                }
                set.unwrap();
                pull.0.set_all(rate.as_slice()).unwrap();
                let mut out = Vec::new();
                for (index, frame) in render(30, 99, 8).iter().enumerate() {
                    pull.0
                        .encode(
                            SourceFrame::new(frame, at(index)).duration(STEP).options(forced(index == 17)),
                            index,
                        )
                        .unwrap();
                    out.extend(taken(&pull));
                    let out = out.len();
                    assert!(
                        out + most > index,
                        "{}: {out} are out after frame {index} with {most}",
                        info.name
                    );
                }
                pull.0.complete_frames().unwrap();
                out.extend(taken(&pull));
                assert!(syncs(&out).contains(&17), "{}: {:?}", info.name, syncs(&out));
                whole(&info, &out, 30);
            }
        }
    }
}

/// A session with low latency, if the encoder has it.
pub(crate) fn low_latency(info: &EncoderInfo) -> Option<Pull> {
    let specification =
        EncoderSpecification { encoder: Some(info.name.into()), low_latency: true, ..Default::default() };
    let registry = retake::encoders();
    let built = CompressionSession::builder(&registry, WIDTH, HEIGHT, info.codec)
        .specification(specification)
        .build_pull();
    match built {
        Ok(pull) => {
            pull.0.set_all(&usual(info)).unwrap();
            Some(pull)
        }
        Err(error) => {
            assert_eq!((error.code(), info.controls.low_latency), (-12908, false));
            None
        }
    }
}

/// A38 (LL-1, LL-2, LL-3, LL-5, LL-6, section 6.4): one sync frame, unless another is forced; no reordering;
/// the family of High profiles; no frame is dropped where nothing forces it; the keys of the buffer model are
/// not there.
#[test]
fn a38_low_latency_has_one_sync_frame() {
    for info in encoders() {
        let Some(pull) = low_latency(&info) else { continue };
        pull.0.set(Property::AverageBitRate(300_000)).unwrap();
        for key in [PropertyKey::VariableBitRate, PropertyKey::VBVMaxBitRate, PropertyKey::VBVBufferDuration]
        {
            assert_eq!(pull.0.get(key).unwrap_err().code(), -12900, "{}: {key}", info.name);
        }
        assert_eq!(pull.0.get(PropertyKey::AllowFrameReordering).unwrap(), Some(false.into()));
        // content that is cut: an encoder left to itself would put sync frames there
        let mut samples = Vec::new();
        for (index, frame) in render(90, 30, 8).iter().enumerate() {
            pull.0
                .encode(SourceFrame::new(frame, at(index)).duration(STEP).options(forced(index == 70)), index)
                .unwrap();
            samples.extend(taken(&pull));
        }
        pull.0.complete_frames().unwrap();
        samples.extend(taken(&pull));
        assert_eq!(syncs(&samples), [0, 70], "{}", info.name);
        // LL-3: profile_idc of avcC, general_profile_idc of hvcC
        let configuration = &samples[0].1.format.config;
        match info.codec {
            Codec::H264 => assert_eq!(configuration[1], 100, "High"),
            Codec::Hevc => assert_eq!(configuration[1] & 0x1f, 1, "Main"),
            _ => {}
        }
        assert!(samples.iter().all(|(_, buffer)| buffer.sample.dts == buffer.sample.pts), "{}", info.name);
        whole(&info, &samples, 90);
    }
}

/// A38 (6.3, 6.4): the protocol of long-term references with a receiver that loses frames. It acknowledges
/// what it has; all from the last acknowledged frame to a refresh is lost; what follows decodes to the same
/// pictures as for a receiver that has everything.
#[test]
fn a38_a_refresh_survives_losses() {
    for info in encoders() {
        let Some(pull) = low_latency(&info) else { continue };
        if !has(&pull, PropertyKey::EnableLTR) {
            continue;
        }
        pull.0.set_all(&[Property::EnableLTR(true), Property::AverageBitRate(400_000)]).unwrap();
        let (mut samples, mut known) = (Vec::new(), None);
        for (index, frame) in render(70, 99, 8).iter().enumerate() {
            let acknowledged: Vec<u64> =
                known.iter().map(|&(_, token)| token).filter(|_| index <= 44).collect();
            let options = FrameOptions { acknowledged, refresh: index == 50, ..FrameOptions::default() };
            pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP).options(options), index).unwrap();
            pull.0.complete_frames_until(at(index)).unwrap();
            for (index, buffer) in taken(&pull) {
                let token = buffer.attachments.long_term_reference.filter(|_| index < 44);
                known = token.map(|token| (index, token)).or(known);
                samples.push((index, buffer));
            }
        }
        let (kept, _) = known.unwrap_or_else(|| panic!("{} asks for no acknowledgement", info.name));
        assert!((30..44).contains(&kept), "{}: {kept}", info.name);
        assert_eq!(syncs(&samples), [0], "{}: a refresh is no sync frame", info.name);
        whole(&info, &samples, 70);
        if ffmpeg() {
            let all = decode(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
            let arrived = |index: usize| index <= kept || index >= 50;
            let rest: Vec<_> =
                samples.iter().filter(|(index, _)| arrived(*index)).map(|(_, buffer)| buffer).collect();
            let expected: Vec<_> = all
                .into_iter()
                .enumerate()
                .filter(|(index, _)| arrived(*index))
                .map(|(_, picture)| picture)
                .collect();
            assert!(
                decode(&rest) == expected,
                "{}: a frame after the refresh needs what was lost",
                info.name
            );
        }
    }
}

/// A39 (6.5): with two temporal layers, the samples that nothing depends on can be left out, and half of the
/// frames remain.
#[test]
fn a39_the_upper_layer_can_be_left_out() {
    for info in encoders() {
        let pull = session(&info);
        if !has(&pull, PropertyKey::BaseLayerFrameRateFraction) {
            continue;
        }
        pull.0.set(Property::BaseLayerFrameRateFraction(0.5)).unwrap();
        let samples = encode(&pull, &render(48, 99, 8), &[]);
        let base: Vec<_> = samples
            .iter()
            .map(|(_, buffer)| buffer)
            .filter(|buffer| buffer.sample.kind != SampleKind::Disposable)
            .collect();
        println!("{}: {} of 48 in the base layer", info.name, base.len());
        assert!((23..=25).contains(&base.len()), "{}: {}", info.name, base.len());
        if ffmpeg() {
            assert_eq!(decode(&base).len(), base.len(), "{}", info.name);
        }
    }
}

/// PR-1, 6.5 (D6): the rate of the base layer is judged when the session opens, by the rate that the first
/// frame says where no property does.
#[test]
fn the_base_layer_is_half_of_what_the_frames_say() {
    for info in encoders() {
        let open = |base: f64| {
            let pull = session(&info);
            pull.0.reset(PropertyKey::ExpectedFrameRate).unwrap();
            pull.0.set(Property::BaseLayerFrameRate(base))?;
            let picture = &render(1, 99, 8)[0];
            pull.0.encode(SourceFrame::new(picture, at(0)).duration(STEP), 0)
        };
        if !has(&session(&info), PropertyKey::BaseLayerFrameRate) {
            continue;
        }
        open(12.0).unwrap();
        let refused = open(15.0).unwrap_err();
        assert!(refused.code() == -12902 && refused.to_string().contains("BaseLayerFrameRate"), "{refused}");
    }
}

/// A39, LL-4, PR-4 (D2): a session of low latency lists layers where it has them; the flow of a WebRTC client
/// then works, and the upper layer can be left out.
#[test]
fn a39_layers_in_low_latency_are_those_that_are_listed() {
    for info in encoders() {
        let Some(pull) = low_latency(&info) else { continue };
        if !has(&pull, PropertyKey::BaseLayerFrameRateFraction) {
            let refused = pull.0.set(Property::BaseLayerFrameRateFraction(0.5)).unwrap_err();
            assert_eq!(refused.code(), -12900, "{}", info.name);
            continue;
        }
        pull.0
            .set_all(&[
                Property::RealTime(true),
                Property::AverageBitRate(300_000),
                Property::DataRateLimits(vec![DataRateLimit { bytes: 60_000, seconds: 1.0 }]),
                Property::BaseLayerFrameRateFraction(0.5),
            ])
            .unwrap();
        let mut samples = Vec::new();
        for (index, frame) in render(48, 99, 8).iter().enumerate() {
            pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
            // At the rate of the source, what is due is out before the next frame comes.
            while samples.len() + 1 < index {
                let outcome = pull.1.receive().unwrap();
                samples.push((outcome.token, outcome.into_sample().unwrap().unwrap()));
            }
        }
        pull.0.complete_frames().unwrap();
        samples.extend(taken(&pull));
        let base: Vec<_> = samples
            .iter()
            .map(|(_, buffer)| buffer)
            .filter(|buffer| buffer.sample.kind != SampleKind::Disposable)
            .collect();
        assert!((23..=25).contains(&base.len()), "{}: {}", info.name, base.len());
        assert_eq!(syncs(&samples), [0], "{}", info.name);
        if ffmpeg() {
            assert_eq!(decode(&base).len(), base.len(), "{}", info.name);
        }
    }
}

/// HD-2 (D4): mode Auto looks at the transfer function of the output, whether a property or the first picture
/// says it: streams of standard range get no HDR metadata.
#[test]
fn hdr_metadata_goes_with_the_transfer_function_of_the_output() {
    let colour =
        |transfer| Colour { primaries: 9, transfer, matrix: 9, range: Range::Limited, ..Colour::default() };
    for info in encoders() {
        for (by_property, by_picture, wanted) in [
            (None, Some(16), true),
            (None, Some(18), true),
            (None, None, true),
            (None, Some(1), false),
            (None, Some(14), false),
            (Some(TransferFunction::Bt709), Some(16), false),
            (Some(TransferFunction::Hlg), Some(1), true),
        ] {
            let pull = session(&info);
            if let Some(function) = by_property {
                pull.0.set(Property::TransferFunction(function)).unwrap();
            }
            let mut known = Attachments::default()
                .with(Attachment::MasteringDisplay(MASTERING))
                .with(Attachment::ContentLight(LIGHT));
            if let Some(transfer) = by_picture {
                known = known.with(Attachment::Colour(colour(transfer)));
            }
            let frames: Vec<_> =
                render(2, 99, 4).into_iter().map(|frame| frame.with_attachments(known.clone())).collect();
            let samples = encode(&pull, &frames, &[]);
            let (format, name) = (&samples[0].1.format, info.name);
            let name = format!("{name}, {by_property:?}, {by_picture:?}");
            assert_eq!(format.mastering_display.is_some(), wanted, "{name}");
            assert_eq!(format.content_light.is_some(), wanted, "{name}");
            // Not every FFmpeg shows what H.264 has of it.
            if ffmpeg() && info.controls.hdr_in_stream && info.codec != Codec::H264 {
                let text = probe(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
                assert_eq!(text.contains("max_content=1000"), wanted, "{name}: {text}");
            }
        }
    }
}

/// D10, W10 (1.3): samples that begin an open group are partial sync samples and no sync samples: from a sync
/// sample on everything decodes, from a partial one everything that is not shown before it. A forced sync
/// frame is one in open groups, too.
#[test]
fn partial_sync_samples_are_those_of_open_groups() {
    for info in encoders() {
        let pull = session(&info);
        if !has(&pull, PropertyKey::AllowOpenGOP) {
            continue;
        }
        pull.0.set_all(&[Property::AllowOpenGOP(true), Property::MaxKeyFrameInterval(12)]).unwrap();
        let samples = encode(&pull, &render(72, 999, 8), &[31]);
        assert_eq!(syncs(&samples), [0, 31], "{}", info.name);
        let partial: Vec<usize> = samples
            .iter()
            .enumerate()
            .filter(|(_, (_, buffer))| buffer.attachments.partial_sync)
            .map(|(place, _)| place)
            .collect();
        assert!(partial.len() >= 3, "{}: {partial:?}", info.name);
        let leading = |place: usize| {
            let shown = samples[place].0;
            samples[place..].iter().filter(|(index, _)| *index < shown).count()
        };
        assert!(partial.iter().any(|&place| leading(place) > 0), "{}: no group is open", info.name);
        if ffmpeg() {
            let from = samples.iter().position(|(index, _)| *index == 31).unwrap();
            let rest: Vec<_> = samples[from..].iter().map(|(_, buffer)| buffer).collect();
            assert_eq!(decode(&rest).len(), rest.len(), "{}", info.name);
            // FFmpeg complains of references that H.264 forgets, though it has none of them here.
            if info.codec == Codec::H264 {
                continue;
            }
            let place = *partial.last().unwrap();
            let shown: Vec<_> = samples[place..]
                .iter()
                .filter(|(index, _)| *index >= samples[place].0)
                .map(|(_, buffer)| buffer)
                .collect();
            assert_eq!(decode(&shown).len(), shown.len(), "{}", info.name);
        }
    }
}

/// A40 (HD-1, HD-2, 5.8): mastering display and light level arrive as they were given, in the description
/// and, where the encoder can, in the stream; with mode None they do not.
#[test]
fn a40_hdr_metadata_arrives_or_is_left_out() {
    for info in encoders() {
        for mode in [HdrMetadataInsertionMode::Auto, HdrMetadataInsertionMode::None] {
            let pull = session(&info);
            pull.0
                .set_all(&[
                    Property::MasteringDisplayColorVolume(MASTERING),
                    Property::ContentLightLevelInfo(LIGHT),
                    Property::TransferFunction(TransferFunction::Pq),
                    Property::HDRMetadataInsertionMode(mode),
                ])
                .unwrap();
            let samples = encode(&pull, &render(6, 99, 4), &[]);
            let wanted = mode == HdrMetadataInsertionMode::Auto;
            let (format, name) = (&samples[0].1.format, info.name);
            assert_eq!(format.mastering_display, wanted.then_some(MASTERING), "{name}");
            assert_eq!(format.content_light, wanted.then_some(LIGHT), "{name}");
            assert_eq!(format.colour.transfer, 16, "{name}");
            if matches!(info.codec, Codec::H264 | Codec::Hevc) {
                // ST 2086 and CTA-861.3 as the SEI messages carry them: type, length, payload
                let corners = MASTERING.primaries_gbr.iter().chain([&MASTERING.white_point]).flatten();
                let mastering: Vec<u8> = [137, 24]
                    .into_iter()
                    .chain(corners.flat_map(|value| value.to_be_bytes()))
                    .chain(MASTERING.max_luminance.to_be_bytes())
                    .collect();
                let first = &samples[0].1.sample.data;
                let has = |bytes: &[u8]| first.windows(bytes.len()).any(|window| window == bytes);
                assert_eq!(has(&mastering), wanted && info.controls.hdr_in_stream, "{name}");
                assert_eq!(has(&[144, 4, 3, 232, 1, 144]), wanted && info.controls.hdr_in_stream, "{name}");
            } else if ffmpeg() && info.controls.hdr_in_stream {
                let text = probe(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
                assert_eq!(text.contains("max_content=1000"), wanted, "{name}: {text}");
                assert_eq!(text.contains("Mastering display metadata"), wanted, "{name}: {text}");
            }
        }
    }
}

/// 4.3, resolution 18: quantizers of frames go with all frames or none, and only where the encoder has them.
#[test]
fn quantizers_of_frames_go_with_all_or_none() {
    for info in encoders() {
        let with = |qp: Option<u32>| FrameOptions { base_qp: qp, ..FrameOptions::default() };
        let frames = render(24, 99, 20);
        let coded = |qp: u32| {
            let pull = session(&info);
            for (index, frame) in frames.iter().enumerate() {
                pull.0
                    .encode(SourceFrame::new(frame, at(index)).duration(STEP).options(with(Some(qp))), index)
                    .unwrap();
            }
            pull.0.complete_frames().unwrap();
            bytes(&taken(&pull))
        };
        let pull = session(&info);
        let supported = pull.0.get(PropertyKey::SupportsBaseFrameQP).unwrap() == Some(true.into());
        let first =
            pull.0.encode(SourceFrame::new(&frames[0], at(0)).duration(STEP).options(with(Some(30))), 0);
        assert_eq!(first.is_ok(), supported, "{}", info.name);
        if !supported {
            assert_eq!(first.unwrap_err().code(), -12902);
            continue;
        }
        let mixed = pull
            .0
            .encode(SourceFrame::new(&frames[1], at(1)).duration(STEP).options(with(None)), 1)
            .unwrap_err();
        assert_eq!(mixed.code(), -12902, "{}", info.name);
        let (fine, coarse) = (coded(20), coded(40));
        assert!(coarse * 2 < fine, "{}: {fine} and {coarse}", info.name);
    }
}

/// 4.5: the errors that samples bring are those of the decoded pictures.
#[test]
fn mean_squared_errors_are_those_of_the_pictures() {
    for info in encoders() {
        let pull = session(&info);
        if !has(&pull, PropertyKey::CalculateMeanSquaredError) {
            continue;
        }
        pull.0.set(Property::CalculateMeanSquaredError(true)).unwrap();
        let frames = render(16, 99, 20);
        let samples = encode(&pull, &frames, &[]);
        if !ffmpeg() {
            return;
        }
        let pictures = decode(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
        for (index, buffer) in &samples {
            let [luma, ..] = buffer.attachments.mean_squared_errors[0];
            let measured = luma_error(&pictures[*index], &frames[*index]);
            assert!((luma - measured).abs() <= 0.02 * measured + 0.05, "{}: {luma}, {measured}", info.name);
        }
    }
}

/// 5.1: what is pending falls to nothing, and is never more than what was sent.
#[test]
fn pending_frames_are_counted() {
    for info in encoders() {
        let pull = session(&info);
        for (index, frame) in render(20, 99, 4).iter().enumerate() {
            pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
            let pending = integer(&pull.0, PropertyKey::NumberOfPendingFrames);
            assert!((0..=index as i64 + 1).contains(&pending), "{}: {pending}", info.name);
        }
        pull.0.complete_frames().unwrap();
        assert_eq!(integer(&pull.0, PropertyKey::NumberOfPendingFrames), 0);
    }
}
