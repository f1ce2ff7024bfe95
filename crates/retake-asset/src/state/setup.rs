//! What can be set up until a writer starts: options, tracks, groups.

use super::WriterState;
use super::phase::Phase;
use super::track::{TrackId, TrackSetup, TrackState};
use crate::types::error::{Mistake, UsageError};
use crate::types::media::MediaType;
use crate::types::options::WriterOptions;
use crate::types::segment::SegmentProfile;
use crate::types::status::WriterStatus;
use retake_libav::{Container, TrackFormat};

/// An input that is to be in a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupMember {
    /// None for one that is not of this writer.
    pub(crate) id: Option<TrackId>,
    pub(crate) media_type: MediaType,
}

/// Whether a container takes a track of this format.
pub(crate) fn can_hold(container: Container, format: &TrackFormat) -> bool {
    container.can_hold_track(format)
}

impl WriterState {
    /// Refuses what has to be done before the writer starts.
    pub(super) fn require_idle(&self, call: &'static str) -> Result<(), UsageError> {
        match self.phase {
            Phase::Idle => Ok(()),
            // its encoders are being opened: a track that came now would be left out
            Phase::Starting => {
                let mistake = Mistake::Status { is: WriterStatus::Writing, wants: "not started" };
                Err(UsageError { call, mistake })
            }
            _ => Err(self.phase.wrong_status(call, "not started")),
        }
    }

    /// Takes options that were checked.
    pub(crate) fn configure(&mut self, call: &'static str, options: WriterOptions) -> Result<(), UsageError> {
        self.require_idle(call)?;
        self.options = options;
        Ok(())
    }

    /// Changes what is set up of a track.
    pub(crate) fn configure_track(
        &mut self,
        call: &'static str,
        id: TrackId,
        change: impl FnOnce(&mut TrackSetup) -> Result<(), Mistake>,
    ) -> Result<(), UsageError> {
        self.require_idle(call)?;
        change(&mut self.tracks[id.index()].setup).map_err(|mistake| UsageError { call, mistake })
    }

    /// Why a track cannot be added, whatever the status.
    pub(crate) fn refuses_track(&self, setup: &TrackSetup) -> Option<Mistake> {
        let same = |track: &TrackState| track.setup.media_type == setup.media_type;
        match self.destination.segments {
            Some(SegmentProfile::Cmaf) if !self.tracks.is_empty() => {
                return Some(Mistake::CannotAdd("each stream of this profile has one track"));
            }
            Some(SegmentProfile::AppleHls) if self.tracks.iter().any(same) => {
                return Some(Mistake::CannotAdd("segments hold one track of each media type"));
            }
            _ => {}
        }
        let av = matches!(setup.media_type, MediaType::Video | MediaType::Audio);
        if self.destination.segments.is_some() && !av {
            return Some(Mistake::CannotAdd("segments hold pictures and sound alone"));
        }
        if !self.destination.container.is_iso() {
            match setup.media_type {
                MediaType::Timecode | MediaType::Metadata => {
                    return Some(Mistake::CannotAdd(
                        "Matroska has no tracks of timecodes or timed metadata: write an .mov or .mp4 file",
                    ));
                }
                MediaType::ClosedCaption => {
                    return Some(Mistake::CannotAdd(
                        "Matroska has no tracks of closed captions: write an .mov file, or attach them to pictures",
                    ));
                }
                MediaType::Text if self.tracks.iter().any(same) => {
                    return Some(Mistake::CannotAdd(
                        "Matroska has one list of chapters, which one input names",
                    ));
                }
                _ => {}
            }
        }
        if setup.is_unhinted() && self.destination.container != Container::Mov {
            return Some(Mistake::CannotAdd(
                "outside QuickTime movies samples need a format hint: use AssetWriterInput::passthrough",
            ));
        }
        match &setup.format {
            Some(format) if !can_hold(self.destination.container, format) => {
                Some(Mistake::CannotAdd("the container cannot hold its coding format"))
            }
            _ => None,
        }
    }

    /// Adds a track, unless its input is `attached` to a writer already.
    pub(crate) fn add_track(
        &mut self,
        call: &'static str,
        setup: &TrackSetup,
        attached: bool,
    ) -> Result<TrackId, UsageError> {
        self.require_idle(call)?;
        let mistake = if attached { Some(Mistake::Attached) } else { self.refuses_track(setup) };
        if let Some(mistake) = mistake {
            return Err(UsageError { call, mistake });
        }
        self.tracks.push(TrackState::new(setup.clone()));
        Ok(TrackId::new(self.tracks.len() - 1))
    }

    /// Why tracks cannot be alternatives of each other, whatever the status.
    pub(crate) fn refuses_group(&self, members: &[GroupMember]) -> Option<Mistake> {
        let grouped = |member: &GroupMember| member.id.is_some_and(|id| self.track(id).setup.grouped);
        match members {
            _ if !self.destination.container.is_iso() || self.destination.segments.is_some() => {
                Some(Mistake::CannotAdd("the container has no groups of tracks"))
            }
            [first, others @ ..] if others.iter().any(|member| member.media_type != first.media_type) => {
                Some(Mistake::CannotAdd("the inputs of a group are of one media type"))
            }
            _ if members.iter().any(|member| member.id.is_none()) => Some(Mistake::NotAttached),
            _ if members.iter().any(grouped) => Some(Mistake::CannotAdd("an input is in one group only")),
            _ => None,
        }
    }

    /// Makes tracks alternatives of each other: the one with this index among the members is enabled, and no
    /// other.
    pub(crate) fn add_group(
        &mut self,
        call: &'static str,
        members: &[GroupMember],
        default: Option<usize>,
    ) -> Result<(), UsageError> {
        self.require_idle(call)?;
        if let Some(mistake) = self.refuses_group(members) {
            return Err(UsageError { call, mistake });
        }
        let ids: Vec<TrackId> = members.iter().filter_map(|member| member.id).collect();
        for (index, id) in ids.iter().enumerate() {
            let setup = &mut self.tracks[id.index()].setup;
            setup.grouped = true;
            setup.options.enabled = default == Some(index);
        }
        self.groups.push(ids);
        Ok(())
    }
}
