//! Where decoding can start, as the bitstream itself says it.

use retake_media::{Codec, SampleBuffer, SampleKind};

/// What the bitstream of a sample says about decoding from it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RandomAccess {
    /// Nothing behind it refers to anything before it: an IDR or BLA picture.
    Full,
    /// Pictures that follow it and are shown before it need what comes before it: a CRA picture, or one with
    /// a recovery point. It begins an open group of pictures.
    Leading,
    /// Decoding cannot start here.
    None,
}

impl RandomAccess {
    /// Asks the units of a sample. `None` for codecs without such units, and for bytes that are none.
    pub(crate) fn of(codec: Codec, sample: &[u8]) -> Option<Self> {
        let mut recovers = false;
        for unit in units(sample) {
            let unit = unit.ok()?;
            let header = unit[0];
            match (codec, header & 31, header >> 1 & 63) {
                (Codec::H264, 5, _) | (Codec::Hevc, _, 16..=20) => return Some(Self::Full),
                (Codec::Hevc, _, 21) => return Some(Self::Leading),
                (Codec::Hevc, _, 0..=9) => return Some(Self::None),
                (Codec::H264, 6, _) => recovers |= has_recovery_point(&unit[1..]),
                (Codec::H264, 1 | 2, _) if recovers => return Some(Self::Leading),
                (Codec::H264, 1 | 2, _) => return Some(Self::None),
                _ => {}
            }
        }
        None
    }
}

/// Whether one of the messages of a unit of supplemental information is a recovery point (ITU-T H.264,
/// D.1.8). Bytes that prevent emulation are left in, because no type or length of a message here can hold
/// three zeros.
fn has_recovery_point(messages: &[u8]) -> bool {
    const RECOVERY_POINT: usize = 6;
    let mut rest = messages;
    let number = |rest: &mut &[u8]| {
        let mut sum = 0usize;
        while let Some((byte, after)) = rest.split_first() {
            *rest = after;
            sum += usize::from(*byte);
            if *byte != 255 {
                break;
            }
        }
        sum
    };
    // What is left at the end is the stop bit.
    while rest.len() > 2 {
        let (kind, length) = (number(&mut rest), number(&mut rest));
        if kind == RECOVERY_POINT {
            return true;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// Makes the flags of a sync sample those of its bitstream: one that begins an open group is a partial sync
/// sample, because what follows it cannot all be decoded from there.
pub(crate) fn mark_partial_sync(buffer: &mut SampleBuffer) {
    let access = RandomAccess::of(buffer.format.codec, &buffer.sample.data);
    if buffer.sample.kind == SampleKind::Sync && access == Some(RandomAccess::Leading) {
        buffer.sample.kind = SampleKind::Reference;
        buffer.attachments.partial_sync = true;
    }
}

/// Iterates over the units behind their four-byte lengths.
pub(crate) fn units(sample: &[u8]) -> impl Iterator<Item = Result<&[u8], String>> {
    let mut rest = sample;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let found = rest.split_first_chunk::<4>().and_then(|(length, rest)| {
            rest.split_at_checked(u32::from_be_bytes(*length) as usize).filter(|(unit, _)| !unit.is_empty())
        });
        let Some((unit, after)) = found else {
            rest = &[];
            return Some(Err("a unit ends before its length says".to_owned()));
        };
        rest = after;
        Some(Ok(unit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The units of a sample, and what they say.
    type Case<'a> = (Codec, &'a [&'a [u8]], Option<RandomAccess>);

    fn sample(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes(), *unit].concat()).collect()
    }

    /// The types of units are those of ITU-T H.264, table 7-1, and H.265, table 7-1.
    #[test]
    fn the_units_say_where_decoding_can_start() {
        use RandomAccess::{Full, Leading};
        // A message of another type with 300 bytes, and a recovery point of one byte.
        let long = [&[6, 5, 255, 45][..], &[1; 300], &[6, 1, 0xc4, 0x80]].concat();
        let table: &[Case<'_>] = &[
            (Codec::H264, &[&[0x65, 0x88]], Some(Full)),
            (Codec::H264, &[&[6, 6, 1, 0xc4, 0x80], &[0x61, 0x88]], Some(Leading)),
            (Codec::H264, &[&long, &[0x61, 0x88]], Some(Leading)),
            (Codec::H264, &[&[6, 5, 2, 6, 6, 0x80], &[0x61, 0x88]], Some(RandomAccess::None)),
            (Codec::H264, &[&[0x41, 0x9a]], Some(RandomAccess::None)),
            (Codec::Hevc, &[&[19 << 1, 1]], Some(Full)),
            (Codec::Hevc, &[&[39 << 1, 1, 6], &[21 << 1, 1]], Some(Leading)),
            (Codec::Hevc, &[&[1 << 1, 1]], Some(RandomAccess::None)),
            (Codec::H264, &[&[6, 5, 255]], None),
            (Codec::Vp9, &[&[0x65]], None),
        ];
        for (codec, units, expected) in table {
            assert_eq!(RandomAccess::of(*codec, &sample(units)), *expected, "{codec:?} {units:?}");
        }
        assert_eq!(RandomAccess::of(Codec::H264, &[0, 0, 0, 9, 0x65]), None, "a unit that is cut");
    }
}
