//! Makes the `vpcC` record of VP9 (VP Codec ISO Media File Format Binding, version 1).

use retake_compression::encoder::EncoderSettings;
use retake_media::{ChromaSubsampling, Range};

/// Each line has the level times ten, luma samples a second, luma samples a picture, largest side, kbit/s.
const LEVELS: [(u8, u64, u64, u32, u64); 14] = [
    (10, 829_440, 36_864, 512, 200),
    (11, 2_764_800, 73_728, 768, 800),
    (20, 4_608_000, 122_880, 960, 1_800),
    (21, 9_216_000, 245_760, 1_344, 3_600),
    (30, 20_736_000, 552_960, 2_048, 7_200),
    (31, 36_864_000, 983_040, 2_752, 12_000),
    (40, 83_558_400, 2_228_224, 4_160, 18_000),
    (41, 160_432_128, 2_228_224, 4_160, 30_000),
    (50, 311_951_360, 8_912_896, 8_384, 60_000),
    (51, 588_251_136, 8_912_896, 8_384, 120_000),
    (52, 1_176_502_272, 8_912_896, 8_384, 180_000),
    (60, 1_176_502_272, 35_651_584, 16_832, 180_000),
    (61, 2_353_004_544, 35_651_584, 16_832, 240_000),
    (62, 4_706_009_088, 35_651_584, 16_832, 480_000),
];

/// Returns all levels, times ten.
pub(crate) fn levels() -> Vec<u32> {
    LEVELS.iter().map(|level| level.0.into()).collect()
}

/// Returns the lowest level that holds such pictures, times ten.
pub(crate) fn level(settings: &EncoderSettings) -> u32 {
    let picture = u64::from(settings.width) * u64::from(settings.height);
    let rate = (picture as f64 * settings.frame_rate.to_f64()).ceil() as u64;
    let side = settings.width.max(settings.height);
    let limit = settings.limit.map_or(0, |limit| limit.bits_per_second / 1000);
    let level = LEVELS
        .iter()
        .find(|level| rate <= level.1 && picture <= level.2 && side <= level.3 && limit <= level.4)
        .map_or(62, |level| level.0);
    u32::from(level)
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
