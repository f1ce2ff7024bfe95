//! Makes the surroundings of a picture: bars, and the attachments of the result.

use super::colour::{Conversion, Model, Space};
use super::geometry;
use super::view::Target;
use retake_media::{
    Attachment, AttachmentKey, AttachmentMode, Attachments, Colour, PixelBuffer, PixelFormat, Range,
    TransferOptions, WritableBuffer,
};

/// Returns the attachments of the source that propagate, with facts about the result in place of those that
/// were converted.
pub(super) fn attachments(
    source: &PixelBuffer,
    destination: &WritableBuffer,
    options: &TransferOptions,
    conversion: &Conversion,
) -> Attachments {
    let mut result = Attachments::default();
    source.attachments().propagate_to(&mut result);
    for converted in [AttachmentKey::Colour, AttachmentKey::PixelAspectRatio, AttachmentKey::CleanAperture] {
        result.remove(&converted);
    }
    let resized = (source.width(), source.height()) != (destination.width(), destination.height());
    if conversion.light.is_some() || resized {
        result.remove_dynamic_hdr();
    }
    if conversion.light.is_some() {
        // These describe light that is no longer there.
        result.remove(&AttachmentKey::MasteringDisplay);
        result.remove(&AttachmentKey::ContentLight);
    }
    if !destination.format().has_alpha() {
        result.remove(&AttachmentKey::AlphaMode);
    }
    let (ratio, aperture) = geometry::describe(source, destination, options);
    let colour = Some(conversion.colour).filter(|colour| *colour != Colour::default());
    let known = [
        colour.map(Attachment::Colour),
        ratio.map(Attachment::PixelAspectRatio),
        aperture.map(Attachment::CleanAperture),
    ];
    known.into_iter().flatten().for_each(|attachment| result.set(attachment, AttachmentMode::Propagate));
    result
}

/// Makes a whole picture black.
pub(super) fn paint_black(buffer: &mut WritableBuffer, space: &Space) {
    let mut target = Target::all(buffer);
    for plane in 0..target.format.planes() {
        let pattern = black(target.format, space, plane);
        for row in 0..target.rows(plane) {
            target
                .row(plane, row)
                .chunks_mut(pattern.len())
                .for_each(|group| group.copy_from_slice(&pattern));
        }
    }
}

/// Returns the bytes that a plane of a black picture repeats.
fn black(format: PixelFormat, space: &Space, plane: usize) -> Vec<u8> {
    let unit = 1_u16 << (format.bit_depth() - 8);
    let dark = if space.range == Range::Full { 0 } else { 16 * unit };
    let neutral = if space.model == Model::Rgb { dark } else { 128 * unit };
    match format {
        PixelFormat::Uyvy => vec![128, dark as u8, 128, dark as u8],
        PixelFormat::Yuyv => vec![dark as u8, 128, dark as u8, 128],
        PixelFormat::Argb => vec![255, 0, 0, 0],
        PixelFormat::Bgra | PixelFormat::Rgba => vec![0, 0, 0, 255],
        PixelFormat::Argb64 => vec![255, 255, 0, 0, 0, 0, 0, 0],
        PixelFormat::Rgba64 => vec![0, 0, 0, 0, 0, 0, 255, 255],
        _ => {
            let code = if plane == 0 { dark } else { neutral } << format.bit_shift();
            code.to_le_bytes()[..format.bytes_per_sample()].to_vec()
        }
    }
}
