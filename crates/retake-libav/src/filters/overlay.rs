//! Lays pictures of subtitles over those of a film.
//!
//! libavfilter's `overlay` would do it, in a second input of the graph that has to be fed in step, with
//! chroma of its own choice, and after a conversion of colours that goes by no tags. Here a sample that the
//! subtitle covers wholly has exactly the subtitle's colour, and one that it does not cover stays as it is.

use super::FilterError;
use super::picture_cues::PictureCues;
use crate::bitmaps::Bitmap;
use crate::transfer::luma_weights;
use retake_media::{
    Colour, PixelBuffer, PixelBufferAttributes, PixelFormat, Range, Rational, WritableBuffer,
};

/// How places on a canvas become places in the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stage {
    /// The size of the picture of the film before it is cropped, after it was turned, and the width of its
    /// pixels divided by their height.
    pub(super) whole: (u32, u32),
    pub(super) aspect: f64,
    /// What is kept of it: width, height, and the place of its upper left sample.
    pub(super) kept: (u32, u32, u32, u32),
    /// The size of the picture that is drawn into.
    pub(super) picture: (u32, u32),
}

/// Draws what is shown, and keeps it from one frame to the next.
pub(super) struct Overlay {
    stage: Stage,
    /// What was drawn last, for which colours and format, and the number of its cue.
    drawn: Option<(usize, Colour, PixelFormat, Vec<Layer>)>,
}

/// A picture in the samples of the film.
struct Layer {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    /// The values of three planes times alpha, and alpha from 0 to 1, row by row.
    samples: Vec<[f32; 4]>,
}

/// The axis of a picture that is scaled: where it lies, and what each sample is made of.
struct Axis {
    from: u32,
    /// For each sample the first of those that it is made of, and their shares.
    parts: Vec<(usize, Vec<f32>)>,
}

impl Overlay {
    pub(super) fn new(stage: Stage) -> Self {
        Self { stage, drawn: None }
    }

    /// Draws what is shown at a time, in ticks of `base` on the clock of the graph, into a picture whose
    /// samples have this meaning. A picture in which nothing is shown is returned as it is.
    pub(super) fn draw(
        &mut self,
        cues: &PictureCues,
        picture: PixelBuffer,
        colour: Colour,
        time: i64,
        base: Rational,
    ) -> Result<PixelBuffer, FilterError> {
        let Some(number) = cues.at(time, base) else { return Ok(picture) };
        let format = picture.format();
        let fits = |(known, of, in_format, _): &(usize, Colour, PixelFormat, Vec<Layer>)| {
            (*known, *of, *in_format) == (number, colour, format)
        };
        let drawn = match self.drawn.take().filter(fits) {
            Some(drawn) => drawn,
            None => {
                let canvas = cues.cue(number).canvas;
                let colours = Colours::of(colour, format, picture.height());
                let layers = cues.bitmaps(number).filter_map(|it| self.stage.layer(&it, canvas, &colours));
                (number, colour, format, layers.collect())
            }
        };
        let (.., layers) = self.drawn.insert(drawn);
        let failed = |error: String| FilterError::Failed { detail: error };
        let attributes = PixelBufferAttributes::of(format, picture.width(), picture.height());
        let mut copy = WritableBuffer::create(&attributes).map_err(|error| failed(error.to_string()))?;
        for plane in 0..format.planes() {
            for (row, from) in picture.rows(plane).enumerate() {
                copy.row_mut(plane, row)[..from.len()].copy_from_slice(from);
            }
        }
        layers.iter().for_each(|layer| layer.blend(&mut copy));
        Ok(copy.freeze().with_attachments(picture.attachments().clone()))
    }
}

impl Stage {
    /// Returns a picture of a canvas in the samples of the film; `None` where nothing of it is left.
    fn layer(&self, bitmap: &Bitmap, canvas: (u32, u32), colours: &Colours) -> Option<Layer> {
        let [across, down] = self.places(canvas);
        let [width, height] = [self.picture.0, self.picture.1];
        let across = Axis::of(bitmap.x, bitmap.width, across, width)?;
        let down = Axis::of(bitmap.y, bitmap.height, down, height)?;
        let palette: Vec<[f32; 4]> = bitmap.palette.iter().map(|&colour| colours.sample(colour)).collect();
        let row_of = |row: usize| -> Vec<[f32; 4]> {
            let row = &bitmap.indices[row * bitmap.width as usize..][..bitmap.width as usize];
            let sample = |index: &u8| palette[usize::from(*index)];
            across.parts.iter().map(|(first, parts)| mix(row[*first..].iter().map(sample), parts)).collect()
        };
        // Rows are scaled across when they are needed first, and few are needed at once.
        let mut rows: Vec<Option<Vec<[f32; 4]>>> = vec![None; bitmap.height as usize];
        let mut samples = Vec::with_capacity(across.parts.len() * down.parts.len());
        for (first, parts) in &down.parts {
            rows[..*first].iter_mut().for_each(|row| *row = None);
            let needed: Vec<&[[f32; 4]]> = rows[*first..][..parts.len()]
                .iter_mut()
                .zip(*first..)
                .map(|(row, number)| row.get_or_insert_with(|| row_of(number)).as_slice())
                .collect();
            samples.extend((0..across.parts.len()).map(|x| mix(needed.iter().map(|row| row[x]), parts)));
        }
        Some(Layer {
            x: across.from,
            y: down.from,
            width: across.parts.len() as u32,
            height: down.parts.len() as u32,
            samples,
        })
    }

    /// Returns scale and offset, across and down, that make places in the picture of places on a canvas. A
    /// canvas of the film's shape fills the film; one of another shape is as wide, and as far beyond it above
    /// as below, as where a film was cropped of its bars before.
    fn places(&self, canvas: (u32, u32)) -> [(f64, f64); 2] {
        let (width, height) = (f64::from(self.whole.0), f64::from(self.whole.1));
        let (canvas_width, canvas_height) = (f64::from(canvas.0.max(1)), f64::from(canvas.1.max(1)));
        let (across, mut down) = (width / canvas_width, height / canvas_height);
        let alike = |a: f64, b: f64| (a / b - 1.0).abs() < 0.02;
        let shape = canvas_width / canvas_height;
        let mut above = 0.0;
        if !alike(width / height, shape) && !alike(width * self.aspect / height, shape) {
            down = across * self.aspect;
            above = (height - canvas_height * down) / 2.0;
        }
        let (kept_width, kept_height, x, y) = self.kept;
        let scale = [
            f64::from(self.picture.0) / f64::from(kept_width.max(1)),
            f64::from(self.picture.1) / f64::from(kept_height.max(1)),
        ];
        [(across * scale[0], -f64::from(x) * scale[0]), (down * scale[1], (above - f64::from(y)) * scale[1])]
    }
}

impl Axis {
    /// Places `length` samples from `start` on. What would lie beyond the picture is moved into it, as far as
    /// it fits, because subtitles in bars are to be read when these are gone; the rest is cut off.
    fn of(start: i32, length: u32, (scale, offset): (f64, f64), most: u32) -> Option<Self> {
        if !(scale.is_finite() && offset.is_finite() && scale > 0.0) || length == 0 || most == 0 {
            return None;
        }
        let scaled = (f64::from(length) * scale).round().clamp(1.0, 4.0 * f64::from(most)) as i64;
        let place = (f64::from(start) * scale + offset).round().clamp(-1e6, 1e6) as i64;
        let from = place.clamp(0, (i64::from(most) - scaled).max(0));
        let kept = scaled.min(i64::from(most) - from);
        let ratio = f64::from(length) / scaled as f64;
        let parts = (0..kept).map(|sample| parts(sample, ratio, length as usize)).collect();
        Some(Self { from: from as u32, parts })
    }
}

/// Returns of which samples one is made, and their shares: by a triangle as wide as a sample on the coarser
/// side of the two. Beyond the picture there is nothing to be seen.
fn parts(sample: i64, ratio: f64, length: usize) -> (usize, Vec<f32>) {
    let width = ratio.max(1.0);
    let middle = (sample as f64 + 0.5) * ratio - 0.5;
    let (first, last) = ((middle - width).floor() as i64 + 1, (middle + width).ceil() as i64 - 1);
    let share = |at: i64| (1.0 - (at as f64 - middle).abs() / width).max(0.0);
    let all: f64 = (first..=last).map(share).sum();
    let inside = first.max(0)..=last.min(length as i64 - 1);
    let parts: Vec<f32> = inside.clone().map(|at| (share(at) / all) as f32).collect();
    (if parts.is_empty() { 0 } else { *inside.start() as usize }, parts)
}

fn mix(samples: impl Iterator<Item = [f32; 4]>, parts: &[f32]) -> [f32; 4] {
    let mut all = [0.0; 4];
    for (sample, part) in samples.zip(parts) {
        all.iter_mut().zip(sample).for_each(|(sum, value)| *sum += value * part);
    }
    all
}

/// What red, green and blue become in the samples of a film.
struct Colours {
    /// The weights of red and blue in luma; `None` for planes of green, blue and red.
    weights: Option<(f64, f64)>,
    /// Black and the way to white in luma, and the middle and the way across of chroma.
    luma: (f64, f64),
    chroma: (f64, f64),
}

impl Colours {
    fn of(colour: Colour, format: PixelFormat, height: u32) -> Self {
        let step = f64::from(1_u32 << (format.bit_depth() - 8));
        let full = colour.range == Range::Full;
        let most = 256.0 * step - 1.0;
        let is_rgb = colour.matrix == 0 && format.chroma_block() == Some((1, 1));
        Self {
            weights: (!is_rgb).then(|| luma_weights(colour.matrix, height)),
            luma: if full { (0.0, most) } else { (16.0 * step, 219.0 * step) },
            chroma: (128.0 * step, if full { most } else { 224.0 * step }),
        }
    }

    /// Returns the values of three planes times alpha, and alpha, of a colour of a palette.
    fn sample(&self, colour: u32) -> [f32; 4] {
        let [alpha, red, green, blue] = colour.to_be_bytes().map(|value| f64::from(value) / 255.0);
        let (black, white) = self.luma;
        let luma = |value: f64| black + white * value;
        let planes = match self.weights {
            None => [luma(green), luma(blue), luma(red)],
            Some((of_red, of_blue)) => {
                let y = of_red * red + (1.0 - of_red - of_blue) * green + of_blue * blue;
                let chroma =
                    |of: f64, weight: f64| self.chroma.0 + self.chroma.1 * (of - y) / (2.0 * (1.0 - weight));
                [luma(y), chroma(blue, of_blue), chroma(red, of_red)]
            }
        };
        let [a, b, c] = planes.map(|value| (value * alpha) as f32);
        [a, b, c, alpha as f32]
    }
}

impl Layer {
    /// Blends the layer into a picture. A sample of chroma is covered as its block is in the mean.
    fn blend(&self, picture: &mut WritableBuffer) {
        let format = picture.format();
        let (width, height) = (picture.width(), picture.height());
        let deep = format.bytes_per_sample() == 2;
        let most = ((1_u32 << format.bit_depth()) - 1) as f32;
        for plane in 0..format.planes() {
            let (across, down) = match plane {
                0 => (1, 1),
                _ => format.chroma_block().unwrap_or((1, 1)),
            };
            for row in self.y / down..(self.y + self.height).div_ceil(down) {
                let line = picture.row_mut(plane, row as usize);
                for column in self.x / across..(self.x + self.width).div_ceil(across) {
                    let (right, bottom) = ((column + 1) * across, (row + 1) * down);
                    let (right, bottom) = (right.min(width), bottom.min(height));
                    let (left, top) = (column * across, row * down);
                    let (mut value, mut alpha) = (0.0, 0.0);
                    for y in top.max(self.y)..bottom.min(self.y + self.height) {
                        for x in left.max(self.x)..right.min(self.x + self.width) {
                            let at = (y - self.y) as usize * self.width as usize + (x - self.x) as usize;
                            value += self.samples[at][plane];
                            alpha += self.samples[at][3];
                        }
                    }
                    if alpha <= 0.0 {
                        continue;
                    }
                    let block = ((right - left) * (bottom - top)) as f32;
                    let at = column as usize;
                    let old = match deep {
                        true => f32::from(u16::from_le_bytes([line[2 * at], line[2 * at + 1]])),
                        false => f32::from(line[at]),
                    };
                    let new = old * (1.0 - alpha / block) + value / block;
                    let new = new.round().clamp(0.0, most) as u16;
                    match deep {
                        true => line[2 * at..2 * at + 2].copy_from_slice(&new.to_le_bytes()),
                        false => line[at] = new as u8,
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(whole: (u32, u32), kept: (u32, u32, u32, u32), picture: (u32, u32)) -> Stage {
        Stage { whole, aspect: 1.0, kept, picture }
    }

    fn placed(
        stage: Stage,
        canvas: (u32, u32),
        at: (i32, i32),
        size: (u32, u32),
    ) -> (u32, u32, usize, usize) {
        let [across, down] = stage.places(canvas);
        let across = Axis::of(at.0, size.0, across, stage.picture.0).unwrap();
        let down = Axis::of(at.1, size.1, down, stage.picture.1).unwrap();
        (across.from, down.from, across.parts.len(), down.parts.len())
    }

    /// What lies on a canvas lies at the same place of the film: scaled with it, cropped with it, and moved
    /// into it where it lay in a bar.
    #[test]
    fn places_follow_the_film() {
        let full = (1920, 1080);
        let plain = stage(full, (1920, 1080, 0, 0), full);
        assert_eq!(placed(plain, full, (100, 900), (400, 60)), (100, 900, 400, 60));
        let small = stage(full, (1920, 1080, 0, 0), (960, 540));
        assert_eq!(placed(small, full, (100, 900), (400, 60)), (50, 450, 200, 30));
        let cropped = stage(full, (1920, 800, 0, 140), (1920, 800));
        assert_eq!(placed(cropped, full, (100, 800), (400, 60)), (100, 660, 400, 60));
        assert_eq!(placed(cropped, full, (100, 980), (400, 60)), (100, 740, 400, 60));
        // The film had its bars taken away before.
        let bare = stage((1920, 800), (1920, 800, 0, 0), (1920, 800));
        assert_eq!(placed(bare, full, (100, 800), (400, 60)), (100, 660, 400, 60));
        // A disc's canvas has the film's pixels.
        let disc = Stage { aspect: 64.0 / 45.0, ..stage((720, 576), (720, 576, 0, 0), (720, 576)) };
        assert_eq!(placed(disc, (720, 576), (60, 480), (600, 40)), (60, 480, 600, 40));
        assert_eq!(placed(plain, (720, 405), (1000, 0), (9000, 5)), (0, 0, 1920, 13));
    }

    /// A sample of the same size is itself, and shares of a scaled one are all of it inside.
    #[test]
    fn shares_are_whole() {
        assert_eq!(parts(5, 1.0, 9), (5, vec![1.0]));
        for (ratio, length) in [(0.5, 40), (2.0, 40), (1.5, 40), (0.3, 40)] {
            let (_, shares) = parts(10, ratio, length);
            assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{ratio}: {shares:?}");
        }
        let (first, shares) = parts(0, 0.5, 40);
        assert!(first == 0 && shares.iter().sum::<f32>() < 1.0, "its edge fades");
    }

    /// White, red and black of a palette in the samples of BT.709, as its standard has them.
    #[test]
    fn colours_are_those_of_the_matrix() {
        let colour = Colour { matrix: 1, range: Range::Limited, ..Colour::default() };
        let colours = Colours::of(colour, PixelFormat::I420, 1080);
        let rounded = |value: u32| colours.sample(value).map(f32::round);
        assert_eq!(rounded(0xFFFF_FFFF), [235.0, 128.0, 128.0, 1.0]);
        assert_eq!(rounded(0xFFFF_0000), [63.0, 102.0, 240.0, 1.0]);
        assert_eq!(rounded(0xFF00_0000), [16.0, 128.0, 128.0, 1.0]);
        let deep = Colours::of(Colour { range: Range::Full, ..colour }, PixelFormat::I010, 1080);
        assert_eq!(deep.sample(0xFFFF_FFFF).map(f32::round), [1023.0, 512.0, 512.0, 1.0]);
    }
}
