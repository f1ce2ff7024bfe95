//! Values as bytes, little-endian, for records and indices.

use super::RecordLocation;

pub(crate) fn put_location(out: &mut Vec<u8>, location: RecordLocation) {
    out.extend(location.offset.to_le_bytes());
    out.extend(location.length.to_le_bytes());
}

/// The first bytes of `bytes`, which then begin behind them.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, back) = bytes.split_first_chunk()?;
    *bytes = back;
    Some(*front)
}

pub(crate) fn location(bytes: &mut &[u8]) -> Option<RecordLocation> {
    Some(RecordLocation {
        offset: u64::from_le_bytes(take(bytes)?),
        length: u32::from_le_bytes(take(bytes)?),
    })
}
