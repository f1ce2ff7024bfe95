//! This module names coding formats as playlists do (RFC 6381, and the registrations of each format).

use retake_media::{AudioFormat, Codec, Colour, FormatDescription, Range};
use std::fmt::Write;

/// Returns the name of video by the configuration in its sample entry, or `None` if that is too short to
/// tell.
pub(super) fn video(format: &FormatDescription) -> Option<String> {
    let config = format.config.as_slice();
    let at = |index: usize| config.get(index).copied();
    match format.codec {
        // the record has profile, constraints and level (ISO 14496-15, annex E)
        Codec::H264 => Some(format!("avc1.{:02X}{:02X}{:02X}", at(1)?, at(2)?, at(3)?)),
        Codec::Hevc => hevc(config),
        // the fields are those of AV1-ISOBMFF, section 5
        Codec::Av1 => {
            let (first, second) = (at(1)?, at(2)?);
            let tier = if second & 0x80 == 0 { 'M' } else { 'H' };
            let depth = match (second & 0x40 != 0, second & 0x20 != 0) {
                (false, _) => 8,
                (true, false) => 10,
                (true, true) => 12,
            };
            let mut name = format!("av01.{}.{:02}{tier}.{depth:02}", first >> 5, first & 0x1f);
            let (alone, across, down) = (second >> 4 & 1, second >> 3 & 1, second >> 2 & 1);
            // What follows is assumed to be 4:2:0 where it is left out, and is given all or none of it.
            if (alone, across, down) != (0, 1, 1) {
                let position = if across & down == 1 { second & 3 } else { 0 };
                let Colour { primaries, transfer, matrix, range, .. } = format.colour;
                let full = u8::from(range == Range::Full);
                write!(name, ".{alone}.{across}{down}{position}").ok()?;
                write!(name, ".{primaries:02}.{transfer:02}.{matrix:02}.{full}").ok()?;
            }
            Some(name)
        }
        // the record comes with or without version and flags of the box (VP Codec ISO Media File Format
        // Binding)
        Codec::Vp9 => {
            let fields =
                if config.len() >= 12 && config[..4] == [1, 0, 0, 0] { &config[4..] } else { config };
            let at = |index: usize| fields.get(index).copied();
            let mut name = format!("vp09.{:02}.{:02}.{:02}", at(0)?, at(1)?, at(2)? >> 4);
            let chroma = at(2)? >> 1 & 7;
            // What follows is assumed to be 4:2:0 where it is left out, and is given all or none of it.
            if chroma > 1 {
                let (primaries, transfer, matrix) = (at(3)?, at(4)?, at(5)?);
                let full = at(2)? & 1;
                write!(name, ".{chroma:02}.{primaries:02}.{transfer:02}.{matrix:02}.{full:02}").ok()?;
            }
            Some(name)
        }
        // no player of streams expects these
        Codec::Vvc | Codec::Mpeg4 | Codec::Mpeg2 | Codec::ProRes => None,
    }
}

/// Returns the name of HEVC (ISO 14496-15, annex E.3).
fn hevc(config: &[u8]) -> Option<String> {
    let fields: &[u8; 12] = config.get(1..13)?.try_into().ok()?;
    let space = ["", "A", "B", "C"][usize::from(fields[0] >> 6)];
    let tier = if fields[0] & 0x20 == 0 { 'L' } else { 'H' };
    let compatible = u32::from_be_bytes([fields[1], fields[2], fields[3], fields[4]]).reverse_bits();
    let mut name = format!("hvc1.{space}{}.{compatible:X}.{tier}{}", fields[0] & 0x1f, fields[11]);
    let constraints = &fields[5..11];
    let used = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..used] {
        write!(name, ".{byte:X}").ok()?;
    }
    Some(name)
}

/// Returns the name of sound, or `None` for formats that players of streams do not expect.
pub(super) fn sound(format: &AudioFormat) -> Option<String> {
    Some(match format.codec.as_str() {
        "aac" => format!("mp4a.40.{}", aac_object_type(&format.config).unwrap_or(2)),
        "mp3" => "mp4a.40.34".into(),
        "ac3" => "ac-3".into(),
        "eac3" => "ec-3".into(),
        "flac" => "fLaC".into(),
        "alac" => "alac".into(),
        "opus" => "Opus".into(),
        _ => return None,
    })
}

/// Returns the object type that an AudioSpecificConfig begins with (ISO 14496-3, 1.6.2.1).
fn aac_object_type(config: &[u8]) -> Option<u8> {
    let first = *config.first()?;
    match first >> 3 {
        31 => Some(32 + ((first & 7) << 3 | config.get(1)? >> 5)),
        kind => Some(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::{Colour, Rational};

    /// The records are those of known streams, and the names those that their registrations print for them.
    #[test]
    fn names_of_published_examples() {
        let video = |codec, config: &[u8]| {
            video(&FormatDescription {
                codec,
                width: 16,
                height: 16,
                config: config.to_vec(),
                colour: Colour::default(),
                pixel_aspect_ratio: Rational::new(1, 1),
                clean_aperture: None,
                fields: None,
                gamma: None,
                icc_profile: None,
                mastering_display: None,
                content_light: None,
                dolby_vision: None,
            })
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(video(Codec::H264, &[1, 0x64, 0, 0x1f]), named("avc1.64001F"));
        let main10 = [1, 2, 0x20, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93];
        assert_eq!(video(Codec::Hevc, &main10), named("hvc1.2.4.L93.B0"));
        assert_eq!(video(Codec::Av1, &[0x81, 0x04, 0x0c, 0]), named("av01.0.04M.08"));
        assert_eq!(video(Codec::Av1, &[0x81, 0x08, 0x4c, 0]), named("av01.0.08M.10"));
        let unspecified = "02.02.02.0";
        let wide = format!("av01.1.04M.08.0.000.{unspecified}");
        assert_eq!(video(Codec::Av1, &[0x81, 0x24, 0x00, 0]), Some(wide));
        let alone = format!("av01.0.08M.10.1.110.{unspecified}");
        assert_eq!(video(Codec::Av1, &[0x81, 0x08, 0x5c, 0]), Some(alone));
        assert_eq!(video(Codec::Vp9, &[1, 0, 0, 0, 2, 10, 0xa2, 9, 16, 9, 0, 0]), named("vp09.02.10.10"));
        let wide = [1, 0, 0, 0, 1, 10, 0x86, 1, 1, 1, 0, 0];
        assert_eq!(video(Codec::Vp9, &wide), named("vp09.01.10.08.03.01.01.01.00"));
        assert_eq!(video(Codec::H264, &[1, 0x7a, 0, 0x1f]), named("avc1.7A001F"));
        // Main 4:2:2 10, with its constraints in the first two bytes behind the compatibility
        let main422 = [1, 4, 0x08, 0, 0, 0, 0x9d, 0x08, 0, 0, 0, 0, 93];
        assert_eq!(video(Codec::Hevc, &main422), named("hvc1.4.10.L93.9D.8"));
        assert_eq!(video(Codec::H264, &[1]), None);
        let sound = |codec: &str, config: &[u8]| {
            sound(&AudioFormat { codec: codec.into(), config: config.into(), ..AudioFormat::default() })
        };
        assert_eq!(sound("aac", &[0x11, 0x90]), named("mp4a.40.2"));
        assert_eq!(sound("aac", &[0xf9, 0x48]), named("mp4a.40.42"), "xHE-AAC");
        assert_eq!(sound("pcm_s16le", &[]), None);
    }
}
