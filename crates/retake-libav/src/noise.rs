//! How strong the noise of a film is, such as the grain of its material.

use crate::error::MediaError;
use crate::film::FilmInfo;
use crate::reader::{FrameReader, ReaderOptions};
use retake_media::PixelBuffer;

/// The side of a block, in samples.
const BLOCK: usize = 16;

/// What is darker or brighter than this, in steps of 8 bits, has lost a part of its noise.
const SEEN: std::ops::RangeInclusive<u32> = 24..=226;

/// A picture with fewer blocks that can be judged says nothing.
const FEWEST: usize = 16;

impl FilmInfo {
    /// Estimates the noise of the film's pictures as they are read, filters included: its standard deviation
    /// in luma, in steps of 8 bits. `None` where no picture can be judged, because all of them are black,
    /// white or small, and if `stopped` said so meanwhile.
    ///
    /// Sync frames are looked at alone, because their noise is the least changed by the encoder that they
    /// come from. In each, noise is what a second difference leaves of blocks (J. Immerkær, *Fast Noise
    /// Variance Estimation*, 1996); a quarter of all blocks have less, so that textures do not count as long
    /// as they do not fill the picture. Of all pictures the median counts.
    ///
    /// # Errors
    /// Those of a [`FrameReader`].
    pub fn noise(&self, stopped: &dyn Fn() -> bool) -> Result<Option<f64>, MediaError> {
        let mut reader = FrameReader::open(self, ReaderOptions { format: self.video.format, threads: 0 })?;
        reader.sync_frames_only();
        let mut all = Vec::new();
        while let Some(frame) = reader.next()? {
            if stopped() {
                return Ok(None);
            }
            all.extend(of_picture(&frame.picture));
        }
        Ok(quantile(all, 2))
    }
}

/// Estimates the noise of a picture; `None` where too few of its blocks can be judged.
fn of_picture(picture: &PixelBuffer) -> Option<f64> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let deep = picture.format().bytes_per_sample() == 2;
    let shift = picture.format().bit_depth() - 8;
    let sample = |row: &[u8], x: usize| match deep {
        true => i64::from(u16::from_le_bytes([row[2 * x], row[2 * x + 1]])),
        false => i64::from(row[x]),
    };
    let (mut found, inner) = (Vec::new(), (BLOCK - 2) * (BLOCK - 2));
    for top in (0..height / BLOCK).map(|row| row * BLOCK) {
        let rows: Vec<&[u8]> = (top..top + BLOCK).map(|y| picture.row(0, y)).collect();
        for left in (0..width / BLOCK).map(|column| column * BLOCK) {
            let (mut sum, mut differences) = (0, 0);
            for y in 1..BLOCK - 1 {
                for x in left + 1..left + BLOCK - 1 {
                    let across = |row: &[u8]| sample(row, x - 1) - 2 * sample(row, x) + sample(row, x + 1);
                    differences += (across(rows[y - 1]) - 2 * across(rows[y]) + across(rows[y + 1])).abs();
                    sum += sample(rows[y], x);
                }
            }
            let mean = u32::try_from(sum / inner as i64).unwrap_or(0) >> shift;
            if SEEN.contains(&mean) {
                // The weights of the difference make noise six times as strong, and the mean of absolute
                // values is smaller than their deviation.
                let mean = differences as f64 / inner as f64;
                found.push((std::f64::consts::PI / 2.0).sqrt() * mean / 6.0 / f64::from(1_u32 << shift));
            }
        }
    }
    (found.len() >= FEWEST).then(|| quantile(found, 4)).flatten()
}

/// Returns the value that one in so many does not exceed.
fn quantile(mut values: Vec<f64>, one_in: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / one_in).copied()
}
