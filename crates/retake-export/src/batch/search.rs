//! Which films there are in a folder.
//!
//! What libavformat can open and decode a first picture of is a film, whatever its name; still pictures,
//! texts and sound are none. A file that is called as films are and cannot be opened is taken for one, too,
//! because it is a damaged film rather than something else, and its failure must be told.

use super::settling::Growth;
use crate::job::stamp;
use crate::output::hls::names::is_media;
use crate::records::place::records_of;
use retake_compression::durable::entries;
use retake_libav::{Access, FilmInfo, MediaError, probe_with};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file in a folder that is searched.
#[derive(Debug, Clone)]
pub(crate) struct FoundFile {
    pub(crate) path: PathBuf,
    /// The folders between the one that is searched and the file.
    pub(crate) below: PathBuf,
    pub(crate) growth: Growth,
}

/// Something in a folder that is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The file or folder.
    pub path: PathBuf,
    /// Why it is not taken.
    pub reason: WhyLeftOut,
}

/// Why something in a folder is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhyLeftOut {
    /// It holds no moving pictures, or cannot be opened.
    #[error("no film ({0})")]
    NoFilm(String),
    /// It is what another film of the batch becomes.
    #[error("it is what {} becomes", .0.display())]
    OutputOf(PathBuf),
    /// Retake made it, and it lies where films of the batch go.
    #[error("an earlier output")]
    EarlierOutput,
    /// Its name says that somebody still writes it.
    #[error("its name says that it is not complete")]
    Incomplete,
    /// A folder that is not searched: because folders below are not, or because it is a link.
    #[error("a folder that is not searched")]
    Folder,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<FoundFile>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Endings of files that are still written, by browsers and programs that copy.
const INCOMPLETE: [&str; 8] = ["part", "partial", "crdownload", "download", "tmp", "filepart", "!qb", "!ut"];
/// Endings of what stands beside films of this program.
const OURS: [&str; 5] = [".retake", ".retake-takes", ".retake.json", ".retake.html", ".retake-finished"];
/// Endings of films: a file with one of these that cannot be opened is told as a film that fails.
const FILMS: [&str; 18] = [
    "mp4", "m4v", "mov", "qt", "mkv", "webm", "avi", "ts", "m2ts", "mts", "mpg", "mpeg", "vob", "wmv", "flv",
    "mxf", "ogv", "3gp",
];

/// Lists the files of a folder, by their names in order, with those of the folders below where that is asked
/// for. `outputs` is the folder that films go to: where it lies below, it is passed over. Hidden files and
/// folders (`.name`), and what Retake keeps beside its films, are no part of it.
pub(crate) fn list(folder: &Path, recursive: bool, outputs: &Path) -> io::Result<Listing> {
    let outputs = canonical(outputs);
    let mut listing = Listing::default();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let within = folder.join(&below);
        let mut found = match entries(&within) {
            Ok(found) => found,
            // somebody removed it meanwhile
            Err(error) if error.kind() == io::ErrorKind::NotFound && !below.as_os_str().is_empty() => {
                continue;
            }
            Err(error) => return Err(error),
        };
        found.sort_by_key(fs::DirEntry::file_name);
        let mut deeper = Vec::new();
        for entry in found {
            let (path, name) = (entry.path(), entry.file_name());
            let shown = name.to_string_lossy();
            if shown.starts_with('.') || OURS.iter().any(|ending| shown.ends_with(ending)) {
                continue;
            }
            let leave = |reason| LeftOut { path: path.clone(), reason };
            // what a link leads to; one that leads nowhere is nothing
            let Ok(what) = path.metadata() else { continue };
            if what.is_dir() {
                let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                if canonical(&path).is_some_and(|path| Some(path) == outputs) || is_media(&path) {
                    continue;
                }
                match recursive && !is_link {
                    true => deeper.push(below.join(&name)),
                    false => listing.left_out.push(leave(WhyLeftOut::Folder)),
                }
            } else if what.is_file() {
                if has_ending(&path, &INCOMPLETE) {
                    listing.left_out.push(leave(WhyLeftOut::Incomplete));
                    continue;
                }
                let growth = Growth { bytes: what.len(), modified: what.modified().ok() };
                listing.files.push(FoundFile { path, below: below.clone(), growth });
            }
        }
        // the first of them comes next
        folders.extend(deeper.into_iter().rev());
    }
    Ok(listing)
}

/// Tells why a file of a folder is not taken; nothing of a film. `outputs` is the folder that films go to.
///
/// # Errors
/// [`MediaError::Interrupted`].
pub(crate) fn why_left_out(
    path: &Path,
    outputs: &Path,
    access: &Access,
) -> Result<Option<WhyLeftOut>, MediaError> {
    if is_earlier_output(path, outputs) {
        return Ok(Some(WhyLeftOut::EarlierOutput));
    }
    Ok(match probe_with(path, access) {
        Ok(film) if is_still(&film) => Some(WhyLeftOut::NoFilm("a picture or a text".into())),
        Ok(_) => None,
        Err(error @ MediaError::Interrupted { .. }) => return Err(error),
        Err(MediaError::NoVideo { tracks, .. }) => Some(WhyLeftOut::NoFilm(format!("it holds {tracks}"))),
        Err(MediaError::References { .. }) => {
            Some(WhyLeftOut::NoFilm("a list that names other files".into()))
        }
        Err(_) if has_ending(path, &FILMS) => None,
        Err(_) => Some(WhyLeftOut::NoFilm("it cannot be opened".into())),
    })
}

/// A film that Retake made, in the folder that outputs go to. Elsewhere such a film is as good a source as
/// any: of an archive that Retake made others are made.
fn is_earlier_output(path: &Path, outputs: &Path) -> bool {
    let folder = canonical(path.parent().unwrap_or(Path::new("")));
    let among = folder.zip(canonical(outputs)).is_some_and(|(folder, outputs)| folder.starts_with(outputs));
    among && (stamp::is_there(path) || records_of(path).is_file())
}

/// Readers of pictures and texts of libavformat give out films of one picture, or of pictures of letters.
fn is_still(film: &FilmInfo) -> bool {
    const STILL: [&str; 10] = ["image2", "gif", "apng", "ico", "tty", "xbin", "bin", "adf", "idf", "webp"];
    let container = film.container.as_str();
    container.ends_with("_pipe") || STILL.contains(&container) || film.video.frames_hint == Some(1)
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// The path without links; nothing where there is no such thing. The empty path is the working folder.
pub(crate) fn canonical(path: &Path) -> Option<PathBuf> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    path.canonicalize().ok()
}
