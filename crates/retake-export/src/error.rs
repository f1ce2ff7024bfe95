use retake_asset::WriterError;
use retake_compression::encoder::EncoderError;
use retake_compression::units::FrameRange;
use retake_libav::MediaError;
use retake_quality::QualityError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why an export did not come to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The request contradicts itself or cannot be met. The user's to mend.
    #[error("{0}")]
    Request(String),
    /// The source, the output container, or FFmpeg's libraries.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// An encoder.
    #[error("{range}: {source}")]
    Encoder {
        /// The frames of the take.
        range: FrameRange,
        /// What the encoder said.
        source: EncoderError,
    },
    /// A metric.
    #[error("{range}: {source}")]
    Quality {
        /// The frames of the take.
        range: FrameRange,
        /// What the metric said.
        source: QualityError,
    },
    /// The asset writer.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// A file of the job could not be read or written.
    #[error("{path}: {doing}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A stored take is not what was written, or does not decode to what was scored: a defect of disk, memory or an encoder.
    #[error("{path}: a stored take is damaged ({source}): run the same command again to encode it anew")]
    DamagedTake {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The finished film is not what was encoded: a defect in an encoder, a container library or memory. Nothing was put in place.
    #[error(
        "the written film failed verification: {0}; the job folder keeps all takes: run the same command again"
    )]
    Verification(String),
    /// The user stopped it. All finished takes are kept.
    #[error("stopped; all finished takes are kept: run the same command again to carry on")]
    Stopped,
    /// An invariant of this crate is broken.
    #[error("internal error: {0}")]
    Internal(String),
}

impl ExportError {
    pub(crate) fn file(path: impl Into<PathBuf>, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, doing, source }
    }
}
