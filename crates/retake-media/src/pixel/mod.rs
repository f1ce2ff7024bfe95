//! Uncompressed pictures: how their samples lie in memory, and the buffers that hold them.

mod buffer;
mod format;

pub use buffer::{PixelBuffer, PixelStorage, PlaneGeometry};
pub use format::PixelFormat;
