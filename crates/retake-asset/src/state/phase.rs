//! Where a writer is in its life (section 16.1).

use crate::types::error::{Mistake, UsageError, WriterError};
use crate::types::status::WriterStatus;

/// One value for the whole life of a writer, so that no two of these can be true at once.
#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// It is being set up.
    Idle,
    /// Its encoders are being opened. Clients still see a writer that is not started.
    Starting,
    /// Media is taken.
    Writing,
    /// The client brings no more: what waits, and what encoders hold, is being stored.
    Finishing,
    /// The client wants no film: what was written is being removed.
    Cancelling,
    /// It is certain that there will be no film: what was written is being removed. Clients see a writer that
    /// has failed already, so that who is refused a sample finds out why.
    Failing {
        /// Why.
        error: WriterError,
        /// Whether the client has brought all before, or since.
        finishing: bool,
    },
    /// The film is in its place.
    Completed,
    /// There is no film, because of this.
    Failed(WriterError),
    /// There is no film, because the client wanted none.
    Cancelled,
}

impl Phase {
    /// The status that clients see.
    pub(crate) fn status(&self) -> WriterStatus {
        match self {
            Self::Idle | Self::Starting => WriterStatus::Unknown,
            Self::Writing | Self::Finishing | Self::Cancelling => WriterStatus::Writing,
            Self::Failing { .. } | Self::Failed(_) => WriterStatus::Failed,
            Self::Completed => WriterStatus::Completed,
            Self::Cancelled => WriterStatus::Cancelled,
        }
    }

    /// Why it failed, or is about to.
    pub(crate) fn error(&self) -> Option<&WriterError> {
        match self {
            Self::Failing { error, .. } | Self::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Whether it has started, whatever became of it.
    pub(crate) fn has_started(&self) -> bool {
        !matches!(self, Self::Idle | Self::Starting)
    }

    /// Whether nothing changes any more.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed(_) | Self::Cancelled)
    }

    /// Whether it has started and is not over, whatever will become of it.
    pub(crate) fn is_running(&self) -> bool {
        self.has_started() && !self.is_over()
    }

    /// Whether clients can bring media.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Writing)
    }

    /// Whether samples of encoders are still of use, which is longer than those of clients.
    pub(crate) fn takes_encoded(&self) -> bool {
        matches!(self, Self::Writing | Self::Finishing)
    }

    /// Whether the client has said that it brings no more.
    pub(crate) fn is_finishing(&self) -> bool {
        matches!(self, Self::Finishing | Self::Failing { finishing: true, .. })
    }

    /// The refusal of a call that needs another status.
    pub(crate) fn wrong_status(&self, call: &'static str, wants: &'static str) -> UsageError {
        let mistake = match self {
            _ if self.is_finishing() => Mistake::Finishing,
            // a client may not have looked yet, and is told what it would see
            _ => Mistake::Status { is: self.status(), wants },
        };
        UsageError { call, mistake }
    }
}
