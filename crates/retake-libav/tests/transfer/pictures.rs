//! Makes pictures for tests, and looks their samples up one by one.

use retake_libav::PictureTransfer;
use retake_media::{
    Attachment, Attachments, Colour, PixelBuffer, PixelBufferAttributes, PixelFormat, PixelTransfer,
    TransferError, TransferOptions, WritableBuffer,
};

pub(crate) fn buffer(format: PixelFormat, width: u32, height: u32) -> WritableBuffer {
    WritableBuffer::create(&PixelBufferAttributes::of(format, width, height)).expect("a size and a format")
}

/// Makes a picture whose bytes come from a small generator of random numbers.
pub(crate) fn random(format: PixelFormat, width: u32, height: u32, seed: u32) -> PixelBuffer {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    if format == PixelFormat::V210 {
        let planes = random(PixelFormat::I210, width, height, seed);
        return grouped(&planes);
    }
    filled(format, width, height, |_, _, _| next() & ((1 << format.bit_depth()) - 1))
}

/// Returns the samples of planes of 4:2:2 as `v210` has them, by the page that Apple and Blackmagic print.
fn grouped(planes: &PixelBuffer) -> PixelBuffer {
    let (width, height) = (planes.width(), planes.height());
    let mut buffer = buffer(PixelFormat::V210, width, height);
    for y in 0..height {
        for x in 0..width {
            let [luma, blue, red] = codes(planes, x, y);
            let mut put = |number: u32, code: u32| {
                let word = &mut buffer.row_mut(0, y as usize)[4 * (number / 3) as usize..][..4];
                let old = u32::from_le_bytes(word.try_into().expect("a word has four bytes"));
                let (shift, mask) = (10 * (number % 3), 1023);
                word.copy_from_slice(&(old & !(mask << shift) | code << shift).to_le_bytes());
            };
            put(2 * x + 1, luma);
            put(x / 2 * 4, blue);
            put(x / 2 * 4 + 2, red);
            if x + 1 == width && x % 2 == 0 {
                put(2 * x + 3, luma);
            }
        }
    }
    buffer.freeze()
}

/// Makes a picture whose every sample in memory is `code(plane, index in its row, row)`.
pub(crate) fn filled(
    format: PixelFormat,
    width: u32,
    height: u32,
    mut code: impl FnMut(usize, usize, usize) -> u32,
) -> PixelBuffer {
    let mut buffer = buffer(format, width, height);
    for plane in 0..format.planes() {
        let (samples, rows) = format.plane_size(width, height, plane);
        for row in 0..rows as usize {
            for i in 0..samples as usize {
                let code = code(plane, i, row) << format.bit_shift();
                let bytes = format.bytes_per_sample();
                let place = &mut buffer.row_mut(plane, row)[i * bytes..][..bytes];
                place.copy_from_slice(&code.to_le_bytes()[..bytes]);
                if matches!(format, PixelFormat::Argb64 | PixelFormat::Rgb48) {
                    place.reverse();
                }
            }
        }
    }
    buffer.freeze()
}

pub(crate) fn tagged(picture: PixelBuffer, colour: Colour) -> PixelBuffer {
    picture.with_attachments(Attachments::NONE.with(Attachment::Colour(colour)))
}

/// Makes a picture in one colour: its three codes as [`codes`] returns them.
pub(crate) fn solid(format: PixelFormat, width: u32, height: u32, colour: [u32; 3]) -> PixelBuffer {
    if format == PixelFormat::V210 {
        return grouped(&solid(PixelFormat::I210, width, height, colour));
    }
    filled(format, width, height, |plane, i, _| match format {
        PixelFormat::Bgra => [colour[2], colour[1], colour[0], 255][i % 4],
        PixelFormat::Rgba => [colour[0], colour[1], colour[2], 255][i % 4],
        PixelFormat::Argb64 => [65535, colour[0], colour[1], colour[2]][i % 4],
        PixelFormat::Rgba64 => [colour[0], colour[1], colour[2], 65535][i % 4],
        PixelFormat::Rgb48 => colour[i % 3],
        PixelFormat::Argb => [255, colour[0], colour[1], colour[2]][i % 4],
        PixelFormat::Uyvy => [colour[1], colour[0], colour[2], colour[0]][i % 4],
        PixelFormat::Yuyv => [colour[0], colour[1], colour[0], colour[2]][i % 4],
        _ if format.planes() == 2 && plane == 1 => colour[1 + i % 2],
        _ => colour[plane],
    })
}

/// Returns red, green, blue or Y, Cb, Cr of a pixel, as codes; luma alone has neutral chroma.
pub(crate) fn codes(picture: &PixelBuffer, x: u32, y: u32) -> [u32; 3] {
    let format = picture.format();
    let sample = |plane: usize, i: u32, row: u32| {
        let (i, row) = (i as usize, picture.row(plane, row as usize));
        match format.bytes_per_sample() {
            1 => u32::from(row[i]),
            4 => {
                let word = u32::from_le_bytes(row[i / 3 * 4..][..4].try_into().expect("four bytes"));
                word >> (10 * (i % 3)) & 1023
            }
            _ if matches!(format, PixelFormat::Argb64 | PixelFormat::Rgb48) => {
                u32::from(u16::from_be_bytes([row[2 * i], row[2 * i + 1]]))
            }
            _ => u32::from(u16::from_le_bytes([row[2 * i], row[2 * i + 1]])) >> format.bit_shift(),
        }
    };
    let (across, down) = format.chroma_block().unwrap_or((1, 1));
    let (cx, cy) = (x / across, y / down);
    match format {
        PixelFormat::Bgra => [2, 1, 0].map(|i| sample(0, 4 * x + i, y)),
        PixelFormat::Rgba => [0, 1, 2].map(|i| sample(0, 4 * x + i, y)),
        PixelFormat::V210 => [2 * x + 1, 4 * cx, 4 * cx + 2].map(|i| sample(0, i, y)),
        PixelFormat::Argb64 => [1, 2, 3].map(|i| sample(0, 4 * x + i, y)),
        PixelFormat::Rgba64 => [0, 1, 2].map(|i| sample(0, 4 * x + i, y)),
        PixelFormat::Rgb48 => [0, 1, 2].map(|i| sample(0, 3 * x + i, y)),
        PixelFormat::Argb => [1, 2, 3].map(|i| sample(0, 4 * x + i, y)),
        PixelFormat::Uyvy => [2 * x + 1, 4 * cx, 4 * cx + 2].map(|i| sample(0, i, y)),
        PixelFormat::Yuyv => [2 * x, 4 * cx + 1, 4 * cx + 3].map(|i| sample(0, i, y)),
        _ if format.chroma_block().is_none() => {
            let neutral = 128 << (format.bit_depth() - 8);
            [sample(0, x, y), neutral, neutral]
        }
        _ if format.planes() == 2 => [sample(0, x, y), sample(1, 2 * cx, cy), sample(1, 2 * cx + 1, cy)],
        _ => [sample(0, x, y), sample(1, cx, cy), sample(2, cx, cy)],
    }
}

/// Returns the visible bytes of a picture.
pub(crate) fn bytes(picture: &PixelBuffer) -> Vec<u8> {
    (0..picture.format().planes()).flat_map(|plane| picture.rows(plane).flatten().copied()).collect()
}

pub(crate) fn transfer(
    source: &PixelBuffer,
    format: PixelFormat,
    (width, height): (u32, u32),
    options: &TransferOptions,
) -> Result<PixelBuffer, TransferError> {
    let mut destination = buffer(format, width, height);
    PictureTransfer::new().transfer(source, &mut destination, options).map(|()| destination.freeze())
}

/// Converts in the same size, with the default options.
pub(crate) fn convert(source: &PixelBuffer, format: PixelFormat) -> PixelBuffer {
    let size = (source.width(), source.height());
    transfer(source, format, size, &TransferOptions::default()).expect("all formats are converted")
}
