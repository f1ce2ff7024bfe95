use super::media::MediaType;

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

    pub(crate) fn fits(self, from: MediaType, to: MediaType) -> bool {
        match self {
            Self::AudioFallback => from == MediaType::Audio && to == MediaType::Audio,
            Self::ChapterList => to == MediaType::Video,
            Self::SelectionFollower => true,
        }
    }
}
