use crate::PixelBufferError;
use std::fmt;
use std::time::{Duration, Instant};

/// What is asked of a pool beside the attributes of its buffers.
#[doc(alias = "poolAttributes")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolAttributes {
    /// As long as the pool has no more buffers than this, in use and idle, none is freed for its age. 0 by default. Nothing is allocated
    /// ahead.
    #[doc(alias = "kCVPixelBufferPoolMinimumBufferCountKey")]
    pub minimum_count: usize,
    /// When idle buffers are freed: after a second by default.
    pub maximum_age: BufferAge,
}

/// When a buffer that nobody uses is freed.
#[doc(alias = "kCVPixelBufferPoolMaximumBufferAgeKey")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BufferAge {
    /// Not for its age.
    Never,
    /// When nobody used it for so long, at the next call to its pool. Above 0.
    After(Duration),
    /// When it comes back.
    Immediately,
}

impl Default for BufferAge {
    fn default() -> Self {
        Self::After(Duration::from_secs(1))
    }
}

impl BufferAge {
    /// The age that a number of seconds means in C, where 0 means *never*.
    ///
    /// # Errors
    /// [`PixelBufferError::InvalidPoolAttributes`] for numbers below 0, above 10¹⁰ and those which are none.
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

/// What tells a pool the time. The real one is used unless a test gives its own.
pub trait Clock: Send + Sync {
    /// The time since any fixed instant; never less than before. It is asked under the pool's lock, and must not call the pool.
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
