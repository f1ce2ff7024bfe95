//! Rendered frames, whole encodes by a session, and an independent decoder: the `ffmpeg` program.
#![allow(dead_code)]

use retake::SourceFrame;
use retake::property::{Property, PropertyKey, PropertyValue};
use retake::session::{CompressionSession, Outcomes};
use retake::{
    ChromaSubsampling, Codec, EncoderInfo, FormatDescription, FrameOptions, PixelBuffer, PixelBufferPool,
    PixelFormat, SampleBuffer, Time,
};
use std::io::Write;
use std::process::Command;

pub(crate) const WIDTH: u32 = 176;
pub(crate) const HEIGHT: u32 = 144;

/// The encoders of this build, or the one that the variable `ENCODER` names. libaom is left out by itself: it
/// would take as long as all others together, and what is asked here of encoders, the suite of
/// `retake-encoders` asks of it. `ENCODER=libaom` runs over it.
pub(crate) fn encoders() -> Vec<EncoderInfo> {
    let only = std::env::var("ENCODER").ok();
    let wanted =
        |info: &&EncoderInfo| only.as_deref().map_or(info.name != "libaom", |only| info.name == only);
    retake::encoders().encoders().filter(wanted).cloned().collect()
}

pub(crate) type Pull = (CompressionSession<usize>, Outcomes<usize>);

/// A session with a fast preset, two threads, and 24 frames per second.
pub(crate) fn session(info: &EncoderInfo) -> Pull {
    let (session, outcomes) = CompressionSession::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
        .encoder(info.name)
        .build_pull()
        .unwrap();
    session.set_all(&usual(info)).unwrap();
    (session, outcomes)
}

pub(crate) fn usual(info: &EncoderInfo) -> Vec<Property> {
    vec![
        Property::EncoderPreset(fast_preset(info).to_owned()),
        Property::ThreadCount(2),
        Property::ExpectedFrameRate(24.0),
    ]
}

/// An option in the encoder's own words.
pub(crate) fn own_option(info: &EncoderInfo) -> (String, String) {
    let (key, value) = match info.name {
        "vp9" => ("sharpness", "5"),
        "svt-av1" => ("enable-dlf", "0"),
        "libaom" => ("enable-cdef", "0"),
        _ => ("me", "dia"),
    };
    (key.to_owned(), value.to_owned())
}

/// Fast, but with reordering where the encoder has it.
pub(crate) fn fast_preset(info: &EncoderInfo) -> &'static str {
    match info.name {
        "x264" | "x265" => "veryfast",
        "svt-av1" => "8",
        "libaom" => "6",
        _ => "5",
    }
}

/// Moving slopes and blocks with some noise; another scene every `cut` frames.
pub(crate) fn render(count: usize, cut: usize, noise: u32) -> Vec<PixelBuffer> {
    render_as(PixelFormat::I420, WIDTH, HEIGHT, count, cut, noise)
}

pub(crate) fn render_as(
    format: PixelFormat,
    width: u32,
    height: u32,
    count: usize,
    cut: usize,
    noise: u32,
) -> Vec<PixelBuffer> {
    let pool = PixelBufferPool::new(format, width, height);
    let deep = format.bit_depth() > 8;
    let mut state = 1u32;
    (0..count)
        .map(|frame| {
            let mut buffer = pool.take();
            let scene = (frame / cut) as u32;
            for plane in 0..3u32 {
                let (columns, rows) = format.plane_size(width, height, plane as usize);
                for y in 0..rows {
                    let row = buffer.row_mut(plane as usize, y as usize);
                    for x in 0..columns {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let moved = x + frame as u32 * (1 + scene % 2);
                        let slope = (moved * (1 + scene % 3) + y * 2 + scene * 37) / 2 % 110;
                        let block = (moved / 16 + y / 16 + scene) % 3 * 30;
                        let grain = if noise == 0 { 0 } else { (state >> 20) % noise };
                        let value = (30 + slope + block + grain).min(235);
                        match deep {
                            false => row[x as usize] = value as u8,
                            true => row[x as usize * 2..][..2]
                                .copy_from_slice(&((value * 4 + (state >> 25) % 4) as u16).to_le_bytes()),
                        }
                    }
                }
            }
            buffer.freeze()
        })
        .collect()
}

/// Pictures of which every second row is half a frame later: what a camera with two fields films.
pub(crate) fn woven(format: PixelFormat, count: usize, top_first: bool) -> Vec<PixelBuffer> {
    let moments = render_as(format, WIDTH, HEIGHT, count * 2, 2 * count, 6);
    let pool = PixelBufferPool::new(format, WIDTH, HEIGHT);
    let weave = |pair: &[PixelBuffer]| {
        let mut buffer = pool.take();
        for plane in 0..format.planes() {
            for y in 0..format.plane_size(WIDTH, HEIGHT, plane).1 as usize {
                let late = (y % 2 == 0) != top_first;
                let row = pair[usize::from(late)].rows(plane).nth(y).unwrap();
                buffer.row_mut(plane, y)[..row.len()].copy_from_slice(row);
            }
        }
        buffer.freeze()
    };
    moments.chunks_exact(2).map(weave).collect()
}

/// The time of a frame at 24 per second.
pub(crate) fn at(index: usize) -> Time {
    Time::new(index as i64 + 5, 24)
}

pub(crate) const STEP: Time = Time::new(1, 24);

pub(crate) fn forced(force: bool) -> FrameOptions {
    FrameOptions { force_key_frame: force, ..FrameOptions::default() }
}

/// Sends all frames, completes, and gives the samples in the order in which they came.
pub(crate) fn encode(pull: &Pull, frames: &[PixelBuffer], keys: &[usize]) -> Vec<(usize, SampleBuffer)> {
    for (index, frame) in frames.iter().enumerate() {
        pull.0
            .encode(
                SourceFrame::new(frame, at(index)).duration(STEP).options(forced(keys.contains(&index))),
                index,
            )
            .unwrap();
    }
    pull.0.complete_frames().unwrap();
    taken(pull)
}

/// Times, kinds and data of all samples, as one string of bytes.
pub(crate) fn flat(samples: &[SampleBuffer]) -> Vec<u8> {
    let one = |buffer: &SampleBuffer| {
        let sample = &buffer.sample;
        let head = format!("{} {} {} {:?}", sample.pts, sample.dts, sample.duration, sample.kind);
        [head.as_bytes(), &sample.data].concat()
    };
    samples.iter().flat_map(one).collect()
}

/// The samples that are out, with their tokens.
pub(crate) fn taken(pull: &Pull) -> Vec<(usize, SampleBuffer)> {
    std::iter::from_fn(|| pull.1.try_receive())
        .map(|outcome| (outcome.token, outcome.into_sample().unwrap().expect("nothing was dropped")))
        .collect()
}

pub(crate) fn bytes(samples: &[(usize, SampleBuffer)]) -> usize {
    samples.iter().map(|(_, buffer)| buffer.sample.data.len()).sum()
}

/// The frames that are sync samples, in presentation order.
pub(crate) fn syncs(samples: &[(usize, SampleBuffer)]) -> Vec<usize> {
    let mut syncs: Vec<usize> =
        samples.iter().filter(|(_, buffer)| buffer.sample.is_sync()).map(|(index, _)| *index).collect();
    syncs.sort_unstable();
    syncs
}

pub(crate) fn integer(session: &CompressionSession<usize>, key: PropertyKey) -> i64 {
    match session.get(key).unwrap() {
        Some(PropertyValue::Integer(value)) => value,
        other => panic!("{key}: {other:?}"),
    }
}

/// Whether the independent decoder is here; says so if not.
pub(crate) fn ffmpeg() -> bool {
    let here = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !here {
        eprintln!("SKIPPED: no ffmpeg program on PATH, so that nothing was decoded");
    }
    here
}

/// An elementary stream of samples that follow each other in decode order, and the name of its format.
pub(crate) fn elementary(format: &FormatDescription, samples: &[&SampleBuffer]) -> (Vec<u8>, &'static str) {
    let mut stream = Vec::new();
    match format.codec {
        Codec::H264 | Codec::Hevc => {
            for set in parameter_sets(format) {
                stream.extend([0, 0, 0, 1]);
                stream.extend(set);
            }
            for buffer in samples {
                for unit in units(&buffer.sample.data) {
                    stream.extend([0, 0, 0, 1]);
                    stream.extend(unit);
                }
            }
            (stream, if format.codec == Codec::H264 { "h264" } else { "hevc" })
        }
        Codec::Av1 | Codec::Vp9 => {
            stream.extend(b"DKIF\0\0\x20\0");
            stream.extend(if format.codec == Codec::Av1 { b"AV01" } else { b"VP90" });
            stream.extend((format.width as u16).to_le_bytes());
            stream.extend((format.height as u16).to_le_bytes());
            stream.extend(24u32.to_le_bytes());
            stream.extend(1u32.to_le_bytes());
            stream.extend((samples.len() as u32).to_le_bytes());
            stream.extend([0; 4]);
            for (index, buffer) in samples.iter().enumerate() {
                let delimiter: &[u8] = if format.codec == Codec::Av1 { &[0x12, 0] } else { &[] };
                stream.extend(((buffer.sample.data.len() + delimiter.len()) as u32).to_le_bytes());
                stream.extend((index as u64).to_le_bytes());
                stream.extend(delimiter);
                stream.extend(&buffer.sample.data);
            }
            (stream, "ivf")
        }
        // headers stand in front of the samples, which need nothing else in a stream
        Codec::Mpeg4 | Codec::Mpeg2 | Codec::Vvc => {
            stream.extend(&format.config);
            samples.iter().for_each(|buffer| stream.extend(&buffer.sample.data));
            let name = match format.codec {
                Codec::Mpeg4 => "m4v",
                Codec::Mpeg2 => "mpegvideo",
                _ => "vvc",
            };
            (stream, name)
        }
        Codec::ProRes => panic!("ProRes has no stream without a container"),
    }
}

/// The units behind four-byte lengths.
pub(crate) fn units(data: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut units) = (data, Vec::new());
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        units.push(&rest[4..4 + length]);
        rest = &rest[4 + length..];
    }
    units
}

/// The parameter sets of `avcC` and `hvcC`, by the rules of ISO/IEC 14496-15.
pub(crate) fn parameter_sets(format: &FormatDescription) -> Vec<Vec<u8>> {
    let config = &format.config;
    let mut sets = Vec::new();
    let unit = |at: &mut usize| {
        let length = usize::from(u16::from_be_bytes([config[*at], config[*at + 1]]));
        *at += 2 + length;
        config[*at - length..*at].to_vec()
    };
    match format.codec {
        Codec::H264 => {
            let mut at = 5;
            for mask in [31, 255] {
                let count = config[at] & mask;
                at += 1;
                for _ in 0..count {
                    sets.push(unit(&mut at));
                }
            }
        }
        Codec::Hevc => {
            let mut at = 23;
            for _ in 0..config[22] {
                let count = u16::from_be_bytes([config[at + 1], config[at + 2]]);
                at += 3;
                for _ in 0..count {
                    sets.push(unit(&mut at));
                }
            }
        }
        _ => {}
    }
    sets
}

/// Decodes with the `ffmpeg` program, which must not complain: the pictures' bytes.
pub(crate) fn decode(samples: &[&SampleBuffer]) -> Vec<Vec<u8>> {
    decode_as(samples, PixelFormat::I420)
}

/// Returns FFmpeg's name of a planar format.
pub(crate) fn pix_fmt(format: PixelFormat) -> String {
    let name = match format.chroma_subsampling() {
        ChromaSubsampling::Monochrome => "gray",
        ChromaSubsampling::Yuv420 => "yuv420p",
        ChromaSubsampling::Yuv422 => "yuv422p",
        ChromaSubsampling::Yuv444 => "yuv444p",
    };
    if format.bit_depth() == 8 { name.to_owned() } else { format!("{name}10le") }
}

/// Returns the name that `ffprobe` has for the pictures of a stream.
pub(crate) fn probed_pix_fmt(samples: &[&SampleBuffer]) -> String {
    let (stream, name) = elementary(&samples[0].format, samples);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&stream).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-f", name, "-show_entries", "stream=pix_fmt", "-of", "csv=p=0"])
        .arg(file.path())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().trim_end_matches(',').to_owned()
}

/// Decodes like [`decode`], to a planar format.
pub(crate) fn decode_as(samples: &[&SampleBuffer], pixels: PixelFormat) -> Vec<Vec<u8>> {
    let format = &samples[0].format;
    let (stream, name) = elementary(format, samples);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&stream).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-xerror", "-f", name, "-i"])
        .arg(file.path())
        .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", &pix_fmt(pixels), "-"])
        .output()
        .unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && messages.trim().is_empty(), "ffmpeg: {messages}");
    let size = pixels.picture_bytes(format.width, format.height) as usize;
    assert_eq!(output.stdout.len() % size, 0, "pictures of another size");
    output.stdout.chunks_exact(size).map(<[u8]>::to_vec).collect()
}

/// Mean squared error of luma between a decoded picture and its source.
pub(crate) fn luma_error(decoded: &[u8], source: &PixelBuffer) -> f64 {
    let width = source.width() as usize;
    let sum: f64 = source
        .rows(0)
        .zip(decoded.chunks_exact(width))
        .flat_map(|(a, b)| a.iter().zip(b))
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    sum / f64::from(source.width() * source.height())
}

/// Whether the encoder obeys controls at all.
pub(crate) fn obeys(info: &EncoderInfo) -> bool {
    let obeys = info.controls.frame_errors;
    if !obeys {
        eprintln!("SKIPPED: {} has no controls in this build", info.name);
    }
    obeys
}

/// Whether the session has a property.
pub(crate) fn has(pull: &Pull, key: PropertyKey) -> bool {
    pull.0.supported_properties().unwrap().contains_key(&key)
}

/// All frames came out, once, and the stream decodes without a complaint.
pub(crate) fn whole(info: &EncoderInfo, samples: &[(usize, SampleBuffer)], count: usize) {
    let mut indices: Vec<usize> = samples.iter().map(|(index, _)| *index).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..count).collect::<Vec<_>>(), "{}", info.name);
    // where the description changed, the parts are decoded each with its own
    if ffmpeg() {
        let mut decoded = 0;
        for part in samples.chunk_by(|one, next| one.1.format == next.1.format) {
            decoded += decode(&part.iter().map(|(_, buffer)| buffer).collect::<Vec<_>>()).len();
        }
        assert_eq!(decoded, count, "{}", info.name);
    }
}

/// What `ffprobe` says about the first frame and the stream.
pub(crate) fn probe(samples: &[&SampleBuffer]) -> String {
    let (stream, name) = elementary(&samples[0].format, samples);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&stream).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-f", name, "-show_frames", "-show_streams", "-read_intervals", "%+#1"])
        .args(["-of", "default"])
        .arg(file.path())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}
