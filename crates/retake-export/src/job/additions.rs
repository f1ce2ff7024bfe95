//! What goes into a film from elsewhere than its source: sound, subtitles, chapters, a cover and tags.

use super::chapters;
use super::tracks::{TrackError, is_language};
use crate::error::{ExportError, RequestError};
use retake_libav::{Access, CoverFile, FilmInfo, SoundFile, SubtitleFile, keeps_for_film};
use retake_media::Time;
use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How the names of files of subtitles end.
const ENDINGS: [&str; 4] = [".srt", ".ass", ".ssa", ".vtt"];

/// How the names of files end that hold sound, films among them.
const SOUND_ENDINGS: [&str; 36] = [
    ".aac", ".ac3", ".aif", ".aiff", ".alac", ".avi", ".caf", ".dts", ".eac3", ".ec3", ".flac", ".m2ts",
    ".m4a", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpg", ".mts", ".oga", ".ogg", ".ogv",
    ".opus", ".thd", ".ts", ".tta", ".vob", ".w64", ".wav", ".webm", ".wma", ".wmv", ".wv",
];

/// A file of subtitles that goes into a film.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddedSubtitles {
    /// The file: SubRip, ASS or WebVTT, in UTF-8, or in UTF-16 with a mark of the order of its bytes.
    pub path: PathBuf,
    /// The language, as a code of ISO 639 or a tag of BCP 47. Default: none.
    pub language: Option<String>,
    /// The name of the track, for people who choose one. Default: none.
    pub title: Option<String>,
}

impl AddedSubtitles {
    /// Names a file, whose language nobody says.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), language: None, title: None }
    }

    /// Says the language and the name.
    #[must_use]
    pub fn named(self, language: Option<String>, title: Option<String>) -> Self {
        Self { language, title, ..self }
    }
}

impl fmt::Display for AddedSubtitles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, &self.path, self.language.as_deref(), self.title.as_deref())
    }
}

/// A track of sound of another file that goes into a film.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddedAudio {
    /// The file: sound, or a film with sound. Of several tracks the first is taken that is marked as default,
    /// else the first.
    pub path: PathBuf,
    /// The language, as a code of ISO 639 or a tag of BCP 47. Default: what the file says.
    pub language: Option<String>,
    /// The name of the track, for people who choose one. Default: what the file says.
    pub title: Option<String>,
}

impl AddedAudio {
    /// Names a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), language: None, title: None }
    }

    /// Says the language and the name.
    #[must_use]
    pub fn named(self, language: Option<String>, title: Option<String>) -> Self {
        Self { language, title, ..self }
    }
}

impl fmt::Display for AddedAudio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, &self.path, self.language.as_deref(), self.title.as_deref())
    }
}

impl FromStr for AddedAudio {
    type Err = TrackError;

    /// Reads `FILE[:LANGUAGE[:NAME]]`; LANGUAGE may be left empty. The name of the file ends where an ending
    /// of films and of sound does, so that it may have colons in it; one without a colon may end as it likes.
    fn from_str(text: &str) -> Result<Self, TrackError> {
        if !text.is_empty() && !text.contains(':') {
            return Ok(Self::new(text));
        }
        let (path, language, title) =
            parts(text, &SOUND_ENDINGS)?.ok_or_else(|| TrackError::SoundFile { text: text.into() })?;
        Ok(Self::new(path).named(language, title))
    }
}

/// Writes a file with its language and its name.
fn show(f: &mut fmt::Formatter<'_>, path: &Path, language: Option<&str>, title: Option<&str>) -> fmt::Result {
    f.write_str(&path.to_string_lossy())?;
    match (language, title) {
        (None, None) => Ok(()),
        (language, None) => write!(f, ":{}", language.unwrap_or_default()),
        (language, Some(title)) => write!(f, ":{}:{title}", language.unwrap_or_default()),
    }
}

/// A file, its language and its name.
type Named<'a> = (&'a str, Option<String>, Option<String>);

/// Reads `FILE[:LANGUAGE[:NAME]]`, where FILE ends with one of these; `None` where none is there.
fn parts<'a>(text: &'a str, endings: &[&str]) -> Result<Option<Named<'a>>, TrackError> {
    let lower = text.to_ascii_lowercase();
    let ends = endings.iter().flat_map(|ending| lower.match_indices(ending));
    let ends = ends.map(|(at, ending)| at + ending.len());
    let end = ends.filter(|end| text.len() == *end || text[*end..].starts_with(':')).min();
    let Some(end) = end else { return Ok(None) };
    let (path, rest) = (&text[..end], text[end..].strip_prefix(':').unwrap_or_default());
    let (language, title) = rest.split_once(':').unwrap_or((rest, ""));
    if !language.is_empty() && !is_language(language) {
        return Err(TrackError::Language { text: language.into() });
    }
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(Some((path, given(language), given(title))))
}

impl FromStr for AddedSubtitles {
    type Err = TrackError;

    /// Reads `FILE[:LANGUAGE[:NAME]]`; LANGUAGE may be left empty. The name of the file ends where an ending
    /// of files of subtitles does, so that it may have colons in it.
    fn from_str(text: &str) -> Result<Self, TrackError> {
        let (path, language, title) =
            parts(text, &ENDINGS)?.ok_or_else(|| TrackError::SubtitleFile { text: text.into() })?;
        Ok(Self::new(path).named(language, title))
    }
}

/// Which chapters a film has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ChapterChoice {
    /// Those of its source.
    #[default]
    Source,
    /// None.
    Nothing,
    /// Those of a file: FFmpeg's metadata, a list as mkvmerge has it (`CHAPTER01=00:05:00.000`,
    /// `CHAPTER01NAME=Evening`), or lines of a time and a name (`0:05:00 Evening`).
    File(PathBuf),
}

impl FromStr for ChapterChoice {
    type Err = Infallible;

    /// Reads `none` or the name of a file.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "none" { Self::Nothing } else { Self::File(text.into()) })
    }
}

/// All that goes into a film from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Additions {
    pub audio: Vec<AddedAudio>,
    pub subtitles: Vec<AddedSubtitles>,
    pub chapters: ChapterChoice,
    pub cover: Option<PathBuf>,
    /// Tags of the film by name and value; an empty value takes one away.
    pub tags: Vec<(String, String)>,
}

impl Additions {
    /// What can be refused before any file is looked at.
    pub(crate) fn check(&self) -> Result<(), RequestError> {
        let wrong = |name: &str| {
            let letters = name.chars().all(|letter| !letter.is_control() && letter != '=');
            name.trim().is_empty() || !letters || !keeps_for_film(name)
        };
        match self.tags.iter().find(|(name, value)| wrong(name) || value.contains('\0')) {
            Some((name, _)) => Err(RequestError::Tag { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// Adds all of it to a film, and returns notes about what cannot be.
    pub(crate) fn add_to(&self, film: &mut FilmInfo, access: &Access) -> Result<Vec<String>, ExportError> {
        let mut notes = Vec::new();
        for added in &self.audio {
            let mut file = SoundFile::open(&added.path, access)?;
            if let Some(language) = &added.language {
                file.set_language(language);
            }
            if let Some(title) = &added.title {
                file.set_title(title);
            }
            if let (number, others @ 1..) = file.place() {
                let (s, are) = if others == 1 { ("", "is") } else { ("s", "are") };
                notes.push(format!(
                    "{}: track {number} is taken; {others} other track{s} of sound in it {are} not",
                    added.path.display()
                ));
            }
            film.add_sound(&file);
        }
        for added in &self.subtitles {
            let mut file = SubtitleFile::open(&added.path, access)?;
            file.set_language(added.language.clone());
            file.set_title(added.title.clone());
            film.add_subtitles(&file);
        }
        if let Some(cover) = &self.cover {
            film.set_cover(&CoverFile::open(cover, access)?);
        }
        match &self.chapters {
            ChapterChoice::Source => {}
            ChapterChoice::Nothing => film.set_chapters(Vec::new()),
            ChapterChoice::File(path) => {
                let chapters = chapters::read(path, access)?;
                // of a part of a film chapters elsewhere are none of it
                let whole = film.duration.filter(|_| film.time_range().is_none());
                let beyond = |start: Time| whole.is_some_and(|seconds| start.seconds() >= seconds);
                match chapters.iter().filter(|chapter| beyond(chapter.range.start)).count() {
                    0 => {}
                    1 => notes.push("a chapter begins behind the end of the film: left out".into()),
                    count => {
                        notes.push(format!("{count} chapters begin behind the end of the film: left out"))
                    }
                }
                film.set_chapters(chapters);
            }
        }
        for (name, value) in &self.tags {
            film.tags.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            if !value.is_empty() {
                film.tags.push((name.clone(), value.clone()));
            }
        }
        Ok(notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_sound_are_named_with_language_and_title() {
        for (text, path, language, title) in [
            ("a.wav", "a.wav", None, None),
            ("sound without an ending", "sound without an ending", None, None),
            ("c:/a.mkv.b/x.M4A:deu", "c:/a.mkv.b/x.M4A", Some("deu"), None),
            ("dub.mkv::Director: yes", "dub.mkv", None, Some("Director: yes")),
        ] {
            let read: AddedAudio = text.parse().unwrap();
            let expected = AddedAudio::new(path).named(language.map(Into::into), title.map(Into::into));
            assert_eq!(read, expected, "{text}");
            assert_eq!(read.to_string(), text);
        }
        for wrong in ["", "a.wav:german", "a.xyz:deu", ":deu"] {
            assert!(wrong.parse::<AddedAudio>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn files_of_subtitles_are_named_with_language_and_title() {
        for (text, path, language, title) in [
            ("a.srt", "a.srt", None, None),
            ("c:/a.b/x.SRT:deu", "c:/a.b/x.SRT", Some("deu"), None),
            ("a.srt.ass:en-GB:For all: yes", "a.srt.ass", Some("en-GB"), Some("For all: yes")),
            ("a.vtt::Name", "a.vtt", None, Some("Name")),
        ] {
            let read: AddedSubtitles = text.parse().unwrap();
            let expected = AddedSubtitles::new(path).named(language.map(Into::into), title.map(Into::into));
            assert_eq!(read, expected, "{text}");
            assert_eq!(read.to_string(), text);
        }
        for wrong in ["", "a.txt", "a", "a.srt:german", "a.srt2", "a.txt:deu"] {
            assert!(wrong.parse::<AddedSubtitles>().is_err(), "{wrong}");
        }
    }
}
