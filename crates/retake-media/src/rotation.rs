//! Turns and mirrors pictures sample by sample, so that the result is exact.

use crate::{
    Attachment, AttachmentKey, AttachmentMode, CleanAperture, Colour, PixelBuffer, PixelFormat, Rational,
    TransferError, WritableBuffer,
};

/// States how far a picture is turned.
#[doc(alias = "kVTPixelRotationPropertyKey_Rotation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rotation {
    /// The picture is not turned.
    #[doc(alias = "kVTRotation_0")]
    #[default]
    None,
    /// The picture is turned by a quarter to the right.
    #[doc(alias = "kVTRotation_CW90")]
    Clockwise,
    /// The picture is turned upside down.
    #[doc(alias = "kVTRotation_180")]
    Half,
    /// The picture is turned by a quarter to the left.
    #[doc(alias = "kVTRotation_CCW90")]
    CounterClockwise,
}

/// States how a picture is turned and mirrored. The default leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RotationOptions {
    /// The turn, which comes first.
    pub rotation: Rotation,
    /// Whether left and right are exchanged after the turn.
    #[doc(alias = "kVTPixelRotationPropertyKey_FlipHorizontalOrientation")]
    pub flip_horizontal: bool,
    /// Whether top and bottom are exchanged after the turn.
    #[doc(alias = "kVTPixelRotationPropertyKey_FlipVerticalOrientation")]
    pub flip_vertical: bool,
}

/// Maps a place of the result to its place in the source: tells whether column and row are exchanged, and
/// which of the source's are counted backwards.
#[derive(Clone, Copy)]
struct Turn {
    swap: bool,
    mirror_x: bool,
    mirror_y: bool,
}

impl From<&RotationOptions> for Turn {
    fn from(options: &RotationOptions) -> Self {
        let (across, down) = (options.flip_horizontal, options.flip_vertical);
        let turn = |swap, mirror_x, mirror_y| Self { swap, mirror_x, mirror_y };
        match options.rotation {
            Rotation::None => turn(false, across, down),
            Rotation::Half => turn(false, !across, !down),
            Rotation::Clockwise => turn(true, down, !across),
            Rotation::CounterClockwise => turn(true, !down, across),
        }
    }
}

/// Fills `destination` with `source`, turned and mirrored. The destination's attachments are replaced by
/// those attachments of the source that propagate; whatever has a direction is turned, too. Both pictures
/// stay the caller's.
///
/// # Errors
/// Returns [`TransferError::RotationNotSupported`] if the formats differ; if the sizes do not fit, which a
/// quarter turn exchanges; if 4:2:2 is to be turned by a quarter; if [`PixelFormat::V210`] is to be anything
/// but upside down; or if chroma is shared and an odd number of pixels is counted backwards, because other
/// pixels would share it then.
#[doc(alias = "VTPixelRotationSessionRotateImage")]
#[doc(alias = "VTPixelRotationSessionCreate")]
pub fn rotate(
    source: &PixelBuffer,
    destination: &mut WritableBuffer,
    options: &RotationOptions,
) -> Result<(), TransferError> {
    let turn = Turn::from(options);
    check(source, destination, turn).map_err(TransferError::RotationNotSupported)?;
    for plane in 0..source.format().planes() {
        turn_plane(source, destination, plane, turn);
    }
    let mut attachments = std::mem::take(destination.attachments_mut());
    attachments.clear();
    source.attachments().propagate_to(&mut attachments);
    attachments.remove_dynamic_hdr();
    let told = source.attachments();
    let known = [
        told.colour().map(|colour| Attachment::Colour(turned_colour(colour, turn))),
        told.pixel_aspect_ratio()
            .filter(|_| turn.swap)
            .map(|ratio| Attachment::PixelAspectRatio(ratio.inverse())),
        told.clean_aperture().map(|aperture| Attachment::CleanAperture(turned_aperture(aperture, turn))),
    ];
    for attachment in known.into_iter().flatten() {
        if let Some((_, AttachmentMode::Propagate)) = told.get(&attachment.key()) {
            attachments.set(attachment, AttachmentMode::Propagate);
        }
    }
    // The rows of the fields have become columns, or have changed their order, so the statement is no longer
    // true.
    if (turn.swap || turn.mirror_y) && told.fields().is_some_and(|fields| fields.count > 1) {
        attachments.remove(&AttachmentKey::Fields);
    }
    *destination.attachments_mut() = attachments;
    Ok(())
}

fn check(source: &PixelBuffer, destination: &WritableBuffer, turn: Turn) -> Result<(), String> {
    let (format, width, height) = (source.format(), source.width(), source.height());
    if format != destination.format() {
        return Err(format!("{format:?} into {:?}: transfer it first", destination.format()));
    }
    let expected = if turn.swap { (height, width) } else { (width, height) };
    let (to_width, to_height) = (destination.width(), destination.height());
    if expected != (to_width, to_height) {
        return Err(format!(
            "{width}×{height} becomes {}×{}, not {to_width}×{to_height}",
            expected.0, expected.1
        ));
    }
    if format == PixelFormat::V210 && (turn.swap || turn.mirror_x) {
        return Err(format!("{format:?} keeps pixels in groups: transfer it first"));
    }
    let (across, down) = format.chroma_block().unwrap_or((1, 1));
    if turn.swap && across != down {
        return Err(format!(
            "{format:?} has no counterpart whose chroma is shared by rows instead of columns"
        ));
    }
    let odd = |mirrored: bool, length: u32, block: u32| mirrored && !length.is_multiple_of(block);
    if odd(turn.mirror_x, width, across) || odd(turn.mirror_y, height, down) {
        return Err(format!("the pixels of {width}×{height} that share chroma would be others"));
    }
    Ok(())
}

fn turn_plane(source: &PixelBuffer, destination: &mut WritableBuffer, plane: usize, turn: Turn) {
    let format = source.format();
    // One column holds a unit of so many bytes: a sample, a pair, a pixel, or a macropixel.
    let size = format.row_bytes(1, plane);
    let columns = format.row_bytes(source.width(), plane) / size;
    let rows = source.geometry(plane).rows;
    let (to_columns, to_rows) = if turn.swap { (rows, columns) } else { (columns, rows) };
    let from = |mirrored: bool, at: usize, count: usize| if mirrored { count - 1 - at } else { at };
    for to_row in 0..to_rows {
        let out = destination.row_mut(plane, to_row);
        if turn.swap {
            let column = from(turn.mirror_x, to_row, columns);
            for (at, out) in out.chunks_exact_mut(size).enumerate() {
                let row = source.row(plane, from(turn.mirror_y, at, to_columns));
                out.copy_from_slice(&row[column * size..][..size]);
            }
            continue;
        }
        let row = source.row(plane, from(turn.mirror_y, to_row, rows));
        if !turn.mirror_x {
            out.copy_from_slice(row);
            continue;
        }
        for (out, element) in out.chunks_exact_mut(size).zip(row.chunks_exact(size).rev()) {
            out.copy_from_slice(element);
            // The two pixels of a macropixel must change places, too.
            match format {
                PixelFormat::Uyvy => out.swap(1, 3),
                PixelFormat::Yuyv => out.swap(0, 2),
                _ => {}
            }
        }
    }
}

/// Marks the location of chroma as unknown where it lay beside or above its pixels, because no code names the
/// place where it lies after the turn.
fn turned_colour(colour: Colour, turn: Turn) -> Colour {
    let kept = match colour.chroma_location {
        2 => true,
        1 => !turn.swap && !turn.mirror_x,
        _ => !turn.swap && !turn.mirror_x && !turn.mirror_y,
    };
    Colour { chroma_location: if kept { colour.chroma_location } else { 0 }, ..colour }
}

fn turned_aperture(aperture: CleanAperture, turn: Turn) -> CleanAperture {
    let mirrored = |offset: Rational, mirror: bool| {
        if mirror { Rational::new(offset.num.saturating_neg(), offset.den) } else { offset }
    };
    let x = mirrored(aperture.horizontal_offset, turn.mirror_x);
    let y = mirrored(aperture.vertical_offset, turn.mirror_y);
    match turn.swap {
        false => CleanAperture { horizontal_offset: x, vertical_offset: y, ..aperture },
        true => CleanAperture {
            width: aperture.height,
            height: aperture.width,
            horizontal_offset: y,
            vertical_offset: x,
        },
    }
}
