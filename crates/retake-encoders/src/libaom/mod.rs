//! The peculiarities of AV1 by libaom. The mapping to its own settings is in `shim.c`.
#![allow(unsafe_code)]

use crate::library::Spec;
use crate::options::{self, Refused, reason};
use crate::shim::ShimTable;
use retake_compression::encoder::{ControlSupport, EncoderSettings, ProfileSupport};
use retake_media::{ChromaSubsampling, Codec};

// SAFETY: `shim.c` defines a constant of this name and of the layout that `ShimTable` declares.
unsafe extern "C" {
    static retake_libaom: ShimTable;
}

const REFUSED: Refused = &[
    ("preset", reason::PRESET),
    ("cpu-used", reason::PRESET),
    ("usage", reason::PRESET),
    ("good", reason::PRESET),
    ("rt", reason::PRESET),
    ("allintra", reason::PRESET),
    ("threads", reason::THREADS),
    ("row-mt", reason::THREADS),
    ("fp-mt", reason::THREADS),
    ("profile", reason::INPUT),
    ("error-resilient", reason::STREAM),
    ("drop-frame", reason::STREAM),
    ("resize-mode", reason::STREAM),
    ("superres-mode", reason::STREAM),
    ("large-scale-tile", reason::STREAM),
    ("annexb", reason::STREAM),
    ("full-still-picture-hdr", reason::STREAM),
    ("num-tile-groups", reason::STREAM),
    ("mtu-size", reason::STREAM),
    ("timing-info", reason::STREAM),
    ("target-seq-level-idx", reason::STREAM),
    ("set-tier-mask", reason::STREAM),
    ("enable-fwd-kf", reason::CLOSED),
    ("fwd-kf-dist", reason::CLOSED),
    ("sframe-dist", reason::CLOSED),
    ("sframe-mode", reason::CLOSED),
    ("kf-min-dist", reason::KEYS),
    ("kf-max-dist", reason::KEYS),
    ("disable-kf", reason::KEYS),
    ("end-usage", reason::RATE),
    ("cq-level", reason::RATE),
    ("target-bitrate", reason::RATE),
    ("lossless", reason::RATE),
    ("use-fixed-qp-offsets", reason::RATE),
    ("buf-sz", reason::LIMIT),
    ("buf-initial-sz", reason::LIMIT),
    ("buf-optimal-sz", reason::LIMIT),
    ("pass", reason::PASSES),
    ("passes", reason::PASSES),
    ("fpf", reason::FILES),
    ("two-pass-output", reason::FILES),
    ("second-pass-log", reason::FILES),
    ("film-grain-table", reason::FILES),
    ("partition-info-path", reason::FILES),
    ("vmaf-model-path", reason::FILES),
    ("limit", reason::INPUT),
    ("skip", reason::INPUT),
    ("width", reason::INPUT),
    ("height", reason::INPUT),
    ("timebase", reason::INPUT),
    ("fps", reason::INPUT),
    ("bit-depth", reason::INPUT),
    ("input-bit-depth", reason::INPUT),
    ("monochrome", reason::INPUT),
    ("color-primaries", reason::INPUT),
    ("transfer-characteristics", reason::INPUT),
    ("matrix-coefficients", reason::INPUT),
    ("chroma-sample-position", reason::INPUT),
    ("psnr", reason::LOG),
    ("verbose", reason::LOG),
];

/// The most frames that it looks ahead.
const MOST_LOOK_AHEAD: u32 = 48;

pub(crate) fn spec() -> Spec {
    Spec {
        name: "libaom",
        codec: Codec::Av1,
        library: "libaom",
        licence: "BSD-2-Clause",
        // SAFETY: the constant is never written.
        shim: unsafe { &retake_libaom },
        presets: &[],
        default_preset: "4",
        usual_quality: 32.0,
        reorders: false,
        pairs: &[],
        dear_headers: true,
        refused: REFUSED,
        warms_up: false,
        check,
        controls,
        memory,
        // Several give other bytes.
        parallelism: |_| 1,
        // Scenes alone decide, so this is only a number to reckon with.
        usual_interval: |_| 250,
    }
}

fn check(settings: &EncoderSettings) -> Result<(), (&'static str, String)> {
    let controls = &settings.controls;
    if (controls.max_delay.is_some() || controls.look_ahead.is_some())
        && options::is_set(&settings.options, "lag-in-frames")
    {
        let reason = "frames that are looked at ahead are held back: leave out one".to_owned();
        return Err(("lag-in-frames", reason));
    }
    Ok(())
}

fn controls() -> ControlSupport {
    use ChromaSubsampling::{Monochrome, Yuv420, Yuv422, Yuv444};
    let mut support = ControlSupport::default();
    support.look_ahead = Some((0, MOST_LOOK_AHEAD));
    support.qp_bounds = Some((0, 63));
    support.spatial_adaptation = true;
    support.adapts_on_request = true;
    support.most_bit_rate = Some(2_000_000_000);
    support.lossless = true;
    support.forced_at_rate = true;
    support.forced_within_delay = true;
    support.profiles = vec![
        ProfileSupport::new("main", (8, 10), &[Monochrome, Yuv420]),
        ProfileSupport::new("high", (8, 10), &[Yuv444]),
        ProfileSupport::new("professional", (8, 10), &[Yuv422]),
    ];
    support.frame_errors = true;
    support.steady_start = true;
    support.captions = true;
    support.hdr10_plus = true;
    support.hdr_in_stream = true;
    support
}

/// Returns an estimate of the bytes that an encode holds: frames that wait, in two sizes, with their
/// statistics, references, tables for every block, and the decoder's frames where pictures are reconstructed.
fn memory(settings: &EncoderSettings, delay: u32) -> u64 {
    let picture = settings.format.picture_bytes(settings.width, settings.height);
    let pixels = u64::from(settings.width) * u64::from(settings.height);
    let decoded = if settings.reconstruct { 12 } else { 0 };
    56 * 1024 * 1024 + 64 * pixels + (34 + 3 * u64::from(delay) + decoded) * picture
}
