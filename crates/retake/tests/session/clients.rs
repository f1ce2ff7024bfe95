//! The orders of calls that known clients have, with default options, on every encoder that has what they ask
//! for. The example of the documentation is in `../parallel/joins.rs` (A26), the two passes of HandBrake in
//! `../passes/flows.rs` (A20).

use crate::common::{
    HEIGHT, STEP, WIDTH, at, decode, encoders, ffmpeg, forced, has, luma_error, render_as, syncs,
};
use retake::property::{ColorPrimaries, DataRateLimit, Property, PropertyKey, TransferFunction, YCbCrMatrix};
use retake::session::{CompressionSession, Emission, EncodedOutcome, EncoderSpecification};
use retake::{
    EncoderInfo, FrameOptions, PixelBuffer, PixelBufferAttributes, PixelFormat, SampleBuffer, SampleKind,
    SourceFrame, Time,
};
use std::sync::mpsc;

/// Buffers as cameras and screens give them.
fn attributes() -> PixelBufferAttributes {
    PixelBufferAttributes {
        formats: vec![PixelFormat::Nv12],
        width: Some(WIDTH),
        height: Some(HEIGHT),
        ..Default::default()
    }
}

/// The pictures in buffers of the session's pool, or as they are where there is none.
fn pooled(session: &CompressionSession<usize>, picture: &PixelBuffer) -> PixelBuffer {
    let Some(pool) = session.pixel_buffer_pool() else { return picture.clone() };
    let mut buffer = pool.take();
    assert_eq!(buffer.format(), picture.format());
    for plane in 0..picture.format().planes() {
        for (y, row) in picture.rows(plane).enumerate() {
            buffer.row_mut(plane, y as u32 as usize)[..row.len()].copy_from_slice(row);
        }
    }
    buffer.freeze()
}

/// The samples of outcomes, with their tokens; the number of frames that were dropped.
fn sorted(outcomes: impl Iterator<Item = EncodedOutcome<usize>>) -> (Vec<(usize, SampleBuffer)>, usize) {
    let (mut samples, mut dropped) = (Vec::new(), 0);
    for outcome in outcomes {
        match outcome.result.unwrap() {
            Emission::Sample { buffer, .. } => samples.push((outcome.token, buffer)),
            Emission::Dropped => dropped += 1,
        }
    }
    (samples, dropped)
}

fn is_decodable(info: &EncoderInfo, samples: &[(usize, SampleBuffer)]) {
    if ffmpeg() {
        let all: Vec<_> = samples.iter().map(|(_, buffer)| buffer).collect();
        assert_eq!(decode(&all).len(), all.len(), "{}", info.name);
    }
}

/// Sets what the session has of these, as clients do that look into the dictionary before.
fn set_those_there_are(session: &CompressionSession<usize>, properties: &[Property]) {
    let supported = session.supported_properties().unwrap();
    for property in properties.iter().filter(|property| supported.contains_key(&property.key())) {
        session.set(property.clone()).unwrap();
    }
}

/// CS-1, CS-5, CS-8, PB-14, section 5.2: the order of FFmpeg's videotoolboxenc. Properties are set one by
/// one, the session is prepared, reordering is read back, frames come with an option each, the rest is
/// completed, and the session invalidated. What is subtracted from decode times makes them those of a
/// container.
#[test]
fn the_order_of_ffmpeg() {
    for info in encoders() {
        let (send, outcomes) = mpsc::channel();
        let session = CompressionSession::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
            .encoder(info.name)
            .source_attributes(attributes())
            .on_output(move |outcome| send.send(outcome).unwrap())
            .build()
            .unwrap();
        session.set(Property::AverageBitRate(200_000)).unwrap();
        set_those_there_are(
            &session,
            &[
                Property::PrioritizeEncodingSpeedOverQuality(true),
                Property::MaxKeyFrameInterval(12),
                Property::PixelAspectRatio(retake::Rational::new(1, 1)),
                Property::TransferFunction(TransferFunction::Bt709),
                Property::YCbCrMatrix(YCbCrMatrix::Bt709),
                Property::ColorPrimaries(ColorPrimaries::Bt709),
                Property::AllowFrameReordering(true),
                Property::RealTime(false),
            ],
        );
        session.prepare().unwrap();
        let reorders = session.get(PropertyKey::AllowFrameReordering).unwrap() == Some(true.into());
        for (index, picture) in render_as(PixelFormat::Nv12, WIDTH, HEIGHT, 40, 99, 8).iter().enumerate() {
            let frame = SourceFrame::new(&pooled(&session, picture), at(index));
            session.encode(frame.options(forced(index == 17)), index).unwrap();
        }
        session.complete_frames().unwrap();
        session.invalidate();
        let (samples, dropped) = sorted(outcomes.try_iter());
        assert_eq!((samples.len(), dropped), (40, 0), "{}", info.name);
        assert!(syncs(&samples).contains(&0) && syncs(&samples).contains(&17), "{}", info.name);
        let late = samples.iter().any(|(_, buffer)| buffer.sample.dts > buffer.sample.pts);
        assert!(reorders || !late, "{}: nothing reorders, and a sample is decoded late", info.name);
        is_decodable(&info, &samples);
    }
}

/// EF-6, EF-12, section 5.5: the order of OBS: an encoder by its id, in real time, at an average with
/// a limit, and with a callback. Every frame has one outcome, and no window breaks the limit.
#[test]
fn the_order_of_obs() {
    for info in encoders() {
        let id = retake::session::encoder_list(&retake::encoders())
            .into_iter()
            .find(|entry| entry.id.ends_with(info.name))
            .unwrap()
            .id;
        let specification = EncoderSpecification { encoder: Some(id), ..EncoderSpecification::default() };
        let (send, outcomes) = mpsc::channel();
        let session = CompressionSession::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
            .specification(specification)
            .source_attributes(attributes())
            .on_output(move |outcome| send.send(outcome).unwrap())
            .build()
            .unwrap();
        let limit = DataRateLimit { bytes: 40_000, seconds: 1.0 };
        for property in [
            Property::AverageBitRate(250_000),
            Property::DataRateLimits(vec![limit]),
            Property::MaxKeyFrameIntervalDuration(1.0),
            Property::ExpectedFrameRate(24.0),
            Property::RealTime(true),
            Property::ColorPrimaries(ColorPrimaries::Bt709),
            Property::TransferFunction(TransferFunction::Bt709),
            Property::YCbCrMatrix(YCbCrMatrix::Bt709),
        ] {
            session.set(property).unwrap();
        }
        let auto = session.supported_properties().unwrap()[&PropertyKey::ProfileLevel]
            .list
            .iter()
            .find(|name| name.ends_with("AutoLevel"))
            .cloned();
        session.set_all(auto.map(Property::ProfileLevel).as_slice()).unwrap();
        session.set_all(&[Property::AllowFrameReordering(false)]).unwrap();
        session.prepare().unwrap();
        for (index, picture) in render_as(PixelFormat::Nv12, WIDTH, HEIGHT, 60, 99, 8).iter().enumerate() {
            session
                .encode(SourceFrame::new(&pooled(&session, picture), at(index)).duration(STEP), index)
                .unwrap();
        }
        session.complete_frames().unwrap();
        drop(session);
        let (samples, dropped) = sorted(outcomes.try_iter());
        assert_eq!(samples.len() + dropped, 60, "{}", info.name);
        assert!(samples.iter().all(|(_, buffer)| buffer.sample.dts == buffer.sample.pts), "{}", info.name);
        for (from, (first, _)) in samples.iter().enumerate() {
            let window = samples[from..].iter().take_while(|(index, _)| index - first < 24);
            let bytes: usize = window.map(|(_, buffer)| buffer.sample.data.len()).sum();
            assert!(bytes <= limit.bytes as usize, "{}: {bytes} from frame {first}", info.name);
        }
        is_decodable(&info, &samples);
    }
}

/// LL-1, LL-2, LL-4, LL-6, section 6: the order of a low-latency sample and of WebRTC's clients: layers and
/// long-term references are switched on where they are listed, acknowledgements come back with later frames,
/// and a receiver that asks for help gets a refresh, or else a forced sync frame.
#[test]
fn the_order_of_a_low_latency_client() {
    for info in encoders().into_iter().filter(|info| info.controls.low_latency) {
        let specification = EncoderSpecification {
            encoder: Some(info.name.to_owned()),
            low_latency: true,
            ..EncoderSpecification::default()
        };
        let pull = CompressionSession::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
            .specification(specification)
            .source_attributes(attributes())
            .build_pull()
            .unwrap();
        set_those_there_are(
            &pull.0,
            &[
                Property::RealTime(true),
                Property::ExpectedFrameRate(24.0),
                Property::AverageBitRate(300_000),
                Property::AllowFrameReordering(false),
                Property::MaxKeyFrameInterval(7200),
                Property::BaseLayerFrameRateFraction(0.5),
                Property::EnableLTR(true),
            ],
        );
        let (refreshes, layers) =
            (has(&pull, PropertyKey::EnableLTR), has(&pull, PropertyKey::BaseLayerFrameRateFraction));
        pull.0.prepare().unwrap();
        let (mut samples, mut acknowledged) = (Vec::new(), Vec::new());
        let pictures = render_as(PixelFormat::Nv12, WIDTH, HEIGHT, 60, 99, 8);
        for (index, picture) in pictures.iter().enumerate() {
            let asked = index == 40;
            let options = FrameOptions {
                acknowledged: std::mem::take(&mut acknowledged),
                refresh: asked && refreshes,
                force_key_frame: asked && !refreshes,
                ..FrameOptions::default()
            };
            let frame = SourceFrame::new(&pooled(&pull.0, picture), at(index)).duration(STEP);
            pull.0.encode(frame.options(options), index).unwrap();
            // At the rate of the source, what is due is out before the next frame comes.
            while samples.len() + 1 < index {
                let outcome = pull.1.receive().unwrap();
                let (token, buffer) = (outcome.token, outcome.into_sample().unwrap().unwrap());
                acknowledged.extend(buffer.attachments.long_term_reference);
                samples.push((token, buffer));
            }
        }
        pull.0.complete_frames_until(Time::POSITIVE_INFINITY).unwrap();
        samples.extend(crate::common::taken(&pull));
        assert!(samples.iter().map(|(index, _)| *index).eq(0..60), "{}", info.name);
        let expected: &[usize] = if refreshes { &[0] } else { &[0, 40] };
        assert_eq!(syncs(&samples), expected, "{}", info.name);
        let base: Vec<_> = samples
            .iter()
            .map(|(_, buffer)| buffer)
            .filter(|b| b.sample.kind != SampleKind::Disposable)
            .collect();
        assert_eq!(layers, base.len() <= 32, "{}: {} in the base layer", info.name, base.len());
        if ffmpeg() {
            assert_eq!(decode(&base).len(), base.len(), "{}", info.name);
            let all: Vec<_> = samples.iter().map(|(_, buffer)| buffer).collect();
            for (index, (decoded, picture)) in decode(&all).iter().zip(&pictures).enumerate() {
                // the first frame of a small bucket is coarse; what a decoder cannot follow is off by
                // thousands
                let error = luma_error(decoded, picture);
                assert!(error < 1000.0, "{}: {error} in frame {index}", info.name);
            }
        }
    }
}
