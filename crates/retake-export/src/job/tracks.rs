//! Which tracks of the source are meant, which of them go into the film, and with what marks.
//!
//! All flags and rules name tracks in one grammar, WHICH: the number of a track, a language, a mark
//! (`forced`), or a kind (`subtitles`); or several of these with `+` between them, which all must hold.

use retake_libav::{FilmInfo, TrackInfo, TrackKind, TrackMark, language_tag};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use thiserror::Error;

/// Which tracks are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TrackSelector {
    /// All that nothing else is said of.
    #[default]
    All,
    /// Those of a kind.
    Kind(TrackKind),
    /// Those in a language, by its code of two or three letters (ISO 639) or its tag (BCP 47).
    Language(String),
    /// Those that have a mark.
    Mark(TrackMark),
    /// Those that all of these mean, which are two or more.
    Every(Vec<TrackSelector>),
    /// The one with this number in the source, from 0, as messages have it.
    Number(u32),
}

/// The kinds of tracks that can be named; data is never copied.
const KINDS: [(TrackKind, &str); 5] = [
    (TrackKind::Video, "video"),
    (TrackKind::Audio, "audio"),
    (TrackKind::Subtitle, "subtitles"),
    (TrackKind::Cover, "covers"),
    (TrackKind::Attachment, "attachments"),
];

impl TrackSelector {
    /// Tells whether a track is meant.
    pub(crate) fn holds(&self, track: &TrackInfo) -> bool {
        match self {
            Self::All => true,
            Self::Kind(kind) => track.kind == *kind,
            Self::Language(wanted) => {
                let own = track.language.as_deref().and_then(language_tag);
                let (own, wanted) = (own.unwrap_or_default().to_ascii_lowercase(), primary(wanted));
                own == wanted || own.split('-').next() == Some(&wanted)
            }
            Self::Mark(mark) => track.marks.has(*mark),
            Self::Every(all) => all.iter().all(|selector| selector.holds(track)),
            Self::Number(number) => track.index == *number,
        }
    }

    /// How special it is: of two rules for one track the more special one counts.
    pub(crate) fn rank(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Kind(_) => 1,
            Self::Language(_) => 2,
            Self::Mark(_) => 3,
            Self::Every(all) => 2 + all.len(),
            Self::Number(_) => usize::MAX,
        }
    }
}

/// Returns a language in the words that those of tracks are compared with.
fn primary(language: &str) -> String {
    language_tag(language).unwrap_or_default().to_ascii_lowercase()
}

impl fmt::Display for TrackSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::Kind(kind) => {
                f.write_str(KINDS.iter().find(|(known, _)| known == kind).map_or("data", |(_, name)| name))
            }
            Self::Language(language) => f.write_str(language),
            Self::Mark(mark) => mark.fmt(f),
            Self::Every(all) => {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                f.write_str(&all.join("+"))
            }
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl FromStr for TrackSelector {
    type Err = TrackError;

    /// Reads WHICH: a number, a language, a mark, a kind, or several of these with `+` between them.
    fn from_str(text: &str) -> Result<Self, TrackError> {
        let wrong = || TrackError::Selector { text: text.into() };
        let mut all = text.split('+').map(one).collect::<Option<Vec<Self>>>().ok_or_else(wrong)?;
        match all.len() {
            1 => all.pop().ok_or_else(wrong),
            _ => Ok(Self::Every(all)),
        }
    }
}

/// Reads a selector without `+`.
fn one(text: &str) -> Option<TrackSelector> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(TrackSelector::Number);
    }
    if let Some((kind, _)) = KINDS.iter().find(|(_, name)| *name == text) {
        return Some(TrackSelector::Kind(*kind));
    }
    if let Ok(mark) = text.parse() {
        return Some(TrackSelector::Mark(mark));
    }
    is_language(text).then(|| TrackSelector::Language(text.to_ascii_lowercase()))
}

/// Tells whether a text can be a language: a code of two or three letters, or a tag that begins with one.
pub(crate) fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let code = parts.next().unwrap_or_default();
    let letters = (2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    let rest = parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    letters && rest && code != "und"
}

/// Writes what [`selected`] reads.
pub(crate) fn with_selector(tracks: &TrackSelector, how: impl fmt::Display) -> String {
    match tracks {
        TrackSelector::All => how.to_string(),
        tracks => format!("{tracks}={how}"),
    }
}

/// Reads `[WHICH=]HOW`. `None` where WHICH is nothing that tracks are known by.
pub(crate) fn selected(text: &str) -> Option<(TrackSelector, &str)> {
    match text.split_once('=') {
        None => Some((TrackSelector::All, text)),
        Some((which, how)) => Some((which.parse().ok()?, how)),
    }
}

/// Returns the last of the most special rules that hold for a track.
pub(crate) fn rule_for<'a, R>(
    rules: &'a [R],
    selector: impl Fn(&R) -> &TrackSelector,
    track: &TrackInfo,
) -> Option<&'a R> {
    // of equal ones the last is found
    rules.iter().filter(|rule| selector(rule).holds(track)).max_by_key(|rule| selector(rule).rank())
}

/// Whether tracks go into the film.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackRule {
    /// Which tracks.
    pub tracks: TrackSelector,
    /// Whether they are copied, and not left out.
    pub keep: bool,
}

impl TrackRule {
    /// Says whether these tracks are copied.
    pub const fn new(tracks: TrackSelector, keep: bool) -> Self {
        Self { tracks, keep }
    }
}

impl fmt::Display for TrackRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_selector(&self.tracks, if self.keep { "copy" } else { "none" }))
    }
}

impl FromStr for TrackRule {
    type Err = TrackError;

    /// Reads `[WHICH=]copy` or `[WHICH=]none`.
    fn from_str(text: &str) -> Result<Self, TrackError> {
        let wrong = || TrackError::Copy { text: text.into() };
        let (tracks, how) = selected(text).ok_or_else(wrong)?;
        match how {
            "copy" => Ok(Self::new(tracks, true)),
            "none" => Ok(Self::new(tracks, false)),
            _ => Err(wrong()),
        }
    }
}

/// Whether tracks get a mark in the film.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MarkRule {
    /// Which tracks.
    pub tracks: TrackSelector,
    /// Whether they have the mark.
    pub on: bool,
}

impl MarkRule {
    /// Says whether these tracks have the mark.
    pub const fn new(tracks: TrackSelector, on: bool) -> Self {
        Self { tracks, on }
    }
}

impl fmt::Display for MarkRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.tracks, if self.on { "yes" } else { "no" })
    }
}

impl FromStr for MarkRule {
    type Err = TrackError;

    /// Reads `WHICH[=yes|no]`.
    fn from_str(text: &str) -> Result<Self, TrackError> {
        let wrong = || TrackError::Mark { text: text.into() };
        let (which, how) = text.split_once('=').unwrap_or((text, "yes"));
        let tracks = which.parse().map_err(|_| wrong())?;
        match how {
            "yes" => Ok(Self::new(tracks, true)),
            "no" => Ok(Self::new(tracks, false)),
            _ => Err(wrong()),
        }
    }
}

/// All that is asked for of tracks, but for what sound becomes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TrackRequest {
    /// Which subtitles are copied; what nothing is said of follows `tracks`.
    pub subtitles: Vec<TrackRule>,
    /// Which tracks are copied; all that nothing is said of.
    pub tracks: Vec<TrackRule>,
    /// Which tracks are played or shown where nobody chooses.
    pub default: Vec<MarkRule>,
    /// Which tracks are shown to all.
    pub forced: Vec<MarkRule>,
}

impl TrackRequest {
    /// Tells whether a track goes into the film, as far as these rules say.
    pub(crate) fn keeps(&self, track: &TrackInfo) -> bool {
        let rule = |rules| rule_for(rules, |rule: &TrackRule| &rule.tracks, track);
        let of_subtitles = if track.kind == TrackKind::Subtitle { rule(&self.subtitles) } else { None };
        of_subtitles.or_else(|| rule(&self.tracks)).is_none_or(|rule| rule.keep)
    }

    /// Refuses rules about tracks that are not there.
    pub(crate) fn check(&self, film: &FilmInfo) -> Result<(), TrackError> {
        let named = |rules: &[TrackRule]| rules.iter().map(|rule| rule.tracks.clone()).collect::<Vec<_>>();
        check(&named(&self.subtitles), film, TrackFlag::Subtitles)?;
        check(&named(&self.tracks), film, TrackFlag::Tracks)
    }

    /// Gives the tracks that go into the film their marks.
    pub(crate) fn mark(&self, film: &mut FilmInfo) -> Result<(), TrackError> {
        let rules = [
            (&self.default, TrackMark::Default, TrackFlag::Default),
            (&self.forced, TrackMark::Forced, TrackFlag::Forced),
        ];
        // marks that tracks are chosen by are those of the source, whatever was changed before
        let source = film.clone();
        for (rules, mark, flag) in rules {
            let named: Vec<TrackSelector> = rules.iter().map(|rule| rule.tracks.clone()).collect();
            check(&named, &source, flag)?;
            for rule in rules {
                let picked: Vec<&TrackInfo> =
                    source.tracks.iter().filter(|track| rule.tracks.holds(track)).collect();
                // Players take one track of a kind where nobody chooses, so that one alone is it.
                let alone = mark == TrackMark::Default && rule.on;
                for track in &mut film.tracks {
                    let first = picked.iter().find(|picked| picked.kind == track.kind);
                    match first {
                        Some(first) if alone => track.marks.set(mark, first.index == track.index),
                        _ if picked.iter().any(|picked| picked.index == track.index) => {
                            track.marks.set(mark, rule.on);
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

/// Refuses selectors of tracks that are not there.
pub(crate) fn check(selectors: &[TrackSelector], film: &FilmInfo, flag: TrackFlag) -> Result<(), TrackError> {
    let known: Vec<&TrackInfo> = film.tracks.iter().filter(|track| flag.is_about(track.kind)).collect();
    let missing = |selector: &&TrackSelector| {
        **selector != TrackSelector::All && !known.iter().any(|track| selector.holds(track))
    };
    match selectors.iter().find(missing) {
        None => Ok(()),
        Some(selector) => Err(TrackError::NoSuchTrack {
            input: film.path.clone(),
            selector: selector.to_string(),
            flag,
            known: known.iter().map(|track| with_language(track)).collect(),
        }),
    }
}

fn with_language(track: &TrackInfo) -> String {
    match track.language.as_deref().filter(|language| *language != "und") {
        Some(language) => format!("{track} in {language}"),
        None => track.to_string(),
    }
}

/// What was said of tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackFlag {
    /// What becomes of sound.
    Audio,
    /// Which subtitles are copied.
    Subtitles,
    /// Which tracks are copied.
    Tracks,
    /// Which tracks are played or shown where nobody chooses.
    Default,
    /// Which tracks are shown to all.
    Forced,
}

impl TrackFlag {
    fn is_about(self, kind: TrackKind) -> bool {
        match self {
            Self::Audio => kind == TrackKind::Audio,
            Self::Subtitles => kind == TrackKind::Subtitle,
            Self::Tracks | Self::Default | Self::Forced => kind != TrackKind::Data,
        }
    }

    const fn tracks(self) -> &'static str {
        match self {
            Self::Audio => "sound",
            Self::Subtitles => "subtitles",
            Self::Tracks => "other track",
            Self::Default | Self::Forced => "track in the film",
        }
    }
}

/// What is wrong with what is asked for of tracks.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TrackError {
    /// It is nothing that tracks are known by.
    #[error("'{text}' is no number of a track, language, mark or kind: {}", words())]
    Selector {
        /// What was said.
        text: String,
    },
    /// It says nothing that can become of tracks that are not encoded.
    #[error("'{text}' is neither copy nor none, with WHICH= before it or not: {}", words())]
    Copy {
        /// What was said.
        text: String,
    },
    /// It says nothing about a mark.
    #[error("'{text}' is not WHICH, WHICH=yes or WHICH=no: {}", words())]
    Mark {
        /// What was said.
        text: String,
    },
    /// It names no file of subtitles.
    #[error("'{text}' is not FILE[:LANGUAGE[:NAME]] with a FILE that ends in .srt, .ass, .ssa or .vtt")]
    SubtitleFile {
        /// What was said.
        text: String,
    },
    /// It names no file of sound.
    #[error(
        "'{text}' is not FILE[:LANGUAGE[:NAME]] with a FILE that ends as sound and films do (.wav, .m4a, .mkv)"
    )]
    SoundFile {
        /// What was said.
        text: String,
    },
    /// It is no language.
    #[error("'{text}' is no language: a code of two or three letters (eng), or a tag (en-GB)")]
    Language {
        /// What was said.
        text: String,
    },
    /// The source has no such track.
    #[error("{input}: there is no {} '{selector}': {}", .flag.tracks(), list(.known))]
    NoSuchTrack {
        /// The source.
        input: PathBuf,
        /// What was named.
        selector: String,
        /// What was said of it.
        flag: TrackFlag,
        /// The tracks that there are, of those that this can be said of.
        known: Vec<String>,
    },
}

/// What WHICH can be, for people.
pub(crate) fn words() -> String {
    let kinds: Vec<&str> = KINDS.iter().map(|(_, name)| *name).collect();
    let marks = TrackMark::ALL.map(TrackMark::name).join(", ");
    format!(
        "WHICH is a number (2), a language (eng, en-GB), a kind ({}), a mark ({marks}), or several, as in eng+forced",
        kinds.join(", ")
    )
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_are_named_in_one_grammar() {
        use TrackSelector::{Every, Kind, Language, Mark, Number};
        let language = |code: &str| Language(code.into());
        for (text, selector) in [
            ("2", Number(2)),
            ("eng", language("eng")),
            ("en-gb", language("en-gb")),
            ("forced", Mark(TrackMark::Forced)),
            ("hearing-impaired", Mark(TrackMark::HearingImpaired)),
            ("subtitles", Kind(TrackKind::Subtitle)),
            ("eng+forced", Every(vec![language("eng"), Mark(TrackMark::Forced)])),
        ] {
            assert_eq!(text.parse(), Ok(selector.clone()));
            assert_eq!(selector.to_string(), text);
        }
        for wrong in
            ["", "+", "eng+", "+forced", "forces", "data", "engl", "und", "4294967296", "-1", "en_GB"]
        {
            assert!(wrong.parse::<TrackSelector>().is_err(), "{wrong}");
        }
        for (text, on) in [("2", true), ("deu=no", false), ("subtitles+default=yes", true)] {
            assert_eq!(text.parse::<MarkRule>().unwrap().on, on, "{text}");
        }
        for wrong in ["=yes", "2=on", "yes=2", "2=", "2=yes=no"] {
            assert!(wrong.parse::<MarkRule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_more_special_of_two_rules_counts() {
        let ranks = ["subtitles", "eng", "forced", "eng+forced", "subtitles+eng+forced", "3"];
        let ranks = ranks.map(|text| text.parse::<TrackSelector>().unwrap().rank());
        assert!(ranks.is_sorted_by(|one, other| one < other) && TrackSelector::All.rank() < ranks[0]);
    }
}
