//! The peculiarities of SVT-AV1. The mapping to its own settings is in `shim.c`.
#![allow(unsafe_code)]

use crate::library::Spec;
use crate::options::{self, Refused, reason};
use crate::settings::even_sides;
use crate::shim::ShimTable;
use retake_compression::encoder::{ControlSupport, EncoderSettings, ProfileSupport, RateControl};
use retake_media::{ChromaSubsampling, Codec};

// SAFETY: `shim.c` defines a constant of this name and of the layout that `ShimTable` declares.
unsafe extern "C" {
    static retake_svt_av1: ShimTable;
}

const REFUSED: Refused = &[
    ("preset", reason::PRESET),
    ("lp", reason::THREADS),
    ("pin", reason::THREADS),
    ("ss", reason::THREADS),
    ("asm", reason::DETERMINISM),
    ("irefresh-type", reason::CLOSED),
    ("pred-struct", reason::DELAY),
    ("force-key-frames", reason::KEYS),
    ("enable-force-key-frames", reason::KEYS),
    ("keyint", reason::KEYS),
    ("crf", reason::RATE),
    ("qp", reason::RATE),
    ("rc", reason::RATE),
    ("tbr", reason::RATE),
    ("mbr", reason::LIMIT),
    ("use-q-file", reason::FILES),
    ("pass", reason::PASSES),
    ("stats", reason::FILES),
    ("recon", reason::RECONSTRUCT),
    ("enable-recon", reason::RECONSTRUCT),
    ("width", reason::INPUT),
    ("height", reason::INPUT),
    ("w", reason::INPUT),
    ("h", reason::INPUT),
    ("fps", reason::INPUT),
    ("fps-num", reason::INPUT),
    ("fps-denom", reason::INPUT),
    ("input-depth", reason::INPUT),
    ("color-format", reason::INPUT),
    ("profile", reason::INPUT),
    ("color-primaries", reason::INPUT),
    ("transfer-characteristics", reason::INPUT),
    ("matrix-coefficients", reason::INPUT),
    ("color-range", reason::INPUT),
    ("chroma-sample-position", reason::INPUT),
    ("enable-hdr", reason::INPUT),
    ("mastering-display", reason::INPUT),
    ("content-light", reason::INPUT),
    ("sframe-dist", reason::CLOSED),
    ("resize-mode", reason::STREAM),
    ("superres-mode", reason::STREAM),
    ("enable-stat-report", reason::LOG),
];

pub(crate) fn spec() -> Spec {
    // The library writes its settings to the error output unless this variable forbids it, and not all
    // generations have a call for that. A value that the user set must be respected.
    if std::env::var_os("SVT_LOG").is_none() {
        // SAFETY: Rust's own accesses to the environment are locked; C code in other threads must not read it
        // at this moment, which is why `registry` is documented as a call for the start of the program.
        unsafe { std::env::set_var("SVT_LOG", "-2") };
    }
    Spec {
        name: "svt-av1",
        codec: Codec::Av1,
        library: "SVT-AV1",
        licence: "BSD-3-Clause-Clear",
        // SAFETY: the constant is never written.
        shim: unsafe { &retake_svt_av1 },
        presets: &[],
        default_preset: "8",
        usual_quality: 32.0,
        reorders: false,
        pairs: &[],
        dear_headers: true,
        refused: REFUSED,
        warms_up: true,
        check,
        controls,
        memory,
        // By bit rate the shim gives it one thread; else pictures and their parts are coded by as many as
        // there are.
        parallelism: |settings| match settings.rate {
            RateControl::AverageBitRate(_) => 1,
            _ => u32::MAX,
        },
        usual_interval,
    }
}

/// All levels, times ten.
const LEVELS: [u32; 14] = [20, 21, 30, 31, 40, 41, 50, 51, 52, 53, 60, 61, 62, 63];

/// Returns whether a level holds such pictures. It is checked here because the library writes any level that
/// it is given.
fn holds(level: u32, settings: &EncoderSettings) -> bool {
    let least = Codec::Av1.level(settings.width, settings.height, settings.frame_rate.to_f64());
    least.is_some_and(|least| least <= level)
}

const MOST_BIT_RATE: u64 = 100_000_000;
const MOST_FRAME_RATE: u32 = 240;

fn check(settings: &EncoderSettings) -> Result<(), (&'static str, String)> {
    let (width, height) = (settings.width, settings.height);
    if width < 64 || height < 64 {
        return Err((
            "size",
            format!("{width}×{height} is too small for SVT-AV1: at least 64×64, or choose another encoder"),
        ));
    }
    even_sides("SVT-AV1", settings)?;
    if settings.controls.max_delay == Some(0) {
        return Err((
            "max_delay",
            "SVT-AV1 holds back 1 frame at least: allow that, or choose another encoder".to_owned(),
        ));
    }
    if settings.controls.max_delay.is_some() && options::is_set(&settings.options, "lookahead") {
        return Err(("lookahead", "frames that are looked at ahead are held back: leave out one".to_owned()));
    }
    if settings.controls.film_grain.is_some() && options::is_set(&settings.options, "film-grain") {
        return Err(("film-grain", "the level of grain is set elsewhere, too: leave out one".to_owned()));
    }
    if settings.frame_rate.to_f64() > f64::from(MOST_FRAME_RATE) {
        return Err(("frame rate", format!("SVT-AV1 takes {MOST_FRAME_RATE} frames per second at most")));
    }
    if let RateControl::AverageBitRate(rate) = settings.rate {
        if rate > MOST_BIT_RATE {
            return Err(("bit rate", format!("SVT-AV1 takes {MOST_BIT_RATE} bit/s at most")));
        }
        if settings.controls.no_spatial_adaptation {
            let reason = "SVT-AV1 always adapts at an average bit rate: leave it out".to_owned();
            return Err(("no_spatial_adaptation", reason));
        }
    }
    if let Some(level) = settings.controls.level.filter(|level| !holds(*level, settings)) {
        return Err(("level", format!("{level} is too low for this size and frame rate")));
    }
    if settings.controls.temporal_layers.is_some_and(|layers| layers > 1) && !settings.controls.low_latency {
        return Err(("temporal_layers", "SVT-AV1 has layers in low latency only: leave one out".to_owned()));
    }
    if settings.controls.look_ahead.is_some()
        && (settings.controls.max_delay.is_some() || settings.controls.low_latency)
    {
        let reason =
            "SVT-AV1 does not look ahead while its delay is bounded: leave one of them out".to_owned();
        return Err(("look_ahead", reason));
    }
    let bounds = [("min_qp", settings.controls.min_qp), ("max_qp", settings.controls.max_qp)];
    let by_quality = !matches!(settings.rate, RateControl::AverageBitRate(_));
    if let Some((name, _)) = bounds.into_iter().find(|(_, qp)| qp.is_some() && by_quality) {
        return Err((name, "SVT-AV1 has bounds beside an average bit rate only: leave it out".to_owned()));
    }
    Ok(())
}

/// The most frames that it looks ahead, on all generations.
const MOST_LOOK_AHEAD: u32 = 120;

/// Returns the controls that it obeys. Quantizers of single frames are missing, because the library takes
/// them not on every frame (1.4).
fn controls() -> ControlSupport {
    let mut support = ControlSupport::default();
    support.qp_bounds = Some((1, 63));
    support.qp_bounds_at_rate_only = true;
    support.look_ahead = Some((0, MOST_LOOK_AHEAD));
    support.look_ahead_needs_delay = true;
    support.least_delay = 1;
    support.low_latency = true;
    support.temporal_layers = 2;
    support.layers_without_reordering = true;
    support.layers_in_low_latency_only = true;
    support.spatial_adaptation = true;
    support.adapts_at_rate = true;
    support.most_bit_rate = Some(MOST_BIT_RATE);
    support.most_frame_rate = Some(MOST_FRAME_RATE);
    support.profiles = vec![ProfileSupport::new("main", (8, 10), &[ChromaSubsampling::Yuv420])];
    support.levels = LEVELS.to_vec();
    support.steady_start = true;
    support.frame_errors = true;
    support.film_grain = Some((1, 50));
    support.captions = true;
    support.hdr10_plus = true;
    support.hdr_in_stream = true;
    support
}

/// Returns about five seconds, in whole mini-groups of 32, as the shim has it.
fn usual_interval(settings: &EncoderSettings) -> u32 {
    32 * ((5.0 * settings.frame_rate.to_f64()) as u32).div_ceil(32).clamp(1, 8)
}

/// Returns the generation of a version such as `v2.3.0`: the first number in it.
fn generation(version: &str) -> u32 {
    let digits = version.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    digits.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Returns the bytes that an encode holds. SVT-AV1 allocates its whole pipeline when it opens: pools of
/// pictures for each of its stages, whose number follows from the mini-group and not from the frames that
/// come. So memory goes with the area alone, unless a longer look-ahead than usual is asked for;
/// `docs/benchmarks.md` has the measurements.
fn memory(settings: &EncoderSettings, delay: u32) -> u64 {
    // beyond the usual look-ahead each picture waits with what was found in it (not measured)
    let picture = settings.format.picture_bytes(settings.width, settings.height);
    let ahead = u64::from(delay.saturating_sub(100 + settings.threads)) * picture * 2;
    // SAFETY: the constant is never written.
    let version = unsafe { retake_svt_av1.version() };
    ahead
        + if generation(&version) < 2 { pools_of_1(settings, delay) } else { pools_since_2(settings, delay) }
}

const MIB: u64 = 1024 * 1024;

/// The pools of 1.4.
fn pools_of_1(settings: &EncoderSettings, delay: u32) -> u64 {
    let pixels = u64::from(settings.width) * u64::from(settings.height);
    // slower presets keep more of each picture, and the fastest have mini-groups of 16 in place of 32
    let (fixed, bytes_a_pixel) = match settings.preset.parse::<u32>() {
        // no mini-groups where the delay is bounded
        _ if delay <= 2 => (24 * MIB, 75),
        Ok(13..) => (60 * MIB, 116),
        Ok(11..) => (60 * MIB, 230),
        Ok(7..) => (60 * MIB, 325),
        Ok(6) => (60 * MIB, 360),
        Ok(4..) => (60 * MIB, 450),
        _ => (60 * MIB, 570),
    };
    // with one thread, which is all that the shim gives where a rate is controlled, fewer pictures are on the
    // way; and so are above this area, where 41 frames wait inside in place of 74
    let controlled = matches!(settings.rate, RateControl::AverageBitRate(_));
    let threads = if settings.threads > 1 && !controlled { 14 } else { 10 };
    let area = if pixels > 5_000_000 { 7 } else { 10 };
    // the low bits lie beside the others, packed, and not in all pictures
    let depth = if settings.format.bit_depth() > 8 { 15 } else { 10 };
    fixed + pixels * bytes_a_pixel * threads * area * depth / 1000
}

/// The pools of 2.3, where threads are levels of parallelism.
fn pools_since_2(settings: &EncoderSettings, delay: u32) -> u64 {
    /// How much more each level has on the way than the first, in tenths; there are no levels above.
    const LEVELS: [u64; 6] = [10, 13, 20, 27, 34, 50];
    let pixels = u64::from(settings.width) * u64::from(settings.height);
    // no mini-groups where the delay is bounded
    let bounded = delay <= 2;
    let (fixed, bytes_a_pixel) = match settings.preset.parse::<u32>() {
        _ if bounded => (24 * MIB, 60),
        Ok(11..) => (58 * MIB, 143),
        Ok(10) => (58 * MIB, 197),
        Ok(6..) => (78 * MIB, 350),
        _ => (90 * MIB, 407),
    };
    // where a rate is controlled the shim gives one thread, and more pictures wait for their quantizers
    let on_the_way = match settings.rate {
        _ if bounded => LEVELS[0],
        RateControl::AverageBitRate(_) => 13,
        _ => LEVELS[(settings.threads.max(1) as usize - 1).min(LEVELS.len() - 1)],
    };
    let depth = if settings.format.bit_depth() > 8 { 13 } else { 10 };
    (fixed + pixels * bytes_a_pixel) * on_the_way * depth / 100
}

#[cfg(test)]
mod tests {
    use super::generation;

    #[test]
    fn versions_have_generations() {
        let all = ["v1.4.1", "v2.3.0", "3.0.2-rc1", "v10.0", "unknown"];
        assert_eq!(all.map(generation), [1, 2, 3, 10, 0]);
    }
}
