//! Rows of samples, whatever their width in memory.

use retake_media::{PixelBuffer, PixelFormat};

/// A sample as it lies in memory.
pub(crate) trait Sample: bytemuck::Pod + Into<i32> {
    /// A row of bytes as samples; a copy only where two-byte samples lie at odd addresses.
    fn cast(row: &[u8]) -> std::borrow::Cow<'_, [Self]>;
}

impl Sample for u8 {
    fn cast(row: &[u8]) -> std::borrow::Cow<'_, [u8]> {
        row.into()
    }
}

impl Sample for u16 {
    fn cast(row: &[u8]) -> std::borrow::Cow<'_, [u16]> {
        match bytemuck::try_cast_slice(row) {
            Ok(samples) if cfg!(target_endian = "little") => samples.into(),
            _ => row.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect(),
        }
    }
}

/// Samples that a block of a row may have so that the sum of their squared differences fits 32 bits at 10 bits a sample.
const BLOCK: usize = 2048;

/// The sum of squared differences of two rows of 8-bit samples.
fn row_sse_8(a: &[u8], b: &[u8]) -> u64 {
    let block = |(a, b): (&[u8], &[u8])| {
        let square = |(&a, &b): (&u8, &u8)| {
            let d = i16::from(a) - i16::from(b);
            (i32::from(d) * i32::from(d)) as u32
        };
        u64::from(a.iter().zip(b).map(square).sum::<u32>())
    };
    a.chunks(BLOCK).zip(b.chunks(BLOCK)).map(block).sum()
}

/// The sum of squared differences of two rows of samples of up to 10 bits.
fn row_sse_16(a: &[u16], b: &[u16]) -> u64 {
    let block = |(a, b): (&[u16], &[u16])| {
        let square = |(&a, &b): (&u16, &u16)| {
            let d = (a as i16).wrapping_sub(b as i16);
            (i32::from(d) * i32::from(d)) as u32
        };
        u64::from(a.iter().zip(b).map(square).fold(0_u32, u32::wrapping_add))
    };
    a.chunks(BLOCK).zip(b.chunks(BLOCK)).map(block).sum()
}

/// The sum of squared differences of a plane of two pictures of one format and size.
pub(crate) fn plane_sse(a: &PixelBuffer, b: &PixelBuffer, plane: usize) -> u64 {
    let rows = a.rows(plane).zip(b.rows(plane));
    match a.format() {
        PixelFormat::I420 => rows.map(|(a, b)| row_sse_8(a, b)).sum(),
        PixelFormat::I010 => rows.map(|(a, b)| row_sse_16(&u16::cast(a), &u16::cast(b))).sum(),
    }
}
