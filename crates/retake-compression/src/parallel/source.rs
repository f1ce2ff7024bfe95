use crate::session::SourceFrame;
use crate::units::FrameRange;
use retake_media::Time;

/// A source fails with its own error, which sessions pass on as it is.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A source supplies frames by exact ranges, to several threads at once, and repeatedly: every reading of a
/// frame must give equal pixels and times.
pub trait FrameSource: Sync {
    /// Returns the number of frames.
    fn frame_count(&self) -> u64;

    /// Returns the duration of all frames together, or `None` (the default) if it is not known.
    /// Only a [subdivision](super::Subdivision) with a shortest duration needs it.
    fn duration(&self) -> Option<Time> {
        None
    }

    /// Reads exactly these frames, in presentation order.
    ///
    /// # Errors
    /// Returns the source's own error.
    fn open(&self, range: FrameRange) -> Result<FrameReading<'_>, SourceError>;
}

/// Iterates over the frames of a range in presentation order.
pub type FrameReading<'a> = Box<dyn Iterator<Item = Result<SourceFrame, SourceError>> + 'a>;
