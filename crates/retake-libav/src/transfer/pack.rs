//! Reorders the same samples between formats of one plane or two and their planar twins, exactly in both
//! directions.

use super::view::{Target, View};
use retake_media::PixelFormat;

/// Returns the planar format with the same samples, or the format itself where it is planar or has luma
/// alone. RGB becomes 4:4:4 planes of green, blue, red, as matrix 0 of H.273 orders them.
pub(super) fn twin(format: PixelFormat) -> PixelFormat {
    use PixelFormat::*;
    match format {
        I420 | I420Full | Nv12 | Nv12Full => I420,
        I422 | Nv16 | Nv16Full | Uyvy | Yuyv => I422,
        I444 | Nv24 | Nv24Full | Bgra | Argb | Rgba => I444,
        I416 | Argb64 | Rgba64 | Rgb48 => I416,
        I010 | P010 | P010Full => I010,
        I210 | P210 | P210Full | V210 => I210,
        I410 | P410 | P410Full => I410,
        Gray8 | Y8 => Y8,
        Y10 | Gray10 => Y10,
        Gray16 => Gray16,
    }
}

/// Returns whether samples lie as in the twin already.
pub(super) fn is_plain(format: PixelFormat) -> bool {
    format.same_layout(twin(format))
}

/// Returns the places of green, blue, red and alpha, if there is one, among the samples of a pixel.
fn rgb_order(format: PixelFormat) -> [usize; 4] {
    match format {
        PixelFormat::Argb | PixelFormat::Argb64 => [2, 3, 1, 0],
        PixelFormat::Rgba | PixelFormat::Rgba64 | PixelFormat::Rgb48 => [1, 2, 0, 3],
        _ => [1, 0, 2, 3],
    }
}

/// Returns the places of the first Y, Cb and Cr in a macropixel of four bytes; the second Y follows two bytes
/// later.
fn packed_order(format: PixelFormat) -> [usize; 3] {
    if format == PixelFormat::Uyvy { [1, 0, 2] } else { [0, 1, 3] }
}

/// Takes a picture apart into its planar twin.
pub(super) fn unpack(from: &View<'_>, to: &mut Target<'_>) {
    if from.format == PixelFormat::V210 {
        return unpack_groups(from, to);
    }
    let deep = from.format.bytes_per_sample() == 2;
    for plane in 0..to.format.planes() {
        for row in 0..to.rows(plane) {
            let out = to.row(plane, row);
            match from.format.planes() {
                1 if from.format.chroma_block().is_none() => lower(from.row(0, row), out),
                1 if from.format.is_rgb() && deep => {
                    pick_wide(from.row(0, row), from.format, rgb_order(from.format)[plane], out)
                }
                1 if from.format.is_rgb() => {
                    pick_of_four(from.row(0, row), rgb_order(from.format)[plane], out)
                }
                1 if plane == 0 => pick_of_two(from.row(0, row), packed_order(from.format)[0], out),
                1 => pick_of_four(from.row(0, row), packed_order(from.format)[plane], out),
                _ if plane == 0 && deep => lower(from.row(0, row), out),
                _ if plane == 0 => out.copy_from_slice(from.row(0, row)),
                _ if deep => pick_deep(from.row(1, row), plane - 1, out),
                _ => pick_of_two(from.row(1, row), plane - 1, out),
            }
        }
    }
}

/// Puts a picture together from its planar twin; RGB with these alpha values, or opaque.
pub(super) fn pack(from: &View<'_>, alpha: Option<&View<'_>>, to: &mut Target<'_>) {
    let format = to.format;
    match format.planes() {
        _ if format == PixelFormat::V210 => pack_groups(from, to),
        1 if format.chroma_block().is_none() => {
            for row in 0..from.rows(0) {
                raise(from.row(0, row), to.row(0, row));
            }
        }
        1 if format.is_rgb() && format.bytes_per_sample() == 2 => pack_wide(from, alpha, to),
        1 if format.is_rgb() => pack_rgb(from, alpha, to),
        1 => pack_macropixels(from, to),
        _ => pack_pairs(from, to),
    }
}

fn pack_rgb(from: &View<'_>, alpha: Option<&View<'_>>, to: &mut Target<'_>) {
    let [g, b, r, a] = rgb_order(to.format).map(|place| 8 * place as u32);
    let put = |pixel: &mut [u8], green: u8, blue: u8, red: u8, alpha: u8| {
        let value =
            u32::from(green) << g | u32::from(blue) << b | u32::from(red) << r | u32::from(alpha) << a;
        pixel.copy_from_slice(&value.to_le_bytes());
    };
    for row in 0..from.rows(0) {
        let planes = from.row(0, row).iter().zip(from.row(1, row)).zip(from.row(2, row));
        let pixels = to.row(0, row).chunks_exact_mut(4).zip(planes);
        match alpha {
            None => pixels.for_each(|(pixel, ((g, b), r))| put(pixel, *g, *b, *r, 255)),
            Some(alpha) => pixels
                .zip(alpha.row(0, row))
                .for_each(|((pixel, ((g, b), r)), alpha)| put(pixel, *g, *b, *r, *alpha)),
        }
    }
}

fn pack_macropixels(from: &View<'_>, to: &mut Target<'_>) {
    let [y, cb, cr] = packed_order(to.format);
    for row in 0..from.rows(0) {
        let (luma, blue, red) = (from.row(0, row), from.row(1, row), from.row(2, row));
        let chroma = blue.iter().zip(red);
        for ((macropixel, luma), (blue, red)) in
            to.row(0, row).chunks_exact_mut(4).zip(luma.chunks(2)).zip(chroma)
        {
            macropixel[y] = luma[0];
            // An odd number of pixels leaves half a macropixel over.
            macropixel[y + 2] = luma[luma.len() - 1];
            (macropixel[cb], macropixel[cr]) = (*blue, *red);
        }
    }
}

fn pack_pairs(from: &View<'_>, to: &mut Target<'_>) {
    let deep = to.format.bytes_per_sample() == 2;
    for row in 0..from.rows(0) {
        match deep {
            true => raise(from.row(0, row), to.row(0, row)),
            false => to.row(0, row).copy_from_slice(from.row(0, row)),
        }
    }
    for row in 0..from.rows(1) {
        let (blue, red, out) = (from.row(1, row), from.row(2, row), to.row(1, row));
        if deep {
            let samples = blue.chunks_exact(2).zip(red.chunks_exact(2));
            for (pair, (blue, red)) in out.chunks_exact_mut(4).zip(samples) {
                // Bits above ten are masked, because they would cross from one sample into the other.
                let value = u32::from_le_bytes([blue[0], blue[1], red[0], red[1]]) & 0x03FF_03FF;
                pair.copy_from_slice(&(value << SHIFT).to_le_bytes());
            }
        } else {
            for (pair, (blue, red)) in out.chunks_exact_mut(2).zip(blue.iter().zip(red)) {
                pair.copy_from_slice(&u16::from_le_bytes([*blue, *red]).to_le_bytes());
            }
        }
    }
}

/// Copies the alpha values of a picture; where the target has samples of another depth, the nearest ones.
pub(super) fn unpack_alpha(from: &View<'_>, to: &mut Target<'_>) {
    let place = rgb_order(from.format)[3];
    let (wide, to_wide) = (from.format.bytes_per_sample() == 2, to.format.bytes_per_sample() == 2);
    let mut values = vec![0; from.format.row_bytes(from.width, 0) / 4];
    for row in 0..from.rows(0) {
        let (row, out) = (from.row(0, row), to.row(0, row));
        match (wide, to_wide) {
            (false, false) => pick_of_four(row, place, out),
            (true, true) => pick_wide(row, from.format, place, out),
            (false, true) => {
                pick_of_four(row, place, &mut values);
                let pairs = out.chunks_exact_mut(2).zip(&values);
                pairs.for_each(|(out, value)| out.fill(*value)); // 257 times an eighth of bits
            }
            (true, false) => {
                pick_wide(row, from.format, place, &mut values);
                for (out, pair) in out.iter_mut().zip(values.chunks_exact(2)) {
                    *out = ((u32::from(u16::from_le_bytes([pair[0], pair[1]])) + 128) / 257) as u8;
                }
            }
        }
    }
}

/// Takes the samples of one kind out of pixels of sixteen bits a sample.
fn pick_wide(from: &[u8], format: PixelFormat, place: usize, to: &mut [u8]) {
    let pixel = format.row_bytes(1, 0);
    let swap = is_big_endian(format);
    for (to, pixel) in to.chunks_exact_mut(2).zip(from.chunks_exact(pixel)) {
        let pair = [pixel[2 * place], pixel[2 * place + 1]];
        to.copy_from_slice(&if swap { [pair[1], pair[0]] } else { pair });
    }
}

fn is_big_endian(format: PixelFormat) -> bool {
    matches!(format, PixelFormat::Argb64 | PixelFormat::Rgb48)
}

fn pack_wide(from: &View<'_>, alpha: Option<&View<'_>>, to: &mut Target<'_>) {
    let format = to.format;
    let (order, pixel, swap) = (rgb_order(format), format.row_bytes(1, 0), is_big_endian(format));
    for row in 0..from.rows(0) {
        let sources = [Some(from), Some(from), Some(from), alpha];
        for (kind, place) in order.into_iter().enumerate() {
            if 2 * place >= pixel {
                continue;
            }
            let samples = sources[kind].map(|source| source.row(if kind == 3 { 0 } else { kind }, row));
            for (at, pixel) in to.row(0, row).chunks_exact_mut(pixel).enumerate() {
                let pair = samples.map_or([255; 2], |samples| [samples[2 * at], samples[2 * at + 1]]);
                let pair = if swap { [pair[1], pair[0]] } else { pair };
                pixel[2 * place..][..2].copy_from_slice(&pair);
            }
        }
    }
}

/// The samples of a group of six pixels: Cb, Y, Cr, Y, Cb, Y, Cr, Y, Cb, Y, Cr, Y.
const GROUP: usize = 12;

fn unpack_groups(from: &View<'_>, to: &mut Target<'_>) {
    for row in 0..from.rows(0) {
        let samples = from.row(0, row).chunks_exact(4).flat_map(|word| {
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            [0, 10, 20].map(|shift| ((word >> shift) & 1023) as u16)
        });
        let samples: Vec<u16> = samples.collect();
        for (plane, (first, step)) in [(1, 2), (0, 4), (2, 4)].into_iter().enumerate() {
            let own = samples.iter().skip(first).step_by(step);
            to.row(plane, row)
                .chunks_exact_mut(2)
                .zip(own)
                .for_each(|(to, sample)| to.copy_from_slice(&sample.to_le_bytes()));
        }
    }
}

fn pack_groups(from: &View<'_>, to: &mut Target<'_>) {
    let number = |row: &[u8], at: usize| {
        row.get(2 * at..2 * at + 2).map(|pair| u32::from(u16::from_le_bytes([pair[0], pair[1]])) & 1023)
    };
    for row in 0..from.rows(0) {
        let (luma, blue, red) = (from.row(0, row), from.row(1, row), from.row(2, row));
        for (group, words) in to.row(0, row).chunks_exact_mut(16).enumerate() {
            let mut samples = [0; GROUP];
            for pair in 0..3 {
                let at = 3 * group + pair;
                // Beyond the row there are no samples, and zero is written.
                let Some(first) = number(luma, 2 * at) else { break };
                // An odd number of pixels leaves half a pair over.
                let second = number(luma, 2 * at + 1).unwrap_or(first);
                let chroma = [number(blue, at), number(red, at)].map(Option::unwrap_or_default);
                samples[4 * pair..][..4].copy_from_slice(&[chroma[0], first, chroma[1], second]);
            }
            for (word, samples) in words.chunks_exact_mut(4).zip(samples.chunks_exact(3)) {
                let value = samples[0] | samples[1] << 10 | samples[2] << 20;
                word.copy_from_slice(&value.to_le_bytes());
            }
        }
    }
}

// Bytes are picked by shifts of whole groups, because compilers make vector code of that for every processor.

/// Picks every second byte from `first` on.
fn pick_of_two(from: &[u8], first: usize, to: &mut [u8]) {
    let pairs = from.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    match first {
        0 => to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair as u8),
        _ => to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = (pair >> 8) as u8),
    }
}

/// Picks every fourth byte from `first` on.
fn pick_of_four(from: &[u8], first: usize, to: &mut [u8]) {
    let shift = 8 * first as u32;
    for (to, group) in to.iter_mut().zip(from.chunks_exact(4)) {
        *to = (u32::from_le_bytes([group[0], group[1], group[2], group[3]]) >> shift) as u8;
    }
}

/// The number of bits that samples of ten bits lie above the low end of their two bytes, in formats of two
/// planes.
const SHIFT: u32 = PixelFormat::P010.bit_shift();

fn lower(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.chunks_exact_mut(2).zip(from.chunks_exact(2)) {
        to.copy_from_slice(&(u16::from_le_bytes([from[0], from[1]]) >> SHIFT).to_le_bytes());
    }
}

fn raise(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.chunks_exact_mut(2).zip(from.chunks_exact(2)) {
        to.copy_from_slice(&(u16::from_le_bytes([from[0], from[1]]) << SHIFT).to_le_bytes());
    }
}

fn pick_deep(from: &[u8], which: usize, to: &mut [u8]) {
    for (to, pair) in to.chunks_exact_mut(2).zip(from.chunks_exact(4)) {
        let sample = u16::from_le_bytes([pair[2 * which], pair[2 * which + 1]]);
        to.copy_from_slice(&(sample >> SHIFT).to_le_bytes());
    }
}
