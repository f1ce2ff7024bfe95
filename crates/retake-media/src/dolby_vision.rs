//! Dolby Vision: what a container states of it, and the profile that the metadata of a frame are made for.

use crate::Colour;
use serde::{Deserialize, Serialize};

/// The Dolby Vision of a film of one layer, whose frames each bring metadata (an RPU) beside a picture that
/// every HDR player can show without them.
#[doc(alias = "dvcC")]
#[doc(alias = "dvvC")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DolbyVision {
    /// The profile: 8 is HEVC of one layer.
    pub profile: u8,
    /// What the picture is without the metadata (`dv_bl_signal_compatibility_id`): 1 is HDR10, 4 is HLG.
    pub compatibility: u8,
}

impl DolbyVision {
    /// Returns what can be stated truly of HEVC pictures of these colours beside metadata of profile 8;
    /// `None` where the picture alone is neither HDR10 nor HLG.
    pub fn of_hevc(colour: Colour) -> Option<Self> {
        let compatibility = match (colour.primaries, colour.transfer, colour.matrix) {
            (9, 16, 9) => 1,
            (9, 18, 9) => 4,
            _ => return None,
        };
        Some(Self { profile: 8, compatibility })
    }

    /// Returns the level of such pictures: the lowest whose width and number of pixels a second suffice;
    /// `None` beyond all levels.
    ///
    /// The levels are those of "Dolby Vision Profiles and Levels".
    pub fn level(width: u32, height: u32, frames_per_second: f64) -> Option<u8> {
        const LEVELS: [(u64, u32); 13] = [
            (1280 * 720 * 24, 1280),
            (1280 * 720 * 30, 1280),
            (1920 * 1080 * 24, 1920),
            (1920 * 1080 * 30, 2560),
            (1920 * 1080 * 60, 3840),
            (3840 * 2160 * 24, 3840),
            (3840 * 2160 * 30, 3840),
            (3840 * 2160 * 48, 3840),
            (3840 * 2160 * 60, 3840),
            (3840 * 2160 * 120, 3840),
            (3840 * 2160 * 120, 7680),
            (7680 * 4320 * 60, 7680),
            (7680 * 4320 * 120, 7680),
        ];
        let pixels = f64::from(width) * f64::from(height) * frames_per_second;
        // A rate of 60000/1001 or of times that are rounded to milliseconds is meant by the number above it.
        let fits = |&&(most, widest): &&(u64, u32)| width <= widest && pixels <= most as f64 * 1.001;
        LEVELS.iter().position(|level| fits(&level)).and_then(|index| u8::try_from(index + 1).ok())
    }
}

/// Returns the profile that the metadata of a frame are made for: 4, 5, 7 or 8; `None` where it cannot be
/// told.
///
/// `rpu` is the payload as in [`Attachment::DolbyVisionRpu`](crate::Attachment::DolbyVisionRpu). The fields
/// are those of `rpu_data_header` in ETSI GS CCM 001. The header does not name the profile; it follows
/// from how the layers are put together.
pub fn dolby_vision_profile(rpu: &[u8]) -> Option<u8> {
    const PREFIX: u8 = 25;
    let (&PREFIX, header) = rpu.split_first()? else { return None };
    let mut bits = Bits { data: header, at: 0 };
    if bits.read(6)? != 2 {
        return None; // rpu_type
    }
    let format = bits.read(11)?;
    let profile = bits.read(4)?;
    bits.read(4)?; // vdr_rpu_level
    if bits.read(1)? == 0 {
        return None; // The sequence information is that of an earlier frame.
    }
    bits.read(1)?; // chroma_resampling_explicit_filter_flag
    if bits.read(2)? == 0 {
        bits.exp_golomb()?; // coefficient_log2_denom
    }
    bits.read(2)?; // vdr_rpu_normalized_idc
    let full_range = bits.read(1)? == 1;
    if format & 0x700 != 0 {
        return None;
    }
    bits.exp_golomb()?; // bl_bit_depth_minus8
    bits.exp_golomb()?; // el_bit_depth_minus8
    let depth = bits.exp_golomb()?.checked_add(8)?;
    bits.read(4)?; // spatial_resampling_filter_flag, reserved
    let resampled = bits.read(1)? == 1;
    let no_residual = bits.read(1)? == 1;
    match profile {
        0 if full_range => Some(5),
        1 if resampled && !no_residual => Some(if depth == 12 { 7 } else { 4 }),
        1 => Some(8),
        _ => None,
    }
}

/// Returns an RPU without emulation prevention, whether or not it still has it: decoders give it out either
/// way. Where the difference matters, its checksum tells. Zeros behind its end, which belong to the next
/// start code of a stream, are left out.
pub fn dolby_vision_rpu(payload: &[u8]) -> Vec<u8> {
    let end = payload.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let payload = &payload[..end];
    let mut plain = Vec::with_capacity(payload.len());
    let mut zeros = 0;
    for &byte in payload {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    if is_sound(payload) && !is_sound(&plain) { payload.to_vec() } else { plain }
}

/// Returns whether the checksum of an RPU is right: a CRC-32 (polynomial 0x04C11DB7, from all ones, not
/// reflected) of what lies between the prefix and the checksum itself, behind which the trailing 0x80 stands.
fn is_sound(rpu: &[u8]) -> bool {
    let [_, covered @ .., 0x80] = rpu else { return false };
    // The checksum of something with its checksum behind it is zero.
    covered.len() > 4 && crc(covered) == 0
}

fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04C1_1DB7 }
        })
    })
}

/// Reads bits, most significant first. Reading past the end returns `None`.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of an RPU: the profile and level of its syntax, the range, the depth of what is shown, and
    /// whether there is a layer beside the first.
    fn header(profile: u32, full_range: bool, depth: u32, resampled: bool, no_residual: bool) -> Vec<u8> {
        let mut bits = String::new();
        let mut put = |value: u32, count: usize| bits.push_str(&format!("{value:0count$b}"));
        put(25, 8);
        put(2, 6);
        put(18, 11);
        put(profile, 4);
        put(0, 4);
        put(1, 1);
        put(0, 1);
        put(0, 2);
        put(24, 9); // 23 in Exp-Golomb form
        put(1, 2);
        put(full_range.into(), 1);
        put(3, 3); // 2
        put(3, 3);
        put(depth - 7, if depth == 12 { 5 } else { 3 });
        put(0, 4);
        put(resampled.into(), 1);
        put(no_residual.into(), 1);
        put(0, 16);
        let octet = |bits: &[u8]| bits.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
        bits.as_bytes().chunks_exact(8).map(octet).collect()
    }

    #[test]
    fn profiles_follow_from_the_layers() {
        assert_eq!(dolby_vision_profile(&header(1, false, 12, false, true)), Some(8));
        assert_eq!(dolby_vision_profile(&header(1, false, 12, true, false)), Some(7));
        assert_eq!(dolby_vision_profile(&header(1, false, 10, true, false)), Some(4));
        assert_eq!(dolby_vision_profile(&header(0, true, 12, false, true)), Some(5));
        let whole = header(1, false, 12, false, true);
        assert!((0..8).all(|bytes| dolby_vision_profile(&whole[..bytes]).is_none()));
        assert_eq!(dolby_vision_profile(&[&[24], &whole[1..]].concat()), None);
    }

    #[test]
    fn emulation_prevention_is_told_from_content_by_the_checksum() {
        // A published check value of this CRC.
        assert_eq!(crc(b"123456789"), 0x0376_E6E7);
        let with_checksum = |body: &[u8]| [&[25], body, &crc(body).to_be_bytes(), &[0x80]].concat();
        let plain = with_checksum(&[9, 0, 0, 1, 7]);
        let escaped = [&plain[..4], &[3], &plain[4..]].concat();
        assert_eq!(dolby_vision_rpu(&escaped), plain);
        assert_eq!(dolby_vision_rpu(&plain), plain);
        assert_eq!(dolby_vision_rpu(&[&escaped[..], &[0]].concat()), plain);
        // These bytes look like emulation prevention, and are content.
        let content = with_checksum(&[9, 0, 0, 3, 1, 7]);
        assert_eq!(dolby_vision_rpu(&content), content);
    }

    #[test]
    fn what_can_be_stated_follows_from_the_colours() {
        let colour = |primaries, transfer| Colour { primaries, transfer, matrix: 9, ..Colour::default() };
        let stated = |primaries, transfer| DolbyVision::of_hevc(colour(primaries, transfer));
        assert_eq!(stated(9, 16), Some(DolbyVision { profile: 8, compatibility: 1 }));
        assert_eq!(stated(9, 18), Some(DolbyVision { profile: 8, compatibility: 4 }));
        assert_eq!((stated(1, 1), stated(1, 16), stated(9, 2)), (None, None, None));
    }

    #[test]
    fn levels_follow_from_size_and_rate() {
        assert_eq!(DolbyVision::level(1280, 720, 24.0), Some(1));
        assert_eq!(DolbyVision::level(1920, 1080, 24000.0 / 1001.0), Some(3));
        assert_eq!(DolbyVision::level(3840, 2160, 60.0), Some(9));
        assert_eq!(DolbyVision::level(1080, 1920, 60.0), Some(5));
        assert_eq!(DolbyVision::level(7680, 4320, 240.0), None);
    }
}
