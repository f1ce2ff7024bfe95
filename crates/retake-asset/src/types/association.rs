//! This module names the relations between tracks.

use super::media::MediaType;

/// One track stands in one of these relations to another.
///
/// Timecodes, metadata and subtitles are associated with tracks, too; a writer has no inputs of such media.
#[doc(alias = "AVTrackAssociationType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackAssociation {
    /// The other track is sound to play where this track's own cannot be played: it has the same content in
    /// another coding format.
    #[doc(alias = "AVTrackAssociationTypeAudioFallback")]
    AudioFallback,
    /// The other track has pictures of chapters: each is shown for the chapter that begins with it.
    #[doc(alias = "AVTrackAssociationTypeChapterList")]
    ChapterList,
    /// The other track is chosen along with this one.
    #[doc(alias = "AVTrackAssociationTypeSelectionFollower")]
    SelectionFollower,
}

impl TrackAssociation {
    /// Returns the type of reference in ISO files.
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
