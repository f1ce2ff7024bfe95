//! An open object: its bytes come by ranges, and more at once as long as they are read in a row.

use crate::address::Address;
use crate::blocks::BLOCK;
use crate::bucket::{Bucket, Known};
use crate::store::{Inner, Waiting};
use bytes::Bytes;
use retake::objects::{Object, ObjectFacts};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The most blocks of one request. A reader holds so many, and as many again that are under way.
pub(crate) const LONGEST: u64 = 4;

/// An object that is read.
pub(crate) struct Reading {
    inner: Arc<Inner>,
    bucket: Arc<Bucket>,
    address: Address,
    known: Known,
    length: u64,
    identity: String,
    /// What tells the blocks of this object from others.
    shared: String,
    /// The blocks that were fetched last.
    run: Run,
    /// Those that were asked for because they come next.
    ahead: Option<(Range<u64>, Waiting<Bytes>)>,
}

/// Blocks in a row.
#[derive(Default)]
struct Run {
    blocks: Range<u64>,
    bytes: Bytes,
}

impl Reading {
    pub(crate) fn new(
        inner: Arc<Inner>,
        bucket: Arc<Bucket>,
        address: Address,
        facts: ObjectFacts,
        known: Known,
    ) -> Self {
        let ObjectFacts { length, identity, .. } = facts;
        let shared = format!("{}/{} {length} {identity}", address.bucket, address.key);
        Self { inner, bucket, address, known, length, identity, shared, run: Run::default(), ahead: None }
    }

    /// The number of blocks.
    fn blocks(&self) -> u64 {
        self.length.div_ceil(BLOCK)
    }

    fn fetch(&self, blocks: &Range<u64>) -> Waiting<Bytes> {
        let bytes = blocks.start * BLOCK..(blocks.end * BLOCK).min(self.length);
        self.inner.fetched.fetch_add(bytes.end - bytes.start, Ordering::Relaxed);
        let (bucket, key, known) = (self.bucket.clone(), self.address.key.clone(), self.known.clone());
        self.inner.ask(async move { bucket.read(&key, &known, bytes).await })
    }

    /// The block of this number, and where it begins.
    fn block(&mut self, number: u64, interrupted: &dyn Fn() -> bool) -> io::Result<(Bytes, u64)> {
        if self.run.blocks.contains(&number) {
            return Ok((self.run.bytes.clone(), self.run.blocks.start * BLOCK));
        }
        if let Some(bytes) = self.inner.blocks.get(&self.shared, number) {
            // who reads on from here reads in a row
            self.run = Run { blocks: number..number + 1, bytes: bytes.clone() };
            return Ok((bytes, number * BLOCK));
        }
        let follows = number == self.run.blocks.end && !self.run.blocks.is_empty();
        let (blocks, waiting) = match self.ahead.take() {
            Some((blocks, waiting)) if blocks.start == number => (blocks, waiting),
            _ => {
                let before = self.run.blocks.end - self.run.blocks.start;
                let count = if follows { (before * 2).min(LONGEST) } else { 1 };
                let blocks = number..(number + count).min(self.blocks());
                let waiting = self.fetch(&blocks);
                (blocks, waiting)
            }
        };
        let bytes = waiting.wait(interrupted)?;
        if blocks.end - blocks.start == 1 {
            self.inner.blocks.keep(&self.shared, number, bytes.clone());
        }
        self.run = Run { blocks: blocks.clone(), bytes };
        if blocks.end - blocks.start == LONGEST && blocks.end < self.blocks() {
            let next = blocks.end..(blocks.end + LONGEST).min(self.blocks());
            let waiting = self.fetch(&next);
            self.ahead = Some((next, waiting));
        }
        Ok((self.run.bytes.clone(), number * BLOCK))
    }
}

impl Object for Reading {
    fn length(&self) -> u64 {
        self.length
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn read_at(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
        interrupted: &dyn Fn() -> bool,
    ) -> io::Result<usize> {
        if offset >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        let (bytes, begins) = self.block(offset / BLOCK, interrupted)?;
        let found = usize::try_from(offset - begins).ok().and_then(|skip| bytes.get(skip..));
        let found = found.filter(|found| !found.is_empty()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let count = found.len().min(buffer.len());
        buffer[..count].copy_from_slice(&found[..count]);
        Ok(count)
    }
}
