//! Decodes subtitles that are made of pictures, such as those of Blu-ray discs (PGS), DVB and DVDs (VobSub).
#![allow(unsafe_code)]

use crate::failure::{Failure, attempt};
use crate::ffi::{self, RawBitmap, RawBitmapSet};
use crate::input::{Input, Packet};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

/// A decoder of one track.
pub(crate) struct BitmapDecoder(NonNull<ffi::RtBitmaps>);

// SAFETY: a codec context is used by one thread at a time, because all calls take `&mut`.
unsafe impl Send for BitmapDecoder {}

/// What a decoder gives out: all that is shown from a time on; nothing, where what was shown goes.
pub(crate) struct BitmapSet {
    /// When it is shown, in microseconds on the clock of the packets; `None` where that is not known.
    pub(crate) micros: Option<i64>,
    /// When it appears after that, and when it goes, in milliseconds; `None` where it stays until the next.
    pub(crate) begins: i64,
    pub(crate) ends: Option<i64>,
    /// The canvas that places are meant on; `None` where it is not known.
    pub(crate) canvas: Option<(u32, u32)>,
    pub(crate) bitmaps: Vec<Bitmap>,
}

/// A picture by the numbers of its colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    /// The place of its upper left sample.
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// A byte for each sample, row by row.
    pub(crate) indices: Vec<u8>,
    /// Alpha, red, green and blue of each number, the first in the highest bits.
    pub(crate) palette: [u32; 256],
}

impl BitmapDecoder {
    /// Opens a decoder for a track.
    pub(crate) fn open(input: &Input, stream: u32) -> Result<Self, Failure> {
        let mut bitmaps = ptr::null_mut();
        // SAFETY: the input is open, and the shim copies what it needs; on success the object is ours.
        attempt(|| unsafe { ffi::rt_bitmaps_open(input.as_ptr(), stream as i32, &mut bitmaps) })?;
        Ok(Self(NonNull::new(bitmaps).expect("an opened decoder has an address")))
    }

    /// Decodes a packet; `None` where nothing changes yet.
    pub(crate) fn decode(&mut self, packet: &Packet) -> Result<Option<BitmapSet>, Failure> {
        let mut out = MaybeUninit::<RawBitmapSet>::uninit();
        // SAFETY: the packet is alive and only read, and the shim fills the whole struct.
        let set = unsafe {
            if attempt(|| ffi::rt_bitmaps_decode(self.0.as_ptr(), packet.as_ptr(), out.as_mut_ptr()))? == 0 {
                return Ok(None);
            }
            out.assume_init()
        };
        let bitmaps = (0..set.count).filter_map(|number| self.bitmap(number)).collect();
        let size = u32::try_from(set.width).ok().zip(u32::try_from(set.height).ok());
        Ok(Some(BitmapSet {
            micros: Some(set.pts).filter(|&pts| pts != i64::MIN),
            begins: set.begins.into(),
            ends: Some(i64::from(set.ends)).filter(|&ends| ends > i64::from(set.begins)),
            canvas: size.filter(|&(width, height)| width > 0 && height > 0),
            bitmaps,
        }))
    }

    /// Returns how many errors decoding has met so far.
    pub(crate) fn complaints(&self) -> i64 {
        // SAFETY: the call only reads.
        unsafe { ffi::rt_bitmaps_complaints(self.0.as_ptr()) }
    }

    /// Copies one of the pictures that were decoded last; `None` if it is none.
    fn bitmap(&mut self, number: i32) -> Option<Bitmap> {
        let mut out = MaybeUninit::<RawBitmap>::uninit();
        // SAFETY: the shim fills the whole struct where it answers 1; the samples live until the next packet
        // is decoded, which needs `&mut`.
        let raw = unsafe {
            (ffi::rt_bitmap_of(self.0.as_ptr(), number, out.as_mut_ptr()) == 1).then(|| out.assume_init())?
        };
        let (width, height, stride) = (raw.width as usize, raw.height as usize, raw.stride as usize);
        let mut indices = Vec::with_capacity(width * height);
        for row in 0..height {
            // SAFETY: the decoder has made so many rows, each at this distance, which the shim has checked to
            // be no shorter than a row.
            indices.extend_from_slice(unsafe {
                std::slice::from_raw_parts(raw.indices.add(row * stride), width)
            });
        }
        let (width, height) = (raw.width as u32, raw.height as u32);
        Some(Bitmap { x: raw.x, y: raw.y, width, height, indices, palette: raw.palette })
    }
}

impl Drop for BitmapDecoder {
    fn drop(&mut self) {
        // SAFETY: the object is ours, and this is its last use.
        unsafe { ffi::rt_bitmaps_close(self.0.as_ptr()) };
    }
}
