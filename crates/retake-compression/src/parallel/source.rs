use crate::session::SourceFrame;
use crate::units::FrameRange;
use retake_media::Time;

/// Whatever a source says went wrong.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A supply of frames that can be read by exact ranges, from several threads at once, and again: every
/// reading of a frame gives equal pixels and times.
pub trait FrameSource: Sync {
    /// How many frames there are.
    fn frame_count(&self) -> u64;

    /// How long they are shown altogether; [`Time::INVALID`] where that is not known. Only parts with a
    /// shortest duration ask for it.
    fn duration(&self) -> Time {
        Time::INVALID
    }

    /// Reads exactly these frames, in presentation order.
    ///
    /// # Errors
    /// The source's own.
    fn open(&self, range: FrameRange) -> Result<FrameReading<'_>, SourceError>;
}

/// Frames of a range, one after the other.
pub type FrameReading<'a> = Box<dyn Iterator<Item = Result<SourceFrame, SourceError>> + 'a>;
