use crate::error::WriterError;
use crate::media::MediaSample;
use retake_libav::TrackFormat;
use retake_media::{PixelBuffer, Time, TimeRange};
use std::path::PathBuf;
use std::sync::Arc;

/// What an input encodes pictures with. The asset writer knows encoders by this trait alone.
///
/// It is called from one thread at a time, in this order: [`open`](Self::open); for each pass [`encode`](Self::encode) for every picture of it and
/// [`end_pass`](Self::end_pass), which may ask for another; at last [`finish`](Self::finish). Samples are fetched by
/// [`next_sample`](Self::next_sample) after each of these. An error ends the writer.
pub trait InputEncoder: Send {
    /// Makes everything ready for the first picture. Says what will come out.
    ///
    /// # Errors
    /// [`WriterError::NoEncoder`], [`WriterError::BadSettings`], and whatever else keeps it from encoding.
    fn open(&mut self, setup: &EncoderSetup) -> Result<OpenedEncoder, WriterError>;

    /// Takes the next picture. Waits while it has no room, which is bounded by the time it takes to encode what it holds.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`].
    fn encode(&mut self, picture: &PixelBuffer, pts: Time) -> Result<(), WriterError>;

    /// The next sample in decode order, if there is one now. With several passes there is none before [`finish`](Self::finish): then come the newest
    /// versions of all frames.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`], [`WriterError::Io`] where samples were kept.
    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError>;

    /// All pictures of this pass came: encodes what it holds, and says which ranges it wants again: ascending, apart, in the source's time, and
    /// at least one; or that it is satisfied. The next pass has begun when it wants one.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`].
    fn end_pass(&mut self) -> Result<Option<Vec<TimeRange>>, WriterError>;

    /// No picture comes any more: encodes what it holds.
    ///
    /// # Errors
    /// [`WriterError::EncodeFailed`].
    fn finish(&mut self) -> Result<(), WriterError>;
}

/// What an encoder is told before the first picture.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EncoderSetup {
    /// Whether several passes are wanted.
    pub multi_pass: bool,
    /// Whether pictures come in real time.
    pub real_time: bool,
    /// Where to keep files between passes; the system's choice if nothing.
    pub directory_for_temporary_files: Option<PathBuf>,
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
