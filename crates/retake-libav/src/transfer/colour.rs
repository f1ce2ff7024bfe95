//! Finds the meaning of samples before and after a transfer.

use super::light::{Light, Tags};
use retake_media::{
    Colour, Downsampling, PixelBuffer, PixelFormat, Range, TransferError, TransferOptions, WritableBuffer,
};

/// H.273 numbers unknown properties 2, and planes of green, blue and red 0.
const UNKNOWN: u8 = 2;
const IDENTITY: u8 = 0;

/// The meaning of planar samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Space {
    pub(super) model: Model,
    pub(super) range: Range,
    pub(super) depth: u32,
}

/// The meaning of the planes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Model {
    /// The planes are green, blue, red.
    Rgb,
    /// The planes are Y, Cb, Cr, with the weights of red and blue in Y.
    YCbCr { red: f64, blue: f64 },
}

/// The conversion of colours from a source to a destination.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Conversion {
    pub(super) from: Space,
    pub(super) to: Space,
    /// The change of the light that samples stand for, if there is one.
    pub(super) light: Option<Light>,
    /// The tags of the result.
    pub(super) colour: Colour,
}

impl Conversion {
    pub(super) fn find(
        source: &PixelBuffer,
        destination: &WritableBuffer,
        options: &TransferOptions,
    ) -> Result<Self, TransferError> {
        let (from, to) = (source.format(), destination.format());
        let refuse = |reason| TransferError::NotSupported { from, to, reason };
        let colour = source.colour();
        let tagged = destination.attachments().colour();
        let wish = |option: Option<u8>, tag: fn(&Colour) -> u8| {
            option.or(tagged.as_ref().map(tag)).filter(|&wished| wished != UNKNOWN)
        };
        let primaries =
            wish(options.destination_primaries, |colour| colour.primaries).unwrap_or(colour.primaries);
        let transfer =
            wish(options.destination_transfer, |colour| colour.transfer).unwrap_or(colour.transfer);
        let own = Tags { primaries: colour.primaries, transfer: colour.transfer };
        let light = Light::between(own, Tags { primaries, transfer }).map_err(refuse)?;

        let wished = wish(options.destination_matrix, |colour| colour.matrix);
        let (from_kind, to_kind) = kinds(source, destination, wished);
        let matrix = match (from_kind, to_kind) {
            (_, Kind::Rgb) if !to.is_rgb() => IDENTITY,
            // Packed RGB keeps the matrix of the YCbCr that it came from, or that it will become.
            (Kind::YCbCr(matrix), Kind::Rgb) => matrix,
            (Kind::Rgb, Kind::Rgb) => colour.matrix,
            (from, to) if from == to && wished.is_none() => colour.matrix,
            (_, Kind::YCbCr(matrix)) => matrix,
        };
        let space = |kind: Kind, range, format: PixelFormat| {
            let model = kind.model(from_kind == to_kind && light.is_none()).map_err(refuse)?;
            Ok(Space { model, range, depth: format.bit_depth() })
        };
        // Neutral formats keep the range of YCbCr; where their own code states one, they become limited.
        let video = !from.is_rgb() && (from.chroma_block().is_some() || from.range().is_none());
        let tagged_range = tagged.filter(|tagged| tagged.range_known).map(|tagged| tagged.range);
        let kept = if video { colour.range } else { Range::Limited };
        let range = to.range().or(tagged_range).unwrap_or(kept);
        let range_known = tagged_range.is_some() || !video || colour.range_known;
        let chroma_location = location(source, destination, options.downsampling, from_kind, to_kind);
        let result = Colour { primaries, transfer, matrix, range, range_known, chroma_location };
        Ok(Self {
            from: space(from_kind, colour.range, from)?,
            to: space(to_kind, range, to)?,
            light,
            colour: result.in_format(to),
        })
    }
}

/// Distinguishes red, green and blue from Y, Cb and Cr by a matrix of H.273.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Rgb,
    YCbCr(u8),
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        // The codes 5 and 6 are two names of one matrix.
        let name = |matrix: u8| if matrix == 5 { 6 } else { matrix };
        match (self, other) {
            (Self::Rgb, Self::Rgb) => true,
            (Self::YCbCr(a), Self::YCbCr(b)) => name(*a) == name(*b),
            _ => false,
        }
    }
}

impl Kind {
    /// Returns the weights of red and blue in luma; where no colour is converted, any will do.
    fn model(self, unchanged: bool) -> Result<Model, String> {
        let (red, blue) = match self {
            Self::Rgb => return Ok(Model::Rgb),
            Self::YCbCr(matrix) => match weights(matrix) {
                Some(weights) => weights,
                None if unchanged => (0.299, 0.114),
                None => return Err(format!("matrix {matrix} is not one that is converted")),
            },
        };
        Ok(Model::YCbCr { red, blue })
    }
}

/// Returns the weights of red and blue in luma, by the number of the matrix.
fn weights(matrix: u8) -> Option<(f64, f64)> {
    Some(match matrix {
        1 => (0.2126, 0.0722),
        4 => (0.30, 0.11),
        5 | 6 => (0.299, 0.114),
        7 => (0.212, 0.087),
        9 => (0.2627, 0.0593),
        _ => return None,
    })
}

/// Returns the weights of red and blue in the luma of pictures of a height. A matrix that is not known, or
/// not one of YCbCr, is taken for the one that is usual for it.
pub(crate) fn luma_weights(matrix: u8, height: u32) -> (f64, f64) {
    weights(matrix).unwrap_or(if height >= 720 { (0.2126, 0.0722) } else { (0.299, 0.114) })
}

/// Finds what source and destination hold, by formats, tags and options. An unknown matrix is taken for the
/// one that is usual for the size.
fn kinds(source: &PixelBuffer, destination: &WritableBuffer, wished: Option<u8>) -> (Kind, Kind) {
    let colour = source.colour();
    let usual = |height: u32| if height >= 720 { 1 } else { 6 };
    let known = (colour.matrix != UNKNOWN && colour.matrix != IDENTITY).then_some(colour.matrix);
    let full_chroma = |format: PixelFormat| format.chroma_block() == Some((1, 1));
    let planes_of_rgb =
        full_chroma(source.format()) && colour.matrix == IDENTITY && !source.format().is_rgb();
    let from = match source.format().is_rgb() || planes_of_rgb {
        true => Kind::Rgb,
        false => Kind::YCbCr(known.unwrap_or(usual(source.height()))),
    };
    let stays_rgb = wished == Some(IDENTITY) || (wished.is_none() && planes_of_rgb);
    let to = match (from, wished.filter(|&wished| wished != IDENTITY).or(known)) {
        _ if destination.format().is_rgb() => Kind::Rgb,
        _ if stays_rgb && full_chroma(destination.format()) => Kind::Rgb,
        (_, Some(matrix)) => Kind::YCbCr(matrix),
        (Kind::Rgb, None) => Kind::YCbCr(usual(destination.height())),
        (from, None) => from,
    };
    (from, to)
}

/// Returns the location of the chroma samples of the result, as in [`Colour::chroma_location`].
fn location(
    source: &PixelBuffer,
    destination: &WritableBuffer,
    downsampling: Downsampling,
    from: Kind,
    to: Kind,
) -> u8 {
    let (before, after) = (source.format().chroma_block(), destination.format().chroma_block());
    let before = if from == Kind::Rgb { Some((1, 1)) } else { before };
    let (Some(before), Some(after)) = (before, after) else { return 0 };
    if after == (1, 1) || to == Kind::Rgb {
        return 0;
    }
    let own = source.colour().chroma_location;
    if before == after {
        return own;
    }
    let mean = downsampling == Downsampling::Average;
    // The locations are 1 left, 2 centre, 3 upper left, 4 upper centre, 5 lower left, 6 lower centre.
    let centred = if before.0 < after.0 { mean } else { matches!(own, 2 | 4 | 6) };
    let upper = if before.1 < after.1 { !mean } else { after.1 > 1 && matches!(own, 3 | 4) };
    match (upper, centred) {
        (false, false) => 1,
        (false, true) => 2,
        (true, false) => 3,
        (true, true) => 4,
    }
}
