//! The films of a batch, one after another. One that fails does not stop the others.

use super::{Batch, BatchFilm};
use crate::api::{ExportBuilder, RunError};
use crate::error::ExportError;
use crate::event::{Event, Summary};
use crate::objects::object_address;
use crate::stop::StopFlag;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Who has the films of a batch made.
pub trait BatchClient {
    /// What goes wrong with one film.
    type Error: From<ExportError>;

    /// Returns the export of a film. Films are numbered from 0.
    ///
    /// # Errors
    /// Whatever the client finds wrong: the film fails with it, and the next one is made.
    fn export(&self, number: usize, film: &BatchFilm) -> Result<ExportBuilder, Self::Error>;

    /// A film is in place. What is made of it, is made here.
    ///
    /// # Errors
    /// Whatever goes wrong: the film counts as failed.
    fn finished(&self, number: usize, film: &BatchFilm, summary: &Summary) -> Result<(), Self::Error> {
        let _ = (number, film, summary);
        Ok(())
    }

    /// Nothing more is done about a film.
    fn ended(&self, number: usize, result: &FilmResult<Self::Error>) {
        let _ = (number, result);
    }
}

/// What became of a film of a batch.
#[derive(Debug)]
pub struct FilmResult<E> {
    /// The film.
    pub film: BatchFilm,
    /// The bytes of the source; `None` where they are not known, as of objects of a store.
    pub source_bytes: Option<u64>,
    /// How it ended.
    pub end: FilmEnd<E>,
    /// The seconds that this run spent on it.
    pub seconds: f64,
}

/// How a film of a batch ended.
#[derive(Debug)]
pub enum FilmEnd<E> {
    /// It was made.
    Made(Box<Summary>),
    /// It had been made before: the same request of the same source has its film at the output.
    MadeBefore(Box<Summary>),
    /// It failed. What was finished is kept, and the same batch carries on from there.
    Failed(E),
    /// The batch was stopped before.
    NotBegun,
}

impl<E> FilmEnd<E> {
    /// How the film became what it is, if it is there.
    pub fn summary(&self) -> Option<&Summary> {
        match self {
            Self::Made(summary) | Self::MadeBefore(summary) => Some(summary),
            Self::Failed(_) | Self::NotBegun => None,
        }
    }
}

impl Batch {
    /// A batch of films whose names are known.
    pub fn of(films: Vec<BatchFilm>) -> Self {
        Self { films, left_out: Vec::new() }
    }

    /// Makes the films one after another, and returns what became of each. Folders of outputs that are not
    /// there are made; those that nothing came into go again. The exports stop when `stop` is raised, and no
    /// further one begins.
    pub fn run<C: BatchClient>(&self, client: &C, stop: &StopFlag) -> Vec<FilmResult<C::Error>> {
        let run = |(number, film): (usize, &BatchFilm)| {
            let began = Instant::now();
            let source_bytes =
                film.input.metadata().ok().filter(fs::Metadata::is_file).map(|file| file.len());
            let end = if stop.is_raised() { FilmEnd::NotBegun } else { make(client, number, film, stop) };
            let seconds = began.elapsed().as_secs_f64();
            let result = FilmResult { film: film.clone(), source_bytes, end, seconds };
            client.ended(number, &result);
            result
        };
        self.films.iter().enumerate().map(run).collect()
    }
}

fn make<C: BatchClient>(client: &C, number: usize, film: &BatchFilm, stop: &StopFlag) -> FilmEnd<C::Error> {
    let made = || -> Result<(bool, Summary), C::Error> {
        let _folders = film.make_folder()?;
        let begun = Arc::new(AtomicBool::new(false));
        let heard = begun.clone();
        let export = client.export(number, film)?.stop(stop).hear_first(move |event| {
            // a film that had been finished before is told without a beginning
            if matches!(event, Event::Started { .. }) {
                heard.store(true, Ordering::Relaxed);
            }
        });
        let summary = export.build().run().map_err(|error| match error {
            RunError::Failed(error) => error,
            RunError::AlreadyStarted(error) => ExportError::Internal(error.to_string()),
        })?;
        client.finished(number, film, &summary)?;
        Ok((begun.load(Ordering::Relaxed), summary))
    };
    match made() {
        Ok((true, summary)) => FilmEnd::Made(Box::new(summary)),
        Ok((false, summary)) => FilmEnd::MadeBefore(Box::new(summary)),
        Err(error) => FilmEnd::Failed(error),
    }
}

/// Folders that were made for an output. Those that are empty when the value is dropped are removed.
#[derive(Debug, Default)]
pub struct MadeFolders(Vec<PathBuf>);

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // one that something is in stays
            let _ = fs::remove_dir(folder);
        }
    }
}

impl BatchFilm {
    /// Makes the folder of the output, and those that it is in, where they are not there.
    ///
    /// # Errors
    /// [`ExportError::File`].
    pub fn make_folder(&self) -> Result<MadeFolders, ExportError> {
        let mut made = MadeFolders::default();
        let Some(folder) = self.output.parent().filter(|_| object_address(&self.output).is_none()) else {
            return Ok(made);
        };
        let missing = |folder: &&Path| !folder.as_os_str().is_empty() && folder.symlink_metadata().is_err();
        let missing: Vec<&Path> = folder.ancestors().take_while(missing).collect();
        for folder in missing.into_iter().rev() {
            match fs::create_dir(folder) {
                Ok(()) => made.0.push(folder.to_owned()),
                // another process was faster
                Err(_) if folder.is_dir() => {}
                Err(error) => return Err(ExportError::file(folder, "making the folder of the film")(error)),
            }
        }
        Ok(made)
    }
}
