//! Recycles pixel buffers.

mod attributes;
mod state;

pub use attributes::{BufferAge, Clock, PoolAttributes};
pub(crate) use state::PoolState;

use crate::pixel::{Layout, Memory};
use crate::{PixelBufferAttributes, PixelBufferError, PixelFormat, WritableBuffer};
use attributes::MachineClock;
use state::Grant;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Recycles the memory of pictures of one format and size.
///
/// A buffer comes back when its last clone is dropped; buffers may outlive the pool. Unless a threshold is
/// given ([`PixelBufferPool::create_buffer_within`]), the pool grows without limit. Idle buffers are freed
/// lazily when they are old enough: at the next call, or when the next buffer comes back. All calls may be
/// made from all threads. Clones are the same pool.
#[doc(alias = "CVPixelBufferPool")]
#[derive(Clone)]
pub struct PixelBufferPool(Arc<Inner>);

struct Inner {
    layout: Layout,
    attributes: PixelBufferAttributes,
    state: Arc<PoolState>,
}

impl PixelBufferPool {
    /// Makes a pool of buffers with these attributes, in the first of their formats.
    ///
    /// # Errors
    /// Returns [`PixelBufferError::InvalidPixelFormat`] and [`InvalidSize`](PixelBufferError::InvalidSize) if
    /// the attributes name no format or size, [`InvalidAttributes`](PixelBufferError::InvalidAttributes),
    /// [`InvalidPoolAttributes`](PixelBufferError::InvalidPoolAttributes).
    #[doc(alias = "CVPixelBufferPoolCreate")]
    pub fn create(pool: PoolAttributes, buffers: PixelBufferAttributes) -> Result<Self, PixelBufferError> {
        Self::create_with_clock(pool, buffers, Box::new(MachineClock::start()))
    }

    /// Makes a pool with a clock of the caller's, for tests that cannot wait.
    ///
    /// # Errors
    /// Fails like [`PixelBufferPool::create`].
    pub fn create_with_clock(
        pool: PoolAttributes,
        buffers: PixelBufferAttributes,
        clock: Box<dyn Clock>,
    ) -> Result<Self, PixelBufferError> {
        if pool.maximum_age == BufferAge::After(Duration::ZERO) {
            let text = "a maximum age of zero can mean two things: say Never or Immediately".to_owned();
            return Err(PixelBufferError::InvalidPoolAttributes(text));
        }
        let layout = Layout::of(&buffers)?;
        let state = Arc::new(PoolState::new(pool, clock));
        Ok(Self(Arc::new(Inner { layout, attributes: buffers, state })))
    }

    /// Makes a pool of pictures of one format and size (in pixels) whose idle buffers do not age, for code
    /// that knows how many it holds.
    ///
    /// # Panics
    /// Panics if the size is not between 1×1 and 32768×32768.
    pub fn new(format: PixelFormat, width: u32, height: u32) -> Self {
        let pool = PoolAttributes { maximum_age: BufferAge::Never, ..PoolAttributes::default() };
        Self::create(pool, PixelBufferAttributes::of(format, width, height)).expect("a picture has a size")
    }

    /// Returns a buffer to write into, recycled or new, with the attachments of the pool's attributes and no
    /// others. Its content is undefined.
    ///
    /// # Errors
    /// Returns [`PixelBufferError::AllocationFailed`].
    #[doc(alias = "CVPixelBufferPoolCreatePixelBuffer")]
    pub fn create_buffer(&self) -> Result<WritableBuffer, PixelBufferError> {
        self.buffer(None)
    }

    /// Returns a buffer like [`PixelBufferPool::create_buffer`], if there is an idle one or the pool has
    /// fewer than `threshold` buffers, in use and idle. The threshold holds for this call.
    ///
    /// # Errors
    /// Returns [`PixelBufferError::WouldExceedAllocationThreshold`]; observers
    /// ([`PixelBufferPool::on_free_buffer`]) are notified when another attempt is worth while. Returns
    /// [`PixelBufferError::AllocationFailed`].
    #[doc(alias = "CVPixelBufferPoolCreatePixelBufferWithAuxAttributes")]
    #[doc(alias = "kCVPixelBufferPoolAllocationThresholdKey")]
    pub fn create_buffer_within(&self, threshold: usize) -> Result<WritableBuffer, PixelBufferError> {
        self.buffer(Some(threshold))
    }

    /// Returns a buffer like [`PixelBufferPool::create_buffer`], for code that, like most, cannot go on
    /// without memory.
    ///
    /// # Panics
    /// Panics if the system has no memory for the buffer.
    pub fn take(&self) -> WritableBuffer {
        self.create_buffer().unwrap_or_else(|error| panic!("{error}"))
    }

    fn buffer(&self, threshold: Option<usize>) -> Result<WritableBuffer, PixelBufferError> {
        let Inner { layout, attributes, state } = &*self.0;
        let memory = match state.grant(threshold)? {
            Grant::Recycled(memory) => memory,
            Grant::Allocate => Memory::allocate(layout).inspect_err(|_| state.not_allocated())?,
        };
        Ok(WritableBuffer::new(memory, *layout, attributes.attachments.clone(), Arc::downgrade(state)))
    }

    /// Calls `callback` each time a buffer comes back after a threshold refused a request: once, however many
    /// requests were refused. It is called on the thread that drops the buffer; it may call the pool, should
    /// be quick and must not panic. It stays until the observer is dropped.
    #[doc(alias = "kCVPixelBufferPoolFreeBufferNotification")]
    pub fn on_free_buffer(&self, callback: impl Fn() + Send + Sync + 'static) -> FreeBufferObserver {
        let number = self.0.state.observe(Arc::new(callback));
        FreeBufferObserver { number, state: Arc::downgrade(&self.0.state) }
    }

    /// Frees the idle buffers that are older than the pool's maximum age.
    #[doc(alias = "CVPixelBufferPoolFlush")]
    pub fn flush_aged(&self) {
        self.0.state.flush(false);
    }

    /// Frees all idle buffers, whatever their age and the minimum count.
    #[doc(alias = "CVPixelBufferPoolFlush")]
    #[doc(alias = "kCVPixelBufferPoolFlushExcessBuffers")]
    pub fn flush_excess(&self) {
        self.0.state.flush(true);
    }

    /// Returns the attributes that the pool was made with.
    #[doc(alias = "CVPixelBufferPoolGetAttributes")]
    pub fn pool_attributes(&self) -> PoolAttributes {
        self.0.state.attributes()
    }

    /// Returns the attributes that its buffers were required to have.
    #[doc(alias = "CVPixelBufferPoolGetPixelBufferAttributes")]
    pub fn buffer_attributes(&self) -> &PixelBufferAttributes {
        &self.0.attributes
    }

    /// Returns whether two are the same pool.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the number of idle buffers.
    pub fn idle(&self) -> usize {
        self.0.state.idle()
    }

    /// Returns the number of all buffers, in use and idle.
    pub fn allocated(&self) -> usize {
        self.0.state.allocated()
    }

    /// Returns how often memory was allocated since the pool was made. The number stands still as long as
    /// buffers are recycled.
    pub fn allocations(&self) -> u64 {
        self.0.state.allocations()
    }
}

impl fmt::Debug for PixelBufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layout { format, width, height, .. } = self.0.layout;
        let (allocated, idle) = (self.allocated(), self.idle());
        write!(f, "PixelBufferPool({format:?} {width}×{height}, {idle} of {allocated} idle)")
    }
}

/// Keeps a callback of [`PixelBufferPool::on_free_buffer`]; when it is dropped, the callback is not called
/// any more.
#[must_use = "the callback is forgotten with it"]
pub struct FreeBufferObserver {
    number: u64,
    state: Weak<PoolState>,
}

impl Drop for FreeBufferObserver {
    fn drop(&mut self) {
        if let Some(state) = self.state.upgrade() {
            state.forget(self.number);
        }
    }
}
