//! Describes what a track holds.

use crate::closed_captions;
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
    /// Closed captions of CEA-608, each sample packets of ATSC A/53 (`cc_data_pkt`, three bytes each), as
    /// pictures bring them. They are `c608` of QuickTime.
    ClosedCaptions,
}

impl TrackFormat {
    /// Returns whether FFmpeg writes the samples of such a track to ISO files as they are, as data of no
    /// known kind: the caller of [`Muxer`](crate::Muxer) must write their description into the index then. It
    /// does so because FFmpeg has no description of metadata at all, makes timecodes from a tag alone, puts
    /// empty samples of its own between texts, and writes closed captions without the atoms that it reads.
    pub const fn is_described_by_caller(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Timecode(_) | Self::Metadata(_) | Self::ClosedCaptions)
    }

    /// Returns what samples of the track are, for people, if these bytes cannot be one, as far as that is
    /// seen without decoding.
    pub fn refuses(&self, payload: &[u8]) -> Option<&'static str> {
        match self {
            Self::Timecode(_) if payload.len() != 4 => {
                Some("samples of timecodes, which are numbers of 32 bits")
            }
            Self::ClosedCaptions if closed_captions::atoms(payload).is_none() => {
                Some("samples of closed captions, which are packets of CEA-608")
            }
            _ => None,
        }
    }
}
