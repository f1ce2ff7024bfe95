//! Computes SSIM of luma.
//!
//! It follows Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, *Image quality assessment: from error
//! visibility to structural similarity*, IEEE Transactions on Image Processing 13(4), 2004, with the windows
//! that video tools use: 8×8 samples of equal weight, at every fourth row and column. K₁ is 0.01 and K₂ 0.03;
//! a frame's score is the mean over its windows. Numbers agree with FFmpeg's filter.

use crate::engine::StillMetric;
use crate::planes::Sample;
use retake_media::{PixelBuffer, PixelFormat};

/// The side of one window, because smaller pictures have none.
pub(crate) const LEAST_SIZE: u32 = 8;

/// The side of a cell; a window is two by two cells.
const CELL: usize = 4;

/// Sums over a part of two pictures: of their samples, of both samples' squares together, and of their
/// products.
#[derive(Clone, Copy, Default)]
struct Sums {
    a: u32,
    b: u32,
    squares: u32,
    products: u32,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.a += other.a;
        self.b += other.b;
        self.squares += other.squares;
        self.products += other.products;
    }
}

/// Keeps memory that is used anew for each frame.
#[derive(Default)]
pub(crate) struct Ssim {
    /// One vector for each of the four sums, a number per column, over the rows of a cell.
    columns: [Vec<u32>; 4],
    /// The cells of two rows of cells.
    cells: [Vec<Sums>; 2],
}

impl StillMetric for Ssim {
    const LIBRARY: &'static str = "retake-quality";

    fn score(&mut self, reference: &PixelBuffer, picture: &PixelBuffer) -> Result<f64, String> {
        Ok(match reference.format().bytes_per_sample() {
            1 => self.score_of::<u8>(reference, picture),
            _ => self.score_of::<u16>(reference, picture),
        })
    }
}

impl Ssim {
    fn score_of<S: Sample>(&mut self, reference: &PixelBuffer, picture: &PixelBuffer) -> f64 {
        let geometry = reference.geometry(0);
        let (cells, rows) = (geometry.samples / CELL, geometry.rows / CELL);
        let constants = Constants::of(reference.format());
        for column in &mut self.columns {
            column.resize(cells * CELL, 0);
        }
        let mut total = 0.0;
        for row in 0..rows {
            self.sum_columns::<S>(reference, picture, row * CELL);
            self.cells.swap(0, 1);
            self.sum_cells(cells);
            if row > 0 {
                total += self.windows(&constants);
            }
        }
        total / ((cells - 1) * (rows - 1)) as f64
    }

    fn sum_columns<S: Sample>(&mut self, reference: &PixelBuffer, picture: &PixelBuffer, top: usize) {
        let [sum_a, sum_b, squares, products] = &mut self.columns;
        for column in [&mut *sum_a, &mut *sum_b, &mut *squares, &mut *products] {
            column.fill(0);
        }
        for y in top..top + CELL {
            let (a, b) = (S::cast(reference.row(0, y)), S::cast(picture.row(0, y)));
            let sums =
                sum_a.iter_mut().zip(sum_b.iter_mut()).zip(squares.iter_mut()).zip(products.iter_mut());
            for ((((sum_a, sum_b), squares), products), (&a, &b)) in sums.zip(a.iter().zip(&*b)) {
                let (a, b) = (i32::from(a.wide()), i32::from(b.wide()));
                *sum_a += a as u32;
                *sum_b += b as u32;
                *squares += (a * a + b * b) as u32;
                *products += (a * b) as u32;
            }
        }
    }

    fn sum_cells(&mut self, cells: usize) {
        let sum = |column: &[u32], cell: usize| column[cell * CELL..][..CELL].iter().sum();
        let [a, b, squares, products] = &self.columns;
        self.cells[1].clear();
        self.cells[1].extend((0..cells).map(|cell| Sums {
            a: sum(a, cell),
            b: sum(b, cell),
            squares: sum(squares, cell),
            products: sum(products, cell),
        }));
    }

    /// Returns the sum of the scores of a row of windows.
    fn windows(&self, constants: &Constants) -> f64 {
        let [above, below] = &self.cells;
        let window = |(above, below): (&[Sums], &[Sums])| {
            let mut sums = above[0];
            for cell in [above[1], below[0], below[1]] {
                sums.add(cell);
            }
            constants.similarity(sums)
        };
        above.windows(2).zip(below.windows(2)).map(window).sum()
    }
}

/// C₁ and C₂, scaled like the sums they are added to.
struct Constants {
    mean: f64,
    variance: f64,
}

impl Constants {
    fn of(format: PixelFormat) -> Self {
        let peak = f64::from((1_u32 << format.bit_depth()) - 1);
        let constant = |k: f64, scale: f64| (k * k * peak * peak * scale).round();
        // Variances are those of a sample, so they are divided by 64 × 63 instead of 64².
        Self { mean: constant(0.01, 64.0), variance: constant(0.03, 64.0 * 63.0) }
    }

    /// Returns luminance × contrast and structure of a window of 64 samples.
    fn similarity(&self, sums: Sums) -> f64 {
        let [a, b, squares, products] = [sums.a, sums.b, sums.squares, sums.products].map(f64::from);
        let variances = 64.0 * squares - a * a - b * b;
        let covariance = 64.0 * products - a * b;
        (2.0 * a * b + self.mean) * (2.0 * covariance + self.variance)
            / ((a * a + b * b + self.mean) * (variances + self.variance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_by_hand() {
        let constants = Constants::of(PixelFormat::I420);
        let flat = |a: u32, b: u32| Sums {
            a: 64 * a,
            b: 64 * b,
            squares: 64 * (a * a + b * b),
            products: 64 * a * b,
        };
        assert_eq!(constants.similarity(flat(77, 77)), 1.0);
        // Flat windows differ by their means alone: (2ab + C₁) / (a² + b² + C₁).
        let c1 = 416.0 / 4096.0;
        let expected = (2.0 * 100.0 * 110.0 + c1) / (100.0 * 100.0 + 110.0 * 110.0 + c1);
        assert!((constants.similarity(flat(100, 110)) - expected).abs() < 1e-9);
    }
}
