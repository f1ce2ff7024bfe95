//! Several films in one go: which there are, what they are called, and one after another.
//!
//! Films come one after another: the takes of a film fill the machine, and its budgets of takes and memory
//! are those of the machine. Two films at once would have to share them, take by take. That would be worth it
//! for short films alone, whose takes are few (`docs/batch.md` has numbers).

mod names;
mod run;
mod search;
mod settling;
mod watch;

pub use names::{NameError, OutputNames};
pub use run::{BatchClient, FilmEnd, FilmResult, MadeFolders};
pub use search::{LeftOut, WhyLeftOut};
pub use watch::Watch;

use crate::objects::{ObjectStore, object_address};
use crate::stop::StopFlag;
use retake_libav::is_pipe;
use retake_media::Codec;
use search::{Listing, canonical, list, why_left_out};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A film of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFilm {
    /// The source.
    pub input: PathBuf,
    /// The film that is made of it.
    pub output: PathBuf,
}

/// How films are looked for, and what they become.
#[derive(Debug, Clone)]
pub struct BatchRules {
    /// What the films are called.
    pub names: OutputNames,
    /// What they are encoded as: not every container holds every codec.
    pub codec: Codec,
    /// Whether folders below those that are given are searched, too. Links to folders are not followed.
    pub recursive: bool,
    /// Whether playlists that name other files are films, as [`ExportBuilder::allow_references`] has it.
    ///
    /// [`ExportBuilder::allow_references`]: crate::ExportBuilder::allow_references
    pub references: bool,
}

/// Films that are made in one go.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    films: Vec<BatchFilm>,
    left_out: Vec<LeftOut>,
}

/// Why a batch cannot begin. Nothing was encoded, and nothing that was there has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Two sources would become the same film.
    #[error("{} and {} would both become {}: other names are needed", .first.display(), .second.display(), .output.display())]
    SameOutput {
        /// One source.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
        /// The film.
        output: PathBuf,
    },
    /// A source that was named is what another one becomes.
    #[error("{}: it is what {} becomes, so it cannot be a source", .input.display(), .of.display())]
    InputIsOutput {
        /// The source.
        input: PathBuf,
        /// What becomes it.
        of: PathBuf,
    },
    /// A pipe or standard input among several films: it has no name that a film could have.
    #[error("{}: a pipe has no name that a film could have: encode it alone, and name its film", .input.display())]
    Pipe {
        /// The input.
        input: PathBuf,
    },
    /// A file or folder could not be looked at.
    #[error("{}: {source}", .path.display())]
    Look {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no film in what was given.
    #[error("no film in {}", .0)]
    NoFilms(
        /// What was given.
        String,
    ),
    /// It was stopped before anything began.
    #[error("stopped")]
    Stopped,
}

/// A source, and where it was found.
struct Source {
    path: PathBuf,
    below: PathBuf,
    /// Whether it was found in a folder, and not named.
    found: bool,
}

impl Batch {
    /// Finds out which films there are in files and folders, and what they become. A file that is named is
    /// taken as it is; in folders, films are looked for. Folders are searched by name, and films stay in
    /// that order.
    ///
    /// # Errors
    /// [`BatchError`]: all of the batch is refused.
    pub fn plan(inputs: &[PathBuf], rules: &BatchRules, stop: &StopFlag) -> Result<Self, BatchError> {
        let outputs = rules.names.folder();
        let access = stop.access(rules.references, None::<&Arc<dyn ObjectStore>>);
        let mut batch = Self::default();
        let (mut sources, mut known) = (Vec::new(), BTreeSet::new());
        let itself = |path: &Path| canonical(path).unwrap_or_else(|| path.to_owned());
        for input in inputs {
            let looked = |source| BatchError::Look { path: input.clone(), source };
            let is_object = object_address(input).is_some();
            if !is_object && (input == Path::new("-") || is_pipe(input).unwrap_or(false)) {
                return Err(BatchError::Pipe { input: input.clone() });
            }
            if is_object || !input.metadata().map_err(looked)?.is_dir() {
                // the same film, given twice, is one
                if known.insert(itself(input)) {
                    sources.push(Source { path: input.clone(), below: PathBuf::new(), found: false });
                }
                continue;
            }
            let Listing { files, left_out } = list(input, rules.recursive, &outputs).map_err(looked)?;
            batch.left_out.extend(left_out);
            for file in files {
                let one = itself(&file.path);
                if known.contains(&one) {
                    continue;
                }
                let reason = why_left_out(&file.path, &outputs, &access).map_err(|_| BatchError::Stopped)?;
                if let Some(reason) = reason {
                    batch.left_out.push(LeftOut { path: file.path, reason });
                    continue;
                }
                known.insert(one);
                sources.push(Source { path: file.path, below: file.below, found: true });
            }
        }
        batch.name(sources, rules)?;
        if batch.films.is_empty() {
            let given: Vec<_> = inputs.iter().map(|input| input.to_string_lossy()).collect();
            return Err(BatchError::NoFilms(given.join(", ")));
        }
        Ok(batch)
    }

    /// Gives the films their names.
    fn name(&mut self, sources: Vec<Source>, rules: &BatchRules) -> Result<(), BatchError> {
        let films = sources.into_iter().map(|source| {
            let output = rules.names.output_of(&source.path, &source.below, rules.codec);
            (BatchFilm { input: source.path, output }, source.found)
        });
        let films: Vec<(BatchFilm, bool)> = films.collect();
        let made: BTreeMap<PathBuf, usize> =
            films.iter().enumerate().rev().map(|(number, (film, _))| (place(&film.output), number)).collect();
        let mut names = BTreeMap::new();
        for (number, (film, found)) in films.iter().enumerate() {
            // one that would become itself is refused where it is encoded, by that name
            let of = made.get(&place(&film.input)).filter(|of| **of != number).map(|of| &films[*of].0.input);
            match of {
                Some(of) if *found => {
                    let reason = WhyLeftOut::OutputOf(of.clone());
                    self.left_out.push(LeftOut { path: film.input.clone(), reason });
                    continue;
                }
                Some(of) => {
                    return Err(BatchError::InputIsOutput { input: film.input.clone(), of: of.clone() });
                }
                None => {}
            }
            if let Some(first) = names.insert(place(&film.output), film.input.clone()) {
                let (second, output) = (film.input.clone(), film.output.clone());
                return Err(BatchError::SameOutput { first, second, output });
            }
            self.films.push(film.clone());
        }
        Ok(())
    }

    /// The films, in the order in which they are made.
    pub fn films(&self) -> &[BatchFilm] {
        &self.films
    }

    /// What was found in folders and is not taken.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}

/// By what a path is told from others: without links, as far as its folder is there.
fn place(path: &Path) -> PathBuf {
    if object_address(path).is_some() {
        return path.to_owned();
    }
    let whole = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let Some(name) = path.file_name() else { return whole() };
    // the folder alone: a film that is a link is the place of the link, where another film goes
    canonical(path.parent().unwrap_or(Path::new(""))).map_or_else(whole, |folder| folder.join(name))
}
