//! Blocks of objects that are kept in memory, for all readers together: the head of a film and its index are
//! read again by every reader of it.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The bytes of a block.
pub(crate) const BLOCK: u64 = 1 << 20;
/// The blocks that are kept.
pub(crate) const MOST: usize = 16;

/// Which block of which object: what tells the object from others, and the number of the block.
type Key = (String, u64);

/// The blocks that were used last.
#[derive(Default)]
pub(crate) struct Blocks(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    blocks: BTreeMap<Key, (Bytes, u64)>,
    uses: u64,
}

impl Blocks {
    pub(crate) fn get(&self, object: &str, number: u64) -> Option<Bytes> {
        let mut kept = self.lock();
        kept.uses += 1;
        let uses = kept.uses;
        let (bytes, used) = kept.blocks.get_mut(&(object.to_owned(), number))?;
        *used = uses;
        Some(bytes.clone())
    }

    pub(crate) fn keep(&self, object: &str, number: u64, bytes: Bytes) {
        let mut kept = self.lock();
        kept.uses += 1;
        let uses = kept.uses;
        kept.blocks.insert((object.to_owned(), number), (bytes, uses));
        while kept.blocks.len() > MOST {
            let oldest = kept.blocks.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
            oldest.and_then(|key| kept.blocks.remove(&key));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // every change is whole
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_kept() {
        let blocks = Blocks::default();
        for number in 0..MOST as u64 {
            blocks.keep("a", number, Bytes::from(vec![number as u8]));
        }
        assert!(blocks.get("a", 0).is_some() && blocks.get("b", 0).is_none());
        blocks.keep("a", 99, Bytes::new());
        let there = |number| blocks.get("a", number).is_some();
        assert!(there(0) && !there(1) && there(2) && there(99));
    }
}
