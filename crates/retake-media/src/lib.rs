//! The values that every room of Retake shares: exact [`Time`]s and [`TimeRange`]s, [`PixelBuffer`]s and the
//! [`PixelBufferPool`] they are recycled in, compressed [`Sample`]s and the [`FormatDescription`] they are
//! decoded with.
//!
//! This crate does no input or output, and knows no codec library.
//!
//! Ids such as `MP-26`, resolutions and numbered sections in comments are those of `docs/contract.md`, where it
//! is told what every call must do.

mod aperture;
mod audio;
mod colour;
mod format;
mod icc;
mod pixel;
mod pool;
mod rational;
mod rotation;
mod sample;
mod sample_buffer;
pub mod sample_codec;
mod time;
mod time_range;
mod transfer;

pub use aperture::CleanAperture;
pub use audio::AudioFormat;
pub use colour::{Colour, ContentLight, MasteringDisplay, Range};
pub use format::{Codec, FormatDescription};
pub use icc::IccProfile;
pub use pixel::{
    AlphaMode, Attachment, AttachmentKey, AttachmentMode, AttachmentValue, Attachments, ExtendedPixels,
    FieldDetail, Fields, PixelBuffer, PixelBufferAttributes, PixelBufferError, PixelFormat, PixelStorage,
    PlaneGeometry, Reconciled, WritableBuffer,
};
pub use pool::{BufferAge, Clock, FreeBufferObserver, PixelBufferPool, PoolAttributes};
pub use rational::Rational;
pub use rotation::{Rotation, RotationOptions, rotate};
pub use sample::{Sample, SampleKind};
pub use sample_buffer::{SampleAttachments, SampleBuffer};
pub use time::Time;
pub use time_range::TimeRange;
pub use transfer::{Downsampling, PixelTransfer, ScalingMode, TransferError, TransferOptions};
