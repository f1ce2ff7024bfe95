//! Copies pictures into others of any format, size and colour.
//!
//! A picture passes these steps: its planes are taken apart (`pack`), scaled (`resize`, by FFmpeg), converted
//! (`convert`) and put together again, each step only where it changes something. Everything but scaling is
//! exact; docs/pixel-transfer.md explains why it is not left to FFmpeg.

mod colour;
mod convert;
mod curve;
mod describe;
mod geometry;
mod light;
mod pack;
mod primaries;
mod resize;
mod view;

use colour::Conversion;
pub(crate) use colour::luma_weights;
use convert::{Affine, Converter};
use geometry::Placement;
use pack::{is_plain, twin};
use resize::{Resizer, has_room, roomy};
use retake_media::{
    Attachment, AttachmentMode, Downsampling, PixelBuffer, PixelBufferPool, PixelFormat, PixelTransfer,
    TransferError, TransferOptions, WritableBuffer,
};
use std::mem;
use view::{Rect, Target, View, copy};

/// A [`PixelTransfer`] between all pixel formats.
///
/// It converts matrices, ranges, depths and chroma. Where chroma is spread, all pixels of a block get its
/// value, so that a round trip restores the picture. Colour primaries and transfer functions are converted
/// where the options require others than the source's: as light of a screen with a white of 100 cd/m².
/// Colours for which the result has no samples are clipped; there is no tone mapping. A matrix that is not
/// one of BT.709, FCC, BT.601, SMPTE 240M and BT.2020 (non-constant luminance) is refused with -12905, and so
/// are primaries and curves that H.273 does not number, or that are rare.
#[doc(alias = "VTPixelTransferSessionCreate")]
#[derive(Default)]
pub struct PictureTransfer {
    resizer: Option<Resizer>,
    converter: Converter,
    /// Pictures between two steps: taken apart, copied with room around them, scaled, converted.
    between: [Option<WritableBuffer>; 4],
    /// Alpha values before and after scaling.
    alpha: [Option<WritableBuffer>; 2],
    /// Whole planar pictures in the place of [`PixelFormat::V210`], of the source and of the destination.
    planes: [Option<PixelBufferPool>; 2],
}

impl PictureTransfer {
    /// Makes a transfer without tables and memory, because these are made with the first picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Transfers by way of planes where a picture keeps its pixels in groups, because no part of such a
    /// picture begins at any other place than at a group.
    fn transfer_groups(
        &mut self,
        source: &PixelBuffer,
        destination: &mut WritableBuffer,
        options: &TransferOptions,
    ) -> Result<(), TransferError> {
        let [mut before, mut after] = mem::take(&mut self.planes);
        let mut planes = None;
        if source.format() == PixelFormat::V210 {
            let mut buffer = pooled(&mut before, source.width(), source.height())?;
            pack::unpack(&View::of(source, whole(source)), &mut Target::all(&mut buffer));
            let mut attachments = source.attachments().clone();
            attachments.set(Attachment::Colour(source.colour()), AttachmentMode::Propagate);
            planes = Some(buffer.freeze().with_attachments(attachments));
        }
        let source = planes.as_ref().unwrap_or(source);
        if destination.format() == PixelFormat::V210 {
            let mut buffer = pooled(&mut after, destination.width(), destination.height())?;
            let mut attachments = destination.attachments().clone();
            let tagged = attachments.colour().unwrap_or_default().in_format(PixelFormat::V210);
            attachments.set(Attachment::Colour(tagged), AttachmentMode::Propagate);
            *buffer.attachments_mut() = attachments;
            self.transfer(source, &mut buffer, options)?;
            pack::pack(&View::of_all(&buffer), None, &mut Target::all(destination));
            *destination.attachments_mut() = mem::take(buffer.attachments_mut());
        } else {
            self.transfer(source, destination, options)?;
        }
        self.planes = [before, after];
        Ok(())
    }

    fn fill(
        &mut self,
        source: &PixelBuffer,
        destination: &mut WritableBuffer,
        place: &Placement,
        conversion: &Conversion,
        downsampling: Downsampling,
    ) -> Result<(), TransferError> {
        let (from_format, to_format) = (source.format(), destination.format());
        let (plain, goal) = (twin(from_format), twin(to_format));
        let resizes = place.from.size() != place.to.size();
        let converts =
            plain != goal || conversion.light.is_some() || !Affine::between(conversion).is_identity();
        if place.to != Rect::whole(destination.width(), destination.height()) {
            describe::paint_black(destination, &conversion.to);
        }
        let whole = View::of(source, place.from);
        if from_format.same_layout(to_format) && !resizes && !converts {
            copy(&whole, &mut Target::new(destination, place.to));
            return Ok(());
        }
        if is_plain(to_format) && !resizes && !converts {
            pack::unpack(&whole, &mut Target::new(destination, place.to));
            return Ok(());
        }
        // The buffers are taken out, so that one can be read while another is written.
        let [mut apart, mut roomed, mut scaled, mut converted] = mem::take(&mut self.between);
        let mut view = whole.named(plain);
        if !is_plain(from_format) {
            let buffer = between(&mut apart, plain, place.from)?;
            pack::unpack(&whole, &mut Target::all(buffer));
            view = View::of_all(buffer);
        }
        if resizes {
            let location = source.colour().chroma_location;
            view = self.scale(view, &mut roomed, &mut scaled, place.to, location, to_format)?;
        }
        if converts && is_plain(to_format) {
            let mut target = Target::new(destination, place.to);
            self.converter.convert(&view, &mut target, conversion, downsampling);
        } else if is_plain(to_format) {
            copy(&view, &mut Target::new(destination, place.to));
        } else {
            if converts {
                let buffer = between(&mut converted, goal, place.to)?;
                self.converter.convert(&view, &mut Target::all(buffer), conversion, downsampling);
                view = View::of_all(buffer);
            }
            self.put_together(&view, &whole, destination, place)?;
        }
        self.between = [apart, roomed, scaled, converted];
        Ok(())
    }

    /// Returns the picture in the size of `to`, in `scaled`; a copy with room around it is in `roomed`, if it
    /// needs one.
    fn scale<'a>(
        &mut self,
        view: View<'a>,
        roomed: &'a mut Option<WritableBuffer>,
        scaled: &'a mut Option<WritableBuffer>,
        to: Rect,
        location: u8,
        to_format: PixelFormat,
    ) -> Result<View<'a>, TransferError> {
        let refuse =
            |reason: String| TransferError::NotSupported { from: view.format, to: to_format, reason };
        let view = match has_room(&view) {
            true => view,
            false => {
                let buffer = between(roomed, view.format, Rect::whole(view.width, view.height))?;
                copy(&view, &mut Target::all(buffer));
                View::of_all(buffer)
            }
        };
        let buffer = between(scaled, view.format, to)?;
        let resizer = match &mut self.resizer {
            Some(resizer) => resizer,
            none => none.insert(Resizer::open().map_err(|failure| refuse(failure.message().to_owned()))?),
        };
        resizer.resize(&view, buffer, location).map_err(|failure| {
            let sizes = format!("{}×{} to {}×{}", view.width, view.height, to.width, to.height);
            refuse(format!("it cannot be scaled from {sizes}: {}", failure.message()))
        })?;
        Ok(View::of_all(buffer))
    }

    /// Packs the planes of the result; RGB gets the alpha values of the source, if it has any.
    fn put_together(
        &mut self,
        planes: &View<'_>,
        source: &View<'_>,
        destination: &mut WritableBuffer,
        place: &Placement,
    ) -> Result<(), TransferError> {
        let to_format = destination.format();
        let mut target = Target::new(destination, place.to);
        if !(to_format.has_alpha() && source.format.has_alpha()) {
            pack::pack(planes, None, &mut target);
            return Ok(());
        }
        let [mut apart, mut scaled] = mem::take(&mut self.alpha);
        let mut roomed = None;
        let deep = to_format.bit_depth() > 8;
        let format = if deep { PixelFormat::Gray16 } else { PixelFormat::Y8 };
        let buffer = between(&mut apart, format, place.from)?;
        pack::unpack_alpha(source, &mut Target::all(buffer));
        let alpha = View::of_all(buffer);
        let alpha = match place.from.size() == place.to.size() {
            true => alpha,
            false => self.scale(alpha, &mut roomed, &mut scaled, place.to, 0, to_format)?,
        };
        pack::pack(planes, Some(&alpha), &mut target);
        self.alpha = [apart, scaled];
        Ok(())
    }
}

impl PixelTransfer for PictureTransfer {
    fn transfer(
        &mut self,
        source: &PixelBuffer,
        destination: &mut WritableBuffer,
        options: &TransferOptions,
    ) -> Result<(), TransferError> {
        if [source.format(), destination.format()].contains(&PixelFormat::V210) {
            return self.transfer_groups(source, destination, options);
        }
        let place = geometry::place(source, destination, options)?;
        let conversion = Conversion::find(source, destination, options)?;
        self.fill(source, destination, &place, &conversion, options.downsampling)?;
        let attachments = describe::attachments(source, destination, options, &conversion);
        *destination.attachments_mut() = attachments;
        Ok(())
    }
}

fn whole(picture: &PixelBuffer) -> Rect {
    Rect::whole(picture.width(), picture.height())
}

/// Returns a planar picture of 4:2:2 and ten bits from a pool, which is made anew where the size has changed.
fn pooled(
    pool: &mut Option<PixelBufferPool>,
    width: u32,
    height: u32,
) -> Result<WritableBuffer, TransferError> {
    let fits = |pool: &PixelBufferPool| {
        let made = pool.buffer_attributes();
        (made.width, made.height) == (Some(width), Some(height))
    };
    let kept = pool.take().filter(fits);
    let pool = pool.insert(kept.unwrap_or_else(|| PixelBufferPool::new(PixelFormat::I210, width, height)));
    pool.create_buffer().map_err(|_| TransferError::OutOfMemory)
}

/// Returns a picture between two steps: the one of the last time, or a new one where the shape has changed.
fn between(
    kept: &mut Option<WritableBuffer>,
    format: PixelFormat,
    size: Rect,
) -> Result<&mut WritableBuffer, TransferError> {
    let fits = |buffer: &WritableBuffer| {
        (buffer.format(), buffer.width(), buffer.height()) == (format, size.width, size.height)
    };
    let buffer = match kept.take().filter(fits) {
        Some(buffer) => buffer,
        None => roomy(format, size.width, size.height).map_err(|_| TransferError::OutOfMemory)?,
    };
    Ok(kept.insert(buffer))
}
