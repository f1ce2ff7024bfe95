//! This module lists the locations of a silo's samples, in the order of their decode times.

use crate::journal::RecordLocation;
use retake_media::Time;
use std::sync::Arc;

/// A block holds this many entries, because adding a sample must copy no more than one block while a snapshot
/// shares it.
const BLOCK: usize = 1024;

/// An entry holds a sample's decode time and the location of its record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub key: Time,
    pub location: RecordLocation,
}

/// The entries ascend strictly; they lie in blocks that snapshots share.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    blocks: Vec<Arc<Vec<Entry>>>,
}

impl Entries {
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds an entry, which must be above all others.
    pub(super) fn push(&mut self, entry: Entry) {
        match self.blocks.last_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => Arc::make_mut(block).push(entry),
            None => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(entry);
                self.blocks.push(Arc::new(block));
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.blocks.iter().flat_map(|block| block.iter().copied())
    }

    /// Returns the position of the first entry at or above `key`.
    pub(super) fn from(&self, key: Option<Time>) -> Position {
        let Some(key) = key else { return Position::default() };
        let block = self.blocks.partition_point(|block| block.last().is_some_and(|entry| entry.key < key));
        let index = self.blocks.get(block).map_or(0, |block| block.partition_point(|entry| entry.key < key));
        Position { block, index }
    }

    /// Returns the entry at a position, and moves the position to the next one.
    pub(super) fn next(&self, position: &mut Position) -> Option<Entry> {
        let block = self.blocks.get(position.block)?;
        let entry = *block.get(position.index)?;
        position.index += 1;
        if position.index == block.len() {
            *position = Position { block: position.block + 1, index: 0 };
        }
        Some(entry)
    }

    /// Removes the entries for which `remove` holds, and returns their locations.
    pub(super) fn remove(&mut self, mut remove: impl FnMut(Time) -> bool) -> Vec<RecordLocation> {
        let mut removed = Vec::new();
        for block in &mut self.blocks {
            if block.iter().any(|entry| remove(entry.key)) {
                removed.extend(block.iter().filter(|entry| remove(entry.key)).map(|entry| entry.location));
                Arc::make_mut(block).retain(|entry| !remove(entry.key));
            }
        }
        self.blocks.retain(|block| !block.is_empty());
        removed
    }

    /// Merges the entries of `newer` into these. Of two with the same key the newer stays; the locations of
    /// the others are returned.
    pub(super) fn merge(&mut self, newer: Self) -> Vec<RecordLocation> {
        let mut replaced = Vec::new();
        if newer.is_empty() {
            return replaced;
        }
        let older = std::mem::take(self);
        let (mut left, mut right) = (older.iter().peekable(), newer.iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(old), Some(new)) if old.key < new.key => left.next(),
                (Some(old), Some(new)) if old.key == new.key => {
                    replaced.push(old.location);
                    left.next();
                    right.next()
                }
                (_, Some(_)) => right.next(),
                (Some(_), None) => left.next(),
                (None, None) => return replaced,
            };
            next.into_iter().for_each(|entry| self.push(entry));
        }
    }
}

/// A position points to an entry in their order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Position {
    block: usize,
    index: usize,
}
