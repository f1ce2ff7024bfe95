//! MP-25: what a session keeps in its storage beside the frames, so that another one can go on where it ended.

use super::frames::Frames;
use super::units::Unit;
use crate::planner::pace::Expected;
use crate::storage::{NoteKey, StorageError, StorageLease};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The one note of each pass: how everything stood at its end.
pub(super) const STATE: u8 = b's';

/// How everything stood at the end of a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What every pass encodes with, as text that is equal for equal settings.
    pub(super) settings: String,
    /// All units with all their takes.
    pub(super) units: Vec<Unit>,
    /// What was asked for; none where nothing was.
    pub(super) next: Option<Next>,
}

/// What the next pass is to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Next {
    /// The units to encode again, with what is expected of each; empty for everything, as in the first pass.
    pub(super) takes: BTreeMap<usize, Expected>,
    /// What they are to take together, where a rate says so.
    pub(super) bytes: Option<f64>,
}

/// What an earlier session left in a storage.
pub(super) struct Earlier {
    /// Passes that were ended.
    pub(super) passes: u32,
    pub(super) frames: Frames,
    pub(super) kept: Kept,
}

impl Earlier {
    /// What an earlier session left, if it ended a pass.
    pub(super) fn of(lease: &StorageLease) -> Result<Option<Self>, StorageError> {
        let passes = lease.passes()?;
        let Some(last) = passes.checked_sub(1) else { return Ok(None) };
        let Some(note) = lease.note(NoteKey { topic: STATE, pass: last, unit: 0 })? else { return Ok(None) };
        let Ok(kept) = serde_json::from_slice::<Kept>(&note) else { return Ok(None) };
        let mut frames = Frames::default();
        for pass in 0..passes {
            // what does not fit together was not written by passes: there is nothing to go on with
            if frames.restore(&lease.frames(pass)?).is_none() {
                return Ok(None);
            }
        }
        let fits = kept.units.last().is_some_and(|unit| unit.end == frames.0.len())
            && kept.units.iter().all(|unit| unit.first < unit.end)
            && kept.units.windows(2).all(|pair| pair[0].end == pair[1].first);
        let next = kept.next.iter().flat_map(|next| next.takes.keys());
        let known = next.max().is_none_or(|most| *most < kept.units.len());
        Ok((fits && known).then_some(Self { passes, frames, kept }))
    }
}
