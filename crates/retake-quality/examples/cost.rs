//! Measures the cost of each metric in milliseconds a frame, on made-up pictures. Run it with
//! `--release`.

use retake_media::{PixelBuffer, PixelBufferPool, PixelFormat};
use retake_quality::{QualityError, Scorer, ScorerSettings, available};
use std::time::{Duration, Instant};

/// Draws drifting waves, with noise whose amplitude is given in 8-bit steps.
fn picture(
    pool: &PixelBufferPool,
    format: PixelFormat,
    size: (u32, u32),
    index: usize,
    noise: u32,
) -> PixelBuffer {
    let mut buffer = pool.take();
    let mut state = 1 + index as u32;
    for plane in 0..3 {
        let (width, height) = format.plane_size(size.0, size.1, plane);
        for y in 0..height as usize {
            let row = buffer.row_mut(plane, y);
            for x in 0..width as usize {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let wave = 120.0 + 60.0 * ((x + 2 * index) as f32 / 19.0).sin() * (y as f32 / 13.0).cos();
                let value = wave as u32 + (x as u32 * 7 + y as u32 * 5) % 16 + (state >> 24) * noise / 256;
                match format {
                    PixelFormat::I420 => row[x] = value as u8,
                    _ => row[2 * x..][..2].copy_from_slice(&(4 * value as u16).to_le_bytes()),
                }
            }
        }
    }
    buffer.freeze()
}

fn main() -> Result<(), QualityError> {
    for (width, height, frames) in [(640, 360, 100), (1920, 1080, 25), (3840, 2160, 6)] {
        for format in [PixelFormat::I420, PixelFormat::I010] {
            let pool = PixelBufferPool::new(format, width, height);
            let make = |index, noise| picture(&pool, format, (width, height), index, noise);
            let pairs: Vec<_> = (0..6).map(|index| (make(index, 0), make(index, 12))).collect();
            for metric in available() {
                for stride in [1, 3] {
                    let usual = ScorerSettings::new(metric, width, height, format, 24.0);
                    let mut best = Duration::MAX;
                    let mut start = Duration::ZERO;
                    for _ in 0..3 {
                        let began = Instant::now();
                        let mut scorer = Scorer::new(&ScorerSettings { stride, ..usual })?;
                        start = began.elapsed();
                        for frame in 0..frames {
                            let (reference, picture) = &pairs[frame % pairs.len()];
                            scorer.push(reference, picture)?;
                        }
                        scorer.finish()?;
                        best = best.min(began.elapsed());
                    }
                    let each = best.as_secs_f64() * 1000.0 / frames as f64;
                    println!(
                        "{width}×{height} {format:?} {metric:<12} stride {stride}: {each:8.3} ms a frame, {start:?} to start"
                    );
                }
            }
        }
    }
    Ok(())
}
