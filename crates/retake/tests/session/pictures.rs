//! Pools, and pictures that an encoder does not take as they are.

use crate::common::{
    HEIGHT, Pull, STEP, WIDTH, at, decode, decode_as, encode, encoders, ffmpeg, luma_error, pix_fmt,
    probed_pix_fmt, render, render_as, session, taken, usual,
};
use crate::properties::LIGHT;
use retake::SourceFrame;
use retake::property::{OutputChroma, Property, PropertyKey, PropertyValue, YCbCrMatrix};
use retake::session::CompressionSession;
use retake::{
    Attachment, Attachments, Codec, Colour, EncoderInfo, PixelBuffer, PixelBufferAttributes, PixelBufferPool,
    PixelFormat, Range, Rational, ScalingMode, TransferOptions,
};

fn feeding(info: &EncoderInfo, attributes: PixelBufferAttributes) -> Pull {
    let registry = retake::encoders();
    let pull = CompressionSession::builder(&registry, WIDTH, HEIGHT, info.codec)
        .encoder(info.name)
        .source_attributes(attributes)
        .build_pull()
        .unwrap();
    pull.0.set_all(&usual(info)).unwrap();
    pull
}

fn formats(formats: &[PixelFormat]) -> PixelBufferAttributes {
    PixelBufferAttributes { formats: formats.to_vec(), ..Default::default() }
}

/// 5.1, VideoEncoderPixelBufferAttributes: what the encoder likes is of the session's size; a client that
/// asks for any of it shares the pool, and one that asks for something else does not. The dictionary of the
/// property says the same, by the codes of the formats.
#[test]
fn what_the_encoder_likes_makes_shared_pools() {
    for info in encoders() {
        let (plain, _outcomes) = session(&info);
        let likes = plain.encoder_picture_attributes().unwrap();
        assert_eq!((likes.width, likes.height), (Some(WIDTH), Some(HEIGHT)), "{}", info.name);
        assert!(!likes.formats.is_empty(), "{}", info.name);
        let code = |format: &PixelFormat| u32::from_be_bytes(format.four_cc());
        let told = plain.get_named("VideoEncoderPixelBufferAttributes").unwrap().unwrap();
        let PropertyValue::Dictionary(told) = told else { panic!("{told:?}") };
        let PropertyValue::Array(codes) = &told["PixelFormatType"] else { panic!("{told:?}") };
        let named = codes.iter().map(|code| code.as_str().unwrap().to_owned());
        let expected = likes
            .formats
            .iter()
            .map(|format| code(format).to_be_bytes().map(char::from).iter().collect::<String>());
        assert!(named.eq(expected), "{}: {codes:?}", info.name);
        assert_eq!(
            [&told["Width"], &told["Height"]].map(PropertyValue::as_i64),
            [WIDTH, HEIGHT].map(|side| Some(side.into()))
        );
        for format in [PixelFormat::Bgra, PixelFormat::I010, PixelFormat::I444].iter().chain(&likes.formats) {
            let (session, _outcomes) = feeding(&info, formats(&[*format]));
            let shared = session.get(PropertyKey::PixelBufferPoolIsShared).unwrap();
            assert_eq!(shared, Some(likes.formats.contains(format).into()), "{}: {format:?}", info.name);
        }
    }
}

/// A13 (CS-3, PB-14, PB-15, PB-18, PB-20, table 12.4): what the client asks for and what the encoder takes
/// make the pool; it is the same one each time.
#[test]
fn a13_the_pool_is_shared_where_it_can_be() {
    use PixelFormat::{Bgra, I420, I420Full, Nv12, Nv12Full};
    for info in encoders() {
        let pairs = info.formats.contains(&Nv12);
        for (client, expected, shared) in [
            (formats(&[]), I420, true),
            (formats(&[I420Full]), I420Full, true),
            (formats(&[Nv12]), Nv12, pairs),
            (formats(&[Nv12Full]), Nv12Full, pairs),
            (formats(&[Bgra, Nv12]), if pairs { Nv12 } else { Bgra }, pairs),
            (formats(&[Bgra]), Bgra, false),
            (formats(&[Bgra, I420]), I420, true),
            (PixelBufferAttributes { width: Some(320), height: Some(180), ..formats(&[]) }, I420, false),
            (PixelBufferAttributes { row_alignment: Some(128), ..formats(&[]) }, I420, true),
        ] {
            let (session, _outcomes) = feeding(&info, client.clone());
            let pool = session.pixel_buffer_pool().unwrap();
            let attributes = pool.buffer_attributes();
            assert_eq!(attributes.formats, [expected], "{}: {client:?}", info.name);
            assert_eq!(attributes.width, client.width.or(Some(WIDTH)));
            assert_eq!(
                session.get(PropertyKey::PixelBufferPoolIsShared).unwrap(),
                Some(shared.into()),
                "{client:?}"
            );
            assert!(session.pixel_buffer_pool().unwrap().is_same(&pool));
            session.set(Property::MaxKeyFrameInterval(9)).unwrap();
            assert!(session.pixel_buffer_pool().unwrap().is_same(&pool));
        }
        let (session, _outcomes) = session(&info);
        assert!(session.pixel_buffer_pool().is_none(), "nobody asked for one");
    }
}

/// PB-17: another depth is another pool; buffers of the old one may still be sent.
#[test]
fn another_depth_is_another_pool() {
    for info in encoders().into_iter().filter(|info| info.formats.contains(&PixelFormat::I010)) {
        let pull = feeding(&info, formats(&[]));
        let old = pull.0.pixel_buffer_pool().unwrap();
        pull.0.set(Property::OutputBitDepth(10)).unwrap();
        let new = pull.0.pixel_buffer_pool().unwrap();
        assert!(!new.is_same(&old), "{}", info.name);
        assert_eq!(new.buffer_attributes().formats, [PixelFormat::I010]);
        let samples = encode(&pull, &render(6, 99, 4), &[]);
        assert_eq!(samples.len(), 6, "{}", info.name);
    }
}

/// CS-3, EF-10, PB-19: pictures of other formats and sizes are converted; what comes out looks like what went
/// in.
#[test]
fn pictures_of_any_kind_may_be_sent() {
    for info in encoders() {
        let straight = render(8, 99, 0);
        let larger = render_as(PixelFormat::I420, WIDTH * 2, HEIGHT * 2, 8, 99, 0);
        let deeper = render_as(PixelFormat::I010, WIDTH, HEIGHT, 8, 99, 0);
        let paired: Vec<_> = straight.iter().map(|frame| in_pairs(frame, PixelFormat::Nv12)).collect();
        let full: Vec<_> = straight.iter().map(|frame| in_pairs(frame, PixelFormat::Nv12Full)).collect();
        for (name, frames, near) in [
            ("10 bit", &deeper, true),
            ("larger", &larger, false),
            ("pairs", &paired, true),
            ("pairs in full range", &full, false),
        ] {
            let pull = session(&info);
            pull.0.set_all(&[Property::OutputBitDepth(8), Property::Quality(0.9)]).unwrap();
            let samples = encode(&pull, frames, &[]);
            assert_eq!(samples.len(), 8, "{}: {name}", info.name);
            let format = &samples[0].1.format;
            assert_eq!((format.width, format.height), (WIDTH, HEIGHT));
            assert_eq!(format.colour.range == Range::Full, frames[0].format().range() == Some(Range::Full));
            if ffmpeg() {
                let pictures = decode(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>());
                assert_eq!(pictures.len(), 8);
                let error = luma_error(&pictures[4], &straight[4]);
                assert!(!near || error < 12.0, "{}: {name}: {error}", info.name);
            }
        }
    }
}

/// Section 13, PixelTransferProperties: how a picture of another shape is fitted in. One that is half as high
/// as the session's is stretched, gets bars above and below, or loses its sides.
#[test]
fn pictures_are_fitted_as_the_session_is_told() {
    let modes = [ScalingMode::Normal, ScalingMode::Letterbox, ScalingMode::Trim];
    for info in encoders() {
        let low = render_as(PixelFormat::I420, WIDTH, HEIGHT / 2, 4, 99, 0);
        let coded = modes.map(|scaling_mode| {
            let pull = session(&info);
            let options = TransferOptions { scaling_mode, ..TransferOptions::default() };
            pull.0.set_all(&[Property::PixelTransferProperties(options), Property::Quality(0.9)]).unwrap();
            encode(&pull, &low, &[])
        });
        assert!(coded[0][0].1.sample.data != coded[2][0].1.sample.data, "{}", info.name);
        if !ffmpeg() {
            continue;
        }
        let [normal, letterbox, trim] = coded
            .map(|samples| decode(&samples.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>()).remove(0));
        let row = |picture: &[u8], y: u32| {
            let row = &picture[(y * WIDTH) as usize..][..WIDTH as usize];
            row.iter().map(|&code| f64::from(code)).sum::<f64>() / f64::from(WIDTH)
        };
        for y in [2, HEIGHT / 4 - 4, HEIGHT * 3 / 4 + 4, HEIGHT - 3] {
            assert!(row(&letterbox, y) < 20.0, "{}: no bar in row {y}", info.name);
            assert!(row(&normal, y) > 40.0 && row(&trim, y) > 40.0, "{}: a bar in row {y}", info.name);
        }
        assert!(row(&letterbox, HEIGHT / 2) > 40.0, "{}", info.name);
    }
}

/// D10: what a picture has and the stream does not keep is told with the frame: of chroma, of alpha, of the
/// depth.
#[test]
fn losses_of_pictures_are_told() {
    for info in encoders() {
        let told = |formats: &[PixelFormat], depth: Option<u32>| {
            let pull = session(&info);
            pull.0.set_all(depth.map(Property::OutputBitDepth).as_slice()).unwrap();
            let frames = formats.iter().enumerate().map(|(index, format)| {
                let picture = PixelBufferPool::new(*format, WIDTH, HEIGHT).take().freeze();
                let loss =
                    pull.0.encode(SourceFrame::new(&picture, at(index)).duration(STEP), index).unwrap().loss;
                assert!(loss.is_any() == (loss.chroma || loss.alpha || loss.depth) && !loss.tags);
                (loss.chroma, loss.alpha, loss.depth)
            });
            frames.collect::<Vec<_>>()
        };
        let one = |format| told(&[format], None)[0];
        assert_eq!(one(PixelFormat::I420), (false, false, false), "{}", info.name);
        assert_eq!(one(PixelFormat::Nv12), (false, false, false), "{}", info.name);
        assert_eq!(one(PixelFormat::Gray8), (false, false, false), "{}", info.name);
        assert_eq!(one(PixelFormat::P010), (false, false, false), "{}", info.name);
        assert_eq!(one(PixelFormat::I422), (true, false, false), "{}", info.name);
        assert_eq!(one(PixelFormat::I444), (true, false, false), "{}", info.name);
        assert_eq!(one(PixelFormat::Bgra), (true, true, false), "{}", info.name);
        assert_eq!(one(PixelFormat::V210), (true, false, false), "{}", info.name);
        assert_eq!(one(PixelFormat::Argb64), (true, true, true), "{}", info.name);
        assert_eq!(told(&[PixelFormat::P410], Some(8)), [(true, false, true)], "{}", info.name);
        // The first picture decides what is encoded.
        let mixed = told(&[PixelFormat::I420, PixelFormat::P010], None);
        assert_eq!(mixed, [(false, false, false), (false, false, true)], "{}", info.name);
    }
}

/// Makes pictures whose three planes are slopes of their own, so that one cannot pass for another.
fn slopes(format: PixelFormat, count: usize) -> Vec<PixelBuffer> {
    let scale = 1 << (format.bit_depth() - 8);
    let code = |plane: usize, x: u32, y: u32, (width, height): (u32, u32), frame: u32| match plane {
        0 => 40 + (160 * x / width + frame * 3) % 170,
        1 => 60 + 50 * y / height + frame,
        _ => 200 - 40 * x / width - frame,
    };
    let make = |frame: u32| {
        let mut buffer = PixelBufferPool::new(format, WIDTH, HEIGHT).take();
        for plane in 0..format.planes() {
            let size = format.plane_size(WIDTH, HEIGHT, plane);
            for (y, x) in (0..size.1).flat_map(|y| (0..size.0).map(move |x| (y, x))) {
                let code = (code(plane, x, y, size, frame) * scale) as u16;
                let row = buffer.row_mut(plane, y as usize);
                match format.bytes_per_sample() {
                    1 => row[x as usize] = code as u8,
                    _ => row[2 * x as usize..][..2].copy_from_slice(&code.to_le_bytes()),
                }
            }
        }
        buffer.freeze()
    };
    (0..count as u32).map(make).collect()
}

/// Returns the PSNR of each plane of a decoded picture in dB.
fn plane_psnr(decoded: &[u8], source: &PixelBuffer) -> Vec<f64> {
    let wide = source.format().bytes_per_sample() == 2;
    let numbers = |bytes: &[u8]| -> Vec<f64> {
        match wide {
            true => bytes.chunks(2).map(|pair| f64::from(u16::from_le_bytes([pair[0], pair[1]]))).collect(),
            false => bytes.iter().copied().map(f64::from).collect(),
        }
    };
    let peak = f64::from((1_u32 << source.format().bit_depth()) - 1);
    let mut rest = decoded;
    let planes = 0..source.format().planes();
    let psnr = planes.map(|plane| {
        let own: Vec<u8> = source.rows(plane).flatten().copied().collect();
        let (theirs, behind) = rest.split_at(own.len());
        rest = behind;
        let (own, theirs) = (numbers(&own), numbers(theirs));
        let sum: f64 = own.iter().zip(&theirs).map(|(a, b)| (a - b).powi(2)).sum();
        10.0 * (peak * peak * own.len() as f64 / sum.max(1e-9)).log10()
    });
    psnr.collect()
}

/// 12.4, CS-3: pictures of all chroma and depths reach the encoders that code them, from a pool that is
/// theirs, and come out of another decoder plane by plane.
#[test]
fn chroma_is_coded_as_it_came() {
    for info in encoders() {
        let source = Property::OutputChromaSubsampling(OutputChroma::Source);
        for &format in info.formats.iter().filter(|format| format.is_planar()) {
            let (name, frames) = (info.name, slopes(format, 5));
            let pull = feeding(&info, formats(&[format]));
            pull.0.set_all(&[source.clone(), Property::Quality(0.8)]).unwrap();
            assert_eq!(pull.0.pixel_buffer_pool().unwrap().buffer_attributes().formats, [format], "{name}");
            assert_eq!(pull.0.get(PropertyKey::PixelBufferPoolIsShared).unwrap(), Some(true.into()));
            for (index, frame) in frames.iter().enumerate() {
                let submitted =
                    pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
                assert!(!submitted.loss.is_any(), "{name} {format:?}: {:?}", submitted.loss);
            }
            pull.0.complete_frames().unwrap();
            let samples = taken(&pull);
            let samples: Vec<_> = samples.iter().map(|(_, buffer)| buffer).collect();
            if !ffmpeg() {
                continue;
            }
            // FFmpeg gives H.264 without chroma out with neutral chroma behind luma.
            let given = match (info.codec, format) {
                (Codec::H264, PixelFormat::Y8) => PixelFormat::I420,
                (Codec::H264, PixelFormat::Y10) => PixelFormat::I010,
                _ => format,
            };
            assert_eq!(probed_pix_fmt(&samples), pix_fmt(given), "{name}");
            let decoded = decode_as(&samples, given);
            assert_eq!(decoded.len(), frames.len(), "{name}");
            for (decoded, frame) in decoded.iter().zip(&frames) {
                let found = plane_psnr(decoded, frame);
                assert!(found.iter().all(|&psnr| psnr > 36.0), "{name} {format:?}: {found:?} dB");
            }
        }
    }
}

/// 5.4, ProfileLevel, OutputBitDepth: a profile has the chroma and the depth of the source where it is
/// signalled with them, else what is nearest; without one, chroma is 4:2:0, and the loss is told. What
/// contradicts is refused when it is set.
#[test]
fn chroma_is_what_profile_and_property_say() {
    use PixelFormat::{Bgra, Gray8, I420, I422, I444, P010, P210, P410, Uyvy};
    let cases: &[(&str, &str, PixelFormat, &str)] = &[
        ("x264", "H264_ConstrainedHigh_AutoLevel", I422, "yuv420p"),
        ("x264", "H264_High_AutoLevel", P010, "yuv420p"),
        ("x264", "H264_High10_AutoLevel", I420, "yuv420p10le"),
        ("x264", "H264_High422_AutoLevel", I420, "yuv422p"),
        ("x264", "H264_High422_AutoLevel", P210, "yuv422p10le"),
        ("x264", "H264_High444Predictive_AutoLevel", Uyvy, "yuv444p"),
        ("x265", "HEVC_Main10_AutoLevel", I420, "yuv420p10le"),
        ("x265", "HEVC_Main42210_AutoLevel", I444, "yuv422p"),
        ("x265", "HEVC_Main444_AutoLevel", P410, "yuv444p"),
        ("x265", "HEVC_Monochrome_AutoLevel", Gray8, "gray"),
        ("x265", "HEVC_Monochrome10_AutoLevel", I420, "gray10le"),
        ("svt-av1", "AV1_Main_AutoLevel", I444, "yuv420p"),
        ("vp9", "VP9_Profile1_AutoLevel", I420, "yuv422p"),
        ("vp9", "VP9_Profile1_AutoLevel", Bgra, "yuv444p"),
        ("vp9", "VP9_Profile2_AutoLevel", I422, "yuv420p10le"),
        ("vp9", "VP9_Profile3_AutoLevel", I444, "yuv444p10le"),
    ];
    for info in encoders() {
        let coded = |properties: &[Property], format: PixelFormat| {
            let pull = session(&info);
            pull.0.set_all(properties).unwrap();
            let frame = PixelBufferPool::new(format, WIDTH, HEIGHT).take().freeze();
            let loss = pull.0.encode(SourceFrame::new(&frame, at(0)).duration(STEP), 0).unwrap().loss;
            pull.0.complete_frames().unwrap();
            let samples = taken(&pull);
            (probed_pix_fmt(&[&samples[0].1]), loss.chroma)
        };
        if ffmpeg() {
            for (_, profile, source, pixels) in cases.iter().filter(|(encoder, ..)| *encoder == info.name) {
                let profile = Property::ProfileLevel((*profile).to_owned());
                assert_eq!(
                    coded(std::slice::from_ref(&profile), *source).0,
                    *pixels,
                    "{profile:?} {source:?}"
                );
            }
            assert_eq!(coded(&[], I422), ("yuv420p".to_owned(), true), "{}", info.name);
            let usual = Property::OutputChromaSubsampling(OutputChroma::Yuv420);
            assert_eq!(coded(&[usual], I444), ("yuv420p".to_owned(), true), "{}", info.name);
            // luma alone of a picture in colour is a loss, too
            if info.formats.contains(&PixelFormat::Y8) {
                let luma = Property::OutputChromaSubsampling(OutputChroma::Monochrome);
                let (pixels, lost) = coded(&[luma], I422);
                assert!(lost && ["gray", "yuv420p"].contains(&pixels.as_str()), "{}: {pixels}", info.name);
            }
        }
        let refused = |properties: &[Property]| session(&info).0.set_all(properties).unwrap_err().code();
        let chroma = |chroma| Property::OutputChromaSubsampling(chroma);
        let profile = |name: &str| Property::ProfileLevel(name.to_owned());
        match info.name {
            "svt-av1" => assert_eq!(refused(&[chroma(OutputChroma::Yuv422)]), -12902),
            "vp9" => assert_eq!(refused(&[chroma(OutputChroma::Monochrome)]), -12902),
            "x264" => {
                let main = profile("H264_Main_AutoLevel");
                assert_eq!(refused(&[main, chroma(OutputChroma::Yuv444)]), -12902);
            }
            _ => {
                let main = profile("HEVC_Main10_AutoLevel");
                assert_eq!(refused(&[main.clone(), chroma(OutputChroma::Yuv422)]), -12902);
                assert_eq!(refused(&[main, Property::OutputBitDepth(8)]), -12902);
            }
        }
    }
}

/// The same codes, in the layout with pairs of chroma.
fn in_pairs(planar: &PixelBuffer, format: PixelFormat) -> PixelBuffer {
    let mut buffer = PixelBufferPool::new(format, planar.width(), planar.height()).take();
    for (y, row) in planar.rows(0).enumerate() {
        buffer.row_mut(0, y).copy_from_slice(row);
    }
    for (y, (blue, red)) in planar.rows(1).zip(planar.rows(2)).enumerate() {
        let pairs: Vec<u8> = blue.iter().zip(red).flat_map(|(&blue, &red)| [blue, red]).collect();
        buffer.row_mut(1, y).copy_from_slice(&pairs);
    }
    buffer.freeze()
}

/// EF-9: what the first picture says about itself is in the description; properties have precedence.
#[test]
fn attachments_count_where_properties_say_nothing() {
    let colour = Colour {
        primaries: 9,
        transfer: 18,
        matrix: 9,
        range: Range::Limited,
        range_known: true,
        chroma_location: 0,
    };
    for info in encoders() {
        for over in [false, true] {
            let pull = session(&info);
            // an encoder that was opened before has to follow the first picture, too
            pull.0.prepare().unwrap();
            let pull = if over { session(&info) } else { pull };
            if over {
                pull.0.set(Property::YCbCrMatrix(retake::property::YCbCrMatrix::Bt601)).unwrap();
            }
            let known = Attachments::default()
                .with(Attachment::Colour(colour))
                .with(Attachment::PixelAspectRatio(Rational::new(4, 3)));
            let frames: Vec<_> =
                render(4, 99, 4).into_iter().map(|frame| frame.with_attachments(known.clone())).collect();
            let samples = encode(&pull, &frames, &[]);
            let format = &samples[0].1.format;
            assert_eq!((format.colour.primaries, format.colour.transfer), (9, 18), "{}", info.name);
            assert_eq!(format.colour.matrix, if over { 6 } else { 9 }, "{}", info.name);
            assert_eq!(format.pixel_aspect_ratio, Rational::new(4, 3), "{}", info.name);
        }
    }
}

/// 1.3: one description for all samples, and the same value after the encoder was emptied.
#[test]
fn the_description_is_shared() {
    for info in encoders() {
        let pull = session(&info);
        for (index, frame) in render(12, 99, 4).iter().enumerate() {
            pull.0.encode(SourceFrame::new(frame, at(index)).duration(STEP), index).unwrap();
            if index == 5 {
                pull.0.complete_frames_until(at(5)).unwrap();
            }
        }
        pull.0.complete_frames_until(at(11)).unwrap();
        let samples = taken(&pull);
        assert_eq!(samples.len(), 12);
        let first = &samples[0].1.format;
        assert!(
            samples.iter().all(|(_, buffer)| std::sync::Arc::ptr_eq(&buffer.format, first)),
            "{}",
            info.name
        );
    }
}

/// EF-9: the stream says what the first picture says of itself. A later one that says otherwise, or what the
/// first left open, is told with its frame; one that says nothing is not, nor one that a property speaks for.
#[test]
fn tags_that_change_in_mid_stream_are_told() {
    let colour = |matrix| Attachment::Colour(Colour { matrix, ..Colour::default() });
    let aspect = |num| Attachment::PixelAspectRatio(Rational::new(num, 3));
    let light = Attachment::ContentLight(LIGHT);
    let property = Property::YCbCrMatrix(YCbCrMatrix::Bt709);
    type Case = (Vec<Attachment>, Vec<Attachment>, Option<Property>, bool);
    let cases: [Case; 9] = [
        (vec![], vec![], None, false),
        (vec![colour(1)], vec![colour(1)], None, false),
        (vec![colour(1)], vec![], None, false),
        (vec![colour(1)], vec![colour(9)], None, true),
        (vec![], vec![colour(9)], None, true),
        (vec![colour(1)], vec![colour(9)], Some(property), false),
        (vec![aspect(4)], vec![aspect(3)], None, true),
        (vec![aspect(4)], vec![aspect(4), light.clone()], None, true),
        (vec![light.clone()], vec![light], None, false),
    ];
    for info in encoders() {
        for (first, later, property, expected) in &cases {
            let pull = session(&info);
            pull.0.set_all(property.as_slice()).unwrap();
            let told = [first, first, later].map(|said| {
                let attachments = said.iter().cloned().fold(Attachments::default(), Attachments::with);
                render(1, 99, 4)[0].clone().with_attachments(attachments)
            });
            let told = told.iter().enumerate().map(|(index, picture)| {
                pull.0.encode(SourceFrame::new(picture, at(index)).duration(STEP), index).unwrap().loss.tags
            });
            let told: Vec<bool> = told.collect();
            assert_eq!(told, [false, false, *expected], "{}: {first:?} {later:?}", info.name);
        }
    }
}
