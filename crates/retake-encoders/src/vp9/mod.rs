//! The peculiarities of VP9 by libvpx. The mapping to its own settings is in `shim.c`.
#![allow(unsafe_code)]

use crate::bitstream::{vp9_level, vp9_levels};
use crate::library::Spec;
use crate::options::{Refused, reason};
use crate::shim::ShimTable;
use retake_compression::encoder::{ControlSupport, EncoderSettings, ProfileSupport};
use retake_media::{ChromaSubsampling, Codec, PixelFormat};

// SAFETY: `shim.c` defines a constant of this name and of the layout that `ShimTable` declares.
unsafe extern "C" {
    static retake_vp9: ShimTable;
}

const REFUSED: Refused = &[
    ("preset", reason::PRESET),
    ("cpu-used", reason::PRESET),
    ("deadline", reason::PRESET),
    ("best", reason::PRESET),
    ("good", reason::PRESET),
    ("rt", reason::PRESET),
    ("threads", reason::THREADS),
    ("row-mt", reason::THREADS),
    ("codec", reason::STREAM),
    ("profile", reason::INPUT),
    ("target-level", reason::STREAM),
    ("error-resilient", reason::STREAM),
    ("drop-frame", reason::STREAM),
    ("resize-allowed", reason::STREAM),
    ("resize-mode", reason::STREAM),
    ("resize-up", reason::STREAM),
    ("resize-down", reason::STREAM),
    ("resize-width", reason::STREAM),
    ("resize-height", reason::STREAM),
    ("kf-min-dist", reason::KEYS),
    ("kf-max-dist", reason::KEYS),
    ("kf-mode", reason::KEYS),
    ("disable-kf", reason::KEYS),
    ("end-usage", reason::RATE),
    ("cq-level", reason::RATE),
    ("target-bitrate", reason::RATE),
    ("lossless", reason::RATE),
    ("buf-sz", reason::LIMIT),
    ("buf-initial-sz", reason::LIMIT),
    ("buf-optimal-sz", reason::LIMIT),
    ("pass", reason::PASSES),
    ("passes", reason::PASSES),
    ("fpf", reason::FILES),
    ("limit", reason::INPUT),
    ("skip", reason::INPUT),
    ("width", reason::INPUT),
    ("height", reason::INPUT),
    ("timebase", reason::INPUT),
    ("fps", reason::INPUT),
    ("bit-depth", reason::INPUT),
    ("input-bit-depth", reason::INPUT),
    ("color-space", reason::INPUT),
    ("color-range", reason::INPUT),
    ("psnr", reason::LOG),
    ("verbose", reason::LOG),
];

pub(crate) fn spec() -> Spec {
    Spec {
        name: "vp9",
        codec: Codec::Vp9,
        library: "libvpx",
        licence: "BSD-3-Clause",
        // SAFETY: the constant is never written.
        shim: unsafe { &retake_vp9 },
        presets: &[],
        default_preset: "3",
        usual_quality: 32.0,
        reorders: false,
        pairs: &[PixelFormat::Nv12],
        dear_headers: false,
        refused: REFUSED,
        warms_up: true,
        check,
        controls,
        memory,
        // Each thread takes columns of tiles, as the shim cuts them.
        parallelism: |settings| match settings.width {
            ..640 => 1,
            640..1280 => 2,
            1280..2560 => 4,
            _ => 8,
        },
        // Scenes alone decide, so this is only a number to reckon with.
        usual_interval: |_| 250,
    }
}

fn check(settings: &EncoderSettings) -> Result<(), (&'static str, String)> {
    let controls = &settings.controls;
    if let Some(level) = controls.level.filter(|level| *level < vp9_level(settings)) {
        let least = vp9_level(settings);
        return Err(("level", format!("{level} is too low for this size and frame rate: at least {least}")));
    }
    Ok(())
}

fn controls() -> ControlSupport {
    use ChromaSubsampling::{Yuv420, Yuv422, Yuv444};
    let mut support = ControlSupport::default();
    support.low_latency = true;
    support.qp_bounds = Some((0, 63));
    support.spatial_adaptation = true;
    support.adapts_on_request = true;
    support.base_qp = true;
    support.most_bit_rate = Some(2_000_000_000);
    support.constant_bit_rate = true;
    support.lossless = true;
    support.forced_at_rate = true;
    support.forced_within_delay = true;
    support.profiles = vec![
        ProfileSupport::new("profile0", (8, 8), &[Yuv420]),
        ProfileSupport::new("profile1", (8, 8), &[Yuv422, Yuv444]),
        ProfileSupport::new("profile2", (10, 10), &[Yuv420]),
        ProfileSupport::new("profile3", (10, 10), &[Yuv422, Yuv444]),
    ];
    support.levels = vp9_levels();
    support.frame_errors = true;
    support.temporal_layers = 2;
    support.layers_without_reordering = true;
    support.long_term_references = true;
    support.first_pass = true;
    support.steady_start = true;
    support.live_rate = true;
    support.live_qp_bounds = true;
    support
}

/// Returns the bytes that an encode holds, as measured: the references, tables for every block, one set of
/// them for each thread that has tiles of its own, frames that wait with wide borders, and the decoder's
/// frames where pictures are reconstructed.
fn memory(settings: &EncoderSettings, delay: u32) -> u64 {
    let picture = settings.format.picture_bytes(settings.width, settings.height);
    let pixels = u64::from(settings.width) * u64::from(settings.height);
    let threads = settings.threads.min(settings.width / 256).max(1);
    let frames = if settings.reconstruct { 26 } else { 20 };
    (16 + 5 * u64::from(threads)) * 1024 * 1024
        + 56 * pixels
        + frames * picture
        + u64::from(delay) * picture * 13 / 5
}
