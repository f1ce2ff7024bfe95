//! Finds out by small encodes what an encoder of libavcodec really does.
//!
//! What is asked: whether it opens, which pixel formats come back as they went in, which of its knobs changes
//! the quality and in which direction, whether forced key frames come where they were forced and close the
//! group before them, whether equal frames give equal bytes, and what it makes of a bit rate. Flags of the
//! library answer none of that: an encoder that ignores a request says nothing.

use super::{decode, describe, untried};
use crate::library::Library;
use crate::raw::RawAvcodec;
use crate::settings::Lowered;
use crate::shim::{Event, Shim};
use retake_compression::encoder::{Controls, EncoderSettings, FrameOptions, RateControl};
use retake_media::{Colour, PixelBuffer, PixelBufferPool, PixelFormat, Rational};

/// Small, but not below what encoders of hardware take.
const WIDTH: u32 = 256;
const HEIGHT: u32 = 160;
const FRAMES: usize = 24;
/// Two scenes, so that an encoder that puts in key frames by itself does so.
const CUT: usize = 15;
const FORCED: [usize; 2] = [7, 19];

/// A sample as the library wrote it.
pub(super) struct Coded {
    pub(super) index: i64,
    pub(super) sync: bool,
    pub(super) data: Vec<u8>,
}

/// What came of one encode.
struct Run {
    headers: Vec<u8>,
    samples: Vec<Coded>,
    pictures: usize,
}

impl Run {
    fn bytes(&self) -> f64 {
        self.samples.iter().map(|sample| sample.data.len()).sum::<usize>() as f64
    }

    fn keys(&self) -> Vec<i64> {
        self.samples.iter().filter(|sample| sample.sync).map(|sample| sample.index).collect()
    }
}

/// Tries an encoder out.
///
/// # Errors
/// What it lacks, in words.
pub(super) fn library(name: &str) -> Result<Library, String> {
    let mut library = with_knob(name)?;
    let format = library.info.formats[0];
    let preset = library.info.default_preset.to_owned();
    let settings = EncoderSettings {
        preset,
        ..settings(&library, format, RateControl::Quality(library.info.quality.usual))
    };
    let frames = render(format, FRAMES);
    let run = run(&library, &settings, &frames, &FORCED)?;
    if run.samples.len() != FRAMES || run.pictures != FRAMES {
        return Err(format!(
            "of {FRAMES} frames it gave {} samples and {} pictures",
            run.samples.len(),
            run.pictures
        ));
    }
    let forced = keys_are_forced(&run);
    if !forced {
        return Err("it makes no key frame where one is forced, and takes have to begin with one".to_owned());
    }
    groups_are_closed(library.avcodec.as_deref(), &run)?;
    let again = self::run(&library, &settings, &frames, &FORCED)?;
    if !run.samples.iter().map(|sample| &sample.data).eq(again.samples.iter().map(|sample| &sample.data)) {
        return Err(
            "equal frames give other bytes at every run, so that nothing could be repeated".to_owned()
        );
    }
    library.info.reorders = !run.samples.is_sorted_by_key(|sample| sample.index);
    library.info.controls.least_delay = delay(&library, &settings);
    library.info.controls.frame_errors = true;
    library.info.controls.forced_within_delay = true;
    try_rates(&mut library, &run, &frames);
    Ok(library)
}

/// Finds the knob that changes the quality, and the formats that are encoded with it.
fn with_knob(name: &str) -> Result<Library, String> {
    let mut why = None;
    for place in 0.. {
        let Some(about) = describe(name, place)? else { break };
        let mut library = untried(about)?;
        let usual = RateControl::Quality(library.info.quality.usual);
        let mut refused = None;
        let formats: Vec<PixelFormat> = library.info.formats.clone();
        let works = |format: &PixelFormat| match run(
            &library,
            &settings(&library, *format, usual),
            &render(*format, 1),
            &[],
        ) {
            Ok(run) => run.pictures == 1,
            Err(reason) => {
                // A format that it does not have says nothing of the encoder.
                if !reason.starts_with("format: ") {
                    refused.get_or_insert(reason);
                }
                false
            }
        };
        let formats: Vec<PixelFormat> = formats.into_iter().filter(works).collect();
        let Some(format) = formats.first().copied() else {
            why = why.or(refused).or(Some("it takes none of the pixel formats of films".to_owned()));
            continue;
        };
        library.info.formats = formats;
        let scale = library.info.quality;
        let coarse = scale.snap(scale.usual + (scale.max - scale.usual) / 2.0);
        let frames = render(format, FRAMES / 2);
        let encoded = |quality| {
            let settings = settings(&library, format, RateControl::Quality(quality));
            run(&library, &settings, &frames, &[]).map(|run| (run.bytes(), run.headers))
        };
        let ((fine, headers), (coarse, others)) = match (encoded(scale.usual), encoded(coarse)) {
            (Ok(fine), Ok(coarse)) => (fine, coarse),
            (Err(reason), _) | (_, Err(reason)) => {
                why = why.or(Some(reason));
                continue;
            }
        };
        if (fine / coarse).ln().abs() < 0.05 {
            continue;
        }
        if headers != others {
            let reason = "its headers follow the quality, so that takes of several qualities make no film";
            why = why.or(Some(reason.to_owned()));
            continue;
        }
        if coarse > fine
            && let Some(about) = &mut library.avcodec
        {
            about.inverted = 1;
            library.info.quality.usual = scale.snap(scale.min + scale.max - scale.usual);
        }
        return Ok(library);
    }
    Err(why.unwrap_or_else(|| {
        "it has no constant quality (crf, cq, qp or a quality scale), and takes are encoded at a quality each"
            .to_owned()
    }))
}

/// Whether every frame that was to be a key frame is one.
fn keys_are_forced(run: &Run) -> bool {
    let keys = run.keys();
    std::iter::once(0).chain(FORCED).all(|forced| keys.contains(&(forced as i64)))
}

/// Checks that decoding can start at each key frame, and gives what decoding from the start gives.
fn groups_are_closed(about: Option<&RawAvcodec>, run: &Run) -> Result<(), String> {
    let Some(about) = about else { return Ok(()) };
    let whole = decode(about, &run.headers, &run.samples, FRAMES);
    if whole.iter().any(Option::is_none) {
        return Err("libavcodec cannot decode what it wrote".to_owned());
    }
    for (place, key) in run.samples.iter().enumerate().filter(|(_, sample)| sample.sync) {
        let rest = &run.samples[place..];
        let first = key.index as usize;
        let later = rest.iter().all(|sample| sample.index >= key.index);
        if !later || decode(about, &run.headers, rest, FRAMES)[first..] != whole[first..] {
            return Err(format!(
                "its groups of pictures are open: what follows the key frame {first} cannot be decoded alone"
            ));
        }
    }
    Ok(())
}

/// Finds out whether a bit rate has an effect, and whether key frames can be forced at one.
fn try_rates(library: &mut Library, usual: &Run, frames: &[PixelBuffer]) {
    let format = library.info.formats[0];
    // what the frames take at the usual quality, in bits a second
    let rate = 8.0 * usual.bytes() * 25.0 / FRAMES as f64;
    let at = |factor: f64| {
        let rate = RateControl::AverageBitRate((factor * rate).max(2000.0) as u64);
        run(library, &settings(library, format, rate), frames, &FORCED)
    };
    let (low, high) = (at(0.5), at(2.0));
    let follows = matches!((&low, &high), (Ok(low), Ok(high)) if high.bytes() > 1.2 * low.bytes());
    // takes of a rate are joined with others of a quality
    let quality = RateControl::Quality(library.info.quality.usual);
    let headers = run(library, &settings(library, format, quality), &frames[..1], &[]).map(|run| run.headers);
    let same = matches!((&low, &headers), (Ok(low), Ok(headers)) if low.headers == *headers);
    let follows = follows && same;
    let forced = low.is_ok_and(|low| keys_are_forced(&low));
    library.info.controls.no_average_bit_rate = !follows;
    library.info.controls.forced_at_rate = follows && forced;
}

/// Returns how many frames wait in an encode with these settings.
fn delay(library: &Library, settings: &EncoderSettings) -> u32 {
    Lowered::new(library, settings).map_or(0, |lowered| library.spec.shim.delay(lowered.raw()))
}

/// Returns settings with the fastest preset, because most questions have nothing to do with it.
fn settings(library: &Library, format: PixelFormat, rate: RateControl) -> EncoderSettings {
    EncoderSettings {
        width: WIDTH,
        height: HEIGHT,
        format,
        frame_rate: Rational::new(25, 1),
        colour: Colour::default(),
        pixel_aspect_ratio: Rational::new(1, 1),
        mastering_display: None,
        content_light: None,
        preset: library.info.presets.last().map_or_else(String::new, |preset| preset.name.clone()),
        rate,
        limit: None,
        max_key_frame_interval: 0,
        threads: 1,
        reconstruct: true,
        controls: Controls::default(),
        options: Vec::new(),
    }
}

/// Encodes frames with everything that comes out.
fn run(
    library: &Library,
    settings: &EncoderSettings,
    frames: &[PixelBuffer],
    forced: &[usize],
) -> Result<Run, String> {
    let words = |fault: crate::raw::Fault| match fault.setting.is_empty() {
        true => fault.reason,
        false => format!("{}: {}", fault.setting, fault.reason),
    };
    let lowered = Lowered::new(library, settings).map_err(|error| error.to_string())?;
    let mut shim = Shim::open(library.spec.shim, lowered.raw()).map_err(words)?;
    let mut run = Run { headers: shim.headers().map_err(words)?, samples: Vec::new(), pictures: 0 };
    let pool = PixelBufferPool::new(settings.format, settings.width, settings.height);
    for index in 0..=frames.len() {
        match frames.get(index) {
            Some(frame) => {
                let options =
                    FrameOptions { force_key_frame: forced.contains(&index), ..FrameOptions::default() };
                shim.send(frame, index as i64, &options).map_err(words)?;
            }
            None => shim.flush().map_err(words)?,
        }
        loop {
            match shim.receive().map_err(words)? {
                Event::Pending | Event::End => break,
                Event::Sample(raw) => {
                    let (index, sync) = (raw.index, raw.sync);
                    if !(0..frames.len() as i64).contains(&index) {
                        return Err(format!("it gave a sample of frame {index}, which there is not"));
                    }
                    run.samples.push(Coded { index, sync, data: raw.data.to_vec() });
                }
                Event::Picture { .. } => {
                    shim.picture(&mut pool.take());
                    run.pictures += 1;
                }
            }
        }
    }
    Ok(run)
}

/// Renders a texture that moves over another one, with noise; another one from the cut on.
fn render(format: PixelFormat, count: usize) -> Vec<PixelBuffer> {
    let pool = PixelBufferPool::new(format, WIDTH, HEIGHT);
    let scale = 1u32 << (format.bit_depth() - 8);
    let mut noise = 1u32;
    let frames = 0..count;
    frames
        .map(|frame| {
            let mut buffer = pool.take();
            let (shift, scene) = (frame as u32, if frame >= CUT { 90 } else { 0 });
            for plane in 0..format.planes() {
                let (width, height) = format.plane_size(WIDTH, HEIGHT, plane);
                for y in 0..height {
                    let row = buffer.row_mut(plane, y as usize);
                    for x in 0..width {
                        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let texture = ((x + 2 * shift) / 8 * 37 + y / 8 * 53 + scene) % 97;
                        let value = (50 + texture + (x + y + scene) % 64 + (noise >> 28)) * scale;
                        match format.bytes_per_sample() {
                            1 => row[x as usize] = value as u8,
                            _ => {
                                row[2 * x as usize..][..2].copy_from_slice(&(value as u16).to_le_bytes());
                            }
                        }
                    }
                }
            }
            buffer.freeze()
        })
        .collect()
}
