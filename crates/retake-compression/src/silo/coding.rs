//! Samples and index entries as bytes. `docs/storage-format.md` has the layout.

use crate::log::Place;
use crate::log::fields::{TIME, place, put_place, put_time, take, time};
use retake_media::{FormatDescription, Sample, SampleAttachments, SampleBuffer, SampleKind, Time, TimeRange};
use std::sync::Arc;

/// Three times, the kind, the number of the description, the length of the attachments.
const HEADER: usize = 3 * TIME + 1 + 4 + 4;

/// What happened to a silo, as its commits tell it in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// A format description was kept.
    Format(Place),
    /// A sample was added.
    Sample(Time, Place),
    /// A pass over these ranges began, and what was in them is gone.
    Pass(Vec<TimeRange>),
    /// A replacement of these ranges began.
    Replacement(Vec<TimeRange>),
    /// The replacement counts.
    Commit,
    /// The replacement does not.
    Abandon,
}

impl Event {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Format(place) => {
                out.push(b'f');
                put_place(out, *place);
            }
            Self::Sample(key, place) => {
                out.push(b's');
                put_time(out, *key);
                put_place(out, *place);
            }
            Self::Pass(ranges) => put_ranges(out, b'p', ranges),
            Self::Replacement(ranges) => put_ranges(out, b'r', ranges),
            Self::Commit => out.push(b'c'),
            Self::Abandon => out.push(b'a'),
        }
    }

    /// The first event of `bytes`, which then begin behind it.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let [kind] = take(bytes)?;
        Some(match kind {
            b'f' => Self::Format(place(bytes)?),
            b's' => Self::Sample(time(bytes)?, place(bytes)?),
            b'p' => Self::Pass(ranges(bytes)?),
            b'r' => Self::Replacement(ranges(bytes)?),
            b'c' => Self::Commit,
            b'a' => Self::Abandon,
            _ => return None,
        })
    }
}

/// Attachments as text, empty if there are none; nothing where the text would not give them back (an error that is not a number).
pub(super) fn attachments(attachments: &SampleAttachments) -> Option<Vec<u8>> {
    if attachments.is_empty() {
        return Some(Vec::new());
    }
    let text = serde_json::to_vec(attachments).ok()?;
    let again: SampleAttachments = serde_json::from_slice(&text).ok()?;
    (again == *attachments).then_some(text)
}

/// What precedes the attachments and the compressed frame in a sample's record.
pub(super) fn sample_header(sample: &Sample, format: u32, attachments: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    for time in [sample.pts, sample.dts, sample.duration] {
        put_time(&mut header, time);
    }
    header.push(match sample.kind {
        SampleKind::Sync => 0,
        SampleKind::Reference => 1,
        SampleKind::Disposable => 2,
    });
    header.extend(format.to_le_bytes());
    // a longer text makes a record that is refused for its length
    header.extend(u32::try_from(attachments.len()).unwrap_or(u32::MAX).to_le_bytes());
    header
}

/// The sample of a record.
pub(super) fn sample(payload: &[u8], formats: &[Arc<FormatDescription>]) -> Option<SampleBuffer> {
    let bytes = &mut &payload[..];
    let (pts, dts, duration) = (time(bytes)?, time(bytes)?, time(bytes)?);
    let [kind] = take(bytes)?;
    let kind = match kind {
        0 => SampleKind::Sync,
        1 => SampleKind::Reference,
        2 => SampleKind::Disposable,
        _ => return None,
    };
    let format = formats.get(u32::from_le_bytes(take(bytes)?) as usize)?;
    let length = u32::from_le_bytes(take(bytes)?) as usize;
    let (text, data) = bytes.split_at_checked(length)?;
    let attachments =
        if text.is_empty() { SampleAttachments::default() } else { serde_json::from_slice(text).ok()? };
    let sample = Sample { data: data.to_vec(), pts, dts, duration, kind };
    Some(SampleBuffer { sample, format: format.clone(), attachments })
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
    // as many as there are bytes for, whatever the number says
    (count <= (bytes.len() / (2 * TIME)) as u64).then_some(())?;
    (0..count).map(|_| Some(TimeRange::new(time(bytes)?, time(bytes)?))).collect()
}
