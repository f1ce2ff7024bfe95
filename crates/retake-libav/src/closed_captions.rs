//! Closed captions of CEA-608 as a track of QuickTime (`c608`): samples are packets of ATSC A/53 outside, as
//! libavformat gives them out, and atoms of byte pairs in the file.

/// The bytes of a packet: a marker, which says whether it is valid and of which kind, and a pair of bytes.
const PACKET: usize = 3;

/// The pair that says nothing, with odd parity.
const NOTHING: [u8; 2] = [0x80, 0x80];

/// What a packet holds.
enum Packet<'a> {
    First(&'a [u8]),
    Second(&'a [u8]),
    Padding,
}

fn packet(bytes: &[u8]) -> Option<Packet<'_>> {
    let (marker, pair) = bytes.split_first()?;
    match (marker & 4, marker & 3) {
        (0, _) => Some(Packet::Padding),
        (_, 0) => Some(Packet::First(pair)),
        (_, 1) => Some(Packet::Second(pair)),
        // CEA-708
        _ => None,
    }
}

/// Returns packets of A/53 as a sample of the file: the pairs of the first field in `cdat`, those of the
/// second in `cdt2`. `None` if they are no whole packets, or not of CEA-608 alone.
pub(crate) fn atoms(packets: &[u8]) -> Option<Vec<u8>> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for bytes in packets.chunks(PACKET) {
        match packet(Some(bytes).filter(|bytes| bytes.len() == PACKET)?)? {
            Packet::First(pair) => first.extend(pair),
            Packet::Second(pair) => second.extend(pair),
            Packet::Padding => {}
        }
    }
    if first.is_empty() && second.is_empty() {
        // a sample has at least one pair
        first.extend(NOTHING);
    }
    let mut sample = Vec::new();
    for (kind, pairs) in [(b"cdat", first), (b"cdt2", second)] {
        if !pairs.is_empty() {
            sample.extend(u32::try_from(pairs.len() + 8).ok()?.to_be_bytes());
            sample.extend(kind);
            sample.extend(pairs);
        }
    }
    Some(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AI-1: pairs of both fields have atoms of their own, padding is left out, nothing is a pair that says
    /// nothing; what is no packet of CEA-608 is refused.
    #[test]
    fn packets_become_atoms() {
        let both = [0xFC, 0x94, 0x20, 0xFD, 0x15, 0x2C, 0xF8, 1, 2, 0xFC, 0xC8, 0x45];
        assert_eq!(atoms(&both).unwrap(), b"\0\0\0\x0Ccdat\x94\x20\xC8\x45\0\0\0\x0Acdt2\x15\x2C");
        let nothing = b"\0\0\0\x0Acdat\x80\x80";
        assert_eq!(
            (atoms(&[]).unwrap(), atoms(&[0xF8, 1, 2]).unwrap()),
            (nothing.to_vec(), nothing.to_vec())
        );
        for wrong in [&[0xFC][..], &[0xFC, 1], &[0xFE, 1, 2], &[0xFC, 1, 2, 0xFF, 1, 2]] {
            assert_eq!(atoms(wrong), None, "{wrong:?}");
        }
    }
}
