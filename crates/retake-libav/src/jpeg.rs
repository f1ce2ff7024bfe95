//! Encodes single pictures as files of JPEG, for pages that show a film.
#![allow(unsafe_code)]

use crate::failure::attempt;
use crate::ffi::{self, RawPlanes};
use crate::transfer::PictureTransfer;
use retake_media::{
    Attachment, Colour, PixelBuffer, PixelBufferAttributes, PixelBufferError, PixelFormat, PixelTransfer,
    Range, TransferError, TransferOptions, WritableBuffer,
};
use std::ptr;

/// The quantizers that are tried in turn, from the best one, until a file is small enough.
const QUANTIZERS: [i32; 7] = [2, 3, 5, 8, 12, 18, 31];

/// Colours of JPEG files: the matrix of BT.601 in full range, chroma in the middle of its block. Primaries
/// and curve stay those of the picture, because a file of JPEG without a profile says nothing of them.
const COLOUR: Colour = Colour {
    primaries: 2,
    transfer: 2,
    matrix: 6,
    range: Range::Full,
    range_known: true,
    chroma_location: 2,
};

/// A file of JPEG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jpeg {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// States why a picture was not encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JpegError {
    /// The picture cannot be converted to what JPEG holds.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// There is no memory for the picture.
    #[error(transparent)]
    Buffer(#[from] PixelBufferError),
    /// FFmpeg did not encode it, or has no encoder for it.
    #[error("a picture cannot be encoded as JPEG: {0}")]
    Encoder(String),
}

/// Encodes pictures, and keeps tables from one to the next.
#[derive(Default)]
pub struct JpegEncoder {
    transfer: PictureTransfer,
}

impl JpegEncoder {
    /// Makes an encoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Encodes a picture in the shape that a screen shows it in, at most so wide, and as well as so many
    /// bytes allow.
    ///
    /// # Errors
    /// Returns [`JpegError::Encoder`] if even the coarsest file has more than `most` bytes.
    pub fn encode(&mut self, picture: &PixelBuffer, widest: u32, most: usize) -> Result<Jpeg, JpegError> {
        let aspect = picture.attachments().pixel_aspect_ratio().map_or(1.0, |ratio| ratio.to_f64());
        let aspect = if aspect.is_finite() { aspect.clamp(0.1, 10.0) } else { 1.0 };
        let shown = f64::from(picture.width()) * aspect;
        let width = shown.min(f64::from(widest)).max(2.0);
        let height = f64::from(picture.height()) * width / shown;
        let even = |size: f64| (((size / 2.0).round() as u32) * 2).clamp(2, 16384);
        let mut attributes = PixelBufferAttributes::of(PixelFormat::I420Full, even(width), even(height));
        attributes.attachments = attributes.attachments.with(Attachment::Colour(COLOUR));
        let mut small = WritableBuffer::create(&attributes)?;
        self.transfer.transfer(picture, &mut small, &TransferOptions::default())?;
        let (width, height) = (small.width(), small.height());
        let mut bytes = vec![0; most];
        let mut failure = String::new();
        for quantizer in QUANTIZERS {
            match encode(&mut small, quantizer, &mut bytes) {
                Ok(size) => {
                    bytes.truncate(size);
                    bytes.shrink_to_fit();
                    return Ok(Jpeg { bytes, width, height });
                }
                Err(reason) => failure = reason,
            }
        }
        Err(JpegError::Encoder(failure))
    }
}

/// Encodes a picture of [`PixelFormat::I420Full`] and returns the size of the file.
fn encode(picture: &mut WritableBuffer, quantizer: i32, out: &mut [u8]) -> Result<usize, String> {
    assert!(picture.format() == PixelFormat::I420Full, "JPEG files hold 4:2:0 in full range here");
    let (width, height) = (picture.width() as i32, picture.height() as i32);
    let mut planes = RawPlanes { data: [ptr::null_mut(); 3], stride: [0; 3], width, height };
    for plane in 0..3 {
        planes.stride[plane] = picture.stride(plane) as i32;
    }
    planes.data = picture.planes_mut().map(<[u8]>::as_mut_ptr);
    let mut size = 0;
    // SAFETY: each plane has all rows of a picture of this size at its stride, and is only read; `out` has
    // the room that is stated. All are borrowed until the call returns.
    attempt(|| unsafe { ffi::rt_jpeg(&planes, quantizer, out.as_mut_ptr(), out.len(), &mut size) })
        .map_err(|failure| failure.message().to_owned())?;
    Ok(size)
}
