//! The policies of a pool: how many idle buffers it keeps, for how long, and by which clock.

use crate::PixelBufferError;
use std::fmt;
use std::time::{Duration, Instant};

/// States how a pool keeps its buffers; their own attributes are given separately.
#[doc(alias = "poolAttributes")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolAttributes {
    /// The number of buffers, in use and idle, up to which none is freed for its age. The default is 0.
    /// Nothing is allocated ahead.
    #[doc(alias = "kCVPixelBufferPoolMinimumBufferCountKey")]
    pub minimum_count: usize,
    /// The age at which idle buffers are freed. The default is one second.
    pub maximum_age: BufferAge,
}

/// States when a buffer that is not used is freed.
#[doc(alias = "kCVPixelBufferPoolMaximumBufferAgeKey")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BufferAge {
    /// Age never frees it.
    Never,
    /// It is freed after so long without use, at the next call to its pool. The time must be above 0.
    After(Duration),
    /// It is freed when it comes back.
    Immediately,
}

impl Default for BufferAge {
    fn default() -> Self {
        Self::After(Duration::from_secs(1))
    }
}

impl BufferAge {
    /// Returns the age that a number of seconds means in C, where 0 means *never*.
    ///
    /// # Errors
    /// Returns [`PixelBufferError::InvalidPoolAttributes`] for numbers that are below 0, above 10¹⁰ or not a
    /// number.
    pub fn from_seconds(seconds: f64) -> Result<Self, PixelBufferError> {
        match seconds {
            0.0 => Ok(Self::Never),
            _ if seconds > 0.0 && seconds < 1e10 => Ok(Self::After(Duration::from_secs_f64(seconds))),
            _ => Err(PixelBufferError::InvalidPoolAttributes(format!(
                "a maximum age of {seconds} seconds: give one above 0, or 0 for no limit"
            ))),
        }
    }
}

/// Tells a pool the time. The machine's clock is used unless a test gives its own.
pub trait Clock: Send + Sync {
    /// Returns the time since any fixed instant, which must never decrease. It is called under the pool's
    /// lock, so it must not call the pool.
    fn now(&self) -> Duration;
}

/// The machine's clock.
pub(super) struct MachineClock(Instant);

impl MachineClock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl fmt::Debug for dyn Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}
