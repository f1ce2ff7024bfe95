//! Converts Y′CbCr to R′G′B′ of 16 bits in full range.
//!
//! Chroma is interpolated linearly from the places of its samples (left of centre where that is unknown, as
//! in nearly all video); the matrix is the tagged one, or the one that is usual for the size: BT.709 from 720
//! rows on, else BT.601.

use crate::ScorerSettings;
use crate::planes::Sample;
use retake_media::{Colour, PixelBuffer, Range};

pub(super) struct ToRgb {
    /// The value of black, and factors from sample values to luma in 0…1 and chroma in −½…½.
    black: f32,
    luma: f32,
    middle: f32,
    chroma: f32,
    /// The amounts that one unit of Cr adds to red, of Cb and Cr to green, and of Cb to blue.
    red: f32,
    green: [f32; 2],
    blue: f32,
    /// Whether chroma samples lie on luma columns, and on luma rows.
    on_column: bool,
    on_row: bool,
    /// The pixels across and down that share chroma; `None` where there is none, so that colours are neutral.
    block: Option<(u32, u32)>,
    /// A row of each chroma plane, interpolated between two rows and then to full width.
    half: [Vec<f32>; 2],
    full: [Vec<f32>; 2],
}

/// Returns the weights of red and blue in luma (H.273, table 4).
fn weights(colour: &Colour, height: u32) -> (f32, f32) {
    match colour.matrix {
        1 => (0.2126, 0.0722),
        4 => (0.30, 0.11),
        5 | 6 => (0.299, 0.114),
        7 => (0.212, 0.087),
        9 | 10 => (0.2627, 0.0593),
        _ if height >= 720 => (0.2126, 0.0722),
        _ => (0.299, 0.114),
    }
}

impl ToRgb {
    pub(super) fn new(settings: &ScorerSettings) -> Self {
        let (red, blue) = weights(&settings.colour, settings.height);
        let green = 1.0 - red - blue;
        let scale = (1_u32 << (settings.format.bit_depth() - 8)) as f32;
        let peak = ((1_u32 << settings.format.bit_depth()) - 1) as f32;
        let (black, luma, chroma) = match settings.colour.range {
            Range::Limited => (16.0 * scale, 219.0 * scale, 224.0 * scale),
            Range::Full => (0.0, peak, peak),
        };
        Self {
            black,
            luma: 1.0 / luma,
            middle: 128.0 * scale,
            chroma: 1.0 / chroma,
            red: 2.0 * (1.0 - red),
            green: [-2.0 * (1.0 - blue) * blue / green, -2.0 * (1.0 - red) * red / green],
            blue: 2.0 * (1.0 - blue),
            on_column: settings.colour.chroma_location != 2,
            on_row: settings.colour.chroma_location == 3,
            block: settings.format.chroma_block(),
            half: Default::default(),
            full: [(); 2].map(|()| vec![0.0; settings.width as usize]),
        }
    }

    /// Fills `rgb` with the interleaved samples of a picture of the announced size.
    pub(super) fn convert(&mut self, picture: &PixelBuffer, rgb: &mut [u16]) {
        match picture.format().bytes_per_sample() {
            1 => self.convert_of::<u8>(picture, rgb),
            _ => self.convert_of::<u16>(picture, rgb),
        }
    }

    fn convert_of<S: Sample>(&mut self, picture: &PixelBuffer, rgb: &mut [u16]) {
        let width = picture.width() as usize;
        for (y, rgb) in rgb.chunks_exact_mut(width * 3).enumerate() {
            for plane in [1, 2] {
                let Some((across, down)) = self.block else { break };
                let (first, second, share) = between(y, picture.geometry(plane).rows, down, self.on_row);
                let rows = S::cast(picture.row(plane, first));
                let others = S::cast(picture.row(plane, second));
                let blend = |(&a, &b): (&S, &S)| {
                    let (a, b) = (f32::from(a.wide()), f32::from(b.wide()));
                    (a + (b - a) * share - self.middle) * self.chroma
                };
                let half = &mut self.half[plane - 1];
                half.clear();
                half.extend(rows.iter().zip(&*others).map(blend));
                for (x, to) in self.full[plane - 1].iter_mut().enumerate() {
                    let (left, right, share) = between(x, half.len(), across, self.on_column);
                    *to = half[left] + (half[right] - half[left]) * share;
                }
            }
            let luma = S::cast(picture.row(0, y));
            let chroma = self.full[0].iter().zip(&self.full[1]);
            for ((rgb, &y), (&cb, &cr)) in rgb.chunks_exact_mut(3).zip(&*luma).zip(chroma) {
                let y = (f32::from(y.wide()) - self.black) * self.luma;
                let code = |value: f32| (value.clamp(0.0, 1.0) * 65535.0 + 0.5) as u16;
                rgb[0] = code(y + self.red * cr);
                rgb[1] = code(y + self.green[0] * cb + self.green[1] * cr);
                rgb[2] = code(y + self.blue * cb);
            }
        }
    }
}

/// Returns the two of `samples` chroma samples that a luma position lies between, and the share of the
/// second. Chroma samples that two pixels share lie on even luma positions, or half a position after them.
fn between(position: usize, samples: usize, shared_by: u32, cosited: bool) -> (usize, usize, f32) {
    if shared_by == 1 {
        return (position, position, 0.0);
    }
    let half = position / 2;
    let (first, share) = match (cosited, position % 2) {
        (true, 0) => (half, 0.0),
        (true, _) => (half, 0.5),
        (false, 0) if half == 0 => return (0, 0, 0.0),
        (false, 0) => (half - 1, 0.75),
        (false, _) => (half, 0.25),
    };
    (first.min(samples - 1), (first + 1).min(samples - 1), share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MetricKind;
    use retake_media::{PixelBufferPool, PixelFormat};

    /// Returns the RGB of a picture of one colour.
    fn rgb_of(format: PixelFormat, colour: Colour, samples: [u16; 3]) -> [f32; 3] {
        let mut buffer = PixelBufferPool::new(format, 5, 3).take();
        for (plane, sample) in samples.into_iter().enumerate().take(format.planes()) {
            let stride = buffer.stride(plane);
            let bytes = sample.to_le_bytes();
            for row in buffer.plane_mut(plane).chunks_mut(stride) {
                for to in row.chunks_exact_mut(format.bytes_per_sample()) {
                    to.copy_from_slice(&bytes[..format.bytes_per_sample()]);
                }
            }
        }
        let settings =
            ScorerSettings { colour, ..ScorerSettings::new(MetricKind::Ssimulacra2, 5, 3, format, 25.0) };
        let mut rgb = [0; 45];
        ToRgb::new(&settings).convert(&buffer.freeze(), &mut rgb);
        assert!(rgb.chunks(3).all(|pixel| pixel == &rgb[..3]), "one colour stays one colour");
        [rgb[0], rgb[1], rgb[2]].map(|value| f32::from(value) / 65535.0)
    }

    #[test]
    fn colours_by_hand() {
        let near = |found: [f32; 3], expected: [f32; 3]| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 0.004, "{found} is not {expected}");
            }
        };
        let tagged = |matrix, range| Colour { matrix, range, ..Colour::default() };
        let limited = tagged(1, Range::Limited);
        near(rgb_of(PixelFormat::I420, limited, [235, 128, 128]), [1.0; 3]);
        near(rgb_of(PixelFormat::I420, limited, [16, 128, 128]), [0.0; 3]);
        near(rgb_of(PixelFormat::I420, limited, [63, 102, 240]), [1.0, 0.0, 0.0]);
        for format in [PixelFormat::I422, PixelFormat::I444] {
            near(rgb_of(format, limited, [63, 102, 240]), [1.0, 0.0, 0.0]);
        }
        near(rgb_of(PixelFormat::Y10, limited, [940, 0, 0]), [1.0; 3]);
        near(rgb_of(PixelFormat::I420, tagged(6, Range::Limited), [81, 90, 240]), [1.0, 0.0, 0.0]);
        near(rgb_of(PixelFormat::I010, tagged(9, Range::Limited), [294, 387, 960]), [1.0, 0.0, 0.0]);
        near(rgb_of(PixelFormat::I420, tagged(1, Range::Full), [54, 99, 255]), [0.999, 0.0, 0.0]);
        // Untagged pictures of few rows are BT.601.
        near(rgb_of(PixelFormat::I420, Colour::default(), [41, 240, 110]), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn chroma_lies_where_the_tag_says() {
        assert_eq!(
            [0, 1, 2, 7].map(|x| between(x, 4, true)),
            [(0, 1, 0.0), (0, 1, 0.5), (1, 2, 0.0), (3, 3, 0.5)]
        );
        assert_eq!(
            [0, 1, 2, 7].map(|x| between(x, 4, false)),
            [(0, 0, 0.0), (0, 1, 0.25), (0, 1, 0.75), (3, 3, 0.25)]
        );
    }
}
