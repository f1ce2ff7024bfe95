//! The levels of coding formats: how large pictures may be, and how many of them a decoder can be asked for
//! in a second.

use crate::Codec;

/// One level: its number times ten, the units of a picture, the units of a second, and the longest side.
/// Units are macroblocks of 16 by 16 for H.264, and luma samples for the others.
struct Level {
    number: u32,
    picture: u64,
    second: u64,
    side: u32,
}

const fn level(number: u32, picture: u64, second: u64, side: u32) -> Level {
    Level { number, picture, second, side }
}

/// The pictures that a decoder of H.264 has to have room for. Encoders refer to three as a rule, and keep one
/// more for reordering.
const H264_PLACES: u64 = 4;

/// H.264, table A-1. Where the picture buffer holds fewer than four of the largest pictures, the number of
/// macroblocks is that of a picture which it does hold four times (level 1.1). Sides follow from the area:
/// no side is longer than the square root of eight times as many.
const H264: [Level; 19] = [
    level(10, 99, 1_485, 28),
    level(11, 900 / H264_PLACES, 3_000, 56),
    level(12, 396, 6_000, 56),
    level(13, 396, 11_880, 56),
    level(20, 396, 11_880, 56),
    level(21, 792, 19_800, 79),
    level(22, 1_620, 20_250, 113),
    level(30, 1_620, 40_500, 113),
    level(31, 3_600, 108_000, 169),
    level(32, 5_120, 216_000, 202),
    level(40, 8_192, 245_760, 256),
    level(41, 8_192, 245_760, 256),
    level(42, 8_704, 522_240, 263),
    level(50, 22_080, 589_824, 420),
    level(51, 36_864, 983_040, 543),
    level(52, 36_864, 2_073_600, 543),
    level(60, 139_264, 4_177_920, 1_055),
    level(61, 139_264, 8_355_840, 1_055),
    level(62, 139_264, 16_711_680, 1_055),
];

/// H.265, tables A.8 and A.9, with the sides by the same rule.
const HEVC: [Level; 13] = [
    level(10, 36_864, 552_960, 543),
    level(20, 122_880, 3_686_400, 991),
    level(21, 245_760, 7_372_800, 1_402),
    level(30, 552_960, 16_588_800, 2_103),
    level(31, 983_040, 33_177_600, 2_804),
    level(40, 2_228_224, 66_846_720, 4_222),
    level(41, 2_228_224, 133_693_440, 4_222),
    level(50, 8_912_896, 267_386_880, 8_444),
    level(51, 8_912_896, 534_773_760, 8_444),
    level(52, 8_912_896, 1_069_547_520, 8_444),
    level(60, 35_651_584, 1_069_547_520, 16_888),
    level(61, 35_651_584, 2_139_095_040, 16_888),
    level(62, 35_651_584, 4_278_190_080, 16_888),
];

/// AV1, section A.3. Its bound of the width counts for both sides, which is stricter than its own bound of
/// the height only for pictures that stand upright; [`Codec::level`] looks at that, too.
const AV1: [Level; 12] = [
    level(20, 147_456, 4_423_680, 2_048),
    level(21, 278_784, 8_363_520, 2_816),
    level(30, 665_856, 19_975_680, 4_352),
    level(31, 1_065_024, 31_950_720, 5_504),
    level(40, 2_359_296, 70_778_880, 6_144),
    level(41, 2_359_296, 141_557_760, 6_144),
    level(50, 8_912_896, 267_386_880, 8_192),
    level(51, 8_912_896, 534_773_760, 8_192),
    level(52, 8_912_896, 1_069_547_520, 8_192),
    level(60, 35_651_584, 1_069_547_520, 16_384),
    level(61, 35_651_584, 2_139_095_040, 16_384),
    level(62, 35_651_584, 4_278_190_080, 16_384),
];

/// VP9, by the levels of the WebM project.
const VP9: [Level; 14] = [
    level(10, 36_864, 829_440, 512),
    level(11, 73_728, 2_764_800, 768),
    level(20, 122_880, 4_608_000, 960),
    level(21, 245_760, 9_216_000, 1_344),
    level(30, 552_960, 20_736_000, 2_048),
    level(31, 983_040, 36_864_000, 2_752),
    level(40, 2_228_224, 83_558_400, 4_160),
    level(41, 2_228_224, 160_432_128, 4_160),
    level(50, 8_912_896, 311_951_360, 8_384),
    level(51, 8_912_896, 588_251_136, 8_384),
    level(52, 8_912_896, 1_176_502_272, 8_384),
    level(60, 35_651_584, 1_176_502_272, 16_832),
    level(61, 35_651_584, 2_353_004_544, 16_832),
    level(62, 35_651_584, 4_706_009_088, 16_832),
];

impl Codec {
    /// Returns the lowest level, times ten, whose decoders show pictures of this size at this rate; `None`
    /// where there is no such level, and for VVC, MPEG-4, MPEG-2 and ProRes. It looks at sizes and rates
    /// alone, and not at bits a second.
    ///
    /// ```
    /// use retake_media::Codec;
    ///
    /// assert_eq!(Codec::H264.level(1920, 1080, 30.0), Some(40));
    /// assert_eq!(Codec::H264.level(1920, 1080, 60.0), Some(42));
    /// assert_eq!(Codec::H264.level(100_000, 16, 30.0), None);
    /// ```
    pub fn level(self, width: u32, height: u32, frames_per_second: f64) -> Option<u32> {
        // The coded picture of HEVC is made of whole blocks of eight.
        let (levels, block, unit): (&[Level], u32, u32) = match self {
            Self::H264 => (&H264, 16, 1),
            Self::Hevc => (&HEVC, 8, 8),
            Self::Av1 => (&AV1, 1, 1),
            Self::Vp9 => (&VP9, 1, 1),
            // No encoder of these is told a level, so that none has to be found.
            Self::Vvc | Self::Mpeg4 | Self::Mpeg2 | Self::ProRes => return None,
        };
        let [columns, rows] = [width, height].map(|side| side.div_ceil(block).saturating_mul(unit));
        let picture = u64::from(columns) * u64::from(rows);
        let second = picture as f64 * frames_per_second;
        // Of the width and the height that AV1 allows, the ratio is 16 to 9 at every level.
        let side = match self {
            Self::Av1 => {
                columns.max(u64::from(rows).saturating_mul(16).div_ceil(9).min(u32::MAX.into()) as u32)
            }
            _ => columns.max(rows),
        };
        let holds =
            |level: &&Level| picture <= level.picture && second <= level.second as f64 && side <= level.side;
        levels.iter().find(holds).map(|level| level.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEVELLED: [Codec; 4] = [Codec::H264, Codec::Hevc, Codec::Av1, Codec::Vp9];

    /// What the usual films are signalled as, by the tables of the standards.
    #[test]
    fn usual_films_have_their_usual_levels() {
        let films = [
            (640, 480, 30.0, [30, 30, 30, 30]),
            (1280, 720, 30.0, [31, 31, 31, 31]),
            (1280, 720, 60.0, [32, 40, 40, 40]),
            (1920, 1080, 24.0, [40, 40, 40, 40]),
            (1920, 1080, 60.0, [42, 41, 41, 41]),
            (3840, 2160, 30.0, [51, 50, 50, 50]),
            (3840, 2160, 60.0, [52, 51, 51, 51]),
            (7680, 4320, 60.0, [61, 61, 61, 61]),
            // level 1.1 of H.264 has the rate, and no room for four such pictures
            (352, 288, 7.0, [12, 20, 20, 20]),
        ];
        for (width, height, rate, levels) in films {
            let found = LEVELLED.map(|codec| codec.level(width, height, rate));
            assert_eq!(found, levels.map(Some), "{width}×{height} at {rate}");
        }
        assert_eq!(Codec::Av1.level(1080, 1920, 30.0), Some(40), "an upright picture");
        // 168 by 144 are coded, which are too many in a second for level 1
        assert_eq!(Codec::Hevc.level(162, 138, 24.0), Some(20));
        assert_eq!(Codec::ALL.map(|codec| codec.level(640, 480, 1e9)), [None; 8]);
    }

    proptest! {
        /// More of anything never has a lower level, and no level is exceeded.
        #[test]
        fn levels_rise(codec in prop::sample::select(Codec::ALL.to_vec()), width in 1u32..5000,
                       height in 1u32..5000, rate in 0.1..300.0f64, more in 0u32..2000) {
            let least = codec.level(width, height, rate);
            let rises = |other: Option<u32>| other.is_none_or(|other| least.is_some_and(|least| least <= other));
            prop_assert!(rises(codec.level(width + more, height, rate)));
            prop_assert!(rises(codec.level(width, height + more, rate)));
            prop_assert!(rises(codec.level(width, height, rate + f64::from(more))));
        }
    }
}
