use super::EncodedOutcome;
use crate::encoder::FrameOptions;
use retake_media::{PixelBuffer, Time};

/// A frame of a source, as a session takes it.
///
/// ```
/// # use retake_compression::session::SourceFrame;
/// # use retake_media::{PixelBufferPool, PixelFormat, Time};
/// let picture = PixelBufferPool::new(PixelFormat::I420, 64, 64).take().freeze();
/// let frame = SourceFrame::new(&picture, Time::new(3, 25)).duration(Time::new(1, 25));
/// assert_eq!(frame.duration, Some(Time::new(1, 25)));
/// ```
#[derive(Debug, Clone)]
pub struct SourceFrame {
    /// Its picture.
    pub picture: PixelBuffer,
    /// When it is shown, in the time of the whole source (PA-5).
    pub pts: Time,
    /// How long it is shown; `None` where that is not known.
    pub duration: Option<Time>,
    /// What is wished for it.
    pub options: FrameOptions,
}

impl SourceFrame {
    /// A frame that is shown from this time on, and of which nothing else is said. It keeps a reference to
    /// the picture.
    pub fn new(picture: &PixelBuffer, pts: Time) -> Self {
        Self { picture: picture.clone(), pts, duration: None, options: FrameOptions::default() }
    }

    /// How long it is shown.
    pub fn duration(mut self, duration: impl Into<Option<Time>>) -> Self {
        self.duration = duration.into();
        self
    }

    /// What is wished for it.
    pub fn options(mut self, options: FrameOptions) -> Self {
        self.options = options;
        self
    }
}

/// What is called with the outcome of one frame, as its token: see
/// [`SessionHandle::encode_with`](super::SessionHandle::encode_with), which alone makes it.
#[doc(alias = "VTCompressionOutputHandler")]
pub struct OutputHandler(Box<dyn FnOnce(EncodedOutcome) + Send>);

impl OutputHandler {
    pub(super) fn new(handler: impl FnOnce(EncodedOutcome) + Send + 'static) -> Self {
        Self(Box::new(handler))
    }

    /// Gives the frame's outcome to the handler that it brought.
    pub(super) fn call(outcome: EncodedOutcome<Self>) {
        let EncodedOutcome { token: Self(handler), pts, result } = outcome;
        handler(EncodedOutcome { token: (), pts, result });
    }
}
