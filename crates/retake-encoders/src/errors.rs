//! Computes the mean squared errors of frames from the pictures, because the libraries write theirs only to
//! their logs.

use retake_compression::encoder::{EncodedFrame, FrameError};
use retake_media::{PixelBuffer, PixelFormat};
use std::collections::{BTreeMap, VecDeque};

/// Frames on the way to their errors. It holds a reference to each source picture until its reconstruction is
/// there, and each sample until its errors are known.
#[derive(Default)]
pub(crate) struct Errors {
    sources: BTreeMap<u64, PixelBuffer>,
    known: BTreeMap<u64, FrameError>,
    frames: VecDeque<EncodedFrame>,
}

impl Errors {
    /// Records a frame that was sent.
    pub(crate) fn sent(&mut self, index: u64, source: &PixelBuffer) {
        self.sources.insert(index, source.clone());
    }

    /// Keeps a sample that came out.
    pub(crate) fn coded(&mut self, frame: EncodedFrame) {
        self.frames.push_back(frame);
    }

    /// Compares a reconstruction with its source.
    pub(crate) fn reconstructed(&mut self, index: u64, picture: &PixelBuffer) {
        if let Some(source) = self.sources.remove(&index) {
            let [luma, blue, red] =
                [0, 1, 2].map(|component| mean_squared_error(&source, picture, component));
            self.known.insert(index, FrameError { luma, blue, red });
        }
    }

    /// Returns the next sample in decode order, if its errors are known.
    pub(crate) fn next(&mut self) -> Option<EncodedFrame> {
        let error = self.known.remove(&self.frames.front()?.index)?;
        let frame = self.frames.pop_front()?;
        Some(EncodedFrame { error: Some(error), ..frame })
    }
}

/// Returns the mean squared error of one component of two pictures; each may keep it in a plane of its own,
/// or chroma in pairs.
fn mean_squared_error(a: &PixelBuffer, b: &PixelBuffer, component: usize) -> f64 {
    let (layout_a, layout_b) = (Layout::of(a.format(), component), Layout::of(b.format(), component));
    let (mut sum, mut count) = (0u64, 0u64);
    for (row_a, row_b) in a.rows(layout_a.plane).zip(b.rows(layout_b.plane)) {
        for (a, b) in layout_a.samples(row_a).zip(layout_b.samples(row_b)) {
            sum += u64::from(a.abs_diff(b)).pow(2);
            count += 1;
        }
    }
    sum as f64 / count.max(1) as f64
}

/// The places of the samples of a component.
struct Layout {
    plane: usize,
    /// Bytes to the first sample of a row, from one sample to the next, and of one sample.
    first: usize,
    step: usize,
    bytes: usize,
    shift: u32,
}

impl Layout {
    fn of(format: PixelFormat, component: usize) -> Self {
        let (bytes, shift) = (format.bytes_per_sample(), format.bit_shift());
        match component {
            1 | 2 if !format.is_planar() => {
                Self { plane: 1, first: (component - 1) * bytes, step: 2 * bytes, bytes, shift }
            }
            _ => Self { plane: component, first: 0, step: bytes, bytes, shift },
        }
    }

    fn samples<'a>(&self, row: &'a [u8]) -> impl Iterator<Item = u16> + 'a {
        let (bytes, shift) = (self.bytes, self.shift);
        row.get(self.first..).unwrap_or(&[]).chunks(self.step).map(move |sample| match (bytes, sample) {
            (2, [low, high, ..]) => u16::from_le_bytes([*low, *high]) >> shift,
            (_, [value, ..]) => u16::from(*value),
            (_, []) => 0,
        })
    }
}
