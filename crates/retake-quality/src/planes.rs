//! Reads rows of samples, whatever their width in memory.

use retake_media::PixelBuffer;

/// A sample as it lies in memory.
pub(crate) trait Sample: bytemuck::Pod {
    /// Returns the sample as a signed number with room for sums of sixteen samples of 10 bits.
    fn wide(self) -> i16;

    /// Returns the square of the difference of two samples of up to 10 bits.
    fn squared_difference(self, other: Self) -> u32;

    /// Returns a row of bytes as samples; it copies only where two-byte samples lie at odd addresses.
    fn cast(row: &[u8]) -> std::borrow::Cow<'_, [Self]>;
}

impl Sample for u8 {
    #[inline(always)]
    fn wide(self) -> i16 {
        i16::from(self)
    }

    #[inline(always)]
    fn squared_difference(self, other: u8) -> u32 {
        // The square is at most 255², which fits the low half of the product.
        let d = self.wide() - other.wide();
        u32::from(d.wrapping_mul(d) as u16)
    }

    fn cast(row: &[u8]) -> std::borrow::Cow<'_, [u8]> {
        row.into()
    }
}

impl Sample for u16 {
    #[inline(always)]
    fn wide(self) -> i16 {
        self as i16
    }

    #[inline(always)]
    fn squared_difference(self, other: u16) -> u32 {
        // The difference has 16 bits so that compilers can multiply and add pairs in one instruction.
        let d = self.wide().wrapping_sub(other.wide());
        (i32::from(d) * i32::from(d)) as u32
    }

    fn cast(row: &[u8]) -> std::borrow::Cow<'_, [u16]> {
        match bytemuck::try_cast_slice(row) {
            Ok(samples) if cfg!(target_endian = "little") => samples.into(),
            _ => row.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect(),
        }
    }
}

/// The largest block of a row whose sum of squared differences fits 32 bits at 10 bits a sample.
const BLOCK: usize = 2048;

/// Returns the sum of squared differences of two rows.
fn row_sse<S: Sample>(a: &[S], b: &[S]) -> u64 {
    let block = |(a, b): (&[S], &[S])| {
        let squares = a.iter().zip(b).map(|(&a, &b)| a.squared_difference(b));
        u64::from(squares.fold(0_u32, u32::wrapping_add))
    };
    a.chunks(BLOCK).zip(b.chunks(BLOCK)).map(block).sum()
}

/// Returns the sum of squared differences of a plane of two pictures of one format and size.
pub(crate) fn plane_sse(a: &PixelBuffer, b: &PixelBuffer, plane: usize) -> u64 {
    let rows = a.rows(plane).zip(b.rows(plane));
    match a.format().bytes_per_sample() {
        1 => rows.map(|(a, b)| row_sse(a, b)).sum(),
        _ => rows.map(|(a, b)| row_sse::<u16>(&u16::cast(a), &u16::cast(b))).sum(),
    }
}
