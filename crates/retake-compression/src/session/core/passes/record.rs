//! MP-25: how everything stood at the end of a pass, as a storage keeps it, so that another session can go on
//! from there.

use super::frames::Frames;
use super::units::Unit;
use crate::planner::pace::Expected;
use crate::storage::FrameRecord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The topic of the one note of each pass.
pub(in crate::session) const STATE: u8 = b's';

/// How everything stood at the end of a pass. Its JSON is the note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PassRecord {
    /// What every pass encodes with, as text that is equal for equal settings.
    pub(super) settings: String,
    /// All units with all their takes.
    pub(super) units: Vec<Unit>,
    /// What was asked for; none where nothing was.
    pub(super) next: Option<PassPlan>,
}

/// What a pass is to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::session) struct PassPlan {
    /// The units to encode again, with what is expected of each; empty for everything, as in the first pass.
    pub(super) takes: BTreeMap<usize, Expected>,
    /// What they are to take together, where a rate says so.
    pub(super) bytes: Option<f64>,
    /// What is expected of the other units, encoded again as they are: a client may send them in a final
    /// pass.
    #[serde(default)]
    pub(super) others: BTreeMap<usize, Expected>,
    /// Whether units have exactly the qualities that were planned, and another pass corrects the bytes. The
    /// last pass of a client has to take its bytes all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) exact: bool,
}

/// What an earlier session left in a storage.
#[derive(Debug)]
pub(in crate::session) struct Earlier {
    /// Passes that were ended.
    pub(super) passes: u32,
    pub(super) frames: Frames,
    pub(super) record: PassRecord,
}

impl Earlier {
    /// What an earlier session left, from the note of its last pass and the frames of all of them, in the
    /// order in which they were recorded. `None` where it does not fit together: it was not written by passes
    /// then, and there is nothing to go on with.
    pub(in crate::session) fn restore(note: &[u8], passes: &[Vec<FrameRecord>]) -> Option<Self> {
        let record = serde_json::from_slice::<PassRecord>(note).ok()?;
        let mut frames = Frames::default();
        for pass in passes {
            frames.restore(pass)?;
        }
        let units = &record.units;
        let fits = units.last().is_some_and(|unit| unit.end == frames.states.len())
            && units.iter().all(|unit| unit.first < unit.end)
            && units.iter().all(|unit| unit.takes.iter().all(|take| unit.is_of(take)))
            && units.windows(2).all(|pair| pair[0].end == pair[1].first);
        let next = record.next.iter().flat_map(|next| next.takes.keys());
        let known = next.max().is_none_or(|most| *most < units.len());
        let passes = u32::try_from(passes.len()).ok()?;
        (fits && known).then_some(Self { passes, frames, record })
    }
}
