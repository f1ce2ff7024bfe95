//! Scales planar pictures by FFmpeg, which is its only part in a transfer.
#![allow(unsafe_code)]

use super::view::View;
use crate::failure::{Failure, attempt};
use crate::ffi::{self, RawPlanes};
use retake_media::{ExtendedPixels, PixelBufferAttributes, PixelBufferError, PixelFormat, WritableBuffer};
use std::ptr::{self, NonNull};

/// The number of bytes that FFmpeg's vector code may touch beyond the end of a row.
const BEYOND: usize = 64;

/// Scales pictures, and keeps tables from one to the next of the same sizes.
pub(super) struct Resizer(NonNull<ffi::RtResizer>);

// SAFETY: the resizer is used by one thread at a time (all calls take `&mut`), and not bound to one.
unsafe impl Send for Resizer {}

impl Resizer {
    pub(super) fn open() -> Result<Self, Failure> {
        let mut resizer = ptr::null_mut();
        // SAFETY: on success the object is ours.
        attempt(|| unsafe { ffi::rt_resizer_open(&mut resizer) })?;
        Ok(Self(NonNull::new(resizer).expect("an opened resizer has an address")))
    }

    /// Fills `to` with `from`, both from [`roomy`] or alike, of one planar format whose chroma lies at
    /// `location`.
    pub(super) fn resize(
        &mut self,
        from: &View<'_>,
        to: &mut WritableBuffer,
        location: u8,
    ) -> Result<(), Failure> {
        let format = from.format;
        assert!(format == to.format() && has_room(from), "pictures of one format, with room");
        assert!(has_room(&View::of_all(to)), "a picture with room");
        let planes = 0..format.planes();
        let mut source = RawPlanes {
            data: [ptr::null_mut(); 3],
            stride: [0; 3],
            width: from.width as i32,
            height: from.height as i32,
        };
        let (width, height) = (to.width() as i32, to.height() as i32);
        let mut target = RawPlanes { data: [ptr::null_mut(); 3], stride: [0; 3], width, height };
        for plane in planes {
            let (bytes, stride) = from.plane(plane);
            (source.data[plane], source.stride[plane]) = (bytes.as_ptr().cast_mut(), stride as i32);
            target.stride[plane] = to.stride(plane) as i32;
        }
        target.data = to.planes_mut().map(<[u8]>::as_mut_ptr);
        // SAFETY: both pictures have all rows of their planes and 64 bytes more (checked above), the source
        // is only read, and both are borrowed until the call returns.
        attempt(|| unsafe {
            ffi::rt_resize(self.0.as_ptr(), planar(format), i32::from(location), &source, &target)
        })?;
        Ok(())
    }
}

impl Drop for Resizer {
    fn drop(&mut self) {
        // SAFETY: the resizer is ours, and this is its last use.
        unsafe { ffi::rt_resizer_close(self.0.as_ptr()) };
    }
}

/// Returns the format as one of `RT_PLANAR_*`.
fn planar(format: PixelFormat) -> i32 {
    let chroma = match format.chroma_block() {
        Some((2, 2)) => 0,
        Some((2, 1)) => 1,
        Some(_) => 2,
        None => 3,
    };
    // Of sixteen bits there are 4:4:4 and luma alone.
    match format.bit_depth() {
        8 => chroma,
        10 => chroma + 4,
        _ => chroma + 6,
    }
}

/// Makes a buffer with room for vector code around each plane.
pub(super) fn roomy(
    format: PixelFormat,
    width: u32,
    height: u32,
) -> Result<WritableBuffer, PixelBufferError> {
    // The widest chroma block has two pixels, and samples are a byte at least.
    let room = ExtendedPixels { right: 2 * BEYOND as u32, bottom: 2, ..ExtendedPixels::default() };
    WritableBuffer::create(&PixelBufferAttributes {
        extended: room,
        ..PixelBufferAttributes::of(format, width, height)
    })
}

/// Returns whether vector code can look beyond the rows of a picture.
pub(super) fn has_room(view: &View<'_>) -> bool {
    (0..view.format.planes()).all(|plane| {
        let (bytes, stride) = view.plane(plane);
        let last = (view.rows(plane) - 1) * stride;
        bytes.len() >= last + view.format.row_bytes(view.width, plane) + BEYOND && stride <= i32::MAX as usize
    })
}
