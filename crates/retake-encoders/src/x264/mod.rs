//! The peculiarities of x264. The mapping to its own settings is in `shim.c`.
#![allow(unsafe_code)]

use crate::library::Spec;
use crate::options::{Refused, reason};
use crate::settings::even_sides;
use crate::shim::ShimTable;
use retake_compression::encoder::{ControlSupport, EncoderSettings, FieldSupport, ProfileSupport};
use retake_media::{ChromaSubsampling, Codec, PixelFormat};

// SAFETY: `shim.c` defines a constant of this name and of the layout that `ShimTable` declares.
unsafe extern "C" {
    static retake_x264: ShimTable;
}

const REFUSED: Refused = &[
    ("preset", reason::PRESET),
    ("threads", reason::THREADS),
    ("lookahead-threads", reason::THREADS),
    ("sliced-threads", reason::DETERMINISM),
    ("deterministic", reason::DETERMINISM),
    ("n-deterministic", reason::DETERMINISM),
    ("non-deterministic", reason::DETERMINISM),
    ("cpu-independent", reason::DETERMINISM),
    ("sync-lookahead", reason::DETERMINISM),
    ("asm", reason::DETERMINISM),
    ("opencl", reason::DETERMINISM),
    ("opencl-device", reason::DETERMINISM),
    ("opencl-clbin", reason::FILES),
    ("annexb", reason::STREAM),
    ("repeat-headers", reason::STREAM),
    ("global-header", reason::STREAM),
    ("stitchable", reason::STREAM),
    ("aud", reason::STREAM),
    ("sps-id", reason::STREAM),
    ("nal-hrd", reason::STREAM),
    ("filler", reason::STREAM),
    ("avcintra-class", reason::STREAM),
    ("avcintra-flavor", reason::STREAM),
    ("open-gop", reason::CLOSED),
    ("intra-refresh", reason::CLOSED),
    ("interlaced", reason::INPUT),
    ("tff", reason::INPUT),
    ("bff", reason::INPUT),
    ("fake-interlaced", reason::INPUT),
    ("pulldown", reason::INPUT),
    ("pic-struct", reason::INPUT),
    ("fps", reason::INPUT),
    ("force-cfr", reason::INPUT),
    ("timebase", reason::INPUT),
    ("frames", reason::INPUT),
    ("sar", reason::INPUT),
    ("width", reason::INPUT),
    ("height", reason::INPUT),
    ("input-depth", reason::INPUT),
    ("output-depth", reason::INPUT),
    ("bitdepth", reason::INPUT),
    ("input-csp", reason::INPUT),
    ("output-csp", reason::INPUT),
    ("crop-rect", reason::INPUT),
    ("range", reason::INPUT),
    ("fullrange", reason::INPUT),
    ("colorprim", reason::INPUT),
    ("transfer", reason::INPUT),
    ("colormatrix", reason::INPUT),
    ("chromaloc", reason::INPUT),
    ("mastering-display", reason::INPUT),
    ("cll", reason::INPUT),
    ("keyint", reason::KEYS),
    ("crf", reason::RATE),
    ("qp", reason::RATE),
    ("qp-constant", reason::RATE),
    ("bitrate", reason::RATE),
    ("vbv-maxrate", reason::LIMIT),
    ("vbv-bufsize", reason::LIMIT),
    ("pass", reason::PASSES),
    ("stats", reason::FILES),
    ("dump-yuv", reason::FILES),
    ("log-file", reason::FILES),
    ("log", reason::LOG),
    ("psnr", reason::LOG),
    ("ssim", reason::LOG),
];

pub(crate) fn spec() -> Spec {
    Spec {
        name: "x264",
        codec: Codec::H264,
        library: "libx264",
        licence: "GPL-2.0-or-later",
        // SAFETY: the constant is never written.
        shim: unsafe { &retake_x264 },
        presets: &[
            "placebo",
            "veryslow",
            "slower",
            "slow",
            "medium",
            "fast",
            "faster",
            "veryfast",
            "superfast",
            "ultrafast",
        ],
        default_preset: "medium",
        usual_quality: 23.0,
        reorders: true,
        pairs: &[PixelFormat::Nv12, PixelFormat::Nv16],
        dear_headers: false,
        refused: REFUSED,
        warms_up: true,
        check: |settings| even_sides("x264", settings),
        controls,
        memory,
        parallelism,
        usual_interval: |_| 250,
    }
}

fn controls() -> ControlSupport {
    use ChromaSubsampling::{Monochrome, Yuv420, Yuv422, Yuv444};
    let mut support = ControlSupport::default();
    support.open_gop = true;
    support.references = Some((1, 16));
    support.look_ahead = Some((0, 250));
    support.low_latency = true;
    support.qp_bounds = Some((0, 51));
    support.spatial_adaptation = true;
    support.base_qp = true;
    support.quality_ceiling = true;
    support.constant_bit_rate = true;
    support.variable_bit_rate = true;
    support.lossless = true;
    support.rate_limit = true;
    support.forced_at_rate = true;
    support.forced_in_open_gop = true;
    support.forced_within_delay = true;
    support.profiles = vec![
        ProfileSupport::new("baseline", (8, 8), &[Yuv420]),
        ProfileSupport::new("constrained-baseline", (8, 8), &[Yuv420]),
        ProfileSupport::new("main", (8, 8), &[Yuv420]),
        ProfileSupport::new("constrained-high", (8, 8), &[Yuv420]),
        ProfileSupport::new("high", (8, 8), &[Monochrome, Yuv420]),
        ProfileSupport::new("high10", (10, 10), &[Monochrome, Yuv420]),
        ProfileSupport::new("high422", (8, 10), &[Yuv422]),
        ProfileSupport::new("high444-predictive", (8, 10), &[Yuv444]),
    ];
    support.levels = vec![10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52, 60, 61, 62];
    support.cabac = true;
    support.slice_bytes = true;
    support.frame_errors = true;
    support.captions = true;
    support.temporal_layers = 2;
    support.long_term_references = true;
    support.fields = Some(FieldSupport {
        // Level 4.1 is the highest with fields; it holds 8192 macroblocks, and decodes 245760 in a second.
        pixels: 8192 * 256,
        pixel_rate: 245_760 * 256,
        row_step: 4,
        not_in_profiles: vec!["baseline", "constrained-baseline", "constrained-high"],
        levels: (21, 41),
    });
    support.hdr_in_stream = true;
    support.steady_start = true;
    support.steady_end = true;
    support.live_rate = true;
    support
}

/// Returns as many threads as x264 takes by itself at most: one for two rows of macroblocks.
fn parallelism(settings: &EncoderSettings) -> u32 {
    settings.height.div_ceil(16) / 2
}

/// Returns the bytes that an encode holds. x264 holds the frames that wait, with half-size copies beside and
/// with motion vectors for each distance of B frames, of which slow presets have many; the references, which
/// are as few as the frames that wait where those are few; and one set of planes for each thread.
/// `docs/benchmarks.md` has the measurements.
fn memory(settings: &EncoderSettings, delay: u32) -> u64 {
    let picture = settings.format.picture_bytes(settings.width, settings.height);
    let (delay, more_threads) = (u64::from(delay), u64::from(settings.threads.saturating_sub(1)));
    let quarters_a_frame = match settings.preset.as_str() {
        "placebo" => 28,
        "veryslow" | "slower" => 12,
        _ => 9,
    };
    let quarters = delay * quarters_a_frame + (1 + delay.min(17)) * 4 + more_threads * 18;
    5 * 1024 * 1024 + picture * quarters / 4
}
