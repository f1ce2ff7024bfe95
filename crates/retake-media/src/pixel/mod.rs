//! Uncompressed pictures: the layout of their samples, the buffers that hold them, and the attributes and
//! attachments of these.

mod attachments;
mod attributes;
mod buffer;
mod error;
mod format;
mod hash;
mod memory;
mod reconcile;
mod wrap;
mod writable;

pub use attachments::{
    AlphaMode, Attachment, AttachmentKey, AttachmentMode, AttachmentValue, Attachments, FieldDetail, Fields,
};
pub use attributes::{ExtendedPixels, PixelBufferAttributes};
pub use buffer::{PixelBuffer, PixelStorage, PlaneGeometry};
pub use error::PixelBufferError;
pub use format::{ChromaSubsampling, PixelFormat};
pub use hash::picture_hash;
pub(crate) use memory::{Layout, Memory};
pub use reconcile::Reconciled;
pub use writable::WritableBuffer;
