//! This module writes the events of a silo as bytes. `docs/storage-format.md` has the layout.

use crate::journal::RecordLocation;
use crate::journal::fields::{location, put_location, take};
use retake_media::sample_codec::{TIME_BYTES, put_time, take_time};
use retake_media::{Time, TimeRange};

/// An event is one change of a silo. Commits hold the events in their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// A format description was stored.
    Format(RecordLocation),
    /// A sample was added.
    Sample(Time, RecordLocation),
    /// A pass over these ranges began, and the samples in them were removed.
    Pass(Vec<TimeRange>),
    /// A replacement of these ranges began.
    Replacement(Vec<TimeRange>),
    /// The samples of the replacement took the place of the old ones.
    Commit,
    /// The samples of the replacement were given up.
    Abandon,
}

impl Event {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Format(location) => {
                out.push(b'f');
                put_location(out, *location);
            }
            Self::Sample(key, location) => {
                out.push(b's');
                put_time(out, *key);
                put_location(out, *location);
            }
            Self::Pass(ranges) => put_ranges(out, b'p', ranges),
            Self::Replacement(ranges) => put_ranges(out, b'r', ranges),
            Self::Commit => out.push(b'c'),
            Self::Abandon => out.push(b'a'),
        }
    }

    /// Reads the first event of `bytes`, and moves `bytes` behind it.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let [kind] = take(bytes)?;
        Some(match kind {
            b'f' => Self::Format(location(bytes)?),
            b's' => Self::Sample(take_time(bytes)?, location(bytes)?),
            b'p' => Self::Pass(ranges(bytes)?),
            b'r' => Self::Replacement(ranges(bytes)?),
            b'c' => Self::Commit,
            b'a' => Self::Abandon,
            _ => return None,
        })
    }
}

fn put_ranges(out: &mut Vec<u8>, kind: u8, ranges: &[TimeRange]) {
    out.push(kind);
    out.extend((ranges.len() as u64).to_le_bytes());
    for range in ranges {
        put_time(out, range.start);
        put_time(out, range.duration);
    }
}

fn ranges(bytes: &mut &[u8]) -> Option<Vec<TimeRange>> {
    let count = u64::from_le_bytes(take(bytes)?);
    // a count of more ranges than there are bytes for is refused, because it must not size an allocation
    (count <= (bytes.len() / (2 * TIME_BYTES)) as u64).then_some(())?;
    (0..count).map(|_| Some(TimeRange::new(take_time(bytes)?, take_time(bytes)?))).collect()
}
