//! Pictures that are being filled.

use super::memory::{Layout, Memory};
use super::{Attachments, PixelBuffer, PixelBufferAttributes, PixelBufferError, PixelFormat, PixelStorage};
use crate::pool::PoolState;
use std::mem;
use std::sync::{Arc, Weak};

/// A picture that is being filled. [`WritableBuffer::freeze`] makes it a [`PixelBuffer`] that is never
/// written again.
///
/// Nothing has to be locked, because whoever holds a `&mut WritableBuffer` is the only one who can reach its
/// samples.
pub struct WritableBuffer {
    memory: Memory,
    layout: Layout,
    attachments: Attachments,
    /// The pool that gets the memory back in the end; a buffer on its own has none.
    pool: Weak<PoolState>,
}

impl WritableBuffer {
    /// Makes a buffer on its own, in the first of the formats. Its content is undefined.
    ///
    /// # Errors
    /// Returns [`PixelBufferError::InvalidPixelFormat`] and [`InvalidSize`](PixelBufferError::InvalidSize) if
    /// the attributes name no format or size; [`InvalidAttributes`](PixelBufferError::InvalidAttributes);
    /// [`AllocationFailed`](PixelBufferError::AllocationFailed).
    #[doc(alias = "CVPixelBufferCreate")]
    pub fn create(attributes: &PixelBufferAttributes) -> Result<Self, PixelBufferError> {
        let layout = Layout::of(attributes)?;
        Ok(Self::new(Memory::allocate(&layout)?, layout, attributes.attachments.clone(), Weak::new()))
    }

    pub(crate) fn new(
        memory: Memory,
        layout: Layout,
        attachments: Attachments,
        pool: Weak<PoolState>,
    ) -> Self {
        Self { memory, layout, attachments, pool }
    }

    /// Returns how samples lie in memory.
    pub fn format(&self) -> PixelFormat {
        self.layout.format
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> u32 {
        self.layout.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> u32 {
        self.layout.height
    }

    /// Returns the buffer itself, for readers of Apple's calls: the borrow is the lock, and ends by itself.
    #[doc(alias = "CVPixelBufferLockBaseAddress")]
    #[doc(alias = "CVPixelBufferUnlockBaseAddress")]
    pub fn lock(&mut self) -> &mut Self {
        self
    }

    /// Returns the number of bytes from row to row of a plane; 0 for planes that the format does not have.
    pub fn stride(&self, plane: usize) -> usize {
        self.layout.strides.get(plane).copied().unwrap_or(0)
    }

    /// Returns the bytes of a plane, rows `stride` bytes apart; none for planes that the format does not
    /// have.
    #[doc(alias = "CVPixelBufferGetBaseAddressOfPlane")]
    pub fn plane_mut(&mut self, plane: usize) -> &mut [u8] {
        self.memory.plane_mut(&self.layout, plane)
    }

    /// Returns the bytes of all planes at once, for code that writes them through pointers.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        self.memory.planes_mut(&self.layout)
    }

    /// Returns the bytes of one row of a plane, without padding.
    pub fn row_mut(&mut self, plane: usize, row: usize) -> &mut [u8] {
        let (stride, bytes) = (self.stride(plane), self.layout.format.row_bytes(self.layout.width, plane));
        &mut self.plane_mut(plane)[row * stride..][..bytes]
    }

    /// Returns the bytes of a plane with the extended pixels around it, and the offset of the first visible
    /// one in them: those above begin `stride` bytes earlier for each row, those to the left lie right
    /// before.
    #[doc(alias = "CVPixelBufferGetExtendedPixels")]
    pub fn extended_plane_mut(&mut self, plane: usize) -> (&mut [u8], usize) {
        self.memory.extended_plane_mut(&self.layout, plane)
    }

    /// Returns the attachments of the picture.
    pub fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    /// Returns the attachments of the picture for changes.
    pub fn attachments_mut(&mut self) -> &mut Attachments {
        &mut self.attachments
    }

    /// Returns the finished picture, with its attachments.
    pub fn freeze(mut self) -> PixelBuffer {
        let Layout { format, width, height, strides, .. } = self.layout;
        let attachments = mem::take(&mut self.attachments);
        PixelBuffer::new(format, width, height, strides, Arc::new(self)).with_attachments(attachments)
    }
}

impl PixelStorage for WritableBuffer {
    fn plane(&self, plane: usize) -> &[u8] {
        self.memory.plane(&self.layout, plane)
    }
}

impl Drop for WritableBuffer {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.give_back(mem::take(&mut self.memory));
        }
    }
}
