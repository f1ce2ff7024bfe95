//! This module is the contract between Retake and an encoder library.
//!
//! An [`EncoderFactory`] describes the abilities of a library and opens [`Encoder`]s. One [`Encoder`] encodes
//! one take: it must begin with a sync frame, close its GOPs, and end with [`Encoder::finish`]. One thread
//! drives it; "not yet" is an ordinary answer.

mod controls;
mod data;
mod error;
mod info;
mod output;
mod registry;
mod settings;

pub use controls::{ControlSupport, Controls, FieldSupport, ProfileSupport, RateBuffer, Reconfiguration};
pub use data::EncoderData;
pub use error::EncoderError;
pub use info::{EncoderInfo, Preset, QualityScale};
pub use output::{EncodedFrame, FrameError, Output};
pub use registry::{EncoderFamily, MissingEncoder, NoSuchEncoder, Registry, TransferMaker};
pub(crate) use settings::is_light_of_pq;
pub use settings::{EncoderSettings, FrameOptions, RateControl, RateLimit};

use retake_media::{FormatDescription, PixelBuffer, Time};

/// The assumed number of frames between sync frames where none is known: it is the default of x264 and x265.
pub(crate) const USUAL_INTERVAL: u32 = 250;

/// A factory describes an encoder library and opens its encodes.
pub trait EncoderFactory: Send + Sync {
    /// Returns the name, codec, presets, quality scale and controls of the library.
    fn info(&self) -> &EncoderInfo;

    /// Returns an upper estimate of the memory, in bytes, that one encode with these settings holds,
    /// including frames that wait inside it.
    fn memory(&self, settings: &EncoderSettings) -> u64;

    /// Returns an upper estimate of the frames that go in before the first sample comes out (because of
    /// look-ahead, reordering, threads).
    fn delay(&self, settings: &EncoderSettings) -> u32;

    /// Returns the number of threads beyond which another one is of little use to an encode with these
    /// settings. The default is the number that it may use.
    fn useful_threads(&self, settings: &EncoderSettings) -> u32 {
        settings.threads
    }

    /// Returns the largest number of frames from one sync frame to the next in an encode with these settings.
    /// Where scenes alone decide, it is an estimate.
    fn key_frame_interval(&self, settings: &EncoderSettings) -> u32 {
        if settings.max_key_frame_interval > 0 { settings.max_key_frame_interval } else { USUAL_INTERVAL }
    }

    /// Opens an encode.
    ///
    /// # Errors
    /// [`EncoderError::Settings`] for a setting the library refuses, with the name of the setting;
    /// [`EncoderError::Open`] when the library fails.
    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError>;
}

/// An encoder is one running encode.
pub trait Encoder: Send {
    /// Returns the description that a decoder and a container need. It must be equal for all encodes with
    /// equal settings, whatever the frames are.
    fn format(&self) -> &FormatDescription;

    /// Hands over the next frame in presentation order. The encoder keeps a reference to the picture as long
    /// as it needs it.
    ///
    /// # Errors
    /// [`EncoderError::Settings`] for options that contradict the settings of the encode: the frame was not
    /// taken, and the encode goes on. [`EncoderError::Malfunction`] when the library fails; the encode must
    /// not be used any more then.
    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<(), EncoderError>;

    /// Changes the constant quality of frames that are not coded yet, on the encoder's own scale. It returns
    /// false, and changes nothing, if the encoder cannot do that in a running encode or runs by bit rate.
    #[doc(alias = "kVTCompressionPropertyKey_Quality")]
    fn set_quality(&mut self, quality: f64) -> bool {
        let _ = quality;
        false
    }

    /// Changes a running encode for frames that are not sent yet. It returns false, and changes nothing, if
    /// the encoder cannot do all of it.
    ///
    /// # Errors
    /// [`EncoderError::Settings`] for a value that the encoder does not take; nothing has changed then
    /// either.
    fn reconfigure(&mut self, change: &Reconfiguration) -> Result<bool, EncoderError> {
        Ok(*change == Reconfiguration::default())
    }

    /// Offers what an encode of the same frames has kept ([`Encoder::data`]), before the first frame is sent.
    /// An encoder ignores what it has no use for, such as data of another version, and must find out by
    /// itself whether the frames that come are those that the data is about, as far as that matters to it:
    /// the caller only promises equal pictures. It changes no byte of any sample.
    fn offer(&mut self, data: &EncoderData) {
        let _ = data;
    }

    /// Returns what this encode has found out about its frames and a later encode of them with another
    /// quality can use. There is something at the end of the encode at the earliest, once, and not where it
    /// used what it was offered.
    fn data(&mut self) -> Option<EncoderData> {
        None
    }

    /// Declares that no more frames follow. Repeating it does nothing.
    ///
    /// # Errors
    /// It fails as [`Encoder::send`] does.
    fn finish(&mut self) -> Result<(), EncoderError>;

    /// Returns the next output that is ready: a sample, a reconstructed picture, [`Output::Pending`] (more
    /// frames must be sent first), or [`Output::End`] (after [`Encoder::finish`], when everything is out).
    ///
    /// # Errors
    /// It fails as [`Encoder::send`] does.
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

    fn offer(&mut self, data: &EncoderData) {
        (**self).offer(data);
    }

    fn data(&mut self) -> Option<EncoderData> {
        (**self).data()
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        (**self).finish()
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        (**self).receive()
    }
}
