//! What frames bring beside their pictures, made up for tests: another value for each frame, in forms that
//! FFmpeg takes for sound.

/// Bits in text form as bytes; zeros fill the last byte.
fn bytes(bits: &str) -> Vec<u8> {
    let octet = |bits: &[u8]| {
        let byte = bits.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
        byte << (8 - bits.len())
    };
    bits.as_bytes().chunks(8).map(octet).collect()
}

/// Captions of a frame: one packet more than its number, at most 31, so that messages differ in length.
pub fn captions(index: usize) -> Vec<u8> {
    (0..=(index % 31) as u8).flat_map(|packet| [0xFC, 0x80 | packet, 0x80 | index as u8]).collect()
}

/// A message of HDR10+ (ST 2094-40) with one window, every optional part, and values of its own.
pub fn hdr10_plus(index: usize) -> Vec<u8> {
    let mut bits = String::new();
    let mut put = |value: usize, count: usize| bits.push_str(&format!("{value:0count$b}"));
    for (value, count) in [(0xB5, 8), (60, 16), (1, 16), (4, 8), (1, 8), (1, 2), (400 + index, 27)] {
        put(value, count);
    }
    let peaks = |put: &mut dyn FnMut(usize, usize)| {
        for (value, count) in [(1, 1), (2, 5), (2, 5), (1, 4), (15, 4), (7, 4), (index % 16, 4)] {
            put(value, count);
        }
    };
    peaks(&mut put);
    for value in [17_830 + index, 0, 99_999, 4000] {
        put(value, 17);
    }
    let percentiles = 3 + index % 9;
    put(percentiles, 4);
    for percentile in 0..percentiles {
        put(percentile * 9 + 1, 7);
        put(percentile * 1000 + index, 17);
    }
    put(index, 10);
    peaks(&mut put);
    for (value, count) in [(1, 1), (index * 7, 12), (4095, 12), (9, 4)] {
        put(value, count);
    }
    (0..9).for_each(|anchor| put(anchor * 100 + index, 10));
    put(1, 1);
    put(index % 64, 6);
    bytes(&bits)
}

/// An RPU of a profile, of which the curves that it maps by are those of the frame. Its zeros need emulation
/// prevention.
pub fn rpu(profile: u8, index: usize) -> Vec<u8> {
    let (syntax, full, layered) = match profile {
        5 => ("0000", "1", "01"),
        7 => ("0001", "0", "10"),
        _ => ("0001", "0", "01"),
    };
    // The header; no metadata of the display; the first mapping, in YCbCr of 4:2:0.
    let head = ["000010", "00000010010", syntax, "0000", "1", "0", "00", "000011000", "01", full];
    let mapping = ["011", "011", "00101", "0000", layered, "0", "0", "1", "1", "1"];
    // One piece from 0 to 1023 for each component, and one partition of the picture.
    let pieces = ["1", "0000000000", "1111111111"].concat().repeat(3) + "11";
    // Each is a line: c0 is 0 and a fraction, c1 is 1.
    let line = format!("1101{index:023b}010{:023b}", 0).repeat(3);
    let mut body = bytes(&[head.concat(), mapping.concat(), pieces, line].concat());
    let crc = body.iter().fold(u32::MAX, |crc, &byte| {
        let step = |crc: u32| if crc >> 31 == 0 { crc << 1 } else { crc << 1 ^ 0x04C1_1DB7 };
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| step(crc))
    });
    body.extend(crc.to_be_bytes());
    [&[25], &body[..], &[0x80]].concat()
}

/// A stream of H.264 or HEVC, with start codes, whose frames bring these: units before the first slice of
/// each picture, and units behind the last. `make` is asked once for each picture, in decode order.
pub fn with_units(stream: &[u8], hevc: bool, mut make: impl FnMut(usize) -> [Vec<Vec<u8>>; 2]) -> Vec<u8> {
    let starts: Vec<usize> = (0..stream.len()).filter(|&at| stream[at..].starts_with(&[0, 0, 1])).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let mut out = Vec::new();
    let mut put = |unit: &[u8]| {
        out.extend([0, 0, 0, 1]);
        out.extend(unit);
    };
    let (mut picture, mut behind) = (0, Vec::new());
    for (start, end) in starts.iter().zip(ends) {
        let unit = &stream[start + 3..end];
        let unit = &unit[..unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)];
        let first = match hevc {
            true => unit[0] >> 1 & 63 < 32 && unit[2] & 0x80 != 0,
            false => matches!(unit[0] & 31, 1 | 5) && unit[1] & 0x80 != 0,
        };
        let slice = if hevc { unit[0] >> 1 & 63 < 32 } else { matches!(unit[0] & 31, 1 | 5) };
        if first || !slice {
            std::mem::take(&mut behind).iter().for_each(|unit: &Vec<u8>| put(unit));
        }
        if first {
            let [before, after] = make(picture);
            before.iter().for_each(|unit| put(unit));
            (picture, behind) = (picture + 1, after);
        }
        put(unit);
    }
    behind.iter().for_each(|unit| put(unit));
    out
}

/// A unit with a message of ITU-T T.35 behind a header, with emulation prevention.
pub fn message_unit(header: &[u8], message: &[u8]) -> Vec<u8> {
    assert!(message.len() < 255, "its length takes one byte");
    escaped(header, &[&[4, message.len() as u8], message, &[0x80]].concat())
}

/// A body behind the header of a unit, with emulation prevention.
pub fn escaped(header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut unit = header.to_vec();
    let mut zeros = 0;
    for &byte in body {
        if zeros == 2 && byte < 4 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        unit.push(byte);
    }
    unit
}
