//! Lays the planes of a picture out in one piece of memory.

use super::attributes::{MAX_SIZE, alignment};
use super::{PixelBufferAttributes, PixelBufferError, PixelFormat};
use std::mem;
use std::ops::Range;

/// The alignment in bytes where no attributes require another one: encoders load vectors of at most so many
/// bytes at once.
const ALIGNMENT: usize = 64;

/// The places of all planes. One plane lies behind the other, with the extended pixels around each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) format: PixelFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) strides: [usize; 3],
    /// The offset of the first visible byte of each plane from an aligned address.
    starts: [usize; 3],
    /// The end of the bytes of each plane, those of extended pixels included.
    ends: [usize; 3],
    alignment: usize,
}

impl Layout {
    /// Returns the layout for the first of the formats.
    pub(crate) fn of(attributes: &PixelBufferAttributes) -> Result<Self, PixelBufferError> {
        let (format, width, height) = attributes.shape()?;
        let row_alignment = alignment(attributes.row_alignment.unwrap_or(ALIGNMENT))?;
        let plane_alignment = alignment(attributes.plane_alignment.unwrap_or(ALIGNMENT))?;
        let around = attributes.extended;
        if [around.left, around.top, around.right, around.bottom].into_iter().any(|side| side > MAX_SIZE) {
            let text = format!("more than {MAX_SIZE} extended pixels on a side");
            return Err(PixelBufferError::InvalidAttributes(text));
        }
        // The product of two sizes may be too large for 32-bit machines.
        let place = |bytes: u64| usize::try_from(bytes).map_err(|_| too_large(width, height));
        let (mut strides, mut starts, mut ends) = ([0; 3], [0; 3], [0; 3]);
        let mut end = 0;
        for plane in 0..format.planes() {
            let rows = |pixels| u64::from(format.plane_size(1, pixels, plane).1);
            let bytes = |pixels| format.row_bytes(pixels, plane);
            let stride =
                (bytes(around.left) + bytes(width) + bytes(around.right)).next_multiple_of(row_alignment);
            let before = rows(around.top) * stride as u64 + bytes(around.left) as u64;
            let start = (end + before).next_multiple_of(plane_alignment as u64);
            end = start + (rows(height) + rows(around.bottom)) * stride as u64;
            (strides[plane], starts[plane], ends[plane]) = (stride, place(start)?, place(end)?);
        }
        Ok(Self { format, width, height, strides, starts, ends, alignment: plane_alignment })
    }

    /// Returns the number of bytes of memory from an aligned address on.
    pub(crate) fn bytes(&self) -> usize {
        self.ends.into_iter().fold(0, usize::max)
    }

    /// Returns the whole rows of a plane from its first visible byte on; an empty range for planes that the
    /// format does not have.
    fn visible(&self, plane: usize) -> Range<usize> {
        let rows = self.format.plane_size(self.width, self.height, plane).1 as usize;
        match plane < self.format.planes() {
            true => self.starts[plane]..self.starts[plane] + rows * self.strides[plane],
            false => 0..0,
        }
    }

    /// Returns the bytes of a plane with all extended pixels around it, and the offset of the first visible
    /// byte in them.
    fn extended(&self, plane: usize) -> (Range<usize>, usize) {
        match plane < self.format.planes() {
            true => {
                let before = if plane == 0 { 0 } else { self.ends[plane - 1] };
                (before..self.ends[plane], self.starts[plane] - before)
            }
            false => (0..0, 0),
        }
    }
}

fn too_large(width: u32, height: u32) -> PixelBufferError {
    PixelBufferError::InvalidSize(format!("{width}×{height} is more than this machine can address"))
}

/// A piece of memory with a layout's alignment.
#[derive(Default)]
pub(crate) struct Memory {
    bytes: Vec<u8>,
    /// The offset of the first aligned byte. It stays true because a vector does not move while it is not
    /// resized, and this one never is.
    origin: usize,
}

impl Memory {
    pub(crate) fn allocate(layout: &Layout) -> Result<Self, PixelBufferError> {
        let wanted = layout.bytes().saturating_add(layout.alignment - 1);
        let mut bytes: Vec<u8> = Vec::new();
        bytes.try_reserve_exact(wanted).map_err(|_| PixelBufferError::AllocationFailed { bytes: wanted })?;
        bytes.resize(wanted, 0);
        let address = bytes.as_ptr() as usize;
        Ok(Self { origin: address.next_multiple_of(layout.alignment) - address, bytes })
    }

    pub(crate) fn plane(&self, layout: &Layout, plane: usize) -> &[u8] {
        &self.bytes[self.origin..][layout.visible(plane)]
    }

    pub(crate) fn plane_mut(&mut self, layout: &Layout, plane: usize) -> &mut [u8] {
        &mut self.bytes[self.origin..][layout.visible(plane)]
    }

    pub(crate) fn planes_mut(&mut self, layout: &Layout) -> [&mut [u8]; 3] {
        let mut rest = &mut self.bytes[self.origin..];
        let mut taken = 0;
        [0, 1, 2].map(|plane| {
            let range = layout.visible(plane);
            if range.is_empty() {
                return <&mut [u8]>::default();
            }
            let from_start = mem::take(&mut rest).split_at_mut(range.start - taken).1;
            let (bytes, behind) = from_start.split_at_mut(range.len());
            (rest, taken) = (behind, range.end);
            bytes
        })
    }

    pub(crate) fn extended_plane_mut(&mut self, layout: &Layout, plane: usize) -> (&mut [u8], usize) {
        let (range, start) = layout.extended(plane);
        (&mut self.bytes[self.origin..][range], start)
    }
}
