//! Values as bytes, little-endian, for records and indices.

use super::Place;
use retake_media::Time;

/// The bytes of a time: value, timescale, flags, epoch.
pub(crate) const TIME: usize = 24;

pub(crate) fn put_time(out: &mut Vec<u8>, time: Time) {
    out.extend(time.value().to_le_bytes());
    out.extend(time.timescale().to_le_bytes());
    out.extend(time.flags().to_le_bytes());
    out.extend(time.epoch().to_le_bytes());
}

pub(crate) fn put_place(out: &mut Vec<u8>, place: Place) {
    out.extend(place.offset.to_le_bytes());
    out.extend(place.length.to_le_bytes());
}

/// The first bytes of `bytes`, which then begin behind them.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, back) = bytes.split_first_chunk()?;
    *bytes = back;
    Some(*front)
}

pub(crate) fn time(bytes: &mut &[u8]) -> Option<Time> {
    let value = i64::from_le_bytes(take(bytes)?);
    let timescale = i32::from_le_bytes(take(bytes)?);
    let flags = u32::from_le_bytes(take(bytes)?);
    let epoch = i64::from_le_bytes(take(bytes)?);
    Some(Time::from_parts(value, timescale, flags, epoch))
}

pub(crate) fn place(bytes: &mut &[u8]) -> Option<Place> {
    Some(Place { offset: u64::from_le_bytes(take(bytes)?), length: u32::from_le_bytes(take(bytes)?) })
}
