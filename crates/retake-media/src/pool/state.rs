//! The state that a pool shares with its buffers: idle memory, counts, and observers.

use super::attributes::{BufferAge, Clock, PoolAttributes};
use crate::PixelBufferError;
use crate::pixel::Memory;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

type Callback = Arc<dyn Fn() + Send + Sync>;

/// The part of a pool that its buffers know. They hold it weakly, because a pool may go before its buffers.
pub(crate) struct PoolState {
    attributes: PoolAttributes,
    clock: Box<dyn Clock>,
    buffers: Mutex<Buffers>,
}

#[derive(Default)]
struct Buffers {
    /// The idle memory and the times when it came back, the oldest first.
    idle: VecDeque<(Memory, Duration)>,
    /// The number of buffers in use and idle.
    allocated: usize,
    /// The number of allocations since the pool was made.
    allocations: u64,
    /// Whether a threshold refused a request since the last notification.
    refused: bool,
    observers: Vec<(u64, Callback)>,
    next_observer: u64,
}

impl Buffers {
    /// Returns the observers that must be notified that a refused request may be made again; none if none was
    /// refused.
    fn end_episode(&mut self) -> Vec<Callback> {
        match std::mem::take(&mut self.refused) {
            true => self.observers.iter().map(|(_, callback)| callback.clone()).collect(),
            false => Vec::new(),
        }
    }
}

/// Memory for a buffer: recycled, or still to be allocated, in which case the counts include it already.
pub(super) enum Grant {
    Recycled(Memory),
    Allocate,
}

impl PoolState {
    pub(super) fn new(attributes: PoolAttributes, clock: Box<dyn Clock>) -> Self {
        Self { attributes, clock, buffers: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Buffers> {
        // The clock is the only foreign code that runs under the lock, and it runs before anything is half
        // changed; so the content is whole even if it panics.
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn attributes(&self) -> PoolAttributes {
        self.attributes
    }

    pub(super) fn idle(&self) -> usize {
        self.lock().idle.len()
    }

    pub(super) fn allocated(&self) -> usize {
        self.lock().allocated
    }

    pub(super) fn allocations(&self) -> u64 {
        self.lock().allocations
    }

    /// Grants the most recently used memory, because it is the warmest in the caches; else leave to allocate,
    /// unless a threshold forbids it.
    pub(super) fn grant(&self, threshold: Option<usize>) -> Result<Grant, PixelBufferError> {
        let mut buffers = self.lock();
        let recycled = buffers.idle.pop_back();
        let aged = self.take_aged(&mut buffers);
        let grant = match (recycled, threshold) {
            (Some((memory, _)), _) => Ok(Grant::Recycled(memory)),
            (None, Some(threshold)) if buffers.allocated >= threshold => {
                buffers.refused = true;
                let allocated = buffers.allocated;
                Err(PixelBufferError::WouldExceedAllocationThreshold { allocated, threshold })
            }
            (None, _) => {
                buffers.allocated += 1;
                buffers.allocations += 1;
                Ok(Grant::Allocate)
            }
        };
        // Memory is freed without the lock, because the system may take long.
        drop(buffers);
        drop(aged);
        grant
    }

    /// Takes back a leave to allocate that failed, because another request may have been refused for its
    /// sake.
    pub(super) fn not_allocated(&self) {
        let mut buffers = self.lock();
        buffers.allocated -= 1;
        buffers.allocations -= 1;
        let waiting = buffers.end_episode();
        drop(buffers);
        waiting.iter().for_each(|callback| callback());
    }

    pub(crate) fn give_back(&self, memory: Memory) {
        let mut buffers = self.lock();
        let now = self.now();
        buffers.idle.push_back((memory, now));
        let aged = self.take_aged(&mut buffers);
        let waiting = buffers.end_episode();
        drop(buffers);
        drop(aged);
        // Callbacks run without the lock, so that one may ask for the buffer at once.
        waiting.iter().for_each(|callback| callback());
    }

    /// Frees the idle memory that is too old, or all idle memory if `excess` is set.
    pub(super) fn flush(&self, excess: bool) {
        let mut buffers = self.lock();
        let freed = if excess {
            buffers.allocated -= buffers.idle.len();
            std::mem::take(&mut buffers.idle)
        } else {
            self.take_aged(&mut buffers)
        };
        drop(buffers);
        drop(freed);
    }

    fn now(&self) -> Duration {
        match self.attributes.maximum_age {
            BufferAge::After(_) => self.clock.now(),
            BufferAge::Never | BufferAge::Immediately => Duration::ZERO,
        }
    }

    fn take_aged(&self, buffers: &mut Buffers) -> VecDeque<(Memory, Duration)> {
        let age = match self.attributes.maximum_age {
            BufferAge::Never => return VecDeque::new(),
            BufferAge::After(age) => age,
            BufferAge::Immediately => Duration::ZERO,
        };
        if buffers.idle.is_empty() {
            return VecDeque::new();
        }
        let now = self.now();
        let aged = buffers.idle.iter().take_while(|(_, since)| now.saturating_sub(*since) >= age).count();
        let beyond = buffers.allocated.saturating_sub(self.attributes.minimum_count);
        let freed: VecDeque<_> = buffers.idle.drain(..aged.min(beyond)).collect();
        buffers.allocated -= freed.len();
        freed
    }

    pub(super) fn observe(&self, callback: Callback) -> u64 {
        let mut buffers = self.lock();
        buffers.next_observer += 1;
        let number = buffers.next_observer;
        buffers.observers.push((number, callback));
        number
    }

    pub(super) fn forget(&self, number: u64) {
        let mut buffers = self.lock();
        // The callback is dropped after the lock is released, because it may hold buffers of this pool.
        let found = buffers.observers.iter().position(|(own, _)| *own == number);
        let callback = found.map(|position| buffers.observers.remove(position));
        drop(buffers);
        drop(callback);
    }
}
