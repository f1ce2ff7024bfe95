//! Any video encoder of libavcodec, by its name: `avcodec:mpeg4`, `avcodec:h264_nvenc`.
//!
//! The linked libavcodec has dozens of them, of hardware too, and says little of what each one does. So an
//! encoder is tried out when it is asked for by name (`trial`), and described by what came of that: its
//! quality scale, its pixel formats, its rates. One that cannot make takes is refused, with the reason. It
//! lies in this crate, and not beside the rest of FFmpeg, because driver, checks and tests of encoders exist
//! once; this is the one place outside of `retake-libav` that calls FFmpeg.
#![allow(unsafe_code)]

mod trial;

use crate::factory::Factory;
use crate::library::{Library, Spec};
use crate::options::{Refused, reason};
use crate::raw::{RawAvcodec, RawFault, text};
use crate::settings::even_sides;
use crate::shim::ShimTable;
use retake_compression::encoder::{
    ControlSupport, EncoderFactory, EncoderInfo, EncoderSettings, Preset, QualityScale,
};
use retake_media::{ChromaSubsampling, Codec, PixelFormat};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::sync::{Arc, Mutex, PoisonError};

/// What names of these encoders begin with.
pub(crate) const PREFIX: &str = "avcodec:";

/// The order is that of `CODECS` in `shim.c`.
const CODECS: [Codec; 8] =
    [Codec::H264, Codec::Hevc, Codec::Av1, Codec::Vp9, Codec::Vvc, Codec::Mpeg4, Codec::Mpeg2, Codec::ProRes];

// SAFETY: `shim.c` defines these with the same types.
unsafe extern "C" {
    static retake_avcodec_shim: ShimTable;
    fn retake_avcodec_describe(
        name: *const c_char,
        place: i32,
        about: *mut RawAvcodec,
        fault: *mut RawFault,
    ) -> i32;
    fn retake_avcodec_licence() -> *const c_char;
    fn retake_avcodec_decode(
        name: *const c_char,
        headers: *const u8,
        headers_size: usize,
        data: *const *const u8,
        size: *const usize,
        index: *const i64,
        count: usize,
        hash: *mut u64,
        hashes: usize,
    ) -> i32;
}

const REFUSED: Refused = &[
    ("preset", reason::PRESET),
    ("cpu-used", reason::PRESET),
    ("speed", reason::PRESET),
    ("deadline", reason::PRESET),
    ("quality", reason::PRESET),
    ("usage", reason::PRESET),
    ("threads", reason::THREADS),
    ("thread-type", reason::THREADS),
    ("slices", reason::THREADS),
    ("row-mt", reason::THREADS),
    ("flags", reason::STREAM),
    ("flags2", reason::STREAM),
    ("strict", reason::STREAM),
    ("forced-idr", reason::KEYS),
    ("g", reason::KEYS),
    ("keyint-min", reason::KEYS),
    ("intra-refresh", reason::CLOSED),
    ("b", reason::RATE),
    ("bt", reason::RATE),
    ("crf", reason::RATE),
    ("crf-max", reason::RATE),
    ("cq", reason::RATE),
    ("qp", reason::RATE),
    ("rc", reason::RATE),
    ("rc-mode", reason::RATE),
    ("global-quality", reason::RATE),
    ("maxrate", reason::LIMIT),
    ("minrate", reason::LIMIT),
    ("bufsize", reason::LIMIT),
    ("rc-init-occupancy", reason::LIMIT),
    ("nal-hrd", reason::LIMIT),
    ("time-base", reason::INPUT),
    ("video-size", reason::INPUT),
    ("pixel-format", reason::INPUT),
    ("color-primaries", reason::INPUT),
    ("color-trc", reason::INPUT),
    ("colorspace", reason::INPUT),
    ("color-range", reason::INPUT),
    ("chroma-sample-location", reason::INPUT),
    ("pass", reason::PASSES),
    ("stats", reason::FILES),
    ("passlogfile", reason::FILES),
    ("debug", reason::LOG),
];

/// What is known of the encoders that were asked for. Only names that libavcodec has are kept, so that there
/// are at most as many as it has encoders.
static KNOWN: Mutex<BTreeMap<String, Result<Arc<Library>, String>>> = Mutex::new(BTreeMap::new());

/// Returns the encoder of a name without its prefix.
///
/// # Errors
/// The reason in words where there is none of this name, or where it cannot make takes.
pub(crate) fn find(name: &str) -> Result<Arc<dyn EncoderFactory>, String> {
    // Trials of one encoder wait for each other, so that each is tried once.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let library = match known.get(name) {
        Some(library) => library.clone(),
        None => {
            describe(name, 0)?.ok_or("there is no such encoder")?;
            let library = trial::library(name).map(Arc::new);
            known.insert(name.to_owned(), library.clone());
            library
        }
    };
    Ok(Arc::new(Factory::of(library?)))
}

/// Describes an encoder with one of the ways in which it may take a quality; `None` where there are no more.
fn describe(name: &str, place: i32) -> Result<Option<RawAvcodec>, String> {
    let name = CString::new(name).map_err(|_| "its name contains a zero byte".to_owned())?;
    let mut about = RawAvcodec::empty();
    let mut fault = RawFault::empty();
    // SAFETY: the name ends with a zero, and both structures are ours.
    match unsafe { retake_avcodec_describe(name.as_ptr(), place, &mut about, &mut fault) } {
        1 => Ok(Some(about)),
        0 => Ok(None),
        _ => Err(fault.read().reason),
    }
}

/// Returns the numbers of pictures that are decoded from these samples, with their hashes; `pictures` is the
/// number of all frames of the encode.
fn decode(about: &RawAvcodec, headers: &[u8], samples: &[trial::Coded], pictures: usize) -> Vec<Option<u64>> {
    let data: Vec<*const u8> = samples.iter().map(|sample| sample.data.as_ptr()).collect();
    let size: Vec<usize> = samples.iter().map(|sample| sample.data.len()).collect();
    let index: Vec<i64> = samples.iter().map(|sample| sample.index).collect();
    let mut hash = vec![0u64; pictures];
    // SAFETY: all arrays have `samples.len()` elements, `hash` has `pictures`, and nothing is kept.
    unsafe {
        retake_avcodec_decode(
            about.name.as_ptr(),
            headers.as_ptr(),
            headers.len(),
            data.as_ptr(),
            size.as_ptr(),
            index.as_ptr(),
            samples.len(),
            hash.as_mut_ptr(),
            pictures,
        )
    };
    // The hash of no picture is 0, but for one in 2^64.
    hash.into_iter().map(|hash| (hash != 0).then_some(hash)).collect()
}

/// Returns the licence of the linked library as SPDX identifier.
fn licence() -> &'static str {
    // SAFETY: the shim returns a string that lives as long as the program.
    let words = unsafe { CStr::from_ptr(retake_avcodec_licence()) }.to_str().unwrap_or("");
    match words {
        _ if words.starts_with("LGPL version 3") => "LGPL-3.0-or-later",
        _ if words.starts_with("LGPL") => "LGPL-2.1-or-later",
        _ if words.starts_with("GPL version 3") => "GPL-3.0-or-later",
        _ if words.starts_with("GPL") => "GPL-2.0-or-later",
        _ => "LicenseRef-FFmpeg-nonfree",
    }
}

/// Makes the entry of an encoder, as far as it is known before it was tried.
fn untried(about: RawAvcodec) -> Result<Library, String> {
    let codec = usize::try_from(about.codec).ok().and_then(|codec| CODECS.get(codec)).copied();
    let codec = codec.ok_or("its codec is not known")?;
    // A name is leaked once for each encoder that is tried: `find` keeps what came of it.
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let name = leak(format!("{PREFIX}{}", text(&about.name)));
    // SAFETY: the constant is never written.
    let shim: &'static ShimTable = unsafe { &retake_avcodec_shim };
    let formats = [8, 10].into_iter().flat_map(|depth| {
        use ChromaSubsampling::{Monochrome, Yuv420, Yuv422, Yuv444};
        [Yuv420, Yuv422, Yuv444, Monochrome].map(|chroma| PixelFormat::planar(chroma, depth))
    });
    let QualityScale { min, max, step, usual } =
        QualityScale { min: about.min, max: about.max, step: about.step, usual: about.usual };
    let info = EncoderInfo {
        name,
        codec,
        version: format!("libavcodec {}", shim.version()),
        formats: formats.flatten().collect(),
        presets: text(&about.presets).lines().map(|name| Preset { name: name.to_owned() }).collect(),
        default_preset: leak(text(&about.default_preset)),
        quality: QualityScale { min, max, step, usual },
        reconstructs: true,
        steers: false,
        reorders: false,
        licence: licence(),
        controls: ControlSupport::default(),
    };
    let spec = Spec {
        name,
        codec,
        library: "libavcodec",
        licence: info.licence,
        shim,
        presets: &[],
        default_preset: info.default_preset,
        usual_quality: usual,
        reorders: false,
        pairs: &[],
        dear_headers: false,
        refused: REFUSED,
        warms_up: true,
        check: match codec {
            Codec::H264 | Codec::Hevc | Codec::Vvc => |settings| even_sides("H.264, HEVC or VVC", settings),
            _ => |_| Ok(()),
        },
        controls: ControlSupport::default,
        memory,
        parallelism: |settings| settings.threads,
        usual_interval: |_| 250,
    };
    Ok(Library { spec, info, avcodec: Some(Box::new(about)) })
}

/// Returns an estimate of the bytes that an encode holds. Nothing is known of the library inside, so that
/// this is what the hungriest of those that were measured needs (libaom: frames that wait, in two sizes, with
/// their statistics).
fn memory(settings: &EncoderSettings, delay: u32) -> u64 {
    let picture = settings.format.picture_bytes(settings.width, settings.height);
    let pixels = u64::from(settings.width) * u64::from(settings.height);
    let threads = u64::from(settings.threads.min(16));
    (48 + 8 * threads) * 1024 * 1024 + 64 * pixels + (30 + 4 * threads + 3 * u64::from(delay)) * picture
}
