//! What each metric of this build costs, for a frame of 640x360 with 8 bits.

use divan::Bencher;
use divan::counter::ItemsCount;
use retake_media::{PixelBuffer, PixelBufferPool, PixelFormat};
use retake_quality::{MetricKind, Scorer, ScorerSettings, available};

fn main() {
    divan::main();
}

const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;
/// Temporal metrics look at neighbours, so that one frame alone would cost less.
const FRAMES: u32 = 6;

/// Picture `index` of drifting slopes with noise of `noise` steps.
fn picture(index: u32, noise: u32) -> PixelBuffer {
    let mut buffer = PixelBufferPool::new(PixelFormat::I420, WIDTH, HEIGHT).take();
    let mut state = index.wrapping_mul(2_654_435_761) | 1;
    for plane in 0..3 {
        let (width, height) = PixelFormat::I420.plane_size(WIDTH, HEIGHT, plane);
        for y in 0..height {
            let row = buffer.row_mut(plane, y as usize);
            for x in 0..width {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let slope = ((x + 3 * index) / 2 + y + 40 * ((x / 32 + y / 24) % 3)) % 190;
                row[x as usize] = (20 + slope + (state >> 20) % (noise + 1)) as u8;
            }
        }
    }
    buffer.freeze()
}

#[divan::bench(args = available(), max_time = 3)]
fn score(bencher: Bencher, metric: &MetricKind) {
    let settings = ScorerSettings::new(*metric, WIDTH, HEIGHT, PixelFormat::I420, 25.0);
    let pairs: Vec<_> = (0..FRAMES).map(|index| (picture(index, 0), picture(index, 9))).collect();
    bencher.counter(ItemsCount::new(FRAMES)).bench(|| {
        let mut scorer = Scorer::new(&settings).expect("a metric of this build");
        for (source, film) in &pairs {
            scorer.push(source, film).expect("pictures of one size and format");
        }
        scorer.finish().expect("pictures were pushed")
    });
}
