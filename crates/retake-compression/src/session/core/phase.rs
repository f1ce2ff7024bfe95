use super::queue::Request;
use crate::session::SessionError;

/// Where a session is in its life.
///
/// ```text
///              opened            drain            failed
///  Configured ───────► Encoding ◄──────► Draining ───────► Failed
///       │                  │      ended      │               │
///       └──────────────────┴────────┬────────┴───────────────┘
///                                   ▼ invalidated
///                                Invalid
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::session) enum Phase {
    /// No encode was opened: every property can be set.
    Configured,
    /// The first encode was opened: properties that are decided by the first frame are frozen.
    Encoding,
    /// Everything that is inside the encoder is being put out, for the request if there is one. No other
    /// command is given meanwhile.
    Draining(Option<Request>),
    /// The encoder or the session failed.
    Failed(SessionError),
    /// The session was invalidated. Frames that were pending are told why it failed if it had, because their
    /// outcome must not depend on how fast the client went on to its end.
    Invalid { failure: Option<SessionError> },
}

impl Phase {
    /// Why nothing more can be asked of the session.
    pub(in crate::session) fn dead(&self) -> Result<(), SessionError> {
        match self {
            Self::Invalid { .. } => Err(SessionError::Invalidated),
            Self::Failed(error) => Err(error.clone()),
            Self::Configured | Self::Encoding | Self::Draining(_) => Ok(()),
        }
    }

    /// Why an accepted frame has no sample: what ended the session first.
    pub(super) fn outcome(&self) -> Result<(), SessionError> {
        match self {
            Self::Invalid { failure: Some(error) } => Err(error.clone()),
            _ => self.dead(),
        }
    }

    /// What ended the session before it was invalidated.
    pub(super) fn failure(&self) -> Option<SessionError> {
        match self {
            Self::Failed(error) => Some(error.clone()),
            Self::Invalid { failure } => failure.clone(),
            Self::Configured | Self::Encoding | Self::Draining(_) => None,
        }
    }

    /// Whether properties that are decided by the first frame are decided (CS-5).
    pub(super) fn is_frozen(&self) -> bool {
        *self != Self::Configured
    }
}
