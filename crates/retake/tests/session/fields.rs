//! Two fields of a frame: in the description, the stream and the file.

use crate::common::{
    HEIGHT, WIDTH, bytes, decode, encode, encoders, ffmpeg, has, luma_error, probe, render_as, session, woven,
};
use crate::film::{Film, box_fields, film};
use retake::SourceFrame;
use retake::asset::Container;
use retake::pixel::{FieldDetail, Fields};
use retake::property::{DataRateLimit, H264EntropyMode, Property, PropertyKey};
use retake::session::{CompressionSession, EncoderSpecification};
use retake::{
    Attachment, Attachments, CleanAperture, Codec, EncoderInfo, PixelBuffer, PixelFormat, Rational,
    SampleBuffer,
};

/// The encoders with fields.
fn with_fields() -> Vec<EncoderInfo> {
    encoders().into_iter().filter(|info| info.controls.fields.is_some()).collect()
}

fn coded(info: &EncoderInfo, frames: &[PixelBuffer], properties: &[Property]) -> Vec<(usize, SampleBuffer)> {
    let pull = session(info);
    pull.0.set_all(properties).unwrap();
    encode(&pull, frames, &[])
}

fn decoded(samples: &[(usize, SampleBuffer)]) -> Vec<Vec<u8>> {
    decode(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>())
}

const DETAILS: [(FieldDetail, u8, bool, &str); 4] = [
    (FieldDetail::TemporalTopFirst, 1, true, "tt"),
    (FieldDetail::TemporalBottomFirst, 6, false, "bb"),
    (FieldDetail::SpatialFirstLineEarly, 9, true, "tb"),
    (FieldDetail::SpatialFirstLineLate, 14, false, "bt"),
];

/// 5.8, FieldCount and FieldDetail: the description, `fiel` of MP4 and MOV, Matroska's order of fields, and
/// the stream say the same, and another decoder shows the pictures that went in.
#[test]
fn fields_are_in_stream_and_file() {
    for info in with_fields() {
        for (detail, code, top_first, order) in DETAILS {
            let frames = woven(PixelFormat::I420, 12, top_first);
            let properties = [Property::FieldCount(2), Property::FieldDetail(detail), Property::Quality(0.8)];
            let samples = coded(&info, &frames, &properties);
            let said = Fields { count: 2, detail: Some(detail) };
            assert_eq!(samples[0].1.format.fields, Some(said), "{}", info.name);
            for container in [Container::Mp4, Container::Mov, Container::Mkv] {
                let Film { bytes, said: stream, .. } = film(&samples, container);
                if container != Container::Mkv {
                    assert_eq!(box_fields(&bytes, b"fiel", &[]), Some(vec![2, code]), "{container}");
                }
                if ffmpeg() {
                    let first = u8::from(top_first);
                    assert!(stream.contains("interlaced_frame=1"), "{container}: {stream}");
                    assert!(stream.contains(&format!("top_field_first={first}")), "{container}: {stream}");
                    let either = [order, if top_first { "tt" } else { "bb" }];
                    let told = either.iter().any(|order| stream.contains(&format!("field_order={order}\n")));
                    assert!(told, "{container}: {stream}");
                }
            }
            if ffmpeg() {
                let raw = probe(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
                assert!(raw.contains("interlaced_frame=1"), "{raw}");
                for (picture, frame) in decoded(&samples).iter().zip(&frames) {
                    let error = luma_error(picture, frame);
                    assert!(error < 6.5, "{}: {error} is below 40 dB", info.name);
                }
            }
        }
    }
}

/// 5.8, FieldCount: what moves between the fields costs less as two fields than as whole frames that are
/// combed.
#[test]
fn two_fields_cost_less_than_combed_frames() {
    for info in with_fields() {
        let frames = woven(PixelFormat::I420, 40, true);
        let mut made = [1, 2].map(|count| {
            let samples = coded(&info, &frames, &[Property::FieldCount(count), Property::Quality(0.6)]);
            (bytes(&samples), samples)
        });
        println!("{}: {} bytes in fields, {} in frames", info.name, made[1].0, made[0].0);
        assert!(made[1].0 < made[0].0, "{}", info.name);
        if ffmpeg() {
            let errors = made.each_mut().map(|(_, samples)| {
                decoded(samples)
                    .iter()
                    .zip(&frames)
                    .map(|(shown, frame)| luma_error(shown, frame))
                    .sum::<f64>()
            });
            assert!(errors[1] < errors[0] * 1.15, "{}: {errors:?}", info.name);
        }
    }
}

/// EF-9: what the first picture says of itself counts where the property says nothing and the encoder can;
/// else frames are whole.
#[test]
fn fields_of_pictures_count() {
    let said = Fields { count: 2, detail: Some(FieldDetail::SpatialFirstLineLate) };
    let known = Attachments::default().with(Attachment::Fields(said));
    let mark = |frames: Vec<PixelBuffer>| -> Vec<PixelBuffer> {
        frames.into_iter().map(|frame| frame.with_attachments(known.clone())).collect()
    };
    for info in encoders() {
        let can = info.controls.fields.is_some();
        let frames = mark(woven(PixelFormat::I420, 3, false));
        let large = mark(render_as(PixelFormat::I420, WIDTH * 2, HEIGHT * 2, 3, 9, 6));
        let mut cases = vec![(&frames, vec![], can.then_some(said)), (&large, vec![], None)];
        if can {
            let whole = Some(Fields { count: 1, detail: None });
            cases.push((&frames, vec![Property::FieldCount(1)], whole));
            cases.push((&frames, vec![Property::ProfileLevel("H264_Baseline_AutoLevel".into())], None));
            // 110 macroblocks, 2234 times a second
            assert!(info.controls.fields.as_ref().unwrap().keeps_up(WIDTH, HEIGHT, Rational::new(2234, 1)));
            assert!(!info.controls.fields.as_ref().unwrap().keeps_up(WIDTH, HEIGHT, Rational::new(2235, 1)));
        }
        for (frames, properties, expected) in cases {
            let samples = coded(&info, frames, &properties);
            assert_eq!(samples[0].1.format.fields, expected, "{}: {properties:?}", info.name);
            if ffmpeg() {
                let stream = probe(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
                let interlaced = expected == Some(said);
                assert_eq!(
                    stream.contains("interlaced_frame=1"),
                    interlaced,
                    "{}: {properties:?}",
                    info.name
                );
            }
        }
    }
}

/// 5.8, FieldCount: one field is a whole frame, and the file says so; nothing is said where nothing is set.
#[test]
fn whole_frames_are_whole() {
    for info in with_fields() {
        let frames = woven(PixelFormat::I420, 6, true);
        let samples = coded(&info, &frames, &[Property::FieldCount(1)]);
        let Film { bytes, said: stream, .. } = film(&samples, Container::Mov);
        assert_eq!(box_fields(&bytes, b"fiel", &[]), Some(vec![1, 0]));
        if ffmpeg() {
            assert!(stream.contains("interlaced_frame=0"), "{stream}");
        }
        let silent = coded(&info, &frames, &[]);
        assert_eq!(silent[0].1.format.fields, None);
        assert_eq!(box_fields(&film(&silent, Container::Mov).bytes, b"fiel", &[]), None);
        let payloads = |samples: &[(usize, SampleBuffer)]| {
            samples.iter().map(|(_, buffer)| buffer.sample.data.clone()).collect::<Vec<_>>()
        };
        assert_eq!(payloads(&samples), payloads(&silent), "{}", info.name);
    }
}

/// 5.8, G-1: an encoder without fields does not have the properties, nor has one for pictures that cannot be
/// so.
#[test]
fn only_who_can_has_fields() {
    let registry = retake::encoders();
    for info in encoders() {
        for (width, height) in [(176, 144), (176, 146), (4096, 2160)] {
            let builder = CompressionSession::<()>::builder(&registry, width, height, info.codec);
            let (session, _) = builder.encoder(info.name).build_pull().unwrap();
            let expected = info.codec == Codec::H264 && (width, height) == (176, 144);
            for property in [Property::FieldCount(2), Property::FieldCount(1)] {
                let set = session.set(property).map_err(|error| error.code());
                assert_eq!(set, if expected { Ok(()) } else { Err(-12900) }, "{} {height}", info.name);
            }
        }
    }
}

/// 5.8, resolution 11: what excludes fields is refused, in either order.
#[test]
fn what_has_no_fields_is_refused() {
    for info in with_fields() {
        let code = |properties: &[Property]| {
            let (session, _outcomes) = session(&info);
            session.set_all(properties).map_or_else(|error| error.code(), |()| 0)
        };
        let level = |name: &str| Property::ProfileLevel(name.to_owned());
        assert_eq!(code(&[Property::FieldDetail(FieldDetail::TemporalTopFirst)]), -12902);
        // D6: set one by one, it may come before the count.
        let (session, _outcomes) = session(&info);
        session.set(Property::FieldDetail(FieldDetail::TemporalTopFirst)).unwrap();
        let refused = session.prepare().unwrap_err();
        assert!(refused.code() == -12902 && refused.to_string().contains("FieldDetail"), "{refused}");
        session.set(Property::FieldCount(2)).unwrap();
        session.prepare().unwrap();
        assert_eq!(
            code(&[Property::FieldCount(1), Property::FieldDetail(FieldDetail::TemporalTopFirst)]),
            -12902
        );
        for (name, expected) in [
            ("H264_Baseline_AutoLevel", -12902),
            ("H264_Main_1_3", -12902),
            ("H264_High_4_2", -12902),
            ("H264_High_4_1", 0),
            ("H264_Main_2_1", 0),
            ("H264_High_AutoLevel", 0),
        ] {
            assert_eq!(code(&[Property::FieldCount(2), level(name)]), expected, "{name}");
            assert_eq!(code(&[level(name), Property::FieldCount(2)]), expected, "{name}");
            assert_eq!(code(&[level(name), Property::FieldCount(1)]), 0, "{name}");
        }
    }
}

/// 5.8: whatever else is asked for, fields stay fields; another decoder shows all pictures, and those that
/// the encoder says it made.
#[test]
fn fields_go_with_everything_else() {
    let limit = DataRateLimit { bytes: 20_000, seconds: 1.0 };
    for info in with_fields() {
        let frames = woven(PixelFormat::I420, 24, false);
        let groups: Vec<Vec<Property>> = vec![
            vec![Property::Quality(1.0)],
            vec![Property::AverageBitRate(150_000)],
            vec![Property::AverageBitRate(150_000), Property::DataRateLimits(vec![limit])],
            vec![Property::ConstantBitRate(200_000)],
            vec![Property::BaseLayerFrameRateFraction(0.5)],
            vec![Property::MaxH264SliceBytes(400)],
            vec![Property::H264EntropyMode(H264EntropyMode::Cavlc)],
            vec![Property::AllowTemporalCompression(false)],
            vec![Property::AllowFrameReordering(false)],
            vec![Property::AllowOpenGOP(true), Property::MaxKeyFrameInterval(9)],
            vec![Property::ReferenceBufferCount(1)],
            vec![Property::MaxFrameDelayCount(0)],
            vec![Property::OutputBitDepth(10)],
            vec![Property::MoreFramesBeforeStart(true), Property::AverageBitRate(150_000)],
            vec![Property::EncoderPreset(info.presets[1].name.clone())],
            vec![Property::EncoderPreset(info.presets[info.presets.len() - 1].name.clone())],
        ];
        for group in groups {
            let fields = [
                Property::FieldCount(2),
                Property::FieldDetail(FieldDetail::SpatialFirstLineLate),
                Property::CalculateMeanSquaredError(true),
            ];
            let samples = coded(&info, &frames, &[&group[..], &fields].concat());
            assert_eq!(samples.len(), frames.len(), "{group:?}");
            if !ffmpeg() {
                continue;
            }
            let stream = probe(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
            assert!(stream.contains("interlaced_frame=1\ntop_field_first=0"), "{group:?}: {stream}");
            let pictures = decoded(&samples);
            assert_eq!(pictures.len(), frames.len(), "{group:?}");
            if group.iter().any(|property| property.key() == PropertyKey::OutputBitDepth) {
                continue;
            }
            for (index, buffer) in &samples {
                let [said, ..] = buffer.attachments.mean_squared_errors[0];
                let found = luma_error(&pictures[*index], &frames[*index]);
                assert!((said - found).abs() < 0.01, "{group:?}: frame {index}: {said}, {found}");
                assert!(found < 1e-9 || group != [Property::Quality(1.0)], "lossless");
            }
        }
    }
}

/// 5.8, CleanAperture: with two fields, a row of chroma of each is four rows, and what lies between is not
/// cropped.
#[test]
fn whole_rows_of_both_fields_are_cropped() {
    for info in with_fields() {
        let frames = woven(PixelFormat::I420, 4, true);
        for (rows, cropped) in [(128, true), (124, false)] {
            let aperture = CleanAperture::full(WIDTH, rows);
            let samples =
                coded(&info, &frames, &[Property::FieldCount(2), Property::CleanAperture(aperture)]);
            let format = &samples[0].1.format;
            assert_eq!(format.height, if cropped { rows } else { HEIGHT }, "{}", info.name);
            assert!(cropped || format.clean_aperture == Some(aperture));
            if ffmpeg() {
                assert_eq!(decoded(&samples).len(), 4, "{}", info.name);
            }
        }
    }
}

/// 6.1: low latency and fields do not exclude each other.
#[test]
fn fields_without_delay() {
    let registry = retake::encoders();
    for info in with_fields() {
        let specification =
            EncoderSpecification { encoder: Some(info.name.into()), low_latency: true, ..Default::default() };
        let builder = CompressionSession::builder(&registry, WIDTH, HEIGHT, info.codec);
        let pull = builder.specification(specification).build_pull().unwrap();
        pull.0.set_all(&[Property::FieldCount(2), Property::AverageBitRate(300_000)]).unwrap();
        let samples = encode(&pull, &woven(PixelFormat::I420, 20, true), &[]);
        if ffmpeg() {
            assert_eq!(decoded(&samples).len(), 20);
            let stream = probe(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
            assert!(stream.contains("interlaced_frame=1\ntop_field_first=1"), "{stream}");
        }
    }
}

/// CS-12, section 13: a conversion that would make one row of both fields is refused, that picture alone;
/// other formats of the same chroma are not.
#[test]
fn conversions_do_not_mix_fields() {
    for info in with_fields() {
        let pull = session(&info);
        assert!(has(&pull, PropertyKey::FieldCount));
        pull.0.set(Property::FieldCount(2)).unwrap();
        let sent = [
            (woven(PixelFormat::I420, 1, true), 0),
            (render_as(PixelFormat::I420, WIDTH * 2, HEIGHT * 2, 1, 9, 6), -12905),
            (render_as(PixelFormat::I422, WIDTH, HEIGHT, 1, 9, 6), -12905),
            (woven(PixelFormat::I010, 1, true), 0),
        ];
        for (index, (frames, _)) in sent.iter().enumerate() {
            let (pts, duration) = (crate::common::at(index), crate::common::STEP);
            pull.0
                .encode(
                    SourceFrame::new(&frames[0], pts)
                        .duration(duration)
                        .options(crate::common::forced(false)),
                    index,
                )
                .unwrap();
        }
        pull.0.complete_frames().unwrap();
        let mut codes = [0; 4];
        while let Some(outcome) = pull.1.try_receive() {
            let token = outcome.token;
            codes[token] = outcome.into_sample().map_or_else(|error| error.code(), |_| 0);
        }
        assert_eq!(codes, sent.map(|(_, code)| code), "{}", info.name);
    }
}
