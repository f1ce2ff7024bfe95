//! What tracks of a writer are to each other.

use super::track::TrackId;
use crate::types::association::TrackAssociation;

/// One track is something to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Association {
    pub(crate) from: TrackId,
    pub(crate) kind: TrackAssociation,
    /// None for a track that is not of this writer, which keeps the writer from starting.
    pub(crate) to: Option<TrackId>,
}

impl Association {
    /// Why a writer of Matroska takes no others than of names of chapters.
    pub(crate) const NO_REFERENCES: &'static str = "Matroska has no references between tracks, and chapters by their names alone: write an .mov or .mp4 file";
}

/// The tracks that this one refers to in the film: the type of each reference, and the number of the track,
/// from 1.
pub(crate) fn references(associations: &[Association], of: TrackId) -> Vec<([u8; 4], u32)> {
    let own = associations.iter().filter(|association| association.from == of);
    own.filter_map(|association| Some((association.kind.reference(), association.to?.index() as u32 + 1)))
        .collect()
}
