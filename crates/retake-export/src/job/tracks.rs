//! Which tracks of the source are meant, and which of them go into the film.

use crate::output::hls::languages;
use retake_libav::{FilmInfo, TrackInfo, TrackKind};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use thiserror::Error;

/// Which tracks of one kind are meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum TrackSelector {
    /// All that nothing else is said of.
    #[default]
    All,
    /// Those in a language, by its code of two or three letters (ISO 639) or its tag (BCP 47).
    Language(String),
    /// The one with this number in the source, from 0, as messages have it.
    Number(u32),
}

impl TrackSelector {
    /// Tells whether a track is meant.
    pub(crate) fn holds(&self, track: &TrackInfo) -> bool {
        match self {
            Self::All => true,
            Self::Language(wanted) => {
                let own = track.language.as_deref().and_then(languages::tag);
                let (own, wanted) = (own.unwrap_or_default().to_ascii_lowercase(), primary(wanted));
                own == wanted || own.split('-').next() == Some(&wanted)
            }
            Self::Number(number) => track.index == *number,
        }
    }
}

/// Returns a language in the words that those of tracks are compared with.
fn primary(language: &str) -> String {
    languages::tag(language).unwrap_or_default().to_ascii_lowercase()
}

impl fmt::Display for TrackSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::Language(language) => f.write_str(language),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// Writes what [`selected`] reads.
pub(crate) fn with_selector(tracks: &TrackSelector, how: impl fmt::Display) -> String {
    match tracks {
        TrackSelector::All => how.to_string(),
        tracks => format!("{tracks}={how}"),
    }
}

/// Reads `[WHICH=]HOW`, where WHICH is a number or a language. `None` where WHICH is neither.
pub(crate) fn selected(text: &str) -> Option<(TrackSelector, &str)> {
    let Some((which, how)) = text.split_once('=') else { return Some((TrackSelector::All, text)) };
    if !which.is_empty() && which.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((TrackSelector::Number(which.parse().ok()?), how));
    }
    let mut parts = which.split('-');
    let code = parts.next().unwrap_or_default();
    let letters = (2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    let rest = parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (letters && rest && code != "und").then(|| (TrackSelector::Language(which.to_ascii_lowercase()), how))
}

/// Returns the last of the most special rules that hold for a track.
pub(crate) fn rule_for<'a, R>(
    rules: &'a [R],
    selector: impl Fn(&R) -> &TrackSelector,
    track: &TrackInfo,
) -> Option<&'a R> {
    let special = |rule: &R| match selector(rule) {
        TrackSelector::All => 0,
        TrackSelector::Language(_) => 1,
        TrackSelector::Number(_) => 2,
    };
    // of equal ones the last is found
    rules.iter().filter(|rule| selector(rule).holds(track)).max_by_key(|rule| special(rule))
}

/// Whether tracks of subtitles go into the film.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubtitleRule {
    /// Which tracks.
    pub tracks: TrackSelector,
    /// Whether they are copied, and not left out.
    pub keep: bool,
}

impl SubtitleRule {
    /// Says whether these tracks are copied.
    pub const fn new(tracks: TrackSelector, keep: bool) -> Self {
        Self { tracks, keep }
    }
}

impl fmt::Display for SubtitleRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_selector(&self.tracks, if self.keep { "copy" } else { "none" }))
    }
}

impl FromStr for SubtitleRule {
    type Err = TrackError;

    /// Reads `[WHICH=]copy` or `[WHICH=]none`.
    fn from_str(text: &str) -> Result<Self, TrackError> {
        let wrong = || TrackError::Subtitles { text: text.into() };
        let (tracks, how) = selected(text).ok_or_else(wrong)?;
        match how {
            "copy" => Ok(Self::new(tracks, true)),
            "none" => Ok(Self::new(tracks, false)),
            _ => Err(wrong()),
        }
    }
}

/// Tells whether a track goes into the film, as far as these rules say.
pub(crate) fn is_kept(rules: &[SubtitleRule], track: &TrackInfo) -> bool {
    track.kind != TrackKind::Subtitle
        || rule_for(rules, |rule| &rule.tracks, track).is_none_or(|rule| rule.keep)
}

/// Refuses rules about tracks that are not there.
pub(crate) fn check<'a>(
    selectors: impl Iterator<Item = &'a TrackSelector>,
    film: &FilmInfo,
    kind: TrackKind,
) -> Result<(), TrackError> {
    let known: Vec<&TrackInfo> = film.tracks.iter().filter(|track| track.kind == kind).collect();
    let missing = |selector: &&TrackSelector| {
        **selector != TrackSelector::All && !known.iter().any(|track| selector.holds(track))
    };
    match selectors.into_iter().find(missing) {
        None => Ok(()),
        Some(selector) => Err(TrackError::NoSuchTrack {
            input: film.path.clone(),
            selector: selector.to_string(),
            kind: if kind == TrackKind::Audio { "sound" } else { "subtitles" },
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

/// What is wrong with what is asked for of tracks.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TrackError {
    /// It says nothing that can become of subtitles.
    #[error("'{text}' is neither copy nor none, with TRACK= or LANGUAGE= before it or not")]
    Subtitles {
        /// What was said.
        text: String,
    },
    /// The source has no such track.
    #[error("{input}: there is no {kind} '{selector}': {}", list(.known))]
    NoSuchTrack {
        /// The source.
        input: PathBuf,
        /// What was named.
        selector: String,
        /// The kind of track that was looked for.
        kind: &'static str,
        /// The tracks of that kind that there are.
        known: Vec<String>,
    },
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) }
}
