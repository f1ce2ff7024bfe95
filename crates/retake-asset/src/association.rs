use crate::error::{Mistake, UsageError};
use crate::input::AssetWriterInput;
use crate::media::MediaType;
use crate::status::WriterStatus;

/// What one track is to another.
///
/// Timecodes, metadata and subtitles are associated with tracks, too; a writer has no inputs of such media.
#[doc(alias = "AVTrackAssociationType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackAssociation {
    /// Sound that is played where this track's own cannot be: another coding format of the same.
    #[doc(alias = "AVTrackAssociationTypeAudioFallback")]
    AudioFallback,
    /// Pictures of chapters: each is shown for the chapter that begins with it.
    #[doc(alias = "AVTrackAssociationTypeChapterList")]
    ChapterList,
    /// A track that is chosen along with this one.
    #[doc(alias = "AVTrackAssociationTypeSelectionFollower")]
    SelectionFollower,
}

impl TrackAssociation {
    /// The type of reference in ISO files.
    pub(crate) const fn reference(self) -> [u8; 4] {
        *match self {
            Self::AudioFallback => b"fall",
            Self::ChapterList => b"chap",
            Self::SelectionFollower => b"folw",
        }
    }

    fn fits(self, from: MediaType, to: MediaType) -> bool {
        match self {
            Self::AudioFallback => from == MediaType::Audio && to == MediaType::Audio,
            Self::ChapterList => to == MediaType::Video,
            Self::SelectionFollower => true,
        }
    }
}

impl AssetWriterInput {
    /// Whether [`add_track_association`](Self::add_track_association) would take it.
    #[doc(alias = "canAddTrackAssociationWithTrackOfInput:type:")]
    pub fn can_add_track_association(&self, other: &Self, kind: TrackAssociation) -> bool {
        self.check_association(other, kind).is_ok()
    }

    /// Says what another input's track is to this one's. Both have to be added to one writer before it starts. In ISO files only.
    ///
    /// # Errors
    /// [`Mistake::Status`] once the writer has started, [`Mistake::BadValue`] for itself, an association that does not go with the media types, and
    /// one that is there already.
    #[doc(alias = "addTrackAssociationWithTrackOfInput:type:")]
    pub fn add_track_association(&self, other: &Self, kind: TrackAssociation) -> Result<(), UsageError> {
        self.check_association(other, kind)
            .map_err(|mistake| UsageError { call: "add_track_association", mistake })?;
        self.associate(other, kind);
        Ok(())
    }

    fn check_association(&self, other: &Self, kind: TrackAssociation) -> Result<(), Mistake> {
        if self.has_started() {
            let is = self.writer_status().unwrap_or(WriterStatus::Cancelled);
            return Err(Mistake::Status { is, wants: "not started" });
        }
        if self == other {
            return Err(Mistake::BadValue("a track is nothing to itself"));
        }
        if !kind.fits(self.media_type(), other.media_type()) {
            return Err(Mistake::BadValue("tracks of these media types are not associated in this way"));
        }
        if self.associations().iter().any(|(known, input)| *known == kind && input == other) {
            return Err(Mistake::BadValue("the tracks are associated already"));
        }
        Ok(())
    }
}
