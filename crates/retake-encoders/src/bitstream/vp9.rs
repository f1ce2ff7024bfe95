//! Makes the `vpcC` record of VP9 (VP Codec ISO Media File Format Binding, version 1).

use retake_compression::encoder::EncoderSettings;
use retake_media::{ChromaSubsampling, Codec, Range};

/// Each line has the level times ten, and the kbit/s that it allows.
const LEVELS: [(u32, u64); 14] = [
    (10, 200),
    (11, 800),
    (20, 1_800),
    (21, 3_600),
    (30, 7_200),
    (31, 12_000),
    (40, 18_000),
    (41, 30_000),
    (50, 60_000),
    (51, 120_000),
    (52, 180_000),
    (60, 180_000),
    (61, 240_000),
    (62, 480_000),
];

/// Returns all levels, times ten.
pub(crate) fn levels() -> Vec<u32> {
    LEVELS.iter().map(|level| level.0).collect()
}

/// Returns the lowest level that holds such pictures, times ten.
pub(crate) fn level(settings: &EncoderSettings) -> u32 {
    let (width, height) = (settings.width, settings.height);
    let of_pictures = Codec::Vp9.level(width, height, settings.frame_rate.to_f64()).unwrap_or(62);
    let limit = settings.limit.map_or(0, |limit| limit.bits_per_second / 1000);
    let of_rate = LEVELS.iter().find(|level| limit <= level.1).map_or(62, |level| level.0);
    of_pictures.max(of_rate)
}

/// Returns the record. The level follows from size and frame rate, and not from the bit rate, because that
/// differs between takes.
pub(super) fn config(settings: &EncoderSettings) -> Vec<u8> {
    let depth = settings.format.bit_depth() as u8;
    let subsampling = settings.format.chroma_subsampling();
    let profile = if depth > 8 { 2 } else { 0 } + u8::from(subsampling > ChromaSubsampling::Yuv420);
    let level = settings.controls.level.unwrap_or_else(|| level(settings)) as u8;
    let chroma = match subsampling {
        ChromaSubsampling::Yuv422 => 2,
        ChromaSubsampling::Yuv444 => 3,
        // Chroma of 4:2:0 lies between rows, or on them.
        _ => u8::from(settings.colour.chroma_location == 3),
    };
    let full = u8::from(settings.colour.range_known && settings.colour.range == Range::Full);
    let colour = settings.colour;
    vec![
        1,
        0,
        0,
        0,
        profile,
        level,
        depth << 4 | chroma << 1 | full,
        colour.primaries,
        colour.transfer,
        colour.matrix,
        0,
        0,
    ]
}
