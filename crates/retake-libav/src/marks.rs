//! The marks that containers put on tracks, for players that choose among them.

use std::fmt;
use std::str::FromStr;

/// A mark of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TrackMark {
    /// It is played or shown where nobody chooses.
    Default,
    /// It is in another language than the film was made in.
    Dubbed,
    /// It is in the language that the film was made in.
    Original,
    /// It comments on the film.
    Comment,
    /// It has the words of what is sung.
    Lyrics,
    /// It lacks the voice of what is sung.
    Karaoke,
    /// It is shown also to people who understand what is spoken: signs, and speech in other languages.
    Forced,
    /// It tells people what they do not hear.
    HearingImpaired,
    /// It tells people what they do not see.
    VisualImpaired,
}

impl TrackMark {
    /// All marks.
    pub const ALL: [Self; 9] = [
        Self::Default,
        Self::Dubbed,
        Self::Original,
        Self::Comment,
        Self::Lyrics,
        Self::Karaoke,
        Self::Forced,
        Self::HearingImpaired,
        Self::VisualImpaired,
    ];

    /// Returns the name that people write: `hearing-impaired`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Dubbed => "dubbed",
            Self::Original => "original",
            Self::Comment => "comment",
            Self::Lyrics => "lyrics",
            Self::Karaoke => "karaoke",
            Self::Forced => "forced",
            Self::HearingImpaired => "hearing-impaired",
            Self::VisualImpaired => "visual-impaired",
        }
    }

    /// Returns the bit of FFmpeg's dispositions.
    const fn bit(self) -> i32 {
        match self {
            Self::Default => 1,
            Self::Dubbed => 2,
            Self::Original => 4,
            Self::Comment => 8,
            Self::Lyrics => 16,
            Self::Karaoke => 32,
            Self::Forced => 64,
            Self::HearingImpaired => 128,
            Self::VisualImpaired => 256,
        }
    }
}

impl fmt::Display for TrackMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TrackMark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|mark| mark.name() == text).ok_or(())
    }
}

/// The marks of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct TrackMarks(i32);

impl TrackMarks {
    /// Takes FFmpeg's bits, with those that have no name here: they are handed on as they are.
    pub(crate) const fn of(dispositions: i32) -> Self {
        Self(dispositions)
    }

    /// Returns FFmpeg's bits.
    pub(crate) const fn dispositions(self) -> i32 {
        self.0
    }

    /// Returns whether a mark is there.
    pub const fn has(self, mark: TrackMark) -> bool {
        self.0 & mark.bit() != 0
    }

    /// Puts a mark on, or takes it off.
    pub fn set(&mut self, mark: TrackMark, on: bool) {
        self.0 = if on { self.0 | mark.bit() } else { self.0 & !mark.bit() };
    }

    /// Returns the marks that are here and not there.
    pub(crate) fn without(self, others: Self) -> impl Iterator<Item = TrackMark> {
        TrackMark::ALL.into_iter().filter(move |mark| self.has(*mark) && !others.has(*mark))
    }
}
