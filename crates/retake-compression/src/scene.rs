//! This module finds scene changes while a film is decoded.
//!
//! The detector (av-scenechange) looks at a small grey copy of each picture, which whoever decodes it makes.
//! Its decisions lag [`LOOK_AHEAD`] frames behind, and depend on nothing before the last
//! [`SceneDetector::restart`]: so a job that is carried on in the middle of a film finds the same scenes.

use av_scenechange::{SceneChangeDetector, SceneDetectionSpeed};
use num_rational::Rational32;
use retake_media::PixelBuffer;
use std::collections::VecDeque;
use std::sync::Arc;
use v_frame::chroma::ChromaSubsampling;
use v_frame::frame::{Frame, FrameBuilder};

/// This many frames must follow before a decision is made; fewer suffice at the end of the film.
pub const LOOK_AHEAD: usize = 5;

/// Pictures are analysed at this size. One fixed size serves all films, because the library's standard mode
/// panics on many others; it takes 0.08 ms here without assembly, so that no assembler is needed to build. On
/// real films it finds the cuts that it finds at full size.
const WIDTH: usize = 192;
const HEIGHT: usize = 128;
/// The library's motion search needs this many samples around the picture.
const PADDING: usize = 16;

/// A decision tells whether a scene begins with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The frame.
    pub frame: u64,
    /// True if a scene begins with it.
    pub cut: bool,
}

/// Finds the frames that scenes begin with, of pictures of one format and size.
pub struct SceneDetector {
    detector: SceneChangeDetector<u8>,
    shortest: usize,
    /// These are small copies of the frames from `next - 1` on.
    small: VecDeque<Arc<Frame<u8>>>,
    /// The scene began with this frame.
    start: u64,
    /// This is the next frame to decide about.
    next: u64,
}

impl SceneDetector {
    /// Makes a detector for the film from frame `start` on, where a scene must begin. Scenes are at least
    /// `shortest` frames long.
    pub fn new(start: u64, shortest: usize) -> Self {
        let detector = new_detector(shortest);
        Self { detector, shortest, small: VecDeque::new(), start, next: start + 1 }
    }

    /// Takes in the next picture.
    pub fn push(&mut self, picture: &SmallPicture) {
        self.small.push_back(Arc::new(picture.as_frame()));
    }

    /// Returns the next decision, once enough frames are known. At the end of the film (`ended`) the last
    /// frames are decided upon, too.
    pub fn decide(&mut self, ended: bool) -> Option<Decision> {
        let known = self.small.len();
        if known < 2 || (!ended && known < LOOK_AHEAD + 2) {
            return None;
        }
        let set: Vec<&Arc<Frame<u8>>> = self.small.iter().take(LOOK_AHEAD + 2).collect();
        let (cut, _) = self.detector.analyze_next_frame(&set, (self.next - self.start) as usize, 0);
        let decision = Decision { frame: self.next, cut };
        self.small.pop_front();
        self.next += 1;
        Some(decision)
    }

    /// Forgets everything before the frame that was just decided to be a cut.
    pub fn restart(&mut self) {
        self.start = self.next - 1;
        self.detector = new_detector(self.shortest);
    }
}

fn new_detector(shortest: usize) -> SceneChangeDetector<u8> {
    SceneChangeDetector::new(
        (WIDTH, HEIGHT),
        8,
        // only modes that are not used here read these values
        Rational32::new_raw(1, 25),
        ChromaSubsampling::Monochrome,
        LOOK_AHEAD,
        SceneDetectionSpeed::Standard,
        shortest,
        usize::MAX,
    )
}

/// A small grey copy of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallPicture(Box<[u8]>);

impl SmallPicture {
    /// The bytes of each.
    pub const BYTES: usize = WIDTH * HEIGHT;

    /// Makes the copy: each sample is the mean of 2 × 2 samples spread over its block.
    pub fn of(picture: &PixelBuffer) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let columns: Vec<[usize; 2]> = (0..WIDTH).map(|x| spread(x, WIDTH, width)).collect();
        let wide = picture.format().bytes_per_sample() > 1;
        let shift = (picture.format().bit_depth() + picture.format().bit_shift()).saturating_sub(8);
        let mut small = vec![0; Self::BYTES].into_boxed_slice();
        for (y, out) in small.chunks_exact_mut(WIDTH).enumerate() {
            let mut sums = [0u32; WIDTH];
            for row in spread(y, HEIGHT, height) {
                let row = picture.row(0, row);
                for (sum, columns) in sums.iter_mut().zip(&columns) {
                    for &column in columns {
                        *sum += if wide {
                            u32::from(u16::from_le_bytes([row[2 * column], row[2 * column + 1]])) >> shift
                        } else {
                            u32::from(row[column])
                        };
                    }
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = (sum / 4) as u8;
            }
        }
        Self(small)
    }

    /// Returns its samples, row by row.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes a copy of samples that another one [had](Self::bytes); `None` where there are not as many.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == Self::BYTES).then(|| Self(bytes.into()))
    }

    /// Returns it as the detector wants it.
    fn as_frame(&self) -> Frame<u8> {
        let mut frame = FrameBuilder::new(WIDTH, HEIGHT, ChromaSubsampling::Monochrome, 8)
            .luma_padding_left(PADDING)
            .luma_padding_right(PADDING)
            .luma_padding_top(PADDING)
            .luma_padding_bottom(PADDING)
            .build::<u8>()
            .expect("a constant, valid geometry");
        for (row, samples) in frame.y_plane.rows_mut().zip(self.0.chunks_exact(WIDTH)) {
            row.copy_from_slice(samples);
        }
        frame
    }
}

/// Returns two positions spread over the `i`-th of `parts` equal parts of `0..length`.
fn spread(i: usize, parts: usize, length: usize) -> [usize; 2] {
    [1, 3].map(|quarter| ((4 * i + quarter) * length / (4 * parts)).min(length - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::{PixelBufferPool, PixelFormat};

    fn picture(pool: &PixelBufferPool, scene: u64, t: u64) -> PixelBuffer {
        let mut buffer = pool.take();
        for y in 0..90 {
            for (x, sample) in buffer.row_mut(0, y).iter_mut().enumerate() {
                let (x, y) = (x as u64 + t, y as u64);
                *sample = ((x / 8 * 37 + y / 8 * 91 + scene * 53) * (scene + 3) % 200 + scene * 10) as u8;
            }
        }
        buffer.freeze()
    }

    fn cuts(from: u64, to: u64, scene_length: u64) -> Vec<u64> {
        let pool = PixelBufferPool::new(PixelFormat::I420, 160, 90);
        let mut detector = SceneDetector::new(from, 6);
        let mut cuts = Vec::new();
        for frame in from..to {
            detector.push(&SmallPicture::of(&picture(&pool, frame / scene_length, frame % scene_length)));
            while let Some(decision) = detector.decide(frame + 1 == to) {
                if decision.cut {
                    cuts.push(decision.frame);
                    detector.restart();
                }
            }
        }
        cuts
    }

    /// A job carried on at a scene change must find the scenes that it would have found.
    #[test]
    fn detection_does_not_depend_on_what_came_before_a_cut() {
        assert_eq!(cuts(0, 100, 20), [20, 40, 60, 80]);
        assert_eq!(cuts(40, 100, 20), [60, 80]);
    }
}
