//! Pictures on their way to the encoder: the pool that clients draw from, and the conversion of what does not fit.

use super::SessionError;
use crate::encoder::{EncoderSettings, TransferMaker};
use retake_media::{
    Colour, PixelBuffer, PixelBufferAttributes, PixelBufferPool, PixelFormat, PixelStorage, PixelTransfer,
    PoolAttributes, Range, Reconciled, ScalingMode, TransferOptions,
};
use std::sync::Arc;

/// The pool of a session, by rules PB-14, PB-15, PB-16, PB-17, PB-18, PB-19, PB-20: the same until what the encoder takes has changed.
#[derive(Default)]
pub(super) struct ClientPool {
    current: Option<(PixelBufferAttributes, Option<PixelBufferPool>, bool)>,
}

impl ClientPool {
    /// The pool for what the client and the encoder want, and whether the encoder takes its buffers as they are. No pool where the client
    /// wants none, or asks for buffers that cannot be.
    pub(super) fn pool(
        &mut self,
        client: Option<&PixelBufferAttributes>,
        encoder: PixelBufferAttributes,
    ) -> (Option<PixelBufferPool>, bool) {
        if self.current.as_ref().is_none_or(|(made_for, ..)| *made_for != encoder) {
            let Reconciled { pool, shared } = PixelBufferAttributes::reconcile(client, &encoder);
            let pool = pool
                .and_then(|attributes| PixelBufferPool::create(PoolAttributes::default(), attributes).ok());
            self.current = Some((encoder, pool, shared));
        }
        self.current.as_ref().map_or((None, false), |(_, pool, shared)| (pool.clone(), *shared))
    }
}

/// What an encoder takes as it is: its formats of a depth, each in both ranges.
pub(super) fn encoder_attributes(
    formats: &[PixelFormat],
    depth: Option<u32>,
    width: u32,
    height: u32,
) -> PixelBufferAttributes {
    let fitting = formats.iter().filter(|format| depth.is_none_or(|depth| format.bit_depth() == depth));
    let mut all: Vec<PixelFormat> = Vec::new();
    for format in fitting.flat_map(|format| [*format, format.with_range(Range::Full)]) {
        if !all.contains(&format) {
            all.push(format);
        }
    }
    PixelBufferAttributes { formats: all, width: Some(width), height: Some(height), ..Default::default() }
}

/// The tags of the stream for pictures of these: colours that are red, green and blue become BT.709 in limited range, unless the picture
/// says which matrix; all others stay what they are.
pub(super) fn encoded_colour(picture: &PixelBuffer) -> Colour {
    let colour = picture.colour();
    if !picture.format().is_rgb() {
        return colour;
    }
    let matrix = if matches!(colour.matrix, 0 | 2) { 1 } else { colour.matrix };
    Colour { matrix, range: Range::Limited, range_known: true, ..colour }
}

/// Converts pictures that an encoder does not take as they are. Keeps the converter, and memory, from picture to picture.
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
        // frames of one range go into a stream that is tagged with another only converted
        let range = picture.format().range().unwrap_or(settings.colour.range);
        let same_range = range == settings.colour.range;
        // what is meant to be seen of a picture goes where it is to be seen
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
