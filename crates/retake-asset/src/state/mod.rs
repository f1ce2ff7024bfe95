//! The content of a writer's one lock: everything that decides what a call does, and nothing else. Tracks are
//! numbers here. There is no handle, no code of clients, no encoder and no file: what has to be done outside
//! is collected as [`Effect`]s, so that all of it can be driven by a test, one call after the other.
//!
//! Who changes a writer's state is read here: its life in `lifecycle`, what media comes in `intake`, passes
//! and their tasks in `tasks`, and who hears of readiness in `readiness`.

pub(crate) mod associations;
pub(crate) mod clock;
pub(crate) mod effects;
pub(crate) mod intake;
pub(crate) mod interleave;
mod lifecycle;
pub(crate) mod passes;
pub(crate) mod phase;
pub(crate) mod readiness;
mod setup;
mod tasks;
#[cfg(test)]
mod tests;
pub(crate) mod timeline;
pub(crate) mod track;

pub(crate) use lifecycle::{Ending, StoreStep};
pub(crate) use setup::{GroupMember, can_hold};
pub(crate) use tasks::CurrentPass;

use crate::types::media::{MediaSample, MediaType};
use crate::types::options::WriterOptions;
use crate::types::segment::SegmentProfile;
use associations::Association;
use effects::Effect;
use interleave::Interleaver;
use phase::Phase;
use retake_libav::Container;
use retake_media::Time;
use std::path::PathBuf;
use track::{TrackId, TrackState};

/// How long segments are where nobody says.
const USUAL_SEGMENT: Time = Time::new(6, 1);

/// What of the source's time is in the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    None,
    Started { start: Time },
    Ended { start: Time, end: Time },
}

/// What is to be written.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) container: Container,
    /// Only a name for messages when segments go to a delegate.
    pub(crate) file: PathBuf,
    pub(crate) segments: Option<SegmentProfile>,
}

/// All state of a writer.
#[derive(Debug)]
pub(crate) struct WriterState {
    phase: Phase,
    destination: Destination,
    options: WriterOptions,
    /// What could not be kept.
    notes: Vec<String>,
    session: Session,
    tracks: Vec<TrackState>,
    groups: Vec<Vec<TrackId>>,
    associations: Vec<Association>,
    interleaver: Interleaver,
    /// The next sample of the track that decides begins a segment.
    segment_ends: bool,
    effects: Vec<Effect>,
}

impl WriterState {
    pub(crate) fn new(destination: Destination) -> Self {
        Self {
            phase: Phase::Idle,
            destination,
            options: WriterOptions::default(),
            notes: Vec::new(),
            session: Session::None,
            tracks: Vec::new(),
            groups: Vec::new(),
            associations: Vec::new(),
            interleaver: Interleaver::default(),
            segment_ends: false,
            effects: Vec::new(),
        }
    }

    pub(crate) fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Whether it can be set up.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    pub(crate) fn destination(&self) -> &Destination {
        &self.destination
    }

    pub(crate) fn options(&self) -> &WriterOptions {
        &self.options
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(crate) fn session(&self) -> Session {
        self.session
    }

    pub(crate) fn track(&self, id: TrackId) -> &TrackState {
        &self.tracks[id.index()]
    }

    pub(crate) fn track_ids(&self) -> impl Iterator<Item = TrackId> + use<> {
        (0..self.tracks.len()).map(TrackId::new)
    }

    pub(crate) fn groups(&self) -> &[Vec<TrackId>] {
        &self.groups
    }

    pub(crate) fn associations(&self) -> &[Association] {
        &self.associations
    }

    /// What waits of a track: its clock has to express the times.
    pub(crate) fn waiting(&self, id: TrackId) -> impl Iterator<Item = &MediaSample> {
        self.interleaver.waiting(id.index())
    }

    /// What has to be done now, in this order.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The track whose sync samples begin segments: video, if there is one.
    pub(crate) fn deciding_track(&self) -> TrackId {
        let video = |track: &TrackState| track.setup.media_type == MediaType::Video;
        TrackId::new(self.tracks.iter().position(video).unwrap_or(0))
    }

    /// The distance of the boundaries of segments, and where the first segment begins; the session's start if
    /// nothing is said. None where the client ends segments, or there are none.
    pub(crate) fn segment_boundaries(&self) -> Option<(Time, Option<Time>)> {
        match self.options.preferred_output_segment_interval {
            _ if self.destination.segments.is_none() => None,
            None => Some((USUAL_SEGMENT, None)),
            Some(interval) if interval == Time::INDEFINITE => None,
            Some(interval) => Some((interval, self.options.initial_segment_start_time)),
        }
    }
}
