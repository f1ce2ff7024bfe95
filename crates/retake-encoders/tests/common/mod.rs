//! Makes frames and whole encodes for the tests, and decodes them independently with the `ffmpeg` program.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use retake_compression::encoder::{
    Controls, EncodedFrame, EncoderError, EncoderFactory, EncoderSettings, FrameOptions, Output, RateControl,
};
use retake_media::{
    ChromaSubsampling, Codec, Colour, FormatDescription, PixelBuffer, PixelBufferPool, PixelFormat, Rational,
    Sample, Time,
};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;

/// Encoders of libavcodec that the suite runs over where they are there. Every one more costs a minute:
/// `./dev suite` runs over any other.
const OF_LIBAVCODEC: [&str; 1] = ["avcodec:mpeg4"];

/// The encoder that takes as long as all others together. Tests of what a film depends on run over it; all
/// others do where it is named (`./dev suite libaom`).
const SLOW: &str = "libaom";

/// Returns the encoders of this build but for the slow one, or the one that the variable `ENCODER` names.
pub fn encoders() -> Vec<Arc<dyn EncoderFactory>> {
    let named = std::env::var_os("ENCODER").is_some();
    all_encoders().into_iter().filter(|factory| named || factory.info().name != SLOW).collect()
}

/// Returns all encoders of this build, or the one that the variable `ENCODER` names.
pub fn all_encoders() -> Vec<Arc<dyn EncoderFactory>> {
    let registry = retake_encoders::registry();
    if let Ok(only) = std::env::var("ENCODER") {
        return vec![registry.find(&only).unwrap_or_else(|error| panic!("{only} {error}"))];
    }
    let mut all: Vec<_> = registry.encoders().map(|info| registry.by_name(info.name).unwrap()).collect();
    for name in OF_LIBAVCODEC {
        match registry.find(name) {
            Ok(factory) => all.push(factory),
            Err(error) => eprintln!("SKIPPED: {name} {error}"),
        }
    }
    all
}

/// Returns the formats with the chroma that nearly all films have. Most tests ask about nothing that depends
/// on chroma.
pub fn usual_formats(factory: &dyn EncoderFactory) -> Vec<PixelFormat> {
    let usual = |format: &PixelFormat| format.chroma_subsampling() == ChromaSubsampling::Yuv420;
    factory.info().formats.iter().copied().filter(usual).collect()
}

/// Returns FFmpeg's name of the planar format that it decodes such pictures to. It gives luma alone out with
/// neutral chroma where that is H.264.
pub fn decoded_pix_fmt(codec: Codec, format: PixelFormat) -> String {
    match (codec, format) {
        (Codec::H264, PixelFormat::Y8) => pix_fmt(PixelFormat::I420),
        (Codec::H264, PixelFormat::Y10) => pix_fmt(PixelFormat::I010),
        _ => pix_fmt(format),
    }
}

/// Returns FFmpeg's name of the planar format with the same samples.
pub fn pix_fmt(format: PixelFormat) -> String {
    let name = match format.chroma_subsampling() {
        ChromaSubsampling::Monochrome => "gray",
        ChromaSubsampling::Yuv420 => "yuv420p",
        ChromaSubsampling::Yuv422 => "yuv422p",
        ChromaSubsampling::Yuv444 => "yuv444p",
    };
    if format.bit_depth() == 8 { name.to_owned() } else { format!("{name}{}le", format.bit_depth()) }
}

/// Returns small, fast and ordinary settings.
pub fn settings(factory: &dyn EncoderFactory) -> EncoderSettings {
    EncoderSettings {
        width: 176,
        height: 144,
        format: factory.info().formats[0],
        frame_rate: Rational::new(24000, 1001),
        colour: Colour::default(),
        pixel_aspect_ratio: Rational::new(1, 1),
        mastering_display: None,
        content_light: None,
        preset: fast_preset(factory).to_owned(),
        rate: RateControl::Quality(factory.info().quality.usual),
        limit: None,
        max_key_frame_interval: 0,
        threads: 2,
        reconstruct: true,
        controls: Controls::default(),
        options: Vec::new(),
    }
}

/// Returns a fast preset that reorders, where the encoder has one.
fn fast_preset(factory: &dyn EncoderFactory) -> &str {
    let info = factory.info();
    let has = |name: &&str| info.presets.iter().any(|preset| preset.name == **name);
    match info.name {
        "svt-av1" => "8",
        "libaom" => "6",
        _ => ["veryfast", "5"].into_iter().find(has).unwrap_or(info.default_preset),
    }
}

/// Renders moving gradients with noise, and another scene from `cut` on.
pub fn render(settings: &EncoderSettings, count: usize, cut: usize, seed: u32) -> Vec<PixelBuffer> {
    if !settings.format.is_planar() {
        let planar = PixelFormat::planar(settings.format.chroma_subsampling(), 8).unwrap();
        let planar = EncoderSettings { format: planar, ..settings.clone() };
        return render(&planar, count, cut, seed).iter().map(paired).collect();
    }
    let pool = PixelBufferPool::new(settings.format, settings.width, settings.height);
    let scale = 1u32 << (settings.format.bit_depth() - 8);
    let mut noise = seed.wrapping_mul(2_654_435_761) | 1;
    (0..count)
        .map(|frame| {
            let mut buffer = pool.take();
            let scene = seed + if frame >= cut { 5 } else { 0 };
            for plane in 0..3 {
                let (width, height) = settings.format.plane_size(settings.width, settings.height, plane);
                for y in 0..height {
                    let row = buffer.row_mut(plane, y as usize);
                    for x in 0..width {
                        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let (f, p) = (frame as u32, plane as u32);
                        let slope =
                            (x * (1 + scene % 3) + y * (2 + scene % 2) + f * (3 - p) + scene * 37) / 2;
                        let block = ((x + f * 2) / 16 + y / 16 + scene) % 3 * 30;
                        let value = (40 + slope % 120 + block + (noise >> 28)).min(235) * scale;
                        match settings.format.bytes_per_sample() {
                            1 => row[x as usize] = value as u8,
                            _ => row[x as usize * 2..][..2]
                                .copy_from_slice(&((value + (noise >> 26) % scale) as u16).to_le_bytes()),
                        }
                    }
                }
            }
            buffer.freeze()
        })
        .collect()
}

/// Returns the same picture with chroma in pairs.
pub fn paired(planar: &PixelBuffer) -> PixelBuffer {
    let format = if planar.format() == PixelFormat::I420 { PixelFormat::Nv12 } else { PixelFormat::Nv16 };
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

/// The output of an encode.
pub struct Take {
    pub format: FormatDescription,
    pub frames: Vec<EncodedFrame>,
    pub pictures: BTreeMap<u64, PixelBuffer>,
    /// The most frames that were inside at once.
    pub held: u32,
}

impl Take {
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.sample.data.len()).sum()
    }

    pub fn data(&self) -> Vec<&[u8]> {
        self.frames.iter().map(|frame| frame.sample.data.as_slice()).collect()
    }
}

/// Returns the time of a frame at 24000/1001.
pub fn time(index: usize) -> Time {
    Time::new(1001 * (index as i64 + 7), 24000)
}

pub fn encode(
    factory: &dyn EncoderFactory,
    settings: &EncoderSettings,
    frames: &[PixelBuffer],
    forced: &[usize],
) -> Result<Take, EncoderError> {
    let mut encoder = factory.open(settings)?;
    let format = encoder.format().clone();
    let mut take = Take { format, frames: Vec::new(), pictures: BTreeMap::new(), held: 0 };
    let step = Time::new(1001, 24000);
    for index in 0..=frames.len() {
        match frames.get(index) {
            Some(frame) => encoder.send(
                frame,
                time(index),
                step,
                FrameOptions { force_key_frame: forced.contains(&index), ..FrameOptions::default() },
            )?,
            None => encoder.finish()?,
        }
        loop {
            match encoder.receive()? {
                Output::Frame(frame) => take.frames.push(frame),
                Output::Picture { index, picture } => assert!(take.pictures.insert(index, picture).is_none()),
                Output::Dropped { index } => panic!("an encoder by itself dropped frame {index}"),
                Output::Pending => {
                    assert!(index < frames.len(), "pending after the end");
                    break;
                }
                Output::End => {
                    assert_eq!(index, frames.len(), "ended before the end");
                    break;
                }
            }
        }
        take.held = take.held.max((index + 1 - take.frames.len()) as u32);
    }
    assert_eq!(encoder.format(), &take.format, "the format changed");
    Ok(take)
}

/// Returns whether the independent decoder is installed; prints a word if not.
pub fn ffmpeg() -> bool {
    let here = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !here {
        eprintln!("SKIPPED: no ffmpeg program on PATH, so that nothing was decoded");
    }
    here
}

/// Returns an elementary stream of samples that follow each other in decode order.
pub fn elementary(
    format: &FormatDescription,
    samples: &[&Sample],
) -> (tempfile::NamedTempFile, &'static str) {
    let mut stream = Vec::new();
    let name = match format.codec {
        Codec::H264 | Codec::Hevc => {
            for set in parameter_sets(format) {
                stream.extend([0, 0, 0, 1]);
                stream.extend(set);
            }
            for sample in samples {
                let mut rest = sample.data.as_slice();
                while !rest.is_empty() {
                    let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
                    stream.extend([0, 0, 0, 1]);
                    stream.extend(&rest[4..4 + length]);
                    rest = &rest[4 + length..];
                }
            }
            if format.codec == Codec::H264 { "h264" } else { "hevc" }
        }
        Codec::Av1 | Codec::Vp9 => {
            stream.extend(b"DKIF\0\0\x20\0");
            stream.extend(if format.codec == Codec::Av1 { b"AV01" } else { b"VP90" });
            stream.extend((format.width as u16).to_le_bytes());
            stream.extend((format.height as u16).to_le_bytes());
            stream.extend(24000u32.to_le_bytes());
            stream.extend(1001u32.to_le_bytes());
            stream.extend((samples.len() as u32).to_le_bytes());
            stream.extend([0; 4]);
            for (index, sample) in samples.iter().enumerate() {
                let delimiter: &[u8] = if format.codec == Codec::Av1 { &[0x12, 0] } else { &[] };
                stream.extend(((sample.data.len() + delimiter.len()) as u32).to_le_bytes());
                stream.extend((index as u64).to_le_bytes());
                stream.extend(delimiter);
                stream.extend(&sample.data);
            }
            "ivf"
        }
        // headers stand in front of the samples, which need nothing else in a stream
        Codec::Mpeg4 | Codec::Mpeg2 | Codec::Vvc => {
            stream.extend(&format.config);
            samples.iter().for_each(|sample| stream.extend(&sample.data));
            match format.codec {
                Codec::Mpeg4 => "m4v",
                Codec::Mpeg2 => "mpegvideo",
                _ => "vvc",
            }
        }
        Codec::ProRes => panic!("ProRes has no stream without a container"),
    };
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&stream).unwrap();
    (file, name)
}

/// Returns the parameter sets of `avcC` and `hvcC`, read back by the rules of ISO/IEC 14496-15.
pub fn parameter_sets(format: &FormatDescription) -> Vec<Vec<u8>> {
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
            assert_eq!(at, config.len());
        }
        _ => {}
    }
    sets
}

/// Decodes with the `ffmpeg` program: each picture's samples, planes after each other, rows without padding.
pub fn decode(format: &FormatDescription, pixels: PixelFormat, samples: &[&Sample]) -> Vec<Vec<u8>> {
    let (file, name) = elementary(format, samples);
    let given = decoded_pix_fmt(format.codec, pixels);
    // streams of MPEG-4 and MPEG-2 state times of their own, which begin anew where takes are joined
    let times: &[&str] = match format.codec {
        Codec::Mpeg4 | Codec::Mpeg2 => &["-vf", "settb=1/25,setpts=N", "-enc_time_base", "1:25"],
        _ => &[],
    };
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-xerror", "-f", name, "-i"])
        .arg(file.path())
        .args(times)
        .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt"])
        .arg(&given)
        .arg("-")
        .output()
        .unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && messages.trim().is_empty(), "ffmpeg: {messages}");
    let kept = pixels.picture_bytes(format.width, format.height) as usize;
    let size = match given == pix_fmt(pixels) {
        true => kept,
        // What follows luma is chroma that was not coded.
        false => {
            let with_chroma = PixelFormat::planar(ChromaSubsampling::Yuv420, pixels.bit_depth()).unwrap();
            with_chroma.picture_bytes(format.width, format.height) as usize
        }
    };
    assert_eq!(output.stdout.len() % size, 0, "pictures of another size");
    output.stdout.chunks_exact(size).map(|picture| picture[..kept].to_vec()).collect()
}

/// Returns the report of `ffprobe` about the first frame and the stream.
pub fn probe(format: &FormatDescription, samples: &[&Sample]) -> String {
    let (file, name) = elementary(format, samples);
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-f",
            name,
            "-show_frames",
            "-show_streams",
            "-read_intervals",
            "%+#1",
            "-of",
            "default",
        ])
        .arg(file.path())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Returns a picture in the layout of [`decode`].
pub fn flat(picture: &PixelBuffer) -> Vec<u8> {
    let plane = |plane| picture.rows(plane).flatten().copied().collect::<Vec<_>>();
    if !picture.format().is_planar() {
        let pairs = plane(1);
        let every_second = |first: usize| pairs.iter().skip(first).step_by(2).copied().collect();
        return [plane(0), every_second(0), every_second(1)].concat();
    }
    (0..3).flat_map(plane).collect()
}

/// Returns the mean squared error of luma, in units of 8 bit.
pub fn luma_error(a: &PixelBuffer, b: &PixelBuffer) -> f64 {
    plane_error((a, 0), (b, 0))
}

/// Returns the mean squared error of two planes of one size and depth, in units of 8 bit.
pub fn plane_error((a, plane_a): (&PixelBuffer, usize), (b, plane_b): (&PixelBuffer, usize)) -> f64 {
    let scale = f64::from(1 << (a.format().bit_depth() - 8));
    let value = |row: &[u8], x: usize| match a.format().bytes_per_sample() {
        1 => f64::from(row[x]),
        _ => f64::from(u16::from_le_bytes([row[2 * x], row[2 * x + 1]])),
    };
    let (width, height) = a.format().plane_size(a.width(), a.height(), plane_a);
    let mut sum = 0.0;
    for (ra, rb) in a.rows(plane_a).zip(b.rows(plane_b)) {
        sum += (0..width as usize).map(|x| ((value(ra, x) - value(rb, x)) / scale).powi(2)).sum::<f64>();
    }
    sum / f64::from(width * height)
}
