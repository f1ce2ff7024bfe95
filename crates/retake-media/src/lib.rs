//! This crate holds the values that all parts of Retake share: exact [`Time`]s and [`TimeRange`]s,
//! [`PixelBuffer`]s and the [`PixelBufferPool`] that recycles them, compressed [`Sample`]s and the
//! [`FormatDescription`] that they are decoded with.
//!
//! It does no input or output, and must not know any codec library.
//!
//! Ids such as `MP-26`, resolutions and numbered sections in comments are those of `docs/contract.md`, which
//! defines what every call must do.

mod aperture;
mod audio;
mod caption;
pub mod codes;
mod colour;
mod dolby_vision;
mod format;
mod icc;
mod level;
mod pixel;
mod pool;
mod rational;
mod rotation;
mod sample;
mod sample_buffer;
pub mod sample_codec;
mod time;
mod time_range;
mod timecode;
mod timed_metadata;
mod transfer;

pub use aperture::CleanAperture;
pub use audio::AudioFormat;
pub use caption::{Caption, TextFormat, TextStyle, style_records};
pub use colour::{Colour, ContentLight, MasteringDisplay, Range};
pub use dolby_vision::{DolbyVision, dolby_vision_profile, dolby_vision_rpu};
pub use format::{Codec, FormatDescription};
pub use icc::IccProfile;
pub use pixel::{
    AlphaMode, Attachment, AttachmentKey, AttachmentMode, AttachmentValue, Attachments, ChromaSubsampling,
    ExtendedPixels, FieldDetail, Fields, PixelBuffer, PixelBufferAttributes, PixelBufferError, PixelFormat,
    PixelStorage, PlaneGeometry, Reconciled, WritableBuffer, picture_hash,
};
pub use pool::{BufferAge, Clock, FreeBufferObserver, PixelBufferPool, PoolAttributes};
pub use rational::{Rational, greatest_common_divisor};
pub use rotation::{Rotation, RotationOptions, rotate};
pub use sample::{Sample, SampleKind};
pub use sample_buffer::{SampleAttachments, SampleBuffer};
pub use time::{NoDuration, Time};
pub use time_range::TimeRange;
pub use timecode::{Timecode, TimecodeError, TimecodeFormat};
pub use timed_metadata::{
    MetadataError, MetadataFormat, MetadataItem, MetadataKey, MetadataType, MetadataValue, TimedMetadataGroup,
};
pub use transfer::{Downsampling, PixelTransfer, ScalingMode, TransferError, TransferOptions};
