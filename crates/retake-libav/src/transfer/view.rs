//! Parts of pictures, to be read and to be written.

use retake_media::{PixelBuffer, PixelFormat, PixelStorage, WritableBuffer};

/// Whole pixels of a picture. Where chroma is shared, the left and upper edges must lie between blocks of
/// pixels that share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Rect {
    pub(super) fn whole(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    pub(super) fn size(self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Returns the first row of a plane that belongs to it, and the first byte of each row.
    fn origin(self, format: PixelFormat, plane: usize) -> (usize, usize) {
        (format.plane_size(1, self.y, plane).1 as usize, format.row_bytes(self.x, plane))
    }
}

/// A part of a picture that is read.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) format: PixelFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    planes: [&'a [u8]; 3],
    strides: [usize; 3],
}

impl<'a> View<'a> {
    pub(super) fn of(picture: &'a PixelBuffer, part: Rect) -> Self {
        let planes = [0, 1, 2].map(|plane| picture.plane(plane));
        let strides = [0, 1, 2].map(|plane| picture.geometry(plane).stride);
        Self::new(picture.format(), part, planes, strides)
    }

    pub(super) fn of_all(buffer: &'a WritableBuffer) -> Self {
        let planes = [0, 1, 2].map(|plane| buffer.plane(plane));
        let strides = [0, 1, 2].map(|plane| buffer.stride(plane));
        Self::new(buffer.format(), Rect::whole(buffer.width(), buffer.height()), planes, strides)
    }

    fn new(format: PixelFormat, part: Rect, mut planes: [&'a [u8]; 3], strides: [usize; 3]) -> Self {
        for plane in 0..format.planes() {
            let (row, byte) = part.origin(format, plane);
            planes[plane] = &planes[plane][row * strides[plane] + byte..];
        }
        Self { format, width: part.width, height: part.height, planes, strides }
    }

    /// Returns the same samples under the name of another format with their layout.
    pub(super) fn named(self, format: PixelFormat) -> Self {
        Self { format, ..self }
    }

    /// Returns one row of a plane.
    pub(super) fn row(&self, plane: usize, row: usize) -> &'a [u8] {
        &self.planes[plane][row * self.strides[plane]..][..self.format.row_bytes(self.width, plane)]
    }

    pub(super) fn rows(&self, plane: usize) -> usize {
        self.format.plane_size(self.width, self.height, plane).1 as usize
    }

    /// Returns all bytes from the first of a plane on, and the distance of rows.
    pub(super) fn plane(&self, plane: usize) -> (&'a [u8], usize) {
        (self.planes[plane], self.strides[plane])
    }
}

/// A part of a picture that is written.
pub(super) struct Target<'a> {
    pub(super) format: PixelFormat,
    part: Rect,
    buffer: &'a mut WritableBuffer,
}

impl<'a> Target<'a> {
    pub(super) fn new(buffer: &'a mut WritableBuffer, part: Rect) -> Self {
        Self { format: buffer.format(), part, buffer }
    }

    pub(super) fn all(buffer: &'a mut WritableBuffer) -> Self {
        let part = Rect::whole(buffer.width(), buffer.height());
        Self::new(buffer, part)
    }

    /// Returns one row of a plane for writing.
    pub(super) fn row(&mut self, plane: usize, row: usize) -> &mut [u8] {
        let (first, byte) = self.part.origin(self.format, plane);
        let length = self.format.row_bytes(self.part.width, plane);
        let start = (first + row) * self.buffer.stride(plane) + byte;
        &mut self.buffer.plane_mut(plane)[start..][..length]
    }

    pub(super) fn rows(&self, plane: usize) -> usize {
        self.format.plane_size(self.part.width, self.part.height, plane).1 as usize
    }
}

/// Copies a picture into one of the same layout and size.
pub(super) fn copy(from: &View<'_>, to: &mut Target<'_>) {
    for plane in 0..from.format.planes() {
        for row in 0..from.rows(plane) {
            to.row(plane, row).copy_from_slice(from.row(plane, row));
        }
    }
}
