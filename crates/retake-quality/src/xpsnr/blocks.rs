//! Divides a picture into blocks, with their errors and their weights.

use super::activity::{add_change, add_change_of_pairs, add_errors, add_high_pass, add_high_pass_of_pairs};
use crate::ScorerSettings;
use crate::planes::{Sample, plane_sse};
use retake_media::PixelBuffer;

/// The number of luma samples of a UHD picture, which the paper's constants are for.
const UHD: f64 = 3840.0 * 2160.0;
/// Pictures of more samples are processed in 2×2 samples.
const LARGE: usize = 2048 * 1152;
/// Pictures of no more samples have their weights smoothed.
const SMALL: usize = 640 * 480;

/// Holds all about blocks that is equal for all frames of a take, and memory that is used anew for each.
pub(super) struct Blocks {
    width: usize,
    height: usize,
    /// The width and height of a block in luma samples; 0 for pictures too small to have blocks, which score
    /// plain PSNR.
    size: usize,
    columns: usize,
    /// √a_pic of the paper.
    mean_activity: f64,
    /// The least activity of a block.
    least_activity: f64,
    second_order: bool,
    weights: Vec<f64>,
    errors: Vec<u64>,
    sums: [Vec<u32>; 3],
    scratch: Vec<i16>,
}

impl Blocks {
    pub(super) fn new(settings: &ScorerSettings) -> Self {
        let (width, height) = (settings.width as usize, settings.height as usize);
        let ratio = (width * height) as f64 / UHD;
        let size = 4 * (32.0 * ratio.sqrt() + 0.5) as usize;
        let bits = settings.format.bit_depth();
        Self {
            width,
            height,
            size,
            columns: if size > 0 { width.div_ceil(size) } else { 0 },
            mean_activity: (16.0 * 2_f64.powi(2 * bits as i32 - 9) / ratio.max(0.00001).sqrt()).sqrt(),
            least_activity: f64::from(1_u32 << (bits - 6)),
            second_order: settings.frame_rate >= 32.0,
            weights: Vec::new(),
            errors: Vec::new(),
            sums: [(); 3].map(|()| vec![0; width]),
            scratch: vec![0; width],
        }
    }

    /// Returns whether two pictures of the past influence the score.
    pub(super) fn second_order(&self) -> bool {
        self.second_order
    }

    /// Returns the weighted sum of squared errors of each plane, rounded to a whole number.
    pub(super) fn weighted_errors(
        &mut self,
        reference: &PixelBuffer,
        picture: &PixelBuffer,
        before: [&Option<PixelBuffer>; 2],
    ) -> [f64; 3] {
        if self.size == 0 {
            return [0, 1, 2].map(|plane| plane_sse(reference, picture, plane) as f64);
        }
        match reference.format().bytes_per_sample() {
            1 => self.weighted_errors_of::<u8>(reference, picture, before),
            _ => self.weighted_errors_of::<u16>(reference, picture, before),
        }
    }

    fn weighted_errors_of<S: Sample>(
        &mut self,
        reference: &PixelBuffer,
        picture: &PixelBuffer,
        before: [&Option<PixelBuffer>; 2],
    ) -> [f64; 3] {
        self.weights.clear();
        self.errors.clear();
        for top in (0..self.height).step_by(self.size) {
            let bottom = self.height.min(top + self.size);
            self.sum_columns::<S>(reference, picture, before, top, bottom);
            for left in (0..self.width).step_by(self.size) {
                let (error, weight) = self.block(left, top, bottom);
                self.errors.push(error);
                self.weights.push(weight);
            }
        }
        if self.width * self.height <= SMALL {
            self.smooth();
        }
        let luma = self.errors.iter().zip(&self.weights).map(|(&error, weight)| error as f64 * weight).sum();
        let chroma = [1, 2].map(|plane| self.chroma::<S>(reference, picture, plane));
        [luma, chroma[0], chroma[1]].map(|error: f64| (error * self.mean_activity).round())
    }

    /// Fills `sums` with the sums of columns (errors, high pass, change) from one row to another.
    fn sum_columns<S: Sample>(
        &mut self,
        reference: &PixelBuffer,
        picture: &PixelBuffer,
        before: [&Option<PixelBuffer>; 2],
        top: usize,
        bottom: usize,
    ) {
        let past = before[0].as_ref().unwrap_or(reference);
        let past = [past, before[1].as_ref().unwrap_or(past)];
        let here = |y| S::cast(reference.row(0, y));
        let then = |which: usize, y| S::cast(past[which].row(0, y));
        let [errors, high, change] = &mut self.sums;
        errors.fill(0);
        high.fill(0);
        change.fill(0);
        for y in top..bottom {
            add_errors(errors, &here(y), &S::cast(picture.row(0, y)));
        }
        if self.width * self.height > LARGE {
            for y in (top.max(2)..bottom).step_by(2).filter(|y| y + 3 < self.height) {
                let rows = [0, 1, 2, 3, 4, 5].map(|row| here(y + row - 2));
                add_high_pass_of_pairs(high, rows.each_ref().map(|row| &row[..]));
            }
            for y in (top..bottom).step_by(2).filter(|y| y + 1 < self.height) {
                let pair = |which| [then(which, y), then(which, y + 1)];
                let (now, before, earlier) = ([here(y), here(y + 1)], pair(0), pair(1));
                add_change_of_pairs(
                    change,
                    now.each_ref().map(|row| &row[..]),
                    before.each_ref().map(|row| &row[..]),
                    self.second_order.then(|| earlier.each_ref().map(|row| &row[..])),
                );
            }
        } else {
            for y in top.max(1)..bottom.min(self.height - 1) {
                let rows = [here(y - 1), here(y), here(y + 1)];
                add_high_pass(high, &mut self.scratch, rows.each_ref().map(|row| &row[..]));
            }
            for y in top..bottom {
                let earlier = self.second_order.then(|| then(1, y));
                add_change(change, &here(y), &then(0, y), earlier.as_deref());
            }
        }
    }

    /// Returns error and weight of a block whose columns have been summed.
    fn block(&self, left: usize, top: usize, bottom: usize) -> (u64, f64) {
        let right = self.width.min(left + self.size);
        let sum = |which: usize| self.sums[which][left..right].iter().map(|&sum| u64::from(sum)).sum::<u64>();
        // The high pass does not reach the picture's border.
        let border = if self.width * self.height > LARGE { 2 } else { 1 };
        let inner = |from: usize, to: usize, end: usize| {
            let first = if from == 0 { border } else { from };
            (if to == end { to - border.min(to) } else { to }).saturating_sub(first)
        };
        let inner = inner(left, right, self.width) * inner(top, bottom, self.height);
        if inner == 0 {
            return (sum(0), 1.0);
        }
        let area = ((right - left) * (bottom - top)) as f64;
        let activity = sum(1) as f64 / inner as f64 + 2.0 * sum(2) as f64 / area;
        (sum(0), 1.0 / activity.max(self.least_activity))
    }

    /// Limits each block's weight to the heaviest of its neighbours to the left, to the right and above.
    fn smooth(&mut self) {
        let (columns, blocks) = (self.columns, self.weights.len());
        for at in 0..blocks {
            let column = at % columns;
            let left = (column > 0).then(|| self.weights[at - 1]);
            let right = (column + 1 < columns).then(|| self.weights[at + 1]);
            let above = (at >= columns).then(|| self.weights[at - columns]);
            let heaviest = [left, right, above].into_iter().flatten().reduce(f64::max);
            self.weights[at] = heaviest.map_or(self.weights[at], |most| self.weights[at].min(most));
        }
    }

    /// Returns the weighted errors of a chroma plane, whose blocks have the weights of the luma blocks they
    /// lie in.
    fn chroma<S: Sample>(&mut self, reference: &PixelBuffer, picture: &PixelBuffer, plane: usize) -> f64 {
        let geometry = reference.geometry(plane);
        let (width, height) =
            (self.size * geometry.samples / self.width, self.size * geometry.rows / self.height);
        let (width, height) = (width.max(1), height.max(1));
        let sums = &mut self.sums[0][..geometry.samples];
        let mut total = 0.0;
        for (row, top) in (0..geometry.rows).step_by(height).enumerate() {
            sums.fill(0);
            for y in top..geometry.rows.min(top + height) {
                add_errors(sums, &S::cast(reference.row(plane, y)), &S::cast(picture.row(plane, y)));
            }
            let first = (row * self.columns).min(self.weights.len() - self.columns);
            for (column, sums) in sums.chunks(width).enumerate() {
                let error: u64 = sums.iter().map(|&sum| u64::from(sum)).sum();
                total += error as f64 * self.weights[first + column.min(self.columns - 1)];
            }
        }
        total
    }
}
