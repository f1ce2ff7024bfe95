//! This module describes a stream as data, of which playlists and the manifest are made.

use super::playlist::BitRate;
use super::rendition::Segment;
use retake_media::{FormatDescription, Rational, Time};

/// A stream holds renditions of one film on one clock.
pub(super) struct Stream {
    /// At least one.
    pub(super) variants: Vec<Variant>,
    pub(super) sounds: Vec<Sound>,
    pub(super) texts: Vec<Texts>,
    /// The clock of the stream is zero at this time, on the clock of the source.
    pub(super) zero: Time,
    /// The film begins at this time, on the clock of the source.
    pub(super) start: Time,
}

/// A variant describes the pictures of a stream.
pub(super) struct Variant {
    /// The folder that its files are in, in the folder of media.
    pub(super) folder: String,
    pub(super) segments: Vec<Segment>,
    /// Whether there is a list of its sync frames.
    pub(super) sync_frames: bool,
    /// Its name in playlists.
    pub(super) codec: Option<String>,
    pub(super) format: FormatDescription,
    /// The size at which it is shown, in pixels.
    pub(super) size: (u32, u32),
    pub(super) frame_rate: Rational,
}

/// This describes a track of sound.
pub(super) struct Sound {
    pub(super) folder: String,
    pub(super) segments: Vec<Segment>,
    pub(super) codec: String,
    pub(super) name: String,
    pub(super) language: Option<String>,
    pub(super) channels: u32,
    pub(super) sample_rate: u32,
    /// Players take it where nobody chooses.
    pub(super) default: bool,
    /// It tells what is seen.
    pub(super) describes_video: bool,
}

/// This describes a track of subtitles.
pub(super) struct Texts {
    pub(super) folder: String,
    pub(super) segments: Vec<Segment>,
    pub(super) name: String,
    pub(super) language: Option<String>,
    /// Players show it where nobody chooses.
    pub(super) default: bool,
    /// It is shown also to people who understand what is spoken.
    pub(super) forced: bool,
    /// It tells what is heard.
    pub(super) describes_sound: bool,
}

impl Variant {
    /// Returns the word of playlists for the range of brightness: `SDR`, `PQ` or `HLG`.
    pub(super) fn range(&self) -> &'static str {
        match self.format.colour.transfer {
            16 => "PQ",
            18 => "HLG",
            _ => "SDR",
        }
    }

    pub(super) fn rate(&self) -> BitRate {
        BitRate::of_segments(&self.segments)
    }
}
