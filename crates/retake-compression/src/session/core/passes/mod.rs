//! What a session of several passes knows of its source, and what it makes of it.

mod frames;
mod goal;
mod limits;
mod record;
mod shared;
mod state;
mod units;

#[cfg(test)]
mod replay;
#[cfg(test)]
mod tests;

pub(in crate::session) use goal::PassGoal;
pub(in crate::session) use record::{Earlier, PassPlan, STATE};
pub(in crate::session) use shared::{PartRecord, plan as plan_parts};
pub(in crate::session) use state::{PassEnd, PassKind, Passes};

use crate::encoder::FrameOptions;
use crate::session::SessionError;
use retake_media::Time;

/// Where the passes of a session are.
#[derive(Debug)]
pub(super) enum PassSlot {
    /// The session has no storage, and makes no passes.
    None,
    Here(Box<Passes>),
    /// They were taken out, and the next one is being planned.
    Away,
}

impl PassSlot {
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn get(&self) -> Option<&Passes> {
        match self {
            Self::Here(passes) => Some(passes),
            Self::None | Self::Away => None,
        }
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut Passes> {
        match self {
            Self::Here(passes) => Some(passes),
            Self::None | Self::Away => None,
        }
    }

    pub(super) fn set(&mut self, passes: Option<Passes>) {
        *self = passes.map_or(Self::None, |passes| Self::Here(Box::new(passes)));
    }

    pub(super) fn take(&mut self) -> Option<Passes> {
        match std::mem::replace(self, Self::Away) {
            Self::Here(passes) => Some(*passes),
            other => {
                *self = other;
                None
            }
        }
    }

    pub(super) fn have_begun(&self) -> bool {
        match self {
            Self::None => false,
            Self::Here(passes) => passes.has_begun(),
            Self::Away => true,
        }
    }

    /// Whether a frame may come now.
    pub(super) fn check(
        &self,
        pts: Time,
        duration: Time,
        options: &FrameOptions,
        hash: u64,
    ) -> Result<(), SessionError> {
        match self {
            Self::None => Ok(()),
            Self::Here(passes) => passes.check(pts, duration, options, hash),
            Self::Away => Err(state::no_open_pass("encode")),
        }
    }
}
