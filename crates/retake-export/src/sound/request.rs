//! What can be asked for of the sound, as values that check themselves.

use crate::job::tracks::{TrackSelector, rule_for, selected, with_selector};
use retake_asset::SoundCodec;
use retake_libav::TrackInfo;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use thiserror::Error;

/// The loudness that can be asked for, in LUFS: that of FFmpeg's `loudnorm`.
const LOUDNESS: std::ops::RangeInclusive<f64> = -70.0..=-5.0;
/// No bit rate of sound is above this; uncompressed sound has none.
const MOST_RATE: u64 = 100_000_000;

/// What becomes of a track of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AudioChoice {
    /// It is copied, as far as the container holds it.
    #[default]
    Copy,
    /// It is left out.
    Nothing,
    /// It is copied where the container holds it, and else encoded to what the container holds: without loss
    /// where it has none, as AAC in MP4, QuickTime and streams, and as Opus in WebM.
    Auto,
    /// It is encoded.
    Encode(AudioEncoding),
}

/// What a track of sound is encoded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudioEncoding {
    /// The coding format.
    pub codec: SoundCodec,
    /// Bits a second of all channels; what is usual for the codec and so many channels if `None`. Formats
    /// without loss have none.
    pub bit_rate: Option<u64>,
    /// The channels; those of the source if `None`.
    pub layout: Option<AudioLayout>,
}

impl AudioEncoding {
    /// This coding format, with its usual bit rate and the channels of the source.
    pub const fn new(codec: SoundCodec) -> Self {
        Self { codec, bit_rate: None, layout: None }
    }
}

/// Channels in a usual arrangement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLayout(u32);

/// The names of layouts, as FFmpeg has them, by their number of channels.
const LAYOUTS: [(&str, u32); 8] =
    [("mono", 1), ("stereo", 2), ("3.0", 3), ("quad", 4), ("5.0", 5), ("5.1", 6), ("6.1", 7), ("7.1", 8)];

impl AudioLayout {
    /// Returns the number of channels.
    pub const fn channels(self) -> u32 {
        self.0
    }

    /// Returns the layout of so many channels, if there is one.
    pub(crate) fn of(channels: u32) -> Option<Self> {
        Self::name_of(channels).map(|_| Self(channels))
    }

    /// Returns the channels as a mask: those that most codecs have of so many.
    pub(crate) const fn mask(self) -> u64 {
        [0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3F, 0x70F, 0x63F][self.0 as usize]
    }

    /// Returns the name of so many channels; `None` where no layout has as many.
    pub(crate) fn name_of(channels: u32) -> Option<&'static str> {
        LAYOUTS.iter().find(|(_, count)| *count == channels).map(|(name, _)| *name)
    }
}

impl fmt::Display for AudioLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::name_of(self.0).unwrap_or_default())
    }
}

impl FromStr for AudioLayout {
    type Err = AudioError;

    fn from_str(text: &str) -> Result<Self, AudioError> {
        let known = LAYOUTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|(_, channels)| Self(*channels)).ok_or_else(|| AudioError::Layout { text: text.into() })
    }
}

impl fmt::Display for AudioChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copy => f.write_str("copy"),
            Self::Nothing => f.write_str("none"),
            Self::Auto => f.write_str("auto"),
            Self::Encode(AudioEncoding { codec, bit_rate, layout }) => {
                f.write_str(codec.name())?;
                match (bit_rate, layout) {
                    (None, None) => Ok(()),
                    (Some(rate), None) => write!(f, ":{rate}"),
                    (None, Some(layout)) => write!(f, "::{layout}"),
                    (Some(rate), Some(layout)) => write!(f, ":{rate}:{layout}"),
                }
            }
        }
    }
}

impl FromStr for AudioChoice {
    type Err = AudioError;

    /// Reads `copy`, `none`, `auto` or `CODEC[:RATE[:LAYOUT]]`; RATE may be left empty.
    fn from_str(text: &str) -> Result<Self, AudioError> {
        match text {
            "copy" => return Ok(Self::Copy),
            "none" => return Ok(Self::Nothing),
            "auto" => return Ok(Self::Auto),
            _ => {}
        }
        let mut parts = text.splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        let codec = SoundCodec::ALL.into_iter().find(|codec| codec.name() == name);
        let codec = codec.ok_or_else(|| AudioError::Choice { text: text.into() })?;
        let bit_rate = parts.next().filter(|rate| !rate.is_empty()).map(bit_rate).transpose()?;
        let layout = parts.next().map(AudioLayout::from_str).transpose()?;
        if let Some(rate) = bit_rate.filter(|_| codec.is_lossless()) {
            return Err(AudioError::RateWithoutLoss { codec: codec.name(), rate });
        }
        Ok(Self::Encode(AudioEncoding { codec, bit_rate, layout }))
    }
}

/// Reads a bit rate: `96k`, `1.5M`, `128000`.
fn bit_rate(text: &str) -> Result<u64, AudioError> {
    let wrong = || AudioError::Rate { text: text.into() };
    let (number, factor) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => match text.strip_suffix(['m', 'M']) {
            Some(number) => (number, 1e6),
            None => (text, 1.0),
        },
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(wrong());
    }
    let rate = number.parse::<f64>().map_err(|_| wrong())? * factor;
    if (1.0..=MOST_RATE as f64).contains(&rate) { Ok(rate.round() as u64) } else { Err(wrong()) }
}

/// What becomes of some tracks of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudioRule {
    /// Which tracks.
    pub tracks: TrackSelector,
    /// What they become.
    pub choice: AudioChoice,
}

impl AudioRule {
    /// Says what these tracks become.
    pub const fn new(tracks: TrackSelector, choice: AudioChoice) -> Self {
        Self { tracks, choice }
    }
}

impl FromStr for AudioRule {
    type Err = AudioError;

    /// Reads `[WHICH=]CHOICE`, where WHICH says which tracks.
    fn from_str(text: &str) -> Result<Self, AudioError> {
        let (tracks, choice) = selected(text).ok_or_else(|| AudioError::Choice { text: text.into() })?;
        Ok(Self { tracks, choice: choice.parse()? })
    }
}

/// All that is asked for of the sound.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct AudioRequest {
    /// One for each selector, the more special ones last.
    rules: Vec<AudioRule>,
    /// The loudness that encoded tracks get, in LUFS.
    pub loudness: Option<f64>,
}

impl AudioRequest {
    /// Adds a rule; of two for the same tracks the last counts. The more special of two that hold for a track
    /// goes before the other.
    pub(crate) fn add(&mut self, rule: AudioRule) {
        self.rules.retain(|other| other.tracks != rule.tracks);
        self.rules.push(rule);
        self.rules.sort_by_key(|rule| rule.tracks.rank());
    }

    /// What becomes of a track; `None` where nothing was said of it.
    pub(crate) fn of(&self, track: &TrackInfo) -> Option<AudioChoice> {
        rule_for(&self.rules, |rule| &rule.tracks, track).map(|rule| rule.choice)
    }

    /// Tells whether nothing but copies is asked for.
    pub(crate) fn copies_all(&self) -> bool {
        self.rules.iter().all(|rule| rule.choice == AudioChoice::Copy)
    }

    /// The tracks that are named.
    pub(crate) fn named(&self) -> impl Iterator<Item = &TrackSelector> {
        self.rules.iter().map(|rule| &rule.tracks)
    }

    /// The rules in words, those for all first.
    pub(crate) fn words(&self) -> Vec<String> {
        self.rules.iter().map(|rule| with_selector(&rule.tracks, rule.choice)).collect()
    }

    /// What can be refused before any file is looked at.
    pub(crate) fn check(&self) -> Result<(), AudioError> {
        let Some(loudness) = self.loudness else { return Ok(()) };
        if !LOUDNESS.contains(&loudness) {
            return Err(AudioError::Loudness { loudness });
        }
        let encodes = |choice: &AudioChoice| !matches!(choice, AudioChoice::Copy | AudioChoice::Nothing);
        let any = self.rules.iter().any(|rule| encodes(&rule.choice));
        if any { Ok(()) } else { Err(AudioError::LoudnessOfCopies) }
    }
}

/// What is wrong with what is asked for of the sound.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum AudioError {
    /// It says nothing that can become of sound.
    #[error(
        "'{text}' is none of copy, none, auto or CODEC[:RATE[:LAYOUT]], each with WHICH= (as 2=, eng= or default=) before it or not; codecs are {}",
        codecs()
    )]
    Choice {
        /// What was said.
        text: String,
    },
    /// It is no bit rate.
    #[error("'{text}' is not a bit rate of sound such as 96k or 128000")]
    Rate {
        /// What was said.
        text: String,
    },
    /// It is no layout of channels.
    #[error("'{text}' is not a layout of channels: {}", LAYOUTS.map(|(name, _)| name).join(", "))]
    Layout {
        /// What was said.
        text: String,
    },
    /// A format without loss takes as many bits as it needs.
    #[error("{codec} has no loss, and so no bit rate: leave {rate} out")]
    RateWithoutLoss {
        /// The codec.
        codec: &'static str,
        /// The rate that was asked for.
        rate: u64,
    },
    /// No programme is as loud or as quiet.
    #[error("a loudness is from {} to {} LUFS, and not {loudness}", LOUDNESS.start(), LOUDNESS.end())]
    Loudness {
        /// What was asked for.
        loudness: f64,
    },
    /// The loudness of a copy is that of the source.
    #[error("a loudness is for sound that is encoded, and all sound is copied or left out")]
    LoudnessOfCopies,
    /// The container cannot hold the codec.
    #[error("{output}: this container cannot hold {codec}: it holds {}", holds.join(", "))]
    NotHeld {
        /// The output.
        output: PathBuf,
        /// The codec.
        codec: &'static str,
        /// The codecs that it holds.
        holds: Vec<&'static str>,
    },
    /// The track cannot be decoded.
    #[error("{track} cannot be decoded here: {reason}")]
    NoDecoder {
        /// The track.
        track: String,
        /// What is in the way.
        reason: String,
    },
    /// The encoder does not take the track as it is, or the rate or the layout.
    #[error("{track} cannot become {wanted}: {reason}")]
    Refused {
        /// The track.
        track: String,
        /// What was asked for.
        wanted: String,
        /// What the encoder said.
        reason: String,
    },
}

fn codecs() -> String {
    SoundCodec::ALL.map(SoundCodec::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_told_again() {
        for text in ["copy", "none", "auto", "aac", "opus:96000:stereo", "flac::5.1", "ac3:640000", "mp3"] {
            let choice: AudioChoice = text.parse().unwrap();
            assert_eq!(choice.to_string(), text);
        }
        let rule = |text: &str| text.parse::<AudioRule>();
        let encoding =
            |codec, bit_rate, layout| AudioChoice::Encode(AudioEncoding { codec, bit_rate, layout });
        let choice = encoding(SoundCodec::Opus, Some(96_000), Some(AudioLayout(2)));
        assert_eq!(rule("2=opus:96k:stereo"), Ok(AudioRule::new(TrackSelector::Number(2), choice)));
        let choice = encoding(SoundCodec::Aac, Some(1_500_000), None);
        assert_eq!(rule("aac:1.5M"), Ok(AudioRule::new(TrackSelector::All, choice)));
        let choice = encoding(SoundCodec::Aac, None, Some(AudioLayout(1)));
        assert_eq!(rule("aac::mono"), Ok(AudioRule::new(TrackSelector::All, choice)));
        for wrong in [
            "",
            "=",
            "x=copy",
            "engl=copy",
            "und=copy",
            "en-=copy",
            "+1=copy",
            "1=",
            "dts",
            "AAC",
            "aac:",
            "aac:0",
            "aac:-5k",
            "aac:1e3",
            "aac:96k:",
            "aac:96k:loud",
            "aac:96k:stereo:1",
            "flac:96k",
            "none:1",
            "aac:k",
            "aac:99999999M",
            "aac:nan",
        ] {
            // an empty rate alone stands for the usual one
            assert_eq!(rule(wrong).is_err(), wrong != "aac:", "{wrong}");
        }
    }

    #[test]
    fn the_last_rule_counts_and_that_of_a_track_goes_first() {
        let mut request = AudioRequest::default();
        assert!(request.words().is_empty() && request.check().is_ok());
        request.loudness = Some(-23.0);
        assert_eq!(request.check(), Err(AudioError::LoudnessOfCopies));
        for text in ["1=copy", "aac", "2=none", "opus", "2=auto", "deu=none", "3=opus", "DEU=mp3"] {
            request.add(text.parse().unwrap());
        }
        assert_eq!(request.words(), ["opus", "deu=mp3", "1=copy", "2=auto", "3=opus"]);
        assert!(request.check().is_ok());
        for loudness in [f64::NAN, 0.0, -71.0] {
            request.loudness = Some(loudness);
            assert!(matches!(request.check(), Err(AudioError::Loudness { .. })));
        }
    }
}
