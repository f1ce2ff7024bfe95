//! Makes the `av1C` record of AV1 (AV1 in ISOBMFF, 2.3), and the payloads of samples.

use super::bits::Bits;
use retake_compression::encoder::EncoderSettings;
use retake_media::ChromaSubsampling;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

struct Obu<'a> {
    kind: u8,
    /// The unit with header and size.
    whole: &'a [u8],
    payload: &'a [u8],
}

fn obus(data: &[u8]) -> impl Iterator<Item = Result<Obu<'_>, String>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let obu = split(rest).ok_or_else(|| "an OBU of the library ends before its size says".to_owned());
        rest = obu.as_ref().map_or(&[], |obu| &rest[obu.whole.len()..]);
        Some(obu)
    })
}

fn split(data: &[u8]) -> Option<Obu<'_>> {
    let header = *data.first()?;
    let mut at = if header & 4 != 0 { 2 } else { 1 };
    let mut size = data.len().checked_sub(at)?;
    if header & 2 != 0 {
        size = 0;
        for shift in (0..56).step_by(7) {
            let byte = *data.get(at)?;
            at += 1;
            size |= usize::from(byte & 127) << shift;
            if byte & 128 == 0 {
                break;
            }
        }
    }
    let end = at.checked_add(size)?;
    Some(Obu { kind: header >> 3 & 15, whole: data.get(..end)?, payload: &data[at..end] })
}

/// Returns a temporal unit without its delimiter. The sequence header stays in front of key frames, because
/// the standard requires it there. `metadata` are put before the last frame, because that is the one that is
/// shown; those before it are only referred to.
pub(super) fn sample(data: &[u8], metadata: &[u8]) -> Result<Vec<u8>, String> {
    let mut kept = Vec::with_capacity(data.len() + metadata.len());
    let mut delimiters = 0;
    let mut shown = None;
    for obu in obus(data) {
        let obu = obu?;
        if obu.kind == TEMPORAL_DELIMITER {
            delimiters += 1;
        } else {
            if matches!(obu.kind, FRAME_HEADER | FRAME) {
                shown = Some(kept.len());
            }
            kept.extend(obu.whole);
        }
    }
    if delimiters > 1 {
        return Err("the library put two temporal units into one packet".to_owned());
    }
    if !metadata.is_empty() {
        let shown = shown.ok_or("the library gave a sample without a picture")?;
        kept.splice(shown..shown, metadata.iter().copied());
    }
    Ok(kept)
}

/// Returns the number of frames in a temporal unit, those that are not shown counted.
pub(super) fn frames(data: &[u8]) -> usize {
    obus(data).flatten().filter(|obu| matches!(obu.kind, FRAME_HEADER | FRAME)).count()
}

/// Returns the record, from the sequence header among the headers.
pub(super) fn config(headers: &[u8], settings: &EncoderSettings) -> Result<Vec<u8>, String> {
    let mut found = None;
    for obu in obus(headers) {
        let obu = obu?;
        if obu.kind == SEQUENCE_HEADER {
            found = Some(obu);
        }
    }
    let obu = found.ok_or("the library gave no sequence header")?;
    let Level { profile, level, tier } = Level::read(&mut Bits::new(obu.payload))
        .ok_or("the library gave a sequence header that ends too early")?;
    let high_depth = u8::from(settings.format.bit_depth() > 8);
    // The flag of luma alone, two of chroma of half the width and of half the height, and the position of
    // chroma, which pictures of half the height alone have.
    let chroma = match (settings.format.chroma_subsampling(), settings.colour.chroma_location) {
        (ChromaSubsampling::Monochrome, _) => 0b11100,
        (ChromaSubsampling::Yuv420, 1) => 0b01101,
        (ChromaSubsampling::Yuv420, 3) => 0b01110,
        (ChromaSubsampling::Yuv420, _) => 0b01100,
        (ChromaSubsampling::Yuv422, _) => 0b01000,
        (ChromaSubsampling::Yuv444, _) => 0b00000,
    };
    let mut record = vec![0x81, profile << 5 | level, tier << 7 | high_depth << 6 | chroma, 0];
    record.extend(obu.whole);
    Ok(record)
}

/// The first operating point of a sequence header.
struct Level {
    profile: u8,
    level: u8,
    tier: u8,
}

impl Level {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let profile = bits.read(3)? as u8;
        bits.read(1)?; // still_picture
        if bits.flag()? {
            // This is reduced_still_picture_header.
            return Some(Self { profile, level: bits.read(5)? as u8, tier: 0 });
        }
        if bits.flag()? {
            bits.read(32)?; // num_units_in_display_tick
            bits.read(32)?; // time_scale
            if bits.flag()? {
                skip_uvlc(bits)?; // num_ticks_per_picture_minus_1
            }
            if bits.flag()? {
                bits.read(5)?; // decoder model
                bits.read(32)?;
                bits.read(10)?;
            }
        }
        bits.read(1)?; // initial_display_delay_present_flag
        bits.read(5)?; // operating_points_cnt_minus_1
        bits.read(12)?; // operating_point_idc
        let level = bits.read(5)? as u8;
        let tier = if level > 7 { bits.read(1)? as u8 } else { 0 };
        Some(Self { profile, level, tier })
    }
}

/// Skips an Exp-Golomb number whose value does not matter.
fn skip_uvlc(bits: &mut Bits<'_>) -> Option<()> {
    bits.exp_golomb().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::PixelFormat;

    #[test]
    fn delimiters_go_and_the_rest_stays() {
        let unit = [0x12, 0, 0x0a, 2, 7, 7, 0x32, 1, 9];
        assert_eq!(sample(&unit, &[]).unwrap(), unit[2..]);
        assert!(sample(&[0x12, 0, 0x12, 0], &[]).is_err());
        assert!(sample(&[0x32, 5, 1], &[]).is_err());
        assert!(config(&[0x12, 0], &settings()).is_err());
    }

    /// AV1 in ISOBMFF, 2.3.3: the record states luma alone, and by what chroma is smaller.
    #[test]
    fn the_record_states_the_chroma() {
        // a sequence header of a still picture: profile 0, level 8
        let headers = [0x0a, 2, 0b0001_1010, 0b0000_0000];
        let flags = |format: PixelFormat| {
            let colour = retake_media::Colour { chroma_location: 3, ..Default::default() };
            config(&headers, &EncoderSettings { format, colour, ..settings() }).unwrap()[2]
        };
        use PixelFormat::{I010, I210, I410, I420, I422, I444, Y8, Y10};
        let all = [Y8, I420, I422, I444].map(flags);
        assert_eq!(all, [0b0001_1100, 0b0000_1110, 0b0000_1000, 0]);
        assert_eq!([Y10, I010, I210, I410].map(flags), all.map(|flags| flags | 0b0100_0000));
    }

    #[test]
    fn metadata_stand_before_the_frame_that_is_shown() {
        let (sequence, hidden, shown) = ([0x0a, 1, 7], [0x32, 1, 8], [0x1a, 1, 9]);
        let unit = [&[0x12, 0][..], &sequence, &hidden, &shown].concat();
        let expected = [&sequence[..], &hidden, &[1, 2], &shown].concat();
        assert_eq!(sample(&unit, &[1, 2]).unwrap(), expected);
        assert!(sample(&[0x0a, 1, 7], &[1, 2]).is_err());
    }

    fn settings() -> EncoderSettings {
        use retake_compression::encoder::RateControl;
        use retake_media::{Colour, Rational};
        EncoderSettings {
            width: 64,
            height: 64,
            format: PixelFormat::I420,
            frame_rate: Rational::new(25, 1),
            colour: Colour::default(),
            pixel_aspect_ratio: Rational::new(1, 1),
            mastering_display: None,
            content_light: None,
            preset: String::new(),
            rate: RateControl::Quality(30.0),
            limit: None,
            max_key_frame_interval: 0,
            threads: 1,
            reconstruct: false,
            controls: Default::default(),
            options: Vec::new(),
        }
    }
}
