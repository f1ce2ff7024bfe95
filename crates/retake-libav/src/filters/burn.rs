//! Subtitles that are drawn into the pictures: texts by libass, and pictures (`picture_cues.rs`,
//! `overlay.rs`).
//!
//! The texts are read here, through the one door by which films are opened, and handed to libavfilter as a
//! file of its own in ASS, with times on the clock of the graph. FFmpeg's filter of subtitles would open the
//! film by its name instead, and whatever that names; libass opens nothing. The two place texts a fraction of
//! a pixel apart.

use super::graph::has;
use super::picture_cues::{self, ReadCues};
use super::{FilterError, FilterStep};
use crate::access::Access;
use crate::beside::SubtitleFile;
use crate::cues::{Shown, Texts, read_texts};
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, TrackInfo, TrackKind, time_to_ticks};
use crate::input::Input;
use crate::output::{Output, Stamps, Subtitles};
use retake_media::Time;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Which subtitles are drawn into the pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Burn {
    /// The track of subtitles with this number in the film, from 0: text or pictures.
    Track(u32),
    /// A file: SubRip, ASS or WebVTT. Its times count from the start of the film.
    File(PathBuf),
}

/// What is drawn into the pictures of a film.
pub(super) enum Drawn {
    /// A file of ASS, which libass draws.
    Texts(String),
    /// Pictures, which are laid over those of the film.
    Pictures(ReadCues),
}

/// Reads what is drawn, with times that count from `origin` on the clock of the film.
pub(super) fn read(film: &FilmInfo, burn: &Burn, origin: Time) -> Result<Drawn, MediaError> {
    if let Burn::Track(number) = burn {
        let refuse = |source| MediaError::Filter { file: film.path.clone(), source };
        let track = track(film, *number).map_err(refuse)?;
        if !track.text {
            if !film.seekable {
                return Err(MediaError::NotSeekable { file: film.path.clone() });
            }
            return picture_cues::read(film, track, origin).map(Drawn::Pictures);
        }
    }
    if !has("ass") {
        let source = FilterError::Missing { step: FilterStep::Burn, filter: "ass" };
        return Err(MediaError::Filter { file: film.path.clone(), source });
    }
    texts(film, burn, origin).map(Drawn::Texts)
}

/// Reads the texts as a file of ASS, whose times count from `origin` on the clock of the film.
fn texts(film: &FilmInfo, burn: &Burn, origin: Time) -> Result<String, MediaError> {
    let refuse = |source| MediaError::Filter { file: film.path.clone(), source };
    let internal = |failure: Failure| refuse(FilterError::Texts { detail: failure.message().to_owned() });
    let (from, track) = match burn {
        Burn::Track(number) => (film.clone(), track(film, *number).map_err(refuse)?.clone()),
        Burn::File(path) => {
            let file = SubtitleFile::open(path, &Access::new())?;
            let file = file.on_clock_of(film);
            let track = file.tracks[0].clone();
            (file, track)
        }
    };
    if !from.seekable {
        return Err(MediaError::NotSeekable { file: from.path });
    }
    let input = Input::open_again(&from)?;
    let mut output = Output::in_memory("ass").map_err(internal)?;
    let mut subtitles = Subtitles::open(&input, track.index, "ass", &mut output).map_err(internal)?;
    output.header().map_err(internal)?;
    let texts = read_texts(&from, &track, input, Some(&mut subtitles))?;
    let many = || FilterError::Texts { detail: "there are more than 64 MiB of text".into() };
    let Texts { shown, .. } = texts.ok_or_else(many).map_err(refuse)?;
    let base = track.time_base;
    let origin = time_to_ticks(origin, base).unwrap_or(0);
    for Shown { from, until, text, .. } in shown {
        let (from, until) = (from - origin, until - origin);
        if until <= 0 {
            continue;
        }
        let stamps = Stamps { pts: from.max(0), dts: from.max(0), duration: until - from.max(0) };
        output.write(subtitles.track(), base, stamps, true, false, &text).map_err(internal)?;
    }
    let text = output.finish_in_memory().map_err(internal)?;
    // FFmpeg leaves out what is no UTF-8, and libass would draw something else.
    String::from_utf8(text).map_err(|error| refuse(FilterError::Texts { detail: error.to_string() }))
}

/// Finds a track of subtitles.
fn track(film: &FilmInfo, number: u32) -> Result<&TrackInfo, FilterError> {
    let texts = || film.tracks.iter().filter(|track| track.kind == TrackKind::Subtitle);
    let found = texts().find(|track| track.index == number);
    found.ok_or_else(|| {
        let known: Vec<String> = texts().map(ToString::to_string).collect();
        FilterError::NoSuchTexts { number, known }
    })
}

/// Writes texts to a file that is gone when the answer is dropped: libass reads it when a graph is opened.
pub(super) fn temporary(texts: &str) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("retake-").suffix(".ass").tempfile()?;
    file.write_all(texts.as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// Returns the step of a graph that draws the texts of a file.
pub(super) fn step(path: &Path) -> Option<String> {
    Some(format!("ass=filename={}", escaped(path.to_str()?)))
}

/// Returns a value as options of graphs have it: once for the option, and once for the graph.
fn escaped(value: &str) -> String {
    let once = |text: &str, special: &str| -> String {
        text.chars().flat_map(|c| special.contains(c).then_some('\\').into_iter().chain([c])).collect()
    };
    once(&once(value, "\\':"), "\\'[],;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_in_graphs() {
        assert_eq!(escaped("/tmp/a.ass"), "/tmp/a.ass");
        assert_eq!(escaped("a:b'c[1],d;e"), r"a\\:b\\\'c\[1\]\,d\;e");
    }
}
