use crate::{PixelBuffer, PixelFormat, PixelStorage};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Rows start this many bytes apart, or a multiple of it: the widest vector that encoders load at once.
const ALIGNMENT: usize = 64;

/// Blocks of 16 bytes, so that pictures of two-byte samples can be looked at as such.
type Memory = Vec<u128>;

/// Recycles the memory of pictures of one format and size.
///
/// A buffer comes back when its last clone is dropped; buffers may outlive the pool. The pool grows as far as it is asked to: a caller
/// that wants a bound counts the buffers it holds.
#[doc(alias = "CVPixelBufferPool")]
#[derive(Clone)]
pub struct PixelBufferPool {
    layout: Layout,
    idle: Arc<Mutex<Vec<Memory>>>,
}

#[derive(Clone, Copy)]
struct Layout {
    format: PixelFormat,
    width: u32,
    height: u32,
    strides: [usize; 3],
}

impl PixelBufferPool {
    /// A pool of pictures of one format and size (in luma samples).
    pub fn new(format: PixelFormat, width: u32, height: u32) -> Self {
        let strides = [0, 1, 2].map(|plane| format.row_bytes(width, plane).next_multiple_of(ALIGNMENT));
        Self { layout: Layout { format, width, height, strides }, idle: Arc::default() }
    }

    /// A picture to write into, recycled or new. Its content is undefined.
    #[doc(alias = "CVPixelBufferPoolCreatePixelBuffer")]
    pub fn take(&self) -> WritableBuffer {
        let recycled = lock(&self.idle).pop();
        let memory = recycled.unwrap_or_else(|| vec![0; self.layout.bytes() / size_of::<u128>()]);
        WritableBuffer { memory, layout: self.layout, home: Arc::downgrade(&self.idle) }
    }

    /// Frees all pictures that nobody uses.
    #[doc(alias = "CVPixelBufferPoolFlush")]
    pub fn flush(&self) {
        lock(&self.idle).clear();
    }

    /// Pictures that wait for their next use.
    pub fn idle(&self) -> usize {
        lock(&self.idle).len()
    }
}

fn lock(idle: &Mutex<Vec<Memory>>) -> MutexGuard<'_, Vec<Memory>> {
    // a list of free blocks is sound whatever a panicking holder was doing
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Layout {
    fn rows(&self, plane: usize) -> usize {
        self.format.plane_size(self.width, self.height, plane).1 as usize
    }

    fn offset(&self, plane: usize) -> usize {
        (0..plane).map(|p| self.strides[p] * self.rows(p)).sum()
    }

    fn bytes(&self) -> usize {
        self.offset(3)
    }

    fn plane_range(&self, plane: usize) -> std::ops::Range<usize> {
        self.offset(plane)..self.offset(plane + 1)
    }
}

/// A picture that is being filled. [`WritableBuffer::freeze`] makes it a [`PixelBuffer`] that nobody writes to any more.
pub struct WritableBuffer {
    memory: Memory,
    layout: Layout,
    home: Weak<Mutex<Vec<Memory>>>,
}

impl WritableBuffer {
    /// How samples lie in memory.
    pub fn format(&self) -> PixelFormat {
        self.layout.format
    }

    /// Pixels a row.
    pub fn width(&self) -> u32 {
        self.layout.width
    }

    /// Rows of pixels.
    pub fn height(&self) -> u32 {
        self.layout.height
    }

    /// Bytes from row to row of a plane.
    pub fn stride(&self, plane: usize) -> usize {
        self.layout.strides[plane]
    }

    /// The bytes of a plane, rows `stride` bytes apart.
    pub fn plane_mut(&mut self, plane: usize) -> &mut [u8] {
        let range = self.layout.plane_range(plane);
        &mut bytemuck::cast_slice_mut(&mut self.memory)[range]
    }

    /// One row of a plane, without padding.
    pub fn row_mut(&mut self, plane: usize, row: usize) -> &mut [u8] {
        let (stride, bytes) = (self.stride(plane), self.layout.format.row_bytes(self.layout.width, plane));
        &mut self.plane_mut(plane)[row * stride..][..bytes]
    }

    /// The finished picture.
    pub fn freeze(self) -> PixelBuffer {
        let Layout { format, width, height, strides } = self.layout;
        PixelBuffer::new(format, width, height, strides, Arc::new(Pooled(self)))
    }
}

impl Drop for WritableBuffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            lock(&home).push(std::mem::take(&mut self.memory));
        }
    }
}

struct Pooled(WritableBuffer);

impl PixelStorage for Pooled {
    fn plane(&self, plane: usize) -> &[u8] {
        &bytemuck::cast_slice(&self.0.memory)[self.0.layout.plane_range(plane)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PB-5, PB-11: memory returns with the last reference, and a buffer outlives its pool.
    #[test]
    fn memory_is_recycled_with_the_last_clone() {
        let pool = PixelBufferPool::new(PixelFormat::I010, 35, 17);
        let mut buffer = pool.take();
        buffer.row_mut(2, 8).fill(7);
        let picture = buffer.freeze();
        let clone = picture.clone();
        drop(picture);
        assert_eq!(pool.idle(), 0);
        assert_eq!(clone.row(2, 8), &[7; 36]);
        let address = clone.plane(0).as_ptr();
        drop(clone);
        assert_eq!(pool.idle(), 1);
        let again = pool.take().freeze();
        assert_eq!(again.plane(0).as_ptr(), address);
        drop(pool);
        assert_eq!(again.rows(1).count(), 9);
    }
}
