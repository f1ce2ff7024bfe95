use crate::types::error::WriterError;
use crate::types::media::MediaSample;
use retake_libav::TrackFormat;
use retake_media::{PixelBuffer, Time, TimeRange};
use std::path::PathBuf;
use std::sync::Arc;

/// What an input encodes with: pictures, or sound as interleaved samples of all channels. The asset writer
/// knows encoders by this trait alone.
///
/// It is called from one thread at a time, in this order: [`open`](Self::open); for each pass
/// [`encode`](Self::encode) for all that comes in it and [`end_pass`](Self::end_pass), which may ask for
/// another; at last [`finish`](Self::finish), in the middle of a pass too. Samples are fetched by
/// [`next_sample`](Self::next_sample) after each of these. An error ends the writer. It is dropped when the
/// writer has ended, before anybody is told.
pub trait InputEncoder<M: ?Sized = PixelBuffer>: Send {
    /// What will come out, as far as that is known before it is opened: a writer then refuses an input that
    /// its container cannot hold.
    fn expected_format(&self) -> Option<TrackFormat> {
        None
    }

    /// Makes everything ready for what comes first. Says what will come out.
    ///
    /// # Errors
    /// [`WriterError::NoEncoder`], [`WriterError::BadSettings`], and whatever else keeps it from encoding.
    fn open(&mut self, setup: &EncoderSetup) -> Result<OpenedEncoder, WriterError>;

    /// Takes the next picture, or the next stretch of sound. Waits while it has no room, which is bounded by
    /// the time it takes to encode what it holds. In later passes come the same pictures as in the first,
    /// those of the ranges and no others.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`].
    fn encode(&mut self, media: &M, pts: Time) -> Result<(), WriterError>;

    /// The next sample in decode order, if there is one now. With several passes there is none before
    /// [`finish`](Self::finish): then come the newest versions of all frames.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`], [`WriterError::Io`] where samples were kept.
    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError>;

    /// All of this pass came: encodes what it holds, and says which ranges it wants again: ascending, apart,
    /// in the source's time, and at least one; or that it is satisfied. The next pass has begun when it wants
    /// one. Called of encoders alone that said they take several passes.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`].
    fn end_pass(&mut self) -> Result<Option<Vec<TimeRange>>, WriterError> {
        Ok(None)
    }

    /// Nothing comes any more: encodes what it holds.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`].
    fn finish(&mut self) -> Result<(), WriterError>;
}

/// What an encoder is told before anything else.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EncoderSetup {
    /// Whether several passes are wanted.
    pub multi_pass: bool,
    /// Whether pictures come in real time.
    pub real_time: bool,
    /// Where to keep files between passes; the system's choice if nothing.
    pub directory_for_temporary_files: Option<PathBuf>,
    /// Where segments have to begin, if they have to: the distance of boundaries, and the place of the one
    /// before the first; that is the first picture if nothing is said. The first picture at or after each
    /// boundary is to become a sync sample (SG-3).
    pub segments: Option<(Time, Option<Time>)>,
}

/// What an encoder says of itself.
#[derive(Clone)]
pub struct OpenedEncoder {
    /// What a decoder has to know; where that is known only when samples come, the first one says it better.
    pub format: TrackFormat,
    /// Whether it will take several passes.
    pub multiple_passes: bool,
    /// Called from another thread, it makes all calls that run and that come return soon, with an error.
    pub interrupt: Arc<dyn Fn() + Send + Sync>,
}
