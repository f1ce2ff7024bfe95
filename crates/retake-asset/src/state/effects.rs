//! What has to be done because the state has changed: it is collected while the state changes, and done when
//! it is free for others again, because it may run code of clients.

use super::track::TrackId;
use crate::types::error::WriterError;
use crate::types::pass::PassDescription;

/// Something to be done outside of the state.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// Code of a client has to be called.
    Call(Call),
    /// Futures that wait for something of this track have to be woken.
    Wake(TrackId, Awaited),
    /// This track has tasks to do, and nobody does them yet.
    Spawn(TrackId),
    /// Whoever asked the writer to finish has to be told how it ended.
    Complete(Result<(), WriterError>),
}

/// What of a client is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// The request for media data of a track that has this number, in its queue.
    Request(TrackId, u64),
    /// Whoever hears of the passes of a track: of this one, or that there is none any more; in its queue.
    Pass(TrackId, Option<PassDescription>),
    /// The observers of something about a track.
    Observers(TrackId, Observable),
}

/// What of a track can be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Observable {
    /// Whether it is ready.
    Readiness,
    /// Whether several passes can be had.
    MultiplePasses,
    /// What the current pass asks for.
    Pass,
}

impl Observable {
    pub(crate) const ALL: [Self; 3] = [Self::Readiness, Self::MultiplePasses, Self::Pass];
}

/// What observers hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observation {
    Flag(bool),
    Pass(Option<PassDescription>),
}

/// What futures wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// That appending is worth another attempt.
    Readiness,
    /// That it is decided what the next pass is.
    Pass,
}
