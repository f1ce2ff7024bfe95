//! This module names the relations between tracks.

use super::media::MediaType;

/// One track stands in one of these relations to another.
#[doc(alias = "AVTrackAssociationType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrackAssociation {
    /// The other track is sound to play where this track's own cannot be played: it has the same content in
    /// another coding format.
    #[doc(alias = "AVTrackAssociationTypeAudioFallback")]
    AudioFallback,
    /// The other track has the names of chapters, or pictures of them: each holds for the chapter that begins
    /// with it.
    #[doc(alias = "AVTrackAssociationTypeChapterList")]
    ChapterList,
    /// The other track has those of these subtitles that are shown also to people who understand what is
    /// said.
    #[doc(alias = "AVTrackAssociationTypeForcedSubtitlesOnly")]
    ForcedSubtitlesOnly,
    /// The other track is described by the metadata of this one.
    #[doc(alias = "AVTrackAssociationTypeMetadataReferent")]
    MetadataReferent,
    /// The other track is chosen along with this one.
    #[doc(alias = "AVTrackAssociationTypeSelectionFollower")]
    SelectionFollower,
    /// The other track has the timecodes of this one's media.
    #[doc(alias = "AVTrackAssociationTypeTimecode")]
    Timecode,
}

impl TrackAssociation {
    /// Whether it is one that Matroska has in another form, as the chapters of the film.
    pub(crate) const fn makes_chapters(self) -> bool {
        matches!(self, Self::ChapterList)
    }

    /// Returns the type of reference in ISO files.
    pub(crate) const fn reference(self) -> [u8; 4] {
        *match self {
            Self::AudioFallback => b"fall",
            Self::ChapterList => b"chap",
            Self::ForcedSubtitlesOnly => b"forc",
            Self::MetadataReferent => b"cdsc",
            Self::SelectionFollower => b"folw",
            Self::Timecode => b"tmcd",
        }
    }

    pub(crate) fn fits(self, from: MediaType, to: MediaType) -> bool {
        use MediaType::{Audio, Metadata, Subtitle, Text, Timecode, Video};
        match self {
            Self::AudioFallback => (from, to) == (Audio, Audio),
            Self::ChapterList => matches!(to, Text | Video),
            Self::ForcedSubtitlesOnly => (from, to) == (Subtitle, Subtitle),
            Self::MetadataReferent => from == Metadata && to != Metadata,
            Self::SelectionFollower => true,
            Self::Timecode => matches!(from, Video | Audio | Metadata) && to == Timecode,
        }
    }
}
