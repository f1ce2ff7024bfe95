//! The contract of a pixel transfer, which copies a picture into one of another format, size or colour. The
//! caller chooses who converts; `retake-libav` has the implementation.

use crate::codes;
use crate::{CleanAperture, PixelBuffer, PixelFormat, Rational, WritableBuffer};

/// Copies pictures into others of any format and size.
///
/// One transfer serves one thread at a time. It keeps tables and memory from one picture to the next, so that
/// pictures of the same kind are cheap.
#[doc(alias = "VTPixelTransferSession")]
pub trait PixelTransfer: Send {
    /// Fills `destination` with `source`, scaled, cropped and converted as the destination's format, size and
    /// `options` require. The destination's attachments are replaced by those that describe the result, and
    /// by those of the source that remain true after the conversion. Both pictures stay the caller's. They
    /// are always different ones, because a [`PixelBuffer`] has no writer.
    ///
    /// # Errors
    /// Returns [`TransferError`]; the content of the destination is undefined then.
    #[doc(alias = "VTPixelTransferSessionTransferImage")]
    fn transfer(
        &mut self,
        source: &PixelBuffer,
        destination: &mut WritableBuffer,
        options: &TransferOptions,
    ) -> Result<(), TransferError>;
}

/// States how a picture is fitted into one of another shape.
#[doc(alias = "kVTPixelTransferPropertyKey_ScalingMode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ScalingMode {
    /// The whole source fills the whole destination. Clean apertures and pixel aspect ratios are ignored.
    #[doc(alias = "kVTScalingMode_Normal")]
    #[doc(alias = "AVVideoScalingModeResize")]
    #[default]
    Normal,
    /// The clean aperture of the source fills the clean aperture of the destination.
    #[doc(alias = "kVTScalingMode_CropSourceToCleanAperture")]
    CropSourceToCleanAperture,
    /// The clean aperture of the source is fitted into that of the destination and keeps its shape; the rest
    /// becomes black.
    #[doc(alias = "kVTScalingMode_Letterbox")]
    #[doc(alias = "AVVideoScalingModeResizeAspect")]
    Letterbox,
    /// The clean aperture of the source fills that of the destination and keeps its shape; the excess is cut
    /// off.
    #[doc(alias = "kVTScalingMode_Trim")]
    #[doc(alias = "AVVideoScalingModeResizeAspectFill")]
    Trim,
}

/// States how chroma is reduced to fewer samples.
#[doc(alias = "kVTPixelTransferPropertyKey_DownsamplingMode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Downsampling {
    /// The sample at the upper left of a block stands for the block.
    #[doc(alias = "kVTDownsamplingMode_Decimate")]
    #[default]
    Decimate,
    /// The mean of the samples of a block stands for the block.
    #[doc(alias = "kVTDownsamplingMode_Average")]
    Average,
}

/// Adds to a transfer what the two buffers do not say. The default stretches the picture, and converts
/// colours only where the formats require it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransferOptions {
    /// The way in which the source is fitted in. The default is [`ScalingMode::Normal`].
    pub scaling_mode: ScalingMode,
    /// The part of the destination that the source is fitted into; the rest becomes black. `None` stands for
    /// the whole picture. It is ignored in [`ScalingMode::Normal`].
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationCleanAperture")]
    pub destination_clean_aperture: Option<CleanAperture>,
    /// The aspect ratio of the destination's pixels. `None` stands for square pixels in
    /// [`ScalingMode::CropSourceToCleanAperture`], and for those of the source in [`ScalingMode::Letterbox`]
    /// and [`ScalingMode::Trim`]. It is ignored in [`ScalingMode::Normal`].
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationPixelAspectRatio")]
    pub destination_pixel_aspect_ratio: Option<Rational>,
    /// The way in which chroma is reduced. The default is [`Downsampling::Decimate`].
    pub downsampling: Downsampling,
    /// The colour primaries of the result, as in [`Colour::primaries`](crate::Colour::primaries). `None`
    /// stands for those attached to the destination, or for no conversion where there are none. Colours
    /// outside of them are clipped.
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationColorPrimaries")]
    pub destination_primaries: Option<u8>,
    /// The transfer function of the result, as in [`Colour::transfer`](crate::Colour::transfer). `None`
    /// stands for the one attached to the destination, or for no conversion where there is none.
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationTransferFunction")]
    pub destination_transfer: Option<u8>,
    /// The matrix of the result, as in [`Colour::matrix`](crate::Colour::matrix). `None` stands for the one
    /// attached to the destination, or for no conversion where there is none.
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationYCbCrMatrix")]
    pub destination_matrix: Option<u8>,
}

/// States why a picture was not transferred.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// No implementation converts these formats in this way. The caller must choose another format or other
    /// options.
    #[error("{from:?} cannot be made into {to:?}: {reason}")]
    NotSupported {
        /// The format of the source.
        from: PixelFormat,
        /// The format of the destination.
        to: PixelFormat,
        /// The obstacle, as a clause for the message.
        reason: String,
    },
    /// An argument has no meaning, which is the caller's fault.
    #[error("a picture cannot be transferred so: {0}")]
    Parameter(String),
    /// The system had not enough memory for the tables of a conversion.
    #[error("not enough memory to convert a picture")]
    OutOfMemory,
    /// These pictures do not allow the rotation: their formats differ, or their sizes do not fit it.
    #[error("a picture cannot be rotated so: {0}")]
    RotationNotSupported(String),
}

impl TransferError {
    /// Returns the stable number of the error.
    pub const fn code(&self) -> i32 {
        match self {
            Self::Parameter(_) => codes::PARAMETER,
            Self::OutOfMemory => codes::ALLOCATION_FAILED,
            Self::NotSupported { .. } => codes::PIXEL_TRANSFER_NOT_SUPPORTED,
            Self::RotationNotSupported(_) => codes::IMAGE_ROTATION_NOT_SUPPORTED,
        }
    }
}
