//! This module defines the errors of encodes in parts: each says which frames it struck, because several
//! parts run at once.

use super::join::JoinError;
use super::source::SourceError;
use super::worker_pool::JobError;
use crate::multi_pass::MultiPassError;
use crate::session::SessionError;
use crate::silo::SiloError;
use crate::storage::StorageError;
use crate::units::FrameRange;
use retake_media::codes;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// An error of an encode in parts.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ParallelError {
    /// A session refused or failed.
    #[error("{range}: {source}")]
    Session {
        /// The frames of its part.
        range: FrameRange,
        /// The error of the session.
        source: SessionError,
    },
    /// A part's samples could not be kept.
    #[error("{range}: {source}")]
    Silo {
        /// The frames of its part.
        range: FrameRange,
        /// The error of the silo.
        source: Arc<SiloError>,
    },
    /// The findings of a part's passes could not be stored.
    #[error("{range}: {source}")]
    Storage {
        /// The frames of its part.
        range: FrameRange,
        /// The error of the storage.
        source: Arc<StorageError>,
    },
    /// Frames could not be read.
    #[error("{range}: {source}")]
    Source {
        /// The frames of its part.
        range: FrameRange,
        /// The error of the source.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The source delivered another number of frames than it announced.
    #[error("{range}: the source gave {given} frames")]
    Frames {
        /// The requested frames.
        range: FrameRange,
        /// The number of frames that came.
        given: u64,
    },
    /// The source has no frames.
    #[error("the source has no frames")]
    NoFrames,
    /// The parts do not make one film.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The folder for files cannot be used.
    #[error("{path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The error of the system.
        source: Arc<std::io::Error>,
    },
    /// The client asked to stop, or another part failed.
    #[error("stopped")]
    Stopped,
    /// A defect of this crate; please report it.
    #[error("the encode in parts failed: {0}")]
    Broken(String),
}

impl ParallelError {
    /// Returns the stable number of the error (section 15 of the contract).
    pub fn code(&self) -> i32 {
        match self {
            Self::Session { source, .. } => source.code(),
            Self::Silo { source, .. } => source.code(),
            Self::Storage { source, .. } => source.code(),
            Self::NoFrames => codes::PARAMETER,
            Self::Stopped => codes::INVALID_SESSION,
            Self::Folder { .. } => codes::ALLOCATION_FAILED,
            Self::Source { .. } | Self::Frames { .. } | Self::Join(_) => codes::VIDEO_ENCODER_MALFUNCTION,
            Self::Broken(_) => codes::SESSION_MALFUNCTION,
        }
    }

    pub(super) fn session(range: FrameRange) -> impl Fn(SessionError) -> Self {
        move |source| match source {
            // only the worker pool invalidates these sessions, so the error is a consequence of another
            SessionError::Invalidated => Self::Stopped,
            source => Self::Session { range, source },
        }
    }

    pub(super) fn silo(range: FrameRange) -> impl Fn(SiloError) -> Self {
        move |source| Self::Silo { range, source: Arc::new(source) }
    }

    pub(super) fn encode(range: FrameRange) -> impl Fn(MultiPassError) -> Self {
        move |error| match error {
            MultiPassError::Session(source) => Self::session(range)(source),
            MultiPassError::Silo(source) => Self::silo(range)(source),
            MultiPassError::Storage(source) => Self::Storage { range, source: Arc::new(source) },
        }
    }

    pub(super) fn source(range: FrameRange) -> impl Fn(SourceError) -> Self {
        move |source| Self::Source { range, source: source.into() }
    }
}

impl JobError for ParallelError {
    fn broken(what: String) -> Self {
        Self::Broken(what)
    }

    fn is_consequence(&self) -> bool {
        matches!(self, Self::Stopped)
    }
}
