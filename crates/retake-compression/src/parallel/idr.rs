//! This module reads and changes the numbers of H.264 IDR pictures (`idr_pic_id`, ITU-T H.264, 7.3.3 and
//! 7.4.3), because two consecutive ones must not have the same.

use crate::random_access::units;

/// These fields of a stream's SPS and PPS are needed to read its slice headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Headers {
    separate_planes: bool,
    frame_num_bits: u32,
    fields: bool,
    order: Order,
    arithmetic: bool,
    bottom_order: bool,
    deblocking: bool,
    redundant: bool,
}

/// This tells how the picture order is coded (`pic_order_cnt_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Every header has this many bits of order.
    Bits(u32),
    /// Headers hold differences if they are `coded`, or nothing.
    Differences {
        coded: bool,
    },
    Implied,
}

const IDR: u8 = 5;

impl Headers {
    /// Reads the record of an `avcC` with one SPS and one PPS; returns `None` if it cannot be read.
    pub(super) fn of(record: &[u8]) -> Option<Self> {
        let (sps, rest) = set(record.get(6..)?)?;
        let (pps, _) = set(rest.get(1..)?)?;
        let (sps, pps) = (unescape(sps), unescape(pps));
        let mut bits = Bits::new(&sps);
        let profile = bits.read(24)? >> 8 & 0xff;
        bits.read(8)?;
        bits.number()?;
        let mut separate_planes = false;
        if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128) {
            let chroma = bits.number()?;
            separate_planes = chroma == 3 && bits.read(1)? == 1;
            bits.number()?;
            bits.number()?;
            bits.read(1)?;
            if bits.read(1)? == 1 {
                scaling_lists(&mut bits, if chroma == 3 { 12 } else { 8 })?;
            }
        }
        let frame_num_bits = bits.number()? + 4;
        let order = match bits.number()? {
            0 => Order::Bits(bits.number()? + 4),
            1 => {
                let coded = bits.read(1)? == 0;
                bits.number()?;
                bits.number()?;
                for _ in 0..bits.number()?.min(255) {
                    bits.number()?;
                }
                Order::Differences { coded }
            }
            _ => Order::Implied,
        };
        for skip in [0, 1, 0, 0] {
            // the skipped fields are max_num_ref_frames, gaps_in_frame_num_allowed, width and height
            if skip == 1 {
                bits.read(1)?
            } else {
                bits.number()?
            };
        }
        let fields = bits.read(1)? == 0;
        let mut bits = Bits::new(&pps);
        bits.read(8)?;
        bits.number()?;
        bits.number()?;
        let arithmetic = bits.read(1)? == 1;
        let bottom_order = bits.read(1)? == 1;
        if bits.number()? != 0 {
            return None; // groups of slices, which no encoder writes
        }
        bits.number()?;
        bits.number()?;
        bits.read(3)?;
        for _ in 0..3 {
            bits.number()?;
        }
        let deblocking = bits.read(1)? == 1;
        bits.read(1)?;
        let redundant = bits.read(1)? == 1;
        let sizes = frame_num_bits <= 16 && !matches!(order, Order::Bits(bits) if bits > 16);
        sizes.then_some(Self {
            separate_planes,
            frame_num_bits,
            fields,
            order,
            arithmetic,
            bottom_order,
            deblocking,
            redundant,
        })
    }

    /// Returns the number of an IDR picture, or `None` for another picture.
    pub(super) fn idr_pic_id(&self, sample: &[u8]) -> Result<Option<u32>, String> {
        for unit in units(sample) {
            let unit = unit?;
            if unit[0] & 31 == IDR {
                let raw = unescape(unit);
                return self.find(&raw).map(|(_, number)| Some(number));
            }
        }
        Ok(None)
    }

    /// Returns the IDR picture with another number.
    pub(super) fn renumber(&self, sample: &[u8], number: u32) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(sample.len() + 8);
        for unit in units(sample) {
            let unit = unit?;
            let changed = match unit[0] & 31 {
                IDR => escape(&self.slice(&unescape(unit), number)?),
                _ => unit.to_vec(),
            };
            let length = u32::try_from(changed.len()).map_err(|_| cut())?;
            out.extend(length.to_be_bytes());
            out.extend(changed);
        }
        Ok(out)
    }

    /// Returns the number and a reader that stands behind it.
    fn find<'a>(&self, raw: &'a [u8]) -> Result<(Bits<'a>, u32), String> {
        let mut bits = Bits::new(raw);
        let number = self.seek(&mut bits).and_then(|()| bits.number());
        number.map(|number| (bits, number)).ok_or_else(cut)
    }

    /// Moves `bits` to the number.
    fn seek(&self, bits: &mut Bits<'_>) -> Option<()> {
        bits.read(8)?;
        for _ in 0..3 {
            bits.number()?;
        }
        if self.separate_planes {
            bits.read(2)?;
        }
        bits.read(self.frame_num_bits)?;
        if self.fields && bits.read(1)? == 1 {
            bits.read(1)?;
        }
        Some(())
    }

    /// Returns the slice with another number. The bits behind the number move; arithmetic code must begin at
    /// a whole byte again.
    fn slice(&self, raw: &[u8], number: u32) -> Result<Vec<u8>, String> {
        let mut before = Bits::new(raw);
        self.seek(&mut before).ok_or_else(cut)?;
        let (mut after, _) = self.find(raw)?;
        let mut out = Writer::default();
        out.copy(raw, 0, before.at);
        out.number(number);
        let rest = after.at;
        if self.arithmetic {
            self.skip_header(&mut after).ok_or_else(cut)?;
            out.copy(raw, rest, after.at);
            out.align(true);
            out.bytes.extend(raw.get(after.at.div_ceil(8)..).ok_or_else(cut)?);
        } else {
            // the last one bit ends the data
            let last = raw.iter().rposition(|&byte| byte != 0).ok_or_else(cut)?;
            let end = last * 8 + 8 - raw[last].trailing_zeros() as usize;
            if end < rest {
                return Err(cut());
            }
            out.copy(raw, rest, end);
            out.align(false);
        }
        Ok(out.bytes)
    }

    /// Moves from behind the number to the data, in a slice of an IDR picture.
    fn skip_header(&self, bits: &mut Bits<'_>) -> Option<()> {
        match self.order {
            Order::Bits(width) => {
                bits.read(width)?;
                if self.bottom_order {
                    bits.number()?;
                }
            }
            Order::Differences { coded: true } => {
                bits.number()?;
                if self.bottom_order {
                    bits.number()?;
                }
            }
            Order::Differences { coded: false } | Order::Implied => {}
        }
        if self.redundant {
            bits.number()?;
        }
        // these are no_output_of_prior_pics_flag and long_term_reference_flag
        bits.read(2)?;
        bits.number()?;
        if self.deblocking && bits.number()? != 1 {
            bits.number()?;
            bits.number()?;
        }
        Some(())
    }
}

fn cut() -> String {
    "a slice ends within its header".to_owned()
}

/// Splits a parameter set, which stands behind its length of two bytes, from the rest.
fn set(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = record.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn scaling_lists(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    for list in 0..count {
        if bits.read(1)? == 0 {
            continue;
        }
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                let code = i64::from(bits.number()?);
                let delta = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
                next = (last + delta).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

/// Removes emulation prevention (7.4.1).
fn unescape(unit: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let keep = |byte: &u8| {
        let keep = !(zeros >= 2 && *byte == 3);
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        keep
    };
    unit.iter().copied().filter(keep).collect()
}

/// Inserts emulation prevention.
fn escape(raw: &[u8]) -> Vec<u8> {
    let mut unit = Vec::with_capacity(raw.len() + 8);
    let mut zeros = 0;
    for &byte in raw {
        if zeros >= 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        unit.push(byte);
        zeros = if byte == 0 { zeros + 1 } else { 0 };
    }
    if zeros > 0 {
        unit.push(3);
    }
    unit
}

/// A reader of bits takes the highest bit of a byte first.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    fn read(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0u32, |value, _| {
            let byte = *self.data.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(value << 1 | u32::from(bit))
        })
    }

    /// Reads an Exp-Golomb code (9.1); of signed numbers, it returns the code.
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 30 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    /// This many bits of the last byte are used; 0 means all.
    used: usize,
}

impl Writer {
    fn bit(&mut self, bit: bool) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.used);
        }
        self.used = (self.used + 1) % 8;
    }

    fn copy(&mut self, from: &[u8], start: usize, end: usize) {
        for at in start..end {
            self.bit(from[at / 8] >> (7 - at % 8) & 1 == 1);
        }
    }

    fn number(&mut self, number: u32) {
        let code = number + 1;
        let width = code.ilog2();
        (0..width).for_each(|_| self.bit(false));
        (0..=width).rev().for_each(|at| self.bit(code >> at & 1 == 1));
    }

    fn align(&mut self, with: bool) {
        while self.used != 0 {
            self.bit(with);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADERS: Headers = Headers {
        separate_planes: false,
        frame_num_bits: 5,
        fields: false,
        order: Order::Bits(6),
        arithmetic: true,
        bottom_order: false,
        deblocking: true,
        redundant: false,
    };

    /// Writes a slice: its header, and behind it some data.
    fn slice(headers: &Headers, number: u32, data: &[u8]) -> Vec<u8> {
        let mut out = Writer::default();
        (0..8).rev().for_each(|at| out.bit(0x65 >> at & 1 == 1));
        for code in [0, 7, 0] {
            out.number(code);
        }
        (0..headers.frame_num_bits).for_each(|_| out.bit(false));
        out.number(number);
        (0..6).for_each(|at| out.bit(at == 4));
        out.bit(false);
        out.bit(false);
        for code in [9, 0, 3, 4] {
            out.number(code);
        }
        if headers.arithmetic {
            out.align(true);
            out.bytes.extend(data);
        } else {
            out.copy(data, 0, data.len() * 8);
            out.bit(true);
            out.align(false);
        }
        let unit = escape(&out.bytes);
        [&(unit.len() as u32).to_be_bytes()[..], &unit].concat()
    }

    proptest! {
        /// PA-11: the picture with another number equals the one that would have been written with it,
        /// whatever the data and their code are.
        #[test]
        fn a_slice_with_another_number_is_the_one_written_with_it(
            from in 0u32..9, to in 0u32..9, arithmetic: bool,
            data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(3), any::<u8>()], 1..60),
        ) {
            let headers = Headers { arithmetic, ..HEADERS };
            let sample = slice(&headers, from, &data);
            prop_assert_eq!(headers.idr_pic_id(&sample), Ok(Some(from)));
            prop_assert_eq!(headers.renumber(&sample, to), Ok(slice(&headers, to, &data)));
        }

        /// Whatever the bytes are, reading them must come to an end and must not panic.
        #[test]
        fn damage_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80), arithmetic: bool) {
            let headers = Headers { arithmetic, ..HEADERS };
            let _ = Headers::of(&bytes);
            let _ = headers.idr_pic_id(&bytes);
            let unit = [&(bytes.len() as u32 + 1).to_be_bytes()[..], &[0x65], &bytes].concat();
            let _ = headers.renumber(&unit, 2);
        }
    }

    #[test]
    fn other_pictures_have_no_number() {
        assert_eq!(HEADERS.idr_pic_id(&[0, 0, 0, 2, 0x41, 0x9a]), Ok(None));
    }
}
