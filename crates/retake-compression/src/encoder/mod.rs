//! The contract between Retake and an encoder library.
//!
//! An [`EncoderFactory`] describes what a library can do and opens [`Encoder`]s. One [`Encoder`] encodes one take: it begins with a
//! sync frame, closes its GOPs, and ends with [`Encoder::finish`]. It is driven from one thread; "not yet" is an ordinary answer.

mod controls;
mod error;
mod info;
mod output;
mod registry;
mod settings;

pub use controls::{ControlSupport, Controls, FieldSupport, RateBuffer, Reconfiguration};
pub use error::EncoderError;
pub use info::{EncoderInfo, Preset, QualityScale};
pub use output::{EncodedFrame, FrameError, Output};
pub use registry::{MissingEncoder, Registry, TransferMaker};
pub use settings::{EncoderSettings, FrameOptions, RateControl, RateLimit};

use retake_media::{FormatDescription, PixelBuffer, Time};

/// Frames between sync frames that are reckoned with where nothing says how many: the default of x264 and x265.
pub(crate) const USUAL_INTERVAL: u32 = 250;

/// An encoder library: what it can do, and the door to its encodes.
pub trait EncoderFactory: Send + Sync {
    /// Name, codec, presets, quality scale.
    fn info(&self) -> &EncoderInfo;

    /// Upper estimate of the memory, in bytes, that one encode with these settings holds, frames that wait inside it included.
    fn memory(&self, settings: &EncoderSettings) -> u64;

    /// Upper estimate of the frames that go in before the first sample comes out (look-ahead, reordering, threads).
    fn delay(&self, settings: &EncoderSettings) -> u32;

    /// Threads beyond which another one is of little use to an encode with these settings: of those that it may use.
    fn useful_threads(&self, settings: &EncoderSettings) -> u32 {
        settings.threads
    }

    /// The most frames from one sync frame to the next in an encode with these settings, as far as that is known; where scenes alone decide,
    /// a number to reckon with.
    fn key_frame_interval(&self, settings: &EncoderSettings) -> u32 {
        if settings.max_key_frame_interval > 0 { settings.max_key_frame_interval } else { USUAL_INTERVAL }
    }

    /// Opens an encode.
    ///
    /// # Errors
    /// [`EncoderError::Settings`] for a setting the library refuses, with the name of the setting; [`EncoderError::Open`] when the
    /// library fails.
    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError>;
}

/// One running encode.
pub trait Encoder: Send {
    /// What a decoder and a container have to know. Equal for all encodes with equal settings, whatever the frames.
    fn format(&self) -> &FormatDescription;

    /// Hands over the next frame in presentation order. The encoder keeps a reference to the picture as long as it needs it.
    ///
    /// # Errors
    /// [`EncoderError::Settings`] for options that do not fit what the encode was opened with: the frame was not taken, and the encode
    /// goes on. [`EncoderError::Malfunction`] when the library fails; the encode is then of no further use.
    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<(), EncoderError>;

    /// Changes the constant quality of frames that are not coded yet, on the encoder's own scale. False where the encoder cannot do that
    /// in a running encode, or runs by bit rate; nothing has changed then.
    #[doc(alias = "kVTCompressionPropertyKey_Quality")]
    fn set_quality(&mut self, quality: f64) -> bool {
        let _ = quality;
        false
    }

    /// Changes what can be changed in a running encode, for frames that are not sent yet. False where the encoder cannot do all of it;
    /// nothing has changed then.
    ///
    /// # Errors
    /// [`EncoderError::Settings`] for a value it does not take; nothing has changed then either.
    fn reconfigure(&mut self, change: &Reconfiguration) -> Result<bool, EncoderError> {
        Ok(*change == Reconfiguration::default())
    }

    /// Says that no more frames follow. Repeating it does nothing.
    ///
    /// # Errors
    /// As [`Encoder::send`].
    fn finish(&mut self) -> Result<(), EncoderError>;

    /// What is ready: a sample, a reconstructed picture, [`Output::Pending`] (send more first), or [`Output::End`] (after
    /// [`Encoder::finish`], when everything is out).
    ///
    /// # Errors
    /// As [`Encoder::send`].
    fn receive(&mut self) -> Result<Output, EncoderError>;
}

impl<E: Encoder + ?Sized> Encoder for Box<E> {
    fn format(&self) -> &FormatDescription {
        (**self).format()
    }

    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<(), EncoderError> {
        (**self).send(picture, pts, duration, options)
    }

    fn set_quality(&mut self, quality: f64) -> bool {
        (**self).set_quality(quality)
    }

    fn reconfigure(&mut self, change: &Reconfiguration) -> Result<bool, EncoderError> {
        (**self).reconfigure(change)
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        (**self).finish()
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        (**self).receive()
    }
}
