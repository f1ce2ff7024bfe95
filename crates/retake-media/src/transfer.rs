//! Copying a picture into one of another format, size or colour: the contract. Who converts is decided above; `retake-libav` does.

use crate::{CleanAperture, PixelBuffer, PixelFormat, Rational, WritableBuffer};

/// Copies pictures into others of any format and size.
///
/// One transfer serves one thread at a time, and keeps tables and memory from one picture to the next of the same kind.
#[doc(alias = "VTPixelTransferSession")]
pub trait PixelTransfer: Send {
    /// Fills `destination` with `source`, scaled, cropped and converted as the destination's format, size and `options` ask. The
    /// destination's attachments are replaced by those that describe the result; those of the source which say nothing about
    /// what was converted go with it. Neither picture is kept. That the two are different ones is a matter of types: a
    /// [`PixelBuffer`] has no writer.
    ///
    /// # Errors
    /// [`TransferError`]. What the destination then holds is undefined.
    #[doc(alias = "VTPixelTransferSessionTransferImage")]
    fn transfer(
        &mut self,
        source: &PixelBuffer,
        destination: &mut WritableBuffer,
        options: &TransferOptions,
    ) -> Result<(), TransferError>;
}

/// How a picture is fitted into one of another shape.
#[doc(alias = "kVTPixelTransferPropertyKey_ScalingMode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ScalingMode {
    /// The whole source fills the whole destination. Clean apertures and pixel aspect ratios are not looked at.
    #[doc(alias = "kVTScalingMode_Normal")]
    #[default]
    Normal,
    /// The clean aperture of the source fills the clean aperture of the destination.
    #[doc(alias = "kVTScalingMode_CropSourceToCleanAperture")]
    CropSourceToCleanAperture,
    /// The clean aperture of the source is fitted into that of the destination in its own shape; what is left over is black.
    #[doc(alias = "kVTScalingMode_Letterbox")]
    Letterbox,
    /// The clean aperture of the source fills that of the destination in its own shape; what is too much is cut off.
    #[doc(alias = "kVTScalingMode_Trim")]
    Trim,
}

/// How chroma is reduced to fewer samples.
#[doc(alias = "kVTPixelTransferPropertyKey_DownsamplingMode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Downsampling {
    /// One of the samples of a block is taken: the one at the upper left.
    #[doc(alias = "kVTDownsamplingMode_Decimate")]
    #[default]
    Decimate,
    /// The mean of the samples of a block is taken.
    #[doc(alias = "kVTDownsamplingMode_Average")]
    Average,
}

/// What a transfer does beyond what the two buffers tell. The default stretches, and converts no colours but what the formats ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransferOptions {
    /// How the source is fitted in. [`ScalingMode::Normal`] by default.
    pub scaling_mode: ScalingMode,
    /// The part of the destination that the source is fitted into; black around it. `None`: all of it.
    /// Not looked at in [`ScalingMode::Normal`].
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationCleanAperture")]
    pub destination_clean_aperture: Option<CleanAperture>,
    /// The shape of the destination's pixels. `None`: square for [`ScalingMode::CropSourceToCleanAperture`], those of the source
    /// for [`ScalingMode::Letterbox`] and [`ScalingMode::Trim`]. Not looked at in [`ScalingMode::Normal`].
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationPixelAspectRatio")]
    pub destination_pixel_aspect_ratio: Option<Rational>,
    /// How chroma is reduced. [`Downsampling::Decimate`] by default.
    pub downsampling: Downsampling,
    /// Colour primaries of the result, as [`Colour::primaries`](crate::Colour::primaries). `None`: those attached to the destination,
    /// else no conversion. What lies outside of them is cut off.
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationColorPrimaries")]
    pub destination_primaries: Option<u8>,
    /// Transfer function of the result, as [`Colour::transfer`](crate::Colour::transfer). `None`: the one attached to the destination,
    /// else no conversion.
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationTransferFunction")]
    pub destination_transfer: Option<u8>,
    /// Matrix of the result, as [`Colour::matrix`](crate::Colour::matrix). `None`: the one attached to the destination, else no conversion.
    #[doc(alias = "kVTPixelTransferPropertyKey_DestinationYCbCrMatrix")]
    pub destination_matrix: Option<u8>,
}

/// Why a picture was not transferred.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// Nobody here converts so. The caller asked for too much: choose another format or other options.
    #[error("{from:?} cannot be made into {to:?}: {reason}")]
    NotSupported {
        /// The format of the source.
        from: PixelFormat,
        /// The format of the destination.
        to: PixelFormat,
        /// What stands in the way.
        reason: String,
    },
    /// An argument has no meaning. The caller's fault.
    #[error("a picture cannot be transferred so: {0}")]
    Parameter(String),
    /// There was not enough memory for the tables of a conversion.
    #[error("not enough memory to convert a picture")]
    OutOfMemory,
    /// A rotation that these pictures do not allow: their formats differ, or their sizes do not fit the rotation.
    #[error("a picture cannot be rotated so: {0}")]
    RotationNotSupported(String),
}

impl TransferError {
    /// The stable number of the error.
    pub const fn code(&self) -> i32 {
        match self {
            Self::Parameter(_) => -12902,
            Self::OutOfMemory => -12904,
            Self::NotSupported { .. } => -12905,
            Self::RotationNotSupported(_) => -12914,
        }
    }
}
