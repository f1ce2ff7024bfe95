//! Describes what a track holds.

use retake_media::{AudioFormat, FormatDescription, MetadataFormat, TextFormat, TimecodeFormat};

/// Describes the content of a track.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TrackFormat {
    /// Compressed pictures.
    Video(FormatDescription),
    /// Sound.
    Audio(AudioFormat),
    /// Text.
    Text(TextFormat),
    /// Timecodes, each sample a number of 32 bits.
    Timecode(TimecodeFormat),
    /// Metadata, each sample the items that hold for its duration.
    Metadata(MetadataFormat),
}

impl TrackFormat {
    /// Returns whether FFmpeg writes the samples of such a track to ISO files as they are, as data of no
    /// known kind: the caller of [`Muxer`](crate::Muxer) must write their description into the index then. It
    /// does so because FFmpeg has no description of metadata at all, makes timecodes from a tag alone, and
    /// puts empty samples of its own between texts.
    pub const fn is_described_by_caller(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Timecode(_) | Self::Metadata(_))
    }
}
