//! Finished pictures: samples in shared memory that is never written again, with their attachments.

use super::attributes::check_size;
use super::{Attachments, PixelBufferError, PixelFormat};
use crate::Colour;
use std::fmt;
use std::sync::Arc;

/// States where one plane lies: `rows` rows of `samples` samples, `stride` bytes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaneGeometry {
    /// The number of bytes from the start of a row to the start of the next; at least `samples` × bytes per
    /// sample.
    pub stride: usize,
    /// The number of samples a row.
    pub samples: usize,
    /// The number of rows.
    pub rows: usize,
}

/// The memory behind a [`PixelBuffer`]: the allocation of a pool, or a decoder's frame that must live as long
/// as the buffer.
pub trait PixelStorage: Send + Sync {
    /// Returns the bytes of a plane from the first byte of its first row on; at least `stride × (rows − 1)`
    /// plus one row. The slice must be empty for planes that the format does not have.
    fn plane(&self, plane: usize) -> &[u8];
}

/// An uncompressed picture. Cloning shares the pixels. They are never written again after the buffer was
/// made, so that an encoder, a metric and a cache can hold the same picture at once. The memory goes back to
/// its pool (or decoder) with the last clone.
#[doc(alias = "CVPixelBuffer")]
#[derive(Clone)]
pub struct PixelBuffer {
    format: PixelFormat,
    width: u32,
    height: u32,
    strides: [usize; 3],
    storage: Arc<dyn PixelStorage>,
    attachments: Option<Arc<Attachments>>,
}

impl PixelBuffer {
    /// Wraps memory whose rows lie `strides` bytes apart, one stride per plane; strides of planes that the
    /// format does not have are ignored.
    ///
    /// # Panics
    /// Panics if a plane is too small for the picture, or a stride for a row, because that is a defect in the
    /// caller, not in a film.
    pub fn new(
        format: PixelFormat,
        width: u32,
        height: u32,
        strides: [usize; 3],
        storage: Arc<dyn PixelStorage>,
    ) -> Self {
        Self::try_new(format, width, height, strides, storage).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(super) fn try_new(
        format: PixelFormat,
        width: u32,
        height: u32,
        strides: [usize; 3],
        storage: Arc<dyn PixelStorage>,
    ) -> Result<Self, PixelBufferError> {
        check_size(width, height)?;
        let buffer = Self { format, width, height, strides, storage, attachments: None };
        for (plane, stride) in strides.into_iter().enumerate().take(format.planes()) {
            let row = format.row_bytes(width, plane);
            if stride < row {
                let text = format!("plane {plane}: rows of {row} bytes do not fit a stride of {stride}");
                return Err(PixelBufferError::InvalidArgument(text));
            }
            let (has, needed) = (buffer.storage.plane(plane).len(), buffer.least_bytes(plane));
            if has < needed {
                let text = format!("plane {plane}: {has} bytes where {needed} are needed");
                return Err(PixelBufferError::InvalidArgument(text));
            }
        }
        Ok(buffer)
    }

    /// Returns the number of bytes from the first visible one of a plane to the last.
    fn least_bytes(&self, plane: usize) -> usize {
        let PlaneGeometry { stride, rows, .. } = self.geometry(plane);
        stride.saturating_mul(rows.saturating_sub(1)).saturating_add(self.format.row_bytes(self.width, plane))
    }

    /// Returns the same picture with these attachments instead of its own.
    #[must_use]
    pub fn with_attachments(self, attachments: Attachments) -> Self {
        Self { attachments: (!attachments.is_empty()).then(|| Arc::new(attachments)), ..self }
    }

    /// Returns the attachments of the picture. Clones share them; [`PixelBuffer::with_attachments`] makes a
    /// picture with others.
    #[doc(alias = "CVBufferCopyAttachments")]
    pub fn attachments(&self) -> &Attachments {
        static NONE: Attachments = Attachments::NONE;
        self.attachments.as_deref().unwrap_or(&NONE)
    }

    /// Returns the colour tags that hold: those attached, in the range that the format's code states, if it
    /// states one ([`Colour::in_format`]).
    pub fn colour(&self) -> Colour {
        self.attachments().colour().unwrap_or_default().in_format(self.format)
    }

    /// Returns the picture itself, for readers of Apple's calls. Pixels are never written after a picture was
    /// made, so there is nothing to lock: any number may read at once, and the borrow ends by itself.
    #[doc(alias = "CVPixelBufferLockBaseAddress")]
    #[doc(alias = "CVPixelBufferUnlockBaseAddress")]
    #[doc(alias = "kCVPixelBufferLock_ReadOnly")]
    pub fn lock_read_only(&self) -> &Self {
        self
    }

    /// Returns the upper left part of the picture, in the same memory. Sizes beyond the picture's are cut to
    /// them.
    pub fn cropped(&self, width: u32, height: u32) -> Self {
        Self { width: width.min(self.width), height: height.min(self.height), ..self.clone() }
    }

    /// Returns how samples lie in memory.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Returns the width in pixels.
    #[doc(alias = "CVPixelBufferGetWidth")]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the height in pixels.
    #[doc(alias = "CVPixelBufferGetHeight")]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Returns where a plane's samples lie; all numbers are zero for planes that the format does not have.
    #[doc(alias = "CVPixelBufferGetBytesPerRowOfPlane")]
    pub fn geometry(&self, plane: usize) -> PlaneGeometry {
        let (samples, rows) = self.format.plane_size(self.width, self.height, plane);
        let stride = if plane < self.format.planes() { self.strides[plane] } else { 0 };
        PlaneGeometry { stride, samples: samples as usize, rows: rows as usize }
    }

    /// Returns the bytes of a plane, including those between its rows.
    ///
    /// # Panics
    /// Panics if the storage has fewer bytes than when the buffer was made, because code that reads them
    /// through pointers relies on this check.
    #[doc(alias = "CVPixelBufferGetBaseAddressOfPlane")]
    pub fn plane(&self, plane: usize) -> &[u8] {
        let bytes = self.storage.plane(plane);
        assert!(bytes.len() >= self.least_bytes(plane), "plane {plane} has shrunk to {} bytes", bytes.len());
        bytes
    }

    /// Returns the bytes of one row of a plane, without padding. Formats of 10 bits have two bytes a sample,
    /// little-endian.
    pub fn row(&self, plane: usize, row: usize) -> &[u8] {
        let bytes = self.format.row_bytes(self.width, plane);
        &self.storage.plane(plane)[row * self.geometry(plane).stride..][..bytes]
    }

    /// Iterates over all rows of a plane from top to bottom, without padding.
    pub fn rows(&self, plane: usize) -> impl Iterator<Item = &[u8]> {
        (0..self.geometry(plane).rows).map(move |row| self.row(plane, row))
    }

    /// Returns the number of bytes of memory that the picture keeps alive.
    pub fn memory(&self) -> u64 {
        (0..self.format.planes()).map(|plane| self.plane(plane).len() as u64).sum()
    }
}

impl fmt::Debug for PixelBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PixelBuffer({:?} {}×{})", self.format, self.width, self.height)
    }
}
