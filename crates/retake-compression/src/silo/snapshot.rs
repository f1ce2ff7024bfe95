//! This module keeps a silo's entries of one moment, in decode order.

use super::entries::{Entries, Entry, Position};
use retake_media::TimeRange;

pub(super) struct Snapshot {
    older: Entries,
    newer: Entries,
    range: Option<TimeRange>,
    at: (Position, Position),
    /// These entries were taken from the lists and are not handed out yet.
    front: (Option<Entry>, Option<Entry>),
}

impl Snapshot {
    pub(super) fn new(older: Entries, newer: Entries, range: Option<TimeRange>) -> Self {
        let start = range.map(|range| range.start);
        let mut at = (older.from(start), newer.from(start));
        let front = (older.next(&mut at.0), newer.next(&mut at.1));
        Self { older, newer, range, at, front }
    }

    /// Returns the next entry; of two with one decode time, the newer.
    pub(super) fn next(&mut self) -> Option<Entry> {
        let (old, new) = self.front;
        let entry = match (old, new) {
            (Some(old), Some(new)) if old.key < new.key => old,
            (Some(old), None) => old,
            (_, Some(new)) => new,
            (None, None) => return None,
        };
        if self.range.is_some_and(|range| range.ends_by(entry.key)) {
            return None;
        }
        if old.is_some_and(|old| old.key == entry.key) {
            self.front.0 = self.older.next(&mut self.at.0);
        }
        if new.is_some_and(|new| new.key == entry.key) {
            self.front.1 = self.newer.next(&mut self.at.1);
        }
        Some(entry)
    }
}
