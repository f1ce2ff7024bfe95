//! Converts colours, ranges, depths and chroma of planar pictures of one size. Every sample of the result is
//! the nearest to the result of exact arithmetic; where chroma is spread, all pixels of a block get its
//! value.

use super::colour::{Conversion, Model, Space};
use super::light::LightTables;
use super::primaries::{IDENTITY, Matrix, product};
use super::view::{Target, View};
use retake_media::{Downsampling, Range};

/// Maps a triple of codes to another, by three rows of numbers and an offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    rows: [[f64; 3]; 3],
    offset: [f64; 3],
}

impl Affine {
    /// Maps codes of one space to codes of another.
    pub(super) fn between(conversion: &Conversion) -> Self {
        let (from, to) = (conversion.from, conversion.to);
        let (scale, zero) = codes(from);
        let (target_scale, target_zero) = codes(to);
        let change = match from.model == to.model {
            true => IDENTITY,
            false => product(from_rgb(to.model), to_rgb(from.model)),
        };
        let mut rows = [[0.0; 3]; 3];
        let mut offset = target_zero;
        for i in 0..3 {
            for j in 0..3 {
                rows[i][j] = change[i][j] * target_scale[i] / scale[j];
                offset[i] -= rows[i][j] * zero[j];
            }
        }
        Self { rows, offset }
    }

    /// Maps codes to green, blue and red between 0 and 1.
    fn to_rgb(space: Space) -> Self {
        let (scale, zero) = codes(space);
        let change = to_rgb(space.model);
        let mut offset = [0.0; 3];
        let rows = [0, 1, 2].map(|i| {
            let row = [0, 1, 2].map(|j| change[i][j] / scale[j]);
            offset[i] = -row.iter().zip(zero).map(|(factor, zero)| factor * zero).sum::<f64>();
            row
        });
        Self { rows, offset }
    }

    /// Maps green, blue and red between 0 and 1 to codes.
    fn from_rgb(space: Space) -> Self {
        let (scale, offset) = codes(space);
        let change = from_rgb(space.model);
        Self { rows: [0, 1, 2].map(|i| change[i].map(|factor| factor * scale[i])), offset }
    }

    fn apply(&self, [a, b, c]: &[Vec<f32>; 3], made: &mut [Vec<f32>; 3]) {
        for (made, (row, offset)) in made.iter_mut().zip(self.rows.iter().zip(self.offset)) {
            let [x, y, z] = row.map(|factor| factor as f32);
            let offset = offset as f32;
            for (((made, a), b), c) in made.iter_mut().zip(a).zip(b).zip(c) {
                *made = a * x + b * y + c * z + offset;
            }
        }
    }

    /// Returns whether it changes nothing.
    pub(super) fn is_identity(&self) -> bool {
        self.rows == IDENTITY && self.offset == [0.0; 3]
    }

    /// Returns whether each plane depends on itself alone.
    fn is_separable(&self) -> bool {
        (0..3).all(|i| (0..3).all(|j| i == j || self.rows[i][j] == 0.0))
    }
}

/// Returns how many codes a value of one spans, and the code of zero, for each plane.
fn codes(space: Space) -> ([f64; 3], [f64; 3]) {
    let unit = f64::from(1_u32 << (space.depth - 8));
    let peak = f64::from((1_u32 << space.depth) - 1);
    let (luma, black, chroma) = match space.range {
        Range::Limited => (219.0 * unit, 16.0 * unit, 224.0 * unit),
        Range::Full => (peak, 0.0, peak),
    };
    match space.model {
        Model::Rgb => ([luma; 3], [black; 3]),
        Model::YCbCr { .. } => ([luma, chroma, chroma], [black, 128.0 * unit, 128.0 * unit]),
    }
}

/// Returns the least and the greatest of green, blue and red that a range has codes for. Values beyond are
/// clipped here, because clipping them in luma and chroma would give another colour.
fn reach(space: Space) -> [f32; 2] {
    let ([unit, ..], [zero, ..]) = codes(Space { model: Model::Rgb, ..space });
    let peak = f64::from((1_u32 << space.depth) - 1);
    [(-zero / unit) as f32, ((peak - zero) / unit) as f32]
}

/// Returns green, blue and red from the planes of a model.
fn to_rgb(model: Model) -> Matrix {
    let Model::YCbCr { red, blue } = model else { return IDENTITY };
    let green = 1.0 - red - blue;
    let (cr, cb) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
    [[1.0, -cb * blue / green, -cr * red / green], [1.0, cb, 0.0], [1.0, 0.0, cr]]
}

/// Returns the planes of a model from green, blue and red.
fn from_rgb(model: Model) -> Matrix {
    let Model::YCbCr { red, blue } = model else { return IDENTITY };
    let green = 1.0 - red - blue;
    let (cr, cb) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
    [
        [green, blue, red],
        [-green / cb, (1.0 - blue) / cb, -red / cb],
        [-green / cr, -blue / cr, (1.0 - red) / cr],
    ]
}

/// Converts planar pictures, and keeps its rows from one picture to the next.
#[derive(Default)]
pub(super) struct Converter {
    /// The source's planes at full width.
    wide: [Vec<f32>; 3],
    /// The planes of the result at full width.
    made: [Vec<f32>; 3],
    /// Green, blue and red at full width, where light changes.
    rgb: [Vec<f32>; 3],
    tables: Option<LightTables>,
    /// Sums of the chroma of a row of blocks.
    sums: [Vec<f32>; 2],
}

impl Converter {
    pub(super) fn convert(
        &mut self,
        from: &View<'_>,
        to: &mut Target<'_>,
        conversion: &Conversion,
        downsampling: Downsampling,
    ) {
        let affine = Affine::between(conversion);
        let kept = self.tables.take().filter(|tables| Some(tables.light) == conversion.light);
        self.tables = kept.or(conversion.light.map(LightTables::new));
        let (before, after) = (from.format.chroma_block(), to.format.chroma_block());
        let alike = before == after || after.is_none();
        if self.tables.is_none() && affine.is_separable() && alike {
            for plane in 0..to.format.planes() {
                map_plane(from, to, plane, affine.rows[plane][plane], affine.offset[plane]);
            }
        } else {
            self.convert_blocks(from, to, &affine, conversion, downsampling);
        }
    }

    /// Converts all other pictures, one row of the destination's chroma blocks after the other.
    fn convert_blocks(
        &mut self,
        from: &View<'_>,
        to: &mut Target<'_>,
        affine: &Affine,
        conversion: &Conversion,
        downsampling: Downsampling,
    ) {
        let width = from.width as usize;
        let (across, down) = to.format.chroma_block().map_or((1, 1), |(x, y)| (x as usize, y as usize));
        let wide = from.format.chroma_block().map(|(x, y)| (x as usize, y as usize));
        let neutral = codes(conversion.from).1[1] as f32;
        for row in self.wide.iter_mut().chain(&mut self.made).chain(&mut self.rgb) {
            row.resize(width, neutral);
        }
        for sums in &mut self.sums {
            sums.resize(width.div_ceil(across), 0.0);
        }
        let height = from.height as usize;
        for block in 0..height.div_ceil(down) {
            let rows = block * down..(block * down + down).min(height);
            for y in rows.clone() {
                load(from, 0, y, 1, &mut self.wide[0]);
                match wide {
                    Some((x, rows)) => {
                        for plane in 1..3 {
                            load(from, plane, y / rows, x, &mut self.wide[plane]);
                        }
                    }
                    None => self.wide[1..].iter_mut().for_each(|row| row.fill(neutral)),
                }
                self.apply(affine, conversion);
                store(&self.made[0], 1.0, to, 0, y);
                if to.format.planes() == 1 || (downsampling == Downsampling::Decimate && y != rows.start) {
                    continue;
                }
                for (sums, made) in self.sums.iter_mut().zip(&self.made[1..]) {
                    match downsampling {
                        Downsampling::Decimate => decimate(made, across, sums),
                        Downsampling::Average => add_means(made, across, y == rows.start, sums),
                    }
                }
            }
            if to.format.planes() > 1 {
                let count = if downsampling == Downsampling::Average { rows.len() } else { 1 };
                for plane in 1..3 {
                    store(&self.sums[plane - 1], 1.0 / count as f32, to, plane, block);
                }
            }
        }
    }

    /// Maps a row of codes to one of other codes.
    fn apply(&mut self, affine: &Affine, conversion: &Conversion) {
        let Some(tables) = &self.tables else { return affine.apply(&self.wide, &mut self.made) };
        Affine::to_rgb(conversion.from).apply(&self.wide, &mut self.rgb);
        tables.change(&mut self.rgb, reach(conversion.to));
        Affine::from_rgb(conversion.to).apply(&self.rgb, &mut self.made);
    }
}

/// Maps one plane by a table of all codes.
fn map_plane(from: &View<'_>, to: &mut Target<'_>, plane: usize, factor: f64, offset: f64) {
    let peak = f64::from((1_u32 << to.format.bit_depth()) - 1);
    let table: Vec<u16> = (0..1_u32 << from.format.bit_depth())
        .map(|code| (f64::from(code) * factor + offset).round().clamp(0.0, peak) as u16)
        .collect();
    // Bits above the depth have no meaning.
    let mask = table.len() - 1;
    let (deep_from, deep_to) = (from.format.bytes_per_sample() == 2, to.format.bytes_per_sample() == 2);
    let lookup = |code: usize| table[code & mask];
    for row in 0..to.rows(plane) {
        let (codes, out) = (from.row(plane, row), to.row(plane, row));
        let pairs = codes.chunks_exact(2).map(|pair| lookup(u16::from_le_bytes([pair[0], pair[1]]).into()));
        let bytes = codes.iter().map(|&byte| lookup(byte.into()));
        match (deep_from, deep_to) {
            (false, false) => out.iter_mut().zip(bytes).for_each(|(out, code)| *out = code as u8),
            (true, false) => out.iter_mut().zip(pairs).for_each(|(out, code)| *out = code as u8),
            (false, true) => put_pairs(out, bytes),
            (true, true) => put_pairs(out, pairs),
        }
    }
}

fn put_pairs(out: &mut [u8], codes: impl Iterator<Item = u16>) {
    for (out, code) in out.chunks_exact_mut(2).zip(codes) {
        out.copy_from_slice(&code.to_le_bytes());
    }
}

/// Loads a row of samples as numbers, each `times` times.
fn load(from: &View<'_>, plane: usize, row: usize, times: usize, out: &mut [f32]) {
    let bytes = from.row(plane, row);
    if from.format.bytes_per_sample() == 2 {
        let codes = bytes.chunks_exact(2).map(|pair| f32::from(u16::from_le_bytes([pair[0], pair[1]])));
        spread(codes, times, out);
    } else {
        spread(bytes.iter().map(|&byte| f32::from(byte)), times, out);
    }
}

fn spread(mut codes: impl Iterator<Item = f32>, times: usize, out: &mut [f32]) {
    if times == 1 {
        out.iter_mut().zip(codes).for_each(|(out, code)| *out = code);
        return;
    }
    // No block is wider than two.
    let mut pairs = out.chunks_exact_mut(2);
    for (pair, code) in pairs.by_ref().zip(codes.by_ref()) {
        pair.fill(code);
    }
    if let ([last], Some(code)) = (pairs.into_remainder(), codes.next()) {
        *last = code;
    }
}

/// Stores a row of numbers, times a factor, as the nearest samples.
fn store(numbers: &[f32], factor: f32, to: &mut Target<'_>, plane: usize, row: usize) {
    // A number of this size has no bits left for fractions, so adding it rounds, and the low bits are the
    // code. Compilers make vector code of that for every processor.
    const ROUND: f32 = (1_u32 << 23) as f32;
    let peak = ((1_u32 << to.format.bit_depth()) - 1) as f32;
    let codes = numbers.iter().map(|&number| ((number * factor).max(0.0).min(peak) + ROUND).to_bits());
    let deep = to.format.bytes_per_sample() == 2;
    let out = to.row(plane, row);
    if deep {
        put_pairs(out, codes.map(|code| code as u16));
    } else {
        out.iter_mut().zip(codes).for_each(|(out, code)| *out = code as u8);
    }
}

fn decimate(row: &[f32], across: usize, out: &mut [f32]) {
    out.iter_mut().zip(row.iter().step_by(across)).for_each(|(out, number)| *out = *number);
}

/// Adds the mean of each block's part of the row.
fn add_means(row: &[f32], across: usize, first: bool, sums: &mut [f32]) {
    if first {
        sums.fill(0.0);
    }
    if across == 1 {
        sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
        return;
    }
    // No block is wider than two, and the last one may be cut.
    let pairs = row.chunks_exact(2);
    if let ([last], Some(sum)) = (pairs.remainder(), sums.last_mut()) {
        *sum += last;
    }
    sums.iter_mut().zip(pairs).for_each(|(sum, pair)| *sum += (pair[0] + pair[1]) * 0.5);
}
