//! The peculiarities of x265. The mapping to its own settings is in `shim.c`.
#![allow(unsafe_code)]

use crate::library::Spec;
use crate::options::{Refused, reason};
use crate::settings::even_sides;
use crate::shim::ShimTable;
use retake_compression::encoder::{ControlSupport, EncoderSettings, ProfileSupport, RateControl};
use retake_media::{ChromaSubsampling, Codec};

// SAFETY: `shim.c` defines a constant of this name and of the layout that `ShimTable` declares.
unsafe extern "C" {
    static retake_x265: ShimTable;
}

const REFUSED: Refused = &[
    ("preset", reason::PRESET),
    ("pools", reason::THREADS),
    ("numa-pools", reason::THREADS),
    ("threads", reason::THREADS),
    ("frame-threads", reason::THREADS),
    ("lookahead-threads", reason::THREADS),
    ("wpp", reason::THREADS),
    ("pmode", reason::THREADS),
    ("pme", reason::THREADS),
    ("threaded-me", reason::THREADS),
    ("asm", reason::DETERMINISM),
    ("cpuid", reason::DETERMINISM),
    ("const-vbv", reason::DETERMINISM),
    ("copy-pic", reason::DETERMINISM),
    ("svt", reason::DETERMINISM),
    ("svt-hme", reason::DETERMINISM),
    ("annexb", reason::STREAM),
    ("repeat-headers", reason::STREAM),
    ("aud", reason::STREAM),
    ("eob", reason::STREAM),
    ("eos", reason::STREAM),
    ("info", reason::STREAM),
    ("hash", reason::STREAM),
    ("hrd", reason::STREAM),
    ("hrd-concat", reason::STREAM),
    ("vui-timing-info", reason::STREAM),
    ("vui-hrd-info", reason::STREAM),
    ("temporal-layers", reason::STREAM),
    ("single-sei", reason::STREAM),
    ("idr-recovery-sei", reason::STREAM),
    ("opt-qp-pps", reason::STREAM),
    ("opt-ref-list-length-pps", reason::STREAM),
    ("multi-pass-opt-rps", reason::STREAM),
    ("lossless", reason::STREAM),
    ("filler", reason::STREAM),
    ("uhd-bd", reason::STREAM),
    ("alpha", reason::STREAM),
    ("num-views", reason::STREAM),
    ("scc", reason::STREAM),
    ("open-gop", reason::CLOSED),
    ("intra-refresh", reason::CLOSED),
    ("radl", reason::CLOSED),
    ("interlace", reason::INPUT),
    ("interlaceMode", reason::INPUT),
    ("field", reason::INPUT),
    ("frame-dup", reason::INPUT),
    ("dup-threshold", reason::INPUT),
    ("pic-struct", reason::INPUT),
    ("fps", reason::INPUT),
    ("input", reason::INPUT),
    ("input-res", reason::INPUT),
    ("input-depth", reason::INPUT),
    ("input-csp", reason::INPUT),
    ("output-depth", reason::INPUT),
    ("force-flush", reason::INPUT),
    ("frames", reason::INPUT),
    ("total-frames", reason::INPUT),
    ("seek", reason::INPUT),
    ("chunk-start", reason::INPUT),
    ("chunk-end", reason::INPUT),
    ("sar", reason::INPUT),
    ("range", reason::INPUT),
    ("fullrange", reason::INPUT),
    ("videoformat", reason::INPUT),
    ("colorprim", reason::INPUT),
    ("transfer", reason::INPUT),
    ("colormatrix", reason::INPUT),
    ("chromaloc", reason::INPUT),
    ("crop-rect", reason::INPUT),
    ("display-window", reason::INPUT),
    ("video-signal-type-preset", reason::INPUT),
    ("master-display", reason::INPUT),
    ("max-cll", reason::INPUT),
    ("cll", reason::INPUT),
    ("hdr", reason::INPUT),
    ("hdr10", reason::INPUT),
    ("atc-sei", reason::INPUT),
    ("keyint", reason::KEYS),
    ("crf", reason::RATE),
    ("crf-max", reason::RATE),
    ("crf-min", reason::RATE),
    ("qp", reason::RATE),
    ("bitrate", reason::RATE),
    ("strict-cbr", reason::RATE),
    ("vbv-maxrate", reason::LIMIT),
    ("vbv-bufsize", reason::LIMIT),
    ("pass", reason::PASSES),
    ("multi-pass-opt-analysis", reason::PASSES),
    ("multi-pass-opt-distortion", reason::PASSES),
    ("vbv-live-multi-pass", reason::PASSES),
    ("zones", reason::PASSES),
    ("rezone", reason::PASSES),
    ("zonefile", reason::FILES),
    ("stats", reason::FILES),
    ("analysis-save", reason::FILES),
    ("analysis-load", reason::FILES),
    ("analysis-reuse-file", reason::FILES),
    ("analysis-reuse-mode", reason::FILES),
    ("lambda-file", reason::FILES),
    ("qpfile", reason::FILES),
    ("nalu-file", reason::FILES),
    ("dolby-vision-rpu", reason::FILES),
    ("dolby-vision-profile", reason::FILES),
    ("dhdr10-info", reason::FILES),
    ("dhdr10-opt", reason::FILES),
    ("film-grain", reason::FILES),
    ("aom-film-grain", reason::FILES),
    ("output", reason::FILES),
    ("csv", reason::FILES),
    ("csv-log-level", reason::FILES),
    ("recon", reason::RECONSTRUCT),
    ("recon-depth", reason::RECONSTRUCT),
    ("recon-y4m-exec", reason::RECONSTRUCT),
    ("log", reason::LOG),
    ("log-level", reason::LOG),
    ("log-file", reason::LOG),
    ("log-file-level", reason::LOG),
    ("progress", reason::LOG),
    ("psnr", reason::LOG),
    ("ssim", reason::LOG),
    ("cu-stats", reason::LOG),
];

pub(crate) fn spec() -> Spec {
    Spec {
        name: "x265",
        codec: Codec::Hevc,
        library: "libx265",
        licence: "GPL-2.0-or-later",
        // SAFETY: the constant is never written.
        shim: unsafe { &retake_x265 },
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
        usual_quality: 26.0,
        reorders: true,
        pairs: &[],
        dear_headers: false,
        refused: REFUSED,
        warms_up: true,
        check,
        controls,
        memory,
        parallelism,
        usual_interval: |_| 250,
    }
}

fn check(settings: &EncoderSettings) -> Result<(), (&'static str, String)> {
    let (width, height) = (settings.width, settings.height);
    if width < 16 || height < 16 {
        return Err((
            "size",
            format!("{width}×{height} is too small for x265: at least 16×16, or choose another encoder"),
        ));
    }
    even_sides("x265", settings)
}

fn controls() -> ControlSupport {
    use ChromaSubsampling::{Monochrome, Yuv420, Yuv422, Yuv444};
    let mut support = ControlSupport::default();
    support.open_gop = true;
    support.references = Some((2, 6));
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
    support.forced_within_delay = true;
    support.profiles = vec![
        ProfileSupport::new("main", (8, 8), &[Yuv420]),
        ProfileSupport::new("main10", (10, 10), &[Yuv420]),
        ProfileSupport::new("main422-10", (8, 10), &[Yuv422]),
        ProfileSupport::new("main444", (8, 8), &[Yuv444]),
        ProfileSupport::new("main444-10", (10, 10), &[Yuv444]),
        ProfileSupport::new("monochrome", (8, 8), &[Monochrome]),
        ProfileSupport::new("monochrome10", (10, 10), &[Monochrome]),
    ];
    support.levels = vec![10, 20, 21, 30, 31, 40, 41, 50, 51, 52, 60, 61, 62];
    support.frame_errors = true;
    support.captions = true;
    support.hdr10_plus = true;
    support.dolby_vision = true;
    support.temporal_layers = 2;
    support.hdr_in_stream = true;
    support.steady_start = true;
    support.steady_end = true;
    support
}

/// Returns how many threads have work. Rows of 64×64 blocks are a wavefront: each is two blocks behind the
/// one above, so that half the rows, or half the columns, are at work. The shim codes one frame after the
/// other at a bit rate and below four threads, then two at once, three, four.
fn parallelism(settings: &EncoderSettings) -> u32 {
    let (columns, rows) = (settings.width.div_ceil(64), settings.height.div_ceil(64));
    let by_rate = matches!(settings.rate, RateControl::AverageBitRate(_) | RateControl::ConstantBitRate(_));
    let frames = match settings.threads {
        _ if by_rate => 1,
        ..4 => 1,
        4..8 => 2,
        8..16 => 3,
        _ => 4,
    };
    columns.min(rows).div_ceil(2) * frames
}

/// Returns the bytes that an encode holds. x265 holds each frame that waits with wide margins, four half-size
/// copies, and vectors and costs of all distances; each frame that is coded or referred to with its
/// reconstruction and the coding tree; and tables for each thread. `docs/benchmarks.md` has the measurements.
fn memory(settings: &EncoderSettings, delay: u32) -> u64 {
    const CODED: u64 = 5;
    let bytes = settings.format.bytes_per_sample() as u64;
    let pixels = u64::from(settings.width) * u64::from(settings.height);
    let padded = (u64::from(settings.width) + 256) * (u64::from(settings.height) + 224) * bytes;
    // All planes together, in halves of luma.
    let planes = match settings.format.chroma_subsampling() {
        ChromaSubsampling::Monochrome => 2,
        ChromaSubsampling::Yuv420 => 3,
        ChromaSubsampling::Yuv422 => 4,
        ChromaSubsampling::Yuv444 => 6,
    };
    let waiting = padded * (planes + 2) / 2 + pixels * 2;
    let coded = padded * planes / 2 + pixels * 3;
    let threads = u64::from(settings.threads);
    16 * 1024 * 1024 + u64::from(delay) * waiting + CODED * coded + threads * (1024 * 1024 + padded * 2)
}
