//! The conversion of pictures whose wide colour is not allowed into a film.

use crate::types::error::WriterError;
use retake_compression::encoder::TransferMaker;
use retake_media::codes;
use retake_media::{Colour, PixelBuffer, PixelBufferPool, PixelTransfer, TransferOptions};

/// The code point of BT.709, for primaries, transfer function and matrix alike.
const BT709: u8 = 1;
/// The transfer functions PQ and HLG.
const HIGH_RANGE: [u8; 2] = [16, 18];
/// Primaries that reach beyond those of standard and high definition: film, BT.2020, XYZ, and both P3.
const WIDE_PRIMARIES: [u8; 5] = [8, 9, 10, 11, 12];

/// Converts pictures of wide colour to BT.709. Keeps the converter, and memory, from picture to picture.
pub(super) struct WideColour {
    maker: TransferMaker,
    transfer: Option<Box<dyn PixelTransfer>>,
    pool: Option<PixelBufferPool>,
}

impl WideColour {
    pub(super) fn new(maker: TransferMaker) -> Self {
        Self { maker, transfer: None, pool: None }
    }

    /// The picture in BT.709, with its size and its format; `None` for one that is not of wide colour.
    pub(super) fn narrow(&mut self, picture: &PixelBuffer) -> Result<Option<PixelBuffer>, WriterError> {
        let Colour { primaries, transfer, .. } = picture.colour();
        let failed = |code: i32, detail: String| Err(WriterError::EncodeFailed { code, detail });
        if HIGH_RANGE.contains(&transfer) {
            let reason = "wide colour is not allowed, and pictures of PQ or HLG cannot be converted, because no tones are mapped";
            return failed(codes::PIXEL_TRANSFER_NOT_SUPPORTED, reason.to_owned());
        }
        if !WIDE_PRIMARIES.contains(&primaries) {
            return Ok(None);
        }
        let (format, width, height) = (picture.format(), picture.width(), picture.height());
        let pool = self.pool.take().filter(|pool| {
            let made = pool.buffer_attributes();
            made.formats == [format] && (made.width, made.height) == (Some(width), Some(height))
        });
        let pool = pool.unwrap_or_else(|| PixelBufferPool::new(format, width, height));
        let mut narrow = match pool.create_buffer() {
            Ok(buffer) => buffer,
            Err(error) => return failed(codes::ALLOCATION_FAILED, error.to_string()),
        };
        self.pool = Some(pool);
        let options = TransferOptions {
            destination_primaries: Some(BT709),
            destination_transfer: Some(BT709),
            destination_matrix: (!format.is_rgb()).then_some(BT709),
            ..TransferOptions::default()
        };
        let transfer = self.transfer.get_or_insert_with(|| (self.maker)());
        match transfer.transfer(picture, &mut narrow, &options) {
            Ok(()) => Ok(Some(narrow.freeze())),
            Err(error) => failed(error.code(), error.to_string()),
        }
    }
}
