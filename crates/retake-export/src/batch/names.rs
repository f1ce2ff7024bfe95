//! What the films of a batch are called: a folder that they go into, or a pattern with fields.

use crate::objects::object_address;
use retake_libav::Container;
use retake_media::Codec;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf, is_separator};

/// How films are named in a folder that was given without a pattern: as their sources, in folders as these.
const IN_A_FOLDER: &str = "{folder}/{stem}.{ext}";

/// Names for the films of a batch: a folder, or a pattern with the fields `{stem}` (the name of the source
/// without its ending), `{ext}` (the ending of the source where such a container can be written and holds the
/// codec, else `mkv`), `{folder}` (the folders between the one that was searched and the source), and
/// `{codec}`. `{{` and `}}` are braces.
///
/// ```
/// # use retake_export::batch::OutputNames;
/// # use std::path::Path;
/// # fn main() -> Result<(), retake_export::batch::NameError> {
/// assert!(OutputNames::of(Path::new("film.mp4"))?.is_none(), "one file");
/// assert!(OutputNames::of(Path::new("out/"))?.is_some());
/// assert!(OutputNames::of(Path::new("out/{stem}.{codec}.mp4"))?.is_some());
/// assert!(OutputNames::of(Path::new("out/{stem}.{year}.mp4")).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputNames(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(OsString),
    Field(Field),
    /// A separator that is left out behind an empty folder.
    Separator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Stem,
    Ext,
    Folder,
    Codec,
}

impl Field {
    const ALL: [(&'static str, Self); 4] =
        [("stem", Self::Stem), ("ext", Self::Ext), ("folder", Self::Folder), ("codec", Self::Codec)];

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, field)| (known == name).then_some(field))
    }
}

/// Why a text is no pattern of names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is no such field.
    #[error("{{{field}}} is no field of names: there are {{stem}}, {{ext}}, {{folder}} and {{codec}}")]
    UnknownField {
        /// What stands between the braces.
        field: String,
    },
    /// A brace without its partner.
    #[error("{pattern}: a brace is alone: double it where it is meant as one")]
    LoneBrace {
        /// The pattern.
        pattern: String,
    },
}

impl OutputNames {
    /// Names for films that go into this folder, as their sources are called.
    pub fn into_folder(folder: impl AsRef<Path>) -> Self {
        let mut text = folder.as_ref().as_os_str().to_owned();
        if !text.is_empty() && !ends_in_separator(&text) {
            text.push("/");
        }
        Self([Piece::Text(text)].into_iter().chain(in_a_folder()).collect())
    }

    /// What an output means: a folder where it ends with a separator or where there is one; a pattern where a
    /// field stands in it; `None` where it is the name of one file. A folder that is there under the name of
    /// a film (`film.mp4`) counts only with the separator, because it is more often a mistake.
    ///
    /// # Errors
    /// [`NameError`] for a pattern with a field that there is not, or a brace that is alone.
    pub fn of(output: &Path) -> Result<Option<Self>, NameError> {
        let is_folder = ends_in_separator(output.as_os_str())
            || (object_address(output).is_none() && output.is_dir() && Container::from_path(output).is_err());
        let fields = output.to_str().filter(|text| has_field(text));
        Ok(match (fields, is_folder) {
            (Some(pattern), false) => Some(Self(parse(pattern)?)),
            (Some(pattern), true) => Some(Self(parse(pattern)?.into_iter().chain(in_a_folder()).collect())),
            (None, true) => Some(Self::into_folder(output)),
            (None, false) => None,
        })
    }

    /// The film that becomes of a source, which lies so many folders below the one that was searched.
    pub(crate) fn output_of(&self, source: &Path, below: &Path, codec: Codec) -> PathBuf {
        let stem = source.file_stem().unwrap_or_default();
        let ending = source.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        let ending = ending.filter(|_| Container::from_path(source).is_ok_and(|kind| kind.can_hold(codec)));
        let ending = ending.as_deref().unwrap_or("mkv");
        let mut name = OsString::new();
        let mut left_out = false;
        for piece in &self.0 {
            let before = std::mem::take(&mut left_out);
            match piece {
                Piece::Text(text) => name.push(text),
                Piece::Field(Field::Stem) => name.push(stem),
                Piece::Field(Field::Ext) => name.push(ending),
                Piece::Field(Field::Codec) => name.push(codec.name()),
                Piece::Field(Field::Folder) => {
                    name.push(below);
                    left_out = below.as_os_str().is_empty();
                }
                Piece::Separator if before => {}
                Piece::Separator => name.push("/"),
            }
        }
        name.into()
    }

    /// The folder that all the names lie in, as far as it is the same for all.
    pub(crate) fn folder(&self) -> PathBuf {
        let Some(Piece::Text(text)) = self.0.first() else { return PathBuf::new() };
        let path = Path::new(text);
        match ends_in_separator(text) {
            true => path.to_owned(),
            false => path.parent().unwrap_or(Path::new("")).to_owned(),
        }
    }
}

fn in_a_folder() -> Vec<Piece> {
    parse(IN_A_FOLDER).expect("it has known fields and no brace alone")
}

fn ends_in_separator(text: &OsStr) -> bool {
    text.to_string_lossy().ends_with(is_separator)
}

/// Whether there is a field that is known: braces alone may stand in the name of any file.
fn has_field(text: &str) -> bool {
    Field::ALL.into_iter().any(|(name, _)| text.contains(&format!("{{{name}}}")))
}

fn parse(pattern: &str) -> Result<Vec<Piece>, NameError> {
    let lone = || NameError::LoneBrace { pattern: pattern.to_owned() };
    let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), pattern);
    while let Some(at) = rest.find(['{', '}']) {
        text += &rest[..at];
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix(brace) {
            text += brace;
            rest = behind;
            continue;
        }
        let (name, behind) = rest.split_once('}').filter(|_| brace == "{").ok_or_else(lone)?;
        let field = Field::of(name).ok_or_else(|| NameError::UnknownField { field: name.to_owned() })?;
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text).into()));
        }
        pieces.push(Piece::Field(field));
        rest = behind;
        if let (Field::Folder, Some(behind)) = (field, rest.strip_prefix(is_separator)) {
            pieces.push(Piece::Separator);
            rest = behind;
        }
    }
    text += rest;
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(output: &str, source: &str, below: &str) -> String {
        let names = OutputNames::of(Path::new(output)).unwrap().expect("no name of one file");
        names.output_of(Path::new(source), Path::new(below), Codec::H264).to_str().unwrap().to_owned()
    }

    #[test]
    fn films_go_into_folders_under_the_names_of_their_sources() {
        assert_eq!(name("out/", "films/a.b.MKV", ""), "out/a.b.mkv");
        assert_eq!(name("out/", "films/old/a.mp4", "old"), "out/old/a.mp4");
        // no container of H.264, and none that can be written
        assert_eq!(name("out/", "films/a.webm", ""), "out/a.mkv");
        assert_eq!(name("out/", "films/a.ts", "old/x"), "out/old/x/a.mkv");
        assert_eq!(name("s3://bucket/out/", "a.mov", ""), "s3://bucket/out/a.mov");
        assert_eq!(name("{codec}/", "a.mov", ""), "h264/a.mov");
    }

    #[test]
    fn patterns_have_fields() {
        assert_eq!(name("out/{stem}-small.mp4", "films/a.mkv", "old"), "out/a-small.mp4");
        assert_eq!(name("{folder}/{stem}.{codec}.{ext}", "films/a.mkv", ""), "a.h264.mkv");
        assert_eq!(name("{folder}/{stem}.{codec}.{ext}", "films/a.mkv", "old"), "old/a.h264.mkv");
        assert_eq!(name("{{{stem}}}.mkv", "a.mkv", ""), "{a}.mkv");
        let refused = |text: &str| OutputNames::of(Path::new(text)).unwrap_err();
        assert_eq!(refused("{stem}.{year}.mkv"), NameError::UnknownField { field: "year".into() });
        for text in ["{stem}.{", "{stem}}.mkv", "{stem}.{mkv"] {
            assert_eq!(refused(text), NameError::LoneBrace { pattern: text.into() });
        }
        // braces that are no field are part of a name
        for one in ["film.mp4", "a{b}.mp4", "none"] {
            assert_eq!(OutputNames::of(Path::new(one)), Ok(None), "{one}");
        }
    }

    #[test]
    fn the_folder_of_all_names() {
        let folder = |text: &str| OutputNames::of(Path::new(text)).unwrap().unwrap().folder();
        assert_eq!(folder("out/"), Path::new("out/"));
        assert_eq!(folder("out/{codec}/x/{stem}.mkv"), Path::new("out/"));
        assert_eq!(folder("out/a-{stem}.mkv"), Path::new("out"));
        assert_eq!(folder("{stem}.mkv"), Path::new(""));
    }
}
