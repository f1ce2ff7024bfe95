//! This module is the contract between inputs and encoders.

use crate::types::error::WriterError;
use crate::types::media::MediaSample;
use retake_libav::{Container, TrackFormat};
use retake_media::{PixelBuffer, PixelBufferAttributes, Time, TimeRange};
use std::path::PathBuf;
use std::sync::Arc;

/// An input encodes with this: pictures, sound as interleaved samples of all channels, captions, or groups of
/// metadata. The asset writer
/// knows encoders by this trait alone.
///
/// It is called from one thread at a time, in this order: [`open`](Self::open); for each pass
/// [`encode`](Self::encode) for all media of the pass and [`end_pass`](Self::end_pass), which may ask for
/// another pass; at last [`finish`](Self::finish), which may also come in the middle of a pass. After each of
/// these, [`next_sample`](Self::next_sample) fetches samples. An error ends the writer. The encoder is
/// dropped when the writer has ended, before clients are told.
pub trait InputEncoder<M: ?Sized = PixelBuffer>: Send {
    /// Returns the format of the samples, as far as it is known before the encoder is opened, so that a
    /// writer can refuse an input that its container cannot hold. Default: `None`.
    fn expected_format(&self) -> Option<TrackFormat> {
        None
    }

    /// Prepares the encoder, and returns the format of its samples.
    ///
    /// # Errors
    /// [`WriterError::NoEncoder`], [`WriterError::BadSettings`], and any other error that keeps it from
    /// encoding.
    fn open(&mut self, setup: &EncoderSetup) -> Result<OpenedEncoder, WriterError>;

    /// Returns which pictures an open encoder takes as they are: the formats, the preferred one first, and
    /// the size. Adaptors reconcile their pools with it. Default: `None`, for encoders that do not care, and
    /// of sound.
    fn picture_attributes(&self) -> Option<PixelBufferAttributes> {
        None
    }

    /// Takes the next picture, or the next stretch of sound. It waits while it has no room; that must be
    /// bounded by the time it takes to encode the media that it holds. In later passes the same pictures come
    /// as in the first, those of the ranges and no others.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`].
    fn encode(&mut self, media: &M, pts: Time) -> Result<(), WriterError>;

    /// Returns the next sample in decode order, if one is ready. With several passes none is ready before
    /// [`finish`](Self::finish); then the newest versions of all frames come.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`]; [`WriterError::Io`] if samples were kept in a file.
    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError>;

    /// Ends the pass: encodes the media that it holds, and returns the ranges that it wants again (ascending,
    /// apart, in the source's time, and at least one), or `None` if it is satisfied. If it wants a pass, that
    /// has begun. Only encoders that announced several passes are called.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`].
    fn end_pass(&mut self) -> Result<Option<Vec<TimeRange>>, WriterError> {
        Ok(None)
    }

    /// Encodes the media that it holds, because no more follows.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`].
    fn finish(&mut self) -> Result<(), WriterError>;
}

/// An encoder gets this before anything else.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EncoderSetup {
    /// True if several passes are wanted.
    pub multi_pass: bool,
    /// True if pictures come in real time.
    pub real_time: bool,
    /// The folder of files between passes; `None` leaves the choice to the system.
    pub directory_for_temporary_files: Option<PathBuf>,
    /// The kind of file that the samples go to, on which the form of texts depends.
    pub container: Option<Container>,
    /// The boundaries at which segments must begin, if there are any: their distance, and the place of the
    /// one before the first. Without a place, that is the first picture. The first picture at or after each
    /// boundary must become a sync sample (SG-3).
    pub segments: Option<(Time, Option<Time>)>,
}

/// An encoder describes itself by this.
#[derive(Clone)]
pub struct OpenedEncoder {
    /// The format of its samples. If it is known only when samples come, the first sample's format counts.
    pub format: TrackFormat,
    /// True if it will take several passes.
    pub multiple_passes: bool,
    /// The writer calls this from another thread. It must make all running and later calls return soon, with
    /// an error.
    pub interrupt: Arc<dyn Fn() + Send + Sync>,
}
