//! The conversion of pictures that an encoder does not take as they are.

use crate::encoder::{EncoderSettings, TransferMaker};
use crate::session::SessionError;
use retake_media::{
    PixelBuffer, PixelBufferPool, PixelFormat, PixelStorage, PixelTransfer, ScalingMode, TransferOptions,
};
use std::sync::Arc;

/// Converts pictures that an encoder does not take as they are. Keeps the converter, and memory, from picture
/// to picture.
#[derive(Default)]
pub(super) struct Conversion {
    transfer: Option<Box<dyn PixelTransfer>>,
    pool: Option<PixelBufferPool>,
}

impl Conversion {
    /// The picture as the encoder takes it.
    pub(super) fn fit(
        &mut self,
        maker: Option<&TransferMaker>,
        settings: &EncoderSettings,
        options: &TransferOptions,
        picture: &PixelBuffer,
    ) -> Result<PixelBuffer, SessionError> {
        let (width, height) = (settings.width, settings.height);
        let same_size = (picture.width(), picture.height()) == (width, height);
        let wanted = settings.format;
        // Frames of one range must be converted before they go into a stream that is tagged with another.
        let range = picture.format().range().unwrap_or(settings.colour.range);
        let same_range = range == settings.colour.range;
        // The part of a picture that is meant to be seen must land where the stream says that it is.
        let same_shape = options.scaling_mode == ScalingMode::Normal
            || picture.attachments().clean_aperture() == settings.controls.clean_aperture;
        let same_size = same_size && same_shape;
        if same_size && same_range && picture.format() == wanted {
            return Ok(picture.clone());
        }
        if same_size && same_range && picture.format().same_layout(wanted) {
            return Ok(relabelled(picture, wanted));
        }
        if fields_mix(settings, picture, same_size) {
            return Err(SessionError::PixelTransferNotSupported(format!(
                "{picture:?} came where two fields of {width}×{height} are encoded: scaling, and taking chroma from every second row, would \
                 mix them. Send 4:2:0 pictures of that size, or leave FieldCount out"
            )));
        }
        let Some(maker) = maker else {
            return Err(SessionError::PixelTransferNotSupported(format!(
                "{picture:?} came where {wanted:?} {width}×{height} is encoded, and the registry has no conversion"
            )));
        };
        let target = wanted.with_range(settings.colour.range);
        let pool = self.pool.take().filter(|pool| {
            let made = pool.buffer_attributes();
            made.formats == [target] && (made.width, made.height) == (Some(width), Some(height))
        });
        let pool = pool.unwrap_or_else(|| PixelBufferPool::new(target, width, height));
        let mut destination =
            pool.create_buffer().map_err(|error| SessionError::AllocationFailed(error.to_string()))?;
        self.pool = Some(pool);
        let options = TransferOptions {
            destination_matrix: options
                .destination_matrix
                .or(Some(settings.colour.matrix).filter(|&matrix| matrix != 2)),
            destination_clean_aperture: options
                .destination_clean_aperture
                .or(settings.controls.clean_aperture),
            destination_pixel_aspect_ratio: options
                .destination_pixel_aspect_ratio
                .or(Some(settings.pixel_aspect_ratio).filter(|ratio| ratio.is_positive())),
            ..*options
        };
        let transfer = self.transfer.get_or_insert_with(|| maker());
        transfer.transfer(picture, &mut destination, &options)?;
        let picture = destination.freeze();
        Ok(if target == wanted { picture } else { relabelled(&picture, wanted) })
    }
}

/// Whether the conversion to what is encoded would make rows of both fields one.
fn fields_mix(settings: &EncoderSettings, picture: &PixelBuffer, same_size: bool) -> bool {
    let two = settings.controls.fields.is_some_and(|fields| fields.count == 2);
    let rows = |format: PixelFormat| format.chroma_block().map(|(_, rows)| rows);
    two && !(same_size && rows(picture.format()).is_none_or(|found| Some(found) == rows(settings.format)))
}

/// The same picture under a format of the same layout.
fn relabelled(picture: &PixelBuffer, format: PixelFormat) -> PixelBuffer {
    struct Samples(PixelBuffer);
    impl PixelStorage for Samples {
        fn plane(&self, plane: usize) -> &[u8] {
            self.0.plane(plane)
        }
    }
    let strides = [0, 1, 2].map(|plane| picture.geometry(plane).stride);
    let storage = Arc::new(Samples(picture.clone()));
    PixelBuffer::new(format, picture.width(), picture.height(), strides, storage)
        .with_attachments(picture.attachments().clone())
}
