use super::input::{AssetWriterInput, Inner};
use crate::run::shell::Shared;
use crate::state::associations::Association;
use crate::types::association::TrackAssociation;
use crate::types::error::{Mistake, UsageError};
use crate::types::media::MediaType;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The inputs whose tracks are something to that of another one: handles, because they may not be of a writer
/// yet. Two that are something to each other must not keep each other alive.
#[derive(Default)]
pub(super) struct Associations(Mutex<Vec<(TrackAssociation, Weak<Inner>)>>);

impl Associations {
    fn lock(&self) -> MutexGuard<'_, Vec<(TrackAssociation, Weak<Inner>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AssetWriterInput {
    /// Whether [`add_track_association`](Self::add_track_association) would take it.
    #[doc(alias = "canAddTrackAssociationWithTrackOfInput:type:")]
    pub fn can_add_track_association(&self, other: &Self, kind: TrackAssociation) -> bool {
        self.check_association(other, kind).is_ok()
    }

    /// Says what another input's track is to this one's. Both have to be added to one writer before it
    /// starts, which must write an ISO file: Matroska has no references between tracks, and a writer of it
    /// does not start with one. It has chapters, and takes a [`TrackAssociation::ChapterList`] of texts for
    /// those.
    ///
    /// # Errors
    /// [`Mistake::Status`](crate::Mistake::Status) once the writer has started,
    /// [`Mistake::BadValue`](crate::Mistake::BadValue) for itself, an association that does not go with the
    /// media types, one that is there already, and inputs of a writer that writes Matroska.
    #[doc(alias = "addTrackAssociationWithTrackOfInput:type:")]
    pub fn add_track_association(&self, other: &Self, kind: TrackAssociation) -> Result<(), UsageError> {
        const CALL: &str = "add_track_association";
        self.check_association(other, kind).map_err(|mistake| UsageError { call: CALL, mistake })?;
        self.0.associations.lock().push((kind, Arc::downgrade(&other.0)));
        Ok(())
    }

    fn check_association(&self, other: &Self, kind: TrackAssociation) -> Result<(), Mistake> {
        if self.has_started() {
            let status = self.look(|state, _| state.phase().status());
            return Err(
                status.map_or(Mistake::NotAttached, |is| Mistake::Status { is, wants: "not started" })
            );
        }
        let without =
            |input: &Self| input.look(|state, _| !state.destination().container.is_iso()).unwrap_or(false);
        let names = kind.makes_chapters() && other.media_type() == MediaType::Text;
        if (without(self) || without(other)) && !names {
            return Err(Mistake::BadValue(Association::NO_REFERENCES));
        }
        if self == other {
            return Err(Mistake::BadValue("a track is nothing to itself"));
        }
        if !kind.fits(self.media_type(), other.media_type()) {
            return Err(Mistake::BadValue("tracks of these media types are not associated in this way"));
        }
        let known = self.0.associations.lock();
        if known.iter().any(|(known, input)| *known == kind && input.as_ptr() == Arc::as_ptr(&other.0)) {
            return Err(Mistake::BadValue("the tracks are associated already"));
        }
        Ok(())
    }

    /// What its track is to others, by their numbers in its writer.
    pub(super) fn associations_in(&self, shared: &Arc<Shared>) -> Vec<Association> {
        let Some(from) = self.id_in(shared) else { return Vec::new() };
        let known = self.0.associations.lock();
        let others = known.iter().filter_map(|(kind, input)| Some((*kind, Self(input.upgrade()?))));
        others.map(|(kind, input)| Association { from, kind, to: input.id_in(shared) }).collect()
    }
}
