//! This module writes values as little-endian bytes, for records and indices.

use super::RecordLocation;

pub(crate) fn put_location(out: &mut Vec<u8>, location: RecordLocation) {
    out.extend(location.offset.to_le_bytes());
    out.extend(location.length.to_le_bytes());
}

/// Returns the first bytes of `bytes`, and moves `bytes` behind them.
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
