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
    /// The session was invalidated.
    Invalid,
}

impl Phase {
    /// Why nothing more can be asked of the session.
    pub(in crate::session) fn dead(&self) -> Result<(), SessionError> {
        match self {
            Self::Invalid => Err(SessionError::Invalidated),
            Self::Failed(error) => Err(error.clone()),
            Self::Configured | Self::Encoding | Self::Draining(_) => Ok(()),
        }
    }

    /// Whether properties that are decided by the first frame are decided (CS-5).
    pub(super) fn is_frozen(&self) -> bool {
        *self != Self::Configured
    }
}
